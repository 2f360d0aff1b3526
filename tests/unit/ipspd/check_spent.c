/* Tests of ipspd/agent_spent.c: what the guard may take for granted of SAs that are over. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/agent_int.h"
#include "tests/unit/policy/rowtext.h"

/* An inbound rule with an SA, and clear behind it. */
static const char rows[] =
	"+ cred k Type=sharedSecret Credential=0xa1*32 AdminStatus=enabled\n"
	"+ esp e CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ pre a,1 ESPSPI=4096 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k "
	"ActionLifetimeSec=9\n"
	"+ rule r Filter=spdTrueFilter.0 Action=ipsaSaPreActActionDescription.\"a\",1\n"
	"+ contents g,1 ComponentName=r\n+ endpoint 1,2 Name=g";

static struct mib_store *store;
static struct pol_generation *g;
static struct spent spent;

static void again(const char *text)
{
	pol_generation_free(g);
	rows_put(store, text);
	g = compile(store);
}

static void setup(void)
{
	store = store_new();
	spent = (struct spent){ NULL, 0, 0 };
	g = NULL;
	again(rows);
	again("= ruleopt r Fallback=clear");
}

static void teardown(void)
{
	spent_fini(&spent);
	pol_generation_free(g);
	mib_store_free(store);
}

static uint64_t sa_id(void)
{
	return ((const struct pol_sa *)pol_map_at(&g->sas, 0))->config.id;
}

static int action(void)
{
	const struct pol_entry *e = pol_list_entry(pol_generation_list(g, 2, IPSP_INBOUND), 0);

	return spent_action(&spent, g, &e->spd, false);
}

START_TEST(test_an_sa_that_is_over_lets_pass_what_stands_behind_it)
{
	ck_assert_int_eq(action(), IPSP_PROTECT);
	ck_assert_int_eq(spent_add(&spent, g, sa_id()), 1);
	ck_assert_int_eq(spent_add(&spent, g, sa_id()), 0);
	ck_assert_int_eq(action(), IPSP_BYPASS);
}
END_TEST

START_TEST(test_without_a_word_of_clear_it_does_not)
{
	again("= ruleopt r Fallback=drop");
	spent_add(&spent, g, sa_id());
	ck_assert_int_eq(action(), IPSP_PROTECT);
}
END_TEST

START_TEST(test_an_sa_that_nobody_knows_is_not_noted)
{
	ck_assert_int_eq(spent_add(&spent, g, 12345), 0);
	ck_assert_uint_eq(spent.n, 0);
}
END_TEST

/* Another key, SPI or lifetime: it may be in use when the generation is in force. */
static const char *const changes[] = {
	"= pre a,1 ActionLifetimeSec=10", "= pre a,1 ActionLifetimeKB=5", "= pre a,1 ESPSPI=4097",
	"= cred k Credential=0xa2*32",
};

START_TEST(test_a_changed_sa_is_not_over)
{
	spent_add(&spent, g, sa_id());
	again(changes[_i]);
	ck_assert_int_eq(action(), IPSP_PROTECT);
	spent_keep(&spent, g);
	ck_assert_uint_eq(spent.n, 0);
}
END_TEST

START_TEST(test_an_sa_that_comes_back_is_not_taken_for_over)
{
	spent_add(&spent, g, sa_id());
	again("= cred k AdminStatus=disabled");
	spent_keep(&spent, g);
	again("= cred k AdminStatus=enabled");
	ck_assert_int_eq(action(), IPSP_PROTECT);
}
END_TEST

START_TEST(test_other_changes_leave_it_over)
{
	spent_add(&spent, g, sa_id());
	again("= pre a,1 ActionDescription=x");
	spent_keep(&spent, g);
	ck_assert_int_eq(action(), IPSP_BYPASS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spent");
	TCase *tc = tcase_create("spent");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_an_sa_that_is_over_lets_pass_what_stands_behind_it);
	tcase_add_test(tc, test_without_a_word_of_clear_it_does_not);
	tcase_add_test(tc, test_an_sa_that_nobody_knows_is_not_noted);
	tcase_add_loop_test(tc, test_a_changed_sa_is_not_over, 0,
			    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(tc, test_an_sa_that_comes_back_is_not_taken_for_over);
	tcase_add_test(tc, test_other_changes_leave_it_over);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
