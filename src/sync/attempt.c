/*
 * sync/attempt.c
 *	  An internal subtransaction round a call: whatever was thrown, locks of the
 *	  outer transaction are held still and the database can be used again.
 *
 * Before a COMMIT, too: BeginInternalSubTransaction accepts a block that ends.  An
 * Assert at the end of RollbackAndReleaseCurrentSubTransaction does not list that
 * state, though (PostgreSQL 15 to 18): servers built with assertions stop there,
 * as they do for a deferred trigger that catches an exception.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "sync/attempt.h"

ErrorData *
crm_attempt(void (*act) (void *arg), void *arg)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		act(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	return error;
}
