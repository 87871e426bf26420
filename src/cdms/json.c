/*
 * cdms/json.c
 *	  Verbose JSON of OData v2, read by PostgreSQL's own parser in one pass
 *	  straight into objects, and written.
 *
 * The shapes (captures/odata/01 to 05, captures/wcf/51): a page is
 * {"d":{"results":[...],"__next":"..."}} or {"d":[...]}, an object {"d":{...}}.
 * The reader keeps the place where it is and a table of the ways from one place
 * into the next; what no way leads into is passed over, except where that would
 * lose an object.
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "cdms/builder.h"
#include "cdms/format.h"
#include "cdms/type.h"
#include "cdms/value.h"
#include "cdms/words.h"

typedef enum Place
{
	AT_START,
	IN_DOCUMENT,				/* {"d": */
	IN_ENVELOPE,				/* {"results":, "__next": */
	IN_RESULTS,					/* [ */
	IN_OBJECT,
	IN_COMPLEX,
	PASSING_OVER
} Place;

#define DEEPEST_PLACE 8
#define LONGEST_DETAIL 500		/* bytes; the parser quotes all of a bad token */
#define MOST_PASSED 64			/* levels of what is passed over */

typedef struct Way
{
	Place		from;
	char		opening;
	const char *member;			/* of the document or envelope; NULL: any */
	Place		into;
} Way;

static const Way page_ways[] = {
	{AT_START, '{', NULL, IN_DOCUMENT},
	{IN_DOCUMENT, '{', "d", IN_ENVELOPE},
	{IN_DOCUMENT, '[', "d", IN_RESULTS},
	{IN_ENVELOPE, '[', "results", IN_RESULTS},
	{IN_RESULTS, '{', NULL, IN_OBJECT},
	{IN_OBJECT, '{', NULL, IN_COMPLEX},
	{PASSING_OVER}
};

static const Way object_ways[] = {
	{AT_START, '{', NULL, IN_DOCUMENT},
	{IN_DOCUMENT, '{', "d", IN_OBJECT},
	{IN_OBJECT, '{', NULL, IN_COMPLEX},
	{PASSING_OVER}
};

typedef struct Reader
{
	CrmBuilder *builder;
	const Way  *ways;
	Place		places[DEEPEST_PLACE];	/* from the start to here */
	int			depth;			/* index of the last */
	int			passed;			/* levels open below PASSING_OVER */
	bool		arrived;		/* met what was asked for: results or object */
	const char *member;			/* of the document, envelope or complex value */
	const CrmSlot *slot;		/* of the object's property */
	char	   *next;
} Reader;

static Place
place(const Reader *reader)
{
	return reader->places[reader->depth];
}

/* --------------------------------------------------------- the parser's events */

static Place
way_into(const Reader *reader, char opening)
{
	for (const Way *way = reader->ways; way->from != PASSING_OVER; way++)
	{
		if (way->from == place(reader) && way->opening == opening &&
			(way->member == NULL || strcmp(way->member, reader->member) == 0))
			return way->into;
	}
	return PASSING_OVER;
}

/* A second one would be taken for more of the first. */
static void
arrive(Reader *reader)
{
	if (reader->arrived)
		crm_builder_wrong_shape("What was asked for comes twice.");
	reader->arrived = true;
}

static void
open_place(Reader *reader, char opening)
{
	Place		into;

	CHECK_FOR_INTERRUPTS();
	if (place(reader) == PASSING_OVER)
	{
		if (++reader->passed > MOST_PASSED)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("CDMS's answer is nested too deep")));
		return;
	}

	into = way_into(reader, opening);
	if (into == IN_COMPLEX && reader->slot == NULL)
		into = PASSING_OVER;
	if (into == PASSING_OVER && place(reader) == IN_RESULTS)
		crm_builder_wrong_shape("One of the results is not an object.");
	if (into == IN_OBJECT)
		crm_builder_begin_object(reader->builder);
	if (into == IN_RESULTS || (into == IN_OBJECT && place(reader) == IN_DOCUMENT))
		arrive(reader);

	Assert(reader->depth + 1 < DEEPEST_PLACE);
	reader->places[++reader->depth] = into;
}

static void
close_place(Reader *reader)
{
	if (place(reader) == PASSING_OVER && reader->passed > 0)
	{
		reader->passed--;
		return;
	}
	if (place(reader) == IN_OBJECT)
		crm_builder_end_object(reader->builder);
	reader->depth--;
}

static CrmJsonResult
on_object_start(void *state)
{
	open_place(state, '{');
	CRM_JSON_GO_ON;
}

static CrmJsonResult
on_array_start(void *state)
{
	open_place(state, '[');
	CRM_JSON_GO_ON;
}

static CrmJsonResult
on_end(void *state)
{
	close_place(state);
	CRM_JSON_GO_ON;
}

static CrmJsonResult
on_field(void *state, char *name, bool isnull)
{
	Reader	   *reader = state;

	if (place(reader) == IN_OBJECT)
		reader->slot = crm_builder_find(reader->builder, name);
	else if (place(reader) != PASSING_OVER)
		reader->member = name;
	CRM_JSON_GO_ON;
}

/*
 * The parser's copies of names and values belong to whoever is given them.  Kept to
 * the end they would be many times the body.
 */
static CrmJsonResult
on_field_end(void *state, char *name, bool isnull)
{
	pfree(name);
	CRM_JSON_GO_ON;
}

static void
note_next(Reader *reader, const char *link)
{
	if (reader->next)
		crm_builder_wrong_shape("It has two links to the next page.");
	reader->next = pstrdup(link);
}

static CrmJsonResult
on_scalar(void *state, char *token, JsonTokenType type)
{
	Reader	   *reader = state;
	const char *text = type == JSON_TOKEN_NULL ? NULL : token;

	switch (place(reader))
	{
		case IN_OBJECT:
			if (reader->slot)
				crm_builder_value(reader->builder, reader->slot, NULL, text);
			break;
		case IN_COMPLEX:
			crm_builder_value(reader->builder, reader->slot, reader->member, text);
			break;
		case IN_ENVELOPE:
			if (strcmp(reader->member, "__next") == 0 && type == JSON_TOKEN_STRING)
				note_next(reader, token);
			break;
		case IN_RESULTS:
			crm_builder_wrong_shape("One of the results is not an object.");
			break;
		default:
			break;
	}
	pfree(token);
	CRM_JSON_GO_ON;
}

/* ------------------------------------------------------------------- reading */

/*
 * The body in the database's encoding, without a byte order mark; *length is
 * changed with it.
 */
static char *
in_database_encoding(const char *body, size_t *length)
{
	static const char mark[] = "\xEF\xBB\xBF";
	char	   *text = unconstify(char *, body);
	char	   *converted;

	if (*length >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0)
	{
		text += strlen(mark);
		*length -= strlen(mark);
	}
	if (!pg_verify_mbstr(PG_UTF8, text, (int) *length, true))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_JSON_TEXT),
				 errmsg("CDMS's answer is not valid JSON"),
				 errdetail("It is not valid UTF-8, or has a zero byte in it.")));

	converted = (char *) pg_do_encoding_conversion((unsigned char *) text, (int) *length,
												   PG_UTF8, GetDatabaseEncoding());
	if (converted != text)
		*length = strlen(converted);
	return converted;
}

static void
parse(Reader *reader, const char *body, size_t length)
{
	JsonSemAction actions = {
		.semstate = reader,
		.object_start = on_object_start,
		.object_end = on_end,
		.array_start = on_array_start,
		.array_end = on_end,
		.object_field_start = on_field,
		.object_field_end = on_field_end,
		.scalar = on_scalar
	};
	char	   *text = in_database_encoding(body, &length);
	JsonLexContext *lexer;
	JsonParseErrorType error;

	lexer = crm_json_lexer(text, length, GetDatabaseEncoding());
	error = pg_parse_json(lexer, &actions);
	if (error != JSON_SUCCESS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_JSON_TEXT),
				 errmsg("CDMS's answer is not valid JSON"),
				 errdetail_internal("%s", crm_words_tidy(json_errdetail(error, lexer),
														 LONGEST_DETAIL, NIL))));
}

/*
 * Reads a document the given ways.  The parser's memory is in a context of its own,
 * gone at the end.
 */
static CrmPage *
read_document(const char *body, size_t length, const CrmEntity *entity,
			  const Bitmapset *wanted, const Way *ways, char **next)
{
	Reader		reader = {.ways = ways, .places = {AT_START}};
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "crm_sync JSON",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before;

	reader.builder = crm_builder_start(entity, wanted);
	before = MemoryContextSwitchTo(scratch);
	parse(&reader, body, length);
	if (!reader.arrived)
		crm_builder_wrong_shape(ways == page_ways ?
								"It has neither d.results nor d with an array." :
								"It has no d with an object.");
	MemoryContextSwitchTo(before);

	if (next)
		*next = reader.next ? pstrdup(reader.next) : NULL;
	MemoryContextDelete(scratch);
	return crm_builder_finish(reader.builder);
}

static CrmPage *
read_page(const char *body, size_t length, const CrmEntity *entity,
		  const Bitmapset *wanted, char **next)
{
	return read_document(body, length, entity, wanted, page_ways, next);
}

static CrmObject *
read_object(const char *body, size_t length, const CrmEntity *entity)
{
	return read_document(body, length, entity, NULL, object_ways, NULL)->objects;
}

/* ------------------------------------------------------------------- writing */

static void
write_object(StringInfo out, const CrmEntity *entity, List *assignments)
{
	char		lead = '{';
	ListCell   *cell;

	foreach(cell, assignments)
	{
		const CrmAssignment *assignment = lfirst(cell);

		appendStringInfo(out, "%c\"%s\":", lead, crm_name_to_wire(assignment->field->property));
		crm_value_write_json(out, assignment);
		lead = ',';
	}
	appendStringInfoString(out, lead == '{' ? "{}" : "}");
}

const CrmFormatMethods crm_format_json = {
	.accept = "Accept: application/json",
	.content_type = "Content-Type: application/json; charset=utf-8",
	.expected = "application/json",
	.read_page = read_page,
	.read_object = read_object,
	.write_object = write_object
};
