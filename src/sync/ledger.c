/*
 * sync/ledger.c
 *	  Statements on crm_sync's own tables, planned once a session.
 *
 * Whoever reads or writes a synchronised table needs no rights on them, and no
 * user code runs in these statements: so they run as their owner.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "sync/ledger.h"
#include "sync/load.h"
#include "sync/record.h"
#include "sync/statement.h"
#include "sync/store.h"

typedef struct OwnStatement
{
	const char *sql;
	int			nargs;
	Oid			args[12];
	SPIPlanPtr	plan;
} OwnStatement;

#define IS		"OPERATOR(pg_catalog.=)"

static OwnStatement record_history = {
	"INSERT INTO crm_sync.history (store, key, operation, origin, actor, before, after) "
	"VALUES ($1::pg_catalog.regclass, $2, $3, $4, $5, $6, $7)",
	7, {OIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, JSONBOID}
};

/* Of both versions the outbox keeps the columns in $8 only. */
static OwnStatement record_change = {
	"WITH noted AS ("
	"INSERT INTO crm_sync.history (store, key, operation, origin, actor, before, after) "
	"VALUES ($1::pg_catalog.regclass, $2, $3, $4, $5, $6, $7) RETURNING id) "
	"INSERT INTO crm_sync.outbox (store, key, operation, columns, changed, base, role, xid, push, history) "
	"SELECT $1::pg_catalog.regclass, $2, $3, "
	"(SELECT pg_catalog.jsonb_object_agg(a.attname, a.attnum) FROM pg_catalog.pg_attribute a "
	"WHERE a.attrelid " IS " $1 AND a.attname " IS " ANY ($8::pg_catalog.name[])), "
	"(SELECT pg_catalog.jsonb_object_agg(e.key, e.value) FROM pg_catalog.jsonb_each($7) e "
	"WHERE e.key " IS " ANY ($8)), "
	"CASE WHEN $3 " IS " 'delete' THEN $6 ELSE "
	"(SELECT pg_catalog.jsonb_object_agg(e.key, e.value) FROM pg_catalog.jsonb_each($6) e "
	"WHERE e.key " IS " ANY ($8)) END, "
	"$9::pg_catalog.regrole, pg_catalog.pg_current_xact_id(), $10, noted.id FROM noted",
	10, {OIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, JSONBOID, TEXTARRAYOID, OIDOID,
	BOOLOID}
};

static OwnStatement record_missing = {
	"INSERT INTO crm_sync.outbox (store, key, operation, role, xid, push) "
	"SELECT $1::pg_catalog.regclass, $2, 'insert', $3::pg_catalog.regrole, "
	"pg_catalog.pg_current_xact_id(), false "
	"WHERE NOT EXISTS (SELECT FROM crm_sync.outbox o WHERE o.store " IS " $1 AND o.key " IS " $2)",
	3, {OIDOID, UUIDOID, OIDOID}
};

static OwnStatement record_left = {
	"INSERT INTO crm_sync.outbox (store, key, operation, changed, role, xid, push, parked, last_error) "
	"VALUES ($1::pg_catalog.regclass, $2, 'update', '{}', $3::pg_catalog.regrole, "
	"pg_catalog.pg_current_xact_id(), false, true, $4)",
	4, {OIDOID, UUIDOID, OIDOID, TEXTOID}
};

#define OUTBOX_ROW \
	"SELECT o.id, o.store::pg_catalog.oid, o.key, o.operation, " \
	"crm_sync.present_names(o.store, o.columns, o.changed), " \
	"crm_sync.present_names(o.store, o.columns, o.base), " \
	"o.role::pg_catalog.oid, o.attempts, o.history, o.push "

/*
 * What there is of the objects that this transaction must push.  Its own rows have
 * its xid and its start: the xid alone might come from a dump.  The rows of each
 * are looked up by themselves (OFFSET keeps the planner from other ideas): a plan
 * made for one change would compare each of a thousand with all the others.
 */
#define READ_OWN_OBJECTS \
	OUTBOX_ROW "FROM (SELECT w.store, w.key, " \
	"pg_catalog.array_agg(w.role::pg_catalog.oid) AS roles FROM crm_sync.outbox w WHERE w.push " \
	"AND w.xid " IS " pg_catalog.pg_current_xact_id() AND w.since " IS " pg_catalog.now() " \
	"GROUP BY w.store, w.key) m CROSS JOIN LATERAL (SELECT * FROM crm_sync.outbox x " \
	"WHERE x.store " IS " m.store AND x.key " IS " m.key OFFSET 0) o WHERE "

static OwnStatement read_own = {
	READ_OWN_OBJECTS "o.role::pg_catalog.oid " IS " ANY (m.roles) ORDER BY o.id",
	0
};

/* Pending creations, by other roles, of objects that this transaction must push. */
static OwnStatement read_creations = {
	READ_OWN_OBJECTS "NOT o.parked AND NOT o.push "
	"AND o.role::pg_catalog.oid OPERATOR(pg_catalog.<>) ANY (m.roles) "
	"AND EXISTS (SELECT FROM crm_sync.outbox i WHERE i.store " IS " o.store AND i.key " IS " o.key "
	"AND i.role::pg_catalog.oid " IS " o.role::pg_catalog.oid AND NOT i.parked AND NOT i.push "
	"AND i.operation " IS " 'insert') ORDER BY o.id",
	0
};

/* A change of an object whose creation, by another role, has failed waits for that. */
#define WAITS_FOR_CREATION \
	"(o.operation " IS " 'update' AND EXISTS (SELECT FROM crm_sync.outbox i " \
	"WHERE i.store " IS " o.store AND i.key " IS " o.key " \
	"AND i.parked AND i.operation " IS " 'insert' AND i.changed IS NOT NULL AND i.id OPERATOR(pg_catalog.<) o.id " \
	"AND i.role::pg_catalog.oid OPERATOR(pg_catalog.<>) o.role::pg_catalog.oid)) "

/* What another session is sending just now is left to it. */
static OwnStatement read_object = {
	OUTBOX_ROW "FROM crm_sync.outbox o WHERE NOT o.parked AND o.store " IS " $1 AND o.key " IS " $2 "
	"AND NOT " WAITS_FOR_CREATION "ORDER BY o.id FOR UPDATE SKIP LOCKED",
	2, {OIDOID, UUIDOID}
};

static OwnStatement is_waiting = {
	"SELECT o.id FROM crm_sync.outbox o WHERE o.store " IS " $1 AND o.key " IS " $2 "
	"AND NOT o.parked AND NOT o.push AND o.operation " IS " 'insert' LIMIT 1",
	2, {OIDOID, UUIDOID}
};

/* Of each object what one role's rows, up to its last one, are not. */
static OwnStatement read_others = {
	OUTBOX_ROW "FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) "
	"AS k (key, role, last) CROSS JOIN LATERAL (SELECT * FROM crm_sync.outbox x "
	"WHERE x.store " IS " $1 AND x.key " IS " k.key OFFSET 0) o "
	"WHERE o.role::pg_catalog.oid OPERATOR(pg_catalog.<>) k.role "
	"OR o.id OPERATOR(pg_catalog.>) k.last ORDER BY o.id",
	4, {OIDOID, UUIDARRAYOID, OIDARRAYOID, INT8ARRAYOID}
};

/* Not grouped by key: each read asks this, however many are waiting. */
static OwnStatement pending_inserts = {
	"SELECT o.key FROM crm_sync.outbox o WHERE o.store " IS " $1 AND NOT o.parked AND NOT o.push "
	"AND o.operation " IS " 'insert' ORDER BY o.id LIMIT $2",
	2, {OIDOID, INT4OID}
};

static OwnStatement pending_stores = {
	"SELECT DISTINCT o.store::pg_catalog.oid FROM crm_sync.outbox o "
	"WHERE NOT o.parked AND NOT o.push AND o.operation " IS " 'insert'",
	0
};

/* Ever another comes first, lest one on which the worker dies keep it from all others. */
static OwnStatement waiting_stores = {
	"SELECT o.store::pg_catalog.oid FROM crm_sync.outbox o WHERE NOT o.parked AND NOT o.push "
	"GROUP BY o.store ORDER BY pg_catalog.random()",
	0
};

static OwnStatement pending_objects = {
	"SELECT o.key, pg_catalog.count(*) FROM crm_sync.outbox o "
	"WHERE o.store " IS " $1 AND NOT o.parked AND NOT o.push AND NOT " WAITS_FOR_CREATION
	"GROUP BY o.key ORDER BY pg_catalog.min(o.id) LIMIT $2",
	2, {OIDOID, INT4OID}
};

/* Of $2 each key is looked up by itself, for the same reason. */
static OwnStatement read_protected = {
	"SELECT o.key, o.operation, ARRAY(SELECT pg_catalog.jsonb_object_keys("
	"crm_sync.present_names(o.store, o.columns, o.changed))) "
	"FROM pg_catalog.unnest($2) k (key) CROSS JOIN LATERAL (SELECT * FROM crm_sync.outbox x "
	"WHERE x.store " IS " $1 AND x.key " IS " k.key OFFSET 0) o",
	2, {OIDOID, UUIDARRAYOID}
};

/* No request takes a day: what is older needs no look, and its xids may be frozen. */
static OwnStatement read_changers = {
	"SELECT k.key, h.xmin FROM pg_catalog.unnest($2) k (key) "
	"CROSS JOIN LATERAL (SELECT x.xmin, x.changed_at FROM crm_sync.history x "
	"WHERE x.store " IS " $1 AND x.key " IS " k.key OFFSET 0) h "
	"WHERE h.changed_at OPERATOR(pg_catalog.>) (pg_catalog.clock_timestamp() "
	"OPERATOR(pg_catalog.-) '1 day'::pg_catalog.interval)",
	2, {OIDOID, UUIDARRAYOID}
};

static OwnStatement delete_rows = {
	"DELETE FROM crm_sync.outbox WHERE id " IS " ANY ($1)", 1, {INT8ARRAYOID}
};

static OwnStatement note_failure = {
	"UPDATE crm_sync.outbox SET parked = $3, attempts = attempts OPERATOR(pg_catalog.+) 1, "
	"last_error = $2 WHERE id " IS " ANY ($1)",
	3, {INT8ARRAYOID, TEXTOID, BOOLOID}
};

static OwnStatement note_conflict = {
	"UPDATE crm_sync.history SET conflict = $2 WHERE id " IS " $1", 2, {INT8OID, JSONBOID}
};

static OwnStatement count_rows = {
	"SELECT pg_catalog.count(*) FILTER (WHERE NOT parked), pg_catalog.count(*) FILTER (WHERE parked) "
	"FROM crm_sync.outbox WHERE store " IS " $1",
	1, {OIDOID}
};

/* The last version before a moment, else the one that the first change after it replaced. */
static OwnStatement read_versions = {
	"SELECT DISTINCT ON (h.key) h.key, "
	"CASE WHEN h.changed_at OPERATOR(pg_catalog.<=) $2 THEN h.after ELSE h.before END "
	"FROM crm_sync.history h WHERE h.store " IS " $1 "
	"ORDER BY h.key, h.changed_at OPERATOR(pg_catalog.<=) $2 DESC, "
	"CASE WHEN h.changed_at OPERATOR(pg_catalog.<=) $2 THEN OPERATOR(pg_catalog.-) h.id ELSE h.id END",
	2, {OIDOID, TIMESTAMPTZOID}
};

/* Whatever is the last before that moment stays: it was so at the moment. */
static OwnStatement prune_history = {
	"WITH gone AS (DELETE FROM crm_sync.history h WHERE h.store " IS " $1 "
	"AND h.changed_at OPERATOR(pg_catalog.<=) $2 "
	"AND (h.operation " IS " 'delete' OR EXISTS (SELECT FROM crm_sync.history l "
	"WHERE l.store " IS " $1 AND l.key " IS " h.key AND l.id OPERATOR(pg_catalog.>) h.id "
	"AND l.changed_at OPERATOR(pg_catalog.<=) $2)) RETURNING 1), "
	"noted AS (INSERT INTO crm_sync.pruned AS p (store, until) VALUES ($1::pg_catalog.regclass, $2) "
	"ON CONFLICT (store) DO UPDATE SET until = GREATEST(p.until, excluded.until)) "
	"SELECT pg_catalog.count(*) FROM gone",
	2, {OIDOID, TIMESTAMPTZOID}
};

static OwnStatement read_pruned = {
	"SELECT until FROM crm_sync.pruned WHERE store " IS " $1",
	1, {OIDOID}
};

static OwnStatement read_progress = {
	"SELECT pulled_through, asked_at, version, next_version FROM crm_sync.progress "
	"WHERE store " IS " $1 AND mapping " IS " $2 AND loaded IS NULL",
	2, {OIDOID, TEXTOID}
};

static OwnStatement begin_load = {
	"INSERT INTO crm_sync.progress (store, mapping, pulled_through, asked_at, version, next_version, "
	"loaded, was_empty) VALUES ($1::pg_catalog.regclass, $2, $3, $4, 0, 0, '{}', $5) "
	"ON CONFLICT (store) DO UPDATE SET mapping = excluded.mapping, "
	"pulled_through = excluded.pulled_through, asked_at = excluded.asked_at, "
	"loaded = excluded.loaded, was_empty = excluded.was_empty",
	5, {OIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, BOOLOID}
};

static OwnStatement read_load = {
	"SELECT pulled_through, asked_at, version, next_version, was_empty FROM crm_sync.progress "
	"WHERE store " IS " $1 AND mapping " IS " $2 AND loaded IS NOT NULL",
	2, {OIDOID, TEXTOID}
};

static OwnStatement read_gaps = {
	"SELECT pg_catalog.lower(r.r), pg_catalog.upper(r.r) FROM crm_sync.progress p, "
	"LATERAL pg_catalog.unnest(pg_catalog.tstzmultirange(pg_catalog.tstzrange('-infinity', 'infinity')) "
	"OPERATOR(pg_catalog.-) p.loaded) AS r (r) WHERE p.store " IS " $1 "
	"ORDER BY pg_catalog.lower(r.r)",
	1, {OIDOID}
};

static OwnStatement note_loaded = {
	"UPDATE crm_sync.progress SET loaded = loaded OPERATOR(pg_catalog.+) "
	"(SELECT pg_catalog.range_agg(pg_catalog.tstzrange(n.lower, n.upper)) "
	"FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS n (lower, upper)) "
	"WHERE store " IS " $1 AND loaded IS NOT NULL",
	3, {OIDOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}
};

static OwnStatement write_progress = {
	"INSERT INTO crm_sync.progress AS p (store, mapping, pulled_through, asked_at, version, next_version) "
	"SELECT $1::pg_catalog.regclass, $2, $3, $4, $6, $7 "
	"ON CONFLICT (store) DO UPDATE SET mapping = excluded.mapping, "
	"pulled_through = excluded.pulled_through, asked_at = excluded.asked_at, "
	"version = excluded.version, next_version = excluded.next_version, "
	"loaded = NULL, was_empty = NULL "
	"WHERE $5 OR p.pulled_through OPERATOR(pg_catalog.<) excluded.pulled_through",
	7, {OIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, BOOLOID, INT8OID, INT8OID}
};

static OwnStatement store_of = {
	"SELECT store::pg_catalog.oid FROM crm_sync.outbox WHERE id " IS " $1", 1, {INT8OID}
};

static OwnStatement unpark_row = {
	"UPDATE crm_sync.outbox SET parked = false WHERE id " IS " $1 AND parked", 1, {INT8OID}
};

static OwnStatement discard_row = {
	"DELETE FROM crm_sync.outbox WHERE id " IS " $1", 1, {INT8OID}
};

static Oid
ledger_owner(void)
{
	Oid			outbox = get_relname_relid("outbox", get_namespace_oid("crm_sync", false));
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(outbox));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table crm_sync.outbox does not exist"),
				 errhint("Restore it by dropping and creating the extension crm_sync.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

typedef void (*SpiRowVisitor) (HeapTuple row, TupleDesc desc, MemoryContext memory, void *arg);

/*
 * Runs a statement as the owner.  visit is called in the SPI context; memory is
 * the caller's, for what is to last.  An ERROR restores the user as it aborts.
 */
static uint64
run_own(OwnStatement *statement, Datum *values, const char *nulls,
		SpiRowVisitor visit, void *arg)
{
	MemoryContext memory = CurrentMemoryContext;
	int			level = crm_guc_by_index();
	Oid			user;
	int			security;
	uint64		processed;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(ledger_owner(), security | SECURITY_LOCAL_USERID_CHANGE);
	SPI_connect();
	if (statement->plan == NULL)
	{
		/* They are written so that one plan does for all: none is made for a value. */
		statement->plan = SPI_prepare_cursor(statement->sql, statement->nargs, statement->args,
											 CURSOR_OPT_GENERIC_PLAN);
		if (statement->plan == NULL || SPI_keepplan(statement->plan) != 0)
			elog(ERROR, "could not prepare \"%s\": %s", statement->sql,
				 SPI_result_code_string(SPI_result));
	}
	if (SPI_execute_plan(statement->plan, values, nulls, false, 0) < 0)
		elog(ERROR, "could not run \"%s\"", statement->sql);
	processed = SPI_processed;
	for (uint64 i = 0; visit && i < processed; i++)
		visit(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, memory, arg);
	SPI_finish();
	SetUserIdAndSecContext(user, security);
	AtEOXact_GUC(true, level);
	return processed;
}

static Datum
text_array(List *strings)
{
	Datum	   *elements = palloc_array(Datum, list_length(strings) + 1);
	int			n = 0;
	ListCell   *lc;

	foreach(lc, strings)
		elements[n++] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
id_array(List *rows)
{
	Datum	   *elements = palloc_array(Datum, list_length(rows) + 1);
	int			n = 0;
	ListCell   *lc;

	foreach(lc, rows)
		elements[n++] = Int64GetDatum(((CrmOutboxRow *) lfirst(lc))->id);
	return PointerGetDatum(construct_array(elements, n, INT8OID, 8, FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

/* What to_jsonb leaves to the session. */
static const struct
{
	const char *name;
	const char *value;
}			output_settings[] = {
	{"bytea_output", "hex"},
	{"DateStyle", "ISO"},
	{"extra_float_digits", "3"},
	{"IntervalStyle", "postgres"},
	{"TimeZone", "UTC"}
};

/* to_jsonb asks of which type its argument is; any row tells that itself. */
static Datum
row_to_jsonb(Datum row)
{
	Node	   *argument = (Node *) makeNullConst(RECORDOID, -1, InvalidOid);
	FmgrInfo	function;

	fmgr_info(F_TO_JSONB, &function);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument),
											 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL),
					   &function);
	return FunctionCall1(&function, row);
}

Datum
crm_ledger_row_json(HeapTuple tuple, TupleDesc desc)
{
	int			level = NewGUCNestLevel();
	Datum		json;

	for (int i = 0; i < lengthof(output_settings); i++)
		(void) set_config_option(output_settings[i].name, output_settings[i].value, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	json = row_to_jsonb(heap_copy_tuple_as_datum(tuple, desc));
	AtEOXact_GUC(true, level);
	return json;
}

static void
record_by_statement(const CrmChange *change, bool outbox)
{
	Datum		values[10] = {
		ObjectIdGetDatum(change->store), UUIDPGetDatum(change->key),
		CStringGetTextDatum(change->operation), CStringGetTextDatum(change->origin),
		CStringGetTextDatum(change->actor), change->before, change->after,
		text_array(change->pushed), ObjectIdGetDatum(GetUserId()), BoolGetDatum(change->push)
	};
	char		nulls[] = "          ";

	if (change->before == 0)
		nulls[5] = 'n';
	if (change->after == 0)
		nulls[6] = 'n';
	run_own(outbox ? &record_change : &record_history, values, nulls, NULL, NULL);
}

void
crm_ledger_record(const CrmChange *change, bool outbox)
{
	if (!crm_record(change, outbox))
		record_by_statement(change, outbox);
}

void
crm_ledger_record_missing(Oid store, const pg_uuid_t *key, Oid role)
{
	Datum		values[] = {ObjectIdGetDatum(store), UUIDPGetDatum(key), ObjectIdGetDatum(role)};

	run_own(&record_missing, values, NULL, NULL, NULL);
}

void
crm_ledger_record_left(Oid store, const pg_uuid_t *key, Oid role, const char *reason)
{
	Datum		values[] = {
		ObjectIdGetDatum(store), UUIDPGetDatum(key), ObjectIdGetDatum(role),
		CStringGetTextDatum(reason)
	};

	run_own(&record_left, values, NULL, NULL, NULL);
}

static Datum
row_value(HeapTuple row, TupleDesc desc, int column, bool *isnull)
{
	return SPI_getbinval(row, desc, column, isnull);
}

static Jsonb *
row_jsonb(HeapTuple row, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = row_value(row, desc, column, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

static void
keep_outbox_row(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	List	  **rows = arg;
	MemoryContext before = MemoryContextSwitchTo(memory);
	CrmOutboxRow *row = palloc0_object(CrmOutboxRow);
	bool		isnull;

	row->id = DatumGetInt64(row_value(tuple, desc, 1, &isnull));
	row->store = DatumGetObjectId(row_value(tuple, desc, 2, &isnull));
	row->key = *DatumGetUUIDP(row_value(tuple, desc, 3, &isnull));
	row->operation = *TextDatumGetCString(row_value(tuple, desc, 4, &isnull));
	row->changed = row_jsonb(tuple, desc, 5);
	row->base = row_jsonb(tuple, desc, 6);
	row->role = DatumGetObjectId(row_value(tuple, desc, 7, &isnull));
	row->attempts = DatumGetInt32(row_value(tuple, desc, 8, &isnull));
	row->history = DatumGetInt64(row_value(tuple, desc, 9, &isnull));
	if (isnull)
		row->history = 0;
	row->pending = !DatumGetBool(row_value(tuple, desc, 10, &isnull));
	*rows = lappend(*rows, row);
	MemoryContextSwitchTo(before);
}

List *
crm_ledger_read_own(void)
{
	List	   *rows = NIL;

	run_own(&read_own, NULL, NULL, keep_outbox_row, &rows);
	return rows;
}

List *
crm_ledger_read_creations(void)
{
	List	   *rows = NIL;

	run_own(&read_creations, NULL, NULL, keep_outbox_row, &rows);
	return rows;
}

List *
crm_ledger_read_object(Oid store, const pg_uuid_t *key)
{
	Datum		values[] = {ObjectIdGetDatum(store), UUIDPGetDatum(key)};
	List	   *rows = NIL;

	run_own(&read_object, values, NULL, keep_outbox_row, &rows);
	return rows;
}

static void
note_found(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	*(bool *) arg = true;
}

bool
crm_ledger_is_waiting(Oid store, const pg_uuid_t *key)
{
	Datum		values[] = {ObjectIdGetDatum(store), UUIDPGetDatum(key)};
	bool		found = false;

	run_own(&is_waiting, values, NULL, note_found, &found);
	return found;
}

List *
crm_ledger_read_others(Oid store, CrmOutboxRow **lasts, int n)
{
	Datum	   *keys = palloc_array(Datum, n);
	Datum	   *roles = palloc_array(Datum, n);
	Datum	   *ids = palloc_array(Datum, n);
	Datum		values[4] = {ObjectIdGetDatum(store)};
	List	   *rows = NIL;

	for (int i = 0; i < n; i++)
	{
		keys[i] = UUIDPGetDatum(&lasts[i]->key);
		roles[i] = ObjectIdGetDatum(lasts[i]->role);
		ids[i] = Int64GetDatum(lasts[i]->id);
	}
	values[1] = PointerGetDatum(construct_array(keys, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	values[2] = PointerGetDatum(construct_array(roles, n, OIDOID, sizeof(Oid), true, TYPALIGN_INT));
	values[3] = PointerGetDatum(construct_array(ids, n, INT8OID, 8, FLOAT8PASSBYVAL,
												TYPALIGN_DOUBLE));
	run_own(&read_others, values, NULL, keep_outbox_row, &rows);
	return rows;
}

static void
keep_store(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	List	  **stores = arg;
	MemoryContext before = MemoryContextSwitchTo(memory);
	bool		isnull;

	*stores = lappend_oid(*stores, DatumGetObjectId(row_value(tuple, desc, 1, &isnull)));
	MemoryContextSwitchTo(before);
}

List *
crm_ledger_stores_with_pending(void)
{
	List	   *stores = NIL;

	run_own(&pending_stores, NULL, NULL, keep_store, &stores);
	return stores;
}

List *
crm_ledger_stores_waiting(void)
{
	List	   *stores = NIL;

	run_own(&waiting_stores, NULL, NULL, keep_store, &stores);
	return stores;
}

typedef struct KeysVisit
{
	List	   *keys;
	int64		rows;
} KeysVisit;

static void
keep_key(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	KeysVisit  *visit = arg;
	MemoryContext before = MemoryContextSwitchTo(memory);
	pg_uuid_t  *key = palloc_object(pg_uuid_t);
	bool		isnull;

	*key = *DatumGetUUIDP(row_value(tuple, desc, 1, &isnull));
	visit->keys = lappend(visit->keys, key);
	if (desc->natts > 1)
		visit->rows += DatumGetInt64(row_value(tuple, desc, 2, &isnull));
	MemoryContextSwitchTo(before);
}

List *
crm_ledger_pending_inserts(Oid store, int limit)
{
	Datum		values[] = {ObjectIdGetDatum(store), Int32GetDatum(limit)};
	KeysVisit	visit = {NIL, 0};

	run_own(&pending_inserts, values, NULL, keep_key, &visit);
	return visit.keys;
}

List *
crm_ledger_pending_objects(Oid store, int limit, int64 *rows)
{
	Datum		values[] = {ObjectIdGetDatum(store), Int32GetDatum(limit)};
	KeysVisit	visit = {NIL, 0};

	run_own(&pending_objects, values, NULL, keep_key, &visit);
	*rows = visit.rows;
	return visit.keys;
}

static void
keep_protected(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	HTAB	   *keys = arg;
	MemoryContext before = MemoryContextSwitchTo(memory);
	CrmProtected *entry;
	Datum	   *columns;
	int			n;
	bool		isnull;
	bool		found;
	char		operation;

	entry = hash_search(keys, DatumGetUUIDP(row_value(tuple, desc, 1, &isnull)),
						HASH_ENTER, &found);
	if (!found)
	{
		entry->deleted = false;
		entry->columns = NIL;
	}
	operation = *TextDatumGetCString(row_value(tuple, desc, 2, &isnull));
	if (operation != 'u')
		entry->deleted = true;
	deconstruct_array(DatumGetArrayTypeP(row_value(tuple, desc, 3, &isnull)),
					  TEXTOID, -1, false, TYPALIGN_INT, &columns, NULL, &n);
	for (int i = 0; i < n; i++)
		entry->columns = lappend(entry->columns, TextDatumGetCString(columns[i]));
	MemoryContextSwitchTo(before);
}

static Datum
key_array(const pg_uuid_t *keys, int n)
{
	Datum	   *elements = palloc_array(Datum, n + 1);

	for (int i = 0; i < n; i++)
		elements[i] = UUIDPGetDatum(&keys[i]);
	return PointerGetDatum(construct_array(elements, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}

typedef struct ChangersVisit
{
	HTAB	   *keys;
	Snapshot	snapshot;
} ChangersVisit;

/*
 * Has no transaction ended since?  Each that ends moves xmax, or leaves the list
 * of those under way.
 */
static bool
is_latest(Snapshot snapshot)
{
	Snapshot	now = GetTransactionSnapshot();

	return now->xmax == snapshot->xmax && now->xcnt == snapshot->xcnt &&
		now->subxcnt == snapshot->subxcnt;
}

static void
keep_changed(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	ChangersVisit *visit = arg;
	bool		isnull;
	Datum		key = row_value(tuple, desc, 1, &isnull);
	TransactionId changer = DatumGetTransactionId(row_value(tuple, desc, 2, &isnull));

	if (!TransactionIdIsCurrentTransactionId(changer) &&
		XidInMVCCSnapshot(changer, visit->snapshot))
		hash_search(visit->keys, DatumGetUUIDP(key), HASH_ENTER, NULL);
}

HTAB *
crm_ledger_changed_since(Oid store, const pg_uuid_t *keys, int n, Snapshot snapshot)
{
	ChangersVisit visit = {crm_key_hash("crm_sync changed rows", sizeof(pg_uuid_t)), snapshot};
	Datum		values[2] = {ObjectIdGetDatum(store), key_array(keys, n)};

	if (!is_latest(snapshot))
		run_own(&read_changers, values, NULL, keep_changed, &visit);
	return visit.keys;
}

HTAB *
crm_ledger_protected(Oid store, const pg_uuid_t *keys, int n)
{
	HTAB	   *result = crm_key_hash("crm_sync protected rows", sizeof(CrmProtected));
	Datum		values[2] = {ObjectIdGetDatum(store), key_array(keys, n)};

	run_own(&read_protected, values, NULL, keep_protected, result);
	return result;
}

void
crm_ledger_done(List *rows)
{
	Datum		values[] = {id_array(rows)};

	run_own(&delete_rows, values, NULL, NULL, NULL);
}

void
crm_ledger_failed(List *rows, const char *reason, bool parked)
{
	Datum		values[] = {id_array(rows), CStringGetTextDatum(reason), BoolGetDatum(parked)};

	run_own(&note_failure, values, NULL, NULL, NULL);
}

void
crm_ledger_conflict(int64 history, Datum conflict)
{
	Datum		values[] = {Int64GetDatum(history), conflict};

	run_own(&note_conflict, values, NULL, NULL, NULL);
}

static void
keep_version(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	MemoryContext before = MemoryContextSwitchTo(memory);
	bool		isnull;
	CrmVersion *version = hash_search(arg, DatumGetUUIDP(row_value(tuple, desc, 1, &isnull)),
									  HASH_ENTER, NULL);

	version->row = row_jsonb(tuple, desc, 2);
	MemoryContextSwitchTo(before);
}

HTAB *
crm_ledger_versions(Oid store, TimestampTz at)
{
	Datum		values[] = {ObjectIdGetDatum(store), TimestampTzGetDatum(at)};
	HTAB	   *result = crm_key_hash("crm_sync versions", sizeof(CrmVersion));

	run_own(&read_versions, values, NULL, keep_version, result);
	return result;
}

static void
keep_timestamp(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	bool		isnull;

	*(TimestampTz *) arg = DatumGetTimestampTz(row_value(tuple, desc, 1, &isnull));
}

static void
keep_count(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	bool		isnull;

	*(int64 *) arg = DatumGetInt64(row_value(tuple, desc, 1, &isnull));
}

int64
crm_ledger_prune(Oid store, TimestampTz until)
{
	Datum		values[] = {ObjectIdGetDatum(store), TimestampTzGetDatum(until)};
	int64		n = 0;

	run_own(&prune_history, values, NULL, keep_count, &n);
	return n;
}

bool
crm_ledger_pruned(Oid store, TimestampTz *until)
{
	Datum		values[] = {ObjectIdGetDatum(store)};

	return run_own(&read_pruned, values, NULL, keep_timestamp, until) > 0;
}

static void
keep_progress(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	CrmProgress *progress = arg;
	bool		isnull;

	progress->pulled_through = DatumGetTimestampTz(row_value(tuple, desc, 1, &isnull));
	progress->asked_at = DatumGetTimestampTz(row_value(tuple, desc, 2, &isnull));
	progress->version = DatumGetInt64(row_value(tuple, desc, 3, &isnull));
	progress->next_version = DatumGetInt64(row_value(tuple, desc, 4, &isnull));
}

bool
crm_ledger_progress(Oid store, const char *mapping, CrmProgress *progress)
{
	Datum		values[] = {ObjectIdGetDatum(store), CStringGetTextDatum(mapping)};

	return run_own(&read_progress, values, NULL, keep_progress, progress) > 0;
}

/*
 * Sessions must not wait for each other's uncommitted rows: so whoever has the lock
 * writes, until his transaction ends, and the others leave it.  It is none that a
 * user can take.
 */
static bool
may_write_progress(Oid store)
{
	Oid			progress = get_relname_relid("progress", get_namespace_oid("crm_sync", false));

	return ConditionalLockDatabaseObject(progress, store, 0, ExclusiveLock);
}

void
crm_ledger_set_progress(Oid store, const char *mapping, const CrmProgress *progress, bool anew)
{
	Datum		values[] = {
		ObjectIdGetDatum(store), CStringGetTextDatum(mapping),
		TimestampTzGetDatum(progress->pulled_through), TimestampTzGetDatum(progress->asked_at),
		BoolGetDatum(anew), Int64GetDatum(progress->version), Int64GetDatum(progress->next_version)
	};

	if (may_write_progress(store))
		run_own(&write_progress, values, NULL, NULL, NULL);
}

void
crm_ledger_begin_load(Oid store, const char *mapping, const CrmProgress *progress, bool was_empty)
{
	Datum		values[] = {
		ObjectIdGetDatum(store), CStringGetTextDatum(mapping),
		TimestampTzGetDatum(progress->pulled_through), TimestampTzGetDatum(progress->asked_at),
		BoolGetDatum(was_empty)
	};

	run_own(&begin_load, values, NULL, NULL, NULL);
}

typedef struct LoadVisit
{
	CrmProgress *progress;
	bool	   *was_empty;
} LoadVisit;

static void
keep_load(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	LoadVisit  *visit = arg;
	bool		isnull;

	keep_progress(tuple, desc, memory, visit->progress);
	*visit->was_empty = DatumGetBool(row_value(tuple, desc, 5, &isnull));
}

bool
crm_ledger_load(Oid store, const char *mapping, CrmProgress *progress, bool *was_empty)
{
	Datum		values[] = {ObjectIdGetDatum(store), CStringGetTextDatum(mapping)};
	LoadVisit	visit = {progress, was_empty};

	return run_own(&read_load, values, NULL, keep_load, &visit) > 0;
}

static void
keep_range(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	List	  **ranges = arg;
	MemoryContext before = MemoryContextSwitchTo(memory);
	CrmRange   *range = palloc_object(CrmRange);
	bool		isnull;

	range->from = DatumGetTimestampTz(row_value(tuple, desc, 1, &isnull));
	range->to = DatumGetTimestampTz(row_value(tuple, desc, 2, &isnull));
	*ranges = lappend(*ranges, range);
	MemoryContextSwitchTo(before);
}

List *
crm_ledger_load_gaps(Oid store)
{
	Datum		values[] = {ObjectIdGetDatum(store)};
	List	   *ranges = NIL;

	run_own(&read_gaps, values, NULL, keep_range, &ranges);
	return ranges;
}

static Datum
moment_array(const Datum *moments, int n)
{
	return PointerGetDatum(construct_array(unconstify(Datum *, moments), n, TIMESTAMPTZOID,
										   sizeof(TimestampTz), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

void
crm_ledger_note_loaded(Oid store, List *ranges)
{
	int			n = list_length(ranges);
	Datum	   *from = palloc_array(Datum, n + 1);
	Datum	   *to = palloc_array(Datum, n + 1);
	Datum		values[3] = {ObjectIdGetDatum(store)};
	ListCell   *lc;

	if (n == 0)
		return;
	foreach(lc, ranges)
	{
		from[foreach_current_index(lc)] = TimestampTzGetDatum(((CrmRange *) lfirst(lc))->from);
		to[foreach_current_index(lc)] = TimestampTzGetDatum(((CrmRange *) lfirst(lc))->to);
	}
	values[1] = moment_array(from, n);
	values[2] = moment_array(to, n);
	run_own(&note_loaded, values, NULL, NULL, NULL);
}

typedef struct CountVisit
{
	int64		counts[2];
} CountVisit;

static void
keep_counts(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	CountVisit *visit = arg;
	bool		isnull;

	for (int i = 0; i < lengthof(visit->counts); i++)
		visit->counts[i] = DatumGetInt64(row_value(tuple, desc, i + 1, &isnull));
}

void
crm_ledger_count(Oid store, int64 *pending, int64 *failed)
{
	Datum		values[] = {ObjectIdGetDatum(store)};
	CountVisit	visit = {{0, 0}};

	run_own(&count_rows, values, NULL, keep_counts, &visit);
	*pending = visit.counts[0];
	*failed = visit.counts[1];
}

static void
keep_oid(HeapTuple tuple, TupleDesc desc, MemoryContext memory, void *arg)
{
	bool		isnull;

	*(Oid *) arg = DatumGetObjectId(row_value(tuple, desc, 1, &isnull));
}

Oid
crm_ledger_store_of(int64 id)
{
	Datum		values[] = {Int64GetDatum(id)};
	Oid			store = InvalidOid;

	run_own(&store_of, values, NULL, keep_oid, &store);
	return store;
}

bool
crm_ledger_unpark(int64 id)
{
	Datum		values[] = {Int64GetDatum(id)};

	return run_own(&unpark_row, values, NULL, NULL, NULL) > 0;
}

bool
crm_ledger_discard(int64 id)
{
	Datum		values[] = {Int64GetDatum(id)};

	return run_own(&discard_row, values, NULL, NULL, NULL) > 0;
}
