/* ike/revoked.c - certificates that are revoked by rows: see x509.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/dn.h"
#include "ike/message.h"
#include "ike/x509.h"

#define NAME_MAX_LEN 1024u	/* of a CA in DER */

/* What one CA has revoked. */
struct of_ca {
	uint8_t *name;		/* DER; NULL: it cannot be read, and whoever signed is meant */
	size_t name_len;
	struct ipsp_span entries;
};

struct ike_revoked {
	uint8_t *octets;
	struct of_ca *cas;
	size_t n, room;
};

static uint32_t u24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* ---- reading ---- */

static bool take_entry(struct ipsp_span *rest, uint32_t *serial, uint8_t *reason, struct ipsp_span *crl)
{
	struct ipsp_span head;

	if (!ike_take(rest, 6, &head) || !ike_take(rest, head.data[5], crl))
		return false;
	*serial = be32dec(head.data);
	*reason = head.data[4];
	return true;
}

/* False: there are not so many. */
static bool take_entries(struct ipsp_span *rest, uint32_t n, struct ipsp_span *out)
{
	struct ipsp_span crl;
	uint32_t serial;
	uint8_t reason;

	*out = *rest;
	for (; n > 0; n--) {
		if (!take_entry(rest, &serial, &reason, &crl))
			return false;
	}
	out->len -= rest->len;
	return true;
}

static void set_name(struct of_ca *ca, const uint8_t *der, size_t len)
{
	ca->name = malloc(len);
	ca->name_len = ca->name ? len : 0;
	if (ca->name)
		memcpy(ca->name, der, len);
}

static void read_certificate(struct of_ca *ca, struct ipsp_span der)
{
	const gnutls_datum_t datum = ike_datum(der);
	gnutls_datum_t name = { 0 };
	gnutls_x509_crt_t crt;

	if (gnutls_x509_crt_init(&crt) < 0)
		return;
	if (gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_DER) >= 0 &&
	    gnutls_x509_crt_get_raw_dn(crt, &name) >= 0 && name.size > 0)
		set_name(ca, name.data, name.size);
	gnutls_free(name.data);
	gnutls_x509_crt_deinit(crt);
}

static void read_name(struct of_ca *ca, struct ipsp_span text)
{
	char copy[257];
	uint8_t der[NAME_MAX_LEN];
	size_t len = sizeof(der);

	if (text.len >= sizeof(copy) || memchr(text.data, '\0', text.len))
		return;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (ike_dn_make(copy, der, &len))
		set_name(ca, der, len);
}

static bool take_ca(struct ike_revoked *r, struct ipsp_span *rest)
{
	struct ipsp_span head, who, count;
	struct of_ca *ca;

	if (r->n == r->room) {
		const size_t room = r->room ? 2 * r->room : 4;

		ca = reallocarray(r->cas, room, sizeof(*ca));
		if (!ca)
			return false;
		r->cas = ca;
		r->room = room;
	}
	ca = &r->cas[r->n];
	*ca = (struct of_ca){ 0 };
	if (!ike_take(rest, 4, &head) || head.data[0] > 1 ||
	    !ike_take(rest, u24(head.data + 1), &who) || !ike_take(rest, 3, &count) ||
	    !take_entries(rest, u24(count.data), &ca->entries))
		return false;
	r->n++;
	if (who.len > 0 && head.data[0])
		read_certificate(ca, who);
	else if (who.len > 0)
		read_name(ca, who);
	return true;
}

struct ike_revoked *ike_revoked_new(struct ipsp_span octets)
{
	struct ike_revoked *const r = calloc(1, sizeof(*r));
	struct ipsp_span rest = octets;
	bool good = false;

	if (!r)
		return NULL;
	r->octets = octets.len <= IKE_CREDENTIAL_MAX ? malloc(octets.len ? octets.len : 1) : NULL;
	if (r->octets) {
		if (octets.len > 0)
			memcpy(r->octets, octets.data, octets.len);
		rest.data = r->octets;
		good = true;
	}
	while (good && rest.len > 0)
		good = take_ca(r, &rest);
	if (good)
		return r;
	ike_revoked_free(r);
	return NULL;
}

void ike_revoked_free(struct ike_revoked *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		free(r->cas[i].name);
	free(r->cas);
	free(r->octets);
	free(r);
}

/* ---- looking ---- */

/* RFC 5280 5.3.1, in the numbers of IPSEC-IKEACTION-MIB. */
static const char *reason_text(uint8_t reason)
{
	static const char *const words[] = { "", "", " (key compromise)", " (CA compromise)",
					     " (affiliation changed)", " (superseded)",
					     " (cessation of operation)", " (on hold)" };

	return reason < sizeof(words) / sizeof(words[0]) ? words[reason] : "";
}

/* False: it has more than 32 bits, and so no row. */
static bool serial_of(gnutls_x509_crt_t crt, uint32_t *out)
{
	uint8_t octets[64];
	size_t len = sizeof(octets), zeros = 0;

	if (gnutls_x509_crt_get_serial(crt, octets, &len) < 0)
		return false;
	while (zeros < len && octets[zeros] == 0)
		zeros++;
	if (len - zeros > 4)
		return false;
	*out = 0;
	for (size_t i = zeros; i < len; i++)
		*out = *out << 8 | octets[i];
	return true;
}

static bool is_of(const struct of_ca *ca, const gnutls_datum_t *issuer)
{
	return !ca->name || ike_dn_same((struct ipsp_span){ ca->name, ca->name_len },
					(struct ipsp_span){ issuer->data, issuer->size });
}

static bool find(const struct of_ca *ca, uint32_t serial, char *how, size_t cap)
{
	struct ipsp_span rest = ca->entries, crl;
	uint32_t at;
	uint8_t reason;

	while (take_entry(&rest, &at, &reason, &crl)) {
		if (at != serial)
			continue;
		snprintf(how, cap, "%s by a row of ipiaRevokedCertificateTable, of CRL \"%.*s\"",
			 reason_text(reason), (int)crl.len, (const char *)crl.data);
		return true;
	}
	return false;
}

bool ike_revoked_has(const struct ike_revoked *r, gnutls_x509_crt_t crt, char *how, size_t cap)
{
	gnutls_datum_t issuer = { 0 };
	bool found = false;
	uint32_t serial;

	if (!r || !serial_of(crt, &serial) || gnutls_x509_crt_get_raw_issuer_dn(crt, &issuer) < 0)
		return false;
	for (size_t i = 0; i < r->n && !found; i++)
		found = is_of(&r->cas[i], &issuer) && find(&r->cas[i], serial, how, cap);
	gnutls_free(issuer.data);
	return found;
}
