/*
 * engine/io/fast.h - our own ESP and AH by a packet socket, past the kernel's IP and its send queue; from a
 * ring of frames, if there is one and they fit.
 *
 * A batch of one family goes so as a whole, or not at all, and once one did not, none does for the rest of
 * the turn: what waits in a queue of the kernel is not overtaken by what follows at once.
 */
#ifndef ENGINE_IO_FAST_H
#define ENGINE_IO_FAST_H

#include "engine/io/outer.h"

struct egress;
struct fast;
struct ring;

/**
 * @param fd      AF_PACKET, SOCK_DGRAM, bound to no interface, marked; borrowed
 * @param ring    NULL: none; else taken on success
 * @param mark    that of packets
 * @param egress  borrowed
 * @return 0 or -errno
 */
int fast_new(int fd, struct ring *ring, uint32_t mark, struct egress *egress, struct fast **out);
/** NULL is allowed. */
void fast_free(struct fast *f);

/** A turn begins: what has changed since is looked up anew. */
void fast_turn(struct fast *f);

/**
 * Sends packets of one family (IO_BATCH at most), if each is protected, not to be cut, and has a neighbour
 * that is known to be there. IPv4 checksums are written.
 * @return false: they are the kernel's to send; *sent and stats are as they were
 */
bool fast_send(struct fast *f, enum outer_family family, const struct outer_send *packets, size_t n,
	       struct io_stats *stats, size_t *sent);

#endif
