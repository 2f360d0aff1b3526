/*
 * ipspd/agent_import.c - files on their way in: the agent's end of the import process.
 *
 * The agent never reads XML. It asks the parent for a process that does, hands it the file, and
 * collects records, which it does not believe. The event loop goes on meanwhile; one file is read at
 * a time, others wait in line with a deadline.
 */
#include "config.h"

#include <event2/event.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

static void start_first(struct agent *a);

static void tell_parent(struct agent *a, uint16_t type, const struct agent_parse *q)
{
	uint8_t buf[16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, a->imports.serial);
	if (q) {
		chan_put_u8(&w, q->url != NULL);
		chan_put_u32(&w, q->seconds);
	}
	/* A parent that cannot be told is gone, and the agent with it. */
	(void)chan_send(a->parent, type, buf, w.len, NULL, 0);
}

/* The process of the first in line has no more to say, or is not heard any more. */
static void let_go(struct agent *a)
{
	chan_free(a->imports.chan);
	a->imports.chan = NULL;
	a->imports.asked = false;
	import_records_fini(&a->imports.records);
}

static void leave_line(struct agent *a, struct agent_parse *q)
{
	struct agent_parse **at = &a->imports.line;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	q->next = NULL;
	if (q->timer)
		event_free(q->timer);
	q->timer = NULL;
}

static void answer(struct agent *a, struct agent_parse *q, enum mib_err err,
		   const struct xml_diag *d)
{
	struct import_records records = { 0 };

	if (q == a->imports.line) {
		records = a->imports.records;
		a->imports.records = (struct import_records){ 0 };
		let_go(a);
	}
	leave_line(a, q);
	if (err != MIB_OK)
		import_records_fini(&records);
	q->done(q, err, &records, d);
	import_records_fini(&records);
	start_first(a);
}

static void fail(struct agent *a, struct agent_parse *q, enum mib_err err, const char *why)
{
	struct xml_diag d = { 0 };

	mib_diag_set(&d.diag, NULL, NULL, 0, "%s", why);
	answer(a, q, err, &d);
}

/* ---- the process's channel ---- */

static void records_ended(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint64_t written = chan_get_u64(&r);
	static const struct xml_diag none;

	if (chan_reader_done(&r) && written == a->imports.records.len)
		answer(a, a->imports.line, MIB_OK, &none);
	else
		fail(a, a->imports.line, MIB_GEN_ERR, "the import process lost a part of the file");
}

static void process_message(void *arg, struct chan_msg *m)
{
	struct agent *a = (struct agent *)arg;
	struct xml_diag d;
	enum mib_err err;

	if (m->type == IMPORT_OCTETS) {
		if (import_records_add(&a->imports.records, m->data, m->len))
			return;
		tell_parent(a, MSG_IMPORT_STOP, NULL);
		fail(a, a->imports.line, MIB_RESOURCE_UNAVAILABLE,
		     "what the file says takes more memory than is given to it");
	} else if (m->type == IMPORT_DONE) {
		records_ended(a, m);
	} else if (m->type == IMPORT_REFUSED && import_refused_read(m, &err, &d)) {
		answer(a, a->imports.line, err, &d);
	} else {
		ipspd_log(LOG_ERR, "import", "malformed message %u from the import process",
			  m->type);
		tell_parent(a, MSG_IMPORT_STOP, NULL);
		fail(a, a->imports.line, MIB_GEN_ERR, "the import process talks nonsense");
	}
}

static void process_gone(void *arg, int why)
{
	struct agent *a = (struct agent *)arg;

	(void)why;
	fail(a, a->imports.line, MIB_RESOURCE_UNAVAILABLE,
	     "the import process ended before it had read the file: it crashed or took too long");
}

bool import_came(struct agent *a, struct chan_msg *m)
{
	struct chan_handler handler = { process_message, process_gone, a };
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint32_t serial = chan_get_u32(&r);
	struct agent_parse *q = a->imports.line;
	struct import_job job = { 0 };

	if (!chan_reader_done(&r) || m->n_fds > 1)
		return false;
	/* One that was forgotten meanwhile ends when its descriptor is closed. */
	if (!q || !a->imports.asked || a->imports.chan || serial != a->imports.serial)
		return true;
	if (m->n_fds == 0 || chan_new(a->base, m->fds[0], &handler, &a->imports.chan) < 0) {
		fail(a, q, MIB_RESOURCE_UNAVAILABLE, "the import process cannot be started");
		return true;
	}
	m->fds[0] = -1;
	job.seconds = q->seconds;
	job.fd = q->url ? -1 : q->fd;
	if (q->url)
		memccpy(job.url, q->url, '\0', sizeof(job.url) - 1);
	if (import_job_send(a->imports.chan, &job) < 0) {
		tell_parent(a, MSG_IMPORT_STOP, NULL);
		fail(a, q, MIB_RESOURCE_UNAVAILABLE, "the import process takes no work");
	}
	return true;
}

/* ---- the line ---- */

static void start_first(struct agent *a)
{
	struct agent_parse *q = a->imports.line;

	if (!q || a->imports.asked)
		return;
	if (q->timer)
		event_free(q->timer);
	q->timer = NULL;
	a->imports.asked = true;
	a->imports.serial++;
	tell_parent(a, MSG_IMPORT_START, q);
}

static void waited_too_long(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = (struct agent *)arg;

	(void)fd;
	(void)what;
	for (struct agent_parse *q = a->imports.line; q; q = q->next) {
		if (q->timer && !evtimer_pending(q->timer, NULL)) {
			fail(a, q, MIB_RESOURCE_UNAVAILABLE,
			     "other files are being imported; try again later");
			return;
		}
	}
}

static void wait_in_line(struct agent *a, struct agent_parse *q)
{
	const struct timeval limit = { .tv_sec = AGENT_PARSE_WAIT_S };

	q->timer = evtimer_new(a->base, waited_too_long, a);
	if (q->timer)
		evtimer_add(q->timer, &limit);
}

void agent_parse_start(struct agent *a, struct agent_parse *q)
{
	struct agent_parse **at = &a->imports.line;

	q->timer = NULL;
	q->next = NULL;
	while (*at)
		at = &(*at)->next;
	*at = q;
	if (q != a->imports.line)
		wait_in_line(a, q);
	start_first(a);
}

void agent_forget_parse(struct agent *a, struct agent_parse *q)
{
	const bool runs = q == a->imports.line && a->imports.asked;
	const struct agent_parse *at = a->imports.line;

	while (at && at != q)
		at = at->next;
	if (!at)
		return;
	if (runs) {
		tell_parent(a, MSG_IMPORT_STOP, NULL);
		let_go(a);
	}
	leave_line(a, q);
	start_first(a);
}

void imports_fini(struct agent *a)
{
	let_go(a);
	while (a->imports.line)
		leave_line(a, a->imports.line);
}

/* ---- the file of -i ---- */

static void log_not_ready(void *arg, const char *line)
{
	(void)arg;
	ipspd_log(LOG_WARNING, "import", "%s", line);
}

static enum mib_err apply_at_start(struct agent *a, const struct import_records *r,
				   struct xml_summary *sum, struct xml_diag *d)
{
	const struct xml_import_options o = { .who = "-i", .not_ready = log_not_ready };
	struct xml_seal seal;

	if (!import_records_seal(r, &seal))
		return import_records_apply(a->store, r, &o, sum, d);
	*d = (struct xml_diag){ .line = seal.line };
	mib_diag_set(&d->diag, NULL, NULL, 0, "the file has sealed secrets, and nobody can be asked "
		     "for their key here: use ipspctl import");
	return MIB_WRONG_VALUE;
}

static void start_file_done(struct agent_parse *q, enum mib_err err, struct import_records *r,
			    const struct xml_diag *said)
{
	struct agent *a = (struct agent *)((char *)q - offsetof(struct agent, imports.start));
	struct xml_diag d = *said;
	struct xml_summary sum;

	close(q->fd);
	if (err == MIB_OK)
		err = apply_at_start(a, r, &sum, &d);
	if (err != MIB_OK) {
		ipspd_log(LOG_CRIT, "import", "%s line %u: %s: %s", a->start.import_name, d.line,
			  d.diag.object, d.diag.text);
		agent_give_up(a, 1);
		return;
	}
	ipspd_log(LOG_NOTICE, "import", "%s: %zu rows created, %zu changed, %zu destroyed, %zu not "
		  "ready", a->start.import_name, sum.created, sum.changed, sum.destroyed,
		  sum.not_ready);
	agent_serve(a);
}

void import_at_start(struct agent *a)
{
	a->imports.start = (struct agent_parse){ .fd = a->start.fds[AGENT_FD_IMPORT],
						 .seconds = IMPORT_SECONDS,
						 .done = start_file_done };
	agent_parse_start(a, &a->imports.start);
}

/* ---- the salt ---- */

bool agent_file_salt(struct agent *a, uint8_t salt[MIB_FILE_SEAL_SALT], struct mib_diag *d)
{
	return mib_db_file_salt(a->db, salt, d) == MIB_OK;
}

void agent_adopt_file_salt(struct agent *a, const uint8_t salt[MIB_FILE_SEAL_SALT])
{
	struct mib_diag d = { 0 };

	if (mib_db_adopt_file_salt(a->db, salt, &d) != MIB_OK)
		ipspd_log(LOG_WARNING, "store", "%s: %s", d.object, d.text);
}
