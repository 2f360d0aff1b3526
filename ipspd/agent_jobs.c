/*
 * ipspd/agent_jobs.c - ipspdJobTable: imports and exports that a manager asks for by a row.
 *
 *   row becomes active ------> running ------> succeeded, failed     an hour later the row goes
 *   row leaves active, goes --> stopped: nothing has changed
 *
 * Rows are looked at when no transaction is staged, so a row that is not going to be never begins
 * anything. The file is read by the import process (ipspd/agent_import.c) and becomes one
 * transaction; what a manager may name is ipspd/import_dir.h's and ipspd/import_fetch.c's.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipspd/agent_int.h"
#include "ipspd/import_dir.h"
#include "ipspd/log.h"
#include "mibs/schema_gen.h"
#include "policy/bind.h"
#include "policy/rows.h"

#define JOBS_MAX 64
#define JOB_AGE_S 3600		/* after its end the row goes */
#define JOB_AGE_RETRY_S 1
#define JOB_FILE_MAX 256

enum { KIND_IMPORT = 1, KIND_EXPORT = 2 };
enum { MODE_MERGE = 1, MODE_REPLACE = 2 };

#define COL(column) MIB_COL(ipspdJobTable, column)

struct job {
	struct job *next;
	struct agent *agent;
	struct mib_oid index;
	char name[33];
	bool active;			/* the row was, when it was last looked at */
	enum operation_state state;
	char text[sizeof(((struct mib_diag *)0)->text)];
	char object[sizeof(((struct mib_diag *)0)->object)];
	char owner[48];
	uint32_t line;
	struct xml_summary sum;
	uint64_t ended_cs;
	struct event *age;
	/* While it runs. */
	char file[JOB_FILE_MAX];
	int fd;
	bool replace, dry_run;
	bool parsing;
	struct agent_parse parse;
	struct import_records records;
	struct mib_waiter waiter;
	bool in_line;
};

/* ---- the end of one ---- */

static void let_go(struct job *j)
{
	if (j->parsing)
		agent_forget_parse(j->agent, &j->parse);
	j->parsing = false;
	if (j->in_line)
		mib_store_forget_waiter(j->agent->store, &j->waiter);
	j->in_line = false;
	import_records_fini(&j->records);
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}

static void end(struct job *j, enum operation_state state, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void end(struct job *j, enum operation_state state, const char *fmt, ...)
{
	const struct timeval age = { .tv_sec = JOB_AGE_S };
	va_list ap;

	let_go(j);
	va_start(ap, fmt);
	vsnprintf(j->text, sizeof(j->text), fmt, ap);
	va_end(ap);
	j->state = state;
	j->ended_cs = mib_store_now_cs(j->agent->store);
	evtimer_add(j->age, &age);
	ipspd_log(state == OPERATION_SUCCEEDED ? LOG_NOTICE : LOG_WARNING, "job",
		  "\"%s\" of %s, %s, %s: %s", j->name, j->owner, j->file,
		  state == OPERATION_SUCCEEDED ? "is done" : "failed", j->text);
}

static void fail(struct job *j, const struct xml_diag *d)
{
	j->line = d->line;
	snprintf(j->object, sizeof(j->object), "%s", d->diag.object);
	end(j, OPERATION_FAILED, "%s", d->diag.text);
}

/* ---- running ---- */

static void stage(struct job *j);

static void store_is_free(struct mib_waiter *w)
{
	struct job *j = (struct job *)((char *)w - offsetof(struct job, waiter));

	j->in_line = false;
	stage(j);
}

/* What the file says becomes a transaction; sealed secrets are passed over. */
static void stage(struct job *j)
{
	char who[96];
	const struct xml_import_options options = {
		.replace = j->replace, .dry_run = j->dry_run, .who = who,
	};
	struct xml_diag d;
	enum mib_err err;

	snprintf(who, sizeof(who), "job of %s", j->owner);
	err = import_records_apply(j->agent->store, &j->records, &options, &j->sum, &d);
	if (err == MIB_BUSY) {
		j->waiter.free = store_is_free;
		j->in_line = true;
		mib_store_when_free(j->agent->store, &j->waiter);
	} else if (err != MIB_OK) {
		fail(j, &d);
	} else {
		end(j, OPERATION_SUCCEEDED, "%s%zu rows created, %zu changed, %zu destroyed, "
		    "%zu not ready", j->dry_run ? "nothing is changed; there would be " : "",
		    j->sum.created, j->sum.changed, j->sum.destroyed, j->sum.not_ready);
	}
}

static void parsed(struct agent_parse *q, enum mib_err err, struct import_records *r,
		   const struct xml_diag *d)
{
	struct job *j = (struct job *)((char *)q - offsetof(struct job, parse));

	j->parsing = false;
	if (err != MIB_OK) {
		mib_store_refused(j->agent->store);
		fail(j, d);
		return;
	}
	j->records = *r;
	*r = (struct import_records){ 0 };
	stage(j);
}

static bool is_url(const char *file)
{
	return strncasecmp(file, "http://", 7) == 0 || strncasecmp(file, "https://", 8) == 0;
}

static void start_import(struct job *j, const struct mib_row *r)
{
	j->replace = mib_row_number(r, COL(ipspdJobMode), MODE_MERGE) == MODE_REPLACE;
	j->dry_run = pol_row_truth(r, COL(ipspdJobDryRun), false);
	j->parse = (struct agent_parse){
		.fd = -1, .done = parsed,
		.seconds = (uint32_t)mib_row_number(r, COL(ipspdJobTimeout), IMPORT_SECONDS),
	};
	if (is_url(j->file)) {
		j->parse.url = j->file;
	} else {
		j->fd = import_dir_open(agent_import_directory(j->agent), j->file);
		if (j->fd < 0) {
			const int error = -j->fd;

			mib_store_refused(j->agent->store);
			end(j, OPERATION_FAILED, "%s in %s: %s", j->file,
			    agent_import_directory(j->agent),
			    error == ELOOP ? "it is a symbolic link" :
			    error == EINVAL ? "it is no regular file" : strerror(error));
			return;
		}
		j->parse.fd = j->fd;
	}
	j->parsing = true;
	agent_parse_start(j->agent, &j->parse);
}

static void run_export(struct job *j)
{
	const char *dir = agent_import_directory(j->agent);
	struct mib_diag d = { 0 };

	if (import_dir_export(dir, j->file, j->agent->store, &d) == MIB_OK)
		end(j, OPERATION_SUCCEEDED, "generation %llu is in %s/%s",
		    (unsigned long long)mib_store_generation(j->agent->store), dir, j->file);
	else
		end(j, OPERATION_FAILED, "%s", d.text);
}

static void start(struct job *j, const struct mib_row *r)
{
	evtimer_del(j->age);
	j->state = OPERATION_RUNNING;
	j->text[0] = j->object[0] = '\0';
	j->line = 0;
	j->ended_cs = 0;
	j->sum = (struct xml_summary){ 0 };
	snprintf(j->owner, sizeof(j->owner), "%s", j->agent->jobs.who);
	mib_row_text(r, COL(ipspdJobFile), j->file, sizeof(j->file));
	if (mib_row_number(r, COL(ipspdJobKind), KIND_IMPORT) == KIND_EXPORT)
		run_export(j);
	else
		start_import(j, r);
}

/* ---- rows come, change and go ---- */

static void job_free(struct job *j)
{
	let_go(j);
	if (j->age)
		event_free(j->age);
	free(j);
}

/* Nobody read the result for long enough: the row goes. */
static void on_age(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = { .tv_sec = JOB_AGE_RETRY_S };
	struct job *j = (struct job *)arg;
	struct mib_txn *t;

	(void)fd;
	(void)what;
	evtimer_add(j->age, &again);	/* unless it goes now, and the job with it */
	if (mib_txn_begin(j->agent->store, MIB_DOOR_SYSTEM, "age", &t) != MIB_OK)
		return;
	if (mib_txn_force(t, COL(ipspdJobRowStatus), j->index.ids, j->index.len, NULL) == MIB_OK &&
	    mib_txn_prepare(t, NULL) == MIB_OK && mib_txn_commit(t, NULL) != MIB_OK)
		ipspd_log(LOG_WARNING, "job", "\"%s\" cannot be removed", j->name);
	mib_txn_done(t);
}

static struct job *find(const struct agent *a, const uint32_t *index, size_t len)
{
	for (struct job *j = a->jobs.list; j; j = j->next)
		if (mib_oid_cmp(j->index.ids, j->index.len, index, len) == 0)
			return j;
	return NULL;
}

static struct job *add(struct agent *a, const struct mib_row *r)
{
	struct job *j = (struct job *)calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->agent = a;
	j->fd = -1;
	j->state = OPERATION_NEVER;
	mib_row_index_copy(r, &j->index);
	mib_row_text(r, COL(ipspdJobName), j->name, sizeof(j->name));
	j->age = evtimer_new(a->base, on_age, j);
	if (!j->age) {
		free(j);
		return NULL;
	}
	j->next = a->jobs.list;
	a->jobs.list = j;
	return j;
}

static void drop_gone(struct agent *a, const struct mib_view *v)
{
	struct job **at = &a->jobs.list;

	while (*at) {
		struct job *j = *at;

		if (mib_view_row(v, &mib_t_ipspdJobTable, j->index.ids, j->index.len)) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		job_free(j);
	}
}

static void look_at(struct agent *a, const struct mib_row *r)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);
	struct job *j = find(a, index, len);
	const bool active = mib_row_active(r);

	if (!j)
		j = add(a, r);
	if (!j) {
		ipspd_log(LOG_ERR, "job", "no memory for another one");
		return;
	}
	if (active == j->active)
		return;
	j->active = active;
	if (active)
		start(j, r);
	else if (j->state == OPERATION_RUNNING)
		end(j, OPERATION_FAILED, "it was stopped");
}

static void look(struct mib_waiter *w)
{
	struct agent *a = (struct agent *)((char *)w - offsetof(struct agent, jobs.waiter));
	const struct mib_view *v = mib_store_view(a->store);
	const struct mib_row *r;
	struct mib_oid at = { 0 };

	a->jobs.in_line = false;
	drop_gone(a, v);
	while ((r = mib_view_next(v, &mib_t_ipspdJobTable, NULL, at.len ? &at : NULL))) {
		mib_row_index_copy(r, &at);
		look_at(a, r);
	}
}

static void committed(void *arg, uint64_t generation, const struct mib_change *changes, size_t n)
{
	struct agent *a = (struct agent *)arg;
	bool concerned = false;

	(void)generation;
	for (size_t i = 0; i < n && !concerned; i++)
		concerned = changes[i].table == &mib_t_ipspdJobTable;
	if (!concerned)
		return;
	snprintf(a->jobs.who, sizeof(a->jobs.who), "%s",
		 mib_txn_who(mib_store_staged(a->store)));
	if (a->jobs.in_line)
		return;
	a->jobs.in_line = true;
	a->jobs.waiter.free = look;
	mib_store_when_free(a->store, &a->jobs.waiter);
}

/* ---- what rows may say ---- */

static enum mib_err check_value(const struct mib_column *col, const struct mib_value *v,
				struct mib_diag *d)
{
	char url[8 + 1] = "";

	if (col != COL(ipspdJobFile) || import_dir_is_name(v->octets.data, v->octets.len))
		return MIB_OK;
	memcpy(url, v->octets.data, v->octets.len < 8 ? v->octets.len : 8);
	if (is_url(url) && !memchr(v->octets.data, '\0', v->octets.len))
		return MIB_OK;
	mib_diag_set(d, col, NULL, 0, "a file is named by http://.., https://.., or a name in the "
		     "import directory: at most %d letters, digits, '.', '_' and '-'",
		     IMPORT_DIR_NAME_MAX - 1);
	return MIB_WRONG_VALUE;
}

static enum mib_err check_row(const struct mib_view *v, const struct mib_row *r,
			      struct mib_diag *d)
{
	char file[JOB_FILE_MAX];

	(void)v;
	mib_row_text(r, COL(ipspdJobFile), file, sizeof(file));
	if (mib_row_number(r, COL(ipspdJobKind), KIND_IMPORT) == KIND_EXPORT && is_url(file))
		return pol_refuse(d, r, COL(ipspdJobFile), "nothing is exported to a URL");
	return MIB_OK;
}

static enum mib_err derive(struct mib_txn *t, const struct mib_change *c, struct mib_diag *d)
{
	const struct mib_view *v = mib_txn_view(t);
	const struct mib_row *r;
	struct mib_oid at = { 0 };
	size_t n = 0;

	if (c->before && c->after && mib_row_active(c->before) && mib_row_active(c->after))
		return pol_refuse(d, c->after, COL(ipspdJobRowStatus),
				  "a job that has begun cannot be changed: take the row out of "
				  "service first");
	if (c->before)
		return MIB_OK;
	while ((r = mib_view_next(v, &mib_t_ipspdJobTable, NULL, at.len ? &at : NULL))) {
		mib_row_index_copy(r, &at);
		n++;
	}
	if (n <= JOBS_MAX)
		return MIB_OK;
	(void)pol_refuse(d, c->after, COL(ipspdJobRowStatus), "there are %d jobs already: destroy "
			 "some that have ended", JOBS_MAX);
	return MIB_RESOURCE_UNAVAILABLE;
}

static const struct mib_binder binder = {
	.table = &mib_t_ipspdJobTable,
	.value = check_value,
	.check = check_row,
	.derive = derive,
};

/* ---- reading ---- */

static struct mib_value text_of(const char *text)
{
	return mib_value_octets(text, strlen(text));
}

static enum mib_err read_job(void *arg, const struct mib_column *col, const uint32_t *index,
			     size_t len, struct mib_value *out)
{
	const struct agent *a = (const struct agent *)arg;
	const struct job *j = find(a, index, len);

	if (!j)
		return MIB_NO_SUCH_INSTANCE;
	switch (col->pos) {
	case MIB_C_ipspdJobState:
		*out = mib_value_integer(j->state);
		return MIB_OK;
	case MIB_C_ipspdJobText:
		*out = text_of(j->text);
		return MIB_OK;
	case MIB_C_ipspdJobLine:
		*out = mib_value_unsigned(j->line);
		return MIB_OK;
	case MIB_C_ipspdJobObject:
		*out = text_of(j->object);
		return MIB_OK;
	case MIB_C_ipspdJobCreated:
		*out = mib_value_unsigned((uint32_t)j->sum.created);
		return MIB_OK;
	case MIB_C_ipspdJobChanged:
		*out = mib_value_unsigned((uint32_t)j->sum.changed);
		return MIB_OK;
	case MIB_C_ipspdJobDestroyed:
		*out = mib_value_unsigned((uint32_t)j->sum.destroyed);
		return MIB_OK;
	case MIB_C_ipspdJobNotReady:
		*out = mib_value_unsigned((uint32_t)j->sum.not_ready);
		return MIB_OK;
	case MIB_C_ipspdJobGeneration:
		*out = mib_value_counter64(j->sum.generation);
		return MIB_OK;
	case MIB_C_ipspdJobOwner:
		*out = text_of(j->owner);
		return MIB_OK;
	case MIB_C_ipspdJobEnded:
		*out = (struct mib_value){
			.syntax = MIB_SYN_TIMETICKS,
			.number = mib_store_time_stamp(a->store, j->ended_cs) };
		return MIB_OK;
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
}

enum mib_err jobs_add(struct agent *a)
{
	enum mib_err err;

	a->jobs.source = (struct mib_source){ .table = &mib_t_ipspdJobTable, .read = read_job,
					      .arg = a };
	a->jobs.listener = (struct mib_listener){ .committed = committed, .arg = a };
	err = mib_store_add_source(a->store, &a->jobs.source);
	if (err == MIB_OK)
		err = mib_store_add_binder(a->store, &binder);
	return err == MIB_OK ? mib_store_add_listener(a->store, &a->jobs.listener) : err;
}

void jobs_fini(struct agent *a)
{
	if (a->jobs.in_line)
		mib_store_forget_waiter(a->store, &a->jobs.waiter);
	while (a->jobs.list) {
		struct job *j = a->jobs.list;

		a->jobs.list = j->next;
		job_free(j);
	}
}
