/*
 * tests/fuzz/fuzz_secrets.c - any octets as a secrets file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/analysis.h"
#include "ipsp-pcap/secrets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

/* What a line that was taken may be. */
static void check_secret(const struct pc_secret *s)
{
	struct ipsp_crypto_shape shape;

	must(s->sa.encr_key.len <= IPSP_KEY_MAX && s->sa.integ_key.len <= IPSP_KEY_MAX);
	must(s->any || (s->sa.spi >= 256 && s->sa.local.family));
	must(ipsp_crypto_analysis()->shape(IPSP_PROTO_ESP, s->sa.encr, s->sa.encr_key_bits, s->sa.integ,
					   &shape) == IPSP_OK);
	must(s->checked == (s->sa.integ < ANALYSIS_INTEG_UNCHECKED));
	for (uint32_t i = 0; i < s->n_selectors; i++)
		must(ipsp_selector_valid(&s->selectors[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pc_secrets secrets = { 0 };
	struct pc_diag diag = { "" };
	char *text;
	bool good;

	if (size < 1 || size > 65536)
		return 0;
	must(ipsp_crypto_gcrypt_init(65536) == IPSP_OK);
	text = malloc(size);
	secrets.files[0] = strdup("fuzz");
	must(text && secrets.files[0]);
	secrets.n_files = 1;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	good = pc_secrets_parse(text, size - 1, 0, data[0] & 1, &secrets, &diag);
	must(good == !diag.text[0]);
	for (uint32_t i = 0; i < secrets.n; i++)
		check_secret(secrets.sas[i]);
	pc_secrets_fini(&secrets);
	free(text);
	return 0;
}
