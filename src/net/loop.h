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
#include "lib/ilist.h"
#include "storage/latch.h"

#include <curl/curl.h>

/*
 * A request.  Who starts it owns it, and has set easy and the limits before.
 * A limit counts the time in which somebody drove the loop: who is busy with
 * something else does not let a request time out whose answer may have come.
 */
typedef struct CrmLoopRequest
{
	CURL	   *easy;
	long		connect_limit;	/* milliseconds, 0: none */
	long		limit;			/* of the whole request */
	bool		connected;		/* the owner's note */
	bool		done;
	bool		timed_out;		/* by one of these limits */
	CURLcode	verdict;		/* once it is done */

	/* the loop's own */
	dlist_head *list;			/* that it is in, or NULL */
	dlist_node	node;
	double		spent;			/* milliseconds */
	double		excused;		/* milliseconds in which nobody drove the loop */
	bool		paused;			/* by crm_loop_give_way */
} CrmLoopRequest;

typedef struct CrmLoop
{
	CURLM	   *multi;			/* keeps the connections alive; NULL: there are none */
	int			reserved;		/* descriptors of its own */
	int			most;			/* requests under way at once */
	int			nrunning;
	dlist_head	running;		/* of CrmLoopRequest: those under way */
	dlist_head	queued;			/* and those that wait until one of them is done */
	WaitEventSet *set;			/* of their sockets, or NULL */
	bool		stale;			/* set does not show sockets any more */
	double		timer;			/* when libcurl wants its next turn, by
								 * crm_loop_now; negative: it does not */
	double		turn_began;		/* libcurl's latest, by crm_loop_now */
	double		rested;			/* since when nobody drove the loop */
	double		charged;		/* until when the requests' time is counted, while
								 * somebody drives it */
	int			nsockets;
	int			room;			/* allocated in sockets */
	struct CrmLoopSocket
	{
		curl_socket_t fd;
		int			what;		/* CURL_POLL_IN, _OUT, _INOUT */
	}		   *sockets;		/* malloc'd: libcurl's callback lets it grow */
} CrmLoop;

/* For a loop whose memory is zero.  Opens nothing: the first request does. */
extern void crm_loop_init(CrmLoop *loop, int max_connections);

/* Closes all connections.  Does not throw. */
extern void crm_loop_free(CrmLoop *loop);

/*
 * Closes all connections and descriptors unless a request is under way or in the
 * queue; the next request opens anew.  Does not throw.
 */
extern void crm_loop_rest(CrmLoop *loop);

/*
 * Sends the request, or puts it in the queue where max_connections are under way;
 * it goes on whenever the loop is driven.  Whether this returns or throws, the
 * caller owes it a crm_loop_leave before easy is cleaned up.
 */
extern void crm_loop_start(CrmLoop *loop, CrmLoopRequest *request);

/*
 * Drives all requests: waits for something to happen, but not beyond a moment (by
 * crm_loop_now; 0: there is none), gives libcurl its turns and serves interrupts.
 * There must be a request that is not done.
 */
extern void crm_loop_step(CrmLoop *loop, double until);

/*
 * For libcurl's write callback: has this turn lasted so long that interrupts
 * are due?  If so the callback must return CURL_WRITEFUNC_PAUSE; the loop goes
 * on with the same piece.  libcurl by itself stays for as long as there is
 * something to read, or to decompress.
 */
extern bool crm_loop_give_way(CrmLoop *loop, CrmLoopRequest *request);

/*
 * For libcurl's progress callback, which it calls wherever it reads on and hands
 * nothing out, as all that a proxy answers to CONNECT: must the request end here?
 * So it is in a turn that lasts too long, after one of the request's limits or the
 * owner's own (too_late); and before it is connected when there is an interrupt that
 * will be an ERROR, which others must not suffer from: it may be caught.
 */
extern bool crm_loop_must_stop(CrmLoop *loop, CrmLoopRequest *request, bool too_late);

/*
 * Takes the request out of the loop; a connection with half an answer on it is
 * closed.  Does not throw.
 */
extern void crm_loop_leave(CrmLoop *loop, CrmLoopRequest *request);

/* Waits without a request.  Interrupts are served as they come. */
extern void crm_loop_pause(double milliseconds);

/* A clock that nobody sets, in milliseconds. */
extern double crm_loop_now(void);

#endif							/* CRM_LOOP_H */
