/*
 * net/loop.c
 *	  The one place where this project waits for the network.
 *
 * libcurl tells by two callbacks which sockets it wants watched and when it
 * wants its next turn; the callbacks only take notes.  The loop waits for those
 * sockets and for the backend's latch together, hands libcurl what happened,
 * and serves interrupts in between.
 */
#include "postgres.h"

#include <math.h>

#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "net/loop.h"

/* How long libcurl may go on, in milliseconds, before interrupts are served. */
#define LONGEST_TURN 10

double
crm_loop_now(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return INSTR_TIME_GET_MILLISEC(now);
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
	if (i == CRM_LOOP_MAX_SOCKETS)
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

bool
crm_loop_init(CrmLoop *loop, int max_connections)
{
	long		limit = max_connections;
	CURLM	   *multi = curl_multi_init();

	loop->multi = multi;
	loop->timer = -1;
	return multi != NULL &&
		curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, loop_note_socket) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, loop) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, loop_note_timer) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_TIMERDATA, loop) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, limit) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, limit) == CURLM_OK;
}

void
crm_loop_free(CrmLoop *loop)
{
	crm_loop_leave(loop);
	if (loop->multi != NULL)
		curl_multi_cleanup(loop->multi);
	loop->multi = NULL;
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

static void
loop_free_set(CrmLoop *loop)
{
	WaitEventSet *set = loop->set;

	loop->set = NULL;
	if (set != NULL)
		FreeWaitEventSet(set);
}

/*
 * A set of the latch and of what libcurl wants watched now.  It is crm_loop_leave
 * that frees it, which after FATAL comes when shorter-lived memory has gone.
 */
static void
loop_build_set(CrmLoop *loop)
{
	loop_free_set(loop);
	loop->set = CreateWaitEventSet(TopMemoryContext, loop->nsockets + 2);
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

/* Milliseconds until libcurl wants a turn; -1: only when a socket stirs. */
static long
loop_timeout(const CrmLoop *loop)
{
	return loop->timer < 0 ? -1 : loop_until(loop->timer);
}

/* Waits for something to happen, and gives libcurl its turns. */
static void
loop_wait(CrmLoop *loop)
{
	WaitEvent	events[CRM_LOOP_MAX_SOCKETS + 2];
	int			n;

	if (loop->set == NULL || loop->stale)
		loop_build_set(loop);
	n = WaitEventSetWait(loop->set, loop_timeout(loop), events, lengthof(events),
						 PG_WAIT_EXTENSION);

	for (int i = 0; i < n; i++)
	{
		/* A socket that an earlier turn closed is no trap: libcurl ignores it. */
		if (events[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		else
			loop_turn(loop, events[i].fd, loop_events_seen(events[i].events));
	}
	if (loop_timeout(loop) == 0)
	{
		loop->timer = -1;
		loop_turn(loop, CURL_SOCKET_TIMEOUT, 0);
	}
}

bool
crm_loop_give_way(CrmLoop *loop)
{
	loop->paused = crm_loop_now() > loop->turn_began + LONGEST_TURN;
	return loop->paused;
}

/* Gives libcurl the turn that was due when it gave way. */
static CURLcode
loop_resume(CrmLoop *loop)
{
	loop->paused = false;
	loop->turn_began = crm_loop_now();
	return curl_easy_pause(loop->easy, CURLPAUSE_CONT);
}

/* Has the request under way come to its end? */
static bool
loop_finished(CrmLoop *loop, CURLcode *verdict)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(loop->multi, &left)) != NULL)
	{
		if (message->msg == CURLMSG_DONE && message->easy_handle == loop->easy)
		{
			*verdict = message->data.result;
			return true;
		}
	}
	return false;
}

CURLcode
crm_loop_perform(CrmLoop *loop, CURL *easy)
{
	CURLcode	verdict;

	CHECK_FOR_INTERRUPTS();
	loop->stale = true;
	loop->paused = false;
	loop_check(curl_multi_add_handle(loop->multi, easy));
	loop->easy = easy;

	loop_turn(loop, CURL_SOCKET_TIMEOUT, 0);
	while (!loop_finished(loop, &verdict))
	{
		CHECK_FOR_INTERRUPTS();
		if (!loop->paused)
			loop_wait(loop);
		else if ((verdict = loop_resume(loop)) != CURLE_OK)
			break;
	}
	return verdict;
}

void
crm_loop_leave(CrmLoop *loop)
{
	if (loop->easy != NULL)
		curl_multi_remove_handle(loop->multi, loop->easy);
	loop->easy = NULL;
	loop_free_set(loop);
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
