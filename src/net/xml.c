/*
 * net/xml.c
 *	  XML read as a stream, safe by construction.
 *
 * libxml2's text reader holds no more of the document than the path from the
 * root to where it stands.  Its callbacks never throw: the first thing the
 * parser complains of is noted and becomes an ERROR once libxml2 has returned.
 *
 * XML_PARSE_HUGE is not set: libxml2's own limits stay in force (10 MB for one
 * piece of text, amplification by entities), as a second line of defence.
 *
 * Tags have no limit of libxml2's, and it compares each attribute with all before
 * it, deaf to interrupts: 400 kB of them take half a minute.  It copies a comment for
 * each -- in it, and looks for a reference's end, byte by byte, in all that follows.  And
 * it takes some hundred bytes for each comment and instruction that is passed over.  So
 * the document is gone through beforehand, once, and one with a long tag, an endless
 * reference or such comments is refused; and with it a DTD, which can declare attributes
 * without end.
 */
#include "postgres.h"

#include <libxml/xmlerror.h>
#include <libxml/xmlreader.h>

#include "miscadmin.h"

#include "compat.h"
#include "net/words.h"
#include "net/xml.h"

#define XML_MAX_DEPTH 64
#define LONGEST_DECLARATION 1024	/* bytes in which <?xml ...?> must end */
#define LONGEST_TAG 16384		/* characters; a feed's have a few hundred */
#define LONGEST_REFERENCE 64	/* characters, from & to ; */
#define MOST_ASIDES 10000		/* comments and instructions; a feed has next to none */
#define NO_DTDS "DTDs and entities are not accepted"

/* Since 2.12 libxml2 shows its complaints read-only. */
#if LIBXML_VERSION >= 21200
typedef const xmlError *XmlComplaint;
#else
typedef xmlErrorPtr XmlComplaint;
#endif

struct CrmXmlReader
{
	xmlTextReaderPtr reader;	/* NULL once closed */
	xmlChar    *held;			/* libxml2's, on its way to palloc'd memory */
	char	   *what;
	bool		end_due;		/* an empty element's END comes next */
	bool		root_seen;
	int			open;			/* elements begun and not ended */
	bool		failed;			/* the parser complained; of: */
	int			line;
	char		words[256];
};

/* Frees what is libxml2's.  Also when its memory context goes. */
static void
xml_release(void *arg)
{
	CrmXmlReader *reader = arg;

	if (reader->held != NULL)
		xmlFree(reader->held);
	if (reader->reader != NULL)
		xmlFreeTextReader(reader->reader);
	reader->held = NULL;
	reader->reader = NULL;
}

/* libxml2's complaint.  The first is the cause of those that follow. */
static void
xml_note_error(void *arg, XmlComplaint error)
{
	CrmXmlReader *reader = arg;

	if (error->level < XML_ERR_ERROR || reader->failed)
		return;
	reader->failed = true;
	reader->line = error->line;
	strlcpy(reader->words, error->message != NULL ? error->message : "unknown error",
			sizeof(reader->words));
}

pg_noreturn static void xml_refuse(CrmXmlReader *reader, int sqlstate, const char *words);
pg_noreturn static void xml_refuse_malformed(CrmXmlReader *reader, const char *words);

/* The ERROR for this document; words are replaced by the parser's own, if any. */
static void
xml_refuse(CrmXmlReader *reader, int sqlstate, const char *words)
{
	if (reader->failed)
		crm_words_clean(reader->words);
	else
	{
		strlcpy(reader->words, words, sizeof(reader->words));
		reader->line = reader->reader == NULL ? 0 :
			xmlTextReaderGetParserLineNumber(reader->reader);
	}
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("could not read the %s as XML", reader->what),
			 errdetail("Line %d: %s.", reader->line, reader->words)));
}

static void
xml_refuse_malformed(CrmXmlReader *reader, const char *words)
{
	xml_refuse(reader, ERRCODE_INVALID_XML_DOCUMENT, words);
}

/* Those that libxml2 reads itself.  Others it leaves to a library of converters. */
static const char *const encodings[] = {"utf-8", "us-ascii", "iso-8859-1"};

static bool
xml_is_own_encoding(const char *name, size_t length)
{
	for (int i = 0; i < lengthof(encodings); i++)
	{
		if (strlen(encodings[i]) == length && pg_strncasecmp(name, encodings[i], length) == 0)
			return true;
	}
	return false;
}

/*
 * Does the declaration at the document's head, which ends at end, name such an
 * encoding, or none?
 */
static bool
xml_declares_own(const char *document, const char *end)
{
	static const char word[] = "encoding";
	const char *name;
	size_t		length = 0;

	for (name = document; end - name > strlen(word); name++)
	{
		if (memcmp(name, word, strlen(word)) == 0)
			break;
	}
	if (end - name <= strlen(word))
		return true;
	name += strlen(word);
	while (name < end && (isspace((unsigned char) *name) || strchr("='\"", *name) != NULL))
		name++;
	while (name + length < end && strchr("'\" ", name[length]) == NULL)
		length++;
	return xml_is_own_encoding(name, length);
}

static bool
xml_begins(const char *document, size_t length, const char *bytes, size_t n)
{
	return length >= n && memcmp(document, bytes, n) == 0;
}

/*
 * How libxml2 has to read the document: 0, or XML_PARSE_IGNORE_ENC where its
 * first bytes say that it is UTF-16; -1: not at all.
 */
static int
xml_encoding_option(const char *document, size_t length)
{
	const char *end;

	if (xml_begins(document, length, "\xFF\xFE\0\0", 4) ||	/* UTF-32 */
		xml_begins(document, length, "\x4C\x6F\xA7\x94", 4))	/* EBCDIC */
		return -1;
	if (xml_begins(document, length, "\xFF\xFE", 2) || xml_begins(document, length, "\xFE\xFF", 2))
		return XML_PARSE_IGNORE_ENC;
	if (xml_begins(document, length, "\xEF\xBB\xBF", 3))
	{
		document += 3;
		length -= 3;
	}
	if (memchr(document, '\0', Min(length, 4)) != NULL)
		return -1;
	if (!xml_begins(document, length, "<?xml", 5))
		return 0;
	end = memchr(document, '>', Min(length, LONGEST_DECLARATION));
	return end != NULL && xml_declares_own(document, end) ? 0 : -1;
}

/* ------------------------------------------------------- before it is parsed */

/*
 * A document's characters, as far as they are ASCII: in UTF-16 each has two bytes,
 * and one of these is 0.
 */
typedef struct XmlScan
{
	const char *begin;
	const char *at;
	const char *end;
	int			width;			/* bytes of a character */
	int			low;			/* which of them counts in UTF-16 */
} XmlScan;

pg_noreturn static void xml_scan_refuse(CrmXmlReader *reader, const XmlScan *scan, int sqlstate,
										const char *words);

static XmlScan
xml_scan_begin(const char *document, size_t length)
{
	bool		big = xml_begins(document, length, "\xFE\xFF", 2);
	bool		wide = big || xml_begins(document, length, "\xFF\xFE", 2);
	XmlScan		scan = {.begin = document,.at = document,.width = wide ? 2 : 1,.low = big ? 1 : 0};

	scan.end = document + length - length % scan.width;
	return scan;
}

/* The character here, 0 where it is none of ASCII. */
static inline char
xml_scan_char(const XmlScan *scan)
{
	if (scan->width == 2 && scan->at[1 - scan->low] != '\0')
		return '\0';
	return scan->at[scan->low];
}

/* Goes on to the next such character, or to the end. */
static void
xml_scan_to(XmlScan *scan, char c)
{
	if (scan->width == 1)
	{
		const char *found = memchr(scan->at, c, scan->end - scan->at);

		scan->at = found != NULL ? found : scan->end;
		return;
	}
	while (scan->at < scan->end && xml_scan_char(scan) != c)
		scan->at += scan->width;
}

/* Passes over word, if it stands here. */
static bool
xml_scan_skip(XmlScan *scan, const char *word)
{
	XmlScan		ahead = *scan;

	for (; *word != '\0'; word++)
	{
		if (ahead.at == ahead.end || xml_scan_char(&ahead) != *word)
			return false;
		ahead.at += ahead.width;
	}
	*scan = ahead;
	return true;
}

/* Goes behind the next word, or to the end. */
static void
xml_scan_behind(XmlScan *scan, const char *word)
{
	for (xml_scan_to(scan, *word); scan->at < scan->end && !xml_scan_skip(scan, word);
		 xml_scan_to(scan, *word))
		scan->at += scan->width;
}

static int
xml_scan_line(const XmlScan *scan)
{
	XmlScan		before = *scan;
	int			line = 1;

	before.at = scan->begin;
	before.end = scan->at;
	for (xml_scan_to(&before, '\n'); before.at < before.end; xml_scan_to(&before, '\n'))
	{
		line++;
		before.at += before.width;
	}
	return line;
}

/* The ERROR for what stands here. */
static void
xml_scan_refuse(CrmXmlReader *reader, const XmlScan *scan, int sqlstate, const char *words)
{
	reader->failed = true;
	reader->line = xml_scan_line(scan);
	strlcpy(reader->words, words, sizeof(reader->words));
	xml_refuse(reader, sqlstate, words);
}

/*
 * Goes behind a tag that has begun.  A < in it makes the document ill-formed, and
 * libxml2 goes no further.
 */
static void
xml_scan_tag(CrmXmlReader *reader, XmlScan *scan)
{
	char		quote = '\0';

	for (int length = 2; scan->at < scan->end; length++)
	{
		char		c = xml_scan_char(scan);

		if (c == '<')
			return;
		if (length > LONGEST_TAG)
			xml_scan_refuse(reader, scan, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
							psprintf("A tag is longer than %d characters", LONGEST_TAG));
		scan->at += scan->width;
		if (c == '>' && quote == '\0')
			return;
		if (c == quote)
			quote = '\0';
		else if (quote == '\0' && (c == '"' || c == '\''))
			quote = c;
	}
}

/* Goes behind a reference that begins here. */
static void
xml_scan_reference(CrmXmlReader *reader, XmlScan *scan)
{
	for (int length = 0; scan->at < scan->end && length < LONGEST_REFERENCE; length++)
	{
		bool		ends = xml_scan_char(scan) == ';';

		scan->at += scan->width;
		if (ends)
			return;
	}
	xml_scan_refuse(reader, scan, ERRCODE_INVALID_XML_DOCUMENT, "A reference has no end");
}

/* Goes through text to the next tag, or to the end. */
static void
xml_scan_text(CrmXmlReader *reader, XmlScan *scan)
{
	XmlScan		text = *scan;

	xml_scan_to(scan, '<');
	text.end = scan->at;
	for (xml_scan_to(&text, '&'); text.at < text.end; xml_scan_to(&text, '&'))
	{
		CHECK_FOR_INTERRUPTS();
		xml_scan_reference(reader, &text);
	}
}

static void
xml_scan_comment(CrmXmlReader *reader, XmlScan *scan)
{
	xml_scan_behind(scan, "--");
	if (scan->at < scan->end && !xml_scan_skip(scan, ">"))
		xml_scan_refuse(reader, scan, ERRCODE_INVALID_XML_DOCUMENT, "A comment has -- in it");
}

static void
xml_count_aside(CrmXmlReader *reader, XmlScan *scan, int *asides)
{
	if (++*asides > MOST_ASIDES)
		xml_scan_refuse(reader, scan, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
						psprintf("There are more than %d comments and instructions", MOST_ASIDES));
}

static void
xml_check_costs(CrmXmlReader *reader, const char *document, size_t length)
{
	XmlScan		scan = xml_scan_begin(document, length);
	int			asides = 0;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		xml_scan_text(reader, &scan);
		if (scan.at == scan.end)
			return;
		if (xml_scan_skip(&scan, "<!--"))
		{
			xml_count_aside(reader, &scan, &asides);
			xml_scan_comment(reader, &scan);
		}
		else if (xml_scan_skip(&scan, "<![CDATA["))
			xml_scan_behind(&scan, "]]>");
		else if (xml_scan_skip(&scan, "<?"))
		{
			xml_count_aside(reader, &scan, &asides);
			xml_scan_behind(&scan, "?>");
		}
		else if (xml_scan_skip(&scan, "<!DOCTYPE"))
			xml_scan_refuse(reader, &scan, ERRCODE_INVALID_XML_DOCUMENT, NO_DTDS);
		else
		{
			scan.at += scan.width;
			xml_scan_tag(reader, &scan);
		}
	}
}

/* ----------------------------------------------------------------- reading */

CrmXmlReader *
crm_xml_open(const char *document, size_t length, const char *what)
{
	CrmXmlReader *reader = palloc0(sizeof(CrmXmlReader));
	MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));
	int			encoding = xml_encoding_option(document, length);

	reader->what = pstrdup(what);
	callback->func = xml_release;
	callback->arg = reader;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);

	if (length == 0 || length > INT_MAX)
		xml_refuse_malformed(reader, length == 0 ? "Document is empty" :
							 "Document is longer than 2 GB");
	if (encoding < 0)
		xml_refuse_malformed(reader, "Documents are read in UTF-8, UTF-16, ISO-8859-1 and US-ASCII");
	xml_check_costs(reader, document, length);
	reader->reader = xmlReaderForMemory(document, (int) length, NULL, NULL,
										XML_PARSE_NONET | encoding);
	if (reader->reader == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	xmlTextReaderSetStructuredErrorHandler(reader->reader, xml_note_error, reader);
	return reader;
}

void
crm_xml_close(CrmXmlReader *reader)
{
	xml_release(reader);
}

/*
 * libxml2 says some things, of encodings above all, to nobody's handler but the
 * process's: by default they go to stderr, the server's log.
 */
static int
xml_read(CrmXmlReader *reader)
{
	xmlStructuredErrorFunc other = xmlStructuredError;
	void	   *others = xmlStructuredErrorContext;
	int			got;

	xmlSetStructuredErrorFunc(reader, xml_note_error);
	got = xmlTextReaderRead(reader->reader);
	xmlSetStructuredErrorFunc(others, other);
	return got;
}

static CrmXmlEvent
xml_begin(CrmXmlReader *reader)
{
	if (reader->open == XML_MAX_DEPTH)
		xml_refuse(reader, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
				   psprintf("Elements are nested more than %d deep", XML_MAX_DEPTH));
	reader->root_seen = true;
	reader->open++;
	reader->end_due = xmlTextReaderIsEmptyElement(reader->reader) == 1;
	return CRM_XML_START;
}

static CrmXmlEvent
xml_end(CrmXmlReader *reader)
{
	reader->end_due = false;
	reader->open--;
	return CRM_XML_END;
}

/* libxml2 has no more to give: was that all of a document? */
static CrmXmlEvent
xml_finish(CrmXmlReader *reader)
{
	if (reader->open > 0 || !reader->root_seen)
		xml_refuse_malformed(reader, "Document ends too early");
	return CRM_XML_EOF;
}

CrmXmlEvent
crm_xml_next(CrmXmlReader *reader)
{
	if (reader->reader == NULL)
		elog(ERROR, "XML reader is closed");
	if (reader->end_due)
		return xml_end(reader);

	for (;;)
	{
		int			got;

		CHECK_FOR_INTERRUPTS();
		got = xml_read(reader);
		if (got < 0 || reader->failed)
			xml_refuse_malformed(reader, "Document is ill-formed");
		if (got == 0)
			return xml_finish(reader);

		switch (xmlTextReaderNodeType(reader->reader))
		{
			case XML_READER_TYPE_ELEMENT:
				return xml_begin(reader);
			case XML_READER_TYPE_END_ELEMENT:
				return xml_end(reader);
			case XML_READER_TYPE_TEXT:
			case XML_READER_TYPE_CDATA:
			case XML_READER_TYPE_WHITESPACE:
			case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
				return CRM_XML_TEXT;
			case XML_READER_TYPE_COMMENT:
			case XML_READER_TYPE_PROCESSING_INSTRUCTION:
			case XML_READER_TYPE_XML_DECLARATION:
				continue;
			default:
				xml_refuse_malformed(reader, NO_DTDS);
		}
	}
}

const char *
crm_xml_name(CrmXmlReader *reader)
{
	return (const char *) xmlTextReaderConstLocalName(reader->reader);
}

const char *
crm_xml_namespace(CrmXmlReader *reader)
{
	const xmlChar *uri = xmlTextReaderConstNamespaceUri(reader->reader);

	return uri != NULL ? (const char *) uri : "";
}

int
crm_xml_depth(CrmXmlReader *reader)
{
	return xmlTextReaderDepth(reader->reader);
}

char *
crm_xml_attribute(CrmXmlReader *reader, const char *ns, const char *name)
{
	char	   *copy;

	reader->held = ns == NULL ?
		xmlTextReaderGetAttribute(reader->reader, BAD_CAST name) :
		xmlTextReaderGetAttributeNs(reader->reader, BAD_CAST name, BAD_CAST ns);
	if (reader->held == NULL)
		return NULL;

	copy = pstrdup((char *) reader->held);
	xmlFree(reader->held);
	reader->held = NULL;
	return copy;
}

const char *
crm_xml_text(CrmXmlReader *reader)
{
	const xmlChar *text = xmlTextReaderConstValue(reader->reader);

	return text != NULL ? (const char *) text : "";
}

char *
crm_xml_inner_text(CrmXmlReader *reader)
{
	StringInfoData text;
	int			outside = reader->open - 1;

	initStringInfo(&text);
	while (reader->open > outside)
	{
		if (crm_xml_next(reader) == CRM_XML_TEXT)
			appendStringInfoString(&text, crm_xml_text(reader));
	}
	return text.data;
}

void
crm_xml_skip(CrmXmlReader *reader)
{
	int			outside = reader->open - 1;

	while (reader->open > outside)
		(void) crm_xml_next(reader);
}

/*
 * Is the character at c one that XML 1.0 has no way to write?  Controls, and
 * U+FFFE and U+FFFF (EF BF BE and EF BF BF in UTF-8).
 */
static bool
xml_is_impossible(const char *c)
{
	if ((unsigned char) *c < ' ')
		return *c != '\t' && *c != '\n' && *c != '\r';
	return strncmp(c, "\xEF\xBF\xBE", 3) == 0 || strncmp(c, "\xEF\xBF\xBF", 3) == 0;
}

/* How c must be written, or NULL: as it is. */
static const char *
xml_escape(char c)
{
	switch (c)
	{
		case '&':
			return "&amp;";
		case '<':
			return "&lt;";
		case '>':
			return "&gt;";
		case '"':
			return "&quot;";
		case '\'':
			return "&apos;";
			/* A reader would make blanks or line feeds of these. */
		case '\t':
			return "&#9;";
		case '\n':
			return "&#10;";
		case '\r':
			return "&#13;";
		default:
			return NULL;
	}
}

void
crm_xml_append_escaped(StringInfo out, const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
	{
		const char *escape = xml_escape(*c);

		if (xml_is_impossible(c))
			ereport(ERROR,
					(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
					 errmsg("text contains a character that XML cannot carry"),
					 errdetail("It stands after %d bytes.", (int) (c - text)),
					 errhint("Remove control characters from the text.")));
		if (escape != NULL)
			appendStringInfoString(out, escape);
		else
			appendStringInfoChar(out, *c);
	}
}
