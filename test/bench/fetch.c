/*
 * test/bench/fetch.c
 *	  What crm_sync is compared with: sends given requests, throws the answers
 *	  away.
 *
 *		fetch CONNECTIONS WARM_URL FILE
 *
 * FILE has for each request a line "VERB URL STATUS LENGTH", its headers, an
 * empty line, LENGTH bytes of body and a line feed.  The requests leave in
 * that order over CONNECTIONS connections, each as soon as one is free; they
 * are opened and used once, for WARM_URL, before the clock starts.  An answer
 * that has another status than the one expected is an error.
 *
 * Prints "REQUESTS BYTES SECONDS": how many, the bytes of the answers'
 * bodies, and how long it took.
 */
#include <curl/curl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Request
{
	char		verb[16];
	char	   *url;
	long		status;
	long		length;
	char	   *body;
	struct curl_slist *headers;
	char	   *encoding;		/* of the header Accept-Encoding, or NULL */
} Request;

typedef struct Requests
{
	Request    *at;
	size_t		count;
	size_t		room;
} Requests;

static size_t received;			/* bytes of bodies */

static void
fail(const char *what, const char *which)
{
	fprintf(stderr, "fetch: %s: %s\n", what, which);
	exit(1);
}

static void *
checked(void *memory)
{
	if (memory == NULL)
		fail("out of memory", "");
	return memory;
}

/* ------------------------------------------------------------------ the file */

/* One line of it without its end, in a buffer of its own; NULL at the end. */
static char *
next_line(FILE *file)
{
	static char *line;
	static size_t room;
	ssize_t		length = getline(&line, &room, file);

	if (length < 0)
		return NULL;
	if (length > 0 && line[length - 1] == '\n')
		line[length - 1] = '\0';
	return line;
}

/* libcurl makes Host and Content-Length itself, and decodes what it asked for. */
static void
add_header(Request *request, const char *line)
{
	static const char encoding[] = "Accept-Encoding: ";

	if (strncasecmp(line, encoding, strlen(encoding)) == 0)
		request->encoding = checked(strdup(line + strlen(encoding)));
	else if (strncasecmp(line, "Host:", 5) != 0 && strncasecmp(line, "Content-Length:", 15) != 0)
		request->headers = checked(curl_slist_append(request->headers, line));
}

static void
read_body(Request *request, FILE *file)
{
	request->body = checked(malloc(request->length + 1));
	if (fread(request->body, 1, request->length + 1, file) != (size_t) request->length + 1)
		fail("a body is cut", request->url);
}

static Requests
read_requests(const char *path)
{
	FILE	   *file = fopen(path, "r");
	Requests	found = {.count = 0};
	char	   *line;

	if (file == NULL)
		fail("can't be read", path);
	while ((line = next_line(file)) != NULL)
	{
		Request		request = {.status = 0};

		if (sscanf(line, "%15s %ms %ld %ld", request.verb, &request.url, &request.status,
				   &request.length) != 4)
			fail("is no request", line);
		while ((line = next_line(file)) != NULL && *line != '\0')
			add_header(&request, line);
		read_body(&request, file);
		if (found.count == found.room)
		{
			found.room = found.room * 2 + 1000;
			found.at = checked(realloc(found.at, found.room * sizeof(Request)));
		}
		found.at[found.count++] = request;
	}
	fclose(file);
	return found;
}

/* --------------------------------------------------------------- the requests */

static size_t
throw_away(char *data, size_t size, size_t count, void *unused)
{
	received += size * count;
	return size * count;
}

static void
prepare(CURL *easy, const Request *request)
{
	curl_easy_reset(easy);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, throw_away);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, request->encoding);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
	if (strcmp(request->verb, "GET") == 0)
		return;
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, request->length);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->verb);
}

static void
check_answer(CURL *easy, CURLcode result)
{
	Request    *request;
	char		difference[64];
	long		status;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
	if (result != CURLE_OK)
		fail(curl_easy_strerror(result), request->url);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	snprintf(difference, sizeof(difference), "answered %ld, not %ld", status, request->status);
	if (status != request->status)
		fail(difference, request->url);
}

/* Takes a finished handle out; NULL when none has finished. */
static CURL *
take_finished(CURLM *multi)
{
	CURLMsg    *message;
	CURL	   *easy;
	int			left;

	do
		message = curl_multi_info_read(multi, &left);
	while (message != NULL && message->msg != CURLMSG_DONE);
	if (message == NULL)
		return NULL;
	easy = message->easy_handle;
	check_answer(easy, message->data.result);
	curl_multi_remove_handle(multi, easy);
	return easy;
}

/* Sends them all; as many at a time as there are handles. */
static void
send_all(CURLM *multi, CURL **easies, int connections, const Request *requests, size_t count)
{
	size_t		sent = 0;
	size_t		answered = 0;
	int			running;
	CURL	   *easy;

	for (; sent < count && sent < (size_t) connections; sent++)
	{
		prepare(easies[sent], &requests[sent]);
		curl_multi_add_handle(multi, easies[sent]);
	}
	while (answered < count)
	{
		if (curl_multi_perform(multi, &running) != CURLM_OK)
			fail("curl_multi_perform", "failed");
		while ((easy = take_finished(multi)) != NULL)
		{
			answered++;
			if (sent == count)
				continue;
			prepare(easy, &requests[sent++]);
			curl_multi_add_handle(multi, easy);
			running = -1;		/* to be started at once */
		}
		if (running > 0)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
}

static void
warm(CURLM *multi, CURL **easies, int connections, char *url)
{
	Request    *requests = checked(calloc(connections, sizeof(Request)));

	for (int i = 0; i < connections; i++)
		requests[i] = (Request) {.verb = "GET", .url = url, .status = 200};
	send_all(multi, easies, connections, requests, connections);
	free(requests);
	received = 0;
}

static double
now(void)
{
	struct timespec moment;

	clock_gettime(CLOCK_MONOTONIC, &moment);
	return moment.tv_sec + moment.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	int			connections = argc == 4 ? atoi(argv[1]) : 0;
	CURLM	   *multi;
	CURL	  **easies;
	Requests	requests;
	double		start;

	if (connections < 1)
		fail("usage", "fetch CONNECTIONS WARM_URL FILE");
	curl_global_init(CURL_GLOBAL_ALL);
	requests = read_requests(argv[3]);
	multi = checked(curl_multi_init());
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) connections);
	easies = checked(calloc(connections, sizeof(CURL *)));
	for (int i = 0; i < connections; i++)
		easies[i] = checked(curl_easy_init());
	warm(multi, easies, connections, argv[2]);
	start = now();
	send_all(multi, easies, connections, requests.at, requests.count);
	printf("%zu %zu %.6f\n", requests.count, received, now() - start);
	return 0;
}
