/*
 * ike/decode.h - IKE messages as lines of text: offset, octets, and what they mean, a line a field.
 * Both versions; what is encrypted, too, if the caller can open it.
 *
 * Prints whatever it gets: a message that is broken is shown up to the fault, with the fault.
 */
#ifndef IKE_DECODE_H
#define IKE_DECODE_H

#include "ike/message.h"

/** What an encrypted part was, or why it stays closed. */
struct ike_opened {
	const char *why;	/* NULL: it was opened; else a static text */
	uint8_t first_payload;	/* of the clear octets */
	struct ipsp_span clear;	/* until the next call */
};

/** What a piece of a message completes, or why it does not. */
struct ike_assembled {
	const char *why;	/* NULL: the message is whole; else a static text */
	uint8_t first_payload;	/* IKEv2: of the clear octets */
	struct ipsp_span whole;	/* IKEv2: a chain of payloads; IKEv1: from its header on; until the next call */
};

struct ike_decoder {
	/** Takes a line, without its end. */
	void (*line)(void *arg, const char *text);
	/**
	 * Opens what is encrypted. IKEv2: sealed is the SK or SKF payload of the message. IKEv1: sealed has
	 * no type, its whole and body are what follows the header. NULL: nothing can be opened.
	 */
	void (*open)(void *arg, struct ipsp_span message, const struct ike_payload *sealed,
		     struct ike_opened *out);
	/**
	 * Takes a piece of a message, to put it together. NULL: pieces are shown, and that is all.
	 * @param fragment  IKEv2's SKF payload, which was opened, or IKEv1's FRAGMENT, of the message
	 * @param piece     what it has of the message that was cut
	 */
	void (*assemble)(void *arg, struct ipsp_span message, const struct ike_payload *fragment,
			 struct ipsp_span piece, struct ike_assembled *out);
	void *arg;		/* of all of them */
	bool hides_proofs;	/* of AUTH, EAP, HASH and SIG no octets are shown: they help to guess shared keys */
};

/**
 * Prints one message.
 * @param message  from its header on, without a non-ESP marker
 * @return false: a fault was found, and printed as last line
 */
bool ike_decode(const struct ike_decoder *d, struct ipsp_span message);

#endif
