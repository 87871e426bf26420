/*
 * sync/attempt.h
 *	  Trying something that may fail without failing the transaction.
 */
#ifndef CRM_ATTEMPT_H
#define CRM_ATTEMPT_H

#include "postgres.h"

/*
 * Calls act in a subtransaction.  NULL when it succeeded; otherwise what it did
 * is rolled back and the result is its error, copied to the current context.
 * Termination is no error: it is not caught.
 */
extern ErrorData *crm_attempt(void (*act) (void *arg), void *arg);

#endif							/* CRM_ATTEMPT_H */
