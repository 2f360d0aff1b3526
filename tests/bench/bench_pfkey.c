/*
 * tests/bench/bench_pfkey.c - SAs through PF_KEY: a key manager and the engine process's server, each
 * a process of its own, on a real socket.
 *
 * The key manager has some requests under way and waits for each one's answer. The server's processor
 * time says what an SA costs it, whatever else runs.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pfkey/msg.h"
#include "tests/bench/bench.h"
#include "tests/bench/server.h"

#define UNDER_WAY 32u
#define SPI_FIRST 0x10000u

/* ---- the server ---- */

/* Seconds of its processor time so far. */
static double server_cpu_s(pid_t pid)
{
	char path[64], text[512];
	unsigned long user, system;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "r");

	bench_must(f && fgets(text, sizeof(text), f), path);
	fclose(f);
	const char *at = strrchr(text, ')');

	bench_must(at && sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
				&system) == 2, path);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* ---- the key manager ---- */

static size_t make_add(uint8_t *out, size_t size, uint32_t spi, bool one_peer)
{
	static const uint8_t octets[20] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	const struct pfkey_sa sa = { .spi = spi, .state = SADB_SASTATE_MATURE,
				     .encrypt = SADB_X_EALG_AES_GCM_ICV16 };
	const struct pfkey_address src = { .addr = { 4, { 192, 0, 2, 1 } } };
	const uint32_t host = one_peer ? 1 : spi;
	const struct pfkey_address dst = {
		.addr = { 4, { 10, (uint8_t)(host >> 16), (uint8_t)(host >> 8), (uint8_t)host } },
	};
	const struct pfkey_key key = { 160, octets };
	const struct pfkey_sa2 sa2 = { .mode = 2, .reqid = 1 };
	const struct pfkey_lifetime hard = { .add_s = 3600 };
	struct pfkey_writer w;

	pfkey_begin(&w, out, size, SADB_ADD, SADB_SATYPE_ESP, spi, 1);
	pfkey_put_sa(&w, &sa);
	pfkey_put_lifetime(&w, SADB_EXT_LIFETIME_HARD, &hard);
	pfkey_put_address(&w, SADB_EXT_ADDRESS_SRC, &src);
	pfkey_put_address(&w, SADB_EXT_ADDRESS_DST, &dst);
	pfkey_put_key(&w, SADB_EXT_KEY_ENCRYPT, &key);
	pfkey_put_sa2(&w, &sa2);
	return pfkey_end(&w);
}

static void take_answer(int fd, uint8_t type)
{
	uint8_t answer[PFKEY_MSG_MAX];
	const ssize_t n = recv(fd, answer, sizeof(answer), 0);

	bench_must(n >= (ssize_t)PFKEY_HEADER && answer[1] == type && answer[2] == 0, "answer");
}

/* SAs of n SPIs from first on, to a peer each or all to one. */
static void add_all(int fd, uint32_t first, uint32_t n, bool one_peer)
{
	uint8_t request[512];

	for (uint32_t i = 0; i < n + UNDER_WAY; i++) {
		if (i < n) {
			const size_t len = make_add(request, sizeof(request), first + i,
						    one_peer);

			bench_must(send(fd, request, len, 0) == (ssize_t)len, "send");
		}
		if (i >= UNDER_WAY)
			take_answer(fd, SADB_ADD);
	}
}

static void measure(int fd, pid_t server, uint32_t n, bool one_peer, const char *rate,
		    const char *cpu)
{
	const double cpu_s = server_cpu_s(server), wall_s = bench_wall_s();

	add_all(fd, SPI_FIRST + 1, n, one_peer);
	bench_line(n / (bench_wall_s() - wall_s), "1/s", "%s", rate);
	bench_line((server_cpu_s(server) - cpu_s) / n * 1e6, "us", "%s", cpu);
}

static void flush_all(int fd)
{
	uint8_t message[PFKEY_HEADER];
	struct pfkey_writer w;

	pfkey_begin(&w, message, sizeof(message), SADB_FLUSH, SADB_SATYPE_UNSPEC, 1, 1);
	const size_t len = pfkey_end(&w);

	bench_must(send(fd, message, len, 0) == (ssize_t)len, "send");
	take_answer(fd, SADB_FLUSH);
}

static uint32_t dump_all(int fd)
{
	uint8_t message[PFKEY_MSG_MAX];
	struct pfkey_writer w;
	struct pfkey_msg m;
	uint32_t n = 0;

	pfkey_begin(&w, message, sizeof(message), SADB_DUMP, SADB_SATYPE_UNSPEC, 1, 1);
	const size_t len = pfkey_end(&w);

	bench_must(send(fd, message, len, 0) == (ssize_t)len, "send");
	do {
		const ssize_t got = recv(fd, message, sizeof(message), 0);

		bench_must(got > 0 && pfkey_msg_read(message, (size_t)got, &m) == 0 && m.err == 0,
			   "dump");
		n++;
	} while (m.seq != 0);
	return n;
}

int main(void)
{
	const uint32_t n = bench_is_quick() ? 1000 : 100000;
	const struct sockaddr_un here = { .sun_family = AF_UNIX };
	const int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct sockaddr_un name;
	socklen_t len = sizeof(name);

	/* An abstract name that the kernel chooses. */
	bench_must(listener >= 0 && bind(listener, (const struct sockaddr *)&here,
					 sizeof(here.sun_family)) == 0 &&
		   listen(listener, 4) == 0 &&
		   getsockname(listener, (struct sockaddr *)&name, &len) == 0, "socket");
	const pid_t server = fork();

	bench_must(server >= 0, "fork");
	if (server == 0)
		bench_serve(listener);
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	bench_must(fd >= 0 && connect(fd, (const struct sockaddr *)&name, len) == 0, "connect");
	add_all(fd, SPI_FIRST, 1, false);	/* it has begun to serve */
	measure(fd, server, n, false, "pfkey.sas_per_s", "pfkey.cpu_us_per_sa");
	flush_all(fd);
	measure(fd, server, n, true, "pfkey.one_peer.sas_per_s", "pfkey.one_peer.cpu_us_per_sa");
	const double dump_s = bench_wall_s();
	const uint32_t dumped = dump_all(fd);

	bench_must(dumped == n, "all are dumped");
	bench_line(dumped / (bench_wall_s() - dump_s), "1/s", "pfkey.dumped_per_s");
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}
