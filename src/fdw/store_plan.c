/*
 * fdw/store_plan.c
 *	  A query over synchronised tables is planned over their stores: joins,
 *	  aggregates, sorting and limits, parallel plans, all that PostgreSQL can do
 *	  with tables.
 *
 * The query is planned twice.  The plan with foreign scans, the general plan, tells
 * what CDMS is to be asked, and is run where the stores are not the answer (where
 * something is overlaid).  For the other each synchronised table is expanded into a
 * subquery over its store, as the rewriter expands a view: read with the rights of
 * the foreign table's owner, while the foreign table stays in the range table for
 * the rights on it, its lock, and to have the plan made anew when it is altered.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/planner.h"
#include "parser/parse_coerce.h"
#include "parser/parse_relation.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "fdw/question.h"
#include "fdw/store_exec.h"
#include "fdw/store_plan.h"
#include "sync/store.h"
#include "sync/table.h"

bool		crm_store_plans = true;

static planner_hook_type next_planner = NULL;

/* ----------------------------------------------- can it be done at all */

/*
 * The plan is for whoever runs it, so what converts a column's values must be
 * PostgreSQL's own.
 */
static bool
is_own_conversion(Oid from, Oid to)
{
	Oid			function = InvalidOid;

	return from == to ||
		(from < FirstNormalObjectId && to < FirstNormalObjectId &&
		 find_coercion_pathway(to, from, COERCION_EXPLICIT, &function) != COERCION_PATH_NONE &&
		 function < FirstNormalObjectId);
}

/* Can all of the table's columns be had from the store? */
static bool
has_all_columns(CrmTable *table)
{
	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		if (column->store_attnum == InvalidAttrNumber ||
			!is_own_conversion(get_atttype(table->store, column->store_attnum), column->type))
			return false;
	}
	return true;
}

/*
 * Row security that holds for the owner would have to be planned for, and its
 * settings may change between planning and execution.
 */
static bool
is_plain_store(CrmTable *table)
{
	Relation	store = relation_open(table->store, AccessShareLock);
	bool		plain = (store->rd_rel->relkind == RELKIND_RELATION ||
						 store->rd_rel->relkind == RELKIND_PARTITIONED_TABLE) &&
		!(store->rd_rel->relrowsecurity && store->rd_rel->relforcerowsecurity);

	relation_close(store, NoLock);
	return plain;
}

static bool
can_be_replaced(RangeTblEntry *rte, CrmTable *table)
{
	return table->captured && rte->securityQuals == NIL && rte->tablesample == NULL &&
		!(rte->inh && has_subclass(rte->relid)) &&
		is_plain_store(table) && has_all_columns(table);
}

typedef struct Survey
{
	List	   *tables;			/* Oid: those that are synchronised */
	bool		possible;
} Survey;

static void
survey_tables(Query *query, Survey *survey)
{
	ListCell   *lc;

	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst(lc);
		CrmTable   *table;

		if (rte->rtekind != RTE_RELATION || rte->relkind != RELKIND_FOREIGN_TABLE ||
			foreach_current_index(lc) + 1 == query->resultRelation)
			continue;
		table = crm_table_synchronised(rte->relid);
		if (table == NULL)
			continue;
		survey->tables = list_append_unique_oid(survey->tables, rte->relid);
		if (!can_be_replaced(rte, table))
			survey->possible = false;
	}
}

/* Columns of the system's, rows to be locked: those are the foreign table's own. */
static bool
survey_node(Node *node, void *context)
{
	Survey	   *survey = context;

	if (node == NULL)
		return false;
	if (IsA(node, Var) && ((Var *) node)->varattno < 0)
		survey->possible = false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, survey_node, context);

	if (((Query *) node)->rowMarks != NIL || ((Query *) node)->hasModifyingCTE)
		survey->possible = false;
	else
		survey_tables((Query *) node, survey);
	return !survey->possible || query_tree_walker((Query *) node, survey_node, context, 0);
}

/* The tables of a query that can be planned over their stores; else NIL. */
static List *
tables_with_stores(Query *query)
{
	Survey		survey = {NIL, true};

	if (!crm_store_plans ||
		(query->commandType != CMD_SELECT && query->commandType != CMD_INSERT))
		return NIL;
	survey_node((Node *) query, &survey);
	return survey.possible ? survey.tables : NIL;
}

/* --------------------------------------------- nothing alters them meanwhile */

/* queries: around the node, the innermost first. */
static bool
check_column(Node *node, void *queries)
{
	Var		   *var = (Var *) node;
	RangeTblEntry *rte;
	CrmTable   *table;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, check_column, lcons(node, list_copy(queries)), 0);
	if (!IsA(node, Var))
		return expression_tree_walker(node, check_column, queries);

	rte = rt_fetch(var->varno, ((Query *) list_nth(queries, var->varlevelsup))->rtable);
	table = rte->rtekind == RTE_RELATION && var->varattno > 0 ?
		crm_table_synchronised(rte->relid) : NULL;
	if (table)
		(void) crm_table_var_column(table, var);
	return false;
}

/*
 * Planning runs functions, which may be the tables' owners'.  Tables that are open can't
 * be altered by them; and what was altered as another query was planned, which was
 * analysed together with this one, shows in the types that this one has columns of.
 */
static List *
hold_tables(Query *query, List *relids)
{
	List	   *held = NIL;
	ListCell   *lc;

	foreach(lc, relids)
		held = lappend(held, table_open(lfirst_oid(lc), NoLock));
	(void) check_column((Node *) query, NIL);
	return held;
}

void
crm_let_go(List *relations)
{
	ListCell   *lc;

	foreach(lc, relations)
		table_close(lfirst(lc), NoLock);
	list_free(relations);
}

/* ------------------------------------------- the store in its place */

/* A column of the foreign table, of its type and collation, from the store. */
static Node *
column_of_store(CrmTable *table, const CrmColumn *column)
{
	Node	   *expr = crm_store_column_expr(table, column);

	if (exprCollation(expr) != column->collation)
		expr = (Node *) makeRelabelType((Expr *) expr, column->type, column->typmod,
										column->collation, COERCE_IMPLICIT_CAST);
	return expr;
}

/* Columns by their number in the foreign table; NULL in place of those dropped. */
static List *
columns_of_store(CrmTable *table)
{
	Relation	rel = relation_open(table->relid, NoLock);
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *result = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		CrmColumn  *column = crm_table_column(table, i + 1);
		Node	   *expr = column ? column_of_store(table, column) :
			(Node *) makeNullConst(INT4OID, -1, InvalidOid);

		result = lappend(result, makeTargetEntry((Expr *) expr, i + 1,
												 pstrdup(NameStr(TupleDescAttr(desc, i)->attname)),
												 false));
	}
	relation_close(rel, NoLock);
	return result;
}

/* SELECT its columns FROM the store, with the rights of the owner. */
static Query *
select_from_store(CrmTable *table, const char *alias)
{
	ParseState *pstate = make_parsestate(NULL);
	Relation	store = table_open(table->store, AccessShareLock);
	Query	   *query = makeNode(Query);
	RangeTblRef *ref = makeNode(RangeTblRef);

	(void) addRangeTableEntryForRelation(pstate, store, AccessShareLock,
										 makeAlias(alias, NIL), true, true);
	table_close(store, NoLock);
	ref->rtindex = 1;
	query->commandType = CMD_SELECT;
	query->canSetTag = true;
	query->jointree = makeFromExpr(list_make1(ref), NULL);
	query->targetList = columns_of_store(table);
	crm_query_take_relations(query, pstate);
	crm_query_check_as(query, table->owner);
	free_parsestate(pstate);
	return query;
}

/* Inner queries first, for what is put in place needs no more looking at. */
static bool
replace_tables(Node *node, void *context)
{
	Query	   *query = (Query *) node;
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, replace_tables, context);

	query_tree_walker(query, replace_tables, context, 0);
	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst(lc);
		CrmTable   *table;

		if (rte->rtekind != RTE_RELATION || rte->relkind != RELKIND_FOREIGN_TABLE ||
			foreach_current_index(lc) + 1 == query->resultRelation)
			continue;
		table = crm_table_synchronised(rte->relid);
		if (table)
			crm_expand_as_view(rte, select_from_store(table, rte->eref->aliasname));
	}
	return false;
}

/* ------------------------------------------------------------ the node */

CustomScan *
crm_store_plan(PlannedStmt *plan)
{
	return plan->planTree && IsA(plan->planTree, CustomScan) &&
		((CustomScan *) plan->planTree)->methods == &crm_store_scan_methods ?
		(CustomScan *) plan->planTree : NULL;
}

/* The columns of the plan below, as the node's own or as what they are made from. */
static List *
columns_of_plan(Plan *plan, int varno)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, plan->targetlist)
	{
		TargetEntry *entry = flatCopyTargetEntry(lfirst_node(TargetEntry, lc));

		entry->expr = (Expr *) makeVarFromTargetEntry(varno, entry);
		result = lappend(result, entry);
	}
	return result;
}

static Plan *
make_node(Plan *below, List *private, bool scroll)
{
	CustomScan *node = makeNode(CustomScan);
	Plan	   *plan = &node->scan.plan;

	plan->startup_cost = below->startup_cost;
	plan->total_cost = below->total_cost;
	plan->plan_rows = below->plan_rows;
	plan->plan_width = below->plan_width;
	plan->extParam = bms_copy(below->extParam);
	plan->allParam = bms_copy(below->allParam);
	plan->targetlist = columns_of_plan(below, INDEX_VAR);
	plan->lefttree = below;
	node->custom_scan_tlist = columns_of_plan(below, OUTER_VAR);
	node->custom_private = private;
	node->flags = scroll ? CUSTOMPATH_SUPPORT_BACKWARD_SCAN : 0;
	node->methods = &crm_store_scan_methods;
	return plan;
}

/* What makes one of the plans invalid makes the other. */
static PlannedStmt *
put_together(PlannedStmt *stores, PlannedStmt *general, List *questions, int options)
{
	stores->planTree = make_node(stores->planTree, list_make2(questions, general),
								 options & CURSOR_OPT_SCROLL);
	stores->relationOids = list_concat_unique_oid(stores->relationOids, general->relationOids);
	stores->invalItems = list_concat(stores->invalItems, general->invalItems);
	stores->transientPlan |= general->transientPlan;
	stores->dependsOnRole |= general->dependsOnRole;
	return stores;
}

static PlannedStmt *
plan_next(Query *query, const char *string, int options, ParamListInfo params)
{
	return next_planner ? next_planner(query, string, options, params) :
		standard_planner(query, string, options, params);
}

static PlannedStmt *
plan_twice(Query *query, const char *string, int options, ParamListInfo params)
{
	Query	   *over_stores = copyObject(query);
	PlannedStmt *general = plan_next(query, string, options, params);
	List	   *questions = crm_questions_of_plan(general);
	PlannedStmt *stores;

	if (questions == NIL)
		return general;			/* it was found that there is nothing to scan */
	replace_tables((Node *) over_stores, NULL);
	stores = plan_next(over_stores, string, options, params);

	/* A function in SQL may have been put in the query's place only by now. */
	if (crm_questions_of_plan(stores) != NIL)
		return general;
	return put_together(stores, general, questions, options);
}

static PlannedStmt *
plan(Query *query, const char *string, int options, ParamListInfo params)
{
	List	   *tables = tables_with_stores(query);
	List	   *held;
	PlannedStmt *result;

	if (tables == NIL)
		return plan_next(query, string, options, params);

	held = hold_tables(query, tables);
	result = plan_twice(query, string, options, params);
	crm_let_go(held);
	return result;
}

void
crm_store_plan_init(void)
{
	next_planner = planner_hook;
	planner_hook = plan;
}
