/*
 * policy/sa.h - a row of ipsaSaPreconfiguredActionTable as manual SAs: one, or a bundle.
 *
 * RFC 4301 4.5 (combining SAs), 4.5.1 (manual keying). A row that names several transforms is one
 * bundle: IPComp in ESP in AH. The innermost is in the row's mode, the others in transport mode
 * around it, so that a tunnel has one outer header. They end together: the shortest lifetime is that
 * of all. What the row says of its outer header is the innermost SA's, and so is its packet log. Reads transforms, credentials and peer identities of
 * one view. The binder asks it whether a row may be active, the compiler for the SA: one judgement.
 */
#ifndef POLICY_SA_H
#define POLICY_SA_H

#include "ipsp/config.h"
#include "policy/rows.h"

#define POL_SA_TEXT 180

enum pol_sa_state {
	POL_SA_READY,
	POL_SA_NOT_IN_FORCE,	/* may be active, but drops: a disabled key, IPComp alone ... */
	POL_SA_WRONG,		/* must not become active */
};

struct pol_sa_bundle {
	uint32_t n;
	struct ipsp_sa_config sas[IPSP_BUNDLE_MAX];	/* innermost first */
};

/** Wipes the keys. */
void pol_sa_bundle_wipe(struct pol_sa_bundle *b);

/**
 * @param out  the SAs, without ids: they must be wiped by the caller, whatever is returned
 * @param why  unless ready: a sentence without its subject, "names no transform"
 */
enum pol_sa_state pol_sa_make(const struct mib_view *v, const struct mib_row *r,
			      struct pol_sa_bundle *out, char why[POL_SA_TEXT]);

/** IfDirection of the row, from its index. */
enum ipsp_dir pol_sa_dir(const struct mib_row *r);

/**
 * Where the peer of a preconfigured action is, if its PeerGatewayIdName leads to an address: that
 * of the active row with the lowest priority number. No other stands in for one that is lost.
 */
bool pol_sa_peer(const struct mib_view *v, const struct mib_row *r, struct ipsp_addr *out);

#endif
