/*
 * ike/v2_mobike.c - an IKE SA and its Child SAs go on from other addresses. RFC 4555; RFC 7296 2.23 for NATs.
 *
 *	HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_*) x 2, N(COOKIE2)}  -->
 *	<--  HDR, SK {N(NAT_DETECTION_*) x 2, N(COOKIE2)}
 *	<--  HDR, SK {N(COOKIE2)}		is it there?
 *	HDR, SK {N(COOKIE2)}  -->
 *
 * The initiator, 1.3: who has begun the first of those that have taken each other's place, moves to where its routes lead.
 * The responder lets it, where the peer's row names no address or that one, and sends no ESP to an address before the peer
 * has answered from it (3.7). A peer is nowhere but where its rows say, so addresses that it has besides
 * (ADDITIONAL_*_ADDRESS) are of no use here, and ours are not told: 3.6.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/internal.h"

#define COOKIE2_LEN 16u		/* of ours; 8 to 64: 4.2.5 */
#define COOKIE2_MIN 8u
#define COOKIE2_MAX 64u
#define TRIES_MAX 4u		/* where a NAT comes and goes: 3.9 */

static struct ipsp_span nothing(void)
{
	return (struct ipsp_span){ 0 };
}

bool ike_path_is(const struct ike_path *a, const struct ike_path *b)
{
	return ipsp_addr_cmp(&a->local, &b->local) == 0 &&
	       ipsp_addr_cmp(&a->remote, &b->remote) == 0 && a->local_port == b->local_port &&
	       a->remote_port == b->remote_port;
}

void ike_children_move(const struct ike_sa *sa)
{
	for (const struct ike_child *c = sa->children; c; c = c->next) {
		if (!c->deleting)
			sa->world->ops.child_move(sa->world->arg, c->protocol, c->spi_in, &sa->path, sa->nat);
	}
}

/* Its addresses are others. Transport mode's are those of its packets, so that such a Child SA cannot go along. */
static void children_go_along(struct ike_sa *sa, uint64_t now_ms)
{
	for (struct ike_child *c = sa->children; c; c = c->next) {
		if (!c->conn->child.transport || c->deleting)
			continue;
		ike_say(sa, IKE_LOG_NOTICE, "a Child SA in transport mode ends, as it cannot go along");
		if (ike_delete_begin(sa, c, now_ms) != IPSP_OK)
			ike_say(sa, IKE_LOG_ERROR, "... which the peer is not told: no memory");
	}
	ike_children_move(sa);
}

static void say_moved(const struct ike_sa *sa)
{
	char local[IPSP_ADDR_TEXT], remote[IPSP_ADDR_TEXT];

	ike_say(sa, IKE_LOG_NOTICE, "it goes on between %s port %u and %s port %u%s",
		ipsp_addr_print(&sa->path.local, local), sa->path.local_port,
		ipsp_addr_print(&sa->path.remote, remote), sa->path.remote_port,
		sa->nat ? ", over a NAT" : "");
}

/* ---- NO_NATS_ALLOWED, 3.9, 4.2.6 ---- */

#define NO_NATS_MAX (2u * 16 + 4)

static size_t no_nats(const struct ipsp_addr *src, uint16_t src_port, const struct ipsp_addr *dst,
		      uint16_t dst_port, uint8_t out[NO_NATS_MAX])
{
	const size_t size = ipsp_addr_size(src->family);

	memcpy(out, src->octets, size);
	memcpy(out + size, dst->octets, size);
	be16enc(out + 2 * size, src_port);
	be16enc(out + 2 * size + 2, dst_port);
	return 2 * size + 4;
}

/* Where nobody looks for NATs there may be none. */
static void build_no_nats(struct ike_builder *b, const struct ike_path *p)
{
	uint8_t octets[NO_NATS_MAX];
	const size_t len = no_nats(&p->local, p->local_port, &p->remote, p->remote_port, octets);

	ike_build_notify(b, 0, nothing(), IKE_N_NO_NATS_ALLOWED, (struct ipsp_span){ octets, len });
}

/* Has somebody on the way changed the addresses of a request that allows it to nobody? */
static bool was_changed(const struct ike_exchange *x, const struct ike_parsed *m)
{
	const struct ike_path *const p = &x->came;
	uint8_t octets[NO_NATS_MAX];
	struct ike_notify n;
	size_t len;

	if (!ike_parsed_notify(m, IKE_N_NO_NATS_ALLOWED, &n))
		return false;
	len = no_nats(&p->remote, p->remote_port, &p->local, p->local_port, octets);
	return n.data.len != len || memcmp(n.data.data, octets, len) != 0;
}

/* ---- IKE_AUTH, 3.2 ---- */

/* Transport mode's addresses are those of its packets. Whose row has an address is not to leave it. */
bool ike_mobike_wants(const struct ike_sa *sa)
{
	return !sa->conn->child.transport && (!sa->first || sa->conn->local.family == 0);
}

void ike_mobike_build(const struct ike_exchange *x, struct ike_builder *b)
{
	const struct ike_sa *const sa = x->sa;

	if (x->ours ? !ike_mobike_wants(sa) : !sa->mobike)
		return;
	ike_build_notify(b, 0, nothing(), IKE_N_MOBIKE_SUPPORTED, nothing());
	if (x->ours && !sa->natt)
		build_no_nats(b, &sa->path);
}

uint16_t ike_mobike_take(struct ike_exchange *x, const struct ike_parsed *m)
{
	struct ike_notify n;

	x->sa->mobike = ike_mobike_wants(x->sa) &&
			ike_parsed_notify(m, IKE_N_MOBIKE_SUPPORTED, &n);
	return !x->ours && was_changed(x, m) ? IKE_N_UNEXPECTED_NAT_DETECTED : 0;
}

/* ---- requests of ours ---- */

/* An INFORMATIONAL that the peer can answer only if it gets it. */
static void send_with_cookie(struct ike_exchange *x, struct ike_builder *b, uint64_t now_ms)
{
	struct ike_world *const w = x->sa->world;

	free(x->cookie);
	x->cookie = malloc(COOKIE2_LEN);
	x->cookie_len = COOKIE2_LEN;
	x->path = x->sa->path;
	if (x->cookie) {
		w->ops.random(w->arg, x->cookie, COOKIE2_LEN);
		ike_build_notify(b, 0, nothing(), IKE_N_COOKIE2,
				 (struct ipsp_span){ x->cookie, COOKIE2_LEN });
	}
	if (x->cookie && ike_request_send(x, IKE_EXCHANGE_INFORMATIONAL, b, now_ms) == IPSP_OK)
		return;
	ike_say(x->sa, IKE_LOG_ERROR, "the peer cannot be told of addresses: no memory");
	ike_exchange_free(x);
}

static void send_update(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_builder b;

	sa->move_again = false;
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	ike_build_notify(&b, 0, nothing(), IKE_N_UPDATE_SA_ADDRESSES, nothing());
	if (sa->natt)
		ike_nat_build(&b, sa, &sa->path);
	else
		build_no_nats(&b, &sa->path);
	send_with_cookie(x, &b, now_ms);
}

/* 3.5: it is there already when the peer hears of it. */
void ike_mobike_tell(struct ike_sa *sa, uint64_t now_ms)
{
	struct ike_exchange *x;

	if (ike_exchange_runs(sa, IKE_FOR_MOVE, true)) {
		sa->move_again = true;
		return;
	}
	x = ike_exchange_new(sa, IKE_FOR_MOVE, true);
	if (x)
		send_update(x, now_ms);
	else
		ike_say(sa, IKE_LOG_ERROR, "the peer cannot be told of addresses: no memory");
}

void ike_mobike_check(struct ike_sa *sa, uint64_t now_ms)
{
	struct ike_exchange *const x = ike_exchange_new(sa, IKE_FOR_ROUTABILITY, true);
	struct ike_builder b;

	if (!x) {
		ike_say(sa, IKE_LOG_ERROR, "the peer's new address cannot be tried: no memory");
		return;
	}
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	send_with_cookie(x, &b, now_ms);
}

static void look_at(struct ike_sa *sa, uint64_t now_ms)
{
	const struct ike_world *const w = sa->world;
	struct ipsp_addr local;

	/* Without a way there is nothing to do but to wait for one. */
	if (!sa->first || !sa->mobike || sa->state != IKE_SA_ESTABLISHED ||
	    !w->ops.source(w->arg, &sa->path.remote, &local) ||
	    local.family != sa->path.remote.family ||
	    ipsp_addr_cmp(&local, &sa->path.local) == 0)
		return;
	sa->path.local = local;
	say_moved(sa);
	ike_mobike_tell(sa, now_ms);
	children_go_along(sa, now_ms);
}

void ike_paths_changed(struct ike_world *w, uint64_t now_ms)
{
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		for (struct ike_sa *sa = w->by_spi[i]; sa; sa = sa->next_by_spi)
			look_at(sa, now_ms);
	}
}

void ike_mobike_probe(const struct ike_sa *sa, struct ike_builder *b)
{
	/* 3.8: has our NAT another place for us? */
	if (sa->mobike && sa->first && sa->nat_here)
		ike_nat_build(b, sa, &sa->path);
}

/* ---- answers to them ---- */

static bool cookie_is(const struct ike_exchange *x, const struct ike_parsed *m)
{
	struct ike_notify n;

	return ike_parsed_notify(m, IKE_N_COOKIE2, &n) && n.data.len == x->cookie_len &&
	       memcmp(n.data.data, x->cookie, x->cookie_len) == 0;
}

/* Where the peer sees us. True: elsewhere than before. */
static bool seen_elsewhere(struct ike_sa *sa, const struct ike_parsed *m)
{
	struct ike_notify n;
	bool differs;

	if (!ike_parsed_notify(m, IKE_N_NAT_DETECTION_DESTINATION_IP, &n) ||
	    n.data.len != sizeof(sa->seen_at))
		return false;
	differs = sa->seen && memcmp(sa->seen_at, n.data.data, sizeof(sa->seen_at)) != 0;
	memcpy(sa->seen_at, n.data.data, sizeof(sa->seen_at));
	sa->seen = true;
	return differs;
}

static void updated(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	const bool nat = sa->nat;
	struct ike_notify n;

	if (sa->move_again) {
		send_update(x, now_ms);
		return;
	}
	if (ike_parsed_notify(m, IKE_N_UNEXPECTED_NAT_DETECTED, &n) && ++x->n_inits < TRIES_MAX) {
		send_update(x, now_ms);
		return;
	}
	ike_exchange_free(x);
	/* Where it was it cannot be any more. */
	if (ike_parsed_error(m, &n)) {
		char name[IKE_NAME_TEXT];

		ike_say(sa, IKE_LOG_NOTICE, "the peer does not let it move: %s",
			ike_name_or_number(IKE_LIST_NOTIFY, n.type, name));
		if (ike_delete_begin(sa, NULL, now_ms) != IPSP_OK)
			ike_sa_free(sa);
		return;
	}
	(void)seen_elsewhere(sa, m);
	if (ike_nat_take(sa, m) && sa->nat != nat) {
		say_moved(sa);
		ike_children_move(sa);
	}
	ike_nat_keep(sa, now_ms);
}

/* 3.7: the peer has answered from where it is; unless it was moved again. */
static void there(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	const bool is_there = ike_path_is(&x->path, &sa->path);

	ike_exchange_free(x);
	if (!is_there) {
		ike_mobike_check(sa, now_ms);
		return;
	}
	say_moved(sa);
	children_go_along(sa, now_ms);
}

void ike_mobike_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;

	if (x->cookie && !cookie_is(x, m)) {
		ike_say(sa, IKE_LOG_NOTICE, "the peer answers what it was not asked (COOKIE2)");
		ike_sa_free(sa);
		return;
	}
	switch (x->purpose) {
	case IKE_FOR_MOVE:
		updated(x, m, now_ms);
		break;
	case IKE_FOR_ROUTABILITY:
		there(x, now_ms);
		break;
	default:
		ike_exchange_free(x);
		if (sa->mobike && sa->first && sa->nat_here && seen_elsewhere(sa, m))
			ike_mobike_tell(sa, now_ms);
	}
}

/* ---- requests of theirs ---- */

/* Is that a place where the peer may be, and where we may be for it? */
static bool is_acceptable(const struct ike_sa *sa, const struct ike_path *p)
{
	const struct ike_conn *const c = sa->conn;

	if (c->local.family && ipsp_addr_cmp(&c->local, &p->local) != 0)
		return false;
	for (size_t i = 0; i < c->n_peers; i++) {
		if (ike_identity_fits(&c->peers[i].id, sa->remote) &&
		    (c->peers[i].address.family == 0 ||
		     ipsp_addr_cmp(&c->peers[i].address, &p->remote) == 0))
			return true;
	}
	return false;
}

/* Of several at once, the one with the highest number stands. */
static bool is_newest(struct ike_sa *sa, uint32_t id)
{
	if (sa->moved && (int32_t)(id - sa->moved_id) < 0)
		return false;
	sa->moved = true;
	sa->moved_id = id;
	return true;
}

/* True: it is to be seen whether the peer is there. */
static bool take_update(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	const bool elsewhere = ipsp_addr_cmp(&sa->path.remote, &x->came.remote) != 0;

	sa->path = x->came;
	(void)ike_nat_take(sa, m);
	ike_nat_keep(sa, now_ms);
	if (!elsewhere)
		ike_children_move(sa);
	return elsewhere;
}

static void build_answer(const struct ike_exchange *x, const struct ike_parsed *m,
			 struct ike_builder *b)
{
	struct ike_notify n;

	if (ike_parsed_notify(m, IKE_N_NAT_DETECTION_SOURCE_IP, &n))
		ike_nat_build(b, x->sa, &x->came);
	if (ike_parsed_notify(m, IKE_N_COOKIE2, &n) && n.data.len >= COOKIE2_MIN &&
	    n.data.len <= COOKIE2_MAX)
		ike_build_notify(b, 0, nothing(), IKE_N_COOKIE2, n.data);
}

bool ike_mobike_request(struct ike_exchange *x, const struct ike_parsed *m, struct ike_builder *b,
			uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_notify n;
	uint16_t refusal = 0;
	bool update;

	if (!sa->mobike)
		return false;
	update = !sa->first && ike_parsed_notify(m, IKE_N_UPDATE_SA_ADDRESSES, &n) &&
		 is_newest(sa, x->id);
	if (was_changed(x, m))
		refusal = IKE_N_UNEXPECTED_NAT_DETECTED;
	else if (update && !is_acceptable(sa, &x->came))
		refusal = IKE_N_UNACCEPTABLE_ADDRESSES;
	if (refusal) {
		char name[IKE_NAME_TEXT], text[IPSP_ADDR_TEXT];

		ike_say(sa, IKE_LOG_NOTICE, "the peer may not move to %s: %s",
			ipsp_addr_print(&x->came.remote, text),
			ike_name_or_number(IKE_LIST_NOTIFY, refusal, name));
		ike_build_notify(b, 0, nothing(), refusal, nothing());
	}
	build_answer(x, m, b);
	return update && !refusal && take_update(x, m, now_ms);
}

/* ---- mappings that change ---- */

void ike_child_came_from(struct ike_world *w, uint8_t protocol, uint32_t spi_in,
			 const struct ipsp_addr *remote, uint16_t port)
{
	const struct ike_child *const c = ike_child_of_spi(w, protocol, spi_in);
	struct ike_sa *const sa = c ? c->sa : NULL;

	/* What shows the way of ESP shows that of messages, but for an IKE SA that is moved by its own: 3.8. */
	if (!sa || !sa->nat_found || sa->nat_here || remote->family != sa->path.remote.family)
		return;
	if (sa->mobike) {
		struct ike_path to = sa->path;

		to.remote = *remote;
		to.remote_port = port;
		for (const struct ike_child *o = sa->children; o; o = o->next)
			w->ops.child_move(w->arg, o->protocol, o->spi_in, &to, true);
		return;
	}
	sa->path.remote = *remote;
	sa->path.remote_port = port;
	say_moved(sa);
	ike_children_move(sa);
}
