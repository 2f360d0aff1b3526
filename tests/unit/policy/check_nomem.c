/*
 * tests/unit/policy/check_nomem.c - compiles with each allocation failing in turn.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "rowtext.h"
#include "tests/unit/faults/nomem.h"

static const char rows[] =
	"+ cred k Type=sharedSecret Credential=0x32*32 AdminStatus=enabled\n"
	"+ cred off Type=sharedSecret Credential=0x32*32\n"
	"+ esp e CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ pre p,2 ESPSPI=300 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k\n"
	"+ pre q,2 ESPSPI=301 ESPTransformName=e ESPEncSecretName=off ESPAuthSecretName=k\n"
	"+ time t\n"
	"+ clfr 1 AddrType=ipv4 Protocol=6\n"
	"+ clfr 2 AddrType=ipv6 SrcAddr=2001:db8:: SrcPrefixLength=32\n"
	"+ filter f LogicType=or\n"
	"+ subfilter f,1 Subfilter=diffServMultiFieldClfrAddrType.1\n"
	"+ subfilter f,2 Subfilter=diffServMultiFieldClfrAddrType.2 SubfilterIsNegated=true\n"
	"+ filter u\n"
	"+ subfilter u,1 Subfilter=diffServMultiFieldClfrAddrType.2\n"
	"+ subfilter u,2 Subfilter=spdTimeFiltPeriod.\"t\" SubfilterIsNegated=true\n"
	"+ action a\n"
	"+ subaction a,1 SubActionName=spdAcceptAction.0\n"
	"+ rule compound Filter=spdCompFiltDescription.\"f\" "
	"Action=spdCompActExecutionStrategy.\"a\"\n"
	"+ rule unsure Filter=spdCompFiltDescription.\"u\" FilterNegated=true "
	"Action=spdAcceptAction.0\n"
	"+ rule sa Filter=spdTrueFilter.0 Action=ipsaSaPreActActionDescription.\"p\",2\n"
	"+ rule idle Filter=spdTrueFilter.0 Action=ipsaSaPreActActionDescription.\"q\",2\n"
	"+ contents inner,1 ComponentName=compound\n"
	"+ contents inner,2 ComponentName=unsure\n"
	"+ contents g,1 ComponentType=group ComponentName=inner "
	"Filter=diffServMultiFieldClfrAddrType.1\n"
	"+ contents g,2 ComponentName=sa\n"
	"+ contents g,3 ComponentName=idle\n"
	"+ endpoint 2,2 Name=g\n"
	"+ endpoint 2,3 Name=g\n"
	"+ endpoint 1,2 Name=g\n"
	"= groups 0 spdIngressPolicyGroupName=inner";

/* The generation that is made in the end. */
static struct pol_generation *compile_at_last(struct mib_store *s)
{
	struct pol_generation *g = NULL;
	enum mib_err err = MIB_RESOURCE_UNAVAILABLE;
	unsigned long n = 0;

	while (err != MIB_OK) {
		nomem_arm(NOMEM_OURS, NOMEM_ONCE, ++n);
		err = pol_compile(mib_store_view(s), 1, 0, &g);
		nomem_disarm();
		ck_assert(err == MIB_OK || err == MIB_RESOURCE_UNAVAILABLE);
		ck_assert_int_eq(err == MIB_OK, g != NULL);
		/* When none failed, all were met. */
		ck_assert_int_eq(err == MIB_OK, !nomem_happened());
		ck_assert_uint_lt(n, 100000);
	}
	ck_assert_uint_gt(n, 50);
	return g;
}

START_TEST(test_a_compilation_without_memory_makes_nothing_and_says_so)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, rows);
	g = compile_at_last(s);
	ck_assert_uint_eq(g->n_lists, 4);
	ck_assert_uint_eq(pol_map_count(&g->sas), 1);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_so_does_one_of_rows_that_were_lost_at_start)
{
	const struct loss key = { "cred", "k", "Credential" };
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, rows);
	s = store_restart(s, &key);
	g = compile_at_last(s);
	ck_assert_uint_eq(g->n_lists, 4);
	ck_assert_uint_eq(pol_map_count(&g->sas), 0);
	ck_assert_ptr_nonnull(strstr(problem_of(s, g, "rule", "sa"), "is lost"));
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/nomem");
	TCase *c = tcase_create("nomem");
	SRunner *sr;
	int failed;

	tcase_add_test(c, test_a_compilation_without_memory_makes_nothing_and_says_so);
	tcase_add_test(c, test_so_does_one_of_rows_that_were_lost_at_start);
	tcase_set_timeout(c, 120);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
