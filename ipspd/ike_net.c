/*
 * ipspd/ike_net.c - IKE's datagrams: UDP 500, and 4500 behind a non-ESP marker. RFC 7296 2.11, 2.23, 3.1;
 * RFC 3948 2.2.
 *
 * The sockets are the parent's: bound to any address, with the bypass mark, so each datagram comes with the address
 * that it was sent to, and goes out by the one that it is to come from. Of port 4500 the kernel gives us what
 * begins with the marker; ESP goes to the engine's sockets.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/io/egress.h"
#include "ipspd/ike.h"
#include "ipspd/ike_behind.h"
#include "ipspd/log.h"
#include "ipspd/marks.h"

#define DATAGRAMS_A_TURN 64
#define DATAGRAM_MAX 65535u
#define MARKER_LEN 4u
#define PORT_IKE 500u

static bool is_nat(int which)
{
	return which == IKE_FD_4500_4 || which == IKE_FD_4500_6;
}

union control {
	struct cmsghdr align;
	uint8_t octets[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* ---- what comes ---- */

static void take_remote(const struct sockaddr_storage *from, struct ike_path *p)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (from->ss_family == AF_INET) {
		memcpy(&in, from, sizeof(in));
		p->remote.family = 4;
		memcpy(p->remote.octets, &in.sin_addr, 4);
		p->remote_port = ntohs(in.sin_port);
	} else if (from->ss_family == AF_INET6) {
		memcpy(&in6, from, sizeof(in6));
		p->remote.family = 6;
		memcpy(p->remote.octets, &in6.sin6_addr, 16);
		p->remote_port = ntohs(in6.sin6_port);
	}
}

static void take_local(struct msghdr *h, struct ike_path *p)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		struct in_pktinfo in;
		struct in6_pktinfo in6;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&in, CMSG_DATA(c), sizeof(in));
			p->local.family = 4;
			memcpy(p->local.octets, &in.ipi_addr, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&in6, CMSG_DATA(c), sizeof(in6));
			p->local.family = 6;
			memcpy(p->local.octets, &in6.ipi6_addr, 16);
		}
	}
}

/* @return false: nothing more waits */
static bool receive(struct ike_role *role, int which)
{
	static uint8_t datagram[DATAGRAM_MAX];
	struct ike_path path = { .local_port = is_nat(which) ? ENGINE_UDP_PORT : PORT_IKE };
	struct sockaddr_storage from;
	struct iovec iov = { datagram, sizeof(datagram) };
	union control control;
	struct msghdr h = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov,
			    .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	const ssize_t n = recvmsg(role->fds[which], &h, MSG_DONTWAIT);
	struct ipsp_span message = { datagram, n > 0 ? (size_t)n : 0 };

	if (n < 0)
		return errno != EAGAIN && errno != EBADF;	/* an ICMP error is no datagram */
	take_remote(&from, &path);
	take_local(&h, &path);
	if (path.remote.family == 0 || path.remote.family != path.local.family)
		return true;
	if (is_nat(which)) {
		static const uint8_t marker[MARKER_LEN];

		if (message.len < MARKER_LEN || memcmp(message.data, marker, MARKER_LEN) != 0)
			return true;
		message.data += MARKER_LEN;
		message.len -= MARKER_LEN;
	}
	ike_receive(role->world, &path, message, ike_now_ms());
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct ike_role *const role = arg;

	(void)what;
	for (int which = 0; which < IKE_FDS; which++) {
		for (int i = 0; role->fds[which] == fd && i < DATAGRAMS_A_TURN; i++) {
			if (!receive(role, which))
				break;
		}
	}
	ike_role_rearm(role);
}

/* ---- what goes ---- */

static socklen_t put_remote(const struct ike_path *p, struct sockaddr_storage *to)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(p->remote_port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(p->remote_port) };

	memcpy(&in.sin_addr, p->remote.octets, 4);
	memcpy(&in6.sin6_addr, p->remote.octets, 16);
	if (p->remote.family == 4)
		memcpy(to, &in, sizeof(in));
	else
		memcpy(to, &in6, sizeof(in6));
	return p->remote.family == 4 ? sizeof(in) : sizeof(in6);
}

static void put_local(const struct ike_path *p, struct msghdr *h)
{
	struct cmsghdr *const c = CMSG_FIRSTHDR(h);
	struct in_pktinfo in = { .ipi_ifindex = 0 };
	struct in6_pktinfo in6 = { .ipi6_ifindex = 0 };

	if (p->local.family == 4) {
		memcpy(&in.ipi_spec_dst, p->local.octets, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(in));
		memcpy(CMSG_DATA(c), &in, sizeof(in));
		h->msg_controllen = CMSG_SPACE(sizeof(in));
	} else {
		memcpy(&in6.ipi6_addr, p->local.octets, 16);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(in6));
		memcpy(CMSG_DATA(c), &in6, sizeof(in6));
		h->msg_controllen = CMSG_SPACE(sizeof(in6));
	}
}

static void send_octets(const struct ike_role *role, const struct ike_path *path,
			struct ipsp_span marker, struct ipsp_span message)
{
	const bool nat = path->local_port == ENGINE_UDP_PORT;
	const int which = path->remote.family == 4 ? nat ? IKE_FD_4500_4 : IKE_FD_500_4 :
						     nat ? IKE_FD_4500_6 : IKE_FD_500_6;
	struct sockaddr_storage to;
	struct iovec iov[2] = { { (void *)(uintptr_t)marker.data, marker.len },
				{ (void *)(uintptr_t)message.data, message.len } };
	union control control = { .octets = { 0 } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2, .msg_name = &to,
			    .msg_control = &control, .msg_controllen = sizeof(control) };
	char text[IPSP_ADDR_TEXT];

	h.msg_namelen = put_remote(path, &to);
	put_local(path, &h);
	/* What is lost here is repeated as what is lost on its way. */
	if (sendmsg(role->fds[which], &h, MSG_DONTWAIT) < 0)
		ipspd_log(LOG_DEBUG, "ike", "to %s port %u: %s",
			  ipsp_addr_print(&path->remote, text), path->remote_port, strerror(errno));
}

static void send_now(void *arg, const struct ike_path *path, struct ipsp_span message)
{
	static const uint8_t marker[MARKER_LEN];

	send_octets((const struct ike_role *)arg, path,
		    (struct ipsp_span){ marker,
					path->local_port == ENGINE_UDP_PORT ? MARKER_LEN : 0 },
		    message);
}

void ike_net_send(void *arg, const struct ike_path *path, struct ipsp_span message)
{
	ike_behind_put(((const struct ike_role *)arg)->behind, path, message);
}

void ike_net_keepalive(void *arg, const struct ike_path *path)
{
	static const uint8_t octet = 0xff;

	send_octets((const struct ike_role *)arg, path, (struct ipsp_span){ 0 },
		    (struct ipsp_span){ &octet, 1 });
}

bool ike_net_source(void *arg, const struct ipsp_addr *remote, struct ipsp_addr *out)
{
	const struct ike_role *const role = arg;
	const struct ipsp_addr unknown = { 0 };
	struct egress_route route;

	egress_refresh(role->egress);
	if (egress_lookup(role->egress, &unknown, remote, &route) != 0 ||
	    route.source.family != remote->family)
		return false;
	*out = route.source;
	return true;
}

bool ike_net_path(struct ike_role *role, const struct ike_conn *c, const struct ipsp_addr *remote,
		  struct ike_path *out)
{
	char text[IPSP_ADDR_TEXT];

	*out = (struct ike_path){ .local = c->local, .remote = *remote, .local_port = PORT_IKE,
				  .remote_port = PORT_IKE };
	if (c->local.family != 0)
		return c->local.family == remote->family;
	if (ike_net_source(role, remote, &out->local))
		return true;
	ipspd_log(LOG_NOTICE, "ike", "connection \"%s\", \"%s\": no way to %s, or no address of ours there",
		  c->ipsec, c->ike, ipsp_addr_print(remote, text));
	return false;
}

static void on_routed(evutil_socket_t fd, short what, void *arg)
{
	struct ike_role *const role = arg;

	(void)fd;
	(void)what;
	egress_refresh(role->egress);
	ike_paths_changed(role->world, ike_now_ms());
	ike_role_rearm(role);
}

/* ---- life ---- */

int ike_net_start(struct ike_role *role)
{
	int err = egress_new(IPSPD_MARK_BYPASS, 0, &role->egress);

	role->behind = ike_behind_new(send_now, role);
	if (!err && !role->behind)
		err = -ENOMEM;
	if (!err) {
		role->routed = event_new(role->base, egress_fd(role->egress), EV_READ | EV_PERSIST,
					 on_routed, role);
		err = role->routed && event_add(role->routed, NULL) == 0 ? 0 : -ENOMEM;
	}
	for (int i = 0; !err && i < IKE_FDS; i++) {
		if (role->fds[i] < 0)
			continue;
		role->readable[i] = event_new(role->base, role->fds[i], EV_READ | EV_PERSIST,
					      on_readable, role);
		if (!role->readable[i] || event_add(role->readable[i], NULL) < 0)
			err = -ENOMEM;
	}
	return err;
}

void ike_net_stop(struct ike_role *role)
{
	for (int i = 0; i < IKE_FDS; i++) {
		if (role->readable[i])
			event_free(role->readable[i]);
		role->readable[i] = NULL;
	}
	ike_behind_free(role->behind);
	role->behind = NULL;
	if (role->routed)
		event_free(role->routed);
	role->routed = NULL;
	egress_free(role->egress);
	role->egress = NULL;
}
