/*
 * ipspd/ike_pfkey_child.c - the SAs of Child SAs, as a client of PF_KEY. What an earlier process of ours has made ("orphans")
 * goes on until there is something in its place.
 *
 * When SAs come and go, RFC 7296 2.8: inbound before outbound; one that a peer's rekey makes is sent on when the peer
 * has deleted the old one; what another one has taken the place of can still receive for a moment, and what
 * rows asked for that are gone, for as long as the engine lets anything in by it (struct ipsp_unasked): should this
 * process end before, the engine ends such an SA by itself.
 */
#include "config.h"

#include <linux/ipsec.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/ike_pfkey_int.h"
#include "ipspd/ike_pfkey_sa.h"
#include "ipspd/log.h"
#include "pfkey/algs.h"

#define LINGER_MS 3000u		/* of an inbound SA that was replaced */
#define HELD_MS 10000u		/* till an outbound SA is used whatever the peer does */

/* ---- entries of the default response ---- */

static uint32_t entry_seq(void *arg, uint8_t protocol, uint32_t spi_in)
{
	struct ike_pfkey_request *const r = spi_in ? ike_pfkey_expect(arg, SADB_X_SPDUPDATE, protocol) : NULL;

	if (!r)
		return spi_in ? 0 : ike_pfkey_next_seq(arg);
	r->spi_in = spi_in;
	return r->seq;
}

static bool entry_put(void *arg, const uint8_t *message, size_t len)
{
	struct ike_pfkey *const p = arg;
	struct ike_pfkey_request *const r = TAILQ_LAST(&p->requests, ike_pfkey_requests);

	if (ike_pfkey_put(p, message, len))
		return true;
	if (r && r->type == SADB_X_SPDUPDATE && r->seq == p->last_seq)
		ike_pfkey_forget(p, r);
	return false;
}

static struct ike_spd_way way_of(struct ike_pfkey *p)
{
	return (struct ike_spd_way){ .arg = p, .pid = p->pid, .seq = entry_seq, .put = entry_put };
}

static void end_entries(struct ike_pfkey *p, uint8_t protocol, uint32_t spi_in)
{
	const struct ike_spd_way way = way_of(p);

	ike_spd_end(&way, &p->entries, protocol, spi_in);
}

/* ---- those that go ---- */

static void send_delete(struct ike_pfkey *p, uint8_t satype, uint32_t spi, const struct ipsp_addr *src,
			const struct ipsp_addr *dst)
{
	const struct pfkey_sa sa = { .spi = spi };
	uint8_t message[256];
	struct pfkey_writer w;

	pfkey_begin(&w, message, sizeof(message), SADB_DELETE, satype, ike_pfkey_next_seq(p), p->pid);
	pfkey_put_sa(&w, &sa);
	ike_pfkey_put_ends(&w, src, dst);
	(void)ike_pfkey_put(p, message, pfkey_end(&w));
}

/* Later; at once when there is no memory to remember it. */
static void delete_later(struct ike_pfkey *p, const struct ike_pfkey_leaving *what)
{
	struct ike_pfkey_leaving *const l = malloc(sizeof(*l));

	if (!l) {
		send_delete(p, what->satype, what->spi, &what->src, &what->dst);
		return;
	}
	*l = *what;
	TAILQ_INSERT_TAIL(&p->leaving, l, entry);
}

/* ---- those that are there ---- */

static struct ike_pfkey_made **find_made(struct ike_pfkey *p, uint8_t protocol, uint32_t spi_in)
{
	struct ike_pfkey_made **at = &p->buckets[spi_in % IKE_PFKEY_BUCKETS];

	while (*at && ((*at)->spi_in != spi_in || (*at)->protocol != protocol))
		at = &(*at)->next;
	return at;
}

static bool is_held(const struct ike_pfkey_made *m)
{
	return m->held[0].len > 0;
}

static void drop_held(struct ike_pfkey_made *m)
{
	for (size_t i = 0; i < 2; i++) {
		if (m->held[i].octets)
			explicit_bzero(m->held[i].octets, m->held[i].len);
		free(m->held[i].octets);
		m->held[i] = (struct ike_pfkey_held){ 0 };
	}
	m->replaces = 0;
}

static void release_held(struct ike_pfkey *p, struct ike_pfkey_made *m)
{
	for (size_t i = 0; i < 2; i++) {
		if (m->held[i].len > 0)
			(void)ike_pfkey_put(p, m->held[i].octets, m->held[i].len);
	}
	drop_held(m);
}

/* Where those of a row are, among others. */
static struct ike_pfkey_list *bucket_of(struct ike_pfkey *p, uint32_t reqid)
{
	return &p->by_reqid[reqid % IKE_PFKEY_BUCKETS];
}

/* Has another one its place? */
static bool is_replaced(struct ike_pfkey *p, const struct ike_pfkey_made *m)
{
	const struct ike_pfkey_made *o;

	LIST_FOREACH(o, bucket_of(p, m->reqid), same) {
		if (o != m && o->reqid == m->reqid && o->protocol == m->protocol &&
		    ipsp_addr_cmp(&o->remote, &m->remote) == 0)
			return true;
	}
	return false;
}

/* The peer sends on the new one now, so we may. A rekey is for the same row. */
static void release_successor(struct ike_pfkey *p, const struct ike_pfkey_made *m)
{
	struct ike_pfkey_made *o;

	LIST_FOREACH(o, bucket_of(p, m->reqid), same) {
		if (o->replaces == m->spi_in && o->protocol == m->protocol)
			release_held(p, o);
	}
}

/* One SA of a Child SA; the inbound one, which may have something under way, after a while. */
static void delete_one(struct ike_pfkey *p, const struct ike_pfkey_made *m, uint8_t protocol, bool in,
		       uint64_t wait_ms)
{
	const bool ipcomp = protocol == IKE_SAD_IPCOMP;
	const struct ike_pfkey_leaving l = {
		.satype = ike_pfkey_satype_of(protocol),
		.spi = ipcomp ? (in ? m->cpi_in : m->cpi_out) : in ? m->spi_in : m->spi_out,
		.src = in ? m->remote : m->local, .dst = in ? m->local : m->remote,
		.due_ms = ike_now_ms() + wait_ms,
	};

	if (wait_ms > 0)
		delete_later(p, &l);
	else
		send_delete(p, l.satype, l.spi, &l.src, &l.dst);
}

void ike_pfkey_delete(void *arg, uint8_t protocol, const struct ike_path *path, uint32_t spi_in,
		      uint32_t spi_out)
{
	struct ike_role *const role = arg;
	struct ike_pfkey *const p = role->pfkey;
	struct ike_pfkey_made **const at = find_made(p, protocol, spi_in);
	struct ike_pfkey_made *const m = *at;

	if (!m || spi_out == 0) {	/* an SPI that no SA came of */
		send_delete(p, ike_pfkey_satype_of(protocol), spi_in, &path->remote, &path->local);
		return;
	}
	release_successor(p, m);
	*at = m->next;
	LIST_REMOVE(m, same);
	const uint64_t wait_ms = m->row_gone ? IPSP_UNASKED_S * UINT64_C(1000) :
				 is_replaced(p, m) ? LINGER_MS : 0;

	/* What is inside first: it names the other one. */
	if (m->cpi_in && !is_held(m))
		delete_one(p, m, IKE_SAD_IPCOMP, false, 0);
	if (!is_held(m))
		delete_one(p, m, protocol, false, 0);
	delete_one(p, m, protocol, true, wait_ms);
	if (m->cpi_in)
		delete_one(p, m, IKE_SAD_IPCOMP, true, wait_ms);
	end_entries(p, protocol, spi_in);
	drop_held(m);
	free(m);
}

/* ---- those of an earlier process ---- */

/* Where no SA of it is left its entries go. */
static void end_earlier(struct ike_pfkey *p, uint32_t reqid, const struct ipsp_addr *remote)
{
	const struct ike_spd_way way = way_of(p);

	if (ike_spd_is_reqid(reqid) && !ike_orphans_carry(&p->orphans, reqid, remote))
		ike_spd_end_earlier(&way, &p->entries, reqid, remote);
}

static void end_orphan(struct ike_pfkey *p, struct ike_orphan *o)
{
	const struct ike_orphan was = *o;

	ike_orphan_remove(o);
	end_earlier(p, was.reqid, &was.src);
	end_earlier(p, was.reqid, &was.dst);
}

unsigned ike_pfkey_end_orphans(struct ike_role *role, uint32_t reqid, const struct ipsp_addr *remote)
{
	struct ike_pfkey *const p = role->pfkey;
	struct ike_orphan *next;
	unsigned n = 0;

	for (struct ike_orphan *o = LIST_FIRST(&p->orphans); o; o = next) {
		next = LIST_NEXT(o, entry);
		if (!ike_orphan_is(o, reqid, remote))
			continue;
		send_delete(p, o->satype, o->spi, &o->src, &o->dst);
		end_orphan(p, o);
		n++;
	}
	return n;
}

/* What an earlier process made for the same has something in its place now. */
static void replace_orphans(struct ike_pfkey *p, const struct ike_pfkey_made *m)
{
	struct ike_orphan *next;

	for (struct ike_orphan *o = LIST_FIRST(&p->orphans); o; o = next) {
		const struct ike_pfkey_leaving l = { .satype = o->satype, .spi = o->spi, .src = o->src,
						     .dst = o->dst, .due_ms = ike_now_ms() + LINGER_MS };

		next = LIST_NEXT(o, entry);
		if (!ike_orphan_is(o, m->reqid, &m->remote) || (o->satype != ike_pfkey_satype_of(m->protocol) &&
								o->satype != SADB_X_SATYPE_IPCOMP))
			continue;
		delete_later(p, &l);
		end_orphan(p, o);
	}
}

bool ike_pfkey_has_orphans(const struct ike_role *role, uint32_t reqid)
{
	return ike_orphans_carry(&role->pfkey->orphans, reqid, NULL);
}

void ike_pfkey_child_dumped(struct ike_pfkey *p, const struct pfkey_msg *m)
{
	const struct ike_orphan *o;

	if (!(m->has & PFKEY_HAS(SADB_EXT_SA)) || *find_made(p, ike_pfkey_protocol_of(m->satype), m->sa.spi))
		return;
	o = ike_orphan_add(&p->orphans, m);
	if (o)
		ike_conns_resume(p->role, o->reqid);
}

void ike_pfkey_child_entry(struct ike_pfkey *p, const struct pfkey_msg *m)
{
	struct ipsp_addr remote;
	uint32_t reqid;

	if (!ike_spd_adopt(&p->entries, m, &remote, &reqid))
		return;
	end_earlier(p, reqid, &remote);
	ike_conns_resume(p->role, reqid);
}

size_t ike_pfkey_earlier(const struct ike_role *role, uint32_t reqid, struct ipsp_addr *remotes, size_t max)
{
	return ike_spd_earlier(&role->pfkey->entries, reqid, remotes, max);
}

void ike_pfkey_child_expired(struct ike_pfkey *p, const struct pfkey_msg *m)
{
	const uint64_t needed = PFKEY_HAS(SADB_EXT_SA) | PFKEY_HAS(SADB_EXT_ADDRESS_SRC) |
				PFKEY_HAS(SADB_EXT_ADDRESS_DST);
	const bool hard = m->has & PFKEY_HAS(SADB_EXT_LIFETIME_HARD);
	struct ike_orphan *o;

	if ((m->has & needed) != needed)
		return;
	o = ike_orphan_find(&p->orphans, m->satype, m->sa.spi, &m->dst.addr);
	if (!o) {
		ike_child_expired(p->role->world, ike_pfkey_protocol_of(m->satype), m->sa.spi, hard,
				  ike_now_ms());
		return;
	}
	ike_conns_resume(p->role, o->reqid);
	if (hard)
		end_orphan(p, o);
}

/* ---- rows ---- */

void ike_pfkey_row_gone(struct ike_role *role, uint32_t reqid)
{
	struct ike_pfkey_made *m;

	LIST_FOREACH(m, bucket_of(role->pfkey, reqid), same) {
		if (m->reqid == reqid)
			m->row_gone = true;
	}
	(void)ike_pfkey_end_orphans(role, reqid, NULL);
}

/* What the end of a soft lifetime would ask for. */
void ike_pfkey_rekey(struct ike_role *role, uint32_t reqid)
{
	const struct ike_pfkey_made *m;

	LIST_FOREACH(m, bucket_of(role->pfkey, reqid), same) {
		if (m->reqid == reqid)
			ike_child_expired(role->world, m->protocol, m->spi_in, false,
					  ike_now_ms());
	}
}

/* ---- moving ---- */

static struct pfkey_request end_of(const struct ike_pfkey_made *m, uint8_t protocol, const struct ipsp_addr *src,
				   const struct ipsp_addr *dst)
{
	const bool tunnel = !m->transport && (protocol == IKE_SAD_IPCOMP || !m->cpi_in);

	return (struct pfkey_request){ .proto = pfkey_proto_of(ike_pfkey_satype_of(protocol)),
				       .mode = tunnel ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT,
				       .level = IPSEC_LEVEL_REQUIRE, .src = *src, .dst = *dst };
}

/* One SA. @return false: no memory, or nobody to say it to */
static bool move_one(struct ike_pfkey *p, const struct ike_pfkey_made *m, uint8_t protocol, bool in,
		     const struct ike_path *to, bool udp)
{
	const struct ipsp_addr *const src = in ? &m->remote : &m->local;
	const struct ipsp_addr *const dst = in ? &m->local : &m->remote;
	const bool ipcomp = protocol == IKE_SAD_IPCOMP;
	const struct pfkey_sa sa = { .spi = ipcomp ? (in ? m->cpi_in : m->cpi_out) :
					    in ? m->spi_in : m->spi_out,
				     .state = SADB_SASTATE_MATURE };
	struct pfkey_policy pairs = { .type = IPSEC_POLICY_IPSEC, .n_requests = 2,
				      .dir = in ? IPSEC_DIR_INBOUND : IPSEC_DIR_OUTBOUND };
	struct ike_pfkey_request *const r = ike_pfkey_expect(p, SADB_X_MIGRATE, m->protocol);
	uint8_t message[512];
	struct pfkey_writer w;

	if (!r)
		return false;
	r->spi_in = m->spi_in;
	pairs.requests[0] = end_of(m, protocol, src, dst);
	pairs.requests[1] = end_of(m, protocol, in ? &to->remote : &to->local,
				   in ? &to->local : &to->remote);
	pfkey_begin(&w, message, sizeof(message), SADB_X_MIGRATE, ike_pfkey_satype_of(protocol), r->seq,
		    p->pid);
	pfkey_put_sa(&w, &sa);
	ike_pfkey_put_ends(&w, src, dst);
	pfkey_put_policy(&w, &pairs);
	if (udp && !ipcomp)
		ike_pfkey_put_nat(&w, to, in);
	if (ike_pfkey_put(p, message, pfkey_end(&w)))
		return true;
	ike_pfkey_forget(p, r);
	return false;
}

void ike_pfkey_move(void *arg, uint8_t protocol, uint32_t spi_in, const struct ike_path *to, bool udp)
{
	struct ike_role *const role = arg;
	struct ike_pfkey *const p = role->pfkey;
	struct ike_pfkey_made *const m = *find_made(p, protocol, spi_in);

	if (!m)
		return;
	/* What waits would be put where it is not to be. */
	release_held(p, m);
	bool good = move_one(p, m, protocol, true, to, udp) && move_one(p, m, protocol, false, to, udp);

	if (good && m->cpi_in)
		good = move_one(p, m, IKE_SAD_IPCOMP, true, to, udp) &&
		       move_one(p, m, IKE_SAD_IPCOMP, false, to, udp);
	if (!good)
		ipspd_log(LOG_ERR, "pfkey", "the Child SA with SPI 0x%08x cannot be moved: no memory",
			  spi_in);
	m->local = to->local;
	m->remote = to->remote;
}

/* ---- adding ---- */

/*
 * One SA, now or later. What becomes of an IPComp SA is its Child SA's fate.
 * @param held  NULL: now
 * @return false: it cannot be said, there is no memory, or nobody to say it to
 */
static bool add_one(struct ike_pfkey *p, const struct ike_child_sa *c, uint8_t type, bool ipcomp,
		    struct ike_pfkey_held *held)
{
	uint8_t message[PFKEY_MSG_MAX];
	struct ike_pfkey_request *const r = ike_pfkey_expect(p, type, c->protocol);
	bool good = false;
	size_t len;

	if (!r)
		return false;
	r->spi_in = c->spi_in;
	if (ipcomp)
		len = ike_pfkey_ipcomp_write(c, type, r->seq, p->pid, message, sizeof(message));
	else
		len = ike_pfkey_sa_write(c, type, r->seq, p->pid, &p->role->random, message,
					 sizeof(message));
	if (held && len > 0) {
		held->octets = malloc(len);
		good = held->octets != NULL;
		held->len = good ? len : 0;
		if (good)
			memcpy(held->octets, message, len);
	} else {
		good = len > 0 && ike_pfkey_put(p, message, len);
	}
	explicit_bzero(message, sizeof(message));
	if (!good)
		ike_pfkey_forget(p, r);
	return good;
}

/* Each before what names it, and what sends last: bundles are whole when packets find them. */
static bool add_all(struct ike_pfkey *p, const struct ike_child_sa *c, struct ike_pfkey_made *m)
{
	const bool ipcomp = c->cpi_in != 0;
	struct ike_pfkey_held *const held = c->replaces ? m->held : NULL;

	return (!ipcomp || add_one(p, c, SADB_UPDATE, true, NULL)) &&
	       add_one(p, c, SADB_UPDATE, false, NULL) && add_one(p, c, SADB_ADD, false, held) &&
	       (!ipcomp || add_one(p, c, SADB_ADD, true, held ? held + 1 : NULL));
}

enum ipsp_err ike_pfkey_add(void *arg, const struct ike_child_sa *child)
{
	struct ike_role *const role = arg;
	struct ike_pfkey *const p = role->pfkey;
	struct ike_pfkey_made *const m = calloc(1, sizeof(*m));

	if (!m)
		return IPSP_ENOMEM;
	*m = (struct ike_pfkey_made){
		.protocol = child->protocol, .spi_in = child->spi_in, .spi_out = child->spi_out,
		.cpi_in = child->cpi_in, .cpi_out = child->cpi_out, .transport = child->transport,
		.reqid = child->config->reqid, .local = child->path->local, .remote = child->path->remote,
		.replaces = child->replaces, .held_until_ms = ike_now_ms() + HELD_MS,
	};
	const struct ike_spd_way way = way_of(p);

	if ((child->config->answers && !ike_spd_add(&way, &p->entries, child)) || !add_all(p, child, m)) {
		end_entries(p, m->protocol, m->spi_in);
		drop_held(m);
		free(m);
		return IPSP_ENOMEM;
	}
	m->next = p->buckets[m->spi_in % IKE_PFKEY_BUCKETS];
	p->buckets[m->spi_in % IKE_PFKEY_BUCKETS] = m;
	LIST_INSERT_HEAD(bucket_of(p, m->reqid), m, same);
	replace_orphans(p, m);
	ike_pfkey_sa_log(child);
	return IPSP_OK;
}

/* ---- time, and the end ---- */

void ike_pfkey_child_tick(struct ike_pfkey *p, uint64_t now_ms)
{
	struct ike_pfkey_leaving *next;

	for (struct ike_pfkey_leaving *l = TAILQ_FIRST(&p->leaving); l; l = next) {
		next = TAILQ_NEXT(l, entry);
		if (l->due_ms > now_ms)
			continue;
		send_delete(p, l->satype, l->spi, &l->src, &l->dst);
		TAILQ_REMOVE(&p->leaving, l, entry);
		free(l);
	}
	for (size_t i = 0; i < IKE_PFKEY_BUCKETS; i++) {
		for (struct ike_pfkey_made *m = p->buckets[i]; m; m = m->next) {
			if (is_held(m) && m->held_until_ms <= now_ms)
				release_held(p, m);
		}
	}
}

void ike_pfkey_child_lose(struct ike_pfkey *p)
{
	while (!TAILQ_EMPTY(&p->leaving)) {
		struct ike_pfkey_leaving *const l = TAILQ_FIRST(&p->leaving);

		TAILQ_REMOVE(&p->leaving, l, entry);
		free(l);
	}
	ike_orphans_forget(&p->orphans);
	ike_spd_forget(&p->entries);
}

void ike_pfkey_child_fini(struct ike_pfkey *p)
{
	for (size_t i = 0; i < IKE_PFKEY_BUCKETS; i++) {
		while (p->buckets[i]) {
			struct ike_pfkey_made *const m = p->buckets[i];

			p->buckets[i] = m->next;
			drop_held(m);
			free(m);
		}
	}
}
