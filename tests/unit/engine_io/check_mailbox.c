/*
 * tests/unit/engine_io/check_mailbox.c - mail between threads: all of it comes, in each sender's order, and
 * the reader is woken; what would be too much is not sent.
 */
#include "config.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "ipspd/mailbox.h"

#define SENDERS 3u
#define EACH 20000u

struct letter {
	struct mail m;
	unsigned number;
};

static struct mailbox box;

static void setup(void)
{
	ck_assert_int_eq(mailbox_init(&box), 0);
}

static void teardown(void)
{
	mailbox_fini(&box);
}

static void send_one(uint8_t kind, unsigned number)
{
	struct letter *l = mail_new(&box, kind, sizeof(*l));

	ck_assert_ptr_nonnull(l);
	l->number = number;
	mail_send(&box, &l->m);
}

static bool is_rung(int wait_ms)
{
	struct pollfd p = { .fd = box.fd, .events = POLLIN };

	return poll(&p, 1, wait_ms) == 1;
}

static void *send_many(void *arg)
{
	for (unsigned i = 0; i < EACH; i++)
		send_one((uint8_t)(uintptr_t)arg, i);
	return NULL;
}

START_TEST(test_mailbox_all_comes_in_each_senders_order)
{
	unsigned next[SENDERS] = { 0 }, n = 0;
	pthread_t threads[SENDERS];
	struct mail *following;

	for (uintptr_t i = 0; i < SENDERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, send_many, (void *)i), 0);
	while (n < SENDERS * EACH) {
		/* Whoever sends rings: no wait is in vain. */
		ck_assert(is_rung(60000));
		for (struct mail *m = mailbox_take(&box); m; m = following, n++) {
			following = m->next;
			ck_assert_uint_eq(((struct letter *)m)->number, next[m->kind]++);
			mail_free(m);
		}
	}
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_ptr_null(mailbox_take(&box));
	ck_assert(!is_rung(0));
}
END_TEST

START_TEST(test_mailbox_rings_without_mail)
{
	ck_assert(!is_rung(0));
	mailbox_ring(&box);
	mailbox_ring(&box);
	ck_assert(is_rung(0));
	ck_assert_ptr_null(mailbox_take(&box));
	ck_assert(!is_rung(0));
}
END_TEST

START_TEST(test_mailbox_too_much_is_refused_until_some_was_taken)
{
	const size_t size = MAILBOX_MAX / 2;
	struct mail *m = mail_new(&box, 0, size);

	ck_assert_ptr_nonnull(m);
	mail_send(&box, m);
	m = mail_new(&box, 0, size);
	ck_assert_ptr_nonnull(m);
	mail_send(&box, m);
	ck_assert_ptr_null(mail_new(&box, 0, sizeof(*m)));
	m = mailbox_take(&box);
	mail_free(m->next);
	mail_free(m);
	send_one(1, 1);
	/* What nobody took is freed with the box. */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/mailbox");
	TCase *tc = tcase_create("mailbox");
	SRunner *r = srunner_create(s);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, test_mailbox_all_comes_in_each_senders_order);
	tcase_add_test(tc, test_mailbox_rings_without_mail);
	tcase_add_test(tc, test_mailbox_too_much_is_refused_until_some_was_taken);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
