/*
 * policy/filter.c - filter rows to box sets: see filter.h.
 *
 * RFC 4807 section 4 (filters), RFC 3289 3.2 (multi-field classifier). A compound filter calls the
 * compiler for its subfilters: at most POL_DEPTH_MAX levels deep, and no more often in all than the
 * budget pays for, since a row that is named twice on each level is met 2^16 times.
 */
#include "policy/filter.h"

#include <stdlib.h>

#include "ipsp/flow.h"
#include "mibs/schema_gen.h"
#include "policy/build.h"
#include "policy/identity.h"
#include "policy/when.h"

enum { ADDR_IPV4 = 1, ADDR_IPV6 = 2 };
enum { LOGIC_OR = 1, LOGIC_AND = 2 };
enum { ME_NO = 1, ME_SOURCE = 2 };
enum { PROTO_ANY = 255, DSCP_ANY = -1, PORT_MAX = 65535 };

/* An address and its prefix length; unset or empty with length 0 is any (as is length 0 at all). */
static const char *addr_range(const struct mib_row *r, const struct mib_column *addr_col,
			      const struct mib_column *len_col, uint8_t family,
			      struct ipsp_addr *lo, struct ipsp_addr *hi)
{
	struct ipsp_addr a = { .family = family };
	const uint8_t *octets;
	size_t n = pol_row_octets(r, addr_col, &octets);
	int64_t prefix = mib_row_number(r, len_col, 0);

	if (prefix < 0 || prefix > (int64_t)ipsp_addr_size(family) * 8)
		return "has a prefix longer than its addresses";
	if (n == 0 && prefix > 0)
		return "has a prefix length without an address";
	if (n > 0 && n != ipsp_addr_size(family))
		return "has an address that is not of its address type";
	for (size_t i = 0; i < n; i++)
		a.octets[i] = octets[i];
	if (ipsp_addr_prefix(&a, (unsigned)prefix, lo, hi) != IPSP_OK)
		return "has an address that cannot be used";
	return NULL;
}

/* The whole range of numbers asks for nothing: packets without ports match it too. */
static const char *port_range(const struct mib_row *r, const struct mib_column *min_col,
			      const struct mib_column *max_col, uint32_t *lo, uint32_t *hi)
{
	int64_t min = mib_row_number(r, min_col, 0);
	int64_t max = mib_row_number(r, max_col, PORT_MAX);

	if (min < 0 || max > PORT_MAX || min > max)
		return "has a port range whose end is before its start";
	*lo = (uint32_t)min;
	*hi = min == 0 && max == PORT_MAX ? IPSP_PORT_NONE : (uint32_t)max;
	return NULL;
}

/* RFC 4301 4.4.1.1: what stands in the place of ports, and who hides it. */
static const char *messages(const struct mib_row *r, struct ipsp_selector *s)
{
	enum { OPAQUE_ANY = 1 };
	const int64_t first = mib_row_number(r, MIB_COL(ipspdClfrTable, ipspdClfrMessageFirst), 0);
	const int64_t last = mib_row_number(r, MIB_COL(ipspdClfrTable, ipspdClfrMessageLast),
					    PORT_MAX);

	if (first < 0 || last > PORT_MAX || first > last)
		return "has a range of messages whose end is before its start";
	s->hides = (uint8_t)(mib_row_number(r, MIB_COL(ipspdClfrTable, ipspdClfrOpaque),
					    OPAQUE_ANY) - OPAQUE_ANY);
	if (first == 0 && last == PORT_MAX)
		return NULL;
	if (s->proto_lo != s->proto_hi || !ipsp_proto_has_messages(s->proto_lo) ||
	    ipsp_selector_has_ports(s))
		return "has messages of a protocol that has none";
	s->sport_lo = IPSP_PORT_MESSAGE + (uint32_t)first;
	s->sport_hi = IPSP_PORT_MESSAGE + (uint32_t)last;
	return NULL;
}

const char *pol_classifier_box(const struct mib_row *r, struct pol_box *out)
{
	int64_t type = mib_row_number(r, MIB_COL(diffServMultiFieldClfrTable,
						 diffServMultiFieldClfrAddrType), 0);
	int64_t dscp = mib_row_number(r, MIB_COL(diffServMultiFieldClfrTable,
						 diffServMultiFieldClfrDscp), DSCP_ANY);
	int64_t flow = mib_row_number(r, MIB_COL(diffServMultiFieldClfrTable,
						 diffServMultiFieldClfrFlowId), -1);
	int64_t proto = mib_row_number(r, MIB_COL(diffServMultiFieldClfrTable,
						  diffServMultiFieldClfrProtocol), PROTO_ANY);
	uint8_t family = type == ADDR_IPV6 ? 6 : 4;
	struct ipsp_selector s;
	const char *why;

	if (type != ADDR_IPV4 && type != ADDR_IPV6)
		return "has no address type";
	ipsp_selector_any(family, &s);
	why = addr_range(r, MIB_COL(diffServMultiFieldClfrTable, diffServMultiFieldClfrSrcAddr),
			 MIB_COL(diffServMultiFieldClfrTable,
				 diffServMultiFieldClfrSrcPrefixLength),
			 family, &s.src_lo, &s.src_hi);
	if (!why)
		why = addr_range(r, MIB_COL(diffServMultiFieldClfrTable,
					    diffServMultiFieldClfrDstAddr),
				 MIB_COL(diffServMultiFieldClfrTable,
					 diffServMultiFieldClfrDstPrefixLength),
				 family, &s.dst_lo, &s.dst_hi);
	if (!why)
		why = port_range(r, MIB_COL(diffServMultiFieldClfrTable,
					    diffServMultiFieldClfrSrcL4PortMin),
				 MIB_COL(diffServMultiFieldClfrTable,
					 diffServMultiFieldClfrSrcL4PortMax),
				 &s.sport_lo, &s.sport_hi);
	if (!why)
		why = port_range(r, MIB_COL(diffServMultiFieldClfrTable,
					    diffServMultiFieldClfrDstL4PortMin),
				 MIB_COL(diffServMultiFieldClfrTable,
					 diffServMultiFieldClfrDstL4PortMax),
				 &s.dport_lo, &s.dport_hi);
	if (why)
		return why;
	if (dscp != DSCP_ANY)
		s.dscp_lo = s.dscp_hi = (uint8_t)dscp;
	if (flow >= 0 && family == 6)
		s.flow_lo = s.flow_hi = (uint32_t)flow;
	if (proto != PROTO_ANY)
		s.proto_lo = s.proto_hi = (uint8_t)proto;
	why = messages(r, &s);
	if (why)
		return why;
	if (!ipsp_selector_valid(&s))
		return "has a value out of range";
	pol_box_from_selector(&s, out);
	return NULL;
}

/* The box once for each of the system's own addresses, in the place of a side's. */
static enum pol_calc me_boxes(struct pol_asked *q, const struct pol_box *box, int64_t side,
			      struct pol_budget *budget, struct pol_match *out, bool *known)
{
	const struct ipsp_addr *addrs;
	enum pol_calc rc = POL_CALC_OK;
	struct ipsp_selector s;
	size_t n;

	*known = pol_build_addresses(q->build, &addrs, &n);
	for (size_t i = 0; *known && i < n && rc == POL_CALC_OK; i++) {
		struct pol_box own;

		s = (struct ipsp_selector){ 0 };
		pol_box_to_selector(box, &s);
		if (addrs[i].family != s.family)
			continue;
		if (side == ME_SOURCE)
			s.src_lo = s.src_hi = addrs[i];
		else
			s.dst_lo = s.dst_hi = addrs[i];
		pol_box_from_selector(&s, &own);
		rc = pol_boxes_add(&out->may, &own, budget);
	}
	return rc;
}

static enum pol_calc classifier(struct pol_asked *q, const struct mib_row *r,
				struct pol_match *out)
{
	const int64_t side = mib_row_number(r, MIB_COL(ipspdClfrTable, ipspdClfrMe), ME_NO);
	struct pol_budget budget = POL_BUDGET_INIT;
	bool known = true;
	char name[POL_ROW_TEXT];
	struct pol_box box;
	const char *why = pol_classifier_box(r, &box);
	enum pol_calc rc;

	if (why)
		return pol_match_unknown(out, "uses %s, which %s", pol_row_name(r, name), why);
	pol_match_fini(out);
	rc = side == ME_NO ? pol_boxes_add(&out->may, &box, &budget) :
			     me_boxes(q, &box, side, &budget, out, &known);
	if (!known)
		return pol_match_unknown(out, "asks for this system's own addresses, which are not "
					 "known");
	if (rc == POL_CALC_COMPLEX)
		return pol_match_unknown(out, "has a filter too complex to compile");
	return rc;
}

/* ---- filters that are no boxes ---- */

static enum pol_calc residual(struct pol_match *out, struct pol_boxes *may, struct pol_pred *pred,
			      enum pol_calc rc)
{
	if (rc == POL_CALC_OK)
		rc = pol_match_residual(out, may, pred);
	if (may)
		pol_boxes_fini(may);
	pol_pred_fini(pred);
	return rc == POL_CALC_COMPLEX ?
		       pol_match_unknown(out, "has a filter too complex to compile") : rc;
}

static enum pol_calc time_filter(struct pol_asked *q, const struct mib_row *r,
				 struct pol_match *out)
{
	int64_t until_s;

	if (q->at_s == POL_TIME_UNKNOWN)
		return pol_match_unknown(out, "uses a time filter, and what time it is then is not "
					 "known");
	if (pol_when_true(r, q->at_s, &until_s)) {
		enum pol_calc rc = pol_match_all(out);

		if (rc != POL_CALC_OK)
			return rc;
	} else {
		pol_match_fini(out);
	}
	if (until_s < q->until_s)
		q->until_s = until_s;
	return POL_CALC_OK;
}

static enum pol_calc offset_filter(struct pol_asked *q, const struct mib_row *r,
				   struct pol_match *out)
{
	const uint8_t *value;
	size_t len = pol_row_octets(r, MIB_COL(spdIpOffsetFilterTable, spdIpOffFiltValue), &value);
	int64_t offset = mib_row_number(r, MIB_COL(spdIpOffsetFilterTable, spdIpOffFiltOffset), -1);
	int64_t type = mib_row_number(r, MIB_COL(spdIpOffsetFilterTable, spdIpOffFiltType), 0);
	struct pol_pred pred = { 0 };

	(void)q;
	if (len == 0 || len > IPSP_PRED_VALUE_MAX || offset < 0 || offset > UINT16_MAX ||
	    type < IPSP_CMP_EQUAL || type > IPSP_CMP_LESS_OR_EQUAL)
		return pol_match_unknown(out, "uses an IP offset filter that lacks a column");
	return residual(out, NULL, &pred,
			pol_pred_octets(&pred, (uint16_t)offset, (enum ipsp_pred_cmp)type, value,
					len));
}

/* A bit of a BITS column. */
static bool bit_of(const struct mib_row *r, const struct mib_column *col, unsigned n)
{
	struct mib_value v;

	return mib_row_get(r, col, &v) && n / 8 < v.octets.len &&
	       (v.octets.data[n / 8] & 0x80u >> n % 8);
}

static enum pol_calc ipv4_boxes(struct pol_boxes *out, struct pol_budget *budget)
{
	struct ipsp_selector s;
	struct pol_box box;

	ipsp_selector_any(4, &s);
	pol_box_from_selector(&s, &box);
	return pol_boxes_add(out, &box, budget);
}

/* RFC 1108 2.4: flags from the left, in the order of the column's labels. */
static enum pol_calc ipso_filter(struct pol_asked *q, const struct mib_row *r,
				 struct pol_match *out)
{
	enum { TYPE_LEVEL, TYPE_AUTHORITY };
	const struct mib_column *type = MIB_COL(spdIpsoHeaderFilterTable, spdIpsoHeadFiltType);
	int64_t level = mib_row_number(r, MIB_COL(spdIpsoHeaderFilterTable,
						  spdIpsoHeadFiltClassification), -1);
	int64_t authority = mib_row_number(r, MIB_COL(spdIpsoHeaderFilterTable,
						      spdIpsoHeadFiltProtectionAuth), -1);
	struct ipsp_pred_node leaf = { .op = IPSP_PRED_IPSO };
	struct pol_budget budget = POL_BUDGET_INIT;
	struct pol_boxes may = { 0 };
	struct pol_pred pred = { 0 };
	enum pol_calc rc;

	(void)q;
	if (bit_of(r, type, TYPE_LEVEL)) {
		leaf.arg |= IPSP_IPSO_LEVEL;
		leaf.level = (uint8_t)level;
	}
	if (bit_of(r, type, TYPE_AUTHORITY)) {
		leaf.arg |= IPSP_IPSO_AUTHORITY;
		leaf.authority = authority >= 0 && authority < 7 ? (uint8_t)(0x80u >> authority) : 0;
	}
	if (leaf.arg == 0 || ((leaf.arg & IPSP_IPSO_LEVEL) && (level < 0 || level > 255)) ||
	    ((leaf.arg & IPSP_IPSO_AUTHORITY) && leaf.authority == 0))
		return pol_match_unknown(out, "uses an IPSO filter that lacks a column");
	rc = ipv4_boxes(&may, &budget);
	if (rc == POL_CALC_OK)
		rc = pol_pred_leaf(&pred, leaf);
	return residual(out, &may, &pred, rc);
}

/* UDP from or to the ports of IKE. */
static enum pol_calc ike_boxes(struct pol_boxes *out, struct pol_budget *budget)
{
	static const uint32_t ports[] = { 500, 4500 };
	enum pol_calc rc = POL_CALC_OK;

	for (unsigned i = 0; rc == POL_CALC_OK && i < 8; i++) {
		struct ipsp_selector s;
		struct pol_box box;
		const uint32_t port = ports[i & 1];

		ipsp_selector_any(i & 2 ? 6 : 4, &s);
		s.proto_lo = s.proto_hi = 17;
		if (i & 4)
			s.sport_lo = s.sport_hi = port;
		else
			s.dport_lo = s.dport_hi = port;
		pol_box_from_selector(&s, &box);
		rc = pol_boxes_add(out, &box, budget);
	}
	return rc;
}

static enum pol_calc ike_phase(const struct mib_column *scalar, struct pol_match *out)
{
	struct pol_budget budget = POL_BUDGET_INIT;
	const bool first = scalar == MIB_COL(ipiaStaticFilters, ipiaIkePhase1Filter);
	const struct ipsp_pred_node leaf = { .op = IPSP_PRED_IKE, .arg = first ? 1 : 2 };
	struct pol_boxes may = { 0 };
	struct pol_pred pred = { 0 };
	enum pol_calc rc;

	if (!first && scalar != MIB_COL(ipiaStaticFilters, ipiaIkePhase2Filter))
		return pol_match_unknown(out, "names a filter that is not there or not active");
	rc = ike_boxes(&may, &budget);
	if (rc == POL_CALC_OK)
		rc = pol_pred_leaf(&pred, leaf);
	return residual(out, &may, &pred, rc);
}

static struct ipsp_span span_of(const struct mib_row *r, const struct mib_column *col)
{
	struct ipsp_span s = { NULL, 0 };

	s.len = pol_row_octets(r, col, &s.data);
	return s;
}

/* Is it the filter's peer that this row of ipsaPeerIdentityTable names? */
static bool peer_fits(const struct mib_row *filter, const struct mib_row *peer)
{
	return pol_identity_fits(
		(uint32_t)mib_row_number(filter, MIB_COL(ipiaPeerIdentityFilterTable,
							 ipiaPeerIdFiltIdentityType), 0),
		span_of(filter, MIB_COL(ipiaPeerIdentityFilterTable, ipiaPeerIdFiltIdentityValue)),
		(uint32_t)mib_row_number(peer, MIB_COL(ipsaPeerIdentityTable, ipsaPeerIdType), 0),
		span_of(peer, MIB_COL(ipsaPeerIdentityTable, ipsaPeerIdValue)));
}

static int id_cmp(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* SAs in force whose peer fits. */
struct found {
	uint64_t *ids;
	size_t n, cap;
	bool lost;	/* a peer that is lost might fit */
};

/* @return false: no memory */
static bool find_sa(struct pol_asked *q, const struct mib_row *filter, const struct mib_row *action,
		    struct found *f)
{
	const struct mib_row *peer = NULL;
	struct mib_oid prefix;
	uint64_t id, sa_id;

	if (!pol_build_sa(q->build, action, &id, &sa_id))
		return false;
	if (sa_id != 0 &&
	    pol_index_by_name(action, MIB_COL(ipsaSaPreconfiguredActionTable,
					      ipsaSaPreActPeerGatewayIdName),
			      &mib_t_ipsaPeerIdentityTable, &prefix))
		peer = pol_first_meant(q->view, &mib_t_ipsaPeerIdentityTable, &prefix);
	if (!peer)
		return true;
	if (mib_row_lost(peer)) {
		f->lost = true;
		return true;
	}
	if (!peer_fits(filter, peer))
		return true;
	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 16;
		uint64_t *ids = reallocarray(f->ids, cap, sizeof(*ids));

		if (!ids)
			return false;
		f->ids = ids;
		f->cap = cap;
	}
	f->ids[f->n++] = sa_id;
	return true;
}

/* The identity is that of the SA's peer: a set of SAs stands for all of its packets. */
static enum pol_calc peer_filter(struct pol_asked *q, const struct mib_row *r,
				 struct pol_match *out)
{
	struct pol_walk walk = { .view = q->view, .table = &mib_t_ipsaSaPreconfiguredActionTable };
	struct found f = { .n = 0 };
	struct pol_pred pred = { 0 };
	const struct mib_row *action;
	enum pol_calc rc = POL_CALC_OK;

	while (rc == POL_CALC_OK && (action = pol_walk_next(&walk)))
		if (!find_sa(q, r, action, &f))
			rc = POL_CALC_NO_MEMORY;
	if (rc == POL_CALC_OK && f.lost) {
		free(f.ids);
		return pol_match_unknown(out, "uses a peer identity filter, and a peer is lost");
	}
	if (f.n > 0)
		qsort(f.ids, f.n, sizeof(*f.ids), id_cmp);
	if (rc == POL_CALC_OK)
		rc = pol_pred_sas(&pred, f.ids, f.n);
	free(f.ids);
	return residual(out, NULL, &pred, rc);
}

/*
 * A credential that the peer has shown in phase 1. Under manual keys it shows none, and there is no
 * other SA yet: false for each packet.
 */
static enum pol_calc credential_filter(struct pol_asked *q, const struct mib_row *r,
				       struct pol_match *out)
{
	(void)q;
	(void)r;
	pol_match_fini(out);
	return POL_CALC_OK;
}

static const struct {
	const struct mib_table *table;
	enum pol_calc (*judge)(struct pol_asked *q, const struct mib_row *r, struct pol_match *out);
} kinds[] = {
	{ &mib_t_spdIpOffsetFilterTable, offset_filter },
	{ &mib_t_spdTimeFilterTable, time_filter },
	{ &mib_t_spdIpsoHeaderFilterTable, ipso_filter },
	{ &mib_t_ipiaCredentialFilterTable, credential_filter },
	{ &mib_t_ipiaPeerIdentityFilterTable, peer_filter },
};

/* ---- expressions ---- */

static enum pol_calc follow(struct pol_asked *q, const struct mib_row *r,
			    const struct mib_column *col, unsigned depth,
			    struct pol_budget *budget, struct pol_match *out);

/* One that is lost may match or not: without it, the compound might match less. */
static enum pol_calc subfilter(struct pol_asked *q, const struct mib_row *m, unsigned depth,
			       struct pol_budget *budget, struct pol_match *out)
{
	char name[POL_ROW_TEXT];

	if (mib_row_lost(m))
		return pol_match_unknown(out, "uses %s, which is lost",
					 pol_row_name(m, name));
	return follow(q, m, MIB_COL(spdSubfiltersTable, spdSubFiltSubfilter), depth + 1, budget,
		      out);
}

/* An empty compound filter is false before negation, whatever its logic. */
static enum pol_calc compound(struct pol_asked *q, const struct mib_row *r, unsigned depth,
			      struct pol_budget *budget, struct pol_match *out)
{
	bool is_or = mib_row_number(r, MIB_COL(spdCompoundFilterTable, spdCompFiltLogicType),
				    LOGIC_AND) == LOGIC_OR;
	struct pol_match sub = { 0 };
	struct pol_match acc = { 0 };
	struct mib_oid prefix;
	struct pol_walk walk = { .view = q->view, .table = &mib_t_spdSubfiltersTable,
				 .prefix = &prefix, .with_lost = true };
	enum pol_calc rc = POL_CALC_OK;
	bool first = true;

	mib_row_index_copy(r, &prefix);
	for (const struct mib_row *m; rc == POL_CALC_OK && (m = pol_walk_next(&walk));
	     first = false) {
		if (budget->rows == 0) {
			rc = pol_match_unknown(&acc, "has a filter too complex to compile");
			break;
		}
		rc = subfilter(q, m, depth, budget, &sub);
		if (rc == POL_CALC_OK &&
		    pol_row_truth(m, MIB_COL(spdSubfiltersTable, spdSubFiltSubfilterIsNegated),
				  false))
			rc = pol_match_negate(&sub, budget);
		if (rc != POL_CALC_OK)
			break;
		if (first)
			pol_match_move(&acc, &sub);
		else
			rc = is_or ? pol_match_or(&acc, &sub, budget)
				   : pol_match_and(&acc, &sub, budget);
	}
	if (rc == POL_CALC_OK)
		pol_match_move(out, &acc);
	pol_match_fini(&acc);
	pol_match_fini(&sub);
	return rc;
}

static enum pol_calc follow(struct pol_asked *q, const struct mib_row *r,
			    const struct mib_column *col, unsigned depth,
			    struct pol_budget *budget, struct pol_match *out)
{
	struct pol_target t;

	if (budget->rows == 0)
		return pol_match_unknown(out, "has a filter too complex to compile");
	budget->rows--;
	pol_target_of(q->view, r, col, &t);
	if (t.scalar == MIB_COL(spdStaticFilters, spdTrueFilter))
		return pol_match_all(out);
	if (t.table == &mib_t_ipiaStaticFilters)
		return ike_phase(t.scalar, out);
	if (!t.row)
		return pol_match_unknown(out, "names a filter that is not there or not active");
	if (t.table == &mib_t_diffServMultiFieldClfrTable)
		return classifier(q, t.row, out);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (t.table == kinds[i].table)
			return kinds[i].judge(q, t.row, out);
	if (t.table != &mib_t_spdCompoundFilterTable)
		return pol_match_unknown(out, "names a row of %s as its filter", t.table->name);
	if (depth >= POL_DEPTH_MAX)
		return pol_match_unknown(out, "nests filters more than %d deep", POL_DEPTH_MAX);
	return compound(q, t.row, depth, budget, out);
}

enum pol_calc pol_filter_of(struct pol_asked *q, const struct mib_row *r,
			    const struct mib_column *col, struct pol_budget *budget,
			    struct pol_match *out)
{
	return follow(q, r, col, 0, budget, out);
}
