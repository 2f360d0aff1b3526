/* Tests of ipspd/agent_clear.c: what the guard lets in of peers whose packets pass in clear. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/agent_int.h"
#include "ipspd/report.h"
#include "tests/unit/policy/rowtext.h"

#define NOW_S 1000u

/* An inbound rule whose SAs are negotiated with whoever it is. */
static const char rows[] =
	"+ param std\n+ esp aes CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ transform 3,esp-std,9 TransformName=aes\n"
	"+ peer gw,1 Type=1 Value=198.51.100.1 AddressType=ipv4 Address=0xc6336401\n"
	"+ proposal p2,0,3 TransformsName=esp-std\n"
	"+ ipsec v ParametersName=std ProposalsName=p2 Mode=transport PeerGatewayIdName=\n"
	"+ rule r Filter=spdTrueFilter.0 Action=ipiaIpsecActParametersName.\"v\"\n"
	"+ contents g,1 ComponentName=r\n+ endpoint 1,2 Name=g\n+ endpoint 2,2 Name=g";

static struct mib_store *store;
static struct pol_generation *g;
static struct spent spent;
static struct clear_peers peers;
static struct ipsp_spd_list list;
static struct ipsp_selector *boxes;

static void forget_list(void)
{
	free((void *)(uintptr_t)list.entries);
	free(boxes);
	list = (struct ipsp_spd_list){ 0 };
	boxes = NULL;
}

static void again(const char *text)
{
	forget_list();
	pol_generation_free(g);
	rows_put(store, text);
	g = compile(store);
}

static void setup(void)
{
	store = store_new();
	spent = (struct spent){ NULL, 0, 0 };
	peers.n = 0;
	g = NULL;
	again(rows);
	again("= ruleopt r Fallback=clear");
}

static void teardown(void)
{
	forget_list();
	pol_generation_free(g);
	mib_store_free(store);
}

static const struct ipsp_addr peer = { 4, { 192, 0, 2, 9 } };
static const struct ipsp_addr gateway = { 4, { 198, 51, 100, 1 } };

static uint32_t reqid(void)
{
	const struct ipsp_spd_entry *e =
		&pol_list_entry(pol_generation_list(g, 2, IPSP_INBOUND), 0)->spd;

	ck_assert_uint_ge(e->n_templates, 1);
	return e->templates[0].reqid;
}

static bool told(uint32_t id, const struct ipsp_addr *who, uint64_t seconds, uint64_t now_s)
{
	const struct wire_event e = {
		.kind = WIRE_EVENT_CLEAR, .id = seconds, .action_id = id, .dst = *who,
		.dir = IPSP_OUTBOUND,
	};

	return clear_take(&peers, &e, now_s);
}

/* How many entries are new; they are the first ones. */
static size_t widened(enum ipsp_dir dir, uint64_t now_s)
{
	uint32_t was;

	forget_list();
	ck_assert(pol_list_flat(pol_generation_list(g, 2, dir), &list));
	was = list.n_entries;
	ck_assert(clear_widen(&peers, &spent, g, now_s, &list, &boxes));
	return list.n_entries - was;
}

START_TEST(test_what_comes_from_the_peer_passes_until_its_time_is_over)
{
	ck_assert_uint_eq(widened(IPSP_INBOUND, NOW_S), 0);
	ck_assert(told(reqid(), &peer, 60, NOW_S));
	ck_assert_uint_eq(widened(IPSP_INBOUND, NOW_S), 1);

	const struct ipsp_spd_entry *e = &list.entries[0];

	ck_assert_int_eq(e->action, IPSP_BYPASS);
	ck_assert_uint_eq(e->until_s, NOW_S + 60);
	ck_assert_uint_eq(e->id, list.entries[1].id);
	ck_assert_int_eq(list.entries[1].action, IPSP_PROTECT);
	ck_assert_uint_eq(e->n_selectors, 1);
	ck_assert_int_eq(ipsp_addr_cmp(&e->selectors[0].src_lo, &peer), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&e->selectors[0].src_hi, &peer), 0);
	ck_assert_uint_eq(widened(IPSP_INBOUND, NOW_S + 59), 1);
	ck_assert_uint_eq(widened(IPSP_INBOUND, NOW_S + 60), 0);
}
END_TEST

START_TEST(test_what_is_sent_is_none_of_the_guards_business)
{
	told(reqid(), &peer, 60, NOW_S);
	ck_assert_uint_eq(widened(IPSP_OUTBOUND, NOW_S), 0);
}
END_TEST

START_TEST(test_behind_a_gateway_the_whole_entry_passes)
{
	again("= ipsec v Mode=tunnel PeerGatewayIdName=gw");
	told(reqid(), &peer, 60, NOW_S);
	ck_assert_uint_eq(widened(IPSP_INBOUND, NOW_S), 0);
	told(reqid(), &gateway, 60, NOW_S);
	ck_assert_uint_eq(widened(IPSP_INBOUND, NOW_S), 1);
	ck_assert_uint_eq(list.entries[0].n_selectors, list.entries[1].n_selectors);
	ck_assert_mem_eq(list.entries[0].selectors, list.entries[1].selectors,
			 list.entries[0].n_selectors * sizeof(struct ipsp_selector));
}
END_TEST

START_TEST(test_what_ends_before_is_shut)
{
	told(reqid(), &peer, 60, NOW_S);
	ck_assert(!told(reqid(), &gateway, 0, NOW_S));
	ck_assert_uint_eq(widened(IPSP_INBOUND, NOW_S), 1);
	ck_assert(told(reqid(), &peer, 0, NOW_S + 1));
	ck_assert_uint_eq(widened(IPSP_INBOUND, NOW_S + 1), 0);
	told(reqid(), &peer, 60, NOW_S);
	ck_assert(clear_forget_all(&peers));
	ck_assert(!clear_forget_all(&peers));
	ck_assert_uint_eq(widened(IPSP_INBOUND, NOW_S), 0);
}
END_TEST

static const char *const refusals[] = {
	"= ruleopt r Fallback=drop", "= rule r Action=spdDropAction.0",
	"+ ipsec w ParametersName=std ProposalsName=p2 Mode=transport PeerGatewayIdName=\n"
	"= rule r Action=ipiaIpsecActParametersName.\"w\"",
};

START_TEST(test_what_the_rule_does_not_allow_stays_shut)
{
	told(reqid(), &peer, 60, NOW_S);
	again(refusals[_i]);
	ck_assert_uint_eq(widened(IPSP_INBOUND, NOW_S), 0);
}
END_TEST

START_TEST(test_too_many_peers_stay_shut)
{
	struct ipsp_addr each = peer;

	for (unsigned i = 0; i < CLEAR_PEERS_MAX; i++) {
		each.octets[2] = (uint8_t)(i >> 8);
		each.octets[3] = (uint8_t)i;
		ck_assert(told(reqid(), &each, 60, NOW_S));
	}
	each.octets[0]++;
	ck_assert(!told(reqid(), &each, 60, NOW_S));
	ck_assert_uint_eq(widened(IPSP_INBOUND, NOW_S), CLEAR_PEERS_MAX);
	/* There is room again when their time is over. */
	ck_assert(told(reqid(), &each, 60, NOW_S + 60));
	ck_assert_uint_eq(widened(IPSP_INBOUND, NOW_S + 60), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clear");
	TCase *tc = tcase_create("clear");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_what_comes_from_the_peer_passes_until_its_time_is_over);
	tcase_add_test(tc, test_what_is_sent_is_none_of_the_guards_business);
	tcase_add_test(tc, test_behind_a_gateway_the_whole_entry_passes);
	tcase_add_test(tc, test_what_ends_before_is_shut);
	tcase_add_loop_test(tc, test_what_the_rule_does_not_allow_stays_shut, 0,
			    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(tc, test_too_many_peers_stay_shut);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
