/*
 * test/fuzz/target_changes.c
 *	  Answers to change sets: multipart inside multipart.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/uuid.h"

#include "cdms/odata.h"
#include "fuzz.h"

#define CREATED "aaaaaaaa-0000-0000-0000-000000000001"
#define CHANGED "aaaaaaaa-0000-0000-0000-000000000002"
#define REMOVED "aaaaaaaa-0000-0000-0000-000000000003"

static CrmWrite *
make_write(CrmWriteKind kind, const char *key)
{
	CrmWrite   *write = palloc0_object(CrmWrite);

	write->kind = kind;
	write->entity = fuzz_entity();
	write->key = *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(key)));
	write->read_back = kind == CRM_UPDATE;
	write->outcome = CRM_UNSENT;
	write->retry_after = -1;
	return write;
}

static CrmQuery *
read_back(const CrmWrite *write)
{
	CrmQuery   *query = palloc0_object(CrmQuery);

	query->entity = write->entity;
	query->filter = crm_condition_keys(write->entity, &write->key, 1);
	query->fields = bms_make_singleton(1);
	return query;
}

/* What was made is the object that was written; what was not done says why. */
static void
check_write(const CrmWrite *write)
{
	bool		failed = write->outcome == CRM_REFUSED || write->outcome == CRM_UNKNOWN;

	FUZZ_CHECK(failed == (write->error != NULL));
	FUZZ_CHECK(write->made == NULL || memcmp(&write->made->key, &write->key, UUID_LEN) == 0);
	FUZZ_CHECK(write->made == NULL || write->outcome == CRM_DONE);
	FUZZ_CHECK(!write->not_done || write->outcome != CRM_DONE);
	if (failed)
		FUZZ_CHECK(fuzz_is_text(write->error->message, strlen(write->error->message)));
}

/*
 * The first byte chooses the format, and whether the change was to be read back (a
 * small letter); the first line is the media type, what follows is the body.
 */
static void
judge_changes(const char *data, size_t size)
{
	const char *end = size > 0 ? memchr(data, '\n', size) : NULL;
	CrmConnection conn = {.server_name = "fuzz",.root = "http://crm.example.org/Org"};
	CrmHttpResponse response = {.status = 202,.retry_after = -1};
	List	   *writes = list_make3(make_write(CRM_CREATE, CREATED),
									make_write(CRM_UPDATE, CHANGED),
									make_write(CRM_REMOVE, REMOVED));
	CrmWrite   *created = linitial(writes);
	CrmWrite   *changed = lsecond(writes);
	List	   *queries = NIL;
	ListCell   *cell;

	if (end == NULL)
		return;
	conn.format = pg_ascii_tolower(data[0]) == 'a' ? CRM_FORMAT_ATOM : CRM_FORMAT_JSON;
	if (data[0] >= 'a')
	{
		changed->query = read_back(changed);
		queries = list_make1(unconstify(CrmQuery *, changed->query));
	}
	response.content_type = fuzz_string(data + 1, end - data - 1);
	response.body = unconstify(char *, end + 1);
	response.body_length = data + size - response.body;

	PG_TRY();
	{
		crm_odata_judge_batch(&conn, writes, queries, &response);
		crm_odata_read_made(&conn, writes);
		FUZZ_CHECK(created->outcome != CRM_DONE || created->made != NULL);
	}
	PG_FINALLY();
	{
		foreach(cell, writes)
			check_write(lfirst(cell));
	}
	PG_END_TRY();
}

static void __attribute__((constructor))
fuzz_register_changes(void)
{
	fuzz_register("changes", judge_changes);
}
