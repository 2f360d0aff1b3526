/*
 * chan/payload.c - numbers and octet strings in a message's payload: big-endian, length first.
 *
 * Neither side checks each step: the writer remembers an overflow, the reader that it ran short, and
 * the caller asks once. No position ever goes past the end.
 */
#include "config.h"

#include "chan/chan.h"

#include <string.h>

static uint8_t *claim(struct chan_writer *w, size_t n)
{
	if (w->overflow || n > w->size - w->len) {
		w->overflow = true;
		return NULL;
	}
	uint8_t *at = w->data + w->len;
	w->len += n;
	return at;
}

static void put(struct chan_writer *w, uint64_t v, size_t n)
{
	uint8_t *at = claim(w, n);

	for (size_t i = n; at && i > 0; i--) {
		at[i - 1] = (uint8_t)v;
		v >>= 8;
	}
}

void chan_put_u8(struct chan_writer *w, uint8_t v)
{
	put(w, v, 1);
}

void chan_put_u16(struct chan_writer *w, uint16_t v)
{
	put(w, v, 2);
}

void chan_put_u32(struct chan_writer *w, uint32_t v)
{
	put(w, v, 4);
}

void chan_put_u64(struct chan_writer *w, uint64_t v)
{
	put(w, v, 8);
}

void chan_put_raw(struct chan_writer *w, const void *data, size_t len)
{
	uint8_t *at = claim(w, len);

	if (at && len > 0)
		memcpy(at, data, len);
}

void chan_put_octets(struct chan_writer *w, const void *data, size_t len)
{
	if (len > UINT32_MAX || w->overflow || w->size - w->len < 4 ||
	    len > w->size - w->len - 4) {
		w->overflow = true;
		return;
	}
	chan_put_u32(w, (uint32_t)len);
	chan_put_raw(w, data, len);
}

void chan_put_text(struct chan_writer *w, const char *text)
{
	chan_put_octets(w, text, strlen(text));
}

static const uint8_t *consume(struct chan_reader *r, size_t n)
{
	if (r->short_read || n > r->len - r->at) {
		r->short_read = true;
		return NULL;
	}
	const uint8_t *at = r->data + r->at;
	r->at += n;
	return at;
}

static uint64_t get(struct chan_reader *r, size_t n)
{
	const uint8_t *at = consume(r, n);
	uint64_t v = 0;

	for (size_t i = 0; at && i < n; i++)
		v = v << 8 | at[i];
	return v;
}

uint8_t chan_get_u8(struct chan_reader *r)
{
	return (uint8_t)get(r, 1);
}

uint16_t chan_get_u16(struct chan_reader *r)
{
	return (uint16_t)get(r, 2);
}

uint32_t chan_get_u32(struct chan_reader *r)
{
	return (uint32_t)get(r, 4);
}

uint64_t chan_get_u64(struct chan_reader *r)
{
	return get(r, 8);
}

void chan_get_raw(struct chan_reader *r, void *out, size_t len)
{
	const uint8_t *at = consume(r, len);

	if (at)
		memcpy(out, at, len);
	else
		memset(out, 0, len);
}

const uint8_t *chan_get_octets(struct chan_reader *r, size_t *len)
{
	size_t n = chan_get_u32(r);
	const uint8_t *at = consume(r, n);

	*len = at ? n : 0;
	return at;
}

bool chan_get_text(struct chan_reader *r, char *out, size_t size)
{
	size_t len;
	const uint8_t *at = chan_get_octets(r, &len);

	if (!at || len >= size || memchr(at, '\0', len))
		return false;
	memcpy(out, at, len);
	out[len] = '\0';
	return true;
}

bool chan_reader_done(const struct chan_reader *r)
{
	return !r->short_read && r->at == r->len;
}
