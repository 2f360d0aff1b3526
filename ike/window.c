/*
 * ike/window.c - requests and answers on their way: numbers, windows, repetition. RFC 7296 2.1, 2.2, 2.3.
 *
 * A request is sent again after 2 seconds, then ever 1.8 times later, until about three minutes have
 * passed; then the peer is dead (2.4). An answer is kept as long as its request may come again.
 */
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"

#define FIRST_MS 2000u
#define TRIES_MAX 8u

static void repeat(struct ike_timer *t, uint64_t now_ms);

static struct ike_sa *sa_of_retry(struct ike_timer *t)
{
	return (struct ike_sa *)((char *)t - offsetof(struct ike_sa, retry));
}

static void start_retry(struct ike_sa *sa)
{
	uint64_t due_ms = IKE_NEVER;

	for (const struct ike_request *r = sa->requests; r; r = r->next) {
		if (r->due_ms < due_ms)
			due_ms = r->due_ms;
	}
	if (due_ms == IKE_NEVER)
		ike_timer_stop(&sa->world->timers, &sa->retry);
	else
		ike_timer_start(&sa->world->timers, &sa->retry, due_ms, repeat);
}

static uint64_t wait_ms(unsigned tries)
{
	uint64_t ms = FIRST_MS;

	for (unsigned i = 1; i < tries; i++)
		ms = ms * 9 / 5;
	return ms;
}

static void transmit(struct ike_sa *sa, const uint8_t *octets, size_t len)
{
	sa->world->ops.send(sa->world->arg, &sa->path, (struct ipsp_span){ octets, len });
}

static void repeat(struct ike_timer *t, uint64_t now_ms)
{
	struct ike_sa *const sa = sa_of_retry(t);

	for (struct ike_request *r = sa->requests; r; r = r->next) {
		if (r->due_ms > now_ms)
			continue;
		if (r->tries == TRIES_MAX) {
			ike_say(sa, IKE_LOG_NOTICE, "%u requests had no answer: the peer is gone",
				r->tries);
			ike_sa_free(sa);
			return;
		}
		r->tries++;
		r->due_ms = now_ms + wait_ms(r->tries);
		ike_say(sa, IKE_LOG_DEBUG, "request %u is sent again, %u of %u", r->id, r->tries,
			TRIES_MAX);
		transmit(sa, r->octets, r->len);
	}
	start_retry(sa);
}

/* ---- making messages ---- */

static enum ipsp_err make_clear(const struct ike_header_fields *h, uint8_t first,
				struct ipsp_span chain, uint8_t *out, size_t *len)
{
	*len = IKE_HEADER_LEN + chain.len;
	if (*len > IKE_MESSAGE_MAX)
		return IPSP_ENOSPC;
	ike_header_write(h, first, *len, out);
	memcpy(out + IKE_HEADER_LEN, chain.data, chain.len);
	return IPSP_OK;
}

static enum ipsp_err make_sealed(struct ike_sa *sa, const struct ike_header_fields *h, uint8_t first,
				 struct ipsp_span chain, uint8_t *out, size_t *len)
{
	struct ike_seal *const seal = sa->initiator ? &sa->keys->of_initiator :
						      &sa->keys->of_responder;
	uint8_t iv[IPSP_IV_MAX];

	*len = ike_seal_len(seal, chain.len, false);
	if (*len > IKE_MESSAGE_MAX)
		return IPSP_ENOSPC;
	sa->world->ops.random(sa->world->arg, iv, sizeof(iv));
	return ike_seal(seal, h, first, chain, (struct ike_fragment){ 0 }, iv, out);
}

/* Into the world's message buffer. */
static enum ipsp_err make(struct ike_sa *sa, uint8_t type, bool response, uint32_t id,
			  struct ike_builder *b, size_t *len)
{
	struct ike_header_fields h = {
		.exchange = type, .message_id = id,
		.flags = (uint8_t)((sa->initiator ? IKE_FLAG_INITIATOR : 0) |
				   (response ? IKE_FLAG_RESPONSE : 0)),
	};
	struct ipsp_span chain;

	memcpy(h.spi_i, sa->spi_i, IKE_SPI_LEN);
	memcpy(h.spi_r, sa->spi_r, IKE_SPI_LEN);
	if (!ike_build_end(b, &chain))
		return IPSP_ENOSPC;
	return type == IKE_EXCHANGE_IKE_SA_INIT ?
		       make_clear(&h, b->first, chain, sa->world->message, len) :
		       make_sealed(sa, &h, b->first, chain, sa->world->message, len);
}

/* ---- requests of ours ---- */

enum ipsp_err ike_request_send(struct ike_exchange *x, uint8_t type, struct ike_builder *b,
			       uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	/* RFC 7296 2.2: IKE_SA_INIT has the number 0 even when it is sent anew, with a cookie. */
	const uint32_t id = type == IKE_EXCHANGE_IKE_SA_INIT ? 0 : sa->next_id;
	struct ike_request *r;
	size_t len;
	enum ipsp_err err = make(sa, type, false, id, b, &len);

	if (err != IPSP_OK)
		return err;
	r = malloc(sizeof(*r) + len);
	if (!r)
		return IPSP_ENOMEM;
	*r = (struct ike_request){ .next = sa->requests, .x = x, .id = id, .tries = 1,
				   .due_ms = now_ms + wait_ms(1), .len = len };
	memcpy(r->octets, sa->world->message, len);
	sa->requests = r;
	sa->next_id = id + 1;
	x->type = type;
	x->id = id;
	start_retry(sa);
	transmit(sa, r->octets, r->len);
	return IPSP_OK;
}

bool ike_request_answered(struct ike_sa *sa, uint32_t id, struct ike_exchange **x)
{
	for (struct ike_request **at = &sa->requests; *at; at = &(*at)->next) {
		struct ike_request *const r = *at;

		if (r->id != id)
			continue;
		*at = r->next;
		*x = r->x;
		free(r);
		start_retry(sa);
		return true;
	}
	return false;
}

/* ---- requests of theirs ---- */

bool ike_request_repeated(struct ike_sa *sa, uint32_t id)
{
	const struct ike_answer *const a = &sa->answers[id % IKE_WINDOW];

	if (!a->taken || a->id != id)
		return false;
	if (a->octets)
		transmit(sa, a->octets, a->len);
	return true;
}

bool ike_request_take(struct ike_sa *sa, uint32_t id)
{
	struct ike_answer *const a = &sa->answers[id % IKE_WINDOW];

	if (id - sa->expected_id >= IKE_WINDOW)
		return false;
	free(a->octets);
	*a = (struct ike_answer){ .taken = true, .id = id };
	while (sa->answers[sa->expected_id % IKE_WINDOW].taken &&
	       sa->answers[sa->expected_id % IKE_WINDOW].id == sa->expected_id)
		sa->expected_id++;
	return true;
}

enum ipsp_err ike_answer_send(struct ike_exchange *x, struct ike_builder *b, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_answer *const a = &sa->answers[x->id % IKE_WINDOW];
	size_t len;
	enum ipsp_err err = make(sa, x->type, true, x->id, b, &len);

	(void)now_ms;
	if (err != IPSP_OK)
		return err;
	a->octets = malloc(len);
	if (!a->octets)
		return IPSP_ENOMEM;
	memcpy(a->octets, sa->world->message, len);
	a->len = len;
	transmit(sa, a->octets, a->len);
	return IPSP_OK;
}
