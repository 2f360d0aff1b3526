/*
 * mibs/seal.c - sealed blobs and their key file, see mibs/seal.h. The key is in libgcrypt's cipher
 * handle (secure memory) only; it is not kept anywhere else once the handle has it.
 */
#include "config.h"

#include "mibs/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEAL_VERSION 1
#define SEAL_NONCE_LEN 12
#define SEAL_TAG_LEN 16
#define SEAL_KEY_TEMP MIB_SEAL_KEY_NAME ".new"

static const char seal_label_value[] = "ipspd sealed value";
static const char seal_label_check[] = "ipspd key check";

struct mib_seal {
	char *dir;
	char *path;
	bool has_key;
	gcry_cipher_hd_t cipher;
};

static enum mib_err seal_fail(struct mib_diag *d, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static enum mib_err seal_fail(struct mib_diag *d, const char *path, const char *fmt, ...)
{
	char why[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	mib_diag_set(d, NULL, NULL, 0, "%s: %s", path, why);
	return MIB_RESOURCE_UNAVAILABLE;
}

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

/**
 * The kernel's generator: complete for so few octets, good after a fork and in a sandbox, and
 * without libgcrypt's pool and its own gathering of entropy.
 */
static bool seal_random(uint8_t *out, size_t len)
{
	ssize_t n;

	do {
		n = getrandom(out, len, 0);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

static enum mib_err seal_set_key(struct mib_seal *s, const struct mib_secret *key,
				 struct mib_diag *d)
{
	gcry_error_t err = gcry_cipher_setkey(s->cipher, key->data, MIB_SEAL_KEY_LEN);

	if (err)
		return seal_fail(d, s->path, "libgcrypt refuses the key: %s", gcry_strerror(err));
	s->has_key = true;
	return MIB_OK;
}

static enum mib_err seal_check_file(int fd, const char *path, bool is_private, struct mib_diag *d)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return seal_fail(d, path, "cannot read its mode: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return seal_fail(d, path, "the key is no regular file");
	/* systemd guards its credentials by access lists, which look as if the group could read. */
	if (is_private && (st.st_mode & 077))
		return seal_fail(d, path, "the key has mode %04o: others may use it; 0600 needed",
				 st.st_mode & 07777u);
	if (st.st_size != MIB_SEAL_KEY_LEN)
		return seal_fail(d, path, "the key has %lld octets, not %d",
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
		return seal_fail(d, s->path, "cannot read the key: %s", strerror(errno));

	struct mib_secret key = { NULL, 0 };
	enum mib_err err = seal_check_file(fd, s->path, is_private, d);

	if (err)
		goto out;
	err = mib_secret_init(&key, MIB_SEAL_KEY_LEN);
	if (err) {
		seal_fail(d, s->path, "no locked memory left for the key");
		goto out;
	}
	ssize_t n = seal_read_all(fd, key.data, key.len);

	if (n != MIB_SEAL_KEY_LEN) {
		err = seal_fail(d, s->path, "cannot read the key: %s",
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
		return seal_fail(d, dir, "libgcrypt is not initialised");

	struct mib_seal *s = calloc(1, sizeof(*s));
	enum mib_err err = MIB_NO_SUCH_INSTANCE;

	if (!s)
		return seal_fail(d, dir, "out of memory");
	s->dir = strdup(dir);
	if (!s->dir || gcry_cipher_open(&s->cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM,
					GCRY_CIPHER_SECURE)) {
		err = seal_fail(d, dir, "no memory for the cipher");
		goto fail;
	}
	if (credentials_dir) {
		if (!seal_set_path(s, credentials_dir)) {
			err = seal_fail(d, dir, "out of memory");
			goto fail;
		}
		err = seal_load(s, false, d);
	}
	if (err == MIB_NO_SUCH_INSTANCE) {
		if (!seal_set_path(s, dir)) {
			err = seal_fail(d, dir, "out of memory");
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
		return seal_fail(d, s->path, "cannot make the key file: %s", strerror(errno));

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
		    seal_fail(d, s->path, "cannot write the key file: %s", strerror(reason));
}

enum mib_err mib_seal_make_key(struct mib_seal *s, struct mib_diag *d)
{
	if (s->has_key)
		return seal_fail(d, s->path, "there is a key already");

	int dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		return seal_fail(d, s->dir, "cannot open the directory: %s", strerror(errno));

	struct mib_secret key = { NULL, 0 };
	enum mib_err err = mib_secret_init(&key, MIB_SEAL_KEY_LEN);

	if (err) {
		seal_fail(d, s->path, "no locked memory left for the key");
		goto out;
	}
	if (!seal_random(key.data, key.len)) {
		err = seal_fail(d, s->path, "no random numbers for the key: %s", strerror(errno));
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

/* ---- blobs ---- */

static void seal_put32(uint8_t out[4], uint32_t n)
{
	out[0] = (uint8_t)(n >> 24);
	out[1] = (uint8_t)(n >> 16);
	out[2] = (uint8_t)(n >> 8);
	out[3] = (uint8_t)n;
}

/** Each part with its length before it, so that no two places give the same octets. */
static gcry_error_t seal_bind_text(gcry_cipher_hd_t c, const char *text)
{
	uint8_t len[4];

	seal_put32(len, (uint32_t)strlen(text));
	gcry_error_t err = gcry_cipher_authenticate(c, len, sizeof(len));

	return err ? err : gcry_cipher_authenticate(c, text, strlen(text));
}

/** Starts the cipher for one blob; col NULL: the key check. */
static gcry_error_t seal_begin(struct mib_seal *s, const uint8_t *nonce,
			       const struct mib_column *col, const uint32_t *index,
			       size_t index_len)
{
	gcry_error_t err = gcry_cipher_reset(s->cipher);

	if (!err)
		err = gcry_cipher_setiv(s->cipher, nonce, SEAL_NONCE_LEN);
	if (!err)
		err = seal_bind_text(s->cipher, col ? seal_label_value : seal_label_check);
	if (err || !col)
		return err;

	const char *const names[] = { col->table->module, col->table->name, col->name };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !err; i++)
		err = seal_bind_text(s->cipher, names[i]);
	for (size_t i = 0; i < index_len && !err; i++) {
		uint8_t id[4];

		seal_put32(id, index[i]);
		err = gcry_cipher_authenticate(s->cipher, id, sizeof(id));
	}
	return err;
}

static enum mib_err seal_wrap(struct mib_seal *s, const struct mib_column *col,
			      const uint32_t *index, size_t index_len, const uint8_t *secret,
			      size_t len, uint8_t *blob)
{
	if (!s->has_key)
		return MIB_RESOURCE_UNAVAILABLE;

	uint8_t *nonce = blob + 1;
	uint8_t *text = nonce + SEAL_NONCE_LEN;

	blob[0] = SEAL_VERSION;
	if (!seal_random(nonce, SEAL_NONCE_LEN))
		return MIB_RESOURCE_UNAVAILABLE;

	gcry_error_t err = seal_begin(s, nonce, col, index, index_len);

	if (!err && len)
		err = gcry_cipher_encrypt(s->cipher, text, len, secret, len);
	if (!err)
		err = gcry_cipher_gettag(s->cipher, text + len, SEAL_TAG_LEN);
	return err ? MIB_RESOURCE_UNAVAILABLE : MIB_OK;
}

/** Decrypts to out, of blob_len - MIB_SEAL_OVERHEAD octets. Good only when true is returned. */
static bool seal_unwrap(struct mib_seal *s, const struct mib_column *col, const uint32_t *index,
			size_t index_len, const uint8_t *blob, size_t blob_len, uint8_t *out)
{
	const uint8_t *nonce = blob + 1;
	const uint8_t *text = nonce + SEAL_NONCE_LEN;
	size_t len = blob_len - MIB_SEAL_OVERHEAD;
	gcry_error_t err = seal_begin(s, nonce, col, index, index_len);

	if (!err && len)
		err = gcry_cipher_decrypt(s->cipher, out, len, text, len);
	if (!err)
		err = gcry_cipher_checktag(s->cipher, text + len, SEAL_TAG_LEN);
	return !err;
}

enum mib_err mib_seal_wrap(struct mib_seal *s, const struct mib_column *col, const uint32_t *index,
			   size_t index_len, const uint8_t *secret, size_t len, uint8_t *blob)
{
	return seal_wrap(s, col, index, index_len, secret, len, blob);
}

enum mib_err mib_seal_unwrap(struct mib_seal *s, const struct mib_column *col,
			     const uint32_t *index, size_t index_len, const uint8_t *blob,
			     size_t blob_len, struct mib_secret *out, struct mib_diag *d)
{
	if (!s->has_key) {
		mib_diag_set(d, col, index, index_len,
			     "no key to open a sealed value: %s is missing", s->path);
		return MIB_RESOURCE_UNAVAILABLE;
	}
	if (blob_len < MIB_SEAL_OVERHEAD || blob[0] != SEAL_VERSION) {
		mib_diag_set(d, col, index, index_len, "what is stored here is no sealed value");
		return MIB_WRONG_VALUE;
	}
	struct mib_secret secret = { NULL, 0 };

	if (mib_secret_init(&secret, blob_len - MIB_SEAL_OVERHEAD)) {
		mib_diag_set(d, col, index, index_len,
			     "no locked memory left for a secret of %zu octets",
			     blob_len - MIB_SEAL_OVERHEAD);
		return MIB_RESOURCE_UNAVAILABLE;
	}
	if (!seal_unwrap(s, col, index, index_len, blob, blob_len, secret.data)) {
		mib_secret_fini(&secret);
		mib_diag_set(d, col, index, index_len,
			     "the sealed value is damaged, was moved here from another place, or "
			     "was sealed under a key other than %s", s->path);
		return MIB_WRONG_VALUE;
	}
	*out = secret;
	return MIB_OK;
}

enum mib_err mib_seal_check_make(struct mib_seal *s, uint8_t blob[MIB_SEAL_OVERHEAD])
{
	return seal_wrap(s, NULL, NULL, 0, NULL, 0, blob);
}

bool mib_seal_check_fits(struct mib_seal *s, const uint8_t *blob, size_t len)
{
	return s->has_key && len == MIB_SEAL_OVERHEAD && blob[0] == SEAL_VERSION &&
	       seal_unwrap(s, NULL, NULL, 0, blob, len, NULL);
}
