/* policy/credential.c - credential octets: see credential.h. */
#include "policy/credential.h"

#include <string.h>

#include "mibs/schema_gen.h"

static void key_append(struct ipsp_key *key, const uint8_t *data, size_t len)
{
	size_t room = IPSP_KEY_MAX - key->len;
	size_t n = len < room ? len : room;

	if (n > 0)
		memcpy(&key->octets[key->len], data, n);
	key->len = (uint16_t)(key->len + n);
}

size_t pol_credential_key(const struct mib_view *v, const struct mib_row *cred,
			  struct ipsp_key *out)
{
	struct mib_oid prefix;
	struct pol_walk walk = { .view = v, .table = &mib_t_ipsaCredentialSegmentTable,
				 .prefix = &prefix };
	const uint8_t *data;
	size_t total = pol_row_octets(cred, MIB_COL(ipsaCredentialTable, ipsaCredCredential),
				      &data);

	out->len = 0;
	key_append(out, data, total);
	if (total > 0)
		return total;
	mib_row_index_copy(cred, &prefix);
	for (const struct mib_row *s; (s = pol_walk_next(&walk));) {
		size_t n = pol_row_octets(s, MIB_COL(ipsaCredentialSegmentTable, ipsaCredSegValue),
					  &data);

		key_append(out, data, n);
		total += n;
	}
	return total;
}
