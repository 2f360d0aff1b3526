/* tests/unit/policy/check_revoked.c - rows of revoked certificates as a list: see policy/revoked.h. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy/revoked.h"
#include "rowtext.h"

/* The beginning of a certificate, RFC 5280 4.1; more of it nobody reads here. */
#define CERTIFICATE "300e3009a00302010202021234010100"

static const char rows[] =
	"+ cred root Type=x509 Credential=0x" CERTIFICATE " AdminStatus=enabled\n"
	"+ cred psk Type=sharedSecret Credential=0x" CERTIFICATE " AdminStatus=enabled\n"
	"+ ca ca1 DistinguishedName=CN=one\n"
	"+ ca ca2 DistinguishedName=CN=two CredentialName=root\n"
	"+ ca ca3 DistinguishedName=CN=three\n"
	"+ crl ca1,a\n"
	"+ crl ca1,b\n"
	"+ crl ca2,long\n"
	"+ crl ca3,none\n"
	"+ revoked a,5\n"
	"+ revoked a,4294967295 RevokedReason=keyCompromise\n"
	"+ revoked a,6 RevokedReason=removeFromCRL\n"
	"+ revoked b,5 RevokedReason=certificateHold\n"
	"+ revoked long,7 RevokedReason=superseded";

#define ONE "00000006" "434e3d6f6e65" "000003"
#define ONE_HAS "00000005" "0101" "61" "ffffffff" "0201" "61" "00000005" "0701" "62"
#define TWO "01000010" CERTIFICATE "000001"
#define TWO_HAS "00000007" "0504" "6c6f6e67"

static uint8_t out[4096];

static void is(struct mib_store *s, const char *hex)
{
	const size_t len = pol_revoked_write(mib_store_view(s), out, sizeof(out));
	char text[2 * sizeof(out) + 1] = "";

	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", out[i]);
	ck_assert_str_eq(text, hex);
}

START_TEST(test_each_ca_has_what_its_lists_revoke)
{
	struct mib_store *const s = store_new();

	is(s, "");
	rows_put(s, rows);
	is(s, ONE ONE_HAS TWO TWO_HAS);
	rows_put(s, "- revoked long,7");
	is(s, ONE ONE_HAS);
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_secret_is_no_certificate)
{
	struct mib_store *const s = store_new();

	rows_put(s, rows);
	rows_put(s, "= ca ca2 CredentialName=psk");
	is(s, ONE ONE_HAS "00000006" "434e3d74776f" "000001" TWO_HAS);
	mib_store_free(s);
}
END_TEST

START_TEST(test_what_has_no_room_is_counted)
{
	struct mib_store *const s = store_new();
	size_t len;

	rows_put(s, rows);
	len = pol_revoked_write(mib_store_view(s), out, sizeof(out));
	ck_assert_uint_gt(len, 0);
	for (size_t max = 0; max < len; max++) {
		memset(out, 0xa5, sizeof(out));
		ck_assert_uint_gt(pol_revoked_write(mib_store_view(s), out, max), max);
		ck_assert_uint_eq(out[max], 0xa5);
	}
	ck_assert_uint_eq(pol_revoked_write(mib_store_view(s), out, len), len);
	mib_store_free(s);
}
END_TEST

START_TEST(test_what_is_lost_revokes_all_the_same)
{
	const struct loss loss = { "revoked", "long,7", "RevokedReason" };
	struct mib_store *s = store_new();

	rows_put(s, rows);
	s = store_restart(s, &loss);
	is(s, ONE ONE_HAS TWO "00000007" "0104" "6c6f6e67");
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("policy/revoked");
	TCase *const tc = tcase_create("list");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_each_ca_has_what_its_lists_revoke);
	tcase_add_test(tc, test_a_secret_is_no_certificate);
	tcase_add_test(tc, test_what_has_no_room_is_counted);
	tcase_add_test(tc, test_what_is_lost_revokes_all_the_same);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
