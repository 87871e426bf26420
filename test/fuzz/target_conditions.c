/*
 * test/fuzz/target_conditions.c
 *	  Conditions of every kind over fields of every type, written as a filter, and
 *	  read by the grammar that OData v2 has: the same condition comes back.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "cdms/filter.h"
#include "cdms/value.h"
#include "fuzz.h"

#define DEEPEST 6
#define MOST_ARGS 3

/* ------------------------------------------------ a condition made of bytes */

typedef struct Bytes
{
	const char *at;
	const char *end;
} Bytes;

static unsigned int
take(Bytes *bytes)
{
	return bytes->at < bytes->end ? (unsigned char) *bytes->at++ : 0;
}

static bool
is_compared(const CrmField *field)
{
	return field->type != CRM_BINARY && (field->pgtype != TEXTOID || field->scalar == CRM_STRING);
}

/* The field's value, of as many bytes as the first says. */
static CrmCondition *
make_compare(Bytes *bytes, CrmConditionKind kind, const CrmField *field)
{
	size_t		wanted = take(bytes) % 32;
	size_t		length = Min(wanted, bytes->end - bytes->at);
	char	   *data = palloc0(length + 1);
	Datum		value;

	memcpy(data, bytes->at, length);
	bytes->at += length;
	if (!fuzz_value(field->pgtype, data, length, &value))
		return NULL;
	if (field->pgtype == TIMESTAMPTZOID)
		value = TimestampTzGetDatum(DatumGetTimestampTz(value) / USECS_PER_SEC * USECS_PER_SEC);
	return crm_condition_compare(kind, field, value, field->pgtype);
}

static CrmCondition *
make_leaf(Bytes *bytes, CrmConditionKind kind)
{
	const CrmEntity *entity = fuzz_entity();
	const CrmField *field = &entity->fields[take(bytes) % entity->nfields];
	CrmCondition *test;

	if (kind >= CRM_STARTS_WITH)
		field = &entity->fields[1];
	if (kind != CRM_IS_NULL && kind != CRM_IS_NOT_NULL)
		return is_compared(field) ? make_compare(bytes, kind, field) : NULL;
	test = palloc0_object(CrmCondition);
	test->kind = kind;
	test->field = field;
	return test;
}

/* NULL: the bytes make none. */
static CrmCondition *
make(Bytes *bytes, int depth)
{
	CrmConditionKind kind = take(bytes) % (CRM_CONTAINS + 1);
	int			nargs = kind == CRM_NOT ? 1 : 2 + take(bytes) % (MOST_ARGS - 1);
	List	   *args = NIL;

	if (kind > CRM_NOT)
		return make_leaf(bytes, kind);
	while (depth < DEEPEST && list_length(args) < nargs)
	{
		CrmCondition *arg = make(bytes, depth + 1);

		if (arg == NULL)
			return NULL;
		args = lappend(args, arg);
	}
	return args == NIL ? NULL : crm_condition_group(kind, args);
}

/* ------------------------------------------------------- the filter, read */

static bool
skip(const char **at, const char *word)
{
	size_t		length = strlen(word);

	if (strncmp(*at, word, length) != 0)
		return false;
	*at += length;
	return true;
}

static void
expect(const char **at, const char *word)
{
	FUZZ_CHECK(skip(at, word));
}

static void
read_path(const char **at, const CrmField *field)
{
	expect(at, field->property);
	if (field->member)
	{
		expect(at, "/");
		expect(at, field->member);
	}
}

/* What a literal of each type stands between. */
static const char *const dress[][2] = {
	[CRM_STRING] = {"'", "'"},
	[CRM_GUID] = {"guid'", "'"},
	[CRM_BOOLEAN] = {"", ""},
	[CRM_INT16] = {"", ""},
	[CRM_INT32] = {"", ""},
	[CRM_INT64] = {"", "L"},
	[CRM_DECIMAL] = {"", "M"},
	[CRM_DOUBLE] = {"", ""},
	[CRM_DATETIME] = {"datetime'", "'"}
};

/* A literal ends with its quote, which is not doubled, or where no more of it can be. */
static char *
undress(const char **at, CrmType scalar)
{
	bool		quoted = strchr(dress[scalar][0], '\'') != NULL;
	StringInfoData text;

	initStringInfo(&text);
	expect(at, dress[scalar][0]);
	for (; **at && !(quoted ? **at == '\'' && (*at)[1] != '\'' : strchr(" ),LM", **at) != NULL); (*at)++)
	{
		if (quoted && **at == '\'')
			(*at)++;
		appendStringInfoChar(&text, **at);
	}
	expect(at, dress[scalar][1]);
	return text.data;
}

static void
read_literal(const char **at, const CrmCondition *condition)
{
	const CrmField *field = condition->field;
	TypeCacheEntry *type = lookup_type_cache(field->pgtype, TYPECACHE_EQ_OPR_FINFO);
	Datum		value = crm_value_read(field, undress(at, field->scalar));

	FUZZ_CHECK(DatumGetBool(FunctionCall2Coll(&type->eq_opr_finfo, C_COLLATION_OID,
											  condition->value, value)));
}

static void
read_function(const char **at, const CrmCondition *condition)
{
	bool		reversed = condition->kind == CRM_CONTAINS;

	expect(at, reversed ? "substringof(" :
		   condition->kind == CRM_STARTS_WITH ? "startswith(" : "endswith(");
	if (reversed)
		read_literal(at, condition);
	else
		read_path(at, condition->field);
	expect(at, ",");
	if (reversed)
		read_path(at, condition->field);
	else
		read_literal(at, condition);
	expect(at, ")");
}

/* An argument that is "and" or "or" itself stands in parentheses, any other does not. */
static void
read_condition(const char **at, const CrmCondition *condition)
{
	static const char *const operators[] = {
		[CRM_EQ] = " eq ",[CRM_NE] = " ne ",[CRM_LT] = " lt ",[CRM_LE] = " le ",
		[CRM_GT] = " gt ",[CRM_GE] = " ge ",[CRM_IS_NULL] = " eq null",[CRM_IS_NOT_NULL] = " ne null"
	};
	ListCell   *cell;

	if (condition->kind == CRM_NOT)
		expect(at, "not (");
	foreach(cell, condition->args)
	{
		const CrmCondition *arg = lfirst(cell);
		bool		nested = arg->kind <= CRM_OR && condition->kind != CRM_NOT;

		if (foreach_current_index(cell) > 0)
			expect(at, condition->kind == CRM_AND ? " and " : " or ");
		if (nested)
			expect(at, "(");
		read_condition(at, arg);
		if (nested)
			expect(at, ")");
	}
	if (condition->kind == CRM_NOT)
		expect(at, ")");
	if (condition->kind >= CRM_STARTS_WITH)
		read_function(at, condition);
	else if (condition->kind > CRM_NOT)
	{
		read_path(at, condition->field);
		expect(at, operators[condition->kind]);
		if (condition->kind < CRM_IS_NULL)
			read_literal(at, condition);
	}
}

static void
conditions(const char *data, size_t size)
{
	Bytes		bytes = {data, data + size};
	CrmCondition *condition = make(&bytes, 0);
	StringInfoData text;
	const char *at;

	if (condition == NULL)
		return;
	initStringInfo(&text);
	crm_filter_append(&text, condition);
	at = text.data;
	read_condition(&at, condition);
	FUZZ_CHECK(*at == '\0');
}

static void __attribute__((constructor))
fuzz_register_conditions(void)
{
	fuzz_register("conditions", conditions);
}
