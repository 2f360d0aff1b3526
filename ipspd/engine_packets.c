/*
 * ipspd/engine_packets.c - turns of packets: read a batch, let the core judge, do what it says.
 *
 * Every source has its turn of at most IO_BATCH packets, then the loop looks at the others and at
 * the channels. Until the first generation is in force all packets are dropped.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "engine/crypto/gcrypt.h"
#include "engine/crypto/hosted.h"
#include "engine/io/tun.h"
#include "ipspd/engine.h"
#include "ipspd/log.h"
#include "ipspd/marks.h"

#define SECURE_MEMORY 65536	/* octets of locked memory for keys, to begin with */

uint64_t engine_now_s(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_BOOTTIME, &now) == 0 ? (uint64_t)now.tv_sec : 0;
}

/* ---- what the core needs from here ---- */

/** The kernel's randomness, fetched for many packets at once; no octet is given out twice. */
static enum ipsp_err platform_random(void *ctx, uint8_t *out, size_t len)
{
	struct engine_role *role = ctx;

	while (len > 0) {
		if (role->random_left == 0) {
			const ssize_t got = getrandom(role->random_pool, ENGINE_RANDOM_POOL, 0);

			if (got != (ssize_t)ENGINE_RANDOM_POOL)
				return IPSP_ECRYPTO;
			role->random_left = ENGINE_RANDOM_POOL;
		}
		const size_t n = len < role->random_left ? len : role->random_left;
		uint8_t *const from = role->random_pool + ENGINE_RANDOM_POOL - role->random_left;

		memcpy(out, from, n);
		explicit_bzero(from, n);
		role->random_left -= n;
		out += n;
		len -= n;
	}
	return IPSP_OK;
}

static enum ipsp_err platform_local_addr(void *ctx, const struct ipsp_addr *remote,
					 struct ipsp_addr *local)
{
	const struct engine_role *role = ctx;

	return role->io ? role->io->ops->local_addr(role->io, remote, local) : IPSP_ENOENT;
}

int engine_platform_init(struct engine_role *role)
{
	if (ipsp_crypto_gcrypt_init(SECURE_MEMORY) != IPSP_OK)
		return -ENOTSUP;
	ipsp_platform_hosted(&role->platform, ipsp_crypto_gcrypt());
	role->platform.ctx = role;
	role->platform.random = platform_random;
	role->platform.local_addr = platform_local_addr;
	return 0;
}

/* ---- turns ---- */

static size_t source_of(const struct engine_role *role, evutil_socket_t fd,
			struct io_source *out)
{
	struct io_source sources[IO_SOURCES_MAX];
	const size_t n = role->io->ops->sources(role->io, sources);
	size_t i = 0;

	while (i + 1 < n && sources[i].fd != fd)
		i++;
	*out = sources[i];
	return i;
}

/** Looks after the reservations of the SAs that a batch used; what none covers is not sent. */
static void hold_unreserved(struct engine_role *role, size_t n)
{
	const struct ipsp_sa *last = NULL;

	for (size_t i = 0; i < n; i++) {
		struct ipsp_packet *const p = &role->packets[i];

		if (!p->sa)
			continue;
		if (p->verdict == IPSP_VERDICT_ESP_OUT && engine_reserve_is_empty(p->sa)) {
			p->verdict = IPSP_VERDICT_DROP;
			role->io->stats.drops[IO_REASON_NOT_READY]++;
		}
		if (p->sa != last)
			engine_reserve_ask(role, p->sa);
		last = p->sa;
	}
}

static void on_packets(evutil_socket_t fd, short what, void *arg)
{
	struct engine_role *role = arg;
	struct io_attachment *const io = role->io;
	const uint64_t now_s = engine_now_s();
	struct io_source source;
	const size_t at = source_of(role, fd, &source);
	const size_t n = io->ops->read(io, at, role->packets, IO_BATCH);

	(void)what;
	if (!role->has_policy) {
		io->stats.drops[IO_REASON_NOT_READY] += n;
		return;
	}
	if (source.dir == IPSP_INBOUND) {
		ipsp_engine_inbound(role->worker, role->packets, n, now_s);
		io->ops->write(io, IPSP_INBOUND, role->packets, n);
		return;
	}
	ipsp_engine_outbound(role->worker, role->packets, n, now_s);
	hold_unreserved(role, n);
	io->ops->write(io, IPSP_OUTBOUND, role->packets, n);
}

static void on_routing(evutil_socket_t fd, short what, void *arg)
{
	struct engine_role *role = arg;

	(void)fd;
	(void)what;
	tun_routing_changed(role->io);
}

/** Watches a descriptor. @return 0, -ENOMEM */
static int watch(struct engine_role *role, int fd, event_callback_fn callback, struct event **out)
{
	struct event *e = event_new(role->base, fd, EV_READ | EV_PERSIST, callback, role);

	if (!e || event_add(e, NULL) < 0) {
		if (e)
			event_free(e);
		return -ENOMEM;
	}
	*out = e;
	return 0;
}

static int make_rooms(struct engine_role *role)
{
	role->packets = calloc(IO_BATCH, sizeof(*role->packets));
	role->rooms = calloc(IO_BATCH, IO_ROOM);
	if (!role->packets || !role->rooms)
		return -ENOMEM;
	for (size_t i = 0; i < IO_BATCH; i++) {
		role->packets[i].room = role->rooms + i * IO_ROOM;
		role->packets[i].room_len = IO_ROOM;
	}
	return 0;
}

int engine_attach(struct engine_role *role, struct engine_start *s)
{
	const struct tun_config config = {
		.tun_fd = s->fds[ENGINE_FD_TUN],
		.tun_ifindex = s->tun_ifindex,
		.esp_in_fd = { s->fds[ENGINE_FD_ESP4_IN], s->fds[ENGINE_FD_ESP6_IN] },
		.raw_out_fd = { s->fds[ENGINE_FD_RAW4_OUT], s->fds[ENGINE_FD_RAW6_OUT] },
		.mark = IPSPD_MARK_BYPASS,
	};
	struct io_source sources[IO_SOURCES_MAX];

	if (config.tun_fd < 0)
		return 0;
	int err = make_rooms(role);

	if (err)
		return err;
	err = tun_attach(&config, &role->io);
	if (err)
		return err;
	for (int i = 0; i < ENGINE_FDS; i++) {
		if (i != ENGINE_FD_COUNTERS && i != ENGINE_FD_PACKET_LOG)
			s->fds[i] = -1;
	}
	err = watch(role, tun_routing_fd(role->io), on_routing, &role->routing_event);
	const size_t n = role->io->ops->sources(role->io, sources);

	for (size_t i = 0; i < n && !err; i++)
		err = watch(role, sources[i].fd, on_packets, &role->source_event[i]);
	return err;
}

void engine_detach(struct engine_role *role)
{
	for (size_t i = 0; i < IO_SOURCES_MAX; i++) {
		if (role->source_event[i])
			event_free(role->source_event[i]);
		role->source_event[i] = NULL;
	}
	if (role->routing_event)
		event_free(role->routing_event);
	role->routing_event = NULL;
	if (role->io)
		role->io->ops->free(role->io);
	role->io = NULL;
	if (role->rooms)
		explicit_bzero(role->rooms, (size_t)IO_BATCH * IO_ROOM);
	free(role->rooms);
	free(role->packets);
	role->rooms = NULL;
	role->packets = NULL;
	explicit_bzero(role->random_pool, sizeof(role->random_pool));
	role->random_left = 0;
}
