/*
 * engine/large.c - large segments: counted, planned, and cut into the arena. See large.h.
 */
#include "engine/large.h"

enum {
	PROTO_TCP = 6,
	PROTO_UDP = 17,
};

static enum ipsp_segment_kind kind_of(const struct ipsp_flow *flow)
{
	if (!flow->proto_known || flow->frag != IPSP_FRAG_NONE)
		return IPSP_SEGMENT_UNKNOWN;
	return flow->proto == PROTO_TCP ? IPSP_SEGMENT_TCP :
	       flow->proto == PROTO_UDP ? IPSP_SEGMENT_UDP : IPSP_SEGMENT_UNKNOWN;
}

enum ipsp_reason ipsp_large_begin(const struct ipsp_packet *packet, const struct ipsp_flow *flow,
				  struct ipsp_large *large)
{
	struct ipsp_segmenter *cut = &large->cut;

	if (packet->segment_size < IPSP_SEGMENT_MIN ||
	    !ipsp_segment_begin(cut, kind_of(flow), packet->data, flow->total_len,
				flow->l4_offset, packet->segment_size))
		return IPSP_REASON_SEGMENTS;
	large->pieces = (cut->len - cut->payload + cut->size - 1) / cut->size;
	return IPSP_REASON_NONE;
}

enum ipsp_reason ipsp_large_plan(const struct ipsp_platform *platform, const struct ipsp_sa *sa,
				 const struct ipsp_packet *packet, const struct ipsp_flow *flow,
				 struct ipsp_large *large, struct ipsp_esp_plan *plan)
{
	const struct ipsp_segmenter *cut = &large->cut;
	const uint32_t whole = large->pieces - 1;
	struct ipsp_flow segment = *flow;
	struct ipsp_esp_plan last;
	enum ipsp_reason reason;

	segment.total_len = cut->payload + cut->size;
	reason = ipsp_esp_plan(platform, sa, packet->data, &segment, plan);
	if (reason != IPSP_REASON_NONE)
		return reason;
	last = *plan;
	segment.total_len = cut->len - whole * cut->size;
	ipsp_esp_plan_resize(sa, &segment, &last);
	large->total_len = whole * plan->total_len + last.total_len;
	large->text_len = whole * plan->text_len + last.text_len;
	large->clear_len = flow->total_len + whole * cut->payload;
	return IPSP_REASON_NONE;
}

void ipsp_large_layout(struct ipsp_engine *engine, const struct ipsp_sa *sa,
		       const struct ipsp_flow *flow, const struct ipsp_esp_plan *plan,
		       struct ipsp_large *large, uint64_t seq, const uint8_t *iv,
		       struct ipsp_crypto_op *op)
{
	struct ipsp_packet piece = { .data = large->next + plan->grow };
	struct ipsp_esp_plan own = *plan;
	struct ipsp_flow segment = *flow;

	segment.total_len = ipsp_segment_next(&large->cut, piece.data,
					      large->cut.payload + large->cut.size);
	ipsp_esp_plan_resize(sa, &segment, &own);
	ipsp_esp_layout(engine, sa, &segment, &own, seq, iv, &piece, op);
	large->next += own.total_len;
}
