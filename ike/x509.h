/*
 * ike/x509.h - certificates and keys, by GnuTLS: credentials from within, and what is asked of certificates.
 * RFC 5280, RFC 4945. Private to ike/.
 */
#ifndef IKE_X509_H
#define IKE_X509_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "ike/config.h"

#define IKE_KEY_HASH_LEN 20u	/* SHA-1 of a SubjectPublicKeyInfo, RFC 7296 3.7 */

/** A certificate and what is asked of it most. */
struct ike_cert {
	gnutls_x509_crt_t crt;
	gnutls_datum_t der;
	uint8_t key_hash[IKE_KEY_HASH_LEN];
};

struct ike_credential {
	unsigned refs;
	gnutls_privkey_t key;
	bool pss;
	int64_t from_s, until_s;	/* when its certificate is valid */
	bool for_ike;			/* its certificate's purposes name IKE: preferred */
	unsigned n_certs;		/* 0: a raw public key */
	struct ike_cert certs[IKE_CHAIN_MAX];	/* its own first */
	gnutls_datum_t raw_key;		/* SubjectPublicKeyInfo */
};

/** A CRL, counted. Never changed. */
struct ike_crl {
	unsigned refs;
	gnutls_x509_crl_t crl;
	int64_t this_s, next_s;
};

#define IKE_CRLS_MAX 64u

/** Certificates that rows revoke: credential.h's ike_trust_parts. Never changed. */
struct ike_revoked;

struct ike_trust {
	unsigned refs;
	enum ike_crl_level level;
	unsigned links_max;
	bool weak, unnamed;
	unsigned n_cas, n_intermediates, n_peers, n_crls;
	gnutls_x509_crt_t *cas, *intermediates, *peers;
	uint8_t (*ca_hashes)[IKE_KEY_HASH_LEN];
	gnutls_datum_t raw_key;		/* empty: none */
	struct ike_crl *crls[IKE_CRLS_MAX];
	struct ike_revoked *revoked;	/* NULL: nothing is */
};

static inline gnutls_datum_t ike_datum(struct ipsp_span s)
{
	return (gnutls_datum_t){ (unsigned char *)(uintptr_t)s.data, (unsigned)s.len };
}

/** PEM or DER? */
gnutls_x509_crt_fmt_t ike_encoding(struct ipsp_span octets);
/** @return NULL: it is none, or no memory */
struct ike_crl *ike_crl_new(struct ipsp_span octets);
void ike_crl_unref(struct ike_crl *c);

/** @return NULL: octets are no such list, or no memory */
struct ike_revoked *ike_revoked_new(struct ipsp_span octets);
void ike_revoked_free(struct ike_revoked *r);
/** Is it one of them (r NULL: none)? how: by what, as what follows "is revoked" */
bool ike_revoked_has(const struct ike_revoked *r, gnutls_x509_crt_t crt, char *how, size_t cap);

/** SHA-1 of its public key. False: it cannot be had. */
bool ike_key_hash(gnutls_x509_crt_t crt, uint8_t out[IKE_KEY_HASH_LEN]);
/** Its subject into buf, or why there is none. Returns buf. */
const char *ike_cert_name(gnutls_x509_crt_t crt, char *buf, size_t cap);
/** Is its key for signatures by its key usage? RFC 4945 5.1.3.2 */
bool ike_cert_signs(gnutls_x509_crt_t crt);
/** Is it for IKE by its extended key usage? RFC 4945 5.1.3.12. *named: it names IKE. */
bool ike_cert_for_ike(gnutls_x509_crt_t crt, bool *named);
/** Is it for that one? Subject or subjectAltName; key id: subjectKeyIdentifier. RFC 4945 3.1. */
bool ike_cert_is_for(gnutls_x509_crt_t crt, const struct ike_identity *id);
/** The first of its names (subjectAltName) that is of that IKE_ID_*. False: there is none. */
bool ike_cert_first(gnutls_x509_crt_t crt, uint8_t type, struct ike_identity *out);
/** "CN=b, FQDN b.example": whom it is for. Returns buf. */
const char *ike_cert_names(gnutls_x509_crt_t crt, char *buf, size_t cap);

#endif
