/*
 * sync/load.h
 *	  Asking for much: several requests under way, the pages in whatever order
 *	  they come.
 */
#ifndef CRM_LOAD_H
#define CRM_LOAD_H

#include "postgres.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "cdms/cdms.h"

/* A range of CreatedOn, from included, to not; -infinity and infinity: no bound. */
typedef struct CrmRange
{
	TimestampTz from;
	TimestampTz to;
} CrmRange;

/* How a load stands. */
typedef struct CrmLoadProgress
{
	int64		objects;		/* that crm_load_next has given */
	double		share;			/* of all ranges of CreatedOn that is there, 0 to 1;
								 * negative: nobody knows */
	int			requests;		/* under way */
} CrmLoadProgress;

/*
 * Lives in the context it was begun in, with a copy of the entity, so that it may
 * outlast a transaction.  The connection must stay.
 */
typedef struct CrmLoad CrmLoad;

/*
 * All objects.  Few come page by page as CDMS gives them; of more, ranges of
 * CreatedOn are read side by side, and the longest is divided when one has come to
 * its end.  No object that is there all the time is left out, whatever is created
 * or deleted meanwhile; none comes twice unless what came before the ranges did.
 * An entity without CreatedOn comes page by page.
 *
 * in_ranges: also where there is but one connection, so that the load can go on
 * later with what crm_load_ranges told.
 */
extern CrmLoad *crm_load_all(CrmConnection *conn, const CrmEntity *entity, bool in_ranges);

/*
 * Does what the load brings fit this description of the entity, value by value?  Types
 * of the same names may be others by now.
 */
extern bool crm_load_fits(const CrmLoad *load, const CrmEntity *entity);

/* Their keys only. */
extern CrmLoad *crm_load_all_keys(CrmConnection *conn, const CrmEntity *entity);

/* The same for what was created in one of these ranges (CrmRange *), or at no time. */
extern CrmLoad *crm_load_rest(CrmConnection *conn, const CrmEntity *entity, List *ranges);

/* Those of n keys, which stay where they are, as few requests as they fit. */
extern CrmLoad *crm_load_keys(CrmConnection *conn, const CrmEntity *entity,
							  const pg_uuid_t *keys, int n);

/*
 * The next page, in the current context; NULL when all came.  Its objects may have
 * more values than the entity has fields.  ERROR when the order that was asked for
 * is not kept.
 */
extern CrmPage *crm_load_next(CrmLoad *load);

/* Ranges (CrmRange *) of which all has come; NIL while it does not go by ranges. */
extern List *crm_load_ranges(CrmLoad *load);

extern void crm_load_tell(CrmLoad *load, CrmLoadProgress *progress);

/*
 * Until crm_load_go_on nothing new is asked for: crm_load_next gives what is under
 * way, then NULL.  So no answer is older than the transaction that takes it.
 */
extern void crm_load_pause(CrmLoad *load);
extern void crm_load_go_on(CrmLoad *load);

/* Gives up what is under way. */
extern void crm_load_end(CrmLoad *load);

#endif							/* CRM_LOAD_H */
