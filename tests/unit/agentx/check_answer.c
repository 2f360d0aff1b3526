/*
 * tests/unit/agentx/check_answer.c - Get, GetNext and GetBulk: RFC 2741 7.2.3 on a store of five
 * variables.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentx/answer.h"
#include "agentx/error.h"
#include "tests/unit/agentx/fake_store.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Two columns (1.3.6.1.2.1.153.9.COLUMN.ROW), of which the second's last row cannot be read. */
#define AT(column, row) { 1, 3, 6, 1, 2, 1, 153, 9, column, row }
static const uint32_t oids[][10] = { AT(1, 1), AT(1, 2), AT(1, 3), AT(2, 1), AT(2, 2), AT(2, 3) };
static const uint32_t trap_value[] = { 1, 3, 6, 1, 4, 1 };

static struct fake_instance instances[6];
static struct mib_store store;
static struct ax_buf request, response;

static void setup(void)
{
	const struct mib_value values[] = {
		mib_value_integer(-5),
		mib_value_octets("abc", 3),
		mib_value_oid(trap_value, LEN(trap_value)),
		mib_value_unsigned(4294967295u),
		mib_value_counter64(1ull << 63),
		mib_value_integer(0),
	};

	memset(&store, 0, sizeof(store));
	for (size_t i = 0; i < LEN(instances); i++)
		instances[i] = (struct fake_instance){ oids[i], 10, values[i],
						       i == 5 ? MIB_GEN_ERR : MIB_OK };
	store.instances = instances;
	store.n_instances = 5;
	ax_buf_init(&request, AX_PDU_MAX);
	ax_buf_init(&response, AX_PDU_MAX);
}

static void teardown(void)
{
	ax_buf_fini(&request);
	ax_buf_fini(&response);
}

static void begin(uint8_t type, const struct ax_span *context)
{
	const struct ax_header h = { .type = type, .flags = AX_NETWORK_BYTE_ORDER,
				     .session_id = 3, .transaction_id = 4, .packet_id = 5 };

	ax_buf_cut(&request, 0);
	ax_pdu_begin(&request, &h, context);
}

static void parse(struct ax_buf *b, struct ax_pdu *p)
{
	struct ax_header h;

	ck_assert_int_eq(ax_frame_next(b->data, b->len, &h), AX_FRAME_PDU);
	ck_assert_uint_eq(AX_HEADER_SIZE + h.payload_len, b->len);
	ck_assert(ax_pdu_parse(&h, b->data + AX_HEADER_SIZE, p));
}

/** Answers the request. */
static void answer(struct ax_pdu *out)
{
	struct ax_pdu p;

	ck_assert(ax_pdu_end(&request, 0));
	parse(&request, &p);
	ax_buf_cut(&response, 0);
	ax_answer_read(&store, &p, &response);
	parse(&response, out);
	ck_assert_uint_eq(out->h.type, AX_RESPONSE);
	ck_assert_uint_eq(out->h.session_id, 3);
	ck_assert_uint_eq(out->h.transaction_id, 4);
	ck_assert_uint_eq(out->h.packet_id, 5);
	ck_assert_uint_eq(out->h.flags, AX_NETWORK_BYTE_ORDER);
}

/** One expected VarBind: "1.2" is the variable's column and row, or "=" the name asked for. */
static void expect(struct ax_reader *r, uint16_t type, const uint32_t *name, size_t len)
{
	struct ax_varbind vb;

	ck_assert(ax_read_varbind(r, &vb));
	ck_assert_uint_eq(vb.type, type);
	ck_assert_uint_eq(vb.name.len, len);
	ck_assert_mem_eq(vb.name.ids, name, len * sizeof(*name));
}

START_TEST(test_get_gives_values_and_exceptions_in_the_order_asked)
{
	static const uint32_t no_row[] = AT(1, 4);
	static const uint32_t no_column[] = { 1, 3, 6, 1, 2, 1, 154 };
	struct ax_pdu p;
	struct ax_reader r;

	begin(AX_GET, NULL);
	for (size_t i = 5; i-- > 0;)
		ax_put_range(&request, oids[i], 10, false, NULL, 0);
	ax_put_range(&request, no_row, 10, false, NULL, 0);
	ax_put_range(&request, no_column, 7, false, NULL, 0);
	answer(&p);
	ck_assert_uint_eq(p.response.error, 0);
	ck_assert_uint_eq(p.n_items, 7);
	ax_pdu_list(&p, &r);
	expect(&r, AX_COUNTER64, oids[4], 10);
	expect(&r, AX_GAUGE32, oids[3], 10);
	expect(&r, AX_OBJECT_IDENTIFIER, oids[2], 10);
	expect(&r, AX_OCTET_STRING, oids[1], 10);
	expect(&r, AX_INTEGER, oids[0], 10);
	expect(&r, AX_NO_SUCH_INSTANCE, no_row, 10);
	expect(&r, AX_NO_SUCH_OBJECT, no_column, 7);
}
END_TEST

START_TEST(test_get_with_a_failing_variable_is_gen_err_without_varbinds)
{
	struct ax_pdu p;

	store.n_instances = 6;
	begin(AX_GET, NULL);
	ax_put_range(&request, oids[0], 10, false, NULL, 0);
	ax_put_range(&request, oids[5], 10, false, NULL, 0);
	ax_put_range(&request, oids[1], 10, false, NULL, 0);
	answer(&p);
	ck_assert_uint_eq(p.response.error, AX_SNMP_GEN_ERR);
	ck_assert_uint_eq(p.response.index, 2);
	ck_assert_uint_eq(p.n_items, 0);
}
END_TEST

START_TEST(test_get_next_honours_include_and_end)
{
	static const uint32_t column[] = { 1, 3, 6, 1, 2, 1, 153, 9, 1 };
	static const uint32_t column_end[] = { 1, 3, 6, 1, 2, 1, 153, 9, 2 };
	struct ax_pdu p;
	struct ax_reader r;

	begin(AX_GET_NEXT, NULL);
	ax_put_range(&request, oids[0], 10, false, NULL, 0);
	ax_put_range(&request, oids[0], 10, true, NULL, 0);
	ax_put_range(&request, column, 9, false, column_end, 9);
	ax_put_range(&request, oids[2], 10, false, column_end, 9);
	ax_put_range(&request, oids[2], 10, false, NULL, 0);
	ax_put_range(&request, oids[4], 10, false, NULL, 0);
	ax_put_range(&request, oids[1], 10, false, oids[2], 10);
	ax_put_range(&request, NULL, 0, false, NULL, 0);
	answer(&p);
	ck_assert_uint_eq(p.n_items, 8);
	ax_pdu_list(&p, &r);
	expect(&r, AX_OCTET_STRING, oids[1], 10);
	expect(&r, AX_INTEGER, oids[0], 10);
	expect(&r, AX_INTEGER, oids[0], 10);
	expect(&r, AX_END_OF_MIB_VIEW, oids[2], 10);
	expect(&r, AX_GAUGE32, oids[3], 10);
	expect(&r, AX_END_OF_MIB_VIEW, oids[4], 10);
	expect(&r, AX_END_OF_MIB_VIEW, oids[1], 10);
	expect(&r, AX_INTEGER, oids[0], 10);
}
END_TEST

START_TEST(test_get_bulk_repeats_until_all_repeaters_have_ended)
{
	/* RFC 2741 7.2.3.3: an ended repeater goes on with its last name. */
	static const uint32_t first[] = { 1, 3, 6, 1, 2, 1, 153, 9, 1 };
	static const uint32_t second[] = { 1, 3, 6, 1, 2, 1, 153, 9, 2 };
	struct ax_pdu p;
	struct ax_reader r;

	begin(AX_GET_BULK, NULL);
	ax_put_bulk(&request, 1, 100);
	ax_put_range(&request, oids[3], 10, true, NULL, 0);
	ax_put_range(&request, first, 9, true, second, 9);
	ax_put_range(&request, second, 9, true, NULL, 0);
	answer(&p);
	ck_assert_uint_eq(p.n_items, 1 + 4 * 2);
	ax_pdu_list(&p, &r);
	expect(&r, AX_GAUGE32, oids[3], 10);
	expect(&r, AX_INTEGER, oids[0], 10);
	expect(&r, AX_GAUGE32, oids[3], 10);
	expect(&r, AX_OCTET_STRING, oids[1], 10);
	expect(&r, AX_COUNTER64, oids[4], 10);
	expect(&r, AX_OBJECT_IDENTIFIER, oids[2], 10);
	expect(&r, AX_END_OF_MIB_VIEW, oids[4], 10);
	expect(&r, AX_END_OF_MIB_VIEW, oids[2], 10);
	expect(&r, AX_END_OF_MIB_VIEW, oids[4], 10);
}
END_TEST

START_TEST(test_get_bulk_counts_as_the_rfc_says)
{
	/* N + M * R, with M up to the four iterations there are here. */
	static const struct {
		uint16_t non_repeaters, max_repetitions;
		size_t ranges, answers;
	} cases[] = {
		{ 0, 0, 3, 0 },	  { 0, 1, 3, 3 },  { 0, 2, 3, 6 },     { 1, 2, 3, 5 },
		{ 3, 5, 3, 3 },	  { 9, 5, 3, 3 },  { 0, 65535, 1, 6 }, { 2, 0, 3, 2 },
		{ 0, 5, 0, 0 },
	};
	static const uint32_t first[] = { 1, 3, 6, 1, 2, 1, 153 };
	struct ax_pdu p;

	for (size_t i = 0; i < LEN(cases); i++) {
		begin(AX_GET_BULK, NULL);
		ax_put_bulk(&request, cases[i].non_repeaters, cases[i].max_repetitions);
		for (size_t n = 0; n < cases[i].ranges; n++)
			ax_put_range(&request, first, 7, false, NULL, 0);
		answer(&p);
		ck_assert_uint_eq(p.response.error, 0);
		ck_assert_msg(p.n_items == cases[i].answers, "case %zu: %zu", i, p.n_items);
	}
}
END_TEST

START_TEST(test_get_bulk_names_the_repeater_that_fails)
{
	struct ax_pdu p;

	store.n_instances = 6;
	begin(AX_GET_BULK, NULL);
	ax_put_bulk(&request, 1, 10);
	ax_put_range(&request, oids[0], 10, false, NULL, 0);
	ax_put_range(&request, oids[0], 10, false, NULL, 0);
	ax_put_range(&request, oids[2], 10, false, NULL, 0);
	answer(&p);
	ck_assert_uint_eq(p.response.error, AX_SNMP_GEN_ERR);
	ck_assert_uint_eq(p.response.index, 3);
}
END_TEST

START_TEST(test_get_bulk_stops_at_a_size_a_message_can_carry)
{
	static uint32_t rows[5000][10];
	static struct fake_instance many[5000];
	struct ax_pdu p;

	for (uint32_t i = 0; i < LEN(rows); i++) {
		memcpy(rows[i], oids[0], sizeof(rows[i]));
		rows[i][9] = i + 1;
		many[i] = (struct fake_instance){ rows[i], 10, mib_value_integer(1), MIB_OK };
	}
	store.instances = many;
	store.n_instances = LEN(many);
	begin(AX_GET_BULK, NULL);
	ax_put_bulk(&request, 0, 65535);
	ax_put_range(&request, oids[0], 8, false, NULL, 0);
	answer(&p);
	ck_assert_uint_eq(p.response.error, 0);
	ck_assert_uint_gt(p.n_items, 1000);
	ck_assert_uint_lt(response.len, AX_BULK_SOFT_MAX + 100);
}
END_TEST

START_TEST(test_an_answer_too_large_for_a_pdu_is_gen_err)
{
	static uint8_t octets[65535];
	struct ax_pdu p;

	instances[0].value = mib_value_octets(octets, sizeof(octets));
	begin(AX_GET, NULL);
	for (int i = 0; i < 17; i++)
		ax_put_range(&request, oids[0], 10, false, NULL, 0);
	answer(&p);
	ck_assert_uint_eq(p.response.error, AX_SNMP_GEN_ERR);
	ck_assert_uint_eq(p.response.index, 16);
	ck_assert_uint_eq(p.n_items, 0);
}
END_TEST

START_TEST(test_another_context_has_no_variables)
{
	static const struct ax_span context = { (const uint8_t *)"blue", 4 };
	static const struct ax_span empty = { (const uint8_t *)"", 0 };
	const struct ax_span *const contexts[] = { &context, &empty };
	struct ax_pdu p;
	struct ax_reader r;

	begin(AX_GET, contexts[_i]);
	ax_put_range(&request, oids[0], 10, false, NULL, 0);
	answer(&p);
	ax_pdu_list(&p, &r);
	expect(&r, AX_NO_SUCH_OBJECT, oids[0], 10);
	begin(AX_GET_NEXT, contexts[_i]);
	ax_put_range(&request, oids[0], 10, false, NULL, 0);
	answer(&p);
	ax_pdu_list(&p, &r);
	expect(&r, AX_END_OF_MIB_VIEW, oids[0], 10);
	begin(AX_GET_BULK, contexts[_i]);
	ax_put_bulk(&request, 0, 10);
	ax_put_range(&request, oids[0], 10, false, NULL, 0);
	answer(&p);
	ck_assert_uint_eq(p.n_items, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agentx/answer");
	TCase *tc = tcase_create("answer");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_get_gives_values_and_exceptions_in_the_order_asked);
	tcase_add_test(tc, test_get_with_a_failing_variable_is_gen_err_without_varbinds);
	tcase_add_test(tc, test_get_next_honours_include_and_end);
	tcase_add_test(tc, test_get_bulk_repeats_until_all_repeaters_have_ended);
	tcase_add_test(tc, test_get_bulk_counts_as_the_rfc_says);
	tcase_add_test(tc, test_get_bulk_names_the_repeater_that_fails);
	tcase_add_test(tc, test_get_bulk_stops_at_a_size_a_message_can_carry);
	tcase_add_test(tc, test_an_answer_too_large_for_a_pdu_is_gen_err);
	tcase_add_loop_test(tc, test_another_context_has_no_variables, 0, 2);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_ENV);

	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
