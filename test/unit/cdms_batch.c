/*
 * test/unit/cdms_batch.c
 *	  What is made of answers to change sets.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/uuid.h"

#include "cdms/odata.h"
#include "cdms_fixture.h"
#include "cdms_peer.h"
#include "unit.h"

#define KEY "b68d56a6-4739-ed11-9db0-002248296d7e"
#define OTHER "00000000-0000-0000-0000-00000000dead"
#define DATA "http://schemas.microsoft.com/ado/2007/08/dataservices"
#define PART "--c\r\nContent-Type: application/http\r\n\r\n"
#define CHANGES "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
#define END "--c--\r\n--b--\r\n"

/* A change and a removal of the same key. */
static List *
two_writes(void)
{
	CrmWrite   *change = palloc0_object(CrmWrite);
	CrmWrite   *removal = palloc0_object(CrmWrite);

	change->kind = CRM_UPDATE;
	change->entity = cdms_small_entity();
	change->key = *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(KEY)));
	*removal = *change;
	removal->kind = CRM_REMOVE;
	return list_make2(change, removal);
}

static void
judge(CrmFormat format, List *writes, const char *body, size_t length)
{
	CrmConnection conn = {.server_name = "cdms",.root = "http://127.0.0.1/Org",.format = format};
	CrmHttpResponse response = {
		.status = 202,.content_type = "multipart/mixed; boundary=b",
		.body = unconstify(char *, body),.body_length = length,.retry_after = -1
	};

	crm_odata_judge_batch(&conn, writes, NIL, &response);
	crm_odata_read_made(&conn, writes);
}

#define JUDGE(writes, body) judge(CRM_FORMAT_JSON, (writes), (body), sizeof(body) - 1)

static void
test_outcomes(void)
{
	List	   *writes = two_writes();

	JUDGE(writes, CHANGES PART "HTTP/1.1 204 No Content\r\nContent-ID: 2\r\n\r\n\r\n"
		  PART "HTTP/1.1 404 Not Found\r\nContent-ID: 1\r\n\r\n{\"error\":{\"code\":\"-2147220969\","
		  "\"message\":{\"value\":\"account With Id = " KEY " Does Not Exist\"}}}\r\n" END);
	CHECK_INT(((CrmWrite *) linitial(writes))->outcome, CRM_MISSING);
	CHECK_INT(((CrmWrite *) lsecond(writes))->outcome, CRM_DONE);
}

/* A body may have zero bytes: it is as long as it is, here in UTF-16. */
static void
test_zero_bytes(void)
{
	static const char entry[] = "<entry xmlns=\"http://www.w3.org/2005/Atom\" xmlns:m=\"" DATA
		"/metadata\" xmlns:d=\"" DATA "\"><content type=\"application/xml\"><m:properties>"
		"<d:AccountId>" KEY "</d:AccountId><d:Name>A</d:Name><d:NumberOfEmployees m:null=\"true\"/>"
		"<d:PrimaryContactId m:null=\"true\"/></m:properties></content></entry>";
	List	   *writes = two_writes();
	CrmWrite   *creation = linitial(writes);
	StringInfoData body;

	creation->kind = CRM_CREATE;
	initStringInfo(&body);
	appendStringInfoString(&body, CHANGES PART "HTTP/1.1 201 Created\r\nContent-ID: 1\r\n"
						   "Content-Type: application/atom+xml\r\n\r\n\xFF\xFE");
	for (const char *c = entry; *c; c++)
	{
		appendStringInfoChar(&body, *c);
		appendStringInfoChar(&body, '\0');
	}
	appendStringInfoString(&body, "\r\n" END);
	judge(CRM_FORMAT_ATOM, writes, body.data, body.len);
	CHECK_INT(creation->outcome, CRM_DONE);
}

/* It was made, and nothing of it is kept. */
static void
test_another_made(void)
{
	List	   *writes = two_writes();
	CrmWrite   *creation = linitial(writes);

	creation->kind = CRM_CREATE;
	CHECK_ERROR("HV000", JUDGE(writes, CHANGES PART "HTTP/1.1 201 Created\r\nContent-ID: 1\r\n"
							   "Content-Type: application/json\r\n\r\n{\"d\":{\"AccountId\":\"" OTHER
							   "\",\"Name\":\"A\",\"NumberOfEmployees\":null,"
							   "\"PrimaryContactId\":{\"Id\":null,\"Name\":null}}}\r\n" END));
	CHECK_INT(creation->outcome, CRM_DONE);
	CHECK_STR(unit_error->detail, "It made object " OTHER ", which was not asked for.");
	CHECK(creation->made == NULL);
}

#define CREATED PART "HTTP/1.1 201 Created\r\nContent-ID: 1\r\nContent-Type: application/json\r\n\r\n"
#define NAMED(name) "{\"d\":{\"AccountId\":\"" KEY "\",\"Name\":\"" name "\"," \
	"\"NumberOfEmployees\":null,\"PrimaryContactId\":null}}\r\n"
#define REMOVED PART "HTTP/1.1 204 No Content\r\nContent-ID: 2\r\n\r\n\r\n"

static void
check_named(const char *body, const char *name)
{
	List	   *writes = two_writes();
	CrmWrite   *creation = linitial(writes);

	creation->kind = CRM_CREATE;
	judge(CRM_FORMAT_JSON, writes, body, strlen(body));
	CHECK_INT(creation->outcome, CRM_DONE);
	CHECK_INT(((CrmWrite *) lsecond(writes))->outcome, CRM_DONE);
	CHECK(creation->made != NULL);
	if (creation->made)
		CHECK_STR(cdms_value(creation->entity, creation->made, "Name"), name);
}

/* A delimiter is a line of its own: what begins or holds one is none. */
static void
test_delimiters(void)
{
	check_named(CHANGES CREATED NAMED("x--c--") REMOVED END, "x--c--");
	check_named(CHANGES CREATED NAMED("--b--c\\r\\n--c--") REMOVED END, "--b--c\r\n--c--");
}

/* Boundaries of which one begins like the other, with blanks behind them. */
static void
test_alike(void)
{
	List	   *writes = two_writes();

	JUDGE(writes, "Before it.\r\n--b \t\r\nContent-Type: multipart/mixed; boundary=bc\r\n\r\n"
		  "--bc\r\nContent-Type: application/http\r\n\r\n"
		  "HTTP/1.1 204 No Content\r\nContent-ID: 2\r\n\r\n\r\n"
		  "--bc  \r\nContent-Type: application/http\r\n\r\n"
		  "HTTP/1.1 204 No Content\r\nContent-ID: 1\r\n\r\n\r\n"
		  "--bc--\r\n--b--\r\nAfter it.");
	CHECK_INT(((CrmWrite *) linitial(writes))->outcome, CRM_DONE);
	CHECK_INT(((CrmWrite *) lsecond(writes))->outcome, CRM_DONE);
}

/* What stands behind a word in the request, up to the line's end. */
static char *
behind(const char *request, const char *word)
{
	const char *found = strstr(request, word);

	CHECK(found != NULL);
	found = found ? found + strlen(word) : "";
	return pnstrdup(found, strcspn(found, "\r\n"));
}

/* Nobody can foresee them, and write a value that has them in it. */
static void
test_boundaries(void)
{
	CdmsPeer   *peer = cdms_peer_listen();
	CrmConnection *conn = cdms_peer_connect(peer, CRM_FORMAT_JSON);
	List	   *requests;
	char	   *first;

	conn->batch = true;
	for (int i = 0; i < 2; i++)
		cdms_peer_answer(peer, "500 No", "", "");
	cdms_peer_serve(peer);
	for (int i = 0; i < 2; i++)
		conn->protocol->write(conn, two_writes());
	requests = cdms_peer_requests(peer);
	first = behind(linitial(requests), "multipart/mixed; boundary=");
	CHECK(strcmp(first, behind(lsecond(requests), "multipart/mixed; boundary=")) != 0);
	CHECK_CONTAINS(linitial(requests), psprintf("\r\n\r\n--%s\r\nContent-Type: multipart/mixed", first));
	CHECK_CONTAINS(linitial(requests), psprintf("\r\n--%s--\r\n", first));
	first = behind(strstr(linitial(requests), "\r\n\r\n"), "multipart/mixed; boundary=");
	CHECK(strcmp(first, behind(strstr(lsecond(requests), "\r\n\r\n"), "multipart/mixed; boundary=")) != 0);
	crm_http_close(conn->http);
}

static void
test_unreadable(void)
{
	CHECK_ERROR("HV000", JUDGE(two_writes(), "--b--\r\n"));
	CHECK_STR(unit_error->detail, "Parts are missing.");
	CHECK_ERROR("HV000", JUDGE(two_writes(), CHANGES PART));
	CHECK_STR(unit_error->detail, "Its end is missing.");
	CHECK_ERROR("HV000", JUDGE(two_writes(), CHANGES PART "HTTP/1.1 204\r\n\r\n\r\n--b--\r\n"));
	CHECK_STR(unit_error->detail, "Its end is missing.");
	CHECK_ERROR("HV000", JUDGE(two_writes(), CHANGES PART "HTTP/1.1 204\r\n" END));
	CHECK_STR(unit_error->detail, "A part has no headers.");
	CHECK_ERROR("HV000", JUDGE(two_writes(), CHANGES PART "Hello\r\n\r\n\r\n" END));
	CHECK_STR(unit_error->detail, "A part has no status.");
	CHECK_ERROR("HV000", JUDGE(two_writes(), CHANGES PART "HTTP/1.1 204\r\nContent-ID: 3\r\n\r\n\r\n" END));
	CHECK_STR(unit_error->detail, "A part does not say which change it answers.");
	CHECK_ERROR("HV000", JUDGE(two_writes(), CHANGES PART PART PART END));
	CHECK_STR(unit_error->detail, "It has too many parts.");
}

static void
test_answered_twice(void)
{
	CHECK_ERROR("HV000", JUDGE(two_writes(), CHANGES
							   PART "HTTP/1.1 500 No\r\nContent-ID: 1\r\n\r\n\r\n"
							   PART "HTTP/1.1 204 Yes\r\nContent-ID: 1\r\n\r\n\r\n" END));
	CHECK_STR(unit_error->detail, "Two parts answer the same change.");
}

static const UnitTest tests[] = {
	{"each part goes to the change that it names", test_outcomes},
	{"zero bytes in a part", test_zero_bytes},
	{"takes no other object for the one it created", test_another_made},
	{"a delimiter is a line of its own", test_delimiters},
	{"and no other that begins like it", test_alike},
	{"a request's boundaries are its own", test_boundaries},
	{"what can't be read", test_unreadable},
	{"two parts for one change", test_answered_twice}
};

UNIT_SUITE("cdms_batch", tests)
