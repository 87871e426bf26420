/*
 * compat.h
 *	  The differences between PostgreSQL's major versions that crm_sync meets.
 *
 * They live here and nowhere else: the rest of the code is written for the
 * newest form, and this file supplies it where an older server lacks it.
 */
#ifndef CRM_COMPAT_H
#define CRM_COMPAT_H

#include "postgres.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "optimizer/pathnode.h"
#include "parser/parse_node.h"
#include "parser/parsetree.h"

#if PG_VERSION_NUM < 150000
#error "crm_sync needs PostgreSQL 15 or later"
#endif

/* A function that SQL calls; PG_FUNCTION_INFO_V1 exports it itself since 16. */
#define CRM_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

/*
 * Whose rights the relations of a query and of its subqueries are checked against
 * (a struct of its own since 16).
 */
static inline void
crm_query_check_as(Query *query, Oid role)
{
	ListCell   *lc;

#if PG_VERSION_NUM >= 160000
	foreach(lc, query->rteperminfos)
		lfirst_node(RTEPermissionInfo, lc)->checkAsUser = role;
#endif
	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

#if PG_VERSION_NUM < 160000
		rte->checkAsUser = role;
#endif
		if (rte->subquery)
			crm_query_check_as(rte->subquery, role);
	}
}

/* The relations that a ParseState has collected become a query's. */
static inline void
crm_query_take_relations(Query *query, ParseState *pstate)
{
	query->rtable = pstate->p_rtable;
#if PG_VERSION_NUM >= 160000
	query->rteperminfos = pstate->p_rteperminfos;
#endif
}

/*
 * Puts a subquery in the place of a relation, as the rewriter does with a view's.
 * The relation stays for the rights on it, its lock and invalidation: since 16 in
 * the entry itself, before in one of the subquery that nothing refers to.
 */
static inline void
crm_expand_as_view(RangeTblEntry *rte, Query *subquery)
{
#if PG_VERSION_NUM < 160000
	RangeTblEntry *relation = makeNode(RangeTblEntry);

	*relation = *rte;
	relation->lateral = false;
	relation->inFromCl = false;
	subquery->rtable = lappend(subquery->rtable, relation);
	rte->relid = InvalidOid;
	rte->relkind = 0;
	rte->rellockmode = 0;
	rte->requiredPerms = 0;
	rte->checkAsUser = InvalidOid;
	rte->selectedCols = NULL;
	rte->insertedCols = NULL;
	rte->updatedCols = NULL;
	rte->extraUpdatedCols = NULL;
#endif
	rte->rtekind = RTE_SUBQUERY;
	rte->subquery = subquery;
	rte->inh = false;
}

/* ERROR unless the current user, or whom the plan says, may do what the plan does. */
static inline void
crm_check_permissions(PlannedStmt *plan)
{
#if PG_VERSION_NUM >= 160000
	ExecCheckPermissions(plan->rtable, plan->permInfos, true);
#else
	ExecCheckRTPerms(plan->rtable, true);
#endif
}

/* A whole run; the argument execute_once went in 18. */
static inline void
crm_executor_run(QueryDesc *desc)
{
#if PG_VERSION_NUM >= 180000
	ExecutorRun(desc, ForwardScanDirection, 0);
#else
	ExecutorRun(desc, ForwardScanDirection, 0, true);
#endif
}

/* Index entries of a row just inserted; 16 added onlySummarizing. */
static inline void
crm_insert_index_tuples(ResultRelInfo *info, TupleTableSlot *slot, EState *estate)
{
	if (info->ri_NumIndices == 0)
		return;
#if PG_VERSION_NUM >= 160000
	(void) ExecInsertIndexTuples(info, slot, estate, false, false, NULL, NIL, false);
#else
	(void) ExecInsertIndexTuples(info, slot, estate, false, false, NULL, NIL);
#endif
}

/* 17 added fdw_restrictinfo, 18 disabled_nodes. */
static inline ForeignPath *
crm_create_foreignscan_path(PlannerInfo *root, RelOptInfo *rel, double rows,
							Cost startup, Cost total, Relids outer)
{
#if PG_VERSION_NUM >= 180000
	return create_foreignscan_path(root, rel, NULL, rows, 0, startup, total, NIL, outer,
								   NULL, NIL, NIL);
#elif PG_VERSION_NUM >= 170000
	return create_foreignscan_path(root, rel, NULL, rows, startup, total, NIL, outer,
								   NULL, NIL, NIL);
#else
	return create_foreignscan_path(root, rel, NULL, rows, startup, total, NIL, outer,
								   NULL, NIL);
#endif
}

/* The user whose rights a scan has: a view's owner, or the current user. */
static inline Oid
crm_scan_user(ForeignScanState *node)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
#if PG_VERSION_NUM >= 160000
	Oid			user = plan->checkAsUser;
#else
	Oid			user = exec_rt_fetch(plan->scan.scanrelid, node->ss.ps.state)->checkAsUser;
#endif

	return OidIsValid(user) ? user : GetUserId();
}

#endif							/* CRM_COMPAT_H */
