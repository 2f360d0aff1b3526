/*
 * policy/sa.h - a row of ipsaSaPreconfiguredActionTable as a manual SA.
 *
 * RFC 4301 4.5.1 (manual keying), RFC 4303. Reads transforms, credentials and peer identities of
 * one view. The binder asks it whether a row may be active, the compiler for the SA: one judgement.
 */
#ifndef POLICY_SA_H
#define POLICY_SA_H

#include "ipsp/config.h"
#include "policy/rows.h"

#define POL_SA_TEXT 180

enum pol_sa_state {
	POL_SA_READY,
	POL_SA_NOT_IN_FORCE,	/* may be active, but drops: a disabled key, AH, IPComp ... */
	POL_SA_WRONG,		/* must not become active */
};

/**
 * @param out  the SA, without ids: its keys must be wiped by the caller, whatever is returned
 * @param why  unless ready: a sentence without its subject, "names no transform"
 */
enum pol_sa_state pol_sa_make(const struct mib_view *v, const struct mib_row *r,
			      struct ipsp_sa_config *out, char why[POL_SA_TEXT]);

/** IfDirection of the row, from its index. */
enum ipsp_dir pol_sa_dir(const struct mib_row *r);

/**
 * Where the peer of a preconfigured action is, if its PeerGatewayIdName leads to an address: that
 * of the active row with the lowest priority number. No other stands in for one that is lost.
 */
bool pol_sa_peer(const struct mib_view *v, const struct mib_row *r, struct ipsp_addr *out);

#endif
