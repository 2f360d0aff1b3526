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
#include "ipspd/control_client.h"

#define SELECTOR_TEXT_MAX 256

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

/* ---- selectors ---- */

/* The prefix length when lo..hi is a prefix, or -1. */
static int prefix_length(const struct ipsp_addr *lo, const struct ipsp_addr *hi)
{
	size_t bits = ipsp_addr_size(lo->family) * 8;

	for (size_t len = 0; len <= bits; len++) {
		struct ipsp_addr first, last;

		if (ipsp_addr_prefix(lo, (unsigned)len, &first, &last) == IPSP_OK &&
		    ipsp_addr_cmp(&first, lo) == 0 && ipsp_addr_cmp(&last, hi) == 0)
			return (int)len;
	}
	return -1;
}

static void print_addresses(const struct ipsp_addr *lo, const struct ipsp_addr *hi, char *buf,
			    size_t size)
{
	char a[IPSP_ADDR_TEXT], b[IPSP_ADDR_TEXT];
	int len = prefix_length(lo, hi);

	if (len >= 0)
		snprintf(buf, size, "%s/%d", ipsp_addr_print(lo, a), len);
	else
		snprintf(buf, size, "%s-%s", ipsp_addr_print(lo, a), ipsp_addr_print(hi, b));
}

/* Appends " name lo-hi" unless the interval is the whole of 0..max. */
static void print_interval(const char *name, uint32_t lo, uint32_t hi, uint32_t max, char *buf,
			   size_t size)
{
	size_t len = strlen(buf);

	if (lo == 0 && hi == max)
		return;
	if (lo == hi && lo == IPSP_PORT_NONE)
		snprintf(buf + len, size - len, " %s none", name);
	else if (lo == hi)
		snprintf(buf + len, size - len, " %s %u", name, lo);
	else
		snprintf(buf + len, size - len, " %s %u-%u", name, lo, hi);
}

static struct json_object *selector(const struct ipsp_selector *s)
{
	char src[2 * IPSP_ADDR_TEXT + 8], dst[2 * IPSP_ADDR_TEXT + 8], text[SELECTOR_TEXT_MAX];

	print_addresses(&s->src_lo, &s->src_hi, src, sizeof(src));
	print_addresses(&s->dst_lo, &s->dst_hi, dst, sizeof(dst));
	snprintf(text, sizeof(text), "%s -> %s", src, dst);
	print_interval("proto", s->proto_lo, s->proto_hi, UINT8_MAX, text, sizeof(text));
	print_interval("sport", s->sport_lo, s->sport_hi, IPSP_PORT_NONE, text, sizeof(text));
	print_interval("dport", s->dport_lo, s->dport_hi, IPSP_PORT_NONE, text, sizeof(text));
	print_interval("dscp", s->dscp_lo, s->dscp_hi, IPSP_DSCP_MAX, text, sizeof(text));
	print_interval("flow", s->flow_lo, s->flow_hi, IPSP_FLOW_MAX, text, sizeof(text));
	return json_object_new_string(text);
}

/* ---- spd ---- */

static void add_count(struct json_object *item, const struct totals_count *count)
{
	add_number(item, "packets", count->packets);
	add_number(item, "bytes", count->bytes);
}

static struct json_object *entry_item(const struct pol_generation *g,
				      const struct pol_list *list, size_t nr,
				      const struct ipsp_spd_entry *e, const struct totals *totals)
{
	static const char *const actions[] = { "discard", "bypass", "protect" };
	struct json_object *item = json_object_new_object();
	struct json_object *selectors = json_object_new_array();

	add_number(item, "ifindex", list->ifindex);
	add_text(item, "direction", direction(list->dir));
	add_number(item, "order", nr);
	add_text(item, "action", actions[e->action]);
	add_text(item, "rule", origin_name(g, e->id));
	control_json_add(item, "log", json_object_new_boolean(e->log));
	if (e->action == IPSP_PROTECT && e->sa_id)
		add_text(item, "sa", origin_name(g, e->sa_id));
	add_count(item, totals_entry(totals, list->ifindex, list->dir, e->id));
	for (size_t i = 0; i < e->n_selectors; i++)
		control_json_append(selectors, selector(&e->selectors[i]));
	control_json_add(item, "selectors", selectors);
	return item;
}

/* What stands behind the last entry of every list. */
static struct json_object *end_item(const struct pol_list *list, const struct totals *totals)
{
	struct json_object *item = json_object_new_object();

	add_number(item, "ifindex", list->ifindex);
	add_text(item, "direction", direction(list->dir));
	add_number(item, "order", pol_map_count(&list->entries));
	add_text(item, "action", "discard");
	add_text(item, "rule", "(no rule)");
	add_count(item, totals_entry(totals, list->ifindex, list->dir, 0));
	return item;
}

static void show_spd(struct control_client *c)
{
	const struct totals *totals = agent_totals(c->agent);
	const struct pol_generation *g = agent_policy(c->agent);

	for (size_t i = 0; g && i < g->n_lists; i++) {
		const struct pol_entry *e;
		struct pol_map_walk w;
		size_t nr = 0;

		pol_map_walk_start(&w, &g->lists[i].entries, 0);
		while ((e = (const struct pol_entry *)pol_map_walk_next(&w)))
			client_item(c, entry_item(g, &g->lists[i], nr++, &e->spd, totals));
		client_item(c, end_item(&g->lists[i], totals));
	}
}

/* ---- sad ---- */

static const char *sa_state(const struct totals_sa *s)
{
	return s->is_there ? ipsp_sa_state_text((enum ipsp_sa_state)(s->now.state - 1)) :
			     "not in force";
}

static const char *cipher(const struct ipsp_sa_config *sa, char buf[32])
{
	switch (sa->encr) {
	case IPSP_ENCR_NULL:
		return "null";
	case IPSP_ENCR_AES_CBC:
		snprintf(buf, 32, "aes-cbc-%u", sa->encr_key_bits);
		return buf;
	case IPSP_ENCR_AES_GCM_16:
		snprintf(buf, 32, "aes-gcm-16-%u", sa->encr_key_bits);
		return buf;
	default:
		return "unknown";
	}
}

static const char *integrity(const struct ipsp_sa_config *sa)
{
	switch (sa->integ) {
	case IPSP_INTEG_HMAC_SHA1_96:
		return "hmac-sha1-96";
	case IPSP_INTEG_HMAC_SHA2_256_128:
		return "hmac-sha2-256-128";
	default:
		return "none";
	}
}

static struct json_object *sa_item(const struct pol_generation *g, const struct ipsp_sa_config *sa,
				   const struct totals *totals)
{
	const struct totals_sa *s = totals_sa(totals, sa->id);
	bool in = sa->dir == IPSP_INBOUND;
	struct json_object *item = json_object_new_object();
	char text[IPSP_ADDR_TEXT], name[32];

	add_text(item, "name", origin_name(g, sa->id));
	add_text(item, "protocol", "esp");
	add_number(item, "spi", sa->spi);
	add_text(item, "direction", direction(sa->dir));
	add_text(item, "mode", sa->mode == IPSP_MODE_TUNNEL ? "tunnel" : "transport");
	add_text(item, "source", ipsp_addr_print(in ? &sa->remote : &sa->local, text));
	add_text(item, "destination", ipsp_addr_print(in ? &sa->local : &sa->remote, text));
	add_text(item, "cipher", cipher(sa, name));
	add_text(item, "integrity", integrity(sa));
	add_number(item, "window", sa->replay ? sa->replay_window_pkts : 0);
	add_text(item, "state", sa_state(s));
	add_number(item, "packets", s->packets);
	add_number(item, "bytes", s->bytes);
	add_number(item, "icv-errors", s->auth_errors);
	add_number(item, "replays", s->replay_errors);
	add_number(item, "other-errors", s->other_errors);
	if (s->is_there) {
		add_number(item, "sequence", s->now.seq);
		add_number(item, "age", s->now.age_s);
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
		client_item(c, sa_item(g, &sa->config, agent_totals(c->agent)));
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
