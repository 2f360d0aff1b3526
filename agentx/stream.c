/*
 * agentx/stream.c - PDUs over a connected stream socket.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/util.h>

#include "agentx/stream.h"

#define READ_AT_ONCE 65536
#define PIECES 8

struct ax_stream {
	int fd;
	const struct ax_stream_ops *ops;
	void *arg;
	struct event *readable;
	struct event *writable;
	struct evbuffer *in;
	struct evbuffer *out;
	int send_errno;		/* a send failed; told from the loop */
	unsigned in_callback;
	bool freed;		/* ax_stream_free came from a callback */
};

/** Overwrites the first len octets of the input where they stand. */
static void wipe_input(struct ax_stream *s, size_t len)
{
	struct evbuffer_ptr at;
	struct evbuffer_iovec piece;

	evbuffer_ptr_set(s->in, &at, 0, EVBUFFER_PTR_SET);
	while (len > 0 && evbuffer_peek(s->in, (ev_ssize_t)len, &at, &piece, 1) > 0) {
		const size_t n = piece.iov_len < len ? piece.iov_len : len;

		explicit_bzero(piece.iov_base, n);
		len -= n;
		if (len > 0 && evbuffer_ptr_set(s->in, &at, n, EVBUFFER_PTR_ADD) < 0)
			return;
	}
}

static void destroy(struct ax_stream *s)
{
	if (s->readable)
		event_free(s->readable);
	if (s->writable)
		event_free(s->writable);
	if (s->in) {
		wipe_input(s, evbuffer_get_length(s->in));
		evbuffer_free(s->in);
	}
	if (s->out)
		evbuffer_free(s->out);
	free(s);
}

static void leave_callback(struct ax_stream *s)
{
	if (--s->in_callback == 0 && s->freed)
		destroy(s);
}

/** Says once that it is over. */
static void lose(struct ax_stream *s, const char *why)
{
	event_del(s->readable);
	event_del(s->writable);
	s->ops->lost(s->arg, why);
}

static bool is_transient(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

/** Sends what the socket takes. @return false: the connection is gone, send_errno says why */
static bool flush(struct ax_stream *s)
{
	struct evbuffer_iovec pieces[PIECES];

	while (evbuffer_get_length(s->out)) {
		int n = evbuffer_peek(s->out, -1, NULL, pieces, PIECES);
		struct msghdr msg = { .msg_iov = pieces,
				      .msg_iovlen = (size_t)(n < PIECES ? n : PIECES) };
		ssize_t sent = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0) {
			if (is_transient(errno))
				break;
			s->send_errno = errno;
			return false;
		}
		evbuffer_drain(s->out, (size_t)sent);
	}
	if (evbuffer_get_length(s->out))
		event_add(s->writable, NULL);
	else
		event_del(s->writable);
	return true;
}

/**
 * Takes the next len octets out of the input. A SET may bring a secret, so nothing of them stays in
 * the buffer's memory; the copy is the caller's to wipe and free. @return NULL: no memory
 */
static uint8_t *take_input(struct ax_stream *s, size_t len)
{
	uint8_t *const octets = malloc(len);

	if (!octets)
		return NULL;
	evbuffer_copyout(s->in, octets, len);
	wipe_input(s, len);
	evbuffer_drain(s->in, len);
	return octets;
}

/** Hands over the PDUs that are complete, unless too much is unsent. */
static void take_pdus(struct ax_stream *s)
{
	struct ax_header h;

	while (!s->freed && evbuffer_get_length(s->out) <= AX_STREAM_BACKLOG_MAX) {
		const size_t len = evbuffer_get_length(s->in);
		const size_t look = len < AX_HEADER_SIZE ? len : AX_HEADER_SIZE;
		const uint8_t *data = len ? evbuffer_pullup(s->in, (ev_ssize_t)look) : NULL;

		if (!data)
			break;

		const enum ax_frame frame = ax_frame_next(data, len, &h);

		if (frame == AX_FRAME_MORE)
			break;
		if (frame == AX_FRAME_LOST) {
			lose(s, "what the master sends is not AgentX");
			return;
		}

		const size_t size = AX_HEADER_SIZE + h.payload_len;

		uint8_t *const pdu = take_input(s, size);

		if (!pdu) {
			lose(s, "no memory for a PDU");
			return;
		}
		s->ops->pdu(s->arg, &h, pdu + AX_HEADER_SIZE);
		explicit_bzero(pdu, size);
		free(pdu);
	}
	if (s->freed)
		return;
	if (evbuffer_get_length(s->out) > AX_STREAM_BACKLOG_MAX)
		event_del(s->readable);
	else
		event_add(s->readable, NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct ax_stream *s = arg;
	int n;

	(void)what;
	s->in_callback++;
	n = evbuffer_read(s->in, fd, READ_AT_ONCE);
	if (n == 0)
		lose(s, "the master closed the connection");
	else if (n < 0 && !is_transient(errno))
		lose(s, strerror(errno));
	else if (n > 0)
		take_pdus(s);
	leave_callback(s);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct ax_stream *s = arg;

	(void)fd;
	(void)what;
	s->in_callback++;
	if (s->send_errno || !flush(s))
		lose(s, strerror(s->send_errno));
	else if (evbuffer_get_length(s->out) <= AX_STREAM_BACKLOG_MAX)
		take_pdus(s);
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
	s->in = evbuffer_new();
	s->out = evbuffer_new();
	s->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, s);
	s->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, s);
	if (!s->in || !s->out || !s->readable || !s->writable ||
	    evutil_make_socket_nonblocking(fd) || event_add(s->readable, NULL)) {
		destroy(s);
		return MIB_RESOURCE_UNAVAILABLE;
	}
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
	/* The caller may close the descriptor at once: stop watching it now. */
	event_del(s->readable);
	event_del(s->writable);
	s->freed = true;
}

void ax_stream_send(struct ax_stream *s, const uint8_t *data, size_t len)
{
	if (s->freed || s->send_errno)
		return;
	if (evbuffer_add(s->out, data, len))
		s->send_errno = ENOMEM;
	if (s->send_errno || !flush(s))
		event_active(s->writable, EV_WRITE, 0);
}

size_t ax_stream_unsent(const struct ax_stream *s)
{
	return evbuffer_get_length(s->out);
}
