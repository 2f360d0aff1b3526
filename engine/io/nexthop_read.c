/* engine/io/nexthop_read.c - messages of rtnetlink that make a next hop: see nexthop_read.h. */
#include "engine/io/nexthop_read.h"

#include <net/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

static int af_of(uint8_t family)
{
	return family == 4 ? AF_INET : AF_INET6;
}

/* @return false: there, and no such number */
static bool get_u32(struct nlattr *attr, uint32_t *out)
{
	if (attr && nla_len(attr) != 4)
		return false;
	*out = attr ? nla_get_u32(attr) : 0;
	return true;
}

/* @return false: not an address of that family */
static bool get_addr(const void *octets, int len, uint8_t family, struct ipsp_addr *out)
{
	if (len != (int)ipsp_addr_size(family))
		return false;
	*out = (struct ipsp_addr) { .family = family };
	memcpy(out->octets, octets, (size_t)len);
	return true;
}

/* In RTA_GATEWAY, or in RTA_VIA if it is of the other family. @return false: both, or malformed */
static bool get_gateway(struct nlattr *gateway, struct nlattr *via, uint8_t family,
			struct ipsp_addr *out)
{
	struct rtvia head;

	*out = (struct ipsp_addr) { 0 };
	if (gateway)
		return !via && get_addr(nla_data(gateway), nla_len(gateway), family, out);
	if (!via)
		return true;
	if (nla_len(via) < (int)sizeof(head))
		return false;
	memcpy(&head, nla_data(via), sizeof(head));
	if (head.rtvia_family != AF_INET && head.rtvia_family != AF_INET6)
		return false;
	return get_addr((const uint8_t *)nla_data(via) + sizeof(head),
			nla_len(via) - (int)sizeof(head), head.rtvia_family == AF_INET ? 4 : 6, out);
}

bool nexthop_read_route(struct nlmsghdr *h, uint8_t family, struct nexthop_route *out)
{
	struct nlattr *attrs[RTA_MAX + 1], *metrics[RTAX_MAX + 1] = { NULL };
	struct nexthop_route route;

	if (h->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse(h, sizeof(struct rtmsg), attrs, RTA_MAX, NULL) < 0)
		return false;
	const struct rtmsg *const rtm = nlmsg_data(h);

	if (rtm->rtm_family != af_of(family) || rtm->rtm_type != RTN_UNICAST ||
	    attrs[RTA_MULTIPATH] || attrs[RTA_NH_ID] || attrs[RTA_ENCAP] ||
	    attrs[RTA_ENCAP_TYPE] || attrs[RTA_NEWDST])
		return false;
	if (attrs[RTA_METRICS] &&
	    nla_parse_nested(metrics, RTAX_MAX, attrs[RTA_METRICS], NULL) < 0)
		return false;
	if (!get_u32(attrs[RTA_OIF], &route.ifindex) || route.ifindex == 0 ||
	    !get_u32(metrics[RTAX_MTU], &route.mtu) ||
	    !get_gateway(attrs[RTA_GATEWAY], attrs[RTA_VIA], family, &route.gateway))
		return false;
	*out = route;
	return true;
}

bool nexthop_read_link(struct nlmsghdr *h, uint32_t ifindex, uint32_t *mtu, uint8_t own[NEXTHOP_LLADDR])
{
	struct nlattr *attrs[IFLA_MAX + 1];

	if (h->nlmsg_type != RTM_NEWLINK ||
	    nlmsg_parse(h, sizeof(struct ifinfomsg), attrs, IFLA_MAX, NULL) < 0)
		return false;
	const struct ifinfomsg *const ifi = nlmsg_data(h);

	if ((uint32_t)ifi->ifi_index != ifindex || ifi->ifi_type != ARPHRD_ETHER ||
	    (ifi->ifi_flags & (IFF_UP | IFF_LOOPBACK | IFF_POINTOPOINT)) != IFF_UP ||
	    !attrs[IFLA_ADDRESS] || nla_len(attrs[IFLA_ADDRESS]) != NEXTHOP_LLADDR ||
	    !get_u32(attrs[IFLA_MTU], mtu) || *mtu == 0)
		return false;
	memcpy(own, nla_data(attrs[IFLA_ADDRESS]), NEXTHOP_LLADDR);
	return true;
}

bool nexthop_read_neighbour(struct nlmsghdr *h, uint32_t ifindex, const struct ipsp_addr *addr,
			    uint8_t lladdr[NEXTHOP_LLADDR])
{
	static const uint8_t nobody[NEXTHOP_LLADDR];
	struct nlattr *attrs[NDA_MAX + 1];
	struct ipsp_addr who;

	if (h->nlmsg_type != RTM_NEWNEIGH ||
	    nlmsg_parse(h, sizeof(struct ndmsg), attrs, NDA_MAX, NULL) < 0)
		return false;
	const struct ndmsg *const ndm = nlmsg_data(h);

	if (ndm->ndm_family != af_of(addr->family) || (uint32_t)ndm->ndm_ifindex != ifindex ||
	    !(ndm->ndm_state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP)) ||
	    (ndm->ndm_flags & NTF_PROXY) || !attrs[NDA_DST] || !attrs[NDA_LLADDR] ||
	    nla_len(attrs[NDA_LLADDR]) != NEXTHOP_LLADDR ||
	    !get_addr(nla_data(attrs[NDA_DST]), nla_len(attrs[NDA_DST]), addr->family, &who) ||
	    memcmp(who.octets, addr->octets, ipsp_addr_size(addr->family)) != 0)
		return false;
	const uint8_t *const to = nla_data(attrs[NDA_LLADDR]);

	/* Neither nobody's nor a group's. */
	if ((to[0] & 1) || memcmp(to, nobody, sizeof(nobody)) == 0)
		return false;
	memcpy(lladdr, to, NEXTHOP_LLADDR);
	return true;
}
