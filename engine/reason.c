/*
 * engine/reason.c - the texts of drop reasons, from their one list.
 */
#include "ipsp/reason.h"

static const struct {
	const char *key, *text;
} reasons[] = {
#define REASON_TEXT(name, key, text) [IPSP_REASON_##name] = { key, text },
	IPSP_REASONS(REASON_TEXT)
#undef REASON_TEXT
};

const char *ipsp_reason_key(enum ipsp_reason reason)
{
	return (unsigned)reason < IPSP_N_REASONS ? reasons[reason].key : "unknown";
}

const char *ipsp_reason_text(enum ipsp_reason reason)
{
	return (unsigned)reason < IPSP_N_REASONS ? reasons[reason].text : "unknown";
}
