/*
 * ipspd/report.h - what the engine reports to the agent: counters and events, in and out of octets.
 */
#ifndef IPSPD_REPORT_H
#define IPSPD_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "chan/chan.h"
#include "ipsp/types.h"

#define REPORT_PACKET_MAX 1024	/* first octets of a packet */

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
	uint64_t dummies;		/* dummy packets, sent or received */
	uint64_t age_s;			/* since installation */
	uint64_t idle_s;		/* since its last packet; REPORT_NEVER_USED */
	uint32_t path_mtu;		/* learned from ICMP errors; 0: nothing */
};

#define REPORT_NEVER_USED UINT64_MAX	/* not in this engine */
#define REPORT_UNASKED 0		/* serial of the last counters of SAs that are taken out */

/** What a rule of the guard's decides about packets it counts. */
enum wire_guard_what {
	WIRE_GUARD_PASSED = 1,		/* BYPASS */
	WIRE_GUARD_DISCARDED,		/* DISCARD */
	WIRE_GUARD_UNPROTECTED,		/* PROTECT: dropped, as it is in the clear */
	WIRE_GUARD_END,			/* no entry matches: dropped */
	WIRE_GUARD_FRAGMENT,		/* hides ports that an entry asks for: dropped */
	WIRE_GUARD_HIDDEN,		/* its headers hide its protocol: dropped */
	WIRE_GUARD_SHORT,		/* too short for its ports: dropped */
	WIRE_GUARD_WHATS
};

/** Packets that the guard has decided since it was last asked. */
struct wire_guard_count {
	uint8_t what;			/* enum wire_guard_what */
	uint64_t id;			/* of the entry; 0: it is nobody's, or of several entries */
	uint32_t ifindex;		/* of the list */
	uint8_t dir;			/* enum ipsp_dir */
	uint64_t packets;
	uint64_t bytes;
};

#define REPORT_GUARD_MAX 512	/* in one message */

enum wire_event_kind {
	WIRE_EVENT_PACKET = 1,		/* an entry with log matched; packet has the headers alone */
	WIRE_EVENT_SA = 2,		/* an SA came or went; reason: enum wire_sa_change */
	WIRE_EVENT_PASSED = 3,		/* a packet passed an SA that logs packets; packet has as many
					 * of its first octets as the SA's row asks for */
	WIRE_EVENT_CLEAR = 4,		/* packets of a reqid with a peer pass in clear, or no more */
};

/** What became of an SA. The numbers of those that are gone are ipspdNotifyDownReason's. */
enum wire_sa_change {
	WIRE_SA_REMOVED = 1,
	WIRE_SA_REPLACED = 2,		/* by another one of the same id */
	WIRE_SA_EXPIRED = 3,		/* its hard lifetime is over */
	WIRE_SA_REFUSED = 4,		/* SA_REFUSED says that; never on the wire */
	WIRE_SA_INSTALLED = 5,
	WIRE_SA_EXPIRING = 6,		/* its soft lifetime is over */
	WIRE_SA_CHANGES
};

struct wire_event {
	uint8_t kind;			/* enum wire_event_kind */
	uint64_t id;			/* of the entry or SA; CLEAR: for how many seconds; 0: no more */
	/* PACKET: of the action that logs; 0: the entry's, from the guard. PASSED: of the SA's row. SA: a key
	 * manager's reqid; 0: it has a row. CLEAR: the reqid */
	uint64_t action_id;
	uint32_t ifindex;		/* SA: 0 */
	uint8_t dir;			/* enum ipsp_dir */
	uint8_t action;			/* enum ipsp_action */
	uint8_t proto;			/* of the clear packet; SA: enum ipsp_proto */
	uint16_t reason;		/* drop reason; 0: none */
	uint32_t spi;			/* SA: host order */
	uint32_t suppressed;		/* alike, not reported since the last one */
	struct ipsp_addr src, dst;	/* of the clear packet; SA, CLEAR: our end, the peer's; family 0: unknown */
	uint16_t packet_len;
	uint8_t packet[REPORT_PACKET_MAX];
};

/** What is counted of one SA, as all messages have it. */
void report_sa_put(struct chan_writer *w, const struct wire_sa_stats *s);
/** @return false: cut short, or it cannot be */
bool report_sa_get(struct chan_reader *r, struct wire_sa_stats *s);

/** Each sends one message, of at most as many as one may hold; @return what chan_send says. */
int report_entries_send(struct chan *c, uint32_t serial, const struct wire_entry_stats *s, size_t n);
int report_sas_send(struct chan *c, uint32_t serial, const struct wire_sa_stats *s, size_t n);
int report_guard_send(struct chan *c, uint32_t serial, bool more, const struct wire_guard_count *s,
		      size_t n);
int report_event_send(struct chan *c, const struct wire_event *e);

/** Each reads. @return false: malformed */
bool report_entries_read(const struct chan_msg *m, uint32_t *serial,
			 struct wire_entry_stats s[REPORT_ENTRIES_MAX], size_t *n);
bool report_sas_read(const struct chan_msg *m, uint32_t *serial,
		     struct wire_sa_stats s[REPORT_SAS_MAX], size_t *n);
bool report_guard_read(const struct chan_msg *m, uint32_t *serial, bool *more,
		       struct wire_guard_count s[REPORT_GUARD_MAX], size_t *n);
bool report_event_read(const struct chan_msg *m, struct wire_event *e);

#endif
