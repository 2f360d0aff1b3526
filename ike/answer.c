/*
 * ike/answer.c - the default response: a connection that no rule uses answers for what no other one is for. It has any
 * traffic, but is only ever agreed on for that between the two ends that speak, in transport mode, and in such words
 * as an SPD entry of its own can be made of: see ipspd/ike_spd.c.
 *
 * Behind a NAT the addresses that the peer says are not those that we see, and nothing would prove them to be its own.
 */
#include "ike/internal.h"

static void keep_host(const struct ipsp_addr *host, struct ike_selectors *set)
{
	const struct ike_selectors one = {
		.n = 1, .s = { { .lo = *host, .hi = *host, .port_hi = UINT16_MAX } },
	};
	struct ike_selectors out;

	if (!ike_selectors_narrow(&one, set, &out))
		out.n = 0;
	*set = out;
}

void ike_answer_narrow(const struct ike_sa *sa, struct ike_selectors *ours, struct ike_selectors *theirs)
{
	keep_host(&sa->path.local, ours);
	keep_host(&sa->path.remote, theirs);
}

bool ike_answer_suits(const struct ike_conn *c, const struct ike_sa *sa, const struct ike_child_asked *asked)
{
	struct ike_selectors ours = c->child.ours, theirs = c->child.theirs, out;

	if (!c->has_child || sa->nat)
		return false;
	ike_answer_narrow(sa, &ours, &theirs);
	return ike_selectors_narrow(&asked->ours, &ours, &out) && ike_selectors_narrow(&asked->theirs, &theirs, &out);
}

/* One value or any, as PF_KEY has them, where 0 is any. */
static bool can_be_said(const struct ike_selectors *set)
{
	for (unsigned i = 0; i < set->n; i++) {
		const struct ike_selector *const s = &set->s[i];
		const bool any = s->port_lo == 0 && s->port_hi == UINT16_MAX;
		const bool one = s->port_lo == s->port_hi && s->port_lo != 0 && !ike_has_messages(s->protocol);

		if (!any && (!one || s->protocol == 0))
			return false;
	}
	return set->n > 0 && set->n <= IKE_ANSWER_SELECTORS_MAX;
}

/* Is there a connection, whoever it is with, that has some of that traffic? Its SPD entries stand before. */
static bool is_of_another(const struct ike_exchange *x)
{
	const struct ike_world *const w = x->sa->world;
	struct ike_selectors unused;

	for (size_t i = 0; i < w->n_conns; i++) {
		const struct ike_child_config *const c = &w->conns[i]->child;

		if (w->conns[i]->has_child && !c->answers && ike_selectors_narrow(&x->ours_ts, &c->ours, &unused) &&
		    ike_selectors_narrow(&x->theirs_ts, &c->theirs, &unused))
			return true;
	}
	return false;
}

uint16_t ike_answer_check(const struct ike_exchange *x, bool transport)
{
	if (!ike_conn_of(x)->child.answers)
		return 0;
	if (!transport)
		return IKE_N_NO_PROPOSAL_CHOSEN;
	if (x->sa->nat || !can_be_said(&x->ours_ts) || !can_be_said(&x->theirs_ts) || is_of_another(x))
		return IKE_N_TS_UNACCEPTABLE;
	return 0;
}
