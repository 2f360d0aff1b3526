/*
 * policy/identity.h - does an identity fit what a filter says? Knows no rows, for whoever has an identity.
 *
 * ipiaPeerIdentityFilterTable; types are those of the IPsec DOI (RFC 2407 4.6.2.1), values are text as
 * in ipsaPeerIdValue. '*' stands for any octets, also none. Case does not count.
 */
#ifndef POLICY_IDENTITY_H
#define POLICY_IDENTITY_H

#include "ipsp/types.h"

enum { POL_ID_IPV4 = 1, POL_ID_DER_DN = 9 };

/**
 * IPv4 addresses may be asked for as address/prefix length. Names (DER_ASN1_DN) are compared attribute by
 * attribute, in order, so that a '*' stays inside of one; blanks around them do not count.
 */
bool pol_identity_fits(uint32_t asked_type, struct ipsp_span asked, uint32_t type,
		       struct ipsp_span value);

/** The comparison by itself: '*' and case. */
bool pol_identity_text_fits(struct ipsp_span asked, struct ipsp_span value);

#endif
