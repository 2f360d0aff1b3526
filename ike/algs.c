/* ike/algs.c - numbers of IKEv2 and of libipsp: see algs.h. */
#include "ike/algs.h"

#include <stdio.h>
#include <string.h>

#include "ike/ke.h"
#include "ike/prf.h"
#include "ipsp/config.h"

struct number {
	uint16_t ike, ipsp;
};

/* Ciphers with one key size have no attribute for it: RFC 7296 3.3.5. */
static const struct cipher {
	uint16_t ike, ipsp, only_bits;
} ciphers[] = {
	{ IKE_ENCR_DES, IPSP_ENCR_DES_CBC, 64 },
	{ IKE_ENCR_3DES, IPSP_ENCR_3DES_CBC, 192 },
	{ IKE_ENCR_CAST, IPSP_ENCR_CAST_CBC, 0 },
	{ IKE_ENCR_BLOWFISH, IPSP_ENCR_BLOWFISH_CBC, 0 },
	{ IKE_ENCR_NULL, IPSP_ENCR_NULL, 0 },
	{ IKE_ENCR_AES_CBC, IPSP_ENCR_AES_CBC, 0 },
	{ IKE_ENCR_AES_CTR, IPSP_ENCR_AES_CTR, 0 },
	{ IKE_ENCR_AES_CCM_8, IPSP_ENCR_AES_CCM_8, 0 },
	{ IKE_ENCR_AES_CCM_12, IPSP_ENCR_AES_CCM_12, 0 },
	{ IKE_ENCR_AES_CCM_16, IPSP_ENCR_AES_CCM_16, 0 },
	{ IKE_ENCR_AES_GCM_8, IPSP_ENCR_AES_GCM_8, 0 },
	{ IKE_ENCR_AES_GCM_12, IPSP_ENCR_AES_GCM_12, 0 },
	{ IKE_ENCR_AES_GCM_16, IPSP_ENCR_AES_GCM_16, 0 },
	{ IKE_ENCR_NULL_AUTH_AES_GMAC, IPSP_ENCR_NULL_AES_GMAC, 0 },
	{ IKE_ENCR_CAMELLIA_CBC, IPSP_ENCR_CAMELLIA_CBC, 0 },
	{ IKE_ENCR_CHACHA20_POLY1305, IPSP_ENCR_CHACHA20_POLY1305, 256 },
};

static const struct number integrities[] = {
	{ IKE_INTEG_NONE, IPSP_INTEG_NONE },
	{ IKE_INTEG_HMAC_MD5_96, IPSP_INTEG_HMAC_MD5_96 },
	{ IKE_INTEG_HMAC_SHA1_96, IPSP_INTEG_HMAC_SHA1_96 },
	{ IKE_INTEG_AES_XCBC_96, IPSP_INTEG_AES_XCBC_96 },
	{ IKE_INTEG_AES_CMAC_96, IPSP_INTEG_AES_CMAC_96 },
	{ IKE_INTEG_AES_128_GMAC, IPSP_INTEG_AES_128_GMAC },
	{ IKE_INTEG_AES_192_GMAC, IPSP_INTEG_AES_192_GMAC },
	{ IKE_INTEG_AES_256_GMAC, IPSP_INTEG_AES_256_GMAC },
	{ IKE_INTEG_HMAC_SHA2_256_128, IPSP_INTEG_HMAC_SHA2_256_128 },
	{ IKE_INTEG_HMAC_SHA2_384_192, IPSP_INTEG_HMAC_SHA2_384_192 },
	{ IKE_INTEG_HMAC_SHA2_512_256, IPSP_INTEG_HMAC_SHA2_512_256 },
};

static bool find_cipher(const struct ike_suite *s, struct ike_algs *out)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		if (ciphers[i].ike != s->encr)
			continue;
		out->encr = ciphers[i].ipsp;
		out->encr_key_bits = s->encr_key_bits ? s->encr_key_bits : ciphers[i].only_bits;
		return true;
	}
	return false;
}

bool ike_algs_of(const struct ike_suite *s, struct ike_algs *out)
{
	*out = (struct ike_algs){ 0 };
	if (s->encr && !find_cipher(s, out))
		return false;
	for (size_t i = 0; i < sizeof(integrities) / sizeof(integrities[0]); i++) {
		if (integrities[i].ike != s->integ)
			continue;
		out->integ = integrities[i].ipsp;
		return true;
	}
	return false;
}

/* ---- weak ones ---- */

static bool encr_is_weak(uint16_t encr)
{
	return encr == IKE_ENCR_DES || encr == IKE_ENCR_3DES || encr == IKE_ENCR_CAST ||
	       encr == IKE_ENCR_BLOWFISH;
}

static bool ke_is_weak(uint16_t method)
{
	const struct ike_ke_info *const info = ike_ke_find(method);

	return info && info->weak;
}

static void name(bool is_weak, enum ike_list list, uint16_t number, char text[IKE_WEAK_TEXT])
{
	const size_t len = strlen(text);
	char buf[IKE_NAME_TEXT];

	if (is_weak)
		snprintf(text + len, IKE_WEAK_TEXT - len, "%s%s", len ? ", " : "",
			 ike_name_or_number(list, number, buf));
}

bool ike_suite_weak(const struct ike_suite *suite, char text[IKE_WEAK_TEXT])
{
	text[0] = '\0';
	name(encr_is_weak(suite->encr), IKE_LIST_ENCR, suite->encr, text);
	name(suite->integ == IKE_INTEG_HMAC_MD5_96, IKE_LIST_INTEG, suite->integ, text);
	name(suite->prf && ike_prf_weak(suite->prf), IKE_LIST_PRF, suite->prf, text);
	name(suite->ke && ke_is_weak(suite->ke), IKE_LIST_KE, suite->ke, text);
	return text[0] != '\0';
}
