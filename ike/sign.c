/* ike/sign.c - signatures: see sign.h. */
#include "ike/sign.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <string.h>

#include "ike/message.h"

#define METHOD_RSA 1u
#define METHOD_DIGITAL 14u
#define IDENTIFIER_MAX 80u
#define COORDINATE_MAX 66u
#define SALT_DEFAULT 20u	/* of an identifier that does not say it: RFC 8017 A.2.3 */
#define SALT_MAX 1024u		/* longer than any signature that a payload of ours has room for */

/* What an AlgorithmIdentifier says besides its OID. RFC 7427 A. */
enum parameters {
	NO_PARAMETERS,
	NULL_PARAMETERS,	/* RFC 4055: NULL, which some leave out */
	PSS_PARAMETERS,		/* the hash, MGF1 with it, how long the salt is: ours as long as the hash */
};

struct ike_scheme {
	const char *name;
	uint8_t method;
	uint8_t hash;			/* of SIGNATURE_HASH_ALGORITHMS; 0: method 14 has no part in it */
	uint16_t strength;		/* RSA: for keys up to so many bits, rather than others */
	gnutls_pk_algorithm_t pk;
	gnutls_ecc_curve_t curve;	/* for it, rather than others; classic: only */
	gnutls_sign_algorithm_t algorithm;
	uint8_t coordinate;		/* classic ECDSA: octets of r, of s. RFC 4754 7 */
	enum parameters parameters;
	uint8_t oid_len;
	uint8_t oid[9];
};

#define OID_RSA 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01
#define OID_PSS OID_RSA, 0x0a
#define OID_ECDSA 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03

/* Of each key's the better ones first. */
static const struct ike_scheme schemes[] = {
	{ "RSA with SHA256", METHOD_DIGITAL, 2, 3072, GNUTLS_PK_RSA, 0, GNUTLS_SIGN_RSA_SHA256, 0,
	  NULL_PARAMETERS, 9, { OID_RSA, 0x0b } },
	{ "RSA with SHA384", METHOD_DIGITAL, 3, 7680, GNUTLS_PK_RSA, 0, GNUTLS_SIGN_RSA_SHA384, 0,
	  NULL_PARAMETERS, 9, { OID_RSA, 0x0c } },
	{ "RSA with SHA512", METHOD_DIGITAL, 4, UINT16_MAX, GNUTLS_PK_RSA, 0,
	  GNUTLS_SIGN_RSA_SHA512, 0, NULL_PARAMETERS, 9, { OID_RSA, 0x0d } },
	{ "RSA PSS with SHA256", METHOD_DIGITAL, 2, 3072, GNUTLS_PK_RSA_PSS, 0,
	  GNUTLS_SIGN_RSA_PSS_SHA256, 0, PSS_PARAMETERS, 9, { OID_PSS } },
	{ "RSA PSS with SHA384", METHOD_DIGITAL, 3, 7680, GNUTLS_PK_RSA_PSS, 0,
	  GNUTLS_SIGN_RSA_PSS_SHA384, 0, PSS_PARAMETERS, 9, { OID_PSS } },
	{ "RSA PSS with SHA512", METHOD_DIGITAL, 4, UINT16_MAX, GNUTLS_PK_RSA_PSS, 0,
	  GNUTLS_SIGN_RSA_PSS_SHA512, 0, PSS_PARAMETERS, 9, { OID_PSS } },
	{ "ECDSA with SHA256", METHOD_DIGITAL, 2, 0, GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP256R1,
	  GNUTLS_SIGN_ECDSA_SHA256, 0, NO_PARAMETERS, 8, { OID_ECDSA, 0x02 } },
	{ "ECDSA with SHA384", METHOD_DIGITAL, 3, 0, GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP384R1,
	  GNUTLS_SIGN_ECDSA_SHA384, 0, NO_PARAMETERS, 8, { OID_ECDSA, 0x03 } },
	{ "ECDSA with SHA512", METHOD_DIGITAL, 4, 0, GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP521R1,
	  GNUTLS_SIGN_ECDSA_SHA512, 0, NO_PARAMETERS, 8, { OID_ECDSA, 0x04 } },
	{ "Ed25519", METHOD_DIGITAL, 5, 0, GNUTLS_PK_EDDSA_ED25519, 0, GNUTLS_SIGN_EDDSA_ED25519, 0,
	  NO_PARAMETERS, 3, { 0x2b, 0x65, 0x70 } },
	{ "Ed448", METHOD_DIGITAL, 5, 0, GNUTLS_PK_EDDSA_ED448, 0, GNUTLS_SIGN_EDDSA_ED448, 0,
	  NO_PARAMETERS, 3, { 0x2b, 0x65, 0x71 } },
	/* Peers without RFC 7427. Method 1 is SHA-1 unless both know better, RFC 7296 3.8. */
	{ "RSA with SHA1", METHOD_RSA, 0, 0, GNUTLS_PK_RSA, 0, GNUTLS_SIGN_RSA_SHA1, 0,
	  NULL_PARAMETERS, 0, { 0 } },
	{ "RSA with SHA256", METHOD_RSA, 0, 0, GNUTLS_PK_RSA, 0, GNUTLS_SIGN_RSA_SHA256, 0,
	  NULL_PARAMETERS, 0, { 0 } },
	{ "RSA with SHA384", METHOD_RSA, 0, 0, GNUTLS_PK_RSA, 0, GNUTLS_SIGN_RSA_SHA384, 0,
	  NULL_PARAMETERS, 0, { 0 } },
	{ "RSA with SHA512", METHOD_RSA, 0, 0, GNUTLS_PK_RSA, 0, GNUTLS_SIGN_RSA_SHA512, 0,
	  NULL_PARAMETERS, 0, { 0 } },
	{ "ECDSA with SHA256 on P-256", 9, 0, 0, GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP256R1,
	  GNUTLS_SIGN_ECDSA_SHA256, 32, NO_PARAMETERS, 0, { 0 } },
	{ "ECDSA with SHA384 on P-384", 10, 0, 0, GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP384R1,
	  GNUTLS_SIGN_ECDSA_SHA384, 48, NO_PARAMETERS, 0, { 0 } },
	{ "ECDSA with SHA512 on P-521", 11, 0, 0, GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP521R1,
	  GNUTLS_SIGN_ECDSA_SHA512, 66, NO_PARAMETERS, 0, { 0 } },
};

#define N_SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

/* OIDs of SHA-2 end in the number that its hash has in SIGNATURE_HASH_ALGORITHMS, less one. */
#define OID_SHA2 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02

/* ---- AlgorithmIdentifier, RFC 7427 A ---- */

/* DER of the hash's own identifier. */
static size_t put_hash(const struct ike_scheme *s, bool nulls, uint8_t *out)
{
	const uint8_t hash[] = { 0x30, nulls ? 13 : 11, 0x06, 9, OID_SHA2, s->hash - 1u, 0x05, 0 };
	const size_t len = sizeof(hash) - (nulls ? 0 : 2);

	memcpy(out, hash, len);
	return len;
}

/* DER of its length; DER leaves a default out. RFC 8017 A.2.3 */
static size_t put_salt(unsigned salt, uint8_t *out)
{
	const uint8_t one[] = { 0xa2, 3, 0x02, 1, (uint8_t)salt };
	const uint8_t two[] = { 0xa2, 4, 0x02, 2, (uint8_t)(salt >> 8), (uint8_t)salt };
	const size_t len = salt == SALT_DEFAULT ? 0 : salt < 0x80 ? sizeof(one) : sizeof(two);

	memcpy(out, salt < 0x80 ? one : two, len);
	return len;
}

static size_t put_pss(const struct ike_scheme *s, bool nulls, unsigned salt, uint8_t *out)
{
	static const uint8_t mgf1[] = { 0x06, 9, OID_RSA, 0x08 };
	uint8_t hash[16], end[6];
	const size_t n = put_hash(s, nulls, hash), end_len = put_salt(salt, end);
	size_t at = 0;

	out[at++] = 0x30;
	out[at++] = (uint8_t)(2 + n + 4 + sizeof(mgf1) + n + end_len);
	out[at++] = 0xa0;
	out[at++] = (uint8_t)n;
	memcpy(out + at, hash, n);
	at += n;
	out[at++] = 0xa1;
	out[at++] = (uint8_t)(2 + sizeof(mgf1) + n);
	out[at++] = 0x30;
	out[at++] = (uint8_t)(sizeof(mgf1) + n);
	memcpy(out + at, mgf1, sizeof(mgf1));
	at += sizeof(mgf1);
	memcpy(out + at, hash, n);
	at += n;
	memcpy(out + at, end, end_len);
	return at + end_len;
}

/* nulls: with parameters that are NULL, where there are such. */
static size_t put_identifier(const struct ike_scheme *s, bool nulls, unsigned salt,
			     uint8_t out[IDENTIFIER_MAX])
{
	size_t at = 2;

	out[at++] = 0x06;
	out[at++] = s->oid_len;
	memcpy(out + at, s->oid, s->oid_len);
	at += s->oid_len;
	if (s->parameters == PSS_PARAMETERS) {
		at += put_pss(s, nulls, salt, out + at);
	} else if (s->parameters == NULL_PARAMETERS && nulls) {
		out[at++] = 0x05;
		out[at++] = 0;
	}
	out[0] = 0x30;
	out[1] = (uint8_t)(at - 2);
	return at;
}

/* How long a salt an identifier may mean by its end; that it does is found by writing it anew. */
static unsigned salt_at_end(struct ipsp_span identifier)
{
	static const uint8_t one[] = { 0xa2, 3, 0x02, 1 }, two[] = { 0xa2, 4, 0x02, 2 };
	const uint8_t *const end = identifier.data + identifier.len;

	if (identifier.len > sizeof(one) && !memcmp(end - 1 - sizeof(one), one, sizeof(one)))
		return end[-1];
	if (identifier.len > sizeof(two) + 1 && !memcmp(end - 2 - sizeof(two), two, sizeof(two)))
		return (unsigned)end[-2] << 8 | end[-1];
	return SALT_DEFAULT;
}

static bool identifies(const struct ike_scheme *s, struct ipsp_span identifier, unsigned *salt)
{
	*salt = s->parameters == PSS_PARAMETERS ? salt_at_end(identifier) : 0;
	for (int nulls = 0; nulls < 2 && *salt <= SALT_MAX; nulls++) {
		uint8_t octets[IDENTIFIER_MAX];
		const size_t len = put_identifier(s, nulls, *salt, octets);

		if (len == identifier.len && !memcmp(octets, identifier.data, len))
			return true;
	}
	return false;
}

/* ---- choosing ---- */

struct key_kind {
	gnutls_pk_algorithm_t pk;
	unsigned bits;
	gnutls_ecc_curve_t curve;
	gnutls_digest_algorithm_t hash;	/* that alone, of a key for PSS: RFC 4055 3.1. Unknown: any */
	unsigned salt;			/* and one at least as long as this */
};

static void read_pss(gnutls_privkey_t key, struct key_kind *kind)
{
	gnutls_x509_spki_t spki;

	if (gnutls_x509_spki_init(&spki) < 0)
		return;
	if (gnutls_privkey_get_spki(key, spki, 0) < 0 ||
	    gnutls_x509_spki_get_rsa_pss_params(spki, &kind->hash, &kind->salt) < 0) {
		kind->hash = GNUTLS_DIG_UNKNOWN;
		kind->salt = 0;
	}
	gnutls_x509_spki_deinit(spki);
}

static struct key_kind kind_of(gnutls_privkey_t key)
{
	struct key_kind kind = { 0 };
	gnutls_pubkey_t public;

	kind.pk = gnutls_privkey_get_pk_algorithm(key, &kind.bits);
	if (kind.pk == GNUTLS_PK_RSA_PSS)
		read_pss(key, &kind);
	if (kind.pk != GNUTLS_PK_ECDSA || gnutls_pubkey_init(&public) < 0)
		return kind;
	if (gnutls_pubkey_import_privkey(public, key, 0, 0) < 0 ||
	    gnutls_pubkey_export_ecc_raw2(public, &kind.curve, NULL, NULL, 0) < 0)
		kind.curve = GNUTLS_ECC_CURVE_INVALID;
	gnutls_pubkey_deinit(public);
	return kind;
}

/* 2: it is made for that key; 1: it will do; 0: not for that key. */
static int fits(const struct ike_scheme *s, const struct key_kind *kind, bool pss)
{
	const bool rsa = kind->pk == GNUTLS_PK_RSA && s->pk == GNUTLS_PK_RSA_PSS && pss;

	if (s->pk != kind->pk && !rsa)
		return 0;
	if (kind->hash != GNUTLS_DIG_UNKNOWN && kind->hash != gnutls_sign_get_hash_algorithm(s->algorithm))
		return 0;
	if (s->pk == GNUTLS_PK_ECDSA)
		return s->curve == kind->curve ? 2 : s->coordinate ? 0 : 1;
	if (s->strength > 0)
		return kind->bits <= s->strength ? 2 : 1;
	return 2;
}

static bool takes(const struct ike_scheme *s, unsigned hashes)
{
	return s->hash ? (hashes & 1u << s->hash) != 0 : hashes == 0;
}

/* With pss those come first, though they stand behind. */
static int rank(const struct ike_scheme *s, const struct key_kind *kind, bool pss)
{
	const int fit = fits(s, kind, pss);

	return fit && pss && s->pk == GNUTLS_PK_RSA_PSS ? fit + 2 : fit;
}

const struct ike_scheme *ike_scheme_choose(gnutls_privkey_t key, unsigned hashes, bool pss)
{
	const struct key_kind kind = kind_of(key);
	const struct ike_scheme *best = NULL;
	int best_rank = 0;

	for (size_t i = 0; i < N_SCHEMES; i++) {
		const int r = takes(&schemes[i], hashes) ? rank(&schemes[i], &kind, pss) : 0;

		if (r > best_rank) {
			best = &schemes[i];
			best_rank = r;
		}
	}
	return best;
}

bool ike_key_usable(gnutls_privkey_t key)
{
	return ike_scheme_choose(key, IKE_HASHES_OURS, false) != NULL;
}

uint8_t ike_scheme_method(const struct ike_scheme *s)
{
	return s->method;
}

const char *ike_scheme_name(const struct ike_scheme *s)
{
	return s->name;
}

bool ike_method_signs(uint8_t method)
{
	for (size_t i = 0; i < N_SCHEMES; i++) {
		if (schemes[i].method == method)
			return true;
	}
	return false;
}

/* ---- signing ---- */

/* A number of ASN.1 as so many octets. False: it is longer. */
static bool put_coordinate(const gnutls_datum_t *n, uint8_t len, uint8_t *out)
{
	unsigned zeros = 0;

	while (zeros < n->size && n->data[zeros] == 0)
		zeros++;
	if (n->size - zeros > len)
		return false;
	memset(out, 0, len);
	memcpy(out + len - (n->size - zeros), n->data + zeros, n->size - zeros);
	return true;
}

static enum ipsp_err put_classic(const struct ike_scheme *s, const gnutls_datum_t *signature,
				 uint8_t *out, size_t *len)
{
	gnutls_datum_t r = { 0 }, t = { 0 };
	bool good = gnutls_decode_rs_value(signature, &r, &t) >= 0;

	good = good && put_coordinate(&r, s->coordinate, out) &&
	       put_coordinate(&t, s->coordinate, out + s->coordinate);
	gnutls_free(r.data);
	gnutls_free(t.data);
	*len = 2u * s->coordinate;
	return good ? IPSP_OK : IPSP_ECRYPTO;
}

/* How long GnuTLS makes PSS's salt: as the hash is, or as the key wants it. 0: there is none */
static unsigned own_salt(const struct ike_scheme *s, gnutls_privkey_t key)
{
	const unsigned hash = gnutls_hash_get_len(gnutls_sign_get_hash_algorithm(s->algorithm));
	const struct key_kind kind = kind_of(key);

	if (s->parameters != PSS_PARAMETERS)
		return 0;
	return kind.salt > hash ? kind.salt : hash;
}

/* RFC 7427 3: the length of what names the algorithm, that, the signature. */
static enum ipsp_err put_signature(const struct ike_scheme *s, unsigned salt, const gnutls_datum_t *signature,
				   uint8_t *out, size_t *len)
{
	size_t at = 0;

	if (s->coordinate)
		return put_classic(s, signature, out, len);
	if (s->method == METHOD_DIGITAL) {
		at = 1 + put_identifier(s, true, salt, out + 1);
		out[0] = (uint8_t)(at - 1);
	}
	if (signature->size > IKE_SIGNATURE_MAX - at)
		return IPSP_ENOSPC;
	memcpy(out + at, signature->data, signature->size);
	*len = at + signature->size;
	return IPSP_OK;
}

enum ipsp_err ike_sign(const struct ike_scheme *s, gnutls_privkey_t key, struct ipsp_span octets,
		       uint8_t out[IKE_SIGNATURE_MAX], size_t *len)
{
	const gnutls_datum_t data = { (unsigned char *)(uintptr_t)octets.data, (unsigned)octets.len };
	gnutls_datum_t signature = { 0 };
	enum ipsp_err err = IPSP_ECRYPTO;

	if (gnutls_privkey_sign_data2(key, s->algorithm, 0, &data, &signature) >= 0)
		err = put_signature(s, own_salt(s, key), &signature, out, len);
	gnutls_free(signature.data);
	return err;
}

/* ---- verifying ---- */

static bool verifies(const struct ike_scheme *s, gnutls_pubkey_t key, const gnutls_datum_t *signature,
		     struct ipsp_span octets)
{
	const gnutls_datum_t data = { (unsigned char *)(uintptr_t)octets.data, (unsigned)octets.len };

	/* Method 1's SHA-1 is as RFC 8247 3.1 has it: what is signed has a nonce of ours in it. */
	return gnutls_pubkey_verify_data2(key, s->algorithm,
					  s->method == METHOD_RSA ? GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1 :
								    0,
					  &data, signature) >= 0;
}

/* RFC 4055 1.2, 3.1: what a key says of its signatures holds for them. */
static bool key_allows(const struct ike_scheme *s, gnutls_pubkey_t key, unsigned salt)
{
	gnutls_digest_algorithm_t hash = GNUTLS_DIG_UNKNOWN;
	unsigned least = 0;
	gnutls_x509_spki_t spki;
	bool allows;

	if (gnutls_pubkey_get_pk_algorithm(key, NULL) == GNUTLS_PK_RSA)
		return true;
	if (gnutls_x509_spki_init(&spki) < 0)
		return false;
	allows = gnutls_pubkey_get_spki(key, spki, 0) < 0 ||
		 gnutls_x509_spki_get_rsa_pss_params(spki, &hash, &least) < 0 ||
		 hash == GNUTLS_DIG_UNKNOWN ||
		 (hash == gnutls_sign_get_hash_algorithm(s->algorithm) && salt >= least);
	gnutls_x509_spki_deinit(spki);
	return allows;
}

/* The same key, for signatures with just such a salt. */
static bool with_salt(const struct ike_scheme *s, gnutls_pubkey_t key, unsigned salt, gnutls_pubkey_t out)
{
	gnutls_datum_t modulus = { 0 }, exponent = { 0 };
	gnutls_x509_spki_t spki;
	bool good;

	if (gnutls_x509_spki_init(&spki) < 0)
		return false;
	gnutls_x509_spki_set_rsa_pss_params(spki, gnutls_sign_get_hash_algorithm(s->algorithm), salt);
	good = gnutls_pubkey_export_rsa_raw2(key, &modulus, &exponent, 0) >= 0 &&
	       gnutls_pubkey_import_rsa_raw(out, &modulus, &exponent) >= 0 &&
	       gnutls_pubkey_set_spki(out, spki, 0) >= 0;
	gnutls_free(modulus.data);
	gnutls_free(exponent.data);
	gnutls_x509_spki_deinit(spki);
	return good;
}

static bool verifies_pss(const struct ike_scheme *s, gnutls_pubkey_t key, unsigned salt,
			 const gnutls_datum_t *signature, struct ipsp_span octets)
{
	gnutls_pubkey_t salted;
	bool good;

	if (!key_allows(s, key, salt) || gnutls_pubkey_init(&salted) < 0)
		return false;
	good = with_salt(s, key, salt, salted) && verifies(s, salted, signature, octets);
	gnutls_pubkey_deinit(salted);
	return good;
}

static bool verifies_classic(const struct ike_scheme *s, gnutls_pubkey_t key, struct ipsp_span data,
			     struct ipsp_span octets)
{
	const gnutls_datum_t r = { (unsigned char *)(uintptr_t)data.data, s->coordinate };
	const gnutls_datum_t t = { r.data + s->coordinate, s->coordinate };
	gnutls_ecc_curve_t curve;
	gnutls_datum_t der = { 0 };
	bool good;

	/* RFC 4754 3: each method has its curve. */
	if (data.len != 2u * s->coordinate ||
	    gnutls_pubkey_export_ecc_raw2(key, &curve, NULL, NULL, 0) < 0 || curve != s->curve)
		return false;
	good = gnutls_encode_rs_value(&der, &r, &t) >= 0 && verifies(s, key, &der, octets);
	gnutls_free(der.data);
	return good;
}

/* Takes what names the algorithm off. NULL: it is none of ours. *salt: how long PSS's is */
static const struct ike_scheme *read_identifier(struct ipsp_span *data, unsigned *salt)
{
	struct ipsp_span len, identifier;

	if (!ike_take(data, 1, &len) || !ike_take(data, len.data[0], &identifier))
		return NULL;
	for (size_t i = 0; i < N_SCHEMES; i++) {
		if (schemes[i].method == METHOD_DIGITAL &&
		    identifies(&schemes[i], identifier, salt))
			return &schemes[i];
	}
	return NULL;
}

static bool fits_key(const struct ike_scheme *s, gnutls_pubkey_t key)
{
	const gnutls_pk_algorithm_t pk = gnutls_pubkey_get_pk_algorithm(key, NULL);

	return pk == s->pk || (pk == GNUTLS_PK_RSA && s->pk == GNUTLS_PK_RSA_PSS);
}

const char *ike_signature_fault(gnutls_pubkey_t key, uint8_t method, struct ipsp_span data,
				struct ipsp_span octets, const char **name)
{
	const struct ike_scheme *named = NULL;
	unsigned salt = 0;

	if (method == METHOD_DIGITAL) {
		named = read_identifier(&data, &salt);
		if (!named)
			return "its signature is of an algorithm that is not known here";
	}
	for (size_t i = 0; i < N_SCHEMES; i++) {
		const struct ike_scheme *const s = &schemes[i];
		const gnutls_datum_t signature = { (unsigned char *)(uintptr_t)data.data,
						   (unsigned)data.len };

		if (s->method != method || (named && s != named) || !fits_key(s, key))
			continue;
		if (s->coordinate ? verifies_classic(s, key, data, octets) :
		    s->parameters == PSS_PARAMETERS ?
				    verifies_pss(s, key, salt, &signature, octets) :
				    verifies(s, key, &signature, octets)) {
			*name = s->name;
			return NULL;
		}
	}
	return "its signature is not by the key that it shows";
}
