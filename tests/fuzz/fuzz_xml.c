/*
 * tests/fuzz/fuzz_xml.c - files an operator might import, against a store that holds something.
 *
 * Through the parser, the records that it sends, and their reader. Whatever the file, the store
 * stays sound: a refusal or a dry run leaves it octet for octet, and what has come in goes out and
 * in again unchanged. What begins with an octet below the tab is no file, but records and messages
 * of an import process that was taken over.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipspd/import_wire.h"
#include "xml/parse.h"
#include "xml/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char first_state[] =
	"<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">"
	"<IPSEC-SPD-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-SPD-MIB\">"
	"<spdRuleDefinitionTable><spdRuleDefinitionEntry><spdRuleDefName>old</spdRuleDefName>"
	"<spdRuleDefFilter>1.3.6.1.2.1.153.1.7.1.0</spdRuleDefFilter>"
	"<spdRuleDefAction>1.3.6.1.2.1.153.1.13.1.0</spdRuleDefAction>"
	"<spdRuleDefRowStatus>active</spdRuleDefRowStatus></spdRuleDefinitionEntry>"
	"</spdRuleDefinitionTable></IPSEC-SPD-MIB></data>";

static uint64_t stopped_clock(void)
{
	return 1;
}

static void must(bool holds)
{
	if (!holds)
		abort();
}

static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	return fd;
}

static bool keep(void *arg, const uint8_t *octets, size_t len)
{
	return import_records_add(arg, octets, len);
}

/* What the import process makes of the file, as the agent gets it. */
static enum mib_err parse(int fd, struct import_records *records, struct xml_diag *d)
{
	static struct import_writer w;
	struct xml_sink sink;
	struct xml_parse *p;
	enum mib_err err;

	w = (struct import_writer){ .flush = keep, .arg = records, .diag = d };
	sink = import_writer_sink(&w);
	must(xml_parse_new(&sink, d, &p) == MIB_OK);
	err = xml_parse_fd(p, fd);
	xml_parse_free(p);
	must(err || import_writer_end(&w));
	return err;
}

static enum mib_err import(struct mib_store *s, int fd, bool replace, bool dry,
			   struct xml_summary *sum)
{
	const struct xml_import_options o = { .replace = replace, .dry_run = dry, .who = "fuzz" };
	struct import_records records = { 0 };
	struct xml_diag d;
	enum mib_err err = parse(fd, &records, &d);

	/* What our own parser wrote is never malformed. */
	if (!err) {
		err = import_records_apply(s, &records, &o, sum, &d);
		must(err != MIB_GEN_ERR);
	}
	import_records_fini(&records);
	must(err == MIB_OK || d.diag.text[0] != '\0');
	return err;
}

/* Exports into a new file. */
static int export(struct mib_store *s)
{
	struct mib_diag d;
	int fd = file_of("", 0);

	must(xml_export(s, fd, NULL, &d) == MIB_OK);
	return fd;
}

static bool same_files(int a, int b)
{
	off_t len = lseek(a, 0, SEEK_END);
	char *x = malloc((size_t)len), *y = malloc((size_t)len);
	bool same = x && y && lseek(b, 0, SEEK_END) == len && pread(a, x, (size_t)len, 0) == len &&
		    pread(b, y, (size_t)len, 0) == len && memcmp(x, y, (size_t)len) == 0;

	free(x);
	free(y);
	return same;
}

static void try(struct mib_store *s, int file, bool replace)
{
	struct xml_summary sum = { 0 };
	int before = export(s), after;
	enum mib_err dry = import(s, file, replace, true, &sum), real;

	after = export(s);
	must(same_files(before, after));
	close(after);
	real = import(s, file, replace, false, &sum);
	must(real == dry);
	after = export(s);
	must(real == MIB_OK || same_files(before, after));
	must(import(s, after, true, false, &sum) == MIB_OK);
	must(sum.created + sum.changed + sum.destroyed == 0);
	close(before);
	close(after);
}

/* Records as an import process might send them that its file has taken over. */
static void hostile(struct mib_store *s, const uint8_t *data, size_t size)
{
	const struct xml_import_options o = { .who = "fuzz" };
	struct import_records records = { 0 };
	int before = export(s), after;
	struct xml_summary sum;
	struct xml_seal seal;
	struct xml_diag d;
	enum mib_err err;

	must(import_records_add(&records, data, size));
	(void)import_records_seal(&records, &seal);
	err = import_records_apply(s, &records, &o, &sum, &d);
	must(err == MIB_OK || d.diag.text[0] != '\0');
	after = export(s);
	must(err == MIB_OK || same_files(before, after));
	import_records_fini(&records);
	close(before);
	close(after);
}

static void messages(const uint8_t *data, size_t size)
{
	struct chan_msg m = { .data = data, .len = size };
	struct import_job job;
	struct xml_diag d;
	enum mib_err err;

	if (import_job_read(&m, &job))
		must(job.url[0] != '\0' && memchr(job.url, '\0', sizeof(job.url)) != NULL);
	if (import_refused_read(&m, &err, &d))
		must(err != MIB_OK && err != MIB_BUSY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int first = file_of(first_state, sizeof(first_state) - 1), file = file_of(data, size);
	struct xml_summary sum;
	struct mib_store *s;

	must(mib_store_new(NULL, stopped_clock, &s) == MIB_OK);
	must(import(s, first, false, false, &sum) == MIB_OK);
	/* No file begins like a record: an octet below the space. */
	if (size > 0 && data[0] < '\t') {
		hostile(s, data, size);
		messages(data, size);
	} else {
		try(s, file, false);
		try(s, file, true);
	}
	mib_store_free(s);
	close(first);
	close(file);
	return 0;
}
