/*
 * fdw/fdw.h
 *	  The parts of the foreign data wrapper, as the handler puts them together.
 */
#ifndef CRM_FDW_H
#define CRM_FDW_H

#include "postgres.h"
#include "foreign/fdwapi.h"

/* What planning leaves for execution in a ForeignScan's fdw_private. */
enum CrmScanPrivate
{
	/* conditions without run-time values: what CDMS is asked by */
	CRM_SCAN_ASK_QUALS,

	/*
	 * conditions that the store answers, run-time values replaced by external
	 * Params 1 to n, which are the plan's fdw_exprs; NIL for pass-through tables
	 */
	CRM_SCAN_STORE_QUALS,
	/* attribute numbers that are needed */
	CRM_SCAN_ATTNUMS,

	/* lock on the store's rows: " FOR UPDATE", or "" */
	CRM_SCAN_LOCK
};

/* fdw/plan.c */
extern void crm_get_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void crm_get_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern ForeignScan *crm_get_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid,
								 ForeignPath *path, List *tlist, List *clauses, Plan *outer);

/* fdw/scan.c */
extern void crm_begin_scan(ForeignScanState *node, int eflags);
extern TupleTableSlot *crm_iterate_scan(ForeignScanState *node);
extern void crm_rescan(ForeignScanState *node);
extern void crm_end_scan(ForeignScanState *node);
extern void crm_explain_scan(ForeignScanState *node, struct ExplainState *es);

/* fdw/modify.c */
extern void crm_add_update_targets(PlannerInfo *root, Index rtindex,
								   RangeTblEntry *rte, Relation rel);
extern List *crm_plan_modify(PlannerInfo *root, ModifyTable *plan, Index rel, int subplan);
extern void crm_begin_modify(ModifyTableState *mtstate, ResultRelInfo *info,
							 List *fdw_private, int subplan, int eflags);
extern void crm_begin_insert(ModifyTableState *mtstate, ResultRelInfo *info);
extern TupleTableSlot *crm_exec_insert(EState *estate, ResultRelInfo *info,
									   TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern TupleTableSlot *crm_exec_update(EState *estate, ResultRelInfo *info,
									   TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern TupleTableSlot *crm_exec_delete(EState *estate, ResultRelInfo *info,
									   TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern void crm_end_modify(EState *estate, ResultRelInfo *info);
extern void crm_end_insert(EState *estate, ResultRelInfo *info);
extern int	crm_is_updatable(Relation rel);
extern void crm_refuse_truncate(List *rels, DropBehavior behavior, bool restart_seqs);

/* fdw/analyze.c */
extern bool crm_analyze(Relation rel, AcquireSampleRowsFunc *func, BlockNumber *pages);

/* fdw/import.c */
extern List *crm_import(ImportForeignSchemaStmt *stmt, Oid serverid);

#endif							/* CRM_FDW_H */
