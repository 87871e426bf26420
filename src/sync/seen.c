/*
 * sync/seen.c
 *	  The keys of a whole entity, sorted by PostgreSQL, on disk where there are
 *	  many; compared with the store's in one merge.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#include "compat.h"
#include "sync/seen.h"

struct CrmSeen
{
	Tuplesortstate *sort;
	MemoryContext memory;
	bool		sorted;
	bool		at_end;
	pg_uuid_t	next;			/* the lowest not yet passed */
};

CrmSeen *
crm_seen_begin(void)
{
	CrmSeen    *seen = palloc0_object(CrmSeen);

	seen->memory = CurrentMemoryContext;
	seen->sort = tuplesort_begin_datum(UUIDOID,
									   lookup_type_cache(UUIDOID, TYPECACHE_LT_OPR)->lt_opr,
									   InvalidOid, false, work_mem, NULL, TUPLESORT_NONE);
	return seen;
}

void
crm_seen_add(CrmSeen *seen, const CrmPage *page)
{
	for (int i = 0; i < page->nobjects; i++)
		tuplesort_putdatum(seen->sort, UUIDPGetDatum(&page->objects[i].key), false);
}

static void
advance(CrmSeen *seen)
{
	MemoryContext before = MemoryContextSwitchTo(seen->memory);
	Datum		value;
	bool		isnull;

	seen->at_end = !crm_tuplesort_next(seen->sort, &value, &isnull);
	if (!seen->at_end)
	{
		seen->next = *DatumGetUUIDP(value);
		pfree(DatumGetPointer(value));
	}
	MemoryContextSwitchTo(before);
}

bool
crm_seen_has(CrmSeen *seen, const pg_uuid_t *key)
{
	int			order = -1;

	if (!seen->sorted)
	{
		tuplesort_performsort(seen->sort);
		seen->sorted = true;
		advance(seen);
	}
	while (!seen->at_end && (order = memcmp(&seen->next, key, sizeof(pg_uuid_t))) < 0)
		advance(seen);
	return !seen->at_end && order == 0;
}

void
crm_seen_end(CrmSeen *seen)
{
	tuplesort_end(seen->sort);
}
