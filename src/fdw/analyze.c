/*
 * fdw/analyze.c
 *	  ANALYZE: statistics from a random sample of the store, or of CDMS's pages.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/vacuum.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sampling.h"

#include "fdw/fdw.h"
#include "sync/connection.h"
#include "sync/overlay.h"
#include "sync/statement.h"
#include "sync/store.h"

/* A reservoir sample under way (Vitter's algorithm, as PostgreSQL has it). */
typedef struct Sample
{
	CrmTable   *table;
	TupleDesc	desc;
	HeapTuple  *rows;
	int			target;
	int			n;
	double		seen;
	double		skip;			/* rows still to be passed over; negative: not
								 * yet drawn */
	ReservoirStateData reservoir;
	MemoryContext memory;		/* of the rows */
} Sample;

static void
begin_sample(Sample *sample, Relation rel, HeapTuple *rows, int target)
{
	memset(sample, 0, sizeof(*sample));
	sample->table = crm_table_get(RelationGetRelid(rel));
	sample->desc = RelationGetDescr(rel);
	sample->rows = rows;
	sample->target = target;
	sample->skip = -1;
	sample->memory = CurrentMemoryContext;
	reservoir_init_selection_state(&sample->reservoir, target);
}

/* Where the next row goes in the sample; -1: nowhere. */
static int
draw(Sample *sample)
{
	if (sample->seen++ < sample->target)
		return sample->n++;
	if (sample->skip < 0)
		sample->skip = reservoir_get_next_S(&sample->reservoir, sample->seen - 1, sample->target);
	if (sample->skip-- > 0)
		return -1;
	sample->skip = -1;
	return (int) (sample->target * sampler_random_fract(&sample->reservoir.randstate));
}

static void
keep(Sample *sample, int position, Datum *values, bool *nulls)
{
	MemoryContext before = MemoryContextSwitchTo(sample->memory);

	if (sample->seen > sample->target)
		heap_freetuple(sample->rows[position]);
	sample->rows[position] = heap_form_tuple(sample->desc, values, nulls);
	MemoryContextSwitchTo(before);
}

/* A row whose values come in the order of the table's columns. */
static void
sample_row(Sample *sample, Datum *by_column, bool *null_by_column)
{
	int			position = draw(sample);
	Datum	   *values;
	bool	   *nulls;

	if (position < 0)
		return;
	values = palloc0_array(Datum, sample->desc->natts);
	nulls = palloc_array(bool, sample->desc->natts);
	memset(nulls, true, sample->desc->natts * sizeof(bool));
	for (int i = 0; i < sample->table->ncolumns; i++)
	{
		int			to = sample->table->columns[i].attnum - 1;

		values[to] = by_column[i];
		nulls[to] = null_by_column[i];
	}
	keep(sample, position, values, nulls);
	pfree(values);
	pfree(nulls);
}

static void
sample_store_row(TupleTableSlot *slot, void *arg)
{
	slot_getallattrs(slot);
	sample_row(arg, slot->tts_values, slot->tts_isnull);
}

static void
sample_store(Sample *sample)
{
	CrmTable   *table = sample->table;
	StringInfoData sql;

	crm_table_require_store(table);
	if (!crm_overlay_is_allowed(table))
	{
		/* Statistics have no policies: whoever may read the table may read them. */
		ereport(WARNING,
				(errmsg("no statistics of %s are gathered", table->name),
				 errdetail("Its store has row security, FORCEd upon its owner.")));
		return;
	}
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < table->ncolumns; i++)
		appendStringInfo(&sql, "%s%s", i ? ", " : "",
						 crm_store_column_sql(table, &table->columns[i]));
	appendStringInfo(&sql, " FROM %s", table->store_name);
	crm_statement_run(crm_statement_prepare(sql.data, 0, NULL, table, NIL),
					  NULL, NULL, sample_store_row, sample);
}

static void
sample_object(Sample *sample, CrmObject *object)
{
	CrmTable   *table = sample->table;
	Datum	   *values = palloc0_array(Datum, table->ncolumns);
	bool	   *nulls = palloc_array(bool, table->ncolumns);

	for (int i = 0; i < table->ncolumns; i++)
	{
		int			field = table->columns[i].field;

		nulls[i] = field < 0 || object->nulls[field];
		values[i] = field < 0 ? (Datum) 0 : object->values[field];
	}
	sample_row(sample, values, nulls);
}

static void
sample_cdms(Sample *sample)
{
	CrmTable   *table = sample->table;
	CrmConnection *conn = crm_connection_get(table->serverid, table->owner);
	CrmQuery	query = {.entity = &table->entity};
	CrmCursor  *cursor = conn->protocol->open(conn, &query);
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "crm_sync page",
												 ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(memory);
	CrmPage    *page;

	while ((page = conn->protocol->fetch(cursor)) != NULL)
	{
		for (int i = 0; i < page->nobjects; i++)
			sample_object(sample, &page->objects[i]);
		MemoryContextReset(memory);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(memory);
}

static int
acquire_sample(Relation rel, int elevel, HeapTuple *rows, int target, double *total,
			   double *dead)
{
	Sample		sample;

	begin_sample(&sample, rel, rows, target);
	if (OidIsValid(sample.table->store))
		sample_store(&sample);
	else
		sample_cdms(&sample);
	*total = sample.seen;
	*dead = 0;
	ereport(elevel,
			(errmsg("\"%s\": %.0f rows read, %d in the sample",
					RelationGetRelationName(rel), sample.seen, sample.n)));
	return sample.n;
}

bool
crm_analyze(Relation rel, AcquireSampleRowsFunc *func, BlockNumber *pages)
{
	*func = acquire_sample;
	*pages = 1;
	return true;
}
