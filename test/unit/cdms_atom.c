/*
 * test/unit/cdms_atom.c
 *	  Atom read into objects, and written.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/uuid.h"

#include "cdms_fixture.h"
#include "unit.h"

#define KEY1 "5784bd00-f501-e011-a492-00155d000000"
#define KEY2 "5784dbef-f501-e011-a492-00155d019919"

#define NAMESPACES \
	" xmlns='http://www.w3.org/2005/Atom'" \
	" xmlns:d='http://schemas.microsoft.com/ado/2007/08/dataservices'" \
	" xmlns:m='http://schemas.microsoft.com/ado/2007/08/dataservices/metadata'"

#define PROPERTIES(key, name) \
	"<m:properties><d:AccountId m:type='Edm.Guid'>" key "</d:AccountId>" name \
	"<d:NumberOfEmployees m:type='Edm.Int32' m:null='true' />" \
	"<d:PrimaryContactId m:type='x'><d:Id>" KEY2 "</d:Id><d:LogicalName>contact</d:LogicalName>" \
	"<d:Name>Sam</d:Name></d:PrimaryContactId><d:Other><d:Id>no</d:Id></d:Other></m:properties>"

#define ENTRY(content) \
	"<id>x</id><title type='text'>t</title><content type='application/xml'>" content "</content>"

static CrmEntity *entity;
static char *next;

static CrmPage *
page_of(const char *body)
{
	entity = cdms_small_entity();
	return crm_format_atom.read_page(body, strlen(body), entity, NULL, &next);
}

static CrmPage *
feed(const char *children)
{
	return page_of(psprintf("<?xml version='1.0'?><feed" NAMESPACES ">%s</feed>", children));
}

static CrmObject *
object_of(const char *body)
{
	entity = cdms_small_entity();
	return crm_format_atom.read_object(body, strlen(body), entity);
}

/* The one object of a feed with these properties. */
static CrmObject *
object_with(const char *properties)
{
	return feed(psprintf("<entry><content>%s</content></entry>", properties))->objects;
}

static void
test_feed(void)
{
	CrmPage    *page = feed("<id>x</id><link rel='self' href='AccountSet'/>"
							"<entry>" ENTRY(PROPERTIES(KEY1, "<d:Name>O&lt;ne</d:Name>")) "</entry>"
							"<entry>" ENTRY(PROPERTIES(KEY2, "<d:Name/>")) "</entry>"
							"<link rel='next' href='http://h/?a=1&amp;b=2 3'/>");

	CHECK_INT(page->nobjects, 2);
	CHECK_STR(cdms_value(entity, &page->objects[0], "AccountId"), KEY1);
	CHECK_STR(cdms_value(entity, &page->objects[0], "Name"), "O<ne");
	CHECK_STR(cdms_value(entity, &page->objects[0], "NumberOfEmployees"), NULL);
	CHECK_STR(cdms_value(entity, &page->objects[0], "PrimaryContactId/Id"), KEY2);
	CHECK_STR(cdms_value(entity, &page->objects[0], "PrimaryContactId/Name"), "Sam");
	CHECK_STR(cdms_value(entity, &page->objects[1], "Name"), "");
	CHECK_STR(next, "http://h/?a=1&b=2 3");
}

static void
test_entry(void)
{
	CrmObject  *object = object_of("<entry" NAMESPACES ">"
								   ENTRY(PROPERTIES(KEY1, "<d:Name m:null='true'/>")) "</entry>");

	CHECK_STR(cdms_value(entity, object, "AccountId"), KEY1);
	CHECK_STR(cdms_value(entity, object, "Name"), NULL);
}

/* Entries and next links of what was expanded are not the feed's. */
static void
test_inline(void)
{
	CrmPage    *page = feed("<entry><link rel='related'><m:inline><feed><entry>"
							ENTRY(PROPERTIES(KEY2, "<d:Name>inner</d:Name>"))
							"</entry><link rel='next' href='inner'/></feed></m:inline></link>"
							ENTRY(PROPERTIES(KEY1, "<d:Name>outer</d:Name>")) "</entry>");

	CHECK_INT(page->nobjects, 1);
	CHECK_STR(cdms_value(entity, &page->objects[0], "Name"), "outer");
	CHECK_STR(next, NULL);
}

static void
test_nulls(void)
{
	CrmObject  *object = object_with("<m:properties><d:AccountId>" KEY1 "</d:AccountId>"
									 "<d:Name m:null='true'>not this</d:Name>"
									 "<d:NumberOfEmployees m:null='false'>5</d:NumberOfEmployees>"
									 "<d:PrimaryContactId m:null='true'/></m:properties>");

	CHECK_STR(cdms_value(entity, object, "Name"), NULL);
	CHECK_STR(cdms_value(entity, object, "NumberOfEmployees"), "5");
	CHECK_STR(cdms_value(entity, object, "PrimaryContactId/Id"), NULL);
	CHECK_STR(cdms_value(entity, object, "PrimaryContactId/Name"), NULL);
}

/* Blanks and line feeds belong to the value, between elements to nobody. */
static void
test_white_space(void)
{
	CrmObject  *object = object_with("\n <m:properties>\n <d:AccountId>" KEY1 "</d:AccountId>\n"
									 "<d:Name>  a\n<![CDATA[<b>]]>\xF0\x9F\x98\x80&#x20;</d:Name>\n"
									 "<d:NumberOfEmployees>5</d:NumberOfEmployees>\n"
									 "<d:PrimaryContactId>\n <d:Id m:null='true'/>\n"
									 "<d:Name> </d:Name>\n</d:PrimaryContactId>\n"
									 "</m:properties>\n");

	CHECK_STR(cdms_value(entity, object, "Name"), "  a\n<b>\xF0\x9F\x98\x80 ");
	CHECK_STR(cdms_value(entity, object, "PrimaryContactId/Name"), " ");
}

static void
test_left_out(void)
{
	CHECK_ERROR("HV000", object_with("<m:properties><d:AccountId>" KEY1 "</d:AccountId>"
									 "</m:properties>"));
	CHECK(strncmp(unit_error->message, "CDMS left out property", 22) == 0);
	CHECK(strstr(unit_error->context, "object " KEY1 " of AccountSet") != NULL);
	CHECK_ERROR("HV000", feed("<entry/>"));
	CHECK_ERROR("HV000", feed("<entry><content/></entry>"));

	/* properties of another namespace are none */
	CHECK_ERROR("HV000", object_with("<properties>" PROPERTIES(KEY1, "<d:Name/>") "</properties>"));
}

static void
test_other_kind(void)
{
	CHECK_ERROR("HV000", object_with(PROPERTIES(KEY1, "<d:Name>a<d:Value>1</d:Value></d:Name>")));
	CHECK_ERROR("HV000", object_with("<m:properties><d:AccountId>" KEY1 "</d:AccountId><d:Name/>"
									 "<d:NumberOfEmployees>5</d:NumberOfEmployees>"
									 "<d:PrimaryContactId>" KEY2 "</d:PrimaryContactId>"
									 "</m:properties>"));
}

static void
test_wrong_shape(void)
{
	CHECK_ERROR("HV000", page_of("<feed/>"));
	CHECK_ERROR("HV000", page_of("<entry" NAMESPACES "/>"));
	CHECK_ERROR("HV000", page_of("<m:error" NAMESPACES "/>"));
	CHECK_ERROR("HV000", object_of("<feed" NAMESPACES "/>"));
	CHECK_INT(page_of("<feed" NAMESPACES "/>")->nobjects, 0);
}

static void
test_malformed(void)
{
	static const char *const bodies[] = {
		"", "{}", "<feed", "<!DOCTYPE feed [<!ENTITY a \"b\">]><feed" NAMESPACES ">&a;</feed>",
		"<feed" NAMESPACES ">\xFF</feed>", "<feed" NAMESPACES "/><feed" NAMESPACES "/>",
		"<feed" NAMESPACES ">&nbsp;</feed>"
	};

	for (int i = 0; i < lengthof(bodies); i++)
		CHECK_ERROR("2200M", page_of(bodies[i]));
}

static void
test_cut(void)
{
	static const char body[] = "<feed" NAMESPACES "><entry>"
		ENTRY(PROPERTIES(KEY1, "<d:Name>One</d:Name>")) "</entry></feed>";

	entity = cdms_small_entity();
	for (int length = 0; length < strlen(body); length++)
		CHECK_ERROR("2200M", crm_format_atom.read_page(body, length, entity, NULL, &next));
	CHECK_INT(crm_format_atom.read_page(body, strlen(body), entity, NULL, &next)->nobjects, 1);
}

#define FULL_ENTRY(key) \
	"<entry>" ENTRY(PROPERTIES(key, "<d:Name>One</d:Name>")) "</entry>"

/* Which of two would be meant? */
static void
test_twice(void)
{
	static const char *const bodies[] = {
		FULL_ENTRY(KEY1) FULL_ENTRY(KEY2) FULL_ENTRY(KEY1),
		"<entry>" ENTRY(PROPERTIES(KEY1, "<d:Name>One</d:Name><d:Name>Two</d:Name>")) "</entry>",
		"<entry>" ENTRY(PROPERTIES(KEY1, "<d:Name>One</d:Name><d:AccountId>" KEY2 "</d:AccountId>")) "</entry>",
		"<entry>" ENTRY(PROPERTIES(KEY1, "<d:Name>One</d:Name>") PROPERTIES(KEY1, "<d:Name>One</d:Name>"))
		"</entry>",
		"<link rel='next' href='a'/><link rel='next' href='b'/>"
	};

	CHECK_INT(feed(FULL_ENTRY(KEY1) FULL_ENTRY(KEY2))->nobjects, 2);
	for (int i = 0; i < lengthof(bodies); i++)
		CHECK_ERROR("HV000", feed(bodies[i]));
}

/* What is written is read back the same. */
static void
test_write(void)
{
	static const char name[] = " <\xC3\xA9>\r\n\t&\"' ";
	StringInfoData out;
	CrmField   *fields;
	CrmObject  *object;

	entity = cdms_small_entity();
	fields = entity->fields;
	fields[3].target = "contact";
	initStringInfo(&out);
	crm_format_atom.write_object(&out, entity,
								 list_make4(cdms_assign(&fields[0], KEY1),
											cdms_assign(&fields[1], name),
											cdms_assign(&fields[2], NULL),
											cdms_assign(&fields[3], KEY2)));
	CHECK(strstr(out.data, "term=\"Microsoft.Crm.Sdk.Data.Services.Account\"") != NULL);
	CHECK(strstr(out.data, "<d:LogicalName>contact</d:LogicalName>") != NULL);

	entity->nfields = 4;
	object = crm_format_atom.read_object(out.data, out.len, entity);
	CHECK_STR(cdms_value(entity, object, "AccountId"), KEY1);
	CHECK_STR(cdms_value(entity, object, "Name"), name);
	CHECK_STR(cdms_value(entity, object, "NumberOfEmployees"), NULL);
	CHECK_STR(cdms_value(entity, object, "PrimaryContactId/Id"), KEY2);
}

/*
 * Nothing is kept of what is passed over, in a body of 8 MB that has no end.  The
 * reader's memory is still there when it ends in an ERROR; libxml2's is not counted.
 */
static void
check_memory(const char *begin, const char *piece)
{
	StringInfoData body;
	Size		before;

	initStringInfo(&body);
	appendStringInfo(&body, "<feed" NAMESPACES ">%s", begin);
	while (body.len < (unit_watched ? 400000 : 8000000))
		appendStringInfoString(&body, piece);
	before = MemoryContextMemAllocated(CurrentMemoryContext, true);
	CHECK_ERROR("2200M", page_of(body.data));
	CHECK(MemoryContextMemAllocated(CurrentMemoryContext, true) - before < 200000);
	pfree(body.data);
}

static void
test_memory(void)
{
	check_memory("", "<link rel='x'/>");
	check_memory("<entry><content><m:properties>", "<d:x m:null='1'/>");
	check_memory("<entry><content><m:properties><d:PrimaryContactId>", "<x/>");
	check_memory("<entry><content><m:properties><d:PrimaryContactId>", "<x m:null='1'/>");
}

static const UnitTest tests[] = {
	{"a feed is a page", test_feed},
	{"an entry is an object", test_entry},
	{"what a link brings inline is passed over", test_inline},
	{"m:null is null", test_nulls},
	{"white space is kept inside values", test_white_space},
	{"what is left out is an error", test_left_out},
	{"a property of another kind is an error", test_other_kind},
	{"another document is an error", test_wrong_shape},
	{"what is not XML is an error", test_malformed},
	{"a cut answer is an error", test_cut},
	{"keeps nothing of what is passed over", test_memory},
	{"what comes twice is an error", test_twice},
	{"what is written reads back the same", test_write}
};

UNIT_SUITE("cdms_atom", tests)
