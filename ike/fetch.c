/* ike/fetch.c - CRLs and OCSP answers that come from elsewhere, and the CRLs that are kept. RFC 5280 4.2.1.13, RFC 6960. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ike/proof.h"

/* A CRL of a URL. */
struct ike_kept_crl {
	struct ike_kept_crl *next;
	struct ike_crl *crl;
	char url[IKE_URL_MAX];
};

#define KEPT_MAX 64u	/* by the world; the oldest goes */

void ike_fetch_free(struct ike_fetch *f)
{
	ike_crl_unref(f->crl);
	free(f->octets);
	free(f);
}

/* ---- kept ---- */

static struct ike_kept_crl *kept_of(const struct ike_world *w, const char *url)
{
	struct ike_kept_crl *k = w->crls;

	while (k && strcmp(k->url, url))
		k = k->next;
	return k;
}

void ike_crls_kept(struct ike_world *w, struct ike_verify *v)
{
	char url[IKE_URL_MAX];

	for (unsigned i = 0; i + 1 < v->n_links; i++) {
		const struct ike_kept_crl *const k =
			ike_link_crl_url(&v->links[i], url) ? kept_of(w, url) : NULL;

		if (!k || v->n_crls == sizeof(v->crls) / sizeof(v->crls[0]))
			continue;
		k->crl->refs++;
		v->crls[v->n_crls++] = k->crl;
	}
}

static void drop(struct ike_kept_crl **at)
{
	struct ike_kept_crl *const k = *at;

	*at = k->next;
	ike_crl_unref(k->crl);
	free(k);
}

static void keep(struct ike_world *w, const struct ike_fetch *f)
{
	struct ike_kept_crl *k = kept_of(w, f->url), **at = &w->crls;

	if (k) {
		ike_crl_unref(k->crl);
	} else {
		k = calloc(1, sizeof(*k));
		if (!k)
			return;
		snprintf(k->url, sizeof(k->url), "%s", f->url);
		k->next = w->crls;
		w->crls = k;
	}
	k->crl = f->crl;
	k->crl->refs++;
	for (unsigned n = 0; *at && n < KEPT_MAX; n++)
		at = &(*at)->next;
	if (*at)
		drop(at);
}

void ike_crls_keep(struct ike_exchange *x)
{
	const struct ike_proof *const p = x->proof;

	for (unsigned i = 0; i < p->n_fetches; i++) {
		if (p->fetches[i]->crl)
			keep(x->sa->world, p->fetches[i]);
	}
}

/* ---- asking ---- */

static void ask(struct ike_exchange *x, const char *url, struct ipsp_span post)
{
	struct ike_world *const w = x->sa->world;
	struct ike_proof *const p = x->proof;
	struct ike_fetch *f;

	for (unsigned i = 0; i < p->n_fetches; i++) {
		if (post.len == 0 && !p->fetches[i]->ocsp && !strcmp(p->fetches[i]->url, url))
			return;
	}
	f = p->n_fetches < IKE_FETCHES_MAX ? calloc(1, sizeof(*f)) : NULL;
	if (!f)
		return;
	f->x = x;
	f->ocsp = post.len > 0;
	f->ticket = ++w->next_ticket;
	snprintf(f->url, sizeof(f->url), "%s", url);
	p->fetches[p->n_fetches++] = f;
	f->next = w->fetches;
	w->fetches = f;
	x->pending++;
	ike_say(x->sa, IKE_LOG_DEBUG, "%s is fetched from %s", f->ocsp ? "an OCSP answer" : "a CRL", url);
	w->ops.fetch(w->arg, f->ticket, url, post);
}

unsigned ike_fetch_begin(struct ike_exchange *x)
{
	const struct ike_verify *const v = &x->proof->verify;
	char url[IKE_URL_MAX];

	if (!x->sa->world->ops.fetch)
		return 0;
	for (unsigned i = 0; i + 1 < v->n_links; i++) {
		const struct ike_link *const link = &v->links[i];
		gnutls_datum_t request = { 0 };

		if (link->standing != IKE_STANDING_UNKNOWN)
			continue;
		if (ike_link_crl_url(link, url))
			ask(x, url, (struct ipsp_span){ 0 });
		if (ike_link_ocsp_url(link, url) && ike_link_ocsp_request(link, link + 1, &request))
			ask(x, url, (struct ipsp_span){ request.data, request.size });
		gnutls_free(request.data);
	}
	return x->proof->n_fetches;
}

static struct ike_fetch *take(struct ike_world *w, uint64_t ticket)
{
	for (struct ike_fetch **at = &w->fetches; *at; at = &(*at)->next) {
		struct ike_fetch *const f = *at;

		if (f->ticket == ticket) {
			*at = f->next;
			return f;
		}
	}
	return NULL;
}

void ike_fetch_done(struct ike_world *w, uint64_t ticket, struct ipsp_span answer, uint64_t now_ms)
{
	struct ike_fetch *const f = take(w, ticket);

	if (!f) {
		ike_staple_came(w, ticket, answer);
		return;
	}
	if (answer.len > 0 && answer.len <= IKE_FETCH_MAX)
		f->octets = malloc(answer.len);
	if (f->octets) {
		memcpy(f->octets, answer.data, answer.len);
		f->len = answer.len;
	} else if (f->x->sa) {
		ike_say(f->x->sa, IKE_LOG_NOTICE, "nothing came from %s", f->url);
	}
	ike_came(f->x, now_ms);
}

void ike_fetches_end(struct ike_world *w)
{
	while (w->fetches) {
		struct ike_fetch *const f = w->fetches;

		w->fetches = f->next;
		ike_came(f->x, 0);
	}
	while (w->crls)
		drop(&w->crls);
	ike_staples_end(w);
}
