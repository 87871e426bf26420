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
 * transaction.  What CDMS had accepted by then stays there until it is written
 * again: it has no transaction over several requests.
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
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "sync/connection.h"
#include "sync/ledger.h"
#include "sync/pull.h"
#include "sync/push.h"
#include "sync/store.h"

#define MAX_ROUNDS 100			/* of triggers writing in answer to a push */

typedef enum Action
{
	ACTION_NONE,				/* in the end nothing changed */
	ACTION_CREATE,
	ACTION_UPDATE,
	ACTION_DELETE
} Action;

typedef struct ObjectKey
{
	pg_uuid_t	key;
	Oid			store;
} ObjectKey;

/* All that is to be done for one object. */
typedef struct PushObject
{
	ObjectKey	id;				/* hash key */
	CrmTable   *table;
	List	   *rows;			/* CrmOutboxRow *, in order */
	Action		action;
	CrmConnection *conn;		/* the writing role's */
	List	   *columns;		/* CrmColumn * to send (update) */
	CrmStoreRow *row;			/* as it stands here (create, update) */
	CrmObject  *got;			/* as it stood in CDMS, or NULL */
	CrmObject  *made;			/* what CDMS made of it (create) */
	bool		ordered;
} PushObject;

/* One round of pushing. */
typedef struct Push
{
	HTAB	   *index;			/* of PushObject, by key and store */
	List	   *stores;			/* that occur in it */
	List	   *objects;		/* in order of their first change */
} Push;

/* An object that is sent on behalf of no writer: failure is a WARNING. */
typedef struct SoftObject
{
	Oid			store;
	pg_uuid_t	key;
} SoftObject;

int			crm_mode = CRM_MODE_SYNC;

static bool due = false;
static List *soft_objects = NIL;	/* in TopTransactionContext */
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
	return due || soft_objects != NIL;
}

void
crm_push_at_end(void)
{
	due = false;
	soft_objects = NIL;			/* its memory goes with the transaction */
	crm_http_set_deadline(0, NULL);
}

static void
add_soft(Oid store, List *keys)
{
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);
	ListCell   *lc;

	foreach(lc, keys)
	{
		SoftObject *object = palloc_object(SoftObject);

		object->store = store;
		object->key = *(pg_uuid_t *) lfirst(lc);
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
crm_push_pending(CrmTable *table)
{
	int64		rows = 0;

	add_soft(table->store, crm_ledger_pending_objects(table->store, &rows));
	return rows;
}

/* --------------------------------------------------------- jsonb values */

/* A column's value in a row that was kept as jsonb. */
static Datum
json_value(Jsonb *json, CrmColumn *column, CrmField *field, bool *isnull)
{
	JsonbValue *value = json ?
		getKeyJsonValueFromContainer(&json->root, column->name, strlen(column->name), NULL) : NULL;
	char	   *text;

	*isnull = value == NULL || value->type == jbvNull;
	if (*isnull)
		return (Datum) 0;
	if (value->type == jbvString)
		text = pnstrdup(value->val.string.val, value->val.string.len);
	else if (value->type == jbvBool)
		text = pstrdup(value->val.boolean ? "true" : "false");
	else if (value->type == jbvNumeric)
		text = numeric_normalize(value->val.numeric);
	else
		elog(ERROR, "column \"%s\" of an outbox row is not a scalar", column->name);
	return InputFunctionCall(&field->input, text, field->typioparam, field->pgtypmod);
}

/* ---------------------------------------------- from rows to objects */

static CrmField *
column_field(CrmTable *table, const CrmColumn *column)
{
	return &table->entity.fields[column->field];
}

static int
count_operation(PushObject *object, char operation)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, object->rows)
		if (((CrmOutboxRow *) lfirst(lc))->operation == operation)
			n++;
	return n;
}

/* It may be there although this says it was not: an answer was lost. */
static bool
was_attempted(PushObject *object)
{
	return ((CrmOutboxRow *) linitial(object->rows))->attempts > 0;
}

/*
 * From whether the row is there now, and how often it came and went, follows
 * whether CDMS has it.  The order of the rows of the outbox says less: a trigger
 * may have changed a row before its insertion was noted.
 */
static Action
decide_action(PushObject *object)
{
	bool		is_here = object->row != NULL;
	int			gained = count_operation(object, 'i') - count_operation(object, 'd');
	bool		is_there = is_here - gained > 0;

	if (is_here)
		return is_there ? ACTION_UPDATE : ACTION_CREATE;
	return is_there || was_attempted(object) ? ACTION_DELETE : ACTION_NONE;
}

static bool
is_sent(const CrmColumn *column)
{
	return column->field >= 0 && column->writable == CRM_WRITABLE;
}

/* What the column held when it was last in step with CDMS. */
static Datum
base_value(PushObject *object, CrmColumn *column, bool *isnull)
{
	ListCell   *lc;

	foreach(lc, object->rows)
	{
		CrmOutboxRow *row = lfirst(lc);

		if (row->base &&
			getKeyJsonValueFromContainer(&row->base->root, column->name, strlen(column->name), NULL))
			return json_value(row->base, column, column_field(object->table, column), isnull);
	}
	*isnull = true;
	return (Datum) 0;
}

/* Is the column among those that the rows changed? */
static bool
is_touched(PushObject *object, CrmColumn *column)
{
	ListCell   *lc;

	/* Deleted and inserted again: it is another row under the old key. */
	if (count_operation(object, 'd') > 0)
		return true;
	foreach(lc, object->rows)
	{
		CrmOutboxRow *row = lfirst(lc);

		if (row->changed &&
			getKeyJsonValueFromContainer(&row->changed->root, column->name,
										 strlen(column->name), NULL))
			return true;
	}
	return false;
}

/* The columns of an update whose value, after all, is another than before. */
static void
collect_columns(PushObject *object)
{
	CrmTable   *table = object->table;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		bool		isnull;
		Datum		base;

		if (!is_sent(column) || column == table->key || !is_touched(object, column))
			continue;
		base = base_value(object, column, &isnull);
		if (!crm_value_equal(column->type, base, isnull, object->row->values[column->field],
							 object->row->nulls[column->field]))
			object->columns = lappend(object->columns, column);
	}
	if (object->columns == NIL)
		object->action = ACTION_NONE;
}

static CrmTable *
table_of_store(Oid store)
{
	CrmTable   *table = crm_table_of_store(store);

	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
				 errmsg("no foreign table has the store %s", get_rel_name(store)),
				 errhint("Its changes can be dropped with crm_sync.discard().")));
	crm_table_require_store(table);
	return table;
}

static PushObject *
find_object(Push *push, const pg_uuid_t *key, Oid store, HASHACTION action, bool *found)
{
	ObjectKey	wanted;

	memset(&wanted, 0, sizeof(wanted));
	wanted.key = *key;
	wanted.store = store;
	return hash_search(push->index, &wanted, action, found);
}

static void
add_row(Push *push, CrmOutboxRow *row)
{
	bool		found;
	PushObject *object = find_object(push, &row->key, row->store, HASH_ENTER, &found);

	if (!found)
	{
		memset((char *) object + sizeof(ObjectKey), 0, sizeof(PushObject) - sizeof(ObjectKey));
		object->table = table_of_store(row->store);
		push->objects = lappend(push->objects, object);
		push->stores = list_append_unique_oid(push->stores, row->store);
	}
	object->rows = lappend(object->rows, row);
	object->conn = crm_connection_get(object->table->serverid, row->role);
}

static Push *
collect_objects(List *rows)
{
	HASHCTL		ctl = {
		.keysize = sizeof(ObjectKey),.entrysize = sizeof(PushObject),
		.hcxt = CurrentMemoryContext
	};
	Push	   *push = palloc0_object(Push);
	ListCell   *lc;

	push->index = hash_create("crm_sync push", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	foreach(lc, rows)
		add_row(push, lfirst(lc));
	return push;
}

/*
 * Calls visit with each group of objects that have one table and one connection
 * and of which wanted is true.
 */
typedef bool (*ObjectTest) (PushObject *object);
typedef void (*GroupVisitor) (Push *push, CrmTable *table, CrmConnection *conn, List *objects);

static void
foreach_group(Push *push, ObjectTest wanted, GroupVisitor visit)
{
	List	   *rest = NIL;
	ListCell   *lc;

	foreach(lc, push->objects)
		if (wanted(lfirst(lc)))
			rest = lappend(rest, lfirst(lc));

	while (rest != NIL)
	{
		PushObject *first = linitial(rest);
		List	   *group = NIL;
		List	   *others = NIL;

		foreach(lc, rest)
		{
			PushObject *object = lfirst(lc);

			if (object->table == first->table && object->conn == first->conn)
				group = lappend(group, object);
			else
				others = lappend(others, object);
		}
		visit(push, first->table, first->conn, group);
		rest = others;
	}
}

static pg_uuid_t *
object_keys(List *objects)
{
	pg_uuid_t  *keys = palloc_array(pg_uuid_t, list_length(objects));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, objects)
		keys[n++] = ((PushObject *) lfirst(lc))->id.key;
	return keys;
}

static bool
is_any(PushObject *object)
{
	return true;
}

static void
read_rows(Push *push, CrmTable *table, CrmConnection *conn, List *objects)
{
	HTAB	   *rows = crm_store_rows(crm_store_open(table), object_keys(objects),
									  list_length(objects));
	ListCell   *lc;

	foreach(lc, objects)
	{
		PushObject *object = lfirst(lc);

		object->row = hash_search(rows, &object->id.key, HASH_FIND, NULL);
		object->action = decide_action(object);
		if (object->action == ACTION_UPDATE)
			collect_columns(object);
	}
}

/* ----------------------------------------------- what CDMS has by now */

static bool
needs_get(PushObject *object)
{
	return (object->action == ACTION_UPDATE || object->action == ACTION_DELETE) &&
		!crm_pull_is_recent(object->id.store, &object->id.key);
}

typedef struct GotVisit
{
	Push	   *push;
	Oid			store;
} GotVisit;

static void
keep_got(CrmObject *got, void *arg)
{
	GotVisit   *visit = arg;
	PushObject *object = find_object(visit->push, &got->key, visit->store, HASH_FIND, NULL);

	if (object)
		object->got = got;
}

static void
throw_gone(PushObject *object)
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
treat_gone(PushObject *object)
{
	if (object->action == ACTION_DELETE)
		return;
	if (object->table->on_missing != CRM_MISSING_CREATE)
		throw_gone(object);
	object->action = ACTION_CREATE;
}

static void
get_objects(Push *push, CrmTable *table, CrmConnection *conn, List *objects)
{
	GotVisit	visit = {push, table->store};
	ListCell   *lc;

	crm_pull_by_keys(conn, table, object_keys(objects), list_length(objects), keep_got, &visit);
	foreach(lc, objects)
	{
		PushObject *object = lfirst(lc);

		if (object->got == NULL)
			treat_gone(object);
	}
}

/* What CDMS has in these columns, in the form that history keeps rows in. */
static Datum
got_json(PushObject *object, List *columns)
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
note_conflict(PushObject *object)
{
	CrmTable   *table = object->table;
	List	   *overwritten = NIL;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		bool		base_null;
		Datum		base;

		if (!is_sent(column) ||
			(object->action == ACTION_UPDATE && !list_member_ptr(object->columns, column)))
			continue;
		base = base_value(object, column, &base_null);
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

/* ------------------------------------------------------------ the order */

static void order_object(Push *push, PushObject *object, Action action, List **ordered);

/* Whatever object of this push has this key, in whichever table. */
static void
order_key(Push *push, const pg_uuid_t *key, Action action, List **ordered)
{
	ListCell   *lc;

	foreach(lc, push->stores)
	{
		PushObject *object = find_object(push, key, lfirst_oid(lc), HASH_FIND, NULL);

		if (object)
			order_object(push, object, action, ordered);
	}
}

/* The key that a reference of this object holds; NULL: none. */
static pg_uuid_t *
referenced_key(PushObject *object, CrmColumn *column)
{
	Datum		value;
	bool		isnull;

	if (column->field < 0 || column->type != UUIDOID ||
		column_field(object->table, column)->type != CRM_ENTITY_REFERENCE)
		return NULL;
	if (object->row)
	{
		value = object->row->values[column->field];
		isnull = object->row->nulls[column->field];
	}
	else
		value = base_value(object, column, &isnull);
	return isnull ? NULL : DatumGetUUIDP(value);
}

/* The objects of this push that this one refers to are put before it. */
static void
order_object(Push *push, PushObject *object, Action action, List **ordered)
{
	if (object->action != action || object->ordered)
		return;
	check_stack_depth();
	object->ordered = true;
	for (int i = 0; i < object->table->ncolumns; i++)
	{
		pg_uuid_t  *key = referenced_key(object, &object->table->columns[i]);

		if (key)
			order_key(push, key, action, ordered);
	}
	*ordered = lappend(*ordered, object);
}

static List *
in_order(Push *push, Action action)
{
	List	   *ordered = NIL;
	ListCell   *lc;

	foreach(lc, push->objects)
		order_object(push, lfirst(lc), action, &ordered);
	return ordered;
}

static List *
reversed(List *list)
{
	List	   *result = NIL;

	for (int i = list_length(list) - 1; i >= 0; i--)
		result = lappend(result, list_nth(list, i));
	return result;
}

/* ------------------------------------------------------------- sending */

static List *
assign(List *assignments, CrmTable *table, CrmColumn *column, Datum value, bool isnull)
{
	CrmAssignment *assignment = palloc_object(CrmAssignment);

	assignment->field = column_field(table, column);
	assignment->value = column->has_constant ? column->constant : value;
	assignment->isnull = column->has_constant ? false : isnull;
	return lappend(assignments, assignment);
}

/* Values of the columns wanted, and constants, which go with every write. */
static List *
make_assignments(PushObject *object, bool all)
{
	CrmTable   *table = object->table;
	List	   *result = NIL;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		bool		wanted;

		if (!is_sent(column) || (column == table->key && !all))
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
throw_duplicate(PushObject *object)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("CDMS already has an object of key %s of entity \"%s\"",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&object->id.key))),
					object->table->entity.name),
			 errhint("SELECT it from %s, then UPDATE it.", object->table->name)));
}

static bool
was_pending(PushObject *object)
{
	return ((CrmOutboxRow *) linitial(object->rows))->pending;
}

/* Is all there is to push that a read did not find it? */
static bool
is_found_missing(PushObject *object)
{
	CrmOutboxRow *row = linitial(object->rows);

	return list_length(object->rows) == 1 && row->operation == 'i' && row->changed == NULL;
}

static void
send_create(PushObject *object)
{
	const CrmProtocol *protocol = object->conn->protocol;
	CrmEntity  *entity = &object->table->entity;
	List	   *assignments = make_assignments(object, true);

	if (protocol->create(object->conn, entity, assignments, &object->made) != CRM_DUPLICATE)
		return;

	/* It was sent before, and the answer, or our transaction, was lost. */
	if (!was_pending(object))
		throw_duplicate(object);
	object->action = ACTION_UPDATE;
	if (is_found_missing(object))
		return;					/* it is back, or was hidden: CDMS's version stands */
	if (protocol->update(object->conn, entity, &object->id.key, assignments) == CRM_MISSING)
		throw_gone(object);
}

static void
send_update(PushObject *object)
{
	const CrmProtocol *protocol = object->conn->protocol;

	if (protocol->update(object->conn, &object->table->entity, &object->id.key,
						 make_assignments(object, false)) != CRM_MISSING)
		return;
	treat_gone(object);
	send_create(object);
}

static void
send_delete(PushObject *object)
{
	/* Gone already is as good. */
	(void) object->conn->protocol->remove(object->conn, &object->table->entity, &object->id.key);
}

static void
send_objects(List *objects, void (*send) (PushObject *object))
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
is_made(PushObject *object)
{
	return object->made != NULL;
}

static bool
needs_read_back(PushObject *object)
{
	return object->action == ACTION_UPDATE && object->made == NULL;
}

static void
store_made(Push *push, CrmTable *table, CrmConnection *conn, List *objects)
{
	CrmStore   *store = crm_store_open(table);
	CrmObject  *made = palloc_array(CrmObject, list_length(objects));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, objects)
		made[n++] = *((PushObject *) lfirst(lc))->made;
	(void) crm_pull_apply(store, made, n);
}

static void
keep_read_back(CrmObject *object, void *arg)
{
	(void) crm_pull_apply(arg, object, 1);
}

static void
read_back(Push *push, CrmTable *table, CrmConnection *conn, List *objects)
{
	/* The store holds what the table's owner sees (contract, read rule 9). */
	crm_pull_by_keys(crm_connection_get(table->serverid, table->owner), table,
					 object_keys(objects), list_length(objects), keep_read_back,
					 crm_store_open(table));
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
		int			timeout = crm_connection_commit_timeout(((PushObject *) lfirst(lc))->table->serverid);

		if (timeout > 0 && (commit_timeout == 0 || timeout < commit_timeout))
			commit_timeout = timeout;
	}
	if (commit_timeout > 0)
		crm_http_set_deadline(TimestampTzPlusMilliseconds(commit_start, commit_timeout),
							  "commit_timeout");
}

/* What can't be written for one object must not be noticed after another was sent. */
static void
check_values(PushObject *object)
{
	if (object->action == ACTION_CREATE || object->action == ACTION_UPDATE)
		object->conn->protocol->check(object->conn, &object->table->entity,
									  make_assignments(object, object->action == ACTION_CREATE));
}

/* Sends what these rows of the outbox say, and takes them out of it. */
static void
push_rows(List *rows)
{
	Push	   *push = collect_objects(rows);
	ListCell   *lc;

	set_deadline(push->objects);
	foreach_group(push, is_any, read_rows);
	foreach_group(push, needs_get, get_objects);
	foreach(lc, push->objects)
		if (((PushObject *) lfirst(lc))->got)
			note_conflict(lfirst(lc));
	foreach(lc, push->objects)
		check_values(lfirst(lc));

	send_objects(in_order(push, ACTION_CREATE), send_create);
	send_objects(in_order(push, ACTION_UPDATE), send_update);
	send_objects(reversed(in_order(push, ACTION_DELETE)), send_delete);

	/* Out of the outbox first: a pull leaves alone what stands in it. */
	crm_ledger_done(rows);
	foreach_group(push, is_made, store_made);
	foreach_group(push, needs_read_back, read_back);
}

static void
park(List *rows, ErrorData *error)
{
	char	   *reason = error->detail ? psprintf("%s: %s", error->message, error->detail) :
		error->message;

	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("a pending change could not be sent to CDMS: %s", error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 errhint("It stands in crm_sync.failed; see crm_sync.retry() and crm_sync.discard().")));
	crm_ledger_park(rows, reason);
}

/* One object on behalf of no writer, in a subtransaction. */
static void
push_soft(SoftObject *object)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	List	   *rows = crm_ledger_read_object(object->store, &object->key);

	if (rows == NIL)
		return;					/* pushed meanwhile, or rolled back */
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		push_rows(rows);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(memory);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(memory);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		park(rows, error);
	}
	PG_END_TRY();
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
push_hard(void)
{
	for (int round = 0; due; round++)
	{
		List	   *rows = crm_ledger_read_own();

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

void
crm_push_all(void)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "crm_sync push",
												 ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(memory);
	ListCell   *lc;

	commit_start = GetCurrentTimestamp();
	commit_timeout = 0;
	PushActiveSnapshot(GetTransactionSnapshot());
	set_constraints_immediate();
	if (IsolationIsSerializable())
		PreCommit_CheckForSerializationFailure();
	push_hard();
	foreach(lc, soft_objects)
		push_soft(lfirst(lc));
	push_hard();				/* what triggers wrote in answer */
	PopActiveSnapshot();

	MemoryContextSwitchTo(before);
	MemoryContextDelete(memory);
}
