/*
 * test/fuzz/fuzz.c
 *	  libFuzzer inside a backend.
 *
 * crm_fuzz(arguments) is libFuzzer's main(), the name of the target coming first.
 * It does not return: libFuzzer ends the process, which is a single-user backend
 * (run.sh) for this one call.
 */
#include "postgres.h"

#include <stdio.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "fuzz.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT Datum crm_fuzz(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(crm_fuzz);

/* libFuzzer's. */
extern int	LLVMFuzzerRunDriver(int *argc, char ***argv,
								int (*run) (const uint8 *data, size_t size));

#define MOST_TARGETS 32

static struct
{
	const char *name;
	FuzzRun		run;
}			targets[MOST_TARGETS];
static int	ntargets = 0;

static FuzzRun chosen;
static MemoryContext scratch;

void
fuzz_register(const char *name, FuzzRun run)
{
	targets[ntargets].name = name;
	targets[ntargets++].run = run;
}

void
fuzz_fail(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

/* An ERROR is an answer, but one that nobody thought of is none. */
static void
judge_error(void)
{
	const char *state = unpack_sql_state(geterrcode());

	if (strncmp(state, "XX", 2) == 0)
	{
		ErrorData  *error = CopyErrorData();

		fprintf(stderr, "internal error: %s %s\n", state, error->message);
		abort();
	}
	FlushErrorState();
}

/* The bytes come in memory of just their size, and a zero byte: as http.c hands them on. */
static int
run_once(const uint8 *data, size_t size)
{
	char	   *copy = malloc(size + 1);

	memcpy(copy, data, size);
	copy[size] = '\0';
	MemoryContextSwitchTo(scratch);
	PG_TRY();
	{
		chosen(copy, size);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(scratch);
		judge_error();
	}
	PG_END_TRY();
	MemoryContextReset(scratch);
	free(copy);
	return 0;
}

static FuzzRun
find_target(const char *name)
{
	for (int i = 0; i < ntargets; i++)
	{
		if (strcmp(targets[i].name, name) == 0)
			return targets[i].run;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there is no fuzz target \"%s\"", name)));
}

Datum
crm_fuzz(PG_FUNCTION_ARGS)
{
	Datum	   *words;
	char	  **argv;
	int			argc;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT,
					  &words, NULL, &argc);
	argv = palloc0(sizeof(char *) * (argc + 1));
	for (int i = 0; i < argc; i++)
		argv[i] = TextDatumGetCString(words[i]);
	chosen = find_target(argv[0]);
	scratch = AllocSetContextCreate(TopMemoryContext, "one input", ALLOCSET_DEFAULT_SIZES);
	LLVMFuzzerRunDriver(&argc, &argv, run_once);
	PG_RETURN_VOID();
}

/* ----------------------------------------------------------- for the targets */

typedef struct FuzzColumn
{
	const char *property;
	const char *member;
	CrmType		type;
	Oid			pgtype;
} FuzzColumn;

static const FuzzColumn columns[] = {
	{"AccountId", NULL, CRM_GUID, UUIDOID},
	{"Name", NULL, CRM_STRING, TEXTOID},
	{"Flag", NULL, CRM_BOOLEAN, BOOLOID},
	{"Short", NULL, CRM_INT16, INT2OID},
	{"Int", NULL, CRM_INT32, INT4OID},
	{"Long", NULL, CRM_INT64, INT8OID},
	{"Exact", NULL, CRM_DECIMAL, NUMERICOID},
	{"Double", NULL, CRM_DOUBLE, FLOAT8OID},
	{"When", NULL, CRM_DATETIME, TIMESTAMPTZOID},
	{"Bytes", NULL, CRM_BINARY, BYTEAOID},
	{"Ref", "Id", CRM_ENTITY_REFERENCE, UUIDOID},
	{"Ref", "Name", CRM_ENTITY_REFERENCE, TEXTOID},
	{"Option", "Value", CRM_OPTION_SET_VALUE, INT4OID},
	{"Money", "Value", CRM_MONEY, NUMERICOID},
	{"Wide", NULL, CRM_INT32, TEXTOID},
	{"Moment", NULL, CRM_DATETIME, TEXTOID}
};

CrmEntity *
fuzz_entity(void)
{
	static CrmEntity *entity = NULL;
	MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);

	if (entity == NULL)
	{
		entity = palloc0(sizeof(CrmEntity));
		entity->name = "Account";
		entity->set = "AccountSet";
		entity->nfields = lengthof(columns);
		entity->fields = palloc0(sizeof(CrmField) * lengthof(columns));
		for (int i = 0; i < lengthof(columns); i++)
		{
			CrmField   *field = &entity->fields[i];

			field->property = pstrdup(columns[i].property);
			field->member = columns[i].member ? pstrdup(columns[i].member) : NULL;
			field->type = columns[i].type;
			field->pgtype = columns[i].pgtype;
			field->pgtypmod = -1;
			field->writable = true;
			crm_field_bind(field, TopMemoryContext);
		}
	}
	MemoryContextSwitchTo(before);
	return entity;
}

bool
fuzz_is_text(const char *data, size_t size)
{
	return pg_verify_mbstr(PG_UTF8, data, (int) size, true);
}

char *
fuzz_string(const char *data, size_t size)
{
	return pnstrdup(data, size);
}
