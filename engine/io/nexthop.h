/*
 * engine/io/nexthop.h - where a frame is to be sent that the kernel's IP does not send for us.
 *
 * Route, link and neighbour as the kernel has them, cached until it tells of a change: of neighbours by
 * an epoch of their own, as they change often and questions about routes are dear. What is not plain, and
 * a neighbour that the kernel is not sure of, has no answer: its packets go the kernel's way, and so the
 * kernel goes on asking whether the neighbour is there.
 */
#ifndef ENGINE_IO_NEXTHOP_H
#define ENGINE_IO_NEXTHOP_H

#include "engine/io/nexthop_read.h"

struct egress;
struct nexthops;

struct nexthop {
	uint32_t ifindex;
	uint32_t mtu;			/* of the route and its link; longer packets are the kernel's */
	uint8_t lladdr[NEXTHOP_LLADDR];
	uint8_t own[NEXTHOP_LLADDR];	/* the interface's */
};

/**
 * @param mark    that packets bear
 * @param egress  borrowed: it tells when routing has changed
 * @return 0 or -errno
 */
int nexthops_new(uint32_t mark, struct egress *egress, struct nexthops **out);
/** NULL is allowed. */
void nexthops_free(struct nexthops *n);

/** Forgets what has changed. Call it before each batch of lookups. */
void nexthops_refresh(struct nexthops *n);

/** @return NULL: the kernel must send it; else valid until the next call */
const struct nexthop *nexthops_find(struct nexthops *n, const struct ipsp_addr *src,
				    const struct ipsp_addr *dst);

/** How many questions were asked so far. */
uint64_t nexthops_questions(const struct nexthops *n);

#endif
