/* ike/cert.c - what is asked of one certificate: see x509.h. */
#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

#include "ike/dn.h"
#include "ike/x509.h"

/* RFC 4945 5.1.3.12, and what came before it and is still written into certificates. */
#define EKU_ANY "2.5.29.37.0"
#define EKU_IPSEC_IKE "1.3.6.1.5.5.7.3.17"
#define EKU_IKE_INTERMEDIATE "1.3.6.1.5.5.8.2.2"

bool ike_key_hash(gnutls_x509_crt_t crt, uint8_t out[IKE_KEY_HASH_LEN])
{
	gnutls_datum_t der = { 0 };
	gnutls_pubkey_t key;
	bool good;

	if (gnutls_pubkey_init(&key) < 0)
		return false;
	good = gnutls_pubkey_import_x509(key, crt, 0) == 0 &&
	       gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der) == 0 &&
	       gnutls_hash_fast(GNUTLS_DIG_SHA1, der.data, der.size, out) == 0;
	gnutls_free(der.data);
	gnutls_pubkey_deinit(key);
	return good;
}

const char *ike_cert_name(gnutls_x509_crt_t crt, char *buf, size_t cap)
{
	gnutls_datum_t dn = { 0 };

	if (gnutls_x509_crt_get_dn3(crt, &dn, 0) == 0 && dn.size > 0)
		snprintf(buf, cap, "%s", (const char *)dn.data);
	else
		snprintf(buf, cap, "a certificate without a subject");
	gnutls_free(dn.data);
	return buf;
}

bool ike_cert_signs(gnutls_x509_crt_t crt)
{
	unsigned usage;
	const int got = gnutls_x509_crt_get_key_usage(crt, &usage, NULL);

	if (got == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return true;
	return got == 0 && (usage & (GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_NON_REPUDIATION));
}

bool ike_cert_for_ike(gnutls_x509_crt_t crt, bool *named)
{
	bool any = false;
	unsigned n;

	*named = false;
	for (n = 0;; n++) {
		char oid[128];
		size_t len = sizeof(oid);
		const int got = gnutls_x509_crt_get_key_purpose_oid(crt, n, oid, &len, NULL);

		if (got == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (got == GNUTLS_E_SHORT_MEMORY_BUFFER)
			continue;
		if (got < 0)
			return false;
		any |= !strcmp(oid, EKU_ANY);
		*named |= !strcmp(oid, EKU_IPSEC_IKE) || !strcmp(oid, EKU_IKE_INTERMEDIATE);
	}
	return n == 0 || any || *named;
}

/* ---- names ---- */

/* One of subjectAltName. */
struct alt_name {
	int type;		/* GNUTLS_SAN_* */
	size_t len;
	char octets[IKE_IDENTITY_MAX + 1];
};

/* False: there is none of that number. One too long for an identity has no length. */
static bool alt_name(gnutls_x509_crt_t crt, unsigned n, struct alt_name *out)
{
	out->len = sizeof(out->octets);
	out->type = gnutls_x509_crt_get_subject_alt_name(crt, n, out->octets, &out->len, NULL);
	if (out->type == GNUTLS_E_SHORT_MEMORY_BUFFER) {
		out->type = 0;
		out->len = 0;
		return true;
	}
	return out->type >= 0;
}

/* As an identity; type 0: it is none. */
static struct ike_identity identity_of(const struct alt_name *name)
{
	struct ike_identity id = { 0 };

	switch (name->type) {
	case GNUTLS_SAN_DNSNAME:
		id.type = IKE_ID_FQDN;
		break;
	case GNUTLS_SAN_RFC822NAME:
		id.type = IKE_ID_RFC822_ADDR;
		break;
	case GNUTLS_SAN_IPADDRESS:
		id.type = name->len == 4 ? IKE_ID_IPV4_ADDR : name->len == 16 ? IKE_ID_IPV6_ADDR : 0;
		break;
	default:
		return id;
	}
	if (name->len == 0 || name->len > IKE_IDENTITY_MAX)
		return (struct ike_identity){ 0 };
	id.len = (uint16_t)name->len;
	memcpy(id.octets, name->octets, name->len);
	return id;
}

static bool is_subject(gnutls_x509_crt_t crt, const struct ike_identity *id)
{
	gnutls_datum_t dn;
	bool same;

	if (id->len == 0 || gnutls_x509_crt_get_raw_dn(crt, &dn) < 0)
		return false;
	same = ike_dn_same((struct ipsp_span){ dn.data, dn.size },
			   (struct ipsp_span){ id->octets, id->len });
	gnutls_free(dn.data);
	return same;
}

static bool is_key_id(gnutls_x509_crt_t crt, const struct ike_identity *id)
{
	uint8_t octets[IKE_IDENTITY_MAX];
	size_t len = sizeof(octets);

	return gnutls_x509_crt_get_subject_key_id(crt, octets, &len, NULL) == 0 && len > 0 &&
	       len == id->len && !memcmp(octets, id->octets, len);
}

bool ike_cert_is_for(gnutls_x509_crt_t crt, const struct ike_identity *id)
{
	struct alt_name name;

	if (id->type == IKE_ID_DER_ASN1_DN)
		return is_subject(crt, id);
	if (id->type == IKE_ID_KEY_ID)
		return is_key_id(crt, id);
	for (unsigned i = 0; alt_name(crt, i, &name); i++) {
		const struct ike_identity is = identity_of(&name);

		if (is.type != 0 && ike_identity_fits(&is, id))
			return true;
	}
	return false;
}

bool ike_cert_first(gnutls_x509_crt_t crt, uint8_t type, struct ike_identity *out)
{
	struct alt_name name;

	for (unsigned i = 0; alt_name(crt, i, &name); i++) {
		const struct ike_identity is = identity_of(&name);

		if (is.type == type) {
			*out = is;
			return true;
		}
	}
	return false;
}

const char *ike_cert_names(gnutls_x509_crt_t crt, char *buf, size_t cap)
{
	char text[IKE_IDENTITY_TEXT];
	struct alt_name name;
	size_t at;

	at = strlen(ike_cert_name(crt, buf, cap));
	for (unsigned i = 0; alt_name(crt, i, &name) && at + 1 < cap; i++) {
		const struct ike_identity is = identity_of(&name);

		if (is.type == 0)
			continue;
		snprintf(buf + at, cap - at, ", %s", ike_identity_text(&is, text));
		at += strlen(buf + at);
	}
	return buf;
}
