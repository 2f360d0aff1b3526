/* ike/proof.c - what we say to prove who we are: see proof.h. */
#include "ike/proof.h"

#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#define WANTED_MAX 1024u

struct ike_proof *ike_proof_of(struct ike_exchange *x)
{
	if (!x->proof)
		x->proof = calloc(1, sizeof(*x->proof));
	return x->proof;
}

void ike_proof_free(struct ike_proof *p)
{
	if (!p)
		return;
	ike_staple_fini(&p->staple);
	ike_credential_unref(p->own);
	free(p->wanted);
	for (unsigned i = 0; i < 2; i++)
		free(p->octets[i]);
	free(p->kept);
	free(p->signed_by_peer);
	ike_verify_fini(&p->verify);
	ike_trust_unref(p->verify.trust);
	for (unsigned i = 0; i < p->verify.n_crls; i++)
		ike_crl_unref(p->verify.crls[i]);
	for (unsigned i = 0; i < p->n_fetches; i++)
		ike_fetch_free(p->fetches[i]);
	ike_plain_keys_free(p->plain);
	free(p);
}

/* ---- IKE_SA_INIT ---- */

/* Which peer it is a responder does not know yet. */
static const struct ike_peer *peers_of(const struct ike_exchange *x, size_t *n)
{
	*n = x->sa->initiator ? x->peer != NULL : x->sa->conn->n_peers;
	return x->sa->initiator ? x->peer : x->sa->conn->peers;
}

static bool asks_ocsp(const struct ike_trust *t)
{
	return t && t->n_cas > 0 && t->level != IKE_CRL_NONE;
}

/* What is asked for without an authority: keys (RFC 7670 3), and OCSP answers (RFC 4806 3.1), which are a CA's own, or
 * of whom it says so. */
static void write_bare_requests(struct ike_builder *b, const struct ike_peer *peers, size_t n)
{
	bool raw = false, ocsp = false;

	for (size_t i = 0; i < n; i++) {
		raw |= peers[i].trust && peers[i].trust->raw_key.size > 0;
		ocsp |= asks_ocsp(peers[i].trust);
	}
	if (raw) {
		ike_build_payload(b, IKE_PAYLOAD_CERTREQ);
		ike_build_u8(b, IKE_CERT_RAW_PUBLIC_KEY);
	}
	if (ocsp) {
		ike_build_payload(b, IKE_PAYLOAD_CERTREQ);
		ike_build_u8(b, IKE_CERT_OCSP);
	}
}

/* One payload with the hashes of all CAs' keys that are to be told; or with none. RFC 7296 3.7 */
static void write_requests(struct ike_builder *b, const struct ike_peer *peers, size_t n)
{
	size_t n_cas = 0;
	bool unnamed = false;

	for (size_t i = 0; i < n; i++) {
		const struct ike_trust *const t = peers[i].trust;

		unnamed |= t && t->n_cas > 0 && t->unnamed;

		/* Asking is a hint: of very many CAs the first ones are enough. */
		if (!t || t->n_cas == 0 || t->unnamed || (i > 0 && t == peers[i - 1].trust) ||
		    n_cas + t->n_cas > IKE_CAS_MAX)
			continue;
		if (n_cas == 0) {
			ike_build_payload(b, IKE_PAYLOAD_CERTREQ);
			ike_build_u8(b, IKE_CERT_X509_SIGNATURE);
		}
		n_cas += t->n_cas;
		ike_build_octets(b, (struct ipsp_span){ t->ca_hashes[0],
							(size_t)t->n_cas * IKE_KEY_HASH_LEN });
	}
	if (n_cas == 0 && unnamed) {
		ike_build_payload(b, IKE_PAYLOAD_CERTREQ);
		ike_build_u8(b, IKE_CERT_X509_SIGNATURE);
	}
	write_bare_requests(b, peers, n);
}

static void write_hashes(struct ike_builder *b)
{
	uint8_t hashes[32];
	size_t len = 0;

	for (uint16_t i = 0; i < 16; i++) {
		if (!(IKE_HASHES_OURS & 1u << i))
			continue;
		be16enc(hashes + len, i);
		len += 2;
	}
	ike_build_notify(b, 0, (struct ipsp_span){ 0 }, IKE_N_SIGNATURE_HASH_ALGORITHMS,
			 (struct ipsp_span){ hashes, len });
}

void ike_proof_announce(struct ike_exchange *x, struct ike_builder *b)
{
	const bool asks = x->sa->initiator;
	size_t n;
	const struct ike_peer *const peers = peers_of(x, &n);
	bool signs = false, ppk = false;

	for (size_t i = 0; i < n; i++) {
		signs |= peers[i].trust || peers[i].n_credentials > 0;
		ppk |= peers[i].ppk != NULL;
	}
	/* RFC 7427 4: the initiator's is answered, whichever connection it will be in the end. */
	if (asks ? signs : x->their_hashes != 0)
		write_hashes(b);
	if (!asks)
		x->uses_ppk &= ppk;
	if (asks ? ppk : x->uses_ppk)
		ike_build_flag(b, IKE_N_USE_PPK);
	if (!asks)
		write_requests(b, peers, n);
}

void ike_proof_notice(struct ike_exchange *x, const struct ike_parsed *m)
{
	struct ike_notify n;

	x->uses_ppk = ike_parsed_notify(m, IKE_N_USE_PPK, &n);
	x->their_hashes = 0;
	if (!ike_parsed_notify(m, IKE_N_SIGNATURE_HASH_ALGORITHMS, &n))
		return;
	for (size_t i = 0; i + 2 <= n.data.len; i += 2) {
		const uint16_t hash = be16dec(n.data.data + i);

		if (hash < 16)
			x->their_hashes |= (uint16_t)(1u << hash);
	}
}

bool ike_proof_take_requests(struct ike_exchange *x, const struct ike_parsed *m)
{
	struct ike_proof *p;

	for (unsigned i = 0; i < m->n; i++) {
		struct ipsp_span rest = m->payloads[i].body, encoding;
		size_t n;
		void *more;

		if (m->payloads[i].type != IKE_PAYLOAD_CERTREQ || !ike_take(&rest, 1, &encoding))
			continue;
		p = ike_proof_of(x);
		if (!p)
			return false;
		p->asks_raw_key |= encoding.data[0] == IKE_CERT_RAW_PUBLIC_KEY;
		p->asks_ocsp |= encoding.data[0] == IKE_CERT_OCSP;
		if (encoding.data[0] != IKE_CERT_X509_SIGNATURE)
			continue;
		p->asks_cert = true;
		n = rest.len / IKE_KEY_HASH_LEN;
		if (n == 0 || p->n_wanted + n > WANTED_MAX)
			continue;
		more = realloc(p->wanted, (p->n_wanted + n) * IKE_KEY_HASH_LEN);
		if (!more)
			return false;
		p->wanted = more;
		memcpy(p->wanted[p->n_wanted], rest.data, n * IKE_KEY_HASH_LEN);
		p->n_wanted += n;
	}
	return true;
}

/* ---- which proof ---- */

/* The shared key where the peer wants that: it did so itself, or it asks for no certificate. */
static bool prefers_key(const struct ike_exchange *x, bool by_key)
{
	return x->peer->secret && (x->peer->n_credentials == 0 || by_key ||
				   !(x->proof->asks_cert || x->proof->asks_raw_key));
}

int64_t ike_wall_s(const struct ike_world *w)
{
	return w->ops.wall_s ? w->ops.wall_s(w->arg) : 0;
}

/* ---- who we say we are ---- */

/* An empty one is the certificate's; a name that is its subject is sent in the certificate's form. */
static const char *own_identity(const struct ike_exchange *x, struct ike_identity *own)
{
	const struct ike_credential *const c = x->proof->own;
	char wanted[IKE_IDENTITY_TEXT], names[400];
	gnutls_datum_t dn = { 0 };
	bool fits;

	*own = ike_identity_on(&x->sa->conn->local_id, &x->sa->path.local);
	if (!c || c->n_certs == 0)
		return own->type != 0 && own->len == 0 ?
			       "our identity is to be a certificate's, and there is none" : NULL;
	if (own->len == 0 && own->type == x->proof->asked.type && ike_cert_is_for(c->certs[0].crt, &x->proof->asked)) {
		*own = x->proof->asked;
		return NULL;
	}
	if (own->len == 0 && (own->type == IKE_ID_FQDN || own->type == IKE_ID_RFC822_ADDR))
		return ike_cert_first(c->certs[0].crt, own->type, own) ?
			       NULL : "our certificate has no name of the kind that our identity is";
	if (own->type != 0 && (own->type != IKE_ID_DER_ASN1_DN || own->len > 0) &&
	    !ike_cert_is_for(c->certs[0].crt, own))
		ike_say(x->sa, IKE_LOG_NOTICE, "our certificate is for %s, not for %s",
			ike_cert_names(c->certs[0].crt, names, sizeof(names)),
			ike_identity_text(own, wanted));
	if ((own->type != 0 && own->type != IKE_ID_DER_ASN1_DN) ||
	    (own->len > 0 && !ike_cert_is_for(c->certs[0].crt, own)))
		return NULL;
	fits = gnutls_x509_crt_get_raw_dn(c->certs[0].crt, &dn) >= 0 && dn.size <= IKE_IDENTITY_MAX;
	if (fits) {
		*own = (struct ike_identity){ .type = IKE_ID_DER_ASN1_DN, .len = (uint16_t)dn.size };
		memcpy(own->octets, dn.data, dn.size);
	}
	gnutls_free(dn.data);
	return fits ? NULL : "the subject of our certificate is too long";
}

bool ike_proof_is_ours(const struct ike_peer *p, const struct ike_identity *local,
		       const struct ike_identity *asked)
{
	if (ike_identity_fits(local, asked))
		return true;
	if (local->len > 0 || local->type != asked->type)
		return false;
	for (size_t i = 0; i < p->n_credentials; i++) {
		const struct ike_credential *const c = p->credentials[i];

		if (c->n_certs > 0 && ike_cert_is_for(c->certs[0].crt, asked))
			return true;
	}
	return false;
}

/* ---- computing ---- */

static const char *sign_by_key(struct ike_exchange *x, unsigned which)
{
	struct ike_proof *const p = x->proof;

	p->data_len[which] = x->sa->keys->prf_len;
	return ike_auth_psk(x, x->sa->initiator, x->peer->secret, p->data[which]) == IPSP_OK ?
		       NULL : "our proof cannot be computed";
}

/* What is signed, in one piece. */
static bool collect(struct ike_exchange *x, bool initiators, uint8_t **out, size_t *len)
{
	struct ipsp_span parts[IKE_AUTH_PARTS];
	uint8_t mac[IKE_PRF_MAX];

	if (ike_auth_octets(x, initiators, parts, mac) != IPSP_OK)
		return false;
	*len = parts[0].len + parts[1].len + parts[2].len + parts[3].len;
	*out = malloc(*len);
	if (!*out)
		return false;
	for (size_t i = 0, at = 0; i < IKE_AUTH_PARTS; at += parts[i++].len)
		memcpy(*out + at, parts[i].data, parts[i].len);
	return true;
}

static const char *prepare(struct ike_exchange *x, unsigned which)
{
	struct ike_proof *const p = x->proof;

	if (!p->own)
		return sign_by_key(x, which);
	return collect(x, x->sa->initiator, &p->octets[which], &p->octets_len[which]) ?
		       NULL : "our proof cannot be computed";
}

void ike_proof_sign_run(struct ike_proof *p)
{
	p->err = IPSP_OK;
	for (unsigned i = 0; i < 2 && p->err == IPSP_OK; i++) {
		const struct ipsp_span octets = { p->octets[i], p->octets_len[i] };

		if (octets.data)
			p->err = ike_sign(p->scheme, p->own->key, octets, p->data[i],
					  &p->data_len[i]);
	}
	ike_staple_run(p);
}

static const char *choose_own(struct ike_exchange *x, bool by_key)
{
	struct ike_proof *const p = x->proof;

	if (prefers_key(x, by_key))
		return NULL;
	p->own = ike_credential_choose(x, ike_wall_s(x->sa->world));
	if (!p->own) {
		if (x->peer->secret)
			return NULL;
		return x->peer->n_credentials == 0 ?
			       "there is neither a shared key nor a certificate of ours for this peer" :
			       "no certificate of ours is valid now and can sign as the peer takes it";
	}
	ike_credential_ref(p->own);
	p->scheme = ike_scheme_choose(p->own->key, x->their_hashes, p->own->pss);
	ike_staple_begin(x, ike_wall_s(x->sa->world));
	return NULL;
}

/* The initiator's second proof is made with the keys as they were before. */
static const char *prepare_all(struct ike_exchange *x)
{
	const char *why = NULL;
	bool mixed = false;

	if (x->sa->initiator && x->peer->ppk && x->uses_ppk && !x->peer->ppk_required)
		why = prepare(x, 1);
	if (!why && x->sa->initiator)
		why = ike_ppk_begin(x, &mixed);
	return why ? why : prepare(x, 0);
}

const char *ike_proof_begin(struct ike_exchange *x, struct ike_identity *own, bool by_key)
{
	const char *why;

	if (!ike_proof_of(x))
		return "no memory";
	why = choose_own(x, by_key);
	if (!why)
		why = own_identity(x, own);
	if (!why)
		why = prepare_all(x);
	if (!why && x->proof->own)
		ike_run(x, IKE_JOB_SIGN);
	return why;
}

const char *ike_proof_failed(const struct ike_exchange *x)
{
	return x->proof->err == IPSP_OK ? NULL : "our private key does not sign";
}

/* ---- writing ---- */

/* RFC 7296 3.6. The CA's own certificate, which the other has or does not believe, is left out. */
static bool is_shown(const struct ike_credential *c, unsigned i)
{
	return i == 0 || !gnutls_x509_crt_check_issuer(c->certs[i].crt, c->certs[i].crt);
}

size_t ike_proof_certs_len(const struct ike_exchange *x)
{
	const struct ike_credential *const c = x->proof->own;
	size_t len = 0;

	for (unsigned i = 0; c && i < c->n_certs; i++)
		len += is_shown(c, i) ? c->certs[i].der.size : 0;
	return len;
}

static void write_chain(struct ike_builder *b, const struct ike_credential *c)
{
	for (unsigned i = 0; i < c->n_certs; i++) {
		if (!is_shown(c, i))
			continue;
		ike_build_payload(b, IKE_PAYLOAD_CERT);
		ike_build_u8(b, IKE_CERT_X509_SIGNATURE);
		ike_build_octets(b, (struct ipsp_span){ c->certs[i].der.data, c->certs[i].der.size });
	}
	if (c->n_certs > 0)
		return;
	ike_build_payload(b, IKE_PAYLOAD_CERT);
	ike_build_u8(b, IKE_CERT_RAW_PUBLIC_KEY);
	ike_build_octets(b, (struct ipsp_span){ c->raw_key.data, c->raw_key.size });
}

void ike_proof_write_certs(struct ike_exchange *x, struct ike_builder *b)
{
	if (x->proof->own)
		write_chain(b, x->proof->own);
	ike_staple_write(x, b);
	if (x->sa->initiator)
		write_requests(b, x->peer, 1);
}

void ike_proof_write_auth(struct ike_exchange *x, struct ike_builder *b)
{
	struct ike_proof *const p = x->proof;

	ike_build_payload(b, IKE_PAYLOAD_AUTH);
	ike_build_u8(b, p->own ? ike_scheme_method(p->scheme) : IKE_AUTH_SHARED_KEY);
	ike_build_u8(b, 0);
	ike_build_u16(b, 0);
	ike_build_octets(b, (struct ipsp_span){ p->data[0], p->data_len[0] });
	ike_ppk_write(x, b);
	for (size_t i = 0; i < 2; i++)
		explicit_bzero(p->data[i], sizeof(p->data[i]));
}
