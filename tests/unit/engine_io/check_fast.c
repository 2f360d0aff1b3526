/*
 * tests/unit/engine_io/check_fast.c - which batches go by a packet socket, with and without a ring, over a veth
 * pair whose other end receives them as its own IP finds good.
 */
#include "config.h"
#include <arpa/inet.h>
#include <check.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/egress.h"
#include "engine/io/fast.h"
#include "engine/io/nexthop.h"
#include "engine/io/ring.h"
#include "tests/unit/engine_io/netns.h"

#define MARK 0x1950
#define LEN 100u	/* of a packet, header included */

static int in_fd[2], out_fd;
static struct egress *e;
static struct fast *f;
static struct ring *ring;		/* f's; NULL: it has none */
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

static int packet_socket(int type)
{
	const int fd = socket(AF_PACKET, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void setup(bool with_ring)
{
	netns_enter();
	netns_run("ip link add v0 address 02:00:00:00:00:01 type veth peer name v1; ip link set v0 up mtu 3000");
	netns_run("ip addr add 192.0.2.1/24 dev v0; ip addr add 2001:db8::1/64 dev v0 nodad");
	in_fd[OUTER_IPV4] = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ESP);
	in_fd[OUTER_IPV6] = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ESP);
	ck_assert(in_fd[OUTER_IPV4] >= 0 && in_fd[OUTER_IPV6] >= 0);
	netns_enter_with((const char *const[]){ "v1", NULL });
	netns_run("ip link set v1 up");
	netns_run("ip addr add 192.0.2.2/24 dev v1; ip addr add 2001:db8::2/64 dev v1 nodad");
	netns_run("ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev v1 nud permanent");
	netns_run("ip neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev v1 nud permanent");
	out_fd = packet_socket(SOCK_DGRAM);
	ring = NULL;
	if (with_ring) {
		const int fd = packet_socket(SOCK_RAW);

		ck_assert_int_eq(ring_prepare(fd), 0);
		ck_assert_int_eq(ring_new(fd, &ring), 0);
	}
	ck_assert_int_eq(egress_new(MARK, 0, &e), 0);
	ck_assert_int_eq(fast_new(out_fd, ring, MARK, e, &f), 0);
	memset(&stats, 0, sizeof(stats));
	fast_turn(f);
}

static void setup_without(void) { setup(false); }
static void setup_with(void) { setup(true); }

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

/** The next that comes at the other end, by its last octet. */
static void arrives(enum outer_family family, size_t len, uint8_t last)
{
	struct pollfd p = { .fd = in_fd[family], .events = POLLIN };
	uint8_t got[2000];

	/* IPv4 drops what has a wrong checksum. */
	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	const ssize_t n = recv(in_fd[family], got, sizeof(got), 0);

	ck_assert_int_eq(n, (ssize_t)(family == OUTER_IPV4 ? len : len - 40));
	ck_assert_uint_eq(got[n - 1], last);
}

static size_t placed(void) { return ring ? ring->at : 0; }

START_TEST(test_a_batch_arrives_as_its_receiver_finds_it_good)
{
	const enum outer_family family = (enum outer_family)_i;

	make_all(IO_BATCH, family);
	for (size_t i = 0; i < IO_BATCH; i++)
		data[i][LEN - 1] = (uint8_t)i;
	ck_assert(went(family, IO_BATCH));
	ck_assert_uint_eq(stats.fast, IO_BATCH);
	for (size_t i = 0; i < IO_BATCH; i++)
		arrives(family, LEN, (uint8_t)i);
	ck_assert_uint_eq(placed(), ring ? IO_BATCH : 0);
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

/* ---- what a ring has of its own ---- */

START_TEST(test_a_ring_is_gone_around_and_nothing_lost)
{
	for (unsigned turn = 0; turn < 2 * RING_FRAMES / IO_BATCH + 1; turn++) {
		make_all(IO_BATCH, OUTER_IPV4);
		for (size_t i = 0; i < IO_BATCH; i++)
			data[i][LEN - 1] = (uint8_t)(turn + i);
		ck_assert(went(OUTER_IPV4, IO_BATCH));
		for (size_t i = 0; i < IO_BATCH; i++)
			arrives(OUTER_IPV4, LEN, (uint8_t)(turn + i));
	}
	ck_assert_uint_eq(placed(), IO_BATCH);
}
END_TEST

START_TEST(test_a_batch_with_a_packet_longer_than_a_frame_goes_by_the_socket)
{
	netns_run("ip link set v1 mtu 3000");
	fast_turn(f);
	make_all(3, OUTER_IPV4);
	batch[1].data = calloc(1, RING_PACKET_MAX + 1);
	batch[1].len = RING_PACKET_MAX + 1;
	memcpy(batch[1].data, data[0], LEN);
	batch[1].data[2] = (uint8_t)(batch[1].len >> 8);
	batch[1].data[3] = (uint8_t)batch[1].len;
	ck_assert(went(OUTER_IPV4, 3));
	ck_assert_uint_eq(placed(), 0);
	batch[1].data[3]--;
	batch[1].len--;
	ck_assert(went(OUTER_IPV4, 3));
	ck_assert_uint_eq(placed(), 3);
	free(batch[1].data);
}
END_TEST

START_TEST(test_packets_of_several_next_hops_go_to_each_in_order)
{
	static const uint8_t other[] = { 198, 51, 100, 1 };

	/* Nobody has that link address, so what goes there does not come. */
	netns_run("ip route add 198.51.100.1 via 192.0.2.9");
	netns_run("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev v1 nud permanent");
	fast_turn(f);
	make_all(6, OUTER_IPV4);
	for (size_t i = 0; i < 6; i++)
		data[i][LEN - 1] = (uint8_t)i;
	memcpy(data[2] + 16, other, sizeof(other));
	memcpy(data[3] + 16, other, sizeof(other));
	ck_assert(went(OUTER_IPV4, 6));
	ck_assert_uint_eq(placed(), 6);
	arrives(OUTER_IPV4, LEN, 0);
	arrives(OUTER_IPV4, LEN, 1);
	arrives(OUTER_IPV4, LEN, 4);
	arrives(OUTER_IPV4, LEN, 5);
}
END_TEST

START_TEST(test_a_ring_out_of_step_is_given_up_and_the_socket_sends)
{
	make_all(3, OUTER_IPV4);
	ck_assert(went(OUTER_IPV4, 3));
	ring->at += 7;
	ck_assert(went(OUTER_IPV4, 3));
	ck_assert(ring->is_lost);
	ring->at = 3;
	ck_assert(went(OUTER_IPV4, 3));
	ck_assert_uint_eq(stats.fast, 9);
	ck_assert_uint_eq(placed(), 3);
	for (size_t i = 0; i < 9; i++)
		arrives(OUTER_IPV4, LEN, 0);
}
END_TEST

/** The kernel is not done with a frame. */
static void set_under_way(size_t at, bool is)
{
	struct tpacket2_hdr *const h = (void *)(ring->memory + at * RING_FRAME);

	h->tp_status = is ? TP_STATUS_SENDING : TP_STATUS_AVAILABLE;
}

START_TEST(test_what_has_no_room_in_a_ring_goes_by_the_socket)
{
	set_under_way(5, true);
	make_all(8, OUTER_IPV4);
	for (size_t i = 0; i < 8; i++)
		data[i][LEN - 1] = (uint8_t)i;
	ck_assert(went(OUTER_IPV4, 8));
	ck_assert_uint_eq(placed(), 5);
	ck_assert(went(OUTER_IPV4, 1));
	ck_assert_uint_eq(placed(), 5);
	set_under_way(5, false);
	ck_assert(went(OUTER_IPV4, 1));
	ck_assert_uint_eq(placed(), 6);
	for (size_t i = 0; i < 8; i++)
		arrives(OUTER_IPV4, LEN, (uint8_t)i);
}
END_TEST

START_TEST(test_an_interface_that_is_gone_drops_its_own_and_leaves_nothing_behind)
{
	const struct nexthop gone = { .ifindex = 9999, .lladdr = { 2, 0, 0, 0, 0, 1 } };
	const struct nexthop here = {
		.ifindex = if_nametoindex("v1"), .lladdr = { 2, 0, 0, 0, 0, 1 }, .own = { 2, 0, 0, 0, 0, 2 },
	};
	const struct nexthop hops[] = { here, gone, gone, here };
	size_t sent;

	make_all(4, OUTER_IPV6);
	for (size_t i = 0; i < 4; i++)
		data[i][LEN - 1] = (uint8_t)i;
	ck_assert_uint_eq(ring_send(ring, OUTER_IPV6, hops, batch, 4, &stats, &sent), 4);
	ck_assert_uint_eq(sent, 2);
	ck_assert_uint_eq(stats.drops[IO_REASON_NO_ROUTE], 2);
	ck_assert_uint_eq(placed(), 2);
	arrives(OUTER_IPV6, LEN, 0);
	arrives(OUTER_IPV6, LEN, 3);
}
END_TEST

static void add_both(TCase *t)
{
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_a_batch_arrives_as_its_receiver_finds_it_good, 0, 2);
	tcase_add_loop_test(t, test_one_that_may_not_keeps_its_batch_and_the_rest_of_the_turn, 0,
			    2 * N_CHANGES);
	tcase_add_loop_test(t, test_a_neighbour_that_is_not_sure_is_seen_when_a_turn_begins, 0, 2);
	tcase_add_test(t, test_more_than_a_batch_is_refused);
}

int main(void)
{
	if (!netns_possible())
		return 77;
	Suite *s = suite_create("engine/io/fast");
	TCase *t = tcase_create("packet"), *r = tcase_create("ring");

	tcase_add_checked_fixture(t, setup_without, teardown);
	add_both(t);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(r, setup_with, teardown);
	add_both(r);
	tcase_add_test(r, test_a_ring_is_gone_around_and_nothing_lost);
	tcase_add_test(r, test_a_batch_with_a_packet_longer_than_a_frame_goes_by_the_socket);
	tcase_add_test(r, test_packets_of_several_next_hops_go_to_each_in_order);
	tcase_add_test(r, test_what_has_no_room_in_a_ring_goes_by_the_socket);
	tcase_add_test(r, test_a_ring_out_of_step_is_given_up_and_the_socket_sends);
	tcase_add_test(r, test_an_interface_that_is_gone_drops_its_own_and_leaves_nothing_behind);
	suite_add_tcase(s, r);
	SRunner *run = srunner_create(s);

	srunner_run_all(run, CK_NORMAL);
	const int failed = srunner_ntests_failed(run);

	srunner_free(run);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
