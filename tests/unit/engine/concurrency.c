/*
 * tests/unit/engine/concurrency.c - policy and SAs change under full traffic. Built with ThreadSanitizer by
 * test_concurrency.sh, from the core's sources alone.
 *
 * Two policies take turns, each with SAs of its own, as fast as one thread can apply them. Two workers
 * send meanwhile, and each takes in its own packets and copies of the other one's. Each packet that comes
 * out is judged: by the entry that decided, it must be what that entry's policy says, sealed by that
 * policy's SA, under a number that no other packet had; and of the two copies one is delivered at the
 * most. An entry that one policy has and the other one has not leaves its SA to what was on its way. A fixed number of changes, and no clock.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/engine.h"
#include "ipsp/platform.h"
#include "spd/octets.h"

#define CHANGES 2000u
#define WORKERS 2u
#define VECTOR 33u		/* more than a batch */
#define ROOM 512u
#define SLOTS 64u
#define IFINDEX 1u
#define NOW_S 1000u
#define ICV 12u
#define NUMBERS (1u << 22)	/* that each SA may use here */
#define PORTS 4u
#define LATE 3u			/* whose packets may come in though no entry is for them */
#define NO_ENTRY 0xff

/* What becomes of packets to a port, in either policy; entry ids are 10 times the policy, plus it. */
static const struct {
	uint8_t action;
	uint32_t spi;	/* of a PROTECT */
} says[2][PORTS] = {
	{ { IPSP_PROTECT, 0x1000 }, { IPSP_DISCARD, 0 }, { IPSP_BYPASS, 0 }, { IPSP_PROTECT, 0x4000 } },
	{ { IPSP_DISCARD, 0 }, { IPSP_PROTECT, 0x2000 }, { IPSP_PROTECT, 0x3000 }, { NO_ENTRY, 0x4000 } },
};

static struct ipsp_engine *engine;
static _Atomic bool over;
static _Atomic unsigned long sent, delivered, late;
static _Atomic uint8_t used[PORTS][NUMBERS], delivered_once[PORTS][NUMBERS];

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "concurrency: %s\n", what);
	abort();
}

/* ---- a provider whose ICV says whose key it was ---- */

struct ipsp_crypto_ctx {
	uint32_t spi;
};

static enum ipsp_err shape(uint8_t proto, uint16_t encr, uint16_t bits, uint16_t integ,
			   struct ipsp_crypto_shape *out)
{
	(void)proto;
	(void)encr;
	(void)bits;
	(void)integ;
	*out = (struct ipsp_crypto_shape){ .icv_len = ICV, .block_len = 4 };
	return IPSP_OK;
}

static enum ipsp_err ctx_new(const struct ipsp_sa_config *sa, unsigned n_threads,
			     struct ipsp_crypto_ctx **out)
{
	(void)n_threads;
	*out = malloc(sizeof(**out));
	must(*out != NULL, "no memory");
	(*out)->spi = sa->spi;
	return IPSP_OK;
}

static void ctx_free(struct ipsp_crypto_ctx *ctx)
{
	free(ctx);
}

static void icv_of(const struct ipsp_crypto_ctx *ctx, const uint8_t *aad, uint8_t icv[ICV])
{
	put_be32(icv, ctx->spi);
	memcpy(icv + 4, aad, 8);
}

static void seal(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops, size_t n)
{
	(void)thread;
	for (size_t i = 0; i < n; i++) {
		icv_of(ctx, ops[i].aad, ops[i].icv);
		ops[i].err = IPSP_OK;
	}
}

static void open_(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops, size_t n)
{
	uint8_t icv[ICV];

	(void)thread;
	for (size_t i = 0; i < n; i++) {
		icv_of(ctx, ops[i].aad, icv);
		ops[i].err = memcmp(icv, ops[i].icv, ICV) == 0 ? IPSP_OK : IPSP_EICV;
	}
}

static const struct ipsp_crypto provider = {
	.name = "judge", .shape = shape, .ctx_new = ctx_new, .ctx_free = ctx_free,
	.seal = seal, .open = open_,
};

static void *platform_alloc(void *ctx, size_t size)
{
	(void)ctx;
	return calloc(1, size);
}

static void platform_free(void *ctx, void *mem, size_t size)
{
	(void)ctx;
	(void)size;
	free(mem);
}

static enum ipsp_err platform_random(void *ctx, uint8_t *out, size_t len)
{
	(void)ctx;
	memset(out, 0x5a, len);
	return IPSP_OK;
}

static void platform_wipe(void *ctx, void *mem, size_t len)
{
	(void)ctx;
	memset(mem, 0, len);
}

static const struct ipsp_platform platform = {
	.alloc = platform_alloc, .free = platform_free, .random = platform_random,
	.wipe = platform_wipe, .crypto = &provider, .n_threads = WORKERS,
};

/* ---- the two policies ---- */

static struct ipsp_sa_config sa_of(uint32_t spi, enum ipsp_dir dir)
{
	const struct ipsp_addr us = { 4, { 192, 0, 2, 1 } }, peer = { 4, { 192, 0, 2, 2 } };

	return (struct ipsp_sa_config){
		.id = spi + dir, .counter_id = spi + dir, .dir = (uint8_t)dir,
		.proto = IPSP_PROTO_ESP, .mode = IPSP_MODE_TUNNEL, .df = IPSP_DF_COPY,
		.replay = true, .replay_window_pkts = 4096, .spi = spi,
		.encr = IPSP_ENCR_NULL, .integ = IPSP_INTEG_HMAC_SHA1_96, .integ_key.len = 20,
		/* Inbound, it is the other end of the same SA. */
		.local = dir == IPSP_OUTBOUND ? us : peer, .remote = dir == IPSP_OUTBOUND ? peer : us,
	};
}

static void apply(unsigned which, uint64_t generation)
{
	struct ipsp_selector boxes[PORTS];
	struct ipsp_spd_entry entries[2][PORTS];
	struct ipsp_sa_config sas[2 * PORTS];
	enum ipsp_err results[2 * PORTS];
	struct ipsp_spd_list lists[2];
	const struct ipsp_unasked unasked = {
		.sa_id = says[which][LATE].spi + IPSP_INBOUND, .again = which == 0, .n = 1,
		.n_selectors = which, .selectors = &boxes[LATE],
	};
	struct ipsp_update update = {
		.spd = { .generation = generation, .full = true, .n_lists = 2, .lists = lists },
		.sas = sas, .n_unasked = 1, .unasked = &unasked,
	};

	for (uint32_t i = 0; i < PORTS; i++) {
		ipsp_selector_any(4, &boxes[i]);
		boxes[i].dport_lo = boxes[i].dport_hi = i + 1;
	}
	for (enum ipsp_dir dir = IPSP_INBOUND; dir <= IPSP_OUTBOUND; dir++) {
		for (uint32_t i = 0; i < PORTS; i++) {
			const uint32_t spi = says[which][i].spi;

			entries[dir - 1][i] = (struct ipsp_spd_entry){
				.id = 10 * which + i + 1, .action = says[which][i].action,
				.sa_id = spi ? spi + dir : 0, .n_selectors = 1,
				.selectors = &boxes[i],
			};
			if (spi)
				sas[update.n_sas++] = sa_of(spi, dir);
		}
		lists[dir - 1] = (struct ipsp_spd_list){
			.ifindex = IFINDEX, .dir = (uint8_t)dir,
			.n_entries = says[which][LATE].action == NO_ENTRY ? LATE : PORTS,
			.entries = entries[dir - 1],
		};
	}
	must(ipsp_engine_apply(engine, &update, NOW_S, results) == IPSP_OK, "update refused");
	for (uint32_t i = 0; i < update.n_sas; i++)
		must(results[i] == IPSP_OK, "SA refused");
}

/* ---- traffic, and its judge ---- */

/* Copies of what one worker has sealed, for the other one. */
struct box {
	pthread_mutex_t lock;
	size_t n;
	uint32_t ports[VECTOR], lens[VECTOR];
	uint8_t octets[VECTOR][ROOM];
};

struct traffic {
	struct ipsp_worker *worker;
	struct box box;		/* the other one fills it */
	struct box *other;
	struct ipsp_packet packets[VECTOR];
	uint8_t rooms[VECTOR][ROOM];
};

static const uint8_t clear[48] = {
	0x45, 0, 0, 48, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
	0x13, 0x88, 0, 0, 0, 28, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8,
};

static uint32_t port_of(unsigned i)
{
	return i % PORTS;
}

static void lay_out(struct traffic *t)
{
	for (unsigned i = 0; i < VECTOR; i++) {
		struct ipsp_packet *p = &t->packets[i];

		*p = (struct ipsp_packet){
			.room = t->rooms[i], .room_len = ROOM,
			.data = t->rooms[i] + IPSP_HEADROOM, .len = sizeof(clear),
			.ifindex = IFINDEX,
		};
		memcpy(p->data, clear, sizeof(clear));
		put_be16(p->data + 22, (uint16_t)(port_of(i) + 1));
	}
}

static void judge_esp(const struct ipsp_packet *p, uint32_t spi, uint32_t port)
{
	const uint8_t *esp = p->data + 20;

	must(p->len >= 20 + 8 + sizeof(clear) + ICV && get_be32(esp) == spi, "not the SA's SPI");
	must(get_be32(p->data + p->len - ICV) == spi, "sealed with another SA's key");
	must(get_be32(esp + 4) < NUMBERS, "too many packets for this test");
	must(!atomic_exchange(&used[port][get_be32(esp + 4)], 1), "a number came twice");
}

static void judge_out(const struct ipsp_packet *p, uint32_t port)
{
	const uint64_t which = p->entry_id / 10;

	if (p->entry_id == 0) {
		must(port == LATE && p->verdict == IPSP_VERDICT_DROP &&
			     p->reason == IPSP_REASON_POLICY_DEFAULT,
		     "no entry, and it was not dropped");
		return;
	}
	must(p->entry_id % 10 == port + 1 && which < 2, "not an entry for this packet");
	switch (says[which][port].action) {
	case IPSP_DISCARD:
		must(p->verdict == IPSP_VERDICT_DROP && p->reason == IPSP_REASON_POLICY_DISCARD,
		     "DISCARD, and it was not dropped");
		break;
	case IPSP_BYPASS:
		must(p->verdict == IPSP_VERDICT_BYPASS && p->len == sizeof(clear),
		     "BYPASS, and it did not pass");
		break;
	default:
		/* Its SA may be gone already, or be there not yet. */
		if (p->verdict == IPSP_VERDICT_DROP)
			must(p->reason == IPSP_REASON_POLICY_NO_SA, "PROTECT, and dropped");
		else
			judge_esp(p, says[which][port].spi, port);
		must(p->verdict != IPSP_VERDICT_BYPASS, "PROTECT, and it passed in clear");
	}
}

static void judge_in(const struct ipsp_packet *p, uint32_t port, uint32_t number)
{
	const uint64_t which = p->entry_id / 10;

	must(p->verdict != IPSP_VERDICT_BYPASS, "ESP passed as it was");
	if (p->verdict != IPSP_VERDICT_DELIVER)
		return;
	atomic_fetch_add(&delivered, 1);
	must(!atomic_exchange(&delivered_once[port][number], 1), "a packet was delivered twice");
	atomic_fetch_add(&late, p->reason == IPSP_REASON_SA_UNASKED);
	if (p->reason == IPSP_REASON_SA_UNASKED)
		must(port == LATE && p->entry_id == 0, "delivered under another SA than was left");
	else
		must(p->entry_id % 10 == port + 1 && which < 2 &&
			     says[which][port].action == IPSP_PROTECT,
		     "delivered where policy does not say so");
	must(p->len == sizeof(clear) && p->data[28] == 1 && get_be16(p->data + 22) == port + 1,
	     "delivered, and changed");
}

static void take_in(struct traffic *t, struct ipsp_packet *in, const uint32_t *ports, size_t n)
{
	uint32_t numbers[VECTOR];

	for (size_t i = 0; i < n; i++)
		numbers[i] = get_be32(in[i].data + 24);
	ipsp_engine_inbound(t->worker, in, n, NOW_S);
	for (size_t i = 0; i < n; i++)
		judge_in(&in[i], ports[i], numbers[i]);
}

/* Its own, and copies into the other one's box. */
static void take_in_own(struct traffic *t)
{
	struct ipsp_packet in[VECTOR];
	uint32_t ports[VECTOR];
	size_t n = 0;

	pthread_mutex_lock(&t->other->lock);
	for (unsigned i = 0; i < VECTOR; i++) {
		const struct ipsp_packet *p = &t->packets[i];

		if (p->verdict != IPSP_VERDICT_ESP_OUT)
			continue;
		t->other->ports[n] = ports[n] = port_of(i);
		t->other->lens[n] = p->len;
		memcpy(t->other->octets[n], p->data, p->len);
		in[n++] = (struct ipsp_packet){
			.room = t->rooms[i], .room_len = ROOM, .data = p->data, .len = p->len,
			.ifindex = IFINDEX,
		};
	}
	t->other->n = n;
	pthread_mutex_unlock(&t->other->lock);
	take_in(t, in, ports, n);
}

static void take_in_others(struct traffic *t)
{
	struct ipsp_packet in[VECTOR];
	uint32_t ports[VECTOR];
	size_t n;

	pthread_mutex_lock(&t->box.lock);
	n = t->box.n;
	for (size_t i = 0; i < n; i++) {
		ports[i] = t->box.ports[i];
		in[i] = (struct ipsp_packet){
			.room = t->rooms[i], .room_len = ROOM,
			.data = t->rooms[i] + IPSP_HEADROOM, .len = t->box.lens[i],
			.ifindex = IFINDEX,
		};
		memcpy(in[i].data, t->box.octets[i], in[i].len);
	}
	t->box.n = 0;
	pthread_mutex_unlock(&t->box.lock);
	take_in(t, in, ports, n);
}

static void *run(void *arg)
{
	struct traffic *t = arg;

	while (!atomic_load(&over)) {
		lay_out(t);
		must(ipsp_engine_outbound(t->worker, t->packets, VECTOR, NOW_S) == VECTOR,
		     "not all were judged");
		for (unsigned i = 0; i < VECTOR; i++) {
			judge_out(&t->packets[i], port_of(i));
			if (t->packets[i].verdict == IPSP_VERDICT_ESP_OUT)
				atomic_fetch_add(&sent, 1);
		}
		take_in_own(t);
		take_in_others(t);
	}
	return NULL;
}

int main(void)
{
	const size_t region_size = (ipsp_counters_size(SLOTS) + 63) / 64 * 64;
	static struct traffic traffic[WORKERS];
	pthread_t threads[WORKERS];
	struct ipsp_engine_config config = { .platform = &platform, .counters_size = region_size };

	config.counters = aligned_alloc(64, region_size);
	must(config.counters != NULL, "no memory");
	memset(config.counters, 0, region_size);
	must(ipsp_engine_new(&config, &engine) == IPSP_OK, "no engine");
	apply(0, 1);
	for (unsigned i = 0; i < WORKERS; i++) {
		must(ipsp_worker_new(engine, &traffic[i].worker) == IPSP_OK, "no worker");
		pthread_mutex_init(&traffic[i].box.lock, NULL);
		traffic[i].other = &traffic[(i + 1) % WORKERS].box;
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		must(pthread_create(&threads[i], NULL, run, &traffic[i]) == 0, "no thread");
	}
	/* Traffic in between: some packets for each change, however the threads are scheduled. */
	for (uint64_t generation = 2; generation < CHANGES; generation++) {
		const unsigned long before = atomic_load(&sent);

		apply(generation % 2 ? 0 : 1, generation);
		if (generation % 16 == 0)
			ipsp_engine_tick(engine, NOW_S);
		while (generation % 8 == 0 && atomic_load(&sent) == before)
			sched_yield();
	}
	atomic_store(&over, true);
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(threads[i], NULL);
		ipsp_worker_free(traffic[i].worker);
	}
	ipsp_engine_free(engine);
	free(config.counters);
	printf("%u changes, %lu packets sent, %lu delivered, %lu of them late\n", CHANGES,
	       atomic_load(&sent), atomic_load(&delivered), atomic_load(&late));
	must(atomic_load(&delivered) > 0, "nothing was delivered");
	return EXIT_SUCCESS;
}
