/*
 * ipspd/ike_pfkey_sa.c - one SA as PF_KEY says it: ADD and UPDATE of a Child SA. RFC 2367 3.1.2, 3.1.3; extensions
 * of Linux, and our own (pfkey/msg.h).
 */
#include "config.h"

#include <linux/ipsec.h>
#include <linux/udp.h>
#include <stdio.h>

#include "ike/algs.h"
#include "ipsp/replay.h"
#include "ipspd/ike_pfkey_sa.h"
#include "ipspd/log.h"
#include "pfkey/algs.h"

#define REPLAY_MAX 255u		/* of the field */

uint8_t ike_pfkey_satype_of(uint8_t protocol)
{
	if (protocol == IKE_SAD_IPCOMP)
		return SADB_X_SATYPE_IPCOMP;
	return protocol == IKE_PROTOCOL_AH ? SADB_SATYPE_AH : SADB_SATYPE_ESP;
}

uint8_t ike_pfkey_protocol_of(uint8_t satype)
{
	if (satype == SADB_X_SATYPE_IPCOMP)
		return IKE_SAD_IPCOMP;
	return satype == SADB_SATYPE_AH ? IKE_PROTOCOL_AH : IKE_PROTOCOL_ESP;
}

static struct pfkey_address address_of(const struct ipsp_addr *a)
{
	return (struct pfkey_address){ .addr = *a,
				       .prefix_len = (uint8_t)(8 * ipsp_addr_size(a->family)) };
}

void ike_pfkey_put_ends(struct pfkey_writer *w, const struct ipsp_addr *src, const struct ipsp_addr *dst)
{
	const struct pfkey_address from = address_of(src), to = address_of(dst);

	pfkey_put_address(w, SADB_EXT_ADDRESS_SRC, &from);
	pfkey_put_address(w, SADB_EXT_ADDRESS_DST, &to);
}

void ike_pfkey_put_nat(struct pfkey_writer *w, const struct ike_path *path, bool in)
{
	pfkey_put_natt_type(w, UDP_ENCAP_ESPINUDP);
	pfkey_put_natt_port(w, SADB_X_EXT_NAT_T_SPORT, in ? path->remote_port : path->local_port);
	pfkey_put_natt_port(w, SADB_X_EXT_NAT_T_DPORT, in ? path->local_port : path->remote_port);
}

/* A part of the lifetime, less at random, so that two ends seldom begin to rekey at the same time. */
static uint64_t soft_of(struct engine_random *random, uint64_t hard, uint8_t percent)
{
	const uint64_t spread = hard / 20;
	uint64_t soft = hard * percent / 100, octets;

	if (percent >= 100 || engine_random_take(random, (uint8_t *)&octets,
						 sizeof(octets)) != IPSP_OK)
		return 0;
	if (spread > 0 && soft > spread)
		soft -= octets % spread;
	return soft;
}

static void put_lifetimes(struct engine_random *random, struct pfkey_writer *w, const struct ike_life *l)
{
	const struct pfkey_lifetime hard = { .add_s = l->hard_s, .bytes = l->hard_kb * 1024 };
	const struct pfkey_lifetime soft = { .add_s = soft_of(random, hard.add_s, l->soft_percent),
					     .bytes = soft_of(random, hard.bytes, l->soft_kb_percent) };

	pfkey_put_lifetime(w, SADB_EXT_LIFETIME_HARD, &hard);
	if (soft.add_s != 0 || soft.bytes != 0)
		pfkey_put_lifetime(w, SADB_EXT_LIFETIME_SOFT, &soft);
}

static void put_key(struct pfkey_writer *w, uint16_t ext, struct ipsp_span key)
{
	const struct pfkey_key k = { .bits = (uint16_t)(8 * key.len), .octets = key.data };

	if (key.len > 0)
		pfkey_put_key(w, ext, &k);
}

/* Inbound it knows of the IPComp SA inside, and that of it: what comes may be compressed or not. */
static void put_inside(const struct ike_child_sa *c, bool in, struct pfkey_handling *h)
{
	if (!c->cpi_in || !in)
		return;
	h->with_spi = c->cpi_in;
	h->with_proto = IPSP_PROTO_IPCOMP;
}

/* The SA's own extension has no room for a large window. */
static void put_handling(struct pfkey_writer *w, const struct ike_child_sa *c, bool in,
			 uint32_t window)
{
	const struct ike_handling *const h = &c->config->handling;
	struct pfkey_handling handling = {
		.df = h->df, .ecn = h->ecn, .dscp = h->dscp, .idle_s = h->idle_s,
		.idle_with = h->idle_s ? in ? c->spi_out : c->spi_in : 0,
		.window_pkts = window < IPSP_REPLAY_MAX ? window : IPSP_REPLAY_MAX,
		.tfc_pad = c->no_tfc ? 0 : h->tfc_pad,
		.dummy_s = h->dummy_s,
	};

	put_inside(c, in, &handling);
	pfkey_put_handling(w, &handling);
}

bool ike_pfkey_packet_read(const struct pfkey_msg *m, struct ike_pair *out)
{
	struct ipsp_selector box;

	if (pfkey_n_traffic(m) != 1)
		return false;
	pfkey_traffic_at(m, 0, &box);
	return ike_selector_of_box(&box, &out->ours, &out->theirs);
}

/* What it may carry, as negotiated. @return false: more than an SA can have */
static bool put_traffic(struct pfkey_writer *w, const struct ike_child_sa *c, bool in)
{
	struct ipsp_selector boxes[IPSP_SA_BOXES_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < c->ours->n; i++) {
		for (unsigned j = 0; j < c->theirs->n; j++) {
			const struct ike_selector *const ours = &c->ours->s[i];
			const struct ike_selector *const theirs = &c->theirs->s[j];
			struct ipsp_selector box;

			if (!ike_selector_box(in ? theirs : ours, in ? ours : theirs, &box))
				continue;
			if (n == IPSP_SA_BOXES_MAX)
				return false;
			boxes[n++] = box;
		}
	}
	if (n > 0)
		pfkey_put_traffic(w, boxes, n);
	return n > 0;
}

/* Where there is compression, it makes the tunnel: RFC 3173 2, as other systems have it. */
static bool is_tunnel(const struct ike_child_sa *c)
{
	return !c->transport && !c->cpi_in;
}

size_t ike_pfkey_sa_write(const struct ike_child_sa *c, uint8_t type, uint32_t seq, uint32_t pid,
			  struct engine_random *random, uint8_t *message, size_t size)
{
	const bool in = type == SADB_UPDATE;
	const uint32_t window = c->config->window_log2 ? 1u << c->config->window_log2 : 0;
	const struct pfkey_sa2 sa2 = {
		.mode = is_tunnel(c) ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT,
		.reqid = c->config->reqid,
	};
	struct pfkey_writer w;
	struct ike_algs algs;

	if (!ike_algs_of(c->suite, &algs))
		return 0;
	const uint8_t satype = ike_pfkey_satype_of(c->protocol);
	const struct pfkey_sa sa = {
		.spi = in ? c->spi_in : c->spi_out, .state = SADB_SASTATE_MATURE,
		.replay = (uint8_t)(window > REPLAY_MAX ? REPLAY_MAX : window),
		.auth = pfkey_alg_auth(algs.integ),
		.encrypt = pfkey_alg_encrypt(pfkey_proto_of(satype), algs.encr),
		.flags = c->suite->esn ? PFKEY_SAFLAGS_ESN : 0,
	};

	pfkey_begin(&w, message, size, type, satype, seq, pid);
	pfkey_put_sa(&w, &sa);
	put_lifetimes(random, &w, &c->config->life);
	ike_pfkey_put_ends(&w, in ? &c->path->remote : &c->path->local,
		 in ? &c->path->local : &c->path->remote);
	put_key(&w, SADB_EXT_KEY_AUTH, in ? c->integ_in : c->integ_out);
	put_key(&w, SADB_EXT_KEY_ENCRYPT, in ? c->encr_in : c->encr_out);
	pfkey_put_sa2(&w, &sa2);
	if (c->udp)
		ike_pfkey_put_nat(&w, c->path, in);
	put_handling(&w, c, in, window);
	/* What is tunnelled inside is that SA's matter. */
	if (c->cpi_in && !c->transport)
		return pfkey_end(&w);
	return put_traffic(&w, c, in) ? pfkey_end(&w) : 0;
}

size_t ike_pfkey_ipcomp_write(const struct ike_child_sa *c, uint8_t type, uint32_t seq, uint32_t pid,
			      uint8_t *message, size_t size)
{
	const bool in = type == SADB_UPDATE;
	const struct ike_handling *const h = &c->config->handling;
	const struct pfkey_sa sa = {
		.spi = in ? c->cpi_in : c->cpi_out, .state = SADB_SASTATE_MATURE,
		.encrypt = SADB_X_CALG_DEFLATE,
	};
	const struct pfkey_sa2 sa2 = {
		.mode = c->transport ? IPSEC_MODE_TRANSPORT : IPSEC_MODE_TUNNEL,
		.reqid = c->config->reqid,
	};
	/* It goes with the one around it; should nobody take it away, it ends by itself. */
	const struct pfkey_lifetime hard = { .add_s = c->config->life.hard_s };
	const struct pfkey_handling handling = {
		.df = h->df, .ecn = h->ecn, .dscp = h->dscp,
		.with_spi = in ? c->spi_in : c->spi_out,
		.with_proto = c->protocol == IKE_PROTOCOL_AH ? IPSP_PROTO_AH : IPSP_PROTO_ESP,
	};
	struct pfkey_writer w;

	pfkey_begin(&w, message, size, type, SADB_X_SATYPE_IPCOMP, seq, pid);
	pfkey_put_sa(&w, &sa);
	pfkey_put_lifetime(&w, SADB_EXT_LIFETIME_HARD, &hard);
	ike_pfkey_put_ends(&w, in ? &c->path->remote : &c->path->local,
			   in ? &c->path->local : &c->path->remote);
	pfkey_put_sa2(&w, &sa2);
	pfkey_put_handling(&w, &handling);
	return put_traffic(&w, c, in) ? pfkey_end(&w) : 0;
}

void ike_pfkey_sa_log(const struct ike_child_sa *c)
{
	char remote[IPSP_ADDR_TEXT], ours[IKE_SELECTOR_TEXT], theirs[IKE_SELECTOR_TEXT];
	char encr[IKE_NAME_TEXT], integ[IKE_NAME_TEXT], weak[IKE_WEAK_TEXT], ipcomp[64] = "";
	char cipher[IKE_NAME_TEXT + 8] = "";

	if (c->cpi_in)
		snprintf(ipcomp, sizeof(ipcomp), ", IPComp CPI 0x%04x in, 0x%04x out", c->cpi_in,
			 c->cpi_out);
	else if (c->config->compress)
		snprintf(ipcomp, sizeof(ipcomp), ", without IPComp, as not both have it");

	if (c->suite->encr)
		snprintf(cipher, sizeof(cipher), "%s %u%s",
			 ike_name_or_number(IKE_LIST_ENCR, c->suite->encr, encr),
			 c->suite->encr_key_bits, c->suite->integ ? " " : "");
	ipspd_log(LOG_INFO, "ike", "Child SA with %s: %s%s SPI 0x%08x in, 0x%08x out, %s%s === %s%s, %s%s%s",
		  ipsp_addr_print(&c->path->remote, remote),
		  c->protocol == IKE_PROTOCOL_AH ? "AH" : "ESP", c->udp ? " in UDP" : "", c->spi_in,
		  c->spi_out, ike_selector_text(&c->ours->s[0], ours), c->ours->n > 1 ? " .." : "",
		  ike_selector_text(&c->theirs->s[0], theirs), c->theirs->n > 1 ? " .." : "", cipher,
		  c->suite->integ ? ike_name_or_number(IKE_LIST_INTEG, c->suite->integ, integ) : "",
		  ipcomp);
	if (ike_suite_weak(c->suite, weak))
		ipspd_log(LOG_WARNING, "ike", "Child SA with %s: its algorithms are weak: %s", remote,
			  weak);
}
