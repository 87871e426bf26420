/*
 * fdw/plan.c
 *	  Planning: which conditions go where, and what a scan costs.
 *
 * Of a synchronised table every condition that can be checked anywhere is
 * checked by the store, with its indexes; CDMS is asked by those of them that
 * are known when the statement starts.  Of a pass-through table all conditions
 * are checked by the executor.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/sysattr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/prep.h"
#include "optimizer/restrictinfo.h"
#include "utils/rel.h"

#include "compat.h"
#include "fdw/fdw.h"
#include "sync/table.h"

#define UNKNOWN_ROWS 1000		/* in an entity never loaded or analysed */
#define REQUEST_COST 100.0		/* of asking CDMS, in the planner's units */

/* Rows and pages of the store, as its own statistics have them. */
static void
store_size(CrmTable *table, double *rows, BlockNumber *pages)
{
	Relation	store = relation_open(table->store, AccessShareLock);

	if (store->rd_rel->reltuples >= 0)
		*rows = store->rd_rel->reltuples;
	*pages = store->rd_rel->relpages;
	relation_close(store, AccessShareLock);
}

void
crm_get_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	CrmTable   *table = crm_table_get(relid);
	double		rows = rel->tuples > 0 ? rel->tuples : UNKNOWN_ROWS;

	crm_table_check(table);
	rel->fdw_private = table;
	if (OidIsValid(table->store))
		store_size(table, &rows, &rel->pages);
	rel->tuples = rows;
	set_baserel_size_estimates(root, rel);
}

static ForeignPath *
make_path(PlannerInfo *root, RelOptInfo *rel, ParamPathInfo *param)
{
	double		rows = param ? param->ppi_rows : rel->rows;
	double		scanned = param ? rows : rel->tuples;
	Cost		run = cpu_tuple_cost * scanned + rel->baserestrictcost.per_tuple * scanned;
	Cost		startup = param ? 0 : REQUEST_COST; /* asked once, however often rescanned */

	if (param)
		run += random_page_cost;	/* the store's index is descended */
	else
		run += seq_page_cost * rel->pages;
	return crm_create_foreignscan_path(root, rel, rows, startup, startup + run,
									   param ? param->ppi_req_outer : rel->lateral_relids);
}

/* Is this member of an equivalence class the column looked for? */
static bool
is_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *em,
		  void *arg)
{
	Node	   *node = (Node *) em->em_expr;

	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return IsA(node, Var) && ((Var *) node)->varno == rel->relid &&
		((Var *) node)->varattno == *(AttrNumber *) arg;
}

/* Join clauses that could be checked with values of other relations. */
static List *
movable_clauses(PlannerInfo *root, RelOptInfo *rel)
{
	CrmTable   *table = rel->fdw_private;
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, rel->joininfo)
		if (join_clause_is_movable_to(lfirst_node(RestrictInfo, lc), rel))
			result = lappend(result, lfirst(lc));
	for (int i = 0; rel->has_eclass_joins && i < table->ncolumns; i++)
		result = list_concat(result,
							 generate_implied_equalities_for_column(root, rel, is_column,
																	&table->columns[i].attnum,
																	rel->lateral_referencers));
	return result;
}

/* list_member for sets, which are no nodes before PostgreSQL 16. */
static bool
has_relids(List *sets, Relids relids)
{
	ListCell   *lc;

	foreach(lc, sets)
		if (bms_equal(lfirst(lc), relids))
			return true;
	return false;
}

/* Scans of the store by values of an outer row: nested loops over its indexes. */
static void
add_parameterized_paths(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *done = NIL;
	ListCell   *lc;

	foreach(lc, movable_clauses(root, rel))
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, lc);
		Relids		outer = bms_union(clause->clause_relids, rel->lateral_relids);

		outer = bms_del_member(outer, rel->relid);
		if (bms_is_empty(outer) || has_relids(done, outer))
			continue;
		done = lappend(done, outer);
		add_path(rel, (Path *) make_path(root, rel,
										 get_baserel_parampathinfo(root, rel, outer)));
	}
}

void
crm_get_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	CrmTable   *table = rel->fdw_private;

	add_path(rel, (Path *) make_path(root, rel, NULL));
	if (OidIsValid(table->store))
		add_parameterized_paths(root, rel);
}

/* Is there something in it that only this scan's executor can tell? */
static bool
is_local_only(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return ((Var *) node)->varno == *(Index *) context && ((Var *) node)->varattno <= 0;
	return IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) || IsA(node, CurrentOfExpr) ||
		expression_tree_walker(node, is_local_only, context);
}

static bool
store_can_check(RelOptInfo *rel, RestrictInfo *info)
{
	return restriction_is_securely_promotable(info, rel) &&
		!contain_volatile_functions((Node *) info->clause) &&
		!is_local_only((Node *) info->clause, &rel->relid);
}

/* A value that differs from one scan to the next. */
static bool
is_runtime_value(Node *node, Index relid)
{
	return (IsA(node, Var) && ((Var *) node)->varno != relid) ||
		IsA(node, PlaceHolderVar) ||
		(IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC);
}

static bool
has_runtime_value(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return is_runtime_value(node, *(Index *) context) ||
		expression_tree_walker(node, has_runtime_value, context);
}

typedef struct Parameters
{
	Index		relid;
	List	   *values;			/* of expressions: fdw_exprs */
} Parameters;

/* Puts $n in place of everything that is not a column of the table. */
static Node *
parameterize(Node *node, void *context)
{
	Parameters *parameters = context;
	Param	   *param;
	int			position;

	if (node == NULL)
		return NULL;
	if (!IsA(node, Param) && !is_runtime_value(node, parameters->relid))
		return expression_tree_mutator(node, parameterize, context);

	if (!list_member(parameters->values, node))
		parameters->values = lappend(parameters->values, node);
	for (position = 0; !equal(list_nth(parameters->values, position), node);)
		position++;
	param = makeNode(Param);
	param->paramkind = PARAM_EXTERN;
	param->paramid = position + 1;
	param->paramtype = exprType(node);
	param->paramtypmod = exprTypmod(node);
	param->paramcollid = exprCollation(node);
	param->location = -1;
	return (Node *) param;
}

/* Attribute numbers of the table's columns that output and conditions need. */
static List *
needed_attnums(RelOptInfo *rel, List *clauses)
{
	CrmTable   *table = rel->fdw_private;
	Bitmapset  *used = NULL;
	List	   *result = NIL;
	bool		all;
	ListCell   *lc;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &used);
	foreach(lc, clauses)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &used);
	all = bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, used);
	for (int i = 0; i < table->ncolumns; i++)
		if (all || bms_is_member(table->columns[i].attnum - FirstLowInvalidHeapAttributeNumber,
								 used))
			result = lappend_int(result, table->columns[i].attnum);
	return result;
}

/*
 * The lock that the store's rows need: whoever changes a row must start from its
 * latest version.
 */
static const char *
row_lock(PlannerInfo *root, RelOptInfo *rel)
{
	static const char *const locks[] = {
		[LCS_NONE] = "",
		[LCS_FORKEYSHARE] = " FOR KEY SHARE",
		[LCS_FORSHARE] = " FOR SHARE",
		[LCS_FORNOKEYUPDATE] = " FOR NO KEY UPDATE",
		[LCS_FORUPDATE] = " FOR UPDATE",
	};
	static const char *const policies[] = {
		[LockWaitBlock] = "",
		[LockWaitSkip] = " SKIP LOCKED",
		[LockWaitError] = " NOWAIT",
	};
	PlanRowMark *mark = get_plan_rowmark(root->rowMarks, rel->relid);

	if (bms_is_member(rel->relid, root->all_result_relids))
		return locks[root->parse->commandType == CMD_DELETE ? LCS_FORUPDATE : LCS_FORNOKEYUPDATE];
	if (mark == NULL || mark->strength == LCS_NONE)
		return "";
	return psprintf("%s%s", locks[mark->strength], policies[mark->waitPolicy]);
}

ForeignScan *
crm_get_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path, List *tlist,
			 List *clauses, Plan *outer)
{
	CrmTable   *table = rel->fdw_private;
	Parameters	parameters = {rel->relid, NIL};
	List	   *ask = NIL;
	List	   *store = NIL;
	List	   *local = NIL;
	List	   *recheck = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);
		bool		promotable = store_can_check(rel, info);

		if (info->pseudoconstant)
			continue;
		if (promotable && !has_runtime_value((Node *) info->clause, &rel->relid))
			ask = lappend(ask, copyObject(info->clause));
		if (promotable && OidIsValid(table->store))
		{
			store = lappend(store, parameterize((Node *) copyObject(info->clause), &parameters));
			recheck = lappend(recheck, info->clause);
		}
		else
			local = lappend(local, info->clause);
	}
	return make_foreignscan(tlist, local, rel->relid, parameters.values,
							list_make4(ask, store, needed_attnums(rel, clauses),
									   makeString(pstrdup(row_lock(root, rel)))),
							NIL, recheck, outer);
}
