/*
 * sync/moments.h
 *	  A bounded memory of moments: when was this asked of CDMS?
 *
 * It may forget, then CDMS is asked once more; it never invents.
 */
#ifndef CRM_MOMENTS_H
#define CRM_MOMENTS_H

#include "postgres.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

/* What was asked. */
typedef struct CrmMomentKey
{
	uint64		question;
	uint64		meaning;		/* all that an answer's meaning hangs on */
	Oid			database;
	Oid			table;
} CrmMomentKey;

typedef struct CrmMoment
{
	int64		asked;			/* by crm_moments_clock; 0: no such question */
	TimestampTz published;		/* when others could see what was answered */
} CrmMoment;

typedef struct CrmMomentSlot
{
	CrmMomentKey key;
	CrmMoment	moment;
} CrmMomentSlot;

/* Where a memory is; slots and locks may be shared memory, this struct is not. */
typedef struct CrmMoments
{
	uint32		nsets;			/* a power of 2 */
	CrmMomentSlot *slots;		/* zeroed at first */
	uint32		nlocks;			/* a power of 2, at most nsets */
	LWLockPadded *locks;		/* NULL: nobody else uses it */
} CrmMoments;

extern Size crm_moments_size(uint32 nsets);

/* The moment remembered for a question; asked is 0 where there is none. */
extern CrmMoment crm_moments_find(const CrmMoments *moments, const CrmMomentKey *key);

/* Remembers one, unless a later one is known; never throws. */
extern void crm_moments_put(const CrmMoments *moments, const CrmMomentKey *key,
							const CrmMoment *moment);

/* Microseconds since the machine started: no setting of a clock reaches it. */
extern int64 crm_moments_clock(void);

#endif							/* CRM_MOMENTS_H */
