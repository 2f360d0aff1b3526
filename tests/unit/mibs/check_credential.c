/*
 * tests/unit/mibs/check_credential.c - secrets are unreadable, stay so, and go with their row.
 */
#include <string.h>

#include "fixture.h"
#include "mibs/schema_gen.h"
#include "suite.h"

#define CRED "ipsaCredentialTable"
#define SEG "ipsaCredentialSegmentTable"
#define FILTER "ipiaCredentialFilterTable"

static struct mib_store *store;
static struct fx_journal journal;

static void setup(void)
{
	fx_now_cs = 100000;
	fx_journal_init(&journal);
	ck_assert_int_eq(mib_store_new(&journal.journal, fx_clock, &store), MIB_OK);
}

static void teardown(void)
{
	fx_check_invariants(store);
	mib_store_free(store);
}

static const struct mib_row *cred_row(const char *name)
{
	struct mib_oid at;

	ck_assert_int_eq(mib_index_parse(&mib_t_ipsaCredentialTable, name, &at, NULL), MIB_OK);
	return mib_view_row(mib_store_view(store), &mib_t_ipsaCredentialTable, at.ids, at.len);
}

START_TEST(test_a_secret_reads_as_nothing_but_is_there_for_its_users)
{
	struct mib_value v;

	ck_assert_int_eq(fx_set(store, CRED, "psk", "ipsaCredType=sharedSecret ipsaCredCredential=geheim",
				MIB_RS_CREATE_AND_GO, NULL), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipsaCredCredential", "psk"), "0x");
	ck_assert_str_eq(fx_get(store, "ipsaCredSize", "psk"), "0");
	ck_assert(mib_row_is_secret(cred_row("psk"), MIB_COL(ipsaCredentialTable, ipsaCredCredential)));
	ck_assert(mib_row_get(cred_row("psk"), MIB_COL(ipsaCredentialTable, ipsaCredCredential), &v));
	ck_assert_uint_eq(v.octets.len, 6);
	ck_assert_mem_eq(v.octets.data, "geheim", 6);
}
END_TEST

START_TEST(test_a_certificate_reads_back)
{
	ck_assert_int_eq(fx_set(store, CRED, "crt", "ipsaCredType=x509 ipsaCredCredential=0x3082",
				MIB_RS_CREATE_AND_GO, NULL), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipsaCredCredential", "crt"), "0x3082");
	ck_assert_str_eq(fx_get(store, "ipsaCredSize", "crt"), "2");
	/* Made a secret, it is one. */
	ck_assert_int_eq(fx_set(store, CRED, "crt", "ipsaCredType=sharedSecret", 0, NULL), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipsaCredCredential", "crt"), "0x");
	ck_assert_str_eq(fx_get(store, "ipsaCredSize", "crt"), "0");
}
END_TEST

START_TEST(test_a_credential_without_a_type_is_a_secret)
{
	ck_assert_int_eq(fx_set(store, CRED, "c", "ipsaCredCredential=geheim",
				MIB_RS_CREATE_AND_WAIT, NULL), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipsaCredCredential", "c"), "0x");
	ck_assert_int_eq(fx_status(store, CRED, "c"), MIB_RS_NOT_READY);
	/* And the type cannot make it readable afterwards. */
	ck_assert_int_eq(fx_set(store, CRED, "c", "ipsaCredType=x509", 0, NULL),
			 MIB_INCONSISTENT_VALUE);
}
END_TEST

START_TEST(test_no_change_of_type_discloses_a_secret)
{
	struct mib_diag d = { 0 };

	fx_set(store, CRED, "psk", "ipsaCredType=sharedSecret ipsaCredCredential=geheim",
	       MIB_RS_CREATE_AND_GO, NULL);
	ck_assert_int_eq(fx_set(store, CRED, "psk", "ipsaCredType=x509", 0, &d),
			 MIB_INCONSISTENT_VALUE);
	ck_assert(strstr(d.text, "secret") != NULL && strstr(d.text, "geheim") == NULL);
	ck_assert_str_eq(fx_get(store, "ipsaCredCredential", "psk"), "0x");
	ck_assert_int_eq(fx_set(store, CRED, "psk", "ipsaCredType=x509 ipsaCredCredential=0x3082", 0,
				&d), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipsaCredCredential", "psk"), "0x3082");

	ck_assert_int_eq(fx_set(store, FILTER, "f", "ipiaCredFiltCredentialType=sharedSecret "
				"ipiaCredFiltMatchFieldValue=geheim", MIB_RS_CREATE_AND_GO, &d), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipiaCredFiltMatchFieldValue", "f"), "0x");
	ck_assert_int_eq(fx_set(store, FILTER, "f", "ipiaCredFiltCredentialType=x509", 0, &d),
			 MIB_INCONSISTENT_VALUE);
	ck_assert_int_eq(fx_set(store, FILTER, "f", "ipiaCredFiltCredentialType=x509 "
				"ipiaCredFiltMatchFieldValue=CN=x", 0, &d), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipiaCredFiltMatchFieldValue", "f"), "0x434e3d78");
}
END_TEST

START_TEST(test_segments_are_as_secret_as_their_credential)
{
	struct mib_diag d = { 0 };

	ck_assert_int_eq(fx_set(store, CRED, "c", "ipsaCredType=sharedSecret", MIB_RS_CREATE_AND_WAIT,
				&d), MIB_OK);
	ck_assert_int_eq(fx_set(store, SEG, "c,1", "ipsaCredSegValue=geheim", MIB_RS_CREATE_AND_GO,
				&d), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipsaCredSegValue", "c,1"), "0x");
	ck_assert_int_eq(fx_set(store, CRED, "c", "ipsaCredType=x509", 0, &d),
			 MIB_INCONSISTENT_VALUE);
	/* A segment without a credential is one too, and one that comes later discloses nothing. */
	ck_assert_int_eq(fx_set(store, SEG, "d,1", "ipsaCredSegValue=geheim", MIB_RS_CREATE_AND_WAIT,
				&d), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipsaCredSegValue", "d,1"), "0x");
	ck_assert_int_eq(fx_set(store, CRED, "d", "ipsaCredType=x509", MIB_RS_CREATE_AND_WAIT, &d),
			 MIB_INCONSISTENT_VALUE);
}
END_TEST

static void make_long(const char *first_len)
{
	static char big[1200];

	memset(big, 'x', 1024);
	big[strcmp(first_len, "full") == 0 ? 1024 : 1000] = '\0';
	ck_assert_int_eq(fx_set(store, CRED, "l", "ipsaCredType=x509", MIB_RS_CREATE_AND_WAIT, NULL),
			 MIB_OK);

	struct mib_txn *t = fx_begin(store);
	const uint32_t index[] = { 1, 'l', 1 };
	const struct mib_value v = mib_value_octets(big, strlen(big));
	const struct mib_value go = mib_value_integer(MIB_RS_CREATE_AND_GO);

	ck_assert_int_eq(mib_txn_set_column(t, MIB_COL(ipsaCredentialSegmentTable, ipsaCredSegValue),
					    index, 3, &v, NULL), MIB_OK);
	ck_assert_int_eq(mib_txn_set_column(t, MIB_COL(ipsaCredentialSegmentTable,
						       ipsaCredSegRowStatus), index, 3, &go, NULL),
			 MIB_OK);
	ck_assert_int_eq(fx_finish(t, NULL), MIB_OK);
	ck_assert_int_eq(fx_set(store, SEG, "l,2", "ipsaCredSegValue=end", MIB_RS_CREATE_AND_GO, NULL),
			 MIB_OK);
}

START_TEST(test_segments_make_up_a_long_certificate)
{
	struct mib_diag d = { 0 };

	make_long("full");
	ck_assert_str_eq(fx_get(store, "ipsaCredSize", "l"), "1027");
	ck_assert_str_eq(fx_get(store, "ipsaCredCredential", "l"), "0x");
	ck_assert_str_eq(fx_get(store, "ipsaCredSegValue", "l,2"), "0x656e64");
	ck_assert_int_eq(fx_set(store, CRED, "l", "ipsaCredAdminStatus=enabled", MIB_RS_ACTIVE, &d),
			 MIB_OK);
	/* In use: segments stay until it is disabled. */
	ck_assert_int_eq(fx_set(store, SEG, "l,2", "", MIB_RS_DESTROY, &d), MIB_INCONSISTENT_VALUE);
	ck_assert(strstr(d.text, "disabled first") != NULL);
	ck_assert_int_eq(fx_set(store, CRED, "l", "ipsaCredAdminStatus=disabled", 0, &d), MIB_OK);
	ck_assert_int_eq(fx_set(store, SEG, "l,2", "", MIB_RS_DESTROY, &d), MIB_OK);
	/* One or the other. */
	ck_assert_int_eq(fx_set(store, CRED, "l", "ipsaCredCredential=0x30", 0, &d),
			 MIB_INCONSISTENT_VALUE);
}
END_TEST

START_TEST(test_segments_must_be_whole_when_enabled)
{
	struct mib_diag d = { 0 };

	make_long("short");
	ck_assert_int_eq(fx_set(store, CRED, "l", "", MIB_RS_ACTIVE, &d), MIB_OK);
	ck_assert_int_eq(fx_set(store, CRED, "l", "ipsaCredAdminStatus=enabled", 0, &d),
			 MIB_INCONSISTENT_VALUE);
	ck_assert(strstr(d.text, "1024") != NULL);
	ck_assert_int_eq(fx_set(store, SEG, "l,2", "", MIB_RS_DESTROY, &d), MIB_OK);
	ck_assert_int_eq(fx_set(store, SEG, "l,3", "ipsaCredSegValue=end", MIB_RS_CREATE_AND_GO, &d),
			 MIB_OK);
	ck_assert_int_eq(fx_set(store, CRED, "l", "ipsaCredAdminStatus=enabled", 0, &d),
			 MIB_INCONSISTENT_VALUE);
	ck_assert(strstr(d.text, "without a gap") != NULL);
}
END_TEST

START_TEST(test_segments_follow_their_credential)
{
	make_long("full");
	ck_assert_str_eq(fx_get(store, "ipsaCredSegStorageType", "l,1"), "nonVolatile");
	ck_assert_str_eq(fx_get(store, "ipsaCredSegLastChanged", "l,1"), "100000");
	fx_now_cs += 10;
	ck_assert_int_eq(fx_set(store, SEG, "l,2", "ipsaCredSegValue=END", 0, NULL), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipsaCredSegLastChanged", "l,1"), "100010");
	/* The journal drops them with the credential's storage, and they go with it. */
	ck_assert_int_eq(fx_set(store, CRED, "l", "ipsaCredStorageType=volatile", 0, NULL), MIB_OK);
	ck_assert_uint_eq(journal.last_n, 3);
	ck_assert_str_eq(fx_get(store, "ipsaCredSegStorageType", "l,1"), "volatile");
	ck_assert_int_eq(fx_set(store, CRED, "l", "", MIB_RS_DESTROY, NULL), MIB_OK);
	ck_assert_int_eq(fx_status(store, SEG, "l,1"), 0);
	ck_assert_int_eq(fx_status(store, SEG, "l,2"), 0);
}
END_TEST

START_TEST(test_a_segment_is_never_over_1024_octets)
{
	static uint8_t big[1025];
	const uint32_t index[] = { 1, 'l', 1 };
	const struct mib_value v = mib_value_octets(big, sizeof(big));
	struct mib_txn *t = fx_begin(store);

	ck_assert_int_eq(mib_txn_set_column(t, MIB_COL(ipsaCredentialSegmentTable, ipsaCredSegValue),
					    index, 3, &v, NULL), MIB_WRONG_LENGTH);
	mib_txn_done(t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("credential");
	TCase *tc = tcase_create("credential");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_a_secret_reads_as_nothing_but_is_there_for_its_users);
	tcase_add_test(tc, test_a_certificate_reads_back);
	tcase_add_test(tc, test_a_credential_without_a_type_is_a_secret);
	tcase_add_test(tc, test_no_change_of_type_discloses_a_secret);
	tcase_add_test(tc, test_segments_are_as_secret_as_their_credential);
	tcase_add_test(tc, test_segments_make_up_a_long_certificate);
	tcase_add_test(tc, test_segments_must_be_whole_when_enabled);
	tcase_add_test(tc, test_segments_follow_their_credential);
	tcase_add_test(tc, test_a_segment_is_never_over_1024_octets);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
