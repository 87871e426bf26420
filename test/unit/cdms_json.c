/*
 * test/unit/cdms_json.c
 *	  Verbose JSON read into objects.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/uuid.h"

#include "cdms_fixture.h"
#include "unit.h"

#define KEY1 "5784bd00-f501-e011-a492-00155d000000"
#define KEY2 "5784dbef-f501-e011-a492-00155d019919"

/* An account of the small entity. */
#define ACCOUNT(key, name) \
	"{\"__metadata\":{\"uri\":\"x\",\"type\":\"y\"},\"AccountId\":\"" key "\",\"Name\":" name "," \
	"\"NumberOfEmployees\":5,\"PrimaryContactId\":{\"__metadata\":{\"type\":\"z\"}," \
	"\"Id\":\"" KEY2 "\",\"LogicalName\":\"contact\",\"Name\":\"Sam\",\"RowVersion\":null}}"

static CrmEntity *entity;
static char *next;

static CrmPage *
page_of(const char *body)
{
	entity = cdms_small_entity();
	return crm_format_json.read_page(body, strlen(body), entity, NULL, &next);
}

static CrmObject *
object_of(const char *body)
{
	entity = cdms_small_entity();
	return crm_format_json.read_object(body, strlen(body), entity);
}

static void
check_first(const CrmPage *page, int nobjects)
{
	CHECK_INT(page->nobjects, nobjects);
	CHECK_STR(cdms_value(entity, &page->objects[0], "AccountId"), KEY1);
	CHECK_STR(cdms_text(UUIDPGetDatum(&page->objects[0].key), UUIDOID), KEY1);
	CHECK_STR(cdms_value(entity, &page->objects[0], "Name"), "One");
	CHECK_STR(cdms_value(entity, &page->objects[0], "NumberOfEmployees"), "5");
	CHECK_STR(cdms_value(entity, &page->objects[0], "PrimaryContactId/Id"), KEY2);
	CHECK_STR(cdms_value(entity, &page->objects[0], "PrimaryContactId/Name"), "Sam");
}

static void
test_results(void)
{
	check_first(page_of("{\"d\":{\"results\":[" ACCOUNT(KEY1, "\"One\"") "," ACCOUNT(KEY2, "null")
						"],\"__next\":\"http://h/{a} b\"}}"), 2);
	CHECK_STR(next, "http://h/{a} b");
}

static void
test_bare_array(void)
{
	CrmPage    *page = page_of("{\"d\":[" ACCOUNT(KEY1, "\"One\"") "," ACCOUNT(KEY2, "null") "]}");

	check_first(page, 2);
	CHECK_STR(cdms_value(entity, &page->objects[1], "Name"), NULL);
	CHECK_STR(next, NULL);
}

static void
test_single(void)
{
	CrmObject  *object = object_of("{\"d\":" ACCOUNT(KEY1, "\"One\"") "}");

	CHECK_STR(cdms_value(entity, object, "Name"), "One");
}

static void
test_next_before_results(void)
{
	check_first(page_of("\xEF\xBB\xBF {\"x\":{\"d\":[1]},\"d\":{\"__count\":\"7\",\"__next\":\"n\","
						"\"results\":[" ACCOUNT(KEY1, "\"One\"") "]}} "), 1);
	CHECK_STR(next, "n");
	page_of("{\"d\":{\"results\":[],\"__next\":null}}");
	CHECK_STR(next, NULL);
}

static void
test_empty_page(void)
{
	CHECK_INT(page_of("{\"d\":{\"results\":[]}}")->nobjects, 0);
	CHECK_INT(page_of("{\"d\":[]}")->nobjects, 0);
	CHECK_INT(page_of("{\"d\":{\"results\":[],\"__next\":\"more\"}}")->nobjects, 0);
	CHECK_STR(next, "more");
}

/* What an expanded navigation property brings along is not the object's. */
static void
test_expanded(void)
{
	check_first(page_of("{\"d\":[{"
						"\"contacts\":{\"results\":[{\"AccountId\":\"x\",\"Name\":[[{}]]}],"
						"\"__next\":\"no\"},\"deferred\":{\"__deferred\":{\"uri\":\"u\"}},"
						"\"parent\":{\"AccountId\":\"y\",\"d\":{\"results\":[{}]}},"
						"\"tags\":[1,[2]],"
						"\"AccountId\":\"" KEY1 "\",\"Name\":\"One\",\"NumberOfEmployees\":5,"
						"\"PrimaryContactId\":{\"Id\":\"" KEY2 "\",\"Name\":\"Sam\","
						"\"Extra\":{\"Id\":\"z\",\"Name\":[]}}}]}"), 1);
	CHECK_STR(next, NULL);
}

static void
test_null_complex(void)
{
	CrmPage    *page = page_of("{\"d\":[{\"AccountId\":\"" KEY1 "\",\"Name\":\"\","
							   "\"NumberOfEmployees\":null,\"PrimaryContactId\":null}]}");

	CHECK_STR(cdms_value(entity, &page->objects[0], "PrimaryContactId/Id"), NULL);
	CHECK_STR(cdms_value(entity, &page->objects[0], "PrimaryContactId/Name"), NULL);
	CHECK_STR(cdms_value(entity, &page->objects[0], "NumberOfEmployees"), NULL);
	CHECK_STR(cdms_value(entity, &page->objects[0], "Name"), "");
}

static void
test_escapes(void)
{
	CrmPage    *page = page_of("{\"d\":["
							   ACCOUNT(KEY1, "\"\\u00e9\\ud83d\\ude00\\/\\n\\\"\xE6\x9D\xB1\"")
							   "]}");

	CHECK_STR(cdms_value(entity, &page->objects[0], "Name"),
			  "\xC3\xA9\xF0\x9F\x98\x80/\n\"\xE6\x9D\xB1");
}

/* Numbers may be strings (Edm.Int64, Edm.Decimal) or not. */
static void
test_numbers(void)
{
	static const CdmsColumn columns[] = {
		{"Id", CRM_GUID, UUIDOID},
		{"Long", CRM_INT64, INT8OID},
		{"Rate", CRM_DECIMAL, NUMERICOID},
		{"Sum/Value", CRM_MONEY, NUMERICOID},
		{"On", CRM_BOOLEAN, BOOLOID},
		{"At", CRM_DATETIME, TEXTOID}
	};
	static const char body[] = "{\"d\":[{\"Id\":\"" KEY1 "\",\"Long\":\"9007199254740993\","
		"\"Rate\":\"1.50\",\"Sum\":{\"Value\":2.50},\"On\":true,\"At\":\"\\/Date(0)\\/\"},"
		"{\"Id\":\"" KEY2 "\",\"Long\":9007199254740993,\"Rate\":1.50,\"Sum\":{\"Value\":\"2.50\"},"
		"\"On\":\"true\",\"At\":\"1970-01-01T00:00:00\"}]}";
	CrmPage    *page;

	entity = CDMS_ENTITY("Thing", columns);
	page = crm_format_json.read_page(body, strlen(body), entity, NULL, &next);
	for (int i = 0; i < 2; i++)
	{
		CHECK_STR(cdms_value(entity, &page->objects[i], "Long"), "9007199254740993");
		CHECK_STR(cdms_value(entity, &page->objects[i], "Rate"), "1.50");
		CHECK_STR(cdms_value(entity, &page->objects[i], "Sum/Value"), "2.50");
		CHECK_STR(cdms_value(entity, &page->objects[i], "On"), "t");
		CHECK_STR(cdms_value(entity, &page->objects[i], "At"), "1970-01-01T00:00:00Z");
	}
}

static void
test_wanted(void)
{
	static const char body[] = "{\"d\":[{\"AccountId\":\"" KEY1 "\",\"Name\":\"One\"}]}";
	Bitmapset  *wanted;
	CrmPage    *page;

	entity = cdms_small_entity();
	wanted = bms_make_singleton(cdms_index(entity, "Name"));
	page = crm_format_json.read_page(body, strlen(body), entity, wanted, &next);
	CHECK_STR(cdms_value(entity, &page->objects[0], "AccountId"), KEY1);
	CHECK_STR(cdms_value(entity, &page->objects[0], "Name"), "One");
	CHECK_STR(cdms_value(entity, &page->objects[0], "NumberOfEmployees"), NULL);
}

/* What CDMS leaves out is never taken for null. */
static void
test_left_out(void)
{
	CHECK_ERROR("HV000", page_of("{\"d\":[{\"AccountId\":\"" KEY1 "\",\"Name\":\"One\","
								 "\"PrimaryContactId\":null}]}"));
	CHECK_STR(unit_error->message, "CDMS left out property \"NumberOfEmployees\"");
	CHECK(strstr(unit_error->context, "object " KEY1 " of AccountSet") != NULL);

	CHECK_ERROR("HV000", page_of("{\"d\":[{\"AccountId\":\"" KEY1 "\",\"Name\":\"One\","
								 "\"NumberOfEmployees\":5,\"PrimaryContactId\":{\"Id\":null}}]}"));
	CHECK_STR(unit_error->message, "CDMS gave property \"PrimaryContactId/Name\" in another form "
			  "than its column expects");

	CHECK_ERROR("HV000", page_of("{\"d\":[{\"Name\":\"One\",\"NumberOfEmployees\":5,"
								 "\"PrimaryContactId\":null}]}"));
	CHECK_STR(unit_error->message, "CDMS left out property \"AccountId\"");

	CHECK_ERROR("HV000", page_of("{\"d\":[{\"AccountId\":null,\"Name\":\"One\","
								 "\"NumberOfEmployees\":5,\"PrimaryContactId\":null}]}"));
}

/* A property of another kind than the column says. */
static void
test_other_kind(void)
{
	CHECK_ERROR("HV000", page_of("{\"d\":[" ACCOUNT(KEY1, "{\"Value\":1}") "]}"));
	CHECK_STR(unit_error->message,
			  "CDMS gave property \"Name\" in another form than its column expects");
	CHECK_ERROR("HV000", page_of("{\"d\":[" ACCOUNT(KEY1, "[\"One\"]") "]}"));
	CHECK_ERROR("HV000", page_of("{\"d\":[{\"AccountId\":\"" KEY1 "\",\"Name\":\"One\","
								 "\"NumberOfEmployees\":5,\"PrimaryContactId\":\"" KEY2 "\"}]}"));
}

static void
test_wrong_shape(void)
{
	static const char *const bodies[] = {
		"{}", "[]", "1", "null", "\"d\"", "{\"d\":null}", "{\"d\":1}", "{\"d\":{}}",
		"{\"d\":{\"results\":{}}}", "{\"d\":{\"results\":null}}", "{\"D\":[]}",
		"{\"error\":{\"code\":\"\"}}", "{\"x\":{\"d\":[]}}", "{\"d\":[1]}", "{\"d\":[null]}",
		"{\"d\":[[]]}", "{\"d\":{\"results\":[[{}]]}}", "{\"value\":[]}"
	};

	for (int i = 0; i < lengthof(bodies); i++)
		CHECK_ERROR("HV000", page_of(bodies[i]));
}

static void
test_wrong_shape_of_object(void)
{
	CHECK_ERROR("HV000", object_of("{\"d\":[" ACCOUNT(KEY1, "\"One\"") "]}"));
	CHECK_ERROR("HV000", object_of("{\"d\":null}"));
}

static void
test_malformed(void)
{
	static const char *const bodies[] = {
		"", " ", "{", "{\"d\":", "{\"d\":[", "{\"d\":[]", "{\"d\":[]}}", "{\"d\":[]} x", "{'d':[]}",
		"{\"d\":[],}", "{\"d\":[nul]}", "<html/>", "{\"d\":\"\\ud800\"}", "{\"d\":\"\\u0000\"}",
		"{\"d\":\"\n\"}", "{\"d\":\"\xFF\"}", "{\"d\":\"\xC0\x80\"}", "{\"d\":\"\xED\xA0\x80\"}"
	};

	for (int i = 0; i < lengthof(bodies); i++)
		CHECK_ERROR("22032", page_of(bodies[i]));
}

/* However an answer is cut, it is an ERROR. */
static void
test_cut(void)
{
	static const char body[] = "{\"d\":{\"results\":[" ACCOUNT(KEY1, "\"One\"") "]}}";

	entity = cdms_small_entity();
	for (int length = 0; length < strlen(body); length++)
		CHECK_ERROR("22032", crm_format_json.read_page(body, length, entity, NULL, &next));
	CHECK_INT(crm_format_json.read_page(body, strlen(body), entity, NULL, &next)->nobjects, 1);
}

static void
test_deep(void)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"x\":");
	for (int i = 0; i < 1000000; i++)
		appendStringInfoChar(&body, '[');
	CHECK_ERROR("54000", page_of(body.data));
}

static void
check_twice(const char *body)
{
	CHECK_ERROR("HV000", page_of(body));
	CHECK(strstr(unit_error->detail, "twice") || strstr(unit_error->detail, "two links"));
}

/* Which of two would be meant? */
/* Small objects take room for all fields each: 64 MB of them would take gigabytes. */
static void
test_too_many(void)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"d\":[");
	for (int i = 0; i < 10000; i++)
		appendStringInfo(&body, "%s{\"AccountId\":\"aaaaaaaa-0000-4000-8000-%012d\",\"Name\":null,"
						 "\"NumberOfEmployees\":null,\"PrimaryContactId\":null}", i > 0 ? "," : "", i);
	CHECK_INT(page_of(psprintf("%s]}", body.data))->nobjects, 10000);
	CHECK_ERROR("54000", page_of(psprintf("%s," ACCOUNT(KEY1, "null") "]}", body.data)));
	CHECK_STR(unit_error->message, "CDMS's answer has more than 10000 objects");
}

static void
test_twice(void)
{
	static const char *const bodies[] = {
		"{\"d\":[" ACCOUNT(KEY1, "\"One\"") "," ACCOUNT(KEY2, "null") "," ACCOUNT(KEY1, "\"Two\"") "]}",
		"{\"d\":[" ACCOUNT(KEY1, "\"One\",\"Name\":\"Two\"") "]}",
		"{\"d\":[" ACCOUNT(KEY1, "\"One\",\"AccountId\":\"" KEY2 "\"") "]}",
		"{\"d\":[" ACCOUNT(KEY1, "\"One\",\"PrimaryContactId\":null") "]}",
		"{\"d\":[" ACCOUNT(KEY1, "null") "],\"d\":[" ACCOUNT(KEY2, "null") "]}",
		"{\"d\":{\"results\":[],\"results\":[]}}",
		"{\"d\":{\"results\":[],\"__next\":\"a\",\"__next\":\"b\"}}"
	};

	for (int i = 0; i < lengthof(bodies); i++)
		check_twice(bodies[i]);
	CHECK_ERROR("HV000", object_of("{\"d\":" ACCOUNT(KEY1, "null") ",\"d\":" ACCOUNT(KEY2, "null") "}"));
}

/* A bad token is not quoted whole. */
static void
test_long_token(void)
{
	char	   *token = palloc0(5000001);

	memset(token, 'x', 5000000);
	CHECK_ERROR("22032", page_of(psprintf("{\"d\":[%s]}", token)));
	CHECK(strlen(unit_error->detail) <= 500);
}

static void
test_bad_value_is_named(void)
{
	CHECK_ERROR("22P02", page_of("{\"d\":[{\"AccountId\":\"" KEY1 "\","
								 "\"NumberOfEmployees\":\"x\"}]}"));
	CHECK(strstr(unit_error->context, "property \"NumberOfEmployees\" of CDMS") != NULL);
	CHECK(strstr(unit_error->context, "object " KEY1 " of AccountSet") != NULL);
}

static void
test_write(void)
{
	StringInfoData out;
	CrmEntity  *account = cdms_small_entity();
	List	   *assignments;

	initStringInfo(&out);
	crm_format_json.write_object(&out, account, NIL);
	CHECK_STR(out.data, "{}");

	resetStringInfo(&out);
	assignments = list_make2(cdms_assign(&account->fields[0], KEY1),
							 cdms_assign(&account->fields[3], NULL));
	crm_format_json.write_object(&out, account, assignments);
	CHECK_STR(out.data, "{\"AccountId\":\"" KEY1 "\",\"PrimaryContactId\":"
			  "{\"Id\":null,\"LogicalName\":null,\"Name\":null}}");
}

/* More objects than a page usually has, and nothing left behind but them. */
static void
test_many(void)
{
	StringInfoData body;
	CrmPage    *page;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"d\":[");
	for (int i = 0; i < 1234; i++)
		appendStringInfo(&body, "%s{\"AccountId\":\"00000000-0000-0000-0000-%012d\","
						 "\"Name\":\"%d\",\"NumberOfEmployees\":%d,\"PrimaryContactId\":null}",
						 i ? "," : "", i, i, i);
	appendStringInfoString(&body, "]}");
	page = page_of(body.data);
	CHECK_INT(page->nobjects, 1234);
	CHECK_STR(cdms_value(entity, &page->objects[1233], "Name"), "1233");
	CHECK_STR(cdms_value(entity, &page->objects[1233], "AccountId"),
			  "00000000-0000-0000-0000-000000001233");
	CHECK(CurrentMemoryContext->firstchild == NULL);
}

/* A body of 8 MB: the beginning, pieces with a number in each, and no end. */
static StringInfo
endless(const char *begin, const char *piece)
{
	StringInfo	body = makeStringInfo();

	appendStringInfoString(body, begin);
	for (int i = 0; body->len < (unit_watched ? 400000 : 8000000); i++)
		appendStringInfo(body, piece, i);
	return body;
}

/*
 * Nothing is kept of what is passed over.  The reader's memory is still there when it
 * ends in an ERROR.
 */
static void
check_memory(const char *begin, const char *piece)
{
	StringInfo	body = endless(begin, piece);
	Size		before = MemoryContextMemAllocated(CurrentMemoryContext, true);

	CHECK_ERROR("22032", page_of(body->data));
	CHECK(MemoryContextMemAllocated(CurrentMemoryContext, true) - before < 200000);
	pfree(body->data);
}

static void
test_memory(void)
{
	check_memory("{\"x\":[0", ",1");
	check_memory("{\"x\":[0", ",\"%d\"");
	check_memory("{\"x\":[0", ",null");
	check_memory("{\"x\":[0", ",{\"a%d\":1}");
	check_memory("{\"x\":0", ",\"a%d\":1");
	check_memory("{\"d\":{\"x\":0", ",\"a%d\":\"b\"");
	check_memory("{\"d\":[{\"x\":0", ",\"a%d\":\"b\"");
	check_memory("{\"d\":[{\"PrimaryContactId\":{\"x\":0", ",\"a%d\":\"b\"");
}

static const UnitTest tests[] = {
	{"d.results is a page", test_results},
	{"so is an array d", test_bare_array},
	{"d alone is an object", test_single},
	{"the order of members does not matter", test_next_before_results},
	{"a page may be empty", test_empty_page},
	{"expanded and deferred properties are passed over", test_expanded},
	{"a complex null is null in each member", test_null_complex},
	{"escapes are undone", test_escapes},
	{"numbers may come as strings", test_numbers},
	{"only what is wanted is read", test_wanted},
	{"what is left out is an error", test_left_out},
	{"a property of another kind is an error", test_other_kind},
	{"another shape is an error", test_wrong_shape},
	{"a page is not an object", test_wrong_shape_of_object},
	{"what is not JSON is an error", test_malformed},
	{"a cut answer is an error", test_cut},
	{"nesting without end is an error", test_deep},
	{"what comes twice is an error", test_twice},
	{"refuses more objects than a page has", test_too_many},
	{"a bad token is quoted in part", test_long_token},
	{"a bad value names its property and object", test_bad_value_is_named},
	{"writes objects", test_write},
	{"reads more than a page's worth", test_many},
	{"keeps nothing of what is passed over", test_memory}
};

UNIT_SUITE("cdms_json", tests)
