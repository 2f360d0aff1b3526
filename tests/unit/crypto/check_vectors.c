/*
 * tests/unit/crypto/check_vectors.c - every library on the same published vectors, in batches; and
 * the libraries against one another on lengths, places and batches that no publication has.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/backends.h"
#include "engine/crypto/self_test.h"
#include "engine/crypto/single.h"
#include "engine/crypto/vectors.h"

#define BATCH 5u
#define LIBRARIES 2

static const struct crypto_backend *library(int i)
{
	return i == 0 ? &crypto_gcrypt : crypto_ipsec_mb();
}

/* Tests loop over vectors, once a library. NULL: it has not that algorithm. */
static struct ipsp_crypto_ctx *ctx_of(int i, const struct crypto_vector **v)
{
	const struct crypto_backend *const backend = library(i / (int)crypto_n_vectors);
	struct ipsp_crypto_ctx *ctx;
	struct ipsp_sa_config sa;
	struct crypto_suite suite;

	*v = &crypto_vectors[i % (int)crypto_n_vectors];
	crypto_vector_sa(*v, &sa);
	ck_assert_int_eq(crypto_suite_find(sa.proto, sa.encr, sa.encr_key_bits, sa.integ, &suite),
			 IPSP_OK);
	if (!backend || !backend->has(&suite))
		return NULL;
	ck_assert_int_eq(crypto_ctx_new(backend, &suite, &sa, 2, &ctx), IPSP_OK);
	return ctx;
}

struct sealed {
	uint8_t octets[BATCH][CRYPTO_VECTOR_MAX + BATCH];
	struct ipsp_crypto_op ops[BATCH];
	size_t front, text_len, len;
};

/* The vector several times, each at another alignment. */
static void lay_out(const struct ipsp_crypto_ctx *ctx, const struct crypto_vector *v,
		    struct sealed *s)
{
	memset(s, 0, sizeof(*s));
	for (size_t n = 0; n < BATCH; n++) {
		uint8_t *const packet = s->octets[n] + n;

		s->front = crypto_unhex(v->header_iv, packet);
		s->text_len = crypto_unhex(v->clear, packet + s->front);
		s->ops[n] = ipsp_crypto_op_at(packet, &ctx->shape, (uint32_t)s->text_len);
		s->ops[n].esn = v->esn;
		s->ops[n].seq_hi = v->seq_hi;
	}
	s->len = s->front + s->text_len + ctx->shape.icv_len;
	ck_assert_uint_eq(s->front, 8u + ctx->shape.iv_len);
}

static struct ipsp_crypto_ctx *seal_batch(int i, const struct crypto_vector **v, struct sealed *s)
{
	struct ipsp_crypto_ctx *const ctx = ctx_of(i, v);

	if (!ctx)
		return NULL;
	if ((*v)->proto == IPSP_PROTO_AH) {
		crypto_ctx_free(ctx);
		return NULL;
	}
	lay_out(ctx, *v, s);
	crypto_ctx_seal(ctx, 1, s->ops, BATCH);
	return ctx;
}

START_TEST(test_sealing_gives_the_published_octets)
{
	const struct crypto_vector *v;
	uint8_t want[CRYPTO_VECTOR_MAX];
	struct sealed s;
	struct ipsp_crypto_ctx *const ctx = seal_batch(_i, &v, &s);

	for (size_t n = 0; ctx && n < BATCH; n++) {
		const uint8_t *const packet = s.octets[n] + n;

		ck_assert_int_eq(s.ops[n].err, IPSP_OK);
		if (v->sealed) {
			ck_assert_uint_eq(crypto_unhex(v->sealed, want), s.text_len);
			ck_assert_msg(!memcmp(packet + s.front, want, s.text_len), "%s: text",
				      v->name);
		}
		if (v->icv) {
			ck_assert_uint_eq(crypto_unhex(v->icv, want), ctx->shape.icv_len);
			ck_assert_msg(!memcmp(packet + s.front + s.text_len, want,
					      ctx->shape.icv_len), "%s: ICV", v->name);
		}
		ck_assert_uint_eq(s.octets[n][n + s.len], 0);
	}
	crypto_ctx_free(ctx);
}
END_TEST

static bool is_clear(const struct crypto_vector *v)
{
	return v->encr == IPSP_ENCR_NULL || v->encr == IPSP_ENCR_NULL_AES_GMAC;
}

START_TEST(test_opening_gives_the_clear_octets_and_spots_the_damaged_one)
{
	const struct crypto_vector *v;
	uint8_t clear[CRYPTO_VECTOR_MAX];
	struct sealed s;
	struct ipsp_crypto_ctx *const ctx = seal_batch(_i, &v, &s);

	if (!ctx)
		return;
	crypto_unhex(v->clear, clear);
	s.octets[2][2 + s.len - 1] ^= 1;
	s.octets[4][4] ^= 0x80;
	crypto_ctx_open(ctx, 0, s.ops, BATCH);
	for (size_t n = 0; n < BATCH; n++) {
		const bool damaged = n == 2 || n == 4;

		ck_assert_msg(s.ops[n].err == (damaged ? IPSP_EICV : IPSP_OK), "%s", v->name);
		if (!damaged)
			ck_assert_mem_eq(s.ops[n].dst, clear, s.text_len);
		else if (!is_clear(v))
			ck_assert_msg(memcmp(s.ops[n].dst, clear, s.text_len) != 0, "%s", v->name);
	}
	crypto_ctx_free(ctx);
}
END_TEST

START_TEST(test_text_may_come_from_one_place_and_go_to_another)
{
	const struct crypto_vector *v;
	uint8_t clear[CRYPTO_VECTOR_MAX], opened[CRYPTO_VECTOR_MAX];
	struct sealed s, apart;
	struct ipsp_crypto_ctx *const ctx = seal_batch(_i, &v, &s);
	struct ipsp_crypto_op op;

	if (!ctx)
		return;
	lay_out(ctx, v, &apart);
	crypto_unhex(v->clear, clear);
	op = apart.ops[3];
	memset(op.dst, 0, s.text_len);
	op.src = clear;
	crypto_ctx_seal(ctx, 0, &op, 1);
	ck_assert_int_eq(op.err, IPSP_OK);
	ck_assert_mem_eq(apart.octets[3] + 3, s.octets[3] + 3, s.len);
	op = s.ops[1];
	op.dst = opened;
	crypto_ctx_open(ctx, 0, &op, 1);
	ck_assert_int_eq(op.err, IPSP_OK);
	ck_assert_mem_eq(opened, clear, s.text_len);
	s.octets[2][2 + s.len - 1] ^= 1;
	memset(opened, 0xa5, sizeof(opened));
	op = s.ops[2];
	op.dst = opened;
	crypto_ctx_open(ctx, 0, &op, 1);
	ck_assert_int_eq(op.err, IPSP_EICV);
	if (s.text_len > 0)
		ck_assert_msg(memcmp(opened, clear, s.text_len) != 0, "%s", v->name);
	crypto_ctx_free(ctx);
}
END_TEST

START_TEST(test_a_high_half_is_under_the_icv)
{
	const struct crypto_vector *v;
	struct sealed s;
	struct ipsp_crypto_ctx *const ctx = seal_batch(_i, &v, &s);

	if (!ctx)
		return;
	s.ops[0].esn = true;
	s.ops[0].seq_hi = v->seq_hi + 1;
	crypto_ctx_open(ctx, 0, s.ops, 1);
	ck_assert_int_eq(s.ops[0].err, IPSP_EICV);
	crypto_ctx_free(ctx);
}
END_TEST

/* What AH authenticates comes in pieces. The data of an integrity vector, cut anywhere. */
START_TEST(test_integrity_alone_takes_its_data_in_pieces)
{
	const struct crypto_vector *const v = &crypto_vectors[_i % (int)crypto_n_vectors];
	const struct crypto_backend *const backend = library(_i / (int)crypto_n_vectors);
	uint8_t data[CRYPTO_VECTOR_MAX], want[IPSP_ICV_MAX], icv[IPSP_ICV_MAX], iv[IPSP_IV_MAX];
	struct ipsp_sa_config sa;
	struct crypto_suite suite;
	struct ipsp_crypto_ctx *ctx;
	size_t len;

	crypto_vector_sa(v, &sa);
	if (v->encr == IPSP_ENCR_NULL)
		sa.encr = 0;
	if (crypto_suite_find(IPSP_PROTO_AH, sa.encr, sa.encr_key_bits, sa.integ, &suite) !=
		    IPSP_OK || !backend || !backend->has(&suite))
		return;
	ck_assert_int_eq(crypto_ctx_new(backend, &suite, &sa, 1, &ctx), IPSP_OK);
	len = crypto_unhex(v->header_iv, data);
	len += crypto_unhex(v->clear, data + len);
	crypto_unhex(v->iv, iv);
	ck_assert_uint_eq(crypto_unhex(v->icv, want), ctx->shape.icv_len);
	for (size_t cut = 0; cut <= len; cut++) {
		const struct ipsp_span spans[] = {
			{ data, cut / 2 }, { NULL, 0 }, { data + cut / 2, cut - cut / 2 },
			{ data + cut, len - cut },
		};
		struct ipsp_auth_op ops[2] = {
			{ .spans = spans, .n_spans = 4, .iv = iv, .icv = icv },
			{ .spans = spans, .n_spans = 1, .iv = iv, .icv = want },
		};

		crypto_ctx_auth(ctx, 0, ops, 1);
		ck_assert_int_eq(ops[0].err, IPSP_OK);
		ck_assert_msg(!memcmp(icv, want, ctx->shape.icv_len), "%s", v->name);
		crypto_ctx_verify(ctx, 0, ops, 2);
		ck_assert_int_eq(ops[0].err, IPSP_OK);
		if (cut / 2 < len)
			ck_assert_int_ne(ops[1].err, IPSP_OK);
		icv[cut % ctx->shape.icv_len] ^= 0x10;
		crypto_ctx_verify(ctx, 0, ops, 1);
		ck_assert_int_eq(ops[0].err, IPSP_EICV);
	}
	crypto_ctx_free(ctx);
}
END_TEST

/* ---- the libraries against one another ---- */

#define CROSS_BATCH 70u		/* more than a library takes at once */
#define CROSS_ROOM 2048u

struct cross {
	uint8_t clear[CROSS_BATCH][CROSS_ROOM];
	uint8_t packets[CROSS_BATCH][CROSS_ROOM];
	struct ipsp_crypto_op ops[CROSS_BATCH];
};

static uint32_t state = 1;

static uint32_t any(uint32_t n)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % n;
}

static void fill_key(struct ipsp_key *key, size_t len)
{
	key->len = (uint16_t)len;
	for (size_t i = 0; i < len; i++)
		key->octets[i] = (uint8_t)any(256);
}

static void lay_out_cross(struct cross *c, const struct ipsp_crypto_shape *shape)
{
	for (size_t i = 0; i < CROSS_BATCH; i++) {
		const uint32_t most = i % 7 == 0 ? 1600 : 260;
		const uint32_t len = (1 + any(most / shape->block_len)) * shape->block_len;
		uint8_t *const at = c->packets[i] + 64 + any(16);

		for (size_t n = 0; n < CROSS_ROOM; n++)
			c->clear[i][n] = c->packets[i][n] = (uint8_t)any(256);
		c->ops[i] = ipsp_crypto_op_at(at, shape, len);
		c->ops[i].esn = i % 3 == 0;
		c->ops[i].seq_hi = any(7);
		if (i % 2)
			c->ops[i].src = c->clear[i] + any(16);
		else
			memcpy(c->clear[i], c->ops[i].dst, len);
	}
}

START_TEST(test_libraries_agree_whatever_the_length_the_place_and_the_batch)
{
	const struct crypto_backend *const mb = crypto_ipsec_mb();
	static struct cross one, other;
	struct ipsp_crypto_ctx *ctxs[2];
	struct ipsp_sa_config sa = { .proto = IPSP_PROTO_ESP };
	struct crypto_suite suite;
	const int rows = (int)crypto_n_integs + 1;
	const struct crypto_integ *const integ =
		_i % rows == 0 ? NULL : &crypto_integs[_i % rows - 1];

	if (!mb || crypto_suite_find(sa.proto, crypto_encrs[_i / rows].encr,
				     crypto_encrs[_i / rows].key_bits,
				     integ ? integ->integ : IPSP_INTEG_NONE, &suite) != IPSP_OK ||
	    !mb->has(&suite))
		return;
	fill_key(&sa.encr_key, crypto_encr_key_len(&suite));
	fill_key(&sa.integ_key, crypto_integ_key_len(&suite));
	ck_assert_int_eq(crypto_ctx_new(&crypto_gcrypt, &suite, &sa, 1, &ctxs[0]), IPSP_OK);
	ck_assert_int_eq(crypto_ctx_new(mb, &suite, &sa, 1, &ctxs[1]), IPSP_OK);
	lay_out_cross(&one, &ctxs[0]->shape);
	memcpy(&other, &one, sizeof(other));
	for (size_t i = 0; i < CROSS_BATCH; i++) {
		const uintptr_t shift = (uintptr_t)&other - (uintptr_t)&one;
		struct ipsp_crypto_op *const op = &other.ops[i];

		op->src += shift;
		op->dst += shift;
		op->aad += shift;
		op->iv += shift;
		op->icv += shift;
	}
	crypto_ctx_seal(ctxs[0], 0, one.ops, CROSS_BATCH);
	crypto_ctx_seal(ctxs[1], 0, other.ops, CROSS_BATCH);
	for (size_t i = 0; i < CROSS_BATCH; i++) {
		ck_assert_int_eq(one.ops[i].err, IPSP_OK);
		ck_assert_int_eq(other.ops[i].err, IPSP_OK);
		ck_assert_mem_eq(one.packets[i], other.packets[i], CROSS_ROOM);
	}
	for (size_t i = 0; i < CROSS_BATCH; i++) {
		struct ipsp_crypto_op *const op = &other.ops[i];

		if (i % 4 == 1)
			op->icv[any(ctxs[1]->shape.icv_len)] ^= (uint8_t)(1 + any(255));
		op->src = op->dst;
		if (i % 3)
			op->dst = one.packets[i];
	}
	crypto_ctx_open(ctxs[1], 0, other.ops, CROSS_BATCH);
	for (size_t i = 0; i < CROSS_BATCH; i++) {
		const struct ipsp_crypto_op *const op = &other.ops[i];
		const uint8_t *const clear = one.ops[i].src == one.ops[i].dst ? one.clear[i] :
									     one.ops[i].src;

		ck_assert_int_eq(op->err, i % 4 == 1 ? IPSP_EICV : IPSP_OK);
		if (i % 4 != 1)
			ck_assert_mem_eq(op->dst, clear, op->text_len);
		else if (suite.encr->cipher != CRYPTO_CIPHER_NONE &&
			 suite.encr->mode != CRYPTO_GMAC)
			ck_assert(memcmp(op->dst, clear, 4) != 0);
	}
	crypto_ctx_free(ctxs[0]);
	crypto_ctx_free(ctxs[1]);
}
END_TEST

/* Contexts in turns, more than any cache has slots for. */
START_TEST(test_many_contexts_keep_their_own_keys)
{
	enum { MANY = 300 };
	const struct crypto_backend *const backend = library(_i / 2);
	static struct ipsp_crypto_ctx *ctxs[MANY];
	uint8_t sealed[MANY][128];
	struct ipsp_sa_config sa = {
		.encr = _i % 2 ? IPSP_ENCR_AES_GCM_16 : IPSP_ENCR_AES_CBC, .encr_key_bits = 128,
		.integ = _i % 2 ? IPSP_INTEG_NONE : IPSP_INTEG_HMAC_SHA2_256_128,
	};
	struct crypto_suite suite;

	if (!backend)
		return;
	ck_assert_int_eq(crypto_suite_find(IPSP_PROTO_ESP, sa.encr, 128, sa.integ, &suite),
			 IPSP_OK);
	for (unsigned i = 0; i < MANY; i++) {
		struct ipsp_crypto_op op;

		fill_key(&sa.encr_key, crypto_encr_key_len(&suite));
		fill_key(&sa.integ_key, crypto_integ_key_len(&suite));
		ck_assert_int_eq(crypto_ctx_new(backend, &suite, &sa, 1, &ctxs[i]), IPSP_OK);
		memset(sealed[i], (int)i, sizeof(sealed[i]));
		op = ipsp_crypto_op_at(sealed[i], &ctxs[i]->shape, 64);
		crypto_ctx_seal(ctxs[i], 0, &op, 1);
		if (i % 5 == 4) {
			crypto_ctx_free(ctxs[i]);
			ctxs[i] = NULL;
		}
	}
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			const unsigned at = i * 7 % MANY;
			uint8_t packet[128];
			struct ipsp_crypto_op op;

			if (!ctxs[at])
				continue;
			memcpy(packet, sealed[at], sizeof(packet));
			op = ipsp_crypto_op_at(packet, &ctxs[at]->shape, 64);
			crypto_ctx_open(ctxs[at], 0, &op, 1);
			ck_assert_int_eq(op.err, IPSP_OK);
			ck_assert_uint_eq(op.dst[63], at % 256);
		}
	}
	for (unsigned i = 0; i < MANY; i++)
		crypto_ctx_free(ctxs[i]);
}
END_TEST

START_TEST(test_keys_of_other_lengths_are_refused)
{
	const struct crypto_vector *const v = &crypto_vectors[_i];
	struct ipsp_sa_config sa;
	struct ipsp_crypto_ctx *ctx;
	struct crypto_suite suite;

	crypto_vector_sa(v, &sa);
	ck_assert_int_eq(crypto_suite_find(sa.proto, sa.encr, sa.encr_key_bits, sa.integ, &suite),
			 IPSP_OK);
	sa.encr_key.len++;
	ck_assert_int_eq(crypto_ctx_new(&crypto_gcrypt, &suite, &sa, 1, &ctx), IPSP_EKEYLEN);
	sa.encr_key.len--;
	sa.integ_key.len++;
	ck_assert_int_eq(crypto_ctx_new(&crypto_gcrypt, &suite, &sa, 1, &ctx), IPSP_EKEYLEN);
}
END_TEST

/* NIST SP 800-67 3.3.2; RFC 2451 2.3. Parity bits carry nothing. */
START_TEST(test_keys_that_unmake_des_are_refused)
{
	static const struct {
		const char *name, *key;
		enum ipsp_err err;
	} cases[] = {
		{ "weak", "0101010101010101", IPSP_ECRYPTO },
		{ "weak, without parity", "0000000000000000", IPSP_ECRYPTO },
		{ "semi-weak", "1ffe1ffe0efe0efe", IPSP_ECRYPTO },
		{ "one bit beside it", "1ffe1ffe0efe0efa", IPSP_OK },
		{ "three keys", "0123456789abcdef23456789abcdef01456789abcdef0123", IPSP_OK },
		{ "first two equal", "0123456789abcdef0123456789abcdef456789abcdef0123",
		  IPSP_ECRYPTO },
		{ "equal but for parity", "0123456789abcdef0022446688aaccee456789abcdef0123",
		  IPSP_ECRYPTO },
		{ "last two equal", "0123456789abcdef23456789abcdef0123456789abcdef01",
		  IPSP_ECRYPTO },
		{ "one of three is weak", "0123456789abcdefe0e0e0e0f1f1f1f1456789abcdef0123",
		  IPSP_ECRYPTO },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ipsp_sa_config sa = { .integ_key.len = 20 };
		struct ipsp_crypto_ctx *ctx = NULL;
		struct crypto_suite suite;

		sa.encr_key.len = (uint16_t)crypto_unhex(cases[i].key, sa.encr_key.octets);
		ck_assert_int_eq(crypto_suite_find(IPSP_PROTO_ESP, sa.encr_key.len == 8 ?
						   IPSP_ENCR_DES_CBC : IPSP_ENCR_3DES_CBC,
						   sa.encr_key.len * 8u, IPSP_INTEG_HMAC_SHA1_96,
						   &suite), IPSP_OK);
		ck_assert_msg(crypto_ctx_new(&crypto_gcrypt, &suite, &sa, 1, &ctx) == cases[i].err,
			      "%s", cases[i].name);
		crypto_ctx_free(ctx);
	}
}
END_TEST

START_TEST(test_what_stands_not_in_a_row_is_refused_with_separate_integrity)
{
	const struct crypto_backend *const backend = library(_i);
	struct ipsp_sa_config sa = { .encr_key.len = 16, .integ_key.len = 20 };
	uint8_t packet[128] = { 0 }, elsewhere[16] = { 0 };
	struct ipsp_crypto_ctx *ctx;
	struct crypto_suite suite;
	struct ipsp_crypto_op op;

	if (!backend)
		return;
	ck_assert_int_eq(crypto_suite_find(IPSP_PROTO_ESP, IPSP_ENCR_AES_CBC, 128,
					   IPSP_INTEG_HMAC_SHA1_96, &suite), IPSP_OK);
	ck_assert_int_eq(crypto_ctx_new(backend, &suite, &sa, 1, &ctx), IPSP_OK);
	op = ipsp_crypto_op_at(packet, &ctx->shape, 32);
	op.iv = elsewhere;
	crypto_ctx_seal(ctx, 0, &op, 1);
	ck_assert_int_eq(op.err, IPSP_ECRYPTO);
	op = ipsp_crypto_op_at(packet, &ctx->shape, 32);
	op.icv = elsewhere;
	crypto_ctx_open(ctx, 0, &op, 1);
	ck_assert_int_eq(op.err, IPSP_ECRYPTO);
	crypto_ctx_free(ctx);
}
END_TEST

START_TEST(test_ah_takes_no_cipher_and_esp_needs_one)
{
	struct crypto_suite suite;

	ck_assert_int_eq(crypto_suite_find(IPSP_PROTO_AH, IPSP_ENCR_NULL, 0,
					   IPSP_INTEG_HMAC_SHA1_96, &suite), IPSP_ENOTSUP);
	ck_assert_int_eq(crypto_suite_find(IPSP_PROTO_AH, 0, 0, IPSP_INTEG_NONE, &suite),
			 IPSP_ENOTSUP);
	ck_assert_int_eq(crypto_suite_find(IPSP_PROTO_ESP, 0, 0, IPSP_INTEG_HMAC_SHA1_96, &suite),
			 IPSP_ENOTSUP);
	ck_assert_int_eq(crypto_suite_find(IPSP_PROTO_ESP, IPSP_ENCR_NULL, 0,
					   IPSP_INTEG_AES_128_GMAC, &suite), IPSP_ENOTSUP);
	ck_assert_int_eq(crypto_suite_find(IPSP_PROTO_ESP, IPSP_ENCR_AES_GCM_16, 512,
					   IPSP_INTEG_NONE, &suite), IPSP_EKEYLEN);
}
END_TEST

static void setup(void)
{
	ck_assert_int_eq(ipsp_crypto_gcrypt_init(65536), IPSP_OK);
}

int main(void)
{
	Suite *suite = suite_create("vectors");
	TCase *tc = tcase_create("vectors");
	SRunner *runner = srunner_create(suite);
	const int n = (int)crypto_n_vectors * LIBRARIES;
	int failed;

	tcase_add_unchecked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_loop_test(tc, test_sealing_gives_the_published_octets, 0, n);
	tcase_add_loop_test(tc, test_opening_gives_the_clear_octets_and_spots_the_damaged_one, 0,
			    n);
	tcase_add_loop_test(tc, test_text_may_come_from_one_place_and_go_to_another, 0, n);
	tcase_add_loop_test(tc, test_a_high_half_is_under_the_icv, 0, n);
	tcase_add_loop_test(tc, test_integrity_alone_takes_its_data_in_pieces, 0, n);
	tcase_add_loop_test(tc, test_libraries_agree_whatever_the_length_the_place_and_the_batch,
			    0, (int)(crypto_n_encrs * (crypto_n_integs + 1)));
	tcase_add_loop_test(tc, test_many_contexts_keep_their_own_keys, 0, 2 * LIBRARIES);
	tcase_add_loop_test(tc, test_keys_of_other_lengths_are_refused, 0, (int)crypto_n_vectors);
	tcase_add_test(tc, test_keys_that_unmake_des_are_refused);
	tcase_add_loop_test(tc, test_what_stands_not_in_a_row_is_refused_with_separate_integrity,
			    0, LIBRARIES);
	tcase_add_test(tc, test_ah_takes_no_cipher_and_esp_needs_one);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
