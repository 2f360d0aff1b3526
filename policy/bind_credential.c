/*
 * policy/bind_credential.c - which X.509 credentials may be used: whole certificates in DER, one behind
 * the other, the end entity's first. X.690 8.1, 10.1; RFC 5280 4.1.
 *
 * Only where certificates begin and end is looked at here, when a credential is enabled or changed
 * while it is. What stands in them is for whoever uses them, apart from the store and its secrets.
 */
#include "policy/bind.h"

#include <stdlib.h>

#include "mibs/schema_gen.h"
#include "policy/credential.h"
#include "policy/rows.h"

#define CRED(column) MIB_COL(ipsaCredentialTable, column)

#define CHAIN_OCTETS_MAX 65536u
#define CHAIN_CERTIFICATES_MAX 16u

enum { DER_SEQUENCE = 0x30, DER_LONG = 0x80, DER_LENGTH_OCTETS_MAX = 3 };

/* The SEQUENCE at p, of at most n octets. @return its length with its header; 0: there is none */
static size_t sequence(const uint8_t *p, size_t n, size_t *header)
{
	size_t octets = 0, len = 0;

	if (n < 2 || p[0] != DER_SEQUENCE)
		return 0;
	if (p[1] < DER_LONG) {
		len = p[1];
	} else {
		octets = p[1] & ~(unsigned)DER_LONG;
		if (octets == 0 || octets > DER_LENGTH_OCTETS_MAX || octets > n - 2 || p[2] == 0)
			return 0;
		for (size_t i = 0; i < octets; i++)
			len = len << 8 | p[2 + i];
		/* DER: the shortest form there is. */
		if (len < DER_LONG)
			return 0;
	}
	*header = 2 + octets;
	return len <= n - *header ? *header + len : 0;
}

/* What is wrong with a chain, or NULL. */
static const char *chain_fault(const uint8_t *p, size_t n)
{
	size_t certificates = 0;

	if (n > CHAIN_OCTETS_MAX)
		return "is longer than 65536 octets";
	while (n > 0) {
		size_t header, inner;
		const size_t len = sequence(p, n, &header);

		if (len == 0 || sequence(p + header, len - header, &inner) == 0)
			return certificates ? "has octets behind its certificates that are none" :
					      "is no certificate in DER (RFC 5280 4.1)";
		if (++certificates > CHAIN_CERTIFICATES_MAX)
			return "has more than 16 certificates";
		p += len;
		n -= len;
	}
	return NULL;
}

static enum mib_err check_chain(const struct mib_view *v, const struct mib_row *cred,
				struct mib_diag *d)
{
	uint8_t *octets = malloc(CHAIN_OCTETS_MAX + 1);
	const char *fault;

	if (!octets)
		return MIB_RESOURCE_UNAVAILABLE;
	const size_t n = pol_credential_octets(v, cred, octets, CHAIN_OCTETS_MAX + 1);

	fault = chain_fault(octets, n);
	free(octets);
	return fault ? pol_refuse(d, cred, CRED(ipsaCredCredential), "its value %s", fault) : MIB_OK;
}

static bool is_used_x509(const struct mib_row *cred)
{
	return mib_row_number(cred, CRED(ipsaCredType), 0) == POL_CRED_X509 &&
	       pol_row_enabled(cred, CRED(ipsaCredAdminStatus));
}

static enum mib_err credential_check(const struct mib_view *v, const struct mib_row *r,
				     struct mib_diag *d)
{
	return is_used_x509(r) ? check_chain(v, r, d) : MIB_OK;
}

static enum mib_err segment_derive(struct mib_txn *t, const struct mib_change *c,
				   struct mib_diag *d)
{
	const struct mib_view *v = mib_txn_view(t);
	const uint32_t *index;
	size_t len;

	if (!c->after)
		return MIB_OK;
	index = mib_row_index(c->after, &len);
	/* The last part of the index is the segment's number. */
	const struct mib_row *cred = mib_view_row(v, &mib_t_ipsaCredentialTable, index, len - 1);

	return cred && mib_row_active(cred) ? credential_check(v, cred, d) : MIB_OK;
}

const struct mib_binder pol_bind_credential = {
	.table = &mib_t_ipsaCredentialTable,
	.check = credential_check,
};

const struct mib_binder pol_bind_segment = {
	.table = &mib_t_ipsaCredentialSegmentTable,
	.derive = segment_derive,
};
