/*
 * sync/asked.c
 *	  The memory of pulling: what need not be asked again, what must not change
 *	  once it was answered, and what the view crm_sync.status tells.
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "sync/asked.h"

#define RECENT_OBJECTS 1000		/* remembered as just got; more are got again.
								 * All where answers must repeat */

/* A question asked, and on whose behalf. */
typedef struct Question
{
	MemoryContext statement;
	SubTransactionId subtransaction;	/* what it stored goes with this one */
	Oid			table;
	char	   *text;
} Question;

/* The overlay of a table, for a statement or, as with questions, a transaction. */
typedef struct StatementOverlay
{
	MemoryContext statement;
	Oid			table;
	CrmOverlay *overlay;
} StatementOverlay;

/* An object got from CDMS in this transaction. */
typedef struct RecentKey
{
	pg_uuid_t	key;
	Oid			store;
} RecentKey;

typedef struct Recent
{
	RecentKey	key;			/* hash key */
	TimestampTz at;
	SubTransactionId subtransaction;
} Recent;

/* How the last pull of a table ended in this session. */
typedef struct LastPull
{
	Oid			table;			/* hash key */
	TimestampTz at;				/* 0: none has succeeded */
	char		error[256];		/* "": none, or none since */
} LastPull;

static List *questions = NIL;	/* of Question */
static List *overlays = NIL;	/* of StatementOverlay */
static HTAB *recent = NULL;		/* in TopTransactionContext */
static HTAB *last_pulls = NULL;

/* ------------------------------------------------- once in a statement */

static void
free_question(Question *question)
{
	pfree(question->text);
	pfree(question);
}

static void
forget_statement(void *arg)
{
	ListCell   *lc;

	foreach(lc, questions)
	{
		Question   *question = lfirst(lc);

		if (question->statement == arg)
		{
			questions = foreach_delete_current(questions, lc);
			free_question(question);
		}
	}
	foreach(lc, overlays)
	{
		StatementOverlay *entry = lfirst(lc);

		if (entry->statement == arg)
		{
			overlays = foreach_delete_current(overlays, lc);
			pfree(entry);
		}
	}
}

/* Something is kept for a statement: it goes with it. */
static void
watch_statement(MemoryContext statement)
{
	MemoryContextCallback *callback = MemoryContextAlloc(statement, sizeof(MemoryContextCallback));

	callback->func = forget_statement;
	callback->arg = statement;
	MemoryContextRegisterResetCallback(statement, callback);
}

/* Under REPEATABLE READ and above an answer holds for the transaction. */
static MemoryContext
scope_of(MemoryContext statement)
{
	return IsolationUsesXactSnapshot() ? TopTransactionContext : statement;
}

CrmOverlay *
crm_asked_overlay(CrmTable *table, MemoryContext statement)
{
	MemoryContext scope = scope_of(statement);
	StatementOverlay *entry;
	MemoryContext before;
	ListCell   *lc;

	foreach(lc, overlays)
	{
		entry = lfirst(lc);
		if (entry->statement == scope && entry->table == table->relid)
			return entry->overlay;
	}
	before = MemoryContextSwitchTo(TopMemoryContext);
	entry = palloc_object(StatementOverlay);
	entry->statement = scope;
	entry->table = table->relid;
	entry->overlay = crm_overlay_make(table, scope);
	overlays = lappend(overlays, entry);
	MemoryContextSwitchTo(before);
	watch_statement(scope);
	return entry->overlay;
}

bool
crm_asked_before(MemoryContext statement, Oid table, const char *text)
{
	MemoryContext before;
	Question   *question;
	ListCell   *lc;

	statement = scope_of(statement);
	foreach(lc, questions)
	{
		question = lfirst(lc);
		if (question->statement == statement && question->table == table &&
			strcmp(question->text, text) == 0)
			return true;
	}

	before = MemoryContextSwitchTo(TopMemoryContext);
	question = palloc_object(Question);
	question->statement = statement;
	question->subtransaction = GetCurrentSubTransactionId();
	question->table = table;
	question->text = pstrdup(text);
	questions = lappend(questions, question);
	MemoryContextSwitchTo(before);
	watch_statement(statement);
	return false;
}

/* ------------------------------------------------------ what is fresh */

void
crm_asked_note(CrmTable *table, const CrmObject *objects, int n, TimestampTz now)
{
	HASHCTL		ctl = {
		.keysize = sizeof(RecentKey),.entrysize = sizeof(Recent),.hcxt = TopTransactionContext
	};

	if (recent == NULL)
		recent = hash_create("crm_sync recent objects", 64, &ctl,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < n; i++)
	{
		RecentKey	key;
		Recent	   *entry;

		if (hash_get_num_entries(recent) >= RECENT_OBJECTS && !IsolationUsesXactSnapshot())
			break;
		memset(&key, 0, sizeof(key));
		key.key = objects[i].key;
		key.store = table->store;
		entry = hash_search(recent, &key, HASH_ENTER, NULL);
		entry->at = now;
		entry->subtransaction = GetCurrentSubTransactionId();
	}
}

static Recent *
find_recent(Oid store, const pg_uuid_t *key)
{
	RecentKey	wanted;

	if (recent == NULL)
		return NULL;
	memset(&wanted, 0, sizeof(wanted));
	wanted.key = *key;
	wanted.store = store;
	return hash_search(recent, &wanted, HASH_FIND, NULL);
}

void
crm_asked_not_stored(Oid store, const pg_uuid_t *key)
{
	Recent	   *entry = find_recent(store, key);

	if (entry)
		entry->at = 0;
}

bool
crm_asked_is_overlaid(Oid store, const pg_uuid_t *key)
{
	ListCell   *lc;

	foreach(lc, IsolationUsesXactSnapshot() ? overlays : NIL)
		if (crm_overlay_has(((StatementOverlay *) lfirst(lc))->overlay, store, key))
			return true;
	return false;
}

bool
crm_asked_recently(Oid store, const pg_uuid_t *key)
{
	Recent	   *entry = find_recent(store, key);

	return entry && !TimestampDifferenceExceeds(entry->at, GetCurrentTimestamp(), 1000);
}

int
crm_asked_drop_repeated(CrmTable *table, CrmObject *objects, int n)
{
	int			kept = 0;

	if (!IsolationUsesXactSnapshot())
		return n;
	for (int i = 0; i < n; i++)
		if (find_recent(table->store, &objects[i].key) == NULL)
			objects[kept++] = objects[i];
	return kept;
}

static LastPull *
last_pull(Oid table)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(LastPull)};
	LastPull   *entry;
	bool		found;

	if (last_pulls == NULL)
		last_pulls = hash_create("crm_sync last pulls", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	entry = hash_search(last_pulls, &table, HASH_ENTER, &found);
	if (!found)
	{
		entry->at = 0;
		entry->error[0] = '\0';
	}
	return entry;
}

void
crm_asked_succeeded(Oid table)
{
	LastPull   *entry = last_pull(table);

	entry->at = GetCurrentTimestamp();
	entry->error[0] = '\0';
}

void
crm_asked_failed(Oid table, MemoryContext memory)
{
	ErrorData  *error;
	LastPull   *entry;
	int			length;

	MemoryContextSwitchTo(memory);
	error = CopyErrorData();
	entry = last_pull(table);
	length = pg_mbcliplen(error->message, strlen(error->message), sizeof(entry->error) - 1);
	memcpy(entry->error, error->message, length);
	entry->error[length] = '\0';
}

TimestampTz
crm_asked_last(Oid foreign_table, const char **error)
{
	LastPull   *entry = last_pull(foreign_table);

	*error = entry->error;
	return entry->at;
}

void
crm_asked_at_end(void)
{
	recent = NULL;				/* its memory goes with the transaction */
}

/*
 * What a subtransaction stored goes with it: that must be asked again.  Ids only
 * grow, and while a subtransaction ends nothing newer than its children exists.
 */
void
crm_asked_at_subabort(SubTransactionId aborted)
{
	HASH_SEQ_STATUS scan;
	Recent	   *entry;
	ListCell   *lc;

	foreach(lc, questions)
	{
		Question   *question = lfirst(lc);

		if (question->subtransaction >= aborted)
		{
			questions = foreach_delete_current(questions, lc);
			free_question(question);
		}
	}
	if (recent == NULL)
		return;
	hash_seq_init(&scan, recent);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->subtransaction >= aborted)
			hash_search(recent, &entry->key, HASH_REMOVE, NULL);
}
