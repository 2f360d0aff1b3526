/*
 * engine/frag.h - stateful fragment checking, and cutting. RFC 4301 7.4; RFC 1858, 3128, 5722; RFC
 * 791 3.2, RFC 8200 4.5. Private to engine/, but for ipsp_frag_cut in ipsp/fragment.h.
 *
 * A fragment that is not the first does not show its ports. What its first fragment showed is kept
 * in a table, and put into the flow of those that follow, so that lookup comes to the same entry and
 * SA as for the first. The rules:
 *
 *	- a later fragment without a first one in the table is not known: also one that overtakes its
 *	  first fragment, which is not waited for;
 *	- a later fragment that begins inside of the first could change what was judged: it and all
 *	  that still comes of its datagram are refused;
 *	- so are they when a second first fragment says something else;
 *	- a first fragment that does not show its ports is not kept.
 *
 * One table a worker, of a fixed size; the oldest of a set gives way. Entries end after a time, and
 * when as much came as the datagram has, as its id may then be another's.
 */
#ifndef ENGINE_FRAG_H
#define ENGINE_FRAG_H

#include "engine/siphash.h"
#include "ipsp/flow.h"

#define IPSP_FRAG_SETS 128u
#define IPSP_FRAG_WAYS 8u

/** Which datagram. Fragments that came under an SA have nothing to do with others. */
struct ipsp_frag_key {
	struct ipsp_addr src, dst;
	uint64_t sa_id;		/* 0: in the clear */
	uint32_t id;
	uint32_t ifindex;
	uint8_t dir;		/* enum ipsp_dir */
	uint8_t proto;		/* IPv4's; IPv6 has ids of a pair of addresses, RFC 8200 4.5: 0 */
};

struct ipsp_frag_entry {
	struct ipsp_frag_key key;
	uint64_t seen_s;	/* the first fragment's time; in use: one more, 0: free */
	uint32_t sport, dport;
	uint32_t first_end;	/* octets of the datagram's data that the first fragment has */
	uint32_t have;		/* that came */
	uint32_t data_len;	/* of the datagram; 0: its last fragment did not come yet */
	uint8_t proto;
	bool refused;		/* its fragments contradict one another */
};

struct ipsp_frag_table {
	uint8_t key[IPSP_SIPHASH_KEY];
	struct ipsp_frag_entry sets[IPSP_FRAG_SETS][IPSP_FRAG_WAYS];
};

/** What ipsp_frag_follow found. */
enum ipsp_frag_state {
	IPSP_FRAG_KNOWN,	/* flow shows protocol and ports of its datagram now */
	IPSP_FRAG_UNKNOWN,	/* its first fragment was not seen, or too long ago */
	IPSP_FRAG_REFUSED,	/* overlaps, or belongs to a datagram that did */
};

/**
 * Keeps what a first fragment shows, or judges it by what an earlier one has shown.
 * @param flow       of a fragment (frag is FIRST)
 * @param timeout_s  how long an entry is good
 * @return false: it contradicts the first fragment that is kept: refuse it
 */
IPSP_MUST_CHECK bool ipsp_frag_first(struct ipsp_frag_table *t, const struct ipsp_flow *flow,
				     enum ipsp_dir dir, uint32_t ifindex, uint64_t sa_id,
				     uint64_t now_s, uint32_t timeout_s);

/**
 * Puts into the flow of a later fragment what its first one has shown.
 * @param flow  frag is LATER; changed on IPSP_FRAG_KNOWN only: proto, proto_known, ports
 */
enum ipsp_frag_state ipsp_frag_follow(struct ipsp_frag_table *t, struct ipsp_flow *flow,
				      enum ipsp_dir dir, uint32_t ifindex, uint64_t sa_id,
				      uint64_t now_s, uint32_t timeout_s);

#endif
