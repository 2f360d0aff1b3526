/*
 * tests/unit/engine/world.c - see world.h.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/gcrypt.h"
#include "spd/octets.h"
#include "tests/unit/engine/world.h"

#define RULES_MAX 16u

static void on_log(void *ctx, const struct ipsp_log_event *event)
{
	struct world *w = ctx;

	w->logs++;
	w->last_log = *event;
}

static void on_audit(void *ctx, const struct ipsp_audit_event *event)
{
	struct world *w = ctx;

	w->audits++;
	w->last_audit = *event;
}

static void on_expired(void *ctx, const struct ipsp_life_event *event)
{
	struct world *w = ctx;

	if (event->life != IPSP_LIFE_SOFT)
		w->expired++;
}

static void world_start(struct world *w)
{
	ck_assert_int_eq(ipsp_engine_new(&w->config, &w->engine), IPSP_OK);
	ck_assert_int_eq(ipsp_worker_new(w->engine, &w->worker), IPSP_OK);
}

static void world_stop(struct world *w)
{
	ipsp_worker_free(w->worker);
	ipsp_engine_free(w->engine);
}

void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	ck_assert_int_eq(ipsp_crypto_gcrypt_init(65536), IPSP_OK);
	memory_init(&w->memory, ipsp_crypto_gcrypt());
	w->region_size = ipsp_counters_size(WORLD_SLOTS);
	w->region = aligned_alloc(64, (w->region_size + 63) / 64 * 64);
	memset(w->region, 0, w->region_size);
	w->config = (struct ipsp_engine_config){
		.platform = &w->memory.platform,
		.events = { .ctx = w, .log = on_log, .audit = on_audit, .sa_expired = on_expired },
		.counters = w->region,
		.counters_size = w->region_size,
	};
	world_start(w);
}

void world_restart(struct world *w)
{
	world_stop(w);
	world_start(w);
}

void world_fini(struct world *w)
{
	world_stop(w);
	ck_assert_uint_eq(w->memory.octets, 0);
	free(w->region);
}

struct ipsp_sa_config world_sa(uint64_t id, enum ipsp_dir dir, uint32_t spi)
{
	return (struct ipsp_sa_config){
		.id = id, .counter_id = id, .dir = (uint8_t)dir, .proto = IPSP_PROTO_ESP,
		.mode = IPSP_MODE_TRANSPORT, .replay = true, .replay_window_pkts = 64, .spi = spi,
		.encr = IPSP_ENCR_NULL, .integ = IPSP_INTEG_HMAC_SHA1_96,
		.integ_key = { 20, { 1, 2, 3 } },
		.local = { 4, { 192, 0, 2, 1 } }, .remote = { 4, { 192, 0, 2, 2 } },
	};
}

enum ipsp_err world_apply(struct world *w, const struct world_rule *rules, uint32_t n_rules,
			  const struct ipsp_sa_config *sas, uint32_t n_sas,
			  enum ipsp_err *sa_results)
{
	static uint64_t generation;
	struct ipsp_selector boxes[RULES_MAX];
	struct ipsp_spd_entry entries[RULES_MAX];
	struct ipsp_spd_list lists[2];
	struct ipsp_update update = {
		.spd = { .generation = ++generation, .full = true, .n_lists = 2, .lists = lists },
		.n_sas = n_sas, .sas = sas,
	};
	enum ipsp_err ignored[RULES_MAX];

	ck_assert_uint_le(n_rules, RULES_MAX);
	for (uint32_t i = 0; i < n_rules; i++) {
		ipsp_selector_any(4, &boxes[i]);
		if (rules[i].dport != IPSP_PORT_NONE)
			boxes[i].dport_lo = boxes[i].dport_hi = rules[i].dport;
		entries[i] = (struct ipsp_spd_entry){
			.id = rules[i].id, .action = (uint8_t)rules[i].action,
			.log = rules[i].log, .sa_id = rules[i].sa_id,
			.n_selectors = 1, .selectors = &boxes[i],
		};
	}
	for (int i = 0; i < 2; i++)
		lists[i] = (struct ipsp_spd_list){
			.ifindex = WORLD_IF, .dir = (uint8_t)(i ? IPSP_OUTBOUND : IPSP_INBOUND),
			.n_entries = n_rules, .entries = entries,
		};
	return ipsp_engine_apply(w->engine, &update, 1000, sa_results ? sa_results : ignored);
}

void world_udp(struct ipsp_packet *p, enum ipsp_dir dir, uint16_t dport, uint32_t payload)
{
	static const uint8_t header[28] = {
		0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
	};

	*p = (struct ipsp_packet){ .ifindex = WORLD_IF, .len = 28 + payload };
	p->room_len = IPSP_HEADROOM + p->len + IPSP_TAILROOM;
	p->room = calloc(1, p->room_len);
	p->data = p->room + IPSP_HEADROOM;
	memcpy(p->data, header, sizeof(header));
	put_be16(p->data + 2, (uint16_t)p->len);
	if (dir == IPSP_INBOUND) {
		p->data[15] = 2;
		p->data[19] = 1;
	}
	put_be16(p->data + 20, 5000);
	put_be16(p->data + 22, dport);
	put_be16(p->data + 24, (uint16_t)(8 + payload));
}

void world_packet_free(struct ipsp_packet *p)
{
	free(p->room);
}

enum ipsp_reason world_pass(struct world *w, enum ipsp_dir dir, struct ipsp_packet *p)
{
	if (dir == IPSP_OUTBOUND)
		ipsp_engine_outbound(w->worker, p, 1, 1000);
	else
		ipsp_engine_inbound(w->worker, p, 1, 1000);
	return (enum ipsp_reason)p->reason;
}

void world_reflect(struct ipsp_packet *p, uint32_t spi)
{
	p->data[15] = 2;
	p->data[19] = 1;
	put_be32(p->data + 20, spi);
}
