/*
 * mibs/seal.c - sealed blobs, see mibs/seal.h. The key is in libgcrypt's cipher handle (secure
 * memory) only.
 */
#include "config.h"

#include "mibs/seal_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SEAL_VERSION 1
#define SEAL_NONCE_LEN 12
#define SEAL_TAG_LEN 16

static const char seal_label_value[] = "ipspd sealed value";
static const char seal_label_check[] = "ipspd key check";

enum mib_err mib_seal_fail(struct mib_diag *d, const char *path, const char *fmt, ...)
{
	char why[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	mib_diag_set(d, NULL, NULL, 0, "%s: %s", path, why);
	return MIB_RESOURCE_UNAVAILABLE;
}

bool mib_seal_random(uint8_t *out, size_t len)
{
	ssize_t n;

	do {
		n = getrandom(out, len, 0);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

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
	if (!mib_seal_random(nonce, SEAL_NONCE_LEN))
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
