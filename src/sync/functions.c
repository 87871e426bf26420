/*
 * sync/functions.c
 *	  The SQL functions that look at the synchronisation or start it by hand.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "sync/age.h"
#include "sync/asked.h"
#include "sync/attempt.h"
#include "sync/connection.h"
#include "sync/intent.h"
#include "sync/ledger.h"
#include "sync/load_table.h"
#include "sync/pull.h"
#include "sync/push.h"
#include "sync/reconcile.h"
#include "sync/stats.h"
#include "sync/table.h"

CRM_FUNCTION(crm_pull_function);
CRM_FUNCTION(crm_push_function);
CRM_FUNCTION(crm_load);
CRM_FUNCTION(crm_reconcile);
CRM_FUNCTION(crm_retry);
CRM_FUNCTION(crm_discard);
CRM_FUNCTION(crm_status);
CRM_FUNCTION(crm_stat_requests);

/* The table named, for its owner only, in a session that talks to CDMS. */
static CrmTable *
own_table(FunctionCallInfo fcinfo, const char *function)
{
	CrmTable   *table = crm_table_get_own(PG_GETARG_OID(0));

	crm_table_require_store(table);
	if (crm_mode == CRM_MODE_LOCAL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s() asks CDMS, which this session leaves alone", function),
				 errhint("SET crm_sync.mode TO sync.")));
	return table;
}

Datum
crm_pull_function(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(crm_pull_all(own_table(fcinfo, "crm_sync.pull")));
}

Datum
crm_push_function(PG_FUNCTION_ARGS)
{
	CrmTable   *table;

	PreventCommandIfReadOnly("crm_sync.push()");
	table = own_table(fcinfo, "crm_sync.push");
	crm_table_require_updatable(table);
	PG_RETURN_INT64(crm_push_pending(table, PG_INT32_MAX));
}

/* COMMIT and ROLLBACK are for the top level: not inside a function or transaction block. */
static void
require_top_level(FunctionCallInfo fcinfo)
{
	if (fcinfo->context && IsA(fcinfo->context, CallContext) &&
		!castNode(CallContext, fcinfo->context)->atomic)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
			 errmsg("crm_sync.load() commits, which is not possible here"),
			 errhint("CALL it outside a transaction block, or use crm_sync.pull(), which loads in one transaction.")));
}

Datum
crm_load(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("foreign_table must not be null")));
	require_top_level(fcinfo);
	PreventCommandIfReadOnly("crm_sync.load()");
	own_table(fcinfo, "crm_sync.load");
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	crm_load_table(PG_GETARG_OID(0));
	SPI_finish();
	PG_RETURN_VOID();
}

static void
put_difference(const pg_uuid_t *key, const char *difference, void *arg)
{
	ReturnSetInfo *result = arg;
	Datum		values[2] = {UUIDPGetDatum(key), CStringGetTextDatum(difference)};
	bool		nulls[2] = {0};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
crm_reconcile(PG_FUNCTION_ARGS)
{
	CrmTable   *table = own_table(fcinfo, "crm_sync.reconcile");
	bool		repair = PG_GETARG_BOOL(1);

	if (repair)
		PreventCommandIfReadOnly("crm_sync.reconcile() with repair");
	InitMaterializedSRF(fcinfo, 0);
	crm_reconcile_table(table, repair, put_difference, fcinfo->resultinfo);
	return (Datum) 0;
}

/* Only the owner of the table may decide about its changes. */
static bool
owns_change(int64 id)
{
	Oid			store = crm_ledger_store_of(id);
	CrmTable   *table = OidIsValid(store) ? crm_table_of_store(store) : NULL;

	if (!OidIsValid(store))
		return false;
	if (table)
		crm_table_require_owner(table);
	else if (!crm_owns_relation(store, GetUserId()) && !superuser())
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(store));
	return true;
}

Datum
crm_retry(PG_FUNCTION_ARGS)
{
	int64		id = PG_GETARG_INT64(0);

	PG_RETURN_BOOL(owns_change(id) && crm_ledger_unpark(id));
}

Datum
crm_discard(PG_FUNCTION_ARGS)
{
	int64		id = PG_GETARG_INT64(0);
	CrmTable   *table;

	if (!owns_change(id))
		PG_RETURN_BOOL(false);
	/* Pulls have left the object alone; the next one must not. */
	table = crm_table_of_store(crm_ledger_store_of(id));
	if (table)
		crm_age_void(table->relid);
	PG_RETURN_BOOL(crm_ledger_discard(id));
}

typedef struct Status
{
	Oid			relid;
	ReturnSetInfo *result;
} Status;

/* A table whose options don't fit together: that is all there is to say of it. */
static void
put_broken(Status *status, const char *error)
{
	Datum		values[10] = {ObjectIdGetDatum(status->relid)};
	bool		nulls[10] = {false, true, true, true, true, true, true, true, true, false};

	values[9] = CStringGetTextDatum(error);
	tuplestore_putvalues(status->result->setResult, status->result->setDesc, values, nulls);
}

static void
put_status(void *arg)
{
	ReturnSetInfo *result = ((Status *) arg)->result;
	CrmTable   *table = crm_table_get(((Status *) arg)->relid);
	const char *error;
	TimestampTz last = crm_asked_last(table->relid, &error);
	Datum		values[10] = {0};
	bool		nulls[10] = {0};
	TimestampTz pulled_through = 0;
	bool		complete = crm_pull_is_complete(table, &pulled_through);
	int64		pending;
	int64		failed;

	crm_ledger_count(table->store, &pending, &failed);
	values[0] = ObjectIdGetDatum(table->relid);
	values[1] = CStringGetTextDatum(table->entity.name);
	values[2] = ObjectIdGetDatum(table->store);
	nulls[2] = !OidIsValid(table->store);
	values[3] = BoolGetDatum(complete);
	values[4] = TimestampTzGetDatum(pulled_through);
	nulls[4] = !complete;
	values[5] = Int64GetDatum(pending);
	values[6] = Int64GetDatum(failed);
	values[7] = Int64GetDatum(OidIsValid(table->store) ? crm_intent_unresolved(table->store) : 0);
	values[8] = TimestampTzGetDatum(last);
	nulls[8] = last == 0;
	values[9] = CStringGetTextDatum(error);
	nulls[9] = *error == '\0';
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Tables that the user may read. */
Datum
crm_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, crm_table_all_synchronised())
	{
		Status		status = {lfirst_oid(lc), result};
		bool		dropped = false;
		ErrorData  *error;

		if (pg_class_aclcheck_ext(status.relid, GetUserId(), ACL_SELECT, &dropped) != ACLCHECK_OK)
			continue;
		error = crm_attempt(put_status, &status);
		if (error && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		if (error)
			put_broken(&status, error->message);
	}
	return (Datum) 0;
}

static void
put_requests(Oid serverid, const CrmStats *stats, void *arg)
{
	ReturnSetInfo *result = arg;
	const CrmHttpCounters *requests = &stats->requests;
	ForeignServer *server = GetForeignServerExtended(serverid, FSV_MISSING_OK);
	NameData	name;
	Datum		values[12] = {
		NameGetDatum(&name), CStringGetTextDatum(crm_stats_are_shared() ? "cluster" : "session"),
		Int64GetDatum(requests->get), Int64GetDatum(requests->post),
		Int64GetDatum(requests->merge), Int64GetDatum(requests->delete),
		Int64GetDatum(requests->bytes_sent), Int64GetDatum(requests->bytes_received),
		Int64GetDatum(stats->objects), Int64GetDatum(requests->retries),
		Int64GetDatum(requests->errors), Float8GetDatum(requests->milliseconds)
	};
	bool		nulls[12] = {0};

	if (server == NULL || !crm_may_use_server(serverid, GetUserId()))
		return;
	namestrcpy(&name, server->servername);
	/* How much CDMS answered tells of rows, also of those that policies hide. */
	nulls[6] = nulls[7] = nulls[8] = !has_privs_of_role(GetUserId(), server->owner) &&
		!has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Servers that the user may use: the counts may be everybody's. */
Datum
crm_stat_requests(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	crm_connection_report();
	crm_stats_foreach(put_requests, fcinfo->resultinfo);
	return (Datum) 0;
}
