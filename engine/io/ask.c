/* engine/io/ask.c - rtnetlink sockets: see ask.h. */
#include "engine/io/ask.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <sys/socket.h>

int ask_open(struct nl_sock **out)
{
	struct nl_sock *s = nl_socket_alloc();

	if (!s)
		return -ENOMEM;
	nl_socket_disable_auto_ack(s);
	nl_socket_disable_seq_check(s);
	if (nl_connect(s, NETLINK_ROUTE) < 0 || nl_socket_set_nonblocking(s) < 0) {
		const int err = errno ? -errno : -EIO;

		nl_socket_free(s);
		return err;
	}
	*out = s;
	return 0;
}

int ask_listen(const int *groups, size_t n, struct nl_sock **out)
{
	struct nl_sock *s;
	const int err = ask_open(&s);

	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		if (nl_socket_add_membership(s, groups[i]) < 0) {
			nl_socket_free(s);
			return -EPROTONOSUPPORT;
		}
	}
	*out = s;
	return 0;
}

bool ask_changed(struct nl_sock *events)
{
	const int fd = nl_socket_get_fd(events);
	bool changed = false;
	uint8_t octet;

	/* What has changed does not matter, so one octet of each message is read (the kernel drops
	 * the rest of it). ENOBUFS: messages were lost, which is a change too. */
	for (;;) {
		if (recv(fd, &octet, sizeof(octet), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
			changed = true;
		else if (errno != EINTR)
			return changed;
	}
}

int ask_send(struct nl_sock *s, struct nl_msg *m, bool made, uint32_t *seq)
{
	int err = -ENOMEM;

	if (m && made) {
		nl_complete_msg(s, m);
		*seq = nlmsg_hdr(m)->nlmsg_seq;
		err = nl_send(s, m) < 0 ? -EIO : 0;
	}
	nlmsg_free(m);
	return err;
}

int ask_route(struct nl_sock *s, const struct ask_route *route, uint32_t *seq)
{
	const struct ipsp_addr *const src = route->src, *const dst = route->dst;
	const size_t size = ipsp_addr_size(dst->family);
	struct rtmsg rtm = {
		.rtm_family = dst->family == 4 ? AF_INET : AF_INET6,
		.rtm_dst_len = (unsigned char)(size * 8),
		.rtm_src_len = (unsigned char)(ipsp_addr_size(src->family) * 8),
		.rtm_flags = route->as_written ? RTM_F_FIB_MATCH : 0,
	};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST);
	const bool made = m && nlmsg_append(m, &rtm, sizeof(rtm), NLMSG_ALIGNTO) == 0 &&
			  nla_put(m, RTA_DST, (int)size, dst->octets) == 0 &&
			  nla_put_u32(m, RTA_MARK, route->mark) == 0 &&
			  (!src->family || nla_put(m, RTA_SRC, (int)size, src->octets) == 0) &&
			  (!route->iif || nla_put_u32(m, RTA_IIF, route->iif) == 0);

	return ask_send(s, m, made, seq);
}

int ask_link(struct nl_sock *s, uint32_t ifindex, uint32_t *seq)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_REQUEST);

	return ask_send(s, m, m && nlmsg_append(m, &ifi, sizeof(ifi), NLMSG_ALIGNTO) == 0, seq);
}

struct nlmsghdr *ask_answer(struct nl_sock *s, uint32_t seq, unsigned char **data, int *len)
{
	for (;;) {
		struct sockaddr_nl from;

		*data = NULL;
		*len = nl_recv(s, &from, data, NULL);
		if (*len <= 0)
			return NULL;
		struct nlmsghdr *const h = (struct nlmsghdr *)*data;

		if (nlmsg_ok(h, *len) && h->nlmsg_seq == seq && from.nl_pid == 0)
			return h;
		free(*data);
	}
}
