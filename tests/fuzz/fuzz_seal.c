/*
 * tests/fuzz/fuzz_seal.c - the key file, and sealed secrets as the database may hold them.
 *
 * The first octet chooses: 'k' a key file, of the mode that the second says; anything else a blob in
 * one cell under a fixed key. A key file counts only when it is whole and its owner's alone. A blob
 * opens in the cell it was made for or nowhere.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "mibs/schema_gen.h"
#include "mibs/seal.h"
#include "tests/fuzz/fuzz.h"

static const uint32_t index_ids[] = { 3, 'a', 'b', 'c' };
#define INDEX index_ids, sizeof(index_ids) / sizeof(index_ids[0])

static const struct mib_column *column(void)
{
	return mib_column_by_name("ipsaCredCredential");
}

static enum mib_err open_seal(struct mib_seal **out)
{
	struct mib_diag d = { 0 };
	enum mib_err err;

	*out = NULL;
	err = mib_seal_open(fuzz_dir(), NULL, out, &d);
	must((err == MIB_OK) == (*out != NULL) && (err == MIB_OK || d.text[0] != '\0'));
	return err;
}

static enum mib_err unwrap(struct mib_seal *s, const uint8_t *blob, size_t len,
			   struct mib_secret *out)
{
	struct mib_diag d = { 0 };
	enum mib_err err;

	*out = (struct mib_secret){ NULL, 0 };
	err = mib_seal_unwrap(s, column(), INDEX, blob, len, out, &d);
	must(err == MIB_OK || (out->data == NULL && d.text[0] != '\0'));
	return err;
}

/* Sealed and opened again; in another cell it stays closed. */
static void try_secret(struct mib_seal *s, const struct mib_secret *secret)
{
	uint8_t *blob = malloc(secret->len + MIB_SEAL_OVERHEAD);
	const uint32_t elsewhere[] = { 3, 'a', 'b', 'd' };
	struct mib_secret again;

	must(blob && mib_seal_wrap(s, column(), INDEX, secret->data, secret->len, blob) == MIB_OK);
	must(unwrap(s, blob, secret->len + MIB_SEAL_OVERHEAD, &again) == MIB_OK);
	must(again.len == secret->len && memcmp(again.data, secret->data, again.len) == 0);
	mib_secret_fini(&again);
	must(mib_seal_unwrap(s, column(), elsewhere, 4, blob, secret->len + MIB_SEAL_OVERHEAD,
			     &again, NULL) == MIB_WRONG_VALUE);
	must(!mib_seal_check_fits(s, blob, secret->len + MIB_SEAL_OVERHEAD));
	free(blob);
}

static void try_blob(const uint8_t *data, size_t size)
{
	uint8_t key[MIB_SEAL_KEY_LEN];
	struct mib_secret secret;
	struct mib_seal *s;

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	fuzz_write(MIB_SEAL_KEY_NAME, key, sizeof(key), 0600);
	must(open_seal(&s) == MIB_OK);
	if (unwrap(s, data, size, &secret) == MIB_OK) {
		must(secret.len == size - MIB_SEAL_OVERHEAD);
		try_secret(s, &secret);
		mib_secret_fini(&secret);
	}
	(void)mib_seal_check_fits(s, data, size);
	mib_seal_close(s);
}

static void try_key(const uint8_t *data, size_t size)
{
	static const unsigned int modes[] = { 0600, 0400, 0640, 0604, 0000 };
	const unsigned int mode = size ? modes[data[0] % 5] : 0600;
	uint8_t blob[MIB_SEAL_OVERHEAD];
	struct mib_seal *s, *other;

	data += size > 0;
	size -= size > 0;
	fuzz_write(MIB_SEAL_KEY_NAME, data, size, mode);
	const bool good = size == MIB_SEAL_KEY_LEN && !(mode & 077);
	const bool readable = (mode & 0400) || geteuid() == 0;

	if (open_seal(&s) != MIB_OK) {
		must(!good || !readable);
		return;
	}
	must(good && mib_seal_has_key(s));
	must(mib_seal_make_key(s, NULL) != MIB_OK);
	must(open_seal(&other) == MIB_OK);
	must(mib_seal_check_make(s, blob) == MIB_OK &&
	     mib_seal_check_fits(other, blob, sizeof(blob)));
	blob[sizeof(blob) - 1] ^= 1;
	must(!mib_seal_check_fits(other, blob, sizeof(blob)));
	mib_seal_close(other);
	mib_seal_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	must(mib_secmem_init(MIB_SECMEM_MAY_SWAP, NULL) == MIB_OK);
	if (size == 0)
		return 0;
	if (data[0] == 'k')
		try_key(data + 1, size - 1);
	else
		try_blob(data + 1, size - 1);
	(void)unlink(fuzz_path(MIB_SEAL_KEY_NAME));
	return 0;
}
