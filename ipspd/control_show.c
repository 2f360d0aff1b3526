/*
 * ipspd/control_show.c - what policy, counters and algorithms look like: spd, stats, algorithms.
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
	if (e->no_frag_state)
		control_json_add(item, "fragment_state", json_object_new_boolean(false));
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

struct json_object *control_spd_entry(struct control_client *c, const struct pol_list *list, size_t nr,
				      const struct pol_entry *e)
{
	return entry_item(agent_policy(c->agent), list, nr, e, agent_totals(c->agent));
}

struct json_object *control_spd_end(struct control_client *c, const struct pol_list *list)
{
	return end_item(list, agent_totals(c->agent));
}

struct json_object *control_spd_untouched(uint32_t ifindex, enum ipsp_dir dir)
{
	struct json_object *item = json_object_new_object();

	add_number(item, "ifindex", ifindex);
	add_text(item, "direction", direction((uint8_t)dir));
	add_text(item, "action", "bypass");
	add_text(item, "rule", "(no policy)");
	return item;
}

/* No entry stands for it: the guard lets it in to each of these addresses, marks of our sockets out. */
static void show_own_ike(struct control_client *c)
{
	struct ipsp_addr v[AGENT_ADDRESSES_MAX];
	char address[IPSP_ADDR_TEXT], text[IPSP_ADDR_TEXT + 32];
	struct json_object *item, *selectors;
	size_t n;

	if (!agent_addresses(c->agent, v, &n))
		return;
	item = json_object_new_object();
	selectors = json_object_new_array();
	add_number(item, "ifindex", 0);
	add_text(item, "direction", "both ways");
	add_text(item, "action", "bypass");
	add_text(item, "rule", "(IKE of this system, where no rule names it)");
	add_text(item, "source", "system");
	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%s udp 500, 4500", ipsp_addr_print(&v[i], address));
		control_json_append(selectors, control_json_text(text));
	}
	control_json_add(item, "selectors", selectors);
	client_item(c, item);
}

static void show_spd(struct control_client *c)
{
	const struct totals *totals = agent_totals(c->agent);
	const struct pol_generation *g = agent_policy(c->agent);

	if (compiled_list_from(g, 0, 0))
		show_own_ike(c);
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

/* ---- stats ---- */

static void show_icmp(struct control_client *c)
{
	static const char *const names[IPSP_N_ICMP_COUNTS] = {
		[IPSP_ICMP_SENT_TOO_BIG] = "sent-too-big",
		[IPSP_ICMP_SENT_TIME] = "sent-time-exceeded",
		[IPSP_ICMP_NOT_SENT] = "not-sent",
		[IPSP_ICMP_LEARNED] = "learned",
		[IPSP_ICMP_IGNORED] = "ignored",
		[IPSP_ICMP_BY_QUOTE] = "passed-by-quote",
	};
	struct json_object *item, *counts = NULL;

	for (unsigned i = 0; i < IPSP_N_ICMP_COUNTS; i++) {
		uint64_t n = totals_icmp(agent_totals(c->agent), (enum ipsp_icmp_count)i);

		if (n == 0)
			continue;
		if (!counts)
			counts = json_object_new_object();
		add_number(counts, names[i], n);
	}
	if (!counts)
		return;
	item = json_object_new_object();
	control_json_add(item, "icmp-errors", counts);
	client_item(c, item);
}

static void show_fast(struct control_client *c)
{
	const uint64_t packets = totals_fast(agent_totals(c->agent));
	struct json_object *item;

	if (packets == 0)
		return;
	item = json_object_new_object();
	add_number(item, "sent-by-packet-socket", packets);
	client_item(c, item);
}

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
	show_icmp(c);
	show_fast(c);
}

/* ---- algorithms ---- */

static void show_library(struct control_client *c, const struct wire_crypto_library *l)
{
	struct json_object *item = json_object_new_object();

	add_text(item, "library", l->name);
	add_number(item, "wrong-answers", l->n_wrong);
	client_item(c, item);
}

static void show_suite(struct control_client *c, const struct wire_crypto_suite *s)
{
	struct json_object *item = json_object_new_object();

	add_text(item, "protocol", words_protocol(s->proto));
	if (s->encr[0])
		add_text(item, "cipher", s->encr);
	if (s->encr_bits)
		add_number(item, "key-bits", s->encr_bits);
	if (s->integ[0])
		add_text(item, "integrity", s->integ);
	if (s->library[0])
		add_text(item, "by", s->library);
	if (s->mbits)
		add_number(item, "mbits-per-s", s->mbits);
	if (s->weak)
		control_json_add(item, "weak", json_object_new_boolean(true));
	client_item(c, item);
}

static void algorithms(struct control_client *c, struct json_object *request, int fd)
{
	const struct wire_crypto *crypto = agent_crypto(c->agent);

	(void)request;
	(void)fd;
	for (uint32_t i = 0; i < crypto->n_libraries; i++)
		show_library(c, &crypto->libraries[i]);
	for (uint32_t i = 0; i < crypto->n_suites; i++)
		show_suite(c, &crypto->suites[i]);
	client_end(c);
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

static void stats(struct control_client *c, struct json_object *request, int fd)
{
	(void)request;
	(void)fd;
	ask(c, stats_counted);
}

static const struct control_member no_members[] = { { NULL, json_type_null } };

const struct control_command control_show_commands[] = {
	{ "spd", no_members, spd },
	{ "stats", no_members, stats },
	{ "algorithms", no_members, algorithms },
	{ NULL, NULL, NULL },
};
