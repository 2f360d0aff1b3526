/*
 * ipspd/verdict_main.c - the verdict process: tells the kernel what the engine says of queued packets.
 *
 * The kernel takes verdicts from who has CAP_NET_ADMIN alone. This process has it, and reads nothing
 * but records of eight octets; the engine, which reads packets, has not. What the engine can do with
 * it is to let packets of its own queues pass: number, verdict and half of the mark are all it says.
 *
 *	parent --- two netlink sockets, once --->|
 *	engine --- verdicts -------------------->| ---> kernel
 *
 * It ends when the engine does. It touches no packet, and does not read its netlink sockets: the
 * engine does.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/nfqueue.h"
#include "ipspd/log.h"
#include "ipspd/marks.h"
#include "ipspd/roles.h"

/** One message to the kernel, as it wants it: all of it on four octets. */
struct message {
	struct nlmsghdr nl;
	struct nfgenmsg nf;
	struct nlattr verdict_attr;
	struct nfqnl_msg_verdict_hdr verdict;
	struct nlattr mark_attr;
	uint32_t mark_be;
};
_Static_assert(sizeof(struct message) == NLMSG_HDRLEN + 4 + 12 + 8, "no holes in it");

static const uint16_t queues[NFQUEUE_QUEUES] = {
	[IPSP_INBOUND - 1] = IPSPD_QUEUE_IN,
	[IPSP_OUTBOUND - 1] = IPSPD_QUEUE_OUT,
};

/* The parent's only message: where to say it. */
static bool receive_queues(int channel_fd, int fds[NFQUEUE_QUEUES])
{
	uint8_t octet;
	struct iovec iov = { &octet, 1 };
	union {
		struct cmsghdr align;
		uint8_t octets[CMSG_SPACE(NFQUEUE_QUEUES * sizeof(int))];
	} control;
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	if (recvmsg(channel_fd, &h, MSG_CMSG_CLOEXEC) != 1 || (h.msg_flags & MSG_CTRUNC))
		return false;
	const struct cmsghdr *const c = CMSG_FIRSTHDR(&h);

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(NFQUEUE_QUEUES * sizeof(int)))
		return false;
	memcpy(fds, CMSG_DATA(c), NFQUEUE_QUEUES * sizeof(int));
	return true;
}

static struct message verdict_on(const struct nfqueue_verdict *v)
{
	return (struct message) {
		.nl = { .nlmsg_len = sizeof(struct message), .nlmsg_flags = NLM_F_REQUEST,
			.nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT },
		.nf = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0,
			.res_id = htons(queues[v->dir - 1]) },
		.verdict_attr = { .nla_type = NFQA_VERDICT_HDR,
				  .nla_len = NLA_HDRLEN + sizeof(struct nfqnl_msg_verdict_hdr) },
		.verdict = { .verdict = htonl(v->pass ? NF_ACCEPT : NF_DROP),
			     .id = htonl(v->id) },
		.mark_attr = { .nla_type = NFQA_MARK, .nla_len = NLA_HDRLEN + sizeof(uint32_t) },
		.mark_be = htonl(IPSPD_MARK_JUDGED | v->mark_low),
	};
}

static bool is_verdict(const struct nfqueue_verdict *v)
{
	return (v->dir == IPSP_INBOUND || v->dir == IPSP_OUTBOUND) && v->pass <= 1;
}

/* Those of one queue, in one call. @return false: the kernel will not hear them */
static bool tell_kernel(int fd, enum ipsp_dir dir, const struct nfqueue_verdict *v, size_t n)
{
	static struct message messages[NFQUEUE_VERDICTS_MAX];
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	size_t n_messages = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].dir == dir)
			messages[n_messages++] = verdict_on(&v[i]);
	}
	/* It answers on the same socket what it cannot do: the engine passes that over. */
	return n_messages == 0 ||
	       sendto(fd, messages, n_messages * sizeof(messages[0]), 0,
		      (const struct sockaddr *)&kernel, sizeof(kernel)) >= 0 ||
	       errno == ENOBUFS || errno == EAGAIN;
}

/* @return false: malformed, or the kernel does not listen */
static bool take(const int fds[NFQUEUE_QUEUES], const struct nfqueue_verdict *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_verdict(&v[i])) {
			ipspd_log(LOG_ERR, "verdict", "malformed verdict from the engine");
			return false;
		}
	}
	for (int i = 0; i < NFQUEUE_QUEUES; i++) {
		if (!tell_kernel(fds[i], (enum ipsp_dir)(i + 1), v, n)) {
			ipspd_log(LOG_ERR, "verdict", "the kernel takes no verdicts: %s",
				  strerror(errno));
			return false;
		}
	}
	return true;
}

int verdict_main(int channel_fd)
{
	static struct nfqueue_verdict verdicts[NFQUEUE_VERDICTS_MAX];
	int fds[NFQUEUE_QUEUES];

	if (!receive_queues(channel_fd, fds)) {
		ipspd_log(LOG_ERR, "verdict", "the parent names no queues");
		return EXIT_FAILURE;
	}
	for (;;) {
		/* MSG_TRUNC: says how long a message is that does not fit. */
		const ssize_t got = recv(channel_fd, verdicts, sizeof(verdicts), MSG_TRUNC);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return EXIT_SUCCESS;	/* the engine is gone */
		if ((size_t)got > sizeof(verdicts) || (size_t)got % sizeof(verdicts[0]) != 0 ||
		    !take(fds, verdicts, (size_t)got / sizeof(verdicts[0])))
			return EXIT_FAILURE;
	}
}
