/*
 * test/unit/http.c
 *	  net/http.h, against peer.py: its ANSWERS say what each path does.
 */
#include "postgres.h"

#include <dirent.h>
#include <malloc.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/elog.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

#include "net/http.h"
#include "net/loop.h"

#include "unit.h"

/* ------------------------------------------------------- writing a test */

static CrmHttpSettings
settings(void)
{
	CrmHttpSettings settings = {
		.connect_timeout = 5000,
		.request_timeout = 5000,
		.max_connections = 4,
		.max_response_size = 1024 * 1024
	};

	return settings;
}

/* A session that ends with the test: its memory hangs under the test's. */
static CrmHttpSession *
open_with(CrmHttpSettings settings)
{
	return crm_http_open(&settings);
}

static char *
url(const char *path)
{
	return psprintf("http://127.0.0.1:%d%s", unit_peer, path);
}

static CrmHttpResponse *
send_body(CrmHttpSession *session, const char *method, const char *url,
		  const char *body, size_t length)
{
	CrmHttpRequest request = {
		.method = method,
		.url = url,
		.body = body,
		.body_length = length
	};

	return crm_http_send(session, &request);
}

static CrmHttpResponse *
get(CrmHttpSession *session, const char *path)
{
	return send_body(session, "GET", url(path), NULL, 0);
}

static CrmHttpResponse *
post(CrmHttpSession *session, const char *path)
{
	return send_body(session, "POST", url(path), "x=1", 3);
}

/* The body of a GET in a session of its own. */
static char *
got(const char *path)
{
	CrmHttpSession *session = open_with(settings());
	char	   *body = get(session, path)->body;

	crm_http_close(session);
	return body;
}

/* How often the peer was asked for this path. */
static int
asked(const char *path)
{
	return atoi(got(psprintf("/count?%s", path)));
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

static int
threads(void)
{
	DIR		   *dir = opendir("/proc/self/task");
	int			n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2;
}

/* As SET statement_timeout does for a statement that starts now. */
static void
cancel_after(int milliseconds)
{
	enable_timeout_after(STATEMENT_TIMEOUT, milliseconds);
}

/* ------------------------------------------------------------- exchange */

static void
test_get(void)
{
	CrmHttpSession *session = open_with(settings());
	CrmHttpResponse *response = get(session, "/hello");

	CHECK_INT(response->status, 200);
	CHECK_STR(response->content_type, "text/plain; charset=utf-8");
	CHECK_STR(response->body, "hello");
	CHECK_INT(response->body_length, 5);
	CHECK_STR(response->location, NULL);
	CHECK_INT(response->retry_after, -1);
	CHECK_INT(response->date, time_t_to_timestamptz(1795341600));
	CHECK_STR(get(session, "/nowhere")->content_type, "");
	CHECK_INT(get(session, "/nowhere")->date, 0);
	CHECK_INT(get(session, "/no-content")->status, 204);
	CHECK_STR(get(session, "/no-content")->body, "");
	crm_http_close(session);
}

static void
test_request(void)
{
	CrmHttpSession *session = open_with(settings());

	CHECK_STR(get(session, "/echo?$filter=a%20eq%20'b'")->body,
			  psprintf("GET /echo?$filter=a%%20eq%%20'b'\n"
					   "Accept-Encoding: gzip, deflate\nAccept: */*\n"
					   "Host: 127.0.0.1:%d\nUser-Agent: crm_sync/" CONTROL_VERSION "\n\n",
					   unit_peer));
	crm_http_close(session);
}

static void
test_headers(void)
{
	CrmHttpSession *session = open_with(settings());
	CrmHttpRequest request = {.method = "GET", .url = url("/echo")};
	char	   *body;

	request.headers = list_make2("Accept: application/json", "X-HTTP-Method: MERGE");
	body = crm_http_send(session, &request)->body;
	CHECK_CONTAINS(body, "\nAccept: application/json\n");
	CHECK_CONTAINS(body, "\nX-HTTP-Method: MERGE\n");

	request.headers = list_make1("X: y\r\nZ: injected");
	CHECK_ERROR("22023", crm_http_send(session, &request));
	crm_http_close(session);
}

/* The body as it arrived, which echo repeats after an empty line. */
static void
check_method(CrmHttpSession *session, const char *method)
{
	static const char body[] = "a\0b\r\n\xFF";
	CrmHttpResponse *response = send_body(session, method, url("/echo"), body,
										  sizeof(body) - 1);
	char	   *echoed = strstr(response->body, "\n\n") + 2;

	CHECK(strncmp(response->body, method, strlen(method)) == 0);
	CHECK_CONTAINS(response->body, "\nContent-Length: 6\n");
	CHECK(strstr(response->body, "Expect") == NULL);
	CHECK_INT(response->body + response->body_length - echoed, 6);
	CHECK(memcmp(echoed, body, 6) == 0);

	response = send_body(session, method, url("/echo"), NULL, 0);
	CHECK_INT(strstr(response->body, "\nContent-Length: 0\n") != NULL,
			  strcmp(method, "DELETE") != 0);
}

static void
test_methods(void)
{
	CrmHttpSession *session = open_with(settings());

	check_method(session, "POST");
	check_method(session, "MERGE");
	check_method(session, "PUT");
	check_method(session, "DELETE");
	CHECK_ERROR("XX000", send_body(session, "PATCH", url("/echo"), NULL, 0));
	crm_http_close(session);
}

/* Beyond 1 MB libcurl would ask for leave by Expect: 100-continue. */
static void
test_large_request(void)
{
	CrmHttpSettings generous = settings();
	CrmHttpSession *session;
	size_t		length = 5 * 1024 * 1024;
	char	   *body = palloc(length);
	CrmHttpResponse *response;

	generous.max_response_size = 2 * length;
	session = open_with(generous);
	memset(body, 'b', length);
	response = send_body(session, "POST", url("/echo"), body, length);
	CHECK(response->body_length > length);
	CHECK(strstr(response->body, "Expect") == NULL);
	crm_http_close(session);
}

static void
test_bodies(void)
{
	CHECK_STR(got("/chunks"), "hello, chunks");
	CHECK_STR(got("/until-close"), "until the end");
	CHECK_STR(got("/interim"), "final");
	CHECK_INT(strlen(got("/big?1000000")), 1000000);
}

static void
test_compressed(void)
{
	CHECK_INT(strlen(got("/zipped")), 1200);
	CHECK(strncmp(got("/zipped"), "hello, gzip hello", 17) == 0);
	CHECK_INT(strlen(got("/deflated")), 1500);
	CHECK_ERROR("08006", got("/zip-broken"));
}

/* Decompressing takes so long that interrupts are served in between. */
static void
test_compressed_large(void)
{
	CrmHttpSettings generous = settings();
	CrmHttpSession *session;
	CrmHttpResponse *response;
	size_t		length = 251 * 256 * 512;
	size_t		right = 0;

	generous.max_response_size = length;
	session = open_with(generous);
	response = get(session, "/zip-large");
	CHECK_INT(response->body_length, length);
	while (right < length && (unsigned char) response->body[right] == right % 251)
		right++;
	CHECK_INT(right, length);
	CHECK_STR(get(session, "/hello")->body, "hello");
	CHECK_ERROR("54000", get(session, "/zip-bomb"));
	CHECK_STR(get(session, "/hello")->body, "hello");
	crm_http_close(session);
}

/*
 * Packed twice, a body may unpack to nothing at all for hours, inside libcurl,
 * where no limit is met and no interrupt served.
 */
static void
test_packed_twice(void)
{
	CrmHttpSession *session = open_with(settings());

	CHECK_ERROR("08006", get(session, "/zip-twice"));
	CHECK_CONTAINS(unit_error->detail, "packed more than once");
	CHECK_ERROR("08006", get(session, "/zip-twice-apart"));
	CHECK_ERROR("08006", get(session, "/zip-transfer"));
	CHECK_STR(get(session, "/hello")->body, "hello");
	crm_http_close(session);
}

/* libcurl would unpack them, with code that nobody asked for. */
static void
test_packed_otherwise(void)
{
	CrmHttpSession *session = open_with(settings());

	CHECK_ERROR("08006", get(session, "/brotli"));
	CHECK_CONTAINS(unit_error->detail, "packed in a way that was not asked for");
	CHECK_ERROR("08006", get(session, "/zstd"));
	CHECK_CONTAINS(unit_error->detail, "packed in a way that was not asked for");
	CHECK_ERROR("08006", get(session, "/brotli-transfer"));
	CHECK_CONTAINS(unit_error->detail, "packed in a way that was not asked for");
	CHECK_STR(get(session, "/unpacked")->body, "hello");
	CHECK_STR(get(session, "/zip-old")->body, "hello");
	crm_http_close(session);
}

static void
test_redirect(void)
{
	CrmHttpSession *session = open_with(settings());
	CrmHttpResponse *response = get(session, "/redirect");

	CHECK_INT(response->status, 302);
	CHECK_STR(response->location, "/hello");
	CHECK_STR(get(session, "/interim")->location, NULL);
	crm_http_close(session);
}

static void
test_retry_after(void)
{
	CrmHttpSession *session = open_with(settings());

	CHECK_INT(get(session, "/retry-seconds")->retry_after, 120);
	CHECK_INT(get(session, "/retry-date")->retry_after, 90);
	CHECK_INT(get(session, "/retry-nonsense")->retry_after, -1);
	CHECK_INT(get(session, "/retry-nonsense")->date, 0);
	crm_http_close(session);
}

static TimestampTz
date_of(CrmHttpSession *session, const char *header)
{
	return get(session, psprintf("/dated?%s", header))->date;
}

static void
test_date(void)
{
	CrmHttpSession *session = open_with(settings());

	CHECK_INT(date_of(session, "Sun,+22+Nov+2026+10:00:00+GMT"), time_t_to_timestamptz(1795341600));
	CHECK_INT(date_of(session, "Thu,+01+Jan+1970+00:00:00+GMT"), time_t_to_timestamptz(0));
	CHECK_INT(date_of(session, "Fri,+31+Dec+9999+23:59:59+GMT"),
			  time_t_to_timestamptz(INT64CONST(253402300799)));
	CHECK_INT(date_of(session, "Sat,+01+Jan+10000+00:00:00+GMT"), 0);
	CHECK_INT(date_of(session, "Sat,+01+Jan+300000+00:00:00+GMT"), 0);
	CHECK_INT(date_of(session, "Sat,+01+Jan+2147483647+00:00:00+GMT"), 0);
	CHECK_INT(date_of(session, "Mon,+01+Jan+1753+00:00:00+GMT"), 0);
	CHECK_INT(date_of(session, "Wed,+31+Dec+1969+23:59:58+GMT"), 0);
	crm_http_close(session);
}

/* -------------------------------------------------------------- session */

static void
test_kept_alive(void)
{
	CrmHttpSession *session = open_with(settings());
	char	   *first = get(session, "/connection")->body;

	CHECK_STR(get(session, "/connection")->body, first);
	CHECK_STR(send_body(session, "POST", url("/connection"), "x", 1)->body, first);
	CHECK_ERROR("08006", get(session, "/cut"));
	CHECK(strcmp(get(session, "/connection")->body, first) != 0);
	crm_http_close(session);
}

/* A server that gives every answer new names; many answers with the same ones are fine. */
static void
test_cookies_without_end(void)
{
	CrmHttpSession *session = open_with(settings());

	get(session, "/set-cookie");
	for (int i = 0; i < 11; i++)
		get(session, "/fresh-cookies?same");
	CHECK_CONTAINS(get(session, "/echo")->body, "login=abc");
	for (int i = 0; i < 11; i++)
		get(session, psprintf("/fresh-cookies?%d", i));
	CHECK(strstr(get(session, "/echo")->body, "login=abc") == NULL);
	crm_http_close(session);
}

/* It opens what it needs for a request, and only for that; its cookies stay. */
static void
test_retired(void)
{
	CrmHttpSession *session = open_with(settings());
	CrmHttpExchange *under_way;
	CrmHttpRequest slow = {.method = "GET", .url = url("/slow?100")};
	int			before = descriptors();

	CHECK_INT(get(session, "/set-cookie")->status, 200);
	CHECK(descriptors() > before);
	under_way = crm_http_start(session, &slow);
	crm_http_retire(session);
	CHECK(descriptors() > before);
	CHECK_STR(crm_http_wait(under_way)->body, "slow");
	CHECK_INT(descriptors(), before);
	CHECK_CONTAINS(get(session, "/echo")->body, "Cookie: login=abc");
	CHECK_INT(descriptors(), before);
	crm_http_close(session);
}

/* More than fd.c grants descriptors: those that rest give up theirs. */
static void
test_many_sessions(void)
{
	List	   *sessions = NIL;
	ListCell   *lc;
	int			reached = 0;

	for (int i = 0; i < 400; i++)
		sessions = lappend(sessions, open_with(settings()));
	for (int round = 0; round < 2; round++)
	{
		foreach(lc, sessions)
			reached += strcmp(get(lfirst(lc), "/hello")->body, "hello") == 0 ? 1 : 0;
	}
	CHECK_INT(reached, 800);
	foreach(lc, sessions)
		crm_http_close(lfirst(lc));
}

static void
test_basic(void)
{
	CrmHttpSettings basic = settings();
	CrmHttpSession *session;

	basic.auth = CRM_HTTP_AUTH_BASIC;
	basic.username = "DOM\\user";
	basic.password = "p:w \xC3\xBC";
	session = open_with(basic);
	CHECK_CONTAINS(get(session, "/echo")->body,
				 "\nAuthorization: Basic RE9NXHVzZXI6cDp3IMO8\n");
	crm_http_close(session);
}

static void
test_cookies(void)
{
	CrmHttpSession *session = open_with(settings());

	get(session, "/set-cookie");
	CHECK_ERROR("08006", get(session, "/cut"));
	CHECK_CONTAINS(get(session, "/echo")->body, "\nCookie: login=abc\n");
	CHECK(strstr(got("/echo"), "Cookie") == NULL);
	crm_http_close(session);
}

static void
test_counters(void)
{
	CrmHttpSession *session = open_with(settings());
	CrmHttpCounters *counters = crm_http_counters(session);

	get(session, "/zipped");
	post(session, "/hello");
	get(session, "/refuse");
	send_body(session, "MERGE", url("/hello"), "12345", 5);
	CHECK_ERROR("08006", send_body(session, "DELETE", url("/cut"), NULL, 0));
	CHECK_INT(counters->get, 2);
	CHECK_INT(counters->post, 1);
	CHECK_INT(counters->merge, 1);
	CHECK_INT(counters->put, 0);
	CHECK_INT(counters->delete, 1);
	CHECK_INT(counters->bytes_sent, 8);
	CHECK(counters->bytes_received > 20 && counters->bytes_received < 200);
	CHECK_INT(counters->errors, 2);
	CHECK_INT(counters->retries, 0);
	CHECK(counters->milliseconds > 0);
	crm_http_close(session);
}

static void
test_environment(void)
{
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	CHECK_STR(got("/hello"), "hello");
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

static void
test_proxy(void)
{
	CrmHttpSettings proxied = settings();
	CrmHttpSession *session;

	setenv("no_proxy", "*", 1);
	proxied.proxy = url("");
	session = open_with(proxied);
	CHECK_STR(send_body(session, "GET", "http://crm.test/x", NULL, 0)->body,
			  "by proxy: http://crm.test/x");
	CHECK_ERROR("08001", send_body(session, "GET", "https://crm.test/x", NULL, 0));
	CHECK_STR(unit_error->hint, "Check the option \"proxy\".");
	unsetenv("no_proxy");
	crm_http_close(session);
}

/* A login that a connection stands for must not go through one that others share. */
static void
test_proxy_bound_login(void)
{
	static const CrmHttpAuth bound[] = {CRM_HTTP_AUTH_NTLM, CRM_HTTP_AUTH_NEGOTIATE};
	CrmHttpSettings proxied = settings();
	CrmHttpSession *session;

	proxied.proxy = url("");
	proxied.username = "me";
	proxied.password = "secret";
	for (int i = 0; i < lengthof(bound); i++)
	{
		proxied.auth = bound[i];
		session = open_with(proxied);
		CHECK_ERROR("08001", send_body(session, "GET", "http://crm.test/x", NULL, 0));
		CHECK_STR(unit_error->hint, "Check the option \"proxy\".");
		crm_http_close(session);
	}
	proxied.auth = CRM_HTTP_AUTH_BASIC;
	session = open_with(proxied);
	CHECK_STR(send_body(session, "GET", "http://crm.test/x", NULL, 0)->body,
			  "by proxy: http://crm.test/x");
	crm_http_close(session);
}

/* ------------------------------------------------------ sent only once */

/*
 * The peer closes while the connection is idle: found out before sending.  A
 * connection used within the last second is not looked at by newer libcurls.
 */
static void
test_closed_idle(void)
{
	CrmHttpSession *session = open_with(settings());
	int			before = asked("/hello");

	get(session, "/bye");
	pg_usleep(1100000);
	CHECK_INT(post(session, "/hello")->status, 200);
	CHECK_INT(asked("/hello") - before, 1);
	CHECK_INT(crm_http_counters(session)->retries, 0);
	crm_http_close(session);
}

/* The peer reads the request on a kept connection and closes unanswered. */
static void
test_get_again(void)
{
	CrmHttpSession *session = open_with(settings());
	int			before = asked("/hello");

	get(session, "/doom");
	CHECK_STR(get(session, "/hello")->body, "hello");
	CHECK_INT(asked("/hello") - before, 2);
	CHECK_INT(crm_http_counters(session)->get, 2);
	CHECK_INT(crm_http_counters(session)->retries, 1);
	crm_http_close(session);
}

static void
check_sent_once(const char *method)
{
	CrmHttpSession *session = open_with(settings());
	int			before = asked("/hello");

	get(session, "/doom");
	CHECK_ERROR("08006", send_body(session, method, url("/hello"), "x", 1));
	CHECK_CONTAINS(unit_error->detail, "may have been carried out");
	CHECK_INT(asked("/hello") - before, 1);
	CHECK_STR(send_body(session, method, url("/hello"), "x", 1)->body, "hello");
	CHECK_INT(asked("/hello") - before, 2);
	crm_http_close(session);
}

static void
test_sent_once(void)
{
	check_sent_once("POST");
	check_sent_once("MERGE");
	check_sent_once("PUT");
	check_sent_once("DELETE");
}

/*
 * The same, and nobody listens there any more: libcurl can't connect to send it again.
 * That it was not able to connect is then not all there is to say.
 */
static void
check_sent_and_gone(const char *method, const char *sqlstate)
{
	CrmHttpSession *session = open_with(settings());
	char	   *port = get(session, "/last")->body;
	int			before = asked("/hello");

	send_body(session, "GET", psprintf("http://127.0.0.1:%s/doom", port), NULL, 0);
	CHECK_ERROR(sqlstate, send_body(session, method,
									psprintf("http://127.0.0.1:%s/hello", port), NULL, 0));
	CHECK_INT(asked("/hello") - before, 1);
	crm_http_close(session);
}

static void
test_sent_and_gone(void)
{
	check_sent_and_gone("POST", "08006");
	check_sent_and_gone("MERGE", "08006");
	check_sent_and_gone("DELETE", "08006");
	check_sent_and_gone("GET", "08001");
}

/* --------------------------------------------------------------- errors */

static void
test_lost(void)
{
	static const char *const paths[] = {
		"/cut", "/cut-chunk", "/cut-chunks", "/cut-header", "/empty", "/reset",
		"/reset-body", "/nonsense"
	};
	CrmHttpSession *session = open_with(settings());

	for (int i = 0; i < lengthof(paths); i++)
	{
		CHECK_ERROR("08006", get(session, paths[i]));
		CHECK_STR(unit_error->message,
				  psprintf("lost the connection to CDMS server at \"http://127.0.0.1:%d\"",
						   unit_peer));
		CHECK_CONTAINS(unit_error->detail, " ");
		CHECK_STR(get(session, "/hello")->body, "hello");
	}
	crm_http_close(session);
}

static void
test_refused(void)
{
	CrmHttpSession *session = open_with(settings());

	CHECK_ERROR("08001", send_body(session, "GET", "http://127.0.0.1:1/x?y", NULL, 0));
	CHECK_STR(unit_error->message, "could not connect to CDMS server at \"http://127.0.0.1:1\"");
	CHECK_CONTAINS(unit_error->detail, "onnect");
	CHECK_CONTAINS(unit_error->hint, "\"url\"");
	CHECK_ERROR("08001", send_body(session, "GET", "http://no-such-host.invalid/", NULL, 0));
	CHECK_STR(get(session, "/hello")->body, "hello");
	crm_http_close(session);
}

static void
test_urls_refused(void)
{
	CrmHttpSession *session = open_with(settings());

	CHECK_ERROR("22023", send_body(session, "GET", "ftp://127.0.0.1/", NULL, 0));
	CHECK_ERROR("22023", send_body(session, "GET", "file:///etc/passwd", NULL, 0));
	CHECK_ERROR("22023", send_body(session, "GET", "http://a b/", NULL, 0));
	CHECK_ERROR("22023", send_body(session, "GET", "http://me:secret@127.0.0.1:1/", NULL, 0));
	CHECK_STR(unit_error->message,
			  "could not make a request to CDMS server at \"http://127.0.0.1:1\"");
	CHECK(unit_error->detail == NULL || strstr(unit_error->detail, "secret") == NULL);
	crm_http_close(session);
}

static void
test_body_limit(void)
{
	CrmHttpSettings small = settings();
	CrmHttpSession *session;

	small.max_response_size = 100000;
	session = open_with(small);
	CHECK_INT(get(session, "/big?100000")->body_length, 100000);
	CHECK_ERROR("54000", get(session, "/big?100001"));
	CHECK_STR(unit_error->hint, "The limit is the option \"max_response_size\".");
	CHECK_ERROR("54000", get(session, "/endless"));
	CHECK_ERROR("54000", get(session, "/zip-bomb"));
	CHECK_STR(get(session, "/hello")->body, "hello");
	crm_http_close(session);
}

static void
test_header_limit(void)
{
	CrmHttpSession *session = open_with(settings());

	CHECK_ERROR("54000", get(session, "/many-headers"));
	CHECK_ERROR("54000", get(session, "/long-header"));
	CHECK_ERROR("54000", get(session, "/many-interim"));
	CHECK_STR(get(session, "/hello")->body, "hello");
	crm_http_close(session);
}

/* ----------------------------------------------------------------- time */

/* The machine may be busy with other things; more than 100 ms are noted. */
#define LATEST 1500

/* The statement lasts so many milliseconds, and not much more. */
#define CHECK_LASTS(milliseconds, statement) \
	do { \
		double		began_ = crm_loop_now(); \
		statement; \
		check_lasted(crm_loop_now() - began_, (milliseconds), __LINE__); \
	} while (0)

static void
check_lasted(double lasted, double want, int line)
{
	if (lasted < want - 1 || lasted > want + 100)
		unit_note("lasted %.1f ms, not %.0f", lasted, want);
	unit_check(unit_watched || (lasted >= want - 1 && lasted <= want + LATEST), "in time",
			   __FILE__, line);
}

static void
test_request_timeout(void)
{
	CrmHttpSettings hasty = settings();
	CrmHttpSession *session;

	hasty.request_timeout = 300;
	session = open_with(hasty);
	CHECK_LASTS(300, CHECK_ERROR("08006", get(session, "/hang")));
	CHECK_STR(unit_error->hint, "The limit is the option \"request_timeout\".");
	CHECK_LASTS(300, CHECK_ERROR("08006", get(session, "/drip")));
	CHECK_STR(get(session, "/hello")->body, "hello");
	crm_http_close(session);
}

static void
test_connect_timeout(void)
{
	CrmHttpSettings hasty = settings();
	CrmHttpSession *session;
	char	   *full = psprintf("http://127.0.0.1:%s/", got("/full"));
	char	   *silent = psprintf("https://127.0.0.1:%s/", got("/silent"));

	hasty.connect_timeout = 300;
	session = open_with(hasty);
	CHECK_LASTS(300, CHECK_ERROR("08006", send_body(session, "GET", full, NULL, 0)));
	CHECK_STR(unit_error->hint, "The limit is the option \"connect_timeout\".");
	/* It is left alone for a while, and it alone. */
	CHECK_LASTS(0, CHECK_ERROR("08001", send_body(session, "GET", full, NULL, 0)));
	CHECK_STR(unit_error->hint, "It is tried again after ten seconds.");
	CHECK_LASTS(300, CHECK_ERROR("08006", send_body(session, "GET", silent, NULL, 0)));
	CHECK_STR(unit_error->hint, "The limit is the option \"connect_timeout\".");
	CHECK_STR(get(session, "/slow?400")->body, "slow");
	crm_http_close(session);
}

static void
test_no_timeout(void)
{
	CrmHttpSettings patient = settings();
	CrmHttpSession *session;

	patient.connect_timeout = 0;
	patient.request_timeout = 0;
	session = open_with(patient);
	CHECK_STR(get(session, "/slow?200")->body, "slow");
	crm_http_close(session);
}

static TimestampTz
moment_in(int milliseconds)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
}

static void
test_deadline(void)
{
	CrmHttpSession *session = open_with(settings());

	crm_http_set_deadline(moment_in(300), "commit_timeout");
	CHECK_STR(get(session, "/hello")->body, "hello");
	crm_http_set_deadline(moment_in(300), "commit_timeout");
	CHECK_LASTS(300, CHECK_ERROR("08006", get(session, "/hang")));
	CHECK_STR(unit_error->hint, "The limit is the option \"commit_timeout\".");
	CHECK_LASTS(0, CHECK_ERROR("08006", get(session, "/hello")));
	CHECK_STR(unit_error->hint, "The limit is the option \"commit_timeout\".");
	CHECK_LASTS(0, crm_http_pause(1000));
	crm_http_set_deadline(0, NULL);
	CHECK_STR(get(session, "/hello")->body, "hello");
	crm_http_close(session);
}

static void
test_pause(void)
{
	CHECK_LASTS(200, crm_http_pause(200));
	CHECK_LASTS(0, crm_http_pause(0));
	cancel_after(200);
	CHECK_LASTS(200, CHECK_ERROR("57014", crm_http_pause(10000)));
}

/* --------------------------------------------------------------- cancel */

static void
test_cancel(void)
{
	CrmHttpSettings generous = settings();
	CrmHttpSession *session;
	char	   *full = psprintf("http://127.0.0.1:%s/", got("/full"));
	char	   *silent = psprintf("https://127.0.0.1:%s/", got("/silent"));

	generous.max_response_size = 1024 * 1024 * 1024;
	session = open_with(generous);
	cancel_after(1000);
	CHECK_LASTS(1000, CHECK_ERROR("57014", get(session, "/hang")));
	cancel_after(200);
	CHECK_LASTS(200, CHECK_ERROR("57014", get(session, "/drip")));
	cancel_after(20);
	CHECK_LASTS(20, CHECK_ERROR("57014", get(session, "/zip-bomb")));
	cancel_after(200);
	CHECK_LASTS(200, CHECK_ERROR("57014", send_body(session, "GET", full, NULL, 0)));
	cancel_after(200);
	CHECK_LASTS(200, CHECK_ERROR("57014", send_body(session, "GET", silent, NULL, 0)));
	CHECK_STR(get(session, "/hello")->body, "hello");
	crm_http_close(session);
}

/*
 * libcurl reads all that a proxy answers to CONNECT in one turn: whatever ends a
 * request ends it inside.
 */
static void
test_proxy_without_end(void)
{
	CrmHttpSettings hasty = settings();
	const char *flood = "https://flood.test/";
	CrmHttpSession *session;

	hasty.proxy = url("");
	session = open_with(hasty);
	cancel_after(300);
	CHECK_LASTS(300, CHECK_ERROR("57014", send_body(session, "GET", flood, NULL, 0)));
	crm_http_set_deadline(moment_in(300), "commit_timeout");
	CHECK_LASTS(300, CHECK_ERROR("08006", send_body(session, "GET", flood, NULL, 0)));
	CHECK_STR(unit_error->hint, "The limit is the option \"commit_timeout\".");
	crm_http_set_deadline(0, NULL);
	CHECK_STR(send_body(session, "GET", "http://crm.test/x", NULL, 0)->body,
			  "by proxy: http://crm.test/x");
	crm_http_close(session);

	hasty.request_timeout = 300;
	session = open_with(hasty);
	CHECK_LASTS(300, CHECK_ERROR("08006", send_body(session, "GET", flood, NULL, 0)));
	CHECK_STR(unit_error->hint, "The limit is the option \"request_timeout\".");
	crm_http_close(session);

	hasty.request_timeout = 5000;
	hasty.connect_timeout = 300;
	session = open_with(hasty);
	CHECK_LASTS(300, CHECK_ERROR("08006", send_body(session, "GET", flood, NULL, 0)));
	CHECK_STR(unit_error->hint, "The limit is the option \"connect_timeout\".");
	crm_http_close(session);
}

/* A cancel that is there before the request means: no request. */
static void
test_cancelled_before(void)
{
	CrmHttpSession *session = open_with(settings());
	int			before = asked("/hello");

	InterruptPending = QueryCancelPending = true;
	CHECK_ERROR("57014", get(session, "/hello"));
	CHECK_INT(asked("/hello") - before, 0);
	crm_http_close(session);
}

/* A latch set for something else wakes the backend and spoils nothing. */
static void
test_latch(void)
{
	CrmHttpSession *session = open_with(settings());

	SetLatch(MyLatch);
	CHECK_STR(get(session, "/slow?100")->body, "slow");
	crm_http_close(session);
}

/*
 * Requests cancelled at all stages.  Sockets, threads and malloc'd memory must
 * be what they were; and were the sockets miscounted, fd.c would soon grant no
 * more.
 */
static void
cancel_often(CrmHttpSession *session, int times)
{
	static const char *const paths[] = {"/hang", "/drip", "/endless", "/zip-bomb", "/slow?2000"};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "cancelled",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);

	for (int i = 0; i < times; i++)
	{
		const char *host = i % 3 == 0 ? "localhost" : "127.0.0.1";
		char	   *where = psprintf("http://%s:%d%s", host, unit_peer,
									 paths[i % lengthof(paths)]);

		cancel_after(1 + i % 7);
		CHECK_ERROR("57014", send_body(session, "GET", where, NULL, 0));
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(caller);
}

static void
test_cancel_often(void)
{
	CrmHttpSettings wide = settings();
	CrmHttpSession *session;
	int			open_before;
	size_t		memory_before;
	long		grown;

	wide.max_response_size = INT64CONST(1) << 40;
	session = open_with(wide);
	cancel_often(session, 50);
	pg_usleep(50000);
	open_before = descriptors();
	memory_before = mallinfo2().uordblks + mallinfo2().hblkhd;
	cancel_often(session, unit_long ? 20000 : 1000);
	pg_usleep(50000);
	grown = (long) (mallinfo2().uordblks + mallinfo2().hblkhd - memory_before);

	CHECK_INT(descriptors(), open_before);
	CHECK_INT(threads(), 1);
	CHECK(grown < 100000);
	if (grown >= 100000)
		unit_note("grown by %ld bytes", grown);
	CHECK_STR(get(session, "/hello")->body, "hello");
	crm_http_close(session);
}

static void
test_close(void)
{
	int			before = descriptors();
	CrmHttpSession *session = open_with(settings());

	get(session, "/hello");
	CHECK(descriptors() > before);
	crm_http_close(session);
	CHECK_INT(descriptors(), before);
}

/* ------------------------------------------------------------------ TLS */

static void
test_tls(void)
{
	CrmHttpSettings trusting = settings();
	CrmHttpSession *session;
	char	   *port = got("/tls");
	char	   *here = psprintf("https://localhost:%s/hello", port);

	CHECK(atoi(port) != 0);		/* openssl made a certificate */
	session = open_with(trusting);
	CHECK_ERROR("08001", send_body(session, "GET", here, NULL, 0));
	CHECK_STR(unit_error->hint, "The option \"ca_file\" names the certificates to trust, "
			  "\"crl_file\" those that were revoked.");
	crm_http_close(session);

	trusting.ca_file = got("/certificate");
	session = open_with(trusting);
	CHECK_STR(send_body(session, "GET", here, NULL, 0)->body, "hello");
	CHECK_ERROR("08001", send_body(session, "GET", psprintf("https://127.0.0.1:%s/hello", port),
								   NULL, 0));
	CHECK_STR(send_body(session, "GET", here, NULL, 0)->body, "hello");
	crm_http_close(session);

	trusting.ca_file = "/nonexistent";
	session = open_with(trusting);
	CHECK_ERROR("08001", send_body(session, "GET", here, NULL, 0));
	CHECK_STR(unit_error->hint, "Check the option \"ca_file\".");
	crm_http_close(session);
}

/* -------------------------------------------------------------- logging */

static char *logged;
static emit_log_hook_type previous_hook;

static void
keep_logged(ErrorData *edata)
{
	if (strncmp(edata->message, "crm_sync: ", 10) == 0)
		logged = MemoryContextStrdup(TopMemoryContext, edata->message);
	edata->output_to_server = false;
}

static void
test_log(void)
{
	CrmHttpSettings basic = settings();
	CrmHttpSession *session;

	basic.auth = CRM_HTTP_AUTH_BASIC;
	basic.username = "me";
	basic.password = "secret";
	session = open_with(basic);
	previous_hook = emit_log_hook;
	emit_log_hook = keep_logged;
	crm_log_requests = LOG;
	post(session, "/echo?q");
	crm_log_requests = DEBUG1;
	emit_log_hook = previous_hook;

	CHECK_CONTAINS(logged, "/echo?q: 200, ");
	CHECK(logged != NULL && strncmp(logged, "crm_sync: POST http://127.0.0.1:", 32) == 0);
	CHECK(logged != NULL && strstr(logged, "secret") == NULL);
	crm_http_close(session);
}

static const UnitTest tests[] = {
	{"gets an answer", test_get},
	{"asks as it should", test_request},
	{"sends headers, one to a line", test_headers},
	{"sends binary bodies with any method", test_methods},
	{"sends a large body without asking first", test_large_request},
	{"reads bodies however they are delimited", test_bodies},
	{"reads compressed bodies", test_compressed},
	{"reads a large compressed body bit by bit", test_compressed_large},
	{"refuses bodies packed twice", test_packed_twice},
	{"and packed otherwise than was asked for", test_packed_otherwise},
	{"does not follow redirects", test_redirect},
	{"reads Retry-After and Date", test_retry_after},
	{"takes for a date only what a clock shows", test_date},
	{"keeps connections alive, not after an error", test_kept_alive},
	{"keeps nothing open once it is retired", test_retired},
	{"opens any number of sessions", test_many_sessions},
	{"proves who it is by Basic", test_basic},
	{"keeps cookies for the session", test_cookies},
	{"keeps no cookies without end", test_cookies_without_end},
	{"counts", test_counters},
	{"does not take a proxy from the environment", test_environment},
	{"takes the proxy it is given", test_proxy},
	{"has a proxy make a tunnel for a connection's login", test_proxy_bound_login},
	{"notices a connection closed while idle", test_closed_idle},
	{"lets libcurl repeat a GET, and counts it", test_get_again},
	{"sends nothing else twice", test_sent_once},
	{"says so when what it sent may have been done, and nobody is there", test_sent_and_gone},
	{"says that the connection was lost", test_lost},
	{"says that the server is not reached", test_refused},
	{"speaks http and https only, without credentials in URLs", test_urls_refused},
	{"limits bodies, after decompression", test_body_limit},
	{"limits headers", test_header_limit},
	{"limits the time of a request", test_request_timeout},
	{"limits the time of connecting, TLS included", test_connect_timeout},
	{"waits as long as it takes without limits", test_no_timeout},
	{"keeps a deadline", test_deadline},
	{"pauses", test_pause},
	{"is cancelled at once, whatever it waits for", test_cancel},
	{"is not held by a proxy's answer without end", test_proxy_without_end},
	{"sends nothing once cancelled", test_cancelled_before},
	{"is not disturbed by its latch", test_latch},
	{"leaves nothing behind after 1000 cancels", test_cancel_often},
	{"leaves nothing behind after closing", test_close},
	{"verifies certificates", test_tls},
	{"logs a line for each request, without secrets", test_log},
};

UNIT_SUITE("http", tests)
