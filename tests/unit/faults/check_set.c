/*
 * tests/unit/faults/check_set.c - SETs from their octets down to the database, with each allocation
 * and each step of the disk failing in turn.
 *
 * Whatever fails, the answer is resourceUnavailable, commitFailed or undoFailed as its phase has it
 * (RFC 3416 4.2.5), and everything is exactly as before; and the same SET works afterwards.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "agentx/error.h"
#include "tests/unit/faults/nomem.h"
#include "tests/unit/faults/world.h"
#include "tests/unit/mibs/fault_vfs.h"
#include "tests/unit/mibs/fixture.h"

#define TRIES_MAX 5000

static const struct {
	const char *name;
	const char *rows;
} sets[] = {
	{ "a row is created",
	  "+ rule new Filter=spdTrueFilter.0 Action=spdAcceptAction.0 Description=new" },
	{ "a volatile row is created",
	  "+ rule new Filter=spdTrueFilter.0 Action=spdAcceptAction.0 StorageType=volatile" },
	{ "a row in use is changed", "= rule old FilterNegated=true AdminStatus=disabled" },
	{ "a key in use is changed", "= cred k Credential=0x33*32" },
	{ "a row is destroyed", "- rule spare" },
	{ "rows of many tables are created, what names others first",
	  world_many_tables },
	{ "a policy goes, what is named first",
	  "- cred k\n- esp e\n- pre p,2\n- clfr 1\n- filter f\n- subfilter f,1\n- rule old\n"
	  "- rule sa\n- contents g,1\n- contents g,2\n- endpoint 2,2" },
};
#define N_SETS (sizeof(sets) / sizeof(sets[0]))

static const struct {
	enum nomem_scope scope;
	enum nomem_kind kind;
} lacks[] = {
	{ NOMEM_ALL, NOMEM_ONCE },
	{ NOMEM_OURS, NOMEM_FOR_GOOD },
};
#define N_LACKS (sizeof(lacks) / sizeof(lacks[0]))

static struct world w;
static struct ax_buf pdu;

static void setup(void)
{
	world_init(&w, world_rows);
}

static void teardown(void)
{
	ax_buf_fini(&pdu);
	world_fini(&w);
}

/* How a SET went: the error that its manager gets, and where it came from. */
struct outcome {
	uint16_t error, index;
	uint8_t phase;		/* that answered with the error */
};

/* As a master runs it: RFC 2741 7.2.4. Allocates nothing itself. */
static struct outcome run(void)
{
	struct outcome o = { .phase = AX_TEST_SET };

	o.error = world_phase(&w, AX_TEST_SET, &pdu);
	o.index = w.index;
	if (o.error == 0) {
		o.phase = AX_COMMIT_SET;
		o.error = world_phase(&w, AX_COMMIT_SET, NULL);
		o.index = w.index;
		if (o.error != 0 && world_phase(&w, AX_UNDO_SET, NULL) != 0)
			o.phase = AX_UNDO_SET;
	}
	world_phase(&w, AX_CLEANUP_SET, NULL);
	return o;
}

static void must_be(const char *want)
{
	char *got;
	struct mib_diag d = { 0 };

	/* What a failed commit may have left on disk is taken back at the next occasion. */
	ck_assert_msg(mib_db_idle(w.db, &d) == MIB_OK, "%s", d.text);
	got = world_state(&w);
	fx_expect_same(want, got);
	free(got);
}

/* The states before and after, the latter undone. */
static void both_states(char **before, char **after)
{
	struct outcome o;

	*before = world_state(&w);
	o = run();
	ck_assert_msg(o.error == 0, "error %u at %u", o.error, o.index);
	*after = world_state(&w);
	ck_assert_str_ne(*before, *after);
	world_reset(&w);
	must_be(*before);
}

static void judge(const struct outcome *o, uint16_t memory_error)
{
	ck_assert_uint_ge(o->index, 1);
	ck_assert_uint_le(o->index, world_pdu_varbinds(&pdu));
	ck_assert_uint_ne(o->phase, AX_UNDO_SET);
	ck_assert_uint_eq(o->error, o->phase == AX_TEST_SET ? memory_error :
			  AX_SNMP_COMMIT_FAILED);
}

START_TEST(test_a_set_without_memory_changes_nothing)
{
	const size_t set = (size_t)_i / N_LACKS, lack = (size_t)_i % N_LACKS;
	char *before, *after;
	unsigned long n;
	struct outcome o;

	world_pdu(&pdu, sets[set].rows);
	both_states(&before, &after);
	for (n = 1; n < TRIES_MAX; n++) {
		nomem_arm(lacks[lack].scope, lacks[lack].kind, n);
		o = run();
		nomem_disarm();
		ck_assert_msg(o.error == 0 || nomem_happened(), "%s, %lu: error %u at %u",
			      sets[set].name, n, o.error, o.index);
		if (o.error != 0)
			judge(&o, AX_SNMP_RESOURCE_UNAVAILABLE);
		must_be(o.error ? before : after);
		if (!nomem_happened())
			break;
		if (o.error == 0)
			world_reset(&w);	/* SQLite can do without some of its memory */
	}
	ck_assert_uint_gt(n, 5);
	ck_assert_uint_lt(n, TRIES_MAX);
	free(before);
	free(after);
}
END_TEST

/* Commits it, unharmed; the next phase is up to the test. */
static void commit(void)
{
	ck_assert_uint_eq(world_phase(&w, AX_TEST_SET, &pdu), 0);
	ck_assert_uint_eq(world_phase(&w, AX_COMMIT_SET, NULL), 0);
}

/* The state after a good UndoSet: that before, but for the generation. */
static char *undone_state(const char *before)
{
	char *undone;

	commit();
	ck_assert_uint_eq(world_phase(&w, AX_UNDO_SET, NULL), 0);
	world_phase(&w, AX_CLEANUP_SET, NULL);
	undone = world_state(&w);
	fx_expect_same(strchr(before, '\n'), strchr(undone, '\n'));
	return undone;
}

/* What UndoSet left, and whether it may have. */
static void judge_undo(uint16_t error, bool harmed, const char *after, const char *undone)
{
	ck_assert(error == 0 || (harmed && error == AX_SNMP_UNDO_FAILED));
	if (error != 0)
		ck_assert_uint_eq(w.index, 1);
	world_phase(&w, AX_CLEANUP_SET, NULL);
	must_be(error ? after : undone);
}

START_TEST(test_an_undo_without_memory_takes_all_back_or_nothing)
{
	const size_t set = (size_t)_i / N_LACKS, lack = (size_t)_i % N_LACKS;
	char *before, *after, *undone;
	unsigned long n;

	world_pdu(&pdu, sets[set].rows);
	both_states(&before, &after);
	undone = undone_state(before);
	for (n = 1; n < TRIES_MAX; n++) {
		uint16_t error;

		world_reset(&w);
		commit();
		nomem_arm(lacks[lack].scope, lacks[lack].kind, n);
		error = world_phase(&w, AX_UNDO_SET, NULL);
		nomem_disarm();
		judge_undo(error, nomem_happened(), after, undone);
		if (!nomem_happened())
			break;
	}
	ck_assert_uint_lt(n, TRIES_MAX);
	free(before);
	free(after);
	free(undone);
}
END_TEST

/* ---- the disk ---- */

static const enum fault disk_faults[] = { FAULT_IO, FAULT_FULL, FAULT_IO_FROM };
#define N_DISK_FAULTS (sizeof(disk_faults) / sizeof(disk_faults[0]))

START_TEST(test_a_set_that_the_disk_refuses_changes_nothing)
{
	const size_t set = (size_t)_i / N_DISK_FAULTS;
	const enum fault fault = disk_faults[(size_t)_i % N_DISK_FAULTS];
	char *before, *after;
	unsigned int n;

	world_pdu(&pdu, sets[set].rows);
	both_states(&before, &after);
	for (n = 1; n < TRIES_MAX; n++) {
		struct outcome o;
		bool happened;

		fault_arm(fault, n);
		o = run();
		happened = fault_happened();
		fault_arm(FAULT_NONE, 0);
		ck_assert_int_eq(o.error != 0, happened);
		if (happened) {
			ck_assert_uint_eq(o.phase, AX_COMMIT_SET);
			judge(&o, 0);
		}
		must_be(happened ? before : after);
		if (!happened)
			break;
	}
	ck_assert_uint_gt(n, 2);
	free(before);
	free(after);
}
END_TEST

START_TEST(test_an_undo_that_the_disk_refuses_takes_nothing_back)
{
	const size_t set = (size_t)_i / N_DISK_FAULTS;
	const enum fault fault = disk_faults[(size_t)_i % N_DISK_FAULTS];
	char *before, *after, *undone;
	bool happened = true;

	world_pdu(&pdu, sets[set].rows);
	both_states(&before, &after);
	undone = undone_state(before);
	for (unsigned int n = 1; happened; n++) {
		uint16_t error;

		ck_assert_uint_lt(n, TRIES_MAX);
		world_reset(&w);
		commit();
		fault_arm(fault, n);
		error = world_phase(&w, AX_UNDO_SET, NULL);
		happened = fault_happened();
		fault_arm(FAULT_NONE, 0);
		ck_assert_int_eq(error != 0, happened);
		judge_undo(error, happened, after, undone);
	}
	free(before);
	free(after);
	free(undone);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("faults/set");
	TCase *memory = tcase_create("memory"), *disk = tcase_create("disk");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(memory, 300);
	tcase_add_checked_fixture(memory, setup, teardown);
	tcase_add_loop_test(memory, test_a_set_without_memory_changes_nothing, 0,
			    N_SETS * N_LACKS);
	tcase_add_loop_test(memory, test_an_undo_without_memory_takes_all_back_or_nothing, 0,
			    N_SETS * N_LACKS);
	suite_add_tcase(s, memory);
	/* The failing file layer has memory of its own: it must not be there when that fails. */
	tcase_set_timeout(disk, 300);
	tcase_add_unchecked_fixture(disk, fault_vfs_install, NULL);
	tcase_add_checked_fixture(disk, setup, teardown);
	tcase_add_loop_test(disk, test_a_set_that_the_disk_refuses_changes_nothing, 0,
			    N_SETS * N_DISK_FAULTS);
	tcase_add_loop_test(disk, test_an_undo_that_the_disk_refuses_takes_nothing_back, 0,
			    N_SETS * N_DISK_FAULTS);
	suite_add_tcase(s, disk);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
