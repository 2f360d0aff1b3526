/*
 * engine/io/merge.c - see merge.h. RFC 9293 3.1, RFC 768, RFC 6864; virtio 1.2, 5.1.6.2.
 */
#include "config.h"
#include "engine/io/merge.h"

#include <netinet/in.h>
#include <string.h>

#include "engine/io/vnet.h"
#include "engine/sum.h"
#include "spd/octets.h"

#define IPV4_HEADER 20u
#define IPV6_HEADER 40u
#define TCP_HEADER 20u
#define UDP_HEADER 8u
#define PACKET_MAX 65535u
#define DF 0x4000u
#define TCP_ACK 0x10u
#define TCP_PSH 0x08u
#define TCP_ECE 0x40u

/** What may be joined: where its parts are. */
struct view {
	uint8_t *p;
	uint32_t len, l4, payload;
	uint8_t proto;
};

static bool is_ipv4(const uint8_t *p)
{
	return p[0] >> 4 == 4;
}

/** A whole IPv4 packet without options or an IPv6 one without extension headers, of TCP or UDP. */
static bool find_ports(uint8_t *p, uint32_t len, struct view *v)
{
	if (len < IPV4_HEADER + UDP_HEADER)
		return false;
	v->p = p;
	v->len = len;
	if (is_ipv4(p)) {
		v->l4 = IPV4_HEADER;
		v->proto = p[9];
		/* No fragment, and no bit that nobody has defined. */
		if (p[0] != 0x45 || get_be16(p + 2) != len || (get_be16(p + 6) & ~DF) != 0)
			return false;
	} else {
		v->l4 = IPV6_HEADER;
		v->proto = p[6];
		if (p[0] >> 4 != 6 || len < IPV6_HEADER + UDP_HEADER ||
		    get_be16(p + 4) != len - IPV6_HEADER)
			return false;
	}
	return v->proto == IPPROTO_TCP || v->proto == IPPROTO_UDP;
}

/** May it be a part of something larger at all? */
static bool may_join(const struct merger *m, struct view *v)
{
	const uint8_t *const l4 = v->p + v->l4;

	if (v->proto == IPPROTO_UDP) {
		v->payload = v->l4 + UDP_HEADER;
		return m->udp && v->len > v->payload && get_be16(l4 + 4) == v->len - v->l4 &&
		       get_be16(l4 + 6) != 0;
	}
	if (v->len < v->l4 + TCP_HEADER)
		return false;
	v->payload = v->l4 + (l4[12] >> 4) * 4u;
	/* The reserved bits beside the length of the header count as flags. */
	return v->payload >= v->l4 + TCP_HEADER && v->len > v->payload && (l4[12] & 0x0f) == 0 &&
	       (l4[13] & ~(TCP_PSH | TCP_ECE)) == TCP_ACK;
}

static bool is_last(const struct view *v)
{
	return v->proto == IPPROTO_TCP && (v->p[v->l4 + 13] & TCP_PSH) != 0;
}

/** What of a packet's sums is the same for all that go on with it. */
static void sum_headers(struct merge_run *r)
{
	const uint8_t *const p = r->packet;
	const bool v4 = is_ipv4(p);

	r->pseudo_sum = ipsp_sum_fold((uint64_t)(v4 ? ipsp_sum(p + 12, 8) : ipsp_sum(p + 8, 32)) +
				      r->proto);
	if (v4)
		r->ip_sum = ipsp_sum_fold((uint64_t)get_be16(p) + get_be16(p + 6) +
					  get_be16(p + 8) + ipsp_sum(p + 12, 8));
}

/** @param p  the first packet of the run, or one whose headers go on with it */
static bool sums_right(const struct merge_run *r, const uint8_t *p, uint32_t len)
{
	const uint64_t sum = (uint64_t)r->pseudo_sum + (len - r->l4) +
			     ipsp_sum(p + r->l4, len - r->l4);

	if (is_ipv4(p) && ipsp_sum_fold((uint64_t)r->ip_sum + get_be16(p + 2) + get_be16(p + 4) +
					get_be16(p + 10)) != 0xffff)
		return false;
	return ipsp_sum_fold(sum) == 0xffff;
}

/** Addresses and ports, which stand behind one another. */
static bool same_ends(const uint8_t *p, const uint8_t *q)
{
	return is_ipv4(q) ? memcmp(p + 12, q + 12, 12) == 0 :
			    memcmp(p + 8, q + 8, 32) == 0 && memcmp(p + 40, q + 40, 4) == 0;
}

static bool same_flow(const struct merge_run *r, const struct view *v)
{
	return r->packet && r->packet[0] >> 4 == v->p[0] >> 4 && r->proto == v->proto &&
	       same_ends(r->packet, v->p);
}

/** All of the IP header but lengths and checksums. */
static bool ip_goes_on(const struct merge_run *r, const struct view *v)
{
	const uint8_t *const p = r->packet, *const q = v->p;

	if (!is_ipv4(q))
		return memcmp(p, q, 4) == 0 && p[7] == q[7];
	const uint16_t id = get_be16(p + 4), next = get_be16(q + 4);
	const bool in_turn = next == (uint16_t)(id + r->n);

	return p[1] == q[1] && p[8] == q[8] && get_be16(p + 6) == get_be16(q + 6) &&
	       (in_turn || ((get_be16(q + 6) & DF) && next == id));
}

/** All of the TCP header but the checksum, and PSH, which the last one may have. */
static bool tcp_goes_on(const struct merge_run *r, const struct view *v)
{
	const uint8_t *const p = r->packet + r->l4, *const q = v->p + v->l4;

	if (get_be32(q + 4) != get_be32(p + 4) + r->total || memcmp(p + 8, q + 8, 5) != 0 ||
	    p[13] != (q[13] & ~TCP_PSH) || get_be16(p + 14) != get_be16(q + 14))
		return false;
	/* Time stamps alone, as mostly, or whatever there is. */
	return v->payload - v->l4 == TCP_HEADER + 12 ?
		       memcmp(p + 18, q + 18, 14) == 0 :
		       memcmp(p + 18, q + 18, v->payload - v->l4 - 18) == 0;
}

static bool goes_on(struct merge_run *r, const struct view *v)
{
	const uint32_t size = v->len - v->payload;

	if (r->n == MERGE_PACKETS_MAX || v->payload != r->payload || size > r->size ||
	    r->payload + r->total + size > PACKET_MAX || !ip_goes_on(r, v) ||
	    (v->proto == IPPROTO_TCP && !tcp_goes_on(r, v)))
		return false;
	if (!r->sums_right) {
		sum_headers(r);
		r->sums_right = sums_right(r, r->packet, r->payload + r->size);
	}
	return r->sums_right && sums_right(r, v->p, v->len);
}

/** Headers for all of it; the checksum is the kernel's to finish. */
static void finish(struct merge_run *r)
{
	const uint32_t len = r->payload + r->total;
	const uint32_t sum_at = r->proto == IPPROTO_TCP ? 16 : 6;
	uint8_t *const p = r->packet;

	if (is_ipv4(p)) {
		put_be16(p + 2, (uint16_t)len);
		put_be16(p + 10, (uint16_t)~ipsp_sum_fold((uint64_t)r->ip_sum + len +
							  get_be16(p + 4)));
	} else {
		put_be16(p + 4, (uint16_t)(len - IPV6_HEADER));
	}
	if (r->proto == IPPROTO_UDP)
		put_be16(p + r->l4 + 4, (uint16_t)(len - r->l4));
	put_be16(p + r->l4 + sum_at, ipsp_sum_fold((uint64_t)r->pseudo_sum + len - r->l4));
	r->vnet = (struct virtio_net_hdr) {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = r->proto == IPPROTO_UDP ? VNET_GSO_UDP_L4 :
			    is_ipv4(p) ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = (uint16_t)r->payload,
		.gso_size = (uint16_t)r->size,
		.csum_start = (uint16_t)r->l4,
		.csum_offset = (uint16_t)sum_at,
	};
}

static void write_run(struct merger *m, struct merge_run *r)
{
	if (!r->packet)
		return;
	if (r->n > 1)
		finish(r);
	m->write(m->ctx, r->iov, 1u + r->n, r->n);
	r->packet = NULL;
}

static void write_one(struct merger *m, uint8_t *packet, uint32_t len)
{
	struct virtio_net_hdr plain = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	const struct iovec iov[] = { { &plain, sizeof(plain) }, { packet, len } };

	m->write(m->ctx, iov, 2, 1);
}

static struct merge_run *find_run(struct merger *m, const struct view *v)
{
	for (size_t i = 0; i < MERGE_FLOWS; i++) {
		if (same_flow(&m->runs[i], v))
			return &m->runs[i];
	}
	return NULL;
}

static struct merge_run *free_run(struct merger *m)
{
	for (size_t i = 0; i < MERGE_FLOWS; i++) {
		if (!m->runs[i].packet)
			return &m->runs[i];
	}
	struct merge_run *const r = &m->runs[m->oldest];

	m->oldest = (m->oldest + 1) % MERGE_FLOWS;
	write_run(m, r);
	return r;
}

static void begin_run(struct merge_run *r, const struct view *v)
{
	r->packet = v->p;
	r->l4 = v->l4;
	r->payload = v->payload;
	r->size = r->total = v->len - v->payload;
	r->proto = v->proto;
	r->sums_right = false;
	r->n = 1;
	memset(&r->vnet, 0, sizeof(r->vnet));
	r->iov[0] = (struct iovec) { &r->vnet, sizeof(r->vnet) };
	r->iov[1] = (struct iovec) { v->p, v->len };
}

static void append(struct merger *m, struct merge_run *r, const struct view *v)
{
	const uint32_t size = v->len - v->payload;

	r->iov[1 + r->n++] = (struct iovec) { v->p + v->payload, size };
	r->total += size;
	if (v->proto == IPPROTO_TCP)
		r->packet[r->l4 + 13] = v->p[v->l4 + 13];
	if (size < r->size || is_last(v))
		write_run(m, r);
}

void merge_init(struct merger *m, bool udp, merge_write *write, void *ctx)
{
	m->write = write;
	m->ctx = ctx;
	m->udp = udp;
	m->oldest = 0;
	for (size_t i = 0; i < MERGE_FLOWS; i++)
		m->runs[i].packet = NULL;
}

void merge_add(struct merger *m, uint8_t *packet, uint32_t len)
{
	struct view v;

	if (!find_ports(packet, len, &v)) {
		merge_flush(m);
		write_one(m, packet, len);
		return;
	}
	struct merge_run *r = find_run(m, &v);
	const bool joins = may_join(m, &v);

	if (r && joins && goes_on(r, &v)) {
		append(m, r, &v);
		return;
	}
	if (r)
		write_run(m, r);
	if (!joins || is_last(&v)) {
		write_one(m, packet, len);
		return;
	}
	begin_run(r ? r : free_run(m), &v);
}

void merge_flush(struct merger *m)
{
	for (size_t i = 0; i < MERGE_FLOWS; i++) {
		struct merge_run *const r = &m->runs[(m->oldest + i) % MERGE_FLOWS];

		write_run(m, r);
	}
	m->oldest = 0;
}
