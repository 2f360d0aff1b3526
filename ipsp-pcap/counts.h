/*
 * ipsp-pcap/counts.h - what became of the packets of a capture, and its summary.
 */
#ifndef IPSP_PCAP_COUNTS_H
#define IPSP_PCAP_COUNTS_H

#include <stdio.h>

#include "ipsp/reason.h"
#include "ipsp/types.h"

/* Why a packet went on as it was. X(enumerator, key, English text) */
#define PC_PASSES(X) \
	X(LINK, "not-ip", "not IP, or a link header that is not known here") \
	X(SHORT, "link-short", "ends within its link header") \
	X(TRUNCATED, "truncated", "cut by the capture's snapshot length") \
	X(UNREADABLE, "unreadable", "IP headers that cannot be") \
	X(OTHER, "other", "not ESP or AH; when sealing: no SA protects it") \
	X(FRAGMENT, "esp-fragment", "a fragment of ESP or AH that overtook its first one") \
	X(NO_SA, "no-sa", "ESP or AH of an SA that no line names") \
	X(KEEPALIVE, "nat-keepalive", "NAT keepalive, RFC 3948 2.3") \
	X(IKE, "ike", "IKE on the port of ESP in UDP, RFC 3948 2.2") \
	X(LARGE, "too-large", "larger than any IP packet") \
	X(LINK_FIT, "link-length", "would not fit its link header's length")

enum pc_pass {
#define PC_PASS_ENUM(name, key, text) PC_PASS_##name,
	PC_PASSES(PC_PASS_ENUM)
#undef PC_PASS_ENUM
	PC_N_PASSES
};

struct pc_counts {
	uint64_t read, written;
	uint64_t changed;	/* packets decapsulated, or encapsulated */
	uint64_t layers;	/* SAs undone or applied; IPComp inside of one is not counted */
	uint64_t held;		/* fragments taken, until the last of their datagram came */
	uint64_t joined;	/* datagrams that were put together */
	uint64_t passed[PC_N_PASSES];
	uint64_t dropped[IPSP_N_REASONS];
	uint64_t kept;		/* of those dropped: written as they were */
};

/** Packets dropped, for any reason. */
uint64_t pc_counts_dropped(const struct pc_counts *c);

/** For a person. verb: "decapsulated" or "encapsulated". */
void pc_counts_print(const struct pc_counts *c, const char *verb, FILE *out);

/** One line of JSON; keys as in the lists above and ipsp/reason.h. False: out of memory. */
IPSP_MUST_CHECK bool pc_counts_json(const struct pc_counts *c, const char *verb, FILE *out);

#endif
