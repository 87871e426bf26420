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
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "sync/store.h"

/*
 * The row that is being written on CDMS's behalf.  Only the trigger fired by
 * that very statement may take the row for CDMS's: what a user's trigger writes
 * in consequence, one level deeper, is the CRM's own.
 */
static struct
{
	Oid			store;
	int			trigger_depth;
	const char *actor;
}			pulling;

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
			 errdetail("Only the owner may have his values converted by what PostgreSQL does not bring along."),
			 errhint("Alter one of them.")));
}

char *
crm_store_column_sql(CrmTable *table, const CrmColumn *column)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(table->store, column->store_attnum, &type, &typmod, &collation);
	check_conversion(table, column, type);
	if (type == column->type)
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
 * alone, FORCE or not.  Policies show in what a scan returns.
 */
static CrmStatement *
prepare(CrmStore *store, const char *sql, int nparams, const Oid *types)
{
	MemoryContext before = MemoryContextSwitchTo(store->memory);
	int			level = crm_guc_by_index();
	CrmStatement *statement;
	Oid			user;
	int			security;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(user, security | SECURITY_NOFORCE_RLS);
	statement = crm_statement_prepare(sql, nparams, types, store->table->owner, NIL);
	SetUserIdAndSecContext(user, security);
	AtEOXact_GUC(true, level);
	MemoryContextSwitchTo(before);
	return statement;
}

/* Of the parameters: a value for each field, and a row's version. */
static Oid *
field_types(CrmTable *table)
{
	Oid		   *types = palloc_array(Oid, table->entity.nfields + 1);

	for (int i = 0; i < table->entity.nfields; i++)
		types[i] = table->entity.fields[i].pgtype;
	types[table->entity.nfields] = TIDOID;
	return types;
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
	return prepare(store, sql.data, 1, types);
}

static CrmStatement *
prepare_insert(CrmStore *store)
{
	CrmTable   *table = store->table;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s (", table->store_name);
	for (int i = 0; i < table->entity.nfields; i++)
		appendStringInfo(&sql, "%s%s", i ? ", " : "",
						 quote_identifier(field_column(table, i)->name));
	appendStringInfoString(&sql, ") VALUES (");
	for (int i = 0; i < table->entity.nfields; i++)
		appendStringInfo(&sql, "%s$%d", i ? ", " : "", i + 1);
	appendStringInfo(&sql, ") ON CONFLICT (%s) DO NOTHING", quote_identifier(table->key->name));
	return prepare(store, sql.data, table->entity.nfields, field_types(table));
}

static CrmStatement *
prepare_update(CrmStore *store)
{
	CrmTable   *table = store->table;
	const char *separator = "";
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s SET ", table->store_name);
	for (int i = 0; i < table->entity.nfields; i++)
	{
		if (i == table->entity.key)
			continue;
		appendStringInfo(&sql, "%s%s = $%d", separator,
						 quote_identifier(field_column(table, i)->name), i + 1);
		separator = ", ";
	}
	appendStringInfo(&sql, " WHERE %s OPERATOR(pg_catalog.=) $%d AND ctid OPERATOR(pg_catalog.=) $%d",
					 quote_identifier(table->key->name), table->entity.key + 1,
					 table->entity.nfields + 1);
	return prepare(store, sql.data, table->entity.nfields + 1, field_types(table));
}

static CrmStatement *
prepare_delete(CrmStore *store)
{
	static const Oid types[] = {UUIDOID};
	CrmTable   *table = store->table;

	return prepare(store,
				   psprintf("DELETE FROM %s WHERE %s OPERATOR(pg_catalog.=) $1",
							table->store_name, quote_identifier(table->key->name)),
				   1, types);
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
	row = hash_search(visit->rows, DatumGetUUIDP(slot->tts_values[entity->key]),
					  HASH_ENTER, &found);
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

	if (store->read == NULL)
		store->read = prepare_read(store);
	if (n > 0)
		crm_statement_run(store->read, &array, NULL, keep_row, &visit);
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
				   1, types);
}

static void
keep_locked(TupleTableSlot *slot, void *arg)
{
	bool		isnull;

	hash_search(arg, DatumGetUUIDP(slot_getattr(slot, 1, &isnull)), HASH_ENTER, NULL);
}

HTAB *
crm_store_lock(CrmStore *store, const pg_uuid_t *keys, int n)
{
	HTAB	   *locked = crm_key_hash("crm_sync locked rows", sizeof(pg_uuid_t));
	Datum		array = key_array(keys, n);

	if (store->lock == NULL)
		store->lock = prepare_lock(store);
	crm_statement_run(store->lock, &array, NULL, keep_locked, locked);
	return locked;
}

/* Runs a statement whose rows' changes are CDMS's. */
static uint64
run_marked(CrmStore *store, CrmStatement *statement, Datum *values, bool *nulls,
		   const char *actor)
{
	volatile typeof(pulling) before = pulling;
	volatile uint64 processed = 0;

	pulling.store = store->table->store;
	pulling.trigger_depth = DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, 0)) + 1;
	pulling.actor = actor;
	PG_TRY();
	{
		processed = crm_statement_run(statement, values, nulls, NULL, NULL);
	}
	PG_FINALLY();
	{
		pulling = before;
	}
	PG_END_TRY();
	return processed;
}

/*
 * A pull is the owner's act, whoever reads: the owner's triggers and checks must
 * not run with a reader's rights, nor anything of theirs later, nor may their
 * settings stay.
 */
static bool
run_pulled(CrmStore *store, CrmStatement *statement, Datum *values, bool *nulls,
		   const char *actor)
{
	Oid			owner = store->table->owner;
	uint64		processed;
	int			level;
	Oid			user;
	int			security;

	GetUserIdAndSecContext(&user, &security);
	if (owner == user)
		return run_marked(store, statement, values, nulls, actor) > 0;

	level = NewGUCNestLevel();
	SetUserIdAndSecContext(owner, security | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	processed = run_marked(store, statement, values, nulls, actor);
	SetUserIdAndSecContext(user, security);
	AtEOXact_GUC(false, level);
	return processed > 0;
}

static const char *
actor_of(CrmTable *table, const CrmObject *object)
{
	int			field = table->actor_field;

	if (field < 0 || object->nulls[field] || table->entity.fields[field].basetype != TEXTOID)
		return NULL;
	return TextDatumGetCString(object->values[field]);
}

bool
crm_store_insert(CrmStore *store, const CrmObject *object)
{
	if (store->insert == NULL)
		store->insert = prepare_insert(store);
	return run_pulled(store, store->insert, object->values, object->nulls,
					  actor_of(store->table, object));
}

bool
crm_store_update(CrmStore *store, const CrmObject *object, const ItemPointerData *version)
{
	int			n = store->table->entity.nfields;
	Datum	   *values = palloc_array(Datum, n + 1);
	bool	   *nulls = palloc0_array(bool, n + 1);

	if (n == 1)
		return true;			/* nothing but a key */
	if (store->update == NULL)
		store->update = prepare_update(store);
	memcpy(values, object->values, n * sizeof(Datum));
	memcpy(nulls, object->nulls, n * sizeof(bool));
	values[n] = PointerGetDatum(version);
	return run_pulled(store, store->update, values, nulls, actor_of(store->table, object));
}

bool
crm_store_delete(CrmStore *store, const pg_uuid_t *key)
{
	Datum		value = UUIDPGetDatum(key);

	if (store->delete == NULL)
		store->delete = prepare_delete(store);
	return run_pulled(store, store->delete, &value, NULL, NULL);
}

bool
crm_store_is_pulling(Oid store, const char **actor)
{
	if (pulling.store != store ||
		pulling.trigger_depth != DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, 0)))
		return false;
	*actor = pulling.actor;
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
