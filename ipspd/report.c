/* ipspd/report.c - counters and events from the engine, in and out of octets. */
#include "config.h"

#include "ipspd/report.h"

#include <errno.h>

#include "ipsp/types.h"
#include "ipspd/messages.h"

#define REPORT_MAX (96 + REPORT_PACKET_MAX)

#define ENTRY_SIZE (8 + 4 + 1 + 8 + 8)
#define SA_SIZE (8 + 8 + 4 + 1 + 1 + 9 * 8 + 4)
#define GUARD_SIZE (1 + 8 + 4 + 1 + 8 + 8)
#define COUNTED (4 + 2)		/* before them: serial, how many */

_Static_assert(COUNTED + REPORT_ENTRIES_MAX * ENTRY_SIZE <= CHAN_PAYLOAD_MAX, "fits a message");
_Static_assert(COUNTED + REPORT_SAS_MAX * SA_SIZE <= CHAN_PAYLOAD_MAX, "fits a message");

int report_entries_send(struct chan *c, uint32_t serial, const struct wire_entry_stats *s, size_t n)
{
	uint8_t buf[COUNTED + REPORT_ENTRIES_MAX * ENTRY_SIZE];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (n > REPORT_ENTRIES_MAX)
		return -EMSGSIZE;
	chan_put_u32(&w, serial);
	chan_put_u16(&w, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		chan_put_u64(&w, s[i].id);
		chan_put_u32(&w, s[i].ifindex);
		chan_put_u8(&w, s[i].dir);
		chan_put_u64(&w, s[i].packets);
		chan_put_u64(&w, s[i].bytes);
	}
	return chan_send(c, MSG_STATS_ENTRIES, buf, w.len, NULL, 0);
}

/* @return false: more than most, or not as many as there are octets for */
static bool read_counted(struct chan_reader *r, size_t most, size_t size, uint32_t *serial,
			 size_t *n)
{
	*serial = chan_get_u32(r);
	*n = chan_get_u16(r);
	return !r->short_read && *n <= most && r->len - r->at == *n * size;
}

bool report_entries_read(const struct chan_msg *m, uint32_t *serial,
			 struct wire_entry_stats s[REPORT_ENTRIES_MAX], size_t *n)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	if (!read_counted(&r, REPORT_ENTRIES_MAX, ENTRY_SIZE, serial, n))
		return false;
	for (size_t i = 0; i < *n; i++) {
		s[i].id = chan_get_u64(&r);
		s[i].ifindex = chan_get_u32(&r);
		s[i].dir = chan_get_u8(&r);
		s[i].packets = chan_get_u64(&r);
		s[i].bytes = chan_get_u64(&r);
		if (s[i].dir != IPSP_INBOUND && s[i].dir != IPSP_OUTBOUND)
			return false;
	}
	return chan_reader_done(&r);
}

void report_sa_put(struct chan_writer *w, const struct wire_sa_stats *s)
{
	chan_put_u64(w, s->id);
	chan_put_u64(w, s->counter_id);
	chan_put_u32(w, s->spi);
	chan_put_u8(w, s->dir);
	chan_put_u8(w, s->state);
	chan_put_u64(w, s->packets);
	chan_put_u64(w, s->bytes);
	chan_put_u64(w, s->seq);
	chan_put_u64(w, s->auth_errors);
	chan_put_u64(w, s->replay_errors);
	chan_put_u64(w, s->other_errors);
	chan_put_u64(w, s->dummies);
	chan_put_u64(w, s->age_s);
	chan_put_u64(w, s->idle_s);
	chan_put_u32(w, s->path_mtu);
}

bool report_sa_get(struct chan_reader *r, struct wire_sa_stats *s)
{
	s->id = chan_get_u64(r);
	s->counter_id = chan_get_u64(r);
	s->spi = chan_get_u32(r);
	s->dir = chan_get_u8(r);
	s->state = chan_get_u8(r);
	s->packets = chan_get_u64(r);
	s->bytes = chan_get_u64(r);
	s->seq = chan_get_u64(r);
	s->auth_errors = chan_get_u64(r);
	s->replay_errors = chan_get_u64(r);
	s->other_errors = chan_get_u64(r);
	s->dummies = chan_get_u64(r);
	s->age_s = chan_get_u64(r);
	s->idle_s = chan_get_u64(r);
	s->path_mtu = chan_get_u32(r);
	return !r->short_read && s->id != 0 && s->state >= 1 && s->state <= 4;
}

int report_sas_send(struct chan *c, uint32_t serial, const struct wire_sa_stats *s, size_t n)
{
	uint8_t buf[COUNTED + REPORT_SAS_MAX * SA_SIZE];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (n > REPORT_SAS_MAX)
		return -EMSGSIZE;
	chan_put_u32(&w, serial);
	chan_put_u16(&w, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		report_sa_put(&w, &s[i]);
	return chan_send(c, MSG_STATS_SAS, buf, w.len, NULL, 0);
}

bool report_sas_read(const struct chan_msg *m, uint32_t *serial,
		     struct wire_sa_stats s[REPORT_SAS_MAX], size_t *n)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	if (!read_counted(&r, REPORT_SAS_MAX, SA_SIZE, serial, n))
		return false;
	for (size_t i = 0; i < *n; i++) {
		if (!report_sa_get(&r, &s[i]))
			return false;
	}
	return chan_reader_done(&r);
}

int report_guard_send(struct chan *c, uint32_t serial, bool more, const struct wire_guard_count *s,
		      size_t n)
{
	uint8_t buf[COUNTED + 1 + REPORT_GUARD_MAX * GUARD_SIZE];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (n > REPORT_GUARD_MAX)
		return -EMSGSIZE;
	chan_put_u32(&w, serial);
	chan_put_u8(&w, more);
	chan_put_u16(&w, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		chan_put_u8(&w, s[i].what);
		chan_put_u64(&w, s[i].id);
		chan_put_u32(&w, s[i].ifindex);
		chan_put_u8(&w, s[i].dir);
		chan_put_u64(&w, s[i].packets);
		chan_put_u64(&w, s[i].bytes);
	}
	return chan_send(c, MSG_GUARD_COUNTED, buf, w.len, NULL, 0);
}

bool report_guard_read(const struct chan_msg *m, uint32_t *serial, bool *more,
		       struct wire_guard_count s[REPORT_GUARD_MAX], size_t *n)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint8_t flag;

	*serial = chan_get_u32(&r);
	flag = chan_get_u8(&r);
	*n = chan_get_u16(&r);
	if (flag > 1 || *n > REPORT_GUARD_MAX)
		return false;
	*more = flag;
	for (size_t i = 0; i < *n; i++) {
		s[i].what = chan_get_u8(&r);
		s[i].id = chan_get_u64(&r);
		s[i].ifindex = chan_get_u32(&r);
		s[i].dir = chan_get_u8(&r);
		s[i].packets = chan_get_u64(&r);
		s[i].bytes = chan_get_u64(&r);
		if (s[i].what == 0 || s[i].what >= WIRE_GUARD_WHATS ||
		    (s[i].dir != IPSP_INBOUND && s[i].dir != IPSP_OUTBOUND))
			return false;
	}
	return chan_reader_done(&r);
}

static void put_addr(struct chan_writer *w, const struct ipsp_addr *a)
{
	chan_put_u8(w, a->family);
	chan_put_raw(w, a->octets, ipsp_addr_size(a->family));
}

/* @return false: of no family */
static bool get_addr(struct chan_reader *r, struct ipsp_addr *a)
{
	*a = (struct ipsp_addr){ .family = chan_get_u8(r) };
	chan_get_raw(r, a->octets, ipsp_addr_size(a->family));
	return a->family == 0 || ipsp_addr_size(a->family) > 0;
}

int report_event_send(struct chan *c, const struct wire_event *e)
{
	uint8_t buf[REPORT_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	uint16_t len = e->packet_len <= REPORT_PACKET_MAX ? e->packet_len : REPORT_PACKET_MAX;

	chan_put_u8(&w, e->kind);
	chan_put_u64(&w, e->id);
	chan_put_u64(&w, e->action_id);
	chan_put_u32(&w, e->ifindex);
	chan_put_u8(&w, e->dir);
	chan_put_u8(&w, e->action);
	chan_put_u8(&w, e->proto);
	chan_put_u16(&w, e->reason);
	chan_put_u32(&w, e->spi);
	chan_put_u32(&w, e->suppressed);
	put_addr(&w, &e->src);
	put_addr(&w, &e->dst);
	chan_put_u16(&w, len);
	chan_put_raw(&w, e->packet, len);
	return chan_send(c, MSG_EVENT, buf, w.len, NULL, 0);
}

static bool event_is_valid(const struct wire_event *e)
{
	if (e->dir != IPSP_INBOUND && e->dir != IPSP_OUTBOUND)
		return false;
	switch (e->kind) {
	case WIRE_EVENT_SA:
		return e->reason > 0 && e->reason < WIRE_SA_CHANGES &&
		       e->reason != WIRE_SA_REFUSED;
	case WIRE_EVENT_CLEAR:
		return e->dst.family != 0 && e->id <= UINT32_MAX && e->action_id <= UINT32_MAX;
	case WIRE_EVENT_PACKET:
	case WIRE_EVENT_PASSED:
		return e->src.family == e->dst.family;
	default:
		return false;
	}
}

bool report_event_read(const struct chan_msg *m, struct wire_event *e)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	e->kind = chan_get_u8(&r);
	e->id = chan_get_u64(&r);
	e->action_id = chan_get_u64(&r);
	e->ifindex = chan_get_u32(&r);
	e->dir = chan_get_u8(&r);
	e->action = chan_get_u8(&r);
	e->proto = chan_get_u8(&r);
	e->reason = chan_get_u16(&r);
	e->spi = chan_get_u32(&r);
	e->suppressed = chan_get_u32(&r);
	bool known = get_addr(&r, &e->src);
	known = get_addr(&r, &e->dst) && known;
	e->packet_len = chan_get_u16(&r);
	if (e->packet_len > REPORT_PACKET_MAX)
		return false;
	chan_get_raw(&r, e->packet, e->packet_len);
	return chan_reader_done(&r) && known && event_is_valid(e);
}
