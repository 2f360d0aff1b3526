/*
 * tests/unit/faults/check_xml.c - XML files from their octets down to the database, and out of the
 * store into octets, with each allocation failing in turn: ours, libxml2's, libgcrypt's, SQLite's.
 *
 * An import that fails says so and has changed nothing; an export that fails is no whole file; and
 * the same works afterwards.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libxml/xmlerror.h>

#include "tests/unit/faults/nomem.h"
#include "tests/unit/faults/world.h"
#include "tests/unit/mibs/fixture.h"
#include "tests/unit/xml/fixture.h"

#define TRIES_MAX 5000
#define FILE_MAX (64u << 10)

/* What the file has, against a store with world_rows: two rows more, one that is changed. */
static const char in_the_file[] =
	"+ cred k Type=sharedSecret Credential=0x33*32 AdminStatus=enabled\n"
	"+ cred k2 Type=sharedSecret Credential=0x34*32 AdminStatus=enabled\n"
	"+ rule old Filter=spdTrueFilter.0 Action=spdDropAction.0 Description=changed\n"
	"+ rule new Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n";

/* Which allocation fails: any one, or ours and libxml2's from one on. */
#define ONE NOMEM_ALL, NOMEM_ONCE
#define NO_MORE NOMEM_OURS, NOMEM_FOR_GOOD

static const struct {
	const char *name;
	unsigned int flags;
	bool secrets;	/* those of the file are opened; without, they are passed over */
	enum nomem_scope scope;
	enum nomem_kind kind;
} imports[] = {
	{ "merge", 0, false, ONE },
	{ "merge with secrets", 0, true, NO_MORE },
	{ "replace", REPLACE, false, NO_MORE },
	{ "replace with secrets", REPLACE, true, ONE },
};

static const struct {
	const char *name;
	bool secrets;
	enum nomem_scope scope;
	enum nomem_kind kind;
} exports[] = {
	{ "without secrets", false, NO_MORE },
	{ "with secrets", true, ONE },
	{ "with secrets, and no memory from there on", true, NO_MORE },
};

static struct world w;
static struct mib_file_seal *seal;
static char *file;

static void setup(void)
{
	world_init(&w, in_the_file);
	seal = seal_of(1);
	file = export_sealed(w.store, seal);
	world_fini(&w);
	world_init(&w, world_rows);
}

static void teardown(void)
{
	free(file);
	mib_file_seal_free(seal);
	world_fini(&w);
}

static void must_be(const char *want)
{
	struct mib_diag d = { 0 };
	char *got;

	/* What a failed commit may have left on disk is taken back at the next occasion. */
	ck_assert_msg(mib_db_idle(w.db, &d) == MIB_OK, "%s", d.text);
	got = world_state(&w);
	fx_expect_same(want, got);
	free(got);
}

static struct outcome run_import(size_t nr)
{
	return import_sealed(w.store, file, imports[nr].secrets ? seal : NULL, imports[nr].flags);
}

/* The states before and after, the latter undone. */
static void both_states(size_t nr, char **before, char **after)
{
	struct outcome o;

	*before = world_state(&w);
	o = run_import(nr);
	must_import(&o);
	*after = world_state(&w);
	ck_assert_str_ne(*before, *after);
	world_reset(&w);
	must_be(*before);
}

START_TEST(test_an_import_without_memory_changes_nothing)
{
	const size_t nr = (size_t)_i;
	char *before, *after;
	unsigned long n;
	struct outcome o;

	both_states(nr, &before, &after);
	for (n = 1; n < TRIES_MAX; n++) {
		nomem_arm(imports[nr].scope, imports[nr].kind, n);
		o = run_import(nr);
		nomem_disarm();
		ck_assert_msg(o.err == MIB_OK || (nomem_happened() && o.d.diag.text[0] &&
						  (o.err == MIB_RESOURCE_UNAVAILABLE ||
						   o.err == MIB_COMMIT_FAILED)),
			      "%s, allocation %lu: %s, line %u %s: %s", imports[nr].name, n,
			      mib_err_name(o.err), o.d.line, o.d.diag.object, o.d.diag.text);
		must_be(o.err ? before : after);
		if (!nomem_happened())
			break;
		if (!o.err)
			world_reset(&w);	/* libraries can do without some of their memory */
	}
	ck_assert_uint_gt(n, 20);
	ck_assert_uint_lt(n, TRIES_MAX);
	free(before);
	free(after);
}
END_TEST

/* The root's end tag is what makes a file whole. */
START_TEST(test_an_export_without_memory_is_no_whole_file)
{
	struct mib_file_seal *key = exports[_i].secrets ? seal : NULL;
	char *want = export_sealed(w.store, key);
	static char got[FILE_MAX];
	unsigned long n;

	for (n = 1; n < TRIES_MAX; n++) {
		const int fd = memfd_create("test", MFD_CLOEXEC);
		struct mib_diag d = { 0 };
		enum mib_err err;
		ssize_t len;

		nomem_arm(exports[_i].scope, exports[_i].kind, n);
		err = xml_export(w.store, fd, key, &d);
		nomem_disarm();
		len = pread(fd, got, sizeof(got) - 1, 0);
		close(fd);
		ck_assert_int_ge(len, 0);
		got[len] = '\0';
		if (err) {
			ck_assert_int_eq(err, MIB_RESOURCE_UNAVAILABLE);
			ck_assert_str_ne(d.text, "");
			ck_assert_msg(nomem_happened() && !strstr(got, "</data>"), "%s, allocation %lu",
				      exports[_i].name, n);
		} else {
			must_equal(want, got);
		}
		if (!nomem_happened())
			break;
	}
	ck_assert_uint_gt(n, 1);
	ck_assert_uint_lt(n, TRIES_MAX);
	free(want);
}
END_TEST

/* LeakSanitizer's: libxml2's writer leaks the name of an element that it cannot put on its stack. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:xmlTextWriterStart";
}

/* What libxml2 would say of its lack of memory. */
static void quiet(void *arg, const char *format, ...)
{
	(void)arg;
	(void)format;
}

int main(void)
{
	Suite *s = suite_create("faults/xml");
	TCase *c = tcase_create("memory");
	SRunner *r = srunner_create(s);
	int failed;

	xmlSetGenericErrorFunc(NULL, quiet);
	tcase_set_timeout(c, 300);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, test_an_import_without_memory_changes_nothing, 0,
			    COUNT(imports));
	tcase_add_loop_test(c, test_an_export_without_memory_is_no_whole_file, 0, COUNT(exports));
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
