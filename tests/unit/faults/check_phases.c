/*
 * tests/unit/faults/check_phases.c - a SET over seven tables that is refused at each VarBind, and
 * by each judge in turn; and in other orders.
 *
 * One VarBind that is wrong, wherever it stands, refuses all of them with its own error and its own
 * place (RFC 3416 4.2.5), and nothing has changed. So does each call of a binder.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "agentx/error.h"
#include "mibs/schema_gen.h"
#include "tests/unit/faults/world.h"
#include "tests/unit/mibs/fixture.h"

#define VARBINDS_MAX 64
#define TRIES_MAX 1000

static struct world w;

/* ---- a binder for all those tables, which refuses its nth call ---- */

enum judge { JUDGE_VALUE, JUDGE_CHECK, JUDGE_DERIVE, N_JUDGES };

static struct {
	enum judge judge;
	unsigned int nth;	/* 0: never */
	bool refused;
} refusal;

static enum mib_err judge(enum judge who, enum mib_err err, struct mib_diag *d)
{
	if (refusal.nth == 0 || refusal.judge != who || --refusal.nth > 0)
		return MIB_OK;
	refusal.refused = true;
	mib_diag_set(d, NULL, NULL, 0, "refused by the test");
	return err;
}

static enum mib_err on_value(const struct mib_column *col, const struct mib_value *v,
			     struct mib_diag *d)
{
	(void)col;
	(void)v;
	return judge(JUDGE_VALUE, MIB_WRONG_VALUE, d);
}

static enum mib_err on_check(const struct mib_view *v, const struct mib_row *r,
			     struct mib_diag *d)
{
	(void)v;
	(void)r;
	return judge(JUDGE_CHECK, MIB_INCONSISTENT_VALUE, d);
}

static enum mib_err on_derive(struct mib_txn *t, const struct mib_change *c, struct mib_diag *d)
{
	(void)t;
	(void)c;
	return judge(JUDGE_DERIVE, MIB_RESOURCE_UNAVAILABLE, d);
}

#define BINDER(t) &(const struct mib_binder){ &mib_t_##t, on_value, on_check, on_derive }

static const struct mib_binder *const binders[] = {
	BINDER(spdEndpointToGroupTable), BINDER(spdGroupContentsTable),
	BINDER(spdRuleDefinitionTable), BINDER(diffServMultiFieldClfrTable),
	BINDER(ipsaSaPreconfiguredActionTable), BINDER(ipsaEspTransformTable),
	BINDER(ipsaCredentialTable), NULL,
};

static void setup(void)
{
	refusal.nth = 0;
	world_binders = binders;
	world_init(&w, world_rows);
}

static void teardown(void)
{
	world_fini(&w);
}

/* ---- PDUs put together from VarBinds ---- */

/* Where each VarBind of a TestSet stands. */
struct parts {
	const uint8_t *at[VARBINDS_MAX];
	size_t len[VARBINDS_MAX];
	size_t n;
};

static void take_apart(const struct ax_buf *pdu, struct parts *out)
{
	struct ax_reader r;
	struct ax_varbind vb;

	out->n = 0;
	ax_reader_init(&r, pdu->data + AX_HEADER_SIZE, pdu->len - AX_HEADER_SIZE, true);
	while (ax_reader_more(&r)) {
		ck_assert_uint_lt(out->n, VARBINDS_MAX);
		out->at[out->n] = r.at;
		ck_assert(ax_read_varbind(&r, &vb));
		out->len[out->n] = (size_t)(r.at - out->at[out->n]);
		out->n++;
	}
}

static void append(struct ax_buf *b, const uint8_t *octets, size_t len)
{
	uint8_t *grown = realloc(b->data, b->len + len);

	ck_assert_ptr_nonnull(grown);
	memcpy(grown + b->len, octets, len);
	b->data = grown;
	b->len += len;
}

/* The header of a PDU that has been put together says how long it is: RFC 2741 6.1. */
static void finish(struct ax_buf *b)
{
	const uint32_t len = (uint32_t)(b->len - AX_HEADER_SIZE);

	for (size_t i = 0; i < 4; i++)
		b->data[16 + i] = (uint8_t)(len >> (24 - 8 * i));
}

/* ---- the SET ---- */

/* TestSet and, if it is not refused, the rest. @return the error that a manager gets */
static uint16_t run(const struct ax_buf *pdu, uint16_t *index)
{
	uint16_t error = world_phase(&w, AX_TEST_SET, pdu);

	*index = w.index;
	if (error == 0)
		error = world_phase(&w, AX_COMMIT_SET, NULL);
	world_phase(&w, AX_CLEANUP_SET, NULL);
	return error;
}

static void must_be(const char *want)
{
	char *got = world_state(&w);

	fx_expect_same(want, got);
	free(got);
}

START_TEST(test_order_in_a_pdu_says_nothing)
{
	struct ax_buf pdu, turned;
	struct parts p;
	char *after = NULL;

	world_pdu(&pdu, world_many_tables);
	take_apart(&pdu, &p);
	ck_assert_uint_gt(p.n, 25);
	for (size_t first = 0; first < p.n; first++) {
		uint16_t index;

		ax_buf_init(&turned, AX_PDU_MAX);
		append(&turned, pdu.data, AX_HEADER_SIZE);
		for (size_t i = 0; i < p.n; i++)
			append(&turned, p.at[(first + i) % p.n], p.len[(first + i) % p.n]);
		finish(&turned);
		ck_assert_uint_eq(run(&turned, &index), 0);
		if (!after)
			after = world_state(&w);
		must_be(after);
		ax_buf_fini(&turned);
		world_reset(&w);
	}
	free(after);
	ax_buf_fini(&pdu);
}
END_TEST

static const struct {
	const char *name;
	const char *rows;	/* one VarBind */
	enum ax_value_type type;	/* what it is sent as instead; 0: as it is */
	uint16_t error;
} bad[] = {
	{ "a type that the column does not have", "= rule spare AdminStatus=enabled",
	  AX_GAUGE32, AX_SNMP_WRONG_TYPE },
	{ "a status that cannot be asked for", "= rule spare RowStatus=notReady", 0,
	  AX_SNMP_WRONG_VALUE },
	{ "a row made that is there", "= rule spare RowStatus=createAndGo", 0,
	  AX_SNMP_INCONSISTENT_VALUE },
	{ "a scalar that is only to be read", "= system 0 CommittedGeneration=1", 0,
	  AX_SNMP_NOT_WRITABLE },
	{ "a pointer at what is not there", "= rule spare Filter=diffServMultiFieldClfrAddrType.99",
	  0, AX_SNMP_INCONSISTENT_NAME },
	{ "a row that others need destroyed", "- filter f", 0, AX_SNMP_INCONSISTENT_VALUE },
};
#define N_BAD (sizeof(bad) / sizeof(bad[0]))

START_TEST(test_a_wrong_varbind_refuses_all_wherever_it_stands)
{
	char *before = world_state(&w);
	struct ax_buf pdu, wrong;
	struct parts p;

	world_pdu(&pdu, world_many_tables);
	world_pdu(&wrong, bad[_i].rows);
	if (bad[_i].type)
		wrong.data[AX_HEADER_SIZE + 1] = (uint8_t)bad[_i].type;
	take_apart(&pdu, &p);
	for (size_t place = 0; place <= p.n; place++) {
		uint16_t index, error;
		struct ax_buf b;

		ax_buf_init(&b, AX_PDU_MAX);
		append(&b, pdu.data, AX_HEADER_SIZE);
		for (size_t i = 0; i <= p.n; i++) {
			if (i == place)
				append(&b, wrong.data + AX_HEADER_SIZE,
				       wrong.len - AX_HEADER_SIZE);
			if (i < p.n)
				append(&b, p.at[i], p.len[i]);
		}
		finish(&b);
		error = run(&b, &index);
		ck_assert_msg(error == bad[_i].error && index == place + 1,
			      "%s at %zu: error %u at %u", bad[_i].name, place + 1, error, index);
		must_be(before);
		ax_buf_fini(&b);
	}
	/* All of them were told apart from the rest, which is right. */
	ck_assert_uint_eq(run(&pdu, &(uint16_t){ 0 }), 0);
	ax_buf_fini(&wrong);
	ax_buf_fini(&pdu);
	free(before);
}
END_TEST

START_TEST(test_each_call_of_a_binder_may_refuse_all)
{
	static const uint16_t errors[N_JUDGES] = {
		[JUDGE_VALUE] = AX_SNMP_WRONG_VALUE,
		[JUDGE_CHECK] = AX_SNMP_INCONSISTENT_VALUE,
		[JUDGE_DERIVE] = AX_SNMP_RESOURCE_UNAVAILABLE,
	};
	char *before = world_state(&w);
	struct ax_buf pdu;
	unsigned int n;

	world_pdu(&pdu, world_many_tables);
	for (n = 1; n < TRIES_MAX; n++) {
		uint16_t index, error;

		refusal.judge = (enum judge)_i;
		refusal.nth = n;
		refusal.refused = false;
		error = run(&pdu, &index);
		refusal.nth = 0;
		if (!refusal.refused) {
			ck_assert_uint_eq(error, 0);
			break;
		}
		ck_assert_uint_eq(error, errors[_i]);
		ck_assert_uint_ge(index, 1);
		ck_assert_uint_le(index, world_pdu_varbinds(&pdu));
		must_be(before);
	}
	ck_assert_uint_gt(n, 8);
	ck_assert_uint_lt(n, TRIES_MAX);
	ax_buf_fini(&pdu);
	free(before);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("faults/phases");
	TCase *c = tcase_create("phases");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 300);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_order_in_a_pdu_says_nothing);
	tcase_add_loop_test(c, test_a_wrong_varbind_refuses_all_wherever_it_stands, 0, N_BAD);
	tcase_add_loop_test(c, test_each_call_of_a_binder_may_refuse_all, 0, N_JUDGES);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
