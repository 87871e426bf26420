/*
 * cdms/odata_write.c
 *	  POST, MERGE and DELETE, several at a time.
 *
 * A write leaves once.  What the answer says becomes an outcome and not an ERROR, so
 * that those under way beside it are waited for; whether one without an answer was
 * carried out, and whether it is sent again, is for sync/ to find out.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "cdms/builder.h"
#include "cdms/login.h"
#include "cdms/odata.h"
#include "cdms/words.h"

#define HTTP_REQUEST_TIMEOUT 408
#define MOST_WRITES 1000		/* to a change set (contract) */

/* "AccountSet(guid'...')" */
static char *
object_path(const CrmWrite *write)
{
	return psprintf("%s(guid'%s')", write->entity->set, crm_odata_key_text(&write->key));
}

/* ------------------------------------------------------------- the answer */

/*
 * A write that answers without a body: 204, or 200 from some proxies, unless
 * that brings a page along.
 */
static bool
is_done(const CrmConnection *conn, const CrmHttpResponse *response)
{
	static const int statuses[] = {204, 200, 0};
	CrmBodyKind kind = crm_body_kind(response);

	if (!crm_odata_is_one_of(response->status, statuses))
		return false;
	if (kind == CRM_BODY_HTML || kind == CRM_BODY_LOGIN)
		crm_odata_refuse_page(conn, response, kind);
	return true;
}

/*
 * Is it this object that does not exist?  The same code comes for one that a
 * written reference points at (captures/wcf/28 and 42), so the words, which
 * name the missing object's key in every language, decide.
 */
static bool
says_missing(const CrmFault *fault, const pg_uuid_t *key)
{
	return fault->code == CRM_CODE_DOES_NOT_EXIST &&
		strcasestr(fault->said, crm_odata_key_text(key)) != NULL;
}

/* What is tried, for messages. */
static char *
action_of(const CrmWrite *write)
{
	if (write->kind == CRM_CREATE)
		return psprintf("could not create an object of %s", write->entity->set);
	return psprintf("could not %s %s", write->kind == CRM_UPDATE ? "change" : "delete",
					object_path(write));
}

static void
judge_change(CrmConnection *conn, CrmWrite *write, const CrmHttpResponse *response)
{
	if (is_done(conn, response))
		write->outcome = CRM_DONE;
	else if (says_missing(crm_fault_read(response, NIL), &write->key))
		write->outcome = CRM_MISSING;
	else
		crm_odata_refuse(conn, response, action_of(write));
}

static void
judge_create(CrmConnection *conn, CrmWrite *write, const CrmHttpResponse *response)
{
	static const int statuses[] = {201, 200, 0};

	if (crm_odata_is_one_of(response->status, statuses))
	{
		crm_odata_check_media_type(conn, response, crm_odata_format(conn)->expected);
		write->answer = response;
		write->outcome = CRM_DONE;
	}
	else if (crm_fault_read(response, NIL)->code == CRM_CODE_DUPLICATE_KEY)
		write->outcome = CRM_DUPLICATE;
	else
		crm_odata_refuse(conn, response, action_of(write));
}

/* -------------------------------------------------------- what was made */

static CrmObject *
read_object(CrmConnection *conn, const CrmHttpResponse *response, const CrmEntity *entity)
{
	MemoryContext memory = CurrentMemoryContext;
	CrmObject  *made = NULL;

	PG_TRY();
	{
		made = crm_odata_format(conn)->read_object(response->body, response->body_length, entity);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(memory);
		crm_words_rethrow(response->body, response->body_length, crm_login_secrets(conn, response));
	}
	PG_END_TRY();
	return made;
}

/* The object that was made must be the one that was sent. */
static void
read_created(CrmConnection *conn, CrmWrite *write)
{
	CrmObject  *made = read_object(conn, write->answer, write->entity);

	if (memcmp(&write->key, &made->key, UUID_LEN) != 0)
		crm_builder_wrong_shape(psprintf("It made object %s, which was not asked for.",
										 crm_odata_key_text(&made->key)));
	write->made = made;
	conn->objects++;
}

void
crm_odata_read_made(CrmConnection *conn, List *writes)
{
	ListCell   *lc;

	foreach(lc, writes)
	{
		CrmWrite   *write = lfirst(lc);

		if (write->answer == NULL || write->made)
			continue;
		if (write->query)
			crm_odata_read_back(conn, writes, write->query, write->answer);
		else
			read_created(conn, write);
	}
}

/* ------------------------------------------------------------ the request */

static const struct
{
	const char *method;
	bool		tunnelled;		/* as captures/odata/05 */
	void		(*judge) (CrmConnection *conn, CrmWrite *write, const CrmHttpResponse *response);
}			kinds[] = {
	[CRM_CREATE] = {"POST", false, judge_create},
	[CRM_UPDATE] = {"MERGE", true, judge_change},
	[CRM_REMOVE] = {"DELETE", false, judge_change},
};

CrmHttpRequest *
crm_odata_write_request(CrmConnection *conn, const CrmWrite *write)
{
	const CrmFormatMethods *format = crm_odata_format(conn);
	CrmHttpRequest *request = palloc0_object(CrmHttpRequest);
	StringInfoData body;

	request->method = kinds[write->kind].method;
	request->tunnelled = kinds[write->kind].tunnelled;
	request->url = crm_odata_url(conn, write->kind == CRM_CREATE ? write->entity->set :
								 object_path(write));
	request->headers = list_make1(unconstify(char *, format->accept));
	if (write->assignments != NIL)
	{
		initStringInfo(&body);
		format->write_object(&body, write->entity, write->assignments);
		request->headers = lappend(request->headers, unconstify(char *, format->content_type));
		request->body = body.data;
		request->body_length = body.len;
	}
	return request;
}

void
crm_odata_check(CrmConnection *conn, const CrmEntity *entity, List *assignments)
{
	StringInfoData body;

	initStringInfo(&body);
	crm_odata_format(conn)->write_object(&body, entity, assignments);
	pfree(body.data);
}

/* ---------------------------------------------------------------- sending */

/*
 * Takes the error that was just thrown for the write's outcome, unless it is about
 * this session.  There is no subtransaction round it: only the network has been
 * used.  Whoever does more here leaves it half done: objects are read later
 * (crm_odata_read_made), for that runs their tables' owners' code.
 */
static void
keep_error(CrmWrite *write, MemoryContext memory)
{
	MemoryContextSwitchTo(memory);
	write->error = CopyErrorData();
	if (ERRCODE_TO_CATEGORY(write->error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		PG_RE_THROW();
	FlushErrorState();
	if (write->outcome != CRM_UNKNOWN)
		write->outcome = write->error->sqlerrcode == ERRCODE_CONNECTION_FAILURE ?
			CRM_UNKNOWN : CRM_REFUSED;
}

void
crm_odata_try(CrmWrite *write, void (*act) (CrmWrite *write, void *arg), void *arg)
{
	MemoryContext memory = CurrentMemoryContext;

	PG_TRY();
	{
		act(write, arg);
	}
	PG_CATCH();
	{
		keep_error(write, memory);
	}
	PG_END_TRY();
}

ErrorData *
crm_odata_make_error(const char *message)
{
	ErrorData  *error = palloc0_object(ErrorData);

	error->elevel = ERROR;
	error->sqlerrcode = ERRCODE_FDW_ERROR;
	error->message = pstrdup(message);
	error->assoc_context = CurrentMemoryContext;
	return error;
}

/* A write under way. */
typedef struct Flight
{
	CrmConnection *conn;
	CrmWrite   *write;			/* NULL: this place is free */
	CrmHttpRequest *request;
	CrmHttpExchange *exchange;	/* NULL: it could not even be begun */
	int			login;
	const CrmHttpResponse *response;
} Flight;

static void
take_off(CrmWrite *write, void *arg)
{
	Flight	   *flight = arg;

	flight->request = crm_odata_write_request(flight->conn, write);
	flight->login = crm_login_prepare(flight->conn);
	flight->exchange = crm_http_start(flight->conn->http, flight->request);
	crm_login_sent(flight->conn, flight->exchange);
}

/*
 * A status of 4xx speaks of the request itself; any other may come from anybody on
 * the way, unless one of CRM's codes stands in the answer.
 */
static bool
is_own_refusal(const CrmHttpResponse *response)
{
	return response->status >= 400 &&
		((response->status < 500 && response->status != HTTP_REQUEST_TIMEOUT) ||
		 crm_fault_read(response, NIL)->code != 0);
}

/* CDMS has no time: nothing is known but when it may have. */
static void
judge_answer(CrmConnection *conn, CrmWrite *write, const CrmHttpResponse *response)
{
	if (crm_odata_is_overloaded(response))
	{
		write->outcome = CRM_UNKNOWN;
		write->retry_after = response->retry_after;
		crm_odata_refuse(conn, response, action_of(write));
	}
	write->not_done = is_own_refusal(response);
	kinds[write->kind].judge(conn, write, response);
}

/* A login that was lost is made again once, and the write sent again: it was not done. */
static void
land(CrmWrite *write, void *arg)
{
	Flight	   *flight = arg;
	CrmHttpExchange *exchange = flight->exchange;
	CrmHttpResponse *response;

	flight->exchange = NULL;
	write->not_done = !crm_http_has_left(exchange);
	response = crm_http_wait(exchange);
	if (crm_login_is_lost(flight->conn, flight->request, response))
	{
		crm_login_renew(flight->conn, flight->login);
		response = crm_http_send(flight->conn->http, flight->request);
	}
	crm_login_judge(flight->conn, flight->request, response);
	judge_answer(flight->conn, write, response);
}

static void
judge_part(CrmWrite *write, void *arg)
{
	Flight	   *flight = arg;

	judge_answer(flight->conn, write, flight->response);
}

void
crm_odata_judge(CrmConnection *conn, CrmWrite *write, const CrmHttpResponse *response)
{
	Flight		flight = {.conn = conn,.response = response};

	crm_odata_try(write, judge_part, &flight);
}

/* Writes of which as many are under way as the session allows. */
typedef struct Flights
{
	CrmConnection *conn;
	List	   *writes;
	int			next;			/* the first of them that has not left */
	int			width;
	Flight	   *places;
	bool		refused;		/* one was: no more leave */
} Flights;

static void
note_outcome(Flights *flights, const Flight *flight)
{
	if (flight->write->outcome == CRM_REFUSED)
		flights->refused = true;
}

static void
fill_places(Flights *flights)
{
	for (int i = 0; i < flights->width; i++)
	{
		Flight	   *flight = &flights->places[i];

		if (flight->write || flights->refused || flights->next == list_length(flights->writes))
			continue;
		flight->conn = flights->conn;
		flight->write = list_nth(flights->writes, flights->next++);
		crm_odata_try(flight->write, take_off, flight);
		note_outcome(flights, flight);
	}
}

/* One that has its answer, or never left; NULL: none is under way. */
static Flight *
next_to_land(Flights *flights)
{
	CrmHttpExchange **exchanges = palloc_array(CrmHttpExchange *, flights->width);
	Flight	  **waiting = palloc_array(Flight *, flights->width);
	int			n = 0;

	for (int i = 0; i < flights->width; i++)
	{
		Flight	   *flight = &flights->places[i];

		if (flight->write == NULL)
			continue;
		if (flight->exchange == NULL)
			return flight;
		waiting[n] = flight;
		exchanges[n++] = flight->exchange;
	}
	return n == 0 ? NULL : waiting[crm_http_wait_any(exchanges, n)];
}

static void
fly(Flights *flights)
{
	Flight	   *flight;

	fill_places(flights);
	while ((flight = next_to_land(flights)) != NULL)
	{
		if (flight->exchange)
			crm_odata_try(flight->write, land, flight);
		note_outcome(flights, flight);
		flight->write = NULL;
		fill_places(flights);
	}
}

/* Of those that nobody waits for any more. */
static void
note_left(Flights *flights)
{
	for (int i = 0; i < flights->width; i++)
	{
		Flight	   *flight = &flights->places[i];

		if (flight->write && flight->exchange)
			flight->write->not_done = !crm_http_has_left(flight->exchange);
	}
}

/* After one that is refused no more leave; those under way are waited for. */
static void
write_singly(CrmConnection *conn, List *writes)
{
	Flights		flights = {
		.conn = conn,.writes = writes,
		.width = Min(crm_http_max_connections(conn->http), list_length(writes))
	};

	flights.places = palloc0_array(Flight, flights.width);
	PG_TRY();
	{
		fly(&flights);
	}
	PG_CATCH();
	{
		note_left(&flights);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

static bool
is_refused(List *writes)
{
	ListCell   *lc;

	foreach(lc, writes)
		if (((CrmWrite *) lfirst(lc))->outcome == CRM_REFUSED)
			return true;
	return false;
}

/* In change sets, until one has a write that is refused. */
static void
write_in_batches(CrmConnection *conn, List *writes)
{
	for (int i = 0; i < list_length(writes); i += MOST_WRITES)
	{
		List	   *batch = NIL;

		for (int j = i; j < list_length(writes) && j < i + MOST_WRITES; j++)
			batch = lappend(batch, list_nth(writes, j));
		crm_odata_write_batch(conn, batch);
		if (is_refused(batch))
			break;
	}
}

void
crm_odata_write(CrmConnection *conn, List *writes)
{
	ListCell   *lc;

	foreach(lc, writes)
	{
		CrmWrite   *write = lfirst(lc);

		write->outcome = CRM_UNSENT;
		write->not_done = true;
		write->retry_after = -1;
	}
	if (conn->batch && list_length(writes) > 1)
		write_in_batches(conn, writes);
	else
		write_singly(conn, writes);
}
