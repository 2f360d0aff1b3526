/*
 * engine/io/outer.c - raw IP sockets: ESP in, ESP and bypassed packets out.
 *
 * RFC 3542 ancillary data. The IPv6 header is rebuilt as:
 *
 *	version 6, traffic class, flow label	IPV6_FLOWINFO
 *	payload length				octets read
 *	next header, hop limit			the first below, IPV6_HOPLIMIT
 *	source, destination			the sender, IPV6_PKTINFO
 *	extension headers, for AH		IPV6_HOPOPTS, IPV6_RTHDR, IPV6_DSTOPTS: the kernel gives
 *						them in their order
 */
#include "config.h"
#include "engine/io/outer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define FLOWINFO_CMSG 11	/* IPV6_FLOWINFO of <linux/in6.h>, which <netinet/in.h> excludes */
#define IPV6_HEADER 40u
#define CONTROL_SIZE 1024	/* holds all that was asked for; longer extension headers are cut */

/** Room for one message's ancillary data, aligned as its headers must be. */
union control {
	struct cmsghdr align;
	uint8_t octets[CONTROL_SIZE];
};

static int set_options(int fd, int level, const int *options, const int *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (setsockopt(fd, level, options[i], &values[i], sizeof(values[i])) < 0)
			return -errno;
	}
	return 0;
}

int outer_in_init(int fd, enum outer_family family, uint8_t proto)
{
	static const int options4[] = { IP_PKTINFO };
	static const int options6[] = { IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, FLOWINFO_CMSG };
	static const int extensions[] = { IPV6_RECVHOPOPTS, IPV6_RECVRTHDR, IPV6_RECVDSTOPTS };
	static const int on[] = { 1, 1, 1 };

	if (family == OUTER_IPV4)
		return set_options(fd, IPPROTO_IP, options4, on, 1);
	const int err = set_options(fd, IPPROTO_IPV6, options6, on, 3);

	return err || proto != IPPROTO_AH ? err :
					    set_options(fd, IPPROTO_IPV6, extensions, on, 3);
}

int outer_out_init(int fd, enum outer_family family)
{
	static const int loop4 = IP_MULTICAST_LOOP, loop6 = IPV6_MULTICAST_LOOP;
	static const int broadcast = SO_BROADCAST;
	static const int on = 1, off = 0;

	if (family == OUTER_IPV6)
		return set_options(fd, IPPROTO_IPV6, &loop6, &off, 1);
	const int err = set_options(fd, SOL_SOCKET, &broadcast, &on, 1);

	return err ? err : set_options(fd, IPPROTO_IP, &loop4, &off, 1);
}

/** The data of a control message if it is of that kind and long enough. */
static const void *control_data(struct cmsghdr *c, int level, int type, size_t size)
{
	return c->cmsg_level == level && c->cmsg_type == type && c->cmsg_len >= CMSG_LEN(size) ?
	       CMSG_DATA(c) : NULL;
}

static bool finish_ipv4(struct msghdr *h, struct ipsp_packet *p)
{
	struct in_pktinfo info;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		const void *data = control_data(c, IPPROTO_IP, IP_PKTINFO, sizeof(info));

		if (!data)
			continue;
		memcpy(&info, data, sizeof(info));
		p->ifindex = (uint32_t)info.ipi_ifindex;
		return true;
	}
	return false;
}

/** The extension headers before AH, in their order. */
struct extensions {
	uint8_t first;		/* the next header that names the first, or what follows */
	uint8_t *named;		/* where the next one is named */
	uint32_t len;
	uint8_t octets[IPSP_HEADROOM];
};

/** @return false: it is none, too long, or not what the one before it names */
static bool add_extension(struct extensions *e, struct cmsghdr *c)
{
	static const struct {
		int cmsg;
		uint8_t next_header;
	} kinds[] = {
		{ IPV6_HOPOPTS, IPPROTO_HOPOPTS }, { IPV6_RTHDR, IPPROTO_ROUTING },
		{ IPV6_DSTOPTS, IPPROTO_DSTOPTS },
	};
	const size_t len = c->cmsg_len - CMSG_LEN(0);
	const uint8_t *data = CMSG_DATA(c);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (c->cmsg_type != kinds[i].cmsg)
			continue;
		if (len < 8 || len != (data[1] + 1u) * 8 || len > sizeof(e->octets) - e->len ||
		    (e->len > 0 && *e->named != kinds[i].next_header))
			return false;
		if (e->len == 0)
			e->first = kinds[i].next_header;
		e->named = e->octets + e->len;
		memcpy(e->named, data, len);
		e->len += (uint32_t)len;
		return true;
	}
	return false;
}

/** Makes the headers before the payload at p->data; p->data is moved to them. */
static bool finish_ipv6(struct msghdr *h, uint8_t proto, struct ipsp_packet *p)
{
	const struct sockaddr_in6 *const from = h->msg_name;
	struct extensions extensions = { .first = proto, .named = &extensions.first };
	struct in6_pktinfo info;
	uint32_t flow_be = 0;
	int hops = -1;
	bool have_info = false;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		const void *data;

		if ((data = control_data(c, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(info)))) {
			memcpy(&info, data, sizeof(info));
			have_info = true;
		} else if ((data = control_data(c, IPPROTO_IPV6, IPV6_HOPLIMIT, sizeof(hops)))) {
			memcpy(&hops, data, sizeof(hops));
		} else if ((data = control_data(c, IPPROTO_IPV6, FLOWINFO_CMSG, sizeof(flow_be)))) {
			/* The kernel leaves it out when it is zero. */
			memcpy(&flow_be, data, sizeof(flow_be));
		} else if (c->cmsg_level == IPPROTO_IPV6 && !add_extension(&extensions, c)) {
			return false;
		}
	}
	if (!have_info || hops < 0 || hops > 255 || h->msg_namelen < sizeof(*from) ||
	    from->sin6_family != AF_INET6 || *extensions.named != proto)
		return false;
	struct ip6_hdr ip = {
		.ip6_flow = htonl(6u << 28 | (ntohl(flow_be) & 0x0fffffff)),
		.ip6_plen = htons((uint16_t)(p->len + extensions.len)),
		.ip6_nxt = extensions.first,
		.ip6_hlim = (uint8_t)hops,
		.ip6_src = from->sin6_addr,
		.ip6_dst = info.ipi6_addr,
	};

	if (p->len + extensions.len > UINT16_MAX)
		return false;
	p->data -= extensions.len;
	memcpy(p->data, extensions.octets, extensions.len);
	p->data -= IPV6_HEADER;
	memcpy(p->data, &ip, sizeof(ip));
	p->len += IPV6_HEADER + extensions.len;
	p->ifindex = (uint32_t)info.ipi6_ifindex;
	return true;
}

size_t outer_read(int fd, enum outer_family family, uint8_t proto, struct ipsp_packet *packets,
		  size_t n, struct io_stats *stats)
{
	struct mmsghdr msgs[IO_BATCH];
	struct iovec iov[IO_BATCH];
	struct sockaddr_in6 from[IO_BATCH];
	union control control[IO_BATCH];
	/* Room for the header that finish_ipv6 makes. */
	const size_t before = family == OUTER_IPV6 ? IPV6_HEADER : 0;
	size_t good = 0;

	if (n > IO_BATCH)
		n = IO_BATCH;
	memset(msgs, 0, n * sizeof(msgs[0]));
	for (size_t i = 0; i < n; i++) {
		iov[i].iov_base = packets[i].room + IPSP_HEADROOM + before;
		iov[i].iov_len = IO_PACKET_MAX - before;
		msgs[i].msg_hdr = (struct msghdr) {
			.msg_name = &from[i], .msg_namelen = sizeof(from[i]),
			.msg_iov = &iov[i], .msg_iovlen = 1,
			.msg_control = &control[i], .msg_controllen = sizeof(control[i]),
		};
	}
	const int got = recvmmsg(fd, msgs, (unsigned)n, MSG_DONTWAIT, NULL);

	for (int i = 0; i < got; i++) {
		struct msghdr *const h = &msgs[i].msg_hdr;
		struct ipsp_packet p = {
			.room = packets[i].room, .room_len = packets[i].room_len,
			.data = iov[i].iov_base, .len = msgs[i].msg_len,
		};

		io_count(&stats->packets_in[IPSP_INBOUND - 1], 1);
		if ((h->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
		    !(family == OUTER_IPV4 ? finish_ipv4(h, &p) : finish_ipv6(h, proto, &p))) {
			io_count(&stats->drops[IO_REASON_READ_CUT], 1);
			continue;
		}
		/* Rooms change places, so that each stays in the vector once. */
		packets[i].room = packets[good].room;
		packets[i].room_len = packets[good].room_len;
		packets[good++] = p;
	}
	return good;
}

int outer_family_of(const uint8_t *data, uint32_t len)
{
	if (len >= sizeof(struct iphdr) && data[0] >> 4 == 4)
		return OUTER_IPV4;
	if (len >= IPV6_HEADER && data[0] >> 4 == 6)
		return OUTER_IPV6;
	return -1;
}

union any_addr {
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/**
 * Destination and, as ancillary data, the interface. IPv4 also gets its source, which rules may ask
 * for; IPv6 would refuse one that is not our own, and does not need it.
 */
static void prepare(enum outer_family family, const struct outer_send *p, struct msghdr *h,
		    union any_addr *to, union control *control)
{
	memset(to, 0, sizeof(*to));
	memset(control, 0, sizeof(*control));
	h->msg_name = to;
	h->msg_control = control;
	if (family == OUTER_IPV4) {
		struct in_pktinfo info = { .ipi_ifindex = (int)p->ifindex };

		memcpy(&info.ipi_spec_dst, p->data + 12, 4);
		to->v4.sin_family = AF_INET;
		memcpy(&to->v4.sin_addr, p->data + 16, 4);
		h->msg_namelen = sizeof(to->v4);
		h->msg_controllen = CMSG_SPACE(sizeof(info));
		struct cmsghdr *c = CMSG_FIRSTHDR(h);

		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		return;
	}
	const struct in6_pktinfo info = { .ipi6_ifindex = p->ifindex };

	to->v6.sin6_family = AF_INET6;
	memcpy(&to->v6.sin6_addr, p->data + 24, 16);
	if (IN6_IS_ADDR_LINKLOCAL(&to->v6.sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&to->v6.sin6_addr))
		to->v6.sin6_scope_id = p->ifindex;
	h->msg_namelen = sizeof(to->v6);
	h->msg_controllen = CMSG_SPACE(sizeof(info));
	struct cmsghdr *c = CMSG_FIRSTHDR(h);

	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

enum io_reason outer_reason(int err)
{
	switch (err) {
	case EMSGSIZE:
		return IO_REASON_PATH_TOO_BIG;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return IO_REASON_SEND_QUEUE;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENODEV:
	case ENETDOWN:
	case ENXIO:
		return IO_REASON_NO_ROUTE;
	default:
		return IO_REASON_SEND;
	}
}

size_t outer_send_all(int fd, struct mmsghdr *msgs, size_t n, struct io_stats *stats)
{
	size_t sent = 0, at = 0;

	/* An error is about the first packet of its call: that one is dropped, the rest goes on. */
	while (at < n) {
		const int done = sendmmsg(fd, msgs + at, (unsigned)(n - at), MSG_DONTWAIT);

		if (done > 0) {
			at += (size_t)done;
			sent += (size_t)done;
		} else if (errno != EINTR) {
			io_count(&stats->drops[outer_reason(errno)], 1);
			at++;
		}
	}
	return sent;
}

size_t outer_write(int fd, enum outer_family family, const struct outer_send *packets, size_t n,
		   struct io_stats *stats)
{
	struct mmsghdr msgs[IO_BATCH];
	struct iovec iov[IO_BATCH];
	union any_addr to[IO_BATCH];
	union control control[IO_BATCH];

	if (n > IO_BATCH)
		n = IO_BATCH;
	memset(msgs, 0, n * sizeof(msgs[0]));
	for (size_t i = 0; i < n; i++) {
		iov[i] = (struct iovec) { packets[i].data, packets[i].len };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		prepare(family, &packets[i], &msgs[i].msg_hdr, &to[i], &control[i]);
	}
	return outer_send_all(fd, msgs, n, stats);
}
