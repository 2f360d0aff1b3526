/*
 * tests/fuzz/fuzz_observe.c - datagrams as of the kernel's packet log, of both groups.
 *
 * Whatever is in one, each of its messages is told to the agent as an event that can be read and
 * makes sense, or counts as malformed.
 */
#include "config.h"

#include <event2/event.h>
#include <linux/netlink.h>
#include <string.h>

#include "ipspd/engine.h"
#include "ipspd/messages.h"
#include "tests/fuzz/fuzz.h"

static struct event_base *base;
static struct engine_role role;
/* It has no call that could let a packet pass. */
static struct io_attachment nowhere;
static struct engine_worker worker = { .role = &role, .io = &nowhere };
static size_t n_events;

static void on_message(void *arg, struct chan_msg *m)
{
	struct wire_event e;

	(void)arg;
	must(m->type == MSG_EVENT && report_event_read(m, &e));
	must(e.kind == WIRE_EVENT_PACKET && e.id != 0);
	must(e.dir == IPSP_INBOUND || e.dir == IPSP_OUTBOUND);
	must(e.action == IPSP_BYPASS || e.action == IPSP_DISCARD);
	must((e.action == IPSP_BYPASS) == (e.reason == IPSP_REASON_NONE));
	must(e.packet_len == 0 || e.packet_len == 20 || e.packet_len == 28 ||
	     e.packet_len == 40 || e.packet_len == 48);
	n_events++;
}

static void on_closed(void *arg, int why)
{
	(void)arg;
	(void)why;
	must(!"the channel stays open");
}

static void init(void)
{
	const struct chan_handler handler = { .message = on_message, .closed = on_closed };
	static struct chan *agent_end;
	int fds[2];

	base = event_base_new();
	must(base && chan_pair(fds) == 0);
	role.base = base;
	must(chan_new(base, fds[0], &handler, &role.agent) == 0);
	must(chan_new(base, fds[1], &handler, &agent_end) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *copy = malloc(size ? size : 1);
	size_t bad;

	if (!base)
		init();
	must(copy != NULL);
	memcpy(copy, data, size);
	n_events = 0;
	bad = engine_observe_datagram(&role, copy, size);
	event_base_loop(base, EVLOOP_NONBLOCK);
	/* A message has a header at least, and what is left over counts once. */
	must(n_events + bad <= size / sizeof(struct nlmsghdr) + 1);
	/* The same as packets that the guard hands over: without policy none passes. */
	memcpy(copy, data, size);
	nowhere.stats = (struct io_stats) { .drops = { 0 } };
	bad = engine_handover_datagram(&worker, copy, size);
	must(bad + nowhere.stats.drops[IO_REASON_NOT_READY] <=
	     size / sizeof(struct nlmsghdr) + 1);
	free(copy);
	return 0;
}
