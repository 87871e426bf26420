/*
 * sync/capture.c
 *	  The store's triggers: whatever changes a store's row is noted in history,
 *	  and what CDMS has to get in the outbox.
 *
 * A write through the foreign table and a write to the store itself meet here,
 * and so are the same write.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "compat.h"
#include "sync/asked.h"
#include "sync/ledger.h"
#include "sync/push.h"
#include "sync/store.h"
#include "sync/table.h"

CRM_FUNCTION(crm_capture);
CRM_FUNCTION(crm_truncated);

/* A row's two versions; NULL where there is none. */
typedef struct RowChange
{
	Relation	rel;
	HeapTuple	before;
	HeapTuple	after;
} RowChange;

static Datum
column_value(RowChange *row, HeapTuple tuple, AttrNumber attnum, bool *isnull)
{
	if (tuple == NULL)
	{
		*isnull = true;
		return (Datum) 0;
	}
	return heap_getattr(tuple, attnum, RelationGetDescr(row->rel), isnull);
}

static bool
column_changed(RowChange *row, AttrNumber attnum)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(row->rel), attnum - 1);
	bool		old_null;
	bool		new_null;
	Datum		old_value = column_value(row, row->before, attnum, &old_null);
	Datum		new_value = column_value(row, row->after, attnum, &new_null);

	return !crm_value_equal(att->atttypid, old_value, old_null, new_value, new_null);
}

static bool
row_changed(RowChange *row)
{
	TupleDesc	desc = RelationGetDescr(row->rel);

	if (row->before == NULL || row->after == NULL)
		return true;
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped && column_changed(row, i + 1))
			return true;
	return false;
}

static void
throw_unwritable(CrmTable *table, CrmColumn *column)
{
	const CrmField *field = &table->entity.fields[column->field];
	const char *property = field->writable ? field->property :
		psprintf("%s/%s", field->property, field->member);

	if (column->writable == CRM_NOT_OVER_ODATA)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" can't be written: CDMS 2011 does not change %s over OData",
						column->name, property),
				 errhint("Change it in CDMS; the next SELECT shows it here.")));
	ereport(ERROR,
			(errcode(ERRCODE_GENERATED_ALWAYS),
			 errmsg("column \"%s\" can't be assigned a value: CDMS sets %s itself",
					column->name, property),
			 errhint("Leave the column out, or assign DEFAULT or NULL on INSERT.")));
}

/* The columns of which CDMS is to be told, checked. */
static List *
pushed_columns(CrmTable *table, RowChange *row)
{
	List	   *result = NIL;

	if (row->after == NULL)
		return NIL;
	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		if (column->field < 0 || !column_changed(row, column->store_attnum))
			continue;
		if (column->writable != CRM_WRITABLE)
			throw_unwritable(table, column);
		if (column == table->key && row->before)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("the key \"%s\" of an object can't be changed", column->name),
					 errdetail("CDMS knows the object by it."),
					 errhint("Insert a new row and delete the old one.")));
		result = lappend(result, column->name);
	}
	return result;
}

static const pg_uuid_t *
row_key(CrmTable *table, RowChange *row, HeapTuple tuple)
{
	AttrNumber	attnum = table->key->store_attnum;
	TupleDesc	desc = RelationGetDescr(row->rel);
	bool		isnull;
	Datum		key;

	if (attnum > desc->natts || TupleDescAttr(desc, attnum - 1)->atttypid != UUIDOID)
		crm_table_throw_altered(table);
	key = column_value(row, tuple, attnum, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("the key \"%s\" of an object must not be null", table->key->name)));
	return DatumGetUUIDP(key);
}

/*
 * The transaction has been shown, and goes on being shown, what CDMS has: the row that it
 * writes is another one.
 */
static void
refuse_overlaid(CrmTable *table, const pg_uuid_t *key)
{
	if (crm_asked_is_overlaid(table->store, key))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update"),
				 errdetail("Object %s of %s was changed in CDMS, and its row here by another session.",
						   DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(key))),
						   table->name),
				 errhint("The transaction might succeed if retried.")));
}

static void
record(CrmTable *table, RowChange *row)
{
	HeapTuple	latest = row->after ? row->after : row->before;
	TupleDesc	desc = RelationGetDescr(row->rel);
	const pg_uuid_t *key = row_key(table, row, latest);
	const char *actor = NULL;
	bool		pulled = crm_store_is_pulling(RelationGetRelid(row->rel), key, &actor);
	CrmChange	change = {
		.store = RelationGetRelid(row->rel),
		.key = key,
		.operation = row->before == NULL ? "insert" : row->after == NULL ? "delete" : "update",
		.origin = pulled ? "cdms" : "crm",
		.actor = pulled ? (actor ? actor : "cdms") : GetUserNameFromId(GetUserId(), false),
		.before = row->before ? crm_ledger_row_json(row->before, desc) : 0,
		.after = row->after ? crm_ledger_row_json(row->after, desc) : 0,
		.push = crm_mode == CRM_MODE_SYNC && !table->queued,
	};
	bool		outbox = false;

	if (!pulled)
	{
		change.pushed = pushed_columns(table, row);
		outbox = change.pushed != NIL || row->after == NULL;
	}
	if (outbox)
	{
		crm_table_require_updatable(table);
		refuse_overlaid(table, key);
	}
	crm_ledger_record(&change, outbox);
	if (outbox && change.push)
		crm_push_at_commit();
}

Datum
crm_capture(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	RowChange	row;
	CrmTable   *table;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm_sync.capture() is an AFTER ROW trigger"),
				 errhint("crm_sync.create_store() attaches it.")));

	row.rel = data->tg_relation;
	row.before = TRIGGER_FIRED_BY_INSERT(data->tg_event) ? NULL : data->tg_trigtuple;
	row.after = TRIGGER_FIRED_BY_INSERT(data->tg_event) ? data->tg_trigtuple :
		TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : NULL;

	/* No foreign table any more: CDMS is switched off, this is a table. */
	table = crm_table_of_store(RelationGetRelid(data->tg_relation));
	if (table == NULL)
		crm_table_check_store(RelationGetRelid(data->tg_relation));
	if (table != NULL && row_changed(&row))
	{
		crm_table_require_store(table);
		record(table, &row);
	}
	return PointerGetDatum(NULL);
}

Datum
crm_truncated(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm_sync.truncated() is a trigger")));
	if (crm_table_of_store(RelationGetRelid(data->tg_relation)) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("store \"%s\" can't be truncated",
						RelationGetRelationName(data->tg_relation)),
				 errdetail("TRUNCATE would leave the objects in CDMS without a word."),
				 errhint("Use DELETE, which deletes them there too.")));
	return PointerGetDatum(NULL);
}
