/*
 * ipspd/agent_ike_news.c - what becomes of IKE SAs: notifications of it, and why a connection is not up, for
 * those who read; and messages, for those who look at them.
 *
 * A stranger may cause failures: notifications have their limits, and reasons are kept of connections alone.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipspd/agent_int.h"
#include "ipspd/agent_note.h"
#include "ipspd/messages.h"
#include "mibs/schema_gen.h"
#include "policy/rows.h"

#define FAILURES_MAX 4096u	/* connections whose last failure is kept */

enum { V2 = 2 };
enum { TRUTH_TRUE = 1, TRUTH_FALSE = 2 };

struct ike_failure {
	char ipsec[IKE_NAME], ike[IKE_NAME];
	char text[IKE_WIRE_TEXT];	/* "": none yet */
	uint64_t next_ms;		/* it is begun again then; 0: that is not planned */
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- why a connection is not up ---- */

static struct ike_failure *failure_of(const struct agent_ike *i, const char *ipsec, const char *ike)
{
	for (size_t k = 0; k < i->n_failures; k++) {
		if (!strcmp(i->failures[k].ipsec, ipsec) && !strcmp(i->failures[k].ike, ike))
			return &i->failures[k];
	}
	return NULL;
}

const char *agent_ike_failure(const struct agent *a, const char *ipsec, const char *ike)
{
	const struct ike_failure *const f = failure_of(&a->ike, ipsec, ike);

	return f ? f->text : "";
}

static void forget_failure(struct agent_ike *i, struct ike_failure *f)
{
	if (f)
		*f = i->failures[--i->n_failures];
}

/* The one of a connection, or a new one; NULL: there are too many, or no memory is left. */
static struct ike_failure *add_failure(struct agent_ike *i, const char *ipsec, const char *ike)
{
	struct ike_failure *const f = failure_of(i, ipsec, ike);
	struct ike_failure *grown;

	if (f || i->n_failures == FAILURES_MAX)
		return f;
	grown = reallocarray(i->failures, i->n_failures + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	i->failures = grown;
	grown += i->n_failures++;
	*grown = (struct ike_failure){ .next_ms = 0 };
	snprintf(grown->ipsec, sizeof(grown->ipsec), "%s", ipsec);
	snprintf(grown->ike, sizeof(grown->ike), "%s", ike);
	return grown;
}

static void keep_failure(struct agent_ike *i, const struct ike_wire_event *e)
{
	struct ike_failure *const f = add_failure(i, e->ipsec, e->ike);

	if (f)
		memcpy(f->text, e->text, sizeof(f->text));
}

bool agent_ike_next(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct ike_wire_next next;
	struct ike_failure *f;

	if (!ike_wire_next_get(&r, &next))
		return false;
	f = next.in_ms > 0 ? add_failure(&a->ike, next.ipsec, next.ike) :
			     failure_of(&a->ike, next.ipsec, next.ike);
	if (f)
		f->next_ms = next.in_ms > 0 ? now_ms() + next.in_ms : 0;
	if (f && f->next_ms == 0 && !f->text[0])
		forget_failure(&a->ike, f);
	return true;
}

uint32_t agent_ike_next_s(const struct agent *a, const char *ipsec, const char *ike)
{
	const struct ike_failure *const f = failure_of(&a->ike, ipsec, ike);
	const uint64_t now = now_ms();

	return f && f->next_ms > now ? (uint32_t)((f->next_ms - now + 999) / 1000) : 0;
}

void agent_ike_forget_failures(struct agent *a)
{
	free(a->ike.failures);
	a->ike.failures = NULL;
	a->ike.n_failures = 0;
}

/* ---- notifications ---- */

/* The IKE action that it was begun by, or answered. */
static void row_of(const struct ike_wire_event *e, struct mib_oid *row)
{
	uint32_t index[1 + IKE_NAME];

	*row = (struct mib_oid){ .ids = { 0, 0 }, .len = 2 };	/* zeroDotZero */
	index[0] = (uint32_t)strlen(e->ike);
	for (uint32_t k = 0; k < index[0]; k++)
		index[1 + k] = (uint8_t)e->ike[k];
	if (index[0] > 0)
		(void)pol_row_pointer(&mib_t_ipiaIkeActionTable, index, 1 + index[0], row);
}

static void add_sa(struct agent_note *n, const struct ike_wire_event *e)
{
	note_add(n, mib_value_integer(V2));
	note_add(n, mib_value_integer(e->initiator ? TRUTH_TRUE : TRUTH_FALSE));
	note_add(n, mib_value_octets(e->spi_i, sizeof(e->spi_i)));
	note_add(n, mib_value_octets(e->spi_r, sizeof(e->spi_r)));
}

static void add_ends(struct agent_note *n, const struct ike_wire_event *e)
{
	note_add_address(n, &e->path.local);
	note_add_address(n, &e->path.remote);
}

static void tell(struct agent *a, const struct ike_wire_event *e, size_t kind)
{
	char text[IKE_IDENTITY_TEXT];
	struct agent_note n;
	struct mib_oid row;

	if (!notify_may(a))
		return;
	row_of(e, &row);
	note_begin(&n, kind);
	note_add(&n, mib_value_oid(row.ids, row.len));
	if (e->kind != IKE_EVENT_UNREACHABLE)
		add_sa(&n, e);
	add_ends(&n, e);
	if (e->kind == IKE_EVENT_UP || e->kind == IKE_EVENT_AUTH_FAILED) {
		note_add(&n, mib_value_unsigned(e->remote.type));
		note_add_text(&n, agent_ike_identity(&e->remote, text));
	}
	if (e->kind == IKE_EVENT_DOWN)
		note_add(&n, mib_value_integer(e->end));
	if (e->kind != IKE_EVENT_UP)
		note_add_text(&n, e->text);
	note_send(a, &n, n.n);
}

bool agent_ike_event(struct agent *a, const struct chan_msg *m)
{
	static const size_t kinds[IKE_EVENTS] = {
		[IKE_EVENT_UP] = MIB_N_ipspdIkeSaUp, [IKE_EVENT_DOWN] = MIB_N_ipspdIkeSaDown,
		[IKE_EVENT_AUTH_FAILED] = MIB_N_ipspdIkeAuthFailed,
		[IKE_EVENT_UNREACHABLE] = MIB_N_ipspdPeerUnreachable,
	};
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct ike_wire_event e;

	if (!ike_wire_event_get(&r, &e))
		return false;
	if (e.kind == IKE_EVENT_UP)
		forget_failure(&a->ike, failure_of(&a->ike, e.ipsec, e.ike));
	else if (e.ipsec[0] || e.ike[0])
		keep_failure(&a->ike, &e);
	if (e.kind != IKE_EVENT_FAILED)
		tell(a, &e, kinds[e.kind]);
	return true;
}

/* ---- messages ---- */

void agent_ike_trace_tell(struct agent *a)
{
	const uint8_t on = a->ike.tracer != NULL;

	if (a->ike.chan)
		(void)chan_send(a->ike.chan, MSG_IKE_TRACE, &on, 1, NULL, 0);
}

void agent_ike_trace(struct agent *a, struct agent_tracer *t)
{
	a->ike.tracer = t;
	agent_ike_trace_tell(a);
}

bool agent_ike_traced(struct agent *a, const struct chan_msg *m)
{
	static char lines[CHAN_PAYLOAD_MAX + 1];
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint32_t lost = chan_get_u32(&r);

	if (!chan_get_text(&r, lines, sizeof(lines)) || !chan_reader_done(&r))
		return false;
	if (a->ike.tracer)
		a->ike.tracer->traced(a->ike.tracer, lost, lines);
	return true;
}
