/* policy/algs.c - known algorithms: see algs.h. */
#include "policy/algs.h"

#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* FIPS 197, RFC 3713, RFC 8439 */
#define AES_ROUNDS .rounds = 10, .rounds_192 = 12, .rounds_256 = 14
#define CAMELLIA_ROUNDS .rounds = 18, .rounds_192 = 24, .rounds_256 = 24
#define CHACHA_ROUNDS .rounds_256 = 20

/* RFC 2407 4.4.4, RFC 3602, RFC 3686, RFC 4309, RFC 4106, RFC 4312, RFC 4543 */
static const struct pol_alg esp_algs[] = {
	{ .number = 1, .name = "DES-IV64", .kind = POL_ALG_WEAK },
	{ .number = 2, .name = "DES", .kind = POL_ALG_WEAK, .key_octets = 8,
	  .on_request = true },
	{ .number = 3, .name = "3DES", .kind = POL_ALG_WEAK, .key_octets = 24,
	  .on_request = true },
	{ .number = 4, .name = "RC5", .kind = POL_ALG_WEAK },
	{ .number = 5, .name = "IDEA", .kind = POL_ALG_WEAK },
	{ .number = 6, .name = "CAST", .kind = POL_ALG_WEAK, .key_octets = 16,
	  .on_request = true },
	{ .number = 7, .name = "Blowfish", .kind = POL_ALG_WEAK, .key_octets = 16,
	  .on_request = true },
	{ .number = 8, .name = "3IDEA", .kind = POL_ALG_WEAK },
	{ .number = 9, .name = "DES-IV32", .kind = POL_ALG_WEAK },
	{ .number = 10, .name = "RC4", .kind = POL_ALG_WEAK },
	{ .number = 11, .name = "NULL", .kind = POL_ALG_OFFERED },
	{ .number = 12, .name = "AES-CBC", .kind = POL_ALG_OFFERED, .variable_key = true,
	  AES_ROUNDS },
	{ .number = 13, .name = "AES-CTR", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .never_manual = true, AES_ROUNDS },
	{ .number = 14, .name = "AES-CCM-8", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .never_manual = true, .combined = true, AES_ROUNDS },
	{ .number = 15, .name = "AES-CCM-12", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .never_manual = true, .combined = true, AES_ROUNDS },
	{ .number = 16, .name = "AES-CCM-16", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .never_manual = true, .combined = true, AES_ROUNDS },
	{ .number = 18, .name = "AES-GCM-8", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .never_manual = true, .combined = true, AES_ROUNDS },
	{ .number = 19, .name = "AES-GCM-12", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .never_manual = true, .combined = true, AES_ROUNDS },
	{ .number = 20, .name = "AES-GCM-16", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .never_manual = true, .combined = true, AES_ROUNDS },
	{ .number = 22, .name = "Camellia-CBC", .kind = POL_ALG_OFFERED, .variable_key = true,
	  CAMELLIA_ROUNDS },
	{ .number = 23, .name = "NULL with AES-GMAC", .kind = POL_ALG_OFFERED,
	  .variable_key = true, .never_manual = true, .combined = true, AES_ROUNDS },
	{ .number = 249, .name = "ChaCha20-Poly1305", .kind = POL_ALG_OFFERED, .key_octets = 32,
	  .never_manual = true, .combined = true, CHACHA_ROUNDS },
};

/* RFC 2407 4.5, RFC 2404, RFC 4868, RFC 3566, RFC 4543, RFC 4494 */
static const struct pol_alg auth_algs[] = {
	{ .number = 1, .name = "HMAC-MD5", .kind = POL_ALG_WEAK, .key_octets = 16,
	  .on_request = true },
	{ .number = 2, .name = "HMAC-SHA1-96", .kind = POL_ALG_OFFERED, .key_octets = 20 },
	{ .number = 3, .name = "DES-MAC", .kind = POL_ALG_WEAK, .key_octets = 8 },
	{ .number = 4, .name = "KPDK", .kind = POL_ALG_WEAK },
	{ .number = 5, .name = "HMAC-SHA2-256-128", .kind = POL_ALG_OFFERED, .key_octets = 32 },
	{ .number = 6, .name = "HMAC-SHA2-384-192", .kind = POL_ALG_OFFERED, .key_octets = 48 },
	{ .number = 7, .name = "HMAC-SHA2-512-256", .kind = POL_ALG_OFFERED, .key_octets = 64 },
	{ .number = 8, .name = "HMAC-RIPEMD", .kind = POL_ALG_WEAK, .key_octets = 20,
	  .on_request = true },
	{ .number = 9, .name = "AES-XCBC-MAC-96", .kind = POL_ALG_OFFERED, .key_octets = 16 },
	{ .number = 11, .name = "AES-GMAC-128", .kind = POL_ALG_OFFERED, .never_manual = true },
	{ .number = 12, .name = "AES-GMAC-192", .kind = POL_ALG_OFFERED, .never_manual = true },
	{ .number = 13, .name = "AES-GMAC-256", .kind = POL_ALG_OFFERED, .never_manual = true },
	/* private: AES-CMAC has no number, and the forms before RFC 4868 never had one */
	{ .number = 61508, .name = "AES-CMAC-96", .kind = POL_ALG_OFFERED, .key_octets = 16 },
	{ .number = 61525, .name = "HMAC-SHA2-256-96", .kind = POL_ALG_OFFERED, .key_octets = 32 },
	{ .number = 61526, .name = "HMAC-SHA2-384-96", .kind = POL_ALG_OFFERED, .key_octets = 48 },
	{ .number = 61527, .name = "HMAC-SHA2-512-96", .kind = POL_ALG_OFFERED, .key_octets = 64 },
};

/* RFC 2409 appendix A, RFC 3602, RFC 4312; 65100 + n: ENCR number n of RFC 7296 3.3.2 */
static const struct pol_alg ike_ciphers[] = {
	{ .number = 1, .name = "DES", .kind = POL_ALG_WEAK, .key_octets = 8,
	  .on_request = true },
	{ .number = 2, .name = "IDEA", .kind = POL_ALG_WEAK },
	{ .number = 3, .name = "Blowfish", .kind = POL_ALG_WEAK },
	{ .number = 4, .name = "RC5", .kind = POL_ALG_WEAK },
	{ .number = 5, .name = "3DES", .kind = POL_ALG_WEAK, .key_octets = 24,
	  .on_request = true },
	{ .number = 6, .name = "CAST", .kind = POL_ALG_WEAK },
	{ .number = 7, .name = "AES-CBC", .kind = POL_ALG_OFFERED, .variable_key = true,
	  AES_ROUNDS },
	{ .number = 8, .name = "Camellia-CBC", .kind = POL_ALG_OFFERED, .variable_key = true,
	  CAMELLIA_ROUNDS },
	{ .number = 65113, .name = "AES-CTR", .kind = POL_ALG_OFFERED, .variable_key = true,
	  AES_ROUNDS },
	{ .number = 65114, .name = "AES-CCM-8", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .combined = true, AES_ROUNDS },
	{ .number = 65115, .name = "AES-CCM-12", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .combined = true, AES_ROUNDS },
	{ .number = 65116, .name = "AES-CCM-16", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .combined = true, AES_ROUNDS },
	{ .number = 65118, .name = "AES-GCM-8", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .combined = true, AES_ROUNDS },
	{ .number = 65119, .name = "AES-GCM-12", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .combined = true, AES_ROUNDS },
	{ .number = 65120, .name = "AES-GCM-16", .kind = POL_ALG_OFFERED, .variable_key = true,
	  .combined = true, AES_ROUNDS },
	{ .number = 65128, .name = "ChaCha20-Poly1305", .kind = POL_ALG_OFFERED,
	  .combined = true, .key_octets = 32, CHACHA_ROUNDS },
};

static const struct pol_alg ike_hashes[] = {
	{ .number = 1, .name = "MD5", .kind = POL_ALG_WEAK, .on_request = true },
	{ .number = 2, .name = "SHA-1", .kind = POL_ALG_OFFERED },
	{ .number = 3, .name = "Tiger", .kind = POL_ALG_WEAK },
	{ .number = 4, .name = "SHA2-256", .kind = POL_ALG_OFFERED },
	{ .number = 5, .name = "SHA2-384", .kind = POL_ALG_OFFERED },
	{ .number = 6, .name = "SHA2-512", .kind = POL_ALG_OFFERED },
};

/* RFC 2409 6, RFC 3526, RFC 5903, RFC 6932, RFC 8031 */
static const struct pol_alg ike_groups[] = {
	{ .number = 1, .name = "MODP-768", .kind = POL_ALG_WEAK, .on_request = true },
	{ .number = 2, .name = "MODP-1024", .kind = POL_ALG_WEAK, .on_request = true },
	{ .number = 3, .name = "EC2N-155", .kind = POL_ALG_WEAK },
	{ .number = 4, .name = "EC2N-185", .kind = POL_ALG_WEAK },
	{ .number = 5, .name = "MODP-1536", .kind = POL_ALG_WEAK, .on_request = true },
	{ .number = 14, .name = "MODP-2048", .kind = POL_ALG_OFFERED },
	{ .number = 15, .name = "MODP-3072", .kind = POL_ALG_OFFERED },
	{ .number = 16, .name = "MODP-4096", .kind = POL_ALG_OFFERED },
	{ .number = 17, .name = "MODP-6144", .kind = POL_ALG_OFFERED },
	{ .number = 18, .name = "MODP-8192", .kind = POL_ALG_OFFERED },
	{ .number = 19, .name = "ECP-256", .kind = POL_ALG_OFFERED },
	{ .number = 20, .name = "ECP-384", .kind = POL_ALG_OFFERED },
	{ .number = 21, .name = "ECP-521", .kind = POL_ALG_OFFERED },
	{ .number = 28, .name = "brainpoolP256r1", .kind = POL_ALG_OFFERED },
	{ .number = 29, .name = "brainpoolP384r1", .kind = POL_ALG_OFFERED },
	{ .number = 30, .name = "brainpoolP512r1", .kind = POL_ALG_OFFERED },
	{ .number = 31, .name = "Curve25519", .kind = POL_ALG_OFFERED },
	{ .number = 32, .name = "Curve448", .kind = POL_ALG_OFFERED },
};

static const struct pol_alg ike_methods[] = {
	{ .number = 1, .name = "pre-shared key", .kind = POL_ALG_OFFERED },
	{ .number = 2, .name = "DSS", .kind = POL_ALG_WEAK },
	{ .number = 3, .name = "RSA signature", .kind = POL_ALG_OFFERED },
	{ .number = 4, .name = "RSA encryption", .kind = POL_ALG_NOT_YET },
	{ .number = 5, .name = "revised RSA encryption", .kind = POL_ALG_NOT_YET },
	{ .number = 8, .name = "ECDSA", .kind = POL_ALG_OFFERED },
	{ .number = 9, .name = "ECDSA with P-256", .kind = POL_ALG_OFFERED },
	{ .number = 10, .name = "ECDSA with P-384", .kind = POL_ALG_OFFERED },
	{ .number = 11, .name = "ECDSA with P-521", .kind = POL_ALG_OFFERED },
};

static const struct pol_alg *find(const struct pol_alg *algs, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++)
		if (algs[i].number == number)
			return &algs[i];
	return NULL;
}

const struct pol_alg *pol_alg_esp(uint32_t number)
{
	return find(esp_algs, COUNT(esp_algs), number);
}

const struct pol_alg *pol_alg_auth(uint32_t number)
{
	return find(auth_algs, COUNT(auth_algs), number);
}

const struct pol_alg *pol_alg_ike_cipher(uint32_t number)
{
	return find(ike_ciphers, COUNT(ike_ciphers), number);
}

const struct pol_alg *pol_alg_ike_hash(uint32_t number)
{
	return find(ike_hashes, COUNT(ike_hashes), number);
}

const struct pol_alg *pol_alg_ike_group(uint32_t number)
{
	return find(ike_groups, COUNT(ike_groups), number);
}

const struct pol_alg *pol_alg_ike_method(uint32_t number)
{
	return find(ike_methods, COUNT(ike_methods), number);
}

static bool weak_allowed;

void pol_algs_allow_weak(bool allow)
{
	weak_allowed = allow;
}

bool pol_alg_refused(const struct pol_alg *a)
{
	return a->kind == POL_ALG_WEAK && !(a->on_request && weak_allowed);
}

static void weak_text(const char *what, const struct pol_alg *a, char why[POL_ALG_TEXT])
{
	snprintf(why, POL_ALG_TEXT, "%s %s is too weak (RFC 8221)%s", what, a->name,
		 a->on_request ? ": ipspd offers it with the option allow-weak only" : "");
}

static bool auth_judge(uint32_t integ, char why[POL_ALG_TEXT])
{
	const struct pol_alg *a = pol_alg_auth(integ);

	if (!a)
		snprintf(why, POL_ALG_TEXT, "integrity algorithm %u is unknown", (unsigned)integ);
	else if (pol_alg_refused(a))
		weak_text("integrity algorithm", a, why);
	else
		return true;
	return false;
}

static bool key_bits_judge(const struct pol_alg *c, uint32_t bits, char why[POL_ALG_TEXT])
{
	if (c->variable_key) {
		if (bits == 128 || bits == 192 || bits == 256)
			return true;
		snprintf(why, POL_ALG_TEXT, "cipher %s needs a key length of 128, 192 or 256 bits",
			 c->name);
		return false;
	}
	if (bits == 0 || bits == c->key_octets * 8u)
		return true;
	snprintf(why, POL_ALG_TEXT, "cipher %s has a key length of %u bits", c->name,
		 c->key_octets * 8u);
	return false;
}

bool pol_rounds_judge(const struct pol_alg *cipher, uint32_t key_bits, uint32_t rounds,
		      char why[POL_ALG_TEXT])
{
	const uint32_t bits = cipher->variable_key ? key_bits : cipher->key_octets * 8u;
	const uint32_t has = bits == 256 ? cipher->rounds_256 :
			     bits == 192 ? cipher->rounds_192 : cipher->rounds;

	if (rounds == 0 || rounds == has)
		return true;
	if (has == 0)
		snprintf(why, POL_ALG_TEXT, "cipher %s has no rounds to choose: leave them at 0",
			 cipher->name);
	else
		snprintf(why, POL_ALG_TEXT, "cipher %s has %u rounds with that key, or 0 for the same",
			 cipher->name, (unsigned)has);
	return false;
}

bool pol_esp_judge(uint32_t cipher, uint32_t key_bits, uint32_t integ, char why[POL_ALG_TEXT])
{
	const struct pol_alg *c = pol_alg_esp(cipher);

	if (!c) {
		snprintf(why, POL_ALG_TEXT, "cipher %u is unknown", (unsigned)cipher);
		return false;
	}
	if (pol_alg_refused(c)) {
		weak_text("cipher", c, why);
		return false;
	}
	if (!key_bits_judge(c, key_bits, why))
		return false;
	if (c->combined && integ != 0) {
		snprintf(why, POL_ALG_TEXT,
			 "cipher %s brings its own integrity: the integrity algorithm must be 0",
			 c->name);
		return false;
	}
	if (c->combined)
		return true;
	if (integ == 0) {
		snprintf(why, POL_ALG_TEXT,
			 "cipher %s needs an integrity algorithm: without one it is too weak "
			 "(RFC 8221 section 4)", c->name);
		return false;
	}
	if (integ >= 11 && integ <= 13) {
		snprintf(why, POL_ALG_TEXT, "AES-GMAC belongs to AH, not to ESP (RFC 4543)");
		return false;
	}
	return auth_judge(integ, why);
}

bool pol_ah_judge(uint32_t integ, char why[POL_ALG_TEXT])
{
	return auth_judge(integ, why);
}
