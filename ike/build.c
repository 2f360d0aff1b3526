/* ike/build.c - messages put together: see build.h. */
#include "ike/build.h"

#include <string.h>
#include <sys/endian.h>

#define MAJOR_2_MINOR_0 0x20u

void ike_build_begin(struct ike_builder *b, uint8_t *buf, size_t cap)
{
	*b = (struct ike_builder){ .buf = buf, .cap = cap, .next = &b->first };
}

uint8_t *ike_build_room(struct ike_builder *b, size_t n)
{
	uint8_t *const at = b->buf + b->len;

	if (b->failed || n > b->cap - b->len) {
		b->failed = true;
		return NULL;
	}
	b->len += n;
	return at;
}

static void close_payload(struct ike_builder *b)
{
	const size_t len = b->len - b->payload_at;

	if (b->failed || b->next == &b->first)
		return;
	if (len > UINT16_MAX)
		b->failed = true;
	else
		be16enc(b->buf + b->payload_at + 2, (uint16_t)len);
}

void ike_build_payload(struct ike_builder *b, uint8_t type)
{
	uint8_t *header;

	close_payload(b);
	header = ike_build_room(b, IKE_PAYLOAD_HEADER_LEN);
	if (!header)
		return;
	*b->next = type;
	memset(header, 0, IKE_PAYLOAD_HEADER_LEN);
	b->payload_at = (size_t)(header - b->buf);
	b->next = header;
}

void ike_build_u8(struct ike_builder *b, uint8_t n)
{
	ike_build_octets(b, (struct ipsp_span){ &n, 1 });
}

void ike_build_u16(struct ike_builder *b, uint16_t n)
{
	uint8_t *const at = ike_build_room(b, 2);

	if (at)
		be16enc(at, n);
}

void ike_build_u32(struct ike_builder *b, uint32_t n)
{
	uint8_t *const at = ike_build_room(b, 4);

	if (at)
		be32enc(at, n);
}

void ike_build_octets(struct ike_builder *b, struct ipsp_span octets)
{
	uint8_t *const at = ike_build_room(b, octets.len);

	if (at && octets.len > 0)
		memcpy(at, octets.data, octets.len);
}

void ike_build_notify(struct ike_builder *b, uint8_t protocol, struct ipsp_span spi, uint16_t type,
		      struct ipsp_span data)
{
	ike_build_payload(b, IKE_PAYLOAD_N);
	ike_build_u8(b, protocol);
	ike_build_u8(b, (uint8_t)spi.len);
	ike_build_u16(b, type);
	ike_build_octets(b, spi);
	ike_build_octets(b, data);
}

void ike_build_flag(struct ike_builder *b, uint16_t type)
{
	ike_build_notify(b, 0, (struct ipsp_span){ 0 }, type, (struct ipsp_span){ 0 });
}

bool ike_build_end(struct ike_builder *b, struct ipsp_span *out)
{
	close_payload(b);
	if (b->failed)
		return false;
	*out = (struct ipsp_span){ b->buf, b->len };
	return true;
}

void ike_header_write(const struct ike_header_fields *h, uint8_t first_payload, size_t length,
		      uint8_t out[IKE_HEADER_LEN])
{
	memcpy(out, h->spi_i, IKE_SPI_LEN);
	memcpy(out + IKE_SPI_LEN, h->spi_r, IKE_SPI_LEN);
	out[16] = first_payload;
	out[17] = MAJOR_2_MINOR_0;
	out[18] = h->exchange;
	out[19] = h->flags;
	be32enc(out + 20, h->message_id);
	be32enc(out + 24, (uint32_t)length);
}
