/*
 * tests/unit/engine/world.h - an engine with a policy of a few lines, and packets to put into it.
 */
#ifndef TESTS_UNIT_ENGINE_WORLD_H
#define TESTS_UNIT_ENGINE_WORLD_H

#include "ipsp/engine.h"
#include "tests/unit/spd/memory.h"

#define WORLD_IF 3u		/* the interface with a policy */
#define WORLD_OTHER_IF 4u	/* one without */
#define WORLD_SLOTS 64u
#define WORLD_PACKETS 80u
#define WORLD_ROOM 2048u

struct world {
	struct memory memory;
	void *region;
	size_t region_size;
	struct ipsp_engine *engine;
	struct ipsp_worker *worker;
	struct ipsp_engine_config config;
	/* Events, counted; the last one kept. */
	unsigned logs, audits, expired;
	struct ipsp_log_event last_log;
	struct ipsp_audit_event last_audit;
};

/** An engine without a generation. Sanitizers see what is not given back at world_fini. */
void world_init(struct world *w);
void world_fini(struct world *w);

/** The engine ends and another begins on the same region. */
void world_restart(struct world *w);

/** A transport mode SA between 192.0.2.1 (us) and 192.0.2.2, NULL with HMAC-SHA1-96. */
struct ipsp_sa_config world_sa(uint64_t id, enum ipsp_dir dir, uint32_t spi);

/** One entry for a destination port (IPSP_PORT_NONE: for everything), IPv4. */
struct world_rule {
	uint64_t id;
	enum ipsp_action action;
	uint64_t sa_id;
	uint32_t dport;
	bool log;
};

/** Full update of WORLD_IF: the same rules in both directions. Returns the result of apply. */
enum ipsp_err world_apply(struct world *w, const struct world_rule *rules, uint32_t n_rules,
			  const struct ipsp_sa_config *sas, uint32_t n_sas,
			  enum ipsp_err *sa_results);

/** UDP from 192.0.2.1 to 192.0.2.2 (outbound) or back, on WORLD_IF, in a buffer of its own. */
void world_udp(struct ipsp_packet *p, enum ipsp_dir dir, uint16_t dport, uint32_t payload);
void world_packet_free(struct ipsp_packet *p);

/** One packet through the engine; its reason. */
enum ipsp_reason world_pass(struct world *w, enum ipsp_dir dir, struct ipsp_packet *p);

/** What an outbound ESP packet would be as an inbound one: addresses swapped, SPI changed. */
void world_reflect(struct ipsp_packet *p, uint32_t spi);

#endif
