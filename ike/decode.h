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

struct ike_decoder {
	/** Takes a line, without its end. */
	void (*line)(void *arg, const char *text);
	/**
	 * Opens what is encrypted. IKEv2: sealed is the SK or SKF payload of the message. IKEv1: sealed has
	 * no type, its whole and body are what follows the header. NULL: nothing can be opened.
	 */
	void (*open)(void *arg, struct ipsp_span message, const struct ike_payload *sealed,
		     struct ike_opened *out);
	void *arg;		/* of both */
	bool hides_proofs;	/* of AUTH, EAP, HASH and SIG no octets are shown: they help to guess shared keys */
};

/**
 * Prints one message.
 * @param message  from its header on, without a non-ESP marker
 * @return false: a fault was found, and printed as last line
 */
bool ike_decode(const struct ike_decoder *d, struct ipsp_span message);

#endif
