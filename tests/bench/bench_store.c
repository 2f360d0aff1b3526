/*
 * tests/bench/bench_store.c - the MIB state in one process: transactions, walks, memory, loading.
 *
 * The store with all binders over its database, at 1,000, 10,000 and 100,000 rules. Transactions of
 * one row each, beside what the disk itself does in the same directory: appending a page and
 * fdatasync. BENCH_DIR says where (default: here); a tmpfs makes the durable figures meaningless.
 *
 *	store.txn.{volatile,nonvolatile}.N.per_s	create one row, at N rows
 *	store.txn.nonvolatile.N.vs_fdatasync		beside disk.fdatasync.per_s
 *	store.walk.N.varbinds_per_s			GETNEXT from beginning to end
 *	store.bytes_per_row				of a rule row, at the largest N
 *	store.load_100k_s				from closed database to ready store
 *	store.sa.N.per_s				manual SAs made in one transaction of N rows
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mibs/persist.h"
#include "mibs/schema_gen.h"
#include "mibs/seal.h"
#include "mibs/secmem.h"
#include "policy/policy.h"
#include "tests/bench/bench.h"
#include "tests/bench/rows.h"

#define BATCH 1000u	/* rows a transaction while filling */

static const struct scale {
	const char *name;
	uint32_t n;
} scales[] = {
	{ "1k", 1000 },
	{ "10k", 10000 },
	{ "100k", 100000 },
};

static const uint32_t true_filter[] = { 1, 3, 6, 1, 2, 1, 153, 1, 7, 1, 0 };
static const uint32_t drop_action[] = { 1, 3, 6, 1, 2, 1, 153, 1, 13, 1, 0 };

struct bench {
	char dir[256];
	char path[300];
	struct mib_seal *seal;
	struct mib_db *db;
	struct mib_store *store;
	uint32_t next;		/* the next rule's number */
};

static void open_store(struct bench *b)
{
	struct mib_diag d = { 0 };

	rows_must(mib_seal_open(b->dir, NULL, &b->seal, &d), &d);
	rows_must(mib_db_open(b->path, b->seal, &b->db, &d), &d);
	rows_must(mib_store_new(mib_db_journal(b->db), rows_no_clock, &b->store), &d);
	rows_must(pol_bind(b->store), &d);
	rows_must(mib_db_load(b->db, b->store, NULL, NULL, &d), &d);
}

static void close_store(struct bench *b)
{
	mib_store_free(b->store);
	mib_db_close(b->db);
	mib_seal_close(b->seal);
}

#define RULE(column) MIB_COL(spdRuleDefinitionTable, column)

#define NAME_SIZE 16

/* The index of a rule whose name is its number. @return its length */
static int rule_index(uint32_t number, uint32_t index[NAME_SIZE + 1])
{
	char name[NAME_SIZE];
	const int len = snprintf(name, sizeof(name), "rule%06u", number);

	index[0] = (uint32_t)len;
	for (int i = 0; i < len; i++)
		index[i + 1] = (uint8_t)name[i];
	return len;
}

/* A rule that is complete and active. */
static void stage_rule(struct mib_txn *t, uint32_t number, enum mib_storage storage)
{
	uint32_t index[NAME_SIZE + 1];
	const int len = rule_index(number, index);

	rows_set(t, RULE(spdRuleDefFilter), index, (size_t)len + 1, mib_value_oid(true_filter, 11));
	rows_set(t, RULE(spdRuleDefAction), index, (size_t)len + 1, mib_value_oid(drop_action, 11));
	if (storage != MIB_ST_NON_VOLATILE)
		rows_set(t, RULE(spdRuleDefStorageType), index, (size_t)len + 1,
			 mib_value_integer(storage));
	rows_set(t, RULE(spdRuleDefRowStatus), index, (size_t)len + 1,
		 mib_value_integer(MIB_RS_CREATE_AND_GO));
}

static void fill(struct bench *b, uint32_t n)
{
	while (b->next < n) {
		struct mib_txn *t = rows_begin(b->store);

		for (uint32_t i = 0; i < BATCH && b->next < n; i++)
			stage_rule(t, b->next++, MIB_ST_NON_VOLATILE);
		rows_finish(t);
	}
}

/* Rows that were made to measure go again, so that there are as many as the figure's name says. */
static void drain(struct bench *b, uint32_t n)
{
	struct mib_txn *t = rows_begin(b->store);

	while (b->next > n) {
		uint32_t index[NAME_SIZE + 1];
		const int len = rule_index(--b->next, index);

		rows_set(t, RULE(spdRuleDefRowStatus), index, (size_t)len + 1,
			 mib_value_integer(MIB_RS_DESTROY));
	}
	rows_finish(t);
}

/* Rows of one transaction each for a while: wall clock, because the disk counts. */
static double txn_rate(struct bench *b, enum mib_storage storage)
{
	const double enough_s = bench_enough_s(1.0), from = bench_wall_s();
	const uint32_t before = b->next;
	uint32_t done = 0;
	double spent;

	do {
		struct mib_txn *t = rows_begin(b->store);

		stage_rule(t, b->next++, storage);
		rows_finish(t);
		done++;
		spent = bench_wall_s() - from;
	} while (spent < enough_s);
	drain(b, before);
	return done / spent;
}

static double walk_rate(struct bench *b)
{
	struct mib_oid name = { 0 };
	struct mib_value v;
	const double from = bench_cpu_s();
	uint32_t seen = 0;

	while (mib_next(b->store, name.ids, name.len, false, NULL, 0, &name, &v) == MIB_OK)
		seen++;
	return seen / (bench_cpu_s() - from);
}

/* What the disk does: the same directory, a page more each time, in force when it returns. */
static double fdatasync_rate(const struct bench *b)
{
	static const uint8_t page[4096];
	const double enough_s = bench_enough_s(1.0);
	char path[sizeof(b->dir) + 16];
	uint32_t done = 0;
	double from, spent;
	int fd;

	snprintf(path, sizeof(path), "%s/sync", b->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bench_must(fd >= 0, path);
	from = bench_wall_s();
	do {
		bench_must(write(fd, page, sizeof(page)) == sizeof(page) && fdatasync(fd) == 0,
			   path);
		done++;
		spent = bench_wall_s() - from;
	} while (spent < enough_s);
	close(fd);
	unlink(path);
	return done / spent;
}

static void measure_scale(struct bench *b, const struct scale *scale)
{
	double durable, sync;

	fill(b, scale->n);
	bench_line(walk_rate(b), "varbind/s", "store.walk.%s.varbinds_per_s", scale->name);
	bench_line(txn_rate(b, MIB_ST_VOLATILE), "transaction/s", "store.txn.volatile.%s.per_s",
		   scale->name);
	durable = txn_rate(b, MIB_ST_NON_VOLATILE);
	bench_line(durable, "transaction/s", "store.txn.nonvolatile.%s.per_s", scale->name);
	sync = fdatasync_rate(b);
	bench_line(sync, "sync/s", "disk.fdatasync.%s.per_s", scale->name);
	bench_line(durable / sync, "ratio", "store.txn.nonvolatile.%s.vs_fdatasync",
		   scale->name);
}

/* The C library's own count of what is in use, before and after. */
static size_t in_use(void)
{
	const struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* A store of its own, without the database's caches, from no rule to all of them. */
static void measure_memory(uint32_t n)
{
	static struct bench b;
	struct mib_diag d = { 0 };
	size_t before;

	rows_must(mib_store_new(NULL, rows_no_clock, &b.store), &d);
	rows_must(pol_bind(b.store), &d);
	before = in_use();
	fill(&b, n);
	bench_line((double)(in_use() - before) / n, "octet", "store.bytes_per_row");
	mib_store_free(b.store);
}

static void measure_load(struct bench *b, const struct scale *scale)
{
	double from;

	close_store(b);
	from = bench_wall_s();
	open_store(b);
	bench_line(bench_wall_s() - from, "s", "store.load_%s_s", scale->name);
}

/* ---- manual SAs ---- */

#define ESP(column) MIB_COL(ipsaEspTransformTable, column)
#define CRED(column) MIB_COL(ipsaCredentialTable, column)
#define PRE(column) MIB_COL(ipsaSaPreconfiguredActionTable, column)

static void stage_sa_basis(struct mib_txn *t)
{
	static const uint32_t key[] = { 1, 'k' }, esp[] = { 1, 'e' };
	static const uint8_t octets[32] = { 1 };

	rows_set(t, CRED(ipsaCredType), key, 2, mib_value_integer(2));
	rows_set(t, CRED(ipsaCredCredential), key, 2, mib_value_octets(octets, sizeof(octets)));
	rows_set(t, CRED(ipsaCredAdminStatus), key, 2, mib_value_integer(1));
	rows_set(t, CRED(ipsaCredRowStatus), key, 2, mib_value_integer(MIB_RS_CREATE_AND_GO));
	rows_set(t, ESP(ipsaEspTranCipherTransformId), esp, 2, mib_value_unsigned(IPSP_ENCR_AES_CBC));
	rows_set(t, ESP(ipsaEspTranCipherKeyLength), esp, 2, mib_value_unsigned(256));
	rows_set(t, ESP(ipsaEspTranIntegrityAlgorithmId), esp, 2,
		 mib_value_unsigned(IPSP_INTEG_HMAC_SHA2_256_128));
	rows_set(t, ESP(ipsaEspTranRowStatus), esp, 2, mib_value_integer(MIB_RS_CREATE_AND_GO));
}

static void stage_sa(struct mib_txn *t, uint32_t number)
{
	/* A name of four octets, and the direction. */
	const uint32_t index[] = { 4, 'a' + number / 17576 % 26, 'a' + number / 676 % 26,
				   'a' + number / 26 % 26, 'a' + number % 26, IPSP_INBOUND };
	const struct mib_value e = mib_value_octets((const uint8_t *)"e", 1);
	const struct mib_value k = mib_value_octets((const uint8_t *)"k", 1);

	rows_set(t, PRE(ipsaSaPreActESPSPI), index, 6, mib_value_integer((int32_t)(4096 + number)));
	rows_set(t, PRE(ipsaSaPreActESPTransformName), index, 6, e);
	rows_set(t, PRE(ipsaSaPreActESPEncSecretName), index, 6, k);
	rows_set(t, PRE(ipsaSaPreActESPAuthSecretName), index, 6, k);
	rows_set(t, PRE(ipsaSaPreActRowStatus), index, 6, mib_value_integer(MIB_RS_CREATE_AND_GO));
}

static void measure_sas(struct bench *b)
{
	static const struct scale sa_scales[] = {
		{ "100", 100 }, { "1k", 1000 }, { "10k", 10000 },
	};
	const size_t n = bench_is_quick() ? 1 : sizeof(sa_scales) / sizeof(sa_scales[0]);
	struct mib_txn *t = rows_begin(b->store);
	uint32_t made = 0;

	stage_sa_basis(t);
	rows_finish(t);
	for (size_t i = 0; i < n; i++) {
		const double from = bench_wall_s();

		t = rows_begin(b->store);
		for (uint32_t j = 0; j < sa_scales[i].n; j++)
			stage_sa(t, made++);
		rows_finish(t);
		bench_line(sa_scales[i].n / (bench_wall_s() - from), "row/s", "store.sa.%s.per_s",
			   sa_scales[i].name);
	}
}

/* ---- where ---- */

static void remove_files(const struct bench *b)
{
	static const char *const names[] = { "state.db", "state.db-wal", "state.db-shm",
					     "ipspd.key", "sync" };
	char path[sizeof(b->dir) + 16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", b->dir, names[i]);
		unlink(path);
	}
	rmdir(b->dir);
}

int main(void)
{
	static struct bench b;
	const char *where = getenv("BENCH_DIR");
	const size_t n = bench_is_quick() ? 1 : sizeof(scales) / sizeof(scales[0]);
	char cwd[200];
	struct mib_diag d = { 0 };

	if (where == NULL)
		where = getcwd(cwd, sizeof(cwd));
	bench_must(where != NULL && strlen(where) < sizeof(cwd), "no directory to work in");
	snprintf(b.dir, sizeof(b.dir), "%s/bench-store.XXXXXX", where);
	bench_must(mkdtemp(b.dir) != NULL, b.dir);
	snprintf(b.path, sizeof(b.path), "%s/state.db", b.dir);
	rows_must(mib_secmem_init(MIB_SECMEM_MAY_SWAP, &d), &d);
	open_store(&b);
	for (size_t i = 0; i < n; i++)
		measure_scale(&b, &scales[i]);
	measure_memory(scales[n - 1].n);
	measure_load(&b, &scales[n - 1]);
	measure_sas(&b);
	close_store(&b);
	remove_files(&b);
	return EXIT_SUCCESS;
}
