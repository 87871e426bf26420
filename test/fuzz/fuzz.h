/*
 * test/fuzz/fuzz.h
 *	  What a fuzz target is written with.
 *
 * A target is a function of some bytes.  It may end in an ERROR that says
 * something about them; what it must not do is crash, take long, or end in an
 * internal error (SQLSTATE XX...).  Where more can be said about the result it is
 * said with FUZZ_CHECK.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "postgres.h"
#include "compat.h"
#include "cdms/cdms.h"

typedef void (*FuzzRun) (const char *data, size_t size);

/* Called by constructors. */
extern void fuzz_register(const char *name, FuzzRun run);

#define FUZZ_CHECK(condition) \
	do { \
		if (!(condition)) \
			fuzz_fail(#condition, __FILE__, __LINE__); \
	} while (0)

pg_noreturn extern void fuzz_fail(const char *what, const char *file, int line);

/* An account with a field of each type, and what may be beside each other. */
extern CrmEntity *fuzz_entity(void);

/* Are these UTF-8 without a zero byte? */
extern bool fuzz_is_text(const char *data, size_t size);

/* The bytes as a string. */
extern char *fuzz_string(const char *data, size_t size);

/* A value of the type made of bytes, behind which is a zero byte; false: these make none. */
extern bool fuzz_value(Oid type, const char *data, size_t size, Datum *value);

#endif							/* FUZZ_H */
