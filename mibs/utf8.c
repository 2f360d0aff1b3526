/*
 * mibs/utf8.c - which octets are text. RFC 3629 section 4, XML 1.0 section 2.2.
 */
#include "mibs/utf8.h"

/* The lead octets, how many follow, and the bounds that exclude overlong forms and surrogates. */
static const struct {
	uint8_t lead_min, lead_max;
	uint8_t follow;
	uint8_t second_min, second_max;
} forms[] = {
	{ 0xc2, 0xdf, 1, 0x80, 0xbf },
	{ 0xe0, 0xe0, 2, 0xa0, 0xbf },
	{ 0xe1, 0xec, 2, 0x80, 0xbf },
	{ 0xed, 0xed, 2, 0x80, 0x9f },
	{ 0xee, 0xef, 2, 0x80, 0xbf },
	{ 0xf0, 0xf0, 3, 0x90, 0xbf },
	{ 0xf1, 0xf3, 3, 0x80, 0xbf },
	{ 0xf4, 0xf4, 3, 0x80, 0x8f },
};

/* Octets of the character of more than one octet at s, or 0 when there is none. */
static size_t char_len(const uint8_t *s, size_t len)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (s[0] < forms[i].lead_min || s[0] > forms[i].lead_max)
			continue;
		if (len < 1u + forms[i].follow || s[1] < forms[i].second_min ||
		    s[1] > forms[i].second_max)
			return 0;
		for (size_t k = 2; k <= forms[i].follow; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		}
		return 1u + forms[i].follow;
	}
	return 0;
}

bool mib_utf8_is_text(const uint8_t *s, size_t len)
{
	for (size_t at = 0; at < len;) {
		if (s[at] < 0x80) {
			if (s[at] < 0x20 && s[at] != '\t' && s[at] != '\n' && s[at] != '\r')
				return false;
			at++;
			continue;
		}

		const size_t n = char_len(&s[at], len - at);

		if (n == 0)
			return false;
		/* U+FFFE and U+FFFF are no XML characters. */
		if (n == 3 && s[at] == 0xef && s[at + 1] == 0xbf && s[at + 2] >= 0xbe)
			return false;
		at += n;
	}
	return true;
}

bool mib_column_is_text(const struct mib_column *col)
{
	return col->tc == MIB_TC_ADMIN_STRING || col->tc == MIB_TC_IDENTITY_FILTER ||
	       col->tc == MIB_TC_TIME_PERIOD;
}
