/*
 * ike/v2_info.c - INFORMATIONAL: DELETE, liveness, news. RFC 7296 1.4, 1.4.1, 2.4.
 *
 * A Child SA's two directions go together: who is asked to delete what it sends on (the SPI names the
 * other's inbound one) answers with its own inbound one, unless its own DELETE of that is on its way.
 */
#include <string.h>
#include <sys/endian.h>

#include "ike/internal.h"

#define CHILD_SPI_LEN 4u

static void build_delete(struct ike_builder *b, uint8_t protocol, const uint32_t *spis, uint16_t n)
{
	ike_build_payload(b, IKE_PAYLOAD_D);
	ike_build_u8(b, protocol);
	ike_build_u8(b, protocol == IKE_PROTOCOL_IKE ? 0 : CHILD_SPI_LEN);
	ike_build_u16(b, n);
	for (uint16_t i = 0; i < n; i++)
		ike_build_u32(b, spis[i]);
}

/* ---- ours ---- */

enum ipsp_err ike_delete_begin(struct ike_sa *sa, struct ike_child *c, uint64_t now_ms)
{
	struct ike_exchange *const x = ike_exchange_new(
		sa, c ? IKE_FOR_DELETE_CHILD : IKE_FOR_DELETE_IKE, true);
	struct ike_builder b;
	enum ipsp_err err;

	if (!x)
		return IPSP_ENOMEM;
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	if (c) {
		c->deleting = true;
		x->protocol = c->protocol;
		x->child_spi_out = c->spi_out;
		build_delete(&b, c->protocol, &c->spi_in, 1);
	} else {
		sa->state = IKE_SA_DELETING;
		ike_event_down(sa, IKE_END_REMOVED, "it is ended here");
		build_delete(&b, IKE_PROTOCOL_IKE, NULL, 0);
	}
	err = ike_request_send(x, IKE_EXCHANGE_INFORMATIONAL, &b, now_ms);
	if (err != IPSP_OK)
		ike_exchange_free(x);
	return err;
}

void ike_liveness_begin(struct ike_sa *sa, uint64_t now_ms)
{
	struct ike_exchange *const x = ike_exchange_new(sa, IKE_FOR_LIVENESS, true);
	struct ike_builder b;

	if (!x)
		return;
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	ike_mobike_probe(sa, &b);
	if (ike_request_send(x, IKE_EXCHANGE_INFORMATIONAL, &b, now_ms) != IPSP_OK)
		ike_exchange_free(x);
}

void ike_info_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct ike_child *c;

	if (x->purpose == IKE_FOR_DELETE_IKE) {
		ike_say(sa, IKE_LOG_INFO, "deleted");
		ike_sa_free(sa);
		return;
	}
	if (x->purpose != IKE_FOR_DELETE_CHILD) {
		ike_mobike_response(x, m, now_ms);
		return;
	}
	c = ike_child_find(sa, x->protocol, x->child_spi_out, false);
	if (c)
		ike_child_remove(sa, c);
	ike_exchange_free(x);
}

/* ---- theirs ---- */

/* What we will receive on no more, for our answer. */
struct deleted {
	uint16_t n;
	uint8_t protocol;
	uint32_t spis[64];
};

static void delete_child(struct ike_sa *sa, uint8_t protocol, uint32_t spi_out, struct deleted *d)
{
	struct ike_child *const c = ike_child_find(sa, protocol, spi_out, false);

	if (!c)
		return;
	/* 1.4.1: both delete at once: neither answers with it. */
	if (!c->deleting && d->n < sizeof(d->spis) / sizeof(d->spis[0])) {
		d->protocol = protocol;
		d->spis[d->n++] = c->spi_in;
	}
	ike_say(sa, IKE_LOG_INFO, "the peer deletes the Child SA with SPI 0x%08x", c->spi_in);
	ike_child_remove(sa, c);
}

/* @return true: it is the IKE SA that goes */
static bool take_delete(struct ike_sa *sa, const struct ike_payload *p, struct deleted *d)
{
	struct ipsp_span rest = p->body, head, spi;

	if (!ike_take(&rest, 4, &head))
		return false;
	if (head.data[0] == IKE_PROTOCOL_IKE)
		return true;
	if (head.data[1] != CHILD_SPI_LEN)
		return false;
	while (ike_take(&rest, CHILD_SPI_LEN, &spi))
		delete_child(sa, head.data[0], be32dec(spi.data), d);
	return false;
}

static const char refused[] = "the peer does not take us for whom we say: AUTHENTICATION_FAILED";

static void disbelieve(struct ike_sa *sa)
{
	ike_say(sa, IKE_LOG_NOTICE, "%s", refused);
	ike_event_auth_failed(sa, sa->remote, refused);
}

void ike_info_request(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms)
{
	struct ike_sa *const sa = x->sa;
	struct deleted d = { 0 };
	struct ike_builder b;
	struct ike_notify n;
	/* 2.21.2: an initiator that does not believe us says so behind IKE_AUTH, and that is the end. */
	const bool disbelieved = ike_parsed_notify(m, IKE_N_AUTHENTICATION_FAILED, &n);
	bool ends = disbelieved, check;

	for (unsigned i = 0; i < m->n; i++) {
		if (m->payloads[i].type == IKE_PAYLOAD_D)
			ends |= take_delete(sa, &m->payloads[i], &d);
	}
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	if (d.n > 0 && !ends)
		build_delete(&b, d.protocol, d.spis, d.n);
	check = !ends && ike_mobike_request(x, m, &b, now_ms);
	if (!ends)
		ike_reauth_take(sa, m, now_ms);
	if (ike_answer_send(x, &b, now_ms) != IPSP_OK)
		ike_say(sa, IKE_LOG_ERROR, "no answer could be made");
	ike_exchange_free(x);
	if (check)
		ike_mobike_check(sa, now_ms);
	if (ends) {
		if (disbelieved)
			disbelieve(sa);
		else
			ike_say(sa, IKE_LOG_INFO, "the peer deletes it");
		ike_rekey_before_end(sa, now_ms);
		ike_event_down(sa, disbelieved ? IKE_END_FAILED : IKE_END_BY_PEER,
			       disbelieved ? refused : "the peer deletes it");
		ike_sa_free(sa);
	}
}
