/*
 * sad/due.h - SAs by when their lifetimes are to be looked at: a heap. Private to sad/; control
 * thread.
 */
#ifndef SAD_DUE_H
#define SAD_DUE_H

#include "ipsp/sad.h"

#define IPSP_SA_NOT_DUE UINT32_MAX	/* due_at of an SA that is not in it */

struct ipsp_sa_due {
	struct ipsp_sa **heap;	/* the earliest first */
	uint32_t n, room;
};

/** Makes room for n in all, so that setting cannot fail. False: no memory */
bool ipsp_sa_due_reserve(const struct ipsp_platform *platform, struct ipsp_sa_due *due,
			 uint32_t n);

/** Puts it in, or moves it, for which there is room; at_s UINT64_MAX: takes it out. */
void ipsp_sa_due_set(struct ipsp_sa_due *due, struct ipsp_sa *sa, uint64_t at_s);

/** The earliest, if it is due; NULL: none. */
struct ipsp_sa *ipsp_sa_due_first(const struct ipsp_sa_due *due, uint64_t now_s);

void ipsp_sa_due_free(const struct ipsp_platform *platform, struct ipsp_sa_due *due);

#endif
