/* tests/unit/engine_io/packets.c - see packets.h. */
#include "tests/unit/engine_io/packets.h"

#include <string.h>

uint32_t packets_sum(uint32_t sum, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

bool packets_sums_right(const uint8_t *p, uint32_t len, uint32_t l4, uint8_t proto)
{
	const bool is_v4 = p[0] >> 4 == 4;
	const uint32_t l4_len = len - l4;
	uint32_t sum = proto == 1 ? 0 : packets_sum(l4_len + proto, p + (is_v4 ? 12 : 8),
						    is_v4 ? 8 : 32);

	return (!is_v4 || packets_sum(0, p, l4) == 0xffff) &&
	       packets_sum(sum, p + l4, l4_len) == 0xffff;
}

void packets_header_sum(uint8_t *p)
{
	p[10] = p[11] = 0;
	const uint32_t sum = packets_sum(0, p, 20);

	p[10] = (uint8_t)(~sum >> 8);
	p[11] = (uint8_t)~sum;
}

uint32_t packets_header(uint8_t *p, int family, uint8_t proto, uint32_t total_len)
{
	static const uint8_t v4[20] = { 0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, 0, 0, 0,
					192, 0, 2, 1, 192, 0, 2, 2 };
	static const uint8_t v6[40] = { 0x60, [7] = 64, [8] = 0x20, 1, 0xd, 0xb8, [23] = 1,
					[24] = 0x20, 1, 0xd, 0xb8, [39] = 2 };

	if (family == 6) {
		memcpy(p, v6, sizeof(v6));
		p[4] = (uint8_t)((total_len - 40) >> 8);
		p[5] = (uint8_t)(total_len - 40);
		p[6] = proto;
		return 40;
	}
	memcpy(p, v4, sizeof(v4));
	p[2] = (uint8_t)(total_len >> 8);
	p[3] = (uint8_t)total_len;
	p[9] = proto;
	packets_header_sum(p);
	return 20;
}
