/* tests/unit/engine_io/check_merge.c - packets of a flow joined: what may be, what may not, what comes out. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/merge.h"
#include "engine/io/vnet.h"
#include "tests/unit/engine_io/packets.h"

#define ROOM 2048
#define PACKETS 200
#define OPTIONS 12u
#define TCP 6
#define UDP 17

static uint8_t rooms[PACKETS][ROOM];
static uint32_t lens[PACKETS];
static size_t n_made;

/* What was written. */
static struct {
	struct virtio_net_hdr vnet;
	uint8_t octets[65536];
	uint32_t len;
	size_t packets;
} wrote[PACKETS];
static size_t n_wrote;

static void put(uint8_t *p, uint32_t v, size_t n)
{
	while (n > 0) {
		p[--n] = (uint8_t)v;
		v >>= 8;
	}
}

static uint32_t get(const uint8_t *p, size_t n)
{
	uint32_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

static void on_write(void *ctx, const struct iovec *iov, size_t n, size_t packets)
{
	(void)ctx;
	ck_assert_uint_lt(n_wrote, PACKETS);
	ck_assert_uint_ge(n, 2);
	ck_assert_uint_eq(iov[0].iov_len, sizeof(struct virtio_net_hdr));
	memcpy(&wrote[n_wrote].vnet, iov[0].iov_base, sizeof(struct virtio_net_hdr));
	wrote[n_wrote].len = 0;
	for (size_t i = 1; i < n; i++) {
		ck_assert_uint_le(wrote[n_wrote].len + iov[i].iov_len, 65535);
		memcpy(wrote[n_wrote].octets + wrote[n_wrote].len, iov[i].iov_base, iov[i].iov_len);
		wrote[n_wrote].len += (uint32_t)iov[i].iov_len;
	}
	wrote[n_wrote++].packets = packets;
}

static uint32_t l4_of(int family)
{
	return family == 4 ? 20 : 40;
}

static uint32_t headers_of(int family, uint8_t proto)
{
	return l4_of(family) + (proto == TCP ? 20 + OPTIONS : 8);
}

/* IPv4's own checksum and that of TCP or UDP. */
static void set_sums(uint8_t *p, uint32_t len, int family, uint8_t proto)
{
	const uint32_t l4 = l4_of(family), at = l4 + (proto == TCP ? 16 : 6);
	uint32_t sum;

	if (family == 4) {
		put(p + 10, 0, 2);
		put(p + 10, ~packets_sum(0, p, 20), 2);
	}
	put(p + at, 0, 2);
	sum = packets_sum(len - l4 + proto, p + (family == 4 ? 12 : 8), family == 4 ? 8 : 32);
	sum = ~packets_sum(sum, p + l4, len - l4) & 0xffff;
	put(p + at, sum ? sum : 0xffff, 2);
}

/* The next packet of a flow whose payloads are all of size octets but for this one's. */
static uint8_t *make(int family, uint8_t proto, uint32_t number, uint32_t size, uint32_t payload)
{
	const uint32_t headers = headers_of(family, proto), l4 = l4_of(family);
	uint8_t *const p = rooms[n_made];

	memset(p, 0, ROOM);
	lens[n_made] = headers + payload;
	packets_header(p, family, proto, headers + payload);
	if (family == 4) {
		put(p + 4, 0xfffe + number, 2);
		put(p + 6, 0x4000, 2);
	}
	put(p + l4, 4000, 2);
	put(p + l4 + 2, 5000, 2);
	if (proto == TCP) {
		put(p + l4 + 4, 0xfffff000u + number * size, 4);
		put(p + l4 + 8, 77, 4);
		p[l4 + 12] = (20 + OPTIONS) / 4 << 4;
		p[l4 + 13] = 0x10;
		put(p + l4 + 14, 1000, 2);
		memset(p + l4 + 20, 1, OPTIONS);
	} else {
		put(p + l4 + 4, payload + 8, 2);
	}
	for (uint32_t i = 0; i < payload; i++)
		p[headers + i] = (uint8_t)(number * 31 + i);
	set_sums(p, lens[n_made], family, proto);
	n_made++;
	return p;
}

static struct merger merger;

static void setup(void)
{
	merge_init(&merger, true, on_write, NULL);
	n_made = n_wrote = 0;
}

static void join_all(void)
{
	for (size_t i = 0; i < n_made; i++)
		merge_add(&merger, rooms[i], lens[i]);
	merge_flush(&merger);
}

static const struct {
	const char *name;
	int family;
	uint8_t proto, gso_type;
} kinds[] = {
	{ "TCP over IPv4", 4, TCP, VIRTIO_NET_HDR_GSO_TCPV4 },
	{ "TCP over IPv6", 6, TCP, VIRTIO_NET_HDR_GSO_TCPV6 },
	{ "UDP over IPv4", 4, UDP, VNET_GSO_UDP_L4 },
	{ "UDP over IPv6", 6, UDP, VNET_GSO_UDP_L4 },
};

#define N_KINDS (int)(sizeof(kinds) / sizeof(kinds[0]))

START_TEST(test_packets_of_a_flow_become_one_with_their_payloads_in_order)
{
	const int family = kinds[_i].family;
	const uint8_t proto = kinds[_i].proto;
	const uint32_t headers = headers_of(family, proto), l4 = l4_of(family);
	static uint8_t first[ROOM];
	uint8_t *p;

	memcpy(first, make(family, proto, 0, 1000, 1000), ROOM);
	make(family, proto, 1, 1000, 1000);
	make(family, proto, 2, 1000, 300);
	if (proto == TCP) {
		rooms[2][l4 + 13] |= 0x08;
		set_sums(rooms[2], lens[2], family, proto);
	}
	join_all();
	ck_assert_uint_eq(n_wrote, 1);
	p = wrote[0].octets;
	ck_assert_uint_eq(wrote[0].packets, 3);
	ck_assert_uint_eq(wrote[0].len, headers + 2300);
	ck_assert_uint_eq(get(p + (family == 4 ? 2 : 4), 2), family == 4 ? headers + 2300 :
			  headers + 2300 - 40);
	for (uint32_t i = 0; i < 2300; i++)
		ck_assert_uint_eq(p[headers + i], (uint8_t)(i / 1000 * 31 + i % 1000));
	ck_assert_uint_eq(wrote[0].vnet.gso_type, kinds[_i].gso_type);
	ck_assert_uint_eq(wrote[0].vnet.gso_size, 1000);
	ck_assert_uint_eq(wrote[0].vnet.hdr_len, headers);
	ck_assert_uint_eq(wrote[0].vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(wrote[0].vnet.csum_start, l4);
	ck_assert_uint_eq(wrote[0].vnet.csum_offset, proto == TCP ? 16 : 6);
	/* Finished as a device would, the checksum is right. */
	put(p + l4 + wrote[0].vnet.csum_offset, ~packets_sum(0, p + l4, wrote[0].len - l4), 2);
	ck_assert(packets_sums_right(p, wrote[0].len, l4, proto));
	if (proto == TCP) {
		ck_assert_uint_eq(p[l4 + 13], 0x18);
		ck_assert_mem_eq(p + l4, first + l4, 13);
		ck_assert_mem_eq(p + l4 + 20, first + l4 + 20, OPTIONS);
	} else {
		ck_assert_uint_eq(get(p + l4 + 4, 2), 2308);
	}
}
END_TEST

START_TEST(test_one_packet_alone_is_written_as_it_is)
{
	static uint8_t before[ROOM];

	make(kinds[_i].family, kinds[_i].proto, 0, 500, 500);
	memcpy(before, rooms[0], ROOM);
	join_all();
	ck_assert_uint_eq(n_wrote, 1);
	ck_assert_uint_eq(wrote[0].vnet.flags, 0);
	ck_assert_uint_eq(wrote[0].vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	ck_assert_uint_eq(wrote[0].len, lens[0]);
	ck_assert_mem_eq(wrote[0].octets, before, lens[0]);
}
END_TEST

/* What changes in the second of two packets, and keeps it apart: an octet, before its checksums. */
static const struct {
	const char *name;
	int family;
	uint8_t proto;
	uint32_t at;
	uint8_t set;
} apart[] = {
	{ "another source address", 4, TCP, 15, 9 },
	{ "another source address", 6, UDP, 23, 9 },
	{ "another source port", 4, TCP, 21, 9 },
	{ "another destination port", 6, TCP, 43, 9 },
	{ "another TOS", 4, TCP, 1, 4 },
	{ "congestion experienced", 4, UDP, 1, 3 },
	{ "another TTL", 4, TCP, 8, 9 },
	{ "another traffic class", 6, TCP, 1, 0x40 },
	{ "another flow label", 6, TCP, 3, 1 },
	{ "another hop limit", 6, UDP, 7, 9 },
	{ "no DF", 4, TCP, 6, 0 },
	{ "a number that no cutting makes", 4, TCP, 5, 0x77 },
	{ "a number that no cutting makes", 4, UDP, 5, 0x77 },
	{ "a gap in the sequence", 4, TCP, 27, 1 },
	{ "another acknowledgement", 4, TCP, 31, 1 },
	{ "another window", 6, TCP, 40 + 15, 1 },
	{ "an urgent pointer", 6, TCP, 40 + 19, 1 },
	{ "other options", 4, TCP, 20 + 31, 0 },
	{ "FIN", 4, TCP, 33, 0x11 },
	{ "SYN", 4, TCP, 33, 0x12 },
	{ "RST", 4, TCP, 33, 0x14 },
	{ "URG", 4, TCP, 33, 0x30 },
	{ "ECE", 4, TCP, 33, 0x50 },
	{ "CWR", 6, TCP, 53, 0x90 },
	{ "no ACK", 6, TCP, 53, 0 },
	{ "a reserved flag", 6, TCP, 52, 0x81 },
	{ "headers of another length", 4, TCP, 32, 0x70 },
	{ "headers longer than the packet", 4, TCP, 32, 0xf0 },
	{ "a UDP length that is not the packet's", 4, UDP, 25, 8 },
	{ "more fragments", 4, UDP, 6, 0x20 },
	{ "IPv4 options", 4, TCP, 0, 0x46 },
	{ "a length that is not the packet's", 4, TCP, 3, 1 },
	{ "extension headers", 6, TCP, 6, 0 },
	{ "another protocol", 4, TCP, 9, 132 },
};

START_TEST(test_packets_that_differ_stay_apart)
{
	const int family = apart[_i].family;
	const uint8_t proto = apart[_i].proto;
	static uint8_t before[2][ROOM];

	make(family, proto, 0, 100, 100);
	make(family, proto, 1, 100, 100);
	ck_assert_uint_ne(rooms[1][apart[_i].at], apart[_i].set);
	rooms[1][apart[_i].at] = apart[_i].set;
	set_sums(rooms[1], lens[1], family, proto);
	memcpy(before, rooms, sizeof(before));
	join_all();
	ck_assert_msg(n_wrote == 2, "%s", apart[_i].name);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(wrote[i].vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		ck_assert_uint_eq(wrote[i].len, lens[i]);
		ck_assert_mem_eq(wrote[i].octets, before[i], lens[i]);
	}
}
END_TEST

START_TEST(test_a_wrong_checksum_is_never_joined_and_stays_wrong)
{
	static const uint32_t places[] = { 10, 20 + 16, 20 + 40 };

	for (size_t which = 0; which < 3; which++) {
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			setup();
			for (uint32_t k = 0; k < 3; k++)
				make(4, TCP, k, 100, 100);
			rooms[which][places[i]] ^= 0x40;
			const uint8_t is = rooms[which][places[i]];

			join_all();
			/* The others go together where they still follow one another. */
			ck_assert_uint_eq(n_wrote, which == 1 ? 3 : 2);
			const size_t at = which == 2 ? 1 : which;

			ck_assert_uint_eq(wrote[at].packets, 1);
			ck_assert_uint_eq(wrote[at].octets[places[i]], is);
			ck_assert_uint_eq(wrote[at].vnet.flags, 0);
		}
	}
}
END_TEST

START_TEST(test_udp_without_a_checksum_stays_without)
{
	make(4, UDP, 0, 100, 100);
	make(4, UDP, 1, 100, 100);
	for (size_t i = 0; i < 2; i++)
		put(rooms[i] + 26, 0, 2);
	join_all();
	ck_assert_uint_eq(n_wrote, 2);
	ck_assert_uint_eq(get(wrote[0].octets + 26, 2), 0);
}
END_TEST

START_TEST(test_push_ends_what_is_joined)
{
	for (uint32_t k = 0; k < 4; k++)
		make(4, TCP, k, 100, 100);
	rooms[1][33] |= 0x08;
	set_sums(rooms[1], lens[1], 4, TCP);
	join_all();
	ck_assert_uint_eq(n_wrote, 2);
	ck_assert_uint_eq(wrote[0].packets, 2);
	ck_assert_uint_eq(wrote[0].octets[33], 0x18);
	ck_assert_uint_eq(wrote[1].octets[33], 0x10);
}
END_TEST

START_TEST(test_a_shorter_packet_is_the_last_and_a_longer_one_the_next_first)
{
	static const uint32_t payloads[] = { 100, 60, 60, 100 };
	uint32_t seq = 0;

	for (uint32_t k = 0; k < 4; k++) {
		uint8_t *const p = make(4, TCP, k, 0, payloads[k]);

		put(p + 24, seq, 4);
		seq += payloads[k];
		set_sums(p, lens[k], 4, TCP);
	}
	join_all();
	ck_assert_uint_eq(n_wrote, 3);
	ck_assert_uint_eq(wrote[0].packets, 2);
	ck_assert_uint_eq(wrote[1].packets, 1);
	ck_assert_uint_eq(wrote[2].packets, 1);
}
END_TEST

START_TEST(test_numbers_of_packets_that_must_not_be_cut_may_be_equal)
{
	for (uint32_t k = 0; k < 3; k++) {
		put(make(4, UDP, k, 100, 100) + 4, 0, 2);
		set_sums(rooms[k], lens[k], 4, UDP);
	}
	join_all();
	ck_assert_uint_eq(n_wrote, 1);

	setup();
	for (uint32_t k = 0; k < 3; k++) {
		put(make(4, UDP, k, 100, 100) + 4, 0, 4);	/* no DF either */
		set_sums(rooms[k], lens[k], 4, UDP);
	}
	join_all();
	ck_assert_uint_eq(n_wrote, 3);
}
END_TEST

START_TEST(test_what_is_joined_fits_one_packet)
{
	for (uint32_t k = 0; k < 60; k++)
		make(4, TCP, k, 1400, 1400);
	join_all();
	ck_assert_uint_eq(n_wrote, 2);
	ck_assert_uint_eq(wrote[0].packets, (65535 - 52) / 1400);

	setup();
	for (uint32_t k = 0; k < MERGE_PACKETS_MAX + 6; k++)
		make(6, UDP, k, 20, 20);
	join_all();
	ck_assert_uint_eq(n_wrote, 2);
	ck_assert_uint_eq(wrote[0].packets, MERGE_PACKETS_MAX);
	ck_assert_uint_eq(wrote[1].packets, 6);
}
END_TEST

START_TEST(test_udp_stays_apart_where_the_kernel_cannot_cut_it)
{
	merge_init(&merger, false, on_write, NULL);
	make(4, UDP, 0, 100, 100);
	make(4, UDP, 1, 100, 100);
	make(4, TCP, 0, 100, 100);
	make(4, TCP, 1, 100, 100);
	join_all();
	ck_assert_uint_eq(n_wrote, 3);
}
END_TEST

START_TEST(test_flows_that_take_turns_are_joined_each)
{
	const uint32_t n = 3 * MERGE_FLOWS;

	for (uint32_t k = 0; k < n; k++) {
		put(make(4, TCP, k / MERGE_FLOWS, 100, 100) + 20, k % MERGE_FLOWS, 2);
		set_sums(rooms[k], lens[k], 4, TCP);
	}
	join_all();
	ck_assert_uint_eq(n_wrote, MERGE_FLOWS);
	for (size_t i = 0; i < n_wrote; i++) {
		ck_assert_uint_eq(wrote[i].packets, 3);
		ck_assert_uint_eq(get(wrote[i].octets + 20, 2), i);
	}
}
END_TEST

START_TEST(test_one_flow_too_many_takes_the_place_of_the_oldest)
{
	const uint32_t n = 2 * (MERGE_FLOWS + 1);

	for (uint32_t k = 0; k < n; k++) {
		put(make(4, TCP, k / (MERGE_FLOWS + 1), 100, 100) + 20, k % (MERGE_FLOWS + 1), 2);
		set_sums(rooms[k], lens[k], 4, TCP);
	}
	join_all();
	ck_assert_uint_eq(n_wrote, n);
	/* Each flow's first packet before its second. */
	for (size_t i = 0; i < n_wrote; i++) {
		for (size_t j = i + 1; j < n_wrote; j++) {
			if (get(wrote[i].octets + 20, 2) == get(wrote[j].octets + 20, 2))
				ck_assert_uint_lt(get(wrote[i].octets + 24, 4) + 4096,
						  get(wrote[j].octets + 24, 4) + 4096);
		}
	}
}
END_TEST

START_TEST(test_any_octets_of_any_length_are_written_unchanged)
{
	static const uint8_t first[] = { 0x45, 0x60, 0x00, 0xff, 0x46 };

	for (uint32_t len = 1; len < 64; len++) {
		for (size_t i = 0; i < sizeof(first); i++) {
			uint8_t *const p = malloc(len), *const copy = malloc(len);

			setup();
			memset(p, 6, len);
			p[0] = first[i];
			memcpy(copy, p, len);
			merge_add(&merger, p, len);
			merge_flush(&merger);
			ck_assert_uint_eq(n_wrote, 1);
			ck_assert_uint_eq(wrote[0].len, len);
			ck_assert_mem_eq(wrote[0].octets, copy, len);
			free(p);
			free(copy);
		}
	}
}
END_TEST

/* ---- the header of virtio ---- */

static const struct {
	const char *name;
	struct virtio_net_hdr h;
	bool good;
	uint32_t flags;
	uint16_t segment_size;
} headers[] = {
	{ "plain", { 0 }, true, 0, 0 },
	{ "unfinished checksum", { .flags = 1, .csum_start = 20, .csum_offset = 16 }, true,
	  IPSP_PKT_CSUM_PARTIAL, 0 },
	{ "checksum at the end", { .flags = 1, .csum_start = 82, .csum_offset = 16 }, true,
	  IPSP_PKT_CSUM_PARTIAL, 0 },
	{ "checksum behind the end", { .flags = 1, .csum_start = 83, .csum_offset = 16 }, false, 0, 0 },
	{ "far behind the end", { .flags = 1, .csum_start = 65535, .csum_offset = 65535 }, false, 0, 0 },
	{ "TCP", { .gso_type = 1, .gso_size = 1448 }, true, 0, 1448 },
	{ "TCP with CWR", { .gso_type = 0x84, .gso_size = 1448 }, true, 0, 1448 },
	{ "UDP", { .gso_type = 5, .gso_size = 64 }, true, 0, 64 },
	{ "UDP in fragments", { .gso_type = 3, .gso_size = 64 }, false, 0, 0 },
	{ "unknown", { .gso_type = 77, .gso_size = 64 }, false, 0, 0 },
	{ "of size 0", { .gso_type = 1 }, false, 0, 0 },
};

START_TEST(test_header_of_virtio_says)
{
	struct ipsp_packet p = { .len = 100 };

	ck_assert_msg(vnet_read(&headers[_i].h, &p) == headers[_i].good, "%s", headers[_i].name);
	if (!headers[_i].good)
		return;
	ck_assert_uint_eq(p.flags, headers[_i].flags);
	ck_assert_uint_eq(p.segment_size, headers[_i].segment_size);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/io/merge");
	TCase *tc = tcase_create("merge");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, test_packets_of_a_flow_become_one_with_their_payloads_in_order, 0,
			    N_KINDS);
	tcase_add_loop_test(tc, test_one_packet_alone_is_written_as_it_is, 0, N_KINDS);
	tcase_add_loop_test(tc, test_packets_that_differ_stay_apart, 0,
			    (int)(sizeof(apart) / sizeof(apart[0])));
	tcase_add_test(tc, test_a_wrong_checksum_is_never_joined_and_stays_wrong);
	tcase_add_test(tc, test_udp_without_a_checksum_stays_without);
	tcase_add_test(tc, test_push_ends_what_is_joined);
	tcase_add_test(tc, test_a_shorter_packet_is_the_last_and_a_longer_one_the_next_first);
	tcase_add_test(tc, test_numbers_of_packets_that_must_not_be_cut_may_be_equal);
	tcase_add_test(tc, test_what_is_joined_fits_one_packet);
	tcase_add_test(tc, test_udp_stays_apart_where_the_kernel_cannot_cut_it);
	tcase_add_test(tc, test_flows_that_take_turns_are_joined_each);
	tcase_add_test(tc, test_one_flow_too_many_takes_the_place_of_the_oldest);
	tcase_add_test(tc, test_any_octets_of_any_length_are_written_unchanged);
	tcase_add_loop_test(tc, test_header_of_virtio_says, 0,
			    (int)(sizeof(headers) / sizeof(headers[0])));
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
