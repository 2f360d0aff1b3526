/*
 * tests/unit/crypto/check_provider.c - who computes what: by speed, by choice, and never one who
 * gives wrong answers.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/backends.h"
#include "engine/crypto/measure.h"
#include "engine/crypto/provider.h"
#include "engine/crypto/self_test.h"

static void init(enum ipsp_crypto_choice choice, bool allow_weak)
{
	const struct ipsp_crypto_options options = {
		.secmem_bytes = 65536, .allow_weak = allow_weak, .choice = choice,
	};

	ck_assert_int_eq(ipsp_crypto_init(&options), IPSP_OK);
}

START_TEST(test_every_algorithm_has_a_vector_and_libgcrypt_passes_it)
{
	struct crypto_proof proof;

	init(IPSP_CRYPTO_GCRYPT, true);
	crypto_self_test(&crypto_gcrypt, &proof);
	ck_assert_uint_eq(proof.n_wrong, 0);
	for (size_t i = 0; i < crypto_n_encrs; i++)
		ck_assert_msg(proof.encr[i], "%s", crypto_encrs[i].name);
	for (size_t i = 0; i < crypto_n_integs; i++)
		ck_assert_msg(proof.integ[i], "%s", crypto_integs[i].name);
}
END_TEST

START_TEST(test_ipsec_mb_passes_for_all_it_has)
{
	const struct crypto_backend *const mb = crypto_ipsec_mb();
	struct crypto_proof proof;

	init(IPSP_CRYPTO_AUTO, true);
	if (!mb)
		return;
	crypto_self_test(mb, &proof);
	ck_assert_uint_eq(proof.n_wrong, 0);
	for (size_t i = 0; i < crypto_n_encrs; i++) {
		const struct crypto_suite suite = { &crypto_encrs[i], NULL };

		ck_assert_msg(proof.encr[i] == mb->has(&suite), "%s", crypto_encrs[i].name);
	}
	for (size_t i = 0; i < crypto_n_integs; i++) {
		const struct crypto_suite suite = { NULL, &crypto_integs[i] };

		ck_assert_msg(proof.integ[i] == mb->has(&suite), "%s", crypto_integs[i].name);
	}
}
END_TEST

/* libgcrypt, but for what a bad processor or a bad library would do. */
static bool wrong_icv, wrong_text, takes_all, fails;
static uint8_t only_mode;

static void bad_seal(const struct ipsp_crypto_ctx *ctx, unsigned thread,
		     struct ipsp_crypto_op *ops, size_t n)
{
	crypto_gcrypt.seal(ctx, thread, ops, n);
	if (only_mode && ctx->suite.encr->mode != only_mode)
		return;
	for (size_t i = 0; i < n; i++) {
		ops[i].icv[0] ^= wrong_icv;
		if (ops[i].text_len > 0)
			ops[i].dst[0] ^= wrong_text;
		if (fails)
			ops[i].err = IPSP_ECRYPTO;
	}
}

static void bad_open(const struct ipsp_crypto_ctx *ctx, unsigned thread,
		     struct ipsp_crypto_op *ops, size_t n)
{
	crypto_gcrypt.open(ctx, thread, ops, n);
	for (size_t i = 0; i < n; i++) {
		if (takes_all)
			ops[i].err = IPSP_OK;
	}
}

static unsigned wrong_answers(void)
{
	struct crypto_backend bad = crypto_gcrypt;
	struct crypto_proof proof;

	bad.seal = bad_seal;
	bad.open = bad_open;
	crypto_self_test(&bad, &proof);
	return proof.n_wrong;
}

START_TEST(test_wrong_answers_are_noticed)
{
	init(IPSP_CRYPTO_GCRYPT, true);
	ck_assert_uint_eq(wrong_answers(), 0);
	wrong_icv = true;
	ck_assert_uint_gt(wrong_answers(), 0);
	wrong_icv = false;
	wrong_text = true;
	ck_assert_uint_gt(wrong_answers(), 0);
	wrong_text = false;
	takes_all = true;
	ck_assert_uint_gt(wrong_answers(), 0);
	takes_all = false;
	fails = true;
	ck_assert_uint_gt(wrong_answers(), 0);
	fails = false;
}
END_TEST

START_TEST(test_only_what_was_wrong_is_not_offered)
{
	struct crypto_backend bad = crypto_gcrypt;
	struct crypto_proof proof;

	init(IPSP_CRYPTO_GCRYPT, true);
	bad.seal = bad_seal;
	wrong_text = true;
	only_mode = CRYPTO_GCM;
	crypto_self_test(&bad, &proof);
	for (size_t i = 0; i < crypto_n_encrs; i++)
		ck_assert_msg(proof.encr[i] == (crypto_encrs[i].mode != CRYPTO_GCM), "%s",
			      crypto_encrs[i].name);
	for (size_t i = 0; i < crypto_n_integs; i++)
		ck_assert_msg(proof.integ[i], "%s", crypto_integs[i].name);
	wrong_text = false;
	only_mode = 0;
}
END_TEST

START_TEST(test_weak_algorithms_need_their_leave)
{
	const struct ipsp_crypto *const crypto = ipsp_crypto_provider();
	struct ipsp_crypto_shape shape;
	struct ipsp_crypto_suite suite;
	bool any = false;

	for (int allowed = 0; allowed < 2; allowed++) {
		init(IPSP_CRYPTO_AUTO, allowed);
		const enum ipsp_err want = allowed ? IPSP_OK : IPSP_ENOTSUP;

		ck_assert_int_eq(crypto->shape(IPSP_PROTO_ESP, IPSP_ENCR_3DES_CBC, 192,
					       IPSP_INTEG_HMAC_SHA1_96, &shape), want);
		ck_assert_int_eq(crypto->shape(IPSP_PROTO_ESP, IPSP_ENCR_AES_CBC, 128,
					       IPSP_INTEG_HMAC_MD5_96, &shape), want);
		ck_assert_int_eq(crypto->shape(IPSP_PROTO_AH, 0, 0, IPSP_INTEG_HMAC_RIPEMD_160_96,
					       &shape), want);
		ck_assert_int_eq(crypto->shape(IPSP_PROTO_ESP, IPSP_ENCR_AES_CBC, 128,
					       IPSP_INTEG_HMAC_SHA1_96, &shape), IPSP_OK);
		for (unsigned n = 0; ipsp_crypto_suite(n, &suite); n++)
			any = any || suite.weak;
		ck_assert_int_eq(any, allowed);
	}
}
END_TEST

START_TEST(test_a_suite_says_how_fast_it_is)
{
	struct ipsp_crypto_suite suite;
	uint32_t gcm_16 = 0, gcm_8 = 0;

	init(IPSP_CRYPTO_AUTO, false);
	for (unsigned n = 0; ipsp_crypto_suite(n, &suite); n++) {
		if (suite.encr == IPSP_ENCR_AES_GCM_16 && suite.encr_key_bits == 128)
			gcm_16 = suite.mbits;
		if (suite.encr == IPSP_ENCR_AES_GCM_8 && suite.encr_key_bits == 128)
			gcm_8 = suite.mbits;
	}
	ck_assert_uint_gt(gcm_16, 0);
	ck_assert_uint_eq(gcm_16, gcm_8);	/* the same work */
}
END_TEST

START_TEST(test_a_choice_is_kept_where_it_has_the_algorithm)
{
	struct ipsp_crypto_suite suite;

	for (int choice = IPSP_CRYPTO_AUTO; choice <= IPSP_CRYPTO_IPSEC_MB; choice++) {
		if (choice == IPSP_CRYPTO_IPSEC_MB && !ipsp_crypto_has_ipsec_mb())
			continue;
		init((enum ipsp_crypto_choice)choice, false);
		for (unsigned n = 0; ipsp_crypto_suite(n, &suite); n++) {
			struct crypto_suite parts;

			ck_assert_int_eq(crypto_suite_find(suite.proto, suite.encr,
							   suite.encr_key_bits, suite.integ,
							   &parts), IPSP_OK);
			ck_assert_ptr_nonnull(suite.library);
			if (choice == IPSP_CRYPTO_GCRYPT)
				ck_assert_str_eq(suite.library, "libgcrypt");
			else if (choice == IPSP_CRYPTO_IPSEC_MB)
				ck_assert_str_eq(suite.library, crypto_ipsec_mb()->has(&parts) ?
						 "ipsec-mb" : "libgcrypt");
		}
	}
}
END_TEST

START_TEST(test_a_library_that_is_not_there_cannot_be_chosen)
{
	const struct ipsp_crypto_options options = {
		.secmem_bytes = 65536, .choice = IPSP_CRYPTO_IPSEC_MB,
	};

	ck_assert_int_eq(ipsp_crypto_init(&options),
			 ipsp_crypto_has_ipsec_mb() ? IPSP_OK : IPSP_ENOTSUP);
}
END_TEST

START_TEST(test_contexts_work_by_the_library_that_was_chosen)
{
	const struct ipsp_crypto *const crypto = ipsp_crypto_provider();
	struct ipsp_sa_config sa = {
		.proto = IPSP_PROTO_ESP, .encr = IPSP_ENCR_AES_GCM_16, .encr_key_bits = 256,
		.encr_key.len = 36,
	};
	struct ipsp_crypto_ctx *ctx;
	uint8_t packet[128] = { 0 };
	struct ipsp_crypto_op op;

	init(IPSP_CRYPTO_AUTO, false);
	ck_assert_int_eq(crypto->ctx_new(&sa, 64, &ctx), IPSP_OK);
	op = ipsp_crypto_op_at(packet, &ctx->shape, 64);
	crypto->seal(ctx, 63, &op, 1);
	ck_assert_int_eq(op.err, IPSP_OK);
	crypto->open(ctx, 17, &op, 1);
	ck_assert_int_eq(op.err, IPSP_OK);
	crypto->ctx_free(ctx);
	ck_assert_int_eq(crypto->ctx_new(&sa, 65, &ctx), IPSP_EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("provider");
	TCase *tc = tcase_create("provider");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_test(tc, test_every_algorithm_has_a_vector_and_libgcrypt_passes_it);
	tcase_add_test(tc, test_ipsec_mb_passes_for_all_it_has);
	tcase_add_test(tc, test_wrong_answers_are_noticed);
	tcase_add_test(tc, test_only_what_was_wrong_is_not_offered);
	tcase_add_test(tc, test_weak_algorithms_need_their_leave);
	tcase_add_test(tc, test_a_suite_says_how_fast_it_is);
	tcase_add_test(tc, test_a_choice_is_kept_where_it_has_the_algorithm);
	tcase_add_test(tc, test_a_library_that_is_not_there_cannot_be_chosen);
	tcase_add_test(tc, test_contexts_work_by_the_library_that_was_chosen);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
