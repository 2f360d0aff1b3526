/*
 * pfkey/acquire.c - ACQUIRE in its three forms: an SA is needed, a key manager failed, and a user
 * that needs an SA for a protocol of its own. RFC 2367 3.1.6.
 */
#include <errno.h>
#include <linux/ipsec.h>

#include "pfkey/algs.h"
#include "pfkey/server_int.h"

static bool is_anyone_registered(const struct pfkey_server *s, uint8_t satype)
{
	const struct pfkey_client *c;

	TAILQ_FOREACH(c, &s->clients, entry) {
		if (c->registered & 1u << satype)
			return true;
	}
	return false;
}

int pfkey_acquire(struct pfkey_client *c, const struct pfkey_msg *m)
{
	struct pfkey_server *s = c->server;

	if (m->has == 0) {
		const enum ipsp_err err = ipsp_engine_acquire_failed(s->config.engine, m->seq,
								     s->now_s);

		/* There is no answer, also if the need has gone meanwhile. */
		return err == IPSP_ENOENT ? 0 : pfkey_errno(err);
	}
	if (m->satype == SADB_SATYPE_UNSPEC || m->satype > SADB_SATYPE_MAX)
		return EINVAL;
	if (!is_anyone_registered(s, m->satype))
		return EPROTONOSUPPORT;
	pfkey_answer(c, PFKEY_TO_REGISTERED, m, ~UINT64_C(0));
	return 0;
}

/* The outermost that is missing: its ends are those to negotiate with. */
static const struct ipsp_template *wanted(const struct ipsp_acquire *a)
{
	for (unsigned i = a->n_templates; i > 0; i--) {
		if (a->missing & 1u << (i - 1))
			return &a->templates[i - 1];
	}
	return a->n_templates > 0 ? &a->templates[a->n_templates - 1] : NULL;
}

/* The packet alone; what it hides is any. */
static void packet_box(const struct ipsp_flow *f, struct ipsp_selector *box)
{
	ipsp_selector_any(f->family, box);
	box->src_lo = box->src_hi = f->src;
	box->dst_lo = box->dst_hi = f->dst;
	if (f->proto_known)
		box->proto_lo = box->proto_hi = f->proto;
	/* Protocols without ports have no number there. */
	if (f->proto_known && f->ports_known && f->sport != IPSP_PORT_NONE) {
		box->sport_lo = box->sport_hi = f->sport;
		box->dport_lo = box->dport_hi = f->dport;
	}
}

static uint16_t port_of(uint32_t port)
{
	return port <= IPSP_PORT_MAX ? (uint16_t)port : 0;
}

void pfkey_server_acquire(struct pfkey_server *s, const struct ipsp_acquire *acquire)
{
	const struct ipsp_template *t = wanted(acquire);
	const uint8_t satype = t ? pfkey_satype_of(t->proto) : SADB_SATYPE_UNSPEC;
	const struct pfkey_policy policy = {
		.type = IPSEC_POLICY_IPSEC, .dir = IPSEC_DIR_OUTBOUND,
		.id = pfkey_entry_index(acquire->entry_id),
	};
	struct pfkey_comb combs[PFKEY_COMBS_MAX];
	struct ipsp_selector packet;
	uint8_t message[PFKEY_MSG_MAX];
	struct pfkey_writer w;

	if (satype == SADB_SATYPE_UNSPEC)
		return;
	const struct pfkey_sa2 sa2 = { .reqid = t->reqid, .sequence = acquire->seq,
				       .mode = t->mode == IPSP_MODE_TUNNEL ? IPSEC_MODE_TUNNEL :
									     IPSEC_MODE_TRANSPORT };
	struct pfkey_address src = { .addr = t->local, .proto = acquire->flow.proto,
				     .port = port_of(acquire->flow.sport) };
	const struct pfkey_address dst = { .addr = t->remote, .proto = acquire->flow.proto,
					   .port = port_of(acquire->flow.dport) };

	src.addr.family = dst.addr.family;	/* not known yet: the unspecified address */
	pfkey_begin(&w, message, sizeof(message), SADB_ACQUIRE, satype, acquire->seq, 0);
	pfkey_put_address(&w, SADB_EXT_ADDRESS_SRC, &src);
	pfkey_put_address(&w, SADB_EXT_ADDRESS_DST, &dst);
	pfkey_put_proposal(&w, 32, combs, pfkey_algs_combs(s->config.crypto, satype, combs));
	pfkey_put_policy(&w, &policy);
	pfkey_put_sa2(&w, &sa2);
	packet_box(&acquire->flow, &packet);
	pfkey_put_traffic(&w, &packet, 1);
	const size_t len = pfkey_end(&w);

	pfkey_tell(s, PFKEY_TO_REGISTERED, NULL, satype, message, len);
}
