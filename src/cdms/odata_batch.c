/*
 * cdms/odata_batch.c
 *	  Several writes in one request: a change set in a $batch.
 *
 * That CRM 2011 takes change sets, and whether it carries them out as a whole, is
 * documented nowhere (cdms-protocol 1.2), so they are the server option "batch", and
 * nothing is concluded from an answer to one write about another: what was refused
 * names itself, of the others nothing is known then, and the objects are looked at.
 *
 * Where it is wanted the changed objects are read back in the same request.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/uuid.h"

#include "cdms/login.h"
#include "cdms/odata.h"
#include "net/url.h"

#define MULTIPART "Content-Type: multipart/mixed; boundary="

/* A stretch of an answer. */
typedef struct Span
{
	const char *data;
	size_t		length;
} Span;

/* ------------------------------------------------------------ the request */

/* Nobody can foresee it, and write a value that has it in it. */
static char *
make_boundary(const char *kind)
{
	return psprintf("%s_%s", kind,
					crm_odata_key_text(DatumGetUUIDP(DirectFunctionCall1(gen_random_uuid, (Datum) 0))));
}

static void
append_operation(StringInfo out, const CrmHttpRequest *request, int content_id)
{
	ListCell   *lc;

	appendStringInfoString(out, "Content-Type: application/http\r\n"
						   "Content-Transfer-Encoding: binary\r\n");
	if (content_id > 0)
		appendStringInfo(out, "Content-ID: %d\r\n", content_id);
	appendStringInfo(out, "\r\n%s %s HTTP/1.1\r\n", request->method, request->url);
	foreach(lc, request->headers)
		appendStringInfo(out, "%s\r\n", (char *) lfirst(lc));
	if (request->body)
		appendStringInfo(out, "Content-Length: %zu\r\n", request->body_length);
	appendStringInfoString(out, "\r\n");
	if (request->body)
		appendBinaryStringInfo(out, request->body, request->body_length);
	appendStringInfoString(out, "\r\n");
}

/* The writes as one change set; their place in the list is their Content-ID. */
static void
append_changes(StringInfo out, CrmConnection *conn, List *writes)
{
	char	   *boundary = make_boundary("changes");
	ListCell   *lc;

	appendStringInfo(out, MULTIPART "%s\r\n\r\n", boundary);
	foreach(lc, writes)
	{
		appendStringInfo(out, "--%s\r\n", boundary);
		append_operation(out, crm_odata_write_request(conn, lfirst(lc)),
						 foreach_current_index(lc) + 1);
	}
	appendStringInfo(out, "--%s--\r\n", boundary);
}

static CrmHttpRequest *
make_batch(CrmConnection *conn, List *writes, List *queries)
{
	CrmHttpRequest *request = palloc0_object(CrmHttpRequest);
	char	   *boundary = make_boundary("batch");
	StringInfoData body;
	ListCell   *lc;

	initStringInfo(&body);
	appendStringInfo(&body, "--%s\r\n", boundary);
	append_changes(&body, conn, writes);
	foreach(lc, queries)
	{
		appendStringInfo(&body, "--%s\r\n", boundary);
		append_operation(&body, crm_odata_query_request(conn, lfirst(lc)), 0);
	}
	appendStringInfo(&body, "--%s--\r\n", boundary);

	request->method = "POST";
	request->url = psprintf("%s/$batch", crm_url_repair(conn->root));
	request->headers = list_make2(psprintf(MULTIPART "%s", boundary),
								  pstrdup("Accept: multipart/mixed"));
	request->body = body.data;
	request->body_length = body.len;
	return request;
}

/* ------------------------------------------------------- taking it apart */

static void
throw_unreadable(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("CDMS's answer to a change set could not be read"),
			 errdetail_internal("%s", detail)));
}

static const char *
find(Span span, const char *text)
{
	return span.length == 0 ? NULL : memmem(span.data, span.length, text, strlen(text));
}

/* What stands before and after the first empty line. */
static void
split_head(Span span, Span *head, Span *body)
{
	const char *end = find(span, "\r\n\r\n");

	if (end == NULL)
		throw_unreadable("A part has no headers.");
	head->data = span.data;
	head->length = end + strlen("\r\n") - span.data;
	body->data = end + strlen("\r\n\r\n");
	body->length = span.data + span.length - body->data;
}

/* The bytes, zero bytes among them, and one more zero byte. */
static char *
copy_bytes(Span span)
{
	char	   *copy = palloc(span.length + 1);

	memcpy(copy, span.data, span.length);
	copy[span.length] = '\0';
	return copy;
}

/* The value of a header, or NULL. */
static char *
header_value(Span head, const char *name)
{
	const char *line = head.data;
	const char *end = head.data + head.length;
	size_t		length = strlen(name);

	while (line < end)
	{
		const char *stop = memchr(line, '\r', end - line);

		if (stop == NULL)
			break;
		if (stop - line > length && line[length] == ':' && pg_strncasecmp(line, name, length) == 0)
		{
			line += length + 1;
			while (line < stop && *line == ' ')
				line++;
			return pnstrdup(line, stop - line);
		}
		line = stop + strlen("\r\n");
	}
	return NULL;
}

/* "--" and the boundary that a media type names. */
static char *
delimiter_of(const char *media_type)
{
	const char *start = media_type ? strcasestr(media_type, "boundary=") : NULL;

	if (start == NULL)
		throw_unreadable("It is not in parts.");
	start += strlen("boundary=");
	if (*start == '"')
		start++;
	return psprintf("--%s", pnstrdup(start, strcspn(start, "\"; ")));
}

/*
 * What may stand behind a delimiter, at c: the mark of the last one, or blanks and the
 * line's end.  Where that is, or NULL: it is other text that begins so.
 */
static const char *
end_of_delimiter(const char *c, const char *end)
{
	if (end - c >= 2 && memcmp(c, "--", 2) == 0)
		return c;
	while (c < end && (*c == ' ' || *c == '\t'))
		c++;
	return end - c >= 2 && memcmp(c, "\r\n", 2) == 0 ? c : NULL;
}

/* The next delimiter from here on, at the beginning of a line, and its end; NULL: none. */
static const char *
find_delimiter(Span body, const char *from, const char *delimiter, const char **its_end)
{
	const char *end = body.data + body.length;
	Span		rest = {from, end - from};
	const char *found;

	while ((found = find(rest, delimiter)) != NULL)
	{
		*its_end = end_of_delimiter(found + strlen(delimiter), end);
		if (*its_end != NULL &&
			(found == body.data || (found - body.data >= 2 && memcmp(found - 2, "\r\n", 2) == 0)))
			return found;
		rest.data = found + 1;
		rest.length = end - rest.data;
	}
	return NULL;
}

/* The parts (Span *) of a body; an ERROR when the last is not closed, or there are more. */
static List *
split_parts(Span body, const char *media_type, int most)
{
	char	   *delimiter = delimiter_of(media_type);
	List	   *parts = NIL;
	const char *start;
	const char *next = find_delimiter(body, body.data, delimiter, &start);

	while (next != NULL && *start != '-')
	{
		Span	   *part = palloc_object(Span);

		if (list_length(parts) == most)
			throw_unreadable("It has too many parts.");
		part->data = start + strlen("\r\n");
		next = find_delimiter(body, start, delimiter, &start);
		if (next == NULL)
			break;
		part->length = Max(next - strlen("\r\n"), part->data) - part->data;
		parts = lappend(parts, part);
	}
	if (next == NULL)
		throw_unreadable("Its end is missing.");
	return parts;
}

/*
 * An application/http part of a whole as the answer that it is; *content_id: 0 where it
 * has none.
 */
static CrmHttpResponse *
read_answer(const CrmHttpResponse *whole, Span part, int *content_id)
{
	CrmHttpResponse *response = palloc0_object(CrmHttpResponse);
	Span		outer;
	Span		http;
	Span		head;
	Span		body;
	char	   *value;

	split_head(part, &outer, &http);
	split_head(http, &head, &body);
	if (sscanf(pnstrdup(head.data, Min(head.length, 20)), "HTTP/1.%*d %d", &response->status) != 1)
		throw_unreadable("A part has no status.");
	value = header_value(head, "Content-ID");
	*content_id = atoi(value ? value : "0");
	value = header_value(head, "Content-Type");
	response->content_type = value ? value : "";
	response->location = header_value(head, "Location");
	value = header_value(head, "Retry-After");
	response->retry_after = value ? atoi(value) : -1;
	response->body = copy_bytes(body);
	response->body_length = body.length;
	response->secrets = whole->secrets;
	return response;
}

/* --------------------------------------------------------------- outcomes */

static void
judge_changes(CrmConnection *conn, List *writes, const CrmHttpResponse *whole, Span part)
{
	Span		head;
	Span		body;
	List	   *answers;
	ListCell   *lc;

	split_head(part, &head, &body);
	answers = split_parts(body, header_value(head, "Content-Type"), list_length(writes));
	foreach(lc, answers)
	{
		int			content_id;
		CrmWrite   *write;
		CrmHttpResponse *response = read_answer(whole, *(Span *) lfirst(lc), &content_id);

		/* Without a name it is the next, as long as each has an answer. */
		if (content_id == 0 && list_length(answers) == list_length(writes))
			content_id = foreach_current_index(lc) + 1;
		if (content_id < 1 || content_id > list_length(writes))
			throw_unreadable("A part does not say which change it answers.");
		write = list_nth(writes, content_id - 1);
		if (write->outcome != CRM_UNSENT)
			throw_unreadable("Two parts answer the same change.");
		crm_odata_judge(conn, write, response);
	}
}

/* What was read back is of those that were done. */
static void
keep_read_back(CrmConnection *conn, List *writes, const CrmQuery *query,
			   const CrmHttpResponse *whole, Span part)
{
	int			content_id;
	CrmHttpResponse *response = read_answer(whole, part, &content_id);
	ListCell   *lc;

	crm_odata_check_answer(conn, query, response);
	foreach(lc, writes)
	{
		CrmWrite   *write = lfirst(lc);

		if (write->query == query && write->outcome == CRM_DONE)
			write->answer = response;
	}
}

static CrmObject *
object_of(CrmPage *page, const pg_uuid_t *key)
{
	for (int i = 0; i < page->nobjects; i++)
		if (memcmp(&page->objects[i].key, key, UUID_LEN) == 0)
			return &page->objects[i];
	return NULL;
}

void
crm_odata_read_back(CrmConnection *conn, List *writes, const CrmQuery *query,
					const CrmHttpResponse *answer)
{
	CrmPage    *page = crm_odata_read_answer(conn, query, answer);
	ListCell   *lc;

	foreach(lc, writes)
	{
		CrmWrite   *write = lfirst(lc);

		if (write->answer != answer)
			continue;
		write->made = object_of(page, &write->key);
		write->answer = NULL;	/* not read again for one that is not in it */
	}
}

/* Of what no part spoke of nothing is known. */
void
crm_odata_judge_batch(CrmConnection *conn, List *writes, List *queries,
					  const CrmHttpResponse *response)
{
	Span		body = {response->body, response->body_length};
	List	   *parts;
	ListCell   *lc;

	if (response->status != 202 && response->status != 200)
		crm_odata_refuse(conn, response, "could not send a change set");
	parts = split_parts(body, response->content_type, list_length(queries) + 1);
	if (list_length(parts) != list_length(queries) + 1)
		throw_unreadable("Parts are missing.");
	judge_changes(conn, writes, response, *(Span *) linitial(parts));
	foreach(lc, queries)
		keep_read_back(conn, writes, lfirst(lc), response,
					   *(Span *) list_nth(parts, foreach_current_index(lc) + 1));
}

/* The changes that are to be read back, as queries (CrmQuery *) by key. */
static List *
read_back_queries(CrmConnection *conn, List *writes)
{
	List	   *queries = NIL;
	pg_uuid_t  *keys = palloc_array(pg_uuid_t, list_length(writes));
	CrmWrite  **changes = palloc_array(CrmWrite *, list_length(writes));
	const CrmEntity *entity = ((CrmWrite *) linitial(writes))->entity;
	int			n = 0;
	int			fit;
	ListCell   *lc;

	foreach(lc, writes)
	{
		CrmWrite   *write = lfirst(lc);

		if (!write->read_back || write->kind != CRM_UPDATE || write->entity != entity)
			continue;
		keys[n] = write->key;
		changes[n++] = write;
	}
	for (int i = 0; i < n; i += fit)
	{
		CrmQuery   *query = palloc0_object(CrmQuery);

		fit = conn->protocol->keys_per_query(conn, entity, n - i);
		query->entity = entity;
		query->filter = crm_condition_keys(entity, keys + i, fit);
		queries = lappend(queries, query);
		for (int j = i; j < i + fit; j++)
			changes[j]->query = query;
	}
	return queries;
}

/* What became of the whole became of each that has no outcome of its own. */
static void
share_error(List *writes, const CrmWrite *whole)
{
	ListCell   *lc;

	foreach(lc, writes)
	{
		CrmWrite   *write = lfirst(lc);

		if (write->outcome != CRM_UNSENT)
			continue;
		write->outcome = whole->outcome;
		write->retry_after = whole->retry_after;
		write->error = whole->error;
	}
}

/* Those that the answer passed over: it may be that nothing was carried out, or all. */
static void
note_passed_over(List *writes)
{
	ListCell   *lc;

	foreach(lc, writes)
	{
		CrmWrite   *write = lfirst(lc);

		if (write->outcome != CRM_UNSENT)
			continue;
		write->outcome = CRM_UNKNOWN;
		write->retry_after = 0;
		write->error = crm_odata_make_error("CDMS did not say what became of a change in a change set");
	}
}

typedef struct Batch
{
	CrmConnection *conn;
	List	   *writes;
	List	   *queries;
} Batch;

static void
send_batch(CrmWrite *whole, void *arg)
{
	Batch	   *batch = arg;
	CrmHttpResponse *response =
	crm_login_send(batch->conn, make_batch(batch->conn, batch->writes, batch->queries));

	if (crm_odata_is_overloaded(response))
	{
		whole->outcome = CRM_UNKNOWN;
		whole->retry_after = response->retry_after;
	}
	crm_odata_judge_batch(batch->conn, batch->writes, batch->queries, response);
}

void
crm_odata_write_batch(CrmConnection *conn, List *writes)
{
	Batch		batch = {conn, writes, read_back_queries(conn, writes)};
	CrmWrite	whole = {.outcome = CRM_UNSENT,.retry_after = -1};
	ListCell   *lc;

	foreach(lc, writes)
		((CrmWrite *) lfirst(lc))->not_done = false;
	crm_odata_try(&whole, send_batch, &batch);
	if (whole.error)
		share_error(writes, &whole);
	note_passed_over(writes);
}
