/* policy/status.c - observed columns about rules, actions and closures: see status.h. */
#include "policy/status.h"

#include <bsd/sys/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/program.h"
#include "mibs/schema_gen.h"
#include "policy/bind.h"
#include "policy/rows.h"

enum { TRUTH_TRUE = 1, TRUTH_FALSE = 2 };
enum { CLOSURE_POLICY = 1, CLOSURE_CLOSED = 2 };

#define REASON_MAX 160

/* An SA that is not in force, or a rule whose actions fail for that. */
struct refusal {
	RB_ENTRY(refusal) link;
	uint64_t id;
	char reason[REASON_MAX];
};

RB_HEAD(pol_refusals, refusal);
/* A commit that is not in force yet, and when it was. */
struct pending {
	uint64_t generation;
	uint64_t at_cs;
};

#define PENDING_MAX 64

struct pol_status {
	struct mib_store *store;
	const struct pol_generation *generation;
	const struct pol_observer *observer;
	struct pol_refusals refused;	/* by id */
	struct mib_listener listener;
	struct pending pending[PENDING_MAX];	/* the oldest first */
	size_t n_pending;
	uint64_t changes;	/* of what it would say */
	bool has_manager;	/* a key manager is there */
	struct mib_source rules;
	struct mib_source actions;
	struct mib_source closures;
	char text[POL_STATUS_TEXT];	/* what the last read borrows */
};

static int refusal_cmp(const struct refusal *a, const struct refusal *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

RB_PROTOTYPE(pol_refusals, refusal, link, refusal_cmp)
RB_GENERATE(pol_refusals, refusal, link, refusal_cmp)

static struct refusal *refusal_of(const struct pol_status *st, uint64_t id)
{
	struct refusal key = { .id = id };

	/* The tree macros know no const. */
	return RB_FIND(pol_refusals, &((struct pol_status *)(uintptr_t)st)->refused, &key);
}

static void forget_refusals(struct pol_status *st)
{
	struct refusal *r;

	while ((r = RB_ROOT(&st->refused))) {
		RB_REMOVE(pol_refusals, &st->refused, r);
		free(r);
	}
}

/*
 * Was the row changed by a commit that is not in force yet? Of changes in one centisecond, some before and some
 * after what is in force, all wait.
 */
static bool waits(const struct pol_status *st, const struct mib_row *r)
{
	return st->n_pending > 0 && mib_row_changed_cs(r) >= st->pending[0].at_cs;
}

/* Is the row active? Rows of tables without RowStatus are. */
static bool stands(const struct pol_status *st, const struct mib_row *r, char buf[POL_STATUS_TEXT])
{
	const struct mib_view *v = mib_store_view(st->store);
	struct mib_diag d = { 0 };
	char why[POL_LOST_TEXT];

	buf[0] = '\0';
	if (mib_row_lost(r))
		snprintf(buf, POL_STATUS_TEXT, "%s", pol_lost_reason(v, r, why));
	else if (mib_row_active(r))
		return true;
	else if (mib_row_status(v, r, &d) == MIB_RS_NOT_READY)
		snprintf(buf, POL_STATUS_TEXT, "is not ready: %.80s%s%.150s", d.object,
			 d.object[0] ? ": " : "", d.text);
	else
		snprintf(buf, POL_STATUS_TEXT, "is not in service");
	return false;
}

bool pol_status_in_force(const struct pol_status *st, const struct mib_row *r,
			 char buf[POL_STATUS_TEXT])
{
	const struct mib_table *t = mib_row_table(r);
	bool is_rule = t == &mib_t_spdRuleDefinitionTable;
	const struct pol_generation *g = st->generation;
	const struct pol_origin *origin;
	const struct pol_problem *problem;
	const struct refusal *refusal;
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	if (!stands(st, r, buf))
		return false;
	if (is_rule &&
	    !pol_row_enabled(r, MIB_COL(spdRuleDefinitionTable, spdRuleDefAdminStatus))) {
		snprintf(buf, POL_STATUS_TEXT, "is disabled by spdRuleDefAdminStatus");
		return false;
	}
	if (!g || waits(st, r)) {
		snprintf(buf, POL_STATUS_TEXT, "waits to come into force");
		return false;
	}
	problem = pol_problem_find(g, t, index, len, st->has_manager);
	if (problem) {
		snprintf(buf, POL_STATUS_TEXT, "%s", problem->reason);
		return false;
	}
	origin = pol_origin_of(g, t, index, len);
	if (!origin) {
		snprintf(buf, POL_STATUS_TEXT, is_rule
			 ? "is in no group that is bound to an interface"
			 : "waits to come into force");
		return false;
	}
	refusal = is_rule ? refusal_of(st, origin->id) : NULL;
	if (refusal) {
		snprintf(buf, POL_STATUS_TEXT, "%s", refusal->reason);
		return false;
	}
	refusal = refusal_of(st, origin->sa_id);
	if (!refusal)
		return true;
	snprintf(buf, POL_STATUS_TEXT, is_rule
		 ? "uses an SA that is not in force: it %s" : "%s", refusal->reason);
	return false;
}

/* A credential that another row names: may it be used? */
static bool credential_works(const struct pol_status *st, const struct mib_row *r,
			     const struct mib_column *col, char buf[POL_STATUS_TEXT])
{
	const struct mib_row *cred = pol_row_by_name(mib_store_view(st->store), r, col,
						     &mib_t_ipsaCredentialTable);
	char name[POL_ROW_TEXT];

	if (!cred || pol_row_enabled(cred, MIB_COL(ipsaCredentialTable, ipsaCredAdminStatus)))
		return true;
	snprintf(buf, POL_STATUS_TEXT, "names %s, which is disabled", pol_row_name(cred, name));
	return false;
}

/* What is more than being active, for tables of which rules know nothing. */
static bool does_work(const struct pol_status *st, const struct mib_row *r,
		      char buf[POL_STATUS_TEXT])
{
	static const struct {
		const struct mib_table *table;
		size_t pos;
	} named[] = {
		{ &mib_t_ipsaPeerIdentityTable, MIB_C_ipsaPeerIdCredentialName },
		{ &mib_t_ipiaIkeIdentityTable, MIB_C_ipiaIkeIdCredentialName },
		{ &mib_t_ipiaIpsecCredMngServiceTable, MIB_C_ipiaIcmsCredentialName },
	};
	const struct mib_table *t = mib_row_table(r);

	if (t == &mib_t_ipsaCredentialTable &&
	    !pol_row_enabled(r, MIB_COL(ipsaCredentialTable, ipsaCredAdminStatus))) {
		snprintf(buf, POL_STATUS_TEXT, "is disabled by ipsaCredAdminStatus");
		return false;
	}
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (named[i].table == t &&
		    !credential_works(st, r, &t->columns[named[i].pos], buf))
			return false;
	return true;
}

bool pol_status_row(const struct pol_status *st, const struct mib_row *r,
		    char buf[POL_STATUS_TEXT])
{
	const struct mib_table *t = mib_row_table(r);
	const struct pol_problem *problem;
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	if (t == &mib_t_spdRuleDefinitionTable || t == &mib_t_ipsaSaPreconfiguredActionTable)
		return pol_status_in_force(st, r, buf);
	if (!stands(st, r, buf))
		return false;
	problem = st->generation ? pol_problem_find(st->generation, t, index, len,
						      st->has_manager) : NULL;
	if (problem)
		snprintf(buf, POL_STATUS_TEXT, "%s", problem->reason);
	return !problem && does_work(st, r, buf);
}

/* Both augmenting tables: the column of type TruthValue says whether, the other says why not. */
static enum mib_err row_read(void *arg, const struct mib_column *col, const struct mib_table *base,
			     const uint32_t *index, size_t len, struct mib_value *out)
{
	struct pol_status *st = arg;
	const struct mib_row *r = mib_view_row(mib_store_view(st->store), base, index, len);
	bool yes;

	if (!r)
		return MIB_NO_SUCH_INSTANCE;
	yes = pol_status_in_force(st, r, st->text);
	if (col->tc == MIB_TC_TRUTH_VALUE)
		*out = mib_value_integer(yes ? TRUTH_TRUE : TRUTH_FALSE);
	else
		*out = mib_value_octets(st->text, strlen(st->text));
	return MIB_OK;
}

static enum mib_err rule_read(void *arg, const struct mib_column *col, const uint32_t *index,
			      size_t len, struct mib_value *out)
{
	const struct pol_status *st = arg;

	if (col->pos == MIB_C_ipspdRuleInForce || col->pos == MIB_C_ipspdRuleReason)
		return row_read(arg, col, &mib_t_spdRuleDefinitionTable, index, len, out);
	return st->observer ? st->observer->rule(st->observer->arg, col, index, len, out) :
			      MIB_NO_SUCH_INSTANCE;
}

static enum mib_err action_read(void *arg, const struct mib_column *col, const uint32_t *index,
				size_t len, struct mib_value *out)
{
	return row_read(arg, col, &mib_t_ipsaSaPreconfiguredActionTable, index, len, out);
}

static enum mib_err closure_read(void *arg, const struct mib_column *col, const uint32_t *index,
				 size_t len, struct mib_value *out)
{
	struct pol_status *st = arg;
	const struct mib_view *v = mib_store_view(st->store);

	if (col != MIB_COL(ipspdClosureTable, ipspdClosureState) || len != 2 ||
	    !mib_view_row(v, &mib_t_ipspdClosureTable, index, len))
		return MIB_NO_SUCH_INSTANCE;
	*out = mib_value_integer(pol_closure_is_bound(v, index[0] == IPSP_OUTBOUND ? IPSP_OUTBOUND
										   : IPSP_INBOUND,
						      index[1])
				 ? CLOSURE_POLICY : CLOSURE_CLOSED);
	return MIB_OK;
}

/* With more commits than there is room for, the newest of them stands for all. */
static void committed(void *arg, uint64_t generation, const struct mib_change *changes, size_t n)
{
	struct pol_status *st = arg;

	(void)changes;
	(void)n;
	if (st->n_pending == PENDING_MAX)
		st->pending[PENDING_MAX - 1].generation = generation;
	else
		st->pending[st->n_pending++] = (struct pending){ generation,
								 mib_store_now_cs(st->store) };
}

enum mib_err pol_status_new(struct mib_store *s, struct pol_status **out)
{
	struct pol_status *st = calloc(1, sizeof(*st));
	enum mib_err err;

	if (!st)
		return MIB_RESOURCE_UNAVAILABLE;
	st->store = s;
	RB_INIT(&st->refused);
	st->rules = (struct mib_source){ .table = &mib_t_ipspdRuleTable, .read = rule_read,
					 .arg = st };
	st->actions = (struct mib_source){ .table = &mib_t_ipspdPreActTable, .read = action_read,
					   .arg = st };
	st->closures = (struct mib_source){ .table = &mib_t_ipspdClosureTable,
					    .read = closure_read, .arg = st };
	err = mib_store_add_source(s, &st->rules);
	if (err == MIB_OK)
		err = mib_store_add_source(s, &st->actions);
	if (err == MIB_OK)
		err = mib_store_add_source(s, &st->closures);
	st->listener = (struct mib_listener){ .committed = committed, .arg = st };
	if (err == MIB_OK)
		err = mib_store_add_listener(s, &st->listener);
	if (err != MIB_OK) {
		free(st);
		return err;
	}
	*out = st;
	return MIB_OK;
}

void pol_status_free(struct pol_status *st)
{
	if (!st)
		return;
	forget_refusals(st);
	free(st);
}

void pol_status_set_generation(struct pol_status *st, const struct pol_generation *g)
{
	st->changes++;
	st->generation = g;
	forget_refusals(st);
}

static bool note(struct pol_status *st, uint64_t id, const char *reason)
{
	struct refusal *r = refusal_of(st, id);

	st->changes++;
	if (!r) {
		r = calloc(1, sizeof(*r));
		if (!r)
			return false;
		r->id = id;
		RB_INSERT(pol_refusals, &st->refused, r);
	}
	snprintf(r->reason, sizeof(r->reason), "%s", reason);
	return true;
}

static bool is_not_refused(void *arg, uint64_t sa_id)
{
	return refusal_of(arg, sa_id) == NULL;
}

static bool has_step_of(const struct ipsp_spd_entry *e, uint64_t sa_id)
{
	for (uint32_t i = 0; i < e->n_steps; i++)
		if (e->steps[i].sa_id == sa_id)
			return true;
	return false;
}

/* Does a compound action fail, now that this SA is gone? */
static bool note_programs(struct pol_status *st, const struct pol_list *l, uint64_t sa_id)
{
	struct pol_map_walk w;
	const struct pol_entry *e;
	bool ok = true;

	pol_map_walk_start(&w, &l->entries, 0);
	while (ok && (e = pol_map_walk_next(&w))) {
		struct ipsp_outcome o;

		if (!has_step_of(&e->spd, sa_id))
			continue;
		ipsp_steps_run(e->spd.steps, is_not_refused, st, &o);
		if (o.failed)
			ok = note(st, e->spd.id, "has a compound action that fails, as SAs are not in "
				  "force: its packets are dropped");
		else if (o.action == IPSP_BYPASS)
			ok = note(st, e->spd.id, "uses SAs that are not in force: its packets pass in "
				  "clear, as it says");
	}
	return ok;
}

void pol_status_applied(struct pol_status *st, uint64_t number)
{
	size_t in = 0;

	while (in < st->n_pending && st->pending[in].generation <= number)
		in++;
	st->n_pending -= in;
	memmove(st->pending, st->pending + in, st->n_pending * sizeof(st->pending[0]));
	st->changes++;
}

void pol_status_set_manager(struct pol_status *st, bool present)
{
	if (st->has_manager != present)
		st->changes++;
	st->has_manager = present;
}

bool pol_status_has_manager(const struct pol_status *st)
{
	return st->has_manager;
}

enum mib_err pol_status_refused(struct pol_status *st, uint64_t sa_id, const char *reason)
{
	const struct pol_generation *g = st->generation;
	bool ok = note(st, sa_id, reason);

	for (size_t i = 0; ok && g && i < g->n_lists; i++)
		ok = note_programs(st, &g->lists[i], sa_id);
	return ok ? MIB_OK : MIB_RESOURCE_UNAVAILABLE;
}

void pol_status_observe(struct pol_status *st, const struct pol_observer *o)
{
	st->observer = o;
}

uint64_t pol_status_next_refused(const struct pol_status *st, uint64_t after)
{
	struct refusal key = { .id = after + 1 };
	const struct refusal *r = after == UINT64_MAX ? NULL :
		RB_NFIND(pol_refusals, &((struct pol_status *)(uintptr_t)st)->refused, &key);

	return r ? r->id : 0;
}

uint64_t pol_status_changes(const struct pol_status *st)
{
	return st->changes;
}
