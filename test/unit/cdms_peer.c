/*
 * test/unit/cdms_peer.c
 *	  A server that gives prepared answers and keeps what it was asked.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/stringinfo.h"

#include "cdms_peer.h"

#define LONGEST_REQUEST 65536
#define LONGEST_LIFE 60			/* seconds */

struct CdmsPeer
{
	int			listener;
	char	   *root;
	List	   *answers;
	int			asked[2];		/* pipe */
	pid_t		child;			/* 0: none */
};

static void
fail(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_IO_ERROR),
			 errmsg("test server: %s: %m", what)));
}

static void
end_child(void *arg)
{
	CdmsPeer   *peer = arg;

	if (peer->child > 0)
	{
		kill(peer->child, SIGKILL);
		waitpid(peer->child, NULL, 0);
	}
	peer->child = 0;
	if (peer->listener >= 0)
		close(peer->listener);
	peer->listener = -1;
}

CdmsPeer *
cdms_peer_listen(void)
{
	CdmsPeer   *peer = palloc0(sizeof(CdmsPeer));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t	length = sizeof(address);

	callback->func = end_child;
	callback->arg = peer;
	peer->listener = socket(AF_INET, SOCK_STREAM, 0);
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (peer->listener < 0 ||
		bind(peer->listener, (struct sockaddr *) &address, length) != 0 ||
		listen(peer->listener, 16) != 0 ||
		getsockname(peer->listener, (struct sockaddr *) &address, &length) != 0)
		fail("can't listen");
	peer->root = psprintf("http://127.0.0.1:%d/Org/XRMServices/2011/OrganizationData.svc",
						  ntohs(address.sin_port));
	return peer;
}

const char *
cdms_peer_root(const CdmsPeer *peer)
{
	return peer->root;
}

void
cdms_peer_answer(CdmsPeer *peer, const char *status, const char *headers, const char *body)
{
	peer->answers = lappend(peer->answers,
							psprintf("HTTP/1.1 %s\r\nDate: Sun, 22 Nov 2026 10:20:37 GMT\r\n"
									 "Connection: close\r\nContent-Length: %zu\r\n%s\r\n%s",
									 status, strlen(body), headers, body));
}

/* How long the request is that begins so; 0: that can't be told yet. */
static size_t
request_length(const char *request)
{
	static const char name[] = "\r\nContent-Length:";
	const char *end = strstr(request, "\r\n\r\n");
	const char *header = strcasestr(request, name);
	size_t		length;

	if (end == NULL)
		return 0;
	length = end + 4 - request;
	return header && header < end ? length + atoi(header + strlen(name)) : length;
}

/* One connection.  In the child: nothing of PostgreSQL may be used. */
static void
serve(int client, int asked, const char *answer)
{
	static char request[LONGEST_REQUEST];
	size_t		have = 0;
	size_t		want = 0;

	memset(request, 0, sizeof(request));
	while (want == 0 || have < want)
	{
		ssize_t		got = read(client, request + have, sizeof(request) - 1 - have);

		if (got <= 0)
			break;
		have += got;
		want = request_length(request);
	}
	if (write(asked, &have, sizeof(have)) < 0 || write(asked, request, have) < 0 ||
		write(client, answer, strlen(answer)) < 0)
		_exit(1);
	shutdown(client, SHUT_WR);
	while (read(client, request, sizeof(request)) > 0)
		;
	close(client);
}

void
cdms_peer_serve(CdmsPeer *peer)
{
	ListCell   *cell;

	if (pipe(peer->asked) != 0)
		fail("can't make a pipe");
	peer->child = fork();
	if (peer->child < 0)
		fail("can't fork");
	if (peer->child > 0)
	{
		close(peer->asked[1]);
		return;
	}

	signal(SIGALRM, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	alarm(LONGEST_LIFE);
	foreach(cell, peer->answers)
		serve(accept(peer->listener, NULL, NULL), peer->asked[1], lfirst(cell));
	_exit(0);
}

/* Reads exactly so much of the pipe; false at its end. */
static bool
read_whole(int fd, void *into, size_t length)
{
	size_t		have = 0;

	while (have < length)
	{
		ssize_t		got = read(fd, (char *) into + have, length - have);

		if (got <= 0)
			return false;
		have += got;
	}
	return true;
}

List *
cdms_peer_requests(CdmsPeer *peer)
{
	List	   *requests = NIL;
	size_t		length;

	end_child(peer);
	while (read_whole(peer->asked[0], &length, sizeof(length)))
	{
		char	   *request = palloc0(length + 1);

		if (!read_whole(peer->asked[0], request, length))
			break;
		requests = lappend(requests, request);
	}
	close(peer->asked[0]);
	return requests;
}

CrmConnection *
cdms_peer_connect(CdmsPeer *peer, CrmFormat format)
{
	CrmHttpSettings settings = {
		.connect_timeout = 5000,
		.request_timeout = 10000,
		.max_connections = 1,
		.max_response_size = 1024 * 1024
	};
	CrmConnection *conn = palloc0(sizeof(CrmConnection));

	conn->protocol = &crm_protocol_odata2;
	conn->http = crm_http_open(&settings);
	conn->server_name = "cdms";
	conn->root = peer->root;
	conn->format = format;
	conn->max_retries = 2;
	return conn;
}
