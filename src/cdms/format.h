/*
 * cdms/format.h
 *	  The two representations of OData v2, verbose JSON and Atom, behind one
 *	  table, so that cdms/odata.c has no switch over them.
 */
#ifndef CRM_FORMAT_H
#define CRM_FORMAT_H

#include "postgres.h"
#include "lib/stringinfo.h"

#include "cdms/cdms.h"

typedef struct CrmFormatMethods
{
	const char *accept;			/* header line, "Accept: ..." */
	const char *content_type;	/* header line for bodies sent */
	const char *expected;		/* an answer's media type must contain this */

	/*
	 * Reads a page (a feed, d.results, a bare d array) of entity's objects:
	 * those of the wanted fields (NULL: all) are decoded, others are NULL.
	 * *next is the link to the next page as it stood there, or NULL.  Unknown
	 * members are passed over; an object without its key, a page cut short or
	 * of another shape is an ERROR.
	 */
	CrmPage    *(*read_page) (const char *body, size_t length,
							  const CrmEntity *entity, const Bitmapset *wanted,
							  char **next);

	/* Reads a single object (an entry, d). */
	CrmObject  *(*read_object) (const char *body, size_t length,
								const CrmEntity *entity);

	/* The body of a create or MERGE. */
	void		(*write_object) (StringInfo out, const CrmEntity *entity,
								 List *assignments);
} CrmFormatMethods;

extern const CrmFormatMethods crm_format_json;
extern const CrmFormatMethods crm_format_atom;

/* Reads $metadata: List of CrmEntityDef *. */
extern List *crm_metadata_read(const char *body, size_t length);

#endif							/* CRM_FORMAT_H */
