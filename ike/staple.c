/*
 * ike/staple.c - OCSP answers about our own certificates, which go along with them where a peer asks for such. RFC 4806.
 *
 *	peer			we				responder
 *	CERTREQ (14)	->	is one kept?  no: none goes along
 *						is asked behind	->
 *	CERTREQ (14)	->	yes: CERT, CERT (14)	<-	kept
 *
 * No peer waits for it: what is not there is left out, and is there for the next one. An answer is asked for anew from
 * the middle of its time on. Whether it is good is found by the job that signs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ike/proof.h"

#define STAPLE_MAX 8192u	/* octets; most have 2000 */
#define KEPT_MAX 64u		/* by the world; the oldest goes */
#define AGAIN_S 60		/* between two questions about one */
#define OTHERS_LEN 4096u	/* room for the rest of a message */

struct ike_kept_staple {
	struct ike_kept_staple *next;
	uint64_t ticket;		/* that its answer will have; 0: it is not being asked for */
	int64_t asked_s, until_s;	/* until_s 0: not known yet */
	size_t len;			/* 0: there is no answer */
	uint8_t *answer;
	size_t cert_len;
	uint8_t cert[];
};

/* ---- kept ---- */

static struct ike_kept_staple *kept_of(const struct ike_world *w, const struct ike_credential *c)
{
	const gnutls_datum_t *const der = &c->certs[0].der;
	struct ike_kept_staple *k = w->staples;

	while (k && (k->cert_len != der->size || memcmp(k->cert, der->data, der->size)))
		k = k->next;
	return k;
}

static void drop(struct ike_kept_staple **at)
{
	struct ike_kept_staple *const k = *at;

	*at = k->next;
	free(k->answer);
	free(k);
}

static struct ike_kept_staple *add(struct ike_world *w, const struct ike_credential *c)
{
	const gnutls_datum_t *const der = &c->certs[0].der;
	struct ike_kept_staple *const k = calloc(1, sizeof(*k) + der->size), **at = &w->staples;

	if (!k)
		return NULL;
	k->cert_len = der->size;
	memcpy(k->cert, der->data, der->size);
	k->next = w->staples;
	w->staples = k;
	for (unsigned n = 0; *at && n < KEPT_MAX; n++)
		at = &(*at)->next;
	if (*at)
		drop(at);
	return k;
}

static void forget_answer(struct ike_kept_staple *k)
{
	free(k->answer);
	k->answer = NULL;
	k->len = 0;
	k->until_s = 0;
}

void ike_staple_came(struct ike_world *w, uint64_t ticket, struct ipsp_span answer)
{
	struct ike_kept_staple *k = w->staples;
	uint8_t *copy;

	while (k && k->ticket != ticket)
		k = k->next;
	if (!k)
		return;
	k->ticket = 0;
	copy = answer.len > 0 && answer.len <= STAPLE_MAX ? malloc(answer.len) : NULL;
	if (!copy)
		return;
	memcpy(copy, answer.data, answer.len);
	forget_answer(k);
	k->answer = copy;
	k->len = answer.len;
}

void ike_staples_end(struct ike_world *w)
{
	while (w->staples)
		drop(&w->staples);
}

/* ---- asking ---- */

/* A clock that was set back does not keep us from asking. */
static bool is_due(const struct ike_kept_staple *k, int64_t now_s)
{
	if (k->ticket || (now_s >= k->asked_s && now_s < k->asked_s + AGAIN_S))
		return false;
	return k->len == 0 || (k->until_s && now_s >= k->asked_s + (k->until_s - k->asked_s) / 2);
}

static void ask(struct ike_exchange *x, struct ike_kept_staple *k, gnutls_x509_crt_t issuer, int64_t now_s)
{
	struct ike_world *const w = x->sa->world;
	const struct ike_link own = { .crt = x->proof->own->certs[0].crt }, by = { .crt = issuer };
	gnutls_datum_t request = { 0 };
	char url[IKE_URL_MAX];

	k->asked_s = now_s;
	if (!ike_link_ocsp_url(&own, url) || !ike_link_ocsp_request(&own, &by, &request))
		return;
	k->ticket = ++w->next_ticket;
	ike_say(x->sa, IKE_LOG_DEBUG, "an OCSP answer about our certificate is fetched from %s, for later", url);
	w->ops.fetch(w->arg, k->ticket, url, (struct ipsp_span){ request.data, request.size });
	gnutls_free(request.data);
}

/* ---- for one peer ---- */

/* NULL: we do not know it. */
static gnutls_x509_crt_t issuer_of(const struct ike_credential *c, const struct ike_trust *t)
{
	if (c->n_certs > 1 && gnutls_x509_crt_check_issuer(c->certs[0].crt, c->certs[1].crt))
		return c->certs[1].crt;
	for (unsigned i = 0; t && i < t->n_cas; i++) {
		if (gnutls_x509_crt_check_issuer(c->certs[0].crt, t->cas[i]))
			return t->cas[i];
	}
	return NULL;
}

static void take(struct ike_exchange *x, const struct ike_kept_staple *k, gnutls_x509_crt_t issuer, int64_t now_s)
{
	struct ike_staple *const s = &x->proof->staple;

	if (k->len == 0 || (k->until_s && now_s > k->until_s) ||
	    ike_proof_certs_len(x) + k->len + OTHERS_LEN > IKE_CLEAR_MAX)
		return;
	s->octets = malloc(k->len);
	if (!s->octets)
		return;
	memcpy(s->octets, k->answer, k->len);
	s->len = k->len;
	s->issuer = issuer;
	s->now_s = now_s;
	/* The issuer may be of it. */
	if (x->peer->trust)
		s->trust = ike_trust_ref(x->peer->trust);
}

void ike_staple_begin(struct ike_exchange *x, int64_t now_s)
{
	const struct ike_credential *const own = x->proof->own;
	gnutls_x509_crt_t issuer;
	struct ike_kept_staple *k;

	if (!x->proof->asks_ocsp || own->n_certs == 0 || !x->sa->world->ops.fetch)
		return;
	issuer = issuer_of(own, x->peer->trust);
	if (!issuer)
		return;
	k = kept_of(x->sa->world, own);
	if (k)
		take(x, k, issuer, now_s);
	else
		k = add(x->sa->world, own);
	if (k && is_due(k, now_s))
		ask(x, k, issuer, now_s);
}

void ike_staple_run(struct ike_proof *p)
{
	struct ike_staple *const s = &p->staple;

	if (s->len > 0)
		s->standing = ike_ocsp_standing((struct ipsp_span){ s->octets, s->len }, p->own->certs[0].crt,
						s->issuer, s->now_s, &s->until_s);
}

void ike_staple_write(struct ike_exchange *x, struct ike_builder *b)
{
	const struct ike_staple *const s = &x->proof->staple;
	struct ike_kept_staple *const k = s->len > 0 ? kept_of(x->sa->world, x->proof->own) : NULL;
	const bool good = s->standing == IKE_STANDING_GOOD;

	if (s->len == 0)
		return;
	if (k && k->len == s->len && !memcmp(k->answer, s->octets, s->len)) {
		if (good)
			k->until_s = s->until_s;
		else
			forget_answer(k);
	}
	if (!good) {
		ike_say(x->sa, IKE_LOG_NOTICE, s->standing == IKE_STANDING_REVOKED ?
			"our own certificate is revoked, says its OCSP responder" :
			"what the OCSP responder of our certificate says of it is no good answer");
		return;
	}
	ike_build_payload(b, IKE_PAYLOAD_CERT);
	ike_build_u8(b, IKE_CERT_OCSP);
	ike_build_octets(b, (struct ipsp_span){ s->octets, s->len });
}

void ike_staple_fini(struct ike_staple *s)
{
	free(s->octets);
	ike_trust_unref(s->trust);
}
