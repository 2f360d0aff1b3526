/*
 * tests/bench/bench_cores.c - what a second worker brings: two threads, each with an SA pair of its own, in
 * one engine without I/O, over one of them alone.
 *
 * scale.cores, scale.cores.SIZE: ESP tunnel packets made and undone, AES-128-GCM, of SIZE octets of clear
 * packet. Both share the SPD, its lists and counters, the SAD and the counters' region, as in the daemon.
 * One and two take turns in short slices, so that both see the same machine. Each thread goes by its own
 * processor time: what workers take from one another is seen, what others do on the machine is not.
 * scale.cores.wall is the same by the clock, for a machine that does nothing else. scale.cores.raw.SIZE:
 * two threads that only let the crypto library seal and open texts of the same length, each with keys of
 * its own, over one of them: what the library leaves to scale.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/hosted.h"
#include "engine/crypto/provider.h"
#include "ipsp/engine.h"
#include "ipsp/platform.h"
#include "spd/octets.h"
#include "tests/bench/bench.h"

#define WORKERS 2u
#define VECTOR 64u
#define ROOM (IPSP_HEADROOM + 1500u + IPSP_TAILROOM)
#define SLOTS 64u
#define IFINDEX 1u
#define SPI 0x1000u
#define SLICE_S 0.02
#define SLICES 40u

struct runner {
	struct ipsp_worker *worker;
	struct ipsp_crypto_ctx *raw;	/* with the keys of its SAs */
	struct ipsp_crypto_shape shape;
	unsigned number;
	bool is_raw;		/* without the engine */
	uint32_t size;		/* of packets */
	double slice_s;
	double packets, cpu_s, wall_s;
	struct ipsp_packet packets_of[VECTOR];
	uint8_t rooms[VECTOR][ROOM];
};

static struct ipsp_platform platform;
static struct ipsp_engine *engine;
static struct runner runners[WORKERS];

static struct ipsp_addr addr(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct ipsp_addr){ 4, { a, b, c, d } };
}

/* Inbound it is the other end of the same SA. */
static struct ipsp_sa_config sa_config(unsigned worker, enum ipsp_dir dir)
{
	const uint8_t end = (uint8_t)(1 + 2 * worker);
	const bool out = dir == IPSP_OUTBOUND;
	struct ipsp_sa_config sa = {
		.id = SPI + 2 * worker + dir, .dir = (uint8_t)dir, .proto = IPSP_PROTO_ESP,
		.mode = IPSP_MODE_TUNNEL, .df = IPSP_DF_COPY, .replay = true,
		.replay_window_pkts = 64, .spi = SPI + worker,
		.local = addr(192, 0, 2, out ? end : (uint8_t)(end + 1)),
		.remote = addr(192, 0, 2, out ? (uint8_t)(end + 1) : end),
		.encr = IPSP_ENCR_AES_GCM_16, .encr_key_bits = 128, .encr_key.len = 20,
		.integ = IPSP_INTEG_NONE,
	};

	sa.counter_id = sa.id;
	for (uint8_t i = 0; i < sa.encr_key.len; i++)
		sa.encr_key.octets[i] = (uint8_t)(i * 7 + worker);
	return sa;
}

/* An entry for each worker's packets, in both lists: 10.1.0.0/16 to 10.2.0.0/16 and to 10.3.0.0/16. */
static void apply_policy(void)
{
	struct ipsp_selector boxes[WORKERS];
	struct ipsp_spd_entry entries[2][WORKERS];
	struct ipsp_sa_config sas[2 * WORKERS];
	struct ipsp_spd_list lists[2];
	enum ipsp_err results[2 * WORKERS];
	struct ipsp_update update = {
		.spd = { .generation = 1, .full = true, .n_lists = 2, .lists = lists },
		.sas = sas,
	};

	for (unsigned w = 0; w < WORKERS; w++) {
		const struct ipsp_addr dst = addr(10, (uint8_t)(2 + w), 0, 0);

		ipsp_selector_any(4, &boxes[w]);
		bench_must(ipsp_addr_prefix(&dst, 16, &boxes[w].dst_lo, &boxes[w].dst_hi) == IPSP_OK,
			   "prefix");
	}
	for (enum ipsp_dir dir = IPSP_INBOUND; dir <= IPSP_OUTBOUND; dir++) {
		for (unsigned w = 0; w < WORKERS; w++) {
			sas[update.n_sas] = sa_config(w, dir);
			entries[dir - 1][w] = (struct ipsp_spd_entry){
				.id = w + 1, .action = IPSP_PROTECT, .sa_id = sas[update.n_sas].id,
				.n_selectors = 1, .selectors = &boxes[w],
			};
			update.n_sas++;
		}
		lists[dir - 1] = (struct ipsp_spd_list){
			.ifindex = IFINDEX, .dir = (uint8_t)dir, .n_entries = WORKERS,
			.entries = entries[dir - 1],
		};
	}
	bench_must(ipsp_engine_apply(engine, &update, 1, results) == IPSP_OK, "policy is not taken");
	for (uint32_t i = 0; i < update.n_sas; i++)
		bench_must(results[i] == IPSP_OK, "an SA is not taken");
}

static void start_raw(struct runner *r)
{
	const struct ipsp_sa_config sa = sa_config(r->number, IPSP_OUTBOUND);

	bench_must(platform.crypto->shape(sa.proto, sa.encr, sa.encr_key_bits, sa.integ,
					  &r->shape) == IPSP_OK &&
			   platform.crypto->ctx_new(&sa, WORKERS, &r->raw) == IPSP_OK,
		   "no raw context");
}

static void start(void)
{
	const size_t region_size = (ipsp_counters_size(SLOTS) + 63) / 64 * 64;
	struct ipsp_engine_config config = { .platform = &platform, .counters_size = region_size };

	config.counters = aligned_alloc(64, region_size);
	bench_must(config.counters != NULL, "no memory");
	memset(config.counters, 0, region_size);
	bench_must(ipsp_engine_new(&config, &engine) == IPSP_OK, "no engine");
	apply_policy();
	for (unsigned w = 0; w < WORKERS; w++) {
		runners[w].number = w;
		bench_must(ipsp_worker_new(engine, &runners[w].worker) == IPSP_OK, "no worker");
		start_raw(&runners[w]);
	}
}

static void lay_out(struct runner *r)
{
	static const uint8_t header[28] = {
		0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 10, 1, 0, 2, 10, 2, 0, 2,
		0x13, 0x88, 0, 53,
	};

	for (uint32_t i = 0; i < VECTOR; i++) {
		struct ipsp_packet *p = &r->packets_of[i];

		*p = (struct ipsp_packet){
			.room = r->rooms[i], .len = r->size, .room_len = ROOM, .ifindex = IFINDEX,
			.data = r->rooms[i] + IPSP_HEADROOM,
		};
		memcpy(p->data, header, sizeof(header));
		put_be16(p->data + 2, (uint16_t)r->size);
		put_be16(p->data + 24, (uint16_t)(r->size - 20));
		p->data[17] = (uint8_t)(2 + r->number);
	}
}

static void run_engine(struct runner *r)
{
	lay_out(r);
	ipsp_engine_outbound(r->worker, r->packets_of, VECTOR, 1);
	ipsp_engine_inbound(r->worker, r->packets_of, VECTOR, 1);
	for (uint32_t i = 0; i < VECTOR; i++)
		bench_must(r->packets_of[i].verdict == IPSP_VERDICT_DELIVER,
			   ipsp_reason_key(r->packets_of[i].reason));
}

/* SPI and number, IV, text and ICV, as they stand in a packet. */
static void run_raw(struct runner *r)
{
	struct ipsp_crypto_op ops[VECTOR];

	for (uint32_t i = 0; i < VECTOR; i++) {
		const uint32_t block = r->shape.block_len;

		ops[i] = ipsp_crypto_op_at(r->rooms[i], &r->shape,
					   (r->size + 2 + block - 1) / block * block);
	}
	platform.crypto->seal(r->raw, r->number, ops, VECTOR);
	platform.crypto->open(r->raw, r->number, ops, VECTOR);
	for (uint32_t i = 0; i < VECTOR; i++)
		bench_must(ops[i].err == IPSP_OK, "a text is not opened");
}

static void *run(void *arg)
{
	struct runner *const r = arg;
	const double from_s = bench_cpu_s(), wall_from_s = bench_wall_s();

	do {
		if (r->is_raw)
			run_raw(r);
		else
			run_engine(r);
		r->packets += VECTOR;
	} while (bench_cpu_s() - from_s < r->slice_s);
	r->cpu_s += bench_cpu_s() - from_s;
	r->wall_s += bench_wall_s() - wall_from_s;
	return NULL;
}

/* Packets a second of so many workers together, by processor time and by the clock. */
struct rate {
	double cpu, wall;
};

static struct rate slice(unsigned n_workers, uint32_t size, bool is_raw)
{
	pthread_t threads[WORKERS];
	struct rate sum = { 0 };

	for (unsigned w = 0; w < n_workers; w++) {
		runners[w].size = size;
		runners[w].is_raw = is_raw;
		runners[w].slice_s = bench_enough_s(SLICE_S);
		runners[w].packets = runners[w].cpu_s = runners[w].wall_s = 0;
		bench_must(pthread_create(&threads[w], NULL, run, &runners[w]) == 0, "no thread");
	}
	for (unsigned w = 0; w < n_workers; w++) {
		pthread_join(threads[w], NULL);
		sum.cpu += runners[w].packets / runners[w].cpu_s;
		sum.wall += runners[w].packets / runners[w].wall_s;
	}
	return sum;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values)
{
	qsort(values, SLICES, sizeof(*values), compare);
	return values[SLICES / 2];
}

/* @return two over one, the median of slices in turns */
static struct rate measure(uint32_t size, bool is_raw)
{
	double cpu[SLICES], wall[SLICES];

	for (unsigned i = 0; i < SLICES; i++) {
		const struct rate one = slice(1, size, is_raw), two = slice(2, size, is_raw);

		cpu[i] = two.cpu / one.cpu;
		wall[i] = two.wall / one.wall;
	}
	return (struct rate){ median(cpu), median(wall) };
}

int main(void)
{
	static const struct ipsp_crypto_options options = { .secmem_bytes = 65536 };

	bench_must(ipsp_crypto_init(&options) == IPSP_OK, "no crypto library is usable");
	ipsp_platform_hosted(&platform, ipsp_crypto_provider());
	platform.n_threads = WORKERS;
	start();
	const struct rate small = measure(64, false), large = measure(1400, false);

	bench_line(small.cpu < large.cpu ? small.cpu : large.cpu, "ratio", "scale.cores");
	bench_line(small.cpu, "ratio", "scale.cores.64");
	bench_line(large.cpu, "ratio", "scale.cores.1400");
	bench_line(small.wall < large.wall ? small.wall : large.wall, "ratio", "scale.cores.wall");
	bench_line(measure(64, true).cpu, "ratio", "scale.cores.raw.64");
	bench_line(measure(1400, true).cpu, "ratio", "scale.cores.raw.1400");
	return EXIT_SUCCESS;
}
