/*
 * Tests of ike/prf.c and ike/keys.c by vectors of others: RFC 2202, 4231, 4434 and 4615 for the functions, NIST's of
 * SP 800-135 (CAVP, IKEv2, SHA-1) for what is derived by them. Those are for 132 octets, which is what AES-CBC-128
 * with HMAC-SHA1-96 takes, so that each key is seen at its place.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/crypto/gcrypt.h"
#include "ike/config.h"
#include "ike/keys.h"
#include "ike/registry.h"

#define TEXT "what do ya want for nothing?"
#define OCTETS20 "000102030405060708090a0b0c0d0e0f10111213"

static struct ike_prfs *prfs;

struct octets {
	uint8_t data[160];
	size_t len;
};

static struct octets hex(const char *text)
{
	struct octets o = { .len = strlen(text) / 2 };
	unsigned octet;

	ck_assert_uint_le(o.len, sizeof(o.data));
	for (size_t i = 0; i < o.len; i++) {
		ck_assert_int_eq(sscanf(text + 2 * i, "%2x", &octet), 1);
		o.data[i] = (uint8_t)octet;
	}
	return o;
}

static struct ipsp_span span(const struct octets *o)
{
	return (struct ipsp_span){ o->data, o->len };
}

static void setup(void)
{
	ck_assert_int_eq(ipsp_crypto_gcrypt_init(1 << 20), IPSP_OK);
	prfs = ike_prfs_new();
	ck_assert_ptr_nonnull(prfs);
}

static void teardown(void)
{
	ike_prfs_free(prfs);
}

/* ---- functions ---- */

static const struct {
	uint16_t prf;
	const char *key, *data, *out;	/* data: in hex, or NULL for TEXT */
} functions[] = {
	{ IKE_PRF_HMAC_MD5, "4a656665", NULL, "750c783e6ab0b503eaa86e310a5db738" },
	{ IKE_PRF_HMAC_SHA1, "4a656665", NULL, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
	{ IKE_PRF_HMAC_SHA2_256, "4a656665", NULL,
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ IKE_PRF_HMAC_SHA2_384, "4a656665", NULL,
	  "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
	  "8e2240ca5e69e2c78b3239ecfab21649" },
	{ IKE_PRF_HMAC_SHA2_512, "4a656665", NULL,
	  "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
	  "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
	{ IKE_PRF_AES128_XCBC, "000102030405060708090a0b0c0d0e0f", OCTETS20,
	  "47f51b4564966215b8985c63055ed308" },
	{ IKE_PRF_AES128_XCBC, "00010203040506070809", OCTETS20,
	  "0fa087af7d866e7653434e602fdde835" },
	{ IKE_PRF_AES128_XCBC, "000102030405060708090a0b0c0d0e0fedcb", OCTETS20,
	  "8cd3c93ae598a9803006ffb67c40e9e4" },
	{ IKE_PRF_AES128_CMAC, "000102030405060708090a0b0c0d0e0f", OCTETS20,
	  "980ae87b5f4c9c5214f5b6a8455e4c2d" },
	{ IKE_PRF_AES128_CMAC, "00010203040506070809", OCTETS20,
	  "290d9e112edb09ee141fcf64c0b72f3d" },
	{ IKE_PRF_AES128_CMAC, "000102030405060708090a0b0c0d0e0fedcb", OCTETS20,
	  "84a348a4a45d235babfffc0d2b4da09a" },
};

START_TEST(test_functions_give_what_their_documents_say)
{
	const struct octets key = hex(functions[_i].key), want = hex(functions[_i].out);
	const struct octets data = functions[_i].data ? hex(functions[_i].data) :
							(struct octets){ TEXT, sizeof(TEXT) - 1 };
	/* In two pieces, since that is how it is given most. */
	const struct ipsp_span pieces[] = { { data.data, 5 }, { data.data + 5, data.len - 5 } };
	uint8_t out[IKE_PRF_MAX];

	ck_assert_uint_eq(ike_prf_len(functions[_i].prf), want.len);
	ck_assert_int_eq(ike_prf(prfs, functions[_i].prf, span(&key), pieces, 2, out), IPSP_OK);
	ck_assert_mem_eq(out, want.data, want.len);
}
END_TEST

START_TEST(test_a_key_longer_than_a_block_is_hashed_first)
{
	static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	const struct ipsp_span data = { (const uint8_t *)text, sizeof(text) - 1 };
	const struct octets want =
		hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	uint8_t key[131], out[IKE_PRF_MAX];

	memset(key, 0xaa, sizeof(key));
	ck_assert_int_eq(ike_prf(prfs, IKE_PRF_HMAC_SHA2_256,
				 (struct ipsp_span){ key, sizeof(key) }, &data, 1, out), IPSP_OK);
	ck_assert_mem_eq(out, want.data, want.len);
}
END_TEST

/* ---- what is derived ---- */

static const char nonce_i[] = "3651fef5c9c35e93", nonce_r[] = "c09a8b90a3f04d59";
static const char spi_i[] = "8e5c3ae507221684", spi_r[] = "b1f201bb155c3acd";
static const char g_ir[] =
	"d084a30166a50fb7325c3960874a839449ef9741c2f4f947d0201dd8c1269273"
	"d79509f37e3ca3eb4fa2fe2a28254e289cd3f34dad4eb4df1a07685a4b8a94fa"
	"61e2491f7598b3ce65547ff133b3f63d1ac4175eaa695033f3cedb026a6873a3"
	"6455172a8540b8a5d23a0143bed0390ee49b168269d75fffee9fb62be965993c";
static const char g_ir_new[] =
	"52f00ab174c25d5b7139ae5ff4e8e9eddee5992d2e36adf8a559ffd90dab1442"
	"e4fbe429d320c0f33552a17d1557fa41ea70e8fb916c4fa27ed52b5f8ebd8461"
	"afa78f1159159a64055ac5f6319e29c28eae58cbc6847770f32c3fed1d047504"
	"84f854790f95e9ec01bc5bc461f24966462e359511329305038e94deb6dd42c2";
static const char dkm[] =
	"6f1b12cad3cbe097b35430356d869d54cddb0198ec859174d53ceb92dddedbe2436db69f60977c58"
	"fa63bbb667f8d36920b109baae8f6c61a9ac49feda01843225d080ec5539d5881a25521ffb2a0a91"
	"874a9c0a27fcc2d717eb8963a9e3a89c7ab264757284c28cf8c3ca40576f4220b052b1fb8e9ad60b"
	"a3c80557323331a8cbb89f20";
static const char dkm_child[] =
	"4727dc0ef94eb326ce131cf282fb652faa638ad0ddae3786a11bcc0309876009f8c485de011ad962"
	"c5b1ca8a41ff8145445749079c5686e26ffebbc342f06981f3da745e11ca0976424d1f8caec623d5"
	"9dc7186deb20a27b411d1dcb70a365440bf7de905088b0692e8addc094e18d1939bdb67e89798ca6"
	"b239e2ccb81c2409dac0106c";
static const char dkm_child_dh[] =
	"b109c21ad4c0797768c1cec9e63554681e48f224bca7f23c20c4ea7041983451e9aa1d5408656c8a"
	"975ff1b9d9a12c75ffeb64bdecb30174664cccb4e14f1c377b7f6d1525af77c7092aac3e47f917eb"
	"ae8297fb5539d2008ce830823a09cc197361d4a289c72745f6ce9fefe812be5bf55b3200fbb82e41"
	"a4a40877d3fe106db909707b";
static const char skeyseed_again[] = "3b03bce748c96d5e8306918d2ff89b68f0648da3";

static const struct ike_suite suite = {
	.encr = IKE_ENCR_AES_CBC, .encr_key_bits = 128, .integ = IKE_INTEG_HMAC_SHA1_96,
	.prf = IKE_PRF_HMAC_SHA1,
};

static struct ike_keys *keys_of(const char *shared, const struct ike_keys *old)
{
	const struct octets ni = hex(nonce_i), nr = hex(nonce_r), i = hex(spi_i), r = hex(spi_r);
	const struct octets secret = hex(shared);
	const struct ike_key_source source = { .suite = &suite, .nonce_i = span(&ni),
					       .nonce_r = span(&nr), .spi_i = i.data,
					       .spi_r = r.data, .shared = span(&secret) };
	struct ike_keys *k = NULL;

	ck_assert_int_eq(ike_keys_make(prfs, ipsp_crypto_gcrypt(), &source, old, &k), IPSP_OK);
	return k;
}

START_TEST(test_an_IKE_SA_has_its_keys_in_their_order)
{
	struct ike_keys *k = keys_of(g_ir, NULL);
	const struct octets want = hex(dkm);

	ck_assert_uint_eq(k->prf_len, 20);
	ck_assert_mem_eq(k->sk_d, want.data, 20);
	ck_assert_mem_eq(k->sk_pi, want.data + 92, 20);
	ck_assert_mem_eq(k->sk_pr, want.data + 112, 20);
	ike_keys_free(k);
}
END_TEST

START_TEST(test_a_Child_SA_has_its_keys_with_and_without_a_key_exchange)
{
	struct ike_keys *k = keys_of(g_ir, NULL);
	const struct octets ni = hex(nonce_i), nr = hex(nonce_r), secret = hex(g_ir_new);
	const struct octets plain = hex(dkm_child), secrecy = hex(dkm_child_dh);
	uint8_t out[132];

	ck_assert_int_eq(ike_child_keys(prfs, k, (struct ipsp_span){ 0 }, span(&ni), span(&nr), (struct ipsp_span){ 0 }, out,
					sizeof(out)), IPSP_OK);
	ck_assert_mem_eq(out, plain.data, sizeof(out));
	ck_assert_int_eq(ike_child_keys(prfs, k, span(&secret), span(&ni), span(&nr), (struct ipsp_span){ 0 }, out,
					sizeof(out)), IPSP_OK);
	ck_assert_mem_eq(out, secrecy.data, sizeof(out));
	ike_keys_free(k);
}
END_TEST

START_TEST(test_a_rekeyed_IKE_SA_descends_from_the_old_one)
{
	struct ike_keys *k = keys_of(g_ir, NULL), *again = keys_of(g_ir_new, k);
	const struct octets ni = hex(nonce_i), nr = hex(nonce_r), i = hex(spi_i), r = hex(spi_r);
	const struct octets seed = hex(skeyseed_again);
	const struct ipsp_span pieces[] = { span(&ni), span(&nr), span(&i), span(&r) };
	uint8_t want[132];

	ck_assert_int_eq(ike_prf_plus(prfs, IKE_PRF_HMAC_SHA1, span(&seed), pieces, 4, want,
				      sizeof(want)), IPSP_OK);
	ck_assert_mem_eq(again->sk_d, want, 20);
	ck_assert_mem_eq(again->sk_pr, want + 112, 20);
	ike_keys_free(again);
	ike_keys_free(k);
}
END_TEST

START_TEST(test_prf_plus_has_no_more_than_255_outputs)
{
	const struct octets key = hex(nonce_i);
	const struct ipsp_span seed = span(&key);
	static uint8_t out[256 * 20];

	ck_assert_int_eq(ike_prf_plus(prfs, IKE_PRF_HMAC_SHA1, seed, &seed, 1, out, 255 * 20),
			 IPSP_OK);
	ck_assert_int_eq(ike_prf_plus(prfs, IKE_PRF_HMAC_SHA1, seed, &seed, 1, out, 255 * 20 + 1),
			 IPSP_EINVAL);
}
END_TEST

/* ---- what is left of them ---- */

#define MAPPING_MAX (UINT64_C(1) << 28)	/* longer ones are a sanitizer's own */

static uint8_t window[65536];

/* How often it is in what was read last. So that it is not found here, it is said turned round, bit by bit. */
static unsigned find_in_window(size_t n, const uint8_t *turned, size_t len)
{
	const uint8_t first = (uint8_t)~turned[0];
	const uint8_t *at = window;
	unsigned found = 0;

	while ((at = memchr(at, first, n - (size_t)(at - window)))) {
		size_t i = 0;

		while (i < len && at + i < window + n && (at[i] ^ turned[i]) == UINT8_MAX)
			i++;
		found += i == len;
		at++;
	}
	return found;
}

/* How often it is in all that this process can write to. */
static unsigned find_in_memory(const uint8_t *turned, size_t len)
{
	FILE *const maps = fopen("/proc/self/maps", "r");
	const int mem = open("/proc/self/mem", O_RDONLY);
	char line[512], access[8];
	uint64_t from, to;
	unsigned found = 0;

	ck_assert(maps && mem >= 0);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, access) != 3 ||
		    access[1] != 'w' || to - from > MAPPING_MAX)
			continue;
		for (; from < to; from += sizeof(window) - len) {
			const uint64_t own = (uintptr_t)window;
			const ssize_t n = pread(mem, window, to - from < sizeof(window) ? to - from :
							     sizeof(window), (off_t)from);

			if (n > 0 && (from + (uint64_t)n <= own || from >= own + sizeof(window)))
				found += find_in_window((size_t)n, turned, len);
		}
	}
	fclose(maps);
	close(mem);
	return found;
}

/* The one that all keys of Child SAs come from. */
START_TEST(test_nothing_is_left_in_memory_of_keys_that_are_freed)
{
	uint8_t turned[20];
	struct ike_keys *k = keys_of(g_ir, NULL);

	ck_assert_uint_eq(k->prf_len, sizeof(turned));
	for (size_t i = 0; i < sizeof(turned); i++)
		turned[i] = (uint8_t)~k->sk_d[i];
	ck_assert_uint_ge(find_in_memory(turned, sizeof(turned)), 1);
	ike_keys_free(k);
	ck_assert_uint_eq(find_in_memory(turned, sizeof(turned)), 0);
}
END_TEST

START_TEST(test_nothing_is_left_in_memory_of_a_secret_that_is_freed)
{
	/* Short ones and long ones have places of different kinds. */
	const size_t len = _i ? IKE_SECRET_MAX : 24;
	uint8_t turned[24];
	uint8_t *const octets = malloc(len);
	struct ike_secret *s;

	for (size_t i = 0; i < len; i++)
		octets[i] = (uint8_t)(i * i * 37 + 0xa7);
	for (size_t i = 0; i < sizeof(turned); i++)
		turned[i] = (uint8_t)~octets[i];
	s = ike_secret_new((struct ipsp_span){ octets, len });
	ck_assert_ptr_nonnull(s);
	explicit_bzero(octets, len);
	free(octets);
	ck_assert_uint_ge(find_in_memory(turned, sizeof(turned)), 1);
	ike_secret_unref(ike_secret_ref(s));
	ck_assert_uint_ge(find_in_memory(turned, sizeof(turned)), 1);
	ike_secret_unref(s);
	ck_assert_uint_eq(find_in_memory(turned, sizeof(turned)), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ike/keys");
	TCase *c = tcase_create("vectors");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, test_functions_give_what_their_documents_say, 0,
			    (int)(sizeof(functions) / sizeof(functions[0])));
	tcase_add_test(c, test_a_key_longer_than_a_block_is_hashed_first);
	tcase_add_test(c, test_an_IKE_SA_has_its_keys_in_their_order);
	tcase_add_test(c, test_a_Child_SA_has_its_keys_with_and_without_a_key_exchange);
	tcase_add_test(c, test_a_rekeyed_IKE_SA_descends_from_the_old_one);
	tcase_add_test(c, test_prf_plus_has_no_more_than_255_outputs);
	tcase_add_test(c, test_nothing_is_left_in_memory_of_keys_that_are_freed);
	tcase_add_loop_test(c, test_nothing_is_left_in_memory_of_a_secret_that_is_freed, 0, 2);
	suite_add_tcase(s, c);

	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
