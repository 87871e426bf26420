/*
 * sync/refusals.h
 *	  Logins that were refused lately, known to all sessions of the cluster where the
 *	  library is preloaded: a pool of sessions must not lock somebody's account.
 */
#ifndef CRM_REFUSALS_H
#define CRM_REFUSALS_H

#include "postgres.h"

#include "cdms/login.h"

/* NULL: the library is not preloaded, each session knows its own only. */
extern const CrmRefusals *crm_refusals(void);

#endif							/* CRM_REFUSALS_H */
