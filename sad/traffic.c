/*
 * sad/traffic.c - SAs of key managers, found for the packets they are for. RFC 4301 4.4.1, 5.1.
 *
 * An SA is filed by who asked for it (reqid, protocol, mode, and the peer, see below) and by those of its selectors that
 * are one value each: its shape. A packet is looked for once in each shape there is, with its own
 * values, so ten thousand SAs of one entry are no more work than one. Those that the same packets look
 * for are a chain, the newest first, which is the one that they go through while it is usable.
 *
 * Tunnels of one reqid are one entry's, which need not know their other ends (RFC 4301 4.4.3: peers whose address is not
 * known before), so their peers are looked at, but not filed by. Without a reqid anything may be of anyone.
 *
 * What may pass in clear for a time (IPSP_ORIGIN_CLEAR) is found here too, by reqid and peer alone. So are, by the
 * peer, inbound tunnels of IPComp, for what comes in them without compression, and so without a CPI: RFC 3173 2.2.
 */
#include <string.h>

#include "ipsp/spd.h"
#include "sad/sad.h"

/* Bits of a shape are those of IPSP_PFP_*. */
static unsigned shape_of(const struct ipsp_selector *s)
{
	unsigned shape = 0;

	if (s->family == 0)
		return 0;
	if (ipsp_addr_cmp(&s->src_lo, &s->src_hi) == 0)
		shape |= IPSP_PFP_SOURCE;
	if (ipsp_addr_cmp(&s->dst_lo, &s->dst_hi) == 0)
		shape |= IPSP_PFP_DESTINATION;
	if (s->proto_lo == s->proto_hi)
		shape |= IPSP_PFP_PROTOCOL;
	if (s->sport_lo == s->sport_hi)
		shape |= IPSP_PFP_SOURCE_PORT;
	if (s->dport_lo == s->dport_hi)
		shape |= IPSP_PFP_DESTINATION_PORT;
	return shape;
}

static uint64_t hash_addr(uint64_t h, const struct ipsp_addr *a)
{
	uint64_t words[2];

	memcpy(words, a->octets, sizeof(words));
	return ipsp_sa_hash(ipsp_sa_hash(h, words[0]), words[1]);
}

static uint64_t hash_asker(const struct ipsp_sad *sad, uint32_t reqid, uint8_t proto, uint8_t mode,
			   const struct ipsp_addr *remote)
{
	const uint64_t h = ipsp_sa_hash(sad->seed, (uint64_t)reqid << 32 | (uint64_t)proto << 8 | mode);

	return reqid && mode == IPSP_MODE_TUNNEL ? h : hash_addr(h, remote);
}

struct values {
	const struct ipsp_addr *src, *dst;
	uint8_t proto;
	uint32_t sport, dport;
};

static uint64_t hash_shape(uint64_t h, unsigned shape, const struct values *v)
{
	h = ipsp_sa_hash(h, shape);
	if (shape & IPSP_PFP_SOURCE)
		h = hash_addr(h, v->src);
	if (shape & IPSP_PFP_DESTINATION)
		h = hash_addr(h, v->dst);
	if (shape & IPSP_PFP_PROTOCOL)
		h = ipsp_sa_hash(h, v->proto);
	if (shape & IPSP_PFP_SOURCE_PORT)
		h = ipsp_sa_hash(h, v->sport);
	if (shape & IPSP_PFP_DESTINATION_PORT)
		h = ipsp_sa_hash(h, v->dport);
	return h;
}

static uint64_t hash_sa(const struct ipsp_sa *sa, unsigned shape)
{
	const struct values v = {
		&sa->sel.src_lo, &sa->sel.dst_lo, sa->sel.proto_lo, sa->sel.sport_lo,
		sa->sel.dport_lo,
	};

	return hash_shape(hash_asker(sa->sad, sa->reqid, sa->proto, sa->mode, &sa->remote), shape,
			  &v);
}

/* No asker has this number. */
static uint64_t hash_tunnel(const struct ipsp_sad *sad, const struct ipsp_addr *remote)
{
	return hash_addr(ipsp_sa_hash(sad->seed, UINT64_MAX), remote);
}

static uint64_t hash_of(const struct ipsp_sa *sa)
{
	return sa->dir == IPSP_INBOUND ? hash_tunnel(sa->sad, &sa->remote) :
					 hash_sa(sa, shape_of(&sa->sel));
}

/* One that names the SA around it is found by that. */
static bool is_tunnel_in(const struct ipsp_sa *sa)
{
	return sa->dir == IPSP_INBOUND && sa->proto == IPSP_PROTO_IPCOMP &&
	       sa->mode == IPSP_MODE_TUNNEL && sa->next_id == 0;
}

/* Larval SAs are inbound ones. */
static bool is_filed(const struct ipsp_sa *sa)
{
	return sa->origin != IPSP_ORIGIN_POLICY && (sa->dir == IPSP_OUTBOUND || is_tunnel_in(sa));
}

static struct ipsp_sa *older_of(const struct ipsp_sa *sa)
{
	return atomic_load_explicit(&sa->older, memory_order_acquire);
}

/* The newest SA of a key; NULL: there is none. */
static struct ipsp_sa *newest(const struct ipsp_sad *sad, uint64_t hash)
{
	struct ipsp_sa_walk w = ipsp_sa_index_walk(&sad->by_traffic, hash);

	return ipsp_sa_walk_next(&w);
}

static void put_between(struct ipsp_sad *sad, uint64_t hash, struct ipsp_sa *sa,
			struct ipsp_sa *newer, struct ipsp_sa *older)
{
	sa->newer = newer;
	atomic_store_explicit(&sa->older, older, memory_order_relaxed);
	if (older)
		older->newer = sa;
	if (newer)
		atomic_store_explicit(&newer->older, sa, memory_order_release);
	else if (older)
		ipsp_sa_index_replace(&sad->by_traffic, hash, older, sa);
	else
		ipsp_sa_index_put(&sad->by_traffic, hash, sa);
}

static void count_shape(struct ipsp_sad *sad, unsigned shape)
{
	if (sad->n_shaped[shape]++ == 0)
		atomic_fetch_or_explicit(&sad->shapes, 1u << shape, memory_order_release);
}

static void uncount_shape(struct ipsp_sad *sad, unsigned shape)
{
	if (--sad->n_shaped[shape] == 0)
		atomic_fetch_and_explicit(&sad->shapes, ~(1u << shape), memory_order_release);
}

void ipsp_sad_file_traffic(struct ipsp_sad *sad, struct ipsp_sa *sa, struct ipsp_sa *old)
{
	if (!is_filed(sa))
		return;
	const uint64_t hash = hash_of(sa);
	const bool in_its_place = old && is_filed(old) && hash_of(old) == hash;
	struct ipsp_sa *older = in_its_place ? old : newest(sad, hash);
	struct ipsp_sa *newer = in_its_place ? old->newer : NULL;

	/* Ids rise, so a new SA is the first. */
	while (older && older->id > sa->id) {
		newer = older;
		older = older_of(older);
	}
	put_between(sad, hash, sa, newer, older);
	if (sa->dir == IPSP_OUTBOUND)
		count_shape(sad, shape_of(&sa->sel));
}

/* Its own way on stays, for those who stand on it: what it leads to is freed after them. */
static void take_out(struct ipsp_sad *sad, uint64_t hash, const struct ipsp_sa *sa)
{
	struct ipsp_sa *const newer = sa->newer, *const older = older_of(sa);

	if (older)
		older->newer = newer;
	if (newer)
		atomic_store_explicit(&newer->older, older, memory_order_release);
	else if (older)
		ipsp_sa_index_replace(&sad->by_traffic, hash, sa, older);
	else
		ipsp_sa_index_remove(&sad->by_traffic, hash, sa);
}

void ipsp_sad_unfile_traffic(struct ipsp_sad *sad, const struct ipsp_sa *sa)
{
	if (!is_filed(sa))
		return;
	take_out(sad, hash_of(sa), sa);
	if (sa->dir == IPSP_OUTBOUND)
		uncount_shape(sad, shape_of(&sa->sel));
}

/* Values that the packet does not show cannot be looked for. */
static unsigned shown(const struct ipsp_flow *f)
{
	return IPSP_PFP_SOURCE | IPSP_PFP_DESTINATION | (f->proto_known ? IPSP_PFP_PROTOCOL : 0) |
	       (f->ports_known ? IPSP_PFP_SOURCE_PORT | IPSP_PFP_DESTINATION_PORT : 0);
}

static bool is_for(const struct ipsp_sa *sa, const struct ipsp_sa_query *q, uint64_t now_s)
{
	return sa->dir == IPSP_OUTBOUND && sa->reqid == q->reqid && sa->proto == q->proto &&
	       sa->mode == q->mode &&
	       (q->remote.family == 0 || ipsp_addr_cmp(&sa->remote, &q->remote) == 0) &&
	       (q->local.family == 0 || ipsp_addr_cmp(&sa->local, &q->local) == 0) &&
	       ipsp_sa_carries(sa, q->flow) &&
	       ipsp_sa_usable(sa, now_s) == IPSP_REASON_NONE;
}

const struct ipsp_sa *ipsp_sad_find_traffic(const struct ipsp_sad *sad,
					    const struct ipsp_sa_query *q, uint64_t now_s)
{
	const struct ipsp_flow *f = q->flow;
	const struct values v = { &f->src, &f->dst, f->proto, f->sport, f->dport };
	const uint64_t h = hash_asker(sad, q->reqid, q->proto, q->mode, &q->remote);
	const unsigned can = shown(f);
	const struct ipsp_sa *best = NULL;
	uint32_t shapes = atomic_load_explicit(&sad->shapes, memory_order_acquire);

	for (unsigned shape = 0; shapes != 0; shape++, shapes >>= 1) {
		const struct ipsp_sa *sa;

		if (!(shapes & 1) || (shape & ~can) || (q->pfp & ~shape))
			continue;
		/* The newest is used, the older ones are there for what is under way. */
		sa = newest(sad, hash_shape(h, shape, &v));
		while (sa && (!best || sa->id > best->id) && !is_for(sa, q, now_s))
			sa = older_of(sa);
		if (sa && (!best || sa->id > best->id))
			best = sa;
	}
	return best;
}

static bool is_tunnel_of(const struct ipsp_sa *sa, const struct ipsp_flow *outer,
			 const struct ipsp_flow *inner, uint64_t now_s)
{
	return is_tunnel_in(sa) && ipsp_addr_cmp(&sa->remote, &outer->src) == 0 &&
	       (sa->local.family == 0 || ipsp_addr_cmp(&sa->local, &outer->dst) == 0) &&
	       ipsp_sa_carries(sa, inner) && ipsp_sa_usable(sa, now_s) == IPSP_REASON_NONE;
}

const struct ipsp_sa *ipsp_sad_find_tunnel(const struct ipsp_sad *sad, uint32_t reqid,
					   const struct ipsp_flow *outer,
					   const struct ipsp_flow *inner, uint64_t now_s)
{
	const struct ipsp_sa *other = NULL;

	for (const struct ipsp_sa *sa = newest(sad, hash_tunnel(sad, &outer->src)); sa;
	     sa = older_of(sa)) {
		if (!is_tunnel_of(sa, outer, inner, now_s))
			continue;
		if (sa->reqid == reqid)
			return sa;
		if (!other)
			other = sa;
	}
	return other;
}
