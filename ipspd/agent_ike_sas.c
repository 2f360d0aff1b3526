/* ipspd/agent_ike_sas.c - ipspdIkeSaTable: IKE SAs as the ike process told them last. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "ike/registry.h"
#include "ipspd/agent_int.h"
#include "mibs/schema_gen.h"

enum { V2 = 2 };

static size_t seek(const struct ike_wire_sa *sas, size_t n, uint32_t above)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (sas[mid].number <= above)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool next_sa(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	size_t n;
	const struct ike_wire_sa *const sas = agent_ike_sas(arg, &n);
	const size_t at = seek(sas, n, after && after->len > 0 ? after->ids[0] : 0);

	if (at == n)
		return false;
	*out = (struct mib_oid){ .len = 1, .ids = { sas[at].number } };
	return true;
}

static struct mib_value text_of(const char *text)
{
	return mib_value_octets(text, strlen(text));
}

static struct mib_value type_of(const struct ipsp_addr *a)
{
	return mib_value_integer(a->family == 4 ? 1 : a->family == 6 ? 2 : 0);
}

static struct mib_value address_of(const struct ipsp_addr *a)
{
	return mib_value_octets(a->octets, ipsp_addr_size(a->family));
}

const char *agent_ike_identity(const struct ike_identity *id, char text[IKE_IDENTITY_TEXT])
{
	const char *const all = ike_identity_text(id, text);
	const char *const space = strchr(all, ' ');

	if (id->type == 0 || id->len == 0)
		return "";
	return space ? space + 1 : all;
}

static struct mib_value name_of(struct agent *a, uint8_t type, uint16_t id)
{
	return text_of(id ? ike_name_or_number(ike_transform_list(type), id, a->ike.text) : "");
}

/* The list that its connection's rows name. */
static struct mib_value peer_of(struct agent *a, const struct ike_wire_sa *sa)
{
	const struct pol_conn_set *const set = connections_set(a);
	const size_t at = set ? pol_conn_seek(set, sa->ipsec, sa->ike, false) : 0;
	struct pol_connection *c;

	a->ike.text[0] = '\0';
	if (set && at < set->n_keys && strcmp(set->keys[at].ipsec, sa->ipsec) == 0 &&
	    strcmp(set->keys[at].ike, sa->ike) == 0 &&
	    pol_connection_make(mib_store_view(a->store), &set->keys[at], &c)) {
		snprintf(a->ike.text, sizeof(a->ike.text), "%s", c->peer_list);
		pol_connection_free(c);
	}
	return text_of(a->ike.text);
}

static enum mib_err read_in(uint32_t seconds, struct mib_value *out)
{
	*out = mib_value_unsigned(seconds);
	return seconds == IKE_WIRE_NEVER ? MIB_NO_SUCH_INSTANCE : MIB_OK;
}

static enum mib_err read_sa(void *arg, const struct mib_column *col, const uint32_t *index, size_t len,
			    struct mib_value *out)
{
	struct agent *const a = arg;
	size_t n;
	const struct ike_wire_sa *const sas = agent_ike_sas(a, &n);
	const size_t at = len == 1 && index[0] > 0 ? seek(sas, n, index[0] - 1) : n;
	const struct ike_wire_sa *const sa = at < n ? &sas[at] : NULL;

	if (!sa || sa->number != index[0])
		return MIB_NO_SUCH_INSTANCE;
	switch (col->pos) {
	case MIB_C_ipspdIkeSaPeer:
		*out = peer_of(a, sa);
		break;
	case MIB_C_ipspdIkeSaVersion:
		*out = mib_value_integer(V2);
		break;
	case MIB_C_ipspdIkeSaState:
		*out = mib_value_integer(sa->state);
		break;
	case MIB_C_ipspdIkeSaInitiator:
		*out = mib_value_integer(sa->initiator ? 1 : 2);
		break;
	case MIB_C_ipspdIkeSaLocalType:
		*out = type_of(&sa->path.local);
		break;
	case MIB_C_ipspdIkeSaLocal:
		*out = address_of(&sa->path.local);
		break;
	case MIB_C_ipspdIkeSaLocalPort:
		*out = mib_value_unsigned(sa->path.local_port);
		break;
	case MIB_C_ipspdIkeSaRemoteType:
		*out = type_of(&sa->path.remote);
		break;
	case MIB_C_ipspdIkeSaRemote:
		*out = address_of(&sa->path.remote);
		break;
	case MIB_C_ipspdIkeSaRemotePort:
		*out = mib_value_unsigned(sa->path.remote_port);
		break;
	case MIB_C_ipspdIkeSaLocalId:
		*out = text_of(agent_ike_identity(&sa->local, a->ike.text));
		break;
	case MIB_C_ipspdIkeSaRemoteId:
		*out = text_of(agent_ike_identity(&sa->remote, a->ike.text));
		break;
	case MIB_C_ipspdIkeSaCipher:
		*out = name_of(a, IKE_TRANSFORM_ENCR, sa->encr);
		break;
	case MIB_C_ipspdIkeSaCipherBits:
		*out = mib_value_unsigned(sa->encr_key_bits);
		break;
	case MIB_C_ipspdIkeSaIntegrity:
		*out = name_of(a, IKE_TRANSFORM_INTEG, sa->integ);
		break;
	case MIB_C_ipspdIkeSaPrf:
		*out = name_of(a, IKE_TRANSFORM_PRF, sa->prf);
		break;
	case MIB_C_ipspdIkeSaKeGroup:
		*out = mib_value_unsigned(sa->ke);
		break;
	case MIB_C_ipspdIkeSaAge:
		if (sa->state < IKE_WIRE_ESTABLISHED)
			return MIB_NO_SUCH_INSTANCE;
		*out = mib_value_unsigned((uint32_t)(sa->age_s < UINT32_MAX ? sa->age_s : UINT32_MAX));
		break;
	case MIB_C_ipspdIkeSaChildren:
		*out = mib_value_unsigned(sa->n_children);
		break;
	case MIB_C_ipspdIkeSaRekeyIn:
		return read_in(sa->renew_s, out);
	case MIB_C_ipspdIkeSaExpiresIn:
		return read_in(sa->end_s, out);
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
	return MIB_OK;
}

enum mib_err agent_ike_add(struct agent *a)
{
	a->ike.source = (struct mib_source){ .table = &mib_t_ipspdIkeSaTable, .next = next_sa,
					     .read = read_sa, .arg = a };
	return mib_store_add_source(a->store, &a->ike.source);
}
