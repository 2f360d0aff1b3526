/*
 * Tests of ipspd/verdict_main.c: in a child of the test, what the engine may say to it. That verdicts are
 * the packets' is seen in tests/net/attach_queues.sh.
 */
#include "config.h"

#include <check.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/io/nfqueue.h"
#include "ipspd/roles.h"

/* What is sent to it, after the queues or in their place. */
struct saying {
	const char *name;
	size_t n_queues;
	struct nfqueue_verdict verdicts[NFQUEUE_VERDICTS_MAX + 1];
	size_t len;		/* octets of them */
	int status;		/* with which it ends */
};

static void send_queues(int fd, size_t n)
{
	int queues[NFQUEUE_QUEUES + 1];
	uint8_t octet = 0;
	struct iovec iov = { &octet, 1 };
	union {
		struct cmsghdr align;
		uint8_t octets[CMSG_SPACE(sizeof(queues))];
	} control;
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(&control, 0, sizeof(control));
	for (size_t i = 0; i < n; i++) {
		queues[i] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
		ck_assert_int_ge(queues[i], 0);
	}
	if (n > 0) {
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&h);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), queues, n * sizeof(int));
	}
	ck_assert_int_eq(sendmsg(fd, &h, 0), 1);
	for (size_t i = 0; i < n; i++)
		close(queues[i]);
}

/* @return with which status it ends, when all has been said */
static int say(const struct saying *s)
{
	int fds[2], status;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	send_queues(fds[0], s->n_queues);
	if (s->len)
		ck_assert_int_eq(send(fds[0], s->verdicts, s->len, 0), (ssize_t)s->len);
	const pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(fds[0]);
		_exit(verdict_main(fds[1]));
	}
	close(fds[1]);
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define GOOD { .id = 1, .dir = IPSP_INBOUND, .pass = 1 }, { .id = 2, .dir = IPSP_OUTBOUND }
#define SIZE sizeof(struct nfqueue_verdict)

static const struct saying sayings[] = {
	{ "nothing", NFQUEUE_QUEUES, { GOOD }, 0, EXIT_SUCCESS },
	/* The kernel has no such packets, which is nobody's fault. */
	{ "two verdicts", NFQUEUE_QUEUES, { GOOD }, 2 * SIZE, EXIT_SUCCESS },
	{ "no queues", 0, { GOOD }, 0, EXIT_FAILURE },
	{ "one queue", NFQUEUE_QUEUES - 1, { GOOD }, 0, EXIT_FAILURE },
	{ "three queues", NFQUEUE_QUEUES + 1, { GOOD }, 0, EXIT_FAILURE },
	{ "half a verdict", NFQUEUE_QUEUES, { GOOD }, 2 * SIZE - 1, EXIT_FAILURE },
	{ "of no direction", NFQUEUE_QUEUES, { GOOD, { .id = 3 } }, 3 * SIZE, EXIT_FAILURE },
	{ "of a third direction", NFQUEUE_QUEUES, { GOOD, { .id = 3, .dir = 3 } }, 3 * SIZE,
	  EXIT_FAILURE },
	{ "neither pass nor drop", NFQUEUE_QUEUES, { { .dir = IPSP_INBOUND, .pass = 2 } }, SIZE,
	  EXIT_FAILURE },
	{ "too many", NFQUEUE_QUEUES, { GOOD }, (NFQUEUE_VERDICTS_MAX + 1) * SIZE, EXIT_FAILURE },
};

START_TEST(test_it_ends_with_the_engine_or_with_what_no_engine_says)
{
	const int status = say(&sayings[_i]);

	ck_assert_msg(status == sayings[_i].status, "%s: %d", sayings[_i].name, status);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/verdict_main");
	TCase *tc = tcase_create("verdict");

	tcase_add_loop_test(tc, test_it_ends_with_the_engine_or_with_what_no_engine_says, 0,
			    sizeof(sayings) / sizeof(sayings[0]));
	suite_add_tcase(s, tc);
	SRunner *runner = srunner_create(s);

	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
