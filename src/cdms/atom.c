/*
 * cdms/atom.c
 *	  Atom of OData v2, read as a stream straight into objects, and written.
 *
 * A page is a feed, an object an entry (captures/odata/07, captures/wcf/03 and
 * 32).  Elements are read where they belong and nowhere else: entries that an
 * expanded link brings along, and their links, are not the feed's.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "cdms/atom.h"
#include "cdms/builder.h"
#include "cdms/format.h"
#include "cdms/type.h"
#include "cdms/value.h"

typedef struct Reader
{
	CrmXmlReader *xml;
	CrmBuilder *builder;
	StringInfoData text;		/* of the property being read */
	char	   *next;
} Reader;

static bool
is_at(const Reader *reader, const char *ns, const char *name)
{
	return strcmp(crm_xml_name(reader->xml), name) == 0 &&
		strcmp(crm_xml_namespace(reader->xml), ns) == 0;
}

static bool
is_null(const Reader *reader)
{
	char	   *null = crm_xml_attribute(reader->xml, CRM_NS_METADATA, "null");
	bool		result = null && (strcmp(null, "true") == 0 || strcmp(null, "1") == 0);

	if (null)
		pfree(null);
	return result;
}

/*
 * Text of an element that has no elements in it, in the database's encoding;
 * good until the next call.
 */
static char *
read_text(Reader *reader)
{
	StringInfo	text = &reader->text;
	CrmXmlEvent event;

	resetStringInfo(text);
	while ((event = crm_xml_next(reader->xml)) == CRM_XML_TEXT)
		appendStringInfoString(text, crm_xml_text(reader->xml));
	if (event == CRM_XML_START)
		crm_builder_wrong_shape("A property that should be simple has members.");
	return pg_any_to_server(text->data, text->len, PG_UTF8);
}

/* The element's name, palloc'd, in the database's encoding. */
static char *
read_name(Reader *reader)
{
	const char *name = crm_xml_name(reader->xml);
	char	   *converted = pg_any_to_server(name, strlen(name), PG_UTF8);

	return converted == name ? pstrdup(name) : converted;
}

/* The element's text, or null where m:null says so. */
static void
read_value(Reader *reader, const CrmSlot *slot, const char *member)
{
	char	   *text = NULL;

	if (is_null(reader))
		crm_xml_skip(reader->xml);
	else
		text = read_text(reader);
	crm_builder_value(reader->builder, slot, member, text);
	if (text && text != reader->text.data)
		pfree(text);
}

static void
read_members(Reader *reader, const CrmSlot *slot)
{
	while (crm_xml_next_child(reader->xml))
	{
		char	   *member = read_name(reader);

		read_value(reader, slot, member);
		pfree(member);
	}
}

static void
read_properties(Reader *reader)
{
	while (crm_xml_next_child(reader->xml))
	{
		char	   *name = read_name(reader);
		const CrmSlot *slot = crm_builder_find(reader->builder, name);

		pfree(name);
		if (slot == NULL)
			crm_xml_skip(reader->xml);
		else if (crm_slot_is_complex(slot) && !is_null(reader))
			read_members(reader, slot);
		else
			read_value(reader, slot, NULL);
	}
}

static void
read_content(Reader *reader)
{
	while (crm_xml_next_child(reader->xml))
	{
		if (is_at(reader, CRM_NS_METADATA, "properties"))
			read_properties(reader);
		else
			crm_xml_skip(reader->xml);
	}
}

static void
read_entry(Reader *reader)
{
	crm_builder_begin_object(reader->builder);
	while (crm_xml_next_child(reader->xml))
	{
		if (is_at(reader, CRM_NS_ATOM, "content"))
			read_content(reader);
		else
			crm_xml_skip(reader->xml);
	}
	crm_builder_end_object(reader->builder);
}

static void
read_link(Reader *reader)
{
	char	   *rel = crm_xml_attribute(reader->xml, NULL, "rel");

	if (rel && strcmp(rel, "next") == 0 && reader->next)
		crm_builder_wrong_shape("It has two links to the next page.");
	if (rel && strcmp(rel, "next") == 0)
		reader->next = crm_xml_attribute(reader->xml, NULL, "href");
	if (rel)
		pfree(rel);
	crm_xml_skip(reader->xml);
}

static void
read_feed(Reader *reader)
{
	while (crm_xml_next_child(reader->xml))
	{
		if (is_at(reader, CRM_NS_ATOM, "entry"))
			read_entry(reader);
		else if (is_at(reader, CRM_NS_ATOM, "link"))
			read_link(reader);
		else
			crm_xml_skip(reader->xml);
	}
}

/*
 * Reads a document with this root.  libxml2's memory and the texts are in a
 * context of their own, gone at the end.
 */
static CrmPage *
read_document(const char *body, size_t length, const CrmEntity *entity,
			  const Bitmapset *wanted, const char *root, void (*read) (Reader *),
			  char **next)
{
	Reader		reader = {NULL};
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "crm_sync Atom",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before;

	reader.builder = crm_builder_start(entity, wanted);
	before = MemoryContextSwitchTo(scratch);
	initStringInfo(&reader.text);
	reader.xml = crm_xml_open(body, length, CRM_XML_ANSWER);
	if (crm_xml_next(reader.xml) != CRM_XML_START || !is_at(&reader, CRM_NS_ATOM, root))
		crm_builder_wrong_shape(psprintf("Its root is not the Atom element \"%s\".", root));
	read(&reader);
	if (crm_xml_next(reader.xml) != CRM_XML_EOF)
		crm_builder_wrong_shape("Something follows the document's end.");
	MemoryContextSwitchTo(before);

	if (next)
		*next = reader.next ? pg_any_to_server(pstrdup(reader.next),
											   strlen(reader.next), PG_UTF8) : NULL;
	MemoryContextDelete(scratch);
	return crm_builder_finish(reader.builder);
}

static CrmPage *
read_page(const char *body, size_t length, const CrmEntity *entity,
		  const Bitmapset *wanted, char **next)
{
	return read_document(body, length, entity, wanted, "feed", read_feed, next);
}

static CrmObject *
read_object(const char *body, size_t length, const CrmEntity *entity)
{
	return read_document(body, length, entity, NULL, "entry", read_entry, NULL)->objects;
}

/*
 * What surrounds the properties is captures/wcf/32's.  Atom demands title,
 * updated, author and id; the data service sets them itself.
 */
static void
write_object(StringInfo out, const CrmEntity *entity, List *assignments)
{
	ListCell   *cell;

	appendStringInfo(out,
					 "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
					 "<entry xmlns=\"" CRM_NS_ATOM "\" xmlns:d=\"" CRM_NS_DATA
					 "\" xmlns:m=\"" CRM_NS_METADATA "\">"
					 "<category scheme=\"" CRM_NS_DATA "/scheme\" term=\""
					 CRM_TYPE_NAMESPACE ".%s\"/>"
					 "<title/><updated>2011-01-01T00:00:00Z</updated>"
					 "<author><name/></author><id/>"
					 "<content type=\"application/xml\"><m:properties>", crm_name_to_wire(entity->name));
	foreach(cell, assignments)
		crm_value_write_atom(out, lfirst(cell));
	appendStringInfoString(out, "</m:properties></content></entry>");
}

const CrmFormatMethods crm_format_atom = {
	.accept = "Accept: application/atom+xml,application/xml",
	.content_type = "Content-Type: application/atom+xml; charset=utf-8",
	.expected = "application/atom+xml",
	.read_page = read_page,
	.read_object = read_object,
	.write_object = write_object
};
