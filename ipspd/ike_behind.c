/* ipspd/ike_behind.c - datagrams that wait for SAs. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "ipspd/ike_behind.h"

struct waiting {
	STAILQ_ENTRY(waiting) entry;
	uint64_t behind;		/* goes when so many are answered */
	struct ike_path path;
	size_t len;
	uint8_t data[];
};

struct ike_behind {
	ike_behind_send *send;
	void *arg;
	uint64_t asked, answered;
	size_t octets;
	STAILQ_HEAD(, waiting) queue;
};

struct ike_behind *ike_behind_new(ike_behind_send *send, void *arg)
{
	struct ike_behind *const b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->send = send;
	b->arg = arg;
	STAILQ_INIT(&b->queue);
	return b;
}

static void drop_first(struct ike_behind *b)
{
	struct waiting *const w = STAILQ_FIRST(&b->queue);

	STAILQ_REMOVE_HEAD(&b->queue, entry);
	b->octets -= w->len;
	free(w);
}

void ike_behind_free(struct ike_behind *b)
{
	if (!b)
		return;
	while (!STAILQ_EMPTY(&b->queue))
		drop_first(b);
	free(b);
}

void ike_behind_asked(struct ike_behind *b)
{
	b->asked++;
}

void ike_behind_answered(struct ike_behind *b)
{
	const struct waiting *w;

	b->answered++;
	while ((w = STAILQ_FIRST(&b->queue)) && w->behind <= b->answered) {
		b->send(b->arg, &w->path, (struct ipsp_span){ w->data, w->len });
		drop_first(b);
	}
}

void ike_behind_put(struct ike_behind *b, const struct ike_path *path, struct ipsp_span message)
{
	struct waiting *w;

	if (b->answered == b->asked) {
		b->send(b->arg, path, message);
		return;
	}
	/* What is lost here is repeated as what is lost on its way. */
	if (message.len > IKE_BEHIND_MAX - b->octets)
		return;
	w = malloc(sizeof(*w) + message.len);
	if (!w)
		return;
	w->behind = b->asked;
	w->path = *path;
	w->len = message.len;
	memcpy(w->data, message.data, message.len);
	b->octets += w->len;
	STAILQ_INSERT_TAIL(&b->queue, w, entry);
}
