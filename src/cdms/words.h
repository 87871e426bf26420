/*
 * cdms/words.h
 *	  Foreign words made fit for a message.
 */
#ifndef CRM_CDMS_WORDS_H
#define CRM_CDMS_WORDS_H

/*
 * One line of at most limit bytes, palloc'd: in the database's encoding, white
 * space, controls and direction marks collapsed into blanks.
 */
extern char *crm_words_tidy(const char *text, int limit);

#endif							/* CRM_CDMS_WORDS_H */
