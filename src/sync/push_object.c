/*
 * sync/push_object.c
 *	  What a push is about, worked out from the outbox and the store.
 *
 * Several changes of one object by one role are one write: what counts is the row
 * as it stands in the store, the columns that were touched, and what they held when
 * they were last in step with CDMS.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "cdms/value.h"
#include "sync/connection.h"
#include "sync/ledger.h"
#include "sync/push_object.h"
#include "sync/push_turns.h"

/* --------------------------------------------------------- jsonb values */

Datum
crm_push_json_value(Jsonb *json, CrmColumn *column, CrmField *field, bool *isnull)
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
	return crm_value_input(field, text);
}

static CrmColumn *
column_of_field(CrmTable *table, const CrmField *field)
{
	for (int i = 0; i < table->ncolumns; i++)
		if (table->columns[i].field == field - table->entity.fields)
			return &table->columns[i];
	elog(ERROR, "property \"%s\" has no column", field->property);
}

Datum
crm_push_assignments_json(CrmTable *table, List *assignments)
{
	int			n = list_length(assignments);
	TupleDesc	desc = CreateTemplateTupleDesc(n);
	Datum	   *values = palloc_array(Datum, n);
	bool	   *nulls = palloc_array(bool, n);
	ListCell   *lc;

	foreach(lc, assignments)
	{
		CrmAssignment *assignment = lfirst(lc);
		CrmColumn  *column = column_of_field(table, assignment->field);
		int			i = foreach_current_index(lc);

		TupleDescInitEntry(desc, i + 1, column->name, column->type, column->typmod, 0);
		values[i] = assignment->value;
		nulls[i] = assignment->isnull;
	}
	return crm_ledger_row_json(heap_form_tuple(BlessTupleDesc(desc), values, nulls), desc);
}

List *
crm_push_assignments_from_json(CrmTable *table, Jsonb *json)
{
	List	   *result = NIL;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		CrmAssignment *assignment;

		if (column->field < 0 ||
			!getKeyJsonValueFromContainer(&json->root, column->name, strlen(column->name), NULL))
			continue;
		assignment = palloc_object(CrmAssignment);
		assignment->field = crm_push_field(table, column);
		assignment->value = crm_push_json_value(json, column, crm_push_field(table, column),
												&assignment->isnull);
		result = lappend(result, assignment);
	}
	return result;
}

/* ---------------------------------------------- from rows to objects */

CrmField *
crm_push_field(CrmTable *table, const CrmColumn *column)
{
	return &table->entity.fields[column->field];
}

static int
count_operation(CrmPushObject *object, char operation)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, object->rows)
		if (((CrmOutboxRow *) lfirst(lc))->operation == operation)
			n++;
	return n;
}

/* A creation of it may have got there although this says it did not: an answer was lost. */
static bool
may_be_created(CrmPushObject *object)
{
	return count_operation(object, 'i') > 0 &&
		((CrmOutboxRow *) linitial(object->rows))->attempts > 0;
}

/*
 * From whether the row is there now, and how often it came and went, follows
 * whether CDMS has it.  The order of the rows of the outbox says less: a trigger
 * may have changed a row before its insertion was noted.
 */
static CrmPushAction
decide_action(CrmPushObject *object)
{
	bool		is_here = object->row != NULL;
	int			gained = count_operation(object, 'i') - count_operation(object, 'd');
	bool		is_there = is_here - gained > 0;

	if (is_here)
		return is_there ? CRM_PUSH_UPDATE : CRM_PUSH_CREATE;
	return is_there || may_be_created(object) ? CRM_PUSH_DELETE : CRM_PUSH_NONE;
}

bool
crm_push_was_pending(CrmPushObject *object)
{
	return ((CrmOutboxRow *) linitial(object->rows))->pending;
}

bool
crm_push_is_sent_again(CrmPushObject *object)
{
	ListCell   *lc;

	if (object->action == CRM_PUSH_CREATE)
		return crm_push_was_pending(object);
	foreach(lc, object->rows)
		if (!((CrmOutboxRow *) lfirst(lc))->pending)
			return false;
	return true;
}

bool
crm_push_is_sent(const CrmColumn *column)
{
	return column->field >= 0 && column->writable == CRM_WRITABLE;
}

Datum
crm_push_base_value(CrmPushObject *object, CrmColumn *column, bool *isnull)
{
	ListCell   *lc;

	foreach(lc, object->rows)
	{
		CrmOutboxRow *row = lfirst(lc);

		if (row->base &&
			getKeyJsonValueFromContainer(&row->base->root, column->name, strlen(column->name), NULL))
			return crm_push_json_value(row->base, column,
									   crm_push_field(object->table, column), isnull);
	}
	*isnull = true;
	return (Datum) 0;
}

/* Is the column among those that the rows changed? */
static bool
is_touched(CrmPushObject *object, CrmColumn *column)
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
collect_columns(CrmPushObject *object)
{
	CrmTable   *table = object->table;

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		bool		isnull;
		Datum		base;

		if (!crm_push_is_sent(column) || column == table->key || !is_touched(object, column))
			continue;
		base = crm_push_base_value(object, column, &isnull);
		if (!crm_value_equal(column->type, base, isnull, object->row->values[column->field],
							 object->row->nulls[column->field]))
			object->columns = lappend(object->columns, column);
	}
	if (object->columns == NIL)
		object->action = CRM_PUSH_NONE;
}

CrmTable *
crm_push_table(Oid store)
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

CrmPushObject *
crm_push_find(CrmPush *push, const pg_uuid_t *key, Oid store, HASHACTION action, bool *found)
{
	CrmPushKey	wanted;

	memset(&wanted, 0, sizeof(wanted));
	wanted.key = *key;
	wanted.store = store;
	return hash_search(push->index, &wanted, action, found);
}

/* A change of a column that is gone can't be sent, and must not be lost in silence. */
static void
check_columns(CrmTable *table, CrmOutboxRow *row)
{
	JsonbIterator *iterator;
	JsonbValue	key;

	if (row->changed == NULL)
		return;
	iterator = JsonbIteratorInit(&row->changed->root);
	for (JsonbIteratorToken token = JsonbIteratorNext(&iterator, &key, true); token != WJB_DONE;
		 token = JsonbIteratorNext(&iterator, &key, true))
	{
		char	   *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(key.val.string.val, key.val.string.len);
		if (crm_table_column_by_name(table, name) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
					 errmsg("change " INT64_FORMAT " is of column \"%s\", which foreign table %s has not",
							row->id, name, table->name),
					 errhint("Give both tables the column again, or drop the change: "
							 "SELECT crm_sync.discard(" INT64_FORMAT ").", row->id)));
	}
}

static void
add_row(CrmPush *push, CrmOutboxRow *row)
{
	bool		found;
	CrmPushObject *object = crm_push_find(push, &row->key, row->store, HASH_ENTER, &found);

	if (!found)
	{
		memset((char *) object + sizeof(CrmPushKey), 0, sizeof(CrmPushObject) - sizeof(CrmPushKey));
		object->table = crm_push_table(row->store);
		push->objects = lappend(push->objects, object);
		push->stores = list_append_unique_oid(push->stores, row->store);
	}
	check_columns(object->table, row);
	if (GetUserNameFromId(row->role, true) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the role that wrote change " INT64_FORMAT " does not exist any more", row->id),
				 errhint("Drop the change: SELECT crm_sync.discard(" INT64_FORMAT ").", row->id)));
	object->rows = lappend(object->rows, row);
	object->conn = crm_connection_get(object->table->serverid, row->role);
}

void
crm_push_foreach_group(CrmPush *push, CrmPushTest wanted, CrmPushVisitor visit)
{
	List	   *rest = NIL;
	ListCell   *lc;

	foreach(lc, push->objects)
		if (wanted(lfirst(lc)))
			rest = lappend(rest, lfirst(lc));

	while (rest != NIL)
	{
		CrmPushObject *first = linitial(rest);
		List	   *group = NIL;
		List	   *others = NIL;

		foreach(lc, rest)
		{
			CrmPushObject *object = lfirst(lc);

			if (object->table == first->table && object->conn == first->conn)
				group = lappend(group, object);
			else
				others = lappend(others, object);
		}
		visit(push, first->table, first->conn, group);
		rest = others;
	}
}

pg_uuid_t *
crm_push_keys(List *objects)
{
	pg_uuid_t  *keys = palloc_array(pg_uuid_t, list_length(objects));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, objects)
		keys[n++] = ((CrmPushObject *) lfirst(lc))->id.key;
	return keys;
}

static bool
is_any(CrmPushObject *object)
{
	return true;
}

static void
read_rows(CrmPush *push, CrmTable *table, CrmConnection *conn, List *objects)
{
	HTAB	   *rows = crm_store_rows(crm_store_open(table), crm_push_keys(objects),
									  list_length(objects));
	ListCell   *lc;

	foreach(lc, objects)
	{
		CrmPushObject *object = lfirst(lc);

		object->row = hash_search(rows, &object->id.key, HASH_FIND, NULL);
		crm_push_leave_out_others(object);
		object->action = decide_action(object);
		if (object->action == CRM_PUSH_UPDATE)
			collect_columns(object);
	}
}

/*
 * Whoever writes the object has its row locked before he takes what waits of it, and so
 * must we.
 */
static void
lock_parent(Oid store, const pg_uuid_t *key)
{
	CrmTable   *table = crm_push_table(store);

	if (!crm_store_lock_if_there(crm_store_open(table), key))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("object %s of %s, which is referred to, waits to be sent, and another session changes it",
						DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(key))),
						table->name),
				 errhint("Try again.")));
}

/* Adds the rows of a pending creation to those to be pushed, unless they are there. */
static List *
add_pending(List *rows, Oid store, const pg_uuid_t *key)
{
	List	   *waiting;
	List	   *found;
	ListCell   *lc;

	if (!crm_ledger_is_waiting(store, key))
		return rows;
	lock_parent(store, key);
	waiting = crm_ledger_read_object(store, key);
	found = crm_push_take_turn(&waiting);
	if (found == NIL || ((CrmOutboxRow *) linitial(found))->operation != 'i' ||
		!((CrmOutboxRow *) linitial(found))->pending || !crm_push_table(store)->updatable)
		return rows;
	foreach(lc, rows)
		if (((CrmOutboxRow *) lfirst(lc))->id == ((CrmOutboxRow *) linitial(found))->id)
			return rows;
	return list_concat(rows, found);
}

static List *
add_parents(List *rows, CrmTable *table, CrmOutboxRow *row, List *stores)
{
	ListCell   *lc;

	for (int i = 0; row->changed && i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		bool		isnull;
		Datum		key;

		if (column->field < 0 || column->type != UUIDOID ||
			crm_push_field(table, column)->type != CRM_ENTITY_REFERENCE)
			continue;
		key = crm_push_json_value(row->changed, column, crm_push_field(table, column), &isnull);
		foreach(lc, isnull ? NIL : stores)
			rows = add_pending(rows, lfirst_oid(lc), DatumGetUUIDP(key));
	}
	return rows;
}

/*
 * Those of the stores whose rows a push of this table may take along.  What lies in
 * another owner's tables, or waits for another server, is none of its business.
 */
static List *
stores_beside(CrmTable *table, List *stores)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, stores)
		if (crm_table_is_beside(table, lfirst_oid(lc)))
			result = lappend_oid(result, lfirst_oid(lc));
	return result;
}

/* Where the parents of a table's rows may wait. */
typedef struct Beside
{
	CrmTable   *table;
	List	   *stores;			/* Oids */
} Beside;

static Beside *
beside_of(List **known, Oid store, List *pending)
{
	Beside	   *beside;
	ListCell   *lc;

	foreach(lc, *known)
	{
		beside = lfirst(lc);
		if (beside->table->store == store)
			return beside;
	}
	beside = palloc_object(Beside);
	beside->table = crm_push_table(store);
	beside->stores = stores_beside(beside->table, pending);
	*known = lappend(*known, beside);
	return beside;
}

List *
crm_push_with_parents(List *rows)
{
	List	   *pending = crm_ledger_stores_with_pending();
	List	   *result = list_copy(rows);
	List	   *known = NIL;

	/* The list grows as it is gone through: parents have parents. */
	for (int i = 0; pending != NIL && i < list_length(result); i++)
	{
		CrmOutboxRow *row = list_nth(result, i);
		Beside	   *beside = beside_of(&known, row->store, pending);

		result = add_parents(result, beside->table, row, beside->stores);
	}
	return result;
}

CrmPush *
crm_push_collect(List *rows)
{
	HASHCTL		ctl = {
		.keysize = sizeof(CrmPushKey),.entrysize = sizeof(CrmPushObject),
		.hcxt = CurrentMemoryContext
	};
	CrmPush	   *push = palloc0_object(CrmPush);
	ListCell   *lc;

	push->index = hash_create("crm_sync push", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	foreach(lc, rows)
		add_row(push, lfirst(lc));
	crm_push_foreach_group(push, is_any, crm_push_read_others);
	crm_push_foreach_group(push, is_any, read_rows);
	return push;
}

/* ------------------------------------------------------------ the order */

static bool order_object(CrmPush *push, CrmPushObject *object, CrmPushAction action,
						 List **ordered);

/*
 * Whatever object of this push has this key, in whichever table.  False when it
 * is one that waits for the one that refers to it: a circle.
 */
static bool
order_key(CrmPush *push, const pg_uuid_t *key, CrmPushAction action, List **ordered, int *level)
{
	bool		result = true;
	ListCell   *lc;

	foreach(lc, push->stores)
	{
		CrmPushObject *object = crm_push_find(push, key, lfirst_oid(lc), HASH_FIND, NULL);

		if (object && !order_object(push, object, action, ordered))
			result = false;
		else if (object && object->action == action)
			*level = Max(*level, object->level + 1);
	}
	return result;
}

/* The key that a reference of this object holds; NULL: none. */
static pg_uuid_t *
referenced_key(CrmPushObject *object, CrmColumn *column)
{
	Datum		value;
	bool		isnull;

	if (column->field < 0 || column->type != UUIDOID ||
		crm_push_field(object->table, column)->type != CRM_ENTITY_REFERENCE)
		return NULL;
	if (object->row)
	{
		value = object->row->values[column->field];
		isnull = object->row->nulls[column->field];
	}
	else
		value = crm_push_base_value(object, column, &isnull);
	return isnull ? NULL : DatumGetUUIDP(value);
}

/* The objects of this push that this one refers to are put before it. */
static bool
order_object(CrmPush *push, CrmPushObject *object, CrmPushAction action, List **ordered)
{
	if (object->action != action || object->ordered)
		return !object->open;
	check_stack_depth();
	object->ordered = true;
	object->open = true;
	for (int i = 0; i < object->table->ncolumns; i++)
	{
		CrmColumn  *column = &object->table->columns[i];
		pg_uuid_t  *key = referenced_key(object, column);

		if (key && !order_key(push, key, action, ordered, &object->level) &&
			action == CRM_PUSH_CREATE)
			object->deferred = lappend(object->deferred, column);
	}
	object->open = false;
	*ordered = lappend(*ordered, object);
	return true;
}

List *
crm_push_in_order(CrmPush *push, CrmPushAction action)
{
	List	   *ordered = NIL;
	ListCell   *lc;

	foreach(lc, push->objects)
		order_object(push, lfirst(lc), action, &ordered);
	return ordered;
}

List *
crm_push_at_level(List *objects, int level)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, objects)
		if (((CrmPushObject *) lfirst(lc))->level == level)
			result = lappend(result, lfirst(lc));
	return result;
}
