/*
 * ike/reauth.c - authentication anew: a whole new IKE SA, with Child SAs of its own, before the old one goes. RFC 7296 2.8.3,
 * RFC 4478 (AUTH_LIFETIME).
 *
 *	old IKE SA		new IKE SA
 *	established
 *	   ...			IKE_SA_INIT, IKE_AUTH with the first Child SA
 *	   ...			CREATE_CHILD_SA, once for each further Child SA of the old one
 *	DELETE			established
 *
 * Who began the first of those that took each other's place does it; who answered says how long it may take, and ends
 * what is older. Rekeying changes nothing about that time. While both stand packets go by the new Child SAs, and come
 * by either.
 */
#include <string.h>
#include <sys/endian.h>

#include "ike/internal.h"

#define AGAIN_MS 5000u		/* after an attempt that has come to nothing, and as much more by chance */
#define JITTER_PERCENT 10u	/* of the time until it begins: it comes that much earlier at most */
#define LIFETIME_LEN 4u

#define SA_OF(timer) ((struct ike_sa *)((char *)(timer) - offsetof(struct ike_sa, reauth)))

static void fire(struct ike_timer *t, uint64_t now_ms);

static uint64_t random_below(struct ike_world *w, uint64_t max)
{
	uint32_t n;

	w->ops.random(w->arg, (uint8_t *)&n, sizeof(n));
	return max ? n % max : 0;
}

/* By when our own configuration wants it. */
static uint64_t own_end_ms(const struct ike_sa *sa)
{
	return sa->conn->reauth_s ? sa->proved_ms + sa->conn->reauth_s * UINT64_C(1000) : IKE_NEVER;
}

/* When it begins, or what is too old ends. */
static uint64_t due_ms(const struct ike_sa *sa)
{
	const uint64_t begin = sa->reauth_ms < sa->told_ms ? sa->reauth_ms : sa->told_ms;
	const uint64_t own = own_end_ms(sa);

	return sa->first && begin < own ? begin : own;
}

static void arm(struct ike_sa *sa)
{
	const uint64_t due = due_ms(sa);

	if (due == IKE_NEVER)
		ike_timer_stop(&sa->world->timers, &sa->reauth);
	else
		ike_timer_start(&sa->world->timers, &sa->reauth, due, fire);
}

/* So that it is done by then, and not by all at once. */
static uint64_t begin_ms(const struct ike_sa *sa, uint64_t from_ms, uint64_t end_ms)
{
	const uint8_t percent = sa->conn->life.soft_percent;
	const uint64_t ms = (end_ms - from_ms) / 100 * (percent && percent < 100 ? percent : 90);

	return from_ms + ms - random_below(sa->world, ms * JITTER_PERCENT / 100);
}

/* ---- ours ---- */

/* Whom it was authenticated by: at its address, else wherever it has gone since. */
static const struct ike_peer *peer_of(const struct ike_sa *sa)
{
	const struct ike_peer *const at = ike_peer_at(sa->conn, &sa->path.remote);

	if (at && ike_identity_fits(&at->id, sa->remote))
		return at;
	for (size_t i = 0; i < sa->conn->n_peers; i++) {
		if (ike_identity_fits(&sa->conn->peers[i].id, sa->remote))
			return &sa->conn->peers[i];
	}
	return NULL;
}

static void begin(struct ike_sa *old, uint64_t now_ms)
{
	const struct ike_peer *const peer = peer_of(old);
	struct ike_sa *const fresh = peer ? ike_sa_new(old->world, old->conn, &old->path, true, now_ms) : NULL;
	struct ike_exchange *const x = fresh ? ike_exchange_new(fresh, IKE_FOR_SETUP, true) : NULL;

	if (!x) {
		ike_say(old, IKE_LOG_NOTICE, "its peers cannot authenticate anew: %s",
			peer ? "no memory" : "nobody of its connection is the peer");
		if (fresh)
			ike_sa_free(fresh);
		return;
	}
	ike_say(old, IKE_LOG_INFO, "its peers authenticate anew");
	old->successor = fresh;
	fresh->succeeds = old;
	x->peer = peer;
	ike_packet_take(x, ike_packet_missing(fresh, old, old->conn));
	ike_init_begin(x, now_ms);
}

static void fire(struct ike_timer *t, uint64_t now_ms)
{
	static const char late[] = "its peers have not authenticated anew in time";
	struct ike_sa *const sa = SA_OF(t);

	if (sa->state != IKE_SA_ESTABLISHED)
		return;
	if (now_ms >= own_end_ms(sa)) {
		ike_say(sa, IKE_LOG_NOTICE, "%s", late);
		ike_event_down(sa, IKE_END_EXPIRED, late);
		if (ike_delete_begin(sa, NULL, now_ms) != IPSP_OK)
			ike_sa_free(sa);
		return;
	}
	/* Should it come to nothing it begins again, till it is too late. */
	sa->reauth_ms = now_ms + AGAIN_MS + random_below(sa->world, AGAIN_MS);
	sa->told_ms = IKE_NEVER;
	if (!sa->successor && !ike_exchange_runs(sa, IKE_FOR_IKE_REKEY, true) &&
	    !ike_exchange_runs(sa, IKE_FOR_IKE_REKEY, false))
		begin(sa, now_ms);
	arm(sa);
}

static void part(struct ike_sa *fresh)
{
	fresh->succeeds->successor = NULL;
	fresh->succeeds = NULL;
}

/* Who watches sees one that goes on. */
static void hand_over(struct ike_sa *from, struct ike_sa *to)
{
	const uint32_t number = from->number;

	from->number = to->number;
	to->number = number;
	ike_event_inherit(from, to);
}

void ike_reauth_up(struct ike_sa *fresh)
{
	hand_over(fresh->succeeds, fresh);
}

/* conn: NULL: of all connections */
static unsigned count(const struct ike_sa *sa, const struct ike_conn *conn)
{
	unsigned n = 0;

	for (const struct ike_child *c = sa->children; c; c = c->next)
		n += !c->deleting && (!conn || c->conn == conn);
	return n;
}

/* Of which there is one less yet. NULL: of none */
static struct ike_conn *missing(const struct ike_sa *fresh, const struct ike_sa *old)
{
	for (const struct ike_child *c = old->children; c; c = c->next) {
		if (!c->deleting && count(fresh, c->conn) < count(old, c->conn))
			return c->conn;
	}
	return NULL;
}

void ike_reauth_go_on(struct ike_sa *fresh, uint64_t now_ms)
{
	struct ike_sa *const old = fresh->succeeds;
	struct ike_sa *goes = old;
	struct ike_conn *more;

	if (!old || fresh->state != IKE_SA_ESTABLISHED || ike_exchange_runs(fresh, IKE_FOR_CHILD, true) ||
	    ike_exchange_runs(fresh, IKE_FOR_SETUP, true))
		return;
	more = count(fresh, NULL) > 0 && !fresh->is_refused ? missing(fresh, old) : NULL;
	if (more && ike_child_begin_for(fresh, more, ike_packet_missing(fresh, old, more), now_ms) == IPSP_OK)
		return;
	if (count(fresh, NULL) == 0 && count(old, NULL) > 0) {
		ike_say(fresh, IKE_LOG_NOTICE, "it has no Child SA, and goes: the one before it stays");
		hand_over(fresh, old);
		goes = fresh;
	}
	part(fresh);
	if (ike_delete_begin(goes, NULL, now_ms) != IPSP_OK)
		ike_sa_free(goes);
}

static void settle(struct ike_timer *t, uint64_t now_ms)
{
	struct ike_sa *const old = SA_OF(t), *const fresh = old->successor;

	arm(old);
	if (fresh)
		ike_reauth_go_on(fresh, now_ms);
}

/* Not here: who calls is not done with it. */
void ike_reauth_child(struct ike_sa *fresh, bool good)
{
	if (!fresh->succeeds)
		return;
	fresh->is_refused |= !good;
	ike_timer_start(&fresh->world->timers, &fresh->succeeds->reauth, 0, settle);
}

/* ---- how long it may take ---- */

static void count_from(struct ike_sa *sa, uint64_t now_ms)
{
	sa->proved_ms = now_ms;
	sa->reauth_ms = sa->conn->reauth_s ? begin_ms(sa, now_ms, own_end_ms(sa)) : IKE_NEVER;
	arm(sa);
}

void ike_reauth_begin(struct ike_sa *sa, uint64_t now_ms)
{
	sa->told_ms = IKE_NEVER;
	count_from(sa, now_ms);
}

static void changed(struct ike_timer *t, uint64_t now_ms)
{
	count_from(SA_OF(t), now_ms);
}

void ike_reauth_changed(struct ike_sa *sa)
{
	if (sa->state == IKE_SA_ESTABLISHED)
		ike_timer_start(&sa->world->timers, &sa->reauth, 0, changed);
}

void ike_reauth_build(const struct ike_exchange *x, struct ike_builder *b)
{
	const uint32_t s = x->sa->conn->reauth_s;
	uint8_t lifetime[LIFETIME_LEN];

	if (!s)
		return;
	be32enc(lifetime, s);
	ike_build_notify(b, 0, (struct ipsp_span){ 0 }, IKE_N_AUTH_LIFETIME,
			 (struct ipsp_span){ lifetime, sizeof(lifetime) });
}

void ike_reauth_take(struct ike_sa *sa, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ike_notify n;

	/* It is for who began. */
	if (!sa->first || !ike_parsed_notify(m, IKE_N_AUTH_LIFETIME, &n) || n.data.len != LIFETIME_LEN)
		return;
	ike_say(sa, IKE_LOG_INFO, "the peer wants to authenticate anew within %u s", be32dec(n.data.data));
	sa->told_ms = begin_ms(sa, now_ms, now_ms + be32dec(n.data.data) * UINT64_C(1000));
	arm(sa);
}

void ike_reauth_inherit(struct ike_sa *to, const struct ike_sa *from)
{
	to->proved_ms = from->proved_ms;
	to->reauth_ms = from->reauth_ms;
	to->told_ms = from->told_ms;
	arm(to);
}

void ike_reauth_pass(struct ike_sa *from, struct ike_sa *to)
{
	if (from->successor) {
		to->successor = from->successor;
		to->successor->succeeds = to;
		from->successor = NULL;
	}
	if (from->succeeds) {
		to->succeeds = from->succeeds;
		to->succeeds->successor = to;
		from->succeeds = NULL;
		/* One that was being asked for there is asked for no more. */
		ike_reauth_child(to, true);
	}
}

void ike_reauth_end(struct ike_sa *sa)
{
	ike_timer_stop(&sa->world->timers, &sa->reauth);
	if (sa->succeeds)
		part(sa);
	if (sa->successor)
		part(sa->successor);
}

/* ---- theirs ---- */

uint32_t ike_reauth_replaces(struct ike_exchange *x)
{
	const struct ike_sa *const sa = x->sa;
	const bool setup = x->purpose == IKE_FOR_SETUP;
	struct ike_sa *other = NULL;

	if (x->ours || x->only_one)
		return 0;
	while ((other = ike_sa_of_two(sa->world, setup ? &x->id_i : sa->remote, setup ? &x->id_r : sa->local,
				      other))) {
		if (other == sa || other->state != IKE_SA_ESTABLISHED)
			continue;
		for (struct ike_child *c = other->children; c; c = c->next) {
			if (c->conn != ike_conn_of(x) || c->protocol != x->protocol || c->deleting || c->replaced ||
			    !ike_packet_is_of(x, c))
				continue;
			c->replaced = true;
			return c->spi_in;
		}
	}
	return 0;
}
