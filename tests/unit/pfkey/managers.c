/* tests/unit/pfkey/managers.c - key managers on sockets that are arrays. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compress/zlib.h"
#include "engine/crypto/gcrypt.h"
#include "tests/unit/pfkey/managers.h"

struct memory memory;
static void *region;
static size_t region_size;
struct ipsp_engine *engine;
struct pfkey_server *server;
struct socket sockets[CLIENTS];
struct pfkey_client *clients[CLIENTS];
uint64_t now_s;

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

struct told told;

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

void managers_setup(void)
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

void managers_teardown(void)
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

uint8_t request[PFKEY_MSG_MAX];
struct pfkey_writer w;
uint32_t seq;

const struct pfkey_address ours = { .addr = { 4, { 192, 0, 2, 1 } } };
const struct pfkey_address peer = { .addr = { 4, { 198, 51, 100, 2 } } };
const uint8_t octets[64] = { 1, 2, 3, 4, 5, 6, 7, 8 };

void begin(uint8_t type, uint8_t satype)
{
	pfkey_begin(&w, request, sizeof(request), type, satype, ++seq, 4711);
}

void put_addresses(const struct pfkey_address *src, const struct pfkey_address *dst)
{
	pfkey_put_address(&w, SADB_EXT_ADDRESS_SRC, src);
	pfkey_put_address(&w, SADB_EXT_ADDRESS_DST, dst);
}

void put_sa(uint32_t spi)
{
	const struct pfkey_sa sa = { .spi = spi, .state = SADB_SASTATE_MATURE, .replay = 64,
				     .auth = SADB_X_AALG_SHA2_256HMAC,
				     .encrypt = SADB_X_EALG_AESCBC };

	pfkey_put_sa(&w, &sa);
}

void put_keys(void)
{
	const struct pfkey_key auth = { 256, octets }, encrypt = { 128, octets };

	pfkey_put_key(&w, SADB_EXT_KEY_AUTH, &auth);
	pfkey_put_key(&w, SADB_EXT_KEY_ENCRYPT, &encrypt);
}

void put_lifetimes(uint64_t soft_s, uint64_t hard_s)
{
	const struct pfkey_lifetime soft = { .add_s = soft_s }, hard = { .add_s = hard_s };

	pfkey_put_lifetime(&w, SADB_EXT_LIFETIME_HARD, &hard);
	pfkey_put_lifetime(&w, SADB_EXT_LIFETIME_SOFT, &soft);
}

void ask(int who)
{
	const size_t len = pfkey_end(&w);

	ck_assert_uint_gt(len, 0);
	pfkey_client_message(clients[who], request, len, now_s, WALL_S + now_s);
}

void ask_add(int who, uint32_t spi, bool inbound)
{
	begin(SADB_ADD, SADB_SATYPE_ESP);
	put_sa(spi);
	put_addresses(inbound ? &peer : &ours, inbound ? &ours : &peer);
	put_keys();
	ask(who);
}

void ask_about(int who, uint8_t type, uint32_t spi, bool inbound)
{
	begin(type, SADB_SATYPE_ESP);
	put_sa(spi);
	put_addresses(inbound ? &peer : &ours, inbound ? &ours : &peer);
	ask(who);
}

/* ---- what they hear ---- */

struct pfkey_msg hears(int who, uint8_t type, int err)
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

struct pfkey_msg answered(int who, uint8_t type, int err)
{
	struct pfkey_msg m = hears(who, type, err);

	ck_assert_uint_eq(m.seq, seq);
	ck_assert_uint_eq(m.pid, 4711);
	return m;
}

void silence(void)
{
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_uint_eq(sockets[i].n, 0);
}

void forget_all(void)
{
	for (int i = 0; i < CLIENTS; i++)
		sockets[i].n = 0;
}
