/*
 * net/url.h
 *	  URLs and forms: escaping what a server or a user left unescaped, resolving
 *	  links.
 */
#ifndef CRM_URL_H
#define CRM_URL_H

#include "postgres.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

/*
 * Appends text percent-encoded for use inside a query option's value: every
 * byte but RFC 3986's unreserved characters and ( ) ' , / : $ is encoded.
 */
extern void crm_url_append_encoded(StringInfo url, const char *text);

/*
 * Appends name=value to a form as browsers send it
 * (application/x-www-form-urlencoded), behind what it has already.
 */
extern void crm_url_append_input(StringInfo form, const char *name, const char *value);

/*
 * Copy of a whole URL in which what may not stand in a URL (blanks, braces,
 * quotes, bytes above 127, control characters, a lone %) is percent-encoded and
 * everything else, existing escapes included, is left.  CRM's next links come
 * with blanks (captures/odata/02).
 */
extern char *crm_url_repair(const char *url);

/*
 * The absolute URL that link means where it was found in the answer to base
 * (absolute and relative links both occur), repaired.  NULL when it can't be
 * read or is neither http nor https.
 */
extern char *crm_url_resolve(const char *base, const char *link);

/* The values (char *) of a URL's query, decoded, each up to its first zero byte. */
extern List *crm_url_query_values(const char *url);

/* Same scheme, host and port?  false also when one of them can't be read. */
extern bool crm_url_same_origin(const char *a, const char *b);

/*
 * "http://host:port" of a URL, for messages: without path, query and
 * credentials; the port only where the URL names one.  "?" when it can't be
 * read.
 */
extern char *crm_url_origin(const char *url);

#endif							/* CRM_URL_H */
