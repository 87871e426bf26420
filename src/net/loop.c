/*
 * net/loop.c
 *	  The one place where this project waits for the network.
 *
 * libcurl tells by two callbacks which sockets it wants watched and when it
 * wants its next turn; the callbacks only take notes.  The loop waits for those
 * sockets and for the backend's latch together, hands libcurl what happened,
 * and serves interrupts in between.
 *
 * Whoever waits for one request drives all; while nobody waits none goes on but in
 * the kernel's buffers.
 */
#include "postgres.h"

#include <math.h>

#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "net/loop.h"
#include "net/sockets.h"

/* How long libcurl may go on, in milliseconds, before interrupts are served. */
#define LONGEST_TURN 10
#define EVENTS_AT_ONCE 16
#define MULTI_DESCRIPTORS 2		/* a pipe, by which other threads could wake it */

double
crm_loop_now(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return INSTR_TIME_GET_MILLISEC(now);
}

static bool
loop_make_room(CrmLoop *loop)
{
	int			room = loop->room > 0 ? loop->room * 2 : 8;
	void	   *larger = realloc(loop->sockets, room * sizeof(struct CrmLoopSocket));

	if (larger == NULL)
		return false;
	loop->sockets = larger;
	loop->room = room;
	return true;
}

/* libcurl's note on one socket: watch it for what, or no more. */
static int
loop_note_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
	CrmLoop    *loop = arg;
	int			i = 0;

	while (i < loop->nsockets && loop->sockets[i].fd != fd)
		i++;

	loop->stale = true;
	if (what == CURL_POLL_REMOVE || what == CURL_POLL_NONE)
	{
		if (i < loop->nsockets)
			loop->sockets[i] = loop->sockets[--loop->nsockets];
		return 0;
	}
	if (i == loop->room && !loop_make_room(loop))
		return -1;
	if (i == loop->nsockets)
		loop->nsockets++;
	loop->sockets[i].fd = fd;
	loop->sockets[i].what = what;
	return 0;
}

/* libcurl's note on its next turn. */
static int
loop_note_timer(CURLM *multi, long milliseconds, void *arg)
{
	CrmLoop    *loop = arg;

	loop->timer = milliseconds < 0 ? -1 : crm_loop_now() + milliseconds;
	return 0;
}

void
crm_loop_init(CrmLoop *loop, int max_connections)
{
	loop->most = max_connections;
	loop->timer = -1;
	dlist_init(&loop->running);
	dlist_init(&loop->queued);
}

/* false: out of memory. */
static bool
loop_make_multi(CrmLoop *loop)
{
	long		limit = loop->most;
	CURLM	   *multi = curl_multi_init();

	loop->multi = multi;
	return multi != NULL &&
		curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, loop_note_socket) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, loop) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, loop_note_timer) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_TIMERDATA, loop) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, limit) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, limit) == CURLM_OK;
}

static void
loop_free_set(CrmLoop *loop)
{
	WaitEventSet *set = loop->set;

	loop->set = NULL;
	if (set != NULL)
		FreeWaitEventSet(set);
}

static void
loop_close(CrmLoop *loop)
{
	loop_free_set(loop);
	if (loop->multi != NULL)
		curl_multi_cleanup(loop->multi);
	loop->multi = NULL;
	loop->nsockets = 0;
	loop->timer = -1;
	crm_sockets_unreserve(loop->reserved);
	loop->reserved = 0;
}

/* Makes the multi handle, where there is none. */
static void
loop_open(CrmLoop *loop)
{
	if (loop->multi != NULL)
		return;
	if (!crm_sockets_reserve(MULTI_DESCRIPTORS))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("out of file descriptors for a connection to CDMS"),
				 errhint("Close cursors, or increase \"max_files_per_process\".")));
	loop->reserved = MULTI_DESCRIPTORS;
	if (!loop_make_multi(loop))
	{
		loop_close(loop);
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	}
}

static void
loop_check(CURLMcode code)
{
	if (code != CURLM_OK)
		ereport(ERROR,
				(errcode(code == CURLM_OUT_OF_MEMORY ? ERRCODE_OUT_OF_MEMORY :
						 ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("libcurl failed: %s", curl_multi_strerror(code))));
}

/*
 * Gives libcurl a turn for one socket, or for its timer.
 *
 * Signals are held meanwhile: the thread in which libcurl resolves a name
 * starts here and inherits the mask, and PostgreSQL's signal handlers must run
 * in no thread but the backend's own.
 */
static void
loop_turn(CrmLoop *loop, curl_socket_t fd, int events)
{
	sigset_t	saved;
	int			running;
	CURLMcode	code;

	loop->turn_began = crm_loop_now();
	sigprocmask(SIG_SETMASK, &BlockSig, &saved);
	code = curl_multi_socket_action(loop->multi, fd, events, &running);
	sigprocmask(SIG_SETMASK, &saved, NULL);
	loop_check(code);
}

static uint32
loop_events_wanted(int what)
{
	return ((what & CURL_POLL_IN) ? WL_SOCKET_READABLE : 0) |
		((what & CURL_POLL_OUT) ? WL_SOCKET_WRITEABLE : 0);
}

static int
loop_events_seen(uint32 events)
{
	return ((events & WL_SOCKET_READABLE) ? CURL_CSELECT_IN : 0) |
		((events & WL_SOCKET_WRITEABLE) ? CURL_CSELECT_OUT : 0);
}

/*
 * A set of the latch and of what libcurl wants watched now.  It is crm_loop_leave
 * that frees it, which after FATAL comes when shorter-lived memory has gone.
 */
static void
loop_build_set(CrmLoop *loop)
{
	loop_free_set(loop);
	loop->set = crm_create_wait_event_set(loop->nsockets + 2);
	AddWaitEventToSet(loop->set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(loop->set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	for (int i = 0; i < loop->nsockets; i++)
		AddWaitEventToSet(loop->set, loop_events_wanted(loop->sockets[i].what),
						  loop->sockets[i].fd, NULL, NULL);
	loop->stale = false;
}

/* Whole milliseconds until moment, as a wait takes them. */
static long
loop_until(double moment)
{
	double		left = moment - crm_loop_now();

	return left > 0 ? (long) ceil(Min(left, INT_MAX)) : 0;
}

/* The request's next limit, as milliseconds spent; negative: it has none. */
static double
loop_limit(const CrmLoopRequest *request)
{
	double		limit = request->limit > 0 ? request->limit : -1;

	if (!request->connected && request->connect_limit > 0 &&
		(limit < 0 || request->connect_limit < limit))
		limit = request->connect_limit;
	return limit;
}

/*
 * Milliseconds to wait at most: until libcurl wants a turn, a request reaches its
 * limit, or that moment; -1: for as long as no socket stirs.
 */
static long
loop_timeout(CrmLoop *loop, double until)
{
	double		now = crm_loop_now();
	double		next = loop->timer;
	dlist_iter	iter;

	if (until > 0 && (next < 0 || until < next))
		next = until;
	dlist_foreach(iter, &loop->running)
	{
		CrmLoopRequest *request = dlist_container(CrmLoopRequest, node, iter.cur);
		double		limit = loop_limit(request);

		if (limit >= 0 && (next < 0 || now + limit - request->spent < next))
			next = now + limit - request->spent;
	}
	return next < 0 ? -1 : loop_until(next);
}

/* Waits for something to happen, and gives libcurl its turns. */
static void
loop_wait(CrmLoop *loop, double until)
{
	WaitEvent	events[EVENTS_AT_ONCE];
	int			n;

	if (loop->set == NULL || loop->stale)
		loop_build_set(loop);
	n = WaitEventSetWait(loop->set, loop_timeout(loop, until), events, lengthof(events),
						 PG_WAIT_EXTENSION);

	for (int i = 0; i < n; i++)
	{
		/* A socket that an earlier turn closed is no trap: libcurl ignores it. */
		if (events[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		else
			loop_turn(loop, events[i].fd, loop_events_seen(events[i].events));
	}
	if (loop->timer >= 0 && loop_until(loop->timer) == 0)
	{
		loop->timer = -1;
		loop_turn(loop, CURL_SOCKET_TIMEOUT, 0);
	}
}

static bool
loop_turn_is_long(const CrmLoop *loop)
{
	return crm_loop_now() > loop->turn_began + LONGEST_TURN;
}

bool
crm_loop_give_way(CrmLoop *loop, CrmLoopRequest *request)
{
	request->paused = loop_turn_is_long(loop);
	return request->paused;
}

/*
 * Would interrupts, if they were served now, end what waits here?  The signals that
 * were held are let through: their handlers take notes.  SIGTERM's may throw, in a
 * background worker of somebody else's, and is left pending.
 */
static bool
loop_is_interrupted(void)
{
	sigset_t	terminate;
	sigset_t	saved;
	sigset_t	pending;

	sigemptyset(&terminate);
	sigaddset(&terminate, SIGTERM);
	sigprocmask(SIG_SETMASK, &terminate, &saved);
	sigprocmask(SIG_SETMASK, &saved, NULL);
	sigpending(&pending);
	return INTERRUPTS_CAN_BE_PROCESSED() &&
		(QueryCancelPending || ProcDiePending || crm_transaction_timed_out() ||
		 sigismember(&pending, SIGTERM) == 1);
}

bool
crm_loop_must_stop(CrmLoop *loop, CrmLoopRequest *request, bool too_late)
{
	double		limit = loop_limit(request);
	double		spent = request->spent + crm_loop_now() - loop->charged;

	if (!loop_turn_is_long(loop))
		return false;
	if (limit >= 0 && spent >= limit)
	{
		request->spent = spent;
		request->timed_out = true;
	}
	return too_late || request->timed_out || (!request->connected && loop_is_interrupted());
}

/* ------------------------------------------------------------ requests */

static void
loop_move(CrmLoopRequest *request, dlist_head *list)
{
	if (request->list != NULL)
		dlist_delete(&request->node);
	if (list != NULL)
		dlist_push_tail(list, &request->node);
	request->list = list;
}

/* Takes a request that is under way, or in the queue, out of it. */
static void
loop_withdraw(CrmLoop *loop, CrmLoopRequest *request)
{
	if (request->list == &loop->running)
	{
		curl_multi_remove_handle(loop->multi, request->easy);
		loop->nrunning--;
	}
	loop_move(request, NULL);
}

static void
loop_finish(CrmLoop *loop, CrmLoopRequest *request, CURLcode verdict)
{
	loop_withdraw(loop, request);
	request->verdict = verdict;
	request->done = true;
}

/*
 * Gives one that gave way the turn that was due to it, and the others theirs
 * before it has another.  false: none did.
 */
static bool
loop_resume(CrmLoop *loop)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loop->running)
	{
		CrmLoopRequest *request = dlist_container(CrmLoopRequest, node, iter.cur);
		CURLcode	code;

		if (!request->paused)
			continue;
		loop_move(request, &loop->running);
		request->paused = false;
		loop->turn_began = crm_loop_now();
		code = curl_easy_pause(request->easy, CURLPAUSE_CONT);
		if (code != CURLE_OK)
			loop_finish(loop, request, code);
		return true;
	}
	return false;
}

static CrmLoopRequest *
loop_request_of(CrmLoop *loop, CURL *easy)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loop->running)
	{
		CrmLoopRequest *request = dlist_container(CrmLoopRequest, node, iter.cur);

		if (request->easy == easy)
			return request;
	}
	return NULL;
}

/* Finds out which requests have come to their end. */
static void
loop_collect(CrmLoop *loop)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(loop->multi, &left)) != NULL)
	{
		CURLcode	verdict = message->data.result;
		CrmLoopRequest *request = loop_request_of(loop, message->easy_handle);

		if (message->msg == CURLMSG_DONE && request != NULL)
			loop_finish(loop, request, verdict == CURLE_ABORTED_BY_CALLBACK &&
						request->timed_out ? CURLE_OPERATION_TIMEDOUT : verdict);
	}
}

/* Counts the time until now, and ends those that have used up theirs. */
static void
loop_charge(CrmLoop *loop, double now)
{
	double		milliseconds = now - loop->charged;
	dlist_mutable_iter iter;

	loop->charged = now;
	dlist_foreach_modify(iter, &loop->running)
	{
		CrmLoopRequest *request = dlist_container(CrmLoopRequest, node, iter.cur);
		double		limit = loop_limit(request);

		request->spent += milliseconds;
		if (limit >= 0 && request->spent >= limit)
		{
			request->timed_out = true;
			loop_finish(loop, request, CURLE_OPERATION_TIMEDOUT);
		}
	}
}

/* libcurl's own limit of connecting, by which it chooses how long to try an address. */
static void
loop_excuse(CrmLoop *loop, double milliseconds)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loop->running)
	{
		CrmLoopRequest *request = dlist_container(CrmLoopRequest, node, iter.cur);

		if (!request->connected && request->connect_limit > 0)
		{
			request->excused += milliseconds;
			curl_easy_setopt(request->easy, CURLOPT_CONNECTTIMEOUT_MS,
							 request->connect_limit + (long) ceil(request->excused));
		}
	}
}

/*
 * Begins what is in the queue, as far as there is room.  The first turn may be the
 * last: newer libcurls read an answer that is there by the time they have asked.
 * Nothing would stir any more then.
 */
static void
loop_advance(CrmLoop *loop)
{
	while (loop->nrunning < loop->most && !dlist_is_empty(&loop->queued))
	{
		CrmLoopRequest *request = dlist_head_element(CrmLoopRequest, node, &loop->queued);

		loop_check(curl_multi_add_handle(loop->multi, request->easy));
		loop_move(request, &loop->running);
		loop->nrunning++;
		loop_turn(loop, CURL_SOCKET_TIMEOUT, 0);
		loop_collect(loop);
	}
}

void
crm_loop_start(CrmLoop *loop, CrmLoopRequest *request)
{
	CHECK_FOR_INTERRUPTS();
	loop_open(loop);
	loop->charged = crm_loop_now();
	if (loop->nrunning == 0)
	{
		loop->stale = true;
		loop->rested = loop->charged;
	}
	loop_move(request, &loop->queued);
	loop_advance(loop);
}

void
crm_loop_step(CrmLoop *loop, double until)
{
	double		began = crm_loop_now();

	CHECK_FOR_INTERRUPTS();
	loop->charged = began;
	loop_excuse(loop, began - loop->rested);
	if (loop_resume(loop))
		until = began;
	if (loop->nrunning > 0)
		loop_wait(loop, until);
	loop_collect(loop);
	loop->rested = crm_loop_now();
	loop_charge(loop, loop->rested);
	loop_advance(loop);
}

void
crm_loop_leave(CrmLoop *loop, CrmLoopRequest *request)
{
	loop_withdraw(loop, request);
	if (loop->nrunning == 0)
		loop_free_set(loop);
}

void
crm_loop_rest(CrmLoop *loop)
{
	if (loop->nrunning == 0 && dlist_is_empty(&loop->queued))
		loop_close(loop);
}

void
crm_loop_free(CrmLoop *loop)
{
	loop_close(loop);
	free(loop->sockets);
	loop->sockets = NULL;
}

void
crm_loop_pause(double milliseconds)
{
	double		end = crm_loop_now() + milliseconds;

	CHECK_FOR_INTERRUPTS();
	while (loop_until(end) > 0)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 loop_until(end), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}
