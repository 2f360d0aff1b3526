/* ipspd/engine_report.c - what the engine tells the agent: counters when asked, and events. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ipspd/engine.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "ipspd/report.h"

/* ---- counters ---- */

struct stats_answer {
	struct engine_role *role;
	uint32_t serial;
	uint64_t now_s;
	int err;	/* of the first message that could not be sent */
	size_t n_entries, n_sas;	/* that wait for a message to be full */
	struct wire_entry_stats entries[REPORT_ENTRIES_MAX];
	struct wire_sa_stats sas[REPORT_SAS_MAX];
};

static uint64_t relaxed(const _Atomic uint64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void send_entries(struct stats_answer *a)
{
	if (!a->err && a->n_entries)
		a->err = report_entries_send(a->role->agent, a->serial, a->entries, a->n_entries);
	a->n_entries = 0;
}

static void send_sas(struct stats_answer *a)
{
	if (!a->err && a->n_sas)
		a->err = report_sas_send(a->role->agent, a->serial, a->sas, a->n_sas);
	a->n_sas = 0;
}

static void answer_entry(void *arg, const struct ipsp_spd_hits *hits)
{
	struct stats_answer *a = arg;
	const uint64_t packets = relaxed(&hits->packets);

	if (packets == 0)
		return;
	a->entries[a->n_entries++] = (struct wire_entry_stats){
		.id = hits->id,
		.ifindex = hits->ifindex,
		.dir = hits->dir,
		.packets = packets,
		.bytes = relaxed(&hits->bytes),
	};
	if (a->n_entries == REPORT_ENTRIES_MAX)
		send_entries(a);
}

static uint64_t since(uint64_t then_s, uint64_t now_s)
{
	return now_s > then_s ? now_s - then_s : 0;
}

struct wire_sa_stats engine_sa_stats(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
				     uint64_t now_s)
{
	const uint64_t used_s = relaxed(&sa->last_used_s);

	return (struct wire_sa_stats){
		.id = sa->id,
		.counter_id = sa->counter_id,
		.spi = sa->spi,
		.dir = sa->dir,
		/* The core counts its states from 0, the message from 1. */
		.state = (uint8_t)(atomic_load_explicit(&sa->state, memory_order_relaxed) + 1),
		.packets = relaxed(&sa->counter->packets),
		.bytes = relaxed(&sa->counter->bytes),
		.seq = sa->dir == IPSP_OUTBOUND ? ipsp_sa_seq_last(sa) :
						  relaxed(&sa->counter->replay.top),
		.auth_errors = relaxed(&sa->drops_icv),
		.replay_errors = relaxed(&sa->drops_replay),
		.other_errors = relaxed(&sa->drops_other),
		.dummies = relaxed(&sa->dummies),
		.age_s = since(sa->counter->born_s, now_s),
		.idle_s = used_s ? since(used_s, now_s) : REPORT_NEVER_USED,
		.path_mtu = ipsp_engine_path_learned(engine, sa, now_s),
	};
}

static void answer_sa(void *arg, struct ipsp_sa *sa)
{
	struct stats_answer *a = arg;

	if (sa->origin != IPSP_ORIGIN_POLICY)
		return;
	a->sas[a->n_sas++] = engine_sa_stats(a->role->engine, sa, a->now_s);
	if (a->n_sas == REPORT_SAS_MAX)
		send_sas(a);
}

static void answer_drop(struct stats_answer *a, unsigned reason, uint64_t packets)
{
	uint8_t buf[14];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (a->err || !packets)
		return;
	chan_put_u32(&w, a->serial);
	chan_put_u16(&w, (uint16_t)reason);
	chan_put_u64(&w, packets);
	a->err = chan_send(a->role->agent, MSG_STATS_DROP, buf, w.len, NULL, 0);
}

/* By the attachments of all workers. */
static uint64_t dropped(const struct engine_role *role, enum io_reason reason)
{
	uint64_t n = 0;

	for (size_t i = 0; i < role->n_workers; i++)
		n += relaxed(&role->workers[i].io->stats.drops[reason]);
	return n;
}

static void answer_icmp(struct stats_answer *a, const uint64_t counts[IPSP_N_ICMP_COUNTS])
{
	uint8_t buf[4 + 8 * IPSP_N_ICMP_COUNTS];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (a->err)
		return;
	chan_put_u32(&w, a->serial);
	for (size_t i = 0; i < IPSP_N_ICMP_COUNTS; i++)
		chan_put_u64(&w, counts[i]);
	a->err = chan_send(a->role->agent, MSG_STATS_ICMP, buf, w.len, NULL, 0);
}

/* What left by packet sockets. */
static void answer_fast(struct stats_answer *a)
{
	uint8_t buf[12];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	uint64_t n = 0;

	if (a->err)
		return;
	for (size_t i = 0; i < a->role->n_workers; i++)
		n += relaxed(&a->role->workers[i].io->stats.fast);
	chan_put_u32(&w, a->serial);
	chan_put_u64(&w, n);
	a->err = chan_send(a->role->agent, MSG_STATS_FAST, buf, w.len, NULL, 0);
}

void engine_stats_message(struct engine_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct stats_answer a = { .role = role, .now_s = engine_now_s() };
	struct ipsp_engine_stats stats;
	uint8_t buf[12];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	a.serial = chan_get_u32(&r);
	if (!chan_reader_done(&r)) {
		ipspd_log(LOG_ERR, "engine", "malformed STATS_GET from the agent");
		return;
	}
	ipsp_spd_hits_each(ipsp_engine_spd_db(role->engine), answer_entry, &a);
	send_entries(&a);
	ipsp_sad_each(ipsp_engine_sad(role->engine), answer_sa, &a);
	send_sas(&a);
	ipsp_engine_stats(role->engine, &stats);
	for (unsigned i = IPSP_REASON_NONE + 1; i < IPSP_N_REASONS; i++)
		answer_drop(&a, i, stats.reasons[0][i] + stats.reasons[1][i]);
	for (unsigned i = 0; i < IO_N_REASONS; i++)
		answer_drop(&a, IO_REASON_BASE + i, dropped(role, (enum io_reason)i));
	answer_icmp(&a, stats.icmp);
	answer_fast(&a);
	chan_put_u32(&w, a.serial);
	chan_put_u64(&w, ipsp_engine_generation(role->engine));
	if (!a.err)
		a.err = chan_send(role->agent, MSG_STATS_END, buf, w.len, NULL, 0);
	if (!a.err)
		ipsp_spd_hits_forget(ipsp_engine_spd_db(role->engine));
	else
		ipspd_log(LOG_WARNING, "engine", "statistics %u cut short: error %d", a.serial,
			  -a.err);
}

/* ---- events ---- */

static void put_ipv4(uint8_t *p, const struct ipsp_flow *f)
{
	p[0] = 0x45;
	p[1] = (uint8_t)(f->dscp << 2 | f->ecn);
	p[6] = (uint8_t)((f->df ? 0x40 : 0) | (f->frag == IPSP_FRAG_FIRST ? 0x20 : 0));
	p[7] = f->frag == IPSP_FRAG_LATER;
	p[8] = f->ttl;
	p[9] = f->proto;
	memcpy(p + 12, f->src.octets, 4);
	memcpy(p + 16, f->dst.octets, 4);
}

static void put_ipv6(uint8_t *p, const struct ipsp_flow *f)
{
	const uint8_t tclass = (uint8_t)(f->dscp << 2 | f->ecn);

	p[0] = (uint8_t)(0x60 | tclass >> 4);
	p[1] = (uint8_t)((tclass & 15) << 4 | f->flow_label >> 16);
	p[2] = (uint8_t)(f->flow_label >> 8);
	p[3] = (uint8_t)f->flow_label;
	p[6] = f->proto;
	p[7] = f->ttl;
	memcpy(p + 8, f->src.octets, 16);
	memcpy(p + 24, f->dst.octets, 16);
}

/**
 * The headers of a logged packet as its selectors saw them: a plain IP header and, if it has ports or is
 * a message, the first eight octets behind it. The packet itself may be encrypted by now. Lengths say
 * what stands there, so that a reader takes it for a whole packet.
 */
#define HEADERS_MAX 48
#define PROTO_MOBILITY 135
_Static_assert(HEADERS_MAX <= REPORT_PACKET_MAX, "fits");

static uint16_t put_headers(uint8_t out[HEADERS_MAX], const struct ipsp_flow *f)
{
	const bool has_ports = f->ports_known && f->sport != IPSP_PORT_NONE;
	const uint16_t header = f->family == 4 ? 20 : 40;
	const uint16_t behind = has_ports ? 8 : 0;
	const uint16_t length = f->family == 4 ? (uint16_t)(header + behind) : behind;

	memset(out, 0, HEADERS_MAX);
	if (f->family == 4)
		put_ipv4(out, f);
	else
		put_ipv6(out, f);
	out[f->family == 4 ? 2 : 4] = (uint8_t)(length >> 8);
	out[f->family == 4 ? 3 : 5] = (uint8_t)length;
	if (has_ports && f->proto == PROTO_MOBILITY) {
		out[header + 2] = (uint8_t)(f->sport >> 8);
	} else if (has_ports) {
		out[header] = (uint8_t)(f->sport >> 8);
		out[header + 1] = (uint8_t)f->sport;
		if (ipsp_proto_has_ports(f->proto)) {
			out[header + 2] = (uint8_t)(f->dport >> 8);
			out[header + 3] = (uint8_t)f->dport;
		}
	}
	return (uint16_t)(header + behind);
}

static uint32_t at_most_u32(uint64_t value)
{
	return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void put_clear_packet(struct wire_event *e, const struct ipsp_flow *flow)
{
	e->src = flow->src;
	e->dst = flow->dst;
	e->proto = flow->proto;
}

static void send_event(struct engine_role *role, const struct wire_event *e)
{
	/* Lost when the agent is away or far behind: its counters still count. */
	if (engine_self())
		engine_mail_event(role, e);
	else if (role->agent)
		(void)report_event_send(role->agent, e);
}

void engine_report_packet(struct engine_role *role, struct wire_event *e,
			  const struct ipsp_flow *flow)
{
	if (flow) {
		put_clear_packet(e, flow);
		e->packet_len = put_headers(e->packet, flow);
	}
	send_event(role, e);
}

static void on_log(void *ctx, const struct ipsp_log_event *event)
{
	static const uint8_t actions[] = {
		[IPSP_VERDICT_DROP] = IPSP_DISCARD,
		[IPSP_VERDICT_BYPASS] = IPSP_BYPASS,
		[IPSP_VERDICT_ESP_OUT] = IPSP_PROTECT,
		[IPSP_VERDICT_DELIVER] = IPSP_PROTECT,
		[IPSP_VERDICT_TAKEN] = IPSP_DISCARD,
		[IPSP_VERDICT_ERROR] = IPSP_DISCARD,
	};
	struct wire_event e = {
		.kind = WIRE_EVENT_PACKET,
		.id = event->entry_id,
		.action_id = event->action_id,
		.ifindex = event->ifindex,
		.dir = event->dir,
		.action = actions[event->verdict],
		.reason = event->reason,
		.suppressed = at_most_u32(event->suppressed),
	};

	engine_report_packet(ctx, &e, event->flow);
}

static void on_audit(void *ctx, const struct ipsp_audit_event *event)
{
	char src[IPSP_ADDR_TEXT], dst[IPSP_ADDR_TEXT];

	(void)ctx;
	ipspd_log(LOG_NOTICE,
		  ipsp_reason_class_text(ipsp_reason_class((enum ipsp_reason)event->reason)),
		  "%s SPI 0x%08x %s > %s seq %u on interface %u: %s (%" PRIu64 " alike not shown)",
		  ipsp_proto_text(event->proto), event->spi, ipsp_addr_print(&event->src, src),
		  ipsp_addr_print(&event->dst, dst),
		  event->seq, event->ifindex, ipsp_reason_text((enum ipsp_reason)event->reason),
		  event->suppressed);
}

static void on_passed(void *ctx, const struct ipsp_passed_event *event)
{
	struct wire_event e = {
		.kind = WIRE_EVENT_PASSED,
		.id = event->entry_id,
		.action_id = event->sa->id,
		.ifindex = event->ifindex,
		.dir = event->sa->dir,
		.action = IPSP_PROTECT,
		.suppressed = at_most_u32(event->suppressed),
		.packet_len = (uint16_t)event->octets.len,
	};

	_Static_assert(IPSP_PASSED_OCTETS_MAX <= REPORT_PACKET_MAX, "what the core gives fits");
	put_clear_packet(&e, event->flow);
	if (e.packet_len > 0)
		memcpy(e.packet, event->octets.data, e.packet_len);
	send_event(ctx, &e);
}

static void tell_sa(struct engine_role *role, const struct ipsp_sa *sa, enum wire_sa_change change)
{
	const struct wire_event e = {
		.kind = WIRE_EVENT_SA,
		.id = sa->id,
		.dir = sa->dir,
		.proto = sa->proto,
		.spi = sa->spi,
		.reason = change,
		.src = sa->local,
		.dst = sa->remote,
		.action_id = sa->reqid,
	};

	send_event(role, &e);
}

/* No packet comes between this and its end: what it carried since it was asked for is not lost. */
static void tell_last_counters(struct engine_role *role, const struct ipsp_sa *sa)
{
	const struct wire_sa_stats s = engine_sa_stats(role->engine, sa, engine_now_s());

	if (role->agent)
		(void)report_sas_send(role->agent, REPORT_UNASKED, &s, 1);
}

/* For how long packets pass in clear: the guard lets those in that the engine would. */
static void tell_clear(struct engine_role *role, const struct ipsp_sa *sa, bool passes)
{
	const struct wire_event e = {
		.kind = WIRE_EVENT_CLEAR,
		.id = passes ? at_most_u32(since(engine_now_s(), sa->dead_at_s)) : 0,
		.dir = sa->dir,
		.src = sa->local,
		.dst = sa->remote,
		.action_id = sa->reqid,
	};
	char peer[IPSP_ADDR_TEXT];

	send_event(role, &e);
	if (!passes)
		ipspd_log(LOG_NOTICE, "sad", "packets with %s, reqid %u, pass in clear no more",
			  ipsp_addr_print(&sa->remote, peer), sa->reqid);
}

static void on_sa_changed(void *ctx, const struct ipsp_sa *sa, enum ipsp_sa_change change)
{
	static const enum wire_sa_change told[] = {
		[IPSP_SA_INSTALLED] = WIRE_SA_INSTALLED,
		[IPSP_SA_REMOVED] = WIRE_SA_REMOVED,
		[IPSP_SA_REPLACED] = WIRE_SA_REPLACED,
	};

	if (sa->origin == IPSP_ORIGIN_CLEAR) {
		tell_clear(ctx, sa, change == IPSP_SA_INSTALLED);
		return;
	}
	if (sa->origin != IPSP_ORIGIN_POLICY) {
		const int state = atomic_load_explicit(&sa->state, memory_order_relaxed);

		/* One without keys was never up; that one is dead was told when it died. */
		if (sa->origin == IPSP_ORIGIN_PFKEY &&
		    (state == IPSP_SA_MATURE || state == IPSP_SA_DYING))
			tell_sa(ctx, sa, told[change]);
		if (change == IPSP_SA_REMOVED)
			engine_pfkey_sa_gone(ctx, sa);
		return;
	}
	if (change != IPSP_SA_INSTALLED)
		tell_last_counters(ctx, sa);
	tell_sa(ctx, sa, told[change]);
}

static void on_sa_expired(void *ctx, const struct ipsp_life_event *event)
{
	const struct ipsp_sa *const sa = event->sa;

	/* Its removal, which comes at once, says all. */
	if (sa->origin == IPSP_ORIGIN_CLEAR)
		return;
	ipspd_log(event->life == IPSP_LIFE_SOFT || event->life == IPSP_LIFE_LARVAL ? LOG_INFO :
										    LOG_NOTICE,
		  "sad", "SA %" PRIx64 " %s SPI 0x%08x: %s lifetime over", sa->id,
		  ipsp_proto_text(sa->proto), sa->spi,
		  ipsp_life_text((enum ipsp_life)event->life));
	if (event->life == IPSP_LIFE_SOFT)
		tell_sa(ctx, sa, WIRE_SA_EXPIRING);
	else if (event->life == IPSP_LIFE_HARD || sa->origin == IPSP_ORIGIN_POLICY)
		tell_sa(ctx, sa, WIRE_SA_EXPIRED);
	engine_pfkey_expired(ctx, event);
}

static void on_acquire(void *ctx, const struct ipsp_acquire *a)
{
	char peer[IPSP_ADDR_TEXT];

	engine_pfkey_acquire(ctx, a);
	ipspd_log(LOG_INFO, "sad", "entry %" PRIx64 " wants SAs with %s, reqid %u: asked for the %s "
		  "time", a->entry_id, ipsp_addr_print(&a->templates[0].remote, peer),
		  a->templates[0].reqid, a->attempts == 1 ? "first" : "next");
}

static void on_acquire_over(void *ctx, const struct ipsp_acquire *a, enum ipsp_acquire_end why)
{
	static const char *const told[] = {
		[IPSP_ACQUIRE_FAILED] = "no SA came: packets are dropped",
		[IPSP_ACQUIRE_CLEAR] = "no SA came: packets pass in clear, as its entry says",
		[IPSP_ACQUIRE_NO_MANAGER] = "no key manager is there any more",
		[IPSP_ACQUIRE_FULL] = "too many are wanted at once",
	};
	char peer[IPSP_ADDR_TEXT];

	engine_hold_over(ctx, a, why);
	/* Of a flood of them a line each would be too many; the drops are counted. */
	if (why != IPSP_ACQUIRE_DONE && why != IPSP_ACQUIRE_FULL)
		ipspd_log(why == IPSP_ACQUIRE_CLEAR ? LOG_WARNING : LOG_NOTICE, "sad",
			  "entry %" PRIx64 " SAs with %s, reqid %u: %s", a->entry_id,
			  ipsp_addr_print(&a->templates[0].remote, peer), a->templates[0].reqid,
			  told[why]);
}

/* A NAT's mapping changed, or the peer's address. */
static void on_moved(void *ctx, const struct ipsp_moved_event *event)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (event->sa->origin == IPSP_ORIGIN_PFKEY)
		engine_mail_moved(ctx, event->sa->id, &event->outer->src,
				  (uint16_t)event->outer->sport);
	inet_ntop(event->outer->family == 4 ? AF_INET : AF_INET6, event->outer->src.octets, text,
		  sizeof(text));
	ipspd_log(LOG_NOTICE, "sad", "SA %" PRIx64 " ESP SPI 0x%08x: its peer is at %s port %u now%s",
		  event->sa->id, event->sa->spi, text, event->outer->sport,
		  event->follows ? ", and packets go there" : "");
}

#define DUMMY_SHOWN 64u	/* octets */

static void on_dummy(void *ctx, const struct ipsp_dummy_event *event)
{
	static const char digits[] = "0123456789abcdef";
	const size_t n = event->octets.len < DUMMY_SHOWN ? event->octets.len : DUMMY_SHOWN;
	char hex[2 * DUMMY_SHOWN + 1];

	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = digits[event->octets.data[i] >> 4];
		hex[2 * i + 1] = digits[event->octets.data[i] & 15];
	}
	hex[2 * n] = '\0';
	ipspd_log(LOG_DEBUG, "sad", "SA %" PRIx64 " ESP SPI 0x%08x: a dummy packet of %zu octets: %s%s",
		  event->sa->id, event->sa->spi, event->octets.len, hex,
		  n < event->octets.len ? " .." : "");
}

struct ipsp_engine_events engine_events(struct engine_role *role)
{
	return (struct ipsp_engine_events) {
		.ctx = role,
		.log = on_log,
		.passed = on_passed,
		.audit = on_audit,
		.moved = on_moved,
		.dummy = on_dummy,
		.sa_changed = on_sa_changed,
		.sa_expired = on_sa_expired,
		.acquire = on_acquire,
		.acquire_over = on_acquire_over,
	};
}
