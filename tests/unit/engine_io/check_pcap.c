/*
 * tests/unit/engine_io/check_pcap.c - the bump in the wire, its verdicts given by the test.
 *
 *	far:  red-far 10.1.0.2/16			black-far 192.0.2.254/24
 *	here: red (a route to 10.1.0.0/16)		black 192.0.2.1/24
 *
 * Packet sockets at the far ends are the judges: what a verdict lets go must arrive, in the frame it is
 * due, and nothing else. Every packet has a text of its own as payload.
 */
#include "config.h"
#include <arpa/inet.h>
#include <check.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/pcap.h"
#include "tests/unit/engine_io/netns.h"
#include "tests/unit/engine_io/packets.h"

#define MARK 0x1950u
#define WAIT_MS 20000
#define HEAD 14u

static const uint8_t host_mac[6] = { 2, 0, 0, 0, 0, 1 }, router_mac[6] = { 2, 0, 0, 0, 0, 2 };

static struct io_attachment *a;
static struct ipsp_packet packets[IO_BATCH];
static uint8_t rooms[IO_BATCH][IO_ROOM];
static int far[2];		/* by side */
static int far_virtio[2];	/* likewise, with a header of virtio before each frame */
static uint8_t own_mac[2][6];

static int packet_socket(const char *name, bool for_engine)
{
	const struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
					.sll_ifindex = (int)if_nametoindex(name) };
	const struct packet_mreq promiscuous = { .mr_ifindex = at.sll_ifindex,
						 .mr_type = PACKET_MR_PROMISC };
	const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	ck_assert_int_ge(fd, 0);
	if (for_engine) {
		ck_assert_int_eq(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
		ck_assert_int_eq(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	}
	ck_assert_int_eq(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous,
				    sizeof(promiscuous)), 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static int raw_out(void)
{
	const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	const uint32_t mark = MARK;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	return fd;
}

static void learn_mac(const char *name, uint8_t mac[6])
{
	struct sockaddr_ll at;
	socklen_t size = sizeof(at);
	const int fd = packet_socket(name, false);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	memcpy(mac, at.sll_addr, 6);
	close(fd);
}

static void setup(void)
{
	struct pcap_config config = { .udp_fd = { -1, -1 }, .mark = MARK };

	netns_enter();
	netns_run("ip link add red-far type veth peer name red; ip link set red-far up");
	netns_run("ip link add black-far type veth peer name black; ip link set black-far up");
	netns_run("ip addr add 10.1.0.2/16 dev red-far; ip addr add 192.0.2.254/24 dev black-far");
	far[PCAP_RED] = packet_socket("red-far", false);
	far[PCAP_BLACK] = packet_socket("black-far", false);
	far_virtio[PCAP_RED] = packet_socket("red-far", true);
	far_virtio[PCAP_BLACK] = packet_socket("black-far", true);
	netns_enter_with((const char *const[]){ "red", "black", NULL });
	netns_run("ip link set red up; ip link set black up; ip addr add 192.0.2.1/24 dev black");
	netns_run("ip route add 10.1.0.0/16 dev red; ip route add default via 192.0.2.254");
	learn_mac("red", own_mac[PCAP_RED]);
	learn_mac("black", own_mac[PCAP_BLACK]);
	config.ifindex[PCAP_RED] = if_nametoindex("red");
	config.ifindex[PCAP_BLACK] = if_nametoindex("black");
	config.frames_fd[PCAP_RED] = packet_socket("red", true);
	config.frames_fd[PCAP_BLACK] = packet_socket("black", true);
	config.ah_in_fd[0] = config.ah_in_fd[1] = -1;
	config.esp_in_fd[0] = config.esp_in_fd[1] = config.raw_out_fd[1] = -1;
	config.raw_out_fd[0] = raw_out();
	ck_assert_int_eq(pcap_attach(&config, &a), 0);
	for (size_t i = 0; i < IO_BATCH; i++) {
		packets[i].room = rooms[i];
		packets[i].room_len = IO_ROOM;
	}
}

static void teardown(void)
{
	a->ops->free(a);
	close(far[PCAP_RED]);
	close(far[PCAP_BLACK]);
	close(far_virtio[PCAP_RED]);
	close(far_virtio[PCAP_BLACK]);
}

static const enum pcap_side other_side[] = { [PCAP_RED] = PCAP_BLACK, [PCAP_BLACK] = PCAP_RED };

/** Puts a frame on the link of a side. dst NULL: as from one neighbour to the other. */
static void put_frame(enum pcap_side side, const uint8_t *dst, uint16_t type, const uint8_t *data,
		      uint32_t len)
{
	uint8_t frame[4000];

	memcpy(frame, dst ? dst : side == PCAP_RED ? router_mac : host_mac, 6);
	memcpy(frame + 6, side == PCAP_RED ? host_mac : router_mac, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	memcpy(frame + HEAD, data, len);
	ck_assert_int_eq(send(far[side], frame, HEAD + len, 0), (ssize_t)(HEAD + len));
}

/** A UDP packet with that payload. */
static void put_text(enum pcap_side side, const uint8_t *dst, const char *text)
{
	uint8_t p[200] = { 0 };
	const uint32_t len = 28 + (uint32_t)strlen(text);

	packets_header(p, 4, 17, len);
	memcpy(p + 28, text, strlen(text));
	put_frame(side, dst, 0x0800, p, len);
}

/** The next frame at the far end with that text in it; nothing of the test may come before it. */
static uint32_t hear(enum pcap_side side, const char *text, uint8_t frame[4000])
{
	for (;;) {
		struct pollfd p = { .fd = far[side], .events = POLLIN };
		struct sockaddr_ll from;
		socklen_t size = sizeof(from);

		ck_assert_msg(poll(&p, 1, WAIT_MS) == 1, "\"%s\" does not come", text);
		const ssize_t n = recvfrom(far[side], frame, 4000, 0, (struct sockaddr *)&from,
					   &size);

		ck_assert_int_gt(n, 0);
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (memmem(frame, (size_t)n, text, strlen(text)))
			return (uint32_t)n;
		ck_assert_msg(!memmem(frame, (size_t)n, "never", 5), "before \"%s\"", text);
	}
}

/** Reads of that side until the packet with that text comes; others are given up. */
static struct ipsp_packet *read_text(enum pcap_side side, const char *text)
{
	struct io_source sources[IO_SOURCES_MAX];

	ck_assert_uint_eq(a->ops->sources(a, sources), 2);
	ck_assert_int_eq(sources[side].dir, side == PCAP_RED ? IPSP_OUTBOUND : IPSP_INBOUND);
	ck_assert_uint_eq(sources[side].inside_ifindex, if_nametoindex("red"));
	for (;;) {
		struct pollfd p = { .fd = sources[side].fd, .events = POLLIN };

		ck_assert_msg(poll(&p, 1, WAIT_MS) == 1, "\"%s\" does not come", text);
		const size_t n = a->ops->read(a, side, packets, IO_BATCH);

		for (size_t i = 0; i < n; i++) {
			ck_assert(!memmem(packets[i].data, packets[i].len, "never", 5));
			if (memmem(packets[i].data, packets[i].len, text, strlen(text)))
				return &packets[i];
		}
	}
}

static enum ipsp_dir dir_from(enum pcap_side side)
{
	return side == PCAP_RED ? IPSP_OUTBOUND : IPSP_INBOUND;
}

static void pass(enum pcap_side side, struct ipsp_packet *p, enum ipsp_verdict verdict)
{
	p->verdict = (uint8_t)verdict;
	a->ops->write(a, dir_from(side), p, 1);
}

START_TEST(test_bypassed_packet_crosses_in_its_frame)
{
	const enum pcap_side from = (enum pcap_side)_i;
	uint8_t frame[4000];

	put_text(from, NULL, "across");
	struct ipsp_packet *p = read_text(from, "across");

	ck_assert_uint_eq(p->ifindex, if_nametoindex("black"));
	ck_assert_uint_eq(p->flags, IPSP_PKT_PASSING);
	ck_assert_uint_ge(p->data - p->room, IPSP_HEADROOM);
	ck_assert_uint_ge(p->room + p->room_len - (p->data + p->len), IPSP_TAILROOM);
	pass(from, p, IPSP_VERDICT_BYPASS);
	hear(other_side[from], "across", frame);
	ck_assert_mem_eq(frame, from == PCAP_RED ? router_mac : host_mac, 6);
	ck_assert_mem_eq(frame + 6, from == PCAP_RED ? host_mac : router_mac, 6);
	ck_assert_uint_eq(frame[HEAD + 8], 64);
	ck_assert_uint_eq(a->stats.packets_out[dir_from(from) - 1], 1);
}
END_TEST

static const enum ipsp_verdict no_verdicts[2][2] = {
	[PCAP_RED] = { IPSP_VERDICT_DROP, IPSP_VERDICT_DELIVER },
	[PCAP_BLACK] = { IPSP_VERDICT_DROP, IPSP_VERDICT_ESP_OUT },
};

START_TEST(test_other_verdicts_let_nothing_cross)
{
	const enum pcap_side from = (enum pcap_side)_i;
	uint8_t frame[4000];

	for (size_t i = 0; i < 2; i++) {
		put_text(from, NULL, "nevermore");
		struct io_source sources[IO_SOURCES_MAX];

		a->ops->sources(a, sources);
		for (size_t n = 0; n == 0;) {
			struct pollfd wait = { .fd = sources[from].fd, .events = POLLIN };

			ck_assert_int_eq(poll(&wait, 1, WAIT_MS), 1);
			n = a->ops->read(a, from, packets, IO_BATCH);
			for (size_t j = 0; j < n; j++)
				packets[j].verdict = (uint8_t)no_verdicts[from][i];
			a->ops->write(a, dir_from(from), packets, n);
			if (n && !memmem(packets[n - 1].data, packets[n - 1].len, "never", 5))
				n = 0;
		}
	}
	put_text(from, NULL, "behind it");
	pass(from, read_text(from, "behind it"), IPSP_VERDICT_BYPASS);
	hear(other_side[from], "behind it", frame);
}
END_TEST

START_TEST(test_esp_in_transport_mode_stays_in_its_frame_and_a_tunnels_does_not)
{
	static struct ipsp_sa sa;
	uint8_t frame[4000];

	put_text(PCAP_RED, NULL, "transport");
	struct ipsp_packet *p = read_text(PCAP_RED, "transport");

	sa.mode = IPSP_MODE_TRANSPORT;
	p->sa = &sa;
	pass(PCAP_RED, p, IPSP_VERDICT_ESP_OUT);
	hear(PCAP_BLACK, "transport", frame);
	ck_assert_mem_eq(frame + 6, host_mac, 6);

	put_text(PCAP_RED, NULL, "tunnel");
	p = read_text(PCAP_RED, "tunnel");
	sa.mode = IPSP_MODE_TUNNEL;
	p->sa = &sa;
	/* 192.0.2.1 to 192.0.2.254: whom the kernel asks for. */
	p->data[19] = 254;
	pass(PCAP_RED, p, IPSP_VERDICT_ESP_OUT);
	hear(PCAP_BLACK, "tunnel", frame);
	ck_assert_mem_eq(frame + 6, own_mac[PCAP_BLACK], 6);
}
END_TEST

START_TEST(test_what_came_out_of_a_tunnel_goes_to_its_receiver_on_red)
{
	uint8_t frame[4000];
	struct ipsp_packet *const p = &packets[0];

	*p = (struct ipsp_packet){ .room = rooms[0], .room_len = IO_ROOM,
				   .data = rooms[0] + IPSP_HEADROOM, .len = 40 };
	memset(p->data, 0, p->len);
	packets_header(p->data, 4, 17, 40);
	memcpy(p->data + 16, netns_addr("10.1.0.2").octets, 4);
	memcpy(p->data + 28, "out of ESP", 10);
	/* What raw sockets read in the clear is the kernel's. */
	pass(PCAP_BLACK, p, IPSP_VERDICT_BYPASS);
	ck_assert_uint_eq(a->stats.packets_out[IPSP_INBOUND - 1], 0);
	pass(PCAP_BLACK, p, IPSP_VERDICT_DELIVER);
	hear(PCAP_RED, "out of ESP", frame);
	ck_assert_mem_eq(frame + 6, own_mac[PCAP_RED], 6);
}
END_TEST

START_TEST(test_arp_crosses_and_other_protocols_do_not)
{
	const enum pcap_side from = (enum pcap_side)_i;
	uint8_t arp[60] = { 0, 1, 8, 0, 6, 4, 0, 2, [8] = 'a', 'r', 'p', '!', [40] = 'x' };
	uint8_t odd[60] = { 0, 1, 8, 0, 8, 4, 0, 2, [8] = 'n', 'e', 'v', 'e', 'r' };
	uint8_t tagged[64] = { 0, 7, 8, 0 }, frame[4000];

	packets_header(tagged + 4, 4, 17, 40);
	memcpy(tagged + 32, "never", 5);
	put_frame(from, NULL, 0x88b5, odd, sizeof(odd));
	put_frame(from, NULL, 0x0806, odd, sizeof(odd));
	put_frame(from, NULL, 0x8100, tagged, sizeof(tagged));
	put_frame(from, NULL, 0x0806, arp, sizeof(arp));
	put_text(from, NULL, "a packet");
	pass(from, read_text(from, "a packet"), IPSP_VERDICT_BYPASS);
	ck_assert_uint_eq(hear(other_side[from], "arp!", frame), HEAD + 28);
	hear(other_side[from], "a packet", frame);
	ck_assert_uint_eq(a->stats.drops[IO_REASON_NOT_IP], 3);
}
END_TEST

START_TEST(test_a_header_with_a_wrong_checksum_is_dropped)
{
	const enum pcap_side from = (enum pcap_side)_i;
	uint8_t p[60] = { 0 }, frame[4000];

	packets_header(p, 4, 50, sizeof(p));
	memcpy(p + 40, "never", 5);
	p[11] ^= 1;
	put_frame(from, NULL, 0x0800, p, sizeof(p));
	put_text(from, NULL, "behind it");
	pass(from, read_text(from, "behind it"), IPSP_VERDICT_BYPASS);
	hear(other_side[from], "behind it", frame);
	ck_assert_uint_eq(a->stats.drops[IO_REASON_IP_CHECKSUM], 1);
}
END_TEST

/* SCTP's checksum, left to the device: it is not a sum, and nobody here can finish it. */
START_TEST(test_an_unfinished_checksum_of_another_kind_is_dropped)
{
	const enum pcap_side from = (enum pcap_side)_i;
	uint8_t f[sizeof(struct virtio_net_hdr) + HEAD + 60] = { 0 }, frame[4000];
	const struct virtio_net_hdr virtio = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = HEAD + 20, .csum_offset = 8,
	};
	uint8_t *const head = f + sizeof(virtio), *const p = head + HEAD;

	memcpy(f, &virtio, sizeof(virtio));
	memcpy(head, from == PCAP_RED ? router_mac : host_mac, 6);
	memcpy(head + 6, from == PCAP_RED ? host_mac : router_mac, 6);
	head[12] = 8;
	packets_header(p, 4, 132, 60);
	memcpy(p + 40, "never", 5);
	ck_assert_int_eq(send(far_virtio[from], f, sizeof(f), 0), (ssize_t)sizeof(f));
	put_text(from, NULL, "behind it");
	pass(from, read_text(from, "behind it"), IPSP_VERDICT_BYPASS);
	hear(other_side[from], "behind it", frame);
	ck_assert_uint_eq(a->stats.drops[IO_REASON_OFFLOAD], 1);
}
END_TEST

START_TEST(test_frames_for_this_machine_are_the_kernels)
{
	const enum pcap_side from = (enum pcap_side)_i;

	put_text(from, own_mac[from], "never");
	put_text(from, NULL, "behind it");
	(void)read_text(from, "behind it");
}
END_TEST

START_TEST(test_a_packet_too_big_for_black_is_told_its_sender)
{
	uint8_t p[1400] = { 0 }, frame[4000];

	netns_run("ip link set black mtu 1300");
	ck_assert(a->ops->changed(a));
	packets_header(p, 4, 17, sizeof(p));
	p[6] = 0x40;
	packets_header_sum(p);
	memcpy(p + 28, "never", 5);
	put_frame(PCAP_RED, NULL, 0x0800, p, sizeof(p));
	struct io_source sources[IO_SOURCES_MAX];

	a->ops->sources(a, sources);
	for (size_t n = 0; n == 0 || packets[n - 1].len < sizeof(p);) {
		struct pollfd wait = { .fd = sources[PCAP_RED].fd, .events = POLLIN };

		ck_assert_int_eq(poll(&wait, 1, WAIT_MS), 1);
		n = a->ops->read(a, PCAP_RED, packets, 1);
	}
	ck_assert_uint_eq(packets[0].link_mtu, 1300);
	ck_assert_uint_eq(a->ops->path_mtu(a, NULL), 1300);
	/* What the engine makes of it goes back where it came from. */
	pass(PCAP_RED, &packets[0], IPSP_VERDICT_ERROR);
	hear(PCAP_RED, "never", frame);
	ck_assert_mem_eq(frame, host_mac, 6);
	ck_assert_mem_eq(frame + 6, router_mac, 6);

	/* What must not be cut is not, whatever the engine said; without DF it is. */
	packets[0].path_mtu = 1300;
	pass(PCAP_RED, &packets[0], IPSP_VERDICT_BYPASS);
	ck_assert_uint_eq(a->stats.drops[IO_REASON_PATH_TOO_BIG], 1);
	p[6] = 0;
	packets_header_sum(p);
	memcpy(p + 28, "front", 5);
	memcpy(p + 1390, "back", 4);
	put_frame(PCAP_RED, NULL, 0x0800, p, sizeof(p));
	struct ipsp_packet *const long_one = read_text(PCAP_RED, "front");

	long_one->path_mtu = 1300;
	pass(PCAP_RED, long_one, IPSP_VERDICT_BYPASS);
	ck_assert_uint_eq(hear(PCAP_BLACK, "front", frame), HEAD + 20 + 1280);
	ck_assert_uint_eq(frame[HEAD + 6], 0x20);
	ck_assert_uint_eq(hear(PCAP_BLACK, "back", frame), HEAD + 20 + 100);
	ck_assert_uint_eq(frame[HEAD + 6] << 8 | frame[HEAD + 7], 160);
}
END_TEST

START_TEST(test_the_end_of_an_interface_is_seen)
{
	ck_assert(a->ops->changed(a));
	netns_run("ip link set %s down; ip link set %s up", _i ? "black" : "red",
		  _i ? "black" : "red");
	ck_assert(a->ops->changed(a));
	netns_run("ip link del %s", _i ? "black" : "red");
	ck_assert(!a->ops->changed(a));
}
END_TEST

START_TEST(test_our_address_is_the_one_towards_the_peer)
{
	const struct ipsp_addr peer = netns_addr("198.51.100.9"), host = netns_addr("10.1.0.2");
	const struct ipsp_addr want = netns_addr("192.0.2.1");
	struct ipsp_addr local = { 0 };

	ck_assert_int_eq(a->ops->local_addr(a, &peer, &local), IPSP_OK);
	ck_assert_int_eq(ipsp_addr_cmp(&local, &want), 0);
	/* RED is no way to a peer. */
	ck_assert_int_eq(a->ops->local_addr(a, &host, &local), IPSP_ENOENT);
}
END_TEST

int main(void)
{
	if (!netns_possible())
		return 77;
	Suite *s = suite_create("engine/io/pcap");
	TCase *t = tcase_create("pcap");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_bypassed_packet_crosses_in_its_frame, 0, 2);
	tcase_add_loop_test(t, test_other_verdicts_let_nothing_cross, 0, 2);
	tcase_add_test(t, test_esp_in_transport_mode_stays_in_its_frame_and_a_tunnels_does_not);
	tcase_add_test(t, test_what_came_out_of_a_tunnel_goes_to_its_receiver_on_red);
	tcase_add_loop_test(t, test_arp_crosses_and_other_protocols_do_not, 0, 2);
	tcase_add_loop_test(t, test_a_header_with_a_wrong_checksum_is_dropped, 0, 2);
	tcase_add_loop_test(t, test_an_unfinished_checksum_of_another_kind_is_dropped, 0, 2);
	tcase_add_loop_test(t, test_frames_for_this_machine_are_the_kernels, 0, 2);
	tcase_add_test(t, test_a_packet_too_big_for_black_is_told_its_sender);
	tcase_add_loop_test(t, test_the_end_of_an_interface_is_seen, 0, 2);
	tcase_add_test(t, test_our_address_is_the_one_towards_the_peer);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
