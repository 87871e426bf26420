/*
 * sync/table.h
 *	  What a foreign table of crm_sync is made of: its entity, its columns' ways
 *	  to CDMS, its store.
 */
#ifndef CRM_TABLE_H
#define CRM_TABLE_H

#include "postgres.h"
#include "access/attnum.h"
#include "nodes/primnodes.h"
#include "utils/relcache.h"

#include "cdms/cdms.h"
#include "compat.h"

typedef enum CrmOnMissing
{
	CRM_MISSING_CREATE,
	CRM_MISSING_DELETE,
	CRM_MISSING_IGNORE
} CrmOnMissing;

/* Who may give a column its value. */
typedef enum CrmWritable
{
	CRM_WRITABLE,
	CRM_SET_BY_CDMS,			/* 428C9 */
	CRM_NOT_OVER_ODATA			/* 0A000: StateCode, OwnerId */
} CrmWritable;

typedef struct CrmColumn
{
	char	   *name;
	AttrNumber	attnum;			/* in the foreign table */
	AttrNumber	store_attnum;	/* in the store; 0: it has no such column */
	Oid			store_type;		/* there */
	Oid			type;
	int32		typmod;
	Oid			collation;
	int			field;			/* index in entity.fields; -1: the CRM's own */
	CrmWritable writable;
	char	   *constant;		/* sent with every write of the object; NULL: none */
} CrmColumn;

typedef struct CrmTable
{
	Oid			relid;
	Oid			serverid;
	Oid			owner;			/* with whose rights and mapping it is pulled */
	char	   *name;			/* qualified, for messages */
	char	   *store_option;	/* NULL: pass-through */
	Oid			store;			/* InvalidOid also when it is not there */
	bool		captured;		/* the store has crm_sync's trigger */
	char	   *store_name;		/* qualified and quoted, for SQL */
	CrmOnMissing on_missing;
	bool		updatable;
	bool		queued;			/* writes wait for a worker, or for push() */
	bool		local_when_away;	/* reads serve the store when CDMS is not
									 * reached */
	CrmEntity	entity;
	int			ncolumns;
	CrmColumn  *columns;		/* those not dropped, in attnum order */
	CrmColumn  *key;
	int			actor_field;	/* field that names who modified an object; -1 */
	int			modified_field; /* field of ModifiedOn; -1 */
	int			version_field;	/* field of VersionNumber, to ask for changes by; -1:
								 * none, or there is ModifiedOn */
	int			overlap;		/* milliseconds that a window of changes reaches
								 * back */
	int			max_age;		/* milliseconds that an answer may be old; 0: asked
								 * each time */
	uint64		meaning;		/* sync/age.c's; 0: not worked out yet */

	bool		version_refused;	/* CDMS does not filter by VersionNumber */

	/* the cache's own */
	bool		valid;
	MemoryContext memory;
} CrmTable;

/*
 * The description of a foreign table; valid until the end of the transaction,
 * whatever is altered meanwhile.  ERROR 42809 when it is not a foreign table of
 * crm_sync, HV-class when its options don't fit together.
 */
extern CrmTable *crm_table_get(Oid foreign_table);

/* The same; NULL for any other relation than a synchronised table whose store is there. */
extern CrmTable *crm_table_synchronised(Oid relid);

/* Owner of a relation; InvalidOid: it is gone.  A store has that of its foreign table. */
extern Oid	crm_relation_owner(Oid relid);

/* The synchronised table that this store belongs to; NULL when there is none. */
extern CrmTable *crm_table_of_store(Oid store);

/*
 * Is it the store of a table with this one's owner and server?  Found out without
 * describing other tables, for that may run code of their owners'.
 */
extern bool crm_table_is_beside(const CrmTable *table, Oid store);

/* ERROR when the table names a store that is not there. */
extern void crm_table_check(CrmTable *table);

/* The same ERROR when the store's table knows it by a name or owner it had before. */
extern void crm_table_check_store(Oid store);

/* ERROR unless the table has a store and both sides have the same columns. */
extern void crm_table_require_store(CrmTable *table);

/* By its options, whatever state it is in: a store, and no "updatable" of false? */
extern bool crm_table_says_updatable(Oid relid);

/* ERROR when its option "updatable" is false: nothing but GETs leaves. */
extern void crm_table_require_updatable(CrmTable *table);

/*
 * ERROR 55006 when columns of the table or the store were altered since it was
 * described, by another session or by code of the owner's that ran meanwhile.  Whoever
 * calls it has the store locked.
 */
extern void crm_table_check_unaltered(const CrmTable *table);

/* The same for Vars (varno 1) that somebody made for the store's columns. */
extern void crm_table_check_vars(const CrmTable *table, List *quals);
pg_noreturn extern void crm_table_throw_altered(const CrmTable *table);

/* ERROR 42501 unless the current user owns the foreign table. */
extern void crm_table_require_owner(CrmTable *table);

/*
 * The same, and then the description: nothing of the owner's runs for somebody who may
 * not ask for it.
 */
extern CrmTable *crm_table_get_own(Oid foreign_table);

/* The column of this attribute number; NULL for system columns. */
extern CrmColumn *crm_table_column(CrmTable *table, AttrNumber attnum);

/*
 * The column that a plan means; the plan may be older than the description.  ERROR 55006
 * when the column was dropped or, where the plan says what type it took it for, has
 * another by now.
 */
extern CrmColumn *crm_table_planned_column(CrmTable *table, AttrNumber attnum);
extern CrmColumn *crm_table_var_column(CrmTable *table, const Var *var);

/*
 * The value of its option "constant"; an ERROR where it is none.  Runs the checks of a
 * domain, hence not before it is wanted: who only looks at the table waits for no code.
 */
extern Datum crm_table_constant(const CrmTable *table, const CrmColumn *column);

extern CrmColumn *crm_table_column_by_name(CrmTable *table, const char *name);

/* Oids of all foreign tables of crm_sync that name a store. */
extern List *crm_table_all_synchronised(void);

/* Frees what was altered or dropped meanwhile; at the end of a transaction. */
extern void crm_table_at_end(void);
extern void crm_table_init(void);

#endif							/* CRM_TABLE_H */
