/* ipspd/settings.c - settings of the engine, in and out of octets. */
#include "config.h"

#include "ipspd/settings.h"

#include "ipspd/messages.h"

int settings_send(struct chan *c, const struct ipsp_engine_settings *s)
{
	uint8_t buf[19];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, s->frag_timeout_s);
	chan_put_u32(&w, s->pmtu_age_s);
	chan_put_u32(&w, s->icmp_per_s);
	chan_put_u8(&w, s->pmtu_listen);
	chan_put_u8(&w, s->icmp_by_quote);
	chan_put_u32(&w, s->reassembly_timeout_s);
	chan_put_u8(&w, s->icmp_clear);
	return chan_send(c, MSG_SETTINGS, buf, w.len, NULL, 0);
}

bool settings_read(const struct chan_msg *m, struct ipsp_engine_settings *s)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct ipsp_engine_settings got = *s;
	uint8_t listen, clear;

	got.frag_timeout_s = chan_get_u32(&r);
	got.pmtu_age_s = chan_get_u32(&r);
	got.icmp_per_s = chan_get_u32(&r);
	listen = chan_get_u8(&r);
	got.icmp_by_quote = chan_get_u8(&r);
	got.reassembly_timeout_s = chan_get_u32(&r);
	clear = chan_get_u8(&r);
	got.pmtu_listen = listen == 1;
	got.icmp_clear = clear == 1;
	if (!chan_reader_done(&r) || listen > 1 || clear > 1 || got.frag_timeout_s == 0 ||
	    got.reassembly_timeout_s == 0 ||
	    got.icmp_by_quote > IPSP_ICMP_QUOTE_DISCARDED)
		return false;
	*s = got;
	return true;
}

int settings_hold_send(struct chan *c, const struct hold_settings *s)
{
	uint8_t buf[12];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, s->depth);
	chan_put_u32(&w, s->octets_max);
	chan_put_u32(&w, s->seconds);
	return chan_send(c, MSG_HOLD, buf, w.len, NULL, 0);
}

bool settings_hold_read(const struct chan_msg *m, struct hold_settings *s)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	s->depth = chan_get_u32(&r);
	s->octets_max = chan_get_u32(&r);
	s->seconds = chan_get_u32(&r);
	return chan_reader_done(&r);
}
