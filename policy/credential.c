/* policy/credential.c - credential octets: see credential.h. */
#include "policy/credential.h"

#include <string.h>

#include "mibs/schema_gen.h"

/* Where octets go, as far as there is room. */
struct room {
	uint8_t *out;
	size_t max;
	size_t total;	/* with those that had none */
};

static void append(struct room *room, const uint8_t *data, size_t len)
{
	const size_t left = room->total < room->max ? room->max - room->total : 0;

	if (len > 0 && left > 0)
		memcpy(room->out + room->total, data, len < left ? len : left);
	room->total += len;
}

size_t pol_credential_octets(const struct mib_view *v, const struct mib_row *cred, uint8_t *out,
			     size_t max)
{
	struct mib_oid prefix;
	struct pol_walk walk = { .view = v, .table = &mib_t_ipsaCredentialSegmentTable,
				 .prefix = &prefix };
	struct room room = { .out = out, .max = max };
	const uint8_t *data;
	size_t len = pol_row_octets(cred, MIB_COL(ipsaCredentialTable, ipsaCredCredential), &data);

	append(&room, data, len);
	if (len > 0)
		return room.total;
	mib_row_index_copy(cred, &prefix);
	for (const struct mib_row *s; (s = pol_walk_next(&walk));) {
		len = pol_row_octets(s, MIB_COL(ipsaCredentialSegmentTable, ipsaCredSegValue),
				     &data);
		append(&room, data, len);
	}
	return room.total;
}

size_t pol_credential_key(const struct mib_view *v, const struct mib_row *cred,
			  struct ipsp_key *out)
{
	const size_t total = pol_credential_octets(v, cred, out->octets, IPSP_KEY_MAX);

	out->len = (uint16_t)(total < IPSP_KEY_MAX ? total : IPSP_KEY_MAX);
	return total;
}

/* The certificate's beginning: headers, version and a serial number of up to 20 octets. */
#define CERTIFICATE_HEAD_MAX 64

enum { DER_INTEGER = 0x02, DER_OID = 0x06, DER_SEQUENCE = 0x30, DER_VERSION = 0xa0, DER_LONG = 0x80,
       DER_NEGATIVE = 0x80 };

/*
 * The header of a value with that tag. @return its octets, and *len those of the value, which may go on
 * behind the n that are there; 0: there is none
 */
static size_t der_header(const uint8_t *p, size_t n, uint8_t tag, size_t *len)
{
	size_t octets;

	if (n < 2 || p[0] != tag)
		return 0;
	*len = p[1];
	if (p[1] < DER_LONG)
		return 2;
	octets = p[1] & ~(unsigned)DER_LONG;
	if (octets == 0 || octets > 3 || octets > n - 2)
		return 0;
	*len = 0;
	for (size_t i = 0; i < octets; i++)
		*len = *len << 8 | p[2 + i];
	return 2 + octets;
}

bool pol_credential_serial(const struct mib_view *v, const struct mib_row *cred, uint32_t *out)
{
	static const uint8_t outer[] = { DER_SEQUENCE, DER_SEQUENCE };
	uint8_t head[CERTIFICATE_HEAD_MAX];
	const size_t total = pol_credential_octets(v, cred, head, sizeof(head));
	const size_t n = total < sizeof(head) ? total : sizeof(head);
	size_t at = 0, header, len;

	for (size_t i = 0; i < sizeof(outer); i++) {
		header = der_header(head + at, n - at, outer[i], &len);
		if (header == 0)
			return false;
		at += header;
	}
	header = der_header(head + at, n - at, DER_VERSION, &len);
	if (header > 0) {
		if (len > n - at - header)
			return false;
		at += header + len;
	}
	header = der_header(head + at, n - at, DER_INTEGER, &len);
	/* Four octets, or five when the first one keeps the number positive. */
	if (header == 0 || len == 0 || len > n - at - header || len > 5 ||
	    (len == 5 && head[at + header] != 0) || head[at + header] >= DER_NEGATIVE)
		return false;
	*out = 0;
	for (size_t i = 0; i < len; i++)
		*out = *out << 8 | head[at + header + i];
	return true;
}

bool pol_credential_is_raw_key(const struct mib_view *v, const struct mib_row *cred)
{
	static const uint8_t outer[] = { DER_SEQUENCE, DER_SEQUENCE, DER_OID };
	uint8_t head[CERTIFICATE_HEAD_MAX];
	const size_t total = pol_credential_octets(v, cred, head, sizeof(head));
	const size_t n = total < sizeof(head) ? total : sizeof(head);
	size_t at = 0, len;

	for (size_t i = 0; i < sizeof(outer); i++) {
		const size_t header = der_header(head + at, n - at, outer[i], &len);

		if (header == 0)
			return false;
		at += header;
	}
	return true;
}

size_t pol_credential_first(const uint8_t *p, size_t n)
{
	size_t len;
	const size_t header = der_header(p, n, DER_SEQUENCE, &len);

	return header > 0 && len <= n - header ? header + len : 0;
}
