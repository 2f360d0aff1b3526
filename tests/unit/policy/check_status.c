/* tests/unit/policy/check_status.c - what managers read: in force or not, and why. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/status.h"
#include "rowtext.h"

static const char rows[] =
	"+ cred k Type=sharedSecret Credential=0x32*32 AdminStatus=enabled\n"
	"+ esp e CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ pre p,2 ESPSPI=300 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k\n"
	"+ time t\n"
	"+ clfr 1 AddrType=ipv4\n"
	"+ rule pass Filter=diffServMultiFieldClfrAddrType.1 Action=spdAcceptAction.0\n"
	"+ rule off Filter=spdTrueFilter.0 Action=spdAcceptAction.0 AdminStatus=disabled\n"
	"+ rule now Filter=spdTimeFiltPeriod.\"t\" Action=spdAcceptAction.0\n"
	"+ rule sa Filter=spdTrueFilter.0 Action=ipsaSaPreActActionDescription.\"p\",2\n"
	"+ rule lone Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	"~ rule idle Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	"+ contents g,1 ComponentName=pass\n"
	"+ contents g,2 ComponentName=off\n"
	"+ contents g,3 ComponentName=now\n"
	"+ contents g,4 ComponentName=sa\n"
	"+ endpoint 2,2 Name=g";

struct fixture {
	struct mib_store *s;
	struct pol_status *st;
	struct pol_generation *g;
};

static void fixture_new(struct fixture *f)
{
	f->s = store_new();
	ck_assert_int_eq(pol_status_new(f->s, &f->st), MIB_OK);
	rows_put(f->s, rows);
	f->g = compile(f->s);
}

static void fixture_free(struct fixture *f)
{
	mib_store_free(f->s);
	pol_status_free(f->st);
	pol_generation_free(f->g);
}

/* Reads both columns as a manager would; gives "" exactly when the row is in force. */
static const char *read_reason(struct fixture *f, const struct mib_column *in_force,
			       const struct mib_column *reason, const char *table,
			       const char *index)
{
	static char text[POL_STATUS_TEXT];
	const struct mib_row *r = row_of(f->s, table, index);
	struct mib_value v;
	size_t len;
	const uint32_t *ids;
	bool yes;

	ck_assert_ptr_nonnull(r);
	ids = mib_row_index(r, &len);
	ck_assert_int_eq(mib_read(f->s, in_force, ids, len, &v), MIB_OK);
	yes = v.number == 1;
	ck_assert_int_eq(mib_read(f->s, reason, ids, len, &v), MIB_OK);
	ck_assert_uint_lt(v.octets.len, sizeof(text));
	memcpy(text, v.octets.data, v.octets.len);
	text[v.octets.len] = '\0';
	ck_assert_int_eq(yes, text[0] == '\0');
	return text;
}

static const char *rule_reason(struct fixture *f, const char *name)
{
	return read_reason(f, MIB_COL(ipspdRuleTable, ipspdRuleInForce),
			   MIB_COL(ipspdRuleTable, ipspdRuleReason), "rule", name);
}

static const char *action_reason(struct fixture *f)
{
	return read_reason(f, MIB_COL(ipspdPreActTable, ipspdPreActInForce),
			   MIB_COL(ipspdPreActTable, ipspdPreActReason), "pre", "p,2");
}

static const struct {
	const char *rule;
	const char *reason;
} reasons[] = {
	{ "pass", "" },
	{ "off", "is disabled by spdRuleDefAdminStatus" },
	{ "now", "" },
	{ "sa", "" },
	{ "lone", "is in no group that is bound to an interface" },
	{ "idle", "is not in service" },
};

START_TEST(test_a_rule_says_why_it_is_not_in_force)
{
	struct fixture f;

	fixture_new(&f);
	pol_status_set_generation(f.st, f.g);
	pol_status_applied(f.st, mib_store_generation(f.s));
	ck_assert_str_eq(rule_reason(&f, reasons[_i].rule), reasons[_i].reason);
	fixture_free(&f);
}
END_TEST

START_TEST(test_a_rule_that_is_negotiated_needs_a_key_manager)
{
	static const char negotiated[] =
		"+ peer gw,1 Type=1 Value=198.51.100.1 AddressType=ipv4 Address=0xc6336401\n"
		"+ param std\n"
		"+ esp neg CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
		"+ transform 3,esp-std,9 TransformName=neg\n"
		"+ proposal p2,0,3 TransformsName=esp-std\n"
		"+ ipsec v ParametersName=std ProposalsName=p2 PeerGatewayIdName=gw\n"
		"+ rule vpn Filter=spdTrueFilter.0 Action=ipiaIpsecActParametersName.\"v\"\n"
		"+ contents g,9 ComponentName=vpn";
	struct fixture f;
	uint64_t changes;

	fixture_new(&f);
	rows_put(f.s, negotiated);
	pol_generation_free(f.g);
	f.g = compile(f.s);
	pol_status_set_generation(f.st, f.g);
	pol_status_applied(f.st, mib_store_generation(f.s));
	ck_assert_str_eq(rule_reason(&f, "vpn"), POL_NEEDS_MANAGER);
	changes = pol_status_changes(f.st);
	pol_status_set_manager(f.st, true);
	ck_assert_str_eq(rule_reason(&f, "vpn"), "");
	ck_assert_uint_gt(pol_status_changes(f.st), changes);
	pol_status_set_manager(f.st, false);
	ck_assert_str_eq(rule_reason(&f, "vpn"), POL_NEEDS_MANAGER);
	fixture_free(&f);
}
END_TEST

START_TEST(test_nothing_is_in_force_before_the_first_generation)
{
	struct fixture f;

	fixture_new(&f);
	ck_assert_str_eq(rule_reason(&f, "pass"), "waits to come into force");
	ck_assert_str_eq(action_reason(&f), "waits to come into force");
	fixture_free(&f);
}
END_TEST

START_TEST(test_a_row_newer_than_the_generation_waits)
{
	struct fixture f;

	fixture_new(&f);
	pol_status_set_generation(f.st, f.g);
	pol_status_applied(f.st, mib_store_generation(f.s));
	rows_put(f.s, "+ pre q,2 ESPSPI=301 ESPTransformName=e ESPEncSecretName=k "
		      "ESPAuthSecretName=k");
	ck_assert_str_eq(read_reason(&f, MIB_COL(ipspdPreActTable, ipspdPreActInForce),
				     MIB_COL(ipspdPreActTable, ipspdPreActReason), "pre", "q,2"),
			 "waits to come into force");
	fixture_free(&f);
}
END_TEST

START_TEST(test_a_row_that_was_changed_since_waits)
{
	struct fixture f;

	fixture_new(&f);
	pol_status_set_generation(f.st, f.g);
	pol_status_applied(f.st, mib_store_generation(f.s));
	ck_assert_str_eq(rule_reason(&f, "pass"), "");
	rows_put(f.s, "= rule pass Description=changed");
	ck_assert_str_eq(rule_reason(&f, "pass"), "waits to come into force");
	pol_status_applied(f.st, mib_store_generation(f.s));
	ck_assert_str_eq(rule_reason(&f, "pass"), "");
	fixture_free(&f);
}
END_TEST

static const struct {
	const char *put;
	const char *table, *index;
	const char *reason;
} any_rows[] = {
	{ "~ cred half Type=sharedSecret", "cred", "half", "is not ready: " },
	{ "+ cred off Type=sharedSecret Credential=0x31", "cred", "off",
	  "is disabled by ipsaCredAdminStatus" },
	{ "+ cred off Type=sharedSecret Credential=0x31\n+ peer gw,0 Type=1 Value=x CredentialName=off",
	  "peer", "gw,0", "names ipsaCredentialTable.\"off\", which is disabled" },
	{ "~ rule begun Filter=spdTrueFilter.0", "rule", "begun",
	  "is not ready: spdRuleDefAction.\"begun\": " },
	{ "~ time idle", "time", "idle", "is not in service" },
	{ "+ time used", "time", "used", "" },
};

START_TEST(test_rows_of_other_tables_say_why_they_do_nothing)
{
	char buf[POL_STATUS_TEXT];
	struct fixture f;
	bool stands;

	fixture_new(&f);
	rows_put(f.s, any_rows[_i].put);
	pol_status_set_generation(f.st, f.g);
	pol_status_applied(f.st, mib_store_generation(f.s));
	stands = pol_status_row(f.st, row_of(f.s, any_rows[_i].table, any_rows[_i].index), buf);
	ck_assert_int_eq(stands, buf[0] == '\0');
	ck_assert_msg(strncmp(buf, any_rows[_i].reason, strlen(any_rows[_i].reason)) == 0 &&
		      stands == !any_rows[_i].reason[0], "%s", buf);
	fixture_free(&f);
}
END_TEST

START_TEST(test_a_rule_that_was_lost_at_start_says_so)
{
	const struct loss key = { "cred", "k", "Credential" };
	struct fixture f = { .s = store_new() };

	rows_put(f.s, rows);
	f.s = store_restart(f.s, &key);
	ck_assert_int_eq(pol_status_new(f.s, &f.st), MIB_OK);
	f.g = compile(f.s);
	pol_status_set_generation(f.st, f.g);
	pol_status_applied(f.st, mib_store_generation(f.s));
	ck_assert_ptr_nonnull(strstr(rule_reason(&f, "sa"), "is lost"));
	ck_assert_str_eq(rule_reason(&f, "pass"), "");
	fixture_free(&f);
}
END_TEST

START_TEST(test_what_the_engine_refuses_is_not_in_force)
{
	struct fixture f;

	fixture_new(&f);
	pol_status_set_generation(f.st, f.g);
	pol_status_applied(f.st, mib_store_generation(f.s));
	ck_assert_str_eq(action_reason(&f), "");
	ck_assert_int_eq(pol_status_refused(f.st, sa_at(f.g, 0)->id, "has an SPI that is taken"),
			 MIB_OK);
	ck_assert_str_eq(action_reason(&f), "has an SPI that is taken");
	ck_assert_str_eq(rule_reason(&f, "sa"),
			 "uses an SA that is not in force: it has an SPI that is taken");
	ck_assert_str_eq(rule_reason(&f, "pass"), "");
	pol_status_set_generation(f.st, f.g);
	pol_status_applied(f.st, mib_store_generation(f.s));
	ck_assert_str_eq(action_reason(&f), "");
	fixture_free(&f);
}
END_TEST

static int64_t closure_state(struct fixture *f, uint32_t dir, uint32_t ifindex)
{
	const uint32_t index[] = { dir, ifindex };
	struct mib_value v;

	if (mib_read(f->s, MIB_COL(ipspdClosureTable, ipspdClosureState), index, 2, &v) != MIB_OK)
		return 0;
	return v.number;
}

START_TEST(test_a_closure_tells_policy_from_closed)
{
	struct fixture f;

	fixture_new(&f);
	ck_assert_int_eq(closure_state(&f, 2, 2), 1);
	ck_assert_int_eq(closure_state(&f, 1, 2), 0);
	rows_put(f.s, "- endpoint 2,2");
	ck_assert_int_eq(closure_state(&f, 2, 2), 2);
	rows_put(f.s, "= groups 0 spdIngressPolicyGroupName=g");
	ck_assert_int_eq(closure_state(&f, 1, 0), 1);
	rows_put(f.s, "= groups 0 spdIngressPolicyGroupName=");
	ck_assert_int_eq(closure_state(&f, 1, 0), 2);
	fixture_free(&f);
}
END_TEST

START_TEST(test_a_closure_always_reads_release_false)
{
	static const uint32_t index[] = { 2, 2 };
	struct fixture f;
	struct mib_value v;

	fixture_new(&f);
	ck_assert_int_eq(mib_read(f.s, MIB_COL(ipspdClosureTable, ipspdClosureRelease), index, 2,
				  &v), MIB_OK);
	ck_assert_int_eq(v.number, 2);
	fixture_free(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/status");
	TCase *c = tcase_create("status");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(c, test_a_rule_says_why_it_is_not_in_force, 0,
			    sizeof(reasons) / sizeof(reasons[0]));
	tcase_add_test(c, test_a_rule_that_is_negotiated_needs_a_key_manager);
	tcase_add_test(c, test_nothing_is_in_force_before_the_first_generation);
	tcase_add_test(c, test_a_row_newer_than_the_generation_waits);
	tcase_add_test(c, test_a_row_that_was_changed_since_waits);
	tcase_add_loop_test(c, test_rows_of_other_tables_say_why_they_do_nothing, 0,
			    sizeof(any_rows) / sizeof(any_rows[0]));
	tcase_add_test(c, test_a_rule_that_was_lost_at_start_says_so);
	tcase_add_test(c, test_what_the_engine_refuses_is_not_in_force);
	tcase_add_test(c, test_a_closure_tells_policy_from_closed);
	tcase_add_test(c, test_a_closure_always_reads_release_false);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
