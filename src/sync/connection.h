/*
 * sync/connection.h
 *	  Connections to CDMS, one for each server and user mapping, kept for the
 *	  session and never shared between identities.
 */
#ifndef CRM_CONNECTION_H
#define CRM_CONNECTION_H

#include "cdms/cdms.h"

/*
 * The connection of this role's user mapping (PUBLIC's where it has none) at a
 * server; nothing is sent yet.  Usable until the end of the transaction, also
 * when server or mapping are altered meanwhile.
 */
extern CrmConnection *crm_connection_get(Oid serverid, Oid userid);

/* Whom CDMS takes this role for; "" where there is no login. */
extern const char *crm_connection_username(Oid serverid, Oid userid);

/* commit_timeout of the server, in milliseconds. */
extern int	crm_connection_commit_timeout(Oid serverid);

/* Brings sync/stats.c's counters up to date; never throws. */
extern void crm_connection_report(void);

extern void crm_connection_at_end(void);
extern void crm_connection_init(void);

#endif							/* CRM_CONNECTION_H */
