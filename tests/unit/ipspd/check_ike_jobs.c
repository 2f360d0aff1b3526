/*
 * tests/unit/ipspd/check_ike_jobs.c - threads that compute: every job is run once and told once, by the thread of the
 * event loop, also those that are left when all ends. ipspd/ike_jobs.c
 *
 * Jobs are the test's, so that it knows when one runs and can hold it up.
 */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include <event2/event.h>

#include "ipspd/ike.h"

#define JOBS 500u

struct ike_job {
	unsigned n_run, n_done;
	bool by_loop;			/* it was run by the thread of the loop */
	struct ike_job *then;		/* is put when this one is done */
};

static struct ike_job jobs[JOBS];
static struct ike_role role;
static pthread_t loop;
static unsigned n_done, n_rearmed;

/* A gate that jobs wait at while it is shut; how many do. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool shut;
static unsigned n_waiting;

/* ---- what the jobs are to the process ---- */

void ike_job_run(struct ike_job *job)
{
	pthread_mutex_lock(&lock);
	n_waiting++;
	pthread_cond_broadcast(&changed);
	while (shut && !pthread_equal(pthread_self(), loop))
		pthread_cond_wait(&changed, &lock);
	n_waiting--;
	job->n_run++;
	job->by_loop = pthread_equal(pthread_self(), loop);
	pthread_mutex_unlock(&lock);
}

void ike_job_done(struct ike_world *w, struct ike_job *job, uint64_t now_ms)
{
	ck_assert_ptr_eq(w, role.world);
	ck_assert_uint_eq(now_ms, 4711);
	ck_assert(pthread_equal(pthread_self(), loop));
	ck_assert_uint_eq(job->n_run, 1);
	job->n_done++;
	n_done++;
	if (job->then)
		ike_jobs_put(&role, job->then);
}

uint64_t ike_now_ms(void)
{
	return 4711;
}

void ike_role_rearm(struct ike_role *r)
{
	ck_assert_ptr_eq(r, &role);
	n_rearmed++;
}

/* ---- the gate ---- */

static void set_gate(bool to)
{
	pthread_mutex_lock(&lock);
	shut = to;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* Until that many jobs wait at it. */
static void wait_for(unsigned n)
{
	pthread_mutex_lock(&lock);
	while (n_waiting < n)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void setup(void)
{
	loop = pthread_self();
	role = (struct ike_role){ .base = event_base_new(), .world = (struct ike_world *)jobs };
	ck_assert_int_eq(ike_jobs_start(&role), 0);
}

static void teardown(void)
{
	ike_jobs_stop(&role);
	event_base_free(role.base);
}

static void each_once(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_eq(jobs[i].n_run, 1);
		ck_assert_uint_eq(jobs[i].n_done, 1);
	}
	ck_assert_uint_eq(n_done, n);
}

START_TEST(test_every_job_is_run_apart_and_told_once_by_the_loop)
{
	for (unsigned i = 0; i < JOBS; i++)
		ike_jobs_put(&role, &jobs[i]);
	while (n_done < JOBS)
		event_base_loop(role.base, EVLOOP_ONCE);
	each_once(JOBS);
	for (unsigned i = 0; i < JOBS; i++)
		ck_assert(!jobs[i].by_loop);
	ck_assert_uint_ge(n_rearmed, 1);
}
END_TEST

START_TEST(test_the_loop_does_not_wait_for_one_that_takes_long)
{
	set_gate(true);
	ike_jobs_put(&role, &jobs[0]);
	wait_for(1);
	event_base_loop(role.base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(n_done, 0);
	set_gate(false);
	while (n_done < 1)
		event_base_loop(role.base, EVLOOP_ONCE);
	each_once(1);
}
END_TEST

START_TEST(test_one_that_another_brings_is_run_too)
{
	for (unsigned i = 0; i + 1 < JOBS; i++)
		jobs[i].then = &jobs[i + 1];
	ike_jobs_put(&role, &jobs[0]);
	while (n_done < JOBS)
		event_base_loop(role.base, EVLOOP_ONCE);
	each_once(JOBS);
}
END_TEST

static void *open_gate(void *arg)
{
	(void)arg;
	set_gate(false);
	return NULL;
}

START_TEST(test_at_the_end_all_that_were_put_are_run_and_told)
{
	pthread_t opener;

	/* One or more stand at the gate, the others wait; the last one brings one more. */
	set_gate(true);
	for (unsigned i = 0; i + 1 < JOBS; i++)
		ike_jobs_put(&role, &jobs[i]);
	jobs[JOBS - 2].then = &jobs[JOBS - 1];
	wait_for(1);
	ck_assert_int_eq(pthread_create(&opener, NULL, open_gate, NULL), 0);
	ike_jobs_stop(&role);
	pthread_join(opener, NULL);
	each_once(JOBS);
	ck_assert_ptr_null(role.jobs);
}
END_TEST

START_TEST(test_an_end_without_a_beginning_is_none)
{
	ike_jobs_stop(&role);
	ike_jobs_stop(&role);
	ck_assert_ptr_null(role.jobs);
	each_once(0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/ike_jobs");
	TCase *c = tcase_create("jobs");
	SRunner *r;
	int failed;

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_every_job_is_run_apart_and_told_once_by_the_loop);
	tcase_add_test(c, test_the_loop_does_not_wait_for_one_that_takes_long);
	tcase_add_test(c, test_one_that_another_brings_is_run_too);
	tcase_add_test(c, test_at_the_end_all_that_were_put_are_run_and_told);
	tcase_add_test(c, test_an_end_without_a_beginning_is_none);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
