/*
 * ipspd/parent_queue.c - the attachment `nfqueue`: the kernel's queues, the rules that lead packets into
 * them, and the process that gives verdicts.
 *
 *	parent   table (ipspd/queue_table.h)    for life
 *	engine   queues, verdict process        new for each engine: what waited for the last one is
 *	                                        dropped by the kernel with its queue
 */
#include "config.h"

#include "ipspd/parent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/io/nfqueue.h"
#include "ipspd/log.h"
#include "ipspd/marks.h"

#define QUEUE_PACKETS 4096u		/* that wait for a verdict; more are dropped */
#define QUEUE_BUFFER (16 << 20)		/* octets of them, as the engine reads them */
#define VERDICTS_BUFFER (8 << 20)	/* a message for each packet of both queues */
#define PLACES_MAX 256

/* ---- the queues ---- */

/* NULL: no memory. Packets are cut and summed up by the kernel, as on a wire, since it does not tell
 * the size of a large one's segments; and one that finds no room is dropped, not passed. */
static struct nl_msg *make_bind_request(uint16_t number)
{
	const struct nfgenmsg head = { .version = NFNETLINK_V0, .res_id = htons(number) };
	const struct nfqnl_msg_config_cmd bind_it = { .command = NFQNL_CFG_CMD_BIND };
	const struct nfqnl_msg_config_params params = {
		.copy_range = htonl(IO_PACKET_MAX), .copy_mode = NFQNL_COPY_PACKET,
	};
	const uint32_t none = htonl(0);
	const uint32_t known = htonl(NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_CONNTRACK | NFQA_CFG_F_GSO);
	struct nl_msg *m = nlmsg_alloc_simple(NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG, 0);

	if (m && nlmsg_append(m, (void *)(uintptr_t)&head, sizeof(head), NLMSG_ALIGNTO) == 0 &&
	    nla_put(m, NFQA_CFG_CMD, sizeof(bind_it), &bind_it) == 0 &&
	    nla_put(m, NFQA_CFG_PARAMS, sizeof(params), &params) == 0 &&
	    nla_put_u32(m, NFQA_CFG_QUEUE_MAXLEN, htonl(QUEUE_PACKETS)) == 0 &&
	    nla_put(m, NFQA_CFG_MASK, sizeof(known), &known) == 0 &&
	    nla_put(m, NFQA_CFG_FLAGS, sizeof(none), &none) == 0)
		return m;
	nlmsg_free(m);
	return NULL;
}

/* A bound socket, as a descriptor that outlives the library's own. @return fd, or -errno with *why */
static int bind_queue(struct nl_sock *sk, uint16_t number, const char **why)
{
	static char said[80];
	const int size = QUEUE_BUFFER, on = 1;
	struct nl_msg *m = make_bind_request(number);

	*why = "no memory";
	if (!m)
		return -ENOMEM;
	/* The first packets may come before the answer. */
	nl_socket_disable_seq_check(sk);
	int err = nl_connect(sk, NETLINK_NETFILTER);
	if (err < 0)
		nlmsg_free(m);
	else
		err = nl_send_sync(sk, m);
	if (err < 0) {
		snprintf(said, sizeof(said), "nfnetlink_queue %u: %s", number, nl_geterror(err));
		*why = said;
		return -EIO;
	}
	int fd = fcntl(nl_socket_get_fd(sk), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A full buffer drops packets, and tells nobody each time. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof(on));
	return fd;
}

static int open_queue(uint16_t number, const char **why)
{
	struct nl_sock *sk = nl_socket_alloc();

	*why = "no memory";
	if (!sk)
		return -ENOMEM;
	int fd = bind_queue(sk, number, why);
	nl_socket_free(sk);
	return fd;
}

void close_queues(struct engine_start *s)
{
	engine_start_close(s, ENGINE_FD_QUEUE_IN);
	engine_start_close(s, ENGINE_FD_QUEUE_OUT);
	engine_start_close(s, ENGINE_FD_VERDICTS);
}

static int open_queues(struct engine_start *s, const char **why)
{
	static const struct {
		enum engine_fd which;
		uint16_t number;
	} queues[] = {
		{ ENGINE_FD_QUEUE_IN, IPSPD_QUEUE_IN }, { ENGINE_FD_QUEUE_OUT, IPSPD_QUEUE_OUT },
	};

	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		int fd = open_queue(queues[i].number, why);

		if (fd < 0)
			return fd;
		s->fds[queues[i].which][0] = fd;
	}
	return 0;
}

/* ---- the verdict process ---- */

/* What receive_queues of ipspd/verdict_main.c reads, on the end that will be the engine's. */
static int send_queues(int fd, const struct engine_start *s)
{
	const int queues[NFQUEUE_QUEUES] = {
		[IPSP_INBOUND - 1] = s->fds[ENGINE_FD_QUEUE_IN][0],
		[IPSP_OUTBOUND - 1] = s->fds[ENGINE_FD_QUEUE_OUT][0],
	};
	uint8_t octet = 0;
	struct iovec iov = { &octet, 1 };
	union {
		struct cmsghdr align;
		uint8_t octets[CMSG_SPACE(sizeof(queues))];
	} control;
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	memset(&control, 0, sizeof(control));
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(queues));
	memcpy(CMSG_DATA(c), queues, sizeof(queues));
	return sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* @return 0 or -errno with *why */
static int start_verdicts(struct parent *p, const char **why)
{
	const int size = VERDICTS_BUFFER;
	int fds[2];
	int hold_fd = guard_hold(p->guard);
	int rc = hold_fd < 0 ? hold_fd : chan_pair(fds);

	*why = "verdict process";
	if (rc < 0)
		goto out;
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	rc = send_queues(fds[0], &p->engine_start);
	if (rc == 0) {
		p->verdict_pid = fork();
		if (p->verdict_pid == 0)
			child_become("--role=verdict", fds[1], hold_fd);
		rc = p->verdict_pid < 0 ? -errno : 0;
	}
	close(fds[1]);
	if (rc < 0) {
		close(fds[0]);
		p->verdict_pid = 0;
		goto out;
	}
	p->engine_start.fds[ENGINE_FD_VERDICTS][0] = fds[0];
	ipspd_log(LOG_INFO, "parent", "verdict process started (process %d)", (int)p->verdict_pid);
out:
	if (hold_fd >= 0)
		close(hold_fd);
	return rc;
}

int queues_open(struct parent *p, const char **why)
{
	/* The kernel gives a queue to one socket, of which the last verdict process may have a copy. */
	if (p->verdict_pid > 0 && kill(p->verdict_pid, SIGKILL) == 0)
		(void)waitpid(p->verdict_pid, NULL, 0);
	p->verdict_pid = 0;
	close_queues(&p->engine_start);
	int rc = open_queues(&p->engine_start, why);
	if (rc == 0)
		rc = start_verdicts(p, why);
	if (rc < 0)
		close_queues(&p->engine_start);
	return rc;
}

void queues_reap(struct parent *p)
{
	int status;

	if (p->verdict_pid <= 0 || waitpid(p->verdict_pid, &status, WNOHANG) != p->verdict_pid)
		return;
	child_log_end("verdict process", p->verdict_pid, status);
	p->verdict_pid = 0;
	/* The next engine gets a new one. */
	if (p->engine.pid > 0 && !p->stopping)
		child_kill(&p->engine, "the verdict process is gone");
}

/* ---- which packets are queued ---- */

/** Where lists are, each place once. */
struct places {
	struct queue_place items[PLACES_MAX];
	size_t n;
	bool too_many;
};

static void add_list(void *arg, uint32_t ifindex, uint8_t dir)
{
	struct places *places = (struct places *)arg;

	for (size_t i = 0; i < places->n; i++) {
		if (places->items[i].ifindex == ifindex && places->items[i].dir == dir)
			return;
	}
	if (places->n == PLACES_MAX)
		places->too_many = true;
	else
		places->items[places->n++] = (struct queue_place){ .dir = dir, .ifindex = ifindex };
}

static void add_named(const struct attach *a, struct places *places)
{
	for (size_t i = 0; i < a->n_queued; i++) {
		for (uint8_t dir = IPSP_INBOUND; dir <= IPSP_OUTBOUND; dir++) {
			struct queue_place *const p = &places->items[places->n++];

			*p = (struct queue_place){ .dir = dir };
			memcpy(p->name, a->queued[i], sizeof(p->name));
		}
	}
}

int queues_follow(struct parent *p, const char **why)
{
	struct places places = { .n = 0 };

	if (!p->queue_table)
		return 0;
	if (p->attach.n_queued)
		add_named(&p->attach, &places);
	else
		guard_each_list(p->guard, add_list, &places);
	/* All interfaces, then: those without a list pass. */
	if (places.too_many) {
		places.items[0] = (struct queue_place){ .dir = IPSP_INBOUND };
		places.items[1] = (struct queue_place){ .dir = IPSP_OUTBOUND };
		places.n = 2;
	}
	return queue_table_apply(p->queue_table, places.items, places.n,
				 p->engine_start.tun_ifindex, why);
}
