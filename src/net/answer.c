/*
 * net/answer.c
 *	  An answer as it comes: its headers, its body, and the secrets beside them.
 *
 * libcurl's stack can't be jumped over: what it calls here uses malloc, notes what
 * went wrong and lets libcurl give up; the ERROR follows when libcurl has returned.
 */
#include "postgres.h"

#include <curl/curl.h>

#include "net/exchange.h"

#define MAX_HEADER_SIZE (256 * 1024)	/* the words for it: failure.c */
#define YEAR_10000 INT64CONST(253402300800) /* its first second; HTTP's years have four digits */

static const char *const header_names[HEADER_COUNT] = {
	[HEADER_CONTENT_TYPE] = "Content-Type",
	[HEADER_LOCATION] = "Location",
	[HEADER_DATE] = "Date",
	[HEADER_RETRY_AFTER] = "Retry-After"
};

static void
answer_forget_headers(CrmHttpExchange *exchange)
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
answer_keep_header(char **value, const char *name, const char *line, size_t length)
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
answer_is_challenge(const char *line, size_t length)
{
	const char *status = memchr(line, ' ', length);
	size_t		left = status != NULL ? length - (status - line) : 0;

	return left >= 4 &&
		(strncmp(status, " 401", 4) == 0 || strncmp(status, " 407", 4) == 0);
}

/* CRM_ASKED_CODINGS, and an older name.  libcurl would unpack others, too. */
static const char *const packed[] = {"gzip", "x-gzip", "deflate", NULL};
static const char *const unpacked[] = {"chunked", "identity", NULL};

static bool
answer_is_one_of(const char *const *words, const char *word, size_t length)
{
	while (*words != NULL && (strlen(*words) != length || pg_strncasecmp(*words, word, length) != 0))
		words++;
	return *words != NULL;
}

/*
 * Counts the codings of a line that begins with name.  What is packed twice could
 * unpack for hours before a byte of it came here.
 */
static CrmHttpStop
answer_take_codings(CrmHttpExchange *exchange, const char *name, const char *line, size_t length)
{
	size_t		from = strlen(name);

	if (length <= from || pg_strncasecmp(line, name, from) != 0)
		return STOP_NOT;
	while (from < length)
	{
		size_t		end = from;

		while (end < length && strchr(", \t\r\n", line[end]) == NULL)
			end++;
		if (answer_is_one_of(packed, line + from, end - from))
			exchange->codings++;
		else if (end > from && !answer_is_one_of(unpacked, line + from, end - from))
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

/* Is it known, or is it known already that they are too many? */
static bool
answer_has_secret(const CrmHttpExchange *exchange, const char *value)
{
	int			n = 0;

	for (struct curl_slist *secret = exchange->secrets; secret != NULL; secret = secret->next, n++)
	{
		if (strcmp(secret->data, value) == 0)
			return true;
	}
	return n > CRM_MOST_SECRETS;
}

static void
answer_keep_secret(CrmHttpExchange *exchange, const char *from, const char *end)
{
	char	   *value = strndup(from, end - from);
	struct curl_slist *longer = NULL;

	if (value != NULL)
		longer = answer_has_secret(exchange, value) ? exchange->secrets :
			curl_slist_append(exchange->secrets, value);
	free(value);
	if (longer == NULL)
		crm_exchange_stop(exchange, STOP_NO_MEMORY);
	else
		exchange->secrets = longer;
}

/* Which of secret_headers it is; -1: none. */
static int
answer_secret_header(const char *line, const char *end)
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
answer_keep_secrets(CrmHttpExchange *exchange, const char *line, const char *end)
{
	int			i = answer_secret_header(line, end);
	const char *stop = NULL;

	while (end > line && isspace((unsigned char) end[-1]))
		end--;
	if (i >= 0 && secret_headers[i].pairs && secret_headers[i].one) /* Set-Cookie */
		exchange->session->cookies++;
	for (const char *at = line; i >= 0 && at < end; at = stop + 1)
	{
		const char *value;

		stop = memchr(at, ';', end - at);
		if (stop == NULL)
			stop = end;
		value = secret_headers[i].pairs ? memchr(at, '=', stop - at) : memrchr(at, ' ', stop - at);
		if (value != NULL)
			answer_keep_secret(exchange, value + 1, stop);
		if (secret_headers[i].one)
			break;
	}
}

/* What libcurl sends: it shows its own words and what it receives here as well. */
int
crm_answer_see_sent(CURL *easy, curl_infotype type, char *data, size_t size, void *arg)
{
	const char *end = data + size;

	for (const char *line = data; type == CURLINFO_HEADER_OUT && line < end;)
	{
		const char *next = memchr(line, '\r', end - line);

		if (next == NULL)
			next = end;
		answer_keep_secrets(arg, line, next);
		line = next + strlen("\r\n");
	}
	return 0;
}

/* One line of header: a status line, a header, or the empty line after them. */
size_t
crm_answer_take_header(char *line, size_t size, size_t count, void *arg)
{
	CrmHttpExchange *exchange = arg;
	size_t		length = size * count;
	CrmHttpStop	stop;

	exchange->header_size += length;
	if (exchange->header_size > MAX_HEADER_SIZE)
		return crm_exchange_stop(exchange, STOP_HEADER_SIZE);

	/* An interim answer (100) has headers of its own, which don't count. */
	if (length >= 5 && strncmp(line, "HTTP/", 5) == 0)
	{
		answer_forget_headers(exchange);
		exchange->challenged = answer_is_challenge(line, length);
	}
	stop = answer_take_codings(exchange, "Content-Encoding:", line, length);
	if (stop == STOP_NOT)
		stop = answer_take_codings(exchange, "Transfer-Encoding:", line, length);
	if (stop != STOP_NOT)
		return crm_exchange_stop(exchange, stop);
	if (length > 0 && (line[0] == '\r' || line[0] == '\n'))
		exchange->header_complete = true;
	answer_keep_secrets(exchange, line, line + length);

	for (int i = 0; i < HEADER_COUNT; i++)
	{
		if (!answer_keep_header(&exchange->header[i], header_names[i], line, length))
			return crm_exchange_stop(exchange, STOP_NO_MEMORY);
	}
	return length;
}

/* A piece of body, decompressed. */
size_t
crm_answer_take_body(char *data, size_t size, size_t count, void *arg)
{
	CrmHttpExchange *exchange = arg;
	CrmHttpSession *session = exchange->session;
	size_t		length = size * count;
	size_t		total = exchange->body_length + length;

	if (total > (uint64) session->settings.max_response_size)
		return crm_exchange_stop(exchange, STOP_BODY_SIZE);
	if (crm_loop_give_way(&session->loop, &exchange->loop))
		return CURL_WRITEFUNC_PAUSE;
	if (total > exchange->body_size)
	{
		size_t		wanted = Max(total, exchange->body_size * 2);
		char	   *larger = realloc(exchange->body, wanted);

		if (larger == NULL)
			return crm_exchange_stop(exchange, STOP_NO_MEMORY);
		exchange->body = larger;
		exchange->body_size = wanted;
	}
	memcpy(exchange->body + exchange->body_length, data, length);
	exchange->body_length = total;
	return length;
}

/* ----------------------------------------------------- the whole of it */

/* Seconds to wait: a number, or the time from the server's now to a date. */
static int
answer_retry_after(const char *value, const char *date)
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

/*
 * What no clock shows is no date.  libcurl reads years of any length, those too that
 * PostgreSQL has no timestamps for; and what is kept of a date must be one that can be
 * asked with, the overlap before it included.
 */
static TimestampTz
answer_date(const char *value)
{
	time_t		date = value != NULL ? curl_getdate(value, NULL) : -1;

	return date >= 0 && date < YEAR_10000 ? time_t_to_timestamptz(date) : 0;
}

static List *
answer_secrets(const CrmHttpExchange *exchange)
{
	List	   *secrets = NIL;

	for (struct curl_slist *secret = exchange->secrets; secret != NULL; secret = secret->next)
		secrets = lappend(secrets, pstrdup(secret->data));
	return secrets;
}

CrmHttpResponse *
crm_answer_copy(CrmHttpExchange *exchange)
{
	CrmHttpResponse *response = palloc0(sizeof(CrmHttpResponse));
	const char *type = exchange->header[HEADER_CONTENT_TYPE];
	const char *location = exchange->header[HEADER_LOCATION];
	long		status = 0;

	curl_easy_getinfo(exchange->loop.easy, CURLINFO_RESPONSE_CODE, &status);
	response->status = (int) status;
	response->content_type = pstrdup(type != NULL ? type : "");
	response->location = location != NULL ? pstrdup(location) : NULL;
	response->date = answer_date(exchange->header[HEADER_DATE]);
	response->retry_after = answer_retry_after(exchange->header[HEADER_RETRY_AFTER],
											   exchange->header[HEADER_DATE]);
	response->body = palloc_extended(exchange->body_length + 1, MCXT_ALLOC_HUGE);
	if (exchange->body_length > 0)
		memcpy(response->body, exchange->body, exchange->body_length);
	response->body[exchange->body_length] = '\0';
	response->body_length = exchange->body_length;
	response->secrets = answer_secrets(exchange);
	return response;
}

void
crm_answer_free(CrmHttpExchange *exchange)
{
	answer_forget_headers(exchange);
	free(exchange->body);
	exchange->body = NULL;
}
