/* engine/io/fast.c - ESP and AH by a packet socket: see fast.h. */
#include "config.h"
#include "engine/io/fast.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "engine/io/nexthop.h"
#include "engine/io/ring.h"

#define IPV4_HEADER 20u
#define IPV6_HEADER 40u

struct fast {
	int fd;
	struct ring *ring;	/* NULL: none */
	struct nexthops *hops;
	bool by_kernel[2];	/* by family: the rest of this turn */
};

int fast_new(int fd, struct ring *ring, uint32_t mark, struct egress *egress, struct fast **out)
{
	struct fast *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->fd = fd;
	err = nexthops_new(mark, egress, &f->hops);
	if (err) {
		free(f);
		return err;
	}
	f->ring = ring;
	*out = f;
	return 0;
}

void fast_free(struct fast *f)
{
	if (!f)
		return;
	ring_free(f->ring);
	nexthops_free(f->hops);
	free(f);
}

void fast_turn(struct fast *f)
{
	nexthops_refresh(f->hops);
	f->by_kernel[OUTER_IPV4] = f->by_kernel[OUTER_IPV6] = false;
}

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool is_protected(uint8_t proto)
{
	return proto == IPPROTO_ESP || proto == IPPROTO_AH;
}

/* What the kernel would not change but for the checksum: identification is its own unless DF is set. */
static bool is_ready4(const uint8_t *p, uint32_t len)
{
	const uint32_t header = (p[0] & 15u) * 4;

	return header >= IPV4_HEADER && header <= len && get_u16(p + 2) == len &&
	       get_u16(p + 6) == 0x4000 && is_protected(p[9]);
}

/* An extension header before it, as that of a fragment, is not ours to know. */
static bool is_ready6(const uint8_t *p, uint32_t len)
{
	const bool is_link_local = p[24] == 0xfe && (p[25] & 0xc0) == 0x80;

	return get_u16(p + 4) + IPV6_HEADER == len && is_protected(p[6]) && !is_link_local;
}

static void write_checksum(uint8_t *p)
{
	const uint32_t header = (p[0] & 15u) * 4;
	uint32_t sum = 0;

	p[10] = p[11] = 0;
	for (uint32_t i = 0; i < header; i += 2)
		sum += get_u16(p + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16));
	p[10] = (uint8_t)(sum >> 8);
	p[11] = (uint8_t)sum;
}

/* Packets one after the other mostly have one next hop. */
struct last {
	const uint8_t *addrs;		/* of the packet that asked; NULL: none did */
	const struct nexthop *hop;
};

/* @return NULL: the kernel must send it */
static const struct nexthop *hop_of(struct fast *f, enum outer_family family,
				    const struct outer_send *p, struct last *last)
{
	const uint8_t *const addrs = p->data + (family == OUTER_IPV4 ? 12 : 8);
	struct ipsp_addr src = { .family = family == OUTER_IPV4 ? 4 : 6 }, dst = src;
	const size_t size = ipsp_addr_size(src.family);

	/* Pinned to an interface: a clear packet. */
	if (p->ifindex != 0 || !(family == OUTER_IPV4 ? is_ready4(p->data, p->len) :
							is_ready6(p->data, p->len)))
		return NULL;
	if (!last->addrs || memcmp(last->addrs, addrs, 2 * size) != 0) {
		memcpy(src.octets, addrs, size);
		memcpy(dst.octets, addrs + size, size);
		last->addrs = addrs;
		last->hop = nexthops_find(f->hops, &src, &dst);
	}
	return last->hop && p->len <= last->hop->mtu ? last->hop : NULL;
}

static struct sockaddr_ll address(const struct nexthop *hop, enum outer_family family)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(family == OUTER_IPV4 ? ETH_P_IP : ETH_P_IPV6),
		.sll_ifindex = (int)hop->ifindex,
		.sll_halen = NEXTHOP_LLADDR,
	};

	memcpy(to.sll_addr, hop->lladdr, NEXTHOP_LLADDR);
	return to;
}

static size_t send_messages(const struct fast *f, enum outer_family family, const struct nexthop *hops,
			    const struct outer_send *packets, size_t n, struct io_stats *stats)
{
	struct mmsghdr msgs[IO_BATCH];
	struct iovec iov[IO_BATCH];
	struct sockaddr_ll to[IO_BATCH];

	memset(msgs, 0, n * sizeof(msgs[0]));
	for (size_t i = 0; i < n; i++) {
		to[i] = address(&hops[i], family);
		iov[i] = (struct iovec) { packets[i].data, packets[i].len };
		msgs[i].msg_hdr = (struct msghdr) {
			.msg_name = &to[i], .msg_namelen = sizeof(to[i]),
			.msg_iov = &iov[i], .msg_iovlen = 1,
		};
	}
	return outer_send_all(f->fd, msgs, n, stats);
}

static bool fits_ring(const struct outer_send *packets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (packets[i].len > RING_PACKET_MAX)
			return false;
	}
	return true;
}

bool fast_send(struct fast *f, enum outer_family family, const struct outer_send *packets, size_t n,
	       struct io_stats *stats, size_t *sent)
{
	struct nexthop hops[IO_BATCH];
	struct last last = { 0 };
	size_t done = 0, by_ring = 0;

	if (f->by_kernel[family] || n > IO_BATCH)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct nexthop *const hop = hop_of(f, family, &packets[i], &last);

		if (!hop) {
			f->by_kernel[family] = true;
			return false;
		}
		hops[i] = *hop;
	}
	for (size_t i = 0; family == OUTER_IPV4 && i < n; i++)
		write_checksum(packets[i].data);
	if (f->ring && fits_ring(packets, n))
		done = ring_send(f->ring, family, hops, packets, n, stats, &by_ring);
	/* What the ring has taken is with the interface, so this overtakes nothing. */
	*sent = by_ring + send_messages(f, family, hops + done, packets + done, n - done, stats);
	io_count(&stats->fast, *sent);
	return true;
}
