/*
 * engine/crypto/provider.c - which library computes what: see provider.h.
 *
 * A suite is offered by a library that has it and gave the published answers for both its halves.
 * Of two, the faster one has it. Measurements stop when they have taken long enough; ipsec-mb, which
 * is made for this, has what is left. Where there is no choice they are made last, to be shown.
 */
#include "engine/crypto/backends.h"
#include "engine/crypto/measure.h"
#include "engine/crypto/provider.h"
#include "engine/crypto/self_test.h"

#define LIBRARIES 2u
#define NONE (CRYPTO_ROWS_MAX - 1u)	/* the row of no cipher, and of no integrity */
#define MEASURE_MAX_NS 30000000u	/* processor time, all suites together */

/* Written once, before any other thread. */
static struct {
	bool allow_weak;
	unsigned n_libraries;
	struct {
		const struct crypto_backend *backend;
		struct crypto_proof proof;
	} libraries[LIBRARIES];
	const struct crypto_backend *chosen[CRYPTO_ROWS_MAX][CRYPTO_ROWS_MAX];
	uint64_t took_ns[CRYPTO_ROWS_MAX][CRYPTO_ROWS_MAX];	/* of those; 0: not measured */
} state;

static size_t encr_row(const struct crypto_suite *suite)
{
	return suite->encr ? (size_t)(suite->encr - crypto_encrs) : NONE;
}

static size_t integ_row(const struct crypto_suite *suite)
{
	return suite->integ ? (size_t)(suite->integ - crypto_integs) : NONE;
}

static bool offers(unsigned library, const struct crypto_suite *suite)
{
	const struct crypto_proof *const proof = &state.libraries[library].proof;

	return state.libraries[library].backend->has(suite) &&
	       (!suite->encr || proof->encr[encr_row(suite)]) &&
	       (!suite->integ || proof->integ[integ_row(suite)]);
}

/* Takes its time from what measurements may still take. */
static uint64_t measure(const struct crypto_backend *backend, const struct crypto_suite *suite,
			uint64_t *left_ns)
{
	const uint64_t from = crypto_now_ns();
	const uint64_t ns = crypto_measure(backend, suite);
	const uint64_t took_ns = crypto_now_ns() - from;

	*left_ns = took_ns < *left_ns ? *left_ns - took_ns : 0;
	return ns;
}

/* Libraries stand in order of preference for those who will not, or must not, measure. */
static const struct crypto_backend *choose(const struct crypto_suite *suite, uint64_t *left_ns,
					   bool by_speed, uint64_t *best_ns)
{
	const struct crypto_backend *best = NULL;

	*best_ns = 0;
	by_speed = by_speed && *left_ns > 0 && state.n_libraries > 1 && offers(0, suite) &&
		   offers(1, suite);
	for (unsigned i = 0; i < state.n_libraries; i++) {
		const struct crypto_backend *const b = state.libraries[i].backend;
		const uint64_t ns = by_speed ? measure(b, suite, left_ns) : 0;

		if (!offers(i, suite) || (best && ns >= *best_ns))
			continue;
		best = b;
		*best_ns = ns;
	}
	return best;
}

/* Every suite there is, by rows that may be NONE. @return false: no such one */
static bool suite_at(size_t encr, size_t integ, struct crypto_suite *out)
{
	const struct crypto_suite suite = {
		encr == NONE ? NULL : &crypto_encrs[encr],
		integ == NONE ? NULL : &crypto_integs[integ],
	};

	return crypto_suite_find(suite.encr ? IPSP_PROTO_ESP : IPSP_PROTO_AH,
				 suite.encr ? suite.encr->encr : 0,
				 suite.encr ? suite.encr->key_bits : 0,
				 suite.integ ? suite.integ->integ : IPSP_INTEG_NONE,
				 out) == IPSP_OK;
}

/* From one row to the one behind it: the table's, then NONE, then n + 1. */
static size_t next_row(size_t row, size_t n)
{
	return row == NONE ? CRYPTO_ROWS_MAX : row + 1 == n ? NONE : row + 1;
}

/* The first row of the same work: those behind it differ in how much of the ICV is sent. */
static size_t first_encr(size_t row)
{
	const struct crypto_encr *const e = &crypto_encrs[row];
	size_t i = 0;

	if (row == NONE)
		return NONE;
	while (crypto_encrs[i].cipher != e->cipher || crypto_encrs[i].mode != e->mode ||
	       crypto_encrs[i].key_bits != e->key_bits)
		i++;
	return i;
}

static size_t first_integ(size_t row)
{
	const struct crypto_integ *const integ = &crypto_integs[row];
	size_t i = 0;

	if (row == NONE)
		return NONE;
	while (crypto_integs[i].mac != integ->mac || crypto_integs[i].key_len != integ->key_len)
		i++;
	return i;
}

/* The choice for an earlier row of the same work, if it holds for this one. */
static bool chosen_before(size_t encr, size_t integ, const struct crypto_suite *suite)
{
	const size_t e = first_encr(encr), n = first_integ(integ);
	const struct crypto_backend *const b = state.chosen[e][n];

	for (unsigned i = 0; i < state.n_libraries; i++) {
		if (b && state.libraries[i].backend == b && offers(i, suite)) {
			state.chosen[encr][integ] = b;
			state.took_ns[encr][integ] = state.took_ns[e][n];
			return true;
		}
	}
	return false;
}

static bool choose_all(bool by_speed, uint64_t *left_ns)
{
	bool any = false;

	for (size_t e = 0; e < CRYPTO_ROWS_MAX; e = next_row(e, crypto_n_encrs)) {
		for (size_t i = 0; i < CRYPTO_ROWS_MAX; i = next_row(i, crypto_n_integs)) {
			struct crypto_suite suite;

			state.chosen[e][i] = NULL;
			state.took_ns[e][i] = 0;
			if (!suite_at(e, i, &suite))
				continue;
			if (!chosen_before(e, i, &suite))
				state.chosen[e][i] = choose(&suite, left_ns, by_speed &&
							    !crypto_suite_weak(&suite),
							    &state.took_ns[e][i]);
			any = any || state.chosen[e][i];
		}
	}
	return any;
}

/* Those that nobody had to choose for, as far as there is time. */
static void measure_rest(uint64_t left_ns)
{
	for (size_t e = 0; e < CRYPTO_ROWS_MAX; e = next_row(e, crypto_n_encrs)) {
		for (size_t i = 0; i < CRYPTO_ROWS_MAX; i = next_row(i, crypto_n_integs)) {
			const size_t e1 = first_encr(e), i1 = first_integ(i);
			struct crypto_suite suite;

			if (!state.chosen[e][i] || state.took_ns[e][i] != 0 || !suite_at(e, i, &suite))
				continue;
			if (state.chosen[e1][i1] == state.chosen[e][i] && state.took_ns[e1][i1] != 0)
				state.took_ns[e][i] = state.took_ns[e1][i1];
			else if (left_ns > 0 && (state.allow_weak || !crypto_suite_weak(&suite)))
				state.took_ns[e][i] = measure(state.chosen[e][i], &suite, &left_ns);
		}
	}
}

static void add_library(const struct crypto_backend *backend)
{
	state.libraries[state.n_libraries].backend = backend;
	crypto_self_test(backend, &state.libraries[state.n_libraries].proof);
	state.n_libraries++;
}

enum ipsp_err ipsp_crypto_init(const struct ipsp_crypto_options *options)
{
	const struct crypto_backend *const mb = crypto_ipsec_mb();
	enum ipsp_err err = crypto_gcrypt_start(options->secmem_bytes);

	if (err != IPSP_OK)
		return err;
	if (options->choice == IPSP_CRYPTO_IPSEC_MB && !mb)
		return IPSP_ENOTSUP;
	state.allow_weak = options->allow_weak;
	state.n_libraries = 0;
	if (mb && options->choice != IPSP_CRYPTO_GCRYPT)
		add_library(mb);
	add_library(&crypto_gcrypt);
	uint64_t left_ns = MEASURE_MAX_NS;

	if (!choose_all(options->choice == IPSP_CRYPTO_AUTO, &left_ns))
		return IPSP_ECRYPTO;
	measure_rest(left_ns);
	for (unsigned i = 0; i < state.n_libraries; i++)
		state.libraries[i].backend->idle();
	return IPSP_OK;
}

/* ---- the table ---- */

static enum ipsp_err find(uint8_t proto, uint16_t encr, uint16_t encr_key_bits, uint16_t integ,
			  struct crypto_suite *suite, const struct crypto_backend **backend)
{
	enum ipsp_err err = crypto_suite_find_for(state.allow_weak, proto, encr, encr_key_bits,
						  integ, suite);

	if (err != IPSP_OK)
		return err;
	*backend = state.chosen[encr_row(suite)][integ_row(suite)];
	return *backend ? IPSP_OK : IPSP_ENOTSUP;
}

static enum ipsp_err shape(uint8_t proto, uint16_t encr, uint16_t encr_key_bits, uint16_t integ,
			   struct ipsp_crypto_shape *out)
{
	const struct crypto_backend *backend;
	struct crypto_suite suite;
	enum ipsp_err err = find(proto, encr, encr_key_bits, integ, &suite, &backend);

	if (err == IPSP_OK)
		*out = crypto_suite_shape(&suite);
	return err;
}

static enum ipsp_err ctx_new(const struct ipsp_sa_config *sa, unsigned n_threads,
			     struct ipsp_crypto_ctx **out)
{
	const struct crypto_backend *backend;
	struct crypto_suite suite;
	enum ipsp_err err = find(sa->proto, sa->encr, sa->encr_key_bits, sa->integ, &suite,
				 &backend);

	return err == IPSP_OK ? crypto_ctx_new(backend, &suite, sa, n_threads, out) : err;
}

static const struct ipsp_crypto provider = {
	.name = "measured",
	.shape = shape,
	.ctx_new = ctx_new,
	.ctx_free = crypto_ctx_free,
	.seal = crypto_ctx_seal,
	.open = crypto_ctx_open,
	.auth = crypto_ctx_auth,
	.verify = crypto_ctx_verify,
};

const struct ipsp_crypto *ipsp_crypto_provider(void)
{
	return &provider;
}

/* ---- what was found out ---- */

bool ipsp_crypto_library(unsigned number, struct ipsp_crypto_library *out)
{
	if (number >= state.n_libraries)
		return false;
	*out = (struct ipsp_crypto_library){
		.name = state.libraries[number].backend->name,
		.n_wrong = state.libraries[number].proof.n_wrong,
	};
	return true;
}

static void describe(const struct crypto_suite *suite, struct ipsp_crypto_suite *out)
{
	const struct crypto_backend *const b = state.chosen[encr_row(suite)][integ_row(suite)];

	*out = (struct ipsp_crypto_suite){
		.proto = suite->encr ? IPSP_PROTO_ESP : IPSP_PROTO_AH,
		.encr = suite->encr ? suite->encr->encr : 0,
		.encr_key_bits = suite->encr ? suite->encr->key_bits : 0,
		.integ = suite->integ ? suite->integ->integ : IPSP_INTEG_NONE,
		.encr_name = suite->encr ? suite->encr->name : NULL,
		.integ_name = suite->integ ? suite->integ->name : NULL,
		.library = b ? b->name : NULL,
		.mbits = crypto_measured_mbits(state.took_ns[encr_row(suite)][integ_row(suite)]),
		.weak = crypto_suite_weak(suite),
	};
}

bool ipsp_crypto_suite(unsigned number, struct ipsp_crypto_suite *out)
{
	for (size_t e = 0; e < CRYPTO_ROWS_MAX; e = next_row(e, crypto_n_encrs)) {
		for (size_t i = 0; i < CRYPTO_ROWS_MAX; i = next_row(i, crypto_n_integs)) {
			struct crypto_suite suite;

			if (!suite_at(e, i, &suite) ||
			    (crypto_suite_weak(&suite) && !state.allow_weak))
				continue;
			if (number == 0) {
				describe(&suite, out);
				return true;
			}
			number--;
		}
	}
	return false;
}

bool ipsp_crypto_has_ipsec_mb(void)
{
	return crypto_ipsec_mb() != NULL;
}
