/*
 * cdms/type.c
 *	  The types of CDMS's properties, and which column can hold which of them.
 *
 * Two tables say it all: one row for each EDM or CRM type, one for each
 * PostgreSQL type.  A column may be wider than its property (bigint for an
 * Edm.Int32), never narrower, so that no value is lost on its way here; on its
 * way back a value that the property can't take is an ERROR (value.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "cdms/cdms.h"
#include "cdms/type.h"

#define LONGEST_NAME 255

typedef struct TypeRow
{
	const char *name;			/* as $metadata says it */
	const char *sql;			/* what IMPORT makes of it */
	const CrmMember *members;
} TypeRow;

/*
 * Members of the complex types: cdms-protocol 2.1, captures/wcf/02.  Newer
 * servers add RowVersion to references (captures/odata/01); it is not offered.
 */
static const CrmMember reference_members[] = {
	{"Id", CRM_GUID}, {"LogicalName", CRM_STRING}, {"Name", CRM_STRING}, {NULL}
};

static const CrmMember option_set_members[] = {
	{"Value", CRM_INT32}, {NULL}
};

static const CrmMember money_members[] = {
	{"Value", CRM_DECIMAL}, {NULL}
};

static const CrmMember managed_boolean_members[] = {
	{"Value", CRM_BOOLEAN}, {"CanBeChanged", CRM_BOOLEAN},
	{"ManagedPropertyLogicalName", CRM_STRING}, {NULL}
};

static const TypeRow types[CRM_TYPE_COUNT] = {
	[CRM_STRING] = {"Edm.String", "text", NULL},
	[CRM_GUID] = {"Edm.Guid", "uuid", NULL},
	[CRM_BOOLEAN] = {"Edm.Boolean", "boolean", NULL},
	[CRM_INT16] = {"Edm.Int16", "smallint", NULL},
	[CRM_INT32] = {"Edm.Int32", "integer", NULL},
	[CRM_INT64] = {"Edm.Int64", "bigint", NULL},
	[CRM_DECIMAL] = {"Edm.Decimal", "numeric", NULL},
	[CRM_DOUBLE] = {"Edm.Double", "double precision", NULL},
	[CRM_DATETIME] = {"Edm.DateTime", "timestamptz", NULL},
	[CRM_BINARY] = {"Edm.Binary", "bytea", NULL},
	[CRM_ENTITY_REFERENCE] = {"EntityReference", "uuid", reference_members},
	[CRM_OPTION_SET_VALUE] = {"OptionSetValue", "integer", option_set_members},
	[CRM_MONEY] = {"Money", "numeric", money_members},
	[CRM_MANAGED_BOOLEAN] = {"BooleanManagedProperty", "boolean", managed_boolean_members}
};

#define HOLDS(type) (1 << (type))
#define HOLDS_ALL	(HOLDS(CRM_ENTITY_REFERENCE) - 1)	/* all primitive types */

/*
 * What a column of a base type can hold, and what its property is taken for
 * where no option says it.
 */
typedef struct HolderRow
{
	Oid			basetype;
	int			scalars;		/* HOLDS bits */
	CrmType		natural;
} HolderRow;

static const HolderRow holders[] = {
	{TEXTOID, HOLDS_ALL, CRM_STRING},
	{VARCHAROID, HOLDS_ALL, CRM_STRING},
	{UUIDOID, HOLDS(CRM_GUID), CRM_GUID},
	{BOOLOID, HOLDS(CRM_BOOLEAN), CRM_BOOLEAN},
	{INT2OID, HOLDS(CRM_INT16), CRM_INT16},
	{INT4OID, HOLDS(CRM_INT16) | HOLDS(CRM_INT32), CRM_INT32},
	{INT8OID, HOLDS(CRM_INT16) | HOLDS(CRM_INT32) | HOLDS(CRM_INT64), CRM_INT64},
	{NUMERICOID, HOLDS(CRM_DECIMAL), CRM_DECIMAL},
	{FLOAT4OID, HOLDS(CRM_DOUBLE), CRM_DOUBLE},
	{FLOAT8OID, HOLDS(CRM_DOUBLE), CRM_DOUBLE},
	{TIMESTAMPTZOID, HOLDS(CRM_DATETIME), CRM_DATETIME},
	{TIMESTAMPOID, HOLDS(CRM_DATETIME), CRM_DATETIME},
	{DATEOID, HOLDS(CRM_DATETIME), CRM_DATETIME},
	{BYTEAOID, HOLDS(CRM_BINARY), CRM_BINARY}
};

/*
 * Other string types, citext for one, hold strings.  Not those of fixed
 * length: "name" cuts what is too long without a word.
 */
static const HolderRow string_holder = {
	InvalidOid, HOLDS(CRM_STRING), CRM_STRING
};

const char *
crm_type_name(CrmType type)
{
	return types[type].name;
}

const char *
crm_type_sql(CrmType type)
{
	return types[type].sql;
}

const CrmMember *
crm_type_members(CrmType type)
{
	return types[type].members;
}

const char *
crm_type_member(CrmType type)
{
	return types[type].members ? types[type].members[0].name : NULL;
}

char *
crm_field_path(const CrmField *field)
{
	return field->member ? psprintf("%s/%s", field->property, field->member)
		: pstrdup(field->property);
}

bool
crm_type_by_name(const char *name, CrmType *type)
{
	static const char prefix[] = CRM_TYPE_NAMESPACE ".";

	if (strncmp(name, prefix, strlen(prefix)) == 0)
		name += strlen(prefix);

	for (int i = 0; i < CRM_TYPE_COUNT; i++)
	{
		const char *full = types[i].name;
		const char *dot = strchr(full, '.');

		if (pg_strcasecmp(name, full) == 0 ||
			(dot && pg_strcasecmp(name, dot + 1) == 0))
		{
			*type = (CrmType) i;
			return true;
		}
	}
	return false;
}

/* What a base type can hold; NULL: nothing. */
static const HolderRow *
find_holder(Oid basetype)
{
	char		category;
	bool		preferred;

	for (int i = 0; i < lengthof(holders); i++)
	{
		if (holders[i].basetype == basetype)
			return &holders[i];
	}

	get_type_category_preferred(basetype, &category, &preferred);
	if (category == TYPCATEGORY_STRING && get_typlen(basetype) == -1)
		return &string_holder;
	return NULL;
}

CrmType
crm_type_for_column(Oid pgtype, const char *column)
{
	const HolderRow *holder = find_holder(getBaseType(pgtype));

	if (holder == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("column \"%s\" is of type %s, which no type of CDMS corresponds to",
						column, format_type_be(pgtype)),
				 errhint("Use the type that IMPORT FOREIGN SCHEMA gives the property, or text.")));
	return holder->natural;
}

/*
 * The primitive type of what a field holds.  A member of a complex type that
 * this code does not know comes with its own primitive type.
 */
static CrmType
scalar_of(const CrmField *field)
{
	const CrmMember *member = crm_type_members(field->type);

	if (member == NULL)
		return field->type;

	for (; member->name; member++)
	{
		if (strcmp(member->name, field->member) == 0)
			return member->type;
	}

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
			 errmsg("property \"%s\" of type %s has no member \"%s\"",
					field->property, crm_type_name(field->type), field->member)));
}

bool
crm_is_name(const char *text)
{
	const char *c = text;

	while (isalpha((unsigned char) *c) || *c == '_' || IS_HIGHBIT_SET(*c) ||
		   (c > text && isdigit((unsigned char) *c)))
		c++;
	return c > text && *c == '\0' && c - text <= LONGEST_NAME;
}

const char *
crm_name_to_wire(const char *name)
{
	return pg_server_to_any(name, strlen(name), PG_UTF8);
}

void
crm_field_bind(CrmField *field, MemoryContext memory)
{
	const HolderRow *holder;
	Oid			input;

	if (field->member == NULL && crm_type_member(field->type))
		field->member = MemoryContextStrdup(memory, crm_type_member(field->type));

	field->scalar = scalar_of(field);
	field->basetype = getBaseType(field->pgtype);

	holder = find_holder(field->basetype);
	if (holder == NULL || (holder->scalars & HOLDS(field->scalar)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("property \"%s\" of type %s cannot be held by a column of type %s",
						crm_field_path(field), crm_type_name(field->scalar),
						format_type_be(field->pgtype)),
				 errhint("Use %s, or text.", crm_type_sql(field->scalar))));

	getTypeInputInfo(field->pgtype, &input, &field->typioparam);
	fmgr_info_cxt(input, &field->input, memory);
	field->bound = true;
}
