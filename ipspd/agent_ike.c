/*
 * ipspd/agent_ike.c - the ike process, as the agent sees it: it is wanted while there are connections, or peers are to be
 * told that there are none, gets all of them whenever a row has changed, and is asked for its IKE SAs while somebody
 * reads them.
 */
#include "config.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

#define SAS_MAX (1u << 20)
#define FAULTS_MAX (1u << 17)
#define FRESH_MS 1000		/* IKE SAs are asked for again when they are older, and somebody reads */

/* ---- connections ---- */

/* False: it cannot be sent. */
static bool send_conn(struct agent_ike *i, const struct ike_wire_conn *c)
{
	static uint8_t buf[CHAN_PAYLOAD_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (!i->chan)
		return true;
	ike_wire_conn_put(&w, c);
	const bool good = !w.overflow && chan_send(i->chan, MSG_IKE_CONN, buf, w.len, NULL, 0) == 0;

	explicit_bzero(buf, w.len);
	return good;
}

/* Is there a rule for it in a list? */
static bool is_in_list(const struct pol_conn_key *key)
{
	for (size_t k = 0; k < key->n_uses; k++) {
		if (key->uses[k].rule[0] && key->uses[k].dir != 0)
			return true;
	}
	return key->answers;
}

/* False: it cannot be sent. */
static bool send_unfit(struct agent_ike *i, const struct pol_conn_key *key)
{
	uint8_t buf[2 * IKE_NAME + 16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_text(&w, key->ipsec);
	chan_put_text(&w, key->ike);
	return !i->chan || !is_in_list(key) ||
	       (!w.overflow && chan_send(i->chan, MSG_IKE_UNFIT, buf, w.len, NULL, 0) == 0);
}

/* Those that can be negotiated; why the others cannot is in ipspdConnReason. False: no memory, or no way. */
static bool send_one(struct agent *a, struct agent_ike_creds *creds, const struct pol_conn_key *key,
		     const struct pol_connection *c, uint32_t *n)
{
	struct ike_wire_conn wire;
	const char *why;
	bool good;

	if (agent_ike_compile(mib_store_view(a->store), key, c, &wire))
		return send_unfit(&a->ike, key);
	good = agent_ike_creds_prove(creds, key, c, &wire, &why);
	if (good && why) {
		ipspd_log(LOG_WARNING, "ike", "connection \"%s\", \"%s\" %s", key->ipsec, key->ike, why);
		agent_ike_note_fault(a, key->ipsec, key->ike, why);
		good = send_unfit(&a->ike, key);
	} else if (good) {
		good = send_conn(&a->ike, &wire);
		++*n;
	}
	ike_conn_unref(wire.conn);
	return good;
}

static bool send_conns(struct agent *a, const struct pol_conn_set *set, uint32_t *n)
{
	struct agent_ike_creds *const creds = agent_ike_creds_new(a, a->ike.chan);
	bool good = creds != NULL;

	for (size_t k = 0; k < set->n_keys && good; k++) {
		struct pol_connection *c;

		good = pol_connection_make(mib_store_view(a->store), &set->keys[k], &c);
		if (!good)
			break;
		good = send_one(a, creds, &set->keys[k], c, n);
		pol_connection_free(c);
	}
	agent_ike_creds_free(creds);
	return good;
}

static bool send_commit(struct agent_ike *i, uint64_t generation, uint32_t n)
{
	uint8_t buf[16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, generation);
	chan_put_u32(&w, n);
	return !i->chan || chan_send(i->chan, MSG_IKE_COMMIT, buf, w.len, NULL, 0) == 0;
}

static void want(struct agent *a, bool wanted)
{
	const uint8_t octet = wanted;

	/* What an agent before us wanted is not known. */
	if (a->ike.told && wanted == a->ike.wanted)
		return;
	a->ike.told = chan_send(a->parent, MSG_IKE_WANTED, &octet, 1, NULL, 0) == 0;
	a->ike.wanted = wanted;
}

static void lose(struct agent *a)
{
	struct agent_ike *const i = &a->ike;

	chan_free(i->chan);
	i->chan = NULL;
	i->applied = 0;
	free(i->sas);
	free(i->coming);
	i->sas = i->coming = NULL;
	i->n_sas = i->n_coming = i->room_coming = 0;
	i->asked = false;
	agent_ike_forget_failures(a);
	agent_tell_changed(a);
}

/* ---- connections that are not in force ---- */

void agent_ike_note_fault(struct agent *a, const char *ipsec, const char *ike, const char *why)
{
	struct agent_ike *const i = &a->ike;
	struct agent_ike_fault *f;

	if (i->n_faults == i->room_faults) {
		const size_t room = i->room_faults ? 2 * i->room_faults : 8;

		f = reallocarray(i->faults, room, sizeof(*f));
		if (!f)
			return;	/* it is in the log */
		i->faults = f;
		i->room_faults = room;
	}
	f = &i->faults[i->n_faults++];
	snprintf(f->ipsec, sizeof(f->ipsec), "%s", ipsec);
	snprintf(f->ike, sizeof(f->ike), "%s", ike);
	snprintf(f->why, sizeof(f->why), "%s", why);
}

const char *agent_ike_fault(const struct agent *a, const char *ipsec, const char *ike)
{
	const struct agent_ike *const i = &a->ike;

	for (size_t k = 0; k < i->n_faults; k++) {
		if (!strcmp(i->faults[k].ipsec, ipsec) && !strcmp(i->faults[k].ike, ike))
			return i->faults[k].why;
	}
	return NULL;
}

static bool take_fault(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct agent_ike_fault f;

	if (!chan_get_text(&r, f.ipsec, sizeof(f.ipsec)) || !chan_get_text(&r, f.ike, sizeof(f.ike)) ||
	    !chan_get_text(&r, f.why, sizeof(f.why)) || !chan_reader_done(&r) ||
	    a->ike.n_faults >= FAULTS_MAX)
		return false;
	agent_ike_note_fault(a, f.ipsec, f.ike, f.why);
	return true;
}

/* ---- a generation ---- */

/* One that has gone does not take back what was in force: its SAs go on. */
static void reach(struct agent_ike *i, uint64_t generation)
{
	if (generation > i->reached)
		i->reached = generation;
}

static void update(struct agent *a)
{
	const struct pol_conn_set *const set = connections_set(a);
	struct agent_ike *const i = &a->ike;
	const uint64_t generation = mib_store_generation(a->store);
	uint32_t n = 0;

	i->n_faults = 0;
	if (set && (!i->chan || chan_send(i->chan, MSG_IKE_BEGIN, NULL, 0, NULL, 0) == 0) &&
	    send_conns(a, set, &n) && send_commit(i, generation, n)) {
		i->looked_at = generation;
		want(a, n > 0 || pol_conn_has_response(mib_store_view(a->store)));
		if (!i->wanted)
			reach(i, generation);
		agent_tell_changed(a);
		return;
	}
	ipspd_log(LOG_ERR, "ike", "connections cannot be told to the ike process");
	if (i->chan)
		lose(a);
}

static void on_update(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	update((struct agent *)arg);
}

void agent_ike_rows_changed(struct agent *a)
{
	if (a->serves)
		event_active(a->ike.update, EV_TIMEOUT, 0);
}

uint64_t agent_ike_applied(const struct agent *a)
{
	return a->ike.reached;
}

bool agent_ike_in_force(const struct agent *a, uint64_t generation)
{
	const struct agent_ike *const i = &a->ike;

	return i->looked_at >= generation && (!i->wanted || i->applied >= generation);
}

/* ---- its channel ---- */

static bool take_applied(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint64_t generation = chan_get_u64(&r);

	if (!chan_reader_done(&r))
		return false;
	a->ike.applied = generation;
	reach(&a->ike, generation);
	agent_tell_changed(a);
	return true;
}

static int by_number(const void *x, const void *y)
{
	const struct ike_wire_sa *a = x, *b = y;

	return a->number < b->number ? -1 : a->number > b->number;
}

static bool make_room(struct agent_ike *i, size_t n)
{
	struct ike_wire_sa *grown;
	size_t room = i->room_coming ? i->room_coming : IKE_WIRE_SAS_MAX;

	if (n > SAS_MAX)
		return false;
	while (room < n)
		room *= 2;
	if (room == i->room_coming)
		return true;
	grown = reallocarray(i->coming, room, sizeof(*grown));
	if (!grown)
		return false;
	i->coming = grown;
	i->room_coming = room;
	return true;
}

static void sas_came(struct agent *a)
{
	struct agent_ike *const i = &a->ike;

	if (i->n_coming > 0)
		qsort(i->coming, i->n_coming, sizeof(*i->coming), by_number);
	free(i->sas);
	i->sas = i->coming;
	i->n_sas = i->n_coming;
	i->coming = NULL;
	i->n_coming = i->room_coming = 0;
	i->asked = false;
}

static bool take_sas(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct agent_ike *const i = &a->ike;
	const uint32_t serial = chan_get_u32(&r);
	const uint8_t more = chan_get_u8(&r);
	const uint16_t n = chan_get_u16(&r);

	if (!i->asked || serial != i->serial || more > 1 || n > IKE_WIRE_SAS_MAX ||
	    !make_room(i, i->n_coming + n))
		return false;
	for (uint16_t k = 0; k < n; k++) {
		if (!ike_wire_sa_get(&r, &i->coming[i->n_coming++]))
			return false;
	}
	if (!chan_reader_done(&r))
		return false;
	if (!more)
		sas_came(a);
	return true;
}

static void on_message(void *arg, struct chan_msg *m)
{
	struct agent *const a = arg;
	bool good = false;

	if (m->type == MSG_IKE_APPLIED)
		good = take_applied(a, m);
	else if (m->type == MSG_IKE_SAS)
		good = take_sas(a, m);
	else if (m->type == MSG_IKE_FAULT)
		good = take_fault(a, m);
	else if (m->type == MSG_IKE_EVENT)
		good = agent_ike_event(a, m);
	else if (m->type == MSG_IKE_NEXT)
		good = agent_ike_next(a, m);
	else if (m->type == MSG_IKE_TRACED)
		good = agent_ike_traced(a, m);
	if (good)
		return;
	ipspd_log(LOG_ERR, "agent", "malformed message %u from ike", m->type);
	lose(a);
}

static void on_closed(void *arg, int why)
{
	if (why != 0)
		ipspd_log(LOG_ERR, "agent", "channel to ike: %s", strerror(-why));
	lose((struct agent *)arg);
}

void agent_ike_came(struct agent *a, struct chan_msg *m)
{
	const struct chan_handler handler = { on_message, on_closed, a };

	if (m->n_fds != 1) {
		agent_give_up(a, 1);
		return;
	}
	if (a->ike.chan)
		lose(a);
	const int rc = chan_new(a->base, m->fds[0], &handler, &a->ike.chan);

	if (rc < 0) {
		ipspd_log(LOG_ERR, "agent", "channel to ike: %s", strerror(-rc));
		return;
	}
	m->fds[0] = -1;
	agent_ike_trace_tell(a);
	update(a);
}

/* ---- IKE SAs ---- */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

const struct ike_wire_sa *agent_ike_sas(struct agent *a, size_t *n)
{
	struct agent_ike *const i = &a->ike;
	uint8_t buf[4];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (i->chan && !i->asked && now_ms() - i->asked_ms >= FRESH_MS) {
		i->asked_ms = now_ms();
		chan_put_u32(&w, ++i->serial);
		i->asked = chan_send(i->chan, MSG_IKE_SAS_GET, buf, w.len, NULL, 0) == 0;
	}
	*n = i->n_sas;
	return i->sas;
}

bool agent_ike_is_there(const struct agent *a)
{
	return a->ike.chan && a->ike.applied != 0;
}

bool agent_ike_flush(struct agent *a, enum ike_wire_flush what)
{
	const uint8_t octet = (uint8_t)what;

	return a->ike.chan && chan_send(a->ike.chan, MSG_IKE_FLUSH, &octet, 1, NULL, 0) == 0;
}

void agent_ike_ask(struct agent *a, enum ike_wire_request request, const char *ipsec, const char *ike)
{
	uint8_t buf[2 * IKE_NAME + 16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u8(&w, (uint8_t)request);
	chan_put_text(&w, ipsec);
	chan_put_text(&w, ike);
	if (a->ike.chan)
		(void)chan_send(a->ike.chan, MSG_IKE_REQUEST, buf, w.len, NULL, 0);
}

/* So that who begins to read finds what is not old. */
static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	size_t n;

	(void)fd;
	(void)what;
	(void)agent_ike_sas((struct agent *)arg, &n);
}

/* ---- life ---- */

int agent_ike_init(struct agent *a)
{
	const struct timeval often = { .tv_sec = AGENT_POLL_S };

	a->ike.update = event_new(a->base, -1, 0, on_update, a);
	a->ike.poll = event_new(a->base, -1, EV_PERSIST, on_poll, a);
	return a->ike.update && a->ike.poll && event_add(a->ike.poll, &often) == 0 ? 0 : -1;
}

void agent_ike_fini(struct agent *a)
{
	chan_free(a->ike.chan);
	free(a->ike.sas);
	free(a->ike.coming);
	free(a->ike.faults);
	agent_ike_forget_failures(a);
	if (a->ike.update)
		event_free(a->ike.update);
	if (a->ike.poll)
		event_free(a->ike.poll);
}
