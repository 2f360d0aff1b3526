/* engine/io/ring.c - packets to send, in memory shared with the kernel: see ring.h. */
#include "config.h"
#include "engine/io/ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/nexthop.h"

#define MEMORY ((size_t)RING_FRAMES * RING_FRAME)

_Static_assert(RING_BLOCK % RING_FRAME == 0 && MEMORY % RING_BLOCK == 0, "blocks of whole frames");
_Static_assert(RING_CONTENT == TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), "where the kernel looks for it");
_Static_assert(NEXTHOP_LLADDR == ETH_ALEN, "of Ethernet");

int ring_prepare(int fd)
{
	const int version = TPACKET_V2, on = 1;
	const struct tpacket_req req = {
		.tp_block_size = RING_BLOCK, .tp_block_nr = MEMORY / RING_BLOCK,
		.tp_frame_size = RING_FRAME, .tp_frame_nr = RING_FRAMES,
	};

	/* Neither changes once there is a ring. */
	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req)) < 0)
		return -errno;
	return 0;
}

int ring_new(int fd, struct ring **out)
{
	struct ring *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->fd = fd;
	r->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (r->memory == MAP_FAILED) {
		const int err = -errno;

		free(r);
		return err;
	}
	*out = r;
	return 0;
}

void ring_free(struct ring *r)
{
	if (!r)
		return;
	munmap(r->memory, MEMORY);
	close(r->fd);
	free(r);
}

static struct tpacket2_hdr *frame_at(const struct ring *r, size_t at)
{
	return (void *)(r->memory + at % RING_FRAMES * RING_FRAME);
}

static uint32_t status_of(const struct tpacket2_hdr *h)
{
	return __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);
}

static void set_status(struct tpacket2_hdr *h, uint32_t status)
{
	__atomic_store_n(&h->tp_status, status, __ATOMIC_RELEASE);
}

static uint16_t ethertype(enum outer_family family)
{
	return htons(family == OUTER_IPV4 ? ETH_P_IP : ETH_P_IPV6);
}

/* @return how long it is */
static uint32_t write_content(struct ring_content *c, enum outer_family family, const struct nexthop *hop,
			      const struct outer_send *packet)
{
	c->virtio = (struct virtio_net_hdr) {
		.gso_type = VIRTIO_NET_HDR_GSO_NONE,
		.hdr_len = (uint16_t)(sizeof(c->ether) + packet->len),	/* what is copied */
	};
	memcpy(c->ether.h_dest, hop->lladdr, ETH_ALEN);
	memcpy(c->ether.h_source, hop->own, ETH_ALEN);
	c->ether.h_proto = ethertype(family);
	memcpy(c->packet, packet->data, packet->len);
	return (uint32_t)sizeof(*c) + packet->len;
}

size_t ring_put(struct ring *r, enum outer_family family, const struct nexthop *hops,
		const struct outer_send *packets, size_t n)
{
	size_t i = 0;

	for (; i < n; i++) {
		struct tpacket2_hdr *const h = frame_at(r, r->at + i);

		if (status_of(h) != TP_STATUS_AVAILABLE)
			break;
		h->tp_len = write_content((void *)((uint8_t *)h + RING_CONTENT), family, &hops[i], &packets[i]);
		set_status(h, TP_STATUS_SEND_REQUEST);
	}
	return i;
}

size_t ring_settle(struct ring *r, size_t n)
{
	size_t taken = 0;

	while (taken < n && !(status_of(frame_at(r, r->at + taken)) &
			      (TP_STATUS_SEND_REQUEST | TP_STATUS_WRONG_FORMAT)))
		taken++;
	for (size_t i = taken; i < n; i++)
		set_status(frame_at(r, r->at + i), TP_STATUS_AVAILABLE);
	r->at = (r->at + taken) % RING_FRAMES;
	return taken;
}

/* Has the kernel take what was put in. @return how many octets it took, or -errno */
static ssize_t kick(const struct ring *r, enum outer_family family, uint32_t ifindex)
{
	const struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_protocol = ethertype(family), .sll_ifindex = (int)ifindex,
	};
	ssize_t done;

	do
		done = sendto(r->fd, NULL, 0, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to));
	while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}

/* How many from the first on leave by its interface. */
static size_t run_of(const struct nexthop *hops, size_t n)
{
	size_t run = 1;

	while (run < n && hops[run].ifindex == hops[0].ifindex)
		run++;
	return run;
}

size_t ring_send(struct ring *r, enum outer_family family, const struct nexthop *hops,
		 const struct outer_send *packets, size_t n, struct io_stats *stats, size_t *sent)
{
	size_t at = 0;

	*sent = 0;
	while (at < n && !r->is_lost) {
		const size_t run = run_of(hops + at, n - at);
		const size_t put = ring_put(r, family, hops + at, packets + at, run);

		if (put == 0)
			break;
		const ssize_t done = kick(r, family, hops[at].ifindex);
		const size_t taken = ring_settle(r, put);

		*sent += taken;
		at += taken;
		if (taken == put)
			continue;
		/* No error, and nothing to do where it looked. */
		r->is_lost = done == 0;
		if (r->is_lost)
			break;
		/* Octets, but not of all frames: it ran out of memory for them on the way. */
		io_count(&stats->drops[outer_reason(done < 0 ? (int)-done : ENOBUFS)], run - taken);
		at += run - taken;
	}
	return at;
}
