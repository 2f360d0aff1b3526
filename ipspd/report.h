/*
 * ipspd/report.h - what the engine reports to the agent: counters and events, in and out of octets.
 */
#ifndef IPSPD_REPORT_H
#define IPSPD_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "chan/chan.h"

#define REPORT_PACKET_MAX 256	/* first octets of a logged packet */

/** Most of them in one message. */
#define REPORT_ENTRIES_MAX 512
#define REPORT_SAS_MAX 256

/** Counters of an SPD entry id in one list, or of the list's end, since the engine has known it. */
struct wire_entry_stats {
	uint64_t id;			/* 0: the end of the list */
	uint32_t ifindex;
	uint8_t dir;			/* enum ipsp_dir */
	uint64_t packets;
	uint64_t bytes;
};

/** State and counters of one SA. */
struct wire_sa_stats {
	uint64_t id;
	uint64_t counter_id;		/* packets and bytes are of this number space */
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
	uint64_t idle_s;		/* since its last packet; REPORT_NEVER_USED */
};

#define REPORT_NEVER_USED UINT64_MAX	/* not in this engine */

enum wire_event_kind {
	WIRE_EVENT_PACKET = 1,		/* an entry with log matched */
	WIRE_EVENT_SA = 2,		/* an SA changed state; reason is its new state */
};

struct wire_event {
	uint8_t kind;			/* enum wire_event_kind */
	uint64_t id;			/* of the entry or SA */
	uint64_t action_id;		/* packet: of the action that logs; 0: the entry's, from the guard */
	uint32_t ifindex;
	uint8_t dir;			/* enum ipsp_dir */
	uint8_t action;			/* enum ipsp_action */
	uint16_t reason;		/* drop reason; 0: none */
	uint32_t suppressed;		/* alike, not reported since the last one */
	uint16_t packet_len;
	uint8_t packet[REPORT_PACKET_MAX];
};

/** Each sends one message, of at most as many as one may hold; @return what chan_send says. */
int report_entries_send(struct chan *c, uint32_t serial, const struct wire_entry_stats *s, size_t n);
int report_sas_send(struct chan *c, uint32_t serial, const struct wire_sa_stats *s, size_t n);
int report_event_send(struct chan *c, const struct wire_event *e);

/** Each reads. @return false: malformed */
bool report_entries_read(const struct chan_msg *m, uint32_t *serial,
			 struct wire_entry_stats s[REPORT_ENTRIES_MAX], size_t *n);
bool report_sas_read(const struct chan_msg *m, uint32_t *serial,
		     struct wire_sa_stats s[REPORT_SAS_MAX], size_t *n);
bool report_event_read(const struct chan_msg *m, struct wire_event *e);

#endif
