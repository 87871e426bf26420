/*
 * cdms/words.c
 *	  Foreign words made fit for a message.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/ascii.h"

#include "cdms/words.h"

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
crm_words_tidy(const char *text, int limit)
{
	bool		utf8;
	char	   *line = readable(text, &utf8);
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
