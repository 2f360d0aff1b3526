/*
 * ike/verify.h - is the peer who it says, by what it signed? RFC 7296 2.15, 3.6; RFC 5280 6; RFC 4945; RFC 7670;
 * RFC 6960 and RFC 4806 (OCSP).
 *
 * Two computations, for threads beside the event loop: the signature with the certificates, then, where
 * the trust asks for it, revocation with what was given, kept or fetched. What they read is not changed
 * meanwhile. Private to ike/.
 */
#ifndef IKE_VERIFY_H
#define IKE_VERIFY_H

#include "ike/x509.h"

#define IKE_CERTS_MAX 16u	/* CERT payloads of one message that are looked at */
#define IKE_CRLS_SHOWN_MAX 8u	/* in them */
#define IKE_URL_MAX 512u

struct ike_cert_payload {
	uint8_t encoding;	/* IKE_CERT_* */
	struct ipsp_span octets;
};

/** What is known of one certificate's revocation. */
enum ike_standing { IKE_STANDING_UNKNOWN, IKE_STANDING_GOOD, IKE_STANDING_REVOKED };

/** One of the peer's chain. The CA that we trust is the last one. */
struct ike_link {
	gnutls_x509_crt_t crt;
	bool owned;		/* else the trust's */
	enum ike_standing standing;
};

struct ike_verify {
	/* what is looked at */
	struct ike_trust *trust;	/* counted by the thread of the world */
	const struct ike_identity *id;
	int64_t now_s;
	uint8_t method;
	struct ipsp_span signature, octets;
	unsigned n_certs;
	struct ike_cert_payload certs[IKE_CERTS_MAX];
	unsigned n_crls;
	struct ike_crl *crls[2 * IKE_CRLS_MAX];	/* given, kept, fetched; counted */
	unsigned n_staples;
	struct ipsp_span staples[IKE_CERTS_MAX + IKE_CHAIN_MAX];	/* OCSP answers */
	/* what CERT payloads hold beside certificates: ike/shown.c */
	unsigned n_shown_crls, n_unwrapped;
	struct ike_crl *shown_crls[IKE_CRLS_SHOWN_MAX];
	gnutls_datum_t unwrapped[IKE_CERTS_MAX];	/* certs of PKCS #7 are among certs above, too */
	/* what came of it */
	bool good;
	char why[600];			/* for people, when not */
	const char *scheme;		/* how it was signed */
	unsigned n_links;		/* 0: a raw key */
	struct ike_link links[IKE_CHAIN_MAX];
	bool unknown;			/* of one of the chain nobody said whether it is revoked */
};

/** Key, signature, identity, chain. */
void ike_verify_run(struct ike_verify *v);
/** Revocation of the chain. */
void ike_verify_revocation(struct ike_verify *v);
/**
 * What an OCSP answer says of a certificate, if its issuer has signed it, or who that has charged with it.
 * @param until_s  out: when the next one comes; written unless it says nothing
 */
enum ike_standing ike_ocsp_standing(struct ipsp_span answer, gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer,
				    int64_t now_s, int64_t *until_s);
/** What v has of its own. References are the caller's. */
void ike_verify_fini(struct ike_verify *v);

/** Adds what is within CERT payloads of other kinds to certs and shown_crls. Once. */
void ike_verify_unwrap(struct ike_verify *v);
void ike_verify_forget_shown(struct ike_verify *v);

/** Where the n-th certificate's CRL is, or its OCSP responder. False: it does not say, or not by HTTP. */
bool ike_link_crl_url(const struct ike_link *link, char url[IKE_URL_MAX]);
bool ike_link_ocsp_url(const struct ike_link *link, char url[IKE_URL_MAX]);
/** What a responder is asked. False: no memory. *out is gnutls_free's */
bool ike_link_ocsp_request(const struct ike_link *link, const struct ike_link *issuer,
			   gnutls_datum_t *out);

#endif
