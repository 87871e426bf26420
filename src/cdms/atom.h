/*
 * cdms/atom.h
 *	  XML namespaces of OData v2, and walking over elements.
 */
#ifndef CRM_ATOM_H
#define CRM_ATOM_H

#include "postgres.h"

#include "net/xml.h"

/* captures/odata/07 */
#define CRM_NS_ATOM "http://www.w3.org/2005/Atom"
#define CRM_NS_DATA "http://schemas.microsoft.com/ado/2007/08/dataservices"
#define CRM_NS_METADATA CRM_NS_DATA "/metadata"

/* What crm_xml_open calls the document in messages. */
#define CRM_XML_ANSWER "answer of CDMS"

/*
 * Moves to the next child of the element the reader is in; false: there is none
 * left and the element's END is consumed.  The caller consumes each child.
 */
static inline bool
crm_xml_next_child(CrmXmlReader *xml)
{
	CrmXmlEvent event;

	do
		event = crm_xml_next(xml);
	while (event == CRM_XML_TEXT);
	return event == CRM_XML_START;
}

#endif							/* CRM_ATOM_H */
