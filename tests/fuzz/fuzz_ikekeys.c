/*
 * tests/fuzz/fuzz_ikekeys.c - any octets as a table of IKE SAs' keys, and as the message that they are
 * to open.
 */
#include <string.h>

#include "engine/crypto/gcrypt.h"
#include "ipsp-pcap/ike_keys.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX 65536u

/* The message has the SPIs of an IKE SA that the first line may be, and two payloads to open. */
static void try_open(struct pc_ike_keys *keys, const uint8_t *data, size_t size)
{
	static const uint8_t types[] = { IKE_PAYLOAD_SK, IKE_PAYLOAD_SKF };
	struct ike_payload sealed = { 0 };
	struct ike_opened opened;

	if (size < IKE_HEADER_LEN + IKE_PAYLOAD_HEADER_LEN)
		return;
	sealed.whole = (struct ipsp_span){ data + IKE_HEADER_LEN, size - IKE_HEADER_LEN };
	sealed.body = (struct ipsp_span){ sealed.whole.data + IKE_PAYLOAD_HEADER_LEN,
					  sealed.whole.len - IKE_PAYLOAD_HEADER_LEN };
	for (size_t i = 0; i < sizeof(types); i++) {
		sealed.type = types[i];
		pc_ike_keys_open(keys, (struct ipsp_span){ data, size }, &sealed, &opened);
		must(opened.why || opened.clear.len < size);
	}
}

/* Lines, then behind a NUL the message. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[TEXT_MAX + 1];
	const uint8_t *nul;
	struct pc_ike_keys *keys;
	struct pc_diag diag;
	size_t len;

	if (size > TEXT_MAX)
		return 0;
	must(ipsp_crypto_gcrypt_init(1 << 20) == IPSP_OK);
	nul = memchr(data, 0, size);
	len = nul ? (size_t)(nul - data) : size;
	memcpy(text, data, len);
	text[len] = '\0';
	if (!pc_ike_keys_parse(text, len, "table", true, &keys, &diag)) {
		must(strncmp(diag.text, "table:", 6) == 0);
		return 0;
	}
	if (nul)
		try_open(keys, nul + 1, size - len - 1);
	pc_ike_keys_free(keys);
	return 0;
}
