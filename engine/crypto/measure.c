/* engine/crypto/measure.c - how long a library takes: see measure.h. */
#include <string.h>
#include <time.h>

#include "engine/crypto/measure.h"

#define PACKETS 16u
#define ROUNDS 3u
#define SHORT 64u
#define LONG 1424u	/* what a tunnel has in its packets of 1500 octets; a multiple of 16 */
#define ROOM 1536u

uint64_t crypto_now_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) < 0)
		return 0;
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Keys that no cipher finds weak. */
static void fill_key(struct ipsp_key *key, size_t len)
{
	key->len = (uint16_t)len;
	for (size_t i = 0; i < len; i++)
		key->octets[i] = (uint8_t)(i * 7 + 1);
}

static uint64_t esp_round(struct ipsp_crypto_ctx *ctx, uint8_t packets[PACKETS][ROOM])
{
	struct ipsp_crypto_op ops[PACKETS];
	uint64_t from;

	for (unsigned i = 0; i < PACKETS; i++)
		ops[i] = ipsp_crypto_op_at(packets[i], &ctx->shape, i % 2 ? LONG : SHORT);
	from = crypto_now_ns();
	ctx->backend->seal(ctx, 0, ops, PACKETS);
	from = crypto_now_ns() - from;
	for (unsigned i = 0; i < PACKETS; i++) {
		if (ops[i].err != IPSP_OK)
			return UINT64_MAX;
	}
	return from;
}

static uint64_t ah_round(struct ipsp_crypto_ctx *ctx, uint8_t packets[PACKETS][ROOM])
{
	struct ipsp_auth_op ops[PACKETS];
	struct ipsp_span spans[PACKETS];
	uint64_t from;

	for (unsigned i = 0; i < PACKETS; i++) {
		spans[i] = (struct ipsp_span){ packets[i] + IPSP_ICV_MAX, i % 2 ? LONG : SHORT };
		ops[i] = (struct ipsp_auth_op){
			.spans = &spans[i], .n_spans = 1, .iv = packets[i], .icv = packets[i],
		};
	}
	from = crypto_now_ns();
	ctx->backend->auth(ctx, 0, ops, PACKETS);
	from = crypto_now_ns() - from;
	for (unsigned i = 0; i < PACKETS; i++) {
		if (ops[i].err != IPSP_OK)
			return UINT64_MAX;
	}
	return from;
}

uint64_t crypto_measure(const struct crypto_backend *backend, const struct crypto_suite *suite)
{
	static uint8_t packets[PACKETS][ROOM];
	struct ipsp_sa_config sa = { 0 };
	struct ipsp_crypto_ctx *ctx;
	uint64_t best = UINT64_MAX;

	fill_key(&sa.encr_key, crypto_encr_key_len(suite));
	fill_key(&sa.integ_key, crypto_integ_key_len(suite));
	if (crypto_ctx_new(backend, suite, &sa, 1, &ctx) != IPSP_OK)
		return UINT64_MAX;
	for (unsigned i = 0; i < ROUNDS; i++) {
		const uint64_t ns = suite->encr ? esp_round(ctx, packets) : ah_round(ctx, packets);

		if (ns < best)
			best = ns;
	}
	crypto_ctx_free(ctx);
	return best;
}

uint32_t crypto_measured_mbits(uint64_t ns)
{
	const uint64_t bits = (uint64_t)PACKETS / 2 * (SHORT + LONG) * 8;

	return ns == 0 || ns == UINT64_MAX ? 0 : (uint32_t)(bits * 1000 / ns);
}
