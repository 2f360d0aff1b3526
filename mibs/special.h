/*
 * mibs/special.h - rules that hold in one table only; internal to mibs/.
 *
 * What single columns need is in meaning.c, what references need in references.c; here is the rest:
 * columns that follow from others, conditional columns, and the order in which parts may go.
 */
#ifndef MIBS_SPECIAL_H
#define MIBS_SPECIAL_H

#include "mibs/store.h"

/** The rules of one table. Any member may be missing. */
struct mib_special {
	const struct mib_table *table;
	/** Gives a column that follows from other rows; false: this one does not. */
	bool (*mirror)(const struct mib_row *r, const struct mib_column *col,
		       struct mib_value *out);
	/** Boot-time clock of the row's LastChanged, where it is not the row's own. */
	uint64_t (*changed_cs)(const struct mib_row *r);
	/** May the row be active? What is more than mandatory columns and references. */
	enum mib_err (*check)(const struct mib_view *v, const struct mib_row *r,
			      struct mib_diag *d);
	/** May this change be made at all? */
	enum mib_err (*judge)(const struct mib_txn *t, const struct mib_change *c,
			      struct mib_diag *d);
	/** Stages what follows from a change. */
	enum mib_err (*derive)(struct mib_txn *t, const struct mib_change *c, struct mib_diag *d);
	/** Told of a change when it is committed; now_cs: boot-time clock. Cannot fail. */
	void (*committed)(const struct mib_view *v, const struct mib_change *c, uint64_t now_cs);
	/** Destroying a row waits until nothing points at it any more. */
	bool delays_destroy;
};

/** The rules of that table, or NULL. */
const struct mib_special *mib_special_of(const struct mib_table *t);

/* credential.c: the two tables that hold secrets. */
bool mib_credential_is_secret(const struct mib_view *v, const struct mib_row *r);
bool mib_segment_is_secret(const struct mib_view *v, const struct mib_row *r);
bool mib_filter_value_is_secret(const struct mib_view *v, const struct mib_row *r);
extern const struct mib_special mib_special_credential;
extern const struct mib_special mib_special_segment;
extern const struct mib_special mib_special_credential_filter;

/* group_destroy.c: a whole group at once. */
extern const struct mib_special mib_special_group_control;

/* precondition.c: only while nothing else has changed. */
extern const struct mib_special mib_special_precondition;

/* special_check.c: conditional columns. */
typedef enum mib_err mib_row_check(const struct mib_view *v, const struct mib_row *r,
				   struct mib_diag *d);
mib_row_check mib_check_classifier;
mib_row_check mib_check_ipso;
mib_row_check mib_check_preconfigured;
mib_row_check mib_check_esp_transform;
mib_row_check mib_check_ipcomp_transform;
mib_row_check mib_check_peer_identity;
mib_row_check mib_check_ike_action;
mib_row_check mib_check_ipsec_action;
mib_row_check mib_check_ike_proposal;
mib_row_check mib_check_autostart;
mib_row_check mib_check_crl;

#endif
