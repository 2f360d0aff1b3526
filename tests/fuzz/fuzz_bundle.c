/*
 * tests/fuzz/fuzz_bundle.c - any octets as a packet through AH, IPComp and bundles, out and in.
 *
 * The first octet chooses the way, the mode and the chain; the rest is the packet. The provider takes
 * every ICV for good; compression is zlib's own.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compress/zlib.h"
#include "engine/crypto/hosted.h"
#include "ipsp/engine.h"
#include "tests/fuzz/trusting.h"

#define REGION_SLOTS 32u
#define PACKET_MAX 4096u
#define IFINDEX 1u
#define EXPANDED (64u << 10)	/* room for what decompresses */

enum {
	WAY_INBOUND = 1 << 0,
	WAY_TUNNEL = 1 << 1,
	WAY_CHAIN = 3 << 2,
	WAY_ENGINES = 1 << 4,	/* up to here a choice of engine */
	WAY_DECREMENT = 1 << 4,
	WAY_PASSING = 1 << 5,
};

/* Innermost first. */
static const uint8_t chains[4][IPSP_BUNDLE_MAX] = {
	{ IPSP_PROTO_AH },
	{ IPSP_PROTO_ESP, IPSP_PROTO_AH },
	{ IPSP_PROTO_IPCOMP, IPSP_PROTO_ESP },
	{ IPSP_PROTO_IPCOMP, IPSP_PROTO_ESP, IPSP_PROTO_AH },
};

static struct ipsp_platform platform;
static struct ipsp_worker *workers[WAY_ENGINES];

static void must(bool good)
{
	if (!good)
		abort();
}

static struct ipsp_sa_config sa_of(unsigned way, unsigned i, enum ipsp_dir dir)
{
	const uint8_t *chain = chains[(way & WAY_CHAIN) >> 2];
	const uint64_t first = dir == IPSP_OUTBOUND ? 1 : 11;
	struct ipsp_sa_config sa = {
		.id = first + i, .counter_id = first + i, .bundle_id = first, .dir = (uint8_t)dir,
		.proto = chain[i], .spi = 0x1000, .df = IPSP_DF_COPY,
		.mode = way & WAY_TUNNEL && i == 0 ? IPSP_MODE_TUNNEL : IPSP_MODE_TRANSPORT,
		.replay_window_pkts = 64, .encr = IPSP_ENCR_NULL,
		.next_id = i + 1 < IPSP_BUNDLE_MAX && chain[i + 1] ? first + i + 1 : 0,
	};

	if (sa.proto == IPSP_PROTO_IPCOMP)
		sa.spi = sa.encr = IPSP_COMP_DEFLATE;
	return sa;
}

/* Everything is to be protected. */
static void apply(struct ipsp_engine *engine, unsigned way)
{
	const uint8_t *chain = chains[(way & WAY_CHAIN) >> 2];
	struct ipsp_sa_config sas[2 * IPSP_BUNDLE_MAX];
	enum ipsp_err results[2 * IPSP_BUNDLE_MAX];
	struct ipsp_selector boxes[2];
	struct ipsp_spd_entry entries[2] = { 0 };
	struct ipsp_spd_list lists[2] = { 0 };
	struct ipsp_update update = {
		.spd = { .generation = 1, .full = true, .n_lists = 2, .lists = lists },
		.sas = sas,
	};

	ipsp_selector_any(4, &boxes[0]);
	ipsp_selector_any(6, &boxes[1]);
	for (unsigned out = 0; out < 2; out++) {
		const enum ipsp_dir dir = out ? IPSP_OUTBOUND : IPSP_INBOUND;

		for (unsigned i = 0; i < IPSP_BUNDLE_MAX && chain[i]; i++)
			sas[update.n_sas++] = sa_of(way, i, dir);
		entries[out] = (struct ipsp_spd_entry){
			.id = 1, .action = IPSP_PROTECT, .sa_id = out ? 1 : 11, .n_selectors = 2,
			.selectors = boxes,
		};
		lists[out] = (struct ipsp_spd_list){
			.ifindex = IFINDEX, .dir = (uint8_t)dir, .n_entries = 1,
			.entries = &entries[out],
		};
	}
	must(ipsp_engine_apply(engine, &update, 1, results) == IPSP_OK);
	for (uint32_t i = 0; i < update.n_sas; i++)
		must(results[i] == IPSP_OK);
}

static enum ipsp_err local_addr(void *ctx, const struct ipsp_addr *remote, struct ipsp_addr *local)
{
	(void)ctx;
	*local = *remote;
	return IPSP_OK;
}

static struct ipsp_worker *worker_of(unsigned way)
{
	struct ipsp_engine_config config = { .platform = &platform };
	struct ipsp_engine *engine;

	if (workers[way])
		return workers[way];
	ipsp_platform_hosted(&platform, fuzz_trusting());
	platform.local_addr = local_addr;
	platform.compress = ipsp_compress_zlib();
	config.counters_size = (ipsp_counters_size(REGION_SLOTS) + 63) / 64 * 64;
	config.counters = aligned_alloc(64, config.counters_size);
	must(config.counters != NULL);
	memset(config.counters, 0, config.counters_size);
	must(ipsp_engine_new(&config, &engine) == IPSP_OK);
	must(ipsp_worker_new(engine, &workers[way]) == IPSP_OK);
	apply(engine, way);
	return workers[way];
}

/* What must hold of every packet that is let go on. */
static void check_result(const struct ipsp_packet *p, unsigned way)
{
	const uint8_t *chain = chains[(way & WAY_CHAIN) >> 2];
	const bool out = !(way & WAY_INBOUND);
	struct ipsp_flow flow;
	unsigned outermost = 0;

	must(p->reason < IPSP_N_REASONS);
	must((p->verdict == IPSP_VERDICT_DROP || p->verdict == IPSP_VERDICT_ERROR) ==
	     (p->reason != IPSP_REASON_NONE));
	if (p->verdict != IPSP_VERDICT_ESP_OUT && p->verdict != IPSP_VERDICT_DELIVER)
		return;
	must(p->verdict == (out ? IPSP_VERDICT_ESP_OUT : IPSP_VERDICT_DELIVER));
	must(p->data >= p->room && p->data + p->len <= p->room + p->room_len);
	must(ipsp_flow_parse((struct ipsp_span){ p->data, p->len }, &flow) == IPSP_REASON_NONE);
	must(flow.total_len == p->len);
	must(p->sa->id == (out ? 1 : 11));
	while (outermost + 1 < IPSP_BUNDLE_MAX && chain[outermost + 1])
		outermost++;
	if (out)
		must(flow.proto == chain[outermost]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipsp_packet p = { .ifindex = IFINDEX };

	if (size < 1 || size > PACKET_MAX)
		return 0;
	p.len = (uint32_t)size - 1;
	p.room_len = IPSP_HEADROOM + p.len + (data[0] & WAY_INBOUND ? EXPANDED : IPSP_TAILROOM);
	p.room = malloc(p.room_len);
	must(p.room != NULL);
	p.data = p.room + IPSP_HEADROOM;
	memcpy(p.data, data + 1, p.len);
	if (data[0] & WAY_DECREMENT)
		p.flags |= IPSP_PKT_DECREMENT_TTL;
	if (data[0] & WAY_PASSING)
		p.flags |= IPSP_PKT_PASSING;
	if (data[0] & WAY_INBOUND)
		ipsp_engine_inbound(worker_of(data[0] % WAY_ENGINES), &p, 1, 1);
	else
		ipsp_engine_outbound(worker_of(data[0] % WAY_ENGINES), &p, 1, 1);
	check_result(&p, data[0]);
	free(p.room);
	return 0;
}
