/*
 * ike/credential.h - what we prove ourselves with, and whom we believe. RFC 7296 3.6, 3.7; RFC 7670 (raw
 * public keys); RFC 4945 (certificates of IKE); RFC 5280.
 *
 * Both are made whole from octets, then never changed, and counted by the thread of the world; any
 * number of computations may use one at a time. A private key is in a PKCS #11 token or in this
 * process, which has its memory locked; GnuTLS wipes it.
 */
#ifndef IKE_CREDENTIAL_H
#define IKE_CREDENTIAL_H

#include "ipsp/types.h"

#define IKE_CHAIN_MAX 8u		/* certificates from ours, or theirs, to the CA's */
#define IKE_CAS_MAX 128u		/* of one trust; their hashes go into one payload */
#define IKE_CREDENTIAL_MAX 262144u	/* octets of each part */
#define IKE_WHY_TEXT 256

/** A private key and what goes with it. */
struct ike_credential;

/** What one is made of. Borrowed for the call. */
struct ike_credential_parts {
	/** PEM or DER: PKCS #8, PKCS #1 or EC; or the text of a PKCS #11 URI, with its pin-value. */
	struct ipsp_span key;
	/** PEM, or DER one behind the other: its certificate first, then intermediate ones. Empty: a raw key. */
	struct ipsp_span certs;
	struct ipsp_span raw_key;	/* what its public key must be, PEM or DER. Empty: whatever it is */
	bool pss;		/* RSA signs by PSS where the peer takes RFC 7427's signatures */
};

/**
 * @param why  written when it fails: what is wrong, for people
 * @return NULL: *why
 */
struct ike_credential *ike_credential_new(const struct ike_credential_parts *parts,
					  char why[IKE_WHY_TEXT]);
struct ike_credential *ike_credential_ref(struct ike_credential *c);
void ike_credential_unref(struct ike_credential *c);

/** How much is asked of revocation lists and OCSP. */
enum ike_crl_level {
	IKE_CRL_NONE,		/* nothing is looked at */
	IKE_CRL_IF_THERE,	/* revoked is refused, unknown is taken */
	IKE_CRL_REQUIRED,	/* unknown is refused */
};

/** CAs, keys and certificates that we believe. */
struct ike_trust;

/** What one is made of. Borrowed for the call; each PEM, or DER (certificates: one behind the other); each may be empty. */
struct ike_trust_parts {
	struct ipsp_span cas;
	struct ipsp_span intermediates;	/* that a peer may leave out */
	struct ipsp_span peers;		/* certificates: the peer's must be one of these */
	struct ipsp_span raw_key;	/* the peer's public key, without a certificate */
	struct ipsp_span crls;
	/** Certificates that are refused whatever else is said of them: of each CA that has such, u8 1 and its certificate
	 *  (DER) or 0 and its name (text), with their length in 24 bits before them; how many, 24 bits; of each, serial
	 *  number, 32 bits, reason, 8 bits (IPSEC-IKEACTION-MIB), name of the CRL, its length in 8 bits before it. */
	struct ipsp_span revoked;
	enum ike_crl_level level;
	unsigned links_max;		/* certificates from the peer's to the CA's; 0: IKE_CHAIN_MAX */
	bool unnamed;			/* peers are not told which CAs these are */
	bool weak;			/* RSA of 1024 bits and SHA-1 in certificates as well */
};

/** As ike_credential_new. There must be a CA, a peer or a raw key. */
struct ike_trust *ike_trust_new(const struct ike_trust_parts *parts, char why[IKE_WHY_TEXT]);
struct ike_trust *ike_trust_ref(struct ike_trust *t);
void ike_trust_unref(struct ike_trust *t);

#define IKE_FETCH_MAX (8u << 20)	/* octets of a CRL, or of an answer by OCSP */

/** When a CRL (DER or PEM) is to be followed by the next, in seconds since 1970. @return -1: it is none */
int64_t ike_crl_next_s(struct ipsp_span crl);

#endif
