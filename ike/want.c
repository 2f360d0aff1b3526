/*
 * ike/want.c - what the SAD and the configuration ask of IKE SAs that are there: a Child SA for a packet that
 * waits, another configuration, an end. See world.h.
 */
#include <string.h>

#include "ike/internal.h"

/* The IKE SA with one peer of a connection that can have children, now or soon. */
static struct ike_sa *sa_of(const struct ike_world *w, const struct ike_conn *conn,
			    const struct ipsp_addr *remote)
{
	struct ike_sa *coming = NULL;

	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		for (struct ike_sa *sa = w->by_spi[i]; sa; sa = sa->next_by_spi) {
			if (sa->conn != conn || sa->state > IKE_SA_ESTABLISHED ||
			    (remote && ipsp_addr_cmp(&sa->path.remote, remote) != 0))
				continue;
			if (sa->state == IKE_SA_ESTABLISHED)
				return sa;
			coming = sa;
		}
	}
	return coming;
}

bool ike_conn_lives(const struct ike_world *w, const struct ike_conn *conn)
{
	return sa_of(w, conn, NULL) != NULL;
}

enum ipsp_err ike_want_child(struct ike_world *w, struct ike_conn *conn, size_t peer,
			     const struct ike_path *path, const struct ike_pair *packet, uint64_t now_ms)
{
	struct ike_sa *const sa = sa_of(w, conn, &path->remote);

	if (!sa)
		return ike_setup_begin(w, conn, peer, path, packet, now_ms);
	if (ike_packet_comes(sa, packet))
		return IPSP_OK;
	if (sa->state == IKE_SA_ESTABLISHED)
		return ike_child_begin_for(sa, conn, packet, now_ms);
	/* One that is being set up brings its first Child SA along, whoever began. */
	return conn->child.pfp && packet ? ike_packet_wait(sa, packet) : IPSP_OK;
}

void ike_survey(struct ike_world *w)
{
	for (size_t i = 0; i < w->n_conns; i++)
		w->conns[i]->standing = IKE_CONN_DOWN;
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		for (const struct ike_sa *sa = w->by_spi[i]; sa; sa = sa->next_by_spi) {
			if (!sa->conn || sa->state > IKE_SA_ESTABLISHED)
				continue;
			if (sa->state == IKE_SA_ESTABLISHED)
				sa->conn->standing = IKE_CONN_STANDS;
			else if (sa->conn->standing == IKE_CONN_DOWN)
				sa->conn->standing = IKE_CONN_COMING;
		}
	}
}

/* ---- another configuration ---- */

static void succeed(struct ike_conn **at)
{
	struct ike_conn *const old = *at;

	if (!old || !old->heir)
		return;
	*at = ike_conn_ref(old->heir);
	ike_conn_unref(old);
}

static void succeed_of(struct ike_sa *sa)
{
	for (struct ike_child *c = sa->children; c; c = c->next)
		succeed(&c->conn);
	for (struct ike_exchange *x = sa->exchanges; x; x = x->next)
		succeed(&x->conn);
	/* A setup holds on to a peer of the one that it began with. */
	if (!sa->conn || !sa->conn->heir || ike_exchange_runs(sa, IKE_FOR_SETUP, true) ||
	    ike_exchange_runs(sa, IKE_FOR_SETUP, false))
		return;
	const bool other_time = sa->conn->reauth_s != sa->conn->heir->reauth_s;

	succeed(&sa->conn);
	if (other_time)
		ike_reauth_changed(sa);
}

static void succeed_all(struct ike_world *w)
{
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		for (struct ike_sa *sa = w->by_spi[i]; sa; sa = sa->next_by_spi)
			succeed_of(sa);
	}
}

/* ---- ends ---- */

/* Its Child SAs go at once, whether the peer hears of it or not. */
static void end(struct ike_sa *sa, uint64_t now_ms)
{
	while (sa->children)
		ike_child_remove(sa, sa->children);
	/* Nobody can be told before there are keys, or when no memory is left. */
	if (sa->state < IKE_SA_ESTABLISHED || ike_delete_begin(sa, NULL, now_ms) != IPSP_OK)
		ike_sa_free(sa);
}

/* all: whosever it is. */
static bool is_to_end(const struct ike_sa *sa, bool all)
{
	return all || (sa->conn && sa->conn->ends);
}

static struct ike_sa *first_to_end(struct ike_sa *sa, bool all)
{
	while (sa && (sa->state == IKE_SA_DELETING || !is_to_end(sa, all)))
		sa = sa->next_by_spi;
	return sa;
}

/* Those of a connection under IKE SAs of others go at once as well, and the peer is told. */
static void end_children(struct ike_sa *sa, uint64_t now_ms)
{
	struct ike_child *next;

	for (struct ike_child *c = sa->children; c; c = next) {
		next = c->next;
		if (!c->conn || !c->conn->ends)
			continue;
		if (!c->deleting && ike_delete_begin(sa, c, now_ms) != IPSP_OK)
			ike_say(sa, IKE_LOG_ERROR, "the peer is not told that a Child SA goes: no memory");
		ike_child_remove(sa, c);
	}
}

static void end_those(struct ike_world *w, bool all, uint64_t now_ms)
{
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		struct ike_sa *sa;

		for (sa = w->by_spi[i]; sa; sa = sa->next_by_spi) {
			if (!is_to_end(sa, all))
				end_children(sa, now_ms);
		}
		/* One that is freed may take its successor along. */
		while ((sa = first_to_end(w->by_spi[i], all)))
			end(sa, now_ms);
	}
}

void ike_end_all(struct ike_world *w, struct ike_conn *conn, uint64_t now_ms)
{
	if (!conn) {
		end_those(w, true, now_ms);
		return;
	}
	conn->ends = true;
	end_those(w, false, now_ms);
	conn->ends = false;
}

void ike_conns_turn(struct ike_world *w, uint64_t now_ms)
{
	succeed_all(w);
	end_those(w, false, now_ms);
}

static void end_children_of(struct ike_sa *sa, uint8_t protocol, uint64_t now_ms)
{
	struct ike_child *next;

	for (struct ike_child *c = sa->children; c; c = next) {
		next = c->next;
		if (protocol && c->protocol != protocol)
			continue;
		/* One that the peer does not hear of it finds out by itself. */
		if (!c->deleting && ike_delete_begin(sa, c, now_ms) != IPSP_OK)
			ike_say(sa, IKE_LOG_ERROR, "the peer cannot be told of a Child SA's end: no memory");
		ike_child_remove(sa, c);
	}
}

void ike_end_children(struct ike_world *w, uint8_t protocol, uint64_t now_ms)
{
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		for (struct ike_sa *sa = w->by_spi[i]; sa; sa = sa->next_by_spi) {
			if (sa->state == IKE_SA_ESTABLISHED)
				end_children_of(sa, protocol, now_ms);
		}
	}
}
