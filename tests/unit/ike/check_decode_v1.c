/*
 * tests/unit/ike/check_decode_v1.c - payloads of IKEv1 as text that strongSwan's captures do not have: transactions,
 * fragments, attributes that are rare. ike/decode_v1.c
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/decode.h"

static char said[16384];

static void add_line(void *arg, const char *text)
{
	const size_t len = strlen(said);

	(void)arg;
	snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

/* A message of one payload, which is not encrypted. @return ike_decode's answer */
static bool decode(uint8_t exchange, uint8_t payload, const void *body, size_t len, bool hides_proofs)
{
	const struct ike_decoder decoder = { .line = add_line, .hides_proofs = hides_proofs };
	uint8_t message[512] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, payload, 0x10, exchange };
	const size_t whole = IKE_HEADER_LEN + IKE_PAYLOAD_HEADER_LEN + len;

	ck_assert_uint_le(whole, sizeof(message));
	be32enc(message + 20, 0x01020304);
	be32enc(message + 24, (uint32_t)whole);
	be16enc(message + IKE_HEADER_LEN + 2, (uint16_t)(IKE_PAYLOAD_HEADER_LEN + len));
	memcpy(message + IKE_HEADER_LEN + IKE_PAYLOAD_HEADER_LEN, body, len);
	said[0] = '\0';
	return ike_decode(&decoder, (struct ipsp_span){ message, whole });
}

static void has(const char *text)
{
	ck_assert_msg(strstr(said, text), "no \"%s\" in:\n%s", text, said);
}

/* draft-dukes-ike-mode-cfg, draft-beaulieu-ike-xauth: a reply with a name, a password, a status and an address. */
static const uint8_t reply[] =
	"\x02\0\x12\x34" "\x40\x89\0\5alice" "\x40\x8a\0\6hidden" "\xc0\x8f\0\1" "\0\1\0\4\x0a\0\0\x09";

START_TEST(test_a_transaction_names_its_attributes)
{
	ck_assert(decode(IKE_V1_EXCHANGE_TRANSACTION, IKE_V1_PAYLOAD_ATTRIBUTES, reply, sizeof(reply) - 1, false));
	has("Exchange Type: 6 (TRANSACTION)\n");
	has("Payload ATTRIBUTES\n");
	has("CFG Type: 2 (CFG_REPLY)\n");
	has("Identifier: 4660\n");
	has("ATTR: XAUTH_USER_NAME (5 octets)\n");
	has("Value: \"alice\"\n");
	has("Value: \"hidden\"\n");
	has("ATTR: XAUTH_STATUS - 1\n");
	has("ATTR: INTERNAL_IP4_ADDRESS (4 octets)\n");
	has("Value: 10.0.0.9\n");
}
END_TEST

START_TEST(test_where_proofs_are_hidden_so_are_passwords)
{
	ck_assert(decode(IKE_V1_EXCHANGE_TRANSACTION, IKE_V1_PAYLOAD_ATTRIBUTES, reply, sizeof(reply) - 1, true));
	has("Value: \"alice\"\n");
	has("ATTR: XAUTH_USER_PASSWORD (6 octets)\n");
	has("Value: not shown\n");
	ck_assert_ptr_null(strstr(said, "hidden"));
	ck_assert_ptr_null(strstr(said, "68 69 64"));	/* as octets */
}
END_TEST

START_TEST(test_a_transaction_that_is_cut_is_shown_up_to_the_fault)
{
	ck_assert(!decode(IKE_V1_EXCHANGE_TRANSACTION, IKE_V1_PAYLOAD_ATTRIBUTES, reply, 10, false));
	has("CFG Type: 2 (CFG_REPLY)\n");
	has("FAULT at 0024: an attribute's length does not fit\n");
	ck_assert(!decode(IKE_V1_EXCHANGE_TRANSACTION, IKE_V1_PAYLOAD_ATTRIBUTES, reply, 3, false));
	has("FAULT");
}
END_TEST

START_TEST(test_a_fragment_says_which_it_is)
{
	ck_assert(decode(IKE_V1_EXCHANGE_AGGRESSIVE, IKE_V1_PAYLOAD_FRAGMENT, "\0\7\2\1octets", 10, false));
	has("Payload FRAGMENT\n");
	has("Fragment ID: 7\n");
	has("Fragment Number: 2\n");
	has("Last Fragment: 1\n");
	has("Fragment Data: \"octets\"\n");
}
END_TEST

START_TEST(test_attributes_of_an_isakmp_sa_have_names_and_so_have_their_values)
{
	/* DOI, situation, a proposal with a transform: 3DES, SHA-1, XAUTH, group 2 of MODP, seconds. */
	static const uint8_t sa[] =
		"\0\0\0\1\0\0\0\1" "\0\0\0\x2c\1\1\0\1" "\0\0\0\x24\1\1\0\0"
		"\x80\1\0\5" "\x80\2\0\2" "\x80\3\xfd\xe9" "\x80\4\0\2" "\x80\5\0\1" "\x80\x0b\0\1"
		"\x80\x0c\x70\x80";

	ck_assert(decode(IKE_V1_EXCHANGE_IDENTITY_PROTECTION, IKE_V1_PAYLOAD_SA, sa, sizeof(sa) - 1, false));
	has("ATTR: Encryption - 5 (3DES)\n");
	has("ATTR: Hash - 2 (SHA1)\n");
	has("ATTR: Authentication - 65001 (XAUTH_INIT_PRE_SHARED)\n");
	has("ATTR: Group - 2 (MODP_1024)\n");
	has("ATTR: Group Type - 1 (MODP)\n");
	has("ATTR: Life Type - 1 (SECONDS)\n");
	has("ATTR: Life Duration - 28800\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ike/decode_v1");
	TCase *tc = tcase_create("IKEv1");
	SRunner *r;
	int failed;

	tcase_add_test(tc, test_a_transaction_names_its_attributes);
	tcase_add_test(tc, test_where_proofs_are_hidden_so_are_passwords);
	tcase_add_test(tc, test_a_transaction_that_is_cut_is_shown_up_to_the_fault);
	tcase_add_test(tc, test_a_fragment_says_which_it_is);
	tcase_add_test(tc, test_attributes_of_an_isakmp_sa_have_names_and_so_have_their_values);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
