/*
 * tests/fuzz/fuzz_proof.c - any octets as what a peer proves itself with: certificates, signatures, identities,
 * CRLs and OCSP answers, and as the CA that it is judged by and what rows revoke.
 *
 *	time (4 octets), then parts: what it is (1), its length (2), its octets
 */
#include <string.h>
#include <sys/endian.h>

#include "ike/dn.h"
#include "ike/message.h"
#include "ike/sign.h"
#include "ike/verify.h"
#include "tests/fuzz/fuzz.h"

enum part { PART_CA, PART_CERT, PART_AUTH, PART_IDENTITY, PART_CRL, PART_OCSP, PART_RAW_KEY, PART_REVOKED };

static struct ike_identity id;

static void take_identity(struct ipsp_span body)
{
	char text[IKE_IDENTITY_TEXT];

	if (!ike_identity_read(body, &id)) {
		memset(&id, 0, sizeof(id));
		return;
	}
	must(strlen(ike_identity_text(&id, text)) < sizeof(text));
	must(id.type == IKE_ID_DER_ASN1_DN || ike_identity_fits(&id, &id));
	(void)ike_identity_fits(&(struct ike_identity){ .type = id.type }, &id);
}

static void take(uint8_t what, struct ipsp_span octets, struct ike_trust_parts *trust, struct ike_verify *v)
{
	struct ipsp_span head;

	switch (what) {
	case PART_CA:
		trust->cas = octets;
		break;
	case PART_CERT:
		if (v->n_certs < IKE_CERTS_MAX && ike_take(&octets, 1, &head))
			v->certs[v->n_certs++] = (struct ike_cert_payload){ head.data[0], octets };
		break;
	case PART_AUTH:
		if (ike_take(&octets, 1, &head)) {
			v->method = head.data[0];
			v->signature = octets;
		}
		break;
	case PART_IDENTITY:
		take_identity(octets);
		break;
	case PART_CRL:
		trust->crls = octets;
		(void)ike_crl_next_s(octets);
		break;
	case PART_OCSP:
		v->staples[0] = octets;
		v->n_staples = 1;
		break;
	case PART_RAW_KEY:
		trust->raw_key = octets;
		break;
	case PART_REVOKED:
		trust->revoked = octets;
		break;
	default:
		break;
	}
}

/* Whether the chain is good or not: all that there is of it. */
static void revocation(struct ike_verify *v)
{
	gnutls_datum_t request = { 0 };
	char url[IKE_URL_MAX];

	for (unsigned i = 0; i < v->trust->n_crls; i++)
		v->crls[v->n_crls++] = v->trust->crls[i];
	ike_verify_revocation(v);
	for (unsigned i = 0; i < v->n_links; i++) {
		(void)ike_link_crl_url(&v->links[i], url);
		(void)ike_link_ocsp_url(&v->links[i], url);
	}
	if (v->n_links > 1 && ike_link_ocsp_request(&v->links[0], &v->links[1], &request))
		gnutls_free(request.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char message[] = "signed";
	struct ike_trust_parts parts = { .level = IKE_CRL_REQUIRED };
	struct ipsp_span rest = { data, size }, head, octets;
	static struct ike_verify v;
	char why[IKE_WHY_TEXT];

	memset(&v, 0, sizeof(v));
	memset(&id, 0, sizeof(id));
	if (!ike_take(&rest, 4, &head))
		return 0;
	v.now_s = be32dec(head.data);
	v.id = &id;
	v.octets = (struct ipsp_span){ (const uint8_t *)message, sizeof(message) - 1 };
	while (ike_take(&rest, 3, &head) && ike_take(&rest, be16dec(head.data + 1), &octets))
		take(head.data[0], octets, &parts, &v);
	v.trust = ike_trust_new(&parts, why);
	if (!v.trust)
		return 0;
	ike_verify_run(&v);
	must(v.good || v.why[0]);
	revocation(&v);
	ike_verify_fini(&v);
	ike_trust_unref(v.trust);
	return 0;
}
