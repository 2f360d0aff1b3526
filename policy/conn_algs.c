/*
 * policy/conn_algs.c - proposals of IKE and IPsec actions, with IKEv2's numbers: see connection.h.
 *
 * RFC 2407 4.5, RFC 2409 appendix A (IKEv1 numbers), RFC 7296 3.3.2 and IANA "ikev2-parameters" (IKEv2's). One
 * row is one proposal in either version; an IKEv1 hash makes IKEv2's PRF and integrity.
 */
#include "policy/conn_parts.h"

#include <stdio.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/algs.h"

#define PROP(column) MIB_COL(ipiaIkeProposalTable, column)
#define V2(column) MIB_COL(ipspdIkePropTable, column)
#define ESP(column) MIB_COL(ipsaEspTransformTable, column)
#define AH(column) MIB_COL(ipsaAhTransformTable, column)
#define IPCOMP(column) MIB_COL(ipsaIpcompTransformTable, column)

enum { IPCOMP_DEFLATE = 2 };
enum { LIFE_DEFAULT_S = 28800, WINDOW_DEFAULT_PKTS = 64 };
enum { IKE_PRIVATE_CIPHER = 65100, ESP_CHACHA = 249 };

struct pair {
	uint16_t v1, v2;
};

static const struct pair ike_encrs[] = { { 1, 2 }, { 5, 3 }, { 7, 12 }, { 8, 23 } };
static const struct pair ike_prfs[] = { { 1, 1 }, { 2, 2 }, { 4, 5 }, { 5, 6 }, { 6, 7 } };
static const struct pair ike_integs[] = { { 1, 1 }, { 2, 2 }, { 4, 12 }, { 5, 13 }, { 6, 14 } };
static const struct pair auth_methods[] = { { 1, 2 }, { 2, 3 }, { 3, 1 }, { 8, 14 }, { 9, 9 },
					    { 10, 10 }, { 11, 11 } };
static const struct pair esp_encrs[] = { { 2, 2 }, { 3, 3 }, { 11, 11 }, { 12, 12 }, { 13, 13 }, { 14, 14 },
					 { 15, 15 }, { 16, 16 }, { 18, 18 }, { 19, 19 },
					 { 20, 20 }, { 22, 23 }, { 23, 21 }, { ESP_CHACHA, 28 } };
static const struct pair esp_integs[] = { { 0, 0 }, { 1, 1 }, { 2, 2 }, { 5, 12 }, { 6, 13 },
					  { 7, 14 }, { 9, 5 }, { 11, 9 }, { 12, 10 }, { 13, 11 }, { 61508, 8 } };

#define V2_OF(pairs, n) v2_of(pairs, sizeof(pairs) / sizeof((pairs)[0]), n)

/* UINT16_MAX: IKEv2 has no such thing. */
static uint16_t v2_of(const struct pair *pairs, size_t n, uint16_t v1)
{
	for (size_t i = 0; i < n; i++)
		if (pairs[i].v1 == v1)
			return pairs[i].v2;
	return UINT16_MAX;
}

/* ---- the IKE SA ---- */

/* What only IKEv2 has. */
static void read_v2(const struct mib_row *r, struct pol_ike_proposal *p, struct pol_connection *c)
{
	const uint16_t prf = (uint16_t)mib_row_number(r, V2(ipspdIkePropPrf), 0);
	const uint16_t integ = (uint16_t)mib_row_number(r, V2(ipspdIkePropIntegrity), 0);
	const uint8_t *octets;
	const size_t n = pol_row_octets(r, V2(ipspdIkePropAddKe), &octets);

	if (prf)
		p->prf = prf;
	if (integ && p->integ == 0)
		pol_conn_fault(c, "proposal \"%s\" has an integrity algorithm, and its cipher brings "
			       "its own", p->name);
	else if (integ)
		p->integ = integ;
	for (size_t i = 0; i + 1 < n && p->n_add_ke < POL_CONN_ADD_KE_MAX; i += 2)
		p->add_ke[p->n_add_ke++] = (uint16_t)(octets[i] << 8 | octets[i + 1]);
}

static void map_proposal(const struct mib_row *r, struct pol_ike_proposal *p,
			 struct pol_connection *c)
{
	const bool private = p->cipher > IKE_PRIVATE_CIPHER;

	p->encr = private ? (uint16_t)(p->cipher - IKE_PRIVATE_CIPHER) :
			    V2_OF(ike_encrs, p->cipher);
	p->prf = V2_OF(ike_prfs, p->hash);
	/* The private ones are AEADs (RFC 5282), which bring their integrity. */
	p->integ = private ? 0 : V2_OF(ike_integs, p->hash);
	p->auth = V2_OF(auth_methods, p->method);
	read_v2(r, p, c);
	p->v2 = p->encr != UINT16_MAX && p->prf != UINT16_MAX && p->integ != UINT16_MAX &&
		p->auth != UINT16_MAX;
	/* RFC 8031's groups came after IKEv1. */
	p->v1 = !private && p->group != 31 && p->group != 32;
}

static void read_proposal(const struct mib_row *member, const struct mib_row *r,
			  struct pol_ike_proposal *p, struct pol_connection *c)
{
	size_t len;
	const uint32_t *index = mib_row_index(member, &len);
	const uint8_t *octets;

	*p = (struct pol_ike_proposal){ .priority = index[len - 1] };
	pol_conn_name(member, MIB_COL(ipiaIkeActionProposalsTable, ipiaIkeActPropName), p->name);
	p->cipher = (uint16_t)mib_row_number(r, PROP(ipiaIkePropCipherAlgorithm), 0);
	p->key_bits = (uint16_t)mib_row_number(r, PROP(ipiaIkePropCipherKeyLength), 0);
	p->hash = (uint16_t)mib_row_number(r, PROP(ipiaIkePropHashAlgorithm), 0);
	p->group = (uint16_t)mib_row_number(r, PROP(ipiaIkePropDhGroup), 0);
	p->method = (uint16_t)mib_row_number(r, PROP(ipiaIkePropAuthenticationMethod), 0);
	p->life_s = (uint64_t)mib_row_number(r, PROP(ipiaIkePropMaxLifetimeSecs), 0);
	if (p->life_s == 0)
		p->life_s = LIFE_DEFAULT_S;
	p->life_kb = (uint64_t)mib_row_number(r, PROP(ipiaIkePropMaxLifetimeKB), 0);
	p->derived_keys = (uint32_t)mib_row_number(r, PROP(ipiaIkePropLifetimeDerivedKeys), 0);
	p->vendor_octets = pol_row_octets(r, PROP(ipiaIkePropVendorId), &octets);
	map_proposal(r, p, c);
}

void pol_conn_proposals(const struct mib_view *v, const struct mib_row *ike,
			struct pol_connection *c)
{
	struct pol_walk walk = { .view = v, .table = &mib_t_ipiaIkeActionProposalsTable };
	const struct mib_row *member;
	struct mib_oid prefix;
	bool usable = false;

	mib_row_index_copy(ike, &prefix);
	walk.prefix = &prefix;
	while ((member = pol_walk_next(&walk))) {
		const struct mib_row *r = pol_row_by_name(v, member,
							  MIB_COL(ipiaIkeActionProposalsTable,
								  ipiaIkeActPropName),
							  &mib_t_ipiaIkeProposalTable);
		struct pol_ike_proposal *p = &c->proposals[c->n_proposals];

		if (!r || !mib_row_active(r))
			continue;
		if (c->n_proposals == POL_CONN_PROPOSALS_MAX) {
			pol_conn_fault(c, "has more than %d IKE proposals",
				       POL_CONN_PROPOSALS_MAX);
			return;
		}
		read_proposal(member, r, p, c);
		usable = usable || (c->version != POL_IKE_V1 && p->v2) ||
			 (c->version != POL_IKE_V2 && p->v1 &&
			  (!c->aggressive || p->group == c->aggressive_group));
		c->n_proposals++;
	}
	if (c->n_proposals == 0)
		pol_conn_fault(c, "no IKE proposal of its IKE action is active");
	else if (!usable && c->aggressive)
		pol_conn_fault(c, "no IKE proposal has the group %u of aggressive mode",
			       c->aggressive_group);
	else if (!usable)
		pol_conn_fault(c, "no IKE proposal can be offered in IKEv%d",
			       c->version == POL_IKE_V1 ? 1 : 2);
}

/* ---- the Child SA ---- */

/* @return false: no SA can be made of it now, whoever negotiates it */
static bool read_esp(const struct mib_row *r, struct pol_child_transform *t)
{
	const struct pol_alg *cipher, *integ;
	int64_t window = mib_row_number(r, ESP(ipsaEspTranReplayWindowSize), 0);

	t->encr = (uint16_t)mib_row_number(r, ESP(ipsaEspTranCipherTransformId), 0);
	t->key_bits = (uint16_t)mib_row_number(r, ESP(ipsaEspTranCipherKeyLength), 0);
	t->auth = (uint16_t)mib_row_number(r, ESP(ipsaEspTranIntegrityAlgorithmId), 0);
	t->replay = pol_row_truth(r, ESP(ipsaEspTranReplayPrevention), true);
	t->window_pkts = window > 0 ? (uint32_t)window : WINDOW_DEFAULT_PKTS;
	t->life_s = (uint64_t)mib_row_number(r, ESP(ipsaEspTranMaxLifetimeSec), 0);
	t->life_kb = (uint64_t)mib_row_number(r, ESP(ipsaEspTranMaxLifetimeKB), 0);
	t->v2_encr = V2_OF(esp_encrs, t->encr);
	t->v2_integ = V2_OF(esp_integs, t->auth);
	cipher = pol_alg_esp(t->encr);
	integ = t->auth ? pol_alg_auth(t->auth) : NULL;
	return cipher && !pol_alg_refused(cipher) &&
	       (t->auth == 0 || (integ && !pol_alg_refused(integ)));
}

static bool read_ah(const struct mib_row *r, struct pol_child_transform *t)
{
	int64_t window = mib_row_number(r, AH(ipsaAhTranReplayWindowSize), 0);
	const struct pol_alg *integ;

	t->auth = (uint16_t)mib_row_number(r, AH(ipsaAhTranAlgorithm), 0);
	t->v2_integ = V2_OF(esp_integs, t->auth);
	t->replay = pol_row_truth(r, AH(ipsaAhTranReplayProtection), true);
	t->window_pkts = window > 0 ? (uint32_t)window : WINDOW_DEFAULT_PKTS;
	t->life_s = (uint64_t)mib_row_number(r, AH(ipsaAhTranMaxLifetimeSec), 0);
	t->life_kb = (uint64_t)mib_row_number(r, AH(ipsaAhTranMaxLifetimeKB), 0);
	integ = pol_alg_auth(t->auth);
	return integ && !pol_alg_refused(integ);
}

static bool read_ipcomp(const struct mib_row *r, struct pol_child_transform *t)
{
	int64_t private = mib_row_number(r, IPCOMP(ipsaIpcompTranPrivateAlgorithm), 0);

	t->encr = (uint16_t)(private ? private :
			     mib_row_number(r, IPCOMP(ipsaIpcompTranAlgorithm), 0));
	t->v2_encr = t->encr;	/* of the notification IPCOMP_SUPPORTED, RFC 7296 2.22 */
	t->key_bits = (uint16_t)mib_row_number(r, IPCOMP(ipsaIpcompTranDictionarySize), 0);
	t->life_s = (uint64_t)mib_row_number(r, IPCOMP(ipsaIpcompTranMaxLifetimeSec), 0);
	t->life_kb = (uint64_t)mib_row_number(r, IPCOMP(ipsaIpcompTranMaxLifetimeKB), 0);
	/* Others have no keys, but no use either: RFC 2394's is the one that is offered. */
	return private == 0 && t->encr == IPCOMP_DEFLATE;
}

static const struct {
	uint8_t protocol;
	const struct mib_table *table;
	bool (*read)(const struct mib_row *r, struct pol_child_transform *t);
} protocols[] = {
	{ POL_CHILD_AH, &mib_t_ipsaAhTransformTable, read_ah },
	{ POL_CHILD_ESP, &mib_t_ipsaEspTransformTable, read_esp },
	{ POL_CHILD_IPCOMP, &mib_t_ipsaIpcompTransformTable, read_ipcomp },
};

/* One row of the transforms table. @return false: it is not usable */
static bool add_transform(const struct mib_view *v, const struct mib_row *member,
			  uint32_t proposal, uint8_t protocol, struct pol_connection *c)
{
	const struct mib_column *col = MIB_COL(ipiaIpsecTransformsTable,
					       ipiaIpsecTranTransformName);
	struct pol_child_transform *t = &c->transforms[c->n_transforms];
	bool usable = false;

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		const struct mib_row *r;

		if (protocols[i].protocol != protocol)
			continue;
		r = pol_row_by_name(v, member, col, protocols[i].table);
		if (!r || !mib_row_active(r))
			return false;
		*t = (struct pol_child_transform){ .proposal = proposal, .protocol = protocol };
		pol_conn_name(member, col, t->name);
		usable = t->usable = protocols[i].read(r, t);
		if (t->life_s == 0)
			t->life_s = LIFE_DEFAULT_S;
		c->n_transforms++;
	}
	return usable;
}

/* The alternatives of one proposal and protocol. @return false: none is usable */
static bool add_alternatives(const struct mib_view *v, const struct mib_row *proposal,
			     uint32_t priority, uint8_t protocol, struct pol_connection *c)
{
	struct mib_value parts[2] = { mib_value_unsigned(protocol) };
	struct pol_walk walk = { .view = v, .table = &mib_t_ipiaIpsecTransformsTable };
	const struct mib_row *member;
	struct mib_oid prefix;
	bool usable = false;

	if (!mib_row_get(proposal, MIB_COL(ipiaIpsecProposalsTable, ipiaIpsecPropTransformsName),
			 &parts[1]) ||
	    !mib_index_encode(walk.table, parts, 2, &prefix))
		return false;
	walk.prefix = &prefix;
	while ((member = pol_walk_next(&walk))) {
		if (c->n_transforms == POL_CONN_TRANSFORMS_MAX) {
			pol_conn_fault(c, "has more than %d transforms", POL_CONN_TRANSFORMS_MAX);
			break;
		}
		usable = add_transform(v, member, priority, protocol, c) || usable;
	}
	return usable;
}

static const char both[] = "IKEv2 cannot negotiate AH and ESP in one proposal (RFC 7296 section 3.3)";

#define PROTECTS (1u << POL_CHILD_AH | 1u << POL_CHILD_ESP)

const struct pol_child_proposal *pol_child_proposal_of(const struct pol_connection *c,
						       const struct pol_child_transform *t)
{
	const struct pol_child_proposal *p = c->child_proposals;

	while (p->priority != t->proposal)
		p++;
	return p;
}

bool pol_conn_compresses(const struct pol_connection *c)
{
	for (size_t i = 0; i < c->n_child_proposals; i++) {
		const struct pol_child_proposal *p = &c->child_proposals[i];

		if (p->offered && p->protocols & 1u << POL_CHILD_IPCOMP)
			return true;
	}
	return false;
}

/* Which of them IKEv2 offers, and why none can be done. */
static void judge_proposals(struct pol_connection *c)
{
	bool usable = false, protects = false;
	unsigned offered = 0;

	for (size_t i = 0; i < c->n_child_proposals; i++) {
		struct pol_child_proposal *p = &c->child_proposals[i];
		const unsigned around = p->protocols & PROTECTS;

		usable = usable || p->usable;
		protects = protects || (p->usable && around != 0);
		p->offered = p->usable && around != 0 && around != PROTECTS &&
			     (offered == 0 || offered == around || c->answers);
		if (p->offered)
			offered = around;
	}
	if (c->n_transforms == 0)
		pol_conn_fault(c, "no proposal of its IPsec action has an active transform");
	else if (!usable)
		pol_conn_fault(c, "no proposal of its IPsec action has transforms that this version "
			       "can do");
	else if (!protects)
		pol_conn_fault(c, "IPComp alone, without AH or ESP, protects nothing");
	else if (offered == 0 && c->version == POL_IKE_V2)
		pol_conn_fault(c, "%s", both);
}

/* The proposal of a row: the last one, or a new one. NULL: there is no room. */
static struct pol_child_proposal *proposal_of(struct pol_connection *c, uint32_t priority)
{
	struct pol_child_proposal *p = &c->child_proposals[c->n_child_proposals];

	if (c->n_child_proposals > 0 && p[-1].priority == priority)
		return p - 1;
	if (c->n_child_proposals == POL_CONN_PROPOSALS_MAX)
		return NULL;
	c->n_child_proposals++;
	*p = (struct pol_child_proposal){ .priority = priority, .usable = true };
	return p;
}

void pol_conn_transforms(const struct mib_view *v, const struct mib_row *ipsec,
			 struct pol_connection *c)
{
	struct pol_walk walk = { .view = v, .table = &mib_t_ipiaIpsecProposalsTable };
	const struct mib_row *r;
	struct mib_oid prefix;

	if (!pol_index_by_name(ipsec, MIB_COL(ipiaIpsecActionTable, ipiaIpsecActProposalsName),
			       walk.table, &prefix))
		return;
	walk.prefix = &prefix;
	/* All protocols of one priority are one proposal: each of them must be usable. */
	while ((r = pol_walk_next(&walk))) {
		size_t len;
		const uint32_t *index = mib_row_index(r, &len);
		const uint8_t protocol = (uint8_t)index[len - 1];
		struct pol_child_proposal *p = proposal_of(c, index[len - 2]);
		const size_t before = c->n_transforms;

		if (!p) {
			pol_conn_fault(c, "has more than %d IPsec proposals", POL_CONN_PROPOSALS_MAX);
			break;
		}
		p->usable = add_alternatives(v, r, p->priority, protocol, c) && p->usable;
		if (c->n_transforms > before)
			p->protocols |= (uint8_t)(1u << protocol);
	}
	judge_proposals(c);
}
