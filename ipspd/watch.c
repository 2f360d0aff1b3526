/*
 * ipspd/watch.c - what the tables of ipspd/watch.h share, the counters of rules, and what ends with rows.
 */
#include "config.h"

#include "ipspd/watch_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mibs/schema_gen.h"
#include "policy/ids.h"

enum { TRUTH_TRUE = 1, TRUTH_FALSE = 2 };

/* ---- indexes and values ---- */

bool watch_after(const struct mib_oid *after, size_t n, uint32_t *key)
{
	size_t have = after ? after->len : 0;

	memset(key, 0, n * sizeof(*key));
	if (have < n) {
		if (have > 0)
			memcpy(key, after->ids, have * sizeof(*key));
		return true;
	}
	memcpy(key, after->ids, n * sizeof(*key));
	/* The index itself comes before all that is longer, so the next one is wanted. */
	for (size_t i = n; i-- > 0;) {
		if (++key[i] != 0)
			return true;
	}
	return false;
}

struct mib_value watch_text(struct watch *w, const char *text)
{
	size_t len = strnlen(text, sizeof(w->text) - 1);

	memmove(w->text, text, len);
	return mib_value_octets(w->text, len);
}

struct mib_value watch_truth(bool yes)
{
	return mib_value_integer(yes ? TRUTH_TRUE : TRUTH_FALSE);
}

struct mib_value watch_gauge(uint64_t n)
{
	return mib_value_unsigned(n < UINT32_MAX ? (uint32_t)n : UINT32_MAX);
}

enum mib_err watch_idle(struct watch *w, int64_t last_s, struct mib_value *out)
{
	int64_t now_s = agent_now_s(w->agent);

	if (last_s == 0)
		return MIB_NO_SUCH_INSTANCE;
	*out = watch_gauge(now_s > last_s ? (uint64_t)(now_s - last_s) : 0);
	return MIB_OK;
}

/* ---- what policy/status.c asks ---- */

static uint64_t id_of(const struct mib_table *t, const uint32_t *index, size_t len)
{
	return pol_id_of_row(t, index, len, 0);
}

static enum mib_err read_rule(void *arg, const struct mib_column *col, const uint32_t *index,
			      size_t len, struct mib_value *out)
{
	struct watch *w = (struct watch *)arg;
	const struct totals_count *c;

	agent_totals_wanted(w->agent);
	c = totals_row(agent_totals(w->agent), id_of(&mib_t_spdRuleDefinitionTable, index, len));
	switch (col->pos) {
	case MIB_C_ipspdRulePackets:
		*out = mib_value_counter64(c->packets);
		return MIB_OK;
	case MIB_C_ipspdRuleBytes:
		*out = mib_value_counter64(c->bytes);
		return MIB_OK;
	case MIB_C_ipspdRuleKernelPackets:
		*out = mib_value_counter64(c->kernel_packets);
		return MIB_OK;
	case MIB_C_ipspdRuleIdle:
		return watch_idle(w, c->last_s, out);
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
}

/* ---- totals end with their rows ---- */

static void committed(void *arg, uint64_t generation, const struct mib_change *changes, size_t n)
{
	struct watch *w = (struct watch *)arg;

	(void)generation;
	for (size_t i = 0; i < n; i++) {
		const struct mib_table *t = changes[i].table;
		const uint32_t *index;
		size_t len;

		if (changes[i].after ||
		    (t != &mib_t_spdRuleDefinitionTable && t != &mib_t_spdGroupContentsTable &&
		     t != &mib_t_ipsaSaPreconfiguredActionTable))
			continue;
		index = mib_row_index(changes[i].before, &len);
		agent_forget_totals(w->agent, id_of(t, index, len));
	}
}

/* ---- life ---- */

enum mib_err watch_new(struct agent *a, struct pol_status *status, struct watch **out)
{
	struct watch *w = (struct watch *)calloc(1, sizeof(*w));
	enum mib_err err = MIB_OK;
	size_t n = 0;

	if (!w)
		return MIB_RESOURCE_UNAVAILABLE;
	w->agent = a;
	n += watch_spd_sources(w, w->sources + n);
	n += watch_sa_sources(w, w->sources + n);
	n += watch_peer_sources(w, w->sources + n);
	for (size_t i = 0; err == MIB_OK && i < n; i++)
		err = mib_store_add_source(agent_store(a), &w->sources[i]);
	w->listener = (struct mib_listener){ .committed = committed, .arg = w };
	if (err == MIB_OK)
		err = mib_store_add_listener(agent_store(a), &w->listener);
	if (err != MIB_OK) {
		free(w);
		return err;
	}
	w->observer = (struct pol_observer){ .rule = read_rule, .arg = w };
	pol_status_observe(status, &w->observer);
	*out = w;
	return MIB_OK;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	free(w->peers);
	free(w);
}
