/*
 * net/http.c
 *	  HTTP requests that a PostgreSQL backend can make safely.
 *
 * Ownership.  A session has what outlives a request: a multi handle, which
 * keeps the connections (none before the first request, nor where all sessions
 * together keep too many), and a share handle, which keeps cookies and TLS
 * sessions.  Sharing them makes each request free to have an easy handle of its
 * own, so that nothing of one request, options included, can reach the next.
 * All that is made for a request is in CrmHttpExchange, in a memory context of its
 * own; the context's callback, http_release, takes it away however the request
 * ends: answered, given up, forgotten in an ERROR that deletes the contexts, or
 * with the subtransaction that began it (crm_http_abandon_since).
 *
 * Sending twice.  When a connection that was kept alive turns out to be closed
 * before a byte of answer came, libcurl sends the request again on another one,
 * up to five times.  The server had most likely closed an idle connection, but
 * it may also have carried the request out.  A GET is therefore left to
 * libcurl, and counted as a retry; anything else is refused the second sending
 * and becomes a lost connection (08006), since only the layer above can find
 * out what became of it (a create carries its key, MERGE is absolute, DELETE
 * idempotent).  It stays rare: libcurl looks whether an idle connection has been
 * closed before it uses it, and by CURLOPT_MAXAGE_CONN does not use those idle
 * for longer than servers and proxies commonly keep them.
 */
#include "postgres.h"

#include <curl/curl.h>

#include "access/xact.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/memutils.h"

#include "net/exchange.h"
#include "net/sockets.h"
#include "net/url.h"

/*
 * CURLOPT_QUICK_EXIT is what lets a backend go while its name server is silent:
 * without it libcurl waits for the resolver's thread.
 */
#if LIBCURL_VERSION_NUM < 0x075700
#error "crm_sync needs libcurl 7.87 or later"
#endif

/* Before 8.6 libcurl had but one name for all that does not fit. */
#if LIBCURL_VERSION_NUM < 0x080600
#define CURLE_TOO_LARGE CURLE_OUT_OF_MEMORY
#endif

#define USER_AGENT "crm_sync/1.0"	/* default_version of crm_sync.control */
#define MOST_CHALLENGES 4		/* NTLM has two; libcurl would go on with Kerberos
								 * as long as it is asked */
#define BUFFER_SIZE 8192L		/* libcurl decompresses so much at one go */
#define DESCRIPTORS_OF_REQUEST 6	/* of the multi handle, of what waits, of both
									 * addresses of a host that is tried */
#define COOKIES_BETWEEN_COUNTS 500
#define MOST_COOKIES 200
#define MAX_IDLE_SECONDS 55L	/* proxies commonly keep 60, IIS 120 */

static const CrmHttpMethod methods[] = {
	{"GET", offsetof(CrmHttpCounters, get), false, true},
	{"POST", offsetof(CrmHttpCounters, post), true, false},
	{"MERGE", offsetof(CrmHttpCounters, merge), true, false},
	{"PUT", offsetof(CrmHttpCounters, put), true, false},
	{"DELETE", offsetof(CrmHttpCounters, delete), false, false}
};

int			crm_log_requests = DEBUG1;

static dlist_head sessions = DLIST_STATIC_INIT(sessions);
static dlist_head exchanges = DLIST_STATIC_INIT(exchanges); /* of all sessions */

static TimestampTz deadline = 0;
static const char *deadline_option = NULL;

/* ------------------------------------------------------------- session */

/* What the request adds to the session's counters, answered or not. */
static void
http_count(const CrmHttpExchange *exchange)
{
	CrmHttpCounters *counters = &exchange->session->counters;
	curl_off_t	received = 0;

	if (exchange->loop.easy == NULL)
		return;
	curl_easy_getinfo(exchange->loop.easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
	*(int64 *) ((char *) counters + exchange->method->counter) += 1;
	counters->bytes_sent += exchange->request.body_length;
	counters->bytes_received += received;
	counters->retries += Max(exchange->sendings - 1, 0);
	counters->errors += !exchange->answered || exchange->status >= 400 ? 1 : 0;
}

/* Takes away all that was made for a request but its memory. */
static void
http_release(void *arg)
{
	CrmHttpExchange *exchange = arg;
	CrmHttpSession *session = exchange->session;

	if (session == NULL)
		return;
	http_count(exchange);
	crm_loop_leave(&session->loop, &exchange->loop);
	exchange->session = NULL;
	dlist_delete(&exchange->node);
	if (exchange->loop.easy != NULL)
		curl_easy_cleanup(exchange->loop.easy);
	if (!exchange->loop.connected)
		crm_sockets_recount();
	curl_slist_free_all(exchange->headers);
	curl_slist_free_all(exchange->secrets);
	crm_answer_free(exchange);
	if (session->retired)
		crm_loop_rest(&session->loop);
}

static void
http_free_session(void *arg)
{
	CrmHttpSession *session = arg;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &exchanges)
	{
		CrmHttpExchange *exchange = dlist_container(CrmHttpExchange, node, iter.cur);

		if (exchange->session == session)
			http_release(exchange);
	}
	dlist_delete(&session->node);
	crm_loop_free(&session->loop);
	if (session->share != NULL)
		curl_share_cleanup(session->share);
}

/* The strings of settings, copied to the current memory context. */
static void
http_copy_settings(CrmHttpSettings *copy, const CrmHttpSettings *settings)
{
	*copy = *settings;
#define COPY_STRING(field) \
	copy->field = settings->field != NULL ? pstrdup(settings->field) : NULL
	COPY_STRING(username);
	COPY_STRING(password);
	COPY_STRING(ca_file);
	COPY_STRING(crl_file);
	COPY_STRING(client_cert);
	COPY_STRING(client_key);
	COPY_STRING(proxy);
#undef COPY_STRING
}

static bool
http_share(CURLSH *share, curl_lock_data what)
{
	return curl_share_setopt(share, CURLSHOPT_SHARE, what) == CURLSHE_OK;
}

static bool
http_make_handles(CrmHttpSession *session)
{
	static bool ready = false;

	if (!ready && curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
		return false;
	ready = true;

	session->share = curl_share_init();
	return session->share != NULL &&
		http_share(session->share, CURL_LOCK_DATA_COOKIE) &&
		http_share(session->share, CURL_LOCK_DATA_SSL_SESSION);
}

/*
 * The session's memory hangs under the caller's until all is made, so an ERROR
 * half way takes it, and by its callback the handles, along.
 */
CrmHttpSession *
crm_http_open(const CrmHttpSettings *settings)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "crm_sync HTTP session",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	CrmHttpSession *session = palloc0(sizeof(CrmHttpSession));
	MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));

	session->context = context;
	http_copy_settings(&session->settings, settings);
	crm_loop_init(&session->loop, session->settings.max_connections);
	dlist_push_tail(&sessions, &session->node);
	callback->func = http_free_session;
	callback->arg = session;
	MemoryContextRegisterResetCallback(context, callback);
	MemoryContextSwitchTo(caller);

	if (!http_make_handles(session))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not initialize libcurl")));
	MemoryContextSetParent(context, TopMemoryContext);
	return session;
}

void
crm_http_close(CrmHttpSession *session)
{
	MemoryContextDelete(session->context);
}

void
crm_http_retire(CrmHttpSession *session)
{
	session->retired = true;
	crm_loop_rest(&session->loop);
}

static bool
http_has_room(void)
{
	if (!crm_sockets_reserve(DESCRIPTORS_OF_REQUEST))
		return false;
	crm_sockets_unreserve(DESCRIPTORS_OF_REQUEST);
	return true;
}

/* Where descriptors run short, other sessions without a request give up theirs. */
static void
http_make_room(const CrmHttpSession *session)
{
	dlist_iter	iter;

	dlist_foreach(iter, &sessions)
	{
		CrmHttpSession *other = dlist_container(CrmHttpSession, node, iter.cur);

		if (http_has_room())
			break;
		if (other != session)
			crm_loop_rest(&other->loop);
	}
}

CrmHttpCounters *
crm_http_counters(CrmHttpSession *session)
{
	return &session->counters;
}

/* Milliseconds until the deadline; -1: there is none. */
static long
http_time_left(void)
{
	if (deadline == 0)
		return -1;
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
}

/* ------------------------------------------------------------- options */

/* Sets an option of a request; libcurl refuses only for want of memory. */
#define SET(option, value) \
	http_check_option(curl_easy_setopt(easy, option, value), #option)

static void
http_check_option(CURLcode code, const char *option)
{
	if (code != CURLE_OK)
		ereport(ERROR,
				(errcode(code == CURLE_OUT_OF_MEMORY ? ERRCODE_OUT_OF_MEMORY :
						 ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("could not set %s: %s", option, curl_easy_strerror(code))));
}

/* What is the same for every request of every session. */
static void
http_set_rules(CURL *easy)
{
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_TCP_NODELAY, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_MAXAGE_CONN, MAX_IDLE_SECONDS);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_PROXY_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_ACCEPT_ENCODING, CRM_ASKED_CODINGS);
	SET(CURLOPT_BUFFERSIZE, BUFFER_SIZE);
	SET(CURLOPT_USERAGENT, USER_AGENT);
	SET(CURLOPT_OPENSOCKETFUNCTION, crm_socket_open);
	SET(CURLOPT_CLOSESOCKETFUNCTION, crm_socket_close);
}

static const long auth_bits[] = {
	[CRM_HTTP_AUTH_NONE] = (long) CURLAUTH_NONE,
	[CRM_HTTP_AUTH_BASIC] = (long) CURLAUTH_BASIC,
	[CRM_HTTP_AUTH_NTLM] = (long) CURLAUTH_NTLM,
	[CRM_HTTP_AUTH_NEGOTIATE] = (long) CURLAUTH_NEGOTIATE
};

/*
 * A directory in which nobody is believed.  Later versions of libcurl take NULL for
 * their own one.  OpenSSL looks into it when it misses a certificate; others look at
 * once, and refuse one that is not there.
 */
static const char *
http_no_directory(void)
{
	const char *library = curl_version_info(CURLVERSION_NOW)->ssl_version;

	return library != NULL && strncmp(library, "OpenSSL", strlen("OpenSSL")) == 0 ? "/dev/null" : NULL;
}

/*
 * Whom the server must be known to, and a proxy that is spoken to by https: nobody else
 * than ca_file says.  libcurl would believe its own directory beside the file.
 */
static void
http_set_trust(CURL *easy, const CrmHttpSettings *settings)
{
	if (settings->ca_file != NULL)
	{
		SET(CURLOPT_CAINFO, settings->ca_file);
		SET(CURLOPT_CAPATH, http_no_directory());
		SET(CURLOPT_PROXY_CAINFO, settings->ca_file);
		SET(CURLOPT_PROXY_CAPATH, http_no_directory());
	}
	if (settings->crl_file != NULL)
	{
		SET(CURLOPT_CRLFILE, settings->crl_file);
		SET(CURLOPT_PROXY_CRLFILE, settings->crl_file);
	}
}

/* What the session was opened with. */
static void
http_set_session(CURL *easy, const CrmHttpSession *session)
{
	const CrmHttpSettings *settings = &session->settings;

	/* Contrary to its manual, sharing cookies does not yet turn them on. */
	SET(CURLOPT_SHARE, session->share);
	SET(CURLOPT_COOKIEFILE, "");
	SET(CURLOPT_PROXY, settings->proxy != NULL ? settings->proxy : "");
	/* libcurl's own 0 means five minutes. */
	SET(CURLOPT_CONNECTTIMEOUT_MS, settings->connect_timeout > 0 ?
		(long) settings->connect_timeout : (long) INT_MAX);
	http_set_trust(easy, settings);
	if (settings->client_cert != NULL)
		SET(CURLOPT_SSLCERT, settings->client_cert);
	if (settings->client_key != NULL)
		SET(CURLOPT_SSLKEY, settings->client_key);
	/* A login that a connection stands for: a proxy may have one for several clients. */
	if (settings->proxy != NULL && (settings->auth == CRM_HTTP_AUTH_NTLM ||
									settings->auth == CRM_HTTP_AUTH_NEGOTIATE))
		SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
	if (settings->auth != CRM_HTTP_AUTH_NONE)
	{
		SET(CURLOPT_HTTPAUTH, auth_bits[settings->auth]);
		SET(CURLOPT_USERNAME, settings->username != NULL ? settings->username : "");
		SET(CURLOPT_PASSWORD, settings->password != NULL ? settings->password : "");
	}
}

static void
http_add_header(CrmHttpExchange *exchange, const char *header)
{
	struct curl_slist *longer = curl_slist_append(exchange->headers, header);

	if (longer == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	exchange->headers = longer;
}

/* A line end in a header would begin another header, or the body. */
static void
http_set_headers(CURL *easy, CrmHttpExchange *exchange, List *headers)
{
	ListCell   *lc;

	foreach(lc, headers)
	{
		const char *header = lfirst(lc);

		if (strpbrk(header, "\r\n") != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("HTTP header contains a line break")));
		http_add_header(exchange, header);
	}
	http_add_header(exchange, "Expect:");
	SET(CURLOPT_HTTPHEADER, exchange->headers);
}

/* Called when the request is about to be sent: once more for a second sending. */
static int
http_allow_sending(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	CrmHttpExchange *exchange = arg;

	exchange->loop.connected = true;
	/* The answer was a challenge: a login in several steps, no second sending. */
	if (exchange->challenged)
	{
		if (++exchange->challenges > MOST_CHALLENGES)
		{
			crm_exchange_stop(exchange, STOP_CHALLENGES);
			return CURL_PREREQFUNC_ABORT;
		}
		exchange->challenged = false;
		return CURL_PREREQFUNC_OK;
	}
	if (exchange->sendings == 0 || exchange->method->safe)
	{
		exchange->sendings++;
		return CURL_PREREQFUNC_OK;
	}
	crm_exchange_stop(exchange, STOP_SECOND_SENDING);
	return CURL_PREREQFUNC_ABORT;
}

/* Called again and again while libcurl is at work, whatever it is at. */
static int
http_allow_going_on(void *arg, curl_off_t to_receive, curl_off_t received, curl_off_t to_send,
					curl_off_t sent)
{
	CrmHttpExchange *exchange = arg;

	return crm_loop_must_stop(&exchange->session->loop, &exchange->loop,
							  http_time_left() == 0) ? 1 : 0;
}

static void
http_set_request(CURL *easy, CrmHttpExchange *exchange, List *headers)
{
	const CrmHttpRequest *request = &exchange->request;

	SET(CURLOPT_URL, request->url);
	if (request->body != NULL || exchange->method->has_body)
	{
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t) (request->body != NULL ? request->body_length : 0));
		SET(CURLOPT_POSTFIELDS, request->body != NULL ? request->body : "");
	}
	SET(CURLOPT_CUSTOMREQUEST, request->tunnelled ? "POST" : exchange->method->name);
	if (request->tunnelled)
		http_add_header(exchange, psprintf("X-HTTP-Method: %s", exchange->method->name));
	http_set_headers(easy, exchange, headers);

	SET(CURLOPT_ERRORBUFFER, exchange->words);
	SET(CURLOPT_HEADERFUNCTION, crm_answer_take_header);
	SET(CURLOPT_HEADERDATA, exchange);
	SET(CURLOPT_WRITEFUNCTION, crm_answer_take_body);
	SET(CURLOPT_WRITEDATA, exchange);
	SET(CURLOPT_PREREQFUNCTION, http_allow_sending);
	SET(CURLOPT_PREREQDATA, exchange);
	SET(CURLOPT_XFERINFOFUNCTION, http_allow_going_on);
	SET(CURLOPT_XFERINFODATA, exchange);
	SET(CURLOPT_NOPROGRESS, 0L);
	/* Without VERBOSE it is not called; with it nothing is printed. */
	SET(CURLOPT_DEBUGFUNCTION, crm_answer_see_sent);
	SET(CURLOPT_DEBUGDATA, exchange);
	SET(CURLOPT_VERBOSE, 1L);
}

/* The cookies are the share handle's, which only a request's handle can reach. */
void
crm_http_forget_cookies(CrmHttpSession *session)
{
	CURL	   *easy = curl_easy_init();
	bool		done = easy != NULL &&
		curl_easy_setopt(easy, CURLOPT_SHARE, session->share) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_COOKIELIST, "ALL") == CURLE_OK;

	curl_easy_cleanup(easy);
	if (!done)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
}

/* ------------------------------------------------------------- request */

static const CrmHttpMethod *
http_method(const char *name)
{
	for (int i = 0; i < lengthof(methods); i++)
	{
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	}
	elog(ERROR, "unknown HTTP method \"%s\"", name);
}

/* An exchange that goes with the current memory context, with nothing in it yet. */
/*
 * libcurl keeps any number.  No server that means well comes near it; from one that
 * gives each answer new names all are forgotten, and a login is made again.
 */
static void
http_limit_cookies(CrmHttpSession *session, CURL *easy)
{
	struct curl_slist *cookies = NULL;
	int			n = 0;

	if (session->cookies < COOKIES_BETWEEN_COUNTS)
		return;
	session->cookies = 0;
	if (curl_easy_getinfo(easy, CURLINFO_COOKIELIST, &cookies) == CURLE_OK)
		for (struct curl_slist *cookie = cookies; cookie != NULL; cookie = cookie->next)
			n++;
	curl_slist_free_all(cookies);
	if (n > MOST_COOKIES)
		SET(CURLOPT_COOKIELIST, "ALL");
}

static CrmHttpExchange *
http_make_exchange(CrmHttpSession *session, const CrmHttpRequest *request)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "crm_sync HTTP request",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	CrmHttpExchange *exchange = palloc0(sizeof(CrmHttpExchange));
	MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));

	exchange->context = context;
	exchange->subtransaction = GetCurrentSubTransactionId();
	exchange->method = http_method(request->method);
	exchange->request = *request;
	exchange->request.method = exchange->method->name;
	exchange->request.url = pstrdup(request->url);
	exchange->request.shown = pstrdup(request->shown ? request->shown : request->url);
	if (request->body != NULL)
		exchange->request.body = memcpy(palloc_extended(request->body_length + 1,
														MCXT_ALLOC_HUGE),
										request->body, request->body_length);
	else
		exchange->request.body_length = 0;
	callback->func = http_release;
	callback->arg = exchange;
	MemoryContextRegisterResetCallback(context, callback);
	MemoryContextSwitchTo(caller);

	exchange->session = session;
	dlist_push_tail(&exchanges, &exchange->node);
	return exchange;
}

static void
http_begin(CrmHttpExchange *exchange, List *headers)
{
	CrmHttpSession *session = exchange->session;
	CURL	   *easy = curl_easy_init();

	if (easy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	exchange->loop.easy = easy;
	exchange->loop.connect_limit = session->settings.connect_timeout;
	exchange->loop.limit = session->settings.request_timeout;
	http_set_rules(easy);
	http_set_session(easy, session);
	http_limit_cookies(session, easy);
	http_set_request(easy, exchange, headers);
	exchange->started = crm_loop_now();
	http_make_room(session);
	crm_loop_start(&session->loop, &exchange->loop);
}

CrmHttpExchange *
crm_http_start(CrmHttpSession *session, const CrmHttpRequest *request)
{
	CrmHttpExchange *exchange;

	if (http_time_left() == 0)
		crm_failure_raise_timeout(request->url, deadline_option);
	crm_failure_check_silence(session, request->url);
	exchange = http_make_exchange(session, request);
	PG_TRY();
	{
		http_begin(exchange, request->headers);
	}
	PG_CATCH();
	{
		crm_http_abandon(exchange);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return exchange;
}

void
crm_http_abandon(CrmHttpExchange *exchange)
{
	MemoryContextDelete(exchange->context);
}

void
crm_http_abandon_since(SubTransactionId subtransaction)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &exchanges)
	{
		CrmHttpExchange *exchange = dlist_container(CrmHttpExchange, node, iter.cur);

		if (exchange->subtransaction >= subtransaction)
			http_release(exchange);
	}
}

/* -------------------------------------------------------------- answer */

/* The verdict is there: the answer, or the ERROR in its place. */
static CrmHttpResponse *
http_conclude(CrmHttpExchange *exchange)
{
	CURLcode	code = exchange->loop.verdict;
	CrmHttpResponse *response;

	/* What libcurl was stopped for: http_allow_going_on. */
	if (code == CURLE_ABORTED_BY_CALLBACK && exchange->stop == STOP_NOT)
	{
		CHECK_FOR_INTERRUPTS();
		if (http_time_left() == 0)
			crm_failure_raise_timeout(exchange->request.url, deadline_option);
	}
	/* A single header beyond 100 kB is too large for libcurl itself. */
	if (code == CURLE_TOO_LARGE && exchange->header_size > 0 &&
		!exchange->header_complete)
		crm_exchange_stop(exchange, STOP_HEADER_SIZE);
	/* A connection closed amid the headers is a whole answer to libcurl. */
	if (code == CURLE_OK && !exchange->header_complete)
		crm_exchange_stop(exchange, STOP_HEADER_CUT);
	if (exchange->stop != STOP_CHALLENGES && (code != CURLE_OK || exchange->stop != STOP_NOT))
		crm_failure_raise(exchange, code);
	response = crm_answer_copy(exchange);
	exchange->status = response->status;
	exchange->answered = true;
	return response;
}

void
crm_http_used_by(CrmHttpSession *session, Oid role)
{
	MemoryContext before = MemoryContextSwitchTo(session->context);

	session->users = list_append_unique_oid(session->users, role);
	MemoryContextSwitchTo(before);
}

/* Of who gets the messages: SET ROLE and SECURITY DEFINER change nothing about that. */
static bool
http_may_tell(const CrmHttpSession *session)
{
	ListCell   *lc;

	foreach(lc, session->users)
		if (!has_privs_of_role(GetSessionUserId(), lfirst_oid(lc)))
			return false;
	return true;
}

static void
http_log(const CrmHttpExchange *exchange, const CrmHttpResponse *response)
{
	char	   *line;

	if (!message_level_is_interesting(crm_log_requests))
		return;
	line = psprintf("%s %s: %d, %zu bytes, %.1f ms", exchange->request.method,
					exchange->request.shown, response->status, response->body_length,
					exchange->loop.spent);
	if (http_may_tell(exchange->session))
		ereport(crm_log_requests,
				(errmsg_internal("crm_sync: %s", line), errhidestmt(true), errhidecontext(true)));
	else
		ereport(crm_log_requests,
				(errmsg_internal("crm_sync: a request"), errdetail_log("crm_sync: %s", line),
				 errhidestmt(true), errhidecontext(true)));
	pfree(line);
}

/* Lets the session's requests go on until something happens. */
static void
http_step(CrmHttpSession *session, const char *url)
{
	double		began = crm_loop_now();
	long		left = http_time_left();

	if (left == 0)
		crm_failure_raise_timeout(url, deadline_option);
	crm_loop_step(&session->loop, left > 0 ? began + left : 0);
	session->counters.milliseconds += crm_loop_now() - began;
}

static void
http_check_kept(const CrmHttpExchange *exchange)
{
	if (exchange->session == NULL)
		elog(ERROR, "the HTTP request has ended with the subtransaction that began it");
}

int
crm_http_wait_any(CrmHttpExchange *const *awaited, int n)
{
	for (;;)
	{
		for (int i = 0; i < n; i++)
		{
			http_check_kept(awaited[i]);
			if (awaited[i]->loop.done)
				return i;
		}
		http_step(awaited[0]->session, awaited[0]->request.url);
	}
}

bool
crm_http_has_left(const CrmHttpExchange *exchange)
{
	return exchange->sendings > 0;
}

int
crm_http_status(const CrmHttpExchange *exchange)
{
	long		status = 0;

	curl_easy_getinfo(exchange->loop.easy, CURLINFO_RESPONSE_CODE, &status);
	return (int) status;
}

static CrmHttpResponse *
http_await(CrmHttpExchange *exchange)
{
	CrmHttpResponse *response;

	crm_http_wait_any(&exchange, 1);
	response = http_conclude(exchange);
	http_log(exchange, response);
	return response;
}

CrmHttpResponse *
crm_http_wait(CrmHttpExchange *exchange)
{
	CrmHttpResponse *response;

	PG_TRY();
	{
		response = http_await(exchange);
	}
	PG_CATCH();
	{
		crm_http_abandon(exchange);
		PG_RE_THROW();
	}
	PG_END_TRY();

	crm_http_abandon(exchange);
	return response;
}

CrmHttpResponse *
crm_http_send(CrmHttpSession *session, const CrmHttpRequest *request)
{
	return crm_http_wait(crm_http_start(session, request));
}

int
crm_http_max_connections(const CrmHttpSession *session)
{
	return session->settings.max_connections;
}

void
crm_http_pause(long milliseconds)
{
	long		left = http_time_left();

	crm_loop_pause(left >= 0 ? Min(left, milliseconds) : milliseconds);
}

void
crm_http_set_deadline(TimestampTz moment, const char *option_name)
{
	deadline = moment;
	deadline_option = option_name;
}

TimestampTz
crm_http_get_deadline(const char **option_name)
{
	*option_name = deadline_option;
	return deadline;
}
