/* ike/judge.c - what the other says to prove who it is: see proof.h. */
#include <stdlib.h>
#include <string.h>

#include "ike/proof.h"

uint8_t ike_proof_method(const struct ike_parsed *m)
{
	const struct ike_payload *const p = ike_parsed_find(m, IKE_PAYLOAD_AUTH);

	return p && p->body.len >= 4 ? p->body.data[0] : 0;
}

bool ike_proof_possible(const struct ike_peer *p, uint8_t method)
{
	return method == IKE_AUTH_SHARED_KEY ? p->secret != NULL :
					     ike_method_signs(method) && p->trust;
}

/* In a time that does not tell where they differ. */
static bool same(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint8_t differ = 0;

	for (size_t i = 0; i < n; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

static const char *check_key(struct ike_exchange *x, struct ipsp_span data)
{
	uint8_t want[IKE_PRF_MAX];
	bool good;

	if (ike_auth_psk(x, !x->sa->initiator, x->peer->secret, want) != IPSP_OK)
		return "its proof cannot be computed";
	good = data.len == x->sa->keys->prf_len && same(data.data, want, data.len);
	explicit_bzero(want, sizeof(want));
	return good ? NULL : "the shared keys differ";
}

/* ---- signatures ---- */

/* A copy of a message's payloads, in one piece of memory. */
static struct ike_parsed *keep(const struct ike_parsed *m)
{
	size_t len = 0;
	struct ike_parsed *copy;
	uint8_t *to;

	for (unsigned i = 0; i < m->n; i++)
		len += m->payloads[i].body.len;
	copy = malloc(sizeof(*copy) + len);
	if (!copy)
		return NULL;
	*copy = *m;
	to = (uint8_t *)(copy + 1);
	copy->header.spi_i = copy->header.spi_r = NULL;
	copy->message = (struct ipsp_span){ 0 };
	for (unsigned i = 0; i < m->n; i++) {
		const struct ipsp_span body = m->payloads[i].body;

		if (body.len > 0)
			memcpy(to, body.data, body.len);
		copy->payloads[i].body = copy->payloads[i].whole = (struct ipsp_span){ to, body.len };
		to += body.len;
	}
	return copy;
}

static void take_certs(struct ike_verify *v, const struct ike_parsed *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct ipsp_span rest = m->payloads[i].body, encoding;

		if (m->payloads[i].type != IKE_PAYLOAD_CERT || !ike_take(&rest, 1, &encoding))
			continue;
		if (encoding.data[0] == IKE_CERT_OCSP && v->n_staples < IKE_CERTS_MAX)
			v->staples[v->n_staples++] = rest;	/* RFC 4806 */
		else if (v->n_certs < IKE_CERTS_MAX)
			v->certs[v->n_certs++] =
				(struct ike_cert_payload){ encoding.data[0], rest };
	}
}

static void tell(struct ike_exchange *x, const char *why, uint64_t now_ms)
{
	struct ike_proof *const p = x->proof;

	if (!why)
		ike_say(x->sa, IKE_LOG_INFO, "the peer proves itself by %s", p->verify.scheme);
	p->checked(x, p->kept, why, now_ms);
}

static void decided(struct ike_exchange *x, uint64_t now_ms)
{
	const struct ike_verify *const v = &x->proof->verify;
	const bool unknown = v->good && v->unknown;

	ike_crls_keep(x);
	if (unknown && v->trust->level == IKE_CRL_IF_THERE)
		ike_say(x->sa, IKE_LOG_INFO, "%s: taken all the same", v->why);
	tell(x, v->good && !(unknown && v->trust->level == IKE_CRL_REQUIRED) ? NULL : v->why, now_ms);
}

static void fetched(struct ike_exchange *x, uint64_t now_ms)
{
	ike_run(x, IKE_JOB_REVOCATION);
	ike_wait(x, decided, now_ms);
}

/* What we have does not tell of all: the rest may be had elsewhere. */
static void known(struct ike_exchange *x, uint64_t now_ms)
{
	const struct ike_verify *const v = &x->proof->verify;

	if (v->good && v->unknown && ike_fetch_begin(x) > 0)
		ike_wait(x, fetched, now_ms);
	else
		decided(x, now_ms);
}

static void verified(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_verify *const v = &x->proof->verify;

	if (!v->good || v->trust->level == IKE_CRL_NONE || v->n_links < 2) {
		tell(x, v->good ? NULL : v->why, now_ms);
		return;
	}
	for (unsigned i = 0; i < v->trust->n_crls; i++) {
		v->trust->crls[i]->refs++;
		v->crls[v->n_crls++] = v->trust->crls[i];
	}
	ike_crls_kept(x->sa->world, v);
	ike_run(x, IKE_JOB_REVOCATION);
	ike_wait(x, known, now_ms);
}

/* What was fetched meanwhile is made of use first. */
void ike_proof_revocation_run(struct ike_proof *p)
{
	struct ike_verify *const v = &p->verify;

	for (unsigned i = 0; i < p->n_fetches; i++) {
		struct ike_fetch *const f = p->fetches[i];
		const struct ipsp_span octets = { f->octets, f->len };

		if (octets.len == 0 || f->crl)
			continue;
		if (f->ocsp) {
			v->staples[v->n_staples++] = octets;
			continue;
		}
		f->crl = ike_crl_new(octets);
		if (!f->crl || v->n_crls == sizeof(v->crls) / sizeof(v->crls[0]))
			continue;
		f->crl->refs++;
		v->crls[v->n_crls++] = f->crl;
	}
	ike_verify_revocation(v);
}

static const char *begin_verify(struct ike_exchange *x, uint8_t method, struct ipsp_span data,
				const struct ike_parsed *m)
{
	struct ike_proof *const p = ike_proof_of(x);
	struct ike_verify *v;
	struct ipsp_span parts[IKE_AUTH_PARTS], kept_data = data;
	uint8_t mac[IKE_PRF_MAX];
	size_t len;

	if (!p || ike_auth_octets(x, !x->sa->initiator, parts, mac) != IPSP_OK)
		return "its proof cannot be computed";
	v = &p->verify;
	len = parts[0].len + parts[1].len + parts[2].len + parts[3].len;
	/* The signature stands behind what is signed: it may be of a notification. */
	p->signed_by_peer = malloc(len + data.len);
	p->kept = keep(m);
	if (!p->signed_by_peer || !p->kept)
		return "no memory";
	for (size_t i = 0, at = 0; i < IKE_AUTH_PARTS; at += parts[i++].len)
		memcpy(p->signed_by_peer + at, parts[i].data, parts[i].len);
	if (data.len > 0)
		memcpy(p->signed_by_peer + len, data.data, data.len);
	kept_data.data = p->signed_by_peer + len;
	v->trust = ike_trust_ref(x->peer->trust);
	v->id = x->sa->initiator ? &x->id_r : &x->id_i;
	v->now_s = ike_wall_s(x->sa->world);
	v->method = method;
	v->signature = kept_data;
	v->octets = (struct ipsp_span){ p->signed_by_peer, len };
	take_certs(v, p->kept);
	return NULL;
}

void ike_proof_check(struct ike_exchange *x, const struct ike_parsed *m,
		     void (*checked)(struct ike_exchange *x, const struct ike_parsed *m,
				     const char *why, uint64_t now_ms),
		     uint64_t now_ms)
{
	const struct ike_payload *const auth = ike_parsed_find(m, IKE_PAYLOAD_AUTH);
	const uint8_t method = ike_proof_method(m);
	struct ipsp_span data, head;
	const char *why;

	if (!auth) {
		checked(x, m, "there is no AUTH payload", now_ms);
		return;
	}
	data = auth->body;
	if (!ike_take(&data, 4, &head)) {
		checked(x, m, "the AUTH payload is cut short", now_ms);
		return;
	}
	if (!ike_proof_possible(x->peer, method)) {
		checked(x, m,
			method == IKE_AUTH_SHARED_KEY ? "the peer authenticates by a shared key, and there is none" :
			ike_method_signs(method) ? "the peer signs, and there is nothing to judge that by" :
						   "the peer authenticates by a method that is not known here",
			now_ms);
		return;
	}
	why = x->sa->initiator ? ike_ppk_answered(x, m) : ike_ppk_asked(x, m, &data);
	if (why || method == IKE_AUTH_SHARED_KEY) {
		checked(x, m, why ? why : check_key(x, data), now_ms);
		return;
	}
	why = begin_verify(x, method, data, m);
	if (why) {
		checked(x, m, why, now_ms);
		return;
	}
	x->proof->checked = checked;
	ike_run(x, IKE_JOB_VERIFY);
	ike_wait(x, verified, now_ms);
}
