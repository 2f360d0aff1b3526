/*
 * ipspd/watch_peer.c - ipspdPeerTable: how things stand with each row of ipsaPeerIdentityTable.
 *
 * A peer may have many SAs, and a manager reads many columns, so sums are made for all peers at once
 * when somebody reads and they are old: one walk of the actions, however many reads. With many actions
 * they are kept for as long as the tables say.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/watch_int.h"
#include "mibs/schema_gen.h"
#include "policy/rows.h"
#include "policy/sa.h"

enum { PEER_UP = 1, PEER_PARTLY = 2, PEER_DOWN = 3 };

#define MANY 1000	/* actions: their sums are kept longer */

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

static void merge(struct watch_peer *to, const struct watch_peer *from)
{
	to->n += from->n;
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

static bool make(struct watch *w)
{
	struct pol_walk walk = { .view = mib_store_view(agent_store(w->agent)),
				 .table = &mib_t_ipsaSaPreconfiguredActionTable,
				 .with_lost = true };
	struct watch_peer *v = NULL;
	size_t n = 0, room = 0, actions = 0;
	const struct mib_row *r;

	while ((r = pol_walk_next(&walk))) {
		char name[sizeof(v->name)];

		actions++;
		if (mib_row_text(r, ACTION(ipsaSaPreActPeerGatewayIdName), name,
				 sizeof(name)) == 0)
			continue;
		/* Sums before there are too many of them: a peer may have most of the SAs. */
		if (n == room)
			n = merge_all(v, n);
		if (n > room / 2 || room == 0) {
			size_t more = room ? room * 2 : 64;
			struct watch_peer *grown = (struct watch_peer *)
				reallocarray(v, more, sizeof(*v));

			if (!grown) {
				free(v);
				return false;
			}
			v = grown;
			room = more;
		}
		v[n] = (struct watch_peer){ .n = 0 };
		one_action(w, r, &v[n]);
		memcpy(v[n++].name, name, sizeof(name));
	}
	free(w->peers);
	w->n_peers = merge_all(v, n);
	w->peers = v;
	w->peers_keep_s = actions > MANY ? AGENT_POLL_S : AGENT_FRESH_S;
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
	uint32_t usable = p->in + p->out;

	return usable == 0 ? PEER_DOWN : usable < p->n ? PEER_PARTLY : PEER_UP;
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
	return watch_text(w, "no action with manual keys names it, and IKE does not run");
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
