/*
 * sync/store.h
 *	  The store: the CRM's own copy of an entity.
 */
#ifndef CRM_STORE_H
#define CRM_STORE_H

#include "postgres.h"
#include "utils/hsearch.h"
#include "utils/uuid.h"

#include "cdms/cdms.h"
#include "sync/statement.h"
#include "sync/table.h"

/* A set of keys, with room for a row each. */
typedef struct CrmStoreRow
{
	pg_uuid_t	key;			/* hash key */
	Datum	   *values;			/* by index of entity.fields */
	bool	   *nulls;
	ItemPointerData version;	/* where it stands */
} CrmStoreRow;

/*
 * Statements on one store, planned when first needed, and again when the lock that they
 * were planned under may be gone (crm_statement_is_locked).  Lives in the context it
 * was made in, until the end of the statement or transaction at most.
 */
typedef struct CrmStore
{
	CrmTable   *table;
	MemoryContext memory;
	CrmStatement *read;
	CrmStatement *lock;
	TupleDesc	shape;			/* of rows to be written: f0 ... by index of
								 * entity.fields, and version */
	CrmStatement *insert;
	CrmStatement *update;
	CrmStatement *delete;
} CrmStore;

extern CrmStore *crm_store_open(CrmTable *table);

/* The mapped columns of those of n keys that the store has: a hash of CrmStoreRow. */
extern HTAB *crm_store_rows(CrmStore *store, const pg_uuid_t *keys, int n);

/*
 * The key in a row of the store's, an attribute of this number.  ERROR 23502 when it
 * is null: a store's owner may have taken the constraint away.
 */
extern const pg_uuid_t *crm_store_key(TupleTableSlot *slot, int attnum);
extern const pg_uuid_t *crm_store_key_value(Datum key, bool isnull);

/*
 * Locks those rows of n keys that nobody else has locked.  Result: a hash of their
 * keys.
 */
extern HTAB *crm_store_lock(CrmStore *store, const pg_uuid_t *keys, int n);

/* Locks the row of this key; false: somebody else has.  True also when there is none. */
extern bool crm_store_lock_if_there(CrmStore *store, const pg_uuid_t *key);

/* An empty hash of CrmStoreRow or of anything else that begins with a key. */
extern HTAB *crm_key_hash(const char *name, Size entry_size);

/*
 * Writes what came from CDMS, all at once: history says so, nothing of it is
 * pushed.  No two of the objects (CrmObject *) have the same key.  The keys of
 * those written are added to written.
 * crm_store_insert: the others have a row already.
 * crm_store_update: the others have another version by now than that in versions
 * (a hash of CrmStoreRow).
 */
extern void crm_store_insert(CrmStore *store, List *objects, HTAB *written);
extern void crm_store_update(CrmStore *store, List *objects, HTAB *versions, HTAB *written);
extern bool crm_store_delete(CrmStore *store, const pg_uuid_t *key);

/*
 * For the trigger: is the row of this store and key that is being written one
 * that came from CDMS?  *actor: who changed it there; NULL: not known.
 */
extern bool crm_store_is_pulling(Oid store, const pg_uuid_t *key, const char **actor);

/* Are two values of a column the same, to the letter (numerics: by value)? */
extern bool crm_value_equal(Oid type, Datum a, bool a_null, Datum b, bool b_null);

/* The store's column as the foreign table's type: "name" or "name"::type. */
extern char *crm_store_column_sql(CrmTable *table, const CrmColumn *column);

/* The same as an expression over the store as relation 1. */
extern Node *crm_store_column_expr(CrmTable *table, const CrmColumn *column);

#endif							/* CRM_STORE_H */
