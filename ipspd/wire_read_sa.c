/*
 * ipspd/wire_read_sa.c - reads SAs from messages: see wire_read.c. Their keys are wiped with the builder.
 */
#include "config.h"

#include "ipspd/wire_builder.h"

#include <string.h>

/* @return false: longer than any key; the reader is then spoilt too */
static bool get_key(struct chan_reader *r, struct ipsp_key *k)
{
	size_t len;
	const uint8_t *octets = chan_get_octets(r, &len);

	if (!octets || len > IPSP_KEY_MAX)
		return false;
	k->len = (uint16_t)len;
	memcpy(k->octets, octets, len);
	return true;
}

static bool sa_is_valid(const struct ipsp_sa_config *sa)
{
	uint32_t w = sa->replay_window_pkts;

	if (sa->id == 0 || sa->counter_id == 0)
		return false;
	if (sa->dir != IPSP_INBOUND && sa->dir != IPSP_OUTBOUND)
		return false;
	if (sa->proto != IPSP_PROTO_ESP && sa->proto != IPSP_PROTO_AH &&
	    sa->proto != IPSP_PROTO_IPCOMP)
		return false;
	if (sa->next_id == sa->id)
		return false;
	if (sa->mode != IPSP_MODE_TUNNEL && sa->mode != IPSP_MODE_TRANSPORT)
		return false;
	if (sa->df > IPSP_DF_CLEAR || sa->ecn > IPSP_ECN_NONE || sa->dscp > IPSP_DSCP_MAX ||
	    sa->tfc_pad > IPSP_TFC_PAD_MAX || sa->tfc_random > IPSP_TFC_RANDOM_MAX ||
	    sa->dummy_len > IPSP_DUMMY_LEN_MAX || sa->flow_label > IPSP_FLOW_COPY)
		return false;
	if (sa->spi == 0)	/* RFC 4303 2.1: never on the wire */
		return false;
	if (sa->replay && (w < 32 || w > 4096 || (w & (w - 1)) != 0))
		return false;
	return sa->local.family == 0 || sa->remote.family == 0 ||
	       sa->local.family == sa->remote.family;
}

static bool get_encap(struct chan_reader *r, struct ipsp_encap *e)
{
	e->type = chan_get_u8(r);
	e->sport = chan_get_u16(r);
	e->dport = chan_get_u16(r);
	e->keepalive_s = chan_get_u16(r);
	e->follow_id = chan_get_u64(r);
	bool good = get_family(r, &e->orig_src);
	good = get_family(r, &e->orig_dst) && good;
	return good && (e->type == IPSP_ENCAP_NONE || e->type == IPSP_ENCAP_UDP);
}

static void get_life(struct chan_reader *r, uint64_t *s, uint64_t *use_s, uint64_t *bytes,
		     uint64_t *packets)
{
	*s = chan_get_u64(r);
	*use_s = chan_get_u64(r);
	*bytes = chan_get_u64(r);
	*packets = chan_get_u64(r);
}

static bool get_hiding(struct chan_reader *r, struct ipsp_sa_config *sa)
{
	sa->tfc_random = chan_get_u16(r);
	sa->dummy_s = chan_get_u16(r);
	sa->dummy_len = chan_get_u16(r);
	sa->flow_label = chan_get_u32(r);
	const uint8_t pad_unchecked = chan_get_u8(r);
	const uint8_t seq_rollover = chan_get_u8(r);

	sa->pad_unchecked = pad_unchecked == 1;
	sa->seq_rollover = seq_rollover == 1;
	return is_bool(pad_unchecked) && is_bool(seq_rollover);
}

/* Reads everything; the core judges algorithms and key sizes when it installs the SA. */
static bool get_sa(struct chan_reader *r, struct ipsp_sa_config *sa)
{
	sa->id = chan_get_u64(r);
	sa->counter_id = chan_get_u64(r);
	sa->dir = chan_get_u8(r);
	sa->proto = chan_get_u8(r);
	sa->mode = chan_get_u8(r);
	sa->df = chan_get_u8(r);
	sa->ecn = chan_get_u8(r);
	uint8_t dscp_set = chan_get_u8(r);
	sa->dscp_set = dscp_set == 1;
	sa->dscp = chan_get_u8(r);
	sa->outer_ttl = chan_get_u8(r);
	sa->tfc_pad = chan_get_u16(r);
	uint8_t esn = chan_get_u8(r);
	uint8_t replay = chan_get_u8(r);
	sa->esn = esn == 1;
	sa->replay = replay == 1;
	sa->spi = chan_get_u32(r);
	sa->replay_window_pkts = chan_get_u32(r);
	sa->seq_floor = chan_get_u64(r);
	get_life(r, &sa->life_s, &sa->life_use_s, &sa->life_bytes, &sa->life_packets);
	get_life(r, &sa->soft_s, &sa->soft_use_s, &sa->soft_bytes, &sa->soft_packets);
	sa->idle_s = chan_get_u32(r);
	sa->packet_log = chan_get_u32(r);
	sa->next_id = chan_get_u64(r);
	sa->bundle_id = chan_get_u64(r);
	bool good = get_family(r, &sa->local);
	good = get_family(r, &sa->remote) && good;
	sa->encr = chan_get_u16(r);
	sa->encr_key_bits = chan_get_u16(r);
	sa->integ = chan_get_u16(r);
	good = get_key(r, &sa->encr_key) && good;
	good = get_key(r, &sa->integ_key) && good;
	good = get_encap(r, &sa->encap) && good;
	uint8_t frag_before = chan_get_u8(r);
	sa->frag_before = frag_before == 1;
	good = get_hiding(r, sa) && good;
	return good && is_bool(dscp_set) && is_bool(frag_before) && is_bool(esn) && is_bool(replay) &&
	       chan_reader_done(r);
}

int wire_add_sa(struct wire_builder *b, struct chan_reader *r)
{
	int rc;

	if (b->lists.n > 0 || b->edits.n > 0)
		return refuse(b, "SA after the first list");
	struct ipsp_sa_config *sa = (struct ipsp_sa_config *)wire_array_add(&b->sas, sizeof(*sa),
								       WIRE_SAS_MAX, &rc);
	if (!sa)
		return no_room(b, rc);
	if (!get_sa(r, sa))
		return refuse(b, "SA of the wrong form");
	if (!sa_is_valid(sa))
		return refuse(b, "SA that is not valid");
	return 0;
}

/* Does it come behind the one before? */
static bool is_behind(const struct ipsp_unasked *before, const struct ipsp_unasked *u)
{
	return before->sa_id < u->sa_id ||
	       (before->sa_id == u->sa_id && before->reqid < u->reqid);
}

static int add_box(struct wire_builder *b, struct chan_reader *r)
{
	struct ipsp_selector s = { .family = 0 }, *to;
	int rc;

	wire_selector_get(r, &s);
	if (r->short_read || !ipsp_selector_valid(&s))
		return refuse(b, "selector of an unasked SA that is not valid");
	to = (struct ipsp_selector *)wire_array_add(&b->unasked_selectors, sizeof(s),
						    WIRE_SELECTORS_MAX, &rc);
	if (!to)
		return no_room(b, rc);
	*to = s;
	return 0;
}

int wire_add_unasked(struct wire_builder *b, struct chan_reader *r)
{
	struct ipsp_unasked u = { .sa_id = chan_get_u64(r), .reqid = chan_get_u32(r) }, *to;
	const uint8_t again = chan_get_u8(r);
	int rc;

	u.again = again;
	u.n = chan_get_u8(r);
	u.n_selectors = chan_get_u16(r);
	to = (struct ipsp_unasked *)b->unasked.items;
	if (r->short_read || !is_bool(again) || (u.sa_id == 0) == (u.reqid == 0) ||
	    u.n_selectors > WIRE_UNASKED_SELECTORS ||
	    (b->unasked.n > 0 && !is_behind(&to[b->unasked.n - 1], &u)))
		return refuse(b, "unasked SAs of the wrong form, or in no order");
	to = (struct ipsp_unasked *)wire_array_add(&b->unasked, sizeof(u), WIRE_SAS_MAX, &rc);
	if (!to)
		return no_room(b, rc);
	*to = u;
	for (uint32_t i = 0; i < u.n_selectors; i++) {
		rc = add_box(b, r);
		if (rc < 0)
			return rc;
	}
	return chan_reader_done(r) ? 0 : refuse(b, "octets after unasked SAs");
}
