/*
 * policy/revoked.h - the certificates that rows revoke, as one list for who negotiates. RFC 5280 5.3.
 *
 * Rows of ipiaRevokedCertificateTable revoke whatever their CRL's authority has given that serial number.
 *
 *	of each CA that has any:	u8 1: its certificate, in DER; 0: its name, as text
 *					u24 length, octets
 *					u24 how many entries
 *	of each entry:			u32 serial number, u8 reason, u8 length, the CRL's name
 */
#ifndef POLICY_REVOKED_H
#define POLICY_REVOKED_H

#include "policy/rows.h"

/**
 * Writes the list, of max octets at most.
 * @return octets of all of it; 0: nothing is revoked; more than max: it has no room there
 */
size_t pol_revoked_write(const struct mib_view *v, uint8_t *out, size_t max);

#endif
