/* tests/unit/engine_io/role.c - an engine role without packets, and the agent's end. */
#include "config.h"
#include "tests/unit/engine_io/role.h"

#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/crypto/provider.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "ipspd/wire.h"

#define MESSAGES_MAX 64
#define SLOTS 64u

static struct role_message messages[MESSAGES_MAX];
static size_t n_messages, n_taken;
static struct wire_event sa_events[MESSAGES_MAX];
static size_t n_sa_events, n_sa_taken;
static struct chan *agent_end;

static void on_message(void *arg, struct chan_msg *m)
{
	(void)arg;
	if (m->type == MSG_EVENT && m->len > 0 && m->data[0] == WIRE_EVENT_SA) {
		ck_assert_uint_lt(n_sa_events, MESSAGES_MAX);
		ck_assert(report_event_read(m, &sa_events[n_sa_events++]));
		return;
	}
	ck_assert_uint_lt(n_messages, MESSAGES_MAX);
	struct role_message *const to = &messages[n_messages++];

	ck_assert_uint_le(m->len, sizeof(to->data));
	to->type = m->type;
	to->len = m->len;
	memcpy(to->data, m->data, m->len);
}

static void on_closed(void *arg, int why)
{
	(void)arg;
	ck_abort_msg("channel closed: %d", why);
}

void role_setup(struct engine_role *role)
{
	const struct chan_handler handler = { .message = on_message, .closed = on_closed };
	const struct engine_start start = { .crypto = IPSP_CRYPTO_GCRYPT };
	int fds[2];

	memset(role, 0, sizeof(*role));
	n_messages = n_taken = n_sa_events = n_sa_taken = 0;
	log_set_level(LOG_EMERG);
	role->base = event_base_new();
	role->reserve = engine_reserve_new();
	ck_assert(role->base && role->reserve);
	ck_assert_int_eq(engine_platform_init(role, &start), 0);
	role->counters_size = ipsp_counters_size(SLOTS);
	role->counters_region = aligned_alloc(64, role->counters_size);
	ck_assert(role->counters_region != NULL);
	memset(role->counters_region, 0, role->counters_size);
	const struct ipsp_engine_config config = {
		.platform = &role->platform,
		.events = engine_events(role),
		.counters = role->counters_region,
		.counters_size = role->counters_size,
	};

	ck_assert_int_eq(ipsp_engine_new(&config, &role->engine), IPSP_OK);
	ck_assert_int_eq(ipsp_counters_attach(role->counters_region, role->counters_size,
					      &role->counters), IPSP_OK);
	ck_assert_int_eq(chan_pair(fds), 0);
	ck_assert_int_eq(chan_new(role->base, fds[0], &handler, &role->agent), 0);
	ck_assert_int_eq(chan_new(role->base, fds[1], &handler, &agent_end), 0);
	role->started = true;
}

void role_teardown(struct engine_role *role)
{
	chan_free(agent_end);
	chan_free(role->agent);
	engine_policy_forget(role);
	ipsp_engine_free(role->engine);
	free(role->counters_region);
	engine_reserve_free(role->reserve);
	event_base_free(role->base);
}

bool role_next(struct role_message *out)
{
	if (n_taken == n_messages)
		return false;
	*out = messages[n_taken++];
	return true;
}

bool role_next_sa_event(struct wire_event *out)
{
	if (n_sa_taken == n_sa_events)
		return false;
	*out = sa_events[n_sa_taken++];
	return true;
}

struct chan_reader role_expect(uint16_t type, struct role_message *out)
{
	ck_assert_msg(role_next(out), "no message, but %u was to come", type);
	ck_assert_uint_eq(out->type, type);
	return (struct chan_reader) { .data = out->data, .len = out->len };
}

void role_settle(struct engine_role *role)
{
	event_base_loop(role->base, EVLOOP_NONBLOCK);
}

void role_policy(struct engine_role *role, uint16_t type, const void *data, size_t len)
{
	const struct chan_msg m = { .type = type, .data = data, .len = len };

	if (type == MSG_RESERVED)
		engine_reserved_message(role, &m);
	else if (type == MSG_SETTINGS)
		engine_settings_message(role, &m);
	else if (type == MSG_STATS_GET)
		engine_stats_message(role, &m);
	else
		engine_policy_message(role, &m);
	role_settle(role);
}

struct ipsp_sa_config role_sa(uint64_t id, enum ipsp_dir dir, uint32_t spi)
{
	struct ipsp_sa_config sa = {
		.id = id, .counter_id = id + 1000, .dir = (uint8_t)dir, .proto = IPSP_PROTO_ESP,
		.mode = IPSP_MODE_TUNNEL, .df = IPSP_DF_COPY, .spi = spi, .replay = true,
		.replay_window_pkts = 64,
		.local = { .family = 4, .octets = { 192, 0, 2, 1 } },
		.remote = { .family = 4, .octets = { 198, 51, 100, 1 } },
		.encr = IPSP_ENCR_AES_CBC, .encr_key_bits = 128, .integ = IPSP_INTEG_HMAC_SHA1_96,
		.encr_key = { .len = 16 }, .integ_key = { .len = 20 },
	};

	for (uint8_t i = 0; i < 20; i++)
		sa.encr_key.octets[i % 16] = sa.integ_key.octets[i] = (uint8_t)(i + 1);
	return sa;
}

static int emit(void *arg, uint16_t type, const uint8_t *data, size_t len)
{
	role_policy(arg, type, data, len);
	return 0;
}

void role_generation(struct engine_role *role, uint64_t number, const struct ipsp_sa_config *sas,
		     size_t n)
{
	struct ipsp_selector all;

	ipsp_selector_any(4, &all);
	const struct ipsp_spd_entry entry = {
		.id = 11, .action = IPSP_PROTECT, .sa_id = n ? sas[0].id : 0, .n_selectors = 1,
		.selectors = &all,
	};
	const struct ipsp_spd_list list = {
		.ifindex = 3, .dir = IPSP_OUTBOUND, .n_entries = 1, .entries = &entry,
	};

	ck_assert_int_eq(wire_put_generation(number, &list, 1, sas, n, emit, role), 0);
}
