/*
 * agentx/decode.c - takes AgentX PDUs apart. RFC 2741 sections 5 and 6.
 *
 * Every length is checked before use and every PDU to its last octet, so that what follows may walk
 * its list without surprises. Reserved fields and padding are not looked at: RFC 2741 binds their
 * sender, and gives no error for them. Allocates nothing.
 */
#include <string.h>

#include "agentx/pdu.h"

/** The sub-identifiers a non-zero prefix stands for, before itself: internet. RFC 2741 5.1. */
static const uint32_t internet[] = { 1, 3, 6, 1 };
#define INTERNET_LEN (sizeof(internet) / sizeof(internet[0]))

/** What follows the header (and the context) of a PDU. */
enum body {
	BODY_NONE,
	BODY_OPEN,
	BODY_CLOSE,
	BODY_REGION,
	BODY_RANGES,
	BODY_BULK,
	BODY_VARBINDS,
	BODY_CAPS_ADD,
	BODY_CAPS_REMOVE,
	BODY_RESPONSE,
};

/** All PDUs by h.type; may_have_context is 6.1.1's list. */
static const struct {
	const char *name;
	enum body body;
	bool may_have_context;
} pdus[] = {
	[AX_OPEN] = { "Open", BODY_OPEN, false },
	[AX_CLOSE] = { "Close", BODY_CLOSE, false },
	[AX_REGISTER] = { "Register", BODY_REGION, true },
	[AX_UNREGISTER] = { "Unregister", BODY_REGION, true },
	[AX_GET] = { "Get", BODY_RANGES, true },
	[AX_GET_NEXT] = { "GetNext", BODY_RANGES, true },
	[AX_GET_BULK] = { "GetBulk", BODY_BULK, true },
	[AX_TEST_SET] = { "TestSet", BODY_VARBINDS, true },
	[AX_COMMIT_SET] = { "CommitSet", BODY_NONE, false },
	[AX_UNDO_SET] = { "UndoSet", BODY_NONE, false },
	[AX_CLEANUP_SET] = { "CleanupSet", BODY_NONE, false },
	[AX_NOTIFY] = { "Notify", BODY_VARBINDS, true },
	[AX_PING] = { "Ping", BODY_NONE, true },
	[AX_INDEX_ALLOCATE] = { "IndexAllocate", BODY_VARBINDS, true },
	[AX_INDEX_DEALLOCATE] = { "IndexDeallocate", BODY_VARBINDS, true },
	[AX_ADD_AGENT_CAPS] = { "AddAgentCaps", BODY_CAPS_ADD, true },
	[AX_REMOVE_AGENT_CAPS] = { "RemoveAgentCaps", BODY_CAPS_REMOVE, true },
	[AX_RESPONSE] = { "Response", BODY_RESPONSE, false },
};

static bool type_is_known(uint8_t type)
{
	return type < sizeof(pdus) / sizeof(pdus[0]) && pdus[type].name;
}

/** n octets, or NULL with the reader bad. */
static const uint8_t *take(struct ax_reader *r, size_t n)
{
	const uint8_t *at = r->at;

	if (r->bad || (size_t)(r->end - at) < n) {
		r->bad = true;
		return NULL;
	}
	r->at += n;
	return at;
}

static uint8_t take_u8(struct ax_reader *r)
{
	const uint8_t *p = take(r, 1);

	return p ? *p : 0;
}

static uint16_t take_u16(struct ax_reader *r)
{
	const uint8_t *p = take(r, 2);

	if (!p)
		return 0;
	return r->network_order ? (uint16_t)(p[0] << 8 | p[1]) : (uint16_t)(p[1] << 8 | p[0]);
}

static uint32_t u32_at(const uint8_t *p, bool network_order)
{
	if (network_order)
		return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint32_t take_u32(struct ax_reader *r)
{
	const uint8_t *p = take(r, 4);

	return p ? u32_at(p, r->network_order) : 0;
}

static uint64_t take_u64(struct ax_reader *r)
{
	const uint64_t first = take_u32(r);
	const uint64_t second = take_u32(r);

	return r->network_order ? first << 32 | second : second << 32 | first;
}

/** RFC 2741 5.1. @param include  may be NULL: the field means nothing here */
static void take_oid(struct ax_reader *r, struct mib_oid *out, uint8_t *include)
{
	const uint8_t n = take_u8(r);
	const uint8_t prefix = take_u8(r);
	const uint8_t inc = take_u8(r);
	const size_t before = prefix ? INTERNET_LEN + 1 : 0;

	take_u8(r);
	out->len = 0;
	if (before + n > MIB_OID_MAX)
		r->bad = true;

	const uint8_t *ids = take(r, (size_t)n * 4);

	if (!ids)
		return;
	if (prefix) {
		memcpy(out->ids, internet, sizeof(internet));
		out->ids[INTERNET_LEN] = prefix;
	}
	for (size_t i = 0; i < n; i++)
		out->ids[before + i] = u32_at(ids + 4 * i, r->network_order);
	out->len = before + n;
	if (include)
		*include = inc;
}

/** RFC 2741 5.3: the length, the octets, and padding to a multiple of four. */
static struct ax_span take_octets(struct ax_reader *r)
{
	const size_t len = take_u32(r);
	const size_t padding = (4 - len % 4) % 4;
	const uint8_t *data = take(r, len);

	if (!data || !take(r, padding))
		return (struct ax_span){ NULL, 0 };
	return (struct ax_span){ data, len };
}

enum ax_frame ax_frame_next(const uint8_t *data, size_t len, struct ax_header *h)
{
	struct ax_reader r;

	if (len && data[0] != AX_VERSION)
		return AX_FRAME_LOST;
	if (len < AX_HEADER_SIZE)
		return AX_FRAME_MORE;

	ax_reader_init(&r, data, AX_HEADER_SIZE, data[2] & AX_NETWORK_BYTE_ORDER);
	h->version = take_u8(&r);
	h->type = take_u8(&r);
	h->flags = take_u8(&r);
	take_u8(&r);
	h->session_id = take_u32(&r);
	h->transaction_id = take_u32(&r);
	h->packet_id = take_u32(&r);
	h->payload_len = take_u32(&r);
	if (h->payload_len % 4 || h->payload_len > AX_PDU_MAX - AX_HEADER_SIZE)
		return AX_FRAME_LOST;
	return len - AX_HEADER_SIZE < h->payload_len ? AX_FRAME_MORE : AX_FRAME_PDU;
}

void ax_reader_init(struct ax_reader *r, const uint8_t *data, size_t len, bool network_order)
{
	static const uint8_t nothing[1];

	r->at = data ? data : nothing;
	r->end = r->at + (data ? len : 0);
	r->network_order = network_order;
	r->bad = false;
}

bool ax_reader_more(const struct ax_reader *r)
{
	return !r->bad && r->at < r->end;
}

bool ax_read_range(struct ax_reader *r, struct ax_range *out)
{
	uint8_t include = 0;

	take_oid(r, &out->start, &include);
	take_oid(r, &out->end, NULL);
	if (include > 1)
		r->bad = true;
	out->include = include == 1;
	return !r->bad;
}

bool ax_read_varbind(struct ax_reader *r, struct ax_varbind *out)
{
	struct ax_span octets;

	out->type = take_u16(r);
	take_u16(r);
	take_oid(r, &out->name, NULL);
	out->value = mib_value_integer(0);
	switch (out->type) {
	case AX_INTEGER:
		out->value = mib_value_integer((int32_t)take_u32(r));
		break;
	case AX_GAUGE32:
		out->value = mib_value_unsigned(take_u32(r));
		break;
	case AX_COUNTER32:
		out->value = mib_value_unsigned(take_u32(r));
		out->value.syntax = MIB_SYN_COUNTER32;
		break;
	case AX_TIME_TICKS:
		out->value = mib_value_unsigned(take_u32(r));
		out->value.syntax = MIB_SYN_TIMETICKS;
		break;
	case AX_COUNTER64:
		out->value = mib_value_counter64(take_u64(r));
		break;
	case AX_OCTET_STRING:
	case AX_IP_ADDRESS:
	case AX_OPAQUE:
		octets = take_octets(r);
		out->value = mib_value_octets(octets.data, octets.len);
		break;
	case AX_OBJECT_IDENTIFIER:
		take_oid(r, &out->oid_value, NULL);
		out->value = mib_value_oid(out->oid_value.ids, out->oid_value.len);
		break;
	case AX_NULL:
	case AX_NO_SUCH_OBJECT:
	case AX_NO_SUCH_INSTANCE:
	case AX_END_OF_MIB_VIEW:
		break;
	default:
		r->bad = true;
	}
	return !r->bad;
}

/** The rest of the PDU is a list: checks and counts it. */
static void take_list(struct ax_reader *r, bool ranges, struct ax_pdu *out)
{
	struct ax_range range;
	struct ax_varbind vb;

	out->list.data = r->at;
	out->list.len = (size_t)(r->end - r->at);
	while (ax_reader_more(r)) {
		if (!(ranges ? ax_read_range(r, &range) : ax_read_varbind(r, &vb)))
			return;
		if (++out->n_items > AX_ITEMS_MAX) {
			r->bad = true;
			return;
		}
	}
}

static void take_region(struct ax_reader *r, struct ax_pdu *out)
{
	out->region.timeout_s = take_u8(r);
	out->region.priority = take_u8(r);
	out->region.range_subid = take_u8(r);
	take_u8(r);
	take_oid(r, &out->region.subtree, NULL);
	out->region.upper_bound = out->region.range_subid ? take_u32(r) : 0;
	if (out->region.range_subid > out->region.subtree.len)
		r->bad = true;
}

static void take_body(struct ax_reader *r, enum body body, struct ax_pdu *out)
{
	switch (body) {
	case BODY_NONE:
		break;
	case BODY_OPEN:
		out->open.timeout_s = take_u8(r);
		take(r, 3);
		take_oid(r, &out->open.id, NULL);
		out->open.descr = take_octets(r);
		break;
	case BODY_CLOSE:
		out->close.reason = take_u8(r);
		take(r, 3);
		break;
	case BODY_REGION:
		take_region(r, out);
		break;
	case BODY_BULK:
		out->bulk.non_repeaters = take_u16(r);
		out->bulk.max_repetitions = take_u16(r);
		take_list(r, true, out);
		break;
	case BODY_RANGES:
		take_list(r, true, out);
		break;
	case BODY_VARBINDS:
		take_list(r, false, out);
		break;
	case BODY_CAPS_ADD:
		take_oid(r, &out->caps.id, NULL);
		out->caps.descr = take_octets(r);
		break;
	case BODY_CAPS_REMOVE:
		take_oid(r, &out->caps.id, NULL);
		break;
	case BODY_RESPONSE:
		out->response.uptime_cs = take_u32(r);
		out->response.error = take_u16(r);
		out->response.index = take_u16(r);
		take_list(r, false, out);
		break;
	}
}

bool ax_pdu_parse(const struct ax_header *h, const uint8_t *payload, struct ax_pdu *out)
{
	struct ax_reader r;

	if (!type_is_known(h->type))
		return false;
	memset(out, 0, sizeof(*out));
	out->h = *h;
	ax_reader_init(&r, payload, h->payload_len, h->flags & AX_NETWORK_BYTE_ORDER);
	if (h->flags & AX_NON_DEFAULT_CONTEXT && pdus[h->type].may_have_context) {
		out->has_context = true;
		out->context = take_octets(&r);
	}
	take_body(&r, pdus[h->type].body, out);
	return !r.bad && r.at == r.end;
}

void ax_pdu_list(const struct ax_pdu *p, struct ax_reader *out)
{
	ax_reader_init(out, p->list.data, p->list.len, p->h.flags & AX_NETWORK_BYTE_ORDER);
}

const char *ax_type_name(uint8_t type)
{
	return type_is_known(type) ? pdus[type].name : "unknown";
}
