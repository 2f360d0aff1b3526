/*
 * ipsp/peer.h - where the other end of an SA with UDP encapsulation is: its address and port, which
 * a NAT on the way may change under way. RFC 3948, RFC 7296 2.23.
 *
 * Written by workers, read by others at the same time, without a lock: a reader that meets a writer
 * sees the old place or the new one, never a mixture.
 */
#ifndef IPSP_PEER_H
#define IPSP_PEER_H

#include <stdatomic.h>

#include "ipsp/types.h"

/** All zero: not known. */
struct ipsp_peer {
	_Atomic uint32_t turn;		/* odd: being written; 0: never was */
	_Atomic uint32_t port;
	_Atomic uint64_t half[2];	/* of the address's octets */
};

/** Does nothing while another thread writes it. The family is the SA's, so it is not kept. */
void ipsp_peer_set(struct ipsp_peer *peer, const struct ipsp_addr *addr, uint16_t port);

/** @return false: it is not known; the outputs are as they were */
bool ipsp_peer_get(const struct ipsp_peer *peer, uint8_t family, struct ipsp_addr *addr,
		   uint16_t *port);

#endif
