/*
 * net/sockets.h
 *	  libcurl's sockets, opened and closed so that fd.c counts them among the
 *	  process's descriptors and leaves room for them.
 */
#ifndef CRM_SOCKETS_H
#define CRM_SOCKETS_H

#include "postgres.h"

#include <curl/curl.h>

/* For CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION. */
extern curl_socket_t crm_socket_open(void *arg, curlsocktype purpose,
									 struct curl_sockaddr *address);
extern int	crm_socket_close(void *arg, curl_socket_t fd);

/* Counts n descriptors that somebody else opens.  false: so many are not left. */
extern bool crm_sockets_reserve(int n);
extern void crm_sockets_unreserve(int n);

/*
 * Notices sockets that are gone without crm_socket_close: some versions of libcurl
 * (7.88) close one that was still connecting by themselves.  Does not throw.
 */
extern void crm_sockets_recount(void);

#endif							/* CRM_SOCKETS_H */
