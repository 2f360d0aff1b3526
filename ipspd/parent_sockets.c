/*
 * ipspd/parent_sockets.c - the sockets that protected packets come and go by: raw ones, and UDP 4500.
 *
 * Each worker of the engine has its own. Which worker a packet comes to is the kernel's to say, by
 * filters that look at the SPI, as packets of one SA are to stay in order:
 *
 *	raw	each socket's filter lets the packets of its own SPIs in
 *	UDP	one program for all sockets of the port chooses among them, RFC 3948 2.1, 2.2
 */
#include "config.h"

#include "ipspd/parent.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/in6.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/ring.h"
#include "ipspd/log.h"
#include "ipspd/marks.h"

#define SOCKET_BUFFER (4 << 20)	/* octets: bursts of ESP while the engine has its turn elsewhere */
#define NO_SPI UINT32_MAX

/* ---- filters ---- */

static int set_filter(int fd, int option, struct sock_filter *code, size_t n)
{
	const struct sock_fprog program = { .len = (unsigned short)n, .filter = code };

	return setsockopt(fd, SOL_SOCKET, option, &program, sizeof(program)) < 0 ? -errno : 0;
}

/*
 * Only packets whose SPI is the worker's. A raw socket's filter sees an IPv4 packet with its header
 * (X: its length), and an IPv6 one without.
 */
static int keep_spis(int fd, int family, uint32_t spi_at, uint32_t worker, uint32_t n_workers)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LDX | BPF_IMM, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, spi_at),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n_workers),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, worker, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	if (family == AF_INET)
		code[0] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0);
	return set_filter(fd, SO_ATTACH_FILTER, code, sizeof(code) / sizeof(code[0]));
}

/*
 * The worker of the SPI, in the order in which the sockets were bound. What is too short for an SPI,
 * as a keepalive is, ends the program with 0: the first worker's. IKE, whose first word is 0, is for who
 * bound the port after all workers: ike, else a key manager of the same user that shares it (SO_REUSEPORT).
 * There may be none; then the kernel chooses a worker, who passes it over.
 */
static int choose_by_spi(int fd, uint32_t n_workers)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n_workers),
		BPF_STMT(BPF_RET | BPF_A, 0),
		BPF_STMT(BPF_RET | BPF_K, n_workers),
	};

	return set_filter(fd, SO_ATTACH_REUSEPORT_CBPF, code, sizeof(code) / sizeof(code[0]));
}

/* ---- raw sockets ---- */

/* What all of them have: our mark, so that neither guard nor steering touches what they send. */
static int open_marked(int family, int type, int protocol)
{
	const int mark = (int)IPSPD_MARK_BYPASS, size = SOCKET_BUFFER;
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	/* The usual bounds stay when the kernel does not give more. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static int include_header(int fd, int family)
{
	const int on = 1;
	const int rc = family == AF_INET ?
			       setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on)) :
			       setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof(on));

	return rc < 0 ? -errno : 0;
}

/* Of ICMP those that speak of paths alone. */
static int keep_errors(int fd, int family)
{
	const uint32_t not_unreachable = ~(1u << ICMP_DEST_UNREACH);
	struct icmp6_filter too_big;

	ICMP6_FILTER_SETBLOCKALL(&too_big);
	ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &too_big);
	const int rc = family == AF_INET ?
			       setsockopt(fd, SOL_RAW, ICMP_FILTER, &not_unreachable,
					  sizeof(not_unreachable)) :
			       setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &too_big,
					  sizeof(too_big));

	return rc < 0 ? -errno : 0;
}

static const struct raw_socket {
	enum engine_fd which;
	int family;
	int protocol;		/* IPPROTO_RAW: only to send, whole packets */
	uint32_t spi_at;	/* where the SPI stands; NO_SPI: all packets are the first worker's */
} raw_sockets[] = {
	{ ENGINE_FD_ESP4_IN, AF_INET, IPPROTO_ESP, 0 },
	{ ENGINE_FD_ESP6_IN, AF_INET6, IPPROTO_ESP, 0 },
	{ ENGINE_FD_AH4_IN, AF_INET, IPPROTO_AH, 4 },
	{ ENGINE_FD_AH6_IN, AF_INET6, IPPROTO_AH, 4 },
	{ ENGINE_FD_ICMP4, AF_INET, IPPROTO_ICMP, NO_SPI },
	{ ENGINE_FD_ICMP6, AF_INET6, IPPROTO_ICMPV6, NO_SPI },
	{ ENGINE_FD_RAW4_OUT, AF_INET, IPPROTO_RAW, NO_SPI },
	{ ENGINE_FD_RAW6_OUT, AF_INET6, IPPROTO_RAW, NO_SPI },
};

/* @return fd, or -errno */
static int open_raw(const struct raw_socket *r, uint32_t worker, uint32_t n_workers)
{
	int fd = open_marked(r->family, SOCK_RAW, r->protocol);

	if (fd < 0)
		return fd;
	int rc = 0;
	if (r->protocol == IPPROTO_RAW)
		rc = include_header(fd, r->family);
	else if (r->protocol == IPPROTO_ICMP || r->protocol == IPPROTO_ICMPV6)
		rc = keep_errors(fd, r->family);
	if (rc == 0 && n_workers > 1 && r->spi_at != NO_SPI)
		rc = keep_spis(fd, r->family, r->spi_at, worker, n_workers);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

/* Those of one kind, for the workers that have one. @return 0 or -errno */
static int open_raws(const struct raw_socket *r, struct engine_start *s)
{
	const bool one = r->protocol != IPPROTO_RAW && r->spi_at == NO_SPI;

	for (uint32_t worker = 0; worker < (one ? 1u : s->n_workers); worker++) {
		int fd = open_raw(r, worker, s->n_workers);

		if (fd < 0)
			return fd;
		s->fds[r->which][worker] = fd;
	}
	return 0;
}

/* ---- packet sockets to send ---- */

/*
 * Past the kernel's IP and its queue. It receives nothing, whatever is done to it later: who has it could
 * otherwise bind it to an interface and read along.
 */
static int open_fast(int type)
{
	struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	const int on = 1;
	int fd = open_marked(AF_PACKET, type, 0);

	if (fd < 0)
		return fd;
	int rc = set_filter(fd, SO_ATTACH_FILTER, nothing, 1);
	if (rc == 0 && (setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)) < 0 ||
			setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0))
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

int open_fasts(struct engine_start *s)
{
	for (uint32_t worker = 0; worker < s->n_workers; worker++) {
		int fd = open_fast(SOCK_DGRAM);

		if (fd < 0)
			return fd;
		s->fds[ENGINE_FD_FAST][worker] = fd;
	}
	return 0;
}

void open_rings(struct engine_start *s)
{
	for (uint32_t worker = 0; worker < s->n_workers; worker++) {
		int fd = open_fast(SOCK_RAW);
		int rc = fd < 0 ? fd : ring_prepare(fd);

		if (rc == 0) {
			s->fds[ENGINE_FD_RING][worker] = fd;
			continue;
		}
		if (fd >= 0)
			close(fd);
		ipspd_log(LOG_WARNING, "parent", "fast-send: ring: %s: packet sockets without rings send",
			  strerror(-rc));
		break;
	}
}

/* ---- UDP ---- */

/* @return fd, or -errno */
static int open_udp(int family, uint16_t port, bool shared)
{
	const int on = 1;
	const struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	const struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = open_marked(family, SOCK_DGRAM, 0);

	if (fd < 0)
		return fd;
	bool good = !shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0;
	if (good && family == AF_INET6)
		good = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0;
	if (good)
		good = family == AF_INET ?
			       bind(fd, (const struct sockaddr *)&any4, sizeof(any4)) == 0 :
			       bind(fd, (const struct sockaddr *)&any6, sizeof(any6)) == 0;
	if (!good) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

/* @return 0 or -errno, and none is open */
static int open_udps(enum engine_fd which, int family, struct engine_start *s)
{
	int rc = 0;

	for (uint32_t worker = 0; rc == 0 && worker < s->n_workers; worker++) {
		int fd = open_udp(family, ENGINE_UDP_PORT, true);

		if (fd < 0)
			rc = fd;
		else
			s->fds[which][worker] = fd;
	}
	if (rc == 0)
		rc = choose_by_spi(s->fds[which][0], s->n_workers);
	if (rc < 0)
		engine_start_close(s, which);
	return rc;
}

/* Another program may have the port: then SAs with UDP encapsulation receive nothing. */
static void try_udps(enum engine_fd which, int family, struct engine_start *s)
{
	int rc = open_udps(which, family, s);

	if (rc < 0 && rc != -EAFNOSUPPORT)
		ipspd_log(LOG_WARNING, "parent", "UDP port %d, IPv%d: %s: no ESP in UDP arrives",
			  ENGINE_UDP_PORT, family == AF_INET ? 4 : 6, strerror(-rc));
}

/* ---- IKE's ---- */

#define IKE_PORT 500

/* Says of each datagram to which address it came. @return fd, or -errno */
static int open_ike_udp(int family, uint16_t port, bool shared)
{
	const int on = 1;
	int fd = open_udp(family, port, shared);

	if (fd < 0)
		return fd;
	const int rc = family == AF_INET ?
			       setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) :
			       setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	if (rc < 0) {
		const int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int open_ike_sockets(const struct engine_start *engine, struct ike_start *s)
{
	const struct {
		enum ike_fd which;
		int family;
		uint16_t port;
		enum engine_fd beside;	/* those of the workers on the same port */
	} kinds[] = {
		{ IKE_FD_500_4, AF_INET, IKE_PORT, ENGINE_FDS },
		{ IKE_FD_500_6, AF_INET6, IKE_PORT, ENGINE_FDS },
		{ IKE_FD_4500_4, AF_INET, ENGINE_UDP_PORT, ENGINE_FD_UDP4 },
		{ IKE_FD_4500_6, AF_INET6, ENGINE_UDP_PORT, ENGINE_FD_UDP6 },
	};
	int n = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		/* Bound behind all of the workers', as choose_by_spi counts. */
		const bool shared = kinds[i].beside != ENGINE_FDS &&
				    engine->fds[kinds[i].beside][0] >= 0;
		int *const fd = &s->fds[kinds[i].which];

		if (*fd < 0)
			*fd = open_ike_udp(kinds[i].family, kinds[i].port, shared);
		if (*fd >= 0)
			n++;
		else if (*fd != -EAFNOSUPPORT)
			ipspd_log(LOG_WARNING, "parent", "UDP port %u, IPv%d: %s: no IKE by it",
				  kinds[i].port, kinds[i].family == AF_INET ? 4 : 6, strerror(-*fd));
		*fd = *fd < 0 ? -1 : *fd;
	}
	return n > 0 ? 0 : -EADDRINUSE;
}

void close_ike_sockets(struct ike_start *s)
{
	for (int i = 0; i < IKE_FDS; i++) {
		if (s->fds[i] >= 0)
			close(s->fds[i]);
		s->fds[i] = -1;
	}
}

int open_sockets(struct engine_start *s, const char **why)
{
	for (size_t i = 0; i < sizeof(raw_sockets) / sizeof(raw_sockets[0]); i++) {
		int rc = open_raws(&raw_sockets[i], s);

		/* A kernel without IPv6 has no such packets. */
		if (rc == -EAFNOSUPPORT && raw_sockets[i].family == AF_INET6)
			continue;
		if (rc < 0) {
			*why = "raw socket";
			return rc;
		}
	}
	try_udps(ENGINE_FD_UDP4, AF_INET, s);
	try_udps(ENGINE_FD_UDP6, AF_INET6, s);
	return 0;
}
