/*
 * ike/keys.h - keys of IKE SAs and of their Child SAs. RFC 7296 2.13, 2.14, 2.17, 2.18; RFC 8784 (PPK),
 * RFC 9370 2.2.2 (further key exchanges).
 */
#ifndef IKE_KEYS_H
#define IKE_KEYS_H

#include "ike/prf.h"
#include "ike/proposal.h"
#include "ike/seal.h"

#define IKE_NONCE_MAX 256u	/* RFC 7296 2.10 */

/** What an IKE SA keeps of its keys. In locked memory. */
struct ike_keys {
	uint16_t prf;
	uint8_t prf_len;
	uint8_t sk_d[IKE_PRF_MAX], sk_pi[IKE_PRF_MAX], sk_pr[IKE_PRF_MAX];
	struct ike_seal of_initiator, of_responder;
};

/** What keys are made from. */
struct ike_key_source {
	const struct ike_suite *suite;
	struct ipsp_span nonce_i, nonce_r;
	const uint8_t *spi_i, *spi_r;	/* IKE_SPI_LEN octets each */
	struct ipsp_span shared;	/* of the key exchange */
	struct ipsp_span further;	/* of those that follow in a rekey, one behind the other; or empty */
};

/**
 * Of a new IKE SA, RFC 7296 2.14.
 * @param crypto  for the encrypted payloads: ipsp_crypto_gcrypt
 * @param old     of the IKE SA that this one is the rekeyed one of (2.18), else NULL
 * @return IPSP_OK; IPSP_ENOTSUP; IPSP_ENOMEM; IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err ike_keys_make(struct ike_prfs *prfs, const struct ipsp_crypto *crypto,
					    const struct ike_key_source *source,
					    const struct ike_keys *old, struct ike_keys **out);

/** Mixes a postquantum preshared key into what authenticates and what is derived. RFC 8784 3. */
IPSP_MUST_CHECK enum ipsp_err ike_keys_mix_ppk(struct ike_prfs *prfs, struct ike_keys *k,
					       struct ipsp_span ppk);

/** Wipes and frees. NULL is fine. */
void ike_keys_free(struct ike_keys *k);

/** Octets that one direction of a Child SA takes: cipher with its salt, then integrity. */
struct ike_child_key_lens {
	uint8_t encr, integ;
};

/** @return false: the suite has an algorithm that ESP or AH has not here */
bool ike_child_key_lens(const struct ike_suite *suite, struct ike_child_key_lens *out);

/**
 * Of a Child SA, RFC 7296 2.17: keys of what the initiator of this exchange sends, then of what it
 * receives; for each the cipher's before integrity's.
 * @param shared   of a key exchange of its own; empty: none
 * @param further  of those that follow, one behind the other, RFC 9370 2.2.4; empty: none
 * @param out     2 * (encr + integ) octets, the caller's to wipe
 */
IPSP_MUST_CHECK enum ipsp_err ike_child_keys(struct ike_prfs *prfs, const struct ike_keys *k,
					     struct ipsp_span shared, struct ipsp_span nonce_i,
					     struct ipsp_span nonce_r, struct ipsp_span further,
					     uint8_t *out, size_t len);

#endif
