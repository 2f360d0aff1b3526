/* ipspd/local_addrs.c - which addresses are this device's: see local_addrs.h. */
#include "config.h"

#include "ipspd/local_addrs.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct local_addrs {
	int fd;			/* tells of changes */
	bool known;
	struct ipsp_addr *items;	/* ordered */
	size_t n;
};

static int cmp(const void *a, const void *b)
{
	return ipsp_addr_cmp(a, b);
}

static bool take(const struct sockaddr *sa, struct ipsp_addr *out)
{
	*out = (struct ipsp_addr){ 0 };
	if (sa && sa->sa_family == AF_INET) {
		out->family = 4;
		memcpy(out->octets, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa && sa->sa_family == AF_INET6) {
		out->family = 6;
		memcpy(out->octets, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	}
	return out->family != 0;
}

static bool read_all(struct local_addrs *l)
{
	struct ifaddrs *list;
	size_t room = 0;

	if (getifaddrs(&list) < 0)
		return false;
	for (const struct ifaddrs *i = list; i; i = i->ifa_next)
		room++;
	struct ipsp_addr *items = calloc(room + 1, sizeof(*items));

	if (items) {
		free(l->items);
		l->items = items;
		l->n = 0;
		for (const struct ifaddrs *i = list; i; i = i->ifa_next)
			l->n += take(i->ifa_addr, &items[l->n]);
		qsort(items, l->n, sizeof(*items), cmp);
	}
	freeifaddrs(list);
	return items != NULL;
}

/* Also when messages were lost: then one says so. */
static bool has_changed(struct local_addrs *l)
{
	uint8_t octets[4096];
	bool changed = false;

	while (recv(l->fd, octets, sizeof(octets), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		changed = true;
	return changed;
}

bool local_addrs_has(struct local_addrs *l, const struct ipsp_addr *a)
{
	if (has_changed(l))
		l->known = false;
	if (!l->known)
		l->known = read_all(l);
	return l->known && bsearch(a, l->items, l->n, sizeof(*l->items), cmp) != NULL;
}

int local_addrs_new(struct local_addrs **out)
{
	const struct sockaddr_nl groups = { .nl_family = AF_NETLINK,
					    .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	struct local_addrs *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (l->fd < 0 || bind(l->fd, (const struct sockaddr *)&groups, sizeof(groups)) < 0) {
		const int err = -errno;

		local_addrs_free(l);
		return err;
	}
	*out = l;
	return 0;
}

void local_addrs_free(struct local_addrs *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	free(l->items);
	free(l);
}
