/*
 * pfkey/policies.c - the SPD's messages, as KAME defined them and Linux has them.
 *
 * A policy is in force only when who compiles has said so; until then its answer waits. What is told
 * of a policy is always all of it: addresses, lifetimes, transformations.
 */
#include <errno.h>
#include <linux/ipsec.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pfkey/algs.h"
#include "pfkey/policies.h"

#define ANSWER_WAITS_S 10u	/* for the policy to come into force */
#define REQID_FIRST (IPSEC_MANUAL_REQID_MAX + 1u)	/* of those that we choose */

/* ---- two orders: by index, and by direction and selector ---- */

static int index_cmp(const struct pfkey_held *p, uint32_t index)
{
	return p->policy.index < index ? -1 : p->policy.index > index;
}

static int number_cmp(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int key_cmp(const struct pfkey_held *p, uint8_t dir, const struct ipsp_selector *s)
{
	const struct ipsp_selector *q = &p->policy.selector;
	int c = number_cmp(p->policy.dir, dir);

	c = c ? c : number_cmp(q->family, s->family);
	c = c ? c : ipsp_addr_cmp(&q->src_lo, &s->src_lo);
	c = c ? c : ipsp_addr_cmp(&q->src_hi, &s->src_hi);
	c = c ? c : ipsp_addr_cmp(&q->dst_lo, &s->dst_lo);
	c = c ? c : ipsp_addr_cmp(&q->dst_hi, &s->dst_hi);
	c = c ? c : number_cmp(q->proto_lo, s->proto_lo);
	c = c ? c : number_cmp(q->proto_hi, s->proto_hi);
	c = c ? c : number_cmp(q->sport_lo, s->sport_lo);
	c = c ? c : number_cmp(q->sport_hi, s->sport_hi);
	c = c ? c : number_cmp(q->dport_lo, s->dport_lo);
	return c ? c : number_cmp(q->dport_hi, s->dport_hi);
}

/* The first that is not before it. */
static size_t index_place(const struct pfkey_policies *all, uint32_t index)
{
	size_t lo = 0, hi = all->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (index_cmp(all->by_index[mid], index) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static size_t key_place(const struct pfkey_policies *all, uint8_t dir,
			const struct ipsp_selector *s)
{
	size_t lo = 0, hi = all->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (key_cmp(all->by_key[mid], dir, s) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct pfkey_held *pfkey_policy_at(const struct pfkey_policies *all, uint32_t index)
{
	const size_t at = index_place(all, index);

	return at < all->n && index_cmp(all->by_index[at], index) == 0 ? all->by_index[at] : NULL;
}

struct pfkey_held *pfkey_policy_of(const struct pfkey_policies *all, uint8_t dir,
				   const struct ipsp_selector *s)
{
	const size_t at = key_place(all, dir, s);

	return at < all->n && key_cmp(all->by_key[at], dir, s) == 0 ? all->by_key[at] : NULL;
}

static bool make_room(struct pfkey_policies *all)
{
	const size_t room = all->room ? all->room * 2 : 64;

	if (all->n < all->room)
		return true;
	struct pfkey_held **by_index = realloc(all->by_index, room * sizeof(*by_index));

	if (by_index)
		all->by_index = by_index;
	struct pfkey_held **by_key = realloc(all->by_key, room * sizeof(*by_key));

	if (by_key)
		all->by_key = by_key;
	if (by_index && by_key)
		all->room = room;
	return by_index && by_key;
}

static void insert(struct pfkey_held **list, size_t n, size_t at, struct pfkey_held *p)
{
	memmove(&list[at + 1], &list[at], (n - at) * sizeof(list[0]));
	list[at] = p;
}

static void take_out(struct pfkey_held **list, size_t n, size_t at)
{
	memmove(&list[at], &list[at + 1], (n - at - 1) * sizeof(list[0]));
}

/* NULL: no memory */
static struct pfkey_held *hold(struct pfkey_policies *all, const struct pfkey_band_policy *p)
{
	struct pfkey_held *held = make_room(all) ? calloc(1, sizeof(*held)) : NULL;

	if (!held)
		return NULL;
	held->policy = *p;
	insert(all->by_index, all->n, index_place(all, p->index), held);
	insert(all->by_key, all->n, key_place(all, p->dir, &p->selector), held);
	all->n++;
	return held;
}

static void let_go(struct pfkey_policies *all, struct pfkey_held *p)
{
	take_out(all->by_index, all->n, index_place(all, p->policy.index));
	take_out(all->by_key, all->n, key_place(all, p->policy.dir, &p->policy.selector));
	all->n--;
	free(p);
}

struct pfkey_policies *pfkey_policies_new(void)
{
	struct pfkey_policies *all = calloc(1, sizeof(*all));

	if (all)
		STAILQ_INIT(&all->waiting);
	return all;
}

static void drop_first_answer(struct pfkey_policies *all)
{
	struct pfkey_answer *a = STAILQ_FIRST(&all->waiting);

	STAILQ_REMOVE_HEAD(&all->waiting, entry);
	free(a);
}

void pfkey_policies_free(struct pfkey_policies *all)
{
	if (!all)
		return;
	while (!STAILQ_EMPTY(&all->waiting))
		drop_first_answer(all);
	for (size_t i = 0; i < all->n; i++)
		free(all->by_index[i]);
	free(all->by_index);
	free(all->by_key);
	free(all);
}

void pfkey_policies_forget_client(struct pfkey_server *s, const struct pfkey_client *c)
{
	struct pfkey_answer *a;

	STAILQ_FOREACH(a, &s->policies->waiting, entry) {
		if (a->client == c)
			a->client = NULL;
	}
}

/* ---- answers that wait ---- */

/* Made before anything changes. NULL: no memory */
static struct pfkey_answer *new_answer(struct pfkey_client *c, const void *data, size_t len)
{
	struct pfkey_answer *a = len ? malloc(sizeof(*a) + len) : NULL;

	if (!a)
		return NULL;
	*a = (struct pfkey_answer){ .client = c, .len = len,
				    .until_s = c->server->now_s + ANSWER_WAITS_S };
	memcpy(a->message, data, len);
	return a;
}

static void answer_when(struct pfkey_policies *all, struct pfkey_answer *a, uint32_t serial)
{
	a->serial = serial;
	STAILQ_INSERT_TAIL(&all->waiting, a, entry);
}

void pfkey_server_applied(struct pfkey_server *s, uint32_t serial)
{
	struct pfkey_policies *all = s->policies;
	struct pfkey_answer *a;

	while ((a = STAILQ_FIRST(&all->waiting)) && (int32_t)(serial - a->serial) >= 0) {
		pfkey_tell(s, PFKEY_TO_ALL, a->client, SADB_SATYPE_UNSPEC, a->message, a->len);
		drop_first_answer(all);
	}
}

/* The system that compiles is away, or refuses: the change stands, but is not in force yet. */
static void give_up_waiting(struct pfkey_server *s)
{
	struct pfkey_policies *all = s->policies;
	struct pfkey_answer *a;

	while ((a = STAILQ_FIRST(&all->waiting)) && a->until_s <= s->now_s) {
		uint8_t refusal[PFKEY_HEADER];

		pfkey_error_answer(a->message, a->len, ETIMEDOUT, refusal);
		if (a->client)
			pfkey_tell(s, PFKEY_TO_ONE, a->client, SADB_SATYPE_UNSPEC, refusal,
				   sizeof(refusal));
		drop_first_answer(all);
	}
}

/* ---- policies to messages ---- */

static unsigned prefix_len_of(const struct ipsp_addr *lo, const struct ipsp_addr *hi)
{
	const unsigned bits = (unsigned)ipsp_addr_size(lo->family) * 8;
	unsigned n = 0;

	while (n < bits && !((lo->octets[n / 8] ^ hi->octets[n / 8]) & 0x80 >> n % 8))
		n++;
	return n;
}

static void side_of(const struct ipsp_selector *s, const struct ipsp_addr *lo,
		    const struct ipsp_addr *hi, uint32_t port_lo, uint32_t port_hi,
		    struct pfkey_address *out)
{
	*out = (struct pfkey_address){
		.addr = *lo, .prefix_len = (uint8_t)prefix_len_of(lo, hi),
		.proto = s->proto_lo == s->proto_hi ? s->proto_lo : IPSEC_ULPROTO_ANY,
		.port = port_lo == port_hi ? (uint16_t)port_lo : IPSEC_PORT_ANY,
	};
}

/* Type and code of a message, where the ports are. */
static void message_sides(const struct ipsp_selector *s, struct pfkey_address *src,
			  struct pfkey_address *dst)
{
	if (s->sport_lo < IPSP_PORT_MESSAGE)
		return;
	src->port = (uint16_t)((s->sport_lo - IPSP_PORT_MESSAGE) >> 8);
	dst->port = s->sport_lo == s->sport_hi ? s->sport_lo & 0xff : IPSEC_PORT_ANY;
}

static void request_of(const struct pfkey_band_template *t, struct pfkey_request *out)
{
	*out = (struct pfkey_request){
		.proto = t->proto, .mode = t->tunnel ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT,
		.level = t->optional ? IPSEC_LEVEL_USE :
			 t->reqid ? IPSEC_LEVEL_UNIQUE : IPSEC_LEVEL_REQUIRE,
		.reqid = t->reqid, .src = t->src, .dst = t->dst,
	};
}

void pfkey_policy_describe(const struct pfkey_held *p, struct pfkey_msg *out)
{
	static const uint16_t types[] = {
		[PFKEY_BAND_DISCARD] = IPSEC_POLICY_DISCARD,
		[PFKEY_BAND_BYPASS] = IPSEC_POLICY_NONE,
		[PFKEY_BAND_PROTECT] = IPSEC_POLICY_IPSEC,
	};
	const struct ipsp_selector *s = &p->policy.selector;

	*out = (struct pfkey_msg){
		.has = PFKEY_HAS(SADB_EXT_ADDRESS_SRC) | PFKEY_HAS(SADB_EXT_ADDRESS_DST) |
		       PFKEY_HAS(SADB_EXT_LIFETIME_CURRENT) | PFKEY_HAS(SADB_EXT_LIFETIME_HARD) |
		       PFKEY_HAS(SADB_X_EXT_POLICY),
		.current = { .allocations = (uint32_t)p->packets, .bytes = p->bytes,
			     .add_s = p->made_wall_s, .use_s = p->used_wall_s },
		.hard = { .add_s = p->policy.life_s, .use_s = p->policy.life_use_s },
		.policy = { .type = types[p->policy.action], .dir = p->policy.dir,
			    .id = p->policy.index, .priority = p->policy.priority,
			    .n_requests = p->policy.n_templates },
	};
	side_of(s, &s->src_lo, &s->src_hi, s->sport_lo, s->sport_hi, &out->src);
	side_of(s, &s->dst_lo, &s->dst_hi, s->dport_lo, s->dport_hi, &out->dst);
	message_sides(s, &out->src, &out->dst);
	for (unsigned i = 0; i < p->policy.n_templates; i++)
		request_of(&p->policy.templates[i], &out->policy.requests[i]);
}

static size_t write_policy(const struct pfkey_held *p, uint8_t type, uint32_t seq, uint32_t pid,
			   uint8_t *out, size_t size)
{
	struct pfkey_writer w;
	struct pfkey_msg m;

	pfkey_policy_describe(p, &m);
	pfkey_begin(&w, out, size, type, SADB_SATYPE_UNSPEC, seq, pid);
	pfkey_put_some(&w, &m, m.has);
	return pfkey_end(&w);
}

/* What is told of a change: of the policy, or of the flow as it was asked for. */
static size_t write_answer(const struct pfkey_held *p, const struct pfkey_msg *m, uint8_t *out,
			   size_t size)
{
	struct pfkey_writer w;

	if (!m->freeswan)
		return write_policy(p, m->type, m->seq, m->pid, out, size);
	pfkey_begin(&w, out, size, m->type, m->satype, m->seq, m->pid);
	pfkey_put_some(&w, m, m->has);
	return pfkey_end(&w);
}

uint32_t pfkey_policies_next(struct pfkey_server *s, uint32_t after, uint8_t type, uint32_t seq,
			     uint32_t pid, uint8_t *out, size_t size, size_t *len)
{
	const struct pfkey_policies *all = s->policies;
	const size_t at = after ? index_place(all, after + 1) : 0;

	if (at >= all->n)
		return 0;
	*len = write_policy(all->by_index[at], type, seq, pid, out, size);
	return all->by_index[at]->policy.index;
}

/* ---- messages to policies ---- */

static bool has_messages(uint8_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6 || proto == IPPROTO_MH;
}

/* As Linux has it: the type stands in the source's port, the code in the destination's; 0: any. */
static bool message_of(uint16_t type, uint16_t code, struct ipsp_selector *out)
{
	if (type > 255 || code > 255 || (type == IPSEC_PORT_ANY && code != IPSEC_PORT_ANY))
		return false;
	if (type == IPSEC_PORT_ANY)
		return true;
	out->sport_lo = IPSP_PORT_MESSAGE + type * 256u + code;
	out->sport_hi = code == IPSEC_PORT_ANY ? out->sport_lo + 255 : out->sport_lo;
	return true;
}

bool pfkey_selector_of(const struct pfkey_address *src, const struct pfkey_address *dst,
		       uint8_t proto, struct ipsp_selector *out)
{
	ipsp_selector_any(src->addr.family, out);
	if (ipsp_addr_prefix(&src->addr, src->prefix_len, &out->src_lo, &out->src_hi) ||
	    ipsp_addr_prefix(&dst->addr, dst->prefix_len, &out->dst_lo, &out->dst_hi))
		return false;
	if (proto != 0 && proto != IPSEC_ULPROTO_ANY)
		out->proto_lo = out->proto_hi = proto;
	if (has_messages(proto))
		return message_of(src->port, dst->port, out);
	if (src->port != IPSEC_PORT_ANY)
		out->sport_lo = out->sport_hi = src->port;
	if (dst->port != IPSEC_PORT_ANY)
		out->dport_lo = out->dport_hi = dst->port;
	return true;
}

static uint32_t new_reqid(struct pfkey_policies *all)
{
	all->reqid = all->reqid < REQID_FIRST || all->reqid == UINT32_MAX ? REQID_FIRST :
									    all->reqid + 1;
	return all->reqid;
}

static bool template_of(struct pfkey_policies *all, const struct pfkey_request *r,
			struct pfkey_band_template *out)
{
	*out = (struct pfkey_band_template){
		.proto = r->proto, .tunnel = r->mode == IPSEC_MODE_TUNNEL,
		.optional = r->level == IPSEC_LEVEL_USE, .reqid = r->reqid,
		.src = r->src, .dst = r->dst,
	};
	if (r->level == IPSEC_LEVEL_UNIQUE && r->reqid == 0)
		out->reqid = new_reqid(all);
	if (pfkey_satype_of(r->proto) == SADB_SATYPE_UNSPEC)
		return false;
	return !out->tunnel || (r->src.family && r->dst.family);
}

/* All but index and order. @return errno */
static int policy_of(struct pfkey_policies *all, const struct pfkey_msg *m,
		     struct pfkey_band_policy *out)
{
	*out = (struct pfkey_band_policy){ .dir = m->policy.dir, .priority = m->policy.priority };
	if (m->policy.dir < IPSEC_DIR_INBOUND || m->policy.dir > IPSEC_DIR_FWD ||
	    !pfkey_selector_of(&m->src, &m->dst, m->src.proto, &out->selector))
		return EINVAL;
	if (m->has & PFKEY_HAS(SADB_EXT_LIFETIME_HARD)) {
		out->life_s = m->hard.add_s;
		out->life_use_s = m->hard.use_s;
	}
	switch (m->policy.type) {
	case IPSEC_POLICY_DISCARD:
		return m->policy.n_requests ? EINVAL : 0;
	case IPSEC_POLICY_NONE:
	case IPSEC_POLICY_BYPASS:
		out->action = PFKEY_BAND_BYPASS;
		return m->policy.n_requests ? EINVAL : 0;
	case IPSEC_POLICY_IPSEC:
		out->action = PFKEY_BAND_PROTECT;
		break;
	default:	/* ENTRUST is for sockets */
		return EINVAL;
	}
	if (m->policy.n_requests == 0 || m->policy.n_requests > PFKEY_TEMPLATES_MAX)
		return EINVAL;
	out->n_templates = (uint8_t)m->policy.n_requests;
	for (unsigned i = 0; i < m->policy.n_requests; i++) {
		if (!template_of(all, &m->policy.requests[i], &out->templates[i]))
			return EINVAL;
	}
	return 0;
}

/* Unique, and never one that was given before, as far as 29 bits go. */
static uint32_t new_index(struct pfkey_policies *all, uint8_t dir)
{
	uint32_t index;

	do {
		all->number = all->number >= UINT32_MAX >> 3 ? 1 : all->number + 1;
		index = all->number << 3 | dir;
	} while (pfkey_policy_at(all, index));
	return index;
}

/* ---- changes ---- */

static uint32_t tell(struct pfkey_server *s, const struct pfkey_held *p, bool gone)
{
	s->config.policy(s->config.ctx, ++s->policies->serial, &p->policy, gone);
	return s->policies->serial;
}

int pfkey_policy_put(struct pfkey_client *c, const struct pfkey_msg *m,
		     struct pfkey_band_policy *p, bool may_replace)
{
	struct pfkey_server *s = c->server;
	struct pfkey_policies *all = s->policies;
	struct pfkey_held *held = pfkey_policy_of(all, p->dir, &p->selector);
	struct pfkey_held next = { .made_s = s->now_s, .made_wall_s = s->wall_s };
	uint8_t answer[PFKEY_MSG_MAX];

	if (held && !may_replace)
		return EEXIST;
	if (!held && all->n >= PFKEY_POLICIES_MAX)
		return ENOBUFS;
	p->index = held ? held->policy.index : new_index(all, p->dir);
	p->order = held ? held->policy.order : ++all->order;
	next.policy = *p;
	if (held) {
		next.packets = held->packets;
		next.bytes = held->bytes;
	}
	const size_t len = write_answer(&next, m, answer, sizeof(answer));
	struct pfkey_answer *a = new_answer(c, answer, len);

	if (a && !held)
		held = hold(all, p);
	if (!a || !held) {
		free(a);
		return ENOMEM;
	}
	*held = next;
	answer_when(all, a, tell(s, held, false));
	return 0;
}

int pfkey_policy_remove(struct pfkey_client *c, const struct pfkey_msg *m, struct pfkey_held *p)
{
	struct pfkey_server *s = c->server;
	uint8_t answer[PFKEY_MSG_MAX];
	const size_t len = write_answer(p, m, answer, sizeof(answer));
	struct pfkey_answer *a = new_answer(c, answer, len);

	if (!a)
		return ENOMEM;
	answer_when(s->policies, a, tell(s, p, true));
	let_go(s->policies, p);
	return 0;
}

int pfkey_spd_add(struct pfkey_client *c, const struct pfkey_msg *m)
{
	struct pfkey_band_policy p;
	const int err = policy_of(c->server->policies, m, &p);

	return err ? err : pfkey_policy_put(c, m, &p, m->type == SADB_X_SPDUPDATE);
}

int pfkey_spd_delete(struct pfkey_client *c, const struct pfkey_msg *m)
{
	struct ipsp_selector s;

	if (!pfkey_selector_of(&m->src, &m->dst, m->src.proto, &s))
		return EINVAL;
	struct pfkey_held *p = pfkey_policy_of(c->server->policies, m->policy.dir, &s);

	return p ? pfkey_policy_remove(c, m, p) : ENOENT;
}

int pfkey_spd_by_index(struct pfkey_client *c, const struct pfkey_msg *m)
{
	struct pfkey_held *p = pfkey_policy_at(c->server->policies, m->policy.id);
	uint8_t answer[PFKEY_MSG_MAX];

	if (!p)
		return ENOENT;
	pfkey_policies_look(c->server);
	if (m->type == SADB_X_SPDDELETE2)
		return pfkey_policy_remove(c, m, p);
	const size_t len = write_policy(p, m->type, m->seq, m->pid, answer, sizeof(answer));

	pfkey_tell(c->server, PFKEY_TO_ONE, c, m->satype, answer, len);
	return 0;
}

int pfkey_spd_flush(struct pfkey_client *c, const struct pfkey_msg *m)
{
	struct pfkey_server *s = c->server;
	struct pfkey_policies *all = s->policies;
	uint8_t answer[PFKEY_HEADER];
	struct pfkey_answer *a;
	struct pfkey_writer w;

	/* Nothing goes, and nothing that went before is on its way. */
	if (all->n == 0 && STAILQ_EMPTY(&all->waiting)) {
		pfkey_answer(c, PFKEY_TO_ALL, m, 0);
		return 0;
	}
	pfkey_begin(&w, answer, sizeof(answer), m->type, m->satype, m->seq, m->pid);
	a = new_answer(c, answer, pfkey_end(&w));
	if (!a)
		return ENOMEM;
	while (all->n > 0) {
		tell(s, all->by_index[all->n - 1], true);
		let_go(all, all->by_index[all->n - 1]);
	}
	answer_when(all, a, all->serial);
	return 0;
}

/* Whoever registered for anything may know what is to be done. */
int pfkey_spd_acquire(struct pfkey_client *c, const struct pfkey_msg *m)
{
	pfkey_answer(c, PFKEY_TO_REGISTERED, m, ~UINT64_C(0));
	return 0;
}

/* ---- use ---- */

static void add_hits(void *arg, const struct ipsp_spd_hits *hits)
{
	const uint32_t index = pfkey_entry_index(hits->id);
	struct pfkey_held *p = index ? pfkey_policy_at(arg, index) : NULL;

	if (!p)
		return;
	p->packets_now += atomic_load_explicit(&hits->packets, memory_order_relaxed);
	p->bytes_now += atomic_load_explicit(&hits->bytes, memory_order_relaxed);
}

/* Lists that are gone take their counts with them: what was counted stays counted. */
void pfkey_policies_look(struct pfkey_server *s)
{
	struct pfkey_policies *all = s->policies;

	for (size_t i = 0; i < all->n; i++)
		all->by_index[i]->packets_now = all->by_index[i]->bytes_now = 0;
	ipsp_spd_hits_each(ipsp_engine_spd_db(s->config.engine), add_hits, all);
	for (size_t i = 0; i < all->n; i++) {
		struct pfkey_held *p = all->by_index[i];

		if (p->packets_now > p->packets) {
			p->used_s = s->now_s;
			p->used_wall_s = s->wall_s;
			p->packets = p->packets_now;
		}
		if (p->bytes_now > p->bytes)
			p->bytes = p->bytes_now;
	}
}

/* Use counts from the last packet on, as KAME and Linux have it of policies. */
static bool is_over(const struct pfkey_held *p, uint64_t now_s)
{
	const uint64_t used_s = p->used_s ? p->used_s : p->made_s;

	return (p->policy.life_s && now_s - p->made_s >= p->policy.life_s) ||
	       (p->policy.life_use_s && now_s - used_s >= p->policy.life_use_s);
}

/* ---- time, and other servers ---- */

static void expire(struct pfkey_server *s, struct pfkey_held *p)
{
	uint8_t message[PFKEY_MSG_MAX];
	const size_t len = write_policy(p, SADB_X_SPDEXPIRE, 0, 0, message, sizeof(message));

	tell(s, p, true);
	let_go(s->policies, p);
	pfkey_tell(s, PFKEY_TO_ALL, NULL, SADB_SATYPE_UNSPEC, message, len);
}

void pfkey_server_tick(struct pfkey_server *s, uint64_t now_s, uint64_t wall_s)
{
	struct pfkey_policies *all = s->policies;
	bool any = false;

	s->now_s = now_s;
	s->wall_s = wall_s;
	for (size_t i = 0; i < all->n; i++)
		any |= all->by_index[i]->policy.life_use_s != 0;
	if (any)
		pfkey_policies_look(s);
	for (size_t i = all->n; i > 0; i--) {
		struct pfkey_held *p = all->by_index[i - 1];

		if (is_over(p, now_s))
			expire(s, p);
	}
	give_up_waiting(s);
}

bool pfkey_server_restore(struct pfkey_server *s, const struct pfkey_band_policy *p,
			  uint64_t now_s, uint64_t wall_s)
{
	struct pfkey_policies *all = s->policies;

	if (all->n >= PFKEY_POLICIES_MAX || p->index == 0 || pfkey_policy_at(all, p->index) ||
	    pfkey_policy_of(all, p->dir, &p->selector))
		return false;
	struct pfkey_held *held = hold(all, p);

	if (!held)
		return false;
	held->made_s = now_s;
	held->made_wall_s = wall_s;
	if (p->index >> 3 > all->number)
		all->number = p->index >> 3;
	if (p->order > all->order)
		all->order = p->order;
	return true;
}

uint32_t pfkey_server_tell_policies(struct pfkey_server *s)
{
	struct pfkey_policies *all = s->policies;

	++all->serial;
	for (size_t i = 0; i < all->n; i++)
		s->config.policy(s->config.ctx, all->serial, &all->by_index[i]->policy, false);
	return all->serial;
}
