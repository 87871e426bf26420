/*
 * sync/version.c
 *	  Versions of catalog rows.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "common/hashfn.h"
#include "utils/syscache.h"

#include "sync/version.h"

/* No other version has stood in the row's place since that transaction. */
void
crm_version_add(uint64 *hash, HeapTuple row)
{
	struct
	{
		TransactionId xmin;
		ItemPointerData where;
		uint16		zero;
	}			version;

	if (!HeapTupleIsValid(row))
		return;
	memset(&version, 0, sizeof(version));
	version.xmin = HeapTupleHeaderGetRawXmin(row->t_data);
	version.where = row->t_self;
	*hash = hash_combine64(*hash, hash_bytes_extended((unsigned char *) &version,
													  sizeof(version), 0));
	ReleaseSysCache(row);
}

void
crm_version_add_identity(uint64 *hash, Oid serverid, Oid umid)
{
	crm_version_add(hash, SearchSysCache1(USERMAPPINGOID, ObjectIdGetDatum(umid)));
	crm_version_add(hash, SearchSysCache1(FOREIGNSERVEROID, ObjectIdGetDatum(serverid)));
}
