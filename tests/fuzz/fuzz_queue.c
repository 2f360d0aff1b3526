/*
 * tests/fuzz/fuzz_queue.c - any datagrams as of the kernel's packet queues.
 *
 * Messages, one behind the other: two octets of its length, of which the highest bit says the queue, and it.
 * Whatever comes, each packet has its room to itself, and each that was taken gets one verdict: to pass only
 * if it was given out and bypassed.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/nfqueue.h"
#include "tests/fuzz/fuzz.h"

#define MESSAGE_MAX 0x7fffu

static struct io_attachment *a;
static struct io_attachment outside;
static struct ipsp_packet packets[IO_BATCH];
static uint8_t rooms[IO_BATCH][IO_ROOM];
static int kernel[NFQUEUE_QUEUES], verdicts;

static size_t no_sources(const struct io_attachment *o, struct io_source out[IO_SOURCES_MAX])
{
	(void)o;
	(void)out;
	return 0;
}

static void no_write(struct io_attachment *o, enum ipsp_dir dir, struct ipsp_packet *p, size_t n)
{
	(void)o;
	(void)dir;
	for (size_t i = 0; i < n; i++)
		must(p[i].verdict != IPSP_VERDICT_BYPASS);
}

static const struct io_attachment_ops outside_ops = { .sources = no_sources, .write = no_write };

static void init(void)
{
	struct nfqueue_config config;
	int fds[2];

	for (int i = 0; i < NFQUEUE_QUEUES; i++) {
		must(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) == 0);
		kernel[i] = fds[0];
		config.queue_fd[i] = fds[1];
	}
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
	verdicts = fds[0];
	config.verdict_fd = fds[1];
	outside.ops = &outside_ops;
	must(nfqueue_attach(&config, &outside, &a) == 0);
}

/* Judges every other packet BYPASS. @return how many */
static size_t judge(enum ipsp_dir dir)
{
	size_t passing = 0;

	for (size_t i = 0; i < IO_BATCH; i++)
		packets[i] = (struct ipsp_packet) { .room = rooms[i], .room_len = IO_ROOM };
	const size_t n = a->ops->read(a, (size_t)dir - 1, packets, IO_BATCH);

	for (size_t i = 0; i < n; i++) {
		struct ipsp_packet *const p = &packets[i];

		must(p->data - p->room >= IPSP_HEADROOM && p->len > 0 && p->ifindex != 0);
		must(p->len + IPSP_TAILROOM <= (size_t)(p->room + p->room_len - p->data));
		for (size_t j = 0; j < i; j++)
			must(packets[j].room != p->room && packets[j].mark != p->mark);
		p->verdict = i % 2 ? IPSP_VERDICT_DROP : IPSP_VERDICT_BYPASS;
		passing += i % 2 == 0;
	}
	a->ops->write(a, dir, packets, n);
	return passing;
}

static size_t count_passing(enum ipsp_dir dir, size_t *n)
{
	struct nfqueue_verdict got[NFQUEUE_VERDICTS_MAX];
	size_t passing = 0;

	*n = 0;
	for (ssize_t len; (len = recv(verdicts, got, sizeof(got), MSG_DONTWAIT)) > 0;) {
		must((size_t)len % sizeof(got[0]) == 0);
		for (size_t i = 0; i < (size_t)len / sizeof(got[0]); i++) {
			must(got[i].dir == dir && got[i].pass <= 1);
			passing += got[i].pass;
			++*n;
		}
	}
	return passing;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!a)
		init();
	while (size > 2) {
		const unsigned said = (unsigned)data[0] << 8 | data[1];
		const enum ipsp_dir dir = said & 0x8000 ? IPSP_OUTBOUND : IPSP_INBOUND;
		size_t len = said & MESSAGE_MAX, n;

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		if (len == 0)
			continue;
		must(send(kernel[dir - 1], data, len, 0) == (ssize_t)len);
		const size_t passing = judge(dir);

		must(count_passing(dir, &n) == passing && n <= 1);
		data += len;
		size -= len;
	}
	return 0;
}
