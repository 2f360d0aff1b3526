/* tests/unit/ipspd/check_agent_band.c - policies of key managers, as the engine tells a new agent of them. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "ipspd/agent_int.h"
#include "ipspd/band_wire.h"
#include "ipspd/messages.h"

static struct agent agent;

void agent_give_up(struct agent *a, int status)
{
	(void)a;
	(void)status;
	ck_abort_msg("there is room");
}

static void setup(void)
{
	agent = (struct agent){ 0 };
	ck_assert_int_eq(band_init(&agent), 0);
}

static void teardown(void)
{
	pol_band_free(agent.apply.band);
	band_fini(&agent);
}

/* @return that all have come */
static bool tell(uint16_t type, uint32_t serial, uint32_t index)
{
	struct pfkey_band_policy p = { .index = index, .dir = PFKEY_DIR_OUT,
				       .action = PFKEY_BAND_DISCARD };
	uint8_t octets[4 + BAND_POLICY_MAX];
	struct chan_writer w = { .data = octets, .size = sizeof(octets) };
	bool all;

	ipsp_selector_any(4, &p.selector);
	chan_put_u32(&w, serial);
	if (type == MSG_BAND_PUT)
		band_policy_put(&w, &p);
	const struct chan_msg m = { .type = type, .data = octets, .len = w.len };

	ck_assert(band_message(&agent, &m, &all));
	return all;
}

START_TEST(test_a_generation_made_before_all_have_come_is_not_of_their_serial)
{
	ck_assert(!tell(MSG_BAND_PUT, 2, 1u << 3 | PFKEY_DIR_OUT));
	/* A generation that is compiled now has none of them. */
	ck_assert_uint_eq(agent.apply.band_serial, 0);
	ck_assert_uint_eq(agent.band.n, 0);
	ck_assert(tell(MSG_BAND_ALL, 2, 0));
	ck_assert_uint_eq(agent.apply.band_serial, 2);
	ck_assert_uint_eq(agent.band.n, 1);
	/* From now on each is one more. */
	ck_assert(!tell(MSG_BAND_PUT, 3, 2u << 3 | PFKEY_DIR_OUT));
	ck_assert_uint_eq(agent.apply.band_serial, 3);
	ck_assert_uint_eq(agent.band.n, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ipspd/agent_band");
	TCase *tc = tcase_create("agent_band");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_a_generation_made_before_all_have_come_is_not_of_their_serial);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
