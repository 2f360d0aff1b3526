/*
 * ipspd/ike_main.c - the ike process: its channels, its start, its time, its end.
 *
 * Begins without privilege and inside its sandbox; its sockets, those of IKE and that of PF_KEY, come from the
 * parent, its connections from the agent. Told to stop it takes leave of its peers; when the parent is gone it says
 * nothing. Of one that was killed SAs go on in the engine, and who comes after it takes them over. While the agent is
 * away all goes on as it is.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <gnutls/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/crypto/gcrypt.h"
#include "ike/timer.h"
#include "ipspd/ike.h"
#include "ipspd/ike_wire.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "ipspd/roles.h"

#define SECMEM_OCTETS (16u << 20)	/* of keys; more is taken when there are very many */

uint64_t ike_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void stop(struct ike_role *role, int status)
{
	role->status = status;
	event_base_loopbreak(role->base);
}

/* ---- what the world asks for ---- */

static void on_random(void *arg, uint8_t *out, size_t n)
{
	struct ike_role *const role = arg;

	/* Nothing can go on without. */
	if (engine_random_take(&role->random, out, n) != IPSP_OK)
		abort();
}

static void on_log(void *arg, enum ike_level level, const char *who, const char *text)
{
	static const int priorities[] = {
		[IKE_LOG_ERROR] = LOG_ERR, [IKE_LOG_WARNING] = LOG_WARNING, [IKE_LOG_NOTICE] = LOG_NOTICE,
		[IKE_LOG_INFO] = LOG_INFO, [IKE_LOG_DEBUG] = LOG_DEBUG,
	};

	(void)arg;
	ipspd_log(priorities[level], "ike", "%s%s%s", who, who[0] ? ": " : "", text);
}

static int64_t on_wall_s(void *arg)
{
	(void)arg;
	return (int64_t)time(NULL);
}

/* Strangers can make these: an agent that has many to read yet gets no more of them. */
#define EVENTS_QUEUED_MAX (256u << 10)	/* octets on their way */

static void on_event(void *arg, const struct ike_event *e)
{
	static uint8_t buf[CHAN_PAYLOAD_MAX];
	struct ike_role *const role = arg;
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	struct ike_wire_event wire = {
		.kind = (uint8_t)e->kind, .end = (uint8_t)e->end, .initiator = e->initiator,
		.path = *e->path,
	};

	if (e->kind == IKE_EVENT_AUTH_FAILED && e->initiator && e->conn)
		ike_conns_disbelieved(role, e->conn, &e->path->remote);
	if (!role->agent || chan_queued(role->agent) > EVENTS_QUEUED_MAX)
		return;
	memcpy(wire.spi_i, e->spi_i, IKE_SPI_LEN);
	memcpy(wire.spi_r, e->spi_r, IKE_SPI_LEN);
	if (e->conn) {
		memcpy(wire.ipsec, e->conn->ipsec, sizeof(wire.ipsec));
		memcpy(wire.ike, e->conn->ike, sizeof(wire.ike));
	}
	if (e->remote)
		wire.remote = *e->remote;
	snprintf(wire.text, sizeof(wire.text), "%s", e->text);
	ike_wire_event_put(&w, &wire);
	(void)chan_send(role->agent, MSG_IKE_EVENT, buf, w.len, NULL, 0);
}

static const struct ike_ops ops = {
	.send = ike_net_send, .keepalive = ike_net_keepalive, .random = on_random, .run = ike_jobs_put,
	.get_spi = ike_pfkey_get_spi, .child_add = ike_pfkey_add, .child_delete = ike_pfkey_delete,
	.child_move = ike_pfkey_move, .source = ike_net_source, .log = on_log, .wall_s = on_wall_s,
	.event = on_event, .fetch = ike_fetch_put, .trace = ike_trace_message,
};

/* ---- time ---- */

void ike_role_rearm(struct ike_role *role)
{
	const uint64_t now_ms = ike_now_ms();
	const uint64_t due_ms = ike_tick(role->world, now_ms);
	const uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
	const struct timeval wait = { .tv_sec = (time_t)(wait_ms / 1000),
				      .tv_usec = (suseconds_t)(wait_ms % 1000 * 1000) };

	if (due_ms == IKE_NEVER)
		event_del(role->wake);
	else
		event_add(role->wake, &wait);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ike_role_rearm((struct ike_role *)arg);
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct ike_role *const role = arg;
	const uint64_t now_ms = ike_now_ms();

	(void)fd;
	(void)what;
	/* One that went comes again by itself, but a channel that was broken does not. */
	if (!role->agent)
		(void)chan_send(role->parent, MSG_AGENT, NULL, 0, NULL, 0);
	ike_conns_tick(role, now_ms);
	ike_pfkey_tick(role, now_ms);
	ike_fetch_tick(role, now_ms);
	ike_role_rearm(role);
}

/* ---- the agent ---- */

/** IKE SAs being told, some a message. */
struct telling {
	struct ike_role *role;
	uint32_t serial;
	uint64_t now_ms;
	uint16_t n;
	struct ike_wire_sa sas[IKE_WIRE_SAS_MAX];
};

static void tell(struct telling *t, bool more)
{
	static uint8_t buf[CHAN_PAYLOAD_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, t->serial);
	chan_put_u8(&w, more);
	chan_put_u16(&w, t->n);
	for (uint16_t i = 0; i < t->n; i++)
		ike_wire_sa_put(&w, &t->sas[i]);
	t->n = 0;
	if (t->role->agent)
		(void)chan_send(t->role->agent, MSG_IKE_SAS, buf, w.len, NULL, 0);
}

static uint32_t seconds_until(uint64_t due_ms, uint64_t now_ms)
{
	if (due_ms == IKE_NEVER)
		return IKE_WIRE_NEVER;
	return due_ms > now_ms ? (uint32_t)((due_ms - now_ms) / 1000) : 0;
}

static bool tell_one(void *arg, const struct ike_view *v)
{
	static const enum ike_wire_state states[] = {
		[IKE_PHASE_INITIATING] = IKE_WIRE_INITIATING,
		[IKE_PHASE_AUTHENTICATING] = IKE_WIRE_AUTHENTICATING,
		[IKE_PHASE_ESTABLISHED] = IKE_WIRE_ESTABLISHED,
		[IKE_PHASE_REKEYED] = IKE_WIRE_REKEYING,
		[IKE_PHASE_DELETING] = IKE_WIRE_DELETING,
	};
	struct telling *const t = arg;
	struct ike_wire_sa *sa;

	if (t->n == IKE_WIRE_SAS_MAX)
		tell(t, true);
	sa = &t->sas[t->n++];
	*sa = (struct ike_wire_sa){
		.number = v->number, .state = (uint8_t)states[v->phase],
		.initiator = v->initiator, .path = v->path, .local = v->local, .remote = v->remote,
		.encr = v->suite.encr, .encr_key_bits = v->suite.encr_key_bits,
		.integ = v->suite.integ, .prf = v->suite.prf, .ke = v->suite.ke,
		.age_s = (t->now_ms - v->since_ms) / 1000, .n_children = v->n_children,
		.renew_s = seconds_until(v->renew_ms, t->now_ms),
		.end_s = seconds_until(v->end_ms, t->now_ms),
	};
	memcpy(sa->spi_i, v->spi_i, IKE_SPI_LEN);
	memcpy(sa->spi_r, v->spi_r, IKE_SPI_LEN);
	if (v->conn) {
		memcpy(sa->ipsec, v->conn->ipsec, sizeof(sa->ipsec));
		memcpy(sa->ike, v->conn->ike, sizeof(sa->ike));
	}
	return true;
}

static bool tell_sas(struct ike_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct telling *const t = calloc(1, sizeof(*t));
	bool good;

	if (!t)
		return true;	/* the agent asks again */
	t->role = role;
	t->serial = chan_get_u32(&r);
	t->now_ms = ike_now_ms();
	good = chan_reader_done(&r);
	if (good) {
		ike_world_each(role->world, tell_one, t);
		tell(t, false);
	}
	free(t);
	return good;
}

static void lose_agent(struct ike_role *role)
{
	chan_free(role->agent);
	role->agent = NULL;
	role->traces = false;
	ike_conns_forget(role);
	ike_conns_unknown(role);
}

static void on_agent_message(void *arg, struct chan_msg *m)
{
	struct ike_role *const role = arg;
	const bool good = m->type == MSG_IKE_SAS_GET ? tell_sas(role, m) :
			  m->type == MSG_IKE_TRACE ? ike_trace_wanted(role, m) :
						     ike_conns_message(role, m);

	if (!good) {
		ipspd_log(LOG_ERR, "ike", "malformed message %u from the agent, or no memory for it",
			  m->type);
		lose_agent(role);
	}
	ike_role_rearm(role);
}

static void on_agent_closed(void *arg, int why)
{
	struct ike_role *const role = arg;

	ipspd_log(LOG_NOTICE, "ike", "agent gone (%d): connections stay as they are", -why);
	lose_agent(role);
}

static void take_agent(struct ike_role *role, struct chan_msg *m)
{
	const struct chan_handler handler = {
		.message = on_agent_message, .closed = on_agent_closed, .arg = role,
	};
	int err = role->started && m->n_fds == 1 && m->len == 0 ? 0 : -EBADMSG;

	if (!err) {
		lose_agent(role);
		err = chan_new(role->base, m->fds[0], &handler, &role->agent);
	}
	if (err)
		ipspd_log(LOG_ERR, "ike", "channel to the agent: %s", strerror(-err));
	else
		m->fds[0] = -1;
}

/* ---- start ---- */

/* @return 0 or -errno with *what */
static int make_world(struct ike_role *role, const char **what)
{
	*what = "crypto";
	if (ipsp_crypto_gcrypt_init(SECMEM_OCTETS) != IPSP_OK)
		return -ENOTSUP;
	*what = "memory";
	/* Rows say what is proposed, and are refused where they want what is weak and may not be. */
	role->world = ike_world_new(&ops, role, ipsp_crypto_gcrypt_all());
	role->wake = event_new(role->base, -1, 0, on_wake, role);
	role->second = event_new(role->base, -1, EV_PERSIST, on_second, role);
	return role->world && role->wake && role->second && ike_creds_start(role) &&
			       ike_fetch_start(role) ? 0 : -ENOMEM;
}

static void start(struct ike_role *role, struct chan_msg *m)
{
	const struct timeval second = { .tv_sec = 1 };
	const char *what = "START from the parent";
	struct ike_start s;
	int err = -EBADMSG;

	if (!role->started && ike_start_read(m, &s)) {
		log_set_level(s.log_level);
		memcpy(role->fds, s.fds, sizeof(role->fds));
		err = make_world(role, &what);
	}
	if (!err) {
		what = "threads";
		err = ike_jobs_start(role);
	}
	if (!err) {
		what = "PF_KEY";
		err = ike_pfkey_start(role);
	}
	if (!err) {
		what = "sockets";
		err = ike_net_start(role);
	}
	if (!err)
		err = event_add(role->second, &second) < 0 ? -ENOMEM : 0;
	role->started = !err;
	if (!err)
		return;
	ipspd_log(LOG_ERR, "ike", "cannot start: %s: %s", what, strerror(-err));
	stop(role, EXIT_FAILURE);
}

/* ---- the parent ---- */

static void take_pfkey(struct ike_role *role, struct chan_msg *m)
{
	if (!role->started || m->n_fds != 1 || m->len != 0) {
		ipspd_log(LOG_ERR, "ike", "PFKEY from the parent: malformed, or before START");
		return;
	}
	ike_pfkey_connect(role, m->fds[0]);
	m->fds[0] = -1;
	ike_role_rearm(role);
}

static void on_parent_message(void *arg, struct chan_msg *m)
{
	struct ike_role *const role = arg;

	switch (m->type) {
	case MSG_START:
		start(role, m);
		break;
	case MSG_AGENT:
		take_agent(role, m);
		break;
	case MSG_PFKEY:
		take_pfkey(role, m);
		break;
	case MSG_FETCHER:
		ike_fetch_came(role, m);
		break;
	case MSG_LOG_LEVEL:
		(void)log_take_level(m);
		break;
	case MSG_STOP:
		if (role->started)
			ike_end_all(role->world, NULL, ike_now_ms());
		stop(role, EXIT_SUCCESS);
		break;
	default:
		ipspd_log(LOG_WARNING, "ike", "message %u from the parent: unknown", m->type);
	}
}

static void on_parent_closed(void *arg, int why)
{
	struct ike_role *const role = arg;

	stop(role, why ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void fini(struct ike_role *role)
{
	ike_jobs_stop(role);
	/* SAs that are there stay, for who comes next: the world's end is not told to the engine. */
	ike_pfkey_close(role);
	ike_world_free(role->world);
	engine_random_forget(&role->random);
	ike_pfkey_stop(role);
	ike_net_stop(role);
	ike_conns_fini(role);
	ike_creds_fini(role);
	ike_fetch_fini(role);
	if (role->wake)
		event_free(role->wake);
	if (role->second)
		event_free(role->second);
	for (int i = 0; i < IKE_FDS; i++) {
		if (role->fds[i] >= 0)
			close(role->fds[i]);
	}
	chan_free(role->agent);
	log_to_channel(NULL);
	chan_free(role->parent);
	if (role->base)
		event_base_free(role->base);
}

void ike_prepare(void)
{
	const int got = gnutls_pkcs11_init(GNUTLS_PKCS11_FLAG_AUTO, NULL);

	if (got < 0)
		ipspd_log(LOG_WARNING, "ike", "private keys in tokens cannot be used: %s", gnutls_strerror(got));
}

int ike_main(int channel_fd)
{
	struct ike_role role = { .status = EXIT_FAILURE };
	const struct chan_handler handler = {
		.message = on_parent_message, .closed = on_parent_closed, .arg = &role,
	};

	for (int i = 0; i < IKE_FDS; i++)
		role.fds[i] = -1;
	role.base = event_base_new();
	if (!role.base || chan_new(role.base, channel_fd, &handler, &role.parent) != 0) {
		ipspd_log(LOG_ERR, "ike", "no memory, or no channel to the parent");
		fini(&role);
		return EXIT_FAILURE;
	}
	log_to_channel(role.parent);
	if (event_base_dispatch(role.base) < 0)
		role.status = EXIT_FAILURE;
	fini(&role);
	return role.status;
}
