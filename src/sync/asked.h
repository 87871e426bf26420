/*
 * sync/asked.h
 *	  What this session has asked CDMS, on whose behalf, and how it went.
 */
#ifndef CRM_ASKED_H
#define CRM_ASKED_H

#include "postgres.h"
#include "utils/timestamp.h"

#include "cdms/cdms.h"
#include "sync/overlay.h"
#include "sync/table.h"

/*
 * Has this question been asked for the statement (its memory context), under
 * REPEATABLE READ and above in the transaction?  If not, it is now.
 */
extern bool crm_asked_before(MemoryContext statement, Oid table, const char *text);

/* The overlay that all scans of a table share in a statement, or transaction. */
extern CrmOverlay *crm_asked_overlay(CrmTable *table, MemoryContext statement);

/* These objects were got just now. */
extern void crm_asked_note(CrmTable *table, const CrmObject *objects, int n, TimestampTz now);

/* This one was, but the store has something else. */
extern void crm_asked_not_stored(Oid store, const pg_uuid_t *key);

/* Does the transaction see another version than the store's, under REPEATABLE READ and above? */
extern bool crm_asked_is_overlaid(Oid store, const pg_uuid_t *key);

/* Was this object got from CDMS within the last second? */
extern bool crm_asked_recently(Oid store, const pg_uuid_t *key);

/*
 * Where answers must repeat, an object got before stays as it was (contract,
 * read rule 7): the others are moved to the front.  Result: how many they are.
 */
extern int	crm_asked_drop_repeated(CrmTable *table, CrmObject *objects, int n);

/* How a pull ended; crm_asked_failed is called in PG_CATCH. */
extern void crm_asked_succeeded(Oid table);
extern void crm_asked_failed(Oid table, MemoryContext memory);

/*
 * For crm_sync.status: when this session last asked successfully (0: never), and
 * the error since ("": none).
 */
extern TimestampTz crm_asked_last(Oid foreign_table, const char **error);

extern void crm_asked_at_end(void);
extern void crm_asked_at_subabort(SubTransactionId aborted);

#endif							/* CRM_ASKED_H */
