/*
 * fdw/scan.c
 *	  Scanning and explaining.
 *
 * A synchronised table is asked for when the scan begins, before any node of the
 * plan runs: nothing has been written by the statement yet, and it is not in
 * parallel mode.  Then the statement gets one snapshot that shows what was
 * stored, and the scan reads the store.
 *
 * A pass-through table is asked for page by page as rows are wanted; they are
 * kept for rescans.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "fdw/condition.h"
#include "fdw/fdw.h"
#include "fdw/question.h"
#include "fdw/source.h"
#include "fdw/store_exec.h"
#include "sync/asked.h"
#include "sync/connection.h"
#include "sync/pull.h"
#include "sync/push.h"
#include "sync/statement.h"
#include "sync/store.h"

typedef struct CrmScanState
{
	CrmTable   *table;
	CrmConnection *conn;
	CrmAsk		ask;
	CrmAsked	asked;
	List	   *attnums;

	/* synchronised */
	bool		has_snapshot;	/* a share in the statement's */
	CrmStatement *statement;
	CrmScan    *scan;
	bool		started;
	List	   *params;			/* ExprStates */
	Datum	   *values;
	bool	   *nulls;

	/* pass-through */
	CrmCursor  *cursor;
	bool		exhausted;
	Tuplestorestate *rows;
	TupleTableSlot *row;		/* the one returned last */
	int64		stored;
	int64		returned;
	MemoryContext page;
} CrmScanState;

/* ------------------------------------------- one snapshot a statement */

typedef struct StatementSnapshot
{
	EState	   *estate;
	Snapshot	snapshot;		/* the latest */
	List	   *snapshots;		/* all: a bitmap scan may have taken any for its
								 * own when it was initialised */
	int			users;			/* scans */
} StatementSnapshot;

static List *statement_snapshots = NIL;

static void
forget_statement_snapshot(void *arg)
{
	statement_snapshots = list_delete_ptr(statement_snapshots, arg);
}

static StatementSnapshot *
statement_snapshot(EState *estate)
{
	StatementSnapshot *statement;
	MemoryContextCallback *callback;
	MemoryContext before;
	ListCell   *lc;

	foreach(lc, statement_snapshots)
		if (((StatementSnapshot *) lfirst(lc))->estate == estate)
			return lfirst(lc);

	before = MemoryContextSwitchTo(estate->es_query_cxt);
	statement = palloc0_object(StatementSnapshot);
	statement->estate = estate;
	callback = palloc_object(MemoryContextCallback);
	callback->func = forget_statement_snapshot;
	callback->arg = statement;
	MemoryContextSwitchTo(TopMemoryContext);
	statement_snapshots = lappend(statement_snapshots, statement);
	MemoryContextSwitchTo(before);
	MemoryContextRegisterResetCallback(estate->es_query_cxt, callback);
	return statement;
}

/*
 * Another table was asked: the statement's snapshot becomes one taken now, with
 * all that this command stored so far.  Plain tables are read under it, too,
 * unless the plan has parallel workers, who were given the old one.  What the
 * statement will write itself must stay invisible to it, hence the command
 * counter.
 */
static void
renew_snapshot(StatementSnapshot *statement)
{
	EState	   *estate = statement->estate;
	PlannedStmt *plan = estate->es_plannedstmt;
	MemoryContext before = MemoryContextSwitchTo(estate->es_query_cxt);

	if (plan->commandType != CMD_SELECT || plan->hasModifyingCTE || plan->rowMarks != NIL)
		estate->es_output_cid = GetCurrentCommandId(true);

	/* Only an active snapshot is sure to be a copy that the next command leaves alone. */
	PushActiveSnapshot(GetTransactionSnapshot());
	statement->snapshot = RegisterSnapshot(GetActiveSnapshot());
	PopActiveSnapshot();
	statement->snapshots = lappend(statement->snapshots, statement->snapshot);
	MemoryContextSwitchTo(before);
	if (!plan->parallelModeNeeded)
	{
		UnregisterSnapshot(estate->es_snapshot);
		estate->es_snapshot = RegisterSnapshot(statement->snapshot);
	}
}

/* All tables were asked before the statement was started: its snapshot is the one. */
static void
share_snapshot(StatementSnapshot *statement)
{
	if (statement->snapshot)
		return;
	statement->snapshot = RegisterSnapshot(statement->estate->es_snapshot);
	statement->snapshots = list_make1(statement->snapshot);
}

static void
release_snapshots(StatementSnapshot *statement)
{
	ListCell   *lc;

	foreach(lc, statement->snapshots)
		UnregisterSnapshot(lfirst(lc));
	statement->snapshots = NIL;
}

/*
 * The statement that has asked.  A plan that is run again for a row that somebody
 * else has changed (EvalPlanQual) asks nothing: it goes by what the statement got.
 */
static EState *
asking_estate(EState *estate)
{
	while (estate->es_epq_active)
		estate = estate->es_epq_active->parentestate;
	return estate;
}

/* ------------------------------------------------------- synchronised */

static char *
select_sql(CrmTable *table, List *attnums, const CrmRowSource *source, const char *from)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	foreach(lc, attnums)
		appendStringInfo(&sql, "%s%s", foreach_current_index(lc) ? ", " : "",
						 source->column_sql(table,
											crm_table_planned_column(table, lfirst_int(lc))));
	appendStringInfo(&sql, " FROM %s", from);
	return sql.data;
}

/*
 * When the first row is wanted: by then all scans of the statement have asked,
 * and the overlay is complete.
 */
static void
prepare_store_scan(ForeignScanState *node, CrmScanState *state)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	CrmTable   *table = state->table;
	List	   *quals = list_nth(plan->fdw_private, CRM_SCAN_STORE_QUALS);
	const char *lock = strVal(list_nth(plan->fdw_private, CRM_SCAN_LOCK));
	int			nparams = list_length(plan->fdw_exprs);
	Oid		   *types = palloc_array(Oid, nparams + 2);
	const CrmRowSource *source = &crm_store_source;
	char	   *from = psprintf("%s%s", table->store_name, lock);
	ListCell   *lc;

	foreach(lc, plan->fdw_exprs)
		types[foreach_current_index(lc)] = exprType(lfirst(lc));
	state->params = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);
	state->values = palloc0_array(Datum, nparams + 2);
	state->nulls = palloc0_array(bool, nparams + 2);
	if (!crm_overlay_is_empty(state->asked.overlay))
	{
		source = &crm_overlaid_source;
		from = crm_overlay_sql(state->asked.overlay, nparams + 1, types + nparams,
							   state->values + nparams);
		nparams += 2;
	}
	state->statement = crm_statement_prepare(select_sql(table, state->attnums, source, from),
											 nparams, types, table,
											 crm_source_quals(source, table, quals));
}

static void
ask(ForeignScanState *node, CrmScanState *state)
{
	EState	   *estate = node->ss.ps.state;
	List	   *private = ((ForeignScan *) node->ss.ps.plan)->fdw_private;
	StatementSnapshot *statement = statement_snapshot(estate);

	statement->users++;
	state->has_snapshot = true;
	if (crm_already_asked(estate, state->table, &state->asked))
	{
		share_snapshot(statement);
		return;
	}
	state->ask.quals = crm_source_quals(&crm_store_source, state->table,
										crm_bind_params(list_nth(private, CRM_SCAN_ASK_QUALS),
														estate->es_param_list_info));
	state->ask.wait = *strVal(list_nth(private, CRM_SCAN_LOCK)) != '\0';
	state->asked = crm_pull(state->table, &state->ask, estate->es_query_cxt);
	renew_snapshot(statement);
}

static void
evaluate_params(ForeignScanState *node, CrmScanState *state)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	ListCell   *lc;

	foreach(lc, state->params)
	{
		int			i = foreach_current_index(lc);

		state->values[i] = ExecEvalExprSwitchContext(lfirst(lc), econtext, &state->nulls[i]);
	}
}

static void
start_store_scan(ForeignScanState *node, CrmScanState *state)
{
	if (state->scan == NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);

		prepare_store_scan(node, state);
		state->scan = crm_scan_open(state->statement,
									statement_snapshot(asking_estate(node->ss.ps.state))->snapshot);
		MemoryContextSwitchTo(before);
	}
	evaluate_params(node, state);
	crm_scan_rescan(state->scan, state->values, state->nulls);
	state->started = true;
}

/* The store's row, in the shape of the foreign table; nothing is copied. */
static TupleTableSlot *
next_store_row(ForeignScanState *node, CrmScanState *state)
{
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	TupleTableSlot *row;
	ListCell   *lc;

	if (!state->started)
		start_store_scan(node, state);
	row = crm_scan_next(state->scan);
	ExecClearTuple(slot);
	if (row == NULL)
		return slot;

	slot_getallattrs(row);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	foreach(lc, state->attnums)
	{
		int			from = foreach_current_index(lc);
		int			to = lfirst_int(lc) - 1;

		slot->tts_values[to] = row->tts_values[from];
		slot->tts_isnull[to] = row->tts_isnull[from];
	}
	return ExecStoreVirtualTuple(slot);
}

/* ------------------------------------------------------- pass-through */

static CrmQuery
passthrough_query(CrmScanState *state)
{
	CrmQuery	query = {.entity = &state->table->entity};
	ListCell   *lc;

	foreach(lc, state->attnums)
	{
		CrmColumn  *column = crm_table_planned_column(state->table, lfirst_int(lc));

		if (column->field >= 0)
			query.fields = bms_add_member(query.fields, column->field);
	}
	if (query.fields == NULL)
		query.fields = bms_make_singleton(state->table->entity.key);
	if (state->ask.by_key)
		query.filter = crm_condition_keys(query.entity, state->ask.keys,
										  state->conn->protocol->keys_per_query(state->conn,
																				query.entity,
																				state->ask.nkeys));
	else
		crm_pull_filter(state->conn, &query, state->ask.filters);
	return query;
}

/*
 * Keys that one request can't carry: then all is asked for that the other
 * conditions let pass.
 */
static void
check_keys_fit(CrmScanState *state)
{
	if (state->ask.by_key && state->ask.nkeys > 0 &&
		state->conn->protocol->keys_per_query(state->conn, &state->table->entity,
											  state->ask.nkeys) < state->ask.nkeys)
		state->ask.by_key = false;
}

static void
begin_passthrough(ForeignScanState *node, CrmScanState *state)
{
	state->rows = tuplestore_begin_heap(false, false, work_mem);
	state->row = MakeSingleTupleTableSlot(node->ss.ss_ScanTupleSlot->tts_tupleDescriptor,
										  &TTSOpsMinimalTuple);
	state->page = AllocSetContextCreate(CurrentMemoryContext, "crm_sync page",
										ALLOCSET_DEFAULT_SIZES);
	state->exhausted = state->ask.by_key && state->ask.nkeys == 0;
	if (!state->exhausted)
	{
		CrmQuery   *query = palloc_object(CrmQuery);

		*query = passthrough_query(state);
		state->cursor = state->conn->protocol->open(state->conn, query);
	}
}

static void
keep_object(ForeignScanState *node, CrmScanState *state, CrmObject *object)
{
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	ListCell   *lc;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	foreach(lc, state->attnums)
	{
		CrmColumn  *column = crm_table_planned_column(state->table, lfirst_int(lc));

		if (column->field < 0)
			continue;
		slot->tts_values[column->attnum - 1] = object->values[column->field];
		slot->tts_isnull[column->attnum - 1] = object->nulls[column->field];
	}
	ExecStoreVirtualTuple(slot);
	tuplestore_puttupleslot(state->rows, slot);
	state->stored++;
}

static void
fetch_page(ForeignScanState *node, CrmScanState *state)
{
	CrmHttpCounters *counters = crm_http_counters(state->conn->http);
	MemoryContext before = MemoryContextSwitchTo(state->page);
	CrmPage    *page;

	state->asked.requests -= counters->get;
	page = state->conn->protocol->fetch(state->cursor);
	state->asked.requests += counters->get;
	state->exhausted = page == NULL;
	for (int i = 0; page && i < page->nobjects; i++)
		keep_object(node, state, &page->objects[i]);
	if (page)
		state->asked.objects += page->nobjects;
	MemoryContextSwitchTo(before);
	MemoryContextReset(state->page);
}

/*
 * The executor asks for rows in a context that it resets after each.  One that comes
 * from disk is the slot's to free when it gets the next: it belongs where the slot does.
 */
static void
get_kept_row(CrmScanState *state)
{
	MemoryContext before = MemoryContextSwitchTo(state->row->tts_mcxt);

	(void) tuplestore_gettupleslot(state->rows, true, false, state->row);
	MemoryContextSwitchTo(before);
	state->returned++;
}

static TupleTableSlot *
next_passthrough_row(ForeignScanState *node, CrmScanState *state)
{
	if (state->rows == NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);

		begin_passthrough(node, state);
		MemoryContextSwitchTo(before);
	}
	while (state->returned == state->stored && !state->exhausted)
		fetch_page(node, state);
	if (state->returned == state->stored)
		return ExecClearTuple(state->row);
	get_kept_row(state);
	return state->row;
}

/* ---------------------------------------------------------- the scan */

/* A pass-through table is nothing but CDMS, which mode local leaves alone. */
static void
check_mode(CrmTable *table)
{
	if (crm_mode == CRM_MODE_LOCAL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pass-through table %s shows CDMS, which crm_sync.mode local leaves alone",
						table->name),
				 errhint("SET crm_sync.mode TO sync, or give the table a store: "
						 "SELECT crm_sync.create_store('%s').", table->name)));
}

/*
 * While CDMS is asked about one table its owner's code runs, in triggers and domains, and
 * this session's locks don't keep it from altering tables that the statement has still to
 * come to: relations that are open do, until the statement ends.
 */
static void
hold_relations(EState *estate)
{
	ListCell   *lc;

	foreach(lc, estate->es_range_table)
		if (lfirst_node(RangeTblEntry, lc)->rtekind == RTE_RELATION)
			crm_open_in_statement(estate, foreach_current_index(lc) + 1);
}

void
crm_begin_scan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	CrmScanState *state = palloc0_object(CrmScanState);

	if (!(eflags & EXEC_FLAG_EXPLAIN_ONLY))
		hold_relations(node->ss.ps.state);
	node->fdw_state = state;
	state->table = crm_table_get(RelationGetRelid(node->ss.ss_currentRelation));
	crm_table_check(state->table);
	state->attnums = list_nth(plan->fdw_private, CRM_SCAN_ATTNUMS);
	crm_ask_from_quals(state->table, list_nth(plan->fdw_private, CRM_SCAN_ASK_QUALS),
					   node->ss.ps.state->es_param_list_info, &state->ask);
	state->conn = crm_connection_get(state->table->serverid,
									 OidIsValid(state->table->store) ? state->table->owner :
									 crm_scan_user(node));
	if (OidIsValid(state->table->store))
		crm_table_require_store(state->table);
	else
		check_keys_fit(state);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	if (!OidIsValid(state->table->store))
	{
		check_mode(state->table);
		return;
	}
	if (node->ss.ps.state->es_epq_active)
		state->asked.overlay = crm_asked_overlay(state->table,
												asking_estate(node->ss.ps.state)->es_query_cxt);
	else
		ask(node, state);
}

TupleTableSlot *
crm_iterate_scan(ForeignScanState *node)
{
	CrmScanState *state = node->fdw_state;

	return OidIsValid(state->table->store) ? next_store_row(node, state) :
		next_passthrough_row(node, state);
}

void
crm_rescan(ForeignScanState *node)
{
	CrmScanState *state = node->fdw_state;

	state->started = false;
	state->returned = 0;
	if (state->rows)
		tuplestore_rescan(state->rows);
}

void
crm_end_scan(ForeignScanState *node)
{
	CrmScanState *state = node->fdw_state;
	StatementSnapshot *statement;

	if (state == NULL)
		return;
	if (state->scan)
		crm_scan_close(state->scan);
	if (state->rows)
	{
		ExecDropSingleTupleTableSlot(state->row);
		tuplestore_end(state->rows);
	}
	if (state->has_snapshot)
	{
		statement = statement_snapshot(node->ss.ps.state);
		if (--statement->users == 0)
			release_snapshots(statement);
	}
}

static char *
describe(CrmScanState *state)
{
	CrmQuery	query;

	if (OidIsValid(state->table->store))
		return crm_ask_describe(state->table, &state->ask);
	if (state->ask.by_key && state->ask.nkeys == 0)
		return "none (nothing can match)";
	query = passthrough_query(state);
	return state->conn->protocol->describe(state->conn, &query);
}

/* What the store checks; a value of another relation shows as $0. */
static void
explain_store_filter(ForeignScan *plan, ExplainState *es)
{
	List	   *context = set_deparse_context_plan(es->deparse_cxt, (Plan *) plan, NIL);

	if (plan->fdw_recheck_quals != NIL)
		ExplainPropertyText("Store Filter",
							deparse_expression((Node *) make_ands_explicit(plan->fdw_recheck_quals),
											   context, es->verbose || list_length(es->rtable) > 1,
											   false), es);
}

void
crm_explain_scan(ForeignScanState *node, ExplainState *es)
{
	CrmScanState *state = node->fdw_state;

	explain_store_filter((ForeignScan *) node->ss.ps.plan, es);
	ExplainPropertyText("CDMS Request", describe(state), es);
	if (state->statement && es->verbose)
		ExplainPropertyText("Store Query", state->statement->sql, es);
	if (!es->analyze)
		return;
	crm_explain_asked(&state->asked, state->table, es);
}
