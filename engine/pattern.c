/*
 * engine/pattern.c - see pattern.h.
 */
#include "engine/pattern.h"

#include "engine/nat.h"
#include "engine/tunnel.h"

/* Trailers are written four octets at a time: a shorter ICV would leave no place for that. */
#define ICV_MIN 8u
#define BLOCK_MAX 16u

/* From which length on a clear packet of that flow makes an outer one that must not be cut. */
static uint32_t df_above(const struct ipsp_sa *sa, const struct ipsp_flow *flow)
{
	if (sa->df == IPSP_DF_COPY && flow->family == 6)
		return IPSP_V6_LINK_MIN;
	return ipsp_tunnel_df(sa, flow) ? 0 : UINT32_MAX;
}

/* What each packet has of its own, and sums are without. */
static void clear_own(uint8_t *p, uint8_t family)
{
	if (family == 4) {
		memset(p + 2, 0, 6);
		memset(p + 10, 0, 2);
	} else {
		memset(p + 4, 0, 2);
	}
}

bool ipsp_pattern_of(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
		     const struct ipsp_flow *flow, const struct ipsp_esp_plan *plan,
		     struct ipsp_pattern *out)
{
	const struct ipsp_crypto_shape *const shape = &sa->shape;
	const uint32_t udp_len = ipsp_nat_len(sa);
	const struct ipsp_tunnel_outer outer = {
		.src = &plan->src, .dst = &plan->dst, .total_len = plan->total_len,
		.proto = ipsp_nat_proto(sa),
	};

	if (sa->mode != IPSP_MODE_TUNNEL || sa->proto != IPSP_PROTO_ESP || sa->tfc_pad ||
	    sa->tfc_random || shape->icv_len < ICV_MIN || shape->block_len > BLOCK_MAX ||
	    (shape->block_len & (shape->block_len - 1)) != 0)
		return false;
	*out = (struct ipsp_pattern){
		.head_len = (uint8_t)(plan->headers_len + udp_len), .udp_len = (uint8_t)udp_len,
		.family = plan->family, .grow = (uint8_t)plan->grow,
		.iv_len = shape->iv_len, .icv_len = shape->icv_len,
		.iv_is_counter = shape->iv_is_counter, .next_header = plan->next_header,
		.block_mask = shape->block_len - 1u, .df_above = df_above(sa, flow),
		.spi = sa->spi, .esn = sa->esn,
	};
	ipsp_tunnel_write(engine, sa, flow, &outer, out->head);
	ipsp_nat_write(sa, out->head + plan->headers_len, 0);
	clear_own(out->head, plan->family);
	if (plan->family == 4)
		out->sum = ipsp_sum(out->head, IPSP_V4_HEADER);
	return true;
}
