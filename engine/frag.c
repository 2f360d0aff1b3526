/* engine/frag.c - what first fragments have shown, for those that follow. */
#include <string.h>

#include "engine/frag.h"

static struct ipsp_frag_key key_of(const struct ipsp_flow *flow, enum ipsp_dir dir,
				   uint32_t ifindex, uint64_t sa_id)
{
	return (struct ipsp_frag_key){
		.src = flow->src, .dst = flow->dst, .sa_id = sa_id, .id = flow->frag_id,
		.ifindex = ifindex, .dir = (uint8_t)dir,
		.proto = flow->family == 4 ? flow->proto : 0,
	};
}

static bool key_is(const struct ipsp_frag_key *a, const struct ipsp_frag_key *b)
{
	return a->id == b->id && a->sa_id == b->sa_id && a->ifindex == b->ifindex &&
	       a->dir == b->dir && a->proto == b->proto && ipsp_addr_cmp(&a->src, &b->src) == 0 &&
	       ipsp_addr_cmp(&a->dst, &b->dst) == 0;
}

/* By the datagram's own words only: what else the key has, an outsider does not choose. */
static struct ipsp_frag_entry *set_of(struct ipsp_frag_table *t, const struct ipsp_frag_key *key)
{
	uint8_t words[38] = { key->src.family, key->proto };

	memcpy(words + 2, key->src.octets, 16);
	memcpy(words + 18, key->dst.octets, 16);
	memcpy(words + 34, &key->id, 4);
	return t->sets[ipsp_siphash(t->key, words, sizeof(words)) % IPSP_FRAG_SETS];
}

static bool is_alive(const struct ipsp_frag_entry *e, uint64_t now_s, uint32_t timeout_s)
{
	return e->seen_s != 0 && now_s + 1 - e->seen_s <= timeout_s;
}

static struct ipsp_frag_entry *find(struct ipsp_frag_entry *set, const struct ipsp_frag_key *key,
				    uint64_t now_s, uint32_t timeout_s)
{
	for (uint32_t i = 0; i < IPSP_FRAG_WAYS; i++) {
		if (is_alive(&set[i], now_s, timeout_s) && key_is(&set[i].key, key))
			return &set[i];
	}
	return NULL;
}

/* A free one, or the oldest. */
static struct ipsp_frag_entry *take(struct ipsp_frag_entry *set)
{
	struct ipsp_frag_entry *oldest = set;

	for (uint32_t i = 1; i < IPSP_FRAG_WAYS; i++) {
		if (set[i].seen_s < oldest->seen_s)
			oldest = &set[i];
	}
	return oldest;
}

bool ipsp_frag_first(struct ipsp_frag_table *t, const struct ipsp_flow *flow, enum ipsp_dir dir,
		     uint32_t ifindex, uint64_t sa_id, uint64_t now_s, uint32_t timeout_s)
{
	const struct ipsp_frag_key key = key_of(flow, dir, ifindex, sa_id);
	const uint32_t end = flow->total_len - flow->frag_at;
	struct ipsp_frag_entry *const set = set_of(t, &key);
	struct ipsp_frag_entry *e = find(set, &key, now_s, timeout_s);

	if (e) {
		if (flow->ports_known && e->proto == flow->proto && e->sport == flow->sport &&
		    e->dport == flow->dport && e->first_end == end)
			return !e->refused;
		e->refused = true;
		return false;
	}
	if (!flow->ports_known)
		return true;
	e = take(set);
	*e = (struct ipsp_frag_entry){
		.key = key, .seen_s = now_s + 1, .sport = flow->sport, .dport = flow->dport,
		.first_end = end, .have = end, .proto = flow->proto,
	};
	return true;
}

enum ipsp_frag_state ipsp_frag_follow(struct ipsp_frag_table *t, struct ipsp_flow *flow,
				      enum ipsp_dir dir, uint32_t ifindex, uint64_t sa_id,
				      uint64_t now_s, uint32_t timeout_s)
{
	const struct ipsp_frag_key key = key_of(flow, dir, ifindex, sa_id);
	struct ipsp_frag_entry *const e = find(set_of(t, &key), &key, now_s, timeout_s);

	if (!e)
		return IPSP_FRAG_UNKNOWN;
	if (flow->frag_offset < e->first_end)
		e->refused = true;
	if (e->refused)
		return IPSP_FRAG_REFUSED;
	e->have += flow->total_len - flow->frag_at;
	if (!flow->frag_more)
		e->data_len = flow->frag_offset + flow->total_len - flow->frag_at;
	if (e->data_len > 0 && e->have >= e->data_len)
		e->seen_s = 0;
	flow->proto = e->proto;
	flow->proto_known = true;
	flow->sport = e->sport;
	flow->dport = e->dport;
	flow->ports_known = true;
	return IPSP_FRAG_KNOWN;
}
