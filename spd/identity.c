/*
 * spd/identity.c - one side of a policy as text. Freestanding, as it is for embedders without a C
 * library's inet_pton.
 */
#include <string.h>

#include "ipsp/identity.h"

/** What is left of the text. */
struct text {
	const char *at, *end;
};

static bool done(const struct text *t)
{
	return t->at == t->end;
}

static bool take(struct text *t, char c)
{
	if (done(t) || *t->at != c)
		return false;
	t->at++;
	return true;
}

/* The first c, or the end. */
static const char *find(const struct text *t, char c)
{
	const char *at = t->at;

	while (at != t->end && *at != c)
		at++;
	return at;
}

/* The part before the first c; the text goes on behind it. False: there is no c. */
static bool cut(struct text *t, char c, struct text *before)
{
	const char *const found = find(t, c);

	if (found == t->end)
		return false;
	*before = (struct text) { t->at, found };
	t->at = found + 1;
	return true;
}

static struct text text_of(const char *string)
{
	struct text t = { string, string };

	while (*t.end)
		t.end++;
	return t;
}

static int digit_of(char c, unsigned base)
{
	const int lower = c | 0x20;
	const int value = c >= '0' && c <= '9' ? c - '0' :
			  lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;

	return value < (int)base ? value : -1;
}

/* Digits, one at least, up to a value; no more than so many of them. */
static bool take_number(struct text *t, unsigned base, unsigned digits_max, uint32_t max,
			uint32_t *out)
{
	uint32_t value = 0;
	unsigned n = 0;

	for (; !done(t) && digit_of(*t->at, base) >= 0; n++) {
		if (n == digits_max)
			return false;
		value = value * base + (uint32_t)digit_of(*t->at++, base);
	}
	*out = value;
	return n > 0 && value <= max;
}

/* Without leading zeros, which some would read as octal. */
static bool take_v4(struct text *t, uint8_t out[4])
{
	for (unsigned i = 0; i < 4; i++) {
		uint32_t octet;

		if (i > 0 && !take(t, '.'))
			return false;
		const bool zero = !done(t) && *t->at == '0';

		if (!take_number(t, 10, zero ? 1 : 3, 255, &octet))
			return false;
		out[i] = (uint8_t)octet;
	}
	return true;
}

/* Does a dotted quad stand here? Then the number before it is no group. */
static bool is_v4_next(struct text t)
{
	uint8_t ignored[4];

	return take_v4(&t, ignored) && done(&t);
}

/* RFC 4291 2.2: groups, one "::" for a run of zeros, the last two perhaps as IPv4. */
static bool read_v6(struct text t, uint8_t out[16])
{
	uint8_t octets[16] = { 0 };
	size_t n = 0, gap = SIZE_MAX;

	if (take(&t, ':')) {
		if (!take(&t, ':'))
			return false;
		gap = 0;
	}
	while (!done(&t)) {
		uint32_t group;

		if (n <= 12 && is_v4_next(t)) {
			if (!take_v4(&t, octets + n))
				return false;
			n += 4;
			break;
		}
		if (n > 14 || !take_number(&t, 16, 4, 0xffff, &group))
			return false;
		octets[n++] = (uint8_t)(group >> 8);
		octets[n++] = (uint8_t)group;
		if (done(&t))
			break;
		if (!take(&t, ':'))
			return false;
		if (take(&t, ':')) {
			if (gap != SIZE_MAX)
				return false;
			gap = n;
		} else if (done(&t)) {
			return false;
		}
	}
	if (!done(&t) || (gap == SIZE_MAX ? n != 16 : n > 14))
		return false;
	memset(out, 0, 16);
	if (gap == SIZE_MAX)
		gap = n;
	memcpy(out, octets, gap);
	memcpy(out + 16 - (n - gap), octets + gap, n - gap);
	return true;
}

static bool read_addr(struct text t, struct ipsp_addr *out)
{
	struct text v4 = t;

	*out = (struct ipsp_addr) { .family = 4 };
	if (take_v4(&v4, out->octets) && done(&v4))
		return true;
	*out = (struct ipsp_addr) { .family = 6 };
	return read_v6(t, out->octets);
}

static bool read_ports(struct text t, struct ipsp_identity *out)
{
	if (!take_number(&t, 10, 5, 65535, &out->port_lo))
		return false;
	out->port_hi = out->port_lo;
	if (take(&t, '-') && (!take_number(&t, 10, 5, 65535, &out->port_hi) ||
			      out->port_hi < out->port_lo || out->port_lo == 0))
		return false;
	if (!done(&t))
		return false;
	if (out->port_lo == 0)
		out->port_hi = IPSP_PORT_NONE;
	return true;
}

/* The bits of a mask, which must all stand in front. */
static bool mask_len(const uint8_t mask[4], uint32_t *bits)
{
	const uint32_t all = (uint32_t)mask[0] << 24 | (uint32_t)mask[1] << 16 |
			     (uint32_t)mask[2] << 8 | mask[3];

	for (*bits = 0; *bits < 32 && all & 0x80000000u >> *bits; (*bits)++)
		;
	return *bits == 0 ? all == 0 : all == 0xffffffffu << (32 - *bits);
}

static enum ipsp_identity_fault read_prefix(struct text t, struct ipsp_identity *out)
{
	const struct ipsp_addr base = out->lo;
	struct text dotted = t;
	uint8_t mask[4];
	uint32_t bits;

	if (base.family == 4 && take_v4(&dotted, mask) && done(&dotted)) {
		if (!mask_len(mask, &bits))
			return IPSP_IDENTITY_RANGE;
	} else if (!take_number(&t, 10, 3, 128, &bits) || !done(&t)) {
		return IPSP_IDENTITY_RANGE;
	}
	return ipsp_addr_prefix(&base, bits, &out->lo, &out->hi) == IPSP_OK ? IPSP_IDENTITY_OK :
									    IPSP_IDENTITY_RANGE;
}

static enum ipsp_identity_fault read_addrs(struct text t, struct ipsp_identity *out)
{
	struct text first;

	if (cut(&t, '/', &first)) {
		if (!read_addr(first, &out->lo))
			return IPSP_IDENTITY_FORM;
		return read_prefix(t, out);
	}
	if (cut(&t, '-', &first)) {
		if (!read_addr(first, &out->lo) || !read_addr(t, &out->hi))
			return IPSP_IDENTITY_FORM;
		return out->lo.family == out->hi.family && ipsp_addr_cmp(&out->lo, &out->hi) <= 0 ?
		       IPSP_IDENTITY_OK : IPSP_IDENTITY_RANGE;
	}
	if (!read_addr(t, &out->lo))
		return IPSP_IDENTITY_FORM;
	out->hi = out->lo;
	return IPSP_IDENTITY_OK;
}

static bool is_word(struct text t, const char *word)
{
	const struct text w = text_of(word);
	const size_t len = (size_t)(w.end - w.at);

	return (size_t)(t.end - t.at) == len && memcmp(t.at, word, len) == 0;
}

static enum ipsp_identity_fault read_any(uint8_t family, struct ipsp_identity *out)
{
	out->lo = (struct ipsp_addr) { .family = family };
	out->hi = out->lo;
	memset(out->hi.octets, 0xff, ipsp_addr_size(family));
	return IPSP_IDENTITY_OK;
}

static enum ipsp_identity_fault read_side(struct text t, struct ipsp_identity *out)
{
	if (is_word(t, "any"))
		return read_any(4, out);
	if (is_word(t, "any6"))
		return read_any(6, out);
	return read_addrs(t, out);
}

/* "[2001:db8::1]:1500" */
static enum ipsp_identity_fault read_bracketed(struct text t, struct ipsp_identity *out)
{
	struct text inside;

	t.at++;
	if (!cut(&t, ']', &inside) || !read_addr(inside, &out->lo) || out->lo.family != 6)
		return IPSP_IDENTITY_FORM;
	out->hi = out->lo;
	if (done(&t))
		return IPSP_IDENTITY_OK;
	return take(&t, ':') && read_ports(t, out) ? IPSP_IDENTITY_OK : IPSP_IDENTITY_PORT;
}

/* Longest text of any form: two addresses, ports and marks between them. */
#define TEXT_MAX (2 * IPSP_ADDR_TEXT + 16)

/* Puts what stood around the ports together again: "A,port/mask" is "A/mask". */
static bool join(struct text before, struct text after, char out[TEXT_MAX], struct text *joined)
{
	const size_t head = (size_t)(before.end - before.at);
	const size_t tail = (size_t)(after.end - after.at);

	if (head + tail > TEXT_MAX)
		return false;
	memcpy(out, before.at, head);
	memcpy(out + head, after.at, tail);
	*joined = (struct text) { out, out + head + tail };
	return true;
}

static enum ipsp_identity_fault read_with_ports(struct text before, struct text behind,
						struct ipsp_identity *out)
{
	const struct text ports = { behind.at, find(&behind, '/') };
	char octets[TEXT_MAX];
	struct text sides;

	if (!read_ports(ports, out))
		return IPSP_IDENTITY_PORT;
	if (!join(before, (struct text) { ports.end, behind.end }, octets, &sides))
		return IPSP_IDENTITY_FORM;
	return read_side(sides, out);
}

enum ipsp_identity_fault ipsp_identity_parse(const char *text, struct ipsp_identity *out)
{
	struct text t = text_of(text);
	struct ipsp_identity read = { .port_hi = IPSP_PORT_NONE };
	struct text before;
	enum ipsp_identity_fault fault;

	if (!done(&t) && *t.at == '[')
		fault = read_bracketed(t, &read);
	else if (cut(&t, ',', &before))
		fault = read_with_ports(before, t, &read);
	else
		fault = read_side(t, &read);
	if (fault == IPSP_IDENTITY_OK)
		*out = read;
	return fault;
}

const char *ipsp_identity_fault_text(enum ipsp_identity_fault fault)
{
	switch (fault) {
	case IPSP_IDENTITY_OK:
		return "none";
	case IPSP_IDENTITY_RANGE:
		return "address range";
	case IPSP_IDENTITY_PORT:
		return "port number";
	case IPSP_IDENTITY_FORM:
		break;
	}
	return "address form";
}

enum ipsp_err ipsp_identity_selector(const struct ipsp_identity *src,
				     const struct ipsp_identity *dst, uint8_t proto,
				     struct ipsp_selector *out)
{
	if (src->lo.family != dst->lo.family)
		return IPSP_EINVAL;
	ipsp_selector_any(src->lo.family, out);
	out->src_lo = src->lo;
	out->src_hi = src->hi;
	out->dst_lo = dst->lo;
	out->dst_hi = dst->hi;
	out->sport_lo = src->port_lo;
	out->sport_hi = src->port_hi;
	out->dport_lo = dst->port_lo;
	out->dport_hi = dst->port_hi;
	if (proto > 0)
		out->proto_lo = out->proto_hi = proto;
	return ipsp_selector_valid(out) ? IPSP_OK : IPSP_EINVAL;
}
