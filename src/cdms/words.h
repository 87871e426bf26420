/*
 * cdms/words.h
 *	  Foreign words made fit for a message.
 */
#ifndef CRM_CDMS_WORDS_H
#define CRM_CDMS_WORDS_H

#include "compat.h"
#include "nodes/pg_list.h"

/*
 * One line of at most limit bytes, palloc'd: in the database's encoding, white
 * space, controls and direction marks collapsed into blanks, secrets (char *,
 * crm_login_secrets) hidden.
 */
extern char *crm_words_tidy(const char *text, int limit, const List *secrets);

/*
 * A copy, of 64 kB at most, with "(hidden)" in the place of each secret: as it is,
 * percent-encoded, or escaped for HTML or JSON; also of one that breaks off where the
 * text does.  One of less than four bytes is not looked for: it is in every other word.
 * All of the text is hidden where there are more secrets than CRM_MOST_SECRETS, and its
 * rest where it would take too long to find them.
 */
extern char *crm_words_hide(const char *text, const List *secrets);

/*
 * In a PG_CATCH: throws the error on with secrets hidden in all that it says.  For
 * readers of answers, whose errors quote what they stumble over: no DETAIL of an answer
 * that has a secret in it, or may have one: it is long, or not in UTF-8.  The current
 * context, and that of the secrets, must be another than the error's, which is emptied;
 * answer is NUL-terminated after length bytes.
 */
pg_noreturn extern void crm_words_rethrow(const char *answer, size_t length,
										  const List *secrets);

/*
 * The letter that an HTML entity stands for ("&amp;", "&#233;"), and its length; 0:
 * none is here, or one of another name.
 */
extern int	crm_words_entity(const char *at, uint32 *letter);

#endif							/* CRM_CDMS_WORDS_H */
