/*
 * rights.c
 *	  Acting as another role.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"

#include "rights.h"

void
crm_rights_take(CrmRights *former, Oid role)
{
	GetUserIdAndSecContext(&former->user, &former->security);
	former->level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	SetUserIdAndSecContext(role, former->security | SECURITY_LOCAL_USERID_CHANGE |
						   (role == former->user && role == GetSessionUserId() ? 0 :
							SECURITY_RESTRICTED_OPERATION));
}

void
crm_rights_give_back(const CrmRights *former)
{
	SetUserIdAndSecContext(former->user, former->security);
	AtEOXact_GUC(false, former->level);
}
