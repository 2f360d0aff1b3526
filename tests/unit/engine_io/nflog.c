/* tests/unit/engine_io/nflog.c - see nflog.h. */
#include "config.h"
#include "tests/unit/engine_io/nflog.h"

#include <check.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

alignas(8) uint8_t nflog_gram[4096];
size_t nflog_len;
static size_t msg_at;

void nflog_clear(void)
{
	nflog_len = 0;
}

static void put(const void *data, size_t len)
{
	ck_assert_uint_le(nflog_len + len + 3, sizeof(nflog_gram));
	if (len)
		memcpy(nflog_gram + nflog_len, data, len);
	nflog_len += len;
	while (nflog_len % 4)
		nflog_gram[nflog_len++] = 0;
}

void nflog_begin(uint16_t type)
{
	const uint32_t nothing[2] = { 0, 0 };
	const uint16_t head[2] = { type, 0 };
	const uint8_t nfgen[4] = { 2, 0, 0x69, 0x70 };
	const uint32_t len = 0;

	msg_at = nflog_len;
	put(&len, 4);
	put(head, 4);
	put(nothing, 8);
	put(nfgen, 4);
}

void nflog_attr(uint16_t type, const void *data, size_t len)
{
	const uint16_t head[2] = { (uint16_t)(len + 4), type };

	put(head, 4);
	put(data, len);
}

void nflog_end(void)
{
	const uint32_t len = (uint32_t)(nflog_len - msg_at);

	memcpy(nflog_gram + msg_at, &len, 4);
}

void nflog_hook(uint8_t hook)
{
	const uint8_t hdr[4] = { 0x08, 0x00, hook, 0 };

	nflog_attr(NFLOG_HDR, hdr, sizeof(hdr));
}

void nflog_ifindex(uint16_t type, uint8_t ifindex)
{
	const uint8_t be[4] = { 0, 0, 0, ifindex };

	nflog_attr(type, be, sizeof(be));
}

void nflog_packet(const char *prefix, uint8_t hook, const uint8_t *packet, size_t len)
{
	nflog_begin(NFLOG_TYPE_PACKET);
	nflog_hook(hook);
	nflog_attr(NFLOG_PREFIX, prefix, strlen(prefix) + 1);
	nflog_ifindex(NFLOG_INDEV, 3);
	nflog_ifindex(NFLOG_OUTDEV, 4);
	nflog_attr(NFLOG_PAYLOAD, packet, len);
	nflog_end();
}

size_t nflog_give(size_t (*reader)(struct engine_role *role, void *data, size_t len),
		  struct engine_role *role)
{
	/* The sanitizer sees who reads beyond. */
	uint8_t *exact = malloc(nflog_len ? nflog_len : 1);

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, nflog_gram, nflog_len);
	const size_t bad = reader(role, exact, nflog_len);

	free(exact);
	return bad;
}
