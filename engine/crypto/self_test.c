/*
 * engine/crypto/self_test.c - published vectors, run against a library: see self_test.h.
 *
 * Each vector is sealed and must give the published octets, in place and from one place to another;
 * it is opened again and must give the clear ones, and opened with one bit wrong and must be
 * refused. Cipher and integrity are proved apart: where a publication has no ICV the ciphertext is
 * compared, and the other way round.
 */
#include <assert.h>
#include <string.h>

#include "engine/crypto/self_test.h"
#include "engine/crypto/vectors.h"

static uint8_t digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

size_t crypto_unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; hex && hex[2 * n]; n++)
		out[n] = (uint8_t)(digit(hex[2 * n]) << 4 | digit(hex[2 * n + 1]));
	return n;
}

void crypto_vector_sa(const struct crypto_vector *v, struct ipsp_sa_config *out)
{
	*out = (struct ipsp_sa_config){
		.proto = v->proto, .encr = v->encr, .encr_key_bits = v->encr_key_bits,
		.integ = v->integ,
	};
	out->encr_key.len = (uint16_t)crypto_unhex(v->encr_key, out->encr_key.octets);
	out->integ_key.len = (uint16_t)crypto_unhex(v->integ_key, out->integ_key.octets);
}

static bool equal(const uint8_t *octets, const char *hex)
{
	uint8_t want[CRYPTO_VECTOR_MAX];

	return !hex || !memcmp(octets, want, crypto_unhex(hex, want));
}

static struct ipsp_crypto_op op_of(const struct crypto_vector *v,
				   const struct ipsp_crypto_ctx *ctx, uint8_t *packet,
				   size_t text_len)
{
	struct ipsp_crypto_op op = ipsp_crypto_op_at(packet, &ctx->shape, (uint32_t)text_len);

	op.esn = v->esn;
	op.seq_hi = v->seq_hi;
	return op;
}

/* damaged: the octet that is; CRYPTO_VECTOR_MAX: none. */
static bool opens(struct ipsp_crypto_ctx *ctx, const struct crypto_vector *v, size_t text_len,
		  const uint8_t *sealed, size_t damaged)
{
	const enum ipsp_err want = damaged < CRYPTO_VECTOR_MAX ? IPSP_EICV : IPSP_OK;
	uint8_t packet[CRYPTO_VECTOR_MAX];
	struct ipsp_crypto_op op = op_of(v, ctx, packet, text_len);

	memcpy(packet, sealed, sizeof(packet));
	if (damaged < CRYPTO_VECTOR_MAX)
		packet[damaged] ^= 0x40;
	ctx->backend->open(ctx, 0, &op, 1);
	return op.err == want && (want != IPSP_OK || equal(op.dst, v->clear));
}

static bool seals_apart(struct ipsp_crypto_ctx *ctx, const struct crypto_vector *v,
			const uint8_t *sealed, size_t len)
{
	uint8_t packet[CRYPTO_VECTOR_MAX] = { 0 }, clear[CRYPTO_VECTOR_MAX];
	struct ipsp_crypto_op op = op_of(v, ctx, packet, crypto_unhex(v->clear, clear));

	crypto_unhex(v->header_iv, packet);
	op.src = clear;
	ctx->backend->seal(ctx, 0, &op, 1);
	return op.err == IPSP_OK && !memcmp(packet, sealed, len);
}

static bool esp_holds(struct ipsp_crypto_ctx *ctx, const struct crypto_vector *v)
{
	uint8_t packet[CRYPTO_VECTOR_MAX] = { 0 };
	const size_t text_at = crypto_unhex(v->header_iv, packet);
	const size_t text_len = crypto_unhex(v->clear, packet + text_at);
	const size_t icv_at = text_at + text_len;
	struct ipsp_crypto_op op = op_of(v, ctx, packet, text_len);

	ctx->backend->seal(ctx, 0, &op, 1);
	return op.err == IPSP_OK && equal(packet + text_at, v->sealed) &&
	       equal(packet + icv_at, v->icv) &&
	       seals_apart(ctx, v, packet, icv_at + ctx->shape.icv_len) &&
	       opens(ctx, v, text_len, packet, CRYPTO_VECTOR_MAX) &&
	       opens(ctx, v, text_len, packet, 0) && opens(ctx, v, text_len, packet, icv_at - 1) &&
	       opens(ctx, v, text_len, packet, icv_at + ctx->shape.icv_len - 1u);
}

/* The data in two pieces. */
static bool auth_holds(struct ipsp_crypto_ctx *ctx, const struct crypto_vector *v)
{
	uint8_t data[CRYPTO_VECTOR_MAX], iv[IPSP_IV_MAX], icv[IPSP_ICV_MAX];
	const size_t front = crypto_unhex(v->header_iv, data);
	const size_t len = front + crypto_unhex(v->clear, data + front);
	const struct ipsp_span spans[] = { { data, len / 3 }, { data + len / 3, len - len / 3 } };
	struct ipsp_auth_op op = { .spans = spans, .n_spans = 2, .iv = iv, .icv = icv };

	crypto_unhex(v->iv, iv);
	ctx->backend->auth(ctx, 0, &op, 1);
	if (op.err != IPSP_OK || !equal(icv, v->icv))
		return false;
	ctx->backend->verify(ctx, 0, &op, 1);
	if (op.err != IPSP_OK)
		return false;
	data[len - 1] ^= 1;
	ctx->backend->verify(ctx, 0, &op, 1);
	return op.err == IPSP_EICV;
}

/* By the protocol that it is of, and what is of integrity alone by AH as well. */
static bool vector_holds(const struct crypto_backend *backend, const struct crypto_vector *v,
			 uint8_t proto)
{
	struct ipsp_sa_config sa;
	struct ipsp_crypto_ctx *ctx;
	struct crypto_suite suite;
	bool good;

	crypto_vector_sa(v, &sa);
	if (proto == IPSP_PROTO_AH)
		sa.encr = 0;
	good = crypto_suite_find(proto, sa.encr, sa.encr_key_bits, sa.integ, &suite) == IPSP_OK &&
	       crypto_ctx_new(backend, &suite, &sa, 1, &ctx) == IPSP_OK;
	ipsp_key_wipe(&sa.encr_key);
	ipsp_key_wipe(&sa.integ_key);
	if (!good)
		return false;
	good = proto == IPSP_PROTO_AH ? auth_holds(ctx, v) : esp_holds(ctx, v);
	crypto_ctx_free(ctx);
	return good;
}

/* The half that a vector proves or disproves. */
static bool *proved_by(const struct crypto_suite *suite, struct crypto_proof *proof)
{
	if (suite->encr && suite->encr->encr != IPSP_ENCR_NULL)
		return &proof->encr[suite->encr - crypto_encrs];
	return &proof->integ[suite->integ - crypto_integs];
}

static bool holds(const struct crypto_backend *backend, const struct crypto_vector *v)
{
	if (!vector_holds(backend, v, v->proto))
		return false;
	return v->encr != IPSP_ENCR_NULL || vector_holds(backend, v, IPSP_PROTO_AH);
}

void crypto_self_test(const struct crypto_backend *backend, struct crypto_proof *out)
{
	struct crypto_proof wrong = { .n_wrong = 0 }, right = { .n_wrong = 0 };

	assert(crypto_n_encrs <= CRYPTO_ROWS_MAX && crypto_n_integs <= CRYPTO_ROWS_MAX);
	for (size_t i = 0; i < crypto_n_vectors; i++) {
		const struct crypto_vector *const v = &crypto_vectors[i];
		struct crypto_suite suite;

		if (crypto_suite_find(v->proto, v->encr, v->encr_key_bits, v->integ, &suite) !=
			    IPSP_OK || !backend->has(&suite))
			continue;
		if (holds(backend, v)) {
			*proved_by(&suite, &right) = true;
			continue;
		}
		*proved_by(&suite, &wrong) = true;
		wrong.n_wrong++;
	}
	*out = (struct crypto_proof){ .n_wrong = wrong.n_wrong };
	for (size_t i = 0; i < CRYPTO_ROWS_MAX; i++) {
		out->encr[i] = right.encr[i] && !wrong.encr[i];
		out->integ[i] = right.integ[i] && !wrong.integ[i];
	}
	/* ENCR_NULL does nothing, and stands in every vector of integrity. */
	for (size_t i = 0; i < crypto_n_encrs; i++) {
		if (crypto_encrs[i].encr == IPSP_ENCR_NULL)
			out->encr[i] = true;
	}
}
