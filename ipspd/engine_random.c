/* ipspd/engine_random.c - see engine_random.h. */
#include "config.h"

#include "ipspd/engine_random.h"

#include <string.h>
#include <sys/random.h>

enum ipsp_err engine_random_take(struct engine_random *pool, uint8_t *out, size_t len)
{
	while (len > 0) {
		if (pool->left == 0) {
			const ssize_t got = getrandom(pool->octets, ENGINE_RANDOM_POOL, 0);

			if (got != (ssize_t)ENGINE_RANDOM_POOL)
				return IPSP_ECRYPTO;
			pool->left = ENGINE_RANDOM_POOL;
		}
		const size_t n = len < pool->left ? len : pool->left;
		uint8_t *const from = pool->octets + ENGINE_RANDOM_POOL - pool->left;

		memcpy(out, from, n);
		explicit_bzero(from, n);
		pool->left -= n;
		out += n;
		len -= n;
	}
	return IPSP_OK;
}

void engine_random_forget(struct engine_random *pool)
{
	explicit_bzero(pool, sizeof(*pool));
}
