/*
 * ipspd/packet_log.c - reads the kernel's packet log: see packet_log.h.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipspd/log.h"
#include "ipspd/packet_log.h"

#define DATAGRAM_MAX (65535u + 4096u)	/* one packet and what is said about it */
#define LOG_PREFIX_MAX 32			/* octets, NUL included */

/* The hook says the direction, the direction which interface counts. */
static bool read_place(struct nlattr *const *tb, struct logged_packet *p)
{
	const struct nfulnl_msg_packet_hdr *hdr = nla_data(tb[NFULA_PACKET_HDR]);
	const bool in = hdr->hook == NF_INET_PRE_ROUTING;
	struct nlattr *const ifindex = tb[in ? NFULA_IFINDEX_INDEV : NFULA_IFINDEX_OUTDEV];

	if ((!in && hdr->hook != NF_INET_POST_ROUTING) || !ifindex)
		return false;
	p->dir = in ? IPSP_INBOUND : IPSP_OUTBOUND;
	p->ifindex = ntohl(nla_get_u32(ifindex));
	return true;
}

/* @return false: malformed */
static bool read_packet(struct nlmsghdr *nlh, struct logged_packet *p)
{
	struct nla_policy policy[NFULA_MAX + 1] = {
		[NFULA_PACKET_HDR] = { .minlen = sizeof(struct nfulnl_msg_packet_hdr) },
		[NFULA_IFINDEX_INDEV] = { .type = NLA_U32 },
		[NFULA_IFINDEX_OUTDEV] = { .type = NLA_U32 },
		[NFULA_SEQ] = { .type = NLA_U32 },
		[NFULA_PREFIX] = { .type = NLA_STRING, .maxlen = LOG_PREFIX_MAX },
	};
	struct nlattr *tb[NFULA_MAX + 1];

	*p = (struct logged_packet){ .ifindex = 0 };
	if (nlmsg_parse(nlh, sizeof(struct nfgenmsg), tb, NFULA_MAX, policy) < 0 ||
	    !tb[NFULA_PACKET_HDR] || !tb[NFULA_PREFIX] || !tb[NFULA_PAYLOAD] ||
	    !read_place(tb, p))
		return false;
	p->prefix = nla_get_string(tb[NFULA_PREFIX]);
	p->data = nla_data(tb[NFULA_PAYLOAD]);
	p->len = (size_t)nla_len(tb[NFULA_PAYLOAD]);
	p->numbered = tb[NFULA_SEQ] != NULL;
	p->number = p->numbered ? ntohl(nla_get_u32(tb[NFULA_SEQ])) : 0;
	return true;
}

size_t packet_log_datagram(const struct packet_log_use *use, void *arg, void *data, size_t len)
{
	int left = (int)len;
	size_t bad = 0;
	struct nlmsghdr *nlh = data;

	for (; nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left)) {
		struct logged_packet p;

		if (nlh->nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
			bad += !read_packet(nlh, &p) || !use->take(arg, &p);
	}
	return bad + (left > 0);
}

static void count_bad(struct packet_log *l, size_t bad)
{
	if (bad && !l->n_bad)
		ipspd_log(LOG_WARNING, "engine", "%s", l->use->bad);
	l->n_bad += bad;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct packet_log *l = arg;

	(void)what;
	for (unsigned i = 0; i < l->use->datagrams_a_turn; i++) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_len = sizeof(from);
		/* MSG_TRUNC: says how long a datagram is that does not fit. */
		const ssize_t n = recvfrom(fd, l->datagram, DATAGRAM_MAX, MSG_DONTWAIT | MSG_TRUNC,
					   (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == ENOBUFS)
			continue;	/* some were lost: who has to know goes by their numbers */
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			ipspd_log(l->use->end_priority, "engine", "%s: %s", l->use->end,
				  n < 0 ? strerror(errno) : "closed");
			event_del(l->event);
			return;
		}
		/* Only the kernel, whose number is 0, logs packets. */
		if (from_len != sizeof(from) || from.nl_pid != 0)
			continue;
		count_bad(l, (size_t)n > DATAGRAM_MAX ?
				     1 : packet_log_datagram(l->use, l->arg, l->datagram,
							     (size_t)n));
	}
}

int packet_log_start(struct packet_log *l, const struct packet_log_use *use, void *arg,
		     struct event_base *base, int fd)
{
	*l = (struct packet_log){ .use = use, .arg = arg, .datagram = malloc(DATAGRAM_MAX) };
	l->event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, l);
	if (l->datagram && l->event && event_add(l->event, NULL) == 0)
		return 0;
	if (l->event)
		event_free(l->event);
	free(l->datagram);
	*l = (struct packet_log){ .use = NULL };
	return -ENOMEM;
}

void packet_log_stop(struct packet_log *l)
{
	if (!l->event)
		return;
	const int fd = event_get_fd(l->event);

	event_free(l->event);
	l->event = NULL;
	explicit_bzero(l->datagram, DATAGRAM_MAX);
	free(l->datagram);
	l->datagram = NULL;
	close(fd);
}
