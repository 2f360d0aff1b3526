/* tests/unit/policy/rowtext.c - rows from text: see rowtext.h. */
#include "rowtext.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_OCTETS 6000

static const struct {
	const char *name;
	const char *table;
} table_names[] = {
	{ "groups", "spdLocalConfigObjects" },
	{ "endpoint", "spdEndpointToGroupTable" },
	{ "contents", "spdGroupContentsTable" },
	{ "rule", "spdRuleDefinitionTable" },
	{ "filter", "spdCompoundFilterTable" },
	{ "subfilter", "spdSubfiltersTable" },
	{ "offset", "spdIpOffsetFilterTable" },
	{ "time", "spdTimeFilterTable" },
	{ "ipso", "spdIpsoHeaderFilterTable" },
	{ "action", "spdCompoundActionTable" },
	{ "subaction", "spdSubactionsTable" },
	{ "clfr", "diffServMultiFieldClfrTable" },
	{ "clfropt", "ipspdClfrTable" },
	{ "pre", "ipsaSaPreconfiguredActionTable" },
	{ "ah", "ipsaAhTransformTable" },
	{ "esp", "ipsaEspTransformTable" },
	{ "ipcomp", "ipsaIpcompTransformTable" },
	{ "cred", "ipsaCredentialTable" },
	{ "segment", "ipsaCredentialSegmentTable" },
	{ "peer", "ipsaPeerIdentityTable" },
	{ "peerfilter", "ipiaPeerIdentityFilterTable" },
	{ "credfilter", "ipiaCredentialFilterTable" },
	{ "param", "ipiaSaNegotiationParametersTable" },
	{ "ike", "ipiaIkeActionTable" },
	{ "ipsec", "ipiaIpsecActionTable" },
	{ "ikeprop", "ipiaIkeProposalTable" },
	{ "ikev2", "ipspdIkePropTable" },
	{ "preopt", "ipspdPreActOptTable" },
	{ "ruleopt", "ipspdRuleOptTable" },
	{ "proposal", "ipiaIpsecProposalsTable" },
	{ "transform", "ipiaIpsecTransformsTable" },
	{ "crl", "ipiaCredMngCRLTable" },
	{ "ca", "ipiaIpsecCredMngServiceTable" },
	{ "ikeident", "ipiaIkeIdentityTable" },
	{ "ikemember", "ipiaIkeActionProposalsTable" },
	{ "revoked", "ipiaRevokedCertificateTable" },
	{ "caopt", "ipspdCaTable" },
	{ "peeropt", "ipspdPeerOptTable" },
	{ "identopt", "ipspdIkeIdOptTable" },
	{ "credopt", "ipspdCredOptTable" },
	{ "ikeact", "ipspdIkeActTable" },
	{ "ipsecact", "ipspdIpsecActTable" },
	{ "preact", "ipspdPreActTable" },
	{ "autostart", "ipiaAutostartIkeTable" },
	{ "closure", "ipspdClosureTable" },
	{ "system", "ipspdSystem" },
	{ "exempt", "ipspdExempt" },
	{ "path", "ipspdPath" },
	{ "icmp", "ipspdIcmp" },
	{ "hold", "ipspdHold" },
};

static uint64_t clock_cs(void)
{
	return 0;
}

struct mib_store *store_new(void)
{
	struct mib_store *s;

	ck_assert_int_eq(mib_store_new(NULL, clock_cs, &s), MIB_OK);
	ck_assert_int_eq(pol_bind(s), MIB_OK);
	return s;
}

static const struct mib_table *table_of(const char *name)
{
	for (size_t i = 0; i < sizeof(table_names) / sizeof(table_names[0]); i++)
		if (strcmp(table_names[i].name, name) == 0)
			return mib_table_by_name(table_names[i].table);
	ck_abort_msg("no table %s", name);
	return NULL;
}

/* The column with the shortest name that ends so: "Type" is ipsaPeerIdType, not ...AddressType. */
static const struct mib_column *column_of(const struct mib_table *t, const char *end)
{
	const struct mib_column *best = NULL;

	for (size_t i = 0; i < t->n_columns; i++) {
		const struct mib_column *c = &t->columns[i];
		size_t n = strlen(c->name), m = strlen(end);

		if (n >= m && strcmp(c->name + n - m, end) == 0 &&
		    (!best || n < strlen(best->name)))
			best = c;
	}
	if (!best)
		ck_abort_msg("no column %s in %s", end, t->name);
	return best;
}

/* "0xab*32" */
static bool repeated(const char *text, uint8_t *space, size_t size, struct mib_value *v)
{
	unsigned octet, times;

	if (sscanf(text, "0x%2x*%u", &octet, &times) != 2 || times > size)
		return false;
	memset(space, (int)octet, times);
	*v = mib_value_octets(space, times);
	return true;
}

/* Who is told of the assignments, and of what is wrong with their text. */
struct reading {
	rows_assign *assign;
	void *arg;
	struct mib_diag *d;
};

static enum mib_err set(const struct reading *to, const struct mib_column *col,
			const struct mib_oid *index, const char *text)
{
	static _Alignas(8) uint8_t space[8192];
	struct mib_value v;
	enum mib_err err = MIB_OK;

	if (!repeated(text, space, sizeof(space), &v))
		err = mib_value_parse(col, text, false, space, sizeof(space), &v, to->d);
	return err == MIB_OK ? to->assign(to->arg, col, index, &v, to->d) : err;
}

static const char *status_word(char mark)
{
	return mark == '+' ? "createAndGo" : mark == '~' ? "createAndWait" :
	       mark == '-' ? "destroy" : NULL;
}

/* Does the rest of the line give that column, too? Then what comes last counts. */
static bool comes_again(const char *rest, const char *column)
{
	const size_t n = strlen(column);

	for (const char *p = rest; p; p = strchr(p, ' ')) {
		p += strspn(p, " ");
		if (strncmp(p, column, n) == 0 && p[n] == '=')
			return true;
	}
	return false;
}

static enum mib_err read_line(const struct reading *to, char *line)
{
	char *rest = NULL;
	const char *mark = strtok_r(line, " ", &rest);
	const struct mib_table *table = table_of(strtok_r(NULL, " ", &rest));
	const char *index_text = strtok_r(NULL, " ", &rest);
	const char *status = status_word(mark[0]);
	struct mib_oid index;
	enum mib_err err = mib_index_parse(table, index_text, &index, to->d);

	for (char *c; err == MIB_OK && (c = strtok_r(NULL, " ", &rest));) {
		char *value = strchr(c, '=');

		ck_assert_msg(value, "no value in %s", c);
		*value++ = '\0';
		if (comes_again(rest, c))
			continue;
		err = set(to, column_of(table, c), &index, value);
	}
	if (err == MIB_OK && status)
		err = set(to, mib_table_column_tc(table, MIB_TC_ROW_STATUS), &index, status);
	return err;
}

enum mib_err rows_each(const char *text, rows_assign *assign, void *arg, struct mib_diag *d)
{
	const struct reading to = { assign, arg, d };
	enum mib_err err = MIB_OK;

	while (*text && err == MIB_OK) {
		char line[LINE_MAX_OCTETS];
		size_t n = strcspn(text, "\n");

		ck_assert_uint_lt(n, sizeof(line));
		memcpy(line, text, n);
		line[n] = '\0';
		if (n > 0)
			err = read_line(&to, line);
		text += n + (text[n] == '\n');
	}
	return err;
}

static enum mib_err stage(void *arg, const struct mib_column *col, const struct mib_oid *index,
			  const struct mib_value *v, struct mib_diag *d)
{
	return mib_txn_set_column(arg, col, index->ids, index->len, v, d);
}

enum mib_err rows_try(struct mib_store *s, const char *text, struct mib_diag *d)
{
	struct mib_txn *t;
	enum mib_err err = mib_txn_begin(s, MIB_DOOR_SYSTEM, "test", &t);

	memset(d, 0, sizeof(*d));
	ck_assert_int_eq(err, MIB_OK);
	err = rows_each(text, stage, t, d);
	if (err == MIB_OK)
		err = mib_txn_prepare(t, d);
	if (err == MIB_OK)
		err = mib_txn_commit(t, d);
	mib_txn_done(t);
	return err;
}

void rows_put(struct mib_store *s, const char *text)
{
	struct mib_diag d;
	enum mib_err err = rows_try(s, text, &d);

	ck_assert_msg(err == MIB_OK, "%s: %s: %s\n%s", mib_err_name(err), d.object, d.text, text);
}

static bool is_loss(const struct loss *loss, const struct mib_row *r, const struct mib_column *col)
{
	const struct mib_table *t = mib_row_table(r);
	struct mib_oid at;
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	if (!loss || !loss->table || table_of(loss->table) != t ||
	    column_of(t, loss->column) != col)
		return false;
	ck_assert_int_eq(mib_index_parse(t, loss->index, &at, NULL), MIB_OK);
	return mib_oid_cmp(index, len, at.ids, at.len) == 0;
}

static void load_row(struct mib_store *to, const struct mib_row *r, const struct mib_table *t,
		     const struct loss *loss)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	for (size_t i = 0; i < t->n_columns; i++) {
		const struct mib_column *col = &t->columns[i];
		struct mib_value v;
		struct mib_diag d;

		if (!mib_row_is_set(r, col) || !mib_row_get(r, col, &v))
			continue;
		/* As the journal keeps it. */
		if (col->tc == MIB_TC_ROW_STATUS && mib_row_lost(r))
			v.number = mib_row_lost_values(r) ? MIB_RS_NOT_READY : MIB_RS_ACTIVE;
		if (is_loss(loss, r, col))
			ck_assert_int_eq(mib_store_load_lost(to, col, index, len, &d), MIB_OK);
		else
			ck_assert_msg(mib_store_load_cell(to, col, index, len, &v, &d) == MIB_OK,
				      "%s: %s", d.object, d.text);
	}
}

struct mib_store *store_restart(struct mib_store *s, const struct loss *loss)
{
	struct mib_store *to = store_new();

	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];
		const struct mib_column *storage = mib_table_column_tc(t, MIB_TC_STORAGE_TYPE);
		const struct mib_row *r = mib_view_next(mib_store_view(s), t, NULL, NULL);

		while (r) {
			struct mib_oid at;

			if (!storage || mib_row_number(r, storage, 0) != MIB_ST_VOLATILE)
				load_row(to, r, t, loss);
			mib_row_index_copy(r, &at);
			r = mib_view_next(mib_store_view(s), t, NULL, &at);
		}
	}
	ck_assert_int_eq(mib_store_load_end(to, mib_store_generation(s),
					    mib_store_generation_on_disk(s), NULL, NULL), MIB_OK);
	mib_store_free(s);
	return to;
}

const struct mib_row *row_of(struct mib_store *s, const char *table, const char *index)
{
	const struct mib_table *t = table_of(table);
	struct mib_oid oid;

	ck_assert_int_eq(mib_index_parse(t, index, &oid, NULL), MIB_OK);
	return mib_view_row(mib_store_view(s), t, oid.ids, oid.len);
}

struct pol_generation *compile_at(struct mib_store *s, int64_t now_s)
{
	struct pol_generation *g;

	ck_assert_int_eq(pol_compile(mib_store_view(s), mib_store_generation(s), now_s, &g), MIB_OK);
	ck_assert_uint_eq(g->number, mib_store_generation(s));
	return g;
}

struct pol_generation *compile(struct mib_store *s)
{
	return compile_at(s, 0);
}

const struct ipsp_spd_list *list_of(const struct pol_generation *g, uint32_t ifindex,
				    enum ipsp_dir dir)
{
	/* Kept, so that tests need not free what they look at. */
	static struct kept {
		struct kept *next;
		struct ipsp_spd_list list;
	} *kept;
	const struct pol_list *l = pol_generation_list(g, ifindex, dir);
	struct kept *k;

	if (!l)
		return NULL;
	k = calloc(1, sizeof(*k));
	ck_assert_ptr_nonnull(k);
	ck_assert(pol_list_flat(l, &k->list));
	k->next = kept;
	kept = k;
	return &k->list;
}

const struct ipsp_sa_config *sa_at(const struct pol_generation *g, size_t nr)
{
	const struct pol_sa *sa = pol_map_at(&g->sas, nr);

	ck_assert_ptr_nonnull(sa);
	return &sa->config;
}

const struct ipsp_spd_entry *first_match(const struct ipsp_spd_list *l, const struct packet *p)
{
	ck_assert_ptr_nonnull(l);
	for (uint32_t i = 0; i < l->n_entries; i++)
		if (selectors_have(l->entries[i].selectors, l->entries[i].n_selectors, p))
			return &l->entries[i];
	return NULL;
}

int verdict(const struct ipsp_spd_list *l, const struct packet *p)
{
	const struct ipsp_spd_entry *e = first_match(l, p);

	return e ? e->action : IPSP_DISCARD;
}

static struct ipsp_addr address(const char *text)
{
	struct ipsp_addr a = { .family = strchr(text, ':') ? 6 : 4 };

	ck_assert_int_eq(inet_pton(a.family == 6 ? AF_INET6 : AF_INET, text, a.octets), 1);
	return a;
}

struct packet packet(const char *src, const char *dst, uint8_t proto, uint32_t sport,
		     uint32_t dport)
{
	struct packet p = { .proto = proto, .sport = sport, .dport = dport };

	p.src = address(src);
	p.dst = address(dst);
	p.family = p.src.family;
	return p;
}

const char *problem_of(struct mib_store *s, const struct pol_generation *g, const char *table,
		       const char *index)
{
	const struct mib_row *r = row_of(s, table, index);
	const struct pol_problem *p;
	size_t len;
	const uint32_t *ids;

	ck_assert_ptr_nonnull(r);
	ids = mib_row_index(r, &len);
	p = pol_problem_find(g, mib_row_table(r), ids, len, false);
	return p ? p->reason : "";
}
