/*
 * Tests of ipspd/agent_apply.c: whatever happens in whatever order, the guard holds each policy that
 * the engine has or may be about to have.
 *
 * The agent is real as far as its policy goes; parent and engine are this test, which answers when it
 * likes. The rest of the agent is stood in for below.
 */
#include "config.h"

#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/crypto/hosted.h"
#include "ipspd/addresses.h"
#include "ipspd/agent_int.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "ipspd/wire.h"
#include "mibs/schema_gen.h"
#include "spd/table.h"

/* ---- the rest of the agent ---- */

bool addresses_all(struct addresses *a, struct ipsp_addr *out, size_t max, size_t *n)
{
	(void)a;
	(void)out;
	(void)max;
	(void)n;
	return false;
}

static bool disk_refuses;
static size_t told;
static int gave_up;

bool reserve_prepare(struct agent *a, struct ipsp_sa_config *sas, size_t n)
{
	(void)a;
	(void)sas;
	(void)n;
	return !disk_refuses;
}

void reserve_send(struct agent *a, const struct ipsp_sa_config *sas, size_t n)
{
	(void)a;
	(void)sas;
	(void)n;
}

uint64_t agent_ike_applied(const struct agent *a)
{
	(void)a;
	return UINT64_MAX;
}

void agent_tell_changed(struct agent *a)
{
	(void)a;
	told++;
}

void notify_sa_refused(struct agent *a, const struct ipsp_sa_config *sa, const char *why)
{
	(void)a;
	(void)sa;
	(void)why;
}

void agent_give_up(struct agent *a, int status)
{
	(void)a;
	gave_up += status;
}

/* ---- parent and engine, as this test plays them ---- */

#define LAYERS_MAX 64

struct guard_model {
	struct {
		uint32_t serial;
		uint64_t generation;
	} layers[LAYERS_MAX];
	size_t n;
	/* the change that comes in, and the last that waits for its answer */
	uint32_t serial, keep;
	bool has_new, waits;
	uint64_t new_generation;
	size_t changes;
};

static struct agent agent;
static struct guard_model guard;
static struct chan *parent_end, *engine_end, *engine_agent_end;
static uint64_t engine_in_force;	/* 0: none */
static uint64_t engine_sent;		/* waits for its answer; 0: nothing */
static size_t generations_sent;

static void guard_message(void *arg, struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	(void)arg;
	switch (m->type) {
	case MSG_GUARD_BEGIN:
		guard.serial = chan_get_u32(&r);
		guard.keep = chan_get_u32(&r);
		guard.has_new = false;
		break;
	case MSG_GUARD_LAYER:
		guard.has_new = true;
		guard.new_generation = chan_get_u64(&r);
		break;
	case MSG_GUARD_COMMIT:
		ck_assert_uint_eq(chan_get_u32(&r), guard.serial);
		guard.waits = true;
		guard.changes++;
		break;
	default:
		ck_assert(m->type == MSG_GEN_LIST || m->type == MSG_GEN_ENTRY ||
			  m->type == MSG_GEN_SELECTORS);
	}
}

/* What the engine would have in force, made of what it was sent. */
static struct {
	struct ipsp_platform platform;
	struct ipsp_spd_db *db;
	struct ipsp_spd *spd;
	struct wire_builder *builder;
	size_t followed;	/* generations that came as what they change */
} engine_model;

static void model_begin(const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	wire_builder_free(engine_model.builder);
	engine_model.builder = wire_builder_new(chan_get_u64(&r));
	ck_assert_ptr_nonnull(engine_model.builder);
	if (m->type != MSG_GEN_FOLLOW)
		return;
	ck_assert_ptr_nonnull(engine_model.spd);
	ck_assert_uint_eq(chan_get_u64(&r), ipsp_spd_generation(engine_model.spd));
	wire_builder_follow(engine_model.builder);
	engine_model.followed++;
}

static void model_commit(const struct chan_msg *m)
{
	struct ipsp_spd *next;
	struct wire_gen *g;

	ck_assert_int_eq(wire_builder_finish(engine_model.builder, m->data, m->len, &g), 0);
	engine_model.builder = NULL;
	const struct ipsp_spd_update update = {
		.generation = g->number, .full = !g->follows,
		.n_lists = (uint32_t)g->n_lists, .lists = g->lists,
		.n_edits = (uint32_t)g->n_edits, .edits = g->edits,
		.n_removed = (uint32_t)g->n_lists_gone, .removed = g->lists_gone,
	};
	ck_assert_int_eq(ipsp_spd_build(engine_model.db, engine_model.spd, &update, &next), IPSP_OK);
	ipsp_spd_free(engine_model.spd);
	engine_model.spd = next;
	wire_gen_free(g);
}

static void model_forget(void)
{
	wire_builder_free(engine_model.builder);
	ipsp_spd_free(engine_model.spd);
	engine_model.builder = NULL;
	engine_model.spd = NULL;
}

/* Has the model just the lists of that policy? */
static void model_has(const struct pol_generation *g)
{
	for (size_t i = 0; i < g->n_lists; i++) {
		const struct ipsp_spd_table *t =
			ipsp_spd_table_for(engine_model.spd, g->lists[i].ifindex,
					   (enum ipsp_dir)g->lists[i].dir);
		struct ipsp_spd_list l;

		ck_assert_ptr_nonnull(t);
		ck_assert(pol_list_flat(&g->lists[i], &l));
		ck_assert(ipsp_spd_table_is(t, &l));
		free((void *)(uintptr_t)l.entries);
	}
}

static void engine_message(void *arg, struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	(void)arg;
	if (m->type == MSG_GEN_BEGIN || m->type == MSG_GEN_FOLLOW)
		model_begin(m);
	else if (m->type != MSG_GEN_COMMIT)
		ck_assert_int_eq(wire_builder_add(engine_model.builder, m->type, m->data, m->len),
				 0);
	if (m->type == MSG_GEN_COMMIT) {
		model_commit(m);
		engine_sent = chan_get_u64(&r);
		generations_sent++;
	}
}

static void end_closed(void *arg, int why)
{
	(void)arg;
	(void)why;
}

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(agent.base, EVLOOP_NONBLOCK);
}

/* The parent makes the change that it was sent, or refuses it. */
static void guard_answers(uint32_t error)
{
	uint8_t buf[32];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	size_t n = 0;

	if (!guard.waits)
		return;
	guard.waits = false;
	if (error == 0) {
		for (size_t i = 0; i < guard.n; i++) {
			if (guard.layers[i].serial == guard.keep)
				guard.layers[n++] = guard.layers[i];
		}
		guard.n = n;
		if (guard.has_new) {
			ck_assert_uint_lt(guard.n, LAYERS_MAX);
			guard.layers[guard.n].serial = guard.serial;
			guard.layers[guard.n++].generation = guard.new_generation;
		}
	}
	chan_put_u32(&w, guard.serial);
	chan_put_u32(&w, error);
	chan_put_octets(&w, "why", 3);
	struct chan_msg m = { .type = MSG_GUARD_DONE, .data = buf, .len = w.len };
	ck_assert(apply_guard_done(&agent, &m));
}

static void engine_answers(uint16_t type)
{
	uint8_t buf[16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	uint64_t generation = engine_sent;

	if (!engine_sent || !agent.engine)
		return;
	engine_sent = 0;
	if (type == MSG_GEN_APPLIED)
		engine_in_force = generation;
	chan_put_u64(&w, generation);
	if (type == MSG_GEN_REFUSED)
		chan_put_u8(&w, IPSP_ENOMEM);
	struct chan_msg m = { .type = type, .data = buf, .len = w.len };
	ck_assert(apply_engine_message(&agent, &m));
}

static void engine_goes(void)
{
	if (!agent.engine)
		return;
	chan_free(agent.engine);
	chan_free(engine_end);
	agent.engine = NULL;
	engine_end = NULL;
	engine_in_force = engine_sent = 0;
	model_forget();
	apply_engine_down(&agent);
}

static void engine_comes(void)
{
	struct chan_handler h = { engine_message, end_closed, NULL };
	int fds[2];

	engine_goes();
	ck_assert_int_eq(chan_pair(fds), 0);
	ck_assert_int_eq(chan_new(agent.base, fds[0], &h, &agent.engine), 0);
	ck_assert_int_eq(chan_new(agent.base, fds[1], &h, &engine_end), 0);
	apply_engine_up(&agent);
}

/* Commits, as the agent would hear of it. */
static void finish(struct mib_txn *t)
{
	const struct mib_change *changes;
	struct mib_diag d;
	size_t n;

	ck_assert_int_eq(mib_txn_prepare(t, &d), MIB_OK);
	ck_assert_int_eq(mib_txn_commit(t, &d), MIB_OK);
	changes = mib_txn_changes(t, &n);
	apply_commit(&agent, changes, n);
	mib_txn_done(t);
}

/* Any change of the store: a system-wide group named or unnamed. */
static void commit(void)
{
	static unsigned n;
	char name[16];
	static const uint32_t zero = 0;
	struct mib_txn *t;
	struct mib_diag d;

	snprintf(name, sizeof(name), "group%u", n++);
	struct mib_value v = mib_value_octets(name, strlen(name));
	ck_assert_int_eq(mib_txn_begin(agent.store, MIB_DOOR_SYSTEM, "test", &t), MIB_OK);
	ck_assert_int_eq(mib_txn_set_column(t, mib_column_by_name("spdEgressPolicyGroupName"), &zero,
					    1, &v, &d), MIB_OK);
	finish(t);
}

static uint64_t boottime_cs(void)
{
	return 1;
}

static void setup(void)
{
	struct chan_handler h = { guard_message, end_closed, NULL };
	int fds[2];

	memset(&agent, 0, sizeof(agent));
	memset(&guard, 0, sizeof(guard));
	engine_in_force = engine_sent = 0;
	engine_agent_end = engine_end = NULL;
	disk_refuses = false;
	gave_up = 0;
	generations_sent = told = 0;
	log_set_level(LOG_EMERG);
	agent.base = event_base_new();
	ck_assert_int_eq(chan_pair(fds), 0);
	ck_assert_int_eq(chan_new(agent.base, fds[0], &h, &agent.parent), 0);
	ck_assert_int_eq(chan_new(agent.base, fds[1], &h, &parent_end), 0);
	ck_assert_int_eq(mib_store_new(NULL, boottime_cs, &agent.store), MIB_OK);
	ck_assert_int_eq(pol_bind(agent.store), MIB_OK);
	ck_assert_int_eq(pol_status_new(agent.store, &agent.pol_status), MIB_OK);
	ck_assert_int_eq(apply_init(&agent), 0);
	memset(&engine_model, 0, sizeof(engine_model));
	ipsp_platform_hosted(&engine_model.platform, NULL);
	ck_assert_int_eq(ipsp_spd_db_new(&engine_model.platform, &engine_model.db), IPSP_OK);
	/* What an earlier agent has left. */
	guard.layers[0].serial = GUARD_KEEP_INHERITED;
	guard.layers[0].generation = 1000000;
	guard.n = 1;
}

static void teardown(void)
{
	apply_fini(&agent);
	model_forget();
	ipsp_spd_db_free(engine_model.db);
	chan_free(agent.engine);
	chan_free(engine_end);
	chan_free(agent.parent);
	chan_free(parent_end);
	mib_store_free(agent.store);
	pol_status_free(agent.pol_status);
	event_base_free(agent.base);
}

static bool guard_holds(uint64_t generation)
{
	for (size_t i = 0; i < guard.n; i++) {
		if (guard.layers[i].generation == generation)
			return true;
	}
	return false;
}

/* ---- stories ---- */

START_TEST(test_policy_comes_into_force_by_guard_engine_guard)
{
	engine_comes();
	commit();
	turn();
	ck_assert(guard.waits);
	ck_assert_uint_eq(guard.keep, GUARD_KEEP_INHERITED);
	ck_assert_uint_eq(generations_sent, 0);
	guard_answers(0);
	turn();
	ck_assert_uint_eq(guard.n, 2);
	ck_assert_uint_eq(engine_sent, 1);
	ck_assert_uint_eq(agent_applied_generation(&agent), 0);
	engine_answers(MSG_GEN_APPLIED);
	turn();
	ck_assert(guard.waits);
	ck_assert_uint_eq(agent_applied_generation(&agent), 0);
	guard_answers(0);
	ck_assert_uint_eq(guard.n, 1);
	ck_assert(guard_holds(1));
	ck_assert_uint_eq(agent_applied_generation(&agent), 1);
	ck_assert_int_eq(agent_engine_state(&agent), AGENT_ENGINE_IN_FORCE);
}
END_TEST

static void bring_into_force(void)
{
	turn();
	for (int i = 0; i < 6; i++) {
		guard_answers(0);
		turn();
		engine_answers(MSG_GEN_APPLIED);
		turn();
	}
	ck_assert_int_eq(agent_engine_state(&agent), AGENT_ENGINE_IN_FORCE);
	ck_assert_uint_eq(agent_applied_generation(&agent), mib_store_generation(agent.store));
}

/* ---- an engine that follows ---- */

#define RULES 60

static void stage(struct mib_txn *t, const char *column, const uint32_t *index, size_t len,
		  struct mib_value v)
{
	struct mib_diag d = { 0 };

	ck_assert_msg(mib_txn_set_column(t, mib_column_by_name(column), index, len, &v, &d) == MIB_OK,
		      "%s: %s", column, d.text);
}

static struct mib_txn *begin(void)
{
	struct mib_txn *t;

	ck_assert_int_eq(mib_txn_begin(agent.store, MIB_DOOR_SYSTEM, "test", &t), MIB_OK);
	return t;
}

static void stage_rule(struct mib_txn *t, uint32_t nr, bool drop)
{
	static const uint32_t filter[] = { 1, 3, 6, 1, 2, 1, 153, 1, 7, 1, 0 };
	const uint32_t action[] = { 1, 3, 6, 1, 2, 1, 153, 1, 13, drop ? 1 : 3, 0 };
	const uint32_t index[] = { 2, 'a' + nr / 26, 'a' + nr % 26 };

	stage(t, "spdRuleDefFilter", index, 3, mib_value_oid(filter, 11));
	stage(t, "spdRuleDefAction", index, 3, mib_value_oid(action, 11));
}

static void stage_contents(struct mib_txn *t, uint32_t nr, bool there)
{
	const uint32_t index[] = { 1, 'g', nr + 1 };
	const char name[] = { (char)('a' + nr / 26), (char)('a' + nr % 26) };

	if (there)
		stage(t, "spdGroupContComponentName", index, 3, mib_value_octets(name, 2));
	stage(t, "spdGroupContRowStatus", index, 3,
	      mib_value_integer(there ? MIB_RS_CREATE_AND_GO : MIB_RS_DESTROY));
}

static void make_policy(bool there[RULES])
{
	static const uint32_t zero = 0;
	struct mib_txn *t = begin();

	for (uint32_t i = 0; i < RULES; i++) {
		const uint32_t index[] = { 2, 'a' + i / 26, 'a' + i % 26 };

		there[i] = true;
		stage_rule(t, i, i % 2);
		stage(t, "spdRuleDefRowStatus", index, 3, mib_value_integer(MIB_RS_CREATE_AND_GO));
		stage_contents(t, i, true);
	}
	stage(t, "spdEgressPolicyGroupName", &zero, 1, mib_value_octets("g", 1));
	finish(t);
}

START_TEST(test_an_engine_that_follows_has_what_policy_says)
{
	bool there[RULES];
	uint32_t seed = 1;

	engine_comes();
	make_policy(there);
	bring_into_force();
	for (unsigned round = 0; round < 150; round++) {
		struct mib_txn *t = begin();

		for (unsigned n = 0; n < 1 + round % 5; n++) {
			seed = seed * 1103515245u + 12345u;
			uint32_t nr = (seed >> 16) % RULES;

			if (seed >> 28 & 1) {
				stage_rule(t, nr, seed >> 29 & 1);
			} else if (n == 0 && nr > 0) {
				there[nr] = !there[nr];
				stage_contents(t, nr, there[nr]);
			}
		}
		finish(t);
		bring_into_force();
		model_has(agent.apply.in_force);
		/* Another engine, which must get all of it. */
		if (round % 40 == 39) {
			engine_comes();
			bring_into_force();
			model_has(agent.apply.in_force);
		}
	}
	ck_assert_uint_gt(engine_model.followed, 100);
}
END_TEST

START_TEST(test_an_engine_that_refused_is_sent_all)
{
	bool there[RULES];

	engine_comes();
	make_policy(there);
	bring_into_force();
	commit();
	turn();
	guard_answers(0);
	turn();
	ck_assert_uint_eq(engine_model.followed, 1);
	engine_answers(MSG_GEN_REFUSED);
	commit();
	bring_into_force();
	ck_assert_uint_eq(engine_model.followed, 1);
	model_has(agent.apply.in_force);
}
END_TEST

START_TEST(test_commits_meanwhile_become_one_generation)
{
	engine_comes();
	commit();
	turn();
	for (int i = 0; i < 10; i++)
		commit();
	turn();
	for (int i = 0; i < 10; i++) {
		commit();
		turn();
	}
	bring_into_force();
	ck_assert_uint_eq(generations_sent, 2);
	ck_assert_uint_eq(agent_applied_generation(&agent), 21);
}
END_TEST

START_TEST(test_a_generation_is_in_force_although_commits_go_on)
{
	engine_comes();
	commit();
	ck_assert(!agent_in_force(&agent, 0));
	bring_into_force();
	for (uint64_t i = 2; i < 10; i += 2) {
		commit();
		turn();
		ck_assert(agent_in_force(&agent, i - 1) && !agent_in_force(&agent, i));
		guard_answers(0);
		turn();
		commit();
		engine_answers(MSG_GEN_APPLIED);
		turn();
		ck_assert(!agent_in_force(&agent, i));
		guard_answers(0);
		ck_assert(agent_in_force(&agent, i) && !agent_in_force(&agent, i + 1));
		ck_assert_int_eq(agent_engine_state(&agent), AGENT_ENGINE_APPLYING);
		bring_into_force();
	}
}
END_TEST

START_TEST(test_an_engine_that_came_meanwhile_has_nothing_in_force)
{
	engine_comes();
	commit();
	bring_into_force();
	commit();
	turn();
	engine_goes();
	engine_comes();
	turn();
	ck_assert_uint_eq(agent_applied_generation(&agent), 1);
	ck_assert(!agent_in_force(&agent, 1));
	bring_into_force();
	ck_assert(agent_in_force(&agent, 2));
}
END_TEST

START_TEST(test_without_engine_the_guard_is_tight_and_policy_waits)
{
	commit();
	turn();
	guard_answers(0);
	turn();
	ck_assert_uint_eq(guard.n, 2);
	ck_assert_int_eq(agent_engine_state(&agent), AGENT_ENGINE_DOWN);
	commit();
	turn();
	guard_answers(0);
	ck_assert_uint_eq(guard.n, 2);	/* what waited for nothing is no layer any more */
	ck_assert(guard_holds(2) && !guard_holds(1));
	engine_comes();
	bring_into_force();
	ck_assert_uint_eq(generations_sent, 1);
}
END_TEST

START_TEST(test_a_new_engine_gets_what_is_in_force)
{
	engine_comes();
	commit();
	bring_into_force();
	size_t changes = guard.changes;
	engine_goes();
	ck_assert_int_eq(agent_engine_state(&agent), AGENT_ENGINE_DOWN);
	ck_assert(!agent_in_force(&agent, 1));
	engine_comes();
	turn();
	ck_assert_uint_eq(engine_sent, 1);
	ck_assert_int_eq(agent_engine_state(&agent), AGENT_ENGINE_APPLYING);
	ck_assert(!agent_in_force(&agent, 1));
	engine_answers(MSG_GEN_APPLIED);
	ck_assert(agent_in_force(&agent, 1));
	ck_assert_int_eq(agent_engine_state(&agent), AGENT_ENGINE_IN_FORCE);
	ck_assert_uint_eq(guard.changes, changes);
}
END_TEST

START_TEST(test_refusals_are_told_and_the_next_commit_goes_through)
{
	static const struct {
		bool guard, engine;
	} cases[] = { { true, false }, { false, true } };

	engine_comes();
	commit();
	bring_into_force();
	commit();
	turn();
	guard_answers(cases[_i].guard ? 5 : 0);
	turn();
	if (cases[_i].engine)
		engine_answers(MSG_GEN_REFUSED);
	ck_assert_uint_eq(agent_applied_generation(&agent), 1);
	ck_assert_uint_gt(strlen(agent_apply_problem(&agent)), 0);
	ck_assert(guard_holds(1));
	commit();
	bring_into_force();
	ck_assert_str_eq(agent_apply_problem(&agent), "");
}
END_TEST

START_TEST(test_without_reserved_numbers_nothing_is_sent)
{
	engine_comes();
	disk_refuses = true;
	commit();
	turn();
	guard_answers(0);
	turn();
	ck_assert_uint_eq(generations_sent, 0);
	ck_assert_uint_gt(strlen(agent_apply_problem(&agent)), 0);
	disk_refuses = false;
	commit();
	bring_into_force();
}
END_TEST

START_TEST(test_malformed_answers_are_noticed)
{
	uint8_t octets[16] = { 0 };
	static const uint16_t types[] = { MSG_GEN_APPLIED, MSG_GEN_REFUSED, MSG_SA_REFUSED };

	for (size_t len = 0; len < 8; len++) {
		struct chan_msg m = { .type = MSG_GUARD_DONE, .data = octets, .len = len };

		ck_assert(!apply_guard_done(&agent, &m));
		m.type = types[len % 3];
		ck_assert(!apply_engine_message(&agent, &m));
	}
}
END_TEST

/* ---- anything in any order ---- */

static void check_invariants(unsigned step)
{
	if (engine_in_force)
		ck_assert_msg(guard_holds(engine_in_force), "step %u: %llu is in force, not guarded",
			      step, (unsigned long long)engine_in_force);
	if (engine_sent)
		ck_assert_msg(guard_holds(engine_sent), "step %u: %llu is sent, not guarded", step,
			      (unsigned long long)engine_sent);
	ck_assert_uint_ge(guard.n, 1);
	ck_assert_uint_le(guard.n, 3);
	ck_assert_int_eq(gave_up, 0);
}

START_TEST(test_no_order_of_events_opens_a_gap)
{
	unsigned seed = 4301 + (unsigned)_i;

	for (unsigned step = 0; step < 3000; step++) {
		switch (rand_r(&seed) % 12) {
		case 0:
			commit();
			break;
		case 1:
			engine_goes();
			break;
		case 2:
			engine_comes();
			break;
		case 3:
			guard_answers(5);
			break;
		case 4:
			engine_answers(MSG_GEN_REFUSED);
			break;
		case 5:
			disk_refuses = rand_r(&seed) % 4 == 0;
			break;
		case 6: case 7:
			guard_answers(0);
			break;
		case 8: case 9:
			engine_answers(MSG_GEN_APPLIED);
			break;
		default:
			turn();
		}
		check_invariants(step);
	}
	/* And when all behave again, all comes into force. */
	disk_refuses = false;
	engine_comes();
	commit();
	for (int i = 0; i < 6; i++) {
		guard_answers(0);
		turn();
		engine_answers(MSG_GEN_APPLIED);
		turn();
	}
	bring_into_force();
	ck_assert_uint_eq(guard.n, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/agent_apply");
	TCase *tc = tcase_create("apply");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_policy_comes_into_force_by_guard_engine_guard);
	tcase_add_test(tc, test_an_engine_that_follows_has_what_policy_says);
	tcase_add_test(tc, test_an_engine_that_refused_is_sent_all);
	tcase_add_test(tc, test_commits_meanwhile_become_one_generation);
	tcase_add_test(tc, test_a_generation_is_in_force_although_commits_go_on);
	tcase_add_test(tc, test_an_engine_that_came_meanwhile_has_nothing_in_force);
	tcase_add_test(tc, test_without_engine_the_guard_is_tight_and_policy_waits);
	tcase_add_test(tc, test_a_new_engine_gets_what_is_in_force);
	tcase_add_loop_test(tc, test_refusals_are_told_and_the_next_commit_goes_through, 0, 2);
	tcase_add_test(tc, test_without_reserved_numbers_nothing_is_sent);
	tcase_add_test(tc, test_malformed_answers_are_noticed);
	tcase_add_loop_test(tc, test_no_order_of_events_opens_a_gap, 0, 10);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
