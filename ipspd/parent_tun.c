/*
 * ipspd/parent_tun.c - the TUN: a queue for each worker, offload, and what the kernel must know of it.
 */
#include "config.h"

#include "ipspd/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipspd/log.h"

/*
 * Whatever the routes need: how long a packet may be depends on its SA and the path of that, which the
 * engine alone knows. It answers what is too long (RFC 4301 8); a fixed MTU here would let the kernel cut
 * clear packets before, or refuse what fits.
 */
#define TUN_MTU 65535

/* TUN_F_USO4 and TUN_F_USO6 of <linux/if_tun.h>, since Linux 6.2. */
#define OFFLOAD_USO4 0x20ul
#define OFFLOAD_USO6 0x40ul

static void write_sysctl(const char *family, const char *ifname, const char *name,
			 const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, ifname, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		ipspd_log(LOG_WARNING, "tun", "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* The kernel takes the stricter of what stands for all devices and for this one. */
static void warn_of_path_filter(void)
{
	static const char path[] = "/proc/sys/net/ipv4/conf/all/rp_filter";
	char value = '0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, &value, 1) == 1 && value != '0')
		ipspd_log(LOG_WARNING, "tun", "%s is %c: the kernel may refuse IPv4 packets that "
			  "come out of the tunnel interface", path, value);
	if (fd >= 0)
		close(fd);
}

int tun_bring_up(const char *name, bool *was_down)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	bool good = ioctl(fd, SIOCGIFFLAGS, &ifr) == 0;
	*was_down = good && !(ifr.ifr_flags & IFF_UP);
	if (*was_down) {
		ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_UP);
		good = ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
	}
	int rc = good ? 0 : -errno;
	close(fd);
	return rc;
}

/* Up, with our MTU. @return 0 or -errno */
static int set_up(const char *ifname, uint32_t *ifindex)
{
	struct ifreq ifr = { .ifr_mtu = TUN_MTU };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool was_down;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	int rc = ioctl(fd, SIOCSIFMTU, &ifr) < 0 ? -errno : tun_bring_up(ifname, &was_down);
	if (rc == 0 && ioctl(fd, SIOCGIFINDEX, &ifr) < 0)
		rc = -errno;
	close(fd);
	if (rc == 0)
		*ifindex = (uint32_t)ifr.ifr_ifindex;
	return rc;
}

/* What the kernel may leave to us, and we to it. @return enum engine_offload bits, or -errno */
static int set_offload(int fd)
{
	const unsigned long base = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

	if (ioctl(fd, TUNSETOFFLOAD, base | OFFLOAD_USO4 | OFFLOAD_USO6) == 0)
		return ENGINE_OFFLOAD_TUN | ENGINE_OFFLOAD_UDP;
	return ioctl(fd, TUNSETOFFLOAD, base) == 0 ? ENGINE_OFFLOAD_TUN : -errno;
}

/* One queue, and with the first one the device. ifr: name and flags. @return fd, or -errno */
static int open_queue(struct ifreq *ifr, struct engine_start *s)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	int rc = ioctl(fd, TUNSETIFF, ifr) < 0 ? -errno : 0;
	if (rc == 0 && (ifr->ifr_flags & IFF_VNET_HDR)) {
		rc = set_offload(fd);
		if (rc >= 0)
			s->offload = (uint8_t)rc;
	}
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

int open_tun(const char *name, struct engine_start *s, const char **why)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int rc = 0;

	if (s->offload)
		ifr.ifr_flags |= IFF_VNET_HDR;
	if (s->n_workers > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	*why = "TUN";
	for (size_t worker = 0; worker < s->n_workers && rc == 0; worker++) {
		const short flags = ifr.ifr_flags;
		int fd = open_queue(&ifr, s);

		ifr.ifr_flags = flags;
		s->fds[ENGINE_FD_TUN][worker] = fd < 0 ? -1 : fd;
		rc = fd < 0 ? fd : 0;
	}
	if (rc == 0) {
		/* No addresses of its own; and packets that come out of it come from anywhere. Loose
		 * reverse path filtering (2) refuses those of a device without addresses. */
		write_sysctl("ipv6", ifr.ifr_name, "addr_gen_mode", "1");
		write_sysctl("ipv4", ifr.ifr_name, "rp_filter", "0");
		warn_of_path_filter();
		rc = set_up(ifr.ifr_name, &s->tun_ifindex);
	}
	if (rc < 0) {
		engine_start_close(s, ENGINE_FD_TUN);
		return rc;
	}
	memcpy(s->tun_name, ifr.ifr_name, sizeof(s->tun_name));
	s->tun_name[sizeof(s->tun_name) - 1] = '\0';
	s->tun_mtu = TUN_MTU;
	return 0;
}
