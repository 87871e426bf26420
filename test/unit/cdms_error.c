/*
 * test/unit/cdms_error.c
 *	  Error documents, and bodies that are none.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "cdms/words.h"
#include "cdms_fixture.h"
#include "unit.h"

#define ERROR_XML(code, message) \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?>" \
	"<m:error xmlns:m=\"http://schemas.microsoft.com/ado/2007/08/dataservices/metadata\">" \
	"<m:code>" code "</m:code><m:message xml:lang=\"en-US\">" message "</m:message>" \
	"<m:innererror><m:message>inner</m:message></m:innererror></m:error>"

static CrmFault *
fault_of(const char *body)
{
	return crm_fault_read(cdms_response(500, "text/html", body), NIL);
}

static const char *
words_of(const char *body)
{
	return fault_of(body)->words;
}

static int32
code_of(const char *body)
{
	return fault_of(body)->code;
}

static CrmBodyKind
kind_of(const char *body)
{
	return crm_body_kind(cdms_response(200, "application/json", body));
}

static void
test_json(void)
{
	static const char body[] = "{\"error\":{\"code\":\"-2147220969\",\"message\":{"
		"\"lang\":\"en-US\",\"value\":\"account With Id = 1 Does Not Exist\"},"
		"\"innererror\":{\"message\":\"no\",\"value\":\"no\"}}}";

	CHECK_STR(words_of(body), "account With Id = 1 Does Not Exist");
	CHECK_INT(code_of(body), CRM_CODE_DOES_NOT_EXIST);
	CHECK_STR(words_of("{\"error\":{\"code\":-5,\"message\":\"plain\"}}"), "plain");
	CHECK_INT(code_of("{\"error\":{\"code\":-5,\"message\":\"plain\"}}"), -5);
}

static void
test_xml(void)
{
	CHECK_STR(words_of(ERROR_XML("-2147220937", "Cannot insert\n duplicate key.")),
			  "Cannot insert duplicate key.");
	CHECK_INT(code_of(ERROR_XML("-2147220937", "")), CRM_CODE_DUPLICATE_KEY);
	CHECK_INT(code_of(ERROR_XML("", "x")), 0);
}

/* Codes are read strictly: none is better than a wrong one. */
static void
test_codes(void)
{
	CHECK_INT(code_of(ERROR_XML("-2147483648", "x")), PG_INT32_MIN);
	CHECK_INT(code_of(ERROR_XML("-2147483649", "x")), 0);
	CHECK_INT(code_of(ERROR_XML("99999999999999999999", "x")), 0);
	CHECK_INT(code_of(ERROR_XML("0x80040217", "x")), 0);
	CHECK_INT(code_of(ERROR_XML("", "[-2147220715]: Paging cookie required")), -2147220715);
	CHECK_INT(code_of(ERROR_XML("", "[2011] was a year")), 2011);
	CHECK_INT(code_of(ERROR_XML("", "[x]")), 0);
	CHECK_INT(code_of("[-5]: plain text"), -5);
}

static void
test_html(void)
{
	CHECK_STR(words_of("<!DOCTYPE html><html><head><title>503 Service\n Unavailable</title>"
					   "<style>p {color: red}</style><script>if (a<b) x();</script></head>"
					   "<body><!-- <p>no</p> --><p>Try&nbsp;again &amp; again.</p></body></html>"),
			  "503 Service Unavailable Try again & again.");
	CHECK_STR(words_of("<html><body>cut <b"), "cut");
	CHECK_STR(words_of("<html><script>never ends"), "");
	CHECK_STR(words_of("<HTML>&lt;b&gt; &#39;q&#39; &unknown;</HTML>"), "<b> 'q' &unknown;");
}

/* A document that is none shows itself. */
static void
test_malformed(void)
{
	static const char *const bodies[] = {
		"{\"Message\":\"IIS says no\"}",
		"{\"error\":{\"message\":{\"value\":\"cut",
		"<m:error xmlns:m=\"m\"><m:message>cut",
		"<!DOCTYPE error [<!ENTITY a \"b\">]><error><message>&a;</message></error>"
	};

	for (int i = 0; i < lengthof(bodies); i++)
		CHECK_STR(words_of(bodies[i]), bodies[i]);
	CHECK_INT(code_of("{\"error\":{\"code\":-5,\"message\":\"cut"), -5);
}

static void
test_other_bodies(void)
{
	CHECK_STR(words_of(""), "");
	CHECK_STR(words_of("  bad \t gateway\r\n"), "bad gateway");
	CHECK_STR(words_of("\xFF\xFE\x41"), "??A");
	CHECK_STR(words_of("\x01\x02"), "(2 bytes of binary data)");
}

static void
test_long_words(void)
{
	char	   *body = palloc0(9001);

	for (int i = 0; i < 9000; i += 3)
		memcpy(body + i, "\xE6\x9D\xB1", 3);
	CHECK_INT(strlen(words_of(body)), 198);
	CHECK_INT(strlen(words_of(psprintf("{\"error\":{\"message\":\"%s\"}}", body))), 1998);
}

/* Beside the body, and a copy of it, nothing is kept. */
static void
check_memory(const char *begin, const char *piece)
{
	StringInfoData body;
	Size		before;

	initStringInfo(&body);
	appendStringInfoString(&body, begin);
	for (int i = 0; body.len < (unit_watched ? 400000 : 8000000); i++)
		appendStringInfo(&body, piece, i);
	before = MemoryContextMemAllocated(CurrentMemoryContext, true);
	CHECK_INT(strlen(words_of(body.data)), 200);
	CHECK(MemoryContextMemAllocated(CurrentMemoryContext, true) - before < 3 * body.len);
}

static void
test_memory(void)
{
	check_memory("{\"error\":{\"x\":[0", ",1");
	check_memory("{\"error\":{\"x\":0", ",\"a%d\":\"b\"");
	check_memory("{\"error\":{\"x\":0", ",\"code\":\"b\"");
}

/* Of names that come again the last counts, and it must be one of the error's. */
static void
test_names_again(void)
{
	CHECK_INT(code_of("{\"error\":{\"code\":\"-5\",\"code\":\"-6\",\"message\":\"x\"}}"), -6);
	CHECK_INT(code_of("{\"error\":{\"code\":\"-5\"},\"error\":[\"-6\"]}"), -5);
	CHECK_STR(words_of("{\"error\":{\"message\":\"x\",\"message\":{\"value\":\"y\"}}}"), "y");
}

static void
test_deep(void)
{
	char	   *body = palloc0(1000001);

	memset(body, '[', 1000000);
	CHECK_INT(strlen(words_of(body)), 200);
	for (int i = 0; i < 999999; i += 3)
		memcpy(body + i, "<a>", 3);
	CHECK_INT(strlen(words_of(body)), 200);
}

static void
test_kinds(void)
{
	CHECK_INT(kind_of(""), CRM_BODY_EMPTY);
	CHECK_INT(kind_of("\xEF\xBB\xBF {\"d\":[]}"), CRM_BODY_JSON);
	CHECK_INT(kind_of("[]"), CRM_BODY_JSON);
	CHECK_INT(kind_of("<?xml version=\"1.0\"?><feed/>"), CRM_BODY_XML);
	CHECK_INT(kind_of("\r\n<!doctype HTML>"), CRM_BODY_HTML);
	CHECK_INT(kind_of("<?xml version=\"1.0\"?><html xmlns=\"x\">"), CRM_BODY_HTML);
	CHECK_INT(kind_of("<html><INPUT TYPE=\"PASSWORD\">"), CRM_BODY_LOGIN);
	CHECK_INT(kind_of("hello"), CRM_BODY_TEXT);
	CHECK_INT(kind_of("\x7F""ELF\x01"), CRM_BODY_BINARY);
}

/* Text without the secret s3cr%t"&é; abc is too short for one. */
static const char *
hidden(const char *text)
{
	return crm_words_hide(text, list_make2("s3cr%t\"&\xC3\xA9", "abc"));
}

static void
test_secrets(void)
{
	CHECK_STR(hidden("<s3cr%t\"&\xC3\xA9>"), "<(hidden)>");
	CHECK_STR(hidden("p=s3cr%25t%22%26%C3%a9&q=%73%33cr%25t%22%26%C3%A9"), "p=(hidden)&q=(hidden)");
	CHECK_STR(hidden("s3cr%t&quot;&amp;&#233;, s3cr%t&#34;&#x26;&#xe9;"), "(hidden), (hidden)");
	CHECK_STR(hidden("\"s3cr%t\\\"&\\u00e9\""), "\"(hidden)\"");
	/* In ISO-8859-1; read as that and written in UTF-8; replaced. */
	CHECK_STR(hidden("s3cr%t\"&\xE9."), "(hidden).");
	CHECK_STR(hidden("s3cr%t\"&\xC3\x83\xC2\xA9."), "(hidden).");
	CHECK_STR(hidden("s3cr%t\"&?."), "(hidden).");
	/* Broken off, and not the secret, and too short for one. */
	CHECK_STR(hidden("x s3cr%"), "x (hidden)");
	CHECK_STR(hidden("s3cr%u s3c"), "s3cr%u s3c");
	CHECK_STR(hidden("abc"), "abc");
	/* Of letters beyond ASCII alone only these. */
	CHECK_STR(crm_words_hide("\xC3\xA9\xC3\xA9 \xC3\xA8\xC3\xA8", list_make1("\xC3\xA9\xC3\xA9")),
			  "(hidden) \xC3\xA8\xC3\xA8");
	/* The longest; with a form's blanks. */
	CHECK_STR(crm_words_hide("a=word+and+word", list_make2("word", "word and word")), "a=(hidden)");
	CHECK_STR(crm_words_hide("\\ud83d\\ude00abcd", list_make1("\xF0\x9F\x98\x80""abcd")), "(hidden)");
	CHECK_STR(crm_words_tidy("a long\nsecret", 8, list_make1("long\nsecret")), "a (hidde");
}

/* Beyond ASCII letters may have become others, but not any number of them. */
static void
test_secrets_of_other_letters(void)
{
	const List *secret = list_make1("\xC3\xA9?pass\xC3\xA9");

	CHECK_STR(crm_words_hide("a ??pass? b", secret), "a (hidden) b");
	CHECK_STR(crm_words_hide("a \xC3\x83\xC2\xA9?pass\xC3\x83\xC2\xA9 b", secret), "a (hidden) b");
	CHECK_STR(crm_words_hide("a &#195;&#169;?pass&#0233; b", secret), "a (hidden) b");
	CHECK_STR(crm_words_hide("a ?????????? b", secret), "a ?????????? b");
	CHECK_STR(crm_words_hide("a pass?", secret), "a pass?");
}

/* As many secrets, each of this form, as a server can set cookies. */
static List *
cookies(int n, const char *form)
{
	List	   *secrets = NIL;

	while (n-- > 0)
		secrets = lappend(secrets, psprintf("%s%04d", form, n));
	return secrets;
}

static char *
repeated(char letter, size_t n)
{
	char	   *text = palloc_extended(n + 1, MCXT_ALLOC_HUGE);

	memset(text, letter, n);
	text[n] = '\0';
	return text;
}

static bool
ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/*
 * Where a search would take long the rest is hidden: what is shown tells how far it came.
 * What a message does not show is not searched.
 */
static void
test_long_search(void)
{
	const char *foreign = repeated('\xE9', 4000);
	const char *marks = repeated('?', 65000);
	const char *shown = crm_words_hide(marks, cookies(64, foreign));

	CHECK(strlen(shown) < 1000);
	CHECK(ends_with(shown, "(hidden)"));
	shown = crm_words_hide(marks, cookies(64, "\xC3\xA9"));
	CHECK(strlen(shown) < 10000);
	CHECK(ends_with(shown, "?(hidden)"));
	shown = crm_words_hide(repeated('a', 65000), cookies(64, repeated('a', 1000)));
	CHECK(strlen(shown) < 1000);
	CHECK_INT(strlen(crm_words_hide(marks, list_make1("sEcret"))), 65000);
	CHECK_STR(crm_words_tidy(marks, 200, list_make1("\xC3\xA9pass")), pnstrdup(marks, 200));
	CHECK_STR(crm_words_tidy(psprintf("%s\xE6\x9D\xB1\xE6\x9D\xB1", repeated(' ', 3000)), 5, NIL),
			  "\xE6\x9D\xB1");
	CHECK_STR(crm_words_tidy("a secret that is cut", 5, list_make1("secret that")), "a (hi");
}

/* What CRM_MOST_SECRETS promises. */
static void
test_many_secrets(void)
{
	CHECK_STR(crm_words_hide("a word", cookies(64, "cookie")), "a word");
	CHECK_STR(crm_words_hide("a word", cookies(65, "cookie")), "(hidden)");
	CHECK_STR(crm_words_tidy("a word", 200, cookies(65, "cookie")), "(hidden)");
}

/* What a reader says of such an answer, with its secrets hidden. */
static void
read_in_vain(const char *detail, const char *answer, size_t length, const List *secrets)
{
	MemoryContext memory = CurrentMemoryContext;

	PG_TRY();
	{
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_XML_CONTENT),
				 errmsg("no XML: \"%s\"", detail), errdetail_internal("%s", detail)));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(memory);
		crm_words_rethrow(answer, length, secrets);
	}
	PG_END_TRY();
}

static void
check_detail(const char *want, const char *answer, size_t length, const List *secrets)
{
	CHECK_ERROR("2200N", read_in_vain("x", answer, length, secrets));
	CHECK_STR(unit_error->detail, want);
}

static void
test_rethrown(void)
{
	static const char unquoted[] = "It may repeat a password or a cookie, and is not quoted.";
	static const char wide[] = "<\0p\0a\0s\0s\0w\0o\0r\0d\0>\0";
	const List *secrets = list_make1("password");

	check_detail("x", "<x>\xC3\xA9", 5, secrets);
	check_detail(unquoted, "<password>", 10, secrets);
	check_detail(unquoted, wide, sizeof(wide) - 1, secrets);
	check_detail(unquoted, "<x>\xE9", 4, secrets);
	check_detail("x", "<x>\xE9", 4, NIL);
	check_detail(unquoted, repeated('x', 60000000), 60000000, secrets);
	check_detail(unquoted, "<x>", 3, cookies(65, "cookie"));
	CHECK_STR(unit_error->message, "CDMS's answer can't be read");

	CHECK_ERROR("2200N", read_in_vain("A password.", "<x>", 3, secrets));
	CHECK_STR(unit_error->message, "no XML: \"A (hidden).\"");
	CHECK_STR(unit_error->detail, "A (hidden).");
}

/* Hidden is what is shown; codes and keys are read from what was said. */
static void
test_secrets_of_faults(void)
{
	CrmFault   *fault = crm_fault_read(cdms_response(500, "", "[-2147220969]: pass<b>word"),
									   list_make2("2147220969", "pass<b>word"));

	CHECK_STR(fault->words, "[-(hidden)]: (hidden)");
	CHECK_INT(fault->code, CRM_CODE_DOES_NOT_EXIST);
	CHECK_STR(crm_fault_read(cdms_response(500, "", "<html><p>pass<b>word"),
							 list_make1("pass<b>word"))->words, "(hidden)");
	CHECK_STR(crm_fault_read(cdms_response(500, "", "{\"error\":{\"message\":\"It is \\u0070a\\\"ss\"}}"),
							 list_make1("pa\"ss"))->words, "It is (hidden)");
}

static void
throw_fault(int status, const char *body)
{
	crm_fault_throw(crm_fault_read(cdms_response(status, "x", body), NIL), "cdms",
					"could not read AccountSet");
}

static void
test_throw(void)
{
	CHECK_ERROR("HV000", throw_fault(500, ERROR_XML("-2147220969",
													"account With Id = 1 Does Not Exist")));
	CHECK_STR(unit_error->message, "could not read AccountSet on server \"cdms\"");
	CHECK_STR(unit_error->detail,
			  "CDMS answered 500, code -2147220969: account With Id = 1 Does Not Exist.");

	CHECK_ERROR("23505", throw_fault(500, ERROR_XML("-2147220937", "Duplicate key.")));
	CHECK_STR(unit_error->detail, "CDMS answered 500, code -2147220937: Duplicate key.");

	CHECK_ERROR("28P01", throw_fault(401, "<html><title>Unauthorized</title></html>"));
	CHECK_STR(unit_error->detail, "CDMS answered 401: Unauthorized.");
	CHECK(unit_error->hint != NULL);

	CHECK_ERROR("HV000", throw_fault(503, ""));
	CHECK_STR(unit_error->detail, "CDMS answered 503.");
	CHECK_ERROR("HV000", throw_fault(400, "100%s %d"));
	CHECK_STR(unit_error->detail, "CDMS answered 400: 100%s %d.");
}

static const UnitTest tests[] = {
	{"reads a JSON error", test_json},
	{"reads an XML error", test_xml},
	{"reads codes", test_codes},
	{"shows what an HTML page says", test_html},
	{"shows a malformed document as it is", test_malformed},
	{"shows what other bodies say", test_other_bodies},
	{"cuts long words between characters", test_long_words},
	{"survives nesting without end", test_deep},
	{"keeps nothing of what is passed over", test_memory},
	{"names that come again", test_names_again},
	{"tells kinds of bodies apart", test_kinds},
	{"hides secrets however they are written", test_secrets},
	{"hides secrets whose letters became others", test_secrets_of_other_letters},
	{"searches for secrets no longer than it should", test_long_search},
	{"quotes nothing where secrets are too many", test_many_secrets},
	{"quotes no answer that may have a secret", test_rethrown},
	{"hides secrets in words and reads what was said", test_secrets_of_faults},
	{"throws with status, code and words", test_throw}
};

UNIT_SUITE("cdms_error", tests)
