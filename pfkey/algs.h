/*
 * pfkey/algs.h - algorithms by the numbers of PF_KEY and by ours.
 */
#ifndef PFKEY_ALGS_H
#define PFKEY_ALGS_H

#include "ipsp/compress.h"
#include "ipsp/crypto.h"
#include "pfkey/msg.h"

/** The protocol of an SA type; 0: none of ours. */
uint8_t pfkey_proto_of(uint8_t satype);
/** The SA type of a protocol; SADB_SATYPE_UNSPEC: none. */
uint8_t pfkey_satype_of(uint8_t proto);

/**
 * Puts algorithms and keys of a message into an SA's configuration, whose proto is set.
 * @return 0; EINVAL: an algorithm or key that cannot be
 */
IPSP_MUST_CHECK int pfkey_algs_to_config(const struct pfkey_msg *m, struct ipsp_sa_config *cfg);

/** PF_KEY's numbers of ours; NONE: it has none. */
uint8_t pfkey_alg_auth(uint16_t integ);
uint8_t pfkey_alg_encrypt(uint8_t proto, uint16_t encr);

/** What the provider offers for an SA type, as SUPPORTED_AUTH and SUPPORTED_ENCRYPT list it. */
size_t pfkey_algs_auth(const struct ipsp_crypto *crypto, uint8_t satype,
		       struct pfkey_alg out[PFKEY_ALGS_MAX]);
size_t pfkey_algs_encrypt(const struct ipsp_crypto *crypto, uint8_t satype,
			  struct pfkey_alg out[PFKEY_ALGS_MAX]);

/** What IPComp can do, listed as SUPPORTED_ENCRYPT: its SAs name it there (RFC 2367 has none). */
size_t pfkey_algs_compress(const struct ipsp_compress *compress, uint8_t satype,
			   struct pfkey_alg out[PFKEY_ALGS_MAX]);

/** The same as combinations, the best first. */
size_t pfkey_algs_combs(const struct ipsp_crypto *crypto, uint8_t satype,
			struct pfkey_comb out[PFKEY_COMBS_MAX]);

#endif
