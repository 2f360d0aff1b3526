/*
 * ike/v2_auth.c - IKE_AUTH, and the first Child SA. RFC 7296 1.2, 2.15, 2.21.2. Proofs are ike/proof.h's.
 *
 *	HDR, SK {IDi, [CERT,] [CERTREQ,] [IDr,] AUTH, SAi2, TSi, TSr}  -->
 *	<--  HDR, SK {IDr, [CERT,] AUTH, SAr2, TSi, TSr}
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/algs.h"
#include "ike/proof.h"

const struct ike_peer *ike_peer_at(const struct ike_conn *c, const struct ipsp_addr *remote)
{
	const struct ike_peer *anywhere = NULL;

	for (size_t i = 0; i < c->n_peers; i++) {
		if (ipsp_addr_cmp(&c->peers[i].address, remote) == 0)
			return &c->peers[i];
		if (c->peers[i].address.family == 0 && !anywhere)
			anywhere = &c->peers[i];
	}
	return anywhere;
}

static void give_up(struct ike_exchange *x, const char *why)
{
	const struct ike_identity *const peer = x->ours ? &x->id_r : &x->id_i;
	char text[IKE_IDENTITY_TEXT];

	if (peer->type)
		ike_say(x->sa, IKE_LOG_NOTICE, "IKE_AUTH with %s fails: %s",
			ike_identity_text(peer, text), why);
	else
		ike_say(x->sa, IKE_LOG_NOTICE, "IKE_AUTH fails: %s", why);
	ike_sa_free(x->sa);
}

static struct ipsp_span nothing(void)
{
	return (struct ipsp_span){ 0 };
}

static void build_id(struct ike_builder *b, uint8_t payload, const struct ike_identity *id)
{
	ike_build_payload(b, payload);
	ike_build_u8(b, id->type);
	ike_build_u8(b, 0);
	ike_build_u16(b, 0);
	ike_build_octets(b, (struct ipsp_span){ id->octets, id->len });
}

static bool read_id(const struct ike_parsed *m, uint8_t payload, struct ike_identity *out)
{
	const struct ike_payload *const p = ike_parsed_find(m, payload);

	return p && ike_identity_read(p->body, out);
}

/* RFC 7296 2.3, 2.4: how many requests we take at once; whether we know of no other with that peer. */
static void build_news(struct ike_exchange *x, struct ike_builder *b)
{
	const uint8_t window[4] = { 0, 0, 0, IKE_WINDOW };

	ike_build_notify(b, 0, nothing(), IKE_N_SET_WINDOW_SIZE,
			 (struct ipsp_span){ window, sizeof(window) });
	if (x->ours && !ike_world_knows(x->sa->world, &x->peer->id))
		ike_build_notify(b, 0, nothing(), IKE_N_INITIAL_CONTACT, nothing());
	ike_mobike_build(x, b);
}

static void take_news(struct ike_exchange *x, const struct ike_parsed *m)
{
	struct ike_notify n;

	if (ike_parsed_notify(m, IKE_N_SET_WINDOW_SIZE, &n) && n.data.len == 4 &&
	    be32dec(n.data.data) > 0)
		x->sa->window = be32dec(n.data.data) < IKE_WINDOW ? be32dec(n.data.data) : IKE_WINDOW;
	x->only_one = ike_parsed_notify(m, IKE_N_INITIAL_CONTACT, &n);
}

/* Its identities are kept, what the setup needed is not. */
static bool established(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	char text[IKE_IDENTITY_TEXT], weak[IKE_WEAK_TEXT];

	sa->local = malloc(sizeof(*sa->local));
	sa->remote = malloc(sizeof(*sa->remote));
	if (!sa->local || !sa->remote)
		return false;
	*sa->local = sa->initiator ? x->id_i : x->id_r;
	*sa->remote = sa->initiator ? x->id_r : x->id_i;
	sa->state = IKE_SA_ESTABLISHED;
	ike_sa_opened(sa);
	if (x->only_one)
		ike_sa_only_one(sa);
	ike_life_begin(sa, now_ms);
	ike_life_soon(sa, now_ms);
	ike_reauth_begin(sa, now_ms);
	if (sa->succeeds)
		ike_reauth_up(sa);
	else
		ike_event_up(sa);
	ike_say(sa, IKE_LOG_INFO, "established with %s", ike_identity_text(sa->remote, text));
	if (ike_suite_weak(&sa->suite, weak))
		ike_say(sa, IKE_LOG_WARNING, "its algorithms are weak: %s", weak);
	return true;
}

#define UNSENT_TEXT 128

/* Why a message with our proof cannot go. What makes one long is certificates. */
static const char *unsent(const struct ike_exchange *x, enum ipsp_err err, char text[UNSENT_TEXT])
{
	if (err != IPSP_ENOSPC)
		return "no memory";
	snprintf(text, UNSENT_TEXT, "the message would be longer than the %u octets that are the most "
		 "to be sent: our certificates have %zu", IKE_CLEAR_MAX, ike_proof_certs_len(x));
	return text;
}

/* ---- initiator ---- */

static void send_request(struct ike_exchange *x, uint64_t now_ms)
{
	const char *why = ike_proof_failed(x);
	char text[UNSENT_TEXT];
	enum ipsp_err fault;
	struct ike_builder b;

	if (!why && !x->spi_in && !x->sa->childless)
		why = x->sa->conn->has_child ? "the SAD gives no SPI" :
					       "the peer wants a Child SA along (RFC 6023)";
	if (!why && x->spi_in) {
		why = ike_nat_forbids(x->sa, x->protocol);
		if (why)
			ike_event_failed(x->sa, why);
	}
	if (why) {
		give_up(x, why);
		return;
	}
	ike_build_begin(&b, x->sa->world->chain, IKE_CLEAR_MAX);
	build_id(&b, IKE_PAYLOAD_IDi, &x->id_i);
	ike_proof_write_certs(x, &b);
	if (x->peer->id.type && x->peer->id.len > 0)
		build_id(&b, IKE_PAYLOAD_IDr, &x->peer->id);
	ike_proof_write_auth(x, &b);
	build_news(x, &b);
	if (x->spi_in)
		ike_child_offer(x, &b);
	fault = ike_request_send(x, IKE_EXCHANGE_IKE_AUTH, &b, now_ms);
	if (fault == IPSP_OK)
		return;
	ike_event_failed(x->sa, unsent(x, fault, text));
	give_up(x, unsent(x, fault, text));
}

void ike_auth_begin(struct ike_exchange *x, uint64_t now_ms)
{
	const char *const why = x->peer ? ike_proof_begin(x, &x->id_i, false) :
					  "nobody is configured at this address";

	if (why)
		give_up(x, why);
	else
		ike_wait(x, send_request, now_ms);
}

/* 1.2: the IKE SA stands even if the Child SA does not come about. */
static void finish_child(struct ike_exchange *x, const struct ike_parsed *m)
{
	struct ike_notify n;
	char name[IKE_NAME_TEXT];
	const char *why;

	if (!x->spi_in)
		return;
	if (ike_parsed_error(m, &n)) {
		ike_explain_refused(x, n.type);
		why = ike_name_or_number(IKE_LIST_NOTIFY, n.type, name);
	} else {
		why = ike_child_accept(x, m);
	}
	if (!why && ike_child_install(x) != IPSP_OK)
		why = "the SAD refuses it";
	if (!why)
		return;
	ike_say(x->sa, IKE_LOG_NOTICE, "no Child SA: %s", why);
	ike_event_failed(x->sa, why);
}

/* 2.21.2: the responder has it for established. It is told once; what it answers nobody waits for. */
static void reject(struct ike_exchange *x, const char *why, uint64_t now_ms)
{
	struct ike_builder b;

	ike_build_begin(&b, x->sa->world->chain, IKE_CLEAR_MAX);
	ike_build_notify(&b, 0, nothing(), IKE_N_AUTHENTICATION_FAILED, nothing());
	if (ike_request_send(x, IKE_EXCHANGE_INFORMATIONAL, &b, now_ms) != IPSP_OK)
		ike_say(x->sa, IKE_LOG_DEBUG, "the peer cannot be told");
	ike_event_auth_failed(x->sa, &x->id_r, why);
	give_up(x, why);
}

static void response_checked(struct ike_exchange *x, const struct ike_parsed *m, const char *why,
			     uint64_t now_ms)
{
	if (why) {
		reject(x, why, now_ms);
		return;
	}
	take_news(x, m);
	(void)ike_mobike_take(x, m);
	if (!established(x, now_ms)) {
		give_up(x, "no memory");
		return;
	}
	ike_reauth_take(x->sa, m, now_ms);
	finish_child(x, m);
	struct ike_sa *const sa = x->sa;

	ike_exchange_free(x);
	ike_reauth_go_on(sa, now_ms);
}

void ike_auth_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	char name[IKE_NAME_TEXT], is[IKE_IDENTITY_TEXT], wanted[IKE_IDENTITY_TEXT];
	struct ike_notify n;

	if (!ike_parsed_find(m, IKE_PAYLOAD_AUTH) && ike_parsed_error(m, &n)) {
		if (n.type == IKE_N_AUTHENTICATION_FAILED) {
			ike_explain_disbelief(x);
			ike_event_auth_failed(x->sa, &x->peer->id,
					      "the peer does not accept our authentication");
		}
		give_up(x, ike_name_or_number(IKE_LIST_NOTIFY, n.type, name));
		return;
	}
	if (!read_id(m, IKE_PAYLOAD_IDr, &x->id_r)) {
		reject(x, "the answer has no identity", now_ms);
		return;
	}
	if (!ike_identity_fits(&x->peer->id, &x->id_r)) {
		ike_say(x->sa, IKE_LOG_NOTICE, "the peer is %s, not %s",
			ike_identity_text(&x->id_r, is), ike_identity_text(&x->peer->id, wanted));
		reject(x, "the peer's identity is another one", now_ms);
		return;
	}
	ike_proof_check(x, m, response_checked, now_ms);
}

/* ---- responder ---- */

/* 2.21.2: the peer learns no more than that. */
static void refuse(struct ike_exchange *x, const char *why, uint64_t now_ms)
{
	struct ike_builder b;

	ike_build_begin(&b, x->sa->world->chain, IKE_CLEAR_MAX);
	ike_build_notify(&b, 0, nothing(), IKE_N_AUTHENTICATION_FAILED, nothing());
	if (ike_answer_send(x, &b, now_ms) != IPSP_OK)
		ike_say(x->sa, IKE_LOG_ERROR, "no answer could be made");
	ike_event_auth_failed(x->sa, &x->id_i, why);
	give_up(x, why);
}

static void auth_answer(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	const char *const why = ike_proof_failed(x);
	char text[UNSENT_TEXT];
	enum ipsp_err fault;
	struct ike_builder b;

	if (why) {
		refuse(x, why, now_ms);
		return;
	}
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	build_id(&b, IKE_PAYLOAD_IDr, &x->id_r);
	ike_proof_write_certs(x, &b);
	ike_proof_write_auth(x, &b);
	build_news(x, &b);
	ike_reauth_build(x, &b);
	if (x->wants_child && !x->notify && !x->spi_in)
		x->notify = IKE_N_NO_ADDITIONAL_SAS;
	if (x->wants_child && !x->notify && !ike_anyone_takes(x))
		x->notify = IKE_N_TS_UNACCEPTABLE;
	if (x->wants_child && !x->notify) {
		ike_child_answer(x, &b);
		if (ike_child_install(x) != IPSP_OK) {
			give_up(x, "the SAD refuses the Child SA");
			return;
		}
	} else if (x->notify) {
		ike_build_notify(&b, 0, nothing(), x->notify, nothing());
	}
	fault = ike_answer_send(x, &b, now_ms);
	if (fault == IPSP_ENOSPC) {
		refuse(x, unsent(x, fault, text), now_ms);
		return;
	}
	if (fault != IPSP_OK || !established(x, now_ms)) {
		give_up(x, "no memory");
		return;
	}
	ike_exchange_free(x);
}

static void request_checked(struct ike_exchange *x, const struct ike_parsed *m, const char *why,
			    uint64_t now_ms)
{
	const bool by_key = ike_proof_method(m) == IKE_AUTH_SHARED_KEY;
	uint16_t notify;

	if (!why)
		why = ike_proof_begin(x, &x->id_r, by_key);
	if (why) {
		refuse(x, why, now_ms);
		return;
	}
	notify = ike_mobike_take(x, m);
	if (notify) {
		ike_refuse(x, notify, nothing(), now_ms);
		give_up(x, "its addresses are changed on their way, and it allows no NAT");
		return;
	}
	take_news(x, m);
	x->wants_child = ike_parsed_find(m, IKE_PAYLOAD_SA) != NULL;	/* RFC 6023: it may be left out */
	if (x->wants_child)
		x->notify = ike_child_choose(x, m);
	if (x->notify)
		ike_explain_refusal(x, m, x->notify);
	else if (x->wants_child)
		ike_ask_spi(x);
	ike_wait(x, auth_answer, now_ms);
}

void ike_auth_request(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ike_identity id_r = { 0 };

	if (!read_id(m, IKE_PAYLOAD_IDi, &x->id_i)) {
		refuse(x, "the request has no identity", now_ms);
		return;
	}
	(void)read_id(m, IKE_PAYLOAD_IDr, &id_r);
	/* One that can judge its proof; else whoever it is tells why not. */
	if (!ike_pick_peer(x, m, &id_r, ike_proof_method(m)) && !ike_pick_peer(x, m, &id_r, 0)) {
		ike_explain_identity(x, &id_r);
		refuse(x, "the peer's identity is none of ours", now_ms);
		return;
	}
	if (!ike_proof_of(x) || !ike_proof_take_requests(x, m)) {
		refuse(x, "no memory", now_ms);
		return;
	}
	x->proof->asked = id_r;
	ike_proof_check(x, m, request_checked, now_ms);
}
