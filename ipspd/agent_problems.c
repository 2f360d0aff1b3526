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

/* The same row's problem in another generation, if it has one there. */
static const struct pol_problem *same_row(const struct pol_generation *g,
					  const struct pol_problem *p)
{
	return g ? pol_problem_find(g, p->table, p->index.ids, p->index.len) : NULL;
}

static const char *index_text(const struct pol_problem *p, char buf[INDEX_TEXT_MAX])
{
	mib_index_print(p->table, p->index.ids, p->index.len, buf, INDEX_TEXT_MAX);
	return buf;
}

static void log_new(const struct pol_generation *before, const struct pol_generation *now)
{
	char index[INDEX_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < now->n_problems; i++) {
		const struct pol_problem *p = &now->problems[i], *old = same_row(before, p);

		if (old && strcmp(old->reason, p->reason) == 0)
			continue;
		if (n++ < LINES_MAX)
			ipspd_log(LOG_WARNING, "policy", "%s.%s %s", p->table->name,
				  index_text(p, index), p->reason);
	}
	if (n > LINES_MAX)
		ipspd_log(LOG_WARNING, "policy", "%zu more rows are not in force", n - LINES_MAX);
}

static void log_gone(const struct pol_generation *before, const struct pol_generation *now)
{
	char index[INDEX_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; before && i < before->n_problems; i++) {
		const struct pol_problem *p = &before->problems[i];

		if (same_row(now, p))
			continue;
		if (n++ < LINES_MAX)
			ipspd_log(LOG_NOTICE, "policy", "%s.%s has its problem no more",
				  p->table->name, index_text(p, index));
	}
	if (n > LINES_MAX)
		ipspd_log(LOG_NOTICE, "policy", "%zu more rows have theirs no more", n - LINES_MAX);
}

void problems_log(const struct pol_generation *before, const struct pol_generation *now)
{
	log_new(before, now);
	log_gone(before, now);
}
