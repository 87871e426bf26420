/*
 * net/exchange.h
 *	  A request and its answer on the way: what http.c, answer.c and failure.c share.
 *
 * Nobody else includes it; net/http.h is for them.
 */
#ifndef CRM_EXCHANGE_H
#define CRM_EXCHANGE_H

#include "compat.h"
#include "net/http.h"
#include "net/loop.h"

#define CRM_ASKED_CODINGS "gzip, deflate"	/* answer.c takes no others */

/* What is kept of an answer's headers. */
typedef enum CrmHttpHeader
{
	HEADER_CONTENT_TYPE,
	HEADER_LOCATION,
	HEADER_DATE,
	HEADER_RETRY_AFTER,
	HEADER_COUNT
} CrmHttpHeader;

typedef struct CrmHttpMethod
{
	const char *name;
	size_t		counter;		/* where in CrmHttpCounters */
	bool		has_body;		/* Content-Length is sent though it be 0 */
	bool		safe;			/* libcurl may send it again unasked */
} CrmHttpMethod;

/* Why a request fails that libcurl alone would not have let fail. */
typedef enum CrmHttpStop
{
	STOP_NOT,
	STOP_BODY_SIZE,
	STOP_HEADER_SIZE,
	STOP_HEADER_CUT,
	STOP_CODINGS,
	STOP_OTHER_CODING,
	STOP_NO_MEMORY,
	STOP_SECOND_SENDING,
	STOP_CHALLENGES				/* the latest of them is the answer */
} CrmHttpStop;

/* All that is made for one request. */
struct CrmHttpExchange
{
	dlist_node	node;			/* in http.c's list of all */
	CrmHttpSession *session;	/* NULL: released */
	MemoryContext context;		/* holds the exchange itself */
	SubTransactionId subtransaction;	/* that began it */
	CrmHttpRequest request;		/* method, URL and body, copied */
	const CrmHttpMethod *method;
	CrmLoopRequest loop;		/* its easy handle is NULL until it is made */
	struct curl_slist *headers;
	struct curl_slist *secrets; /* as in CrmHttpResponse */
	int			sendings;		/* of this request, by libcurl */
	CrmHttpStop stop;
	size_t		header_size;	/* of all the answer's headers so far */
	int			codings;		/* that the answer says its body is packed in */
	bool		header_complete;
	bool		challenged;		/* the latest answer is 401 or 407 */
	int			challenges;		/* that were taken up */
	char	   *header[HEADER_COUNT];	/* malloc'd values */
	char	   *body;			/* malloc'd */
	size_t		body_size;		/* allocated */
	size_t		body_length;
	double		started;		/* by crm_loop_now */
	bool		answered;		/* as crm_http_wait has found */
	int			status;
	char		words[CURL_ERROR_SIZE];
};

struct CrmHttpSession
{
	dlist_node	node;			/* in http.c's list of all */
	MemoryContext context;		/* holds the session itself */
	CrmHttpSettings settings;
	CrmHttpCounters counters;
	CURLSH	   *share;
	CrmLoop		loop;
	bool		retired;		/* keeps no connection without a request */
	List	   *users;			/* in whose names: oids of roles */
	int			cookies;		/* set by answers since they were counted */
	char	   *silent;			/* a URL whose server let connect_timeout pass */
	double		silent_since;	/* by crm_loop_now */
};

/* Gives up for this reason: the value that libcurl takes for a failure. */
static inline size_t
crm_exchange_stop(CrmHttpExchange *exchange, CrmHttpStop reason)
{
	exchange->stop = reason;
	return 0;
}

/* ------------------------------------------------------------ answer.c */

/* What libcurl calls as the answer comes; arg is the exchange. */
extern size_t crm_answer_take_header(char *line, size_t size, size_t count, void *arg);
extern size_t crm_answer_take_body(char *data, size_t size, size_t count, void *arg);
extern int	crm_answer_see_sent(CURL *easy, curl_infotype type, char *data, size_t size, void *arg);

/* The whole answer, copied to the current memory context. */
extern CrmHttpResponse *crm_answer_copy(CrmHttpExchange *exchange);

/* Frees what came of an answer. */
extern void crm_answer_free(CrmHttpExchange *exchange);

/* ----------------------------------------------------------- failure.c */

/* The ERROR for a limit of time that option set. */
pg_noreturn extern void crm_failure_raise_timeout(const char *url, const char *option);

/* The ERROR for what libcurl, or a callback, has against the request. */
pg_noreturn extern void crm_failure_raise(CrmHttpExchange *exchange, CURLcode code);

/* An ERROR where this server let connect_timeout pass a moment ago. */
extern void crm_failure_check_silence(const CrmHttpSession *session, const char *url);

#endif							/* CRM_EXCHANGE_H */
