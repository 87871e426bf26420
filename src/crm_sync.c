/*
 * crm_sync.c
 *	  The library's entrance: settings, and who must be told when it is loaded.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "fdw/store_exec.h"
#include "fdw/store_plan.h"
#include "net/http.h"
#include "sync/commit.h"
#include "sync/connection.h"
#include "sync/pull.h"
#include "sync/push.h"
#include "sync/shared.h"
#include "sync/table.h"
#include "sync/worker.h"
#include "sync/xact.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

static const struct config_enum_entry mode_options[] = {
	{"sync", CRM_MODE_SYNC, false},
	{"local", CRM_MODE_LOCAL, false},
	{NULL, 0, false}
};

static const struct config_enum_entry log_options[] = {
	{"debug5", DEBUG5, false},
	{"debug4", DEBUG4, false},
	{"debug3", DEBUG3, false},
	{"debug2", DEBUG2, false},
	{"debug1", DEBUG1, false},
	{"debug", DEBUG2, true},
	{"log", LOG, false},
	{"info", INFO, true},
	{"notice", NOTICE, false},
	{"warning", WARNING, false},
	{NULL, 0, false}
};

/*
 * A value given before the library was loaded is only warned about by
 * PostgreSQL and then dropped: with mode that would send to CDMS what was meant
 * to stay here.
 */
static void
check_early_mode(void)
{
	const char *value = GetConfigOption("crm_sync.mode", true, false);

	if (value == NULL || *value == '\0')
		return;
	for (const struct config_enum_entry *option = mode_options; option->name; option++)
		if (pg_strcasecmp(option->name, value) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for parameter \"crm_sync.mode\": \"%s\"", value),
			 errhint("Available values: sync, local.")));
}

void
_PG_init(void)
{
	check_early_mode();

	DefineCustomEnumVariable("crm_sync.mode",
							 "Whether this session talks to CDMS.",
							 "sync: reads ask CDMS and writes go to it at COMMIT; local: this "
							 "session leaves CDMS alone, what it writes is pending.",
							 &crm_mode, CRM_MODE_SYNC, mode_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("crm_sync.log_requests",
							 "Message level at which each request to CDMS is logged.",
							 NULL,
							 &crm_log_requests, DEBUG1, log_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("crm_sync.pushdown",
							 "Whether conditions are sent to CDMS.",
							 "Off: whole entities are asked for, and all conditions checked here. "
							 "The answers are the same.",
							 &crm_pushdown, true,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("crm_sync.worker_naptime",
							"Time between two rounds of the background worker that sends pending changes.",
							"It runs where shared_preload_libraries has crm_sync. 0: never.",
							&crm_worker_naptime, 10, 0, SECS_PER_DAY,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("crm_sync.worker_timeout",
							"How long the background worker stays in a database, and at one transaction.",
							"What takes longer is broken off, so that others get their turn.",
							&crm_worker_timeout, 300, 1, SECS_PER_DAY,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomBoolVariable("crm_sync.store_plans",
							 "Whether queries are planned over stores.",
							 "Off: all plans have foreign scans. The answers are the same.",
							 &crm_store_plans, true,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("crm_sync");

	crm_table_init();
	crm_connection_init();
	crm_shared_init();
	crm_commit_init();
	crm_xact_init();
	if (process_shared_preload_libraries_in_progress)
		crm_worker_init();
	crm_store_plan_init();
	crm_store_exec_init();
}
