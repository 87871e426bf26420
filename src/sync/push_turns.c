/*
 * sync/push_turns.c
 *	  Several roles' changes of one object, told apart.
 *
 * The store has one row, with what all of them wrote.  What waits in the outbox
 * beside a push says what of it is not that push's, and what was there before.
 */
#include "postgres.h"

#include "sync/ledger.h"
#include "sync/push_turns.h"

/* ---------------------------------------------------------- whose turn */

typedef struct Turn
{
	CrmPushKey	id;				/* hash key */
	Oid			role;
	bool		over;			/* another role has written since */
	bool		deletes;
} Turn;

static Turn *
turn_of(HTAB *turns, CrmOutboxRow *row)
{
	CrmPushKey	id;
	Turn	   *turn;
	bool		found;

	memset(&id, 0, sizeof(id));
	id.key = row->key;
	id.store = row->store;
	turn = hash_search(turns, &id, HASH_ENTER, &found);
	if (!found)
	{
		turn->role = row->role;
		turn->over = false;
		turn->deletes = false;
	}
	return turn;
}

static bool
is_in_turn(HTAB *turns, CrmOutboxRow *row)
{
	Turn	   *turn = turn_of(turns, row);

	if (turn->role != row->role)
		turn->over = true;
	if (!turn->over && row->operation == 'd')
		turn->deletes = true;
	return !turn->over;
}

static int
compare_rows(const ListCell *a, const ListCell *b)
{
	int64		one = ((CrmOutboxRow *) lfirst(a))->id;
	int64		other = ((CrmOutboxRow *) lfirst(b))->id;

	return one < other ? -1 : one > other;
}

/*
 * What refers to an object may be deleted in a later turn.  So deletions come when
 * nothing else can.
 */
static void
put_off_deletions(HTAB *turns, List **taken, List **left)
{
	List	   *now = NIL;
	List	   *later = list_copy(*left);
	ListCell   *lc;

	foreach(lc, *taken)
		if (turn_of(turns, lfirst(lc))->deletes)
			later = lappend(later, lfirst(lc));
		else
			now = lappend(now, lfirst(lc));
	if (now == NIL)
		return;
	list_sort(later, compare_rows);
	*taken = now;
	*left = later;
}

List *
crm_push_take_turn(List **rows)
{
	HASHCTL		ctl = {
		.keysize = sizeof(CrmPushKey),.entrysize = sizeof(Turn),.hcxt = CurrentMemoryContext
	};
	HTAB	   *turns = hash_create("crm_sync turns", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	List	   *taken = NIL;
	List	   *left = NIL;
	ListCell   *lc;

	foreach(lc, *rows)
		if (is_in_turn(turns, lfirst(lc)))
			taken = lappend(taken, lfirst(lc));
		else
			left = lappend(left, lfirst(lc));
	if (left != NIL)
		put_off_deletions(turns, &taken, &left);
	hash_destroy(turns);
	*rows = left;
	return taken;
}

List *
crm_push_rows_of(List *rows, Oid role)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, rows)
		if (((CrmOutboxRow *) lfirst(lc))->role == role)
			result = lappend(result, lfirst(lc));
	return result;
}

/* -------------------------------------------------------- what others wrote */

void
crm_push_read_others(CrmPush *push, CrmTable *table, CrmConnection *conn, List *objects)
{
	int			n = list_length(objects);
	CrmOutboxRow **lasts = palloc_array(CrmOutboxRow *, n);
	ListCell   *lc;

	foreach(lc, objects)
		lasts[foreach_current_index(lc)] = llast(((CrmPushObject *) lfirst(lc))->rows);
	foreach(lc, crm_ledger_read_others(table->store, lasts, n))
	{
		CrmOutboxRow *row = lfirst(lc);
		CrmPushObject *object = crm_push_find(push, &row->key, row->store, HASH_FIND, NULL);

		object->others = lappend(object->others, row);
	}
}

/* What a read did not find in CDMS is nobody's writing. */
static bool
is_written_insert(CrmOutboxRow *row)
{
	return row->operation == 'i' && row->changed != NULL;
}

CrmOutboxRow *
crm_push_creation_by_other(CrmPushObject *object)
{
	int64		last = ((CrmOutboxRow *) llast(object->rows))->id;
	ListCell   *lc;

	foreach(lc, object->others)
	{
		CrmOutboxRow *other = lfirst(lc);

		if (other->id < last && is_written_insert(other))
			return other;
	}
	return NULL;
}

static bool
mentions(Jsonb *json, const CrmColumn *column)
{
	return json && getKeyJsonValueFromContainer(&json->root, column->name, strlen(column->name),
												NULL) != NULL;
}

/* Has this push a later change of the column? */
static bool
is_changed_since(CrmPushObject *object, CrmColumn *column, CrmOutboxRow *other)
{
	ListCell   *lc;

	foreach(lc, object->rows)
	{
		CrmOutboxRow *row = lfirst(lc);

		if (row->id > other->id && mentions(row->changed, column))
			return true;
	}
	return false;
}

/*
 * Where the row has something else than the other one wrote, somebody wrote it after
 * him and has sent it.
 */
static void
leave_out_value(CrmPushObject *object, CrmColumn *column, CrmOutboxRow *other)
{
	Datum	   *value = &object->row->values[column->field];
	bool	   *isnull = &object->row->nulls[column->field];
	CrmField   *field = crm_push_field(object->table, column);
	bool		after_null;
	Datum		after = crm_push_json_value(other->changed, column, field, &after_null);

	if (crm_value_equal(column->type, after, after_null, *value, *isnull))
		*value = crm_push_json_value(other->base, column, field, isnull);
}

static void
leave_out(CrmPushObject *object, CrmOutboxRow *other)
{
	CrmTable   *table = object->table;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		if (crm_push_is_sent(column) && column != table->key &&
			(mentions(other->changed, column) || mentions(other->base, column)) &&
			!is_changed_since(object, column, other))
			leave_out_value(object, column, other);
	}
}

/* How often others have made the row since, less how often they have deleted it. */
static int
gained_since(CrmPushObject *object)
{
	int64		last = ((CrmOutboxRow *) llast(object->rows))->id;
	int			gained = 0;
	ListCell   *lc;

	foreach(lc, object->others)
	{
		CrmOutboxRow *other = lfirst(lc);

		if (other->id > last && is_written_insert(other))
			gained++;
		else if (other->id > last && other->operation == 'd')
			gained--;
	}
	return gained;
}

void
crm_push_leave_out_others(CrmPushObject *object)
{
	if (object->row && gained_since(object) > 0)
		object->row = NULL;
	for (int i = list_length(object->others) - 1; object->row && i >= 0; i--)
		leave_out(object, list_nth(object->others, i));
}
