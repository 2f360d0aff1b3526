/*
 * ipspd/agent_settings.c - the scalars of ipspdPath, ipspdIcmp and ipspdHold, sent to the engine: when it comes,
 * before any policy, and when they change.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"
#include "ipspd/settings.h"
#include "mibs/schema_gen.h"

#define PATH(column) MIB_COL(ipspdPath, column)
#define ICMP(column) MIB_COL(ipspdIcmp, column)
#define HOLD(column) MIB_COL(ipspdHold, column)

enum { TRUTH_TRUE = 1, QUOTE_NEVER = 1 };

static void put_path(const struct mib_row *r, struct ipsp_engine_settings *s)
{
	s->frag_timeout_s = (uint32_t)mib_row_number(r, PATH(ipspdPathFragTimeout),
						     s->frag_timeout_s);
	s->pmtu_age_s = (uint32_t)mib_row_number(r, PATH(ipspdPathMtuAge), s->pmtu_age_s);
	s->pmtu_listen = mib_row_number(r, PATH(ipspdPathMtuListen), TRUTH_TRUE) == TRUTH_TRUE;
	s->icmp_per_s = (uint32_t)mib_row_number(r, PATH(ipspdPathIcmpRate), s->icmp_per_s);
	/* never(1) and so on stand in the order of enum ipsp_icmp_by_quote. */
	s->icmp_by_quote = (uint8_t)(mib_row_number(r, PATH(ipspdPathIcmpByQuote),
						    s->icmp_by_quote + QUOTE_NEVER) -
				     QUOTE_NEVER);
}

static void put_icmp(const struct mib_row *r, struct ipsp_engine_settings *s)
{
	s->icmp_clear = mib_row_number(r, ICMP(ipspdIcmpClear), 0) == TRUTH_TRUE;
	s->reassembly_timeout_s = (uint32_t)mib_row_number(r, ICMP(ipspdIcmpReassemblyTimeout),
							   s->reassembly_timeout_s);
}

static void put_hold(const struct mib_row *r, struct hold_settings *s)
{
	s->depth = (uint32_t)mib_row_number(r, HOLD(ipspdHoldDepth), s->depth);
	s->octets_max = (uint32_t)mib_row_number(r, HOLD(ipspdHoldKbytes),
						 s->octets_max >> 10) << 10;
	s->seconds = (uint32_t)mib_row_number(r, HOLD(ipspdHoldSeconds), s->seconds);
}

void settings_tell(struct agent *a)
{
	static const uint32_t scalar[] = { 0 };
	const struct mib_view *view = mib_store_view(a->store);
	const struct mib_row *path = mib_view_row(view, &mib_t_ipspdPath, scalar, 1);
	const struct mib_row *icmp = mib_view_row(view, &mib_t_ipspdIcmp, scalar, 1);
	const struct mib_row *hold = mib_view_row(view, &mib_t_ipspdHold, scalar, 1);
	struct hold_settings held = HOLD_SETTINGS;
	struct ipsp_engine_settings s;
	int rc;

	if (!a->engine)
		return;
	ipsp_engine_settings_default(&s);
	if (path)
		put_path(path, &s);
	if (icmp)
		put_icmp(icmp, &s);
	if (hold)
		put_hold(hold, &held);
	rc = settings_send(a->engine, &s);
	if (rc == 0)
		rc = settings_hold_send(a->engine, &held);
	/* -EPIPE: the other end is gone, and the next engine is told. */
	if (rc == 0 || rc == -EPIPE)
		return;
	ipspd_log(LOG_CRIT, "agent", "settings to the engine: %s", strerror(-rc));
	agent_give_up(a, 1);
}

void settings_committed(struct agent *a, const struct mib_change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (changes[i].table == &mib_t_ipspdPath || changes[i].table == &mib_t_ipspdIcmp ||
		    changes[i].table == &mib_t_ipspdHold) {
			settings_tell(a);
			return;
		}
	}
}
