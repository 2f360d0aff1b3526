/*
 * ike/algs.h - which algorithm of IPsec an IKEv2 transform is. RFC 7296 3.3.2; libipsp's numbers are those of the
 * IPsec DOI.
 */
#ifndef IKE_ALGS_H
#define IKE_ALGS_H

#include "ike/proposal.h"

/** Numbers of ipsp/config.h. */
struct ike_algs {
	uint16_t encr, encr_key_bits, integ;
};

/** @return false: the suite has one that libipsp does not know */
IPSP_MUST_CHECK bool ike_algs_of(const struct ike_suite *suite, struct ike_algs *out);

#define IKE_WEAK_TEXT 120
/**
 * Which of a suite's algorithms are weak: RFC 8247 2 and RFC 8221 5, 6 say MUST NOT or SHOULD NOT.
 * @param text  "3DES, MODP_1024"
 * @return false: none
 */
bool ike_suite_weak(const struct ike_suite *suite, char text[IKE_WEAK_TEXT]);

#endif
