/*
 * agentx/pdu.h - the AgentX wire format: RFC 2741 sections 5 and 6, all eighteen PDUs, both ways.
 *
 * Decoding works on borrowed octets and allocates nothing: a PDU is checked as a whole first, then
 * its list of SearchRanges or VarBinds is walked with a reader. Encoding appends to a growing
 * buffer with a stated maximum. Both byte orders are read and written; NETWORK_BYTE_ORDER in the
 * header says which. Says nothing of sessions and knows no store.
 */
#ifndef AGENTX_PDU_H
#define AGENTX_PDU_H

#include "mibs/value.h"

#define AX_VERSION 1
#define AX_HEADER_SIZE 20

/** The largest PDU we take or make, header included. A 64 KiB SNMP message fits in any encoding. */
#define AX_PDU_MAX (1u << 20)

/** A list longer than this cannot be answered: res.index has 16 bits. */
#define AX_ITEMS_MAX 65535u

/** h.type, RFC 2741 6.1. */
enum ax_type {
	AX_OPEN = 1,
	AX_CLOSE = 2,
	AX_REGISTER = 3,
	AX_UNREGISTER = 4,
	AX_GET = 5,
	AX_GET_NEXT = 6,
	AX_GET_BULK = 7,
	AX_TEST_SET = 8,
	AX_COMMIT_SET = 9,
	AX_UNDO_SET = 10,
	AX_CLEANUP_SET = 11,
	AX_NOTIFY = 12,
	AX_PING = 13,
	AX_INDEX_ALLOCATE = 14,
	AX_INDEX_DEALLOCATE = 15,
	AX_ADD_AGENT_CAPS = 16,
	AX_REMOVE_AGENT_CAPS = 17,
	AX_RESPONSE = 18,
};

/** @return "TestSet" and so on; "unknown" for a number that is none. */
const char *ax_type_name(uint8_t type);

/** h.flags, RFC 2741 6.1. */
enum ax_flag {
	AX_INSTANCE_REGISTRATION = 1 << 0,
	AX_NEW_INDEX = 1 << 1,
	AX_ANY_INDEX = 1 << 2,
	AX_NON_DEFAULT_CONTEXT = 1 << 3,
	AX_NETWORK_BYTE_ORDER = 1 << 4,
};

/** v.type, RFC 2741 5.4. */
enum ax_value_type {
	AX_INTEGER = 2,
	AX_OCTET_STRING = 4,
	AX_NULL = 5,
	AX_OBJECT_IDENTIFIER = 6,
	AX_IP_ADDRESS = 64,
	AX_COUNTER32 = 65,
	AX_GAUGE32 = 66,
	AX_TIME_TICKS = 67,
	AX_OPAQUE = 68,
	AX_COUNTER64 = 70,
	AX_NO_SUCH_OBJECT = 128,
	AX_NO_SUCH_INSTANCE = 129,
	AX_END_OF_MIB_VIEW = 130,
};

/** c.reason, RFC 2741 6.2.2. */
enum ax_reason {
	AX_REASON_OTHER = 1,
	AX_REASON_PARSE_ERROR = 2,
	AX_REASON_PROTOCOL_ERROR = 3,
	AX_REASON_TIMEOUTS = 4,
	AX_REASON_SHUTDOWN = 5,
	AX_REASON_BY_MANAGER = 6,
};

/** res.error of administrative PDUs, RFC 2741 6.2.16; those of SNMP are in agentx/error.h. */
enum ax_admin_error {
	AX_ERR_NONE = 0,
	AX_ERR_OPEN_FAILED = 256,
	AX_ERR_NOT_OPEN = 257,
	AX_ERR_INDEX_WRONG_TYPE = 258,
	AX_ERR_INDEX_ALREADY_ALLOCATED = 259,
	AX_ERR_INDEX_NONE_AVAILABLE = 260,
	AX_ERR_INDEX_NOT_ALLOCATED = 261,
	AX_ERR_UNSUPPORTED_CONTEXT = 262,
	AX_ERR_DUPLICATE_REGISTRATION = 263,
	AX_ERR_UNKNOWN_REGISTRATION = 264,
	AX_ERR_UNKNOWN_AGENT_CAPS = 265,
	AX_ERR_PARSE_ERROR = 266,
	AX_ERR_REQUEST_DENIED = 267,
	AX_ERR_PROCESSING_ERROR = 268,
};

/** Octets that are not ours. */
struct ax_span {
	const uint8_t *data;
	size_t len;
};

/** The header, in host order. RFC 2741 6.1. */
struct ax_header {
	uint8_t version;
	uint8_t type;		/* enum ax_type, or a number that is none */
	uint8_t flags;		/* enum ax_flag */
	uint32_t session_id;
	uint32_t transaction_id;
	uint32_t packet_id;
	uint32_t payload_len;	/* octets after the header */
};

/** Where a reader stands in a stream of PDUs. */
enum ax_frame {
	AX_FRAME_MORE,		/* the octets so far are the beginning of a PDU */
	AX_FRAME_PDU,		/* a whole PDU is there: AX_HEADER_SIZE + payload_len octets */
	AX_FRAME_LOST,		/* no PDU, or one over AX_PDU_MAX: the stream cannot go on */
};

/**
 * Reads a header and says whether its PDU is complete. *h is written when len >= AX_HEADER_SIZE.
 * A version that is not 1 and a payload_length that is no multiple of 4 lose the frame (6.1).
 */
enum ax_frame ax_frame_next(const uint8_t *data, size_t len, struct ax_header *h);

/** Walks octets; bad once anything did not fit, and then gives zeros. */
struct ax_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool network_order;
	bool bad;
};

void ax_reader_init(struct ax_reader *r, const uint8_t *data, size_t len, bool network_order);

/** Is anything left to read (and all good so far)? */
bool ax_reader_more(const struct ax_reader *r);

/** A SearchRange, RFC 2741 5.2. */
struct ax_range {
	struct mib_oid start;
	bool include;		/* start itself counts */
	struct mib_oid end;	/* exclusive; len 0: unbounded */
};

/** Takes one SearchRange. @return false: malformed */
MIB_MUST_CHECK bool ax_read_range(struct ax_reader *r, struct ax_range *out);

/**
 * A VarBind, RFC 2741 5.4. value borrows from the PDU's octets and from oid_value; it has the
 * syntax that belongs to type: MIB_SYN_OCTETS also for IpAddress and Opaque; for Null and the
 * exceptions it is an INTEGER 0 that means nothing. Do not copy the structure.
 */
struct ax_varbind {
	uint16_t type;		/* enum ax_value_type */
	struct mib_oid name;
	struct mib_value value;
	struct mib_oid oid_value;
};

/** Takes one VarBind. @return false: malformed, or a v.type that is none */
MIB_MUST_CHECK bool ax_read_varbind(struct ax_reader *r, struct ax_varbind *out);

/** A PDU that has been checked to its last octet. Borrows the octets it was parsed from. */
struct ax_pdu {
	struct ax_header h;
	bool has_context;	/* NON_DEFAULT_CONTEXT; the context may still be empty */
	struct ax_span context;
	union {
		struct {
			uint8_t timeout_s;
			struct mib_oid id;
			struct ax_span descr;
		} open;
		struct {
			uint8_t reason;		/* enum ax_reason */
		} close;
		struct {			/* Register, Unregister */
			uint8_t timeout_s;	/* Register only */
			uint8_t priority;
			uint8_t range_subid;	/* 0: no range, upper_bound means nothing */
			struct mib_oid subtree;
			uint32_t upper_bound;
		} region;
		struct {			/* GetBulk */
			uint16_t non_repeaters;
			uint16_t max_repetitions;
		} bulk;
		struct {			/* AddAgentCaps, RemoveAgentCaps */
			struct mib_oid id;
			struct ax_span descr;	/* AddAgentCaps only */
		} caps;
		struct {
			uint32_t uptime_cs;	/* res.sysUpTime */
			uint16_t error;
			uint16_t index;		/* from 1; 0: none */
		} response;
	};
	struct ax_span list;	/* SearchRanges of Get, GetNext, GetBulk; VarBinds of the others */
	size_t n_items;
};

/**
 * Checks and takes apart the payload of a PDU whose frame was complete.
 * @param payload  h->payload_len octets
 * @return false: RFC 2741's parseError: unknown h.type or v.type, an OID over 128, something that
 *         does not fit into the PDU or leaves octets over, more than AX_ITEMS_MAX items
 */
MIB_MUST_CHECK bool ax_pdu_parse(const struct ax_header *h, const uint8_t *payload,
				 struct ax_pdu *out);

/** A reader over the PDU's list. */
void ax_pdu_list(const struct ax_pdu *p, struct ax_reader *out);

/* ---- encoding ---- */

/**
 * Octets being written; grows up to max. A put that does not fit, or finds no memory, makes the
 * buffer bad: later puts do nothing, and ax_pdu_end takes the PDU away. ax_buf_fini when done.
 */
struct ax_buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max;
	bool network_order;
	bool bad;
};

/** @param max  limit in octets */
void ax_buf_init(struct ax_buf *b, size_t max);
void ax_buf_fini(struct ax_buf *b);

/** Forgets what comes after len octets, and that it went bad. */
void ax_buf_cut(struct ax_buf *b, size_t len);

/**
 * Begins the PDU with its header at the buffer's end; payload_len is filled in by ax_pdu_end, the
 * version is ours. Sets the buffer's byte order from h->flags.
 * @param context  written when not NULL, and NON_DEFAULT_CONTEXT with it (cleared otherwise)
 * @return where it begins, for ax_pdu_end
 */
size_t ax_pdu_begin(struct ax_buf *b, const struct ax_header *h, const struct ax_span *context);

/** Ends the PDU begun at start. @return false: it did not fit; the buffer is cut back to start */
MIB_MUST_CHECK bool ax_pdu_end(struct ax_buf *b, size_t start);

/* Payloads, one a PDU; Ping, CommitSet, UndoSet and CleanupSet have none. */

void ax_put_open(struct ax_buf *b, uint8_t timeout_s, const struct mib_oid *id, const char *descr);
void ax_put_close(struct ax_buf *b, enum ax_reason reason);

/**
 * Register and Unregister (timeout_s 0).
 * @param range_subid  0: none; else the 1-based sub-identifier that runs up to upper_bound
 */
void ax_put_region(struct ax_buf *b, uint8_t timeout_s, uint8_t priority, const uint32_t *subtree,
		   size_t len, uint8_t range_subid, uint32_t upper_bound);

/** GetBulk's fields, before its SearchRanges. */
void ax_put_bulk(struct ax_buf *b, uint16_t non_repeaters, uint16_t max_repetitions);

/** @param descr  NULL for RemoveAgentCaps */
void ax_put_caps(struct ax_buf *b, const struct mib_oid *id, const char *descr);

/** Response's fields, before its VarBinds. */
void ax_put_response(struct ax_buf *b, uint32_t uptime_cs, uint16_t error, uint16_t index);

/** @param end_len  0: unbounded */
void ax_put_range(struct ax_buf *b, const uint32_t *start, size_t len, bool include,
		  const uint32_t *end, size_t end_len);

/**
 * One VarBind.
 * @param type  its v.type
 * @param v     of the syntax that belongs to it; NULL for Null and the exceptions
 */
void ax_put_varbind(struct ax_buf *b, enum ax_value_type type, const uint32_t *name, size_t len,
		    const struct mib_value *v);

/** The v.type a value of that syntax is sent as. */
enum ax_value_type ax_value_type_of(enum mib_syntax syntax);

#endif
