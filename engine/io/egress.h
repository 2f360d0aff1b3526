/*
 * engine/io/egress.h - which interface an outbound packet leaves by.
 *
 * The routing table's own answer, asked with the bypass mark, so that the rules that steer packets
 * into the TUN do not count. Answers are cached; any change of links, addresses, routes or rules
 * empties the cache. Needs no privilege. Lookups are local to the kernel: it has answered when the
 * question has been sent, so nothing here waits.
 */
#ifndef ENGINE_IO_EGRESS_H
#define ENGINE_IO_EGRESS_H

#include "ipsp/types.h"

#define EGRESS_CACHE_ENTRIES 8192	/* answers kept, at most */

struct egress;

struct egress_route {
	uint32_t ifindex;		/* the interface; never the TUN, never 0 */
	struct ipsp_addr source;	/* preferred source address; family 0: none */
	uint32_t mtu;			/* of the route, or of its link; 0: not known */
};

struct egress_stats {
	uint64_t lookups;
	uint64_t queries;		/* lookups that the cache could not answer */
	uint64_t flushes;
};

/**
 * @param mark         the bypass mark, asked with
 * @param tun_ifindex  our TUN: an answer that names it is no answer
 * @return 0 or -errno
 */
int egress_new(uint32_t mark, uint32_t tun_ifindex, struct egress **out);
void egress_free(struct egress *e);

/** A descriptor that is readable when routing has changed; call egress_refresh then. */
int egress_fd(const struct egress *e);

/** Empties the cache if routing has changed. Call it before each batch of lookups. */
void egress_refresh(struct egress *e);

/** Another number each time that the cache was emptied; never 0. */
uint64_t egress_epoch(const struct egress *e);

/** Of two addresses, for tables: nobody outside knows who shares a place with whom. */
uint64_t egress_hash(const struct egress *e, const struct ipsp_addr *src,
		     const struct ipsp_addr *dst);

/**
 * Where does a packet from src to dst go? src family 0: a packet that we make ourselves, and
 * out->source is the address to make it with.
 * @return 0; -EINVAL: families differ; -ENETUNREACH: no route, or one that refuses, loops back to
 *         the TUN or stays on this host; other -errno: the kernel could not be asked
 */
int egress_lookup(struct egress *e, const struct ipsp_addr *src, const struct ipsp_addr *dst,
		  struct egress_route *out);

void egress_stats_get(const struct egress *e, struct egress_stats *out);

#endif
