/*
 * Tests of pfkey/server.c, sas.c, records.c, dump.c: key managers on sockets that are arrays, over an
 * engine with real algorithms and a clock that stands still until it is told.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <linux/ipsec.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compress/zlib.h"
#include "engine/crypto/gcrypt.h"
#include "pfkey/server.h"
#include "spd/table.h"
#include "tests/unit/spd/memory.h"

#define CLIENTS 3
#define HEARD_MAX 64u
#define WALL_S 1700000000u

struct heard {
	uint8_t octets[PFKEY_MSG_MAX];
	size_t len;
};

/* A socket: what its client was told and has not looked at. */
struct socket {
	struct heard heard[HEARD_MAX];
	size_t n;
	size_t room;		/* messages it takes */
};

static struct memory memory;
static void *region;
static size_t region_size;
static struct ipsp_engine *engine;
static struct pfkey_server *server;
static struct socket sockets[CLIENTS];
static struct pfkey_client *clients[CLIENTS];
static uint64_t now_s;

static bool on_send(void *ctx, void *socket, const void *data, size_t len)
{
	struct socket *s = socket;

	(void)ctx;
	if (s->n >= s->room)
		return false;
	ck_assert_uint_lt(s->n, HEARD_MAX);
	memcpy(s->heard[s->n].octets, data, len);
	s->heard[s->n++].len = len;
	return true;
}

/* 192.0.2.1 is ours. */
static bool is_local(void *ctx, const struct ipsp_addr *a)
{
	(void)ctx;
	return a->octets[0] == 192;
}

/* What was told last of policies, and how many there are. */
static struct {
	uint32_t serial;
	struct pfkey_band_policy policy;
	bool gone;
	int n;
} told;

static void on_policy(void *ctx, uint32_t serial, const struct pfkey_band_policy *p, bool gone)
{
	(void)ctx;
	told.serial = serial;
	told.policy = *p;
	told.gone = gone;
	told.n += gone ? -1 : 1;
}

static void on_sa_changed(void *ctx, const struct ipsp_sa *sa, enum ipsp_sa_change change)
{
	(void)ctx;
	if (change == IPSP_SA_REMOVED && server)
		pfkey_server_sa_gone(server, sa);
}

static void on_sa_expired(void *ctx, const struct ipsp_life_event *event)
{
	(void)ctx;
	pfkey_server_expired(server, event, now_s, WALL_S + now_s);
}

static void setup(void)
{
	ck_assert_int_eq(ipsp_crypto_gcrypt_init(1 << 20), IPSP_OK);
	memory_init(&memory, ipsp_crypto_gcrypt());
	memory.platform.compress = ipsp_compress_zlib();
	region_size = ipsp_counters_size(64);
	region = calloc(1, region_size);
	const struct ipsp_engine_config config = {
		.platform = &memory.platform, .counters = region, .counters_size = region_size,
		.events = { .sa_changed = on_sa_changed, .sa_expired = on_sa_expired },
	};

	now_s = 1000;
	memset(&told, 0, sizeof(told));
	ck_assert_int_eq(ipsp_engine_new(&config, &engine), IPSP_OK);
	const struct pfkey_server_config sc = {
		.engine = engine, .crypto = memory.platform.crypto,
		.compress = memory.platform.compress, .send = on_send,
		.is_local = is_local, .policy = on_policy,
	};

	server = pfkey_server_new(&sc);
	for (int i = 0; i < CLIENTS; i++) {
		sockets[i].n = 0;
		sockets[i].room = HEARD_MAX;
		clients[i] = pfkey_client_new(server, &sockets[i], i != 2);
	}
}

static void teardown(void)
{
	for (int i = 0; i < CLIENTS; i++)
		pfkey_client_free(clients[i]);
	pfkey_server_free(server);
	server = NULL;
	ipsp_engine_free(engine);
	free(region);
	ck_assert_uint_eq(memory.octets, 0);
}

/* ---- requests ---- */

static uint8_t request[PFKEY_MSG_MAX];
static struct pfkey_writer w;
static uint32_t seq;

static const struct pfkey_address ours = { .addr = { 4, { 192, 0, 2, 1 } } };
static const struct pfkey_address peer = { .addr = { 4, { 198, 51, 100, 2 } } };
static const uint8_t octets[64] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static void begin(uint8_t type, uint8_t satype)
{
	pfkey_begin(&w, request, sizeof(request), type, satype, ++seq, 4711);
}

static void put_addresses(const struct pfkey_address *src, const struct pfkey_address *dst)
{
	pfkey_put_address(&w, SADB_EXT_ADDRESS_SRC, src);
	pfkey_put_address(&w, SADB_EXT_ADDRESS_DST, dst);
}

static void put_sa(uint32_t spi)
{
	const struct pfkey_sa sa = { .spi = spi, .state = SADB_SASTATE_MATURE, .replay = 64,
				     .auth = SADB_X_AALG_SHA2_256HMAC,
				     .encrypt = SADB_X_EALG_AESCBC };

	pfkey_put_sa(&w, &sa);
}

static void put_keys(void)
{
	const struct pfkey_key auth = { 256, octets }, encrypt = { 128, octets };

	pfkey_put_key(&w, SADB_EXT_KEY_AUTH, &auth);
	pfkey_put_key(&w, SADB_EXT_KEY_ENCRYPT, &encrypt);
}

static void put_lifetimes(uint64_t soft_s, uint64_t hard_s)
{
	const struct pfkey_lifetime soft = { .add_s = soft_s }, hard = { .add_s = hard_s };

	pfkey_put_lifetime(&w, SADB_EXT_LIFETIME_HARD, &hard);
	pfkey_put_lifetime(&w, SADB_EXT_LIFETIME_SOFT, &soft);
}

static void ask(int who)
{
	const size_t len = pfkey_end(&w);

	ck_assert_uint_gt(len, 0);
	pfkey_client_message(clients[who], request, len, now_s, WALL_S + now_s);
}

static void ask_add(int who, uint32_t spi, bool inbound)
{
	begin(SADB_ADD, SADB_SATYPE_ESP);
	put_sa(spi);
	put_addresses(inbound ? &peer : &ours, inbound ? &ours : &peer);
	put_keys();
	ask(who);
}

/* About one SA: DELETE, GET. */
static void ask_about(int who, uint8_t type, uint32_t spi, bool inbound)
{
	begin(type, SADB_SATYPE_ESP);
	put_sa(spi);
	put_addresses(inbound ? &peer : &ours, inbound ? &ours : &peer);
	ask(who);
}

/* ---- what they hear ---- */

static struct pfkey_msg hears(int who, uint8_t type, int err)
{
	struct socket *s = &sockets[who];
	static struct heard first[CLIENTS];
	struct pfkey_msg m;

	ck_assert_msg(s->n > 0, "client %d hears nothing, not %s", who, pfkey_type_text(type));
	first[who] = s->heard[0];
	memmove(&s->heard[0], &s->heard[1], --s->n * sizeof(s->heard[0]));
	ck_assert_int_eq(pfkey_msg_read(first[who].octets, first[who].len, &m), 0);
	ck_assert_uint_eq(m.type, type);
	ck_assert_int_eq(m.err, err);
	ck_assert(err == 0 || (m.has == 0 && first[who].len == PFKEY_HEADER));
	return m;
}

static struct pfkey_msg answered(int who, uint8_t type, int err)
{
	struct pfkey_msg m = hears(who, type, err);

	ck_assert_uint_eq(m.seq, seq);
	ck_assert_uint_eq(m.pid, 4711);
	return m;
}

static void silence(void)
{
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_uint_eq(sockets[i].n, 0);
}

static void forget(void)
{
	for (int i = 0; i < CLIENTS; i++)
		sockets[i].n = 0;
}

#define SD (PFKEY_HAS(SADB_EXT_ADDRESS_SRC) | PFKEY_HAS(SADB_EXT_ADDRESS_DST))
#define SA PFKEY_HAS(SADB_EXT_SA)
#define KEYS (PFKEY_HAS(SADB_EXT_KEY_AUTH) | PFKEY_HAS(SADB_EXT_KEY_ENCRYPT))

/* ---- tests ---- */

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
	forget();
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
	forget();
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
	forget();
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
	forget();
	begin(SADB_UPDATE, SADB_SATYPE_ESP);
	put_sa(0x1000);
	put_addresses(&peer, &ours);
	put_lifetimes(50, 100);
	ask(0);
	answered(0, SADB_UPDATE, 0);
	forget();
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
	forget();
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
	forget();
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
	forget();
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
	forget();
	/* An SA without UDP does not move, whatever comes. */
	ask_add(0, 4097, true);
	forget();
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
	forget();
	begin(SADB_ACQUIRE, SADB_SATYPE_RIPV2);
	put_addresses(&ours, &peer);
	pfkey_put_proposal(&w, 32, &comb, 1);
	ask(0);
	ck_assert_uint_eq(pfkey_n_combs(&(struct pfkey_msg){ .combs = answered(2, SADB_ACQUIRE,
									       0).combs }), 1);
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
	forget();
	begin(SADB_FLUSH, SADB_SATYPE_AH);
	ask(0);
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_uint_eq(answered(i, SADB_FLUSH, 0).has, 0);
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(engine)), 3);
	begin(SADB_FLUSH, SADB_SATYPE_UNSPEC);
	ask(0);
	forget();
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
	forget();
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
			forget();
	}
	ck_assert_uint_eq(seen, 0x3ff);
	ck_assert(!pfkey_client_dumps(clients[0]));
	silence();
}
END_TEST

START_TEST(test_a_second_dump_waits_for_the_first)
{
	ask_add(0, 0x1000, true);
	forget();
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
	forget();
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
	forget();
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
	forget();
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

/* ---- policies ---- */

static void put_policy(uint16_t type, uint8_t dir, uint32_t index,
		       const struct pfkey_request *asks)
{
	struct pfkey_policy p = { .type = type, .dir = dir, .id = index, .priority = 9 };

	if (asks) {
		p.n_requests = 1;
		p.requests[0] = *asks;
	}
	pfkey_put_policy(&w, &p);
}

static const struct pfkey_request tunnel = {
	.proto = 50, .mode = IPSEC_MODE_TUNNEL, .level = IPSEC_LEVEL_UNIQUE, .reqid = 7,
	.src = { 4, { 192, 0, 2, 1 } }, .dst = { 4, { 198, 51, 100, 2 } },
};

/* Between 10.1.0.0/16 and 10.2.0.0/16, outbound. */
static void ask_policy(int who, uint8_t type, uint16_t policy_type,
		       const struct pfkey_request *asks)
{
	const struct pfkey_address src = { .addr = { 4, { 10, 1 } }, .proto = 255,
					   .prefix_len = 16 };
	const struct pfkey_address dst = { .addr = { 4, { 10, 2 } }, .proto = 255,
					   .prefix_len = 16 };

	begin(type, SADB_SATYPE_UNSPEC);
	put_addresses(&src, &dst);
	put_policy(policy_type, IPSEC_DIR_OUTBOUND, 0, asks);
	ask(who);
}

START_TEST(test_a_policy_is_answered_when_it_is_in_force)
{
	struct pfkey_msg m;

	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &tunnel);
	silence();
	ck_assert_int_eq(told.n, 1);
	ck_assert_uint_eq(told.policy.action, PFKEY_BAND_PROTECT);
	ck_assert_uint_eq(told.policy.templates[0].reqid, 7);
	ck_assert_uint_eq(told.policy.selector.dst_hi.octets[3], 255);
	pfkey_server_applied(server, told.serial);
	for (int i = 0; i < CLIENTS; i++) {
		m = answered(i, SADB_X_SPDADD, 0);
		ck_assert_uint_eq(m.policy.id, told.policy.index);
		ck_assert_uint_eq(m.policy.id & 7, IPSEC_DIR_OUTBOUND);
		ck_assert_uint_eq(m.policy.n_requests, 1);
		ck_assert_uint_eq(m.policy.requests[0].dst.octets[0], 198);
		ck_assert_uint_eq(m.src.prefix_len, 16);
	}
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_NONE, NULL);
	answered(0, SADB_X_SPDADD, EEXIST);
	silence();
}
END_TEST

START_TEST(test_an_update_keeps_the_index_and_is_told_again)
{
	ask_policy(0, SADB_X_SPDUPDATE, IPSEC_POLICY_IPSEC, &tunnel);
	const uint32_t index = told.policy.index;

	ask_policy(0, SADB_X_SPDUPDATE, IPSEC_POLICY_DISCARD, NULL);
	ck_assert_uint_eq(told.policy.index, index);
	ck_assert_uint_eq(told.policy.action, PFKEY_BAND_DISCARD);
	pfkey_server_applied(server, told.serial);
	hears(0, SADB_X_SPDUPDATE, 0);
	answered(0, SADB_X_SPDUPDATE, 0);
}
END_TEST

START_TEST(test_policies_are_got_and_deleted_by_index_and_by_selector)
{
	struct pfkey_msg m;

	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &tunnel);
	const uint32_t index = told.policy.index;

	pfkey_server_applied(server, told.serial);
	forget();
	begin(SADB_X_SPDGET, SADB_SATYPE_UNSPEC);
	put_policy(0, IPSEC_DIR_OUTBOUND, index, NULL);
	ask(1);
	m = answered(1, SADB_X_SPDGET, 0);
	ck_assert_uint_eq(m.policy.requests[0].reqid, 7);
	silence();
	begin(SADB_X_SPDDELETE2, SADB_SATYPE_UNSPEC);
	put_policy(0, IPSEC_DIR_OUTBOUND, index, NULL);
	ask(1);
	ck_assert(told.gone);
	silence();
	pfkey_server_applied(server, told.serial);
	answered(2, SADB_X_SPDDELETE2, 0);
	forget();
	begin(SADB_X_SPDGET, SADB_SATYPE_UNSPEC);
	put_policy(0, IPSEC_DIR_OUTBOUND, index, NULL);
	ask(1);
	answered(1, SADB_X_SPDGET, ENOENT);
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_NONE, NULL);
	ck_assert_uint_ne(told.policy.index, index);
	ask_policy(0, SADB_X_SPDDELETE, 0, NULL);
	ck_assert_int_eq(told.n, 0);
	ask_policy(0, SADB_X_SPDDELETE, 0, NULL);
	answered(0, SADB_X_SPDDELETE, ENOENT);
}
END_TEST

START_TEST(test_policies_that_cannot_be_are_refused)
{
	struct pfkey_request r = tunnel;

	r.src.family = r.dst.family = 0;
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &r);	/* a tunnel from nowhere */
	answered(0, SADB_X_SPDADD, EINVAL);
	r = tunnel;
	r.proto = 17;
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &r);
	answered(0, SADB_X_SPDADD, EINVAL);
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, NULL);
	answered(0, SADB_X_SPDADD, EINVAL);
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_DISCARD, &tunnel);
	answered(0, SADB_X_SPDADD, EINVAL);
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_ENTRUST, NULL);
	answered(0, SADB_X_SPDADD, EINVAL);
	ck_assert_int_eq(told.n, 0);
}
END_TEST

START_TEST(test_an_answer_does_not_wait_for_ever)
{
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_NONE, NULL);
	now_s += 9;
	pfkey_server_tick(server, now_s, WALL_S + now_s);
	silence();
	now_s += 1;
	pfkey_server_tick(server, now_s, WALL_S + now_s);
	answered(0, SADB_X_SPDADD, ETIMEDOUT);
	pfkey_server_applied(server, told.serial);
	silence();
}
END_TEST

START_TEST(test_a_policys_time_ends_and_all_hear_of_it)
{
	const struct pfkey_lifetime life = { .add_s = 60 };
	const struct pfkey_address a = { .addr = { 4, { 10, 1 } }, .prefix_len = 32, .proto = 1,
					 .port = 8 };

	begin(SADB_X_SPDADD, SADB_SATYPE_UNSPEC);
	pfkey_put_lifetime(&w, SADB_EXT_LIFETIME_HARD, &life);
	put_addresses(&a, &peer);
	put_policy(IPSEC_POLICY_NONE, IPSEC_DIR_FWD, 0, NULL);
	ask(0);
	ck_assert_uint_eq(told.policy.selector.sport_lo, IPSP_PORT_MESSAGE + 8 * 256);
	ck_assert_uint_eq(told.policy.selector.sport_hi, IPSP_PORT_MESSAGE + 8 * 256 + 255);
	pfkey_server_applied(server, told.serial);
	forget();
	now_s += 59;
	pfkey_server_tick(server, now_s, WALL_S + now_s);
	silence();
	now_s += 1;
	pfkey_server_tick(server, now_s, WALL_S + now_s);
	const struct pfkey_msg m = hears(2, SADB_X_SPDEXPIRE, 0);

	ck_assert_uint_eq(m.hard.add_s, 60);
	ck_assert_uint_eq(m.src.port, 8);
	ck_assert_int_eq(told.n, 0);
}
END_TEST

/* As a packet that the policy told last decides. */
static void hit_policy(uint64_t packets)
{
	const struct ipsp_spd_key list = { 3, IPSP_OUTBOUND };
	struct ipsp_spd_db *db = ipsp_engine_spd_db(engine);
	struct ipsp_spd_hits *hits = ipsp_spd_hits_ref(db, &list, PFKEY_ENTRY_ID(told.policy.index));

	ck_assert_ptr_nonnull(hits);
	ipsp_spd_hit(hits, packets, packets * 100);
	ipsp_spd_hits_unref(db, hits);
}

static void tick(uint64_t seconds)
{
	now_s += seconds;
	pfkey_server_tick(server, now_s, WALL_S + now_s);
}

START_TEST(test_a_policy_that_is_not_used_for_its_time_ends)
{
	const struct pfkey_lifetime life = { .use_s = 30 };
	struct pfkey_msg m;

	begin(SADB_X_SPDADD, SADB_SATYPE_UNSPEC);
	pfkey_put_lifetime(&w, SADB_EXT_LIFETIME_HARD, &life);
	put_addresses(&ours, &peer);
	put_policy(IPSEC_POLICY_NONE, IPSEC_DIR_OUTBOUND, 0, NULL);
	ask(0);
	pfkey_server_applied(server, told.serial);
	forget();
	tick(20);
	hit_policy(3);
	tick(5);
	const uint64_t used_wall_s = WALL_S + now_s;

	tick(29);
	silence();
	begin(SADB_X_SPDGET, SADB_SATYPE_UNSPEC);
	put_policy(0, IPSEC_DIR_OUTBOUND, told.policy.index, NULL);
	ask(1);
	m = answered(1, SADB_X_SPDGET, 0);
	ck_assert_uint_eq(m.current.allocations, 3);
	ck_assert_uint_eq(m.current.bytes, 300);
	ck_assert_uint_eq(m.current.use_s, used_wall_s);
	ck_assert_uint_eq(m.hard.use_s, 30);
	tick(1);
	m = hears(2, SADB_X_SPDEXPIRE, 0);
	ck_assert_uint_eq(m.current.use_s, used_wall_s);
	ck_assert_int_eq(told.n, 0);
}
END_TEST

START_TEST(test_flush_and_dump_of_policies)
{
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &tunnel);
	begin(SADB_X_SPDADD, SADB_SATYPE_UNSPEC);
	put_addresses(&ours, &peer);
	put_policy(IPSEC_POLICY_NONE, IPSEC_DIR_INBOUND, 0, NULL);
	ask(0);
	pfkey_server_applied(server, told.serial);
	forget();
	begin(SADB_X_SPDDUMP, SADB_SATYPE_UNSPEC);
	ask(1);
	pfkey_client_dump(clients[1], 9, now_s, WALL_S + now_s);
	ck_assert_uint_eq(hears(1, SADB_X_SPDDUMP, 0).seq, 1);
	ck_assert_uint_eq(hears(1, SADB_X_SPDDUMP, 0).seq, 0);
	begin(SADB_X_SPDFLUSH, SADB_SATYPE_UNSPEC);
	ask(1);
	silence();
	ck_assert_int_eq(told.n, 0);
	pfkey_server_applied(server, told.serial);
	for (int i = 0; i < CLIENTS; i++)
		answered(i, SADB_X_SPDFLUSH, 0);
	begin(SADB_X_SPDFLUSH, SADB_SATYPE_UNSPEC);
	ask(1);
	answered(1, SADB_X_SPDFLUSH, 0);
}
END_TEST

START_TEST(test_restored_policies_keep_their_index_and_place)
{
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &tunnel);
	struct pfkey_band_policy p = told.policy;

	ck_assert(!pfkey_server_restore(server, &p, now_s, WALL_S + now_s));
	p.selector.proto_lo = p.selector.proto_hi = 17;
	p.index = 99u << 3 | IPSEC_DIR_OUTBOUND;
	p.order = 50;
	ck_assert(pfkey_server_restore(server, &p, now_s, WALL_S + now_s));
	pfkey_server_tell_policies(server);
	ck_assert_int_eq(told.n, 3);	/* one, and both of them */
	begin(SADB_X_SPDADD, SADB_SATYPE_UNSPEC);
	put_addresses(&ours, &peer);
	put_policy(IPSEC_POLICY_NONE, IPSEC_DIR_INBOUND, 0, NULL);
	ask(0);
	ck_assert_uint_eq(told.policy.index, 100u << 3 | IPSEC_DIR_INBOUND);
	ck_assert_uint_eq(told.policy.order, 51);
}
END_TEST

START_TEST(test_migrate_moves_a_policy_and_its_sas)
{
	struct pfkey_policy p = { .dir = IPSEC_DIR_OUTBOUND, .n_requests = 2 };
	const struct pfkey_sa2 mode = { .mode = IPSEC_MODE_TUNNEL, .reqid = 7 };
	const struct pfkey_address src = { .addr = { 4, { 10, 1 } }, .proto = 255,
					   .prefix_len = 16 };
	const struct pfkey_address dst = { .addr = { 4, { 10, 2 } }, .proto = 255,
					   .prefix_len = 16 };

	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &tunnel);
	begin(SADB_ADD, SADB_SATYPE_ESP);
	put_sa(0x1000);
	put_addresses(&ours, &peer);
	put_keys();
	pfkey_put_sa2(&w, &mode);
	ask(0);
	answered(0, SADB_ADD, 0);
	forget();
	p.requests[0] = p.requests[1] = tunnel;
	p.requests[1].dst.octets[3] = 3;
	begin(SADB_X_MIGRATE, SADB_SATYPE_UNSPEC);
	put_addresses(&src, &dst);
	pfkey_put_policy(&w, &p);
	ask(0);
	ck_assert_uint_eq(told.policy.templates[0].dst.octets[3], 3);
	ask_about(0, SADB_GET, 0x1000, false);
	answered(0, SADB_GET, ESRCH);
	const struct ipsp_sa_name name = { 50, 0x1000, { 4, { 198, 51, 100, 3 } } };

	ck_assert_ptr_nonnull(ipsp_engine_sa_get(engine, &name));
	p.n_requests = 1;
	begin(SADB_X_MIGRATE, SADB_SATYPE_UNSPEC);
	put_addresses(&src, &dst);
	pfkey_put_policy(&w, &p);
	ask(0);
	answered(0, SADB_X_MIGRATE, EINVAL);
}
END_TEST

/* ---- FreeS/WAN ---- */

static void put_flow(bool with_sa, uint32_t spi, uint32_t flags)
{
	static const struct {
		uint16_t ext;
		struct pfkey_address a;
	} sides[] = {
		{ PFKEY_FS_EXT_SRC_FLOW, { .addr = { 4, { 10, 1 } } } },
		{ PFKEY_FS_EXT_DST_FLOW, { .addr = { 4, { 10, 2 } } } },
		{ PFKEY_FS_EXT_SRC_MASK, { .addr = { 4, { 255, 255 } } } },
		{ PFKEY_FS_EXT_DST_MASK, { .addr = { 4, { 255, 255 } } } },
	};
	const struct pfkey_sa sa = { .spi = spi, .state = 1, .flags = flags };

	if (with_sa) {
		pfkey_put_sa(&w, &sa);
		put_addresses(&ours, &peer);
	}
	for (size_t i = 0; i < 4; i++)
		pfkey_put_address(&w, sides[i].ext, &sides[i].a);
}

START_TEST(test_flows_are_policies_through_their_sa)
{
	begin(PFKEY_FS_ADDFLOW, SADB_SATYPE_ESP);
	put_flow(true, 0x1000, 0);
	ask(0);
	answered(0, PFKEY_FS_ADDFLOW, ESRCH);
	ask_add(0, 0x1000, false);
	forget();
	begin(PFKEY_FS_ADDFLOW, SADB_SATYPE_ESP);
	put_flow(true, 0x1000, 0);
	ask(0);
	ck_assert_uint_eq(told.policy.action, PFKEY_BAND_PROTECT);
	ck_assert_uint_eq(told.policy.dir, PFKEY_DIR_OUT);
	ck_assert_uint_eq(told.policy.selector.src_hi.octets[3], 255);
	ck_assert_uint_eq(told.policy.templates[0].dst.octets[0], 198);
	pfkey_server_applied(server, told.serial);
	hears(0, PFKEY_FS_ADDFLOW, 0);
	begin(PFKEY_FS_ADDFLOW, SADB_SATYPE_ESP);
	put_flow(true, 0x1000, 0);
	ask(0);
	hears(0, PFKEY_FS_ADDFLOW, EEXIST);
	begin(PFKEY_FS_ADDFLOW, PFKEY_FS_SATYPE_INT);
	put_flow(true, PFKEY_FS_SPI_DROP, PFKEY_FS_FLAG_REPLACEFLOW);
	ask(0);
	ck_assert_uint_eq(told.policy.action, PFKEY_BAND_DISCARD);
	ck_assert_int_eq(told.n, 2);	/* told twice, one policy */
	begin(PFKEY_FS_DELFLOW, SADB_SATYPE_ESP);
	put_flow(false, 0, 0);
	ask(0);
	ck_assert(told.gone);
	begin(PFKEY_FS_DELFLOW, SADB_SATYPE_ESP);
	put_flow(false, 0, 0);
	ask(0);
	ck_assert_int_eq(told.n, 1);
}
END_TEST

START_TEST(test_all_flows_can_be_cleared_and_policies_stay)
{
	const struct pfkey_sa clear = { .flags = PFKEY_FS_FLAG_CLEARFLOW };

	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &tunnel);
	ask_add(0, 0x1000, false);
	begin(PFKEY_FS_ADDFLOW, SADB_SATYPE_ESP);
	put_flow(true, 0x1000, PFKEY_FS_FLAG_INFLOW);
	ask(0);
	ck_assert_uint_eq(told.policy.dir, PFKEY_DIR_IN);
	ck_assert_int_eq(told.n, 2);
	begin(PFKEY_FS_DELFLOW, SADB_SATYPE_UNSPEC);
	pfkey_put_sa(&w, &clear);
	ask(0);
	ck_assert_int_eq(told.n, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pfkey/server");
	TCase *tc = tcase_create("SAs");

	tcase_add_checked_fixture(tc, setup, teardown);
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
	tcase_add_test(tc, test_a_peer_that_moves_is_told_and_its_sa_goes_there_by_update);
	tcase_add_test(tc, test_acquire_of_a_user_goes_to_who_is_registered);
	tcase_add_test(tc, test_flush_takes_those_of_its_type_alone);
	tcase_add_test(tc, test_dump_tells_each_sa_once_and_ends_with_number_zero);
	tcase_add_test(tc, test_a_second_dump_waits_for_the_first);
	tcase_add_test(tc, test_a_filter_chooses_what_is_dumped);
	tcase_add_test(tc, test_who_is_promiscuous_hears_all_but_keys);
	tcase_add_test(tc, test_a_slow_listener_loses_messages_and_is_told_so);
	tcase_add_test(tc, test_messages_that_are_none_are_answered_by_an_error);
	tcase_add_test(tc, test_memory_that_runs_out_changes_nothing);
	suite_add_tcase(s, tc);
	tc = tcase_create("policies");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_a_policy_is_answered_when_it_is_in_force);
	tcase_add_test(tc, test_an_update_keeps_the_index_and_is_told_again);
	tcase_add_test(tc, test_policies_are_got_and_deleted_by_index_and_by_selector);
	tcase_add_test(tc, test_policies_that_cannot_be_are_refused);
	tcase_add_test(tc, test_an_answer_does_not_wait_for_ever);
	tcase_add_test(tc, test_a_policys_time_ends_and_all_hear_of_it);
	tcase_add_test(tc, test_a_policy_that_is_not_used_for_its_time_ends);
	tcase_add_test(tc, test_flush_and_dump_of_policies);
	tcase_add_test(tc, test_restored_policies_keep_their_index_and_place);
	tcase_add_test(tc, test_migrate_moves_a_policy_and_its_sas);
	tcase_add_test(tc, test_flows_are_policies_through_their_sa);
	tcase_add_test(tc, test_all_flows_can_be_cleared_and_policies_stay);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
