/* ipspd/ike_wire.c - connections and IKE SAs in and out of octets: see ike_wire.h. */
#include "config.h"

#include "ipspd/ike_wire.h"

#include <string.h>

#define WINDOW_LOG2_MIN 5u
#define WINDOW_LOG2_MAX 16u
#define RETRANSMIT_MAX_S 300u
#define TRIES_MAX 16u

/* ---- what both have ---- */

static void put_addr(struct chan_writer *w, const struct ipsp_addr *a)
{
	chan_put_u8(w, a->family);
	chan_put_raw(w, a->octets, ipsp_addr_size(a->family));
}

static bool get_addr(struct chan_reader *r, struct ipsp_addr *out)
{
	*out = (struct ipsp_addr){ .family = chan_get_u8(r) };
	chan_get_raw(r, out->octets, ipsp_addr_size(out->family));
	return out->family == 0 || ipsp_addr_size(out->family) > 0;
}

static void put_identity(struct chan_writer *w, const struct ike_identity *id)
{
	chan_put_u8(w, id->type);
	chan_put_octets(w, id->octets, id->len);
}

/* Nobody has octets; what is of an address or a certificate's may be without. */
static bool get_identity(struct chan_reader *r, struct ike_identity *out)
{
	size_t len, address;
	const uint8_t *octets;

	*out = (struct ike_identity){ .type = chan_get_u8(r) };
	octets = chan_get_octets(r, &len);
	if (len > IKE_IDENTITY_MAX)
		return false;
	if (len > 0)
		memcpy(out->octets, octets, len);
	out->len = (uint16_t)len;
	address = out->type == IKE_ID_IPV4_ADDR ? 4 : out->type == IKE_ID_IPV6_ADDR ? 16 : 0;
	return out->type == 0 ? len == 0 :
	       address == 0 ? len > 0 || out->type != IKE_ID_KEY_ID : len == 0 || len == address;
}

static bool get_bool(struct chan_reader *r, bool *out)
{
	const uint8_t v = chan_get_u8(r);

	*out = v != 0;
	return v <= 1;
}

/* ---- parts of a connection ---- */

static void put_offers(struct chan_writer *w, const struct ike_offers *o)
{
	chan_put_u8(w, o->n);
	for (unsigned i = 0; i < o->n; i++) {
		const struct ike_offer *const offer = &o->offers[i];

		chan_put_u8(w, offer->protocol);
		chan_put_u8(w, offer->n);
		for (unsigned k = 0; k < offer->n; k++) {
			chan_put_u8(w, offer->choices[k].type);
			chan_put_u16(w, offer->choices[k].id);
			chan_put_u16(w, offer->choices[k].key_bits);
		}
	}
}

/* Proposals are numbered from 1, RFC 7296 3.3.1. */
static bool get_offers(struct chan_reader *r, struct ike_offers *out)
{
	const uint8_t n = chan_get_u8(r);

	if (n == 0 || n > IKE_OFFERS_MAX)
		return false;
	out->n = n;
	for (unsigned i = 0; i < n; i++) {
		struct ike_offer *const offer = &out->offers[i];

		*offer = (struct ike_offer){ .number = (uint8_t)(i + 1),
					     .protocol = chan_get_u8(r) };
		const uint8_t choices = chan_get_u8(r);

		if (choices == 0 || choices > IKE_CHOICES_MAX)
			return false;
		for (unsigned k = 0; k < choices; k++) {
			const uint8_t type = chan_get_u8(r);
			const uint16_t id = chan_get_u16(r);

			if (!ike_offer_add(offer, type, id, chan_get_u16(r)))
				return false;
		}
	}
	return true;
}

static void put_selectors(struct chan_writer *w, const struct ike_selectors *s)
{
	chan_put_u8(w, s->n);
	for (unsigned i = 0; i < s->n; i++) {
		chan_put_u8(w, s->s[i].protocol);
		put_addr(w, &s->s[i].lo);
		put_addr(w, &s->s[i].hi);
		chan_put_u16(w, s->s[i].port_lo);
		chan_put_u16(w, s->s[i].port_hi);
	}
}

static bool get_selectors(struct chan_reader *r, struct ike_selectors *out)
{
	const uint8_t n = chan_get_u8(r);

	if (n == 0 || n > IKE_TS_MAX)
		return false;
	out->n = n;
	for (unsigned i = 0; i < n; i++) {
		struct ike_selector *const s = &out->s[i];

		s->protocol = chan_get_u8(r);
		if (!get_addr(r, &s->lo) || !get_addr(r, &s->hi))
			return false;
		s->port_lo = chan_get_u16(r);
		s->port_hi = chan_get_u16(r);
		if (s->lo.family == 0 || s->lo.family != s->hi.family ||
		    ipsp_addr_cmp(&s->lo, &s->hi) > 0 ||
		    (s->port_lo > s->port_hi && (s->port_lo != UINT16_MAX || s->port_hi != 0)))
			return false;
	}
	return true;
}

static void put_life(struct chan_writer *w, const struct ike_life *l)
{
	chan_put_u64(w, l->hard_s);
	chan_put_u64(w, l->hard_kb);
	chan_put_u8(w, l->soft_percent);
	chan_put_u8(w, l->soft_kb_percent);
}

static bool get_life(struct chan_reader *r, struct ike_life *out)
{
	out->hard_s = chan_get_u64(r);
	out->hard_kb = chan_get_u64(r);
	out->soft_percent = chan_get_u8(r);
	out->soft_kb_percent = chan_get_u8(r);
	/* So that neither milliseconds nor octets come to more than a number holds. */
	return out->soft_percent >= 1 && out->soft_percent <= 100 && out->soft_kb_percent >= 1 &&
	       out->soft_kb_percent <= 100 && out->hard_s <= UINT32_MAX && out->hard_kb <= UINT32_MAX;
}

static void put_secret(struct chan_writer *w, const struct ike_secret *secret)
{
	chan_put_u8(w, secret != NULL);
	if (secret) {
		const struct ipsp_span s = ike_secret_octets(secret);

		chan_put_octets(w, s.data, s.len);
	}
}

static bool get_secret(struct chan_reader *r, struct ike_secret **out)
{
	struct ipsp_span s;
	bool has_secret;

	if (!get_bool(r, &has_secret))
		return false;
	if (!has_secret)
		return true;
	s.data = chan_get_octets(r, &s.len);
	*out = s.len > 0 ? ike_secret_new(s) : NULL;
	return *out != NULL;
}

static void put_ppk(struct chan_writer *w, const struct ike_peer *p)
{
	put_secret(w, p->ppk);
	if (!p->ppk)
		return;
	chan_put_octets(w, p->ppk_id, p->ppk_id_len);
	chan_put_u8(w, p->ppk_required);
}

static bool get_ppk(struct chan_reader *r, struct ike_peer *out)
{
	const uint8_t *id;
	size_t len;

	if (!get_secret(r, &out->ppk))
		return false;
	if (!out->ppk)
		return true;
	id = chan_get_octets(r, &len);
	if (len == 0 || len > IKE_PPK_ID_MAX)
		return false;
	memcpy(out->ppk_id, id, len);
	out->ppk_id_len = (uint8_t)len;
	return get_bool(r, &out->ppk_required);
}

static void put_peer(struct chan_writer *w, const struct ike_peer *p, const struct ike_wire_proof *proof)
{
	put_addr(w, &p->address);
	put_identity(w, &p->id);
	put_secret(w, p->secret);
	chan_put_u8(w, proof->n_owns);
	for (size_t i = 0; i < proof->n_owns; i++)
		chan_put_u32(w, proof->owns[i]);
	chan_put_u32(w, proof->trust);
	put_ppk(w, p);
}

static bool get_peer(struct chan_reader *r, struct ike_peer *out, struct ike_wire_proof *proof)
{
	if (!get_addr(r, &out->address) || !get_identity(r, &out->id) || !get_secret(r, &out->secret))
		return false;
	proof->n_owns = chan_get_u8(r);
	if (proof->n_owns > IKE_CREDENTIALS_MAX)
		return false;
	for (size_t i = 0; i < proof->n_owns; i++)
		proof->owns[i] = chan_get_u32(r);
	proof->trust = chan_get_u32(r);
	return get_ppk(r, out);
}

static void put_handling(struct chan_writer *w, const struct ike_handling *h)
{
	chan_put_u8(w, h->df);
	chan_put_u8(w, h->ecn);
	chan_put_u8(w, (uint8_t)h->dscp);
	chan_put_u16(w, h->tfc_pad);
	chan_put_u16(w, h->dummy_s);
	chan_put_u32(w, h->idle_s);
}

static bool get_handling(struct chan_reader *r, struct ike_handling *out)
{
	out->df = chan_get_u8(r);
	out->ecn = chan_get_u8(r);
	out->dscp = (int8_t)chan_get_u8(r);
	out->tfc_pad = chan_get_u16(r);
	out->dummy_s = chan_get_u16(r);
	out->idle_s = chan_get_u32(r);
	return out->df >= IPSP_DF_COPY && out->df <= IPSP_DF_CLEAR && out->ecn <= IPSP_ECN_NONE &&
	       out->dscp >= -1 && out->dscp <= (int8_t)IPSP_DSCP_MAX &&
	       out->tfc_pad <= IPSP_TFC_PAD_MAX;
}

/* Whom it is for, if not for those of its rules and list. */
enum { FOR_ANSWERS = 1, FOR_ANYONE = 2 };

static bool get_whom(struct chan_reader *r, struct ike_child_config *out)
{
	const uint8_t whom = chan_get_u8(r);

	out->answers = whom == FOR_ANSWERS;
	out->anyone = whom == FOR_ANYONE;
	return whom <= FOR_ANYONE && (!out->answers || (out->transport && !out->compress)) &&
	       (!out->anyone || !out->transport);
}

static void put_child(struct chan_writer *w, const struct ike_child_config *c)
{
	put_offers(w, &c->offers);
	put_selectors(w, &c->ours);
	put_selectors(w, &c->theirs);
	put_life(w, &c->life);
	chan_put_u32(w, c->reqid);
	chan_put_u8(w, c->transport);
	chan_put_u8(w, c->compress);
	chan_put_u8(w, c->answers ? FOR_ANSWERS : c->anyone ? FOR_ANYONE : 0);
	chan_put_u8(w, c->pfp);
	chan_put_u8(w, c->window_log2);
	put_handling(w, &c->handling);
}

static bool get_child(struct chan_reader *r, struct ike_child_config *out)
{
	if (!get_offers(r, &out->offers) || !get_selectors(r, &out->ours) ||
	    !get_selectors(r, &out->theirs) || !get_life(r, &out->life))
		return false;
	out->reqid = chan_get_u32(r);
	if (!get_bool(r, &out->transport) || !get_bool(r, &out->compress) || !get_whom(r, out))
		return false;
	out->pfp = chan_get_u8(r);
	if (out->pfp > IPSP_PFP_ALL)
		return false;
	out->window_log2 = chan_get_u8(r);
	if (out->window_log2 != 0 &&
	    (out->window_log2 < WINDOW_LOG2_MIN || out->window_log2 > WINDOW_LOG2_MAX))
		return false;
	return get_handling(r, &out->handling);
}

/* ---- a connection ---- */

void ike_wire_conn_put(struct chan_writer *w, const struct ike_wire_conn *c)
{
	const struct ike_conn *const k = c->conn;

	chan_put_u8(w, c->start);
	put_addr(w, &c->to);
	chan_put_text(w, k->ipsec);
	chan_put_text(w, k->ike);
	put_addr(w, &k->local);
	put_identity(w, &k->local_id);
	put_offers(w, &k->offers);
	put_life(w, &k->life);
	chan_put_u32(w, k->children_max);
	chan_put_u32(w, k->liveness_s);
	chan_put_u8(w, (uint8_t)k->nat);
	chan_put_u32(w, k->reauth_s);
	chan_put_u32(w, k->retransmit_s);
	chan_put_u8(w, k->tries);
	chan_put_u8(w, (uint8_t)k->n_peers);
	for (size_t i = 0; i < k->n_peers; i++)
		put_peer(w, &k->peers[i], &c->proofs[i]);
	chan_put_u8(w, k->has_child);
	if (k->has_child)
		put_child(w, &k->child);
}

static bool get_peers(struct chan_reader *r, struct ike_wire_conn *c, struct ike_conn *k)
{
	const uint8_t n = chan_get_u8(r);

	if (n == 0 || n > IKE_PEERS_MAX)
		return false;
	for (; k->n_peers < n; k->n_peers++) {
		if (!get_peer(r, &k->peers[k->n_peers], &c->proofs[k->n_peers])) {
			k->n_peers++;	/* its secrets are let go of, too */
			return false;
		}
	}
	return true;
}

static bool get_conn(struct chan_reader *r, struct ike_wire_conn *c, struct ike_conn *k)
{
	if (!get_bool(r, &c->start) || !get_addr(r, &c->to) ||
	    !chan_get_text(r, k->ipsec, sizeof(k->ipsec)) ||
	    !chan_get_text(r, k->ike, sizeof(k->ike)) || !get_addr(r, &k->local) ||
	    !get_identity(r, &k->local_id) || k->local_id.type == 0 ||
	    !get_offers(r, &k->offers) || !get_life(r, &k->life))
		return false;
	k->children_max = chan_get_u32(r);
	k->liveness_s = chan_get_u32(r);
	k->nat = (enum ike_nat)chan_get_u8(r);
	k->reauth_s = chan_get_u32(r);
	k->retransmit_s = chan_get_u32(r);
	k->tries = chan_get_u8(r);
	/* So that no wait comes to more milliseconds than a number holds. */
	if (k->nat >= IKE_NATS || k->retransmit_s > RETRANSMIT_MAX_S || k->tries > TRIES_MAX)
		return false;
	return get_peers(r, c, k) && get_bool(r, &k->has_child) &&
	       (!k->has_child || get_child(r, &k->child)) && chan_reader_done(r);
}

bool ike_wire_conn_get(struct chan_reader *r, struct ike_wire_conn *out)
{
	struct ike_wire_conn c = { .conn = ike_conn_new() };

	if (!c.conn)
		return false;
	if (!get_conn(r, &c, c.conn)) {
		ike_conn_unref(c.conn);
		return false;
	}
	*out = c;
	return true;
}

/* ---- an IKE SA ---- */

static void put_path(struct chan_writer *w, const struct ike_path *p)
{
	put_addr(w, &p->local);
	put_addr(w, &p->remote);
	chan_put_u16(w, p->local_port);
	chan_put_u16(w, p->remote_port);
}

static bool get_path(struct chan_reader *r, struct ike_path *out)
{
	if (!get_addr(r, &out->local) || !get_addr(r, &out->remote))
		return false;
	out->local_port = chan_get_u16(r);
	out->remote_port = chan_get_u16(r);
	return true;
}

void ike_wire_sa_put(struct chan_writer *w, const struct ike_wire_sa *sa)
{
	chan_put_u32(w, sa->number);
	chan_put_raw(w, sa->spi_i, sizeof(sa->spi_i));
	chan_put_raw(w, sa->spi_r, sizeof(sa->spi_r));
	chan_put_u8(w, sa->state);
	chan_put_u8(w, sa->initiator);
	put_path(w, &sa->path);
	chan_put_text(w, sa->ipsec);
	chan_put_text(w, sa->ike);
	put_identity(w, &sa->local);
	put_identity(w, &sa->remote);
	chan_put_u16(w, sa->encr);
	chan_put_u16(w, sa->encr_key_bits);
	chan_put_u16(w, sa->integ);
	chan_put_u16(w, sa->prf);
	chan_put_u16(w, sa->ke);
	chan_put_u64(w, sa->age_s);
	chan_put_u32(w, sa->renew_s);
	chan_put_u32(w, sa->end_s);
	chan_put_u32(w, sa->n_children);
}

bool ike_wire_sa_get(struct chan_reader *r, struct ike_wire_sa *out)
{
	*out = (struct ike_wire_sa){ .number = chan_get_u32(r) };
	chan_get_raw(r, out->spi_i, sizeof(out->spi_i));
	chan_get_raw(r, out->spi_r, sizeof(out->spi_r));
	out->state = chan_get_u8(r);
	if (!get_bool(r, &out->initiator) || !get_path(r, &out->path) ||
	    !chan_get_text(r, out->ipsec, sizeof(out->ipsec)) ||
	    !chan_get_text(r, out->ike, sizeof(out->ike)) || !get_identity(r, &out->local) ||
	    !get_identity(r, &out->remote))
		return false;
	out->encr = chan_get_u16(r);
	out->encr_key_bits = chan_get_u16(r);
	out->integ = chan_get_u16(r);
	out->prf = chan_get_u16(r);
	out->ke = chan_get_u16(r);
	out->age_s = chan_get_u64(r);
	out->renew_s = chan_get_u32(r);
	out->end_s = chan_get_u32(r);
	out->n_children = chan_get_u32(r);
	return !r->short_read && out->number >= 1 && out->number <= INT32_MAX && out->state >= 1 &&
	       out->state < IKE_WIRE_STATES;
}

/* ---- what became of one ---- */

void ike_wire_event_put(struct chan_writer *w, const struct ike_wire_event *e)
{
	chan_put_u8(w, e->kind);
	chan_put_u8(w, e->end);
	chan_put_u8(w, e->initiator);
	chan_put_raw(w, e->spi_i, sizeof(e->spi_i));
	chan_put_raw(w, e->spi_r, sizeof(e->spi_r));
	put_path(w, &e->path);
	chan_put_text(w, e->ipsec);
	chan_put_text(w, e->ike);
	put_identity(w, &e->remote);
	chan_put_text(w, e->text);
}

static bool is_end(uint8_t end)
{
	return end == IKE_END_REMOVED || end == IKE_END_EXPIRED || end == IKE_END_BY_PEER ||
	       end == IKE_END_UNREACHABLE || end == IKE_END_FAILED;
}

bool ike_wire_event_get(struct chan_reader *r, struct ike_wire_event *out)
{
	*out = (struct ike_wire_event){ .kind = chan_get_u8(r) };
	out->end = chan_get_u8(r);
	if (out->kind < IKE_EVENT_UP || out->kind >= IKE_EVENTS ||
	    (out->kind == IKE_EVENT_DOWN ? !is_end(out->end) : out->end != 0) ||
	    !get_bool(r, &out->initiator))
		return false;
	chan_get_raw(r, out->spi_i, sizeof(out->spi_i));
	chan_get_raw(r, out->spi_r, sizeof(out->spi_r));
	return get_path(r, &out->path) && chan_get_text(r, out->ipsec, sizeof(out->ipsec)) &&
	       chan_get_text(r, out->ike, sizeof(out->ike)) && get_identity(r, &out->remote) &&
	       chan_get_text(r, out->text, sizeof(out->text)) && chan_reader_done(r);
}

void ike_wire_next_put(struct chan_writer *w, const struct ike_wire_next *n)
{
	chan_put_text(w, n->ipsec);
	chan_put_text(w, n->ike);
	chan_put_u32(w, n->in_ms);
}

bool ike_wire_next_get(struct chan_reader *r, struct ike_wire_next *out)
{
	*out = (struct ike_wire_next){ .in_ms = 0 };
	if (!chan_get_text(r, out->ipsec, sizeof(out->ipsec)) ||
	    !chan_get_text(r, out->ike, sizeof(out->ike)))
		return false;
	out->in_ms = chan_get_u32(r);
	return chan_reader_done(r);
}
