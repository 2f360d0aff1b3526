/*
 * ike/v2.c - messages of IKEv2: from datagrams to the exchange that they belong to. RFC 7296 2.1 to 2.5, 2.21.
 */
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"

/* ---- messages taken apart ---- */

const struct ike_payload *ike_parsed_find(const struct ike_parsed *m, uint8_t type)
{
	for (unsigned i = 0; i < m->n; i++) {
		if (m->payloads[i].type == type)
			return &m->payloads[i];
	}
	return NULL;
}

bool ike_notify_read(const struct ike_payload *p, struct ike_notify *out)
{
	struct ipsp_span rest = p->body, head;

	if (!ike_take(&rest, 4, &head) || !ike_take(&rest, head.data[1], &out->spi))
		return false;
	out->protocol = head.data[0];
	out->type = (uint16_t)(head.data[2] << 8 | head.data[3]);
	out->data = rest;
	return true;
}

bool ike_parsed_notify(const struct ike_parsed *m, uint16_t type, struct ike_notify *out)
{
	for (unsigned i = 0; i < m->n; i++) {
		if (m->payloads[i].type == IKE_PAYLOAD_N &&
		    ike_notify_read(&m->payloads[i], out) && out->type == type)
			return true;
	}
	return false;
}

bool ike_parsed_error(const struct ike_parsed *m, struct ike_notify *out)
{
	for (unsigned i = 0; i < m->n; i++) {
		if (m->payloads[i].type == IKE_PAYLOAD_N &&
		    ike_notify_read(&m->payloads[i], out) && out->type < IKE_NOTIFY_STATUS)
			return true;
	}
	return false;
}

/* What a chain is besides good. */
enum verdict {
	GOOD,
	BROKEN,		/* RFC 7296 3.10.1: INVALID_SYNTAX */
	CRITICAL,	/* 2.5: a payload that must be understood, and is not */
};

static bool is_known(uint8_t type)
{
	return type >= IKE_PAYLOAD_SA && type <= IKE_PAYLOAD_EAP;
}

static enum verdict take_chain(struct ipsp_span octets, uint8_t first, struct ike_parsed *m,
			       uint8_t *critical)
{
	struct ike_chain chain = { octets, first, false };
	struct ike_payload p;
	struct ike_fault fault;
	enum ike_step step;

	m->n = 0;
	while ((step = ike_payload_next(&chain, &p, &fault)) == IKE_STEP_ITEM) {
		if (!is_known(p.type) && p.type != IKE_PAYLOAD_SKF) {
			*critical = p.type;
			if (p.critical)
				return CRITICAL;
			continue;
		}
		if (m->n == IKE_PAYLOADS_MAX)
			return BROKEN;
		m->payloads[m->n++] = p;
	}
	return step == IKE_STEP_END ? GOOD : BROKEN;
}

/* ---- what may come when ---- */

#define IN(state) (1u << IKE_SA_##state)
#define LIVE (IN(ESTABLISHED) | IN(REKEYED) | IN(DELETING))

/* Requests of an IKE SA that is there. IKE_SA_INIT makes one, and is apart. */
static const struct request_rule {
	uint8_t type;
	unsigned states;
	void (*go)(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);
} requests[] = {
	{ IKE_EXCHANGE_IKE_INTERMEDIATE, IN(INIT_ANSWERED), ike_more_request },
	{ IKE_EXCHANGE_IKE_AUTH, IN(INIT_ANSWERED), ike_auth_request },
	{ IKE_EXCHANGE_CREATE_CHILD_SA, LIVE, ike_child_request },
	{ IKE_EXCHANGE_IKE_FOLLOWUP_KE, LIVE, ike_followup_request },
	{ IKE_EXCHANGE_INFORMATIONAL, LIVE, ike_info_request },
};

static const struct answer_rule {
	uint8_t type;
	unsigned states;
	void (*go)(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);
} answers[] = {
	{ IKE_EXCHANGE_IKE_SA_INIT, IN(INIT_SENT), ike_init_response },
	{ IKE_EXCHANGE_IKE_INTERMEDIATE, IN(AUTH_SENT), ike_more_response },
	{ IKE_EXCHANGE_IKE_AUTH, IN(AUTH_SENT), ike_auth_response },
	{ IKE_EXCHANGE_CREATE_CHILD_SA, LIVE, ike_child_response },
	{ IKE_EXCHANGE_IKE_FOLLOWUP_KE, LIVE, ike_followup_response },
	{ IKE_EXCHANGE_INFORMATIONAL, LIVE, ike_info_response },
};

static const struct request_rule *request_rule(uint8_t type, enum ike_state state)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].type == type && (requests[i].states & 1u << state))
			return &requests[i];
	}
	return NULL;
}

static const struct answer_rule *answer_rule(uint8_t type, enum ike_state state)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (answers[i].type == type && (answers[i].states & 1u << state))
			return &answers[i];
	}
	return NULL;
}

/*
 * The negotiation that a setup is in belongs to all of its exchanges. Another one while one is worked on would get
 * into its way, and IKE_AUTH comes when all others are done.
 */
static struct ike_exchange *setup_of(struct ike_sa *sa, const struct ike_header *h)
{
	const bool auth = h->exchange == IKE_EXCHANGE_IKE_AUTH;

	for (struct ike_exchange *x = sa->exchanges; x; x = x->next) {
		if (x->purpose == IKE_FOR_SETUP && h->message_id == 1 + x->n_more && !x->resume &&
		    ike_more_done(x) == auth)
			return x;
	}
	return NULL;
}

static struct ike_exchange *exchange_of(struct ike_sa *sa, const struct ike_header *h)
{
	if (h->exchange == IKE_EXCHANGE_IKE_AUTH || h->exchange == IKE_EXCHANGE_IKE_INTERMEDIATE)
		return setup_of(sa, h);
	return ike_exchange_new(sa, IKE_FOR_CHILD, false);
}

/* RFC 7296 2.21.2, 2.5: what cannot be read is answered by what is wrong. */
void ike_refuse(struct ike_exchange *x, uint16_t notify, struct ipsp_span data, uint64_t now_ms)
{
	struct ike_builder b;

	ike_build_begin(&b, x->sa->world->chain, IKE_CLEAR_MAX);
	ike_build_notify(&b, 0, (struct ipsp_span){ 0 }, notify, data);
	if (ike_answer_send(x, &b, now_ms) != IPSP_OK)
		ike_say(x->sa, IKE_LOG_ERROR, "no answer could be made");
	if (notify == IKE_N_INVALID_SYNTAX)
		ike_life_spoil(x->sa, now_ms);
}

static void handle_request(struct ike_sa *sa, struct ike_parsed *m, enum verdict verdict,
			   uint8_t critical, uint64_t now_ms)
{
	const struct request_rule *const rule = request_rule(m->header.exchange, sa->state);
	struct ike_exchange *x;

	if (ike_request_repeated(sa, m->header.message_id, true) || !rule ||
	    !ike_request_take(sa, m->header.message_id))
		return;
	x = exchange_of(sa, &m->header);
	if (!x)
		return;
	x->type = m->header.exchange;
	x->id = m->header.message_id;
	x->came = sa->world->came;
	if (verdict == GOOD) {
		rule->go(x, m, now_ms);
		return;
	}
	ike_say(sa, IKE_LOG_NOTICE, verdict == BROKEN ? "a request is malformed" :
							"a request has a critical payload %u, not known here",
		critical);
	ike_refuse(x, verdict == BROKEN ? IKE_N_INVALID_SYNTAX : IKE_N_UNSUPPORTED_CRITICAL_PAYLOAD,
	       (struct ipsp_span){ &critical, verdict == CRITICAL }, now_ms);
	ike_exchange_free(x);
}

static void handle_answer(struct ike_sa *sa, struct ike_parsed *m, enum verdict verdict,
			  uint64_t now_ms)
{
	const struct answer_rule *const rule = answer_rule(m->header.exchange, sa->state);
	struct ike_exchange *x;
	struct ike_notify n;

	/* 2.21: an answer that is malformed, or has what must be understood, is not taken for one. */
	if (!rule || verdict != GOOD ||
	    !ike_request_answered(sa, m->header.exchange, m->header.message_id, &x))
		return;
	if (sa->state >= IKE_SA_ESTABLISHED && ike_parsed_notify(m, IKE_N_INVALID_SYNTAX, &n)) {
		ike_say(sa, IKE_LOG_NOTICE, "the peer cannot read a request of ours: INVALID_SYNTAX");
		ike_life_spoil(sa, now_ms);
	}
	ike_requests_go_on(sa, now_ms);
	if (x)
		rule->go(x, m, now_ms);
}

/* ---- sealed messages ---- */

/*
 * RFC 7296 2.23: whoever is behind a NAT may come from elsewhere, and what it says is authenticated; but not if
 * we are behind one, too. RFC 4555 3.3, 3.8: the first IKE_AUTH request tells where an IKE SA is, and one that can be
 * moved is moved by no other message than those for it.
 */
static void follow(struct ike_sa *sa, const struct ike_path *path)
{
	char text[IPSP_ADDR_TEXT];

	if (sa->state == IKE_SA_INIT_ANSWERED)
		sa->path = *path;
	if (!sa->nat_found || sa->nat_here || sa->mobike ||
	    (ipsp_addr_cmp(&sa->path.remote, &path->remote) == 0 &&
	     sa->path.remote_port == path->remote_port))
		return;
	ike_say(sa, IKE_LOG_INFO, "the peer is at %s port %u now",
		ipsp_addr_print(&path->remote, text), path->remote_port);
	sa->path = *path;
	ike_children_move(sa);
}

static const struct ike_seal *peers_seal(const struct ike_sa *sa)
{
	if (!sa->keys)
		return NULL;
	return sa->initiator ? &sa->keys->of_responder : &sa->keys->of_initiator;
}

/* A fragment that was opened. True: it makes the message whole. */
static bool take_fragment(struct ike_sa *sa, const struct ike_parsed *m, struct ike_fragment fragment,
			  struct ipsp_span *clear, uint8_t *first)
{
	/* RFC 7383 2.6.1: of a request that came before, its first one alone asks for the answer again. */
	if (!(m->header.flags & IKE_FLAG_RESPONSE) &&
	    ike_request_repeated(sa, m->header.message_id, fragment.number == 1))
		return false;
	return sa->fragments && ike_assemble(sa, &m->header, *first, fragment, *clear, clear, first);
}

/* RFC 9242 3.2: a request again whose answer has brought new keys, and was lost. Its answer goes again. */
static bool repeated_before(struct ike_sa *sa, const struct ike_parsed *m,
			    const struct ike_payload *sealed)
{
	const struct ike_keys *const former = ike_more_former(sa);
	struct ike_fragment fragment;
	struct ipsp_span clear;

	return former && !(m->header.flags & IKE_FLAG_RESPONSE) &&
	       ike_unseal(&former->of_initiator, m->message, sealed, sa->world->clear, &clear,
			  &fragment) == IPSP_OK &&
	       ike_request_repeated(sa, m->header.message_id, fragment.number <= 1);
}

/* The clear chain of a message, in the world's buffer. False: there is none, or not yet. */
static bool unseal(struct ike_sa *sa, const struct ike_parsed *m, struct ipsp_span *clear,
		   uint8_t *first)
{
	const struct ike_payload *const sealed = m->n > 0 ? &m->payloads[m->n - 1] : NULL;
	const struct ike_seal *const seal = peers_seal(sa);
	struct ike_fragment fragment;

	if (!seal || !sealed ||
	    (sealed->type != IKE_PAYLOAD_SK && sealed->type != IKE_PAYLOAD_SKF))
		return false;
	*first = sealed->next;
	if (ike_unseal(seal, m->message, sealed, sa->world->clear, clear, &fragment) != IPSP_OK) {
		if (!repeated_before(sa, m, sealed))
			ike_say(sa, IKE_LOG_DEBUG, "a message is not sealed with our keys");
		return false;
	}
	ike_life_octets(sa, clear->len);
	return sealed->type == IKE_PAYLOAD_SK || take_fragment(sa, m, fragment, clear, first);
}

static void receive_sealed(struct ike_sa *sa, const struct ike_path *path, struct ike_parsed *m,
			   uint64_t now_ms)
{
	struct ipsp_span clear;
	enum verdict verdict;
	uint8_t first, critical = 0;

	if (!unseal(sa, m, &clear, &first))
		return;
	ike_trace(sa->world, &(struct ike_trace){ .path = path, .sealed = true, .first = first,
						  .header = { m->message.data, IKE_HEADER_LEN },
						  .chain = clear });
	verdict = take_chain(clear, first, m, &critical);
	m->clear = clear;
	m->first = first;
	sa->heard_ms = now_ms;
	follow(sa, path);
	if (m->header.flags & IKE_FLAG_RESPONSE)
		handle_answer(sa, m, verdict, now_ms);
	else
		handle_request(sa, m, verdict, critical, now_ms);
}

/* ---- datagrams ---- */

void ike_refuse_init(struct ike_world *w, const struct ike_path *path, const struct ike_header *h,
		     uint16_t notify, struct ipsp_span data)
{
	struct ike_header_fields fields = { .exchange = h->exchange, .flags = IKE_FLAG_RESPONSE,
					    .message_id = h->message_id };
	struct ipsp_span chain;
	struct ike_builder b;
	size_t len;

	memcpy(fields.spi_i, h->spi_i, IKE_SPI_LEN);
	memcpy(fields.spi_r, h->spi_r, IKE_SPI_LEN);
	ike_build_begin(&b, w->message + IKE_HEADER_LEN, IKE_CLEAR_MAX);
	ike_build_notify(&b, 0, (struct ipsp_span){ 0 }, notify, data);
	if (!ike_build_end(&b, &chain))
		return;
	len = IKE_HEADER_LEN + chain.len;
	/* Who has not shown that it is there gets no more than it gave. */
	if (len > h->length)
		return;
	ike_header_write(&fields, b.first, len, w->message);
	ike_trace(w, &(struct ike_trace){ .path = path, .sent = true,
					  .header = { w->message, IKE_HEADER_LEN }, .chain = chain });
	w->ops.send(w->arg, path, (struct ipsp_span){ w->message, len });
}

static bool is_response(const struct ike_header *h)
{
	return h->flags & IKE_FLAG_RESPONSE;
}

void ike_receive(struct ike_world *w, const struct ike_path *path, struct ipsp_span message,
		 uint64_t now_ms)
{
	struct ike_parsed m = { .message = message };
	struct ipsp_span rest = message, head;
	struct ike_fault fault;
	enum verdict verdict;
	uint8_t critical = 0;
	struct ike_sa *sa;

	if (!ike_header_read(message, &m.header, &fault) || m.header.length != message.len ||
	    !ike_take(&rest, IKE_HEADER_LEN, &head))
		return;
	if (m.header.major != 2 || m.header.exchange == IKE_EXCHANGE_IKE_SA_INIT)
		ike_trace(w, &(struct ike_trace){ .path = path, .header = head, .chain = rest });
	if (m.header.major < 2)
		return;
	if (m.header.major > 2) {
		if (!is_response(&m.header))
			/* 2.5, 3.1: a later version is told that there is only ours. */
			ike_refuse_init(w, path, &m.header, IKE_N_INVALID_MAJOR_VERSION,
					(struct ipsp_span){ 0 });
		return;
	}
	w->came = *path;
	verdict = take_chain(rest, m.header.first_payload, &m, &critical);
	if (m.header.exchange == IKE_EXCHANGE_IKE_SA_INIT && !is_response(&m.header)) {
		if (verdict == GOOD)
			ike_init_request(w, path, &m, now_ms);
		else if (verdict == CRITICAL)
			ike_refuse_init(w, path, &m.header, IKE_N_UNSUPPORTED_CRITICAL_PAYLOAD,
					(struct ipsp_span){ &critical, 1 });
		return;
	}
	/* Who of the two is the initiator is what the sender's flag says: we are the other. */
	sa = ike_sa_find(w, m.header.spi_i, m.header.spi_r,
			 !(m.header.flags & IKE_FLAG_INITIATOR));
	if (!sa || verdict == BROKEN)
		return;
	if (m.header.exchange == IKE_EXCHANGE_IKE_SA_INIT)
		handle_answer(sa, &m, verdict, now_ms);
	else
		receive_sealed(sa, path, &m, now_ms);
}
