/*
 * net/html.c
 *	  The forms of an HTML page, read with libxml2.
 *
 * Its parser repairs what browsers would and never gives up on a page; its
 * limits on depth stay in force (HTML_PARSE_HUGE is not set).  The tree is walked
 * without recursion, and freed by a callback of the memory context of the call.
 *
 * It compares each attribute of a tag with all before it, deaf to interrupts: 250 kB
 * of them take half a minute.  So the page is gone through beforehand, and one that
 * would take long is refused.
 */
#include "postgres.h"

#include <libxml/HTMLparser.h>

#include "mb/pg_wchar.h"
#include "net/html.h"
#include "utils/memutils.h"

#define LONGEST_NAME 100		/* what is longer is two attributes to libxml2 */
#define MOST_WORK 100000000		/* comparisons and steps: at most a second or so */

#define HTML_OPTIONS (HTML_PARSE_RECOVER | HTML_PARSE_NONET | HTML_PARSE_NOERROR | \
					  HTML_PARSE_NOWARNING)

/* Since 2.12 libxml2 shows its complaints read-only. */
#if LIBXML_VERSION >= 21200
typedef const xmlError *HtmlComplaint;
#else
typedef xmlErrorPtr HtmlComplaint;
#endif

static void
html_release(void *arg)
{
	htmlDocPtr *page = arg;

	if (*page != NULL)
		xmlFreeDoc(*page);
	*page = NULL;
}

static void
html_pass_over(void *arg, HtmlComplaint error)
{
}

/* ------------------------------------------------------- before it is parsed */

static const char blanks[] = " \t\r\n";

static bool
html_is_blank(char c)
{
	return c != '\0' && strchr(blanks, c) != NULL;
}

static bool
html_is_in_name(char c)
{
	if (IS_HIGHBIT_SET(c))
		return false;
	return isalnum((unsigned char) c) || (c != '\0' && strchr(":._-", c) != NULL);
}

static bool
html_begins_name(char c)
{
	return html_is_in_name(c) && c != '-' && !isdigit((unsigned char) c);
}

static const char *
html_pass_blanks(const char *c, const char *end)
{
	while (c < end && html_is_blank(*c))
		c++;
	return c;
}

/* Does a tag end here? */
static bool
html_is_at_end(const char *c, const char *end)
{
	return c == end || *c == '>' || (*c == '/' && c + 1 < end && c[1] == '>');
}

/* Behind the value of an attribute. */
static const char *
html_pass_value(const char *c, const char *end)
{
	if (c < end && (*c == '"' || *c == '\''))
	{
		c = memchr(c + 1, *c, end - c - 1);
		return c != NULL ? c + 1 : end;
	}
	while (c < end && !html_is_blank(*c) && *c != '>')
		c++;
	return c;
}

/* Behind the attribute that begins here, or what libxml2 passes over in its place. */
static const char *
html_pass_attribute(const char *c, const char *end)
{
	const char *name = c;

	if (!html_begins_name(*c))
	{
		while (!html_is_blank(*c) && !html_is_at_end(c, end))
			c++;
		return c;
	}
	while (c < end && c - name < LONGEST_NAME && html_is_in_name(*c))
		c++;
	c = html_pass_blanks(c, end);
	if (c == end || *c != '=')
		return c;
	return html_pass_value(html_pass_blanks(c + 1, end), end);
}

/*
 * What it takes to read a tag that begins here.  Whether one does, or whether this is
 * in a comment, a script or another tag, is not asked, so nothing can hide one.
 */
static uint64
html_work(const char *tag, const char *end)
{
	const char *c = tag;
	uint64		nattributes = 0;

	while (c < end && html_is_in_name(*c))
		c++;
	for (c = html_pass_blanks(c, end); !html_is_at_end(c, end); c = html_pass_blanks(c, end))
	{
		nattributes += html_begins_name(*c) ? 1 : 0;
		c = html_pass_attribute(c, end);
	}
	return c - tag + nattributes * nattributes;
}

static void
html_check_work(const char *page, size_t length)
{
	const char *end = page + length;
	uint64		work = 0;

	for (const char *c = page; (c = memchr(c, '<', end - c)) != NULL; c++)
	{
		work += html_work(c + 1, end);
		if (work > MOST_WORK)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("could not read an HTML page"),
					 errdetail("Its tags have too many attributes.")));
	}
}

/* ----------------------------------------------------------------- parsing */

/* The page as a tree that goes with the current memory context; NULL: there is none. */
static htmlDocPtr
html_parse(const char *text, size_t length)
{
	htmlDocPtr *page = palloc0(sizeof(htmlDocPtr));
	MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));
	xmlStructuredErrorFunc other = xmlStructuredError;
	void	   *others = xmlStructuredErrorContext;

	callback->func = html_release;
	callback->arg = page;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	if (length > 0 && length <= INT_MAX)
	{
		html_check_work(text, length);
		/* What it has to say of encodings would go to the server's stderr. */
		xmlSetStructuredErrorFunc(NULL, html_pass_over);
		*page = htmlReadMemory(text, (int) length, NULL, "UTF-8", HTML_OPTIONS);
		xmlSetStructuredErrorFunc(others, other);
	}
	return *page;
}

/* The node behind this one, in the order in which they stand in the page. */
static xmlNodePtr
html_next(xmlNodePtr node)
{
	if (node->children != NULL && node->type == XML_ELEMENT_NODE)
		return node->children;
	while (node != NULL && node->next == NULL)
		node = node->parent;
	return node != NULL ? node->next : NULL;
}

static xmlNodePtr
html_first(htmlDocPtr page)
{
	return page != NULL ? page->children : NULL;
}

static bool
html_is(xmlNodePtr node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && pg_strcasecmp((const char *) node->name, name) == 0;
}

/* An attribute's value; missing where the element has none of this name. */
static const char *
html_attribute(xmlNodePtr node, const char *name, const char *missing)
{
	for (xmlAttrPtr a = node->properties; a != NULL; a = a->next)
	{
		if (pg_strcasecmp((const char *) a->name, name) == 0)
			return a->children != NULL && a->children->content != NULL ?
				(const char *) a->children->content : "";
	}
	return missing;
}

/*
 * A palloc'd copy in UTF-8: libxml2 lets pass what is none, and it becomes question
 * marks.
 */
static char *
html_copy(const char *text)
{
	char	   *copy = pstrdup(text);
	int			left = strlen(copy);

	for (char *c = copy; left > 0;)
	{
		int			length = pg_utf_mblen((unsigned char *) c);

		if (length > left || !pg_utf8_islegal((unsigned char *) c, length))
		{
			*c = '?';
			length = 1;
		}
		c += length;
		left -= length;
	}
	return copy;
}

static CrmHtmlForm *
html_form(xmlNodePtr node)
{
	CrmHtmlForm *form = palloc0(sizeof(CrmHtmlForm));

	form->action = html_copy(html_attribute(node, "action", ""));
	return form;
}

static CrmHtmlInput *
html_input(xmlNodePtr node)
{
	CrmHtmlInput *input = palloc0(sizeof(CrmHtmlInput));

	input->name = html_copy(html_attribute(node, "name", ""));
	input->type = html_copy(html_attribute(node, "type", "text"));
	for (char *c = input->type; *c; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	input->value = html_copy(html_attribute(node, "value", ""));
	input->checked = html_attribute(node, "checked", NULL) != NULL;
	return input;
}

static List *
html_collect(htmlDocPtr page)
{
	List	   *forms = NIL;

	for (xmlNodePtr node = html_first(page); node != NULL; node = html_next(node))
	{
		if (html_is(node, "form"))
			forms = lappend(forms, html_form(node));
		else if (html_is(node, "input") && forms != NIL &&
				 html_attribute(node, "name", NULL) != NULL)
		{
			CrmHtmlForm *form = llast(forms);

			form->inputs = lappend(form->inputs, html_input(node));
		}
	}
	return forms;
}

List *
crm_html_forms(const char *page, size_t length)
{
	return html_collect(html_parse(page, length));
}

static bool
ends_with(const char *text, const char *ending)
{
	size_t		length = strlen(text);
	size_t		of_ending = strlen(ending);

	return length >= of_ending && pg_strcasecmp(text + length - of_ending, ending) == 0;
}

char *
crm_html_text(const char *page, size_t length, const char *id_ending)
{
	for (xmlNodePtr node = html_first(html_parse(page, length)); node != NULL;
		 node = html_next(node))
	{
		if (node->type == XML_ELEMENT_NODE && node->children != NULL &&
			node->children->type == XML_TEXT_NODE &&
			ends_with(html_attribute(node, "id", ""), id_ending))
			return html_copy((const char *) node->children->content);
	}
	return NULL;
}
