/*
 * test/unit/cdms_value.c
 *	  Values between the wire and PostgreSQL, there and back.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "cdms_fixture.h"
#include "unit.h"

/* What a wire text becomes, as its type's output function writes it. */
static const char *
read_as(CrmType type, Oid pgtype, const char *wire)
{
	return cdms_text(crm_value_read(cdms_field("P", type, pgtype), wire), pgtype);
}

static const char *
json_of(const CrmAssignment *assignment)
{
	StringInfoData out;

	initStringInfo(&out);
	crm_value_write_json(&out, assignment);
	return out.data;
}

static const char *
atom_of(const CrmAssignment *assignment)
{
	StringInfoData out;

	initStringInfo(&out);
	crm_value_write_atom(&out, assignment);
	return out.data;
}

static const char *
json(const char *path, CrmType type, Oid pgtype, const char *value)
{
	return json_of(cdms_assign(cdms_field(path, type, pgtype), value));
}

static const char *
atom(const char *path, CrmType type, Oid pgtype, const char *value)
{
	return atom_of(cdms_assign(cdms_field(path, type, pgtype), value));
}

/* ------------------------------------------------------------------ reading */

static void
test_read(void)
{
	CHECK_STR(read_as(CRM_STRING, TEXTOID, "it's \"so\" \xF0\x9F\x98\x80"),
			  "it's \"so\" \xF0\x9F\x98\x80");
	CHECK_STR(read_as(CRM_STRING, TEXTOID, ""), "");
	CHECK_STR(read_as(CRM_GUID, UUIDOID, "5784BD00-F501-E011-A492-00155D000000"),
			  "5784bd00-f501-e011-a492-00155d000000");
	CHECK_STR(read_as(CRM_BOOLEAN, BOOLOID, "true"), "t");
	CHECK_STR(read_as(CRM_BOOLEAN, BOOLOID, "0"), "f");
	CHECK_STR(read_as(CRM_INT16, INT2OID, "-32768"), "-32768");
	CHECK_STR(read_as(CRM_INT32, INT4OID, "2147483647"), "2147483647");
	CHECK_STR(read_as(CRM_INT32, INT8OID, "-5"), "-5");
	CHECK_STR(read_as(CRM_INT64, INT8OID, "-9223372036854775808"), "-9223372036854775808");
	CHECK_STR(read_as(CRM_DECIMAL, NUMERICOID, "1.0000000000"), "1.0000000000");
	CHECK_STR(read_as(CRM_DECIMAL, NUMERICOID, "-79228162514264337593543950335"),
			  "-79228162514264337593543950335");
	CHECK_STR(read_as(CRM_DOUBLE, FLOAT8OID, "-89.9"), "-89.9");
	CHECK_STR(read_as(CRM_DOUBLE, FLOAT4OID, "0.1"), "0.1");
	CHECK_STR(read_as(CRM_BINARY, BYTEAOID, "AP8B"), "\\x00ff01");
}

static void
test_read_refuses(void)
{
	CHECK_ERROR("22P02", read_as(CRM_GUID, UUIDOID, "no"));
	CHECK_ERROR("22P02", read_as(CRM_BOOLEAN, BOOLOID, "yes"));
	CHECK_ERROR("22P02", read_as(CRM_INT32, INT4OID, "1.5"));
	CHECK_ERROR("22P02", read_as(CRM_INT32, INT4OID, ""));
	CHECK_ERROR("22003", read_as(CRM_INT32, INT4OID, "2147483648"));
	CHECK_ERROR("22003", read_as(CRM_INT16, INT2OID, "32768"));
	CHECK_ERROR("22003", read_as(CRM_INT64, INT8OID, "9223372036854775808"));
	CHECK_ERROR("22003", read_as(CRM_DOUBLE, FLOAT8OID, "1e400"));
	CHECK(strstr(unit_error->context, "property \"P\" of CDMS") != NULL);
}

/* A few letters that stand for many digits are refused before they become these. */
static void
test_read_exponents(void)
{
	static const char *const wires[] = {
		"1e131071", "1E+30", "1e-16383", "-1e1_31071", "1e00030", "1e99999999999999999999"
	};
	Size		before = MemoryContextMemAllocated(CurrentMemoryContext, true);

	for (int i = 0; i < lengthof(wires); i++)
	{
		CHECK_ERROR("22003", read_as(CRM_DECIMAL, NUMERICOID, wires[i]));
		CHECK_STR(unit_error->message,
				  psprintf("value \"%s\" is out of range for type Edm.Decimal", wires[i]));
		CHECK_ERROR("22003", read_as(CRM_DECIMAL, TEXTOID, wires[i]));
	}
	CHECK(MemoryContextMemAllocated(CurrentMemoryContext, true) - before < 64 * 1024);
	CHECK_STR(read_as(CRM_DECIMAL, NUMERICOID, "-1.5e28"), "-15000000000000000000000000000");
	CHECK_STR(read_as(CRM_DECIMAL, TEXTOID, "1E-9"), "0.000000001");
}

/* A text column's values are kept, and beside them nothing. */
static void
test_read_memory(void)
{
	CrmField   *field = cdms_field("P", CRM_DECIMAL, TEXTOID);
	char	   *digits = psprintf("1.%0*d", 10000, 0);
	Size		before = MemoryContextMemAllocated(CurrentMemoryContext, true);

	for (int i = 0; i < 300; i++)
		pfree(DatumGetPointer(crm_value_read(field, digits)));
	CHECK(MemoryContextMemAllocated(CurrentMemoryContext, true) - before < 256 * 1024);
}

/* As on assignment: only blanks are cut without a word. */
static void
test_read_typmod(void)
{
	CrmField   *varchar10 = cdms_field("Name", CRM_STRING, VARCHAROID);
	CrmField   *numeric82 = cdms_field("Rate", CRM_DECIMAL, NUMERICOID);

	varchar10->pgtypmod = 10 + VARHDRSZ;
	CHECK_STR(TextDatumGetCString(crm_value_read(varchar10, "0123456789   ")), "0123456789");
	CHECK_ERROR("22001", crm_value_read(varchar10, "0123456789x"));
	CHECK_STR(TextDatumGetCString(crm_value_read(varchar10, "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"
												 "\xC3\xA4\xC3\xA4")),
			  "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4");

	numeric82->pgtypmod = ((8 << 16) | 2) + VARHDRSZ;
	CHECK_STR(cdms_text(crm_value_read(numeric82, "12.345"), NUMERICOID), "12.35");
	CHECK_ERROR("22003", crm_value_read(numeric82, "1234567.8"));
}

/* A text column has one text for one value, whichever way it came. */
static void
test_read_text_columns(void)
{
	CHECK_STR(read_as(CRM_GUID, TEXTOID, "{5784BD00-F501-E011-A492-00155D000000}"),
			  "5784bd00-f501-e011-a492-00155d000000");
	CHECK_STR(read_as(CRM_BOOLEAN, TEXTOID, "1"), "true");
	CHECK_STR(read_as(CRM_INT32, VARCHAROID, "007"), "7");
	CHECK_STR(read_as(CRM_DATETIME, TEXTOID, "/Date(1297843200000)/"), "2011-02-16T08:00:00Z");
	CHECK_STR(read_as(CRM_DATETIME, TEXTOID, "2011-02-16T08:00:00"), "2011-02-16T08:00:00Z");
	CHECK_STR(read_as(CRM_DOUBLE, TEXTOID, "1.50"), "1.5");
	CHECK_STR(read_as(CRM_DECIMAL, TEXTOID, "1.50"), "1.50");
	CHECK_STR(read_as(CRM_BINARY, TEXTOID, "AP8B"), "AP8B");
	CHECK_ERROR("22P02", read_as(CRM_INT32, TEXTOID, "x"));
}

/* ------------------------------------------------------------------ moments */

typedef struct Moment
{
	const char *wire;
	const char *utc;			/* ISO, as written back */
	int64		ms;
} Moment;

static const Moment moments[] = {
	{"/Date(0)/", "1970-01-01T00:00:00Z", 0},
	{"/Date(1297843200000)/", "2011-02-16T08:00:00Z", INT64CONST(1297843200000)},
	{"/Date(1297843200000+0130)/", "2011-02-16T08:00:00Z", INT64CONST(1297843200000)},
	{"/Date(1297843200000-0000)/", "2011-02-16T08:00:00Z", INT64CONST(1297843200000)},
	{"/Date(-1)/", "1969-12-31T23:59:59.999000Z", -1},
	{"/Date(-2208988800000)/", "1900-01-01T00:00:00Z", INT64CONST(-2208988800000)},
	{"/Date(-6847804800000)/", "1753-01-01T00:00:00Z", INT64CONST(-6847804800000)},
	{"/Date(253402300799999)/", "9999-12-31T23:59:59.999000Z", INT64CONST(253402300799999)},
	{"2011-02-16T08:00:00Z", "2011-02-16T08:00:00Z", INT64CONST(1297843200000)},
	{"2011-02-16T08:00:00", "2011-02-16T08:00:00Z", INT64CONST(1297843200000)},
	{"2011-02-16T08:00", "2011-02-16T08:00:00Z", INT64CONST(1297843200000)},
	{"2011-02-16", "2011-02-16T00:00:00Z", INT64CONST(1297814400000)},
	{"2011-02-16T09:30:00+01:30", "2011-02-16T08:00:00Z", INT64CONST(1297843200000)},
	{"2011-02-16T06:30:00-0130", "2011-02-16T08:00:00Z", INT64CONST(1297843200000)},
	{"2011-02-16T08:00:00.1234567Z", "2011-02-16T08:00:00.123456Z", INT64CONST(1297843200123)},
	{"2012-02-29T23:59:59Z", "2012-02-29T23:59:59Z", INT64CONST(1330559999000)},
	{"1899-12-31T12:00:00Z", "1899-12-31T12:00:00Z", INT64CONST(-2209032000000)},
	{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", INT64CONST(-62135596800000)}
};

static const char *
iso_of(TimestampTz timestamp)
{
	StringInfoData out;

	initStringInfo(&out);
	crm_timestamp_append(&out, timestamp);
	return out.data;
}

static void
test_moments(void)
{
	for (int i = 0; i < lengthof(moments); i++)
	{
		TimestampTz timestamp = crm_timestamp_parse(moments[i].wire);

		CHECK_STR(iso_of(timestamp), moments[i].utc);
		CHECK_INT(crm_timestamp_to_ms(timestamp), moments[i].ms);
		CHECK_INT(crm_timestamp_to_ms(crm_timestamp_from_ms(moments[i].ms)), moments[i].ms);
	}
}

static void
test_moments_in_zones(void)
{
	static const char *const zones[] = {"UTC", "Pacific/Auckland", "America/St_Johns"};

	for (int i = 0; i < lengthof(zones); i++)
	{
		cdms_set("TimeZone", zones[i]);
		cdms_set("DateStyle", "SQL, DMY");
		test_moments();
		CHECK_STR(json("P", CRM_DATETIME, TIMESTAMPTZOID, "2011-02-16 08:00:00+00"),
				  "\"/Date(1297843200000)/\"");
		CHECK_STR(json("P", CRM_DATETIME, TIMESTAMPOID, "2011-02-16 08:00:00"),
				  "\"/Date(1297843200000)/\"");
		CHECK_STR(json("P", CRM_DATETIME, DATEOID, "2011-02-16"), "\"/Date(1297814400000)/\"");

		cdms_set("DateStyle", "ISO");
		CHECK_STR(read_as(CRM_DATETIME, TIMESTAMPOID, "/Date(-1000)/"), "1969-12-31 23:59:59");
		CHECK_STR(read_as(CRM_DATETIME, DATEOID, "/Date(-1000)/"), "1969-12-31");
		CHECK_STR(read_as(CRM_DATETIME, DATEOID, "2011-02-16T23:00:00-02:00"), "2011-02-17");
	}
}

static void
test_moments_malformed(void)
{
	static const char *const texts[] = {
		"", "12/25/2022", "/Date()/", "/Date(x)/", "/Date(1", "/Date(1)", "/Date(1)/x",
		"/Date(1Z)/", "/Date(1+1)/", "/Date(- 1)/", "2011-2-16", "2011-02-16T", "2011-02-16T08",
		"2011-02-16T8:00:00", "2011-02-16 08:00:00", "2011-02-16T08:00:00.",
		"2011-02-16T08:00:00ZZ",
		"2011-02-16T08:00:00+1", "20110216", "now", "infinity"
	};

	for (int i = 0; i < lengthof(texts); i++)
		CHECK_ERROR("22007", crm_timestamp_parse(texts[i]));
}

static void
test_moments_out_of_range(void)
{
	static const char *const texts[] = {
		"2011-02-29T00:00:00Z", "2011-13-01T00:00:00Z", "2011-00-01", "2011-01-00",
		"2011-01-01T24:00:00", "2011-01-01T00:60:00", "2011-01-01T00:00:60",
		"0000-01-01", "/Date(9999999999999999999)/", "/Date(-9223372036854775807)/",
		"/Date(9223372036854775807)/"
	};

	for (int i = 0; i < lengthof(texts); i++)
		CHECK_ERROR("22008", crm_timestamp_parse(texts[i]));
}

/* ------------------------------------------------------------------ writing */

static void
test_write_json(void)
{
	CHECK_STR(json("P", CRM_STRING, TEXTOID, "a\"b\\c\n\xF0\x9F\x98\x80"),
			  "\"a\\\"b\\\\c\\n\xF0\x9F\x98\x80\"");
	CHECK_STR(json("P", CRM_STRING, TEXTOID, ""), "\"\"");
	CHECK_STR(json("P", CRM_STRING, TEXTOID, NULL), "null");
	CHECK_STR(json("P", CRM_GUID, UUIDOID, "5784BD00F501E011A49200155D000000"),
			  "\"5784bd00-f501-e011-a492-00155d000000\"");
	CHECK_STR(json("P", CRM_BOOLEAN, BOOLOID, "f"), "false");
	CHECK_STR(json("P", CRM_INT32, INT8OID, "12"), "12");
	CHECK_STR(json("P", CRM_INT64, INT8OID, "1000002"), "\"1000002\"");
	CHECK_STR(json("P", CRM_DECIMAL, NUMERICOID, "1e20"), "\"100000000000000000000\"");
	CHECK_STR(json("P", CRM_DECIMAL, NUMERICOID, "0.00000001"), "\"0.00000001\"");
	CHECK_STR(json("P", CRM_DATETIME, TIMESTAMPTZOID, "1969-12-31 23:59:59.9999Z"),
			  "\"/Date(-1)/\"");
	CHECK_STR(json("P", CRM_BINARY, BYTEAOID, "\\x00ff01"), "\"AP8B\"");
	CHECK_STR(json("P", CRM_STRING, BPCHAROID, "ab   "), "\"ab\"");
}

static void
test_write_json_complex(void)
{
	CrmField   *reference = cdms_field("PrimaryContactId/Id", CRM_ENTITY_REFERENCE, UUIDOID);
	static const char *const id = "dff27d1f-a61b-4bfe-a203-b2e5a36cda0e";

	CHECK_STR(json_of(cdms_assign(reference, id)),
			  "{\"Id\":\"dff27d1f-a61b-4bfe-a203-b2e5a36cda0e\"}");
	reference->target = "contact";
	CHECK_STR(json_of(cdms_assign(reference, id)),
			  "{\"Id\":\"dff27d1f-a61b-4bfe-a203-b2e5a36cda0e\",\"LogicalName\":\"contact\"}");
	CHECK_STR(json_of(cdms_assign(reference, NULL)),
			  "{\"Id\":null,\"LogicalName\":null,\"Name\":null}");

	CHECK_STR(json("R/Value", CRM_MONEY, NUMERICOID, "99.5"), "{\"Value\":\"99.5\"}");
	CHECK_STR(json("R/Value", CRM_MONEY, NUMERICOID, NULL), "{\"Value\":null}");
	CHECK_STR(json("S/Value", CRM_OPTION_SET_VALUE, INT4OID, "7"), "{\"Value\":7}");
	CHECK_STR(json("M/Value", CRM_MANAGED_BOOLEAN, BOOLOID, NULL),
			  "{\"Value\":null,\"CanBeChanged\":null,\"ManagedPropertyLogicalName\":null}");
}

static void
test_write_atom(void)
{
	CHECK_STR(atom("Name", CRM_STRING, TEXTOID, "Cr\xC3\xA9\xC3\xA9 & <new>"),
			  "<d:Name>Cr\xC3\xA9\xC3\xA9 &amp; &lt;new&gt;</d:Name>");
	CHECK_STR(atom("Name", CRM_STRING, TEXTOID, NULL), "<d:Name m:null=\"true\"/>");
	CHECK_STR(atom("N", CRM_INT32, INT4OID, NULL),
			  "<d:N m:type=\"Edm.Int32\" m:null=\"true\"/>");
	CHECK_STR(atom("B", CRM_BOOLEAN, BOOLOID, "t"),
			  "<d:B m:type=\"Edm.Boolean\">true</d:B>");
	CHECK_STR(atom("D", CRM_DATETIME, TIMESTAMPTZOID, "2012-03-04 05:06:07Z"),
			  "<d:D m:type=\"Edm.DateTime\">2012-03-04T05:06:07Z</d:D>");
	CHECK_STR(atom("D", CRM_DATETIME, TIMESTAMPTZOID, "2012-03-04 05:06:07.5Z"),
			  "<d:D m:type=\"Edm.DateTime\">2012-03-04T05:06:07.500000Z</d:D>");
	CHECK_STR(atom("R/Value", CRM_MONEY, NUMERICOID, NULL),
			  "<d:R m:type=\"Microsoft.Crm.Sdk.Data.Services.Money\">"
			  "<d:Value m:type=\"Edm.Decimal\" m:null=\"true\"/></d:R>");
	CHECK_STR(atom("C/Id", CRM_ENTITY_REFERENCE, UUIDOID, NULL),
			  "<d:C m:type=\"Microsoft.Crm.Sdk.Data.Services.EntityReference\">"
			  "<d:Id m:type=\"Edm.Guid\" m:null=\"true\"/><d:LogicalName m:null=\"true\"/>"
			  "<d:Name m:null=\"true\"/></d:C>");
}

/* Writing from text columns goes by the property's type. */
static void
test_write_text_columns(void)
{
	CHECK_STR(json("P", CRM_INT32, TEXTOID, " 12"), "12");
	CHECK_STR(json("P", CRM_DATETIME, TEXTOID, "2011-02-16T08:00:00Z"),
			  "\"/Date(1297843200000)/\"");
	CHECK_STR(json("P", CRM_GUID, TEXTOID, "5784BD00F501E011A49200155D000000"),
			  "\"5784bd00-f501-e011-a492-00155d000000\"");
	CHECK_ERROR("22P02", json("P", CRM_INT32, TEXTOID, "many"));
	CHECK_ERROR("22007", json("P", CRM_DATETIME, TEXTOID, "tomorrow"));
	CHECK_ERROR("22008", json("P", CRM_DATETIME, TEXTOID, "1752-12-31T00:00:00Z"));
}

static void
check_moment_refused(const char *moment)
{
	CHECK_ERROR("22008", json("P", CRM_DATETIME, TIMESTAMPTZOID, moment));
	CHECK_ERROR("22008", atom("P", CRM_DATETIME, TIMESTAMPTZOID, moment));
}

static void
test_write_refuses(void)
{
	static const char *const bad_moments[] = {
		"infinity", "-infinity", "1752-12-31 23:59:59Z", "10000-01-01 00:00:00Z",
		"0044-03-15 00:00:00Z BC", "294276-12-31Z"
	};

	for (int i = 0; i < lengthof(bad_moments); i++)
		check_moment_refused(bad_moments[i]);
	CHECK_ERROR("22008", json("P", CRM_DATETIME, DATEOID, "infinity"));
	CHECK_ERROR("22008", json("P", CRM_DATETIME, DATEOID, "5000000-01-01"));
	CHECK_ERROR("22003", json("P", CRM_DECIMAL, NUMERICOID, "NaN"));
	CHECK_ERROR("22003", json("P", CRM_DECIMAL, NUMERICOID, "-Infinity"));
	CHECK_ERROR("22003", json("P", CRM_DOUBLE, FLOAT8OID, "NaN"));
	CHECK_ERROR("22003", json("P", CRM_DOUBLE, FLOAT8OID, "Infinity"));
	CHECK_ERROR("22003", json("P", CRM_INT32, INT8OID, "2147483648"));
	CHECK_ERROR("22003", json("P", CRM_INT16, INT4OID, "32768"));
	CHECK_ERROR("22021", atom("P", CRM_STRING, TEXTOID, "bell\a"));
	CHECK(strstr(unit_error->context, "property \"P\" of CDMS") != NULL);
	CHECK_STR(json("P", CRM_STRING, TEXTOID, "bell\a"), "\"bell\\u0007\"");
}

/* ---------------------------------------------------------- there and back */

static void
test_doubles(void)
{
	static const char *const texts[] = {
		"0", "-0", "0.1", "1e-307", "2.2250738585072014e-308", "5e-324",
		"1.7976931348623157e+308", "123456789012345680", "-89.9", "1e+22", "3.141592653589793"
	};
	CrmField   *field = cdms_field("P", CRM_DOUBLE, FLOAT8OID);

	cdms_set("extra_float_digits", "-15");
	for (int i = 0; i < lengthof(texts); i++)
	{
		double		want = strtod(texts[i], NULL);
		const char *wire = json_of(cdms_assign(field, texts[i]));
		double		got = DatumGetFloat8(crm_value_read(field, wire));

		CHECK(memcmp(&got, &want, sizeof(double)) == 0);
	}
	CHECK_STR(json("P", CRM_DOUBLE, FLOAT4OID, "0.1"), "0.1");
}

static void
test_decimals(void)
{
	static const char *const texts[] = {
		"0", "0.00", "1.0000000000", "-12345.6789", "79228162514264337593543950335",
		"0.0000000000000000000000000001", "100000000000000000000"
	};

	for (int i = 0; i < lengthof(texts); i++)
	{
		CHECK_STR(json("P", CRM_DECIMAL, NUMERICOID, texts[i]), psprintf("\"%s\"", texts[i]));
		CHECK_STR(read_as(CRM_DECIMAL, NUMERICOID, texts[i]), texts[i]);
	}
}

static const UnitTest tests[] = {
	{"reads each type", test_read},
	{"refuses what is none, and names the property", test_read_refuses},
	{"refuses decimals that a few letters make of many digits", test_read_exponents},
	{"keeps of a value its column's form only", test_read_memory},
	{"cuts and rounds as an assignment does", test_read_typmod},
	{"a text column gets one text for one value", test_read_text_columns},
	{"moments come in all their forms", test_moments},
	{"no setting moves a moment", test_moments_in_zones},
	{"malformed moments are refused", test_moments_malformed},
	{"impossible moments are refused", test_moments_out_of_range},
	{"writes JSON", test_write_json},
	{"writes complex values as JSON", test_write_json_complex},
	{"writes Atom", test_write_atom},
	{"text columns are written by their property's type", test_write_text_columns},
	{"what CDMS can't take is refused before it is sent", test_write_refuses},
	{"doubles round trip exactly", test_doubles},
	{"decimals keep their digits", test_decimals}
};

UNIT_SUITE("cdms_value", tests)
