/* ike/world.c - the whole: what it holds, and its doors. See world.h. */
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"

struct ike_world *ike_world_new(const struct ike_ops *ops, void *arg,
				const struct ipsp_crypto *crypto)
{
	struct ike_world *const w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->ops = *ops;
	w->arg = arg;
	w->crypto = crypto;
	w->last_waiting = &w->waiting;
	w->prfs = ike_prfs_new();
	if (w->prfs)
		return w;
	free(w);
	return NULL;
}

static void free_conns(struct ike_conn **conns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ike_conn_unref(conns[i]);
	free(conns);
}

void ike_world_free(struct ike_world *w)
{
	if (!w)
		return;
	w->ops.event = NULL;
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		while (w->by_spi[i])
			ike_sa_free(w->by_spi[i]);
	}
	ike_fetches_end(w);
	free_conns(w->conns, w->n_conns);
	ike_prfs_free(w->prfs);
	explicit_bzero(&w->cookies, sizeof(w->cookies));
	free(w);
}

enum ipsp_err ike_world_configure(struct ike_world *w, struct ike_conn *const *conns, size_t n)
{
	struct ike_conn **const copy = calloc(n ? n : 1, sizeof(*copy));
	size_t n_copied = 0;

	if (!copy)
		return IPSP_ENOMEM;
	/* The default response is the last that is looked at. */
	for (size_t i = 0; i < n; i++) {
		if (!conns[i]->child.answers)
			copy[n_copied++] = ike_conn_ref(conns[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (conns[i]->child.answers)
			copy[n_copied++] = ike_conn_ref(conns[i]);
	}
	free_conns(w->conns, w->n_conns);
	w->conns = copy;
	w->n_conns = n;
	return IPSP_OK;
}

enum ipsp_err ike_setup_begin(struct ike_world *w, struct ike_conn *conn, size_t peer,
			      const struct ike_path *path, const struct ike_pair *packet, uint64_t now_ms)
{
	struct ike_exchange *x;
	struct ike_sa *sa;

	if (peer >= conn->n_peers || !ike_offers_method(&conn->offers))
		return IPSP_EINVAL;
	sa = ike_sa_new(w, conn, path, true, now_ms);
	x = sa ? ike_exchange_new(sa, IKE_FOR_SETUP, true) : NULL;
	if (!x) {
		if (sa)
			ike_sa_free(sa);
		return IPSP_ENOMEM;
	}
	x->peer = &conn->peers[peer];
	ike_packet_take(x, packet);
	ike_init_begin(x, now_ms);
	return IPSP_OK;
}

enum ipsp_err ike_initiate(struct ike_world *w, struct ike_conn *conn, size_t peer,
			   const struct ike_path *path, uint64_t now_ms)
{
	return ike_setup_begin(w, conn, peer, path, NULL, now_ms);
}

uint64_t ike_tick(struct ike_world *w, uint64_t now_ms)
{
	ike_timers_run(&w->timers, now_ms);
	return ike_timers_due(&w->timers);
}

void ike_child_expired(struct ike_world *w, uint8_t protocol, uint32_t spi_in, bool hard,
		       uint64_t now_ms)
{
	struct ike_child *const c = ike_child_of_spi(w, protocol, spi_in);
	enum ipsp_err err;

	if (!c || c->deleting)
		return;
	err = hard ? ike_delete_begin(c->sa, c, now_ms) : ike_child_begin(c->sa, c, now_ms);
	if (err != IPSP_OK && err != IPSP_EEXIST)
		ike_say(c->sa, IKE_LOG_ERROR, "a Child SA at its end cannot be %s",
			hard ? "deleted" : "rekeyed");
}

bool ike_terminate(struct ike_world *w, const uint8_t spi_i[IKE_SPI_LEN], uint64_t now_ms)
{
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		for (struct ike_sa *sa = w->by_spi[i]; sa; sa = sa->next_by_spi) {
			if (memcmp(sa->spi_i, spi_i, IKE_SPI_LEN))
				continue;
			if (!sa->keys || ike_delete_begin(sa, NULL, now_ms) != IPSP_OK)
				ike_sa_free(sa);
			return true;
		}
	}
	return false;
}

static unsigned count_children(const struct ike_sa *sa)
{
	unsigned n = 0;

	for (const struct ike_child *c = sa->children; c; c = c->next)
		n++;
	return n;
}

static void fill_view(const struct ike_sa *sa, struct ike_view *v)
{
	static const enum ike_phase phases[IKE_N_STATES] = {
		[IKE_SA_BEGUN] = IKE_PHASE_INITIATING, [IKE_SA_INIT_SENT] = IKE_PHASE_INITIATING,
		[IKE_SA_INIT_ANSWERED] = IKE_PHASE_AUTHENTICATING,
		[IKE_SA_AUTH_SENT] = IKE_PHASE_AUTHENTICATING,
		[IKE_SA_ESTABLISHED] = IKE_PHASE_ESTABLISHED,
		[IKE_SA_REKEYED] = IKE_PHASE_REKEYED,
		[IKE_SA_DELETING] = IKE_PHASE_DELETING, [IKE_SA_DEAD] = IKE_PHASE_DELETING,
	};

	*v = (struct ike_view){
		.number = sa->number, .phase = phases[sa->state],
		.initiator = sa->initiator, .state = ike_state_text(sa->state), .path = sa->path,
		.conn = sa->conn, .suite = sa->suite, .since_ms = sa->since_ms,
		.n_children = count_children(sa), .renew_ms = ike_life_renew_ms(sa),
		.end_ms = ike_life_end_ms(sa),
	};
	memcpy(v->spi_i, sa->spi_i, IKE_SPI_LEN);
	memcpy(v->spi_r, sa->spi_r, IKE_SPI_LEN);
	if (sa->local)
		v->local = *sa->local;
	if (sa->remote)
		v->remote = *sa->remote;
}

void ike_world_each(const struct ike_world *w, bool (*each)(void *arg, const struct ike_view *v),
		    void *arg)
{
	struct ike_view v;

	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		for (const struct ike_sa *sa = w->by_spi[i]; sa; sa = sa->next_by_spi) {
			fill_view(sa, &v);
			if (!each(arg, &v))
				return;
		}
	}
}
