/*
 * tests/unit/ike/pair.h - two IKE daemons in one process: a wire that loses, repeats and keeps what it is told
 * to, a clock that stands still until it is moved, and a SAD that remembers.
 */
#ifndef TESTS_UNIT_IKE_PAIR_H
#define TESTS_UNIT_IKE_PAIR_H

#include "ike/world.h"

#define PAIR_CHILDREN_MAX 64u
#define PAIR_DATAGRAMS_MAX 256u

/** A Child SA in a SAD. */
struct pair_child {
	bool there;
	uint32_t spi_in, spi_out;
	uint16_t cpi_in, cpi_out;
	struct ike_suite suite;
	struct ike_path path;
	uint8_t keys_in[128], keys_out[128];	/* cipher, then integrity */
	size_t keys_len;
	struct ike_selectors ours, theirs;
	bool transport, udp, no_tfc, fragments_also;
	uint32_t replaces;
};

#define PAIR_EVENTS_MAX 256u

/** What who watches was told: struct ike_event. */
struct pair_event {
	enum ike_event_kind kind;
	enum ike_end end;
	bool initiator;
	struct ike_identity remote;
	char text[128];
};

struct pair_end {
	struct pair *pair;
	struct ike_world *world;
	struct ike_conn *conn;
	struct ipsp_addr addr;
	uint32_t next_spi;
	uint16_t last_cpi;
	unsigned n_cpis;		/* given, and not taken back */
	bool no_cpi;			/* none is given */
	bool late_cpi;			/* nor is it said whether there is one */
	uint64_t cpi_ticket;		/* of that question */
	int64_t wall_skew_s;		/* of its calendar */
	struct pair_child children[PAIR_CHILDREN_MAX];
	unsigned n_sent;
	unsigned n_traced[2];		/* messages: received, sent */
	uint8_t traced[4096];		/* the last one that was encrypted, as it was before */
	size_t traced_len;
	size_t init_len;		/* of its longest IKE_SA_INIT; with a cookie: SIZE_MAX */
	unsigned n_keepalives;
	struct ike_path kept;		/* of the last one */
	char last_log[700];
	char logs[1 << 16];		/* all of them */
	size_t logs_len;
	struct pair_event events[PAIR_EVENTS_MAX];
	unsigned n_events;
	struct ike_job *jobs[64];	/* kept back */
	unsigned n_jobs;
};

struct pair_datagram {
	unsigned to;
	struct ike_path path;		/* as the receiver has it */
	size_t len;
	uint8_t octets[8192];
};

struct pair {
	uint64_t now_ms;
	struct pair_end ends[2];
	struct pair_datagram wire[PAIR_DATAGRAMS_MAX];
	unsigned n_wire;
	bool keep_jobs;
	bool nat;			/* end 0 is behind one, with an address of its own */
	uint16_t nat_shift;		/* added to the ports of end 0 */
	/** What becomes of a datagram: how often it arrives. NULL: once. */
	unsigned (*fate)(struct pair *p, const struct pair_datagram *d);
	void *fate_arg;
	/** What a URL gives to an end that fetches; post is its question by OCSP. NULL: nothing. */
	struct ipsp_span (*fetch)(struct pair *p, const char *url, struct ipsp_span post);
	/** Instead of it: takes the question alone. */
	void (*late_fetch)(void *arg, uint64_t ticket, const char *url, struct ipsp_span post);
};

/** Both with one connection for each other: shared key, AES-GCM and so on. */
void pair_init(struct pair *p);
void pair_fini(struct pair *p);

/** After connections were changed. */
void pair_configure(struct pair *p);

/** End 0 (or 1) begins. */
void pair_initiate(struct pair *p, unsigned from);

/** End 0 begins, and both have an IKE SA that is established then. */
void pair_establish(struct pair *p);

/** Carries datagrams until none is left. */
void pair_settle(struct pair *p);

/** Moves the clock to the next thing due, at most ms further, and settles; until nothing is due by then. */
void pair_pass(struct pair *p, uint64_t ms);

/** IKE SAs of a connection go on with another configuration of it. */
void pair_replace(struct ike_world *w, struct ike_conn *old, struct ike_conn *fresh, uint64_t now_ms);

unsigned pair_count(const struct pair *p, unsigned end);		/* Child SAs in its SAD */
unsigned pair_ike_sas(const struct pair *p, unsigned end);
/** The only IKE SA's view; fails the test if there is another number of them. */
struct ike_view pair_view(const struct pair *p, unsigned end);
struct ike_sa;
/** An IKE SA of an end, the only one where there is no other. NULL: there is none. */
struct ike_sa *pair_sa(const struct pair *p, unsigned end);
/** Do both SADs have the same Child SAs, with keys that fit? */
void pair_agree(const struct pair *p);

/* ---- fates ---- */

/** Loses all. */
unsigned pair_drop_all(struct pair *p, const struct pair_datagram *d);
/** Loses one: fate_arg is an unsigned that says how many come before it. */
unsigned pair_drop_nth(struct pair *p, const struct pair_datagram *d);
/** All arrive two times. */
unsigned pair_twice(struct pair *p, const struct pair_datagram *d);

#endif
