/*
 * mibs/seal_key.c - the key file of sealed secrets, see mibs/seal.h: taken, or made once. The key
 * is not kept anywhere else once the cipher has it.
 */
#include "config.h"

#include "mibs/seal_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEAL_KEY_TEMP MIB_SEAL_KEY_NAME ".new"

static bool seal_write_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/** Reads up to size octets. @return how many there are, -1 with errno. */
static ssize_t seal_read_all(int fd, uint8_t *data, size_t size)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = read(fd, data + got, size - got);

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

static enum mib_err seal_set_key(struct mib_seal *s, const struct mib_secret *key,
				 struct mib_diag *d)
{
	gcry_error_t err = gcry_cipher_setkey(s->cipher, key->data, MIB_SEAL_KEY_LEN);

	if (err)
		return mib_seal_fail(d, s->path, "libgcrypt refuses the key: %s", gcry_strerror(err));
	s->has_key = true;
	return MIB_OK;
}

static enum mib_err seal_check_file(int fd, const char *path, bool is_private, struct mib_diag *d)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return mib_seal_fail(d, path, "cannot read its mode: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return mib_seal_fail(d, path, "the key is no regular file");
	/* systemd guards its credentials by access lists, which look as if the group could read. */
	if (is_private && (st.st_mode & 077))
		return mib_seal_fail(d, path, "the key has mode %04o: others may use it; 0600 needed",
				 st.st_mode & 07777u);
	if (st.st_size != MIB_SEAL_KEY_LEN)
		return mib_seal_fail(d, path, "the key has %lld octets, not %d",
				 (long long)st.st_size, MIB_SEAL_KEY_LEN);
	return MIB_OK;
}

/** Takes the key from s->path. @return MIB_NO_SUCH_INSTANCE without *d: there is no such file. */
static enum mib_err seal_load(struct mib_seal *s, bool is_private, struct mib_diag *d)
{
	int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (is_private ? O_NOFOLLOW : 0));

	if (fd < 0 && errno == ENOENT)
		return MIB_NO_SUCH_INSTANCE;
	if (fd < 0)
		return mib_seal_fail(d, s->path, "cannot read the key: %s", strerror(errno));

	struct mib_secret key = { NULL, 0 };
	enum mib_err err = seal_check_file(fd, s->path, is_private, d);

	if (err)
		goto out;
	err = mib_secret_init(&key, MIB_SEAL_KEY_LEN);
	if (err) {
		mib_seal_fail(d, s->path, "no locked memory left for the key");
		goto out;
	}
	ssize_t n = seal_read_all(fd, key.data, key.len);

	if (n != MIB_SEAL_KEY_LEN) {
		err = mib_seal_fail(d, s->path, "cannot read the key: %s",
				n < 0 ? strerror(errno) : "it is too short");
		goto out;
	}
	err = seal_set_key(s, &key, d);
out:
	mib_secret_fini(&key);
	close(fd);
	return err;
}

static bool seal_set_path(struct mib_seal *s, const char *dir)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, MIB_SEAL_KEY_NAME) < 0)
		return false;
	free(s->path);
	s->path = path;
	return true;
}

enum mib_err mib_seal_open(const char *dir, const char *credentials_dir, struct mib_seal **out,
			   struct mib_diag *d)
{
	if (!mib_secmem_is_ready())
		return mib_seal_fail(d, dir, "libgcrypt is not initialised");

	struct mib_seal *s = calloc(1, sizeof(*s));
	enum mib_err err = MIB_NO_SUCH_INSTANCE;

	if (!s)
		return mib_seal_fail(d, dir, "out of memory");
	s->dir = strdup(dir);
	if (!s->dir || gcry_cipher_open(&s->cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM,
					GCRY_CIPHER_SECURE)) {
		err = mib_seal_fail(d, dir, "no memory for the cipher");
		goto fail;
	}
	if (credentials_dir) {
		if (!seal_set_path(s, credentials_dir)) {
			err = mib_seal_fail(d, dir, "out of memory");
			goto fail;
		}
		err = seal_load(s, false, d);
	}
	if (err == MIB_NO_SUCH_INSTANCE) {
		if (!seal_set_path(s, dir)) {
			err = mib_seal_fail(d, dir, "out of memory");
			goto fail;
		}
		err = seal_load(s, true, d);
	}
	if (err && err != MIB_NO_SUCH_INSTANCE)
		goto fail;
	*out = s;
	return MIB_OK;
fail:
	mib_seal_close(s);
	return err;
}

void mib_seal_close(struct mib_seal *s)
{
	if (!s)
		return;
	gcry_cipher_close(s->cipher);
	free(s->path);
	free(s->dir);
	free(s);
}

bool mib_seal_has_key(const struct mib_seal *s)
{
	return s->has_key;
}

const char *mib_seal_path(const struct mib_seal *s)
{
	return s->path;
}

/** A file of that name is what a crash left of an earlier first start; it never was the key. */
static int seal_open_temp(int dirfd)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(dirfd, SEAL_KEY_TEMP, flags, 0600);

	if (fd < 0 && errno == EEXIST && unlinkat(dirfd, SEAL_KEY_TEMP, 0) == 0)
		fd = openat(dirfd, SEAL_KEY_TEMP, flags, 0600);
	return fd;
}

/** The link appears with all its content or not at all, and does not replace: linkat(2). */
static enum mib_err seal_store(const struct mib_seal *s, int dirfd, const struct mib_secret *key,
			       struct mib_diag *d)
{
	int fd = seal_open_temp(dirfd);

	if (fd < 0)
		return mib_seal_fail(d, s->path, "cannot make the key file: %s", strerror(errno));

	bool ok = seal_write_all(fd, key->data, key->len) && fsync(fd) == 0 &&
		  linkat(dirfd, SEAL_KEY_TEMP, dirfd, MIB_SEAL_KEY_NAME, 0) == 0;
	int reason = errno;

	close(fd);
	unlinkat(dirfd, SEAL_KEY_TEMP, 0);
	if (ok && fsync(dirfd) < 0) {
		reason = errno;
		ok = false;
		unlinkat(dirfd, MIB_SEAL_KEY_NAME, 0);
	}
	return ok ? MIB_OK :
		    mib_seal_fail(d, s->path, "cannot write the key file: %s", strerror(reason));
}

enum mib_err mib_seal_make_key(struct mib_seal *s, struct mib_diag *d)
{
	if (s->has_key)
		return mib_seal_fail(d, s->path, "there is a key already");

	int dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		return mib_seal_fail(d, s->dir, "cannot open the directory: %s", strerror(errno));

	struct mib_secret key = { NULL, 0 };
	enum mib_err err = mib_secret_init(&key, MIB_SEAL_KEY_LEN);

	if (err) {
		mib_seal_fail(d, s->path, "no locked memory left for the key");
		goto out;
	}
	if (!mib_seal_random(key.data, key.len)) {
		err = mib_seal_fail(d, s->path, "no random numbers for the key: %s", strerror(errno));
		goto out;
	}
	err = seal_store(s, dirfd, &key, d);
	if (!err)
		err = seal_set_key(s, &key, d);
out:
	mib_secret_fini(&key);
	close(dirfd);
	return err;
}
