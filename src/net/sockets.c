/*
 * net/sockets.c
 *	  libcurl's sockets, as fd.c counts them.
 *
 * They aren't inherited by programs that the backend starts.
 */
#include "postgres.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/fd.h"

#include "net/sockets.h"

/* A socket that was counted.  Its number may be another file's by now. */
typedef struct CountedSocket
{
	curl_socket_t fd;
	ino_t		inode;
} CountedSocket;

static CountedSocket *counted = NULL;	/* malloc'd: libcurl's callbacks use it */
static int	ncounted = 0;
static int	room = 0;

/* What file this is now; false: none. */
static bool
socket_inode(curl_socket_t fd, ino_t *inode)
{
	struct stat status;

	if (fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode))
		return false;
	*inode = status.st_ino;
	return true;
}

static bool
socket_count(curl_socket_t fd)
{
	if (ncounted == room)
	{
		int			wanted = Max(8, room * 2);
		CountedSocket *larger = realloc(counted, wanted * sizeof(CountedSocket));

		if (larger == NULL)
			return false;
		counted = larger;
		room = wanted;
	}
	counted[ncounted].fd = fd;
	if (!socket_inode(fd, &counted[ncounted].inode))
		return false;
	ncounted++;
	return true;
}

static void
socket_forget(int i)
{
	counted[i] = counted[--ncounted];
	ReleaseExternalFD();
}

bool
crm_sockets_reserve(int n)
{
	for (int i = 0; i < n; i++)
	{
		if (!AcquireExternalFD())
		{
			crm_sockets_unreserve(i);
			return false;
		}
	}
	return true;
}

void
crm_sockets_unreserve(int n)
{
	while (n-- > 0)
		ReleaseExternalFD();
}

curl_socket_t
crm_socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	curl_socket_t fd;

	if (!AcquireExternalFD())
		return CURL_SOCKET_BAD;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd >= 0 && socket_count(fd))
		return fd;
	if (fd >= 0)
		close(fd);
	ReleaseExternalFD();
	return CURL_SOCKET_BAD;
}

int
crm_socket_close(void *arg, curl_socket_t fd)
{
	ino_t		inode;

	for (int i = 0; i < ncounted; i++)
	{
		if (counted[i].fd == fd && socket_inode(fd, &inode) && counted[i].inode == inode)
		{
			socket_forget(i);
			break;
		}
	}
	return close(fd);
}

void
crm_sockets_recount(void)
{
	for (int i = ncounted - 1; i >= 0; i--)
	{
		ino_t		inode;

		if (!socket_inode(counted[i].fd, &inode) || counted[i].inode != inode)
			socket_forget(i);
	}
}
