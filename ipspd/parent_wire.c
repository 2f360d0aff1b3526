/*
 * ipspd/parent_wire.c - opens the two interfaces of a bump in the wire: packet sockets, as
 * engine/io/frame.h wants them.
 *
 * The filter that the kernel runs on every frame is libpcap's work. The rest is not: a libpcap handle
 * cannot be handed to another process, and does not tell that a checksum is unfinished or how a large
 * segment is to be cut (docs/ARCHITECTURE.md has what was measured).
 */
#include "config.h"

#include "ipspd/parent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipspd/guard_wire.h"
#include "ipspd/log.h"

#define SOCKET_BUFFER (8 << 20)	/* octets: bursts while the engine has its turn elsewhere */
#define SNAPLEN (256 << 10)	/* more than any frame has */

/* Frames that come in, without those no bridge forwards (IEEE 802.1Q 8.6.3: pause, LACP, 802.1X). */
static const char filter[] = "inbound and not (ether[0:4] = 0x0180c200 and ether[4:2] & 0xfff0 = 0)";

/* @return 0 or -errno with *why */
static int set_filter(int fd, const char **why)
{
	static char said[PCAP_ERRBUF_SIZE + 16];
	struct bpf_program program;
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	int rc = 0;

	*why = "filter: no memory";
	if (!pcap)
		return -ENOMEM;
	if (pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		snprintf(said, sizeof(said), "filter: %s", pcap_geterr(pcap));
		*why = said;
		rc = -EINVAL;
	} else {
		struct sock_fprog f = {
			.len = (unsigned short)program.bf_len,
			.filter = (struct sock_filter *)program.bf_insns,
		};

		*why = "filter";
		if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f)) < 0)
			rc = -errno;
		pcap_freecode(&program);
	}
	pcap_close(pcap);
	return rc;
}

/* The interface's number, if a bump can stand there. @return 0 or -errno with *why */
static int find_interface(const char *name, uint32_t *ifindex, const char **why)
{
	struct nl_sock *sk = nl_socket_alloc();
	struct rtnl_link *link = NULL;
	int err = sk ? nl_connect(sk, NETLINK_ROUTE) : -NLE_NOMEM;
	int rc = 0;

	if (err == 0)
		err = rtnl_link_get_kernel(sk, 0, name, &link);
	if (err < 0) {
		*why = nl_geterror(err);
		rc = err == -NLE_OBJ_NOTFOUND || err == -NLE_NODEV ? -ENODEV : -EIO;
	} else if (rtnl_link_get_arptype(link) != ARPHRD_ETHER) {
		*why = "it does not carry Ethernet frames";
		rc = -EOPNOTSUPP;
	} else if (rtnl_link_get_master(link) != 0) {
		*why = "it is a port of a bridge or bond, which would forward past the engine";
		rc = -EBUSY;
	} else {
		*ifindex = (uint32_t)rtnl_link_get_ifindex(link);
	}
	if (link)
		rtnl_link_put(link);
	nl_socket_free(sk);
	return rc;
}

/* Frames as they were on the wire: several must not be joined into one. What cannot, need not. */
static void keep_frames_apart(int fd, const char *name)
{
	struct ethtool_value v = { .cmd = ETHTOOL_SGRO };
	struct ifreq ifr = { .ifr_data = (char *)&v };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, SIOCETHTOOL, &ifr) < 0)
		ipspd_log(LOG_DEBUG, "parent", "%s: GRO stays as it is: %s", name, strerror(errno));
	v = (struct ethtool_value){ .cmd = ETHTOOL_GFLAGS };
	if (ioctl(fd, SIOCETHTOOL, &ifr) < 0 || !(v.data & ETH_FLAG_LRO))
		return;
	v.cmd = ETHTOOL_SFLAGS;
	v.data &= ~(uint32_t)ETH_FLAG_LRO;
	if (ioctl(fd, SIOCETHTOOL, &ifr) < 0)
		ipspd_log(LOG_WARNING, "parent", "%s: LRO cannot be switched off: %s", name,
			  strerror(errno));
}

/* All options first: a socket that is bound has frames at once. @return 0 or -errno */
static int prepare(int fd, uint32_t ifindex)
{
	const struct packet_mreq promiscuous = { .mr_ifindex = (int)ifindex,
						 .mr_type = PACKET_MR_PROMISC };
	const struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
					.sll_ifindex = (int)ifindex };
	const int on = 1, size = SOCKET_BUFFER;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous,
		       sizeof(promiscuous)) < 0 ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	return 0;
}

/* @return fd, or -errno with *why */
static int open_side(const char *name, uint32_t *ifindex, const char **why)
{
	int rc = find_interface(name, ifindex, why);

	if (rc < 0)
		return rc;
	*why = "packet socket";
	/* Protocol 0: nothing comes in before it is bound. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	keep_frames_apart(fd, name);
	rc = set_filter(fd, why);
	if (rc == 0) {
		*why = "packet socket";
		rc = prepare(fd, *ifindex);
	}
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

void close_wire(struct engine_start *s)
{
	engine_start_close(s, ENGINE_FD_RED);
	engine_start_close(s, ENGINE_FD_BLACK);
}

int open_wire(const struct attach *a, struct engine_start *s, const char **why)
{
	close_wire(s);
	/* Before there is a way through the engine there is none through the kernel any more. */
	unsigned changed;
	int rc = guard_wire_apply(a->red, a->black, &changed, why);
	if (rc < 0)
		return rc;
	int red = open_side(a->red, &s->red_ifindex, why);
	if (red < 0)
		return red;
	int black = open_side(a->black, &s->black_ifindex, why);
	if (black < 0) {
		close(red);
		return black;
	}
	s->fds[ENGINE_FD_RED][0] = red;
	s->fds[ENGINE_FD_BLACK][0] = black;
	return 0;
}
