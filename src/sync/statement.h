/*
 * sync/statement.h
 *	  SQL that crm_sync runs on stores: checked against the rights of the foreign
 *	  table's owner, while triggers, defaults and operators run as the current
 *	  user, as they do for a view.  (What a pull writes is the owner's act: there
 *	  sync/store.c makes him the current user.)
 */
#ifndef CRM_STATEMENT_H
#define CRM_STATEMENT_H

#include "postgres.h"
#include "executor/executor.h"
#include "nodes/plannodes.h"
#include "utils/snapshot.h"
#include "utils/tuplestore.h"

#include "sync/table.h"

typedef struct CrmStatement
{
	char	   *sql;
	PlannedStmt *plan;
	int			nparams;
	Oid		   *types;
	QueryEnvironment *rows;		/* where it reads crm_rows; NULL: it does not */
	uint64		rollbacks;		/* of subtransactions, before it was planned */
	bool		unfiltered;		/* row security leaves it alone */
} CrmStatement;

/*
 * Plans one statement on the table's store, and on nothing else, with $1 ... of these
 * types.  Names and operators in sql must be schema-qualified.  quals (may be NIL)
 * are further conditions, ANDed: their Vars have varno 1 and the store's attribute
 * numbers.  Row security applies as for the table's owner.  The result lives in the
 * current context and may be run as often as one likes in this subtransaction.
 *
 * ERROR 55006 when table or store are not any more what the description says.
 */
extern CrmStatement *crm_statement_prepare(const char *sql, int nparams, const Oid *types,
										   CrmTable *table, List *quals);

/*
 * The same without conditions of a reader's, and without row security, FORCEd or not: for
 * what is about all rows, whoever asks.
 */
extern CrmStatement *crm_statement_prepare_unfiltered(const char *sql, int nparams,
													  const Oid *types, CrmTable *table);

/*
 * That again, without parameters, for a statement that reads rows of this shape, FROM
 * crm_rows, which are given to it when it is run.
 */
extern CrmStatement *crm_statement_prepare_rows(const char *sql, TupleDesc rows,
												CrmTable *table);

/*
 * Does the plan still have the locks under which it was made?  False where a
 * subtransaction was rolled back since, which may have taken them with it: then the
 * statement may not be run any more, for the store may be another by now.
 */
extern bool crm_statement_is_locked(const CrmStatement *statement);

/* A subtransaction was rolled back. */
extern void crm_statement_at_subabort(void);

/*
 * A GUC nest level in which rows are found by index only.  What is planned while
 * a table is empty would read it from end to end for as long as the plan is kept,
 * and a load fills it meanwhile.  AtEOXact_GUC(true, result) ends it.
 */
extern int	crm_guc_by_index(void);

typedef void (*CrmRowVisitor) (TupleTableSlot *row, void *arg);

/*
 * Runs it to its end under a fresh snapshot, its triggers included, and makes
 * what it did visible.  visit (may be NULL) gets each row returned, in the
 * caller's memory context; the row itself lasts for the call.  Result: rows
 * processed.
 */
extern uint64 crm_statement_run(CrmStatement *statement, Datum *values, bool *nulls,
								CrmRowVisitor visit, void *arg);

extern uint64 crm_statement_run_rows(CrmStatement *statement, Tuplestorestate *rows,
									 CrmRowVisitor visit, void *arg);

/*
 * A SELECT under way, row by row.  The parameters are those of the last rescan,
 * which must come before the first row.
 */
typedef struct CrmScan CrmScan;

extern CrmScan *crm_scan_open(CrmStatement *statement, Snapshot snapshot);
extern void crm_scan_rescan(CrmScan *scan, Datum *values, bool *nulls);

/* NULL at the end; the slot is valid until the next call. */
extern TupleTableSlot *crm_scan_next(CrmScan *scan);
extern void crm_scan_close(CrmScan *scan);

#endif							/* CRM_STATEMENT_H */
