/*
 * test/fuzz/target_values.c
 *	  What is written is read back the same: values as JSON and as Atom, text in
 *	  filters, URLs and XML.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

#include "cdms/format.h"
#include "cdms/value.h"
#include "net/url.h"
#include "net/xml.h"
#include "fuzz.h"

#define KEY "5784bd00-f501-e011-a492-00155d000000"

/* ------------------------------------------------------------------ values */

static bool
is_equal(Oid type, Datum a, Datum b)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_EQ_OPR_FINFO);

	return DatumGetBool(FunctionCall2Coll(&entry->eq_opr_finfo, C_COLLATION_OID, a, b));
}

/* Writes an object of a key and this value; reads it. */
static void
write_and_read(const CrmFormatMethods *format, const CrmEntity *entity, int index, Datum value)
{
	CrmField	fields[2] = {entity->fields[entity->key], entity->fields[index]};
	CrmEntity	pair = {entity->name, entity->set, 2, fields, 0};
	CrmAssignment key = {&fields[0], DirectFunctionCall1(uuid_in, CStringGetDatum(KEY)), false};
	CrmAssignment assignment = {&fields[1], value, false};
	bool		json = format == &crm_format_json;
	StringInfoData body;
	CrmObject  *object;

	initStringInfo(&body);
	appendStringInfoString(&body, json ? "{\"d\":" : "");
	format->write_object(&body, &pair, list_make2(&key, &assignment));
	appendStringInfoString(&body, json ? "}" : "");

	object = format->read_object(body.data, body.len, &pair);
	FUZZ_CHECK(!object->nulls[1]);
	FUZZ_CHECK(is_equal(fields[1].pgtype, value, object->values[1]));
}

/* Up to eight bytes as a number. */
static int64
number(const char *data, size_t size)
{
	int64		result = 0;

	memcpy(&result, data, Min(size, sizeof(result)));
	return result;
}

bool
fuzz_value(Oid type, const char *data, size_t size, Datum *value)
{
	int64		bits = number(data, size);
	float8		real;

	memcpy(&real, &bits, sizeof(real));
	switch (type)
	{
		case BOOLOID:
			*value = BoolGetDatum(bits & 1);
			return true;
		case INT2OID:
			*value = Int16GetDatum((int16) bits);
			return true;
		case INT4OID:
			*value = Int32GetDatum((int32) bits);
			return true;
		case INT8OID:
			*value = Int64GetDatum(bits);
			return true;
		case FLOAT8OID:
			*value = Float8GetDatum(real);
			return true;
		case TIMESTAMPTZOID:
			*value = TimestampTzGetDatum(bits / 1000 * 1000);	/* JSON has milliseconds */
			return IS_VALID_TIMESTAMP(DatumGetTimestampTz(*value));
		case BYTEAOID:
			*value = PointerGetDatum(cstring_to_text_with_len(data, size));
			return true;
		case NUMERICOID:
			*value = DirectFunctionCall3(numeric_in, CStringGetDatum(data), 0, Int32GetDatum(-1));
			return true;
		case UUIDOID:
			*value = size < UUID_LEN ? 0 : PointerGetDatum(data);
			return size >= UUID_LEN;
		default:
			*value = PointerGetDatum(cstring_to_text_with_len(data, size));
			return fuzz_is_text(data, size);
	}
}

/* The first byte chooses the format, the second the field. */
static void
round_trip(const char *data, size_t size)
{
	CrmEntity  *entity = fuzz_entity();
	const CrmFormatMethods *format;
	int			index;
	Datum		value;

	if (size < 2)
		return;
	format = data[0] & 1 ? &crm_format_atom : &crm_format_json;
	index = 1 + (unsigned char) data[1] % (entity->nfields - 1);
	if (entity->fields[index].type != CRM_STRING && entity->fields[index].pgtype == TEXTOID)
		return;					/* a text that stands for something else has other forms */
	if (fuzz_value(entity->fields[index].pgtype, data + 2, size - 2, &value))
		write_and_read(format, entity, index, value);
}

/* ------------------------------------------------------- filters and URLs */

/* Percent-decodes; every byte must be one that may stand in a query. */
static char *
decode_url(const char *url)
{
	StringInfoData text;

	initStringInfo(&text);
	for (const char *c = url; *c; c++)
	{
		unsigned int byte = (unsigned char) *c;

		FUZZ_CHECK(*c > ' ' && *c <= '~' && strchr("&#?+=\"<>\\^`{|}", *c) == NULL);
		if (*c == '%')
		{
			FUZZ_CHECK(sscanf(c + 1, "%2X", &byte) == 1);
			c += 2;
		}
		appendStringInfoChar(&text, (char) byte);
	}
	return text.data;
}

/* A string literal from the beginning of a filter; *end is behind it. */
static char *
decode_literal(const char *filter, const char **end)
{
	StringInfoData text;
	const char *c = filter;

	FUZZ_CHECK(*c == '\'');
	initStringInfo(&text);
	for (c++; c[0] != '\'' || c[1] == '\''; c++)
	{
		FUZZ_CHECK(*c != '\0');
		if (*c == '\'')
			c++;
		appendStringInfoChar(&text, *c);
	}
	*end = c + 1;
	return text.data;
}

static void
filter(const char *data, size_t size)
{
	CrmEntity  *entity = fuzz_entity();
	char	   *text = fuzz_string(data, size);
	const char *end;
	StringInfoData literal;
	StringInfoData url;

	if (!fuzz_is_text(data, size))
		return;
	initStringInfo(&literal);
	initStringInfo(&url);
	crm_value_write_literal(&literal, &entity->fields[1], CStringGetTextDatum(text), TEXTOID);
	crm_url_append_encoded(&url, literal.data);
	FUZZ_CHECK(strcmp(decode_url(url.data), literal.data) == 0);
	FUZZ_CHECK(strcmp(decode_literal(literal.data, &end), text) == 0);
	FUZZ_CHECK(*end == '\0');
}

/* What is written as a query's value is read as one, and as the same. */
static void
check_query_value(const char *text)
{
	StringInfoData url;
	List	   *values;

	initStringInfo(&url);
	appendStringInfoString(&url, "http://crm.example.org/?a=");
	crm_url_append_encoded(&url, text);
	appendStringInfoString(&url, "&b#c=d");
	values = crm_url_query_values(url.data);
	FUZZ_CHECK(list_length(values) == 1);
	FUZZ_CHECK(strcmp(linitial(values), text) == 0);
}

/* A link is repaired once and for all, and leads to http or https or nowhere. */
static void
link_target(const char *data, size_t size)
{
	static const char base[] = "http://crm.example.org/UKTI/XRMServices/2011/OrganizationData.svc/AccountSet";
	char	   *link = fuzz_string(data, size);
	char	   *once = crm_url_repair(link);
	char	   *absolute = crm_url_resolve(base, link);

	FUZZ_CHECK(strcmp(crm_url_repair(once), once) == 0);
	for (const char *c = once; *c; c++)
		FUZZ_CHECK(*c > ' ' && *c <= '~');
	if (absolute)
		FUZZ_CHECK(pg_strncasecmp(absolute, "http://", 7) == 0 ||
				   pg_strncasecmp(absolute, "https://", 8) == 0);
	(void) crm_url_same_origin(base, link);
	(void) crm_url_origin(link);
	(void) crm_url_query_values(link);
	check_query_value(link);
}

/* --------------------------------------------------------------------- XML */

/* As content and as an attribute. */
static void
xml_text(const char *data, size_t size)
{
	char	   *text = fuzz_string(data, size);
	StringInfoData escaped;
	CrmXmlReader *xml;
	char	   *document;

	if (!fuzz_is_text(data, size))
		return;
	initStringInfo(&escaped);
	crm_xml_append_escaped(&escaped, text);
	document = psprintf("<a b=\"%s\">%s</a>", escaped.data, escaped.data);
	xml = crm_xml_open(document, strlen(document), "fuzzed document");
	FUZZ_CHECK(crm_xml_next(xml) == CRM_XML_START);
	FUZZ_CHECK(strcmp(crm_xml_attribute(xml, NULL, "b"), text) == 0);
	FUZZ_CHECK(strcmp(crm_xml_inner_text(xml), text) == 0);
	FUZZ_CHECK(crm_xml_next(xml) == CRM_XML_EOF);
	crm_xml_close(xml);
}

static void __attribute__((constructor))
fuzz_register_values(void)
{
	fuzz_register("values", round_trip);
	fuzz_register("filter", filter);
	fuzz_register("link", link_target);
	fuzz_register("xml", xml_text);
}
