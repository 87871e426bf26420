/*
 * sync/version.h
 *	  Versions of catalog rows: what is remembered of an object is void once the
 *	  object was altered.
 */
#ifndef CRM_VERSION_H
#define CRM_VERSION_H

#include "postgres.h"
#include "access/htup.h"

/*
 * Makes the version of a row of a system cache part of a hash, and releases the
 * row.  No row: the hash stays as it is.
 */
extern void crm_version_add(uint64 *hash, HeapTuple row);

/* The same for a server and a user mapping. */
extern void crm_version_add_identity(uint64 *hash, Oid serverid, Oid umid);

#endif							/* CRM_VERSION_H */
