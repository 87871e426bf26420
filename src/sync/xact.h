/*
 * sync/xact.h
 *	  Where crm_sync meets the ends of transactions.
 */
#ifndef CRM_XACT_H
#define CRM_XACT_H

extern void crm_xact_init(void);

#endif							/* CRM_XACT_H */
