/*
 * cdms/error.h
 *	  Error documents of CDMS turned into something one can act on.
 */
#ifndef CRM_ERROR_H
#define CRM_ERROR_H

#include "postgres.h"
#include "compat.h"
#include "net/http.h"

/*
 * CRM's error codes this project acts on (signed 32 bit, as they stand in error
 * documents).  Sources: -2147220969 captures/wcf/28; -2147220937
 * captures/wcf/33 and cdms-protocol 4.3.
 */
#define CRM_CODE_DOES_NOT_EXIST		(-2147220969)
#define CRM_CODE_DUPLICATE_KEY		(-2147220937)

/* What a body is, judged by the body itself rather than by its header. */
typedef enum CrmBodyKind
{
	CRM_BODY_EMPTY,
	CRM_BODY_JSON,
	CRM_BODY_XML,
	CRM_BODY_HTML,
	CRM_BODY_LOGIN,				/* HTML with a login form, or a hop of one */
	CRM_BODY_TEXT,
	CRM_BODY_BINARY
} CrmBodyKind;

extern CrmBodyKind crm_body_kind(const CrmHttpResponse *response);

typedef struct CrmFault
{
	int			status;			/* HTTP */
	int32		code;			/* CRM's; 0: none given */
	char	   *words;			/* CDMS's message, or a short extract of a body
								 * that is neither JSON nor XML; never NULL */
	char	   *said;			/* the same with secrets: to decide by, never to
								 * be shown */
} CrmFault;

/*
 * Reads the error document of an answer: JSON, XML, HTML or anything else, by
 * what the body is rather than by what its header says.  Never throws over a
 * malformed body.  Its words are without these secrets (crm_login_secrets).
 */
extern CrmFault *crm_fault_read(const CrmHttpResponse *response, const List *secrets);

/* It in a sentence, for DETAIL. */
extern char *crm_fault_describe(const CrmFault *fault);

/*
 * The ERROR for it: 28P01 for 401, 23505 for a duplicate key, HV000 otherwise;
 * action says what was tried ("could not read AccountSet").
 */
pg_noreturn extern void crm_fault_throw(const CrmFault *fault, const char *server_name,
										const char *action);

#endif							/* CRM_ERROR_H */
