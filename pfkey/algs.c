/*
 * pfkey/algs.c - algorithms by the numbers of PF_KEY and by ours.
 *
 * PF_KEY's encryption numbers are those of the IPsec DOI (RFC 2407 4.4.4), as ours; its
 * authentication numbers are its own. Keys of counter modes carry their salt behind them, and count
 * with it (RFC 3686 5.1, 4106 8.1, 4309 7.1, 4543 6).
 */
#include "pfkey/algs.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define KEYS (PFKEY_HAS(SADB_EXT_KEY_AUTH) | PFKEY_HAS(SADB_EXT_KEY_ENCRYPT))

struct encr {
	uint8_t id;		/* PF_KEY's */
	uint16_t encr;		/* enum ipsp_encr */
	uint8_t iv_len;
	uint8_t salt_bits;
	bool combined;		/* needs no integrity */
	uint16_t bits[3];	/* of keys, without salt; ascending, 0: no more */
};

/* Numbers that Linux has none for: FreeBSD's. */
enum {
	EALG_CHACHA20_POLY1305 = 31,
	AALG_AES128_GMAC = 11,
	AALG_AES192_GMAC = 12,
	AALG_AES256_GMAC = 13,
	AALG_AES_CMAC = 250,	/* nobody's: of those for private use */
};

/* In the order in which they are proposed. */
static const struct encr encrs[] = {
	{ SADB_X_EALG_AES_GCM_ICV16, IPSP_ENCR_AES_GCM_16, 8, 32, true, { 128, 192, 256 } },
	{ SADB_X_EALG_AES_GCM_ICV12, IPSP_ENCR_AES_GCM_12, 8, 32, true, { 128, 192, 256 } },
	{ SADB_X_EALG_AES_GCM_ICV8, IPSP_ENCR_AES_GCM_8, 8, 32, true, { 128, 192, 256 } },
	{ SADB_X_EALG_AES_CCM_ICV16, IPSP_ENCR_AES_CCM_16, 8, 24, true, { 128, 192, 256 } },
	{ SADB_X_EALG_AES_CCM_ICV12, IPSP_ENCR_AES_CCM_12, 8, 24, true, { 128, 192, 256 } },
	{ SADB_X_EALG_AES_CCM_ICV8, IPSP_ENCR_AES_CCM_8, 8, 24, true, { 128, 192, 256 } },
	{ SADB_X_EALG_AESCBC, IPSP_ENCR_AES_CBC, 16, 0, false, { 128, 192, 256 } },
	{ SADB_X_EALG_AESCTR, IPSP_ENCR_AES_CTR, 8, 32, false, { 128, 192, 256 } },
	{ EALG_CHACHA20_POLY1305, IPSP_ENCR_CHACHA20_POLY1305, 8, 32, true, { 256 } },
	{ SADB_X_EALG_CAMELLIACBC, IPSP_ENCR_CAMELLIA_CBC, 16, 0, false, { 128, 192, 256 } },
	{ SADB_EALG_3DESCBC, IPSP_ENCR_3DES_CBC, 8, 0, false, { 192 } },
	{ SADB_X_EALG_BLOWFISHCBC, IPSP_ENCR_BLOWFISH_CBC, 8, 0, false, { 128 } },
	{ SADB_X_EALG_CASTCBC, IPSP_ENCR_CAST_CBC, 8, 0, false, { 128 } },
	{ SADB_EALG_DESCBC, IPSP_ENCR_DES_CBC, 8, 0, false, { 64 } },
	{ SADB_X_EALG_NULL_AES_GMAC, IPSP_ENCR_NULL_AES_GMAC, 8, 32, true, { 128, 192, 256 } },
	{ SADB_EALG_NULL, IPSP_ENCR_NULL, 0, 0, false, { 0 } },
};
#define N_ENCRS (sizeof(encrs) / sizeof(encrs[0]))

struct integ {
	uint8_t id;		/* PF_KEY's */
	uint16_t integ;		/* enum ipsp_integ */
	uint16_t bits;		/* of its key, with salt */
	uint8_t iv_len;
};

static const struct integ integs[] = {
	{ SADB_X_AALG_SHA2_256HMAC, IPSP_INTEG_HMAC_SHA2_256_128, 256, 0 },
	{ SADB_X_AALG_SHA2_512HMAC, IPSP_INTEG_HMAC_SHA2_512_256, 512, 0 },
	{ SADB_X_AALG_SHA2_384HMAC, IPSP_INTEG_HMAC_SHA2_384_192, 384, 0 },
	{ SADB_X_AALG_AES_XCBC_MAC, IPSP_INTEG_AES_XCBC_96, 128, 0 },
	{ AALG_AES_CMAC, IPSP_INTEG_AES_CMAC_96, 128, 0 },
	{ AALG_AES128_GMAC, IPSP_INTEG_AES_128_GMAC, 160, 8 },
	{ AALG_AES192_GMAC, IPSP_INTEG_AES_192_GMAC, 224, 8 },
	{ AALG_AES256_GMAC, IPSP_INTEG_AES_256_GMAC, 288, 8 },
	{ SADB_AALG_SHA1HMAC, IPSP_INTEG_HMAC_SHA1_96, 160, 0 },
	{ SADB_X_AALG_RIPEMD160HMAC, IPSP_INTEG_HMAC_RIPEMD_160_96, 160, 0 },
	{ SADB_AALG_MD5HMAC, IPSP_INTEG_HMAC_MD5_96, 128, 0 },
};
#define N_INTEGS (sizeof(integs) / sizeof(integs[0]))

static const struct {
	uint8_t satype, proto;
} types[] = {
	{ SADB_SATYPE_AH, IPPROTO_AH },
	{ SADB_SATYPE_ESP, IPPROTO_ESP },
	{ SADB_X_SATYPE_IPCOMP, IPPROTO_COMP },
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

uint8_t pfkey_proto_of(uint8_t satype)
{
	for (size_t i = 0; i < N_TYPES; i++) {
		if (types[i].satype == satype)
			return types[i].proto;
	}
	return 0;
}

uint8_t pfkey_satype_of(uint8_t proto)
{
	for (size_t i = 0; i < N_TYPES; i++) {
		if (types[i].proto == proto)
			return types[i].satype;
	}
	return SADB_SATYPE_UNSPEC;
}

/* ---- from a message ---- */

static bool take_key(const struct pfkey_key *k, struct ipsp_key *out)
{
	const size_t octets = k->bits / 8;

	if (k->bits % 8 != 0 || octets > sizeof(out->octets))
		return false;
	memcpy(out->octets, k->octets, octets);
	out->len = (uint16_t)octets;
	return true;
}

static bool set_encr(const struct pfkey_msg *m, struct ipsp_sa_config *cfg)
{
	const bool has_key = m->has & PFKEY_HAS(SADB_EXT_KEY_ENCRYPT);

	for (size_t i = 0; i < N_ENCRS; i++) {
		const struct encr *e = &encrs[i];

		if (e->id != m->sa.encrypt)
			continue;
		cfg->encr = e->encr;
		if (e->bits[0] == 0)
			return !has_key;
		if (!has_key || m->encrypt.bits <= e->salt_bits ||
		    !take_key(&m->encrypt, &cfg->encr_key))
			return false;
		cfg->encr_key_bits = (uint16_t)(m->encrypt.bits - e->salt_bits);
		return true;
	}
	return false;
}

static bool set_integ(const struct pfkey_msg *m, struct ipsp_sa_config *cfg)
{
	const bool has_key = m->has & PFKEY_HAS(SADB_EXT_KEY_AUTH);

	if (m->sa.auth == SADB_AALG_NONE || m->sa.auth == SADB_X_AALG_NULL)
		return !has_key;
	for (size_t i = 0; i < N_INTEGS; i++) {
		if (integs[i].id != m->sa.auth)
			continue;
		cfg->integ = integs[i].integ;
		return has_key && take_key(&m->auth, &cfg->integ_key);
	}
	return false;
}

int pfkey_algs_to_config(const struct pfkey_msg *m, struct ipsp_sa_config *cfg)
{
	const bool encrypts = cfg->proto == IPPROTO_ESP;

	if (cfg->proto == IPPROTO_COMP) {	/* its CPI's algorithm, no keys */
		cfg->encr = m->sa.encrypt;
		return m->sa.auth == SADB_AALG_NONE && !(m->has & KEYS) ? 0 : EINVAL;
	}
	if (encrypts ? !set_encr(m, cfg) :
		       m->sa.encrypt != SADB_EALG_NONE || m->has & PFKEY_HAS(SADB_EXT_KEY_ENCRYPT))
		return EINVAL;
	return set_integ(m, cfg) ? 0 : EINVAL;
}

uint8_t pfkey_alg_auth(uint16_t integ)
{
	for (size_t i = 0; i < N_INTEGS; i++) {
		if (integs[i].integ == integ)
			return integs[i].id;
	}
	return SADB_AALG_NONE;
}

uint8_t pfkey_alg_encrypt(uint8_t proto, uint16_t encr)
{
	if (proto == IPPROTO_COMP)
		return (uint8_t)encr;
	for (size_t i = 0; proto == IPPROTO_ESP && i < N_ENCRS; i++) {
		if (encrs[i].encr == encr)
			return encrs[i].id;
	}
	return SADB_EALG_NONE;
}

/* ---- what is offered ---- */

static bool offers(const struct ipsp_crypto *crypto, uint8_t proto, const struct encr *e,
		   uint16_t bits, uint16_t integ)
{
	struct ipsp_crypto_shape shape;

	return crypto->shape(proto, e ? e->encr : 0, bits, integ, &shape) == IPSP_OK;
}

/* Any integrity that the provider has with it. @return false: none */
static bool offers_encr(const struct ipsp_crypto *crypto, const struct encr *e, uint16_t bits)
{
	if (e->combined)
		return offers(crypto, IPPROTO_ESP, e, bits, IPSP_INTEG_NONE);
	for (size_t i = 0; i < N_INTEGS; i++) {
		if (offers(crypto, IPPROTO_ESP, e, bits, integs[i].integ))
			return true;
	}
	return false;
}

/* Key sizes with salt. @return false: not offered at all */
static bool encr_range(const struct ipsp_crypto *crypto, const struct encr *e, uint16_t *min,
		       uint16_t *max)
{
	bool any = false;

	*min = *max = 0;
	if (e->bits[0] == 0)
		return offers_encr(crypto, e, 0);
	for (size_t i = 0; i < 3 && e->bits[i]; i++) {
		if (!offers_encr(crypto, e, e->bits[i]))
			continue;
		*max = (uint16_t)(e->bits[i] + e->salt_bits);
		if (!any)
			*min = *max;
		any = true;
	}
	return any;
}

static bool offers_integ(const struct ipsp_crypto *crypto, uint8_t satype, const struct integ *a)
{
	static const struct encr null = { .encr = IPSP_ENCR_NULL };

	if (satype == SADB_SATYPE_AH)
		return offers(crypto, IPPROTO_AH, NULL, 0, a->integ);
	return offers(crypto, IPPROTO_ESP, &null, 0, a->integ);
}

size_t pfkey_algs_auth(const struct ipsp_crypto *crypto, uint8_t satype,
		       struct pfkey_alg out[PFKEY_ALGS_MAX])
{
	size_t n = 0;

	if (satype != SADB_SATYPE_AH && satype != SADB_SATYPE_ESP)
		return 0;
	for (size_t i = 0; i < N_INTEGS; i++) {
		if (offers_integ(crypto, satype, &integs[i]))
			out[n++] = (struct pfkey_alg){ integs[i].id, integs[i].iv_len,
						       integs[i].bits, integs[i].bits };
	}
	return n;
}

size_t pfkey_algs_encrypt(const struct ipsp_crypto *crypto, uint8_t satype,
			  struct pfkey_alg out[PFKEY_ALGS_MAX])
{
	size_t n = 0;

	if (satype != SADB_SATYPE_ESP)
		return 0;
	for (size_t i = 0; i < N_ENCRS; i++) {
		uint16_t min, max;

		if (encr_range(crypto, &encrs[i], &min, &max))
			out[n++] = (struct pfkey_alg){ encrs[i].id, encrs[i].iv_len, min, max };
	}
	return n;
}

size_t pfkey_algs_compress(const struct ipsp_compress *compress, uint8_t satype,
			   struct pfkey_alg out[PFKEY_ALGS_MAX])
{
	if (satype != SADB_X_SATYPE_IPCOMP || !compress || !compress->offers(IPSP_COMP_DEFLATE))
		return 0;
	out[0] = (struct pfkey_alg){ SADB_X_CALG_DEFLATE, 0, 0, 0 };
	return 1;
}

/* How long what is proposed should live. */
static const struct pfkey_lifetime soft = { .add_s = 3240 }, hard = { .add_s = 3600 };

static bool add_comb(const struct ipsp_crypto *crypto, const struct encr *e,
		     const struct integ *a, struct pfkey_comb *out)
{
	uint16_t min = 0, max = 0;

	if (e && !encr_range(crypto, e, &min, &max))
		return false;
	*out = (struct pfkey_comb){
		.auth = a ? a->id : SADB_AALG_NONE, .encrypt = e ? e->id : SADB_EALG_NONE,
		.auth_min_bits = a ? a->bits : 0, .auth_max_bits = a ? a->bits : 0,
		.encrypt_min_bits = min, .encrypt_max_bits = max, .soft = soft, .hard = hard,
	};
	return true;
}

/* The table has those that are not behind the others. */
static bool is_proposed(const struct encr *e)
{
	return e->encr != IPSP_ENCR_3DES_CBC;
}

size_t pfkey_algs_combs(const struct ipsp_crypto *crypto, uint8_t satype,
			struct pfkey_comb out[PFKEY_COMBS_MAX])
{
	size_t n = 0;

	if (satype == SADB_SATYPE_AH) {
		for (size_t i = 0; i < N_INTEGS; i++) {
			if (offers_integ(crypto, satype, &integs[i]))
				n += add_comb(crypto, NULL, &integs[i], &out[n]);
		}
	}
	/* Confidentiality is what ESP is asked for; weak ciphers are not proposed. */
	for (size_t i = 0; satype == SADB_SATYPE_ESP && is_proposed(&encrs[i]); i++) {
		if (encrs[i].combined && n < PFKEY_COMBS_MAX)
			n += add_comb(crypto, &encrs[i], NULL, &out[n]);
		for (size_t k = 0; !encrs[i].combined && k < N_INTEGS && n < PFKEY_COMBS_MAX;
		     k++) {
			if (offers_integ(crypto, satype, &integs[k]))
				n += add_comb(crypto, &encrs[i], &integs[k], &out[n]);
		}
	}
	return n;
}
