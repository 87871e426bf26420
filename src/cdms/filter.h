/*
 * cdms/filter.h
 *	  Conditions as OData v2 writes them.
 */
#ifndef CRM_FILTER_H
#define CRM_FILTER_H

#include "postgres.h"
#include "lib/stringinfo.h"

#include "cdms/cdms.h"

/*
 * Appends the condition as the value of $filter, in UTF-8, not yet
 * percent-encoded: "Name eq 'O''Neil' and (StateCode/Value eq 0 or ...)".
 */
extern void crm_filter_append(StringInfo out, const CrmCondition *condition);

#endif							/* CRM_FILTER_H */
