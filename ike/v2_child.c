/*
 * ike/v2_child.c - CREATE_CHILD_SA for Child SAs: one more, or one in the place of another. RFC 7296 1.3.1, 1.3.3,
 * 2.8, 2.8.1 (both rekey at once), 2.25.1.
 *
 *	HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr}  -->
 *	<--  HDR, SK {SA, Nr, [KEr,] TSi, TSr}
 */
#include <string.h>
#include <sys/endian.h>

#include <gcrypt.h>

#include "ike/internal.h"

#define CHILD_SPI_LEN 4u

static struct ipsp_span nothing(void)
{
	return (struct ipsp_span){ 0 };
}

/* ---- ours ---- */

void ike_child_fail(struct ike_exchange *x, const char *why)
{
	ike_say(x->sa, IKE_LOG_NOTICE, "no Child SA: %s", why);
	ike_reauth_child(x->sa, false);
	ike_exchange_free(x);
}

static void give_up(struct ike_exchange *x, const char *why)
{
	ike_child_fail(x, why);
}

static void send_request(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_builder b;
	uint8_t spi[CHILD_SPI_LEN];

	if (!x->spi_in || x->job.err != IPSP_OK) {
		give_up(x, x->spi_in ? "the key exchange cannot be computed" : "the SAD gives no SPI");
		return;
	}
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	if (x->rekeyed) {
		be32enc(spi, x->rekeyed->spi_in);
		ike_build_notify(&b, x->rekeyed->protocol,
				 (struct ipsp_span){ spi, sizeof(spi) }, IKE_N_REKEY_SA, nothing());
	}
	ike_build_nonce(&b, x->nonce_i, x->nonce_i_len);
	if (x->job.ke)
		ike_build_ke(&b, &x->job);
	ike_child_offer(x, &b);
	if (ike_request_send(x, IKE_EXCHANGE_CREATE_CHILD_SA, &b, now_ms) != IPSP_OK)
		give_up(x, "no memory");
}

static void begin_with(struct ike_exchange *x, uint16_t method, uint64_t now_ms)
{
	if (method) {
		ike_run_ke(x, method);
	}
	if (!x->spi_in)
		ike_ask_spi(x);
	ike_wait(x, send_request, now_ms);
}

static enum ipsp_err begin(struct ike_sa *sa, struct ike_conn *conn, struct ike_child *rekeyed,
			   const struct ike_pair *packet, uint64_t now_ms)
{
	struct ike_exchange *x;

	const char *forbidden;

	if (!conn->has_child || sa->state != IKE_SA_ESTABLISHED)
		return IPSP_ENOENT;
	if (rekeyed && (rekeyed->rekey || rekeyed->deleting))
		return IPSP_EEXIST;
	forbidden = ike_nat_forbids(sa, conn->child.offers.offers[0].protocol);
	if (forbidden) {
		ike_say(sa, IKE_LOG_NOTICE, "no Child SA: %s", forbidden);
		return IPSP_ENOTSUP;
	}
	x = ike_exchange_new(sa, rekeyed ? IKE_FOR_CHILD_REKEY : IKE_FOR_CHILD, true);
	if (!x)
		return IPSP_ENOMEM;
	if (rekeyed)
		rekeyed->rekey = x;
	x->rekeyed = rekeyed;
	x->conn = ike_conn_ref(conn);
	ike_packet_take(x, packet);
	x->protocol = rekeyed ? rekeyed->protocol : conn->child.offers.offers[0].protocol;
	x->nonce_i_len = IKE_NONCE_LEN;
	sa->world->ops.random(sa->world->arg, x->nonce_i, x->nonce_i_len);
	begin_with(x, ike_offers_method(&conn->child.offers), now_ms);
	return IPSP_OK;
}

enum ipsp_err ike_child_begin(struct ike_sa *sa, struct ike_child *rekeyed, uint64_t now_ms)
{
	return begin(sa, rekeyed ? rekeyed->conn : sa->conn, rekeyed, rekeyed ? rekeyed->packet : NULL, now_ms);
}

enum ipsp_err ike_child_begin_for(struct ike_sa *sa, struct ike_conn *conn, const struct ike_pair *packet,
				  uint64_t now_ms)
{
	return begin(sa, conn, NULL, packet, now_ms);
}

/* Of two that were made at once the one with the lowest nonce goes, and who made it deletes it. */
static bool ours_lost(const struct ike_child *ours, const struct ike_child *old)
{
	const struct ike_exchange *const coming = ike_followup_waiting(ours->sa, IKE_FOR_CHILD_REKEY, old);

	return ike_exchange_lost(ours->nonce_min, old->rival ? old->rival->nonce_min : NULL, coming);
}

static void finish_rekey(struct ike_sa *sa, struct ike_child *old, uint64_t now_ms)
{
	struct ike_child *const fresh = sa->children;
	struct ike_child *const loser = ours_lost(fresh, old) ? fresh : old;

	old->rival = NULL;
	if (ike_delete_begin(sa, loser, now_ms) != IPSP_OK)
		ike_say(sa, IKE_LOG_ERROR, "a Child SA that was rekeyed cannot be deleted: no memory");
}

static void install(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_child *const old = x->rekeyed;
	const bool late = x->late;

	if (x->job.err != IPSP_OK) {
		give_up(x, "the peer's key exchange data is no value of its group");
		return;
	}
	if (ike_child_install(x) != IPSP_OK) {
		give_up(x, "the SAD refuses it");
		return;
	}
	ike_exchange_free(x);
	ike_reauth_child(sa, true);
	if (old)
		finish_rekey(sa, old, now_ms);
	else if (late && ike_delete_begin(sa, sa->children, now_ms) != IPSP_OK)
		ike_say(sa, IKE_LOG_ERROR, "a Child SA too much cannot be deleted: no memory");
}

static void take_answer(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	const struct ike_payload *const ke = ike_parsed_find(m, IKE_PAYLOAD_KE);
	const char *why = ike_child_accept(x, m);
	struct ipsp_span value;
	uint16_t method;

	if (!why)
		why = ike_followup_take(x, m);
	if (why || !ike_parsed_nonce(m, x->nonce_r, &x->nonce_r_len)) {
		give_up(x, why ? why : "the answer has no nonce");
		return;
	}
	if (!x->child_suite.ke) {
		install(x, now_ms);
		return;
	}
	if (!ke || !ike_ke_read(ke, &method, &value) || method != x->child_suite.ke ||
	    method != x->job.method || !ike_job_take(&x->job, value)) {
		give_up(x, "the peer's key exchange is another one");
		return;
	}
	ike_followup_finish(x, install, now_ms);
}

/* 2.25.1: the peer knows no such Child SA. What a packet waits for is asked for from scratch. */
static void lost_child(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_child *const old = x->rekeyed;
	struct ike_conn *const conn = ike_conn_ref(ike_conn_of(x));
	const struct ike_pair packet = x->packet;
	const bool wanted = x->wanted, has_packet = x->has_packet;

	give_up(x, "the peer does not have the one that is to be rekeyed");
	if (old)
		ike_child_remove(sa, old);
	if (wanted && ike_child_begin_for(sa, conn, has_packet ? &packet : NULL, now_ms) != IPSP_OK)
		ike_say(sa, IKE_LOG_NOTICE, "nor can another one be asked for now");
	ike_conn_unref(conn);
}

static void refused(struct ike_exchange *x, uint16_t notify, uint64_t now_ms)
{
	char name[IKE_NAME_TEXT];

	ike_explain_refused(x, notify);
	if (notify == IKE_N_TEMPORARY_FAILURE && x->rekeyed)
		ike_life_again(x->sa, x->rekeyed, now_ms);
	give_up(x, ike_name_or_number(IKE_LIST_NOTIFY, notify, name));
}

static void child_answered(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ike_notify n;

	if (ike_parsed_notify(m, IKE_N_INVALID_KE_PAYLOAD, &n) && n.data.len == 2 &&
	    ike_offers_has_method(&ike_conn_of(x)->child.offers, be16dec(n.data.data)) &&
	    be16dec(n.data.data) != x->job.method)
		begin_with(x, be16dec(n.data.data), now_ms);
	else if (ike_parsed_notify(m, IKE_N_CHILD_SA_NOT_FOUND, &n))
		lost_child(x, now_ms);
	else if (ike_parsed_error(m, &n))
		refused(x, n.type, now_ms);
	else
		take_answer(x, m, now_ms);
}

/* ---- theirs ---- */

static void refuse(struct ike_exchange *x, uint16_t notify, struct ipsp_span data, uint64_t now_ms)
{
	char name[IKE_NAME_TEXT];

	ike_say(x->sa, IKE_LOG_INFO, "no Child SA: we answer %s",
		ike_name_or_number(IKE_LIST_NOTIFY, notify, name));
	ike_refuse(x, notify, data, now_ms);
	ike_exchange_free(x);
}

uint16_t ike_child_make(struct ike_exchange *x)
{
	struct ike_child *const old = x->rekeyed;

	if (ike_child_install(x) != IPSP_OK)
		return IKE_N_NO_ADDITIONAL_SAS;
	if (old && old->rekey)
		old->rival = x->sa->children;
	return 0;
}

static void answer(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	const bool more = ike_suite_has_more(&x->child_suite);
	struct ike_builder b;
	uint16_t notify;

	if (!x->spi_in || x->job.err != IPSP_OK) {
		refuse(x, x->spi_in ? ike_job_refusal(x->job.err) : IKE_N_NO_ADDITIONAL_SAS, nothing(),
		       now_ms);
		return;
	}
	if (!ike_anyone_takes(x)) {
		refuse(x, IKE_N_TS_UNACCEPTABLE, nothing(), now_ms);
		return;
	}
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	ike_child_answer(x, &b);
	ike_build_nonce(&b, x->nonce_r, x->nonce_r_len);
	if (x->child_suite.ke)
		ike_build_ke(&b, &x->job);
	if (more)
		notify = ike_followup_offer(x, &b, now_ms) ? 0 : IKE_N_TEMPORARY_FAILURE;
	else
		notify = ike_child_make(x);
	if (notify) {
		refuse(x, notify, nothing(), now_ms);
		return;
	}
	if (ike_answer_send(x, &b, now_ms) != IPSP_OK)
		ike_say(sa, IKE_LOG_ERROR, "no answer could be made");
	if (!more)
		ike_exchange_free(x);
}

/* 2.8, 2.25.1: which one of ours is meant. @return 0, or the notification to refuse it with */
static uint16_t find_rekeyed(struct ike_exchange *x, const struct ike_parsed *m)
{
	struct ike_notify n;

	if (!ike_parsed_notify(m, IKE_N_REKEY_SA, &n))
		return 0;
	if (n.spi.len != CHILD_SPI_LEN)
		return IKE_N_INVALID_SYNTAX;
	x->rekeyed = ike_child_find(x->sa, n.protocol, be32dec(n.spi.data), false);
	if (!x->rekeyed)
		return IKE_N_CHILD_SA_NOT_FOUND;
	return x->rekeyed->deleting ? IKE_N_TEMPORARY_FAILURE : 0;
}

static void compute_answer(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	const struct ike_payload *const ke = ike_parsed_find(m, IKE_PAYLOAD_KE);
	const struct ike_ke_info *const info =
		ike_suite_is_known(&x->child_suite) ? ike_ke_find(x->child_suite.ke) : NULL;
	struct ipsp_span value;
	uint16_t method, notify;
	uint8_t wanted[2];

	if (x->child_suite.ke) {
		be16enc(wanted, x->child_suite.ke);
		if (!info || !ke || !ike_ke_read(ke, &method, &value) ||
		    method != x->child_suite.ke) {
			refuse(x, info ? IKE_N_INVALID_KE_PAYLOAD : IKE_N_NO_PROPOSAL_CHOSEN,
			       (struct ipsp_span){ wanted, info ? sizeof(wanted) : 0 }, now_ms);
			return;
		}
		x->job.method = method;
		x->job.ours_len = info->answer_len;
		notify = ike_followup_may(x);
		if (!notify && !ike_job_take(&x->job, value))
			notify = IKE_N_TEMPORARY_FAILURE;
		if (notify) {
			refuse(x, notify, nothing(), now_ms);
			return;
		}
		ike_run(x, IKE_JOB_KE_ANSWER);
	} else if (ike_suite_has_more(&x->child_suite)) {
		refuse(x, IKE_N_NO_PROPOSAL_CHOSEN, nothing(), now_ms);	/* further ones than none */
		return;
	}
	ike_ask_spi(x);
	ike_wait(x, answer, now_ms);
}

static void child_requested(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	uint16_t notify = find_rekeyed(x, m);

	/* 2.25: a Child SA of an IKE SA that is going would have no future. */
	if (!notify && (sa->state != IKE_SA_ESTABLISHED ||
			ike_exchange_runs(sa, IKE_FOR_IKE_REKEY, true)))
		notify = sa->state == IKE_SA_DELETING ? IKE_N_NO_ADDITIONAL_SAS :
							IKE_N_TEMPORARY_FAILURE;
	if (!notify) {
		ike_pick_child(x, m);
		notify = ike_child_choose(x, m);
	}
	if (!notify && !ike_parsed_nonce(m, x->nonce_i, &x->nonce_i_len))
		notify = IKE_N_INVALID_SYNTAX;
	if (notify) {
		ike_explain_refusal(x, m, notify);
		ike_refuse(x, notify, nothing(), now_ms);
		ike_exchange_free(x);
		return;
	}
	x->purpose = x->rekeyed ? IKE_FOR_CHILD_REKEY : IKE_FOR_CHILD;
	x->nonce_r_len = IKE_NONCE_LEN;
	sa->world->ops.random(sa->world->arg, x->nonce_r, x->nonce_r_len);
	compute_answer(x, m, now_ms);
}

/* ---- which of the three it is ---- */

static bool is_of_ike(const struct ike_parsed *m)
{
	const struct ike_payload *const sa = ike_parsed_find(m, IKE_PAYLOAD_SA);

	/* RFC 7296 3.3.1: the protocol of the first proposal. */
	return sa && sa->body.len > 5 && sa->body.data[5] == IKE_PROTOCOL_IKE;
}

void ike_child_request(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	if (is_of_ike(m))
		ike_rekey_request(x, m, now_ms);
	else
		child_requested(x, m, now_ms);
}

void ike_child_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	if (x->purpose == IKE_FOR_IKE_REKEY)
		ike_rekey_response(x, m, now_ms);
	else
		child_answered(x, m, now_ms);
}
