/* engine/layers.c - what stands around a packet, and whether its path takes it: see layers.h. */
#include "engine/layers.h"
#include "engine/tunnel.h"

/* One SA more around what the packet would be by then. */
static bool add(const struct ipsp_bundle_job *job, const struct ipsp_sa *sa,
		struct ipsp_flow *flow, struct ipsp_applied *applied, struct ipsp_layers *l)
{
	struct ipsp_layer *const layer = &l->of[l->n];

	if (!ipsp_nest_outside(job->worker, sa, flow))
		return false;
	*layer = (struct ipsp_layer){
		.sa = sa, .family = flow->family, .headers_len = flow->esp_offset,
		.made_len = flow->total_len, .own = UINT32_MAX, .most = UINT32_MAX,
	};
	applied->sas[applied->n++] = sa;
	l->n++;
	return true;
}

/* IPv6 of transport mode is its sender's, whose packet it was. */
static bool may_cut(const struct ipsp_sa *sa, const struct ipsp_flow *clear,
		    const struct ipsp_flow *made)
{
	if (sa->mode != IPSP_MODE_TUNNEL && made->family == 6)
		return clear->total_len <= IPSP_V6_LINK_MIN;
	return !made->df;
}

static bool add_bundle(const struct ipsp_bundle_job *job, const struct ipsp_bundle *bundle,
		       struct ipsp_flow *flow, struct ipsp_applied *applied, struct ipsp_layers *l)
{
	const struct ipsp_flow clear = *flow;
	struct ipsp_layer *last;

	for (uint32_t i = 0; i < bundle->n; i++)
		if (!add(job, bundle->sas[i], flow, applied, l))
			return false;
	last = &l->of[l->n - 1];
	last->ends_bundle = true;
	last->cuttable = may_cut(bundle->sas[0], &clear, flow);
	last->own = ipsp_engine_path_learned(job->worker->engine, last->sa, job->now_s);
	if (last->own == 0)
		last->own = UINT32_MAX;
	return true;
}

/* In doubt it is there: then less is told than would fit. */
static bool find_next(const struct ipsp_bundle_job *job, const struct ipsp_flow *flow,
		      const struct ipsp_applied *applied, struct ipsp_bundle *next)
{
	struct ipsp_outcome outcome;
	struct ipsp_spd_match match;

	if (job->packet->flags & IPSP_PKT_ONE_BUNDLE)
		return false;
	match = ipsp_spd_lookup(job->spd, job->packet->ifindex, IPSP_OUTBOUND, flow, NULL);
	if (match.result != IPSP_SPD_RULE && match.result != IPSP_SPD_FRAGMENT)
		return false;
	return ipsp_nest_by(job, &match, flow, applied, &outcome, next) == IPSP_REASON_NONE &&
	       next->n > 0;
}

/* From the outside in. */
static void find_limits(struct ipsp_layers *l)
{
	uint32_t most = UINT32_MAX;

	for (uint32_t i = l->n; i-- > 0;) {
		struct ipsp_layer *const layer = &l->of[i];

		layer->most = layer->own < most ? layer->own : most;
		most = ipsp_path_inner(layer->sa, layer->family, layer->headers_len, layer->most);
	}
}

void ipsp_layers_find(const struct ipsp_bundle_job *job, uint32_t len, struct ipsp_layers *out)
{
	struct ipsp_bundle bundle = *job->bundle;
	struct ipsp_applied applied = { .n = 0 };
	struct ipsp_flow flow = *job->flow;
	unsigned depth = 0;

	out->n = 0;
	flow.total_len = len;
	do {
		if (!add_bundle(job, &bundle, &flow, &applied, out)) {
			out->n = 0;
			return;
		}
	} while (++depth < IPSP_NEST_MAX && find_next(job, &flow, &applied, &bundle));
	struct ipsp_layer *const last = &out->of[out->n - 1];

	last->own = ipsp_path_mtu(job->worker->engine, last->sa, &flow.dst, job->now_s);
	find_limits(out);
}

/* RFC 4301 8.2.1 asks for the sender's word first; what it left to routers may be cut in a tunnel. */
static bool clear_cuttable(const struct ipsp_layers *l, const struct ipsp_flow *flow)
{
	return l->of[0].sa->mode == IPSP_MODE_TUNNEL && flow->family == 4 && !flow->df;
}

static bool wants_before(const struct ipsp_layers *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->of[i].sa->frag_before && l->of[i].sa->mode == IPSP_MODE_TUNNEL)
			return true;
	return false;
}

/*
 * The innermost place to cut: before the first bundle, or between two. What is cut further out has been
 * whole on the paths before.
 */
static bool cut_inside(const struct ipsp_layers *l, const struct ipsp_flow *flow,
		       struct ipsp_layers_fit *out)
{
	out->bundles = 0;
	out->most = out->tell;
	if (clear_cuttable(l, flow))
		return true;
	for (uint32_t i = 0; i + 1 < l->n; i++) {
		const struct ipsp_layer *const layer = &l->of[i];

		if (!layer->ends_bundle)
			continue;
		out->bundles++;
		out->most = layer->most;
		if (layer->cuttable)
			return true;
		if (layer->made_len > layer->own)
			return false;
	}
	return false;
}

/* Do the paths of all but the outermost take it whole? */
static bool inner_fit(const struct ipsp_layers *l)
{
	for (uint32_t i = 0; i + 1 < l->n; i++)
		if (l->of[i].made_len > l->of[i].own)
			return false;
	return true;
}

void ipsp_layers_judge(const struct ipsp_layers *l, const struct ipsp_flow *flow,
		       struct ipsp_layers_fit *out)
{
	const struct ipsp_layer *const last = &l->of[l->n - 1];
	const struct ipsp_layer *const first = &l->of[0];
	const bool outside = last->cuttable && inner_fit(l);

	*out = (struct ipsp_layers_fit){
		.what = IPSP_PATH_FITS,
		.tell = ipsp_path_inner(first->sa, first->family, first->headers_len, first->most),
	};
	if (last->made_len <= last->own && inner_fit(l))
		return;
	if ((!outside || wants_before(l)) && cut_inside(l, flow, out)) {
		out->what = IPSP_PATH_CUT_INNER;
		return;
	}
	out->bundles = 0;
	out->what = outside ? IPSP_PATH_CUT : IPSP_PATH_TELL;
}
