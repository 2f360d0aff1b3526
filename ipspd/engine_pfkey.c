/*
 * ipspd/engine_pfkey.c - the sockets of the PF_KEY server (pfkey/server.h) on the event loop.
 *
 * The parent listens for us at the path that -k names: a connection is a PF_KEY socket, a datagram
 * on it a message. Messages that a slow client does not read wait (ipspd/pfkey_out.h); what comes when
 * there is no room is lost to it, as with the kernel's sockets, and it is told so by ENOBUFS. Turns
 * are short, so that packets get theirs between messages; what is said in one goes out at its end.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipspd/band_wire.h"
#include "ipspd/engine.h"
#include "ipspd/local_addrs.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "ipspd/pfkey_out.h"
#include "pfkey/server.h"

#define OUT_EASY (32u << 10)	/* octets that wait; below, a dump goes on */
#define MESSAGES_A_TURN 32u	/* read from one client */
#define DUMPED_A_TURN 64u

struct pfkey_socket {
	LIST_ENTRY(pfkey_socket) entry;
	struct engine_pfkey *all;
	struct pfkey_client *client;
	int fd;
	struct event *readable, *writable;
	struct pfkey_out out;
	bool full;			/* it takes no more until it is writable */
	bool broken;			/* to be closed at the end of its turn */
};

struct engine_pfkey {
	struct engine_role *role;
	struct pfkey_server *server;
	struct local_addrs *local;
	int fd;				/* listens */
	bool restored;			/* an agent has told what a server before us had */
	bool agent_knows;		/* the agent has been told of all policies */
	bool has_manager;		/* somebody is registered */
	struct event *acceptable;
	struct event *turn_over;
	bool turn_ends;			/* turn_over is under way */
	LIST_HEAD(, pfkey_socket) sockets;
	uint8_t messages[MESSAGES_A_TURN][PFKEY_MSG_MAX];	/* as they are read */
};

/* ---- sending ---- */

static void end_turn(struct engine_pfkey *all)
{
	if (!all->turn_ends)
		event_active(all->turn_over, EV_TIMEOUT, 0);
	all->turn_ends = true;
}

static void send_what_waits(struct pfkey_socket *s)
{
	const int err = pfkey_out_send(&s->out, s->fd);

	s->full = err == EAGAIN;
	s->broken |= err != 0 && err != EAGAIN;
	if (s->full)
		event_add(s->writable, NULL);
}

static bool on_send(void *ctx, void *socket, const void *data, size_t len)
{
	struct pfkey_socket *s = socket;

	end_turn(ctx);
	if (s->broken || pfkey_out_put(&s->out, data, len))
		return true;	/* nobody reads it any more, or it waits */
	if (!s->full)
		send_what_waits(s);
	return s->broken || pfkey_out_put(&s->out, data, len);
}

/* ---- one socket ---- */

static void close_socket(struct pfkey_socket *s)
{
	LIST_REMOVE(s, entry);
	pfkey_client_free(s->client);
	pfkey_out_fini(&s->out);
	if (s->readable)
		event_free(s->readable);
	if (s->writable)
		event_free(s->writable);
	close(s->fd);
	free(s);
}

/* A dump goes on as long as its client reads. */
static void go_on(struct pfkey_socket *s)
{
	if (s->broken || !pfkey_client_dumps(s->client))
		return;
	if (pfkey_out_waits(&s->out) < OUT_EASY)
		pfkey_client_dump(s->client, DUMPED_A_TURN, engine_now_s(), engine_wall_s());
	event_add(s->writable, NULL);
}

/* What was said goes out, and those that failed go. */
static void on_turn_over(evutil_socket_t fd, short what, void *arg)
{
	struct engine_pfkey *all = arg;
	struct pfkey_socket *next;

	(void)fd;
	(void)what;
	all->turn_ends = false;
	for (struct pfkey_socket *s = LIST_FIRST(&all->sockets); s; s = next) {
		next = LIST_NEXT(s, entry);
		if (!s->broken && !s->full && pfkey_out_waits(&s->out) > 0)
			send_what_waits(s);
		if (s->broken)
			close_socket(s);
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct pfkey_socket *s = arg;

	(void)fd;
	(void)what;
	s->full = false;
	go_on(s);
	end_turn(s->all);
}

/* @return how many came; 0: the end of it; < 0: -errno */
static int receive(struct engine_pfkey *all, int fd, struct mmsghdr headers[MESSAGES_A_TURN])
{
	struct iovec rooms[MESSAGES_A_TURN];

	memset(headers, 0, MESSAGES_A_TURN * sizeof(headers[0]));
	for (unsigned i = 0; i < MESSAGES_A_TURN; i++) {
		rooms[i] = (struct iovec){ all->messages[i], PFKEY_MSG_MAX };
		headers[i].msg_hdr.msg_iov = &rooms[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
	const int n = recvmmsg(fd, headers, MESSAGES_A_TURN, MSG_DONTWAIT | MSG_TRUNC, NULL);

	return n < 0 ? -errno : n;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct mmsghdr headers[MESSAGES_A_TURN];
	struct pfkey_socket *s = arg;
	struct engine_pfkey *all = s->all;
	const int n = receive(all, fd, headers);

	(void)what;
	if (n == -EAGAIN || n == -EINTR)
		return;
	s->broken |= n < 0;
	for (int i = 0; i < n; i++) {
		const size_t len = headers[i].msg_len;	/* also of one that was longer */

		if (len == 0)
			s->broken = true;	/* the end: no message is empty */
		if (!s->broken)
			pfkey_client_message(s->client, all->messages[i], len, engine_now_s(),
					     engine_wall_s());
		explicit_bzero(all->messages[i], len < PFKEY_MSG_MAX ? len : PFKEY_MSG_MAX);
	}
	go_on(s);
	end_turn(all);
}

static bool is_root(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == 0;
}

static bool open_socket(struct engine_pfkey *all, int fd)
{
	struct event_base *base = all->role->base;
	struct pfkey_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return false;
	s->all = all;
	s->fd = fd;
	s->client = pfkey_client_new(all->server, s, is_root(fd));
	s->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, s);
	s->writable = event_new(base, fd, EV_WRITE, on_writable, s);
	LIST_INSERT_HEAD(&all->sockets, s, entry);
	if (s->client && s->readable && s->writable && event_add(s->readable, NULL) == 0)
		return true;
	s->fd = -1;
	close_socket(s);
	return false;
}

static void on_acceptable(evutil_socket_t listener, short what, void *arg)
{
	struct engine_pfkey *all = arg;
	const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (fd < 0)
		return;
	if (!open_socket(all, fd)) {
		ipspd_log(LOG_WARNING, "pfkey", "a socket is refused: there are %zu already, or no "
			  "memory", pfkey_server_clients(all->server));
		close(fd);
	}
}

/* ---- policies, to the agent and back ---- */

static void tell_agent(const struct engine_pfkey *all, uint16_t type, const struct chan_writer *w)
{
	const int err = chan_send(all->role->agent, type, w->data, w->len, NULL, 0);

	if (err)
		ipspd_log(LOG_ERR, "pfkey", "message %u to the agent lost: error %d", type, -err);
}

static void tell_manager(const struct engine_pfkey *all)
{
	uint8_t buf[1];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u8(&w, all->has_manager);
	tell_agent(all, MSG_KEY_MANAGER, &w);
}

static void on_manager(void *ctx, bool present)
{
	struct engine_pfkey *all = ctx;
	const bool is_new = present != all->has_manager;

	all->has_manager = present;
	if (is_new && all->role->agent)
		tell_manager(all);
}

static void on_policy(void *ctx, uint32_t serial, const struct pfkey_band_policy *p, bool gone)
{
	const struct engine_pfkey *all = ctx;
	uint8_t buf[4 + BAND_POLICY_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	/* One that does not know the others yet hears of this with them. */
	if (!all->role->agent || !all->agent_knows)
		return;
	chan_put_u32(&w, serial);
	if (gone)
		chan_put_u32(&w, p->index);
	else
		band_policy_put(&w, p);
	tell_agent(all, gone ? MSG_BAND_GONE : MSG_BAND_PUT, &w);
}

static void tell_all(struct engine_pfkey *all)
{
	uint8_t buf[4];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	all->restored = true;
	all->agent_knows = true;
	chan_put_u32(&w, pfkey_server_tell_policies(all->server));
	tell_agent(all, MSG_BAND_ALL, &w);
}

static bool restore(struct engine_pfkey *all, struct chan_reader *r)
{
	struct pfkey_band_policy p;

	if (!band_policy_get(r, &p))
		return false;
	/* What is here already is newer. */
	if (!all->restored && !pfkey_server_restore(all->server, &p, engine_now_s(),
						     engine_wall_s()))
		ipspd_log(LOG_ERR, "pfkey", "policy %u is not restored", p.index);
	return true;
}

void engine_pfkey_message(struct engine_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint32_t serial = chan_get_u32(&r);
	struct engine_pfkey *all = role->pfkey;

	if (m->type == MSG_BAND_PUT ? all && !restore(all, &r) : !chan_reader_done(&r)) {
		ipspd_log(LOG_ERR, "pfkey", "malformed message %u from the agent", m->type);
		return;
	}
	if (m->type == MSG_BAND_ALL && all)
		tell_all(all);
	else if (m->type == MSG_BAND_ALL)	/* nobody serves, so there are none */
		(void)chan_send(role->agent, MSG_BAND_ALL, m->data, m->len, NULL, 0);
	else if (m->type == MSG_BAND_APPLIED && all)
		pfkey_server_applied(all->server, serial);
}

void engine_pfkey_agent_came(struct engine_role *role)
{
	if (!role->pfkey)
		return;
	role->pfkey->agent_knows = false;
	tell_manager(role->pfkey);
}

void engine_pfkey_tick(struct engine_role *role)
{
	if (role->pfkey)
		pfkey_server_tick(role->pfkey->server, engine_now_s(), engine_wall_s());
}

/* ---- the engine's news ---- */

void engine_pfkey_expired(struct engine_role *role, const struct ipsp_life_event *event)
{
	if (role->pfkey)
		pfkey_server_expired(role->pfkey->server, event, engine_now_s(), engine_wall_s());
}

void engine_pfkey_acquire(struct engine_role *role, const struct ipsp_acquire *acquire)
{
	if (role->pfkey)
		pfkey_server_acquire(role->pfkey->server, acquire);
}

void engine_pfkey_moved(struct engine_role *role, uint64_t sa_id, const struct ipsp_addr *addr,
			uint16_t port)
{
	const struct ipsp_sa *sa = ipsp_sad_find(ipsp_engine_sad(role->engine), sa_id);

	/* It may be gone by now. */
	if (role->pfkey && sa)
		pfkey_server_moved(role->pfkey->server, sa, addr, port);
}

void engine_pfkey_sa_gone(struct engine_role *role, const struct ipsp_sa *sa)
{
	if (role->pfkey)
		pfkey_server_sa_gone(role->pfkey->server, sa);
}

/* ---- life ---- */

static bool is_local(void *ctx, const struct ipsp_addr *a)
{
	const struct engine_pfkey *all = ctx;

	return local_addrs_has(all->local, a);
}

int engine_pfkey_start(struct engine_role *role, int fd)
{
	struct engine_pfkey *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	const struct pfkey_server_config config = {
		.engine = role->engine, .crypto = role->platform.crypto,
		.compress = role->platform.compress, .ctx = all,
		.send = on_send, .is_local = is_local, .policy = on_policy,
		.manager = on_manager,
	};

	all->role = role;
	all->fd = -1;
	LIST_INIT(&all->sockets);
	role->pfkey = all;
	int err = local_addrs_new(&all->local);

	if (!err) {
		all->server = pfkey_server_new(&config);
		all->turn_over = event_new(role->base, -1, 0, on_turn_over, all);
		all->acceptable = event_new(role->base, fd, EV_READ | EV_PERSIST, on_acceptable,
					    all);
		err = all->server && all->turn_over && all->acceptable &&
		      event_add(all->acceptable, NULL) == 0 ? 0 : -ENOMEM;
	}
	if (err)
		engine_pfkey_stop(role);
	else
		all->fd = fd;
	return err;
}

void engine_pfkey_stop(struct engine_role *role)
{
	struct engine_pfkey *all = role->pfkey;

	if (!all)
		return;
	role->pfkey = NULL;
	while (!LIST_EMPTY(&all->sockets))
		close_socket(LIST_FIRST(&all->sockets));
	if (all->turn_over)
		event_free(all->turn_over);
	if (all->acceptable)
		event_free(all->acceptable);
	if (all->fd >= 0)
		close(all->fd);
	pfkey_server_free(all->server);
	local_addrs_free(all->local);
	free(all);
}
