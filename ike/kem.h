/*
 * ike/kem.h - key exchanges that are KEMs: ML-KEM of FIPS 203, as IKEv2 has it by draft-ietf-ipsecme-ikev2-mlkem: the
 * initiator's data is the encapsulation key, the responder's the ciphertext. For ike/ke.c, and with its rules.
 * A libgcrypt without them (before 1.11) has ike/kem_none.c instead, which knows no method.
 */
#ifndef IKE_KEM_H
#define IKE_KEM_H

#include "ike/ke.h"

/** A decapsulation key, in locked memory. */
struct ike_kem;

/** @return NULL: no such method here */
const struct ike_ke_info *ike_kem_find(uint16_t method);

/** As ike_ke_begin. */
IPSP_MUST_CHECK enum ipsp_err ike_kem_begin(uint16_t method, struct ike_kem **out, uint8_t *public);

/** As ike_ke_finish. A ciphertext that was changed gives a secret that nobody else has, and no error: FIPS 203 6.3. */
IPSP_MUST_CHECK enum ipsp_err ike_kem_finish(const struct ike_kem *kem, struct ipsp_span answer, uint8_t *shared);

/** As ike_ke_answer. */
IPSP_MUST_CHECK enum ipsp_err ike_kem_answer(uint16_t method, struct ipsp_span public, uint8_t *answer,
					     uint8_t *shared);

/** Wipes and frees. NULL is fine. */
void ike_kem_free(struct ike_kem *kem);

#endif
