/*
 * cdms/words.c
 *	  Foreign words made fit for a message.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/ascii.h"

#include "cdms/words.h"
#include "net/http.h"

#define SHORTEST_SECRET 4		/* bytes */
#define LONGEST_TEXT (64 * 1024)	/* bytes, of which a message shows 2,000 */
#define LONGEST_NUMBER 32		/* bytes of an entity's, with its semicolon */
#define MOST_LETTERS (4 * 1000 * 1000)	/* that a search looks at, in a tenth of a second or so */
#define MOST_FOR_A_BYTE 8		/* bytes that one beyond ASCII may become: taken for Latin-1
								 * and written in UTF-8 three times */
#define HIDDEN "(hidden)"

/* ------------------------------------------------------------ written letters */

/* One letter of a text, in UTF-8, however it is written there. */
typedef struct Letter
{
	int			length;			/* bytes that it takes in the text; 0: there is none */
	int			nbytes;
	unsigned char bytes[MAX_MULTIBYTE_CHAR_LEN];
} Letter;

typedef Letter (*Form) (const char *at);

static Letter
letter_of(int length, uint32 code)
{
	Letter		letter = {.length = length};

	unicode_to_utf8(code, letter.bytes);
	letter.nbytes = pg_utf_mblen(letter.bytes);
	return letter;
}

static Letter
byte_as_is(const char *at)
{
	Letter		letter = {.length = *at ? 1 : 0,.nbytes = 1,.bytes = {*at}};

	return letter;
}

/* A number of so many hexadecimal digits; false: it is none. */
static bool
read_hex(const char *at, int digits, uint32 *number)
{
	*number = 0;
	for (int i = 0; i < digits; i++)
	{
		if (!isxdigit((unsigned char) at[i]))
			return false;
		*number = *number * 16 + (isdigit((unsigned char) at[i]) ? at[i] - '0' :
								  pg_ascii_tolower(at[i]) - 'a' + 10);
	}
	return true;
}

static Letter
percent_encoded(const char *at)
{
	Letter		letter = byte_as_is(at);
	uint32		byte;

	if (*at == '%' && read_hex(at + 1, 2, &byte))
	{
		letter.bytes[0] = byte;
		letter.length = 3;
	}
	return letter;
}

/* As forms are. */
static Letter
form_encoded(const char *at)
{
	return *at == '+' ? letter_of(1, ' ') : percent_encoded(at);
}

static const struct
{
	const char *entity;
	uint32		letter;
}			entities[] = {
	{"&amp;", '&'},
	{"&lt;", '<'},
	{"&gt;", '>'},
	{"&quot;", '"'},
	{"&apos;", '\''},
	{"&nbsp;", ' '}
};

/* "&#39;", "&#x27;" */
static int
numeric_entity(const char *at, uint32 *letter)
{
	bool		hex = strncmp(at, "&#", 2) == 0 && pg_ascii_tolower(at[2]) == 'x';
	const char *digits = at + (hex ? 3 : 2);
	char	   *end;
	unsigned long number;

	if (strncmp(at, "&#", 2) != 0 || !isxdigit((unsigned char) *digits) ||
		memchr(digits, ';', strnlen(digits, LONGEST_NUMBER)) == NULL)
		return 0;
	number = strtoul(digits, &end, hex ? 16 : 10);
	if (*end != ';' || !is_valid_unicode_codepoint(number))
		return 0;
	*letter = number;
	return end + 1 - at;
}

int
crm_words_entity(const char *at, uint32 *letter)
{
	for (int i = 0; *at == '&' && i < lengthof(entities); i++)
	{
		size_t		length = strlen(entities[i].entity);

		if (pg_strncasecmp(at, entities[i].entity, length) == 0)
		{
			*letter = entities[i].letter;
			return length;
		}
	}
	return numeric_entity(at, letter);
}

static Letter
html_escaped(const char *at)
{
	uint32		code;
	int			length = crm_words_entity(at, &code);

	return length > 0 ? letter_of(length, code) : byte_as_is(at);
}

/* The two halves of what is beyond 16 bits, and all other letters, as \uXXXX. */
static Letter
json_numbered(const char *at)
{
	uint32		code;
	uint32		second;

	if (!read_hex(at + 2, 4, &code))
		return byte_as_is(at);
	if (is_utf16_surrogate_first(code) && at[6] == '\\' && at[7] == 'u' &&
		read_hex(at + 8, 4, &second) && is_utf16_surrogate_second(second))
		return letter_of(12, surrogate_pair_to_codepoint(code, second));
	return letter_of(6, code);
}

static Letter
json_escaped(const char *at)
{
	if (at[0] != '\\' || at[1] == '\0')
		return byte_as_is(at);
	return at[1] == 'u' ? json_numbered(at) : letter_of(2, at[1]);
}

static const Form forms[] = {
	byte_as_is, percent_encoded, form_encoded, html_escaped, json_escaped
};

/* --------------------------------------------------------------------- hiding */

typedef struct Secret
{
	const char *text;
	bool		mostly_ascii;	/* enough that it is known by that */
} Secret;

/*
 * A search of one text.  A server may choose both the text and the secrets, its cookies,
 * so that nearly each is nearly everywhere: what the search may cost is counted.
 */
typedef struct Search
{
	Secret	   *secrets;
	int			nsecrets;
	bool		begins[256];	/* may a secret begin with this byte? */
	int			left;			/* letters that it may yet look at */
} Search;

static bool
is_foreign(unsigned char byte)
{
	return IS_HIGHBIT_SET(byte);
}

/* Beyond ASCII, or what another encoding made of that? */
static bool
was_foreign(unsigned char byte)
{
	return is_foreign(byte) || byte == '?';
}

static bool
is_continuation(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

static bool
is_mostly_ascii(const char *secret)
{
	int			n = 0;

	while (*secret && n < SHORTEST_SECRET)
		n += is_foreign(*secret++) ? 0 : 1;
	return n >= SHORTEST_SECRET;
}

static void
add_secret(Search *search, const char *text)
{
	search->secrets[search->nsecrets++] = (Secret) {text, is_mostly_ascii(text)};
	for (int byte = 0; byte < lengthof(search->begins); byte++)
	{
		if (byte == (unsigned char) text[0] || (is_foreign(text[0]) && was_foreign(byte)))
			search->begins[byte] = true;
	}
}

static Search
search_for(const List *secrets)
{
	Search		search = {
		.secrets = palloc_array(Secret, list_length(secrets) + 1),
		.left = MOST_LETTERS
	};
	ListCell   *lc;

	foreach(lc, secrets)
	{
		if (strnlen(lfirst(lc), SHORTEST_SECRET) == SHORTEST_SECRET)
			add_secret(&search, lfirst(lc));
	}
	return search;
}

/* Too much was to be looked at: nothing more is known of the text. */
static bool
is_given_up(const Search *search)
{
	return search->left <= 0;
}

/* To one who has given up the text ends. */
static Letter
look(Search *search, const char *at, Form form)
{
	CHECK_FOR_INTERRUPTS();
	if (is_given_up(search))
		return (Letter) {0};
	search->left--;
	return form(at);
}

/* How many bytes of the secret, from one beyond ASCII on, may have become others. */
static int
foreign_length(Search *search, const char *secret)
{
	int			n = 0;

	while (is_foreign(secret[0]) && was_foreign(secret[n]))
		n++;
	search->left -= n;
	return n;
}

/* Behind the letters here, so many at most, that such bytes may have become. */
static const char *
skip_foreign(Search *search, const char *at, int most, Form form)
{
	Letter		letter;

	while (most-- > 0 && (letter = look(search, at, form)).length > 0 &&
		   was_foreign(letter.bytes[0]))
		at += letter.length;
	return at;
}

/*
 * How many bytes of text the secret takes here, written in this form; 0: it is not
 * here.  Letters beyond ASCII may have become others, and more or fewer, on the way.
 */
static int
secret_length(Search *search, const char *text, const Secret *secret, Form form)
{
	const char *at = text;
	const char *left = secret->text;

	while (*left)
	{
		Letter		letter = look(search, at, form);
		const char *behind;
		int			length;

		if (letter.length == 0)
			return left - secret->text >= SHORTEST_SECRET ? at - text : 0;
		if (strncmp((char *) letter.bytes, left, letter.nbytes) == 0)
		{
			at += letter.length;
			left += letter.nbytes;
			continue;
		}
		if (!secret->mostly_ascii)
			return 0;
		length = foreign_length(search, left);
		behind = skip_foreign(search, at, length * MOST_FOR_A_BYTE, form);
		if (behind == at)
			return 0;
		at = behind;
		left += length;
	}
	return at - text;
}

/* Of the secrets that are here the longest. */
static int
hidden_length(Search *search, const char *text)
{
	int			longest = 0;

	for (int i = 0; i < lengthof(forms); i++)
	{
		Letter		first = look(search, text, forms[i]);

		for (int j = 0; search->begins[first.bytes[0]] && j < search->nsecrets; j++)
			longest = Max(longest, secret_length(search, text, &search->secrets[j], forms[i]));
	}
	return longest;
}

/* Secrets that are not all known can't be hidden. */
static bool
are_too_many(const List *secrets)
{
	return list_length(secrets) > CRM_MOST_SECRETS;
}

/*
 * As crm_words_hide; no more of it than has so many bytes beside white space.  A letter
 * is not cut in two by that.
 */
static char *
hide_in(const char *text, int enough, const List *secrets)
{
	const char *at = pnstrdup(text, LONGEST_TEXT);
	Search		search = search_for(secrets);
	StringInfoData shown;

	if (are_too_many(secrets))
		return pstrdup(HIDDEN);
	initStringInfo(&shown);
	while (*at && (enough > 0 || is_continuation(*at)))
	{
		int			length = hidden_length(&search, at);

		if (is_given_up(&search))
		{
			appendStringInfoString(&shown, HIDDEN);
			break;
		}
		if (length > 0)
			appendStringInfoString(&shown, HIDDEN);
		else
			appendStringInfoChar(&shown, *at);
		enough -= length > 0 ? strlen(HIDDEN) : !isspace((unsigned char) *at);
		at += Max(length, 1);
	}
	return shown.data;
}

char *
crm_words_hide(const char *text, const List *secrets)
{
	return hide_in(text, LONGEST_TEXT, secrets);
}

static bool
has_secret(const char *text, const List *secrets)
{
	Search		search = search_for(secrets);

	while (*text && hidden_length(&search, text) == 0 && !is_given_up(&search))
		text++;
	return *text != '\0';
}

/* A search sees neither behind a zero byte nor through another encoding. */
static bool
may_have_secret(const char *answer, size_t length, const List *secrets)
{
	if (secrets == NIL)
		return false;
	return are_too_many(secrets) || length > INT_MAX ||
		pg_encoding_verifymbstr(PG_UTF8, answer, length) != length ||
		has_secret(answer, secrets);
}

static char *
hide(char *text, const List *secrets)
{
	return text ? crm_words_hide(text, secrets) : NULL;
}

void
crm_words_rethrow(const char *answer, size_t length, const List *secrets)
{
	ErrorData  *error;

	if (ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_OPERATOR_INTERVENTION ||
		ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_INSUFFICIENT_RESOURCES)
		PG_RE_THROW();
	error = CopyErrorData();
	FlushErrorState();
	error->message = are_too_many(secrets) ? pstrdup("CDMS's answer can't be read") :
		hide(error->message, secrets);
	/* A parser may quote a part of a secret. */
	if (error->detail && may_have_secret(answer, length, secrets))
		error->detail = pstrdup("It may repeat a password or a cookie, and is not quoted.");
	else
		error->detail = hide(error->detail, secrets);
	error->context = hide(error->context, secrets);
	ReThrowError(error);
}

/* ------------------------------------------------------------------- tidying */

/*
 * What a terminal might obey, or show in another order than it stands there:
 * C1 controls (U+0080 to U+009F), line separators and direction marks (U+200E,
 * U+200F, U+2028 to U+202E, U+2066 to U+2069), in UTF-8.  How many bytes; 0: none.
 */
static int
invisible_length(const char *c)
{
	const unsigned char *u = (const unsigned char *) c;

	if (u[0] == 0xC2 && u[1] >= 0x80 && u[1] <= 0x9F)
		return 2;
	if (u[0] != 0xE2)
		return 0;
	if (u[1] == 0x80 && (u[2] == 0x8E || u[2] == 0x8F || (u[2] >= 0xA8 && u[2] <= 0xAE)))
		return 3;
	return u[1] == 0x81 && u[2] >= 0xA6 && u[2] <= 0xA9 ? 3 : 0;
}

/* Text that is not valid UTF-8, or that the database may not be able to write, keeps its ASCII. */
static char *
readable(const char *text, bool *utf8)
{
	int			length = strlen(text);
	char	   *clean = palloc(length + 1);

	*utf8 = GetDatabaseEncoding() == PG_UTF8 && pg_verify_mbstr(PG_UTF8, text, length, true);
	if (*utf8)
		strlcpy(clean, text, length + 1);
	else
		ascii_safe_strlcpy(clean, text, length + 1);
	return clean;
}

char *
crm_words_tidy(const char *text, int limit, const List *secrets)
{
	bool		utf8;
	char	   *line = readable(hide_in(text, limit, secrets), &utf8);
	int			n = 0;

	for (const char *c = line; *c; c++)
	{
		int			invisible = utf8 ? invisible_length(c) : 0;
		bool		blank = (unsigned char) *c <= ' ' || *c == '\x7F' || invisible > 0;

		if (!blank)
			line[n++] = *c;
		else if (n > 0 && line[n - 1] != ' ')
			line[n++] = ' ';
		if (invisible > 0)
			c += invisible - 1;
	}
	if (n > 0 && line[n - 1] == ' ')
		n--;
	if (n > limit)
		n = pg_mbcliplen(line, n, limit);
	line[n] = '\0';
	return line;
}
