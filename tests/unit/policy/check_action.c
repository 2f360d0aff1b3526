/*
 * tests/unit/policy/check_action.c - actions of rules as entries: compound actions become programs,
 * and what those may come to is what the guard and the engine go by. RFC 4807.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/program.h"
#include "policy/program.h"
#include "rowtext.h"

/* SAs of both directions: a, b outbound, c inbound. */
static const char sas[] =
	"+ cred k Type=sharedSecret Credential=0xa1*32 AdminStatus=enabled\n"
	"+ esp e CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ peer gw,0 Type=1 Value=198.51.100.1 AddressType=ipv4 Address=198.51.100.1\n"
	"+ pre a,2 ESPSPI=4096 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k "
	"PeerGatewayIdName=gw DoActionLogging=true\n"
	"+ pre b,2 ESPSPI=4097 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k "
	"PeerGatewayIdName=gw\n"
	"+ pre c,1 ESPSPI=4098 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k "
	"PeerGatewayIdName=gw";
static const char group[] =
	"+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g";

#define SA_A "ipsaSaPreActActionDescription.\"a\",2"
#define SA_B "ipsaSaPreActActionDescription.\"b\",2"
#define SA_C "ipsaSaPreActActionDescription.\"c\",1"
#define COMPOUND(name) "spdCompActExecutionStrategy.\"" name "\""
#define RULE(action) "+ rule r Filter=spdTrueFilter.0 Action=" action "\n"

/*
 * The entry in short: its action (D B P), "!" when it has a problem, then its steps: D B F, letters of
 * SAs (large when they may decide), A( S( U( ), and "'" behind what logs.
 */
static const struct {
	const char *name, *rows, *entry;
} cases[] = {
	{ "drop", RULE("spdDropAction.0"), "D" },
	{ "drop with log", RULE("spdDropActionLog.0"), "D'" },
	{ "accept with log", RULE("spdAcceptActionLog.0"), "B'" },
	{ "reject of IKE drops", RULE("ipiaRejectIKEAction.0"), "D" },
	{ "reject of IKE with log", RULE("ipiaRejectIKEActionLog.0"), "D'" },
	{ "an SA that reports", RULE(SA_A), "P'" },
	{ "an SA that does not", RULE(SA_B), "P" },
	{ "an SA of the other direction", RULE(SA_C), "D!" },
	{ "one SA in a compound", "+ action x\n+ subaction x,1 SubActionName=" SA_A "\n"
	  RULE(COMPOUND("x")), "P'" },
	{ "a second SA for the first", "+ action x\n+ subaction x,2 SubActionName=" SA_B "\n"
	  "+ subaction x,1 SubActionName=" SA_A "\n" RULE(COMPOUND("x")), "P'S(A'B)" },
	{ "clear only if policy says so", "+ action x\n+ subaction x,1 SubActionName=" SA_B "\n"
	  "+ subaction x,2 SubActionName=spdAcceptAction.0\n" RULE(COMPOUND("x")), "PS(Bb)" },
	{ "the other direction's SA is passed over", "+ action x\n"
	  "+ subaction x,1 SubActionName=" SA_C "\n+ subaction x,2 SubActionName=" SA_B "\n"
	  RULE(COMPOUND("x")), "PS(FB)" },
	{ "all, with a drop: no SA can decide", "+ action x ExecutionStrategy=doAll\n"
	  "+ subaction x,1 SubActionName=" SA_B "\n+ subaction x,2 SubActionName=spdDropAction.0\n"
	  RULE(COMPOUND("x")), "DA(bd)" },
	{ "until failure, the first of two SAs", "+ action x ExecutionStrategy=doUntilFailure\n"
	  "+ subaction x,1 SubActionName=" SA_B "\n+ subaction x,2 SubActionName=" SA_A "\n"
	  RULE(COMPOUND("x")), "P'U(Ba')" },
	{ "two accepts that report", "+ action x ExecutionStrategy=doAll\n"
	  "+ subaction x,1 SubActionName=spdAcceptActionLog.0\n"
	  "+ subaction x,2 SubActionName=spdAcceptActionLog.0\n" RULE(COMPOUND("x")), "B'A(b'b')" },
	{ "accept, and what is not run", "+ action x\n"
	  "+ subaction x,1 SubActionName=spdAcceptAction.0\n"
	  "+ subaction x,2 SubActionName=spdDropActionLog.0\n" RULE(COMPOUND("x")), "B" },
	{ "the strictest of two", "+ action x ExecutionStrategy=doAll\n"
	  "+ subaction x,1 SubActionName=spdAcceptAction.0\n"
	  "+ subaction x,2 SubActionName=spdDropActionLog.0\n" RULE(COMPOUND("x")), "D'" },
	{ "nested", "+ action x\n+ action y ExecutionStrategy=doUntilFailure\n"
	  "+ subaction y,1 SubActionName=" SA_A "\n+ subaction y,2 SubActionName=" SA_B "\n"
	  "+ subaction x,1 SubActionName=" COMPOUND("y") "\n"
	  "+ subaction x,2 SubActionName=spdDropActionLog.0\n" RULE(COMPOUND("x")),
	  "P'S(U(A'b)d')" },
	{ "an SA, else clear", RULE(SA_A) "= ruleopt r Fallback=clear\n", "P'S(A'b')" },
	{ "a second SA, else clear", "+ action x\n+ subaction x,2 SubActionName=" SA_B "\n"
	  "+ subaction x,1 SubActionName=" SA_A "\n" RULE(COMPOUND("x"))
	  "= ruleopt r Fallback=clear\n", "P'S(S(A'B)b')" },
	{ "a drop has no other way", RULE("spdDropAction.0") "= ruleopt r Fallback=clear\n", "D" },
	{ "an SA of the other direction has none", RULE(SA_C) "= ruleopt r Fallback=clear\n", "D!" },
	{ "an empty compound has none", "+ action x\n" RULE(COMPOUND("x"))
	  "= ruleopt r Fallback=clear\n", "D!" },
	{ "empty", "+ action x\n" RULE(COMPOUND("x")), "D!" },
	{ "empty inside", "+ action x\n+ action y\n"
	  "+ subaction x,1 SubActionName=" COMPOUND("y") "\n"
	  "+ subaction x,2 SubActionName=spdAcceptAction.0\n" RULE(COMPOUND("x")), "B" },
};

/* Marks D B F of a program in small letters, as large ones are the entry's and the SAs'. */
static char letter(const struct pol_generation *g, struct mib_store *s,
		   const struct ipsp_step *step)
{
	static const char *const names[] = { "a,2", "b,2", "c,1" };

	switch (step->kind) {
	case IPSP_STEP_DISCARD:
		return 'd';
	case IPSP_STEP_BYPASS:
		return 'b';
	case IPSP_STEP_FAIL:
		return 'F';
	default:
		break;
	}
	for (size_t i = 0; i < 3; i++) {
		const struct mib_row *r = row_of(s, "pre", names[i]);
		size_t len;
		const uint32_t *ids = mib_row_index(r, &len);
		const struct pol_origin *o = pol_origin_of(g, mib_row_table(r), ids, len);

		if (o && o->sa_id == step->sa_id && o->id == step->action_id)
			return (char)((step->may_decide ? 'A' : 'a') + i);
	}
	return '?';
}

static void describe(struct mib_store *s, const struct pol_generation *g, char *out, size_t size)
{
	const struct ipsp_spd_entry *e = &list_of(g, 2, IPSP_OUTBOUND)->entries[0];
	uint32_t ends[IPSP_STEP_DEPTH_MAX], depth = 0;
	FILE *f = fmemopen(out, size, "w");

	ck_assert_uint_eq(list_of(g, 2, IPSP_OUTBOUND)->n_entries, 1);
	fprintf(f, "%c%s%s", "DBP"[e->action], problem_of(s, g, "rule", "r")[0] ? "!" : "",
		e->log ? "'" : "");
	ck_assert_int_eq(e->log, e->action_id != 0);
	if (e->n_steps > 0)
		ck_assert(ipsp_steps_valid(e->steps, e->n_steps));
	for (uint32_t i = 0; i < e->n_steps; i++) {
		const struct ipsp_step *step = &e->steps[i];

		if (step->kind >= IPSP_STEP_ALL) {
			fprintf(f, "%c(", "ASU"[step->kind - IPSP_STEP_ALL]);
			ends[depth++] = step->end;
		} else {
			fprintf(f, "%c%s", letter(g, s, step), step->log ? "'" : "");
		}
		for (; depth > 0 && ends[depth - 1] == i + 1; depth--)
			fputc(')', f);
	}
	fclose(f);
}

START_TEST(test_an_action_becomes_the_entry_it_says)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;
	char got[128];

	rows_put(s, sas);
	rows_put(s, cases[_i].rows);
	rows_put(s, group);
	g = compile(s);
	describe(s, g, got, sizeof(got));
	ck_assert_msg(strcmp(got, cases[_i].entry) == 0, "%s: %s", cases[_i].name, got);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_reports_name_the_action_that_asks_for_them)
{
	struct mib_store *s = store_new();
	const struct ipsp_spd_entry *e;
	const struct pol_origin *o;
	struct pol_generation *g;

	rows_put(s, sas);
	rows_put(s, RULE("spdDropActionLog.0"));
	rows_put(s, group);
	g = compile(s);
	e = &list_of(g, 2, IPSP_OUTBOUND)->entries[0];
	o = pol_origin_find(g, e->action_id);
	ck_assert_ptr_nonnull(o);
	ck_assert_str_eq(o->name, "spdDropActionLog.0");
	ck_assert_str_eq(o->scalar->name, "spdDropActionLog");
	pol_generation_free(g);

	rows_put(s, "= rule r Action=" SA_A);
	g = compile(s);
	e = &list_of(g, 2, IPSP_OUTBOUND)->entries[0];
	o = pol_origin_find(g, e->action_id);
	ck_assert_ptr_null(o->scalar);
	ck_assert_uint_eq(o->sa_id, e->sa_id);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

/* Worked example (d) of the IKE action module: without IKE it drops, and says why. */
START_TEST(test_an_ike_compound_drops_and_says_what_it_needs)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;
	char got[64];

	rows_put(s, "+ param std MinLifetimeSecs=300\n"
		    "+ ike ike ParametersName=std IdentityType=1 IdentityContext=default\n"
		    "+ action x ExecutionStrategy=doUntilFailure\n"
		    "+ subaction x,0 SubActionName=ipiaIkeActParametersName.\"ike\"\n"
		    "+ subaction x,1 SubActionName=spdAcceptAction.0\n" RULE(COMPOUND("x")));
	rows_put(s, group);
	g = compile(s);
	describe(s, g, got, sizeof(got));
	ck_assert_str_eq(got, "D!");
	ck_assert_ptr_nonnull(strstr(problem_of(s, g, "rule", "r"), "needs IKE"));
	pol_generation_free(g);
	/* As a first choice it leaves the packet to the next one. */
	rows_put(s, "= action x ExecutionStrategy=doUntilSuccess");
	g = compile(s);
	describe(s, g, got, sizeof(got));
	ck_assert_str_eq(got, "B");
	pol_generation_free(g);
	/* With a fallback it passes in clear, and is not in force all the same. */
	rows_put(s, "= action x ExecutionStrategy=doUntilFailure\n= ruleopt r Fallback=clear");
	g = compile(s);
	describe(s, g, got, sizeof(got));
	ck_assert_str_eq(got, "B!'");
	ck_assert_ptr_nonnull(strstr(problem_of(s, g, "rule", "r"), "in clear"));
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_an_sa_that_is_not_in_force_is_a_step_that_fails)
{
	struct mib_store *s = store_new();
	const struct ipsp_spd_entry *e;
	struct pol_generation *g;

	rows_put(s, sas);
	rows_put(s, "+ action x\n+ subaction x,1 SubActionName=" SA_A "\n"
		    "+ subaction x,2 SubActionName=" SA_B "\n" RULE(COMPOUND("x")));
	rows_put(s, group);
	rows_put(s, "= cred k AdminStatus=disabled");
	g = compile(s);
	e = &list_of(g, 2, IPSP_OUTBOUND)->entries[0];
	ck_assert_int_eq(e->action, IPSP_DISCARD);
	ck_assert_ptr_nonnull(strstr(problem_of(s, g, "rule", "r"), "not in force"));
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_more_subactions_than_a_program_holds_drop)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;
	char line[96];

	rows_put(s, "+ action x\n" RULE(COMPOUND("x")));
	for (unsigned i = 0; i < IPSP_STEPS_MAX; i++) {
		snprintf(line, sizeof(line), "+ subaction x,%u SubActionName=spdAcceptAction.0", i);
		rows_put(s, line);
	}
	rows_put(s, group);
	g = compile(s);
	ck_assert_int_eq(list_of(g, 2, IPSP_OUTBOUND)->entries[0].action, IPSP_DISCARD);
	ck_assert_ptr_nonnull(strstr(problem_of(s, g, "rule", "r"), "more than 255"));
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

/* ---- prospects against all that can happen ---- */

#define DICE_SAS 5u
#define PROGRAMS 3000u

static uint32_t roll_program(struct dice *d, struct ipsp_step *steps)
{
	uint32_t open[4], depth = 0, n = 0, n_sas = 0;

	steps[n++] = (struct ipsp_step){ .kind = (uint8_t)(IPSP_STEP_ALL + dice_roll(d, 3)) };
	open[depth++] = 0;
	while (depth > 0) {
		const uint32_t what = dice_roll(d, 8);

		steps[n] = (struct ipsp_step){ .kind = IPSP_STEP_FAIL };
		if (what < 2 || n > 12) {
			steps[open[--depth]].end = (uint16_t)n;
			continue;
		}
		if (what == 2 && depth < 4) {
			steps[n].kind = (uint8_t)(IPSP_STEP_ALL + dice_roll(d, 3));
			open[depth++] = n;
		} else if (what > 4 && n_sas < DICE_SAS) {
			steps[n].kind = IPSP_STEP_PROTECT;
			steps[n].sa_id = ++n_sas;
		} else if (what == 3) {
			steps[n].kind = (uint8_t)dice_roll(d, 2);
		}
		n++;
	}
	return n;
}

static bool in_set(void *arg, uint64_t sa_id)
{
	return *(const unsigned *)arg >> sa_id & 1;
}

START_TEST(test_prospects_are_what_any_state_of_the_sas_comes_to)
{
	struct dice d = { .state = 7 };

	for (unsigned round = 0; round < PROGRAMS; round++) {
		struct ipsp_step steps[IPSP_STEPS_MAX];
		struct pol_prospects may, seen = { .bypass = false };
		bool decides[IPSP_STEPS_MAX] = { false };
		const uint32_t n = roll_program(&d, steps);

		ck_assert(ipsp_steps_valid(steps, n));
		pol_program_judge(steps, n, &may);
		for (unsigned state = 0; state < 2u << DICE_SAS; state += 2) {
			struct ipsp_outcome o;

			ipsp_steps_run(steps, in_set, &state, &o);
			seen.bypass |= o.action == IPSP_BYPASS;
			seen.protect |= o.action == IPSP_PROTECT;
			seen.drop |= o.action == IPSP_DISCARD;
			if (o.action == IPSP_PROTECT)
				decides[o.step] = true;
		}
		ck_assert_int_eq(may.bypass, seen.bypass);
		ck_assert_int_eq(may.protect, seen.protect);
		ck_assert_int_eq(may.drop, seen.drop);
		for (uint32_t i = 0; i < n; i++)
			ck_assert_int_eq(steps[i].may_decide, decides[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("action");
	TCase *tc = tcase_create("action");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, test_an_action_becomes_the_entry_it_says, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, test_reports_name_the_action_that_asks_for_them);
	tcase_add_test(tc, test_an_ike_compound_drops_and_says_what_it_needs);
	tcase_add_test(tc, test_an_sa_that_is_not_in_force_is_a_step_that_fails);
	tcase_add_test(tc, test_more_subactions_than_a_program_holds_drop);
	tcase_add_test(tc, test_prospects_are_what_any_state_of_the_sas_comes_to);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
