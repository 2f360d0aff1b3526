/*
 * engine/io/tun.h - the attachment `tun`: clear packets by a TUN, ESP by raw IP sockets and UDP.
 *
 *	LAN, own programs                                      peers
 *	     |  steered by ip rules                              ^ |
 *	     v                                                   | v ESP
 *	  [ TUN ] -- outbound --> engine -- ESP, bypassed --> [ raw sockets ]
 *	     ^                                                     |
 *	     +------- delivered, forwarded <-- engine <-- inbound -+
 *
 * A packet read from the TUN leaves by the interface that routing names when our steering is left
 * out; what is bypassed goes back to the kernel whole, pinned to that interface. A packet that came
 * under ESP enters through the TUN, but counts as one of the interface its ESP packet arrived on.
 *
 * With offload a packet from the TUN may be a large segment with an unfinished checksum, and what goes
 * into it is joined to such ones (engine/io/merge.h).
 */
#ifndef ENGINE_IO_TUN_H
#define ENGINE_IO_TUN_H

#include "engine/io/attach.h"

struct ring;

struct tun_config {
	int tun_fd;		/* IFF_TUN | IFF_NO_PI */
	uint32_t tun_ifindex;
	bool offload;		/* it has IFF_VNET_HDR: large segments go both ways */
	bool offload_udp;	/* those of UDP, too */
	int esp_in_fd[2];	/* raw, IPPROTO_ESP: [0] IPv4, [1] IPv6; -1: none */
	int ah_in_fd[2];	/* raw, IPPROTO_AH: likewise */
	int raw_out_fd[2];	/* raw, headers included, marked: likewise */
	int udp_fd[2];		/* bound to the port of ESP in UDP, marked: likewise */
	int fast_fd;		/* of engine/io/fast.h; -1: none, all goes by the others */
	struct ring *ring;	/* beside it; NULL: none */
	uint32_t mark;		/* that of the sockets: routing is asked with it */
};

/**
 * @param config  its descriptors and ring are taken on success
 * @return 0 or -errno
 */
int tun_attach(const struct tun_config *config, struct io_attachment **out);

#endif
