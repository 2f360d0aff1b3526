/*
 * policy/bind.h - the binders: what a row means beyond its columns and references.
 *
 * The store judges what each module states and what follows from references, mandatory columns and
 * values that are always wrong (mibs/). Here is what needs to know IPsec: algorithms, keys, SPIs,
 * certificates, and what an interface that is bound to a group must remember.
 */
#ifndef POLICY_BIND_H
#define POLICY_BIND_H

#include "ipsp/types.h"
#include "mibs/store.h"

extern const struct mib_binder pol_bind_credential;
extern const struct mib_binder pol_bind_segment;
extern const struct mib_binder pol_bind_esp_transform;
extern const struct mib_binder pol_bind_ah_transform;
extern const struct mib_binder pol_bind_preconfigured;
extern const struct mib_binder pol_bind_ike_proposal;
extern const struct mib_binder pol_bind_ike_transforms;
extern const struct mib_binder pol_bind_ipsec_action;
extern const struct mib_binder pol_bind_endpoint;
extern const struct mib_binder pol_bind_system_groups;
extern const struct mib_binder pol_bind_closure;
extern const struct mib_binder pol_bind_response;

/** Refuses a row: inconsistentValue, with *d naming column and row. col may be NULL. */
enum mib_err pol_refuse(struct mib_diag *d, const struct mib_row *r, const struct mib_column *col,
			const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/**
 * Is that interface and direction bound to a group in v: by an active endpoint row or, for ifindex
 * 0, by a non-empty system-wide group?
 */
bool pol_closure_is_bound(const struct mib_view *v, enum ipsp_dir dir, uint32_t ifindex);

#endif
