/* engine/io/attach.c - names of drop reasons, the core's and the attachments' own. */
#include "engine/io/attach.h"

static const struct {
	const char *key, *text;
	enum ipsp_reason_class class;
	enum ipsp_err err;
} reasons[] = {
#define IO_REASON_ROW(name, key, class, err, text) \
	[IO_REASON_##name] = { key, text, IPSP_CLASS_##class, IPSP_##err },
	IO_REASONS(IO_REASON_ROW)
#undef IO_REASON_ROW
};

/* Is it one of ours? Then which. */
static bool of_io(unsigned number, unsigned *at)
{
	*at = number - IO_REASON_BASE;
	return number >= IO_REASON_BASE && *at < IO_N_REASONS;
}

const char *io_reason_key(unsigned number)
{
	unsigned at;

	return of_io(number, &at) ? reasons[at].key : ipsp_reason_key((enum ipsp_reason)number);
}

const char *io_reason_text(unsigned number)
{
	unsigned at;

	return of_io(number, &at) ? reasons[at].text : ipsp_reason_text((enum ipsp_reason)number);
}

enum ipsp_reason_class io_reason_class(unsigned number)
{
	unsigned at;

	return of_io(number, &at) ? reasons[at].class : ipsp_reason_class((enum ipsp_reason)number);
}

enum ipsp_err io_reason_err(unsigned number)
{
	unsigned at;

	return of_io(number, &at) ? reasons[at].err : ipsp_reason_err((enum ipsp_reason)number);
}
