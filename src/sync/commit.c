/*
 * sync/commit.c
 *	  Calling a function in the COMMIT, while code of users may run.
 *
 * XACT_EVENT_PRE_COMMIT is too late for that: whoever else has been told of the COMMIT by
 * then (postgres_fdw, which has sent its own) does not hear of what is begun afterwards,
 * and fails behind the commit record, which stops the server; and nobody closes a cursor
 * that is opened then.  Triggers of stores may do both.
 *
 * What PostgreSQL ends before that, portals and deferred constraints, it looks for again
 * until there is nothing left.  So the call is the end of a portal, after all others.
 * That has no query and is never run, and a name that nobody can guess; it is not shown in
 * pg_cursors.
 */
#include "postgres.h"

#include <inttypes.h>

#include "access/xact.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "sync/commit.h"

static ProcessUtility_hook_type next_utility = NULL;
static void (*wanted) (void) = NULL;	/* NULL: nothing in this COMMIT */
static Portal portal = NULL;	/* whose end is the call; NULL: there is none */
static bool prepares = false;	/* it ends in PREPARE TRANSACTION */

/* CLOSE ALL has a snapshot; a COMMIT has none any more. */
static bool
is_commit(void)
{
	return IsTransactionState() && !ActiveSnapshotSet() && !prepares;
}

void
crm_commit_end_others(void)
{
	do
		AfterTriggerFireDeferred();
	while (PreCommit_Portals(false));
}

static void
on_end(Portal ended)
{
	void		(*action) (void) = wanted;

	ended->cleanup = NULL;		/* not again, if it fails */
	portal = NULL;
	if (action == NULL || !is_commit())
		return;
	wanted = NULL;
	ended->status = PORTAL_ACTIVE;	/* none of those, nor for CLOSE ALL in a trigger */
	PG_TRY();
	{
		crm_commit_end_others();	/* any may still fail */
		action();
	}
	PG_FINALLY();
	{
		ended->status = PORTAL_DONE;
	}
	PG_END_TRY();
}

/* It lasts as long as the transaction, whatever becomes of the subtransaction. */
static void
make_portal(void)
{
	uint64		random[2];
	char		name[sizeof("crm_sync ") + 2 * 16];

	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random name")));
	snprintf(name, sizeof(name), "crm_sync %016" PRIx64 "%016" PRIx64, random[0], random[1]);
	portal = CreatePortal(name, false, false);
	portal->status = PORTAL_DONE;	/* one that is being set up may not be dropped */
	MemoryContextSetIdentifier(portal->portalContext, NULL);	/* which is shown */
	portal->visible = false;
	portal->createSubid = TopSubTransactionId;
	portal->activeSubid = TopSubTransactionId;
	portal->createLevel = 1;
	ResourceOwnerDelete(portal->resowner);	/* the subtransaction's; it has nothing to own */
	portal->resowner = NULL;
	portal->cleanup = on_end;
}

void
crm_commit_call(void (*action) (void))
{
	wanted = action;
	if (portal == NULL)
		make_portal();
}

void
crm_commit_at_end(void)
{
	if (portal)
		portal->cleanup = NULL;	/* made when nothing was ended any more */
	wanted = NULL;
	portal = NULL;
	prepares = false;
}

/* PREPARE TRANSACTION ends portals as well; CLOSE ALL does not mean this one. */
static void
utility(PlannedStmt *plan, const char *string, bool is_kept, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *environment, DestReceiver *receiver,
		QueryCompletion *completion)
{
	Node	   *statement = plan->utilityStmt;

	if (IsA(statement, TransactionStmt))
		prepares = ((TransactionStmt *) statement)->kind == TRANS_STMT_PREPARE && IsTransactionState();
	if (next_utility)
		next_utility(plan, string, is_kept, context, params, environment, receiver, completion);
	else
		standard_ProcessUtility(plan, string, is_kept, context, params, environment, receiver,
								completion);
	if (wanted && portal == NULL && IsTransactionState())
		make_portal();
}

void
crm_commit_init(void)
{
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
}
