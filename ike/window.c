/*
 * ike/window.c - requests and answers on their way: numbers, windows, repetition, fragments. RFC 7296 2.1, 2.2, 2.3;
 * RFC 7383 2.5.
 *
 * A request is sent again after 2 seconds, then ever 1.8 times later, eight times if its connection says no other;
 * then the peer is dead (2.4). An answer is kept as long as its request may come again.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/internal.h"

#define FIRST_S 2u
#define TRIES_MAX 8u
#define IP_MIN_MTU 1280u	/* RFC 8200 5; what IPv4 paths carry as well */
#define UDP_HEADER 8u
#define MARKER 4u		/* RFC 3948 2.2 */
#define FRAGMENTS_MAX 64u

/* ---- on the wire ---- */

struct ipsp_span ike_wire_message(const struct ike_wire *w)
{
	return (struct ipsp_span){ w->octets + 2, be16dec(w->octets) };
}

static void transmit(struct ike_sa *sa, const struct ike_wire *w, const struct ike_path *path)
{
	struct ipsp_span rest = { w->octets, w->len }, head, datagram;

	while (ike_take(&rest, 2, &head) && ike_take(&rest, be16dec(head.data), &datagram))
		sa->world->ops.send(sa->world->arg, path, datagram);
}

static struct ike_wire *new_wire(size_t len)
{
	struct ike_wire *const w = malloc(sizeof(*w) + len);

	if (w)
		w->len = len;
	return w;
}

/* Octets of a datagram that no path cuts. */
static size_t datagram_max(const struct ike_sa *sa)
{
	return IP_MIN_MTU - (sa->path.remote.family == 4 ? 20 : 40) - UDP_HEADER - MARKER;
}

static struct ike_wire *make_clear(const struct ike_header_fields *h, uint8_t first,
				   struct ipsp_span chain)
{
	const size_t len = IKE_HEADER_LEN + chain.len;
	struct ike_wire *const w = len <= IKE_MESSAGE_MAX ? new_wire(2 + len) : NULL;

	if (!w)
		return NULL;
	be16enc(w->octets, (uint16_t)len);
	ike_header_write(h, first, len, w->octets + 2);
	memcpy(w->octets + 2 + IKE_HEADER_LEN, chain.data, chain.len);
	return w;
}

static struct ike_seal *own_seal(struct ike_sa *sa)
{
	return sa->initiator ? &sa->keys->of_initiator : &sa->keys->of_responder;
}

static bool seal_one(struct ike_sa *sa, const struct ike_header_fields *h, uint8_t first,
		     struct ipsp_span clear, struct ike_fragment fragment, uint8_t *at)
{
	struct ike_seal *const seal = own_seal(sa);
	const size_t len = ike_seal_len(seal, clear.len, fragment.total > 0);
	uint8_t iv[IPSP_IV_MAX];

	sa->world->ops.random(sa->world->arg, iv, sizeof(iv));
	be16enc(at, (uint16_t)len);
	if (ike_seal(seal, h, first, clear, fragment, iv, at + 2) != IPSP_OK)
		return false;
	ike_life_octets(sa, clear.len);
	return true;
}

static struct ike_wire *make_whole(struct ike_sa *sa, const struct ike_header_fields *h,
				   uint8_t first, struct ipsp_span chain)
{
	const size_t len = ike_seal_len(own_seal(sa), chain.len, false);
	struct ike_wire *const w = len <= IKE_MESSAGE_MAX ? new_wire(2 + len) : NULL;

	if (w && seal_one(sa, h, first, chain, (struct ike_fragment){ 0 }, w->octets))
		return w;
	free(w);
	return NULL;
}

/* The largest piece whose fragment is no longer than a datagram. */
static size_t piece_len(struct ike_sa *sa)
{
	size_t n = datagram_max(sa);

	while (ike_seal_len(own_seal(sa), n, true) > datagram_max(sa))
		n--;
	return n;
}

static struct ike_wire *make_fragments(struct ike_sa *sa, const struct ike_header_fields *h,
				       uint8_t first, struct ipsp_span chain)
{
	const size_t piece = piece_len(sa), n = (chain.len + piece - 1) / piece;
	const size_t each = 2 + ike_seal_len(own_seal(sa), piece, true);
	struct ike_wire *const w = n <= FRAGMENTS_MAX ? new_wire(n * each) : NULL;
	struct ipsp_span part;

	if (!w)
		return NULL;
	w->len = 0;
	for (uint16_t i = 1; i <= n; i++) {
		const struct ike_fragment fragment = { i, (uint16_t)n };

		if (!ike_take(&chain, chain.len < piece ? chain.len : piece, &part) ||
		    !seal_one(sa, h, i == 1 ? first : 0, part, fragment, w->octets + w->len)) {
			free(w);
			return NULL;
		}
		w->len += 2u + be16dec(w->octets + w->len);
	}
	return w;
}

struct ike_header_fields ike_header_of(const struct ike_sa *sa, uint8_t type, bool response,
				       uint32_t id)
{
	struct ike_header_fields h = {
		.exchange = type, .message_id = id,
		.flags = (uint8_t)((sa->initiator ? IKE_FLAG_INITIATOR : 0) |
				   (response ? IKE_FLAG_RESPONSE : 0)),
	};

	memcpy(h.spi_i, sa->spi_i, IKE_SPI_LEN);
	memcpy(h.spi_r, sa->spi_r, IKE_SPI_LEN);
	return h;
}

static void trace_sent(const struct ike_sa *sa, const struct ike_header_fields *h, uint8_t first,
		       struct ipsp_span chain)
{
	uint8_t header[IKE_HEADER_LEN];

	ike_header_write(h, first, IKE_HEADER_LEN + chain.len, header);
	ike_trace(sa->world, &(struct ike_trace){
		.path = &sa->path, .sent = true, .sealed = h->exchange != IKE_EXCHANGE_IKE_SA_INIT,
		.first = first, .header = { header, sizeof(header) }, .chain = chain });
}

static struct ike_wire *make(struct ike_sa *sa, uint8_t type, bool response, uint32_t id,
			     uint8_t first, struct ipsp_span chain)
{
	const struct ike_header_fields h = ike_header_of(sa, type, response, id);

	trace_sent(sa, &h, first, chain);
	if (type == IKE_EXCHANGE_IKE_SA_INIT)
		return make_clear(&h, first, chain);
	if (sa->fragments && ike_seal_len(own_seal(sa), chain.len, false) > datagram_max(sa))
		return make_fragments(sa, &h, first, chain);
	return make_whole(sa, &h, first, chain);
}

/* ---- repetition ---- */

static void repeat(struct ike_timer *t, uint64_t now_ms);

static struct ike_sa *sa_of_retry(struct ike_timer *t)
{
	return (struct ike_sa *)((char *)t - offsetof(struct ike_sa, retry));
}

static void start_retry(struct ike_sa *sa)
{
	uint64_t due_ms = IKE_NEVER;

	for (const struct ike_request *r = sa->requests; r; r = r->next) {
		if (r->wire && r->due_ms < due_ms)
			due_ms = r->due_ms;
	}
	if (due_ms == IKE_NEVER)
		ike_timer_stop(&sa->world->timers, &sa->retry);
	else
		ike_timer_start(&sa->world->timers, &sa->retry, due_ms, repeat);
}

static unsigned tries_max(const struct ike_sa *sa)
{
	return sa->conn && sa->conn->tries ? sa->conn->tries : TRIES_MAX;
}

static uint64_t wait_ms(const struct ike_sa *sa, unsigned tries)
{
	uint64_t ms = (sa->conn && sa->conn->retransmit_s ? sa->conn->retransmit_s : FIRST_S) * UINT64_C(1000);

	for (unsigned i = 1; i < tries; i++)
		ms = ms * 9 / 5;
	return ms;
}

static void repeat(struct ike_timer *t, uint64_t now_ms)
{
	static const char gone[] = "the peer does not answer";
	struct ike_sa *const sa = sa_of_retry(t);

	for (struct ike_request *r = sa->requests; r; r = r->next) {
		if (!r->wire || r->due_ms > now_ms)
			continue;
		if (r->tries >= tries_max(sa)) {
			ike_explain_silence(sa, r->tries);
			if (sa->state <= IKE_SA_ESTABLISHED)
				ike_event_unreachable(sa, gone);
			ike_event_down(sa, IKE_END_UNREACHABLE, gone);
			ike_sa_free(sa);
			return;
		}
		r->tries++;
		r->due_ms = now_ms + wait_ms(sa, r->tries);
		ike_say(sa, IKE_LOG_DEBUG, "request %u is sent again, %u of %u", r->id, r->tries,
			tries_max(sa));
		ike_explain_wait(sa, r->tries);
		transmit(sa, r->wire, &sa->path);
	}
	start_retry(sa);
}

/* ---- requests of ours ---- */

static void free_request(struct ike_request *r)
{
	free(r->wire);
	free(r->chain);
	free(r);
}

static unsigned n_on_the_way(const struct ike_sa *sa)
{
	unsigned n = 0;

	for (const struct ike_request *r = sa->requests; r; r = r->next)
		n += r->wire != NULL;
	return n;
}

static enum ipsp_err send_now(struct ike_sa *sa, struct ike_request *r, uint64_t now_ms)
{
	/* RFC 7296 2.2: IKE_SA_INIT has the number 0 even when it is sent anew, with a cookie. */
	const uint32_t id = r->type == IKE_EXCHANGE_IKE_SA_INIT ? 0 : sa->next_id;

	r->wire = make(sa, r->type, false, id, r->first,
		       (struct ipsp_span){ r->chain, r->chain_len });
	if (!r->wire)
		return IPSP_ENOMEM;
	free(r->chain);
	r->chain = NULL;
	r->id = id;
	r->tries = 1;
	r->due_ms = now_ms + wait_ms(sa, 1);
	sa->next_id = id + 1;
	if (r->x)
		r->x->id = id;
	transmit(sa, r->wire, &sa->path);
	return IPSP_OK;
}

enum ipsp_err ike_request_send(struct ike_exchange *x, uint8_t type, struct ike_builder *b,
			       uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_request **end = &sa->requests;
	struct ike_request *const r = calloc(1, sizeof(*r));
	struct ipsp_span chain;
	enum ipsp_err err = IPSP_OK;

	if (!r)
		return IPSP_ENOMEM;
	r->x = x;
	r->type = type;
	if (!ike_build_end(b, &chain)) {
		free_request(r);
		return IPSP_ENOSPC;
	}
	r->chain = malloc(chain.len ? chain.len : 1);
	if (!r->chain) {
		free_request(r);
		return IPSP_ENOMEM;
	}
	r->first = b->first;
	r->chain_len = chain.len;
	memcpy(r->chain, chain.data, chain.len);
	x->type = type;
	if (n_on_the_way(sa) < sa->window)
		err = send_now(sa, r, now_ms);
	if (err != IPSP_OK) {
		free_request(r);
		return err;
	}
	while (*end)
		end = &(*end)->next;
	*end = r;
	start_retry(sa);
	return IPSP_OK;
}

bool ike_request_answered(struct ike_sa *sa, uint8_t type, uint32_t id, struct ike_exchange **x)
{
	for (struct ike_request **at = &sa->requests; *at; at = &(*at)->next) {
		struct ike_request *const r = *at;

		if (!r->wire || r->id != id || r->type != type)
			continue;
		*at = r->next;
		*x = r->x;
		free_request(r);
		start_retry(sa);
		return true;
	}
	return false;
}

/* What nobody waits for any more, and was not sent, is not sent. */
void ike_requests_go_on(struct ike_sa *sa, uint64_t now_ms)
{
	struct ike_request **at = &sa->requests;

	while (*at) {
		struct ike_request *const r = *at;

		if (!r->wire && !r->x) {
			*at = r->next;
			free_request(r);
			continue;
		}
		if (!r->wire && (n_on_the_way(sa) >= sa->window ||
				 send_now(sa, r, now_ms) != IPSP_OK))
			break;
		at = &r->next;
	}
	start_retry(sa);
}

/* ---- requests of theirs ---- */

bool ike_request_repeated(struct ike_sa *sa, uint32_t id, bool again)
{
	const struct ike_answer *const a = &sa->answers[id % IKE_WINDOW];

	if (!a->taken || a->id != id)
		return false;
	if (a->wire && again)
		transmit(sa, a->wire, &sa->world->came);
	return true;
}

bool ike_request_take(struct ike_sa *sa, uint32_t id)
{
	struct ike_answer *const a = &sa->answers[id % IKE_WINDOW];

	if (id - sa->expected_id >= IKE_WINDOW)
		return false;
	free(a->wire);
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
	struct ipsp_span chain;

	(void)now_ms;
	if (!ike_build_end(b, &chain))
		return IPSP_ENOSPC;
	a->wire = make(sa, x->type, true, x->id, b->first, chain);
	if (!a->wire)
		return IPSP_ENOMEM;
	/* RFC 7296 2.11: back to where the request came from. */
	transmit(sa, a->wire, x->came.remote.family ? &x->came : &sa->path);
	return IPSP_OK;
}

void ike_requests_free(struct ike_sa *sa)
{
	while (sa->requests) {
		struct ike_request *const r = sa->requests;

		sa->requests = r->next;
		free_request(r);
	}
	for (size_t i = 0; i < IKE_WINDOW; i++)
		free(sa->answers[i].wire);
}
