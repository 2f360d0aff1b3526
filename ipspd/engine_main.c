/*
 * ipspd/engine_main.c - the engine process: its channels, its start, its end.
 *
 * Begins without privilege and inside its sandbox; everything it works on comes from the parent as
 * descriptors. It ends when the parent is gone. It does not end when the agent is gone: packets go
 * on under the generation in force until the parent brings a new channel.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipspd/engine.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "ipspd/roles.h"

#define EVENTS_PER_S 10

static void stop(struct engine_role *role, int status)
{
	role->status = status;
	event_base_loopbreak(role->base);
}

/* ---- the agent ---- */

static void on_agent_message(void *arg, struct chan_msg *m)
{
	struct engine_role *role = arg;

	switch (m->type) {
	case MSG_GEN_BEGIN:
	case MSG_GEN_FOLLOW:
	case MSG_GEN_SA_GONE:
	case MSG_GEN_UNASKED:
	case MSG_GEN_LIST_GONE:
	case MSG_GEN_EDIT:
	case MSG_GEN_RUN:
	case MSG_GEN_LIST:
	case MSG_GEN_ENTRY:
	case MSG_GEN_ACTION:
	case MSG_GEN_PREDICATE:
	case MSG_GEN_SELECTORS:
	case MSG_GEN_SA:
	case MSG_GEN_COMMIT:
		engine_policy_message(role, m);
		break;
	case MSG_RESERVED:
		engine_reserved_message(role, m);
		break;
	case MSG_SETTINGS:
		engine_settings_message(role, m);
		break;
	case MSG_HOLD:
		engine_hold_message(role, m);
		break;
	case MSG_STATS_GET:
		engine_stats_message(role, m);
		break;
	case MSG_SAD_GET:
		engine_sad_message(role, m);
		break;
	case MSG_BAND_PUT:
	case MSG_BAND_ALL:
	case MSG_BAND_APPLIED:
		engine_pfkey_message(role, m);
		break;
	default:
		ipspd_log(LOG_WARNING, "engine", "message %u from the agent: unknown", m->type);
	}
}

static void lose_agent(struct engine_role *role)
{
	chan_free(role->agent);
	role->agent = NULL;
	engine_policy_forget(role);
	engine_sad_forget(role);
}

static void on_agent_closed(void *arg, int why)
{
	struct engine_role *role = arg;

	ipspd_log(LOG_NOTICE, "engine", "agent gone (%d): generation %" PRIu64 " stays in force",
		  -why, ipsp_engine_generation(role->engine));
	lose_agent(role);
}

static void tell_workers(struct engine_role *role)
{
	const uint8_t n = (uint8_t)role->n_workers;
	const int err = chan_send(role->agent, MSG_WORKERS, &n, sizeof(n), NULL, 0);

	if (err)
		ipspd_log(LOG_WARNING, "engine", "how many workers there are is not told: error %d",
			  -err);
}

static void take_agent(struct engine_role *role, struct chan_msg *m)
{
	const struct chan_handler handler = {
		.message = on_agent_message, .closed = on_agent_closed, .arg = role,
	};
	struct chan *agent;

	if (!role->started || m->n_fds != 1 || m->len != 0) {
		ipspd_log(LOG_ERR, "engine", "AGENT from the parent: malformed, or before START");
		return;
	}
	const int err = chan_new(role->base, m->fds[0], &handler, &agent);

	if (err) {
		ipspd_log(LOG_ERR, "engine", "channel to the agent: error %d", -err);
		return;
	}
	m->fds[0] = -1;
	lose_agent(role);
	role->agent = agent;
	engine_crypto_tell(role);
	tell_workers(role);
	engine_pfkey_agent_came(role);
	engine_reserve_forget_asked(role->reserve);
	engine_reserve_ask_all(role);
}

/* ---- start ---- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct engine_role *role = arg;

	(void)fd;
	(void)what;
	ipsp_engine_tick(role->engine, engine_now_s());
	engine_hold_tick(role, engine_now_s());
	ipsp_engine_keepalives(role->engine, engine_now_s(), engine_keepalive, role);
	ipsp_engine_dummies(role->engine, engine_now_s(), engine_dummy, role);
	engine_pfkey_tick(role);
	engine_reserve_ask_again(role);
}

/** Maps the region of counters; one that no engine has had yet gets its size first. */
static int map_counters(struct engine_role *role, int fd)
{
	struct stat st;

	if (fd < 0)
		return -EBADF;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size == 0) {
		st.st_size = (off_t)ipsp_counters_size(ENGINE_COUNTER_SLOTS);
		/* By its last octet: the sandbox has no call that could cut a file. */
		if (lseek(fd, st.st_size - 1, SEEK_SET) < 0 || write(fd, "", 1) != 1)
			return -errno;
	}
	void *region = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (region == MAP_FAILED)
		return -errno;
	role->counters_region = region;
	role->counters_size = (size_t)st.st_size;
	return 0;
}

/* Frames come as fragments; what raw sockets read the kernel has put together. */
#define REASSEMBLY_FRAMES 64u

/** @param has_frames  it stands in a wire */
static int make_engine(struct engine_role *role, bool has_frames)
{
	const struct ipsp_engine_config config = {
		.platform = &role->platform,
		.events = engine_events(role),
		.counters = role->counters_region,
		.counters_size = role->counters_size,
		.events_per_s = EVENTS_PER_S,
		.reassembly = has_frames ? REASSEMBLY_FRAMES : 0,
	};
	enum ipsp_err err = ipsp_engine_new(&config, &role->engine);

	if (!err)
		err = ipsp_counters_attach(role->counters_region, role->counters_size,
					   &role->counters);
	if (!err && engine_hold_new(role) != 0)
		err = IPSP_ENOMEM;
	if (err)
		ipspd_log(LOG_ERR, "engine", "cannot be made: %s", ipsp_err_text(err));
	return err ? -EINVAL : 0;
}

static int make_tick(struct engine_role *role)
{
	const struct timeval second = { .tv_sec = 1 };

	role->tick = event_new(role->base, -1, EV_PERSIST, on_tick, role);
	return role->tick && event_add(role->tick, &second) == 0 ? 0 : -ENOMEM;
}

static void start(struct engine_role *role, struct chan_msg *m)
{
	struct engine_start s;
	const char *what = "START from the parent";
	int err = -EBADMSG;

	if (role->started || !engine_start_read(m, &s))
		goto refused;
	log_set_level(s.log_level);
	what = "crypto";
	err = engine_platform_init(role, &s);
	if (!err) {
		what = "counters";
		err = map_counters(role, s.fds[ENGINE_FD_COUNTERS][0]);
	}
	if (!err) {
		what = "engine";
		err = make_engine(role, s.fds[ENGINE_FD_BLACK][0] >= 0);
	}
	if (!err)
		err = engine_mail_start(role);
	if (!err) {
		what = "attachment";
		err = engine_attach(role, &s);
	}
	if (!err && s.fds[ENGINE_FD_PACKET_LOG][0] >= 0) {
		what = "packet log";
		err = engine_observe_start(role, s.fds[ENGINE_FD_PACKET_LOG][0]);
		if (!err)
			s.fds[ENGINE_FD_PACKET_LOG][0] = -1;
	}
	if (!err && role->n_workers > 0 && s.fds[ENGINE_FD_HANDOVER][0] >= 0) {
		what = "packets from the guard";
		err = engine_handover_start(&role->workers[0], s.fds[ENGINE_FD_HANDOVER][0]);
		if (!err)
			s.fds[ENGINE_FD_HANDOVER][0] = -1;
	}
	if (!err && s.fds[ENGINE_FD_PFKEY][0] >= 0) {
		what = "PF_KEY";
		err = engine_pfkey_start(role, s.fds[ENGINE_FD_PFKEY][0]);
		if (!err)
			s.fds[ENGINE_FD_PFKEY][0] = -1;
	}
	for (int i = 0; i < 2 && !err && role->n_workers > 0; i++) {
		int *const fd = &s.fds[i ? ENGINE_FD_ICMP6 : ENGINE_FD_ICMP4][0];

		what = "ICMP";
		err = *fd >= 0 ? engine_icmp_start(&role->workers[0], *fd, i == 1) : 0;
		if (!err)
			*fd = -1;
	}
	if (!err) {
		what = "threads";
		err = make_tick(role);
	}
	if (!err)
		err = engine_workers_start(role);
	engine_start_close_all(&s);
	role->started = !err;
	if (!err)
		return;
refused:
	ipspd_log(LOG_ERR, "engine", "cannot start: %s: %s", what, strerror(-err));
	stop(role, EXIT_FAILURE);
}

/* ---- the parent ---- */

static void on_parent_message(void *arg, struct chan_msg *m)
{
	struct engine_role *role = arg;

	switch (m->type) {
	case MSG_START:
		start(role, m);
		break;
	case MSG_AGENT:
		take_agent(role, m);
		break;
	case MSG_LOG_LEVEL:
		(void)log_take_level(m);
		break;
	case MSG_STOP:
		stop(role, EXIT_SUCCESS);
		break;
	default:
		ipspd_log(LOG_WARNING, "engine", "message %u from the parent: unknown", m->type);
	}
}

static void on_parent_closed(void *arg, int why)
{
	struct engine_role *role = arg;

	stop(role, why ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void fini(struct engine_role *role)
{
	if (role->tick)
		event_free(role->tick);
	engine_workers_stop(role);
	if (role->n_workers > 0) {
		engine_handover_stop(&role->workers[0]);
		engine_icmp_stop(&role->workers[0]);
	}
	engine_mail_stop(role);
	chan_free(role->agent);
	role->agent = NULL;	/* nobody is told of key managers that go now */
	engine_policy_forget(role);
	engine_observe_stop(role);
	engine_pfkey_stop(role);
	engine_sad_forget(role);
	engine_detach(role);
	engine_hold_free(role);
	ipsp_engine_free(role->engine);
	if (role->counters_region)
		munmap(role->counters_region, role->counters_size);
	engine_reserve_free(role->reserve);
	log_to_channel(NULL);
	chan_free(role->parent);
	if (role->base)
		event_base_free(role->base);
}

int engine_main(int channel_fd)
{
	struct engine_role role = { .status = EXIT_FAILURE };
	const struct chan_handler handler = {
		.message = on_parent_message, .closed = on_parent_closed, .arg = &role,
	};

	role.base = event_base_new();
	role.reserve = engine_reserve_new();
	if (!role.base || !role.reserve ||
	    chan_new(role.base, channel_fd, &handler, &role.parent) != 0) {
		ipspd_log(LOG_ERR, "engine", "no memory, or no channel to the parent");
		fini(&role);
		return EXIT_FAILURE;
	}
	log_to_channel(role.parent);
	if (event_base_dispatch(role.base) < 0)
		role.status = EXIT_FAILURE;
	fini(&role);
	return role.status;
}
