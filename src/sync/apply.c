/*
 * sync/apply.c
 *	  From answers to rows of the store, waiting for nobody.
 *
 * Rows that another session has locked are found with SKIP LOCKED.  But a key may
 * be in another's uncommitted row, a foreign key or a user's trigger may run into
 * a lock: so the rest is tried in a subtransaction with a short lock_timeout, a
 * page whole, and only when that fails object by object.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "sync/apply.h"
#include "sync/asked.h"
#include "sync/attempt.h"
#include "sync/ledger.h"

#define LOCK_TIMEOUT "10ms"		/* "a moment" of the contract's read rule 6 */

/* Objects that differ from what the store has. */
typedef struct Changes
{
	CrmStore   *store;
	CrmApplication *application;
	List	   *objects;		/* CrmObject * */
	HTAB	   *rows;			/* CrmStoreRow: what the store has */
	HTAB	   *keys;			/* of all objects given */
	HTAB	   *locked;			/* keys of rows that could be locked; NULL: none */
	int			written;
} Changes;

/* Puts the store's values in place of those that are not CDMS's to change. */
static void
keep_own_values(CrmTable *table, CrmObject *object, const CrmStoreRow *row,
				const CrmProtected *protected)
{
	ListCell   *lc;

	if (protected == NULL)
		return;
	foreach(lc, protected->columns)
	{
		CrmColumn  *column = crm_table_column_by_name(table, lfirst(lc));

		if (column && column->field >= 0)
		{
			object->values[column->field] = row->values[column->field];
			object->nulls[column->field] = row->nulls[column->field];
		}
	}
}

static bool
differs(CrmEntity *entity, const CrmObject *object, const CrmStoreRow *row)
{
	for (int i = 0; i < entity->nfields; i++)
		if (!crm_value_equal(entity->fields[i].pgtype, object->values[i], object->nulls[i],
							 row->values[i], row->nulls[i]))
			return true;
	return false;
}

static bool
is_to_be_written(Changes *changes, CrmObject *object, HTAB *protected)
{
	CrmTable   *table = changes->store->table;
	CrmStoreRow *row = hash_search(changes->rows, &object->key, HASH_FIND, NULL);
	CrmProtected *own = hash_search(protected, &object->key, HASH_FIND, NULL);

	if (own && own->deleted)
		return false;
	if (row == NULL)
		return true;
	keep_own_values(table, object, row, own);
	return differs(&table->entity, object, row);
}

static pg_uuid_t *
keys_of(List *objects)
{
	pg_uuid_t  *keys = palloc_array(pg_uuid_t, list_length(objects));
	ListCell   *lc;

	foreach(lc, objects)
		keys[foreach_current_index(lc)] = ((CrmObject *) lfirst(lc))->key;
	return keys;
}

static void
note_late(CrmApplication *application, const CrmObject *object)
{
	MemoryContext before;
	pg_uuid_t  *key;

	if (application->asked == NULL)
		return;
	before = MemoryContextSwitchTo(application->memory);
	key = palloc_object(pg_uuid_t);
	*key = object->key;
	application->late = lappend(application->late, key);
	MemoryContextSwitchTo(before);
}

/*
 * An answer takes its time.  What another transaction has committed here since it
 * was asked for, and pushed, the answer does not have.
 */
static void
drop_late(Changes *changes)
{
	CrmApplication *application = changes->application;
	HTAB	   *changed = crm_ledger_changed_since(changes->store->table->store,
												   keys_of(changes->objects),
												   list_length(changes->objects),
												   application->asked);
	ListCell   *lc;

	foreach(lc, changes->objects)
	{
		CrmObject  *object = lfirst(lc);

		if (hash_search(changed, &object->key, HASH_FIND, NULL) == NULL)
			continue;
		note_late(application, object);
		changes->objects = foreach_delete_current(changes->objects, lc);
	}
}

/* An object that moved while CDMS answered may come twice: it is asked for again. */
static bool
is_repeated(Changes *changes, const CrmObject *object)
{
	bool		found;

	hash_search(changes->keys, &object->key, HASH_ENTER, &found);
	return found;
}

static Changes
find_changes(CrmApplication *application, CrmObject *objects, int n)
{
	CrmStore   *store = application->store;
	Changes		changes = {.store = store,.application = application};
	pg_uuid_t  *keys = palloc_array(pg_uuid_t, n + 1);
	HTAB	   *protected;

	if (n == 0)
		return changes;
	for (int i = 0; i < n; i++)
		keys[i] = objects[i].key;
	changes.keys = crm_key_hash("crm_sync objects", sizeof(pg_uuid_t));
	changes.rows = crm_store_rows(store, keys, n);
	protected = crm_ledger_protected(store->table->store, keys, n);
	for (int i = 0; i < n; i++)
		if (is_repeated(&changes, &objects[i]))
			note_late(application, &objects[i]);
		else if (is_to_be_written(&changes, &objects[i], protected))
			changes.objects = lappend(changes.objects, &objects[i]);
	if (changes.objects != NIL && application->asked)
		drop_late(&changes);
	return changes;
}

static const pg_uuid_t *
key_of(const ListCell *lc)
{
	return &((CrmObject *) lfirst(lc))->key;
}

static void
write_all(void *arg)
{
	Changes    *changes = arg;
	HTAB	   *written = crm_key_hash("crm_sync written rows", sizeof(pg_uuid_t));
	List	   *unknown = NIL;
	List	   *known = NIL;
	ListCell   *lc;

	foreach(lc, changes->objects)
		if (hash_search(changes->rows, key_of(lc), HASH_FIND, NULL))
			known = lappend(known, lfirst(lc));
		else
			unknown = lappend(unknown, lfirst(lc));
	if (unknown != NIL)
		crm_store_insert(changes->store, unknown, written);
	if (known != NIL)
		crm_store_update(changes->store, known, changes->rows, written);
	changes->written = hash_get_num_entries(written);

	/* Somebody has written the others since the rows were read. */
	foreach(lc, changes->objects)
		if (hash_search(written, key_of(lc), HASH_FIND, NULL) == NULL)
			note_late(changes->application, lfirst(lc));
}

/* ------------------------------------------------- waiting for nobody */

/* An act under a short lock_timeout. */
typedef struct Impatient
{
	void		(*act) (void *arg);
	void	   *arg;
} Impatient;

static void
act_impatiently(void *arg)
{
	Impatient  *impatient = arg;
	int			level = NewGUCNestLevel();

	(void) set_config_option("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	impatient->act(impatient->arg);
	AtEOXact_GUC(true, level);
}

/*
 * True when it was done; false when a lock, or under REPEATABLE READ a newer
 * row, was in the way.  Any other error is thrown.
 */
static bool
try_at_once(void (*act) (void *arg), void *arg)
{
	Impatient	impatient = {act, arg};
	ErrorData  *error = crm_attempt(act_impatiently, &impatient);

	if (error == NULL)
		return true;
	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
		error->sqlerrcode != ERRCODE_T_R_SERIALIZATION_FAILURE &&
		error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
		ReThrowError(error);
	FreeErrorData(error);
	return false;
}

/* Whoever writes it next gets it first, for the store's row is not what CDMS has. */
static void
overlay_object(Changes *changes, CrmOverlay *overlay, const CrmObject *object)
{
	crm_overlay_put(overlay, object);
	crm_asked_not_stored(changes->store->table->store, &object->key);
}

static void
overlay_all(Changes *changes, CrmOverlay *overlay)
{
	ListCell   *lc;

	foreach(lc, changes->objects)
		overlay_object(changes, overlay, lfirst(lc));
}

static void
lock_rows(void *arg)
{
	Changes    *changes = arg;

	changes->locked = crm_store_lock(changes->store, keys_of(changes->objects),
									 list_length(changes->objects));
}

/* Does somebody else have the row? */
static bool
is_taken(Changes *changes, const CrmObject *object)
{
	return hash_search(changes->rows, &object->key, HASH_FIND, NULL) &&
		(changes->locked == NULL ||
		 !hash_search(changes->locked, &object->key, HASH_FIND, NULL));
}

/* Puts rows that others have locked in the overlay; the rest stays to be written. */
static void
overlay_taken(Changes *changes, CrmOverlay *overlay)
{
	ListCell   *lc;

	if (!try_at_once(lock_rows, changes))
		changes->locked = NULL;
	foreach(lc, changes->objects)
		if (is_taken(changes, lfirst(lc)))
		{
			overlay_object(changes, overlay, lfirst(lc));
			changes->objects = foreach_delete_current(changes->objects, lc);
		}
}

static int
write_or_overlay(Changes *changes, CrmOverlay *overlay)
{
	int			written = 0;
	ListCell   *lc;

	overlay_taken(changes, overlay);
	if (changes->objects == NIL || try_at_once(write_all, changes))
		return changes->written;
	foreach(lc, changes->objects)
	{
		Changes		one = *changes;

		one.objects = list_make1(lfirst(lc));
		if (try_at_once(write_all, &one))
			written += one.written;
		else
			overlay_object(changes, overlay, lfirst(lc));
	}
	return written;
}

int
crm_apply(CrmApplication *application, CrmObject *objects, int n)
{
	Changes		changes = find_changes(application, objects, n);
	CrmOverlay *overlay = application->overlay;

	if (changes.objects == NIL)
		return 0;
	if (overlay && XactReadOnly)
		overlay_all(&changes, overlay);
	else if (overlay)
		return write_or_overlay(&changes, overlay);
	else
		write_all(&changes);
	return changes.written;
}

typedef struct Deletion
{
	CrmStore   *store;
	const pg_uuid_t *key;
	int			written;
} Deletion;

static void
delete_row(void *arg)
{
	Deletion   *deletion = arg;

	deletion->written = crm_store_delete(deletion->store, deletion->key);
}

int
crm_apply_deletion(CrmStore *store, const pg_uuid_t *key, CrmOverlay *overlay)
{
	Deletion	deletion = {store, key, 0};

	if (overlay == NULL)
		delete_row(&deletion);
	else if (XactReadOnly || !try_at_once(delete_row, &deletion))
		crm_overlay_hide(overlay, key);
	return deletion.written;
}
