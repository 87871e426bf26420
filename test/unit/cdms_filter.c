/*
 * test/unit/cdms_filter.c
 *	  Conditions as OData v2 writes them.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/uuid.h"

#include "cdms/filter.h"

#include "cdms_fixture.h"
#include "unit.h"

static const char *
text_of(const CrmCondition *condition)
{
	StringInfoData out;

	initStringInfo(&out);
	crm_filter_append(&out, condition);
	return out.data;
}

/* path kind value */
static CrmCondition *
compare(CrmConditionKind kind, const char *path, CrmType type, Oid valuetype, const char *value)
{
	CrmField   *field = cdms_field(path, type, TEXTOID);
	CrmField   *typed = memcpy(palloc(sizeof(CrmField)), field, sizeof(CrmField));

	typed->pgtype = valuetype;
	return crm_condition_compare(kind, field, cdms_assign(typed, value)->value, valuetype);
}

static CrmCondition *
name_is(const char *name)
{
	return compare(CRM_EQ, "Name", CRM_STRING, TEXTOID, name);
}

static CrmCondition *
state_is(const char *state)
{
	return compare(CRM_EQ, "StateCode/Value", CRM_OPTION_SET_VALUE, INT4OID, state);
}

static const char *
literal(CrmType type, Oid valuetype, const char *value)
{
	return text_of(compare(CRM_EQ, "P", type, valuetype, value)) + strlen("P eq ");
}

static void
test_literals(void)
{
	CHECK_STR(literal(CRM_STRING, TEXTOID, "O'Neil \"\xE6\x9D\xB1\" &+%"),
			  "'O''Neil \"\xE6\x9D\xB1\" &+%'");
	CHECK_STR(literal(CRM_STRING, TEXTOID, ""), "''");
	CHECK_STR(literal(CRM_STRING, TEXTOID, "'"), "''''");
	CHECK_STR(literal(CRM_GUID, UUIDOID, "5784BD4A-f595-df11-a492-00155dba380c"),
			  "guid'5784bd4a-f595-df11-a492-00155dba380c'");
	CHECK_STR(literal(CRM_BOOLEAN, BOOLOID, "t"), "true");
	CHECK_STR(literal(CRM_INT64, INT8OID, "1000002"), "1000002L");
	CHECK_STR(literal(CRM_INT64, INT4OID, "12"), "12L");
	CHECK_STR(literal(CRM_INT32, INT8OID, "12"), "12");
	CHECK_STR(literal(CRM_INT32, INT8OID, "5000000000"), "5000000000L");
	CHECK_STR(literal(CRM_INT32, NUMERICOID, "2.5"), "2.5M");
	CHECK_STR(literal(CRM_INT16, INT2OID, "-5"), "-5");
	CHECK_STR(literal(CRM_DECIMAL, NUMERICOID, "2000000.5"), "2000000.5M");
	CHECK_STR(literal(CRM_DECIMAL, INT4OID, "7"), "7M");
	CHECK_STR(literal(CRM_DOUBLE, FLOAT8OID, "-89.9"), "-89.9");
	CHECK_STR(literal(CRM_DOUBLE, FLOAT8OID, "5"), "5.0");
	CHECK_STR(literal(CRM_DOUBLE, NUMERICOID, "1e30"), "1e+30");
}

static void
test_moments(void)
{
	cdms_set("TimeZone", "Asia/Kolkata");
	CHECK_STR(literal(CRM_DATETIME, TIMESTAMPTZOID, "2011-11-14 16:43:08Z"),
			  "datetime'2011-11-14T16:43:08Z'");
	CHECK_STR(literal(CRM_DATETIME, DATEOID, "2011-11-14"), "datetime'2011-11-14T00:00:00Z'");
	CHECK_ERROR("22008", literal(CRM_DATETIME, TIMESTAMPTZOID, "2011-11-14 16:43:08.5Z"));
	CHECK_ERROR("22008", literal(CRM_DATETIME, TIMESTAMPTZOID, "infinity"));
	CHECK_ERROR("22008", literal(CRM_DATETIME, TIMESTAMPTZOID, "1700-01-01Z"));
}

static void
test_refused_literals(void)
{
	CHECK_ERROR("22003", literal(CRM_DECIMAL, NUMERICOID, "NaN"));
	CHECK_ERROR("22003", literal(CRM_INT32, NUMERICOID, "Infinity"));
	CHECK_ERROR("22003", literal(CRM_DOUBLE, FLOAT8OID, "-Infinity"));
	CHECK_ERROR("0A000", literal(CRM_BINARY, BYTEAOID, "\\x00"));
}

static void
test_comparisons(void)
{
	CHECK_STR(text_of(compare(CRM_NE, "A", CRM_INT32, INT4OID, "1")), "A ne 1");
	CHECK_STR(text_of(compare(CRM_LT, "A", CRM_INT32, INT4OID, "1")), "A lt 1");
	CHECK_STR(text_of(compare(CRM_LE, "A", CRM_INT32, INT4OID, "1")), "A le 1");
	CHECK_STR(text_of(compare(CRM_GT, "A", CRM_INT32, INT4OID, "1")), "A gt 1");
	CHECK_STR(text_of(compare(CRM_GE, "Revenue/Value", CRM_MONEY, NUMERICOID, "2000000.5")),
			  "Revenue/Value ge 2000000.5M");
	CHECK_STR(text_of(state_is("1")), "StateCode/Value eq 1");
	CHECK_STR(text_of(compare(CRM_EQ, "OwnerId/Id", CRM_ENTITY_REFERENCE, UUIDOID,
							  "5784bd4a-f595-df11-a492-00155dba380c")),
			  "OwnerId/Id eq guid'5784bd4a-f595-df11-a492-00155dba380c'");
}

static void
test_nulls(void)
{
	const CrmField *owner = cdms_field("OwnerId/Id", CRM_ENTITY_REFERENCE, UUIDOID);

	CHECK_STR(text_of(crm_condition_compare(CRM_IS_NULL, owner, 0, InvalidOid)),
			  "OwnerId/Id eq null");
	CHECK_STR(text_of(crm_condition_compare(CRM_IS_NOT_NULL, owner, 0, InvalidOid)),
			  "OwnerId/Id ne null");
}

static void
test_functions(void)
{
	CHECK_STR(text_of(compare(CRM_STARTS_WITH, "Name", CRM_STRING, TEXTOID, "O'")),
			  "startswith(Name,'O''')");
	CHECK_STR(text_of(compare(CRM_ENDS_WITH, "Name", CRM_STRING, TEXTOID, "x")),
			  "endswith(Name,'x')");
	CHECK_STR(text_of(compare(CRM_CONTAINS, "Name", CRM_STRING, TEXTOID, "x")),
			  "substringof('x',Name)");
}

static void
test_groups(void)
{
	CrmCondition *either = crm_condition_group(CRM_OR, list_make2(name_is("a"), name_is("b")));
	CrmCondition *both = crm_condition_group(CRM_AND, list_make2(either, state_is("0")));

	CHECK_STR(text_of(either), "Name eq 'a' or Name eq 'b'");
	CHECK_STR(text_of(both), "(Name eq 'a' or Name eq 'b') and StateCode/Value eq 0");
	CHECK_STR(text_of(crm_condition_group(CRM_OR, list_make2(both, name_is("c")))),
			  "((Name eq 'a' or Name eq 'b') and StateCode/Value eq 0) or Name eq 'c'");
	CHECK_STR(text_of(crm_condition_group(CRM_NOT, list_make1(either))),
			  "not (Name eq 'a' or Name eq 'b')");
	CHECK_STR(text_of(crm_condition_group(CRM_NOT, list_make1(name_is("a")))),
			  "not (Name eq 'a')");
	CHECK(crm_condition_group(CRM_AND, list_make1(either)) == either);
}

static void
test_keys(void)
{
	CrmEntity  *entity = cdms_small_entity();
	pg_uuid_t	keys[2] = {{{0x11}}, {{0x22}}};

	CHECK_STR(text_of(crm_condition_keys(entity, keys, 1)),
			  "AccountId eq guid'11000000-0000-0000-0000-000000000000'");
	CHECK_STR(text_of(crm_condition_keys(entity, keys, 2)),
			  "AccountId eq guid'11000000-0000-0000-0000-000000000000' or "
			  "AccountId eq guid'22000000-0000-0000-0000-000000000000'");
}

static const UnitTest tests[] = {
	{"writes literals of each type", test_literals},
	{"writes moments in UTC and whole seconds", test_moments},
	{"refuses what has no literal", test_refused_literals},
	{"compares properties and members", test_comparisons},
	{"tests for null", test_nulls},
	{"calls the functions CDMS has", test_functions},
	{"puts groups within groups in parentheses", test_groups},
	{"asks for keys", test_keys}
};

UNIT_SUITE("cdms_filter", tests)
