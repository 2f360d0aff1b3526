/*
 * ipspd/ike_behind.h - datagrams that wait for SAs.
 *
 * RFC 7296 2.8: who answers must be able to receive by the new SAs before the answer goes, since the peer may send
 * by them as soon as it has it; and the default response has SPD entries in force by then, too. The engine is another
 * process; so a datagram that was made behind a request for an SA or entry goes when the engine has answered that.
 */
#ifndef IPSPD_IKE_BEHIND_H
#define IPSPD_IKE_BEHIND_H

#include <stdint.h>

#include "ike/world.h"

/** Octets that may wait. More are not kept: an engine that does not answer is no reason to grow. */
#define IKE_BEHIND_MAX (4u << 20)

struct ike_behind;

typedef void ike_behind_send(void *arg, const struct ike_path *path, struct ipsp_span message);

/**
 * @param send  called with arg, for each datagram that goes
 * @return NULL: no memory
 */
struct ike_behind *ike_behind_new(ike_behind_send *send, void *arg);
/** What waits is dropped. NULL is nothing. */
void ike_behind_free(struct ike_behind *b);
/** An SA was asked for. */
void ike_behind_asked(struct ike_behind *b);
/** The oldest question was answered, or nobody is there to answer it: sends what waited for no other. */
void ike_behind_answered(struct ike_behind *b);
/** A datagram: goes at once, when all that was asked is answered; waits else; is lost, when there is no room. */
void ike_behind_put(struct ike_behind *b, const struct ike_path *path, struct ipsp_span message);

#endif
