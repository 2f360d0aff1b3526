/*
 * ike/anyone.c - peers that may be anywhere: those of a tunnel whose list of peers names no address. RFC 4301 4.4.3.
 *
 * Its SPD entry goes by the traffic selectors of its Child SAs, and by them alone, so that who has authenticated
 * could take the traffic of another by asking for its addresses. Whoever has them first keeps them, until its
 * Child SA goes.
 */
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"

/** What the peer of a Child SA has of such a connection. */
struct ike_claim {
	uint8_t n;
	struct ike_selector theirs[];
};

static bool overlaps(const struct ike_claim *claim, const struct ike_selectors *theirs)
{
	struct ike_selector unused;

	for (unsigned i = 0; i < claim->n; i++) {
		for (unsigned k = 0; k < theirs->n; k++) {
			if (ike_selector_meet(&claim->theirs[i], &theirs->s[k], &unused))
				return true;
		}
	}
	return false;
}

static bool has_claim(const struct ike_sa *sa, uint32_t reqid, const struct ike_selectors *theirs)
{
	for (const struct ike_child *c = sa->children; c; c = c->next) {
		if (c->claim && c->conn->child.reqid == reqid && overlaps(c->claim, theirs))
			return true;
	}
	return false;
}

bool ike_anyone_takes(const struct ike_exchange *x)
{
	const struct ike_world *const w = x->sa->world;
	const struct ike_conn *const conn = ike_conn_of(x);
	const struct ike_identity *const peer = x->sa->remote ? x->sa->remote : &x->id_i;
	char text[IKE_IDENTITY_TEXT];

	if (!conn->child.anyone)
		return true;
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		for (const struct ike_sa *sa = w->by_spi[i]; sa; sa = sa->next_by_spi) {
			if (!sa->remote || ike_identity_fits(sa->remote, peer) ||
			    !has_claim(sa, conn->child.reqid, &x->theirs_ts))
				continue;
			ike_say(x->sa, IKE_LOG_NOTICE, "the peer asks for traffic that %s has",
				ike_identity_text(sa->remote, text));
			return false;
		}
	}
	return true;
}

enum ipsp_err ike_anyone_keep(const struct ike_exchange *x, struct ike_child *c)
{
	const size_t n = x->theirs_ts.n;

	if (!ike_conn_of(x)->child.anyone)
		return IPSP_OK;
	/* Another one's may have come while an SPI was asked for. */
	if (!ike_anyone_takes(x))
		return IPSP_EEXIST;
	c->claim = malloc(sizeof(*c->claim) + n * sizeof(*c->claim->theirs));
	if (!c->claim)
		return IPSP_ENOMEM;
	c->claim->n = (uint8_t)n;
	memcpy(c->claim->theirs, x->theirs_ts.s, n * sizeof(*c->claim->theirs));
	return IPSP_OK;
}
