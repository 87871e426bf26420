/*
 * fdw/store_exec.c
 *	  Running plans over stores.
 *
 * Before such a plan is started all its questions are put to CDMS; then the
 * statement gets a snapshot that shows what was stored.  Nothing of the plan has
 * seen the old one: no scan, no subplan, no parallel worker.  Where something could
 * not be stored and is overlaid, the general plan is started in its place: its
 * foreign scans read the overlay, and find their questions answered.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "fdw/question.h"
#include "fdw/store_exec.h"
#include "fdw/store_plan.h"
#include "sync/asked.h"
#include "sync/push.h"

/* What a statement's questions brought, before it is started and while it runs. */
typedef struct Answers
{
	MemoryContext memory;
	List	   *answers;		/* CrmReply *, in the order of the questions */
	PlannedStmt *general;		/* the plan started in place of the other, or NULL */
	EState	   *estate;			/* of the general plan, once started */
} Answers;

typedef struct StoreScanState
{
	CustomScanState css;
	Answers    *answers;		/* NULL: nothing was asked */
} StoreScanState;

static ExecutorStart_hook_type next_start = NULL;
static ExecutorRun_hook_type next_run = NULL;

static Answers *starting = NULL;	/* whose plan is being started */
static List *overlaid = NIL;	/* Answers with a general plan */

static void
start_next(QueryDesc *desc, int eflags)
{
	if (next_start)
		next_start(desc, eflags);
	else
		standard_ExecutorStart(desc, eflags);
}

/* ------------------------------------------------------------- asking */

static void
forget_answers(void *arg)
{
	overlaid = list_delete_ptr(overlaid, arg);
	if (starting == arg)
		starting = NULL;
}

/* In a context of their own, which becomes the executor's when there is one. */
static Answers *
make_answers(void)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "crm_sync answers",
												 ALLOCSET_SMALL_SIZES);
	Answers    *answers = MemoryContextAllocZero(memory, sizeof(Answers));
	MemoryContextCallback *callback = MemoryContextAlloc(memory, sizeof(MemoryContextCallback));

	answers->memory = memory;
	callback->func = forget_answers;
	callback->arg = answers;
	MemoryContextRegisterResetCallback(memory, callback);
	return answers;
}

static Answers *
ask(QueryDesc *desc, List *questions)
{
	Answers    *answers = make_answers();
	MemoryContext before = MemoryContextSwitchTo(answers->memory);
	ListCell   *lc;

	foreach(lc, questions)
		answers->answers = lappend(answers->answers,
								   crm_question_put(lfirst(lc), desc->params,
													desc->instrument_options != 0,
													answers->memory));
	MemoryContextSwitchTo(before);
	return answers;
}

/* A snapshot taken now, in place of the one that the statement came with. */
static void
renew_snapshot(QueryDesc *desc)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	UnregisterSnapshot(desc->snapshot);
	desc->snapshot = RegisterSnapshot(GetActiveSnapshot());
	PopActiveSnapshot();
}

static bool
is_overlaid(Answers *answers)
{
	ListCell   *lc;

	foreach(lc, answers->answers)
		if (!crm_overlay_is_empty(((CrmReply *) lfirst(lc))->asked.overlay))
			return true;
	return false;
}

static void
take_general_plan(QueryDesc *desc, Answers *answers, PlannedStmt *general)
{
	MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);

	overlaid = lappend(overlaid, answers);
	MemoryContextSwitchTo(before);
	answers->general = general;
	desc->plannedstmt = general;
}

/* Starts a plan; the foreign scans of a general one find their answers meanwhile. */
static void
start_answered(QueryDesc *desc, int eflags, Answers *answers)
{
	Answers    *before = starting;

	starting = answers;
	start_next(desc, eflags);
	starting = before;
	MemoryContextSetParent(answers->memory, desc->estate->es_query_cxt);
	if (answers->general)
		answers->estate = desc->estate;
	else
		((StoreScanState *) desc->planstate)->answers = answers;
}

static bool
are_answered(List *questions)
{
	ListCell   *lc;

	foreach(lc, questions)
		if (!crm_question_is_answered(lfirst(lc)))
			return false;
	return true;
}

static List *
open_relations(List *opened, PlannedStmt *plan)
{
	ListCell   *lc;

	foreach(lc, plan->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION)
			opened = lappend(opened, table_open(rte->relid, rte->rellockmode));
	}
	return opened;
}

/*
 * What is open can't be altered by the code of owners that runs while CDMS is asked, in
 * this session, whose own locks don't keep it from that.  And the plan cache has locked
 * only what the plan over stores reads.
 */
static List *
hold_relations(QueryDesc *desc, PlannedStmt *general)
{
	return open_relations(open_relations(NIL, desc->plannedstmt), general);
}

/* By the time that the relations are let go the executor has those it needs open. */
static void
ask_and_start(QueryDesc *desc, int eflags, List *private)
{
	PlannedStmt *general = list_nth(private, CRM_STORE_PLAN_GENERAL);
	List	   *held;
	Answers    *answers;

	crm_check_permissions(desc->plannedstmt);	/* nobody asks without */
	held = hold_relations(desc, general);
	answers = ask(desc, list_nth(private, CRM_STORE_PLAN_QUESTIONS));
	renew_snapshot(desc);
	if (is_overlaid(answers))
		take_general_plan(desc, answers, general);
	start_answered(desc, eflags, answers);
	crm_let_go(held);
}

/* Within max_age this is all that stands between a query and the plan of its store. */
static void
start(QueryDesc *desc, int eflags)
{
	CustomScan *plan = crm_store_plan(desc->plannedstmt);

	if (plan == NULL || (eflags & EXEC_FLAG_EXPLAIN_ONLY) || crm_mode == CRM_MODE_LOCAL)
		start_next(desc, eflags);
	else if (desc->instrument_options != 0 ||
			 !are_answered(list_nth(plan->custom_private, CRM_STORE_PLAN_QUESTIONS)))
		ask_and_start(desc, eflags, plan->custom_private);
	else
	{
		renew_snapshot(desc);
		start_next(desc, eflags);
	}
}

bool
crm_already_asked(EState *estate, CrmTable *table, CrmAsked *asked)
{
	ListCell   *lc;

	if (starting == NULL || starting->general != estate->es_plannedstmt)
		return false;
	foreach(lc, starting->answers)
	{
		CrmReply   *reply = lfirst(lc);

		if (reply->table->relid != table->relid)
			continue;
		*asked = reply->asked;
		reply->asked = (CrmAsked) {.answer = CRM_ANSWER_REPEATED,.overlay = asked->overlay};
		return true;
	}
	return false;
}

/* ------------------------------------------------------------- running */

static bool
is_answered(QueryDesc *desc)
{
	ListCell   *lc;

	foreach(lc, overlaid)
		if (((Answers *) lfirst(lc))->estate == desc->estate)
			return true;
	return crm_store_plan(desc->plannedstmt) != NULL;
}

static void
run_next(QueryDesc *desc, ScanDirection direction, uint64 count CRM_ONCE_PARAMETER)
{
	if (next_run)
		next_run(desc, direction, count CRM_ONCE);
	else
		standard_ExecutorRun(desc, direction, count CRM_ONCE);
}

/*
 * Not everybody who runs a statement makes its snapshot the active one, and that is
 * what parallel workers and functions are given.
 */
static void
run(QueryDesc *desc, ScanDirection direction, uint64 count CRM_ONCE_PARAMETER)
{
	if (!is_answered(desc) || GetActiveSnapshot() == desc->snapshot)
	{
		run_next(desc, direction, count CRM_ONCE);
		return;
	}
	PushActiveSnapshot(desc->snapshot);
	run_next(desc, direction, count CRM_ONCE);
	PopActiveSnapshot();
}

/* ------------------------------------------------------------ the node */

static void
begin(CustomScanState *node, EState *estate, int eflags)
{
	PlanState  *below = ExecInitNode(outerPlan(node->ss.ps.plan), estate, eflags);

	/* Its slots are handed through. */
	outerPlanState(node) = below;
	node->ss.ps.resultops = ExecGetResultSlotOps(below, &node->ss.ps.resultopsfixed);
}

static TupleTableSlot *
next_row(CustomScanState *node)
{
	return ExecProcNode(outerPlanState(node));
}

static void
end(CustomScanState *node)
{
	ExecEndNode(outerPlanState(node));
}

static void
rescan(CustomScanState *node)
{
	PlanState  *below = outerPlanState(node);

	if (node->ss.ps.chgParam)
		UpdateChangedParamSet(below, node->ss.ps.chgParam);
	ExecReScan(below);
}

static void
explain_question(List *question, CrmReply *reply, ParamListInfo params, ExplainState *es)
{
	static const CrmAsked nothing = {0};
	CrmTable   *table = crm_question_table(question);
	List	   *requests = reply ? reply->requests : crm_question_requests(question, params);
	ListCell   *lc;

	ExplainOpenGroup("Synchronised Table", NULL, true, es);
	ExplainPropertyText("Synchronised Table", table->name, es);
	if (es->format == EXPLAIN_FORMAT_TEXT)
		es->indent++;
	foreach(lc, requests)
		ExplainPropertyText("CDMS Request", lfirst(lc), es);
	if (es->analyze)
		crm_explain_asked(reply ? &reply->asked : &nothing, table, es);
	if (es->format == EXPLAIN_FORMAT_TEXT)
		es->indent--;
	ExplainCloseGroup("Synchronised Table", NULL, true, es);
}

static void
explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	List	   *questions = list_nth(plan->custom_private, CRM_STORE_PLAN_QUESTIONS);
	Answers    *answers = ((StoreScanState *) node)->answers;
	ListCell   *lc;

	ExplainOpenGroup("Synchronised Tables", "Synchronised Tables", false, es);
	foreach(lc, questions)
		explain_question(lfirst(lc),
						 answers ? list_nth(answers->answers, foreach_current_index(lc)) : NULL,
						 node->ss.ps.state->es_param_list_info, es);
	ExplainCloseGroup("Synchronised Tables", "Synchronised Tables", false, es);
}

static const CustomExecMethods store_scan_exec_methods = {
	.CustomName = "crm_sync",
	.BeginCustomScan = begin,
	.ExecCustomScan = next_row,
	.EndCustomScan = end,
	.ReScanCustomScan = rescan,
	.ExplainCustomScan = explain,
};

static Node *
create_state(CustomScan *plan)
{
	StoreScanState *state = palloc0_object(StoreScanState);

	NodeSetTag(state, T_CustomScanState);
	state->css.methods = &store_scan_exec_methods;
	return (Node *) state;
}

const CustomScanMethods crm_store_scan_methods = {
	.CustomName = "crm_sync",
	.CreateCustomScanState = create_state,
};

void
crm_store_exec_init(void)
{
	RegisterCustomScanMethods(&crm_store_scan_methods);
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = start;
	next_run = ExecutorRun_hook;
	ExecutorRun_hook = run;
}
