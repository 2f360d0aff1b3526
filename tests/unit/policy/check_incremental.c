/*
 * tests/unit/policy/check_incremental.c - the compiler that keeps what it made, beside one that begins
 * from nothing: after any change both must give the same generation, and the first must not have
 * looked at what the change does not touch.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/items.h"
#include "rowtext.h"

#define ROUNDS 400

static uint32_t seed;

static unsigned draw(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* ---- comparing ---- */

static void same_lists(const struct pol_generation *a, const struct pol_generation *b)
{
	ck_assert_uint_eq(a->n_lists, b->n_lists);
	for (size_t i = 0; i < a->n_lists; i++) {
		const struct pol_list *x = &a->lists[i], *y = &b->lists[i];

		ck_assert_uint_eq(x->ifindex, y->ifindex);
		ck_assert_uint_eq(x->dir, y->dir);
		ck_assert_uint_eq(pol_map_count(&x->entries), pol_map_count(&y->entries));
		for (size_t k = 0; k < pol_map_count(&x->entries); k++) {
			const struct pol_entry *e = pol_list_entry(x, k), *f = pol_list_entry(y, k);

			ck_assert_int_eq(pol_entries_type.cmp(e, f), 0);
			ck_assert(pol_entry_same(&e->spd, &f->spd));
		}
	}
}

static void same_rest(const struct pol_generation *a, const struct pol_generation *b)
{
	ck_assert_uint_eq(pol_map_count(&a->sas), pol_map_count(&b->sas));
	for (size_t i = 0; i < pol_map_count(&a->sas); i++)
		ck_assert(pol_sa_same(sa_at(a, i), sa_at(b, i)));
	ck_assert_uint_eq(pol_map_count(&a->origins), pol_map_count(&b->origins));
	for (size_t i = 0; i < pol_map_count(&a->origins); i++) {
		const struct pol_origin *x = pol_map_at(&a->origins, i);
		const struct pol_origin *y = pol_map_at(&b->origins, i);

		ck_assert_int_eq(pol_origins_type.cmp(x, y), 0);
		ck_assert_str_eq(x->name, y->name);
	}
	ck_assert_uint_eq(pol_map_count(&a->problems), pol_map_count(&b->problems));
	for (size_t i = 0; i < pol_map_count(&a->problems); i++) {
		const struct pol_problem *x = pol_map_at(&a->problems, i);
		const struct pol_problem *y = pol_map_at(&b->problems, i);

		ck_assert_msg(pol_problems_type.cmp(x, y) == 0, "%s %s, but from nothing %s %s",
			      x->table->name, x->reason, y->table->name, y->reason);
	}
}

/* ---- a store with a compiler that listens ---- */

struct fixture {
	struct mib_store *s;
	struct pol_compiler *c;
	struct mib_listener listener;
};

static void committed(void *arg, uint64_t generation, const struct mib_change *changes, size_t n)
{
	struct fixture *f = arg;

	(void)generation;
	pol_compiler_changed(f->c, changes, n);
}

static void listen_to(struct fixture *f)
{
	f->c = pol_compiler_new(mib_store_view(f->s));
	ck_assert_ptr_nonnull(f->c);
	f->listener = (struct mib_listener){ .committed = committed, .arg = f };
	ck_assert_int_eq(mib_store_add_listener(f->s, &f->listener), MIB_OK);
}

static struct pol_generation *run(struct fixture *f)
{
	struct pol_generation *g;

	ck_assert_int_eq(pol_compiler_run(f->c, mib_store_generation(f->s), 0, &g), MIB_OK);
	return g;
}

static void teardown(struct fixture *f)
{
	pol_compiler_free(f->c);
	mib_store_free(f->s);
}

static void compare(struct fixture *f)
{
	struct pol_generation *kept = run(f), *fresh = compile(f->s);

	same_lists(kept, fresh);
	same_rest(kept, fresh);
	pol_generation_free(kept);
	pol_generation_free(fresh);
}

/* ---- random changes ---- */

/* Some are refused, for all that they may be wrong: that is a change of nothing. */
static void random_line(char *to, size_t size)
{
	static const char *const signs[] = { "+", "+", "+", "~", "=", "-", "-" };
	const char *sign = signs[draw(7)];
	const bool plain = sign[0] == '-';
	unsigned n = draw(4), m = draw(4);
	char filter[80], action[80];

	switch (draw(5)) {
	case 0:
		snprintf(filter, sizeof(filter), "spdTrueFilter.0");
		break;
	case 1:
		snprintf(filter, sizeof(filter), "spdCompFiltDescription.\"f%u\"", draw(3));
		break;
	default:
		snprintf(filter, sizeof(filter), "diffServMultiFieldClfrAddrType.%u", 1 + draw(4));
	}
	switch (draw(4)) {
	case 0:
		snprintf(action, sizeof(action), "spdCompActExecutionStrategy.\"a%u\"", draw(2));
		break;
	case 1:
		snprintf(action, sizeof(action), "ipsaSaPreActActionDescription.\"p%u\",%u",
			 draw(3), 1 + draw(2));
		break;
	default:
		snprintf(action, sizeof(action), "%s", draw(2) ? "spdAcceptAction.0" :
								 "spdDropAction.0");
	}
	switch (draw(12)) {
	case 0:
	case 1:
		snprintf(to, size, plain ? "%s rule r%u" : "%s rule r%u Filter=%s Action=%s "
			 "FilterNegated=%s AdminStatus=%s", sign, n, filter, action,
			 draw(4) ? "false" : "true", draw(5) ? "enabled" : "disabled");
		break;
	case 2:
	case 3:
	case 4:
		if (draw(3))
			snprintf(to, size, plain ? "%s contents g%u,%u" : "%s contents g%u,%u "
				 "ComponentType=rule ComponentName=r%u Filter=%s", sign, n, draw(6),
				 m, draw(3) ? "spdTrueFilter.0" : filter);
		else
			snprintf(to, size, plain ? "%s contents g%u,%u" : "%s contents g%u,%u "
				 "ComponentType=group ComponentName=g%u Filter=%s", sign, n,
				 draw(6), m, draw(3) ? "spdTrueFilter.0" : filter);
		break;
	case 5:
		snprintf(to, size, plain ? "%s clfr %u" : "%s clfr %u AddrType=ipv%u Protocol=%u",
			 sign, 1 + n, draw(2) ? 4 : 6, 6 + 11 * draw(2));
		break;
	case 6:
		snprintf(to, size, plain ? "%s filter f%u" : "%s filter f%u LogicType=%s", sign,
			 draw(3), draw(2) ? "or" : "and");
		break;
	case 7:
		snprintf(to, size, plain ? "%s subfilter f%u,%u" : "%s subfilter f%u,%u "
			 "Subfilter=%s SubfilterIsNegated=%s", sign, draw(3), 1 + draw(3), filter,
			 draw(2) ? "true" : "false");
		break;
	case 8:
		if (draw(2))
			snprintf(to, size, plain ? "%s subaction a%u,%u" : "%s subaction a%u,%u "
				 "SubActionName=%s", sign, draw(2), 1 + draw(3), action);
		else
			snprintf(to, size, "%s action a%u", sign, draw(2));
		break;
	case 9:
		snprintf(to, size, plain ? "%s pre p%u,%u" : "%s pre p%u,%u ESPSPI=%u "
			 "ESPTransformName=e ESPEncSecretName=k%u ESPAuthSecretName=k%u", sign,
			 draw(3), 1 + draw(2), 300 + draw(6), draw(2), draw(2));
		break;
	case 10:
		snprintf(to, size, plain ? "%s cred k%u" : "%s cred k%u Type=sharedSecret "
			 "Credential=0x%u%u*32 AdminStatus=%s", sign, draw(2), 1 + draw(8),
			 draw(8), draw(3) ? "enabled" : "disabled");
		break;
	default:
		if (draw(4))
			snprintf(to, size, plain ? "%s endpoint %u,%u" : "%s endpoint %u,%u "
				 "Name=g%u", sign, 1 + draw(2), 2 + draw(3), m);
		else
			snprintf(to, size, "= groups 0 spdIngressPolicyGroupName=g%u", m);
	}
}

static void change(struct fixture *f)
{
	char text[1600] = "";
	size_t len = 0;
	struct mib_diag d = { 0 };

	for (unsigned n = 1 + draw(3); n > 0; n--) {
		random_line(text + len, 400);
		len = strlen(text);
		text[len++] = '\n';
		text[len] = '\0';
	}
	text[len - 1] = '\0';
	(void)rows_try(f->s, text, &d);
}

static const char basis[] =
	"+ esp e CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ cred k0 Type=sharedSecret Credential=0x32*32 AdminStatus=enabled\n"
	"+ cred k1 Type=sharedSecret Credential=0x33*32 AdminStatus=enabled\n"
	"+ clfr 1 AddrType=ipv4 Protocol=6\n"
	"+ clfr 2 AddrType=ipv6 Protocol=17\n"
	"+ rule r0 Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	"+ rule r1 Filter=diffServMultiFieldClfrAddrType.1 Action=spdDropAction.0\n"
	"+ pre p0,2 ESPSPI=700 ESPTransformName=e ESPEncSecretName=k0 ESPAuthSecretName=k1\n"
	"+ rule r2 Filter=diffServMultiFieldClfrAddrType.2 "
	"Action=ipsaSaPreActActionDescription.\"p0\",2\n"
	"+ contents g0,1 ComponentName=r0\n"
	"+ contents g1,1 ComponentName=r1\n"
	"+ contents g1,2 ComponentType=group ComponentName=g0\n"
	"+ contents g2,3 ComponentName=r2\n"
	"+ contents g2,4 ComponentType=group ComponentName=g1 "
	"Filter=diffServMultiFieldClfrAddrType.1\n"
	"+ endpoint 2,2 Name=g2\n"
	"+ endpoint 1,2 Name=g1";

START_TEST(test_any_change_gives_what_a_compilation_from_nothing_gives)
{
	struct fixture f = { .s = store_new() };
	size_t changes = 0;

	seed = (uint32_t)_i * 7919 + 1;
	listen_to(&f);
	rows_put(f.s, basis);
	for (unsigned i = 0; i < ROUNDS; i++) {
		const uint64_t before = mib_store_generation(f.s);

		change(&f);
		/* Sometimes several commits are compiled at once. */
		if (draw(4))
			compare(&f);
		changes += mib_store_generation(f.s) != before;
	}
	compare(&f);
	ck_assert_uint_gt(changes, ROUNDS / 8);
	teardown(&f);
}
END_TEST

START_TEST(test_so_does_any_change_of_a_store_with_lost_rows)
{
	static const struct loss losses[] = {
		{ "cred", "k0", "Credential" },
		{ "rule", "r1", "Filter" },
		{ "contents", "g1,2", "ComponentName" },
		{ "clfr", "1", "AddrType" },
		{ "endpoint", "2,2", "Name" },
	};
	struct fixture f = { .s = store_new() };

	seed = (uint32_t)_i * 104729 + 7;
	rows_put(f.s, basis);
	f.s = store_restart(f.s, &losses[_i % 5]);
	listen_to(&f);
	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		change(&f);
		compare(&f);
	}
	teardown(&f);
}
END_TEST

/* ---- what a change costs ---- */

#define RULES 300

static void many_rules(struct fixture *f)
{
	char line[200];

	f->s = store_new();
	rows_put(f->s, "+ clfr 1 AddrType=ipv4 Protocol=6\n+ clfr 2 AddrType=ipv4 Protocol=17");
	for (unsigned i = 0; i < RULES; i++) {
		snprintf(line, sizeof(line), "+ rule m%u Filter=diffServMultiFieldClfrAddrType.%u "
			 "Action=spdAcceptAction.0\n+ contents inner,%u ComponentName=m%u", i,
			 i < 10 ? 2 : 1, 10 * i, i);
		rows_put(f->s, line);
	}
	rows_put(f->s, "+ contents outer,1 ComponentType=group ComponentName=inner\n"
		       "+ endpoint 2,2 Name=outer\n+ endpoint 2,3 Name=outer");
	listen_to(f);
}

static const struct {
	const char *change;
	size_t work;	/* places and SAs looked at; at most */
} costs[] = {
	{ "= rule m150 Action=spdDropAction.0", 1 },
	{ "+ rule new Filter=spdTrueFilter.0 Action=spdDropAction.0\n"
	  "+ contents inner,1505 ComponentName=new", 2 },
	{ "- contents inner,1500", 2 },
	{ "= clfr 2 Protocol=1", 10 },
	{ "- endpoint 2,3", 0 },
	{ "+ endpoint 2,4 Name=outer", 0 },
	{ "+ rule elsewhere Filter=spdTrueFilter.0 Action=spdDropAction.0", 0 },
};

START_TEST(test_a_change_costs_what_depends_on_it)
{
	struct fixture f;
	struct pol_generation *before, *after;
	struct pol_map_diff d;
	size_t changed = 0;

	many_rules(&f);
	before = run(&f);
	ck_assert_uint_ge(pol_compiler_work(f.c), RULES);
	rows_put(f.s, costs[_i].change);
	after = run(&f);
	ck_assert_uint_le(pol_compiler_work(f.c), costs[_i].work);
	pol_map_diff_start(&d, &before->lists[0].entries, &after->lists[0].entries);
	while (pol_map_diff_next(&d))
		changed++;
	ck_assert_uint_le(changed, costs[_i].work);
	pol_generation_free(before);
	compare(&f);
	pol_generation_free(after);
	teardown(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/incremental");
	TCase *c = tcase_create("incremental");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(c, test_any_change_gives_what_a_compilation_from_nothing_gives, 0, 4);
	tcase_add_loop_test(c, test_so_does_any_change_of_a_store_with_lost_rows, 0, 10);
	tcase_add_loop_test(c, test_a_change_costs_what_depends_on_it, 0,
			    sizeof(costs) / sizeof(costs[0]));
	tcase_set_timeout(c, 120);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
