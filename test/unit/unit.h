/*
 * test/unit/unit.h
 *	  What a unit test is written with.
 *
 * A test is a function without arguments.  A file has a table of its tests and
 * registers it:
 *
 *		static const UnitTest tests[] = {
 *			{"resolves a relative link", test_relative},
 *		};
 *		UNIT_SUITE("url", tests)
 *
 * Each test runs in a memory context and a subtransaction of its own.  A check
 * that fails is reported and the test goes on; an ERROR that no CHECK_ERROR
 * expects ends it.
 */
#ifndef UNIT_H
#define UNIT_H

#include "postgres.h"
#include "utils/palloc.h"
#include "utils/resowner.h"

typedef struct UnitTest
{
	const char *name;
	void		(*run) (void);
} UnitTest;

typedef struct UnitSuite
{
	const char *name;
	const UnitTest *tests;
	int			ntests;
	struct UnitSuite *next;
} UnitSuite;

extern void unit_register(UnitSuite *suite);

#define UNIT_SUITE(suite_name, suite_tests) \
	static UnitSuite unit_suite = { \
		.name = (suite_name), \
		.tests = (suite_tests), \
		.ntests = lengthof(suite_tests) \
	}; \
	static void __attribute__((constructor)) \
	unit_register_suite(void) \
	{ \
		unit_register(&unit_suite); \
	}

/* Port of peer.py on 127.0.0.1. */
extern int	unit_peer;

/* Are the long tests wanted too? */
extern bool unit_long;

/*
 * Is the server watched by a tool that makes it slow (setting crm_unit.watched)?
 * Then nothing is said of how long things take.
 */
extern bool unit_watched;

/* What the last CHECK_ERROR caught; all NULL and 0: nothing.  Never NULL. */
extern const ErrorData *unit_error;

/* Says why the test, or what is left of it, is not run. */
extern void unit_skip(const char *reason);

/* A line of diagnosis in the test's output. */
extern void unit_note(const char *format,...) pg_attribute_printf(1, 2);

#define CHECK(condition) \
	unit_check((condition), #condition, __FILE__, __LINE__)

/* Strings; NULL equals NULL only. */
#define CHECK_STR(got, want) \
	unit_check_string((got), (want), #got, __FILE__, __LINE__)

/* The string is there and contains the other. */
#define CHECK_CONTAINS(got, part) \
	unit_check_contains((got), (part), #got, __FILE__, __LINE__)

#define CHECK_INT(got, want) \
	unit_check_integer((got), (want), #got, __FILE__, __LINE__)

/* The statement throws an ERROR with this SQLSTATE ("08006"). */
#define CHECK_ERROR(sqlstate, statement) \
	do { \
		UnitCatch	unit_catch_; \
		unit_catch_begin(&unit_catch_); \
		PG_TRY(); \
		{ \
			statement; \
			unit_catch_nothing(&unit_catch_); \
		} \
		PG_CATCH(); \
		{ \
			unit_catch_error(&unit_catch_); \
		} \
		PG_END_TRY(); \
		unit_check_error((sqlstate), #statement, __FILE__, __LINE__); \
	} while (0)

typedef struct UnitCatch
{
	MemoryContext context;
	ResourceOwner owner;
} UnitCatch;

extern void unit_check(bool passed, const char *what, const char *file, int line);
extern void unit_check_string(const char *got, const char *want, const char *what,
							  const char *file, int line);
extern void unit_check_contains(const char *got, const char *part, const char *what,
								const char *file, int line);
extern void unit_check_integer(int64 got, int64 want, const char *what,
							   const char *file, int line);
extern void unit_check_error(const char *sqlstate, const char *what,
							 const char *file, int line);
extern void unit_catch_begin(UnitCatch *state);
extern void unit_catch_nothing(UnitCatch *state);
extern void unit_catch_error(UnitCatch *state);

#endif							/* UNIT_H */
