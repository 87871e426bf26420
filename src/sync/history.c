/*
 * sync/history.c
 *	  crm_sync.as_of: the rows of a synchronised table as they were.
 *
 * At a moment, an object was what its last change before left, else what its
 * first change after replaced, else, where it never changed, what it is.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "compat.h"
#include "rights.h"
#include "sync/ledger.h"
#include "sync/statement.h"
#include "sync/store.h"
#include "sync/table.h"

CRM_FUNCTION(crm_as_of);
CRM_FUNCTION(crm_prune_history);

/* The table whose row type the first argument has, if the user may read it. */
static CrmTable *
argument_table(FunctionCallInfo fcinfo)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Oid			relid = OidIsValid(type) ? typeidTypeRelid(type) : InvalidOid;
	CrmTable   *table;

	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("the first argument of crm_sync.as_of() must be of a synchronised table's type"),
				 errhint("For example: SELECT * FROM crm_sync.as_of(NULL::crm.account, now()).")));
	table = crm_table_get(relid);
	crm_table_require_store(table);
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_TABLE, get_rel_name(relid));
	if (check_enable_rls(table->store, GetUserId(), true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("crm_sync.as_of() can't be used where row security of %s applies",
						table->store_name)));
	return table;
}

static void
require_history(CrmTable *table, TimestampTz at)
{
	TimestampTz until;

	if (crm_ledger_pruned(table->store, &until) && at < until)
		ereport(ERROR,
				(errcode(ERRCODE_SNAPSHOT_TOO_OLD),
				 errmsg("the history of %s begins later than the moment asked for", table->name),
				 errdetail("It was pruned: what was before %s is not known any more.",
						   timestamptz_to_str(until))));
}

typedef struct Versions
{
	HTAB	   *keys;			/* of CrmVersion: what history knows */
	MemoryContext memory;
	List	   *rows;			/* Jsonb *, the result */
} Versions;

static void
keep_unchanged(TupleTableSlot *slot, void *arg)
{
	Versions   *versions = arg;
	MemoryContext before;
	Datum		row;
	bool		isnull;

	if (hash_search(versions->keys, crm_store_key(slot, 1), HASH_FIND, NULL))
		return;
	before = MemoryContextSwitchTo(versions->memory);
	row = slot_getattr(slot, 2, &isnull);
	Assert(!isnull);			/* a whole row never is */
	versions->rows = lappend(versions->rows, DatumGetJsonbPCopy(row));
	MemoryContextSwitchTo(before);
}

/* What history says, and the rows of the store that it has nothing about. */
static List *
collect_versions(CrmTable *table, TimestampTz at)
{
	Versions	versions = {
		crm_ledger_versions(table->store, at), CurrentMemoryContext, NIL
	};
	HASH_SEQ_STATUS scan;
	CrmVersion *version;
	CrmStatement *unchanged =
	crm_statement_prepare(psprintf("SELECT s.%s, pg_catalog.to_jsonb(s.*) FROM %s s",
								   quote_identifier(table->key->name), table->store_name),
						  0, NULL, table, NIL);

	hash_seq_init(&scan, versions.keys);
	while ((version = hash_seq_search(&scan)) != NULL)
		if (version->row)
			versions.rows = lappend(versions.rows, version->row);
	crm_statement_run(unchanged, NULL, NULL, keep_unchanged, &versions);
	return versions.rows;
}

/*
 * jsonb_populate_record for a row type.  SQL would name it, and the owner's code, which
 * runs meanwhile, can give the name to another type: that is refused by no lock.
 */
static void
find_populate(FmgrInfo *populate, Oid rowtype)
{
	List	   *args = list_make2(makeNullConst(rowtype, -1, InvalidOid),
								  makeNullConst(JSONBOID, -1, InvalidOid));

	fmgr_info(F_JSONB_POPULATE_RECORD, populate);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_JSONB_POPULATE_RECORD, rowtype, args, InvalidOid,
											 InvalidOid, COERCE_EXPLICIT_CALL), populate);
}

static HeapTupleHeader
make_row(FmgrInfo *populate, Jsonb *values)
{
	LOCAL_FCINFO(fcinfo, 2);
	Datum		row;

	InitFunctionCallInfoData(*fcinfo, populate, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = (Datum) 0;
	fcinfo->args[0].isnull = true;
	fcinfo->args[1].value = JsonbPGetDatum(values);
	fcinfo->args[1].isnull = false;
	row = FunctionCallInvoke(fcinfo);
	return fcinfo->isnull ? NULL : DatumGetHeapTupleHeader(row);
}

/* A row as a value: what r.* makes of it lacks the columns that were dropped. */
static void
put_row(ReturnSetInfo *result, CrmTable *table, HeapTupleHeader row)
{
	TupleDesc	announced = result->setDesc;
	HeapTupleData tuple = {.t_data = row};

	/* It is read by that description, whatever it is. */
	if (row == NULL || HeapTupleHeaderGetTypeId(row) != announced->tdtypeid ||
		HeapTupleHeaderGetTypMod(row) != announced->tdtypmod)
		crm_table_throw_altered(table);
	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	tuplestore_puttuple(result->setResult, &tuple);
}

static void
put_versions(ReturnSetInfo *result, CrmTable *table, List *rows)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "crm_sync versions",
												 ALLOCSET_DEFAULT_SIZES);
	FmgrInfo	populate;
	ListCell   *lc;

	find_populate(&populate, get_rel_type_id(table->relid));
	foreach(lc, rows)
	{
		MemoryContext before = MemoryContextSwitchTo(memory);

		CHECK_FOR_INTERRUPTS();
		put_row(result, table, make_row(&populate, lfirst(lc)));
		MemoryContextSwitchTo(before);
		MemoryContextReset(memory);
	}
	MemoryContextDelete(memory);
}

/*
 * The types' casts to json and the domains' checks are the table owner's, and must
 * not run with a reader's rights.
 */
static void
put_versions_as_owner(ReturnSetInfo *result, CrmTable *table, TimestampTz at)
{
	CrmRights	former;

	crm_rights_take(&former, table->owner);
	put_versions(result, table, collect_versions(table, at));
	crm_rights_give_back(&former);
}

Datum
crm_as_of(PG_FUNCTION_ARGS)
{
	CrmTable   *table = argument_table(fcinfo);
	Relation	rel = relation_open(table->relid, AccessShareLock);

	/*
	 * As long as it is open its owner's code, which runs here, can't alter it: the rows
	 * would be of another shape than was announced.  Its name he can give to another.
	 */
	InitMaterializedSRF(fcinfo, 0);
	if (!PG_ARGISNULL(1))
	{
		require_history(table, PG_GETARG_TIMESTAMPTZ(1));
		put_versions_as_owner((ReturnSetInfo *) fcinfo->resultinfo, table, PG_GETARG_TIMESTAMPTZ(1));
	}
	relation_close(rel, NoLock);
	return (Datum) 0;
}

Datum
crm_prune_history(PG_FUNCTION_ARGS)
{
	CrmTable   *table = crm_table_get_own(PG_GETARG_OID(0));
	TimestampTz until = PG_GETARG_TIMESTAMPTZ(1);

	crm_table_require_store(table);
	if (until > GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("history can't be pruned up to a moment that is still to come")));
	PG_RETURN_INT64(crm_ledger_prune(table->store, until));
}
