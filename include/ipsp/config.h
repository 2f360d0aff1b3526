/*
 * ipsp/config.h - what a policy compiler hands to the core: SPD entries and manual SAs.
 *
 * A generation is one complete policy: for each interface and direction that has one, an ordered
 * list of entries (first match wins, RFC 4301 4.4.1), and the manual SAs that entries refer to.
 * It is applied in one piece. Ids are stable over generations: the same row gives the same id.
 */
#ifndef IPSP_CONFIG_H
#define IPSP_CONFIG_H

#include "ipsp/predicate.h"
#include "ipsp/types.h"

/** What to do with a packet, RFC 4301 4.4.1. */
enum ipsp_action {
	IPSP_DISCARD = 0,
	IPSP_BYPASS = 1,
	IPSP_PROTECT = 2,
};

/** Levels of compound actions inside one another: 16 of policy, one around them. */
#define IPSP_STEP_DEPTH_MAX 17

/** Steps of a program: actions, and compound actions around them. */
#define IPSP_STEPS_MAX 256

/** What one step of a program is. The first three are enum ipsp_action. */
enum ipsp_step_kind {
	IPSP_STEP_DISCARD = IPSP_DISCARD,	/* always succeeds */
	IPSP_STEP_BYPASS = IPSP_BYPASS,		/* always succeeds */
	IPSP_STEP_PROTECT = IPSP_PROTECT,	/* succeeds while its SA is usable */
	IPSP_STEP_FAIL,				/* an action that cannot be done: fails */
	/* compound actions: what follows up to end is inside */
	IPSP_STEP_ALL,				/* runs all; succeeds */
	IPSP_STEP_UNTIL_SUCCESS,		/* runs until one succeeds, and then has succeeded */
	IPSP_STEP_UNTIL_FAILURE,		/* runs until one fails, and then has failed */
};

/** How much an SA of a template is asked for. RFC 4301 4.4.1; KAME's levels. */
enum ipsp_level {
	IPSP_LEVEL_REQUIRE = 0,	/* without it the packet waits or drops */
	IPSP_LEVEL_USE = 1,	/* without it the packet goes on as it is */
	IPSP_LEVEL_UNIQUE = 2,	/* as REQUIRE, by an SA of that very reqid alone */
};

/** Selectors of an SA that are the packet's it is made for, as packets leave: RFC 4301 4.4.1.2. */
enum {
	IPSP_PFP_SOURCE = 1 << 0,
	IPSP_PFP_DESTINATION = 1 << 1,
	IPSP_PFP_PROTOCOL = 1 << 2,
	IPSP_PFP_SOURCE_PORT = 1 << 3,
	IPSP_PFP_DESTINATION_PORT = 1 << 4,
	IPSP_PFP_ALL = 31,
};

/** SAs that an entry may ask a key manager for, applied one around the other. */
#define IPSP_TEMPLATES_MAX 4u

/** An SA that a key manager is to make. */
struct ipsp_template {
	uint8_t proto;			/* enum ipsp_proto */
	uint8_t mode;			/* enum ipsp_mode: TUNNEL, TRANSPORT */
	uint8_t level;			/* enum ipsp_level */
	uint8_t pfp;			/* IPSP_PFP_* */
	uint32_t reqid;			/* that of its SAs */
	struct ipsp_addr local, remote;	/* of the SA; family 0: by routing, the packet's own */
	bool anyone;			/* in tunnel mode the remote end is whoever has such an SA for the
					 * packet; nobody is asked for one. remote has family 0 */
};

/** One action of an entry that runs several, or a compound action around them. */
struct ipsp_step {
	uint8_t kind;			/* enum ipsp_step_kind */
	bool log;			/* an action: report packets for which it succeeded */
	bool may_decide;		/* PROTECT: some packet may go through this SA */
	bool negotiated;		/* PROTECT: by the entry's templates; sa_id is 0 */
	uint16_t end;			/* compound: the step behind its last one; else 0 */
	uint64_t action_id;		/* of the action's row, as in struct ipsp_spd_entry */
	uint64_t sa_id;			/* PROTECT: the SA; 0: none in force */
};

/**
 * One SPD entry: any of its boxes matches, its predicate holds, and its time has come. Boxes are
 * exact but for the predicate. Times are of the wall clock, in seconds since 1970 UTC.
 *
 * An entry with steps does for each packet what its program comes to (ipsp/program.h), with the SAs
 * as they are at that moment. For those who cannot know, its action says what may be: BYPASS only if
 * that is all the program can come to, DISCARD likewise, else PROTECT.
 */
struct ipsp_spd_entry {
	uint64_t id;			/* stable; not 0 */
	uint8_t action;			/* enum ipsp_action */
	bool log;			/* report its packets (rate-limited); steps: some of them say so */
	uint64_t action_id;		/* stable: of the row of its action; 0: none did anything */
	uint64_t sa_id;			/* PROTECT: the manual SA; 0: by templates, or none: drop */
	/* PROTECT by SAs that are negotiated, innermost first. While there are none, packets wait for
	 * them; who has no key manager, or one that cannot, drops. */
	uint32_t n_templates;
	const struct ipsp_template *templates;
	uint32_t clear_s;		/* after a failed negotiation it counts as failed for so long, and
					 * without steps its packets pass in clear; 0: it drops them */
	bool accept_clear;		/* inbound: clear packets pass where SAs are asked for */
	bool no_frag_state;		/* fragments that hide their ports do not follow their first one,
					 * if that is this entry's: RFC 4301 7.4 */
	uint32_t n_steps;		/* 0: one action, said above; first of them: the outer compound */
	const struct ipsp_step *steps;
	uint64_t from_s;		/* it stands in the list from then on; 0: it always did */
	uint64_t until_s;		/* and not any more from then on; 0: it always will */
	uint32_t n_selectors;
	const struct ipsp_selector *selectors;
	const struct ipsp_predicate *predicate;	/* NULL: the boxes say all */
};

/** The ordered entries of one interface and direction. What no entry matches is discarded. */
struct ipsp_spd_list {
	uint32_t ifindex;		/* 0: every interface that has no list of its own */
	uint8_t dir;			/* enum ipsp_dir */
	uint32_t n_entries;
	const struct ipsp_spd_entry *entries;
};

/** How long what an SA's peer had sent may still come in when no entry asks for the SA any more. */
#define IPSP_UNASKED_S 60u

/**
 * SAs that no inbound entry asks for any more: what was on its way under them may still come in for
 * IPSP_UNASKED_S, where no entry matches it or one says BYPASS. Or that are asked for again.
 */
struct ipsp_unasked {
	uint64_t sa_id;			/* policy's, as entries name it; 0: those of key managers with */
	uint32_t reqid;
	bool again;			/* n and selectors are not looked at */
	uint8_t n;			/* how many a packet had to come out of, IPComp not counted */
	uint32_t n_selectors;
	const struct ipsp_selector *selectors;	/* of the entries that were there */
};

/** Also the next header values of each. */
enum ipsp_proto { IPSP_PROTO_ESP = 50, IPSP_PROTO_AH = 51, IPSP_PROTO_IPCOMP = 108 };
enum ipsp_mode {
	IPSP_MODE_TUNNEL = 1,
	IPSP_MODE_TRANSPORT = 2,
	/* Inbound only: each packet's next header says it; IP in ESP is tunnel mode. For SAs of
	 * which nobody said more, as in secrets files; policy always knows its mode. */
	IPSP_MODE_ANY = 3,
};
enum ipsp_df { IPSP_DF_COPY = 1, IPSP_DF_SET = 2, IPSP_DF_CLEAR = 3 };

/** Explicit congestion notification of a tunnel: RFC 6040 4. */
enum ipsp_ecn {
	IPSP_ECN_NORMAL = 0,		/* outer is copied from inner; combined when it comes out */
	IPSP_ECN_COMPATIBILITY = 1,	/* outer is Not-ECT; combined when it comes out */
	IPSP_ECN_NONE = 2,		/* outer is Not-ECT, and ignored when it comes out */
};

#define IPSP_TFC_PAD_MAX 9000	/* octets */
#define IPSP_TFC_RANDOM_MAX 255
#define IPSP_DUMMY_LEN_MAX 1024

/** As flow_label: that of the packet inside; 0 of IPv4. */
#define IPSP_FLOW_COPY (IPSP_FLOW_MAX + 1)

/**
 * Ciphers: the ESP transform numbers of the IPsec DOI (IANA "ESP transform identifiers"). 249 is one
 * of its numbers for private use.
 */
enum ipsp_encr {
	IPSP_ENCR_DES_CBC = 2,		/* weak, as are the next three: RFC 2405 */
	IPSP_ENCR_3DES_CBC = 3,		/* RFC 2451 */
	IPSP_ENCR_CAST_CBC = 6,
	IPSP_ENCR_BLOWFISH_CBC = 7,
	IPSP_ENCR_NULL = 11,		/* RFC 2410 */
	IPSP_ENCR_AES_CBC = 12,		/* RFC 3602 */
	IPSP_ENCR_AES_CTR = 13,		/* RFC 3686 */
	IPSP_ENCR_AES_CCM_8 = 14,	/* RFC 4309 */
	IPSP_ENCR_AES_CCM_12 = 15,
	IPSP_ENCR_AES_CCM_16 = 16,
	IPSP_ENCR_AES_GCM_8 = 18,	/* RFC 4106 */
	IPSP_ENCR_AES_GCM_12 = 19,
	IPSP_ENCR_AES_GCM_16 = 20,
	IPSP_ENCR_CAMELLIA_CBC = 22,	/* RFC 4312 */
	IPSP_ENCR_NULL_AES_GMAC = 23,	/* clear text, RFC 4543 */
	IPSP_ENCR_CHACHA20_POLY1305 = 249,	/* RFC 7634; ENCR 28 of IKEv2 */
};

/**
 * Integrity: the authentication algorithm numbers of the IPsec DOI. Those from 61440 on are for
 * private use there: 61500 + n for number n of IKEv2 where the DOI has none, 61520 + n for the 96-bit
 * form of number n, which RFC 4868 replaced and old peers still use.
 */
enum ipsp_integ {
	IPSP_INTEG_NONE = 0,
	IPSP_INTEG_HMAC_MD5_96 = 1,	/* weak: RFC 2403 */
	IPSP_INTEG_HMAC_SHA1_96 = 2,	/* RFC 2404 */
	IPSP_INTEG_HMAC_SHA2_256_128 = 5,	/* RFC 4868 */
	IPSP_INTEG_HMAC_SHA2_384_192 = 6,
	IPSP_INTEG_HMAC_SHA2_512_256 = 7,
	IPSP_INTEG_HMAC_RIPEMD_160_96 = 8,	/* weak: RFC 2857 */
	IPSP_INTEG_AES_XCBC_96 = 9,	/* RFC 3566 */
	IPSP_INTEG_AES_128_GMAC = 11,	/* AH only: RFC 4543 */
	IPSP_INTEG_AES_192_GMAC = 12,
	IPSP_INTEG_AES_256_GMAC = 13,
	IPSP_INTEG_AES_CMAC_96 = 61508,	/* RFC 4494 */
	IPSP_INTEG_HMAC_SHA2_256_96 = 61525,
	IPSP_INTEG_HMAC_SHA2_384_96 = 61526,
	IPSP_INTEG_HMAC_SHA2_512_96 = 61527,
};

/** Who made an SA. */
enum ipsp_sa_origin {
	IPSP_ORIGIN_POLICY = 0,	/* a generation: ipsp_engine_apply */
	IPSP_ORIGIN_PFKEY = 1,	/* a key manager: ipsp_engine_sa_add; generations leave it alone */
	/* Nobody: a negotiation failed, and its entry lets packets pass in clear for some time. Such
	 * an SA has proto 0, no keys and no SPI, and is there to be found and seen. */
	IPSP_ORIGIN_CLEAR = 2,
	IPSP_N_ORIGINS
};

#define IPSP_KEY_MAX 64	/* octets: AES-256 with a salt, HMAC-SHA2-512 */

/**
 * Key octets. They live only in structures that the owner wipes (ipsp_key_wipe) and are never
 * printed.
 */
struct ipsp_key {
	uint16_t len;
	uint8_t octets[IPSP_KEY_MAX];
};

/** Overwrites it so that the compiler cannot leave it out. */
void ipsp_key_wipe(struct ipsp_key *k);

/** How ESP packets travel. The number is Linux's, in PF_KEY too. */
enum ipsp_encap_type {
	IPSP_ENCAP_NONE = 0,
	IPSP_ENCAP_UDP = 2,		/* RFC 3948 */
};

/** ESP in UDP, for hosts with a NAT between them. Ports are those of the SA's own packets. */
struct ipsp_encap {
	uint8_t type;			/* enum ipsp_encap_type; 0: nothing below counts */
	uint16_t sport, dport;		/* inbound: dport is not looked at, sport is where it was last */
	uint16_t keepalive_s;		/* outbound: send RFC 3948 4 keepalives so often; 0: none */
	/* Inbound: the outbound SA to the same peer, which then goes to where an authenticated packet
	 * of this one came from (RFC 7296 2.23); 0: that is only told. */
	uint64_t follow_id;
	/* Inbound transport mode: what the addresses were when the peer summed up the packet, before a
	 * NAT changed them (RFC 3948 3.1.2); family 0: not known, so checksums are made anew. */
	struct ipsp_addr orig_src, orig_dst;
};

/** SAs that one packet may go through as one bundle: IPComp, ESP, AH. */
#define IPSP_BUNDLE_MAX 3
#define IPSP_SA_BOXES_MAX 64u	/* sets of packets that one SA carries */

/**
 * One unidirectional SA with manual keys, or with keys a key manager made. RFC 4301 4.4.2.
 *
 * SAs that are applied to a packet one after the other are a chain by next_id, innermost first:
 * IPComp, ESP, AH, each at most once, each optional. An entry's sa_id names the innermost. Only the
 * innermost may be in tunnel mode, the others are transport mode over it. Inbound, exactly the chain
 * must have been undone, outermost first; IPComp alone may be missing, as the peer leaves it out
 * where it would not help (RFC 3173 2.2).
 *
 * An SA of IPComp has no keys and no numbers: encr is enum ipsp_comp, spi the CPI.
 */
struct ipsp_sa_config {
	uint64_t id;			/* stable: from its row; not 0 */
	uint64_t counter_id;		/* one number space: changes when key or SPI do */
	uint64_t next_id;		/* the SA around this one; 0: it is the outermost */
	uint64_t bundle_id;		/* the innermost SA of its chain; 0: this one */
	uint8_t dir;			/* enum ipsp_dir */
	uint8_t proto;			/* enum ipsp_proto */
	uint8_t mode;			/* enum ipsp_mode */
	uint8_t df;			/* enum ipsp_df, tunnel mode */
	uint8_t ecn;			/* enum ipsp_ecn, tunnel mode */
	bool dscp_set;			/* outbound tunnel: outer DSCP is dscp; else copied */
	uint8_t dscp;			/* 0..63 */
	uint8_t outer_ttl;		/* outbound tunnel: TTL or hop limit; 0: the engine's own */
	uint16_t tfc_pad;		/* outbound tunnel: shorter packets become that long, RFC 4303 2.7 */
	/* Outbound ESP tunnels: up to so many octets more, at random, where the path has room. */
	uint16_t tfc_random;
	/* Outbound ESP tunnels: dummy packets (RFC 4303 2.6), the next one after at most so many
	 * seconds, of at most so many octets, both at random; 0 seconds: none. */
	uint16_t dummy_s, dummy_len;
	uint32_t flow_label;		/* outbound tunnel in IPv6: of outer headers, or IPSP_FLOW_COPY */
	bool pad_unchecked;		/* inbound ESP: take padding of any octets */
	bool seq_rollover;		/* outbound, 32-bit numbers: go on from 0 when all are used */
	bool frag_before;		/* outbound tunnel: IPv4 that may be cut is, so that its ESP is not */
	bool esn;			/* 64-bit sequence numbers on the wire's terms */
	bool replay;			/* inbound: keep a window */
	uint32_t spi;			/* host order */
	uint32_t replay_window_pkts;	/* 32..4096, a power of two */
	uint64_t seq_floor;		/* outbound: the first number is above it; inbound: seen */
	uint64_t seq_ceiling;		/* outbound: highest number reserved so far; 0: no limit */
	/* Lifetimes, RFC 4301 4.4.2.1; 0: none. At a soft one the SA is dying, and its key manager
	 * is told; at a hard one it is dead. Packets and octets, seconds since it was installed, and
	 * since its first packet. */
	uint64_t life_s, life_use_s, life_bytes, life_packets;
	uint64_t soft_s, soft_use_s, soft_bytes, soft_packets;
	uint32_t idle_s;		/* dead when it carried nothing for so long; 0: never */
	uint32_t idle_with;		/* ... and neither did that of the other direction with this SPI; 0: alone */
	uint32_t packet_log;		/* report packets that pass: 0: no; n: with n - 1 octets */
	uint8_t origin;			/* enum ipsp_sa_origin */
	uint32_t reqid;			/* templates of this number use it; 0: those without one */
	struct ipsp_selector sel;	/* what it may carry; family 0: whatever its entry says */
	const struct ipsp_selector *boxes;	/* and, of that, only these: RFC 7296 2.9. Borrowed */
	uint32_t n_boxes;			/* up to IPSP_SA_BOXES_MAX; 0: all of sel */
	struct ipsp_addr local;		/* tunnel end or own address; family 0: by routing */
	struct ipsp_addr remote;	/* peer; family 0: the packet's own */
	struct ipsp_encap encap;	/* ESP only */
	uint16_t encr;			/* enum ipsp_encr */
	uint16_t encr_key_bits;		/* without salt */
	uint16_t integ;			/* enum ipsp_integ */
	struct ipsp_key encr_key;	/* with the salt last: RFC 3686 5.1, 4106 8.1, 4309 7.1 */
	struct ipsp_key integ_key;
};

#endif
