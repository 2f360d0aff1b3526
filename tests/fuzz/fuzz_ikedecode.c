/*
 * tests/fuzz/fuzz_ikedecode.c - any octets as a table of IKE SAs' keys and the messages of a capture, decoded
 * as ipsp-pcap does: what is learnt from one message opens the next.
 */
#include <string.h>
#include <sys/endian.h>

#include "engine/crypto/gcrypt.h"
#include "ipsp-pcap/ike_keys.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX 65536u

static void on_line(void *arg, const char *text)
{
	size_t *const lines = arg;

	must(strlen(text) < 512 && !strchr(text, '\n'));
	(*lines)++;
}

struct sink {
	size_t lines;		/* first: on_line counts here */
	struct pc_ike_keys *keys;
};

static void open_sealed(void *arg, struct ipsp_span message, const struct ike_payload *sealed,
			struct ike_opened *out)
{
	pc_ike_keys_open(((struct sink *)arg)->keys, message, sealed, out);
	must(out->why || out->clear.len <= sealed->body.len);
}

static void decode(struct pc_ike_keys *keys, struct ipsp_span message)
{
	struct sink sink = { 0, keys };
	const struct ike_decoder decoder = { .line = on_line, .open = open_sealed, .arg = &sink };

	pc_ike_keys_see(keys, message);
	if (ike_decode(&decoder, message))
		must(sink.lines >= 8);
	must(sink.lines >= 1);
}

/* Lines, a NUL, then messages with their length in two octets in front. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[TEXT_MAX + 1];
	struct ipsp_span rest, len, message;
	struct pc_ike_keys *keys;
	struct pc_diag diag;
	const uint8_t *const nul = memchr(data, 0, size);

	if (size > TEXT_MAX || !nul)
		return 0;
	must(ipsp_crypto_gcrypt_init(1 << 20) == IPSP_OK);
	memcpy(text, data, (size_t)(nul - data) + 1);
	if (!pc_ike_keys_parse(text, (size_t)(nul - data), "table", true, &keys, &diag))
		return 0;
	rest = (struct ipsp_span){ nul + 1, size - (size_t)(nul - data) - 1 };
	while (ike_take(&rest, 2, &len) && ike_take(&rest, be16dec(len.data), &message))
		decode(keys, message);
	pc_ike_keys_free(keys);
	return 0;
}
