/*
 * engine/esp.h - one packet into ESP and out of it, but for the crypto between. RFC 4303 2, 3.
 * Private to engine/. Changes the packet's octets, never its verdict.
 */
#ifndef ENGINE_ESP_H
#define ENGINE_ESP_H

#include "engine/internal.h"
#include "ipsp/crypto.h"

#define IPSP_ESP_HEADER 8u
#define IPSP_ESP_TRAILER 2u

/** How a clear packet will lie in its ESP packet. */
struct ipsp_esp_plan {
	struct ipsp_addr src, dst;	/* tunnel mode: of the outer header */
	uint8_t family;			/* of the outermost header */
	uint32_t headers_len;		/* octets before the ESP header */
	uint32_t tfc_to;		/* tunnel mode: clear packets that are shorter become so long */
	uint32_t tfc_len;		/* by zeros behind them: RFC 4303 2.7 */
	uint32_t payload_len;		/* clear octets and those zeros, without padding for the cipher */
	uint32_t text_len;		/* what is encrypted */
	uint32_t total_len;		/* of the ESP packet with its headers */
	uint32_t grow;			/* octets in front of the clear packet */
	uint8_t next_header;
};

/**
 * Can this packet go through this SA, and how? Changes nothing.
 * @param headers  the packet's, as long as flow says
 * @param most     what the path takes: it is not made longer by the SA's tfc_pad; UINT32_MAX: not known
 * @return IPSP_REASON_NONE; TRANSPORT_ADDRESS, TRANSPORT_FRAGMENT, TUNNEL_LOCAL, TOO_BIG
 */
enum ipsp_reason ipsp_esp_plan(const struct ipsp_platform *platform, const struct ipsp_sa *sa,
			       const uint8_t *headers, const struct ipsp_flow *flow, uint32_t most,
			       struct ipsp_esp_plan *plan);

/** Makes a plan fit a packet of the same headers that is no longer: flow->total_len is its own. */
void ipsp_esp_plan_resize(const struct ipsp_sa *sa, const struct ipsp_flow *flow,
			  struct ipsp_esp_plan *plan);

/** Has the packet the room that the plan needs in front of it and behind? */
bool ipsp_esp_fits(const struct ipsp_sa *sa, const struct ipsp_packet *packet,
		   const struct ipsp_flow *flow, const struct ipsp_esp_plan *plan);

/**
 * Makes a tunnel's plan longer by some TFC padding, up to the SA's tfc_random: RFC 4303 2.7. Never so
 * that the ESP packet would not fit its room, or be longer than most: then it goes as it is.
 */
void ipsp_esp_pad_at_random(const struct ipsp_platform *p, const struct ipsp_sa *sa,
			    const struct ipsp_packet *packet, const struct ipsp_flow *flow,
			    uint32_t most, struct ipsp_esp_plan *plan);

/**
 * Lays the ESP packet out by a plan: headers, ESP header, IV, padding, trailer. data and len become
 * the outer packet's.
 * @param seq  the packet's own number
 * @param iv   shape.iv_len random octets; not read if the IV is the number
 * @param op   out: ready to be sealed
 */
void ipsp_esp_layout(struct ipsp_worker *worker, const struct ipsp_sa *sa,
		     const struct ipsp_flow *flow, const struct ipsp_esp_plan *plan, uint64_t seq,
		     const uint8_t *iv, struct ipsp_packet *packet, struct ipsp_crypto_op *op);

/** Octets between the headers and the payload. */
static inline uint32_t ipsp_esp_front(const struct ipsp_sa *sa)
{
	return IPSP_ESP_HEADER + sa->shape.iv_len;
}

/** The op of an ESP packet in place: see ipsp_crypto_op_at. */
static inline void ipsp_esp_op(const struct ipsp_sa *sa, uint8_t *esp, uint32_t text_len,
			       uint64_t seq, struct ipsp_crypto_op *op)
{
	uint8_t *const text = esp + ipsp_esp_front(sa);

	op->src = text;
	op->dst = text;
	op->text_len = text_len;
	op->esn = sa->esn;
	op->seq_hi = (uint32_t)(seq >> 32);
	op->aad = esp;
	op->iv = esp + IPSP_ESP_HEADER;
	op->icv = text + text_len;
	op->err = IPSP_ECRYPTO;
}

/**
 * Does the padding of an opened packet count up from 1, where the SA asks for that? RFC 4303 2.4, 3.4.4.1.
 * @param text_len     IPSP_ESP_TRAILER or more
 * @param payload_len  out: octets before it
 */
static inline bool ipsp_esp_padding_valid(const struct ipsp_sa *sa, const uint8_t *text,
					  uint32_t text_len, uint32_t *payload_len)
{
	const uint32_t pad_len = text[text_len - 2];
	const uint8_t *pad;

	if (pad_len + IPSP_ESP_TRAILER > text_len)
		return false;
	*payload_len = text_len - IPSP_ESP_TRAILER - pad_len;
	pad = text + *payload_len;
	for (uint32_t i = 0; i < pad_len && !sa->pad_unchecked; i++) {
		if (pad[i] != i + 1)
			return false;
	}
	return true;
}

/**
 * Finds the text of a received ESP packet.
 * @param flow  of the packet as received; protocol ESP, no fragment
 * @param seq   full number, from the replay window
 * @return false: too short, or not whole blocks
 */
bool ipsp_esp_locate(const struct ipsp_sa *sa, const struct ipsp_flow *flow, uint64_t seq,
		     const struct ipsp_packet *packet, struct ipsp_crypto_op *op);

/**
 * Takes the clear packet out of one that was opened. On IPSP_REASON_NONE data and len are the clear
 * packet's and inner has its headers.
 * @return IPSP_REASON_NONE; PADDING, NEXT_HEADER, DUMMY, INNER, ECN, TUNNEL_ADDRESS,
 *	   TRANSPORT_ADDRESS, NO_ROOM
 */
enum ipsp_reason ipsp_esp_unwrap(const struct ipsp_sa *sa, const struct ipsp_flow *flow,
				 const struct ipsp_crypto_op *op, struct ipsp_packet *packet,
				 struct ipsp_flow *inner);

#endif
