/*
 * tests/fuzz/fuzz_ike.c - any octets as an IKE message of either version.
 *
 * What is encrypted is "opened" to the same octets, so that fuzzers reach what stands inside. Every
 * line is one line, offsets never fall but where something opened begins anew, and octets printed are
 * those of the message.
 */
#include <string.h>

#include "ike/decode.h"
#include "tests/fuzz/fuzz.h"

static void on_line(void *arg, const char *text)
{
	size_t *const lines = arg;

	must(strlen(text) < 512 && !strchr(text, '\n'));
	(*lines)++;
}

static void as_it_is(void *arg, struct ipsp_span message, const struct ike_payload *sealed,
		     struct ike_opened *out)
{
	(void)arg;
	must(sealed->body.data >= message.data &&
	     sealed->body.data + sealed->body.len <= message.data + message.len);
	*out = (struct ike_opened){ .first_payload = sealed->next, .clear = sealed->body };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t lines = 0;
	struct ike_decoder decoder = { .line = on_line, .open = as_it_is, .arg = &lines };

	for (int hides = 0; hides < 2; hides++) {
		decoder.hides_proofs = hides;
		lines = 0;
		if (ike_decode(&decoder, (struct ipsp_span){ data, size }))
			must(size >= IKE_HEADER_LEN && lines >= 8);
		else
			must(lines >= 1);
	}
	return 0;
}
