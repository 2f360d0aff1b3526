/* Tests of pfkey/server.c, sas.c, records.c, dump.c: what key managers ask and hear of SAs. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <linux/ipsec.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/pfkey/managers.h"

START_TEST(test_getspi_update_and_add_are_heard_by_all_without_keys)
{
	struct pfkey_msg m;

	begin(SADB_GETSPI, SADB_SATYPE_ESP);
	put_addresses(&peer, &ours);
	pfkey_put_spirange(&w, 0x2000, 0x2fff);
	ask(0);
	for (int i = CLIENTS - 1; i >= 0; i--) {
		m = answered(i, SADB_GETSPI, 0);
		ck_assert_uint_eq(m.has, SA | SD);
		ck_assert_uint_ge(m.sa.spi, 0x2000);
		ck_assert_uint_le(m.sa.spi, 0x2fff);
		ck_assert_uint_eq(m.sa.state, SADB_SASTATE_LARVAL);
	}
	const uint32_t spi = m.sa.spi;

	begin(SADB_UPDATE, SADB_SATYPE_ESP);
	put_sa(spi);
	put_addresses(&peer, &ours);
	put_keys();
	ask(0);
	for (int i = 0; i < CLIENTS; i++) {
		m = answered(i, SADB_UPDATE, 0);
		ck_assert_uint_eq(m.has, SA | SD);
		ck_assert_uint_eq(m.sa.spi, spi);
	}
	ask_add(1, 0x3000, false);
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_uint_eq(answered(i, SADB_ADD, 0).has, SA | SD);
	silence();

	const struct ipsp_sa_name name = { 50, spi, ours.addr };
	const struct ipsp_sa *sa = ipsp_engine_sa_get(engine, &name);

	ck_assert_ptr_nonnull(sa);
	ck_assert_uint_eq(sa->dir, IPSP_INBOUND);
	ck_assert_uint_eq(sa->state, IPSP_SA_MATURE);
	ck_assert_uint_eq(sa->replay_window_pkts, 64);
}
END_TEST

START_TEST(test_spis_in_use_and_ranges_that_cannot_be_are_refused)
{
	ask_add(0, 0x1000, true);
	forget_all();
	begin(SADB_GETSPI, SADB_SATYPE_ESP);
	put_addresses(&peer, &ours);
	pfkey_put_spirange(&w, 0x1000, 0x1000);
	ask(0);
	answered(0, SADB_GETSPI, EEXIST);
	begin(SADB_GETSPI, SADB_SATYPE_ESP);
	put_addresses(&peer, &ours);
	pfkey_put_spirange(&w, 0x2000, 0x1000);
	ask(0);
	answered(0, SADB_GETSPI, EINVAL);
	ask_add(0, 0x1000, true);
	answered(0, SADB_ADD, EEXIST);
	silence();
}
END_TEST

START_TEST(test_keys_are_told_by_get_and_to_root_alone)
{
	struct pfkey_msg m;

	ask_add(0, 0x1000, true);
	forget_all();
	ask_about(0, SADB_GET, 0x1000, true);
	m = answered(0, SADB_GET, 0);
	ck_assert_uint_eq(m.has, SA | SD | KEYS | PFKEY_HAS(SADB_EXT_LIFETIME_CURRENT));
	ck_assert_uint_eq(m.sa.state, SADB_SASTATE_MATURE);
	ck_assert_uint_eq(m.auth.bits, 256);
	ck_assert_mem_eq(m.auth.octets, octets, 32);
	ck_assert_mem_eq(m.encrypt.octets, octets, 16);
	ck_assert_uint_eq(m.current.add_s, WALL_S + now_s);
	ck_assert_uint_eq(m.current.use_s, 0);
	ask_about(2, SADB_GET, 0x1000, true);
	ck_assert_uint_eq(answered(2, SADB_GET, 0).has & KEYS, 0);
	silence();
}
END_TEST

START_TEST(test_delete_is_heard_by_all_and_then_there_is_none)
{
	ask_add(0, 0x1000, true);
	forget_all();
	ask_about(1, SADB_DELETE, 0x1000, true);
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_uint_eq(answered(i, SADB_DELETE, 0).has, SA | SD);
	ask_about(0, SADB_GET, 0x1000, true);
	answered(0, SADB_GET, ESRCH);
	ask_about(0, SADB_DELETE, 0x1000, true);
	answered(0, SADB_DELETE, ESRCH);
	begin(SADB_UPDATE, SADB_SATYPE_ESP);
	put_sa(0x1000);
	put_addresses(&peer, &ours);
	put_keys();
	ask(0);
	answered(0, SADB_UPDATE, ESRCH);
	silence();
}
END_TEST

START_TEST(test_sas_that_cannot_be_are_refused_and_leave_nothing)
{
	static const struct {
		const char *why;
		struct pfkey_sa sa;
		uint16_t auth_bits, encrypt_bits;
		int err;
	} cases[] = {
		{ "a larval SA", { 0x1000, 0, SADB_SASTATE_LARVAL, 5, 12, 0 }, 256, 128, EINVAL },
		{ "an SPI that is reserved", { 255, 0, 1, 5, 12, 0 }, 256, 128, EINVAL },
		{ "a key too short", { 0x1000, 0, 1, 5, 12, 0 }, 256, 120, EINVAL },
		{ "a key of another algorithm", { 0x1000, 0, 1, 5, 12, 0 }, 160, 128, EINVAL },
		{ "no key", { 0x1000, 0, 1, 5, 12, 0 }, 256, 0, EINVAL },
		{ "a key for NULL", { 0x1000, 0, 1, 5, 11, 0 }, 256, 128, EINVAL },
		{ "a cipher nobody knows", { 0x1000, 0, 1, 5, 200, 0 }, 256, 128, EINVAL },
		{ "an integrity nobody knows", { 0x1000, 0, 1, 200, 12, 0 }, 256, 128, EINVAL },
		{ "neither cipher nor integrity", { 0x1000, 0, 1, 0, 11, 0 }, 0, 0,
		  EPROTONOSUPPORT },
	};

	begin(SADB_ADD, SADB_SATYPE_ESP);
	pfkey_put_sa(&w, &cases[_i].sa);
	put_addresses(&peer, &ours);
	if (cases[_i].auth_bits) {
		const struct pfkey_key key = { cases[_i].auth_bits, octets };

		pfkey_put_key(&w, SADB_EXT_KEY_AUTH, &key);
	}
	if (cases[_i].encrypt_bits) {
		const struct pfkey_key key = { cases[_i].encrypt_bits, octets };

		pfkey_put_key(&w, SADB_EXT_KEY_ENCRYPT, &key);
	}
	ask(0);
	answered(0, SADB_ADD, cases[_i].err);
	silence();
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(engine)), 0);
}
END_TEST

START_TEST(test_an_sa_type_that_is_none_is_refused)
{
	begin(SADB_ADD, SADB_SATYPE_OSPFV2);
	put_sa(0x1000);
	put_addresses(&peer, &ours);
	put_keys();
	ask(0);
	answered(0, SADB_ADD, EINVAL);
	begin(SADB_FLUSH, 200);
	ask(0);
	answered(0, SADB_FLUSH, EINVAL);
	silence();
}
END_TEST

START_TEST(test_a_mature_sa_changes_its_lifetimes_and_nothing_else)
{
	const struct pfkey_key other = { 128, octets + 1 };
	struct pfkey_msg m;

	ask_add(0, 0x1000, true);
	forget_all();
	begin(SADB_UPDATE, SADB_SATYPE_ESP);
	put_sa(0x1000);
	put_addresses(&peer, &ours);
	put_lifetimes(50, 100);
	ask(0);
	answered(0, SADB_UPDATE, 0);
	forget_all();
	ask_about(0, SADB_GET, 0x1000, true);
	m = answered(0, SADB_GET, 0);
	ck_assert_uint_eq(m.hard.add_s, 100);
	ck_assert_uint_eq(m.soft.add_s, 50);
	ck_assert_mem_eq(m.encrypt.octets, octets, 16);

	begin(SADB_UPDATE, SADB_SATYPE_ESP);
	put_sa(0x1000);
	put_addresses(&peer, &ours);
	pfkey_put_key(&w, SADB_EXT_KEY_ENCRYPT, &other);
	ask(0);
	answered(0, SADB_UPDATE, EINVAL);
	begin(SADB_UPDATE, SADB_SATYPE_ESP);
	const struct pfkey_sa2 tunnel = { .mode = IPSEC_MODE_TUNNEL };

	put_sa(0x1000);
	put_addresses(&peer, &ours);
	pfkey_put_sa2(&w, &tunnel);
	ask(0);
	answered(0, SADB_UPDATE, EINVAL);
	silence();
}
END_TEST

START_TEST(test_expire_goes_to_who_is_registered_soft_first)
{
	struct pfkey_msg m;

	begin(SADB_REGISTER, SADB_SATYPE_ESP);
	ask(1);
	begin(SADB_REGISTER, SADB_SATYPE_AH);
	ask(2);
	begin(SADB_ADD, SADB_SATYPE_ESP);
	put_sa(0x1000);
	put_addresses(&peer, &ours);
	put_keys();
	put_lifetimes(10, 20);
	ask(0);
	forget_all();
	now_s += 10;
	ipsp_engine_tick(engine, now_s);
	m = hears(1, SADB_EXPIRE, 0);
	ck_assert_uint_eq(m.has, SA | SD | PFKEY_HAS(SADB_EXT_LIFETIME_CURRENT) |
				 PFKEY_HAS(SADB_EXT_LIFETIME_SOFT));
	ck_assert_uint_eq(m.pid, 0);
	ck_assert_uint_eq(m.sa.state, SADB_SASTATE_DYING);
	ck_assert_uint_eq(m.soft.add_s, 10);
	silence();
	now_s += 10;
	ipsp_engine_tick(engine, now_s);
	m = hears(1, SADB_EXPIRE, 0);
	ck_assert_uint_eq(m.has, SA | SD | PFKEY_HAS(SADB_EXT_LIFETIME_CURRENT) |
				 PFKEY_HAS(SADB_EXT_LIFETIME_HARD));
	ck_assert_uint_eq(m.hard.add_s, 20);
	silence();
	ask_about(0, SADB_GET, 0x1000, true);
	answered(0, SADB_GET, ESRCH);
}
END_TEST

START_TEST(test_a_larval_sa_without_keys_goes_by_itself)
{
	struct pfkey_msg m;

	begin(SADB_REGISTER, SADB_SATYPE_ESP);
	ask(0);
	begin(SADB_GETSPI, SADB_SATYPE_ESP);
	put_addresses(&peer, &ours);
	ask(0);
	m = hears(2, SADB_GETSPI, 0);
	forget_all();
	now_s += IPSP_LARVAL_S + 1;
	ipsp_engine_tick(engine, now_s);
	silence();
	begin(SADB_UPDATE, SADB_SATYPE_ESP);
	put_sa(m.sa.spi);
	put_addresses(&peer, &ours);
	put_keys();
	ask(0);
	answered(0, SADB_UPDATE, ESRCH);
}
END_TEST

START_TEST(test_register_tells_what_is_offered_to_who_is_registered)
{
	struct pfkey_msg m;
	struct pfkey_alg a;
	bool aes = false, sha = false;

	begin(SADB_REGISTER, SADB_SATYPE_ESP);
	ask(0);
	m = answered(0, SADB_REGISTER, 0);
	silence();
	for (size_t i = 0; i < pfkey_n_algs(m.algs[0]); i++) {
		pfkey_alg_at(m.algs[0], i, &a);
		sha |= a.id == SADB_X_AALG_SHA2_256HMAC && a.min_bits == 256;
	}
	for (size_t i = 0; i < pfkey_n_algs(m.algs[1]); i++) {
		pfkey_alg_at(m.algs[1], i, &a);
		aes |= a.id == SADB_X_EALG_AESCBC && a.iv_len == 16 && a.min_bits == 128 &&
		       a.max_bits == 256;
		ck_assert(a.min_bits <= a.max_bits);
	}
	ck_assert(aes && sha);
	begin(SADB_REGISTER, SADB_SATYPE_ESP);
	ask(0);
	answered(0, SADB_REGISTER, EEXIST);
	begin(SADB_REGISTER, SADB_SATYPE_RSVP);
	ask(1);
	ck_assert_uint_eq(answered(1, SADB_REGISTER, 0).has, 0);
	begin(SADB_REGISTER, SADB_SATYPE_UNSPEC);
	ask(1);
	answered(1, SADB_REGISTER, EINVAL);
	silence();
}
END_TEST

START_TEST(test_register_tells_of_ah_and_ipcomp)
{
	struct pfkey_msg m;
	struct pfkey_alg a;
	bool gmac = false;

	begin(SADB_REGISTER, SADB_SATYPE_AH);
	ask(0);
	m = answered(0, SADB_REGISTER, 0);
	ck_assert_uint_eq(m.has, PFKEY_HAS(SADB_EXT_SUPPORTED_AUTH));
	for (size_t i = 0; i < pfkey_n_algs(m.algs[0]); i++) {
		pfkey_alg_at(m.algs[0], i, &a);
		gmac |= a.id == 13 && a.iv_len == 8 && a.min_bits == 288 && a.max_bits == 288;
		ck_assert_uint_ne(a.id, SADB_AALG_MD5HMAC);	/* weak */
	}
	ck_assert(gmac);
	begin(SADB_REGISTER, SADB_X_SATYPE_IPCOMP);
	ask(0);
	m = answered(0, SADB_REGISTER, 0);
	ck_assert_uint_eq(m.has, PFKEY_HAS(SADB_EXT_SUPPORTED_ENCRYPT));
	ck_assert_uint_eq(pfkey_n_algs(m.algs[1]), 1);
	pfkey_alg_at(m.algs[1], 0, &a);
	ck_assert_uint_eq(a.id, SADB_X_CALG_DEFLATE);
}
END_TEST

/* ---- what they carry ---- */

static const struct ipsp_sa *ask_traffic(const struct ipsp_selector *boxes, size_t n, int err)
{
	const struct ipsp_sa_name name = { IPSP_PROTO_ESP, 4096, ours.addr };

	begin(SADB_ADD, SADB_SATYPE_ESP);
	put_sa(4096);
	put_addresses(&peer, &ours);
	put_keys();
	pfkey_put_traffic(&w, boxes, n);
	ask(0);
	answered(0, SADB_ADD, err);
	forget_all();
	return ipsp_engine_sa_get(engine, &name);
}

START_TEST(test_an_sa_carries_what_it_was_added_for_whatever_changes)
{
	struct ipsp_selector boxes[2];
	const struct ipsp_sa *sa;
	struct pfkey_msg m;

	ipsp_selector_any(4, &boxes[0]);
	ipsp_selector_any(6, &boxes[1]);
	boxes[1].proto_lo = boxes[1].proto_hi = 6;
	boxes[1].dport_lo = boxes[1].dport_hi = 80;
	sa = ask_traffic(boxes, 2, 0);
	ck_assert_uint_eq(sa->n_boxes, 2);
	ck_assert_uint_eq(sa->boxes[1].dport_hi, 80);
	begin(SADB_UPDATE, SADB_SATYPE_ESP);
	put_sa(4096);
	put_addresses(&peer, &ours);
	put_lifetimes(60, 90);
	ask(0);
	answered(0, SADB_UPDATE, 0);
	forget_all();
	begin(SADB_GET, SADB_SATYPE_ESP);
	put_sa(4096);
	put_addresses(&peer, &ours);
	ask(0);
	m = answered(0, SADB_GET, 0);
	ck_assert_uint_eq(m.hard.add_s, 90);
	ck_assert_uint_eq(pfkey_n_traffic(&m), 2);
	sa = ipsp_engine_sa_get(engine, &(const struct ipsp_sa_name){ IPSP_PROTO_ESP, 4096,
								      ours.addr });
	ck_assert_uint_eq(sa->n_boxes, 2);
	/* It cannot be given other packets. */
	boxes[1].dport_hi = 81;
	begin(SADB_UPDATE, SADB_SATYPE_ESP);
	put_sa(4096);
	put_addresses(&peer, &ours);
	pfkey_put_traffic(&w, boxes, 2);
	ask(0);
	answered(0, SADB_UPDATE, EINVAL);
}
END_TEST

START_TEST(test_an_sa_of_one_set_is_found_by_it)
{
	struct ipsp_selector box;
	const struct ipsp_sa *sa;

	ipsp_selector_any(4, &box);
	box.src_lo = box.src_hi = peer.addr;
	sa = ask_traffic(&box, 1, 0);
	ck_assert_uint_eq(sa->n_boxes, 0);
	ck_assert_uint_eq(sa->sel.family, 4);
	ck_assert_int_eq(ipsp_addr_cmp(&sa->sel.src_hi, &peer.addr), 0);
}
END_TEST

START_TEST(test_sets_that_cannot_be_are_refused)
{
	static struct ipsp_selector boxes[IPSP_SA_BOXES_MAX + 1];

	for (size_t i = 0; i <= IPSP_SA_BOXES_MAX; i++)
		ipsp_selector_any(4, &boxes[i]);
	ck_assert_ptr_null(ask_traffic(boxes, IPSP_SA_BOXES_MAX + 1, EINVAL));
	ck_assert_ptr_null(ask_traffic(boxes, 0, EINVAL));
	boxes[0].sport_lo = boxes[0].sport_hi + 1;
	ck_assert_ptr_null(ask_traffic(boxes, 2, EINVAL));
	boxes[0] = boxes[1];
	boxes[1].family = 5;
	ck_assert_ptr_null(ask_traffic(boxes, 2, EINVAL));
}
END_TEST

START_TEST(test_an_sa_treats_its_packets_as_it_is_told)
{
	const struct ipsp_sa_name name = { IPSP_PROTO_ESP, 4097, peer.addr };
	struct pfkey_handling h = { .df = IPSP_DF_SET, .ecn = IPSP_ECN_NONE, .dscp = 46,
				    .idle_s = 600, .idle_with = 4096, .window_pkts = 1024,
				    .tfc_pad = 1400, .dummy_s = 30 };
	const struct pfkey_sa2 sa2 = { .mode = IPSEC_MODE_TUNNEL };
	const struct ipsp_sa *sa;

	for (int dscp = 46; dscp >= -1; dscp -= 47) {
		h.dscp = (int16_t)dscp;
		begin(SADB_ADD, SADB_SATYPE_ESP);
		put_sa(4097);
		put_addresses(&ours, &peer);
		put_keys();
		pfkey_put_sa2(&w, &sa2);
		pfkey_put_handling(&w, &h);
		ask(0);
		answered(0, SADB_ADD, 0);
		forget_all();
		sa = ipsp_engine_sa_get(engine, &name);
		ck_assert_int_eq(sa->df, IPSP_DF_SET);
		ck_assert_int_eq(sa->ecn, IPSP_ECN_NONE);
		ck_assert_int_eq(sa->dscp_set, dscp >= 0);
		ck_assert_uint_eq(sa->dscp, dscp >= 0 ? 46 : 0);
		ck_assert_uint_eq(sa->idle_s, 600);
		ck_assert_uint_eq(sa->idle_with, 4096);
		ck_assert_uint_eq(sa->replay_window_pkts, 1024);
		ck_assert_uint_eq(sa->tfc_pad, 1400);
		ck_assert_uint_eq(sa->dummy_s, 30);
		ask_about(0, SADB_DELETE, 4097, false);
		forget_all();
	}
	h.df = 0;
	begin(SADB_ADD, SADB_SATYPE_ESP);
	put_sa(4097);
	put_addresses(&ours, &peer);
	put_keys();
	pfkey_put_handling(&w, &h);
	ask(0);
	answered(0, SADB_ADD, EINVAL);
}
END_TEST

/* ---- bundles ---- */

static uint32_t ask_spi(uint8_t satype)
{
	uint32_t spi;

	begin(SADB_GETSPI, satype);
	put_addresses(&peer, &ours);
	ask(0);
	spi = answered(0, SADB_GETSPI, 0).sa.spi;
	forget_all();
	return spi;
}

/* One of a bundle with that other one. */
static void ask_with(uint8_t type, uint8_t satype, uint32_t spi, const struct ipsp_sa_name *with, int err)
{
	const struct pfkey_sa ipcomp = { .spi = spi, .state = SADB_SASTATE_MATURE,
					 .encrypt = SADB_X_CALG_DEFLATE };
	const struct pfkey_handling h = { .df = IPSP_DF_COPY, .dscp = -1, .with_spi = with->spi,
					  .with_proto = with->proto };

	begin(type, satype);
	if (satype == SADB_X_SATYPE_IPCOMP) {
		pfkey_put_sa(&w, &ipcomp);
	} else {
		put_sa(spi);
		put_keys();
	}
	if (type == SADB_ADD)
		put_addresses(&ours, &peer);
	else
		put_addresses(&peer, &ours);
	pfkey_put_handling(&w, &h);
	ask(0);
	answered(0, type, err);
	forget_all();
}

START_TEST(test_ipcomp_and_what_is_around_it_name_each_other)
{
	const struct ipsp_sa_name nobody = { IPSP_PROTO_ESP, 0x7777, ours.addr };
	const struct ipsp_sa_name cpi = { IPSP_PROTO_IPCOMP, ask_spi(SADB_X_SATYPE_IPCOMP), ours.addr };
	const struct ipsp_sa_name esp = { IPSP_PROTO_ESP, ask_spi(SADB_SATYPE_ESP), ours.addr };
	const struct ipsp_sa *inside, *around;

	ck_assert_uint_ge(cpi.spi, 256);
	ck_assert_uint_le(cpi.spi, 61439);
	ask_with(SADB_UPDATE, SADB_X_SATYPE_IPCOMP, cpi.spi, &nobody, ESRCH);
	ask_with(SADB_UPDATE, SADB_X_SATYPE_IPCOMP, cpi.spi, &cpi, EINVAL);
	ask_with(SADB_UPDATE, SADB_SATYPE_ESP, esp.spi, &esp, EINVAL);
	ask_with(SADB_ADD, SADB_X_SATYPE_IPCOMP, 0x3000, &esp, ESRCH);	/* of the other direction */
	ask_with(SADB_UPDATE, SADB_X_SATYPE_IPCOMP, cpi.spi, &esp, 0);
	ask_with(SADB_UPDATE, SADB_SATYPE_ESP, esp.spi, &cpi, 0);
	inside = ipsp_engine_sa_get(engine, &cpi);
	around = ipsp_engine_sa_get(engine, &esp);
	ck_assert_uint_eq(inside->next_id, around->id);
	ck_assert_uint_eq(around->bundle_id, inside->id);
	ck_assert_uint_eq(inside->bundle_id + around->next_id, 0);
}
END_TEST

/* ---- NAT ---- */

static void put_natt(uint16_t sport)
{
	pfkey_put_natt_type(&w, 2);
	pfkey_put_natt_port(&w, SADB_X_EXT_NAT_T_SPORT, sport);
	pfkey_put_natt_port(&w, SADB_X_EXT_NAT_T_DPORT, 4500);
}

START_TEST(test_a_peer_that_moves_is_told_and_its_sa_goes_there_by_update)
{
	const struct ipsp_sa_name name = { IPSP_PROTO_ESP, 4096, ours.addr };
	const struct ipsp_addr elsewhere = { 4, { 203, 0, 113, 7 } };
	const struct ipsp_sa *sa;
	struct pfkey_msg m;

	begin(SADB_REGISTER, SADB_SATYPE_ESP);
	ask(1);
	begin(SADB_ADD, SADB_SATYPE_ESP);
	put_sa(4096);
	put_addresses(&peer, &ours);
	put_keys();
	put_natt(4500);
	ask(0);
	answered(0, SADB_ADD, 0);
	forget_all();
	sa = ipsp_engine_sa_get(engine, &name);
	pfkey_server_moved(server, sa, &elsewhere, 6001);
	m = hears(1, SADB_X_NAT_T_NEW_MAPPING, 0);
	silence();
	ck_assert_uint_eq(m.seq, 0);
	ck_assert_uint_eq(m.pid, 0);
	ck_assert_uint_eq(m.has, SA | SD | PFKEY_HAS(SADB_X_EXT_NAT_T_SPORT) |
				     PFKEY_HAS(SADB_X_EXT_NAT_T_DPORT));
	ck_assert_uint_eq(m.sa.spi, 4096);
	ck_assert_uint_eq(m.sa.encrypt, 0);
	ck_assert_int_eq(ipsp_addr_cmp(&m.src.addr, &peer.addr), 0);
	ck_assert_uint_eq(m.natt_sport, 4500);
	ck_assert_int_eq(ipsp_addr_cmp(&m.dst.addr, &elsewhere), 0);
	ck_assert_uint_eq(m.natt_dport, 6001);
	begin(SADB_UPDATE, SADB_SATYPE_ESP);
	put_sa(4096);
	put_addresses(&(const struct pfkey_address){ .addr = elsewhere }, &ours);
	put_natt(6001);
	ask(0);
	answered(0, SADB_UPDATE, 0);
	sa = ipsp_engine_sa_get(engine, &name);
	ck_assert_uint_eq(sa->encap.sport, 6001);
	ck_assert_int_eq(ipsp_addr_cmp(&sa->remote, &elsewhere), 0);
	ask_about(0, SADB_GET, 4096, true);
	forget_all();
	/* An SA without UDP does not move, whatever comes. */
	ask_add(0, 4097, true);
	forget_all();
	pfkey_server_moved(server, ipsp_engine_sa_get(engine, &(const struct ipsp_sa_name){
				   IPSP_PROTO_ESP, 4097, ours.addr }), &elsewhere, 6001);
	silence();
}
END_TEST

START_TEST(test_acquire_of_a_user_goes_to_who_is_registered)
{
	const struct pfkey_comb comb = { .auth = 5, .encrypt = 12 };

	begin(SADB_ACQUIRE, SADB_SATYPE_RIPV2);
	put_addresses(&ours, &peer);
	pfkey_put_proposal(&w, 32, &comb, 1);
	ask(0);
	answered(0, SADB_ACQUIRE, EPROTONOSUPPORT);
	begin(SADB_REGISTER, SADB_SATYPE_RIPV2);
	ask(2);
	forget_all();
	begin(SADB_ACQUIRE, SADB_SATYPE_RIPV2);
	put_addresses(&ours, &peer);
	pfkey_put_proposal(&w, 32, &comb, 1);
	ask(0);
	ck_assert_uint_eq(pfkey_n_combs(&(struct pfkey_msg){ .combs = answered(2, SADB_ACQUIRE,
									       0).combs }), 1);
	silence();
}
END_TEST

/* What the engine asks for: _i: 0: UDP; 1: a message of ICMP; 2: a protocol without ports; 3: a later fragment. */
static const struct {
	uint8_t proto;
	uint32_t sport, dport;
	bool hides;
	struct {
		uint32_t lo, hi;
	} sport_is, dport_is;
} packets[] = {
	{ 17, 4807, 53, false, { 4807, 4807 }, { 53, 53 } },
	{ 1, IPSP_PORT_MESSAGE + 0x800, IPSP_PORT_NONE, false,
	  { IPSP_PORT_MESSAGE + 0x800, IPSP_PORT_MESSAGE + 0x800 }, { IPSP_PORT_NONE, IPSP_PORT_NONE } },
	{ 47, IPSP_PORT_NONE, IPSP_PORT_NONE, false, { 0, IPSP_PORT_NONE }, { 0, IPSP_PORT_NONE } },
	{ 17, 0, 0, true, { 0, IPSP_PORT_NONE }, { 0, IPSP_PORT_NONE } },
};

START_TEST(test_acquire_of_the_engine_names_the_packet)
{
	struct ipsp_acquire a = {
		.seq = 9, .n_templates = 1, .missing = 1,
		.templates = { { .proto = IPSP_PROTO_ESP, .mode = IPSP_MODE_TUNNEL, .reqid = 7,
				 .local = ours.addr, .remote = peer.addr } },
		.flow = { .family = 4, .src = { 4, { 10, 1, 0, 2 } }, .dst = { 4, { 10, 2, 0, 2 } },
			  .proto = packets[_i].proto, .proto_known = true, .ports_known = !packets[_i].hides,
			  .sport = packets[_i].sport, .dport = packets[_i].dport },
	};
	struct ipsp_selector box;
	struct pfkey_msg m;

	begin(SADB_REGISTER, SADB_SATYPE_ESP);
	ask(1);
	forget_all();
	pfkey_server_acquire(server, &a);
	m = hears(1, SADB_ACQUIRE, 0);
	ck_assert_uint_eq(m.seq, a.seq);
	ck_assert_uint_eq(m.sa2.reqid, 7);
	ck_assert_uint_eq(pfkey_n_traffic(&m), 1);
	pfkey_traffic_at(&m, 0, &box);
	ck_assert_int_eq(ipsp_addr_cmp(&box.src_lo, &a.flow.src), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&box.src_hi, &a.flow.src), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&box.dst_lo, &a.flow.dst), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&box.dst_hi, &a.flow.dst), 0);
	ck_assert_uint_eq(box.proto_lo, packets[_i].proto);
	ck_assert_uint_eq(box.proto_hi, packets[_i].proto);
	ck_assert_uint_eq(box.sport_lo, packets[_i].sport_is.lo);
	ck_assert_uint_eq(box.sport_hi, packets[_i].sport_is.hi);
	ck_assert_uint_eq(box.dport_lo, packets[_i].dport_is.lo);
	ck_assert_uint_eq(box.dport_hi, packets[_i].dport_is.hi);
	silence();
}
END_TEST

START_TEST(test_flush_takes_those_of_its_type_alone)
{
	ask_add(0, 0x1000, true);
	ask_add(0, 0x1001, false);
	begin(SADB_GETSPI, SADB_SATYPE_ESP);
	put_addresses(&peer, &ours);
	ask(0);
	forget_all();
	begin(SADB_FLUSH, SADB_SATYPE_AH);
	ask(0);
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_uint_eq(answered(i, SADB_FLUSH, 0).has, 0);
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(engine)), 3);
	begin(SADB_FLUSH, SADB_SATYPE_UNSPEC);
	ask(0);
	forget_all();
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(engine)), 0);
	begin(SADB_DUMP, SADB_SATYPE_UNSPEC);
	ask(0);
	answered(0, SADB_DUMP, ENOENT);
}
END_TEST

START_TEST(test_dump_tells_each_sa_once_and_ends_with_number_zero)
{
	uint32_t seen = 0;

	for (uint32_t i = 0; i < 10; i++)
		ask_add(0, 0x1000 + i, true);
	forget_all();
	begin(SADB_DUMP, SADB_SATYPE_UNSPEC);
	ask(0);
	silence();
	ck_assert(pfkey_client_dumps(clients[0]));
	for (int i = 0; i < 10; i++) {
		pfkey_client_dump(clients[0], 1, now_s, WALL_S + now_s);
		const struct pfkey_msg m = hears(0, SADB_DUMP, 0);

		ck_assert_uint_eq(m.seq, i == 9 ? 0 : i + 1);
		ck_assert_uint_eq(m.has & KEYS, KEYS);
		ck_assert_uint_eq(seen & 1u << (m.sa.spi & 15), 0);
		seen |= 1u << (m.sa.spi & 15);
		/* Others come and go meanwhile. */
		if (i == 3)
			ask_about(1, SADB_DELETE, 0x1009, true);
		if (i == 3)
			ask_add(1, 0x1009, true);
		if (i == 3)
			forget_all();
	}
	ck_assert_uint_eq(seen, 0x3ff);
	ck_assert(!pfkey_client_dumps(clients[0]));
	silence();
}
END_TEST

START_TEST(test_a_second_dump_waits_for_the_first)
{
	ask_add(0, 0x1000, true);
	forget_all();
	begin(SADB_DUMP, SADB_SATYPE_ESP);
	ask(0);
	begin(SADB_DUMP, SADB_SATYPE_ESP);
	ask(0);
	answered(0, SADB_DUMP, EBUSY);
	silence();
}
END_TEST

START_TEST(test_a_filter_chooses_what_is_dumped)
{
	struct pfkey_filter f = { .dst = { 4, { 192, 0, 2, 0 } }, .src = { 4, { 0 } },
				  .dst_prefix_len = 24 };

	ask_add(0, 0x1000, true);
	ask_add(0, 0x2000, false);
	forget_all();
	begin(SADB_DUMP, SADB_SATYPE_ESP);
	pfkey_put_filter(&w, &f);
	ask(0);
	pfkey_client_dump(clients[0], 9, now_s, WALL_S + now_s);
	ck_assert_uint_eq(hears(0, SADB_DUMP, 0).sa.spi, 0x1000);
	silence();
}
END_TEST

START_TEST(test_who_is_promiscuous_hears_all_but_keys)
{
	begin(SADB_X_PROMISC, 1);
	ask(2);
	answered(2, SADB_X_PROMISC, 0);
	ask_add(0, 0x1000, true);
	ck_assert_uint_eq(hears(2, SADB_ADD, 0).has & KEYS, 0);	/* what was asked */
	ck_assert_uint_eq(hears(2, SADB_ADD, 0).has & KEYS, 0);	/* and the answer */
	forget_all();
	ask_about(0, SADB_GET, 0x1111, true);
	answered(0, SADB_GET, ESRCH);
	hears(2, SADB_GET, 0);
	hears(2, SADB_GET, ESRCH);
	begin(SADB_X_PROMISC, 2);
	ask(2);
	answered(2, SADB_X_PROMISC, EINVAL);
	begin(SADB_X_PROMISC, 0);
	ask(2);
	answered(2, SADB_X_PROMISC, 0);
	ask_about(0, SADB_GET, 0x1111, true);
	answered(0, SADB_GET, ESRCH);
	silence();
}
END_TEST

START_TEST(test_a_slow_listener_loses_messages_and_is_told_so)
{
	sockets[1].room = 1;
	ask_add(0, 0x1000, true);
	ask_add(0, 0x1001, true);
	ask_add(0, 0x1002, true);
	hears(1, SADB_ADD, 0);
	ck_assert_uint_eq(sockets[1].n, 0);
	sockets[1].room = HEARD_MAX;
	forget_all();
	ask_about(0, SADB_DELETE, 0x1002, true);
	const struct pfkey_msg lost = hears(1, SADB_DELETE, ENOBUFS);

	ck_assert_uint_eq(lost.pid, 0);
	ck_assert_uint_eq(hears(1, SADB_DELETE, 0).sa.spi, 0x1002);
}
END_TEST

START_TEST(test_messages_that_are_none_are_answered_by_an_error)
{
	uint8_t octet = 2;

	pfkey_client_message(clients[0], &octet, 1, now_s, WALL_S);
	hears(0, SADB_RESERVED, EMSGSIZE);
	begin(SADB_EXPIRE, SADB_SATYPE_ESP);
	ask(0);
	answered(0, SADB_EXPIRE, EOPNOTSUPP);
	begin(77, SADB_SATYPE_ESP);
	ask(0);
	answered(0, 77, EINVAL);
	begin(SADB_GETSPI, SADB_SATYPE_ESP);
	ask(0);
	answered(0, SADB_GETSPI, EINVAL);
	silence();
}
END_TEST

START_TEST(test_memory_that_runs_out_changes_nothing)
{
	for (long at = 0; at < 16; at++) {
		memory.fail_at = at;
		ask_add(0, 0x1000, true);
		memory.fail_at = -1;
		const struct pfkey_msg m = hears(0, SADB_ADD, sockets[0].heard[0].octets[2]);

		if (m.err == 0)
			break;
		ck_assert_int_eq(m.err, ENOMEM);
		ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(engine)), 0);
	}
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(engine)), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pfkey/server");
	TCase *tc = tcase_create("SAs");

	tcase_add_checked_fixture(tc, managers_setup, managers_teardown);
	tcase_add_test(tc, test_getspi_update_and_add_are_heard_by_all_without_keys);
	tcase_add_test(tc, test_spis_in_use_and_ranges_that_cannot_be_are_refused);
	tcase_add_test(tc, test_keys_are_told_by_get_and_to_root_alone);
	tcase_add_test(tc, test_delete_is_heard_by_all_and_then_there_is_none);
	tcase_add_loop_test(tc, test_sas_that_cannot_be_are_refused_and_leave_nothing, 0, 9);
	tcase_add_test(tc, test_an_sa_type_that_is_none_is_refused);
	tcase_add_test(tc, test_a_mature_sa_changes_its_lifetimes_and_nothing_else);
	tcase_add_test(tc, test_expire_goes_to_who_is_registered_soft_first);
	tcase_add_test(tc, test_a_larval_sa_without_keys_goes_by_itself);
	tcase_add_test(tc, test_register_tells_what_is_offered_to_who_is_registered);
	tcase_add_test(tc, test_register_tells_of_ah_and_ipcomp);
	tcase_add_test(tc, test_an_sa_carries_what_it_was_added_for_whatever_changes);
	tcase_add_test(tc, test_an_sa_of_one_set_is_found_by_it);
	tcase_add_test(tc, test_sets_that_cannot_be_are_refused);
	tcase_add_test(tc, test_an_sa_treats_its_packets_as_it_is_told);
	tcase_add_test(tc, test_ipcomp_and_what_is_around_it_name_each_other);
	tcase_add_test(tc, test_a_peer_that_moves_is_told_and_its_sa_goes_there_by_update);
	tcase_add_test(tc, test_acquire_of_a_user_goes_to_who_is_registered);
	tcase_add_loop_test(tc, test_acquire_of_the_engine_names_the_packet, 0, 4);
	tcase_add_test(tc, test_flush_takes_those_of_its_type_alone);
	tcase_add_test(tc, test_dump_tells_each_sa_once_and_ends_with_number_zero);
	tcase_add_test(tc, test_a_second_dump_waits_for_the_first);
	tcase_add_test(tc, test_a_filter_chooses_what_is_dumped);
	tcase_add_test(tc, test_who_is_promiscuous_hears_all_but_keys);
	tcase_add_test(tc, test_a_slow_listener_loses_messages_and_is_told_so);
	tcase_add_test(tc, test_messages_that_are_none_are_answered_by_an_error);
	tcase_add_test(tc, test_memory_that_runs_out_changes_nothing);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
