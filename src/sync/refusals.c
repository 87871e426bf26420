/*
 * sync/refusals.c
 *	  Logins that were refused lately: the moments of their refusals.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "sync/moments.h"
#include "sync/refusals.h"
#include "sync/shared.h"

#define REFUSAL_SETS 64			/* 512 refusals, 24 kB */

static CrmMoments refusals;		/* slots: NULL where they are not shared */

static Size
refusals_size(void)
{
	return crm_moments_size(REFUSAL_SETS);
}

static void
attach_refusals(void *memory, LWLockPadded *locks)
{
	refusals.nsets = REFUSAL_SETS;
	refusals.slots = memory;
	refusals.nlocks = 1;
	refusals.locks = locks;
}

const CrmSharedPart crm_refusals_part = {
	.name = "CrmSyncRefusals",.nlocks = 1,.size = refusals_size,.attach = attach_refusals
};

static CrmMomentKey
key_of(uint64 identity)
{
	return (CrmMomentKey)
	{
		.question = identity,.database = MyDatabaseId
	};
}

static bool
is_recent(uint64 identity, int seconds)
{
	CrmMomentKey key = key_of(identity);
	int64		refused = crm_moments_find(&refusals, &key).asked;

	return refused != 0 && crm_moments_clock() - refused < seconds * INT64CONST(1000000);
}

static void
note(uint64 identity)
{
	CrmMomentKey key = key_of(identity);
	CrmMoment	moment = {.asked = crm_moments_clock()};

	crm_moments_put(&refusals, &key, &moment);
}

const CrmRefusals *
crm_refusals(void)
{
	static const CrmRefusals shared = {is_recent, note};

	return refusals.slots ? &shared : NULL;
}
