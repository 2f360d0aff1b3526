/*
 * check_seal.c - mibs/seal.c and mibs/secmem.c: blobs open in their place and under their key only;
 * the key file is made once, complete, and private.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "persist_fake.h"

static struct fake_db fix;

static void setup(void)
{
	fake_db_init(&fix);
}

static void teardown(void)
{
	fake_db_fini(&fix);
}

static const struct mib_column *const secret_col = &fake_columns[FAKE_SECRET];
static const uint32_t place[] = { 7, 4294967295u };

static struct mib_seal *open_seal(void)
{
	struct mib_seal *s;
	struct mib_diag d = { .varbind = 0 };

	ck_assert_msg(mib_seal_open(fix.dir, NULL, &s, &d) == MIB_OK, "%s", d.text);
	return s;
}

static struct mib_seal *make_seal(void)
{
	struct mib_seal *s = open_seal();
	struct mib_diag d = { .varbind = 0 };

	ck_assert_msg(mib_seal_make_key(s, &d) == MIB_OK, "%s", d.text);
	return s;
}

static void put_file(const char *path, const void *data, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

/* ---- secure memory ---- */

START_TEST(test_secrets_are_in_secure_memory)
{
	struct mib_secret s;

	ck_assert_int_eq(mib_secret_init(&s, 64), MIB_OK);
	ck_assert(gcry_is_secure(s.data));
	ck_assert_uint_eq(s.len, 64);
	for (size_t i = 0; i < 64; i++)
		ck_assert_uint_eq(s.data[i], 0);
	mib_secret_fini(&s);
	ck_assert_ptr_null(s.data);
	ck_assert_uint_eq(s.len, 0);
	mib_secret_fini(&s);
}
END_TEST

START_TEST(test_the_pool_is_bounded)
{
	struct mib_secret s;

	ck_assert_int_eq(mib_secret_init(&s, MIB_SECMEM_BYTES + 1), MIB_RESOURCE_UNAVAILABLE);
}
END_TEST

static bool lock_refused;

/** Stands before the C library's, which AddressSanitizer turns into nothing. */
int mlock(const void *start, size_t len)
{
	if (!lock_refused)
		return (int)syscall(SYS_mlock, start, len);
	errno = EPERM;
	return -1;
}

/** In a process of its own, which may not lock memory. @return 0 when all went as it should */
static int refused_lock(void)
{
	struct mib_diag d = { .varbind = 0 };

	lock_refused = true;
	if (mib_secmem_init(0, &d) != MIB_RESOURCE_UNAVAILABLE || !strstr(d.text, "RLIMIT_MEMLOCK"))
		return 2;
	/* Asking again must not find it done. */
	if (mib_secmem_init(0, &d) != MIB_RESOURCE_UNAVAILABLE)
		return 3;
	return mib_secmem_init(MIB_SECMEM_MAY_SWAP, &d) == MIB_OK ? 0 : 4;
}

START_TEST(test_memory_that_cannot_be_locked_is_an_error_unless_allowed)
{
	int status;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(refused_lock());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

static int foreign_init(void)
{
	struct mib_diag d = { .varbind = 0 };

	gcry_check_version(NULL);
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	return mib_secmem_init(0, &d) == MIB_RESOURCE_UNAVAILABLE ? 0 : 1;
}

START_TEST(test_a_library_that_initialised_gcrypt_first_is_an_error)
{
	int status;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(foreign_init());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* ---- blobs ---- */

static const size_t lengths[] = { 0, 1, 15, 16, 32, 1024, 65535 };

START_TEST(test_a_secret_of_each_length_comes_back)
{
	struct mib_seal *s = make_seal();
	size_t len = lengths[_i];
	uint8_t *text = malloc(len + 1), *blob = malloc(len + MIB_SEAL_OVERHEAD);
	struct mib_secret out;

	for (size_t i = 0; i < len; i++)
		text[i] = (uint8_t)(i * 7 + 1);
	ck_assert_int_eq(mib_seal_wrap(s, secret_col, place, 2, text, len, blob), MIB_OK);
	ck_assert_int_eq(mib_seal_unwrap(s, secret_col, place, 2, blob, len + MIB_SEAL_OVERHEAD,
					 &out, NULL), MIB_OK);
	ck_assert_uint_eq(out.len, len);
	ck_assert(gcry_is_secure(out.data));
	ck_assert_int_eq(memcmp(out.data, text, len), 0);
	mib_secret_fini(&out);
	free(blob);
	free(text);
	mib_seal_close(s);
}
END_TEST

/* Made by Python's cryptography 48 (AESGCM of OpenSSL) as mibs/seal.h describes: key 00 01 .. 1f,
 * nonce 40 41 .. 4b, FAKE-MIB, fakeTable, fakeSecret, index 7.4294967295. */
static const uint8_t foreign_blob[] = {
	0x01, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a,
	0x4b, 0x83, 0x99, 0xdd, 0x46, 0x45, 0x4e, 0xe2, 0x77, 0xed, 0xab, 0x71,
	0x16, 0xef, 0x0c, 0x76, 0x7b, 0x35, 0x87, 0x1c, 0xe4, 0xb7, 0x62, 0xab,
	0x0f, 0xe7, 0xbf, 0x6c, 0xbf, 0x10, 0x5d, 0xc6, 0xd6, 0x7a, 0x36, 0x1f,
};

static struct mib_seal *foreign_seal(void)
{
	uint8_t key[MIB_SEAL_KEY_LEN];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	put_file(fix.key, key, sizeof(key), 0600);
	return open_seal();
}

START_TEST(test_a_blob_of_another_implementation_opens)
{
	struct mib_seal *s = foreign_seal();
	struct mib_secret out;

	ck_assert_int_eq(mib_seal_unwrap(s, secret_col, place, 2, foreign_blob,
					 sizeof(foreign_blob), &out, NULL), MIB_OK);
	ck_assert_uint_eq(out.len, 19);
	ck_assert_int_eq(memcmp(out.data, "a secret of the LAN", 19), 0);
	mib_secret_fini(&out);
	mib_seal_close(s);
}
END_TEST

START_TEST(test_a_blob_with_any_octet_changed_is_refused)
{
	struct mib_seal *s = foreign_seal();

	for (size_t i = 0; i < sizeof(foreign_blob); i++) {
		uint8_t blob[sizeof(foreign_blob)];
		struct mib_secret out = { NULL, 99 };
		struct mib_diag d = { .varbind = 0 };

		memcpy(blob, foreign_blob, sizeof(blob));
		blob[i] ^= 0x10;
		ck_assert_int_eq(mib_seal_unwrap(s, secret_col, place, 2, blob, sizeof(blob), &out,
						 &d), MIB_WRONG_VALUE);
		ck_assert_uint_eq(out.len, 99);
		ck_assert_uint_gt(strlen(d.text), 0);
	}
	mib_seal_close(s);
}
END_TEST

START_TEST(test_a_blob_cut_anywhere_is_refused)
{
	struct mib_seal *s = foreign_seal();

	for (size_t len = 0; len < sizeof(foreign_blob); len++) {
		uint8_t *blob = malloc(len + 1);
		struct mib_secret out;

		memcpy(blob, foreign_blob, len);
		ck_assert_int_eq(mib_seal_unwrap(s, secret_col, place, 2, blob, len, &out, NULL),
				 MIB_WRONG_VALUE);
		free(blob);
	}
	mib_seal_close(s);
}
END_TEST

static const struct mib_table other_module = { .name = "fakeTable", .module = "FAKE-MI" };
static const struct mib_table other_table = { .name = "fakeTablf", .module = "FAKE-MIB" };
static const struct mib_table shifted_table = { .name = "BfakeTable", .module = "FAKE-MI" };

static const struct {
	const char *name;
	struct mib_column col;
	uint32_t index[3];
	size_t index_len;
} elsewhere[] = {
	{ "other last id", { .name = "fakeSecret", .table = &fake_table }, { 7, 8 }, 2 },
	{ "other first id", { .name = "fakeSecret", .table = &fake_table }, { 6, 4294967295u }, 2 },
	{ "longer index", { .name = "fakeSecret", .table = &fake_table },
	  { 7, 4294967295u, 0 }, 3 },
	{ "shorter index", { .name = "fakeSecret", .table = &fake_table }, { 7 }, 1 },
	{ "no index", { .name = "fakeSecret", .table = &fake_table }, { 0 }, 0 },
	{ "other column", { .name = "fakeOctets", .table = &fake_table }, { 7, 4294967295u }, 2 },
	{ "other table", { .name = "fakeSecret", .table = &other_table }, { 7, 4294967295u }, 2 },
	{ "other module", { .name = "fakeSecret", .table = &other_module }, { 7, 4294967295u }, 2 },
	{ "same letters, other borders", { .name = "fakeSecret", .table = &shifted_table },
	  { 7, 4294967295u }, 2 },
};

START_TEST(test_a_blob_moved_elsewhere_is_refused)
{
	struct mib_seal *s = foreign_seal();
	struct mib_secret out;

	ck_assert_msg(mib_seal_unwrap(s, &elsewhere[_i].col, elsewhere[_i].index,
				      elsewhere[_i].index_len, foreign_blob, sizeof(foreign_blob),
				      &out, NULL) == MIB_WRONG_VALUE, "%s", elsewhere[_i].name);
	mib_seal_close(s);
}
END_TEST

START_TEST(test_sealing_twice_gives_different_blobs)
{
	struct mib_seal *s = make_seal();
	uint8_t a[4 + MIB_SEAL_OVERHEAD], b[4 + MIB_SEAL_OVERHEAD];

	ck_assert_int_eq(mib_seal_wrap(s, secret_col, place, 2, (const uint8_t *)"same", 4, a),
			 MIB_OK);
	ck_assert_int_eq(mib_seal_wrap(s, secret_col, place, 2, (const uint8_t *)"same", 4, b),
			 MIB_OK);
	ck_assert_int_ne(memcmp(a + 1, b + 1, 12), 0);
	ck_assert_int_ne(memcmp(a + 13, b + 13, 4), 0);
	mib_seal_close(s);
}
END_TEST

START_TEST(test_a_key_check_fits_its_key_only)
{
	struct mib_seal *s = make_seal();
	uint8_t check[MIB_SEAL_OVERHEAD], value[MIB_SEAL_OVERHEAD];

	ck_assert_int_eq(mib_seal_check_make(s, check), MIB_OK);
	ck_assert(mib_seal_check_fits(s, check, sizeof(check)));
	ck_assert(!mib_seal_check_fits(s, check, sizeof(check) - 1));
	ck_assert_int_eq(mib_seal_wrap(s, secret_col, place, 2, NULL, 0, value), MIB_OK);
	ck_assert(!mib_seal_check_fits(s, value, sizeof(value)));
	mib_seal_close(s);

	s = foreign_seal();
	ck_assert(!mib_seal_check_fits(s, check, sizeof(check)));
	mib_seal_close(s);
}
END_TEST

START_TEST(test_without_a_key_nothing_is_sealed_or_opened)
{
	struct mib_seal *s = open_seal();
	uint8_t blob[1 + MIB_SEAL_OVERHEAD];
	struct mib_secret out;
	struct mib_diag d = { .varbind = 0 };

	ck_assert(!mib_seal_has_key(s));
	ck_assert_int_eq(mib_seal_wrap(s, secret_col, place, 2, (const uint8_t *)"x", 1, blob),
			 MIB_RESOURCE_UNAVAILABLE);
	ck_assert_int_eq(mib_seal_unwrap(s, secret_col, place, 2, foreign_blob,
					 sizeof(foreign_blob), &out, &d), MIB_RESOURCE_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(d.text, fix.key));
	mib_seal_close(s);
}
END_TEST

/* ---- the key file ---- */

START_TEST(test_the_key_file_is_made_private_and_complete)
{
	struct mib_seal *s = make_seal();
	struct stat st;
	size_t len;
	unsigned char *again = fake_slurp(&fix, "ipspd.key.new", &len);

	ck_assert_ptr_null(again);
	ck_assert_int_eq(lstat(fix.key, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(st.st_size, MIB_SEAL_KEY_LEN);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_str_eq(mib_seal_path(s), fix.key);
	mib_seal_close(s);
}
END_TEST

START_TEST(test_a_key_is_the_same_after_opening_again)
{
	struct mib_seal *s = make_seal();
	uint8_t check[MIB_SEAL_OVERHEAD];

	ck_assert_int_eq(mib_seal_check_make(s, check), MIB_OK);
	mib_seal_close(s);
	s = open_seal();
	ck_assert(mib_seal_has_key(s));
	ck_assert(mib_seal_check_fits(s, check, sizeof(check)));
	mib_seal_close(s);
}
END_TEST

START_TEST(test_a_key_that_is_there_is_never_replaced)
{
	struct mib_seal *early = open_seal();	/* found no key */
	struct mib_seal *s = make_seal();
	struct mib_diag d = { .varbind = 0 };
	size_t len;
	unsigned char *before = fake_slurp(&fix, "ipspd.key", &len);

	ck_assert_int_eq(mib_seal_make_key(s, &d), MIB_RESOURCE_UNAVAILABLE);
	ck_assert_int_eq(mib_seal_make_key(early, &d), MIB_RESOURCE_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(d.text, fix.key));

	unsigned char *after = fake_slurp(&fix, "ipspd.key", &len);

	ck_assert_uint_eq(len, MIB_SEAL_KEY_LEN);
	ck_assert_int_eq(memcmp(before, after, len), 0);
	free(before);
	free(after);
	mib_seal_close(early);
	mib_seal_close(s);
}
END_TEST

START_TEST(test_what_a_crash_left_of_a_key_is_not_taken)
{
	char temp[128];

	snprintf(temp, sizeof(temp), "%s.new", fix.key);
	put_file(temp, "half", 4, 0600);

	struct mib_seal *s = open_seal();

	ck_assert(!mib_seal_has_key(s));
	mib_seal_close(s);
	s = make_seal();
	ck_assert_int_ne(access(temp, F_OK), 0);
	mib_seal_close(s);
}
END_TEST

static const struct {
	const char *name;
	size_t len;
	mode_t mode;
	const char *says;
} bad_keys[] = {
	{ "empty", 0, 0600, "0 octets" },
	{ "short", 31, 0600, "31 octets" },
	{ "long", 33, 0600, "33 octets" },
	{ "readable by the group", 32, 0640, "0640" },
	{ "writable by others", 32, 0602, "0602" },
};

START_TEST(test_a_bad_key_file_is_refused_by_name)
{
	const uint8_t key[64] = { 1 };
	struct mib_seal *s = NULL;
	struct mib_diag d = { .varbind = 0 };

	put_file(fix.key, key, bad_keys[_i].len, bad_keys[_i].mode);
	ck_assert_int_eq(mib_seal_open(fix.dir, NULL, &s, &d), MIB_RESOURCE_UNAVAILABLE);
	ck_assert_ptr_null(s);
	ck_assert_msg(strstr(d.text, fix.key) && strstr(d.text, bad_keys[_i].says), "%s: %s",
		      bad_keys[_i].name, d.text);
}
END_TEST

START_TEST(test_a_key_that_is_no_regular_file_is_refused)
{
	struct mib_seal *s;
	struct mib_diag d = { .varbind = 0 };

	ck_assert_int_eq(mkdir(fix.key, 0700), 0);
	ck_assert_int_eq(mib_seal_open(fix.dir, NULL, &s, &d), MIB_RESOURCE_UNAVAILABLE);
	ck_assert_int_eq(rmdir(fix.key), 0);
	ck_assert_int_eq(mkfifo(fix.key, 0600), 0);
	ck_assert_int_eq(mib_seal_open(fix.dir, NULL, &s, &d), MIB_RESOURCE_UNAVAILABLE);
	ck_assert_int_eq(unlink(fix.key), 0);
	ck_assert_int_eq(symlink("/dev/zero", fix.key), 0);
	ck_assert_int_eq(mib_seal_open(fix.dir, NULL, &s, &d), MIB_RESOURCE_UNAVAILABLE);
}
END_TEST

START_TEST(test_a_credential_goes_before_the_key_file)
{
	char credentials[128], path[160];
	const uint8_t key[MIB_SEAL_KEY_LEN] = { 9 };
	struct mib_seal *s = make_seal();
	uint8_t check[MIB_SEAL_OVERHEAD];

	ck_assert_int_eq(mib_seal_check_make(s, check), MIB_OK);
	mib_seal_close(s);

	snprintf(credentials, sizeof(credentials), "%s/credentials", fix.dir);
	snprintf(path, sizeof(path), "%s/ipspd.key", credentials);
	ck_assert_int_eq(mkdir(credentials, 0700), 0);

	/* Credentials there are, but none of ours. */
	ck_assert_int_eq(mib_seal_open(fix.dir, credentials, &s, NULL), MIB_OK);
	ck_assert(mib_seal_check_fits(s, check, sizeof(check)));
	mib_seal_close(s);

	put_file(path, key, sizeof(key), 0440);
	ck_assert_int_eq(mib_seal_open(fix.dir, credentials, &s, NULL), MIB_OK);
	ck_assert(mib_seal_has_key(s));
	ck_assert_str_eq(mib_seal_path(s), path);
	ck_assert(!mib_seal_check_fits(s, check, sizeof(check)));
	mib_seal_close(s);

	put_file(path, key, 5, 0440);
	ck_assert_int_eq(mib_seal_open(fix.dir, credentials, &s, NULL), MIB_RESOURCE_UNAVAILABLE);
	unlink(path);
	rmdir(credentials);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static Suite *seal_suite(void)
{
	Suite *suite = suite_create("mibs/seal");
	TCase *locking = tcase_create("locking");	/* before anything initialises libgcrypt */
	TCase *seal = tcase_create("seal");

	tcase_add_test(locking, test_memory_that_cannot_be_locked_is_an_error_unless_allowed);
	tcase_add_test(locking, test_a_library_that_initialised_gcrypt_first_is_an_error);
	suite_add_tcase(suite, locking);

	tcase_add_checked_fixture(seal, setup, teardown);
	tcase_add_test(seal, test_secrets_are_in_secure_memory);
	tcase_add_test(seal, test_the_pool_is_bounded);
	tcase_add_loop_test(seal, test_a_secret_of_each_length_comes_back, 0, COUNT(lengths));
	tcase_add_test(seal, test_a_blob_of_another_implementation_opens);
	tcase_add_test(seal, test_a_blob_with_any_octet_changed_is_refused);
	tcase_add_test(seal, test_a_blob_cut_anywhere_is_refused);
	tcase_add_loop_test(seal, test_a_blob_moved_elsewhere_is_refused, 0, COUNT(elsewhere));
	tcase_add_test(seal, test_sealing_twice_gives_different_blobs);
	tcase_add_test(seal, test_a_key_check_fits_its_key_only);
	tcase_add_test(seal, test_without_a_key_nothing_is_sealed_or_opened);
	tcase_add_test(seal, test_the_key_file_is_made_private_and_complete);
	tcase_add_test(seal, test_a_key_is_the_same_after_opening_again);
	tcase_add_test(seal, test_a_key_that_is_there_is_never_replaced);
	tcase_add_test(seal, test_what_a_crash_left_of_a_key_is_not_taken);
	tcase_add_loop_test(seal, test_a_bad_key_file_is_refused_by_name, 0, COUNT(bad_keys));
	tcase_add_test(seal, test_a_key_that_is_no_regular_file_is_refused);
	tcase_add_test(seal, test_a_credential_goes_before_the_key_file);
	suite_add_tcase(suite, seal);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(seal_suite());

	srunner_run_all(runner, CK_ENV);

	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
