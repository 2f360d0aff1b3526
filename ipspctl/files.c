/* ipspctl/files.c - import and export. The daemon reads and writes files in memory only. */
#include "config.h"

#include "ipspctl/files.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipspctl/secrets.h"
#include "ipspd/control.h"

#define COPY_SIZE 65536

/* @return false, with errno: EFBIG when there are more than max octets */
static bool copy(int from, int to, size_t max)
{
	char buf[COPY_SIZE];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0) {
		if ((size_t)n > max) {
			errno = EFBIG;
			return false;
		}
		max -= (size_t)n;
		for (ssize_t done = 0; done < n;) {
			ssize_t w = write(to, buf + done, (size_t)(n - done));

			if (w < 0)
				return false;
			done += w;
		}
	}
	return n == 0;
}

/* The daemon gets an anonymous file, not ours: nothing can change or stall under it. */
static int private_copy(const char *path)
{
	int from = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int memory = memfd_create("ipspctl-import", MFD_CLOEXEC);

	if (from < 0 || memory < 0 || !copy(from, memory, CONTROL_FILE_MAX)) {
		fprintf(stderr, "ipspctl: %s: %s\n", path, strerror(errno));
		if (memory >= 0)
			close(memory);
		memory = -1;
	}
	if (from > STDIN_FILENO)
		close(from);
	return memory;
}

/* ---- import ---- */

/* What the words of an import or export say. */
struct file_words {
	const char *file;
	const char *seconds;
	struct secrets_source secrets;
	bool merge, replace, dry_run, difference, with_secrets, without_secrets;
};

static const struct flag {
	const char *word;
	size_t offset;		/* of a bool in struct file_words */
	bool of_export;
} flags[] = {
	{ "--merge", offsetof(struct file_words, merge), false },
	{ "--replace", offsetof(struct file_words, replace), false },
	{ "--dry-run", offsetof(struct file_words, dry_run), false },
	{ "--diff", offsetof(struct file_words, difference), false },
	{ "--without-secrets", offsetof(struct file_words, without_secrets), false },
	{ "--with-secrets", offsetof(struct file_words, with_secrets), true },
};

static const struct option_word {
	const char *word;
	size_t offset;		/* of a const char * in struct file_words */
	bool of_import, of_export;
} options[] = {
	{ "--timeout", offsetof(struct file_words, seconds), true, false },
	{ "--passphrase-file", offsetof(struct file_words, secrets.passphrase_file), true, true },
	{ "--key-file", offsetof(struct file_words, secrets.key_file), true, true },
};

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static bool take_flag(struct file_words *w, bool is_export, const char *word)
{
	for (size_t i = 0; i < N_OF(flags); i++) {
		if (flags[i].of_export != is_export || strcmp(flags[i].word, word) != 0)
			continue;
		*(bool *)((char *)w + flags[i].offset) = true;
		return true;
	}
	return false;
}

/* @return how many words it took */
static int take_option(struct file_words *w, bool is_export, int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < N_OF(options); i++) {
		const char **at = (const char **)(void *)((char *)w + options[i].offset);

		if (!(is_export ? options[i].of_export : options[i].of_import) || *at ||
		    strcmp(options[i].word, argv[0]) != 0)
			continue;
		*at = argv[1];
		return 2;
	}
	return 0;
}

static bool read_words(struct file_words *w, bool is_export, int argc, char **argv)
{
	for (int i = 0; i < argc;) {
		int n = take_option(w, is_export, argc - i, argv + i);

		if (n == 0 && take_flag(w, is_export, argv[i]))
			n = 1;
		if (n == 0 && !w->file && (argv[i][0] != '-' || strcmp(argv[i], "-") == 0)) {
			w->file = argv[i];
			n = 1;
		}
		if (n == 0)
			return false;
		i += n;
	}
	return !(w->secrets.passphrase_file && w->secrets.key_file);
}

/* scheme://..: what the daemon makes of the scheme is its business. */
static bool is_url(const char *word)
{
	size_t n = 0;

	while (isalnum((unsigned char)word[n]) || (n > 0 && strchr("+-.", word[n]) && word[n]))
		n++;
	return n > 0 && strncmp(word + n, "://", 3) == 0;
}

static bool add_seconds(struct json_object *r, const char *word)
{
	char *end;
	long n;

	if (!word)
		return true;
	errno = 0;
	n = strtol(word, &end, 10);
	if (!isdigit((unsigned char)word[0]) || *end || errno)
		return false;
	json_object_object_add(r, "timeout", json_object_new_int64(n));
	return true;
}

static void add_flag_if(struct json_object *r, const char *key, bool wanted)
{
	if (wanted)
		ctl_add_flag(r, key);
}

static bool words_fit_import(const struct file_words *w)
{
	return w->file && !(w->merge && w->replace) &&
	       !(w->without_secrets && (w->secrets.passphrase_file || w->secrets.key_file));
}

int ctl_import(struct context *x, int argc, char **argv)
{
	struct json_object *r = ctl_new_request("import");
	struct file_words w = { 0 };
	int fd = -1, rc;

	if (!read_words(&w, false, argc, argv) || !words_fit_import(&w) ||
	    !add_seconds(r, w.seconds)) {
		json_object_put(r);
		return ctl_usage_error("import", CTL_IMPORT_USAGE);
	}
	add_flag_if(r, "replace", w.replace);
	add_flag_if(r, "dry-run", w.dry_run);
	add_flag_if(r, "difference", w.difference);
	add_flag_if(r, "without-secrets", w.without_secrets);
	add_flag_if(r, "secrets", !w.without_secrets);
	if (is_url(w.file))
		ctl_add_text(r, "url", w.file);
	else
		fd = private_copy(w.file);
	if (fd < 0 && !is_url(w.file)) {
		json_object_put(r);
		return EXIT_REFUSED;
	}
	x->key = secrets_key;
	x->key_arg = &w.secrets;
	rc = ctl_ask(x, r, fd, print_change, w.file);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* ---- export ---- */

static int write_out(int memory, const char *path)
{
	int to = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : STDOUT_FILENO;
	int rc = EXIT_OK;

	if (to < 0 || lseek(memory, 0, SEEK_SET) < 0 || !copy(memory, to, SIZE_MAX)) {
		fprintf(stderr, "ipspctl: %s: %s\n", path ? path : "standard output",
			strerror(errno));
		rc = EXIT_REFUSED;
	}
	if (path && to >= 0 && close(to) < 0 && rc == EXIT_OK) {
		fprintf(stderr, "ipspctl: %s: %s\n", path, strerror(errno));
		rc = EXIT_REFUSED;
	}
	return rc;
}

int ctl_export(struct context *x, int argc, char **argv)
{
	struct file_words w = { .secrets.is_new = true };
	struct json_object *r;
	const char *path;
	int memory, rc;

	if (!read_words(&w, true, argc, argv) ||
	    (!w.with_secrets && (w.secrets.passphrase_file || w.secrets.key_file)))
		return ctl_usage_error("export", CTL_EXPORT_USAGE);
	path = w.file && strcmp(w.file, "-") != 0 ? w.file : NULL;
	memory = memfd_create("ipspctl-export", MFD_CLOEXEC);
	if (memory < 0) {
		fprintf(stderr, "ipspctl: %s\n", strerror(errno));
		return EXIT_REFUSED;
	}
	r = ctl_new_request("export");
	if (w.with_secrets)
		ctl_add_text(r, "secrets", w.secrets.key_file ? "key-file" : "passphrase");
	x->key = secrets_key;
	x->key_arg = &w.secrets;
	rc = ctl_ask(x, r, memory, print_nothing, NULL);
	if (rc == EXIT_OK)
		rc = write_out(memory, path);
	close(memory);
	return rc;
}
