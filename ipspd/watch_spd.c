/*
 * ipspd/watch_spd.c - the SPD as compiled: ipspdSpdTable, ipspdSpdSelTable, ipspdSpdListTable.
 *
 * Indexes are (interface, direction, order, selector), as far as a table goes. Orders and selectors
 * count from 1; the order behind the last entry is the list's end.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "ipspd/watch_int.h"
#include "ipspd/words.h"
#include "mibs/schema_gen.h"

enum { AT_INTERFACE, AT_DIRECTION, AT_ORDER, AT_SELECTOR };
enum { PART_S = 1, PART_I = 2, PART_O = 3 };
enum { ACTION_DISCARD = 1, ACTION_BYPASS = 2, ACTION_PROTECT = 3 };
enum { SOURCE_ROW = 1, SOURCE_KEY_MANAGER = 2, SOURCE_DEFAULT = 3 };
enum { INET_IPV4 = 1, INET_IPV6 = 2 };
enum { OPAQUE_ANY = 1 };	/* as enum ipsp_hides, from 1 */

static const struct pol_generation *policy(const struct watch *w)
{
	return agent_policy(w->agent);
}

static void set_index(struct mib_oid *out, const struct pol_list *l, size_t order,
		      size_t selector, size_t len)
{
	*out = (struct mib_oid){ .len = len, .ids = {
		[AT_INTERFACE] = l->ifindex, [AT_DIRECTION] = l->dir,
		[AT_ORDER] = (uint32_t)order, [AT_SELECTOR] = (uint32_t)selector } };
}

/* ---- where rows are ---- */

static const struct pol_list *list_at(const struct watch *w, const uint32_t *index)
{
	return compiled_list_at(policy(w), index[AT_INTERFACE], index[AT_DIRECTION]);
}

static const struct pol_list *list_from(const struct watch *w, const uint32_t *key)
{
	return compiled_list_from(policy(w), key[AT_INTERFACE], key[AT_DIRECTION]);
}

static const struct pol_list *list_after(const struct watch *w, const struct pol_list *l)
{
	return compiled_list_from(policy(w), l->ifindex, l->dir + 1u);
}

static bool is_list(const struct pol_list *l, const uint32_t *key)
{
	return l->ifindex == key[AT_INTERFACE] && l->dir == key[AT_DIRECTION];
}

/* order: from 1, not beyond the last entry. */
static const struct ipsp_spd_entry *entry_at(const struct pol_list *l, uint32_t order)
{
	return &pol_list_entry(l, order - 1)->spd;
}

static bool next_list(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	uint32_t key[AT_ORDER];
	const struct pol_list *l;

	if (!watch_after(after, AT_ORDER, key))
		return false;
	l = list_from((struct watch *)arg, key);
	if (l)
		set_index(out, l, 0, 0, AT_ORDER);
	return l != NULL;
}

static bool next_entry(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	const struct watch *w = (const struct watch *)arg;
	const struct pol_list *l;
	uint32_t key[AT_SELECTOR], order = 1;

	if (!watch_after(after, AT_SELECTOR, key))
		return false;
	l = list_from(w, key);
	if (l && is_list(l, key) && key[AT_ORDER] > 1)
		order = key[AT_ORDER];
	if (l && order > compiled_count(l) + 1) {
		l = list_after(w, l);
		order = 1;
	}
	if (l)
		set_index(out, l, order, 0, AT_SELECTOR);
	return l != NULL;
}

/* The first selector of this list that is not before (order, selector). */
static bool selector_from(const struct pol_list *l, uint32_t order, uint32_t selector,
			  struct mib_oid *out)
{
	size_t n = compiled_count(l);

	if (order == 0) {
		order = 1;
		selector = 1;
	}
	for (; order <= n; order++, selector = 1) {
		uint32_t from = selector ? selector : 1;

		if (from > entry_at(l, order)->n_selectors)
			continue;
		set_index(out, l, order, from, AT_SELECTOR + 1);
		return true;
	}
	return false;
}

static bool next_selector(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	const struct watch *w = (const struct watch *)arg;
	uint32_t key[AT_SELECTOR + 1];

	if (!watch_after(after, AT_SELECTOR + 1, key))
		return false;
	for (const struct pol_list *l = list_from(w, key); l; l = list_after(w, l)) {
		bool is_first = is_list(l, key);

		if (selector_from(l, is_first ? key[AT_ORDER] : 0,
				  is_first ? key[AT_SELECTOR] : 0, out))
			return true;
	}
	return false;
}

/* ---- groups ---- */

/* The group that a list is of: its endpoint row's, or the system-wide one. */
static struct mib_value group_of(struct watch *w, const struct pol_list *l)
{
	static const uint32_t scalar[] = { 0 };
	const uint32_t endpoint[] = { l->dir, l->ifindex };
	const struct mib_view *v = mib_store_view(agent_store(w->agent));
	const struct mib_row *r;
	char name[33] = "";

	if (l->ifindex != 0) {
		r = mib_view_row(v, &mib_t_spdEndpointToGroupTable, endpoint, 2);
		if (r && mib_row_active(r))
			mib_row_text(r, MIB_COL(spdEndpointToGroupTable, spdEndGroupName), name,
				     sizeof(name));
	} else {
		r = mib_view_row(v, &mib_t_spdLocalConfigObjects, scalar, 1);
		if (r)
			mib_row_text(r, l->dir == IPSP_INBOUND ?
				     MIB_COL(spdLocalConfigObjects, spdIngressPolicyGroupName) :
				     MIB_COL(spdLocalConfigObjects, spdEgressPolicyGroupName),
				     name, sizeof(name));
	}
	return watch_text(w, name);
}

/* ---- lists ---- */

static enum mib_err read_list(void *arg, const struct mib_column *col, const uint32_t *index,
			      size_t len, struct mib_value *out)
{
	struct watch *w = (struct watch *)arg;
	const struct pol_list *l = len == AT_ORDER ? list_at(w, index) : NULL;
	const struct totals_count *end;

	if (!l)
		return MIB_NO_SUCH_INSTANCE;
	agent_totals_wanted(w->agent);
	end = totals_entry(agent_totals(w->agent), l->ifindex, (enum ipsp_dir)l->dir, 0);
	switch (col->pos) {
	case MIB_C_ipspdSpdListGroup:
		*out = group_of(w, l);
		return MIB_OK;
	case MIB_C_ipspdSpdListEntries:
		*out = watch_gauge(compiled_count(l));
		return MIB_OK;
	case MIB_C_ipspdSpdListEndPackets:
		*out = mib_value_counter64(end->packets);
		return MIB_OK;
	case MIB_C_ipspdSpdListEndBytes:
		*out = mib_value_counter64(end->bytes);
		return MIB_OK;
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
}

/* ---- entries ---- */

static const struct pol_origin *origin_of(const struct watch *w, uint64_t id)
{
	return id ? pol_origin_find(policy(w), id) : NULL;
}

static const char *name_of(const struct watch *w, uint64_t id)
{
	const struct pol_origin *o = origin_of(w, id);

	return o ? o->name : "";
}

/* The instance of the row's first column that can be read; 0.0 for no row. */
static struct mib_value pointer_to(struct watch *w, uint64_t id)
{
	const struct pol_origin *o = origin_of(w, id);
	const struct mib_table *t = o ? o->table : NULL;
	size_t n = 0, first = 0;

	struct mib_oid scalar;

	memset(w->oid, 0, 2 * sizeof(w->oid[0]));
	if (o && o->scalar && pol_scalar_pointer(o->scalar, &scalar)) {
		memcpy(w->oid, scalar.ids, scalar.len * sizeof(w->oid[0]));
		return mib_value_oid(w->oid, scalar.len);
	}
	if (!t || t->entry_oid_len + 1 + o->index.len > MIB_OID_MAX)
		return mib_value_oid(w->oid, 2);
	while (first + 1 < t->n_columns && t->columns[first].access < MIB_ACC_READ)
		first++;
	for (size_t i = 0; i < t->entry_oid_len; i++)
		w->oid[n++] = t->entry_oid[i];
	w->oid[n++] = t->columns[first].id;
	for (size_t i = 0; i < o->index.len; i++)
		w->oid[n++] = o->index.ids[i];
	return mib_value_oid(w->oid, n);
}

static struct mib_value selectors_text(struct watch *w, const struct ipsp_spd_entry *e)
{
	char first[WORDS_SELECTOR], all[WORDS_SELECTOR + 32];

	if (e->n_selectors == 0)
		return watch_text(w, "");
	words_selector(&e->selectors[0], first);
	if (e->n_selectors == 1)
		return watch_text(w, first);
	snprintf(all, sizeof(all), "%s, and %u more", first, e->n_selectors - 1);
	return watch_text(w, all);
}

static bool is_conditional(const struct ipsp_spd_entry *e)
{
	return e->predicate || e->from_s || e->until_s;
}

static int32_t part(const struct pol_list *l, const struct ipsp_spd_entry *e)
{
	if (e->action == IPSP_PROTECT)
		return PART_S;
	return l->dir == IPSP_INBOUND ? PART_I : PART_O;
}

static int32_t source(const struct pol_entry *e)
{
	static const int32_t sources[] = {
		[POL_BAND_ROWS] = SOURCE_ROW,
		[POL_BAND_KEY_MANAGER] = SOURCE_KEY_MANAGER,
		[POL_BAND_OPEN] = SOURCE_DEFAULT,
	};

	return e ? sources[e->band] : SOURCE_DEFAULT;
}

static int32_t action(const struct ipsp_spd_entry *e)
{
	static const int32_t actions[] = {
		[IPSP_DISCARD] = ACTION_DISCARD,
		[IPSP_BYPASS] = ACTION_BYPASS,
		[IPSP_PROTECT] = ACTION_PROTECT,
	};

	return actions[e->action];
}

static enum mib_err read_count(struct watch *w, const struct mib_column *col,
			       const struct pol_list *l, uint64_t id, struct mib_value *out)
{
	const struct totals_count *c;

	agent_totals_wanted(w->agent);
	c = totals_entry(agent_totals(w->agent), l->ifindex, (enum ipsp_dir)l->dir, id);
	switch (col->pos) {
	case MIB_C_ipspdSpdPackets:
		*out = mib_value_counter64(c->packets);
		return MIB_OK;
	case MIB_C_ipspdSpdBytes:
		*out = mib_value_counter64(c->bytes);
		return MIB_OK;
	case MIB_C_ipspdSpdKernelPackets:
		*out = mib_value_counter64(c->kernel_packets);
		return MIB_OK;
	case MIB_C_ipspdSpdIdle:
		return watch_idle(w, c->last_s, out);
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
}

static enum mib_err read_entry(void *arg, const struct mib_column *col, const uint32_t *index,
			       size_t len, struct mib_value *out)
{
	static const struct ipsp_spd_entry end = { .action = IPSP_DISCARD };
	struct watch *w = (struct watch *)arg;
	const struct pol_list *l = len == AT_SELECTOR ? list_at(w, index) : NULL;
	const struct pol_entry *pe;
	const struct ipsp_spd_entry *e;
	char text[COMPILED_NAME];

	if (!l || index[AT_ORDER] < 1 || index[AT_ORDER] > compiled_count(l) + 1)
		return MIB_NO_SUCH_INSTANCE;
	pe = pol_list_entry(l, index[AT_ORDER] - 1);
	e = pe ? &pe->spd : &end;
	switch (col->pos) {
	case MIB_C_ipspdSpdPart:
		*out = mib_value_integer(part(l, e));
		return MIB_OK;
	case MIB_C_ipspdSpdAction:
		*out = mib_value_integer(action(e));
		return MIB_OK;
	case MIB_C_ipspdSpdRule:
		*out = pointer_to(w, e->id);
		return MIB_OK;
	case MIB_C_ipspdSpdRuleName:
		*out = watch_text(w, compiled_entry_name(policy(w), e, text));
		return MIB_OK;
	case MIB_C_ipspdSpdSource:
		*out = mib_value_integer(source(pe));
		return MIB_OK;
	case MIB_C_ipspdSpdAcceptClear:
		*out = watch_truth(e->accept_clear);
		return MIB_OK;
	case MIB_C_ipspdSpdGroup:
		*out = group_of(w, l);
		return MIB_OK;
	case MIB_C_ipspdSpdSelectors:
		*out = watch_gauge(e->n_selectors);
		return MIB_OK;
	case MIB_C_ipspdSpdSelectorText:
		*out = selectors_text(w, e);
		return MIB_OK;
	case MIB_C_ipspdSpdConditional:
		*out = watch_truth(is_conditional(e));
		return MIB_OK;
	case MIB_C_ipspdSpdSteps:
		*out = watch_gauge(e->n_steps);
		return MIB_OK;
	case MIB_C_ipspdSpdLog:
		*out = watch_truth(e->log);
		return MIB_OK;
	case MIB_C_ipspdSpdSa:
		*out = watch_text(w, name_of(w, e->sa_id));
		return MIB_OK;
	default:
		return read_count(w, col, l, e->id, out);
	}
}

/* ---- selectors ---- */

static struct mib_value address(struct watch *w, const struct ipsp_addr *a)
{
	size_t len = ipsp_addr_size(a->family);

	memcpy(w->text, a->octets, len);
	return mib_value_octets(w->text, len);
}

static enum mib_err read_address(struct watch *w, const struct mib_column *col,
				 const struct ipsp_selector *s, struct mib_value *out)
{
	char text[WORDS_SELECTOR];

	switch (col->pos) {
	case MIB_C_ipspdSpdSelText:
		*out = watch_text(w, words_selector(s, text));
		return MIB_OK;
	case MIB_C_ipspdSpdSelAddressType:
		*out = mib_value_integer(s->family == 4 ? INET_IPV4 : INET_IPV6);
		return MIB_OK;
	case MIB_C_ipspdSpdSelOpaque:
		*out = mib_value_integer(OPAQUE_ANY + s->hides);
		return MIB_OK;
	case MIB_C_ipspdSpdSelSrcFirst:
		*out = address(w, &s->src_lo);
		return MIB_OK;
	case MIB_C_ipspdSpdSelSrcLast:
		*out = address(w, &s->src_hi);
		return MIB_OK;
	case MIB_C_ipspdSpdSelDstFirst:
		*out = address(w, &s->dst_lo);
		return MIB_OK;
	case MIB_C_ipspdSpdSelDstLast:
		*out = address(w, &s->dst_hi);
		return MIB_OK;
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
}

static enum mib_err read_selector(void *arg, const struct mib_column *col, const uint32_t *index,
				  size_t len, struct mib_value *out)
{
	struct watch *w = (struct watch *)arg;
	const struct ipsp_spd_entry *e;
	const struct ipsp_selector *s;
	const struct pol_list *l = len == AT_SELECTOR + 1 ? list_at(w, index) : NULL;

	if (!l || index[AT_ORDER] < 1 || index[AT_ORDER] > compiled_count(l))
		return MIB_NO_SUCH_INSTANCE;
	e = entry_at(l, index[AT_ORDER]);
	if (index[AT_SELECTOR] < 1 || index[AT_SELECTOR] > e->n_selectors)
		return MIB_NO_SUCH_INSTANCE;
	s = &e->selectors[index[AT_SELECTOR] - 1];
	const struct {
		size_t pos;
		uint32_t value;
	} numbers[] = {
		{ MIB_C_ipspdSpdSelProtoFirst, s->proto_lo },
		{ MIB_C_ipspdSpdSelProtoLast, s->proto_hi },
		{ MIB_C_ipspdSpdSelSrcPortFirst, s->sport_lo },
		{ MIB_C_ipspdSpdSelSrcPortLast, s->sport_hi },
		{ MIB_C_ipspdSpdSelDstPortFirst, s->dport_lo },
		{ MIB_C_ipspdSpdSelDstPortLast, s->dport_hi },
		{ MIB_C_ipspdSpdSelDscpFirst, s->dscp_lo },
		{ MIB_C_ipspdSpdSelDscpLast, s->dscp_hi },
		{ MIB_C_ipspdSpdSelFlowFirst, s->flow_lo },
		{ MIB_C_ipspdSpdSelFlowLast, s->flow_hi },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].pos == col->pos) {
			*out = mib_value_unsigned(numbers[i].value);
			return MIB_OK;
		}
	}
	return read_address(w, col, s, out);
}

size_t watch_spd_sources(struct watch *w, struct mib_source *to)
{
	to[0] = (struct mib_source){ .table = &mib_t_ipspdSpdTable, .next = next_entry,
				     .read = read_entry, .arg = w };
	to[1] = (struct mib_source){ .table = &mib_t_ipspdSpdSelTable, .next = next_selector,
				     .read = read_selector, .arg = w };
	to[2] = (struct mib_source){ .table = &mib_t_ipspdSpdListTable, .next = next_list,
				     .read = read_list, .arg = w };
	return 3;
}
