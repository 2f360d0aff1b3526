/* ipspd/words.c - selectors and algorithms in words: see words.h. */
#include "config.h"

#include "ipspd/words.h"

#include <stdio.h>
#include <string.h>

#define PROTO_MOBILITY 135

/* The prefix length when lo..hi is a prefix, or -1. */
static int prefix_length(const struct ipsp_addr *lo, const struct ipsp_addr *hi)
{
	size_t bits = ipsp_addr_size(lo->family) * 8;

	for (size_t len = 0; len <= bits; len++) {
		struct ipsp_addr first, last;

		if (ipsp_addr_prefix(lo, (unsigned)len, &first, &last) == IPSP_OK &&
		    ipsp_addr_cmp(&first, lo) == 0 && ipsp_addr_cmp(&last, hi) == 0)
			return (int)len;
	}
	return -1;
}

static void print_addresses(const struct ipsp_addr *lo, const struct ipsp_addr *hi, char *buf,
			    size_t size)
{
	char a[IPSP_ADDR_TEXT], b[IPSP_ADDR_TEXT];
	int len = prefix_length(lo, hi);

	if (len >= 0)
		snprintf(buf, size, "%s/%d", ipsp_addr_print(lo, a), len);
	else
		snprintf(buf, size, "%s-%s", ipsp_addr_print(lo, a), ipsp_addr_print(hi, b));
}

/* Appends " name lo-hi" unless the interval is the whole of 0..max. */
static void print_interval(const char *name, uint32_t lo, uint32_t hi, uint32_t max, char *buf,
			   size_t size)
{
	size_t len = strlen(buf);

	if (lo == 0 && hi == max)
		return;
	if (lo == hi)
		snprintf(buf + len, size - len, " %s %u", name, lo);
	else
		snprintf(buf + len, size - len, " %s %u-%u", name, lo, hi);
}

/* One end of an interval on the line of ports: 80, type 8/0, none. */
static const char *print_port(uint32_t port, bool is_mobility, char buf[24])
{
	const uint32_t message = port - IPSP_PORT_MESSAGE;

	if (port <= IPSP_PORT_MAX)
		snprintf(buf, 24, "%u", port);
	else if (port == IPSP_PORT_NONE)
		snprintf(buf, 24, "none");
	else if (is_mobility)
		snprintf(buf, 24, "type %u", message / 256);
	else
		snprintf(buf, 24, "type %u/%u", message / 256, message % 256);
	return buf;
}

/* As print_interval; a message is a source port. */
static void print_ports(const char *name, uint32_t lo, uint32_t hi, bool is_mobility, char *buf,
			size_t size)
{
	const bool messages = lo >= IPSP_PORT_MESSAGE && hi <= IPSP_PORT_MESSAGE_MAX;
	const size_t len = strlen(buf);
	char a[24], b[24];

	if (lo == 0 && hi == IPSP_PORT_NONE)
		return;
	print_port(lo, is_mobility, a);
	print_port(hi, is_mobility, b);
	snprintf(buf + len, size - len, "%s%s %s%s%s", messages ? "" : " ", messages ? "" : name, a,
		 strcmp(a, b) ? "-" : "", strcmp(a, b) ? b : "");
}

const char *words_selector(const struct ipsp_selector *s, char buf[WORDS_SELECTOR])
{
	char src[2 * IPSP_ADDR_TEXT + 8], dst[2 * IPSP_ADDR_TEXT + 8];

	print_addresses(&s->src_lo, &s->src_hi, src, sizeof(src));
	print_addresses(&s->dst_lo, &s->dst_hi, dst, sizeof(dst));
	snprintf(buf, WORDS_SELECTOR, "%s -> %s", src, dst);
	print_interval("proto", s->proto_lo, s->proto_hi, UINT8_MAX, buf, WORDS_SELECTOR);
	const bool is_mobility = s->proto_lo == PROTO_MOBILITY && s->proto_hi == PROTO_MOBILITY;

	print_ports("sport", s->sport_lo, s->sport_hi, is_mobility, buf, WORDS_SELECTOR);
	print_ports("dport", s->dport_lo, s->dport_hi, is_mobility, buf, WORDS_SELECTOR);
	if (s->hides != IPSP_HIDES_ANY)
		strncat(buf, s->hides == IPSP_HIDES_ONLY ? " opaque" : " not opaque",
			WORDS_SELECTOR - strlen(buf) - 1);
	print_interval("dscp", s->dscp_lo, s->dscp_hi, IPSP_DSCP_MAX, buf, WORDS_SELECTOR);
	print_interval("flow", s->flow_lo, s->flow_hi, IPSP_FLOW_MAX, buf, WORDS_SELECTOR);
	return buf;
}

const char *words_protocol(uint8_t proto)
{
	switch (proto) {
	case IPSP_PROTO_AH:
		return "ah";
	case IPSP_PROTO_IPCOMP:
		return "ipcomp";
	default:
		return "esp";
	}
}

const char *words_cipher(const struct ipsp_sa_config *sa)
{
	if (sa->proto == IPSP_PROTO_AH)
		return "none";
	if (sa->proto == IPSP_PROTO_IPCOMP)
		return "deflate";
	switch (sa->encr) {
	case IPSP_ENCR_NULL:
		return "null";
	case IPSP_ENCR_AES_CBC:
		return "aes-cbc";
	case IPSP_ENCR_AES_CTR:
		return "aes-ctr";
	case IPSP_ENCR_AES_CCM_8:
		return "aes-ccm-8";
	case IPSP_ENCR_AES_CCM_12:
		return "aes-ccm-12";
	case IPSP_ENCR_AES_CCM_16:
		return "aes-ccm-16";
	case IPSP_ENCR_AES_GCM_8:
		return "aes-gcm-8";
	case IPSP_ENCR_AES_GCM_12:
		return "aes-gcm-12";
	case IPSP_ENCR_AES_GCM_16:
		return "aes-gcm-16";
	default:
		return "unknown";
	}
}

const char *words_integrity(const struct ipsp_sa_config *sa)
{
	switch (sa->integ) {
	case IPSP_INTEG_NONE:
		return "none";
	case IPSP_INTEG_HMAC_SHA1_96:
		return "hmac-sha1-96";
	case IPSP_INTEG_HMAC_SHA2_256_128:
		return "hmac-sha2-256-128";
	case IPSP_INTEG_HMAC_SHA2_384_192:
		return "hmac-sha2-384-192";
	case IPSP_INTEG_HMAC_SHA2_512_256:
		return "hmac-sha2-512-256";
	default:
		return "unknown";
	}
}
