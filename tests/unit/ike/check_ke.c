/*
 * tests/unit/ike/check_ke.c - key exchange methods: each with itself, what is no value of theirs, and ML-KEM against another
 * library where both have it. That the groups are the right ones, strongSwan judges: tests/net/test_ike_matrix.sh.
 */
#include <check.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"
#include "ike/ke.h"
#include "tests/unit/ike/pair.h"

#define PRIME 3329u	/* of ML-KEM */

struct kem {
	uint16_t method;
	const char *name;	/* libcrypto's */
};

static const struct kem kems[] = {
	{ IKE_KE_ML_KEM_512, "ML-KEM-512" }, { IKE_KE_ML_KEM_768, "ML-KEM-768" },
	{ IKE_KE_ML_KEM_1024, "ML-KEM-1024" },
};
#define N_KEMS ((int)(sizeof(kems) / sizeof(kems[0])))

static uint8_t public[IKE_KE_PUBLIC_MAX], answer[IKE_KE_PUBLIC_MAX];
static uint8_t shared_i[IKE_KE_SHARED_MAX], shared_r[IKE_KE_SHARED_MAX];

static struct ipsp_span span(const uint8_t *octets, size_t len)
{
	return (struct ipsp_span){ octets, len };
}

START_TEST(test_both_ends_of_each_method_have_the_same_secret)
{
	unsigned n = 0;

	for (uint16_t method = 0; method < 64; method++) {
		const struct ike_ke_info *const info = ike_ke_find(method);
		struct ike_ke *ke;

		if (!info)
			continue;
		ck_assert_uint_eq(info->method, method);
		memset(shared_i, 0, sizeof(shared_i));
		ck_assert_int_eq(ike_ke_begin(method, &ke, public), IPSP_OK);
		ck_assert_int_eq(ike_ke_answer(method, span(public, info->public_len), answer, shared_r), IPSP_OK);
		ck_assert_int_eq(ike_ke_finish(ke, span(answer, info->answer_len), shared_i), IPSP_OK);
		ck_assert_mem_eq(shared_i, shared_r, info->shared_len);
		ike_ke_free(ke);
		n++;
	}
	/* Eight MODP groups, three ECP, three of brainpool, and two of RFC 8031. */
	ck_assert_uint_ge(n, 16);
}
END_TEST

START_TEST(test_data_of_another_length_is_no_value)
{
	for (uint16_t method = 0; method < 64; method++) {
		const struct ike_ke_info *const info = ike_ke_find(method);
		struct ike_ke *ke;

		if (!info)
			continue;
		ck_assert_int_eq(ike_ke_begin(method, &ke, public), IPSP_OK);
		ck_assert_int_eq(ike_ke_answer(method, span(public, info->public_len), answer, shared_r), IPSP_OK);
		ck_assert_int_eq(ike_ke_finish(ke, span(answer, info->answer_len - 1u), shared_i), IPSP_EMALFORMED);
		ck_assert_int_eq(ike_ke_finish(ke, span(answer, 0), shared_i), IPSP_EMALFORMED);
		ck_assert_int_eq(ike_ke_answer(method, span(public, info->public_len - 1u), answer, shared_r),
				 IPSP_EMALFORMED);
		ike_ke_free(ke);
	}
}
END_TEST

/* All ones is above every prime; all zeros is in no MODP group (RFC 6989 2.1), on no curve, and of small order. */
START_TEST(test_what_is_in_no_group_is_no_value)
{
	for (uint16_t method = 0; method < IKE_KE_ML_KEM_512; method++) {
		const struct ike_ke_info *const info = ike_ke_find(method);

		if (!info)
			continue;
		memset(public, 0, sizeof(public));
		ck_assert_int_eq(ike_ke_answer(method, span(public, info->public_len), answer, shared_r),
				 IPSP_EMALFORMED);
		if (method == IKE_KE_CURVE25519 || method == IKE_KE_CURVE448)
			continue;
		memset(public, 0xff, sizeof(public));
		ck_assert_int_eq(ike_ke_answer(method, span(public, info->public_len), answer, shared_r),
				 IPSP_EMALFORMED);
	}
}
END_TEST

START_TEST(test_an_unknown_method_is_none)
{
	struct ike_ke *ke;

	ck_assert_ptr_null(ike_ke_find(0));
	ck_assert_ptr_null(ike_ke_find(UINT16_MAX));
	ck_assert_int_eq(ike_ke_begin(UINT16_MAX, &ke, public), IPSP_ENOTSUP);
	ck_assert_int_eq(ike_ke_answer(UINT16_MAX, span(public, 32), answer, shared_r), IPSP_ENOTSUP);
}
END_TEST

/* ---- ML-KEM; a libgcrypt without it has none of the three ---- */

static EVP_PKEY *libcrypto_key(const struct kem *k, const uint8_t *octets, size_t len)
{
	OSSL_PARAM params[2] = { OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)octets, len),
				 OSSL_PARAM_construct_end() };
	EVP_PKEY_CTX *const ctx = EVP_PKEY_CTX_new_from_name(NULL, k->name, NULL);
	EVP_PKEY *key = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) > 0)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static bool libcrypto_has(const struct kem *k)
{
	EVP_PKEY_CTX *const ctx = EVP_PKEY_CTX_new_from_name(NULL, k->name, NULL);

	EVP_PKEY_CTX_free(ctx);
	return ctx != NULL;
}

START_TEST(test_libcrypto_encapsulates_for_our_key)
{
	const struct kem *const k = &kems[_i];
	const struct ike_ke_info *const info = ike_ke_find(k->method);
	size_t answer_len, shared_len;
	EVP_PKEY_CTX *ctx;
	struct ike_ke *ke;
	EVP_PKEY *theirs;

	ck_assert_int_eq(info != NULL, ike_ke_find(kems[0].method) != NULL);
	if (!info || !libcrypto_has(k))
		return;
	answer_len = info->answer_len;
	shared_len = info->shared_len;
	ck_assert_int_eq(ike_ke_begin(k->method, &ke, public), IPSP_OK);
	theirs = libcrypto_key(k, public, info->public_len);
	ck_assert_ptr_nonnull(theirs);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, theirs, NULL);
	ck_assert_int_gt(EVP_PKEY_encapsulate_init(ctx, NULL), 0);
	ck_assert_int_gt(EVP_PKEY_encapsulate(ctx, answer, &answer_len, shared_r, &shared_len), 0);
	ck_assert_uint_eq(answer_len, info->answer_len);
	ck_assert_int_eq(ike_ke_finish(ke, span(answer, answer_len), shared_i), IPSP_OK);
	ck_assert_mem_eq(shared_i, shared_r, shared_len);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(theirs);
	ike_ke_free(ke);
}
END_TEST

START_TEST(test_libcrypto_opens_what_we_encapsulate)
{
	const struct kem *const k = &kems[_i];
	const struct ike_ke_info *const info = ike_ke_find(k->method);
	unsigned char *octets = NULL;
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *theirs;
	size_t len;

	if (!info || !libcrypto_has(k))
		return;
	theirs = EVP_PKEY_Q_keygen(NULL, NULL, k->name);
	len = EVP_PKEY_get1_encoded_public_key(theirs, &octets);
	ck_assert_uint_eq(len, info->public_len);
	ck_assert_int_eq(ike_ke_answer(k->method, span(octets, len), answer, shared_r), IPSP_OK);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, theirs, NULL);
	ck_assert_int_gt(EVP_PKEY_decapsulate_init(ctx, NULL), 0);
	len = sizeof(shared_i);
	ck_assert_int_gt(EVP_PKEY_decapsulate(ctx, shared_i, &len, answer, info->answer_len), 0);
	ck_assert_uint_eq(len, info->shared_len);
	ck_assert_mem_eq(shared_i, shared_r, len);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(theirs);
	OPENSSL_free(octets);
}
END_TEST

/* FIPS 203 7.2: a coefficient that is the prime, once as the first and once as the last of all. */
START_TEST(test_a_key_that_is_not_reduced_is_no_value)
{
	const struct kem *const k = &kems[_i];
	const struct ike_ke_info *const info = ike_ke_find(k->method);
	struct ike_ke *ke;
	uint8_t *last;

	if (!info)
		return;
	ck_assert_int_eq(ike_ke_begin(k->method, &ke, public), IPSP_OK);
	ike_ke_free(ke);
	last = public + info->public_len - 32 - 3;
	last[1] = (uint8_t)((last[1] & 0x0f) | (PRIME & 0x0f) << 4);
	last[2] = (uint8_t)(PRIME >> 4);
	ck_assert_int_eq(ike_ke_answer(k->method, span(public, info->public_len), answer, shared_r), IPSP_EMALFORMED);
	last[2] = (uint8_t)((PRIME - 16) >> 4);
	ck_assert_int_eq(ike_ke_answer(k->method, span(public, info->public_len), answer, shared_r), IPSP_OK);
	public[0] = PRIME & 0xff;
	public[1] = (uint8_t)((public[1] & 0xf0) | PRIME >> 8);
	ck_assert_int_eq(ike_ke_answer(k->method, span(public, info->public_len), answer, shared_r), IPSP_EMALFORMED);
}
END_TEST

START_TEST(test_a_changed_ciphertext_gives_a_secret_that_nobody_has)
{
	const struct kem *const k = &kems[_i];
	const struct ike_ke_info *const info = ike_ke_find(k->method);
	struct ike_ke *ke;

	if (!info)
		return;
	ck_assert_int_eq(ike_ke_begin(k->method, &ke, public), IPSP_OK);
	ck_assert_int_eq(ike_ke_answer(k->method, span(public, info->public_len), answer, shared_r), IPSP_OK);
	answer[17] ^= 1;
	ck_assert_int_eq(ike_ke_finish(ke, span(answer, info->answer_len), shared_i), IPSP_OK);
	ck_assert_mem_ne(shared_i, shared_r, info->shared_len);
	ike_ke_free(ke);
}
END_TEST

/* As a further key exchange, whose two messages are not of one length. */
START_TEST(test_an_IKE_SA_is_made_by_it)
{
	const struct kem *const k = &kems[_i];
	struct pair pair;

	if (!ike_ke_find(k->method))
		return;
	pair_init(&pair);
	for (unsigned i = 0; i < 2; i++)
		ike_offer_add(&pair.ends[i].conn->offers.offers[0], IKE_TRANSFORM_ADDKE1, k->method, 0);
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
	ck_assert_uint_eq(pair_sa(&pair, 0)->suite.add_ke[0], k->method);
	pair_agree(&pair);
	pair_fini(&pair);
}
END_TEST

int main(void)
{
	Suite *const s = suite_create("ike/ke");
	TCase *const each = tcase_create("methods"), *const kem = tcase_create("ML-KEM");
	SRunner *const r = srunner_create(s);
	int failed;

	tcase_set_timeout(each, 60);
	tcase_add_test(each, test_both_ends_of_each_method_have_the_same_secret);
	tcase_add_test(each, test_data_of_another_length_is_no_value);
	tcase_add_test(each, test_what_is_in_no_group_is_no_value);
	tcase_add_test(each, test_an_unknown_method_is_none);
	suite_add_tcase(s, each);
	tcase_add_loop_test(kem, test_libcrypto_encapsulates_for_our_key, 0, N_KEMS);
	tcase_add_loop_test(kem, test_libcrypto_opens_what_we_encapsulate, 0, N_KEMS);
	tcase_add_loop_test(kem, test_a_key_that_is_not_reduced_is_no_value, 0, N_KEMS);
	tcase_add_loop_test(kem, test_a_changed_ciphertext_gives_a_secret_that_nobody_has, 0, N_KEMS);
	tcase_add_loop_test(kem, test_an_IKE_SA_is_made_by_it, 0, N_KEMS);
	suite_add_tcase(s, kem);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
