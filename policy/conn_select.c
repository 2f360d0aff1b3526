/*
 * policy/conn_select.c - selectors of a connection, and what autostart rows start: see connection.h.
 *
 * RFC 4301 4.4.1.1. The packet that an autostart row imagines starts the Child SA of the first outbound rule
 * of this connection that it matches; when there is none, one from host to host.
 */
#include "policy/conn_parts.h"

#include <stdlib.h>
#include <string.h>

#include "ipsp/config.h"
#include "mibs/schema_gen.h"
#include "policy/filter.h"

#define SELECTORS_MAX 256

#define AUTO(column) MIB_COL(ipiaAutostartIkeTable, column)

enum { LOGIC_AND = 2 };
enum { ME_NO = 1 };
enum { PROTO_TCP = 6, PROTO_UDP = 17, PROTO_DCCP = 33, PROTO_SCTP = 132, PROTO_UDPLITE = 136 };

/* ---- rules ---- */

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

/* What a rule selects. */
enum selects {
	SELECTS_NOTHING,	/* that could be said, or it is not in force */
	SELECTS_BOX,
	SELECTS_ALL,		/* both families */
};

static enum selects rule_selects(const struct mib_view *v, const struct pol_conn_use *u,
				 struct pol_connection *c, struct ipsp_selector *out)
{
	const struct mib_value part = mib_value_octets(u->rule, strlen(u->rule));
	const struct mib_row *rule = NULL, *clfr;
	struct mib_oid index;
	struct pol_box box;

	if (mib_index_encode(&mib_t_spdRuleDefinitionTable, &part, 1, &index))
		rule = mib_view_row(v, &mib_t_spdRuleDefinitionTable, index.ids, index.len);
	if (!rule || !mib_row_active(rule) || !classifier_of(v, rule, c, &clfr))
		return SELECTS_NOTHING;
	if (!clfr)
		return SELECTS_ALL;
	/* The rule's own status says what is wrong; own addresses come and go. */
	if (pol_classifier_box(clfr, &box) ||
	    mib_row_number(clfr, MIB_COL(ipspdClfrTable, ipspdClfrMe), ME_NO) != ME_NO)
		return SELECTS_NOTHING;
	*out = (struct ipsp_selector){ 0 };
	pol_box_to_selector(&box, out);
	if (u->dir == IPSP_INBOUND)
		turn(out);
	return SELECTS_BOX;
}

static void read_rule(const struct mib_view *v, const struct pol_conn_use *u,
		      struct pol_connection *c)
{
	static const uint8_t families[] = { 4, 6 };
	struct ipsp_selector s;

	switch (rule_selects(v, u, c, &s)) {
	case SELECTS_BOX:
		add_selector(c, &s);
		break;
	case SELECTS_ALL:
		for (size_t i = 0; i < sizeof(families); i++) {
			s = (struct ipsp_selector){ 0 };
			ipsp_selector_any(families[i], &s);
			add_selector(c, &s);
		}
		break;
	case SELECTS_NOTHING:
		break;
	}
}

/* ---- autostart ---- */

static bool has_ports(uint32_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_DCCP ||
	       proto == PROTO_SCTP || proto == PROTO_UDPLITE;
}

/* An unset port is any. */
static void port_of(const struct mib_row *r, const struct mib_column *col, uint32_t *lo,
		    uint32_t *hi)
{
	const uint32_t port = (uint32_t)mib_row_number(r, col, 0);

	if (port)
		*lo = *hi = port;
}

static void address_of(const struct mib_row *r, const struct mib_column *col, uint8_t family,
		       struct ipsp_addr *lo, struct ipsp_addr *hi)
{
	const uint8_t *octets;

	*lo = (struct ipsp_addr){ .family = family };
	if (pol_row_octets(r, col, &octets) == ipsp_addr_size(family))
		memcpy(lo->octets, octets, ipsp_addr_size(family));
	*hi = *lo;
}

/* The imagined packet; protocol 0 is any. */
static void packet_of(const struct mib_row *r, struct ipsp_selector *p)
{
	const uint8_t family = mib_row_number(r, AUTO(ipiaAutoIkeAddressType), 1) == 1 ? 4 : 6;
	const uint32_t proto = (uint32_t)mib_row_number(r, AUTO(ipiaAutoIkeProtocol), 0);

	*p = (struct ipsp_selector){ 0 };
	ipsp_selector_any(family, p);
	if (proto)
		p->proto_lo = p->proto_hi = (uint8_t)proto;
	address_of(r, AUTO(ipiaAutoIkeSourceAddress), family, &p->src_lo, &p->src_hi);
	address_of(r, AUTO(ipiaAutoIkeDestAddress), family, &p->dst_lo, &p->dst_hi);
	if (!has_ports(proto))
		return;
	port_of(r, AUTO(ipiaAutoIkeSourcePort), &p->sport_lo, &p->sport_hi);
	port_of(r, AUTO(ipiaAutoIkeDestPort), &p->dport_lo, &p->dport_hi);
}

static bool meet(const struct ipsp_selector *a, const struct ipsp_selector *b)
{
	return a->family == b->family && ipsp_addr_cmp(&a->src_lo, &b->src_hi) <= 0 &&
	       ipsp_addr_cmp(&b->src_lo, &a->src_hi) <= 0 &&
	       ipsp_addr_cmp(&a->dst_lo, &b->dst_hi) <= 0 &&
	       ipsp_addr_cmp(&b->dst_lo, &a->dst_hi) <= 0 && a->proto_lo <= b->proto_hi &&
	       b->proto_lo <= a->proto_hi && a->sport_lo <= b->sport_hi &&
	       b->sport_lo <= a->sport_hi && a->dport_lo <= b->dport_hi &&
	       b->dport_lo <= a->dport_hi;
}

/* The first outbound rule that the packet matches. @return false: none */
static bool matches_rule(const struct mib_view *v, const struct pol_conn_key *key,
			 struct pol_connection *c, struct pol_conn_start *start)
{
	for (size_t i = 0; i < key->n_uses; i++) {
		const struct pol_conn_use *u = &key->uses[i];
		struct ipsp_selector s;
		enum selects selects;

		if (!u->rule[0] || u->dir != IPSP_OUTBOUND)
			continue;
		selects = rule_selects(v, u, c, &s);
		if (selects == SELECTS_ALL ||
		    (selects == SELECTS_BOX && meet(&s, &start->packet))) {
			memcpy(start->rule, u->rule, sizeof(start->rule));
			return true;
		}
	}
	return false;
}

/* An IKE SA alone is made with the packet's destination, which must be one of the peers. */
static void check_peer(const struct pol_conn_start *start, struct pol_connection *c)
{
	for (size_t i = 0; i < c->n_peers; i++)
		if (c->peers[i].address.family == 0 ||
		    ipsp_addr_cmp(&c->peers[i].address, &start->packet.dst_lo) == 0)
			return;
	if (c->n_peers > 0)
		pol_conn_fault(c, "autostart row %u starts it with an address that is none in peer "
			       "list \"%s\"", start->priority, c->peer_list);
}

static void read_start(const struct mib_view *v, const struct pol_conn_key *key, uint32_t priority,
		       struct pol_connection *c)
{
	const struct mib_value part = mib_value_unsigned(priority);
	struct pol_conn_start *start = &c->starts[c->n_starts];
	const struct mib_row *r = NULL;
	struct mib_oid index;

	if (mib_index_encode(&mib_t_ipiaAutostartIkeTable, &part, 1, &index))
		r = mib_view_row(v, &mib_t_ipiaAutostartIkeTable, index.ids, index.len);
	if (!r || !mib_row_active(r))
		return;
	start->priority = priority;
	packet_of(r, &start->packet);
	c->n_starts++;
	if (key->ipsec[0] && c->anyone)
		pol_conn_fault(c, "autostart row %u starts it, but none of its gateways has an address", priority);
	if (!key->ipsec[0])
		check_peer(start, c);
	else if (!matches_rule(v, key, c, start))
		add_selector(c, &start->packet);
}

/* ---- all of them ---- */

bool pol_conn_select(const struct mib_view *v, const struct pol_conn_key *key,
		     struct pol_connection *c)
{
	bool bound = false, any = false;
	size_t n_starts = 0;

	for (size_t i = 0; i < key->n_uses; i++)
		n_starts += !key->uses[i].rule[0];
	c->selectors = calloc(SELECTORS_MAX, sizeof(*c->selectors));
	c->starts = calloc(n_starts + 1, sizeof(*c->starts));
	if (!c->selectors || !c->starts)
		return false;
	for (size_t i = 0; i < key->n_uses; i++) {
		const struct pol_conn_use *u = &key->uses[i];

		any = any || u->rule[0];
		bound = bound || u->dir != 0 || !u->rule[0];
		if (u->rule[0] && key->ipsec[0])
			read_rule(v, u, c);
		else if (!u->rule[0])
			read_start(v, key, u->autostart, c);
	}
	if (key->answers) {
		for (unsigned i = 0; i < 2; i++)
			ipsp_selector_any(i ? 6 : 4, &c->selectors[c->n_selectors++]);
	}
	if (any && !bound)
		pol_conn_fault(c, "is wanted by no rule in a group that is bound to an interface");
	return true;
}
