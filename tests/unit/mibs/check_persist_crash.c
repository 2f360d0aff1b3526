/*
 * check_persist_crash.c - what mibs/persist*.c has answered survives SIGKILL and loss of power at
 * every single step, what it has refused never comes back, and nothing is ever there by half.
 *
 * Each case runs in a child process over a file layer that strikes at the nth step (fault_vfs.h);
 * the parent opens what is left with SQLite's own layer. n rises until nothing strikes any more.
 */
#include "config.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault_vfs.h"
#include "persist_fake.h"

enum {
	ROWS = 5,
	GENERATION_BEFORE = 7,
	GENERATION_AFTER = 8,
	STEPS_MAX = 500,
};

/* How a child ends when it is not killed. */
enum { ENDED_OK, ENDED_REFUSED, ENDED_BADLY };

/* ---- the state before, one transaction, the state after ---- */

static void fill_row(struct mib_store *s, uint32_t index, const char *text)
{
	char words[2500];

	/* Long enough that a transaction covers some pages. */
	memset(words, text[0], sizeof(words) - 1);
	words[sizeof(words) - 1] = '\0';
	fake_set_text(fake_row1(s, index), FAKE_OCTETS, words);
	fake_set_text(fake_row1(s, index), FAKE_SECRET, text);
	fake_set_status(fake_row1(s, index), MIB_RS_ACTIVE);
}

static struct mib_store *state_before(void)
{
	struct mib_store *s = fake_store_new();

	for (uint32_t i = 1; i <= ROWS; i++)
		fill_row(s, i, "before");
	return s;
}

/** Every third row is destroyed, the others changed, and as many are new. */
static struct mib_store *state_after(void)
{
	struct mib_store *s = fake_store_new();

	for (uint32_t i = 1; i <= 2 * ROWS; i++) {
		if (i > ROWS || i % 3)
			fill_row(s, i, "after");
	}
	return s;
}

static enum mib_err write_changes(struct fake_db *f, uint64_t generation, struct mib_store *from,
				  struct mib_store *to, struct mib_diag *d)
{
	struct mib_change changes[2 * ROWS];
	const struct mib_journal *j = mib_db_journal(f->db);
	size_t n = 0;

	for (uint32_t i = 1; i <= 2 * ROWS; i++) {
		struct mib_row *before = from ? fake_find(from, i) : NULL;
		struct mib_row *after = fake_find(to, i);

		if (before || after)
			changes[n++] = (struct mib_change){ &fake_table, before, after };
	}
	return j->write(j->arg, generation, changes, n, d);
}

static void make_before(struct fake_db *f)
{
	struct mib_store *s = state_before();
	struct mib_diag d = { .varbind = 0 };

	fake_db_init(f);
	ck_assert_msg(fake_db_open(f, &d) == MIB_OK, "%s", d.text);
	ck_assert_int_eq(write_changes(f, GENERATION_BEFORE, NULL, s, &d), MIB_OK);
	fake_db_close(f);
	fake_store_free(s);
}

static int write_after(struct fake_db *f)
{
	struct mib_store *from = state_before(), *to = state_after();
	struct mib_diag d;
	enum mib_err err = write_changes(f, GENERATION_AFTER, from, to, &d);

	fake_store_free(from);
	fake_store_free(to);
	return err == MIB_OK ? ENDED_OK : err == MIB_COMMIT_FAILED ? ENDED_REFUSED : ENDED_BADLY;
}

/* What is left on disk. */
enum { IS_BEFORE, IS_AFTER, IS_HALF };

static int what_is_left(struct fake_db *f)
{
	struct mib_store *before = state_before(), *after = state_after();
	struct mib_diag d = { .varbind = 0 };
	int is = IS_HALF;

	ck_assert_msg(fake_db_open(f, &d) == MIB_OK, "%s", d.text);

	struct mib_store *s = fake_load(f, NULL, NULL);

	if (fake_store_equal(s, before) && fake_store_generation(s) == GENERATION_BEFORE)
		is = IS_BEFORE;
	if (fake_store_equal(s, after) && fake_store_generation(s) == GENERATION_AFTER)
		is = IS_AFTER;
	fake_store_free(s);
	fake_store_free(before);
	fake_store_free(after);
	fake_db_close(f);
	return is;
}

/* ---- children ---- */

/** What a child does; opens f itself. @return ENDED_ */
typedef int (*child_work)(struct fake_db *f, enum fault fault, unsigned int nth);

/** @return ENDED_, or -SIGKILL */
static int run_child(struct fake_db *f, child_work work, enum fault fault, unsigned int nth,
		     bool *struck)
{
	int status, ends[2];
	char mark = 'n';

	ck_assert_int_eq(pipe(ends), 0);

	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		fault_vfs_install();

		int ended = work(f, fault, nth);

		/* Has it been struck, without being killed? */
		mark = fault_happened() ? 'y' : 'n';
		if (write(ends[1], &mark, 1) != 1)
			_exit(ENDED_BADLY);
		_exit(ended);
	}
	close(ends[1]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	*struck = read(ends[0], &mark, 1) != 1 || mark == 'y';
	close(ends[0]);
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int work_write(struct fake_db *f, enum fault fault, unsigned int nth)
{
	if (fake_db_open(f, NULL))
		return ENDED_BADLY;
	fault_arm(fault, nth);
	return write_after(f);
}

static int work_close(struct fake_db *f, enum fault fault, unsigned int nth)
{
	if (fake_db_open(f, NULL) || write_after(f) != ENDED_OK)
		return ENDED_BADLY;
	fault_arm(fault, nth);
	fake_db_close(f);
	return ENDED_OK;
}

static int work_open(struct fake_db *f, enum fault fault, unsigned int nth)
{
	fault_arm(fault, nth);
	return fake_db_open(f, NULL) ? ENDED_REFUSED : ENDED_OK;
}

/** A refused commit, then a crash. */
static int work_refused_then_killed(struct fake_db *f, enum fault fault, unsigned int nth)
{
	int ended = work_write(f, fault, nth);

	if (ended == ENDED_REFUSED)
		kill(getpid(), SIGKILL);
	return ended;
}

/** The disk is gone from the nth step on, comes back, we are idle, then a crash. */
static int work_refused_idle_then_killed(struct fake_db *f, enum fault fault, unsigned int nth)
{
	int ended = work_write(f, fault, nth);

	if (ended != ENDED_REFUSED)
		return ended;
	fault_arm(FAULT_NONE, 0);
	if (mib_db_idle(f->db, NULL))
		return ENDED_BADLY;
	kill(getpid(), SIGKILL);
	return ENDED_BADLY;
}

static const struct {
	const char *name;
	enum fault fault;
} deaths[] = {
	{ "SIGKILL", FAULT_KILL },
	{ "power cut", FAULT_POWER },
	{ "power cut, disk reordered", FAULT_POWER_SOME },
};

/* ---- death ---- */

START_TEST(test_death_in_the_middle_of_a_commit_leaves_nothing_half)
{
	unsigned int seen[2] = { 0, 0 }, nth;
	struct fake_db f;
	bool struck = true;

	for (nth = 1; struck; nth++) {
		ck_assert_uint_lt(nth, STEPS_MAX);
		make_before(&f);

		int ended = run_child(&f, work_write, deaths[_i].fault, nth, &struck);

		ck_assert_int_eq(ended, struck ? -SIGKILL : ENDED_OK);

		int is = what_is_left(&f);

		ck_assert_msg(is != IS_HALF, "%s at step %u: half a commit", deaths[_i].name, nth);
		ck_assert(struck || is == IS_AFTER);
		seen[is]++;
		fake_db_fini(&f);
	}
	/* The header of the log, its pages and the sync: there were steps to strike at. */
	ck_assert_uint_gt(nth, 10);
	ck_assert_uint_gt(seen[IS_BEFORE], 10);
	ck_assert_uint_ge(seen[IS_AFTER], 1);
}
END_TEST

START_TEST(test_death_while_the_log_moves_loses_nothing)
{
	struct fake_db f;
	bool struck = true;
	unsigned int nth;

	for (nth = 1; struck; nth++) {
		ck_assert_uint_lt(nth, STEPS_MAX);
		make_before(&f);

		int ended = run_child(&f, work_close, deaths[_i].fault, nth, &struck);

		ck_assert_int_eq(ended, struck ? -SIGKILL : ENDED_OK);
		ck_assert_msg(what_is_left(&f) == IS_AFTER, "%s at step %u", deaths[_i].name, nth);
		fake_db_fini(&f);
	}
	ck_assert_uint_gt(nth, 5);
}
END_TEST

START_TEST(test_death_at_first_start_is_got_over)
{
	struct mib_diag d = { .varbind = 0 };
	struct fake_db f;
	bool struck = true;

	for (unsigned int nth = 1; struck; nth++) {
		ck_assert_uint_lt(nth, STEPS_MAX);
		fake_db_init(&f);

		int ended = run_child(&f, work_open, deaths[_i].fault, nth, &struck);

		ck_assert_int_eq(ended, struck ? -SIGKILL : ENDED_OK);
		ck_assert_msg(fake_db_open(&f, &d) == MIB_OK, "%s at step %u: %s", deaths[_i].name,
			      nth, d.text);
		ck_assert_int_eq(write_after(&f), ENDED_OK);
		fake_db_close(&f);
		ck_assert_int_eq(what_is_left(&f), IS_AFTER);
		fake_db_fini(&f);
	}
}
END_TEST

START_TEST(test_sigkill_right_after_the_answer_loses_nothing)
{
	struct fake_db f;
	int ends[2], status;
	char answer = 0;

	make_before(&f);
	ck_assert_int_eq(pipe(ends), 0);

	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		if (fake_db_open(&f, NULL) || write_after(&f) != ENDED_OK)
			_exit(ENDED_BADLY);
		if (write(ends[1], "y", 1) != 1)
			_exit(ENDED_BADLY);
		for (;;)
			pause();
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &answer, 1), 1);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	close(ends[0]);
	ck_assert_int_eq(what_is_left(&f), IS_AFTER);
	fake_db_fini(&f);
}
END_TEST

static int work_write_then_power_cut(struct fake_db *f, enum fault fault, unsigned int nth)
{
	if (work_write(f, fault, nth) == ENDED_OK)
		fault_power_cut();
	return ENDED_BADLY;
}

START_TEST(test_a_power_cut_right_after_the_answer_loses_nothing)
{
	struct fake_db f;
	bool struck;

	make_before(&f);
	ck_assert_int_eq(run_child(&f, work_write_then_power_cut, FAULT_NONE, 0, &struck),
			 -SIGKILL);
	ck_assert_int_eq(what_is_left(&f), IS_AFTER);
	fake_db_fini(&f);
}
END_TEST

static int work_reserve_then_power_cut(struct fake_db *f, enum fault fault, unsigned int nth)
{
	fault_arm(fault, nth);
	if (!fake_db_open(f, NULL) && !mib_db_reserve_put(f->db, 42, 4096, NULL))
		fault_power_cut();
	return ENDED_BADLY;
}

START_TEST(test_a_power_cut_right_after_a_reservation_loses_nothing)
{
	struct mib_diag d = { .varbind = 0 };
	struct fake_db f;
	uint64_t n = 0;
	bool struck;

	make_before(&f);
	ck_assert_int_eq(run_child(&f, work_reserve_then_power_cut, FAULT_NONE, 0, &struck),
			 -SIGKILL);
	ck_assert_int_eq(fake_db_open(&f, &d), MIB_OK);
	ck_assert_int_eq(mib_db_reserve_get(f.db, 42, &n, &d), MIB_OK);
	ck_assert_uint_eq(n, 4096);
	fake_db_fini(&f);
}
END_TEST

/* ---- generations that leave nothing on disk ---- */

/** In the order they are given; those without rows are of volatile rows' commits. */
static const struct {
	uint64_t generation;
	bool has_rows;
} commits[] = {
	{ 8, false }, { 9, false }, { 10, true }, { 11, false },
	{ 8 + MIB_DB_GENERATIONS - 1, false }, { 8 + MIB_DB_GENERATIONS, false },
	{ 9 + MIB_DB_GENERATIONS, true }, { 9 + 3 * MIB_DB_GENERATIONS, true },
	{ 10 + 3 * MIB_DB_GENERATIONS, false },
};

/** What the child was answered; shared with it. */
static struct {
	uint64_t generation;
	uint64_t on_disk;
} *answered;

static bool give_generation(struct fake_db *f, size_t i)
{
	const struct mib_journal *j = mib_db_journal(f->db);
	struct mib_store *s = state_before();
	const struct mib_change change = { &fake_table, fake_find(s, 1), fake_find(s, 1) };
	const bool good = j->write(j->arg, commits[i].generation, &change, commits[i].has_rows,
				   NULL) == MIB_OK;

	if (good) {
		answered->generation = commits[i].generation;
		if (commits[i].has_rows)
			answered->on_disk = commits[i].generation;
	}
	fake_store_free(s);
	return good;
}

/** What is refused is asked for once more, as the next commit would. */
static int work_generations(struct fake_db *f, enum fault fault, unsigned int nth)
{
	if (fake_db_open(f, NULL))
		return ENDED_BADLY;
	fault_arm(fault, nth);
	for (size_t i = 0; i < sizeof(commits) / sizeof(commits[0]); i++) {
		if (!give_generation(f, i) && !give_generation(f, i))
			return ENDED_REFUSED;
	}
	fake_db_close(f);
	return ENDED_OK;
}

static const struct {
	const char *name;
	enum fault fault;
} interruptions[] = {
	{ "SIGKILL", FAULT_KILL },
	{ "power cut", FAULT_POWER },
	{ "power cut, disk reordered", FAULT_POWER_SOME },
	{ "I/O error", FAULT_IO },
	{ "no disk any more", FAULT_IO_FROM },
};

START_TEST(test_a_generation_that_was_answered_is_never_given_again)
{
	struct mib_diag d = { .varbind = 0 };
	struct fake_db f;
	bool struck = true;
	unsigned int nth;

	answered = mmap(NULL, sizeof(*answered), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(answered != MAP_FAILED);
	for (nth = 1; struck; nth++) {
		ck_assert_uint_lt(nth, STEPS_MAX);
		make_before(&f);
		answered->generation = answered->on_disk = GENERATION_BEFORE;
		ck_assert_int_ne(run_child(&f, work_generations, interruptions[_i].fault, nth,
					   &struck), ENDED_BADLY);
		ck_assert_msg(fake_db_open(&f, &d) == MIB_OK, "%s", d.text);

		struct mib_store *s = fake_load(&f, NULL, NULL);

		ck_assert_msg(fake_store_generation(s) >= answered->generation,
			      "%s at step %u: back to %llu", interruptions[_i].name, nth,
			      (unsigned long long)fake_store_generation(s));
		ck_assert_uint_le(fake_store_on_disk(s), fake_store_generation(s));
		ck_assert_msg(fake_store_on_disk(s) >= answered->on_disk,
			      "%s at step %u: rows of %llu are lost", interruptions[_i].name, nth,
			      (unsigned long long)answered->on_disk);
		/* An orderly end leaves no gap. */
		if (!struck)
			ck_assert_uint_eq(fake_store_generation(s), answered->generation);
		fake_store_free(s);
		fake_db_fini(&f);
	}
	ck_assert_uint_gt(nth, 10);
	munmap(answered, sizeof(*answered));
}
END_TEST

/* ---- errors ---- */

static const struct {
	const char *name;
	enum fault fault;
} errors[] = {
	{ "I/O error", FAULT_IO },
	{ "disk full", FAULT_FULL },
};

START_TEST(test_an_error_at_any_step_refuses_the_commit_and_the_next_succeeds)
{
	struct fake_db f;
	bool struck = true;
	unsigned int refused = 0;

	fault_vfs_install();
	for (unsigned int nth = 1; struck; nth++) {
		struct mib_store *before = state_before();
		struct mib_diag d = { .varbind = 0 };

		ck_assert_uint_lt(nth, STEPS_MAX);
		make_before(&f);

		int ended = work_write(&f, errors[_i].fault, nth);

		struck = fault_happened();
		fault_arm(FAULT_NONE, 0);
		ck_assert_int_eq(ended, struck ? ENDED_REFUSED : ENDED_OK);
		if (struck) {
			struct mib_store *s = fake_load(&f, NULL, NULL);

			ck_assert_msg(fake_store_equal(s, before), "%s at step %u", errors[_i].name,
				      nth);
			ck_assert_uint_eq(fake_store_generation(s), GENERATION_BEFORE);
			fake_store_free(s);
			ck_assert_int_eq(write_after(&f), ENDED_OK);
			refused++;
		}
		ck_assert_msg(mib_db_idle(f.db, &d) == MIB_OK, "%s", d.text);
		fake_db_close(&f);
		ck_assert_int_eq(what_is_left(&f), IS_AFTER);
		fake_db_fini(&f);
		fake_store_free(before);
	}
	ck_assert_uint_gt(refused, 10);
}
END_TEST

START_TEST(test_a_refusal_names_the_file_and_the_reason)
{
	struct mib_store *from = state_before(), *to = state_after();
	struct mib_diag d = { .varbind = 0 };
	struct fake_db f;

	fault_vfs_install();
	make_before(&f);
	ck_assert_int_eq(fake_db_open(&f, &d), MIB_OK);
	fault_arm(FAULT_FULL, 3);
	ck_assert_int_eq(write_changes(&f, GENERATION_AFTER, from, to, &d), MIB_COMMIT_FAILED);
	ck_assert_ptr_nonnull(strstr(d.text, f.path));
	ck_assert_ptr_nonnull(strstr(d.text, "full"));
	fault_arm(FAULT_NONE, 0);
	fake_db_fini(&f);
	fake_store_free(from);
	fake_store_free(to);
}
END_TEST

static const struct {
	const char *name;
	child_work work;
	enum fault fault;
	bool may_be_after;
} refusals[] = {
	{ "one error, then SIGKILL", work_refused_then_killed, FAULT_IO, false },
	{ "full once, then SIGKILL", work_refused_then_killed, FAULT_FULL, false },
	{ "disk away, back, idle, then SIGKILL", work_refused_idle_then_killed, FAULT_IO_FROM,
	  false },
	/* Nothing could be written that takes the commit back; but it is whole or not there. */
	{ "disk away, then SIGKILL", work_refused_then_killed, FAULT_IO_FROM, true },
};

START_TEST(test_a_refused_commit_never_comes_back)
{
	struct fake_db f;
	bool struck = true;
	unsigned int nth;

	for (nth = 1; struck; nth++) {
		ck_assert_uint_lt(nth, STEPS_MAX);
		make_before(&f);

		int ended = run_child(&f, refusals[_i].work, refusals[_i].fault, nth, &struck);
		int is = what_is_left(&f);

		ck_assert_int_eq(ended, struck ? -SIGKILL : ENDED_OK);
		if (struck)
			ck_assert_msg(is == IS_BEFORE || (refusals[_i].may_be_after &&
							  is == IS_AFTER),
				      "%s, from step %u: %s", refusals[_i].name, nth,
				      is == IS_AFTER ? "it is back" : "half of it is there");
		else
			ck_assert_int_eq(is, IS_AFTER);
		fake_db_fini(&f);
	}
	ck_assert_uint_gt(nth, 10);
}
END_TEST

START_TEST(test_an_error_at_first_start_is_got_over)
{
	struct mib_diag d = { .varbind = 0 };
	struct fake_db f;
	bool struck = true;

	fault_vfs_install();
	for (unsigned int nth = 1; struck; nth++) {
		ck_assert_uint_lt(nth, STEPS_MAX);
		fake_db_init(&f);

		int ended = work_open(&f, errors[_i].fault, nth);

		struck = fault_happened();
		fault_arm(FAULT_NONE, 0);
		if (ended == ENDED_REFUSED)
			ck_assert_int_ne(access(f.path, F_OK), 0);
		fake_db_close(&f);
		ck_assert_msg(fake_db_open(&f, &d) == MIB_OK, "%s at step %u: %s", errors[_i].name,
			      nth, d.text);
		fake_db_fini(&f);
	}
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static Suite *crash_suite(void)
{
	Suite *suite = suite_create("mibs/persist under faults");
	TCase *faults = tcase_create("faults");

	tcase_set_timeout(faults, 300);
	tcase_add_loop_test(faults, test_death_in_the_middle_of_a_commit_leaves_nothing_half, 0,
			    COUNT(deaths));
	tcase_add_loop_test(faults, test_death_while_the_log_moves_loses_nothing, 0, COUNT(deaths));
	tcase_add_loop_test(faults, test_death_at_first_start_is_got_over, 0, COUNT(deaths));
	tcase_add_test(faults, test_sigkill_right_after_the_answer_loses_nothing);
	tcase_add_test(faults, test_a_power_cut_right_after_the_answer_loses_nothing);
	tcase_add_test(faults, test_a_power_cut_right_after_a_reservation_loses_nothing);
	tcase_add_loop_test(faults, test_a_generation_that_was_answered_is_never_given_again, 0,
			    COUNT(interruptions));
	tcase_add_loop_test(faults,
			    test_an_error_at_any_step_refuses_the_commit_and_the_next_succeeds, 0,
			    COUNT(errors));
	tcase_add_test(faults, test_a_refusal_names_the_file_and_the_reason);
	tcase_add_loop_test(faults, test_a_refused_commit_never_comes_back, 0, COUNT(refusals));
	tcase_add_loop_test(faults, test_an_error_at_first_start_is_got_over, 0, COUNT(errors));
	suite_add_tcase(suite, faults);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(crash_suite());

	srunner_run_all(runner, CK_ENV);

	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
