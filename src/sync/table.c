/*
 * sync/table.c
 *	  Foreign tables' descriptions, read from the catalogs and kept for the
 *	  session until something they depend on is altered.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "cdms/value.h"
#include "sync/options.h"
#include "sync/table.h"

/*
 * Properties that a client can't assign.  CDMS sets the first group itself
 * (cdms-protocol 5, "ModifiedOn/CreatedOn writable?"); the second needs messages
 * that OData 2011 does not have (SetStateRequest, AssignRequest).
 */
static const struct
{
	const char *property;
	CrmWritable writable;
}			unwritable_properties[] = {
	{"CreatedOn", CRM_SET_BY_CDMS},
	{"CreatedBy", CRM_SET_BY_CDMS},
	{"CreatedOnBehalfBy", CRM_SET_BY_CDMS},
	{"ModifiedOn", CRM_SET_BY_CDMS},
	{"ModifiedBy", CRM_SET_BY_CDMS},
	{"ModifiedOnBehalfBy", CRM_SET_BY_CDMS},
	{"VersionNumber", CRM_SET_BY_CDMS},
	{"OwningBusinessUnit", CRM_SET_BY_CDMS},
	{"OwningTeam", CRM_SET_BY_CDMS},
	{"OwningUser", CRM_SET_BY_CDMS},
	{"OrganizationId", CRM_SET_BY_CDMS},
	{"StateCode", CRM_NOT_OVER_ODATA},
	{"statecode", CRM_NOT_OVER_ODATA},
	{"OwnerId", CRM_NOT_OVER_ODATA},
};

typedef struct TableEntry
{
	Oid			relid;			/* hash key */
	CrmTable   *table;
} TableEntry;

/*
 * So often a description is built until nothing was altered meanwhile; the last serves
 * once.
 */
#define MOST_BUILDINGS 10

static HTAB *tables = NULL;
static List *retired = NIL;		/* CrmTables that may still be in use */
static uint64 alterations = 0;	/* heard of so far */
static Oid	altered[64];		/* the latest of them; InvalidOid: perhaps any */

Oid
crm_relation_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

static CrmWritable
property_writable(const CrmField *field)
{
	if (!field->writable)
		return CRM_SET_BY_CDMS;
	for (int i = 0; i < lengthof(unwritable_properties); i++)
		if (strcmp(unwritable_properties[i].property, field->property) == 0)
			return unwritable_properties[i].writable;
	return CRM_WRITABLE;
}

/* "ParentCustomerId/Name" to property and member. */
static void
split_path(char *path, CrmField *field)
{
	char	   *slash = strchr(path, '/');

	field->property = path;
	if (slash)
	{
		*slash = '\0';
		field->member = slash + 1;
	}
}

/*
 * The type of a path's property: where a member other than Id or Value is
 * named, the option "type" can still tell that it belongs to a reference.
 */
static CrmType
field_type(const char *type, const CrmField *field, const CrmColumn *column)
{
	CrmType		result;

	if (type && crm_type_by_name(type, &result))
		return result;
	if (field->member == NULL)
		return crm_type_for_column(column->type, column->name);
	if (strcmp(field->member, "Value") == 0)
		return getBaseType(column->type) == BOOLOID ? CRM_MANAGED_BOOLEAN :
			getBaseType(column->type) == NUMERICOID ? CRM_MONEY : CRM_OPTION_SET_VALUE;
	return CRM_ENTITY_REFERENCE;
}

static void
read_field(CrmTable *table, CrmColumn *column, List *options, const char *property)
{
	CrmField   *field = &table->entity.fields[table->entity.nfields];
	const char *own_member;

	split_path(pstrdup(property), field);
	field->type = field_type(crm_option(options, "type"), field, column);
	field->target = crm_option(options, "target");
	own_member = crm_type_member(field->type);
	if (field->member == NULL && own_member)
		field->member = pstrdup(own_member);
	field->writable = field->member == NULL ||
		(own_member && strcmp(field->member, own_member) == 0);
	field->pgtype = column->type;
	field->pgtypmod = column->typmod;
	field->owner = table->owner;
	crm_field_bind(field, table->memory);

	column->field = table->entity.nfields++;
	column->writable = property_writable(field);
	if (strcmp(field->property, "ModifiedOn") == 0 && field->scalar == CRM_DATETIME &&
		column->type == TIMESTAMPTZOID)
		table->modified_field = column->field;
	if (strcmp(field->property, "VersionNumber") == 0 && field->scalar == CRM_INT64 &&
		column->type == INT8OID)
		table->version_field = column->field;
	if (strcmp(field->property, "ModifiedBy") == 0 && field->member &&
		strcmp(field->member, "Name") == 0)
		table->actor_field = column->field;
}

static void
name_constant(void *arg)
{
	errcontext("option \"constant\" of column \"%s\"", ((const CrmColumn *) arg)->name);
}

Datum
crm_table_constant(const CrmTable *table, const CrmColumn *column)
{
	ErrorContextCallback context = {error_context_stack, name_constant, (void *) column};
	Datum		value;

	error_context_stack = &context;
	value = crm_value_input(&table->entity.fields[column->field], column->constant);
	error_context_stack = context.previous;
	return value;
}

/* Two columns that write the same value would contradict each other. */
static void
check_no_double(CrmTable *table, CrmColumn *column)
{
	CrmField   *field = &table->entity.fields[column->field];

	for (CrmColumn *other = table->columns; other < column; other++)
	{
		CrmField   *that;

		if (other->field < 0)
			continue;
		that = &table->entity.fields[other->field];
		if (strcmp(that->property, field->property) == 0 && that->writable && field->writable)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
					 errmsg("columns \"%s\" and \"%s\" of foreign table %s have the same property \"%s\"",
							other->name, column->name, table->name, field->property)));
	}
}

static void
read_column(CrmTable *table, Form_pg_attribute att)
{
	CrmColumn  *column = &table->columns[table->ncolumns];
	List	   *options = GetForeignColumnOptions(table->relid, att->attnum);
	char	   *property = crm_option(options, "property");
	char	   *constant = crm_option(options, "constant");

	column->name = pstrdup(NameStr(att->attname));
	column->attnum = att->attnum;
	column->type = att->atttypid;
	column->typmod = att->atttypmod;
	column->collation = att->attcollation;
	column->field = -1;
	if (property)
	{
		read_field(table, column, options, property);
		check_no_double(table, column);
	}
	else if (options != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
				 errmsg("column \"%s\" of foreign table %s has the option \"%s\", but no property",
						column->name, table->name, ((DefElem *) linitial(options))->defname),
				 errhint("Add the option \"property\", or drop the others: without it "
						 "the column is the CRM's own.")));
	if (constant)
		column->constant = pstrdup(constant);
	if (crm_option_bool(options, "key", false))
		table->key = column;
	table->ncolumns++;
}

/*
 * The key is the column marked so, else the one whose property is the entity's
 * name with Id (cdms-protocol 1.1; activities are the exception).
 */
static void
find_key(CrmTable *table)
{
	char	   *expected = psprintf("%sId", table->entity.name);

	for (int i = 0; table->key == NULL && i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		if (column->field >= 0 && table->entity.fields[column->field].member == NULL &&
			strcmp(table->entity.fields[column->field].property, expected) == 0)
			table->key = column;
	}
	if (table->key == NULL || table->key->field < 0 || table->key->type != UUIDOID)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
				 errmsg("foreign table %s has no column for the key of entity \"%s\"",
						table->name, table->entity.name),
				 errhint("Add a column of type uuid with OPTIONS (property '%s'), "
						 "or mark another one with OPTIONS (key 'true').", expected)));
	table->entity.key = table->key->field;
}

/*
 * The table that an option "store" names; InvalidOid when there is none, when it is
 * no table, or when it is somebody else's: his writes are not for this table's owner
 * to read.  Neither the current user's rights nor his search_path matter.
 */
static Oid
resolve_store(const char *store, Oid foreign_table)
{
	List	   *names;
	Oid			schema = get_rel_namespace(foreign_table);
	Oid			relid;

	if (!SplitIdentifierString(pstrdup(store), '.', &names) || list_length(names) > 2 ||
		names == NIL)
		return InvalidOid;
	if (list_length(names) == 2)
		schema = get_namespace_oid(linitial(names), true);
	relid = OidIsValid(schema) ? get_relname_relid(llast(names), schema) : InvalidOid;
	return OidIsValid(relid) && get_rel_relkind(relid) == RELKIND_RELATION &&
		crm_relation_owner(relid) == crm_relation_owner(foreign_table) ? relid : InvalidOid;
}

/* Does it fire for what sessions write?  (One for replicas alone does not.) */
static bool
is_enabled(const Trigger *trigger)
{
	return trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN ||
		trigger->tgenabled == TRIGGER_FIRES_ALWAYS;
}

/* The trigger function crm_sync.capture(). */
static Oid
capture_function(void)
{
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("capture"),
						   PointerGetDatum(buildoidvector(NULL, 0)),
						   ObjectIdGetDatum(get_namespace_oid("crm_sync", true)));
}

/*
 * Does the store tell of its changes?  Nothing is looked up between its triggers: others
 * may change them meanwhile, and any lookup may put new ones in their place.
 */
static bool
has_capture(Oid store)
{
	Oid			capture = capture_function();
	Relation	rel = relation_open(store, AccessShareLock);
	bool		found = false;

	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &rel->trigdesc->triggers[i];

		if (is_enabled(trigger) && trigger->tgfoid == capture)
			found = true;
	}
	relation_close(rel, AccessShareLock);
	return found;
}

static void
find_store(CrmTable *table, const char *store)
{
	if (store == NULL)
		return;
	table->store_option = pstrdup(store);
	table->store = resolve_store(store, table->relid);
	if (!OidIsValid(table->store))
		return;
	table->captured = has_capture(table->store);
	table->store_name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(table->store)),
												   get_rel_name(table->store));
	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		column->store_attnum = get_attnum(table->store, column->name);
		if (column->store_attnum != InvalidAttrNumber)
			column->store_type = get_atttype(table->store, column->store_attnum);
	}
}

static CrmOnMissing
read_on_missing(const char *text)
{
	if (text && strcmp(text, "delete") == 0)
		return CRM_MISSING_DELETE;
	if (text && strcmp(text, "ignore") == 0)
		return CRM_MISSING_IGNORE;
	return CRM_MISSING_CREATE;
}

static bool
is_choice(List *options, const char *name, const char *value)
{
	const char *given = crm_option(options, name);

	return given && strcmp(given, value) == 0;
}

static bool
says_updatable(ForeignTable *foreign, ForeignServer *server)
{
	return crm_option_bool(foreign->options, "updatable",
						   crm_option_bool(server->options, "updatable", true));
}

bool
crm_table_says_updatable(Oid relid)
{
	ForeignTable *foreign = GetForeignTable(relid);

	return crm_option(foreign->options, "store") != NULL &&
		says_updatable(foreign, GetForeignServer(foreign->serverid));
}

static void
read_table(CrmTable *table, Relation rel)
{
	ForeignTable *foreign = GetForeignTable(table->relid);
	ForeignServer *server = GetForeignServer(foreign->serverid);
	TupleDesc	desc = RelationGetDescr(rel);
	char	   *set = crm_option(foreign->options, "entity_set");

	table->serverid = foreign->serverid;
	table->owner = rel->rd_rel->relowner;
	table->name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
											 RelationGetRelationName(rel));
	table->entity.name = pstrdup(crm_option(foreign->options, "entity"));
	table->entity.set = set ? pstrdup(set) : psprintf("%sSet", table->entity.name);
	table->on_missing = read_on_missing(crm_option(foreign->options, "on_missing"));
	table->updatable = says_updatable(foreign, server);
	table->queued = is_choice(foreign->options, "writes", "queue");
	table->local_when_away = is_choice(foreign->options, "on_unavailable", "local");
	table->overlap = crm_option_ms(server->options, "overlap", 2 * 60 * 1000);
	table->max_age = crm_option_ms(foreign->options, "max_age",
								   crm_option_ms(server->options, "max_age", 0));
	table->actor_field = -1;
	table->modified_field = -1;
	table->version_field = -1;
	table->columns = palloc0_array(CrmColumn, desc->natts);
	table->entity.fields = palloc0_array(CrmField, desc->natts);

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			read_column(table, TupleDescAttr(desc, i));
	if (table->modified_field >= 0)
		table->version_field = -1;
	find_key(table);
	find_store(table, crm_option(foreign->options, "store"));
}

/*
 * Does this server belong to a wrapper with crm_sync's handler?  Somebody may be
 * dropping it just now.
 */
static bool
is_our_server(Oid serverid)
{
	ForeignServer *server = GetForeignServerExtended(serverid, FSV_MISSING_OK);
	ForeignDataWrapper *wrapper = server ?
		GetForeignDataWrapperExtended(server->fdwid, FDW_MISSING_OK) : NULL;

	return wrapper && OidIsValid(wrapper->fdwhandler) &&
		get_func_namespace(wrapper->fdwhandler) == get_namespace_oid("crm_sync", true);
}

static bool
is_our_table(Oid relid)
{
	return get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE &&
		is_our_server(GetForeignServerIdByRelId(relid));
}

static void
check_wrapper(Relation rel)
{
	if (is_our_table(RelationGetRelid(rel)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" is not a foreign table of crm_sync", RelationGetRelationName(rel)),
			 errhint("Name a foreign table whose server belongs to the foreign data wrapper crm_sync.")));
}

static CrmTable *
build_table(Oid relid)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "crm_sync table",
												 ALLOCSET_SMALL_SIZES);
	MemoryContext before = MemoryContextSwitchTo(memory);
	CrmTable   *table = palloc0_object(CrmTable);
	Relation	rel = relation_open(relid, AccessShareLock);

	check_wrapper(rel);
	table->relid = relid;
	table->memory = memory;
	read_table(table, rel);
	relation_close(rel, NoLock);

	MemoryContextSwitchTo(before);
	MemoryContextSetParent(memory, CacheMemoryContext);
	return table;
}

/* Was one of its relations altered since?  Others are all the time, temporary ones. */
static bool
was_altered(const CrmTable *table, uint64 since)
{
	if (alterations - since > lengthof(altered))
		return true;
	for (uint64 i = since; i < alterations; i++)
	{
		Oid			relid = altered[i % lengthof(altered)];

		if (!OidIsValid(relid) || relid == table->relid || relid == table->store)
			return true;
	}
	return false;
}

/* What is altered while a description is built, it does not hear of later. */
static CrmTable *
build_current_table(Oid relid)
{
	for (int buildings = 1;; buildings++)
	{
		uint64		before = alterations;
		CrmTable   *table = build_table(relid);

		table->valid = !was_altered(table, before);
		if (table->valid || buildings == MOST_BUILDINGS)
			return table;
		MemoryContextDelete(table->memory);
	}
}

/* Something was altered: rebuild at the next use, keep the old for its users. */
static void
invalidate_tables(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS scan;
	TableEntry *entry;

	altered[alterations++ % lengthof(altered)] = relid;
	hash_seq_init(&scan, tables);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->table &&
			(!OidIsValid(relid) || relid == entry->relid || relid == entry->table->store))
			entry->table->valid = false;
}

static void
invalidate_all(Datum arg, int cacheid, uint32 hash)
{
	invalidate_tables(0, InvalidOid);
}

void
crm_table_init(void)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(TableEntry)};

	tables = hash_create("crm_sync tables", 32, &ctl, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(invalidate_tables, (Datum) 0);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate_all, (Datum) 0);
	CacheRegisterSyscacheCallback(FOREIGNTABLEREL, invalidate_all, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate_all, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, invalidate_all, (Datum) 0);
}

CrmTable *
crm_table_get(Oid relid)
{
	bool		found;
	TableEntry *entry = hash_search(tables, &relid, HASH_ENTER, &found);
	CrmTable   *fresh;

	if (!found)
		entry->table = NULL;
	if (entry->table && entry->table->valid &&
		(entry->table->store_option == NULL || OidIsValid(entry->table->store)))
		return entry->table;	/* nothing tells when a store that is not there comes */

	fresh = build_current_table(relid);
	entry = hash_search(tables, &relid, HASH_ENTER, &found);
	if (found && entry->table)
	{
		MemoryContext before = MemoryContextSwitchTo(CacheMemoryContext);

		retired = lappend(retired, entry->table);
		MemoryContextSwitchTo(before);
	}
	entry->table = fresh;
	return fresh;
}

CrmTable *
crm_table_synchronised(Oid relid)
{
	TableEntry *entry = hash_search(tables, &relid, HASH_FIND, NULL);
	CrmTable   *table;

	if (!(entry && entry->table && entry->table->valid) && !is_our_table(relid))
		return NULL;
	table = crm_table_get(relid);
	return OidIsValid(table->store) ? table : NULL;
}

void
crm_table_at_end(void)
{
	ListCell   *lc;

	foreach(lc, retired)
		MemoryContextDelete(((CrmTable *) lfirst(lc))->memory);
	list_free(retired);
	retired = NIL;
}

/* A foreign table's option "store"; NULL where it has none, or is gone by now. */
static char *
store_option(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(FOREIGNTABLEREL, ObjectIdGetDatum(relid));
	char	   *store = NULL;
	Datum		options;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	options = SysCacheGetAttr(FOREIGNTABLEREL, tuple, Anum_pg_foreign_table_ftoptions, &isnull);
	if (!isnull)
		store = crm_option(untransformRelOptions(options), "store");
	ReleaseSysCache(tuple);
	return store;
}

/* Foreign tables of crm_sync that have the option "store". */
List *
crm_table_all_synchronised(void)
{
	List	   *result = NIL;
	Relation	catalog = table_open(ForeignTableRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_table form = (Form_pg_foreign_table) GETSTRUCT(tuple);

		if (is_our_server(form->ftserver) && store_option(form->ftrelid))
			result = lappend_oid(result, form->ftrelid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

static Oid
foreign_table_of_store(Oid store)
{
	HASH_SEQ_STATUS scan;
	TableEntry *entry;
	ListCell   *lc;

	hash_seq_init(&scan, tables);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->table && entry->table->valid && entry->table->store == store)
		{
			hash_seq_term(&scan);
			return entry->table->relid;
		}

	foreach(lc, crm_table_all_synchronised())
	{
		Oid			relid = lfirst_oid(lc);
		char	   *name = store_option(relid);

		if (name && resolve_store(name, relid) == store)
			return relid;
	}
	return InvalidOid;
}

CrmTable *
crm_table_of_store(Oid store)
{
	Oid			relid = foreign_table_of_store(store);

	return OidIsValid(relid) ? crm_table_get(relid) : NULL;
}

/* A store belongs to the owner of its foreign table. */
bool
crm_table_is_beside(const CrmTable *table, Oid store)
{
	Oid			relid = crm_relation_owner(store) == table->owner ?
		foreign_table_of_store(store) : InvalidOid;

	return OidIsValid(relid) && GetForeignTable(relid)->serverid == table->serverid;
}

void
crm_table_check(CrmTable *table)
{
	if (table->store_option == NULL || OidIsValid(table->store))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("the store \"%s\" of foreign table %s does not exist",
					table->store_option, table->name),
			 errdetail("Or it is no table, or does not belong to the foreign table's owner, as a "
					   "store must."),
			 errhint("If it was renamed: ALTER FOREIGN TABLE %s OPTIONS (SET store '...'). "
					 "To make a new one: SELECT crm_sync.create_store('%s').",
					 table->name, table->name)));
}

/* Is it this store that create_store made or adopted for the foreign table? */
static bool
depends_on(Oid foreign_table, Oid store)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	bool		result = false;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(foreign_table));
	scan = systable_beginscan(catalog, DependDependerIndexId, true, NULL, lengthof(keys), keys);
	while (!result && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		result = form->refclassid == RelationRelationId && form->refobjid == store;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

void
crm_table_check_store(Oid store)
{
	ListCell   *lc;

	foreach(lc, crm_table_all_synchronised())
		if (depends_on(lfirst_oid(lc), store))
			crm_table_check(crm_table_get(lfirst_oid(lc)));
}

/* Keys are taken from rows of the store without another look at their type. */
static void
check_key_type(const CrmTable *table)
{
	if (table->key->store_attnum != InvalidAttrNumber && table->key->store_type != UUIDOID)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("the key \"%s\" of store %s is not of type uuid",
						table->key->name, table->store_name),
				 errhint("Give the column its type back, or call crm_sync.create_store('%s') "
						 "with another store.", table->name)));
}

void
crm_table_require_updatable(CrmTable *table)
{
	if (!table->updatable)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("foreign table %s does not allow writes", table->name),
				 errhint("Its option \"updatable\", or that of its server, is false.")));
}

void
crm_table_require_store(CrmTable *table)
{
	crm_table_check(table);
	if (!OidIsValid(table->store))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("foreign table %s is pass-through: it has no store", table->name),
				 errhint("Synchronise it: SELECT crm_sync.create_store('%s').", table->name)));
	if (!table->captured)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("store %s of foreign table %s lacks the trigger that captures its changes",
						table->store_name, table->name),
				 errhint("Attach it: SELECT crm_sync.create_store('%s').", table->name)));
	if (get_rel_persistence(table->store) != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("store %s of foreign table %s is not logged", table->store_name, table->name),
				 errdetail("After a crash it would be empty, and still be taken for complete."),
				 errhint("ALTER TABLE %s SET LOGGED;", table->store_name)));
	for (int i = 0; i < table->ncolumns; i++)
		if (table->columns[i].store_attnum == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
					 errmsg("store %s has no column \"%s\", which foreign table %s has",
							table->store_name, table->columns[i].name, table->name),
					 errhint("Add it: SELECT crm_sync.create_store('%s').", table->name)));
	check_key_type(table);
}

void
crm_table_throw_altered(const CrmTable *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("foreign table %s or its store was altered while it was in use", table->name),
			 errhint("Repeat the statement.")));
}

static bool
has_column(Relation rel, AttrNumber attnum, const char *name, Oid type)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Form_pg_attribute att;

	if (attnum < 1 || attnum > desc->natts)
		return false;
	att = TupleDescAttr(desc, attnum - 1);
	return !att->attisdropped && att->atttypid == type && strcmp(NameStr(att->attname), name) == 0;
}

/*
 * Not by "valid": what was altered while the description was made has no entry yet
 * that could be told of it.
 */
void
crm_table_check_unaltered(const CrmTable *table)
{
	Relation	rel = relation_open(table->relid, AccessShareLock);
	Relation	store = relation_open(table->store, NoLock);

	/* Whoever has been given one of them meanwhile may not act as the former owner. */
	if (rel->rd_rel->relowner != table->owner || store->rd_rel->relowner != table->owner)
		crm_table_throw_altered(table);
	check_key_type(table);
	for (int i = 0; i < table->ncolumns; i++)
	{
		const CrmColumn *column = &table->columns[i];

		if (!has_column(rel, column->attnum, column->name, column->type) ||
			(column->store_attnum != InvalidAttrNumber &&
			 !has_column(store, column->store_attnum, column->name, column->store_type)))
			crm_table_throw_altered(table);
	}
	relation_close(store, NoLock);
	relation_close(rel, NoLock);
}

static bool
check_var(Node *node, void *context)
{
	const CrmTable *table = context;

	if (node == NULL)
		return false;
	if (IsA(node, Var) && ((Var *) node)->varno == 1 && ((Var *) node)->varattno > 0 &&
		get_atttype(table->store, ((Var *) node)->varattno) != ((Var *) node)->vartype)
		crm_table_throw_altered(table);
	return expression_tree_walker(node, check_var, context);
}

void
crm_table_check_vars(const CrmTable *table, List *quals)
{
	(void) check_var((Node *) quals, unconstify(CrmTable *, table));
}

CrmTable *
crm_table_get_own(Oid relid)
{
	if (is_our_table(relid) && !crm_owns_relation(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_TABLE,
					   quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
												  get_rel_name(relid)));
	return crm_table_get(relid);
}

void
crm_table_require_owner(CrmTable *table)
{
	if (!has_privs_of_role(GetUserId(), table->owner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_TABLE, table->name);
}

CrmColumn *
crm_table_column(CrmTable *table, AttrNumber attnum)
{
	for (int i = 0; i < table->ncolumns; i++)
		if (table->columns[i].attnum == attnum)
			return &table->columns[i];
	return NULL;
}

CrmColumn *
crm_table_planned_column(CrmTable *table, AttrNumber attnum)
{
	CrmColumn  *column = crm_table_column(table, attnum);

	if (column == NULL)
		crm_table_throw_altered(table);
	return column;
}

CrmColumn *
crm_table_var_column(CrmTable *table, const Var *var)
{
	CrmColumn  *column = crm_table_planned_column(table, var->varattno);

	if (column->type != var->vartype)
		crm_table_throw_altered(table);
	return column;
}

CrmColumn *
crm_table_column_by_name(CrmTable *table, const char *name)
{
	for (int i = 0; i < table->ncolumns; i++)
		if (strcmp(table->columns[i].name, name) == 0)
			return &table->columns[i];
	return NULL;
}
