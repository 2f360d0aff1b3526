/*
 * ipspd/ike_pfkey.c - the SAD, as a client of PF_KEY. RFC 2367 3.1; Linux's SA2 and NAT-T extensions.
 *
 * Many requests are under way at a time; each has one answer, known by our process and its number. An SA that
 * the engine refuses ends its Child SA.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipspd/ike_behind.h"
#include "ipspd/ike_pfkey_int.h"
#include "ipspd/ike_pfkey_sa.h"
#include "ipspd/log.h"

#define SEQ_FIRST 0x80000000u	/* the engine numbers what it asks for from 1 */
#define MESSAGES_A_TURN 64
#define ACQUIRE_S 30u		/* till the engine asks again, or gives up by itself */

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

bool ike_pfkey_put(struct ike_pfkey *p, const uint8_t *message, size_t len)
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

uint32_t ike_pfkey_next_seq(struct ike_pfkey *p)
{
	p->last_seq = p->last_seq == UINT32_MAX ? SEQ_FIRST : p->last_seq + 1;
	return p->last_seq;
}

/* What a peer is told stands behind that by which its next packet comes in, and is answered. */
static bool has_behind(uint8_t type)
{
	return type == SADB_UPDATE || type == SADB_X_SPDUPDATE;
}

struct ike_pfkey_request *ike_pfkey_expect(struct ike_pfkey *p, uint8_t type, uint8_t protocol)
{
	struct ike_pfkey_request *const r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->type = type;
	r->protocol = protocol;
	r->seq = ike_pfkey_next_seq(p);
	TAILQ_INSERT_TAIL(&p->requests, r, entry);
	if (has_behind(type))
		ike_behind_asked(p->role->behind);
	return r;
}

void ike_pfkey_forget(struct ike_pfkey *p, struct ike_pfkey_request *r)
{
	if (has_behind(r->type))
		ike_behind_answered(p->role->behind);
	TAILQ_REMOVE(&p->requests, r, entry);
	free(r);
}

/* ---- SPIs ---- */

void ike_pfkey_get_spi(void *arg, uint64_t ticket, uint8_t protocol, const struct ike_path *path)
{
	struct ike_role *const role = arg;
	struct ike_pfkey *const p = role->pfkey;
	struct ike_pfkey_request *const r = ike_pfkey_expect(p, SADB_GETSPI, protocol);
	uint8_t message[256];
	struct pfkey_writer w;

	if (r) {
		r->ticket = ticket;
		pfkey_begin(&w, message, sizeof(message), SADB_GETSPI, ike_pfkey_satype_of(protocol), r->seq,
			    p->pid);
		ike_pfkey_put_ends(&w, &path->remote, &path->local);
		if (ike_pfkey_put(p, message, pfkey_end(&w)))
			return;
		ike_pfkey_forget(p, r);
	}
	ike_spi_done(role->world, ticket, 0, ike_now_ms());
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

static void send_plain(struct ike_pfkey *p, uint8_t type, uint8_t satype)
{
	uint8_t message[PFKEY_HEADER];
	struct pfkey_writer w;

	pfkey_begin(&w, message, sizeof(message), type, satype, ike_pfkey_next_seq(p), p->pid);
	(void)ike_pfkey_put(p, message, pfkey_end(&w));
}

/* ---- what comes ---- */

static void answer_spi(struct ike_pfkey *p, struct ike_pfkey_request *r, const struct pfkey_msg *m)
{
	const uint64_t ticket = r->ticket;
	const uint32_t spi = !m->err && m->has & PFKEY_HAS(SADB_EXT_SA) ? m->sa.spi : 0;

	if (spi == 0)
		ipspd_log(LOG_ERR, "pfkey", "the engine gives no SPI: %s", strerror(m->err));
	ike_pfkey_forget(p, r);
	ike_spi_done(p->role->world, ticket, spi, ike_now_ms());
}

static void answer_sa(struct ike_pfkey *p, struct ike_pfkey_request *r, const struct pfkey_msg *m)
{
	const struct ike_pfkey_request was = *r;

	ike_pfkey_forget(p, r);
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
	struct ike_pfkey_request *r;

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

bool ike_pfkey_is_registered(const struct ike_role *role)
{
	return role->pfkey->registered;
}

static void take_acquire(struct ike_pfkey *p, const struct pfkey_msg *m)
{
	const uint64_t needed = PFKEY_HAS(SADB_EXT_ADDRESS_DST) | PFKEY_HAS(SADB_X_EXT_SA2);
	const uint64_t now_ms = ike_now_ms();
	struct ike_pair packet;
	struct ike_pfkey_acquire *a;

	if (m->err || (m->has & needed) != needed ||
	    !ike_conns_wanted(p->role, m->sa2.reqid, &m->dst.addr,
			      ike_pfkey_packet_read(m, &packet) ? &packet : NULL, now_ms))
		return;
	a = calloc(1, sizeof(*a));
	if (!a)
		return;
	*a = (struct ike_pfkey_acquire){ .satype = m->satype, .seq = m->seq, .reqid = m->sa2.reqid,
			       .until_ms = now_ms + ACQUIRE_S * 1000 };
	LIST_INSERT_HEAD(&p->acquires, a, entry);
}

/* Entries are known by the SAs that they are for, so they are asked for behind the last one: that has no number. */
static void take_dumped(struct ike_pfkey *p, const struct pfkey_msg *m)
{
	ike_pfkey_child_dumped(p, m);
	if (m->seq == 0 || m->err)
		send_plain(p, SADB_X_SPDDUMP, SADB_SATYPE_UNSPEC);
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
		ike_pfkey_child_expired(p, &m);
		break;
	case SADB_X_NAT_T_NEW_MAPPING:
		take_mapping(p, &m);
		break;
	case SADB_DUMP:
		if (m.pid == p->pid)
			take_dumped(p, &m);
		break;
	case SADB_X_SPDDUMP:
		if (m.pid == p->pid)
			ike_pfkey_child_entry(p, &m);
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
	ike_pfkey_child_lose(p);
	while (!LIST_EMPTY(&p->acquires)) {
		struct ike_pfkey_acquire *const a = LIST_FIRST(&p->acquires);

		LIST_REMOVE(a, entry);
		free(a);
	}
}

/* The engine that had our SAs is gone: so are they. */
static void lose_engine(struct ike_pfkey *p)
{
	struct ike_role *const role = p->role;

	disconnect(p);
	forget_all(p);
	while (!TAILQ_EMPTY(&p->requests)) {
		struct ike_pfkey_request *const r = TAILQ_FIRST(&p->requests);
		const uint64_t ticket = r->type == SADB_GETSPI ? r->ticket : 0;

		ike_pfkey_forget(p, r);
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

static void tell_failed(struct ike_pfkey *p, const struct ike_pfkey_acquire *a)
{
	uint8_t message[PFKEY_HEADER];
	struct pfkey_writer w;

	pfkey_begin(&w, message, sizeof(message), SADB_ACQUIRE, a->satype, a->seq, p->pid);
	message[offsetof(struct sadb_msg, sadb_msg_errno)] = ETIMEDOUT;
	(void)ike_pfkey_put(p, message, pfkey_end(&w));
}

/* Has the reqid's connection no IKE SA any more? Then nothing comes of it. */
static void look_at_acquires(struct ike_pfkey *p, uint64_t now_ms)
{
	struct ike_pfkey_acquire *next;

	for (struct ike_pfkey_acquire *a = LIST_FIRST(&p->acquires); a; a = next) {
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

	ike_pfkey_child_tick(p, now_ms);
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
		ike_pfkey_forget(role->pfkey, TAILQ_FIRST(&role->pfkey->requests));
}

void ike_pfkey_stop(struct ike_role *role)
{
	struct ike_pfkey *const p = role->pfkey;

	if (!p)
		return;
	forget_all(p);
	ike_pfkey_child_fini(p);
	if (p->flush)
		event_free(p->flush);
	free(p);
	role->pfkey = NULL;
}
