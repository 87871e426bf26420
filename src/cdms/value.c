/*
 * cdms/value.c
 *	  Values between the wire and PostgreSQL.
 *
 * On its way here a text becomes a Datum of the column's type: by a short cut
 * where column and property match, else in the scalar's one normal form through
 * the column's input function.  On its way back a Datum becomes text
 * independent of the session's settings, is brought into the scalar's normal
 * form, which also checks its range, and is dressed for JSON, Atom or a filter.
 *
 * The normal form makes text columns comparable: a Guid is lower-case, a
 * boolean true or false, a moment ISO 8601 in UTC, in whichever format it came.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/base64.h"
#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "utils/varlena.h"

#include "cdms/type.h"
#include "cdms/value.h"
#include "net/xml.h"
#include "rights.h"

#define MOST_DECIMAL_DIGITS 29	/* of an Edm.Decimal */

/* ------------------------------------------------- a property in the CONTEXT */

static void
name_property(void *arg)
{
	errcontext("property \"%s\" of CDMS", crm_field_path((const CrmField *) arg));
}

static void
enter_property(ErrorContextCallback *callback, const CrmField *field)
{
	callback->callback = name_property;
	callback->arg = unconstify(CrmField *, field);
	callback->previous = error_context_stack;
	error_context_stack = callback;
}

static void
leave_property(ErrorContextCallback *callback)
{
	error_context_stack = callback->previous;
}

/* ------------------------------------------------------------------- reading */

static Datum
read_text(const char *text)
{
	return PointerGetDatum(cstring_to_text(text));
}

static Datum
read_uuid(const char *text)
{
	return DirectFunctionCall1(uuid_in, CStringGetDatum(text));
}

static Datum
read_boolean(const char *text)
{
	if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
		return BoolGetDatum(true);
	if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
		return BoolGetDatum(false);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid Edm.Boolean: \"%s\"", text)));
}

static Datum
read_int2(const char *text)
{
	return Int16GetDatum(pg_strtoint16(text));
}

static Datum
read_int4(const char *text)
{
	return Int32GetDatum(pg_strtoint32(text));
}

static Datum
read_int8(const char *text)
{
	return Int64GetDatum(pg_strtoint64(text));
}

static Datum
read_numeric(const char *text)
{
	return DirectFunctionCall3(numeric_in, CStringGetDatum(text),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

static Datum
read_float8(const char *text)
{
	return DirectFunctionCall1(float8in, CStringGetDatum(text));
}

static Datum
read_timestamp(const char *text)
{
	return TimestampTzGetDatum(crm_timestamp_parse(text));
}

static Datum
read_date(const char *text)
{
	return DateADTGetDatum(crm_timestamp_day(crm_timestamp_parse(text)));
}

static Datum
read_bytea(const char *text)
{
	return DirectFunctionCall2(binary_decode, CStringGetTextDatum(text),
							   CStringGetTextDatum("base64"));
}

typedef struct ShortCut
{
	Oid			pgtype;
	CrmType		scalar;
	Datum		(*read) (const char *text);
} ShortCut;

static const ShortCut short_cuts[] = {
	{TEXTOID, CRM_STRING, read_text},
	{VARCHAROID, CRM_STRING, read_text},
	{UUIDOID, CRM_GUID, read_uuid},
	{INT4OID, CRM_INT32, read_int4},
	{BOOLOID, CRM_BOOLEAN, read_boolean},
	{NUMERICOID, CRM_DECIMAL, read_numeric},
	{TIMESTAMPTZOID, CRM_DATETIME, read_timestamp},
	{INT8OID, CRM_INT64, read_int8},
	{FLOAT8OID, CRM_DOUBLE, read_float8},
	{TIMESTAMPOID, CRM_DATETIME, read_timestamp},
	{DATEOID, CRM_DATETIME, read_date},
	{INT2OID, CRM_INT16, read_int2},
	{INT4OID, CRM_INT16, read_int4},
	{INT8OID, CRM_INT32, read_int8},
	{INT8OID, CRM_INT16, read_int8},
	{BYTEAOID, CRM_BINARY, read_bytea}
};

/* A domain and a type modifier have something to check: no short cut then. */
static const ShortCut *
find_short_cut(const CrmField *field)
{
	if (field->pgtypmod >= 0)
		return NULL;
	for (int i = 0; i < lengthof(short_cuts); i++)
	{
		if (short_cuts[i].pgtype == field->pgtype &&
			short_cuts[i].scalar == field->scalar)
			return &short_cuts[i];
	}
	return NULL;
}

/* -------------------------------------------------------------- normal forms */

static char *
normal_string(const char *text)
{
	return pstrdup(text);
}

static char *
normal_guid(const char *text)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, read_uuid(text)));
}

static char *
normal_boolean(const char *text)
{
	return pstrdup(DatumGetBool(read_boolean(text)) ? "true" : "false");
}

static char *
normal_int16(const char *text)
{
	return psprintf("%d", pg_strtoint16(text));
}

static char *
normal_int32(const char *text)
{
	return psprintf("%d", pg_strtoint32(text));
}

static char *
normal_int64(const char *text)
{
	return psprintf(INT64_FORMAT, pg_strtoint64(text));
}

/* Type numeric never writes an exponent. */
static char *
normal_decimal(const char *text)
{
	Datum		number = read_numeric(text);
	char	   *normal = DatumGetCString(DirectFunctionCall1(numeric_out, number));

	pfree(DatumGetPointer(number));
	return normal;
}

/* The shortest text that reads back as the same number. */
static char *
normal_double(const char *text)
{
	return double_to_shortest_decimal(DatumGetFloat8(read_float8(text)));
}

static char *
normal_datetime(const char *text)
{
	StringInfoData iso;

	initStringInfo(&iso);
	crm_timestamp_append(&iso, crm_timestamp_parse(text));
	return iso.data;
}

static char *
base64(const bytea *bytes)
{
	int			length = VARSIZE_ANY_EXHDR(bytes);
	int			size = pg_b64_enc_len(length);
	char	   *text = palloc(size + 1);

	text[pg_b64_encode((void *) VARDATA_ANY(bytes), length, text, size)] = '\0';
	return text;
}

static char *
normal_binary(const char *text)
{
	return base64(DatumGetByteaPP(read_bytea(text)));
}

/* ------------------------------------------------------------- scalar types */

typedef enum JsonForm
{
	JSON_TEXT,					/* a string, escaped */
	JSON_QUOTED,				/* a string that needs no escape */
	JSON_BARE,					/* true, 12 */
	JSON_DATE					/* "/Date(ms)/" */
} JsonForm;

/*
 * One row for each primitive type.  Int64 and Decimal are JSON strings in OData
 * v2 (captures/wcf/51); literals: cdms-protocol 1.5, captures/wcf/12.
 */
typedef struct ScalarRow
{
	char	   *(*normal) (const char *text);
	JsonForm	json;
	const char *prefix;			/* round a filter's literal; NULL: there is none */
	const char *suffix;
} ScalarRow;

static const ScalarRow scalars[] = {
	[CRM_STRING] = {normal_string, JSON_TEXT, "'", "'"},
	[CRM_GUID] = {normal_guid, JSON_QUOTED, "guid'", "'"},
	[CRM_BOOLEAN] = {normal_boolean, JSON_BARE, "", ""},
	[CRM_INT16] = {normal_int16, JSON_BARE, "", ""},
	[CRM_INT32] = {normal_int32, JSON_BARE, "", ""},
	[CRM_INT64] = {normal_int64, JSON_QUOTED, "", "L"},
	[CRM_DECIMAL] = {normal_decimal, JSON_QUOTED, "", "M"},
	[CRM_DOUBLE] = {normal_double, JSON_BARE, "", ""},
	[CRM_DATETIME] = {normal_datetime, JSON_DATE, "datetime'", "'"},
	[CRM_BINARY] = {normal_binary, JSON_QUOTED, NULL, NULL}
};

static Datum
call_input(const CrmField *field, const char *text)
{
	return InputFunctionCall(unconstify(FmgrInfo *, &field->input), unconstify(char *, text),
							 field->typioparam, field->pgtypmod);
}

Datum
crm_value_input(const CrmField *field, const char *text)
{
	CrmRights	former;
	Datum		value;

	if (field->pgtype == field->basetype || !OidIsValid(field->owner))
		return call_input(field, text);

	crm_rights_take(&former, field->owner);
	value = call_input(field, text);
	crm_rights_give_back(&former);
	return value;
}

static void
refuse_number(CrmType scalar, const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("value \"%s\" is out of range for type %s",
					text, crm_type_name(scalar))));
}

/*
 * Type numeric would make 131,000 digits of "1e131071", and an answer can have many of
 * these.  It takes underscores among digits.
 */
static void
check_exponent(const char *text)
{
	const char *exponent = strpbrk(text, "eE");
	int			number = 0;

	if (exponent == NULL)
		return;
	for (const char *c = exponent + 1; *c && number <= MOST_DECIMAL_DIGITS; c++)
	{
		if (isdigit((unsigned char) *c))
			number = number * 10 + (*c - '0');
	}
	if (number > MOST_DECIMAL_DIGITS)
		refuse_number(CRM_DECIMAL, text);
}

/* By way of the normal form, which the objects' memory need not hold as well. */
static Datum
read_normal(const CrmField *field, const char *text)
{
	char	   *normal = scalars[field->scalar].normal(text);
	Datum		value = crm_value_input(field, normal);

	pfree(normal);
	return value;
}

Datum
crm_value_read(const CrmField *field, const char *text)
{
	const ShortCut *short_cut = find_short_cut(field);
	ErrorContextCallback context;
	Datum		value;

	Assert(field->bound);
	enter_property(&context, field);
	if (field->scalar == CRM_DECIMAL)
		check_exponent(text);
	value = short_cut ? short_cut->read(text) : read_normal(field, text);
	leave_property(&context);
	return value;
}

void
crm_value_read_null(const CrmField *field)
{
	ErrorContextCallback context;

	if (field->pgtype == field->basetype)
		return;

	enter_property(&context, field);
	(void) crm_value_input(field, NULL);
	leave_property(&context);
}

/* ---------------------------------------- values as text, settings disregarded */

static char *
text_of_boolean(Datum value)
{
	return pstrdup(DatumGetBool(value) ? "true" : "false");
}

/* As a cast to text does, without the blanks of the padding. */
static char *
text_of_bpchar(Datum value)
{
	char	   *string = TextDatumGetCString(value);
	int			length = strlen(string);

	while (length > 0 && string[length - 1] == ' ')
		string[--length] = '\0';
	return string;
}

static char *
text_of_float4(Datum value)
{
	return float_to_shortest_decimal(DatumGetFloat4(value));
}

static char *
text_of_float8(Datum value)
{
	return double_to_shortest_decimal(DatumGetFloat8(value));
}

static char *
text_of_timestamp(Datum value)
{
	StringInfoData iso;

	initStringInfo(&iso);
	crm_timestamp_append(&iso, DatumGetTimestamp(value));
	return iso.data;
}

static char *
text_of_date(Datum value)
{
	return text_of_timestamp(TimestampGetDatum(date2timestamp_opt_overflow(DatumGetDateADT(value),
																			NULL)));
}

static char *
text_of_bytea(Datum value)
{
	return base64(DatumGetByteaPP(value));
}

/* The types whose own output follows a setting or is not CDMS's way. */
static const struct
{
	Oid			basetype;
	char	   *(*text) (Datum value);
}			outputs[] = {
	{BOOLOID, text_of_boolean},
	{BPCHAROID, text_of_bpchar},
	{FLOAT4OID, text_of_float4},
	{FLOAT8OID, text_of_float8},
	{TIMESTAMPTZOID, text_of_timestamp},
	{TIMESTAMPOID, text_of_timestamp},
	{DATEOID, text_of_date},
	{BYTEAOID, text_of_bytea}
};

static char *
text_of(Datum value, Oid type)
{
	Oid			basetype = getBaseType(type);
	Oid			output;
	bool		varlena;

	for (int i = 0; i < lengthof(outputs); i++)
	{
		if (outputs[i].basetype == basetype)
			return outputs[i].text(value);
	}
	getTypeOutputInfo(basetype, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

/* --------------------------------------------------------------- fit to send */

/* SQL Server's datetime, in which CRM 2011 keeps moments, begins with 1753. */
static void
check_datetime(const char *iso)
{
	if (strncmp(iso, "1753", 4) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("CDMS has no moments before 1753: \"%s\"", iso)));
}

/* The scalar's normal form, in UTF-8. */
static char *
fit_to_send(CrmType scalar, Datum value, Oid type)
{
	char	   *text = scalars[scalar].normal(text_of(value, type));

	if ((scalar == CRM_DECIMAL || scalar == CRM_DOUBLE) && strpbrk(text, "NI"))
		refuse_number(scalar, text);
	if (scalar == CRM_DATETIME)
		check_datetime(text);
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

static char *
assigned_text(const CrmAssignment *assignment)
{
	return assignment->isnull ? NULL :
		fit_to_send(assignment->field->scalar, assignment->value,
					assignment->field->pgtype);
}

/* ---------------------------------------------------------------------- JSON */

static void
append_json(StringInfo out, CrmType scalar, const char *text)
{
	if (text == NULL)
	{
		appendStringInfoString(out, "null");
		return;
	}
	switch (scalars[scalar].json)
	{
		case JSON_TEXT:
			escape_json(out, text);
			break;
		case JSON_QUOTED:
			appendStringInfo(out, "\"%s\"", text);
			break;
		case JSON_BARE:
			appendStringInfoString(out, text);
			break;
		case JSON_DATE:
			appendStringInfo(out, "\"/Date(" INT64_FORMAT ")/\"",
							 crm_timestamp_to_ms(crm_timestamp_parse(text)));
			break;
	}
}

/* A complex property is null when each of its members is (cdms-protocol 1.6). */
static void
append_json_nulls(StringInfo out, const CrmMember *member)
{
	for (char lead = '{'; member->name; member++, lead = ',')
		appendStringInfo(out, "%c\"%s\":null", lead, member->name);
	appendStringInfoChar(out, '}');
}

void
crm_value_write_json(StringInfo out, const CrmAssignment *assignment)
{
	const CrmField *field = assignment->field;
	const CrmMember *members = crm_type_members(field->type);
	ErrorContextCallback context;

	enter_property(&context, field);
	if (field->member == NULL)
		append_json(out, field->scalar, assigned_text(assignment));
	else if (assignment->isnull && members)
		append_json_nulls(out, members);
	else
	{
		appendStringInfo(out, "{\"%s\":", crm_name_to_wire(field->member));
		append_json(out, field->scalar, assigned_text(assignment));
		if (field->target)
		{
			appendStringInfoString(out, ",\"LogicalName\":");
			escape_json(out, crm_name_to_wire(field->target));
		}
		appendStringInfoChar(out, '}');
	}
	leave_property(&context);
}

/* ---------------------------------------------------------------------- Atom */

/* Strings carry no m:type (captures/wcf/32, 38). */
static void
append_atom(StringInfo out, const char *its_name, CrmType scalar, const char *text)
{
	const char *name = crm_name_to_wire(its_name);

	appendStringInfo(out, "<d:%s", name);
	if (scalar != CRM_STRING)
		appendStringInfo(out, " m:type=\"%s\"", crm_type_name(scalar));
	if (text == NULL)
	{
		appendStringInfoString(out, " m:null=\"true\"/>");
		return;
	}
	appendStringInfoChar(out, '>');
	crm_xml_append_escaped(out, text);
	appendStringInfo(out, "</d:%s>", name);
}

static void
append_atom_members(StringInfo out, const CrmAssignment *assignment)
{
	const CrmField *field = assignment->field;
	const CrmMember *member = crm_type_members(field->type);

	if (assignment->isnull && member)
	{
		for (; member->name; member++)
			append_atom(out, member->name, member->type, NULL);
		return;
	}
	append_atom(out, field->member, field->scalar, assigned_text(assignment));
	if (field->target)
		append_atom(out, "LogicalName", CRM_STRING, crm_name_to_wire(field->target));
}

void
crm_value_write_atom(StringInfo out, const CrmAssignment *assignment)
{
	const CrmField *field = assignment->field;
	ErrorContextCallback context;

	enter_property(&context, field);
	if (field->member == NULL)
		append_atom(out, field->property, field->scalar, assigned_text(assignment));
	else
	{
		const char *name = crm_name_to_wire(field->property);

		appendStringInfo(out, "<d:%s", name);
		if (crm_type_members(field->type))
			appendStringInfo(out, " m:type=\"" CRM_TYPE_NAMESPACE ".%s\"",
							 crm_type_name(field->type));
		appendStringInfoChar(out, '>');
		append_atom_members(out, assignment);
		appendStringInfo(out, "</d:%s>", name);
	}
	leave_property(&context);
}

/* ------------------------------------------------------------------ literals */

/*
 * The type of an integer property's literal: the value may be of a wider type
 * than the property, and then it is compared as such, not refused.
 */
static CrmType
integer_literal(CrmType scalar, const char *text)
{
	int64		value;

	if (strpbrk(text, ".NI"))
		return CRM_DECIMAL;
	value = pg_strtoint64(text);
	return scalar == CRM_INT64 || value < PG_INT32_MIN || value > PG_INT32_MAX
		? CRM_INT64 : CRM_INT32;
}

static CrmType
literal_type(CrmType scalar, const char *text)
{
	bool		integer = scalar == CRM_INT16 || scalar == CRM_INT32 || scalar == CRM_INT64;

	return integer ? integer_literal(scalar, text) : scalar;
}

static char *
double_quotes(const char *text)
{
	StringInfoData quoted;

	initStringInfo(&quoted);
	for (; *text; text++)
	{
		if (*text == '\'')
			appendStringInfoChar(&quoted, '\'');
		appendStringInfoChar(&quoted, *text);
	}
	return quoted.data;
}

/* What a literal must have beyond the normal form. */
static char *
literal_text(CrmType scalar, char *text)
{
	if (scalar == CRM_STRING)
		return double_quotes(text);
	if (scalar == CRM_DOUBLE && strpbrk(text, ".e") == NULL)
		return psprintf("%s.0", text);	/* else it would be an Edm.Int32 */
	if (scalar == CRM_DATETIME && strchr(text, '.'))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("CDMS compares moments in whole seconds only: \"%s\"", text)));
	return text;
}

void
crm_value_write_literal(StringInfo out, const CrmField *field,
						Datum value, Oid valuetype)
{
	ErrorContextCallback context;
	CrmType		scalar;
	char	   *text;

	enter_property(&context, field);
	scalar = literal_type(field->scalar, text_of(value, valuetype));
	if (scalars[scalar].prefix == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("CDMS cannot compare values of type %s", crm_type_name(scalar))));
	text = literal_text(scalar, fit_to_send(scalar, value, valuetype));
	appendStringInfo(out, "%s%s%s", scalars[scalar].prefix, text, scalars[scalar].suffix);
	leave_property(&context);
}
