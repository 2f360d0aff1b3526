/* ipsp-pcap/hex.c - see hex.h. */
#include "ipsp-pcap/hex.h"

int pc_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool pc_hex(const char *text, uint8_t *out, size_t max, size_t *n)
{
	for (*n = 0; text[0]; text += 2) {
		const int hi = pc_hex_digit(text[0]);
		const int lo = hi < 0 ? -1 : pc_hex_digit(text[1]);

		if (lo < 0 || *n == max)
			return false;
		out[(*n)++] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}
