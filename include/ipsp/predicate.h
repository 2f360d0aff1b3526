/*
 * ipsp/predicate.h - what an SPD entry asks of a packet beyond its selectors.
 *
 * RFC 4807 section 4: octets at an offset, the IP Security Option (RFC 1108), the exchange of an IKE
 * packet, the SA a packet came under, and any Boolean expression over these and selectors. It is a
 * program in postfix order: leaves put a truth on a stack, AND, OR and NOT work on what is there, and
 * one truth is left at the end. Bounded, without recursion; read-only once made.
 *
 * A truth has three values: a fragment may hide what a leaf asks for, which is doubt (ipsp/spd.h).
 */
#ifndef IPSP_PREDICATE_H
#define IPSP_PREDICATE_H

#include "ipsp/types.h"

/** Bounds of one program. */
#define IPSP_PRED_NODES_MAX 1024u
#define IPSP_PRED_STACK_MAX 64u		/* truths at once */
#define IPSP_PRED_OCTETS_MAX 65536u	/* of all its values together */
#define IPSP_PRED_IDS_MAX 65536u
#define IPSP_PRED_SELECTORS_MAX 4096u
#define IPSP_PRED_VALUE_MAX 1024u	/* octets of one value: spdIpOffFiltValue */

enum ipsp_pred_op {
	IPSP_PRED_AND = 1,
	IPSP_PRED_OR,
	IPSP_PRED_NOT,
	IPSP_PRED_SELECTORS,	/* inside one of selectors [first, first + count) */
	IPSP_PRED_OCTETS,	/* value OP packet; value is octets [first, first + count) */
	IPSP_PRED_IPSO,		/* RFC 1108 2: the Basic Security Option */
	IPSP_PRED_IKE,		/* part of an IKE negotiation, of phase arg */
	IPSP_PRED_SA,		/* under one of the SAs ids [first, first + count) */
};

/** The value stands on the left. The numbers of spdIpOffFiltType. */
enum ipsp_pred_cmp {
	IPSP_CMP_EQUAL = 1,
	IPSP_CMP_NOT_EQUAL = 2,
	IPSP_CMP_LESS = 3,
	IPSP_CMP_GREATER_OR_EQUAL = 4,
	IPSP_CMP_GREATER = 5,
	IPSP_CMP_LESS_OR_EQUAL = 6,
};

/** arg of IPSP_PRED_IPSO: what is asked for; both: both must hold. */
enum {
	IPSP_IPSO_LEVEL = 1 << 0,
	IPSP_IPSO_AUTHORITY = 1 << 1,
};

struct ipsp_pred_node {
	uint8_t op;		/* enum ipsp_pred_op */
	uint8_t arg;		/* OCTETS: enum ipsp_pred_cmp; IPSO: what; IKE: 1 or 2 */
	uint8_t level;		/* IPSO: classification level, as on the wire */
	uint8_t authority;	/* IPSO: flag that must be set, as on the wire: one bit */
	uint16_t offset;	/* OCTETS: from the first octet of the IP header */
	uint32_t first, count;
};

/** A program, with what its leaves refer to. ids are in rising order within each leaf. */
struct ipsp_predicate {
	uint32_t n_nodes, n_octets, n_ids, n_selectors;
	const struct ipsp_pred_node *nodes;
	const uint8_t *octets;
	const uint64_t *ids;
	const struct ipsp_selector *selectors;
};

/** Is it well formed: within bounds, every leaf inside its pools, one truth left at the end? */
bool ipsp_predicate_valid(const struct ipsp_predicate *p);

#endif
