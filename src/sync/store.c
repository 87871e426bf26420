/*
 * sync/store.c
 *	  Reading and writing stores: the statements, and the mark that tells the
 *	  trigger which rows came from CDMS.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "rights.h"
#include "sync/store.h"

/*
 * The rows that are being written on CDMS's behalf.  Only the trigger fired by
 * that very statement may take the row for CDMS's: what a user's trigger writes
 * in consequence, one level deeper, is the CRM's own.
 */
static struct
{
	Oid			store;
	int			trigger_depth;
	HTAB	   *actors;			/* of RowActor; NULL: not known */
}			pulling;

/* Who changed an object in CDMS. */
typedef struct RowActor
{
	pg_uuid_t	key;			/* hash key */
	char	   *name;
} RowActor;

CrmStore *
crm_store_open(CrmTable *table)
{
	CrmStore   *store = palloc0_object(CrmStore);

	crm_table_require_store(table);
	store->table = table;
	store->memory = CurrentMemoryContext;
	return store;
}

/*
 * May whoever reads the column convert it?  The conversion runs as he, so it must
 * be PostgreSQL's own: no function of the owner's, no domain whose checks are his.
 */
static void
check_conversion(CrmTable *table, const CrmColumn *column, Oid type)
{
	Oid			function = InvalidOid;

	if (type == column->type || table->owner == GetUserId())
		return;
	if (getBaseType(column->type) == column->type &&
		find_coercion_pathway(column->type, getBaseType(type), COERCION_EXPLICIT,
							  &function) != COERCION_PATH_NONE &&
		column->type < FirstNormalObjectId && getBaseType(type) < FirstNormalObjectId &&
		function < FirstNormalObjectId)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("column \"%s\" of store %s is of type %s, that of foreign table %s of type %s",
					column->name, table->store_name, format_type_be(type), table->name,
					format_type_be(column->type)),
			 errdetail("Functions and domains of the owner's convert values for himself only."),
			 errhint("Alter one of them.")));
}

const pg_uuid_t *
crm_store_key_value(Datum key, bool isnull)
{
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("a store has a row without a key"),
				 errhint("Give its key column the constraint NOT NULL back.")));
	return DatumGetUUIDP(key);
}

const pg_uuid_t *
crm_store_key(TupleTableSlot *slot, int attnum)
{
	bool		isnull;
	Datum		key = slot_getattr(slot, attnum, &isnull);

	return crm_store_key_value(key, isnull);
}

char *
crm_store_column_sql(CrmTable *table, const CrmColumn *column)
{
	check_conversion(table, column, column->store_type);
	if (column->store_type == column->type)
		return pstrdup(quote_identifier(column->name));
	return psprintf("%s::%s", quote_identifier(column->name),
					format_type_extended(column->type, column->typmod,
										 FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
}

Node *
crm_store_column_expr(CrmTable *table, const CrmColumn *column)
{
	Oid			type;
	int32		typmod;
	Oid			collation;
	Node	   *var;

	get_atttypetypmodcoll(table->store, column->store_attnum, &type, &typmod, &collation);
	if (type != column->store_type)
		crm_table_throw_altered(table);
	check_conversion(table, column, type);
	var = (Node *) makeVar(1, column->store_attnum, type, typmod, collation, 0);
	if (type == column->type)
		return var;
	var = coerce_to_target_type(NULL, var, type, column->type, column->typmod,
								COERCION_EXPLICIT, COERCE_EXPLICIT_CAST, -1);
	if (var == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of store %s is of type %s, that of foreign table %s of type %s",
						column->name, table->store_name, format_type_be(type), table->name,
						format_type_be(column->type)),
				 errhint("Alter one of them.")));
	return var;
}

static const CrmColumn *
field_column(CrmTable *table, int field)
{
	for (int i = 0; i < table->ncolumns; i++)
		if (table->columns[i].field == field)
			return &table->columns[i];
	elog(ERROR, "field %d has no column", field);
}

/*
 * What comes from CDMS, and what goes there, is the whole object, whoever reads
 * or writes: these statements are the store's owner's, whom row security leaves
 * alone, FORCE or not.  Policies show in what a scan returns.  They have either
 * parameters or rows.
 */
static CrmStatement *
prepare(CrmStore *store, const char *sql, int nparams, const Oid *types, TupleDesc rows)
{
	MemoryContext own = AllocSetContextCreate(CurrentMemoryContext, "crm_sync statement",
											  ALLOCSET_SMALL_SIZES);
	MemoryContext before = MemoryContextSwitchTo(own);
	int			level = crm_guc_by_index();
	CrmStatement *statement;

	statement = rows ? crm_statement_prepare_rows(sql, rows, store->table) :
		crm_statement_prepare_unfiltered(sql, nparams, types, store->table);
	AtEOXact_GUC(true, level);
	MemoryContextSwitchTo(before);
	MemoryContextSetParent(own, store->memory);
	return statement;
}

/*
 * One of the store's statements, fit to be run.  Without the lock that it was planned
 * under it would miss what other sessions do to the store meanwhile: a row that it
 * writes would not be in an index that is being built.
 */
static CrmStatement *
ready(CrmStore *store, CrmStatement **kept, CrmStatement *(*prepare_it) (CrmStore *store))
{
	if (*kept && !crm_statement_is_locked(*kept))
	{
		MemoryContextDelete(GetMemoryChunkContext(*kept));
		*kept = NULL;
	}
	if (*kept == NULL)
		*kept = prepare_it(store);
	return *kept;
}

/* Of rows to be written.  What the store's columns demand is theirs to check. */
static TupleDesc
row_shape(CrmStore *store)
{
	MemoryContext before = MemoryContextSwitchTo(store->memory);
	CrmEntity  *entity = &store->table->entity;

	if (store->shape == NULL)
	{
		store->shape = CreateTemplateTupleDesc(entity->nfields + 1);
		for (int i = 0; i < entity->nfields; i++)
			TupleDescInitEntry(store->shape, i + 1, psprintf("f%d", i), entity->fields[i].pgtype,
							   -1, 0);
		TupleDescInitEntry(store->shape, entity->nfields + 1, "version", TIDOID, -1, 0);
	}
	MemoryContextSwitchTo(before);
	return store->shape;
}

/* SELECT of all mapped columns, in the order of the fields, by an array of keys. */
static CrmStatement *
prepare_read(CrmStore *store)
{
	static const Oid types[] = {UUIDARRAYOID};
	CrmTable   *table = store->table;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < table->entity.nfields; i++)
		appendStringInfo(&sql, "%s%s", i ? ", " : "",
						 crm_store_column_sql(table, field_column(table, i)));
	appendStringInfo(&sql, ", ctid FROM %s WHERE %s OPERATOR(pg_catalog.=) ANY ($1)",
					 table->store_name, quote_identifier(table->key->name));
	return prepare(store, sql.data, 1, types, NULL);
}

static CrmStatement *
prepare_insert(CrmStore *store)
{
	CrmTable   *table = store->table;
	const char *key = quote_identifier(table->key->name);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s (", table->store_name);
	for (int i = 0; i < table->entity.nfields; i++)
		appendStringInfo(&sql, "%s%s", i ? ", " : "",
						 quote_identifier(field_column(table, i)->name));
	appendStringInfoString(&sql, ") SELECT ");
	for (int i = 0; i < table->entity.nfields; i++)
		appendStringInfo(&sql, "%sf%d", i ? ", " : "", i);
	appendStringInfo(&sql, " FROM crm_rows ON CONFLICT (%s) DO NOTHING RETURNING %s", key, key);
	return prepare(store, sql.data, 0, NULL, row_shape(store));
}

static CrmStatement *
prepare_update(CrmStore *store)
{
	CrmTable   *table = store->table;
	const char *key = quote_identifier(table->key->name);
	const char *separator = "";
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS s SET ", table->store_name);
	for (int i = 0; i < table->entity.nfields; i++)
	{
		if (i == table->entity.key)
			continue;
		appendStringInfo(&sql, "%s%s = r.f%d", separator,
						 quote_identifier(field_column(table, i)->name), i);
		separator = ", ";
	}
	appendStringInfo(&sql, " FROM crm_rows r WHERE s.%s OPERATOR(pg_catalog.=) r.f%d "
					 "AND s.ctid OPERATOR(pg_catalog.=) r.version RETURNING s.%s",
					 key, table->entity.key, key);
	return prepare(store, sql.data, 0, NULL, row_shape(store));
}

static CrmStatement *
prepare_delete(CrmStore *store)
{
	static const Oid types[] = {UUIDOID};
	CrmTable   *table = store->table;

	return prepare(store,
				   psprintf("DELETE FROM %s WHERE %s OPERATOR(pg_catalog.=) $1",
							table->store_name, quote_identifier(table->key->name)),
				   1, types, NULL);
}

HTAB *
crm_key_hash(const char *name, Size entry_size)
{
	HASHCTL		ctl = {
		.keysize = sizeof(pg_uuid_t),.entrysize = entry_size,.hcxt = CurrentMemoryContext
	};

	return hash_create(name, 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

typedef struct RowsVisit
{
	CrmTable   *table;
	HTAB	   *rows;
	MemoryContext memory;
} RowsVisit;

static void
keep_row(TupleTableSlot *slot, void *arg)
{
	RowsVisit  *visit = arg;
	CrmEntity  *entity = &visit->table->entity;
	MemoryContext before = MemoryContextSwitchTo(visit->memory);
	CrmStoreRow *row;
	bool		found;

	slot_getallattrs(slot);
	row = hash_search(visit->rows, crm_store_key(slot, entity->key + 1), HASH_ENTER, &found);
	row->values = palloc_array(Datum, entity->nfields);
	row->nulls = palloc_array(bool, entity->nfields);
	for (int i = 0; i < entity->nfields; i++)
	{
		Form_pg_attribute att = TupleDescAttr(slot->tts_tupleDescriptor, i);

		row->nulls[i] = slot->tts_isnull[i];
		row->values[i] = slot->tts_isnull[i] ? (Datum) 0 :
			datumCopy(slot->tts_values[i], att->attbyval, att->attlen);
	}
	row->version = *(ItemPointer) DatumGetPointer(slot->tts_values[entity->nfields]);
	MemoryContextSwitchTo(before);
}

static Datum
key_array(const pg_uuid_t *keys, int n)
{
	Datum	   *elements = palloc_array(Datum, n + 1);

	for (int i = 0; i < n; i++)
		elements[i] = UUIDPGetDatum(&keys[i]);
	return PointerGetDatum(construct_array(elements, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}

HTAB *
crm_store_rows(CrmStore *store, const pg_uuid_t *keys, int n)
{
	RowsVisit	visit = {
		store->table, crm_key_hash("crm_sync store rows", sizeof(CrmStoreRow)), CurrentMemoryContext
	};
	Datum		array = key_array(keys, n);

	if (n > 0)
		crm_statement_run(ready(store, &store->read, prepare_read), &array, NULL, keep_row, &visit);
	return visit.rows;
}

static CrmStatement *
prepare_lock(CrmStore *store)
{
	static const Oid types[] = {UUIDARRAYOID};
	CrmTable   *table = store->table;
	const char *key = quote_identifier(table->key->name);

	return prepare(store,
				   psprintf("SELECT %s FROM %s WHERE %s OPERATOR(pg_catalog.=) ANY ($1) "
							"FOR NO KEY UPDATE SKIP LOCKED", key, table->store_name, key),
				   1, types, NULL);
}

static void
keep_locked(TupleTableSlot *slot, void *arg)
{
	hash_search(arg, crm_store_key(slot, 1), HASH_ENTER, NULL);
}

HTAB *
crm_store_lock(CrmStore *store, const pg_uuid_t *keys, int n)
{
	HTAB	   *locked = crm_key_hash("crm_sync locked rows", sizeof(pg_uuid_t));
	Datum		array = key_array(keys, n);

	crm_statement_run(ready(store, &store->lock, prepare_lock), &array, NULL, keep_locked,
					  locked);
	return locked;
}

bool
crm_store_lock_if_there(CrmStore *store, const pg_uuid_t *key)
{
	return hash_get_num_entries(crm_store_rows(store, key, 1)) ==
		hash_get_num_entries(crm_store_lock(store, key, 1));
}

/* A statement whose rows' changes are CDMS's. */
typedef struct Write
{
	CrmStatement *statement;
	Datum	   *values;			/* of its parameters */
	Tuplestorestate *rows;		/* or its rows */
	HTAB	   *actors;			/* of RowActor, or NULL */
	HTAB	   *written;		/* gets the keys returned; NULL: there are none */
	uint64		processed;
} Write;

static void
note_written(TupleTableSlot *slot, void *arg)
{
	hash_search(arg, crm_store_key(slot, 1), HASH_ENTER, NULL);
}

static void
run_marked(CrmStore *store, Write *write)
{
	CrmRowVisitor visit = write->written ? note_written : NULL;
	volatile typeof(pulling) before = pulling;

	pulling.store = store->table->store;
	pulling.trigger_depth = DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, 0)) + 1;
	pulling.actors = write->actors;
	PG_TRY();
	{
		write->processed = write->rows ?
			crm_statement_run_rows(write->statement, write->rows, visit, write->written) :
			crm_statement_run(write->statement, write->values, NULL, visit, write->written);
	}
	PG_FINALLY();
	{
		pulling = before;
	}
	PG_END_TRY();
}

/*
 * Constraints' errors quote the whole row to him who has the rights to see it: as a pull
 * goes, the owner.
 */
static void
hide_values(void *arg)
{
	if (ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
		errdetail("What CDMS sent is refused by the store; its owner sees more.");
}

/*
 * A pull is the owner's act, whoever reads: the owner's triggers and checks must
 * not run with a reader's rights, nor anything of theirs later, nor may their
 * settings stay.
 */
static void
run_pulled(CrmStore *store, Write *write)
{
	Oid			owner = store->table->owner;
	ErrorContextCallback hiding = {.callback = hide_values,.previous = error_context_stack};
	bool		hidden = !has_privs_of_role(GetUserId(), owner);
	CrmRights	former;

	if (hidden)
		error_context_stack = &hiding;
	crm_rights_take(&former, owner);
	run_marked(store, write);
	crm_rights_give_back(&former);
	error_context_stack = hiding.previous;
}

static HTAB *
actors_of(CrmTable *table, List *objects)
{
	int			field = table->actor_field;
	HTAB	   *actors;
	ListCell   *lc;

	if (field < 0 || table->entity.fields[field].basetype != TEXTOID)
		return NULL;
	actors = crm_key_hash("crm_sync actors", sizeof(RowActor));
	foreach(lc, objects)
	{
		CrmObject  *object = lfirst(lc);
		RowActor   *actor;

		if (object->nulls[field])
			continue;
		actor = hash_search(actors, &object->key, HASH_ENTER, NULL);
		actor->name = TextDatumGetCString(object->values[field]);
	}
	return actors;
}

/* versions (CrmStoreRow; NULL: none) are those that the objects are to replace. */
static void
write_objects(CrmStore *store, CrmStatement *statement, List *objects, HTAB *versions,
			  HTAB *written)
{
	int			n = store->table->entity.nfields;
	Datum	   *values = palloc_array(Datum, n + 1);
	bool	   *nulls = palloc_array(bool, n + 1);
	Write		write = {
		.statement = statement,.rows = tuplestore_begin_heap(false, false, work_mem),
		.actors = actors_of(store->table, objects),.written = written
	};
	ListCell   *lc;

	foreach(lc, objects)
	{
		CrmObject  *object = lfirst(lc);
		CrmStoreRow *row = versions ?
			hash_search(versions, &object->key, HASH_FIND, NULL) : NULL;

		memcpy(values, object->values, n * sizeof(Datum));
		memcpy(nulls, object->nulls, n * sizeof(bool));
		values[n] = row ? PointerGetDatum(&row->version) : (Datum) 0;
		nulls[n] = row == NULL;
		tuplestore_putvalues(write.rows, store->shape, values, nulls);
	}
	run_pulled(store, &write);
	tuplestore_end(write.rows);
}

void
crm_store_insert(CrmStore *store, List *objects, HTAB *written)
{
	write_objects(store, ready(store, &store->insert, prepare_insert), objects, NULL, written);
}

static void
note_objects(List *objects, HTAB *written)
{
	ListCell   *lc;

	foreach(lc, objects)
		hash_search(written, &((CrmObject *) lfirst(lc))->key, HASH_ENTER, NULL);
}

void
crm_store_update(CrmStore *store, List *objects, HTAB *versions, HTAB *written)
{
	if (store->table->entity.nfields == 1)
	{
		note_objects(objects, written);		/* nothing but keys */
		return;
	}
	write_objects(store, ready(store, &store->update, prepare_update), objects, versions,
				  written);
}

bool
crm_store_delete(CrmStore *store, const pg_uuid_t *key)
{
	Datum		value = UUIDPGetDatum(key);
	Write		write = {.values = &value};

	write.statement = ready(store, &store->delete, prepare_delete);
	run_pulled(store, &write);
	return write.processed > 0;
}

bool
crm_store_is_pulling(Oid store, const pg_uuid_t *key, const char **actor)
{
	RowActor   *entry;

	if (pulling.store != store ||
		pulling.trigger_depth != DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, 0)))
		return false;
	entry = pulling.actors ? hash_search(pulling.actors, key, HASH_FIND, NULL) : NULL;
	*actor = entry ? entry->name : NULL;
	return true;
}

bool
crm_value_equal(Oid type, Datum a, bool a_null, Datum b, bool b_null)
{
	TypeCacheEntry *entry;

	if (a_null || b_null)
		return a_null == b_null;
	entry = lookup_type_cache(type, 0);
	if (datum_image_eq(a, b, entry->typbyval, entry->typlen))
		return true;
	return getBaseType(type) == NUMERICOID &&
		DatumGetBool(DirectFunctionCall2(numeric_eq, a, b));
}
