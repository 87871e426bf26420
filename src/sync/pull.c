/*
 * sync/pull.c
 *	  What happens on SELECT.
 *
 *	  1. CDMS is asked: for the objects of certain keys; else, of a table that was
 *		 loaded whole, for what changed since; else for what matches the
 *		 conditions that can be sent, or for all.
 *	  2. What it answered is written to the store where the values differ; what
 *		 is to be pushed from here is left alone, and what can't be stored at once
 *		 is overlaid for this statement (sync/apply.c).
 *	  3. After a question by conditions, rows that match in the store only were
 *		 changed in CDMS, or are gone: they are asked for by key.  What is gone
 *		 is treated as on_missing says.
 *	  4. Rows that were never pushed go to CDMS with this transaction's COMMIT.
 *
 * Everything is done in the reader's own transaction, and before the statement
 * reads its first row: so nothing is written in parallel mode, and one snapshot
 * taken afterwards shows it all.
 */
#include "postgres.h"

#include <inttypes.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "sync/age.h"
#include "sync/apply.h"
#include "sync/asked.h"
#include "sync/attempt.h"
#include "sync/connection.h"
#include "sync/intent.h"
#include "sync/ledger.h"
#include "sync/load.h"
#include "sync/options.h"
#include "sync/pull.h"
#include "sync/push.h"
#include "sync/seen.h"
#include "sync/store.h"

#define CREATES_PER_READ 100	/* contract, read rule 3 */
#define CLOCKS_DIFFER (2 * USECS_PER_SEC)	/* a Date has whole seconds; a request
											 * takes its time */
#define KEYS_BY_KEY 25			/* more objects of a complete table are not asked
								 * for one by one */

bool		crm_pushdown = true;

/* One pull under way. */
typedef struct Pull
{
	CrmTable   *table;
	CrmApplication application; /* to the store */
	CrmConnection *conn;
	HTAB	   *seen;			/* keys that CDMS answered with ... */
	CrmSeen    *all_seen;		/* ... when asked for all; NULL: nobody has to know */
	int64		written;
	bool		whole;			/* the answer is about all objects */
	TimestampTz began;			/* by our clock */
	TimestampTz date;			/* CDMS's clock at the first answer; 0: none */
	int64		version;		/* the highest VersionNumber that came, where it
								 * counts; 0: none */
	MemoryContext page;			/* reset for each page */
} Pull;

/* -------------------------------------------------- taking an answer */

static void
note_seen(Pull *pull, CrmPage *page)
{
	for (int i = 0; i < page->nobjects; i++)
		hash_search(pull->seen, &page->objects[i].key, HASH_ENTER, NULL);
}

static void
note_versions(Pull *pull, CrmPage *page)
{
	int			field = pull->table->version_field;

	for (int i = 0; field >= 0 && i < page->nobjects; i++)
		if (!page->objects[i].nulls[field])
			pull->version = Max(pull->version, DatumGetInt64(page->objects[i].values[field]));
}

static void
store_page(Pull *pull, CrmPage *page)
{
	int			n;

	if (pull->date == 0)
		pull->date = page->date;
	note_versions(pull, page);
	n = crm_asked_drop_repeated(pull->table, page->objects, page->nobjects);
	crm_asked_note(pull->table, page->objects, n, GetCurrentTimestamp());
	pull->written += crm_apply(&pull->application, page->objects, n);
}

/* Follows a query page by page into the store. */
static void
pull_query(Pull *pull, CrmQuery *query)
{
	const CrmProtocol *protocol = pull->conn->protocol;
	MemoryContext before = CurrentMemoryContext;
	CrmCursor  *cursor;
	CrmPage    *page;

	query->ahead = true;
	cursor = protocol->open(pull->conn, query);
	MemoryContextSwitchTo(pull->page);
	while ((page = protocol->fetch(cursor)) != NULL)
	{
		note_seen(pull, page);
		store_page(pull, page);
		MemoryContextReset(pull->page);
	}
	MemoryContextSwitchTo(before);
}

/* The next page of a load, into the store; false: there is none. */
static bool
pull_loaded(Pull *pull, CrmLoad *load, bool by_key)
{
	MemoryContext before = MemoryContextSwitchTo(pull->page);
	CrmPage    *page = crm_load_next(load);

	if (page && by_key)
		note_seen(pull, page);
	else if (page && pull->all_seen)
		crm_seen_add(pull->all_seen, page);
	if (page)
		store_page(pull, page);
	MemoryContextSwitchTo(before);
	MemoryContextReset(pull->page);
	return page != NULL;
}

/* ------------------------------------------------------------- by key */

static void
pull_keys(Pull *pull, const pg_uuid_t *keys, int n)
{
	CrmLoad    *load = crm_load_keys(pull->conn, &pull->table->entity, keys, n);

	while (pull_loaded(pull, load, true))
		continue;
}

void
crm_pull_by_keys(CrmConnection *conn, CrmTable *table, const pg_uuid_t *keys, int n,
				 CrmObjectsVisitor visit, void *arg)
{
	CrmLoad    *load = crm_load_keys(conn, &table->entity, keys, n);
	CrmPage    *page;

	while ((page = crm_load_next(load)) != NULL)
		visit(page->objects, page->nobjects, arg);
}

/* -------------------------------------------- what the answer lacked */

static void
treat_missing(Pull *pull, const pg_uuid_t *key, int *created)
{
	CrmTable   *table = pull->table;

	switch (table->on_missing)
	{
		case CRM_MISSING_IGNORE:
			break;
		case CRM_MISSING_DELETE:
			pull->written += crm_apply_deletion(pull->application.store, key,
												pull->application.overlay);
			break;
		case CRM_MISSING_CREATE:
			if (!XactReadOnly && (*created)++ < CREATES_PER_READ && table->updatable)
				crm_ledger_record_missing(table->store, key, table->owner);
			break;
	}
}

/* Those of n keys that the answer did not have, moved to the front; how many. */
static int
unseen_keys(Pull *pull, pg_uuid_t *keys, int n)
{
	int			unseen = 0;

	for (int i = 0; i < n; i++)
		if (!hash_search(pull->seen, &keys[i], HASH_FIND, NULL))
			keys[unseen++] = keys[i];
	return unseen;
}

/*
 * Rows that CDMS does not have and that are not waiting to be pushed.  The keys
 * are moved about.
 */
static void
treat_all_missing(Pull *pull, pg_uuid_t *keys, int n)
{
	HTAB	   *rows;
	HTAB	   *protected;
	HTAB	   *late;
	int			created = 0;

	n = unseen_keys(pull, keys, n);
	if (n == 0)
		return;
	rows = crm_store_rows(pull->application.store, keys, n);
	protected = crm_ledger_protected(pull->table->store, keys, n);
	late = crm_ledger_changed_since(pull->table->store, keys, n, pull->application.asked);
	for (int i = 0; i < n; i++)
		if (hash_search(rows, &keys[i], HASH_FIND, NULL) &&
			!hash_search(late, &keys[i], HASH_FIND, NULL) &&
			!hash_search(protected, &keys[i], HASH_FIND, NULL))
			treat_missing(pull, &keys[i], &created);
}

typedef struct KeyList
{
	HTAB	   *seen;			/* where keys come in any order */
	CrmSeen    *all_seen;		/* where they are sorted, else NULL */
	pg_uuid_t  *keys;
	int			n;
	int			room;
} KeyList;

static void
keep_unseen(TupleTableSlot *slot, void *arg)
{
	KeyList    *list = arg;
	const pg_uuid_t *key = crm_store_key(slot, 1);

	if (list->all_seen ? crm_seen_has(list->all_seen, key) :
		hash_search(list->seen, key, HASH_FIND, NULL) != NULL)
		return;
	if (list->n == list->room)
		list->keys = repalloc_huge(list->keys, (list->room *= 2) * sizeof(pg_uuid_t));
	list->keys[list->n++] = *key;
}

/*
 * Rows that match here and were not in the answer: changed in CDMS so that they
 * match no more, deleted there, hidden, or never pushed.
 */
static void
pull_unseen(Pull *pull, List *quals)
{
	CrmTable   *table = pull->table;
	KeyList		list = {pull->seen, pull->all_seen, palloc_array(pg_uuid_t, 64), 0, 64};
	const char *key = quote_identifier(table->key->name);
	char	   *sql = psprintf("SELECT %s FROM %s%s", key, table->store_name,
							   pull->all_seen ? psprintf(" ORDER BY %s", key) : "");
	CrmStatement *statement = quals == NIL ? crm_statement_prepare_unfiltered(sql, 0, NULL, table) :
		crm_statement_prepare(sql, 0, NULL, table, quals);

	crm_statement_run(statement, NULL, NULL, keep_unseen, &list);
	pull_keys(pull, list.keys, list.n);
	treat_all_missing(pull, list.keys, list.n);
}

/* ------------------------------------------------- changes since then */

/*
 * What "complete" was said of: an entity with these properties, at this place, as
 * this user sees it, in these columns of the store.  One that was made anew is
 * another, whoever made it.
 */
char *
crm_pull_mapping(CrmTable *table)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%s %s %s %s",
					 crm_option(GetForeignServer(table->serverid)->options, "url"),
					 table->entity.set, GetUserNameFromId(table->owner, false),
					 crm_connection_username(table->serverid, table->owner));
	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		CrmField   *field;

		if (column->field < 0)
			continue;
		field = &table->entity.fields[column->field];
		appendStringInfo(&text, " %s/%s %s %d", field->property, field->member ? field->member : "",
						 format_type_extended(field->pgtype, field->pgtypmod,
											  FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY),
						 column->store_attnum);
	}
	return psprintf("%016" PRIx64,
					hash_bytes_extended((unsigned char *) text.data, text.len, 0));
}

/* Without ModifiedOn changes can perhaps be asked for by VersionNumber. */
static bool
has_versions(CrmTable *table)
{
	return table->version_field >= 0 && !table->version_refused;
}

/*
 * Was the table loaded whole, so that changes can be asked for, and through when?
 */
static bool
read_progress(CrmTable *table, CrmProgress *progress)
{
	return (table->modified_field >= 0 || has_versions(table)) && OidIsValid(table->store) &&
		crm_ledger_progress(table->store, crm_pull_mapping(table), progress) &&
		(table->modified_field >= 0 || progress->version > 0);
}

bool
crm_pull_is_complete(CrmTable *table, TimestampTz *pulled_through)
{
	CrmProgress progress;

	if (!read_progress(table, &progress))
		return false;
	*pulled_through = progress.pulled_through;
	return true;
}

/*
 * ModifiedOn has whole seconds, and commits appear out of order: hence "ge", and
 * the overlap (cdms-protocol 5).
 */
static CrmCondition *
changed_since(CrmTable *table, const CrmProgress *progress)
{
	TimestampTz since = TimestampTzPlusMilliseconds(progress->pulled_through, -table->overlap);
	int64		fraction = since % USECS_PER_SEC;

	if (table->modified_field < 0)
		return crm_condition_compare(CRM_GE, &table->entity.fields[table->version_field],
									 Int64GetDatum(progress->version), INT8OID);
	since -= fraction < 0 ? fraction + USECS_PER_SEC : fraction;
	return crm_condition_compare(CRM_GE, &table->entity.fields[table->modified_field],
								 TimestampTzGetDatum(since), TIMESTAMPTZOID);
}

/*
 * Is all that was answered in the store, and may the watermark be written?  Under
 * REPEATABLE READ it could collide with another session's.
 */
static bool
is_stored(Pull *pull)
{
	return !XactReadOnly && !IsolationUsesXactSnapshot() &&
		crm_overlay_is_empty(pull->application.overlay);
}

/*
 * The watermark moves in steps: each costs a write, and until it has moved
 * beyond a change by the overlap the change is asked for again.
 */
static bool
is_worth_noting(Pull *pull, TimestampTz pulled_through)
{
	return hash_get_num_entries(pull->seen) > 0 && pull->date != 0 &&
		TimestampDifferenceExceeds(pulled_through, pull->date, pull->table->overlap / 4);
}

static void
note_progress(Pull *pull, bool anew)
{
	CrmProgress progress = {.pulled_through = pull->date,.asked_at = pull->began};

	crm_ledger_set_progress(pull->table->store, crm_pull_mapping(pull->table), &progress, anew);
}

/*
 * Was CDMS's clock set back?  It shows an earlier time than the watermark; or it
 * had been ahead, and has shown a later one again before anybody asked: then less
 * time has gone by for CDMS than for us.
 */
static bool
was_set_back(Pull *pull, const CrmProgress *progress)
{
	int64		half = pull->table->overlap / 2 * INT64CONST(1000);
	int64		theirs = pull->date - progress->pulled_through;
	int64		ours = pull->began - progress->asked_at;

	return pull->date != 0 && (theirs < -half || theirs < ours - half - CLOCKS_DIFFER);
}

/*
 * A VersionNumber is given when an object is written, and seen when that is
 * committed: so all up to one is there only as long after it was seen as the
 * overlap is.  Until then the table is read whole.
 */
static void
note_version(Pull *pull)
{
	CrmTable   *table = pull->table;
	char	   *mapping = crm_pull_mapping(table);
	CrmProgress former = {0};
	CrmProgress progress = {
		.pulled_through = pull->date ? pull->date : pull->began,.asked_at = pull->began,
		.next_version = pull->version
	};

	if (crm_ledger_progress(table->store, mapping, &former) &&
		!TimestampDifferenceExceeds(former.asked_at, pull->began, table->overlap))
		return;
	progress.version = Min(former.next_version, pull->version);
	if (progress.version != former.version || progress.next_version != former.next_version)
		crm_ledger_set_progress(table->store, mapping, &progress, true);
}

/* Notes that all has come. */
static void
note_whole(Pull *pull)
{
	if (!is_stored(pull))
		return;
	if (pull->table->modified_field < 0 && has_versions(pull->table))
		note_version(pull);
	else if (pull->table->modified_field >= 0 && pull->date != 0)
		note_progress(pull, true);
}

typedef struct VersionQuery
{
	Pull	   *pull;
	CrmQuery	query;
} VersionQuery;

static void
ask_by_version(void *arg)
{
	VersionQuery *asked = arg;

	pull_query(asked->pull, &asked->query);
}

/*
 * Whether CDMS filters by VersionNumber nobody has confirmed.  Where it refuses,
 * the table is read whole, as long as its description lasts.  The object that has
 * the version asked from must come, or a newer one of it: when nothing comes it is
 * gone, and perhaps not alone.
 */
static bool
pull_newer_versions(Pull *pull, const CrmProgress *progress)
{
	VersionQuery asked = {pull, {.entity = &pull->table->entity}};
	int64		written = pull->written;
	ErrorData  *error;

	asked.query.filter = changed_since(pull->table, progress);
	error = crm_attempt(ask_by_version, &asked);
	if (error && error->sqlerrcode != ERRCODE_FDW_ERROR)
		ReThrowError(error);
	if (error)
	{
		pull->written = written;
		pull->table->version_refused = true;
		return false;
	}
	pull->whole = true;
	if (pull->version > 0 && is_stored(pull))
		note_version(pull);
	return pull->version > 0;
}

/*
 * Asks for changes only.  False when that is not to be trusted: CDMS's clock was
 * set back, and what changed since then carries earlier dates.
 */
static bool
pull_changes(Pull *pull, const CrmProgress *progress)
{
	CrmQuery	query = {.entity = &pull->table->entity};

	if (pull->table->modified_field < 0)
		return pull_newer_versions(pull, progress);
	query.filter = changed_since(pull->table, progress);
	pull_query(pull, &query);
	pull->whole = true;
	if (was_set_back(pull, progress))
		return false;
	if (is_stored(pull) && is_worth_noting(pull, progress->pulled_through))
		note_progress(pull, false);
	return true;
}

/* ------------------------------------------------------- the question */

CrmCondition *
crm_pull_filter(CrmConnection *conn, CrmQuery *query, List *filters)
{
	/* What a URL can't carry is left out from the end: the answer grows. */
	for (List *rest = crm_pushdown ? list_copy(filters) : NIL; rest != NIL;
		 rest = list_delete_last(rest))
	{
		query->filter = list_length(rest) == 1 ? linitial(rest) :
			crm_condition_group(CRM_AND, rest);
		if (conn->protocol->fits(conn, query))
			return unconstify(CrmCondition *, query->filter);
	}
	query->filter = NULL;
	return NULL;
}

/* Of a complete table asking for changes is one request, whatever number of keys. */
static const CrmAsk *
cheaper_question(CrmTable *table, const CrmAsk *ask)
{
	TimestampTz pulled_through;
	CrmAsk	   *changes;

	if (ask->nkeys <= KEYS_BY_KEY || !crm_pull_is_complete(table, &pulled_through))
		return ask;
	changes = palloc0_object(CrmAsk);
	changes->wait = ask->wait;
	return changes;
}

char *
crm_pull_describe(CrmConnection *conn, CrmTable *table, const CrmAsk *ask)
{
	CrmQuery	query = {.entity = &table->entity};
	CrmProgress progress;

	if (ask->by_key && ask->nkeys == 0)
		return "";
	ask = cheaper_question(table, ask);
	if (!ask->by_key && read_progress(table, &progress))
		query.filter = changed_since(table, &progress);
	else if (ask->by_key)
		query.filter = crm_condition_keys(query.entity, ask->keys,
										  conn->protocol->keys_per_query(conn, query.entity, ask->nkeys));
	else
		crm_pull_filter(conn, &query, ask->filters);
	return conn->protocol->describe(conn, &query);
}

static char *
question_text(CrmConnection *conn, CrmTable *table, const CrmAsk *ask)
{
	StringInfoData text;
	TimestampTz pulled_through;

	initStringInfo(&text);
	if (!ask->by_key && crm_pull_is_complete(table, &pulled_through))
		appendStringInfoString(&text, "changes");
	else if (!ask->by_key)
	{
		appendStringInfoString(&text, crm_pull_describe(conn, table, ask));
		appendStringInfo(&text, " %s", nodeToString(ask->quals));
	}
	for (int i = 0; i < ask->nkeys; i++)
		appendStringInfo(&text, " %s",
						 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&ask->keys[i]))));
	return text.data;
}

static void
note_row(TupleTableSlot *slot, void *arg)
{
	*(bool *) arg = true;
}

bool
crm_pull_store_is_empty(CrmTable *table)
{
	CrmStatement *statement =
	crm_statement_prepare_unfiltered(psprintf("SELECT %s FROM %s LIMIT 1",
											  quote_identifier(table->key->name),
											  table->store_name),
									 0, NULL, table);
	bool		found = false;

	crm_statement_run(statement, NULL, NULL, note_row, &found);
	return !found;
}

/* All objects.  Of a store that was empty before none can be missing in CDMS. */
static void
pull_everything(Pull *pull, List *quals)
{
	CrmLoad    *load = crm_load_all(pull->conn, &pull->table->entity, false);
	bool		empty = crm_pull_store_is_empty(pull->table);

	if (!empty)
		pull->all_seen = crm_seen_begin();
	while (pull_loaded(pull, load, false))
		continue;
	if (empty)
		return;
	pull_unseen(pull, quals);
	crm_seen_end(pull->all_seen);
	pull->all_seen = NULL;
}

/* By the conditions that can be sent; without any, the table is complete afterwards. */
static void
pull_matching(Pull *pull, const CrmAsk *ask)
{
	CrmQuery	query = {.entity = &pull->table->entity};

	crm_pull_filter(pull->conn, &query, ask->filters);
	if (query.filter == NULL)
		pull_everything(pull, ask->quals);
	else
	{
		pull_query(pull, &query);
		pull_unseen(pull, ask->quals);
	}
	pull->whole = query.filter == NULL && ask->quals == NIL;
	if (pull->whole)
		note_whole(pull);
}

static void
pull_ask(Pull *pull, const CrmAsk *ask)
{
	static const CrmAsk everything = {0};
	CrmProgress progress;

	if (ask->by_key)
	{
		pg_uuid_t  *keys = palloc_array(pg_uuid_t, ask->nkeys);

		pull_keys(pull, ask->keys, ask->nkeys);
		memcpy(keys, ask->keys, ask->nkeys * sizeof(pg_uuid_t));
		treat_all_missing(pull, keys, ask->nkeys);
	}
	else if (!read_progress(pull->table, &progress))
		pull_matching(pull, ask);
	else if (!pull_changes(pull, &progress))
	{
		pull->date = 0;
		pull->version = 0;
		pull_matching(pull, &everything);
	}
}

static Pull *
begin_pull(CrmTable *table, CrmOverlay *overlay)
{
	Pull	   *pull = palloc0_object(Pull);

	pull->table = table;
	pull->began = GetCurrentTimestamp();
	pull->application.store = crm_store_open(table);
	pull->application.overlay = overlay;
	pull->application.memory = CurrentMemoryContext;
	pull->conn = crm_connection_get(table->serverid, table->owner);
	pull->seen = crm_key_hash("crm_sync seen objects", sizeof(pg_uuid_t));
	pull->page = AllocSetContextCreate(CurrentMemoryContext, "crm_sync page",
									   ALLOCSET_DEFAULT_SIZES);
	return pull;
}

/* What is visible now, as CDMS is about to be asked. */
static void
take_snapshot(Pull *pull)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	pull->application.asked = RegisterSnapshot(GetActiveSnapshot());
	PopActiveSnapshot();
}

/* Objects whose answer came too late are asked for once more. */
static void
pull_late(Pull *pull)
{
	List	   *late = pull->application.late;
	pg_uuid_t  *keys = palloc_array(pg_uuid_t, list_length(late) + 1);
	ListCell   *lc;

	foreach(lc, late)
		keys[foreach_current_index(lc)] = *(pg_uuid_t *) lfirst(lc);
	pull->application.late = NIL;
	UnregisterSnapshot(pull->application.asked);
	take_snapshot(pull);
	pull_keys(pull, keys, list_length(late));
}

static void
finish_pull(Pull *pull)
{
	if (pull->application.late != NIL)
		pull_late(pull);
	UnregisterSnapshot(pull->application.asked);
	if (!XactReadOnly && pull->table->updatable && !pull->table->queued)
		crm_push_pending_inserts(pull->table, CREATES_PER_READ);
}

/* Is all that came in the store, or something newer that is known? */
static bool
is_settled(Pull *pull)
{
	return pull->application.late == NIL && crm_overlay_is_empty(pull->application.overlay);
}

/* Where policies are FORCEd upon the owner, rows that match were this reader's only. */
static bool
is_anybodys(CrmTable *table, const CrmAsk *ask)
{
	return ask->quals == NIL || crm_overlay_is_allowed(table);
}

/* The whole of a pull; result: rows written to the store. */
static int64
run_pull(CrmTable *table, const CrmAsk *ask, CrmOverlay *overlay)
{
	MemoryContext memory = CurrentMemoryContext;
	int64		asked = crm_age_begin(table);
	Pull	   *pull = begin_pull(table, overlay);

	PG_TRY();
	{
		crm_intent_settle(table->serverid, table->owner);
		take_snapshot(pull);
		pull_ask(pull, ask);
		finish_pull(pull);
		if (is_settled(pull) && is_anybodys(table, ask))
			crm_age_note(table, ask, pull->whole, asked);
		crm_asked_succeeded(table->relid);
	}
	PG_CATCH();
	{
		crm_asked_failed(table->relid, memory);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return pull->written;
}

/* Pages until it is time; false: there are no more. */
static bool
pull_until(Pull *pull, CrmLoad *load, TimestampTz until)
{
	bool		paused = false;

	while (pull_loaded(pull, load, false))
		if (!paused && GetCurrentTimestamp() >= until)
		{
			crm_load_pause(load);
			paused = true;
		}
	return paused;
}

bool
crm_pull_loaded(CrmTable *table, CrmLoad *load, TimestampTz until, CrmProgress *began)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext own = AllocSetContextCreate(caller, "crm_sync pull", ALLOCSET_DEFAULT_SIZES);
	Pull	   *pull;
	bool		more;

	MemoryContextSwitchTo(own);
	pull = begin_pull(table, NULL);
	PG_TRY();
	{
		crm_intent_settle(table->serverid, table->owner);
		take_snapshot(pull);
		more = pull_until(pull, load, until);
		finish_pull(pull);
		crm_asked_succeeded(table->relid);
	}
	PG_CATCH();
	{
		crm_asked_failed(table->relid, caller);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (began->pulled_through == 0 && pull->date != 0)
	{
		began->pulled_through = pull->date;
		began->asked_at = pull->began;
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(own);
	return more;
}

void
crm_pull_unseen_by_all(CrmTable *table)
{
	Pull	   *pull = begin_pull(table, NULL);
	CrmLoad    *load = crm_load_all_keys(pull->conn, &table->entity);
	CrmPage    *page;

	take_snapshot(pull);
	pull->all_seen = crm_seen_begin();
	MemoryContextSwitchTo(pull->page);
	while ((page = crm_load_next(load)) != NULL)
	{
		crm_seen_add(pull->all_seen, page);
		MemoryContextReset(pull->page);
	}
	MemoryContextSwitchTo(pull->application.memory);
	pull_unseen(pull, NIL);
	crm_seen_end(pull->all_seen);
	finish_pull(pull);
}

/* A pull whose failure is bearable where on_unavailable is local. */
typedef struct TriedPull
{
	CrmTable   *table;
	const CrmAsk *ask;
	CrmAsked   *asked;
} TriedPull;

static void
try_pull(void *arg)
{
	TriedPull  *tried = arg;

	tried->asked->written = run_pull(tried->table, tried->ask, tried->asked->overlay);
}

/* The store answers when CDMS is not reached, and the reader is told. */
static void
pull_if_there(CrmTable *table, const CrmAsk *ask, CrmAsked *asked)
{
	TriedPull	tried = {table, ask, asked};
	ErrorData  *error = crm_attempt(try_pull, &tried);

	if (error == NULL)
		return;
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_CONNECTION_EXCEPTION)
		ReThrowError(error);
	asked->answer = CRM_ANSWER_UNREACHED;
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("CDMS was not asked: %s", error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 errhint("The answer is what %s held when it was last synchronised.", table->name)));
}

/* Asks, unless the statement has. */
static void
ask_now(CrmTable *table, const CrmAsk *ask, MemoryContext statement, CrmAsked *asked)
{
	CrmConnection *conn = crm_connection_get(table->serverid, table->owner);
	CrmHttpCounters *counters = crm_http_counters(conn->http);

	if (crm_asked_before(statement, table->relid, question_text(conn, table, ask)))
	{
		asked->answer = CRM_ANSWER_REPEATED;
		return;
	}
	asked->answer = CRM_ANSWER_ASKED;
	asked->requests = -counters->get;
	asked->objects = -conn->objects;
	if (table->local_when_away)
		pull_if_there(table, ask, asked);
	else
		asked->written = run_pull(table, ask, asked->overlay);
	asked->requests += counters->get;
	asked->objects += conn->objects;
}

const char *
crm_answer_name(CrmAnswer answer)
{
	static const char *const names[] = {
		[CRM_ANSWER_LOCAL] = "not asked",
		[CRM_ANSWER_ASKED] = "asked",
		[CRM_ANSWER_REPEATED] = "asked before",
		[CRM_ANSWER_UNREACHED] = "not reached",
		[CRM_ANSWER_SESSION] = "within max_age (session)",
		[CRM_ANSWER_CLUSTER] = "within max_age (cluster)",
	};

	return names[answer];
}

CrmAsked
crm_pull(CrmTable *table, const CrmAsk *ask, MemoryContext statement)
{
	CrmAsked	asked = {0};
	MemoryContext own;
	MemoryContext before;

	crm_table_require_store(table);
	if (crm_mode == CRM_MODE_LOCAL || (ask->by_key && ask->nkeys == 0))
		return asked;
	if (!ask->wait && crm_overlay_is_allowed(table))
		asked.overlay = crm_asked_overlay(table, statement);
	if (crm_age_within(table, ask, &asked.answer))
		return asked;

	own = AllocSetContextCreate(CurrentMemoryContext, "crm_sync pull", ALLOCSET_DEFAULT_SIZES);
	before = MemoryContextSwitchTo(own);
	ask_now(table, cheaper_question(table, ask), statement, &asked);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(own);
	return asked;
}

int64
crm_pull_all(CrmTable *table)
{
	CrmAsk		ask = {0};

	return run_pull(table, &ask, NULL);
}
