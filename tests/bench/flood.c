/*
 * tests/bench/flood.c - small UDP datagrams, many a system call, and how many of them arrive.
 *
 *	flood send ADDRESS PORT PAYLOAD PER-SECOND MILLISECONDS
 *	flood count PORT MILLISECONDS		prints what arrives in a second, once the first has
 *
 * As a server that leaves cutting to its device sends (UDP_SEGMENT), so that the sender costs little.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TRAIN 64	/* datagrams a call */
#define BUFFER (8 << 20)

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void set_option(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
		die("setsockopt");
}

static void send_flood(char **arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(arg[1])) };
	static char octets[TRAIN * 1024];
	const int size = atoi(arg[2]);
	const double per_s = atof(arg[3]), begin = now_s(), end = begin + atof(arg[4]) / 1000;
	double sent = 0;
	const int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (size < 1 || size > 1024 || inet_pton(AF_INET, arg[0], &to.sin_addr) != 1 || fd < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("send");
	set_option(fd, IPPROTO_UDP, UDP_SEGMENT, size);
	for (double now = begin; now < end; now = now_s()) {
		const struct timespec rest = { .tv_nsec = 50000 };

		if (sent > (now - begin) * per_s)
			nanosleep(&rest, NULL);
		else if (send(fd, octets, (size_t)(TRAIN * size), 0) >= 0 || errno == ENOBUFS ||
			 errno == ECONNREFUSED)
			sent += TRAIN;
		else
			die("send");
	}
}

/* How many datagrams are there: the kernel tells their size when it has put some together. */
static unsigned read_some(int fd)
{
	static char octets[65536];
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { octets, sizeof(octets) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	const ssize_t got = recvmsg(fd, &h, MSG_DONTWAIT);
	int size = 0;

	if (got <= 0)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			memcpy(&size, CMSG_DATA(c), sizeof(size));
	}
	return size > 0 ? (unsigned)((got + size - 1) / size) : 1;
}

static void count(char **arg)
{
	const struct sockaddr_in at = { .sin_family = AF_INET,
					.sin_port = htons((uint16_t)atoi(arg[0])) };
	struct pollfd p = { .fd = socket(AF_INET, SOCK_DGRAM, 0), .events = POLLIN };
	const int size = BUFFER;
	double n = 0;

	if (p.fd < 0 || bind(p.fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		die("count");
	(void)setsockopt(p.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	set_option(p.fd, IPPROTO_UDP, UDP_GRO, 1);
	if (poll(&p, 1, 10000) <= 0)
		die("nothing arrives");
	const double begin = now_s(), end = begin + atof(arg[1]) / 1000;

	while (now_s() < end) {
		const unsigned some = read_some(p.fd);

		n += some;
		if (some == 0)
			(void)poll(&p, 1, 10);
	}
	printf("%.0f\n", n / (now_s() - begin));
}

int main(int argc, char **argv)
{
	if (argc == 7 && strcmp(argv[1], "send") == 0) {
		send_flood(argv + 2);
	} else if (argc == 4 && strcmp(argv[1], "count") == 0) {
		count(argv + 2);
	} else {
		fprintf(stderr, "usage: flood send ADDRESS PORT PAYLOAD PER-SECOND MILLISECONDS\n"
				"       flood count PORT MILLISECONDS\n");
		return 2;
	}
	return 0;
}
