/*
 * ipspd/agent_commits.c - what was committed, in the log: one line a second at most, whatever the
 * managers do. A line costs more than a commit, and the parent, which writes it, a processor.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"

#define LINE_MS 1000

static void next_line_later(struct commit_log *l)
{
	const struct timeval delay = { .tv_sec = LINE_MS / 1000, .tv_usec = LINE_MS % 1000 * 1000 };

	evtimer_add(l->timer, &delay);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct commit_log *l = (struct commit_log *)arg;

	(void)fd;
	(void)what;
	if (l->commits == 0)
		return;
	ipspd_log(LOG_INFO, "store", "generation %" PRIu64 ": %zu rows changed by %zu commits",
		  l->generation, l->rows, l->commits);
	l->commits = l->rows = 0;
	next_line_later(l);
}

int commit_log_init(struct commit_log *l, struct event_base *base)
{
	l->timer = evtimer_new(base, on_timer, l);
	return l->timer ? 0 : -ENOMEM;
}

void commit_log_fini(struct commit_log *l)
{
	if (l->timer)
		event_free(l->timer);
}

void commit_log_add(struct commit_log *l, uint64_t generation, size_t rows)
{
	if (evtimer_pending(l->timer, NULL)) {
		l->generation = generation;
		l->rows += rows;
		l->commits++;
		return;
	}
	ipspd_log(LOG_INFO, "store", "generation %" PRIu64 ": %zu rows changed", generation, rows);
	next_line_later(l);
}
