/*
 * ike/cookie.h - who asks must be where it says it is. RFC 7296 2.6: while many IKE SAs are half open, nothing
 * is kept and nothing computed for a request without the cookie that its sender was given.
 */
#ifndef IKE_COOKIE_H
#define IKE_COOKIE_H

#include "ike/internal.h"

bool ike_cookies_wanted(const struct ike_world *w);

/** Is it the one that this sender was given, not long ago? */
bool ike_cookie_good(struct ike_world *w, const struct ike_path *path, const uint8_t *spi_i,
		     struct ipsp_span nonce, struct ipsp_span cookie, uint64_t now_ms);

/** Answers with a cookie. */
void ike_cookie_ask(struct ike_world *w, const struct ike_path *path, const struct ike_header *h,
		    struct ipsp_span nonce, uint64_t now_ms);

#endif
