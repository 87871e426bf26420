/*
 * compat.h
 *	  The differences between PostgreSQL's major versions that crm_sync meets.
 *
 * They live here and nowhere else: the rest of the code is written for the
 * newest form, and this file supplies it where an older server lacks it.
 */
#ifndef CRM_COMPAT_H
#define CRM_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "crm_sync needs PostgreSQL 15 or later"
#endif

#endif							/* CRM_COMPAT_H */
