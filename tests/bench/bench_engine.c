/*
 * tests/bench/bench_engine.c - ESP tunnel processing without I/O, beside the bare crypto provider.
 *
 * engine.DIR.ALGORITHM.SIZE.{pps,gbps,raw_pps,vs_raw}; SIZE is the clear packet with its IP header.
 * crypto.LIBRARY.ALGORITHM.SIZE.{seal,open}: each library alone.
 * Everything a packet meets is measured: its headers read, the SPD looked up, the SA found, numbers
 * and replay window, outer header, padding, crypto, and inbound the check against the policy. Raw
 * is the best library alone on texts of the same length in the same buffers, in turns with the
 * engine, so that both see the same machine. One thread, its processor time.
 *
 * The two are on a par: both go through the same 256 buffers in vectors of 64, which just had new headers
 * written into them, and neither finds its packets in the first cache: of 1400 octets they are half a
 * megabyte. A provider that was given one hot buffer again and again would be measured faster than any
 * engine can feed it. What came of packets is looked at when the clock has stopped, on both sides.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/hosted.h"
#include "engine/crypto/provider.h"
#include "engine/crypto/single.h"
#include "ipsp/engine.h"
#include "ipsp/platform.h"
#include "spd/octets.h"
#include "tests/bench/bench.h"

#define VECTOR 64u		/* packets a call */
#define CHUNK 256u		/* packets between two looks at the clock */
#define ROOM (IPSP_HEADROOM + 1500u + IPSP_TAILROOM)
#define ENTRIES 10u		/* SPD entries before the one that protects */
#define SLOTS 64u
#define IFINDEX 1u
#define SPI 0x1000u
#define ESP_HEADER 8u
#define OUTER_HEADER 20u
#define OUT_ID 1u
#define IN_ID 2u
#define LIBRARIES 2u

static const struct algorithm {
	const char *name;
	uint16_t encr, key_bits, salt_len, integ, integ_len;
} algorithms[] = {
	{ "aes128gcm", IPSP_ENCR_AES_GCM_16, 128, 4, IPSP_INTEG_NONE, 0 },
	{ "aes192gcm", IPSP_ENCR_AES_GCM_16, 192, 4, IPSP_INTEG_NONE, 0 },
	{ "aes256gcm", IPSP_ENCR_AES_GCM_16, 256, 4, IPSP_INTEG_NONE, 0 },
	{ "aes128cbcsha256", IPSP_ENCR_AES_CBC, 128, 0, IPSP_INTEG_HMAC_SHA2_256_128, 32 },
	{ "aes192cbcsha256", IPSP_ENCR_AES_CBC, 192, 0, IPSP_INTEG_HMAC_SHA2_256_128, 32 },
	{ "aes256cbcsha256", IPSP_ENCR_AES_CBC, 256, 0, IPSP_INTEG_HMAC_SHA2_256_128, 32 },
	{ "aes128cbcsha1", IPSP_ENCR_AES_CBC, 128, 0, IPSP_INTEG_HMAC_SHA1_96, 20 },
	{ "aes192cbcsha1", IPSP_ENCR_AES_CBC, 192, 0, IPSP_INTEG_HMAC_SHA1_96, 20 },
	{ "aes256cbcsha1", IPSP_ENCR_AES_CBC, 256, 0, IPSP_INTEG_HMAC_SHA1_96, 20 },
	{ "chacha20poly1305", IPSP_ENCR_CHACHA20_POLY1305, 256, 4, IPSP_INTEG_NONE, 0 },
	{ "nullsha256", IPSP_ENCR_NULL, 0, 0, IPSP_INTEG_HMAC_SHA2_256_128, 32 },
	{ "nullsha1", IPSP_ENCR_NULL, 0, 0, IPSP_INTEG_HMAC_SHA1_96, 20 },
};

static const uint32_t sizes[] = { 64, 512, 1400 };

struct bench {
	struct ipsp_platform platform;
	struct ipsp_engine *engine;
	struct ipsp_worker *worker;
	const struct ipsp_crypto *libraries[LIBRARIES];
	struct ipsp_crypto_ctx *raw[LIBRARIES];	/* with the keys of the SAs; NULL: not its own */
	struct ipsp_crypto_shape shape;
	void *region;
	uint8_t *buffers;
	struct ipsp_packet packets[CHUNK];
	struct ipsp_crypto_op ops[CHUNK];
};

/* Packets and seconds of one side. */
struct tally {
	double packets, seconds;
};

static struct ipsp_sa_config sa_config(const struct algorithm *a, enum ipsp_dir dir)
{
	struct ipsp_sa_config sa = {
		.id = dir == IPSP_OUTBOUND ? OUT_ID : IN_ID, .dir = (uint8_t)dir,
		.proto = IPSP_PROTO_ESP, .mode = IPSP_MODE_TUNNEL, .df = IPSP_DF_COPY,
		.replay = true, .replay_window_pkts = 64, .spi = SPI,
		.local = { 4, { 192, 0, 2, 1 } }, .remote = { 4, { 192, 0, 2, 2 } },
		.encr = a->encr, .encr_key_bits = a->key_bits, .integ = a->integ,
		.encr_key.len = (uint16_t)(a->key_bits / 8u + a->salt_len),
		.integ_key.len = a->integ_len,
	};

	if (dir == IPSP_INBOUND) {
		/* The other end of the same SA: what goes out comes in as it is. */
		const struct ipsp_addr swap = sa.local;

		sa.local = sa.remote;
		sa.remote = swap;
	}
	sa.counter_id = sa.id;
	for (uint32_t i = 0; i < sa.encr_key.len; i++)
		sa.encr_key.octets[i] = (uint8_t)(i * 7 + 1);
	for (uint32_t i = 0; i < sa.integ_key.len; i++)
		sa.integ_key.octets[i] = (uint8_t)(i * 11 + 3);
	return sa;
}

/* Ten entries for other subnets, then the one that protects 10.1.0.0/16 to 10.2.0.0/16. */
static void fill_entries(struct ipsp_spd_entry *entries, struct ipsp_selector *boxes,
			 uint64_t sa_id)
{
	for (uint8_t i = 0; i <= ENTRIES; i++) {
		const bool last = i == ENTRIES;
		const struct ipsp_addr src = { 4, { 10, last ? 1 : (uint8_t)(20 + i) } };
		const struct ipsp_addr dst = { 4, { 10, last ? 2 : (uint8_t)(40 + i) } };

		ipsp_selector_any(4, &boxes[i]);
		bench_must(ipsp_addr_prefix(&src, 16, &boxes[i].src_lo, &boxes[i].src_hi) ==
			   IPSP_OK && ipsp_addr_prefix(&dst, 16, &boxes[i].dst_lo,
						       &boxes[i].dst_hi) == IPSP_OK, "prefixes");
		entries[i] = (struct ipsp_spd_entry){
			.id = i + 1u, .action = last ? IPSP_PROTECT : IPSP_BYPASS,
			.sa_id = last ? sa_id : 0, .n_selectors = 1, .selectors = &boxes[i],
		};
	}
}

static void apply_policy(struct bench *b, const struct algorithm *a)
{
	struct ipsp_selector boxes[2][ENTRIES + 1];
	struct ipsp_spd_entry entries[2][ENTRIES + 1];
	struct ipsp_sa_config sas[2] = { sa_config(a, IPSP_OUTBOUND), sa_config(a, IPSP_INBOUND) };
	struct ipsp_spd_list lists[2];
	enum ipsp_err results[2];
	const struct ipsp_update update = {
		.spd = { .generation = 1, .full = true, .n_lists = 2, .lists = lists },
		.n_sas = 2, .sas = sas,
	};

	for (int i = 0; i < 2; i++) {
		fill_entries(entries[i], boxes[i], i ? IN_ID : OUT_ID);
		lists[i] = (struct ipsp_spd_list){
			.ifindex = IFINDEX,
			.dir = (uint8_t)(i ? IPSP_INBOUND : IPSP_OUTBOUND),
			.n_entries = ENTRIES + 1, .entries = entries[i],
		};
	}
	bench_must(ipsp_engine_apply(b->engine, &update, 1, results) == IPSP_OK &&
		   results[0] == IPSP_OK && results[1] == IPSP_OK, "policy is not taken");
	for (unsigned i = 0; i < LIBRARIES; i++) {
		b->raw[i] = NULL;
		if (b->libraries[i])
			(void)(b->libraries[i]->ctx_new(&sas[0], 1, &b->raw[i]) == IPSP_OK);
	}
	bench_must(b->raw[0] || b->raw[1], "no raw context");
}

static void start(struct bench *b, const struct algorithm *a)
{
	const size_t region_size = (ipsp_counters_size(SLOTS) + 63) / 64 * 64;
	struct ipsp_engine_config config = { .platform = &b->platform };

	b->region = aligned_alloc(64, region_size);
	b->buffers = calloc(CHUNK, ROOM);
	bench_must(b->region && b->buffers, "no memory");
	memset(b->region, 0, region_size);
	config.counters = b->region;
	config.counters_size = region_size;
	bench_must(ipsp_engine_new(&config, &b->engine) == IPSP_OK &&
		   ipsp_worker_new(b->engine, &b->worker) == IPSP_OK, "no engine");
	apply_policy(b, a);
}

static void stop(struct bench *b)
{
	ipsp_worker_free(b->worker);
	ipsp_engine_free(b->engine);
	for (unsigned i = 0; i < LIBRARIES; i++) {
		if (b->raw[i])
			b->libraries[i]->ctx_free(b->raw[i]);
	}
	free(b->buffers);
	free(b->region);
}

/* Clear UDP packets of that size, each in its place. */
static void lay_out_clear(struct bench *b, uint32_t size)
{
	static const uint8_t header[28] = {
		0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 10, 1, 0, 2, 10, 2, 0, 2,
		0x13, 0x88, 0, 53,
	};

	for (uint32_t i = 0; i < CHUNK; i++) {
		struct ipsp_packet *p = &b->packets[i];

		*p = (struct ipsp_packet){
			.room = b->buffers + (size_t)i * ROOM, .len = size, .room_len = ROOM,
			.ifindex = IFINDEX,
		};
		p->data = p->room + IPSP_HEADROOM;
		memcpy(p->data, header, sizeof(header));
		put_be16(p->data + 2, (uint16_t)size);
		put_be16(p->data + 24, (uint16_t)(size - 20));
	}
}

/* The same buffers as texts for the provider, as long as ESP makes them for that size. */
static void lay_out_raw(struct bench *b, uint32_t size)
{
	const uint32_t block = b->shape.block_len;

	for (uint32_t i = 0; i < CHUNK; i++) {
		uint8_t *const esp = b->buffers + (size_t)i * ROOM + IPSP_HEADROOM - ESP_HEADER -
				     b->shape.iv_len;

		b->ops[i] = ipsp_crypto_op_at(esp, &b->shape, (size + 2 + block - 1) / block * block);
		put_be32(esp, SPI);
		put_be32(esp + 4, i + 1);
	}
}

static void pass(struct bench *b, enum ipsp_dir dir)
{
	for (uint32_t i = 0; i < CHUNK; i += VECTOR) {
		if (dir == IPSP_OUTBOUND)
			ipsp_engine_outbound(b->worker, b->packets + i, VECTOR, 1);
		else
			ipsp_engine_inbound(b->worker, b->packets + i, VECTOR, 1);
	}
}

static void check_verdicts(const struct bench *b, enum ipsp_dir dir)
{
	const enum ipsp_verdict verdict = dir == IPSP_OUTBOUND ? IPSP_VERDICT_ESP_OUT :
								 IPSP_VERDICT_DELIVER;

	for (uint32_t i = 0; i < CHUNK; i++)
		bench_must(b->packets[i].verdict == verdict,
			   ipsp_reason_key(b->packets[i].reason));
}

static void run_raw(struct bench *b, unsigned library, enum ipsp_dir dir)
{
	for (uint32_t i = 0; i < CHUNK; i += VECTOR) {
		if (dir == IPSP_OUTBOUND)
			b->libraries[library]->seal(b->raw[library], 0, b->ops + i, VECTOR);
		else
			b->libraries[library]->open(b->raw[library], 0, b->ops + i, VECTOR);
	}
}

static void check_ops(const struct bench *b)
{
	for (uint32_t i = 0; i < CHUNK; i++)
		bench_must(b->ops[i].err == IPSP_OK, "the provider fails");
}

static void engine_chunk(struct bench *b, enum ipsp_dir dir, uint32_t size, struct tally *t)
{
	double from;

	lay_out_clear(b, size);
	if (dir == IPSP_INBOUND) {
		/* Fresh numbers each time: the window is at work. */
		pass(b, IPSP_OUTBOUND);
		check_verdicts(b, IPSP_OUTBOUND);
		bench_must(b->packets[0].len == OUTER_HEADER + ESP_HEADER + b->shape.iv_len +
			   b->ops[0].text_len + b->shape.icv_len, "raw texts differ in length");
	}
	from = bench_cpu_s();
	pass(b, dir);
	t->seconds += bench_cpu_s() - from;
	t->packets += CHUNK;
	check_verdicts(b, dir);
}

static void raw_chunk(struct bench *b, unsigned library, enum ipsp_dir dir, uint32_t size,
		      struct tally *t)
{
	double from;

	lay_out_raw(b, size);
	if (dir == IPSP_INBOUND)
		run_raw(b, library, IPSP_OUTBOUND);
	from = bench_cpu_s();
	run_raw(b, library, dir);
	t->seconds += bench_cpu_s() - from;
	t->packets += CHUNK;
	check_ops(b);
}

/* Each library in turn. */
static void raw_chunks(struct bench *b, enum ipsp_dir dir, uint32_t size,
		       struct tally raw[LIBRARIES])
{
	for (unsigned i = 0; i < LIBRARIES; i++) {
		if (b->raw[i])
			raw_chunk(b, i, dir, size, &raw[i]);
	}
}

/* Prints what each library does by itself. @return the best one's packets a second */
static double print_raw(const struct bench *b, const char *algorithm, enum ipsp_dir dir,
			uint32_t size, const struct tally raw[LIBRARIES])
{
	double best = 0;

	for (unsigned i = 0; i < LIBRARIES; i++) {
		if (!b->raw[i])
			continue;
		bench_line(raw[i].seconds / raw[i].packets * 1e9, "ns", "crypto.%s.%s.%u.%s",
			   b->libraries[i]->name, algorithm, size,
			   dir == IPSP_OUTBOUND ? "seal" : "open");
		if (raw[i].packets / raw[i].seconds > best)
			best = raw[i].packets / raw[i].seconds;
	}
	return best;
}

static void measure(struct bench *b, const char *algorithm, enum ipsp_dir dir, uint32_t size)
{
	const char *way = dir == IPSP_OUTBOUND ? "encap" : "decap";
	const double enough_s = bench_enough_s(0.15);
	struct tally engine = { 0 }, raw[LIBRARIES] = { 0 };
	double pps, raw_pps;

	/* Once unmeasured: caches and page tables. */
	raw_chunks(b, dir, size, raw);
	engine_chunk(b, dir, size, &engine);
	engine = raw[0] = raw[1] = (struct tally){ 0 };
	while (engine.seconds < enough_s) {
		engine_chunk(b, dir, size, &engine);
		raw_chunks(b, dir, size, raw);
	}
	pps = engine.packets / engine.seconds;
	raw_pps = print_raw(b, algorithm, dir, size, raw);
	bench_line(pps, "packet/s", "engine.%s.%s.%u.pps", way, algorithm, size);
	bench_line(pps * size * 8 / 1e9, "Gbit/s", "engine.%s.%s.%u.gbps", way, algorithm, size);
	bench_line(raw_pps, "packet/s", "engine.%s.%s.%u.raw_pps", way, algorithm, size);
	bench_line(pps / raw_pps, "ratio", "engine.%s.%s.%u.vs_raw", way, algorithm, size);
}

int main(void)
{
	static const struct ipsp_crypto_options options = { .secmem_bytes = 65536 };
	static struct bench b;

	bench_must(ipsp_crypto_init(&options) == IPSP_OK, "no crypto library is usable");
	b.libraries[0] = ipsp_crypto_gcrypt();
	b.libraries[1] = ipsp_crypto_ipsec_mb();
	ipsp_platform_hosted(&b.platform, ipsp_crypto_provider());
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		const struct algorithm *a = &algorithms[i];

		if (b.platform.crypto->shape(IPSP_PROTO_ESP, a->encr, a->key_bits, a->integ,
					     &b.shape) != IPSP_OK)
			continue;
		start(&b, a);
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			measure(&b, a->name, IPSP_OUTBOUND, sizes[s]);
			measure(&b, a->name, IPSP_INBOUND, sizes[s]);
		}
		stop(&b);
	}
	return EXIT_SUCCESS;
}
