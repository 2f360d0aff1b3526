/*
 * ipspd/agent_operations.c - ipspdOperationTable: what a manager can have done.
 *
 * A request is staged like any assignment, and heard of when its transaction is done (mib_txn_after):
 * one that was refused or undone never comes here. What it asks for is done in the event loop's
 * next turn, so that the answer goes first.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/agent_int.h"
#include "ipspd/import_dir.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "mibs/schema_gen.h"
#include "policy/rows.h"

#define SAVED_NAME "saved.xml"

enum { REQUEST_RUN = 2 };
enum { ADMIN_ENABLED = 1, ADMIN_DISABLED = 2 };

/* One that was asked for, on its way to the end of its transaction. */
struct asked {
	struct mib_after after;
	struct agent *agent;
	struct operation *operation;
	char who[sizeof(((struct operation *)0)->owner)];
};

static void end(struct agent *a, struct operation *op, bool well, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void run_save(struct agent *a, struct operation *op);
static void run_reload(struct agent *a, struct operation *op);
static void run_sas(struct agent *a, struct operation *op);

/* By ipspdOperation. */
static const struct kind {
	const char *name;
	void (*run)(struct agent *a, struct operation *op);
	/* SAs: which ones, and what ipspdPreActAdminStatus becomes. */
	int32_t admin;
	uint32_t dir;		/* 0: both */
	size_t transform;	/* the column that names it; 0: all */
	/* Of those that IKE has negotiated, which are pairs, those that end; 0: none do. */
	enum ike_wire_flush flush;
} kinds[AGENT_OPERATIONS] = {
	[1] = { .name = "save", .run = run_save },
	[2] = { .name = "reloadOptions", .run = run_reload },
	[3] = { "flushSas", run_sas, ADMIN_DISABLED, 0, 0, IKE_WIRE_FLUSH_ALL },
	[4] = { "flushInboundSas", run_sas, ADMIN_DISABLED, IPSP_INBOUND, 0, IKE_WIRE_FLUSH_CHILDREN },
	[5] = { "flushOutboundSas", run_sas, ADMIN_DISABLED, IPSP_OUTBOUND, 0, IKE_WIRE_FLUSH_CHILDREN },
	[6] = { "flushEspSas", run_sas, ADMIN_DISABLED, 0, MIB_C_ipsaSaPreActESPTransformName,
		IKE_WIRE_FLUSH_ESP },
	[7] = { "flushAhSas", run_sas, ADMIN_DISABLED, 0, MIB_C_ipsaSaPreActAHTransformName,
		IKE_WIRE_FLUSH_AH },
	[8] = { "initiateSas", run_sas, ADMIN_ENABLED, 0, 0, 0 },
};

static const struct kind *kind_of(const struct agent *a, const struct operation *op)
{
	return &kinds[op - a->operations.list];
}

/* ---- the end of one ---- */

static void end(struct agent *a, struct operation *op, bool well, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(op->text, sizeof(op->text), fmt, ap);
	va_end(ap);
	op->state = well ? OPERATION_SUCCEEDED : OPERATION_FAILED;
	op->runs++;
	op->ended_cs = mib_store_now_cs(a->store);
	ipspd_log(well ? LOG_NOTICE : LOG_ERR, "operation", "%s, asked for by %s, %s: %s",
		  kind_of(a, op)->name, op->owner, well ? "is done" : "failed", op->text);
}

/* ---- what each does ---- */

static void run_save(struct agent *a, struct operation *op)
{
	const char *dir = agent_import_directory(a);
	struct mib_diag d = { 0 };

	if (mib_db_checkpoint(a->db, &d) != MIB_OK ||
	    import_dir_export(dir, SAVED_NAME, a->store, &d) != MIB_OK)
		end(a, op, false, "%s%s%s", d.object, d.object[0] ? ": " : "", d.text);
	else
		end(a, op, true, "generation %llu is in %s/%s",
		    (unsigned long long)mib_store_generation(a->store), dir, SAVED_NAME);
}

/* The parent opens the file: operations_reloaded ends it. */
static void run_reload(struct agent *a, struct operation *op)
{
	if (chan_send(a->parent, MSG_RELOAD, NULL, 0, NULL, 0) < 0)
		end(a, op, false, "the parent cannot be asked");
}

void operations_reloaded(struct agent *a, bool well, const char *text)
{
	struct operation *op = &a->operations.list[MIB_L_ipspdOperation_reloadOptions];

	if (op->state == OPERATION_RUNNING)
		end(a, op, well, "%s", text);
}

static bool is_meant(const struct mib_row *r, const struct kind *k)
{
	const struct mib_column *cols = mib_t_ipsaSaPreconfiguredActionTable.columns;
	const uint8_t *name;
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	return (k->dir == 0 || index[len - 1] == k->dir) &&
	       (k->transform == 0 || pol_row_octets(r, &cols[k->transform], &name) > 0) &&
	       mib_row_number(r, MIB_COL(ipspdPreActTable, ipspdPreActAdminStatus),
			      ADMIN_ENABLED) != k->admin;
}

/* All rows concerned, active or not: what is taken away must not come back by activating it. */
static enum mib_err stage_sas(struct mib_txn *t, const struct mib_view *v, const struct kind *k,
			      size_t *n)
{
	const struct mib_value admin = mib_value_integer(k->admin);
	const struct mib_table *table = &mib_t_ipsaSaPreconfiguredActionTable;
	const struct mib_row *r = mib_view_next(v, table, NULL, NULL);
	enum mib_err err = MIB_OK;
	struct mib_oid at;

	for (; r && err == MIB_OK; r = mib_view_next(v, table, NULL, &at)) {
		mib_row_index_copy(r, &at);
		if (!is_meant(r, k))
			continue;
		err = mib_txn_force(t, MIB_COL(ipspdPreActTable, ipspdPreActAdminStatus), at.ids,
				    at.len, &admin);
		++*n;
	}
	return err;
}

static void run_sas(struct agent *a, struct operation *op)
{
	const struct kind *k = kind_of(a, op);
	struct mib_diag d = { 0 };
	struct mib_txn *t;
	size_t n = 0;
	enum mib_err err = mib_txn_begin(a->store, MIB_DOOR_SYSTEM, op->owner, &t);

	if (err != MIB_OK) {
		end(a, op, false, "%s", mib_err_name(err));
		return;
	}
	err = stage_sas(t, mib_store_view(a->store), k, &n);
	if (err == MIB_OK)
		err = mib_txn_prepare(t, &d);
	if (err == MIB_OK)
		err = mib_txn_commit(t, &d);
	if (err != MIB_OK)
		mib_txn_refused(t);
	mib_txn_done(t);
	if (err != MIB_OK)
		end(a, op, false, "%s%s%s", d.object, d.object[0] ? ": " : "",
		    d.text[0] ? d.text : mib_err_name(err));
	else if (k->admin == ADMIN_ENABLED)
		end(a, op, true, "%zu associations with manual keys are brought back", n);
	else
		end(a, op, true, "%zu associations with manual keys are taken away; %s", n,
		    agent_ike_flush(a, k->flush) ? "those that IKE has negotiated end" :
						   "IKE has negotiated none");
}

/* ---- from the request to the run ---- */

static void run_all(struct agent *a)
{
	for (size_t i = 1; i < AGENT_OPERATIONS; i++) {
		struct operation *op = &a->operations.list[i];

		if (!op->due)
			continue;
		op->due = false;
		kinds[i].run(a, op);
	}
}

static void store_is_free(struct mib_waiter *w)
{
	struct agent *a = (struct agent *)((char *)w - offsetof(struct agent, operations.waiter));

	a->operations.in_line = false;
	run_all(a);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = (struct agent *)arg;

	(void)fd;
	(void)what;
	if (a->operations.in_line)
		return;
	a->operations.in_line = true;
	a->operations.waiter.free = store_is_free;
	mib_store_when_free(a->store, &a->operations.waiter);
}

static void asked_for(struct mib_after *after, bool committed)
{
	struct asked *asked = (struct asked *)after;
	struct operation *op = asked->operation;
	const struct timeval now = { 0, 0 };

	if (committed) {
		op->state = OPERATION_RUNNING;
		op->text[0] = '\0';
		op->due = true;
		memcpy(op->owner, asked->who, sizeof(op->owner));
		evtimer_add(asked->agent->operations.soon, &now);
	}
	free(asked);
}

static bool is_operation(uint32_t number)
{
	return number >= 1 && number < AGENT_OPERATIONS;
}

static enum mib_err hear(void *arg, struct mib_txn *t, const struct mib_row *r,
			 struct mib_diag *d)
{
	const struct mib_column *col = MIB_COL(ipspdOperationTable, ipspdOperationRequest);
	struct agent *a = (struct agent *)arg;
	struct asked *asked;
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	if (mib_row_number(r, col, 0) != REQUEST_RUN)
		return MIB_OK;
	if (a->operations.list[index[0]].state == OPERATION_RUNNING) {
		mib_diag_set(d, col, index, len, "it runs already");
		return MIB_INCONSISTENT_VALUE;
	}
	asked = (struct asked *)calloc(1, sizeof(*asked));
	if (!asked) {
		mib_diag_set(d, col, index, len, "out of memory");
		return MIB_RESOURCE_UNAVAILABLE;
	}
	asked->after.done = asked_for;
	asked->agent = a;
	asked->operation = &a->operations.list[index[0]];
	snprintf(asked->who, sizeof(asked->who), "%s", mib_txn_who(t));
	mib_txn_after(t, &asked->after);
	return MIB_OK;
}

/* ---- reading ---- */

static bool has_operation(void *arg, const uint32_t *index, size_t len)
{
	(void)arg;
	return len == 1 && is_operation(index[0]);
}

static bool next_operation(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	uint32_t next = after && after->len > 0 ? after->ids[0] : 0;

	(void)arg;
	if (next >= AGENT_OPERATIONS - 1)
		return false;
	*out = (struct mib_oid){ .len = 1, .ids = { next + 1 } };
	return true;
}

static enum mib_err read_operation(void *arg, const struct mib_column *col, const uint32_t *index,
				   size_t len, struct mib_value *out)
{
	const struct agent *a = (const struct agent *)arg;
	const struct operation *op;

	if (!has_operation(arg, index, len))
		return MIB_NO_SUCH_INSTANCE;
	op = &a->operations.list[index[0]];
	switch (col->pos) {
	case MIB_C_ipspdOperationState:
		*out = mib_value_integer(op->state);
		return MIB_OK;
	case MIB_C_ipspdOperationText:
		*out = mib_value_octets(op->text, strlen(op->text));
		return MIB_OK;
	case MIB_C_ipspdOperationRuns:
		*out = (struct mib_value){ .syntax = MIB_SYN_COUNTER32, .number = op->runs };
		return MIB_OK;
	case MIB_C_ipspdOperationLastRun:
		*out = (struct mib_value){
			.syntax = MIB_SYN_TIMETICKS,
			.number = mib_store_time_stamp(a->store, op->ended_cs) };
		return MIB_OK;
	case MIB_C_ipspdOperationOwner:
		*out = mib_value_octets(op->owner, strlen(op->owner));
		return MIB_OK;
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
}

int operations_init(struct agent *a)
{
	for (size_t i = 0; i < AGENT_OPERATIONS; i++)
		a->operations.list[i].state = OPERATION_NEVER;
	a->operations.soon = evtimer_new(a->base, on_due, a);
	return a->operations.soon ? 0 : -ENOMEM;
}

enum mib_err operations_add(struct agent *a)
{
	a->operations.source = (struct mib_source){
		.table = &mib_t_ipspdOperationTable, .next = next_operation, .has = has_operation,
		.asked = hear, .read = read_operation, .arg = a,
	};
	return mib_store_add_source(a->store, &a->operations.source);
}

void operations_fini(struct agent *a)
{
	if (a->operations.in_line)
		mib_store_forget_waiter(a->store, &a->operations.waiter);
	if (a->operations.soon)
		event_free(a->operations.soon);
}
