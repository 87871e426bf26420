/*
 * test/unit/url.c
 *	  net/url.h
 */
#include "postgres.h"

#include "net/url.h"

#include "unit.h"

static const char *
encoded(const char *text)
{
	StringInfoData url;

	initStringInfo(&url);
	crm_url_append_encoded(&url, text);
	return url.data;
}

static void
test_encode(void)
{
	CHECK_STR(encoded("AZaz09-._~"), "AZaz09-._~");
	CHECK_STR(encoded("(guid'x')/,:$"), "(guid'x')/,:$");
	CHECK_STR(encoded("a b+c&d=e?f#g%h"), "a%20b%2Bc%26d%3De%3Ff%23g%25h");
	CHECK_STR(encoded("J\xC3\xBCrgen"), "J%C3%BCrgen");
	CHECK_STR(encoded("\"<>[]{}|\\^`;@!*"), "%22%3C%3E%5B%5D%7B%7D%7C%5C%5E%60%3B%40%21%2A");
	CHECK_STR(encoded("\t\r\n\x7F"), "%09%0D%0A%7F");
	CHECK_STR(encoded(""), "");
}

static void
test_form(void)
{
	StringInfoData form;

	initStringInfo(&form);
	crm_url_append_input(&form, "ctl00$User", "a b+c");
	CHECK_STR(form.data, "ctl00$User=a%20b%2Bc");
	crm_url_append_input(&form, "x&y=z", "");
	crm_url_append_input(&form, "", "J\xC3\xBCrgen\r\n");
	CHECK_STR(form.data, "ctl00$User=a%20b%2Bc&x%26y%3Dz=&=J%C3%BCrgen%0D%0A");
}

static void
test_repair(void)
{
	CHECK_STR(crm_url_repair("http://h/a b"), "http://h/a%20b");
	CHECK_STR(crm_url_repair("http://h/{1}\"2\"<3>"), "http://h/%7B1%7D%222%22%3C3%3E");
	CHECK_STR(crm_url_repair("http://h/J\xC3\xBCrgen"), "http://h/J%C3%BCrgen");
	CHECK_STR(crm_url_repair("http://h/a\r\nb\x7F"), "http://h/a%0D%0Ab%7F");
	CHECK_STR(crm_url_repair(""), "");
}

static void
test_repair_leaves(void)
{
	static const char *const urls[] = {
		"http://user@h:80/p;a=b/c,d?x=1&y='2'#f",
		"http://[::1]:8080/?a=[b]",
		"http://h/?a=%7B%7d+%41!*()$@:",
	};

	for (int i = 0; i < lengthof(urls); i++)
		CHECK_STR(crm_url_repair(urls[i]), urls[i]);
}

static void
test_repair_percent(void)
{
	CHECK_STR(crm_url_repair("http://h/100%"), "http://h/100%25");
	CHECK_STR(crm_url_repair("http://h/%4"), "http://h/%254");
	CHECK_STR(crm_url_repair("http://h/%zz%20"), "http://h/%25zz%20");
	CHECK_STR(crm_url_repair("%%41"), "%25%41");
}

/* The shape of CRM's links: blanks bare, braces escaped, quotes bare. */
static void
test_repair_next(void)
{
	CHECK_STR(crm_url_repair("https://crm/O.svc/ASet?$select=A,B&$filter=P/Id ne null"
							 "&$skiptoken=1,'aid','%7BFF%7D','%7B7A%7D'"),
			  "https://crm/O.svc/ASet?$select=A,B&$filter=P/Id%20ne%20null"
			  "&$skiptoken=1,'aid','%7BFF%7D','%7B7A%7D'");
}

#define BASE "http://crm:5555/Org/O.svc/ASet?$top=2"

static void
test_resolve(void)
{
	CHECK_STR(crm_url_resolve(BASE, "ASet?$skiptoken=1,'aid','%7BFF%7D'"),
			  "http://crm:5555/Org/O.svc/ASet?$skiptoken=1,'aid','%7BFF%7D'");
	CHECK_STR(crm_url_resolve(BASE, "/Other/BSet"), "http://crm:5555/Other/BSet");
	CHECK_STR(crm_url_resolve(BASE, "../B"), "http://crm:5555/Org/B");
	CHECK_STR(crm_url_resolve(BASE, "?$skip=1"), "http://crm:5555/Org/O.svc/ASet?$skip=1");
	CHECK_STR(crm_url_resolve(BASE, "//else/x"), "http://else/x");
	CHECK_STR(crm_url_resolve(BASE, "https://else:444/x?y z"), "https://else:444/x?y%20z");
	CHECK_STR(crm_url_resolve("http://h/a b", "c d"), "http://h/c%20d");
}

static void
test_resolve_refuses(void)
{
	CHECK_STR(crm_url_resolve(BASE, "ftp://crm/x"), NULL);
	CHECK_STR(crm_url_resolve(BASE, "file:///etc/passwd"), NULL);
	CHECK_STR(crm_url_resolve(BASE, "javascript:alert(1)"), NULL);
	CHECK_STR(crm_url_resolve(BASE, "http://h:99999/"), NULL);
	CHECK_STR(crm_url_resolve(BASE, "http://"), NULL);
	CHECK_STR(crm_url_resolve("not a base", "x"), NULL);
}

static void
test_origin(void)
{
	CHECK(crm_url_same_origin("http://h/a", "http://h/b?c"));
	CHECK(crm_url_same_origin("http://h/a", "HTTP://H:80/"));
	CHECK(crm_url_same_origin("https://h", "https://h:443/"));
	CHECK(!crm_url_same_origin("http://h/", "https://h/"));
	CHECK(!crm_url_same_origin("http://h/", "http://h:81/"));
	CHECK(!crm_url_same_origin("http://h/", "http://h.evil/"));
	CHECK(!crm_url_same_origin("http://h/", "http://h@evil/"));
	CHECK(!crm_url_same_origin("", ""));
}

static void
test_origin_words(void)
{
	CHECK_STR(crm_url_origin("http://me:secret@h:81/p?q"), "http://h:81");
	CHECK_STR(crm_url_origin("https://h/"), "https://h");
	CHECK_STR(crm_url_origin("http://[::1]:81/"), "http://[::1]:81");
	CHECK_STR(crm_url_origin("nonsense://"), "?");
}

static void
test_query_values(void)
{
	List	   *values = crm_url_query_values("http://h/p?a=1%2F2&b&=x&c=&d=%41+=e#f=g");

	CHECK_INT(list_length(values), 4);
	CHECK_STR(linitial(values), "1/2");
	CHECK_STR(lsecond(values), "x");
	CHECK_STR(lthird(values), "");
	CHECK_STR(lfourth(values), "A+=e");
	CHECK(crm_url_query_values("http://h/p") == NIL);
	CHECK(crm_url_query_values("http://h/p#?a=b") == NIL);
	CHECK(crm_url_query_values("http://h/p?") == NIL);
}

static const UnitTest tests[] = {
	{"encodes what a value may not hold", test_encode},
	{"encodes a form", test_form},
	{"repairs what a URL may not hold", test_repair},
	{"leaves a good URL alone", test_repair_leaves},
	{"escapes a lone % only", test_repair_percent},
	{"repairs CRM's next links", test_repair_next},
	{"resolves relative and absolute links", test_resolve},
	{"refuses other schemes and what is no URL", test_resolve_refuses},
	{"compares origins", test_origin},
	{"names an origin without credentials", test_origin_words},
	{"reads a query's values", test_query_values},
};

UNIT_SUITE("url", tests)
