/* ike/verify.c - the peer's key, signature, identity and chain: see verify.h. */
#include "ike/verify.h"

#include <gnutls/abstract.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ike/sign.h"

__attribute__((format(printf, 2, 3)))
static void fault(struct ike_verify *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->why, sizeof(v->why), format, args);
	va_end(args);
}

/* ---- whose key it is ---- */

static bool add_link(struct ike_verify *v, gnutls_x509_crt_t crt, bool owned)
{
	if (v->n_links == IKE_CHAIN_MAX)
		return false;
	v->links[v->n_links++] = (struct ike_link){ .crt = crt, .owned = owned };
	return true;
}

/* NULL: it is not one certificate. */
static gnutls_x509_crt_t import(struct ipsp_span der)
{
	const gnutls_datum_t datum = ike_datum(der);
	gnutls_x509_crt_t crt;

	if (gnutls_x509_crt_init(&crt) < 0)
		return NULL;
	if (gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_DER) >= 0)
		return crt;
	gnutls_x509_crt_deinit(crt);
	return NULL;
}

static const struct ike_cert_payload *first_of(const struct ike_verify *v, uint8_t encoding)
{
	for (unsigned i = 0; i < v->n_certs; i++) {
		if (v->certs[i].encoding == encoding)
			return &v->certs[i];
	}
	return NULL;
}

/* RFC 7670 3: only the very key that we were told of. Without one in a payload it is that, too. */
static bool take_raw_key(struct ike_verify *v, gnutls_pubkey_t key)
{
	const struct ike_cert_payload *const shown = first_of(v, IKE_CERT_RAW_PUBLIC_KEY);
	const gnutls_datum_t *const ours = &v->trust->raw_key;

	if (ours->size == 0) {
		fault(v, "the peer shows a raw public key, and none is configured");
	} else if (shown && (shown->octets.len != ours->size ||
			     memcmp(shown->octets.data, ours->data, ours->size))) {
		fault(v, "the peer's raw public key is another one than is configured");
	} else if (gnutls_pubkey_import(key, ours, GNUTLS_X509_FMT_DER) < 0) {
		fault(v, "the peer's raw public key cannot be used");
	} else {
		return true;
	}
	return false;
}

/* Certificates in PKCS #7 are a set, which has no first one: NULL, if none is for the peer. */
static gnutls_x509_crt_t for_peer(const struct ike_verify *v)
{
	for (unsigned i = 0; i < v->n_unwrapped; i++) {
		const struct ipsp_span der = { v->unwrapped[i].data, v->unwrapped[i].size };
		gnutls_x509_crt_t const crt = import(der);

		if (crt && ike_cert_is_for(crt, v->id))
			return crt;
		if (crt)
			gnutls_x509_crt_deinit(crt);
	}
	return NULL;
}

/* RFC 7296 3.6: the certificate of the key that signed comes first. */
static bool take_leaf(struct ike_verify *v, gnutls_pubkey_t key)
{
	const struct ike_cert_payload *const shown = first_of(v, IKE_CERT_X509_SIGNATURE);
	const bool wrapped = v->n_unwrapped > 0 && shown->octets.data == v->unwrapped[0].data;
	gnutls_x509_crt_t crt = wrapped ? for_peer(v) : NULL;

	if (shown && !crt)
		crt = import(shown->octets);
	if (shown && !crt) {
		fault(v, "the peer's certificate cannot be read");
		return false;
	}
	if (crt) {
		add_link(v, crt, true);
	} else if (v->trust->n_peers > 0) {
		add_link(v, v->trust->peers[0], false);
	} else if (first_of(v, IKE_CERT_HASH_AND_URL_CERT) ||
		   first_of(v, IKE_CERT_HASH_AND_URL_BUNDLE)) {
		fault(v, "the peer's certificate is to be had from a URL, where none is fetched from");
		return false;
	} else {
		fault(v, "the peer shows no certificate");
		return false;
	}
	if (gnutls_pubkey_import_x509(key, v->links[0].crt, 0) >= 0)
		return true;
	fault(v, "the key in the peer's certificate cannot be used");
	return false;
}

static bool take_key(struct ike_verify *v, gnutls_pubkey_t key)
{
	const bool shows_cert = first_of(v, IKE_CERT_X509_SIGNATURE);

	if (first_of(v, IKE_CERT_RAW_PUBLIC_KEY) ||
	    (!shows_cert && v->trust->raw_key.size > 0 && v->trust->n_peers == 0))
		return take_raw_key(v, key);
	if (v->trust->n_cas == 0 && v->trust->n_peers == 0) {
		fault(v, "the peer shows a certificate, and no CA is configured");
		return false;
	}
	return take_leaf(v, key);
}

/* ---- the certificate ---- */

static bool is_pinned(const struct ike_verify *v)
{
	for (unsigned i = 0; i < v->trust->n_peers; i++) {
		if (gnutls_x509_crt_equals(v->trust->peers[i], v->links[0].crt))
			return true;
	}
	return false;
}

static bool check_leaf(struct ike_verify *v)
{
	gnutls_x509_crt_t const crt = v->links[0].crt;
	char names[400], wanted[IKE_IDENTITY_TEXT];
	bool named;

	if (v->trust->n_peers > 0 && !is_pinned(v))
		fault(v, "its certificate is not the one that is configured, but that of %s",
		      ike_cert_names(crt, names, sizeof(names)));
	else if (!ike_cert_is_for(crt, v->id))
		fault(v, "%.200s is not in its certificate, which is for %.300s",
		      ike_identity_text(v->id, wanted), ike_cert_names(crt, names, sizeof(names)));
	else if (!ike_cert_signs(crt))
		fault(v, "the key usage of its certificate has no digitalSignature");
	else if (!ike_cert_for_ike(crt, &named))
		fault(v, "the extended key usage of its certificate is not for IKE");
	else
		return true;
	return false;
}

/* ---- the chain ---- */

/* The CA that signed it. NULL: none that we trust. */
static gnutls_x509_crt_t issuing_ca(const struct ike_trust *t, gnutls_x509_crt_t crt)
{
	for (unsigned i = 0; i < t->n_cas; i++) {
		if (gnutls_x509_crt_check_issuer(crt, t->cas[i]))
			return t->cas[i];
	}
	return NULL;
}

static bool is_ca(const struct ike_trust *t, gnutls_x509_crt_t crt)
{
	for (unsigned i = 0; i < t->n_cas; i++) {
		if (gnutls_x509_crt_equals(t->cas[i], crt))
			return true;
	}
	return false;
}

static bool in_chain(const struct ike_verify *v, gnutls_x509_crt_t crt)
{
	for (unsigned i = 0; i < v->n_links; i++) {
		if (gnutls_x509_crt_equals(v->links[i].crt, crt))
			return true;
	}
	return false;
}

/* One more towards a CA, of what the peer sent or what we have. False: there is none. */
static bool climb(struct ike_verify *v)
{
	gnutls_x509_crt_t const at = v->links[v->n_links - 1].crt;

	for (unsigned i = 0; i < v->trust->n_intermediates; i++) {
		gnutls_x509_crt_t const crt = v->trust->intermediates[i];

		if (gnutls_x509_crt_check_issuer(at, crt) && !in_chain(v, crt))
			return add_link(v, crt, false);
	}
	for (unsigned i = 0; i < v->n_certs; i++) {
		gnutls_x509_crt_t const crt = v->certs[i].encoding == IKE_CERT_X509_SIGNATURE ?
						      import(v->certs[i].octets) : NULL;

		if (!crt)
			continue;
		if (gnutls_x509_crt_check_issuer(at, crt) && !in_chain(v, crt) &&
		    add_link(v, crt, true))
			return true;
		gnutls_x509_crt_deinit(crt);
	}
	return false;
}

static bool build_chain(struct ike_verify *v)
{
	char issuer[200], name[200];
	gnutls_datum_t dn = { 0 };

	for (;;) {
		gnutls_x509_crt_t const at = v->links[v->n_links - 1].crt;
		gnutls_x509_crt_t const ca = issuing_ca(v->trust, at);

		if (ca && (is_ca(v->trust, at) || add_link(v, ca, false)))
			return true;
		if (!climb(v))
			break;
	}
	if (gnutls_x509_crt_get_issuer_dn3(v->links[v->n_links - 1].crt, &dn, 0) >= 0)
		snprintf(issuer, sizeof(issuer), "%s", (const char *)dn.data);
	else
		snprintf(issuer, sizeof(issuer), "nobody");
	gnutls_free(dn.data);
	fault(v, "no CA that is configured signed for the peer: %s is signed by %s",
	      ike_cert_name(v->links[v->n_links - 1].crt, name, sizeof(name)), issuer);
	return false;
}

static const char *time_text(time_t when, char buf[32])
{
	struct tm tm;

	if (!gmtime_r(&when, &tm) || strftime(buf, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(buf, 32, "%lld", (long long)when);
	return buf;
}

static bool check_times(struct ike_verify *v)
{
	char name[300], when[32];

	for (unsigned i = 0; i < v->n_links; i++) {
		gnutls_x509_crt_t const crt = v->links[i].crt;
		const time_t from = gnutls_x509_crt_get_activation_time(crt);
		const time_t until = gnutls_x509_crt_get_expiration_time(crt);

		if (from == (time_t)-1 || v->now_s < from)
			fault(v, "the certificate of %s is not valid before %s",
			      ike_cert_name(crt, name, sizeof(name)), time_text(from, when));
		else if (until == (time_t)-1 || v->now_s > until)
			fault(v, "the certificate of %s expired on %s",
			      ike_cert_name(crt, name, sizeof(name)), time_text(until, when));
		else
			continue;
		return false;
	}
	return true;
}

/* What GnuTLS finds, the most particular first. */
static const struct {
	unsigned bit;
	const char *text;
} findings[] = {
	{ GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, "a CA of the chain may not sign for such a name, or so deep" },
	{ GNUTLS_CERT_SIGNER_NOT_CA, "a certificate of the chain is signed by one that is no CA's" },
	{ GNUTLS_CERT_INSECURE_ALGORITHM, "a key or signature of the chain is too weak" },
	{ GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, "a certificate of the chain has a critical extension not known here" },
	{ GNUTLS_CERT_SIGNATURE_FAILURE, "a signature of the chain is not good" },
	{ GNUTLS_CERT_INVALID, "the chain is not valid" },
};

static bool check_chain(struct ike_verify *v)
{
	const unsigned flags = GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_CRL_CHECKS |
			       (v->trust->weak ? GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1 |
							 GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_LOW) :
						 GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM));
	gnutls_x509_crt_t chain[IKE_CHAIN_MAX];
	unsigned status = 0;

	for (unsigned i = 0; i < v->n_links; i++)
		chain[i] = v->links[i].crt;
	if (gnutls_x509_crt_list_verify(chain, v->n_links, v->trust->cas, v->trust->n_cas, NULL, 0,
					flags, &status) < 0) {
		fault(v, "the chain cannot be verified");
		return false;
	}
	for (size_t i = 0; i < sizeof(findings) / sizeof(findings[0]); i++) {
		if (status & findings[i].bit) {
			fault(v, "%s", findings[i].text);
			return false;
		}
	}
	if (status)
		fault(v, "the chain is not valid (%#x)", status);
	return status == 0;
}

/*
 * A configured certificate needs no CA where none is configured. Then there is nobody either whose word
 * on its revocation would count: whoever configured it is asked for more than is to be had, or takes it out.
 */
static bool check_pinned(struct ike_verify *v)
{
	char name[300];

	if (!check_times(v))
		return false;
	if (v->trust->level == IKE_CRL_REQUIRED)
		fault(v, "nobody can say whether the certificate of %s is revoked, as no CA of it is configured",
		      ike_cert_name(v->links[0].crt, name, sizeof(name)));
	return v->trust->level != IKE_CRL_REQUIRED;
}

static bool check_certs(struct ike_verify *v)
{
	if (!check_leaf(v))
		return false;
	if (v->trust->n_cas == 0)
		return check_pinned(v);
	if (!build_chain(v))
		return false;
	if (v->trust->links_max > 0 && v->n_links > v->trust->links_max) {
		fault(v, "the chain has %u certificates, and %u are the most for its CA", v->n_links,
		      v->trust->links_max);
		return false;
	}
	return check_times(v) && check_chain(v);
}

/* Rows revoke what they name without a CRL, and so nothing needs to be fetched. */
static bool check_rows(struct ike_verify *v)
{
	char name[300], how[120];

	for (unsigned i = 0; i < v->n_links; i++) {
		if (!ike_revoked_has(v->trust->revoked, v->links[i].crt, how, sizeof(how)))
			continue;
		fault(v, "the certificate of %s is revoked%s",
		      ike_cert_name(v->links[i].crt, name, sizeof(name)), how);
		return false;
	}
	return true;
}

static bool check_signature(struct ike_verify *v, gnutls_pubkey_t key)
{
	const char *const why = ike_signature_fault(key, v->method, v->signature, v->octets,
						    &v->scheme);

	if (why)
		fault(v, "%s", why);
	return !why;
}

void ike_verify_run(struct ike_verify *v)
{
	gnutls_pubkey_t key;

	v->good = false;
	if (gnutls_pubkey_init(&key) < 0) {
		fault(v, "no memory");
		return;
	}
	ike_verify_unwrap(v);
	v->good = take_key(v, key) && check_signature(v, key) &&
		  (v->n_links == 0 || (check_certs(v) && check_rows(v)));
	gnutls_pubkey_deinit(key);
}

void ike_verify_fini(struct ike_verify *v)
{
	for (unsigned i = 0; i < v->n_links; i++) {
		if (v->links[i].owned)
			gnutls_x509_crt_deinit(v->links[i].crt);
	}
	v->n_links = 0;
	ike_verify_forget_shown(v);
}
