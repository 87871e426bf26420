/*
 * sync/moments.c
 *	  Moments in sets of a few slots, as a processor's cache has them: the hash
 *	  of a question says in which set it is, and a new one takes the place of the
 *	  oldest there.  So the memory is bounded, nothing is ever allocated in it,
 *	  and a lock is held for a glance at some slots.
 */
#include "postgres.h"

#include <time.h>

#include "common/hashfn.h"

#include "sync/moments.h"

#define SLOTS_PER_SET 8

#ifdef CLOCK_BOOTTIME
#define MOMENTS_CLOCK CLOCK_BOOTTIME	/* goes on while the machine sleeps */
#else
#define MOMENTS_CLOCK CLOCK_MONOTONIC
#endif

int64
crm_moments_clock(void)
{
	struct timespec now;

	(void) clock_gettime(MOMENTS_CLOCK, &now);
	return now.tv_sec * INT64CONST(1000000) + now.tv_nsec / 1000;
}

Size
crm_moments_size(uint32 nsets)
{
	return mul_size(nsets, SLOTS_PER_SET * sizeof(CrmMomentSlot));
}

static uint32
set_of(const CrmMoments *moments, const CrmMomentKey *key)
{
	uint64		where = hash_combine64(key->question, key->meaning);

	where = hash_combine64(where, ((uint64) key->database << 32) | key->table);
	return murmurhash32((uint32) (where ^ (where >> 32))) & (moments->nsets - 1);
}

static CrmMomentSlot *
enter_set(const CrmMoments *moments, uint32 set, LWLockMode mode)
{
	if (moments->locks)
		LWLockAcquire(&moments->locks[set & (moments->nlocks - 1)].lock, mode);
	return moments->slots + (Size) set * SLOTS_PER_SET;
}

static void
leave_set(const CrmMoments *moments, uint32 set)
{
	if (moments->locks)
		LWLockRelease(&moments->locks[set & (moments->nlocks - 1)].lock);
}

static bool
is_about(const CrmMomentSlot *slot, const CrmMomentKey *key)
{
	return slot->moment.asked != 0 && slot->key.question == key->question &&
		slot->key.meaning == key->meaning && slot->key.table == key->table &&
		slot->key.database == key->database;
}

CrmMoment
crm_moments_find(const CrmMoments *moments, const CrmMomentKey *key)
{
	uint32		set = set_of(moments, key);
	CrmMomentSlot *slots = enter_set(moments, set, LW_SHARED);
	CrmMoment	found = {0};

	for (int i = 0; i < SLOTS_PER_SET; i++)
		if (is_about(&slots[i], key))
			found = slots[i].moment;
	leave_set(moments, set);
	return found;
}

/* The slot that has the question, else the one whose moment is missed least. */
static CrmMomentSlot *
slot_for(CrmMomentSlot *slots, const CrmMomentKey *key)
{
	CrmMomentSlot *oldest = slots;

	for (int i = 0; i < SLOTS_PER_SET; i++)
	{
		if (is_about(&slots[i], key))
			return &slots[i];
		if (slots[i].moment.asked < oldest->moment.asked)
			oldest = &slots[i];
	}
	return oldest;
}

void
crm_moments_put(const CrmMoments *moments, const CrmMomentKey *key, const CrmMoment *moment)
{
	uint32		set = set_of(moments, key);
	CrmMomentSlot *slot = slot_for(enter_set(moments, set, LW_EXCLUSIVE), key);

	if (!is_about(slot, key) || slot->moment.asked < moment->asked)
	{
		slot->key = *key;
		slot->moment = *moment;
	}
	leave_set(moments, set);
}
