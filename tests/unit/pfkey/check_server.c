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

#include "engine/crypto/gcrypt.h"
#include "pfkey/server.h"
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

static void on_policy(void *ctx, uint32_t serial, const struct pfkey_band_policy *p, bool gone)
{
	(void)ctx;
	(void)serial;
	(void)p;
	(void)gone;
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
	region_size = ipsp_counters_size(64);
	region = calloc(1, region_size);
	const struct ipsp_engine_config config = {
		.platform = &memory.platform, .counters = region, .counters_size = region_size,
		.events = { .sa_changed = on_sa_changed, .sa_expired = on_sa_expired },
	};

	now_s = 1000;
	ck_assert_int_eq(ipsp_engine_new(&config, &engine), IPSP_OK);
	const struct pfkey_server_config sc = {
		.engine = engine, .crypto = memory.platform.crypto, .send = on_send,
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
	for (long at = 0; at < 4; at++) {
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
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
