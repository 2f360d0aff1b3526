/*
 * ipspd/control_monitor.c - `monitor`: commits, what comes into force, log lines, logged packets; `ike-debug`: messages
 * of IKE.
 *
 * Who does not read loses lines, or whole messages of IKE, never anybody else's time; and is told how many.
 */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ipsp/reason.h"
#include "ipspd/control_client.h"

#define PACKET_CATEGORY "packet"	/* of log lines */
#define MONITOR_QUEUE_MAX (1u << 20)	/* octets on their way before lines are lost */

static bool is_slow(const struct control_client *m)
{
	return chan_queued(m->chan) > MONITOR_QUEUE_MAX;
}

/* One line for one who listens; what it is too slow for is counted. */
static void tell(struct control_client *m, const char *kind, const char *text)
{
	struct json_object *item;

	if (is_slow(m)) {
		m->monitor_lost++;
		return;
	}
	item = json_object_new_object();
	control_json_add(item, "kind", json_object_new_string(kind));
	control_json_add(item, "text", control_json_text(text));
	if (m->monitor_lost)
		control_json_add(item, "lost", json_object_new_uint64(m->monitor_lost));
	m->monitor_lost = 0;
	client_item(m, item);
}

void control_announce(struct control *c, const char *kind, const char *text)
{
	for (struct control_client *m = c->clients; m; m = m->next) {
		if (m->monitor)
			tell(m, kind, text);
	}
}

/* ---- messages of IKE ---- */

static void put_line(struct control_client *m, const char *text)
{
	struct json_object *const item = json_object_new_object();

	control_json_add(item, "text", control_json_text(text));
	client_item(m, item);
}

/* Lines of one message, which is told whole or not at all. */
static void tell_message(struct control_client *m, const char *lines)
{
	char line[512];

	if (is_slow(m)) {
		m->monitor_lost++;
		return;
	}
	if (m->monitor_lost) {
		snprintf(line, sizeof(line), "(%zu messages lost)", m->monitor_lost);
		put_line(m, line);
	}
	m->monitor_lost = 0;
	while (*lines) {
		const size_t n = strcspn(lines, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)n, lines);
		put_line(m, line);
		lines += n + (lines[n] == '\n');
	}
}

static void message_traced(struct agent_tracer *t, uint32_t lost, const char *lines)
{
	struct control *const c =
		(struct control *)((char *)t - offsetof(struct control, monitor.tracer));

	for (struct control_client *m = c->clients; m; m = m->next) {
		if (!m->ike_debug)
			continue;
		m->monitor_lost += lost;
		tell_message(m, lines);
	}
}

void control_monitor_clients_changed(struct control *c)
{
	bool traces = false;

	for (const struct control_client *m = c->clients; m; m = m->next)
		traces |= m->ike_debug;
	if (traces == c->monitor.traces)
		return;
	c->monitor.traces = traces;
	agent_ike_trace(c->agent, traces ? &c->monitor.tracer : NULL);
}

/* ---- generations ---- */

static struct control *of_watcher(struct agent_watcher *w)
{
	return (struct control *)((char *)w - offsetof(struct control, monitor.watcher));
}

static void generation_moved(struct agent_watcher *w)
{
	struct control *c = of_watcher(w);
	struct control_monitor *m = &c->monitor;
	uint64_t committed = mib_store_generation(agent_store(c->agent));
	uint64_t applied = agent_applied_generation(c->agent);
	enum agent_engine_state engine = agent_engine_state(c->agent);
	char text[80];

	if (committed != m->committed) {
		snprintf(text, sizeof(text), "%llu is committed", (unsigned long long)committed);
		control_announce(c, "generation", text);
	}
	if ((int)engine != m->engine && engine == AGENT_ENGINE_DOWN)
		control_announce(c, "applied", "the engine is down");
	else if (engine == AGENT_ENGINE_IN_FORCE &&
		 (applied != m->applied || (int)engine != m->engine)) {
		snprintf(text, sizeof(text), "%llu is in force", (unsigned long long)applied);
		control_announce(c, "applied", text);
	}
	m->committed = committed;
	m->applied = applied;
	m->engine = engine;
}

/* ---- log lines ---- */

static void line_logged(void *arg, int priority, const char *category, const char *text)
{
	char line[LOG_TEXT_MAX + 64];

	/* Told as an event already. */
	if (strcmp(category, PACKET_CATEGORY) == 0)
		return;
	snprintf(line, sizeof(line), "%s %s: %s", log_level_name(priority), category, text);
	control_announce(arg, "log", line);
}

/* ---- logged packets ---- */

/* Addresses and protocol of the clear packet; "" when its first octets did not show them. */
static void print_packet(const struct wire_event *e, char *buf, size_t size)
{
	char from[IPSP_ADDR_TEXT], to[IPSP_ADDR_TEXT];

	buf[0] = '\0';
	if (e->src.family && e->dst.family)
		snprintf(buf, size, " %s -> %s proto %u", ipsp_addr_print(&e->src, from),
			 ipsp_addr_print(&e->dst, to), e->proto);
}

static const char *action_name(uint8_t action)
{
	static const char *const names[] = { "discard", "bypass", "protect" };

	return action < sizeof(names) / sizeof(names[0]) ? names[action] : "?";
}

static void print_event(const struct pol_generation *g, const struct wire_event *e, char *buf,
			size_t size)
{
	const bool passed = e->kind == WIRE_EVENT_PASSED;
	const struct pol_origin *o =
		g ? pol_origin_find(g, passed ? e->action_id : e->id) : NULL;
	char packet[128], more[40] = "";

	print_packet(e, packet, sizeof(packet));
	if (e->suppressed)
		snprintf(more, sizeof(more), " (and %u alike)", e->suppressed);
	snprintf(buf, size, "%s interface %u %s %s%s%s%s%s",
		 passed ? "passed" : action_name(e->action), e->ifindex,
		 e->dir == IPSP_INBOUND ? "inbound" : "outbound",
		 o ? o->name : passed ? "(no SA)" : "(no rule)",
		 e->reason && e->reason < IPSP_N_REASONS ? " " : "",
		 e->reason && e->reason < IPSP_N_REASONS ?
			 ipsp_reason_key((enum ipsp_reason)e->reason) : "",
		 packet, more);
}

static void packet_logged(struct agent_event_listener *l, const struct wire_event *e)
{
	struct control *c =
		(struct control *)((char *)l - offsetof(struct control, monitor.events));
	char text[512];

	if (e->kind == WIRE_EVENT_SA || e->kind == WIRE_EVENT_CLEAR)
		return;		/* the log says more of it */
	print_event(agent_policy(c->agent), e, text, sizeof(text));
	control_announce(c, "event", text);
	ipspd_log(LOG_NOTICE, PACKET_CATEGORY, "%s", text);
}

/* ---- life ---- */

void control_monitor_init(struct control *c)
{
	struct control_monitor *m = &c->monitor;

	m->committed = mib_store_generation(agent_store(c->agent));
	m->applied = agent_applied_generation(c->agent);
	m->engine = agent_engine_state(c->agent);
	m->watcher.changed = generation_moved;
	m->events.event = packet_logged;
	m->tracer.traced = message_traced;
	m->log = (struct log_listener){ .line = line_logged, .arg = c };
	agent_watch(c->agent, &m->watcher);
	agent_listen_events(c->agent, &m->events);
	log_listen(&m->log);
}

void control_monitor_fini(struct control *c)
{
	log_forget(&c->monitor.log);
	agent_forget_event_listener(c->agent, &c->monitor.events);
	agent_forget_watcher(c->agent, &c->monitor.watcher);
}

static void monitor(struct control_client *c, struct json_object *request, int fd)
{
	(void)request;
	(void)fd;
	c->monitor = true;	/* until the client goes */
}

static void ike_debug(struct control_client *c, struct json_object *request, int fd)
{
	(void)request;
	(void)fd;
	c->ike_debug = true;	/* until the client goes */
	control_monitor_clients_changed(c->control);
}

static const struct control_member no_members[] = { { NULL, json_type_null } };

const struct control_command control_monitor_commands[] = {
	{ "monitor", no_members, monitor },
	{ "ike-debug", no_members, ike_debug },
	{ NULL, NULL, NULL },
};
