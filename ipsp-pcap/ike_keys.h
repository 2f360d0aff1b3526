/*
 * ipsp-pcap/ike_keys.h - keys of IKE SAs, from a table in the form of Wireshark's ikev2_decryption_table: one
 * IKE SA a line,
 *
 *	SPIi,SPIr,SK_ei,SK_er,"cipher",SK_ai,SK_ar,"integrity"
 *
 * SPIs and keys in hex; a key that an algorithm does not have is empty. What stands behind a blank
 * and a bracket in a name is a reference and does not count. Contexts hold the keys in locked memory.
 */
#ifndef IPSP_PCAP_IKE_KEYS_H
#define IPSP_PCAP_IKE_KEYS_H

#include "ike/decode.h"
#include "ipsp-pcap/secrets.h"

#define PC_IKE_SAS_MAX 1024u

struct pc_ike_keys;

/**
 * Reads a table. ipsp_crypto_gcrypt_init must have been called.
 * @return false: *d says which line, and why
 */
IPSP_MUST_CHECK bool pc_ike_keys_load(const char *name, bool allow_weak, struct pc_ike_keys **out,
				      struct pc_diag *d);

/**
 * Reads lines from memory.
 * @param text  len octets and a NUL, changed
 * @param name  of the file, for *d
 */
IPSP_MUST_CHECK bool pc_ike_keys_parse(char *text, size_t len, const char *name, bool allow_weak,
				       struct pc_ike_keys **out, struct pc_diag *d);

void pc_ike_keys_free(struct pc_ike_keys *keys);

/** For struct ike_decoder: opens an SK or SKF payload by the SPIs of its message. */
void pc_ike_keys_open(struct pc_ike_keys *keys, struct ipsp_span message,
		      const struct ike_payload *sealed, struct ike_opened *out);

#endif
