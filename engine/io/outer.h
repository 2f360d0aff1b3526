/*
 * engine/io/outer.h - packets on the outside: raw IP sockets, both families.
 *
 * Reading gives whole packets with their IP header. Of IPv6 the kernel gives the payload only, so
 * the header is made again from ancillary data (RFC 3542). AH covers the extension headers before
 * it, so they are made again, too; ESP does not, and they are left out. Sending takes whole packets. IPv4 identification and checksum are the kernel's.
 */
#ifndef ENGINE_IO_OUTER_H
#define ENGINE_IO_OUTER_H

#include "engine/io/attach.h"

enum outer_family { OUTER_IPV4, OUTER_IPV6 };

/**
 * Asks for the ancillary data that outer_read needs.
 * @param proto  of the socket; IPPROTO_AH: extension headers, too
 * @return 0 or -errno
 */
int outer_in_init(int fd, enum outer_family family, uint8_t proto);

/** What sending as others sent it needs: broadcasts allowed, no copies of multicasts to us. */
int outer_out_init(int fd, enum outer_family family);

/**
 * Reads up to n packets (IO_BATCH at most) of a socket for proto without waiting. Sets data, len, ifindex and flags.
 * @return how many are good; packets that are not are counted in stats
 */
size_t outer_read(int fd, enum outer_family family, uint8_t proto, struct ipsp_packet *packets,
		  size_t n, struct io_stats *stats);

/** One packet to send. */
struct outer_send {
	uint8_t *data;		/* IP header; borrowed for the call */
	uint32_t len;
	uint32_t ifindex;	/* leave by this interface alone; 0: as routing says */
};

/**
 * Sends packets of one family (IO_BATCH at most) without waiting.
 * @return how many were sent; the others are counted in stats
 */
size_t outer_write(int fd, enum outer_family family, const struct outer_send *packets, size_t n,
		   struct io_stats *stats);

/** Why a packet was dropped, by the errno of the call that should have sent it. */
enum io_reason outer_reason(int err);

struct mmsghdr;

/**
 * Sends messages that are ready, of any socket, without waiting; one that the kernel refuses does not
 * keep the others.
 * @return how many were sent; the others are counted in stats
 */
size_t outer_send_all(int fd, struct mmsghdr *msgs, size_t n, struct io_stats *stats);

/** The family of a packet by its first four bits, or -1. */
int outer_family_of(const uint8_t *data, uint32_t len);

#endif
