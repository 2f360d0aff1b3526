/*
 * ike/seal.h - encrypted payloads: SK and SKF. RFC 7296 3.14, RFC 7383 2.5, RFC 5282 (combined modes), RFC 5930
 * (AES-CTR).
 *
 * One of them is one direction of an IKE SA: its keys in locked memory, the shape that they give
 * messages, and the count that makes IVs of counter modes, which must never repeat under a key.
 */
#ifndef IKE_SEAL_H
#define IKE_SEAL_H

#include "ike/build.h"
#include "ipsp/crypto.h"

struct ike_seal {
	const struct ipsp_crypto *crypto;
	struct ipsp_crypto_ctx *ctx;
	struct ipsp_crypto_shape shape;
	uint64_t n_sealed;
};

/**
 * @param crypto     a table of libgcrypt: ipsp_crypto_gcrypt
 * @param encr_key   with its salt last; copied
 * @param integ_key  empty for combined modes; copied
 * @return IPSP_OK; IPSP_ENOTSUP; IPSP_EKEYLEN; IPSP_ENOMEM; IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err ike_seal_init(struct ike_seal *s, const struct ipsp_crypto *crypto,
					    uint16_t encr, uint16_t encr_key_bits, uint16_t integ,
					    struct ipsp_span encr_key, struct ipsp_span integ_key);
void ike_seal_fini(struct ike_seal *s);

/** Which part of a message a fragment is, RFC 7383 2.5. total 0: it is not cut, and is SK. */
struct ike_fragment {
	uint16_t number, total;	/* the first one is 1 */
};

/** Octets of the whole message around so many clear ones. */
size_t ike_seal_len(const struct ike_seal *s, size_t clear_len, bool fragment);

/**
 * Writes a whole message: header, SK or SKF header, IV, text, ICV.
 * @param first  type of the first payload inside; of fragments, 0 but for the first one
 * @param clear  a chain of payloads, or a piece of one
 * @param iv     shape.iv_len octets that nobody can foretell; counter modes do not look at it
 * @param out    ike_seal_len octets
 * @return IPSP_OK; IPSP_EOVERFLOW: this key has sealed all that it may; IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err ike_seal(struct ike_seal *s, const struct ike_header_fields *header,
				       uint8_t first, struct ipsp_span clear,
				       struct ike_fragment fragment, const uint8_t *iv,
				       uint8_t *out);

/**
 * Opens the SK or SKF payload of a message.
 * @param sealed    points into message
 * @param clear     written: at most sealed->body.len octets, of which *out is what was sealed
 * @param fragment  of SKF; else zeros
 * @return IPSP_OK; IPSP_EMALFORMED: no room for IV, padding, ICV or fragment numbers; IPSP_EICV;
 *	   IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err ike_unseal(const struct ike_seal *s, struct ipsp_span message,
					 const struct ike_payload *sealed, uint8_t *clear,
					 struct ipsp_span *out, struct ike_fragment *fragment);

#endif
