/*
 * ike/kem_none.c - no KEM, since libgcrypt has none.
 */
#include "ike/kem.h"

const struct ike_ke_info *ike_kem_find(uint16_t method)
{
	(void)method;
	return NULL;
}

enum ipsp_err ike_kem_begin(uint16_t method, struct ike_kem **out, uint8_t *public)
{
	(void)method, (void)out, (void)public;
	return IPSP_ENOTSUP;
}

enum ipsp_err ike_kem_finish(const struct ike_kem *kem, struct ipsp_span answer, uint8_t *shared)
{
	(void)kem, (void)answer, (void)shared;
	return IPSP_ENOTSUP;
}

enum ipsp_err ike_kem_answer(uint16_t method, struct ipsp_span public, uint8_t *answer, uint8_t *shared)
{
	(void)method, (void)public, (void)answer, (void)shared;
	return IPSP_ENOTSUP;
}

void ike_kem_free(struct ike_kem *kem)
{
	(void)kem;
}
