/*
 * ike/v2_rekey.c - CREATE_CHILD_SA for the IKE SA itself. RFC 7296 1.3.2, 2.8, 2.8.2 (both at once), 2.18, 2.25.2.
 *
 *	HDR, SK {SA, Ni, KEi}  -->
 *	<--  HDR, SK {SA, Nr, KEr}
 *
 * The Child SAs go over to the new IKE SA, their SPIs and keys as they were; then the old one is deleted by
 * whoever asked. When both asked, two new ones are there: the one made with the lowest nonce goes, and
 * who asked for it deletes it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include <gcrypt.h>

#include "ike/internal.h"

static struct ipsp_span nothing(void)
{
	return (struct ipsp_span){ 0 };
}

/* ---- the new IKE SA ---- */

static enum ipsp_err derive(struct ike_exchange *x)
{
	struct ike_sa *const fresh = x->fresh;
	const struct ike_key_source source = {
		.suite = &x->suite, .spi_i = fresh->spi_i, .spi_r = fresh->spi_r,
		.nonce_i = { x->nonce_i, x->nonce_i_len }, .nonce_r = { x->nonce_r, x->nonce_r_len },
		.shared = ike_exchange_shared(x), .further = ike_exchange_further(x),
	};

	fresh->suite = x->suite;
	ike_exchange_lowest(x, fresh->nonce_min);
	return ike_keys_make(fresh->world->prfs, fresh->world->crypto, &source, x->sa->keys,
			     &fresh->keys);
}

static struct ike_identity *copy_identity(const struct ike_identity *id)
{
	struct ike_identity *const copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *id;
	return copy;
}

/* It is established with the same two as the old one. False: no memory. */
static bool open_fresh(struct ike_sa *fresh, const struct ike_sa *old, uint64_t now_ms)
{
	fresh->local = copy_identity(old->local);
	fresh->remote = copy_identity(old->remote);
	if (!fresh->local || !fresh->remote)
		return false;
	fresh->path = old->path;	/* it may have moved meanwhile */
	fresh->nat = old->nat;
	fresh->nat_found = old->nat_found;
	fresh->nat_here = old->nat_here;
	fresh->natt = old->natt;
	fresh->mobike = old->mobike;
	fresh->first = old->first;
	fresh->fragments = old->fragments;
	fresh->window = old->window;
	ike_life_begin(fresh, now_ms);
	ike_reauth_inherit(fresh, old);
	fresh->state = IKE_SA_ESTABLISHED;
	ike_sa_opened(fresh);
	return true;
}

/* Those in the making have no future there: who wanted one in the place of another tries again. */
static void drop_in_the_making(struct ike_sa *from)
{
	struct ike_exchange *x = from->exchanges;

	while (x) {
		struct ike_exchange *const next = x->next;

		if (x->purpose == IKE_FOR_CHILD || x->purpose == IKE_FOR_CHILD_REKEY) {
			if (x->rekeyed && x->ours)
				x->rekeyed->renew = true;
			ike_exchange_free(x);
		}
		x = next;
	}
}

static void move_children(struct ike_sa *from, struct ike_sa *to, uint64_t now_ms)
{
	drop_in_the_making(from);
	while (from->children) {
		struct ike_child *const c = from->children;

		ike_child_unlink(c);
		c->rekey = NULL;
		c->rival = NULL;
		ike_child_link(to, c);
		if (c->renew)
			ike_life_again(to, c, now_ms);
	}
	const uint32_t number = from->number;

	/* Who watches sees one that goes on. */
	from->number = to->number;
	to->number = number;
	from->state = IKE_SA_REKEYED;
	ike_event_inherit(from, to);
	/* What the peer hears of the old one says nothing of this one. */
	if (ike_exchange_runs(from, IKE_FOR_MOVE, true))
		ike_mobike_tell(to, now_ms);
	from->renew = false;
	ike_reauth_pass(from, to);
	ike_say(from, IKE_LOG_INFO, "another one has taken its Child SAs");
}

static bool new_fresh(struct ike_exchange *x, bool initiator, uint64_t now_ms)
{
	const struct ike_sa *const sa = x->sa;

	x->fresh = ike_sa_new(sa->world, sa->conn, &sa->path, initiator, now_ms);
	if (x->fresh)
		x->fresh->fresh_of = x;
	return x->fresh != NULL;
}

/* It stands by itself now. */
static struct ike_sa *release_fresh(struct ike_exchange *x)
{
	struct ike_sa *const fresh = x->fresh;

	fresh->fresh_of = NULL;
	x->fresh = NULL;
	return fresh;
}

/* Keys, and all that it has of the old one. False: the peer's value is none, or no memory. */
static bool make_fresh(struct ike_exchange *x, uint64_t now_ms)
{
	return x->fresh && x->job.err == IPSP_OK && derive(x) == IPSP_OK &&
	       open_fresh(x->fresh, x->sa, now_ms);
}

/* ---- ours ---- */

/* The peer's own rekey has won, by whatever way. */
void ike_rekey_before_end(struct ike_sa *sa, uint64_t now_ms)
{
	struct ike_sa *const rival = sa->rival;

	ike_sa_set_rival(sa, NULL);
	if (rival)
		move_children(sa, rival, now_ms);
}

void ike_rekey_fail(struct ike_exchange *x, const char *why, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;

	ike_say(sa, IKE_LOG_NOTICE, "it is not rekeyed by us: %s", why);
	ike_exchange_free(x);
	ike_rekey_before_end(sa, now_ms);
}

static void give_up(struct ike_exchange *x, const char *why, uint64_t now_ms)
{
	ike_rekey_fail(x, why, now_ms);
}

static void send_request(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_offers offers = sa->conn->offers;
	struct ike_builder b;

	if (!x->fresh || x->job.err != IPSP_OK) {
		give_up(x, "the key exchange cannot be computed", now_ms);
		return;
	}
	for (unsigned i = 0; i < offers.n; i++) {
		offers.offers[i].spi_len = IKE_SPI_LEN;
		memcpy(offers.offers[i].spi, x->fresh->spi_i, IKE_SPI_LEN);
	}
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	ike_offers_write(&offers, &b);
	ike_build_nonce(&b, x->nonce_i, x->nonce_i_len);
	ike_build_ke(&b, &x->job);
	if (ike_request_send(x, IKE_EXCHANGE_CREATE_CHILD_SA, &b, now_ms) != IPSP_OK)
		give_up(x, "no memory", now_ms);
}

static void begin_with(struct ike_exchange *x, uint16_t method, uint64_t now_ms)
{
	ike_run_ke(x, method);
	ike_wait(x, send_request, now_ms);
}

enum ipsp_err ike_rekey_begin(struct ike_sa *sa, uint64_t now_ms)
{
	struct ike_exchange *x;

	if (sa->state != IKE_SA_ESTABLISHED || ike_exchange_runs(sa, IKE_FOR_IKE_REKEY, true))
		return IPSP_EEXIST;
	x = ike_exchange_new(sa, IKE_FOR_IKE_REKEY, true);
	if (!x)
		return IPSP_ENOMEM;
	if (!new_fresh(x, true, now_ms)) {
		ike_exchange_free(x);
		return IPSP_ENOMEM;
	}
	x->nonce_i_len = IKE_NONCE_LEN;
	sa->world->ops.random(sa->world->arg, x->nonce_i, x->nonce_i_len);
	/* The old one's group is one that the peer has, if no other is wanted first. */
	begin_with(x, sa->suite.ke, now_ms);
	return IPSP_OK;
}

/* Of two new ones: ours and the peer's, which may be in the making yet. */
static bool ours_lost(const struct ike_sa *old, const struct ike_sa *ours)
{
	const struct ike_exchange *const coming = ike_followup_waiting(old, IKE_FOR_IKE_REKEY, NULL);

	return ike_exchange_lost(ours->nonce_min, old->rival ? old->rival->nonce_min : NULL, coming);
}

static void decide(struct ike_sa *old, struct ike_sa *ours, uint64_t now_ms)
{
	struct ike_sa *const theirs = old->rival;
	const bool lost = ours_lost(old, ours);

	ike_sa_set_rival(old, NULL);
	if (!lost || theirs)
		move_children(old, lost ? theirs : ours, now_ms);
	else
		ike_life_again(old, NULL, now_ms);	/* should theirs come to nothing */
	if (ike_delete_begin(lost ? ours : old, NULL, now_ms) != IPSP_OK)
		ike_say(old, IKE_LOG_ERROR, "an IKE SA that was rekeyed cannot be deleted: no memory");
}

static void finish(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_sa *fresh;

	if (!make_fresh(x, now_ms)) {
		give_up(x, "the peer's key exchange data is no value of its group", now_ms);
		return;
	}
	fresh = release_fresh(x);
	ike_exchange_free(x);
	ike_say(fresh, IKE_LOG_INFO, "established in the place of another one");
	decide(sa, fresh, now_ms);
}

static bool read_answer(struct ike_exchange *x, const struct ike_parsed *m, struct ipsp_span *value)
{
	const struct ike_payload *const payload = ike_parsed_find(m, IKE_PAYLOAD_SA);
	const struct ike_payload *const ke = ike_parsed_find(m, IKE_PAYLOAD_KE);
	const struct ike_offers *const ours = &x->sa->conn->offers;
	struct ike_offers answer;
	struct ike_fault fault;
	uint16_t method;

	return payload && ke && ike_offers_read(payload->body, &answer, &fault) &&
	       ike_offers_accept(ours, &answer, &x->suite) && !ike_followup_take(x, m) &&
	       x->suite.spi_len == IKE_SPI_LEN && be64dec(x->suite.spi) != 0 &&
	       ike_ke_read(ke, &method, value) && method == x->suite.ke &&
	       method == x->job.method && ike_parsed_nonce(m, x->nonce_r, &x->nonce_r_len);
}

void ike_rekey_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ike_notify n;
	struct ipsp_span value;
	char name[IKE_NAME_TEXT];

	if (ike_parsed_notify(m, IKE_N_INVALID_KE_PAYLOAD, &n) && n.data.len == 2 &&
	    ike_offers_has_method(&x->sa->conn->offers, be16dec(n.data.data)) &&
	    be16dec(n.data.data) != x->job.method) {
		begin_with(x, be16dec(n.data.data), now_ms);
	} else if (ike_parsed_error(m, &n)) {
		if (n.type == IKE_N_TEMPORARY_FAILURE)
			ike_life_again(x->sa, NULL, now_ms);
		give_up(x, ike_name_or_number(IKE_LIST_NOTIFY, n.type, name), now_ms);
	} else if (!read_answer(x, m, &value)) {
		give_up(x, "the peer chose what we did not offer", now_ms);
	} else if (!ike_job_take(&x->job, value)) {
		give_up(x, "no memory", now_ms);
	} else {
		if (x->fresh)
			memcpy(x->fresh->spi_r, x->suite.spi, IKE_SPI_LEN);
		ike_followup_finish(x, finish, now_ms);
	}
}

/* ---- theirs ---- */

static void refuse(struct ike_exchange *x, uint16_t notify, struct ipsp_span data, uint64_t now_ms)
{
	char name[IKE_NAME_TEXT];

	ike_say(x->sa, IKE_LOG_INFO, "it is not rekeyed by the peer: we answer %s",
		ike_name_or_number(IKE_LIST_NOTIFY, notify, name));
	ike_refuse(x, notify, data, now_ms);
	ike_exchange_free(x);
}

uint16_t ike_rekey_make(struct ike_exchange *x, uint64_t now_ms)
{
	return make_fresh(x, now_ms) ? 0 : ike_job_refusal(x->job.err);
}

void ike_rekey_settle(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_sa *const fresh = release_fresh(x);
	const bool both = ike_exchange_runs(sa, IKE_FOR_IKE_REKEY, true);

	ike_exchange_free(x);
	ike_say(fresh, IKE_LOG_INFO, "established in the place of another one");
	if (both)
		ike_sa_set_rival(sa, fresh);
	else
		move_children(sa, fresh, now_ms);
}

static void answer(struct ike_exchange *x, uint64_t now_ms)
{
	const bool more = ike_suite_has_more(&x->suite);
	struct ike_builder b;
	uint16_t notify = 0;

	if (!x->fresh || x->job.err != IPSP_OK) {
		refuse(x, ike_job_refusal(x->job.err), nothing(), now_ms);
		return;
	}
	ike_build_begin(&b, x->sa->world->chain, IKE_CLEAR_MAX);
	ike_suite_write(&x->suite, (struct ipsp_span){ x->fresh->spi_r, IKE_SPI_LEN }, &b);
	ike_build_nonce(&b, x->nonce_r, x->nonce_r_len);
	ike_build_ke(&b, &x->job);
	if (!more)
		notify = ike_rekey_make(x, now_ms);
	else if (!ike_followup_offer(x, &b, now_ms))
		notify = IKE_N_TEMPORARY_FAILURE;
	if (notify) {
		refuse(x, notify, nothing(), now_ms);
		return;
	}
	if (ike_answer_send(x, &b, now_ms) != IPSP_OK)
		ike_say(x->sa, IKE_LOG_ERROR, "no answer could be made");
	if (!more)
		ike_rekey_settle(x, now_ms);
}

/* One that waits to be followed up is given up by who begins another. */
static bool is_answering(const struct ike_sa *sa)
{
	for (const struct ike_exchange *x = sa->exchanges; x; x = x->next) {
		if (x->purpose == IKE_FOR_IKE_REKEY && !x->ours && x->link_len == 0)
			return true;
	}
	return false;
}

/* 2.25.2: not while a Child SA is being made, rekeyed or deleted. */
static bool is_busy(const struct ike_sa *sa)
{
	return sa->state != IKE_SA_ESTABLISHED || sa->rival ||
	       ike_exchange_runs(sa, IKE_FOR_CHILD, true) ||
	       ike_exchange_runs(sa, IKE_FOR_CHILD_REKEY, true) ||
	       ike_exchange_runs(sa, IKE_FOR_DELETE_CHILD, true) || is_answering(sa);
}

/* @return 0, or the notification to refuse it with; then wanted is its data */
static uint16_t choose(struct ike_exchange *x, const struct ike_parsed *m, struct ipsp_span *value,
		       uint8_t wanted[2])
{
	const struct ike_payload *const payload = ike_parsed_find(m, IKE_PAYLOAD_SA);
	const struct ike_payload *const ke = ike_parsed_find(m, IKE_PAYLOAD_KE);
	const struct ike_offers *const ours = &x->sa->conn->offers;
	struct ike_offers theirs;
	struct ike_fault fault;
	uint16_t method;

	if (!payload || !ke || !ike_offers_read(payload->body, &theirs, &fault) ||
	    !ike_ke_read(ke, &method, value) ||
	    !ike_parsed_nonce(m, x->nonce_i, &x->nonce_i_len))
		return IKE_N_INVALID_SYNTAX;
	if (!ike_offers_choose(ours, &theirs, &x->suite) ||
	    x->suite.spi_len != IKE_SPI_LEN || be64dec(x->suite.spi) == 0 ||
	    !ike_suite_is_known(&x->suite))
		return IKE_N_NO_PROPOSAL_CHOSEN;
	be16enc(wanted, x->suite.ke);
	return method == x->suite.ke ? 0 : IKE_N_INVALID_KE_PAYLOAD;
}

void ike_rekey_request(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ipsp_span value;
	uint8_t wanted[2];
	uint16_t notify = is_busy(sa) ? IKE_N_TEMPORARY_FAILURE : choose(x, m, &value, wanted);

	if (!notify) {
		x->purpose = IKE_FOR_IKE_REKEY;
		notify = ike_followup_may(x);
	}
	if (!notify) {
		x->job.method = x->suite.ke;
		x->job.ours_len = ike_ke_find(x->suite.ke)->answer_len;
		if (!new_fresh(x, false, now_ms) || !ike_job_take(&x->job, value))
			notify = IKE_N_TEMPORARY_FAILURE;
	}
	if (notify) {
		refuse(x, notify, (struct ipsp_span){ wanted,
						      notify == IKE_N_INVALID_KE_PAYLOAD ? 2 : 0 },
		       now_ms);
		return;
	}
	memcpy(x->fresh->spi_i, x->suite.spi, IKE_SPI_LEN);
	x->nonce_r_len = IKE_NONCE_LEN;
	sa->world->ops.random(sa->world->arg, x->nonce_r, x->nonce_r_len);
	ike_run(x, IKE_JOB_KE_ANSWER);
	ike_wait(x, answer, now_ms);
}
