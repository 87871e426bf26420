/*
 * cdms/odata.c
 *	  OrganizationData.svc, CRM 2011's OData v2 service.
 *
 * What is asked for comes whole or is an ERROR: pages are followed to their
 * end by the links the service gives, a link that leads elsewhere, in a circle or
 * to nothing is refused, and so is an answer of another kind, a login page above
 * all.
 *
 * Only reads are sent again, after a 429 or 503.  A write that got no answer
 * may have been carried out; sync/ knows how to find that out.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "compat.h"
#include "cdms/builder.h"
#include "cdms/cdms.h"
#include "cdms/error.h"
#include "cdms/filter.h"
#include "cdms/format.h"
#include "cdms/login.h"
#include "cdms/odata.h"
#include "cdms/words.h"
#include "net/url.h"

/* cdms-protocol 1.5: longer URLs are refused by some. */
#define LONGEST_URL 2000
#define MOST_KEYS 25

#define LONGEST_WORDS 500		/* bytes of a header or link in a message */

#define MOST_EMPTY 10			/* pages without a new object that follow each other */
#define MOST_NOTED 4096			/* keys that a cursor remembers */

#define FIRST_PAUSE_MS 500
#define LONGEST_PAUSE_MS 60000

pg_noreturn static void refuse_redirect(const CrmConnection *conn, const CrmHttpResponse *response,
										const char *action);
pg_noreturn static void refuse_link(const char *problem, const char *shown);

static const CrmFormatMethods *const formats[] = {
	[CRM_FORMAT_JSON] = &crm_format_json,
	[CRM_FORMAT_ATOM] = &crm_format_atom
};

const CrmFormatMethods *
crm_odata_format(const CrmConnection *conn)
{
	return formats[conn->format];
}

char *
crm_odata_key_text(const pg_uuid_t *key)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(key)));
}

/* ------------------------------------------------------------------- answers */

bool
crm_odata_is_one_of(int status, const int *statuses)
{
	while (*statuses && *statuses != status)
		statuses++;
	return *statuses != 0;
}

/* An HTML page stands where data should. */
void
crm_odata_refuse_page(const CrmConnection *conn, const CrmHttpResponse *response,
					  CrmBodyKind kind)
{
	bool		login = kind == CRM_BODY_LOGIN;

	ereport(ERROR,
			(errcode(login ? ERRCODE_INVALID_PASSWORD : ERRCODE_FDW_ERROR),
			 errmsg("CDMS answered with an HTML page where data was expected"),
			 errdetail_internal("%s: \"%s\"", login ? "It is a login form" : "It begins",
								crm_fault_read(response, crm_login_secrets(conn, response))->words),
			 errhint("Check the user mapping, and the server's options \"url\" and \"auth\".")));
}

/* Is what came data of this media type? */
void
crm_odata_check_media_type(const CrmConnection *conn, const CrmHttpResponse *response,
						   const char *expected)
{
	CrmBodyKind kind = crm_body_kind(response);

	if (kind == CRM_BODY_HTML || kind == CRM_BODY_LOGIN)
		crm_odata_refuse_page(conn, response, kind);
	if (strcasestr(response->content_type, expected) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("CDMS answered with media type \"%s\" where \"%s\" was expected",
						crm_words_tidy(response->content_type, LONGEST_WORDS,
									   crm_login_secrets(conn, response)), expected),
				 errhint("Check the server's options \"url\" and \"format\".")));
}

/* The address is shown without its query, in which there may be a token. */
static void
refuse_redirect(const CrmConnection *conn, const CrmHttpResponse *response,
				const char *action)
{
	const char *location = response->location ? response->location : "nowhere";

	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("%s on server \"%s\"", action, conn->server_name),
			 errdetail("CDMS answered %d and pointed to \"%s\".", response->status,
					   crm_words_tidy(pnstrdup(location, strcspn(location, "?#")),
									  LONGEST_WORDS, crm_login_secrets(conn, response))),
			 errhint("CDMS wants a login, or the option \"url\" is not that of an organisation.")));
}

void
crm_odata_refuse(const CrmConnection *conn, const CrmHttpResponse *response, const char *action)
{
	if (response->status >= 300 && response->status < 400)
		refuse_redirect(conn, response, action);
	crm_fault_throw(crm_fault_read(response, crm_login_secrets(conn, response)),
					conn->server_name, action);
}

/* ------------------------------------------------------------------ requests */

long
crm_retry_pause(int retry_after, int attempt)
{
	long		pause = FIRST_PAUSE_MS;

	if (retry_after >= 0)
		return Min(retry_after, LONGEST_PAUSE_MS / 1000) * 1000L;

	while (attempt-- > 0 && pause < LONGEST_PAUSE_MS)
		pause *= 2;
	pause = Min(pause, LONGEST_PAUSE_MS);
	return pause / 2 + (long) (pg_prng_double(&pg_global_prng_state) * pause / 2);
}

bool
crm_odata_is_overloaded(const CrmHttpResponse *response)
{
	static const int statuses[] = {429, 503, 0};

	return crm_odata_is_one_of(response->status, statuses);
}

/* A question for data of this media type. */
typedef struct Question
{
	const char *url;
	const char *shown;			/* as in CrmHttpRequest */
	const char *accept;			/* header line */
	const char *expected;		/* in the answer's media type */
	const char *action;			/* for messages: what could not be done */
} Question;

/* It was asked: what brings the answer, and the login it was asked under. */
typedef struct Asked
{
	CrmHttpExchange *exchange;	/* NULL: it was not */
	int			login;
} Asked;

static CrmHttpRequest
request_for(const Question *question)
{
	CrmHttpRequest request = {
		.method = "GET",
		.url = question->url,
		.shown = question->shown,
		.headers = list_make1(unconstify(char *, question->accept))
	};

	return request;
}

static Asked
ask(CrmConnection *conn, const Question *question)
{
	CrmHttpRequest request = request_for(question);
	Asked		asked = {.login = crm_login_prepare(conn)};

	asked.exchange = crm_http_start(conn->http, &request);
	crm_login_sent(conn, asked.exchange);
	return asked;
}

/* The first answer to what was asked, or the one after a new login. */
static CrmHttpResponse *
first_answer(CrmConnection *conn, const CrmHttpRequest *request, const Asked *asked)
{
	CrmHttpResponse *response = crm_http_wait(asked->exchange);

	if (crm_login_is_lost(conn, request, response))
	{
		crm_login_renew(conn, asked->login);
		response = crm_http_send(conn->http, request);
	}
	crm_login_judge(conn, request, response);
	return response;
}

/* The answer to what was asked, for which it may have to be asked again. */
static CrmHttpResponse *
answer(CrmConnection *conn, const Question *question, const Asked *asked)
{
	CrmHttpRequest request = request_for(question);
	CrmHttpResponse *response = first_answer(conn, &request, asked);

	for (int attempt = 0; crm_odata_is_overloaded(response) && attempt < conn->max_retries; attempt++)
	{
		crm_http_pause(crm_retry_pause(response->retry_after, attempt));
		crm_http_counters(conn->http)->retries++;
		response = crm_login_send(conn, &request);
	}
	if (response->status != 200)
		crm_odata_refuse(conn, response, question->action);
	crm_odata_check_media_type(conn, response, question->expected);
	return response;
}

/*
 * Has the path dots or slashes that only the server will see as such?  No page's has, and
 * "%2e%2e" leads out of a directory where the server undoes escapes first.
 */
static bool
hides_steps(const char *path)
{
	static const char *const steps[] = {"%2e", "%2f", "%5c"};
	const char *end = path + strcspn(path, "?");

	for (; path < end; path++)
		for (int i = 0; i < lengthof(steps); i++)
			if (pg_strncasecmp(path, steps[i], strlen(steps[i])) == 0)
				return true;
	return false;
}

/*
 * Where the service is.  The path may come back in another case than it was
 * asked in (captures/odata/01: /xrmservices/).
 */
static bool
is_under_root(const CrmConnection *conn, const char *url)
{
	const char *root = strstr(crm_url_repair(conn->root), "://");
	const char *path = strstr(url, "://");
	size_t		length;

	if (!crm_url_same_origin(conn->root, url) || root == NULL || path == NULL)
		return false;
	root += strlen("://");
	path += strlen("://");
	root += strcspn(root, "/");
	path += strcspn(path, "/");
	length = strlen(root);
	return pg_strncasecmp(root, path, length) == 0 &&
		(root[length - 1] == '/' || path[length] == '/') && !hides_steps(path + length);
}

/* --------------------------------------------------------------------- queries */

typedef struct NotedKey
{
	pg_uuid_t	key;
	char		status;
} NotedKey;

#define SH_PREFIX noted
#define SH_ELEMENT_TYPE NotedKey
#define SH_KEY_TYPE pg_uuid_t
#define SH_KEY key
#define SH_HASH_KEY(tb, its) hash_bytes((its).data, UUID_LEN)
#define SH_EQUAL(tb, a, b) (memcmp(&(a), &(b), UUID_LEN) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct CrmCursor
{
	CrmConnection *conn;
	const CrmEntity *entity;
	Bitmapset  *fields;
	const CrmCondition *filter; /* the caller's */
	bool		ahead;
	char	   *url;			/* of the next page; NULL after the last */
	char	   *shown;			/* of that in a message; NULL: all */
	Asked		asked;			/* for it, or not yet */
	uint64		mark;			/* hash of a URL that was asked */
	uint32		npages;			/* asked so far */
	int			nempty;			/* pages without a new object, the latest */
	int			nrepeated;		/* objects that were known to have come before */
	noted_hash *noted;			/* keys that came; NULL: none had to be noted */
	int64		nobjects;		/* that came */
	int64		renewal;		/* after so many of them noted begins anew */
	MemoryContext context;		/* of all these */
};

static bool
is_wanted(const CrmQuery *query, int index)
{
	return query->fields == NULL || index == query->entity->key ||
		bms_is_member(index, query->fields);
}

/* Root properties of the wanted fields, each once, in the fields' order. */
static char *
select_list(const CrmQuery *query)
{
	const CrmField *fields = query->entity->fields;
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < query->entity->nfields; i++)
	{
		bool		listed = false;

		for (int j = 0; j < i && !listed; j++)
			listed = is_wanted(query, j) &&
				strcmp(fields[i].property, fields[j].property) == 0;
		if (is_wanted(query, i) && !listed)
			appendStringInfo(&list, "%s%s", list.len > 0 ? "," : "",
							 crm_name_to_wire(fields[i].property));
	}
	return list.data;
}

static char *
filter_text(const CrmCondition *condition)
{
	StringInfoData text;

	if (condition == NULL)
		return NULL;
	initStringInfo(&text);
	crm_filter_append(&text, condition);
	return text.data;
}

static void
append_plain(StringInfo out, const char *text)
{
	appendStringInfoString(out, text);
}

/* What stands after "?" in a query's URL; each may be NULL. */
typedef struct UrlOptions
{
	const char *select;
	const char *filter;
	const char *order;
	const char *top;
} UrlOptions;

/* "AccountSet?$select=...&$filter=..." */
static void
append_query(StringInfo out, const char *set, const UrlOptions *options,
			 void (*append) (StringInfo, const char *))
{
	const struct
	{
		const char *name;
		const char *value;
	}			listed[] = {
		{"$select", options->select},
		{"$filter", options->filter},
		{"$orderby", options->order},
		{"$top", options->top}
	};
	char		separator = '?';

	append(out, crm_name_to_wire(set));
	for (int i = 0; i < lengthof(listed); i++)
	{
		if (listed[i].value == NULL)
			continue;
		appendStringInfo(out, "%c%s=", separator, listed[i].name);
		append(out, listed[i].value);
		separator = '&';
	}
}

static char *
query_url(const CrmConnection *conn, const char *set, const UrlOptions *options)
{
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfo(&url, "%s/", crm_url_repair(conn->root));
	append_query(&url, set, options, crm_url_append_encoded);
	return url.data;
}

char *
crm_odata_url(const CrmConnection *conn, const char *path)
{
	return query_url(conn, path, &(UrlOptions) {0});
}

static char *
order_text(const CrmQuery *query)
{
	if (query->order == NULL)
		return NULL;
	return psprintf("%s%s", crm_name_to_wire(query->order->property),
					query->descending ? " desc" : "");
}

/*
 * The URL of a query, and what it says.  An object is asked for by a filter on
 * its key, never as AccountSet(guid'...'): one that does not exist is then an
 * empty page and not an error document to be interpreted.  Where a list of
 * properties would make the URL too long, all are asked for.
 */
static char *
plan_query(const CrmConnection *conn, const CrmQuery *query, char **description)
{
	const char *set = query->entity->set;
	UrlOptions	options = {
		.select = select_list(query),
		.filter = filter_text(query->filter),
		.order = order_text(query),
		.top = query->limit > 0 ? psprintf("%d", query->limit) : NULL
	};
	char	   *url = query_url(conn, set, &options);

	if (strlen(url) > LONGEST_URL)
	{
		options.select = NULL;
		url = query_url(conn, set, &options);
	}
	if (description)
	{
		StringInfoData text;

		initStringInfo(&text);
		appendStringInfoString(&text, "GET ");
		append_query(&text, set, &options, append_plain);
		*description = pg_any_to_server(text.data, text.len, PG_UTF8);
	}
	return url;
}

static bool
fits(CrmConnection *conn, const CrmQuery *query)
{
	return strlen(plan_query(conn, query, NULL)) <= LONGEST_URL;
}

static char *
describe(CrmConnection *conn, const CrmQuery *query)
{
	char	   *description;

	pfree(plan_query(conn, query, &description));
	return description;
}

static int
keys_per_query(CrmConnection *conn, const CrmEntity *entity, int n)
{
	pg_uuid_t	any = {{0}};
	char	   *one = filter_text(crm_condition_keys(entity, &any, 1));
	int			room = LONGEST_URL - strlen(query_url(conn, entity->set, &(UrlOptions) {.filter = ""}));
	StringInfoData key;
	int			fit;

	initStringInfo(&key);
	crm_url_append_encoded(&key, one);
	crm_url_append_encoded(&key, " or ");
	fit = room / key.len;
	return Max(1, Min(n, Min(fit, MOST_KEYS)));
}

static CrmCursor *
open_cursor(CrmConnection *conn, const CrmQuery *query)
{
	CrmCursor  *cursor = palloc0(sizeof(CrmCursor));

	cursor->conn = conn;
	cursor->entity = query->entity;
	cursor->fields = bms_copy(query->fields);
	cursor->filter = query->filter;
	cursor->ahead = query->ahead;
	cursor->url = plan_query(conn, query, NULL);
	cursor->renewal = 2 * MOST_NOTED;
	cursor->context = CurrentMemoryContext;
	return cursor;
}

/* A link for messages: without its query, and what else it may repeat of secrets. */
static char *
readable_link(const CrmConnection *conn, const CrmHttpResponse *response, const char *link)
{
	return crm_words_tidy(pnstrdup(link, strcspn(link, "?#")), LONGEST_WORDS,
						  crm_login_secrets(conn, response));
}

static void
refuse_link(const char *problem, const char *shown)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("CDMS's link to the next page %s", problem),
			 errdetail_internal("The link is \"%s\".", shown)));
}

/*
 * Notes that this URL is asked now.  Links that lead in a circle meet the mark, which
 * moves whenever the number of pages has doubled (Brent's way): at the latest when
 * they have been round three times, however long the circle.  A hash of 64 bits does
 * for a name.
 */
static void
note_asked(CrmCursor *cursor)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) cursor->url,
										   strlen(cursor->url), 0);

	if (cursor->npages > 0 && hash == cursor->mark)
		refuse_link("leads in a circle", cursor->shown);
	cursor->npages++;
	if ((cursor->npages & (cursor->npages - 1)) == 0)
		cursor->mark = hash;
}

/*
 * How many of a page's objects the cursor is not known to have had.  The first
 * MOST_NOTED are all remembered; then those that come when the number of objects has
 * doubled, so that a circle is noticed however late it begins, and no more is kept of
 * a million than of these.
 */
static int
count_new(CrmCursor *cursor, const CrmPage *page)
{
	int			nnew = 0;

	if (cursor->noted == NULL)
		cursor->noted = noted_create(cursor->context, page->nobjects, NULL);
	for (int i = 0; i < page->nobjects; i++)
	{
		bool		found;

		if (cursor->noted->members < MOST_NOTED)
			(void) noted_insert(cursor->noted, page->objects[i].key, &found);
		else
			found = noted_lookup(cursor->noted, page->objects[i].key) != NULL;
		nnew += !found;
	}
	cursor->nrepeated += page->nobjects - nnew;
	cursor->nobjects += nnew;
	if (cursor->nobjects >= cursor->renewal)
	{
		noted_reset(cursor->noted);
		cursor->renewal = 2 * cursor->nobjects;
	}
	return nnew;
}

/*
 * A link may be another one each time, and bring nothing, or nothing new.  Some objects
 * that come twice are no harm: nobody knows what CDMS's links do where many have the
 * same CreatedOn (cdms-protocol 1.4).
 */
static void
check_progress(CrmCursor *cursor, const CrmHttpResponse *response, const CrmPage *page,
			   const char *next)
{
	if (cursor->npages == 1 && next == NULL)
		return;
	cursor->nempty = count_new(cursor, page) > 0 ? 0 : cursor->nempty + 1;
	if (next && (cursor->nempty >= MOST_EMPTY || cursor->nrepeated > MOST_NOTED / 2))
		refuse_link("leads to ever more pages without a new object",
					readable_link(cursor->conn, response, next));
}

/* Moves the cursor to the next page's URL, which the answer has as a link. */
static void
follow(CrmCursor *cursor, const CrmHttpResponse *response, const char *link)
{
	char	   *url = NULL;
	char	   *shown = NULL;

	if (link)
	{
		url = crm_url_resolve(cursor->url, link);
		if (url == NULL || !is_under_root(cursor->conn, url))
			refuse_link("leads to another place", readable_link(cursor->conn, response, link));
		shown = MemoryContextStrdup(cursor->context,
									readable_link(cursor->conn, response, url));
		url = MemoryContextStrdup(cursor->context, url);
	}
	pfree(cursor->url);
	if (cursor->shown)
		pfree(cursor->shown);
	cursor->url = url;
	cursor->shown = shown;
}

/* Is this a comparison of the key with one value? */
static bool
names_key(const CrmCondition *condition, const CrmField *key)
{
	return condition->kind == CRM_EQ && condition->field == key &&
		condition->valuetype == UUIDOID;
}

/* Does a question for keys, and nothing else, ask for this one?  *by_key: is it one? */
static bool
asks_for(const CrmCondition *question, const CrmField *key, const pg_uuid_t *wanted, bool *by_key)
{
	List	   *args = question->kind == CRM_OR ? question->args :
		list_make1(unconstify(CrmCondition *, question));
	bool		found = false;
	ListCell   *cell;

	*by_key = true;
	foreach(cell, args)
	{
		const CrmCondition *arg = lfirst(cell);

		if (!names_key(arg, key))
			*by_key = false;
		else if (memcmp(DatumGetUUIDP(arg->value), wanted, UUID_LEN) == 0)
			found = true;
	}
	return found;
}

/* What was asked for by key brings no other objects. */
static void
check_asked(const CrmCursor *cursor, const CrmPage *page)
{
	const CrmField *key = &cursor->entity->fields[cursor->entity->key];
	bool		by_key;

	for (int i = 0; cursor->filter && i < page->nobjects; i++)
	{
		if (asks_for(cursor->filter, key, &page->objects[i].key, &by_key))
			continue;
		if (!by_key)
			break;
		crm_builder_wrong_shape(psprintf("Object %s was not asked for.",
										 crm_odata_key_text(&page->objects[i].key)));
	}
}

static Question
next_question(const CrmCursor *cursor)
{
	const CrmFormatMethods *format = crm_odata_format(cursor->conn);
	Question	question = {
		.url = cursor->url,
		.shown = cursor->shown,
		.accept = format->accept,
		.expected = format->expected,
		.action = psprintf("could not read %s", cursor->entity->set)
	};

	return question;
}

static void
start(CrmCursor *cursor)
{
	MemoryContext before;
	Question	question;

	if (cursor->url == NULL || cursor->asked.exchange != NULL)
		return;
	question = next_question(cursor);
	note_asked(cursor);
	before = MemoryContextSwitchTo(cursor->context);
	cursor->asked = ask(cursor->conn, &question);
	MemoryContextSwitchTo(before);
}

/* The answer that is under way, or in its place the ERROR; it is so no more. */
static CrmHttpResponse *
take_answer(CrmCursor *cursor)
{
	Question	question = next_question(cursor);
	Asked		asked = cursor->asked;

	cursor->asked.exchange = NULL;
	return answer(cursor->conn, &question, &asked);
}

CrmHttpRequest *
crm_odata_query_request(CrmConnection *conn, const CrmQuery *query)
{
	CrmHttpRequest *request = palloc0_object(CrmHttpRequest);

	request->method = "GET";
	request->url = plan_query(conn, query, NULL);
	request->headers = list_make1(unconstify(char *, crm_odata_format(conn)->accept));
	return request;
}

/* The page in an answer. */
static CrmPage *
read_page(CrmConnection *conn, const CrmHttpResponse *response, const CrmEntity *entity,
		  const Bitmapset *fields, char **next)
{
	MemoryContext memory = CurrentMemoryContext;
	CrmPage    *page = NULL;

	PG_TRY();
	{
		page = crm_odata_format(conn)->read_page(response->body, response->body_length, entity,
												 fields, next);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(memory);
		crm_words_rethrow(response->body, response->body_length, crm_login_secrets(conn, response));
	}
	PG_END_TRY();
	return page;
}

void
crm_odata_check_answer(CrmConnection *conn, const CrmQuery *query,
					   const CrmHttpResponse *response)
{
	if (response->status != 200)
		crm_odata_refuse(conn, response, psprintf("could not read %s", query->entity->set));
	crm_odata_check_media_type(conn, response, crm_odata_format(conn)->expected);
}

CrmPage *
crm_odata_read_answer(CrmConnection *conn, const CrmQuery *query, const CrmHttpResponse *response)
{
	CrmPage    *page;
	char	   *next;

	page = read_page(conn, response, query->entity, query->fields, &next);
	conn->objects += page->nobjects;
	return page;
}

static CrmPage *
fetch(CrmCursor *cursor)
{
	MemoryContext scratch;
	MemoryContext before;
	CrmHttpResponse *response;
	CrmPage    *page;
	char	   *next;

	if (cursor->url == NULL)
		return NULL;

	scratch = AllocSetContextCreate(CurrentMemoryContext, "crm_sync answer",
									ALLOCSET_DEFAULT_SIZES);
	before = MemoryContextSwitchTo(scratch);
	start(cursor);
	response = take_answer(cursor);
	MemoryContextSwitchTo(before);

	page = read_page(cursor->conn, response, cursor->entity, cursor->fields, &next);
	check_asked(cursor, page);
	check_progress(cursor, response, page, next);
	page->date = response->date;
	cursor->conn->objects += page->nobjects;
	follow(cursor, response, next);
	page->last = cursor->url == NULL;
	if (cursor->ahead)
		start(cursor);
	MemoryContextDelete(scratch);
	return page;
}

static int
ready(CrmCursor *const *cursors, int n)
{
	CrmHttpExchange **exchanges = palloc(sizeof(CrmHttpExchange *) * n);
	int			i;

	for (i = 0; i < n; i++)
		exchanges[i] = cursors[i]->asked.exchange;
	i = crm_http_wait_any(exchanges, n);
	pfree(exchanges);
	return i;
}

static void
close_cursor(CrmCursor *cursor)
{
	if (cursor->asked.exchange)
		crm_http_abandon(cursor->asked.exchange);
	cursor->asked.exchange = NULL;
	cursor->url = NULL;
}

static List *
metadata(CrmConnection *conn)
{
	Question	question = {
		.url = psprintf("%s/$metadata", crm_url_repair(conn->root)),
		.accept = "Accept: application/xml",
		.expected = "xml",
		.action = "could not read $metadata"
	};
	Asked		asked = ask(conn, &question);
	CrmHttpResponse *response = answer(conn, &question, &asked);
	MemoryContext memory = CurrentMemoryContext;
	List	   *entities = NIL;

	PG_TRY();
	{
		entities = crm_metadata_read(response->body, response->body_length);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(memory);
		crm_words_rethrow(response->body, response->body_length, crm_login_secrets(conn, response));
	}
	PG_END_TRY();
	pfree(response->body);
	return entities;
}

static bool
defines(const CrmEntityDef *definition, const char *property)
{
	ListCell   *lc;

	foreach(lc, definition->properties)
		if (strcmp(((CrmPropertyDef *) lfirst(lc))->name, property) == 0)
			return true;
	return false;
}

static bool
has_property(CrmConnection *conn, const CrmEntity *entity, const char *property)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "crm_sync $metadata",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(scratch);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, metadata(conn))
	{
		CrmEntityDef *definition = lfirst(lc);

		if (strcmp(definition->set, entity->set) == 0)
			found = defines(definition, property);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(scratch);
	return found;
}

const CrmProtocol crm_protocol_odata2 = {
	.metadata = metadata,
	.open = open_cursor,
	.start = start,
	.fetch = fetch,
	.ready = ready,
	.close = close_cursor,
	.has_property = has_property,
	.describe = describe,
	.fits = fits,
	.keys_per_query = keys_per_query,
	.check = crm_odata_check,
	.write = crm_odata_write,
	.read_made = crm_odata_read_made
};
