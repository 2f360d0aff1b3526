/* engine/io/attach.c - names of drop reasons, the core's and the attachments' own. */
#include "engine/io/attach.h"

static const char *const keys[] = {
#define IO_REASON_KEY(name, key, text) key,
	IO_REASONS(IO_REASON_KEY)
#undef IO_REASON_KEY
};

static const char *const texts[] = {
#define IO_REASON_TEXT(name, key, text) text,
	IO_REASONS(IO_REASON_TEXT)
#undef IO_REASON_TEXT
};

const char *io_reason_key(unsigned number)
{
	if (number < IO_REASON_BASE)
		return ipsp_reason_key((enum ipsp_reason)number);
	number -= IO_REASON_BASE;
	return number < IO_N_REASONS ? keys[number] : "unknown";
}

const char *io_reason_text(unsigned number)
{
	if (number < IO_REASON_BASE)
		return ipsp_reason_text((enum ipsp_reason)number);
	number -= IO_REASON_BASE;
	return number < IO_N_REASONS ? texts[number] : "unknown";
}
