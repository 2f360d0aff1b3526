/*
 * ipsp-pcap/algs.c - names of algorithms: those of tcpdump's -E, and those it does not have.
 */
#include <strings.h>

#include "ipsp-pcap/algs.h"

#define AES(name, encr, salt, combined) \
	{ "aes128-" name, encr, 128, salt, combined, false }, \
	{ "aes192-" name, encr, 192, salt, combined, false }, \
	{ "aes256-" name, encr, 256, salt, combined, false }

static const struct pc_cipher ciphers[] = {
	{ "none", IPSP_ENCR_NULL, 0, 0, false, false },
	{ "null", IPSP_ENCR_NULL, 0, 0, false, false },
	{ "des", IPSP_ENCR_DES_CBC, 64, 0, false, true },
	{ "des-cbc", IPSP_ENCR_DES_CBC, 64, 0, false, true },
	{ "3des", IPSP_ENCR_3DES_CBC, 192, 0, false, true },
	{ "3des-cbc", IPSP_ENCR_3DES_CBC, 192, 0, false, true },
	{ "blowfish", IPSP_ENCR_BLOWFISH_CBC, 128, 0, false, true },
	{ "blowfish-cbc", IPSP_ENCR_BLOWFISH_CBC, 128, 0, false, true },
	{ "cast128", IPSP_ENCR_CAST_CBC, 128, 0, false, true },
	{ "cast128-cbc", IPSP_ENCR_CAST_CBC, 128, 0, false, true },
	{ "cast", IPSP_ENCR_CAST_CBC, 128, 0, false, true },
	{ "cast-cbc", IPSP_ENCR_CAST_CBC, 128, 0, false, true },
	{ "aes128", IPSP_ENCR_AES_CBC, 128, 0, false, false },
	{ "aes192", IPSP_ENCR_AES_CBC, 192, 0, false, false },
	{ "aes256", IPSP_ENCR_AES_CBC, 256, 0, false, false },
	AES("cbc", IPSP_ENCR_AES_CBC, 0, false),
	AES("ctr", IPSP_ENCR_AES_CTR, 4, false),
	AES("ccm-8", IPSP_ENCR_AES_CCM_8, 3, true),
	AES("ccm-12", IPSP_ENCR_AES_CCM_12, 3, true),
	AES("ccm-16", IPSP_ENCR_AES_CCM_16, 3, true),
	AES("gcm-8", IPSP_ENCR_AES_GCM_8, 4, true),
	AES("gcm-12", IPSP_ENCR_AES_GCM_12, 4, true),
	AES("gcm-16", IPSP_ENCR_AES_GCM_16, 4, true),
	AES("gmac", IPSP_ENCR_NULL_AES_GMAC, 4, true),
	{ "camellia128-cbc", IPSP_ENCR_CAMELLIA_CBC, 128, 0, false, false },
	{ "camellia192-cbc", IPSP_ENCR_CAMELLIA_CBC, 192, 0, false, false },
	{ "camellia256-cbc", IPSP_ENCR_CAMELLIA_CBC, 256, 0, false, false },
	{ "chacha20-poly1305", IPSP_ENCR_CHACHA20_POLY1305, 256, 4, true, false },
};

static const struct pc_integrity integrities[] = {
	{ "hmac-md5-96", IPSP_INTEG_HMAC_MD5_96, 16, 12, true, false },
	{ "hmac-sha1-96", IPSP_INTEG_HMAC_SHA1_96, 20, 12, false, false },
	{ "hmac-sha2-256-128", IPSP_INTEG_HMAC_SHA2_256_128, 32, 16, false, false },
	{ "hmac-sha2-384-192", IPSP_INTEG_HMAC_SHA2_384_192, 48, 24, false, false },
	{ "hmac-sha2-512-256", IPSP_INTEG_HMAC_SHA2_512_256, 64, 32, false, false },
	{ "hmac-sha2-256-96", IPSP_INTEG_HMAC_SHA2_256_96, 32, 12, false, false },
	{ "hmac-sha2-384-96", IPSP_INTEG_HMAC_SHA2_384_96, 48, 12, false, false },
	{ "hmac-sha2-512-96", IPSP_INTEG_HMAC_SHA2_512_96, 64, 12, false, false },
	{ "hmac-ripemd-160-96", IPSP_INTEG_HMAC_RIPEMD_160_96, 20, 12, true, false },
	{ "aes-xcbc-96", IPSP_INTEG_AES_XCBC_96, 16, 12, false, false },
	{ "aes-cmac-96", IPSP_INTEG_AES_CMAC_96, 16, 12, false, false },
	{ "aes128-gmac", IPSP_INTEG_AES_128_GMAC, 20, 16, false, true },
	{ "aes192-gmac", IPSP_INTEG_AES_192_GMAC, 28, 16, false, true },
	{ "aes256-gmac", IPSP_INTEG_AES_256_GMAC, 36, 16, false, true },
};

const struct pc_cipher *pc_cipher_find(const char *name)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		if (!strcasecmp(ciphers[i].name, name))
			return &ciphers[i];
	}
	return NULL;
}

const struct pc_integrity *pc_integrity_find(const char *name)
{
	for (size_t i = 0; i < sizeof(integrities) / sizeof(integrities[0]); i++) {
		if (!strcasecmp(integrities[i].name, name))
			return &integrities[i];
	}
	return NULL;
}
