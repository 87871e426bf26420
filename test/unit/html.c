/*
 * test/unit/html.c
 *	  Forms, as ADFS writes them and as nobody should.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/timestamp.h"

#include "net/html.h"
#include "unit.h"

static List *
forms(const char *page)
{
	return crm_html_forms(page, strlen(page));
}

/* "action: name=value name=value", forms separated by "; ". */
static char *
told(List *list)
{
	StringInfoData out;
	ListCell   *lc;
	ListCell   *li;

	initStringInfo(&out);
	foreach(lc, list)
	{
		CrmHtmlForm *form = lfirst(lc);

		appendStringInfo(&out, "%s%s:", out.len ? "; " : "", form->action);
		foreach(li, form->inputs)
		{
			CrmHtmlInput *input = lfirst(li);

			appendStringInfo(&out, " %s=%s", input->name, input->value);
		}
	}
	return out.data;
}

static void
test_forms(void)
{
	CHECK_STR(told(forms("<form action='/a'><input name=x value='1'><input value=2>"
						 "<input name=y></form><form><input NAME=Z VALUE=3>")),
			  "/a: x=1 y=; : Z=3");
	CHECK_STR(told(forms("<input name=x><p>no form")), "");
}

static void
test_references(void)
{
	CHECK_STR(told(forms("<form action='/a?b=1&amp;c=2'><input name=x "
						 "value=\"&lt;t a=&quot;1&quot;&gt; &amp;amp; &#233; \xC3\xA9\">")),
			  "/a?b=1&c=2: x=<t a=\"1\"> &amp; \xC3\xA9 \xC3\xA9");
}

static void
test_types(void)
{
	List	   *list = forms("<form><input name=a TYPE=PassWord><input name=b>"
							 "<input name=c type=checkbox checked>");
	CrmHtmlForm *form = linitial(list);

	CHECK_STR(((CrmHtmlInput *) linitial(form->inputs))->type, "password");
	CHECK_STR(((CrmHtmlInput *) lsecond(form->inputs))->type, "text");
	CHECK(!((CrmHtmlInput *) lsecond(form->inputs))->checked);
	CHECK(((CrmHtmlInput *) lthird(form->inputs))->checked);
}

static void
test_tables(void)
{
	CHECK_STR(told(forms("<table><form action=/a><tr><td><input name=x></td></tr></table>"
						 "<input name=y></form>")), "/a: x= y=");
}

static void
test_unseen(void)
{
	CHECK_STR(told(forms("<!-- <form action=/c><input name=c> --><script>"
						 "document.write('<form action=/s><input name=s>')</script>"
						 "<form action=/a>")), "/a:");
}

static void
test_text(void)
{
	const char *page = "<span id=x_ErrorTextLabel>a &amp; b</span><p id=other>c";

	CHECK_STR(crm_html_text(page, strlen(page), "errortextlabel"), "a & b");
	CHECK_STR(crm_html_text(page, strlen(page), "absent"), NULL);
	CHECK_STR(crm_html_text("", 0, "x"), NULL);
}

/* Whatever comes is a page, with forms or without; its declarations mean nothing. */
static void
test_hostile(void)
{
	static const struct
	{
		const char *page;
		const char *forms;
	}			pages[] = {
		{"", ""},
		{"<", ""},
		{"<form", ":"},
		{"<form><input name='", ": ="},
		{"<form><input name=x value=&#0;&#x110000;>", ": x="},
		{"<?xml version='1.0' encoding='UTF-16'?><form>", ":"},
		{"\xFF\xFE<\0f\0o", ""},
		{"<form>\xC3\x28<input name=\xE9>", ": \xC3\xA9="},
		{"<meta charset=ebcdic-cp-us><form><input name=x>", ": x="}
	};

	for (int i = 0; i < lengthof(pages); i++)
		CHECK_STR(told(forms(pages[i].page)), pages[i].forms);
	CHECK_STR(told(crm_html_forms("<form>\0<input name=x>", 21)), ":");
}

static void
test_entities(void)
{
	const char *text = "<!DOCTYPE html [<!ENTITY a 'expanded'>]><p id=x>&a;";

	CHECK_STR(told(forms("<!DOCTYPE html [<!ENTITY a 'expanded'>]><form action=/&a;>"
						 "<input name=x value=&a;>")), "/&a;: x=&a;");
	CHECK_STR(told(forms("<!DOCTYPE html SYSTEM 'file:///etc/passwd' ["
						 "<!ENTITY a SYSTEM 'file:///etc/passwd'>"
						 "<!ENTITY % b SYSTEM 'file:///etc/passwd'> %b;]>"
						 "<form><input name=x value=&a;>")), ": x=&a;");
	CHECK_STR(crm_html_text(text, strlen(text), "x"), "&a;");
}

/* What is nested deeper than libxml2 follows is not read. */
static void
test_deep(void)
{
	StringInfoData deep;

	initStringInfo(&deep);
	appendStringInfoString(&deep, "<form action=/before>");
	for (int i = 0; i < 100000; i++)
		appendStringInfoString(&deep, "<div>");
	appendStringInfoString(&deep, "<form action=/within><input name=x>");
	CHECK_STR(told(forms(deep.data)), "/before:");
}

/* libxml2 compares each attribute with each. */
static void
check_flood(const char *begin, const char *attribute)
{
	TimestampTz started = GetCurrentTimestamp();
	StringInfoData page;

	initStringInfo(&page);
	appendStringInfoString(&page, begin);
	while (page.len < 1000000)
		appendStringInfo(&page, attribute, page.len);
	appendStringInfoString(&page, "><form action=/a>");
	CHECK_ERROR("54000", forms(page.data));
	CHECK_STR(unit_error->detail, "Its tags have too many attributes.");
	if (!unit_watched)
		CHECK(!TimestampDifferenceExceeds(started, GetCurrentTimestamp(), 3000));
}

static void
test_flood(void)
{
	check_flood("<a", " a%d");
	check_flood("<a", " a%d=''");
	check_flood("<a b=''", "a%d=\"\"");
	check_flood("<!-- <a b=' --><a", " a%d");
	check_flood("<script><a b=' </script><a", " a%d");
	check_flood("<p \"b=\"><a \"c='", " a%d");
	check_flood("<p>", "<a b='%d");
}

/* A token is one attribute, and much script is none. */
static void
test_no_flood(void)
{
	StringInfoData page;

	initStringInfo(&page);
	appendStringInfoString(&page, "<script>for (i=0;i<n;i++) {");
	for (int i = 0; i < 5000; i++)
		appendStringInfoString(&page, " x = y + 1;");
	appendStringInfoString(&page, "}</script><form action=/a><input name=wresult value=\"");
	for (int i = 0; i < 20000; i++)
		appendStringInfoString(&page, "&lt;a b=&quot;c&quot;&gt; ");
	appendStringInfoString(&page, "\"></form>");
	CHECK_INT(list_length(forms(page.data)), 1);
}

static const UnitTest tests[] = {
	{"forms and their inputs, in order", test_forms},
	{"character references are decoded once", test_references},
	{"types of inputs", test_types},
	{"a form that a table is in the way of", test_tables},
	{"comments and scripts hold no forms", test_unseen},
	{"the text of an element", test_text},
	{"pages that are none", test_hostile},
	{"a page's own entities are not expanded", test_entities},
	{"depth 100,000", test_deep},
	{"floods of attributes", test_flood},
	{"and what only looks like one", test_no_flood},
};

UNIT_SUITE("html", tests)
