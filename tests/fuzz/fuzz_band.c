/*
 * tests/fuzz/fuzz_band.c - what engine and agent tell each other of key managers: their policies
 * (ipspd/band_wire.h) and their SAs (ipspd/sad_wire.h), and of algorithms (ipspd/crypto_wire.h), as a
 * taken-over process might send them.
 *
 * The first octet chooses. What is read is written as the same octets again.
 */
#include "config.h"

#include <string.h>

#include "ipspd/band_wire.h"
#include "ipspd/crypto_wire.h"
#include "ipspd/sad_wire.h"
#include "tests/fuzz/fuzz.h"

static void try_policy(const uint8_t *data, size_t len)
{
	struct chan_reader r = { .data = data, .len = len };
	uint8_t again[BAND_POLICY_MAX];
	struct chan_writer w = { .data = again, .size = sizeof(again) };
	struct pfkey_band_policy p;

	if (!band_policy_get(&r, &p))
		return;
	must(p.n_templates <= PFKEY_TEMPLATES_MAX && ipsp_selector_valid(&p.selector));
	must(p.index != 0 && p.dir >= PFKEY_DIR_IN && p.dir <= PFKEY_DIR_FWD);
	band_policy_put(&w, &p);
	must(!w.overflow && w.len == len && memcmp(again, data, len) == 0);
}

static void try_sas(const uint8_t *data, size_t len)
{
	static struct wire_sad_sa sas[SAD_WIRE_SAS_MAX];
	static uint8_t again[CHAN_PAYLOAD_MAX];
	const struct chan_msg m = { .data = data, .len = len };
	struct chan_writer w = { .data = again, .size = sizeof(again) };
	uint32_t serial;
	size_t n;
	bool more;

	if (!sad_wire_read(&m, &serial, &more, sas, &n))
		return;
	must(n <= SAD_WIRE_SAS_MAX);
	for (size_t i = 0; i < n; i++) {
		must(sas[i].stats.id != 0 && sas[i].origin != IPSP_ORIGIN_POLICY);
		must(sas[i].sel.family == 0 || ipsp_selector_valid(&sas[i].sel));
	}
	sad_wire_put(&w, serial, more, sas, n);
	must(!w.overflow && w.len == len && memcmp(again, data, len) == 0);
}

static void try_crypto(const uint8_t *data, size_t len)
{
	static struct wire_crypto crypto;
	static uint8_t again[CHAN_PAYLOAD_MAX];
	const struct chan_msg m = { .data = data, .len = len };
	struct chan_writer w = { .data = again, .size = sizeof(again) };

	if (len > sizeof(again) || !crypto_wire_read(&m, &crypto))
		return;
	must(crypto.n_suites <= CRYPTO_WIRE_SUITES_MAX);
	must(crypto.n_libraries <= CRYPTO_WIRE_LIBRARIES_MAX);
	must(crypto_wire_put(&w, &crypto) && w.len == len && memcmp(again, data, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 3 == 0)
		try_policy(data + 1, size - 1);
	else if (data[0] % 3 == 1)
		try_sas(data + 1, size - 1);
	else
		try_crypto(data + 1, size - 1);
	return 0;
}
