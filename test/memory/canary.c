/*
 * canary.c
 *	  Mistakes with memory and numbers, for the tools that look for such: each of
 *	  these is reported, or the silence of the tests means nothing.
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;

#define MISTAKE(name) \
	extern __attribute__((visibility("default"))) Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name); \
	Datum name(PG_FUNCTION_ARGS)

/* Keeps the compiler from seeing through it. */
static volatile int zero = 0;
static volatile int seen;

MISTAKE(beyond_malloc)
{
	char	   *piece = malloc(8);

	seen = piece[8 + zero];
	free(piece);
	PG_RETURN_VOID();
}

MISTAKE(int_overflow)
{
	int			most = PG_INT32_MAX - zero;

	seen = most + 1;
	PG_RETURN_VOID();
}

MISTAKE(beyond_palloc)
{
	char	   *piece = palloc(8);

	seen = piece[8 + zero];
	PG_RETURN_VOID();
}

MISTAKE(after_pfree)
{
	char	   *piece = palloc0(8);

	pfree(piece);
	seen = piece[zero];
	PG_RETURN_VOID();
}

MISTAKE(never_set)
{
	char	   *piece = palloc(8);

	if (piece[zero] == 'x')
		seen = 1;
	PG_RETURN_VOID();
}
