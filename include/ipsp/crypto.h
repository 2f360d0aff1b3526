/*
 * ipsp/crypto.h - the table a crypto provider fills.
 *
 * One context holds both keys of one SA; one call works on the packets of a batch, in place.
 * RFC 4303 3.3.2, 3.4.4.
 *
 *	|<- aad --->|<- iv ->|<------- text ------>|<- icv ->|
 *	| SPI | Seq |   IV   | payload, pad, trailer|   ICV   |
 *	|<---------- under the ICV -------------->|
 *
 * A cipher with separate integrity authenticates aad, IV and text where they stand, then the high
 * half of the sequence number if esn. A combined-mode cipher (RFC 4106 5) authenticates SPI,
 * [high half,] Seq, and uses the IV as its explicit nonce.
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

/** One packet of a batch. Pointers are the caller's; the octets are changed in place. */
struct ipsp_crypto_op {
	uint8_t *esp;		/* ESP header: 8 octets, then the IV, then the text */
	uint32_t text_len;	/* multiple of block_len */
	bool esn;
	uint32_t seq_hi;	/* high half of the number if esn */
	enum ipsp_err err;	/* out: IPSP_OK, IPSP_EICV (open only), IPSP_ECRYPTO */
};

struct ipsp_crypto_ctx;

/** A provider. Contexts are for one thread at a time. */
struct ipsp_crypto {
	const char *name;

	/**
	 * Is the pair offered, and with which shape?
	 * @param encr_key_bits  without salt; 0 for NULL
	 * @return IPSP_OK; IPSP_ENOTSUP: not offered, or integrity missing or too much (RFC 4303
	 *	   3.1 forbids neither confidentiality nor integrity; combined modes bring their
	 *	   own); IPSP_EKEYLEN: no such key size
	 */
	enum ipsp_err (*shape)(uint16_t encr, uint16_t encr_key_bits, uint16_t integ,
			       struct ipsp_crypto_shape *out);

	/**
	 * A context with copies of the keys in memory that is not swapped.
	 * @param sa  algorithms and keys; borrowed
	 * @return IPSP_OK; IPSP_ENOTSUP; IPSP_EKEYLEN: a key's length does not fit;
	 *	   IPSP_ENOMEM; IPSP_ECRYPTO: refused by the library (a weak key, for one)
	 */
	enum ipsp_err (*ctx_new)(const struct ipsp_sa_config *sa, struct ipsp_crypto_ctx **out);

	/** Wipes and frees. NULL is fine. */
	void (*ctx_free)(struct ipsp_crypto_ctx *ctx);

	/** Encrypts and writes the ICV behind each text. IVs stand in place already. */
	void (*seal)(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *ops, size_t n);

	/**
	 * Checks each ICV and decrypts. Separate integrity comes before decryption. After a wrong
	 * ICV no clear octet is left in the text.
	 */
	void (*open)(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *ops, size_t n);
};

#endif
