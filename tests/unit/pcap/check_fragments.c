/*
 * tests/unit/pcap/check_fragments.c - messages of IKE in pieces: put together in whatever order they come, what lacks
 * named, what is too much refused; and real ones, decoded. ipsp-pcap/fragments.c, ipsp-pcap/message.c
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "engine/crypto/analysis.h"
#include "ipsp-pcap/message.h"
#include "tests/unit/faults/nomem.h"
#include "tests/unit/pcap/seed.h"

#define NOT_YET "others of its message have not come yet"
#define AGAIN "it came before"
#define WAS_WHOLE "its message was put together before"
#define TOO_MANY "there are more than any message has"
#define NO_SUCH "it is not one of those that it says there are"

static struct pc_fragments *fragments;
static struct pc_whole whole;
static char losses[8192];
static char said[262144];

static void add_line(char *to, size_t size, const char *text)
{
	const size_t len = strlen(to);

	ck_assert_uint_lt(len + strlen(text) + 1, size);
	snprintf(to + len, size - len, "%s\n", text);
}

static void on_loss(void *arg, const char *text)
{
	(void)arg;
	add_line(losses, sizeof(losses), text);
}

static void setup(void)
{
	ck_assert_int_eq(ipsp_crypto_gcrypt_init(1 << 20), IPSP_OK);
	losses[0] = '\0';
	fragments = pc_fragments_new(on_loss, NULL);
	ck_assert_ptr_nonnull(fragments);
}

static void teardown(void)
{
	pc_fragments_free(fragments);
}

/* ---- pieces as the tests make them ---- */

static const uint8_t spis[] = "\0\1\2\3\4\5\6\7\x10\x11\x12\x13\x14\x15\x16\x17";

static struct ike_header header(uint8_t major, uint32_t message_id)
{
	return (struct ike_header){ .spi_i = spis, .spi_r = spis + IKE_SPI_LEN, .major = major,
				    .exchange = IKE_EXCHANGE_IKE_AUTH, .message_id = message_id };
}

static const char *add(const struct ike_header *h, struct pc_fragment piece, const char *octets)
{
	piece.header = h;
	piece.octets = (struct ipsp_span){ (const uint8_t *)octets, strlen(octets) };
	return pc_fragments_add(fragments, &piece, &whole);
}

/* IKEv2: piece number of total, of the message of that ID. */
static const char *add_v2(uint32_t id, unsigned number, unsigned total, const char *octets)
{
	const struct ike_header h = header(2, id);

	return add(&h, (struct pc_fragment){ .number = (uint16_t)number, .total = (uint16_t)total,
					     .first_payload = number == 1 ? 35 : 0 }, octets);
}

/* IKEv1: of fragment ID 1, as strongSwan has it. */
static const char *add_v1(unsigned number, bool last, const char *octets)
{
	const struct ike_header h = header(1, 0);

	return add(&h, (struct pc_fragment){ .id = 1, .number = (uint16_t)number,
					     .total = (uint16_t)(last ? number : 0) }, octets);
}

static void is_whole(const char *why, const char *octets)
{
	ck_assert_msg(!why, "%s", why);
	ck_assert_uint_eq(whole.octets.len, strlen(octets));
	ck_assert_mem_eq(whole.octets.data, octets, strlen(octets));
}

static void is_not(const char *why, const char *expected)
{
	ck_assert_ptr_nonnull(why);
	ck_assert_str_eq(why, expected);
}

static void lost(const char *expected)
{
	ck_assert_str_eq(losses, expected);
	losses[0] = '\0';
}

START_TEST(test_pieces_make_the_same_message_in_every_order)
{
	static const uint8_t orders[][3] = { { 1, 2, 3 }, { 1, 3, 2 }, { 2, 1, 3 },
					     { 2, 3, 1 }, { 3, 1, 2 }, { 3, 2, 1 } };
	static const char *const octets[] = { "first ", "second ", "third" };

	for (uint32_t i = 0; i < 6; i++) {
		for (unsigned at = 0; at < 2; at++)
			is_not(add_v2(i, orders[i][at], 3, octets[orders[i][at] - 1]), NOT_YET);
		is_whole(add_v2(i, orders[i][2], 3, octets[orders[i][2] - 1]), "first second third");
		ck_assert_uint_eq(whole.first_payload, 35);
		for (unsigned at = 0; at < 2; at++)
			is_not(add_v1(orders[i][at], orders[i][at] == 3, octets[orders[i][at] - 1]),
			       NOT_YET);
		is_whole(add_v1(orders[i][2], orders[i][2] == 3, octets[orders[i][2] - 1]),
			 "first second third");
	}
	pc_fragments_end(fragments);
	lost("");
}
END_TEST

START_TEST(test_a_piece_that_comes_again_changes_nothing)
{
	is_not(add_v2(1, 1, 2, "one"), NOT_YET);
	is_not(add_v2(1, 1, 2, "one"), AGAIN);
	is_whole(add_v2(1, 2, 2, "two"), "onetwo");
	is_not(add_v2(1, 1, 2, "one"), WAS_WHOLE);
	is_not(add_v2(1, 2, 2, "two"), WAS_WHOLE);
	is_not(add_v1(2, true, "two"), NOT_YET);
	is_not(add_v1(2, true, "two"), AGAIN);
	is_whole(add_v1(1, false, "one"), "onetwo");
	pc_fragments_end(fragments);
	lost("");
}
END_TEST

START_TEST(test_who_sent_it_and_which_message_it_is_keep_pieces_apart)
{
	const struct ike_header one = header(1, 0), request = header(2, 1);
	struct ike_header answer = request;
	const struct ipsp_addr a = { .family = 4, .octets = { 192, 0, 2, 1 } };
	const struct ipsp_addr b = { .family = 4, .octets = { 192, 0, 2, 2 } };

	answer.flags = IKE_FLAG_RESPONSE;
	is_not(add(&one, (struct pc_fragment){ .src = a, .id = 1, .number = 1 }, "of a"), NOT_YET);
	is_not(add(&one, (struct pc_fragment){ .src = b, .id = 1, .number = 1 }, "of b"), NOT_YET);
	is_not(add(&one, (struct pc_fragment){ .src = a, .id = 2, .number = 1 }, "other"), NOT_YET);
	is_not(add(&request, (struct pc_fragment){ .number = 1, .total = 2 }, "request"), NOT_YET);
	is_not(add(&answer, (struct pc_fragment){ .number = 1, .total = 2 }, "answer"), NOT_YET);
	is_not(add_v2(1, 1, 3, "cut anew"), NOT_YET);
	is_not(add_v2(2, 1, 2, "next"), NOT_YET);
	is_whole(add(&one, (struct pc_fragment){ .src = b, .id = 1, .number = 2, .total = 2 }, "!"),
		 "of b!");
	is_whole(add(&one, (struct pc_fragment){ .src = a, .id = 1, .number = 2, .total = 2 }, "!"),
		 "of a!");
	is_whole(add(&answer, (struct pc_fragment){ .number = 2, .total = 2 }, "!"), "answer!");
	is_whole(add(&request, (struct pc_fragment){ .number = 2, .total = 2 }, "!"), "request!");
}
END_TEST

START_TEST(test_an_id_of_ikev1_that_is_used_again_begins_another_message)
{
	is_not(add_v1(1, false, "main 5, "), NOT_YET);
	is_not(add_v1(3, true, "end"), NOT_YET);
	is_not(add_v1(1, false, "main 6, "), NOT_YET);
	lost("IKEv1 message ID 0 of 0001020304050607, 1011121314151617 lacks fragments 2 of 3\n");
	is_whole(add_v1(2, true, "end"), "main 6, end");
	is_not(add_v1(3, false, "three"), NOT_YET);
	is_not(add_v1(2, true, "a last one before it"), NOT_YET);
	lost("IKEv1 message ID 0 of 0001020304050607, 1011121314151617 lacks fragments 1 to 2 and all behind 3\n");
	is_not(add_v1(4, true, "behind the last one"), NOT_YET);
	lost("IKEv1 message ID 0 of 0001020304050607, 1011121314151617 lacks fragments 1 of 2\n");
}
END_TEST

START_TEST(test_what_lacks_is_named_at_the_end_in_the_order_of_its_beginning)
{
	is_not(add_v2(7, 3, 9, "x"), NOT_YET);
	is_not(add_v1(2, false, "x"), NOT_YET);
	is_not(add_v2(7, 8, 9, "x"), NOT_YET);
	for (unsigned i = 1; i < 40; i += 2)
		is_not(add_v2(8, i, 40, "x"), NOT_YET);
	pc_fragments_end(fragments);
	lost("IKEv2 message ID 7 of 0001020304050607, 1011121314151617 lacks fragments 1 to 2, 4 to 7, 9 of 9\n"
	     "IKEv1 message ID 0 of 0001020304050607, 1011121314151617 lacks fragments 1 and all behind 2\n"
	     "IKEv2 message ID 8 of 0001020304050607, 1011121314151617 lacks fragments 2, 4, 6, 8, 10, 12, 14, 16 and more\n");
	pc_fragments_end(fragments);
	lost("");
}
END_TEST

START_TEST(test_numbers_that_cannot_be_are_refused)
{
	is_not(add_v2(1, 0, 2, "x"), NO_SUCH);
	is_not(add_v2(1, 3, 2, "x"), NO_SUCH);
	is_not(add_v2(1, PC_FRAGMENTS_MAX + 1, 65535, "x"), TOO_MANY);
	is_not(add_v2(1, 1, PC_FRAGMENTS_MAX + 1, "x"), TOO_MANY);
	is_not(add_v2(1, PC_FRAGMENTS_MAX, PC_FRAGMENTS_MAX, "x"), NOT_YET);
	is_not(add_v1(0, true, "x"), NO_SUCH);
}
END_TEST

START_TEST(test_a_message_is_not_longer_than_a_datagram)
{
	static char octets[32769];

	memset(octets, 'x', sizeof(octets) - 1);
	is_not(add_v2(1, 1, 3, octets), NOT_YET);
	is_not(add_v2(1, 2, 3, octets), "it would be longer than any message");
	octets[sizeof(octets) - 2] = '\0';
	is_not(add_v2(1, 2, 3, octets), NOT_YET);
	is_not(add_v2(1, 3, 3, "x"), "it would be longer than any message");
	ck_assert_ptr_null(add_v2(1, 3, 3, ""));
	ck_assert_uint_eq(whole.octets.len, 65535);
}
END_TEST

START_TEST(test_of_too_many_messages_one_that_is_whole_gives_way_and_then_the_one_that_rested_longest)
{
	is_not(add_v2(0, 1, 2, "x"), NOT_YET);
	is_whole(add_v2(1, 1, 1, "x"), "x");
	for (uint32_t id = 2; id <= PC_FRAGMENTED_MAX; id++)
		is_not(add_v2(id, 1, 2, "x"), NOT_YET);
	lost("");
	is_not(add_v2(0, 1, 2, "x"), AGAIN);
	is_not(add_v2(1000, 1, 2, "x"), NOT_YET);
	lost("IKEv2 message ID 2 of 0001020304050607, 1011121314151617 lacks fragments 2 of 2\n");
	is_whole(add_v2(0, 2, 2, "y"), "xy");
	is_not(add_v2(2, 1, 2, "x"), NOT_YET);
	lost("");
}
END_TEST

START_TEST(test_without_memory_a_piece_is_as_if_it_had_not_come)
{
	const char *why = NULL;
	unsigned long n = 0;

	nomem_arm(NOMEM_OURS, NOMEM_ONCE, 1);
	ck_assert_ptr_null(pc_fragments_new(on_loss, NULL));
	nomem_disarm();
	do {
		nomem_arm(NOMEM_OURS, NOMEM_ONCE, ++n);
		why = add_v2(1, 1, 2, "one");
		nomem_disarm();
		if (nomem_happened())
			is_not(why, "out of memory");
	} while (nomem_happened());
	ck_assert_uint_gt(n, 2);
	is_not(why, NOT_YET);
	is_whole(add_v2(1, 2, 2, "two"), "onetwo");
}
END_TEST

/* ---- real ones ---- */

static struct seed seed;
static struct pc_ike_keys *keys;

static void on_line(void *arg, const char *text)
{
	(void)arg;
	add_line(said, sizeof(said), text);
}

static void load(const char *name)
{
	static char table[sizeof(seed.table)];
	struct pc_diag diag = { 0 };

	seed_read(name, &seed);
	memcpy(table, seed.table, sizeof(table));
	ck_assert_msg(pc_ike_keys_parse(table, strlen(table), "table", false, &keys, &diag), "%s",
		      diag.text);
	said[0] = '\0';
}

/* The initiator's and the responder's cookies alone do not say whose IKEv1's fragment is. */
static bool decode_from(const struct ipsp_addr *src, size_t i)
{
	const struct pc_decoder d = { .line = on_line, .keys = keys, .fragments = fragments };

	return pc_decode_message(&d, src, seed.messages[i]);
}

static bool decode(size_t i)
{
	static const struct ipsp_addr any;

	return decode_from(&any, i);
}

static unsigned count(const char *what)
{
	unsigned n = 0;

	for (const char *at = strstr(said, what); at; at = strstr(at + 1, what))
		n++;
	return n;
}

START_TEST(test_what_two_strongswans_cut_is_read_whole_in_any_order)
{
	load("fragments");
	for (size_t i = 0; i < seed.n; i++)
		ck_assert(decode(i));
	ck_assert_uint_eq(count("Put together ("), 6);
	ck_assert_uint_eq(count("Not put together"), 8);
	ck_assert_uint_eq(count("Identification: \"router-a.example\""), 1);
	ck_assert_uint_eq(count("Identification: \"router-b.example\""), 1);
	ck_assert_uint_eq(count("Payload TSr"), 6);
	pc_ike_keys_free(keys);
	teardown();
	setup();
	load("fragments");
	for (size_t i = seed.n; i > 0; i--)
		ck_assert(decode(i - 1));
	ck_assert_uint_eq(count("Put together ("), 6);
	ck_assert_uint_eq(count("Payload TSr"), 6);
	for (size_t i = 0; i < seed.n; i++)
		ck_assert(decode(i));
	ck_assert_uint_eq(count("Put together ("), 6);
	pc_fragments_end(fragments);
	lost("");
	pc_ike_keys_free(keys);
}
END_TEST

START_TEST(test_pieces_that_stay_closed_are_not_put_together)
{
	load("fragments");
	pc_ike_keys_free(keys);
	keys = NULL;
	for (size_t i = 0; i < seed.n; i++)
		ck_assert(decode(i));
	ck_assert_uint_eq(count("Encrypted: no keys were given"), 20);
	ck_assert_uint_eq(count("ut together"), 0);
	pc_fragments_end(fragments);
	lost("");
}
END_TEST

START_TEST(test_a_lost_piece_leaves_its_message_unread_and_no_other)
{
	load("fragments");
	for (size_t i = 0; i < seed.n; i++)
		ck_assert(i == 3 || decode(i));
	ck_assert_uint_eq(count("Put together ("), 5);
	ck_assert_uint_eq(count("Identification: \"router-a.example\""), 0);
	pc_fragments_end(fragments);
	ck_assert_ptr_nonnull(strstr(losses, "IKEv2 message ID 1 of "));
	ck_assert_ptr_nonnull(strstr(losses, " lacks fragments 2 of 3\n"));
	pc_ike_keys_free(keys);
}
END_TEST

START_TEST(test_messages_of_ikev1_are_put_together_before_they_are_opened)
{
	/* Main mode's third and fourth message, which make the first IV, are three pieces each. */
	static const uint8_t order[] = { 0, 1, 4, 5, 2, 3, 7, 6, 8, 9, 11, 10, 13, 12, 14 };
	static const struct ipsp_addr a = { .family = 4 }, b = { .family = 6 };

	load("fragments-main");
	for (size_t i = 0; i < sizeof(order); i++)
		ck_assert(decode_from(order[i] >= 5 && order[i] <= 7 ? &b : &a, order[i]));
	ck_assert_uint_eq(count("Put together ("), 4);
	ck_assert_uint_eq(count("Not put together: " NOT_YET), 6);
	ck_assert_uint_eq(count("Decrypted ("), 5);
	ck_assert_uint_eq(count("Identification: \"router-a.example\""), 1);
	ck_assert_uint_eq(count("Identification: \"router-b.example\""), 1);
	ck_assert_uint_eq(count("ATTR: Encapsulation Mode"), 2);
	pc_ike_keys_free(keys);
}
END_TEST

START_TEST(test_a_message_in_pieces_is_not_a_piece_again)
{
	static const struct ipsp_addr any;
	const struct pc_decoder d = { .line = on_line, .fragments = fragments };
	uint8_t inner[IKE_HEADER_LEN + 8] = { 1, [16] = IKE_V1_PAYLOAD_FRAGMENT, 0x10, IKE_V1_EXCHANGE_AGGRESSIVE };
	uint8_t outer[IKE_HEADER_LEN + 8 + sizeof(inner)];

	said[0] = '\0';
	inner[27] = sizeof(inner);
	memcpy(inner + IKE_HEADER_LEN, "\0\0\0\x08\0\1\1\1", 8);
	memcpy(outer, inner, sizeof(inner));
	memcpy(outer + sizeof(inner), inner, sizeof(inner));
	outer[27] = sizeof(outer);
	outer[IKE_HEADER_LEN + 3] = 8 + sizeof(inner);
	ck_assert(pc_decode_message(&d, &any, (struct ipsp_span){ outer, sizeof(outer) }));
	ck_assert_uint_eq(count("Put together (36 octets)"), 1);
	ck_assert_uint_eq(count("Payload FRAGMENT"), 2);
	ck_assert_uint_eq(count("ut together"), 1);
	outer[sizeof(inner) + 27]++;
	ck_assert(!pc_decode_message(&d, &any, (struct ipsp_span){ outer, sizeof(outer) }));
	ck_assert_uint_eq(count("FAULT at 0018: the header's length is not that of what came"), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fragments");
	TCase *tc = tcase_create("fragments");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_pieces_make_the_same_message_in_every_order);
	tcase_add_test(tc, test_a_piece_that_comes_again_changes_nothing);
	tcase_add_test(tc, test_who_sent_it_and_which_message_it_is_keep_pieces_apart);
	tcase_add_test(tc, test_an_id_of_ikev1_that_is_used_again_begins_another_message);
	tcase_add_test(tc, test_what_lacks_is_named_at_the_end_in_the_order_of_its_beginning);
	tcase_add_test(tc, test_numbers_that_cannot_be_are_refused);
	tcase_add_test(tc, test_a_message_is_not_longer_than_a_datagram);
	tcase_add_test(tc, test_of_too_many_messages_one_that_is_whole_gives_way_and_then_the_one_that_rested_longest);
	tcase_add_test(tc, test_without_memory_a_piece_is_as_if_it_had_not_come);
	tcase_add_test(tc, test_what_two_strongswans_cut_is_read_whole_in_any_order);
	tcase_add_test(tc, test_pieces_that_stay_closed_are_not_put_together);
	tcase_add_test(tc, test_a_lost_piece_leaves_its_message_unread_and_no_other);
	tcase_add_test(tc, test_messages_of_ikev1_are_put_together_before_they_are_opened);
	tcase_add_test(tc, test_a_message_in_pieces_is_not_a_piece_again);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
