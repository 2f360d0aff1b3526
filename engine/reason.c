/*
 * engine/reason.c - the texts of drop reasons, from their one list.
 */
#include "ipsp/reason.h"

static const struct {
	const char *key, *text;
	enum ipsp_reason_class class;
	enum ipsp_err err;
} reasons[] = {
#define REASON_ROW(name, key, class, err, text) \
	[IPSP_REASON_##name] = { key, text, IPSP_CLASS_##class, IPSP_##err },
	IPSP_REASONS(REASON_ROW)
#undef REASON_ROW
};

static const char *const classes[IPSP_N_CLASSES] = {
	[IPSP_CLASS_NONE] = "none",
	[IPSP_CLASS_POLICY] = "policy",
	[IPSP_CLASS_PACKET] = "packet",
	[IPSP_CLASS_SA] = "sa",
	[IPSP_CLASS_REPLAY] = "replay",
	[IPSP_CLASS_INTEGRITY] = "integrity",
	[IPSP_CLASS_SIZE] = "size",
	[IPSP_CLASS_RESOURCE] = "resource",
};

const char *ipsp_reason_key(enum ipsp_reason reason)
{
	return (unsigned)reason < IPSP_N_REASONS ? reasons[reason].key : "unknown";
}

const char *ipsp_reason_text(enum ipsp_reason reason)
{
	return (unsigned)reason < IPSP_N_REASONS ? reasons[reason].text : "unknown";
}

enum ipsp_reason_class ipsp_reason_class(enum ipsp_reason reason)
{
	return (unsigned)reason < IPSP_N_REASONS ? reasons[reason].class : IPSP_CLASS_NONE;
}

enum ipsp_err ipsp_reason_err(enum ipsp_reason reason)
{
	return (unsigned)reason < IPSP_N_REASONS ? reasons[reason].err : IPSP_EINVAL;
}

const char *ipsp_reason_class_text(enum ipsp_reason_class reason_class)
{
	return (unsigned)reason_class < IPSP_N_CLASSES ? classes[reason_class] : "unknown";
}
