/*
 * ipspd/parent_watch.c - keeps the guard whole: looks when the kernel says that something changed, and
 * puts back what other programs took away.
 *
 *   netlink message -> where to look -> [rest] -> look -> put back, log, count, tell the agent
 *
 * The first look comes at once. After it this process rests four times as long as the look took, and
 * what is said meanwhile is answered by one look: however often another program changes things, it
 * gets at most a fifth of our time, and the guard is back within a few such turns. What failed is
 * tried again each second.
 */
#include "config.h"

#include "ipspd/parent.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ipspd/guard_watch.h"
#include "ipspd/guard_wire.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

#define REST_FACTOR 4
#define REST_MIN_US 10000
#define REST_MAX_US 2000000
#define RETRY_US 1000000
#define LOG_BURST 20		/* lines; one more each second */

struct parent_watch {
	struct parent *parent;
	struct guard_watch *watch;
	struct event *readable[GUARD_WATCH_SOCKETS];
	struct event *look;
	unsigned where;			/* to look at next */
	int64_t rested_us;		/* no look before that moment */
	uint64_t restored;		/* since this process started */
	bool failing;			/* the last look could not put everything back; it was logged */
	int64_t log_us;			/* lines logged so far fill the time up to this moment */
	uint64_t log_silent;		/* restorations not logged since the last that was */
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- saying it ---- */

void parent_watch_tell(struct parent *p)
{
	uint8_t buf[8];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (!p->watch || !p->agent.chan)
		return;
	chan_put_u64(&w, p->watch->restored);
	(void)chan_send(p->agent.chan, MSG_GUARD_RESTORED, buf, w.len, NULL, 0);
}

static bool may_log(struct parent_watch *w)
{
	int64_t now = now_us();

	if (w->log_us < now - LOG_BURST * INT64_C(1000000))
		w->log_us = now - LOG_BURST * INT64_C(1000000);
	if (w->log_us > now - 1000000)
		return false;
	w->log_us += 1000000;
	return true;
}

static void restored(struct parent_watch *w, const char *what)
{
	char more[64] = "";

	w->restored++;
	parent_watch_tell(w->parent);
	if (!may_log(w)) {
		w->log_silent++;
		return;
	}
	if (w->log_silent)
		snprintf(more, sizeof(more), "; %" PRIu64 " more since the last such line",
			 w->log_silent);
	w->log_silent = 0;
	ipspd_log(LOG_WARNING, "guard", "put back: %s%s", what, more);
}

static void add(char *text, size_t size, unsigned n, const char *what)
{
	size_t len = strlen(text);

	if (n > 0)
		snprintf(text + len, size - len, "%s%u %s", len ? ", " : "", n, what);
}

static void say_changes(struct parent_watch *w, const struct guard_changes *c)
{
	const char *who = guard_watch_who(w->watch);
	char text[256] = "";

	if (c->table)
		snprintf(text, sizeof(text), "nftables table, which was changed%s%s",
			 who[0] ? " by " : "", who);
	add(text, sizeof(text), c->rules_missing, "ip rules that were gone");
	add(text, sizeof(text), c->rules_foreign, "ip rules that are not ours taken away");
	add(text, sizeof(text), c->routes_missing, "routes that were gone");
	add(text, sizeof(text), c->routes_foreign, "routes that are not ours taken away");
	if (text[0])
		restored(w, text);
}

/* ---- the TUN ---- */

/* Opened anew under its name, the old descriptor being of nothing. The engine must have it. */
static int tun_again(struct parent *p, const char **why)
{
	struct engine_start *s = &p->engine_start;
	char name[sizeof(s->tun_name)];

	memcpy(name, s->tun_name, sizeof(name));
	if (s->tun_ifindex != 0) {
		s->tun_ifindex = 0;
		int rc = guard_set_tun(p->guard, 0, "", why);

		if (rc < 0)
			return rc;
	}
	engine_start_close(s, ENGINE_FD_TUN);
	int rc = open_tun(name, s, why);
	if (rc < 0)
		return rc;
	rc = guard_set_tun(p->guard, s->tun_ifindex, s->tun_name, why);
	if (rc == 0)
		rc = queues_follow(p, why);
	if (rc == 0 && p->engine.pid > 0)
		child_kill(&p->engine, "its TUN was deleted and made anew");
	return rc;
}

/* @return 0; -errno with *why: try again */
static int check_tun(struct parent_watch *w, const char **why)
{
	struct parent *p = w->parent;
	struct engine_start *s = &p->engine_start;
	char name[IF_NAMESIZE] = "", text[64];
	bool was_down = false;

	if (s->tun_name[0] == '\0')
		return 0;
	if (s->tun_ifindex == 0 || !if_indextoname(s->tun_ifindex, name)) {
		int rc = tun_again(p, why);

		if (rc < 0)
			return rc;
		snprintf(text, sizeof(text), "TUN %s, which was gone", s->tun_name);
		restored(w, text);
		return 0;
	}
	if (strcmp(name, s->tun_name) != 0) {
		snprintf(text, sizeof(text), "rules of TUN %s, which was %s", name, s->tun_name);
		snprintf(s->tun_name, sizeof(s->tun_name), "%s", name);
		int rc = guard_set_tun(p->guard, s->tun_ifindex, s->tun_name, why);

		if (rc < 0)
			return rc;
		restored(w, text);
	}
	*why = "the TUN cannot be brought up";
	int rc = tun_bring_up(s->tun_name, &was_down);
	if (rc == 0 && was_down) {
		snprintf(text, sizeof(text), "TUN %s, which was down", s->tun_name);
		restored(w, text);
	}
	return rc;
}

/* ---- looking ---- */

static void plan(struct parent_watch *w)
{
	int64_t wait_us = w->rested_us - now_us();

	if (wait_us < 0)
		wait_us = 0;
	const struct timeval delay = { .tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000 };
	if (w->where != 0 && !evtimer_pending(w->look, NULL))
		evtimer_add(w->look, &delay);
}

/* The rules of a bump in the wire. @return 0 or -errno with *why */
static int check_wire(struct parent_watch *w, const char **why)
{
	const struct attach *a = &w->parent->attach;
	unsigned changed = 0;

	if (!w->parent->attached || a->kind != ATTACH_PCAP)
		return 0;
	int rc = guard_wire_apply(a->red, a->black, &changed, why);
	if (changed > 0)
		restored(w, "ip rules of the bump in the wire");
	return rc;
}

/* @return 0; -EAGAIN: all is well, as far as can be known; -errno, with what was found in *found */
static int look_at(struct parent_watch *w, unsigned where, struct guard_changes *found,
		   const char **why)
{
	int rc = where & GUARD_LINKS ? check_tun(w, why) : 0;
	if (rc == 0 && (where & GUARD_ROUTES))
		rc = check_wire(w, why);
	int check_rc = guard_check(w->parent->guard, where, found, why);

	return rc < 0 && (check_rc == 0 || check_rc == -EAGAIN) ? rc : check_rc;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct parent_watch *w = (struct parent_watch *)arg;
	struct guard_changes found;
	const char *why = "";
	unsigned where = w->where;
	int64_t begin = now_us();

	(void)fd;
	(void)what;
	if (w->parent->stopping)
		return;
	w->where = 0;
	int rc = look_at(w, where, &found, &why);
	say_changes(w, &found);
	if (rc < 0 && rc != -EAGAIN && !w->failing)
		ipspd_log(LOG_CRIT, "guard", "cannot be put back, and is tried again: %s: %s", why,
			  strerror(-rc));
	w->failing = rc < 0 && rc != -EAGAIN;
	int64_t end = now_us(), rest = (end - begin) * REST_FACTOR;
	rest = rest < REST_MIN_US ? REST_MIN_US : rest > REST_MAX_US ? REST_MAX_US : rest;
	if (rc < 0) {
		w->where |= where;
		rest = RETRY_US;
	}
	w->rested_us = end + rest;
	plan(w);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct parent_watch *w = (struct parent_watch *)arg;

	(void)what;
	for (size_t i = 0; i < GUARD_WATCH_SOCKETS; i++) {
		if (fd == guard_watch_fd(w->watch, i))
			w->where |= guard_watch_read(w->watch, i);
	}
	plan(w);
}

/* ---- life ---- */

bool parent_watch_start(struct parent *p)
{
	struct parent_watch *w = (struct parent_watch *)calloc(1, sizeof(*w));
	const char *why = "no memory";

	if (!w || guard_watch_open(&w->watch, &why) < 0) {
		ipspd_log(LOG_CRIT, "guard", "cannot be watched: %s", why);
		free(w);
		return false;
	}
	p->watch = w;
	w->parent = p;
	w->look = evtimer_new(p->base, on_look, w);
	for (size_t i = 0; i < GUARD_WATCH_SOCKETS; i++) {
		w->readable[i] = event_new(p->base, guard_watch_fd(w->watch, i),
					   EV_READ | EV_PERSIST, on_readable, w);
		if (!w->look || !w->readable[i] || event_add(w->readable[i], NULL) < 0) {
			ipspd_log(LOG_CRIT, "guard", "cannot be watched: no memory");
			return false;
		}
	}
	/* What happened between the guard's loading and now. */
	w->where = GUARD_ALL;
	plan(w);
	return true;
}

void parent_watch_stop(struct parent *p)
{
	struct parent_watch *w = p->watch;

	if (!w)
		return;
	for (size_t i = 0; i < GUARD_WATCH_SOCKETS; i++) {
		if (w->readable[i])
			event_free(w->readable[i]);
	}
	if (w->look)
		event_free(w->look);
	guard_watch_close(w->watch);
	free(w);
	p->watch = NULL;
}
