/*
 * ike/dn.h - distinguished names, by GnuTLS. RFC 4514 (text), RFC 5280 7.1 (comparing), RFC 7296 3.5.
 */
#ifndef IKE_DN_H
#define IKE_DN_H

#include "ipsp/types.h"

/**
 * DER from text in the order of RFC 4514: "CN=b.example,O=Example,C=CH". GnuTLS makes no name of several
 * values with + between them.
 * @param out  room for *len octets; *len becomes what was written
 * @return false: text is no name, an empty one, or longer than that
 */
IPSP_MUST_CHECK bool ike_dn_make(const char *text, uint8_t *out, size_t *len);

/** @return false: it is no name; nothing was written */
bool ike_dn_text(struct ipsp_span der, char *buf, size_t cap);

/**
 * Are they the same name? Relative names in their order, what is within one in any order; text without
 * regard of ASCII case and with runs of spaces as one, whichever string type it has.
 * Letters beyond ASCII must be the same ones.
 */
bool ike_dn_same(struct ipsp_span a, struct ipsp_span b);

#endif
