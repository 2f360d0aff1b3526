/*
 * policy/build.h - a generation while it is made: ids, origins, problems, SAs, lists.
 *
 * Used by compile.c, group.c and action.c only. A call that finds no memory says so; the generation
 * is thrown away then.
 */
#ifndef POLICY_BUILD_H
#define POLICY_BUILD_H

#include "policy/policy.h"
#include "policy/rows.h"

/** Boxes and entries of one generation; rows met while one list is made. More is cut off. */
#define POL_GENERATION_BOXES_MAX (1u << 20)
#define POL_LIST_ENTRIES_MAX (1u << 16)
#define POL_LIST_STEPS_MAX (1u << 18)

struct pol_build;

/** Begins generation `number` of that view. NULL: no memory. */
struct pol_build *pol_build_new(const struct mib_view *v, uint64_t number);

/** Throws away what was made, keys wiped. NULL is allowed. */
void pol_build_free(struct pol_build *b);

/** Ends it: the generation, with b gone; NULL: no memory, b stays. */
struct pol_generation *pol_build_finish(struct pol_build *b);

const struct mib_view *pol_build_view(const struct pol_build *b);

/**
 * The origin of a row, made when it is asked for first. Internal, do not free; sa_id may be set.
 * @return NULL: no memory
 */
struct pol_origin *pol_build_origin(struct pol_build *b, const struct mib_row *r);

/** The origin of a static action: its index is the scalar's arc and 0. NULL: no memory */
struct pol_origin *pol_build_scalar(struct pol_build *b, const struct mib_column *scalar);

/** Has the row an origin already? */
bool pol_build_has_origin(const struct pol_build *b, const struct mib_row *r);

/**
 * Notes why a row is not in force; the first reason of a row stays. Reads as a sentence without its
 * subject: "uses a time filter ...".
 * @return false: no memory
 */
bool pol_build_problem(struct pol_build *b, const struct mib_row *r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Notes of a lost row why it is not active. @return false: no memory */
bool pol_build_lost(struct pol_build *b, const struct mib_row *r);

/** Room for n SAs, before the first of them. @return false: no memory */
bool pol_build_reserve_sas(struct pol_build *b, size_t n);

/** Takes a copy of an SA; no more of them than reserved. */
void pol_build_add_sa(struct pol_build *b, const struct ipsp_sa_config *sa);

/** Entries of a group in one direction, shared by all lists that are bound to it. */
struct pol_entries {
	struct pol_entries *next;
	char group[33];		/* "": none */
	enum ipsp_dir dir;
	struct ipsp_spd_entry *v;	/* with their selectors and steps */
	uint32_t n;
	uint32_t cap;
};

/** The entries made for that group and direction already, or NULL. */
struct pol_entries *pol_build_find_entries(struct pol_build *b, const char *group,
					   enum ipsp_dir dir);

/** New, empty entries, owned by the generation. NULL: no memory. */
struct pol_entries *pol_build_new_entries(struct pol_build *b, const char *group,
					  enum ipsp_dir dir);

enum pol_put {
	POL_PUT_OK,
	POL_PUT_FULL,		/* over a limit above */
	POL_PUT_NO_MEMORY,
};

struct pol_boxes;

/** Appends an entry with these boxes; all else is taken from *entry, its steps copied. */
enum pol_put pol_build_add_entry(struct pol_build *b, struct pol_entries *to,
				 const struct ipsp_spd_entry *entry,
				 const struct pol_boxes *boxes);

/** Adds a list; those entries must not grow any more. @return false: no memory */
bool pol_build_add_list(struct pol_build *b, uint32_t ifindex, enum ipsp_dir dir,
			const struct pol_entries *entries);


#endif
