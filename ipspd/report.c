/* ipspd/report.c - counters and events from the engine, in and out of octets. */
#include "config.h"

#include "ipspd/report.h"

#include "ipspd/messages.h"

#define REPORT_MAX (64 + REPORT_PACKET_MAX)

int report_entry_send(struct chan *c, uint32_t serial, const struct wire_entry_stats *s)
{
	uint8_t buf[REPORT_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, serial);
	chan_put_u64(&w, s->id);
	chan_put_u64(&w, s->packets);
	chan_put_u64(&w, s->bytes);
	return chan_send(c, MSG_STATS_ENTRY, buf, w.len, NULL, 0);
}

bool report_entry_read(const struct chan_msg *m, uint32_t *serial, struct wire_entry_stats *s)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	*serial = chan_get_u32(&r);
	s->id = chan_get_u64(&r);
	s->packets = chan_get_u64(&r);
	s->bytes = chan_get_u64(&r);
	return chan_reader_done(&r);
}

int report_sa_send(struct chan *c, uint32_t serial, const struct wire_sa_stats *s)
{
	uint8_t buf[REPORT_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, serial);
	chan_put_u64(&w, s->id);
	chan_put_u32(&w, s->spi);
	chan_put_u8(&w, s->dir);
	chan_put_u8(&w, s->state);
	chan_put_u64(&w, s->packets);
	chan_put_u64(&w, s->bytes);
	chan_put_u64(&w, s->seq);
	chan_put_u64(&w, s->auth_errors);
	chan_put_u64(&w, s->replay_errors);
	chan_put_u64(&w, s->other_errors);
	chan_put_u64(&w, s->age_s);
	return chan_send(c, MSG_STATS_SA, buf, w.len, NULL, 0);
}

bool report_sa_read(const struct chan_msg *m, uint32_t *serial, struct wire_sa_stats *s)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	*serial = chan_get_u32(&r);
	s->id = chan_get_u64(&r);
	s->spi = chan_get_u32(&r);
	s->dir = chan_get_u8(&r);
	s->state = chan_get_u8(&r);
	s->packets = chan_get_u64(&r);
	s->bytes = chan_get_u64(&r);
	s->seq = chan_get_u64(&r);
	s->auth_errors = chan_get_u64(&r);
	s->replay_errors = chan_get_u64(&r);
	s->other_errors = chan_get_u64(&r);
	s->age_s = chan_get_u64(&r);
	return chan_reader_done(&r);
}

int report_event_send(struct chan *c, const struct wire_event *e)
{
	uint8_t buf[REPORT_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	uint16_t len = e->packet_len <= REPORT_PACKET_MAX ? e->packet_len : REPORT_PACKET_MAX;

	chan_put_u8(&w, e->kind);
	chan_put_u64(&w, e->id);
	chan_put_u32(&w, e->ifindex);
	chan_put_u8(&w, e->dir);
	chan_put_u8(&w, e->action);
	chan_put_u16(&w, e->reason);
	chan_put_u32(&w, e->suppressed);
	chan_put_u16(&w, len);
	chan_put_raw(&w, e->packet, len);
	return chan_send(c, MSG_EVENT, buf, w.len, NULL, 0);
}

bool report_event_read(const struct chan_msg *m, struct wire_event *e)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	e->kind = chan_get_u8(&r);
	e->id = chan_get_u64(&r);
	e->ifindex = chan_get_u32(&r);
	e->dir = chan_get_u8(&r);
	e->action = chan_get_u8(&r);
	e->reason = chan_get_u16(&r);
	e->suppressed = chan_get_u32(&r);
	e->packet_len = chan_get_u16(&r);
	if (e->packet_len > REPORT_PACKET_MAX)
		return false;
	chan_get_raw(&r, e->packet, e->packet_len);
	return chan_reader_done(&r) && (e->kind == WIRE_EVENT_PACKET || e->kind == WIRE_EVENT_SA);
}
