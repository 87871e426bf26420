/*
 * rights.h
 *	  Acting as another role, with nothing of the current user's in its way.
 */
#ifndef CRM_RIGHTS_H
#define CRM_RIGHTS_H

#include "postgres.h"

/* Who acted before. */
typedef struct CrmRights
{
	Oid			user;
	int			security;
	int			level;			/* of settings */
} CrmRights;

/*
 * From here on the role is the current user.  What of its code runs now, because of
 * somebody else, runs with search_path "pg_catalog, pg_temp": through his own he
 * could have it call what is his, with the role's rights.  Unless it is him who has
 * logged in, the operation is also security-restricted: no role or setting outlasts
 * it, nor is anything left to be done when whoever SET ROLE is himself again.
 *
 * An ERROR that ends a (sub)transaction restores all by itself.
 */
extern void crm_rights_take(CrmRights *former, Oid role);
extern void crm_rights_give_back(const CrmRights *former);

#endif							/* CRM_RIGHTS_H */
