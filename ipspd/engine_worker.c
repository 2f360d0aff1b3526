/*
 * ipspd/engine_worker.c - life of the threads that packets pass through, and what the control thread
 * gives them to do: see engine_worker.h.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/engine.h"
#include "ipspd/log.h"

#define STACK_SIZE (1u << 20)

enum kind { MAIL_SEND, MAIL_DUMMY, MAIL_KEEPALIVE };

struct send_mail {
	struct mail m;
	struct ipsp_packet packet;
	uint8_t room[];
};

struct dummy_mail {
	struct mail m;
	uint64_t sa_id;
};

struct keepalive_mail {
	struct mail m;
	struct ipsp_flow datagram;
};

static _Thread_local struct engine_worker *self;
static _Thread_local struct engine_random pool;

struct engine_worker *engine_self(void)
{
	return self;
}

struct engine_random *engine_pool(void)
{
	return &pool;
}

/* ---- the control thread ---- */

void engine_worker_send(struct engine_worker *w, const struct ipsp_packet *packet)
{
	const size_t room = IPSP_HEADROOM + (size_t)packet->len + IPSP_TAILROOM;
	struct send_mail *m = mail_new(&w->mail, MAIL_SEND, sizeof(*m) + room);

	if (!m) {
		ipsp_engine_count_held(w->role->engine, IPSP_REASON_HOLD_OVER, 1);
		return;
	}
	m->packet = *packet;
	m->packet.room = m->room;
	m->packet.room_len = (uint32_t)room;
	m->packet.data = m->room + IPSP_HEADROOM;
	memcpy(m->packet.data, packet->data, packet->len);
	mail_send(&w->mail, &m->m);
}

void engine_dummy(void *arg, uint64_t sa_id)
{
	struct engine_role *role = arg;
	struct dummy_mail *m;

	if (role->n_workers == 0)
		return;
	m = mail_new(&role->workers[0].mail, MAIL_DUMMY, sizeof(*m));
	if (!m)
		return;
	m->sa_id = sa_id;
	mail_send(&role->workers[0].mail, &m->m);
}

void engine_keepalive(void *arg, const struct ipsp_flow *datagram)
{
	struct engine_role *role = arg;
	struct keepalive_mail *m;

	if (role->n_workers == 0)
		return;
	m = mail_new(&role->workers[0].mail, MAIL_KEEPALIVE, sizeof(*m));
	if (!m)
		return;
	m->datagram = *datagram;
	mail_send(&role->workers[0].mail, &m->m);
}

/* ---- a worker ---- */

/* Policy is asked again, as it may be another one now. */
static void send_held(struct engine_worker *w, struct ipsp_packet *packet)
{
	ipsp_worker_set_wall_clock(w->core, engine_wall_s());
	ipsp_engine_outbound(w->core, packet, 1, engine_now_s());
	if (packet->verdict == IPSP_VERDICT_HOLD)
		ipsp_engine_count_held(w->role->engine, IPSP_REASON_HOLD_OVER, 1);
	else
		engine_worker_write(w, packet, 1);
}

static void send_dummy(struct engine_worker *w, uint64_t sa_id)
{
	uint8_t room[IPSP_HEADROOM + IPSP_DUMMY_LEN_MAX + IPSP_TAILROOM];
	struct ipsp_packet packet = { .room = room, .room_len = sizeof(room) };

	if (ipsp_engine_dummy(w->core, sa_id, &packet, engine_now_s()) == IPSP_OK)
		engine_worker_write(w, &packet, 1);
}

static void take(struct engine_worker *w, struct mail *m)
{
	switch (m->kind) {
	case MAIL_SEND:
		send_held(w, &((struct send_mail *)m)->packet);
		break;
	case MAIL_DUMMY:
		send_dummy(w, ((struct dummy_mail *)m)->sa_id);
		break;
	default:
		if (w->io->ops->keepalive)
			w->io->ops->keepalive(w->io, &((struct keepalive_mail *)m)->datagram);
		break;
	}
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	struct engine_worker *w = arg;
	struct mail *next;

	(void)fd;
	(void)what;
	ipsp_worker_begin(w->core);
	for (struct mail *m = mailbox_take(&w->mail); m; m = next) {
		next = m->next;
		take(w, m);
		mail_free(m);
	}
	ipsp_worker_end(w->core);
	if (w->ends)
		event_base_loopbreak(w->base);
}

static void *run(void *arg)
{
	struct engine_worker *w = arg;
	char name[16];

	self = w;
	log_of_thread(engine_mail_line, w->role);
	snprintf(name, sizeof(name), "worker %u", w->number);
	(void)pthread_setname_np(pthread_self(), name);
	if (event_base_dispatch(w->base) < 0)
		engine_mail_gone(w->role);
	engine_random_forget(&pool);
	return NULL;
}

/* ---- life ---- */

int engine_worker_init(struct engine_worker *w)
{
	const int err = mailbox_init(&w->mail);

	if (err)
		return err;
	if (!w->base)
		w->base = event_base_new();
	if (!w->base || ipsp_worker_new(w->role->engine, &w->core) != IPSP_OK)
		return -ENOMEM;
	w->mail_event = event_new(w->base, w->mail.fd, EV_READ | EV_PERSIST, on_mail, w);
	return w->mail_event && event_add(w->mail_event, NULL) == 0 ? 0 : -ENOMEM;
}

void engine_worker_fini(struct engine_worker *w)
{
	if (w->mail_event)
		event_free(w->mail_event);
	mailbox_fini(&w->mail);
	ipsp_worker_free(w->core);
	if (w->base && w->base != w->role->base)
		event_base_free(w->base);
}

static int start_one(struct engine_worker *w)
{
	sigset_t all, before;
	pthread_attr_t attr;

	if (pthread_attr_init(&attr) != 0)
		return -ENOMEM;
	sigfillset(&all);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_sigmask(SIG_SETMASK, &all, &before);	/* signals are the control thread's */
	const int err = pthread_create(&w->thread, &attr, run, w);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	w->runs = err == 0;
	return -err;
}

int engine_workers_start(struct engine_role *role)
{
	int err = 0;

	for (size_t i = 0; i < role->n_workers && !err; i++)
		err = start_one(&role->workers[i]);
	return err;
}

void engine_workers_stop(struct engine_role *role)
{
	for (size_t i = 0; i < role->n_workers; i++) {
		struct engine_worker *const w = &role->workers[i];

		if (!w->runs)
			continue;
		w->ends = true;
		mailbox_ring(&w->mail);
		pthread_join(w->thread, NULL);
		w->runs = false;
	}
}
