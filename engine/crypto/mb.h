/*
 * engine/crypto/mb.h - the state of Intel's ipsec-mb in each thread. Private to engine/crypto/mb*.
 */
#ifndef ENGINE_CRYPTO_MB_H
#define ENGINE_CRYPTO_MB_H

#include <intel-ipsec-mb.h>

#include "engine/crypto/ctx.h"
#include "engine/crypto/key_cache.h"

#define MB_ROUNDS 15u	/* round keys of AES-256 */
#define MB_SCHEDULE (MB_ROUNDS * IMB_AES_BLOCK_SIZE)
#define MB_GATHER 131072u	/* octets of spans that are authenticated as one */

/** Expanded keys of one context. */
struct mb_keys {
	union {
		struct gcm_key_data gcm;	/* GCM, GMAC in ESP and AH */
		struct {
			DECLARE_ALIGNED(uint8_t enc[MB_SCHEDULE], 16);
			DECLARE_ALIGNED(uint8_t dec[MB_SCHEDULE], 16);
		} aes;				/* CBC, CTR, CCM */
	} encr;
	union {
		struct {
			DECLARE_ALIGNED(uint8_t ipad[IMB_SHA512_DIGEST_SIZE_IN_BYTES], 16);
			DECLARE_ALIGNED(uint8_t opad[IMB_SHA512_DIGEST_SIZE_IN_BYTES], 16);
		} hmac;
		struct {
			DECLARE_ALIGNED(uint8_t k1[MB_SCHEDULE], 16);
			DECLARE_ALIGNED(uint8_t k2[IMB_AES_BLOCK_SIZE], 16);
			DECLARE_ALIGNED(uint8_t k3[IMB_AES_BLOCK_SIZE], 16);
		} cbc_mac;			/* XCBC; CMAC: the key and its two subkeys */
	} integ;
};

/** What a thread works with. */
struct mb_thread {
	IMB_MGR *mgr;
	struct key_cache *keys;
	uint8_t *gather;	/* MB_GATHER octets */
};

/** Of a thread that was readied. */
struct mb_thread *mb_thread(unsigned thread);

/** The context's expanded keys, claimed for a batch: key_cache_release(*slot) afterwards. */
const struct mb_keys *mb_keys_claim(const struct mb_thread *t, const struct ipsp_crypto_ctx *ctx,
				    struct key_slot **slot);

/* GCM and GMAC, by the library's direct calls. */
void mb_gcm_seal(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		 size_t n);
void mb_gcm_open(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		 size_t n);

/** The ICV of spans by GMAC. */
void mb_gmac_spans(const struct ipsp_crypto_ctx *ctx, const struct mb_thread *t,
		   const struct mb_keys *keys, const struct ipsp_auth_op *op,
		   uint8_t icv[IMB_AES_BLOCK_SIZE]);

/* All else, by jobs that the library works on several at a time. */
void mb_job_seal(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		 size_t n);
void mb_job_open(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		 size_t n);
void mb_job_auth(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		 size_t n);
void mb_job_verify(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		   size_t n);

#endif
