/* policy/revoked.c - see revoked.h. What is lost counts: it was meant to revoke. */
#include "policy/revoked.h"

#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/credential.h"

#define CA(column) MIB_COL(ipiaIpsecCredMngServiceTable, column)
#define CRL(column) MIB_COL(ipiaCredMngCRLTable, column)
#define REVOKED(column) MIB_COL(ipiaRevokedCertificateTable, column)

#define CRL_NAME_MAX 32u

enum { REASON_UNSPECIFIED = 1, REASON_REMOVE_FROM_CRL = 8 };

/* What has no room is counted all the same. */
struct list {
	uint8_t *out;
	size_t max, len;
};

static void put(struct list *l, const void *octets, size_t n)
{
	if (n > 0 && l->len <= l->max && n <= l->max - l->len)
		memcpy(l->out + l->len, octets, n);
	l->len += n;
}

static void put_number(struct list *l, uint32_t n, unsigned octets)
{
	while (octets-- > 0) {
		const uint8_t octet = (uint8_t)(n >> 8 * octets);

		put(l, &octet, 1);
	}
}

/* Over what was written there before. */
static void put_u24_at(struct list *l, size_t at, size_t n)
{
	struct list before = { .out = l->out, .max = l->max, .len = at };

	put_number(&before, (uint32_t)n, 3);
}

/* ---- whose they are ---- */

static size_t room_of(const struct list *l)
{
	return l->len < l->max ? l->max - l->len : 0;
}

/* Octets of the CA's own certificate, as many as there is room for behind the list. */
static size_t certificate(const struct mib_view *v, const struct mib_row *ca, const struct list *l)
{
	const struct mib_row *const cred = pol_row_by_name(v, ca, CA(ipiaIcmsCredentialName),
							   &mib_t_ipsaCredentialTable);
	const struct mib_row *const filter = pol_row_by_name(v, ca, CA(ipiaIcmsCredentialName),
							     &mib_t_ipiaCredentialFilterTable);
	const size_t room = room_of(l);
	uint8_t *const to = room > 0 ? l->out + l->len : l->out;
	const uint8_t *data;
	size_t n = 0;

	if (cred && mib_row_active(cred) &&
	    mib_row_number(cred, MIB_COL(ipsaCredentialTable, ipsaCredType), 0) == POL_CRED_X509) {
		n = pol_credential_octets(v, cred, to, room);
	} else if (!cred && filter && mib_row_active(filter)) {
		n = pol_row_octets(filter, MIB_COL(ipiaCredentialFilterTable,
						   ipiaCredFiltMatchFieldValue), &data);
		if (n > 0 && n <= room)
			memcpy(to, data, n);
	}
	return n;
}

static void put_ca(const struct mib_view *v, const struct mib_row *ca, struct list *l)
{
	const size_t at = l->len;
	const uint8_t *name;
	size_t n;

	put_number(l, 1u << 24, 4);
	n = certificate(v, ca, l);
	if (n > room_of(l)) {
		l->len += n;
		return;
	}
	n = n > 0 ? pol_credential_first(l->out + l->len, n) : 0;
	if (n > 0) {
		l->len += n;
	} else {
		n = pol_row_octets(ca, CA(ipiaIcmsDistinguishedName), &name);
		if (l->len <= l->max)
			l->out[at] = 0;
		put(l, name, n);
	}
	put_u24_at(l, at + 1, n);
}

/* ---- what they revoke ---- */

static size_t put_entries(const struct mib_view *v, const struct mib_row *crl, struct list *l)
{
	struct mib_oid prefix;
	struct pol_walk walk = { .view = v, .table = &mib_t_ipiaRevokedCertificateTable,
				 .prefix = &prefix, .with_lost = true };
	const struct mib_row *r;
	const uint8_t *name;
	size_t n = 0, name_len;

	name_len = pol_row_octets(crl, CRL(ipiaCmcCRLName), &name);
	if (name_len == 0 || name_len > CRL_NAME_MAX ||
	    !pol_index_by_name(crl, CRL(ipiaCmcCRLName), walk.table, &prefix))
		return 0;
	while ((r = pol_walk_next(&walk))) {
		const int64_t reason = mib_row_number(r, REVOKED(ipiaRctRevokedReason),
						      REASON_UNSPECIFIED);

		if (reason == REASON_REMOVE_FROM_CRL)
			continue;
		put_number(l, (uint32_t)mib_row_number(r, REVOKED(ipiaRctCertSerialNumber), 0), 4);
		put_number(l, (uint32_t)reason, 1);
		put_number(l, (uint32_t)name_len, 1);
		put(l, name, name_len);
		n++;
	}
	return n;
}

static size_t put_crls(const struct mib_view *v, const struct mib_row *ca, struct list *l)
{
	struct mib_oid prefix;
	struct pol_walk walk = { .view = v, .table = &mib_t_ipiaCredMngCRLTable,
				 .prefix = &prefix, .with_lost = true };
	const struct mib_row *crl;
	size_t n = 0;

	mib_row_index_copy(ca, &prefix);
	while ((crl = pol_walk_next(&walk)))
		n += put_entries(v, crl, l);
	return n;
}

size_t pol_revoked_write(const struct mib_view *v, uint8_t *out, size_t max)
{
	struct list l = { .out = out, .max = max };
	struct pol_walk walk = { .view = v, .table = &mib_t_ipiaIpsecCredMngServiceTable,
				 .with_lost = true };
	const struct mib_row *ca;

	while ((ca = pol_walk_next(&walk))) {
		const size_t at = l.len;
		size_t count_at, n;

		put_ca(v, ca, &l);
		count_at = l.len;
		put_number(&l, 0, 3);
		n = put_crls(v, ca, &l);
		if (n > 0)
			put_u24_at(&l, count_at, n);
		else
			l.len = at;
	}
	return l.len;
}
