/* ipspd/engine_hold.c - packets that wait for an SA: see engine_hold.h. */
#include "config.h"

#include "ipspd/engine_hold.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "ipspd/engine.h"

#define BUCKETS 256u

struct held {
	TAILQ_ENTRY(held) by_need;	/* of its bucket, in order of arrival */
	TAILQ_ENTRY(held) by_age;
	uint64_t need;
	uint64_t until_s;
	bool may_go;
	size_t size;			/* of all this */
	struct ipsp_packet packet;	/* its room is what follows */
	uint8_t room[];
};

TAILQ_HEAD(helds, held);

struct engine_hold {
	struct helds buckets[BUCKETS];
	struct helds all;
	size_t n, octets;
	struct hold_settings settings;
	struct event *go;
};

static struct helds *bucket_of(struct engine_hold *h, uint64_t need)
{
	return &h->buckets[need % BUCKETS];
}

static void take_out(struct engine_hold *h, struct held *p)
{
	TAILQ_REMOVE(bucket_of(h, p->need), p, by_need);
	TAILQ_REMOVE(&h->all, p, by_age);
	h->n--;
	h->octets -= p->size;
}

static void let_go(struct held *p)
{
	explicit_bzero(p, p->size);
	free(p);
}

static void drop(struct engine_role *role, struct held *p, enum ipsp_reason reason)
{
	take_out(role->hold, p);
	ipsp_engine_count_held(role->engine, reason, 1);
	let_go(p);
}

/* The oldest of a need, if there are as many as may be. */
static struct held *displaced_by(struct engine_hold *h, uint64_t need)
{
	struct held *oldest = NULL, *p;
	size_t n = 0;

	TAILQ_FOREACH(p, bucket_of(h, need), by_need) {
		if (p->need != need || p->may_go)
			continue;
		if (!oldest)
			oldest = p;
		n++;
	}
	return n >= h->settings.depth ? oldest : NULL;
}

/* What its need waited for may have come since the packet was judged: then it goes at once. */
static void keep(struct engine_role *role, const struct ipsp_packet *packet, uint64_t now_s)
{
	struct engine_hold *h = role->hold;
	const size_t room = IPSP_HEADROOM + (size_t)packet->len + IPSP_TAILROOM;
	const size_t size = sizeof(struct held) + room;
	struct held *p;

	/* More than one where fewer may wait than before. */
	while ((p = displaced_by(h, packet->acquire_id)))
		drop(role, p, IPSP_REASON_HOLD_DISPLACED);
	while (h->octets + size > h->settings.octets_max && !TAILQ_EMPTY(&h->all))
		drop(role, TAILQ_FIRST(&h->all), IPSP_REASON_HOLD_DISPLACED);
	p = h->settings.depth > 0 && size <= h->settings.octets_max ? malloc(size) : NULL;
	if (!p) {
		ipsp_engine_count_held(role->engine, IPSP_REASON_HOLD_DISPLACED, 1);
		return;
	}
	*p = (struct held){
		.need = packet->acquire_id, .until_s = now_s + h->settings.seconds, .size = size,
		.packet = *packet,
	};
	memset(p->room, 0, IPSP_HEADROOM);
	memcpy(p->room + IPSP_HEADROOM, packet->data, packet->len);
	/* What the attachment knew it by is gone by then. */
	p->packet.mark = 0;
	p->packet.room = p->room;
	p->packet.room_len = (uint32_t)room;
	p->packet.data = p->room + IPSP_HEADROOM;
	TAILQ_INSERT_TAIL(bucket_of(h, p->need), p, by_need);
	TAILQ_INSERT_TAIL(&h->all, p, by_age);
	h->n++;
	h->octets += size;
	p->may_go = !ipsp_engine_needs(role->engine, p->need);
	if (p->may_go)
		event_active(h->go, EV_TIMEOUT, 0);
}

void engine_hold_take(struct engine_role *role, const struct ipsp_packet *packets, size_t n,
		      uint64_t now_s)
{
	for (size_t i = 0; i < n; i++) {
		if (packets[i].verdict == IPSP_VERDICT_HOLD)
			keep(role, &packets[i], now_s);
	}
}

void engine_hold_over(struct engine_role *role, const struct ipsp_acquire *a,
		      enum ipsp_acquire_end why)
{
	const bool may_go = why == IPSP_ACQUIRE_DONE || why == IPSP_ACQUIRE_CLEAR;
	struct engine_hold *h = role->hold;
	struct held *next;

	for (struct held *p = TAILQ_FIRST(bucket_of(h, a->id)); p; p = next) {
		next = TAILQ_NEXT(p, by_need);
		if (p->need != a->id || p->may_go)
			continue;
		if (may_go)
			p->may_go = true;
		else
			drop(role, p, IPSP_REASON_HOLD_OVER);
	}
	if (may_go)
		event_active(h->go, EV_TIMEOUT, 0);
}

static void on_go(evutil_socket_t fd, short what, void *arg)
{
	struct engine_role *role = arg;
	struct engine_hold *h = role->hold;
	struct held *next;

	(void)fd;
	(void)what;
	for (struct held *p = TAILQ_FIRST(&h->all); p; p = next) {
		next = TAILQ_NEXT(p, by_age);
		if (!p->may_go)
			continue;
		take_out(h, p);
		/* Its worker asks policy again, as it may be another one now. */
		if (role->n_workers > 0)
			engine_worker_send(&role->workers[0], &p->packet);
		let_go(p);
	}
}

void engine_hold_tick(struct engine_role *role, uint64_t now_s)
{
	struct engine_hold *h = role->hold;

	struct held *next;

	/* Not in the order of their ends where that time was changed. */
	for (struct held *p = TAILQ_FIRST(&h->all); p; p = next) {
		next = TAILQ_NEXT(p, by_age);
		if (p->until_s <= now_s)
			drop(role, p, IPSP_REASON_HOLD_OVER);
	}
}

bool engine_hold_set(struct engine_hold *h, const struct hold_settings *s)
{
	if (s->depth > HOLD_DEPTH_MAX || s->octets_max == 0 || s->octets_max > HOLD_OCTETS_MAX ||
	    s->seconds == 0 || s->seconds > HOLD_S_MAX)
		return false;
	h->settings = *s;
	return true;
}

size_t engine_hold_count(const struct engine_hold *h)
{
	return h->n;
}

int engine_hold_new(struct engine_role *role)
{
	struct engine_hold *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->settings = HOLD_SETTINGS;
	for (size_t i = 0; i < BUCKETS; i++)
		TAILQ_INIT(&h->buckets[i]);
	TAILQ_INIT(&h->all);
	h->go = event_new(role->base, -1, EV_TIMEOUT, on_go, role);
	if (!h->go) {
		free(h);
		return -ENOMEM;
	}
	role->hold = h;
	return 0;
}

void engine_hold_free(struct engine_role *role)
{
	struct engine_hold *h = role->hold;

	if (!h)
		return;
	while (!TAILQ_EMPTY(&h->all)) {
		struct held *p = TAILQ_FIRST(&h->all);

		take_out(h, p);
		let_go(p);
	}
	event_free(h->go);
	free(h);
	role->hold = NULL;
}
