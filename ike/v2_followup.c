/*
 * ike/v2_followup.c - further key exchanges of CREATE_CHILD_SA, so that what it makes stands while one of them does.
 * RFC 9370 2.2.4.
 *
 *	HDR, SK {SA, Ni, KEi(0), ...}  -->			CREATE_CHILD_SA
 *	<--  HDR, SK {SA, Nr, KEr(0), ..., N(ADDITIONAL_KEY_EXCHANGE)(link)}
 *	HDR, SK {KEi(n), N(ADDITIONAL_KEY_EXCHANGE)(link)}  -->	IKE_FOLLOWUP_KE, once for each transform of ADDKE1 to ADDKE7
 *	<--  HDR, SK {KEr(n)[, N(ADDITIONAL_KEY_EXCHANGE)(link)]}
 *
 * Nothing is made before the last one. Who answers says which negotiation the next one is of, and forgets it when none
 * comes for a while.
 */
#include <string.h>
#include <sys/endian.h>

#include <gcrypt.h>

#include "ike/internal.h"

#define PATIENCE_MS 120000u	/* till what is not gone on with is forgotten: as long as requests are sent again */
#define WAITING_MAX 8u		/* of one IKE SA */
#define LINK_LEN 4u		/* of ours */

static struct ipsp_span nothing(void)
{
	return (struct ipsp_span){ 0 };
}

static const struct ike_suite *suite_of(const struct ike_exchange *x)
{
	return x->purpose == IKE_FOR_IKE_REKEY ? &x->suite : &x->child_suite;
}

/* The next one from at_more on that was agreed on. 0: none is left. */
static uint16_t next_method(struct ike_exchange *x)
{
	const struct ike_suite *const s = suite_of(x);

	while (x->at_more < IKE_ADD_KE_MAX && !s->add_ke[x->at_more])
		x->at_more++;
	return x->at_more < IKE_ADD_KE_MAX ? s->add_ke[x->at_more] : 0;
}

/* ---- secrets: SK(0), then SK(1) to SK(n) ---- */

static size_t all_secrets_len(const struct ike_suite *s)
{
	size_t len = ike_ke_find(s->ke)->shared_len;

	for (unsigned i = 0; i < IKE_ADD_KE_MAX; i++)
		len += s->add_ke[i] ? ike_ke_find(s->add_ke[i])->shared_len : 0;
	return len;
}

/* The one that was computed last goes to the others. False: no memory. */
static bool keep_secret(struct ike_exchange *x)
{
	if (!x->more) {
		x->more = gcry_malloc_secure(all_secrets_len(suite_of(x)));
		if (!x->more)
			return false;
		x->first_len = x->job.shared_len;
	}
	memcpy(x->more + x->more_len, x->job.shared, x->job.shared_len);
	x->more_len += x->job.shared_len;
	gcry_free(x->job.shared);
	x->job.shared = NULL;
	return true;
}

struct ipsp_span ike_exchange_shared(const struct ike_exchange *x)
{
	if (x->more)
		return (struct ipsp_span){ x->more, x->first_len };
	return x->job.shared ? (struct ipsp_span){ x->job.shared, x->job.shared_len } : nothing();
}

struct ipsp_span ike_exchange_further(const struct ike_exchange *x)
{
	return x->more ? (struct ipsp_span){ x->more + x->first_len, x->more_len - x->first_len } : nothing();
}

static void build_link(struct ike_builder *b, struct ipsp_span link)
{
	ike_build_notify(b, 0, nothing(), IKE_N_ADDITIONAL_KEY_EXCHANGE, link);
}

static bool read_ke(struct ike_exchange *x, const struct ike_parsed *m, struct ipsp_span *value)
{
	const struct ike_payload *const ke = ike_parsed_find(m, IKE_PAYLOAD_KE);
	uint16_t method;

	return ke && ike_ke_read(ke, &method, value) && method == next_method(x);
}

/* ---- ours ---- */

static void fail(struct ike_exchange *x, const char *why, uint64_t now_ms)
{
	if (x->purpose == IKE_FOR_IKE_REKEY)
		ike_rekey_fail(x, why, now_ms);
	else
		ike_child_fail(x, why);
}

static void send_request(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_builder b;

	if (x->job.err != IPSP_OK) {
		fail(x, "a further key exchange cannot be computed", now_ms);
		return;
	}
	ike_build_begin(&b, x->sa->world->chain, IKE_CLEAR_MAX);
	ike_build_ke(&b, &x->job);
	build_link(&b, (struct ipsp_span){ x->link, x->link_len });
	if (ike_request_send(x, IKE_EXCHANGE_IKE_FOLLOWUP_KE, &b, now_ms) != IPSP_OK)
		fail(x, "no memory", now_ms);
}

static void ask(struct ike_exchange *x, uint64_t now_ms)
{
	const uint16_t method = next_method(x);

	if (!method) {
		x->done(x, now_ms);
		return;
	}
	ike_run_ke(x, method);
	ike_wait(x, send_request, now_ms);
}

static void computed(struct ike_exchange *x, uint64_t now_ms)
{
	if (x->job.err != IPSP_OK) {
		fail(x, "the peer's key exchange data is no value of its group", now_ms);
	} else if (!keep_secret(x)) {
		fail(x, "no memory", now_ms);
	} else {
		x->at_more += x->more_len > x->first_len;
		ask(x, now_ms);
	}
}

/* False: it names none, or one that is longer than names are. */
static bool take_link(struct ike_exchange *x, const struct ike_parsed *m)
{
	struct ike_notify n;

	if (!ike_parsed_notify(m, IKE_N_ADDITIONAL_KEY_EXCHANGE, &n) || n.data.len > sizeof(x->link))
		return false;
	memcpy(x->link, n.data.data, n.data.len);
	x->link_len = (uint8_t)n.data.len;
	return true;
}

const char *ike_followup_take(struct ike_exchange *x, const struct ike_parsed *m)
{
	const struct ike_suite *const s = suite_of(x);

	if (!ike_suite_has_more(s))
		return NULL;
	/* All of ours are known here; further ones than none are not. */
	if (!ike_suite_is_known(s))
		return "the peer chose what we did not offer";
	return take_link(x, m) ? NULL : "the peer chose further key exchanges, and does not say what follows";
}

void ike_followup_finish(struct ike_exchange *x, void (*done)(struct ike_exchange *x, uint64_t now_ms),
			 uint64_t now_ms)
{
	x->done = done;
	ike_run(x, IKE_JOB_KE_FINISH);
	ike_wait(x, ike_suite_has_more(suite_of(x)) ? computed : done, now_ms);
}

/* The last one needs no name for what follows. */
static bool is_last(const struct ike_exchange *x)
{
	const struct ike_suite *const s = suite_of(x);

	for (unsigned i = x->at_more + 1; i < IKE_ADD_KE_MAX; i++) {
		if (s->add_ke[i])
			return false;
	}
	return true;
}

/* 2.2.4: the peer has forgotten it, or cannot now: from the start, then. */
static void refused(struct ike_exchange *x, uint16_t notify, uint64_t now_ms)
{
	char name[IKE_NAME_TEXT];

	if ((notify == IKE_N_STATE_NOT_FOUND || notify == IKE_N_TEMPORARY_FAILURE) &&
	    x->purpose != IKE_FOR_CHILD && (x->rekeyed || x->purpose == IKE_FOR_IKE_REKEY))
		ike_life_again(x->sa, x->rekeyed, now_ms);
	fail(x, ike_name_or_number(IKE_LIST_NOTIFY, notify, name), now_ms);
}

void ike_followup_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ipsp_span value;
	struct ike_notify n;

	if (ike_parsed_error(m, &n)) {
		refused(x, n.type, now_ms);
	} else if (!read_ke(x, m, &value)) {
		fail(x, "the peer's key exchange is another one", now_ms);
	} else if (!is_last(x) && !take_link(x, m)) {
		fail(x, "the peer does not say what follows", now_ms);
	} else if (!ike_job_take(&x->job, value)) {
		fail(x, "no memory", now_ms);
	} else {
		ike_run(x, IKE_JOB_KE_FINISH);
		ike_wait(x, computed, now_ms);
	}
}

/* ---- theirs ---- */

static void forgotten(struct ike_timer *t, uint64_t now_ms)
{
	struct ike_exchange *const x =
		(struct ike_exchange *)((char *)t - offsetof(struct ike_exchange, patience));

	(void)now_ms;
	ike_say(x->sa, IKE_LOG_INFO, "the peer does not go on with its further key exchanges");
	ike_exchange_free(x);
}

static bool waits(const struct ike_exchange *x)
{
	return !x->ours && x->link_len > 0;
}

struct ike_exchange *ike_followup_waiting(const struct ike_sa *sa, enum ike_purpose purpose,
					  const struct ike_child *rekeyed)
{
	struct ike_exchange *x = sa->exchanges;

	while (x && (!waits(x) || x->purpose != purpose || x->rekeyed != rekeyed))
		x = x->next;
	return x;
}

static bool has_room(const struct ike_sa *sa)
{
	unsigned n = 0;

	for (const struct ike_exchange *x = sa->exchanges; x; x = x->next)
		n += waits(x);
	return n < WAITING_MAX;
}

uint16_t ike_followup_may(struct ike_exchange *x)
{
	struct ike_exchange *before;

	if (!ike_suite_has_more(suite_of(x)))
		return 0;
	/* Who asks again for the same has given up what it asked for before. */
	before = x->purpose == IKE_FOR_CHILD ? NULL : ike_followup_waiting(x->sa, x->purpose, x->rekeyed);
	if (before)
		ike_exchange_free(before);
	return has_room(x->sa) ? 0 : IKE_N_TEMPORARY_FAILURE;
}

/* Another name each time: an old one leads nowhere. */
static void name_next(struct ike_exchange *x, struct ike_builder *b, uint64_t now_ms)
{
	struct ike_world *const w = x->sa->world;

	x->link_len = LINK_LEN;
	w->ops.random(w->arg, x->link, x->link_len);
	build_link(b, (struct ipsp_span){ x->link, x->link_len });
	ike_timer_start(&w->timers, &x->patience, now_ms + PATIENCE_MS, forgotten);
}

bool ike_followup_offer(struct ike_exchange *x, struct ike_builder *b, uint64_t now_ms)
{
	if (!keep_secret(x))
		return false;
	name_next(x, b, now_ms);
	return true;
}

static void give_up(struct ike_exchange *x, uint16_t notify, const char *why, uint64_t now_ms)
{
	ike_say(x->sa, IKE_LOG_INFO, "a further key exchange of the peer's fails: %s", why);
	ike_refuse(x, notify, nothing(), now_ms);
	ike_exchange_free(x);
}

/* What all of it was for. */
static void complete(struct ike_exchange *x, struct ike_builder *b, uint64_t now_ms)
{
	const bool ike = x->purpose == IKE_FOR_IKE_REKEY;
	const uint16_t notify = ike ? ike_rekey_make(x, now_ms) : ike_child_make(x);

	if (notify) {
		give_up(x, notify, "it cannot be made", now_ms);
		return;
	}
	if (ike_answer_send(x, b, now_ms) != IPSP_OK)
		ike_say(x->sa, IKE_LOG_ERROR, "no answer could be made");
	if (ike)
		ike_rekey_settle(x, now_ms);
	else
		ike_exchange_free(x);
}

static void answer(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_builder b;

	if (x->job.err != IPSP_OK) {
		give_up(x, ike_job_refusal(x->job.err), "it is no value of its group", now_ms);
		return;
	}
	if (!keep_secret(x)) {
		give_up(x, IKE_N_TEMPORARY_FAILURE, "no memory", now_ms);
		return;
	}
	ike_build_begin(&b, x->sa->world->chain, IKE_CLEAR_MAX);
	ike_build_ke(&b, &x->job);
	x->at_more++;
	if (!next_method(x)) {
		complete(x, &b, now_ms);
		return;
	}
	name_next(x, &b, now_ms);
	if (ike_answer_send(x, &b, now_ms) != IPSP_OK)
		ike_say(x->sa, IKE_LOG_ERROR, "no answer could be made");
}

/* The negotiation that a request goes on with. NULL: there is none, or it is at something. */
static struct ike_exchange *find(const struct ike_sa *sa, const struct ike_parsed *m)
{
	struct ike_exchange *x = sa->exchanges;
	struct ike_notify n;

	if (sa->state != IKE_SA_ESTABLISHED || !ike_parsed_notify(m, IKE_N_ADDITIONAL_KEY_EXCHANGE, &n))
		return NULL;
	while (x && (!waits(x) || x->pending || n.data.len != x->link_len ||
		     memcmp(n.data.data, x->link, x->link_len)))
		x = x->next;
	return x;
}

void ike_followup_request(struct ike_exchange *came, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ike_exchange *const x = find(came->sa, m);
	struct ipsp_span value;

	if (!x) {
		ike_say(came->sa, IKE_LOG_INFO, "the peer goes on with what is not known: we answer STATE_NOT_FOUND");
		ike_refuse(came, IKE_N_STATE_NOT_FOUND, nothing(), now_ms);
		ike_exchange_free(came);
		return;
	}
	x->type = came->type;
	x->id = came->id;
	x->came = came->came;
	ike_exchange_free(came);
	if (!read_ke(x, m, &value)) {
		give_up(x, IKE_N_INVALID_SYNTAX, "it is another one", now_ms);
		return;
	}
	x->job.method = next_method(x);
	x->job.ours_len = ike_ke_find(x->job.method)->answer_len;
	if (!ike_job_take(&x->job, value)) {
		give_up(x, IKE_N_TEMPORARY_FAILURE, "no memory", now_ms);
		return;
	}
	ike_run(x, IKE_JOB_KE_ANSWER);
	ike_wait(x, answer, now_ms);
}
