/* tests/unit/xml/fixture.c - see fixture.h. */
#include "config.h"

#include "tests/unit/xml/fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xml/parse.h"

static uint64_t stopped_clock(void)
{
	return 4711;
}

static enum mib_err disk_write(void *arg, uint64_t generation, const struct mib_change *changes,
			       size_t n, struct mib_diag *d)
{
	struct disk *disk = arg;

	(void)generation;
	(void)changes;
	(void)n;
	if (!disk->broken) {
		disk->writes++;
		return MIB_OK;
	}
	mib_diag_set(d, NULL, NULL, 0, "the disk is full");
	return MIB_COMMIT_FAILED;
}

struct mib_store *store_on(struct disk *disk)
{
	static struct mib_journal journal;	/* of the one store that has a disk */
	struct mib_store *s;

	if (disk)
		journal = (struct mib_journal){ disk_write, disk };
	ck_assert_int_eq(mib_store_new(disk ? &journal : NULL, stopped_clock, &s), MIB_OK);
	return s;
}

static enum mib_err assign(struct mib_txn *t, const struct assignment *a)
{
	const struct mib_column *col = mib_column_by_name(a->column);
	_Alignas(8) unsigned char space[4096];
	struct mib_diag d = { 0 };
	struct mib_oid index;
	struct mib_value v;
	enum mib_err err;

	ck_assert_msg(col != NULL, "no column %s", a->column);
	ck_assert_msg(mib_index_parse(col->table, a->index, &index, &d) == MIB_OK, "%s: %s",
		      a->index, d.text);
	err = mib_value_parse(col, a->value, false, space, sizeof(space), &v, &d);
	if (!err)
		err = mib_txn_set_column(t, col, index.ids, index.len, &v, &d);
	return err;
}

static enum mib_err commit(struct mib_store *s, const struct assignment *a, struct mib_diag *d)
{
	struct mib_txn *t;
	enum mib_err err = MIB_OK;

	ck_assert_int_eq(mib_txn_begin(s, MIB_DOOR_SYSTEM, "test", &t), MIB_OK);
	for (; a->column && !err; a++) {
		err = assign(t, a);
		if (err)
			mib_diag_set(d, NULL, NULL, 0, "%s.%s=%s", a->column, a->index, a->value);
	}
	if (!err)
		err = mib_txn_prepare(t, d);
	if (!err)
		err = mib_txn_commit(t, d);
	mib_txn_done(t);
	return err;
}

void store_set(struct mib_store *s, const struct assignment *a)
{
	struct mib_diag d = { 0 };
	enum mib_err err = commit(s, a, &d);

	ck_assert_msg(err == MIB_OK, "%s %s: %s", mib_err_name(err), d.object, d.text);
}

enum mib_err store_try(struct mib_store *s, const struct assignment *a)
{
	return commit(s, a, NULL);
}

const struct assignment secrets[] = {
	{ "ipsaCredType", "enc", "sharedSecret" },
	{ "ipsaCredCredential", "enc",
	  "0x606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f" },
	{ "ipsaCredAdminStatus", "enc", "enabled" },
	{ "ipsaCredRowStatus", "enc", "createAndGo" },
	{ "ipsaCredType", "auth", "sharedSecret" },
	{ "ipsaCredCredential", "auth",
	  "0x808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f" },
	{ "ipsaCredAdminStatus", "auth", "enabled" },
	{ "ipsaCredRowStatus", "auth", "createAndGo" },
	{ NULL, NULL, NULL },
};

const struct assignment tunnel[] = {
	{ "ipsaEspTranCipherTransformId", "aes", "12" },
	{ "ipsaEspTranCipherKeyLength", "aes", "256" },
	{ "ipsaEspTranIntegrityAlgorithmId", "aes", "5" },
	{ "ipsaEspTranRowStatus", "aes", "createAndGo" },
	{ "ipsaPeerIdType", "gw,0", "1" },
	{ "ipsaPeerIdValue", "gw,0", "198.51.100.1" },
	{ "ipsaPeerIdAddressType", "gw,0", "ipv4" },
	{ "ipsaPeerIdAddress", "gw,0", "198.51.100.1" },
	{ "ipsaPeerIdRowStatus", "gw,0", "createAndGo" },
	{ "ipsaSaPreActESPSPI", "tun,outbound", "4096" },
	{ "ipsaSaPreActESPTransformName", "tun,outbound", "aes" },
	{ "ipsaSaPreActESPEncSecretName", "tun,outbound", "enc" },
	{ "ipsaSaPreActESPAuthSecretName", "tun,outbound", "auth" },
	{ "ipsaSaPreActPeerGatewayIdName", "tun,outbound", "gw" },
	{ "ipsaSaPreActRowStatus", "tun,outbound", "createAndGo" },
	{ "diffServMultiFieldClfrAddrType", "20", "ipv4" },
	{ "diffServMultiFieldClfrSrcAddr", "20", "10.1.0.0" },
	{ "diffServMultiFieldClfrSrcPrefixLength", "20", "16" },
	{ "diffServMultiFieldClfrDstAddr", "20", "10.2.0.0" },
	{ "diffServMultiFieldClfrDstPrefixLength", "20", "16" },
	{ "diffServMultiFieldClfrStatus", "20", "createAndGo" },
	{ "spdRuleDefDescription", "protect", "LAN to LAN" },
	{ "spdRuleDefFilter", "protect", "diffServMultiFieldClfrAddrType.20" },
	{ "spdRuleDefAction", "protect", "ipsaSaPreActActionDescription.\"tun\",outbound" },
	{ "spdRuleDefRowStatus", "protect", "createAndGo" },
	{ "spdGroupContComponentName", "wan-out,100", "protect" },
	{ "spdGroupContRowStatus", "wan-out,100", "createAndGo" },
	{ "spdEndGroupName", "outbound,2", "wan-out" },
	{ "spdEndGroupRowStatus", "outbound,2", "createAndGo" },
	{ NULL, NULL, NULL },
};

const struct assignment old_rule[] = {
	{ "spdRuleDefDescription", "old", "as it was" },
	{ "spdRuleDefFilter", "old", "spdTrueFilter.0" },
	{ "spdRuleDefAction", "old", "spdDropAction.0" },
	{ "spdRuleDefAdminStatus", "old", "disabled" },
	{ "spdRuleDefRowStatus", "old", "createAndGo" },
	{ NULL, NULL, NULL },
};

struct mib_file_seal *seal_of(uint8_t first)
{
	static const uint8_t salt[MIB_FILE_SEAL_SALT] = { 1, 2, 3 };
	struct mib_file_seal *s;
	struct mib_secret key;

	ck_assert_int_eq(mib_secret_init(&key, MIB_FILE_SEAL_KEY), MIB_OK);
	key.data[0] = first;
	ck_assert_int_eq(mib_file_seal_new(MIB_FILE_SEAL_PASSPHRASE, salt, &key, &s), MIB_OK);
	mib_secret_fini(&key);
	return s;
}

int file_of(const char *text, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

char *export_of(struct mib_store *s)
{
	return export_sealed(s, NULL);
}

char *export_sealed(struct mib_store *s, struct mib_file_seal *seal)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct mib_diag d = { 0 };
	off_t len;
	char *text;

	ck_assert_int_ge(fd, 0);
	ck_assert_msg(xml_export(s, fd, seal, &d) == MIB_OK, "%s", d.text);
	len = lseek(fd, 0, SEEK_END);
	ck_assert_int_gt(len, 0);
	text = malloc((size_t)len + 1);
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(pread(fd, text, (size_t)len, 0), len);
	text[len] = '\0';
	close(fd);
	return text;
}

static void note_line(void *arg, const char *line)
{
	struct outcome *o = arg;
	size_t len = strlen(o->lines);

	snprintf(o->lines + len, sizeof(o->lines) - len, "%s\n", line);
}

static void note_not_ready(void *arg, const char *line)
{
	struct outcome *o = arg;
	size_t len = strlen(o->not_ready);

	snprintf(o->not_ready + len, sizeof(o->not_ready) - len, "%s\n", line);
}

/* Parser and importer with nothing between them. */
static struct outcome run_import(struct mib_store *s, const char *text, size_t len,
				 struct mib_file_seal *seal, unsigned flags)
{
	struct outcome o = { 0 };
	const struct xml_import_options options = {
		.replace = flags & REPLACE,
		.dry_run = flags & DRY_RUN,
		.who = "test",
		.seal = seal,
		.difference = note_line,
		.not_ready = note_not_ready,
		.arg = &o,
	};
	struct xml_import *im;
	struct xml_parse *p;

	o.err = xml_import_begin(s, &options, &o.d, &im);
	if (o.err)
		return o;
	o.err = xml_parse_new(xml_import_sink(im), &o.d, &p);
	if (!o.err) {
		o.err = xml_parse_feed(p, text, len);
		if (!o.err)
			o.err = xml_parse_end(p);
		xml_parse_free(p);
	}
	o.err = xml_import_end(im, o.err, &o.sum);
	return o;
}

struct outcome import_octets(struct mib_store *s, const char *text, size_t len, unsigned flags)
{
	return run_import(s, text, len, NULL, flags);
}

struct outcome import_sealed(struct mib_store *s, const char *text, struct mib_file_seal *seal,
			     unsigned flags)
{
	return run_import(s, text, strlen(text), seal, flags);
}

struct outcome import_text(struct mib_store *s, const char *text, unsigned flags)
{
	return import_octets(s, text, strlen(text), flags);
}

void must_import(const struct outcome *o)
{
	ck_assert_msg(o->err == MIB_OK, "%s line %u %s: %s", mib_err_name(o->err), o->d.line,
		      o->d.diag.object, o->d.diag.text);
}

void must_equal(const char *a, const char *b)
{
	size_t at = 0, from;

	while (a[at] && a[at] == b[at])
		at++;
	from = at > 100 ? at - 100 : 0;
	ck_assert_msg(a[at] == b[at], "they part at %zu:\n%.300s\n---\n%.300s", at, a + from,
		      b + from);
}
