/* policy/conn_parts.h - the parts of one connection, for policy/conn*.c only. */
#ifndef POLICY_CONN_PARTS_H
#define POLICY_CONN_PARTS_H

#include "policy/connection.h"

/** Notes why it cannot be negotiated; the first reason stays. */
void pol_conn_fault(struct pol_connection *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void pol_conn_name(const struct mib_row *r, const struct mib_column *col,
		   char out[POL_CONN_NAME]);

/** conn_algs.c: the proposals of an IKE action, in order; after the version. */
void pol_conn_proposals(const struct mib_view *v, const struct mib_row *ike,
			struct pol_connection *c);
/** conn_algs.c: the proposals and transforms of an IPsec action, in order. */
void pol_conn_transforms(const struct mib_view *v, const struct mib_row *ipsec,
			 struct pol_connection *c);

/** conn_who.c: who we are, who they are, and what proves it; after the proposals. */
void pol_conn_who(const struct mib_view *v, const struct pol_conn_key *key,
		  const struct mib_row *ike, const struct mib_row *ipsec,
		  struct pol_connection *c);

/** conn_ca.c: who vouches for that X.509 credential, and has it been revoked? */
void pol_conn_ca(const struct mib_view *v, const struct mib_row *cred, const struct mib_row *ca,
		 struct pol_connection *c);

/**
 * conn_select.c: the selectors of its rules, and what autostart rows start; after the peers.
 * @return false: no memory
 */
bool pol_conn_select(const struct mib_view *v, const struct pol_conn_key *key,
		     struct pol_connection *c);

#endif
