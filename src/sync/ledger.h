/*
 * sync/ledger.h
 *	  crm_sync's own tables: history, and the outbox of what is to be pushed.
 *
 * Written and read with the rights of the extension's owner.
 */
#ifndef CRM_LEDGER_H
#define CRM_LEDGER_H

#include "postgres.h"
#include "access/htup.h"
#include "access/tupdesc.h"
#include "nodes/pg_list.h"
#include "utils/hsearch.h"
#include "utils/snapshot.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* A change of a store's row, as the trigger saw it. */
typedef struct CrmChange
{
	Oid			store;
	const pg_uuid_t *key;
	const char *operation;		/* "insert", "update", "delete" */
	const char *origin;			/* "crm", "cdms" */
	const char *actor;
	Datum		before;			/* jsonb; 0: none */
	Datum		after;
	List	   *pushed;			/* columns (char *) that CDMS is to get */
	bool		push;			/* at this transaction's COMMIT, else pending */
} CrmChange;

/* What is to be pushed for one object, as rows of the outbox in order. */
typedef struct CrmOutboxRow
{
	int64		id;
	Oid			store;
	pg_uuid_t	key;
	char		operation;		/* 'i', 'u', 'd' */
	Jsonb	   *changed;		/* or NULL */
	Jsonb	   *base;
	Oid			role;
	int			attempts;
	int64		history;		/* 0: none */
	bool		pending;		/* written without being sent at once */
} CrmOutboxRow;

/* Writes history only, or history and outbox. */
extern void crm_ledger_record(const CrmChange *change, bool outbox);

/* An outbox row for a store's row that CDMS lacks; pending. */
extern void crm_ledger_record_missing(Oid store, const pg_uuid_t *key, Oid role);

/* A parked row that changes nothing: it tells what became of an object. */
extern void crm_ledger_record_left(Oid store, const pg_uuid_t *key, Oid role, const char *reason);

/*
 * Rows of the outbox (CrmOutboxRow *) in order: what this transaction must push,
 * with all that is pending or parked of the same objects, for who writes an
 * object again may have put right what was wrong; or what is pending of one,
 * locked, less what another session has locked.  What other roles wrote is theirs
 * to send; where they have created what this transaction changes, that goes before it,
 * with what they changed of it.
 */
extern List *crm_ledger_read_own(void);
extern List *crm_ledger_read_creations(void);
extern List *crm_ledger_read_object(Oid store, const pg_uuid_t *key);

/* Is a creation of it pending? */
extern bool crm_ledger_is_waiting(Oid store, const pg_uuid_t *key);

/*
 * Given the last row that a push takes of each of n objects: the rows of these
 * objects, pending or parked, that are another role's or came later.
 */
extern List *crm_ledger_read_others(Oid store, CrmOutboxRow **lasts, int n);

/*
 * Keys (pg_uuid_t *) of a store with a pending insert, oldest first, at most
 * limit.  One may come twice.
 */
extern List *crm_ledger_pending_inserts(Oid store, int limit);

/* Oids of the stores with a pending insert; with anything that waits to be sent. */
extern List *crm_ledger_stores_with_pending(void);
extern List *crm_ledger_stores_waiting(void);

/* Keys of a store with anything pending, in order, at most limit; rows counts the rows. */
extern List *crm_ledger_pending_objects(Oid store, int limit, int64 *rows);

/*
 * What a pull may not touch: of these keys, those with changes not yet pushed.
 * A hash of CrmProtected.
 */
typedef struct CrmProtected
{
	pg_uuid_t	key;			/* hash key */
	bool		deleted;		/* the row is gone here, or all is ours */
	List	   *columns;		/* char * */
} CrmProtected;

extern HTAB *crm_ledger_protected(Oid store, const pg_uuid_t *keys, int n);

/*
 * Those of n keys that another transaction has changed, here, since a snapshot:
 * a hash of keys.
 */
extern HTAB *crm_ledger_changed_since(Oid store, const pg_uuid_t *keys, int n, Snapshot snapshot);

/* Done with: rows (CrmOutboxRow *) leave the outbox. */
extern void crm_ledger_done(List *rows);

/* Tried in vain: rows stay pending, or, refused, are parked, with the reason. */
extern void crm_ledger_failed(List *rows, const char *reason, bool parked);

/* Notes in history what a write overwrote. */
extern void crm_ledger_conflict(int64 history, Datum conflict);

/* A hash of CrmVersion: each object that history knows, as it was at a moment. */
typedef struct CrmVersion
{
	pg_uuid_t	key;			/* hash key */
	Jsonb	   *row;			/* NULL: it did not exist */
} CrmVersion;

extern HTAB *crm_ledger_versions(Oid store, TimestampTz at);

/*
 * Deletes versions that were replaced before a moment; result: how many.  From when
 * on history is whole: false where it always was.
 */
extern int64 crm_ledger_prune(Oid store, TimestampTz until);
extern bool crm_ledger_pruned(Oid store, TimestampTz *until);

/* How far a store has been brought that was loaded whole. */
typedef struct CrmProgress
{
	TimestampTz pulled_through; /* by CDMS's clock */
	TimestampTz asked_at;		/* by ours */
	int64		version;		/* of an entity without ModifiedOn: all up to this
								 * VersionNumber is there; 0: unknown */
	int64		next_version;	/* the highest seen at asked_at */
} CrmProgress;

/* Of a store loaded whole with this mapping; false: it is incomplete. */
extern bool crm_ledger_progress(Oid store, const char *mapping, CrmProgress *progress);

/*
 * Notes that a store is complete through a moment: later than known so far, or
 * whatever was known where it was loaded anew.  Who finds another session at it
 * leaves it to that one.
 */
extern void crm_ledger_set_progress(Oid store, const char *mapping, const CrmProgress *progress,
									bool anew);

/*
 * A load in several transactions: begun, with CDMS's clock and ours of that moment
 * and whether the store was empty; found again, where it was begun with this
 * mapping; ranges of CreatedOn (CrmRange *) that are not there yet, and that are by
 * now.  The store is incomplete until crm_ledger_set_progress.
 */
extern void crm_ledger_begin_load(Oid store, const char *mapping, const CrmProgress *progress,
								  bool was_empty);
extern bool crm_ledger_load(Oid store, const char *mapping, CrmProgress *progress,
							bool *was_empty);
extern List *crm_ledger_load_gaps(Oid store);
extern void crm_ledger_note_loaded(Oid store, List *ranges);

/* Rows of a store that are pending and parked. */
extern void crm_ledger_count(Oid store, int64 *pending, int64 *failed);

/* One row of the outbox: which store it belongs to; InvalidOid: no such row. */
extern Oid	crm_ledger_store_of(int64 id);
extern bool crm_ledger_unpark(int64 id);
extern bool crm_ledger_discard(int64 id);

/* A row as jsonb, whatever the session's output settings. */
extern Datum crm_ledger_row_json(HeapTuple tuple, TupleDesc desc);

#endif							/* CRM_LEDGER_H */
