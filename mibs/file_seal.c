/*
 * mibs/file_seal.c - see mibs/file_seal.h. The key is in libgcrypt's cipher handle (secure memory)
 * only; plain secrets are the callers'.
 */
#include "config.h"

#include "mibs/file_seal.h"

#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

/* RFC 7914; r is fixed at 8 in libgcrypt. */
#define SCRYPT_N 65536
#define SCRYPT_P 1
#define TAG_LEN 16
#define DIGEST_LEN 32

_Static_assert(MIB_FILE_SEAL_CHECK == TAG_LEN + DIGEST_LEN, "a check is a sealed digest");
_Static_assert(MIB_FILE_SEAL_OVERHEAD == TAG_LEN, "a sealed secret is longer by its tag");

static const char label_secret[] = "ipspd file secret";
static const char label_key[] = "ipspd file key check";
static const char label_list[] = "ipspd file list check";
static const char label_keyfile[] = "ipspd key file";

struct mib_file_seal {
	struct mib_file_seal_head head;		/* its key check is good once a list has begun */
	gcry_cipher_hd_t cipher;
	gcry_md_hd_t list;			/* over the secrets of the list, sealed */
};

/* ---- keys ---- */

static gcry_error_t keyfile_key(const struct mib_secret *from, const uint8_t *salt,
				struct mib_secret *key)
{
	gcry_mac_hd_t mac;
	size_t len = key->len;
	gcry_error_t err = gcry_mac_open(&mac, GCRY_MAC_HMAC_SHA512, GCRY_MAC_FLAG_SECURE, NULL);

	if (err)
		return err;
	err = gcry_mac_setkey(mac, from->data, from->len);
	if (!err)
		err = gcry_mac_write(mac, label_keyfile, sizeof(label_keyfile) - 1);
	if (!err)
		err = gcry_mac_write(mac, salt, MIB_FILE_SEAL_SALT);
	if (!err)
		err = gcry_mac_read(mac, key->data, &len);
	gcry_mac_close(mac);
	return err;
}

enum mib_err mib_file_seal_derive(enum mib_file_seal_kind kind, const struct mib_secret *from,
				  const uint8_t salt[MIB_FILE_SEAL_SALT], struct mib_secret *key)
{
	gcry_error_t err;

	if (mib_secret_init(key, MIB_FILE_SEAL_KEY) != MIB_OK)
		return MIB_RESOURCE_UNAVAILABLE;
	if (kind == MIB_FILE_SEAL_KEYFILE)
		err = keyfile_key(from, salt, key);
	else
		err = gcry_kdf_derive(from->data, from->len, GCRY_KDF_SCRYPT, SCRYPT_N, salt,
				      MIB_FILE_SEAL_SALT, SCRYPT_P, key->len, key->data);
	if (err)
		mib_secret_fini(key);
	return err ? MIB_RESOURCE_UNAVAILABLE : MIB_OK;
}

enum mib_err mib_file_seal_new(enum mib_file_seal_kind kind, const uint8_t salt[MIB_FILE_SEAL_SALT],
			       const struct mib_secret *key, struct mib_file_seal **out)
{
	struct mib_file_seal *s = calloc(1, sizeof(*s));

	if (!s)
		return MIB_RESOURCE_UNAVAILABLE;
	s->head.kind = kind;
	memcpy(s->head.salt, salt, sizeof(s->head.salt));
	if (gcry_cipher_open(&s->cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_SIV,
			     GCRY_CIPHER_SECURE) ||
	    gcry_cipher_setkey(s->cipher, key->data, key->len) ||
	    gcry_md_open(&s->list, GCRY_MD_SHA256, 0)) {
		mib_file_seal_free(s);
		return MIB_RESOURCE_UNAVAILABLE;
	}
	*out = s;
	return MIB_OK;
}

void mib_file_seal_free(struct mib_file_seal *s)
{
	if (!s)
		return;
	gcry_cipher_close(s->cipher);
	gcry_md_close(s->list);
	free(s);
}

/* ---- associated data ---- */

/* Each call is one string of S2V, so no two places give the same (RFC 5297 2.4). */
static gcry_error_t bind(struct mib_file_seal *s, const void *data, size_t len)
{
	return gcry_cipher_authenticate(s->cipher, data, len);
}

static gcry_error_t bind_cell(struct mib_file_seal *s, const struct mib_column *col,
			      const uint32_t *index, size_t index_len)
{
	const char *const names[] = { label_secret, col->table->module, col->table->name,
				      col->name };
	uint8_t octets[MIB_OID_MAX * 4];
	gcry_error_t err = gcry_cipher_reset(s->cipher);

	if (index_len > MIB_OID_MAX)
		return gcry_error(GPG_ERR_INV_LENGTH);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !err; i++)
		err = bind(s, names[i], strlen(names[i]));
	for (size_t i = 0; i < index_len; i++) {
		octets[4 * i] = (uint8_t)(index[i] >> 24);
		octets[4 * i + 1] = (uint8_t)(index[i] >> 16);
		octets[4 * i + 2] = (uint8_t)(index[i] >> 8);
		octets[4 * i + 3] = (uint8_t)index[i];
	}
	return err ? err : bind(s, octets, 4 * index_len);
}

/* A digest under a label, sealed: a check. */
static enum mib_err seal_digest(struct mib_file_seal *s, const char *label, const uint8_t *digest,
				uint8_t check[MIB_FILE_SEAL_CHECK])
{
	gcry_error_t err = gcry_cipher_reset(s->cipher);

	if (!err)
		err = bind(s, label, strlen(label));
	if (!err)
		err = gcry_cipher_encrypt(s->cipher, check + TAG_LEN, DIGEST_LEN, digest,
					  DIGEST_LEN);
	if (!err)
		err = gcry_cipher_gettag(s->cipher, check, TAG_LEN);
	return err ? MIB_RESOURCE_UNAVAILABLE : MIB_OK;
}

/* ---- lists ---- */

enum mib_err mib_file_seal_begin(struct mib_file_seal *s, struct mib_file_seal_head *head)
{
	uint8_t said[1 + MIB_FILE_SEAL_SALT], digest[DIGEST_LEN];

	said[0] = (uint8_t)s->head.kind;
	memcpy(said + 1, s->head.salt, MIB_FILE_SEAL_SALT);
	gcry_md_hash_buffer(GCRY_MD_SHA256, digest, said, sizeof(said));
	if (seal_digest(s, label_key, digest, s->head.key_check) != MIB_OK)
		return MIB_RESOURCE_UNAVAILABLE;
	gcry_md_reset(s->list);
	*head = s->head;
	return MIB_OK;
}

enum mib_err mib_file_seal_check(struct mib_file_seal *s, const struct mib_file_seal_head *head,
				 struct mib_diag *d)
{
	struct mib_file_seal_head own;

	if (head->kind != s->head.kind) {
		mib_diag_set(d, NULL, NULL, 0, "%s",
			     head->kind == MIB_FILE_SEAL_KEYFILE ?
				     "the secrets are sealed under a key file, not a passphrase" :
				     "the secrets are sealed under a passphrase, not a key file");
		return MIB_WRONG_VALUE;
	}
	if (mib_file_seal_begin(s, &own) != MIB_OK) {
		mib_diag_set(d, NULL, NULL, 0, "no memory for the cipher");
		return MIB_RESOURCE_UNAVAILABLE;
	}
	if (memcmp(own.salt, head->salt, sizeof(own.salt)) != 0 ||
	    memcmp(own.key_check, head->key_check, sizeof(own.key_check)) != 0) {
		mib_diag_set(d, NULL, NULL, 0,
			     "the %s is not the one that the secrets are sealed under",
			     head->kind == MIB_FILE_SEAL_KEYFILE ? "key file" : "passphrase");
		return MIB_WRONG_VALUE;
	}
	return MIB_OK;
}

/* A blob's length, then the blob, whose tag stands for its place too. */
static void enlist(struct mib_file_seal *s, const uint8_t *blob, size_t len)
{
	const uint8_t size[4] = { (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
				  (uint8_t)len };

	gcry_md_write(s->list, size, sizeof(size));
	gcry_md_write(s->list, blob, len);
}

enum mib_err mib_file_seal_wrap(struct mib_file_seal *s, const struct mib_column *col,
				const uint32_t *index, size_t index_len, const uint8_t *secret,
				size_t len, uint8_t *blob)
{
	gcry_error_t err = bind_cell(s, col, index, index_len);

	if (!err)
		err = gcry_cipher_encrypt(s->cipher, blob + TAG_LEN, len, secret, len);
	if (!err)
		err = gcry_cipher_gettag(s->cipher, blob, TAG_LEN);
	if (err)
		return MIB_RESOURCE_UNAVAILABLE;
	enlist(s, blob, len + TAG_LEN);
	return MIB_OK;
}

enum mib_err mib_file_seal_unwrap(struct mib_file_seal *s, const struct mib_column *col,
				  const uint32_t *index, size_t index_len, const uint8_t *blob,
				  size_t blob_len, struct mib_secret *out, struct mib_diag *d)
{
	struct mib_secret secret = { NULL, 0 };
	gcry_error_t err;

	if (blob_len < TAG_LEN || mib_secret_init(&secret, blob_len - TAG_LEN) != MIB_OK) {
		mib_diag_set(d, col, index, index_len, "%s", blob_len < TAG_LEN ?
			     "it is too short for a sealed secret" : "no locked memory left");
		return blob_len < TAG_LEN ? MIB_WRONG_VALUE : MIB_RESOURCE_UNAVAILABLE;
	}
	err = bind_cell(s, col, index, index_len);
	if (!err)
		err = gcry_cipher_set_decryption_tag(s->cipher, blob, TAG_LEN);
	if (!err)
		err = gcry_cipher_decrypt(s->cipher, secret.data, secret.len, blob + TAG_LEN,
					  secret.len);
	if (err) {
		mib_secret_fini(&secret);
		mib_diag_set(d, col, index, index_len,
			     "the sealed secret is damaged, or was moved here from another row");
		return MIB_WRONG_VALUE;
	}
	enlist(s, blob, blob_len);
	*out = secret;
	return MIB_OK;
}

enum mib_err mib_file_seal_end(struct mib_file_seal *s, uint8_t check[MIB_FILE_SEAL_CHECK])
{
	return seal_digest(s, label_list, gcry_md_read(s->list, GCRY_MD_SHA256), check);
}
