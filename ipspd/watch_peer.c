/*
 * ipspd/watch_peer.c - ipspdPeerTable: how things stand with each row of ipsaPeerIdentityTable.
 *
 * A peer may have many SAs, and a manager reads many columns, so sums are made for all peers at once
 * when somebody reads and they are old: one walk of the actions and connections, however many reads. With many of
 * them they are kept for as long as the tables say.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/watch_int.h"
#include "mibs/schema_gen.h"
#include "policy/connection.h"
#include "policy/rows.h"
#include "policy/sa.h"

enum { PEER_UP = 1, PEER_PARTLY = 2, PEER_DOWN = 3 };

#define MANY 1000	/* parts of sums: they are kept longer */

#define ACTION(column) MIB_COL(ipsaSaPreconfiguredActionTable, column)

/* ---- sums ---- */

static int name_cmp(const void *x, const void *y)
{
	const struct watch_peer *a = (const struct watch_peer *)x;
	const struct watch_peer *b = (const struct watch_peer *)y;

	return strcmp(a->name, b->name);
}

/* What one action adds to its peer. */
static void one_action(struct watch *w, const struct mib_row *r, struct watch_peer *out)
{
	bool in = pol_sa_dir(r) == IPSP_INBOUND;
	const struct totals_sa *sa;
	char why[POL_STATUS_TEXT], name[33];
	enum watch_sa_state state;
	bool usable;
	uint64_t id;

	state = watch_sa_state(w->agent, r, &id, why);
	usable = state == WATCH_SA_MATURE || state == WATCH_SA_DYING;
	sa = totals_sa(agent_totals(w->agent), id);
	out->n = 1;
	out->up = usable;
	out->in = in && usable;
	out->out = !in && usable;
	*(in ? &out->in_packets : &out->out_packets) = sa->packets;
	*(in ? &out->in_bytes : &out->out_bytes) = sa->bytes;
	out->last_s = sa->last_s;
	if (usable)
		return;
	mib_row_text(r, ACTION(ipsaSaPreActActionName), name, sizeof(name));
	snprintf(out->why, sizeof(out->why), "action \"%s\" %s: %.200s", name,
		 in ? "in" : "out", why);
}

/* ---- sums of connections that are negotiated ---- */

static void add_negotiated(const struct sad_picture_sa *n, struct watch_peer *out)
{
	struct ipsp_sa_config cfg;
	struct totals_sa counted;
	const char *why;
	const enum watch_sa_state state = watch_negotiated_state(n, &why);
	const bool usable = state == WATCH_SA_MATURE || state == WATCH_SA_DYING;
	bool in;

	watch_negotiated(n, &cfg, &counted);
	in = cfg.dir == IPSP_INBOUND;
	out->in += in && usable;
	out->out += !in && usable;
	*(in ? &out->in_packets : &out->out_packets) += counted.packets;
	*(in ? &out->in_bytes : &out->out_bytes) += counted.bytes;
	if (counted.last_s > out->last_s)
		out->last_s = counted.last_s;
}

/* Of connections that share an IPsec action, SAs belong to the one whose peer has their address. */
static bool is_with(const struct pol_connection *c, const struct ipsp_addr *remote, bool first)
{
	for (size_t i = 0; i < c->n_peers; i++) {
		if (c->peers[i].address.family ? !ipsp_addr_cmp(&c->peers[i].address, remote) : first)
			return true;
	}
	return false;
}

/* first: no connection of its IPsec action came before. */
static void one_connection(struct watch *w, const struct pol_conn_key *k,
			   const struct pol_connection *c, bool first, struct watch_peer *out)
{
	const char *const why = agent_ike_failure(w->agent, k->ipsec, k->ike);
	uint32_t index[SAD_PICTURE_INDEX_MAX];
	const struct sad_picture_sa *n;
	size_t len;

	index[0] = (uint32_t)strlen(k->ipsec);
	for (len = 1; len <= index[0]; len++)
		index[len] = (uint8_t)k->ipsec[len - 1];
	/* SAs of one action stand together. */
	while (k->ipsec[0] && (n = sad_picture_after(agent_sad(w->agent), index, len)) &&
	       !strcmp(n->name, k->ipsec)) {
		if (is_with(c, &n->sa.remote, first))
			add_negotiated(n, out);
		len = sad_picture_index(n, index);
	}
	out->n = 1;
	out->up = out->in > 0 && out->out > 0;
	if (!out->up)
		snprintf(out->why, sizeof(out->why), "connection \"%s\", \"%s\" has no SAs%s%.160s",
			 k->ipsec, k->ike, why[0] ? ": " : "", why);
}

static void merge(struct watch_peer *to, const struct watch_peer *from)
{
	to->n += from->n;
	to->up += from->up;
	to->in += from->in;
	to->out += from->out;
	to->in_packets += from->in_packets;
	to->in_bytes += from->in_bytes;
	to->out_packets += from->out_packets;
	to->out_bytes += from->out_bytes;
	if (from->last_s > to->last_s)
		to->last_s = from->last_s;
	if (!to->why[0])
		memcpy(to->why, from->why, sizeof(to->why));
}

/* Sorts them by name, and makes one of those of one name. */
static size_t merge_all(struct watch_peer *v, size_t n)
{
	size_t kept = 0;

	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), name_cmp);
	for (size_t i = 1; i < n; i++) {
		if (name_cmp(&v[kept], &v[i]) == 0)
			merge(&v[kept], &v[i]);
		else
			v[++kept] = v[i];
	}
	return kept + 1;
}

/** Sums in the making. */
struct sums {
	struct watch_peer *v;
	size_t n, room;
	size_t parts;		/* that were added */
};

/* One more, of that peer. NULL: no memory. */
static struct watch_peer *new_sum(struct sums *s, const char *name)
{
	struct watch_peer *grown;

	s->parts++;
	/* Sums before there are too many of them: a peer may have most of the SAs. */
	if (s->n == s->room)
		s->n = merge_all(s->v, s->n);
	if (s->n > s->room / 2 || s->room == 0) {
		s->room = s->room ? s->room * 2 : 64;
		grown = (struct watch_peer *)reallocarray(s->v, s->room, sizeof(*grown));
		if (!grown)
			return NULL;
		s->v = grown;
	}
	grown = &s->v[s->n++];
	*grown = (struct watch_peer){ .n = 0 };
	snprintf(grown->name, sizeof(grown->name), "%s", name);
	return grown;
}

static bool add_actions(struct watch *w, struct sums *s)
{
	struct pol_walk walk = { .view = mib_store_view(agent_store(w->agent)),
				 .table = &mib_t_ipsaSaPreconfiguredActionTable,
				 .with_lost = true };
	char name[sizeof(s->v->name)];
	const struct mib_row *r;

	while ((r = pol_walk_next(&walk))) {
		struct watch_peer *to;

		if (mib_row_text(r, ACTION(ipsaSaPreActPeerGatewayIdName), name,
				 sizeof(name)) == 0)
			continue;
		to = new_sum(s, name);
		if (!to)
			return false;
		one_action(w, r, to);
	}
	return true;
}

static bool add_connections(struct watch *w, struct sums *s)
{
	const struct mib_view *const view = mib_store_view(agent_store(w->agent));
	struct pol_conn_set set;
	bool good = true;

	if (!pol_conn_set_make(view, &set))
		return false;
	agent_sad_wanted(w->agent);
	for (size_t k = 0; k < set.n_keys && good; k++) {
		const bool first = k == 0 || strcmp(set.keys[k - 1].ipsec, set.keys[k].ipsec) != 0;
		struct pol_connection *c;
		struct watch_peer *to;

		good = pol_connection_make(view, &set.keys[k], &c);
		if (!good)
			break;
		to = c->peer_list[0] ? new_sum(s, c->peer_list) : NULL;
		if (to)
			one_connection(w, &set.keys[k], c, first, to);
		good = to || !c->peer_list[0];
		pol_connection_free(c);
	}
	pol_conn_set_fini(&set);
	return good;
}

static bool make(struct watch *w)
{
	struct sums s = { .v = NULL };

	if (!add_actions(w, &s) || !add_connections(w, &s)) {
		free(s.v);
		return false;
	}
	free(w->peers);
	w->n_peers = merge_all(s.v, s.n);
	w->peers = s.v;
	w->peers_keep_s = s.parts > MANY ? AGENT_POLL_S : AGENT_FRESH_S;
	return true;
}

/* Sums that are new enough. NULL: there is none for that name, or no memory. */
static const struct watch_peer *sums_of(struct watch *w, const char *name)
{
	int64_t now_s = agent_now_s(w->agent);
	struct watch_peer key = { .n = 0 };

	agent_totals_wanted(w->agent);
	if (!w->peers_s || now_s - w->peers_s >= w->peers_keep_s) {
		if (!make(w))
			return NULL;
		w->peers_s = now_s;
	}
	snprintf(key.name, sizeof(key.name), "%s", name);
	return w->n_peers ? (const struct watch_peer *)bsearch(&key, w->peers, w->n_peers,
							       sizeof(key), name_cmp) : NULL;
}

/* ---- columns ---- */

/* The row that actions which name its list use. */
static bool is_used(const struct watch *w, const struct mib_row *r)
{
	struct mib_oid prefix;
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	prefix.len = len - 1;
	memcpy(prefix.ids, index, prefix.len * sizeof(index[0]));
	return pol_first_meant(mib_store_view(agent_store(w->agent)), &mib_t_ipsaPeerIdentityTable,
			       &prefix) == r;
}

static int32_t state(const struct watch_peer *p)
{
	return p->up == 0 ? PEER_DOWN : p->up < p->n ? PEER_PARTLY : PEER_UP;
}

static struct mib_value reason(struct watch *w, const struct mib_row *r,
			       const struct watch_peer *p)
{
	if (p->n > 0)
		return watch_text(w, p->why);
	if (!mib_row_active(r))
		return watch_text(w, "is not active");
	if (!is_used(w, r))
		return watch_text(w, "is not used: another row of its list comes first");
	return watch_text(w, "no action names it");
}

static enum mib_err read_peer(void *arg, const struct mib_column *col, const uint32_t *index,
			      size_t len, struct mib_value *out)
{
	static const struct watch_peer nothing;
	struct watch *w = (struct watch *)arg;
	const struct mib_row *r = mib_view_row(mib_store_view(agent_store(w->agent)),
					       &mib_t_ipsaPeerIdentityTable, index, len);
	const struct watch_peer *p = NULL;
	char name[33];

	if (!r)
		return MIB_NO_SUCH_INSTANCE;
	mib_row_text(r, MIB_COL(ipsaPeerIdentityTable, ipsaPeerIdName), name, sizeof(name));
	if (mib_row_active(r) && is_used(w, r))
		p = sums_of(w, name);
	if (!p)
		p = &nothing;
	switch (col->pos) {
	case MIB_C_ipspdPeerState:
		*out = mib_value_integer(state(p));
		return MIB_OK;
	case MIB_C_ipspdPeerReason:
		*out = reason(w, r, p);
		return MIB_OK;
	case MIB_C_ipspdPeerInSas:
		*out = mib_value_unsigned(p->in);
		return MIB_OK;
	case MIB_C_ipspdPeerOutSas:
		*out = mib_value_unsigned(p->out);
		return MIB_OK;
	case MIB_C_ipspdPeerInPackets:
		*out = mib_value_counter64(p->in_packets);
		return MIB_OK;
	case MIB_C_ipspdPeerInBytes:
		*out = mib_value_counter64(p->in_bytes);
		return MIB_OK;
	case MIB_C_ipspdPeerOutPackets:
		*out = mib_value_counter64(p->out_packets);
		return MIB_OK;
	case MIB_C_ipspdPeerOutBytes:
		*out = mib_value_counter64(p->out_bytes);
		return MIB_OK;
	case MIB_C_ipspdPeerIdle:
		return watch_idle(w, p->last_s, out);
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
}

size_t watch_peer_sources(struct watch *w, struct mib_source *to)
{
	to[0] = (struct mib_source){ .table = &mib_t_ipspdPeerTable, .read = read_peer, .arg = w };
	return 1;
}
