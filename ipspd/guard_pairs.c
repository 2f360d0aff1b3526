/*
 * ipspd/guard_pairs.c - covers boxes with prefix pairs.
 *
 * Everything here may grow what it covers and never shrink it: ip rules know prefixes only, and the
 * kernel should not be given too many of them.
 */
#include "config.h"

#include "ipspd/guard_pairs.h"

#include <stdlib.h>
#include <string.h>

#define EXACT_MAX 16	/* prefixes a range may fall into before it is covered by one */

typedef unsigned __int128 num;	/* an address as a number; IPv4 in the low 32 bits */

struct prefix {
	num net;
	uint8_t len;
};

static unsigned family_bits(uint8_t family)
{
	return family == 4 ? 32 : 128;
}

static num to_num(const struct ipsp_addr *a)
{
	num v = 0;

	for (size_t i = 0; i < ipsp_addr_size(a->family); i++)
		v = v << 8 | a->octets[i];
	return v;
}

static struct ipsp_addr to_addr(uint8_t family, num v)
{
	struct ipsp_addr a = { .family = family };

	for (size_t i = ipsp_addr_size(family); i > 0; i--) {
		a.octets[i - 1] = (uint8_t)v;
		v >>= 8;
	}
	return a;
}

/* 2^bits - 1, for 0..128 bits. */
static num low_mask(unsigned bits)
{
	return bits >= 128 ? ~(num)0 : ((num)1 << bits) - 1;
}

/* The smallest prefix that holds both ends. */
static struct prefix cover(num lo, num hi, unsigned bits)
{
	unsigned host = 0;

	while (host < bits && (lo & ~low_mask(host)) != (hi & ~low_mask(host)))
		host++;
	return (struct prefix){ lo & ~low_mask(host), (uint8_t)(bits - host) };
}

/* Splits lo..hi into whole prefixes; into the covering one when they are more than EXACT_MAX. */
static size_t split(num lo, num hi, unsigned bits, struct prefix out[EXACT_MAX])
{
	size_t n = 0;

	for (num at = lo;;) {
		unsigned host = 0;

		while (host < bits && (at & low_mask(host + 1)) == 0 &&
		       low_mask(host + 1) <= hi - at)
			host++;
		if (n == EXACT_MAX) {
			out[0] = cover(lo, hi, bits);
			return 1;
		}
		out[n++] = (struct prefix){ at, (uint8_t)(bits - host) };
		if (hi - at == low_mask(host))
			return n;
		at += low_mask(host) + 1;
	}
}

static bool append(struct guard_pairs *p, const struct guard_pair *pair)
{
	if (p->n == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		struct guard_pair *items =
			(struct guard_pair *)reallocarray(p->items, room, sizeof(*items));

		if (!items)
			return false;
		p->items = items;
		p->room = room;
	}
	p->items[p->n++] = *pair;
	return true;
}

bool guard_pairs_add(struct guard_pairs *p, const struct ipsp_selector *s)
{
	unsigned bits = family_bits(s->family);
	struct prefix src[EXACT_MAX], dst[EXACT_MAX];
	size_t n_src = split(to_num(&s->src_lo), to_num(&s->src_hi), bits, src);
	size_t n_dst = split(to_num(&s->dst_lo), to_num(&s->dst_hi), bits, dst);

	for (size_t i = 0; i < n_src; i++) {
		for (size_t j = 0; j < n_dst; j++) {
			struct guard_pair pair = {
				.family = s->family,
				.src_len = src[i].len, .src = to_addr(s->family, src[i].net),
				.dst_len = dst[j].len, .dst = to_addr(s->family, dst[j].net),
			};

			if (!append(p, &pair))
				return false;
		}
	}
	return true;
}

int guard_pair_cmp(const struct guard_pair *a, const struct guard_pair *b)
{
	int c = (a->family > b->family) - (a->family < b->family);

	if (c == 0)
		c = memcmp(a->src.octets, b->src.octets, sizeof(a->src.octets));
	if (c == 0)
		c = (a->src_len > b->src_len) - (a->src_len < b->src_len);
	if (c == 0)
		c = memcmp(a->dst.octets, b->dst.octets, sizeof(a->dst.octets));
	if (c == 0)
		c = (a->dst_len > b->dst_len) - (a->dst_len < b->dst_len);
	return c;
}

static int cmp(const void *a, const void *b)
{
	return guard_pair_cmp((const struct guard_pair *)a, (const struct guard_pair *)b);
}

static void sort_unique(struct guard_pairs *p)
{
	size_t n = 0;

	if (p->n == 0)
		return;
	qsort(p->items, p->n, sizeof(*p->items), cmp);
	for (size_t i = 0; i < p->n; i++) {
		if (n == 0 || guard_pair_cmp(&p->items[n - 1], &p->items[i]) != 0)
			p->items[n++] = p->items[i];
	}
	p->n = n;
}

static void shorten(uint8_t family, struct ipsp_addr *a, uint8_t *len, unsigned max_len)
{
	if (*len <= max_len)
		return;
	*len = (uint8_t)max_len;
	*a = to_addr(family, to_num(a) & ~low_mask(family_bits(family) - max_len));
}

void guard_pairs_reduce(struct guard_pairs *p, size_t max)
{
	sort_unique(p);
	/* IPv6 goes four bits down for each bit of IPv4; at 0 at most two pairs are left. */
	for (unsigned len = 31; p->n > max; len--) {
		for (size_t i = 0; i < p->n; i++) {
			struct guard_pair *pair = &p->items[i];
			unsigned max_len = pair->family == 4 ? len : len * 4;

			shorten(pair->family, &pair->src, &pair->src_len, max_len);
			shorten(pair->family, &pair->dst, &pair->dst_len, max_len);
		}
		sort_unique(p);
		if (len == 0)
			return;
	}
}

void guard_pairs_fini(struct guard_pairs *p)
{
	free(p->items);
	*p = (struct guard_pairs){ NULL, 0, 0 };
}

void guard_pair_box(const struct guard_pair *p, struct ipsp_selector *out)
{
	unsigned bits = family_bits(p->family);

	ipsp_selector_any(p->family, out);
	out->src_lo = p->src;
	out->src_hi = to_addr(p->family, to_num(&p->src) | low_mask(bits - p->src_len));
	out->dst_lo = p->dst;
	out->dst_hi = to_addr(p->family, to_num(&p->dst) | low_mask(bits - p->dst_len));
}
