/*
 * engine/crypto/analysis.h - a libgcrypt provider for looking at traffic of others, which also takes
 * weak algorithms and ICVs whose key nobody knows. For programs that read captures, and for nothing
 * else: it is a library of its own (libipsp_analysis.la) that no daemon is linked with.
 */
#ifndef ENGINE_CRYPTO_ANALYSIS_H
#define ENGINE_CRYPTO_ANALYSIS_H

#include "engine/crypto/gcrypt.h"

/** Ciphers by their numbers in the IPsec DOI. RFC 2405, 2451; RFC 8221 5 on why not. */
enum analysis_encr {
	ANALYSIS_ENCR_DES_CBC = 2,
	ANALYSIS_ENCR_3DES_CBC = 3,
	ANALYSIS_ENCR_CAST_CBC = 6,	/* 128-bit keys */
	ANALYSIS_ENCR_BLOWFISH_CBC = 7,	/* 128-bit keys */
};

enum analysis_integ {
	ANALYSIS_INTEG_HMAC_MD5_96 = 1,	/* RFC 2403 */
	/*
	 * Plus n octets, 0 to IPSP_ICV_MAX: so many stand behind the text and are not looked at.
	 * Such an SA can seal only with n = 0. Private numbers of the DOI's authentication
	 * algorithm attribute (61440 and above).
	 */
	ANALYSIS_INTEG_UNCHECKED = 61440,
};

/** The provider table: all that ipsp_crypto_gcrypt offers, and these. Init as for that one. */
const struct ipsp_crypto *ipsp_crypto_analysis(void);

#endif
