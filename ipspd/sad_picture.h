/*
 * ipspd/sad_picture.h - the engine's SAs of no row, as the agent knows them: found by the index that
 * ipspdSaTable gives them.
 *
 * They come some at a time, walk after walk; what a whole walk has not seen is gone. No I/O, no
 * clock. One thread.
 */
#ifndef IPSPD_SAD_PICTURE_H
#define IPSPD_SAD_PICTURE_H

#include "ipspd/sad_wire.h"

#define SAD_PICTURE_NAME_MAX 32u
/** Name with its length, direction, number: octets and numbers as sub-identifiers. */
#define SAD_PICTURE_INDEX_MAX (1u + SAD_PICTURE_NAME_MAX + 2u)
/** The numbers are the SAs' own behind this: those of rows are below. */
#define SAD_PICTURE_NUMBERS 1000u

struct sad_picture;

struct sad_picture_sa {
	struct wire_sad_sa sa;
	int64_t seen_s;				/* when that was told */
	char name[SAD_PICTURE_NAME_MAX + 1];	/* of what asked for it */
	uint32_t number;
};

/** @return NULL: no memory */
struct sad_picture *sad_picture_new(void);
/** NULL is allowed. */
void sad_picture_free(struct sad_picture *p);

/** A walk over all SAs begins; one that was not ended is forgotten. */
void sad_picture_begin(struct sad_picture *p);

/**
 * Takes an SA as it is now, by copying.
 * @param name  1 to SAD_PICTURE_NAME_MAX octets
 * @return false: no memory, or too many of them; what was known of it is known still
 */
bool sad_picture_take(struct sad_picture *p, const struct wire_sad_sa *sa, const char *name,
		      int64_t now_s);

/** The walk is over: SAs that it has not seen are gone. */
void sad_picture_end(struct sad_picture *p);

/** The engine is gone, and all of them with it. */
void sad_picture_clear(struct sad_picture *p);

size_t sad_picture_count(const struct sad_picture *p);

/** The SA of that index; NULL: none. Good until the next change, as what follows. */
const struct sad_picture_sa *sad_picture_at(const struct sad_picture *p, const uint32_t *index,
					    size_t len);

/** The first SA whose index is greater; len 0: the first. NULL: none is. */
const struct sad_picture_sa *sad_picture_after(const struct sad_picture *p, const uint32_t *index,
					       size_t len);

/** Its index. @return how long it is */
size_t sad_picture_index(const struct sad_picture_sa *sa, uint32_t index[SAD_PICTURE_INDEX_MAX]);

#endif
