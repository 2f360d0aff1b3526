/* Tests of chan/chan.c: order, descriptors, the bounded queue, and that nonsense ends a channel. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chan/chan.h"

/* What one end has seen. */
struct seen {
	struct chan *chan;
	struct event_base *base;
	size_t messages;
	uint16_t last_type;
	size_t last_len;
	uint32_t next_number;	/* messages that begin with a number must count up */
	int taken_fd;
	bool free_in_message;
	bool free_in_closed;
	size_t closed;
	int why;
	size_t stop_after;
};

static struct event_base *base;
static int fds[2];

static void on_message(void *arg, struct chan_msg *m)
{
	struct seen *s = (struct seen *)arg;

	s->messages++;
	s->last_type = m->type;
	s->last_len = m->len;
	if (m->len >= 4) {
		struct chan_reader r = { .data = m->data, .len = m->len };

		ck_assert_uint_eq(chan_get_u32(&r), s->next_number++);
	}
	if (m->n_fds > 0) {
		s->taken_fd = m->fds[0];
		m->fds[0] = -1;
	}
	if (s->free_in_message)
		chan_free(s->chan);
	if (s->stop_after && s->messages == s->stop_after)
		event_base_loopbreak(s->base);
}

static void on_closed(void *arg, int why)
{
	struct seen *s = (struct seen *)arg;

	s->closed++;
	s->why = why;
	if (s->free_in_closed)
		chan_free(s->chan);
	event_base_loopbreak(s->base);
}

static void seen_open(struct seen *s, int fd)
{
	struct chan_handler h = { on_message, on_closed, s };

	memset(s, 0, sizeof(*s));
	s->base = base;
	s->taken_fd = -1;
	ck_assert_int_eq(chan_new(base, fd, &h, &s->chan), 0);
}

static void setup(void)
{
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	ck_assert_int_eq(chan_pair(fds), 0);
}

static void teardown(void)
{
	event_base_free(base);
}

static void run_pending(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

START_TEST(test_message_arrives_with_type_and_payload)
{
	struct seen a, b;

	seen_open(&a, fds[0]);
	seen_open(&b, fds[1]);
	ck_assert_int_eq(chan_send(a.chan, 7, "abc", 3, NULL, 0), 0);
	ck_assert_int_eq(chan_send(b.chan, 65535, NULL, 0, NULL, 0), 0);
	run_pending();
	ck_assert_uint_eq(b.messages, 1);
	ck_assert_uint_eq(b.last_type, 7);
	ck_assert_uint_eq(b.last_len, 3);
	ck_assert_uint_eq(a.last_type, 65535);
	ck_assert_uint_eq(a.last_len, 0);
	chan_free(a.chan);
	chan_free(b.chan);
}
END_TEST

START_TEST(test_slow_reader_gets_all_messages_in_order)
{
	enum { COUNT = 500 };
	static uint8_t payload[CHAN_PAYLOAD_MAX];
	struct seen a, b;

	seen_open(&a, fds[0]);
	seen_open(&b, fds[1]);
	for (uint32_t i = 0; i < COUNT; i++) {
		struct chan_writer w = { .data = payload, .size = sizeof(payload) };

		chan_put_u32(&w, i);
		ck_assert_int_eq(chan_send(a.chan, 1, payload, sizeof(payload), NULL, 0), 0);
	}
	ck_assert_uint_gt(chan_queued(a.chan), 0);
	b.stop_after = COUNT;
	event_base_dispatch(base);
	ck_assert_uint_eq(b.messages, COUNT);
	ck_assert_uint_eq(chan_queued(a.chan), 0);
	chan_free(a.chan);
	chan_free(b.chan);
}
END_TEST

START_TEST(test_full_queue_is_refused_and_loses_nothing_queued)
{
	static uint8_t payload[CHAN_PAYLOAD_MAX];
	struct seen a, b;
	uint32_t sent = 0;
	int rc;

	seen_open(&a, fds[0]);
	seen_open(&b, fds[1]);
	do {
		struct chan_writer w = { .data = payload, .size = sizeof(payload) };

		chan_put_u32(&w, sent);
		rc = chan_send(a.chan, 1, payload, sizeof(payload), NULL, 0);
		if (rc == 0)
			sent++;
	} while (rc == 0);
	ck_assert_int_eq(rc, -ENOBUFS);
	ck_assert_uint_le(chan_queued(a.chan), CHAN_QUEUE_MAX);
	ck_assert_uint_gt(chan_queued(a.chan), CHAN_QUEUE_MAX - 2 * CHAN_PAYLOAD_MAX);
	b.stop_after = sent;
	event_base_dispatch(base);
	ck_assert_uint_eq(b.messages, sent);
	chan_free(a.chan);
	chan_free(b.chan);
}
END_TEST

START_TEST(test_descriptor_is_passed_and_stays_with_its_taker)
{
	struct seen a, b;
	struct stat sent, got;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	seen_open(&a, fds[0]);
	seen_open(&b, fds[1]);
	ck_assert_int_eq(chan_send(a.chan, 1, NULL, 0, &null, 1), 0);
	ck_assert_int_eq(fstat(null, &sent), 0);
	close(null);
	run_pending();
	ck_assert_int_ge(b.taken_fd, 0);
	ck_assert_int_eq(fstat(b.taken_fd, &got), 0);
	ck_assert_uint_eq(sent.st_rdev, got.st_rdev);
	ck_assert_int_ne(fcntl(b.taken_fd, F_GETFD) & FD_CLOEXEC, 0);
	close(b.taken_fd);
	chan_free(a.chan);
	chan_free(b.chan);
}
END_TEST

START_TEST(test_descriptor_that_nobody_takes_is_closed)
{
	struct seen a, b;
	int p[2];
	char c;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	seen_open(&a, fds[0]);
	seen_open(&b, fds[1]);
	int two[2] = { STDIN_FILENO, p[1] };
	ck_assert_int_eq(chan_send(a.chan, 1, NULL, 0, two, 2), 0);
	close(p[1]);
	run_pending();
	ck_assert_uint_eq(b.messages, 1);
	ck_assert_int_eq(read(p[0], &c, 1), 0);	/* no writer is left */
	close(b.taken_fd);
	close(p[0]);
	chan_free(a.chan);
	chan_free(b.chan);
}
END_TEST

START_TEST(test_queued_descriptor_outlives_the_callers)
{
	static uint8_t payload[CHAN_PAYLOAD_MAX];
	struct seen a, b;
	uint32_t n = 0;

	seen_open(&a, fds[0]);
	seen_open(&b, fds[1]);
	while (chan_queued(a.chan) == 0) {
		struct chan_writer w = { .data = payload, .size = sizeof(payload) };

		chan_put_u32(&w, n++);
		ck_assert_int_eq(chan_send(a.chan, 1, payload, sizeof(payload), NULL, 0), 0);
	}
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(chan_send(a.chan, 2, NULL, 0, &null, 1), 0);
	close(null);
	b.stop_after = n + 1;
	event_base_dispatch(base);
	ck_assert_uint_eq(b.last_type, 2);
	ck_assert_int_ge(b.taken_fd, 0);
	close(b.taken_fd);
	chan_free(a.chan);
	chan_free(b.chan);
}
END_TEST

START_TEST(test_too_large_is_refused)
{
	static uint8_t payload[CHAN_PAYLOAD_MAX + 1];
	int many[CHAN_FDS_MAX + 1] = { 0 };
	struct seen a;

	seen_open(&a, fds[0]);
	ck_assert_int_eq(chan_send(a.chan, 1, payload, sizeof(payload), NULL, 0), -EMSGSIZE);
	ck_assert_int_eq(chan_send(a.chan, 1, NULL, 0, many, CHAN_FDS_MAX + 1), -EMSGSIZE);
	chan_free(a.chan);
	close(fds[1]);
}
END_TEST

START_TEST(test_other_end_gone_is_told_once_after_its_last_message)
{
	struct seen a, b;

	seen_open(&a, fds[0]);
	seen_open(&b, fds[1]);
	ck_assert_int_eq(chan_send(b.chan, 1, "xyz", 3, NULL, 0), 0);	/* b leaves with this unread */
	ck_assert_int_eq(chan_send(a.chan, 5, NULL, 0, NULL, 0), 0);
	chan_free(b.chan);
	event_base_dispatch(base);
	ck_assert_uint_eq(a.messages, 1);
	ck_assert_uint_eq(a.closed, 1);
	ck_assert_int_eq(a.why, 0);
	ck_assert_int_eq(chan_send(a.chan, 1, NULL, 0, NULL, 0), -EPIPE);
	ck_assert_int_eq(chan_send(NULL, 1, NULL, 0, NULL, 0), -EPIPE);
	run_pending();
	ck_assert_uint_eq(a.closed, 1);
	chan_free(a.chan);
}
END_TEST

START_TEST(test_send_to_nobody_is_epipe_and_told_from_the_loop)
{
	struct seen a;

	seen_open(&a, fds[0]);
	close(fds[1]);
	ck_assert_int_eq(chan_send(a.chan, 1, NULL, 0, NULL, 0), -EPIPE);
	ck_assert_uint_eq(a.closed, 0);
	event_base_dispatch(base);
	ck_assert_uint_eq(a.closed, 1);
	chan_free(a.chan);
}
END_TEST

START_TEST(test_channel_may_be_freed_in_its_message_callback)
{
	struct seen a;
	static const uint8_t msg[8] = { CHAN_VERSION, 0, 0, 1 };

	seen_open(&a, fds[0]);
	a.free_in_message = true;
	ck_assert_int_eq(send(fds[1], msg, sizeof(msg), 0), sizeof(msg));
	ck_assert_int_eq(send(fds[1], msg, sizeof(msg), 0), sizeof(msg));
	run_pending();
	ck_assert_uint_eq(a.messages, 1);
	ck_assert_uint_eq(a.closed, 0);
	close(fds[1]);
}
END_TEST

START_TEST(test_channel_may_be_freed_in_its_closed_callback)
{
	struct seen a;

	seen_open(&a, fds[0]);
	a.free_in_closed = true;
	close(fds[1]);
	event_base_dispatch(base);
	ck_assert_uint_eq(a.closed, 1);
}
END_TEST

static const struct {
	const char *name;
	uint8_t octets[16];
	size_t len;
} malformed[] = {
	{ "shorter than a header", { CHAN_VERSION, 0, 0, 1, 0, 0, 0 }, 7 },
	{ "another version", { CHAN_VERSION + 1, 0, 0, 1, 0, 0, 0, 0 }, 8 },
	{ "reserved octet set", { CHAN_VERSION, 1, 0, 1, 0, 0, 0, 0 }, 8 },
	{ "length too large", { CHAN_VERSION, 0, 0, 1, 0, 0, 0, 3, 1, 2 }, 10 },
	{ "length too small", { CHAN_VERSION, 0, 0, 1, 0, 0, 0, 1, 1, 2 }, 10 },
	{ "length of all ones", { CHAN_VERSION, 0, 0, 1, 0xff, 0xff, 0xff, 0xff }, 8 },
};

START_TEST(test_malformed_message_ends_the_channel)
{
	struct seen a;

	seen_open(&a, fds[0]);
	ck_assert_int_eq(send(fds[1], malformed[_i].octets, malformed[_i].len, 0),
			 (ssize_t)malformed[_i].len);
	event_base_dispatch(base);
	ck_assert_msg(a.messages == 0, "%s", malformed[_i].name);
	ck_assert_uint_eq(a.closed, 1);
	ck_assert_int_eq(a.why, -EBADMSG);
	ck_assert_int_eq(chan_send(a.chan, 1, NULL, 0, NULL, 0), -EPIPE);
	chan_free(a.chan);
	close(fds[1]);
}
END_TEST

START_TEST(test_message_larger_than_any_of_ours_ends_the_channel)
{
	static uint8_t big[8 + CHAN_PAYLOAD_MAX + 1] = { CHAN_VERSION, 0, 0, 1, 0, 0, 0xf0, 0x01 };
	struct seen a;

	seen_open(&a, fds[0]);
	ck_assert_int_eq(send(fds[1], big, sizeof(big), 0), sizeof(big));
	event_base_dispatch(base);
	ck_assert_uint_eq(a.messages, 0);
	ck_assert_int_eq(a.why, -EBADMSG);
	chan_free(a.chan);
	close(fds[1]);
}
END_TEST

static void send_with_fds(int to, size_t n)
{
	static uint8_t msg[8] = { CHAN_VERSION, 0, 0, 1 };
	static char control[CMSG_SPACE(sizeof(int) * (CHAN_FDS_MAX + 5))];
	struct iovec iov = { msg, sizeof(msg) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			     .msg_controllen = CMSG_SPACE(sizeof(int) * n) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int) * n);
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(cm) + i * sizeof(int), &to, sizeof(to));
	ck_assert_int_eq(sendmsg(to, &mh, 0), sizeof(msg));
}

static size_t open_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(test_more_descriptors_than_allowed_end_the_channel_and_leak_none)
{
	struct seen a;

	seen_open(&a, fds[0]);
	send_with_fds(fds[1], CHAN_FDS_MAX + 5);
	size_t before = open_fds();
	event_base_dispatch(base);
	ck_assert_uint_eq(a.messages, 0);
	ck_assert_int_eq(a.why, -EBADMSG);
	ck_assert_uint_eq(open_fds(), before);
	chan_free(a.chan);
	close(fds[1]);
}
END_TEST

START_TEST(test_descriptors_of_a_malformed_message_are_closed)
{
	struct seen a;
	uint8_t bad[8] = { CHAN_VERSION, 9 };

	seen_open(&a, fds[0]);
	size_t before = open_fds();
	int copy = dup(STDIN_FILENO);
	struct iovec iov = { bad, sizeof(bad) };
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(sizeof(int))];
	} control = { .octets = { 0 } };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.octets,
			     .msg_controllen = sizeof(control.octets) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &copy, sizeof(copy));
	ck_assert_int_eq(sendmsg(fds[1], &mh, 0), sizeof(bad));
	close(copy);
	event_base_dispatch(base);
	ck_assert_uint_eq(a.messages, 0);
	ck_assert_uint_eq(open_fds(), before);
	chan_free(a.chan);
	close(fds[1]);
}
END_TEST

START_TEST(test_another_kind_of_socket_is_refused)
{
	struct chan_handler h = { on_message, on_closed, NULL };
	struct chan *c = NULL;
	int stream[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
	ck_assert_int_eq(chan_new(base, stream[0], &h, &c), -EPROTOTYPE);
	ck_assert_ptr_null(c);
	close(stream[0]);
	close(stream[1]);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chan/chan");
	TCase *tc = tcase_create("chan");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_message_arrives_with_type_and_payload);
	tcase_add_test(tc, test_slow_reader_gets_all_messages_in_order);
	tcase_add_test(tc, test_full_queue_is_refused_and_loses_nothing_queued);
	tcase_add_test(tc, test_descriptor_is_passed_and_stays_with_its_taker);
	tcase_add_test(tc, test_descriptor_that_nobody_takes_is_closed);
	tcase_add_test(tc, test_queued_descriptor_outlives_the_callers);
	tcase_add_test(tc, test_too_large_is_refused);
	tcase_add_test(tc, test_other_end_gone_is_told_once_after_its_last_message);
	tcase_add_test(tc, test_send_to_nobody_is_epipe_and_told_from_the_loop);
	tcase_add_test(tc, test_channel_may_be_freed_in_its_message_callback);
	tcase_add_test(tc, test_channel_may_be_freed_in_its_closed_callback);
	tcase_add_loop_test(tc, test_malformed_message_ends_the_channel, 0,
			    sizeof(malformed) / sizeof(malformed[0]));
	tcase_add_test(tc, test_message_larger_than_any_of_ours_ends_the_channel);
	tcase_add_test(tc, test_more_descriptors_than_allowed_end_the_channel_and_leak_none);
	tcase_add_test(tc, test_descriptors_of_a_malformed_message_are_closed);
	tcase_add_test(tc, test_another_kind_of_socket_is_refused);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
