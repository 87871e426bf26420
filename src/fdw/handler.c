/*
 * fdw/handler.c
 *	  PostgreSQL's entrance: the handler and the validator.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "fmgr.h"

#include "compat.h"
#include "fdw/fdw.h"
#include "sync/options.h"

CRM_FUNCTION(crm_handler);
CRM_FUNCTION(crm_validator);

Datum
crm_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = crm_get_rel_size;
	routine->GetForeignPaths = crm_get_paths;
	routine->GetForeignPlan = crm_get_plan;
	routine->BeginForeignScan = crm_begin_scan;
	routine->IterateForeignScan = crm_iterate_scan;
	routine->ReScanForeignScan = crm_rescan;
	routine->EndForeignScan = crm_end_scan;
	routine->ExplainForeignScan = crm_explain_scan;

	routine->AddForeignUpdateTargets = crm_add_update_targets;
	routine->PlanForeignModify = crm_plan_modify;
	routine->BeginForeignModify = crm_begin_modify;
	routine->BeginForeignInsert = crm_begin_insert;
	routine->ExecForeignInsert = crm_exec_insert;
	routine->ExecForeignUpdate = crm_exec_update;
	routine->ExecForeignDelete = crm_exec_delete;
	routine->EndForeignModify = crm_end_modify;
	routine->EndForeignInsert = crm_end_insert;
	routine->IsForeignRelUpdatable = crm_is_updatable;
	routine->ExecForeignTruncate = crm_refuse_truncate;

	routine->AnalyzeForeignTable = crm_analyze;
	routine->ImportForeignSchema = crm_import;
	PG_RETURN_POINTER(routine);
}

Datum
crm_validator(PG_FUNCTION_ARGS)
{
	crm_options_validate(untransformRelOptions(PG_GETARG_DATUM(0)), PG_GETARG_OID(1));
	PG_RETURN_VOID();
}
