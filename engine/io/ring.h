/*
 * engine/io/ring.h - packets to send, in memory that a packet socket shares with the kernel (TPACKET_V2).
 *
 *	at                 at + n                       RING_FRAMES frames of RING_FRAME octets
 *	 | asked | asked | ... |  free  | ... | under way | under way |
 *	 ^ where the kernel looks first, at each call
 *
 * Frames are put in, then one call has the kernel take them, in order, all to one interface. What it did not
 * take is taken back before the next call, as that may be to another; so ours and the kernel's place are the
 * same between calls. A frame is free again when the interface is done with it, which is looked at when its
 * turn comes again: nothing waits.
 *
 * Each frame says how much of it the kernel is to copy: all. It would else hand on the ring's own pages, which
 * interfaces that pass packets on within the machine (veth, bridges, TUN) have to copy, too, and dearer.
 */
#ifndef ENGINE_IO_RING_H
#define ENGINE_IO_RING_H

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>

#include "engine/io/outer.h"

#define RING_FRAME 2048u
#define RING_FRAMES 256u	/* few enough to stay in a processor's cache */
#define RING_BLOCK (64u << 10)	/* a whole number of pages, whatever their size */

struct nexthop;

/** What stands in a frame, behind what is the kernel's. */
struct ring_content {
	struct virtio_net_hdr virtio;
	struct ethhdr ether;
	uint8_t packet[];
} __attribute__((packed));

#define RING_CONTENT TPACKET_ALIGN(sizeof(struct tpacket2_hdr))
#define RING_PACKET_MAX (RING_FRAME - RING_CONTENT - sizeof(struct ring_content))

struct ring {
	int fd;
	uint8_t *memory;	/* RING_FRAMES * RING_FRAME octets */
	size_t at;
	bool is_lost;		/* the kernel has another place: nothing goes by it any more */
};

/** Gives a packet socket (SOCK_RAW) that has no ring one. @return 0 or -errno */
int ring_prepare(int fd);

/**
 * @param fd  bound to no interface, ring_prepare()d, not sent by yet; taken on success
 * @return 0 or -errno
 */
int ring_new(int fd, struct ring **out);
/** NULL is allowed. */
void ring_free(struct ring *r);

/**
 * Sends packets without waiting. When an interface takes no more of them, what is left for it in a row is
 * dropped.
 * @param hops     where each of them goes
 * @param packets  of one family, each of RING_PACKET_MAX octets at most
 * @param sent     out: how many were sent
 * @return how many were sent or counted in stats as drops. Fewer than n: there is no room in the ring, now or
 *         for good, and those from there on are to go another way
 */
size_t ring_send(struct ring *r, enum outer_family family, const struct nexthop *hops,
		 const struct outer_send *packets, size_t n, struct io_stats *stats, size_t *sent);

/* What it is made of. */

/** Puts packets in, as far as there is room. @return how many */
size_t ring_put(struct ring *r, enum outer_family family, const struct nexthop *hops,
		const struct outer_send *packets, size_t n);

/**
 * After a call: goes on behind what the kernel has taken, and takes back the rest.
 * @param n  how many had been put in
 * @return how many it has taken
 */
size_t ring_settle(struct ring *r, size_t n);

#endif
