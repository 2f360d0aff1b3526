/*
 * ike/pick.c - of several connections with one peer, the one that its request is for: whom it names, how it proves it, and
 * what its Child SA is to carry. Rows that differ in traffic, mode or algorithms alone are connections of their own, and
 * a peer may have them under one IKE SA or under several.
 *
 * Of those that take the request the one that suits it best is picked, of equals one that names the peer's address;
 * where none does, the IKE SA's own says why not.
 */
#include <string.h>

#include "ike/proof.h"

static bool takes_suite(const struct ike_conn *c, const struct ike_suite *suite)
{
	struct ike_offers one = { .n = 1 };
	struct ike_suite chosen;

	one.offers[0].protocol = suite->protocol;
	ike_offer_add(&one.offers[0], IKE_TRANSFORM_ENCR, suite->encr, suite->encr_key_bits);
	ike_offer_add(&one.offers[0], IKE_TRANSFORM_PRF, suite->prf, 0);
	ike_offer_add(&one.offers[0], IKE_TRANSFORM_KE, suite->ke, 0);
	if (suite->integ)
		ike_offer_add(&one.offers[0], IKE_TRANSFORM_INTEG, suite->integ, 0);
	for (uint8_t i = 0; i < IKE_ADD_KE_MAX; i++) {
		if (suite->add_ke[i])
			ike_offer_add(&one.offers[0], (uint8_t)(IKE_TRANSFORM_ADDKE1 + i),
				      suite->add_ke[i], 0);
	}
	return ike_offers_choose(&c->offers, &one, &chosen);
}

static bool is_here(const struct ike_conn *c, const struct ike_path *path)
{
	return c->local.family == 0 || ipsp_addr_cmp(&c->local, &path->local) == 0;
}

static bool is_at(const struct ike_peer *p, const struct ike_path *path)
{
	return p->address.family == 0 || ipsp_addr_cmp(&p->address, &path->remote) == 0;
}

/* asked: NULL: no Child SA. The default response is for nothing then that another one could not be for. */
static unsigned suits(const struct ike_conn *c, const struct ike_sa *sa, const struct ike_child_asked *asked)
{
	if (asked)
		return ike_child_suits(c, sa, asked);
	return c->child.answers ? 0 : IKE_SUITS_BEST;
}

/* ---- in a setup ---- */

/* method: how it proves itself. 0: that is not looked at */
static const struct ike_peer *peer_in(const struct ike_conn *c, const struct ike_exchange *x,
				      const struct ike_identity *id_r, uint8_t method)
{
	const struct ike_identity local = ike_identity_on(&c->local_id, &x->sa->path.local);
	const struct ike_peer *anywhere = NULL;

	for (size_t i = 0; i < c->n_peers; i++) {
		const struct ike_peer *const p = &c->peers[i];

		if ((method == 0 || ike_proof_possible(p, method)) &&
		    (id_r->type == 0 || ike_proof_is_ours(p, &local, id_r)) &&
		    ike_identity_fits(&p->id, &x->id_i) && is_at(p, &x->sa->path)) {
			if (p->address.family)
				return p;
			anywhere = anywhere ? anywhere : p;
		}
	}
	return anywhere;
}

#define RANK_BEST(suits_best) (2 * (suits_best) + 1)

/* 0: it is not for that */
static unsigned rank(unsigned suits, const struct ike_peer *p)
{
	return suits == 0 ? 0 : 2 * suits + (p->address.family != 0);
}

bool ike_pick_peer(struct ike_exchange *x, const struct ike_parsed *m, const struct ike_identity *id_r,
		   uint8_t method)
{
	struct ike_sa *const sa = x->sa;
	const struct ike_world *const w = sa->world;
	struct ike_child_asked asked;
	const bool has_child = ike_child_read(sa, m, true, &asked);
	struct ike_conn *best = sa->conn;
	unsigned best_rank = 0;

	x->peer = peer_in(sa->conn, x, id_r, method);
	if (x->peer)
		best_rank = rank(1 + suits(sa->conn, sa, has_child ? &asked : NULL), x->peer);
	for (size_t i = 0; i < w->n_conns && best_rank < RANK_BEST(1 + IKE_SUITS_BEST); i++) {
		struct ike_conn *const c = w->conns[i];
		const struct ike_peer *const p = is_here(c, &sa->path) ? peer_in(c, x, id_r, method) : NULL;
		unsigned its_rank;

		if (!p || !takes_suite(c, &sa->suite))
			continue;
		its_rank = rank(1 + suits(c, sa, has_child ? &asked : NULL), p);
		if (its_rank <= best_rank)
			continue;
		best_rank = its_rank;
		best = c;
		x->peer = p;
	}
	ike_conn_ref(best);
	ike_conn_unref(sa->conn);
	sa->conn = best;
	return x->peer != NULL;
}

/* ---- under an IKE SA ---- */

static bool same_secret(const struct ike_secret *a, const struct ike_secret *b)
{
	struct ipsp_span x, y;

	if (!a || !b)
		return a == b;
	x = ike_secret_octets(a);
	y = ike_secret_octets(b);
	return x.len == y.len && !memcmp(x.data, y.data, x.len);
}

/* Who has proved the one has proved the other. */
static bool same_proof(const struct ike_peer *a, const struct ike_peer *b)
{
	return same_secret(a->secret, b->secret) && a->trust == b->trust &&
	       same_secret(a->ppk, b->ppk) && a->ppk_required == b->ppk_required;
}

/* The peer of an IKE SA, in its own connection or in another one. NULL: it is not there. */
static const struct ike_peer *peer_of(const struct ike_conn *c, const struct ike_sa *sa)
{
	for (size_t i = 0; i < c->n_peers; i++) {
		const struct ike_peer *const p = &c->peers[i];

		if (ike_identity_fits(&p->id, sa->remote) && (c == sa->conn || is_at(p, &sa->path)))
			return p;
	}
	return NULL;
}

/* May the peer of an IKE SA have Child SAs of that connection under it? */
static bool is_for(const struct ike_conn *c, const struct ike_sa *sa)
{
	const struct ike_peer *const own = peer_of(sa->conn, sa), *const other = peer_of(c, sa);
	const struct ike_identity local = ike_identity_on(&c->local_id, &sa->path.local);

	return own && other && is_here(c, &sa->path) && ike_identity_fits(&local, sa->local) &&
	       same_proof(own, other) && takes_suite(c, &sa->suite);
}

void ike_pick_child(struct ike_exchange *x, const struct ike_parsed *m)
{
	const struct ike_sa *const sa = x->sa;
	const struct ike_world *const w = sa->world;
	struct ike_conn *best = x->rekeyed ? x->rekeyed->conn : sa->conn;
	struct ike_child_asked asked;
	unsigned best_rank;

	if (!x->rekeyed && ike_child_read(sa, m, false, &asked)) {
		best_rank = 2 * suits(best, sa, &asked) + 1;
		for (size_t i = 0; i < w->n_conns && best_rank < RANK_BEST(IKE_SUITS_BEST); i++) {
			const unsigned its_rank = is_for(w->conns[i], sa) ?
				rank(suits(w->conns[i], sa, &asked), peer_of(w->conns[i], sa)) : 0;

			if (its_rank <= best_rank)
				continue;
			best_rank = its_rank;
			best = w->conns[i];
		}
	}
	x->conn = ike_conn_ref(best);
}
