/*
 * pfkey/msg_rules.c - which extensions a request of each type must have, and which it may have.
 * RFC 2367 3.1; Linux's SPD messages as its users send them.
 */
#include "pfkey/msg.h"

#include <errno.h>

#define SA PFKEY_HAS(SADB_EXT_SA)
#define SD (PFKEY_HAS(SADB_EXT_ADDRESS_SRC) | PFKEY_HAS(SADB_EXT_ADDRESS_DST))
#define PROXY PFKEY_HAS(SADB_EXT_ADDRESS_PROXY)
#define HARD PFKEY_HAS(SADB_EXT_LIFETIME_HARD)
#define LIFE (PFKEY_HAS(SADB_EXT_LIFETIME_CURRENT) | HARD | PFKEY_HAS(SADB_EXT_LIFETIME_SOFT))
#define KEYS (PFKEY_HAS(SADB_EXT_KEY_AUTH) | PFKEY_HAS(SADB_EXT_KEY_ENCRYPT))
#define IDS (PFKEY_HAS(SADB_EXT_IDENTITY_SRC) | PFKEY_HAS(SADB_EXT_IDENTITY_DST))
#define SENS PFKEY_HAS(SADB_EXT_SENSITIVITY)
#define PROP PFKEY_HAS(SADB_EXT_PROPOSAL)
#define RANGE PFKEY_HAS(SADB_EXT_SPIRANGE)
#define SA2 PFKEY_HAS(SADB_X_EXT_SA2)
#define POLICY PFKEY_HAS(SADB_X_EXT_POLICY)
#define CTX PFKEY_HAS(SADB_X_EXT_SEC_CTX)
#define KM (PFKEY_HAS(SADB_X_EXT_KMADDRESS) | PFKEY_HAS(SADB_X_EXT_KMPRIVATE))
#define NATT (PFKEY_HAS(SADB_X_EXT_NAT_T_TYPE) | PFKEY_HAS(SADB_X_EXT_NAT_T_SPORT) | \
	      PFKEY_HAS(SADB_X_EXT_NAT_T_DPORT) | PFKEY_HAS(SADB_X_EXT_NAT_T_OA))
#define OURS (PFKEY_HAS(PFKEY_EXT_TRAFFIC) | PFKEY_HAS(PFKEY_EXT_HANDLING))
#define FLOW (PFKEY_HAS_FS(PFKEY_FS_EXT_SRC_FLOW) | PFKEY_HAS_FS(PFKEY_FS_EXT_DST_FLOW) | \
	      PFKEY_HAS_FS(PFKEY_FS_EXT_SRC_MASK) | PFKEY_HAS_FS(PFKEY_FS_EXT_DST_MASK))
#define FLOW_PROTO PFKEY_HAS_FS(PFKEY_FS_EXT_PROTOCOL)

struct rule {
	uint8_t type;
	const char *text;
	bool request;	/* a user may send it */
	uint64_t must, may;
};

static const struct rule rules[] = {
	{ SADB_RESERVED, "RESERVED", false, 0, 0 },
	{ SADB_GETSPI, "GETSPI", true, SD, PROXY | RANGE | SA2 | SA | KM },
	{ SADB_UPDATE, "UPDATE", true, SA | SD,
	  LIFE | PROXY | KEYS | IDS | SENS | SA2 | NATT | CTX | KM | OURS },
	{ SADB_ADD, "ADD", true, SA | SD,
	  LIFE | PROXY | KEYS | IDS | SENS | SA2 | NATT | CTX | KM | OURS },
	{ SADB_DELETE, "DELETE", true, SA | SD, SA2 | PROXY },
	{ SADB_GET, "GET", true, SA | SD, SA2 | PROXY },
	/* Two kinds: a failure is the base header alone, see pfkey_msg_check_request. */
	{ SADB_ACQUIRE, "ACQUIRE", true, SD | PROP, PROXY | IDS | SENS | POLICY | SA2 | CTX },
	{ SADB_REGISTER, "REGISTER", true, 0, 0 },
	{ SADB_EXPIRE, "EXPIRE", false, 0, 0 },
	{ SADB_FLUSH, "FLUSH", true, 0, 0 },
	{ SADB_DUMP, "DUMP", true, 0, PFKEY_HAS(SADB_X_EXT_FILTER) },
	{ SADB_X_PROMISC, "X_PROMISC", true, 0, 0 },
	{ SADB_X_PCHANGE, "X_PCHANGE", false, 0, 0 },
	{ SADB_X_SPDUPDATE, "X_SPDUPDATE", true, SD | POLICY, LIFE | SA2 | CTX },
	{ SADB_X_SPDADD, "X_SPDADD", true, SD | POLICY, LIFE | SA2 | CTX },
	{ SADB_X_SPDDELETE, "X_SPDDELETE", true, SD | POLICY, LIFE | SA2 | CTX },
	{ SADB_X_SPDGET, "X_SPDGET", true, POLICY, SD | LIFE | SA2 },
	{ SADB_X_SPDACQUIRE, "X_SPDACQUIRE", true, SD | POLICY, SA2 },
	{ SADB_X_SPDDUMP, "X_SPDDUMP", true, 0, 0 },
	{ SADB_X_SPDFLUSH, "X_SPDFLUSH", true, 0, 0 },
	{ SADB_X_SPDSETIDX, "X_SPDSETIDX", true, SD | POLICY, LIFE | SA2 | CTX },
	{ SADB_X_SPDEXPIRE, "X_SPDEXPIRE", false, 0, 0 },
	{ SADB_X_SPDDELETE2, "X_SPDDELETE2", true, POLICY, SD | LIFE | SA2 },
	{ SADB_X_NAT_T_NEW_MAPPING, "X_NAT_T_NEW_MAPPING", false, 0, 0 },
	/* With an SA: that one alone, see pfkey/migrate.c. */
	{ SADB_X_MIGRATE, "X_MIGRATE", true, SD | POLICY, SA | SA2 | NATT | KM },
};

static const struct rule addflow = {
	PFKEY_FS_ADDFLOW, "X_ADDFLOW", true, SA | SD | FLOW, FLOW_PROTO | IDS,
};
static const struct rule delflow = {
	PFKEY_FS_DELFLOW, "X_DELFLOW", true, 0, SA | SD | FLOW | FLOW_PROTO | IDS,
};

#define N_RULES (sizeof(rules) / sizeof(rules[0]))

static const struct rule *rule_of(const struct pfkey_msg *m)
{
	if (m->freeswan)
		return m->type == PFKEY_FS_ADDFLOW ? &addflow : &delflow;
	return m->type < N_RULES ? &rules[m->type] : NULL;
}

static bool same_family(const struct pfkey_address *a, const struct pfkey_address *b)
{
	return a->addr.family == b->addr.family;
}

int pfkey_msg_check_request(const struct pfkey_msg *m)
{
	const struct rule *r = rule_of(m);

	if (!r)
		return EINVAL;
	if (!r->request)
		return m->type == SADB_RESERVED ? EINVAL : EOPNOTSUPP;
	if (m->type == SADB_ACQUIRE && m->has == 0)
		return m->err ? 0 : EINVAL;
	if ((m->has & r->must) != r->must || (m->has & ~(r->must | r->may)))
		return EINVAL;
	if (m->freeswan && (m->has & FLOW) != FLOW &&
	    !(m->has & SA && m->sa.flags & PFKEY_FS_FLAG_CLEARFLOW))
		return EINVAL;
	/* Addresses come together or not at all. */
	if ((m->has & SD) != 0 && (m->has & SD) != SD)
		return EINVAL;
	if ((m->has & SD) == SD && !same_family(&m->src, &m->dst))
		return EINVAL;
	if ((m->has & FLOW) == FLOW &&
	    !(same_family(&m->flow_src, &m->flow_dst) && same_family(&m->flow_src, &m->mask_src) &&
	      same_family(&m->flow_src, &m->mask_dst)))
		return EINVAL;
	return 0;
}

const char *pfkey_type_text(uint8_t type)
{
	return type < N_RULES ? rules[type].text : "of unknown type";
}
