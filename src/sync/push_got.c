/*
 * sync/push_got.c
 *	  What CDMS has of the objects that are about to be written.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "sync/asked.h"
#include "sync/ledger.h"
#include "sync/pull.h"
#include "sync/push_got.h"
#include "sync/push_turns.h"

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

/* To create it now would be to write all of another role's values. */
static void
throw_not_yet_there(CrmPushObject *object, CrmOutboxRow *creation)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("object %s of %s is not in CDMS yet",
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&object->id.key))),
					object->table->name),
			 errdetail("Its creation by another role waits, or has failed (change " INT64_FORMAT ").",
					   creation->id),
			 errhint("See crm_sync.failed, crm_sync.retry() and crm_sync.discard().")));
}

/* An object to be changed that CDMS has no more: on_missing decides. */
void
crm_push_treat_gone(CrmPushObject *object)
{
	CrmOutboxRow *creation = crm_push_creation_by_other(object);

	object->gone = object->action == CRM_PUSH_DELETE;
	if (object->gone)
		return;
	if (creation)
		throw_not_yet_there(object, creation);
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
			crm_push_treat_gone(object);
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

void
crm_push_note_conflict(CrmPushObject *object)
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

void
crm_push_get(CrmPush *push)
{
	ListCell   *lc;

	crm_push_foreach_group(push, needs_get, get_objects);
	foreach(lc, push->objects)
		if (((CrmPushObject *) lfirst(lc))->got)
			crm_push_note_conflict(lfirst(lc));
}

static void
keep_one(CrmObject *objects, int n, void *arg)
{
	if (n > 0)
		((CrmPushObject *) arg)->got = &objects[0];
}

void
crm_push_get_one(CrmPushObject *object)
{
	object->got = NULL;
	crm_pull_by_keys(object->conn, object->table, &object->id.key, 1, keep_one, object);
}
