/*
 * ipspd/agent_notify.c - notifications about packets, actions and SAs. RFC 4807 section 4.
 *
 * spdActionNotification: an action that logs was run for a packet, or the SA of an action with
 * DoActionLogging was installed. spdPacketNotification: a packet passed the SA of an action with
 * DoPacketLogging of 0 or more; spdPacketPart is the clear packet (inside of the SA), from its IP
 * header on, and no longer than leaves the whole message in one datagram that nobody has to cut.
 *
 * Both are sent once an interval and action (ipspdNotifyInterval), all kinds at a rate
 * (ipspdNotifyRate); what is held back is counted, and told in the log with the next one that goes.
 */
#include "config.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "ipsp/reason.h"
#include "ipspd/addresses.h"
#include "ipspd/agent_int.h"
#include "ipspd/agent_note.h"
#include "ipspd/log.h"
#include "ipspd/notify_limit.h"
#include "mibs/utf8.h"
#include "policy/rows.h"

/*
 * 1472 octets are what UDP over IPv4 carries in an Ethernet frame (RFC 3417 8). The other objects of
 * spdPacketNotification with long names, and SNMPv3's header, have less than 512.
 */
#define PACKET_PART_MAX (1472 - 512)

#define SPD_KEY_OBJECTS 8	/* of both standard ones: all but spdPacketPart */

static const uint32_t scalar_index[] = { 0 };

/* ---- one notification ---- */

void note_begin(struct agent_note *n, size_t kind)
{
	n->kind = &mib_notifications[kind];
	n->n = 0;
}

void note_add(struct agent_note *n, struct mib_value v)
{
	if (n->n == n->kind->n_objects || n->n == NOTE_OBJECTS_MAX)
		return;
	n->objects[n->n] = (struct ax_note_object){
		.column = n->kind->objects[n->n], .index = scalar_index, .index_len = 1, .value = v,
	};
	n->n++;
}

void note_add_text(struct agent_note *n, const char *text)
{
	const uint8_t *const octets = (const uint8_t *)text;
	size_t len = strnlen(text, NOTE_TEXT_MAX + 1);

	/* Cut between characters. */
	if (len > NOTE_TEXT_MAX)
		for (len = NOTE_TEXT_MAX; len > 0 && (octets[len] & 0xc0) == 0x80; len--)
			;
	if (!mib_utf8_is_text(octets, len))
		len = 0;
	note_add(n, mib_value_octets(text, len));
}

void note_add_address(struct agent_note *n, const struct ipsp_addr *addr)
{
	enum { UNKNOWN = 0, IPV4 = 1, IPV6 = 2 };	/* InetAddressType */

	note_add(n, mib_value_integer(addr->family == 4 ? IPV4 :
				      addr->family == 6 ? IPV6 : UNKNOWN));
	note_add(n, mib_value_octets(addr->octets, ipsp_addr_size(addr->family)));
}

void note_send(struct agent *a, const struct agent_note *n, size_t n_key)
{
	if (!a->subagent || n->n != n->kind->n_objects ||
	    ax_notify(a->subagent, n->kind, n->objects, n->n, n_key) != MIB_OK)
		ipspd_log(LOG_DEBUG, "notify", "%s is dropped", n->kind->name);
}

/* ---- limits ---- */

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void notify_set_limits(struct agent *a)
{
	static const uint32_t scalar[] = { 0 };
	const struct mib_row *r = mib_view_row(mib_store_view(a->store),
					       &mib_t_ipspdNotifySettings, scalar, 1);

	if (!r)
		return;
	notify_limit_set(a->notify.limit,
			 (uint32_t)mib_row_number(r, MIB_COL(ipspdNotifySettings,
							     ipspdNotifyInterval), 0),
			 (uint32_t)mib_row_number(r, MIB_COL(ipspdNotifySettings,
							     ipspdNotifyRate), 0));
}

bool notify_may(struct agent *a)
{
	if (notify_limit_any(a->notify.limit, now_ms()))
		return true;
	a->notify.suppressed++;
	return false;
}

static bool may_about(struct agent *a, const struct agent_note *n, const struct mib_oid *action)
{
	uint64_t held = 0;

	if (!notify_limit_action(a->notify.limit, n->kind, action, now_ms(), &held)) {
		a->notify.suppressed++;
		return false;
	}
	if (held > 0)
		ipspd_log(LOG_INFO, "notify", "%s: %" PRIu64 " alike were held back",
			  n->kind->name, held);
	return true;
}

/* ---- which row ---- */

static const struct pol_origin *origin_find(const struct agent *a, uint64_t id)
{
	const struct pol_generation *const known[] = { a->apply.coming, a->apply.in_force };
	const struct pol_origin *o = NULL;

	/* SAs around others have their row by the innermost one. */
	for (size_t i = 0; i < 2 && !o; i++)
		o = known[i] ? pol_origin_find(known[i], pol_sa_head(known[i], id)) : NULL;
	return o;
}

/* A pointer to the row of an id, as rules have it. @return false: no such row is known */
static bool pointer_to(const struct agent *a, uint64_t id, struct mib_oid *out)
{
	const struct pol_origin *o = origin_find(a, id);

	if (!o)
		return false;
	if (o->scalar)
		return pol_scalar_pointer(o->scalar, out);
	return pol_row_pointer(o->table, o->index.ids, o->index.len, out);
}

/* The entry that the guard means, in the list that the packet met. */
static const struct ipsp_spd_entry *entry_find(const struct pol_generation *g,
					       const struct wire_event *e)
{
	const enum ipsp_dir dir = (enum ipsp_dir)e->dir;
	const struct pol_list *l = pol_generation_list(g, e->ifindex, dir);
	const struct pol_entry *entry;

	if (!l)
		l = pol_generation_list(g, 0, dir);
	for (size_t i = 0; l && (entry = pol_list_entry(l, i)); i++) {
		if (entry->spd.id == e->id)
			return &entry->spd;
	}
	return NULL;
}

/*
 * The action of a rule. One that is no compound action stands in the rule's row; which part of a
 * compound one the guard could go by, the compiled entry says.
 */
static bool action_of_rule(const struct agent *a, const struct wire_event *e, struct mib_oid *out)
{
	const struct pol_generation *g = agent_policy(a);
	const struct pol_origin *o = origin_find(a, e->id);
	const struct mib_row *r = o && o->table == &mib_t_spdRuleDefinitionTable ?
		mib_view_row(mib_store_view(a->store), o->table, o->index.ids, o->index.len) : NULL;
	const struct ipsp_spd_entry *entry;
	struct pol_target t;

	if (!r)
		return false;
	pol_target_of(mib_store_view(a->store), r,
		      MIB_COL(spdRuleDefinitionTable, spdRuleDefAction), &t);
	if (t.scalar)
		return pol_scalar_pointer(t.scalar, out);
	if (t.table != &mib_t_spdCompoundActionTable && t.row) {
		size_t len;
		const uint32_t *index = mib_row_index(t.row, &len);

		return pol_row_pointer(t.table, index, len, out);
	}
	entry = g ? entry_find(g, e) : NULL;
	return entry && pointer_to(a, entry->action_id, out);
}

/* The action that was run. Of packets that the guard decided, only the rule is known. */
static bool executed(const struct agent *a, const struct wire_event *e, struct mib_oid *out)
{
	return e->action_id ? pointer_to(a, e->action_id, out) : action_of_rule(a, e, out);
}

/* ---- about packets ---- */

static void add_action(struct agent_note *n, const struct mib_oid *action,
		       const struct ipsp_addr *endpoint, const struct wire_event *e)
{
	note_add(n, mib_value_oid(action->ids, action->len));
	note_add_address(n, endpoint);
	note_add_address(n, &e->src);
	note_add_address(n, &e->dst);
	note_add(n, mib_value_integer(e->dir));
}

/* A packet that was dropped, but by no drop action, had its action not run: it could not be. */
static bool was_run(const struct wire_event *e)
{
	return e->reason == IPSP_REASON_NONE || e->reason == IPSP_REASON_POLICY_DISCARD;
}

static void about_packet(struct agent *a, const struct wire_event *e)
{
	const bool passed = e->kind == WIRE_EVENT_PASSED;
	struct ipsp_addr endpoint = { 0 };
	struct agent_note n;
	struct mib_oid action;

	if (!was_run(e))
		return;
	note_begin(&n, passed ? MIB_N_spdPacketNotification : MIB_N_spdActionNotification);
	if (!executed(a, e, &action) || !may_about(a, &n, &action))
		return;
	if (a->notify.addresses)
		addresses_find(a->notify.addresses, e->ifindex, e->src.family, &endpoint);
	add_action(&n, &action, &endpoint, e);
	if (passed)
		note_add(&n, mib_value_octets(e->packet, e->packet_len < PACKET_PART_MAX ?
							 e->packet_len : PACKET_PART_MAX));
	note_send(a, &n, SPD_KEY_OBJECTS);
}

/* ---- about SAs ---- */

/* For people: what became of it. */
static const char *const sa_stories[WIRE_SA_CHANGES] = {
	[WIRE_SA_REMOVED] = "its row is gone, not active or not in use any more",
	[WIRE_SA_REPLACED] = "its row has another key, SPI or other parameters now",
	[WIRE_SA_EXPIRED] = "its hard lifetime is over",
};

/* ... of one whose keys were negotiated. */
static const char *const negotiated_stories[WIRE_SA_CHANGES] = {
	[WIRE_SA_REMOVED] = "its key manager has deleted it",
	[WIRE_SA_REPLACED] = "its key manager has given it other parameters",
	[WIRE_SA_EXPIRED] = "its hard lifetime is over",
};

static void add_sa(struct agent_note *n, const struct mib_oid *row, const struct wire_event *e)
{
	note_add(n, mib_value_oid(row->ids, row->len));
	note_add(n, mib_value_integer(e->dir));
	note_add(n, mib_value_integer(e->proto));
	note_add(n, mib_value_unsigned(e->spi));
	note_add_address(n, &e->src);
	note_add_address(n, &e->dst);
}

static bool logs_action(const struct agent *a, const struct pol_origin *o)
{
	const struct mib_row *r =
		o && o->table == &mib_t_ipsaSaPreconfiguredActionTable ?
			mib_view_row(mib_store_view(a->store), o->table, o->index.ids,
				     o->index.len) : NULL;

	return r && pol_row_truth(r, MIB_COL(ipsaSaPreconfiguredActionTable,
					     ipsaSaPreActDoActionLogging), false);
}

/* The SA of an action that logs was made: no packet has been there yet, so its ends stand for one. */
static void about_installed(struct agent *a, const struct wire_event *e, const struct mib_oid *row)
{
	const bool out = e->dir == IPSP_OUTBOUND;
	struct wire_event ends = *e;
	struct agent_note n;

	note_begin(&n, MIB_N_spdActionNotification);
	if (!may_about(a, &n, row))
		return;
	ends.src = out ? e->src : e->dst;
	ends.dst = out ? e->dst : e->src;
	add_action(&n, row, &e->src, &ends);
	note_send(a, &n, SPD_KEY_OBJECTS);
}

/* The row that configures it; of a key manager's, the action that asked for it. */
static struct mib_oid row_of_sa(struct agent *a, const struct wire_event *e)
{
	struct mib_oid row = { .ids = { 0, 0 }, .len = 2 };	/* zeroDotZero */

	if (!pointer_to(a, e->id, &row) && e->action_id)
		(void)sad_action_of(a, (uint32_t)e->action_id, &row);
	return row;
}

static void about_sa(struct agent *a, const struct wire_event *e, const char *why)
{
	const bool up = e->reason == WIRE_SA_INSTALLED;
	struct mib_oid row = row_of_sa(a, e);
	struct agent_note n;

	if (up && logs_action(a, origin_find(a, e->id)))
		about_installed(a, e, &row);
	note_begin(&n, up ? MIB_N_ipspdChildSaUp : MIB_N_ipspdChildSaDown);
	/* The engine may say with each generation that it still refuses an SA. */
	if (e->reason == WIRE_SA_REFUSED ? !may_about(a, &n, &row) : !notify_may(a))
		return;
	add_sa(&n, &row, e);
	if (!up) {
		note_add(&n, mib_value_integer(e->reason));
		note_add_text(&n, why);
	}
	note_send(a, &n, n.n);
}

static void about_expiring(struct agent *a, const struct wire_event *e)
{
	const struct mib_oid row = row_of_sa(a, e);
	struct agent_note n;

	note_begin(&n, MIB_N_ipspdChildSaExpiring);
	if (!notify_may(a))
		return;
	add_sa(&n, &row, e);
	note_send(a, &n, n.n);
}

/* The end is none: an SA is told by itself, and else the rule says how long it lasts. */
static void about_clear(struct agent *a, const struct wire_event *e)
{
	struct mib_oid row = { .ids = { 0, 0 }, .len = 2 };	/* zeroDotZero */
	struct agent_note n;

	note_begin(&n, MIB_N_ipspdClearPassing);
	if (e->id == 0 || !notify_may(a))
		return;
	(void)sad_action_of(a, (uint32_t)e->action_id, &row);
	note_add(&n, mib_value_oid(row.ids, row.len));
	note_add_address(&n, &e->src);
	note_add_address(&n, &e->dst);
	note_add(&n, mib_value_unsigned((uint32_t)e->id));
	note_send(a, &n, n.n);
}

void notify_sa_refused(struct agent *a, const struct ipsp_sa_config *sa, const char *why)
{
	const struct wire_event e = {
		.kind = WIRE_EVENT_SA, .id = sa->id, .dir = sa->dir, .proto = sa->proto,
		.spi = sa->spi, .reason = WIRE_SA_REFUSED, .src = sa->local, .dst = sa->remote,
	};

	about_sa(a, &e, why);
}

/* ---- counts ---- */

void agent_notes(const struct agent *a, struct agent_note_stats *out)
{
	struct ax_state state = { 0 };

	if (a->subagent)
		ax_subagent_state(a->subagent, &state);
	*out = (struct agent_note_stats){
		.sent = state.session.notes_sent,
		.acknowledged = state.session.notes_acknowledged,
		.coalesced = state.session.notes_coalesced,
		.suppressed = a->notify.suppressed,
		.dropped = state.session.notes_dropped,
		.refused = state.session.notes_refused,
		.unanswered = state.session.notes_unanswered,
		.waiting = state.session.notes_waiting,
	};
}

static enum mib_err read_counts(void *arg, const struct mib_column *col, const uint32_t *index,
				size_t index_len, struct mib_value *out)
{
	struct agent_note_stats n;

	(void)index;
	(void)index_len;
	agent_notes((const struct agent *)arg, &n);
	const struct {
		size_t pos;
		uint64_t count;
	} counts[] = {
		{ MIB_C_ipspdNotifySent, n.sent },
		{ MIB_C_ipspdNotifyAcknowledged, n.acknowledged },
		{ MIB_C_ipspdNotifyCoalesced, n.coalesced },
		{ MIB_C_ipspdNotifySuppressed, n.suppressed },
		{ MIB_C_ipspdNotifyDropped, n.dropped },
		{ MIB_C_ipspdNotifyRefused, n.refused },
		{ MIB_C_ipspdNotifyUnanswered, n.unanswered },
	};

	if (col->pos == MIB_C_ipspdNotifyWaiting) {
		*out = mib_value_unsigned((uint32_t)n.waiting);
		return MIB_OK;
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (counts[i].pos == col->pos) {
			*out = mib_value_counter64(counts[i].count);
			return MIB_OK;
		}
	}
	return MIB_NO_SUCH_INSTANCE;
}

enum mib_err notify_add_source(struct agent *a)
{
	a->notify.source = (struct mib_source){ .table = &mib_t_ipspdNotifySettings,
						.read = read_counts, .arg = a };
	return mib_store_add_source(a->store, &a->notify.source);
}

/* ---- life ---- */

static void on_event(struct agent_event_listener *l, const struct wire_event *e)
{
	struct agent *a = (struct agent *)((char *)l - offsetof(struct agent, notify.events));

	if (e->kind == WIRE_EVENT_CLEAR)
		about_clear(a, e);
	else if (e->kind == WIRE_EVENT_SA && e->reason == WIRE_SA_EXPIRING)
		about_expiring(a, e);
	else if (e->kind == WIRE_EVENT_SA)
		about_sa(a, e, e->reason == WIRE_SA_INSTALLED ? "" :
			       (e->action_id ? negotiated_stories : sa_stories)[e->reason]);
	else
		about_packet(a, e);
}

bool notify_init(struct agent *a)
{
	a->notify.limit = notify_limit_new();
	if (!a->notify.limit)
		return false;
	a->notify.addresses = addresses_new(a->base);
	if (a->notify.addresses)
		addresses_on_change(a->notify.addresses, apply_addresses_changed, a);
	else
		ipspd_log(LOG_WARNING, "notify", "addresses of interfaces cannot be watched: "
			  "notifications will not have them");
	a->notify.events.event = on_event;
	agent_listen_events(a, &a->notify.events);
	return true;
}

void notify_fini(struct agent *a)
{
	if (a->notify.events.event)
		agent_forget_event_listener(a, &a->notify.events);
	addresses_free(a->notify.addresses);
	notify_limit_free(a->notify.limit);
}
