/* ipsp-pcap/message.c - one IKE message: see message.h. */
#include "ipsp-pcap/message.h"

#include <sys/endian.h>

#include "ike/decode.h"

#define FRAGMENT_FIXED 4u	/* octets of numbers in SKF (RFC 7383 2.5), and in IKEv1's FRAGMENT */

struct sink {
	const struct pc_decoder *decoder;
	const struct ipsp_addr *src;
};

static void put_line(void *arg, const char *text)
{
	const struct pc_decoder *const d = ((struct sink *)arg)->decoder;

	d->line(d->arg, text);
}

static void open_sealed(void *arg, struct ipsp_span message, const struct ike_payload *sealed,
			struct ike_opened *out)
{
	pc_ike_keys_open(((struct sink *)arg)->decoder->keys, message, sealed, out);
}

static void assemble(void *arg, struct ipsp_span message, const struct ike_payload *payload,
		     struct ipsp_span octets, struct ike_assembled *out)
{
	const struct sink *const sink = arg;
	const uint8_t *const numbers = payload->body.data;
	struct ike_header h;
	struct pc_fragment piece = { .header = &h, .src = *sink->src, .octets = octets };
	struct pc_whole whole;
	struct ike_fault fault;

	*out = (struct ike_assembled){ .why = "it is no message" };
	if (!ike_header_read(message, &h, &fault) || payload->body.len < FRAGMENT_FIXED)
		return;
	if (h.major == 1) {
		piece.id = be16dec(numbers);
		piece.number = numbers[2];
		piece.total = numbers[3] ? piece.number : 0;
	} else {
		piece.number = be16dec(numbers);
		piece.total = be16dec(numbers + 2);
		piece.first_payload = payload->next;
	}
	out->why = pc_fragments_add(sink->decoder->fragments, &piece, &whole);
	if (out->why)
		return;
	out->whole = whole.octets;
	out->first_payload = whole.first_payload;
	if (h.major == 1 && sink->decoder->keys)
		pc_ike_keys_see(sink->decoder->keys, whole.octets);
}

bool pc_decode_message(const struct pc_decoder *d, const struct ipsp_addr *src,
		       struct ipsp_span message)
{
	struct sink sink = { d, src };
	const struct ike_decoder decoder = {
		.line = put_line, .open = d->keys ? open_sealed : NULL, .assemble = assemble, .arg = &sink,
	};

	if (d->keys)
		pc_ike_keys_see(d->keys, message);
	return ike_decode(&decoder, message);
}
