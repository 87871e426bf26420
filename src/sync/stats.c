/*
 * sync/stats.c
 *	  A slot for each server; when there are more, the one not asked for longest
 *	  gives its own up.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "sync/moments.h"
#include "sync/shared.h"
#include "sync/stats.h"

#define MOST_SERVERS 128

typedef struct ServerStats
{
	Oid			database;
	Oid			serverid;		/* InvalidOid: a free slot */
	int64		reported;		/* last, by crm_moments_clock */
	CrmStats	stats;
} ServerStats;

static ServerStats session_slots[MOST_SERVERS];
static ServerStats *slots = session_slots;
static LWLockPadded *lock = NULL;	/* NULL: the session's own */

static void
enter(LWLockMode mode)
{
	if (lock)
		LWLockAcquire(&lock->lock, mode);
}

static void
leave(void)
{
	if (lock)
		LWLockRelease(&lock->lock);
}

static Size
stats_size(void)
{
	return sizeof(session_slots);
}

static void
attach_stats(void *memory, LWLockPadded *locks)
{
	slots = memory;
	lock = locks;
}

const CrmSharedPart crm_stats_part = {
	.name = "CrmSyncStatistics",.nlocks = 1,.size = stats_size,.attach = attach_stats
};

bool
crm_stats_are_shared(void)
{
	return lock != NULL;
}

static ServerStats *
slot_of(Oid serverid)
{
	ServerStats *oldest = slots;

	for (ServerStats *slot = slots; slot < slots + MOST_SERVERS; slot++)
	{
		if (slot->serverid == serverid && slot->database == MyDatabaseId)
			return slot;
		if (slot->reported < oldest->reported)
			oldest = slot;
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->database = MyDatabaseId;
	oldest->serverid = serverid;
	return oldest;
}

/* The counters, each at its place in CrmStats; milliseconds are the one double. */
static const Size counter_offsets[] = {
	offsetof(CrmStats, requests.get),
	offsetof(CrmStats, requests.post),
	offsetof(CrmStats, requests.merge),
	offsetof(CrmStats, requests.put),
	offsetof(CrmStats, requests.delete),
	offsetof(CrmStats, requests.bytes_sent),
	offsetof(CrmStats, requests.bytes_received),
	offsetof(CrmStats, requests.retries),
	offsetof(CrmStats, requests.errors),
	offsetof(CrmStats, objects),
};

static int64 *
counter(const CrmStats *stats, int i)
{
	return (int64 *) ((char *) stats + counter_offsets[i]);
}

void
crm_stats_report(Oid serverid, const CrmStats *now, CrmStats *reported)
{
	ServerStats *slot;

	if (memcmp(now, reported, sizeof(*now)) == 0)
		return;
	enter(LW_EXCLUSIVE);
	slot = slot_of(serverid);
	slot->reported = crm_moments_clock();
	for (int i = 0; i < lengthof(counter_offsets); i++)
		*counter(&slot->stats, i) += *counter(now, i) - *counter(reported, i);
	slot->stats.requests.milliseconds += now->requests.milliseconds -
		reported->requests.milliseconds;
	leave();
	*reported = *now;
}

void
crm_stats_foreach(void (*visit) (Oid serverid, const CrmStats *stats, void *arg), void *arg)
{
	ServerStats *copy = palloc(sizeof(session_slots));

	enter(LW_SHARED);
	memcpy(copy, slots, sizeof(session_slots));
	leave();
	for (int i = 0; i < MOST_SERVERS; i++)
		if (OidIsValid(copy[i].serverid) && copy[i].database == MyDatabaseId)
			visit(copy[i].serverid, &copy[i].stats, arg);
	pfree(copy);
}
