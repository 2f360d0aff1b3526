/*
 * ipspd/agent_problems.c - says in the log which rows stopped being in force, and which are again.
 *
 * Changes of state only: a row that has the same problem as before is not named again. MIB and
 * `ipspctl show status` say at any time which rows have one now (policy/status.h).
 */
#include "config.h"

#include <string.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"

#define LINES_MAX 50	/* of each kind, a generation: a policy with thousands must not flood the log */
#define INDEX_TEXT_MAX 512

static const struct pol_problem *of_row(const struct pol_generation *g,
					const struct pol_problem *p)
{
	return g ? pol_problem_find(g, p->table, p->index.ids, p->index.len, false) : NULL;
}

static void log_new(const struct pol_problem *p)
{
	char index[INDEX_TEXT_MAX];

	mib_index_print(p->table, p->index.ids, p->index.len, index, sizeof(index));
	ipspd_log(LOG_WARNING, "policy", "%s.%s %s", p->table->name, index, p->reason);
}

static void log_gone(const struct pol_problem *p)
{
	char index[INDEX_TEXT_MAX];

	mib_index_print(p->table, p->index.ids, p->index.len, index, sizeof(index));
	ipspd_log(LOG_NOTICE, "policy", "%s.%s has its problem no more", p->table->name, index);
}

void problems_log(const struct pol_generation *before, const struct pol_generation *now)
{
	const struct pol_map none = pol_map_empty(now->problems.type);
	const struct pol_problem *last = NULL;
	size_t n_new = 0, n_gone = 0;
	struct pol_map_diff d;

	pol_map_diff_start(&d, before ? &before->problems : &none, &now->problems);
	while (pol_map_diff_next(&d)) {
		const struct pol_problem *any = (const struct pol_problem *)(d.is ? d.is : d.was);
		const struct pol_problem *was = of_row(before, any), *is = of_row(now, any);
		const struct pol_problem *told = is ? is : was;

		/* A row may have several reasons: the first is told, once. */
		if (told == last)
			continue;
		last = told;
		if (is && (!was || strcmp(was->reason, is->reason) != 0) && n_new++ < LINES_MAX)
			log_new(is);
		if (was && !is && n_gone++ < LINES_MAX)
			log_gone(was);
	}
	if (n_new > LINES_MAX)
		ipspd_log(LOG_WARNING, "policy", "%zu more rows are not in force",
			  n_new - LINES_MAX);
	if (n_gone > LINES_MAX)
		ipspd_log(LOG_NOTICE, "policy", "%zu more rows have theirs no more",
			  n_gone - LINES_MAX);
}
