/*
 * ipsp/reason.h - why the engine did not let a packet go on.
 *
 * The one list of drop reasons: the enumeration, the texts and the counters all come from it. A
 * reason's number is its place and may change between versions; its key (the second column) does
 * not, and is what MIB, JSON and logs use.
 */
#ifndef IPSP_REASON_H
#define IPSP_REASON_H

/* X(enumerator, key, English text) */
#define IPSP_REASONS(X) \
	X(NONE, "none", "not dropped") \
	/* policy, RFC 4301 5.1 and 5.2 */ \
	X(POLICY_DISCARD, "policy-discard", "an SPD entry says DISCARD") \
	X(POLICY_DEFAULT, "policy-default", "no SPD entry matches") \
	X(POLICY_FRAGMENT, "policy-fragment", "fragment that an entry with ports may match") \
	X(POLICY_NO_SA, "policy-no-sa", "PROTECT, but no SA is in force") \
	X(POLICY_CLEAR, "policy-clear", "clear packet where policy says PROTECT") \
	X(POLICY_MISMATCH, "policy-mismatch", "not the SA that policy demands for this packet") \
	X(ACTION_FAILED, "action-failed", "what an SPD entry is to do could not be done") \
	/* the packet's own headers */ \
	X(VERSION, "ip-version", "neither IPv4 nor IPv6") \
	X(TRUNCATED, "ip-truncated", "shorter than its headers say") \
	X(MALFORMED, "ip-malformed", "IP header with impossible values") \
	X(EXTENSIONS, "ip-extensions", "too many or misplaced IPv6 extension headers") \
	X(JUMBO, "ip-jumbo", "IPv6 jumbogram") \
	X(TTL, "ip-ttl", "TTL or hop limit used up") \
	/* SA, RFC 4301 4.4.2 */ \
	X(SA_NOT_FOUND, "sa-not-found", "no SA with this SPI and destination") \
	X(SA_NOT_USABLE, "sa-not-usable", "SA is larval or dead") \
	X(SA_EXPIRED, "sa-expired", "hard lifetime of the SA is over") \
	X(SEQ_EXHAUSTED, "seq-exhausted", "no sequence number left") \
	X(SEQ_RESERVATION, "seq-reservation", "next sequence numbers are not reserved yet") \
	/* ESP, RFC 4303 */ \
	X(ESP_SHORT, "esp-short", "too short for ESP or not whole blocks") \
	X(ESP_FRAGMENT, "esp-fragment", "ESP in a fragment that was not reassembled") \
	X(REPLAY, "replay", "sequence number seen already") \
	X(REPLAY_OLD, "replay-old", "sequence number left of the window") \
	X(ICV, "icv", "integrity check failed") \
	X(PADDING, "padding", "padding is not 1, 2, 3 ... or too long") \
	X(NEXT_HEADER, "next-header", "next header does not fit the SA's mode") \
	X(INNER, "inner", "inner packet does not fit its ESP packet") \
	X(ECN, "ecn", "congestion was marked on a flow without ECN") \
	X(DUMMY, "dummy", "dummy packet, RFC 4303 2.6: not an error") \
	/* encapsulation */ \
	X(TRANSPORT_ADDRESS, "transport-address", "transport mode between other endpoints") \
	X(TRANSPORT_FRAGMENT, "transport-fragment", "transport mode of a fragment") \
	X(TUNNEL_LOCAL, "tunnel-local", "no local address for the outer header") \
	X(TOO_BIG, "too-big", "would not fit an IP packet") \
	X(NO_ROOM, "no-room", "caller's buffer has too little head or tail room") \
	X(SEGMENTS, "segments", "large segments are not offered here") \
	X(CHECKSUM, "checksum", "unfinished checksum outside of the payload") \
	X(CRYPTO, "crypto", "crypto provider or random source failed")

enum ipsp_reason {
#define IPSP_REASON_ENUM(name, key, text) IPSP_REASON_##name,
	IPSP_REASONS(IPSP_REASON_ENUM)
#undef IPSP_REASON_ENUM
	IPSP_N_REASONS
};

/** "replay-old": stable, lower case, for MIB, JSON and log keys. "unknown" for other numbers. */
const char *ipsp_reason_key(enum ipsp_reason reason);

/** An English half-sentence. "unknown" for other numbers. */
const char *ipsp_reason_text(enum ipsp_reason reason);

#endif
