/*
 * ipspd/agent.c - the agent's life: it loads the store, serves its doors, and ends with the parent.
 *
 * Order at start: START and options; the store, whole, before any door; import; AgentX, control
 * socket; policy into force. Whatever of this fails ends the process with a log line that says why.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ipspd/agent_int.h"
#include "ipspd/control.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "ipspd/roles.h"
#include "mibs/secmem.h"
#include "policy/algs.h"

#define DB_NAME "state.db"
#define IDLE_MS 1000	/* nothing was committed for so long: time for housekeeping */

void agent_give_up(struct agent *a, int status)
{
	a->status = status;
	event_base_loopbreak(a->base);
}

/* ---- waiting ---- */

void agent_watch(struct agent *a, struct agent_watcher *w)
{
	w->next = a->watchers;
	a->watchers = w;
}

void agent_forget_watcher(struct agent *a, struct agent_watcher *w)
{
	for (struct agent_watcher **at = &a->watchers; *at; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			return;
		}
	}
}

void agent_listen_events(struct agent *a, struct agent_event_listener *l)
{
	l->next = a->event_listeners;
	a->event_listeners = l;
}

void agent_forget_event_listener(struct agent *a, struct agent_event_listener *l)
{
	for (struct agent_event_listener **at = &a->event_listeners; *at; at = &(*at)->next) {
		if (*at == l) {
			*at = l->next;
			return;
		}
	}
}

static bool is_watching(const struct agent *a, const struct agent_watcher *w)
{
	for (const struct agent_watcher *at = a->watchers; at; at = at->next) {
		if (at == w)
			return true;
	}
	return false;
}

void agent_tell_changed(struct agent *a)
{
	/* A callback may take out any of the others: look from the start after each. */
	for (struct agent_watcher *w = a->watchers, *next; w; w = next) {
		next = w->next;
		w->changed(w);
		if (next && !is_watching(a, next))
			next = NULL;
	}
}

/* ---- the engine's channel ---- */

static void event_came(struct agent *a, const struct wire_event *e)
{
	if (e->kind == WIRE_EVENT_SA && e->reason == WIRE_SA_EXPIRED && !e->action_id)
		apply_sa_expired(a, e->id);
	if (e->kind == WIRE_EVENT_CLEAR)
		apply_clear_came(a, e);
	for (struct agent_event_listener *l = a->event_listeners, *next; l; l = next) {
		next = l->next;
		l->event(l, e);
	}
}

static void engine_gone(struct agent *a)
{
	chan_free(a->engine);
	chan_free(a->engine_met);
	a->engine = a->engine_met = NULL;
	a->n_workers = 0;
	stats_engine_down(a);
	sad_engine_down(a);
	if (a->pol_status)
		pol_status_set_manager(a->pol_status, false);
	apply_engine_down(a);
}

/* It has said which policies it has: from now on it gets generations. */
static bool band_came(struct agent *a, const struct chan_msg *m)
{
	bool all;

	if (!band_message(a, m, &all))
		return false;
	if (!all || !a->engine_met) {
		apply_band_changed(a);
		return true;
	}
	a->engine = a->engine_met;
	a->engine_met = NULL;
	settings_tell(a);
	stats_engine_up(a);
	sad_engine_up(a);
	apply_engine_up(a);
	return true;
}

static bool manager_came(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint8_t present = chan_get_u8(&r);

	if (!chan_reader_done(&r) || present > 1)
		return false;
	if (a->pol_status)
		pol_status_set_manager(a->pol_status, present);
	return true;
}

static void engine_message(void *arg, struct chan_msg *m)
{
	struct agent *a = (struct agent *)arg;
	struct wire_event e;
	bool good;

	switch (m->type) {
	case MSG_GEN_APPLIED:
	case MSG_GEN_REFUSED:
	case MSG_SA_REFUSED:
		good = apply_engine_message(a, m);
		break;
	case MSG_RESERVE:
		good = reserve_message(a, m);
		break;
	case MSG_BAND_PUT:
	case MSG_BAND_GONE:
	case MSG_BAND_ALL:
		good = band_came(a, m);
		break;
	case MSG_STATS_ENTRIES:
	case MSG_STATS_SAS:
	case MSG_STATS_DROP:
	case MSG_STATS_ICMP:
	case MSG_STATS_FAST:
	case MSG_STATS_END:
		good = stats_message(a, m);
		break;
	case MSG_KEY_MANAGER:
		good = manager_came(a, m);
		break;
	case MSG_CRYPTO:
		good = crypto_message(a, m);
		break;
	case MSG_WORKERS:
		good = m->len == 1;
		if (good)
			a->n_workers = m->data[0];
		break;
	case MSG_SAD_SAS:
		good = sad_message(a, m);
		break;
	case MSG_EVENT:
		good = report_event_read(m, &e);
		if (good)
			event_came(a, &e);
		break;
	default:
		good = false;
	}
	if (!good && (a->engine || a->engine_met)) {
		ipspd_log(LOG_ERR, "agent", "malformed message %u from the engine", m->type);
		engine_gone(a);
	}
}

static void engine_closed(void *arg, int why)
{
	if (why != 0)
		ipspd_log(LOG_ERR, "agent", "channel to the engine: %s", strerror(-why));
	engine_gone((struct agent *)arg);
}

static void engine_came(struct agent *a, struct chan_msg *m)
{
	struct chan_handler handler = { engine_message, engine_closed, a };

	if (m->n_fds != 1) {
		agent_give_up(a, 1);
		return;
	}
	if (a->engine || a->engine_met)
		engine_gone(a);
	int rc = chan_new(a->base, m->fds[0], &handler, &a->engine_met);
	if (rc == 0) {
		m->fds[0] = -1;
		rc = band_greet(a, a->engine_met);
	}
	if (rc < 0)
		ipspd_log(LOG_ERR, "agent", "channel to the engine: %s", strerror(-rc));
}

/* ---- the store ---- */

static uint64_t boottime_cs(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 100 + (uint64_t)ts.tv_nsec / 10000000;
}

/* Of "ipsaCredCredential.\"key\"": can the column hold a secret? */
static bool may_be_secret(const struct agent *a, const char *object)
{
	char name[160];
	const size_t len = strcspn(object, ".");

	snprintf(name, sizeof(name), "%.*s", (int)len, object);
	const struct mib_column *col = mib_column_by_name(name);

	return col && mib_column_may_be_secret(a->store, col);
}

static void report_left_out(void *arg, const struct mib_diag *d)
{
	struct agent *a = (struct agent *)arg;

	ipspd_log(LOG_WARNING, "store", "%s: %s", d->object, d->text);
	news_trouble(a, may_be_secret(a, d->object) ? NEWS_SECRET : NEWS_ROW, d->object, d->text);
}

static void write_refused(struct agent *a, const struct mib_diag *d)
{
	ipspd_log(LOG_WARNING, "store", "%s: %s", d->object, d->text);
	news_trouble(a, NEWS_WRITE, d->object, d->text);
}

/* The database's, with managers told when it refuses. Who asked logs it. */
static enum mib_err journal_write(void *arg, uint64_t generation, const struct mib_change *changes,
				  size_t n, struct mib_diag *d)
{
	struct agent *a = (struct agent *)arg;
	const struct mib_journal *db = mib_db_journal(a->db);
	const enum mib_err err = db->write(db->arg, generation, changes, n, d);

	if (err != MIB_OK)
		news_trouble(a, NEWS_WRITE, d->object, d->text);
	return err;
}

static void plan_idle(struct agent *a)
{
	const struct timeval delay = { .tv_sec = IDLE_MS / 1000, .tv_usec = IDLE_MS % 1000 * 1000 };

	evtimer_add(a->idle, &delay);
}

static void on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = (struct agent *)arg;
	struct mib_diag d;

	(void)fd;
	(void)what;
	if (mib_db_idle(a->db, &d) != MIB_OK)
		write_refused(a, &d);
}

static void committed(void *arg, uint64_t generation, const struct mib_change *changes, size_t n)
{
	struct agent *a = (struct agent *)arg;

	commit_log_add(&a->commits, generation, n);
	notify_set_limits(a);
	news_committed(a, generation, n);
	settings_committed(a, changes, n);
	apply_commit(a, changes, n);
	agent_ike_rows_changed(a);
	plan_idle(a);
}

static void advise(void)
{
	ipspd_log(LOG_CRIT, "store", "no policy is served without it, and the guard stays; "
		  "ipspd(8), DIAGNOSTICS, says what to do");
}

static bool said(struct agent *a, const char *what, const struct mib_diag *d)
{
	news_trouble(a, NEWS_OPEN, d->object[0] ? d->object : what, d->text);
	ipspd_log(LOG_CRIT, "store", "%s: %s%s%s", what, d->object, d->object[0] ? ": " : "",
		  d->text);
	advise();
	return false;
}

/*
 * The guard holds policy that the database does not know: the file, or its log, was lost or is an
 * old one. Serving it would open what was closed.
 */
static bool is_older_than_guard(struct agent *a, const char *path, uint64_t generation)
{
	if (generation >= a->start.guard_generation)
		return false;
	ipspd_log(LOG_CRIT, "store", "database: %s has generation %" PRIu64 ", but generation %"
		  PRIu64 " was in force: it or its log was lost, or an older one is in its place",
		  path, generation, a->start.guard_generation);
	news_trouble(a, NEWS_OPEN, path, "older than what was in force");
	advise();
	return true;
}

static bool no_memory(enum mib_err err)
{
	if (err != MIB_OK)
		ipspd_log(LOG_CRIT, "store", "%s", mib_err_name(err));
	return err != MIB_OK;
}

static bool open_store(struct agent *a)
{
	char path[START_PATH_MAX + sizeof(DB_NAME) + 1];
	struct mib_diag d = { 0 };

	if (mib_secmem_init(0, &d) != MIB_OK)
		return said(a, "locked memory", &d);
	if (mib_seal_open(a->start.statedir, getenv("CREDENTIALS_DIRECTORY"), &a->seal, &d) !=
	    MIB_OK)
		return said(a, "key of the secrets", &d);
	snprintf(path, sizeof(path), "%s/%s", a->start.statedir, DB_NAME);
	/* Looked at first: opening would make an empty one. */
	if (access(path, F_OK) < 0 && errno == ENOENT && is_older_than_guard(a, path, 0))
		return false;
	if (mib_db_open(path, a->seal, &a->db, &d) != MIB_OK)
		return said(a, "database", &d);
	a->journal = (struct mib_journal){ .write = journal_write, .arg = a };
	if (no_memory(mib_store_new(&a->journal, boottime_cs, &a->store)) ||
	    no_memory(pol_bind(a->store)) || no_memory(pol_status_new(a->store, &a->pol_status)) ||
	    no_memory(sources_add(a)) || no_memory(crypto_init(a)) || no_memory(notify_add_source(a)) ||
	    no_memory(operations_add(a)) || no_memory(jobs_add(a)) ||
	    no_memory(connections_add(a)) || no_memory(agent_ike_add(a)) || no_memory(rows_add(a)) ||
	    no_memory(watch_new(a, a->pol_status, &a->watch)))
		return false;
	a->listener = (struct mib_listener){ .committed = committed, .arg = a };
	if (no_memory(mib_store_add_listener(a->store, &a->listener)))
		return false;
	if (mib_db_load(a->db, a->store, report_left_out, a, &d) != MIB_OK)
		return said(a, "database", &d);
	if (is_older_than_guard(a, path, mib_store_generation_on_disk(a->store)))
		return false;
	notify_set_limits(a);
	ipspd_log(LOG_INFO, "store", "generation %" PRIu64 " is loaded; %zu rows are not ready",
		  mib_store_generation(a->store), mib_store_rows_not_ready(a->store));
	return true;
}

static void close_store(struct agent *a)
{
	mib_store_free(a->store);
	watch_free(a->watch);
	pol_status_free(a->pol_status);
	mib_db_close(a->db);
	mib_seal_close(a->seal);
}

/* ---- doors ---- */

bool agent_snmp_open(const struct agent *a)
{
	struct ax_state state;

	if (!a->subagent)
		return false;
	ax_subagent_state(a->subagent, &state);
	return state.is_connected;
}

/* It logs whenever its state changes; from the loop we look what that is now. */
static void subagent_log(void *arg, int priority, const char *text)
{
	const struct timeval now = { 0, 0 };
	struct agent *a = (struct agent *)arg;

	ipspd_log(priority, "agentx", "%s", text);
	evtimer_add(a->snmp_check, &now);
}

static void on_snmp_check(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = (struct agent *)arg;
	bool is_open = agent_snmp_open(a);

	(void)fd;
	(void)what;
	if (is_open == a->snmp_was_open)
		return;
	a->snmp_was_open = is_open;
	agent_tell_changed(a);
}

static bool open_doors(struct agent *a)
{
	const char *master = a->start.master[0] ? a->start.master : a->options.master;
	int rc = control_new(a, a->start.fds[AGENT_FD_CONTROL], &a->control);

	if (rc < 0) {
		ipspd_log(LOG_CRIT, "control", "%s: %s", a->start.control_path, strerror(-rc));
		return false;
	}
	return !no_memory(ax_subagent_new(a->base, a->store, master, subagent_log, a,
					  &a->subagent));
}

/* ---- the parent's channel ---- */

#define WHY_MAX 256

static bool read_options(struct agent *a, int fd, char why[WHY_MAX])
{
	if (fd < 0)
		return true;
	if (options_file_read(fd, "options file", &a->options, why, WHY_MAX))
		return true;
	ipspd_log(LOG_CRIT, "options", "%s", why);
	return false;
}

const char *agent_import_directory(struct agent *a)
{
	char *dir = a->options.import_directory;

	if (!dir[0])
		snprintf(dir, sizeof(a->options.import_directory), "%s/import", a->start.statedir);
	return dir;
}

/* Ours, when it is not named: then nobody else makes it. */
static void make_import_directory(struct agent *a)
{
	if (a->options.import_directory[0])
		return;
	if (mkdir(agent_import_directory(a), 0700) < 0 && errno != EEXIST)
		ipspd_log(LOG_WARNING, "options", "%s: %s", agent_import_directory(a),
			  strerror(errno));
}

/* Whoever started the daemon may wait for the end of what it writes. */
static void let_go_of_stderr(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDERR_FILENO);
	close(null);
}

void agent_serve(struct agent *a)
{
	if (!open_doors(a) || agent_options_send(a->parent, &a->options.options) < 0) {
		agent_give_up(a, 1);
		return;
	}
	a->serves = true;
	news_serve(a);
	make_import_directory(a);
	agent_ike_make_keys(a);
	if (a->start.background)
		let_go_of_stderr();
	apply_commit(a, NULL, 0);
	agent_ike_rows_changed(a);
	plan_idle(a);
}

static void start(struct agent *a, struct chan_msg *m)
{
	char why[WHY_MAX];

	if (a->started || !agent_start_read(m, &a->start)) {
		agent_give_up(a, 1);
		return;
	}
	a->started = true;
	log_set_level(a->start.log_level);
	options_file_init(&a->options);
	if (!read_options(a, a->start.fds[AGENT_FD_OPTIONS], why)) {
		agent_give_up(a, 1);
		return;
	}
	pol_algs_allow_weak(a->options.options.allow_weak);
	if (!open_store(a)) {
		news_last_words(a);
	} else if (a->start.fds[AGENT_FD_IMPORT] >= 0) {
		import_at_start(a);
	} else {
		agent_serve(a);
	}
}

/* What was read at the start stays but for the log level and the import directory. */
static void reload(struct agent *a, struct chan_msg *m)
{
	char why[WHY_MAX];

	if (!a->serves)
		return;
	if (m->n_fds != 1) {
		operations_reloaded(a, false, "the options file cannot be opened");
		return;
	}
	int fd = m->fds[0];
	m->fds[0] = -1;
	if (!read_options(a, fd, why)) {
		operations_reloaded(a, false, why);
		return;
	}
	(void)agent_options_send(a->parent, &a->options.options);
	make_import_directory(a);
	agent_ike_rows_changed(a);	/* private keys are read again */
	operations_reloaded(a, true, "log level and import directory are as the options file says");
}

static void parent_message(void *arg, struct chan_msg *m)
{
	struct agent *a = (struct agent *)arg;
	bool good = true;

	if (a->ending && m->type != MSG_STOP)
		return;
	switch (m->type) {
	case MSG_START:
		start(a, m);
		break;
	case MSG_ENGINE:
		engine_came(a, m);
		break;
	case MSG_IKE:
		agent_ike_came(a, m);
		break;
	case MSG_GUARD_DONE:
		good = apply_guard_done(a, m);
		break;
	case MSG_GUARD_TEXT:
		good = guard_text_came(a, m);
		break;
	case MSG_GUARD_COUNTED:
		good = stats_guard_counted(a, m);
		break;
	case MSG_IMPORT:
		good = import_came(a, m);
		break;
	case MSG_GUARD_RESTORED:
		good = guard_restored_came(a, m);
		news_guard_restored(a);
		break;
	case MSG_RELOAD:
		reload(a, m);
		break;
	case MSG_LOG_LEVEL:
		good = log_take_level(m);
		break;
	case MSG_STOP:
		agent_give_up(a, 0);
		break;
	default:
		good = false;
	}
	if (!good) {
		ipspd_log(LOG_CRIT, "agent", "malformed message %u from the parent", m->type);
		agent_give_up(a, 1);
	}
}

static void parent_closed(void *arg, int why)
{
	agent_give_up((struct agent *)arg, why == 0 ? 0 : 1);
}

void agent_set_log_level(struct agent *a, int level)
{
	uint8_t octet = (uint8_t)level;

	if (chan_send(a->parent, MSG_LOG_LEVEL, &octet, 1, NULL, 0) < 0)
		ipspd_log(LOG_ERR, "agent", "the parent cannot be asked for a log level");
}

struct event_base *agent_base(const struct agent *a)
{
	return a->base;
}

struct mib_store *agent_store(const struct agent *a)
{
	return a->store;
}

/* ---- life ---- */

static bool init(struct agent *a, int channel_fd)
{
	struct chan_handler handler = { parent_message, parent_closed, a };

	a->base = event_base_new();
	if (!a->base || chan_new(a->base, channel_fd, &handler, &a->parent) < 0)
		return false;
	log_to_channel(a->parent);
	a->idle = evtimer_new(a->base, on_idle, a);
	a->snmp_check = evtimer_new(a->base, on_snmp_check, a);
	return a->idle && a->snmp_check && commit_log_init(&a->commits, a->base) == 0 &&
	       apply_init(a) == 0 && band_init(a) == 0 && clock_init(a) == 0 &&
	       notify_init(a) && news_init(a) && stats_init(a) == 0 && sad_init(a) == 0 &&
	       operations_init(a) == 0 && agent_ike_init(a) == 0;
}

static void fini(struct agent *a)
{
	control_free(a->control);
	news_fini(a);
	notify_fini(a);
	jobs_fini(a);
	imports_fini(a);
	ax_subagent_free(a->subagent);
	operations_fini(a);
	agent_ike_fini(a);
	connections_fini(a);
	rows_fini(a);
	chan_free(a->engine);
	chan_free(a->engine_met);
	a->engine = NULL;
	apply_fini(a);
	band_fini(a);
	clock_fini(a);
	stats_fini(a);
	sad_fini(a);
	crypto_fini(a);
	guard_questions_fini(a);
	reserve_fini(a);
	close_store(a);
	if (a->idle)
		event_free(a->idle);
	commit_log_fini(&a->commits);
	if (a->snmp_check)
		event_free(a->snmp_check);
	log_to_channel(NULL);
	chan_free(a->parent);
	if (a->base)
		event_base_free(a->base);
}

int agent_main(int channel_fd)
{
	struct agent *a = (struct agent *)calloc(1, sizeof(*a));

	if (!a)
		return 1;
	a->status = 1;
	if (init(a, channel_fd)) {
		a->status = 0;
		event_base_dispatch(a->base);
	}
	int status = a->status;
	fini(a);
	free(a);
	return status;
}
