/*
 * tests/unit/faults/world.c - see world.h.
 */
#include "tests/unit/faults/world.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/policy.h"
#include "tests/unit/mibs/fixture.h"
#include "tests/unit/policy/rowtext.h"

#define TRANSACTION 1
#define SESSION 7

const char world_rows[] =
	"+ cred k Type=sharedSecret Credential=0x32*32 AdminStatus=enabled\n"
	"+ esp e CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ pre p,2 ESPSPI=300 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k\n"
	"+ clfr 1 AddrType=ipv4 Protocol=6\n"
	"+ filter f LogicType=or\n"
	"+ subfilter f,1 Subfilter=diffServMultiFieldClfrAddrType.1\n"
	"+ rule old Filter=spdCompFiltDescription.\"f\" Action=spdAcceptAction.0\n"
	"+ rule sa Filter=spdTrueFilter.0 Action=ipsaSaPreActActionDescription.\"p\",2\n"
	"+ rule spare Filter=spdTrueFilter.0 Action=spdDropAction.0\n"
	"+ contents g,1 ComponentName=old\n"
	"+ contents g,2 ComponentName=sa\n"
	"+ endpoint 2,2 Name=g";

const char world_many_tables[] =
	"+ endpoint 1,3 Name=h\n"
	"+ contents h,2 ComponentName=deny\n"
	"+ contents h,1 ComponentName=new\n"
	"+ rule new Filter=diffServMultiFieldClfrAddrType.7 "
	"Action=ipsaSaPreActActionDescription.\"q\",1\n"
	"+ rule deny Filter=spdTrueFilter.0 Action=spdDropAction.0\n"
	"+ clfr 7 AddrType=ipv6 SrcAddr=2001:db8:: SrcPrefixLength=32\n"
	"+ pre q,1 ESPSPI=500 ESPTransformName=e2 ESPEncSecretName=k2 ESPAuthSecretName=k2\n"
	"+ esp e2 CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ cred k2 Type=sharedSecret Credential=0x34*32 AdminStatus=enabled";

const struct mib_binder *const *world_binders;

static void on_answer(void *arg, const struct ax_header *request, uint16_t error, uint16_t index)
{
	struct world *w = arg;

	(void)request;
	w->answers++;
	w->error = error;
	w->index = index;
}

static const struct ax_sets_ops ops = { on_answer };

static char *slurp(const char *path, size_t *len)
{
	struct stat st;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *octets;

	ck_assert_msg(fd >= 0 && fstat(fd, &st) == 0, "%s", path);
	octets = malloc((size_t)st.st_size + 1);
	ck_assert_int_eq(read(fd, octets, (size_t)st.st_size), st.st_size);
	close(fd);
	*len = (size_t)st.st_size;
	return octets;
}

static void spill(const char *path, const char *octets, size_t len)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_msg(fd >= 0, "%s", path);
	ck_assert_int_eq(write(fd, octets, len), len);
	close(fd);
}

void world_open(struct world *w)
{
	struct mib_diag d = { 0 };

	ck_assert_msg(mib_seal_open(w->dir, NULL, &w->seal, &d) == MIB_OK, "%s", d.text);
	ck_assert_msg(mib_db_open(w->path, w->seal, &w->db, &d) == MIB_OK, "%s", d.text);
	ck_assert_int_eq(mib_store_new(mib_db_journal(w->db), fx_clock, &w->store), MIB_OK);
	ck_assert_int_eq(pol_bind(w->store), MIB_OK);
	for (size_t i = 0; world_binders && world_binders[i]; i++)
		ck_assert_int_eq(mib_store_add_binder(w->store, world_binders[i]), MIB_OK);
	ck_assert_msg(mib_db_load(w->db, w->store, NULL, NULL, &d) == MIB_OK, "%s", d.text);
	/* No answer ever waits: times are for other tests. */
	ck_assert_int_eq(ax_sets_new(w->base, w->store, 60000, 60000, &ops, w, &w->log, &w->sets),
			 MIB_OK);
}

void world_close(struct world *w)
{
	ax_sets_free(w->sets);
	mib_store_free(w->store);
	mib_db_close(w->db);
	mib_seal_close(w->seal);
	w->sets = NULL;
	w->store = NULL;
	w->db = NULL;
	w->seal = NULL;
}

void world_init(struct world *w, const char *rows)
{
	struct mib_diag d = { 0 };

	memset(w, 0, sizeof(*w));
	ck_assert_int_eq(mib_secmem_init(MIB_SECMEM_MAY_SWAP, &d), MIB_OK);
	/* In memory where there is such a place: these tests sync thousands of times. */
	snprintf(w->dir, sizeof(w->dir), "%s/check_faults.XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/state.db", w->dir);
	w->base = event_base_new();
	ck_assert_ptr_nonnull(w->base);
	world_open(w);
	rows_put(w->store, rows);
	world_close(w);
	/* Closing moves the log into the database: one file is the whole state. */
	w->first = slurp(w->path, &w->first_len);
	world_open(w);
}

void world_fini(struct world *w)
{
	DIR *d;

	world_close(w);
	event_base_free(w->base);
	free(w->first);
	d = opendir(w->dir);
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(w->dir);
}

void world_reset(struct world *w)
{
	char log[sizeof(w->path) + 8];

	world_close(w);
	snprintf(log, sizeof(log), "%s-wal", w->path);
	unlink(log);
	spill(w->path, w->first, w->first_len);
	world_open(w);
}

/* ---- the state as a text ---- */

static void print_selector(FILE *f, const struct ipsp_selector *s)
{
	const struct ipsp_addr *const ends[] = { &s->src_lo, &s->src_hi, &s->dst_lo, &s->dst_hi };
	char text[IPSP_ADDR_TEXT];

	fprintf(f, " [%u %u-%u %u-%u %u-%u %u-%u", s->family, s->proto_lo, s->proto_hi,
		s->dscp_lo, s->dscp_hi, s->sport_lo, s->sport_hi, s->dport_lo, s->dport_hi);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		fprintf(f, " %s", ipsp_addr_print(ends[i], text));
	fputc(']', f);
}

static void print_policy(FILE *f, struct mib_store *s)
{
	struct pol_generation *g = compile(s);

	for (size_t i = 0; i < g->n_lists; i++) {
		const struct ipsp_spd_list *l = list_of(g, g->lists[i].ifindex,
							(enum ipsp_dir)g->lists[i].dir);

		fprintf(f, "list %u %u\n", l->ifindex, l->dir);
		for (uint32_t j = 0; j < l->n_entries; j++) {
			const struct ipsp_spd_entry *e = &l->entries[j];

			fprintf(f, " entry %llx %u %d %llx:", (unsigned long long)e->id, e->action,
				e->log, (unsigned long long)e->sa_id);
			for (uint32_t k = 0; k < e->n_selectors; k++)
				print_selector(f, &e->selectors[k]);
			fputc('\n', f);
		}
	}
	for (size_t i = 0; i < pol_map_count(&g->sas); i++)
		fprintf(f, "sa %llx %x\n", (unsigned long long)sa_at(g, i)->id,
			sa_at(g, i)->spi);
	for (const struct pol_problem *p = pol_problem_next(g, NULL); p;
	     p = pol_problem_next(g, p))
		fprintf(f, "problem %s: %s\n", p->table->name, p->reason);
	pol_generation_free(g);
}

static int print_cell(void *arg, int n, char **values, char **names)
{
	FILE *f = arg;

	(void)names;
	for (int i = 0; i < n; i++)
		fprintf(f, " %s", values[i] ? values[i] : "-");
	fputc('\n', f);
	return 0;
}

static void copy_file(const char *from, const char *to)
{
	size_t len;
	char *octets;

	unlink(to);
	if (access(from, F_OK) != 0)
		return;
	octets = slurp(from, &len);
	spill(to, octets, len);
	free(octets);
}

/* Of a copy: the database itself is locked for its owner. */
static sqlite3 *open_copy(const struct world *w)
{
	char from[sizeof(w->path) + 8], to[sizeof(w->path) + 16];
	sqlite3 *sql;

	snprintf(from, sizeof(from), "%s-wal", w->path);
	snprintf(to, sizeof(to), "%s/copy.db-wal", w->dir);
	copy_file(from, to);
	snprintf(to, sizeof(to), "%s/copy.db", w->dir);
	copy_file(w->path, to);
	/* By the ordinary file layer, not by fault_vfs.c. */
	ck_assert_int_eq(sqlite3_open_v2(to, &sql, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
	return sql;
}

static void query(FILE *f, sqlite3 *sql, const char *text)
{
	ck_assert_msg(sqlite3_exec(sql, text, print_cell, f, NULL) == SQLITE_OK, "%s",
		      sqlite3_errmsg(sql));
}

char *world_state(struct world *w)
{
	char *text = NULL, *walk = fx_dump(w->store);
	sqlite3 *sql = open_copy(w);
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(f);
	fprintf(f, "generation %llu, on disk",
		(unsigned long long)mib_store_generation(w->store));
	query(f, sql, "SELECT value FROM meta WHERE key = 'generation'");
	fputs(walk, f);
	print_policy(f, w->store);
	/* Sealed cells differ each time but for their length. */
	query(f, sql, "SELECT t.name, c.name, hex(x.idx), x.sealed,"
	      " CASE x.sealed WHEN 0 THEN hex(x.value) ELSE length(x.value) END"
	      " FROM cell x JOIN col c ON c.id = x.col JOIN tbl t ON t.id = x.tbl"
	      " ORDER BY t.name, x.idx, c.name");
	query(f, sql, "PRAGMA integrity_check");
	fclose(f);
	sqlite3_close(sql);
	free(walk);
	ck_assert_ptr_null(mib_store_staged(w->store));
	fx_check_invariants(w->store);
	return text;
}

/* ---- SNMP ---- */

static enum mib_err put(void *arg, const struct mib_column *col, const struct mib_oid *index,
			const struct mib_value *v, struct mib_diag *d)
{
	struct ax_buf *b = arg;
	struct mib_oid name = { 0 };

	(void)d;
	ck_assert(mib_oid_append(&name, col->table->entry_oid, col->table->entry_oid_len) &&
		  mib_oid_append(&name, &col->id, 1) &&
		  mib_oid_append(&name, index->ids, index->len));
	ax_put_varbind(b, ax_value_type_of(v->syntax), name.ids, name.len, v);
	return MIB_OK;
}

static size_t begin(struct ax_buf *b, uint8_t type)
{
	const struct ax_header h = { .type = type, .flags = AX_NETWORK_BYTE_ORDER,
				     .session_id = SESSION, .transaction_id = TRANSACTION };

	ax_buf_init(b, AX_PDU_MAX);
	return ax_pdu_begin(b, &h, NULL);
}

void world_pdu(struct ax_buf *out, const char *rows)
{
	const size_t start = begin(out, AX_TEST_SET);
	struct mib_diag d = { 0 };
	const enum mib_err err = rows_each(rows, put, out, &d);

	ck_assert_msg(err == MIB_OK, "%s: %s", d.object, d.text);
	ck_assert(ax_pdu_end(out, start));
}

static void take(const struct ax_buf *pdu, struct ax_pdu *out)
{
	struct ax_header h;

	if (ax_frame_next(pdu->data, pdu->len, &h) != AX_FRAME_PDU ||
	    !ax_pdu_parse(&h, pdu->data + AX_HEADER_SIZE, out))
		abort();
}

size_t world_pdu_varbinds(const struct ax_buf *pdu)
{
	struct ax_pdu p;

	take(pdu, &p);
	return p.n_items;
}

uint16_t world_phase(struct world *w, uint8_t type, const struct ax_buf *pdu)
{
	struct ax_pdu p;

	if (type == AX_TEST_SET) {
		take(pdu, &p);
	} else {
		p = (struct ax_pdu){ .h = { .version = 1, .type = type,
					    .flags = AX_NETWORK_BYTE_ORDER,
					    .session_id = SESSION,
					    .transaction_id = TRANSACTION } };
	}
	w->error = 0xffff;
	w->index = 0xffff;
	ax_sets_request(w->sets, &p);
	return w->error;
}
