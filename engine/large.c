/*
 * engine/large.c - large segments: counted, planned, and cut into the arena. See large.h.
 */
#include "engine/header.h"
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
	large->is_frag = false;
	large->headers_len = cut->payload;
	large->data_len = cut->size;
	large->clear_total = cut->len;
	large->pieces = (cut->len - cut->payload + cut->size - 1) / cut->size;
	return IPSP_REASON_NONE;
}

bool ipsp_large_fragment(const struct ipsp_packet *packet, const struct ipsp_flow *flow,
			 uint32_t mtu, uint32_t v6_id, struct ipsp_large *large)
{
	const bool v4 = flow->family == 4;
	const uint32_t data_at = v4 ? IPSP_V4_HEADER : flow->esp_offset;
	const uint32_t headers = data_at + (v4 ? 0 : IPSP_V6_FRAGMENT_HEADER);
	/* Whole blocks, so that the last one is not the longest. */
	const uint32_t block_mtu = mtu < headers ? 0 : mtu - (mtu - headers) % 8;

	if ((v4 && flow->l4_offset != IPSP_V4_HEADER) ||
	    !ipsp_cut_begin(&large->frag, packet->data, flow, block_mtu, v6_id))
		return false;
	large->is_frag = true;
	large->headers_len = headers;
	large->data_len = block_mtu - headers;
	large->clear_total = flow->total_len;
	large->pieces = (flow->total_len - data_at + large->data_len - 1) / large->data_len;
	return large->pieces > 1;
}

uint32_t ipsp_large_next(struct ipsp_large *large, uint8_t *out, uint32_t room)
{
	if (!large->is_frag)
		return ipsp_segment_next(&large->cut, out, room);
	return large->headers_len + large->data_len <= room ? ipsp_cut_next(&large->frag, out) : 0;
}

enum ipsp_reason ipsp_large_plan(const struct ipsp_platform *platform, const struct ipsp_sa *sa,
				 const struct ipsp_packet *packet, const struct ipsp_flow *flow,
				 uint32_t most, struct ipsp_large *large,
				 struct ipsp_esp_plan *plan)
{
	const uint32_t whole = large->pieces - 1;
	struct ipsp_flow segment = *flow;
	struct ipsp_esp_plan last;
	enum ipsp_reason reason;

	segment.total_len = large->headers_len + large->data_len;
	reason = ipsp_esp_plan(platform, sa, packet->data, &segment, most, plan);
	if (reason != IPSP_REASON_NONE)
		return reason;
	last = *plan;
	segment.total_len = large->clear_total - whole * large->data_len;
	ipsp_esp_plan_resize(sa, &segment, &last);
	large->total_len = whole * plan->total_len + last.total_len;
	large->text_len = whole * plan->text_len + last.text_len;
	large->clear_len = flow->total_len + whole * large->headers_len;
	return IPSP_REASON_NONE;
}

void ipsp_large_layout(struct ipsp_worker *worker, const struct ipsp_sa *sa,
		       const struct ipsp_flow *flow, const struct ipsp_esp_plan *plan,
		       struct ipsp_large *large, uint64_t seq, const uint8_t *iv,
		       struct ipsp_crypto_op *op)
{
	struct ipsp_packet piece = { .data = large->next + plan->grow };
	struct ipsp_esp_plan own = *plan;
	struct ipsp_flow segment = *flow;

	segment.total_len = ipsp_large_next(large, piece.data,
					    large->headers_len + large->data_len);
	ipsp_esp_plan_resize(sa, &segment, &own);
	ipsp_esp_layout(worker, sa, &segment, &own, seq, iv, &piece, op);
	large->next += own.total_len;
}
