/*
 * ipspd/control_sad.c - show sad: SAs of rows, then those of key managers, some a turn, as there may be very
 * many. What ipspdSaTable shows.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "ipsp/config.h"
#include "ipspd/control_client.h"
#include "ipspd/watch.h"
#include "ipspd/words.h"
#include "mibs/schema_gen.h"

#define SAS_A_TURN 64

static void add_number(struct json_object *o, const char *key, uint64_t n)
{
	control_json_add(o, key, json_object_new_uint64(n));
}

/* Lifetimes and such: what there is none of is left out. */
static void add_some(struct json_object *o, const char *key, uint64_t n)
{
	if (n != 0)
		add_number(o, key, n);
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
	control_json_add(o, key, control_json_text(text));
}

/* ---- state ---- */

static void add_state(struct json_object *item, enum watch_sa_state state, const char *why)
{
	static const char *const states[] = {
		[WATCH_SA_DOWN] = "not in force",
		[WATCH_SA_LARVAL] = "larval",
		[WATCH_SA_MATURE] = "mature",
		[WATCH_SA_DYING] = "dying",
		[WATCH_SA_DEAD] = "dead",
	};

	add_text(item, "state", states[state]);
	if (why[0])
		add_text(item, "reason", why);
}

/* Its state as ipspdSaState has it, and why it cannot be used. */
static void add_row_state(struct json_object *item, struct agent *a, const struct ipsp_sa_config *sa)
{
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
	add_state(item, state, why);
}

/* ---- one SA ---- */

static const char *cipher(const struct ipsp_sa_config *sa, char buf[32])
{
	if (sa->encr_key_bits == 0)
		snprintf(buf, 32, "%s", words_cipher(sa));
	else
		snprintf(buf, 32, "%s-%u", words_cipher(sa), sa->encr_key_bits);
	return buf;
}

static void add_ends(struct json_object *item, const struct ipsp_sa_config *sa)
{
	const bool in = sa->dir == IPSP_INBOUND;
	char text[IPSP_ADDR_TEXT];

	add_text(item, "direction", in ? "inbound" : "outbound");
	if (sa->mode != IPSP_MODE_ANY && sa->mode != 0)
		add_text(item, "mode", sa->mode == IPSP_MODE_TUNNEL ? "tunnel" : "transport");
	add_text(item, "source", ipsp_addr_print(in ? &sa->remote : &sa->local, text));
	add_text(item, "destination", ipsp_addr_print(in ? &sa->local : &sa->remote, text));
}

static void add_algorithms(struct json_object *item, const struct ipsp_sa_config *sa)
{
	char name[32];

	add_text(item, "cipher", cipher(sa, name));
	add_text(item, "integrity", words_integrity(sa));
	add_number(item, "window", sa->replay ? sa->replay_window_pkts : 0);
}

static void add_terms(struct json_object *item, const struct ipsp_sa_config *sa)
{
	char text[WORDS_SELECTOR];

	if (sa->sel.family)
		add_text(item, "selector", words_selector(&sa->sel, text));
	add_some(item, "reqid", sa->reqid);
	add_some(item, "life-seconds", sa->life_s);
	add_some(item, "life-use-seconds", sa->life_use_s);
	add_some(item, "life-bytes", sa->life_bytes);
	add_some(item, "life-packets", sa->life_packets);
	add_some(item, "life-idle-seconds", sa->idle_s);
	add_some(item, "soft-seconds", sa->soft_s);
	add_some(item, "soft-use-seconds", sa->soft_use_s);
	add_some(item, "soft-bytes", sa->soft_bytes);
	add_some(item, "soft-packets", sa->soft_packets);
}

static void add_counted(struct json_object *item, const struct totals_sa *s)
{
	add_number(item, "packets", s->packets);
	add_number(item, "bytes", s->bytes);
	add_number(item, "icv-errors", s->auth_errors);
	add_number(item, "replays", s->replay_errors);
	add_number(item, "other-errors", s->other_errors);
	add_number(item, "dummies", s->dummies);
	if (!s->is_there)
		return;
	add_number(item, "sequence", s->now.seq);
	add_number(item, "age", s->now.age_s);
	if (s->now.path_mtu)
		add_number(item, "path-mtu", s->now.path_mtu);
}

static struct json_object *row_item(struct agent *a, const struct ipsp_sa_config *sa)
{
	const struct pol_generation *g = agent_policy(a);
	const struct pol_origin *o = pol_origin_find(g, pol_sa_head(g, sa->id));
	struct json_object *item = json_object_new_object();

	add_text(item, "name", o ? o->name : "");
	add_text(item, "origin", "row");
	add_text(item, "protocol", words_protocol(sa->proto));
	add_number(item, "spi", sa->spi);
	add_ends(item, sa);
	add_algorithms(item, sa);
	add_row_state(item, a, sa);
	add_terms(item, sa);
	add_counted(item, totals_sa(agent_totals(a), sa->id));
	return item;
}

static struct json_object *negotiated_item(const struct sad_picture_sa *n)
{
	struct json_object *item = json_object_new_object();
	struct ipsp_sa_config sa;
	struct totals_sa counted;
	const char *why;
	const enum watch_sa_state state = watch_negotiated_state(n, &why);

	watch_negotiated(n, &sa, &counted);
	add_text(item, "name", n->name);
	add_number(item, "index", n->number);
	add_text(item, "origin", sa.origin == IPSP_ORIGIN_CLEAR ? "clear" : "keyManager");
	if (sa.origin != IPSP_ORIGIN_CLEAR) {
		add_text(item, "protocol", words_protocol(sa.proto));
		add_number(item, "spi", sa.spi);
	}
	add_ends(item, &sa);
	if (sa.origin != IPSP_ORIGIN_CLEAR && state != WATCH_SA_LARVAL)
		add_algorithms(item, &sa);
	add_state(item, state, why);
	add_terms(item, &sa);
	add_counted(item, &counted);
	return item;
}

/* ---- all of them ---- */

static void show_rows(struct control_client *c)
{
	const struct pol_generation *g = agent_policy(c->agent);
	const struct pol_sa *sa;
	struct pol_map_walk w;

	if (!g)
		return;
	pol_map_walk_start(&w, &g->sas, 0);
	while ((sa = (const struct pol_sa *)pol_map_walk_next(&w)))
		client_item(c, row_item(c->agent, &sa->config));
}

static bool step(struct control_client *c)
{
	uint32_t index[SAD_PICTURE_INDEX_MAX];
	const struct sad_picture_sa *n;

	for (unsigned i = 0; i < SAS_A_TURN; i++) {
		n = sad_picture_after(agent_sad(c->agent), c->at.ids, c->at.len);
		if (!n)
			return true;
		client_item(c, negotiated_item(n));
		c->at.len = 0;
		if (!mib_oid_append(&c->at, index, sad_picture_index(n, index)))
			return true;
	}
	return false;
}

static struct control_client *asker(struct agent_question *q)
{
	return (struct control_client *)((char *)q - offsetof(struct control_client, question));
}

static void all_known(struct agent_question *q)
{
	struct control_client *c = asker(q);

	c->abort = NULL;
	show_rows(c);
	c->at.len = 0;
	client_stream(c, step);
}

static void counted(struct agent_question *q)
{
	struct control_client *c = asker(q);

	c->question = (struct agent_question){ .counted = all_known };
	agent_sad_look(c->agent, &c->question);
}

static void forget_question(struct control_client *c)
{
	agent_forget_question(c->agent, &c->question);
}

static void sad(struct control_client *c, struct json_object *request, int fd)
{
	(void)request;
	(void)fd;
	c->question = (struct agent_question){ .counted = counted };
	c->abort = forget_question;
	agent_count(c->agent, &c->question);
}

static const struct control_member no_members[] = { { NULL, json_type_null } };

const struct control_command control_sad_commands[] = {
	{ "sad", no_members, sad },
	{ NULL, NULL, NULL },
};
