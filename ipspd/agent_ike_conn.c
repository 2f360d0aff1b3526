/*
 * ipspd/agent_ike_conn.c - a compiled connection (policy/connection.h) as ike takes it, with its secrets.
 *
 * RFC 7296 3.3: each row of proposals is one proposal, in order; each alternative of a transform one of its own,
 * so that what was not written together is not chosen together.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "ike/ke.h"
#include "ipspd/agent_int.h"
#include "mibs/schema_gen.h"
#include "policy/credential.h"
#include "policy/negotiate.h"

enum { AUTH_PSK = 2, AUTH_DSS = 3 };	/* RFC 7296 3.8 */
enum { NONE = UINT16_MAX };	/* policy/conn_algs.c: IKEv2 has no such thing */

#define LIVENESS_S 30
#define ANSWER_LIFE_S 28800

static const struct mib_row *named(const struct mib_view *v, const struct mib_table *t,
				   const char *name)
{
	const struct mib_value part = mib_value_octets(name, strlen(name));
	struct mib_oid index;

	return name[0] && mib_index_encode(t, &part, 1, &index) ?
		       mib_view_row(v, t, index.ids, index.len) : NULL;
}

/* ---- who ---- */

/* NULL: there is none, or none that can be taken. */
static struct ike_secret *secret_of(const struct mib_view *v, const struct pol_conn_credential *cred)
{
	const struct mib_row *const r = cred->type == POL_CRED_SHARED_SECRET ?
		named(v, &mib_t_ipsaCredentialTable, cred->name) : NULL;
	uint8_t octets[IKE_SECRET_MAX];
	struct ike_secret *s = NULL;
	size_t len;

	if (!r)
		return NULL;
	len = pol_credential_octets(v, r, octets, sizeof(octets));
	if (len > 0 && len <= sizeof(octets))
		s = ike_secret_new((struct ipsp_span){ octets, len });
	explicit_bzero(octets, sizeof(octets));
	return s;
}

/* An address without a value is the one we have, a name without one our certificate's. */
static bool identity_of(const struct pol_identity *id, struct ike_identity *out)
{
	*out = (struct ike_identity){ .type = id->type };
	if (id->type == 0 ||
	    (!id->value[0] && id->type != IKE_ID_KEY_ID))
		return true;
	return ike_identity_make(id->type, id->value, out);
}

/* Does a proposal want a shared secret? */
static bool uses_secret(const struct pol_connection *c)
{
	for (size_t i = 0; i < c->n_proposals; i++) {
		if (c->proposals[i].v2 && c->proposals[i].auth == AUTH_PSK)
			return true;
	}
	return false;
}

/* Certificates and private keys are agent_ike_cred.c's. */
/* RFC 8784 5: which one it is both know by its name there, else by ours. */
static bool put_ppk(const struct mib_view *v, const struct pol_conn_peer *from, struct ike_peer *to)
{
	const char *const id = from->ppk.remote_id[0] ? from->ppk.remote_id : from->ppk.name;

	if (!from->ppk.name[0])
		return true;
	to->ppk = secret_of(v, &from->ppk);
	to->ppk_id_len = (uint8_t)strnlen(id, sizeof(to->ppk_id));
	memcpy(to->ppk_id, id, to->ppk_id_len);
	to->ppk_required = from->ppk_required;
	return to->ppk != NULL;
}

static const char *put_peers(const struct mib_view *v, const struct pol_connection *c,
			     struct ike_conn *k)
{
	const bool secret = uses_secret(c);

	if (c->n_peers == 0) {	/* whoever it is */
		if (secret)
			k->peers[0].secret = secret_of(v, &c->local_credential);
		k->n_peers = 1;
		return !secret || k->peers[0].secret ? NULL : "has no shared secret";
	}
	for (size_t i = 0; i < c->n_peers && i < IKE_PEERS_MAX; i++) {
		struct ike_peer *const p = &k->peers[k->n_peers++];

		p->address = c->peers[i].address;
		if (secret)
			p->secret = secret_of(v, &c->peers[i].credential);
		if (!identity_of(&c->peers[i].id, &p->id))
			return "has a peer identity that cannot be written for IKE";
		if (secret && !p->secret)
			return "has a peer without a shared secret";
		if (!put_ppk(v, &c->peers[i], p))
			return "has a peer without its postquantum preshared key";
	}
	return NULL;
}

/* ---- proposals ---- */

static bool has_length(uint16_t encr)
{
	return encr == 12 || encr == 13 || (encr >= 14 && encr <= 21) || encr == 23;
}

/* Are its further key exchanges (RFC 9370) such as can be made here? */
static bool knows_further(const struct pol_ike_proposal *p)
{
	for (size_t i = 0; i < p->n_add_ke; i++) {
		if (!ike_ke_find(p->add_ke[i]))
			return false;
	}
	return p->n_add_ke <= IKE_ADD_KE_MAX;
}

/* ipiaIkePropLifetimeDerivedKeys, and the part of it that ipiaIkeActThresholdDerivedKeys takes: the least of all. */
static void put_derived(const struct pol_ike_proposal *p, uint8_t percent, struct ike_conn *k)
{
	const uint64_t part = (uint64_t)p->derived_keys * percent / 100;
	const uint32_t n = p->derived_keys == 0 ? 0 : part > 0 ? (uint32_t)part : 1;

	if (n && (k->children_max == 0 || n < k->children_max))
		k->children_max = n;
}

static void put_proposals(const struct pol_connection *c, struct ike_conn *k)
{
	for (size_t i = 0; i < c->n_proposals && k->offers.n < IKE_OFFERS_MAX; i++) {
		const struct pol_ike_proposal *const p = &c->proposals[i];
		struct ike_offer *const o = &k->offers.offers[k->offers.n];

		if (!p->v2 || p->auth == AUTH_DSS || !knows_further(p))
			continue;
		*o = (struct ike_offer){ .number = (uint8_t)(k->offers.n + 1),
					 .protocol = IKE_PROTOCOL_IKE };
		(void)ike_offer_add(o, IKE_TRANSFORM_ENCR, p->encr,
				    has_length(p->encr) ? p->key_bits : 0);
		(void)ike_offer_add(o, IKE_TRANSFORM_PRF, p->prf, 0);
		if (p->integ)
			(void)ike_offer_add(o, IKE_TRANSFORM_INTEG, p->integ, 0);
		(void)ike_offer_add(o, IKE_TRANSFORM_KE, p->group, 0);
		for (size_t n = 0; n < p->n_add_ke; n++)
			(void)ike_offer_add(o, (uint8_t)(IKE_TRANSFORM_ADDKE1 + n), p->add_ke[n], 0);
		k->offers.n++;
		if (k->life.hard_s == 0 || p->life_s < k->life.hard_s)
			k->life.hard_s = p->life_s;
		if (p->life_kb && (k->life.hard_kb == 0 || p->life_kb < k->life.hard_kb))
			k->life.hard_kb = p->life_kb;
		put_derived(p, c->threshold_percent, k);
	}
	k->life.soft_percent = c->ike_life.refresh_s_percent;
	k->life.soft_kb_percent = c->ike_life.refresh_kb_percent;
}

static bool has_type(const struct ike_offer *o, uint8_t type)
{
	for (unsigned n = 0; n < o->n; n++) {
		if (o->choices[n].type == type)
			return true;
	}
	return false;
}

/* All key exchanges of an IKE proposal; a further one that it has not and another one has may be left out (RFC 9370). */
static void put_kes_of(const struct ike_offer *from, const struct ike_conn *k, struct ike_offer *o)
{
	for (unsigned n = 0; n < from->n; n++) {
		const struct ike_choice *const choice = &from->choices[n];

		if (choice->type == IKE_TRANSFORM_KE || choice->type >= IKE_TRANSFORM_ADDKE1)
			(void)ike_offer_add(o, choice->type, choice->id, 0);
	}
	for (uint8_t type = IKE_TRANSFORM_ADDKE1; type < IKE_TRANSFORM_ADDKE1 + IKE_ADD_KE_MAX; type++) {
		for (unsigned i = 0; i < k->offers.n && !has_type(from, type); i++) {
			if (has_type(&k->offers.offers[i], type)) {
				(void)ike_offer_add(o, type, 0, 0);
				break;
			}
		}
	}
}

static void put_groups(const struct pol_connection *c, const struct ike_conn *k, struct ike_offer *o)
{
	if (c->pfs && !c->pfs_of_ike)
		(void)ike_offer_add(o, IKE_TRANSFORM_KE, c->pfs_group, 0);
	for (unsigned i = 0; c->pfs_of_ike && i < k->offers.n; i++)
		put_kes_of(&k->offers.offers[i], k, o);
}

static uint8_t log2_of(uint32_t packets)
{
	uint8_t n = 5;	/* the least that there is */

	while (n < 16 && 1u << n < packets)
		n++;
	return n;
}

static void put_life(const struct pol_child_transform *t, struct ike_child_config *child)
{
	if (child->life.hard_s == 0 || (t->life_s != 0 && t->life_s < child->life.hard_s))
		child->life.hard_s = t->life_s;
	if (child->life.hard_kb == 0 || (t->life_kb != 0 && t->life_kb < child->life.hard_kb))
		child->life.hard_kb = t->life_kb;
	if (t->replay && log2_of(t->window_pkts) > child->window_log2)
		child->window_log2 = log2_of(t->window_pkts);
}

static void put_transforms(const struct pol_connection *c, struct ike_conn *k)
{
	struct ike_child_config *const child = &k->child;

	for (size_t i = 0; i < c->n_transforms && child->offers.n < IKE_OFFERS_MAX; i++) {
		const struct pol_child_transform *const t = &c->transforms[i];
		struct ike_offer *const o = &child->offers.offers[child->offers.n];
		const bool esp = t->protocol == POL_CHILD_ESP;

		if (!t->usable || !pol_child_proposal_of(c, t)->offered)
			continue;
		if (t->protocol == POL_CHILD_IPCOMP) {
			put_life(t, child);
			continue;
		}
		if (t->v2_integ == NONE || (esp && t->v2_encr == NONE))
			continue;
		*o = (struct ike_offer){ .number = (uint8_t)(child->offers.n + 1),
					 .protocol = esp ? IKE_PROTOCOL_ESP : IKE_PROTOCOL_AH };
		if (esp)
			(void)ike_offer_add(o, IKE_TRANSFORM_ENCR, t->v2_encr,
					    has_length(t->v2_encr) ? t->key_bits : 0);
		if (t->v2_integ)
			(void)ike_offer_add(o, IKE_TRANSFORM_INTEG, t->v2_integ, 0);
		put_groups(c, k, o);
		if (c->choices.esn != POL_CONN_ESN_NO)
			(void)ike_offer_add(o, IKE_TRANSFORM_ESN, 1, 0);
		if (c->choices.esn != POL_CONN_ESN_YES)
			(void)ike_offer_add(o, IKE_TRANSFORM_ESN, 0, 0);
		child->offers.n++;
		put_life(t, child);
	}
	child->life.soft_percent = c->child_life.refresh_s_percent;
	child->life.soft_kb_percent = c->child_life.refresh_kb_percent;
	child->compress = pol_conn_compresses(c);
}

static void put_handling(const struct pol_connection *c, struct ike_handling *h)
{
	const struct pol_conn_choices *const k = &c->choices;
	const uint64_t idle_s = c->child_life.idle_s;

	*h = (struct ike_handling){
		.df = c->df ? c->df : IPSP_DF_COPY, .ecn = k->ecn, .dscp = k->dscp,
		.tfc_pad = (uint16_t)(k->tfc_pad_octets < IPSP_TFC_PAD_MAX ? k->tfc_pad_octets :
									      IPSP_TFC_PAD_MAX),
		.dummy_s = (uint16_t)(k->dummy_interval_s < UINT16_MAX ? k->dummy_interval_s :
									 UINT16_MAX),
		.idle_s = (uint32_t)(idle_s < UINT32_MAX ? idle_s : UINT32_MAX),
	};
}

/* ---- selectors ---- */

static void add_side(struct ike_selectors *to, const struct ike_selector *s)
{
	for (unsigned i = 0; i < to->n; i++) {
		if (ike_selector_within(s, &to->s[i]))
			return;
	}
	to->s[to->n++] = *s;
}

static const char *put_selectors(const struct pol_connection *c, struct ike_child_config *child)
{
	for (size_t i = 0; i < c->n_selectors; i++) {
		struct ike_selector ours, theirs;

		if (!ike_selector_of_box(&c->selectors[i], &ours, &theirs))
			return "has a rule whose range of protocols traffic selectors cannot say";
		if (child->ours.n == IKE_TS_MAX || child->theirs.n == IKE_TS_MAX)
			return "has more rules than traffic selectors can say";
		add_side(&child->ours, &ours);
		add_side(&child->theirs, &theirs);
	}
	return child->ours.n > 0 ? NULL : "is wanted by no rule with addresses";
}

/* Its SAs are for SPD entries of their own, which no row makes: a reqid as key managers have them. */
static void put_answers(struct ike_child_config *child)
{
	child->answers = true;
	child->reqid = (child->reqid & (IKE_ANSWER_REQID - 1)) | IKE_ANSWER_REQID;
	child->pfp = 0;
	child->compress = false;
	/* The entries end with their SAs, so those have an end. */
	if (child->life.hard_s == 0)
		child->life.hard_s = ANSWER_LIFE_S;
}

static const char *put_child(const struct mib_view *v, const struct pol_conn_key *key,
			     const struct pol_connection *c, struct ike_conn *k)
{
	const struct mib_row *const r = named(v, &mib_t_ipiaIpsecActionTable, key->ipsec);

	if (!r)
		return "has no IPsec action";
	k->has_child = true;
	k->child.reqid = pol_negotiate_reqid(r);
	k->child.pfp = pol_negotiate_pfp(r);
	k->child.transport = c->mode == IPSP_MODE_TRANSPORT;
	k->child.anyone = c->anyone;
	put_handling(c, &k->child.handling);
	put_transforms(c, k);
	if (k->child.offers.n == 0)
		return "has no proposal of ESP or AH that IKEv2 can negotiate; both in one it cannot (RFC 7296 "
		       "section 3.3)";
	if (c->answers)
		put_answers(&k->child);
	return put_selectors(c, &k->child);
}

/* ---- the whole ---- */

static bool has_address(const struct pol_connection *c)
{
	for (size_t i = 0; i < c->n_peers; i++) {
		if (c->peers[i].address.family != 0)
			return true;
	}
	return false;
}

static const char *fill(const struct mib_view *v, const struct pol_conn_key *key,
			const struct pol_connection *c, struct ike_conn *k)
{
	const char *why;

	if (c->fault[0])
		return c->fault;
	if (c->version == POL_IKE_V1)
		return "is for IKEv1, which is not negotiated yet";
	memcpy(k->ipsec, key->ipsec, sizeof(k->ipsec));
	memcpy(k->ike, key->ike, sizeof(k->ike));
	k->liveness_s = LIVENESS_S;
	k->nat = c->nat == POL_CONN_NAT_ALWAYS ? IKE_NAT_ALWAYS :
		 c->nat == POL_CONN_NAT_NEVER ? IKE_NAT_NEVER : IKE_NAT_AUTO;
	k->reauth_s = c->reauth_s;
	k->retransmit_s = c->retransmit_s;
	k->tries = c->tries;
	if (!identity_of(&c->local, &k->local_id) || k->local_id.type == 0)
		return "has an identity of ours that cannot be written for IKE";
	put_proposals(c, k);
	if (k->offers.n == 0)
		return "has no proposal that IKEv2 can negotiate";
	why = put_peers(v, c, k);
	return why || !key->ipsec[0] ? why : put_child(v, key, c, k);
}

const char *agent_ike_compile(const struct mib_view *v, const struct pol_conn_key *key,
			     const struct pol_connection *c, struct ike_wire_conn *out)
{
	const char *why;

	*out = (struct ike_wire_conn){ .conn = ike_conn_new(), .start = c->n_starts > 0 };
	if (!out->conn)
		return "has no memory";
	if (out->start && (!key->ipsec[0] || !has_address(c)))
		out->to = c->starts[0].packet.dst_lo;
	why = fill(v, key, c, out->conn);
	if (why) {
		ike_conn_unref(out->conn);
		out->conn = NULL;
	}
	return why;
}
