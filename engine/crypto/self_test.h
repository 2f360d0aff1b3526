/*
 * engine/crypto/self_test.h - published vectors, run against a library before it is trusted. Private
 * to engine/crypto/.
 */
#ifndef ENGINE_CRYPTO_SELF_TEST_H
#define ENGINE_CRYPTO_SELF_TEST_H

#include "engine/crypto/ctx.h"

#define CRYPTO_ROWS_MAX 64u	/* of either table of algorithms */

/** What a library has shown that it can, by rows of the tables of algorithms. */
struct crypto_proof {
	bool encr[CRYPTO_ROWS_MAX], integ[CRYPTO_ROWS_MAX];
	unsigned n_wrong;	/* vectors with another answer than the published one */
};

/** Runs all vectors for which it has the algorithms. What has no vector is not proved. */
void crypto_self_test(const struct crypto_backend *backend, struct crypto_proof *out);

#endif
