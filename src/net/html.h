/*
 * net/html.h
 *	  The forms of an HTML page.
 */
#ifndef CRM_HTML_H
#define CRM_HTML_H

#include "postgres.h"
#include "nodes/pg_list.h"

/* An <input>.  Strings are UTF-8, with character references decoded. */
typedef struct CrmHtmlInput
{
	char	   *name;
	char	   *type;			/* lower case; "text" where none is given */
	char	   *value;			/* "" where none is given */
	bool		checked;
} CrmHtmlInput;

typedef struct CrmHtmlForm
{
	char	   *action;			/* "": the page's own URL */
	List	   *inputs;			/* of CrmHtmlInput *, those with a name */
} CrmHtmlForm;

/*
 * The forms of a page in the order in which they stand (CrmHtmlForm *), palloc'd.
 * An input belongs to the form that began last before it, for tables inside forms
 * are commonly closed wrongly.  Anything is a page: what can't be read as HTML
 * has no forms.  Scripts are not run, nothing is fetched.
 */
extern List *crm_html_forms(const char *page, size_t length);

/*
 * The text of the first element that has some and whose id ends so, case aside,
 * or NULL.
 */
extern char *crm_html_text(const char *page, size_t length, const char *id_ending);

#endif							/* CRM_HTML_H */
