/* tests/unit/ike/pki.c - see pki.h. */
#include "tests/unit/ike/pki.h"

#include <arpa/inet.h>
#include <check.h>
#include <gnutls/abstract.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY 86400

static void good(int got)
{
	ck_assert_msg(got >= 0, "%s", gnutls_strerror(got));
}

/* ---- what was handed out ---- */

static uint8_t *handed[256];
static unsigned n_handed;

static struct ipsp_span hand_out(const void *octets, size_t len)
{
	uint8_t *const copy = malloc(len ? len : 1);

	ck_assert_uint_lt(n_handed, sizeof(handed) / sizeof(handed[0]));
	memcpy(copy, octets, len);
	handed[n_handed++] = copy;
	return (struct ipsp_span){ copy, len };
}

static struct ipsp_span hand_out_datum(gnutls_datum_t *d)
{
	const struct ipsp_span out = hand_out(d->data, d->size);

	gnutls_free(d->data);
	return out;
}

void pki_forget(void)
{
	while (n_handed > 0)
		free(handed[--n_handed]);
}

/* ---- certificates ---- */

static gnutls_x509_privkey_t make_key(enum pki_key kind)
{
	static const struct {
		gnutls_pk_algorithm_t pk;
		unsigned bits;
	} kinds[] = {
		[PKI_P256] = { GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1) },
		[PKI_P384] = { GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1) },
		[PKI_P521] = { GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP521R1) },
		[PKI_RSA] = { GNUTLS_PK_RSA, 2048 },
		[PKI_RSA_1024] = { GNUTLS_PK_RSA, 1024 },
		[PKI_PSS] = { GNUTLS_PK_RSA_PSS, 2048 },
		[PKI_ED25519] = { GNUTLS_PK_EDDSA_ED25519, 256 },
		[PKI_ED448] = { GNUTLS_PK_EDDSA_ED448, 456 },
	};
	gnutls_x509_privkey_t key;

	good(gnutls_x509_privkey_init(&key));
	good(gnutls_x509_privkey_generate(key, kinds[kind].pk, kinds[kind].bits, 0));
	return key;
}

static void add_names(gnutls_x509_crt_t crt, const struct pki_spec *s)
{
	uint8_t addr[4];

	if (s->dns)
		good(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, s->dns,
							  (unsigned)strlen(s->dns),
							  GNUTLS_FSAN_APPEND));
	if (s->email)
		good(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_RFC822NAME, s->email,
							  (unsigned)strlen(s->email),
							  GNUTLS_FSAN_APPEND));
	if (s->ip) {
		ck_assert_int_eq(inet_pton(AF_INET, s->ip, addr), 1);
		good(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, addr,
							  sizeof(addr), GNUTLS_FSAN_APPEND));
	}
	if (s->key_id)
		good(gnutls_x509_crt_set_subject_key_id(crt, s->key_id, strlen(s->key_id)));
}

static void add_limits(gnutls_x509_crt_t crt, const struct pki_spec *s)
{
	gnutls_x509_name_constraints_t limits;
	gnutls_datum_t name;

	good(gnutls_x509_crt_set_ca_status(crt, s->ca));
	if (s->ca)
		good(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN));
	else if (s->usage)
		good(gnutls_x509_crt_set_key_usage(crt, s->usage));
	if (s->purpose)
		good(gnutls_x509_crt_set_key_purpose_oid(crt, s->purpose, 0));
	if (!s->permits)
		return;
	name = (gnutls_datum_t){ (unsigned char *)(uintptr_t)s->permits,
				 (unsigned)strlen(s->permits) };
	good(gnutls_x509_name_constraints_init(&limits));
	good(gnutls_x509_name_constraints_add_permitted(limits, GNUTLS_SAN_DNSNAME, &name));
	good(gnutls_x509_crt_set_name_constraints(crt, limits, 1));
	gnutls_x509_name_constraints_deinit(limits);
}

static void add_urls(gnutls_x509_crt_t crt, const struct pki_spec *s)
{
	gnutls_datum_t url;

	if (s->crl_url)
		good(gnutls_x509_crt_set_crl_dist_points2(crt, GNUTLS_SAN_URI, s->crl_url,
							  (unsigned)strlen(s->crl_url), 0));
	if (!s->ocsp_url)
		return;
	url = (gnutls_datum_t){ (unsigned char *)(uintptr_t)s->ocsp_url,
				(unsigned)strlen(s->ocsp_url) };
	good(gnutls_x509_crt_set_authority_info_access(crt, GNUTLS_IA_OCSP_URI, &url));
}

void pki_make(const struct pki_spec *s, struct pki_cert *out)
{
	static unsigned serial = 1000;
	uint8_t number[4] = { 1 };
	const time_t now = time(NULL);
	unsigned n = ++serial;
	gnutls_x509_crt_t crt;

	out->key = make_key(s->key);
	good(gnutls_x509_crt_init(&crt));
	good(gnutls_x509_crt_set_version(crt, 3));
	memcpy(number + 1, &n, 3);
	good(gnutls_x509_crt_set_serial(crt, number, sizeof(number)));
	good(gnutls_x509_crt_set_dn(crt, s->dn ? s->dn : "CN=test", NULL));
	good(gnutls_x509_crt_set_key(crt, out->key));
	good(gnutls_x509_crt_set_activation_time(crt, now + (s->from_days ? s->from_days : -1) * DAY));
	good(gnutls_x509_crt_set_expiration_time(crt, now + (s->until_days ? s->until_days : 30) * DAY));
	add_names(crt, s);
	add_limits(crt, s);
	add_urls(crt, s);
	good(gnutls_x509_crt_sign2(crt, s->issuer ? s->issuer->crt : crt,
				   s->issuer ? s->issuer->key : out->key,
				   s->key == PKI_RSA_1024 ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_UNKNOWN, 0));
	out->crt = crt;
}

void pki_free(struct pki_cert *c)
{
	if (c->crt)
		gnutls_x509_crt_deinit(c->crt);
	if (c->key)
		gnutls_x509_privkey_deinit(c->key);
	*c = (struct pki_cert){ 0 };
}

/* ---- as octets ---- */

struct ipsp_span pki_certs(const struct pki_cert *const *certs, unsigned n)
{
	char all[131072];
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		gnutls_datum_t pem;

		good(gnutls_x509_crt_export2(certs[i]->crt, GNUTLS_X509_FMT_PEM, &pem));
		ck_assert_uint_lt(len + pem.size, sizeof(all));
		memcpy(all + len, pem.data, pem.size);
		len += pem.size;
		gnutls_free(pem.data);
	}
	return hand_out(all, len);
}

struct ipsp_span pki_key(const struct pki_cert *c)
{
	gnutls_datum_t pem;

	good(gnutls_x509_privkey_export2_pkcs8(c->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
					       &pem));
	return hand_out_datum(&pem);
}

struct ipsp_span pki_public(const struct pki_cert *c)
{
	gnutls_pubkey_t key;
	gnutls_datum_t pem;

	good(gnutls_pubkey_init(&key));
	good(gnutls_pubkey_import_x509(key, c->crt, 0));
	good(gnutls_pubkey_export2(key, GNUTLS_X509_FMT_PEM, &pem));
	gnutls_pubkey_deinit(key);
	return hand_out_datum(&pem);
}

struct ipsp_span pki_crl(const struct pki_cert *issuer, const struct pki_cert *revoked, int next_days)
{
	const time_t now = time(NULL);
	gnutls_x509_crl_t crl;
	gnutls_datum_t der;

	good(gnutls_x509_crl_init(&crl));
	good(gnutls_x509_crl_set_version(crl, 2));
	good(gnutls_x509_crl_set_this_update(crl, now - 10 * DAY));
	good(gnutls_x509_crl_set_next_update(crl, now + next_days * DAY));
	if (revoked)
		good(gnutls_x509_crl_set_crt(crl, revoked->crt, now - DAY));
	good(gnutls_x509_crl_sign2(crl, issuer->crt, issuer->key, GNUTLS_DIG_SHA256, 0));
	good(gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_DER, &der));
	gnutls_x509_crl_deinit(crl);
	return hand_out_datum(&der);
}

/* ---- OCSP ---- */

static X509 *to_openssl(const struct pki_cert *c)
{
	gnutls_datum_t der;
	const unsigned char *at;
	X509 *x;

	good(gnutls_x509_crt_export2(c->crt, GNUTLS_X509_FMT_DER, &der));
	at = der.data;
	x = d2i_X509(NULL, &at, der.size);
	gnutls_free(der.data);
	ck_assert_ptr_nonnull(x);
	return x;
}

static EVP_PKEY *key_to_openssl(const struct pki_cert *c)
{
	const struct ipsp_span pem = pki_key(c);
	BIO *const bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	EVP_PKEY *const key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	ck_assert_ptr_nonnull(key);
	return key;
}

struct ipsp_span pki_pkcs7(const struct pki_cert *const *certs, unsigned n, const struct ipsp_span *crls,
			   unsigned n_crls)
{
	PKCS7 *const bundle = PKCS7_new();
	unsigned char *der = NULL;
	struct ipsp_span out;
	int len;

	ck_assert_int_eq(PKCS7_set_type(bundle, NID_pkcs7_signed), 1);
	ck_assert_int_eq(PKCS7_content_new(bundle, NID_pkcs7_data), 1);
	for (unsigned i = 0; i < n; i++) {
		X509 *const x = to_openssl(certs[i]);

		ck_assert_int_eq(PKCS7_add_certificate(bundle, x), 1);
		X509_free(x);
	}
	for (unsigned i = 0; i < n_crls; i++) {
		const unsigned char *at = crls[i].data;
		X509_CRL *const crl = d2i_X509_CRL(NULL, &at, (long)crls[i].len);

		ck_assert_int_eq(PKCS7_add_crl(bundle, crl), 1);
		X509_CRL_free(crl);
	}
	len = i2d_PKCS7(bundle, &der);
	ck_assert_int_gt(len, 0);
	out = hand_out(der, (size_t)len);
	OPENSSL_free(der);
	PKCS7_free(bundle);
	return out;
}

struct ipsp_span pki_pss(const struct pki_cert *c, const char *text, int salt)
{
	EVP_PKEY *const key = key_to_openssl(c);
	EVP_MD_CTX *const ctx = EVP_MD_CTX_new();
	unsigned char signature[512];
	size_t len = sizeof(signature);
	EVP_PKEY_CTX *way;

	ck_assert_int_eq(EVP_DigestSignInit(ctx, &way, EVP_sha256(), NULL, key), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(way, RSA_PKCS1_PSS_PADDING), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(way, salt), 1);
	ck_assert_int_eq(EVP_DigestSign(ctx, signature, &len, (const unsigned char *)text,
					strlen(text)), 1);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return hand_out(signature, len);
}

struct ipsp_span pki_ocsp(const struct pki_cert *issuer, const struct pki_cert *about, bool revoked)
{
	X509 *const ca = to_openssl(issuer), *const crt = to_openssl(about);
	EVP_PKEY *const key = key_to_openssl(issuer);
	OCSP_CERTID *const id = OCSP_cert_to_id(EVP_sha1(), crt, ca);
	ASN1_TIME *const this_update = X509_gmtime_adj(NULL, -DAY), *const next = X509_gmtime_adj(NULL, DAY);
	OCSP_BASICRESP *const basic = OCSP_BASICRESP_new();
	OCSP_RESPONSE *answer;
	unsigned char *der = NULL;
	struct ipsp_span out;
	int len;

	ck_assert_ptr_nonnull(OCSP_basic_add1_status(basic, id,
						     revoked ? V_OCSP_CERTSTATUS_REVOKED :
							       V_OCSP_CERTSTATUS_GOOD,
						     0, revoked ? this_update : NULL, this_update, next));
	ck_assert_int_eq(OCSP_basic_sign(basic, ca, key, EVP_sha256(), NULL, 0), 1);
	answer = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(answer, &der);
	ck_assert_int_gt(len, 0);
	out = hand_out(der, (size_t)len);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(answer);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(this_update);
	ASN1_TIME_free(next);
	EVP_PKEY_free(key);
	X509_free(ca);
	X509_free(crt);
	return out;
}
