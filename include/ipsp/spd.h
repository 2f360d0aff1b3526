/*
 * ipsp/spd.h - the SPD as immutable snapshots, RFC 4301 4.4.1.
 *
 * A snapshot has one ordered list an interface and direction. Lookup keeps the order: the first
 * entry that matches decides. Inside, the boxes of a family are cut into a tree (spd/tree.h).
 *
 * Snapshots are built and freed on the control path and read by any number of threads. Lists that
 * did not change are shared between snapshots. Hit counters belong to an entry id in the list of one
 * interface and direction, so they go on from one snapshot to the next; those that counted anything
 * stay until somebody has read them (ipsp_spd_hits_forget), also if no snapshot holds their id.
 *
 * A fragment may hide what an entry asks for. With its ports (or message) hidden, only entries that
 * take every port of its protocol match surely; any other that fits else is in doubt (IPSP_PORT_NONE
 * alone too: it comes out of negated filters, so the fragment may be what they exclude). With its
 * protocol hidden as well (IPv6), doubt begins at the list's first entry of that family for one
 * protocol, whatever its addresses. Doubt is for dropping: RFC 4301 7. A selector of
 * IPSP_HIDES_ONLY before those entries takes such fragments, and no others: OPAQUE.
 *
 * An entry whose predicate (ipsp/predicate.h) is false, or whose time is not now, is passed over. A
 * predicate that asks for what a fragment hides is in doubt, too.
 */
#ifndef IPSP_SPD_H
#define IPSP_SPD_H

#include <stdatomic.h>

#include "ipsp/config.h"
#include "ipsp/flow.h"

struct ipsp_platform;
struct ipsp_spd;	/* one snapshot */
struct ipsp_spd_db;	/* what snapshots share: hit counters */
struct ipsp_spd_table;	/* the list of one interface and direction, ready for lookup */
struct ipsp_spd_box;

/** Hits of an entry id in one list: read with atomic_load_explicit(..., memory_order_relaxed). */
struct ipsp_spd_hits {
	uint64_t id;			/* 0: the end of the list, where packets drop */
	uint32_t ifindex;		/* of the list */
	uint8_t dir;			/* enum ipsp_dir, of the list */
	_Atomic uint64_t packets;
	_Atomic uint64_t logged_s;	/* for ipsp_engine: when a packet was last reported */
	_Atomic uint64_t bytes;		/* of clear packets: inner ones where there is ESP */
	struct ipsp_spd_hits *next;	/* internal */
	uint32_t refs;			/* internal */
};

struct ipsp_spd_residual;	/* what the entry asks beyond its boxes */

/** An entry as lookup gives it. Internal to the snapshot: valid as long as that is. */
struct ipsp_spd_rule {
	uint64_t id;
	uint64_t action_id;
	uint64_t sa_id;
	uint8_t action;		/* enum ipsp_action */
	bool log;
	uint16_t n_steps;	/* 0: one action */
	uint8_t n_templates;
	bool accept_clear;
	bool no_frag_state;
	uint32_t clear_s;
	const struct ipsp_step *steps;
	const struct ipsp_template *templates;
	struct ipsp_spd_hits *hits;
	const struct ipsp_spd_residual *residual;	/* internal; NULL: nothing */
};

/** What predicates and times are judged by, beside the flow. */
struct ipsp_spd_seen {
	struct ipsp_span packet;	/* from the IP header on; at least the flow's total_len */
	uint64_t wall_s;		/* now, in seconds since 1970 UTC */
	uint64_t sa_id;			/* inbound: the SA it came under; 0: in the clear */
};

struct ipsp_spd_key {
	uint32_t ifindex;
	uint8_t dir;	/* enum ipsp_dir */
};

/** Entries a list may have. */
#define IPSP_SPD_ENTRIES_MAX (1u << 20)

/** What becomes of a list from one place on: entries stay, then entries go, then new ones come. */
struct ipsp_spd_run {
	uint32_t keep;
	uint32_t remove;
	uint32_t n_entries;
	const struct ipsp_spd_entry *entries;
};

/** Changes of one list that is there. What stands behind the last run stays. */
struct ipsp_spd_edit {
	struct ipsp_spd_key key;
	uint32_t n_runs;
	const struct ipsp_spd_run *runs;
};

/**
 * Lists to put in, by (ifindex, dir); each replaces the list of the same key. Lists to edit: their
 * price is that of the entries that go and come, and a little for each hundred that stay.
 */
struct ipsp_spd_update {
	uint64_t generation;
	bool full;			/* what is not named here goes; else it stays */
	uint32_t n_lists;
	const struct ipsp_spd_list *lists;
	uint32_t n_edits;
	const struct ipsp_spd_edit *edits;
	uint32_t n_removed;		/* ignored if full */
	const struct ipsp_spd_key *removed;	/* such interfaces have no policy any more */
};

/** @return IPSP_OK; IPSP_ENOMEM. platform is borrowed for the life of the database. */
IPSP_MUST_CHECK enum ipsp_err ipsp_spd_db_new(const struct ipsp_platform *platform,
					      struct ipsp_spd_db **out);

/** All snapshots must be gone. */
void ipsp_spd_db_free(struct ipsp_spd_db *db);

/**
 * Makes the next snapshot.
 * @param prev    the one it follows, or NULL
 * @param update  copied; prev is not changed
 * @return IPSP_OK; IPSP_EINVAL: a selector or program that is not valid, an id of 0, an unknown action
 *	   or direction, one key twice, an edit of a list that is not there or shorter; IPSP_ENOMEM
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_spd_build(struct ipsp_spd_db *db, const struct ipsp_spd *prev,
					     const struct ipsp_spd_update *update,
					     struct ipsp_spd **out);

/** Frees a snapshot and the lists only it has. Nobody may be reading it. NULL is fine. */
void ipsp_spd_free(struct ipsp_spd *spd);

/** That of the policy it was made from. */
uint64_t ipsp_spd_generation(const struct ipsp_spd *spd);

/** Lists built anew for this snapshot; the others are shared with the one before. */
uint32_t ipsp_spd_built(const struct ipsp_spd *spd);

/**
 * Calls each(arg, hits) once for every entry id of every list, and for the end of every list, in no
 * order. Same thread as ipsp_spd_build.
 */
void ipsp_spd_hits_each(const struct ipsp_spd_db *db,
			void (*each)(void *arg, const struct ipsp_spd_hits *hits), void *arg);

/** Frees counters that no snapshot holds: whoever wants them has read them. Same thread. */
void ipsp_spd_hits_forget(struct ipsp_spd_db *db);

enum ipsp_spd_result {
	IPSP_SPD_NO_POLICY,	/* the interface has no list in this direction: untouched */
	IPSP_SPD_RULE,		/* rule is the first that matches */
	IPSP_SPD_DEFAULT,	/* a list, but nothing matches: DISCARD */
	IPSP_SPD_FRAGMENT,	/* an entry with ports may match, before any that surely does */
};

struct ipsp_spd_match {
	enum ipsp_spd_result result;
	const struct ipsp_spd_rule *rule;	/* IPSP_SPD_RULE; IPSP_SPD_FRAGMENT: the doubtful */
	struct ipsp_spd_hits *end;		/* IPSP_SPD_DEFAULT: counts what drops there */
	/* No predicate or time was asked: under this snapshot, so it is for every packet of this
	 * interface and direction whose flow has the same first IPSP_FLOW_KEY octets. */
	bool fixed;
};

/** Is there a list for packets of this interface and direction (its own or the default's)? */
bool ipsp_spd_has_policy(const struct ipsp_spd *spd, uint32_t ifindex, enum ipsp_dir dir);

/**
 * The first match. Counts nothing: see ipsp_spd_hit. Takes no lock, allocates nothing.
 * @param seen  NULL: not known, so that every entry with a predicate or a time is in doubt
 */
struct ipsp_spd_match ipsp_spd_lookup(const struct ipsp_spd *spd, uint32_t ifindex,
				      enum ipsp_dir dir, const struct ipsp_flow *flow,
				      const struct ipsp_spd_seen *seen);

/** Is it one that an entry may have? */
bool ipsp_template_valid(const struct ipsp_template *t);

/** Do both ask for the same SAs? */
bool ipsp_template_equal(const struct ipsp_template *a, const struct ipsp_template *b);

/**
 * The first of an entry's boxes that a packet is in, as a selector.
 * @param rule  of a snapshot
 * @return false: it is in none, as far as it shows
 */
bool ipsp_spd_rule_selector(const struct ipsp_spd_rule *rule, const struct ipsp_flow *flow,
			    struct ipsp_selector *out);

/** Is a packet inside a selector, as far as it shows? What a fragment hides is not. */
bool ipsp_selector_has(const struct ipsp_selector *s, const struct ipsp_flow *flow);

/** Counts packets for a rule, or for the end of a list. */
void ipsp_spd_hit(struct ipsp_spd_hits *hits, uint64_t packets, uint64_t bytes);

/** One of several lookups. */
struct ipsp_spd_query {
	uint32_t ifindex;
	enum ipsp_dir dir;
	const struct ipsp_flow *flow;
	const struct ipsp_spd_seen *seen;	/* as for ipsp_spd_lookup */
	struct ipsp_spd_match match;		/* out */
};

/**
 * As ipsp_spd_lookup for each. Of lists beyond what a cache holds it is faster (by half at 100,000
 * entries), of small ones slower: while memory is fetched for one packet the others go on. Rules that
 * are found are on their way to the cache when it returns.
 */
void ipsp_spd_lookup_n(const struct ipsp_spd *spd, struct ipsp_spd_query *queries, size_t n);

/** Walks the candidates for one packet in list order. All fields are internal. */
struct ipsp_spd_iter {
	const struct ipsp_spd_table *table;
	const struct ipsp_flow *flow;
	const struct ipsp_spd_seen *seen;
	uint64_t words[7];	/* of the flow, as spd/tree.h has them */
	uint64_t next_order;
	bool asked;		/* a predicate or a time was, or would have been */
};

/** Begins a walk; the iterator is good as long as spd, flow and seen are. False: no policy. */
bool ipsp_spd_iter_init(struct ipsp_spd_iter *it, const struct ipsp_spd *spd, uint32_t ifindex,
			enum ipsp_dir dir, const struct ipsp_flow *flow,
			const struct ipsp_spd_seen *seen);

/**
 * The next entry that matches, or may match.
 * @param sure  out: false: the packet does not show all that the entry asks for
 * @return NULL at the end of the list
 */
const struct ipsp_spd_rule *ipsp_spd_iter_next(struct ipsp_spd_iter *it, bool *sure);

/** Does an entry match these headers, or might it, by a box that names their protocol and no other? */
bool ipsp_spd_rule_names(const struct ipsp_spd_rule *rule, const struct ipsp_flow *flow);

#endif
