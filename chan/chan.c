/*
 * chan/chan.c - sends and receives the framed messages between ipspd's processes.
 *
 *    0       1       2       3       4               8
 *   +-------+-------+---------------+---------------+- - - - -
 *   |version|   0   |     type      |  payload len  | payload
 *   +-------+-------+---------------+---------------+- - - - -
 *
 * SOCK_SEQPACKET keeps message borders, so the length is redundant; it is checked all the same, as
 * one more thing nonsense has to get right. Messages carry keys: what has been read or sent is wiped.
 * Knows nothing of what messages mean.
 */
#include "config.h"

#include "chan/chan.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_SIZE 8
#define READS_A_TURN 64	/* then other events have their turn */

struct queued {
	STAILQ_ENTRY(queued) link;
	size_t len;
	size_t n_fds;
	int fds[CHAN_FDS_MAX];
	uint8_t octets[];
};
STAILQ_HEAD(queue, queued);

struct chan {
	int fd;
	struct event *readable;
	struct event *writable;
	struct chan_handler handler;
	struct queue queue;
	size_t queue_octets;
	bool broken;	/* sending failed for good; the reader will say so */
	bool closed;	/* handler.closed has been called */
	bool in_callback;
	bool freed;	/* chan_free was called in a callback */
	uint8_t in[HEADER_SIZE + CHAN_PAYLOAD_MAX];
};

union control {
	struct cmsghdr align;
	char octets[CMSG_SPACE(sizeof(int) * CHAN_FDS_MAX)];
};

static void close_fds(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static void queued_free(struct queued *q)
{
	close_fds(q->fds, q->n_fds);
	explicit_bzero(q->octets, q->len);
	free(q);
}

static void queue_clear(struct chan *c)
{
	struct queued *q;

	while ((q = STAILQ_FIRST(&c->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->queue, link);
		queued_free(q);
	}
	c->queue_octets = 0;
}

static void release(struct chan *c)
{
	event_free(c->readable);
	event_free(c->writable);
	queue_clear(c);
	close(c->fd);
	explicit_bzero(c->in, sizeof(c->in));
	free(c);
}

/* Ends the channel and says so, once. */
static void end(struct chan *c, int why)
{
	if (c->closed)
		return;
	c->closed = true;
	c->broken = true;
	event_del(c->readable);
	event_del(c->writable);
	queue_clear(c);
	shutdown(c->fd, SHUT_RDWR);
	c->handler.closed(c->handler.arg, why);
}

/* ---- receiving ---- */

/*
 * Collects what SCM_RIGHTS brought. All descriptors land in m, so that the caller can close them;
 * false: there was something else, or more of them than fit.
 */
static bool take_fds(struct msghdr *mh, struct chan_msg *m)
{
	bool good = (mh->msg_flags & MSG_CTRUNC) == 0;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS) {
			good = false;
			continue;
		}
		size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
			if (m->n_fds < CHAN_FDS_MAX) {
				m->fds[m->n_fds++] = fd;
			} else {
				close(fd);
				good = false;
			}
		}
	}
	return good;
}

/* Is what stands in c->in one well-formed message? Fills m from it. */
static bool parse_header(const struct chan *c, size_t len, struct chan_msg *m)
{
	if (len < HEADER_SIZE)
		return false;
	struct chan_reader r = { .data = c->in, .len = HEADER_SIZE };
	uint8_t version = chan_get_u8(&r);
	uint8_t zero = chan_get_u8(&r);
	m->type = chan_get_u16(&r);
	uint32_t payload = chan_get_u32(&r);
	m->data = c->in + HEADER_SIZE;
	m->len = len - HEADER_SIZE;
	return version == CHAN_VERSION && zero == 0 && payload == m->len;
}

/* One message. @return 1: read one; 0: none there now; negative: the channel ended */
static int read_one(struct chan *c)
{
	union control control;
	struct iovec iov = { .iov_base = c->in, .iov_len = sizeof(c->in) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.octets,
			     .msg_controllen = sizeof(control.octets) };
	struct chan_msg m = { .n_fds = 0 };
	ssize_t len = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	/* ECONNRESET is told once, ahead of what the other end had sent before it closed. */
	if (len < 0 && (errno == EINTR || errno == ECONNRESET))
		return 1;
	if (len < 0) {
		end(c, -errno);
		return -1;
	}
	bool good = take_fds(&mh, &m);
	if (len == 0 && m.n_fds == 0) {
		end(c, 0);
		return -1;
	}
	good = good && (mh.msg_flags & MSG_TRUNC) == 0 && parse_header(c, (size_t)len, &m);
	if (good)
		c->handler.message(c->handler.arg, &m);
	close_fds(m.fds, m.n_fds);
	explicit_bzero(c->in, (size_t)len);
	if (!good) {
		end(c, -EBADMSG);
		return -1;
	}
	return 1;
}

/* Up to max messages. @return false: there may be more */
static bool read_some(struct chan *c, int max)
{
	bool all = false;

	c->in_callback = true;
	for (int i = 0; i < max && !all && !c->freed && !c->closed; i++)
		all = read_one(c) <= 0;
	all = all || c->freed || c->closed;
	c->in_callback = false;
	if (c->freed)
		release(c);
	return all;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)read_some((struct chan *)arg, READS_A_TURN);
}

void chan_drain(struct chan *c)
{
	while (!c->in_callback && !read_some(c, READS_A_TURN))
		;
}

/* ---- sending ---- */

/* @return 0; -EAGAIN: the other end is slow; -errno */
static int send_now(int fd, const uint8_t *octets, size_t len, const int *fds, size_t n_fds)
{
	union control control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)octets, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > 0) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = control.octets;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * n_fds);
	}
	while (sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return -EAGAIN;
		return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
	}
	return 0;
}

/* No more can be sent: the reader, which runs from the event loop, tells the owner. */
static void break_off(struct chan *c)
{
	c->broken = true;
	queue_clear(c);
	shutdown(c->fd, SHUT_RDWR);
	event_del(c->writable);
	event_active(c->readable, EV_READ, 0);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct chan *c = (struct chan *)arg;
	struct queued *q;

	(void)fd;
	(void)what;
	while ((q = STAILQ_FIRST(&c->queue)) != NULL) {
		int rc = send_now(c->fd, q->octets, q->len, q->fds, q->n_fds);

		if (rc == -EAGAIN)
			return;
		if (rc < 0) {
			break_off(c);
			return;
		}
		STAILQ_REMOVE_HEAD(&c->queue, link);
		c->queue_octets -= q->len;
		queued_free(q);
	}
	event_del(c->writable);
}

static int enqueue(struct chan *c, const uint8_t *octets, size_t len, const int *fds, size_t n_fds)
{
	if (c->queue_octets + len > CHAN_QUEUE_MAX)
		return -ENOBUFS;
	struct queued *q = (struct queued *)calloc(1, sizeof(*q) + len);
	if (!q)
		return -ENOMEM;
	q->len = len;
	for (size_t i = 0; i < n_fds; i++) {
		q->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (q->fds[i] < 0) {
			int rc = -errno;

			queued_free(q);
			return rc;
		}
		q->n_fds = i + 1;
	}
	memcpy(q->octets, octets, len);
	if (STAILQ_EMPTY(&c->queue) && event_add(c->writable, NULL) < 0) {
		queued_free(q);
		return -ENOMEM;
	}
	STAILQ_INSERT_TAIL(&c->queue, q, link);
	c->queue_octets += len;
	return 0;
}

int chan_send(struct chan *c, uint16_t type, const void *data, size_t len, const int *fds,
	      size_t n_fds)
{
	uint8_t octets[HEADER_SIZE + CHAN_PAYLOAD_MAX];
	struct chan_writer w = { .data = octets, .size = sizeof(octets) };

	if (len > CHAN_PAYLOAD_MAX || n_fds > CHAN_FDS_MAX)
		return -EMSGSIZE;
	if (!c || c->broken)
		return -EPIPE;
	chan_put_u8(&w, CHAN_VERSION);
	chan_put_u8(&w, 0);
	chan_put_u16(&w, type);
	chan_put_u32(&w, (uint32_t)len);
	if (len > 0)
		memcpy(octets + HEADER_SIZE, data, len);
	int rc = -EAGAIN;
	if (STAILQ_EMPTY(&c->queue))
		rc = send_now(c->fd, octets, HEADER_SIZE + len, fds, n_fds);
	if (rc == -EAGAIN)
		rc = enqueue(c, octets, HEADER_SIZE + len, fds, n_fds);
	else if (rc == -EPIPE)
		break_off(c);
	explicit_bzero(octets, HEADER_SIZE + len);
	return rc;
}

/* ---- life ---- */

int chan_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0;
}

static int prepare_socket(int fd)
{
	int type, domain;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	len = sizeof(domain);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
		return -errno;
	if (type != SOCK_SEQPACKET || domain != AF_UNIX)
		return -EPROTOTYPE;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

int chan_new(struct event_base *base, int fd, const struct chan_handler *handler,
	     struct chan **out)
{
	int rc = prepare_socket(fd);

	if (rc < 0)
		return rc;
	struct chan *c = (struct chan *)calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->fd = fd;
	c->handler = *handler;
	STAILQ_INIT(&c->queue);
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	if (!c->readable || !c->writable || event_add(c->readable, NULL) < 0) {
		if (c->readable)
			event_free(c->readable);
		if (c->writable)
			event_free(c->writable);
		free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void chan_free(struct chan *c)
{
	if (!c)
		return;
	if (!c->in_callback) {
		release(c);
		return;
	}
	c->freed = true;
	c->broken = true;
	c->closed = true;
	event_del(c->readable);
	event_del(c->writable);
	queue_clear(c);
}

size_t chan_queued(const struct chan *c)
{
	return c->queue_octets;
}
