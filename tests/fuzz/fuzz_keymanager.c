/*
 * tests/fuzz/fuzz_keymanager.c - what key managers may do, in any order: PF_KEY messages of any octets, dumps,
 * sockets that close, time that passes, policies that come into force.
 *
 * Steps, one behind the other: an octet that says what and whose, two of a length, and so many octets of a
 * message. A server and its engine begin and end with each input, so that nothing may be left over.
 * Whatever is asked, what is told can be read, and keys are told to nobody but who may.
 */
#include <string.h>

#include "engine/crypto/hosted.h"
#include "pfkey/server.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/trusting.h"

#define CLIENTS 3u
#define REGION_SLOTS 16u
#define WALL_S 1700000000u
#define STEPS_MAX 64u

enum { STEP_MESSAGE, STEP_DUMP, STEP_REOPEN, STEP_TIME, STEP_APPLIED, N_STEPS };

static struct {
	struct ipsp_platform platform;
	struct ipsp_engine *engine;
	struct pfkey_server *server;
	struct pfkey_client *clients[CLIENTS];
	uint32_t serial;
	uint64_t now_s;
} world;

/* Sockets are places; the last one may not read keys. */
static char sockets[CLIENTS];

static bool on_send(void *ctx, void *socket, const void *data, size_t len)
{
	const size_t i = (size_t)((char *)socket - sockets);
	struct pfkey_msg m;

	(void)ctx;
	must(i < CLIENTS && len >= 16 && len <= PFKEY_MSG_MAX && len % 8 == 0);
	/* An error is the header alone, and a type of a request that there is not comes back in it. */
	if (len > 16)
		must(pfkey_msg_read(data, len, &m) == 0);
	must(len <= 16 || i + 1 < CLIENTS ||
	     !(m.has & (PFKEY_HAS(SADB_EXT_KEY_AUTH) | PFKEY_HAS(SADB_EXT_KEY_ENCRYPT))));
	return (len ^ i) % 13 != 0;	/* some sockets are full at times */
}

static bool is_local(void *ctx, const struct ipsp_addr *a)
{
	(void)ctx;
	return a->octets[0] % 2 == 0;
}

static void on_policy(void *ctx, uint32_t serial, const struct pfkey_band_policy *p, bool gone)
{
	(void)ctx;
	(void)gone;
	must(p->index != 0);
	world.serial = serial;
}

static void on_sa_changed(void *ctx, const struct ipsp_sa *sa, enum ipsp_sa_change change)
{
	(void)ctx;
	if (change == IPSP_SA_REMOVED && world.server)
		pfkey_server_sa_gone(world.server, sa);
}

static void on_sa_expired(void *ctx, const struct ipsp_life_event *event)
{
	(void)ctx;
	if (world.server)
		pfkey_server_expired(world.server, event, world.now_s, WALL_S + world.now_s);
}

static void open_client(size_t i)
{
	world.clients[i] = pfkey_client_new(world.server, &sockets[i], i + 1 < CLIENTS);
	must(world.clients[i] != NULL);
}

static void begin(void *region, size_t region_size)
{
	const struct ipsp_engine_config config = {
		.platform = &world.platform, .counters = region, .counters_size = region_size,
		.events = { .sa_changed = on_sa_changed, .sa_expired = on_sa_expired },
	};
	const struct pfkey_server_config server = {
		.crypto = fuzz_trusting(), .send = on_send, .is_local = is_local,
		.policy = on_policy,
	};
	struct pfkey_server_config with_engine = server;

	memset(region, 0, region_size);
	memset(&world, 0, sizeof(world));
	world.now_s = 1000;
	ipsp_platform_hosted(&world.platform, fuzz_trusting());
	must(ipsp_engine_new(&config, &world.engine) == IPSP_OK);
	with_engine.engine = world.engine;
	world.server = pfkey_server_new(&with_engine);
	must(world.server != NULL);
	for (size_t i = 0; i < CLIENTS; i++)
		open_client(i);
}

static void end(void)
{
	for (size_t i = 0; i < CLIENTS; i++)
		pfkey_client_free(world.clients[i]);
	pfkey_server_free(world.server);
	world.server = NULL;
	ipsp_engine_free(world.engine);
}

static void step(unsigned what, size_t i, unsigned number, const uint8_t *data, size_t len)
{
	struct pfkey_client *const c = world.clients[i];

	switch (what) {
	case STEP_MESSAGE:
		pfkey_client_message(c, data, len, world.now_s, WALL_S + world.now_s);
		break;
	case STEP_DUMP:
		if (pfkey_client_dumps(c))
			pfkey_client_dump(c, number % 8 + 1, world.now_s, WALL_S + world.now_s);
		break;
	case STEP_REOPEN:
		pfkey_client_free(c);
		open_client(i);
		break;
	case STEP_TIME:
		world.now_s += number;
		ipsp_engine_tick(world.engine, world.now_s);
		pfkey_server_tick(world.server, world.now_s, WALL_S + world.now_s);
		break;
	default:
		pfkey_server_applied(world.server, world.serial);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(64) uint8_t region[1 << 16];
	static _Alignas(8) uint8_t message[PFKEY_MSG_MAX + 64];
	const size_t region_size = ipsp_counters_size(REGION_SLOTS);

	must(region_size <= sizeof(region));
	begin(region, region_size);
	for (unsigned n = 0; n < STEPS_MAX && size >= 3; n++) {
		const unsigned what = data[0] % N_STEPS, number = (unsigned)(data[1] << 8 | data[2]);
		const size_t i = data[0] / N_STEPS % CLIENTS;
		size_t len = what == STEP_MESSAGE ? number : 0;

		data += 3;
		size -= 3;
		len = len < size ? len : size;
		len = len < sizeof(message) ? len : sizeof(message);
		memcpy(message, data, len);
		step(what, i, number, message, len);
		data += len;
		size -= len;
	}
	end();
	return 0;
}
