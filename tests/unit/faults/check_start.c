/*
 * tests/unit/faults/check_start.c - the agent's start, from key and database to a store that could
 * serve, with each allocation failing in turn: it ends with a reason, or has everything.
 *
 * A store that lacks rows, or has them out of force, because memory ran out would not be the policy
 * that was set; so there must be none.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/policy.h"
#include "tests/unit/faults/nomem.h"
#include "tests/unit/faults/world.h"
#include "tests/unit/mibs/fixture.h"

#define TRIES_MAX 20000

/* Names, references, lists, nesting, secrets, texts: whatever a load has to make anew. */
static const char rows[] =
	"+ cred k Type=sharedSecret Credential=0x32*32 AdminStatus=enabled\n"
	"+ esp e CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ pre p,2 ESPSPI=300 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k\n"
	"+ clfr 1 AddrType=ipv4 Protocol=6\n"
	"+ filter f LogicType=or\n"
	"+ subfilter f,1 Subfilter=diffServMultiFieldClfrAddrType.1\n"
	"+ action a\n"
	"+ subaction a,1 SubActionName=spdAcceptAction.0\n"
	"+ rule old Filter=spdCompFiltDescription.\"f\" "
	"Action=spdCompActExecutionStrategy.\"a\" Description=old\n"
	"+ rule sa Filter=spdTrueFilter.0 Action=ipsaSaPreActActionDescription.\"p\",2\n"
	"~ rule idle Description=unfinished\n"
	"+ contents inner,1 ComponentName=old\n"
	"+ contents g,1 ComponentType=group ComponentName=inner\n"
	"+ contents g,2 ComponentName=sa\n"
	"+ endpoint 2,2 Name=g\n"
	"= groups 0 spdIngressPolicyGroupName=inner";

static const struct {
	enum nomem_scope scope;
	enum nomem_kind kind;
} lacks[] = {
	{ NOMEM_ALL, NOMEM_ONCE },
	{ NOMEM_OURS, NOMEM_FOR_GOOD },
	{ NOMEM_OURS, NOMEM_ONCE },
};

static struct world w;

static void setup(void)
{
	world_init(&w, rows);
}

static void teardown(void)
{
	world_fini(&w);
}

/* As ipspd/agent.c opens the store. What there is of it after a failure is to be closed as well. */
static enum mib_err start(struct mib_diag *d)
{
	enum mib_err err = mib_seal_open(w.dir, NULL, &w.seal, d);

	if (err == MIB_OK)
		err = mib_db_open(w.path, w.seal, &w.db, d);
	if (err == MIB_OK)
		err = mib_store_new(mib_db_journal(w.db), fx_clock, &w.store);
	if (err == MIB_OK)
		err = pol_bind(w.store);
	return err == MIB_OK ? mib_db_load(w.db, w.store, NULL, NULL, d) : err;
}

/* The nth try; did it lack memory? *err is what it said. */
static bool try_start(size_t lack, unsigned long n, enum mib_err *err)
{
	struct mib_diag d = { 0 };

	nomem_arm(lacks[lack].scope, lacks[lack].kind, n);
	*err = start(&d);
	nomem_disarm();
	ck_assert(*err == MIB_OK || *err == MIB_RESOURCE_UNAVAILABLE);
	ck_assert_msg(*err == MIB_OK || nomem_happened(), "%lu: %s", n, d.text);
	return nomem_happened();
}

START_TEST(test_a_start_without_memory_fails_or_has_everything)
{
	char *before = world_state(&w);
	bool harmed = true;

	world_close(&w);
	for (unsigned long n = 1; harmed; n++) {
		enum mib_err err;

		ck_assert_uint_lt(n, TRIES_MAX);
		harmed = try_start((size_t)_i, n, &err);
		if (err == MIB_OK) {
			char *now = world_state(&w);

			fx_expect_same(before, now);
			free(now);
		}
		world_close(&w);
	}
	/* None of the tries changed what is on disk. */
	world_open(&w);
	char *now = world_state(&w);

	fx_expect_same(before, now);
	free(now);
	free(before);
}
END_TEST

START_TEST(test_a_first_start_without_memory_can_be_tried_again)
{
	char key[sizeof(w.dir) + 16];
	bool harmed = true;

	snprintf(key, sizeof(key), "%s/%s", w.dir, MIB_SEAL_KEY_NAME);
	world_close(&w);
	unlink(w.path);
	unlink(key);
	for (unsigned long n = 1; harmed; n++) {
		enum mib_err err;

		ck_assert_uint_lt(n, TRIES_MAX);
		harmed = try_start((size_t)_i, n, &err);
		world_close(&w);
		/* Whatever it left, the next one begins with an empty store. */
		world_open(&w);
		ck_assert_uint_eq(mib_store_generation(w.store), 0);
		world_close(&w);
		unlink(w.path);
		unlink(key);
	}
	world_open(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("faults/start");
	TCase *c = tcase_create("start");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 300);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, test_a_start_without_memory_fails_or_has_everything, 0, 2);
	tcase_add_loop_test(c, test_a_first_start_without_memory_can_be_tried_again, 1, 3);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
