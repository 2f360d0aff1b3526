/*
 * engine/io/merge.h - joins packets of one flow to large segments, for a TUN with offload.
 *
 * The kernel then has one packet where the peer's had many, and cuts it again where it leaves this
 * machine. Nothing may be lost by that: what is joined is what the kernel's cutting makes again. So,
 * of TCP and UDP over IPv4 without options or IPv6 without extension headers, no fragments:
 *
 *	addresses, ports, TOS, TTL, DF, flow label	equal
 *	IPv4 identification				one more each; with DF any rule of RFC 6864 4.1
 *							will do, so also equal
 *	TCP acknowledgement, window, flags, options	equal; no flag but ACK and ECE
 *	TCP sequence number				where the one before ends
 *	payload						of one length; a shorter one is the last
 *	PSH						is the last
 *	checksums					right, all of them (UDP: and there)
 *
 * What cannot be joined is written as it is. Packets of a flow keep their order.
 */
#ifndef ENGINE_IO_MERGE_H
#define ENGINE_IO_MERGE_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define MERGE_FLOWS 8		/* flows that may wait for more at a time */
#define MERGE_PACKETS_MAX 64u	/* packets that become one: the kernel's own limit for UDP */

/** Packets of a flow that wait for more. */
struct merge_run {
	uint8_t *packet;	/* the first one: IP header; NULL: free */
	uint32_t l4, payload;	/* where TCP or UDP and its payload begin in it */
	uint32_t size;		/* octets of payload of each packet but the last */
	uint32_t total;		/* octets of payload of all */
	uint8_t proto;
	bool sums_right;	/* those of the first one have been looked at, and */
	uint16_t ip_sum;	/* IPv4: that of the header but length, identification, checksum */
	uint16_t pseudo_sum;	/* that of the pseudo header but the length: equal in all */
	uint16_t n;		/* packets */
	struct virtio_net_hdr vnet;
	struct iovec iov[1 + MERGE_PACKETS_MAX];	/* vnet, the first one, payloads */
};

/**
 * Writes one packet with its header of virtio before it, which is iov[0].
 * @param packets  how many it was
 */
typedef void merge_write(void *ctx, const struct iovec *iov, size_t n, size_t packets);

struct merger {
	merge_write *write;
	void *ctx;
	bool udp;		/* UDP, too: the kernel knows VIRTIO_NET_HDR_GSO_UDP_L4 */
	size_t oldest;		/* the run that has to go for another flow */
	struct merge_run runs[MERGE_FLOWS];
};

/** Before its first use; runs are empty. */
void merge_init(struct merger *m, bool udp, merge_write *write, void *ctx);

/** A whole IP packet. Borrowed, and may be changed, until merge_flush. */
void merge_add(struct merger *m, uint8_t *packet, uint32_t len);

/** Writes what still waits. */
void merge_flush(struct merger *m);

#endif
