/*
 * sync/xact.c
 *	  The transaction callbacks: what is refused before the end, forgotten after it.
 */
#include "postgres.h"

#include "access/xact.h"

#include "net/http.h"
#include "sync/age.h"
#include "sync/asked.h"
#include "sync/commit.h"
#include "sync/connection.h"
#include "sync/push.h"
#include "sync/statement.h"
#include "sync/table.h"
#include "sync/xact.h"

/* Sent by now is what a PREPARE without a statement took for a COMMIT: a replication worker's. */
static void
refuse_prepare(void)
{
	if (crm_push_is_bound() || crm_push_has_sent())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has changes to push to CDMS"),
				 errhint("COMMIT it, or write with crm_sync.mode set to local.")));
}

/* Of another extension, in its own callback, or in a COMMIT that holds a snapshot. */
static void
refuse_late_changes(void)
{
	if (crm_push_is_bound())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("synchronised tables can't be changed so late in a COMMIT")));
}

/* After the end: nothing here may throw. */
static void
forget(void)
{
	crm_commit_at_end();
	crm_push_at_end();
	crm_age_at_end();
	crm_asked_at_end();
	crm_table_at_end();
	crm_connection_at_end();
}

static void
on_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			refuse_late_changes();
			break;
		case XACT_EVENT_PRE_PREPARE:
			refuse_prepare();
			break;
		case XACT_EVENT_ABORT:
			crm_push_at_abort();
			forget();
			break;
		case XACT_EVENT_COMMIT:
			crm_age_at_commit();
			forget();
			break;
		case XACT_EVENT_PREPARE:
			forget();
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
	}
}

static void
on_subtransaction(SubXactEvent event, SubTransactionId self, SubTransactionId parent, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	crm_http_abandon_since(self);
	crm_asked_at_subabort(self);
	crm_age_at_subabort(self);
	crm_statement_at_subabort();
}

void
crm_xact_init(void)
{
	RegisterSubXactCallback(on_subtransaction, NULL);
	RegisterXactCallback(on_transaction, NULL);
}
