/*
 * engine/reassemble.c - fragments, put together.
 *
 * A datagram's data lies at its final place; a bit for each eight octets says what is there. Its
 * headers are those of its first fragment: IPv4's header, or all before IPv6's fragment header.
 */
#include <string.h>

#include "engine/header.h"
#include "engine/siphash.h"
#include "ipsp/platform.h"
#include "ipsp/reassemble.h"
#include "spd/octets.h"

#define DATA_MAX 65535u
#define BLOCKS (DATA_MAX / 8 + 1)
#define HEADERS_MAX 256u	/* more before a fragment header is no honest packet */
#define WAYS 4u

enum { ECN_NOT = 1 << 0, ECN_CE = 1 << 3 };

struct datagram {
	struct ipsp_addr src, dst;
	uint32_t id;
	uint8_t proto;			/* IPv4 */
	uint8_t ecns;			/* what fragments had, a bit each */
	uint64_t began_s;		/* one more than the first fragment's time; 0: free */
	uint32_t headers_len;		/* 0: the first fragment is missing */
	uint32_t nh_offset;		/* IPv6: in headers; what is to be named there: */
	uint8_t nh;
	uint32_t data_len;		/* of the datagram; 0: its last fragment is missing */
	uint32_t end;			/* of what came */
	uint32_t have;			/* octets that came */
	uint8_t headers[HEADERS_MAX];
	uint64_t blocks[(BLOCKS + 63) / 64];
	uint8_t data[DATA_MAX + 1];
};

struct ipsp_reassembly {
	uint8_t key[IPSP_SIPHASH_KEY];
	uint32_t n;			/* datagrams; what follows stands behind this */
	uint32_t timeout_s;
	struct ipsp_reassembly_stats stats;
	struct datagram datagrams[];
};

static size_t size_of(uint32_t n)
{
	return sizeof(struct ipsp_reassembly) + (size_t)n * sizeof(struct datagram);
}

enum ipsp_err ipsp_reassembly_new(const struct ipsp_platform *platform, uint32_t n,
				  uint32_t timeout_s, struct ipsp_reassembly **out)
{
	if (n == 0 || n > IPSP_REASSEMBLY_MAX || timeout_s == 0)
		return IPSP_EINVAL;
	struct ipsp_reassembly *r = platform->alloc(platform->ctx, size_of(n));

	if (!r)
		return IPSP_ENOMEM;
	if (platform->random(platform->ctx, r->key, sizeof(r->key)) != IPSP_OK) {
		platform->free(platform->ctx, r, size_of(n));
		return IPSP_ECRYPTO;
	}
	r->n = n;
	r->timeout_s = timeout_s;
	*out = r;
	return IPSP_OK;
}

void ipsp_reassembly_free(const struct ipsp_platform *platform, struct ipsp_reassembly *r)
{
	if (!r)
		return;
	const size_t size = size_of(r->n);

	platform->wipe(platform->ctx, r, size);
	platform->free(platform->ctx, r, size);
}

void ipsp_reassembly_set_timeout(struct ipsp_reassembly *r, uint32_t timeout_s)
{
	r->timeout_s = timeout_s;
}

void ipsp_reassembly_stats(const struct ipsp_reassembly *r, struct ipsp_reassembly_stats *out)
{
	*out = r->stats;
}

/* ---- which datagram ---- */

/* A few places may hold it, chosen by a hash that nobody can steer. */
static uint32_t first_place(const struct ipsp_reassembly *r, const struct ipsp_flow *f)
{
	uint8_t words[37] = { f->family == 4 ? f->proto : 0 };

	memcpy(words + 1, f->src.octets, 16);
	memcpy(words + 17, f->dst.octets, 16);
	memcpy(words + 33, &f->frag_id, 4);
	return (uint32_t)(ipsp_siphash(r->key, words, sizeof(words)) % r->n);
}

static bool is_of(const struct datagram *d, const struct ipsp_flow *f)
{
	return d->began_s != 0 && d->id == f->frag_id &&
	       (f->family != 4 || d->proto == f->proto) && ipsp_addr_cmp(&d->src, &f->src) == 0 &&
	       ipsp_addr_cmp(&d->dst, &f->dst) == 0;
}

static bool is_late(const struct ipsp_reassembly *r, const struct datagram *d, uint64_t now_s)
{
	return d->began_s != 0 && now_s + 1 - d->began_s > r->timeout_s;
}

static void forget(struct datagram *d)
{
	d->began_s = 0;
}

static void begin(struct datagram *d, const struct ipsp_flow *f, uint64_t now_s)
{
	memset(d, 0, offsetof(struct datagram, headers));
	memset(d->blocks, 0, sizeof(d->blocks));
	d->src = f->src;
	d->dst = f->dst;
	d->id = f->frag_id;
	d->proto = f->proto;
	d->began_s = now_s + 1;
}

/* The datagram of a fragment; if it has none yet, in a place that is free, late or the oldest. */
static struct datagram *datagram_of(struct ipsp_reassembly *r, const struct ipsp_flow *f,
				    uint64_t now_s)
{
	const uint32_t place = first_place(r, f);
	struct datagram *oldest = NULL;

	for (uint32_t i = 0; i < WAYS && i < r->n; i++) {
		struct datagram *const d = &r->datagrams[(place + i) % r->n];

		if (is_late(r, d, now_s)) {
			r->stats.timeouts++;
			forget(d);
		}
		if (is_of(d, f))
			return d;
		if (!oldest || d->began_s < oldest->began_s)
			oldest = d;
	}
	if (oldest->began_s != 0)
		r->stats.evicted++;
	begin(oldest, f, now_s);
	return oldest;
}

bool ipsp_reassembly_has(const struct ipsp_reassembly *r, const struct ipsp_flow *flow,
			 uint64_t now_s)
{
	const uint32_t place = first_place(r, flow);

	for (uint32_t i = 0; i < WAYS && i < r->n; i++) {
		const struct datagram *const d = &r->datagrams[(place + i) % r->n];

		if (is_of(d, flow) && !is_late(r, d, now_s))
			return true;
	}
	return false;
}

/* ---- its octets ---- */

static bool has_block(const struct datagram *d, uint32_t block)
{
	return d->blocks[block / 64] >> (block % 64) & 1;
}

/* How many of the blocks are there already? */
static uint32_t count_there(const struct datagram *d, uint32_t first, uint32_t end)
{
	uint32_t n = 0;

	for (uint32_t i = first; i < end; i++)
		n += has_block(d, i);
	return n;
}

/* RFC 791, RFC 8200 4.5: whole blocks but for the last fragment, and one end only. */
static bool lengths_fit(const struct datagram *d, const struct ipsp_flow *f, uint32_t len)
{
	const uint32_t end = f->frag_offset + len;

	if (len == 0 || end > DATA_MAX || (f->frag_more && len % 8 != 0))
		return false;
	if (!f->frag_more)
		return d->data_len ? end == d->data_len : end >= d->end;
	return !d->data_len || end < d->data_len;
}

static enum ipsp_reason add_data(struct datagram *d, const struct ipsp_flow *f, const uint8_t *data,
				 uint32_t len)
{
	const uint32_t first = f->frag_offset / 8, end = (f->frag_offset + len + 7) / 8;
	const uint32_t there = count_there(d, first, end);

	if (there == end - first)
		return memcmp(d->data + f->frag_offset, data, len) == 0 ? IPSP_REASON_NONE :
									   IPSP_REASON_FRAG_OVERLAP;
	if (there > 0)
		return IPSP_REASON_FRAG_OVERLAP;
	memcpy(d->data + f->frag_offset, data, len);
	for (uint32_t i = first; i < end; i++)
		d->blocks[i / 64] |= UINT64_C(1) << (i % 64);
	d->have += len;
	if (f->frag_offset + len > d->end)
		d->end = f->frag_offset + len;
	if (!f->frag_more)
		d->data_len = f->frag_offset + len;
	return IPSP_REASON_NONE;
}

static enum ipsp_reason add(struct datagram *d, const struct ipsp_packet *packet,
			    const struct ipsp_flow *f)
{
	const uint32_t len = f->total_len - f->frag_at;
	/* IPv6: without the fragment header. */
	const uint32_t headers_len = f->family == 4 ? f->frag_at : f->frag_at - 8;

	if (!lengths_fit(d, f, len) || headers_len > HEADERS_MAX)
		return IPSP_REASON_FRAG_LENGTH;
	d->ecns |= (uint8_t)(1u << f->ecn);
	if (f->frag == IPSP_FRAG_FIRST && d->headers_len == 0) {
		memcpy(d->headers, packet->data, headers_len);
		d->headers_len = headers_len;
		d->nh_offset = f->frag_nh_offset;
		d->nh = f->family == 4 ? f->proto : packet->data[headers_len];
	}
	return add_data(d, f, packet->data + f->frag_at, len);
}

/* RFC 3168 5.3: a mark on one fragment is one on the datagram, if all could bear it. */
static bool ecn_of(const struct datagram *d, const struct ipsp_flow *f, uint8_t *ecn)
{
	*ecn = d->ecns & ECN_CE ? 3 : f->ecn;
	return !(d->ecns & ECN_CE) || !(d->ecns & ECN_NOT);
}

static enum ipsp_reason put_whole(const struct datagram *d, const struct ipsp_flow *f,
				  struct ipsp_packet *packet)
{
	const uint32_t len = d->headers_len + d->data_len;
	const size_t head = (size_t)(packet->data - packet->room);
	uint8_t ecn;

	if (!ecn_of(d, f, &ecn))
		return IPSP_REASON_ECN;
	if (f->family == 4 && len > 65535)
		return IPSP_REASON_FRAG_LENGTH;
	if (f->family == 6 && len - IPSP_V6_HEADER > 65535)
		return IPSP_REASON_FRAG_LENGTH;
	if (len > packet->room_len - head)
		return IPSP_REASON_NO_ROOM;
	memcpy(packet->data, d->headers, d->headers_len);
	memcpy(packet->data + d->headers_len, d->data, d->data_len);
	packet->len = len;
	if (f->family == 4)
		put_be16(packet->data + 6, 0);
	ipsp_header_update(packet->data, f->family, f->family == 4 ? 9 : d->nh_offset, d->nh, len);
	ipsp_ecn_set(packet->data, f->family, ecn);
	return IPSP_REASON_NONE;
}

enum ipsp_reassembly_result ipsp_reassemble(struct ipsp_reassembly *r, struct ipsp_packet *packet,
					    const struct ipsp_flow *flow, uint64_t now_s,
					    enum ipsp_reason *reason)
{
	struct datagram *const d = datagram_of(r, flow, now_s);

	*reason = add(d, packet, flow);
	if (*reason == IPSP_REASON_NONE) {
		if (d->headers_len == 0 || d->data_len == 0 || d->have < d->data_len)
			return IPSP_REASSEMBLY_HELD;
		*reason = put_whole(d, flow, packet);
	}
	forget(d);
	if (*reason == IPSP_REASON_NONE)
		r->stats.done++;
	else
		r->stats.refused++;
	return *reason == IPSP_REASON_NONE ? IPSP_REASSEMBLY_WHOLE : IPSP_REASSEMBLY_DROP;
}
