/*
 * cdms/login.h
 *	  One login for a connection's requests: made when the first is sent, noticed
 *	  when it is lost, made again once, and not tried again at once when refused.
 */
#ifndef CRM_LOGIN_H
#define CRM_LOGIN_H

#include "compat.h"
#include "cdms/cdms.h"

/*
 * What the sessions of the cluster know together of refusals.  identity stands for a
 * user mapping and its server as they are now: once altered they are another.
 */
typedef struct CrmRefusals
{
	bool		(*is_recent) (uint64 identity, int seconds);
	void		(*note) (uint64 identity);	/* never throws */
} CrmRefusals;

/*
 * What a connection logs in with.  Basic, NTLM and Kerberos are libcurl's and go
 * with each request or connection; only refusals are remembered here for them.
 */
struct CrmLogin
{
	List	   *adfs;			/* of char *, URLs; NIL: libcurl logs in.  The
								 * password goes to the first one's host only */
	char	   *home;			/* the organisation's page, where forms begin */
	char	   *username;
	char	   *password;
	int			count;			/* logins so far; 0: none yet */
	bool		accepted;		/* a request of libcurl's logins was let in */
	TimestampTz refused_at;		/* 0: the last one was not refused */
	char	   *refusal;		/* what was said then, for DETAIL */
	const CrmRefusals *refusals;	/* NULL: other sessions' are not known */
	uint64		identity;		/* for them */
};

/*
 * Sends a request, logged in.  An answer that tells that the login was lost (401,
 * a login page, a redirect to ADFS) has it made again, once, and the request
 * repeated: none of them comes from CDMS itself, so a write was not carried out.
 * An HTML page of another kind is taken for one of a read only.
 *
 * ERROR 28P01 when ADFS refuses the user mapping; what libcurl's logins are
 * answered is returned like any other answer.  For some time after either no
 * further request of this connection is sent, and no other session that is not
 * logged in yet tries to be: 28P01.
 */
extern CrmHttpResponse *crm_login_send(CrmConnection *conn, const CrmHttpRequest *request);

/*
 * The same in parts, for several requests at once: before one is sent; when it is
 * under way; is the login lost by this answer; make it again unless somebody did
 * since; and what a final answer says of it.  crm_login_prepare returns the since to
 * give.  crm_login_sent waits for the first answer of a connection that nobody has
 * been let in by yet: a wrong password must not go out several times side by side.
 */
extern int	crm_login_prepare(CrmConnection *conn);
extern void crm_login_sent(CrmConnection *conn, CrmHttpExchange *exchange);
extern bool crm_login_is_lost(CrmConnection *conn, const CrmHttpRequest *request,
							  const CrmHttpResponse *response);
extern void crm_login_renew(CrmConnection *conn, int since);
extern void crm_login_judge(CrmConnection *conn, const CrmHttpRequest *request,
							const CrmHttpResponse *response);

/*
 * What must not be shown should this answer repeat it (char *, for crm_words_tidy): the
 * password, and the cookies and Authorization headers that the request went with.
 */
extern List *crm_login_secrets(const CrmConnection *conn, const CrmHttpResponse *response);

/* ERROR 28P01, remembered; detail is what was said. */
pg_noreturn extern void crm_login_refuse(CrmConnection *conn, const char *detail);

/* Goes through ADFS's forms (cdms/adfs.c); its cookies stay in the HTTP session. */
extern void crm_adfs_login(CrmConnection *conn);

#endif							/* CRM_LOGIN_H */
