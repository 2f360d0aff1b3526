/*
 * spd/rule.c - the selectors of one entry against one packet.
 */
#include "spd/fit.h"
#include "spd/octets.h"

static void addr_of_words(const uint64_t words[2], uint8_t family, struct ipsp_addr *out)
{
	*out = (struct ipsp_addr){ .family = family };
	if (family == 4) {
		put_be32(out->octets, (uint32_t)(words[0] >> 32));
		return;
	}
	put_be64(out->octets, words[0]);
	put_be64(out->octets + 8, words[1]);
}

static void selector_of_box(const struct ipsp_spd_box *box, struct ipsp_selector *out)
{
	out->family = box->family;
	out->proto_lo = box->proto_lo;
	out->proto_hi = box->proto_hi;
	out->dscp_lo = box->dscp_lo;
	out->dscp_hi = box->dscp_hi;
	out->hides = box->hides;
	out->flow_lo = box->flow_lo;
	out->flow_hi = box->flow_hi;
	out->sport_lo = box->sport_lo;
	out->sport_hi = box->sport_hi;
	out->dport_lo = box->dport_lo;
	out->dport_hi = box->dport_hi;
	addr_of_words(box->src_lo, box->family, &out->src_lo);
	addr_of_words(box->src_hi, box->family, &out->src_hi);
	addr_of_words(box->dst_lo, box->family, &out->dst_lo);
	addr_of_words(box->dst_hi, box->family, &out->dst_hi);
}

bool ipsp_spd_rule_selector(const struct ipsp_spd_rule *rule, const struct ipsp_flow *flow,
			    struct ipsp_selector *out)
{
	/* A rule is the beginning of its item. */
	const struct ipsp_spd_item *item = (const struct ipsp_spd_item *)rule;
	uint64_t src[2], dst[2];

	ipsp_spd_words(&flow->src, src);
	ipsp_spd_words(&flow->dst, dst);
	for (uint32_t i = 0; i < item->n_boxes; i++) {
		const struct ipsp_spd_box *box = &item->boxes[i];

		if (box->family == flow->family &&
		    ipsp_fit_box(flow, src, dst, box) == IPSP_FIT_SURE) {
			selector_of_box(box, out);
			return true;
		}
	}
	return false;
}

bool ipsp_spd_rule_names(const struct ipsp_spd_rule *rule, const struct ipsp_flow *flow)
{
	const struct ipsp_spd_item *item = (const struct ipsp_spd_item *)rule;
	uint64_t src[2], dst[2];

	ipsp_spd_words(&flow->src, src);
	ipsp_spd_words(&flow->dst, dst);
	for (uint32_t i = 0; i < item->n_boxes; i++) {
		const struct ipsp_spd_box *box = &item->boxes[i];

		if (box->family == flow->family && box->proto_lo == box->proto_hi &&
		    ipsp_fit_box(flow, src, dst, box) != IPSP_FIT_NOT)
			return true;
	}
	return false;
}

static bool addr_within(const struct ipsp_addr *lo, const struct ipsp_addr *a,
			const struct ipsp_addr *hi)
{
	return ipsp_addr_cmp(lo, a) <= 0 && ipsp_addr_cmp(a, hi) <= 0;
}

bool ipsp_selector_has(const struct ipsp_selector *s, const struct ipsp_flow *f)
{
	const bool any_proto = s->proto_lo == 0 && s->proto_hi == 255;

	return s->family == f->family && addr_within(&s->src_lo, &f->src, &s->src_hi) &&
	       addr_within(&s->dst_lo, &f->dst, &s->dst_hi) &&
	       (any_proto || (f->proto_known && s->proto_lo <= f->proto &&
			      f->proto <= s->proto_hi)) &&
	       ipsp_fit_sport(f, s->sport_lo, s->sport_hi) == IPSP_FIT_SURE &&
	       ipsp_fit_dport(f, s->dport_lo, s->dport_hi) == IPSP_FIT_SURE &&
	       ipsp_fit_hides(f, s->hides) && s->dscp_lo <= f->dscp && f->dscp <= s->dscp_hi &&
	       (f->family == 4 || (s->flow_lo <= f->flow_label && f->flow_label <= s->flow_hi));
}
