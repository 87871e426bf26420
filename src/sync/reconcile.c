/*
 * sync/reconcile.c
 *	  Comparing CDMS and the store whole, deletions included.
 *
 * Whole objects are asked for: a page has 50 of them, whatever is selected, so
 * that keys and versions alone would not be a request less, and what differs
 * would have to be asked for once more.  And values tell what VersionNumber does
 * not: names of referenced objects, or a store that was written past its trigger.
 *
 * An answer takes its time.  What another transaction changes here meanwhile is
 * no difference: such objects are asked for once more at the end, by key.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "sync/apply.h"
#include "sync/connection.h"
#include "sync/intent.h"
#include "sync/ledger.h"
#include "sync/pull.h"
#include "sync/push.h"
#include "sync/reconcile.h"
#include "sync/seen.h"
#include "sync/store.h"

#define KEYS_AT_ONCE 1000		/* that are looked at, and perhaps asked for */

typedef struct KeyArray
{
	pg_uuid_t  *keys;
	int			n;
	int			room;
} KeyArray;

typedef struct Reconcile
{
	CrmTable   *table;
	CrmStore   *store;
	CrmConnection *conn;
	bool		repair;
	CrmDifferenceVisitor visit;
	void	   *arg;
	Snapshot	asked;			/* when CDMS was; NULL: nothing is late any more */
	CrmSeen    *seen;
	KeyArray	late;
	MemoryContext page;			/* reset for each */
} Reconcile;

static void
add_key(KeyArray *array, const pg_uuid_t *key)
{
	if (array->n == array->room)
		array->keys = repalloc_huge(array->keys, (array->room *= 2) * sizeof(pg_uuid_t));
	array->keys[array->n++] = *key;
}

static KeyArray
make_keys(void)
{
	KeyArray	array = {palloc_array(pg_uuid_t, 64), 0, 64};

	return array;
}

/* Those of n keys that another transaction has changed since CDMS was asked. */
static HTAB *
find_late(Reconcile *reconcile, const pg_uuid_t *keys, int n)
{
	if (reconcile->asked == NULL)
		return crm_key_hash("crm_sync changed rows", sizeof(pg_uuid_t));
	return crm_ledger_changed_since(reconcile->table->store, keys, n, reconcile->asked);
}

/* --------------------------------------------------- what both sides have */

static bool
is_pending(const CrmProtected *own, const char *column)
{
	ListCell   *lc;

	if (own)
		foreach(lc, own->columns)
			if (strcmp(lfirst(lc), column) == 0)
				return true;
	return false;
}

/* "differs: name, city": the columns that differ, waiting to be pushed or not; or NULL. */
static char *
columns_that_differ(CrmTable *table, const CrmObject *object, const CrmStoreRow *row,
					const CrmProtected *own, bool pending)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		int			field = column->field;

		if (field < 0 || is_pending(own, column->name) != pending ||
			crm_value_equal(table->entity.fields[field].pgtype,
							object->values[field], object->nulls[field],
							row->values[field], row->nulls[field]))
			continue;
		appendStringInfo(&text, "%s%s", text.len ? ", " : pending ? "pending: " : "differs: ",
						 column->name);
	}
	return text.len ? text.data : NULL;
}

/* What is to be said of an object that CDMS has; *repairable: it can be stored. */
static const char *
difference_of(Reconcile *reconcile, const CrmObject *object, const CrmStoreRow *row,
			  const CrmProtected *own, bool *repairable)
{
	char	   *text;

	*repairable = false;
	if (own && (own->deleted || row == NULL))
		return "pending";
	*repairable = true;
	if (row == NULL)
		return "missing in the store";
	text = columns_that_differ(reconcile->table, object, row, own, false);
	if (text)
		return text;
	*repairable = false;
	return columns_that_differ(reconcile->table, object, row, own, true);
}

/* Of n objects those that differ; differences gets what to say of each. */
static int
keep_differing(Reconcile *reconcile, CrmObject *objects, int n, const char **differences,
			   bool *repairable)
{
	pg_uuid_t  *keys = palloc_array(pg_uuid_t, n + 1);
	HTAB	   *rows;
	HTAB	   *protected;
	int			kept = 0;

	for (int i = 0; i < n; i++)
		keys[i] = objects[i].key;
	rows = crm_store_rows(reconcile->store, keys, n);
	protected = crm_ledger_protected(reconcile->table->store, keys, n);
	for (int i = 0; i < n; i++)
	{
		differences[kept] = difference_of(reconcile, &objects[i],
										  hash_search(rows, &keys[i], HASH_FIND, NULL),
										  hash_search(protected, &keys[i], HASH_FIND, NULL),
										  &repairable[kept]);
		if (differences[kept])
			objects[kept++] = objects[i];
	}
	return kept;
}

/* Reports what differs, and moves what is to be stored to the front; how many. */
static int
report_differing(Reconcile *reconcile, CrmObject *objects, int n, const char **differences,
				 bool *repairable)
{
	pg_uuid_t  *keys = palloc_array(pg_uuid_t, n + 1);
	HTAB	   *late;
	int			kept = 0;

	for (int i = 0; i < n; i++)
		keys[i] = objects[i].key;
	late = find_late(reconcile, keys, n);
	for (int i = 0; i < n; i++)
	{
		if (hash_search(late, &keys[i], HASH_FIND, NULL))
		{
			add_key(&reconcile->late, &keys[i]);
			continue;
		}
		reconcile->visit(&keys[i], differences[i], reconcile->arg);
		if (repairable[i])
			objects[kept++] = objects[i];
	}
	return kept;
}

/*
 * CDMS's version is taken.  A row that somebody has written since it was compared
 * is left as it is: that is newer.
 */
static void
store_objects(Reconcile *reconcile, CrmObject *objects, int n)
{
	CrmApplication application = {.store = reconcile->store,.memory = CurrentMemoryContext};

	(void) crm_apply(&application, objects, n);
}

static void
compare_objects(Reconcile *reconcile, CrmObject *objects, int n)
{
	const char **differences = palloc_array(const char *, n + 1);
	bool	   *repairable = palloc_array(bool, n + 1);

	n = keep_differing(reconcile, objects, n, differences, repairable);
	if (n == 0)
		return;
	n = report_differing(reconcile, objects, n, differences, repairable);
	if (reconcile->repair && n > 0)
		store_objects(reconcile, objects, n);
}

/* ------------------------------------------------- what only the store has */

static void
treat_missing(Reconcile *reconcile, const pg_uuid_t *key)
{
	CrmTable   *table = reconcile->table;

	if (table->on_missing == CRM_MISSING_DELETE)
		(void) crm_apply_deletion(reconcile->store, key, NULL);
	else if (table->on_missing == CRM_MISSING_CREATE && table->updatable)
		crm_ledger_record_missing(table->store, key, table->owner);
}

typedef struct FoundVisit
{
	Reconcile  *reconcile;
	HTAB	   *found;
} FoundVisit;

static void
compare_found(CrmObject *objects, int n, void *arg)
{
	FoundVisit *visit = arg;

	for (int i = 0; i < n; i++)
		hash_search(visit->found, &objects[i].key, HASH_ENTER, NULL);
	compare_objects(visit->reconcile, objects, n);
}

/*
 * Of n rows that CDMS lacks those that don't wait to be sent there, moved to the
 * front; how many.
 */
static int
report_pending(Reconcile *reconcile, pg_uuid_t *keys, int n)
{
	HTAB	   *rows = crm_store_rows(reconcile->store, keys, n);
	HTAB	   *protected = crm_ledger_protected(reconcile->table->store, keys, n);
	int			kept = 0;

	for (int i = 0; i < n; i++)
		if (!hash_search(rows, &keys[i], HASH_FIND, NULL))
			continue;
		else if (hash_search(protected, &keys[i], HASH_FIND, NULL))
			reconcile->visit(&keys[i], "pending", reconcile->arg);
		else
			keys[kept++] = keys[i];
	return kept;
}

static void
report_missing(Reconcile *reconcile, const pg_uuid_t *keys, int n)
{
	for (int i = 0; i < n; i++)
	{
		reconcile->visit(&keys[i], "missing in CDMS", reconcile->arg);
		if (reconcile->repair)
			treat_missing(reconcile, &keys[i]);
	}
}

/* Asks for objects by key: those that come are compared, the others are missing. */
static void
ask_by_key(Reconcile *reconcile, const pg_uuid_t *keys, int n)
{
	FoundVisit	visit = {reconcile, crm_key_hash("crm_sync found objects", sizeof(pg_uuid_t))};
	KeyArray	missing = make_keys();

	crm_pull_by_keys(reconcile->conn, reconcile->table, keys, n, compare_found, &visit);
	for (int i = 0; i < n; i++)
		if (!hash_search(visit.found, &keys[i], HASH_FIND, NULL))
			add_key(&missing, &keys[i]);
	missing.n = report_pending(reconcile, missing.keys, missing.n);
	report_missing(reconcile, missing.keys, missing.n);
}

/*
 * Rows that were not in the answer.  Before one is deleted here or created there,
 * it is asked for by its key.
 */
static void
treat_unseen(Reconcile *reconcile, KeyArray *unseen)
{
	MemoryContext before = MemoryContextSwitchTo(reconcile->page);
	HTAB	   *late = find_late(reconcile, unseen->keys, unseen->n);
	int			kept = 0;

	for (int i = 0; i < unseen->n; i++)
		if (hash_search(late, &unseen->keys[i], HASH_FIND, NULL))
			add_key(&reconcile->late, &unseen->keys[i]);
		else
			unseen->keys[kept++] = unseen->keys[i];
	kept = report_pending(reconcile, unseen->keys, kept);
	if (reconcile->repair && reconcile->table->on_missing != CRM_MISSING_IGNORE)
		ask_by_key(reconcile, unseen->keys, kept);
	else
		report_missing(reconcile, unseen->keys, kept);
	unseen->n = 0;
	MemoryContextSwitchTo(before);
	MemoryContextReset(reconcile->page);
}

/* ----------------------------------------------------- from end to end */

static Snapshot
take_snapshot(void)
{
	Snapshot	snapshot;

	PushActiveSnapshot(GetTransactionSnapshot());
	snapshot = RegisterSnapshot(GetActiveSnapshot());
	PopActiveSnapshot();
	return snapshot;
}

static void
read_cdms(Reconcile *reconcile)
{
	CrmQuery	query = {.entity = &reconcile->table->entity,.ahead = true};
	CrmCursor  *cursor = reconcile->conn->protocol->open(reconcile->conn, &query);
	MemoryContext before = MemoryContextSwitchTo(reconcile->page);
	CrmPage    *page;

	while ((page = reconcile->conn->protocol->fetch(cursor)) != NULL)
	{
		crm_seen_add(reconcile->seen, page);
		compare_objects(reconcile, page->objects, page->nobjects);
		MemoryContextReset(reconcile->page);
	}
	MemoryContextSwitchTo(before);
}

/* The store's keys in order, as the sorted ones of CDMS are. */
static void
read_store(Reconcile *reconcile)
{
	const char *key = quote_identifier(reconcile->table->key->name);
	CrmStatement *statement =
	crm_statement_prepare_unfiltered(psprintf("SELECT %s FROM %s ORDER BY %s", key,
											  reconcile->table->store_name, key),
									 0, NULL, reconcile->table);
	Snapshot	snapshot = take_snapshot();
	CrmScan    *scan = crm_scan_open(statement, snapshot);
	KeyArray	unseen = make_keys();
	TupleTableSlot *row;

	crm_scan_rescan(scan, NULL, NULL);
	while ((row = crm_scan_next(scan)) != NULL)
	{
		const pg_uuid_t *value = crm_store_key(row, 1);

		if (!crm_seen_has(reconcile->seen, value))
			add_key(&unseen, value);
		if (unseen.n == KEYS_AT_ONCE)
			treat_unseen(reconcile, &unseen);
	}
	crm_scan_close(scan);
	treat_unseen(reconcile, &unseen);
	UnregisterSnapshot(snapshot);
}

/* They have changed here while CDMS was asked: as things are now. */
static void
treat_late(Reconcile *reconcile)
{
	MemoryContext before = MemoryContextSwitchTo(reconcile->page);

	UnregisterSnapshot(reconcile->asked);
	reconcile->asked = NULL;
	for (int i = 0; i < reconcile->late.n; i += KEYS_AT_ONCE)
	{
		ask_by_key(reconcile, reconcile->late.keys + i,
				   Min(KEYS_AT_ONCE, reconcile->late.n - i));
		MemoryContextReset(reconcile->page);
	}
	MemoryContextSwitchTo(before);
}

void
crm_reconcile_table(CrmTable *table, bool repair, CrmDifferenceVisitor visit, void *arg)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "crm_sync reconcile",
												 ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(memory);
	Reconcile	reconcile = {.table = table,.repair = repair,.visit = visit,.arg = arg};

	reconcile.store = crm_store_open(table);
	reconcile.conn = crm_connection_get(table->serverid, table->owner);
	reconcile.late = make_keys();
	reconcile.page = AllocSetContextCreate(memory, "crm_sync page", ALLOCSET_DEFAULT_SIZES);
	reconcile.seen = crm_seen_begin();
	crm_intent_settle(table->serverid, table->owner);
	reconcile.asked = take_snapshot();
	read_cdms(&reconcile);
	read_store(&reconcile);
	crm_seen_end(reconcile.seen);
	treat_late(&reconcile);
	if (repair && table->updatable && !table->queued)
		crm_push_pending_inserts(table, PG_INT32_MAX);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(memory);
}
