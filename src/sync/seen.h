/*
 * sync/seen.h
 *	  The keys that CDMS answered with, however many: sorted, within work_mem.
 */
#ifndef CRM_SEEN_H
#define CRM_SEEN_H

#include "postgres.h"
#include "utils/uuid.h"

#include "cdms/cdms.h"

/* Lives in the context it was made in, until the end of the subtransaction at most. */
typedef struct CrmSeen CrmSeen;

extern CrmSeen *crm_seen_begin(void);
extern void crm_seen_add(CrmSeen *seen, const CrmPage *page);

/*
 * Is this key among them?  Once it was asked nothing can be added, and keys must be
 * asked for in ascending order.
 */
extern bool crm_seen_has(CrmSeen *seen, const pg_uuid_t *key);
extern void crm_seen_end(CrmSeen *seen);

#endif							/* CRM_SEEN_H */
