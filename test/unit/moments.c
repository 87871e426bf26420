/*
 * test/unit/moments.c
 *	  sync/moments.h
 */
#include "postgres.h"

#include "sync/moments.h"

#include "unit.h"

#define SETS 16

static CrmMoments
new_memory(void)
{
	CrmMoments	moments = {.nsets = SETS,.slots = palloc0(crm_moments_size(SETS))};

	return moments;
}

static CrmMomentKey
question(uint64 n)
{
	CrmMomentKey key = {.question = n,.meaning = 1,.database = 1,.table = 1};

	return key;
}

static void
put(CrmMoments *moments, CrmMomentKey key, int64 asked)
{
	CrmMoment	moment = {.asked = asked,.published = asked + 1};

	crm_moments_put(moments, &key, &moment);
}

static int64
asked(CrmMoments *moments, CrmMomentKey key)
{
	return crm_moments_find(moments, &key).asked;
}

static void
test_latest(void)
{
	CrmMoments	moments = new_memory();
	CrmMomentKey key = question(7);

	CHECK_INT(asked(&moments, key), 0);
	put(&moments, key, 10);
	CHECK_INT(asked(&moments, key), 10);
	put(&moments, key, 30);
	put(&moments, key, 20);
	CHECK_INT(asked(&moments, key), 30);
	CHECK_INT(crm_moments_find(&moments, &key).published, 31);
}

static void
test_every_part_counts(void)
{
	CrmMoments	moments = new_memory();
	CrmMomentKey keys[4];

	for (int i = 0; i < lengthof(keys); i++)
		keys[i] = question(7);
	keys[0].question++;
	keys[1].meaning++;
	keys[2].database++;
	keys[3].table++;
	put(&moments, question(7), 10);
	for (int i = 0; i < lengthof(keys); i++)
		CHECK_INT(asked(&moments, keys[i]), 0);
}

/* More than there is room for: what is found is right, and the newest are found. */
static void
test_bounded(void)
{
	CrmMoments	moments = new_memory();
	int			room = crm_moments_size(SETS) / sizeof(CrmMomentSlot);
	int			found = 0;
	int			wrong = 0;

	for (int i = 1; i <= 10 * room; i++)
		put(&moments, question(i), i);
	for (int i = 1; i <= 10 * room; i++)
	{
		int64		at = asked(&moments, question(i));

		found += at != 0;
		wrong += at != 0 && at != i;
	}
	CHECK_INT(found, room);
	CHECK_INT(wrong, 0);
	CHECK_INT(asked(&moments, question(10 * room)), 10 * room);
	CHECK_INT(asked(&moments, question(1)), 0);
}

static void
test_clock(void)
{
	int64		before = crm_moments_clock();

	pg_usleep(2000);
	CHECK(crm_moments_clock() - before >= 2000);
}

static const UnitTest tests[] = {
	{"remembers the latest moment of a question", test_latest},
	{"tells questions apart by each part of the key", test_every_part_counts},
	{"gives up the oldest moments", test_bounded},
	{"the clock counts microseconds", test_clock},
};

UNIT_SUITE("moments", tests)
