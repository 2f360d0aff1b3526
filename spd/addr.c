/*
 * spd/addr.c - IP addresses as values: order, prefixes, text (RFC 5952).
 */
#include <string.h>

#include "ipsp/types.h"

/** A place to print to that cannot overflow: IPSP_ADDR_TEXT holds the longest address. */
struct text {
	char *at;
};

static void put_char(struct text *t, char c)
{
	*t->at++ = c;
}

static void put_number(struct text *t, unsigned value, unsigned base)
{
	static const char digits[] = "0123456789abcdef";
	char reversed[5];
	size_t n = 0;

	do {
		reversed[n++] = digits[value % base];
		value /= base;
	} while (value);
	while (n > 0)
		put_char(t, reversed[--n]);
}

static void print_v4(struct text *t, const uint8_t *octets)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i > 0)
			put_char(t, '.');
		put_number(t, octets[i], 10);
	}
}

/* RFC 5952 4.2.3: the longest run of two or more zero groups, the first of equals. */
static void longest_zeros(const uint16_t groups[8], unsigned *start, unsigned *len)
{
	*start = *len = 0;
	for (unsigned i = 0; i < 8; i++) {
		unsigned run = 0;

		while (i + run < 8 && groups[i + run] == 0)
			run++;
		if (run >= 2 && run > *len) {
			*start = i;
			*len = run;
		}
	}
}

static void print_v6(struct text *t, const uint8_t *octets)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint16_t groups[8];
	unsigned start, len;
	unsigned n = 8;

	for (unsigned i = 0; i < 8; i++)
		groups[i] = (uint16_t)(octets[2 * i] << 8 | octets[2 * i + 1]);
	if (!memcmp(octets, mapped, sizeof(mapped)))
		n = 6;	/* RFC 5952 5: ::ffff:192.0.2.1 */
	longest_zeros(groups, &start, &len);
	for (unsigned i = 0; i < n; i++) {
		if (len > 0 && i == start) {
			put_char(t, ':');
			put_char(t, ':');
			i += len - 1;
			continue;
		}
		if (i > 0 && (len == 0 || i != start + len))
			put_char(t, ':');
		put_number(t, groups[i], 16);
	}
	if (n == 6) {
		put_char(t, ':');
		print_v4(t, octets + 12);
	}
}

int ipsp_addr_cmp(const struct ipsp_addr *a, const struct ipsp_addr *b)
{
	int order;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	order = memcmp(a->octets, b->octets, ipsp_addr_size(a->family));
	return order < 0 ? -1 : order > 0;
}

enum ipsp_err ipsp_addr_prefix(const struct ipsp_addr *a, unsigned prefix_len,
			       struct ipsp_addr *lo, struct ipsp_addr *hi)
{
	struct ipsp_addr first = { .family = a->family }, last = { .family = a->family };
	size_t size = ipsp_addr_size(a->family);

	if (size == 0 || prefix_len > 8 * size)
		return IPSP_EINVAL;
	for (unsigned i = 0; i < size; i++) {
		unsigned kept = prefix_len > 8 * i ? prefix_len - 8 * i : 0;
		uint8_t host = kept >= 8 ? 0 : (uint8_t)(0xff >> kept);

		first.octets[i] = a->octets[i] & (uint8_t)~host;
		last.octets[i] = a->octets[i] | host;
	}
	*lo = first;
	*hi = last;
	return IPSP_OK;
}

const char *ipsp_addr_print(const struct ipsp_addr *a, char buf[IPSP_ADDR_TEXT])
{
	struct text t = { buf };

	switch (a->family) {
	case 4:
		print_v4(&t, a->octets);
		break;
	case 6:
		print_v6(&t, a->octets);
		break;
	default:
		memcpy(t.at, "any", 3);
		t.at += 3;
		break;
	}
	put_char(&t, '\0');
	return buf;
}
