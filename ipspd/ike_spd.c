/*
 * ipspd/ike_spd.c - SPD entries of the default response (ike/answer.c), as a client of PF_KEY: one for each pair of
 * traffic selectors and direction, behind those of all rows. They are there before the SAs, and go with the last Child
 * SA that has them. Should this process end before, its successor finds them by a dump and ends them in its place; and
 * without one they end by themselves when such an SA would have.
 */
#include "config.h"

#include <linux/ipsec.h>
#include <linux/pfkeyv2.h>
#include <stdlib.h>

#include "ipspd/ike_pfkey_sa.h"
#include "ipspd/ike_spd.h"
#include "pfkey/algs.h"

#define MARGIN_S 60u	/* that an entry outlives the SAs which nobody takes away */
#define PRIORITY UINT32_MAX	/* behind those of all other key managers, too */

/** What one Child SA has of them. */
struct ike_spd_entries {
	LIST_ENTRY(ike_spd_entries) entry;
	uint8_t protocol;
	uint32_t spi_in;		/* 0: of an earlier process */
	uint32_t reqid;
	size_t n;
	struct ike_pair pairs[];
};

static struct pfkey_address side_of(const struct ike_selector *s)
{
	return (struct pfkey_address){
		.addr = s->lo, .prefix_len = (uint8_t)(8 * ipsp_addr_size(s->lo.family)),
		.proto = s->protocol ? s->protocol : IPSEC_ULPROTO_ANY,
		.port = s->port_lo == s->port_hi ? s->port_lo : IPSEC_PORT_ANY,
	};
}

/* life_s: 0: it is deleted. */
static bool say(const struct ike_spd_way *way, const struct ike_spd_entries *e, const struct ike_pair *pair, bool in,
		uint64_t life_s)
{
	const uint32_t seq = way->seq(way->arg, e->protocol, life_s ? e->spi_in : 0);
	const struct pfkey_address ours = side_of(&pair->ours), theirs = side_of(&pair->theirs);
	const struct pfkey_lifetime hard = { .add_s = life_s };
	const struct pfkey_policy policy = {
		.type = IPSEC_POLICY_IPSEC, .dir = in ? IPSEC_DIR_INBOUND : IPSEC_DIR_OUTBOUND,
		.priority = PRIORITY, .n_requests = 1,
		.requests = { {
			.proto = pfkey_proto_of(ike_pfkey_satype_of(e->protocol)), .mode = IPSEC_MODE_TRANSPORT,
			.level = IPSEC_LEVEL_UNIQUE, .reqid = e->reqid,
		} },
	};
	const uint8_t type = life_s ? SADB_X_SPDUPDATE : SADB_X_SPDDELETE;
	uint8_t message[512];
	struct pfkey_writer w;

	if (seq == 0)
		return false;
	pfkey_begin(&w, message, sizeof(message), type, SADB_SATYPE_UNSPEC, seq, way->pid);
	pfkey_put_policy(&w, &policy);
	if (life_s)
		pfkey_put_lifetime(&w, SADB_EXT_LIFETIME_HARD, &hard);
	pfkey_put_address(&w, SADB_EXT_ADDRESS_SRC, in ? &theirs : &ours);
	pfkey_put_address(&w, SADB_EXT_ADDRESS_DST, in ? &ours : &theirs);
	return way->put(way->arg, message, pfkey_end(&w));
}

static bool same_side(const struct ike_selector *a, const struct ike_selector *b)
{
	return ike_selector_within(a, b) && ike_selector_within(b, a);
}

/* Has another Child SA that entry, too? */
static bool is_shared(const struct ike_spd_list *list, const struct ike_spd_entries *but, const struct ike_pair *pair)
{
	const struct ike_spd_entries *e;

	LIST_FOREACH(e, list, entry) {
		for (size_t i = 0; e != but && i < e->n; i++) {
			if (same_side(&e->pairs[i].ours, &pair->ours) &&
			    same_side(&e->pairs[i].theirs, &pair->theirs))
				return true;
		}
	}
	return false;
}

static void end(const struct ike_spd_way *way, struct ike_spd_list *list, struct ike_spd_entries *e)
{
	for (size_t i = 0; i < e->n; i++) {
		if (is_shared(list, e, &e->pairs[i]))
			continue;
		(void)say(way, e, &e->pairs[i], false, 0);
		(void)say(way, e, &e->pairs[i], true, 0);
	}
	LIST_REMOVE(e, entry);
	free(e);
}

bool ike_spd_add(const struct ike_spd_way *way, struct ike_spd_list *list, const struct ike_child_sa *c)
{
	const struct ike_child_config *const k = c->config;
	struct ike_spd_entries *const e = calloc(1, sizeof(*e) + c->ours->n * c->theirs->n * sizeof(*e->pairs));
	bool good = e != NULL;

	if (!e)
		return false;
	e->protocol = c->protocol;
	e->spi_in = c->spi_in;
	e->reqid = k->reqid;
	LIST_INSERT_HEAD(list, e, entry);
	for (unsigned i = 0; good && i < c->ours->n * c->theirs->n; i++) {
		struct ike_pair pair = { c->ours->s[i / c->theirs->n], c->theirs->s[i % c->theirs->n] };
		struct ipsp_selector unused;

		if (!ike_selector_box(&pair.ours, &pair.theirs, &unused))
			continue;
		/* An entry has one protocol, whichever side says it. */
		pair.ours.protocol |= pair.theirs.protocol;
		pair.theirs.protocol = pair.ours.protocol;
		e->pairs[e->n++] = pair;
		good = say(way, e, &pair, true, k->life.hard_s + MARGIN_S) &&
		       say(way, e, &pair, false, k->life.hard_s + MARGIN_S);
	}
	good = good && e->n > 0;
	if (!good)
		end(way, list, e);
	return good;
}

void ike_spd_end(const struct ike_spd_way *way, struct ike_spd_list *list, uint8_t protocol, uint32_t spi_in)
{
	struct ike_spd_entries *e;

	LIST_FOREACH(e, list, entry) {
		if (spi_in && e->spi_in == spi_in && e->protocol == protocol)
			break;
	}
	if (e)
		end(way, list, e);
}

/* ---- of an earlier process ---- */

static struct ike_selector selector_of(const struct pfkey_address *a)
{
	const bool any = a->port == IPSEC_PORT_ANY;

	return (struct ike_selector){
		.protocol = a->proto == IPSEC_ULPROTO_ANY ? 0 : a->proto, .lo = a->addr, .hi = a->addr,
		.port_lo = any ? 0 : a->port, .port_hi = any ? UINT16_MAX : a->port,
	};
}

bool ike_spd_is_reqid(uint32_t reqid)
{
	return (reqid & ~(IKE_ANSWER_REQID - 1)) == IKE_ANSWER_REQID;
}

static bool is_host(const struct pfkey_address *a)
{
	return a->addr.family != 0 && a->prefix_len == 8 * ipsp_addr_size(a->addr.family);
}

/* Has it the form of those above, in all that says so? */
static bool is_of_response(const struct pfkey_msg *m)
{
	const uint64_t needed = PFKEY_HAS(SADB_EXT_ADDRESS_SRC) | PFKEY_HAS(SADB_EXT_ADDRESS_DST) |
				PFKEY_HAS(SADB_EXT_LIFETIME_HARD) | PFKEY_HAS(SADB_X_EXT_POLICY);
	const struct pfkey_policy *const p = &m->policy;

	return !m->err && (m->has & needed) == needed && is_host(&m->src) && is_host(&m->dst) &&
	       m->src.addr.family == m->dst.addr.family && m->src.proto == m->dst.proto &&
	       m->hard.add_s > MARGIN_S && p->type == IPSEC_POLICY_IPSEC && p->priority == PRIORITY &&
	       (p->dir == IPSEC_DIR_INBOUND || p->dir == IPSEC_DIR_OUTBOUND) && p->n_requests == 1 &&
	       p->requests[0].mode == IPSEC_MODE_TRANSPORT && p->requests[0].level == IPSEC_LEVEL_UNIQUE &&
	       ike_spd_is_reqid(p->requests[0].reqid);
}

bool ike_spd_adopt(struct ike_spd_list *list, const struct pfkey_msg *m, struct ipsp_addr *remote, uint32_t *reqid)
{
	const bool in = m->policy.dir == IPSEC_DIR_INBOUND;
	const struct ike_pair pair = { selector_of(in ? &m->dst : &m->src), selector_of(in ? &m->src : &m->dst) };
	struct ike_spd_entries *e;

	if (!is_of_response(m) || is_shared(list, NULL, &pair))
		return false;
	e = calloc(1, sizeof(*e) + sizeof(*e->pairs));
	if (!e)
		return false;
	e->protocol = ike_pfkey_protocol_of(pfkey_satype_of(m->policy.requests[0].proto));
	e->reqid = *reqid = m->policy.requests[0].reqid;
	e->n = 1;
	e->pairs[0] = pair;
	*remote = pair.theirs.lo;
	LIST_INSERT_HEAD(list, e, entry);
	return true;
}

void ike_spd_end_earlier(const struct ike_spd_way *way, struct ike_spd_list *list, uint32_t reqid,
			 const struct ipsp_addr *remote)
{
	struct ike_spd_entries *next;

	for (struct ike_spd_entries *e = LIST_FIRST(list); e; e = next) {
		next = LIST_NEXT(e, entry);
		if (e->spi_in == 0 && e->reqid == reqid && ipsp_addr_cmp(&e->pairs[0].theirs.lo, remote) == 0)
			end(way, list, e);
	}
}

size_t ike_spd_earlier(const struct ike_spd_list *list, uint32_t reqid, struct ipsp_addr *remotes, size_t max)
{
	const struct ike_spd_entries *e;
	size_t n = 0;

	LIST_FOREACH(e, list, entry) {
		size_t i = 0;

		if (e->spi_in != 0 || e->reqid != reqid)
			continue;
		while (i < n && ipsp_addr_cmp(&remotes[i], &e->pairs[0].theirs.lo) != 0)
			i++;
		if (i == n && n < max)
			remotes[n++] = e->pairs[0].theirs.lo;
	}
	return n;
}

void ike_spd_forget(struct ike_spd_list *list)
{
	while (!LIST_EMPTY(list)) {
		struct ike_spd_entries *const e = LIST_FIRST(list);

		LIST_REMOVE(e, entry);
		free(e);
	}
}
