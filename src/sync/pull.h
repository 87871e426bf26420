/*
 * sync/pull.h
 *	  The read rule: ask CDMS, write what changed there to the store, then let
 *	  the statement read the store.
 */
#ifndef CRM_PULL_H
#define CRM_PULL_H

#include "postgres.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"

#include "cdms/cdms.h"
#include "sync/ledger.h"
#include "sync/load.h"
#include "sync/overlay.h"
#include "sync/table.h"

/* What a statement wants to know of a table. */
typedef struct CrmAsk
{
	bool		by_key;			/* only the objects of these keys */
	int			nkeys;
	pg_uuid_t  *keys;
	List	   *filters;		/* else: CrmCondition *, ANDed; they may let pass
								 * too much, never too little */
	List	   *quals;			/* conditions that rows of the store must meet to
								 * matter: Exprs over the store, no Params */
	bool		wait;			/* for other sessions' locks: a writer asks */
} CrmAsk;

/* Where an answer is from. */
typedef enum CrmAnswer
{
	CRM_ANSWER_LOCAL,			/* CDMS has no part in it */
	CRM_ANSWER_ASKED,			/* CDMS, now */
	CRM_ANSWER_REPEATED,		/* this statement, or transaction, had asked it
								 * before */
	CRM_ANSWER_UNREACHED,		/* the store alone: on_unavailable is local */
	CRM_ANSWER_SESSION,			/* this session had, within max_age */
	CRM_ANSWER_CLUSTER			/* some session had, within max_age */
} CrmAnswer;

/* What asking took, for EXPLAIN. */
typedef struct CrmAsked
{
	int64		requests;
	int64		objects;		/* received */
	int64		written;		/* to the store */
	CrmAnswer	answer;
	CrmOverlay *overlay;		/* what could not be stored; complete when all
								 * scans of the statement have begun */
} CrmAsked;

/*
 * Brings the store up to date with what is asked.  statement: the context of
 * the statement on whose behalf; the same question is asked once in it (in
 * REPEATABLE READ and SERIALIZABLE: once in the transaction).  Nothing is asked
 * in crm_sync.mode local, nor what was asked within max_age.
 *
 * What it wrote is visible to snapshots taken afterwards; so is what another
 * session has that asked within max_age.
 */
extern CrmAsked crm_pull(CrmTable *table, const CrmAsk *ask, MemoryContext statement);

/*
 * The same for all that CDMS has, whatever was asked before in the statement:
 * crm_sync.pull().  Result: objects written.
 */
extern int64 crm_pull_all(CrmTable *table);

/* For EXPLAIN ANALYZE: "asked", "within max_age (session)" ... */
extern const char *crm_answer_name(CrmAnswer answer);

/*
 * For a load in several transactions.  Takes pages to the store until a moment, then
 * those under way; false: there are no more.  *began gets CDMS's clock and ours at
 * the first answer, unless it has them.
 */
extern bool crm_pull_loaded(CrmTable *table, CrmLoad *load, TimestampTz until,
							CrmProgress *began);

/* Asks for all keys: rows that CDMS lacks are treated as on_missing says. */
extern void crm_pull_unseen_by_all(CrmTable *table);
extern bool crm_pull_store_is_empty(CrmTable *table);

/*
 * What "complete" is said of, as a hash: an entity with these properties, at this
 * place, as this user sees it.
 */
extern char *crm_pull_mapping(CrmTable *table);

/* Was the table loaded whole, and through when by CDMS's clock? */
extern bool crm_pull_is_complete(CrmTable *table, TimestampTz *pulled_through);

/* What would be sent first, for EXPLAIN: "GET AccountSet?$filter=..." */
extern char *crm_pull_describe(CrmConnection *conn, CrmTable *table, const CrmAsk *ask);

/* A filter for a query on this table: as much of the conditions as a URL carries. */
extern CrmCondition *crm_pull_filter(CrmConnection *conn, CrmQuery *query, List *filters);

/*
 * The objects of n keys, asked in as few requests as they fit; visit gets those
 * that CDMS has, page by page.
 */
typedef void (*CrmObjectsVisitor) (CrmObject *objects, int n, void *arg);
extern void crm_pull_by_keys(CrmConnection *conn, CrmTable *table, const pg_uuid_t *keys, int n,
							 CrmObjectsVisitor visit, void *arg);

/* Setting crm_sync.pushdown: are conditions sent to CDMS at all? */
extern bool crm_pushdown;

#endif							/* CRM_PULL_H */
