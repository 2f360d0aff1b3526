/* ipspctl/secrets.c - see secrets.h. */
#include "config.h"

#include "ipspctl/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "mibs/file_seal.h"

#define PASSPHRASE_MAX 1024

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "ipspctl: %s: %s\n", what, why);
	return -1;
}

/* Before the first secret is in this process. */
static bool protect_memory(void)
{
	const struct rlimit none = { 0, 0 };
	struct mib_diag d = { 0 };

	/* The pool is locked in any case; the rest of the stack is where the limit allows. */
	(void)mlockall(MCL_CURRENT);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0) {
		complain("core dumps", "they cannot be forbidden");
		return false;
	}
	if (mib_secmem_init(0, &d) != MIB_OK) {
		complain("locked memory", d.text);
		return false;
	}
	return true;
}

/* ---- passphrases ---- */

/* Up to size octets. @return how many there are, or -1 with errno */
static ssize_t read_all(int fd, uint8_t *out, size_t size)
{
	size_t got = 0;
	ssize_t n;

	while (got < size) {
		n = read(fd, out + got, size - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* A file that others may read holds no secret. */
static int open_private(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		complain(path, strerror(errno));
	} else if (S_ISREG(st.st_mode) && (st.st_mode & 077)) {
		complain(path, "others may use it; mode 0600 is needed");
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The first line, without its end. */
static bool passphrase_of_file(const char *path, struct mib_secret *out)
{
	int fd = open_private(path);
	const uint8_t *end;
	ssize_t n;

	if (fd < 0)
		return false;
	n = read_all(fd, out->data, out->len);
	close(fd);
	if (n < 0) {
		complain(path, strerror(errno));
		return false;
	}
	end = memchr(out->data, '\n', (size_t)n);
	if (!end && (size_t)n == out->len) {
		complain(path, "the passphrase is too long");
		return false;
	}
	out->len = end ? (size_t)(end - out->data) : (size_t)n;
	return true;
}

/* A line from the terminal, not shown. The terminal gives whole lines. */
static bool ask_terminal(const char *prompt, struct mib_secret *out)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, quiet;
	ssize_t n = -1;

	if (fd < 0 || tcgetattr(fd, &before) < 0) {
		complain("the passphrase", "there is no terminal to ask; use --passphrase-file");
		if (fd >= 0)
			close(fd);
		return false;
	}
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	quiet.c_lflag |= ICANON | ISIG;
	if (tcsetattr(fd, TCSAFLUSH, &quiet) == 0) {
		if (write(fd, prompt, strlen(prompt)) >= 0)
			n = read(fd, out->data, out->len);
		(void)tcsetattr(fd, TCSAFLUSH, &before);
		(void)!write(fd, "\n", 1);
	}
	close(fd);
	if (n <= 0 || out->data[n - 1] != '\n') {
		complain("the passphrase", "it could not be read from the terminal");
		return false;
	}
	out->len = (size_t)n - 1;
	return true;
}

static bool passphrase_of_terminal(bool is_new, struct mib_secret *out)
{
	struct mib_secret again = { NULL, 0 };
	bool same;

	if (!ask_terminal("Passphrase of the secrets in this file: ", out))
		return false;
	if (!is_new)
		return true;
	if (mib_secret_init(&again, PASSPHRASE_MAX) != MIB_OK ||
	    !ask_terminal("The same passphrase again: ", &again)) {
		mib_secret_fini(&again);
		return false;
	}
	same = again.len == out->len && memcmp(again.data, out->data, out->len) == 0;
	mib_secret_fini(&again);
	if (!same)
		complain("the passphrase", "those were two different ones");
	return same;
}

static bool read_passphrase(const struct secrets_source *s, struct mib_secret *out)
{
	if (s->passphrase_file ? !passphrase_of_file(s->passphrase_file, out) :
				 !passphrase_of_terminal(s->is_new, out))
		return false;
	if (out->len == 0)
		complain("the passphrase", "it is empty");
	return out->len > 0;
}

static bool read_key_file(const char *path, struct mib_secret *out)
{
	int fd = open_private(path);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read_all(fd, out->data, MIB_FILE_SEAL_KEY_FILE + 1);
	close(fd);
	if (n != MIB_FILE_SEAL_KEY_FILE) {
		complain(path, n < 0 ? strerror(errno) : "a key file has 32 octets");
		return false;
	}
	out->len = MIB_FILE_SEAL_KEY_FILE;
	return true;
}

/* ---- the key ---- */

/* The read end of a pipe that holds the key, or -1. */
static int pipe_of(const struct mib_secret *key)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return complain("pipe", strerror(errno));
	if (write(fds[1], key->data, key->len) != (ssize_t)key->len) {
		close(fds[0]);
		fds[0] = complain("pipe", strerror(errno));
	}
	close(fds[1]);
	return fds[0];
}

static bool read_salt(struct json_object *seal, uint8_t salt[MIB_FILE_SEAL_SALT])
{
	struct json_object *o;
	const char *hex = json_object_object_get_ex(seal, "salt", &o) ?
				  json_object_get_string(o) : "";

	if (strlen(hex) != 2 * MIB_FILE_SEAL_SALT)
		return false;
	for (size_t i = 0; i < MIB_FILE_SEAL_SALT; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &salt[i]) != 1)
			return false;
	return true;
}

static bool is_key_file(struct json_object *seal)
{
	struct json_object *o;

	return json_object_object_get_ex(seal, "kind", &o) &&
	       strcmp(json_object_get_string(o), "key-file") == 0;
}

/* What the command line gives must be what the file wants. */
static bool fits(const struct secrets_source *s, bool key_file)
{
	if (key_file && !s->key_file)
		complain("the secrets of this file", "they are sealed under a key file: use "
			 "--key-file, or leave them out by --without-secrets");
	else if (!key_file && s->key_file)
		complain("the secrets of this file", "they are sealed under a passphrase, not "
			 "under a key file");
	else
		return true;
	return false;
}

int secrets_key(void *arg, struct json_object *seal)
{
	const struct secrets_source *s = arg;
	const bool key_file = is_key_file(seal);
	struct mib_secret from = { NULL, 0 }, key = { NULL, 0 };
	uint8_t salt[MIB_FILE_SEAL_SALT];
	int fd = -1;

	if (!read_salt(seal, salt))
		return complain("the secrets of this file", "the daemon does not say their salt");
	if (!fits(s, key_file) || !protect_memory())
		return -1;
	if (mib_secret_init(&from, PASSPHRASE_MAX) != MIB_OK)
		return complain("locked memory", "there is none left");
	if (key_file ? read_key_file(s->key_file, &from) : read_passphrase(s, &from)) {
		if (mib_file_seal_derive(key_file ? MIB_FILE_SEAL_KEYFILE :
						    MIB_FILE_SEAL_PASSPHRASE,
					 &from, salt, &key) == MIB_OK)
			fd = pipe_of(&key);
		else
			complain("the key", "there is no memory to make it");
	}
	from.len = PASSPHRASE_MAX;	/* all of it is wiped */
	mib_secret_fini(&from);
	mib_secret_fini(&key);
	return fd;
}
