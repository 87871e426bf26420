/*
 * test/unit/xml.c
 *	  net/xml.h
 */
#include "postgres.h"

#include "net/xml.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "unit.h"

static CrmXmlReader *
opened(const char *document)
{
	return crm_xml_open(document, strlen(document), "test document");
}

/* The events of a document as a string: (a 'text' )a */
static char *
events_of(const char *document, size_t length)
{
	CrmXmlReader *reader = crm_xml_open(document, length, "test document");
	StringInfoData events;
	CrmXmlEvent event;

	initStringInfo(&events);
	while ((event = crm_xml_next(reader)) != CRM_XML_EOF)
	{
		if (event == CRM_XML_TEXT)
			appendStringInfo(&events, "'%s'", crm_xml_text(reader));
		else
			appendStringInfo(&events, "%c%s%d", event == CRM_XML_START ? '(' : ')',
							 crm_xml_name(reader), crm_xml_depth(reader));
	}
	crm_xml_close(reader);
	return events.data;
}

static char *
events(const char *document)
{
	return events_of(document, strlen(document));
}

static void
test_events(void)
{
	CHECK_STR(events("<a/>"), "(a0)a0");
	CHECK_STR(events("<a><b></b><c/></a>"), "(a0(b1)b1(c1)c1)a0");
	CHECK_STR(events("<?xml version='1.0' encoding='utf-8'?>\n<a><!-- no --><?p i?>x</a>\n"),
			  "(a0'x')a0");
	CHECK_STR(events("<a>\n <b/>\n</a>"), "(a0'\n '(b1)b1'\n')a0");
}

static void
test_text(void)
{
	CHECK_STR(events("<a>1 &lt; &amp;&gt;&quot;&apos;&#65;&#x20AC;</a>"),
			  "(a0'1 < &>\"'A\xE2\x82\xAC')a0");
}

/* Positions reader on the START of the element called name. */
static void
find(CrmXmlReader *reader, const char *name)
{
	CrmXmlEvent event;

	while ((event = crm_xml_next(reader)) != CRM_XML_EOF)
	{
		if (event == CRM_XML_START && strcmp(crm_xml_name(reader), name) == 0)
			return;
	}
	CHECK(!"found");
}

static void
test_inner_text(void)
{
	CrmXmlReader *reader = opened("<a><b>x<![CDATA[<y>&]]>z<!-- -->!<i>n</i>o</b><c/></a>");

	find(reader, "b");
	CHECK_STR(crm_xml_inner_text(reader), "x<y>&z!no");
	CHECK_INT(crm_xml_next(reader), CRM_XML_START);
	CHECK_STR(crm_xml_name(reader), "c");
	CHECK_STR(crm_xml_inner_text(reader), "");
	CHECK_INT(crm_xml_next(reader), CRM_XML_END);
	CHECK_INT(crm_xml_next(reader), CRM_XML_EOF);
}

static void
test_attributes(void)
{
	CrmXmlReader *reader = opened("<e xmlns:m='urn:m' type='plain' m:type='Edm.Guid' v='&lt;&#10;x'/>");

	find(reader, "e");
	CHECK_STR(crm_xml_attribute(reader, NULL, "type"), "plain");
	CHECK_STR(crm_xml_attribute(reader, "urn:m", "type"), "Edm.Guid");
	CHECK_STR(crm_xml_attribute(reader, NULL, "v"), "<\nx");
	CHECK_STR(crm_xml_attribute(reader, NULL, "none"), NULL);
	CHECK_STR(crm_xml_attribute(reader, "urn:other", "type"), NULL);
	CHECK_STR(crm_xml_attribute(reader, "urn:m", "v"), NULL);
}

static void
test_namespaces(void)
{
	CrmXmlReader *reader = opened("<f xmlns='urn:a' xmlns:d='urn:d'><d:p><q xmlns=''/></d:p></f>");

	find(reader, "f");
	CHECK_STR(crm_xml_namespace(reader), "urn:a");
	find(reader, "p");
	CHECK_STR(crm_xml_namespace(reader), "urn:d");
	find(reader, "q");
	CHECK_STR(crm_xml_namespace(reader), "");
	CHECK_ERROR("2200M", events("<x:a/>"));
}

static void
test_skip(void)
{
	CrmXmlReader *reader = opened("<a><b>1<c><d/>2</c></b><e/><f>3</f></a>");

	find(reader, "b");
	crm_xml_skip(reader);
	CHECK_INT(crm_xml_next(reader), CRM_XML_START);
	CHECK_STR(crm_xml_name(reader), "e");
	crm_xml_skip(reader);
	CHECK_INT(crm_xml_next(reader), CRM_XML_START);
	CHECK_STR(crm_xml_inner_text(reader), "3");
	CHECK_INT(crm_xml_next(reader), CRM_XML_END);
	CHECK_INT(crm_xml_next(reader), CRM_XML_EOF);
}

#define DTD "<!DOCTYPE a [<!ENTITY e 'x'>]>"

static void
test_dtd(void)
{
	CHECK_ERROR("2200M", events("<!DOCTYPE a><a/>"));
	CHECK_ERROR("2200M", events(DTD "<a>&e;</a>"));
	CHECK_ERROR("2200M", events(DTD "<a b='&e;'/>"));
	CHECK_ERROR("2200M", events("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"));
	CHECK_ERROR("2200M", events("<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>"));
	CHECK_ERROR("2200M", events("<!DOCTYPE a [<!ENTITY % e SYSTEM 'http://127.0.0.1:1/'>%e;]><a/>"));
	CHECK_ERROR("2200M", events("<a>&undeclared;</a>"));
}

/* A billion laughs, where text and where an attribute asks for them. */
static void
test_bomb(void)
{
	StringInfoData dtd;

	initStringInfo(&dtd);
	appendStringInfoString(&dtd, "<!DOCTYPE a [<!ENTITY e0 'laugh'>");
	for (int i = 1; i < 10; i++)
	{
		appendStringInfo(&dtd, "<!ENTITY e%d '", i);
		for (int j = 0; j < 10; j++)
			appendStringInfo(&dtd, "&e%d;", i - 1);
		appendStringInfoString(&dtd, "'>");
	}
	appendStringInfoString(&dtd, "]>");
	CHECK_ERROR("2200M", events(psprintf("%s<a>&e9;</a>", dtd.data)));
	CHECK_ERROR("2200M", events(psprintf("%s<a b='&e9;'/>", dtd.data)));
}

/* Of the document in UTF-16, of either byte order. */
static char *
utf16_events(const char *document, bool big)
{
	StringInfoData wide;

	initStringInfo(&wide);
	appendBinaryStringInfo(&wide, big ? "\xFE\xFF" : "\xFF\xFE", 2);
	for (const char *c = document; *c; c++)
	{
		appendStringInfoChar(&wide, big ? '\0' : *c);
		appendStringInfoChar(&wide, big ? *c : '\0');
	}
	return events_of(wide.data, wide.len);
}

/* A document that begins so, then n attributes, then how it ends. */
static char *
flood(const char *begin, const char *attribute, int n, const char *end)
{
	StringInfoData document;

	initStringInfo(&document);
	appendStringInfoString(&document, begin);
	for (int i = 0; i < n; i++)
		appendStringInfo(&document, attribute, i);
	appendStringInfoString(&document, end);
	return document.data;
}

static void
check_flood(const char *document)
{
	TimestampTz started = GetCurrentTimestamp();

	CHECK_ERROR("54000", events(document));
	CHECK_STR(unit_error->detail, "Line 1: A tag is longer than 16384 characters.");
	CHECK_ERROR("54000", utf16_events(document, false));
	CHECK_STR(unit_error->detail, "Line 1: A tag is longer than 16384 characters.");
	CHECK_ERROR("54000", utf16_events(document, true));
	CHECK_STR(unit_error->detail, "Line 1: A tag is longer than 16384 characters.");
	if (!unit_watched)
		CHECK(!TimestampDifferenceExceeds(started, GetCurrentTimestamp(), 3000));
}

/* Attributes, which libxml2 compares each with each; wherever it would find them. */
static void
test_flood(void)
{
	static const char *const begins[] = {
		"<a", "<a b='>'", "<a b=\">'\" c='\">'", "<!--<a b='--><a", "<?p <a b='?><a",
		"<e><![CDATA[<a b=']]><a", "<e>'<a", "<e>\"</e ><a", "<e b='1'/><a"
	};
	char	   *giant = palloc0(10000001);
	int			many = unit_watched ? 20000 : 1000000;

	check_flood(flood("<a", " a%d=''", many, "/>"));
	check_flood(flood("<a", " xmlns:a%d='u'", many, "/>"));
	check_flood(psprintf("<a b='%s'/>", (char *) memset(giant, 'x', 10000000)));
	check_flood(psprintf("<%s/>", giant));
	CHECK_ERROR("54000", events(psprintf("<a>\n<b/>\n<%s/>", giant)));
	CHECK_STR(unit_error->detail, "Line 3: A tag is longer than 16384 characters.");
	for (int i = 0; i < lengthof(begins); i++)
		check_flood(flood(begins[i], " a%d=''", 10000, "/>"));
}

/* As long as it may be, and much that is no tag. */
static void
test_no_flood(void)
{
	char	   *text = palloc0(1000001);

	CHECK_STR(events(psprintf("<a b='%016375d'/>", 0)), "(a0)a0");
	CHECK_ERROR("54000", events(psprintf("<a b='%016376d'/>", 0)));
	memset(text, '>', 1000000);
	CHECK_INT(strlen(events(psprintf("<a><![CDATA[%s]]></a>", text))), 1000008);
	CHECK_STR(events(psprintf("<!-- %s--><?p %s?><a/>", text, text)), "(a0)a0");
	CHECK_STR(events("<a b='>' c=\"'>\">\n'</a>"), "(a0'\n'')a0");
}

/* What it declares is not read. */
static void
test_flood_in_a_dtd(void)
{
	TimestampTz started = GetCurrentTimestamp();

	CHECK_ERROR("2200M", events(flood("<!DOCTYPE a [<!ATTLIST a", " xmlns:a%d CDATA ''", 200000, ">]><a/>")));
	CHECK_STR(unit_error->detail, "Line 1: DTDs and entities are not accepted.");
	if (!unit_watched)
		CHECK(!TimestampDifferenceExceeds(started, GetCurrentTimestamp(), 3000));
}

/* A document of elements nested so deep. */
static char *
nested(int depth)
{
	StringInfoData document;

	initStringInfo(&document);
	for (int i = 0; i < depth; i++)
		appendStringInfoString(&document, "<a>");
	for (int i = 0; i < depth; i++)
		appendStringInfoString(&document, "</a>");
	return document.data;
}

static void
test_depth(void)
{
	CHECK_INT(strlen(events(nested(64))), 64 * 2 * 3 + 2 * 54);
	CHECK_ERROR("54000", events(nested(65)));
	CHECK_ERROR("54000", events(nested(250)));
	CHECK_ERROR("54000", events(nested(100000)));
}

static void
test_cut(void)
{
	const char *document = "<?xml version='1.0'?><a x='1'><b>text</b><![CDATA[c]]></a>";

	CHECK_STR(events(document), "(a0(b1'text')b1'c')a0");
	for (size_t length = 0; length < strlen(document); length++)
		CHECK_ERROR("2200M", events_of(document, length));
}

static void
test_malformed(void)
{
	static const char *const documents[] = {
		"", " ", "text", "<a></b>", "<a/><b/>", "<a/>text", "<a b='1' b='2'/>",
		"<a b=1/>", "<a>&</a>", "<a>&#0;</a>", "<a>&#xD800;</a>", "{\"d\":[]}",
		"<html><br></html>", "<a>\x01</a>", "<?xml version='1.0'?", "<a><b></a></b>",
	};

	for (int i = 0; i < lengthof(documents); i++)
		CHECK_ERROR("2200M", events(documents[i]));
}

static void
test_words(void)
{
	CHECK_ERROR("2200M", events("<a>\n<b>\n</a>"));
	CHECK_STR(unit_error->message, "could not read the test document as XML");
	CHECK_CONTAINS(unit_error->detail, "Line 3: Opening and ending tag mismatch");
}

static void
test_encoding(void)
{
	static const char utf16[] = "\xFF\xFE<\0a\0>\0\xAC\x20<\0/\0a\0>\0";

	CHECK_STR(events("\xEF\xBB\xBF<a>\xE2\x82\xAC</a>"), "(a0'\xE2\x82\xAC')a0");
	CHECK_STR(events("<?xml version='1.0' encoding='iso-8859-1'?><a>\xFC</a>"),
			  "(a0'\xC3\xBC')a0");
	CHECK_STR(events_of(utf16, sizeof(utf16) - 1), "(a0'\xE2\x82\xAC')a0");
	CHECK_ERROR("2200M", events("<a>\xFC</a>"));
	CHECK_ERROR("2200M", events("<a>\xC3</a>"));
	CHECK_ERROR("2200M", events("<a>\xED\xA0\x80</a>"));
	CHECK_ERROR("2200M", events("<?xml version='1.0' encoding='utf-8'?><a b='\xFC'/>"));
	CHECK_ERROR("2200M", events("<?xml version='1.0' encoding='nonsense'?><a/>"));
	CHECK_ERROR("2200M", events("<?xml version='1.0' encoding='utf-16'?><a>\xFC</a>"));
	CHECK_ERROR("2200M", events("<?xml version='1.0' encoding='utf-16'?><a/>"));
}

static void
check_encoding_refused(const char *name)
{
	CHECK_ERROR("2200M", events(psprintf("<?xml version='1.0' encoding='%s'?><a/>", name)));
	CHECK_CONTAINS(unit_error->detail, "Documents are read in UTF-8");
	CHECK_ERROR("2200M", events(psprintf("<?xml version='1.0' encoding = \"%s\" ?><a/>", name)));
	CHECK_ERROR("2200M", events(psprintf("\xEF\xBB\xBF<?xml version='1.0'\nencoding='%s'?><a/>", name)));
}

/* What libxml2 would leave to a library of converters is not read at all. */
static void
test_other_encodings(void)
{
	static const char hidden[] = "\xFF\xFE<\0?\0x\0m\0l\0 \0v\0e\0r\0s\0i\0o\0n\0=\0'\0" "1\0.\0" "0\0'\0 \0"
		"e\0n\0c\0o\0d\0i\0n\0g\0=\0'\0u\0t\0f\0-\0" "7\0'\0?\0>\0<\0a\0/\0>\0";
	static const char unmarked[] = "<\0a\0/\0>\0";
	static const char unmarked_big[] = "\0<\0a\0/\0>";
	static const char utf32[] = "\xFF\xFE\0\0<\0\0\0a\0\0\0/\0\0\0>\0\0\0";
	static const char *const names[] = {"utf-7", "shift_jis", "iso-2022-cn-ext", "windows-1252", "utf-32", "ebcdic-us"};
	StringInfoData padded;

	for (int i = 0; i < lengthof(names); i++)
		check_encoding_refused(names[i]);
	CHECK_STR(events("<?xml version='1.0' encoding=\"UTF-8\" standalone='yes'?><a/>"), "(a0)a0");
	CHECK_STR(events_of(hidden, sizeof(hidden) - 1), "(a0)a0");
	CHECK_ERROR("2200M", events_of(unmarked, sizeof(unmarked) - 1));
	CHECK_ERROR("2200M", events_of(unmarked_big, sizeof(unmarked_big) - 1));
	CHECK_ERROR("2200M", events_of(utf32, sizeof(utf32) - 1));
	CHECK_ERROR("2200M", events("\x4C\x6F\xA7\x94\x93"));

	initStringInfo(&padded);
	appendStringInfo(&padded, "<?xml version='1.0'%2000s encoding='utf-7'?><a/>", "");
	CHECK_ERROR("2200M", events(padded.data));
}

static void
test_nul(void)
{
	CHECK_ERROR("2200M", events_of("<a>x\0y</a>", 10));
	CHECK_ERROR("2200M", events_of("<a b='\0'/>", 10));
	CHECK_ERROR("2200M", events_of("<a/>\0<b/>", 9));
	CHECK_ERROR("2200M", events_of("\0<a/>", 5));
	CHECK_ERROR("2200M", events_of("<a/>\0", 5));
}

/* libxml2 reads in pieces of its own: text must survive their borders. */
static void
test_long_text(void)
{
	StringInfoData document;
	StringInfoData text;
	CrmXmlReader *reader;

	initStringInfo(&document);
	initStringInfo(&text);
	for (int i = 0; i < 100000; i++)
		appendStringInfo(&text, "%d\xE2\x82\xAC&", i);
	appendStringInfoString(&document, "<a>");
	crm_xml_append_escaped(&document, text.data);
	appendStringInfoString(&document, "</a>");

	reader = crm_xml_open(document.data, document.len, "test document");
	crm_xml_next(reader);
	CHECK(strcmp(crm_xml_inner_text(reader), text.data) == 0);
	crm_xml_close(reader);
}

static char *
escaped(const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	crm_xml_append_escaped(&out, text);
	return out.data;
}

/* text, written and read as content and as attribute. */
static void
check_round_trip(const char *text)
{
	CrmXmlReader *reader = opened(psprintf("<a b='%s'>%s</a>", escaped(text), escaped(text)));

	crm_xml_next(reader);
	CHECK_STR(crm_xml_attribute(reader, NULL, "b"), text);
	CHECK_STR(crm_xml_inner_text(reader), text);
	crm_xml_close(reader);
}

static char *
repeated(const char *begin, const char *piece, int n, const char *end)
{
	StringInfoData document;

	initStringInfo(&document);
	appendStringInfoString(&document, begin);
	for (int i = 0; i < n; i++)
		appendStringInfoString(&document, piece);
	appendStringInfoString(&document, end);
	return document.data;
}

/* Each costs libxml2 many times its size, and the time of all passes in one call. */
static void
test_asides(void)
{
	static const char *const asides[] = {"<!---->", "<?p?>", "x<!-- -->"};

	for (int i = 0; i < lengthof(asides); i++)
	{
		CrmXmlReader *reader = opened(repeated("<a>", asides[i], 9000, "</a>"));

		crm_xml_next(reader);
		while (crm_xml_next(reader) == CRM_XML_TEXT)
			continue;
		crm_xml_close(reader);
		CHECK_ERROR("54000", opened(repeated("<a>", asides[i], 1000000, "</a>")));
		CHECK_CONTAINS(unit_error->detail, "more than 10000 comments and instructions");
	}
}

/* libxml2 would copy the comment for each --, look for a ; in all that follows. */
static void
test_costly_mistakes(void)
{
	int			n = 1000000;

	CHECK_ERROR("2200M", opened(repeated("<a><!--", "--x", n, "--></a>")));
	CHECK_CONTAINS(unit_error->detail, "A comment has -- in it");
	CHECK_ERROR("2200M", opened(repeated("<a>", "&", n, ";</a>")));
	CHECK_CONTAINS(unit_error->detail, "A reference has no end");
	CHECK_ERROR("2200M", opened(repeated("<a>&", "x", n, ";</a>")));
	CHECK_ERROR("2200M", opened(repeated("<a>", "&#6", n, "")));
	CHECK_ERROR("2200M", opened(repeated("<a/>", "&#6", n, "")));
	CHECK_INT(crm_xml_next(opened(repeated("<a>", "&lt;&#x10FFFF;", 1000, "</a>"))), CRM_XML_START);
}

static void
test_escape(void)
{
	CHECK_STR(escaped("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&apos;");
	check_round_trip("]]> <&>\"'");
	check_round_trip("a\r\nb\tc\rd  e");
	check_round_trip("J\xC3\xBCrgen \xF0\x9F\x98\x80 \xEF\xBF\xBD");
	CHECK_ERROR("22021", escaped("a\x01"));
	CHECK_ERROR("22021", escaped("\x1F"));
	CHECK_ERROR("22021", escaped("a\xEF\xBF\xBF"));
	CHECK_ERROR("22021", escaped("a\xEF\xBF\xBE"));
}

static void
test_memory(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "document",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	CrmXmlReader *reader = opened("<a><b/></a>");

	crm_xml_next(reader);
	opened("<a/>");
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);

	reader = opened("<a/>");
	crm_xml_close(reader);
	crm_xml_close(reader);
	CHECK_ERROR("XX000", crm_xml_next(reader));
}

static const UnitTest tests[] = {
	{"gives a document as events", test_events},
	{"decodes predefined entities and character references", test_text},
	{"gathers the text of an element", test_inner_text},
	{"finds attributes by namespace and name", test_attributes},
	{"tells namespaces", test_namespaces},
	{"passes over an element", test_skip},
	{"refuses DTDs and entities", test_dtd},
	{"refuses an entity bomb", test_bomb},
	{"refuses floods of attributes", test_flood},
	{"but not what only looks like one", test_no_flood},
	{"refuses floods of declarations", test_flood_in_a_dtd},
	{"limits depth to 64", test_depth},
	{"refuses a document cut anywhere", test_cut},
	{"refuses what is ill-formed", test_malformed},
	{"says where and why", test_words},
	{"reads the document's encoding, and UTF-8 strictly", test_encoding},
	{"refuses encodings that need a converter", test_other_encodings},
	{"refuses NUL", test_nul},
	{"reads long text", test_long_text},
	{"refuses comments and instructions without end", test_asides},
	{"refuses mistakes that libxml2 takes hours over", test_costly_mistakes},
	{"escapes text so that it is read back the same", test_escape},
	{"belongs to its memory context", test_memory},
};

UNIT_SUITE("xml", tests)
