/*
 * ipsp-pcap/options.h - the words that may follow a secret: ipsp-pcap's own part of the format.
 */
#ifndef IPSP_PCAP_OPTIONS_H
#define IPSP_PCAP_OPTIONS_H

#include "ipsp-pcap/secrets.h"

/**
 * Takes one word.
 * @param word    "esn", "replay=64" ...: changed
 * @param icv     in, out: octets of an ICV whose key is not known
 * @return NULL, or what is wrong with it (a static text; *s is half changed)
 */
const char *pc_option_apply(char *word, struct pc_secret *s, uint32_t *icv);

/** A number in C's notation, the whole text. False: none, or above max. */
bool pc_number(const char *text, uint64_t max, uint64_t *out);

/** An IPv4 or IPv6 address, the whole text. */
bool pc_address(const char *text, struct ipsp_addr *out);

#endif
