/*
 * engine/pattern.h - the ESP packets of one flow through one tunnel, of which only lengths and numbers
 * differ: what is the same is written once and copied. RFC 4303 2; RFC 1624 for the checksum. Private
 * to engine/.
 *
 *	| IP [UDP] | SPI Seq | IV | clear packet | pad, len, next | ICV |
 *	|<--------- grow -------->|<-------- text_len ----------->|
 */
#ifndef ENGINE_PATTERN_H
#define ENGINE_PATTERN_H

#include <string.h>

#include "engine/esp.h"
#include "engine/header.h"
#include "engine/sum.h"
#include "ipsp/udp_encap.h"
#include "spd/octets.h"

/** The longest IP header, and UDP. */
#define IPSP_PATTERN_HEAD (IPSP_V6_HEADER + IPSP_UDP_HEADER)

struct ipsp_pattern {
	uint8_t head[IPSP_PATTERN_HEAD];	/* without lengths, identification, DF and checksum */
	uint8_t head_len;
	uint8_t udp_len;		/* of it; 0: no UDP */
	uint8_t family;			/* of the outer header */
	uint8_t grow;			/* octets in front of the clear packet */
	uint8_t iv_len, icv_len;
	bool iv_is_counter;
	uint8_t next_header;
	uint32_t block_mask;		/* a block's octets - 1 */
	uint32_t df_above;		/* IPv4: DF is set of clear packets longer than that */
	uint32_t sum;			/* IPv4: of head */
	uint32_t spi;
	bool esn;
};

/** Octets that are encrypted for a clear packet. */
static inline uint32_t ipsp_pattern_text(const struct ipsp_pattern *pattern, uint32_t clear_len)
{
	return (clear_len + IPSP_ESP_TRAILER + pattern->block_mask) & ~pattern->block_mask;
}

/**
 * What the packets of a flow through a tunnel have in common.
 * @param flow  of a clear packet
 * @param plan  its own, by ipsp_esp_plan
 * @return false: the SA is one whose packets have no such thing (TFC padding)
 */
bool ipsp_pattern_of(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
		     const struct ipsp_flow *flow, const struct ipsp_esp_plan *plan,
		     struct ipsp_pattern *out);

/* Sixteen octets at its beginning and at its end, which meet or overlap in all but the longest. */
static inline void ipsp_pattern_copy_head(const struct ipsp_pattern *pattern, uint8_t *p)
{
	const uint32_t last = pattern->head_len - 16u;

	memcpy(p, pattern->head, 16);
	if (last > 16)
		memcpy(p + 16, pattern->head + 16, 16);
	memcpy(p + last, pattern->head + last, 16);
}

static inline void ipsp_pattern_write_head(const struct ipsp_pattern *pattern,
					   struct ipsp_worker *worker, uint8_t *p,
					   uint32_t clear_len, uint32_t total_len)
{
	ipsp_pattern_copy_head(pattern, p);
	if (pattern->family == 4) {
		const uint32_t df = clear_len > pattern->df_above ? IPSP_V4_DF : 0;
		const uint32_t id = ipsp_next_ipv4_id(worker);
		uint32_t sum = pattern->sum + total_len + id + df;

		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		put_be16(p + 2, (uint16_t)total_len);
		put_be32(p + 4, id << 16 | df);
		put_be16(p + 10, (uint16_t)~sum);
	} else {
		put_be16(p + 4, (uint16_t)(total_len - IPSP_V6_HEADER));
	}
	if (pattern->udp_len)
		put_be16(p + pattern->head_len - 4,
			 (uint16_t)(total_len - pattern->head_len + IPSP_UDP_HEADER));
}

/* RFC 4303 2.4: 1, 2, 3 ...; what is written beyond is written again, or is the ICV's place. */
static inline void ipsp_pattern_write_trailer(const struct ipsp_pattern *pattern, uint8_t *end,
					      uint32_t pad_len)
{
	static const uint8_t pads[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

	for (uint32_t i = 0; i < pad_len; i += 4)
		memcpy(end + i, pads + i, 4);
	end[pad_len] = (uint8_t)pad_len;
	end[pad_len + 1] = pattern->next_header;
}

/**
 * Lays the ESP packet of a clear one out around it.
 * @param clear     pattern->grow octets in front of it and total_len in all are the packet's
 * @param text_len  ipsp_pattern_text of clear_len
 * @param iv        pattern->iv_len octets, unless the IV is the number
 * @param op        out: ready to be sealed
 * @return where the ESP packet begins; it is grow + text_len + icv_len long
 */
static inline uint8_t *ipsp_pattern_write(const struct ipsp_pattern *pattern,
					  struct ipsp_worker *worker, uint8_t *clear,
					  uint32_t clear_len, uint32_t text_len, uint64_t seq,
					  const uint8_t *iv, struct ipsp_crypto_op *op)
{
	uint8_t *const p = clear - pattern->grow;
	uint8_t *const esp = p + pattern->head_len;

	ipsp_pattern_write_head(pattern, worker, p, clear_len,
				pattern->grow + text_len + pattern->icv_len);
	put_be64(esp, (uint64_t)pattern->spi << 32 | (uint32_t)seq);
	if (pattern->iv_is_counter)
		put_be64(esp + IPSP_ESP_HEADER, seq);
	else
		memcpy(esp + IPSP_ESP_HEADER, iv, pattern->iv_len);
	ipsp_pattern_write_trailer(pattern, clear + clear_len,
				   text_len - clear_len - IPSP_ESP_TRAILER);
	op->src = clear;
	op->dst = clear;
	op->text_len = text_len;
	op->esn = pattern->esn;
	op->seq_hi = (uint32_t)(seq >> 32);
	op->aad = esp;
	op->iv = esp + IPSP_ESP_HEADER;
	op->icv = clear + text_len;
	op->err = IPSP_ECRYPTO;
	return p;
}

#endif
