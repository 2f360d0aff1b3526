/*
 * policy/algs.h - which algorithm numbers we know, and what we think of them.
 *
 * IPsec DOI numbers (IANA "isakmp-registry", RFC 2407 and later), IKE numbers (RFC 2409 appendix A
 * and later); our private ones: ESP 249 for ChaCha20-Poly1305, integrity from 61500 on as in
 * ipsp/config.h, IKE 65100 + n for the IKEv2 cipher n. Judgements follow RFC 8221 and RFC 8247. Constant tables.
 */
#ifndef POLICY_ALGS_H
#define POLICY_ALGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pol_alg_kind {
	POL_ALG_OFFERED,	/* the engine has it */
	POL_ALG_NOT_YET,	/* sound, but not in this version */
	POL_ALG_WEAK,		/* refused: RFC 8221 or RFC 8247 say MUST NOT or SHOULD NOT */
};

struct pol_alg {
	uint32_t number;
	const char *name;
	enum pol_alg_kind kind;
	uint16_t key_octets;	/* integrity: exact size; ciphers: see variable_key */
	bool on_request;	/* weak, but offered with the option allow-weak */
	bool variable_key;	/* ciphers: 128, 192 or 256 bits, to be said */
	bool never_manual;	/* a counter that must not repeat under one key */
	bool combined;		/* has integrity of its own */
	uint8_t rounds;		/* ciphers: with keys of 128 bits; 0: not counted in rounds */
	uint8_t rounds_192, rounds_256;
};

/** @return the algorithm of that number, or NULL: unknown */
const struct pol_alg *pol_alg_esp(uint32_t number);
const struct pol_alg *pol_alg_auth(uint32_t number);
const struct pol_alg *pol_alg_ike_cipher(uint32_t number);
const struct pol_alg *pol_alg_ike_hash(uint32_t number);
const struct pol_alg *pol_alg_ike_group(uint32_t number);
const struct pol_alg *pol_alg_ike_method(uint32_t number);

/** Whether weak algorithms that the engine has are judged sound. Once, before rows are. */
void pol_algs_allow_weak(bool allow);

/** Is it too weak, and not allowed either? */
bool pol_alg_refused(const struct pol_alg *a);

/** Room for what pol_esp_judge says. */
#define POL_ALG_TEXT 160

/**
 * Do cipher, key length and integrity of an ESP transform go together?
 * @param integ  0: none
 * @return true; false with the reason in why
 */
bool pol_esp_judge(uint32_t cipher, uint32_t key_bits, uint32_t integ, char why[POL_ALG_TEXT]);

/** May that many rounds be asked of the cipher? 0: as many as it has with that key. */
bool pol_rounds_judge(const struct pol_alg *cipher, uint32_t key_bits, uint32_t rounds,
		      char why[POL_ALG_TEXT]);

/** The same of an AH transform's algorithm. */
bool pol_ah_judge(uint32_t integ, char why[POL_ALG_TEXT]);

#endif
