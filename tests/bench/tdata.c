/*
 * tests/bench/tdata.c - the reference that ipspd's SNMP side is measured against: a subagent with
 * Net-SNMP's agent library and its table_tdata helper.
 *
 *	tdata MASTER
 *
 * It serves spdRuleDefinitionTable, column for column, with RowStatus (createAndGo, createAndWait,
 * active, notInService, destroy) and undo; it keeps nothing on disk, and a filter or an action is an
 * OID like any other. So it does less than ipspd for each row: a fair yardstick, not a rival.
 */
#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const oid table_oid[] = { 1, 3, 6, 1, 2, 1, 153, 1, 4 };

enum column {
	COL_NAME = 1,
	COL_DESCRIPTION,
	COL_FILTER,
	COL_FILTER_NEGATED,
	COL_ACTION,
	COL_ADMIN_STATUS,
	COL_LAST_CHANGED,
	COL_STORAGE_TYPE,
	COL_ROW_STATUS,
};

/** Octets or an OID. */
struct blob {
	void *data;
	size_t len;
};

struct rule {
	struct blob description;
	struct blob filter;
	struct blob action;
	int filter_negated;
	int admin_status;
	int storage_type;
	int row_status;
	u_long last_changed;
	struct rule *before;	/* while a SET is on its way: what undo puts back */
	int is_new;		/* ... or that undo removes it */
};

static netsnmp_tdata *table;
static volatile sig_atomic_t ended;

static void on_end(int number)
{
	(void)number;
	ended = 1;
}

/* ---- rows ---- */

static void rule_free_values(struct rule *r)
{
	free(r->description.data);
	free(r->filter.data);
	free(r->action.data);
}

static void rule_free(struct rule *r)
{
	if (r == NULL)
		return;
	rule_free_values(r);
	free(r->before);
	free(r);
}

static netsnmp_tdata_row *row_new(netsnmp_variable_list *name)
{
	netsnmp_tdata_row *row = netsnmp_tdata_create_row();
	struct rule *r = calloc(1, sizeof(*r));

	if (row == NULL || r == NULL) {
		free(r);
		netsnmp_tdata_delete_row(row);
		return NULL;
	}
	r->filter_negated = 2;
	r->admin_status = 1;
	r->storage_type = 3;
	r->is_new = 1;
	row->data = r;
	netsnmp_tdata_row_add_index(row, ASN_OCTET_STR, name->val.string, name->val_len);
	if (netsnmp_tdata_add_row(table, row) != SNMPERR_SUCCESS) {
		rule_free(netsnmp_tdata_delete_row(row));
		return NULL;
	}
	return row;
}

static void row_remove(netsnmp_tdata_row *row)
{
	rule_free(netsnmp_tdata_remove_and_delete_row(table, row));
}

/* ---- reading ---- */

static void get(netsnmp_request_info *request, const struct rule *r, unsigned column)
{
	netsnmp_variable_list *vb = request->requestvb;

	switch (column) {
	case COL_DESCRIPTION:
		snmp_set_var_typed_value(vb, ASN_OCTET_STR, r->description.data,
					 r->description.len);
		break;
	case COL_FILTER:
		snmp_set_var_typed_value(vb, ASN_OBJECT_ID, r->filter.data, r->filter.len);
		break;
	case COL_FILTER_NEGATED:
		snmp_set_var_typed_integer(vb, ASN_INTEGER, r->filter_negated);
		break;
	case COL_ACTION:
		snmp_set_var_typed_value(vb, ASN_OBJECT_ID, r->action.data, r->action.len);
		break;
	case COL_ADMIN_STATUS:
		snmp_set_var_typed_integer(vb, ASN_INTEGER, r->admin_status);
		break;
	case COL_LAST_CHANGED:
		snmp_set_var_typed_integer(vb, ASN_TIMETICKS, (long)r->last_changed);
		break;
	case COL_STORAGE_TYPE:
		snmp_set_var_typed_integer(vb, ASN_INTEGER, r->storage_type);
		break;
	case COL_ROW_STATUS:
		snmp_set_var_typed_integer(vb, ASN_INTEGER, r->row_status);
		break;
	default:
		netsnmp_set_request_error(NULL, request, SNMP_NOSUCHOBJECT);
	}
}

/* ---- the phases of SET ---- */

static int check(netsnmp_request_info *request, const struct rule *r, unsigned column)
{
	const netsnmp_variable_list *vb = request->requestvb;

	switch (column) {
	case COL_DESCRIPTION:
		return netsnmp_check_vb_type_and_max_size(vb, ASN_OCTET_STR, 255);
	case COL_FILTER:
	case COL_ACTION:
		return netsnmp_check_vb_type(vb, ASN_OBJECT_ID);
	case COL_FILTER_NEGATED:
		return netsnmp_check_vb_truthvalue(vb);
	case COL_ADMIN_STATUS:
		return netsnmp_check_vb_int_range(vb, 1, 2);
	case COL_STORAGE_TYPE:
		return netsnmp_check_vb_storagetype(vb, r != NULL ? r->storage_type :
							SNMP_STORAGE_NONE);
	case COL_ROW_STATUS:
		return netsnmp_check_vb_rowstatus(vb, r != NULL ? r->row_status : RS_NONEXISTENT);
	default:
		return SNMP_ERR_NOTWRITABLE;
	}
}

/** Makes the row that a varbind of its RowStatus asks for; the others of the PDU find it then. */
static int reserve(netsnmp_request_info *request, unsigned column)
{
	const long asked = *request->requestvb->val.integer;
	netsnmp_table_request_info *info = netsnmp_extract_table_info(request);
	netsnmp_tdata_row *row;

	if (column != COL_ROW_STATUS || (asked != RS_CREATEANDGO && asked != RS_CREATEANDWAIT))
		return SNMP_ERR_NOERROR;
	row = row_new(info->indexes);
	if (row == NULL)
		return SNMP_ERR_RESOURCEUNAVAILABLE;
	netsnmp_insert_tdata_row(request, row);
	return SNMP_ERR_NOERROR;
}

/** The old value stays with the version before; only without one it is freed. */
static int assign_blob(const struct rule *r, struct blob *at, const netsnmp_variable_list *vb)
{
	void *data = netsnmp_memdup(vb->val.string, vb->val_len);

	if (data == NULL && vb->val_len > 0)
		return SNMP_ERR_RESOURCEUNAVAILABLE;
	if (r->is_new)
		free(at->data);
	at->data = data;
	at->len = vb->val_len;
	return SNMP_ERR_NOERROR;
}

static int keep_before(struct rule *r)
{
	if (r->is_new || r->before != NULL)
		return SNMP_ERR_NOERROR;
	r->before = netsnmp_memdup(r, sizeof(*r));
	return r->before != NULL ? SNMP_ERR_NOERROR : SNMP_ERR_RESOURCEUNAVAILABLE;
}

static int assign_status(struct rule *r, long asked)
{
	switch (asked) {
	case RS_CREATEANDGO:
	case RS_ACTIVE:
		r->row_status = RS_ACTIVE;
		break;
	case RS_CREATEANDWAIT:
	case RS_NOTINSERVICE:
		r->row_status = RS_NOTINSERVICE;
		break;
	default:
		r->row_status = (int)asked;
	}
	return SNMP_ERR_NOERROR;
}

static int action(netsnmp_request_info *request, struct rule *r, unsigned column)
{
	const netsnmp_variable_list *vb = request->requestvb;

	if (r == NULL)
		return SNMP_ERR_INCONSISTENTNAME;
	if (keep_before(r) != SNMP_ERR_NOERROR)
		return SNMP_ERR_RESOURCEUNAVAILABLE;
	r->last_changed = netsnmp_get_agent_uptime();
	switch (column) {
	case COL_DESCRIPTION:
		return assign_blob(r, &r->description, vb);
	case COL_FILTER:
		return assign_blob(r, &r->filter, vb);
	case COL_ACTION:
		return assign_blob(r, &r->action, vb);
	case COL_FILTER_NEGATED:
		r->filter_negated = (int)*vb->val.integer;
		return SNMP_ERR_NOERROR;
	case COL_ADMIN_STATUS:
		r->admin_status = (int)*vb->val.integer;
		return SNMP_ERR_NOERROR;
	case COL_STORAGE_TYPE:
		r->storage_type = (int)*vb->val.integer;
		return SNMP_ERR_NOERROR;
	default:
		return assign_status(r, *vb->val.integer);
	}
}

/** What both versions have is one and the same memory. */
static void free_differing(struct blob *old, const struct blob *kept)
{
	if (old->data != kept->data)
		free(old->data);
}

static void drop_version(struct rule *old, const struct rule *kept)
{
	free_differing(&old->description, &kept->description);
	free_differing(&old->filter, &kept->filter);
	free_differing(&old->action, &kept->action);
}

static void undo(netsnmp_request_info *request, struct rule *r, unsigned column)
{
	(void)column;
	if (r == NULL)
		return;
	if (r->before != NULL) {
		struct rule *before = r->before;

		drop_version(r, before);
		*r = *before;
		r->before = NULL;
		free(before);
	} else if (r->is_new) {
		netsnmp_tdata_row *row = netsnmp_tdata_extract_row(request);

		netsnmp_remove_tdata_row(request, row);
		row_remove(row);
	}
}

static void commit(netsnmp_request_info *request, struct rule *r)
{
	if (r == NULL)
		return;
	r->is_new = 0;
	if (r->before != NULL) {
		drop_version(r->before, r);
		free(r->before);
		r->before = NULL;
	}
	if (r->row_status == RS_DESTROY) {
		netsnmp_tdata_row *row = netsnmp_tdata_extract_row(request);

		netsnmp_remove_tdata_row(request, row);
		row_remove(row);
	}
}

/* ---- the table ---- */

static int handler(netsnmp_mib_handler *h, netsnmp_handler_registration *reg,
		   netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	(void)h;
	(void)reg;
	for (netsnmp_request_info *q = requests; q != NULL; q = q->next) {
		struct rule *r = netsnmp_tdata_extract_entry(q);
		const unsigned column = netsnmp_extract_table_info(q)->colnum;
		int error = SNMP_ERR_NOERROR;

		if (q->processed)
			continue;
		switch (info->mode) {
		case MODE_GET:
			if (r == NULL)
				netsnmp_set_request_error(info, q, SNMP_NOSUCHINSTANCE);
			else
				get(q, r, column);
			break;
		case MODE_SET_RESERVE1:
			error = check(q, r, column);
			break;
		case MODE_SET_RESERVE2:
			error = reserve(q, column);
			break;
		case MODE_SET_ACTION:
			error = action(q, r, column);
			break;
		case MODE_SET_FREE:
		case MODE_SET_UNDO:
			undo(q, r, column);
			break;
		case MODE_SET_COMMIT:
			commit(q, r);
			break;
		}
		if (error != SNMP_ERR_NOERROR) {
			netsnmp_set_request_error(info, q, error);
			break;
		}
	}
	return SNMP_ERR_NOERROR;
}

static void serve(void)
{
	netsnmp_table_registration_info *info = SNMP_MALLOC_TYPEDEF(netsnmp_table_registration_info);
	netsnmp_handler_registration *reg =
		netsnmp_create_handler_registration("spdRuleDefinitionTable", handler, table_oid,
						    OID_LENGTH(table_oid), HANDLER_CAN_RWRITE);

	table = netsnmp_tdata_create_table("spdRuleDefinitionTable", 0);
	if (info == NULL || reg == NULL || table == NULL)
		exit(EXIT_FAILURE);
	netsnmp_tdata_add_index(table, ASN_OCTET_STR);
	netsnmp_table_helper_add_indexes(info, ASN_OCTET_STR, 0);
	info->min_column = COL_DESCRIPTION;
	info->max_column = COL_ROW_STATUS;
	if (netsnmp_tdata_register(reg, table, info) != MIB_REGISTERED_OK) {
		fprintf(stderr, "tdata: the table is not registered\n");
		exit(EXIT_FAILURE);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return EXIT_FAILURE;
	signal(SIGTERM, on_end);
	setenv("MIBS", "", 1);		/* names are of no use here */
	snmp_enable_stderrlog();
	netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_ROLE, 1);
	netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET, argv[1]);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	init_agent("tdata");
	serve();
	init_snmp("tdata");
	while (!ended)
		agent_check_and_process(1);
	snmp_shutdown("tdata");
	return EXIT_SUCCESS;
}
