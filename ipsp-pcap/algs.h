/*
 * ipsp-pcap/algs.h - names of algorithms in secrets files.
 */
#ifndef IPSP_PCAP_ALGS_H
#define IPSP_PCAP_ALGS_H

#include "ipsp/config.h"

struct pc_cipher {
	const char *name;	/* tcpdump's "-cbc" may be left out */
	uint16_t encr, key_bits;
	uint8_t salt_len;
	bool combined;		/* brings its own integrity */
	bool weak;
};

struct pc_integrity {
	const char *name;
	uint16_t integ;
	uint8_t key_len, icv_len;	/* key_len: with its salt */
	bool weak;
	bool ah_only;
};

/** By name, in any case, as OpenSSL and so tcpdump take it. @return NULL: unknown */
const struct pc_cipher *pc_cipher_find(const char *name);
const struct pc_integrity *pc_integrity_find(const char *name);

#endif
