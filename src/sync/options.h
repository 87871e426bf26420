/*
 * sync/options.h
 *	  What each option is called, where it may stand and how its text is read.
 */
#ifndef CRM_OPTIONS_H
#define CRM_OPTIONS_H

#include "postgres.h"
#include "nodes/pg_list.h"

/*
 * Checks a list of DefElem given to the object of this catalog.  ERROR HV00D
 * with a HINT for a misspelt name, HV024 for a value that can't be read, 42501
 * where a superuser is needed, 0A000 for what this version lacks.
 */
extern void crm_options_validate(List *options, Oid catalog);

/* The option's text, or NULL. */
extern char *crm_option(List *options, const char *name);

/* Its words, which are separated by blanks; palloc'd char *. */
extern List *crm_option_words(List *options, const char *name);

/* The same, read; absent: the default of the contract. */
extern bool crm_option_bool(List *options, const char *name, bool missing);
extern int	crm_option_ms(List *options, const char *name, int missing);
extern int	crm_option_int(List *options, const char *name, int missing);
extern int64 crm_option_bytes(List *options, const char *name, int64 missing);

#endif							/* CRM_OPTIONS_H */
