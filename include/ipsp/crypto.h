/*
 * ipsp/crypto.h - the table a crypto provider fills.
 *
 * One context holds the keys of one SA; one call works on the packets of a batch. RFC 4303 3.3.2,
 * 3.4.4; RFC 4302 3.3.3, 3.4.4.
 *
 *	|<- aad --->|<- iv ->|<------ sealed ------>|<- icv ->|
 *	| SPI | Seq |   IV   | payload, pad, trailer|   ICV   |
 *	|<---------- under the ICV -------------->|
 *
 * Clear text comes from, or goes to, where the caller says: src and dst may be one place or two,
 * but must not overlap otherwise. A cipher with separate integrity authenticates aad, IV and the
 * sealed text where they stand, then the high half of the sequence number if esn; these and the ICV
 * stand in a row there. A combined-mode cipher (RFC 4106 5) authenticates SPI, [high half,] Seq,
 * and uses the IV as its explicit nonce; its pieces may stand anywhere.
 *
 * Contexts are made and freed by one control thread. The calls that work on packets may come from
 * several threads at once for one context, each with a number of its own, and allocate nothing.
 */
#ifndef IPSP_CRYPTO_H
#define IPSP_CRYPTO_H

#include "ipsp/config.h"

#define IPSP_IV_MAX 16
#define IPSP_ICV_MAX 32

/** What an algorithm pair means for the packet. */
struct ipsp_crypto_shape {
	uint8_t iv_len;		/* octets of explicit IV */
	uint8_t icv_len;
	uint8_t block_len;	/* text is a multiple of it; at least 4 */
	bool iv_is_counter;	/* IV is the sequence number, never random: RFC 4106 3.1 */
};

/** One ESP packet of a batch. Pointers are the caller's. */
struct ipsp_crypto_op {
	const uint8_t *src;	/* text: clear to seal, sealed to open */
	uint8_t *dst;		/* as many octets: src, or apart from it */
	uint32_t text_len;	/* multiple of block_len */
	bool esn;
	uint32_t seq_hi;	/* high half of the number if esn */
	const uint8_t *aad;	/* SPI and sequence number: 8 octets */
	const uint8_t *iv;	/* shape.iv_len octets */
	uint8_t *icv;		/* seal: written; open: compared, and used up */
	enum ipsp_err err;	/* out: IPSP_OK, IPSP_EICV (open only), IPSP_ECRYPTO */
};

/** One packet under integrity alone: AH. The high half of its number, if any, is a span. */
struct ipsp_auth_op {
	const struct ipsp_span *spans;	/* authenticated in this order; pieces may be empty */
	uint32_t n_spans;
	const uint8_t *iv;	/* shape.iv_len octets: what AES-GMAC needs beside, RFC 4543 4 */
	uint8_t *icv;		/* auth: written; verify: compared */
	enum ipsp_err err;	/* out: IPSP_OK, IPSP_EICV (verify only), IPSP_ECRYPTO */
};

/** The op of a whole ESP packet in one place: header at esp, and room for the ICV behind its text. */
static inline struct ipsp_crypto_op ipsp_crypto_op_at(uint8_t *esp,
						      const struct ipsp_crypto_shape *shape,
						      uint32_t text_len)
{
	uint8_t *const text = esp + 8 + shape->iv_len;

	return (struct ipsp_crypto_op){
		.src = text, .dst = text, .text_len = text_len, .aad = esp, .iv = esp + 8,
		.icv = text + text_len, .err = IPSP_ECRYPTO,
	};
}

struct ipsp_crypto_ctx;

/** A provider. */
struct ipsp_crypto {
	const char *name;

	/**
	 * Is the pair offered, and with which shape?
	 * @param proto  enum ipsp_proto. AH: encr and encr_key_bits are 0, block_len of the shape
	 *		 means nothing
	 * @param encr_key_bits  without salt; 0 for NULL
	 * @return IPSP_OK; IPSP_ENOTSUP: not offered, or integrity missing or too much (RFC 4303
	 *	   3.1 forbids neither confidentiality nor integrity; combined modes bring their
	 *	   own); IPSP_EKEYLEN: no such key size
	 */
	enum ipsp_err (*shape)(uint8_t proto, uint16_t encr, uint16_t encr_key_bits,
			       uint16_t integ, struct ipsp_crypto_shape *out);

	/**
	 * A context with copies of the keys in memory that is not swapped.
	 * @param sa  protocol, algorithms and keys; borrowed
	 * @param n_threads  those who will use it have numbers below; at least 1
	 * @return IPSP_OK; IPSP_ENOTSUP; IPSP_EKEYLEN: a key's length does not fit;
	 *	   IPSP_ENOMEM; IPSP_ECRYPTO: refused by the library (a weak key, for one)
	 */
	enum ipsp_err (*ctx_new)(const struct ipsp_sa_config *sa, unsigned n_threads,
				 struct ipsp_crypto_ctx **out);

	/** Wipes and frees. Nobody uses it any more. NULL is fine. */
	void (*ctx_free)(struct ipsp_crypto_ctx *ctx);

	/** ESP: encrypts from src to dst and writes each ICV. IVs stand there already. */
	void (*seal)(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		     size_t n);

	/**
	 * ESP: checks each ICV and decrypts from src to dst. Separate integrity comes before
	 * decryption. After a wrong ICV no clear octet is in dst.
	 */
	void (*open)(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		     size_t n);

	/** AH: writes each ICV. */
	void (*auth)(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		     size_t n);

	/** AH: compares each ICV, in a time that does not tell where it differs. */
	void (*verify)(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		       size_t n);
};

#endif
