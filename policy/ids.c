/* policy/ids.c - stable ids: see ids.h. */
#include "policy/ids.h"

#include <gcrypt.h>
#include <string.h>

#define SHA256_LEN 32

/* All numbers go in as four octets, so that no two rows give the same octets. */
static void put_u32(gcry_md_hd_t md, uint32_t n)
{
	const uint8_t octets[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
				    (uint8_t)n };

	gcry_md_write(md, octets, sizeof(octets));
}

static void put_ids(gcry_md_hd_t md, const uint32_t *ids, size_t len)
{
	put_u32(md, (uint32_t)len);
	for (size_t i = 0; i < len; i++)
		put_u32(md, ids[i]);
}

static void put_row(gcry_md_hd_t md, const struct mib_table *t, const uint32_t *index, size_t len)
{
	put_ids(md, t->entry_oid, t->entry_oid_len);
	put_ids(md, index, len);
}

static uint64_t first_64(const uint8_t digest[SHA256_LEN])
{
	uint64_t id = 0;

	for (size_t i = 0; i < 8; i++)
		id = id << 8 | digest[i];
	return id ? id : 1;
}

/* Without memory for the hash there is no id: 0, which callers take as no memory. */
static bool begin(gcry_md_hd_t *md, const char *use, unsigned flags)
{
	if (gcry_md_open(md, GCRY_MD_SHA256, flags))
		return false;
	gcry_md_write(*md, use, strlen(use) + 1);
	return true;
}

static uint64_t end(gcry_md_hd_t md)
{
	uint64_t id = first_64(gcry_md_read(md, GCRY_MD_SHA256));

	gcry_md_close(md);
	return id;
}

uint64_t pol_id_of_row(const struct mib_table *t, const uint32_t *index, size_t len,
		       uint32_t salt)
{
	gcry_md_hd_t md;

	if (!begin(&md, "ipspd row", 0))
		return 0;
	put_row(md, t, index, len);
	put_u32(md, salt);
	return end(md);
}

uint64_t pol_id_of_member(uint64_t row_id, uint8_t proto)
{
	gcry_md_hd_t md;

	if (!begin(&md, "ipspd bundle", 0))
		return 0;
	put_u32(md, (uint32_t)(row_id >> 32));
	put_u32(md, (uint32_t)row_id);
	put_u32(md, proto);
	return end(md);
}

static bool hash_keys(const struct ipsp_sa_config *sa, uint8_t digest[SHA256_LEN])
{
	gcry_md_hd_t md;

	if (!begin(&md, "ipspd keys", GCRY_MD_FLAG_SECURE))
		return false;
	put_u32(md, sa->encr_key.len);
	gcry_md_write(md, sa->encr_key.octets, sa->encr_key.len);
	put_u32(md, sa->integ_key.len);
	gcry_md_write(md, sa->integ_key.octets, sa->integ_key.len);
	memcpy(digest, gcry_md_read(md, GCRY_MD_SHA256), SHA256_LEN);
	gcry_md_close(md);
	return true;
}

uint64_t pol_id_of_counters(const struct mib_table *t, const uint32_t *index, size_t len,
			    const struct ipsp_sa_config *sa)
{
	uint8_t keys[SHA256_LEN];
	gcry_md_hd_t md;

	if (!hash_keys(sa, keys))
		return 0;
	if (!begin(&md, "ipspd counters", 0))
		return 0;
	put_row(md, t, index, len);
	put_u32(md, sa->proto);
	put_u32(md, sa->spi);
	gcry_md_write(md, keys, sizeof(keys));
	return end(md);
}
