/*
 * ipsp-pcap/message.h - one IKE message of a capture as text, with what was learnt from those before it: keys, and
 * pieces.
 */
#ifndef IPSP_PCAP_MESSAGE_H
#define IPSP_PCAP_MESSAGE_H

#include "ipsp-pcap/fragments.h"
#include "ipsp-pcap/ike_keys.h"

/** What messages are decoded with. */
struct pc_decoder {
	void (*line)(void *arg, const char *text);	/* takes a line, without its end */
	void *arg;
	struct pc_ike_keys *keys;	/* may be NULL */
	struct pc_fragments *fragments;
};

/**
 * Prints one message.
 * @param src      who sent it
 * @param message  without a non-ESP marker
 * @return false: it is faulty
 */
bool pc_decode_message(const struct pc_decoder *d, const struct ipsp_addr *src,
		       struct ipsp_span message);

#endif
