/*
 * test/unit/cdms_speed.c
 *	  How long a page takes to read: 50 accounts of 40 properties.
 *
 * The figures go to the test's output; the limits are generous, against a
 * reader that has become slow by an order of magnitude.
 */
#include "postgres.h"

#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "cdms_fixture.h"
#include "unit.h"

#define OBJECTS 50
#define ROUNDS (unit_watched ? 2 : 200)
#define SLOWEST_MS 20.0

#define CRM "Microsoft.Crm.Sdk.Data.Services."
#define ODATA "http://schemas.microsoft.com/ado/2007/08/dataservices"
#define GUID "dff27d1f-a61b-4bfe-a203-b2e5a36cda0e"

/* A complex value in JSON. */
#define COMPLEX(type, members) \
	"{\"__metadata\":{\"type\":\"" CRM type "\"}," members "}"

/* A kind of property, and a value as each format has it. */
static const struct
{
	CrmType		type;
	const char *member;
	Oid			pgtype;
	const char *json;
	const char *atom;
}			kinds[] = {
	{CRM_STRING, "", TEXTOID, "\"Contoso, Ltd. (sample)\"", ">Contoso, Ltd. (sample)"},
	{CRM_ENTITY_REFERENCE, "/Id", UUIDOID,
		COMPLEX("EntityReference",
				"\"Id\":\"" GUID "\",\"LogicalName\":\"contact\",\"Name\":\"Sam\""),
		"><d:Id m:type='Edm.Guid'>" GUID "</d:Id>"
	"<d:LogicalName>contact</d:LogicalName><d:Name>Sam</d:Name>"},
	{CRM_OPTION_SET_VALUE, "/Value", INT4OID,
		COMPLEX("OptionSetValue", "\"Value\":7"),
	"><d:Value m:type='Edm.Int32'>7</d:Value>"},
	{CRM_STRING, "", TEXTOID, "null", " m:null='true'>"},
	{CRM_DATETIME, "", TIMESTAMPTZOID, "\"\\/Date(1297843200000)\\/\"",
	" m:type='Edm.DateTime'>2011-02-16T08:00:00Z"},
	{CRM_BOOLEAN, "", BOOLOID, "true", " m:type='Edm.Boolean'>true"},
	{CRM_MONEY, "/Value", NUMERICOID,
		COMPLEX("Money", "\"Value\":\"12345.6789\""),
	"><d:Value m:type='Edm.Decimal'>12345.6789</d:Value>"},
	{CRM_INT64, "", INT8OID, "\"1000002\"", " m:type='Edm.Int64'>1000002"}
};

#define KIND(i) kinds[(i) % lengthof(kinds)]

/* Key first, then five of each kind, less one. */
#define PROPERTIES (lengthof(kinds) * 5)

static CrmEntity *
wide_entity(void)
{
	CdmsColumn	columns[PROPERTIES] = {{"AccountId", CRM_GUID, UUIDOID}};

	for (int i = 1; i < PROPERTIES; i++)
	{
		columns[i].path = psprintf("optevia_Property%d%s", i, KIND(i).member);
		columns[i].type = KIND(i).type;
		columns[i].pgtype = KIND(i).pgtype;
	}
	return CDMS_ENTITY("Account", columns);
}

static char *
json_page(void)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"d\":{\"results\":[");
	for (int n = 0; n < OBJECTS; n++)
	{
		appendStringInfo(&body, "%s{\"__metadata\":{\"uri\":\"http://crm.example.org/AccountSet\"},"
						 "\"AccountId\":\"5784bd00-f501-e011-a492-%012d\"", n ? "," : "", n);
		for (int i = 1; i < PROPERTIES; i++)
			appendStringInfo(&body, ",\"optevia_Property%d\":%s", i, KIND(i).json);
		appendStringInfoChar(&body, '}');
	}
	appendStringInfoString(&body, "]}}");
	return body.data;
}

static char *
atom_page(void)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "<feed xmlns='http://www.w3.org/2005/Atom' "
						   "xmlns:d='" ODATA "' xmlns:m='" ODATA "/metadata'>");
	for (int n = 0; n < OBJECTS; n++)
	{
		appendStringInfo(&body, "<entry><id>x</id><content><m:properties><d:AccountId>"
						 "5784bd00-f501-e011-a492-%012d</d:AccountId>", n);
		for (int i = 1; i < PROPERTIES; i++)
			appendStringInfo(&body, "<d:optevia_Property%d%s</d:optevia_Property%d>",
							 i, KIND(i).atom, i);
		appendStringInfoString(&body, "</m:properties></content></entry>");
	}
	appendStringInfoString(&body, "</feed>");
	return body.data;
}

static void
measure(const char *name, const CrmFormatMethods *format, const char *body)
{
	CrmEntity  *entity = wide_entity();
	MemoryContext page_context = AllocSetContextCreate(CurrentMemoryContext, "page",
													   ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(page_context);
	instr_time	start;
	instr_time	taken;
	double		each;

	INSTR_TIME_SET_CURRENT(start);
	for (int i = 0; i < ROUNDS; i++)
	{
		char	   *next;

		MemoryContextReset(page_context);
		CHECK_INT(format->read_page(body, strlen(body), entity, NULL, &next)->nobjects, OBJECTS);
	}
	INSTR_TIME_SET_CURRENT(taken);
	INSTR_TIME_SUBTRACT(taken, start);
	each = INSTR_TIME_GET_MILLISEC(taken) / ROUNDS;
	unit_note("%s: %.3f ms for a page of %zu bytes, %zu bytes of memory", name, each, strlen(body),
			  MemoryContextMemAllocated(page_context, true));
	CHECK(unit_watched || each < SLOWEST_MS);
	MemoryContextSwitchTo(before);
}

static void
test_json(void)
{
	measure("JSON", &crm_format_json, json_page());
}

static void
test_atom(void)
{
	measure("Atom", &crm_format_atom, atom_page());
}

static const UnitTest tests[] = {
	{"reads a page of JSON", test_json},
	{"reads a page of Atom", test_atom}
};

UNIT_SUITE("cdms_speed", tests)
