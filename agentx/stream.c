/*
 * agentx/stream.c - PDUs over a connected stream socket.
 *
 * For each PDU the master waits, so what is done between its request and our answer is what a
 * manager feels: one recv, one send, and no allocation. What arrives is parsed where it lies;
 * answers to requests that came together leave together.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/util.h>

#include "agentx/stream.h"

#define IN_SIZE 65536		/* at first; a longer PDU makes it larger */
#define BATCH_SIZE 16384	/* answers that wait for the end of the input */
#define PIECES 8

struct ax_stream {
	int fd;
	const struct ax_stream_ops *ops;
	void *arg;
	struct event *readable;
	struct event *writable;
	bool watches_readable;
	bool watches_writable;
	uint8_t *in;
	size_t in_len;		/* octets that were received and not handed over */
	size_t in_size;
	uint8_t *batch;		/* after what is in rest */
	size_t batch_len;
	struct evbuffer *rest;	/* what the socket did not take */
	int send_errno;		/* a send failed; told from the loop */
	unsigned in_callback;
	bool freed;		/* ax_stream_free came from a callback */
};

static void destroy(struct ax_stream *s)
{
	if (s->readable)
		event_free(s->readable);
	if (s->writable)
		event_free(s->writable);
	if (s->in)
		explicit_bzero(s->in, s->in_len);
	free(s->in);
	free(s->batch);
	if (s->rest)
		evbuffer_free(s->rest);
	free(s);
}

static void watch_readable(struct ax_stream *s, bool watch)
{
	if (watch == s->watches_readable)
		return;
	s->watches_readable = watch;
	if (watch)
		event_add(s->readable, NULL);
	else
		event_del(s->readable);
}

static void watch_writable(struct ax_stream *s, bool watch)
{
	if (watch == s->watches_writable)
		return;
	s->watches_writable = watch;
	if (watch)
		event_add(s->writable, NULL);
	else
		event_del(s->writable);
}

static void stop_watching(struct ax_stream *s)
{
	/* Also what event_active asked for. */
	event_del(s->writable);
	s->watches_writable = false;
	watch_readable(s, false);
}

static void leave_callback(struct ax_stream *s)
{
	if (--s->in_callback == 0 && s->freed)
		destroy(s);
}

/** Says once that it is over. */
static void lose(struct ax_stream *s, const char *why)
{
	stop_watching(s);
	s->ops->lost(s->arg, why);
}

static bool is_transient(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

/** What became of a send. @return octets taken; 0: none now; -1: send_errno says why */
static ssize_t taken(struct ax_stream *s, ssize_t sent)
{
	if (sent >= 0)
		return sent;
	if (is_transient(errno))
		return 0;
	s->send_errno = errno;
	return -1;
}

/** Octets that go out when there is nothing before them; what is not taken becomes the rest. */
static bool send_now(struct ax_stream *s, const uint8_t *data, size_t len)
{
	ssize_t sent = 0;

	if (!evbuffer_get_length(s->rest))
		sent = taken(s, send(s->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT));
	if (sent < 0)
		return false;
	if ((size_t)sent < len && evbuffer_add(s->rest, data + sent, len - (size_t)sent)) {
		s->send_errno = ENOMEM;
		return false;
	}
	return true;
}

/** Sends what the socket takes. @return false: the connection is gone, send_errno says why */
static bool flush(struct ax_stream *s)
{
	struct evbuffer_iovec pieces[PIECES];

	while (evbuffer_get_length(s->rest)) {
		const int n = evbuffer_peek(s->rest, -1, NULL, pieces, PIECES);
		const struct msghdr msg = { .msg_iov = pieces,
					    .msg_iovlen = (size_t)(n < PIECES ? n : PIECES) };
		const ssize_t sent = taken(s, sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT));

		if (sent < 0)
			return false;
		if (sent == 0)
			break;
		evbuffer_drain(s->rest, (size_t)sent);
	}
	if (s->batch_len && !send_now(s, s->batch, s->batch_len))
		return false;
	s->batch_len = 0;
	watch_writable(s, evbuffer_get_length(s->rest) > 0);
	return true;
}

/** Room for a PDU of so many octets. The old piece may have held a secret. */
static bool grow_input(struct ax_stream *s, size_t size)
{
	uint8_t *const in = malloc(size);

	if (!in)
		return false;
	memcpy(in, s->in, s->in_len);
	explicit_bzero(s->in, s->in_len);
	free(s->in);
	s->in = in;
	s->in_size = size;
	return true;
}

/**
 * Hands over the PDUs that are complete, unless too much is unsent. A SET may bring a secret, so
 * nothing of them stays in the input.
 */
static void take_pdus(struct ax_stream *s)
{
	size_t at = 0, need = 0;
	struct ax_header h;

	while (!s->freed && ax_stream_unsent(s) <= AX_STREAM_BACKLOG_MAX) {
		const enum ax_frame frame = ax_frame_next(s->in + at, s->in_len - at, &h);

		if (frame == AX_FRAME_LOST) {
			lose(s, "what the master sends is not AgentX");
			return;
		}
		need = s->in_len - at < AX_HEADER_SIZE ? 0 : AX_HEADER_SIZE + h.payload_len;
		if (frame == AX_FRAME_MORE)
			break;
		s->ops->pdu(s->arg, &h, s->in + at + AX_HEADER_SIZE);
		at += need;
	}
	if (at) {
		memmove(s->in, s->in + at, s->in_len - at);
		explicit_bzero(s->in + s->in_len - at, at);
		s->in_len -= at;
	}
	if (s->freed)
		return;
	if (need > s->in_size && !grow_input(s, need))
		lose(s, "no memory for a PDU");
	else
		watch_readable(s, ax_stream_unsent(s) <= AX_STREAM_BACKLOG_MAX);
}

/** What the PDUs were answered leaves now. */
static void send_answers(struct ax_stream *s)
{
	if (!s->freed && (s->send_errno || !flush(s)))
		lose(s, strerror(s->send_errno));
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct ax_stream *s = arg;
	ssize_t n;

	(void)what;
	s->in_callback++;
	n = recv(fd, s->in + s->in_len, s->in_size - s->in_len, MSG_DONTWAIT);
	if (n == 0) {
		lose(s, "the master closed the connection");
	} else if (n < 0 && !is_transient(errno)) {
		lose(s, strerror(errno));
	} else if (n > 0) {
		s->in_len += (size_t)n;
		take_pdus(s);
		send_answers(s);
	}
	leave_callback(s);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct ax_stream *s = arg;

	(void)fd;
	(void)what;
	s->in_callback++;
	if (s->send_errno || !flush(s)) {
		lose(s, strerror(s->send_errno));
	} else if (ax_stream_unsent(s) <= AX_STREAM_BACKLOG_MAX) {
		take_pdus(s);
		send_answers(s);
	}
	leave_callback(s);
}

enum mib_err ax_stream_new(struct event_base *base, int fd, const struct ax_stream_ops *ops,
			   void *arg, struct ax_stream **out)
{
	struct ax_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return MIB_RESOURCE_UNAVAILABLE;
	s->fd = fd;
	s->ops = ops;
	s->arg = arg;
	s->in = malloc(IN_SIZE);
	s->in_size = IN_SIZE;
	s->batch = malloc(BATCH_SIZE);
	s->rest = evbuffer_new();
	s->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, s);
	s->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, s);
	if (!s->in || !s->batch || !s->rest || !s->readable || !s->writable ||
	    evutil_make_socket_nonblocking(fd) || event_add(s->readable, NULL)) {
		destroy(s);
		return MIB_RESOURCE_UNAVAILABLE;
	}
	s->watches_readable = true;
	*out = s;
	return MIB_OK;
}

void ax_stream_free(struct ax_stream *s)
{
	if (!s)
		return;
	if (!s->in_callback) {
		destroy(s);
		return;
	}
	/* The last words come before the caller closes the descriptor, which he may do at once. */
	if (!s->send_errno)
		(void)flush(s);
	stop_watching(s);
	s->freed = true;
}

void ax_stream_send(struct ax_stream *s, const uint8_t *data, size_t len)
{
	if (s->freed || s->send_errno)
		return;
	if (s->in_callback && len <= BATCH_SIZE - s->batch_len) {
		memcpy(s->batch + s->batch_len, data, len);
		s->batch_len += len;
		return;
	}
	if (!flush(s) || !send_now(s, data, len))
		event_active(s->writable, EV_WRITE, 0);
	else
		watch_writable(s, evbuffer_get_length(s->rest) > 0);
}

size_t ax_stream_unsent(const struct ax_stream *s)
{
	return s->batch_len + evbuffer_get_length(s->rest);
}
