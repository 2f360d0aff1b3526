/*
 * ike/v2_more.c - further key exchanges of an IKE SA, so that it stands while one of them does. RFC 9370, RFC 9242.
 *
 *	HDR, SK {KEi(n)}  -->			IKE_INTERMEDIATE, once for each transform of ADDKE1 to ADDKE7, before IKE_AUTH
 *	<--  HDR, SK {KEr(n)}
 *
 * Each makes new keys out of SK_d and its secret (RFC 9370 2.2.2), and what was said is a part of what AUTH signs, since
 * it was not authenticated when it came (RFC 9242 3.3.2).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include <gcrypt.h>

#include "ike/internal.h"

#define SK_HEADER_LEN 4u

/* ---- which there are ---- */

bool ike_suite_has_more(const struct ike_suite *suite)
{
	for (unsigned i = 0; i < IKE_ADD_KE_MAX; i++) {
		if (suite->add_ke[i])
			return true;
	}
	return false;
}

bool ike_suite_is_known(const struct ike_suite *suite)
{
	for (unsigned i = 0; i < IKE_ADD_KE_MAX; i++) {
		if (suite->add_ke[i] && !ike_ke_find(suite->add_ke[i]))
			return false;
	}
	return ike_ke_find(suite->ke) != NULL;
}

bool ike_offers_have_more(const struct ike_offers *offers)
{
	for (unsigned i = 0; i < offers->n; i++) {
		for (unsigned k = 0; k < offers->offers[i].n; k++) {
			if (offers->offers[i].choices[k].type >= IKE_TRANSFORM_ADDKE1)
				return true;
		}
	}
	return false;
}

/* The next one from at_more on that was agreed on. False: none is left. */
static bool next(struct ike_exchange *x)
{
	while (x->at_more < IKE_ADD_KE_MAX && !x->suite.add_ke[x->at_more])
		x->at_more++;
	return x->at_more < IKE_ADD_KE_MAX;
}

bool ike_more_done(const struct ike_exchange *x)
{
	for (unsigned i = x->at_more; i < IKE_ADD_KE_MAX; i++) {
		if (x->suite.add_ke[i])
			return false;
	}
	return true;
}

static void give_up(struct ike_exchange *x, const char *why)
{
	ike_say(x->sa, IKE_LOG_NOTICE, "IKE_INTERMEDIATE fails: %s", why);
	ike_sa_free(x->sa);
}

/* ---- what AUTH signs of it, RFC 9242 3.3.2 ---- */

/*
 * A message as if it were neither padded nor cut: its header, that of SK, and what is inside. header: its first
 * IKE_HEADER_LEN octets as they are on the wire.
 */
static enum ipsp_err note(struct ike_exchange *x, bool initiators, const uint8_t *header,
			  uint8_t first, struct ipsp_span clear)
{
	const struct ike_keys *const k = x->sa->keys;
	uint8_t a[IKE_HEADER_LEN + SK_HEADER_LEN];
	uint8_t *const out = x->int_auth + (initiators ? 0 : k->prf_len);
	const struct ipsp_span before = { out, x->n_more ? k->prf_len : 0 };
	const struct ipsp_span data[] = { before, { a, sizeof(a) }, clear };
	uint8_t mac[IKE_PRF_MAX];
	enum ipsp_err err;

	memcpy(a, header, IKE_HEADER_LEN);
	a[16] = IKE_PAYLOAD_SK;
	be32enc(a + 24, (uint32_t)(sizeof(a) + clear.len));
	a[IKE_HEADER_LEN] = first;
	a[IKE_HEADER_LEN + 1] = 0;
	be16enc(a + IKE_HEADER_LEN + 2, (uint16_t)(SK_HEADER_LEN + clear.len));
	err = ike_prf(x->sa->world->prfs, k->prf,
		      (struct ipsp_span){ initiators ? k->sk_pi : k->sk_pr, k->prf_len }, data, 3,
		      mac);
	if (err == IPSP_OK)
		memcpy(out, mac, k->prf_len);
	return err;
}

static enum ipsp_err note_ours(struct ike_exchange *x, bool response, uint32_t id,
			       struct ike_builder *b)
{
	const struct ike_header_fields h =
		ike_header_of(x->sa, IKE_EXCHANGE_IKE_INTERMEDIATE, response, id);
	uint8_t header[IKE_HEADER_LEN];
	struct ipsp_span clear;

	if (!ike_build_end(b, &clear))
		return IPSP_ENOSPC;
	ike_header_write(&h, b->first, 0, header);
	return note(x, !response, header, b->first, clear);
}

/* ---- what both do ---- */

static bool read_ke(struct ike_exchange *x, const struct ike_parsed *m, struct ipsp_span *value)
{
	const struct ike_payload *const ke = ike_parsed_find(m, IKE_PAYLOAD_KE);
	uint16_t method;

	return ke && ike_ke_read(ke, &method, value) && method == x->suite.add_ke[x->at_more];
}

/* RFC 9370 2.2.2: SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr). The keys before it are handed to the caller. */
static enum ipsp_err renew_keys(struct ike_exchange *x, struct ike_keys **before)
{
	struct ike_sa *const sa = x->sa;
	const struct ike_key_source source = {
		.suite = &x->suite, .spi_i = sa->spi_i, .spi_r = sa->spi_r,
		.nonce_i = { x->nonce_i, x->nonce_i_len }, .nonce_r = { x->nonce_r, x->nonce_r_len },
		.shared = { x->job.shared, x->job.shared_len },
	};
	struct ike_keys *fresh;
	const enum ipsp_err err = ike_keys_make(sa->world->prfs, sa->world->crypto, &source, sa->keys,
						&fresh);

	gcry_free(x->job.shared);
	x->job.shared = NULL;
	if (err != IPSP_OK)
		return err;
	*before = sa->keys;
	sa->keys = fresh;
	x->n_more++;
	x->at_more++;
	/* Behind both macs, 3.3.2: the number of the first IKE_AUTH. */
	be32enc(x->int_auth + 2 * fresh->prf_len, 1 + x->n_more);
	x->int_auth_len = 2u * fresh->prf_len + 4;
	return IPSP_OK;
}

/* ---- initiator ---- */

static void send_request(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_builder b;

	if (x->job.err != IPSP_OK) {
		give_up(x, "the key exchange cannot be computed");
		return;
	}
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	ike_build_ke(&b, &x->job);
	if (note_ours(x, false, sa->next_id, &b) != IPSP_OK ||
	    ike_request_send(x, IKE_EXCHANGE_IKE_INTERMEDIATE, &b, now_ms) != IPSP_OK)
		give_up(x, "no memory");
}

void ike_more_begin(struct ike_exchange *x, uint64_t now_ms)
{
	if (!next(x)) {
		ike_auth_begin(x, now_ms);
		return;
	}
	ike_run_ke(x, x->suite.add_ke[x->at_more]);
	ike_wait(x, send_request, now_ms);
}

static void finished(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_keys *before = NULL;

	if (x->job.err != IPSP_OK) {
		give_up(x, "the peer's key exchange data is no value of its group");
		return;
	}
	if (renew_keys(x, &before) != IPSP_OK) {
		give_up(x, "keys cannot be derived");
		return;
	}
	ike_keys_free(before);
	ike_more_begin(x, now_ms);
}

void ike_more_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	char name[IKE_NAME_TEXT];
	struct ipsp_span value;
	struct ike_notify n;

	if (ike_parsed_error(m, &n)) {
		give_up(x, ike_name_or_number(IKE_LIST_NOTIFY, n.type, name));
	} else if (!read_ke(x, m, &value)) {
		give_up(x, "the peer's key exchange is another one");
	} else if (note(x, false, m->message.data, m->first, m->clear) != IPSP_OK ||
		   !ike_job_take(&x->job, value)) {
		give_up(x, "no memory");
	} else {
		ike_run(x, IKE_JOB_KE_FINISH);
		ike_wait(x, finished, now_ms);
	}
}

/* ---- responder ---- */

static void answer(struct ike_exchange *x, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_keys *before = NULL;
	struct ike_builder b;

	if (x->job.err != IPSP_OK) {
		ike_refuse(x, ike_job_refusal(x->job.err), (struct ipsp_span){ 0 }, now_ms);
		give_up(x, "the peer's key exchange data is no value of its group");
		return;
	}
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	ike_build_ke(&b, &x->job);
	if (note_ours(x, true, x->id, &b) != IPSP_OK || ike_answer_send(x, &b, now_ms) != IPSP_OK ||
	    renew_keys(x, &before) != IPSP_OK) {
		give_up(x, "no memory");
		return;
	}
	ike_keys_free(x->former);
	x->former = before;
}

void ike_more_request(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ipsp_span value;

	if (!next(x) || !read_ke(x, m, &value)) {
		ike_refuse(x, IKE_N_INVALID_SYNTAX, (struct ipsp_span){ 0 }, now_ms);
		give_up(x, "the peer's key exchange is another one");
		return;
	}
	x->job.method = x->suite.add_ke[x->at_more];
	x->job.ours_len = ike_ke_find(x->job.method)->answer_len;
	if (note(x, true, m->message.data, m->first, m->clear) != IPSP_OK ||
	    !ike_job_take(&x->job, value)) {
		give_up(x, "no memory");
		return;
	}
	ike_run(x, IKE_JOB_KE_ANSWER);
	ike_wait(x, answer, now_ms);
}

const struct ike_keys *ike_more_former(const struct ike_sa *sa)
{
	for (const struct ike_exchange *x = sa->exchanges; x; x = x->next) {
		if (x->purpose == IKE_FOR_SETUP && !x->ours)
			return x->former;
	}
	return NULL;
}
