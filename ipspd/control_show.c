/*
 * ipspd/control_show.c - what policy, SAs and counters look like: spd, sad, stats.
 *
 * The policy as compiled, with the totals that the MIB's tables show too: fresh ones, so far as engine
 * and guard answer.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "engine/io/attach.h"
#include "ipsp/config.h"
#include "ipspd/compiled.h"
#include "ipspd/control_client.h"
#include "ipspd/watch.h"
#include "ipspd/words.h"
#include "mibs/schema_gen.h"

static void add_number(struct json_object *o, const char *key, uint64_t n)
{
	control_json_add(o, key, json_object_new_uint64(n));
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
	control_json_add(o, key, control_json_text(text));
}

static const char *direction(uint8_t dir)
{
	return dir == IPSP_INBOUND ? "inbound" : "outbound";
}

static const char *origin_name(const struct pol_generation *g, uint64_t id)
{
	const struct pol_origin *o = pol_origin_find(g, id);

	return o ? o->name : "";
}

/* ---- spd ---- */

static void add_count(struct json_object *item, const struct totals_count *count)
{
	add_number(item, "packets", count->packets);
	add_number(item, "bytes", count->bytes);
}

static const char *step_name(const struct pol_generation *g, const struct ipsp_step *step)
{
	static const char *const names[] = {
		[IPSP_STEP_DISCARD] = "discard",
		[IPSP_STEP_BYPASS] = "bypass",
		[IPSP_STEP_FAIL] = "(cannot be done)",
		[IPSP_STEP_ALL] = "doAll",
		[IPSP_STEP_UNTIL_SUCCESS] = "doUntilSuccess",
		[IPSP_STEP_UNTIL_FAILURE] = "doUntilFailure",
	};

	if (step->kind != IPSP_STEP_PROTECT)
		return names[step->kind];
	return step->sa_id ? origin_name(g, step->sa_id) : "(no SA)";
}

/* What an entry runs, in its order; what is inside of a compound action is indented. */
static struct json_object *steps_list(const struct pol_generation *g,
				      const struct ipsp_spd_entry *e)
{
	struct json_object *list = json_object_new_array();
	uint32_t ends[IPSP_STEP_DEPTH_MAX], depth = 0;

	for (uint32_t i = 0; i < e->n_steps; i++) {
		const struct ipsp_step *step = &e->steps[i];
		char line[256];

		for (; depth > 0 && ends[depth - 1] == i; depth--)
			;
		snprintf(line, sizeof(line), "%*s%s%s", (int)depth * 2, "", step_name(g, step),
			 step->log ? " log" : "");
		control_json_append(list, control_json_text(line));
		if (step->end > 0)
			ends[depth++] = step->end;
	}
	return list;
}

static struct json_object *entry_item(const struct pol_generation *g,
				      const struct pol_list *list, size_t nr,
				      const struct pol_entry *pe, const struct totals *totals)
{
	static const char *const actions[] = { "discard", "bypass", "protect" };
	static const char *const sources[] = {
		[POL_BAND_ROWS] = "row",
		[POL_BAND_KEY_MANAGER] = "keyManager",
		[POL_BAND_OPEN] = "default",
	};
	const struct ipsp_spd_entry *e = &pe->spd;
	char text[WORDS_SELECTOR], name[COMPILED_NAME];
	struct json_object *item = json_object_new_object();
	struct json_object *selectors = json_object_new_array();

	add_number(item, "ifindex", list->ifindex);
	add_text(item, "direction", direction(list->dir));
	add_number(item, "order", nr);
	add_text(item, "action", actions[e->action]);
	add_text(item, "rule", compiled_entry_name(g, e, name));
	add_text(item, "source", sources[pe->band]);
	control_json_add(item, "log", json_object_new_boolean(e->log));
	if (e->accept_clear)
		control_json_add(item, "accept_clear", json_object_new_boolean(true));
	if (e->action == IPSP_PROTECT && e->sa_id)
		add_text(item, "sa", origin_name(g, e->sa_id));
	else if (e->n_templates > 0)
		add_text(item, "sa", "(a key manager's)");
	if (e->n_steps > 0)
		control_json_add(item, "actions", steps_list(g, e));
	add_count(item, totals_entry(totals, list->ifindex, (enum ipsp_dir)list->dir, e->id));
	for (size_t i = 0; i < e->n_selectors; i++)
		control_json_append(selectors, control_json_text(words_selector(&e->selectors[i],
										 text)));
	control_json_add(item, "selectors", selectors);
	return item;
}

/* What stands behind the last entry of every list. */
static struct json_object *end_item(const struct pol_list *list, const struct totals *totals)
{
	struct json_object *item = json_object_new_object();

	add_number(item, "ifindex", list->ifindex);
	add_text(item, "direction", direction(list->dir));
	add_number(item, "order", compiled_count(list));
	add_text(item, "action", "discard");
	add_text(item, "rule", "(no rule)");
	add_count(item, totals_entry(totals, list->ifindex, (enum ipsp_dir)list->dir, 0));
	return item;
}

static void show_spd(struct control_client *c)
{
	const struct totals *totals = agent_totals(c->agent);
	const struct pol_generation *g = agent_policy(c->agent);

	for (const struct pol_list *l = compiled_list_from(g, 0, 0); l;
	     l = compiled_list_from(g, l->ifindex, l->dir + 1u)) {
		const struct pol_entry *e;
		struct pol_map_walk w;
		size_t nr = 0;

		pol_map_walk_start(&w, &l->entries, 0);
		while ((e = (const struct pol_entry *)pol_map_walk_next(&w)))
			client_item(c, entry_item(g, l, nr++, e, totals));
		client_item(c, end_item(l, totals));
	}
}

/* ---- sad ---- */

/* Its state as ipspdSaState has it, and why it cannot be used. */
static void add_state(struct json_object *item, struct agent *a, const struct ipsp_sa_config *sa)
{
	static const char *const states[] = {
		[WATCH_SA_DOWN] = "not in force",
		[WATCH_SA_LARVAL] = "larval",
		[WATCH_SA_MATURE] = "mature",
		[WATCH_SA_DYING] = "dying",
		[WATCH_SA_DEAD] = "dead",
	};
	const struct pol_origin *o = pol_origin_find(agent_policy(a), sa->id);
	const struct mib_row *r = o ? mib_view_row(mib_store_view(agent_store(a)), o->table,
						   o->index.ids, o->index.len) : NULL;
	const struct totals_sa *there = totals_sa(agent_totals(a), sa->id);
	enum watch_sa_state state;
	char why[POL_STATUS_TEXT] = "";
	uint64_t id;

	/* A row that was destroyed has its SA until that is in force. */
	if (r)
		state = watch_sa_state(a, r, &id, why);
	else
		state = there->is_there ? (enum watch_sa_state)(there->now.state + 1) :
					  WATCH_SA_DOWN;
	add_text(item, "state", states[state]);
	if (why[0])
		add_text(item, "reason", why);
}

static const char *cipher(const struct ipsp_sa_config *sa, char buf[32])
{
	if (sa->encr == IPSP_ENCR_NULL)
		snprintf(buf, 32, "%s", words_cipher(sa));
	else
		snprintf(buf, 32, "%s-%u", words_cipher(sa), sa->encr_key_bits);
	return buf;
}

static struct json_object *sa_item(struct agent *a, const struct ipsp_sa_config *sa)
{
	const struct totals_sa *s = totals_sa(agent_totals(a), sa->id);
	bool in = sa->dir == IPSP_INBOUND;
	struct json_object *item = json_object_new_object();
	char text[IPSP_ADDR_TEXT], name[32];

	add_text(item, "name", origin_name(agent_policy(a), pol_sa_head(agent_policy(a), sa->id)));
	add_text(item, "protocol", words_protocol(sa->proto));
	add_number(item, "spi", sa->spi);
	add_text(item, "direction", direction(sa->dir));
	add_text(item, "mode", sa->mode == IPSP_MODE_TUNNEL ? "tunnel" : "transport");
	add_text(item, "source", ipsp_addr_print(in ? &sa->remote : &sa->local, text));
	add_text(item, "destination", ipsp_addr_print(in ? &sa->local : &sa->remote, text));
	add_text(item, "cipher", cipher(sa, name));
	add_text(item, "integrity", words_integrity(sa));
	add_number(item, "window", sa->replay ? sa->replay_window_pkts : 0);
	add_state(item, a, sa);
	add_number(item, "packets", s->packets);
	add_number(item, "bytes", s->bytes);
	add_number(item, "icv-errors", s->auth_errors);
	add_number(item, "replays", s->replay_errors);
	add_number(item, "other-errors", s->other_errors);
	add_number(item, "dummies", s->dummies);
	if (s->is_there) {
		add_number(item, "sequence", s->now.seq);
		add_number(item, "age", s->now.age_s);
		if (s->now.path_mtu)
			add_number(item, "path-mtu", s->now.path_mtu);
	}
	return item;
}

static void show_sad(struct control_client *c)
{
	const struct pol_generation *g = agent_policy(c->agent);
	const struct pol_sa *sa;
	struct pol_map_walk w;

	if (!g)
		return;
	pol_map_walk_start(&w, &g->sas, 0);
	while ((sa = (const struct pol_sa *)pol_map_walk_next(&w)))
		client_item(c, sa_item(c->agent, &sa->config));
}

/* ---- stats ---- */

static void show_stats(struct control_client *c)
{
	/* The core's reasons and the attachment's: those between are not used. */
	for (unsigned i = 0; i < TOTALS_N_DROPS; i++) {
		uint64_t packets = totals_drops(agent_totals(c->agent), i);
		struct json_object *item;

		if (packets == 0)
			continue;
		item = json_object_new_object();
		add_text(item, "reason", io_reason_key(i));
		add_text(item, "class", ipsp_reason_class_text(io_reason_class(i)));
		add_number(item, "packets", packets);
		client_item(c, item);
	}
}

/* ---- when the totals are fresh ---- */

static struct control_client *asker(struct agent_question *q)
{
	return (struct control_client *)((char *)q - offsetof(struct control_client, question));
}

static void spd_counted(struct agent_question *q)
{
	show_spd(asker(q));
	client_end(asker(q));
}

static void sad_counted(struct agent_question *q)
{
	show_sad(asker(q));
	client_end(asker(q));
}

static void stats_counted(struct agent_question *q)
{
	show_stats(asker(q));
	client_end(asker(q));
}

static void forget_question(struct control_client *c)
{
	agent_forget_question(c->agent, &c->question);
}

static void ask(struct control_client *c, void (*answer)(struct agent_question *q))
{
	c->question = (struct agent_question){ .counted = answer };
	c->abort = forget_question;
	agent_count(c->agent, &c->question);
}

static void spd(struct control_client *c, struct json_object *request, int fd)
{
	(void)request;
	(void)fd;
	ask(c, spd_counted);
}

static void sad(struct control_client *c, struct json_object *request, int fd)
{
	(void)request;
	(void)fd;
	ask(c, sad_counted);
}

static void stats(struct control_client *c, struct json_object *request, int fd)
{
	(void)request;
	(void)fd;
	ask(c, stats_counted);
}

static const struct control_member no_members[] = { { NULL, json_type_null } };

const struct control_command control_show_commands[] = {
	{ "spd", no_members, spd },
	{ "sad", no_members, sad },
	{ "stats", no_members, stats },
	{ NULL, NULL, NULL },
};
