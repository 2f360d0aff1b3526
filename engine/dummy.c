/*
 * engine/dummy.c - dummy packets of SAs that ask for them: when they are due, and how one is made. RFC
 * 4303 2.6. Nothing of them is a packet that anybody sent: no entry is asked, and none is looked for.
 */
#include "engine/bundle.h"
#include "engine/esp.h"
#include "engine/tunnel.h"

struct round {
	const struct ipsp_platform *platform;
	uint64_t now_s;
	void (*send)(void *arg, uint64_t sa_id);
	void *arg;
};

/* 0..max, evenly enough for lengths and waits: max is small against 2^32. */
static bool at_random(const struct ipsp_platform *p, uint32_t max, uint32_t *out)
{
	uint32_t value;

	if (p->random(p->ctx, (uint8_t *)&value, sizeof(value)) != IPSP_OK)
		return false;
	*out = value % (max + 1);
	return true;
}

static void send_due(void *arg, struct ipsp_sa *sa)
{
	const struct round *r = arg;
	uint32_t wait;

	if (sa->dir != IPSP_OUTBOUND || sa->dummy_s == 0 || sa->dummy_at_s > r->now_s)
		return;
	const bool due = sa->dummy_at_s > 0;

	if (!at_random(r->platform, sa->dummy_s - 1u, &wait))
		return;
	sa->dummy_at_s = r->now_s + 1 + wait;
	if (due && ipsp_sa_usable(sa, r->now_s) == IPSP_REASON_NONE)
		r->send(r->arg, sa->id);
}

void ipsp_engine_dummies(struct ipsp_engine *engine, uint64_t now_s,
			 void (*send)(void *arg, uint64_t sa_id), void *arg)
{
	struct round r = { engine->config.platform, now_s, send, arg };

	ipsp_sad_each_sender(engine->sad, send_due, &r);
}

/* Random octets as long as the SA says; nothing reads them, RFC 4303 2.6. */
static enum ipsp_reason make_clear(const struct ipsp_platform *p, const struct ipsp_sa *sa,
				   struct ipsp_packet *packet, struct ipsp_flow *flow)
{
	uint32_t len;

	if (packet->room_len < IPSP_HEADROOM + (uint32_t)sa->dummy_len + IPSP_TAILROOM)
		return IPSP_REASON_NO_ROOM;
	if (!at_random(p, sa->dummy_len, &len))
		return IPSP_REASON_CRYPTO;
	packet->data = packet->room + IPSP_HEADROOM;
	packet->len = len;
	packet->pieces = 1;
	packet->segment_size = 0;
	packet->entry_id = 0;
	*flow = (struct ipsp_flow){ .family = sa->remote.family, .total_len = len };
	return len == 0 || p->random(p->ctx, packet->data, len) == IPSP_OK ? IPSP_REASON_NONE :
									     IPSP_REASON_CRYPTO;
}

/* Counts towards the lifetime in octets, but is no use that would keep an idle SA alive. */
static void count(const struct ipsp_sa *sa, uint32_t text_len, uint64_t now_s)
{
	struct ipsp_sa *const own = (struct ipsp_sa *)(uintptr_t)sa;

	ipsp_count(&own->counter->packets, 1);
	ipsp_count(&own->counter->bytes, text_len);
	ipsp_count(&own->dummies, 1);
	ipsp_sa_note_use(own, now_s);
}

static enum ipsp_reason make(struct ipsp_worker *worker, const struct ipsp_sa *sa,
			     struct ipsp_packet *packet, uint64_t now_s)
{
	const struct ipsp_platform *p = worker->engine->config.platform;
	struct ipsp_esp_plan plan;
	struct ipsp_flow flow;
	enum ipsp_reason reason = ipsp_sa_usable(sa, now_s);

	/* Its remote end is where it goes: there is no packet inside that would say. */
	if (reason == IPSP_REASON_NONE && !sa->remote.family)
		return IPSP_REASON_TUNNEL_LOCAL;
	if (reason == IPSP_REASON_NONE)
		reason = make_clear(p, sa, packet, &flow);
	if (reason == IPSP_REASON_NONE)
		reason = ipsp_esp_plan(p, sa, packet->data, &flow, UINT32_MAX, &plan);
	if (reason != IPSP_REASON_NONE)
		return reason;
	plan.next_header = IPSP_NH_NONE;
	if (!ipsp_esp_fits(sa, packet, &flow, &plan))
		return IPSP_REASON_NO_ROOM;
	reason = ipsp_esp_seal_one(worker, sa, packet, &flow, &plan);
	if (reason == IPSP_REASON_NONE) {
		count(sa, plan.text_len, now_s);
		if (sa->next_id)
			reason = ipsp_bundle_around(worker, sa, packet, now_s);
	}
	return reason;
}

enum ipsp_err ipsp_engine_dummy(struct ipsp_worker *worker, uint64_t sa_id,
				struct ipsp_packet *packet, uint64_t now_s)
{
	const struct ipsp_sa *sa;
	enum ipsp_err err = IPSP_EINVAL;

	ipsp_worker_enter(worker);
	sa = ipsp_sad_find(worker->engine->sad, sa_id);
	if (sa && sa->dir == IPSP_OUTBOUND && sa->proto == IPSP_PROTO_ESP &&
	    sa->mode == IPSP_MODE_TUNNEL) {
		const enum ipsp_reason reason = make(worker, sa, packet, now_s);

		packet->sa = sa;
		packet->piece_len = packet->len;
		err = ipsp_reason_err(reason);
		ipsp_packet_done(worker, IPSP_OUTBOUND, packet,
				 err ? IPSP_VERDICT_DROP : IPSP_VERDICT_ESP_OUT, reason);
	}
	ipsp_worker_leave(worker);
	return err;
}
