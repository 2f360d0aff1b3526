/*
 * engine/settings.c - what the control thread may set while packets pass.
 *
 * Each value is of its own: a packet call that runs meanwhile may see some of the old and some of
 * the new ones, which is no state that any of them excludes.
 */
#include "engine/internal.h"

void ipsp_engine_settings_default(struct ipsp_engine_settings *s)
{
	*s = (struct ipsp_engine_settings){
		.frag_timeout_s = 30,
		.reassembly_timeout_s = 60,
		.pmtu_age_s = 600,
		.icmp_per_s = 100,
		.pmtu_listen = true,
		.icmp_by_quote = IPSP_ICMP_QUOTE_UNMATCHED,
	};
}

enum ipsp_err ipsp_engine_set(struct ipsp_engine *engine, const struct ipsp_engine_settings *s)
{
	struct ipsp_settings *const to = &engine->settings;

	if (s->frag_timeout_s == 0 || s->reassembly_timeout_s == 0 ||
	    s->icmp_by_quote > IPSP_ICMP_QUOTE_DISCARDED)
		return IPSP_EINVAL;
	atomic_store(&to->frag_timeout_s, s->frag_timeout_s);
	atomic_store(&to->reassembly_timeout_s, s->reassembly_timeout_s);
	atomic_store(&to->pmtu_age_s, s->pmtu_age_s);
	atomic_store(&to->icmp_per_s, s->icmp_per_s);
	atomic_store(&to->pmtu_listen, s->pmtu_listen);
	atomic_store(&to->icmp_clear, s->icmp_clear);
	atomic_store(&to->icmp_by_quote, s->icmp_by_quote);
	return IPSP_OK;
}
