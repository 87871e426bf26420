/*
 * sync/intent.c
 *	  The rows of crm_sync.intent: one for each write that a COMMIT is about to
 *	  send, unless it sends a single one that the next read would notice.
 *
 * A row is inserted frozen, as COPY FREEZE does it: it is there for everybody at
 * once, and for good, whatever becomes of the transaction.  That one then deletes
 * it in the ordinary way.  So when the transaction commits, its rows are gone in the
 * same instant; when it fails, or the server crashes, the deletion does not count
 * and they are left.  Who sees a row whose transaction no longer runs knows that
 * it never committed: no file to be kept in step with WAL, no second process.
 *
 * That a row is dealt with is noted in place, which no rollback takes back either.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "utils/xid8.h"

#include "compat.h"
#include "sync/attempt.h"
#include "sync/connection.h"
#include "sync/intent.h"
#include "sync/ledger.h"
#include "sync/push_object.h"
#include "sync/undo.h"

/* The columns of crm_sync.intent, from 0. */
enum
{
	INTENT_SETTLED, INTENT_REMAINDER, INTENT_XID, INTENT_PLACE, INTENT_SINCE, INTENT_SERVER, INTENT_STORE,
	INTENT_ROLE, INTENT_KEY, INTENT_ACTION, INTENT_BEFORE, INTENT_AFTER,
	INTENT_COLUMNS
};

static const char remainder_codes[] = {
	[CRM_NO_REMAINDER] = '-',
	[CRM_BEING_CREATED] = 'b',
	[CRM_CREATED_AGAIN] = 'c',
	[CRM_CHANGED_SINCE] = 'o',
	[CRM_GONE_SINCE] = 'g',
	[CRM_TAKEN_SINCE] = 't',
	[CRM_ANYBODYS] = 'a',
	[CRM_ELSEWHERE] = 'e',
};

/* What is locked for a site, and for the table, where one session is enough. */
enum
{
	LOCK_SETTLE, LOCK_SWEEP
};

static const char *const action_names[] = {
	[CRM_SENT_CREATE] = "create",
	[CRM_SENT_UPDATE] = "update",
	[CRM_SENT_DELETE] = "delete",
};

/* A row that was read. */
typedef struct Intent
{
	ItemPointerData tid;
	bool		settled;
	CrmRemainder remainder;
	FullTransactionId xid;
	TimestampTz since;
	int			place;
	Oid			server;
	Oid			store;
	Oid			role;
	pg_uuid_t	key;
	CrmSentAction action;
	Jsonb	   *before;
	Jsonb	   *after;
} Intent;

static Relation
open_intents(LOCKMODE lockmode)
{
	return table_open(get_relname_relid("intent", get_namespace_oid("crm_sync", false)), lockmode);
}

/* ------------------------------------------------------------- writing */

static void
insert_frozen(Relation rel, CrmSent *write, int place)
{
	Datum		values[INTENT_COLUMNS] = {
		[INTENT_SETTLED] = BoolGetDatum(false),
		[INTENT_REMAINDER] = CharGetDatum(remainder_codes[CRM_NO_REMAINDER]),
		[INTENT_XID] = FullTransactionIdGetDatum(GetTopFullTransactionId()),
		[INTENT_PLACE] = Int32GetDatum(place),
		[INTENT_SINCE] = TimestampTzGetDatum(GetCurrentTimestamp()),
		[INTENT_SERVER] = ObjectIdGetDatum(write->table->serverid),
		[INTENT_STORE] = ObjectIdGetDatum(write->table->store),
		[INTENT_ROLE] = ObjectIdGetDatum(write->role),
		[INTENT_KEY] = UUIDPGetDatum(&write->key),
		[INTENT_ACTION] = CStringGetTextDatum(action_names[write->action]),
		[INTENT_BEFORE] = crm_push_assignments_json(write->table, write->before),
		[INTENT_AFTER] = crm_push_assignments_json(write->table, write->after),
	};
	bool		nulls[INTENT_COLUMNS] = {false};
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);

	heap_insert(rel, tuple, GetCurrentCommandId(true), HEAP_INSERT_FROZEN, NULL);
	write->intent = tuple->t_self;
	heap_freetuple(tuple);
}

void
crm_intent_note(List *writes)
{
	Relation	rel = open_intents(RowExclusiveLock);
	ListCell   *lc;

	foreach(lc, writes)
		insert_frozen(rel, lfirst(lc), foreach_current_index(lc));
	foreach(lc, writes)
		simple_heap_delete(rel, &((CrmSent *) lfirst(lc))->intent);
	XLogFlush(XactLastRecEnd);
	table_close(rel, NoLock);
}

/* Its first columns are as many bytes, where the row's data begins. */
static void
set_in_place(const ItemPointerData *intent, int column, char value)
{
	Relation	rel = open_intents(RowExclusiveLock);
	HeapTupleData tuple = {.t_self = *intent};
	Buffer		buffer;

	if (heap_fetch(rel, SnapshotAny, &tuple, &buffer, false))
	{
		HeapTuple	copy = heap_copytuple(&tuple);
		char	   *bytes = (char *) copy->t_data + copy->t_data->t_hoff;

		bytes[column] = value;
		crm_update_in_place(rel, &tuple, buffer, copy);
		ReleaseBuffer(buffer);
		heap_freetuple(copy);
	}
	table_close(rel, NoLock);
}

void
crm_intent_settled(const ItemPointerData *intent)
{
	set_in_place(intent, INTENT_SETTLED, true);
}

void
crm_intent_note_remainders(List *writes)
{
	ListCell   *lc;

	foreach(lc, writes)
	{
		CrmSent    *write = lfirst(lc);

		if (write->remainder && ItemPointerIsValid(&write->intent))
			set_in_place(&write->intent, INTENT_REMAINDER, remainder_codes[write->remainder]);
	}
}

/* As part of this transaction: where it is rolled back the row is there again. */
static void
delete_intent(const ItemPointerData *intent)
{
	Relation	rel = open_intents(RowExclusiveLock);
	ItemPointerData tid = *intent;

	simple_heap_delete(rel, &tid);
	table_close(rel, NoLock);
}

/* ------------------------------------------------------------- reading */

static bool
is_running(FullTransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();

	return U64FromFullTransactionId(next) - U64FromFullTransactionId(xid) < PG_INT32_MAX &&
		TransactionIdIsInProgress(XidFromFullTransactionId(xid));
}

static CrmSentAction
action_by_name(const char *name)
{
	for (int i = 0; i < lengthof(action_names); i++)
		if (strcmp(action_names[i], name) == 0)
			return i;
	elog(ERROR, "crm_sync.intent has an unknown action \"%s\"", name);
}

static CrmRemainder
remainder_by_code(char code)
{
	for (int i = 0; i < lengthof(remainder_codes); i++)
		if (remainder_codes[i] == code)
			return i;
	elog(ERROR, "crm_sync.intent has an unknown remainder \"%c\"", code);
}

static Intent *
read_intent(HeapTuple tuple, TupleDesc desc)
{
	Datum		values[INTENT_COLUMNS];
	bool		nulls[INTENT_COLUMNS];
	Intent	   *intent = palloc_object(Intent);

	heap_deform_tuple(tuple, desc, values, nulls);
	intent->tid = tuple->t_self;
	intent->settled = DatumGetBool(values[INTENT_SETTLED]);
	intent->remainder = remainder_by_code(DatumGetChar(values[INTENT_REMAINDER]));
	intent->xid = DatumGetFullTransactionId(values[INTENT_XID]);
	intent->place = DatumGetInt32(values[INTENT_PLACE]);
	intent->since = DatumGetTimestampTz(values[INTENT_SINCE]);
	intent->server = DatumGetObjectId(values[INTENT_SERVER]);
	intent->store = DatumGetObjectId(values[INTENT_STORE]);
	intent->role = DatumGetObjectId(values[INTENT_ROLE]);
	intent->key = *DatumGetUUIDP(values[INTENT_KEY]);
	intent->action = action_by_name(TextDatumGetCString(values[INTENT_ACTION]));
	intent->before = DatumGetJsonbPCopy(values[INTENT_BEFORE]);
	intent->after = DatumGetJsonbPCopy(values[INTENT_AFTER]);
	return intent;
}

/*
 * Calls visit with each row as it is now.  With SnapshotSelf, which takes no
 * predicate locks: rows come and go with each COMMIT, and no SERIALIZABLE
 * transaction shall fail for that.
 */
static void
foreach_intent(Relation rel, void (*visit) (HeapTuple tuple, TupleDesc desc, void *arg), void *arg)
{
	TableScanDesc scan = table_beginscan(rel, SnapshotSelf, 0, NULL);
	HeapTuple	tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
		visit(tuple, RelationGetDescr(rel), arg);
	table_endscan(scan);
}

/* Transactions that are over, of those that have rows. */
typedef struct Over
{
	List	   *xids;			/* FullTransactionId * */
	FullTransactionId running;	/* the one met last */
	List	   *intents;		/* their rows: Intent * */
} Over;

static bool
is_over(Over *over, FullTransactionId xid)
{
	ListCell   *lc;

	foreach(lc, over->xids)
		if (FullTransactionIdEquals(*(FullTransactionId *) lfirst(lc), xid))
			return true;
	return false;
}

static FullTransactionId
xid_of(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;

	return DatumGetFullTransactionId(heap_getattr(tuple, INTENT_XID + 1, desc, &isnull));
}

static void
keep_xid(HeapTuple tuple, TupleDesc desc, void *arg)
{
	Over	   *over = arg;
	FullTransactionId xid = xid_of(tuple, desc);
	FullTransactionId *copy;

	if (FullTransactionIdEquals(xid, over->running) || is_over(over, xid))
		return;
	if (is_running(xid))
	{
		over->running = xid;
		return;
	}
	copy = palloc_object(FullTransactionId);
	*copy = xid;
	over->xids = lappend(over->xids, copy);
}

static void
keep_intent(HeapTuple tuple, TupleDesc desc, void *arg)
{
	Over	   *over = arg;

	if (is_over(over, xid_of(tuple, desc)))
		over->intents = lappend(over->intents, read_intent(tuple, desc));
}

/*
 * The rows (Intent *) of transactions that are over and did not commit.  Who
 * committed between a look at his row and the look at his xid has no row any more
 * at the second reading.
 */
static List *
read_abandoned(Relation rel)
{
	Over		over = {NIL};

	if (RelationGetNumberOfBlocks(rel) == 0)
		return NIL;
	foreach_intent(rel, keep_xid, &over);
	if (over.xids != NIL)
		foreach_intent(rel, keep_intent, &over);
	return over.intents;
}

static List *
unsettled_of(List *intents, Oid serverid, Oid owner)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, intents)
	{
		Intent	   *intent = lfirst(lc);
		Oid			its_owner = crm_relation_owner(intent->store);

		if (!intent->settled && intent->server == serverid &&
			(its_owner == owner || !OidIsValid(its_owner)))
			result = lappend(result, intent);
	}
	return result;
}

int64
crm_intent_unresolved(Oid store)
{
	Relation	rel = open_intents(AccessShareLock);
	int64		n = 0;
	ListCell   *lc;

	foreach(lc, read_abandoned(rel))
	{
		Intent	   *intent = lfirst(lc);

		if (!intent->settled && intent->store == store)
			n++;
	}
	table_close(rel, AccessShareLock);
	return n;
}

List *
crm_intent_add_site(List *sites, Oid server, Oid owner)
{
	CrmIntentSite *site;
	ListCell   *lc;

	foreach(lc, sites)
	{
		site = lfirst(lc);
		if (site->server == server && site->owner == owner)
			return sites;
	}
	site = palloc_object(CrmIntentSite);
	site->server = server;
	site->owner = owner;
	return lappend(sites, site);
}

List *
crm_intent_sites(void)
{
	Relation	rel = open_intents(AccessShareLock);
	List	   *sites = NIL;
	ListCell   *lc;

	foreach(lc, read_abandoned(rel))
	{
		Intent	   *intent = lfirst(lc);

		if (!intent->settled)
			sites = crm_intent_add_site(sites, intent->server, crm_relation_owner(intent->store));
	}
	table_close(rel, AccessShareLock);
	return sites;
}

/* ------------------------------------------------------------ settling */

/* In the order in which they were to be sent. */
static int
compare_intents(const ListCell *a, const ListCell *b)
{
	const Intent *one = lfirst(a);
	const Intent *other = lfirst(b);
	uint64		one_xid = U64FromFullTransactionId(one->xid);
	uint64		other_xid = U64FromFullTransactionId(other->xid);

	if (one_xid != other_xid)
		return one_xid < other_xid ? -1 : 1;
	return one->place - other->place;
}

/* A row of crm_sync.intent, and the write that it was to be. */
typedef struct Revival
{
	Intent	   *intent;
	CrmSent    *write;			/* NULL: nothing can be done about it, or not yet */
} Revival;

static CrmSent *
make_write(Intent *intent, CrmTable *table)
{
	CrmSent    *write = palloc0_object(CrmSent);

	write->action = intent->action;
	write->table = table;
	write->role = intent->role;
	write->conn = crm_connection_get(table->serverid, intent->role);
	write->key = intent->key;
	write->before = crm_push_assignments_from_json(table, intent->before);
	write->after = crm_push_assignments_from_json(table, intent->after);
	write->intent = intent->tid;
	/* The other server's objects are not those that were written. */
	write->remainder = table->serverid == intent->server ? intent->remainder : CRM_ELSEWHERE;
	return write;
}

/*
 * Of a table or a role that is there no more nobody can undo anything; of one that
 * may not be written now nobody may yet.
 */
static void
revive(void *arg)
{
	Revival    *revival = arg;
	Intent	   *intent = revival->intent;
	CrmTable   *table = crm_table_of_store(intent->store);

	if (table == NULL || GetUserNameFromId(intent->role, true) == NULL)
		crm_intent_settled(&intent->tid);
	else if (table->updatable)
		revival->write = make_write(intent, table);
}

/*
 * The writes (CrmSent *) that can be undone.  What stands in the way of one, a table
 * whose options don't fit together, a user mapping that is gone, must not keep
 * everybody from reading: it stays unresolved.
 */
static List *
revive_all(List *intents, Oid owner)
{
	List	   *writes = NIL;
	ListCell   *lc;

	list_sort(intents, compare_intents);
	foreach(lc, intents)
	{
		Revival		revival = {lfirst(lc), NULL};
		ErrorData  *error = crm_attempt(revive, &revival);

		if (error && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		if (error)
			ereport(WARNING,
					(errmsg("what an interrupted transaction has left in CDMS can't be undone yet"),
					 has_privs_of_role(GetUserId(), owner) ?
					 errdetail_internal("%s", error->message) :
					 errdetail_log("%s", error->message)));
		else if (revival.write)
			writes = lappend(writes, revival.write);
	}
	return writes;
}

/* What can't be put right is for somebody to see, if this transaction commits. */
static void
park(CrmSent *write)
{
	crm_ledger_record_left(write->table->store, &write->key, write->role,
						   psprintf("of a transaction that did not commit: %s",
									crm_undo_remainder(write->remainder)));
	delete_intent(&write->intent);
}

/* Of these writes those that nobody can undo any more, or the others. */
static List *
left_of(List *writes, bool for_good)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, writes)
		if ((((CrmSent *) lfirst(lc))->remainder > CRM_BEING_CREATED) == for_good)
			result = lappend(result, lfirst(lc));
	return result;
}

/* Which objects they were is not for everybody who may read one of the tables. */
static void
tell(const Intent *first, List *undoings, Oid owner)
{
	const char *outcome = crm_undo_summary(undoings);

	if (outcome == NULL)
		outcome = "CDMS has nothing of it.";
	ereport(WARNING,
			(errmsg("a transaction of %s was interrupted as it changed CDMS",
					timestamptz_to_str(first->since)),
			 has_privs_of_role(GetUserId(), owner) ? errdetail_internal("%s", outcome) :
			 errdetail_log("%s", outcome)));
}

/* Undoes them as their COMMIT would have done, had it come to that. */
static void
undo(List *writes, const Intent *first, Oid owner)
{
	ErrorData  *canceled = NULL;
	const char *option;
	TimestampTz deadline = crm_http_get_deadline(&option);
	List	   *undoings = crm_undo(writes, &canceled);
	ListCell   *lc;

	crm_http_set_deadline(deadline, option);
	crm_intent_note_remainders(writes);
	foreach(lc, undoings)
	{
		CrmUndoing *undoing = lfirst(lc);

		if (!undoing->left && !undoing->failure)
			crm_intent_settled(&undoing->sent->intent);
	}
	tell(first, undoings, owner);
	if (canceled)
		ReThrowError(canceled);
}

/*
 * Who reads need not wait for it to the end.  True: whatever becomes of this transaction,
 * settled is settled.  What is left is parked by the next transaction that lasts,
 * which need not find it out, nor tell of it, once more.
 */
static bool
settle(List *intents, Oid owner)
{
	List	   *writes = revive_all(intents, owner);
	List	   *open = left_of(writes, false);
	List	   *left;
	ListCell   *lc;

	if (open != NIL)
		undo(open, linitial(intents), owner);
	left = left_of(writes, true);
	foreach(lc, left)
		park(lfirst(lc));
	return left == NIL;
}

/*
 * Settled rows are of no more use, and the transaction that noted them was not
 * able to delete them.  By one session at a time, for a second would wait.
 */
static void
sweep(Relation rel)
{
	ListCell   *lc;

	if (!ConditionalLockDatabaseObject(RelationGetRelid(rel), InvalidOid, LOCK_SWEEP, ExclusiveLock))
		return;
	/* Another session may have been faster. */
	foreach(lc, read_abandoned(rel))
	{
		Intent	   *intent = lfirst(lc);

		if (intent->settled)
			simple_heap_delete(rel, &intent->tid);
	}
}

static bool
is_any_settled(List *intents)
{
	ListCell   *lc;

	foreach(lc, intents)
		if (((Intent *) lfirst(lc))->settled)
			return true;
	return false;
}

void
crm_intent_settle(Oid serverid, Oid owner)
{
	uint32		site = hash_combine(serverid, owner);
	Relation	rel;
	List	   *intents;

	if (XactReadOnly || RecoveryInProgress())
		return;
	rel = open_intents(RowExclusiveLock);
	intents = read_abandoned(rel);
	if (unsettled_of(intents, serverid, owner) != NIL &&
		ConditionalLockDatabaseObject(RelationGetRelid(rel), site, LOCK_SETTLE, ExclusiveLock))
	{
		/* Another session may have been faster. */
		if (settle(unsettled_of(read_abandoned(rel), serverid, owner), owner))
			UnlockDatabaseObject(RelationGetRelid(rel), site, LOCK_SETTLE, ExclusiveLock);
	}
	else if (is_any_settled(intents))
		sweep(rel);
	table_close(rel, NoLock);
}
