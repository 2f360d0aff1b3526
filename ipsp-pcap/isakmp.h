/*
 * ipsp-pcap/isakmp.h - one ISAKMP SA of a capture: its key is given, and all else that opening its messages
 * needs - algorithms, and where IVs begin - is read from its own messages as they pass. RFC 2409 appendix B.
 *
 * IKEv1 has no ICV that a cipher's key alone could check. What was opened is believed if it begins as a payload
 * does.
 */
#ifndef IPSP_PCAP_ISAKMP_H
#define IPSP_PCAP_ISAKMP_H

#include "ike/decode.h"

struct pc_isakmp;

/**
 * @param cookie_i    IKE_SPI_LEN octets
 * @param key         of the cipher, which is not known yet; copied into locked memory
 * @param allow_weak  open with weak algorithms, too
 * @return NULL: no memory, or the key is longer than any cipher's
 */
struct pc_isakmp *pc_isakmp_new(const uint8_t *cookie_i, struct ipsp_span key, bool allow_weak);
void pc_isakmp_free(struct pc_isakmp *sa);

/** Does a message belong to it? */
bool pc_isakmp_is(const struct pc_isakmp *sa, const struct ike_header *h);

/** Learns from a message that is not encrypted. */
void pc_isakmp_see(struct pc_isakmp *sa, const struct ike_header *h, struct ipsp_span message);

/**
 * Opens what is encrypted in a message: all that stands behind its header.
 * @param clear  written: sealed.len octets
 * @return NULL: it is opened; else why not, a static text
 */
const char *pc_isakmp_open(struct pc_isakmp *sa, const struct ike_header *h, struct ipsp_span sealed,
			   uint8_t *clear);

#endif
