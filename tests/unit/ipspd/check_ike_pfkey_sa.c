/* Tests of ipspd/ike_pfkey_sa.c: a Child SA in the words of PF_KEY, read by the reader of the server. */
#include "config.h"

#include <check.h>
#include <linux/ipsec.h>
#include <linux/udp.h>
#include <stdlib.h>
#include <string.h>

#include "ike/registry.h"
#include "ipspd/ike_pfkey_sa.h"

static struct engine_random randoms;
static uint8_t message[PFKEY_MSG_MAX];
static const uint8_t keys[4][32] = { { 1 }, { 2 }, { 3 }, { 4 } };
static struct ike_suite suite;
static struct ike_selectors ours, theirs;
static struct ike_path path;
static struct ike_child_config config;
static struct ike_child_sa child;

static struct ipsp_addr addr(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct ipsp_addr){ 4, { a, b, c, d } };
}

static struct ike_selector net(uint8_t second, uint8_t protocol, uint16_t lo, uint16_t hi)
{
	return (struct ike_selector){ .protocol = protocol, .lo = addr(10, second, 0, 0),
				      .hi = addr(10, second, 255, 255), .port_lo = lo, .port_hi = hi };
}

static void setup(void)
{
	suite = (struct ike_suite){ .encr = IKE_ENCR_AES_CBC, .encr_key_bits = 256,
				    .integ = IKE_INTEG_HMAC_SHA2_256_128 };
	ours = (struct ike_selectors){ 1, { net(1, 0, 0, UINT16_MAX) } };
	theirs = (struct ike_selectors){ 2, { net(2, 6, 80, 80), net(3, 17, 53, 53) } };
	path = (struct ike_path){ .local = addr(192, 0, 2, 1), .remote = addr(198, 51, 100, 2),
				  .local_port = 4500, .remote_port = 6000 };
	config = (struct ike_child_config){
		.reqid = 7, .window_log2 = 10, .life = { 3600, 1000, 100, 100 },
		.handling = { .df = IPSP_DF_COPY, .dscp = -1, .idle_s = 60, .tfc_pad = 1400 },
	};
	child = (struct ike_child_sa){
		.protocol = IKE_PROTOCOL_ESP, .spi_in = 0x1001, .spi_out = 0x2002, .suite = &suite,
		.encr_in = { keys[0], 32 }, .integ_in = { keys[1], 32 }, .encr_out = { keys[2], 32 },
		.integ_out = { keys[3], 32 }, .ours = &ours, .theirs = &theirs, .path = &path,
		.config = &config,
	};
}

static struct pfkey_msg say(uint8_t type)
{
	struct pfkey_msg m;
	const size_t len = ike_pfkey_sa_write(&child, type, 9, 4711, &randoms, message, sizeof(message));

	ck_assert_uint_gt(len, 0);
	ck_assert_int_eq(pfkey_msg_read(message, len, &m), 0);
	ck_assert_int_eq(pfkey_msg_check_request(&m), 0);
	ck_assert_uint_eq(m.type, type);
	ck_assert_uint_eq(m.seq, 9);
	ck_assert_uint_eq(m.pid, 4711);
	return m;
}

START_TEST(test_each_direction_has_its_own_ends_SPI_and_keys)
{
	const struct pfkey_msg in = say(SADB_UPDATE);

	ck_assert_uint_eq(in.sa.spi, 0x1001);
	ck_assert_int_eq(ipsp_addr_cmp(&in.src.addr, &path.remote), 0);
	ck_assert_mem_eq(in.encrypt.octets, keys[0], 32);
	ck_assert_mem_eq(in.auth.octets, keys[1], 32);
	ck_assert_uint_eq(in.handling.idle_with, 0x2002);
	const struct pfkey_msg out = say(SADB_ADD);

	ck_assert_uint_eq(out.sa.spi, 0x2002);
	ck_assert_int_eq(ipsp_addr_cmp(&out.dst.addr, &path.remote), 0);
	ck_assert_mem_eq(out.encrypt.octets, keys[2], 32);
	ck_assert_mem_eq(out.auth.octets, keys[3], 32);
	ck_assert_uint_eq(out.handling.idle_with, 0x1001);
	ck_assert_uint_eq(out.sa2.reqid, 7);
	ck_assert_uint_eq(out.sa2.mode, IPSEC_MODE_TUNNEL);
	ck_assert_uint_eq(out.hard.add_s, 3600);
	ck_assert_uint_eq(out.hard.bytes, 1024000);
	ck_assert_uint_eq(out.handling.window_pkts, 1024);
	ck_assert_uint_eq(out.handling.tfc_pad, 1400);
	ck_assert(!(out.has & PFKEY_HAS(SADB_X_EXT_NAT_T_TYPE)));
}
END_TEST

START_TEST(test_selectors_are_the_packets_in_either_direction)
{
	struct pfkey_msg m = say(SADB_ADD);
	struct ipsp_selector box;

	ck_assert_uint_eq(pfkey_n_traffic(&m), 2);
	pfkey_traffic_at(&m, 1, &box);
	ck_assert_uint_eq(box.src_lo.octets[1], 1);
	ck_assert_uint_eq(box.dst_hi.octets[1], 3);
	ck_assert_uint_eq(box.proto_lo, 17);
	ck_assert_uint_eq(box.dport_lo, 53);
	m = say(SADB_UPDATE);
	pfkey_traffic_at(&m, 0, &box);
	ck_assert_uint_eq(box.src_lo.octets[1], 2);
	ck_assert_uint_eq(box.dst_lo.octets[1], 1);
	ck_assert_uint_eq(box.sport_hi, 80);
	ck_assert_uint_eq(box.dport_hi, IPSP_PORT_NONE);
}
END_TEST

START_TEST(test_behind_a_nat_ports_are_those_of_each_direction)
{
	struct pfkey_msg m;

	child.udp = true;
	m = say(SADB_UPDATE);
	ck_assert_uint_eq(m.natt_type, UDP_ENCAP_ESPINUDP);
	ck_assert_uint_eq(m.natt_sport, 6000);
	ck_assert_uint_eq(m.natt_dport, 4500);
	m = say(SADB_ADD);
	ck_assert_uint_eq(m.natt_sport, 4500);
	ck_assert_uint_eq(m.natt_dport, 6000);
	/* In transport mode, too, the selectors are as this end sees them. */
	child.transport = true;
	m = say(SADB_ADD);
	ck_assert_uint_eq(m.sa2.mode, IPSEC_MODE_TRANSPORT);
	ck_assert_uint_eq(pfkey_n_traffic(&m), 2);
}
END_TEST

START_TEST(test_what_the_peer_does_not_take_is_not_sent)
{
	child.no_tfc = true;
	ck_assert_uint_eq(say(SADB_ADD).handling.tfc_pad, 0);
}
END_TEST

static struct pfkey_msg say_ipcomp(uint8_t type)
{
	struct pfkey_msg m;
	const size_t len = ike_pfkey_ipcomp_write(&child, type, 9, 4711, message, sizeof(message));

	ck_assert_uint_gt(len, 0);
	ck_assert_int_eq(pfkey_msg_read(message, len, &m), 0);
	ck_assert_int_eq(pfkey_msg_check_request(&m), 0);
	ck_assert_uint_eq(m.satype, SADB_X_SATYPE_IPCOMP);
	return m;
}

START_TEST(test_compression_makes_the_tunnel_inside_of_transport_mode)
{
	struct pfkey_msg m;

	child.cpi_in = 0x3001;
	child.cpi_out = 0x4002;
	child.udp = true;
	m = say_ipcomp(SADB_UPDATE);
	ck_assert_uint_eq(m.sa.spi, 0x3001);
	ck_assert_uint_eq(m.sa.encrypt, SADB_X_CALG_DEFLATE);
	ck_assert_uint_eq(m.sa2.mode, IPSEC_MODE_TUNNEL);
	ck_assert_uint_eq(m.sa2.reqid, 7);
	ck_assert_uint_eq(m.handling.with_spi, 0x1001);
	ck_assert_uint_eq(m.handling.with_proto, IPSP_PROTO_ESP);
	ck_assert_uint_eq(pfkey_n_traffic(&m), 2);
	/* It stands inside of what goes in UDP, and ends with it. */
	ck_assert(!(m.has & PFKEY_HAS(SADB_X_EXT_NAT_T_TYPE)));
	ck_assert_uint_eq(m.hard.add_s, 3600);
	ck_assert_uint_eq(m.hard.bytes, 0);
	m = say_ipcomp(SADB_ADD);
	ck_assert_uint_eq(m.sa.spi, 0x4002);
	ck_assert_uint_eq(m.handling.with_spi, 0x2002);
	ck_assert_int_eq(ipsp_addr_cmp(&m.dst.addr, &path.remote), 0);
	m = say(SADB_UPDATE);
	ck_assert_uint_eq(m.sa2.mode, IPSEC_MODE_TRANSPORT);
	ck_assert_uint_eq(pfkey_n_traffic(&m), 0);
	ck_assert_uint_eq(m.handling.with_spi, 0x3001);
	ck_assert_uint_eq(m.handling.with_proto, IPSP_PROTO_IPCOMP);
	ck_assert_uint_eq(m.natt_type, UDP_ENCAP_ESPINUDP);
	m = say(SADB_ADD);
	ck_assert_uint_eq(m.sa2.mode, IPSEC_MODE_TRANSPORT);
	ck_assert_uint_eq(m.handling.with_spi, 0);
}
END_TEST

START_TEST(test_compression_in_transport_mode_is_of_the_same_packets)
{
	child.cpi_in = 0x3001;
	child.cpi_out = 0x4002;
	child.transport = true;
	child.protocol = IKE_PROTOCOL_AH;
	suite = (struct ike_suite){ .integ = IKE_INTEG_HMAC_SHA2_256_128 };
	child.encr_in.len = child.encr_out.len = 0;
	ck_assert_uint_eq(say_ipcomp(SADB_ADD).sa2.mode, IPSEC_MODE_TRANSPORT);
	ck_assert_uint_eq(say_ipcomp(SADB_ADD).handling.with_proto, IPSP_PROTO_AH);
	struct pfkey_msg m = say_ipcomp(SADB_ADD);

	ck_assert_uint_eq(pfkey_n_traffic(&m), 2);
	m = say(SADB_ADD);
	ck_assert_uint_eq(pfkey_n_traffic(&m), 2);
	ck_assert_uint_eq(m.satype, SADB_SATYPE_AH);
}
END_TEST

START_TEST(test_more_selectors_than_an_SA_can_have_are_refused)
{
	ours.n = theirs.n = 9;
	for (uint8_t i = 0; i < 9; i++) {
		ours.s[i] = net(i, 0, 0, UINT16_MAX);
		theirs.s[i] = net((uint8_t)(100 + i), 0, 0, UINT16_MAX);
	}
	ck_assert_uint_eq(ike_pfkey_sa_write(&child, SADB_ADD, 9, 1, &randoms, message,
					     sizeof(message)), 0);
	ours.n = 7;
	ck_assert_uint_gt(ike_pfkey_sa_write(&child, SADB_ADD, 9, 1, &randoms, message,
					     sizeof(message)), 0);
}
END_TEST

static struct pfkey_msg acquire_of(const struct ipsp_selector *boxes, size_t n)
{
	struct pfkey_writer w;
	struct pfkey_msg m;

	pfkey_begin(&w, message, sizeof(message), SADB_ACQUIRE, SADB_SATYPE_ESP, 9, 0);
	if (n > 0)
		pfkey_put_traffic(&w, boxes, n);
	ck_assert_int_eq(pfkey_msg_read(message, pfkey_end(&w), &m), 0);
	return m;
}

START_TEST(test_the_packet_of_an_acquire_has_two_sides)
{
	struct ipsp_selector boxes[2];
	struct ike_pair packet;
	struct pfkey_msg m;

	ipsp_selector_any(4, &boxes[0]);
	boxes[0].src_lo = boxes[0].src_hi = (struct ipsp_addr){ 4, { 10, 1, 0, 2 } };
	boxes[0].dst_lo = boxes[0].dst_hi = (struct ipsp_addr){ 4, { 10, 2, 0, 2 } };
	boxes[0].proto_lo = boxes[0].proto_hi = 17;
	boxes[0].sport_lo = boxes[0].sport_hi = 4807;
	boxes[0].dport_lo = boxes[0].dport_hi = 53;
	boxes[1] = boxes[0];
	m = acquire_of(boxes, 1);
	ck_assert(ike_pfkey_packet_read(&m, &packet));
	ck_assert_uint_eq(packet.ours.protocol, 17);
	ck_assert_uint_eq(packet.theirs.protocol, 17);
	ck_assert_int_eq(ipsp_addr_cmp(&packet.ours.lo, &boxes[0].src_lo), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&packet.theirs.hi, &boxes[0].dst_lo), 0);
	ck_assert_uint_eq(packet.ours.port_lo, 4807);
	ck_assert_uint_eq(packet.theirs.port_hi, 53);
	m = acquire_of(boxes, 2);
	ck_assert(!ike_pfkey_packet_read(&m, &packet));
	m = acquire_of(boxes, 0);
	ck_assert(!ike_pfkey_packet_read(&m, &packet));
	boxes[0].proto_hi = 18;
	m = acquire_of(boxes, 1);
	ck_assert(!ike_pfkey_packet_read(&m, &packet));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/ike_pfkey_sa");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, test_each_direction_has_its_own_ends_SPI_and_keys);
	tcase_add_test(c, test_selectors_are_the_packets_in_either_direction);
	tcase_add_test(c, test_behind_a_nat_ports_are_those_of_each_direction);
	tcase_add_test(c, test_what_the_peer_does_not_take_is_not_sent);
	tcase_add_test(c, test_compression_makes_the_tunnel_inside_of_transport_mode);
	tcase_add_test(c, test_compression_in_transport_mode_is_of_the_same_packets);
	tcase_add_test(c, test_more_selectors_than_an_SA_can_have_are_refused);
	tcase_add_test(c, test_the_packet_of_an_acquire_has_two_sides);
	suite_add_tcase(s, c);

	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
