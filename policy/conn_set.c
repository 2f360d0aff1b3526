/*
 * policy/conn_set.c - which connections there are, and which rules lead to them: see connection.h.
 *
 * Rules are walked once for their actions; only when some lead to IKE are the groups walked, to know at which
 * interfaces those rules stand. Nested groups and compound actions are followed POL_DEPTH_MAX deep.
 */
#include "policy/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"

#define ITEMS_MAX (1u << 17)
#define STEPS_MAX (1u << 18)	/* of a walk through groups, or through a compound action */

#define PHASE1_MAX 64		/* rules for ipiaIkePhase1Filter that are looked at */

enum { COMPONENT_GROUP = 1 };

/* A rule, or an autostart row, leads to a pair of actions. */
struct item {
	char rule[POL_CONN_NAME];
	uint32_t autostart;
	bool phase1;		/* the rule is for IKE negotiations themselves */
	bool answers;		/* no rule, but the default response */
	char ipsec[POL_CONN_NAME];
	char ike[POL_CONN_NAME];
	char why[POL_CONN_TEXT];
};

/* A rule is in a group that is bound there. */
struct place {
	const char *rule;	/* borrowed of an item */
	uint32_t ifindex;
	uint8_t dir;
};

/* The IKE actions, by their peer lists. */
struct ike_of {
	char peers[POL_CONN_NAME];
	char ike[POL_CONN_NAME];
};

struct finder {
	const struct mib_view *view;
	struct item *items;	/* by rule, once they are all there */
	size_t n_items, cap_items;
	struct place *places;	/* by rule, likewise */
	size_t n_places, cap_places;
	struct ike_of *ikes;
	size_t n_ikes;
	size_t phase1[PHASE1_MAX];	/* items of rules for IKE negotiations */
	size_t n_phase1;
};

static bool room_for(void **list, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *grown;

	if (n < *cap)
		return true;
	grown = reallocarray(*list, more, size);
	if (!grown)
		return false;
	*list = grown;
	*cap = more;
	return true;
}

static void name_of(const struct mib_row *r, const struct mib_column *col, char out[POL_CONN_NAME])
{
	mib_row_text(r, col, out, POL_CONN_NAME);
}

/* Text as an index has it: the shorter first. */
static int name_cmp(const char *a, const char *b)
{
	const size_t la = strlen(a), lb = strlen(b);

	return la != lb ? (la < lb ? -1 : 1) : memcmp(a, b, la);
}

/* ---- actions ---- */

static bool add_item(struct finder *f, const struct item *from, const char *ipsec,
		     const char *ike)
{
	void *items = f->items;
	struct item *i;

	if (f->n_items == ITEMS_MAX)
		return true;
	if (!room_for(&items, f->n_items, &f->cap_items, sizeof(*f->items)))
		return false;
	f->items = items;
	i = &f->items[f->n_items++];
	*i = *from;
	snprintf(i->ipsec, sizeof(i->ipsec), "%s", ipsec);
	snprintf(i->ike, sizeof(i->ike), "%s", ike);
	return true;
}

/* What the walk through one compound action has seen. */
struct seen {
	const struct item *from;
	char ike[POL_CONN_NAME];	/* the last IKE action */
	bool ike_serves;
};

static bool see(struct finder *f, struct seen *s, const struct pol_target *t)
{
	char ipsec[POL_CONN_NAME];

	if (t->table == &mib_t_ipiaIkeActionTable && t->row) {
		if (s->ike[0] && !s->ike_serves && !add_item(f, s->from, "", s->ike))
			return false;
		name_of(t->row, MIB_COL(ipiaIkeActionTable, ipiaIkeActName), s->ike);
		s->ike_serves = false;
	} else if (t->table == &mib_t_ipiaIpsecActionTable && t->row) {
		name_of(t->row, MIB_COL(ipiaIpsecActionTable, ipiaIpsecActName), ipsec);
		s->ike_serves = true;
		return add_item(f, s->from, ipsec, s->ike);
	}
	return true;
}

static bool see_compound(struct finder *f, struct seen *s, const struct mib_row *first)
{
	struct {
		struct mib_oid prefix;
		struct pol_walk walk;
	} levels[POL_DEPTH_MAX];
	const struct mib_row *enter = first;
	size_t depth = 0;

	for (size_t steps = 0; (enter || depth > 0) && steps < STEPS_MAX; steps++) {
		const struct mib_row *sub;
		struct pol_target t;

		if (enter && depth < POL_DEPTH_MAX) {
			mib_row_index_copy(enter, &levels[depth].prefix);
			levels[depth].walk = (struct pol_walk){
				.view = f->view, .table = &mib_t_spdSubactionsTable,
				.prefix = &levels[depth].prefix };
			depth++;
		}
		enter = NULL;
		sub = pol_walk_next(&levels[depth - 1].walk);
		if (!sub) {
			depth--;
			continue;
		}
		pol_target_of(f->view, sub, MIB_COL(spdSubactionsTable, spdSubActSubActionName),
			      &t);
		if (t.table == &mib_t_spdCompoundActionTable)
			enter = t.row;
		else if (!see(f, s, &t))
			return false;
	}
	return true;
}

/* All that an action pointer leads to. */
static bool see_action(struct finder *f, const struct item *from, const struct mib_row *r,
		       const struct mib_column *col)
{
	struct seen s = { .from = from };
	struct pol_target t;

	pol_target_of(f->view, r, col, &t);
	if (t.table == &mib_t_spdCompoundActionTable && t.row) {
		if (!see_compound(f, &s, t.row))
			return false;
	} else if (!see(f, &s, &t)) {
		return false;
	}
	return !s.ike[0] || s.ike_serves || add_item(f, from, "", s.ike);
}

static bool see_rules(struct finder *f)
{
	struct pol_walk walk = { .view = f->view, .table = &mib_t_spdRuleDefinitionTable };
	const struct mib_row *r;

	while ((r = pol_walk_next(&walk))) {
		struct item from = { .autostart = 0 };
		struct pol_target filter;

		pol_target_of(f->view, r, MIB_COL(spdRuleDefinitionTable, spdRuleDefFilter),
			      &filter);
		from.phase1 = filter.scalar == MIB_COL(ipiaStaticFilters, ipiaIkePhase1Filter);
		name_of(r, MIB_COL(spdRuleDefinitionTable, spdRuleDefName), from.rule);
		if (!see_action(f, &from, r, MIB_COL(spdRuleDefinitionTable, spdRuleDefAction)))
			return false;
	}
	return true;
}

static bool see_autostarts(struct finder *f)
{
	struct pol_walk walk = { .view = f->view, .table = &mib_t_ipiaAutostartIkeTable };
	const struct mib_row *r;

	while ((r = pol_walk_next(&walk))) {
		struct item from = { .rule = "" };
		size_t len;

		from.autostart = mib_row_index(r, &len)[0];
		if (!see_action(f, &from, r, MIB_COL(ipiaAutostartIkeTable, ipiaAutoIkeAction)))
			return false;
	}
	return true;
}

/* Whatever is said of the default response. NULL: nothing, or it has no action */
static const struct mib_row *response_row(const struct mib_view *v, char ipsec[POL_CONN_NAME])
{
	static const uint32_t scalar[] = { 0 };
	const struct mib_row *const r = mib_view_row(v, &mib_t_ipspdSystem, scalar, 1);

	ipsec[0] = '\0';
	if (r)
		name_of(r, MIB_COL(ipspdSystem, ipspdDefaultResponseAction), ipsec);
	return ipsec[0] ? r : NULL;
}

bool pol_conn_has_response(const struct mib_view *v)
{
	char ipsec[POL_CONN_NAME];

	return response_row(v, ipsec) != NULL;
}

static bool see_response(struct finder *f)
{
	const struct item from = { .answers = true };
	char ipsec[POL_CONN_NAME], ike[POL_CONN_NAME] = "";
	const struct mib_row *const r = response_row(f->view, ipsec);

	if (!r || !pol_row_truth(r, MIB_COL(ipspdSystem, ipspdDefaultResponse), false))
		return true;
	name_of(r, MIB_COL(ipspdSystem, ipspdDefaultResponseIkeAction), ike);
	return add_item(f, &from, ipsec, ike);
}

static int item_cmp(const void *a, const void *b)
{
	return name_cmp(((const struct item *)a)->rule, ((const struct item *)b)->rule);
}

/* The first item of that rule, or NULL. */
static const struct item *item_of(const struct finder *f, const char *rule)
{
	size_t lo = 0, hi = f->n_items;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (name_cmp(f->items[mid].rule, rule) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < f->n_items && strcmp(f->items[lo].rule, rule) == 0 ? &f->items[lo] : NULL;
}

/* ---- places ---- */

static bool add_place(struct finder *f, const char *rule, uint32_t ifindex, uint8_t dir)
{
	const struct item *i = item_of(f, rule);
	void *places = f->places;

	if (!i || f->n_places == ITEMS_MAX)
		return true;
	if (!room_for(&places, f->n_places, &f->cap_places, sizeof(*f->places)))
		return false;
	f->places = places;
	f->places[f->n_places++] = (struct place){ i->rule, ifindex, dir };
	return true;
}

static bool see_group(struct finder *f, const char *group, uint32_t ifindex, uint8_t dir)
{
	struct {
		struct mib_oid prefix;
		struct pol_walk walk;
	} levels[POL_DEPTH_MAX];
	char enter[POL_CONN_NAME], name[POL_CONN_NAME];
	size_t depth = 0;

	snprintf(enter, sizeof(enter), "%s", group);
	for (size_t steps = 0; (enter[0] || depth > 0) && steps < STEPS_MAX; steps++) {
		const struct mib_value v = mib_value_octets(enter, strlen(enter));
		const struct mib_row *r;

		if (enter[0] && depth < POL_DEPTH_MAX &&
		    mib_index_encode(&mib_t_spdGroupContentsTable, &v, 1, &levels[depth].prefix)) {
			levels[depth].walk = (struct pol_walk){
				.view = f->view, .table = &mib_t_spdGroupContentsTable,
				.prefix = &levels[depth].prefix };
			depth++;
		}
		enter[0] = '\0';
		if (depth == 0)
			break;
		r = pol_walk_next(&levels[depth - 1].walk);
		if (!r) {
			depth--;
			continue;
		}
		name_of(r, MIB_COL(spdGroupContentsTable, spdGroupContComponentName), name);
		if (mib_row_number(r, MIB_COL(spdGroupContentsTable, spdGroupContComponentType),
				   0) == COMPONENT_GROUP)
			memcpy(enter, name, sizeof(enter));
		else if (!add_place(f, name, ifindex, dir))
			return false;
	}
	return true;
}

static int place_cmp(const void *x, const void *y)
{
	const struct place *a = x, *b = y;
	const int c = name_cmp(a->rule, b->rule);

	if (c != 0)
		return c;
	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return a->dir < b->dir ? -1 : a->dir > b->dir;
}

static bool see_places(struct finder *f)
{
	static const uint32_t scalar[] = { 0 };
	struct pol_walk walk = { .view = f->view, .table = &mib_t_spdEndpointToGroupTable };
	const struct mib_row *r, *sys = mib_view_row(f->view, &mib_t_spdLocalConfigObjects,
						     scalar, 1);
	char group[POL_CONN_NAME];
	size_t len;

	while ((r = pol_walk_next(&walk))) {
		const uint32_t *index = mib_row_index(r, &len);

		name_of(r, MIB_COL(spdEndpointToGroupTable, spdEndGroupName), group);
		if (!see_group(f, group, index[len - 1], (uint8_t)index[0]))
			return false;
	}
	for (uint8_t dir = IPSP_INBOUND; sys && dir <= IPSP_OUTBOUND; dir++) {
		name_of(sys, dir == IPSP_INBOUND ?
			MIB_COL(spdLocalConfigObjects, spdIngressPolicyGroupName) :
			MIB_COL(spdLocalConfigObjects, spdEgressPolicyGroupName), group);
		if (!see_group(f, group, 0, dir))
			return false;
	}
	if (f->n_places > 0)
		qsort(f->places, f->n_places, sizeof(*f->places), place_cmp);
	return true;
}

/* The first place of a rule; f->n_places: none. */
static size_t places_of(const struct finder *f, const char *rule)
{
	size_t lo = 0, hi = f->n_places;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (name_cmp(f->places[mid].rule, rule) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < f->n_places && strcmp(f->places[lo].rule, rule) == 0 ? lo : f->n_places;
}

static bool is_place_of(const struct finder *f, size_t at, const char *rule)
{
	return at < f->n_places && strcmp(f->places[at].rule, rule) == 0;
}

static bool share_interface(const struct finder *f, const char *a, const char *b)
{
	for (size_t i = places_of(f, a); is_place_of(f, i, a); i++)
		for (size_t k = places_of(f, b); is_place_of(f, k, b); k++)
			if (f->places[i].ifindex == f->places[k].ifindex)
				return true;
	return false;
}

/* ---- which IKE action serves ---- */

static int ike_of_cmp(const void *a, const void *b)
{
	return strcmp(((const struct ike_of *)a)->peers, ((const struct ike_of *)b)->peers);
}

static const struct mib_row *row_named(const struct mib_view *v, const struct mib_table *t,
				       const char *name)
{
	const struct mib_value part = mib_value_octets(name, strlen(name));
	struct mib_oid index;

	return mib_index_encode(t, &part, 1, &index) ? mib_view_row(v, t, index.ids, index.len) :
						       NULL;
}

static bool see_ike_actions(struct finder *f)
{
	struct pol_walk walk = { .view = f->view, .table = &mib_t_ipiaIkeActionTable };
	const struct mib_row *r;
	size_t cap = 0;

	while ((r = pol_walk_next(&walk))) {
		void *ikes = f->ikes;

		if (!room_for(&ikes, f->n_ikes, &cap, sizeof(*f->ikes)))
			return false;
		f->ikes = ikes;
		name_of(r, MIB_COL(ipiaIkeActionTable, ipiaIkeActPeerName),
			f->ikes[f->n_ikes].peers);
		name_of(r, MIB_COL(ipiaIkeActionTable, ipiaIkeActName), f->ikes[f->n_ikes].ike);
		f->n_ikes++;
	}
	if (f->n_ikes > 0)
		qsort(f->ikes, f->n_ikes, sizeof(*f->ikes), ike_of_cmp);
	return true;
}

/* How many IKE actions have that peer list; *first is one of them. */
static size_t ikes_with(const struct finder *f, const char *peers, size_t *first)
{
	size_t lo = 0, hi = f->n_ikes, n = 0;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (strcmp(f->ikes[mid].peers, peers) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*first = lo;
	while (n < 2 && lo + n < f->n_ikes && strcmp(f->ikes[lo + n].peers, peers) == 0)
		n++;
	return n;
}

static bool has_peers(const struct finder *f, const char *ike, const char *peers)
{
	const struct mib_row *r = row_named(f->view, &mib_t_ipiaIkeActionTable, ike);
	char theirs[POL_CONN_NAME];

	if (!r)
		return false;
	name_of(r, MIB_COL(ipiaIkeActionTable, ipiaIkeActPeerName), theirs);
	return strcmp(theirs, peers) == 0;
}

static bool by_phase1_rule(const struct finder *f, struct item *i, const char *peers)
{
	for (size_t k = 0; i->rule[0] && k < f->n_phase1; k++) {
		const struct item *other = &f->items[f->phase1[k]];

		if (!has_peers(f, other->ike, peers) || !share_interface(f, i->rule, other->rule))
			continue;
		memcpy(i->ike, other->ike, sizeof(i->ike));
		return true;
	}
	return false;
}

static void by_peers(const struct finder *f, struct item *i, const char *peers)
{
	size_t first, n = ikes_with(f, peers, &first);

	if (n == 1)
		memcpy(i->ike, f->ikes[first].ike, sizeof(i->ike));
	else
		snprintf(i->why, sizeof(i->why), "no IKE action serves it: none stands before it "
			 "in a compound action, and %s has the peer list \"%s\"",
			 n == 0 ? "none" : "more than one", peers);
}

static bool find_phase1(struct finder *f)
{
	for (size_t k = 0; k < f->n_items && f->n_phase1 < PHASE1_MAX; k++)
		if (f->items[k].phase1 && !f->items[k].ipsec[0] && f->items[k].ike[0])
			f->phase1[f->n_phase1++] = k;
	return see_ike_actions(f);
}

static bool resolve(struct finder *f)
{
	char peers[POL_CONN_NAME];

	if (!find_phase1(f))
		return false;
	for (size_t k = 0; k < f->n_items; k++) {
		struct item *i = &f->items[k];
		const struct mib_row *r;

		if (i->ike[0])
			continue;
		r = row_named(f->view, &mib_t_ipiaIpsecActionTable, i->ipsec);
		if (!r)
			continue;
		name_of(r, MIB_COL(ipiaIpsecActionTable, ipiaIpsecActPeerGatewayIdName), peers);
		if (!by_phase1_rule(f, i, peers))
			by_peers(f, i, peers);
	}
	return true;
}

/* ---- keys ---- */

static int pair_cmp(const char *ipsec_a, const char *ike_a, const char *ipsec_b,
		    const char *ike_b)
{
	const int c = name_cmp(ipsec_a, ipsec_b);

	return c != 0 ? c : name_cmp(ike_a, ike_b);
}

static int by_pair(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	const int c = pair_cmp(a->ipsec, a->ike, b->ipsec, b->ike);

	return c != 0 ? c : name_cmp(a->rule, b->rule);
}

static int ike_cmp(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* An IKE action that serves somewhere is no connection of its own where it does not. */
static bool drop_idle_ike(struct item *items, size_t *n_items)
{
	char (*serving)[POL_CONN_NAME] = calloc(*n_items + 1, sizeof(*serving));
	size_t n = 0, kept = 0;

	if (!serving)
		return false;
	for (size_t i = 0; i < *n_items; i++)
		if (items[i].ipsec[0] && items[i].ike[0])
			memcpy(serving[n++], items[i].ike, POL_CONN_NAME);
	if (n > 0)
		qsort(serving, n, sizeof(*serving), ike_cmp);
	for (size_t i = 0; i < *n_items; i++) {
		if (!items[i].ipsec[0] && n > 0 &&
		    bsearch(items[i].ike, serving, n, sizeof(*serving), ike_cmp))
			continue;
		items[kept++] = items[i];
	}
	*n_items = kept;
	free(serving);
	return true;
}

static bool add_use(struct pol_conn_key *k, const struct pol_conn_use *u)
{
	struct pol_conn_use *grown = reallocarray(k->uses, k->n_uses + 1, sizeof(*grown));

	if (!grown)
		return false;
	k->uses = grown;
	k->uses[k->n_uses++] = *u;
	return true;
}

static bool add_uses(const struct finder *f, struct pol_conn_key *k, const struct item *i)
{
	struct pol_conn_use u = { .autostart = i->autostart };
	size_t at = places_of(f, i->rule);

	memcpy(u.rule, i->rule, sizeof(u.rule));
	if (!i->rule[0] || at == f->n_places)
		return add_use(k, &u);
	for (; is_place_of(f, at, i->rule); at++) {
		u.ifindex = f->places[at].ifindex;
		u.dir = f->places[at].dir;
		if (!add_use(k, &u))
			return false;
	}
	return true;
}

static bool make_keys(struct finder *f, struct pol_conn_set *out)
{
	/* Places borrow rules of items, so another order is of a copy. */
	struct item *sorted = calloc(f->n_items + 1, sizeof(*sorted));
	size_t n = f->n_items;
	bool good = sorted != NULL;

	out->keys = calloc(f->n_items + 1, sizeof(*out->keys));
	good = good && out->keys;
	if (good && n > 0) {
		memcpy(sorted, f->items, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), by_pair);
		good = drop_idle_ike(sorted, &n);
	}
	for (size_t i = 0; good && i < n; i++) {
		struct pol_conn_key *k = out->n_keys ? &out->keys[out->n_keys - 1] : NULL;

		if (!k || pair_cmp(k->ipsec, k->ike, sorted[i].ipsec, sorted[i].ike) != 0) {
			k = &out->keys[out->n_keys++];
			memcpy(k->ipsec, sorted[i].ipsec, sizeof(k->ipsec));
			memcpy(k->ike, sorted[i].ike, sizeof(k->ike));
			memcpy(k->why, sorted[i].why, sizeof(k->why));
		}
		k->answers |= sorted[i].answers;
		good = sorted[i].answers || add_uses(f, k, &sorted[i]);
	}
	/* What rules lead to is theirs. */
	for (size_t i = 0; good && i < out->n_keys; i++)
		out->keys[i].answers &= out->keys[i].n_uses == 0;
	free(sorted);
	return good;
}

bool pol_conn_set_make(const struct mib_view *v, struct pol_conn_set *out)
{
	struct finder f = { .view = v };
	struct pol_conn_set made = { 0 };
	bool good = see_rules(&f) && see_autostarts(&f) && see_response(&f);

	if (good && f.n_items > 0) {
		qsort(f.items, f.n_items, sizeof(*f.items), item_cmp);
		good = see_places(&f) && resolve(&f) && make_keys(&f, &made);
	}
	free(f.ikes);
	free(f.items);
	free(f.places);
	if (good)
		*out = made;
	else
		pol_conn_set_fini(&made);
	return good;
}

void pol_conn_set_fini(struct pol_conn_set *s)
{
	for (size_t i = 0; i < s->n_keys; i++)
		free(s->keys[i].uses);
	free(s->keys);
	*s = (struct pol_conn_set){ 0 };
}

bool pol_conn_set_depends(const struct mib_row *r)
{
	static const struct mib_table *const always[] = {
		&mib_t_spdEndpointToGroupTable, &mib_t_spdGroupContentsTable,
		&mib_t_spdLocalConfigObjects, &mib_t_spdCompoundActionTable,
		&mib_t_spdSubactionsTable, &mib_t_ipiaIkeActionTable,
		&mib_t_ipiaIpsecActionTable, &mib_t_ipiaAutostartIkeTable, &mib_t_ipspdSystem,
	};
	const struct mib_table *t = mib_row_table(r);
	const struct mib_column *col;
	const uint32_t *index;
	size_t len;
	struct mib_value ptr;

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (always[i] == t)
			return true;
	if (t != &mib_t_spdRuleDefinitionTable ||
	    !mib_row_get(r, MIB_COL(spdRuleDefinitionTable, spdRuleDefAction), &ptr) ||
	    ptr.syntax != MIB_SYN_OID)
		return false;
	t = mib_table_by_oid(ptr.oid.ids, ptr.oid.len, &col, &index, &len);
	return t == &mib_t_spdCompoundActionTable || t == &mib_t_ipiaIkeActionTable ||
	       t == &mib_t_ipiaIpsecActionTable;
}

size_t pol_conn_seek(const struct pol_conn_set *s, const char *ipsec, const char *ike, bool strict)
{
	size_t lo = 0, hi = s->n_keys;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const int c = pair_cmp(s->keys[mid].ipsec, s->keys[mid].ike, ipsec, ike);

		if (c < 0 || (c == 0 && strict))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}
