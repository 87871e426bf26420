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
#include "access/heapam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "commands/explain.h"
#include "common/jsonapi.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "optimizer/pathnode.h"
#include "parser/parse_node.h"
#include "parser/parsetree.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/tuplesort.h"
#include "utils/varlena.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#include "storage/waiteventset.h"
#endif

#if PG_VERSION_NUM < 150000
#error "crm_sync needs PostgreSQL 15 or later"
#endif

/* Before a declaration; an attribute behind it until 18. */
#ifndef pg_noreturn
#define pg_noreturn __attribute__((noreturn))
#endif

/* 72000: no server throws it itself any more since 17. */
#ifndef ERRCODE_SNAPSHOT_TOO_OLD
#define ERRCODE_SNAPSHOT_TOO_OLD MAKE_SQLSTATE('7', '2', '0', '0', '0')
#endif

/* What a callback of the JSON parser returns, and how; until 16 nothing. */
#if PG_VERSION_NUM >= 160000
typedef JsonParseErrorType CrmJsonResult;
#define CRM_JSON_GO_ON return JSON_SUCCESS
#else
typedef void CrmJsonResult;
#define CRM_JSON_GO_ON return
#endif

/*
 * In the current memory context, with values unescaped; 17 can have it elsewhere.  What
 * callbacks are given is theirs to free: 18 keeps it only where it is told to.
 */
static inline JsonLexContext *
crm_json_lexer(char *text, size_t length, int encoding)
{
#if PG_VERSION_NUM >= 170000
	return makeJsonLexContextCstringLen(NULL, text, length, encoding, true);
#else
	return makeJsonLexContextCstringLen(text, (int) length, encoding, true);
#endif
}

/* Belongs to nobody but who frees it; since 17 a resource owner may have it. */
static inline WaitEventSet *
crm_create_wait_event_set(int nevents)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, nevents);
#else
	return CreateWaitEventSet(TopMemoryContext, nevents);
#endif
}

/* Ownership of a relation is asked for as of any object since 16. */
static inline bool
crm_owns_relation(Oid relid, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relid, role);
#else
	return pg_class_ownercheck(relid, role);
#endif
}

/* So are rights on a server. */
static inline bool
crm_may_use_server(Oid serverid, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, serverid, role, ACL_USAGE) == ACLCHECK_OK;
#else
	return pg_foreign_server_aclcheck(serverid, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

/* "schema.name"; errors can be soft since 16. */
static inline List *
crm_qualified_name(const char *text)
{
#if PG_VERSION_NUM >= 160000
	return stringToQualifiedNameList(text, NULL);
#else
	return stringToQualifiedNameList(text);
#endif
}

/* The next datum, copied; since 16 that is a choice. */
static inline bool
crm_tuplesort_next(Tuplesortstate *sort, Datum *value, bool *isnull)
{
#if PG_VERSION_NUM >= 160000
	return tuplesort_getdatum(sort, true, true, value, isnull, NULL);
#else
	return tuplesort_getdatum(sort, true, value, isnull, NULL);
#endif
}

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

/* Is a transaction_timeout over, that will be an ERROR as soon as interrupts are served? */
static inline bool
crm_transaction_timed_out(void)
{
#if PG_VERSION_NUM >= 170000
	return TransactionTimeoutPending;
#else
	return false;
#endif
}

/*
 * Opens a relation of a statement's range table until the statement ends; 18 would refuse
 * those of partitions that can't have rows for it, but for what is written to.
 */
static inline void
crm_open_in_statement(EState *estate, Index rti)
{
#if PG_VERSION_NUM >= 180000
	(void) ExecGetRangeTableRelation(estate, rti, true);
#else
	(void) ExecGetRangeTableRelation(estate, rti);
#endif
}

/* The last argument of ExecutorRun and its hook, execute_once, which went in 18. */
#if PG_VERSION_NUM >= 180000
#define CRM_ONCE_PARAMETER
#define CRM_ONCE
#else
#define CRM_ONCE_PARAMETER , bool once
#define CRM_ONCE , once
#endif

/* A whole run. */
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

#if PG_VERSION_NUM >= 180000
static inline void
crm_release_nothing(void *arg)
{
}
#endif

/*
 * Overwrites a row, which is in the pinned buffer, with one of the same size.  18
 * wants it locked in a way of its own.
 */
static inline void
crm_update_in_place(Relation rel, HeapTuple row, Buffer buffer, HeapTuple changed)
{
#if PG_VERSION_NUM >= 180000
	while (!heap_inplace_lock(rel, row, buffer, crm_release_nothing, NULL))
		;
	heap_inplace_update_and_unlock(rel, row, changed, buffer);
#else
	heap_inplace_update(rel, changed);
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
