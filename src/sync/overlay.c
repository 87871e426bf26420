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
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "sync/overlay.h"
#include "sync/store.h"

struct CrmOverlay
{
	CrmTable   *table;
	HTAB	   *rows;			/* of OverlayRow; NULL: empty */
	MemoryContext memory;
};

typedef struct OverlayRow
{
	pg_uuid_t	key;			/* hash key */
	Datum		row;			/* of the foreign table's row type, less the
								 * CRM's own columns; 0: hidden */
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

int64
crm_overlay_count(CrmOverlay *overlay)
{
	return crm_overlay_is_empty(overlay) ? 0 : hash_get_num_entries(overlay->rows);
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

bool
crm_overlay_has(CrmOverlay *overlay, Oid store, const pg_uuid_t *key)
{
	return overlay->rows && overlay->table->store == store &&
		hash_search(overlay->rows, key, HASH_FIND, NULL);
}

void
crm_overlay_hide(CrmOverlay *overlay, const pg_uuid_t *key)
{
	overlay_row(overlay, key)->row = 0;
}

void
crm_overlay_put(CrmOverlay *overlay, const CrmObject *object)
{
	CrmTable   *table = overlay->table;
	Relation	rel = relation_open(table->relid, NoLock);
	TupleDesc	desc = RelationGetDescr(rel);
	Datum	   *values = palloc0_array(Datum, desc->natts);
	bool	   *nulls = palloc_array(bool, desc->natts);
	MemoryContext before;
	OverlayRow *entry;

	crm_table_check_unaltered(table);
	memset(nulls, true, desc->natts * sizeof(bool));
	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		if (column->field < 0)
			continue;
		values[column->attnum - 1] = object->values[column->field];
		nulls[column->attnum - 1] = object->nulls[column->field];
	}

	before = MemoryContextSwitchTo(overlay->memory);
	entry = overlay_row(overlay, &object->key);
	entry->row = heap_copy_tuple_as_datum(heap_form_tuple(desc, values, nulls), desc);
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

	crm_table_check_unaltered(overlay->table);
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

/*
 * The CRM's own columns of the overlay's rows are the store's, as the statement's
 * snapshot has them: what was known as a row was overlaid might not fit the
 * others.
 */
static char *
own_columns_join(CrmTable *table)
{
	StringInfoData sql;
	const char *key = quote_identifier(table->key->name);
	bool		has_own = false;

	initStringInfo(&sql);
	appendStringInfo(&sql, " LEFT JOIN (SELECT %s", key);
	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		if (column->field >= 0)
			continue;
		has_own = true;
		appendStringInfo(&sql, ", %s AS %s", crm_store_column_sql(table, column),
						 quote_identifier(column->name));
	}
	appendStringInfo(&sql, " FROM %s) own ON own.%s OPERATOR(pg_catalog.=) o.%s",
					 table->store_name, key, key);
	return has_own ? sql.data : "";
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
		CrmColumn  *column = &table->columns[i];
		const char *name = quote_identifier(column->name);

		appendStringInfo(&store, "%s%s AS %s", i ? ", " : "",
						 crm_store_column_sql(table, column), name);
		appendStringInfo(&rows, "%s%s.%s", i ? ", " : "", column->field < 0 ? "own" : "o", name);
	}
	/* Keys are joined, so hashed where there are many; <> ALL would compare each with each. */
	return psprintf("(SELECT %s FROM %s store WHERE NOT EXISTS "
					"(SELECT FROM pg_catalog.unnest($%d) o(key) "
					"WHERE o.key OPERATOR(pg_catalog.=) store.%s) "
					"UNION ALL SELECT %s FROM pg_catalog.unnest($%d) o%s) overlaid",
					store.data, table->store_name, first, quote_identifier(table->key->name),
					rows.data, first + 1, own_columns_join(table));
}

Node *
crm_overlay_column_expr(CrmTable *table, const CrmColumn *column)
{
	return (Node *) makeVar(1, column - table->columns + 1, column->type, column->typmod,
							column->collation, 0);
}
