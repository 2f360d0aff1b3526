/*
 * ipspd/crypto_wire.h - what the engine's crypto libraries are good for, as it tells each agent once.
 */
#ifndef IPSPD_CRYPTO_WIRE_H
#define IPSPD_CRYPTO_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "chan/chan.h"

#define CRYPTO_WIRE_LIBRARIES_MAX 8u
#define CRYPTO_WIRE_SUITES_MAX 512u
#define CRYPTO_WIRE_NAME 32u	/* octets of a name, with its end */

struct wire_crypto_library {
	char name[CRYPTO_WIRE_NAME];
	uint32_t n_wrong;	/* published vectors to which it gave another answer */
};

/** A cipher with integrity, one of both alone, or compression. */
struct wire_crypto_suite {
	uint8_t proto;				/* enum ipsp_proto */
	uint16_t encr_bits;			/* of its key; 0: it has no cipher, or no key */
	bool weak;
	uint32_t mbits;				/* a second, as measured at start; 0: it was not */
	char encr[CRYPTO_WIRE_NAME];		/* "": AH */
	char integ[CRYPTO_WIRE_NAME];		/* "": the cipher's own, or none */
	char library[CRYPTO_WIRE_NAME];		/* "": nobody computes it right: not offered */
};

struct wire_crypto {
	bool allow_weak;
	uint32_t n_libraries, n_suites;
	struct wire_crypto_library libraries[CRYPTO_WIRE_LIBRARIES_MAX];
	struct wire_crypto_suite suites[CRYPTO_WIRE_SUITES_MAX];
};

/** Writes a MSG_CRYPTO. @return false: it has no room */
bool crypto_wire_put(struct chan_writer *w, const struct wire_crypto *c);

/** Reads one. @return false: malformed; *c is not to be used then */
bool crypto_wire_read(const struct chan_msg *m, struct wire_crypto *c);

#endif
