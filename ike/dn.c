/* ike/dn.c - distinguished names: see dn.h. */
#include "ike/dn.h"

#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

/* Universal tags of strings, X.680 8.4. */
#define TAG_UTF8 12u
#define TAG_PRINTABLE 19u
#define TAG_TELETEX 20u
#define TAG_IA5 22u

bool ike_dn_make(const char *text, uint8_t *out, size_t *len)
{
	gnutls_x509_dn_t dn;
	gnutls_datum_t der = { 0 };
	bool good;

	if (!*text || gnutls_x509_dn_init(&dn) < 0)
		return false;
	good = gnutls_x509_dn_set_str(dn, text, NULL) == 0 &&
	       gnutls_x509_dn_export2(dn, GNUTLS_X509_FMT_DER, &der) == 0 && der.size <= *len;
	if (good) {
		memcpy(out, der.data, der.size);
		*len = der.size;
	}
	gnutls_free(der.data);
	gnutls_x509_dn_deinit(dn);
	return good;
}

/* NULL: it is no name. */
static gnutls_x509_dn_t import(struct ipsp_span der)
{
	const gnutls_datum_t datum = { (unsigned char *)(uintptr_t)der.data, (unsigned)der.len };
	gnutls_x509_dn_t dn;

	if (gnutls_x509_dn_init(&dn) < 0)
		return NULL;
	if (gnutls_x509_dn_import(dn, &datum) == 0)
		return dn;
	gnutls_x509_dn_deinit(dn);
	return NULL;
}

bool ike_dn_text(struct ipsp_span der, char *buf, size_t cap)
{
	gnutls_x509_dn_t dn = import(der);
	gnutls_datum_t text = { 0 };
	bool good;

	if (!dn)
		return false;
	good = gnutls_x509_dn_get_str2(dn, &text, 0) == 0;
	if (good)
		snprintf(buf, cap, "%s", (const char *)text.data);
	gnutls_free(text.data);
	gnutls_x509_dn_deinit(dn);
	return good;
}

/* ---- comparing ---- */

static bool is_text(unsigned long tag)
{
	return tag == TAG_UTF8 || tag == TAG_PRINTABLE || tag == TAG_TELETEX || tag == TAG_IA5;
}

/* The next octet of a text as it counts: small letters, one space for many, none around it. -1: its end. */
static int next_octet(const gnutls_datum_t *text, unsigned *at)
{
	unsigned from = *at;
	uint8_t c;

	while (*at < text->size && text->data[*at] == ' ')
		(*at)++;
	if (*at == text->size)
		return -1;
	if (*at > from && from > 0)
		return ' ';
	c = text->data[(*at)++];
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool same_text(const gnutls_datum_t *a, const gnutls_datum_t *b)
{
	unsigned at_a = 0, at_b = 0;
	int c;

	do {
		c = next_octet(a, &at_a);
		if (c != next_octet(b, &at_b))
			return false;
	} while (c != -1);
	return true;
}

static bool same_datum(const gnutls_datum_t *a, const gnutls_datum_t *b)
{
	return a->size == b->size && (a->size == 0 || !memcmp(a->data, b->data, a->size));
}

static bool same_attribute(const gnutls_x509_ava_st *a, const gnutls_x509_ava_st *b)
{
	if (!same_datum(&a->oid, &b->oid))
		return false;
	if (is_text(a->value_tag) && is_text(b->value_tag))
		return same_text(&a->value, &b->value);
	return a->value_tag == b->value_tag && same_datum(&a->value, &b->value);
}

static bool has_attribute(gnutls_x509_dn_t dn, int rdn, const gnutls_x509_ava_st *wanted)
{
	gnutls_x509_ava_st ava;

	for (int i = 0; gnutls_x509_dn_get_rdn_ava(dn, rdn, i, &ava) == 0; i++) {
		if (same_attribute(&ava, wanted))
			return true;
	}
	return false;
}

static int count_attributes(gnutls_x509_dn_t dn, int rdn)
{
	gnutls_x509_ava_st ava;
	int n = 0;

	while (gnutls_x509_dn_get_rdn_ava(dn, rdn, n, &ava) == 0)
		n++;
	return n;
}

static bool same_rdn(gnutls_x509_dn_t a, gnutls_x509_dn_t b, int rdn, int n)
{
	gnutls_x509_ava_st ava;

	for (int i = 0; i < n; i++) {
		if (gnutls_x509_dn_get_rdn_ava(a, rdn, i, &ava) != 0 || !has_attribute(b, rdn, &ava))
			return false;
	}
	return true;
}

static bool same_names(gnutls_x509_dn_t a, gnutls_x509_dn_t b)
{
	for (int rdn = 0;; rdn++) {
		const int n = count_attributes(a, rdn);

		if (n != count_attributes(b, rdn))
			return false;
		if (n == 0)
			return true;
		if (!same_rdn(a, b, rdn, n) || !same_rdn(b, a, rdn, n))
			return false;
	}
}

bool ike_dn_same(struct ipsp_span a, struct ipsp_span b)
{
	gnutls_x509_dn_t const dn_a = import(a), dn_b = import(b);
	const bool same = dn_a && dn_b && same_names(dn_a, dn_b);

	if (dn_a)
		gnutls_x509_dn_deinit(dn_a);
	if (dn_b)
		gnutls_x509_dn_deinit(dn_b);
	return same;
}
