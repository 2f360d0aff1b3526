/* tests/unit/ipspd/check_sad_picture.c - SAs of key managers as the agent knows them. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/messages.h"
#include "ipspd/sad_picture.h"
#include "mibs/value.h"

static struct sad_picture *picture;

static void setup(void)
{
	picture = sad_picture_new();
	ck_assert_ptr_nonnull(picture);
}

static void teardown(void)
{
	sad_picture_free(picture);
}

static struct wire_sad_sa sa_of(uint64_t id, enum ipsp_dir dir)
{
	return (struct wire_sad_sa){
		.stats = { .id = id, .counter_id = id, .spi = 0x1000 + (uint32_t)id,
			   .dir = (uint8_t)dir, .state = 2, .packets = id },
		.origin = IPSP_ORIGIN_PFKEY, .proto = IPSP_PROTO_ESP, .mode = IPSP_MODE_TUNNEL,
	};
}

static void take(uint64_t id, enum ipsp_dir dir, const char *name)
{
	const struct wire_sad_sa sa = sa_of(id, dir);

	ck_assert(sad_picture_take(picture, &sa, name, 50));
}

START_TEST(test_sas_stand_in_the_order_of_their_indexes)
{
	uint32_t before[SAD_PICTURE_INDEX_MAX] = { 0 }, index[SAD_PICTURE_INDEX_MAX];
	const struct sad_picture_sa *sa;
	size_t before_len = 0, n = 0;

	sad_picture_begin(picture);
	for (uint64_t id = 2000; id > 0; id--)
		take(id, id % 2 ? IPSP_INBOUND : IPSP_OUTBOUND,
		     id % 5 == 0 ? "zz" : id % 5 == 1 ? "a" : "PF_KEY");
	sad_picture_end(picture);
	while ((sa = sad_picture_after(picture, before, before_len))) {
		const size_t len = sad_picture_index(sa, index);

		ck_assert_int_lt(mib_oid_cmp(before, before_len, index, len), 0);
		ck_assert_ptr_eq(sad_picture_at(picture, index, len), sa);
		ck_assert_uint_eq(sa->number, SAD_PICTURE_NUMBERS + sa->sa.stats.id);
		/* The beginning of an index comes before it, and is none. */
		ck_assert_ptr_null(sad_picture_at(picture, index, len - 1));
		memcpy(before, index, sizeof(before));
		before_len = len;
		n++;
	}
	ck_assert_uint_eq(n, 2000);
	ck_assert_uint_eq(sad_picture_count(picture), 2000);
}
END_TEST

START_TEST(test_what_a_walk_has_not_seen_is_gone)
{
	const uint32_t index[] = { 1, 'a', IPSP_INBOUND, SAD_PICTURE_NUMBERS + 7 };

	sad_picture_begin(picture);
	for (uint64_t id = 1; id <= 10; id++)
		take(id, IPSP_INBOUND, "a");
	sad_picture_end(picture);
	sad_picture_begin(picture);
	take(7, IPSP_INBOUND, "a");
	take(11, IPSP_INBOUND, "a");
	ck_assert_uint_eq(sad_picture_count(picture), 11);
	sad_picture_end(picture);
	ck_assert_uint_eq(sad_picture_count(picture), 2);
	ck_assert_uint_eq(sad_picture_at(picture, index, 4)->sa.stats.id, 7);
	sad_picture_begin(picture);
	sad_picture_end(picture);
	ck_assert_uint_eq(sad_picture_count(picture), 0);
	ck_assert_ptr_null(sad_picture_after(picture, NULL, 0));
}
END_TEST

START_TEST(test_an_sa_that_has_another_name_stands_there_alone)
{
	const uint32_t a[] = { 1, 'a', IPSP_INBOUND, SAD_PICTURE_NUMBERS + 7 };
	const uint32_t b[] = { 1, 'b', IPSP_INBOUND, SAD_PICTURE_NUMBERS + 7 };

	sad_picture_begin(picture);
	take(7, IPSP_INBOUND, "a");
	take(7, IPSP_INBOUND, "b");
	sad_picture_end(picture);
	ck_assert_ptr_null(sad_picture_at(picture, a, 4));
	ck_assert_ptr_nonnull(sad_picture_at(picture, b, 4));
	ck_assert_uint_eq(sad_picture_count(picture), 1);
	sad_picture_clear(picture);
	ck_assert_uint_eq(sad_picture_count(picture), 0);
	ck_assert_ptr_null(sad_picture_at(picture, b, 4));
}
END_TEST

/* ---- as octets ---- */

static uint8_t octets[CHAN_PAYLOAD_MAX];

static bool reads(struct wire_sad_sa *sas, size_t n_sas, size_t cut, size_t *n)
{
	struct chan_writer w = { .data = octets, .size = sizeof(octets) };
	uint32_t serial;
	bool more;

	sad_wire_put(&w, 77, true, sas, n_sas);
	ck_assert(!w.overflow);
	const struct chan_msg m = { .type = MSG_SAD_SAS, .data = octets, .len = w.len - cut };

	if (!sad_wire_read(&m, &serial, &more, sas, n))
		return false;
	ck_assert_uint_eq(serial, 77);
	ck_assert(more);
	return true;
}

START_TEST(test_a_full_message_of_the_longest_fits_and_reads_the_same)
{
	static struct wire_sad_sa sas[SAD_WIRE_SAS_MAX], before[SAD_WIRE_SAS_MAX];
	size_t n;

	for (size_t i = 0; i < SAD_WIRE_SAS_MAX; i++) {
		sas[i] = sa_of(i + 1, IPSP_OUTBOUND);
		sas[i].esn = sas[i].in_udp = true;
		sas[i].window_pkts = 64;
		sas[i].local = sas[i].remote = (struct ipsp_addr){ 6, { 0x20, 1, [15] = 9 } };
		ipsp_selector_any(6, &sas[i].sel);
		sas[i].life_s = 1;
		sas[i].life_use_s = 2;
		sas[i].life_bytes = 3;
		sas[i].life_packets = 4;
		sas[i].soft_s = 5;
		sas[i].soft_use_s = 6;
		sas[i].soft_bytes = 7;
		sas[i].soft_packets = 8;
		sas[i].idle_s = 9;
	}
	memcpy(before, sas, sizeof(before));
	ck_assert(reads(sas, SAD_WIRE_SAS_MAX, 0, &n));
	ck_assert_uint_eq(n, SAD_WIRE_SAS_MAX);
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(sas[i].stats.id, before[i].stats.id);
		ck_assert_uint_eq(sas[i].idle_s, 9);
		ck_assert_uint_eq(sas[i].soft_bytes, 7);
		ck_assert(sas[i].esn && sas[i].in_udp);
		ck_assert_int_eq(ipsp_addr_cmp(&sas[i].remote, &before[i].remote), 0);
		ck_assert(ipsp_selector_valid(&sas[i].sel));
	}
	ck_assert(!reads(sas, SAD_WIRE_SAS_MAX, 1, &n));
}
END_TEST

START_TEST(test_what_cannot_be_is_refused)
{
	static struct wire_sad_sa sas[SAD_WIRE_SAS_MAX];
	size_t n;

	sas[0] = sa_of(1, IPSP_INBOUND);
	ck_assert(reads(sas, 1, 0, &n));
	sas[0].origin = IPSP_ORIGIN_POLICY;
	ck_assert(!reads(sas, 1, 0, &n));
	sas[0] = sa_of(1, (enum ipsp_dir)3);
	ck_assert(!reads(sas, 1, 0, &n));
	sas[0] = sa_of(0, IPSP_INBOUND);
	ck_assert(!reads(sas, 1, 0, &n));
	sas[0] = sa_of(1, IPSP_INBOUND);
	sas[0].proto = 6;
	ck_assert(!reads(sas, 1, 0, &n));
	sas[0] = sa_of(1, IPSP_INBOUND);
	sas[0].stats.state = 5;
	ck_assert(!reads(sas, 1, 0, &n));
	sas[0] = sa_of(1, IPSP_INBOUND);
	sas[0].origin = IPSP_ORIGIN_CLEAR;
	ck_assert(!reads(sas, 1, 0, &n));
	sas[0].proto = sas[0].mode = 0;
	ck_assert(reads(sas, 1, 0, &n));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ipspd/sad_picture");
	TCase *tc = tcase_create("sad_picture");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);	/* a busy machine is no failure */
	tcase_add_test(tc, test_sas_stand_in_the_order_of_their_indexes);
	tcase_add_test(tc, test_what_a_walk_has_not_seen_is_gone);
	tcase_add_test(tc, test_an_sa_that_has_another_name_stands_there_alone);
	tcase_add_test(tc, test_a_full_message_of_the_longest_fits_and_reads_the_same);
	tcase_add_test(tc, test_what_cannot_be_is_refused);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
