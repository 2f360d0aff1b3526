/*
 * ike/ke.c - key exchanges by OpenSSL's libcrypto: see ke.h. It computes Curve25519 six times as fast as
 * libgcrypt 1.10, and MODP 2048 twice.
 */
#include "ike/ke.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "ike/kem.h"
#include "ike/registry.h"

enum kind {
	KIND_MODP,
	KIND_MODP_OLD,	/* groups of RFC 2409, which the library knows by their prime alone */
	KIND_ECP,
	KIND_X,		/* Curve25519, Curve448: the keys are octets */
};

struct method {
	struct ike_ke_info info;
	enum kind kind;
	const char *group;	/* in the library's words */
};

#define MODP(number, octets, name) \
	{ { number, octets, octets, octets, false }, KIND_MODP, name }
#define ECP(number, octets, name) \
	{ { number, 2 * (octets), 2 * (octets), octets, false }, KIND_ECP, name }

static const struct method methods[] = {
	{ { IKE_KE_MODP_768, 96, 96, 96, true }, KIND_MODP_OLD, NULL },
	{ { IKE_KE_MODP_1024, 128, 128, 128, true }, KIND_MODP_OLD, NULL },
	{ { IKE_KE_MODP_1536, 192, 192, 192, true }, KIND_MODP, "modp_1536" },
	MODP(IKE_KE_MODP_2048, 256, "modp_2048"),
	MODP(IKE_KE_MODP_3072, 384, "modp_3072"),
	MODP(IKE_KE_MODP_4096, 512, "modp_4096"),
	MODP(IKE_KE_MODP_6144, 768, "modp_6144"),
	MODP(IKE_KE_MODP_8192, 1024, "modp_8192"),
	ECP(IKE_KE_ECP_256, 32, "prime256v1"),
	ECP(IKE_KE_ECP_384, 48, "secp384r1"),
	ECP(IKE_KE_ECP_521, 66, "secp521r1"),
	ECP(IKE_KE_BRAINPOOL_256, 32, "brainpoolP256r1"),
	ECP(IKE_KE_BRAINPOOL_384, 48, "brainpoolP384r1"),
	ECP(IKE_KE_BRAINPOOL_512, 64, "brainpoolP512r1"),
	{ { IKE_KE_CURVE25519, 32, 32, 32, false }, KIND_X, "X25519" },
	{ { IKE_KE_CURVE448, 56, 56, 56, false }, KIND_X, "X448" },
};

struct ike_ke {
	const struct method *method;
	EVP_PKEY *key;
	struct ike_kem *kem;	/* instead of both */
};

static const struct method *find(uint16_t number)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (methods[i].info.method == number)
			return &methods[i];
	}
	return NULL;
}

const struct ike_ke_info *ike_ke_find(uint16_t method)
{
	const struct method *const m = find(method);

	return m ? &m->info : ike_kem_find(method);
}

/* ---- private keys ---- */

/* RFC 7919 5.2: twice the strength, which is 80 bits at the very most. */
#define OLD_EXPONENT_BITS 160

/* Parameters of a group that has no name. */
static EVP_PKEY *old_group(const struct method *m)
{
	BIGNUM *const p = m->info.method == IKE_KE_MODP_768 ? BN_get_rfc2409_prime_768(NULL) :
							      BN_get_rfc2409_prime_1024(NULL);
	BIGNUM *const g = BN_new();
	OSSL_PARAM_BLD *const build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *const ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *group = NULL;

	if (p && g && build && ctx && BN_set_word(g, 2) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_FFC_P, p) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_FFC_G, g) &&
	    OSSL_PARAM_BLD_push_int(build, OSSL_PKEY_PARAM_DH_PRIV_LEN, OLD_EXPONENT_BITS))
		params = OSSL_PARAM_BLD_to_param(build);
	if (params && EVP_PKEY_fromdata_init(ctx) > 0)
		EVP_PKEY_fromdata(ctx, &group, EVP_PKEY_KEY_PARAMETERS, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_free(g);
	BN_free(p);
	return group;
}

static EVP_PKEY_CTX *generator(const struct method *m)
{
	EVP_PKEY *group;
	EVP_PKEY_CTX *ctx;

	if (m->kind != KIND_MODP_OLD)
		return EVP_PKEY_CTX_new_from_name(NULL, m->kind == KIND_MODP ? "DH" :
							m->kind == KIND_ECP ? "EC" : m->group,
						  NULL);
	group = old_group(m);
	ctx = group ? EVP_PKEY_CTX_new_from_pkey(NULL, group, NULL) : NULL;
	EVP_PKEY_free(group);
	return ctx;
}

static EVP_PKEY *new_key(const struct method *m)
{
	EVP_PKEY_CTX *const ctx = generator(m);
	const bool named = m->kind == KIND_MODP || m->kind == KIND_ECP;
	EVP_PKEY *key = NULL;

	if (ctx && EVP_PKEY_keygen_init(ctx) > 0 &&
	    (!named || EVP_PKEY_CTX_set_group_name(ctx, m->group) > 0))
		EVP_PKEY_generate(ctx, &key);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* ---- data of KE payloads ---- */

/* RFC 5903 7: the coordinates, without the octet that says so in front. */
#define POINT_UNCOMPRESSED 0x04u

static enum ipsp_err put_public(const struct ike_ke *ke, uint8_t *public)
{
	const size_t prefix = ke->method->kind == KIND_ECP;
	const size_t want = ke->method->info.public_len;
	unsigned char *octets = NULL;
	const size_t len = EVP_PKEY_get1_encoded_public_key(ke->key, &octets);
	enum ipsp_err err = IPSP_ECRYPTO;

	if (len >= prefix && len - prefix <= want && (!prefix || octets[0] == POINT_UNCOMPRESSED)) {
		memset(public, 0, want);
		memcpy(public + want - (len - prefix), octets + prefix, len - prefix);
		err = IPSP_OK;
	}
	OPENSSL_free(octets);
	return err;
}

static bool is_modp(const struct ike_ke *ke)
{
	return ke->method->kind == KIND_MODP || ke->method->kind == KIND_MODP_OLD;
}

/*
 * RFC 6989 2.1: of a safe prime's group all but 0, 1 and p - 1 will do. The library would raise to the
 * power of q as well, which costs ten times what the exchange does.
 */
static bool in_modp(const struct ike_ke *ke, struct ipsp_span public)
{
	BIGNUM *const y = BN_bin2bn(public.data, (int)public.len, NULL);
	BIGNUM *p = NULL;
	const bool good = y && EVP_PKEY_get_bn_param(ke->key, OSSL_PKEY_PARAM_FFC_P, &p) > 0 &&
			  BN_cmp(y, BN_value_one()) > 0 && BN_sub_word(p, 1) && BN_cmp(y, p) < 0;

	BN_free(p);
	BN_free(y);
	return good;
}

/* Points are seen to be on their curve by the library. NULL: no member of the group, or no memory. */
static EVP_PKEY *peer_key(const struct ike_ke *ke, struct ipsp_span public)
{
	const size_t prefix = ke->method->kind == KIND_ECP;
	uint8_t octets[1 + IKE_KE_PUBLIC_MAX] = { POINT_UNCOMPRESSED };
	EVP_PKEY *peer;

	if (public.len != ke->method->info.public_len || (is_modp(ke) && !in_modp(ke, public)))
		return NULL;
	peer = EVP_PKEY_new();
	memcpy(octets + prefix, public.data, public.len);
	if (peer && EVP_PKEY_copy_parameters(peer, ke->key) > 0 &&
	    EVP_PKEY_set1_encoded_public_key(peer, octets, prefix + public.len) > 0)
		return peer;
	EVP_PKEY_free(peer);
	return NULL;
}

static enum ipsp_err derive(const struct ike_ke *ke, EVP_PKEY *peer, uint8_t *shared)
{
	EVP_PKEY_CTX *const ctx = EVP_PKEY_CTX_new_from_pkey(NULL, ke->key, NULL);
	size_t len = ke->method->info.shared_len;
	enum ipsp_err err = IPSP_ENOMEM;

	if (ctx && EVP_PKEY_derive_init(ctx) > 0 && (!is_modp(ke) || EVP_PKEY_CTX_set_dh_pad(ctx, 1) > 0))
		err = EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) > 0 &&
				      EVP_PKEY_derive(ctx, shared, &len) > 0 &&
				      len == ke->method->info.shared_len ?
			      IPSP_OK : IPSP_EMALFORMED;
	EVP_PKEY_CTX_free(ctx);
	return err;
}

/* ---- exchanges ---- */

enum ipsp_err ike_ke_begin(uint16_t method, struct ike_ke **out, uint8_t *public)
{
	const struct method *const m = find(method);
	struct ike_ke *const ke = calloc(1, sizeof(*ke));
	enum ipsp_err err;

	if (!ke)
		return IPSP_ENOMEM;
	if (m) {
		ke->method = m;
		ke->key = new_key(m);
		err = ke->key ? put_public(ke, public) : IPSP_ECRYPTO;
	} else {
		err = ike_kem_begin(method, &ke->kem, public);
	}
	if (err != IPSP_OK) {
		ike_ke_free(ke);
		return err;
	}
	*out = ke;
	return IPSP_OK;
}

enum ipsp_err ike_ke_finish(const struct ike_ke *ke, struct ipsp_span answer, uint8_t *shared)
{
	EVP_PKEY *peer;
	enum ipsp_err err;

	if (ke->kem)
		return ike_kem_finish(ke->kem, answer, shared);
	peer = peer_key(ke, answer);
	err = peer ? derive(ke, peer, shared) : IPSP_EMALFORMED;

	EVP_PKEY_free(peer);
	return err;
}

enum ipsp_err ike_ke_answer(uint16_t method, struct ipsp_span public, uint8_t *answer,
			    uint8_t *shared)
{
	struct ike_ke *ke;
	enum ipsp_err err;

	if (!find(method))
		return ike_kem_answer(method, public, answer, shared);
	err = ike_ke_begin(method, &ke, answer);
	if (err != IPSP_OK)
		return err;
	err = ike_ke_finish(ke, public, shared);
	ike_ke_free(ke);
	return err;
}

void ike_ke_free(struct ike_ke *ke)
{
	if (!ke)
		return;
	ike_kem_free(ke->kem);
	EVP_PKEY_free(ke->key);
	free(ke);
}
