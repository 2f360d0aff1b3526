/*
 * ipspd/fetch_main.c - the fetch process: CRLs and OCSP answers by HTTP, for the ike process, to which it is connected.
 * RFC 5280 4.2.1.13, RFC 6960 A.
 *
 * It reads what strangers wrote, so it has nothing: no key, no store, and of the file system one directory, in which
 * CRLs are kept (ipspd/fetch_cache.c). What it hands on is signed by a CA, so plain HTTP will do, and a redirect
 * leads to nothing else. libcurl's transfers go on side by side in the one loop; each has a bound in time and octets.
 */
#include "config.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipspd/fetch_cache.h"
#include "ipspd/fetch_wire.h"
#include "ipspd/log.h"
#include "ipspd/roles.h"
#include "ipspd/sandbox.h"

#define CONNECT_S 4
#define REDIRECTS_MAX 3
#define OCSP_MAX 65536u

struct fetcher {
	struct event_base *base;
	struct chan *chan;
	CURLM *multi;
	struct event *timer;
	int cache_fd;		/* -1: not told yet */
	int status;
};

/* One transfer. */
struct transfer {
	struct fetcher *fetcher;
	CURL *easy;
	struct curl_slist *headers;
	uint64_t ticket;
	char url[FETCH_URL_MAX];
	bool ocsp;
	uint8_t *octets;
	size_t len, room;
};

static void stop(struct fetcher *f, int status)
{
	f->status = status;
	event_base_loopbreak(f->base);
}

/* ---- answers ---- */

/* @return a descriptor, or -1 */
static int put_in_memory(const uint8_t *octets, size_t len)
{
	const int fd = memfd_create("fetched", MFD_CLOEXEC);
	size_t at = 0;

	while (fd >= 0 && at < len) {
		const ssize_t n = write(fd, octets + at, len - at);

		if (n <= 0) {
			close(fd);
			return -1;
		}
		at += (size_t)n;
	}
	return fd;
}

static void answer(struct fetcher *f, uint64_t ticket, const uint8_t *octets, size_t len,
		   const char *why)
{
	uint8_t buf[FETCH_WHY + 32];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	const int fd = len > 0 ? put_in_memory(octets, len) : -1;
	struct fetch_answer said = { .ticket = ticket, .len = fd < 0 ? 0 : (uint32_t)len };

	snprintf(said.why, sizeof(said.why), "%s", why);
	fetch_answer_put(&w, &said);
	if (chan_send(f->chan, FETCHED, buf, w.len, &fd, fd >= 0) < 0)
		stop(f, EXIT_FAILURE);
	if (fd >= 0)
		close(fd);
}

static void end_transfer(struct transfer *t)
{
	if (t->easy) {
		curl_multi_remove_handle(t->fetcher->multi, t->easy);
		curl_easy_cleanup(t->easy);
	}
	curl_slist_free_all(t->headers);
	free(t->octets);
	free(t);
}

/* A list that did not come is the one of before, if there was one: what it says is revoked is. */
static void finish(struct transfer *t, CURLcode code)
{
	struct fetcher *const f = t->fetcher;
	uint8_t *kept;
	size_t len;

	if (code == CURLE_OK && t->len > 0 &&
	    (t->ocsp || ike_crl_next_s((struct ipsp_span){ t->octets, t->len }) >= 0)) {
		if (!t->ocsp)
			fetch_cache_put(f->cache_fd, t->url, t->octets, t->len);
		answer(f, t->ticket, t->octets, t->len, "");
		return;
	}
	kept = t->ocsp ? NULL : fetch_cache_get(f->cache_fd, t->url, &len);
	answer(f, t->ticket, kept, kept ? len : 0,
	       code == CURLE_OK ? "what is there is no CRL" : curl_easy_strerror(code));
	free(kept);
}

/* ---- libcurl and libevent ---- */

static void look(struct fetcher *f)
{
	CURLMsg *m;
	int n;

	while ((m = curl_multi_info_read(f->multi, &n))) {
		struct transfer *t = NULL;
		const CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t) != CURLE_OK || !t)
			continue;
		finish(t, code);
		end_transfer(t);
	}
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct fetcher *const f = arg;
	int running;

	curl_multi_socket_action(f->multi, fd, (what & EV_READ ? CURL_CSELECT_IN : 0) |
				 (what & EV_WRITE ? CURL_CSELECT_OUT : 0), &running);
	look(f);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct fetcher *const f = arg;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	look(f);
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	struct fetcher *const f = arg;
	struct event *e = of_socket;

	(void)easy;
	if (e)
		event_free(e);
	e = what == CURL_POLL_REMOVE ? NULL :
		event_new(f->base, fd, (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
					       (what & CURL_POLL_OUT ? EV_WRITE : 0)), on_socket, f);
	curl_multi_assign(f->multi, fd, e);
	return what != CURL_POLL_REMOVE && (!e || event_add(e, NULL) < 0) ? -1 : 0;
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
	struct fetcher *const f = arg;
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	(void)multi;
	return (ms < 0 ? event_del(f->timer) : event_add(f->timer, &wait)) < 0 ? -1 : 0;
}

/* ---- one transfer ---- */

static size_t arrived(char *octets, size_t size, size_t n, void *arg)
{
	struct transfer *const t = arg;
	const size_t len = size * n, max = t->ocsp ? OCSP_MAX : IKE_FETCH_MAX;

	if (len > max - t->len)
		return 0;
	if (t->len + len > t->room) {
		const size_t room = 2 * (t->len + len);
		uint8_t *const grown = realloc(t->octets, room);

		if (!grown)
			return 0;
		t->octets = grown;
		t->room = room;
	}
	memcpy(t->octets + t->len, octets, len);
	t->len += len;
	return len;
}

static bool set_post(struct transfer *t, struct ipsp_span post)
{
	if (post.len == 0)
		return true;
	t->headers = curl_slist_append(NULL, "Content-Type: application/ocsp-request");
	return t->headers &&
	       curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long)post.len) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_COPYPOSTFIELDS, post.data) == CURLE_OK;
}

static bool set_up(struct transfer *t, struct ipsp_span post)
{
	const struct {
		CURLoption option;
		long number;
	} numbers[] = {
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_TIMEOUT, FETCH_TIME_S },
		{ CURLOPT_CONNECTTIMEOUT, CONNECT_S },
		{ CURLOPT_FOLLOWLOCATION, 1 },
		{ CURLOPT_MAXREDIRS, REDIRECTS_MAX },
		{ CURLOPT_FAILONERROR, 1 },
		{ CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
		{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	};
	const struct {
		CURLoption option;
		const char *text;
	} texts[] = {
		{ CURLOPT_URL, t->url },
		{ CURLOPT_PROTOCOLS_STR, "http" },
		{ CURLOPT_REDIR_PROTOCOLS_STR, "http" },
		{ CURLOPT_PROXY, "" },
		{ CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION },
	};
	CURLcode rc = CURLE_OK;

	for (size_t i = 0; rc == CURLE_OK && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		rc = curl_easy_setopt(t->easy, numbers[i].option, numbers[i].number);
	for (size_t i = 0; rc == CURLE_OK && i < sizeof(texts) / sizeof(texts[0]); i++)
		rc = curl_easy_setopt(t->easy, texts[i].option, texts[i].text);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_MAXFILESIZE_LARGE,
				      (curl_off_t)(t->ocsp ? OCSP_MAX : IKE_FETCH_MAX));
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, arrived);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	return rc == CURLE_OK && set_post(t, post);
}

static void begin(struct fetcher *f, const struct fetch_request *request)
{
	struct transfer *const t = calloc(1, sizeof(*t));

	if (!t) {
		answer(f, request->ticket, NULL, 0, "no memory");
		return;
	}
	t->fetcher = f;
	t->ticket = request->ticket;
	t->ocsp = request->post.len > 0;
	memcpy(t->url, request->url, sizeof(t->url));
	t->easy = curl_easy_init();
	if (t->easy && set_up(t, request->post) &&
	    curl_multi_add_handle(f->multi, t->easy) == CURLM_OK)
		return;
	finish(t, CURLE_OUT_OF_MEMORY);
	end_transfer(t);
}

/* ---- the ike process ---- */

static bool take_request(struct fetcher *f, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct fetch_request request;
	uint8_t *kept = NULL;
	size_t len;

	if (f->cache_fd < 0 || !fetch_request_get(&r, &request))
		return false;
	if (request.post.len == 0)
		kept = fetch_cache_fresh(f->cache_fd, request.url, &len);
	if (kept)
		answer(f, request.ticket, kept, len, "");
	else
		begin(f, &request);
	free(kept);
	return true;
}

static bool take_directory(struct fetcher *f, const struct chan_msg *m)
{
	const char *why;

	if (f->cache_fd >= 0 || m->n_fds != 1 || m->len != 0)
		return false;
	f->cache_fd = fetch_cache_open(m->fds[0]);
	if (f->cache_fd < 0) {
		ipspd_log(LOG_ERR, "fetch", "the directory of CRLs: %s", strerror(-f->cache_fd));
		return false;
	}
	if (sandbox_close_files_but(f->cache_fd, &why))
		return true;
	ipspd_log(LOG_ERR, "fetch", "%s", why);
	return false;
}

static void on_message(void *arg, struct chan_msg *m)
{
	struct fetcher *const f = arg;
	bool good = false;

	if (m->type == FETCH_DIRECTORY)
		good = take_directory(f, m);
	else if (m->type == FETCH)
		good = take_request(f, m);
	if (!good)
		stop(f, EXIT_FAILURE);
}

static void on_closed(void *arg, int why)
{
	stop((struct fetcher *)arg, why ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* ---- life ---- */

static bool start(struct fetcher *f, int channel_fd)
{
	const struct chan_handler handler = {
		.message = on_message, .closed = on_closed, .arg = f,
	};

	f->base = event_base_new();
	f->multi = curl_multi_init();
	if (!f->base || !f->multi || chan_new(f->base, channel_fd, &handler, &f->chan) != 0)
		return false;
	f->timer = event_new(f->base, -1, 0, on_timer, f);
	return f->timer && curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, want_socket) == CURLM_OK &&
	       curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f) == CURLM_OK &&
	       curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, want_timer) == CURLM_OK &&
	       curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f) == CURLM_OK;
}

int fetch_main(int channel_fd)
{
	struct fetcher f = { .status = EXIT_FAILURE, .cache_fd = -1 };

	if (start(&f, channel_fd))
		event_base_dispatch(f.base);
	/* Transfers that are under way end with the process. */
	chan_free(f.chan);
	return f.status;
}
