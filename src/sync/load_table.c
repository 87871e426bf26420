/*
 * sync/load_table.c
 *	  CALL crm_sync.load(): a big entity in several transactions.
 *
 * What is there after each COMMIT is told by a row of crm_sync.progress, as ranges
 * of CreatedOn; a load that was cancelled begins with what they lack.  The watermark
 * is CDMS's clock at the first of all answers: what has changed since is asked for
 * by the reads that follow.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "sync/connection.h"
#include "sync/ledger.h"
#include "sync/load.h"
#include "sync/load_table.h"
#include "sync/pull.h"

#define REPORT_MS 2000			/* contract: progress every two seconds */

typedef struct Loading
{
	CrmTable   *table;			/* of the present transaction */
	CrmConnection *conn;
	uint64		serial;			/* its own; conn itself may be gone by the next one */
	char	   *mapping;
	MemoryContext memory;		/* outlasts transactions */
	CrmLoad    *load;
	CrmProgress progress;		/* pulled_through 0: not known yet */
	bool		was_empty;
	bool		noted;			/* there is a row in crm_sync.progress */
	TimestampTz began;
} Loading;

/* With the first transaction, or when something was altered: from what is there. */
static void
begin(Loading *loading)
{
	CrmTable   *table = loading->table;
	MemoryContext before;

	MemoryContextReset(loading->memory);
	before = MemoryContextSwitchTo(loading->memory);
	loading->conn = crm_connection_get(table->serverid, table->owner);
	loading->serial = loading->conn->serial;
	loading->mapping = crm_pull_mapping(table);
	loading->noted = crm_ledger_load(table->store, loading->mapping, &loading->progress,
									 &loading->was_empty);
	if (loading->noted)
		loading->load = crm_load_rest(loading->conn, &table->entity,
									  crm_ledger_load_gaps(table->store));
	else
	{
		memset(&loading->progress, 0, sizeof(loading->progress));
		loading->was_empty = crm_pull_store_is_empty(table);
		loading->load = crm_load_all(loading->conn, &table->entity, true);
	}
	MemoryContextSwitchTo(before);
}

static void
report(Loading *loading)
{
	double		seconds = (GetCurrentTimestamp() - loading->began) / (double) USECS_PER_SEC;
	CrmLoadProgress now;
	char	   *left = "";

	crm_load_tell(loading->load, &now);
	if (now.share >= 0)
		left = psprintf(", about %.0f %% left", 100 * (1 - now.share));
	ereport(NOTICE,
			(errmsg("%s: %lld objects so far, %.0f a second%s", loading->table->name,
					(long long) now.objects, now.objects / Max(seconds, 0.001), left)));
}

static void
note(Loading *loading)
{
	Oid			store = loading->table->store;

	/* What can't be asked for changes afterwards must come in one go. */
	if (loading->table->modified_field < 0)
		return;
	if (!loading->noted && loading->progress.pulled_through != 0)
	{
		crm_ledger_begin_load(store, loading->mapping, &loading->progress, loading->was_empty);
		loading->noted = true;
	}
	crm_ledger_note_loaded(store, crm_load_ranges(loading->load));
}

/* Two seconds' worth, committed.  false: all is there, and not yet committed. */
static bool
load_some(Loading *loading)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), REPORT_MS);
	bool		more;

	EnsurePortalSnapshotExists();
	crm_load_go_on(loading->load);
	more = crm_pull_loaded(loading->table, loading->load, until, &loading->progress);
	if (more)
	{
		note(loading);
		report(loading);
		SPI_commit();
	}
	return more;
}

/* The table and its connection in a new transaction; false: something was altered. */
static bool
is_as_before(Loading *loading, Oid relid)
{
	loading->table = crm_table_get_own(relid);
	crm_table_require_store(loading->table);
	return crm_connection_get(loading->table->serverid,
							  loading->table->owner)->serial == loading->serial &&
		strcmp(crm_pull_mapping(loading->table), loading->mapping) == 0 &&
		crm_load_fits(loading->load, &loading->table->entity);
}

static void
finish(Loading *loading)
{
	CrmTable   *table = loading->table;

	if (!loading->was_empty)
		crm_pull_unseen_by_all(table);
	if (table->modified_field >= 0 && loading->progress.pulled_through != 0)
		crm_ledger_set_progress(table->store, loading->mapping, &loading->progress, true);
	report(loading);
}

void
crm_load_table(Oid relid)
{
	Loading		loading = {
		.table = crm_table_get(relid),
		.memory = AllocSetContextCreate(PortalContext, "crm_sync load", ALLOCSET_DEFAULT_SIZES),
		.began = GetCurrentTimestamp()
	};
	TimestampTz pulled_through;

	if (crm_pull_is_complete(loading.table, &pulled_through))
		crm_pull_all(loading.table);
	else
	{
		begin(&loading);
		while (load_some(&loading))
			if (!is_as_before(&loading, relid))
				begin(&loading);
		finish(&loading);
	}
	MemoryContextDelete(loading.memory);
}
