/*
 * policy/connection.c - one connection from its rows: see connection.h.
 *
 * draft-ietf-ipsp-ikeaction-mib, RFC 2409 (IKEv1), RFC 7296 (IKEv2), RFC 8247. The first fault is the one that
 * is told; what it concerns is left out, so the rest can be shown.
 */
#include "policy/connection.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/config.h"
#include "mibs/schema_gen.h"
#include "policy/algs.h"
#include "policy/conn_parts.h"
#include "policy/filter.h"

#define SELECTORS_MAX 256

#define IKE(column) MIB_COL(ipiaIkeActionTable, column)
#define IPSEC(column) MIB_COL(ipiaIpsecActionTable, column)
#define PARAM(column) MIB_COL(ipiaSaNegotiationParametersTable, column)
#define CLFR_TYPE MIB_COL(diffServMultiFieldClfrTable, diffServMultiFieldClfrAddrType)

enum { MODE_AGGRESSIVE = 2 };
enum { PERCENT_DEFAULT = 90, IKE_PERCENT_DEFAULT = 100 };
enum { LOGIC_AND = 2 };

void pol_conn_fault(struct pol_connection *c, const char *fmt, ...)
{
	va_list ap;

	if (c->fault[0])
		return;
	va_start(ap, fmt);
	vsnprintf(c->fault, sizeof(c->fault), fmt, ap);
	va_end(ap);
}

void pol_conn_name(const struct mib_row *r, const struct mib_column *col,
		   char out[POL_CONN_NAME])
{
	mib_row_text(r, col, out, POL_CONN_NAME);
}

static const struct mib_row *active_row(const struct mib_view *v, const struct mib_table *t,
					const char *name)
{
	const struct mib_value part = mib_value_octets(name, strlen(name));
	const struct mib_row *r;
	struct mib_oid index;

	if (!name[0] || !mib_index_encode(t, &part, 1, &index))
		return NULL;
	r = mib_view_row(v, t, index.ids, index.len);
	return r && mib_row_active(r) ? r : NULL;
}

/* ---- what both actions have ---- */

static void read_life(const struct mib_view *v, const struct mib_row *action,
		      const struct mib_column *col, struct pol_connection *c,
		      struct pol_conn_life *out)
{
	const struct mib_row *r;

	pol_conn_name(action, col, out->name);
	r = active_row(v, &mib_t_ipiaSaNegotiationParametersTable, out->name);
	out->refresh_s_percent = out->refresh_kb_percent = PERCENT_DEFAULT;
	if (!r) {
		pol_conn_fault(c, "has no active negotiation parameters \"%s\"", out->name);
		return;
	}
	out->min_life_s = (uint64_t)mib_row_number(r, PARAM(ipiaSaNegParamMinLifetimeSecs), 0);
	out->min_life_kb = (uint64_t)mib_row_number(r, PARAM(ipiaSaNegParamMinLifetimeKB), 0);
	out->refresh_s_percent = (uint8_t)mib_row_number(r, PARAM(ipiaSaNegParamRefreshThreshSecs),
							 PERCENT_DEFAULT);
	out->refresh_kb_percent =
		(uint8_t)mib_row_number(r, PARAM(ipiaSaNegParamRefreshThresholdKB),
					PERCENT_DEFAULT);
	out->idle_s = (uint64_t)mib_row_number(r, PARAM(ipiaSaNegParamIdleDurationSecs), 0);
}

static size_t vendor(const struct mib_row *r, const struct mib_column *col,
		     uint8_t out[POL_CONN_VENDOR_MAX], struct pol_connection *c)
{
	const uint8_t *octets;
	const size_t n = pol_row_octets(r, col, &octets);

	if (n > POL_CONN_VENDOR_MAX) {
		pol_conn_fault(c, "has a Vendor ID of more than %d octets in %s",
			       POL_CONN_VENDOR_MAX, col->name);
		return 0;
	}
	if (n > 0)
		memcpy(out, octets, n);
	return n;
}

/* ---- the IKE action ---- */

static void read_ike(const struct mib_view *v, const struct mib_row *r, struct pol_connection *c)
{
	c->aggressive = mib_row_number(r, IKE(ipiaIkeActExchangeMode), 0) == MODE_AGGRESSIVE;
	c->version = (enum pol_ike_version)mib_row_number(
		r, MIB_COL(ipspdIkeActTable, ipspdIkeActVersion), POL_IKE_V2);
	c->aggressive_psk = pol_row_truth(
		r, MIB_COL(ipspdIkeActTable, ipspdIkeActAggressivePsk), false);
	c->aggressive_group = (uint16_t)mib_row_number(r, IKE(ipiaIkeActAgressiveModeGroupId), 0);
	c->threshold_percent = (uint8_t)mib_row_number(r, IKE(ipiaIkeActThresholdDerivedKeys),
						       IKE_PERCENT_DEFAULT);
	c->log_ike = pol_row_truth(r, IKE(ipiaIkeActDoActionLogging), false);
	c->log_ike_octets = (int32_t)mib_row_number(r, IKE(ipiaIkeActDoPacketLogging), -1);
	c->ike_vendor_len = vendor(r, IKE(ipiaIkeActVendorId), c->ike_vendor, c);
	read_life(v, r, IKE(ipiaIkeActParametersName), c, &c->ike_life);
	/* Aggressive mode is IKEv1's alone. */
	if (c->aggressive)
		c->version = POL_IKE_V1;
	pol_conn_proposals(v, r, c);
	if (c->aggressive && !pol_alg_ike_group(c->aggressive_group))
		pol_conn_fault(c, "has group %u for aggressive mode, which is unknown",
			       c->aggressive_group);
}

/* ---- the IPsec action ---- */

static void read_ipsec(const struct mib_view *v, const struct mib_row *r,
		       struct pol_connection *c)
{
	const struct pol_alg *group;
	const uint8_t *octets;

	c->pfs = pol_row_truth(r, IPSEC(ipiaIpsecActUsePfs), false);
	c->pfs_of_ike = c->pfs && pol_row_truth(r, IPSEC(ipiaIpsecActUseIkeGroup), false);
	if (c->pfs && !c->pfs_of_ike)
		c->pfs_group = (uint16_t)mib_row_number(r, IPSEC(ipiaIpsecActGroupId), 0);
	c->granularity = (uint8_t)mib_row_number(r, IPSEC(ipiaIpsecActGranularity), 1);
	c->mode = (uint8_t)mib_row_number(r, IPSEC(ipiaIpsecActMode), IPSP_MODE_TUNNEL);
	c->df = (uint8_t)mib_row_number(r, IPSEC(ipiaIpsecActDFHandling), IPSP_DF_COPY);
	c->log_child = pol_row_truth(r, IPSEC(ipiaIpsecActDoActionLogging), false);
	c->log_child_octets = (int32_t)mib_row_number(r, IPSEC(ipiaIpsecActDoPacketLogging), -1);
	c->gateway_of_packet = c->mode == IPSP_MODE_TUNNEL &&
			       pol_row_octets(r, IPSEC(ipiaIpsecActPeerGatewayIdName), &octets) == 0;
	/* VendorId says whose a private group is, and we know none of those. */
	group = pol_alg_ike_group(c->pfs_group);
	if (c->pfs && !c->pfs_of_ike && !group)
		pol_conn_fault(c, pol_row_octets(r, IPSEC(ipiaIpsecActVendorId), &octets) > 0 ?
			       "wants group %u of a vendor, which is unknown" :
			       "wants group %u for PFS, which is unknown", c->pfs_group);
	read_life(v, r, IPSEC(ipiaIpsecActParametersName), c, &c->child_life);
	pol_conn_transforms(v, r, c);
}

/* ---- selectors ---- */

/*
 * The classifier that says what the filter of a rule selects: itself, or the one among the members of an AND.
 * The other members decide about packets, not about what is negotiated.
 * @return false, with a fault: selectors cannot say it
 */
static bool classifier_of(const struct mib_view *v, const struct mib_row *rule,
			  struct pol_connection *c, const struct mib_row **out)
{
	static const char cannot[] = "is wanted by rule \"%s\", whose filter selectors cannot say";
	char name[POL_CONN_NAME];
	struct mib_oid prefix;
	struct pol_target t;

	*out = NULL;
	pol_conn_name(rule, MIB_COL(spdRuleDefinitionTable, spdRuleDefName), name);
	pol_target_of(v, rule, MIB_COL(spdRuleDefinitionTable, spdRuleDefFilter), &t);
	if (pol_row_truth(rule, MIB_COL(spdRuleDefinitionTable, spdRuleDefFilterNegated), false)) {
		pol_conn_fault(c, cannot, name);
		return false;
	}
	if (t.scalar == MIB_COL(spdStaticFilters, spdTrueFilter))
		return true;
	if (t.table == &mib_t_diffServMultiFieldClfrTable && t.row) {
		*out = t.row;
		return true;
	}
	if (t.table == &mib_t_spdCompoundFilterTable && t.row &&
	    mib_row_number(t.row, MIB_COL(spdCompoundFilterTable, spdCompFiltLogicType), 0) ==
	    LOGIC_AND) {
		struct pol_walk walk = { .view = v, .table = &mib_t_spdSubfiltersTable,
					 .prefix = &prefix };
		const struct mib_row *sub;
		size_t n = 0;

		mib_row_index_copy(t.row, &prefix);
		while ((sub = pol_walk_next(&walk))) {
			pol_target_of(v, sub, MIB_COL(spdSubfiltersTable, spdSubFiltSubfilter), &t);
			if (t.table != &mib_t_diffServMultiFieldClfrTable || !t.row)
				continue;
			if (pol_row_truth(sub, MIB_COL(spdSubfiltersTable,
						       spdSubFiltSubfilterIsNegated), false))
				n++;
			*out = t.row;
			n++;
		}
		if (n == 1)
			return true;
	}
	pol_conn_fault(c, cannot, name);
	return false;
}

/* From ours to theirs: an inbound rule says it the other way round. */
static void turn(struct ipsp_selector *s)
{
	const struct ipsp_selector from = *s;

	s->src_lo = from.dst_lo;
	s->src_hi = from.dst_hi;
	s->dst_lo = from.src_lo;
	s->dst_hi = from.src_hi;
	s->sport_lo = from.dport_lo;
	s->sport_hi = from.dport_hi;
	s->dport_lo = from.sport_lo;
	s->dport_hi = from.sport_hi;
}

static void add_selector(struct pol_connection *c, const struct ipsp_selector *s)
{
	for (size_t i = 0; i < c->n_selectors; i++)
		if (memcmp(&c->selectors[i], s, sizeof(*s)) == 0)
			return;
	if (c->n_selectors < SELECTORS_MAX)
		c->selectors[c->n_selectors++] = *s;
}

static void read_rule(const struct mib_view *v, const struct pol_conn_use *u,
		      struct pol_connection *c)
{
	const struct mib_row *rule = active_row(v, &mib_t_spdRuleDefinitionTable, u->rule);
	const struct mib_row *clfr;
	struct ipsp_selector s = { 0 };
	struct pol_boxes all = { 0 };
	struct pol_box box;

	if (!rule || !classifier_of(v, rule, c, &clfr))
		return;
	if (clfr) {
		if (pol_classifier_box(clfr, &box))
			return;	/* the rule's own status says what is wrong */
		pol_box_to_selector(&box, &s);
		if (u->dir == IPSP_INBOUND)
			turn(&s);
		add_selector(c, &s);
		return;
	}
	if (pol_boxes_all(&all) == POL_CALC_OK)
		for (size_t i = 0; i < all.n; i++) {
			s = (struct ipsp_selector){ 0 };
			pol_box_to_selector(&all.v[i], &s);
			add_selector(c, &s);
		}
	pol_boxes_fini(&all);
}

static bool read_rules(const struct mib_view *v, const struct pol_conn_key *key,
		       struct pol_connection *c)
{
	bool bound = false, any = false;

	c->selectors = calloc(SELECTORS_MAX, sizeof(*c->selectors));
	if (!c->selectors)
		return false;
	for (size_t i = 0; i < key->n_uses; i++) {
		any = any || key->uses[i].rule[0];
		bound = bound || key->uses[i].dir != 0 || !key->uses[i].rule[0];
		if (key->uses[i].rule[0] && key->ipsec[0])
			read_rule(v, &key->uses[i], c);
	}
	if (any && !bound)
		pol_conn_fault(c, "is wanted by no rule in a group that is bound to an interface");
	return true;
}

/* ---- the whole ---- */

bool pol_connection_make(const struct mib_view *v, const struct pol_conn_key *key,
			 struct pol_connection **out)
{
	struct pol_connection *c = calloc(1, sizeof(*c));
	const struct mib_row *ike = active_row(v, &mib_t_ipiaIkeActionTable, key->ike);
	const struct mib_row *ipsec = active_row(v, &mib_t_ipiaIpsecActionTable, key->ipsec);

	if (!c)
		return false;
	c->log_ike_octets = c->log_child_octets = -1;
	if (key->why[0])
		pol_conn_fault(c, "%s", key->why);
	if (ike)
		read_ike(v, ike, c);
	else if (key->ike[0])
		pol_conn_fault(c, "has no active IKE action \"%s\"", key->ike);
	if (ipsec)
		read_ipsec(v, ipsec, c);
	else if (key->ipsec[0])
		pol_conn_fault(c, "has no active IPsec action \"%s\"", key->ipsec);
	if (ike)
		pol_conn_who(v, key, ike, ipsec, c);
	if (!read_rules(v, key, c)) {
		pol_connection_free(c);
		return false;
	}
	*out = c;
	return true;
}

void pol_connection_free(struct pol_connection *c)
{
	if (!c)
		return;
	free(c->selectors);
	free(c);
}
