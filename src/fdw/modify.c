/*
 * fdw/modify.c
 *	  INSERT, UPDATE, DELETE and COPY: each row is written to the store, whose
 *	  trigger does the rest.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "nodes/makefuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "compat.h"
#include "rights.h"
#include "fdw/fdw.h"
#include "sync/statement.h"
#include "sync/store.h"
#include "sync/table.h"


typedef struct ModifyState
{
	CrmTable   *table;
	CrmStatement *statement;
	List	   *columns;		/* CrmColumn *: parameters $1 to $n */
	List	   *unnamed;		/* INSERT: those without a value of its own */
	AttrNumber	key_junk;		/* UPDATE, DELETE: of the plan's row; the key
								 * is the last parameter */
	HTAB	   *written;		/* keys: a join may give a row twice, which is
								 * written once, as of any table */
	MemoryContext memory;		/* reset for each row */
	TupleTableSlot *result;		/* to put the store's row in */
} ModifyState;

/* ------------------------------------------------------------ planning */

/* Of the junk column with a row's key; partitions may have it in different places. */
static char *
key_junk_name(CrmTable *table)
{
	return psprintf("crm_key_%d", table->key->attnum);
}

void
crm_add_update_targets(PlannerInfo *root, Index rtindex, RangeTblEntry *rte, Relation rel)
{
	CrmTable   *table = crm_table_get(RelationGetRelid(rel));
	CrmColumn  *key = table->key;

	add_row_identity_var(root, makeVar(rtindex, key->attnum, key->type, key->typmod,
									   key->collation, 0),
						 rtindex, key_junk_name(table));
}

static void
refuse_passthrough(CrmTable *table)
{
	crm_table_require_store(table);
	crm_table_require_updatable(table);
}

List *
crm_plan_modify(PlannerInfo *root, ModifyTable *plan, Index rel, int subplan)
{
	refuse_passthrough(crm_table_get(planner_rt_fetch(rel, root)->relid));
	return list_make1(makeInteger(plan->onConflictAction));
}

/*
 * Writes are refused with a better message by the functions above; without
 * this, a view over the table would not be updatable.  information_schema asks for every
 * table there is: one that is not fit to be used is in nobody's way.
 */
int
crm_is_updatable(Relation rel)
{
	if (!crm_table_says_updatable(RelationGetRelid(rel)))
		return 0;
	return (1 << CMD_INSERT) | (1 << CMD_UPDATE) | (1 << CMD_DELETE);
}

void
crm_refuse_truncate(List *rels, DropBehavior behavior, bool restart_seqs)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("foreign table \"%s\" can't be truncated",
					RelationGetRelationName((Relation) linitial(rels))),
			 errdetail("TRUNCATE would leave the objects in CDMS without a word."),
			 errhint("Use DELETE, which deletes them there too.")));
}

/* ---------------------------------------------------------- statements */

static void
append_returning(StringInfo sql, CrmTable *table)
{
	appendStringInfoString(sql, " RETURNING ");
	for (int i = 0; i < table->ncolumns; i++)
		appendStringInfo(sql, "%s%s", i ? ", " : "",
						 crm_store_column_sql(table, &table->columns[i]));
}

/* The store's own default of a column; NULL where it has none. */
static char *
store_default(CrmTable *table, CrmColumn *column)
{
	Relation	store = table_open(table->store, AccessShareLock);
	Node	   *value = build_column_default(store, column->store_attnum);
	char	   *sql = "NULL";
	CrmRights	former;

	/* As it will be read: else a name could be read as another's. */
	crm_rights_take(&former, table->owner);
	if (value)
		sql = deparse_expression(value, NIL, false, false);
	crm_rights_give_back(&former);
	table_close(store, NoLock);
	return sql;
}

static char *
insert_sql(ModifyState *state, OnConflictAction on_conflict)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s ", state->table->store_name);
	if (state->columns == NIL)
		appendStringInfoString(&sql, "DEFAULT VALUES");
	else
	{
		appendStringInfoChar(&sql, '(');
		foreach(lc, state->columns)
			appendStringInfo(&sql, "%s%s", foreach_current_index(lc) ? ", " : "",
							 quote_identifier(((CrmColumn *) lfirst(lc))->name));
		appendStringInfoString(&sql, ") VALUES (");
		foreach(lc, state->columns)
		{
			CrmColumn  *column = lfirst(lc);

			appendStringInfoString(&sql, foreach_current_index(lc) ? ", " : "");
			if (column == state->table->key)
				appendStringInfo(&sql, "COALESCE($%d, pg_catalog.gen_random_uuid())",
								 foreach_current_index(lc) + 1);
			else if (list_member_ptr(state->unnamed, column))
				appendStringInfo(&sql, "COALESCE($%d, %s)", foreach_current_index(lc) + 1,
								 store_default(state->table, column));
			else
				appendStringInfo(&sql, "$%d", foreach_current_index(lc) + 1);
		}
		appendStringInfoChar(&sql, ')');
	}
	if (on_conflict == ONCONFLICT_NOTHING)
		appendStringInfoString(&sql, " ON CONFLICT DO NOTHING");
	append_returning(&sql, state->table);
	return sql.data;
}

static void
append_key_condition(StringInfo sql, ModifyState *state)
{
	appendStringInfo(sql, " WHERE %s OPERATOR(pg_catalog.=) $%d",
					 quote_identifier(state->table->key->name),
					 list_length(state->columns) + 1);
}

static char *
update_sql(ModifyState *state, OnConflictAction on_conflict)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s SET ", state->table->store_name);
	foreach(lc, state->columns)
		appendStringInfo(&sql, "%s%s = $%d", foreach_current_index(lc) ? ", " : "",
						 quote_identifier(((CrmColumn *) lfirst(lc))->name),
						 foreach_current_index(lc) + 1);
	append_key_condition(&sql, state);
	append_returning(&sql, state->table);
	return sql.data;
}

static char *
delete_sql(ModifyState *state, OnConflictAction on_conflict)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "DELETE FROM %s", state->table->store_name);
	append_key_condition(&sql, state);
	append_returning(&sql, state->table);
	return sql.data;
}

/*
 * The columns that the command names, and those that the foreign table has a
 * default for: the others are left to the store's own defaults.  A trigger may
 * give any column a value.
 */
static void
choose_inserted_columns(ModifyState *state, ResultRelInfo *info, EState *estate)
{
	CrmTable   *table = state->table;
	TupleDesc	desc = RelationGetDescr(info->ri_RelationDesc);
	Bitmapset  *named = ExecGetInsertedCols(info, estate);
	bool		all = info->ri_TrigDesc && info->ri_TrigDesc->trig_insert_before_row;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		bool		given =
		bms_is_member(column->attnum - FirstLowInvalidHeapAttributeNumber, named) ||
		TupleDescAttr(desc, column->attnum - 1)->atthasdef;

		if (given || all)
			state->columns = lappend(state->columns, column);
		if (!given)
			state->unnamed = lappend(state->unnamed, column);
	}
}

/* The columns assigned; all of them where a trigger may have changed others. */
static List *
updated_columns(CrmTable *table, ResultRelInfo *info, EState *estate)
{
	Bitmapset  *assigned = ExecGetAllUpdatedCols(info, estate);
	bool		all = info->ri_TrigDesc && info->ri_TrigDesc->trig_update_before_row;
	List	   *result = NIL;

	for (int i = 0; i < table->ncolumns; i++)
		if (all || bms_is_member(table->columns[i].attnum - FirstLowInvalidHeapAttributeNumber,
								 assigned))
			result = lappend(result, &table->columns[i]);
	return result;
}

static ModifyState *
begin(ResultRelInfo *info, EState *estate)
{
	Relation	rel = info->ri_RelationDesc;
	ModifyState *state = palloc0_object(ModifyState);

	state->table = crm_table_get(RelationGetRelid(rel));
	refuse_passthrough(state->table);
	state->memory = AllocSetContextCreate(estate->es_query_cxt, "crm_sync modify",
										  ALLOCSET_DEFAULT_SIZES);
	state->result = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	info->ri_FdwState = state;
	return state;
}

static void
prepare(ModifyState *state, char *(*make_sql) (ModifyState *, OnConflictAction),
		OnConflictAction on_conflict, bool by_key)
{
	int			n = list_length(state->columns);
	Oid		   *types = palloc_array(Oid, n + 1);
	ListCell   *lc;

	foreach(lc, state->columns)
		types[foreach_current_index(lc)] = ((CrmColumn *) lfirst(lc))->type;
	types[n] = UUIDOID;
	state->statement = crm_statement_prepare(make_sql(state, on_conflict), by_key ? n + 1 : n,
											 types, state->table, NIL);
}

void
crm_begin_modify(ModifyTableState *mtstate, ResultRelInfo *info, List *fdw_private,
				 int subplan, int eflags)
{
	EState	   *estate = mtstate->ps.state;
	ModifyState *state;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	state = begin(info, estate);
	switch (mtstate->operation)
	{
		case CMD_INSERT:
			choose_inserted_columns(state, info, estate);
			prepare(state, insert_sql, intVal(linitial(fdw_private)), false);
			break;
		case CMD_UPDATE:
			state->columns = updated_columns(state->table, info, estate);
			prepare(state, update_sql, ONCONFLICT_NONE, true);
			break;
		case CMD_DELETE:
			prepare(state, delete_sql, ONCONFLICT_NONE, true);
			break;
		default:
			elog(ERROR, "unexpected operation: %d", (int) mtstate->operation);
	}
	if (mtstate->operation != CMD_INSERT)
	{
		state->written = crm_key_hash("crm_sync written rows", sizeof(pg_uuid_t));
		state->key_junk = ExecFindJunkAttributeInTlist(outerPlanState(mtstate)->plan->targetlist,
													   key_junk_name(state->table));
	}
}

/* COPY, and rows routed from a partitioned table. */
void
crm_begin_insert(ModifyTableState *mtstate, ResultRelInfo *info)
{
	EState	   *estate = mtstate->ps.state;
	ModifyTable *plan = (ModifyTable *) mtstate->ps.plan;
	ModifyState *state;

	/* Rows moved here by an UPDATE of a partition key: the scan's state is in use. */
	if (plan && plan->operation == CMD_UPDATE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot route tuples into foreign table \"%s\" by UPDATE",
						RelationGetRelationName(info->ri_RelationDesc))));
	state = begin(info, estate);
	choose_inserted_columns(state, info, estate);
	prepare(state, insert_sql, plan ? plan->onConflictAction : ONCONFLICT_NONE, false);
}

/* ------------------------------------------------------------- one row */

static void
keep_result(TupleTableSlot *row, void *arg)
{
	ModifyState *state = arg;
	TupleTableSlot *result = state->result;
	CrmTable   *table = state->table;

	slot_getallattrs(row);
	ExecClearTuple(result);
	memset(result->tts_isnull, true, result->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < table->ncolumns; i++)
	{
		Form_pg_attribute att = TupleDescAttr(result->tts_tupleDescriptor,
											  table->columns[i].attnum - 1);

		result->tts_isnull[att->attnum - 1] = row->tts_isnull[i];
		if (!row->tts_isnull[i])
			result->tts_values[att->attnum - 1] = datumCopy(row->tts_values[i], att->attbyval,
															att->attlen);
	}
	ExecStoreVirtualTuple(result);
}

static bool
is_written(ModifyState *state, const pg_uuid_t *key)
{
	bool		found;

	hash_search(state->written, key, HASH_ENTER, &found);
	return found;
}

/* Writes the row; what the store made of it is put in slot.  NULL: nothing was written. */
static TupleTableSlot *
write_row(ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	ModifyState *state = info->ri_FdwState;
	int			n = list_length(state->columns);
	MemoryContext before;
	Datum	   *values;
	bool	   *nulls;
	ListCell   *lc;

	MemoryContextReset(state->memory);
	before = MemoryContextSwitchTo(state->memory);
	values = palloc_array(Datum, n + 1);
	nulls = palloc0_array(bool, n + 1);
	foreach(lc, state->columns)
		values[foreach_current_index(lc)] =
			slot_getattr(slot, ((CrmColumn *) lfirst(lc))->attnum,
						 &nulls[foreach_current_index(lc)]);
	if (state->key_junk)
		values[n] = ExecGetJunkAttribute(plan_slot, state->key_junk, &nulls[n]);

	ExecClearTuple(state->result);
	if (state->written == NULL || !is_written(state, crm_store_key_value(values[n], nulls[n])))
		(void) crm_statement_run(state->statement, values, nulls, keep_result, state);
	MemoryContextSwitchTo(before);

	if (TupIsNull(state->result))
		return NULL;
	ExecCopySlot(slot, state->result);
	return slot;
}

TupleTableSlot *
crm_exec_insert(EState *estate, ResultRelInfo *info, TupleTableSlot *slot,
				TupleTableSlot *plan_slot)
{
	return write_row(info, slot, plan_slot);
}

TupleTableSlot *
crm_exec_update(EState *estate, ResultRelInfo *info, TupleTableSlot *slot,
				TupleTableSlot *plan_slot)
{
	return write_row(info, slot, plan_slot);
}

TupleTableSlot *
crm_exec_delete(EState *estate, ResultRelInfo *info, TupleTableSlot *slot,
				TupleTableSlot *plan_slot)
{
	return write_row(info, slot, plan_slot);
}

void
crm_end_modify(EState *estate, ResultRelInfo *info)
{
	ModifyState *state = info->ri_FdwState;

	if (state == NULL)
		return;
	ExecDropSingleTupleTableSlot(state->result);
	MemoryContextDelete(state->memory);
}

void
crm_end_insert(EState *estate, ResultRelInfo *info)
{
	crm_end_modify(estate, info);
}
