/* ike/credential.c - credentials and trust made from octets: see credential.h. */
#include "ike/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ike/sign.h"
#include "ike/x509.h"

#define URI "pkcs11:"
#define URI_MAX 1024u

gnutls_x509_crt_fmt_t ike_encoding(struct ipsp_span octets)
{
	/* DER begins with a SEQUENCE; PEM is text. */
	return octets.len > 0 && octets.data[0] == 0x30 ? GNUTLS_X509_FMT_DER : GNUTLS_X509_FMT_PEM;
}

static void say(char why[IKE_WHY_TEXT], const char *what, int error)
{
	snprintf(why, IKE_WHY_TEXT, "%s: %s", what, gnutls_strerror(error));
}

/* ---- lists of certificates ---- */

/* Octets of the SEQUENCE that DER begins with. 0: there is none, or more of it than octets. X.690 8.1 */
static size_t sequence_len(struct ipsp_span der)
{
	size_t n, len = 0;

	if (der.len < 2 || der.data[0] != 0x30)
		return 0;
	if (der.data[1] < 0x80)
		return 2u + der.data[1] <= der.len ? 2u + der.data[1] : 0;
	n = der.data[1] & 0x7fu;
	if (n == 0 || n > 3 || der.len < 2 + n)
		return 0;
	for (size_t i = 0; i < n; i++)
		len = len << 8 | der.data[2 + i];
	return len <= der.len - 2 - n ? 2 + n + len : 0;
}

static int import_der(gnutls_x509_crt_t *out, struct ipsp_span der)
{
	const gnutls_datum_t datum = ike_datum(der);
	int got = gnutls_x509_crt_init(out);

	if (got < 0)
		return got;
	got = gnutls_x509_crt_import(*out, &datum, GNUTLS_X509_FMT_DER);
	if (got < 0)
		gnutls_x509_crt_deinit(*out);
	return got;
}

/* One behind the other. @return 0, or GnuTLS's error; *out and *n are what there is then, too */
static int import_ders(gnutls_x509_crt_t **out, unsigned *n, struct ipsp_span der)
{
	int got = 0;

	*out = gnutls_calloc(IKE_CAS_MAX + 1, sizeof(gnutls_x509_crt_t));
	if (!*out)
		return GNUTLS_E_MEMORY_ERROR;
	while (got >= 0 && der.len > 0 && *n <= IKE_CAS_MAX) {
		const size_t len = sequence_len(der);

		got = len == 0 ? GNUTLS_E_ASN1_DER_ERROR :
				 import_der(&(*out)[*n], (struct ipsp_span){ der.data, len });
		if (got < 0)
			break;
		++*n;
		der.data += len;
		der.len -= len;
	}
	return got;
}

static void free_certs(gnutls_x509_crt_t *certs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(certs[i]);
	gnutls_free(certs);
}

/* False: *why. Empty octets are an empty list. */
static bool read_certs(struct ipsp_span octets, gnutls_x509_crt_t **out, unsigned *n, const char *what,
		       char why[IKE_WHY_TEXT])
{
	const gnutls_datum_t datum = ike_datum(octets);
	int got;

	*out = NULL;
	*n = 0;
	if (octets.len == 0)
		return true;
	if (octets.len > IKE_CREDENTIAL_MAX) {
		snprintf(why, IKE_WHY_TEXT, "%s: too long", what);
		return false;
	}
	if (ike_encoding(octets) == GNUTLS_X509_FMT_DER) {
		got = import_ders(out, n, octets);
		if (got < 0)
			free_certs(*out, *n);
	} else {
		got = gnutls_x509_crt_list_import2(out, n, &datum, GNUTLS_X509_FMT_PEM, 0);
	}
	if (got < 0) {
		*out = NULL;
		*n = 0;
		say(why, what, got);
		return false;
	}
	if (*n > 0 && *n <= IKE_CAS_MAX)
		return true;
	snprintf(why, IKE_WHY_TEXT, "%s: there are %u, which is none or too many", what, *n);
	return false;
}

/* ---- credentials ---- */

/* A token's key: the text of the URI may hold a PIN, and is wiped. */
static int import_token(gnutls_privkey_t key, struct ipsp_span uri)
{
	char text[URI_MAX];
	int got;

	if (uri.len >= sizeof(text))
		return GNUTLS_E_INVALID_REQUEST;
	memcpy(text, uri.data, uri.len);
	text[uri.len] = '\0';
	got = gnutls_privkey_import_url(key, text, 0);
	explicit_bzero(text, sizeof(text));
	return got;
}

static bool take_key(struct ike_credential *c, struct ipsp_span key, char why[IKE_WHY_TEXT])
{
	const gnutls_datum_t datum = ike_datum(key);
	int got = gnutls_privkey_init(&c->key);

	if (got < 0) {
		c->key = NULL;
	} else if (key.len > sizeof(URI) - 1 && !memcmp(key.data, URI, sizeof(URI) - 1)) {
		got = import_token(c->key, key);
	} else if (key.len == 0 || key.len > IKE_CREDENTIAL_MAX) {
		got = GNUTLS_E_INVALID_REQUEST;
	} else {
		got = gnutls_privkey_import_x509_raw(c->key, &datum, ike_encoding(key), NULL, 0);
	}
	if (got < 0)
		say(why, "the private key cannot be read", got);
	else if (!ike_key_usable(c->key))
		snprintf(why, IKE_WHY_TEXT, "IKE has no signatures by a key of that kind");
	return got >= 0 && ike_key_usable(c->key);
}

/* As SubjectPublicKeyInfo in DER. False: *why */
static bool read_public(struct ipsp_span octets, gnutls_datum_t *out, const char *what,
			char why[IKE_WHY_TEXT])
{
	const gnutls_datum_t datum = ike_datum(octets);
	gnutls_pubkey_t key;
	int got;

	got = octets.len > IKE_CREDENTIAL_MAX ? GNUTLS_E_INVALID_REQUEST : gnutls_pubkey_init(&key);
	if (got >= 0) {
		got = gnutls_pubkey_import(key, &datum, ike_encoding(octets));
		if (got >= 0)
			got = gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, out);
		gnutls_pubkey_deinit(key);
	}
	if (got < 0)
		say(why, what, got);
	return got >= 0;
}

/* The public key that the private one has. */
static bool take_public(struct ike_credential *c, char why[IKE_WHY_TEXT])
{
	gnutls_pubkey_t key;
	int got = gnutls_pubkey_init(&key);

	if (got < 0) {
		say(why, "the public key", got);
		return false;
	}
	got = gnutls_pubkey_import_privkey(key, c->key, 0, 0);
	if (got >= 0)
		got = gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &c->raw_key);
	gnutls_pubkey_deinit(key);
	if (got < 0)
		say(why, "the private key has no public one", got);
	return got >= 0;
}

static bool check_raw_key(const struct ike_credential *c, struct ipsp_span octets, char why[IKE_WHY_TEXT])
{
	gnutls_datum_t der = { 0 };
	bool same;

	if (octets.len == 0)
		return true;
	if (!read_public(octets, &der, "the public key cannot be read", why))
		return false;
	same = der.size == c->raw_key.size && !memcmp(der.data, c->raw_key.data, der.size);
	gnutls_free(der.data);
	if (!same)
		snprintf(why, IKE_WHY_TEXT, "the private key is not the public key's");
	return same;
}

static bool belongs(const struct ike_credential *c, gnutls_x509_crt_t crt)
{
	gnutls_datum_t der = { 0 };
	gnutls_pubkey_t key;
	bool same;

	if (gnutls_pubkey_init(&key) < 0)
		return false;
	same = gnutls_pubkey_import_x509(key, crt, 0) >= 0 &&
	       gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der) >= 0 &&
	       der.size == c->raw_key.size && !memcmp(der.data, c->raw_key.data, der.size);
	gnutls_free(der.data);
	gnutls_pubkey_deinit(key);
	return same;
}

/* What RFC 4945 5.1 asks of ours, but for its time, which comes later. */
static const char *own_fault(struct ike_credential *c, gnutls_x509_crt_t crt)
{
	unsigned critical;

	if (!belongs(c, crt))
		return "the private key is not the certificate's";
	if (!ike_cert_signs(crt))
		return "the certificate's key usage has no digitalSignature";
	if (!ike_cert_for_ike(crt, &c->for_ike))
		return "the certificate's extended key usage is not for IKE";
	if (gnutls_x509_crt_get_ca_status(crt, &critical) > 0)
		return "the certificate is a CA's";
	return NULL;
}

static bool take_chain(struct ike_credential *c, struct ipsp_span octets, char why[IKE_WHY_TEXT])
{
	gnutls_x509_crt_t *certs;
	const char *fault = NULL;
	unsigned n;

	if (!read_certs(octets, &certs, &n, "the certificate cannot be read", why)) {
		free_certs(certs, n);
		return false;
	}
	if (n > IKE_CHAIN_MAX)
		fault = "there are too many certificates";
	else if (n > 0)
		fault = own_fault(c, certs[0]);
	for (unsigned i = 0; i < n; i++) {
		struct ike_cert *const to = &c->certs[c->n_certs];

		if (fault) {
			gnutls_x509_crt_deinit(certs[i]);
			continue;
		}
		c->n_certs++;
		to->crt = certs[i];
		if (gnutls_x509_crt_export2(to->crt, GNUTLS_X509_FMT_DER, &to->der) < 0 ||
		    !ike_key_hash(to->crt, to->key_hash))
			fault = "a certificate cannot be used";
	}
	gnutls_free(certs);
	if (fault)
		snprintf(why, IKE_WHY_TEXT, "%s", fault);
	return !fault;
}

struct ike_credential *ike_credential_new(const struct ike_credential_parts *parts,
					  char why[IKE_WHY_TEXT])
{
	struct ike_credential *const c = calloc(1, sizeof(*c));

	if (!c) {
		snprintf(why, IKE_WHY_TEXT, "no memory");
		return NULL;
	}
	c->refs = 1;
	c->pss = parts->pss;
	if (!take_key(c, parts->key, why) || !take_public(c, why) ||
	    !check_raw_key(c, parts->raw_key, why) || !take_chain(c, parts->certs, why)) {
		ike_credential_unref(c);
		return NULL;
	}
	if (c->n_certs > 0) {
		c->from_s = gnutls_x509_crt_get_activation_time(c->certs[0].crt);
		c->until_s = gnutls_x509_crt_get_expiration_time(c->certs[0].crt);
	}
	return c;
}

struct ike_credential *ike_credential_ref(struct ike_credential *c)
{
	c->refs++;
	return c;
}

void ike_credential_unref(struct ike_credential *c)
{
	if (!c || --c->refs > 0)
		return;
	gnutls_privkey_deinit(c->key);
	for (unsigned i = 0; i < c->n_certs; i++) {
		gnutls_x509_crt_deinit(c->certs[i].crt);
		gnutls_free(c->certs[i].der.data);
	}
	gnutls_free(c->raw_key.data);
	free(c);
}

/* ---- trust ---- */

static bool take_cas(struct ike_trust *t, struct ipsp_span octets, char why[IKE_WHY_TEXT])
{
	if (!read_certs(octets, &t->cas, &t->n_cas, "the CA's certificate cannot be read", why))
		return false;
	t->ca_hashes = calloc(t->n_cas ? t->n_cas : 1, sizeof(*t->ca_hashes));
	for (unsigned i = 0; i < t->n_cas && t->ca_hashes; i++) {
		if (!ike_key_hash(t->cas[i], t->ca_hashes[i])) {
			snprintf(why, IKE_WHY_TEXT, "a CA's key cannot be read");
			return false;
		}
	}
	if (!t->ca_hashes)
		snprintf(why, IKE_WHY_TEXT, "no memory");
	return t->ca_hashes != NULL;
}

static bool take_raw_key(struct ike_trust *t, struct ipsp_span octets, char why[IKE_WHY_TEXT])
{
	return octets.len == 0 ||
	       read_public(octets, &t->raw_key, "the peer's public key cannot be read", why);
}

/* The list is GnuTLS's, to have PEM of several read. */
static bool take_crls(struct ike_trust *t, struct ipsp_span octets, char why[IKE_WHY_TEXT])
{
	const gnutls_datum_t datum = ike_datum(octets);
	gnutls_x509_crl_t *list = NULL;
	bool good = true;
	unsigned n = 0;
	int got;

	if (octets.len == 0)
		return true;
	got = octets.len > IKE_FETCH_MAX ?
		      GNUTLS_E_INVALID_REQUEST :
		      gnutls_x509_crl_list_import2(&list, &n, &datum, ike_encoding(octets), 0);
	if (got < 0) {
		say(why, "the CRL cannot be read", got);
		return false;
	}
	for (unsigned i = 0; i < n; i++) {
		gnutls_datum_t der = { 0 };
		struct ike_crl *crl = NULL;

		if (gnutls_x509_crl_export2(list[i], GNUTLS_X509_FMT_DER, &der) >= 0)
			crl = ike_crl_new((struct ipsp_span){ der.data, der.size });
		gnutls_free(der.data);
		gnutls_x509_crl_deinit(list[i]);
		if (crl && t->n_crls < IKE_CRLS_MAX) {
			t->crls[t->n_crls++] = crl;
			continue;
		}
		ike_crl_unref(crl);
		good = false;
	}
	gnutls_free(list);
	if (!good)
		snprintf(why, IKE_WHY_TEXT, "there are too many CRLs, or one has no time");
	return good;
}

static bool take_revoked(struct ike_trust *t, struct ipsp_span octets, char why[IKE_WHY_TEXT])
{
	if (octets.len == 0)
		return true;
	t->revoked = ike_revoked_new(octets);
	if (!t->revoked)
		snprintf(why, IKE_WHY_TEXT, "the revoked certificates cannot be read");
	return t->revoked != NULL;
}

struct ike_trust *ike_trust_new(const struct ike_trust_parts *parts, char why[IKE_WHY_TEXT])
{
	struct ike_trust *const t = calloc(1, sizeof(*t));

	if (!t) {
		snprintf(why, IKE_WHY_TEXT, "no memory");
		return NULL;
	}
	t->refs = 1;
	t->level = parts->level;
	t->weak = parts->weak;
	t->unnamed = parts->unnamed;
	t->links_max = parts->links_max;
	if (!take_cas(t, parts->cas, why) ||
	    !read_certs(parts->intermediates, &t->intermediates, &t->n_intermediates,
			"the intermediate certificate cannot be read", why) ||
	    !read_certs(parts->peers, &t->peers, &t->n_peers,
			"the peer's certificate cannot be read", why) ||
	    !take_raw_key(t, parts->raw_key, why) || !take_crls(t, parts->crls, why) ||
	    !take_revoked(t, parts->revoked, why)) {
		ike_trust_unref(t);
		return NULL;
	}
	if (t->n_cas > 0 || t->n_peers > 0 || t->raw_key.size > 0)
		return t;
	snprintf(why, IKE_WHY_TEXT, "there is no CA, no peer's certificate and no peer's key");
	ike_trust_unref(t);
	return NULL;
}

struct ike_trust *ike_trust_ref(struct ike_trust *t)
{
	t->refs++;
	return t;
}

void ike_trust_unref(struct ike_trust *t)
{
	if (!t || --t->refs > 0)
		return;
	free_certs(t->cas, t->n_cas);
	free_certs(t->intermediates, t->n_intermediates);
	free_certs(t->peers, t->n_peers);
	free(t->ca_hashes);
	gnutls_free(t->raw_key.data);
	for (unsigned i = 0; i < t->n_crls; i++)
		ike_crl_unref(t->crls[i]);
	ike_revoked_free(t->revoked);
	free(t);
}
