/*
 * ipspd/pfkey_shim.c - libipsp-pfkey.so: gives programs that open PF_KEY sockets those of ipspd.
 *
 * Preloaded into an unmodified key manager. socket(PF_KEY, ..) becomes a connection to the PF_KEY
 * socket; messages are the same octets, and the descriptor is a real one, so that everything a
 * program does with descriptors works on it, in other processes too.
 *
 * The kernel has answered a request when write(2) returns, and some programs wait no longer than a
 * moment for it. So what is written here returns when the answer can be read: found among what
 * waits by its type, seq and pid, without taking anything away.
 *
 * Per-socket policies are answered as done. One that says bypass gives the socket ipspd's mark, so
 * that neither steering nor guard touches what it sends.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/in6.h>
#include <linux/ipsec.h>
#include <linux/pfkeyv2.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ipspd/marks.h"

#define PATH_VARIABLE "IPSP_PFKEY"
#define ANSWER_WAIT_MS 12000	/* longer than the server lets one wait */

#define EXPORT __attribute__((visibility("default")))

/* The C library's own, looked up at the first call. */
#define REAL(name)                                                                                 \
	({                                                                                         \
		static __typeof__(&name) at;                                                       \
		if (!at)                                                                           \
			at = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                           \
		at;                                                                                \
	})

static const char *path(void)
{
	const char *said = getenv(PATH_VARIABLE);

	return said && said[0] ? said : IPSPD_RUNDIR "/pfkey";
}

/* ---- the socket ---- */

EXPORT int socket(int domain, int type, int protocol)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const int flags = type & (SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (domain != PF_KEY)
		return REAL(socket)(domain, type, protocol);
	if ((type & ~flags) != SOCK_RAW || protocol != PF_KEY_V2) {
		errno = (type & ~flags) != SOCK_RAW ? ESOCKTNOSUPPORT : EPROTONOSUPPORT;
		return -1;
	}
	if (strlen(path()) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(sun.sun_path, path());
	/* Connecting to a socket of this kind does not wait, but for a full backlog. */
	const int fd = REAL(socket)(AF_UNIX, SOCK_SEQPACKET | flags, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0) {
		const int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

/* It may have come from another process: what tells is whom it is connected to. */
static int is_ours(int fd)
{
	struct sockaddr_un sun;
	socklen_t len = sizeof(sun);

	return getpeername(fd, (struct sockaddr *)&sun, &len) == 0 && sun.sun_family == AF_UNIX &&
	       len > offsetof(struct sockaddr_un, sun_path) &&
	       strncmp(sun.sun_path, path(), sizeof(sun.sun_path)) == 0;
}

/* ---- answers ---- */

static int is_answer(const struct sadb_msg *a, const struct sadb_msg *request)
{
	return a->sadb_msg_type == request->sadb_msg_type &&
	       a->sadb_msg_pid == request->sadb_msg_pid &&
	       /* A dump's messages count; the first one is enough. */
	       (a->sadb_msg_seq == request->sadb_msg_seq ||
		request->sadb_msg_type == SADB_DUMP || request->sadb_msg_type == SADB_X_SPDDUMP);
}

/* Is it among what waits? Looks from message to message. @return 1; 0; -1: there is no more to come */
static int look(int fd, const struct sadb_msg *request)
{
	const int off = -1;
	int at = 0, found = 0;
	struct sadb_msg m;

	for (;;) {
		if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &at, sizeof(at)) < 0)
			return -1;
		const ssize_t n = recv(fd, &m, sizeof(m), MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

		if (n <= 0) {
			found = n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
			break;
		}
		if (n >= (ssize_t)sizeof(m) && is_answer(&m, request)) {
			found = 1;
			break;
		}
		at += (int)n;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off));
	return found;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Edge-triggered, so that what waits already does not wake us again and again. */
static void wait_for_answer(int fd, const struct sadb_msg *request)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };
	const int64_t until = now_ms() + ANSWER_WAIT_MS;
	const int epoll = epoll_create1(EPOLL_CLOEXEC);
	const int err = errno;

	if (epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0) {
		while (look(fd, request) == 0) {
			const int64_t left = until - now_ms();

			if (left <= 0 || (epoll_wait(epoll, &e, 1, (int)left) < 0 && errno != EINTR))
				break;
		}
	}
	if (epoll >= 0)
		close(epoll);
	errno = err;
}

/* A failure that a key manager tells is the one message without an answer. */
static int has_answer(const struct sadb_msg *m, size_t len)
{
	return len >= sizeof(*m) && m->sadb_msg_version == PF_KEY_V2 &&
	       m->sadb_msg_len * 8u == len &&
	       !(m->sadb_msg_type == SADB_ACQUIRE && m->sadb_msg_errno != 0);
}

/* What was written, as far as a header goes. */
static void after_write(int fd, const struct iovec *iov, size_t n, ssize_t written)
{
	uint8_t octets[sizeof(struct sadb_msg)] = { 0 };
	struct sadb_msg m;
	size_t have = 0;

	if (written < (ssize_t)sizeof(m))
		return;
	for (size_t i = 0; i < n && have < sizeof(octets); i++) {
		const size_t left = sizeof(octets) - have;
		const size_t take = iov[i].iov_len < left ? iov[i].iov_len : left;

		if (take > 0)
			memcpy(octets + have, iov[i].iov_base, take);
		have += take;
	}
	memcpy(&m, octets, sizeof(m));
	if (have == sizeof(m) && has_answer(&m, (size_t)written) && is_ours(fd))
		wait_for_answer(fd, &m);
}

static ssize_t after_plain_write(int fd, const void *data, ssize_t written)
{
	const struct iovec iov = { (void *)(uintptr_t)data, written > 0 ? (size_t)written : 0 };

	after_write(fd, &iov, 1, written);
	return written;
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
	return after_plain_write(fd, data, REAL(write)(fd, data, len));
}

EXPORT ssize_t send(int fd, const void *data, size_t len, int flags)
{
	return after_plain_write(fd, data, REAL(send)(fd, data, len, flags));
}

EXPORT ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
		      socklen_t to_len)
{
	return after_plain_write(fd, data, REAL(sendto)(fd, data, len, flags, to, to_len));
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int n)
{
	const ssize_t written = REAL(writev)(fd, iov, n);

	if (n > 0)
		after_write(fd, iov, (size_t)n, written);
	return written;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	const ssize_t written = REAL(sendmsg)(fd, m, flags);

	after_write(fd, m->msg_iov, m->msg_iovlen, written);
	return written;
}

/* ---- per-socket policies ---- */

static int is_socket_policy(int level, int name)
{
	return (level == IPPROTO_IP && (name == IP_IPSEC_POLICY || name == IP_XFRM_POLICY)) ||
	       (level == IPPROTO_IPV6 && (name == IPV6_IPSEC_POLICY || name == IPV6_XFRM_POLICY));
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	const int mark = (int)IPSPD_MARK_BYPASS;
	struct sadb_x_policy policy;

	if (!is_socket_policy(level, name)) {
		const int rc = REAL(setsockopt)(fd, level, name, value, len);

		/* ESP in UDP is ipspd's to take off: a kernel that could not need not. */
		if (rc < 0 && level == IPPROTO_UDP && name == UDP_ENCAP && errno == ENOPROTOOPT)
			return 0;
		return rc;
	}
	if (len < sizeof(policy))
		return 0;
	memcpy(&policy, value, sizeof(policy));
	if (policy.sadb_x_policy_type == IPSEC_POLICY_BYPASS ||
	    policy.sadb_x_policy_type == IPSEC_POLICY_NONE) {
		const int err = errno;

		(void)REAL(setsockopt)(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
		errno = err;
	}
	return 0;
}
