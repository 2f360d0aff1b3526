/*
 * tests/fuzz/fuzz_records.c - what an import process that was taken over might send to the agent.
 *
 * The first octet chooses: 'r' records and messages as they stand there; anything else two octets
 * of a place, one of a change, and an XML file, in whose records the octet at that place is changed.
 * Whatever comes, a refusal has a reason and leaves the store as it was.
 */
#include "config.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipspd/import_wire.h"
#include "tests/fuzz/fuzz.h"
#include "xml/parse.h"
#include "xml/xml.h"

static uint64_t stopped_clock(void)
{
	return 1;
}

/* ---- records ---- */

static bool keep(void *arg, const uint8_t *octets, size_t len)
{
	return import_records_add(arg, octets, len);
}

static bool records_of_file(const uint8_t *data, size_t size, struct import_records *records)
{
	static struct import_writer w;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct xml_diag d = { 0 };
	struct xml_sink sink;
	struct xml_parse *p;

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	w = (struct import_writer){ .flush = keep, .arg = records, .diag = &d };
	sink = import_writer_sink(&w);
	must(xml_parse_new(&sink, &d, &p) == MIB_OK);
	const bool good = xml_parse_fd(p, fd) == MIB_OK && import_writer_end(&w);

	xml_parse_free(p);
	close(fd);
	return good;
}

/* ---- the store ---- */

static char *export_of(struct mib_store *s, size_t *len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct mib_diag d;
	char *text;

	must(fd >= 0 && xml_export(s, fd, NULL, &d) == MIB_OK);
	*len = (size_t)lseek(fd, 0, SEEK_END);
	text = malloc(*len);
	must(text && pread(fd, text, *len, 0) == (ssize_t)*len);
	close(fd);
	return text;
}

static void apply(struct mib_store *s, const struct import_records *r, bool replace)
{
	const struct xml_import_options o = { .replace = replace, .who = "fuzz" };
	struct xml_summary sum;
	struct xml_diag d = { 0 };
	size_t before_len, after_len;
	char *before = export_of(s, &before_len), *after;
	const enum mib_err err = import_records_apply(s, r, &o, &sum, &d);

	after = export_of(s, &after_len);
	must(err == MIB_OK || d.diag.text[0] != '\0');
	must(err == MIB_OK || (before_len == after_len && memcmp(before, after, after_len) == 0));
	must(mib_store_staged(s) == NULL);
	free(before);
	free(after);
}

/* ---- messages ---- */

static void read_messages(const uint8_t *data, size_t size)
{
	struct chan_msg m = { .data = data, .len = size };
	struct xml_diag d;
	struct import_job job;
	enum mib_err err;

	if (import_refused_read(&m, &err, &d)) {
		must(err != MIB_OK && err != MIB_BUSY);
		must(memchr(d.diag.text, '\0', sizeof(d.diag.text)) != NULL);
		must(memchr(d.diag.object, '\0', sizeof(d.diag.object)) != NULL);
	}
	if (import_job_read(&m, &job))
		must(memchr(job.url, '\0', sizeof(job.url)) != NULL &&
		     job.seconds <= IMPORT_SECONDS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct import_records r = { 0 };
	struct xml_seal seal;
	struct mib_store *s;

	if (size > 0 && data[0] == 'r') {
		must(import_records_add(&r, data + 1, size - 1));
		read_messages(data + 1, size - 1);
	} else if (size < 4 || !records_of_file(data + 4, size - 4, &r)) {
		import_records_fini(&r);
		return 0;
	} else if (r.len > 0) {
		r.data[(size_t)(data[1] << 8 | data[2]) % r.len] ^= data[3];
	}
	(void)import_records_seal(&r, &seal);
	must(mib_store_new(NULL, stopped_clock, &s) == MIB_OK);
	apply(s, &r, false);
	apply(s, &r, true);
	mib_store_free(s);
	import_records_fini(&r);
	return 0;
}
