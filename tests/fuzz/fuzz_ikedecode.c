/*
 * tests/fuzz/fuzz_ikedecode.c - any octets as a table of IKE SAs' keys and the messages of a capture, decoded
 * as ipsp-pcap does: what is learnt from one message opens the next, and pieces are put together.
 */
#include <string.h>
#include <sys/endian.h>

#include "engine/crypto/gcrypt.h"
#include "ipsp-pcap/message.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX 65536u

static void on_line(void *arg, const char *text)
{
	size_t *const lines = arg;

	must(strlen(text) < 512 && !strchr(text, '\n'));
	(*lines)++;
}

static void on_loss(void *arg, const char *text)
{
	(void)arg;
	must(strlen(text) < PC_LOSS_TEXT && strstr(text, " lacks fragments"));
}

static void decode(struct pc_decoder *d, struct ipsp_span message)
{
	static const struct ipsp_addr ends[] = { { .family = 4 }, { .family = 6 } };
	size_t lines = 0;

	/* Who sent it counts for IKEv1's fragments: by a bit that means nothing. */
	d->arg = &lines;
	if (pc_decode_message(d, &ends[message.len > 17 && message.data[17] & 1], message))
		must(lines >= 8);
	must(lines >= 1);
}

/* Lines, a NUL, then messages with their length in two octets in front. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[TEXT_MAX + 1];
	struct ipsp_span rest, len, message;
	struct pc_decoder decoder = { .line = on_line };
	struct pc_diag diag;
	const uint8_t *const nul = memchr(data, 0, size);

	if (size > TEXT_MAX || !nul)
		return 0;
	must(ipsp_crypto_gcrypt_init(1 << 20) == IPSP_OK);
	memcpy(text, data, (size_t)(nul - data) + 1);
	if (!pc_ike_keys_parse(text, (size_t)(nul - data), "table", true, &decoder.keys, &diag))
		return 0;
	rest = (struct ipsp_span){ nul + 1, size - (size_t)(nul - data) - 1 };
	decoder.fragments = pc_fragments_new(on_loss, NULL);
	must(decoder.fragments);
	while (ike_take(&rest, 2, &len) && ike_take(&rest, be16dec(len.data), &message))
		decode(&decoder, message);
	pc_fragments_end(decoder.fragments);
	pc_fragments_free(decoder.fragments);
	pc_ike_keys_free(decoder.keys);
	return 0;
}
