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
