/*
 * sync/push.c
 *	  What happens on COMMIT.
 *
 *	  1. The outbox says which objects this transaction changed; several changes
 *		 of one object are one write.
 *	  2. Objects that exist in CDMS are got, unless they were a moment ago: what
 *		 was changed there meanwhile and is overwritten now is noted.
 *	  3. The writes go out: creations with parents first, changes, deletions with
 *		 children first.  Only what changed is sent.
 *	  4. What CDMS made of them is read back into the store.
 *
 * All this is done before the local commit, so that a refusal fails the whole
 * transaction; what CDMS had accepted by then is undone (sync/undo.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/predicate.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "sync/apply.h"
#include "sync/asked.h"
#include "sync/attempt.h"
#include "sync/connection.h"
#include "sync/intent.h"
#include "sync/ledger.h"
#include "sync/pull.h"
#include "sync/push.h"
#include "sync/push_object.h"
#include "sync/store.h"
#include "sync/undo.h"

#define MAX_ROUNDS 100			/* of triggers writing in answer to a push */

int			crm_mode = CRM_MODE_SYNC;

static bool due = false;

/* Objects (CrmPushKey *) that are sent on behalf of no writer: failure is a WARNING. */
static List *soft_objects = NIL;	/* in TopTransactionContext */
static HTAB *soft_index = NULL; /* of the same */
static List *sent = NIL;		/* CrmSent *, of this commit */
static List *noted = NIL;		/* CrmSent * of this commit that have an intent */
static bool settles_later = false;	/* what is accepted has an intent each */
static int	accepted = 0;		/* writes, of the commit that is under way */
static TimestampTz commit_start = 0;
static int	commit_timeout = 0; /* milliseconds; 0: none yet */

/* -------------------------------------------------------- what is due */

void
crm_push_at_commit(void)
{
	due = true;
}

bool
crm_push_is_due(void)
{
	return due || (soft_objects != NIL && !XactReadOnly);
}

bool
crm_push_is_bound(void)
{
	return due;
}

/* Nothing but words: by now nobody can undo it. */
void
crm_push_at_abort(void)
{
	if (accepted > 0)
		ereport(WARNING,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("the transaction failed after CDMS had accepted its changes (%d)", accepted),
				 settles_later ? errhint("Whoever uses the server next undoes them there.") :
				 errhint("The next SELECT shows what CDMS has.")));
}

void
crm_push_at_end(void)
{
	accepted = 0;
	due = false;
	soft_objects = NIL;			/* their memory goes with the transaction */
	soft_index = NULL;
	crm_http_set_deadline(0, NULL);
}

static void
add_soft(Oid store, List *keys)
{
	HASHCTL		ctl = {
		.keysize = sizeof(CrmPushKey),.entrysize = sizeof(CrmPushKey),
		.hcxt = TopTransactionContext
	};
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);
	ListCell   *lc;

	if (soft_index == NULL)
		soft_index = hash_create("crm_sync pending objects", 64, &ctl,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	foreach(lc, keys)
	{
		CrmPushKey	wanted;
		CrmPushKey *object;
		bool		found;

		memset(&wanted, 0, sizeof(wanted));
		wanted.store = store;
		wanted.key = *(pg_uuid_t *) lfirst(lc);
		object = hash_search(soft_index, &wanted, HASH_ENTER, &found);
		if (!found)
			soft_objects = lappend(soft_objects, object);
	}
	MemoryContextSwitchTo(before);
}

void
crm_push_pending_inserts(CrmTable *table, int limit)
{
	add_soft(table->store, crm_ledger_pending_inserts(table->store, limit));
}

int64
crm_push_pending(CrmTable *table, int limit)
{
	int64		rows = 0;

	add_soft(table->store, crm_ledger_pending_objects(table->store, limit, &rows));
	return rows;
}

/* ----------------------------------------------- what CDMS has by now */

static bool
needs_get(CrmPushObject *object)
{
	return (object->action == CRM_PUSH_UPDATE || object->action == CRM_PUSH_DELETE) &&
		!crm_asked_recently(object->id.store, &object->id.key);
}

typedef struct GotVisit
{
	CrmPush	   *push;
	Oid			store;
} GotVisit;

static void
keep_got(CrmObject *objects, int n, void *arg)
{
	GotVisit   *visit = arg;

	for (int i = 0; i < n; i++)
	{
		CrmPushObject *object = crm_push_find(visit->push, &objects[i].key, visit->store,
										 HASH_FIND, NULL);

		if (object)
			object->got = &objects[i];
	}
}

static void
throw_gone(CrmPushObject *object)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("object %s of %s is not in CDMS any more",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&object->id.key))),
					object->table->name),
			 errdetail("It was deleted there, or hidden from this user."),
			 errhint("With the table's option on_missing 'create' it would be created again.")));
}

/* An object to be changed that CDMS has no more: on_missing decides. */
static void
treat_gone(CrmPushObject *object)
{
	if (object->action == CRM_PUSH_DELETE)
		return;
	if (object->table->on_missing != CRM_MISSING_CREATE)
		throw_gone(object);
	object->action = CRM_PUSH_CREATE;
}

static void
get_objects(CrmPush *push, CrmTable *table, CrmConnection *conn, List *objects)
{
	GotVisit	visit = {push, table->store};
	ListCell   *lc;

	crm_pull_by_keys(conn, table, crm_push_keys(objects), list_length(objects), keep_got, &visit);
	foreach(lc, objects)
	{
		CrmPushObject *object = lfirst(lc);

		if (object->got == NULL)
			treat_gone(object);
	}
}

/* What CDMS has in these columns, in the form that history keeps rows in. */
static Datum
got_json(CrmPushObject *object, List *columns)
{
	int			n = list_length(columns);
	TupleDesc	desc = CreateTemplateTupleDesc(n);
	Datum	   *values = palloc_array(Datum, n);
	bool	   *nulls = palloc_array(bool, n);
	ListCell   *lc;

	foreach(lc, columns)
	{
		CrmColumn  *column = lfirst(lc);
		int			i = foreach_current_index(lc);

		TupleDescInitEntry(desc, i + 1, column->name, column->type, column->typmod, 0);
		values[i] = object->got->values[column->field];
		nulls[i] = object->got->nulls[column->field];
	}
	return crm_ledger_row_json(heap_form_tuple(BlessTupleDesc(desc), values, nulls), desc);
}

/*
 * What somebody changed in CDMS since we were last in step, and what this write
 * now overwrites (contract, write rule 4), goes to history.
 */
static void
note_conflict(CrmPushObject *object)
{
	CrmTable   *table = object->table;
	List	   *overwritten = NIL;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		bool		base_null;
		Datum		base;

		if (!crm_push_is_sent(column) ||
			(object->action == CRM_PUSH_UPDATE && !list_member_ptr(object->columns, column)))
			continue;
		base = crm_push_base_value(object, column, &base_null);
		if (crm_value_equal(column->type, base, base_null, object->got->values[column->field],
							object->got->nulls[column->field]) ||
			(object->row &&
			 crm_value_equal(column->type, object->row->values[column->field],
							 object->row->nulls[column->field],
							 object->got->values[column->field],
							 object->got->nulls[column->field])))
			continue;
		overwritten = lappend(overwritten, column);
	}
	if (overwritten != NIL)
		crm_ledger_conflict(((CrmOutboxRow *) llast(object->rows))->history,
							got_json(object, overwritten));
}

/* ------------------------------------------------------------- sending */

static List *
reversed(List *list)
{
	List	   *result = NIL;

	for (int i = list_length(list) - 1; i >= 0; i--)
		result = lappend(result, list_nth(list, i));
	return result;
}

static List *
assign(List *assignments, CrmTable *table, CrmColumn *column, Datum value, bool isnull)
{
	CrmAssignment *assignment = palloc_object(CrmAssignment);

	assignment->field = crm_push_field(table, column);
	assignment->value = column->has_constant ? column->constant : value;
	assignment->isnull = column->has_constant ? false : isnull;
	return lappend(assignments, assignment);
}

/* Values of the columns wanted, and constants, which go with every write. */
static List *
make_assignments(CrmPushObject *object, bool all)
{
	CrmTable   *table = object->table;
	List	   *result = NIL;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		bool		wanted;

		if (!crm_push_is_sent(column) || (column == table->key && !all) ||
			list_member_ptr(object->deferred, column))
			continue;
		wanted = all ? !object->row->nulls[column->field] :
			list_member_ptr(object->columns, column);
		if (wanted || column->has_constant)
			result = assign(result, table, column, object->row->values[column->field],
							object->row->nulls[column->field]);
	}
	return result;
}

static void
throw_duplicate(CrmPushObject *object)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("CDMS already has an object of key %s of entity \"%s\"",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&object->id.key))),
					object->table->entity.name),
			 errhint("SELECT it from %s, then UPDATE it.", object->table->name)));
}

static bool
was_pending(CrmPushObject *object)
{
	return ((CrmOutboxRow *) linitial(object->rows))->pending;
}

/* Is all there is to push that a read did not find it? */
static bool
is_found_missing(CrmPushObject *object)
{
	CrmOutboxRow *row = linitial(object->rows);

	return list_length(object->rows) == 1 && row->operation == 'i' && row->changed == NULL;
}

/* The value that a column had in CDMS before, as a write that puts it back. */
static List *
assign_before(List *assignments, CrmPushObject *object, CrmColumn *column)
{
	CrmAssignment *assignment = palloc_object(CrmAssignment);

	assignment->field = crm_push_field(object->table, column);
	if (object->got)
	{
		assignment->value = object->got->values[column->field];
		assignment->isnull = object->got->nulls[column->field];
	}
	else
		assignment->value = crm_push_base_value(object, column, &assignment->isnull);
	return lappend(assignments, assignment);
}

/* What puts back an update, or an object that is deleted. */
static List *
before_assignments(CrmPushObject *object)
{
	CrmTable   *table = object->table;
	List	   *result = NIL;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		if (!crm_push_is_sent(column))
			continue;
		if (object->action == CRM_PUSH_DELETE || list_member_ptr(object->columns, column) ||
			(column->has_constant && object->got))
			result = assign_before(result, object, column);
	}
	return result;
}

static CrmSent *
make_write(CrmPushObject *object, CrmSentAction action, List *before, List *after)
{
	CrmSent    *write = palloc0_object(CrmSent);

	write->action = action;
	write->table = object->table;
	write->conn = object->conn;
	write->role = ((CrmOutboxRow *) llast(object->rows))->role;
	write->key = object->id.key;
	write->before = before;
	write->after = after;
	if (object->write)
		write->intent = object->write->intent;
	else
		ItemPointerSetInvalid(&write->intent);
	return write;
}

/* Before it is sent: should the transaction fail, it may have to be undone. */
static CrmSent *
note_sent(CrmPushObject *object, CrmSentAction action, List *before, List *after)
{
	CrmSent    *note = make_write(object, action, before, after);

	sent = lappend(sent, note);
	return note;
}

/* The last write that was noted was not carried out, as CDMS itself says. */
static void
drop_note(void)
{
	sent = list_delete_last(sent);
}

static void send_create(CrmPushObject *object);

static void
send_update(CrmPushObject *object)
{
	List	   *assignments = make_assignments(object, false);
	CrmSent    *note = note_sent(object, CRM_SENT_UPDATE, before_assignments(object), assignments);

	if (object->conn->protocol->update(object->conn, &object->table->entity, &object->id.key,
									   assignments) == CRM_MISSING)
	{
		drop_note();
		treat_gone(object);
		send_create(object);
	}
	else
		note->answered = true;
}

static void
keep_existing(CrmObject *objects, int n, void *arg)
{
	if (n > 0)
		((CrmPushObject *) arg)->got = &objects[0];
}

/*
 * A pending creation is of an object that is there: it was sent before and the
 * answer, or our transaction, was lost; or somebody else made it.  What differs
 * is written, with what was there before noted.
 */
static void
update_existing(CrmPushObject *object)
{
	CrmTable   *table = object->table;

	object->action = CRM_PUSH_UPDATE;
	if (is_found_missing(object))
		return;					/* it is back, or was hidden: CDMS's version stands */
	crm_pull_by_keys(object->conn, table, &object->id.key, 1, keep_existing, object);
	if (object->got == NULL)
		throw_gone(object);
	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		if (crm_push_is_sent(column) && column != table->key && !object->row->nulls[column->field] &&
			!crm_value_equal(column->type, object->row->values[column->field], false,
							 object->got->values[column->field], object->got->nulls[column->field]))
			object->columns = lappend(object->columns, column);
	}
	if (object->columns == NIL)
		return;
	note_conflict(object);
	send_update(object);
}

static void
send_create(CrmPushObject *object)
{
	List	   *assignments = make_assignments(object, true);
	CrmSent    *note = note_sent(object, CRM_SENT_CREATE, NIL, assignments);

	if (object->conn->protocol->create(object->conn, &object->table->entity, assignments,
									   &object->made) != CRM_DUPLICATE)
	{
		note->answered = true;
		return;
	}
	drop_note();
	if (!was_pending(object))
		throw_duplicate(object);
	update_existing(object);
}

/*
 * References of a new object to one that was not there yet, for it refers back:
 * they follow when both are.
 */
static void
send_deferred(CrmPushObject *object)
{
	if (object->deferred == NIL || object->made == NULL)
		return;
	object->action = CRM_PUSH_UPDATE;
	object->got = object->made;
	object->made = NULL;		/* it is read back as changed */
	object->columns = object->deferred;
	object->deferred = NIL;
	send_update(object);
}

static void
send_delete(CrmPushObject *object)
{
	CrmSent    *note = note_sent(object, CRM_SENT_DELETE, before_assignments(object), NIL);

	/* Gone already is as good, and then nothing is to be undone. */
	if (object->conn->protocol->remove(object->conn, &object->table->entity,
									   &object->id.key) == CRM_MISSING)
		drop_note();
	note->answered = true;
}

static void
send_objects(List *objects, void (*send) (CrmPushObject *object))
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		CHECK_FOR_INTERRUPTS();
		send(lfirst(lc));
	}
}

/* ----------------------------------------------------------- read-back */

static bool
is_made(CrmPushObject *object)
{
	return object->made != NULL;
}

static bool
needs_read_back(CrmPushObject *object)
{
	return object->action == CRM_PUSH_UPDATE && object->made == NULL;
}

static void
store_made(CrmPush *push, CrmTable *table, CrmConnection *conn, List *objects)
{
	CrmApplication application = {.store = crm_store_open(table)};
	CrmObject  *made = palloc_array(CrmObject, list_length(objects));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, objects)
		made[n++] = *((CrmPushObject *) lfirst(lc))->made;
	(void) crm_apply(&application, made, n);
}

static void
keep_read_back(CrmObject *objects, int n, void *arg)
{
	(void) crm_apply(arg, objects, n);
}

static void
read_back(CrmPush *push, CrmTable *table, CrmConnection *conn, List *objects)
{
	CrmApplication application = {.store = crm_store_open(table)};

	/* The store holds what the table's owner sees (contract, read rule 9). */
	crm_pull_by_keys(crm_connection_get(table->serverid, table->owner), table,
					 crm_push_keys(objects), list_length(objects), keep_read_back,
					 &application);
}

/* -------------------------------------------------------- the whole way */

/*
 * commit_timeout counts from the first request of this commit, and the shortest
 * of the servers concerned rules.
 */
static void
set_deadline(List *objects)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		int			timeout = crm_connection_commit_timeout(((CrmPushObject *) lfirst(lc))->table->serverid);

		if (timeout > 0 && (commit_timeout == 0 || timeout < commit_timeout))
			commit_timeout = timeout;
	}
	if (commit_timeout > 0)
		crm_http_set_deadline(TimestampTzPlusMilliseconds(commit_start, commit_timeout),
							  "commit_timeout");
}

/* What can't be written for one object must not be noticed after another was sent. */
static void
check_values(CrmPushObject *object)
{
	if (object->action == CRM_PUSH_CREATE || object->action == CRM_PUSH_UPDATE)
		object->conn->protocol->check(object->conn, &object->table->entity,
									  make_assignments(object, object->action == CRM_PUSH_CREATE));
}

/*
 * Does it go out whatever becomes of this transaction?  All of it was pending, or
 * it is a creation that was, which is known again when it is repeated.
 */
static bool
is_sent_again(CrmPushObject *object)
{
	ListCell   *lc;

	if (object->action == CRM_PUSH_CREATE)
		return was_pending(object);
	foreach(lc, object->rows)
		if (!((CrmOutboxRow *) lfirst(lc))->pending)
			return false;
	return true;
}

static CrmSent *
plan_write(CrmPushObject *object)
{
	switch (object->action)
	{
		case CRM_PUSH_CREATE:
			return make_write(object, CRM_SENT_CREATE, NIL, make_assignments(object, true));
		case CRM_PUSH_UPDATE:
			return make_write(object, CRM_SENT_UPDATE, before_assignments(object),
							  make_assignments(object, false));
		case CRM_PUSH_DELETE:
			return make_write(object, CRM_SENT_DELETE, before_assignments(object), NIL);
		case CRM_PUSH_NONE:
			break;
	}
	return NULL;
}

static List *
plan_writes(List *writes, List *objects)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		CrmPushObject *object = lfirst(lc);

		if (is_sent_again(object))
			continue;
		object->write = plan_write(object);
		writes = lappend(writes, object->write);
	}
	return writes;
}

/*
 * More than one write, or a deletion, which no read would notice: should this
 * server crash between them, somebody has to know of them.
 */
static void
note_intents(List *created, List *updated, List *deleted)
{
	List	   *writes = NIL;
	ListCell   *lc;

	foreach(lc, sent)
		if (!ItemPointerIsValid(&((CrmSent *) lfirst(lc))->intent))
			writes = lappend(writes, lfirst(lc));
	writes = plan_writes(writes, created);
	writes = plan_writes(writes, updated);
	writes = plan_writes(writes, deleted);
	if (writes == NIL || (list_length(writes) == 1 && noted == NIL && deleted == NIL))
		return;
	crm_intent_note(writes);
	noted = list_concat(noted, writes);
}

/* What others have left half done at these servers must not be taken for CDMS's. */
static void
settle_intents(List *objects)
{
	List	   *servers = NIL;
	ListCell   *lc;

	foreach(lc, objects)
		servers = list_append_unique_oid(servers, ((CrmPushObject *) lfirst(lc))->table->serverid);
	foreach(lc, servers)
		crm_intent_settle(lfirst_oid(lc));
}

/* What CDMS has of the objects now, and what of it will be overwritten. */
static void
look_at_cdms(CrmPush *push)
{
	ListCell   *lc;

	crm_push_foreach_group(push, needs_get, get_objects);
	foreach(lc, push->objects)
		if (((CrmPushObject *) lfirst(lc))->got)
			note_conflict(lfirst(lc));
	foreach(lc, push->objects)
		check_values(lfirst(lc));
}

/* Sends what these rows of the outbox say, and takes them out of it. */
static void
push_rows(void *arg)
{
	List	   *rows = crm_push_with_parents(arg);
	CrmPush	   *push = crm_push_collect(rows);
	List	   *created;
	List	   *updated;
	List	   *deleted;

	settle_intents(push->objects);
	set_deadline(push->objects);
	look_at_cdms(push);

	created = crm_push_in_order(push, CRM_PUSH_CREATE);
	updated = crm_push_in_order(push, CRM_PUSH_UPDATE);
	deleted = reversed(crm_push_in_order(push, CRM_PUSH_DELETE));
	note_intents(created, updated, deleted);
	send_objects(created, send_create);
	send_objects(created, send_deferred);
	send_objects(updated, send_update);
	send_objects(deleted, send_delete);

	/* Out of the outbox first: a pull leaves alone what stands in it. */
	crm_ledger_done(rows);
	crm_push_foreach_group(push, is_made, store_made);
	crm_push_foreach_group(push, needs_read_back, read_back);
}

/*
 * A login that was refused is not tried again for the other changes of that role:
 * they are parked with it.
 */
static void
park_role(Oid role, const char *reason)
{
	ListCell   *lc;

	foreach(lc, soft_objects)
	{
		CrmPushKey *object = lfirst(lc);
		List	   *rows = crm_ledger_read_object(object->store, &object->key);

		if (rows == NIL || ((CrmOutboxRow *) linitial(rows))->role != role)
			continue;
		crm_ledger_failed(rows, reason, true);
		soft_objects = foreach_delete_current(soft_objects, lc);
	}
}

/*
 * What CDMS refused is parked.  When it can't be reached that is no refusal: the
 * change stays pending, and nothing more is sent in this commit.
 */
static void
note_soft_failure(List *rows, ErrorData *error)
{
	bool		parked = ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_CONNECTION_EXCEPTION;
	const char *reason = error->detail ? psprintf("%s: %s", error->message, error->detail) :
		error->message;

	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("a pending change could not be sent to CDMS: %s", error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 parked ? errhint("It stands in crm_sync.failed; see crm_sync.retry() and crm_sync.discard().") :
			 errhint("It stays in crm_sync.pending, with what else waits there.")));
	crm_ledger_failed(rows, reason, parked);
	if (!parked)
		soft_objects = NIL;
	else if (error->sqlerrcode == ERRCODE_INVALID_PASSWORD)
		park_role(((CrmOutboxRow *) linitial(rows))->role, reason);
}

/* One object on behalf of no writer, and its rows as they were sent. */
typedef struct SoftPush
{
	CrmPushKey *object;
	List	   *rows;
	MemoryContext memory;
} SoftPush;

/*
 * The row is locked first: whoever writes the object now sends what is pending of
 * it with his own, and must not be overtaken by an older version.
 */
static void
push_soft_rows(void *arg)
{
	SoftPush   *push = arg;
	CrmStore   *store = crm_store_open(crm_push_table(push->object->store));
	HTAB	   *rows = crm_store_rows(store, &push->object->key, 1);
	HTAB	   *locked = crm_store_lock(store, &push->object->key, 1);
	MemoryContext before;

	if (hash_get_num_entries(rows) != hash_get_num_entries(locked))
		return;
	before = MemoryContextSwitchTo(push->memory);
	push->rows = crm_ledger_read_object(push->object->store, &push->object->key);
	MemoryContextSwitchTo(before);
	if (push->rows != NIL)
		push_rows(push->rows);
}

/* Somebody else was at it: it is left to him. */
static bool
is_collision(ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK;
}

static void
push_soft(CrmPushKey *object)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "crm_sync pending object",
												 ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(memory);
	SoftPush	push = {object, NIL, memory};
	List	   *outer = sent;
	ErrorData  *error;

	/* Its writes are not undone with the others': it stays pending, and is repeated. */
	sent = NIL;
	error = crm_attempt(push_soft_rows, &push);
	sent = outer;
	if (error && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	if (error && !is_collision(error))
	{
		if (push.rows == NIL)
			push.rows = crm_ledger_read_object(object->store, &object->key);
		if (push.rows != NIL)
			note_soft_failure(push.rows, error);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(memory);
}

/* Deferred checks queued by a read-back would not be made any more: make them at once. */
static void
set_constraints_immediate(void)
{
	ConstraintsSetStmt *stmt = makeNode(ConstraintsSetStmt);

	stmt->deferred = false;
	AfterTriggerSetState(stmt);
}

static void
push_rounds(void)
{
	for (int round = 0; due; round++)
	{
		List	   *creations = crm_ledger_read_creations();
		List	   *rows;

		if (creations != NIL)
			push_rows(creations);
		rows = crm_ledger_read_own();
		if (rows == NIL)
			break;
		if (round == MAX_ROUNDS)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("triggers keep changing synchronised tables as changes are pushed"),
					 errdetail("%d rounds were made.", MAX_ROUNDS)));
		push_rows(rows);
	}
}

/*
 * Did the last write surely not happen?  Of an answer that was lost nobody can
 * say, and a 500 may come from anybody on the way.
 */
static bool
is_surely_not_done(ErrorData *error)
{
	return !((CrmSent *) llast(sent))->answered &&
		(error->sqlerrcode == ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION ||
		 error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION ||
		 error->sqlerrcode == ERRCODE_INVALID_PASSWORD ||
		 ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_DATA_EXCEPTION);
}

static void
push_everything(void *arg)
{
	push_rounds();
	while (soft_objects != NIL && !XactReadOnly)
	{
		CrmPushKey *object = linitial(soft_objects);

		soft_objects = list_delete_first(soft_objects);
		push_soft(object);
	}
	push_rounds();				/* what triggers wrote in answer */

	/* What was read back may have made the transaction one that must fail. */
	if (IsolationIsSerializable())
		PreCommit_CheckForSerializationFailure();
}

static bool
is_left_to_do(List *undoings, CrmSent *write)
{
	ListCell   *lc;

	foreach(lc, undoings)
	{
		CrmUndoing *undoing = lfirst(lc);

		if (undoing->failed && ItemPointerEquals(&undoing->sent->intent, &write->intent))
			return true;
	}
	return false;
}

/* All of it or nothing: a failure is undone in CDMS before it is passed on. */
static void
undo_and_throw(ErrorData *error)
{
	List	   *undoings = NIL;
	char	   *outcome;
	ListCell   *lc;

	if (sent != NIL && is_surely_not_done(error))
		drop_note();
	if (sent != NIL)
		undoings = crm_undo(sent);
	outcome = crm_undo_summary(undoings);
	foreach(lc, noted)
		if (!is_left_to_do(undoings, lfirst(lc)))
			crm_intent_settled(&((CrmSent *) lfirst(lc))->intent);
	if (outcome)
		error->detail = error->detail ? psprintf("%s %s", error->detail, outcome) : outcome;
	ReThrowError(error);
}

void
crm_push_all(void)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "crm_sync push",
												 ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(memory);
	ErrorData  *error;

	commit_start = GetCurrentTimestamp();
	commit_timeout = 0;
	sent = NIL;
	noted = NIL;
	PushActiveSnapshot(GetTransactionSnapshot());
	set_constraints_immediate();
	if (IsolationIsSerializable())
		PreCommit_CheckForSerializationFailure();
	error = crm_attempt(push_everything, NULL);
	if (error)
		undo_and_throw(error);
	accepted = list_length(sent);
	settles_later = noted != NIL;
	PopActiveSnapshot();

	MemoryContextSwitchTo(before);
	MemoryContextDelete(memory);
}
