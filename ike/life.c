/*
 * ike/life.c - what time does to an IKE SA, and what ends it at once. RFC 7296 2.4 (liveness), 2.8 (rekeying), 2.21
 * (errors).
 *
 * It is rekeyed at a point before its end that differs from end to end and from time to time, so that not
 * both ends, nor all IKE SAs of a restart, do it at once. A rekey that the peer has no time for is tried
 * again.
 */
#include "ike/internal.h"

#define AGAIN_MS 5000u		/* after a TEMPORARY_FAILURE */
#define JITTER_PERCENT 10u	/* of the time until the rekey: it comes that much earlier at most */

#define SA_OF(timer, member) ((struct ike_sa *)((char *)(timer) - offsetof(struct ike_sa, member)))

/* 0 .. max - 1; max may be 0. */
static uint64_t random_below(struct ike_world *w, uint64_t max)
{
	uint32_t n;

	w->ops.random(w->arg, (uint8_t *)&n, sizeof(n));
	return max ? n % max : 0;
}

/* ---- its end ---- */

static void ended(struct ike_timer *t, uint64_t now_ms)
{
	struct ike_sa *const sa = SA_OF(t, life);

	ike_say(sa, IKE_LOG_NOTICE, "its lifetime is over");
	ike_event_down(sa, IKE_END_EXPIRED, "its lifetime is over");
	if (ike_delete_begin(sa, NULL, now_ms) != IPSP_OK)
		ike_sa_free(sa);
}

/* RFC 7296 2.21.3: both ends know, so that nobody is told. */
static void spoilt(struct ike_timer *t, uint64_t now_ms)
{
	struct ike_sa *const sa = SA_OF(t, life);

	(void)now_ms;
	ike_say(sa, IKE_LOG_INFO, "it ends, as a request was malformed");
	ike_event_down(sa, IKE_END_FAILED, "a request was malformed");
	ike_sa_free(sa);
}

void ike_life_spoil(struct ike_sa *sa, uint64_t now_ms)
{
	ike_timer_start(&sa->world->timers, &sa->life, now_ms, spoilt);
}

static void start_end(struct ike_sa *sa, uint64_t now_ms)
{
	const uint64_t end_ms = sa->since_ms + sa->conn->life.hard_s * 1000;

	ike_timer_start(&sa->world->timers, &sa->life, end_ms > now_ms ? end_ms : now_ms, ended);
}

uint64_t ike_life_end_ms(const struct ike_sa *sa)
{
	const uint64_t hard_s = sa->conn ? sa->conn->life.hard_s : 0;

	return ike_timer_runs(&sa->life) && hard_s && sa->state >= IKE_SA_ESTABLISHED ?
		       sa->since_ms + hard_s * 1000 : IKE_NEVER;
}

static void renew(struct ike_timer *t, uint64_t now_ms)
{
	struct ike_sa *const sa = SA_OF(t, life);

	if (sa->conn->life.hard_s)
		start_end(sa, now_ms);
	if (sa->state == IKE_SA_ESTABLISHED && ike_rekey_begin(sa, now_ms) != IPSP_OK)
		ike_say(sa, IKE_LOG_NOTICE, "it cannot be rekeyed now");
}

uint64_t ike_life_renew_ms(const struct ike_sa *sa)
{
	return ike_timer_runs(&sa->life) && sa->life.fire == renew ? sa->life.due_ms : IKE_NEVER;
}

/* Has it made all the Child SAs that it may? */
static bool is_used_up(const struct ike_sa *sa)
{
	return sa->conn->children_max && sa->n_derived >= sa->conn->children_max;
}

/* What was made is to be said first: so not here, but when times are looked at next. */
void ike_life_derived(struct ike_sa *sa)
{
	sa->n_derived++;
	if (is_used_up(sa) && sa->state == IKE_SA_ESTABLISHED &&
	    !ike_exchange_runs(sa, IKE_FOR_IKE_REKEY, true))
		ike_timer_start(&sa->world->timers, &sa->life, 0, renew);
}

/* Who calls is at a message of its: so not here, either. A renewal that is under way may come to its end. */
void ike_life_octets(struct ike_sa *sa, size_t n)
{
	const struct ike_life *const life = sa->conn ? &sa->conn->life : NULL;
	const uint64_t hard = life ? life->hard_kb * 1024 : 0;
	const bool renews = life && life->soft_kb_percent && life->soft_kb_percent < 100;

	sa->n_octets += n;
	if (!hard || sa->state != IKE_SA_ESTABLISHED || ike_exchange_runs(sa, IKE_FOR_IKE_REKEY, true) ||
	    ike_exchange_runs(sa, IKE_FOR_IKE_REKEY, false))
		return;
	if (sa->n_octets >= hard)
		ike_timer_start(&sa->world->timers, &sa->life, 0, ended);
	else if (renews && sa->n_octets >= hard / 100 * life->soft_kb_percent && !sa->renew)
		ike_timer_start(&sa->world->timers, &sa->life, 0, renew);
}

/* ---- again ---- */

static void again(struct ike_timer *t, uint64_t now_ms)
{
	struct ike_sa *const sa = SA_OF(t, again);
	struct ike_child *c, *next;

	ike_packet_begin_all(sa, now_ms);
	/* Its children go with it, and are tried again there. */
	if (sa->renew && sa->state == IKE_SA_ESTABLISHED && ike_rekey_begin(sa, now_ms) == IPSP_OK) {
		sa->renew = false;
		return;
	}
	for (c = sa->children; c; c = next) {
		next = c->next;
		if (!c->renew)
			continue;
		c->renew = false;
		if (ike_child_begin(sa, c, now_ms) != IPSP_OK)
			ike_say(sa, IKE_LOG_NOTICE, "a Child SA cannot be rekeyed now");
	}
}

void ike_life_again(struct ike_sa *sa, struct ike_child *c, uint64_t now_ms)
{
	if (c)
		c->renew = true;
	else
		sa->renew = true;
	if (!ike_timer_runs(&sa->again))
		ike_timer_start(&sa->world->timers, &sa->again,
				now_ms + AGAIN_MS + random_below(sa->world, AGAIN_MS), again);
}

void ike_life_soon(struct ike_sa *sa, uint64_t now_ms)
{
	if (sa->wants)
		ike_timer_start(&sa->world->timers, &sa->again, now_ms, again);
}

/* ---- is the peer there? ---- */

static void silent(struct ike_timer *t, uint64_t now_ms);

static void start_alive(struct ike_sa *sa)
{
	const uint64_t wait_ms = sa->conn->liveness_s * UINT64_C(1000);

	if (wait_ms)
		ike_timer_start(&sa->world->timers, &sa->alive, sa->heard_ms + wait_ms, silent);
}

/* 2.4: a request that waits for its answer is the question already. */
static void silent(struct ike_timer *t, uint64_t now_ms)
{
	struct ike_sa *const sa = SA_OF(t, alive);
	const uint64_t wait_ms = sa->conn->liveness_s * UINT64_C(1000);

	if (now_ms - sa->heard_ms >= wait_ms) {
		if (!sa->requests)
			ike_liveness_begin(sa, now_ms);
		ike_timer_start(&sa->world->timers, &sa->alive, now_ms + wait_ms, silent);
		return;
	}
	start_alive(sa);
}

/* ---- all of it ---- */

void ike_life_begin(struct ike_sa *sa, uint64_t now_ms)
{
	const struct ike_life *const life = &sa->conn->life;
	uint64_t soft_ms = life->hard_s * 10 * life->soft_percent;

	sa->since_ms = now_ms;
	start_alive(sa);
	ike_nat_keep(sa, now_ms);
	ike_timer_stop(&sa->world->timers, &sa->life);
	if (is_used_up(sa)) {
		ike_timer_start(&sa->world->timers, &sa->life, now_ms, renew);
		return;
	}
	if (!life->hard_s)
		return;
	if (!soft_ms || life->soft_percent >= 100) {
		start_end(sa, now_ms);
		return;
	}
	soft_ms -= random_below(sa->world, soft_ms * JITTER_PERCENT / 100);
	ike_timer_start(&sa->world->timers, &sa->life, now_ms + soft_ms, renew);
}

void ike_life_end(struct ike_sa *sa)
{
	struct ike_timers *const timers = &sa->world->timers;

	ike_timer_stop(timers, &sa->life);
	ike_timer_stop(timers, &sa->alive);
	ike_timer_stop(timers, &sa->again);
	ike_timer_stop(timers, &sa->keep);
}
