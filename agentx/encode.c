/*
 * agentx/encode.c - writes AgentX PDUs. RFC 2741 sections 5 and 6.
 *
 * The buffer never grows over its maximum; a PDU that would is cut off whole by ax_pdu_end.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agentx/pdu.h"

#define FIRST_CAP 256

/** Makes room for n octets at the end. @return where, or NULL with the buffer bad */
static uint8_t *extend(struct ax_buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : FIRST_CAP;

	if (b->bad || n > b->max - b->len) {
		b->bad = true;
		return NULL;
	}
	while (cap < b->len + n)
		cap *= 2;
	if (cap != b->cap) {
		uint8_t *data = realloc(b->data, cap);

		if (!data) {
			b->bad = true;
			return NULL;
		}
		b->data = data;
		b->cap = cap;
	}
	b->len += n;
	return b->data + b->len - n;
}

static void put_u8(struct ax_buf *b, uint8_t n)
{
	uint8_t *p = extend(b, 1);

	if (p)
		*p = n;
}

static void u32_to(uint8_t *p, uint32_t n, bool network_order)
{
	p[0] = (uint8_t)(network_order ? n >> 24 : n);
	p[1] = (uint8_t)(network_order ? n >> 16 : n >> 8);
	p[2] = (uint8_t)(network_order ? n >> 8 : n >> 16);
	p[3] = (uint8_t)(network_order ? n : n >> 24);
}

static void put_u16(struct ax_buf *b, uint16_t n)
{
	put_u8(b, (uint8_t)(b->network_order ? n >> 8 : n));
	put_u8(b, (uint8_t)(b->network_order ? n : n >> 8));
}

static void put_u32(struct ax_buf *b, uint32_t n)
{
	uint8_t *p = extend(b, 4);

	if (p)
		u32_to(p, n, b->network_order);
}

static void put_u64(struct ax_buf *b, uint64_t n)
{
	put_u32(b, (uint32_t)(b->network_order ? n >> 32 : n));
	put_u32(b, (uint32_t)(b->network_order ? n : n >> 32));
}

/** RFC 2741 5.1; below internet the first five sub-identifiers become the prefix. */
static void put_oid(struct ax_buf *b, const uint32_t *ids, size_t len, bool include)
{
	static const uint32_t internet[] = { 1, 3, 6, 1 };
	uint8_t prefix = 0;

	assert(len <= MIB_OID_MAX);
	if (len > 4 && memcmp(ids, internet, sizeof(internet)) == 0 && ids[4] && ids[4] <= 255) {
		prefix = (uint8_t)ids[4];
		ids += 5;
		len -= 5;
	}

	uint8_t *p = extend(b, 4 + 4 * len);

	if (!p)
		return;
	*p++ = (uint8_t)len;
	*p++ = prefix;
	*p++ = include;
	*p++ = 0;
	for (size_t i = 0; i < len; i++, p += 4)
		u32_to(p, ids[i], b->network_order);
}

/** RFC 2741 5.3. */
static void put_octets(struct ax_buf *b, const void *data, size_t len)
{
	static const uint8_t zeros[3];
	const size_t padding = (4 - len % 4) % 4;

	if (len > b->max) {
		b->bad = true;
		return;
	}
	put_u32(b, (uint32_t)len);

	uint8_t *p = extend(b, len + padding);

	if (!p)
		return;
	if (len)
		memcpy(p, data, len);
	memcpy(p + len, zeros, padding);
}

void ax_buf_init(struct ax_buf *b, size_t max)
{
	*b = (struct ax_buf){ .max = max, .network_order = true };
}

void ax_buf_fini(struct ax_buf *b)
{
	free(b->data);
	*b = (struct ax_buf){ 0 };
}

void ax_buf_cut(struct ax_buf *b, size_t len)
{
	assert(len <= b->len);
	b->len = len;
	b->bad = false;
}

size_t ax_pdu_begin(struct ax_buf *b, const struct ax_header *h, const struct ax_span *context)
{
	const size_t start = b->len;
	uint8_t flags = h->flags & (uint8_t)~AX_NON_DEFAULT_CONTEXT;

	if (context)
		flags |= AX_NON_DEFAULT_CONTEXT;
	b->network_order = flags & AX_NETWORK_BYTE_ORDER;
	put_u8(b, AX_VERSION);
	put_u8(b, h->type);
	put_u8(b, flags);
	put_u8(b, 0);
	put_u32(b, h->session_id);
	put_u32(b, h->transaction_id);
	put_u32(b, h->packet_id);
	put_u32(b, 0);
	if (context)
		put_octets(b, context->data, context->len);
	return start;
}

bool ax_pdu_end(struct ax_buf *b, size_t start)
{
	if (b->bad) {
		ax_buf_cut(b, start);
		return false;
	}
	u32_to(b->data + start + AX_HEADER_SIZE - 4, (uint32_t)(b->len - start - AX_HEADER_SIZE),
	       b->network_order);
	return true;
}

void ax_put_open(struct ax_buf *b, uint8_t timeout_s, const struct mib_oid *id, const char *descr)
{
	put_u8(b, timeout_s);
	put_u8(b, 0);
	put_u16(b, 0);
	put_oid(b, id->ids, id->len, false);
	put_octets(b, descr, strlen(descr));
}

void ax_put_close(struct ax_buf *b, enum ax_reason reason)
{
	put_u8(b, (uint8_t)reason);
	put_u8(b, 0);
	put_u16(b, 0);
}

void ax_put_region(struct ax_buf *b, uint8_t timeout_s, uint8_t priority, const uint32_t *subtree,
		   size_t len, uint8_t range_subid, uint32_t upper_bound)
{
	put_u8(b, timeout_s);
	put_u8(b, priority);
	put_u8(b, range_subid);
	put_u8(b, 0);
	put_oid(b, subtree, len, false);
	if (range_subid)
		put_u32(b, upper_bound);
}

void ax_put_bulk(struct ax_buf *b, uint16_t non_repeaters, uint16_t max_repetitions)
{
	put_u16(b, non_repeaters);
	put_u16(b, max_repetitions);
}

void ax_put_caps(struct ax_buf *b, const struct mib_oid *id, const char *descr)
{
	put_oid(b, id->ids, id->len, false);
	if (descr)
		put_octets(b, descr, strlen(descr));
}

void ax_put_response(struct ax_buf *b, uint32_t uptime_cs, uint16_t error, uint16_t index)
{
	put_u32(b, uptime_cs);
	put_u16(b, error);
	put_u16(b, index);
}

void ax_put_range(struct ax_buf *b, const uint32_t *start, size_t len, bool include,
		  const uint32_t *end, size_t end_len)
{
	put_oid(b, start, len, include);
	put_oid(b, end, end_len, false);
}

void ax_put_varbind(struct ax_buf *b, enum ax_value_type type, const uint32_t *name, size_t len,
		    const struct mib_value *v)
{
	put_u16(b, (uint16_t)type);
	put_u16(b, 0);
	put_oid(b, name, len, false);
	switch (type) {
	case AX_INTEGER:
	case AX_COUNTER32:
	case AX_GAUGE32:
	case AX_TIME_TICKS:
		put_u32(b, (uint32_t)v->number);
		break;
	case AX_COUNTER64:
		put_u64(b, v->counter64);
		break;
	case AX_OCTET_STRING:
	case AX_IP_ADDRESS:
	case AX_OPAQUE:
		put_octets(b, v->octets.data, v->octets.len);
		break;
	case AX_OBJECT_IDENTIFIER:
		put_oid(b, v->oid.ids, v->oid.len, false);
		break;
	case AX_NULL:
	case AX_NO_SUCH_OBJECT:
	case AX_NO_SUCH_INSTANCE:
	case AX_END_OF_MIB_VIEW:
		break;
	}
}

enum ax_value_type ax_value_type_of(enum mib_syntax syntax)
{
	static const enum ax_value_type types[] = {
		[MIB_SYN_INTEGER] = AX_INTEGER,
		[MIB_SYN_UNSIGNED] = AX_GAUGE32,
		[MIB_SYN_COUNTER32] = AX_COUNTER32,
		[MIB_SYN_COUNTER64] = AX_COUNTER64,
		[MIB_SYN_TIMETICKS] = AX_TIME_TICKS,
		[MIB_SYN_OCTETS] = AX_OCTET_STRING,
		[MIB_SYN_BITS] = AX_OCTET_STRING,
		[MIB_SYN_OID] = AX_OBJECT_IDENTIFIER,
	};

	return types[syntax];
}
