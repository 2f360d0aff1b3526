/*
 * engine/io/pcap.h - the attachment `pcap`: a bump in the wire between two interfaces (RFC 4301 3.3).
 *
 *	hosts                                                               network
 *	  |                                                                    |
 *	[ RED ] -- outbound, leaves by BLACK --> engine -- bypassed, ESP --> [ BLACK ]
 *	  ^                                                                    |
 *	  +----- delivered, bypassed <-- engine <-- inbound, came in by BLACK -+
 *
 * The IPsec boundary is BLACK: its lists PROTECT. RED's lists are asked too, as of any interface that
 * a packet passes, and can only discard.
 *
 * What is bypassed, and ESP in transport mode, stays in its frame: same link addresses, same TTL. A
 * tunnel's ends are addresses of this machine: its ESP packets are sent and received by the machine's
 * own routes, neighbours, raw sockets and UDP, pinned to BLACK, and what came out of a tunnel goes to
 * its receiver likewise, pinned to RED. ESP in UDP for a host is a datagram like any other. ARP
 * crosses. Frames to this machine's own link addresses and other protocols do not.
 */
#ifndef ENGINE_IO_PCAP_H
#define ENGINE_IO_PCAP_H

#include "engine/io/attach.h"

enum pcap_side { PCAP_RED, PCAP_BLACK };

struct pcap_config {
	int frames_fd[2];	/* packet sockets as engine/io/frame.h wants them, by side */
	uint32_t ifindex[2];	/* where they are bound to */
	int esp_in_fd[2];	/* raw, IPPROTO_ESP: [0] IPv4, [1] IPv6; -1: none */
	int ah_in_fd[2];	/* raw, IPPROTO_AH: likewise */
	int raw_out_fd[2];	/* raw, headers included, marked: likewise */
	int udp_fd[2];		/* bound to the port of ESP in UDP, marked: likewise */
	uint32_t mark;		/* that of the sockets: routing is asked with it */
};

/**
 * @param config  its descriptors are taken on success
 * @return 0 or -errno
 */
int pcap_attach(const struct pcap_config *config, struct io_attachment **out);

#endif
