/*
 * ipspd/engine_packets.c - turns of packets: read a batch, let the core judge, do what it says.
 *
 * Every source has some turns of at most IO_BATCH packets, then the loop looks at the others and at the
 * mail. Until the first generation is in force all packets are dropped.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/compress/zlib.h"
#include "engine/crypto/provider.h"
#include "engine/crypto/hosted.h"
#include "engine/io/nfqueue.h"
#include "engine/io/pcap.h"
#include "engine/io/ring.h"
#include "engine/io/tun.h"
#include "ipspd/engine.h"
#include "ipspd/log.h"
#include "ipspd/marks.h"

#define SECURE_MEMORY 65536	/* octets of locked memory for keys, to begin with */
#define TURNS 8u		/* of one source, before the loop looks at the others */
#define ASK_AGAIN_S 1u		/* a reservation, while nothing comes of it */

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

static enum ipsp_err platform_random(void *ctx, uint8_t *out, size_t len)
{
	(void)ctx;
	return engine_random_take(engine_pool(), out, len);
}

/* Only packets ask for the following, so it is a worker that does. */

static enum ipsp_err platform_local_addr(void *ctx, const struct ipsp_addr *remote,
					 struct ipsp_addr *local)
{
	struct engine_worker *const w = engine_self();

	(void)ctx;
	return w ? w->io->ops->local_addr(w->io, remote, local) : IPSP_ENOENT;
}

static uint32_t platform_path_mtu(void *ctx, const struct ipsp_addr *dst)
{
	struct engine_worker *const w = engine_self();

	(void)ctx;
	return w && w->io->ops->path_mtu ? w->io->ops->path_mtu(w->io, dst) : 0;
}

int engine_platform_init(struct engine_role *role, const struct engine_start *s)
{
	const struct ipsp_crypto_options options = {
		.secmem_bytes = SECURE_MEMORY, .allow_weak = s->allow_weak,
		.choice = (enum ipsp_crypto_choice)s->crypto,
	};

	if (ipsp_crypto_init(&options) != IPSP_OK)
		return -ENOTSUP;
	role->allow_weak = s->allow_weak;
	engine_crypto_log(s->allow_weak);
	ipsp_platform_hosted(&role->platform, ipsp_crypto_provider());
	role->platform.n_threads = s->n_workers;
	role->platform.compress = ipsp_compress_zlib();
	role->platform.random = platform_random;
	role->platform.local_addr = platform_local_addr;
	role->platform.path_mtu = platform_path_mtu;
	return 0;
}

/* ---- turns ---- */

static size_t source_of(const struct engine_worker *w, evutil_socket_t fd, struct io_source *out)
{
	struct io_source sources[IO_SOURCES_MAX];
	const size_t n = w->io->ops->sources(w->io, sources);
	size_t i = 0;

	while (i + 1 < n && sources[i].fd != fd)
		i++;
	*out = sources[i];
	return i;
}

/** The SA that is applied after one, or NULL. */
static const struct ipsp_sa *around(const struct engine_worker *w, const struct ipsp_sa *sa)
{
	return sa->next_id ? ipsp_sad_find(ipsp_engine_sad(w->role->engine), sa->next_id) : NULL;
}

/** Has any SA of the bundle no number reserved? */
static bool is_unreserved(const struct engine_worker *w, const struct ipsp_sa *sa)
{
	for (unsigned i = 0; sa && i < IPSP_BUNDLE_MAX; i++, sa = around(w, sa)) {
		if (engine_reserve_is_empty(sa))
			return true;
	}
	return false;
}

/** Has the control thread ask for numbers, if there are few; not for the same ones with each batch. */
static void ask_if_low(struct engine_worker *w, const struct ipsp_sa *sa)
{
	const uint64_t ceiling = atomic_load_explicit(&sa->seq_ceiling, memory_order_relaxed);
	const uint64_t now_s = engine_now_s();
	const size_t at = sa->id % ENGINE_ASKED;

	if (!engine_reserve_is_low(sa) ||
	    (w->asked[at].sa_id == sa->id && w->asked[at].ceiling == ceiling &&
	     now_s - w->asked[at].asked_s < ASK_AGAIN_S))
		return;
	w->asked[at].sa_id = sa->id;
	w->asked[at].ceiling = ceiling;
	w->asked[at].asked_s = now_s;
	engine_mail_low(w->role, sa->id);
}

static void ask_for_bundle(struct engine_worker *w, const struct ipsp_sa *sa)
{
	for (unsigned i = 0; sa && i < IPSP_BUNDLE_MAX; i++, sa = around(w, sa))
		ask_if_low(w, sa);
}

static void look_after_numbers(struct engine_worker *w, struct ipsp_packet *packets, size_t n)
{
	const struct ipsp_sa *last = NULL;

	for (size_t i = 0; i < n; i++) {
		struct ipsp_packet *const p = &packets[i];

		if (!p->sa)
			continue;
		if (p->verdict == IPSP_VERDICT_ESP_OUT && is_unreserved(w, p->sa)) {
			p->verdict = IPSP_VERDICT_DROP;
			io_count(&w->io->stats.drops[IO_REASON_NOT_READY], 1);
		}
		if (p->sa != last)
			ask_for_bundle(w, p->sa);
		last = p->sa;
	}
}

void engine_worker_write(struct engine_worker *w, struct ipsp_packet *packets, size_t n)
{
	look_after_numbers(w, packets, n);
	w->io->ops->write(w->io, IPSP_OUTBOUND, packets, n);
}

static void hold(struct engine_worker *w, const struct ipsp_packet *packets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (packets[i].verdict == IPSP_VERDICT_HOLD)
			engine_mail_hold(w->role, &packets[i]);
	}
}

void engine_worker_outbound(struct engine_worker *w, struct ipsp_packet *packets, size_t n,
			    uint64_t now_s)
{
	/* What a full arena holds must be sent before the others are judged. */
	while (n > 0) {
		const size_t judged = ipsp_engine_outbound(w->core, packets, n, now_s);

		hold(w, packets, judged);
		engine_worker_write(w, packets, judged);
		packets += judged;
		n -= judged;
	}
	if (ipsp_worker_wants(w->core))
		mailbox_ring(&w->role->mail);
}

/** Keeps the packets that passed, in order. Rooms change places, so that each stays once. */
static size_t keep_passed(struct engine_worker *w, size_t n, uint8_t verdicts[IO_BATCH])
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct ipsp_packet *const p = &w->packets[i];
		const struct ipsp_packet passed = *p;

		if (p->verdict != IPSP_VERDICT_BYPASS && p->verdict != IPSP_VERDICT_DELIVER)
			continue;
		*p = w->packets[kept];
		w->packets[kept] = passed;
		verdicts[kept++] = passed.verdict;
	}
	return kept;
}

/** RFC 4301 5.1, and off it goes; behind what the list of the interface at the inside of a bump lets in. */
static void outbound(struct engine_worker *w, const struct io_source *source, size_t n,
		     uint64_t now_s)
{
	uint8_t verdicts[IO_BATCH];

	if (source->inside_ifindex) {
		const uint32_t ifindex = n ? w->packets[0].ifindex : 0;

		for (size_t i = 0; i < n; i++) {
			w->packets[i].ifindex = source->inside_ifindex;
			w->packets[i].flags |= IPSP_PKT_TRANSIT;
		}
		ipsp_engine_inbound(w->core, w->packets, n, now_s);
		n = keep_passed(w, n, verdicts);
		for (size_t i = 0; i < n; i++)
			w->packets[i].ifindex = ifindex;
	}
	engine_worker_outbound(w, w->packets, n, now_s);
}

/** RFC 4301 5.2, before what the list of the interface at the inside of a bump lets out. */
static size_t judge_inbound(struct engine_worker *w, const struct io_source *source, size_t n,
			    uint64_t now_s)
{
	uint8_t verdicts[IO_BATCH];

	ipsp_engine_inbound(w->core, w->packets, n, now_s);
	if (!source->inside_ifindex)
		return n;
	n = keep_passed(w, n, verdicts);
	for (size_t i = 0; i < n; i++)
		w->packets[i].ifindex = source->inside_ifindex;
	ipsp_engine_outbound(w->core, w->packets, n, now_s);
	for (size_t i = 0; i < n; i++) {
		struct ipsp_packet *const p = &w->packets[i];

		if (p->verdict == IPSP_VERDICT_ESP_OUT) {
			p->verdict = IPSP_VERDICT_DROP;
			io_count(&w->io->stats.drops[IO_REASON_INSIDE_PROTECT], 1);
		} else if (p->verdict == IPSP_VERDICT_BYPASS) {
			p->verdict = verdicts[i];
		}
	}
	return n;
}

static void turn(struct engine_worker *w, const struct io_source *source, size_t n)
{
	const uint64_t now_s = engine_now_s();

	ipsp_worker_set_wall_clock(w->core, engine_wall_s());
	ipsp_worker_begin(w->core);
	if (source->dir == IPSP_OUTBOUND) {
		outbound(w, source, n, now_s);
	} else {
		n = judge_inbound(w, source, n, now_s);
		w->io->ops->write(w->io, IPSP_INBOUND, w->packets, n);
	}
	ipsp_worker_end(w->core);
}

static void on_packets(evutil_socket_t fd, short what, void *arg)
{
	struct engine_worker *w = arg;
	struct io_attachment *const io = w->io;
	struct io_source source;
	const size_t at = source_of(w, fd, &source);
	bool more = true;

	(void)what;
	for (unsigned i = 0; i < TURNS && more; i++) {
		const size_t n = io->ops->read(io, at, w->packets, IO_BATCH);

		more = n == IO_BATCH || (io->ops->has_more && io->ops->has_more(io, at));
		if (!w->role->has_policy)
			io_count(&io->stats.drops[IO_REASON_NOT_READY], n);
		else if (n > 0)
			turn(w, &source, n);
	}
	if (more)
		event_active(w->source_event[at], EV_READ, 0);
}

static void on_changes(evutil_socket_t fd, short what, void *arg)
{
	struct engine_worker *w = arg;

	(void)fd;
	(void)what;
	if (w->io->ops->changed(w->io))
		return;
	/* The parent opens all anew for the next engine, and this one has nothing left to do. */
	ipspd_log(LOG_ERR, "engine", "attachment %s: an interface is gone; nothing passes until the "
		  "next start finds it again", w->io->ops->name);
	engine_mail_gone(w->role);
}

/* ---- attaching ---- */

/** Watches a descriptor. @return 0, -ENOMEM */
static int watch(struct engine_worker *w, int fd, event_callback_fn callback, struct event **out)
{
	struct event *e = event_new(w->base, fd, EV_READ | EV_PERSIST, callback, w);

	if (!e || event_add(e, NULL) < 0) {
		if (e)
			event_free(e);
		return -ENOMEM;
	}
	*out = e;
	return 0;
}

static int make_rooms(struct engine_worker *w)
{
	w->packets = calloc(IO_BATCH, sizeof(*w->packets));
	w->rooms = calloc(IO_BATCH, IO_ROOM);
	w->arena = malloc(IPSP_ARENA_MIN);
	if (!w->packets || !w->rooms || !w->arena)
		return -ENOMEM;
	ipsp_worker_set_arena(w->core, w->arena, IPSP_ARENA_MIN);
	for (size_t i = 0; i < IO_BATCH; i++) {
		w->packets[i].room = w->rooms + i * IO_ROOM;
		w->packets[i].room_len = IO_ROOM;
	}
	return 0;
}

/** What a worker has of one kind, by family. */
#define PAIR(s, kind4, kind6, at) { (s)->fds[kind4][at], (s)->fds[kind6][at] }

/** Takes the descriptor. @return NULL: there is none */
static struct ring *take_ring(int *fd)
{
	struct ring *ring = NULL;
	const int err = *fd < 0 ? 0 : ring_new(*fd, &ring);

	if (err) {
		ipspd_log(LOG_WARNING, "engine", "fast-send: ring: %s: a packet socket without one sends",
			  strerror(-err));
		close(*fd);
	}
	*fd = -1;
	return ring;
}

static int attach_tun(struct engine_worker *w, struct engine_start *s)
{
	const unsigned at = w->number;
	const struct tun_config config = {
		.tun_fd = s->fds[ENGINE_FD_TUN][at],
		.tun_ifindex = s->tun_ifindex,
		.offload = (s->offload & ENGINE_OFFLOAD_TUN) != 0,
		.offload_udp = (s->offload & ENGINE_OFFLOAD_UDP) != 0,
		.udp_fd = PAIR(s, ENGINE_FD_UDP4, ENGINE_FD_UDP6, at),
		.esp_in_fd = PAIR(s, ENGINE_FD_ESP4_IN, ENGINE_FD_ESP6_IN, at),
		.ah_in_fd = PAIR(s, ENGINE_FD_AH4_IN, ENGINE_FD_AH6_IN, at),
		.raw_out_fd = PAIR(s, ENGINE_FD_RAW4_OUT, ENGINE_FD_RAW6_OUT, at),
		.fast_fd = s->fds[ENGINE_FD_FAST][at],
		.ring = take_ring(&s->fds[ENGINE_FD_RING][at]),
		.mark = IPSPD_MARK_BYPASS,
	};
	const int err = tun_attach(&config, &w->io);

	if (err)
		ring_free(config.ring);
	return err;
}

/** The queues in front of what attach_tun has made. */
static int attach_nfqueue(struct engine_worker *w, const struct engine_start *s)
{
	const struct nfqueue_config config = {
		.queue_fd = { [IPSP_INBOUND - 1] = s->fds[ENGINE_FD_QUEUE_IN][0],
			      [IPSP_OUTBOUND - 1] = s->fds[ENGINE_FD_QUEUE_OUT][0] },
		.verdict_fd = s->fds[ENGINE_FD_VERDICTS][0],
	};

	return nfqueue_attach(&config, w->io, &w->io);
}

static int attach_pcap(struct engine_worker *w, const struct engine_start *s)
{
	const struct pcap_config config = {
		.frames_fd = PAIR(s, ENGINE_FD_RED, ENGINE_FD_BLACK, 0),
		.ifindex = { s->red_ifindex, s->black_ifindex },
		.esp_in_fd = PAIR(s, ENGINE_FD_ESP4_IN, ENGINE_FD_ESP6_IN, 0),
		.ah_in_fd = PAIR(s, ENGINE_FD_AH4_IN, ENGINE_FD_AH6_IN, 0),
		.raw_out_fd = PAIR(s, ENGINE_FD_RAW4_OUT, ENGINE_FD_RAW6_OUT, 0),
		.udp_fd = PAIR(s, ENGINE_FD_UDP4, ENGINE_FD_UDP6, 0),
		.mark = IPSPD_MARK_BYPASS,
	};

	return pcap_attach(&config, &w->io);
}

/** What an attachment has is not START's any more. */
static void take_fds(struct engine_start *s, size_t worker)
{
	for (int i = 0; i < ENGINE_FDS; i++) {
		if (i != ENGINE_FD_COUNTERS && i != ENGINE_FD_PACKET_LOG &&
		    i != ENGINE_FD_HANDOVER && i != ENGINE_FD_PFKEY &&
		    i != ENGINE_FD_ICMP4 && i != ENGINE_FD_ICMP6)
			s->fds[i][worker] = -1;
	}
}

static int attach_one(struct engine_worker *w, struct engine_start *s, bool is_pcap)
{
	struct io_source sources[IO_SOURCES_MAX];
	int err = engine_worker_init(w);

	if (!err)
		err = make_rooms(w);
	if (!err)
		err = is_pcap ? attach_pcap(w, s) : attach_tun(w, s);
	if (!err && s->fds[ENGINE_FD_QUEUE_IN][w->number] >= 0)
		err = attach_nfqueue(w, s);
	if (w->io)
		take_fds(s, w->number);
	if (err)
		return err;
	err = watch(w, w->io->ops->changes_fd(w->io), on_changes, &w->changes_event);
	const size_t n = w->io->ops->sources(w->io, sources);

	for (size_t i = 0; i < n && !err; i++)
		err = watch(w, sources[i].fd, on_packets, &w->source_event[i]);
	return err;
}

int engine_attach(struct engine_role *role, struct engine_start *s)
{
	const bool is_pcap = s->fds[ENGINE_FD_RED][0] >= 0 && s->fds[ENGINE_FD_BLACK][0] >= 0;
	int err = 0;

	if (!is_pcap && s->fds[ENGINE_FD_TUN][0] < 0)
		return 0;
	role->workers = calloc(s->n_workers, sizeof(*role->workers));
	if (!role->workers)
		return -ENOMEM;
	while (!err && role->n_workers < s->n_workers) {
		struct engine_worker *const w = &role->workers[role->n_workers];

		w->role = role;
		w->number = (unsigned)role->n_workers++;
		err = attach_one(w, s, is_pcap);
	}
	return err;
}

static void detach_one(struct engine_worker *w)
{
	for (size_t i = 0; i < IO_SOURCES_MAX; i++) {
		if (w->source_event[i])
			event_free(w->source_event[i]);
	}
	if (w->changes_event)
		event_free(w->changes_event);
	if (w->io)
		w->io->ops->free(w->io);
	engine_worker_fini(w);
	if (w->rooms)
		explicit_bzero(w->rooms, (size_t)IO_BATCH * IO_ROOM);
	if (w->arena)
		explicit_bzero(w->arena, IPSP_ARENA_MIN);
	free(w->arena);
	free(w->rooms);
	free(w->packets);
}

void engine_detach(struct engine_role *role)
{
	for (size_t i = 0; i < role->n_workers; i++)
		detach_one(&role->workers[i]);
	free(role->workers);
	role->workers = NULL;
	role->n_workers = 0;
	engine_random_forget(engine_pool());
}
