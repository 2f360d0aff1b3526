/*
 * policy/conn_ca.c - certificate authorities of a connection's credentials: see connection.h.
 *
 * RFC 5280 5.3. Rows of ipiaRevokedCertificateTable revoke whatever their CRL's authority has given that serial
 * number: here what rows name as credentials, in policy/revoked.h for who negotiates. Serial numbers of more than 32 bits
 * have no row: they are enforced from the list itself, by who negotiates.
 */
#include "policy/conn_parts.h"

#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/credential.h"

#define CA(column) MIB_COL(ipiaIpsecCredMngServiceTable, column)
#define CRL(column) MIB_COL(ipiaCredMngCRLTable, column)
#define REVOKED(column) MIB_COL(ipiaRevokedCertificateTable, column)

enum { REASON_UNSPECIFIED = 1, REASON_REMOVE_FROM_CRL = 8 };

static const char *reason_of(int64_t reason)
{
	static const char *const words[] = { "", "", " (key compromise)", " (CA compromise)",
					     " (affiliation changed)", " (superseded)",
					     " (cessation of operation)", " (on hold)" };

	return reason > 0 && reason < REASON_REMOVE_FROM_CRL ? words[reason] : "";
}

static const struct mib_row *revoked_row(const struct mib_view *v, const char *crl,
					 uint32_t serial)
{
	const struct mib_value parts[] = { mib_value_octets(crl, strlen(crl)),
					   mib_value_unsigned(serial) };
	const struct mib_row *r;
	struct mib_oid index;

	if (!mib_index_encode(&mib_t_ipiaRevokedCertificateTable, parts, 2, &index))
		return NULL;
	r = mib_view_row(v, &mib_t_ipiaRevokedCertificateTable, index.ids, index.len);
	return r && mib_row_active(r) ? r : NULL;
}

static void check_revoked(const struct mib_view *v, const char *credential, const char *crl,
			  uint32_t serial, struct pol_connection *c)
{
	const struct mib_row *r = revoked_row(v, crl, serial);
	const int64_t reason = r ? mib_row_number(r, REVOKED(ipiaRctRevokedReason),
						  REASON_UNSPECIFIED) : REASON_REMOVE_FROM_CRL;
	char date[33];

	if (reason == REASON_REMOVE_FROM_CRL)
		return;
	mib_row_text(r, REVOKED(ipiaRctRevokedDate), date, sizeof(date));
	pol_conn_fault(c, "certificate \"%s\" is revoked%s%s%s by CRL \"%s\"", credential,
		       date[0] ? " since " : "", date, reason_of(reason), crl);
}

/* Its own certificate, when one is named. */
static void check_certificate(const struct mib_view *v, const struct mib_row *ca,
			      const struct pol_conn_ca *out, struct pol_connection *c)
{
	const struct mib_row *cred = pol_row_by_name(v, ca, CA(ipiaIcmsCredentialName),
						     &mib_t_ipsaCredentialTable);
	const struct mib_row *filter = pol_row_by_name(v, ca, CA(ipiaIcmsCredentialName),
						       &mib_t_ipiaCredentialFilterTable);

	if (!out->certificate[0])
		return;
	if (!cred && filter && mib_row_active(filter))
		return;
	if (!cred || !mib_row_active(cred) ||
	    !pol_row_enabled(cred, MIB_COL(ipsaCredentialTable, ipsaCredAdminStatus)))
		pol_conn_fault(c, "CA \"%s\" has no enabled certificate \"%s\"", out->name,
			       out->certificate);
	else if (mib_row_number(cred, MIB_COL(ipsaCredentialTable, ipsaCredType), 0) !=
		 POL_CRED_X509)
		pol_conn_fault(c, "CA \"%s\" has the credential \"%s\", which is no certificate",
			       out->name, out->certificate);
}

static void read_crl(const struct mib_row *r, struct pol_conn_crl *out)
{
	pol_conn_name(r, CRL(ipiaCmcCRLName), out->name);
	mib_row_text(r, CRL(ipiaCmcDistributionPoint), out->point, sizeof(out->point));
	mib_row_text(r, CRL(ipiaCmcThisUpdate), out->this_update, sizeof(out->this_update));
	mib_row_text(r, CRL(ipiaCmcNextUpdate), out->next_update, sizeof(out->next_update));
}

static struct pol_conn_ca *known(const char *name, struct pol_connection *c)
{
	for (size_t i = 0; i < c->n_cas; i++)
		if (strcmp(c->cas[i].name, name) == 0)
			return &c->cas[i];
	return NULL;
}

static void read_ca(const struct mib_view *v, const struct mib_row *ca, const char *name,
		    struct pol_connection *c)
{
	struct mib_oid prefix;
	struct pol_walk walk = { .view = v, .table = &mib_t_ipiaCredMngCRLTable,
				 .prefix = &prefix };
	struct pol_conn_ca *out = &c->cas[c->n_cas];
	const struct mib_row *crl;

	if (c->n_cas == POL_CONN_CAS_MAX) {
		pol_conn_fault(c, "has more than %d CAs", POL_CONN_CAS_MAX);
		return;
	}
	c->n_cas++;
	memcpy(out->name, name, sizeof(out->name));
	mib_row_text(ca, CA(ipiaIcmsDistinguishedName), out->dn, sizeof(out->dn));
	pol_conn_name(ca, CA(ipiaIcmsCredentialName), out->certificate);
	out->crl_level = (enum pol_crl_level)mib_row_number(
		ca, MIB_COL(ipspdCaTable, ipspdCaCrlLevel), POL_CRL_IF_AVAILABLE);
	out->in_requests = pol_row_truth(ca, MIB_COL(ipspdCaTable, ipspdCaInRequests), true);
	mib_row_index_copy(ca, &prefix);
	while ((crl = pol_walk_next(&walk))) {
		if (out->n_crls < POL_CONN_CRLS_MAX)
			read_crl(crl, &out->crls[out->n_crls]);
		out->n_crls++;
	}
	check_certificate(v, ca, out, c);
}

void pol_conn_ca(const struct mib_view *v, const struct mib_row *cred, const struct mib_row *ca,
		 struct pol_connection *c)
{
	struct mib_oid prefix;
	struct pol_walk walk = { .view = v, .table = &mib_t_ipiaCredMngCRLTable,
				 .prefix = &prefix };
	char name[POL_CONN_NAME], credential[POL_CONN_NAME], crl_name[POL_CONN_NAME];
	const struct pol_conn_ca *of;
	const struct mib_row *crl;
	uint32_t serial;

	pol_conn_name(ca, CA(ipiaIcmsName), name);
	if (!known(name, c))
		read_ca(v, ca, name, c);
	of = known(name, c);
	if (!of || of->crl_level == POL_CRL_NONE || !pol_credential_serial(v, cred, &serial))
		return;
	pol_conn_name(cred, MIB_COL(ipsaCredentialTable, ipsaCredName), credential);
	mib_row_index_copy(ca, &prefix);
	while ((crl = pol_walk_next(&walk))) {
		pol_conn_name(crl, CRL(ipiaCmcCRLName), crl_name);
		check_revoked(v, credential, crl_name, serial, c);
	}
}
