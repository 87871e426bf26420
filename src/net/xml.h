/*
 * net/xml.h
 *	  XML read as a stream, safe by construction.
 *
 * A thin skin over libxml2's xmlTextReader with DTDs, entities beyond the five
 * predefined ones and network access off, and limits on depth.  The reader
 * belongs to the memory context it was opened in: a reset callback frees
 * libxml2's memory whatever is thrown.
 */
#ifndef CRM_XML_H
#define CRM_XML_H

#include "postgres.h"
#include "lib/stringinfo.h"

typedef struct CrmXmlReader CrmXmlReader;

typedef enum CrmXmlEvent
{
	CRM_XML_START,				/* an element begins */
	CRM_XML_END,				/* it ends; follows each START, empty elements
								 * too */
	CRM_XML_TEXT,				/* character data, CDATA and significant white
								 * space; may come in several pieces */
	CRM_XML_EOF
} CrmXmlEvent;

/*
 * Opens a reader over document, which must outlive it.  what names the document
 * in error messages ("answer of CDMS").
 */
extern CrmXmlReader *crm_xml_open(const char *document, size_t length,
								  const char *what);

/*
 * The next event.  ERROR 2200M (cut, ill-formed, a DTD, an entity, wrongly
 * encoded) or 54000 (elements nested more than 64 deep), with libxml2's words
 * and the line in DETAIL.
 */
extern CrmXmlEvent crm_xml_next(CrmXmlReader *reader);

/*
 * Of a START or END event's element; valid until the next call of crm_xml_next.
 * These and all text are UTF-8, whatever the document's own encoding.
 */
extern const char *crm_xml_name(CrmXmlReader *reader);	/* local name */
extern const char *crm_xml_namespace(CrmXmlReader *reader); /* "" : none */
extern int	crm_xml_depth(CrmXmlReader *reader);	/* root element: 0 */

/*
 * An attribute of the START event's element, palloc'd; NULL when absent.
 * ns NULL: no namespace.
 */
extern char *crm_xml_attribute(CrmXmlReader *reader, const char *ns,
							   const char *name);

/* Text of a TEXT event. */
extern const char *crm_xml_text(CrmXmlReader *reader);

/* From a START event: all text inside the element, its END consumed; palloc'd. */
extern char *crm_xml_inner_text(CrmXmlReader *reader);

/* From a START event: passes over the element with all it contains. */
extern void crm_xml_skip(CrmXmlReader *reader);

/* Frees libxml2's memory now.  The reader can't be used afterwards. */
extern void crm_xml_close(CrmXmlReader *reader);

/*
 * Appends text escaped for element content and attribute values.  ERROR 22021
 * for characters that XML 1.0 can't carry.
 */
extern void crm_xml_append_escaped(StringInfo out, const char *text);

#endif							/* CRM_XML_H */
