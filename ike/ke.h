/*
 * ike/ke.h - key exchange methods: Diffie-Hellman groups and, where libgcrypt has them, KEMs. RFC 7296 2.14, 3.4; RFC 3526
 * (MODP), RFC 5903 and 6954 (ECP, brainpool), RFC 8031 (Curve25519, Curve448), RFC 9370, FIPS 203 (ML-KEM).
 *
 * Computing takes from 50 microseconds to some milliseconds, so it is made for threads beside the
 * event loop: an exchange belongs to one thread at a time, and different ones share nothing.
 * Exponents of MODP groups are short, as long as the group's strength asks (RFC 7919 5.2).
 */
#ifndef IKE_KE_H
#define IKE_KE_H

#include "ipsp/types.h"

#define IKE_KE_PUBLIC_MAX 1568u	/* octets: ML-KEM-1024's ciphertext; MODP 8192 has 1024 */
#define IKE_KE_SHARED_MAX 1024u

/** What a method (IKE_KE_* of the registry) is. */
struct ike_ke_info {
	uint16_t method;
	uint16_t public_len;	/* of the initiator's data, exactly; RFC 7296 3.4: padded in front */
	uint16_t answer_len;	/* of the responder's */
	uint16_t shared_len;
	bool weak;		/* needs allow-weak: RFC 8247 2.4 */
};

/** @return NULL: no such method here */
const struct ike_ke_info *ike_ke_find(uint16_t method);

/** A private key. */
struct ike_ke;

/**
 * The initiator's first half: a new private key.
 * @param public  written: public_len octets
 * @return IPSP_OK; IPSP_ENOTSUP; IPSP_ENOMEM; IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err ike_ke_begin(uint16_t method, struct ike_ke **out, uint8_t *public);

/**
 * The initiator's second half.
 * @param answer  the responder's data
 * @param shared  written: shared_len octets, the caller's to wipe
 * @return IPSP_OK; IPSP_EMALFORMED: the answer is no value of this method (length, not in the
 *	   group, gives nothing secret); IPSP_ENOMEM; IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err ike_ke_finish(const struct ike_ke *ke, struct ipsp_span answer,
					    uint8_t *shared);

/**
 * The responder: both halves.
 * @param public  the initiator's data
 * @param answer  written: answer_len octets
 * @return as the two
 */
IPSP_MUST_CHECK enum ipsp_err ike_ke_answer(uint16_t method, struct ipsp_span public,
					    uint8_t *answer, uint8_t *shared);

/** Wipes and frees. NULL is fine. */
void ike_ke_free(struct ike_ke *ke);

#endif
