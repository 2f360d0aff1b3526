/*
 * tests/unit/xml/check_secrets.c - files with sealed secrets, and rows that come in without theirs:
 * xml/parse_sealed.c, xml/import.c, mibs/txn_excuse.c.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "tests/unit/xml/fixture.h"

static struct mib_store *store, *empty;
static struct mib_file_seal *seal, *stranger;

static void setup(void)
{
	store = store_on(NULL);
	empty = store_on(NULL);
	seal = seal_of(1);
	stranger = seal_of(2);
	store_set(store, secrets);
	store_set(store, tunnel);
}

static void teardown(void)
{
	mib_store_free(store);
	mib_store_free(empty);
	mib_file_seal_free(seal);
	mib_file_seal_free(stranger);
}

static const struct mib_row *row(struct mib_store *s, const struct mib_table *t, const char *index)
{
	struct mib_oid oid;

	ck_assert_int_eq(mib_index_parse(t, index, &oid, NULL), MIB_OK);
	return mib_view_row(mib_store_view(s), t, oid.ids, oid.len);
}

static bool is_lost(struct mib_store *s, const struct mib_table *t, const char *index)
{
	const struct mib_row *r = row(s, t, index);

	ck_assert_msg(r != NULL, "%s.%s is not there", t->name, index);
	ck_assert(!(mib_row_active(r) && mib_row_lost(r)));
	if (!mib_row_lost(r))
		return false;
	ck_assert_int_eq(mib_row_status(mib_store_view(s), r, NULL), MIB_RS_NOT_READY);
	return true;
}

/* text with the first of what replaced; the caller frees it. */
static char *with(const char *text, const char *what, const char *by)
{
	const char *at = strstr(text, what);
	char *out;

	ck_assert_msg(at != NULL, "no %s", what);
	ck_assert_int_gt(asprintf(&out, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what)),
			 0);
	return out;
}

/* ---- sealed secrets ---- */

START_TEST(test_sealed_file_comes_in_and_goes_out_the_same)
{
	char *a = export_sealed(store, seal), *b, *bare = export_of(store);
	struct outcome o = import_sealed(empty, a, seal, 0);

	must_import(&o);
	ck_assert_uint_eq(o.sum.not_ready, 0);
	ck_assert_str_eq(o.not_ready, "");
	b = export_sealed(empty, seal);
	must_equal(a, b);
	ck_assert_ptr_nonnull(strstr(a, "<sealedSecrets"));
	ck_assert_ptr_nonnull(strstr(a, "<!-- ipsaCredCredential.\"enc\" -->"));
	ck_assert_ptr_null(strstr(bare, "sealedSecrets"));
	free(a);
	free(b);
	free(bare);
}
END_TEST

START_TEST(test_sealed_file_is_passed_over_without_a_key)
{
	char *a = export_sealed(store, seal);
	struct outcome o = import_text(empty, a, 0);

	must_import(&o);
	ck_assert_uint_gt(o.sum.not_ready, 0);
	free(a);
}
END_TEST

static const struct {
	const char *name, *what, *by, *object, *reason;
} damages[] = {
	{ "no scheme", "<scheme>scrypt-aes-siv</scheme>", "", "scheme", "missing" },
	{ "unknown scheme", "scrypt-aes-siv", "rot13", "scheme", "label" },
	{ "another kind of key", "scrypt-aes-siv", "keyfile-aes-siv", "", "key file" },
	{ "short salt", "<salt>", "<salt><!-- --></salt><salt>", "salt", "twice" },
	{ "more work than is stated", "<salt>", "<cost>30</cost><salt>", "cost", "belongs" },
	{ "no end", "<listCheck>", "<secret><object>1.3</object><value/></secret><listCheck>",
	  "object", "object" },
	{ "value that is no base64", "<value>", "<value>*", "value", "base64" },
	{ "value that is too short", "<value>", "<value>AAAA</value><x>", "x", "belongs" },
	{ "second element", "</data>",
	  "<sealedSecrets xmlns=\"urn:ipspd:sealed-secrets:1\"/></data>", "sealedSecrets", "twice" },
	{ "in no namespace", "urn:ipspd:sealed-secrets:1", "urn:x", "sealedSecrets", "no module" },
	{ "object without a number", "<object>", "<object>x", "object", "OID" },
	{ "object of nobody", "<object>1.3.6.1.", "<object>1.3.6.2.", "object", "number" },
	{ "element in an element", "<salt>", "<salt><b/>", "salt", "text" },
	{ "secret behind the end", "</sealedSecrets>", "<secret/></sealedSecrets>", "secret", "end" },
	{ "secret before the head", "<scheme>", "<secret/><scheme>", "scheme", "missing" },
};

START_TEST(test_damaged_element_is_refused)
{
	char *good = export_sealed(store, seal), *bad, *before = export_of(empty), *after;
	struct outcome o;

	bad = with(good, damages[_i].what, damages[_i].by);
	o = import_sealed(empty, bad, seal, 0);
	ck_assert_msg(o.err != MIB_OK && o.d.line > 0, "%s: accepted", damages[_i].name);
	ck_assert_msg(strcmp(o.d.diag.object, damages[_i].object) == 0, "%s: object '%s': %s",
		      damages[_i].name, o.d.diag.object, o.d.diag.text);
	ck_assert_msg(strstr(o.d.diag.text, damages[_i].reason) != NULL, "%s: %s", damages[_i].name,
		      o.d.diag.text);
	after = export_of(empty);
	must_equal(before, after);
	ck_assert_uint_eq(mib_store_generation(empty), 0);
	free(good);
	free(bad);
	free(before);
	free(after);
}
END_TEST

START_TEST(test_wrong_key_is_refused_with_the_element)
{
	char *a = export_sealed(store, seal);
	struct outcome o = import_sealed(empty, a, stranger, 0);

	ck_assert_int_eq(o.err, MIB_WRONG_VALUE);
	ck_assert_ptr_nonnull(strstr(o.d.diag.text, "passphrase"));
	ck_assert_uint_gt(o.d.line, 100);
	ck_assert_uint_eq(mib_store_generation(empty), 0);
	free(a);
}
END_TEST

START_TEST(test_secret_of_a_row_that_is_not_there_is_refused)
{
	char *a = export_sealed(store, seal), *bad;
	char *from = strstr(a, "<ipsaCredentialTable>"), *to = strstr(a, "</ipsaCredentialTable>");
	struct outcome o;

	ck_assert_int_gt(asprintf(&bad, "%.*s%s", (int)(from - a), a,
				  to + strlen("</ipsaCredentialTable>")), 0);
	o = import_sealed(empty, bad, seal, 0);
	ck_assert_int_ne(o.err, MIB_OK);
	ck_assert_uint_eq(mib_store_generation(empty), 0);
	free(a);
	free(bad);
}
END_TEST

/* ---- without secrets ---- */

/* The rows of the tunnel that need a secret, link by link, and some that do not. */
static const struct {
	const struct mib_table *table;
	const char *index;
	bool lost;
} rows_of_tunnel[] = {
	{ &mib_t_ipsaCredentialTable, "enc", true },
	{ &mib_t_ipsaCredentialTable, "auth", true },
	{ &mib_t_ipsaSaPreconfiguredActionTable, "tun,outbound", true },
	{ &mib_t_spdRuleDefinitionTable, "protect", true },
	{ &mib_t_spdGroupContentsTable, "wan-out,100", true },
	{ &mib_t_spdEndpointToGroupTable, "outbound,2", true },
	{ &mib_t_ipsaEspTransformTable, "aes", false },
	{ &mib_t_ipsaPeerIdentityTable, "gw,0", false },
	{ &mib_t_diffServMultiFieldClfrTable, "20", false },
};

START_TEST(test_rows_without_secrets_come_in_lost_with_what_refers_to_them)
{
	char *a = export_of(store), *b;
	struct outcome o = import_text(empty, a, 0);

	must_import(&o);
	ck_assert_uint_eq(o.sum.not_ready, 6);
	for (size_t i = 0; i < COUNT(rows_of_tunnel); i++) {
		ck_assert_msg(is_lost(empty, rows_of_tunnel[i].table, rows_of_tunnel[i].index) ==
			      rows_of_tunnel[i].lost, "%s", rows_of_tunnel[i].table->name);
		ck_assert_msg((strstr(o.not_ready, rows_of_tunnel[i].table->name) != NULL) ==
			      rows_of_tunnel[i].lost, "%s: %s", rows_of_tunnel[i].table->name,
			      o.not_ready);
	}
	/* What it says of itself is what it is meant to be. */
	b = export_of(empty);
	must_equal(a, b);
	free(a);
	free(b);
}
END_TEST

START_TEST(test_same_file_again_changes_nothing)
{
	char *a = export_of(store);
	struct outcome o = import_text(empty, a, 0);
	uint64_t generation = mib_store_generation(empty);

	must_import(&o);
	for (unsigned flags = 0; flags <= (REPLACE | DRY_RUN); flags++) {
		o = import_text(empty, a, flags);
		must_import(&o);
		ck_assert_uint_eq(o.sum.created + o.sum.changed + o.sum.destroyed, 0);
		ck_assert_uint_eq(o.sum.not_ready, 6);
	}
	ck_assert_uint_eq(mib_store_generation(empty), generation);
	free(a);
}
END_TEST

static const struct assignment keys[] = {
	{ "ipsaCredCredential", "enc",
	  "0x606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f" },
	{ "ipsaCredCredential", "auth",
	  "0x808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f" },
	{ NULL, NULL, NULL },
};

START_TEST(test_secrets_and_the_file_again_repair_them)
{
	char *a = export_of(store);
	struct outcome o = import_text(empty, a, 0);

	must_import(&o);
	store_set(empty, keys);
	ck_assert(mib_row_lost(row(empty, &mib_t_ipsaCredentialTable, "enc")));
	o = import_text(empty, a, 0);
	must_import(&o);
	ck_assert_uint_eq(o.sum.not_ready, 0);
	for (size_t i = 0; i < COUNT(rows_of_tunnel); i++)
		ck_assert(mib_row_active(row(empty, rows_of_tunnel[i].table,
					     rows_of_tunnel[i].index)));
	free(a);
}
END_TEST

START_TEST(test_secret_and_active_repair_one_row)
{
	static const struct assignment repair[] = {
		{ "ipsaCredCredential", "enc",
		  "0x606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f" },
		{ "ipsaCredRowStatus", "enc", "active" },
		{ NULL, NULL, NULL },
	};
	static const struct assignment destroy[] = { { "ipsaCredRowStatus", "auth", "destroy" },
						     { NULL, NULL, NULL } };
	char *a = export_of(store);
	struct outcome o = import_text(empty, a, 0);

	must_import(&o);
	store_set(empty, repair);
	ck_assert(mib_row_active(row(empty, &mib_t_ipsaCredentialTable, "enc")));
	ck_assert(is_lost(empty, &mib_t_ipsaSaPreconfiguredActionTable, "tun,outbound"));
	store_set(empty, destroy);
	ck_assert_ptr_null(row(empty, &mib_t_ipsaCredentialTable, "auth"));
	free(a);
}
END_TEST

START_TEST(test_other_doors_refuse_rows_without_secrets)
{
	static const struct assignment naked[] = {
		{ "ipsaCredType", "k", "sharedSecret" },
		{ "ipsaCredRowStatus", "k", "createAndGo" },
		{ NULL, NULL, NULL },
	};

	ck_assert_int_eq(store_try(empty, naked), MIB_INCONSISTENT_VALUE);
}
END_TEST

/* Whatever else is wrong is refused as if no secret were missing. */
static const struct {
	const char *name, *what, *by, *object;
} faults[] = {
	{ "rule without its action", "<spdRuleDefAction>1.3.", "<spdRuleDefAction>1.4.",
	  "spdRuleDefAction.\"protect\"" },
	{ "contents of a rule that is not there", "<spdGroupContComponentName>protect",
	  "<spdGroupContComponentName>nobody", "spdGroupContComponentName.\"wan-out\",100" },
	{ "transform that is not there", "<ipsaSaPreActESPTransformName>aes",
	  "<ipsaSaPreActESPTransformName>des", "ipsaSaPreActESPTransformName.\"tun\",outbound" },
	{ "credential without a type", "<ipsaCredType>sharedSecret</ipsaCredType>", "",
	  "ipsaCredType.\"enc\"" },
};

START_TEST(test_other_faults_are_refused_all_the_same)
{
	char *a = export_of(store), *bad;
	struct outcome o;

	if (strstr(a, faults[_i].what) == NULL) {
		free(a);
		ck_abort_msg("%s: the export has no %s", faults[_i].name, faults[_i].what);
	}
	bad = with(a, faults[_i].what, faults[_i].by);
	o = import_text(empty, bad, 0);
	ck_assert_msg(o.err != MIB_OK, "%s: accepted", faults[_i].name);
	ck_assert_msg(strcmp(o.d.diag.object, faults[_i].object) == 0, "%s: %s: %s", faults[_i].name,
		      o.d.diag.object, o.d.diag.text);
	ck_assert_uint_gt(o.d.line, 0);
	ck_assert_uint_eq(mib_store_generation(empty), 0);
	free(a);
	free(bad);
}
END_TEST

/* An active rule is led to an action without its key: it goes, and with it what refers to it. */
START_TEST(test_active_rows_that_come_to_need_a_secret_are_lost_too)
{
	static const struct assignment before[] = {
		{ "spdRuleDefFilter", "protect", "spdTrueFilter.0" },
		{ "spdRuleDefAction", "protect", "spdDropAction.0" },
		{ "spdRuleDefRowStatus", "protect", "createAndGo" },
		{ "spdGroupContComponentName", "wan-out,100", "protect" },
		{ "spdGroupContRowStatus", "wan-out,100", "createAndGo" },
		{ "spdEndGroupName", "outbound,2", "wan-out" },
		{ "spdEndGroupRowStatus", "outbound,2", "createAndGo" },
		{ NULL, NULL, NULL },
	};
	struct outcome o;
	char *a = export_of(store);

	store_set(empty, before);
	o = import_text(empty, a, 0);
	must_import(&o);
	ck_assert(is_lost(empty, &mib_t_spdRuleDefinitionTable, "protect"));
	ck_assert(is_lost(empty, &mib_t_spdGroupContentsTable, "wan-out,100"));
	ck_assert(is_lost(empty, &mib_t_spdEndpointToGroupTable, "outbound,2"));
	free(a);
}
END_TEST

START_TEST(test_segments_without_values_are_lost_with_their_credential)
{
	static const struct assignment segmented[] = {
		{ "ipsaCredType", "long", "sharedSecret" },
		{ "ipsaCredAdminStatus", "long", "enabled" },
		{ "ipsaCredRowStatus", "long", "createAndGo" },
		{ "ipsaCredSegValue", "long,1", "0x0102030405060708" },
		{ "ipsaCredSegRowStatus", "long,1", "createAndGo" },
		{ NULL, NULL, NULL },
	};
	struct outcome o;
	char *a, *b;

	store_set(store, segmented);
	a = export_of(store);
	o = import_text(empty, a, 0);
	must_import(&o);
	ck_assert(is_lost(empty, &mib_t_ipsaCredentialTable, "long"));
	ck_assert(is_lost(empty, &mib_t_ipsaCredentialSegmentTable, "long,1"));
	free(a);
	a = export_sealed(store, seal);
	o = import_sealed(empty, a, seal, 0);
	must_import(&o);
	ck_assert_uint_eq(o.sum.not_ready, 0);
	b = export_sealed(empty, seal);
	must_equal(a, b);
	free(a);
	free(b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("xml/secrets");
	TCase *c = tcase_create("secrets");
	SRunner *r = srunner_create(s);
	struct mib_diag d;
	int failed;

	if (mib_secmem_init(MIB_SECMEM_MAY_SWAP, &d) != MIB_OK)
		return EXIT_FAILURE;
	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_sealed_file_comes_in_and_goes_out_the_same);
	tcase_add_test(c, test_sealed_file_is_passed_over_without_a_key);
	tcase_add_loop_test(c, test_damaged_element_is_refused, 0, COUNT(damages));
	tcase_add_test(c, test_wrong_key_is_refused_with_the_element);
	tcase_add_test(c, test_secret_of_a_row_that_is_not_there_is_refused);
	tcase_add_test(c, test_rows_without_secrets_come_in_lost_with_what_refers_to_them);
	tcase_add_test(c, test_same_file_again_changes_nothing);
	tcase_add_test(c, test_secrets_and_the_file_again_repair_them);
	tcase_add_test(c, test_secret_and_active_repair_one_row);
	tcase_add_test(c, test_other_doors_refuse_rows_without_secrets);
	tcase_add_loop_test(c, test_other_faults_are_refused_all_the_same, 0, COUNT(faults));
	tcase_add_test(c, test_active_rows_that_come_to_need_a_secret_are_lost_too);
	tcase_add_test(c, test_segments_without_values_are_lost_with_their_credential);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
