/*
 * test/unit/cdms_peer.h
 *	  A server that gives prepared answers and keeps what it was asked.
 *
 * It is a child process of the backend, so that a test reads from top to
 * bottom: the answers, the calls, the requests that were made.  It goes with the
 * memory context it was made in.
 */
#ifndef CDMS_PEER_H
#define CDMS_PEER_H

#include "postgres.h"
#include "nodes/pg_list.h"

#include "cdms/cdms.h"

typedef struct CdmsPeer CdmsPeer;

/* Listens; root of its service in cdms_peer_root. */
extern CdmsPeer *cdms_peer_listen(void);
extern const char *cdms_peer_root(const CdmsPeer *peer);

/* The next answer.  headers: further lines, each ended by CR LF. */
extern void cdms_peer_answer(CdmsPeer *peer, const char *status, const char *headers,
							 const char *body);

/* Begins to give them, in this order, one to each connection. */
extern void cdms_peer_serve(CdmsPeer *peer);

/* Ends it; what it was asked so far: char *, whole requests. */
extern List *cdms_peer_requests(CdmsPeer *peer);

/* A connection of OData v2 to it. */
extern CrmConnection *cdms_peer_connect(CdmsPeer *peer, CrmFormat format);

#endif							/* CDMS_PEER_H */
