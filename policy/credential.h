/*
 * policy/credential.h - the octets of a credential, from its row or its segments.
 *
 * What is read is secret: callers wipe it.
 */
#ifndef POLICY_CREDENTIAL_H
#define POLICY_CREDENTIAL_H

#include "ipsp/config.h"
#include "policy/rows.h"

enum { POL_CRED_SHARED_SECRET = 2, POL_CRED_X509 = 3 };	/* IpsaCredentialType */

/**
 * Reads a credential.
 * @param out  the first max octets at most
 * @return octets of the whole credential
 */
size_t pol_credential_octets(const struct mib_view *v, const struct mib_row *cred, uint8_t *out,
			     size_t max);

/**
 * Reads a credential as a key.
 * @param out  the first IPSP_KEY_MAX octets at most
 * @return octets of the whole credential
 */
size_t pol_credential_key(const struct mib_view *v, const struct mib_row *cred,
			  struct ipsp_key *out);

/**
 * Serial number of the first certificate of an X.509 credential. RFC 5280 4.1.2.2. Nothing else of it is read.
 * @return false: it cannot be found, or does not fit into 32 bits
 */
bool pol_credential_serial(const struct mib_view *v, const struct mib_row *cred, uint32_t *out);

/** Is an X.509 credential no certificate, but a public key alone, a SubjectPublicKeyInfo? RFC 7670, RFC 5280 4.1 */
bool pol_credential_is_raw_key(const struct mib_view *v, const struct mib_row *cred);

/** Octets of the first certificate of n octets; 0: it is not whole. */
size_t pol_credential_first(const uint8_t *p, size_t n);

#endif
