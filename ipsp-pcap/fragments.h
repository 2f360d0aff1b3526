/*
 * ipsp-pcap/fragments.h - messages of IKE that a capture has in pieces, put together: RFC 7383 2.6 for IKEv2, whose
 * pieces were opened before; the FRAGMENT payloads of Cisco and Microsoft for IKEv1.
 *
 * Pieces may come in any order and again, and some may be missing. A capture is anyone's: messages, pieces and
 * octets that are kept are bounded, and what has to make room is told as what never comes.
 */
#ifndef IPSP_PCAP_FRAGMENTS_H
#define IPSP_PCAP_FRAGMENTS_H

#include "ike/message.h"

#define PC_FRAGMENTS_MAX 1024u	/* pieces of a message */
#define PC_FRAGMENTED_MAX 64u	/* messages in the making */
#define PC_LOSS_TEXT 256u

/** Which message lacks what. */
typedef void pc_loss_fn(void *arg, const char *text);

struct pc_fragments;

/** @return NULL: no memory */
struct pc_fragments *pc_fragments_new(pc_loss_fn *lost, void *arg);
void pc_fragments_free(struct pc_fragments *f);

struct pc_fragment {
	const struct ike_header *header;	/* of the message that the piece came in */
	struct ipsp_addr src;		/* IKEv1: its fragments do not say which of the two sent them */
	uint16_t id;			/* IKEv1 */
	uint16_t number;		/* 1 and on */
	uint16_t total;			/* 0: not said, as this is not IKEv1's last */
	uint8_t first_payload;		/* IKEv2, of number 1: the message's */
	struct ipsp_span octets;
};

/** A message of which all pieces are there; until the next call. */
struct pc_whole {
	struct ipsp_span octets;	/* IKEv2: the chain of payloads; IKEv1: from its header on */
	uint8_t first_payload;		/* IKEv2 */
};

/**
 * Takes a piece.
 * @return NULL: it was the last one that lacked, *out; else what became of it, a static text
 */
const char *pc_fragments_add(struct pc_fragments *f, const struct pc_fragment *piece,
			     struct pc_whole *out);

/** The capture has ended: tells what lacks pieces, in the order in which it began. */
void pc_fragments_end(struct pc_fragments *f);

#endif
