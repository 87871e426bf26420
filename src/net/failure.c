/*
 * net/failure.c
 *	  A request that failed, told as an ERROR: libcurl's verdicts and our own.
 */
#include "postgres.h"

#include <curl/curl.h>

#include "utils/memutils.h"

#include "net/exchange.h"
#include "net/url.h"
#include "net/words.h"

/*
 * Who lets connect_timeout pass is left alone for so long, in milliseconds: not each
 * statement is to wait for it anew.
 */
#define SILENCE 10000

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

pg_noreturn static void failure_raise(HttpFailure failure, const char *url,
									  const char *detail, const char *hint);

static void
failure_raise(HttpFailure failure, const char *url, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(failures[failure].sqlstate),
			 errmsg(failures[failure].message, crm_url_origin(url)),
			 detail != NULL ? errdetail_internal("%s", detail) : 0,
			 hint != NULL ? errhint("%s", hint) : 0));
}

void
crm_failure_raise_timeout(const char *url, const char *option)
{
	failure_raise(FAILURE_TIMEOUT, url, NULL,
			   psprintf("The limit is the option \"%s\".", option));
}

static void
failure_note_silence(CrmHttpSession *session, const char *url)
{
	char	   *copy = MemoryContextStrdup(session->context, url);

	if (session->silent != NULL)
		pfree(session->silent);
	session->silent = copy;
	session->silent_since = crm_loop_now();
}

void
crm_failure_check_silence(const CrmHttpSession *session, const char *url)
{
	if (session->silent != NULL && crm_loop_now() < session->silent_since + SILENCE &&
		crm_url_same_origin(session->silent, url))
		failure_raise(FAILURE_CONNECT, url, "It did not answer a moment ago.",
				   "It is tried again after ten seconds.");
}

/* The ERROR for the limit of time that the request reached. */
static void
failure_raise_limit(const CrmHttpExchange *exchange, const char *url)
{
	const CrmLoopRequest *loop = &exchange->loop;

	if (loop->limit > 0 && loop->spent >= loop->limit)
		crm_failure_raise_timeout(url, "request_timeout");
	failure_note_silence(exchange->session, url);
	crm_failure_raise_timeout(url, "connect_timeout");
}

/* What libcurl's verdict means. */
static HttpVerdict
failure_look_up(const CrmHttpExchange *exchange, CURLcode code)
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

/*
 * A write that went out over a connection which was closed thereupon, and could not be
 * sent over another, may have been carried out.
 */
static HttpVerdict
failure_judge(const CrmHttpExchange *exchange, CURLcode code)
{
	HttpVerdict verdict = failure_look_up(exchange, code);

	if (verdict.failure == FAILURE_CONNECT && exchange->sendings > 0 && !exchange->method->safe)
		verdict.failure = FAILURE_LOST;
	return verdict;
}

void
crm_failure_raise(CrmHttpExchange *exchange, CURLcode code)
{
	const char *url = exchange->request.url;
	const HttpStopWords *stop = &stops[exchange->stop];
	HttpVerdict verdict = failure_judge(exchange, code);

	if (exchange->stop != STOP_NOT)
		failure_raise(stop->failure, url, stop->detail, stop->hint);
	if (exchange->loop.timed_out || verdict.failure == FAILURE_TIMEOUT)
		failure_raise_limit(exchange, url);

	if (exchange->words[0] == '\0')
		strlcpy(exchange->words, curl_easy_strerror(code), sizeof(exchange->words));
	crm_words_clean(exchange->words);
	failure_raise(verdict.failure, url, psprintf("%s.", exchange->words), verdict.hint);
}
