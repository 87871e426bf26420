/*
 * sync/worker.c
 *	  Sending what waits, without anybody having to ask for it.
 *
 * A launcher lives as long as the server.  Every crm_sync.worker_naptime it starts
 * a worker in one database after the other, for a process can look into one only.
 * The worker does what a user could: crm_sync.push() for each table with something
 * pending, a hundred objects a transaction, and the settling of interrupted
 * COMMITs; then it ends.  What it must not do twice is seen to by the locks that
 * everybody else takes as well.
 *
 * What it sends runs code of the tables' owners, and waits for their servers, while all
 * the others wait for it.  So it stays for crm_sync.worker_timeout, and what takes it
 * longer than that is cancelled; where that is caught, the worker ends.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "sync/intent.h"
#include "sync/ledger.h"
#include "sync/push.h"
#include "sync/table.h"
#include "sync/worker.h"

#define OBJECTS_PER_COMMIT 100
#define RESTART_SECONDS 10

int			crm_worker_naptime = 10;
int			crm_worker_timeout = 300;

/* ---------------------------------------------------------- the launcher */

static void
describe_worker(BackgroundWorker *worker, const char *type, const char *function)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker->bgw_library_name, "crm_sync", BGW_MAXLEN);
	strlcpy(worker->bgw_function_name, function, BGW_MAXLEN);
	strlcpy(worker->bgw_name, type, BGW_MAXLEN);
	strlcpy(worker->bgw_type, type, BGW_MAXLEN);
}

void
crm_worker_init(void)
{
	BackgroundWorker worker;

	describe_worker(&worker, "crm_sync launcher", "crm_launcher_main");
	worker.bgw_restart_time = RESTART_SECONDS;
	RegisterBackgroundWorker(&worker);
}

#define DROP_INTERRUPTED (-2)	/* a datconnlimit; what 15.4 calls DATCONNLIMIT_INVALID_DB */

/* Databases that one can connect to, in memory of the caller's. */
static List *
read_databases(void)
{
	MemoryContext memory = CurrentMemoryContext;
	List	   *databases = NIL;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext before = MemoryContextSwitchTo(memory);

		if (database->datallowconn && !database->datistemplate &&
			database->datconnlimit != DROP_INTERRUPTED)
			databases = lappend_oid(databases, database->oid);
		MemoryContextSwitchTo(before);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	return databases;
}

/* Where no process is to be had now there will be one the next time. */
static void
work_in(Oid database)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	describe_worker(&worker, "crm_sync worker", "crm_worker_main");
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	worker.bgw_notify_pid = MyProcPid;
	if (RegisterDynamicBackgroundWorker(&worker, &handle))
		(void) WaitForBackgroundWorkerShutdown(handle);
}

static void
nap(void)
{
	long		timeout = crm_worker_naptime * 1000L;

	(void) WaitLatch(MyLatch,
					 WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout > 0 ? WL_TIMEOUT : 0),
					 timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

void
crm_launcher_main(Datum arg)
{
	MemoryContext round;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	round = AllocSetContextCreate(TopMemoryContext, "crm_sync round", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		ListCell   *lc;

		nap();
		if (crm_worker_naptime == 0)
			continue;
		MemoryContextSwitchTo(round);
		foreach(lc, read_databases())
			work_in(lfirst_oid(lc));
		MemoryContextReset(round);
	}
}

/* ------------------------------------------------------------ the worker */

static TimestampTz began;		/* when this worker did */
static TimeoutId last_resort;

static int
limit_ms(void)
{
	return crm_worker_timeout * 1000;
}

static bool
is_over(void)
{
	return TimestampDifferenceExceeds(began, GetCurrentTimestamp(), limit_ms());
}

/* An owner's code can catch that it is cancelled, and go on. */
static void
end_process(void)
{
	kill(MyProcPid, SIGTERM);
}

static void
limit_time(void)
{
	enable_timeout_after(STATEMENT_TIMEOUT, limit_ms());
	enable_timeout_after(last_resort, 2 * limit_ms());
}

static void
lift_limit(void)
{
	disable_timeout(STATEMENT_TIMEOUT, false);
	disable_timeout(last_resort, false);
	QueryCancelPending = false;
}

/*
 * Calls act in a transaction of its own.  What fails is logged, and does not keep
 * the others waiting.
 */
static void
in_transaction(void (*act) (void *arg), void *arg)
{
	if (is_over())
		return;
	limit_time();
	PG_TRY();
	{
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		act(arg);
		PopActiveSnapshot();
		CommitTransactionCommand();
		lift_limit();
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		lift_limit();
		EmitErrorReport();
		AbortCurrentTransaction();
		FlushErrorState();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
}

/* What a worker has to do, read in one transaction and done in others. */
typedef struct Work
{
	MemoryContext memory;
	List	   *stores;			/* with something pending */
	List	   *sites;			/* with interrupted COMMITs */
} Work;

static void
find_work(void *arg)
{
	Work	   *work = arg;
	MemoryContext before;

	if (!OidIsValid(get_extension_oid("crm_sync", true)))
		return;
	before = MemoryContextSwitchTo(work->memory);
	work->sites = crm_intent_sites();
	work->stores = crm_ledger_stores_waiting();
	MemoryContextSwitchTo(before);
}

static void
settle_site(void *arg)
{
	CrmIntentSite *site = arg;

	crm_intent_settle(site->server, site->owner);
}

typedef struct Sending
{
	Oid			store;
	int64		waiting;		/* rows, before this transaction */
} Sending;

/*
 * Only of tables whose writes are to wait for a worker: what was written in mode
 * local waits for somebody to say push().
 */
static void
send_some(void *arg)
{
	Sending    *sending = arg;
	CrmTable   *table = crm_table_of_store(sending->store);
	int64		parked;

	sending->waiting = 0;
	if (table == NULL || !table->queued || !table->updatable)
		return;
	crm_ledger_count(sending->store, &sending->waiting, &parked);
	(void) crm_push_pending(table, OBJECTS_PER_COMMIT);
}

/* In as many transactions as it takes, as long as it gets fewer. */
static void
send_store(Oid store)
{
	Sending		sending = {store};
	int64		before;

	do
	{
		before = sending.waiting;
		in_transaction(send_some, &sending);
	} while (!is_over() && sending.waiting > 0 && (before == 0 || sending.waiting < before));
}

void
crm_worker_main(Datum database)
{
	Work		work = {0};
	ListCell   *lc;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
	pgstat_report_appname("crm_sync worker");
	began = GetCurrentTimestamp();
	last_resort = RegisterTimeout(USER_TIMEOUT, end_process);
	crm_push_limit = limit_ms() / 2;	/* so that a silent server is no cancelled change */

	work.memory = AllocSetContextCreate(TopMemoryContext, "crm_sync work", ALLOCSET_DEFAULT_SIZES);
	in_transaction(find_work, &work);
	foreach(lc, work.stores)
		send_store(lfirst_oid(lc));
	foreach(lc, work.sites)
		in_transaction(settle_site, lfirst(lc));
}
