/*
 * net/words.h
 *	  What a foreign library says about a failure, made fit for DETAIL.
 */
#ifndef CRM_WORDS_H
#define CRM_WORDS_H

#include "postgres.h"

/*
 * Makes one line of printable ASCII of words, in place.  libcurl and libxml2
 * quote what they were sent, which need not be valid in this database's
 * encoding; and libxml2 ends its sentences with a line feed.
 */
static inline void
crm_words_clean(char *words)
{
	size_t		length = strlen(words);

	while (length > 0 && isspace((unsigned char) words[length - 1]))
		words[--length] = '\0';
	for (char *c = words; *c != '\0'; c++)
	{
		if (*c == '\n' || *c == '\r' || *c == '\t')
			*c = ' ';
		else if (*c < ' ' || *c > '~')
			*c = '?';
	}
}

#endif							/* CRM_WORDS_H */
