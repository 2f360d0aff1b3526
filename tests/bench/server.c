/* tests/bench/server.c - see server.h. */
#include "config.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "ipspd/engine.h"
#include "ipspd/log.h"
#include "tests/bench/bench.h"
#include "tests/bench/server.h"

void bench_serve(int listener)
{
	const struct engine_start start = { .n_workers = 1 };
	struct engine_role role = { 0 };
	const size_t size = ipsp_counters_size(1024);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	log_set_level(LOG_EMERG);
	role.base = event_base_new();
	bench_must(role.base && engine_platform_init(&role, &start) == 0, "platform");
	void *region = aligned_alloc(64, (size + 63) / 64 * 64);

	bench_must(region != NULL, "memory");
	memset(region, 0, size);
	const struct ipsp_engine_config config = {
		.platform = &role.platform, .events = engine_events(&role), .counters = region,
		.counters_size = size,
	};

	bench_must(ipsp_engine_new(&config, &role.engine) == IPSP_OK, "engine");
	bench_must(engine_pfkey_start(&role, listener) == 0, "PF_KEY");
	event_base_dispatch(role.base);	/* until it is killed */
}
