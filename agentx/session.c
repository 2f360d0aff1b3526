/*
 * agentx/session.c - one AgentX session with a master. RFC 2741 7.1, 7.2.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "agentx/answer.h"
#include "agentx/error.h"
#include "agentx/session.h"

/** o.timeout: how long the master should wait for an answer of ours. */
#define OPEN_TIMEOUT_S 5

/** The answers' buffer stays allocated up to so many octets. */
#define ANSWER_KEEP 65536

/** r.priority for who has no particular knowledge, RFC 2741 6.2.3. */
#define PRIORITY 127

/** A new sysUpTime may move the master's start forward by no less: its clock stood still. */
#define START_JUMP_CS 100

const struct ax_timing ax_timing_default = {
	.idle_ms = 15000,
	.reply_ms = 10000,
	.set_wait_ms = 800,
	.set_hold_ms = 8000,
};

/** A request of ours that the master has not answered. */
struct pending {
	uint32_t packet_id;
	uint8_t type;		/* 0: this place is free */
	size_t module;		/* Register: position in mib_modules */
};

enum registration { REG_NONE, REG_ASKED, REG_GIVEN, REG_REFUSED, REG_ASKED_AGAIN };

struct ax_session {
	struct event_base *base;
	struct mib_store *store;		/* NULL: nothing is served */
	size_t n_modules;			/* that are registered */
	const struct ax_timing *timing;
	const struct ax_session_ops *ops;
	void *arg;
	struct ax_log *log;
	struct ax_sets *sets;
	struct ax_notes notes;
	struct ax_session_stats stats;
	enum registration *registrations;	/* one a module */
	struct pending *pending;
	size_t n_pending_max;
	size_t n_pending;
	struct ax_buf answer;		/* one at a time; kept for the next */
	struct event *idle;
	struct event *overdue;

	/* of this connection */
	struct ax_stream *stream;	/* NULL: there is none */
	bool is_open;			/* the master has given session_id */
	bool is_up;
	uint32_t session_id;
	uint32_t last_packet_id;
	size_t notes_unanswered;
	struct timeval heard;		/* when something came last, event_base_gettimeofday_cached */
	bool has_start;
	uint64_t start_cs;		/* the master's, as far as seen */
};

static struct timeval timeval_of(unsigned ms)
{
	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

/** Forgets the connection; what it had tested is dropped. */
static void disconnect(struct ax_session *s)
{
	event_del(s->idle);
	event_del(s->overdue);
	ax_stream_free(s->stream);
	s->stream = NULL;
	s->is_open = s->is_up = s->has_start = false;
	s->stats.notes_unanswered += s->notes_unanswered;
	s->notes_unanswered = 0;
	memset(s->pending, 0, s->n_pending_max * sizeof(*s->pending));
	s->n_pending = 0;
	memset(s->registrations, 0, mib_n_modules * sizeof(*s->registrations));
	ax_sets_session_lost(s->sets);
}

static void lose(struct ax_session *s, const char *why)
{
	disconnect(s);
	s->ops->lost(s->arg, why);
}

/** Sends what the buffer holds, if there is somebody to send to, and frees it. */
static void send_buf(struct ax_session *s, struct ax_buf *b)
{
	if (s->stream && b->len)
		ax_stream_send(s->stream, b->data, b->len);
	ax_buf_fini(b);
}

/** An empty buffer for an answer; what long ones made of it is not kept. */
static struct ax_buf *begin_answer(struct ax_session *s)
{
	if (s->answer.cap > ANSWER_KEEP)
		ax_buf_fini(&s->answer);
	if (!s->answer.data)
		ax_buf_init(&s->answer, AX_PDU_MAX);
	ax_buf_cut(&s->answer, 0);
	return &s->answer;
}

static void send_answer(struct ax_session *s)
{
	if (s->stream && s->answer.len)
		ax_stream_send(s->stream, s->answer.data, s->answer.len);
}

/** Ends the PDU that is alone in the buffer and sends it; without memory for it, nothing. */
static void send_pdu(struct ax_session *s, struct ax_buf *b)
{
	if (!ax_pdu_end(b, 0))
		ax_buf_cut(b, 0);
	send_buf(s, b);
}

/* ---- our requests ---- */

/** A place for a request, with its packet id; the answer is due. @return NULL: all are taken */
static struct pending *expect(struct ax_session *s, uint8_t type)
{
	for (size_t i = 0; i < s->n_pending_max; i++) {
		struct pending *p = &s->pending[i];

		if (p->type)
			continue;
		*p = (struct pending){ .packet_id = ++s->last_packet_id, .type = type };
		s->n_pending++;
		if (!event_pending(s->overdue, EV_TIMEOUT, NULL)) {
			const struct timeval tv = timeval_of(s->timing->reply_ms);

			event_add(s->overdue, &tv);
		}
		return p;
	}
	return NULL;
}

/** The request is not made after all. */
static void forget(struct ax_session *s, struct pending *p)
{
	p->type = 0;
	for (size_t i = 0; i < s->n_pending_max; i++) {
		if (s->pending[i].type)
			return;
	}
	event_del(s->overdue);
}

static struct ax_header our_header(const struct ax_session *s, const struct pending *p)
{
	return (struct ax_header){ .type = p->type,
				   .flags = AX_NETWORK_BYTE_ORDER,
				   .session_id = s->session_id,
				   .packet_id = p->packet_id };
}

static void send_open(struct ax_session *s)
{
	static const struct mib_oid none = { 0 };
	const struct pending *p = expect(s, AX_OPEN);
	struct ax_buf b;

	if (!p)
		return;

	const struct ax_header h = our_header(s, p);

	ax_buf_init(&b, AX_PDU_MAX);
	ax_pdu_begin(&b, &h, NULL);
	ax_put_open(&b, OPEN_TIMEOUT_S, &none, "ipspd");
	send_pdu(s, &b);
}

static void send_register(struct ax_session *s, size_t module)
{
	struct pending *p = expect(s, AX_REGISTER);
	struct ax_buf b;

	if (!p)
		return;
	p->module = module;

	const struct ax_header h = our_header(s, p);

	s->registrations[module] =
		s->registrations[module] == REG_REFUSED ? REG_ASKED_AGAIN : REG_ASKED;
	ax_buf_init(&b, AX_PDU_MAX);
	ax_pdu_begin(&b, &h, NULL);
	ax_put_region(&b, 0, PRIORITY, mib_modules[module].oid, mib_modules[module].oid_len, 0, 0);
	send_pdu(s, &b);
}

static void send_ping(struct ax_session *s)
{
	const struct pending *p = expect(s, AX_PING);
	struct ax_buf b;

	if (!p)
		return;

	const struct ax_header h = our_header(s, p);

	s->stats.pings++;
	ax_buf_init(&b, AX_PDU_MAX);
	ax_pdu_begin(&b, &h, NULL);
	send_pdu(s, &b);
}

/** Sends what waits, as far as the master answers. */
static void send_notes(struct ax_session *s)
{
	while (s->is_up && s->notes_unanswered < AX_NOTES_UNANSWERED_MAX && s->notes.n) {
		struct pending *p = expect(s, AX_NOTIFY);
		struct ax_note *note;

		if (!p)
			return;
		note = ax_notes_take(&s->notes, s->session_id, p->packet_id, ax_boottime_cs());
		if (!note) {	/* all had waited too long */
			forget(s, p);
			return;
		}
		ax_stream_send(s->stream, note->pdu.data, note->pdu.len);
		ax_note_free(note);
		s->notes_unanswered++;
		s->stats.notes_sent++;
	}
}

/* ---- the master's answers ---- */

/**
 * Learns the master's start from its sysUpTime. The true start is never after what one answer
 * gives (an answer takes time), so the earliest counts, and LastChanged does not waver.
 */
static void learn_start(struct ax_session *s, uint32_t uptime_cs)
{
	const uint64_t now = ax_boottime_cs();
	const uint64_t start = now > uptime_cs ? now - uptime_cs : 0;

	if (s->has_start && start >= s->start_cs && start - s->start_cs < START_JUMP_CS)
		return;
	s->has_start = true;
	s->start_cs = start;
	if (s->store)
		mib_store_set_master_start(s->store, start);
}

/** Up when no Register is unanswered any more. */
static void check_up(struct ax_session *s)
{
	for (size_t i = 0; i < s->n_modules; i++)
		if (s->registrations[i] != REG_GIVEN && s->registrations[i] != REG_REFUSED)
			return;
	if (!s->is_up) {
		s->is_up = true;
		s->ops->up(s->arg);
	}
	send_notes(s);
}

static void on_open_answer(struct ax_session *s, const struct ax_pdu *p)
{
	char why[64];

	if (p->response.error) {
		snprintf(why, sizeof(why), "the master refused to open, error %u",
			 p->response.error);
		lose(s, why);
		return;
	}
	s->session_id = p->h.session_id;
	s->is_open = true;
	for (size_t i = 0; i < s->n_modules; i++)
		send_register(s, i);
	if (s->n_modules == 0)
		check_up(s);
}

static void on_register_answer(struct ax_session *s, size_t module, const struct ax_pdu *p)
{
	enum registration *reg = &s->registrations[module];
	const uint16_t error = p->response.error;

	if (error) {
		s->stats.registrations_refused++;
		if (*reg == REG_ASKED)
			ax_log(s->log, LOG_ERR,
			       "the master refused to register %s: %s (error %u); will ask "
			       "again", mib_modules[module].name,
			       error == AX_ERR_DUPLICATE_REGISTRATION ?
				       "another subagent serves it" : "it does not say why",
			       error);
		*reg = REG_REFUSED;
	} else {
		if (*reg == REG_ASKED_AGAIN)
			ax_log(s->log, LOG_NOTICE, "%s is registered now",
			       mib_modules[module].name);
		*reg = REG_GIVEN;
	}
	check_up(s);
}

static void on_response(struct ax_session *s, const struct ax_pdu *p)
{
	struct pending *asked = NULL;

	for (size_t i = 0; i < s->n_pending_max && !asked; i++)
		if (s->pending[i].type && s->pending[i].packet_id == p->h.packet_id)
			asked = &s->pending[i];
	if (!asked || (asked->type != AX_OPEN && p->h.session_id != s->session_id))
		return;		/* 7.2.2: what fits to nothing is dropped */

	const struct pending answered = *asked;

	asked->type = 0;
	s->n_pending--;
	learn_start(s, p->response.uptime_cs);
	if (answered.type != AX_OPEN && p->response.error == AX_ERR_NOT_OPEN) {
		lose(s, "the master has forgotten the session");
		return;
	}
	switch (answered.type) {
	case AX_OPEN:
		on_open_answer(s, p);
		break;
	case AX_REGISTER:
		on_register_answer(s, answered.module, p);
		break;
	case AX_NOTIFY:
		if (p->response.error)
			s->stats.notes_refused++;
		else
			s->stats.notes_acknowledged++;
		s->notes_unanswered--;
		send_notes(s);
		break;
	default:
		break;		/* Ping: that it came is all */
	}
}

/* ---- the master's requests ---- */

static void answer_error(struct ax_session *s, const struct ax_header *h, uint16_t error)
{
	if (h->type == AX_CLEANUP_SET)
		return;		/* 7.2.4.4: no answer, whatever it was */
	ax_answer_plain(h, error, 0, begin_answer(s));
	send_answer(s);
}

static void on_set_answer(void *arg, const struct ax_header *request, uint16_t error,
			  uint16_t index)
{
	struct ax_session *s = arg;

	ax_answer_plain(request, error, index, begin_answer(s));
	send_answer(s);
}

static void on_close(struct ax_session *s, const struct ax_pdu *p)
{
	static const char *const reasons[] = {
		[AX_REASON_OTHER] = "the master closed the session",
		[AX_REASON_PARSE_ERROR] = "the master closed the session: too many parse errors",
		[AX_REASON_PROTOCOL_ERROR] = "the master closed the session: protocol errors",
		[AX_REASON_TIMEOUTS] = "the master closed the session: too many timeouts",
		[AX_REASON_SHUTDOWN] = "the master shuts down",
		[AX_REASON_BY_MANAGER] = "a manager had the session closed",
	};
	const uint8_t reason = p->close.reason;

	answer_error(s, &p->h, AX_ERR_NONE);
	lose(s, reason >= AX_REASON_OTHER && reason <= AX_REASON_BY_MANAGER ?
			reasons[reason] :
			reasons[AX_REASON_OTHER]);
}

static void on_request(struct ax_session *s, const struct ax_pdu *p)
{
	switch (p->h.type) {
	case AX_GET:
	case AX_GET_NEXT:
	case AX_GET_BULK:
		ax_answer_read(s->store, p, begin_answer(s));
		send_answer(s);
		break;
	case AX_TEST_SET:
	case AX_COMMIT_SET:
	case AX_UNDO_SET:
	case AX_CLEANUP_SET:
		ax_sets_request(s->sets, p);
		break;
	case AX_CLOSE:
		on_close(s, p);
		break;
	case AX_PING:
		answer_error(s, &p->h, AX_ERR_NONE);
		break;
	default:		/* only a subagent sends these */
		answer_error(s, &p->h, AX_ERR_PROCESSING_ERROR);
	}
}

/** 7.2.2: parse, then session, then the rest. */
static void on_pdu(void *arg, const struct ax_header *h, const uint8_t *payload)
{
	struct ax_session *s = arg;
	struct ax_pdu p;

	event_base_gettimeofday_cached(s->base, &s->heard);
	if (s->n_pending)
		event_del(s->overdue);
	if (h->type == AX_RESPONSE) {
		if (ax_pdu_parse(h, payload, &p))
			on_response(s, &p);
		else
			s->stats.parse_errors++;
	} else {
		s->stats.requests++;
		if (!ax_pdu_parse(h, payload, &p)) {
			s->stats.parse_errors++;
			ax_log_limited(s->log, LOG_WARNING,
				       "a malformed PDU of type %s (%u) from the master",
				       ax_type_name(h->type), h->type);
			answer_error(s, h, AX_ERR_PARSE_ERROR);
		} else if (!s->is_open || h->session_id != s->session_id) {
			answer_error(s, h, AX_ERR_NOT_OPEN);
		} else if (!s->store && h->type != AX_CLOSE && h->type != AX_PING) {
			answer_error(s, h, AX_ERR_PROCESSING_ERROR);
		} else {
			on_request(s, &p);
		}
	}
	if (s->stream && s->n_pending && !event_pending(s->overdue, EV_TIMEOUT, NULL)) {
		const struct timeval reply = timeval_of(s->timing->reply_ms);

		event_add(s->overdue, &reply);
	}
}

static void on_stream_lost(void *arg, const char *why)
{
	lose(arg, why);
}

/** Nothing was heard for a while: is the master there? Also asks again for what it refused. */
static void on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct ax_session *s = arg;
	struct timeval idle = timeval_of(s->timing->idle_ms), now, until;

	(void)fd;
	(void)what;
	/* The timer is not moved for each PDU, but when it ends it goes by the last one. */
	event_base_gettimeofday_cached(s->base, &now);
	evutil_timeradd(&s->heard, &idle, &until);
	if (evutil_timercmp(&now, &until, <) && evutil_timercmp(&s->heard, &now, <)) {
		evutil_timersub(&until, &now, &until);
		event_add(s->idle, &until);
		return;
	}
	event_add(s->idle, &idle);
	if (event_pending(s->overdue, EV_TIMEOUT, NULL))
		return;		/* an answer is due already */
	for (size_t i = 0; s->is_up && i < s->n_modules; i++)
		if (s->registrations[i] == REG_REFUSED)
			send_register(s, i);
	send_ping(s);
}

static void on_overdue(evutil_socket_t fd, short what, void *arg)
{
	struct ax_session *s = arg;

	(void)fd;
	(void)what;
	ax_session_stop(s, AX_REASON_TIMEOUTS);
	s->ops->lost(s->arg, "the master does not answer");
}

/* ---- public ---- */

enum mib_err ax_session_new(struct event_base *base, struct mib_store *store,
			    const struct ax_timing *timing, const struct ax_session_ops *ops,
			    void *arg, struct ax_log *log, struct ax_session **out)
{
	static const struct ax_sets_ops sets_ops = { on_set_answer };
	struct ax_session *s = calloc(1, sizeof(*s));

	if (!s)
		return MIB_RESOURCE_UNAVAILABLE;
	s->base = base;
	s->store = store;
	s->n_modules = store ? mib_n_modules : 0;
	s->timing = timing;
	s->ops = ops;
	s->arg = arg;
	s->log = log;
	ax_notes_init(&s->notes);
	s->n_pending_max = mib_n_modules + AX_NOTES_UNANSWERED_MAX + 2;	/* Open, Ping */
	s->registrations = calloc(mib_n_modules, sizeof(*s->registrations));
	s->pending = calloc(s->n_pending_max, sizeof(*s->pending));
	s->idle = evtimer_new(base, on_idle, s);
	s->overdue = evtimer_new(base, on_overdue, s);
	if (!s->registrations || !s->pending || !s->idle || !s->overdue ||
	    ax_sets_new(base, store, timing->set_wait_ms, timing->set_hold_ms, &sets_ops, s, log,
			&s->sets) != MIB_OK) {
		ax_session_free(s);
		return MIB_RESOURCE_UNAVAILABLE;
	}
	*out = s;
	return MIB_OK;
}

void ax_session_free(struct ax_session *s)
{
	if (!s)
		return;
	if (s->stream)
		ax_session_stop(s, AX_REASON_SHUTDOWN);
	ax_sets_free(s->sets);
	ax_notes_fini(&s->notes);
	if (s->idle)
		event_free(s->idle);
	if (s->overdue)
		event_free(s->overdue);
	ax_buf_fini(&s->answer);
	free(s->registrations);
	free(s->pending);
	free(s);
}

enum mib_err ax_session_start(struct ax_session *s, int fd)
{
	static const struct ax_stream_ops stream_ops = { on_pdu, on_stream_lost };
	const struct timeval idle = timeval_of(s->timing->idle_ms);
	const enum mib_err err = ax_stream_new(s->base, fd, &stream_ops, s, &s->stream);

	if (err != MIB_OK)
		return err;
	s->session_id = 0;
	event_add(s->idle, &idle);
	send_open(s);
	return MIB_OK;
}

void ax_session_stop(struct ax_session *s, enum ax_reason reason)
{
	const struct ax_header h = { .type = AX_CLOSE,
				     .flags = AX_NETWORK_BYTE_ORDER,
				     .session_id = s->session_id,
				     .packet_id = ++s->last_packet_id };
	struct ax_buf b;

	if (!s->stream)
		return;
	if (s->is_open) {
		ax_buf_init(&b, AX_PDU_MAX);
		ax_pdu_begin(&b, &h, NULL);
		ax_put_close(&b, reason);
		send_pdu(s, &b);
	}
	disconnect(s);
}

bool ax_session_is_up(const struct ax_session *s)
{
	return s->is_up;
}

enum mib_err ax_session_notify(struct ax_session *s, const struct mib_notification *n,
			       const struct ax_note_object *objects, size_t n_objects,
			       size_t n_key)
{
	const enum mib_err err = ax_notes_add(&s->notes, n, objects, n_objects, n_key,
					      ax_boottime_cs());

	if (err == MIB_OK)
		send_notes(s);
	return err;
}

void ax_session_stats(const struct ax_session *s, struct ax_session_stats *out)
{
	*out = s->stats;
	out->notes_coalesced = s->notes.coalesced;
	out->notes_dropped = s->notes.dropped;
	out->notes_waiting = s->notes.n;
}

const struct ax_sets_stats *ax_session_sets_stats(const struct ax_session *s)
{
	return ax_sets_stats(s->sets);
}
