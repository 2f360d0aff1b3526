/*
 * Judges the generated schema by another reader: Net-SNMP's MIB parser loads the same modules, and
 * every object it finds below them is compared with its descriptor, and the other way round.
 * What Net-SNMP's parser cannot express is left out: it keeps ranges in 32 bits, and turns a
 * hexadecimal DEFVAL into a number.
 */
#include "config.h"

#include <check.h>
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema.h"
#include "mibs/schema_gen.h"

static const struct mib_module *module_of(const struct tree *node)
{
	for (int i = 0; i < node->number_modules; i++) {
		const struct module *m = find_module(node->module_list[i]);

		for (size_t k = 0; m && k < mib_n_modules; k++) {
			if (!strcmp(m->name, mib_modules[k].name))
				return &mib_modules[k];
		}
	}
	return NULL;
}

static size_t oid_of(const struct tree *node, uint32_t *arcs)
{
	uint32_t reversed[MIB_OID_MAX];
	size_t n = 0;

	for (; node; node = node->parent) {
		ck_assert_uint_lt(n, MIB_OID_MAX);
		reversed[n++] = (uint32_t)node->subid;
	}
	for (size_t i = 0; i < n; i++)
		arcs[i] = reversed[n - 1 - i];
	return n;
}

/** The next node, children first. */
static const struct tree *next_node(const struct tree *node)
{
	if (node->child_list)
		return node->child_list;
	while (node && !node->next_peer)
		node = node->parent;
	return node ? node->next_peer : NULL;
}

static bool is_object(const struct tree *node)
{
	switch (node->type) {
	case TYPE_OBJID:
	case TYPE_OCTETSTR:
	case TYPE_INTEGER:
	case TYPE_COUNTER:
	case TYPE_GAUGE:
	case TYPE_TIMETICKS:
	case TYPE_COUNTER64:
	case TYPE_BITSTRING:
	case TYPE_UNSIGNED32:
	case TYPE_INTEGER32:
		return true;
	default:
		return false;
	}
}

static enum mib_syntax syntax_of(const struct tree *node)
{
	switch (node->type) {
	case TYPE_OBJID:
		return MIB_SYN_OID;
	case TYPE_OCTETSTR:
		return MIB_SYN_OCTETS;
	case TYPE_COUNTER:
		return MIB_SYN_COUNTER32;
	case TYPE_TIMETICKS:
		return MIB_SYN_TIMETICKS;
	case TYPE_COUNTER64:
		return MIB_SYN_COUNTER64;
	case TYPE_BITSTRING:
		return MIB_SYN_BITS;
	case TYPE_GAUGE:
	case TYPE_UNSIGNED32:
		return MIB_SYN_UNSIGNED;
	default:
		return MIB_SYN_INTEGER;
	}
}

static enum mib_access access_of(const struct tree *node)
{
	switch (node->access) {
	case MIB_ACCESS_NOTIFY:
		return MIB_ACC_NOTIFY;
	case MIB_ACCESS_READONLY:
		return MIB_ACC_READ;
	case MIB_ACCESS_READWRITE:
		return MIB_ACC_WRITE;
	case MIB_ACCESS_CREATE:
		return MIB_ACC_CREATE;
	default:
		return MIB_ACC_NONE;
	}
}

static void compare_strings(const char *name, const char *ours, const char *theirs)
{
	ck_assert_msg(!ours == !theirs && (!ours || !strcmp(ours, theirs)),
		      "%s: '%s' here, '%s' there", name, ours ? ours : "", theirs ? theirs : "");
}

static void compare_ranges(const struct mib_column *c, const struct tree *node)
{
	size_t n = 0;

	if (c->syntax == MIB_SYN_BITS)
		return;
	for (const struct range_list *r = node->ranges; r; r = r->next, n++) {
		bool found = false;

		for (size_t i = 0; i < c->n_ranges; i++)
			found |= (int)c->ranges[i].min == r->low &&
				 (int)c->ranges[i].max == r->high;
		ck_assert_msg(found, "%s: no range %d..%d", c->name, r->low, r->high);
	}
	ck_assert_msg(n == c->n_ranges, "%s: %zu ranges here, %zu there", c->name, c->n_ranges, n);
}

static void compare_labels(const struct mib_column *c, const struct tree *node)
{
	size_t n = 0;

	for (const struct enum_list *e = node->enums; e; e = e->next, n++)
		compare_strings(c->name, mib_label_name(c, e->value), e->label);
	ck_assert_msg(n == c->n_labels, "%s: %zu labels here, %zu there", c->name, c->n_labels, n);
}

static void compare_bits(const struct mib_column *c, const char *text)
{
	size_t found = 0, set = 0;
	char *copy = strdup(text), *rest = copy, *word;

	while ((word = strtok_r(rest, "{ ,}", &rest))) {
		int32_t bit;

		ck_assert_msg(mib_label_number(c, word, &bit), "%s: no bit %s", c->name, word);
		ck_assert((size_t)bit / 8 < c->def.len);
		ck_assert_msg(c->def.octets[bit / 8] & 0x80 >> bit % 8, "%s: %s", c->name, word);
		found++;
	}
	free(copy);
	for (size_t i = 0; i < 8 * c->def.len; i++)
		set += (c->def.octets[i / 8] & 0x80 >> i % 8) != 0;
	ck_assert_uint_eq(found, set);
}

static void compare_pointer(const struct mib_column *c, const char *target_name)
{
	const struct tree *target = find_tree_node(target_name, -1);
	uint32_t oid[MIB_OID_MAX];

	ck_assert_msg(target != NULL, "%s: %s is not known", c->name, target_name);
	ck_assert_uint_eq(oid_of(target, oid), c->def.len);
	ck_assert_mem_eq(oid, c->def.oid, c->def.len * sizeof(*oid));
}

static void compare_default(const struct mib_column *c, const struct tree *node)
{
	const char *text = node->defaultValue;
	char ours[64];

	ck_assert_msg(!text == (c->def.kind == MIB_DEF_NONE), "%s: default", c->name);
	switch (c->def.kind) {
	case MIB_DEF_NONE:
		break;
	case MIB_DEF_NUMBER:
		if (c->n_labels) {
			compare_strings(c->name, mib_label_name(c, (int32_t)c->def.number), text);
		} else {
			snprintf(ours, sizeof(ours), "%lld", (long long)c->def.number);
			compare_strings(c->name, ours, text);
		}
		break;
	case MIB_DEF_OCTETS:
		if (c->syntax == MIB_SYN_BITS) {
			compare_bits(c, text);
		} else if (text[0] == '\\') {	/* \"text\" */
			snprintf(ours, sizeof(ours), "\\\"%.*s\\\"", (int)c->def.len,
				 (const char *)c->def.octets);
			compare_strings(c->name, ours, text);
		}
		break;
	case MIB_DEF_OID:
		compare_pointer(c, text);
		break;
	}
}

static void compare_object(const struct mib_column *c, const struct tree *node)
{
	const char *tc = node->tc_index >= 0 ? get_tc_descriptor(node->tc_index) : NULL;
	uint32_t oid[MIB_OID_MAX];
	size_t len = oid_of(node, oid), index_len;
	const uint32_t *index;
	const struct mib_column *col;

	ck_assert_ptr_eq(mib_table_by_oid(oid, len, &col, &index, &index_len), c->table);
	ck_assert_msg(col == c && index_len == 0, "%s stands elsewhere", c->name);
	ck_assert_msg(c->syntax == syntax_of(node), "%s: syntax", c->name);
	ck_assert_msg(c->access == access_of(node), "%s: access", c->name);
	compare_strings(c->name, c->type_module ? c->type_name : NULL, tc);
	compare_strings(c->name, c->units, node->units);
	compare_strings(c->name, c->hint, node->hint);
	compare_ranges(c, node);
	compare_labels(c, node);
	compare_default(c, node);
}

static void compare_entry(const struct mib_table *t, const struct tree *node)
{
	uint32_t oid[MIB_OID_MAX];
	size_t n = 0;

	ck_assert_uint_eq(oid_of(node, oid), t->entry_oid_len);
	ck_assert_mem_eq(oid, t->entry_oid, t->entry_oid_len * sizeof(*oid));
	compare_strings(t->name, t->entry_name, node->label);
	compare_strings(t->name, t->augments ? t->augments->entry_name : NULL, node->augments);
	if (t->augments)
		return;
	for (const struct index_list *i = node->indexes; i; i = i->next, n++) {
		ck_assert_msg(n < t->n_index, "%s: more indexes there", t->name);
		compare_strings(t->name, t->index[n]->name, i->ilabel);
		ck_assert(!i->isimplied);
	}
	ck_assert_msg(n == t->n_index, "%s: %zu indexes here, %zu there", t->name, t->n_index, n);
}

static void compare_notification(const struct tree *node)
{
	const struct mib_notification *n = NULL;
	uint32_t oid[MIB_OID_MAX];
	size_t k = 0;

	for (size_t i = 0; i < mib_n_notifications; i++) {
		if (!strcmp(mib_notifications[i].name, node->label))
			n = &mib_notifications[i];
	}
	ck_assert_msg(n != NULL, "%s is not in the schema", node->label);
	ck_assert_uint_eq(oid_of(node, oid), n->oid_len);
	ck_assert_mem_eq(oid, n->oid, n->oid_len * sizeof(*oid));
	for (const struct varbind_list *v = node->varbinds; v; v = v->next, k++) {
		ck_assert_msg(k < n->n_objects, "%s: more objects there", n->name);
		compare_strings(n->name, n->objects[k]->name, v->vblabel);
	}
	ck_assert_uint_eq(k, n->n_objects);
}

static void load_modules(void)
{
	const char *source = getenv("TB_SRC"), *build = getenv("TB_BUILD");
	char path[4096];

	if (!source)
		source = TOP_SRCDIR;
	/* Nothing of the machine's own configuration or modules may matter. */
	setenv("MIBS", "", 1);
	snprintf(path, sizeof(path), "%s/tests/unit/mibs/netsnmp-state", build ? build : ".");
	setenv("SNMP_PERSISTENT_DIR", path, 1);
	setenv("SNMPCONFPATH", path, 1);
	snprintf(path, sizeof(path), "%s/mibs:%s/mibs/smi", source, source);
	netsnmp_set_mib_directory(path);
	netsnmp_init_mib();
	for (size_t i = 0; i < mib_n_modules; i++)
		ck_assert_msg(netsnmp_read_module(mib_modules[i].name) != NULL,
			      "Net-SNMP cannot read %s", mib_modules[i].name);
}

START_TEST(test_net_snmp_reads_the_same_objects_from_the_modules)
{
	size_t objects = 0, entries = 0, notifications = 0, scalars = 0;

	load_modules();
	for (const struct tree *n = get_tree_head(); n; n = next_node(n)) {
		const struct mib_module *mod = module_of(n);

		if (!mod)
			continue;
		if (is_object(n)) {
			const struct mib_column *c = mib_column_by_name(n->label);

			ck_assert_msg(c != NULL, "%s is not in the schema", n->label);
			ck_assert_str_eq(c->table->module, mod->name);
			compare_object(c, n);
			objects++;
		} else if (n->indexes || n->augments) {
			const struct mib_table *t = mib_table_by_name(n->parent->label);

			ck_assert_msg(t != NULL, "%s is not in the schema", n->parent->label);
			compare_entry(t, n);
			entries++;
		} else if (n->type == TYPE_NOTIFTYPE) {
			compare_notification(n);
			notifications++;
		}
	}
	for (size_t i = 0; i < mib_n_tables; i++)
		scalars += mib_tables[i]->is_scalars;
	ck_assert_uint_eq(objects, mib_n_columns);
	ck_assert_uint_eq(entries + scalars, mib_n_tables);
	ck_assert_uint_eq(notifications, mib_n_notifications);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mibs/schema by Net-SNMP");
	TCase *tc = tcase_create("modules");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_net_snmp_reads_the_same_objects_from_the_modules);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
