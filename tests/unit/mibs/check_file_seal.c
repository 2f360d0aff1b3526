/*
 * check_file_seal.c - mibs/file_seal.c: secrets in files open in their place, under their key and in
 * their list only, and come out the same each time. mibs/persist_salt.c: one salt a store.
 *
 * The expected octets are those of python's hashlib (scrypt, hmac) and cryptography (AESSIV).
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mibs/file_seal.h"
#include "mibs/persist.h"
#include "mibs/schema_gen.h"

static const uint8_t salt[MIB_FILE_SEAL_SALT] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
						  15 };
static const uint32_t k[] = { 1, 'k' }, other[] = { 1, 'o' };
static const uint8_t plain[] = "secret";
#define PLAIN_LEN (sizeof(plain) - 1)

static const uint8_t scrypt_key[MIB_FILE_SEAL_KEY] = {
	0x00, 0x47, 0x62, 0x95, 0xb5, 0x14, 0x82, 0x1b, 0xb3, 0x3b, 0xd9, 0x7f, 0x5e, 0x3c, 0xed,
	0xcc, 0x79, 0xf4, 0x13, 0x4a, 0x65, 0x9e, 0x2c, 0x20, 0x9c, 0x44, 0xdb, 0x8b, 0x6f, 0xe6,
	0xe8, 0x83, 0xe0, 0xa1, 0x62, 0x13, 0x71, 0x0a, 0xc8, 0xae, 0x26, 0x48, 0xed, 0xf4, 0x1e,
	0x4b, 0x01, 0x08, 0xe4, 0x69, 0x40, 0x80, 0x58, 0x88, 0x47, 0x94, 0xc4, 0x81, 0x6b, 0xeb,
	0x23, 0x14, 0x18, 0xaa,
};
static const uint8_t keyfile_key[MIB_FILE_SEAL_KEY] = {
	0x1e, 0xe2, 0x51, 0x3f, 0x49, 0xa3, 0x8d, 0x6e, 0x77, 0xce, 0xa2, 0xa4, 0x1e, 0x29, 0x57,
	0xda, 0xc2, 0x48, 0x17, 0x4f, 0x93, 0x16, 0x4b, 0x8e, 0x57, 0x6e, 0x79, 0x64, 0x6b, 0x80,
	0x85, 0x9f, 0x2c, 0x27, 0x8c, 0xa6, 0xa2, 0x04, 0xb5, 0xcd, 0xa9, 0x23, 0xcc, 0x1e, 0xdc,
	0x7b, 0xc9, 0x1b, 0xb1, 0x1e, 0x9c, 0x3b, 0xc2, 0x53, 0x09, 0x08, 0xdb, 0x82, 0x4e, 0xc8,
	0x20, 0x58, 0xd7, 0x41,
};
static const uint8_t sealed[] = {
	0x26, 0x76, 0x68, 0x96, 0x73, 0x03, 0x04, 0x1f, 0xf6, 0x54, 0xb0, 0x60, 0xe4, 0x07, 0x68,
	0x6a, 0xbb, 0x1e, 0xe3, 0x04, 0x5f, 0x97,
};
static const uint8_t key_check[MIB_FILE_SEAL_CHECK] = {
	0xcc, 0x98, 0xaf, 0xd0, 0x96, 0x6e, 0xba, 0x89, 0x47, 0xa5, 0x27, 0x70, 0x45, 0x14, 0x1d,
	0xd5, 0xa2, 0x21, 0xf5, 0x56, 0x90, 0x5c, 0x66, 0xaf, 0x3b, 0x2d, 0xef, 0x9b, 0xcd, 0xef,
	0x80, 0xdd, 0x55, 0x6a, 0x42, 0x79, 0x4b, 0x21, 0xde, 0x9c, 0x4b, 0xd5, 0x33, 0x58, 0x90,
	0x35, 0xc7, 0x7f,
};
static const uint8_t list_check[MIB_FILE_SEAL_CHECK] = {
	0xaf, 0x26, 0xa0, 0xd1, 0xd6, 0x4e, 0x67, 0xa1, 0x86, 0x61, 0x87, 0x91, 0x3d, 0x3a, 0x14,
	0x30, 0x6f, 0x5e, 0x08, 0x3f, 0x40, 0x8c, 0xd8, 0x64, 0x1a, 0x94, 0x35, 0xf3, 0x16, 0x33,
	0x5e, 0x29, 0xc0, 0x40, 0x58, 0xb2, 0x53, 0x35, 0x4a, 0x8c, 0x85, 0xca, 0xa1, 0x5f, 0xe3,
	0xff, 0x73, 0x22,
};

static const struct mib_column *cell(void)
{
	return MIB_COL(ipsaCredentialTable, ipsaCredCredential);
}

static struct mib_secret secret_of(const void *data, size_t len)
{
	struct mib_secret s;

	ck_assert_int_eq(mib_secret_init(&s, len), MIB_OK);
	memcpy(s.data, data, len);
	return s;
}

static struct mib_file_seal *seal_of(enum mib_file_seal_kind kind, const uint8_t *key)
{
	struct mib_secret s = secret_of(key, MIB_FILE_SEAL_KEY);
	struct mib_file_seal *seal;

	ck_assert_int_eq(mib_file_seal_new(kind, salt, &s, &seal), MIB_OK);
	mib_secret_fini(&s);
	return seal;
}

START_TEST(test_key_of_a_passphrase_is_scrypt)
{
	struct mib_secret from = secret_of("correct horse", 13), key;

	ck_assert_int_eq(mib_file_seal_derive(MIB_FILE_SEAL_PASSPHRASE, &from, salt, &key), MIB_OK);
	ck_assert_uint_eq(key.len, sizeof(scrypt_key));
	ck_assert_mem_eq(key.data, scrypt_key, sizeof(scrypt_key));
	mib_secret_fini(&from);
	mib_secret_fini(&key);
}
END_TEST

START_TEST(test_key_of_a_key_file_is_hmac)
{
	struct mib_secret from, key;

	ck_assert_int_eq(mib_secret_init(&from, MIB_FILE_SEAL_KEY_FILE), MIB_OK);
	for (size_t i = 0; i < from.len; i++)
		from.data[i] = (uint8_t)(0x40 + i);
	ck_assert_int_eq(mib_file_seal_derive(MIB_FILE_SEAL_KEYFILE, &from, salt, &key), MIB_OK);
	ck_assert_mem_eq(key.data, keyfile_key, sizeof(keyfile_key));
	mib_secret_fini(&from);
	mib_secret_fini(&key);
}
END_TEST

START_TEST(test_list_is_sealed_as_another_implementation_does_it)
{
	struct mib_file_seal *s = seal_of(MIB_FILE_SEAL_PASSPHRASE, scrypt_key);
	uint8_t blob[PLAIN_LEN + MIB_FILE_SEAL_OVERHEAD], check[MIB_FILE_SEAL_CHECK];
	struct mib_file_seal_head head;

	for (int twice = 0; twice < 2; twice++) {
		ck_assert_int_eq(mib_file_seal_begin(s, &head), MIB_OK);
		ck_assert_mem_eq(head.key_check, key_check, sizeof(key_check));
		ck_assert_int_eq(mib_file_seal_wrap(s, cell(), k, 2, plain, PLAIN_LEN, blob), MIB_OK);
		ck_assert_mem_eq(blob, sealed, sizeof(sealed));
		ck_assert_int_eq(mib_file_seal_end(s, check), MIB_OK);
		ck_assert_mem_eq(check, list_check, sizeof(list_check));
	}
	mib_file_seal_free(s);
}
END_TEST

START_TEST(test_secret_opens_in_its_place)
{
	struct mib_file_seal *s = seal_of(MIB_FILE_SEAL_PASSPHRASE, scrypt_key);
	struct mib_file_seal_head head = { .kind = MIB_FILE_SEAL_PASSPHRASE };
	uint8_t check[MIB_FILE_SEAL_CHECK];
	struct mib_secret out;
	struct mib_diag d;

	memcpy(head.salt, salt, sizeof(salt));
	memcpy(head.key_check, key_check, sizeof(key_check));
	ck_assert_int_eq(mib_file_seal_check(s, &head, &d), MIB_OK);
	ck_assert_int_eq(mib_file_seal_unwrap(s, cell(), k, 2, sealed, sizeof(sealed), &out, &d),
			 MIB_OK);
	ck_assert_uint_eq(out.len, PLAIN_LEN);
	ck_assert_mem_eq(out.data, plain, PLAIN_LEN);
	ck_assert_int_eq(mib_file_seal_end(s, check), MIB_OK);
	ck_assert_mem_eq(check, list_check, sizeof(list_check));
	mib_secret_fini(&out);
	mib_file_seal_free(s);
}
END_TEST

START_TEST(test_secret_opens_nowhere_else)
{
	struct mib_file_seal *s = seal_of(MIB_FILE_SEAL_PASSPHRASE, scrypt_key);
	struct mib_secret out;
	struct mib_diag d;

	ck_assert_int_eq(mib_file_seal_unwrap(s, cell(), other, 2, sealed, sizeof(sealed), &out, &d),
			 MIB_WRONG_VALUE);
	ck_assert_str_eq(d.object, "ipsaCredCredential.\"o\"");
	ck_assert_int_eq(mib_file_seal_unwrap(s, MIB_COL(ipsaCredentialTable, ipsaCredMngName), k, 2,
					      sealed, sizeof(sealed), &out, &d), MIB_WRONG_VALUE);
	ck_assert_int_eq(mib_file_seal_unwrap(s, cell(), k, 2, sealed, 15, &out, &d),
			 MIB_WRONG_VALUE);
	mib_file_seal_free(s);
}
END_TEST

START_TEST(test_every_changed_octet_is_noticed)
{
	struct mib_file_seal *s = seal_of(MIB_FILE_SEAL_PASSPHRASE, scrypt_key);

	for (size_t i = 0; i < sizeof(sealed); i++) {
		uint8_t blob[sizeof(sealed)];
		struct mib_secret out;
		struct mib_diag d;

		memcpy(blob, sealed, sizeof(blob));
		blob[i] ^= 1;
		ck_assert_int_eq(mib_file_seal_unwrap(s, cell(), k, 2, blob, sizeof(blob), &out, &d),
				 MIB_WRONG_VALUE);
		ck_assert_int_eq(mib_file_seal_unwrap(s, cell(), k, 2, sealed, i, &out, &d),
				 MIB_WRONG_VALUE);
	}
	mib_file_seal_free(s);
}
END_TEST

START_TEST(test_other_keys_kinds_and_salts_are_told_apart)
{
	struct mib_file_seal *s = seal_of(MIB_FILE_SEAL_PASSPHRASE, keyfile_key);
	struct mib_file_seal_head head = { .kind = MIB_FILE_SEAL_PASSPHRASE };
	struct mib_diag d;

	memcpy(head.salt, salt, sizeof(salt));
	memcpy(head.key_check, key_check, sizeof(key_check));
	ck_assert_int_eq(mib_file_seal_check(s, &head, &d), MIB_WRONG_VALUE);
	ck_assert_ptr_nonnull(strstr(d.text, "passphrase"));
	mib_file_seal_free(s);
	s = seal_of(MIB_FILE_SEAL_KEYFILE, scrypt_key);
	ck_assert_int_eq(mib_file_seal_check(s, &head, &d), MIB_WRONG_VALUE);
	ck_assert_ptr_nonnull(strstr(d.text, "not a key file"));
	mib_file_seal_free(s);
	s = seal_of(MIB_FILE_SEAL_PASSPHRASE, scrypt_key);
	head.salt[0] ^= 1;
	ck_assert_int_eq(mib_file_seal_check(s, &head, &d), MIB_WRONG_VALUE);
	mib_file_seal_free(s);
}
END_TEST

START_TEST(test_order_of_a_list_counts)
{
	struct mib_file_seal *s = seal_of(MIB_FILE_SEAL_KEYFILE, keyfile_key);
	uint8_t blob[PLAIN_LEN + MIB_FILE_SEAL_OVERHEAD], a[MIB_FILE_SEAL_CHECK],
		b[MIB_FILE_SEAL_CHECK];
	struct mib_file_seal_head head;

	ck_assert_int_eq(mib_file_seal_begin(s, &head), MIB_OK);
	ck_assert_int_eq(mib_file_seal_wrap(s, cell(), k, 2, plain, PLAIN_LEN, blob), MIB_OK);
	ck_assert_int_eq(mib_file_seal_wrap(s, cell(), other, 2, plain, PLAIN_LEN, blob), MIB_OK);
	ck_assert_int_eq(mib_file_seal_end(s, a), MIB_OK);
	ck_assert_int_eq(mib_file_seal_begin(s, &head), MIB_OK);
	ck_assert_int_eq(mib_file_seal_wrap(s, cell(), other, 2, plain, PLAIN_LEN, blob), MIB_OK);
	ck_assert_int_eq(mib_file_seal_wrap(s, cell(), k, 2, plain, PLAIN_LEN, blob), MIB_OK);
	ck_assert_int_eq(mib_file_seal_end(s, b), MIB_OK);
	ck_assert_mem_ne(a, b, sizeof(a));
	mib_file_seal_free(s);
}
END_TEST

/* ---- the salt ---- */

static char dir[] = "/tmp/check_file_seal.XXXXXX";

static struct mib_db *open_db(const char *name, struct mib_seal **seal)
{
	char path[128];
	struct mib_db *db;
	struct mib_diag d;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(mib_seal_open(dir, NULL, seal, &d), MIB_OK);
	ck_assert_msg(mib_db_open(path, *seal, &db, &d) == MIB_OK, "%s", d.text);
	return db;
}

static void close_db(struct mib_db *db, struct mib_seal *seal)
{
	mib_db_close(db);
	mib_seal_close(seal);
}

START_TEST(test_store_has_one_salt_for_life)
{
	uint8_t first[MIB_FILE_SEAL_SALT], again[MIB_FILE_SEAL_SALT];
	struct mib_seal *seal;
	struct mib_diag d;
	struct mib_db *db;
	char path[128];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	db = open_db("a", &seal);
	ck_assert_int_eq(mib_db_file_salt(db, first, &d), MIB_OK);
	ck_assert_mem_ne(first, salt, sizeof(salt));
	ck_assert_int_eq(mib_db_adopt_file_salt(db, salt, &d), MIB_OK);
	close_db(db, seal);
	db = open_db("a", &seal);
	ck_assert_int_eq(mib_db_file_salt(db, again, &d), MIB_OK);
	ck_assert_mem_eq(first, again, sizeof(first));
	close_db(db, seal);
	/* One without a salt takes what comes first. */
	db = open_db("b", &seal);
	ck_assert_int_eq(mib_db_adopt_file_salt(db, salt, &d), MIB_OK);
	ck_assert_int_eq(mib_db_file_salt(db, again, &d), MIB_OK);
	ck_assert_mem_eq(again, salt, sizeof(salt));
	close_db(db, seal);
	snprintf(path, sizeof(path), "rm -rf %s", dir);
	ck_assert_int_eq(system(path), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mibs/file_seal");
	TCase *c = tcase_create("file_seal");
	SRunner *r = srunner_create(s);
	struct mib_diag d;
	int failed;

	if (mib_secmem_init(MIB_SECMEM_MAY_SWAP, &d) != MIB_OK)
		return EXIT_FAILURE;
	tcase_set_timeout(c, 60);
	tcase_add_test(c, test_key_of_a_passphrase_is_scrypt);
	tcase_add_test(c, test_key_of_a_key_file_is_hmac);
	tcase_add_test(c, test_list_is_sealed_as_another_implementation_does_it);
	tcase_add_test(c, test_secret_opens_in_its_place);
	tcase_add_test(c, test_secret_opens_nowhere_else);
	tcase_add_test(c, test_every_changed_octet_is_noticed);
	tcase_add_test(c, test_other_keys_kinds_and_salts_are_told_apart);
	tcase_add_test(c, test_order_of_a_list_counts);
	tcase_add_test(c, test_store_has_one_salt_for_life);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
