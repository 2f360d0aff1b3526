/*
 * ike/message.c - taking messages apart. RFC 7296 3.1, 3.2, 3.3, 3.13; RFC 2408 3.
 */
#include "ike/message.h"

#include <sys/endian.h>

#define LAST 0u			/* "last substruc": RFC 7296 3.3.1, 3.3.2 */
#define MORE_PROPOSALS 2u
#define MORE_TRANSFORMS 3u
#define PROPOSAL_FIXED 8u
#define TRANSFORM_FIXED 8u
#define ATTRIBUTE_SHORT 0x8000u
#define TS_FIXED 8u

static enum ike_step broken(struct ike_fault *why, const char *what, const uint8_t *where)
{
	why->what = what;
	why->where = where;
	return IKE_STEP_BROKEN;
}

bool ike_take(struct ipsp_span *rest, size_t n, struct ipsp_span *out)
{
	if (n > rest->len)
		return false;
	*out = (struct ipsp_span){ rest->data, n };
	rest->data += n;
	rest->len -= n;
	return true;
}

bool ike_header_read(struct ipsp_span message, struct ike_header *out, struct ike_fault *why)
{
	const uint8_t *p = message.data;

	if (message.len < IKE_HEADER_LEN) {
		broken(why, "shorter than an IKE header", p + message.len);
		return false;
	}
	*out = (struct ike_header){
		.spi_i = p, .spi_r = p + IKE_SPI_LEN, .first_payload = p[16],
		.major = p[17] >> 4, .minor = p[17] & 0xf, .exchange = p[18], .flags = p[19],
		.message_id = be32dec(p + 20), .length = be32dec(p + 24),
	};
	return true;
}

/*
 * The header that payloads, proposals and transforms have in common: what follows, an octet, and a
 * length that counts the header.
 */
static bool take_record(struct ipsp_span *rest, size_t fixed, struct ipsp_span *whole)
{
	return rest->len >= fixed && be16dec(rest->data + 2) >= fixed &&
	       ike_take(rest, be16dec(rest->data + 2), whole);
}

static bool is_sealed(uint8_t type)
{
	return type == IKE_PAYLOAD_SK || type == IKE_PAYLOAD_SKF;
}

enum ike_step ike_payload_next(struct ike_chain *chain, struct ike_payload *out,
			       struct ike_fault *why)
{
	struct ipsp_span *const rest = &chain->rest;

	if (chain->next == IKE_PAYLOAD_NONE) {
		if (rest->len > 0 && !chain->v1)
			return broken(why, "octets behind the last payload", rest->data);
		return IKE_STEP_END;
	}
	*out = (struct ike_payload){ .type = chain->next };
	if (!take_record(rest, IKE_PAYLOAD_HEADER_LEN, &out->whole))
		return broken(why, "a payload's length does not fit", rest->data);
	out->next = out->whole.data[0];
	out->critical = out->whole.data[1] & IKE_FLAG_CRITICAL;
	out->body = (struct ipsp_span){ out->whole.data + IKE_PAYLOAD_HEADER_LEN,
					out->whole.len - IKE_PAYLOAD_HEADER_LEN };
	/* RFC 7296 3.14: it is the last one, and its "next" is inside. */
	chain->next = !chain->v1 && is_sealed(out->type) ? IKE_PAYLOAD_NONE : out->next;
	return IKE_STEP_ITEM;
}

/* Is "last or more" what the rest says? */
static bool follows_well(const struct ipsp_span *rest, uint8_t last, uint8_t more)
{
	return last == (rest->len > 0 ? more : LAST);
}

enum ike_step ike_proposal_next(struct ipsp_span *rest, struct ike_proposal *out,
				struct ike_fault *why)
{
	struct ipsp_span inside;

	if (rest->len == 0)
		return IKE_STEP_END;
	if (!take_record(rest, PROPOSAL_FIXED, &inside))
		return broken(why, "a proposal's length does not fit", rest->data);
	out->whole = inside;
	if (!follows_well(rest, inside.data[0], MORE_PROPOSALS))
		return broken(why, "a proposal is wrong about being the last", inside.data);
	out->number = inside.data[4];
	out->protocol = inside.data[5];
	out->n_transforms = inside.data[7];
	inside.data += PROPOSAL_FIXED;
	inside.len -= PROPOSAL_FIXED;
	if (!ike_take(&inside, out->whole.data[6], &out->spi))
		return broken(why, "an SPI is longer than its proposal", inside.data);
	out->transforms = inside;
	return IKE_STEP_ITEM;
}

enum ike_step ike_transform_next(struct ipsp_span *rest, struct ike_transform *out,
				 struct ike_fault *why)
{
	const uint8_t *p;

	if (rest->len == 0)
		return IKE_STEP_END;
	if (!take_record(rest, TRANSFORM_FIXED, &out->whole))
		return broken(why, "a transform's length does not fit", rest->data);
	p = out->whole.data;
	if (!follows_well(rest, p[0], MORE_TRANSFORMS))
		return broken(why, "a transform is wrong about being the last", p);
	out->type = p[4];
	out->v1_id = p[5];
	out->id = be16dec(p + 6);
	out->attributes = (struct ipsp_span){ p + TRANSFORM_FIXED,
					      out->whole.len - TRANSFORM_FIXED };
	return IKE_STEP_ITEM;
}

enum ike_step ike_attribute_next(struct ipsp_span *rest, struct ike_attribute *out,
				 struct ike_fault *why)
{
	size_t value_len;

	if (rest->len == 0)
		return IKE_STEP_END;
	if (rest->len < 4)
		return broken(why, "an attribute is cut short", rest->data);
	out->is_short = be16dec(rest->data) & ATTRIBUTE_SHORT;
	out->type = be16dec(rest->data) & (ATTRIBUTE_SHORT - 1);
	value_len = out->is_short ? 0 : be16dec(rest->data + 2);
	if (!ike_take(rest, 4 + value_len, &out->whole))
		return broken(why, "an attribute's length does not fit", rest->data);
	out->value = out->is_short ? (struct ipsp_span){ out->whole.data + 2, 2 } :
				     (struct ipsp_span){ out->whole.data + 4, value_len };
	return IKE_STEP_ITEM;
}

static size_t ts_address_len(uint8_t type)
{
	return type == IKE_TS_IPV4_ADDR_RANGE ? 4 : type == IKE_TS_IPV6_ADDR_RANGE ? 16 : 0;
}

enum ike_step ike_ts_next(struct ipsp_span *rest, struct ike_ts *out, struct ike_fault *why)
{
	struct ipsp_span inside;
	size_t n;

	if (rest->len == 0)
		return IKE_STEP_END;
	if (!take_record(rest, TS_FIXED, &inside))
		return broken(why, "a traffic selector's length does not fit", rest->data);
	out->whole = inside;
	out->type = inside.data[0];
	out->protocol = inside.data[1];
	out->port_lo = be16dec(inside.data + 4);
	out->port_hi = be16dec(inside.data + 6);
	inside.data += TS_FIXED;
	inside.len -= TS_FIXED;
	n = ts_address_len(out->type);
	if (n == 0) {
		out->addr_lo = inside;
		out->addr_hi = (struct ipsp_span){ inside.data + inside.len, 0 };
		return IKE_STEP_ITEM;
	}
	if (!ike_take(&inside, n, &out->addr_lo) || !ike_take(&inside, n, &out->addr_hi) ||
	    inside.len > 0)
		return broken(why, "a traffic selector has not its type's length", out->whole.data);
	return IKE_STEP_ITEM;
}
