/*
 * ike/decode.c - a message from its header to its last payload. RFC 7296 3.1, 3.2; RFC 2408 3.1, 3.2.
 *
 * What is inside of something else has a printer of its own, for its offsets. It goes no deeper than a message, what
 * its pieces come to, and what was encrypted in that.
 */
#include "ike/decode.h"

#include <stdio.h>
#include <string.h>

#include "ike/printer.h"

#define PAYLOADS_MAX 256u	/* of one message: no more than these are printed */
#define V1_FRAGMENT_FIXED 4u	/* octets of IKEv1's FRAGMENT payload in front of the piece */

static void print_version(struct ike_printer *p, struct ipsp_span field)
{
	ike_print(p, field, "Version: %u.%u", field.data[0] >> 4, field.data[0] & 0xfu);
}

static void print_flags(struct ike_printer *p, struct ipsp_span field)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} names[2][3] = {
		{ { IKE_FLAG_INITIATOR, " INITIATOR" }, { IKE_FLAG_VERSION, " VERSION" },
		  { IKE_FLAG_RESPONSE, " RESPONSE" } },
		{ { IKE_V1_FLAG_ENCRYPTION, " ENCRYPTION" }, { IKE_V1_FLAG_COMMIT, " COMMIT" },
		  { IKE_V1_FLAG_AUTHENTICATION, " AUTHENTICATION" } },
	};
	char text[64] = "";
	uint8_t unknown = field.data[0];

	for (size_t i = 0; i < 3; i++) {
		if (!(field.data[0] & names[p->v1][i].bit))
			continue;
		strcat(text, names[p->v1][i].name);
		unknown &= (uint8_t)~names[p->v1][i].bit;
	}
	if (unknown)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " 0x%02x", unknown);
	ike_print(p, field, "Flags:%s", text[0] ? text : " none");
}

static struct ipsp_span part(const uint8_t *at, size_t len)
{
	return (struct ipsp_span){ at, len };
}

static void print_header(struct ike_printer *p, const struct ike_header *h)
{
	const char *const spi = p->v1 ? "Cookie" : "SPI";

	ike_print(p, part(h->spi_i, IKE_SPI_LEN), "Initiator %s", spi);
	ike_print(p, part(h->spi_r, IKE_SPI_LEN), "Responder %s", spi);
	ike_print_number(p, part(p->base + 16, 1), "Next Payload",
			 p->v1 ? IKE_LIST_V1_PAYLOAD : IKE_LIST_PAYLOAD);
	print_version(p, part(p->base + 17, 1));
	ike_print_number(p, part(p->base + 18, 1), "Exchange Type",
			 p->v1 ? IKE_LIST_V1_EXCHANGE : IKE_LIST_EXCHANGE);
	print_flags(p, part(p->base + 19, 1));
	ike_print(p, part(p->base + 20, 4), "Message ID: %u", h->message_id);
	ike_print(p, part(p->base + 24, 4), "Length: %u", h->length);
}

static void print_payload_header(struct ike_printer *p, const struct ike_payload *payload)
{
	const enum ike_list list = p->v1 ? IKE_LIST_V1_PAYLOAD : IKE_LIST_PAYLOAD;
	char buf[IKE_NAME_TEXT];

	ike_print_title(p, "Payload %s%s", ike_name_or_number(list, payload->type, buf),
			payload->critical ? ", critical" : "");
	p->depth++;
	ike_print_number(p, part(payload->whole.data, 1), "Next Payload", list);
	ike_print(p, part(payload->whole.data + 1, 1), "%s",
		  payload->critical ? "Flags: CRITICAL" : "Reserved");
	ike_print(p, part(payload->whole.data + 2, 2), "Length: %zu", payload->whole.len);
	p->depth--;
}

static bool print_sealed(struct ike_printer *p, struct ipsp_span message,
			 const struct ike_payload *sealed);
static bool print_whole(struct ike_printer *p, struct ipsp_span message,
			const struct ike_payload *fragment, struct ipsp_span piece);

static bool is_sealed(const struct ike_printer *p, const struct ike_payload *payload)
{
	return !p->v1 &&
	       (payload->type == IKE_PAYLOAD_SK || payload->type == IKE_PAYLOAD_SKF);
}

static bool is_proof(const struct ike_printer *p, uint8_t type)
{
	return p->v1 ? type == IKE_V1_PAYLOAD_HASH || type == IKE_V1_PAYLOAD_SIG :
		       type == IKE_PAYLOAD_AUTH || type == IKE_PAYLOAD_EAP;
}

/* What stands in a payload beside its fields. */
static bool print_inside(struct ike_printer *p, struct ipsp_span message,
			 const struct ike_payload *payload)
{
	if (is_sealed(p, payload))
		return print_sealed(p, message, payload);
	if (p->v1 && payload->type == IKE_V1_PAYLOAD_FRAGMENT)
		return print_whole(p, message, payload,
				   part(payload->body.data + V1_FRAGMENT_FIXED,
					payload->body.len - V1_FRAGMENT_FIXED));
	return true;
}

/* message: what seals and pieces are of; NULL data inside one. */
static bool print_chain(struct ike_printer *p, struct ipsp_span message, struct ike_chain chain)
{
	struct ike_payload payload;
	enum ike_step step = IKE_STEP_END;

	for (unsigned n = 0; n < PAYLOADS_MAX; n++) {
		bool good;

		step = ike_payload_next(&chain, &payload, &p->fault);
		if (step != IKE_STEP_ITEM)
			break;
		print_payload_header(p, &payload);
		p->depth++;
		if (p->decoder->hides_proofs && is_proof(p, payload.type)) {
			ike_print_title(p, "%zu octets, not shown", payload.body.len);
			good = true;
		} else {
			good = p->v1 ? ike_print_v1_body(p, &payload) : ike_print_v2_body(p, &payload);
		}
		p->depth--;
		if (good && message.data)
			good = print_inside(p, message, &payload);
		if (!good)
			return false;
	}
	if (step == IKE_STEP_END && chain.rest.len > 0)
		ike_print(p, chain.rest, "Padding");
	if (step == IKE_STEP_ITEM)
		return ike_printer_broken(p, "more payloads than any message has",
					  chain.rest.data);
	return step == IKE_STEP_END;
}

static void report_fault(struct ike_printer *p)
{
	ike_print_title(p, "FAULT at %04zx: %s", (size_t)(p->fault.where - p->base),
			p->fault.what);
}

static bool print_sealed(struct ike_printer *p, struct ipsp_span message,
			 const struct ike_payload *sealed)
{
	struct ike_printer inner = { .decoder = p->decoder, .depth = p->depth + 1, .v1 = p->v1 };
	struct ike_opened opened = { .why = "no keys were given" };

	if (p->decoder->open)
		p->decoder->open(p->decoder->arg, message, sealed, &opened);
	if (opened.why) {
		ike_print_title(p, "Encrypted: %s", opened.why);
		return true;
	}
	ike_print_title(p, "Decrypted (%zu octets)", opened.clear.len);
	inner.base = opened.clear.data;
	if (!p->v1 && sealed->type == IKE_PAYLOAD_SKF) {
		ike_print_rest(&inner, opened.clear, "Piece");
		return print_whole(p, message, sealed, opened.clear);
	}
	if (print_chain(&inner, (struct ipsp_span){ 0 },
			(struct ike_chain){ opened.clear, opened.first_payload, p->v1 }))
		return true;
	report_fault(&inner);
	return false;
}

/* RFC 2408 3.1: with this flag, all that follows the header is one encrypted whole. */
static bool print_v1_sealed(struct ike_printer *p, struct ipsp_span message,
			    const struct ike_header *h)
{
	struct ike_payload sealed = { .next = h->first_payload };

	sealed.whole = sealed.body = part(message.data + IKE_HEADER_LEN,
					  message.len - IKE_HEADER_LEN);
	ike_print_rest(p, sealed.body, "Encrypted");
	return print_sealed(p, message, &sealed);
}

static bool print_message(struct ike_printer *p, struct ipsp_span message)
{
	struct ike_header h;

	if (!ike_header_read(message, &h, &p->fault)) {
		ike_print_rest(p, message, "Header, cut short");
		return false;
	}
	p->v1 = h.major == 1;
	print_header(p, &h);
	if (h.length < IKE_HEADER_LEN || h.length > message.len) {
		ike_print_rest(p, part(message.data + IKE_HEADER_LEN, message.len - IKE_HEADER_LEN),
			       "Octets");
		return ike_printer_broken(p, "the header's length is not that of what came",
					  message.data + 24);
	}
	message.len = h.length;
	if (p->v1 && (h.flags & IKE_V1_FLAG_ENCRYPTION))
		return print_v1_sealed(p, message, &h);
	return print_chain(p, message,
			   (struct ike_chain){ part(message.data + IKE_HEADER_LEN,
						    message.len - IKE_HEADER_LEN),
					       h.first_payload, p->v1 });
}

/* RFC 7383 2.6; IKEv1's is a message with its own header. */
static bool print_whole(struct ike_printer *p, struct ipsp_span message,
			const struct ike_payload *fragment, struct ipsp_span piece)
{
	struct ike_printer inner = { .decoder = p->decoder, .depth = p->depth + 1, .v1 = p->v1,
				     .put_together = true };
	struct ike_assembled assembled = { .why = NULL };
	bool good;

	if (!p->decoder->assemble || p->put_together)
		return true;
	p->decoder->assemble(p->decoder->arg, message, fragment, piece, &assembled);
	if (assembled.why) {
		ike_print_title(p, "Not put together: %s", assembled.why);
		return true;
	}
	ike_print_title(p, "Put together (%zu octets)", assembled.whole.len);
	inner.base = assembled.whole.data;
	good = p->v1 ? print_message(&inner, assembled.whole) :
		       print_chain(&inner, (struct ipsp_span){ 0 },
				   (struct ike_chain){ assembled.whole, assembled.first_payload,
						       false });
	if (!good && inner.fault.what)
		report_fault(&inner);
	return good;
}

bool ike_decode(const struct ike_decoder *d, struct ipsp_span message)
{
	struct ike_printer p = { .decoder = d, .base = message.data };

	if (print_message(&p, message))
		return true;
	if (p.fault.what)
		report_fault(&p);
	return false;
}
