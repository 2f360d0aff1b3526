/*
 * engine/io/udp.h - ESP in UDP, many packets a system call. RFC 3948.
 *
 * The kernel puts datagrams of one peer together (UDP_GRO) and takes such a train apart (UDP_SEGMENT).
 * What it gives are payloads alone: ESP headers first, with what their IP and UDP headers said beside
 * them (struct ipsp_packet.outer). What it takes likewise: the headers that the engine wrote are read
 * and left out, and the kernel writes equal ones.
 */
#ifndef ENGINE_IO_UDP_H
#define ENGINE_IO_UDP_H

#include "engine/io/attach.h"
#include "engine/io/outer.h"

/** What an attachment has of one UDP socket, of one family. */
struct udp_socket;

/**
 * @param fd       bound to the port, borrowed; asks for all that reading needs
 * @param raw_fd   likewise borrowed: where packets go that the other one refuses; -1: nowhere
 * @param ifindex  what is sent leaves by this interface alone; 0: as routing says
 * @return 0 or -errno
 */
int udp_socket_new(int fd, int raw_fd, enum outer_family family, uint32_t ifindex,
		   struct udp_socket **out);
void udp_socket_free(struct udp_socket *u);

/**
 * Reads without waiting. Sets data, len, ifindex and outer; rooms stay the packets' own. What it gave
 * is good until the next read. Keepalives and IKE are counted in stats and left out.
 * @param n  at most IO_BATCH
 * @return how many
 */
size_t udp_read(struct udp_socket *u, struct ipsp_packet *packets, size_t n, struct io_stats *stats);

/** Has it read more than it gave? No descriptor tells of that. */
bool udp_has_more(const struct udp_socket *u);

/**
 * Takes an ESP packet in UDP, with its headers, to send it with others; in order. Borrowed until
 * udp_flush.
 * @return false: not such a packet, or not from this socket's port: it must be sent otherwise
 */
bool udp_add(struct udp_socket *u, uint8_t *packet, uint32_t len, struct io_stats *stats);

/** Sends what udp_add has taken. @return how many packets were sent since the last time */
size_t udp_flush(struct udp_socket *u, struct io_stats *stats);

/** Sends a keepalive, RFC 3948 4. ifindex: as above. Any thread. */
void udp_keepalive(int fd, uint32_t ifindex, const struct ipsp_flow *datagram);

#endif
