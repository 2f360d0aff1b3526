/*
 * ipspd/control_daemon.c - the daemon at the command line: status, wait, guard, release, log.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "ipspd/control_client.h"
#include "mibs/schema_gen.h"

#define WAIT_S_DEFAULT 60
#define WAIT_S_MAX 86400

static void add_number(struct json_object *o, const char *key, uint64_t n)
{
	control_json_add(o, key, json_object_new_uint64(n));
}

/* ---- status ---- */

static const char *engine_state(const struct agent *a)
{
	switch (agent_engine_state(a)) {
	case AGENT_ENGINE_APPLYING:
		return "applying";
	case AGENT_ENGINE_IN_FORCE:
		return "in force";
	default:
		return "down";
	}
}

static struct json_object *problems(const struct pol_generation *g, bool has_manager)
{
	struct json_object *list = json_object_new_array();

	for (const struct pol_problem *any = g ? pol_problem_next(g, NULL) : NULL; any;
	     any = pol_problem_next(g, any)) {
		const struct pol_problem *const p = pol_problem_find(g, any->table, any->index.ids,
								     any->index.len, has_manager);
		char index[512], text[1024];

		if (!p)
			continue;
		mib_index_print(p->table, p->index.ids, p->index.len, index, sizeof(index));
		snprintf(text, sizeof(text), "%s.%s: %s", p->table->name, index, p->reason);
		control_json_append(list, control_json_text(text));
	}
	return list;
}

static struct json_object *notifications(const struct agent *a)
{
	struct json_object *o = json_object_new_object();
	struct agent_note_stats n;

	agent_notes(a, &n);
	add_number(o, "sent", n.sent);
	add_number(o, "acknowledged", n.acknowledged);
	add_number(o, "refused", n.refused);
	add_number(o, "unanswered", n.unanswered);
	add_number(o, "waiting", n.waiting);
	add_number(o, "coalesced", n.coalesced);
	add_number(o, "suppressed", n.suppressed);
	add_number(o, "dropped", n.dropped);
	return o;
}

static void status(struct control_client *c, struct json_object *request, int fd)
{
	struct mib_store *s = agent_store(c->agent);
	struct json_object *item = json_object_new_object();

	(void)request;
	(void)fd;
	control_json_add(item, "version", json_object_new_string(PACKAGE_VERSION));
	add_number(item, "committed", mib_store_generation(s));
	add_number(item, "applied", agent_applied_generation(c->agent));
	control_json_add(item, "engine", json_object_new_string(engine_state(c->agent)));
	add_number(item, "workers", agent_workers(c->agent));
	control_json_add(item, "snmp", json_object_new_string(agent_snmp_open(c->agent) ?
									    "session open" :
									    "no session"));
	add_number(item, "rows-not-ready", mib_store_rows_not_ready(s));
	add_number(item, "refused-requests", mib_store_refusals(s));
	add_number(item, "guard-restorations", agent_guard_restored(c->agent));
	control_json_add(item, "notifications", notifications(c->agent));
	if (agent_apply_problem(c->agent)[0])
		control_json_add(item, "problem",
				       control_json_text(agent_apply_problem(c->agent)));
	control_json_add(item, "not-in-force", problems(agent_policy(c->agent),
						       pol_status_has_manager(agent_status(c->agent))));
	client_item(c, item);
	client_end(c);
}

/* ---- wait ---- */

static void stop_waiting(struct control_client *c)
{
	agent_forget_watcher(c->agent, &c->watcher);
}

static bool reached(const struct control_client *c)
{
	return agent_in_force(c->agent, c->wanted) &&
	       agent_ike_in_force(c->agent, c->wanted) && (!c->wants_snmp || agent_snmp_open(c->agent));
}

static void waited(struct control_client *c)
{
	stop_waiting(c);
	client_end(c);
}

static void something_changed(struct agent_watcher *w)
{
	struct control_client *c =
		(struct control_client *)((char *)w - offsetof(struct control_client, watcher));

	if (reached(c))
		waited(c);
}

static void waited_too_long(evutil_socket_t fd, short what, void *arg)
{
	struct control_client *c = arg;
	struct mib_diag d = { 0 };

	(void)fd;
	(void)what;
	stop_waiting(c);
	mib_diag_set(&d, NULL, NULL, 0,
		     "generation %llu is in force, %llu was waited for; engine %s%s",
		     (unsigned long long)agent_applied_generation(c->agent),
		     (unsigned long long)c->wanted, engine_state(c->agent),
		     agent_snmp_open(c->agent) ? "" : ", no AgentX session");
	client_refuse(c, MIB_RESOURCE_UNAVAILABLE, &d);
}

static void wait_for(struct control_client *c, struct json_object *request, int fd)
{
	int64_t limit = request_number(request, "timeout", WAIT_S_DEFAULT);
	struct timeval deadline = { .tv_sec = limit < WAIT_S_MAX ? limit : WAIT_S_MAX };

	(void)fd;
	c->wanted = (uint64_t)request_number(request, "generation",
			(int64_t)mib_store_generation(agent_store(c->agent)));
	c->wants_snmp = request_flag(request, "snmp");
	if (reached(c)) {
		client_end(c);
		return;
	}
	c->timer = evtimer_new(agent_base(c->agent), waited_too_long, c);
	if (!c->timer || evtimer_add(c->timer, &deadline) < 0) {
		client_no_memory(c);
		return;
	}
	c->watcher.changed = something_changed;
	c->abort = stop_waiting;
	agent_watch(c->agent, &c->watcher);
}

/* ---- guard ---- */

static void guard_told(struct agent_question *q, const char *text)
{
	struct control_client *c =
		(struct control_client *)((char *)q - offsetof(struct control_client, question));
	struct mib_diag d = { 0 };

	if (text) {
		client_lines(c, text);
		client_end(c);
		return;
	}
	mib_diag_set(&d, NULL, NULL, 0, "the guard could not be read from the kernel");
	client_refuse(c, MIB_GEN_ERR, &d);
}

static void forget_question(struct control_client *c)
{
	agent_forget_question(c->agent, &c->question);
}

static void guard_show(struct control_client *c, struct json_object *request, int fd)
{
	(void)request;
	(void)fd;
	c->question = (struct agent_question){ .guard = guard_told };
	c->abort = forget_question;
	agent_guard_show(c->agent, &c->question);
}

/* ---- release: ipspdClosureRelease, by the names people use ---- */

static enum mib_err stage_release(struct control_client *c, struct mib_txn *txn,
				  struct json_object *request, struct mib_diag *d)
{
	const struct mib_column *release = MIB_COL(ipspdClosureTable, ipspdClosureRelease);
	const char *direction = request_text(request, "direction");
	int64_t ifindex = request_number(request, "ifindex", -1);
	struct mib_value yes = mib_value_integer(1);
	uint32_t index[2];

	(void)c;
	if (direction && strcmp(direction, "inbound") == 0)
		index[0] = 1;
	else if (direction && strcmp(direction, "outbound") == 0)
		index[0] = 2;
	else {
		mib_diag_set(d, NULL, NULL, 0, "the direction is inbound or outbound");
		return MIB_WRONG_VALUE;
	}
	if (ifindex < 0 || ifindex > INT32_MAX) {
		mib_diag_set(d, NULL, NULL, 0, "an ifindex is needed: 0 (all) to 2147483647");
		return MIB_WRONG_VALUE;
	}
	index[1] = (uint32_t)ifindex;
	return mib_txn_set_column(txn, release, index, 2, &yes, d);
}

static void release(struct control_client *c, struct json_object *request, int fd)
{
	struct mib_diag d = { 0 };
	struct mib_txn *txn;

	(void)fd;
	if (client_begin(c, &txn))
		client_finish(c, txn, stage_release(c, txn, request, &d), &d);
}

/* ---- log ---- */

static void log_level_set(struct control_client *c, struct json_object *request, int fd)
{
	const char *name = request_text(request, "level");
	int level = name ? log_level_parse(name) : -1;

	(void)fd;
	if (level < 0) {
		client_usage(c, "no such log level");
		return;
	}
	agent_set_log_level(c->agent, level);
	client_end(c);
}

static const struct control_member wait_members[] = {
	{ "generation", json_type_int },
	{ "timeout", json_type_int },
	{ "snmp", json_type_boolean },
	{ NULL, json_type_null },
};
static const struct control_member release_members[] = {
	{ "ifindex", json_type_int },
	{ "direction", json_type_string },
	{ NULL, json_type_null },
};
static const struct control_member log_members[] = {
	{ "level", json_type_string },
	{ NULL, json_type_null },
};
static const struct control_member no_members[] = { { NULL, json_type_null } };

const struct control_command control_daemon_commands[] = {
	{ "status", no_members, status },
	{ "wait", wait_members, wait_for },
	{ "guard-show", no_members, guard_show },
	{ "release", release_members, release },
	{ "log", log_members, log_level_set },
	{ NULL, NULL, NULL },
};
