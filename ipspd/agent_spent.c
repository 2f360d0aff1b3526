/*
 * ipspd/agent_spent.c - SAs whose lifetime is over, as the engine has told, and what the guard may do
 * then.
 *
 * The guard cannot ask which SAs are usable, so an entry with several actions drops there what the
 * engine might have protected. An SA that is over stays so until its row, key or lifetime changes, or
 * until it leaves the policy: as long as nothing of that happens, its actions are known to fail, and
 * the guard may pass what policy passes in clear then. An SA that is known again by the same numbers
 * after it was gone is not taken for spent.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "ipspd/agent_int.h"
#include "policy/program.h"

/* What makes an SA the same one. */
struct spent_sa {
	uint64_t id, counter_id, life_s, life_use_s, life_bytes, life_packets, idle_s;
};

static bool is(const struct spent_sa *s, const struct ipsp_sa_config *sa)
{
	return s->id == sa->id && s->counter_id == sa->counter_id && s->life_s == sa->life_s &&
	       s->life_use_s == sa->life_use_s && s->life_bytes == sa->life_bytes &&
	       s->life_packets == sa->life_packets && s->idle_s == sa->idle_s;
}

static bool is_spent(const struct spent *spent, const struct pol_generation *g, uint64_t sa_id)
{
	const struct pol_sa *sa = sa_id ? pol_sa_find(g, sa_id) : NULL;

	for (size_t i = 0; sa && i < spent->n; i++) {
		if (is(&spent->items[i], &sa->config))
			return true;
	}
	return false;
}

int spent_add(struct spent *spent, const struct pol_generation *g, uint64_t sa_id)
{
	const struct pol_sa *sa = pol_sa_find(g, sa_id);

	if (!sa || is_spent(spent, g, sa_id))
		return 0;
	if (spent->n == spent->room) {
		size_t room = spent->room ? spent->room * 2 : 16;
		struct spent_sa *items = (struct spent_sa *)reallocarray(spent->items, room,
									 sizeof(*items));

		if (!items)
			return -ENOMEM;
		spent->items = items;
		spent->room = room;
	}
	spent->items[spent->n++] = (struct spent_sa){
		.id = sa->config.id, .counter_id = sa->config.counter_id,
		.life_s = sa->config.life_s, .life_use_s = sa->config.life_use_s,
		.life_bytes = sa->config.life_bytes, .life_packets = sa->config.life_packets,
		.idle_s = sa->config.idle_s,
	};
	return 1;
}

void spent_keep(struct spent *spent, const struct pol_generation *g)
{
	size_t n = 0;

	for (size_t i = 0; i < spent->n; i++) {
		const struct pol_sa *sa = pol_sa_find(g, spent->items[i].id);

		if (sa && is(&spent->items[i], &sa->config))
			spent->items[n++] = spent->items[i];
	}
	spent->n = n;
}

uint8_t spent_action(const struct spent *spent, const struct pol_generation *g,
		     const struct ipsp_spd_entry *e, bool in_clear)
{
	struct ipsp_step steps[IPSP_STEPS_MAX];
	struct pol_prospects may;
	bool any = false;

	if (spent->n == 0 && !in_clear)
		return e->action;
	for (uint32_t i = 0; i < e->n_steps; i++) {
		steps[i] = e->steps[i];
		if (!is_spent(spent, g, e->steps[i].sa_id) &&
		    !(in_clear && e->steps[i].negotiated))
			continue;
		steps[i].kind = IPSP_STEP_FAIL;
		steps[i].sa_id = 0;
		steps[i].may_decide = false;
		steps[i].negotiated = false;
		any = true;
	}
	if (!any)
		return e->action;
	pol_program_judge(steps, e->n_steps, &may);
	return (uint8_t)pol_prospects_action(&may);
}

void spent_fini(struct spent *spent)
{
	free(spent->items);
}
