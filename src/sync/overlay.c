/*
 * sync/overlay.c
 *	  The overlay: rows of the foreign table's type, by key.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "sync/overlay.h"
#include "sync/statement.h"
#include "sync/store.h"

struct CrmOverlay
{
	CrmTable   *table;
	HTAB	   *rows;			/* of OverlayRow; NULL: empty */
	MemoryContext memory;
	CrmStatement *read_own;		/* the CRM's own columns by key; NULL: not
								 * planned yet */
};

typedef struct OverlayRow
{
	pg_uuid_t	key;			/* hash key */
	Datum		row;			/* of the foreign table's row type; 0: hidden */
} OverlayRow;

CrmOverlay *
crm_overlay_make(CrmTable *table, MemoryContext memory)
{
	MemoryContext before = MemoryContextSwitchTo(memory);
	CrmOverlay *overlay = palloc0_object(CrmOverlay);

	overlay->table = table;
	overlay->memory = memory;
	MemoryContextSwitchTo(before);
	return overlay;
}

bool
crm_overlay_is_empty(CrmOverlay *overlay)
{
	return overlay == NULL || overlay->rows == NULL;
}

/* The overlay's row of this key, new ones included, in its memory. */
static OverlayRow *
overlay_row(CrmOverlay *overlay, const pg_uuid_t *key)
{
	MemoryContext before = MemoryContextSwitchTo(overlay->memory);

	if (overlay->rows == NULL)
		overlay->rows = crm_key_hash("crm_sync overlay", sizeof(OverlayRow));
	MemoryContextSwitchTo(before);
	return hash_search(overlay->rows, key, HASH_ENTER, NULL);
}

void
crm_overlay_hide(CrmOverlay *overlay, const pg_uuid_t *key)
{
	overlay_row(overlay, key)->row = 0;
}

/* A row of the foreign table in the making. */
typedef struct NewRow
{
	CrmTable   *table;
	Datum	   *values;			/* by attribute number, less 1 */
	bool	   *nulls;
	MemoryContext memory;
} NewRow;

static char *
own_columns_sql(CrmTable *table)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s", quote_identifier(table->key->name));
	for (int i = 0; i < table->ncolumns; i++)
		if (table->columns[i].field < 0)
			appendStringInfo(&sql, ", %s", crm_store_column_sql(table, &table->columns[i]));
	appendStringInfo(&sql, " FROM %s WHERE %s OPERATOR(pg_catalog.=) $1", table->store_name,
					 quote_identifier(table->key->name));
	return sql.data;
}

static void
keep_own_columns(TupleTableSlot *slot, void *arg)
{
	NewRow	   *row = arg;
	MemoryContext before = MemoryContextSwitchTo(row->memory);
	int			from = 1;

	slot_getallattrs(slot);
	for (int i = 0; i < row->table->ncolumns; i++)
	{
		CrmColumn  *column = &row->table->columns[i];
		Form_pg_attribute att;

		if (column->field >= 0)
			continue;
		att = TupleDescAttr(slot->tts_tupleDescriptor, from);
		row->nulls[column->attnum - 1] = slot->tts_isnull[from];
		if (!slot->tts_isnull[from])
			row->values[column->attnum - 1] = datumCopy(slot->tts_values[from], att->attbyval,
														att->attlen);
		from++;
	}
	MemoryContextSwitchTo(before);
}

static void
read_own_columns(CrmOverlay *overlay, const pg_uuid_t *key, NewRow *row)
{
	static const Oid types[] = {UUIDOID};
	Datum		value = UUIDPGetDatum(key);

	if (overlay->read_own == NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(overlay->memory);

		overlay->read_own = crm_statement_prepare(own_columns_sql(overlay->table), 1, types,
												  overlay->table->owner, NIL);
		MemoryContextSwitchTo(before);
	}
	crm_statement_run(overlay->read_own, &value, NULL, keep_own_columns, row);
}

void
crm_overlay_put(CrmOverlay *overlay, const CrmObject *object)
{
	CrmTable   *table = overlay->table;
	Relation	rel = relation_open(table->relid, NoLock);
	TupleDesc	desc = RelationGetDescr(rel);
	NewRow		row = {
		table, palloc0_array(Datum, desc->natts), palloc_array(bool, desc->natts),
		CurrentMemoryContext
	};
	MemoryContext before;
	OverlayRow *entry;

	memset(row.nulls, true, desc->natts * sizeof(bool));
	read_own_columns(overlay, &object->key, &row);
	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		if (column->field < 0)
			continue;
		row.values[column->attnum - 1] = object->values[column->field];
		row.nulls[column->attnum - 1] = object->nulls[column->field];
	}

	before = MemoryContextSwitchTo(overlay->memory);
	entry = overlay_row(overlay, &object->key);
	entry->row = heap_copy_tuple_as_datum(heap_form_tuple(desc, row.values, row.nulls), desc);
	MemoryContextSwitchTo(before);
	relation_close(rel, NoLock);
}

bool
crm_overlay_is_allowed(CrmTable *table)
{
	return check_enable_rls(table->store, table->owner, true) != RLS_ENABLED;
}

static void
collect(CrmOverlay *overlay, Oid *types, Datum *values)
{
	int			n = hash_get_num_entries(overlay->rows);
	Datum	   *keys = palloc_array(Datum, n + 1);
	Datum	   *rows = palloc_array(Datum, n + 1);
	int			nkeys = 0;
	int			nrows = 0;
	Oid			rowtype = get_rel_type_id(overlay->table->relid);
	HASH_SEQ_STATUS scan;
	OverlayRow *row;

	hash_seq_init(&scan, overlay->rows);
	while ((row = hash_seq_search(&scan)) != NULL)
	{
		keys[nkeys++] = UUIDPGetDatum(&row->key);
		if (row->row)
			rows[nrows++] = row->row;
	}
	types[0] = UUIDARRAYOID;
	values[0] = PointerGetDatum(construct_array(keys, nkeys, UUIDOID, UUID_LEN, false,
												TYPALIGN_CHAR));
	types[1] = get_array_type(rowtype);
	values[1] = PointerGetDatum(construct_array(rows, nrows, rowtype, -1, false,
												TYPALIGN_DOUBLE));
}

char *
crm_overlay_sql(CrmOverlay *overlay, int first, Oid *types, Datum *values)
{
	CrmTable   *table = overlay->table;
	StringInfoData store;
	StringInfoData rows;

	collect(overlay, types, values);
	initStringInfo(&store);
	initStringInfo(&rows);
	for (int i = 0; i < table->ncolumns; i++)
	{
		const char *name = quote_identifier(table->columns[i].name);

		appendStringInfo(&store, "%s%s AS %s", i ? ", " : "",
						 crm_store_column_sql(table, &table->columns[i]), name);
		appendStringInfo(&rows, "%so.%s", i ? ", " : "", name);
	}
	return psprintf("(SELECT %s FROM %s WHERE %s OPERATOR(pg_catalog.<>) ALL ($%d) "
					"UNION ALL SELECT %s FROM pg_catalog.unnest($%d) o) overlaid",
					store.data, table->store_name, quote_identifier(table->key->name), first,
					rows.data, first + 1);
}

Node *
crm_overlay_column_expr(CrmTable *table, const CrmColumn *column)
{
	return (Node *) makeVar(1, column - table->columns + 1, column->type, column->typmod,
							column->collation, 0);
}
