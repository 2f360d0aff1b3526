/* Tests of ipspd/ike_behind.c: no answer leaves before the SA that it makes can receive. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/ike_behind.h"

static struct ike_behind *behind;
static char sent[64];
static size_t octets_sent;
static const struct ike_path path = { .remote_port = 4500 };

static void on_send(void *arg, const struct ike_path *p, struct ipsp_span message)
{
	ck_assert_ptr_eq(arg, &sent);
	ck_assert_uint_eq(p->remote_port, 4500);
	octets_sent += message.len;
	if (message.len == 1)
		strncat(sent, (const char *)message.data, 1);
}

static void put(const char *letter)
{
	ike_behind_put(behind, &path, (struct ipsp_span){ (const uint8_t *)letter, 1 });
}

static void setup(void)
{
	sent[0] = '\0';
	octets_sent = 0;
	behind = ike_behind_new(on_send, &sent);
	ck_assert_ptr_nonnull(behind);
}

static void teardown(void)
{
	ike_behind_free(behind);
}

START_TEST(test_with_nothing_asked_it_goes_at_once)
{
	put("a");
	ck_assert_str_eq(sent, "a");
	ike_behind_asked(behind);
	ike_behind_answered(behind);
	put("b");
	ck_assert_str_eq(sent, "ab");
}
END_TEST

START_TEST(test_it_waits_for_what_was_asked_before_it_and_for_no_more)
{
	ike_behind_asked(behind);
	put("a");
	ike_behind_asked(behind);
	put("b");
	put("c");
	ck_assert_str_eq(sent, "");
	ike_behind_answered(behind);
	ck_assert_str_eq(sent, "a");
	ike_behind_asked(behind);
	ike_behind_answered(behind);
	ck_assert_str_eq(sent, "abc");
}
END_TEST

START_TEST(test_without_end_nothing_is_kept)
{
	static uint8_t much[60000];
	const struct ipsp_span message = { much, sizeof(much) };

	ike_behind_asked(behind);
	for (size_t n = 0; n <= IKE_BEHIND_MAX; n += message.len)
		ike_behind_put(behind, &path, message);
	ike_behind_put(behind, &path, message);
	ike_behind_answered(behind);
	ck_assert_uint_le(octets_sent, IKE_BEHIND_MAX);
	ck_assert_uint_gt(octets_sent, IKE_BEHIND_MAX - message.len);
	octets_sent = 0;
	ike_behind_asked(behind);
	put("a");
	ike_behind_answered(behind);
	ck_assert_str_eq(sent, "a");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/ike_behind");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_with_nothing_asked_it_goes_at_once);
	tcase_add_test(c, test_it_waits_for_what_was_asked_before_it_and_for_no_more);
	tcase_add_test(c, test_without_end_nothing_is_kept);
	suite_add_tcase(s, c);

	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
