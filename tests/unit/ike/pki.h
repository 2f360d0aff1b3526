/* tests/unit/ike/pki.h - a certification authority for tests: GnuTLS, and libcrypto for OCSP answers. */
#ifndef TESTS_UNIT_IKE_PKI_H
#define TESTS_UNIT_IKE_PKI_H

#include <gnutls/x509.h>

#include "ipsp/types.h"

enum pki_key { PKI_P256, PKI_P384, PKI_P521, PKI_RSA, PKI_RSA_1024, PKI_PSS, PKI_ED25519, PKI_ED448 };

struct pki_cert {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
};

/** What a certificate says. */
struct pki_spec {
	const char *dn;			/* RFC 4514; NULL: "CN=test" */
	enum pki_key key;
	const struct pki_cert *issuer;	/* NULL: itself */
	bool ca;
	const char *dns, *email, *ip, *key_id;
	unsigned usage;			/* GNUTLS_KEY_*; 0: none is said */
	const char *purpose;		/* an OID */
	const char *permits;		/* a CA: DNS names below alone */
	int from_days, until_days;	/* from now; both 0: valid */
	const char *crl_url, *ocsp_url;
};

void pki_make(const struct pki_spec *spec, struct pki_cert *out);
void pki_free(struct pki_cert *c);

/** PEM of certificates, one behind the other; of a key; of a public key. Kept until the next pki_forget. */
struct ipsp_span pki_certs(const struct pki_cert *const *certs, unsigned n);
struct ipsp_span pki_key(const struct pki_cert *c);
struct ipsp_span pki_public(const struct pki_cert *c);
/** DER. revoked may be NULL. */
struct ipsp_span pki_crl(const struct pki_cert *issuer, const struct pki_cert *revoked, int next_days);
/** PKCS #7 without a signature, by libcrypto: certificates, CRLs. */
struct ipsp_span pki_pkcs7(const struct pki_cert *const *certs, unsigned n, const struct ipsp_span *crls,
			   unsigned n_crls);
/** An OCSP answer about one, by its CA. */
struct ipsp_span pki_ocsp(const struct pki_cert *issuer, const struct pki_cert *about, bool revoked);
/** A signature of text by that RSA key with SHA2-256 and PSS, its salt that long: libcrypto's. */
struct ipsp_span pki_pss(const struct pki_cert *c, const char *text, int salt);
void pki_forget(void);

#endif
