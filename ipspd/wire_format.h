/*
 * ipspd/wire_format.h - sizes that ipspd/wire.c and ipspd/wire_read.c agree on. No one else's.
 */
#ifndef IPSPD_WIRE_FORMAT_H
#define IPSPD_WIRE_FORMAT_H

#define WIRE_SELECTOR_MAX (6 + 6 * 4 + 4 * 16)	/* octets of an IPv6 one */
#define WIRE_SELECTORS_A_MESSAGE 512	/* times WIRE_SELECTOR_MAX: below CHAN_PAYLOAD_MAX */
#define WIRE_NODE_SIZE 14		/* octets of a predicate's node */
#define WIRE_PART_MAX 49152u		/* octets of a predicate that one message brings, at most */
#define WIRE_TEMPLATE_MAX (4 + 4 + 2 * 17)	/* octets of one with IPv6 addresses */
#define WIRE_STEP 20			/* octets of a step */
#define WIRE_ENTRY_LOG 1		/* flags of an entry */
#define WIRE_ENTRY_ACTION 2		/* its GEN_ACTION follows */
#define WIRE_ENTRY_ACCEPT_CLEAR 4
#define WIRE_ENTRY_NO_FRAG_STATE 8
#define WIRE_SA_MAX 448			/* octets; two keys and four IPv6 addresses fit */

/** What a GEN_PREDICATE message brings: more of one of the predicate's arrays. */
enum wire_part {
	WIRE_PART_NODES = 1,
	WIRE_PART_OCTETS,
	WIRE_PART_IDS,
};

#endif
