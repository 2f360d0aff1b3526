/*
 * ike/shown.c - what CERT payloads hold beside one certificate each: CRLs, and PKCS #7 with certificates and CRLs.
 * RFC 7296 3.6, RFC 2315 9. See verify.h.
 *
 * What is in them becomes what it would be in payloads of its own. Nothing of it is believed for having come
 * so: of PKCS #7 signatures are not looked at, and certificates and CRLs are judged as any. What cannot be read, or
 * is more than there is room for, is left out.
 */
#include <gnutls/pkcs7.h>

#include "ike/verify.h"

static void show_crl(struct ike_verify *v, struct ipsp_span der)
{
	struct ike_crl *const crl = v->n_shown_crls < IKE_CRLS_SHOWN_MAX ? ike_crl_new(der) : NULL;

	if (crl)
		v->shown_crls[v->n_shown_crls++] = crl;
}

/* Taken, or freed. */
static void show_cert(struct ike_verify *v, gnutls_datum_t *der)
{
	if (v->n_certs == IKE_CERTS_MAX || v->n_unwrapped == IKE_CERTS_MAX) {
		gnutls_free(der->data);
		return;
	}
	v->unwrapped[v->n_unwrapped++] = *der;
	v->certs[v->n_certs++] = (struct ike_cert_payload){ IKE_CERT_X509_SIGNATURE,
							   { der->data, der->size } };
}

static void unwrap(struct ike_verify *v, struct ipsp_span octets)
{
	const gnutls_datum_t datum = ike_datum(octets);
	gnutls_datum_t der;
	gnutls_pkcs7_t bundle;

	if (gnutls_pkcs7_init(&bundle) < 0)
		return;
	if (gnutls_pkcs7_import(bundle, &datum, GNUTLS_X509_FMT_DER) >= 0) {
		for (unsigned i = 0; i < IKE_CERTS_MAX &&
				     gnutls_pkcs7_get_crt_raw2(bundle, i, &der) >= 0; i++)
			show_cert(v, &der);
		for (unsigned i = 0; i < IKE_CRLS_SHOWN_MAX &&
				     gnutls_pkcs7_get_crl_raw2(bundle, i, &der) >= 0; i++) {
			show_crl(v, (struct ipsp_span){ der.data, der.size });
			gnutls_free(der.data);
		}
	}
	gnutls_pkcs7_deinit(bundle);
}

void ike_verify_unwrap(struct ike_verify *v)
{
	const unsigned n = v->n_certs;

	for (unsigned i = 0; i < n; i++) {
		if (v->certs[i].encoding == IKE_CERT_CRL)
			show_crl(v, v->certs[i].octets);
		else if (v->certs[i].encoding == IKE_CERT_PKCS7)
			unwrap(v, v->certs[i].octets);
	}
}

void ike_verify_forget_shown(struct ike_verify *v)
{
	for (unsigned i = 0; i < v->n_shown_crls; i++)
		ike_crl_unref(v->shown_crls[i]);
	for (unsigned i = 0; i < v->n_unwrapped; i++)
		gnutls_free(v->unwrapped[i].data);
	v->n_shown_crls = v->n_unwrapped = 0;
}
