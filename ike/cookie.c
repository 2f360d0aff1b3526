/* ike/cookie.c - cookies: see cookie.h. */
#include "ike/cookie.h"

#include <string.h>
#include <sys/endian.h>

#define HALF_OPEN_FREE 64u	/* half open ones before cookies are asked for */
#define SECRET_LIFE_MS 30000u	/* then it is the last one's turn, and after that nobody's */
#define HASH_LEN 32u
#define COOKIE_LEN (1u + HASH_LEN)	/* the secret's number first */

bool ike_cookies_wanted(const struct ike_world *w)
{
	return w->n_half_open >= HALF_OPEN_FREE;
}

static void renew_secret(struct ike_world *w, uint64_t now_ms)
{
	struct ike_cookie_secrets *const s = &w->cookies;

	if (s->number > 0 && now_ms - s->since_ms < SECRET_LIFE_MS)
		return;
	/* The first one has a predecessor, too, that nobody knows. */
	if (s->number == 0)
		w->ops.random(w->arg, s->octets[0], sizeof(s->octets[0]));
	s->number++;
	s->since_ms = now_ms;
	w->ops.random(w->arg, s->octets[s->number % 2], sizeof(s->octets[0]));
}

static bool make(struct ike_world *w, uint8_t number, const struct ike_path *path,
		 const uint8_t *spi_i, struct ipsp_span nonce, uint8_t out[COOKIE_LEN])
{
	const struct ipsp_span data[] = {
		nonce, { path->remote.octets, sizeof(path->remote.octets) }, { spi_i, IKE_SPI_LEN },
	};
	const struct ipsp_span key = { w->cookies.octets[number % 2],
				       sizeof(w->cookies.octets[0]) };

	out[0] = number;
	return ike_prf(w->prfs, IKE_PRF_HMAC_SHA2_256, key, data, 3, out + 1) == IPSP_OK;
}

bool ike_cookie_good(struct ike_world *w, const struct ike_path *path, const uint8_t *spi_i,
		     struct ipsp_span nonce, struct ipsp_span cookie, uint64_t now_ms)
{
	uint8_t want[COOKIE_LEN], differ = 0;

	renew_secret(w, now_ms);
	if (cookie.len != COOKIE_LEN || (uint8_t)(w->cookies.number - cookie.data[0]) > 1 ||
	    !make(w, cookie.data[0], path, spi_i, nonce, want))
		return false;
	for (size_t i = 0; i < COOKIE_LEN; i++)
		differ |= want[i] ^ cookie.data[i];
	return differ == 0;
}

void ike_cookie_ask(struct ike_world *w, const struct ike_path *path, const struct ike_header *h,
		    struct ipsp_span nonce, uint64_t now_ms)
{
	uint8_t cookie[COOKIE_LEN];

	renew_secret(w, now_ms);
	if (make(w, w->cookies.number, path, h->spi_i, nonce, cookie))
		ike_refuse_init(w, path, h, IKE_N_COOKIE,
				(struct ipsp_span){ cookie, sizeof(cookie) });
}
