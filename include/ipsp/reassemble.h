/*
 * ipsp/reassemble.h - puts fragments together. RFC 791 3.2, RFC 8200 4.5, RFC 5722, RFC 3168 5.3.
 *
 * For packets that nobody else has put together before ESP and AH are undone (RFC 4303 3.4.1): those
 * of a bump in the wire, of capture files, of an embedder without a stack. A fixed number of
 * datagrams at a time, each of a fixed size; the oldest gives way. Exact: what each octet holds
 * is known, and a fragment that is in part there already, or there with other octets, refuses
 * the whole datagram, in both families. One and the same fragment twice is fine.
 *
 * The caller's memory is allocated once, by the platform. No clock: now_s is the caller's.
 */
#ifndef IPSP_REASSEMBLE_H
#define IPSP_REASSEMBLE_H

#include "ipsp/engine.h"

struct ipsp_platform;
struct ipsp_reassembly;

#define IPSP_REASSEMBLY_MAX 1024u

/** Datagrams that were given up. */
struct ipsp_reassembly_stats {
	uint64_t done;		/* put together */
	uint64_t timeouts;	/* not complete in time */
	uint64_t evicted;	/* gave way to newer ones */
	uint64_t refused;	/* overlaps, impossible lengths */
};

/**
 * @param n          datagrams at a time, 1 .. IPSP_REASSEMBLY_MAX; each takes about 66 kB when used
 * @param timeout_s  from the first fragment that came on; RFC 8200 4.5 says 60
 * @return IPSP_OK; IPSP_EINVAL; IPSP_ENOMEM; IPSP_ECRYPTO: no randomness
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_reassembly_new(const struct ipsp_platform *platform, uint32_t n,
						  uint32_t timeout_s,
						  struct ipsp_reassembly **out);
void ipsp_reassembly_free(const struct ipsp_platform *platform, struct ipsp_reassembly *r);

/** How long a datagram may take from now on. */
void ipsp_reassembly_set_timeout(struct ipsp_reassembly *r, uint32_t timeout_s);

enum ipsp_reassembly_result {
	IPSP_REASSEMBLY_WHOLE,	/* the packet is the datagram now */
	IPSP_REASSEMBLY_HELD,	/* taken; more must come */
	IPSP_REASSEMBLY_DROP,	/* see reason */
};

/**
 * Takes a fragment.
 * @param packet  WHOLE: data and len become the datagram's, within its room
 * @param flow    of the fragment
 * @param reason  out, with DROP: FRAG_OVERLAP, FRAG_LENGTH, ECN, NO_ROOM; with all that is held
 *		  of its datagram
 */
enum ipsp_reassembly_result ipsp_reassemble(struct ipsp_reassembly *r, struct ipsp_packet *packet,
					    const struct ipsp_flow *flow, uint64_t now_s,
					    enum ipsp_reason *reason);

/** Has the datagram of this fragment begun? For those who take only some. */
bool ipsp_reassembly_has(const struct ipsp_reassembly *r, const struct ipsp_flow *flow,
			 uint64_t now_s);

/** Counts since it was made. By the worker's own thread. */
void ipsp_reassembly_stats(const struct ipsp_reassembly *r, struct ipsp_reassembly_stats *out);

#endif
