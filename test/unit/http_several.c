/*
 * test/unit/http_several.c
 *	  net/http.h with several requests under way, against peer.py.
 */
#include "postgres.h"

#include <dirent.h>
#include <malloc.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

#include "net/http.h"

#include "unit.h"

#define CONNECTIONS 8

static CrmHttpSession *
open_session(int request_timeout)
{
	CrmHttpSettings settings = {
		.connect_timeout = 5000,
		.request_timeout = request_timeout,
		.max_connections = CONNECTIONS,
		.max_response_size = INT64CONST(1) << 40
	};

	return crm_http_open(&settings);
}

static CrmHttpExchange *
start(CrmHttpSession *session, const char *method, const char *path)
{
	CrmHttpRequest request = {
		.method = method,
		.url = psprintf("http://127.0.0.1:%d%s", unit_peer, path)
	};

	return crm_http_start(session, &request);
}

static CrmHttpExchange *
start_get(CrmHttpSession *session, const char *path)
{
	return start(session, "GET", path);
}

static char *
get(CrmHttpSession *session, const char *path)
{
	return crm_http_wait(start_get(session, path))->body;
}

static int
descriptors(void)
{
	DIR		   *dir = opendir("/proc/self/fd");
	int			n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* ------------------------------------------------------------ together */

static void
test_at_once(void)
{
	CrmHttpSession *session = open_session(0);
	CrmHttpExchange *exchanges[CONNECTIONS];

	for (int i = 0; i < CONNECTIONS; i++)
		exchanges[i] = start_get(session, psprintf("/meet?%d", CONNECTIONS));
	for (int i = CONNECTIONS - 1; i >= 0; i--)
		CHECK_STR(crm_http_wait(exchanges[i])->body, "met");
	CHECK_INT(crm_http_counters(session)->get, CONNECTIONS);
	crm_http_close(session);
}

static void
test_no_more_at_once(void)
{
	CrmHttpSession *session = open_session(0);
	CrmHttpExchange *exchanges[3 * CONNECTIONS];

	CHECK_INT(crm_http_max_connections(session), CONNECTIONS);
	for (int i = 0; i < lengthof(exchanges); i++)
		exchanges[i] = start_get(session, "/crowd");
	for (int i = 0; i < lengthof(exchanges); i++)
		CHECK_INT(crm_http_wait(exchanges[i])->status, 200);
	CHECK_STR(get(session, "/crowd?0"), psprintf("%d", CONNECTIONS));
	crm_http_close(session);
}

/* Each gets its own answer, whichever comes first. */
static void
test_any(void)
{
	CrmHttpSession *session = open_session(0);
	CrmHttpExchange *exchanges[3];

	exchanges[0] = start_get(session, "/hang");
	exchanges[1] = start_get(session, "/refuse");
	exchanges[2] = start_get(session, "/slow?1500");
	CHECK_INT(crm_http_wait_any(exchanges, 3), 1);
	CHECK_INT(crm_http_wait_any(exchanges, 3), 1);
	CHECK_INT(crm_http_wait(exchanges[1])->status, 500);
	exchanges[1] = exchanges[2];
	CHECK_INT(crm_http_wait_any(exchanges, 2), 1);
	CHECK_STR(crm_http_wait(exchanges[1])->body, "slow");
	crm_http_abandon(exchanges[0]);
	CHECK_STR(get(session, "/hello"), "hello");
	crm_http_close(session);
}

/* One that fails is no business of the others. */
static void
test_one_fails(void)
{
	CrmHttpSession *session = open_session(0);
	CrmHttpExchange *cut = start_get(session, "/cut");
	CrmHttpExchange *slow = start_get(session, "/slow?200");

	CHECK_ERROR("08006", crm_http_wait(cut));
	CHECK_STR(crm_http_wait(slow)->body, "slow");
	CHECK_INT(crm_http_counters(session)->errors, 1);
	crm_http_close(session);
}

static void
test_writes(void)
{
	CrmHttpSession *session = open_session(0);
	CrmHttpExchange *exchanges[CONNECTIONS];
	char		body[] = "kept";

	for (int i = 0; i < CONNECTIONS; i++)
	{
		CrmHttpRequest request = {
			.method = "POST",
			.url = psprintf("http://127.0.0.1:%d/echo?%d", unit_peer, i),
			.body = body,
			.body_length = strlen(body)
		};

		exchanges[i] = crm_http_start(session, &request);
	}
	memset(body, 'x', strlen(body));
	for (int i = 0; i < CONNECTIONS; i++)
	{
		char	   *echo = crm_http_wait(exchanges[i])->body;

		CHECK_CONTAINS(echo, psprintf("POST /echo?%d\n", i));
		CHECK_CONTAINS(echo, "\nkept");
	}
	crm_http_close(session);
}

/* Connections that die under several writes: each has left once. */
static void
test_writes_leave_once(void)
{
	CrmHttpSession *session = open_session(0);
	CrmHttpExchange *exchanges[CONNECTIONS];
	int			before = atoi(get(session, "/count?/empty"));

	for (int i = 0; i < CONNECTIONS; i++)
		exchanges[i] = start_get(session, psprintf("/meet?%d", CONNECTIONS));
	for (int i = 0; i < CONNECTIONS; i++)
		crm_http_wait(exchanges[i]);
	for (int i = 0; i < CONNECTIONS; i++)
		exchanges[i] = start(session, "DELETE", "/empty");
	for (int i = 0; i < CONNECTIONS; i++)
		CHECK_ERROR("08006", crm_http_wait(exchanges[i]));
	CHECK_INT(atoi(get(session, "/count?/empty")) - before, CONNECTIONS);
	CHECK_INT(crm_http_counters(session)->delete, CONNECTIONS);
	CHECK_INT(crm_http_counters(session)->retries, 0);
	crm_http_close(session);
}

/* ---------------------------------------------------------------- time */

/* The answer came while we were busy: nobody can say that it took too long. */
static void
test_busy(void)
{
	CrmHttpSession *session = open_session(500);
	CrmHttpExchange *exchange = start_get(session, "/hello");

	pg_usleep(1000000);
	CHECK_STR(crm_http_wait(exchange)->body, "hello");
	exchange = start_get(session, "/hello");
	pg_usleep(1000000);
	CHECK_STR(crm_http_wait(exchange)->body, "hello");
	crm_http_close(session);
}

static void
test_deadline(void)
{
	CrmHttpSession *session = open_session(0);
	CrmHttpExchange *exchanges[2];

	exchanges[0] = start_get(session, "/hang");
	exchanges[1] = start_get(session, "/hang");
	crm_http_set_deadline(TimestampTzPlusMilliseconds(GetCurrentTimestamp(), 300),
						  "commit_timeout");
	CHECK_ERROR("08006", crm_http_wait_any(exchanges, 2));
	CHECK_ERROR("08006", crm_http_wait(exchanges[0]));
	CHECK_STR(unit_error->hint, "The limit is the option \"commit_timeout\".");
	crm_http_set_deadline(0, NULL);
	crm_http_abandon(exchanges[1]);
	crm_http_close(session);
}

/* ----------------------------------------------------- nothing is left */

static void
test_memory_context(void)
{
	CrmHttpSession *session = open_session(0);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "forgotten",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller;
	int			before;

	get(session, "/hello");
	before = descriptors();
	caller = MemoryContextSwitchTo(context);
	for (int i = 0; i < 3 * CONNECTIONS; i++)
		start_get(session, "/drip");
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	CHECK_STR(get(session, "/hello"), "hello");
	CHECK(descriptors() <= before + 1);
	crm_http_close(session);
}

/* A subtransaction that fails ends what it began, and no more. */
static void
test_subtransaction(void)
{
	CrmHttpSession *session = open_session(0);
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	CrmHttpExchange *outer = start_get(session, "/slow?100");
	CrmHttpExchange *inner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	inner = start_get(session, "/hello");
	crm_http_abandon_since(GetCurrentSubTransactionId());
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	CHECK_ERROR("XX000", crm_http_wait(inner));
	CHECK_STR(crm_http_wait(outer)->body, "slow");
	crm_http_close(session);
}

static void
test_session_first(void)
{
	int			before = descriptors();
	CrmHttpSession *session = open_session(0);
	CrmHttpExchange *exchange = start_get(session, "/hang");

	crm_http_close(session);
	CHECK_INT(descriptors(), before);
	crm_http_abandon(exchange);
}

static void
cancel_several(CrmHttpSession *session, int times)
{
	static const char *const paths[] = {"/hang", "/drip", "/endless", "/zip-bomb", "/slow?2000"};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "cancelled",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);

	for (int i = 0; i < times; i++)
	{
		CrmHttpExchange *exchanges[CONNECTIONS] = {NULL};

		enable_timeout_after(STATEMENT_TIMEOUT, 1 + i % 7);
		CHECK_ERROR("57014", {
			for (int j = 0; j < CONNECTIONS; j++)
				exchanges[j] = start_get(session, paths[(i + j) % lengthof(paths)]);
			for (;;)
				crm_http_wait(exchanges[crm_http_wait_any(exchanges, CONNECTIONS)]);
		});
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(caller);
}

static void
test_cancel_several(void)
{
	CrmHttpSession *session = open_session(0);
	int			before;
	size_t		memory;
	long		grown;

	cancel_several(session, 50);
	pg_usleep(50000);
	before = descriptors();
	memory = mallinfo2().uordblks + mallinfo2().hblkhd;
	cancel_several(session, unit_long ? 10000 : 1000);
	pg_usleep(50000);
	grown = (long) (mallinfo2().uordblks + mallinfo2().hblkhd - memory);
	CHECK_INT(descriptors(), before);
	CHECK(grown < 100000);
	if (grown >= 100000)
		unit_note("grown by %ld bytes", grown);
	CHECK_STR(get(session, "/hello"), "hello");
	crm_http_close(session);
}

/*
 * A cancel that is caught ends nothing but the wait: what was under way beside it,
 * begun before by somebody else, is answered.  At any moment of libcurl's work.
 */
static void
test_cancel_beside(void)
{
	CrmHttpSession *session = open_session(0);

	for (int i = 0; i < 12; i++)
	{
		CrmHttpExchange *beside = start_get(session, "/zip-large");

		enable_timeout_after(STATEMENT_TIMEOUT, 15 + 3 * i);
		CHECK_ERROR("57014", get(session, "/hang"));
		CHECK_INT(crm_http_wait(beside)->status, 200);
	}
	crm_http_close(session);
}

/* Where descriptors are short, a session's own connection is not given up for it. */
static void
test_few_descriptors(void)
{
	CrmHttpSession *session = open_session(0);
	char	   *connection = get(session, "/connection");
	int			taken = 0;

	while (AcquireExternalFD())
		taken++;
	for (int i = 0; i < 4 && taken > 0; i++, taken--)
		ReleaseExternalFD();
	CHECK_STR(get(session, "/connection"), connection);
	while (taken-- > 0)
		ReleaseExternalFD();
	crm_http_close(session);
}

static const UnitTest tests[] = {
	{"are under way together", test_at_once},
	{"are no more at once than the session has connections", test_no_more_at_once},
	{"are answered in any order", test_any},
	{"fail one by one", test_one_fails},
	{"keep what they send", test_writes},
	{"leave once, unless they only read", test_writes_leave_once},
	{"do not time out while nobody waits", test_busy},
	{"keep a deadline", test_deadline},
	{"end with their memory context", test_memory_context},
	{"end with their subtransaction", test_subtransaction},
	{"end with their session", test_session_first},
	{"are not ended by the cancel of another one", test_cancel_beside},
	{"keep their connection where descriptors are short", test_few_descriptors},
	{"leave nothing behind after 1000 cancels of 8 at once", test_cancel_several},
};

UNIT_SUITE("http_several", tests)
