/*
 * ipspd/ike_fetch.c - CRLs and OCSP answers that the world asks for, by a process of its own (ipspd/fetch_main.c): this
 * one has private keys, and so neither a way into the network but IKE's nor a library for HTTP.
 *
 * The parent starts that process with the first question. When it ends, or does not answer in time, what it was
 * asked has no answer; the next question starts another.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipspd/fetch_wire.h"
#include "ipspd/ike.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

#define PATIENCE_MS (2 * FETCH_TIME_S * UINT64_C(1000))	/* with what others asked before */
#define ASKED_MAX 256u

/* A question without an answer yet. */
struct asked {
	struct asked *next;
	uint64_t ticket, until_ms;
	bool sent;
	size_t len;
	uint8_t message[];	/* len octets, then the URL as text */
};

struct ike_fetcher {
	struct chan *chan;	/* NULL: that process is not there */
	bool called;		/* the parent was asked for it */
	struct asked *asked;
	unsigned n;
};

static void answer(struct ike_role *role, struct asked *a, struct ipsp_span octets)
{
	struct ike_fetcher *const f = role->fetcher;
	struct asked **at = &f->asked;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	f->n--;
	ike_fetch_done(role->world, a->ticket, octets, ike_now_ms());
	free(a);
}

static void lose(struct ike_role *role)
{
	struct ike_fetcher *const f = role->fetcher;
	struct asked *none = f->asked;

	chan_free(f->chan);
	f->chan = NULL;
	f->called = false;
	/* What those who hear of it ask for in turn is asked of the next process. */
	f->asked = NULL;
	f->n = 0;
	while (none) {
		struct asked *const a = none;

		none = a->next;
		ike_fetch_done(role->world, a->ticket, (struct ipsp_span){ 0 }, ike_now_ms());
		free(a);
	}
	ike_role_rearm(role);
}

/* ---- answers ---- */

/* What the process wrote is copied before it is looked at: it could still change it. NULL: it is not to be had */
static uint8_t *read_all(int fd, size_t len)
{
	uint8_t *octets;
	struct stat st;
	size_t at = 0;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_SET) < 0)
		return NULL;
	octets = malloc(len);
	while (octets && at < len) {
		n = read(fd, octets + at, len - at);
		if (n <= 0) {
			free(octets);
			return NULL;
		}
		at += (size_t)n;
	}
	return octets;
}

static bool take_answer(struct ike_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct asked *a = role->fetcher->asked;
	struct fetch_answer said;
	uint8_t *octets;

	if (m->type != FETCHED || !fetch_answer_get(&r, &said) || m->n_fds != (said.len > 0))
		return false;
	while (a && a->ticket != said.ticket)
		a = a->next;
	if (!a)
		return false;
	if (said.why[0])
		ipspd_log(LOG_NOTICE, "ike", "%s: %s", (const char *)a->message + a->len, said.why);
	octets = said.len > 0 ? read_all(m->fds[0], said.len) : NULL;
	answer(role, a, (struct ipsp_span){ octets, octets ? said.len : 0 });
	free(octets);
	return true;
}

static void on_message(void *arg, struct chan_msg *m)
{
	struct ike_role *const role = arg;

	if (take_answer(role, m)) {
		ike_role_rearm(role);
		return;
	}
	ipspd_log(LOG_ERR, "ike", "malformed message %u from the fetch process", m->type);
	lose(role);
}

static void on_closed(void *arg, int why)
{
	(void)why;
	lose((struct ike_role *)arg);
}

/* ---- questions ---- */

static void send_asked(struct ike_fetcher *f)
{
	for (struct asked *a = f->asked; a && f->chan; a = a->next) {
		if (!a->sent)
			a->sent = chan_send(f->chan, FETCH, a->message, a->len, NULL, 0) == 0;
	}
}

void ike_fetch_put(void *arg, uint64_t ticket, const char *url, struct ipsp_span post)
{
	struct ike_role *const role = arg;
	struct ike_fetcher *const f = role->fetcher;
	struct fetch_request request = { .ticket = ticket, .post = post };
	uint8_t buf[FETCH_URL_MAX + FETCH_POST_MAX + 32];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	struct asked *a = NULL;

	snprintf(request.url, sizeof(request.url), "%s", url);
	fetch_request_put(&w, &request);
	if (!w.overflow && strlen(url) < FETCH_URL_MAX && f->n < ASKED_MAX)
		a = malloc(sizeof(*a) + w.len + strlen(url) + 1);
	if (!a) {
		ike_fetch_done(role->world, ticket, (struct ipsp_span){ 0 }, ike_now_ms());
		return;
	}
	*a = (struct asked){ .next = f->asked, .ticket = ticket, .len = w.len,
			     .until_ms = ike_now_ms() + PATIENCE_MS };
	memcpy(a->message, buf, w.len);
	memcpy(a->message + w.len, url, strlen(url) + 1);
	f->asked = a;
	f->n++;
	if (!f->chan && !f->called)
		f->called = chan_send(role->parent, MSG_FETCHER, NULL, 0, NULL, 0) == 0;
	send_asked(f);
}

void ike_fetch_came(struct ike_role *role, struct chan_msg *m)
{
	const struct chan_handler handler = {
		.message = on_message, .closed = on_closed, .arg = role,
	};
	struct ike_fetcher *const f = role->fetcher;

	if (!role->started || !f->called || f->chan || m->n_fds != 2 ||
	    chan_new(role->base, m->fds[0], &handler, &f->chan) != 0) {
		if (role->started)
			lose(role);
		return;
	}
	m->fds[0] = -1;
	if (chan_send(f->chan, FETCH_DIRECTORY, NULL, 0, &m->fds[1], 1) < 0)
		lose(role);
	else
		send_asked(f);
}

void ike_fetch_tick(struct ike_role *role, uint64_t now_ms)
{
	const struct asked *a = role->fetcher->asked;

	while (a && a->until_ms > now_ms)
		a = a->next;
	if (!a)
		return;
	ipspd_log(LOG_WARNING, "ike", "the fetch process does not answer");
	lose(role);
}

/* ---- life ---- */

bool ike_fetch_start(struct ike_role *role)
{
	role->fetcher = calloc(1, sizeof(*role->fetcher));
	return role->fetcher != NULL;
}

void ike_fetch_fini(struct ike_role *role)
{
	struct ike_fetcher *const f = role->fetcher;

	if (!f)
		return;
	chan_free(f->chan);
	while (f->asked) {
		struct asked *const a = f->asked;

		f->asked = a->next;
		free(a);
	}
	free(f);
	role->fetcher = NULL;
}
