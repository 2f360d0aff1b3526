/*
 * ipsp-pcap/ike_keys.h - keys of IKE SAs, from a table in the form of Wireshark's ikev2_decryption_table and
 * ikev1_decryption_table: one IKE SA a line,
 *
 *	SPIi,SPIr,SK_ei,SK_er,"cipher",SK_ai,SK_ar,"integrity"
 *	initiator cookie,key
 *
 * SPIs and keys in hex; a key that an algorithm does not have is empty. What stands behind a blank
 * and a bracket in a name is a reference and does not count. IKEv1's key is the cipher's, which is read from the
 * messages; the keys stay in locked memory.
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

/** Every whole message in its order, before it is decoded: IKEv1's say what opens the later ones. */
void pc_ike_keys_see(struct pc_ike_keys *keys, struct ipsp_span message);

/** For struct ike_decoder: opens what is encrypted by the SPIs of its message. */
void pc_ike_keys_open(struct pc_ike_keys *keys, struct ipsp_span message,
		      const struct ike_payload *sealed, struct ike_opened *out);

#endif
