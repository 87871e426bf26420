/*
 * sync/push.c
 *	  What happens on COMMIT.
 *
 *	  1. The outbox says which objects this transaction changed; several changes
 *		 of one object by one role are one write.
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
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "sync/apply.h"
#include "sync/asked.h"
#include "sync/attempt.h"
#include "sync/commit.h"
#include "sync/connection.h"
#include "sync/intent.h"
#include "sync/ledger.h"
#include "sync/pull.h"
#include "sync/push.h"
#include "sync/push_got.h"
#include "sync/push_object.h"
#include "sync/push_send.h"
#include "sync/push_turns.h"
#include "sync/store.h"
#include "sync/undo.h"

#define MAX_ROUNDS 100			/* of triggers writing in answer to a push */

int			crm_mode = CRM_MODE_SYNC;
int			crm_push_limit = 0;

static bool due = false;
static MemoryContext commit_memory = NULL; /* of this commit; NULL: nothing was sent yet */

/* Objects (CrmPushKey *) that are sent on behalf of no writer: failure is a WARNING. */
static List *soft_objects = NIL;	/* in TopTransactionContext */
static HTAB *soft_index = NULL; /* of the same */
static List *sent = NIL;		/* CrmSent *, of this commit */
static List *noted = NIL;		/* CrmSent * of this commit that have an intent */
static bool settles_later = false;	/* what is accepted has an intent each */
static int	accepted = 0;		/* writes, of the commit that is under way */
static TimestampTz commit_start = 0;
static int	commit_timeout = 0; /* milliseconds; 0: none yet */

static void push_all(void);

/* -------------------------------------------------------- what is due */

void
crm_push_at_commit(void)
{
	due = true;
	crm_commit_call(push_all);
}

bool
crm_push_is_bound(void)
{
	return due;
}

bool
crm_push_has_sent(void)
{
	return accepted > 0;
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
	sent = NIL;
	noted = NIL;
	commit_memory = NULL;
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
	if (soft_objects != NIL)
		crm_commit_call(push_all);
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
							  commit_timeout == crm_push_limit ? "crm_sync.worker_timeout" :
							  "commit_timeout");
}

static List *
reversed(List *list)
{
	List	   *result = NIL;

	for (int i = list_length(list) - 1; i >= 0; i--)
		result = lappend(result, list_nth(list, i));
	return result;
}

static List *
plan_writes(List *writes, List *objects)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		CrmPushObject *object = lfirst(lc);

		if (crm_push_is_sent_again(object) || object->gone)
			continue;
		object->write = crm_push_plan(object);
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
	{
		CrmSent    *write = lfirst(lc);

		if (!ItemPointerIsValid(&write->intent) && !write->not_done && !write->sent_again)
			writes = lappend(writes, write);
	}
	writes = plan_writes(writes, created);
	writes = plan_writes(writes, updated);
	writes = plan_writes(writes, deleted);
	if (writes == NIL || (list_length(writes) == 1 && noted == NIL && deleted == NIL))
		return;
	crm_intent_note(writes);
	noted = list_concat(noted, writes);
}

/* What others have left half done there must not be taken for CDMS's. */
static void
settle_intents(List *objects)
{
	List	   *sites = NIL;
	ListCell   *lc;

	foreach(lc, objects)
	{
		CrmTable   *table = ((CrmPushObject *) lfirst(lc))->table;

		sites = crm_intent_add_site(sites, table->serverid, table->owner);
	}
	foreach(lc, sites)
	{
		CrmIntentSite *site = lfirst(lc);

		crm_intent_settle(site->server, site->owner);
	}
}

/* What one object refers to must be there before it: level by level. */
static void
send_upwards(List *objects)
{
	List	   *wave;

	for (int level = 0; (wave = crm_push_at_level(objects, level)) != NIL; level++)
		crm_push_send(wave, &sent);
}

/* And what refers to it be gone before it is. */
static void
send_downwards(List *objects)
{
	int			level = 0;

	while (crm_push_at_level(objects, level) != NIL)
		level++;
	while (level-- > 0)
		crm_push_send(crm_push_at_level(objects, level), &sent);
}

/* Sends what these rows of the outbox say, and takes them out of it. */
static void
push_rows(List *rows)
{
	CrmPush	   *push = crm_push_collect(rows);
	List	   *created;
	List	   *updated;
	List	   *deleted;
	ListCell   *lc;

	settle_intents(push->objects);
	set_deadline(push->objects);
	crm_push_get(push);
	foreach(lc, push->objects)
		crm_push_check(lfirst(lc));

	created = crm_push_in_order(push, CRM_PUSH_CREATE);
	updated = crm_push_in_order(push, CRM_PUSH_UPDATE);
	deleted = reversed(crm_push_in_order(push, CRM_PUSH_DELETE));
	note_intents(created, updated, deleted);
	send_upwards(created);
	crm_push_send_deferred(created, &sent);
	crm_push_send(updated, &sent);
	send_downwards(deleted);

	/* Out of the outbox first: a pull leaves alone what stands in it. */
	crm_ledger_done(rows);
	crm_push_foreach_group(push, is_made, store_made);
	crm_push_foreach_group(push, needs_read_back, read_back);
}

/* Each role's changes of an object, in the order of the first ones. */
static void
push_turns(List *rows)
{
	while (rows != NIL)
		push_rows(crm_push_with_parents(crm_push_take_turn(&rows)));
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
		List	   *rows = crm_push_rows_of(crm_ledger_read_object(object->store, &object->key), role);

		if (rows != NIL)
			crm_ledger_failed(rows, reason, true);
	}
}

/* What it was refused for tells of its values, and of the row's. */
static bool
may_know(CrmOutboxRow *row)
{
	return has_privs_of_role(GetUserId(), row->role) ||
		has_privs_of_role(GetUserId(), crm_relation_owner(row->store));
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
	bool		known = may_know(linitial(rows));

	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 known ? errmsg("a pending change could not be sent to CDMS: %s", error->message) :
			 errmsg("a pending change could not be sent to CDMS"),
			 !known ? errdetail_log("%s", reason) :
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
	int64	   *last;			/* row of its turns; 0: it was not looked at yet */
	List	   *rows;
	bool		left;			/* another turn is to be had */
	MemoryContext memory;
} SoftPush;

/*
 * What is to be sent next: one role's changes.  What triggers write in answer to a turn
 * is not another one of this push, or there would be no end.
 */
static List *
read_turn(SoftPush *push)
{
	List	   *rows = crm_ledger_read_object(push->object->store, &push->object->key);
	List	   *turn;

	if (rows != NIL && *push->last == 0)
		*push->last = ((CrmOutboxRow *) llast(rows))->id;
	while (rows != NIL && ((CrmOutboxRow *) llast(rows))->id > *push->last)
		rows = list_delete_last(rows);
	turn = crm_push_take_turn(&rows);
	push->left = rows != NIL;
	return turn;
}

static bool
has_own(List *rows)
{
	ListCell   *lc;

	foreach(lc, rows)
		if (!((CrmOutboxRow *) lfirst(lc))->pending)
			return true;
	return false;
}

/*
 * The row is locked first: whoever writes the object now sends what is pending of
 * it with his own, and must not be overtaken by an older version.
 */
static void
push_soft_rows(void *arg)
{
	SoftPush   *push = arg;
	CrmStore   *store = crm_store_open(crm_push_table(push->object->store));
	MemoryContext before;
	List	   *rows;

	if (!crm_store_lock_if_there(store, &push->object->key))
		return;
	before = MemoryContextSwitchTo(push->memory);
	push->rows = read_turn(push);
	MemoryContextSwitchTo(before);
	if (push->rows == NIL)
		return;
	rows = crm_push_with_parents(push->rows);
	if (has_own(rows))
		push->left = false;		/* written by a trigger just now: what must be sent takes it along */
	else
		push_rows(rows);
}

/* Somebody else was at it: it is left to him. */
static bool
is_collision(ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK;
}

/* True: the object has another turn. */
static bool
push_soft(CrmPushKey *object, int64 *last)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "crm_sync pending object",
												 ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(memory);
	SoftPush	push = {object, last, NIL, false, memory};
	List	   *outer = sent;
	ErrorData  *error;
	bool		again;
	bool		cancelled;

	/* Its writes are not undone with the others': it stays pending, and is repeated. */
	sent = NIL;
	error = crm_attempt(push_soft_rows, &push);
	sent = outer;
	cancelled = error && error->sqlerrcode == ERRCODE_QUERY_CANCELED;
	if (cancelled && crm_push_limit == 0)
		ReThrowError(error);
	if (cancelled)
		soft_objects = NIL;		/* there is no time left for the others */
	if (error && !is_collision(error))
	{
		if (push.rows == NIL)
			push.rows = read_turn(&push);
		if (push.rows != NIL)
			note_soft_failure(push.rows, error);
	}
	again = push.left && !(error && is_collision(error));
	MemoryContextSwitchTo(before);
	MemoryContextDelete(memory);
	return again;
}

/* In the list until all of its turns were had: a refused login parks them, too. */
static void
push_soft_objects(void)
{
	int64		last = 0;

	while (soft_objects != NIL && !XactReadOnly)
	{
		CrmPushKey *object = linitial(soft_objects);

		if (push_soft(object, &last))
			continue;
		soft_objects = list_delete_ptr(soft_objects, object);
		last = 0;
	}
}

/* Those of a read-back, too, are made at once: later nothing could be undone for them. */
static void
set_constraints_immediate(void)
{
	ConstraintsSetStmt *stmt = makeNode(ConstraintsSetStmt);

	stmt->deferred = false;
	AfterTriggerSetState(stmt);
}

static void
push_rounds(int *round)
{
	for (; due; (*round)++)
	{
		List	   *creations = crm_ledger_read_creations();
		List	   *rows;

		push_turns(creations);
		rows = crm_ledger_read_own();
		if (rows == NIL)
			due = false;
		else if (*round >= MAX_ROUNDS)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("triggers keep changing synchronised tables as changes are pushed"),
					 errdetail("%d rounds were made.", MAX_ROUNDS)));
		push_turns(rows);
	}
}

static void
push_everything(void *arg)
{
	int			round = 0;

	set_constraints_immediate();
	if (IsolationIsSerializable())
		PreCommit_CheckForSerializationFailure();
	push_rounds(&round);
	push_soft_objects();
	do
	{
		push_rounds(&round);	/* what triggers wrote in answer */
		crm_commit_end_others();	/* what they have begun and put off */
	} while (due);

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

		if (undoing->failure && ItemPointerIsValid(&undoing->sent->intent) &&
			ItemPointerEquals(&undoing->sent->intent, &write->intent))
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

	if (sent != NIL)
		undoings = crm_undo(sent, NULL);
	crm_intent_note_remainders(sent);
	outcome = crm_undo_summary(undoings);
	foreach(lc, noted)
		if (!is_left_to_do(undoings, lfirst(lc)))
			crm_intent_settled(&((CrmSent *) lfirst(lc))->intent);
	accepted = 0;
	if (outcome)
		error->detail = error->detail ? psprintf("%s %s", error->detail, outcome) : outcome;
	ReThrowError(error);
}

/* What a COMMIT has sent it may have to undo, also when it comes here once more. */
static void
push_all(void)
{
	MemoryContext before;
	ErrorData  *error;

	if (commit_memory == NULL)
	{
		commit_memory = AllocSetContextCreate(TopTransactionContext, "crm_sync push",
											  ALLOCSET_DEFAULT_SIZES);
		commit_start = GetCurrentTimestamp();
		commit_timeout = crm_push_limit;
	}
	before = MemoryContextSwitchTo(commit_memory);
	if (due)
		XactReadOnly = false;	/* it was, when this was written */
	PushActiveSnapshot(GetTransactionSnapshot());
	error = crm_attempt(push_everything, NULL);
	if (error)
		undo_and_throw(error);
	accepted = list_length(sent);
	settles_later = noted != NIL;
	PopActiveSnapshot();
	MemoryContextSwitchTo(before);
}
