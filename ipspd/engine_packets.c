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

#include "engine/compress/zlib.h"
#include "engine/crypto/provider.h"
#include "engine/crypto/hosted.h"
#include "engine/io/nfqueue.h"
#include "engine/io/pcap.h"
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

uint64_t engine_wall_s(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec > 0 ?
		       (uint64_t)now.tv_sec : 0;
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

static uint32_t platform_path_mtu(void *ctx, const struct ipsp_addr *dst)
{
	const struct engine_role *role = ctx;

	return role->io && role->io->ops->path_mtu ? role->io->ops->path_mtu(role->io, dst) : 0;
}

/** Says what computes, and what does not for want of a right answer. */
static void tell_crypto(bool allow_weak)
{
	struct ipsp_crypto_library library;
	struct ipsp_crypto_suite suite;

	if (allow_weak)
		ipspd_log(LOG_WARNING, "engine", "weak algorithms are allowed (RFC 8221 advises "
			  "against DES, 3DES, CAST, Blowfish, HMAC-MD5 and HMAC-RIPEMD-160)");
	for (unsigned i = 0; ipsp_crypto_library(i, &library); i++) {
		if (library.n_wrong > 0)
			ipspd_log(LOG_ERR, "engine", "crypto by %s: %u answers differ from the "
				  "published ones; what they are of is not done by it",
				  library.name, library.n_wrong);
	}
	for (unsigned i = 0; ipsp_crypto_suite(i, &suite); i++) {
		const char *const encr = suite.encr_name ? suite.encr_name : "AH";

		ipspd_log(suite.library ? LOG_DEBUG : LOG_ERR, "engine", "crypto: %s%s%s by %s",
			  encr, suite.integ_name ? " with " : "",
			  suite.integ_name ? suite.integ_name : "",
			  suite.library ? suite.library : "nobody, so it is not offered");
	}
}

int engine_platform_init(struct engine_role *role, const struct engine_start *s)
{
	const struct ipsp_crypto_options options = {
		.secmem_bytes = SECURE_MEMORY, .allow_weak = s->allow_weak,
		.choice = (enum ipsp_crypto_choice)s->crypto,
	};

	if (ipsp_crypto_init(&options) != IPSP_OK)
		return -ENOTSUP;
	tell_crypto(s->allow_weak);
	ipsp_platform_hosted(&role->platform, ipsp_crypto_provider());
	role->platform.ctx = role;
	role->platform.compress = ipsp_compress_zlib();
	role->platform.random = platform_random;
	role->platform.local_addr = platform_local_addr;
	role->platform.path_mtu = platform_path_mtu;
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

void engine_keepalive(void *arg, const struct ipsp_flow *datagram)
{
	struct engine_role *role = arg;

	if (role->io && role->io->ops->keepalive)
		role->io->ops->keepalive(role->io, datagram);
}

/** The SA that is applied after one, or NULL. */
static const struct ipsp_sa *around(const struct engine_role *role, const struct ipsp_sa *sa)
{
	return sa->next_id ? ipsp_sad_find(ipsp_engine_sad(role->engine), sa->next_id) : NULL;
}

/** Has any SA of the bundle no number reserved? */
static bool is_unreserved(const struct engine_role *role, const struct ipsp_sa *sa)
{
	for (unsigned i = 0; sa && i < IPSP_BUNDLE_MAX; i++, sa = around(role, sa)) {
		if (engine_reserve_is_empty(sa))
			return true;
	}
	return false;
}

static void ask_for_bundle(struct engine_role *role, const struct ipsp_sa *sa)
{
	for (unsigned i = 0; sa && i < IPSP_BUNDLE_MAX; i++, sa = around(role, sa))
		engine_reserve_ask(role, sa);
}

void engine_dummy(void *arg, uint64_t sa_id)
{
	struct engine_role *role = arg;
	uint8_t room[IPSP_HEADROOM + IPSP_DUMMY_LEN_MAX + IPSP_TAILROOM];
	struct ipsp_packet packet = { .room = room, .room_len = sizeof(room) };

	if (!role->io || ipsp_engine_dummy(role->worker, sa_id, &packet, engine_now_s()) != IPSP_OK)
		return;
	engine_outbound_reserve(role, &packet, 1);
	role->io->ops->write(role->io, IPSP_OUTBOUND, &packet, 1);
}

void engine_outbound_reserve(struct engine_role *role, struct ipsp_packet *packets, size_t n)
{
	const struct ipsp_sa *last = NULL;

	for (size_t i = 0; i < n; i++) {
		struct ipsp_packet *const p = &packets[i];

		if (!p->sa)
			continue;
		if (p->verdict == IPSP_VERDICT_ESP_OUT && is_unreserved(role, p->sa)) {
			p->verdict = IPSP_VERDICT_DROP;
			if (role->io)
				role->io->stats.drops[IO_REASON_NOT_READY]++;
		}
		if (p->sa != last)
			ask_for_bundle(role, p->sa);
		last = p->sa;
	}
}

/** Keeps the packets that passed, in order. Rooms change places, so that each stays once. */
static size_t keep_passed(struct engine_role *role, size_t n, uint8_t verdicts[IO_BATCH])
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct ipsp_packet *const p = &role->packets[i];
		const struct ipsp_packet passed = *p;

		if (p->verdict != IPSP_VERDICT_BYPASS && p->verdict != IPSP_VERDICT_DELIVER)
			continue;
		*p = role->packets[kept];
		role->packets[kept] = passed;
		verdicts[kept++] = passed.verdict;
	}
	return kept;
}

/** RFC 4301 5.1, and off it goes; behind what the list of the interface at the inside of a bump lets in. */
static void outbound(struct engine_role *role, const struct io_source *source, size_t n,
		     uint64_t now_s)
{
	struct ipsp_packet *packets = role->packets;
	uint8_t verdicts[IO_BATCH];

	if (source->inside_ifindex) {
		const uint32_t ifindex = n ? role->packets[0].ifindex : 0;

		for (size_t i = 0; i < n; i++) {
			role->packets[i].ifindex = source->inside_ifindex;
			role->packets[i].flags |= IPSP_PKT_TRANSIT;
		}
		ipsp_engine_inbound(role->worker, role->packets, n, now_s);
		n = keep_passed(role, n, verdicts);
		for (size_t i = 0; i < n; i++)
			role->packets[i].ifindex = ifindex;
	}
	/* What a full arena holds must be sent before the others are judged. */
	while (n > 0) {
		const size_t judged = ipsp_engine_outbound(role->worker, packets, n, now_s);

		engine_outbound_reserve(role, packets, judged);
		engine_hold_take(role, packets, judged, now_s);
		role->io->ops->write(role->io, IPSP_OUTBOUND, packets, judged);
		packets += judged;
		n -= judged;
	}
	ipsp_engine_turn(role->engine, now_s);
}

/** RFC 4301 5.2, before what the list of the interface at the inside of a bump lets out. */
static size_t judge_inbound(struct engine_role *role, const struct io_source *source, size_t n,
			    uint64_t now_s)
{
	uint8_t verdicts[IO_BATCH];

	ipsp_engine_inbound(role->worker, role->packets, n, now_s);
	if (!source->inside_ifindex)
		return n;
	n = keep_passed(role, n, verdicts);
	for (size_t i = 0; i < n; i++)
		role->packets[i].ifindex = source->inside_ifindex;
	ipsp_engine_outbound(role->worker, role->packets, n, now_s);
	for (size_t i = 0; i < n; i++) {
		struct ipsp_packet *const p = &role->packets[i];

		if (p->verdict == IPSP_VERDICT_ESP_OUT) {
			p->verdict = IPSP_VERDICT_DROP;
			role->io->stats.drops[IO_REASON_INSIDE_PROTECT]++;
		} else if (p->verdict == IPSP_VERDICT_BYPASS) {
			p->verdict = verdicts[i];
		}
	}
	return n;
}

static void on_packets(evutil_socket_t fd, short what, void *arg)
{
	struct engine_role *role = arg;
	struct io_attachment *const io = role->io;
	const uint64_t now_s = engine_now_s();
	struct io_source source;
	const size_t at = source_of(role, fd, &source);
	size_t n = io->ops->read(io, at, role->packets, IO_BATCH);

	(void)what;
	/* The attachment may have read more at once than it could hand on. */
	if (n == IO_BATCH)
		event_active(role->source_event[at], EV_READ, 0);
	if (!role->has_policy) {
		io->stats.drops[IO_REASON_NOT_READY] += n;
		return;
	}
	ipsp_worker_set_wall_clock(role->worker, engine_wall_s());
	if (source.dir == IPSP_OUTBOUND) {
		outbound(role, &source, n, now_s);
		return;
	}
	n = judge_inbound(role, &source, n, now_s);
	io->ops->write(io, IPSP_INBOUND, role->packets, n);
}

static void on_changes(evutil_socket_t fd, short what, void *arg)
{
	struct engine_role *role = arg;

	(void)fd;
	(void)what;
	if (role->io->ops->changed(role->io))
		return;
	/* The parent opens all anew for the next engine, and this one has nothing left to do. */
	ipspd_log(LOG_ERR, "engine", "attachment %s: an interface is gone; nothing passes until the "
		  "next start finds it again", role->io->ops->name);
	role->status = EXIT_FAILURE;
	event_base_loopbreak(role->base);
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
	role->arena = malloc(IPSP_ARENA_MIN);
	if (!role->packets || !role->rooms || !role->arena)
		return -ENOMEM;
	ipsp_worker_set_arena(role->worker, role->arena, IPSP_ARENA_MIN);
	for (size_t i = 0; i < IO_BATCH; i++) {
		role->packets[i].room = role->rooms + i * IO_ROOM;
		role->packets[i].room_len = IO_ROOM;
	}
	return 0;
}

static int attach_tun(struct engine_role *role, const struct engine_start *s)
{
	const struct tun_config config = {
		.tun_fd = s->fds[ENGINE_FD_TUN][0],
		.tun_ifindex = s->tun_ifindex,
		.offload = (s->offload & ENGINE_OFFLOAD_TUN) != 0,
		.offload_udp = (s->offload & ENGINE_OFFLOAD_UDP) != 0,
		.udp_fd = { s->fds[ENGINE_FD_UDP4][0], s->fds[ENGINE_FD_UDP6][0] },
		.esp_in_fd = { s->fds[ENGINE_FD_ESP4_IN][0], s->fds[ENGINE_FD_ESP6_IN][0] },
		.ah_in_fd = { s->fds[ENGINE_FD_AH4_IN][0], s->fds[ENGINE_FD_AH6_IN][0] },
		.raw_out_fd = { s->fds[ENGINE_FD_RAW4_OUT][0], s->fds[ENGINE_FD_RAW6_OUT][0] },
		.mark = IPSPD_MARK_BYPASS,
	};

	return tun_attach(&config, &role->io);
}

/** The queues in front of what attach_tun has made. */
static int attach_nfqueue(struct engine_role *role, const struct engine_start *s)
{
	const struct nfqueue_config config = {
		.queue_fd = { [IPSP_INBOUND - 1] = s->fds[ENGINE_FD_QUEUE_IN][0],
			      [IPSP_OUTBOUND - 1] = s->fds[ENGINE_FD_QUEUE_OUT][0] },
		.verdict_fd = s->fds[ENGINE_FD_VERDICTS][0],
	};

	return nfqueue_attach(&config, role->io, &role->io);
}

static int attach_pcap(struct engine_role *role, const struct engine_start *s)
{
	const struct pcap_config config = {
		.frames_fd = { s->fds[ENGINE_FD_RED][0], s->fds[ENGINE_FD_BLACK][0] },
		.ifindex = { s->red_ifindex, s->black_ifindex },
		.esp_in_fd = { s->fds[ENGINE_FD_ESP4_IN][0], s->fds[ENGINE_FD_ESP6_IN][0] },
		.ah_in_fd = { s->fds[ENGINE_FD_AH4_IN][0], s->fds[ENGINE_FD_AH6_IN][0] },
		.raw_out_fd = { s->fds[ENGINE_FD_RAW4_OUT][0], s->fds[ENGINE_FD_RAW6_OUT][0] },
		.mark = IPSPD_MARK_BYPASS,
	};

	return pcap_attach(&config, &role->io);
}

/** What the attachment has is not START's any more. */
static void take_fds(struct engine_start *s)
{
	for (int i = 0; i < ENGINE_FDS; i++) {
		for (size_t worker = 0; worker < ENGINE_WORKERS_MAX; worker++) {
			if (i != ENGINE_FD_COUNTERS && i != ENGINE_FD_PACKET_LOG &&
			    i != ENGINE_FD_HANDOVER && i != ENGINE_FD_PFKEY &&
			    i != ENGINE_FD_ICMP4 && i != ENGINE_FD_ICMP6)
				s->fds[i][worker] = -1;
		}
	}
}

int engine_attach(struct engine_role *role, struct engine_start *s)
{
	const bool is_pcap = s->fds[ENGINE_FD_RED][0] >= 0 && s->fds[ENGINE_FD_BLACK][0] >= 0;
	struct io_source sources[IO_SOURCES_MAX];

	if (!is_pcap && s->fds[ENGINE_FD_TUN][0] < 0)
		return 0;
	int err = make_rooms(role);

	if (!err)
		err = is_pcap ? attach_pcap(role, s) : attach_tun(role, s);
	if (!err && s->fds[ENGINE_FD_QUEUE_IN][0] >= 0)
		err = attach_nfqueue(role, s);
	if (role->io)
		take_fds(s);
	if (err)
		return err;
	err = watch(role, role->io->ops->changes_fd(role->io), on_changes, &role->changes_event);
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
	if (role->changes_event)
		event_free(role->changes_event);
	role->changes_event = NULL;
	if (role->io)
		role->io->ops->free(role->io);
	role->io = NULL;
	if (role->rooms)
		explicit_bzero(role->rooms, (size_t)IO_BATCH * IO_ROOM);
	if (role->arena)
		explicit_bzero(role->arena, IPSP_ARENA_MIN);
	free(role->arena);
	free(role->rooms);
	free(role->packets);
	role->arena = NULL;
	role->rooms = NULL;
	role->packets = NULL;
	explicit_bzero(role->random_pool, sizeof(role->random_pool));
	role->random_left = 0;
}
