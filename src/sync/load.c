/*
 * sync/load.c
 *	  Several queries at once: ranges of CreatedOn for all objects of an entity,
 *	  and lists of keys.
 *
 * A range is read in the order of CreatedOn, so that its position is known: all
 * that was created before it is there.  Where a range ends can thus be moved while
 * it is read, and what lies behind given to another cursor.  Pages are followed by
 * CDMS's own links, which go on after the last object seen; offsets would pass over
 * an object for each that is deleted before them.
 *
 * What is created during the load comes with the last range, which has no end, or
 * with the changes since the load began.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "sync/load.h"

#define CREATED_ON "CreatedOn"
#define FEW_OBJECTS 1000		/* read without ranges: they'd cost more than they gain */
#define PAGES_TO_DIVIDE 4		/* what is left of a range is worth dividing */

typedef struct Window
{
	CrmCursor  *cursor;			/* NULL: not begun */
	bool		asked;			/* a page is under way */
	CrmCondition *keys;			/* else by range: */
	CrmRange	range;
	bool		undated;		/* the objects that have no CreatedOn */
	TimestampTz position;		/* what was created before is there */
	int64		objects;
} Window;

struct CrmLoad
{
	MemoryContext memory;
	CrmConnection *conn;
	CrmEntity	entity;			/* own copy; in ranges with CreatedOn as last field */
	int			created;		/* its index; -1: not asked for */
	bool		in_ranges;		/* wanted, however few connections there are */
	bool		plain;			/* page by page so far */
	bool		keys_only;
	bool		paused;
	const pg_uuid_t *keys;		/* still to be asked for */
	int			nkeys;
	List	   *waiting;		/* of Window: not begun */
	List	   *reading;		/* those with a request under way */
	List	   *done;			/* of CrmRange: read to their ends */
	CrmRange	span;			/* of all objects' CreatedOn, before any range */
	int64		objects;
	int			page_size;		/* of the largest page */
};

/* ------------------------------------------------------------ begin, end */

static void
copy_field(CrmField *copy, const CrmField *field)
{
	*copy = *field;
	copy->property = pstrdup(field->property);
	copy->member = field->member ? pstrdup(field->member) : NULL;
	copy->target = field->target ? pstrdup(field->target) : NULL;
	copy->bound = false;
	crm_field_bind(copy, CurrentMemoryContext);
}

/* A copy with room for CreatedOn. */
static void
copy_entity(CrmEntity *copy, const CrmEntity *entity)
{
	*copy = *entity;
	copy->name = pstrdup(entity->name);
	copy->set = pstrdup(entity->set);
	copy->fields = palloc0_array(CrmField, entity->nfields + 1);
	for (int i = 0; i < entity->nfields; i++)
		copy_field(&copy->fields[i], &entity->fields[i]);
}

bool
crm_load_fits(const CrmLoad *load, const CrmEntity *entity)
{
	if (load->entity.nfields < entity->nfields || load->entity.key != entity->key)
		return false;
	for (int i = 0; i < entity->nfields; i++)
	{
		const CrmField *ours = &load->entity.fields[i];
		const CrmField *theirs = &entity->fields[i];

		if (ours->pgtype != theirs->pgtype || ours->pgtypmod != theirs->pgtypmod ||
			ours->basetype != theirs->basetype || ours->scalar != theirs->scalar)
			return false;
	}
	return true;
}

static CrmLoad *
begin(CrmConnection *conn, const CrmEntity *entity)
{
	CrmLoad    *load = palloc0_object(CrmLoad);

	load->memory = CurrentMemoryContext;
	load->conn = conn;
	load->created = -1;
	copy_entity(&load->entity, entity);
	return load;
}

static void
end_window(CrmLoad *load, Window *window)
{
	load->conn->protocol->close(window->cursor);
	load->reading = list_delete_ptr(load->reading, window);
	pfree(window);
}

void
crm_load_end(CrmLoad *load)
{
	while (load->reading != NIL)
		end_window(load, linitial(load->reading));
}

/* -------------------------------------------------------------- windows */

static Window *
add_window(CrmLoad *load, TimestampTz from, TimestampTz to)
{
	Window	   *window = palloc0_object(Window);

	window->range.from = from;
	window->range.to = to;
	window->position = from;
	load->waiting = lappend(load->waiting, window);
	return window;
}

static CrmCondition *
compare_created(CrmLoad *load, CrmConditionKind kind, TimestampTz moment)
{
	return crm_condition_compare(kind, &load->entity.fields[load->created],
								 TimestampTzGetDatum(moment), TIMESTAMPTZOID);
}

static CrmCondition *
window_condition(CrmLoad *load, const Window *window)
{
	List	   *bounds = NIL;

	if (window->keys || load->created < 0)
		return window->keys;
	if (window->undated)
		return compare_created(load, CRM_IS_NULL, 0);
	if (!TIMESTAMP_IS_NOBEGIN(window->range.from))
		bounds = lappend(bounds, compare_created(load, CRM_GE, window->range.from));
	if (!TIMESTAMP_IS_NOEND(window->range.to))
		bounds = lappend(bounds, compare_created(load, CRM_LT, window->range.to));
	return list_length(bounds) < 2 ? (bounds ? linitial(bounds) : NULL) :
		crm_condition_group(CRM_AND, bounds);
}

static void
read_window(CrmLoad *load, Window *window)
{
	CrmQuery	query = {
		.entity = &load->entity,
		.filter = window_condition(load, window)
	};

	if (load->created >= 0 && !window->undated)
		query.order = &load->entity.fields[load->created];
	if (load->keys_only)
		query.fields = bms_make_singleton(load->created >= 0 ? load->created : load->entity.key);
	window->cursor = load->conn->protocol->open(load->conn, &query);
	load->reading = lappend(load->reading, window);
}

/* When the first or last of all objects was created; false: none was. */
static bool
ask_extreme(CrmLoad *load, bool last, TimestampTz *moment)
{
	CrmQuery	query = {
		.entity = &load->entity,
		.filter = compare_created(load, CRM_IS_NOT_NULL, 0),
		.fields = bms_make_singleton(load->created),
		.order = &load->entity.fields[load->created],
		.descending = last,
		.limit = 1
	};
	CrmPage    *page = load->conn->protocol->fetch(load->conn->protocol->open(load->conn, &query));

	if (page->nobjects == 0 || page->objects[0].nulls[load->created])
		return false;
	*moment = DatumGetTimestampTz(page->objects[0].values[load->created]);
	return true;
}

/* CDMS keeps whole seconds, and may refuse others in a filter. */
static TimestampTz
whole_second(TimestampTz moment)
{
	int64		fraction = moment % USECS_PER_SEC;

	return moment - (fraction < 0 ? fraction + USECS_PER_SEC : fraction);
}

/* Where a range begins and ends as far as there are objects. */
static TimestampTz
first_moment(const CrmLoad *load, TimestampTz moment)
{
	return Max(moment, load->span.from);
}

static TimestampTz
end_moment(const CrmLoad *load, TimestampTz moment)
{
	return Min(moment, load->span.to);
}

static void
add_created_on(CrmLoad *load)
{
	CrmField   *field = &load->entity.fields[load->entity.nfields];

	field->property = pstrdup(CREATED_ON);
	field->type = CRM_DATETIME;
	field->writable = true;
	field->pgtype = TIMESTAMPTZOID;
	field->pgtypmod = -1;
	crm_field_bind(field, CurrentMemoryContext);
	load->created = load->entity.nfields++;
}

static void
ask_span(CrmLoad *load)
{
	add_created_on(load);
	if (!ask_extreme(load, false, &load->span.from) || !ask_extreme(load, true, &load->span.to))
		load->span.from = load->span.to = 0;
	load->span.to += USECS_PER_SEC;
	add_window(load, DT_NOBEGIN, DT_NOEND)->undated = true;
}

/* Divides a range evenly among the connections, as far as objects were created. */
static void
add_range(CrmLoad *load, const CrmRange *range, int parts)
{
	TimestampTz first = first_moment(load, range->from);
	TimestampTz end = end_moment(load, range->to);
	TimestampTz from = range->from;

	for (int i = 1; i < parts && first < end; i++)
	{
		TimestampTz to = whole_second(first + (end - first) / parts * i);

		if (to <= first || to <= from)
			continue;
		add_window(load, from, to);
		from = to;
	}
	add_window(load, from, range->to);
}

static bool
has_created_on(CrmLoad *load)
{
	for (int i = 0; i < load->entity.nfields; i++)
		if (strcmp(load->entity.fields[i].property, CREATED_ON) == 0)
			return true;
	return load->conn->protocol->has_property(load->conn, &load->entity, CREATED_ON);
}

CrmLoad *
crm_load_all(CrmConnection *conn, const CrmEntity *entity, bool in_ranges)
{
	CrmLoad    *load = begin(conn, entity);

	load->in_ranges = in_ranges;
	load->plain = true;
	add_window(load, DT_NOBEGIN, DT_NOEND);
	return load;
}

CrmLoad *
crm_load_rest(CrmConnection *conn, const CrmEntity *entity, List *ranges)
{
	CrmLoad    *load = begin(conn, entity);
	int			parts = crm_http_max_connections(conn->http) / Max(1, list_length(ranges));
	ListCell   *lc;

	ask_span(load);
	foreach(lc, ranges)
		add_range(load, lfirst(lc), Max(1, parts));
	return load;
}

CrmLoad *
crm_load_keys(CrmConnection *conn, const CrmEntity *entity, const pg_uuid_t *keys, int n)
{
	CrmLoad    *load = begin(conn, entity);

	load->keys = keys;
	load->nkeys = n;
	return load;
}

CrmLoad *
crm_load_all_keys(CrmConnection *conn, const CrmEntity *entity)
{
	CrmLoad    *load = crm_load_all(conn, entity, false);

	load->keys_only = true;
	return load;
}

/* More objects than expected: what was begun page by page goes on by ranges. */
static void
turn_to_ranges(CrmLoad *load)
{
	static const CrmRange everything = {DT_NOBEGIN, DT_NOEND};
	int			connections = crm_http_max_connections(load->conn->http);

	load->plain = false;
	if ((connections == 1 && !load->in_ranges) || !has_created_on(load))
		return;
	crm_load_end(load);
	load->objects = 0;
	ask_span(load);
	add_range(load, &everything, connections);
}

/* ------------------------------------------------------------- dividing */

/* Objects that a range still has, by how many it had so far. */
static double
objects_left(const CrmLoad *load, const Window *window)
{
	double		read = window->position - first_moment(load, window->range.from);
	double		left = end_moment(load, window->range.to) - window->position;

	if (window->undated || window->keys || left <= 0 || read <= 0)
		return 0;
	return left / read * window->objects;
}

/* The window of which most is left, where that is worth dividing. */
static Window *
longest_window(CrmLoad *load)
{
	Window	   *longest = NULL;
	double		most = (double) PAGES_TO_DIVIDE * load->page_size;
	ListCell   *lc;

	foreach(lc, load->reading)
	{
		double		left = objects_left(load, lfirst(lc));

		if (left > most)
		{
			longest = lfirst(lc);
			most = left;
		}
	}
	return longest;
}

/* Gives the second half of what is left to a window of its own; false: nothing is. */
static bool
divide(CrmLoad *load)
{
	Window	   *window = load->created < 0 ? NULL : longest_window(load);
	TimestampTz end;
	TimestampTz middle;

	if (window == NULL)
		return false;
	end = end_moment(load, window->range.to);
	middle = whole_second(window->position + (end - window->position) / 2);
	if (middle <= window->position)
		return false;
	add_window(load, middle, window->range.to);
	window->range.to = middle;
	return true;
}

static bool
add_keys(CrmLoad *load)
{
	int			n;

	if (load->nkeys == 0)
		return false;
	n = load->conn->protocol->keys_per_query(load->conn, &load->entity, load->nkeys);
	add_window(load, DT_NOBEGIN, DT_NOEND)->keys = crm_condition_keys(&load->entity, load->keys, n);
	load->keys += n;
	load->nkeys -= n;
	return true;
}

/* Has as many requests under way as there are connections for. */
static void
refill(CrmLoad *load)
{
	MemoryContext before;
	ListCell   *lc;

	if (load->paused)
		return;
	before = MemoryContextSwitchTo(load->memory);
	while (list_length(load->reading) < crm_http_max_connections(load->conn->http) &&
		   (load->waiting != NIL || add_keys(load) || divide(load)))
	{
		Window	   *window = linitial(load->waiting);

		load->waiting = list_delete_first(load->waiting);
		read_window(load, window);
	}
	foreach(lc, load->reading)
	{
		Window	   *window = lfirst(lc);

		load->conn->protocol->start(window->cursor);
		window->asked = true;
	}
	MemoryContextSwitchTo(before);
}

/* ---------------------------------------------------------------- pages */

static void
check_order(const Window *window, TimestampTz created)
{
	if (created < window->position)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("CDMS answered in another order than was asked for"),
				 errdetail("An object created earlier came after one created later.")));
}

/* What another window will bring is left to it.  Is this window at its end? */
static bool
advance(CrmLoad *load, Window *window, CrmPage *page)
{
	for (int i = 0; i < page->nobjects; i++)
	{
		CrmObject  *object = &page->objects[i];
		TimestampTz created = DatumGetTimestampTz(object->values[load->created]);

		if (object->nulls[load->created])
			continue;
		check_order(window, created);
		if (created >= window->range.to)
		{
			page->nobjects = i;
			return true;
		}
		window->position = created;
	}
	return page->last;
}

static void
note_done(CrmLoad *load, Window *window)
{
	MemoryContext before = MemoryContextSwitchTo(load->memory);
	CrmRange   *range = palloc_object(CrmRange);

	*range = window->range;
	if (load->created >= 0 && !window->undated)
		load->done = lappend(load->done, range);
	end_window(load, window);
	MemoryContextSwitchTo(before);
}

/* One whose page has come, each in its turn; NULL: none is under way. */
static Window *
ready_window(CrmLoad *load)
{
	int			n = 0;
	CrmCursor **cursors = palloc_array(CrmCursor *, list_length(load->reading) + 1);
	Window	  **windows = palloc_array(Window *, list_length(load->reading) + 1);
	MemoryContext before;
	ListCell   *lc;

	foreach(lc, load->reading)
	{
		Window	   *window = lfirst(lc);

		if (!window->asked)
			continue;
		windows[n] = window;
		cursors[n++] = window->cursor;
	}
	if (n == 0)
		return NULL;
	n = load->conn->protocol->ready(cursors, n);
	before = MemoryContextSwitchTo(load->memory);
	load->reading = lappend(list_delete_ptr(load->reading, windows[n]), windows[n]);
	MemoryContextSwitchTo(before);
	return windows[n];
}

CrmPage *
crm_load_next(CrmLoad *load)
{
	Window	   *window;
	CrmPage    *page;
	bool		ended;

	refill(load);
	window = ready_window(load);
	if (window == NULL)
		return NULL;
	page = load->conn->protocol->fetch(window->cursor);
	window->asked = false;
	load->page_size = Max(load->page_size, page->nobjects);
	ended = load->created < 0 || window->undated ? page->last : advance(load, window, page);
	window->objects += page->nobjects;
	load->objects += page->nobjects;
	if (ended)
		note_done(load, window);
	else if (load->plain && load->objects >= FEW_OBJECTS)
	{
		MemoryContext before = MemoryContextSwitchTo(load->memory);

		turn_to_ranges(load);
		MemoryContextSwitchTo(before);
	}
	refill(load);
	return page;
}

void
crm_load_pause(CrmLoad *load)
{
	load->paused = true;
}

void
crm_load_go_on(CrmLoad *load)
{
	load->paused = false;
}

/* ------------------------------------------------------------- progress */

List *
crm_load_ranges(CrmLoad *load)
{
	List	   *ranges = list_copy(load->done);
	ListCell   *lc;

	foreach(lc, load->created < 0 ? NIL : load->reading)
	{
		Window	   *window = lfirst(lc);
		CrmRange   *range = palloc_object(CrmRange);

		range->from = window->range.from;
		range->to = window->position;
		if (!window->undated && range->from < range->to)
			ranges = lappend(ranges, range);
	}
	return ranges;
}

void
crm_load_tell(CrmLoad *load, CrmLoadProgress *progress)
{
	double		whole = load->span.to - load->span.from;
	double		there = 0;
	ListCell   *lc;

	foreach(lc, crm_load_ranges(load))
	{
		CrmRange   *range = lfirst(lc);

		there += Max(0, end_moment(load, range->to) - first_moment(load, range->from));
	}
	progress->objects = load->objects;
	progress->share = load->created >= 0 && whole > 0 ? there / whole : -1;
	progress->requests = list_length(load->reading);
}
