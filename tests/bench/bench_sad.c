/*
 * tests/bench/bench_sad.c - a hundred thousand SAs of a key manager: their memory, and calls a second.
 *
 * sad.bytes_per_sa is all that an SA costs: SA, number space, its place in the indexes and in the list
 * of lifetimes, and the provider's context with the keys. What libraries hold apart from malloc's heap
 * is in sad.rss_per_sa. sad.add, .getspi, .update, .delete, .expire and .walk are thousand SAs a second,
 * sad.find is million outbound packets a second that find theirs, each SA's own.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/crypto/gcrypt.h"
#include "engine/crypto/hosted.h"
#include "engine/crypto/hosted_memory.h"
#include "ipsp/engine.h"
#include "ipsp/platform.h"
#include "spd/octets.h"
#include "tests/bench/bench.h"

#define SLOTS 16u
#define SAS 100000u
#define QUICK_SAS 1000u
#define REQID 7u

static struct ipsp_engine *engine;
static uint32_t n_sas;

static struct ipsp_addr address(uint32_t host)
{
	struct ipsp_addr a = { 4, { 10 } };

	put_be32(a.octets, 0x0a000000u + host);
	return a;
}

/* An SA of one host's own, as populate-from-packet makes them. */
static struct ipsp_sa_config config(enum ipsp_dir dir, uint32_t i)
{
	struct ipsp_sa_config c = {
		.origin = IPSP_ORIGIN_PFKEY, .dir = (uint8_t)dir, .proto = IPSP_PROTO_ESP,
		.mode = IPSP_MODE_TUNNEL, .df = IPSP_DF_COPY, .replay = true,
		.replay_window_pkts = 64, .spi = 4096 + i, .reqid = REQID,
		.life_s = 3600 + i % 1000, .soft_s = 3000 + i % 1000,
		.local = { 4, { 192, 0, 2, 1 } }, .remote = { 4, { 192, 0, 2, 2 } },
		.encr = IPSP_ENCR_AES_GCM_16, .encr_key_bits = 128, .encr_key.len = 20,
	};

	put_be32(c.encr_key.octets, i);
	ipsp_selector_any(4, &c.sel);
	c.sel.src_lo = c.sel.src_hi = address(i);
	return c;
}

static size_t heap(void)
{
	const struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd + hosted_memory_used();
}

static size_t resident(void)
{
	unsigned long size, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	bench_must(f && fscanf(f, "%lu %lu", &size, &pages) == 2, "/proc/self/statm");
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void rate(const char *what, double seconds)
{
	bench_line(n_sas / (seconds > 0 ? seconds : 1e-9) / 1000, "k/s", "sad.%s", what);
}

static void bench_add(void)
{
	const size_t heap_before = heap(), resident_before = resident();
	const struct ipsp_sa *sa;
	double seconds = bench_cpu_s();

	for (uint32_t i = 0; i < n_sas; i++) {
		const struct ipsp_sa_config c = config(IPSP_OUTBOUND, i);

		bench_must(ipsp_engine_sa_add(engine, &c, 0, &sa) == IPSP_OK, "an SA");
	}
	seconds = bench_cpu_s() - seconds;
	rate("add", seconds);
	bench_line((double)(heap() - heap_before) / n_sas, "octets", "sad.bytes_per_sa");
	bench_line((double)(resident() - resident_before) / n_sas, "octets", "sad.rss_per_sa");
}

static void bench_find(void)
{
	const double enough = bench_enough_s(1);
	struct ipsp_flow flow = {
		.family = 4, .proto = 17, .proto_known = true, .ports_known = true, .sport = 1,
		.dport = 2, .dst = { 4, { 10, 1 } },
	};
	const struct ipsp_sa_query q = {
		.reqid = REQID, .proto = IPSP_PROTO_ESP, .mode = IPSP_MODE_TUNNEL,
		.pfp = IPSP_PFP_SOURCE, .remote = { 4, { 192, 0, 2, 2 } }, .flow = &flow,
	};
	uint64_t random = 1;
	double seconds = 0, n = 0;

	while (seconds < enough) {
		const double before = bench_cpu_s();

		for (uint32_t i = 0; i < 1000; i++) {
			flow.src = address(bench_below(&random, n_sas));
			bench_must(ipsp_sad_find_traffic(ipsp_engine_sad(engine), &q, 1) != NULL,
				   "a packet without its SA");
		}
		seconds += bench_cpu_s() - before;
		n += 1000;
	}
	bench_line(n / seconds / 1e6, "M/s", "sad.find");
}

static void bench_walk(void)
{
	struct ipsp_sad_cursor cursor;
	double seconds = bench_cpu_s();
	uint32_t n = 0;

	ipsp_sad_cursor_init(&cursor, ipsp_engine_sad(engine));
	while (ipsp_sad_cursor_next(&cursor))
		n++;
	ipsp_sad_cursor_fini(&cursor);
	bench_must(n == n_sas, "a walk that leaves SAs out");
	rate("walk", bench_cpu_s() - seconds);
}

static void bench_expire(void)
{
	double seconds = bench_cpu_s();

	for (uint64_t now_s = 0; now_s <= 5000; now_s++)
		ipsp_engine_tick(engine, now_s);
	bench_must(ipsp_sad_count(ipsp_engine_sad(engine)) == 0, "SAs that do not end");
	rate("expire", bench_cpu_s() - seconds);
}

/* The way of an inbound SA: an SPI, then keys for it. */
static void bench_negotiated(void)
{
	const struct ipsp_spi_request r = {
		.proto = IPSP_PROTO_ESP, .mode = IPSP_MODE_TUNNEL, .reqid = REQID,
		.src = { 4, { 192, 0, 2, 2 } }, .dst = { 4, { 192, 0, 2, 1 } },
		.spi_min = 256, .spi_max = UINT32_MAX, .larval_s = 100000,
	};
	uint32_t *spis = calloc(n_sas, sizeof(*spis));
	struct ipsp_sa_name name = { IPSP_PROTO_ESP, 0, r.dst };
	const struct ipsp_sa *sa;
	double seconds = bench_cpu_s();

	bench_must(spis != NULL, "memory");
	for (uint32_t i = 0; i < n_sas; i++) {
		bench_must(ipsp_engine_sa_getspi(engine, &r, 0, &sa) == IPSP_OK, "an SPI");
		spis[i] = sa->spi;
	}
	rate("getspi", bench_cpu_s() - seconds);
	seconds = bench_cpu_s();
	for (uint32_t i = 0; i < n_sas; i++) {
		struct ipsp_sa_config c = config(IPSP_INBOUND, i);

		name.spi = c.spi = spis[i];
		bench_must(ipsp_engine_sa_update(engine, &name, &c, 0, &sa) == IPSP_OK, "keys");
	}
	rate("update", bench_cpu_s() - seconds);
	seconds = bench_cpu_s();
	for (uint32_t i = 0; i < n_sas; i++) {
		name.spi = spis[i];
		bench_must(ipsp_engine_sa_delete(engine, &name) == IPSP_OK, "a deletion");
	}
	rate("delete", bench_cpu_s() - seconds);
	free(spis);
}

int main(void)
{
	struct ipsp_platform platform;
	const size_t size = ipsp_counters_size(SLOTS);
	void *region = aligned_alloc(64, (size + 63) / 64 * 64);
	const struct ipsp_engine_config config = {
		.platform = &platform, .counters = region, .counters_size = size,
	};

	bench_must(region && ipsp_crypto_gcrypt_init(1u << 20) == IPSP_OK, "crypto");
	memset(region, 0, size);
	ipsp_platform_hosted(&platform, ipsp_crypto_gcrypt());
	bench_must(ipsp_engine_new(&config, &engine) == IPSP_OK, "engine");
	n_sas = bench_is_quick() ? QUICK_SAS : SAS;
	bench_add();
	bench_find();
	bench_walk();
	bench_expire();
	bench_negotiated();
	ipsp_engine_free(engine);
	free(region);
	return 0;
}
