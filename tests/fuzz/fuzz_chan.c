/*
 * tests/fuzz/fuzz_chan.c - octets as a taken-over process might send them: frames, and generations.
 *
 * The first octet chooses: a datagram for a channel, or records (type, length, payload) for the
 * builder of generations and the readers of the other messages.
 */
#include "config.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chan/chan.h"
#include "ipspd/messages.h"
#include "ipspd/report.h"
#include "ipspd/settings.h"
#include "ipspd/start.h"
#include "ipspd/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- other messages ---- */

static void read_others(const uint8_t *data, size_t len)
{
	struct chan_msg m = { .data = data, .len = len };
	static struct wire_entry_stats entries[REPORT_ENTRIES_MAX];
	static struct wire_sa_stats sas[REPORT_SAS_MAX];
	static struct wire_guard_count counts[REPORT_GUARD_MAX];
	bool more;
	struct wire_event event;
	struct agent_start agent;
	struct engine_start engine;
	struct agent_options options;
	struct ipsp_engine_settings settings = { .frag_timeout_s = 30 };
	uint32_t serial;
	size_t n;

	if (report_entries_read(&m, &serial, entries, &n) && n > REPORT_ENTRIES_MAX)
		abort();
	if (report_sas_read(&m, &serial, sas, &n) && n > REPORT_SAS_MAX)
		abort();
	if (report_guard_read(&m, &serial, &more, counts, &n) && n > REPORT_GUARD_MAX)
		abort();
	if (report_event_read(&m, &event) &&
	    (event.packet_len > REPORT_PACKET_MAX ||
	     (event.dir != IPSP_INBOUND && event.dir != IPSP_OUTBOUND) ||
	     (event.kind == WIRE_EVENT_SA &&
	      (event.reason >= WIRE_SA_CHANGES || event.reason == WIRE_SA_REFUSED)) ||
	     (event.kind == WIRE_EVENT_CLEAR &&
	      (event.dst.family == 0 || event.id > UINT32_MAX || event.action_id > UINT32_MAX))))
		abort();
	if (agent_start_read(&m, &agent) && memchr(agent.statedir, 0, START_PATH_MAX) == NULL)
		abort();
	(void)engine_start_read(&m, &engine);
	if (settings_read(&m, &settings) && (settings.frag_timeout_s == 0 ||
					     settings.reassembly_timeout_s == 0 ||
					     settings.icmp_by_quote > IPSP_ICMP_QUOTE_DISCARDED))
		abort();
	if (agent_options_read(&m, &options) && options.n_attach > START_ATTACH_MAX)
		abort();
}

/* ---- generations ---- */

/* Whatever the builder lets through must be whole. */
static void check(const struct wire_gen *g)
{
	for (size_t i = 0; i < g->n_unasked; i++) {
		for (uint32_t j = 0; j < g->unasked[i].n_selectors; j++) {
			if (!ipsp_selector_valid(&g->unasked[i].selectors[j]))
				abort();
		}
	}
	for (size_t i = 0; i < g->n_lists; i++) {
		for (uint32_t j = 0; j < g->lists[i].n_entries; j++) {
			const struct ipsp_spd_entry *e = &g->lists[i].entries[j];

			for (uint32_t k = 0; k < e->n_selectors; k++) {
				if (!ipsp_selector_valid(&e->selectors[k]))
					abort();
			}
			for (uint32_t k = 0; k < e->n_templates; k++) {
				if (!ipsp_template_valid(&e->templates[k]))
					abort();
			}
		}
	}
}

static void build(const uint8_t *data, size_t size)
{
	struct wire_builder *b = wire_builder_new(7);
	struct chan_reader r = { .data = data, .len = size };
	struct wire_gen *g = NULL;

	while (b && !chan_reader_done(&r)) {
		uint16_t type = chan_get_u16(&r);
		size_t len;
		const uint8_t *payload = chan_get_octets(&r, &len);

		if (r.short_read)
			break;
		read_others(payload, len);
		if (type == MSG_GEN_COMMIT || type == MSG_GUARD_COMMIT) {
			int rc = type == MSG_GEN_COMMIT ?
					 wire_builder_finish(b, payload, len, &g) :
					 wire_builder_finish_lists(b, &g);

			b = NULL;
			if (rc == 0) {
				check(g);
				wire_gen_free(g);
			}
		} else if (type == MSG_GEN_FOLLOW) {
			wire_builder_follow(b);
		} else if (wire_builder_add(b, type, payload, len) < 0) {
			break;
		}
	}
	wire_builder_free(b);
}

/* ---- frames ---- */

static struct chan *channel;

static void on_message(void *arg, struct chan_msg *m)
{
	size_t *sum = (size_t *)arg;

	for (size_t i = 0; i < m->len; i++)
		*sum += m->data[i];
}

static void on_closed(void *arg, int why)
{
	(void)arg;
	(void)why;
	chan_free(channel);
	channel = NULL;
}

static void frame(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	size_t sum = 0;
	struct chan_handler h = { on_message, on_closed, &sum };
	int fds[2];

	if (!base)
		base = event_base_new();
	if (!base || chan_pair(fds) < 0 || chan_new(base, fds[0], &h, &channel) < 0)
		abort();
	if (send(fds[1], data, size, MSG_DONTWAIT) < 0 && size < CHAN_PAYLOAD_MAX)
		abort();
	close(fds[1]);
	while (channel)
		event_base_loop(base, EVLOOP_ONCE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		frame(data + 1, size - 1);
	else
		build(data + 1, size - 1);
	return 0;
}
