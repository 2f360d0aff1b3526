/*
 * ipspd/report.h - what the engine reports to the agent: counters and events, in and out of octets.
 */
#ifndef IPSPD_REPORT_H
#define IPSPD_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "chan/chan.h"

#define REPORT_PACKET_MAX 256	/* first octets of a logged packet */

/** Counters of one SPD entry since the engine has known its id. */
struct wire_entry_stats {
	uint64_t id;
	uint64_t packets;
	uint64_t bytes;
};

/** State and counters of one SA. */
struct wire_sa_stats {
	uint64_t id;
	uint32_t spi;			/* host order */
	uint8_t dir;			/* enum ipsp_dir */
	uint8_t state;			/* 1 larval, 2 mature, 3 dying, 4 dead: RFC 2367 */
	uint64_t packets;
	uint64_t bytes;
	uint64_t seq;			/* outbound: last used; inbound: highest authenticated */
	uint64_t auth_errors;		/* ICV failed */
	uint64_t replay_errors;		/* seen before, or too old */
	uint64_t other_errors;		/* padding, policy mismatch, used up */
	uint64_t age_s;			/* since installation */
};

enum wire_event_kind {
	WIRE_EVENT_PACKET = 1,		/* an entry with log matched */
	WIRE_EVENT_SA = 2,		/* an SA changed state; reason is its new state */
};

struct wire_event {
	uint8_t kind;			/* enum wire_event_kind */
	uint64_t id;			/* of the entry or SA */
	uint32_t ifindex;
	uint8_t dir;			/* enum ipsp_dir */
	uint8_t action;			/* enum ipsp_action */
	uint16_t reason;		/* drop reason; 0: none */
	uint32_t suppressed;		/* alike, not reported since the last one */
	uint16_t packet_len;
	uint8_t packet[REPORT_PACKET_MAX];
};

/** Each sends; @return what chan_send says. */
int report_entry_send(struct chan *c, uint32_t serial, const struct wire_entry_stats *s);
int report_sa_send(struct chan *c, uint32_t serial, const struct wire_sa_stats *s);
int report_event_send(struct chan *c, const struct wire_event *e);

/** Each reads. @return false: malformed */
bool report_entry_read(const struct chan_msg *m, uint32_t *serial, struct wire_entry_stats *s);
bool report_sa_read(const struct chan_msg *m, uint32_t *serial, struct wire_sa_stats *s);
bool report_event_read(const struct chan_msg *m, struct wire_event *e);

#endif
