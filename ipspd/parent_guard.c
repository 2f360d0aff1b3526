/*
 * ipspd/parent_guard.c - takes the agent's layers, message by message, and changes the guard.
 *
 * Every message is checked by the same reader as the engine's; a change is made only when all of it
 * has come and is good.
 */
#include "config.h"

#include "ipspd/parent.h"

#include <stdlib.h>
#include <string.h>

#include "ipspd/log.h"
#include "ipspd/messages.h"

#define TEXT_A_MESSAGE 32768

void parent_guard_forget(struct parent *p)
{
	struct guard_intake *in = &p->intake;

	wire_builder_free(in->builder);
	for (size_t i = 0; i < in->n_layers; i++)
		wire_gen_free(in->layers[i].gen);
	memset(in, 0, sizeof(*in));
}

static bool refuse(struct parent *p, const char *why)
{
	ipspd_log(LOG_ERR, "guard", "the agent's layers are refused: %s", why);
	parent_guard_forget(p);
	return false;
}

static bool end_layer(struct parent *p)
{
	struct guard_intake *in = &p->intake;

	if (!in->builder)
		return true;
	int rc = wire_builder_finish_lists(in->builder, &in->layers[in->n_layers - 1].gen);
	in->builder = NULL;
	return rc == 0 || refuse(p, "a layer that is not whole");
}

static bool begin(struct parent *p, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint32_t serial = chan_get_u32(&r), keep = chan_get_u32(&r);

	if (!chan_reader_done(&r) || p->intake.open || serial == GUARD_KEEP_INHERITED ||
	    serial == GUARD_KEEP_NONE)
		return refuse(p, "no good beginning");
	p->intake = (struct guard_intake){ .open = true, .serial = serial, .keep = keep };
	return true;
}

static bool layer(struct parent *p, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct guard_intake *in = &p->intake;
	uint64_t generation = chan_get_u64(&r);

	if (!chan_reader_done(&r) || !in->open || in->n_layers == GUARD_LAYERS_MAX)
		return refuse(p, "a layer that does not belong there");
	if (!end_layer(p))
		return false;
	in->builder = wire_builder_new(generation);
	if (!in->builder)
		return refuse(p, "no memory");
	in->layers[in->n_layers++] = (struct guard_layer){ .serial = in->serial,
							   .generation = generation };
	return true;
}

static bool part(struct parent *p, const struct chan_msg *m)
{
	struct wire_builder *b = p->intake.builder;

	if (!b)
		return refuse(p, "a part outside of any layer");
	if (wire_builder_add(b, m->type, m->data, m->len) < 0)
		return refuse(p, wire_builder_why(b));
	return true;
}

static void answer(struct parent *p, uint32_t serial, int rc, const char *why)
{
	uint8_t buf[1024];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, serial);
	chan_put_u32(&w, (uint32_t)-rc);
	chan_put_octets(&w, why, strnlen(why, sizeof(buf) - 16));
	if (chan_send(p->agent.chan, MSG_GUARD_DONE, buf, w.len, NULL, 0) < 0)
		ipspd_log(LOG_ERR, "guard", "the agent cannot be answered");
}

static bool commit(struct parent *p, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct guard_intake *in = &p->intake;
	uint32_t serial = chan_get_u32(&r);
	const char *why = "";

	if (!chan_reader_done(&r) || !in->open || serial != in->serial)
		return refuse(p, "no good end");
	if (!end_layer(p))
		return false;
	int rc = guard_change(p->guard, in->keep, in->layers, in->n_layers, &why);
	if (rc < 0)
		ipspd_log(LOG_ERR, "guard", "not changed: %s", why);
	else
		in->n_layers = 0;	/* they are the guard's now */
	parent_guard_forget(p);
	/* The guard holds in any case; packets that are not queued it decides alone. */
	if (rc == 0)
		rc = queues_follow(p, &why);
	answer(p, serial, rc, why);
	return true;
}

static bool show(struct parent *p, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint32_t serial = chan_get_u32(&r);

	if (!chan_reader_done(&r))
		return false;
	char *text = guard_show(p->guard);
	const char *at = text ? text : "the kernel does not say";
	size_t left = strlen(at);
	uint8_t *buf = (uint8_t *)malloc(TEXT_A_MESSAGE + 16);
	bool more = true;

	while (buf && more) {
		struct chan_writer w = { .data = buf, .size = TEXT_A_MESSAGE + 16 };
		size_t n = left < TEXT_A_MESSAGE ? left : TEXT_A_MESSAGE;

		left -= n;
		more = left > 0;
		chan_put_u32(&w, serial);
		chan_put_u8(&w, more);
		chan_put_octets(&w, at, n);
		at += n;
		if (chan_send(p->agent.chan, MSG_GUARD_TEXT, buf, w.len, NULL, 0) < 0)
			break;
	}
	free(buf);
	free(text);
	return true;
}

/* Counts on their way to the agent. */
struct counted {
	struct parent *parent;
	uint32_t serial;
	size_t n;
	struct wire_guard_count items[REPORT_GUARD_MAX];
};

static void send_counted(struct counted *c, bool more)
{
	int rc = report_guard_send(c->parent->agent.chan, c->serial, more, c->items, c->n);

	if (rc < 0)
		ipspd_log(LOG_ERR, "guard", "counters do not reach the agent: %s", strerror(-rc));
	c->n = 0;
}

static void add_counted(void *arg, const struct wire_guard_count *one)
{
	struct counted *c = (struct counted *)arg;

	if (c->n == REPORT_GUARD_MAX)
		send_counted(c, true);
	c->items[c->n++] = *one;
}

static bool count(struct parent *p, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct counted c = { .parent = p, .serial = chan_get_u32(&r) };

	if (!chan_reader_done(&r))
		return false;
	guard_count(p->guard, add_counted, &c);
	send_counted(&c, false);
	return true;
}

bool parent_guard_message(struct parent *p, const struct chan_msg *m)
{
	switch (m->type) {
	case MSG_GUARD_BEGIN:
		return begin(p, m);
	case MSG_GUARD_LAYER:
		return layer(p, m);
	case MSG_GUARD_COMMIT:
		return commit(p, m);
	case MSG_GUARD_SHOW:
		return show(p, m);
	case MSG_GUARD_COUNT:
		return count(p, m);
	case MSG_GEN_LIST:
	case MSG_GEN_ENTRY:
	case MSG_GEN_PREDICATE:
	case MSG_GEN_SELECTORS:
		return part(p, m);
	default:
		return false;
	}
}
