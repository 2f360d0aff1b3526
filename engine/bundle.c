/*
 * engine/bundle.c - chains of SAs, and numbers of single packets: see bundle.h.
 */
#include "engine/bundle.h"
#include "engine/template.h"

/* RFC 4301 4.5, RFC 3173 2: IPComp inside ESP inside AH. */
static unsigned place_of(uint8_t proto)
{
	switch (proto) {
	case IPSP_PROTO_IPCOMP:
		return 0;
	case IPSP_PROTO_ESP:
		return 1;
	default:
		return 2;
	}
}

bool ipsp_bundle_fits_around(const struct ipsp_sa *inner, const struct ipsp_sa *sa)
{
	return sa->mode == IPSP_MODE_TRANSPORT && place_of(sa->proto) > place_of(inner->proto);
}

bool ipsp_bundle_find(const struct ipsp_sad *sad, uint64_t id, enum ipsp_dir dir,
		      struct ipsp_bundle *out)
{
	for (out->n = 0; id != 0; out->n++) {
		const struct ipsp_sa *sa = out->n < IPSP_BUNDLE_MAX ? ipsp_sad_find(sad, id) : NULL;

		if (!sa || sa->dir != dir ||
		    (out->n > 0 && !ipsp_bundle_fits_around(out->sas[out->n - 1], sa)))
			return false;
		out->sas[out->n] = sa;
		id = sa->next_id;
	}
	return out->n > 0;
}

bool ipsp_bundle_of(const struct ipsp_sad *sad, const struct ipsp_spd_rule *rule,
		    const struct ipsp_outcome *outcome, const struct ipsp_flow *flow,
		    uint64_t now_s, struct ipsp_bundle *out)
{
	struct ipsp_negotiated found;

	if (rule->n_templates < 2)
		return ipsp_bundle_find(sad, outcome->sa_id, IPSP_OUTBOUND, out);
	ipsp_templates_find(sad, rule->templates, rule->n_templates, flow, now_s, &found);
	/* A key manager's SA alone, as others around it have gone since, would protect too little. */
	if (found.waits || found.n == 0 || found.sas[0]->id != outcome->sa_id)
		return ipsp_bundle_find(sad, outcome->sa_id, IPSP_OUTBOUND, out) &&
		       out->sas[0]->origin == IPSP_ORIGIN_POLICY;
	if (found.n > IPSP_BUNDLE_MAX)
		return false;
	for (out->n = 0; out->n < found.n; out->n++) {
		out->sas[out->n] = found.sas[out->n];
		if (out->n > 0 &&
		    !ipsp_bundle_fits_around(out->sas[out->n - 1], out->sas[out->n]))
			return false;
	}
	return true;
}

enum ipsp_reason ipsp_bundle_usable(const struct ipsp_bundle *bundle, uint64_t now_s)
{
	enum ipsp_reason reason = IPSP_REASON_NONE;

	for (uint32_t i = 0; i < bundle->n && reason == IPSP_REASON_NONE; i++)
		reason = ipsp_sa_usable(bundle->sas[i], now_s);
	return reason;
}

static enum ipsp_reason window_reason(enum ipsp_err err)
{
	switch (err) {
	case IPSP_OK:
		return IPSP_REASON_NONE;
	case IPSP_EREPLAY:
		return IPSP_REASON_REPLAY;
	default:
		return IPSP_REASON_REPLAY_OLD;
	}
}

enum ipsp_reason ipsp_number_check(const struct ipsp_sa *sa, uint32_t low, uint64_t *seq)
{
	if (!sa->replay) {
		*seq = low;
		return IPSP_REASON_NONE;
	}
	return window_reason(ipsp_replay_check(&sa->counter->replay, low, sa->esn, seq));
}

enum ipsp_reason ipsp_number_accept(const struct ipsp_sa *sa, uint64_t seq)
{
	return sa->replay ? window_reason(ipsp_replay_accept(&sa->counter->replay, seq)) :
			    IPSP_REASON_NONE;
}

void ipsp_numbers_accept(const struct ipsp_sa *sa, const uint64_t *seqs, enum ipsp_reason *reasons,
			 uint32_t n)
{
	enum ipsp_err errs[IPSP_BATCH];

	if (sa->replay)
		ipsp_replay_accept_n(&sa->counter->replay, seqs, errs, n);
	for (uint32_t i = 0; i < n; i++)
		reasons[i] = sa->replay ? window_reason(errs[i]) : IPSP_REASON_NONE;
}
