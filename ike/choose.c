/*
 * ike/choose.c - which of our credentials a peer is shown. RFC 7296 3.7, RFC 7670, RFC 7427 4.
 *
 *	what cannot be used now, or by this peer, is passed over
 *	pass 1: of an authority that the peer names, and made for IKE by its extended key usage
 *	pass 2: of an authority that the peer names
 *	pass 3: the first one
 *
 * A peer that names none to which any of ours leads gets one of whatever authority in passes 1 and 2. A raw public key
 * is found in pass 2 by who asks for such, or for nothing.
 */
#include <stdio.h>
#include <string.h>

#include "ike/proof.h"

static bool is_wanted(const struct ike_proof *p, const uint8_t hash[IKE_KEY_HASH_LEN])
{
	for (size_t i = 0; i < p->n_wanted; i++) {
		if (!memcmp(p->wanted[i], hash, IKE_KEY_HASH_LEN))
			return true;
	}
	return false;
}

/* Does its chain lead to a CA that the peer asks for? */
static bool leads_there(const struct ike_proof *p, const struct ike_credential *c,
			const struct ike_trust *trust)
{
	for (unsigned i = 1; i < c->n_certs; i++) {
		if (is_wanted(p, c->certs[i].key_hash))
			return true;
	}
	/* The CA itself need not be in the chain, but may be one that we believe, too. */
	for (unsigned i = 0; trust && c->n_certs > 0 && i < trust->n_cas; i++) {
		if (is_wanted(p, trust->ca_hashes[i]) &&
		    gnutls_x509_crt_check_issuer(c->certs[c->n_certs - 1].crt, trust->cas[i]))
			return true;
	}
	return false;
}

/* NULL: it can be shown. */
static const char *fault_of(const struct ike_exchange *x, const struct ike_credential *c, int64_t now_s)
{
	if (c->n_certs > 0 && now_s < c->from_s)
		return "it is not valid yet";
	if (c->n_certs > 0 && now_s > c->until_s)
		return "it has expired";
	if (!ike_scheme_choose(c->key, x->their_hashes, c->pss))
		return "the peer takes no signature by its key";
	return NULL;
}

/* Whom the peer wants us to be, where certificates say that, is nobody's but this one's. */
static bool is_asked(const struct ike_exchange *x, const struct ike_credential *c)
{
	const struct ike_identity *const asked = &x->proof->asked;

	return x->sa->conn->local_id.len > 0 || asked->type == 0 || asked->type != x->sa->conn->local_id.type ||
	       (c->n_certs > 0 && ike_cert_is_for(c->certs[0].crt, asked));
}

static bool any_is_asked(const struct ike_exchange *x)
{
	for (size_t i = 0; i < x->peer->n_credentials; i++) {
		if (is_asked(x, x->peer->credentials[i]))
			return true;
	}
	return false;
}

/* Is there one of an authority that the peer names? */
static bool any_leads_there(const struct ike_exchange *x)
{
	for (size_t i = 0; i < x->peer->n_credentials; i++) {
		if (leads_there(x->proof, x->peer->credentials[i], x->peer->trust))
			return true;
	}
	return false;
}

/* named: the peer names an authority of ours. */
static unsigned pass_of(const struct ike_exchange *x, const struct ike_credential *c, bool named)
{
	const struct ike_proof *const p = x->proof;

	if (c->n_certs == 0)
		return p->asks_raw_key || !p->asks_cert ? 2 : 3;
	if ((named && !leads_there(p, c, x->peer->trust)) || (p->asks_raw_key && !p->asks_cert))
		return 3;
	return c->for_ike ? 1 : 2;
}

static const char *pass_text(unsigned pass, bool named, bool raw)
{
	if (raw)
		return pass == 2 ? "a raw public key" : "the first one";
	if (pass == 3)
		return "the first one, as none is what the peer asks for";
	if (named)
		return pass == 1 ? "of an authority that the peer names, made for IKE" :
				   "of an authority that the peer names";
	return pass == 1 ? "made for IKE" : "the first one, as the peer names no authority of ours";
}

static const char *name_of(const struct ike_credential *c, char *buf, size_t cap)
{
	return c->n_certs > 0 ? ike_cert_name(c->certs[0].crt, buf, cap) : "a raw public key";
}

struct ike_credential *ike_credential_choose(const struct ike_exchange *x, int64_t now_s)
{
	const bool named = x->proof->asks_cert && any_leads_there(x), asked = any_is_asked(x);
	/* Of one alone there is nothing to tell that is not told otherwise. */
	const enum ike_level level = x->peer->n_credentials > 1 ? IKE_LOG_INFO : IKE_LOG_DEBUG;
	struct ike_credential *best = NULL;
	unsigned best_pass = 4;
	char name[300];

	for (size_t i = 0; i < x->peer->n_credentials; i++) {
		struct ike_credential *const c = x->peer->credentials[i];
		const unsigned pass = pass_of(x, c, named);
		const char *why = fault_of(x, c, now_s);

		if (!why && asked && !is_asked(x, c))
			why = "it is not for whom the peer asks for";
		if (why) {
			ike_say(x->sa, level, "our certificate of %s is passed over: %s",
				name_of(c, name, sizeof(name)), why);
		} else if (pass < best_pass) {
			best = c;
			best_pass = pass;
		}
	}
	if (best)
		ike_say(x->sa, level, "our certificate is that of %s, by pass %u: %s",
			name_of(best, name, sizeof(name)), best_pass,
			pass_text(best_pass, named, best->n_certs == 0));
	return best;
}
