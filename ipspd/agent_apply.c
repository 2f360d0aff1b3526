/*
 * ipspd/agent_apply.c - brings compiled policy into force: guard tightened, engine, guard loosened.
 *
 * At each moment the guard holds at least what the engine has in force and what it is about to get;
 * so a packet must pass both, and no order of events opens a gap. One generation is on its way at a
 * time; commits meanwhile wait and are compiled into one.
 *
 * The table below says everything that can happen; what it does not list changes nothing and is
 * counted.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ipspd/addresses.h"
#include "ipspd/agent_int.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "mibs/schema_gen.h"

#define RETRY_S 2
#define LIFETIME_OVER "has reached the end of its lifetime: packets that it would carry are dropped"

enum apply_event {
	EV_COMPILED,		/* a new generation is wanted */
	EV_GUARD_DONE,
	EV_GUARD_FAILED,
	EV_ENGINE_UP,
	EV_ENGINE_DOWN,
	EV_APPLIED,
	EV_REFUSED,		/* the engine keeps what it had */
	EV_RETRY,
	EV_GUARD_STALE,		/* it is to follow what the engine tells of SAs */
};

static void tell(struct agent *a, struct chan *c, const char *to, uint16_t type,
		 const struct chan_writer *w)
{
	int rc = chan_send(c, type, w->data, w->len, NULL, 0);

	/* -EPIPE: the other end is gone, and the loop is about to say so. */
	if (rc == 0 || rc == -EPIPE)
		return;
	ipspd_log(LOG_CRIT, "apply", "message %u to %s: %s", type, to, strerror(-rc));
	agent_give_up(a, 1);
}

/* ---- guard ---- */

static void sent(struct agent *a, const char *to, int rc)
{
	if (rc == 0 || rc == -EPIPE)
		return;
	ipspd_log(LOG_CRIT, "apply", "generation to %s: %s", to, strerror(-rc));
	agent_give_up(a, 1);
}

/* Keeps the layer of that serial, adds that of g (NULL: none). */
static void change_guard(struct agent *a, uint32_t keep, const struct pol_generation *g)
{
	static const char parent[] = "the parent";
	uint8_t buf[8];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	a->apply.serial++;
	chan_put_u32(&w, a->apply.serial);
	chan_put_u32(&w, keep);
	tell(a, a->parent, parent, MSG_GUARD_BEGIN, &w);
	if (g) {
		w.len = 0;
		/* Volatile rows may make generations that no database knows; it must not lack them. */
		chan_put_u64(&w, g->on_disk);
		tell(a, a->parent, parent, MSG_GUARD_LAYER, &w);
		sent(a, parent, send_layer(a, g));
	}
	w.len = 0;
	chan_put_u32(&w, a->apply.serial);
	tell(a, a->parent, parent, MSG_GUARD_COMMIT, &w);
}

/* ---- what the table calls: each returns the state it leads to ---- */

static void set_problem(struct agent *a, const char *text)
{
	snprintf(a->apply.problem, sizeof(a->apply.problem), "%s", text);
}

static enum apply_state tighten(struct agent *a)
{
	struct apply *p = &a->apply;

	if (p->wanted) {
		if (p->coming)
			pol_status_set_generation(a->pol_status, p->in_force);
		pol_generation_free(p->coming);
		p->coming = p->wanted;
		p->wanted = NULL;
	}
	change_guard(a, p->in_force_serial, p->coming);
	p->coming_serial = p->serial;
	p->guard_stale = false;
	return APPLY_TIGHTENING;
}

static enum apply_state stay(struct agent *a)
{
	return a->apply.state;
}

static void plan_retry(struct agent *a)
{
	const struct timeval delay = { .tv_sec = RETRY_S };

	evtimer_add(a->apply.retry, &delay);
}

static enum apply_state retry_later(struct agent *a)
{
	plan_retry(a);
	return APPLY_FAILED;
}

/* As what it changes of the one in force, where the engine has that. */
static bool send_generation(struct agent *a, const struct pol_generation *g)
{
	struct apply *p = &a->apply;
	const struct pol_generation *base = p->engine_follows && g != p->in_force ? p->in_force :
										    NULL;
	int rc = send_policy(a, base, g);

	/* What the engine refused before is part of it, until it is sent. */
	pol_status_set_generation(a->pol_status, g);
	if (rc == -EAGAIN || rc == -ENOMEM)
		return false;
	sent(a, "the engine", rc);
	return true;
}

/* The layer of what is in force anew, in the place of all others. */
static enum apply_state loosen(struct agent *a)
{
	struct apply *p = &a->apply;

	p->guard_stale = false;
	change_guard(a, GUARD_KEEP_NONE, p->in_force);
	p->in_force_serial = p->serial;
	return APPLY_LOOSENING;
}

static enum apply_state applied(struct agent *a)
{
	struct apply *p = &a->apply;

	problems_log(p->in_force, p->coming);
	pol_generation_free(p->in_force);
	p->in_force = p->coming;
	p->in_engine = p->in_force->number;
	p->engine_follows = true;
	p->coming = NULL;
	p->in_force_serial = p->coming_serial;
	spent_keep(&p->spent, p->in_force);
	if (p->guard_stale)
		return loosen(a);
	change_guard(a, p->in_force_serial, NULL);
	return APPLY_LOOSENING;
}

static enum apply_state go_on(struct agent *a)
{
	if (a->apply.wanted)
		return tighten(a);
	return a->apply.guard_stale && a->apply.in_force ? loosen(a) : APPLY_IDLE;
}

static enum apply_state send_coming(struct agent *a)
{
	if (!send_generation(a, a->apply.coming)) {
		set_problem(a, "sequence numbers cannot be reserved on disk");
		return retry_later(a);
	}
	return APPLY_SENT;
}

static enum apply_state send_if_up(struct agent *a)
{
	return a->engine ? send_coming(a) : APPLY_NO_ENGINE;
}

static enum apply_state send_again(struct agent *a)
{
	struct apply *p = &a->apply;

	if (!p->in_force)
		return go_on(a);
	if (!send_generation(a, p->in_force)) {
		/* What is in force is wanted again, by the long way. */
		p->coming = p->in_force;
		p->in_force = NULL;
		set_problem(a, "sequence numbers cannot be reserved on disk");
		return retry_later(a);
	}
	return APPLY_SENT_AGAIN;
}

/* Key managers wait for that. */
static void tell_band(struct agent *a)
{
	uint8_t buf[4];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (!a->engine || a->apply.in_force->band_serial == 0)
		return;
	chan_put_u32(&w, a->apply.in_force->band_serial);
	tell(a, a->engine, "the engine", MSG_BAND_APPLIED, &w);
}

static enum apply_state loosened(struct agent *a)
{
	struct apply *p = &a->apply;

	p->applied = p->in_force->number;
	pol_status_applied(a->pol_status, p->applied);
	p->problem[0] = '\0';
	ipspd_log(LOG_INFO, "apply", "generation %" PRIu64 " is in force: %zu lists, %zu SAs",
		  p->applied, p->in_force->n_lists, pol_map_count(&p->in_force->sas));
	tell_band(a);
	return go_on(a);
}

static enum apply_state applied_again(struct agent *a)
{
	a->apply.applied = a->apply.in_force->number;
	pol_status_applied(a->pol_status, a->apply.applied);
	a->apply.in_engine = a->apply.applied;
	a->apply.engine_follows = true;
	a->apply.problem[0] = '\0';
	tell_band(a);
	return go_on(a);
}

static enum apply_state stay_tight(struct agent *a)
{
	set_problem(a, "the guard could not be loosened");
	a->apply.coming = a->apply.in_force;
	a->apply.in_force = NULL;
	a->apply.engine_follows = false;
	return retry_later(a);
}

static enum apply_state try_again(struct agent *a)
{
	return a->apply.wanted || a->apply.coming ? tighten(a) : APPLY_IDLE;
}

/* ---- the table ---- */

static const struct transition {
	enum apply_state from;
	enum apply_event event;
	enum apply_state (*act)(struct agent *a);
	const char *story;	/* for the log; NULL: not worth a line */
} transitions[] = {
	{ APPLY_IDLE,		EV_COMPILED,	 tighten,      NULL },
	{ APPLY_IDLE,		EV_ENGINE_UP,	 send_again,   "the engine is back" },
	{ APPLY_IDLE,		EV_ENGINE_DOWN,	 go_on,	       "the engine is away" },
	{ APPLY_IDLE,		EV_GUARD_STALE,	 go_on,	       "the guard follows what became of SAs" },

	{ APPLY_TIGHTENING,	EV_COMPILED,	 stay,	       NULL },
	{ APPLY_TIGHTENING,	EV_GUARD_DONE,	 send_if_up,   NULL },
	{ APPLY_TIGHTENING,	EV_GUARD_FAILED, retry_later,  "the guard cannot be tightened" },
	{ APPLY_TIGHTENING,	EV_ENGINE_UP,	 stay,	       NULL },
	{ APPLY_TIGHTENING,	EV_ENGINE_DOWN,	 stay,	       "the engine is away" },

	{ APPLY_NO_ENGINE,	EV_COMPILED,	 tighten,      NULL },
	{ APPLY_NO_ENGINE,	EV_ENGINE_UP,	 send_coming,  "the engine is there" },

	{ APPLY_SENT,		EV_COMPILED,	 stay,	       NULL },
	{ APPLY_SENT,		EV_APPLIED,	 applied,      NULL },
	{ APPLY_SENT,		EV_REFUSED,	 retry_later,  "the engine refuses a generation" },
	{ APPLY_SENT,		EV_ENGINE_UP,	 send_coming,  "another engine is there" },
	{ APPLY_SENT,		EV_ENGINE_DOWN,	 send_if_up,   "the engine is away" },

	{ APPLY_SENT_AGAIN,	EV_COMPILED,	 stay,	       NULL },
	{ APPLY_SENT_AGAIN,	EV_GUARD_DONE,	 stay,	       NULL },
	{ APPLY_SENT_AGAIN,	EV_GUARD_FAILED, stay,	       "the guard stays tighter than policy" },
	{ APPLY_SENT_AGAIN,	EV_APPLIED,	 applied_again, "a new engine has what was in force" },
	{ APPLY_SENT_AGAIN,	EV_REFUSED,	 stay_tight,   "a new engine refuses a generation" },
	{ APPLY_SENT_AGAIN,	EV_ENGINE_UP,	 send_again,   "another engine is there" },
	{ APPLY_SENT_AGAIN,	EV_ENGINE_DOWN,	 go_on,	       "the engine is away" },

	{ APPLY_LOOSENING,	EV_COMPILED,	 stay,	       NULL },
	{ APPLY_LOOSENING,	EV_GUARD_DONE,	 loosened,     NULL },
	{ APPLY_LOOSENING,	EV_GUARD_FAILED, stay_tight,   "the guard cannot be loosened" },
	{ APPLY_LOOSENING,	EV_ENGINE_UP,	 send_again,   "another engine is there" },
	{ APPLY_LOOSENING,	EV_ENGINE_DOWN,	 stay,	       "the engine is away" },

	{ APPLY_FAILED,		EV_COMPILED,	 tighten,      NULL },
	{ APPLY_FAILED,		EV_RETRY,	 try_again,    NULL },
	{ APPLY_FAILED,		EV_ENGINE_UP,	 try_again,    NULL },
	{ APPLY_FAILED,		EV_ENGINE_DOWN,	 stay,	       "the engine is away" },
};

static void happen(struct agent *a, enum apply_event event)
{
	struct apply *p = &a->apply;

	for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
		const struct transition *t = &transitions[i];

		if (t->from != p->state || t->event != event)
			continue;
		if (t->story)
			ipspd_log(event == EV_REFUSED || event == EV_GUARD_FAILED ? LOG_ERR :
				  LOG_NOTICE, "apply", "%s%s%s", t->story,
				  p->problem[0] ? ": " : "", p->problem);
		p->state = t->act(a);
		agent_tell_changed(a);
		return;
	}
	p->unexpected++;
	ipspd_log(LOG_DEBUG, "apply", "event %d in state %d changes nothing", event, p->state);
}

/* ---- what happens ---- */

bool agent_addresses(const struct agent *a, struct ipsp_addr *out, size_t *n)
{
	return a->notify.addresses &&
	       addresses_all(a->notify.addresses, out, AGENT_ADDRESSES_MAX, n);
}

/* @return true: policy depends on them and has to be made anew */
static bool tell_addresses(struct agent *a)
{
	struct ipsp_addr v[AGENT_ADDRESSES_MAX];
	size_t n = 0;
	const bool known = agent_addresses(a, v, &n);

	return pol_compiler_addresses(a->apply.compiler, known ? v : NULL, n);
}

static void on_compile(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = (struct agent *)arg;
	struct pol_generation *g;
	uint64_t number = mib_store_generation(a->store);
	enum mib_err err = MIB_RESOURCE_UNAVAILABLE;

	(void)fd;
	(void)what;
	if (!a->apply.compiler)
		a->apply.compiler = pol_compiler_new(mib_store_view(a->store));
	if (a->apply.compiler)
		(void)tell_addresses(a);
	if (a->apply.compiler)
		err = pol_compiler_run(a->apply.compiler, number, clock_now_s(), &g);
	if (err == MIB_OK && a->apply.band && !pol_band_apply(a->apply.band, g)) {
		pol_generation_free(g);
		err = MIB_RESOURCE_UNAVAILABLE;
	}
	if (err != MIB_OK) {
		const struct timeval delay = { .tv_sec = RETRY_S };

		ipspd_log(LOG_ERR, "apply", "generation %" PRIu64 " cannot be compiled: %s",
			  number, mib_err_name(err));
		set_problem(a, "policy cannot be compiled: no memory");
		evtimer_add(a->apply.compile, &delay);
		return;
	}
	clock_wake_at(a, g->changes_at_s);
	g->on_disk = mib_store_generation_on_disk(a->store);
	g->band_serial = a->apply.band_serial;
	pol_generation_free(a->apply.wanted);
	a->apply.wanted = g;
	happen(a, EV_COMPILED);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	happen((struct agent *)arg, EV_RETRY);
}

/* Whoever may choose a source port passes such a level. */
static void warn_of_exemptions(const struct mib_change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct mib_row *r = changes[i].after;
		const int64_t level = r && mib_row_table(r) == &mib_t_ipspdExempt ?
			mib_row_number(r, MIB_COL(ipspdExempt, ipspdExemptLevel), 3) : 3;

		if (level == 0 || level == 2)
			ipspd_log(LOG_WARNING, "policy", "ipspdExemptLevel.0 is %d: whoever chooses "
				  "source port 88 passes all rules", (int)level);
	}
}

static void compile_soon(struct agent *a)
{
	const struct timeval now = { 0, 0 };

	if (!evtimer_pending(a->apply.compile, NULL))
		evtimer_add(a->apply.compile, &now);
}

void apply_commit(struct agent *a, const struct mib_change *changes, size_t n)
{
	warn_of_exemptions(changes, n);
	if (a->apply.compiler)
		pol_compiler_changed(a->apply.compiler, changes, n);
	compile_soon(a);
}

void apply_addresses_changed(void *arg)
{
	struct agent *a = (struct agent *)arg;

	if (a->apply.compiler && tell_addresses(a))
		compile_soon(a);
}

void apply_band_changed(struct agent *a)
{
	if (a->serves)
		compile_soon(a);
}

void apply_engine_up(struct agent *a)
{
	const struct pol_generation *newest = a->apply.wanted ? a->apply.wanted :
					      a->apply.coming ? a->apply.coming : a->apply.in_force;

	/* Before anything goes to it: what it has in force may hold more than we know of. */
	if (newest && newest->band_serial != a->apply.band_serial) {
		evtimer_del(a->apply.compile);
		on_compile(-1, 0, a);
	}
	a->apply.in_engine = 0;
	a->apply.engine_follows = false;
	happen(a, EV_ENGINE_UP);
}

void apply_engine_down(struct agent *a)
{
	a->apply.in_engine = 0;
	a->apply.engine_follows = false;
	a->apply.guard_stale |= clear_forget_all(&a->apply.clear);
	happen(a, EV_ENGINE_DOWN);
}

bool apply_guard_done(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint32_t serial = chan_get_u32(&r), error = chan_get_u32(&r);
	size_t len;
	const uint8_t *why = chan_get_octets(&r, &len);

	if (!chan_reader_done(&r))
		return false;
	if (serial != a->apply.serial)
		return true;	/* of a change that another one has overtaken */
	if (error != 0) {
		snprintf(a->apply.problem, sizeof(a->apply.problem), "%.*s", (int)len,
			 (const char *)why);
		happen(a, EV_GUARD_FAILED);
	} else {
		happen(a, EV_GUARD_DONE);
	}
	return true;
}

static const struct pol_generation *at_engine(const struct apply *p)
{
	return p->state == APPLY_SENT ? p->coming :
	       p->state == APPLY_SENT_AGAIN ? p->in_force : NULL;
}

static bool is_one_of_several(const struct pol_generation *g, uint64_t sa_id)
{
	for (size_t i = 0; i < g->n_lists; i++) {
		struct pol_map_walk w;
		const struct pol_entry *e;

		pol_map_walk_start(&w, &g->lists[i].entries, 0);
		while ((e = (const struct pol_entry *)pol_map_walk_next(&w))) {
			for (uint32_t k = 0; k < e->spd.n_steps; k++) {
				if (e->spd.steps[k].sa_id == sa_id)
					return true;
			}
		}
	}
	return false;
}

static void not_in_force(struct agent *a, const struct pol_generation *g, uint64_t id, int level,
			 const char *reason)
{
	const struct pol_origin *origin = pol_origin_find(g, id);

	ipspd_log(level, "apply", "%s %s", origin ? origin->name : "an SA", reason);
	if (pol_status_refused(a->pol_status, id, reason) != MIB_OK)
		ipspd_log(LOG_ERR, "apply", "no memory to remember that");
}

/* Does it change what the guard is to do? Entries that have it among others may pass now. */
static void note_spent(struct agent *a, const struct pol_generation *g, uint64_t id)
{
	const int rc = spent_add(&a->apply.spent, g, id);

	if (rc < 0)
		ipspd_log(LOG_ERR, "apply", "no memory: the guard stays tighter than policy");
	if (rc > 0 && is_one_of_several(g, id))
		a->apply.guard_stale = true;
}

static bool sa_refused(struct agent *a, struct chan_reader *r)
{
	uint64_t generation = chan_get_u64(r), id = chan_get_u64(r);
	uint8_t err = chan_get_u8(r);
	const struct pol_generation *g = at_engine(&a->apply);
	char reason[128];

	if (!chan_reader_done(r))
		return false;
	if (!g || g->number != generation)
		return true;
	const uint64_t head = pol_sa_head(g, id);
	snprintf(reason, sizeof(reason), "is refused by the engine: %s",
		 ipsp_err_text((enum ipsp_err)err));
	/* Each generation says that again, and the log has it from when it happened. */
	if (err == IPSP_EEXPIRED) {
		note_spent(a, g, head);
		not_in_force(a, g, head, LOG_DEBUG, LIFETIME_OVER);
		return true;
	}
	not_in_force(a, g, head, LOG_WARNING, reason);
	const struct pol_sa *sa = pol_sa_find(g, id);
	if (sa)
		notify_sa_refused(a, &sa->config, reason);
	return true;
}

/* In the other states it does so at the end of what goes on. */
static void follow_with_guard(struct agent *a)
{
	if (a->apply.guard_stale && a->apply.state == APPLY_IDLE)
		happen(a, EV_GUARD_STALE);
}

void apply_sa_expired(struct agent *a, uint64_t id)
{
	const struct pol_generation *g = a->apply.in_force;

	/* A generation that is on its way may give it another lifetime; its answer tells anew. */
	if (!g || a->apply.state == APPLY_SENT)
		return;
	id = pol_sa_head(g, id);
	not_in_force(a, g, id, LOG_WARNING, LIFETIME_OVER);
	note_spent(a, g, id);
	follow_with_guard(a);
}

void apply_clear_came(struct agent *a, const struct wire_event *e)
{
	a->apply.guard_stale |= clear_take(&a->apply.clear, e, (uint64_t)clock_now_s());
	follow_with_guard(a);
}

bool apply_engine_message(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const struct pol_generation *g = at_engine(&a->apply);

	if (m->type == MSG_SA_REFUSED)
		return sa_refused(a, &r);
	uint64_t generation = chan_get_u64(&r);
	if (m->type == MSG_GEN_REFUSED) {
		uint8_t err = chan_get_u8(&r);

		snprintf(a->apply.problem, sizeof(a->apply.problem), "engine: %s",
			 ipsp_err_text((enum ipsp_err)err));
		a->apply.engine_follows = false;
	}
	if (!chan_reader_done(&r))
		return false;
	if (!g || g->number != generation) {
		a->apply.unexpected++;
		return true;
	}
	happen(a, m->type == MSG_GEN_APPLIED ? EV_APPLIED : EV_REFUSED);
	return true;
}

/* ---- life, and what others ask ---- */

int apply_init(struct agent *a)
{
	a->apply = (struct apply){ .state = APPLY_IDLE,
				   .in_force_serial = GUARD_KEEP_INHERITED };
	a->apply.compile = evtimer_new(a->base, on_compile, a);
	a->apply.retry = evtimer_new(a->base, on_retry, a);
	return a->apply.compile && a->apply.retry ? 0 : -ENOMEM;
}

void apply_fini(struct agent *a)
{
	if (a->apply.compile)
		event_free(a->apply.compile);
	if (a->apply.retry)
		event_free(a->apply.retry);
	if (a->pol_status)
		pol_status_set_generation(a->pol_status, NULL);
	pol_generation_free(a->apply.in_force);
	pol_generation_free(a->apply.coming);
	pol_generation_free(a->apply.wanted);
	pol_compiler_free(a->apply.compiler);
	pol_band_free(a->apply.band);
	spent_fini(&a->apply.spent);
}

enum agent_engine_state agent_engine_state(const struct agent *a)
{
	if (!a->engine)
		return AGENT_ENGINE_DOWN;
	bool done = a->apply.state == APPLY_IDLE && !a->apply.wanted &&
		    !evtimer_pending(a->apply.compile, NULL) && a->apply.in_force;
	return done ? AGENT_ENGINE_IN_FORCE : AGENT_ENGINE_APPLYING;
}

uint64_t agent_applied_generation(const struct agent *a)
{
	const uint64_t ike = agent_ike_applied(a);

	return a->apply.applied < ike ? a->apply.applied : ike;
}

bool agent_in_force(const struct agent *a, uint64_t generation)
{
	const struct apply *p = &a->apply;

	return a->engine && p->in_force && p->applied >= generation && p->in_engine >= generation;
}

const struct pol_generation *agent_policy(const struct agent *a)
{
	const struct apply *p = &a->apply;

	if (p->in_force && a->engine)
		return p->in_force;
	return p->coming ? p->coming : p->in_force;
}

const struct pol_status *agent_status(const struct agent *a)
{
	return a->pol_status;
}

const char *agent_apply_problem(const struct agent *a)
{
	return a->apply.problem;
}
