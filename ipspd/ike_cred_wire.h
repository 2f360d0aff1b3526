/*
 * ipspd/ike_cred_wire.h - what connections prove themselves by, and whom they believe, on the way from the agent to
 * the ike process, before the connections.
 *
 *	IKE_OCTETS	a piece of octets: a key file, certificates. Pieces of one follow each other
 *	IKE_OWN		a private key with its certificates, by the numbers of those octets
 *	IKE_TRUST	CAs, certificates and keys of peers, what rows revoke (policy/revoked.h), likewise
 *	IKE_CONN	names these by their numbers
 *
 * Octets, own ones and trusts are numbered from 1 each, as they come; 0 is none.
 */
#ifndef IPSPD_IKE_CRED_WIRE_H
#define IPSPD_IKE_CRED_WIRE_H

#include "chan/chan.h"
#include "ike/config.h"

#define IKE_WIRE_PIECE 32768u		/* octets of one message */
#define IKE_WIRE_OCTETS_MAX 4096u	/* how many of each kind there may be */
#define IKE_WIRE_OWNS_MAX 1024u
#define IKE_WIRE_TRUSTS_MAX 4096u

/** A private key, and what belongs to it. */
struct ike_wire_own {
	uint32_t key;
	uint32_t certs, raw_key;	/* one of them */
	bool pss;
};

/** Whom to believe. */
struct ike_wire_trust {
	uint32_t peers, raw_key, revoked;
	uint32_t cas[IKE_CREDENTIALS_MAX], intermediates[IKE_CREDENTIALS_MAX];	/* in DER; 0s behind them */
	uint8_t level;			/* enum ike_crl_level */
	uint16_t links_max;
	bool weak, unnamed;
};

void ike_wire_own_put(struct chan_writer *w, const struct ike_wire_own *o);
void ike_wire_trust_put(struct chan_writer *w, const struct ike_wire_trust *t);
/* False: malformed; or there is more. Numbers are not looked at. */
IPSP_MUST_CHECK bool ike_wire_own_get(struct chan_reader *r, struct ike_wire_own *out);
IPSP_MUST_CHECK bool ike_wire_trust_get(struct chan_reader *r, struct ike_wire_trust *out);

#endif
