/*
 * sync/record.c
 *	  Rows of history and outbox, straight to the tables; names in them.
 *
 * Each row of a store that changes makes one of history, most make one of the
 * outbox, and starting the executor costs several times what writing a row does.
 * They are not gathered for one statement later: users' triggers, that run
 * between one row and the next, may look at them, and savepoints take them away.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "compat.h"
#include "sync/record.h"

CRM_FUNCTION(crm_present_names);

/* As the extension makes it. */
typedef struct OwnTable
{
	const char *name;
	const char *sequence;
	int			columns;
	int			checks;
} OwnTable;

enum
{
	HISTORY_ID, CHANGED_AT, HISTORY_STORE, HISTORY_KEY, HISTORY_OPERATION, ORIGIN, ACTOR, BEFORE,
	AFTER, CONFLICT, HISTORY_COLUMNS
};

enum
{
	OUTBOX_ID, OUTBOX_STORE, OUTBOX_KEY, OUTBOX_OPERATION, COLUMNS, CHANGED, BASE, ROLE, XID, PUSH,
	PARKED, ATTEMPTS, LAST_ERROR, HISTORY, SINCE, OUTBOX_COLUMNS
};

static const OwnTable history = {"history", "history_id_seq", HISTORY_COLUMNS, 2};
static const OwnTable outbox = {"outbox", "outbox_id_seq", OUTBOX_COLUMNS, 1};

static Relation
open_own(const OwnTable *table)
{
	Oid			relid = get_relname_relid(table->name, get_namespace_oid("crm_sync", false));

	return OidIsValid(relid) ? table_open(relid, RowExclusiveLock) : NULL;
}

/* Has it all, and nothing more, than what is written here knows of? */
static bool
is_as_made(Relation rel, const OwnTable *table)
{
	TupleDesc	desc = RelationGetDescr(rel);

	return rel->rd_rel->relkind == RELKIND_RELATION && rel->trigdesc == NULL &&
		rel->rd_rules == NULL && desc->natts == table->columns && desc->constr &&
		desc->constr->num_check == table->checks;
}

static Datum
next_id(const OwnTable *table)
{
	Oid			sequence = get_relname_relid(table->sequence, get_namespace_oid("crm_sync", false));

	return Int64GetDatum(nextval_internal(sequence, false));
}

static void
insert_row(Relation rel, const Datum *values, const bool *nulls)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *info = makeNode(ResultRelInfo);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	int			natts = RelationGetNumberOfAttributes(rel);

	InitResultRelInfo(info, rel, 0, NULL, 0);
	ExecOpenIndices(info, false);
	memcpy(slot->tts_values, values, natts * sizeof(Datum));
	memcpy(slot->tts_isnull, nulls, natts * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	simple_table_tuple_insert(rel, slot);
	crm_insert_index_tuples(info, slot, estate);
	ExecCloseIndices(info);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
}

static void
set(Datum *values, bool *nulls, int column, Datum value)
{
	values[column] = value;
	nulls[column] = false;
}

static Datum
insert_history(Relation rel, const CrmChange *change)
{
	Datum		values[HISTORY_COLUMNS];
	bool		nulls[HISTORY_COLUMNS];
	Datum		id = next_id(&history);

	memset(nulls, true, sizeof(nulls));
	set(values, nulls, HISTORY_ID, id);
	set(values, nulls, CHANGED_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
	set(values, nulls, HISTORY_STORE, ObjectIdGetDatum(change->store));
	set(values, nulls, HISTORY_KEY, UUIDPGetDatum(change->key));
	set(values, nulls, HISTORY_OPERATION, CStringGetTextDatum(change->operation));
	set(values, nulls, ORIGIN, CStringGetTextDatum(change->origin));
	set(values, nulls, ACTOR, CStringGetTextDatum(change->actor));
	if (change->before)
		set(values, nulls, BEFORE, change->before);
	if (change->after)
		set(values, nulls, AFTER, change->after);
	insert_row(rel, values, nulls);
	return id;
}

static JsonbValue
json_string(const char *string)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, string);
	value.val.string.len = strlen(string);
	return value;
}

/* The members of an object that have these names; 0: none. */
static Datum
members(Datum object, List *names)
{
	Jsonb	   *json;
	JsonbParseState *state = NULL;
	int			found = 0;
	ListCell   *lc;

	if (object == 0)
		return 0;
	json = DatumGetJsonbP(object);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	foreach(lc, names)
	{
		JsonbValue	name = json_string(lfirst(lc));
		JsonbValue *value = getKeyJsonValueFromContainer(&json->root, name.val.string.val,
														 name.val.string.len, NULL);

		if (value == NULL)
			continue;
		pushJsonbValue(&state, WJB_KEY, &name);
		pushJsonbValue(&state, WJB_VALUE, value);
		found++;
	}
	json = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
	return found ? JsonbPGetDatum(json) : 0;
}

/* The columns' attribute numbers, by name; 0: no columns. */
static Datum
attribute_numbers(Oid store, List *names)
{
	JsonbParseState *state = NULL;
	ListCell   *lc;

	if (names == NIL)
		return 0;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	foreach(lc, names)
	{
		JsonbValue	name = json_string(lfirst(lc));
		JsonbValue	number = {.type = jbvNumeric};

		number.val.numeric = int64_to_numeric(get_attnum(store, lfirst(lc)));
		pushJsonbValue(&state, WJB_KEY, &name);
		pushJsonbValue(&state, WJB_VALUE, &number);
	}
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* Of both versions the outbox keeps what is to be pushed; of a deletion all. */
static void
insert_outbox(Relation rel, const CrmChange *change, Datum history_id)
{
	Datum		values[OUTBOX_COLUMNS];
	bool		nulls[OUTBOX_COLUMNS];
	Datum		columns = attribute_numbers(change->store, change->pushed);
	Datum		changed = members(change->after, change->pushed);
	Datum		base = change->after ? members(change->before, change->pushed) : change->before;

	memset(nulls, true, sizeof(nulls));
	set(values, nulls, OUTBOX_ID, next_id(&outbox));
	set(values, nulls, OUTBOX_STORE, ObjectIdGetDatum(change->store));
	set(values, nulls, OUTBOX_KEY, UUIDPGetDatum(change->key));
	set(values, nulls, OUTBOX_OPERATION, CStringGetTextDatum(change->operation));
	if (columns)
		set(values, nulls, COLUMNS, columns);
	if (changed)
		set(values, nulls, CHANGED, changed);
	if (base)
		set(values, nulls, BASE, base);
	set(values, nulls, ROLE, ObjectIdGetDatum(GetUserId()));
	set(values, nulls, XID, FullTransactionIdGetDatum(GetTopFullTransactionId()));
	set(values, nulls, PUSH, BoolGetDatum(change->push));
	set(values, nulls, PARKED, BoolGetDatum(false));
	set(values, nulls, ATTEMPTS, Int32GetDatum(0));
	set(values, nulls, HISTORY, history_id);
	set(values, nulls, SINCE, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	insert_row(rel, values, nulls);
}

bool
crm_record(const CrmChange *change, bool to_outbox)
{
	Relation	history_rel = open_own(&history);
	Relation	outbox_rel = open_own(&outbox);
	bool		possible = history_rel && outbox_rel && is_as_made(history_rel, &history) &&
		is_as_made(outbox_rel, &outbox);

	if (possible)
	{
		Datum		id = insert_history(history_rel, change);

		if (to_outbox)
			insert_outbox(outbox_rel, change, id);
		CommandCounterIncrement();
	}
	if (history_rel)
		table_close(history_rel, NoLock);
	if (outbox_rel)
		table_close(outbox_rel, NoLock);
	return possible;
}

/* The name that a column has by now; NULL: the one given. */
static const char *
present_name(Oid store, Jsonb *columns, const JsonbValue *name)
{
	char	   *given = pnstrdup(name->val.string.val, name->val.string.len);
	JsonbValue *number;
	char	   *present;

	if (columns == NULL || get_attnum(store, given) != InvalidAttrNumber)
		return NULL;
	number = getKeyJsonValueFromContainer(&columns->root, name->val.string.val,
										  name->val.string.len, NULL);
	if (number == NULL || number->type != jbvNumeric)
		return NULL;
	present = get_attname(store, DatumGetInt16(DirectFunctionCall1(numeric_int2,
																   NumericGetDatum(number->val.numeric))),
						  true);

	/* That of a column which was dropped is none. */
	return present && get_attnum(store, present) != InvalidAttrNumber ? present : NULL;
}

static Jsonb *
object_argument(FunctionCallInfo fcinfo, int argument)
{
	Jsonb	   *json = PG_ARGISNULL(argument) ? NULL : PG_GETARG_JSONB_P(argument);

	if (json && !JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument %d of crm_sync.present_names must be a JSON object",
						argument + 1)));
	return json;
}

/*
 * Values by column name, under the names that the store's columns have by now.
 * columns: their attribute numbers, by the name they had.
 */
Datum
crm_present_names(PG_FUNCTION_ARGS)
{
	Jsonb	   *columns = object_argument(fcinfo, 1);
	Jsonb	   *named = object_argument(fcinfo, 2);
	JsonbParseState *state = NULL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (PG_ARGISNULL(0) || named == NULL || JB_ROOT_COUNT(named) == 0)
		PG_RETURN_NULL();
	iterator = JsonbIteratorInit(&named->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_END_OBJECT)
	{
		const char *name = token == WJB_KEY ?
			present_name(PG_GETARG_OID(0), columns, &value) : NULL;

		if (name)
			value = json_string(name);
		(void) pushJsonbValue(&state, token, token == WJB_BEGIN_OBJECT ? NULL : &value);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}
