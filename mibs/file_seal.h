/*
 * mibs/file_seal.h - secrets in a file that leaves the system: sealed under a passphrase or a key
 * file, in a form that two systems with the same key give the same octets.
 *
 * AES-256-SIV (RFC 5297), which needs no nonce: equal state gives equal octets, and nothing else
 * can be learned than that. A sealed secret is
 *
 *     tag (16) | ciphertext (as long as the secret)
 *
 * and opens only in the cell it was made for. Its associated data are, as separate strings of S2V:
 * "ipspd file secret", the names of module, table and column, and the sub-identifiers of the index
 * in 4 octets each, the highest octet first.
 *
 * The key has 64 octets. The parameters are fixed, so that no file can ask for more work:
 *
 *     passphrase   scrypt (RFC 7914), N = 65536, r = 8, p = 1, with the file's salt
 *     key file     HMAC-SHA-512 of its 32 octets over "ipspd key file" and the file's salt
 *
 * The salt is random, made once a store. Two checks stand beside the secrets: one that tells a
 * wrong key from a damaged file, and one over the whole list, so that no secret can be left out.
 */
#ifndef MIBS_FILE_SEAL_H
#define MIBS_FILE_SEAL_H

#include "mibs/secmem.h"

#define MIB_FILE_SEAL_SALT 16
#define MIB_FILE_SEAL_KEY 64
#define MIB_FILE_SEAL_CHECK 48		/* tag (16), SHA-256 (32) sealed */
#define MIB_FILE_SEAL_OVERHEAD 16	/* octets that a sealed secret is longer */
#define MIB_FILE_SEAL_KEY_FILE 32	/* octets of a key file */

/** What the key was made from. */
enum mib_file_seal_kind { MIB_FILE_SEAL_PASSPHRASE = 1, MIB_FILE_SEAL_KEYFILE = 2 };

/** What stands in the clear before the secrets. */
struct mib_file_seal_head {
	enum mib_file_seal_kind kind;
	uint8_t salt[MIB_FILE_SEAL_SALT];
	uint8_t key_check[MIB_FILE_SEAL_CHECK];
};

/**
 * Makes a key: costs some 64 MiB and a good part of a second for a passphrase.
 * @param from  the passphrase, or the octets of the key file (MIB_FILE_SEAL_KEY_FILE of them)
 * @param key   out: MIB_FILE_SEAL_KEY octets of the pool; mib_secret_fini
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err mib_file_seal_derive(enum mib_file_seal_kind kind,
						 const struct mib_secret *from,
						 const uint8_t salt[MIB_FILE_SEAL_SALT],
						 struct mib_secret *key);

struct mib_file_seal;

/**
 * @param key  MIB_FILE_SEAL_KEY octets; not kept but in libgcrypt's secure memory
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err mib_file_seal_new(enum mib_file_seal_kind kind,
					      const uint8_t salt[MIB_FILE_SEAL_SALT],
					      const struct mib_secret *key,
					      struct mib_file_seal **out);
/** Wipes the key. NULL is allowed. */
void mib_file_seal_free(struct mib_file_seal *s);

/** Begins a list of secrets to write: *head stands before them. */
MIB_MUST_CHECK enum mib_err mib_file_seal_begin(struct mib_file_seal *s,
						struct mib_file_seal_head *head);

/**
 * Begins a list of secrets that was read.
 * @return MIB_OK; MIB_WRONG_VALUE with *d: another kind of key, or another key
 */
MIB_MUST_CHECK enum mib_err mib_file_seal_check(struct mib_file_seal *s,
						const struct mib_file_seal_head *head,
						struct mib_diag *d);

/** Seals the next secret of the list. @param blob  out: len + MIB_FILE_SEAL_OVERHEAD octets */
MIB_MUST_CHECK enum mib_err mib_file_seal_wrap(struct mib_file_seal *s,
					       const struct mib_column *col, const uint32_t *index,
					       size_t index_len, const uint8_t *secret, size_t len,
					       uint8_t *blob);

/**
 * Opens the next secret of the list.
 * @param out  owns the secret on MIB_OK: mib_secret_fini
 * @return MIB_OK; MIB_WRONG_VALUE with *d: damaged, or another cell's; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err mib_file_seal_unwrap(struct mib_file_seal *s,
						 const struct mib_column *col,
						 const uint32_t *index, size_t index_len,
						 const uint8_t *blob, size_t blob_len,
						 struct mib_secret *out, struct mib_diag *d);

/** Ends a list: check is of all that was sealed or opened since it began. */
MIB_MUST_CHECK enum mib_err mib_file_seal_end(struct mib_file_seal *s,
					      uint8_t check[MIB_FILE_SEAL_CHECK]);

#endif
