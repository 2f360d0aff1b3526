/*
 * tests/unit/pcap/check_isakmp.c - messages of IKEv1 opened with the cipher's key: what is read from the clear
 * ones, chains of IVs, and what stays closed, and why. RFC 2409 appendix B.
 *
 * The messages are a real exchange of two strongSwans (main mode, quick mode, four deletes), which tshark opens alike;
 * they are a seed of the fuzzers, too.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/endian.h>

#include "engine/crypto/analysis.h"
#include "ipsp-pcap/ike_keys.h"
#include "tests/unit/pcap/seed.h"

#define N_MESSAGES 13u
enum { MAIN_1, MAIN_2, MAIN_3, MAIN_4, MAIN_5, MAIN_6, QUICK_1, QUICK_2, QUICK_3, DELETE_1 };

static struct seed seed;
static struct ipsp_span *const messages = seed.messages;
static char *const table = seed.table;
static struct pc_ike_keys *keys;
static char said[65536];

static void load(const char *lines)
{
	static char text[512];
	struct pc_diag diag = { 0 };

	snprintf(text, sizeof(text), "%s", lines);
	ck_assert_msg(pc_ike_keys_parse(text, strlen(text), "table", false, &keys, &diag), "%s",
		      diag.text);
}

static void setup(void)
{
	ck_assert_int_eq(ipsp_crypto_gcrypt_init(1 << 20), IPSP_OK);
	seed_read("main-quick-delete", &seed);
	ck_assert_uint_eq(seed.n, N_MESSAGES);
	load(table);
}

static void teardown(void)
{
	pc_ike_keys_free(keys);
	keys = NULL;
}

static void add_line(void *arg, const char *text)
{
	const size_t len = strlen(said);

	(void)arg;
	snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

static void open_sealed(void *arg, struct ipsp_span message, const struct ike_payload *sealed,
			struct ike_opened *out)
{
	(void)arg;
	pc_ike_keys_open(keys, message, sealed, out);
}

/* What is said of one message. */
static const char *decode(unsigned i)
{
	const struct ike_decoder decoder = { .line = add_line, .open = open_sealed };

	said[0] = '\0';
	pc_ike_keys_see(keys, messages[i]);
	ck_assert(ike_decode(&decoder, messages[i]));
	return said;
}

static void opens(unsigned i, const char *what)
{
	ck_assert_msg(strstr(decode(i), "Decrypted") && strstr(said, what), "message %u: %s", i, said);
}

static void stays_closed(unsigned i, const char *why)
{
	ck_assert_msg(!strstr(decode(i), "Decrypted") && strstr(said, why), "message %u: %s", i, said);
}

static void decode_until(unsigned last)
{
	for (unsigned i = 0; i <= last; i++)
		decode(i);
}

START_TEST(test_main_quick_and_informational_messages_are_opened)
{
	decode_until(MAIN_4);
	opens(MAIN_5, "Identification: \"router-a.example\"");
	opens(MAIN_6, "Identification: \"router-b.example\"");
	opens(QUICK_1, "ATTR: Group - 31 (CURVE25519)");
	ck_assert_ptr_nonnull(strstr(said, "Identification: 10.1.0.0"));
	opens(QUICK_2, "ATTR: Encapsulation Mode - 3 (UDP_TUNNEL)");
	opens(QUICK_3, "Payload HASH");
	for (unsigned i = DELETE_1; i < N_MESSAGES; i++)
		opens(i, "Payload D");
}
END_TEST

START_TEST(test_a_message_that_comes_again_has_the_iv_that_it_had)
{
	decode_until(MAIN_1);
	decode_until(MAIN_3);	/* all the clear ones may come again as well */
	decode_until(MAIN_4);
	opens(MAIN_5, "router-a");
	opens(MAIN_5, "router-a");
	opens(MAIN_6, "router-b");
	opens(MAIN_5, "router-a");
	opens(MAIN_6, "router-b");
	opens(QUICK_1, "CURVE25519");
	opens(QUICK_2, "CURVE25519");
	opens(QUICK_1, "CURVE25519");
	opens(MAIN_6, "router-b");
	opens(QUICK_3, "Payload HASH");
	opens(QUICK_2, "CURVE25519");
}
END_TEST

START_TEST(test_a_lost_message_closes_the_next_one_of_its_exchange_alone)
{
	decode_until(MAIN_6);
	stays_closed(QUICK_2, "a message before it is not in the capture");
	opens(DELETE_1, "Payload D");
	opens(QUICK_3, "Payload HASH");
}
END_TEST

START_TEST(test_a_capture_without_its_beginning_opens_nothing)
{
	stays_closed(MAIN_5, "the capture has not how its ISAKMP SA began");
	decode(MAIN_3);
	decode(MAIN_4);
	stays_closed(MAIN_5, "the capture has not how its ISAKMP SA began");
	decode(MAIN_2);		/* what was chosen, late */
	opens(MAIN_5, "router-a");
}
END_TEST

START_TEST(test_more_exchanges_than_are_kept_push_out_the_one_that_rested_longest)
{
	uint8_t copy[512];
	const struct ipsp_span kept = messages[DELETE_1];

	decode_until(QUICK_1);
	memcpy(copy, kept.data, kept.len);
	messages[DELETE_1].data = copy;
	for (uint32_t id = 1; id <= 100; id++) {
		be32enc(copy + 20, id);
		decode(DELETE_1);
	}
	stays_closed(QUICK_2, "a message before it is not in the capture");
	messages[DELETE_1] = kept;
	opens(DELETE_1, "Payload D");
}
END_TEST

START_TEST(test_a_wrong_key_opens_nothing)
{
	char *const digit = strchr(table, ',') + 1;

	teardown();
	*digit = *digit == '0' ? '1' : '0';
	load(table);
	decode_until(MAIN_4);
	for (unsigned i = MAIN_5; i < N_MESSAGES; i++)
		stays_closed(i, "the key does not fit");
}
END_TEST

START_TEST(test_a_key_of_another_length_or_sa_opens_nothing)
{
	teardown();
	table[strlen(table) - 3] = '\0';	/* an octet less, and its line's end */
	load(table);
	decode_until(MAIN_4);
	stays_closed(MAIN_5, "its key has not its cipher's length");
	teardown();
	load("0011223344556677,00112233445566778899aabbccddeeff\n");
	decode_until(MAIN_4);
	stays_closed(MAIN_5, "the table has no key of this ISAKMP SA");
}
END_TEST

START_TEST(test_octets_that_are_no_blocks_are_not_opened)
{
	uint8_t copy[512];

	decode_until(MAIN_4);
	memcpy(copy, messages[MAIN_5].data, messages[MAIN_5].len);
	messages[MAIN_5] = (struct ipsp_span){ copy, messages[MAIN_5].len - 1 };
	be32enc(copy + 24, (uint32_t)messages[MAIN_5].len);
	stays_closed(MAIN_5, "it is not of whole blocks");
}
END_TEST

START_TEST(test_lines_of_neither_version_are_refused)
{
	static const struct {
		const char *line, *why;
	} wrong[] = {
		{ "8b110d5f64625f43", "eight fields with commas between them, or two" },
		{ "8b110d5f64625f43,00,11", "eight fields with commas between them, or two" },
		{ "8b110d5f64625f,00", "an SPI is 16 hex digits" },
		{ "8b110d5f64625f43,001", "a key is an even number of hex digits" },
		{ "8b110d5f64625f43,0x00", "a key is an even number of hex digits" },
	};
	struct pc_ike_keys *none;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct pc_diag diag = { 0 };
		char text[64];

		snprintf(text, sizeof(text), "%s", wrong[i].line);
		ck_assert(!pc_ike_keys_parse(text, strlen(text), "table", true, &none, &diag));
		ck_assert_msg(strncmp(diag.text, "table:1: ", 9) == 0 && strstr(diag.text, wrong[i].why),
			      "%s: %s", wrong[i].line, diag.text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("isakmp");
	TCase *tc = tcase_create("isakmp");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_main_quick_and_informational_messages_are_opened);
	tcase_add_test(tc, test_a_message_that_comes_again_has_the_iv_that_it_had);
	tcase_add_test(tc, test_a_lost_message_closes_the_next_one_of_its_exchange_alone);
	tcase_add_test(tc, test_a_capture_without_its_beginning_opens_nothing);
	tcase_add_test(tc, test_more_exchanges_than_are_kept_push_out_the_one_that_rested_longest);
	tcase_add_test(tc, test_a_wrong_key_opens_nothing);
	tcase_add_test(tc, test_a_key_of_another_length_or_sa_opens_nothing);
	tcase_add_test(tc, test_octets_that_are_no_blocks_are_not_opened);
	tcase_add_test(tc, test_lines_of_neither_version_are_refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
