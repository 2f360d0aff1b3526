/* ike/revoke.c - is a certificate revoked? CRLs (RFC 5280 5, 6.3) and OCSP (RFC 6960): see verify.h. */
#include <gnutls/ocsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ike/verify.h"

#define CLOCK_SKEW_S 300	/* between a CA and us */
#define OCSP_LIFE_S 86400	/* of an answer that does not say when the next one comes */

/* ---- lists ---- */

/* NULL: octets are no CRL. */
static gnutls_x509_crl_t import(struct ipsp_span octets)
{
	const gnutls_datum_t datum = ike_datum(octets);
	gnutls_x509_crl_t crl;

	if (octets.len == 0 || octets.len > IKE_FETCH_MAX || gnutls_x509_crl_init(&crl) < 0)
		return NULL;
	if (gnutls_x509_crl_import(crl, &datum, ike_encoding(octets)) >= 0)
		return crl;
	gnutls_x509_crl_deinit(crl);
	return NULL;
}

struct ike_crl *ike_crl_new(struct ipsp_span octets)
{
	struct ike_crl *const c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->refs = 1;
	c->crl = import(octets);
	if (c->crl) {
		c->this_s = gnutls_x509_crl_get_this_update(c->crl);
		c->next_s = gnutls_x509_crl_get_next_update(c->crl);
		if (c->this_s >= 0 && c->next_s >= 0)
			return c;
	}
	ike_crl_unref(c);
	return NULL;
}

void ike_crl_unref(struct ike_crl *c)
{
	if (!c || --c->refs > 0)
		return;
	if (c->crl)
		gnutls_x509_crl_deinit(c->crl);
	free(c);
}

int64_t ike_crl_next_s(struct ipsp_span octets)
{
	struct ike_crl *const c = ike_crl_new(octets);
	const int64_t next_s = c ? c->next_s : -1;

	ike_crl_unref(c);
	return next_s;
}

/* RFC 5280 5.2: one with a critical extension (parts of a CA's, changes alone) does not say it all. */
static bool says_all(gnutls_x509_crl_t crl)
{
	for (unsigned i = 0;; i++) {
		char oid[128];
		size_t len = sizeof(oid);
		unsigned critical = 0;
		const int got = gnutls_x509_crl_get_extension_info(crl, i, oid, &len, &critical);

		if (got == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return true;
		if (got < 0 || critical)
			return false;
	}
}

static bool may_sign_crls(gnutls_x509_crt_t issuer)
{
	unsigned usage;
	const int got = gnutls_x509_crt_get_key_usage(issuer, &usage, NULL);

	return got == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ||
	       (got >= 0 && (usage & GNUTLS_KEY_CRL_SIGN));
}

/* That its time is over is looked at apart. */
#define ONLY_LATE (GNUTLS_CERT_INVALID | GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED | \
		   GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE)

/* Is it that CA's, and true? */
static bool is_of(const struct ike_crl *c, gnutls_x509_crt_t issuer, bool weak)
{
	unsigned status = 0;

	return gnutls_x509_crl_check_issuer(c->crl, issuer) && may_sign_crls(issuer) &&
	       gnutls_x509_crl_verify(c->crl, &issuer, 1,
				      GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
					      (weak ? GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1 : 0),
				      &status) >= 0 &&
	       (status == 0 ||
		(!(status & ~ONLY_LATE) && (status & ONLY_LATE & ~GNUTLS_CERT_INVALID)));
}

/* What was revoked stays so, though the list is an old one. */
static enum ike_standing by_crl(const struct ike_verify *v, const struct ike_crl *c,
				gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
	const gnutls_x509_crl_t list[] = { c->crl };

	if (!is_of(c, issuer, v->trust->weak))
		return IKE_STANDING_UNKNOWN;
	if (gnutls_x509_crt_check_revocation(crt, list, 1) == 1)
		return IKE_STANDING_REVOKED;
	if (v->now_s + CLOCK_SKEW_S < c->this_s || v->now_s > c->next_s || !says_all(c->crl))
		return IKE_STANDING_UNKNOWN;
	return IKE_STANDING_GOOD;
}

/* ---- OCSP ---- */

static enum ike_standing read_single(gnutls_ocsp_resp_t answer, int64_t now_s, int64_t *until_s)
{
	time_t this_s, next_s;
	unsigned status;

	if (gnutls_ocsp_resp_get_single(answer, 0, NULL, NULL, NULL, NULL, &status, &this_s, &next_s,
					NULL, NULL) < 0)
		return IKE_STANDING_UNKNOWN;
	if (next_s == (time_t)-1)
		next_s = this_s + OCSP_LIFE_S;
	*until_s = next_s;
	if (status == GNUTLS_OCSP_CERT_REVOKED)
		return IKE_STANDING_REVOKED;
	if (status != GNUTLS_OCSP_CERT_GOOD || now_s + CLOCK_SKEW_S < this_s || now_s > next_s)
		return IKE_STANDING_UNKNOWN;
	return IKE_STANDING_GOOD;
}

enum ike_standing ike_ocsp_standing(struct ipsp_span octets, gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer,
				    int64_t now_s, int64_t *until_s)
{
	const gnutls_datum_t datum = ike_datum(octets);
	enum ike_standing standing = IKE_STANDING_UNKNOWN;
	gnutls_ocsp_resp_t answer;
	unsigned status = 0;

	if (gnutls_ocsp_resp_init(&answer) < 0)
		return standing;
	if (gnutls_ocsp_resp_import(answer, &datum) >= 0 &&
	    gnutls_ocsp_resp_get_status(answer) == GNUTLS_OCSP_RESP_SUCCESSFUL &&
	    gnutls_ocsp_resp_check_crt(answer, 0, crt) >= 0 &&
	    gnutls_ocsp_resp_verify_direct(answer, issuer, &status, 0) >= 0 && status == 0)
		standing = read_single(answer, now_s, until_s);
	gnutls_ocsp_resp_deinit(answer);
	return standing;
}

/* ---- the chain ---- */

static enum ike_standing by_crls(const struct ike_verify *v, struct ike_crl *const *crls, unsigned n,
				 gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
	enum ike_standing worst = IKE_STANDING_UNKNOWN;

	for (unsigned i = 0; i < n && worst != IKE_STANDING_REVOKED; i++) {
		const enum ike_standing s = by_crl(v, crls[i], crt, issuer);

		worst = s > worst ? s : worst;
	}
	return worst;
}

/* The worst that anyone says of it. */
static enum ike_standing standing_of(const struct ike_verify *v, gnutls_x509_crt_t crt,
				     gnutls_x509_crt_t issuer)
{
	const enum ike_standing given = by_crls(v, v->crls, v->n_crls, crt, issuer);
	const enum ike_standing shown = by_crls(v, v->shown_crls, v->n_shown_crls, crt, issuer);
	enum ike_standing worst = given > shown ? given : shown;
	int64_t until_s;

	for (unsigned i = 0; i < v->n_staples && worst != IKE_STANDING_REVOKED; i++) {
		const enum ike_standing s = ike_ocsp_standing(v->staples[i], crt, issuer, v->now_s, &until_s);

		worst = s > worst ? s : worst;
	}
	return worst;
}

void ike_verify_revocation(struct ike_verify *v)
{
	char name[300];

	v->unknown = false;
	for (unsigned i = 0; i + 1 < v->n_links; i++) {
		struct ike_link *const link = &v->links[i];

		link->standing = standing_of(v, link->crt, v->links[i + 1].crt);
		if (link->standing == IKE_STANDING_UNKNOWN && !v->unknown) {
			v->unknown = true;
			snprintf(v->why, sizeof(v->why),
				 "nobody says whether the certificate of %s is revoked",
				 ike_cert_name(link->crt, name, sizeof(name)));
		}
		if (link->standing == IKE_STANDING_REVOKED) {
			v->good = false;
			snprintf(v->why, sizeof(v->why), "the certificate of %s is revoked",
				 ike_cert_name(link->crt, name, sizeof(name)));
			return;
		}
	}
}

/* ---- where to ask ---- */

static bool is_http(const char *url)
{
	return !strncmp(url, "http://", 7);
}

bool ike_link_crl_url(const struct ike_link *link, char url[IKE_URL_MAX])
{
	for (unsigned i = 0;; i++) {
		size_t len = IKE_URL_MAX - 1;
		const int got = gnutls_x509_crt_get_crl_dist_points(link->crt, i, url, &len, NULL,
								    NULL);

		if (got == GNUTLS_E_SHORT_MEMORY_BUFFER)
			continue;
		if (got < 0)
			return false;
		url[len] = '\0';
		if (got == GNUTLS_SAN_URI && strlen(url) == len && is_http(url))
			return true;
	}
}

bool ike_link_ocsp_url(const struct ike_link *link, char url[IKE_URL_MAX])
{
	gnutls_datum_t octets = { 0 };
	bool good;

	for (unsigned i = 0;; i++) {
		const int got = gnutls_x509_crt_get_authority_info_access(
			link->crt, i, GNUTLS_IA_OCSP_URI, &octets, NULL);

		if (got == GNUTLS_E_UNKNOWN_ALGORITHM)
			continue;	/* an entry of another kind */
		if (got < 0)
			return false;
		good = octets.size < IKE_URL_MAX && !memchr(octets.data, '\0', octets.size);
		if (good) {
			memcpy(url, octets.data, octets.size);
			url[octets.size] = '\0';
			good = is_http(url);
		}
		gnutls_free(octets.data);
		if (good)
			return true;
	}
}

bool ike_link_ocsp_request(const struct ike_link *link, const struct ike_link *issuer,
			   gnutls_datum_t *out)
{
	gnutls_ocsp_req_t request;
	bool good;

	if (gnutls_ocsp_req_init(&request) < 0)
		return false;
	good = gnutls_ocsp_req_add_cert(request, GNUTLS_DIG_SHA1, issuer->crt, link->crt) >= 0 &&
	       gnutls_ocsp_req_export(request, out) >= 0;
	gnutls_ocsp_req_deinit(request);
	return good;
}
