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

bool ike_conn_stands(const struct ike_world *w, const struct ike_conn *conn)
{
	const struct ike_sa *const sa = sa_of(w, conn, NULL);

	return sa && sa->state == IKE_SA_ESTABLISHED;
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

static void replace(struct ike_conn **at, const struct ike_conn *old, struct ike_conn *fresh)
{
	if (*at != old || !old)
		return;
	ike_conn_ref(fresh);
	ike_conn_unref(*at);
	*at = fresh;
}

void ike_conn_replace(struct ike_world *w, const struct ike_conn *old, struct ike_conn *fresh)
{
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		for (struct ike_sa *sa = w->by_spi[i]; sa; sa = sa->next_by_spi) {
			for (struct ike_child *c = sa->children; c; c = c->next)
				replace(&c->conn, old, fresh);
			for (struct ike_exchange *x = sa->exchanges; x; x = x->next)
				replace(&x->conn, old, fresh);
			/* A setup holds on to a peer of the one that it began with. */
			if (sa->conn != old || ike_exchange_runs(sa, IKE_FOR_SETUP, true) ||
			    ike_exchange_runs(sa, IKE_FOR_SETUP, false))
				continue;
			const bool other_time = old->reauth_s != fresh->reauth_s;

			replace(&sa->conn, old, fresh);
			if (other_time)
				ike_reauth_changed(sa);
		}
	}
}

/* Its Child SAs go at once, whether the peer hears of it or not. */
static void end(struct ike_sa *sa, uint64_t now_ms)
{
	while (sa->children)
		ike_child_remove(sa, sa->children);
	/* Nobody can be told before there are keys, or when no memory is left. */
	if (sa->state < IKE_SA_ESTABLISHED || ike_delete_begin(sa, NULL, now_ms) != IPSP_OK)
		ike_sa_free(sa);
}

static struct ike_sa *first_to_end(struct ike_sa *sa, const struct ike_conn *conn)
{
	while (sa && (sa->state == IKE_SA_DELETING || (conn && sa->conn != conn)))
		sa = sa->next_by_spi;
	return sa;
}

/* Those of a connection under IKE SAs of others go at once as well, and the peer is told. */
static void end_children(struct ike_sa *sa, const struct ike_conn *conn, uint64_t now_ms)
{
	struct ike_child *next;

	for (struct ike_child *c = sa->children; c; c = next) {
		next = c->next;
		if (c->conn != conn)
			continue;
		if (!c->deleting && ike_delete_begin(sa, c, now_ms) != IPSP_OK)
			ike_say(sa, IKE_LOG_ERROR, "the peer is not told that a Child SA goes: no memory");
		ike_child_remove(sa, c);
	}
}

void ike_end_all(struct ike_world *w, const struct ike_conn *conn, uint64_t now_ms)
{
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		struct ike_sa *sa;

		for (sa = w->by_spi[i]; sa && conn; sa = sa->next_by_spi) {
			if (sa->conn != conn)
				end_children(sa, conn, now_ms);
		}
		/* One that is freed may take its successor along. */
		while ((sa = first_to_end(w->by_spi[i], conn)))
			end(sa, now_ms);
	}
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
