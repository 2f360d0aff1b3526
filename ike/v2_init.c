/*
 * ike/v2_init.c - IKE_SA_INIT. RFC 7296 1.2, 2.6 (cookies), 2.7, 2.14, 2.23 (NAT).
 *
 *	HDR, [N(COOKIE),] SAi1, KEi, Ni, N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)  -->
 *	<--  HDR, SAr1, KEr, Nr, N, N
 */
#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/cookie.h"
#include "ike/internal.h"
#include "ike/proof.h"

#define NONCE_MIN 16u		/* RFC 7296 3.9 */
#define COOKIE_MAX 64u		/* RFC 7296 2.6 */
#define INITS_MAX 5u		/* requests, each for a reason of its own */
#define HALF_OPEN_S 30u		/* until a responder forgets who never sent IKE_AUTH */
#define HALF_OPEN_MAX 2000u	/* of all */
#define HALF_OPEN_EACH 32u	/* of one address, which has proved by a cookie that it is there */
#define PORT_NAT 4500u
#define NOTIFY_LEN 8u		/* of one without data */

/* ---- what both do ---- */

static uint8_t *copy_of(const uint8_t *octets, size_t len)
{
	uint8_t *const copy = malloc(len ? len : 1);

	if (copy)
		memcpy(copy, octets, len);
	return copy;
}

void ike_build_ke(struct ike_builder *b, const struct ike_job *job)
{
	ike_build_payload(b, IKE_PAYLOAD_KE);
	ike_build_u16(b, job->method);
	ike_build_u16(b, 0);
	ike_build_octets(b, (struct ipsp_span){ job->ours, job->ours_len });
}

void ike_build_nonce(struct ike_builder *b, const uint8_t *nonce, size_t len)
{
	ike_build_payload(b, IKE_PAYLOAD_Nonce);
	ike_build_octets(b, (struct ipsp_span){ nonce, len });
}

static void note_abilities(struct ike_sa *sa, const struct ike_parsed *m)
{
	struct ike_notify n;

	sa->fragments = ike_parsed_notify(m, IKE_N_IKEV2_FRAGMENTATION_SUPPORTED, &n);
	sa->childless = ike_parsed_notify(m, IKE_N_CHILDLESS_IKEV2_SUPPORTED, &n);
}

bool ike_ke_read(const struct ike_payload *p, uint16_t *method, struct ipsp_span *ke)
{
	struct ipsp_span head;

	*ke = p->body;
	if (!ike_take(ke, 4, &head) || ke->len > IKE_KE_PUBLIC_MAX)
		return false;
	*method = be16dec(head.data);
	return true;
}

bool ike_nonce_good(struct ipsp_span nonce)
{
	return nonce.len >= NONCE_MIN && nonce.len <= IKE_NONCE_MAX;
}

bool ike_parsed_nonce(const struct ike_parsed *m, uint8_t out[IKE_NONCE_MAX], uint16_t *len)
{
	const struct ike_payload *const p = ike_parsed_find(m, IKE_PAYLOAD_Nonce);

	if (!p || !ike_nonce_good(p->body))
		return false;
	memcpy(out, p->body.data, p->body.len);
	*len = (uint16_t)p->body.len;
	return true;
}

/* SA, KE and Nonce of a message. */
struct init_parts {
	struct ike_offers offers;
	uint16_t method;
	struct ipsp_span ke, nonce;
};

static bool read_parts(const struct ike_parsed *m, struct init_parts *out)
{
	const struct ike_payload *const sa = ike_parsed_find(m, IKE_PAYLOAD_SA);
	const struct ike_payload *const ke = ike_parsed_find(m, IKE_PAYLOAD_KE);
	const struct ike_payload *const nonce = ike_parsed_find(m, IKE_PAYLOAD_Nonce);
	struct ike_fault fault;

	if (!sa || !ke || !nonce || !ike_offers_read(sa->body, &out->offers, &fault))
		return false;
	out->nonce = nonce->body;
	return ike_ke_read(ke, &out->method, &out->ke) && ike_nonce_good(out->nonce);
}

bool ike_job_take(struct ike_job *job, struct ipsp_span ke)
{
	job->theirs_len = (uint16_t)ke.len;
	memcpy(job->theirs, ke.data, ke.len);
	job->shared_len = ike_ke_find(job->method)->shared_len;
	job->shared = gcry_malloc_secure(IKE_KE_SHARED_MAX);
	return job->shared != NULL;
}

static enum ipsp_err derive(struct ike_exchange *x)
{
	struct ike_sa *const sa = x->sa;
	const struct ike_key_source source = {
		.suite = &x->suite, .spi_i = sa->spi_i, .spi_r = sa->spi_r,
		.nonce_i = { x->nonce_i, x->nonce_i_len }, .nonce_r = { x->nonce_r, x->nonce_r_len },
		.shared = { x->job.shared, x->job.shared_len },
	};
	enum ipsp_err err = ike_keys_make(sa->world->prfs, sa->world->crypto, &source, NULL,
					  &sa->keys);

	gcry_free(x->job.shared);
	x->job.shared = NULL;
	sa->suite = x->suite;
	return err;
}

/* ---- initiator ---- */

static void give_up(struct ike_exchange *x, const char *why)
{
	ike_say(x->sa, IKE_LOG_NOTICE, "IKE_SA_INIT fails: %s", why);
	if (x->ours)
		ike_event_failed(x->sa, why);
	ike_sa_free(x->sa);
}

static void send_init(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ipsp_span sent;
	struct ike_builder b;

	if (x->job.err != IPSP_OK) {
		give_up(x, "the key exchange cannot be computed");
		return;
	}
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	if (x->cookie)
		ike_build_notify(&b, 0, (struct ipsp_span){ 0 }, IKE_N_COOKIE,
				 (struct ipsp_span){ x->cookie, x->cookie_len });
	ike_offers_write(&sa->conn->offers, &b);
	ike_build_ke(&b, &x->job);
	ike_build_nonce(&b, x->nonce_i, x->nonce_i_len);
	ike_nat_build(&b, sa, &sa->path);
	ike_build_flag(&b, IKE_N_IKEV2_FRAGMENTATION_SUPPORTED);
	if (!sa->conn->has_child)
		ike_build_flag(&b, IKE_N_CHILDLESS_IKEV2_SUPPORTED);
	if (ike_offers_have_more(&sa->conn->offers))
		ike_build_flag(&b, IKE_N_INTERMEDIATE_EXCHANGE_SUPPORTED);
	ike_proof_announce(x, &b);
	sa->state = IKE_SA_INIT_SENT;
	if (ike_request_send(x, IKE_EXCHANGE_IKE_SA_INIT, &b, now_ms) != IPSP_OK) {
		give_up(x, "no memory");
		return;
	}
	free(x->init_request);
	sent = ike_wire_message(sa->requests->wire);
	x->init_request_len = sent.len;
	x->init_request = copy_of(sent.data, sent.len);
	if (!x->init_request)
		give_up(x, "no memory");
}

static void begin_with(struct ike_exchange *x, uint16_t method, uint64_t now_ms)
{
	if (++x->n_inits > INITS_MAX) {
		give_up(x, "the peer wants another key exchange, or cookie, again and again");
		return;
	}
	ike_run_ke(x, method);
	ike_wait(x, send_init, now_ms);
}

uint16_t ike_offers_method(const struct ike_offers *offers)
{
	for (unsigned i = 0; i < offers->n; i++) {
		for (unsigned k = 0; k < offers->offers[i].n; k++) {
			const struct ike_choice *const c = &offers->offers[i].choices[k];

			if (c->type == IKE_TRANSFORM_KE && ike_ke_find(c->id))
				return c->id;
		}
	}
	return 0;
}

bool ike_offers_has_method(const struct ike_offers *offers, uint16_t method)
{
	for (unsigned i = 0; i < offers->n; i++) {
		for (unsigned k = 0; k < offers->offers[i].n; k++) {
			const struct ike_choice *const c = &offers->offers[i].choices[k];

			if (c->type == IKE_TRANSFORM_KE && c->id == method && ike_ke_find(method))
				return true;
		}
	}
	return false;
}

void ike_init_begin(struct ike_exchange *x, uint64_t now_ms)
{
	const uint16_t method = ike_offers_method(&x->sa->conn->offers);

	if (!method) {
		give_up(x, "its connection has no key exchange that is known here");
		return;
	}
	x->nonce_i_len = IKE_NONCE_LEN;
	x->sa->world->ops.random(x->sa->world->arg, x->nonce_i, x->nonce_i_len);
	begin_with(x, method, now_ms);
}

/* 2.6: the same request again, the cookie first. */
static void take_cookie(struct ike_exchange *x, struct ipsp_span data, uint64_t now_ms)
{
	if (data.len == 0 || data.len > COOKIE_MAX || ++x->n_inits > INITS_MAX) {
		give_up(x, "its cookie is no cookie");
		return;
	}
	free(x->cookie);
	x->cookie = copy_of(data.data, data.len);
	x->cookie_len = data.len;
	if (x->cookie)
		send_init(x, now_ms);
	else
		give_up(x, "no memory");
}

/* 1.3: another group of ours. */
static void take_method(struct ike_exchange *x, struct ipsp_span data, uint64_t now_ms)
{
	const uint16_t method = data.len == 2 ? be16dec(data.data) : 0;

	if (!ike_offers_has_method(&x->sa->conn->offers, method) || method == x->job.method) {
		give_up(x, "the peer wants a key exchange that we do not offer");
		return;
	}
	begin_with(x, method, now_ms);
}

static void init_done(struct ike_exchange *x, uint64_t now_ms)
{
	if (x->job.err != IPSP_OK)
		give_up(x, "the peer's key exchange data is no value of its group");
	else if (derive(x) != IPSP_OK)
		give_up(x, "keys cannot be derived");
	else
		ike_more_begin(x, now_ms);
}

static void take_answer(struct ike_exchange *x, const struct ike_parsed *m,
			const struct init_parts *parts, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_notify n;

	if (!ike_offers_accept(&sa->conn->offers, &parts->offers, &x->suite) ||
	    x->suite.ke != x->job.method || parts->method != x->job.method ||
	    be64dec(m->header.spi_r) == 0) {
		give_up(x, "the peer chose what we did not offer");
		return;
	}
	if (ike_suite_has_more(&x->suite) &&
	    !ike_parsed_notify(m, IKE_N_INTERMEDIATE_EXCHANGE_SUPPORTED, &n)) {
		give_up(x, "the peer chose further key exchanges, but has no exchange for them");
		return;
	}
	memcpy(sa->spi_r, m->header.spi_r, IKE_SPI_LEN);
	memcpy(x->nonce_r, parts->nonce.data, parts->nonce.len);
	x->nonce_r_len = (uint16_t)parts->nonce.len;
	x->init_response = copy_of(m->message.data, m->message.len);
	x->init_response_len = m->message.len;
	ike_proof_notice(x, m);
	ike_nat_take(sa, m);
	note_abilities(sa, m);
	/* RFC 4555 3.3: a NAT that comes later then changes no port. */
	if (sa->nat || (sa->natt && ike_mobike_wants(sa)))
		sa->path.local_port = sa->path.remote_port = PORT_NAT;
	if (!x->init_response || !ike_job_take(&x->job, parts->ke) ||
	    !ike_proof_take_requests(x, m)) {
		give_up(x, "no memory");
		return;
	}
	sa->state = IKE_SA_AUTH_SENT;
	ike_run(x, IKE_JOB_KE_FINISH);
	if (sa->conn->has_child) {
		x->protocol = sa->conn->child.offers.offers[0].protocol;
		ike_ask_spi(x);
	}
	ike_wait(x, init_done, now_ms);
}

void ike_init_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct init_parts parts;
	struct ike_notify n;
	char name[IKE_NAME_TEXT];

	if (ike_parsed_notify(m, IKE_N_COOKIE, &n)) {
		take_cookie(x, n.data, now_ms);
	} else if (ike_parsed_notify(m, IKE_N_INVALID_KE_PAYLOAD, &n)) {
		take_method(x, n.data, now_ms);
	} else if (ike_parsed_error(m, &n)) {
		if (n.type == IKE_N_NO_PROPOSAL_CHOSEN)
			ike_explain_offers(x->sa);
		give_up(x, ike_name_or_number(IKE_LIST_NOTIFY, n.type, name));
	} else if (ike_parsed_notify(m, IKE_N_REDIRECT, &n)) {
		/* RFC 5685 3: only who says REDIRECT_SUPPORTED is to be sent elsewhere; that is not us. */
		give_up(x, "the peer sends us to another one (REDIRECT), where we do not go");
	} else if (read_parts(m, &parts)) {
		take_answer(x, m, &parts, now_ms);
	} else {
		give_up(x, "the answer is not whole");
	}
}

/* ---- responder ---- */

/* named: a peer of that address; else one that may be anywhere. */
static bool peer_fits(const struct ike_conn *c, const struct ipsp_addr *remote, bool named)
{
	for (size_t i = 0; i < c->n_peers; i++) {
		const struct ipsp_addr *const a = &c->peers[i].address;

		if (named ? ipsp_addr_cmp(a, remote) == 0 : a->family == 0)
			return true;
	}
	return false;
}

/* The first connection for these addresses whose proposals are theirs, too; those that name the peer's come first.
 * *near: one for the addresses; NULL: there is none. */
static struct ike_conn *choose_conn(const struct ike_world *w, const struct ike_path *path,
				    const struct ike_offers *offers, struct ike_suite *suite,
				    const struct ike_conn **near)
{
	*near = NULL;
	for (size_t i = 0; i < 2 * w->n_conns; i++) {
		struct ike_conn *const c = w->conns[i % w->n_conns];

		if ((c->local.family && ipsp_addr_cmp(&c->local, &path->local) != 0) ||
		    !peer_fits(c, &path->remote, i < w->n_conns))
			continue;
		*near = *near ? *near : c;
		if (ike_offers_choose(&c->offers, offers, suite) && ike_suite_is_known(suite))
			return c;
	}
	return NULL;
}

/* An answer longer than its request is for who has proved by a cookie that it is there: 2.6. */
static void ask_to_prove(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_header h;
	struct ike_fault why;

	if (ike_header_read((struct ipsp_span){ x->init_request, x->init_request_len }, &h, &why))
		ike_cookie_ask(sa->world, &sa->path, &h,
			       (struct ipsp_span){ x->nonce_i, x->nonce_i_len }, now_ms);
	ike_sa_free(sa);
}

static void init_answer(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ipsp_span sent;
	struct ike_builder b;

	if (x->job.err != IPSP_OK || derive(x) != IPSP_OK) {
		give_up(x, "the peer's key exchange data is no value of its group");
		return;
	}
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	ike_suite_write(&x->suite, (struct ipsp_span){ 0 }, &b);
	ike_build_ke(&b, &x->job);
	ike_build_nonce(&b, x->nonce_r, x->nonce_r_len);
	if (x->nat_asked)
		ike_nat_build(&b, sa, &sa->path);
	if (sa->fragments)
		ike_build_flag(&b, IKE_N_IKEV2_FRAGMENTATION_SUPPORTED);
	if (ike_suite_has_more(&x->suite))
		ike_build_flag(&b, IKE_N_INTERMEDIATE_EXCHANGE_SUPPORTED);
	ike_proof_announce(x, &b);
	if (IKE_HEADER_LEN + b.len + NOTIFY_LEN <= x->init_request_len)
		ike_build_flag(&b, IKE_N_CHILDLESS_IKEV2_SUPPORTED);
	if (!x->proved && IKE_HEADER_LEN + b.len > x->init_request_len) {
		ask_to_prove(x, now_ms);
		return;
	}
	if (ike_answer_send(x, &b, now_ms) != IPSP_OK) {
		give_up(x, "no memory");
		return;
	}
	sa->state = IKE_SA_INIT_ANSWERED;
	sent = ike_wire_message(sa->answers[0].wire);
	x->init_response_len = sent.len;
	x->init_response = copy_of(sent.data, sent.len);
	if (!x->init_response)
		give_up(x, "no memory");
}

static void forget(struct ike_timer *t, uint64_t now_ms)
{
	struct ike_sa *const sa = (struct ike_sa *)((char *)t - offsetof(struct ike_sa, life));

	(void)now_ms;
	ike_say(sa, IKE_LOG_INFO, "the peer did not come back with IKE_AUTH");
	ike_sa_free(sa);
}

static void begin_answer(struct ike_sa *sa, struct ike_exchange *x, const struct ike_parsed *m,
			 const struct init_parts *parts, uint64_t now_ms)
{
	struct ike_world *const w = sa->world;
	struct ike_notify n;

	memcpy(sa->spi_i, m->header.spi_i, IKE_SPI_LEN);
	ike_nat_take(sa, m);
	x->nat_asked = ike_parsed_notify(m, IKE_N_NAT_DETECTION_SOURCE_IP, &n);
	note_abilities(sa, m);
	ike_proof_notice(x, m);
	x->type = IKE_EXCHANGE_IKE_SA_INIT;
	x->init_request = copy_of(m->message.data, m->message.len);
	x->init_request_len = m->message.len;
	memcpy(x->nonce_i, parts->nonce.data, parts->nonce.len);
	x->nonce_i_len = (uint16_t)parts->nonce.len;
	/* No answer is longer than its request, nor shorter than 2.10 asks. */
	x->nonce_r_len = x->nonce_i_len < IKE_NONCE_LEN ? x->nonce_i_len : IKE_NONCE_LEN;
	w->ops.random(w->arg, x->nonce_r, x->nonce_r_len);
	x->job.method = x->suite.ke;
	x->job.ours_len = ike_ke_find(x->suite.ke)->answer_len;
	if (!x->init_request || !ike_job_take(&x->job, parts->ke)) {
		give_up(x, "no memory");
		return;
	}
	ike_timer_start(&w->timers, &sa->life, now_ms + HALF_OPEN_S * 1000, forget);
	ike_run(x, IKE_JOB_KE_ANSWER);
	ike_wait(x, init_answer, now_ms);
}

static void answer(struct ike_world *w, const struct ike_path *path, const struct ike_parsed *m,
		   const struct init_parts *parts, bool proved, uint64_t now_ms)
{
	struct ike_suite suite;
	const struct ike_conn *near;
	struct ike_conn *const conn = choose_conn(w, path, &parts->offers, &suite, &near);
	struct ike_exchange *x;
	struct ike_notify n;
	struct ike_sa *sa;
	uint8_t method[2];

	/* RFC 9370 2.2.1: who offers them must be able to make them. */
	if (conn && ike_suite_has_more(&suite) &&
	    !ike_parsed_notify(m, IKE_N_INTERMEDIATE_EXCHANGE_SUPPORTED, &n)) {
		ike_refuse_init(w, path, &m->header, IKE_N_NO_PROPOSAL_CHOSEN,
				(struct ipsp_span){ 0 });
		return;
	}
	if (!conn) {
		ike_refuse_init(w, path, &m->header, IKE_N_NO_PROPOSAL_CHOSEN,
				(struct ipsp_span){ 0 });
		ike_explain_init(w, path, near, &parts->offers, now_ms);
		return;
	}
	if (suite.ke != parts->method) {
		be16enc(method, suite.ke);
		ike_refuse_init(w, path, &m->header, IKE_N_INVALID_KE_PAYLOAD,
				(struct ipsp_span){ method, sizeof(method) });
		return;
	}
	sa = ike_sa_new(w, conn, path, false, now_ms);
	x = sa ? ike_exchange_new(sa, IKE_FOR_SETUP, false) : NULL;
	if (!x) {
		if (sa)
			ike_sa_free(sa);
		return;
	}
	x->suite = suite;
	x->proved = proved;
	if (ike_request_take(sa, 0))
		begin_answer(sa, x, m, parts, now_ms);
}

/* The IKE SA that this request has made already. */
static struct ike_sa *made_by(const struct ike_world *w, const struct ike_path *path,
			      const struct ike_header *h)
{
	for (struct ike_sa *sa = w->half_open; sa; sa = sa->next_half_open) {
		if (!sa->initiator && !memcmp(sa->spi_i, h->spi_i, IKE_SPI_LEN) &&
		    ipsp_addr_cmp(&sa->path.remote, &path->remote) == 0 &&
		    sa->path.remote_port == path->remote_port)
			return sa;
	}
	return NULL;
}

static bool too_many(const struct ike_world *w, const struct ike_path *path)
{
	unsigned n = 0;

	for (const struct ike_sa *sa = w->half_open; sa; sa = sa->next_half_open)
		n += ipsp_addr_cmp(&sa->path.remote, &path->remote) == 0;
	return w->n_half_open >= HALF_OPEN_MAX || n >= HALF_OPEN_EACH;
}

void ike_init_request(struct ike_world *w, const struct ike_path *path, const struct ike_parsed *m,
		      uint64_t now_ms)
{
	struct ike_sa *const old = made_by(w, path, &m->header);
	struct init_parts parts;
	struct ike_notify cookie = { 0 };
	bool proved;

	if (m->header.message_id != 0 || be64dec(m->header.spi_r) != 0 ||
	    be64dec(m->header.spi_i) == 0 || !(m->header.flags & IKE_FLAG_INITIATOR))
		return;
	if ((old && ike_request_repeated(old, 0, true)) || !read_parts(m, &parts))
		return;
	proved = ike_parsed_notify(m, IKE_N_COOKIE, &cookie) &&
		 ike_cookie_good(w, path, m->header.spi_i, parts.nonce, cookie.data, now_ms);
	if (ike_cookies_wanted(w) && !proved) {
		ike_cookie_ask(w, path, &m->header, parts.nonce, now_ms);
		return;
	}
	if (!too_many(w, path))
		answer(w, path, m, &parts, proved, now_ms);
}
