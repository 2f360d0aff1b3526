/*
 * ipspd/engine_mail.c - what workers tell the control thread: see engine_worker.h.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/engine.h"
#include "ipspd/log.h"
#include "ipspd/report.h"

enum kind { MAIL_EVENT, MAIL_LOW, MAIL_MOVED, MAIL_HOLD, MAIL_LINE };

struct event_mail {
	struct mail m;
	struct wire_event event;
};

struct low_mail {
	struct mail m;
	uint64_t sa_id;
};

struct moved_mail {
	struct mail m;
	uint64_t sa_id;
	struct ipsp_addr addr;
	uint16_t port;
};

struct hold_mail {
	struct mail m;
	struct ipsp_packet packet;
	uint8_t octets[];
};

struct line_mail {
	struct mail m;
	int priority;
	char category[32];
	char text[LOG_TEXT_MAX];
};

/* ---- from workers ---- */

void engine_mail_event(struct engine_role *role, const struct wire_event *e)
{
	struct event_mail *m = mail_new(&role->mail, MAIL_EVENT, sizeof(*m));

	if (!m)
		return;
	m->event = *e;
	mail_send(&role->mail, &m->m);
}

void engine_mail_low(struct engine_role *role, uint64_t sa_id)
{
	struct low_mail *m = mail_new(&role->mail, MAIL_LOW, sizeof(*m));

	if (!m)
		return;
	m->sa_id = sa_id;
	mail_send(&role->mail, &m->m);
}

void engine_mail_moved(struct engine_role *role, uint64_t sa_id, const struct ipsp_addr *addr,
		       uint16_t port)
{
	struct moved_mail *m = mail_new(&role->mail, MAIL_MOVED, sizeof(*m));

	if (!m)
		return;
	m->sa_id = sa_id;
	m->addr = *addr;
	m->port = port;
	mail_send(&role->mail, &m->m);
}

void engine_mail_hold(struct engine_role *role, const struct ipsp_packet *packet)
{
	struct hold_mail *m = mail_new(&role->mail, MAIL_HOLD, sizeof(*m) + packet->len);

	if (!m) {
		ipsp_engine_count_held(role->engine, IPSP_REASON_HOLD_DISPLACED, 1);
		return;
	}
	m->packet = *packet;
	m->packet.data = m->packet.room = m->octets;
	memcpy(m->octets, packet->data, packet->len);
	mail_send(&role->mail, &m->m);
}

void engine_mail_gone(struct engine_role *role)
{
	role->is_gone = true;
	mailbox_ring(&role->mail);
}

void engine_mail_line(void *arg, int priority, const char *category, const char *text)
{
	struct engine_role *role = arg;
	struct line_mail *m = mail_new(&role->mail, MAIL_LINE, sizeof(*m));

	if (!m)
		return;
	m->priority = priority;
	snprintf(m->category, sizeof(m->category), "%s", category);
	snprintf(m->text, sizeof(m->text), "%s", text);
	mail_send(&role->mail, &m->m);
}

/* ---- the control thread ---- */

static void ask_for(struct engine_role *role, uint64_t sa_id)
{
	const struct ipsp_sa *sa = ipsp_sad_find(ipsp_engine_sad(role->engine), sa_id);

	/* It may be gone by now. */
	if (sa)
		engine_reserve_ask(role, sa);
}

static void take(struct engine_role *role, struct mail *m)
{
	switch (m->kind) {
	case MAIL_EVENT:
		if (role->agent)
			(void)report_event_send(role->agent, &((struct event_mail *)m)->event);
		break;
	case MAIL_LOW:
		ask_for(role, ((struct low_mail *)m)->sa_id);
		break;
	case MAIL_MOVED: {
		const struct moved_mail *const moved = (struct moved_mail *)m;

		engine_pfkey_moved(role, moved->sa_id, &moved->addr, moved->port);
		break;
	}
	case MAIL_HOLD:
		engine_hold_take(role, &((struct hold_mail *)m)->packet, 1, engine_now_s());
		break;
	default: {
		const struct line_mail *const line = (struct line_mail *)m;

		ipspd_log(line->priority, line->category, "%s", line->text);
		break;
	}
	}
}

static void take_all(struct engine_role *role)
{
	struct mail *next, *m = mailbox_take(&role->mail);

	/* What packets ask for first: those that are held wait for it. */
	ipsp_engine_turn(role->engine, engine_now_s());
	for (; m; m = next) {
		next = m->next;
		take(role, m);
		mail_free(m);
	}
	if (role->is_gone) {
		role->status = EXIT_FAILURE;
		event_base_loopbreak(role->base);
	}
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	take_all(arg);
}

int engine_mail_start(struct engine_role *role)
{
	const int err = mailbox_init(&role->mail);

	if (err)
		return err;
	role->mail_event = event_new(role->base, role->mail.fd, EV_READ | EV_PERSIST, on_mail, role);
	return role->mail_event && event_add(role->mail_event, NULL) == 0 ? 0 : -ENOMEM;
}

void engine_mail_stop(struct engine_role *role)
{
	if (!role->mail_event)
		return;
	take_all(role);
	event_free(role->mail_event);
	role->mail_event = NULL;
	mailbox_fini(&role->mail);
}
