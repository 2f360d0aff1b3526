/*
 * tests/unit/crypto/check_analysis.c - the provider for captures: weak algorithms on published
 * vectors, ICVs that are not looked at; and that the daemons' provider has none of it.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/analysis.h"

#define PACKET_MAX 128u

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; hex[2 * n]; n++) {
		char pair[3] = { hex[2 * n], hex[2 * n + 1], 0 };

		out[n] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

/* One block with an IV of 0 is what the books call ECB. */
static const struct {
	const char *name;
	uint16_t encr, bits, integ;
	const char *ekey, *akey, *front, *clear, *sealed, *icv;
} vectors[] = {
	{ "FIPS 81 C", IPSP_ENCR_DES_CBC, 64, ANALYSIS_INTEG_UNCHECKED, "0123456789abcdef", "",
	  "0000100000000001" "1234567890abcdef",
	  "4e6f77206973207468652074696d6520666f7220616c6c20",
	  "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6", "" },
	{ "SP 800-67 B", IPSP_ENCR_3DES_CBC, 192, ANALYSIS_INTEG_UNCHECKED,
	  "0123456789abcdef23456789abcdef01456789abcdef0123", "",
	  "0000100000000001" "0000000000000000", "5468652071756663", "a826fd8ce53b855f", "" },
	{ "Blowfish's author's CBC test", IPSP_ENCR_BLOWFISH_CBC, 128, ANALYSIS_INTEG_UNCHECKED,
	  "0123456789abcdeff0e1d2c3b4a59687", "", "0000100000000001" "fedcba9876543210",
	  "37363534333231204e6f77206973207468652074696d6520666f722000000000",
	  "6b77b4d63006dee605b156e27403979358deb9e7154616d959f1652bd5ff92cc", "" },
	{ "RFC 2144 B.1", IPSP_ENCR_CAST_CBC, 128, ANALYSIS_INTEG_UNCHECKED,
	  "0123456712345678234567893456789a", "", "0000100000000001" "0000000000000000",
	  "0123456789abcdef", "238b4fe5847e44b2", "" },
	{ "RFC 2202 2, case 1", IPSP_ENCR_NULL, 0, IPSP_INTEG_HMAC_MD5_96, "",
	  "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265", "", "",
	  "9294727a3638bb1c13f48ef8" },
};
#define N_VECTORS ((int)(sizeof(vectors) / sizeof(vectors[0])))

static struct ipsp_sa_config vector_sa(int i)
{
	struct ipsp_sa_config sa = {
		.proto = IPSP_PROTO_ESP, .encr = vectors[i].encr, .encr_key_bits = vectors[i].bits,
		.integ = vectors[i].integ,
	};

	sa.encr_key.len = (uint16_t)unhex(vectors[i].ekey, sa.encr_key.octets);
	sa.integ_key.len = (uint16_t)unhex(vectors[i].akey, sa.integ_key.octets);
	return sa;
}

START_TEST(test_weak_algorithms_give_the_published_octets)
{
	const struct ipsp_crypto *crypto = ipsp_crypto_analysis();
	const struct ipsp_sa_config sa = vector_sa(_i);
	uint8_t packet[PACKET_MAX] = { 0 }, want[PACKET_MAX];
	struct ipsp_crypto_shape shape;
	struct ipsp_crypto_ctx *ctx;
	struct ipsp_crypto_op op;
	size_t at, len;

	ck_assert_int_eq(crypto->ctx_new(&sa, 1, &ctx), IPSP_OK);
	at = unhex(vectors[_i].front, packet);
	ck_assert_int_eq(crypto->shape(IPSP_PROTO_ESP, sa.encr, sa.encr_key_bits, sa.integ, &shape),
			 IPSP_OK);
	op = ipsp_crypto_op_at(packet, &shape, (uint32_t)unhex(vectors[_i].clear, packet + at));
	crypto->seal(ctx, 0, &op, 1);
	ck_assert_int_eq(op.err, IPSP_OK);
	len = unhex(vectors[_i].sealed, want);
	ck_assert_msg(!memcmp(packet + at, want, len), "%s", vectors[_i].name);
	len = unhex(vectors[_i].icv, want);
	ck_assert_mem_eq(packet + at + op.text_len, want, len);
	crypto->open(ctx, 0, &op, 1);
	ck_assert_int_eq(op.err, IPSP_OK);
	len = unhex(vectors[_i].clear, want);
	ck_assert_mem_eq(packet + at, want, len);
	crypto->ctx_free(ctx);
}
END_TEST

START_TEST(test_daemons_are_offered_nothing_of_this)
{
	struct ipsp_sa_config sa = vector_sa(_i);
	struct ipsp_crypto_shape shape;
	struct ipsp_crypto_ctx *ctx;

	ck_assert_int_eq(ipsp_crypto_gcrypt()->shape(IPSP_PROTO_ESP, sa.encr, sa.encr_key_bits,
						     sa.integ, &shape), IPSP_ENOTSUP);
	ck_assert_int_eq(ipsp_crypto_gcrypt()->ctx_new(&sa, 1, &ctx), IPSP_ENOTSUP);
}
END_TEST

START_TEST(test_daemons_are_offered_no_pair_without_a_checked_icv)
{
	const struct ipsp_crypto *crypto = ipsp_crypto_gcrypt();
	struct ipsp_crypto_shape shape;

	for (unsigned encr = 0; encr < 256; encr++) {
		for (unsigned bits = 0; bits <= 256; bits += 64) {
			for (unsigned integ = ANALYSIS_INTEG_UNCHECKED;
			     integ <= ANALYSIS_INTEG_UNCHECKED + IPSP_ICV_MAX; integ++)
				ck_assert_int_ne(crypto->shape(IPSP_PROTO_ESP, (uint16_t)encr,
							       (uint16_t)bits, (uint16_t)integ,
							       &shape), IPSP_OK);
			if (crypto->shape(IPSP_PROTO_ESP, (uint16_t)encr, (uint16_t)bits,
					  IPSP_INTEG_NONE, &shape) == IPSP_OK)
				ck_assert((encr >= IPSP_ENCR_AES_CCM_8 &&
					   encr <= IPSP_ENCR_AES_GCM_16) ||
					  encr == IPSP_ENCR_NULL_AES_GMAC ||
					  encr == IPSP_ENCR_CHACHA20_POLY1305);
		}
	}
}
END_TEST

START_TEST(test_an_icv_is_passed_over_and_never_made_up)
{
	const struct ipsp_crypto *crypto = ipsp_crypto_analysis();
	struct ipsp_sa_config sa = vector_sa(0);
	uint8_t packet[PACKET_MAX] = { 0 };
	struct ipsp_crypto_op op;
	struct ipsp_crypto_shape shape;
	struct ipsp_crypto_ctx *ctx;

	for (unsigned n = 0; n <= IPSP_ICV_MAX; n++) {
		sa.integ = (uint16_t)(ANALYSIS_INTEG_UNCHECKED + n);
		ck_assert_int_eq(crypto->shape(IPSP_PROTO_ESP, sa.encr, 64, sa.integ, &shape), IPSP_OK);
		ck_assert_uint_eq(shape.icv_len, n);
		op = ipsp_crypto_op_at(packet, &shape, 8);
		ck_assert_int_eq(crypto->ctx_new(&sa, 1, &ctx), IPSP_OK);
		crypto->open(ctx, 0, &op, 1);
		ck_assert_int_eq(op.err, IPSP_OK);
		crypto->seal(ctx, 0, &op, 1);
		ck_assert_int_eq(op.err, n > 0 ? IPSP_ECRYPTO : IPSP_OK);
		crypto->ctx_free(ctx);
	}
	sa.integ = ANALYSIS_INTEG_UNCHECKED + IPSP_ICV_MAX + 1;
	ck_assert_int_eq(crypto->shape(IPSP_PROTO_ESP, sa.encr, 64, sa.integ, &shape), IPSP_ENOTSUP);
}
END_TEST

START_TEST(test_keys_of_other_lengths_are_refused)
{
	struct ipsp_sa_config sa = vector_sa(_i);
	struct ipsp_crypto_ctx *ctx;

	sa.encr_key.len++;
	ck_assert_int_eq(ipsp_crypto_analysis()->ctx_new(&sa, 1, &ctx), IPSP_EKEYLEN);
	sa.encr_key.len--;
	sa.integ_key.len++;
	ck_assert_int_eq(ipsp_crypto_analysis()->ctx_new(&sa, 1, &ctx), IPSP_EKEYLEN);
}
END_TEST

static void setup(void)
{
	ck_assert_int_eq(ipsp_crypto_gcrypt_init(65536), IPSP_OK);
}

int main(void)
{
	Suite *suite = suite_create("analysis");
	TCase *tc = tcase_create("analysis");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_unchecked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_loop_test(tc, test_weak_algorithms_give_the_published_octets, 0, N_VECTORS);
	tcase_add_loop_test(tc, test_daemons_are_offered_nothing_of_this, 0, N_VECTORS);
	tcase_add_test(tc, test_daemons_are_offered_no_pair_without_a_checked_icv);
	tcase_add_test(tc, test_an_icv_is_passed_over_and_never_made_up);
	tcase_add_loop_test(tc, test_keys_of_other_lengths_are_refused, 0, N_VECTORS);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
