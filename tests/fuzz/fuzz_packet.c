/*
 * tests/fuzz/fuzz_packet.c - any octets as a packet, outbound and inbound.
 *
 * The first octet chooses the way, the mode and the flags; the rest is the packet. The provider
 * here takes every ICV for good, so that what stands behind the integrity check is reached as well.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/hosted.h"
#include "ipsp/engine.h"
#include "tests/fuzz/trusting.h"

#define REGION_SLOTS 16u
#define PACKET_MAX 4096u
#define IFINDEX 1u

enum {
	WAY_INBOUND = 1 << 0,
	WAY_TUNNEL = 1 << 1,
	WAY_ESN = 1 << 2,
	WAY_BLOCKS = 1 << 3,	/* an IV and blocks of 16 */
	WAY_ENGINES = 1 << 4,	/* up to here a choice of engine */
	WAY_TRANSIT = 1 << 4,
	WAY_DECREMENT = 1 << 5,
	WAY_CSUM = 1 << 6,
	WAY_CLEAR = 1 << 7,	/* an interface whose first entry restricts ports */
};

static struct ipsp_platform platform;
static struct ipsp_worker *workers[WAY_ENGINES];

static void must(bool good)
{
	if (!good)
		abort();
}

static struct ipsp_sa_config sa_of(unsigned way, uint64_t id, enum ipsp_dir dir)
{
	return (struct ipsp_sa_config){
		.id = id, .counter_id = id, .dir = (uint8_t)dir, .proto = IPSP_PROTO_ESP,
		.mode = way & WAY_TUNNEL ? IPSP_MODE_TUNNEL : IPSP_MODE_TRANSPORT,
		.df = IPSP_DF_COPY, .spi = 0x1000, .esn = (way & WAY_ESN) != 0,
		.replay = (way & WAY_ESN) != 0, .replay_window_pkts = 64,
		.encr = way & WAY_BLOCKS ? IPSP_ENCR_AES_CBC : IPSP_ENCR_NULL,
	};
}

/* Everything is to be protected; on the second interface only what is not for port 53 first. */
static void apply(struct ipsp_engine *engine, unsigned way)
{
	const struct ipsp_sa_config sas[2] = {
		sa_of(way, 1, IPSP_OUTBOUND), sa_of(way, 2, IPSP_INBOUND),
	};
	struct ipsp_selector boxes[2], port;
	struct ipsp_spd_entry entries[2][2] = { 0 };
	struct ipsp_spd_list lists[4] = { 0 };
	struct ipsp_update update = {
		.spd = { .generation = 1, .full = true, .n_lists = 4, .lists = lists },
		.n_sas = 2, .sas = sas,
	};
	enum ipsp_err results[2];

	ipsp_selector_any(4, &boxes[0]);
	ipsp_selector_any(6, &boxes[1]);
	ipsp_selector_any(6, &port);
	port.proto_lo = port.proto_hi = 17;
	port.dport_lo = port.dport_hi = 53;
	for (unsigned i = 0; i < 4; i++) {
		unsigned out = i & 1;

		entries[out][0] = (struct ipsp_spd_entry){
			.id = 1, .action = IPSP_BYPASS, .log = true, .n_selectors = 1,
			.selectors = &port,
		};
		entries[out][1] = (struct ipsp_spd_entry){
			.id = 2, .action = IPSP_PROTECT, .sa_id = out ? 1 : 2, .n_selectors = 2,
			.selectors = boxes,
		};
		lists[i].ifindex = IFINDEX + i / 2;
		lists[i].dir = out ? IPSP_OUTBOUND : IPSP_INBOUND;
		lists[i].n_entries = i / 2 ? 2 : 1;
		lists[i].entries = i / 2 ? entries[out] : &entries[out][1];
	}
	must(ipsp_engine_apply(engine, &update, 1, results) == IPSP_OK);
	must(results[0] == IPSP_OK && results[1] == IPSP_OK);
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
static void check_result(const struct ipsp_packet *p, enum ipsp_dir dir, uint32_t len)
{
	struct ipsp_flow flow;

	must(p->reason < IPSP_N_REASONS);
	must((p->verdict == IPSP_VERDICT_DROP || p->verdict == IPSP_VERDICT_ERROR) ==
	     (p->reason != IPSP_REASON_NONE));
	if (p->verdict != IPSP_VERDICT_ESP_OUT && p->verdict != IPSP_VERDICT_DELIVER)
		return;
	must(p->verdict == (dir == IPSP_OUTBOUND ? IPSP_VERDICT_ESP_OUT : IPSP_VERDICT_DELIVER));
	must(p->data >= p->room && p->data + p->len <= p->room + p->room_len);
	must(ipsp_flow_parse((struct ipsp_span){ p->data, p->len }, &flow) == IPSP_REASON_NONE);
	must(flow.total_len == p->len);
	if (dir == IPSP_OUTBOUND)
		must(flow.proto == IPSP_PROTO_ESP && p->sa->id == 1);
	else
		must(p->len < len && p->sa->id == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipsp_packet p = { .ifindex = IFINDEX };
	enum ipsp_dir dir;

	if (size < 1 || size > PACKET_MAX)
		return 0;
	dir = data[0] & WAY_INBOUND ? IPSP_INBOUND : IPSP_OUTBOUND;
	p.len = (uint32_t)size - 1;
	p.room_len = p.len + IPSP_HEADROOM + IPSP_TAILROOM;
	p.room = malloc(p.room_len);
	must(p.room != NULL);
	p.data = p.room + IPSP_HEADROOM;
	memcpy(p.data, data + 1, p.len);
	if (data[0] & WAY_TRANSIT)
		p.flags |= IPSP_PKT_TRANSIT;
	if (data[0] & WAY_DECREMENT)
		p.flags |= IPSP_PKT_DECREMENT_TTL;
	if (data[0] & WAY_CLEAR)
		p.ifindex = IFINDEX + 1;
	if ((data[0] & WAY_CSUM) && p.len >= 4) {
		p.flags |= IPSP_PKT_CSUM_PARTIAL;
		p.csum_start = p.data[p.len - 1];
		p.csum_offset = p.data[p.len - 2];
	}
	if (dir == IPSP_OUTBOUND)
		ipsp_engine_outbound(worker_of(data[0] % WAY_ENGINES), &p, 1, 1);
	else
		ipsp_engine_inbound(worker_of(data[0] % WAY_ENGINES), &p, 1, 1);
	check_result(&p, dir, (uint32_t)size - 1);
	free(p.room);
	return 0;
}
