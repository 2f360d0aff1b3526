/*
 * policy/vmap.h - ordered sets of shared objects, of which every version can be kept.
 *
 * A set is an array of blocks of some dozen items each. Two versions share all blocks in which they
 * do not differ, so that a copy costs nothing, a change what its block holds, and a comparison what
 * differs. Items are counted: a block has a reference of each of its items.
 *
 *	struct pol_map -> slots[] -> block -> items[]
 *	                     (other versions) ^
 */
#ifndef POLICY_VMAP_H
#define POLICY_VMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the items of a set are. */
struct pol_map_type {
	/** Their order; the second may be any object with the key's fields filled in. */
	int (*cmp)(const void *item, const void *key);
	void (*ref)(void *item);
	void (*unref)(void *item);
};

struct pol_map_body;

/** One version of a set, in the caller's memory. */
struct pol_map {
	const struct pol_map_type *type;
	struct pol_map_body *body;	/* NULL: empty */
};

static inline struct pol_map pol_map_empty(const struct pol_map_type *type)
{
	return (struct pol_map){ .type = type };
}

/** Another handle on the same version: neither sees what becomes of the other. */
struct pol_map pol_map_share(const struct pol_map *m);

/** Lets go of it; it is empty then. */
void pol_map_fini(struct pol_map *m);

size_t pol_map_count(const struct pol_map *m);

/** Are they one version, by having all their blocks in common? False says nothing. */
static inline bool pol_map_same(const struct pol_map *a, const struct pol_map *b)
{
	return a->body == b->body;
}

/** The item with that key, or NULL. Borrowed. */
void *pol_map_find(const struct pol_map *m, const void *key);

/** How many items stand before the key. */
size_t pol_map_position(const struct pol_map *m, const void *key);

/** The item at that position, or NULL beyond the end. Borrowed. */
void *pol_map_at(const struct pol_map *m, size_t position);

/**
 * Puts an item in; one with the same key goes. Takes a reference of its own.
 * @return false: no memory, nothing changed
 */
bool pol_map_put(struct pol_map *m, void *item);

/** Takes the item with that key out. @return false: no memory, nothing changed */
bool pol_map_remove(struct pol_map *m, const void *key);

/** Walks a version from a position; the version must stay. */
struct pol_map_walk {
	const struct pol_map_body *body;
	size_t slot, i;
};

void pol_map_walk_start(struct pol_map_walk *w, const struct pol_map *m, size_t position);
/** The next item, or NULL. */
void *pol_map_walk_next(struct pol_map_walk *w);

/** Walks what differs between two versions of one type, in order. Both must stay. */
struct pol_map_diff {
	const struct pol_map_type *type;
	struct pol_map_walk before, after;
	size_t before_at, after_at;	/* positions of what comes next, in either */
	size_t was_at, is_at;		/* positions of what was told last */
	const void *was;		/* NULL: it is new */
	const void *is;			/* NULL: it is gone */
};

void pol_map_diff_start(struct pol_map_diff *d, const struct pol_map *before,
			const struct pol_map *after);
/**
 * The next key whose items are not the same object; was_at and is_at are where they stand, or would.
 * @return false: no more
 */
bool pol_map_diff_next(struct pol_map_diff *d);

#endif
