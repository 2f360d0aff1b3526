/*
 * ike/prf.h - pseudorandom functions of IKE. RFC 7296 2.13; RFC 2104 with SHA-1 and SHA-2, RFC 4434
 * (AES-XCBC), RFC 4615 (AES-CMAC).
 *
 * Functions are IKE_PRF_* of the registry; HMAC-MD5 only where weak ones are allowed, which is the
 * caller's to see to. A set holds one handle of libgcrypt a function and works for one thread at a time. Keys stay in
 * the library's secure memory only for the call.
 */
#ifndef IKE_PRF_H
#define IKE_PRF_H

#include "ipsp/types.h"

#define IKE_PRF_MAX 64u		/* octets of the longest output */

struct ike_prfs;

/** @return NULL: no memory */
struct ike_prfs *ike_prfs_new(void);
void ike_prfs_free(struct ike_prfs *p);

/** Octets of output, and of keys derived for it (RFC 7296 2.13); 0: no such function here. */
size_t ike_prf_len(uint16_t prf);

/** Is it one that needs allow-weak? */
bool ike_prf_weak(uint16_t prf);

/**
 * prf(key, data[0] | data[1] ...).
 * @param key  of any length
 * @param out  ike_prf_len octets; may be where a piece of data is
 * @return IPSP_OK; IPSP_ENOTSUP; IPSP_ENOMEM; IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err ike_prf(struct ike_prfs *p, uint16_t prf, struct ipsp_span key,
				      const struct ipsp_span *data, size_t n, uint8_t *out);

/**
 * prf+ (key, seed[0] | seed[1] ...), RFC 7296 2.13.
 * @param n    pieces of seed, up to IKE_PRF_SEEDS_MAX
 * @param len  octets wanted; at most 255 outputs of the function
 * @return as ike_prf; IPSP_EINVAL: too many of either
 */
#define IKE_PRF_SEEDS_MAX 6u
IPSP_MUST_CHECK enum ipsp_err ike_prf_plus(struct ike_prfs *p, uint16_t prf, struct ipsp_span key,
					   const struct ipsp_span *seed, size_t n, uint8_t *out,
					   size_t len);

#endif
