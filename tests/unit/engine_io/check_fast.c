/*
 * tests/unit/engine_io/check_fast.c - which batches go by a packet socket, over a veth pair whose other end
 * receives them as its own IP finds good.
 */
#include "config.h"
#include <arpa/inet.h>
#include <check.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/egress.h"
#include "engine/io/fast.h"
#include "tests/unit/engine_io/netns.h"

#define MARK 0x1950
#define LEN 100u	/* of a packet, header included */

static int in_fd[2], out_fd;
static struct egress *e;
static struct fast *f;
static struct io_stats stats;
static uint8_t data[IO_BATCH + 1][2000];
static struct outer_send batch[IO_BATCH + 1];

/** One for there, that may go. */
static void make(size_t at, enum outer_family family)
{
	uint8_t *const p = data[at];
	const bool is4 = family == OUTER_IPV4;
	const struct ipsp_addr from = netns_addr(is4 ? "192.0.2.2" : "2001:db8::2"),
			       to = netns_addr(is4 ? "192.0.2.1" : "2001:db8::1");
	const size_t addrs = is4 ? 12 : 8, size = is4 ? 4 : 16;

	memset(p, 0, sizeof(data[at]));
	p[0] = is4 ? 0x45 : 0x60;
	p[is4 ? 3 : 5] = is4 ? LEN : LEN - 40;
	p[is4 ? 6 : 7] = 0x40;	/* DF, or hops */
	if (is4)
		p[8] = 64;
	p[is4 ? 9 : 6] = IPPROTO_ESP;
	memcpy(p + addrs, from.octets, size);
	memcpy(p + addrs + size, to.octets, size);
	batch[at] = (struct outer_send) { .data = p, .len = LEN };
}

static void make_all(size_t n, enum outer_family family)
{
	for (size_t i = 0; i < n; i++)
		make(i, family);
}

static void setup(void)
{
	netns_enter();
	netns_run("ip link add v0 address 02:00:00:00:00:01 type veth peer name v1; ip link set v0 up");
	netns_run("ip addr add 192.0.2.1/24 dev v0; ip addr add 2001:db8::1/64 dev v0 nodad");
	in_fd[OUTER_IPV4] = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ESP);
	in_fd[OUTER_IPV6] = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ESP);
	ck_assert(in_fd[OUTER_IPV4] >= 0 && in_fd[OUTER_IPV6] >= 0);
	netns_enter_with((const char *const[]){ "v1", NULL });
	netns_run("ip link set v1 up");
	netns_run("ip addr add 192.0.2.2/24 dev v1; ip addr add 2001:db8::2/64 dev v1 nodad");
	netns_run("ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev v1 nud permanent");
	netns_run("ip neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev v1 nud permanent");
	out_fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(out_fd, 0);
	ck_assert_int_eq(egress_new(MARK, 0, &e), 0);
	ck_assert_int_eq(fast_new(out_fd, MARK, e, &f), 0);
	memset(&stats, 0, sizeof(stats));
	fast_turn(f);
}

static void teardown(void)
{
	fast_free(f);
	egress_free(e);
}

static bool went(enum outer_family family, size_t n)
{
	size_t sent = 0;
	const bool did = fast_send(f, family, batch, n, &stats, &sent);

	ck_assert_uint_eq(sent, did ? n : 0);
	return did;
}

START_TEST(test_a_batch_arrives_as_its_receiver_finds_it_good)
{
	const enum outer_family family = (enum outer_family)_i;
	uint8_t got[2000];

	make_all(IO_BATCH, family);
	for (size_t i = 0; i < IO_BATCH; i++)
		data[i][LEN - 1] = (uint8_t)i;
	ck_assert(went(family, IO_BATCH));
	ck_assert_uint_eq(stats.fast, IO_BATCH);
	for (size_t i = 0; i < IO_BATCH; i++) {
		struct pollfd p = { .fd = in_fd[family], .events = POLLIN };

		/* IPv4 drops what has a wrong checksum. */
		ck_assert_int_eq(poll(&p, 1, 20000), 1);
		const ssize_t len = recv(in_fd[family], got, sizeof(got), 0);

		ck_assert_int_eq(len, family == OUTER_IPV4 ? LEN : LEN - 40);
		ck_assert_uint_eq(got[len - 1], i);
	}
}
END_TEST

static void is_clear(struct outer_send *p) { p->ifindex = 1; }
static void is_other(struct outer_send *p) { p->data[p->data[0] >> 4 == 4 ? 9 : 6] = IPPROTO_UDP; }
static void is_cut(struct outer_send *p) { p->len--; }
static void is_long(struct outer_send *p)
{
	p->len = 1501;
	p->data[p->data[0] >> 4 == 4 ? 2 : 4] = 1501 >> 8;
	p->data[p->data[0] >> 4 == 4 ? 3 : 5] = (uint8_t)(p->data[0] >> 4 == 4 ? 1501 : 1501 - 40);
}
static void is_local(struct outer_send *p)
{
	static const uint8_t local[] = { 0xfe, 0x80 };
	static const uint8_t elsewhere[] = { 198, 51, 100, 1 };

	if (p->data[0] >> 4 == 4)
		memcpy(p->data + 16, elsewhere, sizeof(elsewhere));	/* no route leads there */
	else
		memcpy(p->data + 24, local, sizeof(local));
}
static void is_fragment(struct outer_send *p)
{
	if (p->data[0] >> 4 == 4)
		p->data[6] = 0x60;
	else
		p->data[6] = IPPROTO_FRAGMENT;
}
static void may_be_cut(struct outer_send *p) { p->data[6] = p->data[0] >> 4 == 4 ? 0 : IPPROTO_HOPOPTS; }
static void has_long_header(struct outer_send *p)
{
	if (p->data[0] >> 4 == 4)
		p->data[0] = 0x44;
	else
		p->data[4] = 0xff;
}

static const struct {
	const char *name;
	void (*change)(struct outer_send *p);
} changes[] = {
	{ "pinned to an interface", is_clear }, { "not protected", is_other },
	{ "cut short", is_cut }, { "longer than its link", is_long },
	{ "of no plain next hop", is_local }, { "a fragment", is_fragment },
	{ "may be cut, or has a header before", may_be_cut }, { "malformed", has_long_header },
};
#define N_CHANGES (int)(sizeof(changes) / sizeof(changes[0]))

START_TEST(test_one_that_may_not_keeps_its_batch_and_the_rest_of_the_turn)
{
	const enum outer_family family = (enum outer_family)(_i % 2);
	const enum outer_family other = family == OUTER_IPV4 ? OUTER_IPV6 : OUTER_IPV4;

	make_all(8, family);
	changes[_i / 2].change(&batch[7]);
	ck_assert_msg(!went(family, 8), "%s", changes[_i / 2].name);
	ck_assert_uint_eq(stats.fast, 0);
	make(7, family);
	ck_assert(!went(family, 8));
	fast_turn(f);
	ck_assert(went(family, 8));
	make_all(8, other);
	ck_assert(went(other, 8));
	ck_assert_uint_eq(stats.fast, 16);
}
END_TEST

START_TEST(test_a_neighbour_that_is_not_sure_is_seen_when_a_turn_begins)
{
	const enum outer_family family = (enum outer_family)_i;
	const char *const who = family == OUTER_IPV4 ? "192.0.2.1" : "2001:db8::1";

	make_all(1, family);
	ck_assert(went(family, 1));
	netns_run("ip neigh change %s dev v1 nud stale", who);
	ck_assert(went(family, 1));
	fast_turn(f);
	ck_assert(!went(family, 1));
	netns_run("ip neigh change %s dev v1 nud reachable", who);
	ck_assert(!went(family, 1));
	fast_turn(f);
	ck_assert(went(family, 1));
}
END_TEST

START_TEST(test_more_than_a_batch_is_refused)
{
	make_all(IO_BATCH + 1, OUTER_IPV4);
	ck_assert(!went(OUTER_IPV4, IO_BATCH + 1));
}
END_TEST

int main(void)
{
	if (!netns_possible())
		return 77;
	Suite *s = suite_create("engine/io/fast");
	TCase *t = tcase_create("fast");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_a_batch_arrives_as_its_receiver_finds_it_good, 0, 2);
	tcase_add_loop_test(t, test_one_that_may_not_keeps_its_batch_and_the_rest_of_the_turn, 0,
			    2 * N_CHANGES);
	tcase_add_loop_test(t, test_a_neighbour_that_is_not_sure_is_seen_when_a_turn_begins, 0, 2);
	tcase_add_test(t, test_more_than_a_batch_is_refused);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
