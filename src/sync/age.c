/*
 * sync/age.c
 *	  What is known of moments, and whether one is good enough.
 *
 * This transaction's moments are kept beside it: each goes with the
 * subtransaction that stored what came.  At COMMIT they join those that are
 * remembered.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_foreign_table.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "nodes/nodes.h"
#include "optimizer/optimizer.h"
#include "storage/lmgr.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "sync/age.h"
#include "sync/asked.h"
#include "sync/moments.h"
#include "sync/shared.h"
#include "sync/version.h"

#define SESSION_SETS 512		/* 4,096 moments, 160 kB */
#define CLUSTER_SETS 4096		/* 32,768 moments, 1.3 MB */
#define CLUSTER_LOCKS 64
#define PENDING_MOMENTS 10000	/* of a transaction; more are asked again.  All
								 * where answers must repeat */

/* Kinds of questions: where their hashes begin. */
enum
{
	QUESTION_WHOLE = 1,
	QUESTION_KEY,
	QUESTION_CONDITIONS
};

/* A moment of this transaction. */
typedef struct Pending
{
	CrmMomentKey key;			/* hash key */
	int64		asked;
	SubTransactionId subtransaction;
	bool		publish;		/* at COMMIT */
} Pending;

/* What a moment must be like to be of use. */
typedef struct Look
{
	CrmMomentKey key;
	int64		since;			/* asked then or later */
	TimestampTz published_before;
	int64		found;			/* the last moment found, and where */
	CrmAnswer	answer;
} Look;

/* What has been published: by all sessions of the cluster, or by this one. */
static CrmMoments published;	/* slots: NULL until there is a moment to keep */
static bool is_shared = false;
static HTAB *pending = NULL;	/* in TopTransactionContext */

static Size
cluster_size(void)
{
	return crm_moments_size(CLUSTER_SETS);
}

static void
attach_cluster(void *memory, LWLockPadded *locks)
{
	published.nsets = CLUSTER_SETS;
	published.slots = memory;
	published.nlocks = CLUSTER_LOCKS;
	published.locks = locks;
	is_shared = true;
}

const CrmSharedPart crm_age_part = {
	.name = "CrmSyncMoments",.nlocks = CLUSTER_LOCKS,.size = cluster_size,.attach = attach_cluster
};

/* ------------------------------------------------------- the question */

/*
 * All that an answer's meaning hangs on: whoever alters the server, the owner's
 * user mapping, the foreign table or a column of it, or rewrites the store, makes
 * a new row in a catalog.
 */
static uint64
meaning_of(CrmTable *table)
{
	uint64		meaning = hash_combine64(table->owner, table->store);
	HeapTuple	mapping = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(table->owner),
										  ObjectIdGetDatum(table->serverid));

	if (!HeapTupleIsValid(mapping))
		mapping = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
								  ObjectIdGetDatum(table->serverid));
	crm_version_add(&meaning, mapping);
	crm_version_add(&meaning, SearchSysCache1(FOREIGNSERVEROID, ObjectIdGetDatum(table->serverid)));
	crm_version_add(&meaning, SearchSysCache1(FOREIGNTABLEREL, ObjectIdGetDatum(table->relid)));
	crm_version_add(&meaning, SearchSysCache1(RELOID, ObjectIdGetDatum(table->relid)));
	crm_version_add(&meaning, SearchSysCache1(RELOID, ObjectIdGetDatum(table->store)));
	for (int i = 0; i < table->ncolumns; i++)
	{
		CrmColumn  *column = &table->columns[i];

		crm_version_add(&meaning, SearchSysCache2(ATTNUM, ObjectIdGetDatum(table->relid),
												  Int16GetDatum(column->attnum)));
		meaning = hash_combine64(meaning, column->store_attnum);
	}
	return meaning == 0 ? 1 : meaning;
}

static CrmMomentKey
key_for(CrmTable *table)
{
	CrmMomentKey key = {.database = MyDatabaseId,.table = table->relid};

	if (table->meaning == 0)
		table->meaning = meaning_of(table);
	key.meaning = table->meaning;
	return key;
}

static uint64
hash_key(const pg_uuid_t *key)
{
	return hash_bytes_extended(key->data, UUID_LEN, QUESTION_KEY);
}

/*
 * Conditions as text, less where in the statement they stood.  (No value can look
 * like the label: constants are written as bytes.)
 */
static uint64
hash_conditions(List *quals)
{
	static const char label[] = " :location ";
	char	   *text = nodeToString(quals);
	char	   *from;
	char	   *to = text;

	for (from = text; *from;)
	{
		if (strncmp(from, label, sizeof(label) - 1) == 0)
		{
			from += sizeof(label) - 1;
			from += strspn(from, "-0123456789");
		}
		else
			*to++ = *from++;
	}
	return hash_bytes_extended((unsigned char *) text, to - text, QUESTION_CONDITIONS);
}

/* Of conditions with current_user, a setting or now() in them, each asker means another. */
static bool
have_one_meaning(const CrmAsk *ask)
{
	return !contain_mutable_functions((Node *) ask->quals);
}

/* ------------------------------------------------ is it known, and new */

static bool
is_pending(Look *look)
{
	Pending    *entry = pending ? hash_search(pending, &look->key, HASH_FIND, NULL) : NULL;

	if (entry == NULL || entry->asked < look->since)
		return false;
	look->found = entry->asked;
	look->answer = CRM_ANSWER_SESSION;
	return true;
}

static bool
is_published(Look *look)
{
	CrmMoment	moment;

	if (published.slots == NULL)
		return false;
	moment = crm_moments_find(&published, &look->key);
	if (moment.asked < look->since || moment.published >= look->published_before)
		return false;
	look->found = moment.asked;
	look->answer = is_shared ? CRM_ANSWER_CLUSTER : CRM_ANSWER_SESSION;
	return true;
}

static bool
is_known(Look *look, uint64 question)
{
	look->key.question = question;
	return is_pending(look) || is_published(look);
}

/*
 * Under REPEATABLE READ the age is that at the transaction's beginning, so that
 * it does not run out on the way; and what was published since is not visible.
 */
static Look
begin_look(CrmTable *table)
{
	Look		look = {key_for(table)};
	int64		now = crm_moments_clock();

	look.published_before = DT_NOEND;
	if (IsolationUsesXactSnapshot())
	{
		look.published_before = GetCurrentTransactionStartTimestamp();
		now -= Max(0, GetCurrentTimestamp() - look.published_before);
	}
	look.since = Max(1, now - table->max_age * INT64CONST(1000));
	return look;
}

static void
remember(const CrmMomentKey *key, int64 asked, bool publish)
{
	HASHCTL		ctl = {
		.keysize = sizeof(CrmMomentKey),.entrysize = sizeof(Pending),.hcxt = TopTransactionContext
	};
	Pending    *entry;

	if (pending == NULL)
		pending = hash_create("crm_sync pending moments", 64, &ctl,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	if (hash_get_num_entries(pending) >= PENDING_MOMENTS && !IsolationUsesXactSnapshot())
		return;
	entry = hash_search(pending, key, HASH_ENTER, NULL);
	entry->asked = asked;
	entry->subtransaction = GetCurrentSubTransactionId();
	entry->publish = publish;
}

/* The answers given in this transaction by these keys, or for all, must repeat. */
static void
repeat_from_here(CrmTable *table, const CrmAsk *ask, Look *look, bool whole)
{
	CrmObject	object = {0};

	if (whole)
	{
		remember(&look->key, look->found, false);
		return;
	}
	for (int i = 0; i < ask->nkeys; i++)
	{
		object.key = ask->keys[i];
		look->key.question = hash_key(&ask->keys[i]);
		remember(&look->key, look->found, false);
		crm_asked_note(table, &object, 1, 0);
	}
}

static bool
are_keys_known(Look *look, const CrmAsk *ask)
{
	for (int i = 0; i < ask->nkeys; i++)
		if (!is_known(look, hash_key(&ask->keys[i])))
			return false;
	return true;
}

/*
 * Where answers must repeat, conditions that another transaction asked by are of
 * no use: which objects the answer was about is not known, so nothing could keep
 * them as they were.
 */
static bool
are_conditions_known(Look *look, const CrmAsk *ask)
{
	if (!have_one_meaning(ask))
		return false;
	look->key.question = hash_conditions(ask->quals);
	return is_pending(look) || (!IsolationUsesXactSnapshot() && is_published(look));
}

bool
crm_age_within(CrmTable *table, const CrmAsk *ask, CrmAnswer *answer)
{
	Look		look;
	bool		whole;

	if (table->max_age == 0)
		return false;
	look = begin_look(table);
	whole = is_known(&look, QUESTION_WHOLE);
	if (!whole && !(ask->by_key ? are_keys_known(&look, ask) : are_conditions_known(&look, ask)))
		return false;
	if (IsolationUsesXactSnapshot() && (whole || ask->by_key))
		repeat_from_here(table, ask, &look, whole);
	*answer = look.answer;
	return true;
}

bool
crm_age_whole_within(CrmTable *table, CrmAnswer *answer)
{
	Look		look;

	if (table->max_age == 0 || IsolationUsesXactSnapshot())
		return false;
	look = begin_look(table);
	if (!is_known(&look, QUESTION_WHOLE))
		return false;
	*answer = look.answer;
	return true;
}

/* ---------------------------------------------------- what was asked */

/* The session's own memory; made before the COMMIT, which must not fail. */
static void
prepare_memory(void)
{
	if (published.slots)
		return;
	published.slots = MemoryContextAllocZero(TopMemoryContext, crm_moments_size(SESSION_SETS));
	published.nsets = SESSION_SETS;
}

/* From here on the answer has the meaning that the question has now. */
int64
crm_age_begin(CrmTable *table)
{
	(void) key_for(table);
	return crm_moments_clock();
}

/*
 * Under REPEATABLE READ an answer was compared with the store as it was when the
 * transaction began: what it says of the store as it is, is for this transaction
 * only.
 */
void
crm_age_note(CrmTable *table, const CrmAsk *ask, bool whole, int64 asked)
{
	CrmMomentKey key;
	bool		publish = !IsolationUsesXactSnapshot();

	if (table->max_age == 0 || (!whole && !ask->by_key && !have_one_meaning(ask)))
		return;
	prepare_memory();
	key = key_for(table);
	if (whole || !ask->by_key)
	{
		key.question = whole ? QUESTION_WHOLE : hash_conditions(ask->quals);
		remember(&key, asked, publish);
		return;
	}
	for (int i = 0; i < ask->nkeys; i++)
	{
		key.question = hash_key(&ask->keys[i]);
		remember(&key, asked, publish);
	}
}

/*
 * The table's row in its catalog is written anew, with nothing changed: so the
 * same questions have another meaning, for whoever sees that row.
 */
void
crm_age_void(Oid foreign_table)
{
	Relation	catalog;
	HeapTuple	row;

	if (pending)
		hash_destroy(pending);
	pending = NULL;
	LockRelationOid(foreign_table, ShareUpdateExclusiveLock);
	catalog = table_open(ForeignTableRelationId, RowExclusiveLock);
	row = SearchSysCacheCopy1(FOREIGNTABLEREL, ObjectIdGetDatum(foreign_table));
	if (HeapTupleIsValid(row) &&
		!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->t_data)))
		CatalogTupleUpdate(catalog, &row->t_self, row);
	table_close(catalog, RowExclusiveLock);
	CommandCounterIncrement();
}

/* Nothing here may throw. */
void
crm_age_at_commit(void)
{
	CrmMoment	moment = {.published = GetCurrentTimestamp()};
	HASH_SEQ_STATUS scan;
	Pending    *entry;

	if (pending == NULL)
		return;
	hash_seq_init(&scan, pending);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->publish)
		{
			moment.asked = entry->asked;
			crm_moments_put(&published, &entry->key, &moment);
		}
}

void
crm_age_at_end(void)
{
	pending = NULL;				/* its memory goes with the transaction */
}

void
crm_age_at_subabort(SubTransactionId aborted)
{
	HASH_SEQ_STATUS scan;
	Pending    *entry;

	if (pending == NULL)
		return;
	hash_seq_init(&scan, pending);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->subtransaction >= aborted)
			hash_search(pending, &entry->key, HASH_REMOVE, NULL);
}
