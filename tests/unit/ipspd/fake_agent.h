/* tests/unit/ipspd/fake_agent.h - an agent without processes: the test says what it would. */
#ifndef TESTS_IPSPD_FAKE_AGENT_H
#define TESTS_IPSPD_FAKE_AGENT_H

#include "ipspd/agent.h"

struct agent {
	struct event_base *base;
	struct mib_store *store;
	struct pol_generation *policy;
	struct totals *totals;
	struct sad_picture *sad;
	struct wire_crypto crypto;
	struct pol_status *status;
	int64_t now_s;			/* its clock, as the test says */
	size_t wanted;			/* how often totals were */
	enum agent_engine_state engine;
	uint64_t applied;
	uint64_t in_engine;		/* of the engine that runs now */
	bool snmp_open;
	const char *problem;
	int log_level;			/* as last asked for; -1: never */
	uint8_t salt[MIB_FILE_SEAL_SALT];
	uint64_t guard_restored;
	const struct ipsp_addr *addresses;	/* the system's own */
	size_t n_addresses;		/* 0: they are not known */
	struct agent_tracer *tracer;	/* who looks at messages of IKE */
	struct agent_watcher *watchers;
	struct agent_event_listener *listeners;
	struct agent_question *questions;	/* asked and not yet answered */
};

/** An empty store with the binders of policy/, nothing in force. */
void fake_agent_init(struct agent *a);

/** Nobody may watch, listen or wait any more. */
void fake_agent_fini(struct agent *a);

/**
 * Gives it a policy of one list with that entry, and an SA (NULL: none), both named as the rule "web".
 * Takes the place of the one before; fake_agent_fini frees it.
 */
void fake_agent_set_policy(struct agent *a, uint32_t ifindex, enum ipsp_dir dir,
			   const struct ipsp_spd_entry *entry, const struct ipsp_sa_config *sa);

/** Tells the watchers. */
void fake_agent_changed(struct agent *a);

/** Answers the oldest question, by a->totals or by text, which may be NULL. false: there is none. */
bool fake_agent_answer(struct agent *a, const char *text);

void fake_agent_event(struct agent *a, const struct wire_event *e);

#endif
