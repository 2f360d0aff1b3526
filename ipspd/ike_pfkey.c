/*
 * ipspd/ike_pfkey.c - the SAD, as a client of PF_KEY. RFC 2367 3.1; Linux's SA2 and NAT-T extensions.
 *
 * Many requests are under way at a time; each has one answer, known by our process and its number. An SA that
 * the engine refuses ends its Child SA. What an earlier process of ours has made ("orphans") is found by a dump
 * and goes on until there is something in its place.
 *
 * When SAs come and go, RFC 7296 2.8: inbound before outbound; one that a peer's rekey makes is sent on when the peer
 * has deleted the old one; what another one has taken the place of can still receive for a moment, and what
 * rows asked for that are gone, for as long as the engine lets anything in by it (struct ipsp_unasked): should this
 * process end before, the engine ends such an SA by itself.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/ipsec.h>
#include <linux/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ike/algs.h"
#include "ipspd/ike.h"
#include "ipspd/ike_behind.h"
#include "ipspd/ike_pfkey_sa.h"
#include "ipspd/ike_spd.h"
#include "ipspd/log.h"
#include "ipspd/pfkey_out.h"
#include "pfkey/algs.h"

#define BUCKETS 4096u
#define SEQ_FIRST 0x80000000u	/* the engine numbers what it asks for from 1 */
#define MESSAGES_A_TURN 64
#define LINGER_MS 3000u		/* of an inbound SA that was replaced */
#define HELD_MS 10000u		/* till an outbound SA is used whatever the peer does */
#define ACQUIRE_S 30u		/* till the engine asks again, or gives up by itself */

/** A message that is to be sent later. */
struct held {
	size_t len;			/* 0: none */
	uint8_t *octets;
};

/** Both directions, as they are in the SAD. */
struct made {
	struct made *next;		/* in its bucket, by spi_in */
	LIST_ENTRY(made) same;		/* in its bucket, by reqid */
	uint8_t protocol;		/* IKE_PROTOCOL_ESP, IKE_PROTOCOL_AH */
	bool transport;
	uint16_t cpi_in, cpi_out;	/* of the IPComp SAs inside; 0: there are none */
	uint32_t spi_in, spi_out, reqid;
	struct ipsp_addr local, remote;
	bool row_gone;			/* the inbound one is left to receive what is on its way */
	/* The outbound one and the IPComp SA inside, while the one that they replace is to be sent on. */
	uint32_t replaces;
	uint64_t held_until_ms;
	struct held held[2];
};

/** A request that has no answer yet. */
struct request {
	TAILQ_ENTRY(request) entry;
	uint8_t type;			/* SADB_GETSPI, SADB_UPDATE, SADB_ADD, SADB_X_MIGRATE, SADB_X_SPDUPDATE */
	uint8_t protocol;
	uint32_t seq;
	uint64_t ticket;		/* GETSPI */
	uint32_t spi_in;		/* the others: of their Child SA */
};

/** An SA that is to go. */
struct leaving {
	TAILQ_ENTRY(leaving) entry;
	uint8_t satype;
	uint32_t spi;
	struct ipsp_addr src, dst;
	uint64_t due_ms;
};

/** An SA that an earlier process made. */
struct orphan {
	LIST_ENTRY(orphan) entry;
	uint8_t satype;
	uint32_t spi, reqid;
	struct ipsp_addr src, dst;
};

/** What the engine asked for. */
struct acquire {
	LIST_ENTRY(acquire) entry;
	uint8_t satype;
	uint32_t seq, reqid;
	uint64_t until_ms;
};

struct ike_pfkey {
	struct ike_role *role;
	int fd;				/* -1: not connected */
	struct event *readable, *writable, *flush;
	struct pfkey_out out;
	bool full;			/* it takes no more until it is writable */
	bool registered;		/* for ESP and AH */
	uint32_t last_seq;
	uint32_t pid;
	struct made *buckets[BUCKETS];
	LIST_HEAD(made_list, made) by_reqid[BUCKETS];
	TAILQ_HEAD(request_list, request) requests;
	TAILQ_HEAD(, leaving) leaving;
	LIST_HEAD(, orphan) orphans;
	LIST_HEAD(, acquire) acquires;
	struct ike_spd_list entries;	/* of the default response */
};

/* ---- sending ---- */

static void send_what_waits(struct ike_pfkey *p)
{
	const int err = p->fd >= 0 ? pfkey_out_send(&p->out, p->fd) : 0;

	/* A broken socket is found when it is read. */
	p->full = err == EAGAIN;
	if (p->full)
		event_add(p->writable, NULL);
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct ike_pfkey *const p = arg;

	(void)fd;
	(void)what;
	p->full = false;
	send_what_waits(p);
}

/* @return false: not connected, or there is no room */
static bool put(struct ike_pfkey *p, const uint8_t *message, size_t len)
{
	if (p->fd < 0 || len == 0)
		return false;
	if (!pfkey_out_put(&p->out, message, len)) {
		if (!p->full)
			send_what_waits(p);
		if (!pfkey_out_put(&p->out, message, len)) {
			ipspd_log(LOG_ERR, "pfkey", "the engine does not keep up: a request is lost");
			return false;
		}
	}
	if (!p->full)
		event_active(p->flush, EV_TIMEOUT, 0);
	return true;
}

static uint32_t next_seq(struct ike_pfkey *p)
{
	p->last_seq = p->last_seq == UINT32_MAX ? SEQ_FIRST : p->last_seq + 1;
	return p->last_seq;
}

/* NULL: no memory */
static struct request *expect(struct ike_pfkey *p, uint8_t type, uint8_t protocol)
{
	struct request *const r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->type = type;
	r->protocol = protocol;
	r->seq = next_seq(p);
	TAILQ_INSERT_TAIL(&p->requests, r, entry);
	if (type == SADB_UPDATE)
		ike_behind_asked(p->role->behind);
	return r;
}

/* It is answered, or nobody will. What waits for an inbound SA goes then. */
static void forget(struct ike_pfkey *p, struct request *r)
{
	if (r->type == SADB_UPDATE)
		ike_behind_answered(p->role->behind);
	TAILQ_REMOVE(&p->requests, r, entry);
	free(r);
}

/* ---- entries of the default response ---- */

static uint32_t entry_seq(void *arg, uint8_t protocol, uint32_t spi_in)
{
	struct request *const r = spi_in ? expect(arg, SADB_X_SPDUPDATE, protocol) : NULL;

	if (!r)
		return spi_in ? 0 : next_seq(arg);
	r->spi_in = spi_in;
	return r->seq;
}

static bool entry_put(void *arg, const uint8_t *message, size_t len)
{
	struct ike_pfkey *const p = arg;
	struct request *const r = TAILQ_LAST(&p->requests, request_list);

	if (put(p, message, len))
		return true;
	if (r && r->type == SADB_X_SPDUPDATE && r->seq == p->last_seq)
		forget(p, r);
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

/* ---- SPIs ---- */

void ike_pfkey_get_spi(void *arg, uint64_t ticket, uint8_t protocol, const struct ike_path *path)
{
	struct ike_role *const role = arg;
	struct ike_pfkey *const p = role->pfkey;
	struct request *const r = expect(p, SADB_GETSPI, protocol);
	uint8_t message[256];
	struct pfkey_writer w;

	if (r) {
		r->ticket = ticket;
		pfkey_begin(&w, message, sizeof(message), SADB_GETSPI, ike_pfkey_satype_of(protocol), r->seq,
			    p->pid);
		ike_pfkey_put_ends(&w, &path->remote, &path->local);
		if (put(p, message, pfkey_end(&w)))
			return;
		forget(p, r);
	}
	ike_spi_done(role->world, ticket, 0, ike_now_ms());
}

static void send_delete(struct ike_pfkey *p, uint8_t satype, uint32_t spi, const struct ipsp_addr *src,
			const struct ipsp_addr *dst)
{
	const struct pfkey_sa sa = { .spi = spi };
	uint8_t message[256];
	struct pfkey_writer w;

	pfkey_begin(&w, message, sizeof(message), SADB_DELETE, satype, next_seq(p), p->pid);
	pfkey_put_sa(&w, &sa);
	ike_pfkey_put_ends(&w, src, dst);
	(void)put(p, message, pfkey_end(&w));
}

/* Later; at once when there is no memory to remember it. */
static void delete_later(struct ike_pfkey *p, const struct leaving *what)
{
	struct leaving *const l = malloc(sizeof(*l));

	if (!l) {
		send_delete(p, what->satype, what->spi, &what->src, &what->dst);
		return;
	}
	*l = *what;
	TAILQ_INSERT_TAIL(&p->leaving, l, entry);
}

/* ---- those that are there ---- */

static struct made **find_made(struct ike_pfkey *p, uint8_t protocol, uint32_t spi_in)
{
	struct made **at = &p->buckets[spi_in % BUCKETS];

	while (*at && ((*at)->spi_in != spi_in || (*at)->protocol != protocol))
		at = &(*at)->next;
	return at;
}

static bool is_held(const struct made *m)
{
	return m->held[0].len > 0;
}

static void drop_held(struct made *m)
{
	for (size_t i = 0; i < 2; i++) {
		if (m->held[i].octets)
			explicit_bzero(m->held[i].octets, m->held[i].len);
		free(m->held[i].octets);
		m->held[i] = (struct held){ 0 };
	}
	m->replaces = 0;
}

static void release_held(struct ike_pfkey *p, struct made *m)
{
	for (size_t i = 0; i < 2; i++) {
		if (m->held[i].len > 0)
			(void)put(p, m->held[i].octets, m->held[i].len);
	}
	drop_held(m);
}

/* Where those of a row are, among others. */
static struct made_list *bucket_of(struct ike_pfkey *p, uint32_t reqid)
{
	return &p->by_reqid[reqid % BUCKETS];
}

/* Has another one its place? */
static bool is_replaced(struct ike_pfkey *p, const struct made *m)
{
	const struct made *o;

	LIST_FOREACH(o, bucket_of(p, m->reqid), same) {
		if (o != m && o->reqid == m->reqid && o->protocol == m->protocol &&
		    ipsp_addr_cmp(&o->remote, &m->remote) == 0)
			return true;
	}
	return false;
}

/* The peer sends on the new one now, so we may. A rekey is for the same row. */
static void release_successor(struct ike_pfkey *p, const struct made *m)
{
	struct made *o;

	LIST_FOREACH(o, bucket_of(p, m->reqid), same) {
		if (o->replaces == m->spi_in && o->protocol == m->protocol)
			release_held(p, o);
	}
}

/* One SA of a Child SA; the inbound one, which may have something under way, after a while. */
static void delete_one(struct ike_pfkey *p, const struct made *m, uint8_t protocol, bool in,
		       uint64_t wait_ms)
{
	const bool ipcomp = protocol == IKE_SAD_IPCOMP;
	const struct leaving l = {
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
	struct made **const at = find_made(p, protocol, spi_in);
	struct made *const m = *at;

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

unsigned ike_pfkey_end_orphans(struct ike_role *role, uint32_t reqid, const struct ipsp_addr *remote)
{
	struct ike_pfkey *const p = role->pfkey;
	struct orphan *next;
	unsigned n = 0;

	for (struct orphan *o = LIST_FIRST(&p->orphans); o; o = next) {
		next = LIST_NEXT(o, entry);
		if (o->reqid != reqid || (remote && ipsp_addr_cmp(&o->src, remote) != 0 &&
					  ipsp_addr_cmp(&o->dst, remote) != 0))
			continue;
		send_delete(p, o->satype, o->spi, &o->src, &o->dst);
		LIST_REMOVE(o, entry);
		free(o);
		n++;
	}
	return n;
}

void ike_pfkey_row_gone(struct ike_role *role, uint32_t reqid)
{
	struct made *m;

	LIST_FOREACH(m, bucket_of(role->pfkey, reqid), same) {
		if (m->reqid == reqid)
			m->row_gone = true;
	}
	(void)ike_pfkey_end_orphans(role, reqid, NULL);
}

/* What the end of a soft lifetime would ask for. */
void ike_pfkey_rekey(struct ike_role *role, uint32_t reqid)
{
	const struct made *m;

	LIST_FOREACH(m, bucket_of(role->pfkey, reqid), same) {
		if (m->reqid == reqid)
			ike_child_expired(role->world, m->protocol, m->spi_in, false,
					  ike_now_ms());
	}
}

/* ---- moving ---- */

static struct pfkey_request end_of(const struct made *m, uint8_t protocol, const struct ipsp_addr *src,
				   const struct ipsp_addr *dst)
{
	const bool tunnel = !m->transport && (protocol == IKE_SAD_IPCOMP || !m->cpi_in);

	return (struct pfkey_request){ .proto = pfkey_proto_of(ike_pfkey_satype_of(protocol)),
				       .mode = tunnel ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT,
				       .level = IPSEC_LEVEL_REQUIRE, .src = *src, .dst = *dst };
}

/* One SA. @return false: no memory, or nobody to say it to */
static bool move_one(struct ike_pfkey *p, const struct made *m, uint8_t protocol, bool in,
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
	struct request *const r = expect(p, SADB_X_MIGRATE, m->protocol);
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
	if (put(p, message, pfkey_end(&w)))
		return true;
	forget(p, r);
	return false;
}

void ike_pfkey_move(void *arg, uint8_t protocol, uint32_t spi_in, const struct ike_path *to, bool udp)
{
	struct ike_role *const role = arg;
	struct ike_pfkey *const p = role->pfkey;
	struct made *const m = *find_made(p, protocol, spi_in);

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

/* Its SPI is that of an SA in UDP, its destination where the peer is now. */
static void take_mapping(struct ike_pfkey *p, const struct pfkey_msg *m)
{
	const uint64_t needed = PFKEY_HAS(SADB_EXT_SA) | PFKEY_HAS(SADB_EXT_ADDRESS_DST) |
				PFKEY_HAS(SADB_X_EXT_NAT_T_DPORT);

	if ((m->has & needed) == needed)
		ike_child_came_from(p->role->world, ike_pfkey_protocol_of(m->satype), m->sa.spi, &m->dst.addr,
				    m->natt_dport);
}

/* ---- adding ---- */

/*
 * One SA, now or later. What becomes of an IPComp SA is its Child SA's fate.
 * @param held  NULL: now
 * @return false: it cannot be said, there is no memory, or nobody to say it to
 */
static bool add_one(struct ike_pfkey *p, const struct ike_child_sa *c, uint8_t type, bool ipcomp,
		    struct held *held)
{
	uint8_t message[PFKEY_MSG_MAX];
	struct request *const r = expect(p, type, c->protocol);
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
		good = len > 0 && put(p, message, len);
	}
	explicit_bzero(message, sizeof(message));
	if (!good)
		forget(p, r);
	return good;
}

/* What an earlier process made for the same has something in its place now. */
static void replace_orphans(struct ike_pfkey *p, const struct made *m)
{
	struct orphan *next;

	for (struct orphan *o = LIST_FIRST(&p->orphans); o; o = next) {
		const bool out = ipsp_addr_cmp(&o->dst, &m->remote) == 0;
		const struct leaving l = { .satype = o->satype, .spi = o->spi, .src = o->src,
					   .dst = o->dst, .due_ms = ike_now_ms() + LINGER_MS };

		next = LIST_NEXT(o, entry);
		if (o->reqid != m->reqid || (o->satype != ike_pfkey_satype_of(m->protocol) &&
					     o->satype != SADB_X_SATYPE_IPCOMP) ||
		    (!out && ipsp_addr_cmp(&o->src, &m->remote) != 0))
			continue;
		delete_later(p, &l);
		LIST_REMOVE(o, entry);
		free(o);
	}
}

/* Each before what names it, and what sends last: bundles are whole when packets find them. */
static bool add_all(struct ike_pfkey *p, const struct ike_child_sa *c, struct made *m)
{
	const bool ipcomp = c->cpi_in != 0;
	struct held *const held = c->replaces ? m->held : NULL;

	return (!ipcomp || add_one(p, c, SADB_UPDATE, true, NULL)) &&
	       add_one(p, c, SADB_UPDATE, false, NULL) && add_one(p, c, SADB_ADD, false, held) &&
	       (!ipcomp || add_one(p, c, SADB_ADD, true, held ? held + 1 : NULL));
}

enum ipsp_err ike_pfkey_add(void *arg, const struct ike_child_sa *child)
{
	struct ike_role *const role = arg;
	struct ike_pfkey *const p = role->pfkey;
	struct made *const m = calloc(1, sizeof(*m));

	if (!m)
		return IPSP_ENOMEM;
	*m = (struct made){ .protocol = child->protocol, .spi_in = child->spi_in,
			    .spi_out = child->spi_out, .cpi_in = child->cpi_in,
			    .cpi_out = child->cpi_out, .transport = child->transport, .reqid = child->config->reqid,
			    .local = child->path->local, .remote = child->path->remote,
			    .replaces = child->replaces,
			    .held_until_ms = ike_now_ms() + HELD_MS };
	const struct ike_spd_way way = way_of(p);

	if ((child->config->answers && !ike_spd_add(&way, &p->entries, child)) || !add_all(p, child, m)) {
		end_entries(p, m->protocol, m->spi_in);
		drop_held(m);
		free(m);
		return IPSP_ENOMEM;
	}
	m->next = p->buckets[m->spi_in % BUCKETS];
	p->buckets[m->spi_in % BUCKETS] = m;
	LIST_INSERT_HEAD(bucket_of(p, m->reqid), m, same);
	replace_orphans(p, m);
	ike_pfkey_sa_log(child);
	return IPSP_OK;
}

/* ---- what comes ---- */

static void answer_spi(struct ike_pfkey *p, struct request *r, const struct pfkey_msg *m)
{
	const uint64_t ticket = r->ticket;
	const uint32_t spi = !m->err && m->has & PFKEY_HAS(SADB_EXT_SA) ? m->sa.spi : 0;

	if (spi == 0)
		ipspd_log(LOG_ERR, "pfkey", "the engine gives no SPI: %s", strerror(m->err));
	forget(p, r);
	ike_spi_done(p->role->world, ticket, spi, ike_now_ms());
}

static void answer_sa(struct ike_pfkey *p, struct request *r, const struct pfkey_msg *m)
{
	const struct request was = *r;

	forget(p, r);
	if (!m->err)
		return;
	ipspd_log(LOG_ERR, "pfkey", "the engine refuses the %s of the Child SA with SPI 0x%08x: %s",
		  was.type == SADB_UPDATE ? "inbound SA" : was.type == SADB_ADD ? "outbound SA" :
		  was.type == SADB_X_SPDUPDATE ? "SPD entries" : "moved SA",
		  was.spi_in, strerror(m->err));
	ike_child_expired(p->role->world, was.protocol, was.spi_in, true, ike_now_ms());
}

static void take_answer(struct ike_pfkey *p, const struct pfkey_msg *m)
{
	struct request *r;

	TAILQ_FOREACH(r, &p->requests, entry) {
		if (r->seq == m->seq && r->type == m->type)
			break;
	}
	if (!r)
		return;
	if (r->type == SADB_GETSPI)
		answer_spi(p, r, m);
	else
		answer_sa(p, r, m);
}

static struct orphan *find_orphan(struct ike_pfkey *p, uint8_t satype, uint32_t spi,
				  const struct ipsp_addr *dst)
{
	struct orphan *o;

	LIST_FOREACH(o, &p->orphans, entry) {
		if (o->satype == satype && o->spi == spi && ipsp_addr_cmp(&o->dst, dst) == 0)
			break;
	}
	return o;
}

/* An SA that somebody else has made, for one of our rows. */
static void take_dumped(struct ike_pfkey *p, const struct pfkey_msg *m)
{
	const uint64_t needed = PFKEY_HAS(SADB_EXT_SA) | PFKEY_HAS(SADB_EXT_ADDRESS_SRC) |
				PFKEY_HAS(SADB_EXT_ADDRESS_DST) | PFKEY_HAS(SADB_X_EXT_SA2);
	struct orphan *o;

	if (m->err || (m->has & needed) != needed || m->sa2.reqid == 0 ||
	    m->sa.state == SADB_SASTATE_LARVAL ||
	    *find_made(p, ike_pfkey_protocol_of(m->satype), m->sa.spi) ||
	    find_orphan(p, m->satype, m->sa.spi, &m->dst.addr))
		return;
	o = calloc(1, sizeof(*o));
	if (!o)
		return;
	*o = (struct orphan){ .satype = m->satype, .spi = m->sa.spi, .reqid = m->sa2.reqid,
			      .src = m->src.addr, .dst = m->dst.addr };
	LIST_INSERT_HEAD(&p->orphans, o, entry);
	ike_conns_resume(p->role, o->reqid);
}

bool ike_pfkey_is_registered(const struct ike_role *role)
{
	return role->pfkey->registered;
}

bool ike_pfkey_has_orphans(const struct ike_role *role, uint32_t reqid)
{
	const struct orphan *o;

	/* IPComp alone carries nothing. */
	LIST_FOREACH(o, &role->pfkey->orphans, entry) {
		if (o->reqid == reqid && o->satype != SADB_X_SATYPE_IPCOMP)
			return true;
	}
	return false;
}

static void take_acquire(struct ike_pfkey *p, const struct pfkey_msg *m)
{
	const uint64_t needed = PFKEY_HAS(SADB_EXT_ADDRESS_DST) | PFKEY_HAS(SADB_X_EXT_SA2);
	const uint64_t now_ms = ike_now_ms();
	struct ike_pair packet;
	struct acquire *a;

	if (m->err || (m->has & needed) != needed ||
	    !ike_conns_wanted(p->role, m->sa2.reqid, &m->dst.addr,
			      ike_pfkey_packet_read(m, &packet) ? &packet : NULL, now_ms))
		return;
	a = calloc(1, sizeof(*a));
	if (!a)
		return;
	*a = (struct acquire){ .satype = m->satype, .seq = m->seq, .reqid = m->sa2.reqid,
			       .until_ms = now_ms + ACQUIRE_S * 1000 };
	LIST_INSERT_HEAD(&p->acquires, a, entry);
}

static void take_expire(struct ike_pfkey *p, const struct pfkey_msg *m)
{
	const uint64_t needed = PFKEY_HAS(SADB_EXT_SA) | PFKEY_HAS(SADB_EXT_ADDRESS_SRC) |
				PFKEY_HAS(SADB_EXT_ADDRESS_DST);
	const bool hard = m->has & PFKEY_HAS(SADB_EXT_LIFETIME_HARD);
	struct orphan *o;

	if ((m->has & needed) != needed)
		return;
	o = find_orphan(p, m->satype, m->sa.spi, &m->dst.addr);
	if (!o) {
		ike_child_expired(p->role->world, ike_pfkey_protocol_of(m->satype), m->sa.spi, hard,
				  ike_now_ms());
		return;
	}
	ike_conns_resume(p->role, o->reqid);
	if (hard) {
		LIST_REMOVE(o, entry);
		free(o);
	}
}

static void take_message(struct ike_pfkey *p, const uint8_t *data, size_t len)
{
	struct pfkey_msg m;

	if (pfkey_msg_read(data, len, &m) != 0) {
		ipspd_log(LOG_ERR, "pfkey", "a message of the engine is malformed");
		return;
	}
	switch (m.type) {
	case SADB_ACQUIRE:
		take_acquire(p, &m);
		break;
	case SADB_EXPIRE:
		take_expire(p, &m);
		break;
	case SADB_X_NAT_T_NEW_MAPPING:
		take_mapping(p, &m);
		break;
	case SADB_DUMP:
		if (m.pid == p->pid)
			take_dumped(p, &m);
		break;
	case SADB_REGISTER:
		/* That for AH is the last one. */
		p->registered |= m.pid == p->pid && !m.err && m.satype == SADB_SATYPE_AH;
		ike_conns_tell(p->role);
		break;
	default:
		if (m.pid == p->pid)
			take_answer(p, &m);
	}
}

/* ---- the socket ---- */

static void disconnect(struct ike_pfkey *p)
{
	if (p->readable)
		event_free(p->readable);
	if (p->writable)
		event_free(p->writable);
	p->readable = p->writable = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->full = p->registered = false;
	pfkey_out_fini(&p->out);
	p->out = (struct pfkey_out){ 0 };
}

static void forget_all(struct ike_pfkey *p)
{
	while (!TAILQ_EMPTY(&p->leaving)) {
		struct leaving *const l = TAILQ_FIRST(&p->leaving);

		TAILQ_REMOVE(&p->leaving, l, entry);
		free(l);
	}
	while (!LIST_EMPTY(&p->orphans)) {
		struct orphan *const o = LIST_FIRST(&p->orphans);

		LIST_REMOVE(o, entry);
		free(o);
	}
	while (!LIST_EMPTY(&p->acquires)) {
		struct acquire *const a = LIST_FIRST(&p->acquires);

		LIST_REMOVE(a, entry);
		free(a);
	}
	ike_spd_forget(&p->entries);
}

/* The engine that had our SAs is gone: so are they. */
static void lose_engine(struct ike_pfkey *p)
{
	struct ike_role *const role = p->role;

	disconnect(p);
	forget_all(p);
	while (!TAILQ_EMPTY(&p->requests)) {
		struct request *const r = TAILQ_FIRST(&p->requests);
		const uint64_t ticket = r->type == SADB_GETSPI ? r->ticket : 0;

		forget(p, r);
		if (ticket)
			ike_spi_done(role->world, ticket, 0, ike_now_ms());
	}
	ike_conns_resume_living(role);
	ike_end_all(role->world, NULL, ike_now_ms());
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t message[PFKEY_MSG_MAX];
	struct ike_pfkey *const p = arg;
	struct ike_role *const role = p->role;

	(void)what;
	for (int i = 0; i < MESSAGES_A_TURN && p->fd == fd; i++) {
		const ssize_t n = recv(fd, message, sizeof(message), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			ipspd_log(LOG_NOTICE, "pfkey", "the engine is gone, and all SAs with it");
			lose_engine(p);
			break;
		}
		take_message(p, message, (size_t)n);
		explicit_bzero(message, (size_t)n);
	}
	ike_role_rearm(role);
}

static void send_plain(struct ike_pfkey *p, uint8_t type, uint8_t satype)
{
	uint8_t message[PFKEY_HEADER];
	struct pfkey_writer w;

	pfkey_begin(&w, message, sizeof(message), type, satype, next_seq(p), p->pid);
	(void)put(p, message, pfkey_end(&w));
}

void ike_pfkey_connect(struct ike_role *role, int fd)
{
	struct ike_pfkey *const p = role->pfkey;

	if (p->fd >= 0)
		lose_engine(p);
	p->fd = fd;
	p->readable = event_new(role->base, fd, EV_READ | EV_PERSIST, on_readable, p);
	p->writable = event_new(role->base, fd, EV_WRITE, on_flush, p);
	if (!p->readable || !p->writable || event_add(p->readable, NULL) < 0) {
		ipspd_log(LOG_ERR, "pfkey", "no memory for the engine's socket");
		disconnect(p);
		return;
	}
	/* First what there is, so that nothing is asked for that is there. */
	send_plain(p, SADB_DUMP, SADB_SATYPE_UNSPEC);
	send_plain(p, SADB_REGISTER, SADB_SATYPE_ESP);
	send_plain(p, SADB_REGISTER, SADB_SATYPE_AH);
}

/* ---- time ---- */

static void tell_failed(struct ike_pfkey *p, const struct acquire *a)
{
	uint8_t message[PFKEY_HEADER];
	struct pfkey_writer w;

	pfkey_begin(&w, message, sizeof(message), SADB_ACQUIRE, a->satype, a->seq, p->pid);
	message[offsetof(struct sadb_msg, sadb_msg_errno)] = ETIMEDOUT;
	(void)put(p, message, pfkey_end(&w));
}

/* Has the reqid's connection no IKE SA any more? Then nothing comes of it. */
static void look_at_acquires(struct ike_pfkey *p, uint64_t now_ms)
{
	struct acquire *next;

	for (struct acquire *a = LIST_FIRST(&p->acquires); a; a = next) {
		const bool lives = ike_conns_living(p->role, a->reqid);

		next = LIST_NEXT(a, entry);
		if (lives && now_ms < a->until_ms)
			continue;
		if (!lives)
			tell_failed(p, a);
		LIST_REMOVE(a, entry);
		free(a);
	}
}

void ike_pfkey_tick(struct ike_role *role, uint64_t now_ms)
{
	struct ike_pfkey *const p = role->pfkey;
	struct leaving *next;

	for (struct leaving *l = TAILQ_FIRST(&p->leaving); l; l = next) {
		next = TAILQ_NEXT(l, entry);
		if (l->due_ms > now_ms)
			continue;
		send_delete(p, l->satype, l->spi, &l->src, &l->dst);
		TAILQ_REMOVE(&p->leaving, l, entry);
		free(l);
	}
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct made *m = p->buckets[i]; m; m = m->next) {
			if (is_held(m) && m->held_until_ms <= now_ms)
				release_held(p, m);
		}
	}
	look_at_acquires(p, now_ms);
}

/* ---- life ---- */

int ike_pfkey_start(struct ike_role *role)
{
	struct ike_pfkey *const p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	role->pfkey = p;
	p->role = role;
	p->fd = -1;
	p->pid = (uint32_t)getpid();
	p->last_seq = SEQ_FIRST;
	TAILQ_INIT(&p->requests);
	TAILQ_INIT(&p->leaving);
	LIST_INIT(&p->orphans);
	LIST_INIT(&p->acquires);
	LIST_INIT(&p->entries);
	p->flush = event_new(role->base, -1, 0, on_flush, p);
	return p->flush ? 0 : -ENOMEM;
}

void ike_pfkey_close(struct ike_role *role)
{
	if (!role->pfkey)
		return;
	send_what_waits(role->pfkey);
	disconnect(role->pfkey);
	while (!TAILQ_EMPTY(&role->pfkey->requests))
		forget(role->pfkey, TAILQ_FIRST(&role->pfkey->requests));
}

void ike_pfkey_stop(struct ike_role *role)
{
	struct ike_pfkey *const p = role->pfkey;

	if (!p)
		return;
	forget_all(p);
	for (size_t i = 0; i < BUCKETS; i++) {
		while (p->buckets[i]) {
			struct made *const m = p->buckets[i];

			p->buckets[i] = m->next;
			drop_held(m);
			free(m);
		}
	}
	if (p->flush)
		event_free(p->flush);
	free(p);
	role->pfkey = NULL;
}
