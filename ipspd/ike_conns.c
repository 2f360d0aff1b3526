/*
 * ipspd/ike_conns.c - connections: what the agent says there is, and what is to be up.
 *
 * A generation comes whole. A connection that is as before stays the same object, so that its IKE SAs know it;
 * one that has changed goes on under the new one, but for another secret; one that is gone takes its IKE SAs
 * along.
 */
#include "config.h"

#include <gcrypt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/ike.h"
#include "ipspd/ike_wire.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

#define ENTRIES_MAX 65536u
#define WAIT_MIN_S 1u
#define WAIT_MAX_S 60u
#define NEXT_QUEUED_MAX (1u << 20)	/* octets on their way to the agent */
#define EARLIER_MAX 256u	/* peers of an earlier process at a time */

/* ---- beginning ---- */

/* Which of its peers is meant by an address; family 0: the first that has one. */
static bool choose_peer(const struct ike_conn *c, const struct ipsp_addr *to, size_t *peer,
			struct ipsp_addr *remote)
{
	size_t anywhere = c->n_peers;

	for (size_t i = 0; i < c->n_peers; i++) {
		const struct ipsp_addr *const a = &c->peers[i].address;

		if (a->family == 0) {
			anywhere = anywhere == c->n_peers ? i : anywhere;
			continue;
		}
		if (to->family == 0 || ipsp_addr_cmp(a, to) == 0) {
			*peer = i;
			*remote = *a;
			return true;
		}
	}
	*peer = anywhere;
	*remote = *to;
	return anywhere < c->n_peers && to->family != 0;
}

static bool begin(struct ike_role *role, struct ike_conn *c, const struct ipsp_addr *to,
		  const struct ike_pair *packet, uint64_t now_ms)
{
	struct ipsp_addr remote;
	struct ike_path path;
	enum ipsp_err err;
	size_t peer;

	if (!choose_peer(c, to, &peer, &remote) || !ike_net_path(role, c, &remote, &path))
		return false;
	err = ike_want_child(role->world, c, peer, &path, packet, now_ms);
	if (err != IPSP_OK && err != IPSP_EEXIST)
		ipspd_log(LOG_ERR, "ike", "connection \"%s\", \"%s\": cannot be begun: %s", c->ipsec,
			  c->ike, ipsp_err_text(err));
	return err == IPSP_OK || err == IPSP_EEXIST;
}

/* Is it with peers who come by themselves, of whom one may be there and another one missing? */
static bool is_for_others(const struct ike_conn *c)
{
	return c->child.anyone || c->child.answers;
}

/* Is it of that reqid, and with that peer? */
static bool fits(const struct ike_conn *c, uint32_t reqid, const struct ipsp_addr *remote)
{
	struct ipsp_addr unused;
	size_t peer;

	return c->has_child && !is_for_others(c) && c->child.reqid == reqid &&
	       choose_peer(c, remote, &peer, &unused);
}

bool ike_conns_wanted(struct ike_role *role, uint32_t reqid, const struct ipsp_addr *remote,
		      const struct ike_pair *packet, uint64_t now_ms)
{
	for (size_t i = 0; i < role->n_entries; i++) {
		if (fits(role->entries[i].conn, reqid, remote))
			return begin(role, role->entries[i].conn, remote, packet, now_ms);
	}
	return false;
}

bool ike_conns_living(const struct ike_role *role, uint32_t reqid)
{
	for (size_t i = 0; i < role->n_entries; i++) {
		const struct ike_conn *const c = role->entries[i].conn;

		if (c->has_child && c->child.reqid == reqid && ike_conn_lives(role->world, c))
			return true;
	}
	return false;
}

static void resume(struct ike_entry *e)
{
	e->resume = true;
	e->next_ms = 0;
	e->wait_s = 0;
	e->tried = false;
}

void ike_conns_resume(struct ike_role *role, uint32_t reqid)
{
	for (size_t i = 0; i < role->n_entries; i++) {
		struct ike_entry *const e = &role->entries[i];

		if (e->conn->has_child && e->conn->child.reqid == reqid &&
		    (is_for_others(e->conn) || !ike_conn_lives(role->world, e->conn)))
			resume(e);
	}
}

void ike_conns_disbelieved(struct ike_role *role, const struct ike_conn *c, const struct ipsp_addr *remote)
{
	char text[IPSP_ADDR_TEXT];
	unsigned n;

	if (!c->has_child)
		return;
	n = ike_pfkey_end_orphans(role, c->child.reqid, remote);
	if (n > 0)
		ipspd_log(LOG_NOTICE, "ike", "connection \"%s\", \"%s\": %u SAs with %s that an earlier process "
			  "made end, as authentication fails now", c->ipsec, c->ike, n,
			  ipsp_addr_print(remote, text));
}

void ike_conns_resume_living(struct ike_role *role)
{
	ike_survey(role->world);
	for (size_t i = 0; i < role->n_entries; i++) {
		if (role->entries[i].conn->standing != IKE_CONN_DOWN)
			resume(&role->entries[i]);
	}
}

static void wait_longer(struct ike_entry *e, uint64_t now_ms)
{
	e->wait_s = e->wait_s == 0 ? WAIT_MIN_S :
		    e->wait_s < WAIT_MAX_S / 2 ? 2 * e->wait_s : WAIT_MAX_S;
	e->next_ms = now_ms + e->wait_s * UINT64_C(1000);
}

/* One in the making may come to nothing yet, after minutes: only one that stands was worth the try. */
static void look_at_living(struct ike_entry *e)
{
	e->resume = false;
	if ((!e->tried && e->wait_s == 0) || e->conn->standing != IKE_CONN_STANDS)
		return;
	e->tried = false;
	e->wait_s = 0;
}

/* Peers without an address come by themselves. Whose the SAs of an earlier process are nobody knows any more, and
 * another one of them could ask for the same traffic, so those end. */
static void leave_to_peers(struct ike_role *role, struct ike_entry *e)
{
	const unsigned n = ike_pfkey_end_orphans(role, e->conn->child.reqid, NULL);

	if (n > 0)
		ipspd_log(LOG_NOTICE, "ike", "connection \"%s\", \"%s\": %u SAs that an earlier process made end: its "
			  "peers may be anywhere, and have to come again", e->conn->ipsec, e->conn->ike, n);
	e->resume = e->start = e->tried = false;
}

/* The default response is with whoever asks; it begins with those alone that an earlier process had SAs with. */
static void tick_answers(struct ike_role *role, struct ike_entry *e, uint64_t now_ms)
{
	struct ipsp_addr remotes[EARLIER_MAX];
	size_t n;

	if (e->next_ms > now_ms)
		return;
	n = ike_pfkey_earlier(role, e->conn->child.reqid, remotes, EARLIER_MAX);
	for (size_t i = 0; i < n; i++)
		(void)begin(role, e->conn, &remotes[i], NULL, now_ms);
	e->resume = n > 0;
	wait_longer(e, now_ms);
}

static void tick_one(struct ike_role *role, struct ike_entry *e, uint64_t now_ms)
{
	if (e->conn->child.anyone) {
		leave_to_peers(role, e);
		return;
	}
	if (e->conn->child.answers) {
		tick_answers(role, e, now_ms);
		return;
	}
	if (e->conn->standing != IKE_CONN_DOWN) {
		look_at_living(e);
		return;
	}
	if (e->tried) {
		e->tried = false;
		wait_longer(e, now_ms);
		ipspd_log(LOG_INFO, "ike", "connection \"%s\", \"%s\": is begun again in %u s", e->conn->ipsec,
			  e->conn->ike, e->wait_s);
	}
	if (e->next_ms > now_ms)
		return;
	e->tried = begin(role, e->conn, &e->to, NULL, now_ms);
	if (!e->tried)
		wait_longer(e, now_ms);
}

/* What the agent does not take in time it is told a second later. */
static void tell_next(struct ike_role *role, struct ike_entry *e, uint64_t now_ms)
{
	const bool waits = (e->start || e->resume) && e->conn->standing == IKE_CONN_DOWN && e->next_ms > now_ms;
	const uint64_t next_ms = waits ? e->next_ms : 0;
	struct ike_wire_next next = { .in_ms = waits ? (uint32_t)(next_ms - now_ms) : 0 };
	uint8_t buf[2 * IKE_NAME + 32];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (next_ms == e->told_ms || !role->agent || chan_queued(role->agent) > NEXT_QUEUED_MAX)
		return;
	memcpy(next.ipsec, e->conn->ipsec, sizeof(next.ipsec));
	memcpy(next.ike, e->conn->ike, sizeof(next.ike));
	ike_wire_next_put(&w, &next);
	if (chan_send(role->agent, MSG_IKE_NEXT, buf, w.len, NULL, 0) == 0)
		e->told_ms = next_ms;
}

void ike_conns_tick(struct ike_role *role, uint64_t now_ms)
{
	ike_survey(role->world);
	for (size_t i = 0; i < role->n_entries; i++) {
		struct ike_entry *const e = &role->entries[i];

		if (e->start || e->resume)
			tick_one(role, e, now_ms);
		tell_next(role, e, now_ms);
	}
}

/* ---- a generation ---- */

static void free_entries(struct ike_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ike_conn_unref(entries[i].conn);
	free(entries);
}

void ike_conns_forget(struct ike_role *role)
{
	free_entries(role->coming, role->n_coming);
	role->coming = NULL;
	role->n_coming = role->room_coming = role->n_refused = 0;
	for (size_t i = 0; i < role->n_entries; i++)
		role->entries[i].refused = false;
	role->intake = false;
	ike_creds_forget(role);
}

void ike_conns_unknown(struct ike_role *role)
{
	for (size_t i = 0; i < role->n_entries; i++)
		role->entries[i].told_ms = 0;
}

void ike_conns_fini(struct ike_role *role)
{
	ike_conns_forget(role);
	free_entries(role->entries, role->n_entries);
	ike_index_fini(&role->index);
	role->entries = NULL;
	role->n_entries = 0;
}

/* NULL: no memory. */
static struct ike_entry *add_entry(struct ike_role *role)
{
	if (role->n_coming == role->room_coming) {
		const size_t room = role->room_coming ? 2 * role->room_coming : 8;
		struct ike_entry *const grown = reallocarray(role->coming, room, sizeof(*grown));

		if (!grown)
			return NULL;
		role->coming = grown;
		role->room_coming = room;
	}
	return &role->coming[role->n_coming++];
}

/* What is in force under its name ends at once. */
static void mark_refused(struct ike_role *role, const struct ike_conn *c)
{
	struct ike_entry *const old = ike_index_find(&role->index, c);

	if (old)
		old->refused = true;
}

/* It is left out, as those are whose rows are at fault: what it would take packets for is dropped. */
static void refuse(struct ike_role *role, const struct ike_conn *c, const char *why)
{
	uint8_t buf[2 * IKE_NAME + IKE_WHY_TEXT + 16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	mark_refused(role, c);
	role->n_refused++;
	ipspd_log(LOG_ERR, "ike", "connection \"%s\", \"%s\": %s", c->ipsec, c->ike, why);
	chan_put_text(&w, c->ipsec);
	chan_put_text(&w, c->ike);
	chan_put_text(&w, why);
	if (role->agent)
		(void)chan_send(role->agent, MSG_IKE_FAULT, buf, w.len, NULL, 0);
}

static bool take_conn(struct ike_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct ike_entry e = { .wait_s = 0 };
	struct ike_wire_conn c = { .conn = NULL };
	struct ike_entry *to;
	const char *why = NULL;
	gcry_md_hd_t md;
	bool good;

	if (role->n_coming + role->n_refused >= ENTRIES_MAX ||
	    gcry_md_open(&md, GCRY_MD_SHA256, GCRY_MD_FLAG_SECURE) != 0)
		return false;
	good = ike_wire_conn_get(&r, &c) && ike_creds_attach(role, &c, md, &why);
	gcry_md_write(md, m->data, m->len);
	memcpy(e.digest, gcry_md_read(md, GCRY_MD_SHA256), sizeof(e.digest));
	gcry_md_close(md);
	if (good && why) {
		refuse(role, c.conn, why);
		ike_conn_unref(c.conn);
		return true;
	}
	to = good ? add_entry(role) : NULL;
	if (!to) {
		ike_conn_unref(c.conn);
		return false;
	}
	e.conn = c.conn;
	e.start = c.start;
	e.to = c.to;
	*to = e;
	return true;
}

static bool same_secret(const struct ike_secret *a, const struct ike_secret *b)
{
	struct ipsp_span x, y;

	if (!a || !b)
		return a == b;
	x = ike_secret_octets(a);
	y = ike_secret_octets(b);
	return x.len == y.len && !memcmp(x.data, y.data, x.len);
}

static bool same_identity(const struct ike_identity *a, const struct ike_identity *b)
{
	return a->type == b->type && a->len == b->len && !memcmp(a->octets, b->octets, a->len);
}

/* Who both are, and what they prove it by, is as before. */
static bool same_proof(const struct ike_conn *a, const struct ike_conn *b)
{
	if (a->n_peers != b->n_peers || !same_identity(&a->local_id, &b->local_id))
		return false;
	for (size_t i = 0; i < a->n_peers; i++) {
		if (!same_secret(a->peers[i].secret, b->peers[i].secret) ||
		    !same_secret(a->peers[i].ppk, b->peers[i].ppk) ||
		    !same_identity(&a->peers[i].id, &b->peers[i].id) ||
		    !ike_creds_same(&a->peers[i], &b->peers[i]))
			return false;
	}
	return true;
}

/* Finds the one that was there before; what is as before is the object that it was. */
static void match(struct ike_role *role, struct ike_entry *e)
{
	e->before = ike_index_find(&role->index, e->conn);
	if (!e->before || memcmp(e->digest, e->before->digest, sizeof(e->digest)))
		return;
	ike_conn_unref(e->conn);
	e->conn = ike_conn_ref(e->before->conn);
}

/* One that was there before, under that name. */
static void succeed(const struct ike_entry *old, struct ike_entry *e)
{
	e->resume = old->resume;
	e->next_ms = old->next_ms;
	e->wait_s = old->wait_s;
	e->tried = old->tried;
	e->told_ms = old->told_ms;
	if (e->conn == old->conn)
		return;
	e->next_ms = 0;
	e->wait_s = 0;
	e->tried = false;
	if (same_proof(old->conn, e->conn)) {
		old->conn->heir = e->conn;
		return;
	}
	ipspd_log(LOG_NOTICE, "ike", "connection \"%s\", \"%s\": identities or credentials have changed: its "
		  "IKE SAs end", e->conn->ipsec, e->conn->ike);
	e->resume |= old->conn->standing != IKE_CONN_DOWN;
	old->conn->ends = true;
}

static bool configure(struct ike_role *role)
{
	struct ike_conn **const conns = calloc(role->n_coming + 1, sizeof(struct ike_conn *));
	enum ipsp_err err;

	if (!conns)
		return false;
	for (size_t i = 0; i < role->n_coming; i++)
		conns[i] = role->coming[i].conn;
	err = ike_world_configure(role->world, conns, role->n_coming);
	free(conns);
	return err == IPSP_OK;
}

void ike_conns_tell(struct ike_role *role)
{
	uint8_t buf[8];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (!role->untold || !role->agent || !ike_pfkey_is_registered(role))
		return;
	chan_put_u64(&w, role->generation);
	role->untold = chan_send(role->agent, MSG_IKE_APPLIED, buf, w.len, NULL, 0) < 0;
}

/* Its rows went, or what they name cannot be used any more, which ends all of it at once. Rows of another connection
 * that comes may ask for the same SAs. */
static void mark_gone(struct ike_role *role, const struct ike_index *coming, struct ike_entry *e,
		      uint64_t now_ms)
{
	const uint32_t reqid = e->conn->has_child ? e->conn->child.reqid : 0;

	if (!e->refused && reqid != 0 && !ike_index_asks_for(coming, reqid))
		ike_pfkey_row_gone(role, reqid);
	e->conn->ends = true;
	e->start = e->resume = false;
	tell_next(role, e, now_ms);
}

/* What was there before goes on under what comes, or ends. */
static void turn(struct ike_role *role, const struct ike_index *coming, uint64_t now_ms)
{
	for (size_t i = 0; i < role->n_coming; i++) {
		struct ike_entry *const e = &role->coming[i];
		struct ike_entry *const old = e->before;

		e->before = NULL;
		if (!old || old->followed)
			continue;
		old->followed = true;
		succeed(old, e);
	}
	for (size_t i = 0; i < role->n_entries; i++) {
		if (!role->entries[i].followed)
			mark_gone(role, coming, &role->entries[i], now_ms);
	}
	ike_conns_turn(role->world, now_ms);
	for (size_t i = 0; i < role->n_entries; i++) {
		role->entries[i].conn->heir = NULL;
		role->entries[i].conn->ends = false;
	}
}

/* SAs of an earlier process are begun anew, if one of its connections has none of its own. */
static void resume_orphans(struct ike_role *role)
{
	ike_survey(role->world);
	for (size_t i = 0; i < role->n_entries; i++) {
		const struct ike_conn *const c = role->entries[i].conn;

		if (c->has_child && (is_for_others(c) || c->standing == IKE_CONN_DOWN) &&
		    ike_pfkey_has_orphans(role, c->child.reqid))
			resume(&role->entries[i]);
	}
}

static bool commit(struct ike_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint64_t generation = chan_get_u64(&r), now_ms = ike_now_ms();
	const uint32_t n = chan_get_u32(&r);
	struct ike_index index;

	if (!role->intake || !chan_reader_done(&r) || n != role->n_coming + role->n_refused)
		return false;
	for (size_t i = 0; i < role->n_coming; i++)
		match(role, &role->coming[i]);
	if (!ike_index_init(&index, role->coming, role->n_coming))
		return false;
	ike_survey(role->world);
	if (!configure(role)) {
		ike_index_fini(&index);
		return false;	/* nothing has changed */
	}
	turn(role, &index, now_ms);
	free_entries(role->entries, role->n_entries);
	ike_index_fini(&role->index);
	role->entries = role->coming;
	role->n_entries = role->n_coming;
	role->index = index;
	role->coming = NULL;
	role->n_coming = 0;
	ike_creds_commit(role);
	ike_conns_forget(role);
	resume_orphans(role);
	ike_conns_tick(role, now_ms);
	role->generation = generation;
	role->untold = true;
	ike_conns_tell(role);
	ipspd_log(LOG_DEBUG, "ike", "generation %" PRIu64 ": %zu connections", generation,
		  role->n_entries);
	return true;
}

/* IPsec action and IKE action. */
static bool get_names(struct chan_reader *r, struct ike_conn *names)
{
	return chan_get_text(r, names->ipsec, sizeof(names->ipsec)) &&
	       chan_get_text(r, names->ike, sizeof(names->ike)) && chan_reader_done(r);
}

static bool take_unfit(struct ike_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct ike_conn names = { .refs = 1 };

	if (!get_names(&r, &names))
		return false;
	mark_refused(role, &names);
	return true;
}

/* ---- what a manager asks for ---- */

static bool ask(struct ike_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint8_t request = chan_get_u8(&r);
	struct ike_conn names = { .refs = 1 };
	struct ike_entry *e;

	if (!get_names(&r, &names) || request == 0 || request >= IKE_WIRE_REQUESTS)
		return false;
	e = ike_index_find(&role->index, &names);
	if (!e)
		return true;	/* it went meanwhile */
	switch (request) {
	case IKE_WIRE_INITIATE:
		resume(e);
		ike_conns_tick(role, ike_now_ms());
		break;
	case IKE_WIRE_TERMINATE:
		e->resume = false;
		e->start = false;	/* till its rows change, or a new process */
		ike_end_all(role->world, e->conn, ike_now_ms());
		break;
	case IKE_WIRE_REKEY:
		if (e->conn->has_child)
			ike_pfkey_rekey(role, e->conn->child.reqid);
		break;
	}
	return true;
}

/* SAs of an earlier process are no Child SAs of ours, but end with all of them. */
static void forget_earlier(struct ike_role *role)
{
	for (size_t i = 0; i < role->n_entries; i++) {
		struct ike_entry *const e = &role->entries[i];

		e->resume = false;
		if (e->conn->has_child)
			(void)ike_pfkey_end_orphans(role, e->conn->child.reqid, NULL);
	}
}

/* What starts by itself is begun anew. */
static bool flush(struct ike_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint8_t what = chan_get_u8(&r);
	const uint64_t now_ms = ike_now_ms();

	if (!chan_reader_done(&r) || what == 0 || what >= IKE_WIRE_FLUSHES)
		return false;
	if (what == IKE_WIRE_FLUSH_ALL || what == IKE_WIRE_FLUSH_CHILDREN)
		forget_earlier(role);
	if (what == IKE_WIRE_FLUSH_ALL)
		ike_end_all(role->world, NULL, now_ms);
	else
		ike_end_children(role->world, what == IKE_WIRE_FLUSH_ESP ? IKE_PROTOCOL_ESP :
					      what == IKE_WIRE_FLUSH_AH ? IKE_PROTOCOL_AH : 0, now_ms);
	return true;
}

bool ike_conns_message(struct ike_role *role, const struct chan_msg *m)
{
	switch (m->type) {
	case MSG_IKE_BEGIN:
		ike_conns_forget(role);
		role->intake = m->len == 0;
		return m->len == 0;
	case MSG_IKE_OCTETS:
	case MSG_IKE_OWN:
	case MSG_IKE_TRUST:
		return role->intake && ike_creds_message(role, m);
	case MSG_IKE_CONN:
		return role->intake && take_conn(role, m);
	case MSG_IKE_UNFIT:
		return role->intake && take_unfit(role, m);
	case MSG_IKE_COMMIT:
		return commit(role, m);
	case MSG_IKE_REQUEST:
		return ask(role, m);
	case MSG_IKE_FLUSH:
		return flush(role, m);
	default:
		return false;
	}
}
