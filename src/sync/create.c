/*
 * sync/create.c
 *	  crm_sync.create_store: from a pass-through table to a synchronised one.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/regproc.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "compat.h"
#include "rights.h"
#include "sync/table.h"

CRM_FUNCTION(crm_create_store);

/* The name given, or the default, as schema and table. */
static void
store_name(CrmTable *table, text *given, char **schema, char **name)
{
	*schema = get_namespace_name(get_rel_namespace(table->relid));
	if (given == NULL && OidIsValid(table->store))
	{
		*schema = get_namespace_name(get_rel_namespace(table->store));
		*name = get_rel_name(table->store);
	}
	else if (given == NULL)
	{
		char	   *base = get_rel_name(table->relid);
		int			room = NAMEDATALEN - 1 - strlen("_store");

		*name = psprintf("%.*s_store", pg_mbcliplen(base, strlen(base), room), base);
	}
	else
	{
		RangeVar   *var = makeRangeVarFromNameList(crm_qualified_name(text_to_cstring(given)));

		*name = var->relname;
		if (var->schemaname)
			*schema = var->schemaname;
	}
}

static void
run(const char *sql)
{
	if (SPI_execute(sql, false, 0) < 0)
		elog(ERROR, "could not run \"%s\"", sql);
}

static char *
column_definition(const CrmTable *table, const CrmColumn *column)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "%s %s", quote_identifier(column->name),
					 format_type_extended(column->type, column->typmod,
										  FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
	if (OidIsValid(column->collation) && column->collation != get_typcollation(column->type))
		appendStringInfo(&out, " COLLATE %s", generate_collation_name(column->collation));
	if (column == table->key)
		appendStringInfoString(&out, " PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid()");
	return out.data;
}

static void
create_table(CrmTable *table, const char *qualified)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE TABLE %s (", qualified);
	for (int i = 0; i < table->ncolumns; i++)
		appendStringInfo(&sql, "%s%s", i ? ", " : "",
						 column_definition(table, &table->columns[i]));
	appendStringInfoChar(&sql, ')');
	run(sql.data);
	run(psprintf("COMMENT ON TABLE %s IS %s", qualified,
				 quote_literal_cstr(psprintf("store of the synchronised table %s", table->name))));
}

/* Values must be able to go both ways by assignment. */
static void
check_fits(CrmTable *table, const CrmColumn *column, Oid store, AttrNumber attnum)
{
	Oid			there = get_atttype(store, attnum);
	Oid			here = column->type;

	if (can_coerce_type(1, &here, &there, COERCION_ASSIGNMENT) &&
		can_coerce_type(1, &there, &here, COERCION_ASSIGNMENT))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of \"%s\" is of type %s, that of foreign table %s of type %s",
					column->name, get_rel_name(store), format_type_be(there),
					table->name, format_type_be(here)),
			 errhint("Alter one of them, or name another store.")));
}

static bool
has_unique_key(Oid store, AttrNumber key)
{
	Relation	rel = relation_open(store, AccessShareLock);
	List	   *indexes = RelationGetIndexList(rel);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);

		if (index->indisunique && index->indimmediate && index->indisvalid &&
			index->indnkeyatts == 1 && index->indkey.values[0] == key &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL))
			found = true;
		ReleaseSysCache(tuple);
	}
	relation_close(rel, AccessShareLock);
	return found;
}

static bool
has_default(Oid store, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(store, column);
	bool		result = ((Form_pg_attribute) GETSTRUCT(tuple))->atthasdef;

	ReleaseSysCache(tuple);
	return result;
}

static bool
has_rules(Oid store)
{
	Relation	rel = relation_open(store, AccessShareLock);
	bool		result = rel->rd_rules != NULL;

	relation_close(rel, AccessShareLock);
	return result;
}

/* An existing table becomes the store: it gets the columns and the key it lacks. */
static void
adopt_table(CrmTable *table, Oid store, const char *qualified)
{
	char		kind = get_rel_relkind(store);
	AttrNumber	key;

	if (!crm_owns_relation(store, table->owner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, qualified);
	if (kind != RELKIND_RELATION || get_rel_relispartition(store) || has_subclass(store) ||
		has_rules(store) || get_rel_persistence(store) != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s can't be a store", qualified),
				 errdetail("A store is a plain table, neither TEMPORARY nor UNLOGGED, without partitions, inheritance and rules.")));

	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];
		AttrNumber	attnum = get_attnum(store, column->name);

		if (attnum != InvalidAttrNumber)
			check_fits(table, column, store, attnum);
		else if (column != table->key)
			run(psprintf("ALTER TABLE %s ADD COLUMN %s", qualified,
						 column_definition(table, column)));
	}
	key = get_attnum(store, table->key->name);
	if (key == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table %s has no column \"%s\" for the key", qualified, table->key->name),
				 errhint("Rename the column that holds it, or name another store.")));
	run(psprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", qualified,
				 quote_identifier(table->key->name)));
	if (!has_unique_key(store, key))
		run(psprintf("ALTER TABLE %s ADD PRIMARY KEY (%s)", qualified,
					 quote_identifier(table->key->name)));
	if (!has_default(store, table->key->name))
		run(psprintf("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT pg_catalog.gen_random_uuid()",
					 qualified, quote_identifier(table->key->name)));
}

/*
 * Triggers fire in the order of their names: digits come first, so that history
 * has a change before those that other triggers make in answer to it.
 */
static void
attach_triggers(const char *qualified)
{
	run(psprintf("CREATE OR REPLACE TRIGGER \"00_crm_sync_capture\" AFTER INSERT OR UPDATE OR DELETE ON %s "
				 "FOR EACH ROW EXECUTE FUNCTION crm_sync.capture()", qualified));
	run(psprintf("CREATE OR REPLACE TRIGGER \"00_crm_sync_truncated\" BEFORE TRUNCATE ON %s "
				 "FOR EACH STATEMENT EXECUTE FUNCTION crm_sync.truncated()", qualified));
}

static void
set_store_option(CrmTable *table, const char *qualified)
{
	run(psprintf("ALTER FOREIGN TABLE %s OPTIONS (%s store %s)", table->name,
				 table->store_option ? "SET" : "ADD", quote_literal_cstr(qualified)));
}

/*
 * A store is not dropped under its foreign table (but with CASCADE both go); the
 * foreign table may be dropped and leave the store.
 */
static void
depend_on_store(CrmTable *table, Oid store)
{
	ObjectAddress foreign_table;
	ObjectAddress referenced;

	ObjectAddressSet(foreign_table, RelationRelationId, table->relid);
	ObjectAddressSet(referenced, RelationRelationId, store);
	if (OidIsValid(table->store))
		deleteDependencyRecordsForSpecific(RelationRelationId, table->relid, DEPENDENCY_NORMAL,
										   RelationRelationId, table->store);
	recordDependencyOn(&foreign_table, &referenced, DEPENDENCY_NORMAL);
}

/* A value that is computed here is not CDMS's to give, nor to be sent there. */
static void
refuse_generated(CrmTable *table)
{
	for (int i = 0; i < table->ncolumns; i++)
		if (get_attgenerated(table->relid, table->columns[i].attnum))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("foreign table %s has a generated column \"%s\" and can't be synchronised",
							table->name, table->columns[i].name),
					 errhint("Give the generated column to the store alone.")));
}

static Oid
make_store(CrmTable *table, const char *schema, const char *name)
{
	const char *qualified = quote_qualified_identifier(schema, name);
	Oid			namespace = get_namespace_oid(schema, false);
	Oid			store = get_relname_relid(name, namespace);

	if (OidIsValid(store))
	{
		CrmTable   *owner_table = crm_table_of_store(store);

		if (owner_table && owner_table->relid != table->relid)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("%s is already the store of foreign table %s",
							qualified, owner_table->name)));
		adopt_table(table, store, qualified);
	}
	else
		create_table(table, qualified);

	store = get_relname_relid(name, namespace);
	attach_triggers(qualified);
	set_store_option(table, qualified);
	depend_on_store(table, store);
	return store;
}

Datum
crm_create_store(PG_FUNCTION_ARGS)
{
	CrmTable   *table;
	char	   *schema;
	char	   *name;
	CrmRights	former;
	Oid			store;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("foreign_table must not be null")));
	table = crm_table_get_own(PG_GETARG_OID(0));
	store_name(table, PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1), &schema, &name);

	refuse_generated(table);
	/* Whoever calls it, defaults and checks of the tables are their owner's. */
	crm_rights_take(&former, table->owner);
	SPI_connect();
	store = make_store(table, schema, name);
	SPI_finish();
	crm_rights_give_back(&former);
	PG_RETURN_OID(store);
}
