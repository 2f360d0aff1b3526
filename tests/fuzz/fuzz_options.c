/*
 * tests/fuzz/fuzz_options.c - the options file, and the command line that root parses.
 *
 * The first octet chooses: 'f' an options file, anything else a command line with its arguments on
 * lines of their own. What is refused leaves what was there and gives a reason; what is taken is
 * such as the processes rely on.
 */
#include "config.h"

#include <getopt.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "ipspd/options.h"
#include "tests/fuzz/fuzz.h"

#define ARGS_MAX 32

static void must_be_text(const char *text, size_t size)
{
	must(memchr(text, '\0', size) != NULL);
}

static void try_file(const uint8_t *data, size_t size)
{
	struct options_file f, before;
	struct attach attach;
	char why[256] = "";
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	memset(&f, 0xa5, sizeof(f));
	memcpy(&before, &f, sizeof(f));
	if (!options_file_read(fd, "fuzz", &f, why, sizeof(why))) {
		must_be_text(why, sizeof(why));
		must(why[0] != '\0' && memcmp(&before, &f, sizeof(f)) == 0);
		return;
	}
	must_be_text(f.master, sizeof(f.master));
	must(f.master[0] != '\0' && f.options.log_level <= LOG_DEBUG);
	must(f.options.n_attach == 1);
	must_be_text(f.options.attach[0], sizeof(f.options.attach[0]));
	must(attach_parse(f.options.attach[0], &attach) == NULL);
	must_be_text(attach.name, sizeof(attach.name));
}

static void must_be_path(const char *path)
{
	must(path == NULL || (path[0] == '/' && strlen(path) < START_PATH_MAX));
}

static void must_be_good(const struct options *o)
{
	struct attach attach;

	must_be_path(o->file);
	must_be_path(o->statedir);
	must_be_path(o->control_path);
	must_be_path(o->pfkey_path);
	must_be_path(o->import);
	must_be_path(o->pidfile);
	must(o->statedir && o->control_path && o->pfkey_path && o->master);
	must(strlen(o->master) < START_PATH_MAX);
	must(o->n_attach <= START_ATTACH_MAX);
	for (size_t i = 0; i < o->n_attach; i++)
		must(attach_parse(o->attach[i], &attach) == NULL);
}

static void try_line(const uint8_t *data, size_t size)
{
	static char program[] = "ipspd";
	char *argv[ARGS_MAX + 2] = { program };
	char *text = calloc(1, size + 1), *rest = text;
	struct options o, before;
	int argc = 1;

	must(text != NULL);
	memcpy(text, data, size);
	for (char *arg; argc <= ARGS_MAX && (arg = strsep(&rest, "\n"));)
		argv[argc++] = arg;
	memset(&o, 0xa5, sizeof(o));
	memcpy(&before, &o, sizeof(o));
	optind = 0;
	if (options_parse(argc, argv, &o) == OPTIONS_RUN)
		must_be_good(&o);
	else
		must(memcmp(&before, &o, sizeof(o)) == 0);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *nowhere;

	if (!nowhere) {
		/* What it says to people would be most of the output. */
		nowhere = fopen("/dev/null", "w");
		must(nowhere != NULL);
	}
	if (size == 0)
		return 0;
	if (data[0] == 'f') {
		try_file(data + 1, size - 1);
		return 0;
	}
	FILE *const out = stdout, *const err = stderr;

	stdout = stderr = nowhere;
	try_line(data + 1, size - 1);
	stdout = out;
	stderr = err;
	return 0;
}
