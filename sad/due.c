/*
 * sad/due.c - the heap of SAs by when they are due: see due.h.
 */
#include "sad/due.h"

#include <string.h>

#include "ipsp/platform.h"

#define ROOM_MIN 64u

bool ipsp_sa_due_reserve(const struct ipsp_platform *platform, struct ipsp_sa_due *due,
			 uint32_t n)
{
	uint32_t room = due->room ? due->room : ROOM_MIN;

	if (n <= due->room)
		return true;
	while (room < n)
		room *= 2;
	struct ipsp_sa **heap = platform->alloc(platform->ctx, room * sizeof(struct ipsp_sa *));

	if (!heap)
		return false;
	if (due->n > 0)
		memcpy(heap, due->heap, due->n * sizeof(struct ipsp_sa *));
	ipsp_sa_due_free(platform, due);
	due->heap = heap;
	due->room = room;
	return true;
}

static void place(struct ipsp_sa_due *due, uint32_t at, struct ipsp_sa *sa)
{
	due->heap[at] = sa;
	sa->due_at = at;
}

/* Moves the SA at a place to where it belongs. */
static void settle(struct ipsp_sa_due *due, uint32_t at)
{
	struct ipsp_sa *sa = due->heap[at];

	while (at > 0 && due->heap[(at - 1) / 2]->due_s > sa->due_s) {
		place(due, at, due->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < due->n && due->heap[child + 1]->due_s < due->heap[child]->due_s)
			child++;
		if (child >= due->n || due->heap[child]->due_s >= sa->due_s)
			break;
		place(due, at, due->heap[child]);
		at = child;
	}
	place(due, at, sa);
}

void ipsp_sa_due_set(struct ipsp_sa_due *due, struct ipsp_sa *sa, uint64_t at_s)
{
	uint32_t at = sa->due_at;

	sa->due_s = at_s;
	if (at_s != UINT64_MAX) {
		if (at == IPSP_SA_NOT_DUE)
			place(due, at = due->n++, sa);
		settle(due, at);
	} else if (at != IPSP_SA_NOT_DUE) {
		struct ipsp_sa *last = due->heap[--due->n];

		sa->due_at = IPSP_SA_NOT_DUE;
		if (last != sa) {
			place(due, at, last);
			settle(due, at);
		}
	}
}

struct ipsp_sa *ipsp_sa_due_first(const struct ipsp_sa_due *due, uint64_t now_s)
{
	return due->n > 0 && due->heap[0]->due_s <= now_s ? due->heap[0] : NULL;
}

void ipsp_sa_due_free(const struct ipsp_platform *platform, struct ipsp_sa_due *due)
{
	platform->free(platform->ctx, due->heap, due->room * sizeof(struct ipsp_sa *));
}
