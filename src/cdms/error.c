/*
 * cdms/error.c
 *	  Error documents of CDMS turned into something one can act on.
 *
 * A refusal of CDMS is JSON or XML with a code and words in the server's own
 * language, so only codes are acted on; but what stands before it (a proxy, IIS,
 * a login page) answers in HTML or plain text, whatever its header says
 * (cdms-protocol 2.3, 6.1).  Nothing a body holds makes reading it fail.
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"

#include "compat.h"
#include "cdms/atom.h"
#include "cdms/error.h"
#include "cdms/words.h"

#define SNIFFED 1024			/* bytes that show what a body is */
#define LONGEST_WORDS 2000		/* bytes, of CDMS's own words */
#define LONGEST_EXTRACT 200		/* bytes, of a body of another kind */

/* ------------------------------------------------------------ kinds of bodies */

static const char *
skip_to_content(const CrmHttpResponse *response)
{
	const char *at = response->body;

	if (strncmp(at, "\xEF\xBB\xBF", 3) == 0)
		at += 3;
	while (isspace((unsigned char) *at))
		at++;
	return at;
}

static bool
mentions(const char *text, const char *word)
{
	return strcasestr(text, word) != NULL;
}

static bool
is_html(const char *at)
{
	char	   *head = pnstrdup(at, SNIFFED);

	return mentions(head, "<!doctype html") || mentions(head, "<html");
}

/*
 * A form that asks for a password, or that carries a token on by script
 * (captures/adfs/tests_rest_responses_login_form.html and ..._auth_form.html).
 */
static bool
is_login(const char *at)
{
	return mentions(at, "type=\"password\"") || mentions(at, "name=\"wresult\"");
}

static bool
is_binary(const CrmHttpResponse *response)
{
	for (size_t i = 0; i < response->body_length; i++)
	{
		unsigned char c = response->body[i];

		if (c < ' ' && !isspace(c))
			return true;
	}
	return false;
}

CrmBodyKind
crm_body_kind(const CrmHttpResponse *response)
{
	const char *at = skip_to_content(response);

	if (response->body_length == 0)
		return CRM_BODY_EMPTY;
	if (*at == '<')
	{
		if (!is_html(at))
			return CRM_BODY_XML;
		return is_login(at) ? CRM_BODY_LOGIN : CRM_BODY_HTML;
	}
	if (*at == '{' || *at == '[')
		return CRM_BODY_JSON;
	return is_binary(response) ? CRM_BODY_BINARY : CRM_BODY_TEXT;
}

/* ------------------------------------------------------------- error documents */

/* What an error document said; NULL: it did not. */
typedef struct Told
{
	char	   *code;
	char	   *words;
} Told;

#define DEEPEST_NAME 3

typedef struct JsonFault
{
	Told	   *told;
	int			depth;
	char	   *names[DEEPEST_NAME + 1];	/* of the fields that lead here */
} JsonFault;

static CrmJsonResult
json_down(void *state)
{
	((JsonFault *) state)->depth++;
	CRM_JSON_GO_ON;
}

static CrmJsonResult
json_up(void *state)
{
	((JsonFault *) state)->depth--;
	CRM_JSON_GO_ON;
}

static void
json_set_name(JsonFault *fault, char *name)
{
	if (fault->depth <= DEEPEST_NAME)
		fault->names[fault->depth] = name;
}

static CrmJsonResult
json_field(void *state, char *name, bool isnull)
{
	json_set_name(state, name);
	CRM_JSON_GO_ON;
}

static CrmJsonResult
json_field_end(void *state, char *name, bool isnull)
{
	json_set_name(state, NULL);
	pfree(name);
	CRM_JSON_GO_ON;
}

static bool
json_is_in(const JsonFault *fault, int depth, const char *name)
{
	return fault->names[depth] != NULL && strcmp(fault->names[depth], name) == 0;
}

/*
 * What the value here is to the fault; NULL: nothing.
 * {"error":{"code":"...","message":{"lang":"...","value":"..."}}}
 */
static char **
json_place(const JsonFault *fault)
{
	if (fault->depth < 2 || fault->depth > 3 || !json_is_in(fault, 1, "error"))
		return NULL;
	if (fault->depth == 2 && json_is_in(fault, 2, "code"))
		return &fault->told->code;
	if (json_is_in(fault, 2, "message") && (fault->depth == 2 || json_is_in(fault, 3, "value")))
		return &fault->told->words;
	return NULL;
}

/* Of what comes twice the last counts; nothing else is kept. */
static CrmJsonResult
json_scalar(void *state, char *token, JsonTokenType type)
{
	char	  **place = type == JSON_TOKEN_NULL ? NULL : json_place(state);
	char	   *other = token;

	if (place != NULL)
	{
		other = *place;
		*place = token;
	}
	if (other != NULL)
		pfree(other);
	CRM_JSON_GO_ON;
}

static void
read_json(const CrmHttpResponse *response, Told *told)
{
	JsonFault	fault = {told};
	JsonSemAction actions = {
		.semstate = &fault,
		.object_start = json_down,
		.object_end = json_up,
		.array_start = json_down,
		.array_end = json_up,
		.object_field_start = json_field,
		.object_field_end = json_field_end,
		.scalar = json_scalar
	};
	char	   *body = unconstify(char *, skip_to_content(response));
	JsonLexContext *lexer = crm_json_lexer(body, strlen(body), PG_UTF8);

	if (pg_parse_json(lexer, &actions) != JSON_SUCCESS)
		told->words = NULL;
}

/* <m:error><m:code>...</m:code><m:message>...</m:message></m:error> */
static void
read_xml(const CrmHttpResponse *response, Told *told)
{
	const char *body = skip_to_content(response);
	CrmXmlReader *xml = crm_xml_open(body, response->body_length - (body - response->body),
									 CRM_XML_ANSWER);

	if (crm_xml_next(xml) != CRM_XML_START || strcmp(crm_xml_name(xml), "error") != 0)
		return;
	while (crm_xml_next_child(xml))
	{
		if (strcmp(crm_xml_name(xml), "code") == 0)
			told->code = crm_xml_inner_text(xml);
		else if (strcmp(crm_xml_name(xml), "message") == 0)
			told->words = crm_xml_inner_text(xml);
		else
			crm_xml_skip(xml);
	}
}

/*
 * Reads an error document.  Of one that is malformed, or has letters that the
 * database can't write, the code may be known and the words are not.  The
 * readers touch nothing of the database, so their ERROR can be forgotten here;
 * an interrupt is none of theirs and goes on.
 */
static void
read_told(void (*read) (const CrmHttpResponse *, Told *), const CrmHttpResponse *response,
		  Told *told)
{
	MemoryContext before = CurrentMemoryContext;

	PG_TRY();
	{
		read(response, told);
	}
	PG_CATCH();
	{
		int			category = ERRCODE_TO_CATEGORY(geterrcode());

		if (category != ERRCODE_DATA_EXCEPTION &&
			category != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		MemoryContextSwitchTo(before);
		FlushErrorState();
		told->words = NULL;
	}
	PG_END_TRY();
}

/* ------------------------------------------------------------------------ HTML */

/* Behind the tag at c; behind all of the element where that is not for readers. */
static const char *
skip_tag(const char *c)
{
	static const char *const unseen[][2] = {
		{"<script", "</script"}, {"<style", "</style"}, {"<!--", "-->"}
	};
	const char *end = c;

	for (int i = 0; i < lengthof(unseen); i++)
	{
		if (pg_strncasecmp(c, unseen[i][0], strlen(unseen[i][0])) == 0)
			end = strcasestr(c, unseen[i][1]);
	}
	end = end ? strchr(end, '>') : NULL;
	return end ? end : c + strlen(c) - 1;
}

/* The letter at c, decoded where it is an entity for ASCII; its last byte. */
static const char *
append_visible(StringInfo words, const char *c)
{
	uint32		letter;
	int			length = crm_words_entity(c, &letter);

	if (length == 0 || letter > '~')
	{
		appendStringInfoChar(words, *c);
		return c;
	}
	appendStringInfoChar(words, letter);
	return c + length - 1;
}

/* The words that a browser would show, title first. */
static char *
visible_words(const char *html)
{
	StringInfoData words;

	initStringInfo(&words);
	for (const char *c = html; *c; c++)
	{
		if (*c == '<')
		{
			c = skip_tag(c);
			appendStringInfoChar(&words, ' ');
		}
		else
			c = append_visible(&words, c);
	}
	return words.data;
}

/* ---------------------------------------------------------------------- faults */

/*
 * CRM's code: as the document has it, or at the head of the words, in brackets
 * (captures/odata/10: "[-2147220715]: Paging cookie required ...").
 */
static int32
read_code(const char *code, const char *words)
{
	char	   *end;
	long		number;

	if ((code == NULL || *code == '\0') && words[0] == '[')
		code = words + 1;
	if (code == NULL)
		return 0;
	errno = 0;
	number = strtol(code, &end, 10);
	if (end == code || (*end != '\0' && *end != ']') || errno != 0 ||
		number < PG_INT32_MIN || number > PG_INT32_MAX)
		return 0;
	return (int32) number;
}

/* What the document has to say, or the body where it is none. */
static char *
read_words(const CrmHttpResponse *response, CrmBodyKind kind, const Told *told,
		   const List *secrets)
{
	if (told->words)
		return crm_words_tidy(told->words, LONGEST_WORDS, secrets);
	if (kind == CRM_BODY_BINARY)
		return psprintf("(%zu bytes of binary data)", response->body_length);
	if (kind != CRM_BODY_HTML && kind != CRM_BODY_LOGIN)
		return crm_words_tidy(response->body, LONGEST_EXTRACT, secrets);
	/* Hidden before tags are taken out: what they leave of a secret is not found. */
	return crm_words_tidy(visible_words(crm_words_hide(response->body, secrets)),
						  LONGEST_EXTRACT, secrets);
}

CrmFault *
crm_fault_read(const CrmHttpResponse *response, const List *secrets)
{
	CrmBodyKind kind = crm_body_kind(response);
	CrmFault   *fault = palloc0(sizeof(CrmFault));
	Told		told = {NULL};

	if (kind == CRM_BODY_JSON)
		read_told(read_json, response, &told);
	else if (kind == CRM_BODY_XML)
		read_told(read_xml, response, &told);

	fault->status = response->status;
	fault->words = read_words(response, kind, &told, secrets);
	fault->said = read_words(response, kind, &told, NIL);
	fault->code = read_code(told.code, fault->said);
	return fault;
}

/* "CDMS answered 500, code -2147220969: account With Id = ... Does Not Exist." */
char *
crm_fault_describe(const CrmFault *fault)
{
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfo(&detail, "CDMS answered %d", fault->status);
	if (fault->code != 0)
		appendStringInfo(&detail, ", code %d", fault->code);
	if (fault->words[0] != '\0')
		appendStringInfo(&detail, ": %s", fault->words);
	if (strchr(".!?", detail.data[detail.len - 1]) == NULL)
		appendStringInfoChar(&detail, '.');
	return detail.data;
}

/* What the user can do about it; NULL: nothing that is known here. */
static const char *
hint_for(const CrmFault *fault)
{
	if (fault->status == 401)
		return "Check the user mapping, and the server's option \"auth\".";
	if (fault->status == 404 && fault->code == 0)
		return "Check the server's option \"url\", and the table's \"entity\" and \"entity_set\".";
	return NULL;
}

void
crm_fault_throw(const CrmFault *fault, const char *server_name, const char *action)
{
	const char *hint = hint_for(fault);
	int			sqlstate = ERRCODE_FDW_ERROR;

	if (fault->status == 401)
		sqlstate = ERRCODE_INVALID_PASSWORD;
	else if (fault->code == CRM_CODE_DUPLICATE_KEY)
		sqlstate = ERRCODE_UNIQUE_VIOLATION;

	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s on server \"%s\"", action, server_name),
			 errdetail_internal("%s", crm_fault_describe(fault)),
			 hint ? errhint("%s", hint) : 0));
}
