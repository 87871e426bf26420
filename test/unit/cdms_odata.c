/*
 * test/unit/cdms_odata.c
 *	  OrganizationData.svc: what is sent, and what is made of the answers.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "cdms_fixture.h"
#include "cdms_peer.h"
#include "unit.h"

#define KEY "b68d56a6-4739-ed11-9db0-002248296d7e"
#define OTHER "00000000-0000-0000-0000-00000000dead"
#define JSON "Content-Type: application/json;charset=utf-8\r\n"
#define XML "Content-Type: application/xml;charset=utf-8\r\n"
#define HTML "Content-Type: text/html\r\n"
#define PATH "/Org/XRMServices/2011/OrganizationData.svc/"

#define FAULT(code, words) \
	"{\"error\":{\"code\":\"" code "\",\"message\":{\"lang\":\"en-US\",\"value\":\"" words "\"}}}"

#define NO_OBJECT(entity, key) \
	FAULT("-2147220969", entity " With Id = " key " Does Not Exist")

#define PASSWORD "<input type=\"password\">"

static CdmsPeer *peer;
static CrmConnection *conn;
static CrmEntity *entity;
static int	ngiven;				/* accounts in the pages so far */
static int	ntokens;			/* links of answer_on so far */

/* ------------------------------------------------------------------ helpers */

static void
begin(void)
{
	peer = cdms_peer_listen();
	conn = cdms_peer_connect(peer, CRM_FORMAT_JSON);
	entity = cdms_small_entity();
	ngiven = ntokens = 0;
}

static void
answer(const char *status, const char *headers, const char *body)
{
	cdms_peer_answer(peer, status, headers, body);
}

/* An account as CDMS gives it. */
static const char *
account(const char *key)
{
	return psprintf("{\"AccountId\":\"%s\",\"Name\":\"A\",\"NumberOfEmployees\":null,"
					"\"PrimaryContactId\":{\"Id\":null,\"LogicalName\":null,\"Name\":null}}", key);
}

/* KEY for the first. */
static const char *
numbered_key(int number)
{
	return number == 0 ? KEY : psprintf("%08x%s", number, KEY + 8);
}

/* A page of the next n accounts and a link; NULL: none. */
static void
answer_page(int n, const char *link)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"d\":{\"results\":[");
	for (int i = 0; i < n; i++)
		appendStringInfo(&body, "%s%s", i ? "," : "", account(numbered_key(ngiven++)));
	appendStringInfoChar(&body, ']');
	if (link)
		appendStringInfo(&body, ",\"__next\":\"%s\"", link);
	appendStringInfoString(&body, "}}");
	answer("200 OK", JSON, body.data);
}

static CrmPage *
first_page(void)
{
	CrmQuery	query = {.entity = entity};

	return conn->protocol->fetch(conn->protocol->open(conn, &query));
}

/* What was asked, to its first line end and without the version. */
static const char *
request_line(List *requests, int n)
{
	const char *request = n < list_length(requests) ? list_nth(requests, n) : "nothing";

	return pnstrdup(request, strstr(request, " HTTP/1.1\r\n") ?
					strstr(request, " HTTP/1.1\r\n") - request : strlen(request));
}

static bool
has_header(List *requests, const char *header)
{
	return strstr(linitial(requests), psprintf("\r\n%s\r\n", header)) != NULL;
}

static const char *
body_of(List *requests)
{
	return strstr(linitial(requests), "\r\n\r\n") + 4;
}

static const char *
service_link(const char *rest)
{
	return psprintf("%s%s", cdms_peer_root(peer), rest);
}

static pg_uuid_t *
key_of(const char *text)
{
	return DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(text)));
}

/* ------------------------------------------------------------------ reading */

static void
test_query(void)
{
	CrmQuery	query = {0};
	CrmCursor  *cursor;
	CrmPage    *page;
	List	   *requests;

	begin();
	query.entity = entity;
	query.fields = bms_make_singleton(cdms_index(entity, "Name"));
	query.filter = crm_condition_compare(CRM_EQ, &entity->fields[1],
										 cdms_assign(&entity->fields[1], "A&B \xC3\xA9")->value,
										 TEXTOID);
	answer_page(2, NULL);
	cdms_peer_serve(peer);

	cursor = conn->protocol->open(conn, &query);
	page = conn->protocol->fetch(cursor);
	CHECK_INT(page->nobjects, 2);
	CHECK_STR(cdms_value(entity, &page->objects[0], "AccountId"), KEY);
	cdms_set("TimeZone", "UTC");
	CHECK_STR(cdms_text(TimestampTzGetDatum(page->date), TIMESTAMPTZOID), "2026-11-22 10:20:37+00");
	CHECK_INT(conn->objects, 2);
	CHECK(conn->protocol->fetch(cursor) == NULL);
	CHECK(conn->protocol->fetch(cursor) == NULL);

	requests = cdms_peer_requests(peer);
	CHECK_INT(list_length(requests), 1);
	CHECK_STR(request_line(requests, 0),
			  "GET " PATH "AccountSet?$select=AccountId,Name&$filter=Name%20eq%20'A%26B%20%C3%A9'");
	CHECK(has_header(requests, "Accept: application/json"));
	CHECK_STR(conn->protocol->describe(conn, &query),
			  "GET AccountSet?$select=AccountId,Name&$filter=Name eq 'A&B \xC3\xA9'");
	crm_http_close(conn->http);
}

static void
check_asked_by_key(const char *first, const char *second, const char *refused)
{
	const char *keys[] = {first, second};
	pg_uuid_t	wanted[2];
	CrmQuery	query = {0};

	begin();
	for (int i = 0; i < 2; i++)
		wanted[i] = *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(keys[i])));
	query.entity = entity;
	query.filter = crm_condition_keys(entity, wanted, strcmp(first, second) == 0 ? 1 : 2);
	answer_page(2, NULL);
	cdms_peer_serve(peer);
	if (refused == NULL)
		CHECK_INT(conn->protocol->fetch(conn->protocol->open(conn, &query))->nobjects, 2);
	else
	{
		CHECK_ERROR("HV000", conn->protocol->fetch(conn->protocol->open(conn, &query)));
		CHECK_STR(unit_error->detail, psprintf("Object %s was not asked for.", refused));
	}
	crm_http_close(conn->http);
}

/* Asked for objects by key, CDMS answers with these and no others. */
static void
test_asked_by_key(void)
{
	check_asked_by_key(KEY, numbered_key(1), NULL);
	check_asked_by_key(numbered_key(1), KEY, NULL);
	check_asked_by_key(KEY, KEY, numbered_key(1));
	check_asked_by_key(numbered_key(2), numbered_key(1), KEY);
}

static void
test_select(void)
{
	CrmQuery	query = {0};

	begin();
	query.entity = entity;
	CHECK_STR(conn->protocol->describe(conn, &query),
			  "GET AccountSet?$select=AccountId,Name,NumberOfEmployees,PrimaryContactId");
	crm_http_close(conn->http);
}

/* Links come with blanks and braces (captures/odata/02). */
static void
test_paging(void)
{
	CrmQuery	query = {0};
	CrmCursor  *cursor;
	List	   *requests;

	begin();
	query.entity = entity;
	answer_page(2, service_link("/AccountSet?$filter=A ne null&$skiptoken=1,'{x}','%7By%2e%2F%7D'"));
	answer_page(0, service_link("/AccountSet?$skiptoken=2"));
	answer_page(1, NULL);
	cdms_peer_serve(peer);

	cursor = conn->protocol->open(conn, &query);
	CHECK_INT(conn->protocol->fetch(cursor)->nobjects, 2);
	CHECK_INT(conn->protocol->fetch(cursor)->nobjects, 0);
	CHECK_INT(conn->protocol->fetch(cursor)->nobjects, 1);
	CHECK(conn->protocol->fetch(cursor) == NULL);
	CHECK_INT(conn->objects, 3);

	requests = cdms_peer_requests(peer);
	CHECK_INT(list_length(requests), 3);
	CHECK_STR(request_line(requests, 1),
			  "GET " PATH "AccountSet?$filter=A%20ne%20null&$skiptoken=1,'%7Bx%7D','%7By%2e%2F%7D'");
	CHECK_STR(request_line(requests, 2), "GET " PATH "AccountSet?$skiptoken=2");
	crm_http_close(conn->http);
}

/* captures/odata/09 */
static void
test_relative_link_in_other_case(void)
{
	CrmQuery	query = {0};
	CrmCursor  *cursor;
	List	   *requests;

	begin();
	query.entity = entity;
	answer_page(1, "/org/xrmservices/2011/organizationdata.svc/AccountSet?$skiptoken=1");
	answer_page(1, NULL);
	cdms_peer_serve(peer);

	cursor = conn->protocol->open(conn, &query);
	conn->protocol->fetch(cursor);
	conn->protocol->fetch(cursor);
	CHECK(conn->protocol->fetch(cursor) == NULL);
	requests = cdms_peer_requests(peer);
	CHECK_STR(request_line(requests, 1),
			  "GET /org/xrmservices/2011/organizationdata.svc/AccountSet?$skiptoken=1");
	crm_http_close(conn->http);
}

static void
test_circle(void)
{
	CrmQuery	query = {0};
	CrmCursor  *cursor;

	begin();
	query.entity = entity;
	answer_page(1, service_link("/AccountSet?$skiptoken=1"));
	answer_page(1, service_link("/AccountSet?$skiptoken=2"));
	answer_page(1, service_link("/AccountSet?$skiptoken=1"));
	cdms_peer_serve(peer);

	cursor = conn->protocol->open(conn, &query);
	for (int i = 0; i < 3; i++)
		CHECK_INT(conn->protocol->fetch(cursor)->nobjects, 1);
	CHECK_ERROR("HV000", conn->protocol->fetch(cursor));
	CHECK_STR(unit_error->message, "CDMS's link to the next page leads in a circle");
	crm_http_close(conn->http);
}

/* So many cookies come with an answer that is none: how it is refused. */
static void
check_cookies(int n, const char *message)
{
	StringInfoData headers;

	begin();
	initStringInfo(&headers);
	appendStringInfoString(&headers, JSON);
	for (int i = 0; i < n; i++)
		appendStringInfo(&headers, "Set-Cookie: c%d=\xC3\xA9%04d\r\nSet-Cookie: d=e\r\n", i, i);
	answer("200 OK", headers.data, psprintf("\"%01000d", 0));
	cdms_peer_serve(peer);
	CHECK_ERROR("22032", first_page());
	CHECK_STR(unit_error->message, message);
	crm_http_close(conn->http);
}

static void
test_cookies(void)
{
	check_cookies(60, "CDMS's answer is not valid JSON");
	check_cookies(100, "CDMS's answer can't be read");
	check_cookies(4000, "CDMS's answer can't be read");
}

/* A page of the next n accounts, and a link that was not there before. */
static void
answer_on(int n)
{
	answer_page(n, service_link(psprintf("/AccountSet?$skiptoken=%d", ++ntokens)));
}

/* Fetches to the end: so many pages. */
static int
fetch_all(void)
{
	CrmQuery	query = {.entity = entity};
	CrmCursor  *cursor = conn->protocol->open(conn, &query);
	int			n = 0;

	while (conn->protocol->fetch(cursor) != NULL)
		n++;
	return n;
}

/* Each link is another one, and leads to nothing. */
static void
test_endless_nothing(void)
{
	begin();
	answer_on(1);
	for (int i = 0; i < 30; i++)
		answer_on(0);
	cdms_peer_serve(peer);
	CHECK_ERROR("HV000", fetch_all());
	CHECK_STR(unit_error->message, "CDMS's link to the next page leads to ever more pages without a new object");
	CHECK_INT(list_length(cdms_peer_requests(peer)), 11);
	crm_http_close(conn->http);
}

/* Pages may be empty now and then, the last above all. */
static void
test_some_nothing(void)
{
	begin();
	for (int i = 0; i < 27; i++)
		answer_on(i % 9 == 0);
	answer_page(0, NULL);
	cdms_peer_serve(peer);
	CHECK_INT(fetch_all(), 28);
	CHECK_INT(conn->objects, 3);
	crm_http_close(conn->http);
}

/* What CDMS gives in links and cookies is not shown where they are refused. */
static void
test_secret_circle(void)
{
	begin();
	for (int i = 0; i < 2; i++)
		answer("200 OK", JSON "Set-Cookie: a=sEcretCookie\r\n",
			   psprintf("{\"d\":{\"results\":[],\"__next\":\"%s\"}}",
						service_link("/AccountSet/sEcretCookie?$skiptoken=sEcretCookie")));
	cdms_peer_serve(peer);
	CHECK_ERROR("HV000", fetch_all());
	CHECK_STR(unit_error->message, "CDMS's link to the next page leads in a circle");
	CHECK_STR(unit_error->detail,
			  psprintf("The link is \"%s\".", service_link("/AccountSet/(hidden)")));
	crm_http_close(conn->http);
}

/* So many pages come again and again: noticed so many after all came once. */
static void
check_same_again(int pages, int size, int late)
{
	begin();
	for (int i = 0; i < 4 * pages + 12; i++)
	{
		if (i % pages == 0)
			ngiven = 0;
		answer_on(size);
	}
	cdms_peer_serve(peer);
	CHECK_ERROR("HV000", fetch_all());
	CHECK_STR(unit_error->message,
			  "CDMS's link to the next page leads to ever more pages without a new object");
	CHECK_INT(list_length(cdms_peer_requests(peer)), pages + late);
	crm_http_close(conn->http);
}

/* Each link is another one, and leads to what was there before, however late. */
static void
test_endless_same(void)
{
	check_same_again(1, 1, 10);
	check_same_again(2, 2, 10);
	check_same_again(4, 1000, 3);
	if (unit_watched)
		return;
	check_same_again(7, 1000, 3);
	check_same_again(15, 1000, 21);
}

/* Pages may overlap: then what comes twice is the same. */
static void
test_overlapping(void)
{
	begin();
	for (int i = 0; i < 15; i++)
	{
		ngiven = i;
		answer_on(2);
	}
	answer_page(0, NULL);
	cdms_peer_serve(peer);
	CHECK_INT(fetch_all(), 16);
	CHECK_INT(conn->objects, 30);
	crm_http_close(conn->http);
}

static void
check_link_refused(const char *link)
{
	begin();
	answer_page(1, link);
	cdms_peer_serve(peer);
	CHECK_ERROR("HV000", first_page());
	CHECK_STR(unit_error->message, "CDMS's link to the next page leads to another place");
	CHECK_INT(list_length(cdms_peer_requests(peer)), 1);
	crm_http_close(conn->http);
}

static void
test_links_elsewhere(void)
{
	static const char *const links[] = {
		"http://127.0.0.1:1" PATH "AccountSet?$skiptoken=1", "http://example.org" PATH "AccountSet",
		"/Org/XRMServices/2011/Other.svc/AccountSet",
		"/Org/XRMServices/2011/OrganizationData.svcx/A",
		"../../../../etc", "/Org/XRMServices/2011/OrganizationData.svc/../../x", "/",
		PATH "%2e%2e/x", PATH ".%2E/x", PATH "..%2f..%2Fx", PATH "..%5C..", PATH "..\\\\x",
		"file:///etc/passwd", "ftp://127.0.0.1/", "javascript:1"
	};

	for (int i = 0; i < lengthof(links); i++)
		check_link_refused(links[i]);
}

/* The ERROR that one answer to a read leads to. */
static void
check_read_refused(const char *sqlstate, const char *status, const char *headers,
				   const char *body)
{
	begin();
	conn->max_retries = 0;
	answer(status, headers, body);
	cdms_peer_serve(peer);
	CHECK_ERROR(sqlstate, first_page());
	crm_http_close(conn->http);
}

static void
test_pages_in_place_of_data(void)
{
	check_read_refused("HV000", "200 OK", HTML, "<html><title>Microsoft Dynamics CRM</title>");
	CHECK_STR(unit_error->message, "CDMS answered with an HTML page where data was expected");
	CHECK_STR(unit_error->detail, "It begins: \"Microsoft Dynamics CRM\"");
	check_read_refused("28P01", "200 OK", HTML, "<html><title>Sign In</title>" PASSWORD);
	CHECK_STR(unit_error->detail, "It is a login form: \"Sign In\"");
	check_read_refused("28P01", "200 OK", JSON, "<html><form><input name=\"wresult\">");
}

static void
test_other_media_types(void)
{
	check_read_refused("HV000", "200 OK", XML, "<feed/>");
	CHECK_STR(unit_error->message,
			  "CDMS answered with media type \"application/xml;charset=utf-8\" where "
			  "\"application/json\" was expected");
	check_read_refused("HV000", "200 OK", "", "{\"d\":[]}");
	check_read_refused("HV000", "200 OK", "Content-Type: text/plain\r\n", "{\"d\":[]}");
	check_read_refused("HV000", "204 No Content", "", "");
}

static void
test_redirect(void)
{
	check_read_refused("HV000", "302 Found",
					   "Location: https://sts.example.org/adfs/ls/?wctx=secret\r\n", "");
	CHECK_STR(unit_error->message, "could not read AccountSet on server \"cdms\"");
	CHECK_STR(unit_error->detail,
			  "CDMS answered 302 and pointed to \"https://sts.example.org/adfs/ls/\".");
	check_read_refused("HV000", "301 Moved", "", "");
}

static void
test_refusals(void)
{
	check_read_refused("28P01", "401 Unauthorized", HTML, "<html><title>Unauthorized</title>");
	check_read_refused("HV000", "500 Internal Server Error", JSON,
					   FAULT("-2147220715", "Paging cookie required"));
	CHECK_STR(unit_error->detail, "CDMS answered 500, code -2147220715: Paging cookie required.");
	check_read_refused("HV000", "503 Service Unavailable", HTML, "<h1>Service Unavailable</h1>");
	check_read_refused("22032", "200 OK", JSON, "{\"d\":{\"results\":[");
}

static void
test_retries(void)
{
	begin();
	answer("503 Service Unavailable", "Retry-After: 0\r\n", "busy");
	answer("429 Too Many Requests", "Retry-After: 0\r\n", "busy");
	answer_page(1, NULL);
	cdms_peer_serve(peer);
	CHECK_INT(first_page()->nobjects, 1);
	CHECK_INT(list_length(cdms_peer_requests(peer)), 3);
	CHECK_INT(crm_http_counters(conn->http)->retries, 2);
	crm_http_close(conn->http);
}

static void
test_retries_end(void)
{
	begin();
	for (int i = 0; i < 4; i++)
		answer("503 Service Unavailable", "Retry-After: 0\r\n", "busy");
	cdms_peer_serve(peer);
	CHECK_ERROR("HV000", first_page());
	CHECK_STR(unit_error->detail, "CDMS answered 503: busy.");
	CHECK_INT(list_length(cdms_peer_requests(peer)), 3);
	crm_http_close(conn->http);
}

static void
test_retry_pauses(void)
{
	TimestampTz started = GetCurrentTimestamp();

	begin();
	conn->max_retries = 1;
	answer("503 Service Unavailable", "", "busy");
	answer_page(1, NULL);
	cdms_peer_serve(peer);
	CHECK_INT(first_page()->nobjects, 1);
	CHECK(TimestampDifferenceExceeds(started, GetCurrentTimestamp(), 250));
	crm_http_close(conn->http);
}

/* ------------------------------------------------------------- limits of URLs */

static void
test_keys_per_query(void)
{
	pg_uuid_t	keys[100] = {{{0}}};
	CrmQuery	query = {0};
	int			fit;

	begin();
	query.entity = entity;
	CHECK_INT(conn->protocol->keys_per_query(conn, entity, 1), 1);
	CHECK_INT(conn->protocol->keys_per_query(conn, entity, 7), 7);
	CHECK_INT(conn->protocol->keys_per_query(conn, entity, 100), 25);

	entity->fields[0].property = "optevia_AVeryLongNameOfAKeyPropertyThatIsNotUncommon";
	fit = conn->protocol->keys_per_query(conn, entity, 100);
	CHECK(fit > 10 && fit < 25);
	query.filter = crm_condition_keys(entity, keys, fit);
	CHECK(conn->protocol->fits(conn, &query));
	query.filter = crm_condition_keys(entity, keys, fit + 1);
	CHECK(!conn->protocol->fits(conn, &query));

	conn->root = psprintf("http://h/%s", (char *) memset(palloc0(3001), 'x', 3000));
	CHECK_INT(conn->protocol->keys_per_query(conn, entity, 100), 1);
	crm_http_close(conn->http);
}

/* A list of properties goes where it would make the URL too long. */
static void
test_long_select(void)
{
	CrmQuery	query = {0};

	begin();
	query.entity = entity;
	entity->fields[1].property = memset(palloc0(1901), 'x', 1900);
	CHECK_STR(conn->protocol->describe(conn, &query), "GET AccountSet");
	CHECK(conn->protocol->fits(conn, &query));
	crm_http_close(conn->http);
}

/* ------------------------------------------------------------------- writing */

static List *
assignments(void)
{
	return list_make2(cdms_assign(&entity->fields[0], KEY),
					  cdms_assign(&entity->fields[1], "Cr\xC3\xA9\xC3\xA9"));
}

/* Writes one object, and reads what was made; an error that is its outcome is thrown. */
static CrmWrite *
write_one(CrmWriteKind kind, List *values)
{
	CrmWrite   *one = palloc0(sizeof(CrmWrite));

	one->kind = kind;
	one->entity = entity;
	one->key = *key_of(KEY);
	one->assignments = values;
	conn->protocol->write(conn, list_make1(one));
	if (one->error)
		ReThrowError(one->error);
	conn->protocol->read_made(conn, list_make1(one));
	return one;
}

static void
test_create(void)
{
	CrmWrite   *one;
	List	   *requests;

	begin();
	answer("201 Created", JSON, psprintf("{\"d\":%s}", account(KEY)));
	cdms_peer_serve(peer);
	one = write_one(CRM_CREATE, assignments());
	CHECK_INT(one->outcome, CRM_DONE);
	CHECK_STR(cdms_value(entity, one->made, "AccountId"), KEY);
	CHECK_STR(cdms_value(entity, one->made, "Name"), "A");

	requests = cdms_peer_requests(peer);
	CHECK_STR(request_line(requests, 0), "POST " PATH "AccountSet");
	CHECK(has_header(requests, "Accept: application/json"));
	CHECK(has_header(requests, "Content-Type: application/json; charset=utf-8"));
	CHECK_STR(body_of(requests), "{\"AccountId\":\"" KEY "\",\"Name\":\"Cr\xC3\xA9\xC3\xA9\"}");
	crm_http_close(conn->http);
}

static void
test_create_of_another(void)
{
	begin();
	answer("201 Created", JSON, psprintf("{\"d\":%s}", account(numbered_key(1))));
	cdms_peer_serve(peer);
	CHECK_ERROR("HV000", write_one(CRM_CREATE, assignments()));
	CHECK_STR(unit_error->detail, psprintf("It made object %s, which was not asked for.",
										   numbered_key(1)));
	crm_http_close(conn->http);
}

static CrmOutcome
create_answered(const char *status, const char *headers, const char *body)
{
	begin();
	answer(status, headers, body);
	answer("201 Created", JSON, "{\"d\":{}}");
	cdms_peer_serve(peer);
	return write_one(CRM_CREATE, assignments())->outcome;
}

static void
test_create_refused(void)
{
	CHECK_INT(create_answered("500 Internal Server Error", JSON,
							  FAULT("-2147220937", "Cannot insert duplicate key.")), CRM_DUPLICATE);
	CHECK_ERROR("HV000", create_answered("400 Bad Request", JSON, FAULT("", "No property 'X'.")));
	CHECK_STR(unit_error->message, "could not create an object of AccountSet on server \"cdms\"");
	CHECK_STR(unit_error->detail, "CDMS answered 400: No property 'X'.");
	CHECK_ERROR("28P01", create_answered("200 OK", HTML, "<html>" PASSWORD));
	CHECK_ERROR("HV000", create_answered("201 Created", JSON,
										 "{\"d\":{\"AccountId\":\"" KEY "\"}}"));
}

/* A write is sent once, whatever comes. */
static void
test_write_is_not_repeated(void)
{
	CHECK_ERROR("HV000", create_answered("503 Service Unavailable", "Retry-After: 0\r\n", "busy"));
	CHECK_INT(list_length(cdms_peer_requests(peer)), 1);
	CHECK_INT(crm_http_counters(conn->http)->retries, 0);
}

static CrmOutcome
update_answered(const char *status, const char *headers, const char *body)
{
	begin();
	answer(status, headers, body);
	cdms_peer_serve(peer);
	return write_one(CRM_UPDATE, list_make1(cdms_assign(&entity->fields[2], NULL)))->outcome;
}

/* captures/odata/05 */
static void
test_update(void)
{
	List	   *requests;

	CHECK_INT(update_answered("204 No Content", "", ""), CRM_DONE);
	requests = cdms_peer_requests(peer);
	CHECK_STR(request_line(requests, 0), "POST " PATH "AccountSet(guid'" KEY "')");
	CHECK(has_header(requests, "X-HTTP-Method: MERGE"));
	CHECK(has_header(requests, "Content-Type: application/json; charset=utf-8"));
	CHECK_STR(body_of(requests), "{\"NumberOfEmployees\":null}");
	CHECK_INT(update_answered("200 OK", "", ""), CRM_DONE);
}

static void
test_update_missing(void)
{
	CHECK_INT(update_answered("404 Not Found", JSON,
							  NO_OBJECT("account", "B68D56A6-4739-ED11-9DB0-002248296D7E")),
			  CRM_MISSING);
	CHECK_INT(update_answered("500 Internal Server Error", JSON, NO_OBJECT("account", KEY)),
			  CRM_MISSING);
}

/* It is the written reference that leads nowhere (captures/wcf/42). */
static void
test_update_dangling(void)
{
	CHECK_ERROR("HV000", update_answered("404 Not Found", JSON, NO_OBJECT("contact", OTHER)));
	CHECK_STR(unit_error->message, "could not change AccountSet(guid'" KEY "') on server \"cdms\"");
	CHECK_STR(unit_error->detail, "CDMS answered 404, code -2147220969: contact With Id = " OTHER
			  " Does Not Exist.");
	CHECK_ERROR("HV000", update_answered("404 Not Found", HTML, "<html><title>404</title></html>"));
}

/* A page is no success, whatever its status. */
static void
test_update_by_a_page(void)
{
	CHECK_ERROR("28P01", update_answered("200 OK", HTML, "<html>" PASSWORD));
	CHECK_ERROR("HV000", update_answered("200 OK", HTML, "<html>maintenance</html>"));
	CHECK_ERROR("HV000", update_answered("302 Found", "Location: /login\r\n", ""));
	CHECK_ERROR("HV000", update_answered("202 Accepted", "", ""));
	CHECK_ERROR("28P01", update_answered("401 Unauthorized", "", ""));
}

static CrmOutcome
remove_answered(const char *status, const char *body)
{
	begin();
	answer(status, JSON, body);
	cdms_peer_serve(peer);
	return write_one(CRM_REMOVE, NIL)->outcome;
}

/* captures/odata/06 */
static void
test_remove(void)
{
	List	   *requests;

	CHECK_INT(remove_answered("204 No Content", ""), CRM_DONE);
	requests = cdms_peer_requests(peer);
	CHECK_STR(request_line(requests, 0), "DELETE " PATH "AccountSet(guid'" KEY "')");
	CHECK_STR(body_of(requests), "");

	CHECK_INT(remove_answered("404 Not Found", NO_OBJECT("account", KEY)), CRM_MISSING);
	CHECK_ERROR("HV000", remove_answered("500 Internal Server Error", FAULT("-1", "in use")));
	CHECK_STR(unit_error->message, "could not delete AccountSet(guid'" KEY "') on server \"cdms\"");
}

/* ------------------------------------------------------------- Atom, metadata */

static void
test_atom(void)
{
	List	   *requests;

	begin();
	conn->format = CRM_FORMAT_ATOM;
	answer("200 OK", "Content-Type: application/atom+xml;type=feed;charset=utf-8\r\n",
		   "<feed xmlns=\"http://www.w3.org/2005/Atom\"/>");
	answer("500 Internal Server Error", XML, "<error><code>-2147220937</code></error>");
	cdms_peer_serve(peer);
	CHECK_INT(first_page()->nobjects, 0);
	CHECK_INT(write_one(CRM_CREATE, assignments())->outcome, CRM_DUPLICATE);

	requests = cdms_peer_requests(peer);
	CHECK(has_header(requests, "Accept: application/atom+xml,application/xml"));
	requests = list_delete_first(requests);
	CHECK(has_header(requests, "Content-Type: application/atom+xml; charset=utf-8"));
	CHECK(strncmp(body_of(requests), "<?xml", 5) == 0);
	crm_http_close(conn->http);
}

static void
test_metadata(void)
{
	List	   *requests;

	begin();
	answer("200 OK", XML, "<Edmx><Schema><EntityType Name='T'><Key><PropertyRef Name='I'/></Key>"
		   "<Property Name='I' Type='Edm.Guid'/></EntityType><EntityContainer>"
		   "<EntitySet Name='TSet' EntityType='N.T'/></EntityContainer></Schema></Edmx>");
	cdms_peer_serve(peer);
	CHECK_INT(list_length(conn->protocol->metadata(conn)), 1);
	requests = cdms_peer_requests(peer);
	CHECK_STR(request_line(requests, 0), "GET " PATH "$metadata");
	CHECK(has_header(requests, "Accept: application/xml"));
	crm_http_close(conn->http);
}

static const UnitTest tests[] = {
	{"asks for a page", test_query},
	{"takes no object that was not asked for", test_asked_by_key},
	{"asks for each property once", test_select},
	{"follows links to the end", test_paging},
	{"follows a relative link in another case", test_relative_link_in_other_case},
	{"refuses links in a circle", test_circle},
	{"... without the secrets in them", test_secret_circle},
	{"quotes nothing that comes with too many cookies", test_cookies},
	{"refuses links to empty pages without end", test_endless_nothing},
	{"but not a few of them", test_some_nothing},
	{"refuses links to the same objects", test_endless_same},
	{"but not objects that come twice", test_overlapping},
	{"refuses links to another place", test_links_elsewhere},
	{"refuses a page in place of data", test_pages_in_place_of_data},
	{"refuses other media types", test_other_media_types},
	{"refuses redirects", test_redirect},
	{"says what CDMS refused", test_refusals},
	{"asks an overloaded server again", test_retries},
	{"but not for ever", test_retries_end},
	{"and not at once", test_retry_pauses},
	{"puts as many keys into a query as its URL holds", test_keys_per_query},
	{"leaves a long list of properties out", test_long_select},
	{"creates", test_create},
	{"takes no other object for the one it created", test_create_of_another},
	{"tells why a create was refused", test_create_refused},
	{"sends a write once", test_write_is_not_repeated},
	{"changes by MERGE", test_update},
	{"notices that the object is missing", test_update_missing},
	{"and when it is another one", test_update_dangling},
	{"takes no page for success", test_update_by_a_page},
	{"deletes", test_remove},
	{"speaks Atom", test_atom},
	{"reads metadata", test_metadata}
};

UNIT_SUITE("cdms_odata", tests)
