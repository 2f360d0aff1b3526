/*
 * mibs/seal.h - secrets at rest: blobs sealed under a key file, each bound to its place.
 *
 * AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. A blob is
 *
 *     version (1) | nonce (12) | ciphertext (as long as the secret) | tag (16)
 *
 * and opens only in the cell it was made for, which is its associated data: the texts "ipspd sealed
 * value", module, table and column, each behind its length in 4 octets, then the sub-identifiers of
 * the index in 4 octets each, all with the highest octet first.
 *
 * One key seals at most 2^32 times with random nonces (SP 800-38D 8.3); a store that rewrites a
 * secret each second needs 136 years for that.
 *
 * The key is 32 octets in DIR/ipspd.key, or in a systemd credential of that name. It is never made
 * anew for a database that has sealed values already: mibs/persist.h sees to that.
 */
#ifndef MIBS_SEAL_H
#define MIBS_SEAL_H

#include "mibs/secmem.h"

#define MIB_SEAL_KEY_NAME "ipspd.key"
#define MIB_SEAL_KEY_LEN 32
/** A blob is longer than its secret by so many octets. */
#define MIB_SEAL_OVERHEAD (1 + 12 + 16)

struct mib_seal;

/**
 * Takes the key from credentials_dir/ipspd.key if that exists, else from dir/ipspd.key. Without
 * either the seal is good for mib_seal_make_key only. Needs mib_secmem_init.
 * @param dir              the state directory; copied
 * @param credentials_dir  $CREDENTIALS_DIRECTORY of systemd, or NULL; copied
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE with *d naming the file: it is unreadable, of
 *         another size, no regular file, or (below dir) open to other users
 */
MIB_MUST_CHECK enum mib_err mib_seal_open(const char *dir, const char *credentials_dir,
					  struct mib_seal **out, struct mib_diag *d);

/** Wipes the key. s may be NULL. */
void mib_seal_close(struct mib_seal *s);

bool mib_seal_has_key(const struct mib_seal *s);

/** The key file in use, or to be made. Internal, do not free. */
const char *mib_seal_path(const struct mib_seal *s);

/**
 * Makes a random key and its file: mode 0600, complete or not there at all, on disk when this
 * returns. Never replaces a file.
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE with *d
 */
MIB_MUST_CHECK enum mib_err mib_seal_make_key(struct mib_seal *s, struct mib_diag *d);

/**
 * Seals a secret for one cell.
 * @param blob  out: len + MIB_SEAL_OVERHEAD octets
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE: no key, or libgcrypt refuses
 */
MIB_MUST_CHECK enum mib_err mib_seal_wrap(struct mib_seal *s, const struct mib_column *col,
					  const uint32_t *index, size_t index_len,
					  const uint8_t *secret, size_t len, uint8_t *blob);

/**
 * Opens a blob found in that cell.
 * @param out  owns the secret on MIB_OK: mib_secret_fini
 * @return MIB_OK; MIB_WRONG_VALUE with *d: damaged, another key's, or another cell's;
 *         MIB_RESOURCE_UNAVAILABLE with *d: no key, or no locked memory left
 */
MIB_MUST_CHECK enum mib_err mib_seal_unwrap(struct mib_seal *s, const struct mib_column *col,
					    const uint32_t *index, size_t index_len,
					    const uint8_t *blob, size_t blob_len,
					    struct mib_secret *out, struct mib_diag *d);

/** A blob without a secret, by which a database recognises its key. */
MIB_MUST_CHECK enum mib_err mib_seal_check_make(struct mib_seal *s,
						uint8_t blob[MIB_SEAL_OVERHEAD]);

/** Was that blob made by mib_seal_check_make under this key? */
bool mib_seal_check_fits(struct mib_seal *s, const uint8_t *blob, size_t len);

#endif
