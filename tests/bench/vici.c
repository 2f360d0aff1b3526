/*
 * tests/bench/vici.c - has strongSwan initiate: IKE SAs, each with a Child SA, by its control socket "vici".
 *
 *	vici SOCKET CHILD N UNDER-WAY
 *
 * Says how many seconds it took until all were there. Its messages: a length in four octets, a type, then, of a
 * request, its name and sections, lists and values, of which "initiate" takes values alone.
 */
#include "config.h"

#include <endian.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define UNDER_WAY_MAX 64
#define CMD_REQUEST 0
#define CMD_RESPONSE 1
#define KEY_VALUE 3
#define ANSWER_MAX 4096

struct message {
	size_t len;
	uint8_t octets[512];
};

static void put(struct message *m, const void *octets, size_t len)
{
	bench_must(m->len + len <= sizeof(m->octets), "a request is too long");
	memcpy(m->octets + m->len, octets, len);
	m->len += len;
}

static void put_value(struct message *m, const char *key, const char *value)
{
	const uint8_t head[] = { KEY_VALUE, (uint8_t)strlen(key) };
	const uint16_t len = htobe16((uint16_t)strlen(value));

	put(m, head, sizeof(head));
	put(m, key, strlen(key));
	put(m, &len, sizeof(len));
	put(m, value, strlen(value));
}

static void make_initiate(struct message *m, const char *child)
{
	static const char name[] = "initiate";
	const uint8_t head[] = { 0, 0, 0, 0, CMD_REQUEST, sizeof(name) - 1 };
	uint32_t len;

	put(m, head, sizeof(head));
	put(m, name, sizeof(name) - 1);
	put_value(m, "child", child);
	put_value(m, "timeout", "0");	/* until it is there */
	put_value(m, "loglevel", "-1");
	len = htobe32((uint32_t)m->len - 4);
	memcpy(m->octets, &len, sizeof(len));
}

static int connect_to(const char *path)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	bench_must(strlen(path) < sizeof(to.sun_path), path);
	memcpy(to.sun_path, path, strlen(path) + 1);
	bench_must(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0, path);
	return fd;
}

static void read_whole(int fd, uint8_t *out, size_t len)
{
	while (len > 0) {
		const ssize_t n = read(fd, out, len);

		bench_must(n > 0, "an answer");
		out += n;
		len -= (size_t)n;
	}
}

static void take_answer(int fd)
{
	static const char good[] = "success\0\3yes";
	uint8_t answer[ANSWER_MAX];
	uint32_t len;

	read_whole(fd, (uint8_t *)&len, sizeof(len));
	len = be32toh(len);
	bench_must(len > 0 && len <= sizeof(answer), "an answer's length");
	read_whole(fd, answer, len);
	bench_must(answer[0] == CMD_RESPONSE && memmem(answer, len, good, sizeof(good) - 1),
		   "strongSwan initiates");
}

int main(int argc, char **argv)
{
	bench_must(argc == 5, "arguments");
	const uint32_t wanted = (uint32_t)atoi(argv[3]);
	const int n_fds = atoi(argv[4]);
	struct pollfd fds[UNDER_WAY_MAX];
	struct message request = { 0 };
	uint32_t begun = 0, made = 0;

	bench_must(n_fds > 0 && n_fds <= UNDER_WAY_MAX, "how many under way");
	make_initiate(&request, argv[2]);
	for (int i = 0; i < n_fds; i++)
		fds[i] = (struct pollfd){ .fd = connect_to(argv[1]), .events = POLLIN };
	const double began_s = bench_wall_s();

	for (int i = 0; i < n_fds && begun < wanted; i++, begun++)
		bench_must(write(fds[i].fd, request.octets, request.len) == (ssize_t)request.len, "write");
	while (made < wanted) {
		bench_must(poll(fds, (nfds_t)n_fds, 60000) > 0, "it is stuck");
		for (int i = 0; i < n_fds; i++) {
			if (!fds[i].revents)
				continue;
			take_answer(fds[i].fd);
			made++;
			if (begun == wanted)
				continue;
			begun++;
			bench_must(write(fds[i].fd, request.octets, request.len) ==
				   (ssize_t)request.len, "write");
		}
	}
	printf("%.6f\n", bench_wall_s() - began_s);
	return 0;
}
