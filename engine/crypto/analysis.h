/*
 * engine/crypto/analysis.h - a libgcrypt provider for looking at traffic of others, which also takes
 * weak algorithms and ICVs whose key nobody knows. For programs that read captures, and for nothing
 * else: it is a library of its own (libipsp_analysis.la) that no daemon is linked with.
 */
#ifndef ENGINE_CRYPTO_ANALYSIS_H
#define ENGINE_CRYPTO_ANALYSIS_H

#include "engine/crypto/gcrypt.h"

/**
 * Integrity of which only the ICV's length is known: this plus 0 to IPSP_ICV_MAX octets stand behind
 * the text and are not looked at. Such an SA can seal only with 0. Private numbers of the DOI's
 * authentication algorithm attribute.
 */
#define ANALYSIS_INTEG_UNCHECKED 61440

/** The provider table: all there is, and these. Init as for ipsp_crypto_gcrypt. */
const struct ipsp_crypto *ipsp_crypto_analysis(void);

#endif
