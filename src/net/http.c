/*
 * net/http.c
 *	  HTTP requests that a PostgreSQL backend can make safely.
 *
 * Ownership.  A session has what outlives a request: a multi handle, which
 * keeps the connections, and a share handle, which keeps cookies and TLS
 * sessions.  Sharing them makes each request free to have an easy handle of its
 * own, so that nothing of one request, options included, can reach the next.
 * All that is made for a request is in CrmHttpExchange, in a memory context of its
 * own; the context's callback, http_release, takes it away however the request
 * ends: answered, given up, forgotten in an ERROR that deletes the contexts, or
 * with the subtransaction that began it (crm_http_abandon_since).
 *
 * Callbacks.  libcurl's stack can't be jumped over: what it calls here uses
 * malloc, notes what went wrong and lets libcurl give up; the ERROR follows
 * when libcurl has returned.
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
#include "utils/memutils.h"

#include "compat.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/sockets.h"
#include "net/url.h"
#include "net/words.h"

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
#define ASKED_CODINGS "gzip, deflate"
#define MAX_HEADER_SIZE (256 * 1024)	/* the words for it: stops */
#define MOST_CHALLENGES 4		/* NTLM has two; libcurl would go on with Kerberos
								 * as long as it is asked */
#define BUFFER_SIZE 8192L		/* libcurl decompresses so much at one go */
#define MAX_IDLE_SECONDS 55L	/* proxies commonly keep 60, IIS 120 */

/* What is kept of an answer's headers. */
typedef enum HttpHeader
{
	HEADER_CONTENT_TYPE,
	HEADER_LOCATION,
	HEADER_DATE,
	HEADER_RETRY_AFTER,
	HEADER_COUNT
} HttpHeader;

static const char *const header_names[HEADER_COUNT] = {
	[HEADER_CONTENT_TYPE] = "Content-Type",
	[HEADER_LOCATION] = "Location",
	[HEADER_DATE] = "Date",
	[HEADER_RETRY_AFTER] = "Retry-After"
};

typedef struct HttpMethod
{
	const char *name;
	size_t		counter;		/* where in CrmHttpCounters */
	bool		has_body;		/* Content-Length is sent though it be 0 */
	bool		safe;			/* libcurl may send it again unasked */
} HttpMethod;

static const HttpMethod methods[] = {
	{"GET", offsetof(CrmHttpCounters, get), false, true},
	{"POST", offsetof(CrmHttpCounters, post), true, false},
	{"MERGE", offsetof(CrmHttpCounters, merge), true, false},
	{"PUT", offsetof(CrmHttpCounters, put), true, false},
	{"DELETE", offsetof(CrmHttpCounters, delete), false, false}
};

/* Why a request fails that libcurl alone would not have let fail. */
typedef enum HttpStop
{
	STOP_NOT,
	STOP_BODY_SIZE,
	STOP_HEADER_SIZE,
	STOP_HEADER_CUT,
	STOP_CODINGS,
	STOP_OTHER_CODING,
	STOP_NO_MEMORY,
	STOP_SECOND_SENDING,
	STOP_CHALLENGES				/* the latest of them is the answer */
} HttpStop;

/* All that is made for one request. */
struct CrmHttpExchange
{
	dlist_node	node;			/* in exchanges */
	CrmHttpSession *session;	/* NULL: released */
	MemoryContext context;		/* holds the exchange itself */
	SubTransactionId subtransaction;	/* that began it */
	CrmHttpRequest request;		/* method, URL and body, copied */
	const HttpMethod *method;
	CrmLoopRequest loop;		/* its easy handle is NULL until it is made */
	struct curl_slist *headers;
	struct curl_slist *secrets; /* as in CrmHttpResponse */
	int			sendings;		/* of this request, by libcurl */
	HttpStop	stop;
	size_t		header_size;	/* of all the answer's headers so far */
	int			codings;		/* that the answer says its body is packed in */
	bool		header_complete;
	bool		challenged;		/* the latest answer is 401 or 407 */
	int			challenges;		/* that were taken up */
	char	   *header[HEADER_COUNT];	/* malloc'd values */
	char	   *body;			/* malloc'd */
	size_t		body_size;		/* allocated */
	size_t		body_length;
	double		started;		/* by crm_loop_now */
	bool		answered;		/* as crm_http_wait has found */
	int			status;
	char		words[CURL_ERROR_SIZE];
};

struct CrmHttpSession
{
	MemoryContext context;		/* holds the session itself */
	CrmHttpSettings settings;
	CrmHttpCounters counters;
	CURLSH	   *share;
	CrmLoop		loop;
	char	   *silent;			/* a URL whose server let connect_timeout pass */
	double		silent_since;	/* by crm_loop_now */
};

/*
 * Who lets connect_timeout pass is left alone for so long, in milliseconds: not each
 * statement is to wait for it anew.
 */
#define SILENCE 10000

int			crm_log_requests = DEBUG1;

static dlist_head exchanges = DLIST_STATIC_INIT(exchanges); /* of all sessions */

static TimestampTz deadline = 0;
static char deadline_option[NAMEDATALEN];

/* ------------------------------------------------------------ failures */

typedef enum HttpFailure
{
	FAILURE_LOST,				/* also what no line of a table names */
	FAILURE_CONNECT,
	FAILURE_TIMEOUT,
	FAILURE_REQUEST,
	FAILURE_BODY_SIZE,
	FAILURE_HEADER_SIZE,
	FAILURE_MEMORY
} HttpFailure;

typedef struct HttpWords
{
	int			sqlstate;
	const char *message;		/* its %s is the server's origin */
} HttpWords;

static const HttpWords failures[] = {
	[FAILURE_LOST] = {ERRCODE_CONNECTION_FAILURE,
	"lost the connection to CDMS server at \"%s\""},
	[FAILURE_CONNECT] = {ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
	"could not connect to CDMS server at \"%s\""},
	[FAILURE_TIMEOUT] = {ERRCODE_CONNECTION_FAILURE,
	"request to CDMS server at \"%s\" timed out"},
	[FAILURE_REQUEST] = {ERRCODE_INVALID_PARAMETER_VALUE,
	"could not make a request to CDMS server at \"%s\""},
	[FAILURE_BODY_SIZE] = {ERRCODE_PROGRAM_LIMIT_EXCEEDED,
	"answer of CDMS server at \"%s\" is too large"},
	[FAILURE_HEADER_SIZE] = {ERRCODE_PROGRAM_LIMIT_EXCEEDED,
	"answer of CDMS server at \"%s\" has too many headers"},
	[FAILURE_MEMORY] = {ERRCODE_OUT_OF_MEMORY,
	"out of memory during a request to CDMS server at \"%s\""}
};

#define HINT_HOST "Check the host name in the option \"url\"."
#define HINT_SERVER "Check that the server runs, and its host and port in the option \"url\"."
#define HINT_PROXY "Check the option \"proxy\"."
#define HINT_TLS "The server must speak TLS 1.2 or later on this port."
#define HINT_TRUST \
	"The option \"ca_file\" names the certificates to trust, \"crl_file\" those that were revoked."
#define HINT_CA_FILE "Check the option \"ca_file\"."
#define HINT_CRL_FILE "Check the option \"crl_file\"."
#define HINT_CLIENT_CERT "Check the options \"client_cert\" and \"client_key\"."
#define HINT_SCHEME "A URL begins with http:// or https://."
#define HINT_URL "Check the option \"url\"."
#define HINT_LOGIN "User name and password belong to the user mapping, not to a URL."

typedef struct HttpVerdict
{
	CURLcode	code;
	HttpFailure failure;
	const char *hint;
} HttpVerdict;

static const HttpVerdict verdicts[] = {
	{CURLE_UNSUPPORTED_PROTOCOL, FAILURE_REQUEST, HINT_SCHEME},
	{CURLE_URL_MALFORMAT, FAILURE_REQUEST, HINT_URL},
	{CURLE_LOGIN_DENIED, FAILURE_REQUEST, HINT_LOGIN},
	{CURLE_OUT_OF_MEMORY, FAILURE_MEMORY, NULL},

	{CURLE_COULDNT_RESOLVE_HOST, FAILURE_CONNECT, HINT_HOST},
	{CURLE_COULDNT_RESOLVE_PROXY, FAILURE_CONNECT, HINT_PROXY},
	{CURLE_PROXY, FAILURE_CONNECT, HINT_PROXY},
	{CURLE_COULDNT_CONNECT, FAILURE_CONNECT, HINT_SERVER},

	{CURLE_SSL_CONNECT_ERROR, FAILURE_CONNECT, HINT_TLS},
	{CURLE_SSL_CIPHER, FAILURE_CONNECT, HINT_TLS},
	{CURLE_PEER_FAILED_VERIFICATION, FAILURE_CONNECT, HINT_TRUST},
	{CURLE_SSL_ISSUER_ERROR, FAILURE_CONNECT, HINT_TRUST},
	{CURLE_SSL_CACERT_BADFILE, FAILURE_CONNECT, HINT_CA_FILE},
	{CURLE_SSL_CRL_BADFILE, FAILURE_CONNECT, HINT_CRL_FILE},
	{CURLE_SSL_CERTPROBLEM, FAILURE_CONNECT, HINT_CLIENT_CERT},
	{CURLE_SSL_CLIENTCERT, FAILURE_CONNECT, HINT_CLIENT_CERT},

	{CURLE_OPERATION_TIMEDOUT, FAILURE_TIMEOUT, NULL}
};

typedef struct HttpStopWords
{
	HttpFailure failure;
	const char *detail;
	const char *hint;
} HttpStopWords;

static const HttpStopWords stops[] = {
	[STOP_BODY_SIZE] = {FAILURE_BODY_SIZE, NULL,
	"The limit is the option \"max_response_size\"."},
	[STOP_HEADER_SIZE] = {FAILURE_HEADER_SIZE,
	"At most 256 kB of headers are read, and 100 kB of a single one.", NULL},
	[STOP_HEADER_CUT] = {FAILURE_LOST,
	"It was closed before all headers of the answer had come.", NULL},
	[STOP_CODINGS] = {FAILURE_LOST,
	"Its body is packed more than once.", NULL},
	[STOP_OTHER_CODING] = {FAILURE_LOST,
	"Its body is packed in a way that was not asked for.", NULL},
	[STOP_NO_MEMORY] = {FAILURE_MEMORY, NULL, NULL},
	[STOP_SECOND_SENDING] = {FAILURE_LOST,
	"It was closed before the request was answered, which may have been carried out.", NULL}
};

pg_noreturn static void http_raise(HttpFailure failure, const char *url, const char *detail,
								   const char *hint);
pg_noreturn static void http_raise_timeout(const char *url, const char *option);
pg_noreturn static void http_raise_verdict(CrmHttpExchange *exchange, const char *url,
										   CURLcode code);

static void
http_raise(HttpFailure failure, const char *url, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(failures[failure].sqlstate),
			 errmsg(failures[failure].message, crm_url_origin(url)),
			 detail != NULL ? errdetail_internal("%s", detail) : 0,
			 hint != NULL ? errhint("%s", hint) : 0));
}

/* The ERROR for a limit of time that option set. */
static void
http_raise_timeout(const char *url, const char *option)
{
	http_raise(FAILURE_TIMEOUT, url, NULL,
			   psprintf("The limit is the option \"%s\".", option));
}

static void
http_note_silence(CrmHttpSession *session, const char *url)
{
	char	   *copy = MemoryContextStrdup(session->context, url);

	if (session->silent != NULL)
		pfree(session->silent);
	session->silent = copy;
	session->silent_since = crm_loop_now();
}

static void
http_check_silence(const CrmHttpSession *session, const char *url)
{
	if (session->silent != NULL && crm_loop_now() < session->silent_since + SILENCE &&
		crm_url_same_origin(session->silent, url))
		http_raise(FAILURE_CONNECT, url, "It did not answer a moment ago.",
				   "It is tried again after ten seconds.");
}

/* The ERROR for the limit of time that the request reached. */
static void
http_raise_limit(const CrmHttpExchange *exchange, const char *url)
{
	const CrmLoopRequest *loop = &exchange->loop;

	if (loop->limit > 0 && loop->spent >= loop->limit)
		http_raise_timeout(url, "request_timeout");
	http_note_silence(exchange->session, url);
	http_raise_timeout(url, "connect_timeout");
}

/* What libcurl's verdict means. */
static HttpVerdict
http_judge(const CrmHttpExchange *exchange, CURLcode code)
{
	HttpVerdict refused_by_proxy = {code, FAILURE_CONNECT, HINT_PROXY};
	HttpVerdict lost = {code, FAILURE_LOST, NULL};
	long		proxy_status = 0;

	curl_easy_getinfo(exchange->loop.easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
	if (proxy_status >= 300)
		return refused_by_proxy;
	/* An answer that is not HTTP is an unsupported protocol, too. */
	if (code == CURLE_UNSUPPORTED_PROTOCOL && exchange->sendings > 0)
		return lost;

	for (int i = 0; i < lengthof(verdicts); i++)
	{
		if (verdicts[i].code == code)
			return verdicts[i];
	}
	return lost;
}

/* The ERROR for libcurl's verdict on a request. */
static void
http_raise_verdict(CrmHttpExchange *exchange, const char *url, CURLcode code)
{
	const HttpStopWords *stop = &stops[exchange->stop];
	HttpVerdict verdict = http_judge(exchange, code);

	if (exchange->stop != STOP_NOT)
		http_raise(stop->failure, url, stop->detail, stop->hint);
	if (verdict.failure == FAILURE_TIMEOUT)
		http_raise_limit(exchange, url);

	if (exchange->words[0] == '\0')
		strlcpy(exchange->words, curl_easy_strerror(code), sizeof(exchange->words));
	crm_words_clean(exchange->words);
	http_raise(verdict.failure, url, psprintf("%s.", exchange->words), verdict.hint);
}

/* ----------------------------------------------------------- callbacks */

/* Gives up for this reason: the value that libcurl takes for a failure. */
static size_t
http_stop(CrmHttpExchange *exchange, HttpStop reason)
{
	exchange->stop = reason;
	return 0;
}

static void
http_forget_headers(CrmHttpExchange *exchange)
{
	for (int i = 0; i < HEADER_COUNT; i++)
	{
		free(exchange->header[i]);
		exchange->header[i] = NULL;
	}
	exchange->codings = 0;
	exchange->header_complete = false;
}

/* Keeps the value of line if it is a header of this name.  false: no memory. */
static bool
http_keep_header(char **value, const char *name, const char *line, size_t length)
{
	size_t		from = strlen(name);

	if (length <= from || line[from] != ':' || pg_strncasecmp(line, name, from) != 0)
		return true;
	from++;
	while (from < length && isspace((unsigned char) line[from]))
		from++;
	while (length > from && isspace((unsigned char) line[length - 1]))
		length--;

	free(*value);
	*value = strndup(line + from, length - from);
	return *value != NULL;
}

/* A status line that asks for a login: "HTTP/1.1 401 Unauthorized". */
static bool
http_is_challenge(const char *line, size_t length)
{
	const char *status = memchr(line, ' ', length);
	size_t		left = status != NULL ? length - (status - line) : 0;

	return left >= 4 &&
		(strncmp(status, " 401", 4) == 0 || strncmp(status, " 407", 4) == 0);
}

/* ASKED_CODINGS, and an older name.  libcurl would unpack others, too. */
static const char *const packed[] = {"gzip", "x-gzip", "deflate", NULL};
static const char *const unpacked[] = {"chunked", "identity", NULL};

static bool
http_is_one_of(const char *const *words, const char *word, size_t length)
{
	while (*words != NULL && (strlen(*words) != length || pg_strncasecmp(*words, word, length) != 0))
		words++;
	return *words != NULL;
}

/*
 * Counts the codings of a line that begins with name.  What is packed twice could
 * unpack for hours before a byte of it came here.
 */
static HttpStop
http_take_codings(CrmHttpExchange *exchange, const char *name, const char *line, size_t length)
{
	size_t		from = strlen(name);

	if (length <= from || pg_strncasecmp(line, name, from) != 0)
		return STOP_NOT;
	while (from < length)
	{
		size_t		end = from;

		while (end < length && strchr(", \t\r\n", line[end]) == NULL)
			end++;
		if (http_is_one_of(packed, line + from, end - from))
			exchange->codings++;
		else if (end > from && !http_is_one_of(unpacked, line + from, end - from))
			return STOP_OTHER_CODING;
		from = end + 1;
	}
	return exchange->codings > 1 ? STOP_CODINGS : STOP_NOT;
}

/* Headers with secrets in them. */
static const struct
{
	const char *name;
	bool		pairs;			/* "name=value; name=value", else "scheme value" */
	bool		one;			/* only the first pair is one */
}			secret_headers[] = {
	{"Authorization:", false, true},
	{"Proxy-Authorization:", false, true},
	{"Cookie:", true, false},
	{"Set-Cookie:", true, true}
};

static void
http_keep_secret(CrmHttpExchange *exchange, const char *from, const char *end)
{
	char	   *value = strndup(from, end - from);
	struct curl_slist *longer = value != NULL ? curl_slist_append(exchange->secrets, value) : NULL;

	free(value);
	if (longer == NULL)
		http_stop(exchange, STOP_NO_MEMORY);
	else
		exchange->secrets = longer;
}

/* Which of secret_headers it is; -1: none. */
static int
http_secret_header(const char *line, const char *end)
{
	for (int i = 0; i < lengthof(secret_headers); i++)
	{
		size_t		length = strlen(secret_headers[i].name);

		if (end - line > length && pg_strncasecmp(line, secret_headers[i].name, length) == 0)
			return i;
	}
	return -1;
}

/* Keeps the secrets of a line of header, sent or received. */
static void
http_keep_secrets(CrmHttpExchange *exchange, const char *line, const char *end)
{
	int			i = http_secret_header(line, end);
	const char *stop = NULL;

	while (end > line && isspace((unsigned char) end[-1]))
		end--;
	for (const char *at = line; i >= 0 && at < end; at = stop + 1)
	{
		const char *value;

		stop = memchr(at, ';', end - at);
		if (stop == NULL)
			stop = end;
		value = secret_headers[i].pairs ? memchr(at, '=', stop - at) : memrchr(at, ' ', stop - at);
		if (value != NULL)
			http_keep_secret(exchange, value + 1, stop);
		if (secret_headers[i].one)
			break;
	}
}

/* What libcurl sends; it shows its own words and what it receives here as well. */
static int
http_see_sent(CURL *easy, curl_infotype type, char *data, size_t size, void *arg)
{
	const char *end = data + size;

	for (const char *line = data; type == CURLINFO_HEADER_OUT && line < end;)
	{
		const char *next = memchr(line, '\r', end - line);

		if (next == NULL)
			next = end;
		http_keep_secrets(arg, line, next);
		line = next + strlen("\r\n");
	}
	return 0;
}

/* One line of header: a status line, a header, or the empty line after them. */
static size_t
http_take_header(char *line, size_t size, size_t count, void *arg)
{
	CrmHttpExchange *exchange = arg;
	size_t		length = size * count;
	HttpStop	stop;

	exchange->header_size += length;
	if (exchange->header_size > MAX_HEADER_SIZE)
		return http_stop(exchange, STOP_HEADER_SIZE);

	/* An interim answer (100) has headers of its own, which don't count. */
	if (length >= 5 && strncmp(line, "HTTP/", 5) == 0)
	{
		http_forget_headers(exchange);
		exchange->challenged = http_is_challenge(line, length);
	}
	stop = http_take_codings(exchange, "Content-Encoding:", line, length);
	if (stop == STOP_NOT)
		stop = http_take_codings(exchange, "Transfer-Encoding:", line, length);
	if (stop != STOP_NOT)
		return http_stop(exchange, stop);
	if (length > 0 && (line[0] == '\r' || line[0] == '\n'))
		exchange->header_complete = true;
	http_keep_secrets(exchange, line, line + length);

	for (int i = 0; i < HEADER_COUNT; i++)
	{
		if (!http_keep_header(&exchange->header[i], header_names[i], line, length))
			return http_stop(exchange, STOP_NO_MEMORY);
	}
	return length;
}

/* A piece of body, decompressed. */
static size_t
http_take_body(char *data, size_t size, size_t count, void *arg)
{
	CrmHttpExchange *exchange = arg;
	CrmHttpSession *session = exchange->session;
	size_t		length = size * count;
	size_t		total = exchange->body_length + length;

	if (total > (uint64) session->settings.max_response_size)
		return http_stop(exchange, STOP_BODY_SIZE);
	if (crm_loop_give_way(&session->loop, &exchange->loop))
		return CURL_WRITEFUNC_PAUSE;
	if (total > exchange->body_size)
	{
		size_t		wanted = Max(total, exchange->body_size * 2);
		char	   *larger = realloc(exchange->body, wanted);

		if (larger == NULL)
			return http_stop(exchange, STOP_NO_MEMORY);
		exchange->body = larger;
		exchange->body_size = wanted;
	}
	memcpy(exchange->body + exchange->body_length, data, length);
	exchange->body_length = total;
	return length;
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
			http_stop(exchange, STOP_CHALLENGES);
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
	http_stop(exchange, STOP_SECOND_SENDING);
	return CURL_PREREQFUNC_ABORT;
}

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

	if (exchange->session == NULL)
		return;
	http_count(exchange);
	crm_loop_leave(&exchange->session->loop, &exchange->loop);
	exchange->session = NULL;
	dlist_delete(&exchange->node);
	if (exchange->loop.easy != NULL)
		curl_easy_cleanup(exchange->loop.easy);
	if (!exchange->loop.connected)
		crm_sockets_recount();
	curl_slist_free_all(exchange->headers);
	curl_slist_free_all(exchange->secrets);
	http_forget_headers(exchange);
	free(exchange->body);
	exchange->body = NULL;
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
		http_share(session->share, CURL_LOCK_DATA_SSL_SESSION) &&
		crm_loop_init(&session->loop, session->settings.max_connections);
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

CrmHttpCounters *
crm_http_counters(CrmHttpSession *session)
{
	return &session->counters;
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
	SET(CURLOPT_ACCEPT_ENCODING, ASKED_CODINGS);
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
	if (settings->ca_file != NULL)
		SET(CURLOPT_CAINFO, settings->ca_file);
	if (settings->crl_file != NULL)
		SET(CURLOPT_CRLFILE, settings->crl_file);
	if (settings->client_cert != NULL)
		SET(CURLOPT_SSLCERT, settings->client_cert);
	if (settings->client_key != NULL)
		SET(CURLOPT_SSLKEY, settings->client_key);
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
	SET(CURLOPT_HEADERFUNCTION, http_take_header);
	SET(CURLOPT_HEADERDATA, exchange);
	SET(CURLOPT_WRITEFUNCTION, http_take_body);
	SET(CURLOPT_WRITEDATA, exchange);
	SET(CURLOPT_PREREQFUNCTION, http_allow_sending);
	SET(CURLOPT_PREREQDATA, exchange);
	/* Without VERBOSE it is not called; with it nothing is printed. */
	SET(CURLOPT_DEBUGFUNCTION, http_see_sent);
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

static const HttpMethod *
http_method(const char *name)
{
	for (int i = 0; i < lengthof(methods); i++)
	{
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	}
	elog(ERROR, "unknown HTTP method \"%s\"", name);
}

/* Milliseconds until the deadline; -1: there is none. */
static long
http_time_left(void)
{
	if (deadline == 0)
		return -1;
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
}

/* An exchange that goes with the current memory context, with nothing in it yet. */
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
	http_set_request(easy, exchange, headers);
	exchange->started = crm_loop_now();
	crm_loop_start(&session->loop, &exchange->loop);
}

CrmHttpExchange *
crm_http_start(CrmHttpSession *session, const CrmHttpRequest *request)
{
	CrmHttpExchange *exchange;

	if (http_time_left() == 0)
		http_raise_timeout(request->url, deadline_option);
	http_check_silence(session, request->url);
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

/* Seconds to wait: a number, or the time from the server's now to a date. */
static int
http_retry_after(const char *value, const char *date)
{
	time_t		until;
	time_t		now;
	char	   *end;
	long		seconds;

	if (value == NULL)
		return -1;
	seconds = strtol(value, &end, 10);
	if (end != value && *end == '\0' && seconds >= 0)
		return (int) Min(seconds, INT_MAX);

	until = curl_getdate(value, NULL);
	now = date != NULL ? curl_getdate(date, NULL) : time(NULL);
	if (until == -1 || now == -1)
		return -1;
	return (int) Min(Max(until - now, 0), INT_MAX);
}

static TimestampTz
http_date(const char *value)
{
	time_t		date = value != NULL ? curl_getdate(value, NULL) : -1;

	return date != -1 ? time_t_to_timestamptz(date) : 0;
}

static List *
http_secrets(const CrmHttpExchange *exchange)
{
	List	   *secrets = NIL;

	for (struct curl_slist *secret = exchange->secrets; secret != NULL; secret = secret->next)
		secrets = lappend(secrets, pstrdup(secret->data));
	return secrets;
}

/* The answer, moved to palloc'd memory. */
static CrmHttpResponse *
http_answer(CrmHttpExchange *exchange)
{
	CrmHttpResponse *response = palloc0(sizeof(CrmHttpResponse));
	const char *type = exchange->header[HEADER_CONTENT_TYPE];
	const char *location = exchange->header[HEADER_LOCATION];
	long		status = 0;

	curl_easy_getinfo(exchange->loop.easy, CURLINFO_RESPONSE_CODE, &status);
	response->status = (int) status;
	response->content_type = pstrdup(type != NULL ? type : "");
	response->location = location != NULL ? pstrdup(location) : NULL;
	response->date = http_date(exchange->header[HEADER_DATE]);
	response->retry_after = http_retry_after(exchange->header[HEADER_RETRY_AFTER],
											 exchange->header[HEADER_DATE]);
	response->body = palloc_extended(exchange->body_length + 1, MCXT_ALLOC_HUGE);
	if (exchange->body_length > 0)
		memcpy(response->body, exchange->body, exchange->body_length);
	response->body[exchange->body_length] = '\0';
	response->body_length = exchange->body_length;
	response->secrets = http_secrets(exchange);
	return response;
}

/* The verdict is there: the answer, or the ERROR in its place. */
static CrmHttpResponse *
http_conclude(CrmHttpExchange *exchange)
{
	CURLcode	code = exchange->loop.verdict;
	CrmHttpResponse *response;

	/* A single header beyond 100 kB is too large for libcurl itself. */
	if (code == CURLE_TOO_LARGE && exchange->header_size > 0 &&
		!exchange->header_complete)
		http_stop(exchange, STOP_HEADER_SIZE);
	/* A connection closed amid the headers is a whole answer to libcurl. */
	if (code == CURLE_OK && !exchange->header_complete)
		http_stop(exchange, STOP_HEADER_CUT);
	if (exchange->stop != STOP_CHALLENGES && (code != CURLE_OK || exchange->stop != STOP_NOT))
		http_raise_verdict(exchange, exchange->request.url, code);
	response = http_answer(exchange);
	exchange->status = response->status;
	exchange->answered = true;
	return response;
}

static const char *
http_logged_url(const CrmHttpRequest *request)
{
	return request->confidential ? pnstrdup(request->url, strcspn(request->url, "?#")) :
		request->url;
}

static void
http_log(const CrmHttpExchange *exchange, const CrmHttpResponse *response)
{
	ereport(crm_log_requests,
			(errmsg_internal("crm_sync: %s %s: %d, %zu bytes, %.1f ms",
							 exchange->request.method, http_logged_url(&exchange->request),
							 response->status, response->body_length, exchange->loop.spent),
			 errhidestmt(true), errhidecontext(true)));
}

/* Lets the session's requests go on until something happens. */
static void
http_step(CrmHttpSession *session, const char *url)
{
	double		began = crm_loop_now();
	long		left = http_time_left();

	if (left == 0)
		http_raise_timeout(url, deadline_option);
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
	strlcpy(deadline_option, option_name != NULL ? option_name : "",
			sizeof(deadline_option));
}
