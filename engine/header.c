/*
 * engine/header.c - IP headers around ESP, AH and IPComp. RFC 791, 8200, 1071; RFC 4301 5.1.2; RFC 6040 4.
 */
#include <string.h>

#include "engine/header.h"
#include "engine/sum.h"
#include "spd/octets.h"


static void v4_checksum(uint8_t *p)
{
	put_be16(p + 10, 0);
	put_be16(p + 10, (uint16_t)~ipsp_sum(p, (p[0] & 15) * 4u));
}

void ipsp_outer_write(uint8_t *p, const struct ipsp_outer *outer)
{
	if (outer->dst.family == 4) {
		p[0] = 0x45;
		p[1] = outer->tos;
		put_be16(p + 2, (uint16_t)outer->total_len);
		put_be16(p + 4, outer->ipv4_id);
		put_be16(p + 6, outer->df ? IPSP_V4_DF : 0);
		p[8] = outer->ttl;
		p[9] = outer->proto;
		memcpy(p + 12, outer->src.octets, 4);
		memcpy(p + 16, outer->dst.octets, 4);
		v4_checksum(p);
		return;
	}
	put_be32(p, 6u << 28 | (uint32_t)outer->tos << 20 | outer->flow_label);
	put_be16(p + 4, (uint16_t)(outer->total_len - IPSP_V6_HEADER));
	p[6] = outer->proto;
	p[7] = outer->ttl;
	memcpy(p + 8, outer->src.octets, 16);
	memcpy(p + 24, outer->dst.octets, 16);
}

void ipsp_header_update(uint8_t *p, uint8_t family, uint32_t nh_offset, uint8_t proto,
			uint32_t total_len)
{
	p[nh_offset] = proto;
	if (family == 4) {
		put_be16(p + 2, (uint16_t)total_len);
		v4_checksum(p);
	} else {
		put_be16(p + 4, (uint16_t)(total_len - IPSP_V6_HEADER));
	}
}

bool ipsp_ttl_decrement(uint8_t *p, uint8_t family)
{
	uint8_t *ttl = p + (family == 4 ? 8 : 7);

	if (*ttl <= 1)
		return false;
	(*ttl)--;
	if (family == 4)
		v4_checksum(p);
	return true;
}

bool ipsp_ecn_combine(uint8_t outer, uint8_t inner, uint8_t *out)
{
	enum { NOT_ECT = 0, ECT_1 = 1, ECT_0 = 2, CE = 3, DROP = 4 };
	/* RFC 6040 figure 4: rows are the inner field as it arrived, columns the outer one. */
	static const uint8_t egress[4][4] = {
		/*            NOT_ECT  ECT_1    ECT_0    CE */
		[NOT_ECT] = { NOT_ECT, NOT_ECT, NOT_ECT, DROP },
		[ECT_1]   = { ECT_1,   ECT_1,   ECT_1,   CE },
		[ECT_0]   = { ECT_0,   ECT_1,   ECT_0,   CE },
		[CE]      = { CE,      CE,      CE,      CE },
	};
	uint8_t ecn = egress[inner & 3][outer & 3];

	if (ecn == DROP)
		return false;
	*out = ecn;
	return true;
}

void ipsp_ecn_set(uint8_t *p, uint8_t family, uint8_t ecn)
{
	if (family == 4) {
		p[1] = (uint8_t)((p[1] & ~3u) | ecn);
		v4_checksum(p);
	} else {
		p[1] = (uint8_t)((p[1] & ~0x30u) | (uint32_t)ecn << 4);
	}
}

bool ipsp_checksum_finish(uint8_t *p, uint32_t len, uint32_t start, uint32_t offset)
{
	uint16_t sum;

	if (start + offset + 2 > len)
		return false;
	sum = (uint16_t)~ipsp_sum(p + start, len - start);
	/* 0 means "none" in UDP; the other zero says the same elsewhere. */
	put_be16(p + start + offset, sum ? sum : 0xffff);
	return true;
}

uint16_t ipsp_upper_checksum(const struct ipsp_addr *src, const struct ipsp_addr *dst,
			     uint8_t proto, const uint8_t *p, uint32_t len)
{
	const uint16_t sum = ipsp_sum_fold((uint64_t)ipsp_sum(src->octets, 16) +
					   ipsp_sum(dst->octets, 16) + len + proto +
					   ipsp_sum(p, len));

	return sum == 0xffff ? 0xffff : (uint16_t)~sum;
}
