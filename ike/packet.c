/*
 * ike/packet.c - the packet for which a Child SA is made. RFC 7296 2.9; RFC 4301 4.4.1.2 (populate from packet).
 *
 * Who asks says its selectors first, so that the peer knows what must be among what it narrows to. Where the
 * configuration has selectors populated from packets, those are the packet's alone: each flow has a Child SA of its
 * own, also when it is rekeyed, and a peer that asks has to say one.
 */
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"

#define WANTS_MAX 64u	/* packets of one IKE SA; more are asked for again when these have their SAs */

/* A packet that waits until its IKE SA is there. */
struct ike_want {
	struct ike_want *next;
	struct ike_pair packet;
};

/* What of one side is the packet's alone. */
struct alone {
	bool address, protocol, port;
};

static struct alone alone_of(uint8_t pfp, bool ours)
{
	return (struct alone){
		.address = pfp & (ours ? IPSP_PFP_SOURCE : IPSP_PFP_DESTINATION),
		.protocol = pfp & (IPSP_PFP_PROTOCOL | IPSP_PFP_SOURCE_PORT | IPSP_PFP_DESTINATION_PORT),
		.port = pfp & (ours ? IPSP_PFP_SOURCE_PORT : IPSP_PFP_DESTINATION_PORT),
	};
}

/* Has a side one value of all that is to be one packet's? */
static bool is_one(const struct ike_selector *s, struct alone a)
{
	return (!a.address || ipsp_addr_cmp(&s->lo, &s->hi) == 0) && (!a.protocol || s->protocol) &&
	       (!a.port || s->port_lo == s->port_hi);
}

/* Messages are said by either side. */
static bool has_message(const struct ike_pair *p)
{
	return ike_has_messages(p->ours.protocol) &&
	       (p->ours.port_lo == p->ours.port_hi || p->theirs.port_lo == p->theirs.port_hi);
}

static bool is_a_packet(const struct ike_pair *p, uint8_t pfp)
{
	struct alone ours = alone_of(pfp, true), theirs = alone_of(pfp, false);

	ours.port &= !has_message(p);
	theirs.port &= !has_message(p);
	return is_one(&p->ours, ours) && is_one(&p->theirs, theirs);
}

/* The packet's values in the place of those that the set has around it. False: it has none, and is empty then. */
static bool narrow(struct ike_selectors *set, const struct ike_selector *packet, struct alone a)
{
	for (unsigned i = 0; i < set->n; i++) {
		struct ike_selector s = set->s[i];

		if (!ike_selector_within(packet, &s))
			continue;
		if (a.address)
			s.lo = s.hi = packet->lo;
		if (a.protocol)
			s.protocol = packet->protocol;
		if (a.port) {
			s.port_lo = packet->port_lo;
			s.port_hi = packet->port_hi;
		}
		set->s[0] = s;
		set->n = 1;
		return true;
	}
	set->n = 0;
	return false;
}

static bool is_populated(const struct ike_exchange *x)
{
	return x->has_packet && ike_conn_of(x)->child.pfp;
}

void ike_packet_selectors(const struct ike_exchange *x, struct ike_selectors *ours,
			  struct ike_selectors *theirs)
{
	const struct ike_child_config *const c = &ike_conn_of(x)->child;

	*ours = c->ours;
	*theirs = c->theirs;
	if (c->answers)
		ike_answer_narrow(x->sa, ours, theirs);
	if (is_populated(x)) {
		(void)narrow(ours, &x->packet.ours, alone_of(c->pfp, true));
		(void)narrow(theirs, &x->packet.theirs, alone_of(c->pfp, false));
	}
}

static void put_first(struct ike_selectors *set, const struct ike_selector *packet)
{
	if (ike_selector_within(&set->s[0], packet) || set->n == IKE_TS_MAX)
		return;
	memmove(set->s + 1, set->s, set->n * sizeof(*set->s));
	set->s[0] = *packet;
	set->n++;
}

void ike_packet_write(const struct ike_exchange *x, struct ike_builder *b)
{
	struct ike_selectors ours, theirs;

	ike_packet_selectors(x, &ours, &theirs);
	if (x->has_packet) {
		put_first(&ours, &x->packet.ours);
		put_first(&theirs, &x->packet.theirs);
	}
	ike_selectors_write(&ours, IKE_PAYLOAD_TSi, b);
	ike_selectors_write(&theirs, IKE_PAYLOAD_TSr, b);
}

bool ike_packet_choose(struct ike_exchange *x, const struct ike_selectors *tsi, const struct ike_selectors *tsr)
{
	const struct ike_child_config *const c = &ike_conn_of(x)->child;

	x->has_packet = false;
	if (!c->pfp)
		return true;
	x->packet = (struct ike_pair){ .ours = tsr->s[0], .theirs = tsi->s[0] };
	x->has_packet = is_a_packet(&x->packet, c->pfp);
	return x->has_packet;
}

enum ipsp_err ike_packet_keep(const struct ike_exchange *x, struct ike_child *c)
{
	if (!is_populated(x))
		return IPSP_OK;
	c->packet = malloc(sizeof(*c->packet));
	if (!c->packet)
		return IPSP_ENOMEM;
	*c->packet = x->packet;
	return IPSP_OK;
}

static bool is_within(const struct ike_selector *s, const struct ike_selectors *set)
{
	const struct ike_selectors one = { .n = 1, .s = { *s } };

	return ike_selectors_within(&one, set);
}

void ike_packet_take(struct ike_exchange *x, const struct ike_pair *packet)
{
	const struct ike_child_config *const c = &ike_conn_of(x)->child;

	x->has_packet = packet && is_within(&packet->ours, &c->ours) && is_within(&packet->theirs, &c->theirs);
	if (x->has_packet)
		x->packet = *packet;
}

/* ---- which are asked for ---- */

/* Would one Child SA carry both? */
static bool is_same(const struct ike_child_config *c, const struct ike_pair *a, const struct ike_pair *b)
{
	struct ike_selectors ours[2] = { c->ours, c->ours }, theirs[2] = { c->theirs, c->theirs };
	const struct ike_pair *const packets[2] = { a, b };

	if (!c->pfp)
		return true;
	for (unsigned i = 0; i < 2; i++) {
		if (!narrow(&ours[i], &packets[i]->ours, alone_of(c->pfp, true)) ||
		    !narrow(&theirs[i], &packets[i]->theirs, alone_of(c->pfp, false)))
			return false;
	}
	return ike_selectors_within(&ours[0], &ours[1]) && ike_selectors_within(&theirs[0], &theirs[1]);
}

bool ike_packet_is_of(const struct ike_exchange *x, const struct ike_child *c)
{
	return !is_populated(x) || (c->packet && is_same(&ike_conn_of(x)->child, &x->packet, c->packet));
}

static bool has_child_for(const struct ike_sa *sa, const struct ike_conn *conn, const struct ike_pair *packet)
{
	for (const struct ike_child *c = sa->children; c; c = c->next) {
		if (c->conn == conn && c->packet && is_same(&conn->child, c->packet, packet))
			return true;
	}
	return false;
}

const struct ike_pair *ike_packet_missing(const struct ike_sa *sa, const struct ike_sa *of,
					  const struct ike_conn *conn)
{
	for (const struct ike_child *c = of->children; c; c = c->next) {
		if (c->conn == conn && c->packet && !c->deleting && !has_child_for(sa, conn, c->packet))
			return c->packet;
	}
	return NULL;
}

/* Makes an exchange of ours what a packet waits for? */
static bool brings(const struct ike_exchange *x, const struct ike_conn *conn, const struct ike_pair *packet)
{
	const struct ike_child_config *const c = &ike_conn_of(x)->child;

	if (!x->ours || ike_conn_of(x) != conn ||
	    (x->purpose != IKE_FOR_SETUP && x->purpose != IKE_FOR_CHILD && x->purpose != IKE_FOR_CHILD_REKEY))
		return false;
	return !c->pfp || !packet || (x->has_packet && is_same(c, &x->packet, packet));
}

bool ike_packet_comes(struct ike_sa *sa, const struct ike_pair *packet)
{
	for (struct ike_exchange *x = sa->exchanges; x; x = x->next) {
		if (brings(x, sa->conn, packet)) {
			x->wanted = true;
			return true;
		}
	}
	for (const struct ike_want *w = sa->wants; w; w = w->next) {
		if (!packet || is_same(&sa->conn->child, &w->packet, packet))
			return true;
	}
	return false;
}

enum ipsp_err ike_packet_wait(struct ike_sa *sa, const struct ike_pair *packet)
{
	struct ike_want *w;
	unsigned n = 0;

	for (w = sa->wants; w; w = w->next)
		n++;
	w = n < WANTS_MAX ? malloc(sizeof(*w)) : NULL;
	if (!w)
		return n < WANTS_MAX ? IPSP_ENOMEM : IPSP_ENOSPC;
	*w = (struct ike_want){ .next = sa->wants, .packet = *packet };
	sa->wants = w;
	return IPSP_OK;
}

void ike_packet_begin_all(struct ike_sa *sa, uint64_t now_ms)
{
	struct ike_want *w;

	while ((w = sa->wants)) {
		sa->wants = w->next;
		if (ike_child_begin_for(sa, sa->conn, &w->packet, now_ms) != IPSP_OK)
			ike_say(sa, IKE_LOG_NOTICE, "no Child SA for a packet that waits");
		free(w);
	}
}

void ike_packet_forget_all(struct ike_sa *sa)
{
	struct ike_want *w;

	while ((w = sa->wants)) {
		sa->wants = w->next;
		free(w);
	}
}
