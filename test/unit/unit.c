/*
 * test/unit/unit.c
 *	  Runs the unit tests in a backend and reports in TAP.
 *
 *	  crm_unit_run(suite text, peer int, long bool) returns setof text
 *
 * suite NULL: all.  The rows are the lines of a TAP stream, its plan last.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "unit.h"

PG_MODULE_MAGIC;

PGDLLEXPORT Datum crm_unit_run(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(crm_unit_run);

int			unit_peer;
bool		unit_long;
bool		unit_watched;

static const ErrorData no_error;
const ErrorData *unit_error = &no_error;

static UnitSuite *suites;		/* by name */

#define MAX_NOTES 8000			/* bytes for one test */

/* Of the test that runs. */
static StringInfoData notes;
static bool failed;
static const char *skipped;		/* why; NULL: it was not */

void
unit_register(UnitSuite *suite)
{
	UnitSuite **link = &suites;

	while (*link != NULL && strcmp((*link)->name, suite->name) < 0)
		link = &(*link)->next;
	suite->next = *link;
	*link = suite;
}

/* -------------------------------------------------------------- checks */

void
unit_note(const char *format,...)
{
	va_list		args;
	char		line[1024];

	if (notes.len > MAX_NOTES)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);

	/* Each line of it must begin with #, or it would be read as TAP. */
	for (char *c = line; *c != '\0'; c++)
	{
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	}
	appendStringInfo(&notes, "\n# %s", line);
}

void
unit_skip(const char *reason)
{
	skipped = reason;
}

static void
unit_fail(const char *file, int line)
{
	failed = true;
	unit_note("%s:%d", file, line);
}

void
unit_check(bool passed, const char *what, const char *file, int line)
{
	if (passed)
		return;
	unit_fail(file, line);
	unit_note("  is false: %s", what);
}

void
unit_check_string(const char *got, const char *want, const char *what,
				  const char *file, int line)
{
	if (got == NULL || want == NULL ? got == want : strcmp(got, want) == 0)
		return;
	unit_fail(file, line);
	unit_note("  %s", what);
	unit_note("   got: %s", got != NULL ? got : "NULL");
	unit_note("  want: %s", want != NULL ? want : "NULL");
}

void
unit_check_contains(const char *got, const char *part, const char *what,
					const char *file, int line)
{
	if (got != NULL && strstr(got, part) != NULL)
		return;
	unit_fail(file, line);
	unit_note("  %s", what);
	unit_note("          got: %s", got != NULL ? got : "NULL");
	unit_note("  want within: %s", part);
}

void
unit_check_integer(int64 got, int64 want, const char *what,
				   const char *file, int line)
{
	if (got == want)
		return;
	unit_fail(file, line);
	unit_note("  %s", what);
	unit_note("   got: " INT64_FORMAT, got);
	unit_note("  want: " INT64_FORMAT, want);
}

void
unit_check_error(const char *sqlstate, const char *what, const char *file, int line)
{
	const char *got = unpack_sql_state(unit_error->sqlerrcode);

	if (strcmp(got, sqlstate) == 0)
		return;
	unit_fail(file, line);
	unit_note("  %s", what);
	unit_note("   got: %s %s", got, unit_error->message != NULL ? unit_error->message : "");
	unit_note("  want: %s", sqlstate);
}

/* ------------------------------------------------------ catching errors */

void
unit_catch_begin(UnitCatch *state)
{
	state->context = CurrentMemoryContext;
	state->owner = CurrentResourceOwner;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(state->context);
}

void
unit_catch_nothing(UnitCatch *state)
{
	unit_error = &no_error;
	ReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(state->context);
	CurrentResourceOwner = state->owner;
}

void
unit_catch_error(UnitCatch *state)
{
	MemoryContextSwitchTo(state->context);
	unit_error = CopyErrorData();
	FlushErrorState();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(state->context);
	CurrentResourceOwner = state->owner;
}

/* -------------------------------------------------------------- running */

static void
unit_run_test(const UnitTest *test)
{
	UnitCatch	state;

	unit_catch_begin(&state);
	PG_TRY();
	{
		test->run();
		unit_catch_nothing(&state);
	}
	PG_CATCH();
	{
		unit_catch_error(&state);
		failed = true;
		unit_note("ended by %s %s; %s", unpack_sql_state(unit_error->sqlerrcode),
				  unit_error->message,
				  unit_error->detail != NULL ? unit_error->detail : "no detail");
	}
	PG_END_TRY();
}

static void
unit_put_line(ReturnSetInfo *result, const char *line)
{
	Datum		value = CStringGetTextDatum(line);
	bool		null = false;

	tuplestore_putvalues(result->setResult, result->setDesc, &value, &null);
}

/* Runs a test and adds its lines to the result. */
static void
unit_report_test(ReturnSetInfo *result, int number, const UnitSuite *suite,
				 const UnitTest *test)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "unit test",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);

	initStringInfo(&notes);
	failed = false;
	skipped = NULL;
	unit_error = &no_error;
	unit_run_test(test);

	unit_put_line(result, psprintf("%s %d - %s: %s%s%s%s", failed ? "not ok" : "ok",
								   number, suite->name, test->name,
								   skipped != NULL ? " # SKIP " : "",
								   skipped != NULL ? skipped : "", notes.data));
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

Datum
crm_unit_run(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *wanted = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			number = 0;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	unit_peer = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	unit_long = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	unit_watched = GetConfigOption("crm_unit.watched", true, false) != NULL;

	for (const UnitSuite *suite = suites; suite != NULL; suite = suite->next)
	{
		if (wanted != NULL && strcmp(wanted, suite->name) != 0)
			continue;
		for (int i = 0; i < suite->ntests; i++)
			unit_report_test(result, ++number, suite, &suite->tests[i]);
	}
	unit_put_line(result, psprintf("1..%d", number));
	return (Datum) 0;
}
