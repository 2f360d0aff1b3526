/* tests/unit/ike/check_certs.c - signatures, names, credentials and certificates by themselves. RFC 4754, 4945, 5280, 7427. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ike/dn.h"
#include "ike/sign.h"
#include "ike/verify.h"
#include "tests/unit/ike/pki.h"

static struct pki_cert ca, leaf;

static void setup(void)
{
	const struct pki_spec root = { .dn = "CN=Root,O=Test", .ca = true };

	pki_make(&root, &ca);
}

static void teardown(void)
{
	pki_free(&ca);
	pki_free(&leaf);
	pki_forget();
}

static struct ipsp_span text(const char *s)
{
	return (struct ipsp_span){ (const uint8_t *)s, strlen(s) };
}

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = 0;
	unsigned octet;

	for (; sscanf(hex, "%2x", &octet) == 1; hex += 2)
		out[n++] = (uint8_t)octet;
	return n;
}

/* ---- signatures ---- */

static void load(enum pki_key kind, gnutls_privkey_t *key, gnutls_pubkey_t *public)
{
	const struct pki_spec spec = { .key = kind, .issuer = &ca };

	pki_make(&spec, &leaf);
	ck_assert_int_ge(gnutls_privkey_init(key), 0);
	ck_assert_int_ge(gnutls_privkey_import_x509(*key, leaf.key, 0), 0);
	ck_assert_int_ge(gnutls_pubkey_init(public), 0);
	ck_assert_int_ge(gnutls_pubkey_import_x509(*public, leaf.crt, 0), 0);
}

/* How keys sign for peers that take these hashes; RFC 7427 A has the identifiers in front. */
static const struct {
	enum pki_key key;
	unsigned hashes;
	bool pss;
	uint8_t method;
	const char *front;
} signatures[] = {
	{ PKI_RSA, 0, false, 1, "" },
	{ PKI_P256, 0, false, 9, "" },
	{ PKI_P384, 0, false, 10, "" },
	{ PKI_P521, 0, false, 11, "" },
	{ PKI_RSA, IKE_HASHES_OURS, false, 14, "0f300d06092a864886f70d01010b0500" },
	{ PKI_RSA, 1u << 3, false, 14, "0f300d06092a864886f70d01010c0500" },
	{ PKI_RSA, 1u << 4, false, 14, "0f300d06092a864886f70d01010d0500" },
	{ PKI_RSA, IKE_HASHES_OURS, true, 14,
	  "43304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108"
	  "300d06096086480165030402010500a203020120" },
	{ PKI_P256, IKE_HASHES_OURS, false, 14, "0c300a06082a8648ce3d040302" },
	{ PKI_P256, 1u << 4, false, 14, "0c300a06082a8648ce3d040304" },
	{ PKI_P384, IKE_HASHES_OURS, false, 14, "0c300a06082a8648ce3d040303" },
	{ PKI_P521, IKE_HASHES_OURS, false, 14, "0c300a06082a8648ce3d040304" },
	{ PKI_ED25519, IKE_HASHES_OURS, false, 14, "07300506032b6570" },
	{ PKI_ED448, IKE_HASHES_OURS, false, 14, "07300506032b6571" },
};

START_TEST(test_keys_sign_as_the_peer_takes_it)
{
	uint8_t data[IKE_SIGNATURE_MAX], front[128];
	const struct ike_scheme *scheme;
	const char *name = NULL;
	gnutls_privkey_t key;
	gnutls_pubkey_t public;
	size_t len, front_len;

	load(signatures[_i].key, &key, &public);
	scheme = ike_scheme_choose(key, signatures[_i].hashes, signatures[_i].pss);
	ck_assert_ptr_nonnull(scheme);
	ck_assert_uint_eq(ike_scheme_method(scheme), signatures[_i].method);
	ck_assert_int_eq(ike_sign(scheme, key, text("what is signed"), data, &len), IPSP_OK);
	front_len = from_hex(signatures[_i].front, front);
	ck_assert_uint_gt(len, front_len);
	ck_assert_mem_eq(data, front, front_len);
	ck_assert_ptr_null(ike_signature_fault(public, signatures[_i].method,
					       (struct ipsp_span){ data, len }, text("what is signed"),
					       &name));
	ck_assert_str_eq(name, ike_scheme_name(scheme));
	/* Not for another text, not with any octet else, not cut short. */
	ck_assert_ptr_nonnull(ike_signature_fault(public, signatures[_i].method,
						  (struct ipsp_span){ data, len }, text("what is not"),
						  &name));
	for (size_t i = 0; i < len; i += 5) {
		data[i] ^= 1;
		ck_assert_ptr_nonnull(ike_signature_fault(public, signatures[_i].method,
							  (struct ipsp_span){ data, len },
							  text("what is signed"), &name));
		data[i] ^= 1;
	}
	for (size_t i = 0; i < len; i += 7)
		ck_assert_ptr_nonnull(ike_signature_fault(public, signatures[_i].method,
							  (struct ipsp_span){ data, i },
							  text("what is signed"), &name));
	gnutls_privkey_deinit(key);
	gnutls_pubkey_deinit(public);
}
END_TEST

/* Identifiers of PSS with SHA2-256 in DER, RFC 7427 A.4: the outer length, that of the parameters, the end. */
static const struct {
	int salt;		/* of libcrypto's signature */
	const char *end;
	uint8_t more;		/* octets of end */
	bool good;
} salts[] = {
	{ 32, "a203020120", 5, true },
	{ 0, "a203020100", 5, true },
	{ 20, "", 0, true },	/* the default, which DER leaves out */
	{ 33, "a203020121", 5, true },
	{ 64, "a203020140", 5, true },
	{ 127, "a20302017f", 5, true },
	{ 128, "a20402020080", 6, true },
	{ 222, "a204020200de", 6, true },	/* as long as there is room for */
	{ 64, "a203020120", 5, false },
	{ 32, "a203020140", 5, false },
	{ 20, "a203020120", 5, false },
	{ 32, "", 0, false },
	{ 20, "a203020114", 5, false },		/* not DER */
	{ 32, "a20402020020", 6, false },	/* nor is this */
	{ 128, "a203020180", 5, false },	/* less than nothing */
	{ 32, "a20402020400", 6, false },
	{ 32, "a20402020401", 6, false },
	{ 32, "a20402028020", 6, false },
	{ 32, "a2050203010020", 7, false },
};

START_TEST(test_the_salt_of_pss_is_as_long_as_the_signature_says)
{
	uint8_t data[IKE_SIGNATURE_MAX];
	gnutls_privkey_t key;
	gnutls_pubkey_t public;
	const char *name = NULL;
	struct ipsp_span signature;
	char hex[256];
	size_t len;

	load(PKI_RSA, &key, &public);
	snprintf(hex, sizeof(hex),
		 "%02x30%02x06092a864886f70d01010a30%02xa00f300d06096086480165030402010500a11c301a06092a86"
		 "4886f70d010108300d06096086480165030402010500%s",
		 0x3e + salts[_i].more, 0x3c + salts[_i].more, 0x2f + salts[_i].more, salts[_i].end);
	len = from_hex(hex, data);
	ck_assert_uint_eq(len, 1u + data[0]);
	signature = pki_pss(&leaf, "what is signed", salts[_i].salt);
	memcpy(data + len, signature.data, signature.len);
	ck_assert_int_eq(ike_signature_fault(public, 14,
					     (struct ipsp_span){ data, len + signature.len },
					     text("what is signed"), &name) == NULL, salts[_i].good);
	ck_assert_int_eq(name && !strcmp(name, "RSA PSS with SHA256"), salts[_i].good);
	gnutls_privkey_deinit(key);
	gnutls_pubkey_deinit(public);
}
END_TEST

/* RFC 4055 3.1: the least that the key itself asks for, and the one hash. */
START_TEST(test_a_key_of_pss_says_which_salts_it_has)
{
	static const struct {
		gnutls_digest_algorithm_t hash;
		unsigned least;
		bool good;
	} says[] = {
		{ GNUTLS_DIG_SHA256, 32, true },
		{ GNUTLS_DIG_SHA256, 20, true },
		{ GNUTLS_DIG_SHA256, 33, false },
		{ GNUTLS_DIG_SHA384, 20, false },
	};
	const struct ike_scheme *scheme;
	uint8_t data[IKE_SIGNATURE_MAX];
	gnutls_x509_spki_t spki;
	gnutls_privkey_t key;
	gnutls_pubkey_t public;
	const char *name;
	size_t len;

	load(PKI_RSA, &key, &public);
	ck_assert_int_ge(gnutls_x509_spki_init(&spki), 0);
	gnutls_x509_spki_set_rsa_pss_params(spki, says[_i].hash, says[_i].least);
	ck_assert_int_ge(gnutls_pubkey_set_spki(public, spki, 0), 0);
	scheme = ike_scheme_choose(key, 1u << 2, true);
	ck_assert_int_eq(ike_sign(scheme, key, text("what is signed"), data, &len), IPSP_OK);
	ck_assert_int_eq(ike_signature_fault(public, 14, (struct ipsp_span){ data, len },
					     text("what is signed"), &name) == NULL, says[_i].good);
	gnutls_x509_spki_deinit(spki);
	gnutls_privkey_deinit(key);
	gnutls_pubkey_deinit(public);
}
END_TEST

/* RFC 4055 3.1: what the key says holds for what we sign, and that tells how it was signed. */
START_TEST(test_a_key_of_pss_signs_as_it_says)
{
	static const struct {
		gnutls_digest_algorithm_t hash;
		unsigned salt;
		const char *name;	/* NULL: the peer does not take that hash */
	} says[] = {
		{ GNUTLS_DIG_SHA256, 32, "RSA PSS with SHA256" },
		{ GNUTLS_DIG_SHA256, 64, "RSA PSS with SHA256" },
		{ GNUTLS_DIG_SHA384, 48, "RSA PSS with SHA384" },
		{ GNUTLS_DIG_SHA512, 20, NULL },
	};
	const struct ike_scheme *scheme;
	uint8_t data[IKE_SIGNATURE_MAX];
	gnutls_x509_spki_t spki;
	gnutls_privkey_t key;
	gnutls_pubkey_t public;
	const char *name = NULL;
	size_t len;

	load(PKI_RSA, &key, &public);
	ck_assert_int_ge(gnutls_x509_spki_init(&spki), 0);
	gnutls_x509_spki_set_rsa_pss_params(spki, says[_i].hash, says[_i].salt);
	ck_assert_int_ge(gnutls_privkey_set_spki(key, spki, 0), 0);
	ck_assert_int_ge(gnutls_pubkey_set_spki(public, spki, 0), 0);
	scheme = ike_scheme_choose(key, 1u << 2 | 1u << 3, false);
	ck_assert_int_eq(scheme != NULL, says[_i].name != NULL);
	if (scheme) {
		ck_assert_int_eq(ike_sign(scheme, key, text("what is signed"), data, &len), IPSP_OK);
		ck_assert_ptr_null(ike_signature_fault(public, 14, (struct ipsp_span){ data, len },
						       text("what is signed"), &name));
		ck_assert_str_eq(name, says[_i].name);
	}
	gnutls_x509_spki_deinit(spki);
	gnutls_privkey_deinit(key);
	gnutls_pubkey_deinit(public);
}
END_TEST

START_TEST(test_a_key_has_no_signature_where_the_peer_takes_none)
{
	gnutls_privkey_t key;
	gnutls_pubkey_t public;

	load(PKI_ED25519, &key, &public);
	ck_assert_ptr_null(ike_scheme_choose(key, 0, false));
	ck_assert_ptr_null(ike_scheme_choose(key, 1u << 2, false));
	gnutls_privkey_deinit(key);
	gnutls_pubkey_deinit(public);
}
END_TEST

START_TEST(test_the_signature_of_rfc_4754_8_1_is_good)
{
	uint8_t x[32], y[32], rs[64];
	const gnutls_datum_t dx = { x, 32 }, dy = { y, 32 };
	gnutls_pubkey_t key;
	const char *name;

	from_hex("2442A5CC0ECD015FA3CA31DC8E2BBC70BF42D60CBCA20085E0822CB04235E970", x);
	from_hex("6FC98BD7E50211A4A27102FA3549DF79EBCB4BF246B80945CDDFE7D509BBFD7D", y);
	from_hex("CB28E0999B9C7715FD0A80D8E47A77079716CBBF917DD72E97566EA1C066957C"
		 "86FA3BB4E26CAD5BF90B7F81899256CE7594BB1EA0C89212748BFF3B3D5B0315", rs);
	ck_assert_int_ge(gnutls_pubkey_init(&key), 0);
	ck_assert_int_ge(gnutls_pubkey_import_ecc_raw(key, GNUTLS_ECC_CURVE_SECP256R1, &dx, &dy), 0);
	ck_assert_ptr_null(ike_signature_fault(key, 9, (struct ipsp_span){ rs, 64 }, text("abc"), &name));
	/* Another curve's method has another length, and another hash. */
	ck_assert_ptr_nonnull(ike_signature_fault(key, 10, (struct ipsp_span){ rs, 64 }, text("abc"),
						  &name));
	gnutls_pubkey_deinit(key);
}
END_TEST

/* ---- names ---- */

static const struct {
	const char *a, *b;
	bool same;
} names[] = {
	{ "CN=a,O=b,C=CH", "CN=a,O=b,C=CH", true },
	{ "CN=a,O=b,C=CH", "cn=A,o=B,c=ch", true },
	{ "CN=Two  Words", "CN=two words", true },
	{ "CN=a,O=b", "O=b,CN=a", false },
	{ "CN=a,O=b", "CN=a", false },
	{ "CN=a", "CN=a,O=b", false },
	{ "CN=twowords", "CN=two words", false },
	{ "CN=a", "O=a", false },
	{ "CN=M\xc3\xbcller", "CN=m\xc3\xbcLLER", true },
	{ "CN=M\xc3\xbcller", "CN=Muller", false },
};

START_TEST(test_names_are_compared_as_rfc_5280_says)
{
	uint8_t a[256], b[256];
	size_t a_len = sizeof(a), b_len = sizeof(b);

	ck_assert(ike_dn_make(names[_i].a, a, &a_len));
	ck_assert(ike_dn_make(names[_i].b, b, &b_len));
	ck_assert_int_eq(ike_dn_same((struct ipsp_span){ a, a_len }, (struct ipsp_span){ b, b_len }),
			 names[_i].same);
}
END_TEST

START_TEST(test_what_is_within_one_relative_name_has_no_order)
{
	uint8_t a[64], b[64], c[64];
	struct ipsp_span name_a, name_b, name_c;

	name_a = (struct ipsp_span){ a, from_hex("30163114300806035504030c016130080603550"
						 "40a0c0162", a) };
	name_b = (struct ipsp_span){ b, from_hex("3016311430080603550"
						 "40a0c0142300806035504030c0141", b) };
	name_c = (struct ipsp_span){ c, from_hex("301631143008060355040a0c01633008060355"
						 "04030c0161", c) };
	ck_assert(ike_dn_same(name_a, name_b));
	ck_assert(!ike_dn_same(name_a, name_c));
}
END_TEST

START_TEST(test_a_name_is_printed_as_it_was_read)
{
	static const char name[] = "CN=b.example,OU=Routers\\, small,O=Example,C=CH";
	struct ike_identity id, cut;
	char buf[IKE_IDENTITY_TEXT];

	ck_assert(ike_identity_make(IKE_ID_DER_ASN1_DN, name, &id));
	ike_identity_text(&id, buf);
	ck_assert_str_eq(buf, "DER_ASN1_DN CN=b.example,OU=Routers\\, small,O=Example,C=CH");
	/* What is no name is printed as octets, and is nobody's. */
	for (uint16_t len = 1; len < id.len; len++) {
		cut = id;
		cut.len = len;
		ike_identity_text(&cut, buf);
		ck_assert_ptr_null(strstr(buf, "CN=b"));
		ck_assert(!ike_identity_fits(&id, &cut));
	}
	ck_assert(!ike_identity_make(IKE_ID_DER_ASN1_DN, "no name", &id));
	ck_assert(!ike_identity_make(IKE_ID_DER_ASN1_DN, "CN=", &id) || id.len > 0);
}
END_TEST

/* ---- credentials ---- */

START_TEST(test_what_is_no_credential_is_refused_with_a_reason)
{
	const struct pki_spec good = { .issuer = &ca }, usage = { .issuer = &ca,
							 .usage = GNUTLS_KEY_KEY_ENCIPHERMENT };
	const struct pki_spec purpose = { .issuer = &ca, .purpose = "1.3.6.1.5.5.7.3.4" };
	const struct pki_cert *const at_ca = &ca;
	const struct pki_cert *at, *many[IKE_CAS_MAX + 1];
	struct pki_cert c[3];
	struct {
		struct ike_credential_parts parts;
		const char *why;
	} cases[7];
	char why[IKE_WHY_TEXT];

	pki_make(&good, &c[0]);
	pki_make(&usage, &c[1]);
	pki_make(&purpose, &c[2]);
	memset(cases, 0, sizeof(cases));
	cases[0].why = "the private key cannot be read";
	cases[1].parts.key = text("-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----\n");
	cases[1].why = "the private key cannot be read";
	cases[2].parts.key = text("pkcs11:token=none;object=none");
	cases[2].why = "the private key cannot be read";
	at = &c[0];
	cases[3].parts = (struct ike_credential_parts){ .key = pki_key(&ca), .certs = pki_certs(&at, 1) };
	cases[3].why = "the private key is not the certificate's";
	cases[4].parts = (struct ike_credential_parts){ .key = pki_key(&ca), .certs = pki_certs(&at_ca, 1) };
	cases[4].why = "digitalSignature";
	at = &c[1];
	cases[5].parts = (struct ike_credential_parts){ .key = pki_key(at), .certs = pki_certs(&at, 1) };
	cases[5].why = "digitalSignature";
	at = &c[2];
	cases[6].parts = (struct ike_credential_parts){ .key = pki_key(at), .certs = pki_certs(&at, 1) };
	cases[6].why = "not for IKE";
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_ptr_null(ike_credential_new(&cases[i].parts, why));
		ck_assert_msg(strstr(why, cases[i].why) != NULL, "%zu: %s", i, why);
	}
	ck_assert_ptr_null(ike_trust_new(&(struct ike_trust_parts){ 0 }, why));
	ck_assert_ptr_nonnull(strstr(why, "there is no CA"));
	ck_assert_ptr_null(ike_trust_new(&(struct ike_trust_parts){ .cas = text("nothing") }, why));
	ck_assert_ptr_nonnull(strstr(why, "the CA's certificate cannot be read"));
	for (unsigned i = 0; i <= IKE_CAS_MAX; i++)
		many[i] = &ca;
	ck_assert_ptr_null(ike_trust_new(&(struct ike_trust_parts){ .cas = pki_certs(many, IKE_CAS_MAX + 1) },
					 why));
	ck_assert_ptr_nonnull(strstr(why, "too many"));
	for (unsigned i = 0; i < 3; i++)
		pki_free(&c[i]);
}
END_TEST

/* ---- a peer's certificate that its own end would not show ---- */

static struct ike_identity id;
static gnutls_datum_t leaf_der;

static void prepare(struct ike_verify *v, const struct pki_spec *spec,
		    const struct ike_trust_parts *parts, struct ike_cert_payload first)
{
	static uint8_t data[IKE_SIGNATURE_MAX];
	char why[IKE_WHY_TEXT];
	gnutls_privkey_t key;
	size_t len;

	pki_make(spec, &leaf);
	ck_assert(ike_identity_make(IKE_ID_FQDN, "b.example", &id));
	ck_assert_int_ge(gnutls_privkey_init(&key), 0);
	ck_assert_int_ge(gnutls_privkey_import_x509(key, leaf.key, 0), 0);
	ck_assert_int_eq(ike_sign(ike_scheme_choose(key, IKE_HASHES_OURS, false), key, text("signed"),
				  data, &len), IPSP_OK);
	gnutls_privkey_deinit(key);
	memset(v, 0, sizeof(*v));
	v->trust = ike_trust_new(parts, why);
	ck_assert_msg(v->trust != NULL, "%s", why);
	v->id = &id;
	v->now_s = time(NULL);
	v->method = 14;
	v->signature = (struct ipsp_span){ data, len };
	v->octets = text("signed");
	v->n_certs = 1;
	v->certs[0] = first;
	if (first.encoding == 0) {
		ck_assert_int_ge(gnutls_x509_crt_export2(leaf.crt, GNUTLS_X509_FMT_DER, &leaf_der), 0);
		v->certs[0] = (struct ike_cert_payload){ IKE_CERT_X509_SIGNATURE,
							 { leaf_der.data, leaf_der.size } };
	}
}

static void verify(struct ike_verify *v, const struct pki_spec *spec, const struct ike_trust_parts *parts,
		   struct ike_cert_payload first)
{
	prepare(v, spec, parts, first);
	ike_verify_run(v);
}

static void end_verify(struct ike_verify *v)
{
	ike_verify_fini(v);
	ike_trust_unref(v->trust);
	gnutls_free(leaf_der.data);
	leaf_der.data = NULL;
}

static const struct {
	struct pki_spec spec;
	struct ike_cert_payload first;
	const char *why;	/* NULL: it is good */
} peers[] = {
	{ { .dns = "b.example" }, { 0, { 0 } }, NULL },
	{ { .dns = "b.example", .purpose = "2.5.29.37.0" }, { 0, { 0 } }, NULL },
	{ { .dns = "b.example", .purpose = "1.3.6.1.5.5.8.2.2" }, { 0, { 0 } }, NULL },
	{ { .dns = "b.example", .purpose = "1.3.6.1.5.5.7.3.17" }, { 0, { 0 } }, NULL },
	{ { .dns = "b.example", .purpose = "1.3.6.1.5.5.7.3.4" }, { 0, { 0 } },
	  "the extended key usage of its certificate is not for IKE" },
	{ { .dns = "b.example", .usage = GNUTLS_KEY_KEY_ENCIPHERMENT }, { 0, { 0 } },
	  "the key usage of its certificate has no digitalSignature" },
	{ { .dn = "CN=b.example" }, { 0, { 0 } }, "FQDN b.example is not in its certificate" },
	{ { .dns = "*.example" }, { 0, { 0 } }, "FQDN b.example is not in its certificate" },
	{ { .dns = "b.example" }, { IKE_CERT_HASH_AND_URL_CERT, { (const uint8_t *)"hash", 4 } },
	  "the peer's certificate is to be had from a URL" },
	{ { .dns = "b.example" }, { IKE_CERT_X509_SIGNATURE, { (const uint8_t *)"0000", 4 } },
	  "the peer's certificate cannot be read" },
	{ { .dns = "b.example" }, { IKE_CERT_PGP, { (const uint8_t *)"0000", 4 } },
	  "the peer shows no certificate" },
};

START_TEST(test_a_peers_certificate_must_be_for_ike_and_for_it)
{
	const struct pki_cert *const at = &ca;
	struct pki_spec spec = peers[_i].spec;
	struct ike_verify v;

	spec.issuer = &ca;
	verify(&v, &spec, &(struct ike_trust_parts){ .cas = pki_certs(&at, 1) }, peers[_i].first);
	ck_assert_msg(v.good == !peers[_i].why, "%s", v.why);
	if (peers[_i].why)
		ck_assert_msg(strstr(v.why, peers[_i].why) != NULL, "%s", v.why);
	end_verify(&v);
}
END_TEST

START_TEST(test_a_signature_by_another_key_than_the_certificates_is_refused)
{
	const struct pki_spec spec = { .dns = "b.example", .issuer = &ca };
	const struct pki_cert *const at = &ca;
	struct pki_cert other;
	gnutls_datum_t der;
	struct ike_verify v;

	pki_make(&spec, &other);
	ck_assert_int_ge(gnutls_x509_crt_export2(other.crt, GNUTLS_X509_FMT_DER, &der), 0);
	verify(&v, &spec, &(struct ike_trust_parts){ .cas = pki_certs(&at, 1) },
	       (struct ike_cert_payload){ IKE_CERT_X509_SIGNATURE, { der.data, der.size } });
	ck_assert(!v.good);
	ck_assert_str_eq(v.why, "its signature is not by the key that it shows");
	end_verify(&v);
	gnutls_free(der.data);
	pki_free(&other);
}
END_TEST

/* ---- at a time ---- */

#define N_THREADS 4
#define N_ROUNDS 40

struct worker {
	pthread_t thread;
	struct ike_credential *credential;
	struct ike_trust *trust;
	struct ipsp_span cert, list;
	unsigned n_good;
};

/* As the jobs do it; nothing is asserted off the test's own thread. */
static void *work(void *arg)
{
	struct worker *const w = arg;
	const struct ike_scheme *const scheme = ike_scheme_choose(w->credential->key, IKE_HASHES_OURS,
								  false);
	uint8_t data[IKE_SIGNATURE_MAX];
	struct ike_crl *const crl = ike_crl_new(w->list);
	size_t len;

	for (unsigned i = 0; i < N_ROUNDS && crl; i++) {
		struct ike_verify v = { .trust = w->trust, .id = &id, .now_s = time(NULL), .method = 14,
					.octets = text("signed"), .n_certs = 1, .n_crls = 2,
					.crls = { crl, w->trust->crls[0] } };

		if (ike_sign(scheme, w->credential->key, v.octets, data, &len) != IPSP_OK)
			break;
		v.signature = (struct ipsp_span){ data, len };
		v.certs[0] = (struct ike_cert_payload){ IKE_CERT_X509_SIGNATURE, w->cert };
		ike_verify_run(&v);
		ike_verify_revocation(&v);
		w->n_good += v.good && !v.unknown;
		ike_verify_fini(&v);
	}
	ike_crl_unref(crl);
	return NULL;
}

START_TEST(test_many_threads_use_one_credential_and_one_trust)
{
	const struct pki_spec spec = { .dns = "b.example", .issuer = &ca,
				       .key = _i ? PKI_RSA : PKI_P256 };
	const struct pki_cert *const at_ca = &ca, *const at_leaf = &leaf;
	static struct worker workers[N_THREADS];
	struct worker w = { 0 };
	char why[IKE_WHY_TEXT];
	gnutls_datum_t der;

	pki_make(&spec, &leaf);
	ck_assert(ike_identity_make(IKE_ID_FQDN, "b.example", &id));
	ck_assert_int_ge(gnutls_x509_crt_export2(leaf.crt, GNUTLS_X509_FMT_DER, &der), 0);
	w.cert = (struct ipsp_span){ der.data, der.size };
	w.list = pki_crl(&ca, NULL, 5);
	w.credential = ike_credential_new(&(struct ike_credential_parts){ .key = pki_key(&leaf),
									  .certs = pki_certs(&at_leaf, 1) },
					  why);
	w.trust = ike_trust_new(&(struct ike_trust_parts){ .cas = pki_certs(&at_ca, 1), .crls = w.list,
							   .level = IKE_CRL_REQUIRED }, why);
	ck_assert(w.credential && w.trust);
	for (unsigned i = 0; i < N_THREADS; i++) {
		workers[i] = w;
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < N_THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		ck_assert_uint_eq(workers[i].n_good, N_ROUNDS);
	}
	ike_credential_unref(w.credential);
	ike_trust_unref(w.trust);
	gnutls_free(der.data);
}
END_TEST

START_TEST(test_an_ocsp_answer_may_come_with_the_certificate)
{
	const struct pki_spec spec = { .dns = "b.example", .issuer = &ca };
	const struct pki_cert *const at = &ca;
	struct ike_verify v;

	verify(&v, &spec, &(struct ike_trust_parts){ .cas = pki_certs(&at, 1),
						     .level = IKE_CRL_REQUIRED },
	       (struct ike_cert_payload){ 0 });
	ck_assert(v.good);
	v.n_staples = 1;
	v.staples[0] = pki_ocsp(&ca, &leaf, _i);
	ike_verify_revocation(&v);
	ck_assert(!v.unknown);
	ck_assert_int_eq(v.good, !_i);
	end_verify(&v);
}
END_TEST

/* ---- what else comes in CERT payloads ---- */

START_TEST(test_certificates_may_come_within_pkcs7)
{
	const struct pki_spec between = { .dn = "CN=Between", .ca = true, .issuer = &ca };
	const struct pki_cert *const at = &ca;
	struct pki_spec spec = { .dns = "b.example" };
	struct pki_cert middle;
	const struct pki_cert *const bundle[] = { &middle, &leaf };
	struct ike_verify v;

	pki_make(&between, &middle);
	spec.issuer = &middle;
	prepare(&v, &spec, &(struct ike_trust_parts){ .cas = pki_certs(&at, 1) },
		(struct ike_cert_payload){ IKE_CERT_PKCS7, { NULL, 0 } });
	v.certs[0].octets = pki_pkcs7(bundle + _i / 2, 2 - _i / 2, NULL, 0);
	/* Cut short it is nothing. */
	v.certs[0].octets.len -= _i % 2;
	ike_verify_run(&v);
	ck_assert_msg(v.good == (_i == 0), "%s", v.why);
	if (_i == 2)
		ck_assert_ptr_nonnull(strstr(v.why, "CN=test is signed by CN=Between"));
	else if (_i)
		ck_assert_str_eq(v.why, "the peer shows no certificate");
	end_verify(&v);
	pki_free(&middle);
}
END_TEST

START_TEST(test_a_crl_may_come_with_the_certificate)
{
	enum { GOOD, REVOKED, BY_ANOTHER, OLD, NONE };
	const struct pki_spec root = { .dn = "CN=Root,O=Test", .ca = true };
	const struct pki_spec spec = { .dns = "b.example", .issuer = &ca };
	const struct pki_cert *const at = &ca;
	const int is = _i / 2;
	struct pki_cert other;
	struct ipsp_span crl;
	struct ike_verify v;

	pki_make(&root, &other);
	prepare(&v, &spec, &(struct ike_trust_parts){ .cas = pki_certs(&at, 1),
						      .level = IKE_CRL_REQUIRED },
		(struct ike_cert_payload){ 0 });
	crl = is == NONE ? text("nothing") : pki_crl(is == BY_ANOTHER ? &other : &ca,
						     is == REVOKED ? &leaf : NULL, is == OLD ? -1 : 5);
	v.certs[1] = (struct ike_cert_payload){ IKE_CERT_CRL, crl };
	if (_i % 2 && is != NONE)
		v.certs[1] = (struct ike_cert_payload){ IKE_CERT_PKCS7, pki_pkcs7(NULL, 0, &crl, 1) };
	v.n_certs = 2;
	ike_verify_run(&v);
	ck_assert_msg(v.good, "%s", v.why);
	ike_verify_revocation(&v);
	ck_assert_int_eq(v.good, is != REVOKED);
	ck_assert_int_eq(v.unknown, is > REVOKED);
	end_verify(&v);
	pki_free(&other);
}
END_TEST

START_TEST(test_more_than_there_is_room_for_is_left_out)
{
	const struct pki_spec spec = { .dns = "b.example", .issuer = &ca };
	const struct pki_cert *const at = &ca, *many[3 * IKE_CERTS_MAX];
	struct ipsp_span crls[2 * IKE_CRLS_SHOWN_MAX];
	struct ike_verify v;

	prepare(&v, &spec, &(struct ike_trust_parts){ .cas = pki_certs(&at, 1),
						      .level = IKE_CRL_REQUIRED },
		(struct ike_cert_payload){ 0 });
	for (unsigned i = 0; i < 3 * IKE_CERTS_MAX; i++)
		many[i] = i % 2 ? &ca : &leaf;
	for (unsigned i = 0; i < 2 * IKE_CRLS_SHOWN_MAX; i++)
		crls[i] = pki_crl(&ca, NULL, 5 + (int)i);
	v.certs[1] = (struct ike_cert_payload){
		IKE_CERT_PKCS7, pki_pkcs7(many, 2, crls, 2 * IKE_CRLS_SHOWN_MAX)
	};
	for (v.n_certs = 2; v.n_certs < IKE_CERTS_MAX; v.n_certs++)
		v.certs[v.n_certs] = v.certs[v.n_certs % 2 ? 1 : 0];
	ike_verify_run(&v);
	ike_verify_revocation(&v);
	ck_assert_msg(v.good && !v.unknown, "%s", v.why);
	ck_assert_uint_le(v.n_certs, IKE_CERTS_MAX);
	ck_assert_uint_eq(v.n_shown_crls, IKE_CRLS_SHOWN_MAX);
	end_verify(&v);
}
END_TEST

/* Of a certificate that is the very one configured only its own CA could say more. */
START_TEST(test_of_a_configured_certificate_without_a_ca_nobody_says_whether_it_is_revoked)
{
	const enum ike_crl_level level = (enum ike_crl_level)_i;
	const struct pki_spec spec = { .dns = "b.example", .issuer = &ca };
	const struct pki_cert *const at = &ca, *const at_leaf = &leaf;
	struct ike_verify v;

	prepare(&v, &spec, &(struct ike_trust_parts){ .cas = pki_certs(&at, 1) },
		(struct ike_cert_payload){ 0 });
	ike_trust_unref(v.trust);
	v.trust = ike_trust_new(&(struct ike_trust_parts){ .peers = pki_certs(&at_leaf, 1),
							   .level = level }, v.why);
	/* Not even what its issuer says: nobody vouches for that one. */
	v.certs[v.n_certs++] = (struct ike_cert_payload){ IKE_CERT_CRL, pki_crl(&ca, NULL, 5) };
	ike_verify_run(&v);
	ck_assert_int_eq(v.good, level != IKE_CRL_REQUIRED);
	if (!v.good)
		ck_assert_str_eq(v.why, "nobody can say whether the certificate of CN=test is revoked, "
					"as no CA of it is configured");
	end_verify(&v);
}
END_TEST

/* ---- rows that revoke ---- */

enum { BY_NAME, BY_CERT };

static size_t put_revoked(uint8_t *out, uint8_t kind, struct ipsp_span who, const uint8_t serial[4])
{
	const uint8_t head[] = { kind, 0, (uint8_t)(who.len >> 8), (uint8_t)who.len };
	const uint8_t one[] = { 0, 0, 2, 0, 0, 0, 0, 1, 1, 'x' };
	size_t at = sizeof(head);

	memcpy(out, head, at);
	memcpy(out + at, who.data, who.len);
	at += who.len;
	memcpy(out + at, one, sizeof(one));
	at += sizeof(one);
	memcpy(out + at, serial, 4);
	at += 4;
	memcpy(out + at, "\002\004list", 6);	/* key compromise */
	return at + 6;
}

static const struct {
	const char *who;	/* NULL: the CA's certificate */
	bool other_serial;
	bool good;
} revoked[] = {
	{ NULL, false, false },
	{ NULL, true, true },
	{ "CN=Root,O=Test", false, false },
	{ "cn=root,o=test", false, false },
	{ "CN=Root", false, true },
	{ "O=Test,CN=Root", false, true },
	/* No name: then whoever gave that number is meant. */
	{ "our root", false, false },
	{ "", false, false },
};

START_TEST(test_a_certificate_that_rows_revoke_is_refused)
{
	const struct pki_spec spec = { .dns = "b.example", .issuer = &ca };
	const struct pki_cert *const at = &ca, *const at_leaf = &leaf;
	const bool pinned = _i % 2;
	uint8_t octets[2048], serial[4];
	struct ike_trust_parts parts = { 0 };
	size_t len = sizeof(serial);
	gnutls_datum_t der;
	struct ike_verify v;
	char why[IKE_WHY_TEXT];

	prepare(&v, &spec, &(struct ike_trust_parts){ .cas = pki_certs(&at, 1) },
		(struct ike_cert_payload){ 0 });
	ck_assert_int_ge(gnutls_x509_crt_get_serial(leaf.crt, serial, &len), 0);
	ck_assert_uint_eq(len, 4);
	serial[3] ^= revoked[_i / 2].other_serial;
	ck_assert_int_ge(gnutls_x509_crt_export2(ca.crt, GNUTLS_X509_FMT_DER, &der), 0);
	len = revoked[_i / 2].who ?
		      put_revoked(octets, BY_NAME, text(revoked[_i / 2].who), serial) :
		      put_revoked(octets, BY_CERT, (struct ipsp_span){ der.data, der.size }, serial);
	gnutls_free(der.data);
	if (pinned)
		parts.peers = pki_certs(&at_leaf, 1);
	else
		parts.cas = pki_certs(&at, 1);
	parts.revoked = (struct ipsp_span){ octets, len };
	ike_trust_unref(v.trust);
	v.trust = ike_trust_new(&parts, why);
	ck_assert_msg(v.trust != NULL, "%s", why);
	ike_verify_run(&v);
	ck_assert_msg(v.good == revoked[_i / 2].good, "%s", v.why);
	if (!v.good)
		ck_assert_str_eq(v.why, "the certificate of CN=test is revoked (key compromise) by a row of "
					"ipiaRevokedCertificateTable, of CRL \"list\"");
	end_verify(&v);
	/* What is cut short, or goes on, is nothing. */
	for (parts.revoked.len = 1; parts.revoked.len < len; parts.revoked.len++) {
		ck_assert_ptr_null(ike_trust_new(&parts, why));
		ck_assert_str_eq(why, "the revoked certificates cannot be read");
	}
	octets[len] = 0;
	parts.revoked.len = len + 1;
	ck_assert_ptr_null(ike_trust_new(&parts, why));
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike certs");
	TCase *const tc = tcase_create("certs");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_keys_sign_as_the_peer_takes_it, 0,
			    (int)(sizeof(signatures) / sizeof(signatures[0])));
	tcase_add_loop_test(tc, test_the_salt_of_pss_is_as_long_as_the_signature_says, 0,
			    (int)(sizeof(salts) / sizeof(salts[0])));
	tcase_add_loop_test(tc, test_a_key_of_pss_says_which_salts_it_has, 0, 4);
	tcase_add_loop_test(tc, test_a_key_of_pss_signs_as_it_says, 0, 4);
	tcase_add_test(tc, test_a_key_has_no_signature_where_the_peer_takes_none);
	tcase_add_test(tc, test_the_signature_of_rfc_4754_8_1_is_good);
	tcase_add_loop_test(tc, test_names_are_compared_as_rfc_5280_says, 0,
			    (int)(sizeof(names) / sizeof(names[0])));
	tcase_add_test(tc, test_what_is_within_one_relative_name_has_no_order);
	tcase_add_test(tc, test_a_name_is_printed_as_it_was_read);
	tcase_add_test(tc, test_what_is_no_credential_is_refused_with_a_reason);
	tcase_add_loop_test(tc, test_a_peers_certificate_must_be_for_ike_and_for_it, 0,
			    (int)(sizeof(peers) / sizeof(peers[0])));
	tcase_add_test(tc, test_a_signature_by_another_key_than_the_certificates_is_refused);
	tcase_add_loop_test(tc, test_many_threads_use_one_credential_and_one_trust, 0, 2);
	tcase_add_loop_test(tc, test_an_ocsp_answer_may_come_with_the_certificate, 0, 2);
	tcase_add_loop_test(tc, test_certificates_may_come_within_pkcs7, 0, 4);
	tcase_add_loop_test(tc, test_a_crl_may_come_with_the_certificate, 0, 10);
	tcase_add_test(tc, test_more_than_there_is_room_for_is_left_out);
	tcase_add_loop_test(tc, test_of_a_configured_certificate_without_a_ca_nobody_says_whether_it_is_revoked,
			    IKE_CRL_NONE, IKE_CRL_REQUIRED + 1);
	tcase_add_loop_test(tc, test_a_certificate_that_rows_revoke_is_refused, 0,
			    2 * (int)(sizeof(revoked) / sizeof(revoked[0])));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
