/*
 * pfkey/msg.h - PF_KEY v2 messages in and out of octets. RFC 2367 2 and 3; Linux's extensions
 * (<linux/pfkeyv2.h>): SPD messages, SA2, policies, NAT-T, MIGRATE; FreeS/WAN's flows.
 *
 *	0       1       2       3       4 5     6 7     8 .. 11  12 .. 15
 *	version type    errno   satype  len     0       seq      pid      then extensions:
 *	len     type    body, padded with zeros to 64 bits
 *
 * Lengths are in 64-bit words. Fields are in host order but SPIs and what stands in a sockaddr.
 * Nothing here allocates, and what is read borrows the octets it was read from.
 *
 * Two extensions are our own, of ADD and UPDATE. One says how an SA treats its packets, in 32 octets:
 *
 *	0 .. 3         4        5         6           7     8 .. 11  12 .. 15  16, 17  18, 19   20 .. 23
 *	length,        enum     enum      DSCP; 255:  zero  seconds  packets   TFC     dummies  SPI that is
 *	number         ipsp_df  ipsp_ecn  inner one         idle     of window padding after s  idle with it
 *	24 .. 27: SPI or CPI of the one that it is a bundle with; 28: that one's protocol; 29 .. 31: zero
 *
 * The other: what it may carry, by RFC 7296 2.9 as negotiated. It has 8 octets
 * of header (length, number, how many) and 88 octets for each set of packets, in host order but for addresses:
 *
 *	0       1         2         3      4 .. 7    8 .. 11   12 .. 15  16 .. 19  20 .. 23
 *	family  protocol  protocol  hides  source    source    dest.     dest.     zero
 *	        from      to               port from port to   port from port to
 *	24 .. 39, 40 .. 55: source from, to; 56 .. 71, 72 .. 87: destination from, to
 *
 * Source and destination are the packet's that it carries, ports those of struct ipsp_selector. An ACQUIRE that the
 * engine sends has one set: the packet that waits.
 *
 * FreeS/WAN numbers its flow messages 14 and 15 and their extensions 18 to 26, as Linux does other
 * things. A message of type 14 or 15 is FreeS/WAN's if its extensions 21 to 24 (the flow's two
 * addresses and masks) are all there and long enough for addresses: Linux's of those numbers are
 * NAT-T ports of one word, which stand in no SPD message. FreeS/WAN's own order to clear a flow has
 * no such extensions, and is type 15 without a policy.
 */
#ifndef PFKEY_MSG_H
#define PFKEY_MSG_H

#include <linux/pfkeyv2.h>

#include "ipsp/config.h"

#define PFKEY_MSG_MAX 8192u	/* octets of a message, either way */
#define PFKEY_HEADER 16u	/* octets of the base header */
#define PFKEY_REQUESTS_MAX 6u	/* transformations of a policy; MIGRATE: old and new together */
#define PFKEY_KEY_OCTETS_MAX 128u
#define PFKEY_IDENT_MAX 256u	/* octets of an identity, without its NUL */
#define PFKEY_LABEL_MAX 256u	/* octets of a sensitivity or security context, header included */
#define PFKEY_ALGS_MAX 32u
#define PFKEY_COMBS_MAX 32u
#define PFKEY_TRAFFIC_HEAD 8u	/* octets, see above */
#define PFKEY_TRAFFIC_BOX 88u

/* FreeS/WAN's numbers, where they are not Linux's. */
enum {
	PFKEY_FS_ADDFLOW = 14,
	PFKEY_FS_DELFLOW = 15,
	PFKEY_FS_EXT_SRC_FLOW = 21,
	PFKEY_FS_EXT_DST_FLOW = 22,
	PFKEY_FS_EXT_SRC_MASK = 23,
	PFKEY_FS_EXT_DST_MASK = 24,
	PFKEY_FS_EXT_PROTOCOL = 26,
	PFKEY_FS_SATYPE_INT = 11,	/* no SA: its SPI says what becomes of the packets */
	PFKEY_FS_SPI_PASS = 256,
	PFKEY_FS_SPI_DROP = 257,
	PFKEY_FS_SPI_REJECT = 258,
	PFKEY_FS_SPI_HOLD = 259,
	PFKEY_FS_SPI_TRAP = 260,
	PFKEY_FS_FLAG_INFLOW = 2,
	PFKEY_FS_FLAG_REPLACEFLOW = 8,
	PFKEY_FS_FLAG_CLEARFLOW = 64,
};

/* Extensions by their number; those of FreeS/WAN's messages stand above Linux's. */
enum {
	PFKEY_EXT_TRAFFIC = 30,	/* ours, see above */
	PFKEY_EXT_HANDLING = 31,
	PFKEY_EXT_FS = 32,	/* added to 21 .. 26 of FreeS/WAN */
	PFKEY_EXTS = 64
};
#define PFKEY_HAS(ext) (UINT64_C(1) << (ext))
#define PFKEY_HAS_FS(ext) PFKEY_HAS((ext) + PFKEY_EXT_FS)

#define PFKEY_SAFLAGS_ESN 0x400u	/* 64-bit numbers: FreeBSD's and OpenBSD's; Linux has none */

struct pfkey_sa {
	uint32_t spi;		/* host order here */
	uint8_t replay;		/* packets; 0: no window */
	uint8_t state;		/* SADB_SASTATE_* */
	uint8_t auth;		/* SADB_AALG_* */
	uint8_t encrypt;	/* SADB_EALG_*, SADB_X_CALG_* */
	uint32_t flags;		/* SADB_SAFLAGS_* */
};

struct pfkey_lifetime {
	uint32_t allocations;
	uint64_t bytes;
	uint64_t add_s;		/* CURRENT: when it was made, since 1970; else: seconds from then */
	uint64_t use_s;		/* likewise, from its first use on */
};

/** An address of an SA or selector. */
struct pfkey_address {
	struct ipsp_addr addr;
	uint16_t port;		/* host order here; 0: none, or any */
	uint8_t proto;		/* 0, 255: any */
	uint8_t prefix_len;
};

struct pfkey_key {
	uint16_t bits;
	const uint8_t *octets;	/* (bits + 7) / 8 of them; borrowed */
};

struct pfkey_ident {
	uint16_t type;		/* SADB_IDENTTYPE_* */
	uint64_t id;
	struct ipsp_span text;	/* without NUL; empty: none */
};

struct pfkey_alg {
	uint8_t id;
	uint8_t iv_len;		/* octets */
	uint16_t min_bits, max_bits;
};

/** A combination of algorithms that would do. */
struct pfkey_comb {
	uint8_t auth, encrypt;
	uint16_t flags;
	uint16_t auth_min_bits, auth_max_bits;
	uint16_t encrypt_min_bits, encrypt_max_bits;
	struct pfkey_lifetime soft, hard;
};

/** One transformation that a policy asks for; the first is the innermost. */
struct pfkey_request {
	uint8_t proto;		/* IP protocol: 50, 51, 108 */
	uint8_t mode;		/* IPSEC_MODE_* of <linux/ipsec.h> */
	uint8_t level;		/* IPSEC_LEVEL_* */
	uint32_t reqid;
	struct ipsp_addr src, dst;	/* of the outer header; family 0: none said */
};

struct pfkey_policy {
	uint16_t type;		/* IPSEC_POLICY_* */
	uint8_t dir;		/* IPSEC_DIR_* */
	uint32_t id;		/* index; 0 in what asks for a new one */
	uint32_t priority;
	unsigned n_requests;
	struct pfkey_request requests[PFKEY_REQUESTS_MAX];
};

struct pfkey_sa2 {
	uint8_t mode;
	uint32_t sequence;
	uint32_t reqid;
};

/** How an SA treats its packets: fields of struct ipsp_sa_config. */
struct pfkey_handling {
	uint8_t df, ecn;
	int16_t dscp;		/* -1: the packet's own */
	uint32_t idle_s, idle_with;
	uint32_t window_pkts;	/* 0: as the SA extension says */
	uint16_t tfc_pad, dummy_s;
	/* The one that it is a bundle with, IPComp inside ESP or AH, of the same direction: it is there
	 * already. with_spi 0: it is alone, or knows of none. */
	uint8_t with_proto;	/* enum ipsp_proto */
	uint32_t with_spi;
};

/** Which SAs are to be dumped. */
struct pfkey_filter {
	struct ipsp_addr src, dst;	/* family 0: all of them */
	uint8_t src_prefix_len, dst_prefix_len;
};

/** A message as read. `has` says which of the fields below are filled. */
struct pfkey_msg {
	uint8_t type;		/* SADB_* */
	uint8_t err;		/* sadb_msg_errno */
	uint8_t satype;		/* SADB_SATYPE_* */
	uint32_t seq;
	uint32_t pid;
	bool freeswan;		/* of FreeS/WAN's numbering, see above */
	uint64_t has;		/* PFKEY_HAS(SADB_EXT_..) */

	struct pfkey_sa sa;
	struct pfkey_lifetime current, hard, soft;
	struct pfkey_address src, dst, proxy;
	struct pfkey_key auth, encrypt;
	struct pfkey_ident src_id, dst_id;
	struct ipsp_span sensitivity;	/* the whole extension */
	uint8_t prop_replay;
	struct ipsp_span combs;		/* of the proposal: see pfkey_comb_at */
	struct ipsp_span algs[2];	/* supported: authentication, encryption: see pfkey_alg_at */
	uint32_t spi_min, spi_max;	/* host order, as they came */
	struct pfkey_policy policy;
	struct pfkey_sa2 sa2;
	uint8_t natt_type;
	uint16_t natt_sport, natt_dport;	/* host order here */
	struct pfkey_address natt_oa;
	struct ipsp_span sec_ctx;	/* the whole extension */
	struct ipsp_addr km_local, km_remote;
	struct pfkey_filter filter;
	struct pfkey_handling handling;
	struct ipsp_span traffic;	/* the whole extension: see pfkey_traffic_at */

	/* FreeS/WAN's flow */
	struct pfkey_address flow_src, flow_dst, mask_src, mask_dst;
	uint8_t flow_proto;		/* 0: any */
};

/**
 * Reads one message, in whatever order its extensions stand. Unknown extensions are passed over
 * (RFC 2367 2.3).
 * @param data  borrowed by *out
 * @return 0; EMSGSIZE: it is not as long as it says, or longer than PFKEY_MSG_MAX; EINVAL: another
 *	   version, an extension that is twice there, has a wrong length or holds what cannot be
 */
IPSP_MUST_CHECK int pfkey_msg_read(const void *data, size_t len, struct pfkey_msg *out);

/**
 * Does the message have all extensions that its type needs in a request, and none that it cannot
 * have? Also: source and destination are of one family.
 * @return 0; EINVAL; EOPNOTSUPP: no such request
 */
IPSP_MUST_CHECK int pfkey_msg_check_request(const struct pfkey_msg *m);

/** "GETSPI", or "of unknown type". */
const char *pfkey_type_text(uint8_t type);

/** How many combinations, algorithms there are, and one of them. */
size_t pfkey_n_combs(const struct pfkey_msg *m);
void pfkey_comb_at(const struct pfkey_msg *m, size_t i, struct pfkey_comb *out);
size_t pfkey_n_algs(struct ipsp_span algs);
void pfkey_alg_at(struct ipsp_span algs, size_t i, struct pfkey_alg *out);

/** How many sets of packets an SA may carry, and one of them: a valid selector. */
size_t pfkey_n_traffic(const struct pfkey_msg *m);
void pfkey_traffic_at(const struct pfkey_msg *m, size_t i, struct ipsp_selector *out);

/* ---- writing ---- */

/** Into a caller's buffer; overflow is remembered, and told at the end. */
struct pfkey_writer {
	uint8_t *data;
	size_t size;
	size_t len;
	bool overflow;
};

/** Begins with a header. data: at least PFKEY_HEADER. */
void pfkey_begin(struct pfkey_writer *w, void *data, size_t size, uint8_t type, uint8_t satype,
		 uint32_t seq, uint32_t pid);

/** Ends it. @return its octets; 0: the buffer was too small */
IPSP_MUST_CHECK size_t pfkey_end(struct pfkey_writer *w);

/* One extension each, with all reserved fields and padding zero. ext: SADB_EXT_.. of that kind. */
void pfkey_put_sa(struct pfkey_writer *w, const struct pfkey_sa *sa);
void pfkey_put_lifetime(struct pfkey_writer *w, uint16_t ext, const struct pfkey_lifetime *l);
void pfkey_put_address(struct pfkey_writer *w, uint16_t ext, const struct pfkey_address *a);
void pfkey_put_key(struct pfkey_writer *w, uint16_t ext, const struct pfkey_key *k);
void pfkey_put_ident(struct pfkey_writer *w, uint16_t ext, const struct pfkey_ident *id);
void pfkey_put_proposal(struct pfkey_writer *w, uint8_t replay, const struct pfkey_comb *combs,
			size_t n);
void pfkey_put_supported(struct pfkey_writer *w, uint16_t ext, const struct pfkey_alg *algs,
			 size_t n);
/** SPIs as they stand in the message (RFC 2367 2.3.9 says nothing of their order: host order). */
void pfkey_put_spirange(struct pfkey_writer *w, uint32_t min, uint32_t max);
void pfkey_put_policy(struct pfkey_writer *w, const struct pfkey_policy *p);
void pfkey_put_sa2(struct pfkey_writer *w, const struct pfkey_sa2 *sa2);
void pfkey_put_natt_type(struct pfkey_writer *w, uint8_t type);
void pfkey_put_natt_port(struct pfkey_writer *w, uint16_t ext, uint16_t port);
void pfkey_put_kmaddress(struct pfkey_writer *w, const struct ipsp_addr *local,
			 const struct ipsp_addr *remote);
void pfkey_put_filter(struct pfkey_writer *w, const struct pfkey_filter *f);
void pfkey_put_fs_protocol(struct pfkey_writer *w, uint8_t proto);
void pfkey_put_handling(struct pfkey_writer *w, const struct pfkey_handling *h);
/** What an SA may carry: sets of any DSCP and flow label, IPSP_SA_BOXES_MAX of them at most. */
void pfkey_put_traffic(struct pfkey_writer *w, const struct ipsp_selector *boxes, size_t n);
/** An extension as it was read whole: a sensitivity, a security context, traffic. */
void pfkey_put_whole(struct pfkey_writer *w, struct ipsp_span extension);

/** Those extensions of a message that it has and the mask names, in the order of their numbers. */
void pfkey_put_some(struct pfkey_writer *w, const struct pfkey_msg *m, uint64_t mask);

/**
 * The answer that is only a base header: that of the request with another errno.
 * @param request  its first octets; what is missing of a header counts as zero
 */
void pfkey_error_answer(const void *request, size_t len, uint8_t err, uint8_t out[PFKEY_HEADER]);

#endif
