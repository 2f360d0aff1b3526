/*
 * ipsp/reason.h - why the engine did not let a packet go on, or let one come in that no entry is for.
 *
 * The one list of drop reasons: the enumeration, the texts, the classes, the errors and the counters
 * all come from it. A reason's number is its place and may change between versions; its key (the
 * second column) does not, and is what MIB, JSON and logs use.
 */
#ifndef IPSP_REASON_H
#define IPSP_REASON_H

#include "ipsp/types.h"

/** What a reason is about: the category of its log lines, and of its row in the MIB. */
enum ipsp_reason_class {
	IPSP_CLASS_NONE,	/* not an error: nothing to look after; or no drop at all */
	IPSP_CLASS_POLICY,	/* the SPD says so */
	IPSP_CLASS_PACKET,	/* its headers are damaged, or of a form that is not offered */
	IPSP_CLASS_SA,		/* no SA, or not one that could carry it now */
	IPSP_CLASS_REPLAY,	/* seen already, or too old to tell */
	IPSP_CLASS_INTEGRITY,	/* forged or damaged under an SA, or by a peer that errs */
	IPSP_CLASS_SIZE,	/* too long for a path, a packet or a buffer */
	IPSP_CLASS_RESOURCE,	/* the system itself could not */
	IPSP_N_CLASSES
};

/* X(enumerator, key, class, error that an API answers for such a packet, English text) */
#define IPSP_REASONS(X) \
	X(NONE, "none", NONE, OK, "not dropped") \
	/* policy, RFC 4301 5.1 and 5.2 */ \
	X(POLICY_DISCARD, "policy-discard", POLICY, EPOLICY, "an SPD entry says DISCARD") \
	X(POLICY_DEFAULT, "policy-default", POLICY, EPOLICY, "no SPD entry matches") \
	X(POLICY_FRAGMENT, "policy-fragment", POLICY, EPOLICY, \
	  "fragment that an entry with ports may match") \
	X(POLICY_NO_SA, "policy-no-sa", POLICY, ENOENT, "PROTECT, but no SA is in force") \
	X(POLICY_CLEAR, "policy-clear", POLICY, EPOLICY, "clear packet where policy says PROTECT") \
	X(POLICY_MISMATCH, "policy-mismatch", POLICY, EPOLICY, \
	  "not the SA that policy demands for this packet") \
	X(NO_KEY_MANAGER, "no-key-manager", POLICY, ENOENT, \
	  "SAs are to be negotiated, and no key manager is registered") \
	X(ACQUIRE_FAILED, "acquire-failed", POLICY, EPOLICY, \
	  "the negotiation of an SA failed a short time ago") \
	X(ACQUIRE_FULL, "acquire-full", RESOURCE, ENOSPC, "too many SAs are being negotiated") \
	X(HOLD_DISPLACED, "hold-displaced", RESOURCE, EAGAIN, \
	  "held for an SA, and a newer packet took its place") \
	X(HOLD_OVER, "hold-over", POLICY, EPOLICY, "held for an SA that did not come") \
	X(ACTION_FAILED, "action-failed", POLICY, EPOLICY, \
	  "what an SPD entry is to do could not be done") \
	X(EXPECTED_AH, "expected-ah", POLICY, EPOLICY, "policy demands AH around this packet") \
	X(EXPECTED_ESP, "expected-esp", POLICY, EPOLICY, "policy demands ESP inside of AH") \
	X(NESTING, "nesting", POLICY, EPOLICY, "protected in protected in protected, too often") \
	/* the packet's own headers */ \
	X(VERSION, "ip-version", PACKET, EMALFORMED, "neither IPv4 nor IPv6") \
	X(TRUNCATED, "ip-truncated", PACKET, EMALFORMED, "shorter than its headers say") \
	X(MALFORMED, "ip-malformed", PACKET, EMALFORMED, "IP header with impossible values") \
	X(EXTENSIONS, "ip-extensions", PACKET, EMALFORMED, \
	  "too many or misplaced IPv6 extension headers") \
	X(JUMBO, "ip-jumbo", PACKET, ENOTSUP, "IPv6 jumbogram") \
	X(TTL, "ip-ttl", PACKET, EPOLICY, "TTL or hop limit used up") \
	X(FRAG_OVERLAP, "fragment-overlap", PACKET, EMALFORMED, \
	  "fragment that contradicts another of its datagram") \
	X(FRAG_LENGTH, "fragment-length", PACKET, EMALFORMED, \
	  "fragment whose place in its datagram cannot be") \
	X(PATH_MTU, "path-mtu", SIZE, ETOOBIG, \
	  "bigger than the path to its peer takes, and not to be cut") \
	X(ICMP_CLEAR, "icmp-clear", POLICY, EPOLICY, \
	  "ICMP error in the clear about protected traffic") \
	/* SA, RFC 4301 4.4.2 */ \
	X(SA_NOT_FOUND, "sa-not-found", SA, ENOENT, "no SA with this SPI and destination") \
	X(SA_NOT_USABLE, "sa-not-usable", SA, ENOENT, "SA is larval or dead") \
	X(SA_EXPIRED, "sa-expired", SA, EEXPIRED, "hard lifetime of the SA is over") \
	X(SA_UNASKED, "sa-unasked", NONE, OK, \
	  "not dropped: on its way when the SPD entry of its SA went") \
	X(SA_SELECTOR, "sa-selector", POLICY, EPOLICY, \
	  "not a packet that its SA was negotiated for") \
	X(SEQ_EXHAUSTED, "seq-exhausted", SA, EOVERFLOW, "no sequence number left") \
	X(SEQ_RESERVATION, "seq-reservation", SA, EAGAIN, \
	  "next sequence numbers are not reserved yet") \
	X(AH_SA_NOT_FOUND, "ah-sa-not-found", SA, ENOENT, \
	  "no AH SA with this SPI and destination") \
	/* ESP, RFC 4303; AH, RFC 4302; IPComp, RFC 3173 */ \
	X(AH_SHORT, "ah-short", PACKET, EMALFORMED, "AH that is not as long as its ICV asks for") \
	X(AH_FRAGMENT, "ah-fragment", PACKET, EMALFORMED, \
	  "AH in a fragment that was not reassembled") \
	X(AH_ICV, "ah-icv", INTEGRITY, EICV, "integrity check of AH failed") \
	X(IPCOMP, "ipcomp", PACKET, EMALFORMED, "compressed data that is damaged or too much") \
	X(ESP_SHORT, "esp-short", PACKET, EMALFORMED, "too short for ESP or not whole blocks") \
	X(ESP_FRAGMENT, "esp-fragment", PACKET, EMALFORMED, \
	  "ESP in a fragment that was not reassembled") \
	X(REPLAY, "replay", REPLAY, EREPLAY, "sequence number seen already") \
	X(REPLAY_OLD, "replay-old", REPLAY, EOLD, "sequence number left of the window") \
	X(ICV, "icv", INTEGRITY, EICV, "integrity check failed") \
	X(PADDING, "padding", INTEGRITY, EMALFORMED, "padding is not 1, 2, 3 ... or too long") \
	X(NEXT_HEADER, "next-header", INTEGRITY, EMALFORMED, \
	  "next header does not fit the SA's mode") \
	X(INNER, "inner", INTEGRITY, EMALFORMED, "inner packet does not fit what it came in") \
	X(ECN, "ecn", PACKET, EPOLICY, "congestion was marked on a flow without ECN") \
	X(ENCAP, "encap", SA, EPOLICY, "in UDP for an SA without that, or the other way round") \
	X(DUMMY, "dummy", NONE, OK, "dummy packet, RFC 4303 2.6: not an error") \
	/* encapsulation */ \
	X(TRANSPORT_ADDRESS, "transport-address", SA, EPOLICY, \
	  "transport mode between other endpoints") \
	X(TUNNEL_ADDRESS, "tunnel-address", SA, EPOLICY, \
	  "came out of a tunnel from another end than its SA's") \
	X(TRANSPORT_FRAGMENT, "transport-fragment", PACKET, ENOTSUP, \
	  "transport mode of a fragment") \
	X(TUNNEL_LOCAL, "tunnel-local", RESOURCE, ENOENT, "no local address for the outer header") \
	X(TOO_BIG, "too-big", SIZE, ETOOBIG, "would not fit an IP packet") \
	X(NO_ROOM, "no-room", SIZE, ENOSPC, "caller's buffer has too little head or tail room") \
	X(SEGMENTS, "segments", SIZE, EMALFORMED, \
	  "large segment that is not what its headers say, or inbound") \
	X(CHECKSUM, "checksum", PACKET, EMALFORMED, "unfinished checksum outside of the payload") \
	X(CRYPTO, "crypto", RESOURCE, ECRYPTO, "crypto provider or random source failed")

enum ipsp_reason {
#define IPSP_REASON_ENUM(name, key, class, err, text) IPSP_REASON_##name,
	IPSP_REASONS(IPSP_REASON_ENUM)
#undef IPSP_REASON_ENUM
	IPSP_N_REASONS
};

/** "replay-old": stable, lower case, for MIB, JSON and log keys. "unknown" for other numbers. */
const char *ipsp_reason_key(enum ipsp_reason reason);

/** An English half-sentence. "unknown" for other numbers. */
const char *ipsp_reason_text(enum ipsp_reason reason);

/** What it is about. IPSP_CLASS_NONE for other numbers. */
enum ipsp_reason_class ipsp_reason_class(enum ipsp_reason reason);

/** The error of a call that was to handle such a packet. IPSP_EINVAL for other numbers. */
enum ipsp_err ipsp_reason_err(enum ipsp_reason reason);

/** "policy": stable, lower case. "unknown" for other numbers. */
const char *ipsp_reason_class_text(enum ipsp_reason_class reason_class);

#endif
