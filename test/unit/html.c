/*
 * test/unit/html.c
 *	  Forms of pages that nobody means well with.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "net/html.h"
#include "unit.h"

static CrmHtmlForm *
only_form(const char *page)
{
	List	   *forms = crm_html_forms(page, strlen(page));

	CHECK_INT(list_length(forms), 1);
	return linitial(forms);
}

static void
test_not_utf8(void)
{
	CrmHtmlForm *form = only_form("<form action='/a\xFF'><input name='n\xE1' value='x\xFF\xFF=\xC3\xA9' type='hid\xE1' >"
								  "</form>");
	CrmHtmlInput *input = linitial(form->inputs);

	CHECK(pg_verify_mbstr(PG_UTF8, form->action, strlen(form->action), true));
	CHECK(pg_verify_mbstr(PG_UTF8, input->name, strlen(input->name), true));
	CHECK(pg_verify_mbstr(PG_UTF8, input->value, strlen(input->value), true));
	CHECK(pg_verify_mbstr(PG_UTF8, input->type, strlen(input->type), true));
	CHECK_STR(only_form("<form action='/\xC3\xA9'></form>")->action, "/\xC3\xA9");
}

/* libxml2 gives such a page up; it has no forms then, or those before the depth. */
static void
test_deep(void)
{
	StringInfoData page;

	initStringInfo(&page);
	for (int i = 0; i < 100000; i++)
		appendStringInfoString(&page, "<div>");
	appendStringInfoString(&page, "<form action='x'>");
	CHECK(list_length(crm_html_forms(page.data, page.len)) <= 1);
}

static const UnitTest tests[] = {
	{"text that is not UTF-8 becomes question marks", test_not_utf8},
	{"nesting without end is borne", test_deep}
};

UNIT_SUITE("html", tests)
