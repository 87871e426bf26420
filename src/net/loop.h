/*
 * net/loop.h
 *	  The one place where this project waits for the network.
 *
 * A libcurl multi handle, driven from the backend's latch.  Interrupts are
 * served between libcurl's turns, never inside one of its callbacks, so an
 * ERROR can't jump out of the middle of libcurl.
 */
#ifndef CRM_LOOP_H
#define CRM_LOOP_H

#include "postgres.h"
#include "storage/latch.h"

#include <curl/curl.h>

/*
 * Sockets libcurl may ask to have watched at once.  One request needs at most
 * three: IPv6 and IPv4 tried side by side, and the resolver's.
 */
#define CRM_LOOP_MAX_SOCKETS 8

typedef struct CrmLoop
{
	CURLM	   *multi;			/* keeps the connections alive */
	CURL	   *easy;			/* the request under way, or NULL */
	WaitEventSet *set;			/* of that request, or NULL */
	bool		stale;			/* set does not show sockets any more */
	double		timer;			/* when libcurl wants its next turn, by
								 * crm_loop_now; negative: it does not */
	double		turn_began;		/* libcurl's latest, by crm_loop_now */
	bool		paused;			/* by crm_loop_give_way */
	int			nsockets;
	struct
	{
		curl_socket_t fd;
		int			what;		/* CURL_POLL_IN, _OUT, _INOUT */
	}			sockets[CRM_LOOP_MAX_SOCKETS];
} CrmLoop;

/* Makes the multi handle.  false: out of memory; crm_loop_free is due anyway. */
extern bool crm_loop_init(CrmLoop *loop, int max_connections);

/* Closes all connections.  Does not throw. */
extern void crm_loop_free(CrmLoop *loop);

/*
 * Performs easy and returns libcurl's verdict.  Whether it returns or throws
 * (an interrupt, for want of memory), the caller owes it a crm_loop_leave
 * before easy is cleaned up.
 */
extern CURLcode crm_loop_perform(CrmLoop *loop, CURL *easy);

/*
 * For libcurl's write callback: has this turn lasted so long that interrupts
 * are due?  If so the callback must return CURL_WRITEFUNC_PAUSE; the loop goes
 * on with the same piece.  libcurl by itself stays for as long as there is
 * something to read, or to decompress.
 */
extern bool crm_loop_give_way(CrmLoop *loop);

/*
 * Takes the request under way, if any, out of the multi handle; a connection
 * with half an answer on it is closed.  Does not throw.
 */
extern void crm_loop_leave(CrmLoop *loop);

/* Waits without a request.  Interrupts are served as they come. */
extern void crm_loop_pause(double milliseconds);

/* A clock that nobody sets, in milliseconds. */
extern double crm_loop_now(void);

#endif							/* CRM_LOOP_H */
