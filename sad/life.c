/*
 * sad/life.c - lifetimes of SAs. RFC 4301 4.4.2.1; RFC 2367 1.1, 2.3.3.
 *
 * Times come from a heap of what is due. What packets use up is seen where they are counted: at a
 * limit the SA is put on a list, by one atomic exchange and once, for the control thread to look at.
 * Hard limits hold at once all the same (ipsp_sa_usable): the list is for states and for reports.
 */
#include "ipsp/platform.h"
#include "sad/sad.h"

const char *ipsp_life_text(enum ipsp_life life)
{
	static const char *const texts[] = {
		[IPSP_LIFE_LARVAL] = "larval",
		[IPSP_LIFE_SOFT] = "soft",
		[IPSP_LIFE_HARD] = "hard",
		[IPSP_LIFE_IDLE] = "idle",
	};

	return (size_t)life < sizeof(texts) / sizeof(texts[0]) ? texts[life] : "unknown";
}

static uint64_t load(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static uint8_t state_of(const struct ipsp_sa *sa)
{
	return atomic_load_explicit(&sa->state, memory_order_relaxed);
}

/* from + life, or never. */
static uint64_t end_of(uint64_t from_s, uint64_t life_s)
{
	return life_s && life_s < UINT64_MAX - from_s ? from_s + life_s : UINT64_MAX;
}

/* Seconds since the first packet count from that one on. */
static uint64_t use_end(const struct ipsp_sa *sa, uint64_t life_s)
{
	const uint64_t first_s = load(&sa->first_used_s);

	return first_s ? end_of(first_s, life_s) : UINT64_MAX;
}

/* When the SA of the other direction that counts for it carried something last; 0: never, or there is none. */
static uint64_t other_used(const struct ipsp_sa *sa)
{
	const struct ipsp_sa_name name = {
		sa->proto, sa->idle_with, sa->dir == IPSP_INBOUND ? sa->remote : sa->local,
	};
	const struct ipsp_sa *other = sa->idle_with ? ipsp_sad_find_name(sa->sad, &name) : NULL;

	return other ? load(&other->last_used_s) : 0;
}

static uint64_t idle_end(const struct ipsp_sa *sa)
{
	const uint64_t own_s = load(&sa->last_used_s), other_s = sa->idle_s ? other_used(sa) : 0;
	const uint64_t used_s = own_s > other_s ? own_s : other_s;
	const uint64_t born_s = sa->counter->born_s;

	return end_of(used_s > born_s ? used_s : born_s, sa->idle_s);
}

/* Is a limit of packets or octets reached, and by which? */
static bool is_used_up(const struct ipsp_sa *sa, uint64_t bytes, uint64_t packets,
		       enum ipsp_life_unit *unit)
{
	*unit = bytes && load(&sa->counter->bytes) >= bytes ? IPSP_LIFE_BYTES : IPSP_LIFE_PACKETS;
	return *unit == IPSP_LIFE_BYTES ||
	       (packets && load(&sa->counter->packets) >= packets);
}

static bool is_over(const struct ipsp_sa *sa, uint64_t end_s, uint64_t use_life_s, uint64_t bytes,
		    uint64_t packets, uint64_t now_s, enum ipsp_life_unit *unit)
{
	if (now_s >= end_s) {
		*unit = IPSP_LIFE_SECONDS;
		return true;
	}
	if (use_life_s && now_s >= use_end(sa, use_life_s)) {
		*unit = IPSP_LIFE_USE_SECONDS;
		return true;
	}
	return (bytes || packets) && is_used_up(sa, bytes, packets, unit);
}

static bool is_hard_over(const struct ipsp_sa *sa, uint64_t now_s, enum ipsp_life_unit *unit)
{
	return is_over(sa, sa->dead_at_s, sa->life_use_s, sa->life_bytes, sa->life_packets, now_s,
		       unit);
}

/* A key manager's that no entry asks for any more. */
static uint64_t unasked_end(const struct ipsp_sa *sa)
{
	const struct ipsp_sa_unasked *u;

	if (sa->dir != IPSP_INBOUND || sa->origin != IPSP_ORIGIN_PFKEY)
		return UINT64_MAX;
	u = atomic_load_explicit(&sa->unasked, memory_order_relaxed);
	return u ? u->until_s : UINT64_MAX;
}

static bool is_soft_over(const struct ipsp_sa *sa, uint64_t now_s, enum ipsp_life_unit *unit)
{
	return is_over(sa, end_of(sa->counter->born_s, sa->soft_s), sa->soft_use_s,
		       sa->soft_bytes, sa->soft_packets, now_s, unit);
}

enum ipsp_reason ipsp_sa_usable(const struct ipsp_sa *sa, uint64_t now_s)
{
	const uint8_t state = state_of(sa);
	enum ipsp_life_unit unit;

	if (state != IPSP_SA_MATURE && state != IPSP_SA_DYING)
		return IPSP_REASON_SA_NOT_USABLE;
	if (now_s >= sa->dead_at_s || (sa->counts_down && is_hard_over(sa, now_s, &unit)))
		return IPSP_REASON_SA_EXPIRED;
	return IPSP_REASON_NONE;
}

/* ---- what packets use up ---- */

static void note(struct ipsp_sa *sa)
{
	struct ipsp_sad *sad = sa->sad;
	struct ipsp_sa *first;

	if (atomic_exchange_explicit(&sa->is_noted, true, memory_order_acq_rel))
		return;
	first = atomic_load_explicit(&sad->noted, memory_order_relaxed);
	do
		sa->next_noted = first;
	while (!atomic_compare_exchange_weak_explicit(&sad->noted, &first, sa, memory_order_release,
						      memory_order_relaxed));
}

void ipsp_sa_note_use(struct ipsp_sa *sa, uint64_t now_s)
{
	enum ipsp_life_unit unit;
	uint64_t none = 0;

	if (load(&sa->first_used_s) == 0 &&
	    atomic_compare_exchange_strong_explicit(&sa->first_used_s, &none, now_s ? now_s : 1,
						    memory_order_relaxed, memory_order_relaxed) &&
	    (sa->soft_use_s || sa->life_use_s))
		note(sa);
	if (!sa->counts_down)
		return;
	if ((state_of(sa) == IPSP_SA_MATURE && (sa->soft_bytes || sa->soft_packets) &&
	     is_used_up(sa, sa->soft_bytes, sa->soft_packets, &unit)) ||
	    ((sa->life_bytes || sa->life_packets) &&
	     is_used_up(sa, sa->life_bytes, sa->life_packets, &unit)))
		note(sa);
}

/* ---- the control thread ---- */

static uint64_t sooner(uint64_t a_s, uint64_t b_s)
{
	return a_s < b_s ? a_s : b_s;
}

void ipsp_sa_schedule(struct ipsp_sa *sa)
{
	const uint8_t state = state_of(sa);
	uint64_t at_s = UINT64_MAX;

	if (state == IPSP_SA_LARVAL) {
		at_s = sa->larval_until_s;
	} else if (state != IPSP_SA_DEAD) {
		at_s = sooner(sooner(sa->dead_at_s, use_end(sa, sa->life_use_s)),
			      sooner(idle_end(sa), unasked_end(sa)));
		if (state == IPSP_SA_MATURE)
			at_s = sooner(at_s, sooner(end_of(sa->counter->born_s, sa->soft_s),
						   use_end(sa, sa->soft_use_s)));
	}
	ipsp_sa_due_set(&sa->sad->due, sa, at_s);
}

/* What it comes to now. False: it goes on. */
static bool age(struct ipsp_sa *sa, uint64_t now_s, struct ipsp_life_event *e)
{
	const uint8_t state = state_of(sa);
	enum ipsp_life_unit unit = IPSP_LIFE_SECONDS;
	enum ipsp_life life;

	if (state == IPSP_SA_DEAD)
		return false;
	if (state == IPSP_SA_LARVAL) {
		if (now_s < sa->larval_until_s)
			return false;
		life = IPSP_LIFE_LARVAL;
	} else if (is_hard_over(sa, now_s, &unit)) {
		life = IPSP_LIFE_HARD;
	} else if (now_s >= unasked_end(sa)) {
		unit = IPSP_LIFE_SECONDS;
		life = IPSP_LIFE_HARD;
	} else if (now_s >= idle_end(sa)) {
		unit = IPSP_LIFE_SECONDS;
		life = IPSP_LIFE_IDLE;
	} else if (state == IPSP_SA_MATURE && is_soft_over(sa, now_s, &unit)) {
		life = IPSP_LIFE_SOFT;
	} else {
		return false;
	}
	atomic_store_explicit(&sa->state,
			      life == IPSP_LIFE_SOFT ? IPSP_SA_DYING : IPSP_SA_DEAD,
			      memory_order_relaxed);
	*e = (struct ipsp_life_event){ sa, (uint8_t)life, (uint8_t)unit };
	return true;
}

void ipsp_sa_set_unasked(struct ipsp_sa *sa, const struct ipsp_unasked *u, uint64_t now_s)
{
	struct ipsp_sad *const sad = sa->sad;
	const size_t size = u ? sizeof(struct ipsp_sa_unasked) +
					u->n_selectors * sizeof(struct ipsp_selector) : 0;
	struct ipsp_sa_unasked *is = NULL, *was;

	if (u)
		is = sad->platform->alloc(sad->platform->ctx, size);
	if (is) {
		is->garbage.size = size;
		is->until_s = now_s + IPSP_UNASKED_S;
		is->n = u->n;
		is->n_boxes = u->n_selectors;
		for (uint32_t i = 0; i < u->n_selectors; i++)
			is->boxes[i] = u->selectors[i];
	}
	was = atomic_exchange_explicit(&sa->unasked, is, memory_order_acq_rel);
	if (was) {
		was->garbage.next = sad->garbage;
		sad->garbage = &was->garbage;
	}
	ipsp_sa_schedule(sa);
}

void ipsp_sad_forget_notes(struct ipsp_sad *sad)
{
	struct ipsp_sa *next;

	for (struct ipsp_sa *sa = atomic_exchange_explicit(&sad->noted, NULL, memory_order_acquire);
	     sa; sa = next) {
		next = sa->next_noted;
		atomic_store_explicit(&sa->is_noted, false, memory_order_release);
		if (!sa->is_out)
			ipsp_sa_due_set(&sad->due, sa, 0);
	}
}

void ipsp_sad_expire(struct ipsp_sad *sad, uint64_t now_s,
		     void (*over)(void *arg, const struct ipsp_life_event *event), void *arg)
{
	struct ipsp_life_event e;
	struct ipsp_sa *sa;

	ipsp_sad_forget_notes(sad);
	while ((sa = ipsp_sa_due_first(&sad->due, now_s))) {
		const bool is_over = age(sa, now_s, &e);

		/* At a soft end a hard one may stand behind it, so it is due again at once. */
		ipsp_sa_schedule(sa);
		if (is_over)
			over(arg, &e);
	}
}
