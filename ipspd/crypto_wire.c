/* ipspd/crypto_wire.c - what crypto libraries are good for, in and out of octets: see crypto_wire.h. */
#include "config.h"

#include "ipspd/crypto_wire.h"

#include <string.h>

#include "ipsp/config.h"

static void put_name(struct chan_writer *w, const char name[CRYPTO_WIRE_NAME])
{
	const size_t len = strnlen(name, CRYPTO_WIRE_NAME - 1);

	chan_put_u8(w, (uint8_t)len);
	chan_put_raw(w, name, len);
}

/* Plain letters: they are shown to people. @return false: too long, or others */
static bool get_name(struct chan_reader *r, char out[CRYPTO_WIRE_NAME])
{
	const uint8_t len = chan_get_u8(r);

	memset(out, 0, CRYPTO_WIRE_NAME);
	if (len >= CRYPTO_WIRE_NAME)
		return false;
	chan_get_raw(r, out, len);
	for (uint8_t i = 0; i < len; i++) {
		if (out[i] <= ' ' || out[i] > '~')
			return false;
	}
	return !r->short_read;
}

bool crypto_wire_put(struct chan_writer *w, const struct wire_crypto *c)
{
	chan_put_u8(w, c->allow_weak);
	chan_put_u16(w, (uint16_t)c->n_libraries);
	chan_put_u16(w, (uint16_t)c->n_suites);
	for (uint32_t i = 0; i < c->n_libraries; i++) {
		put_name(w, c->libraries[i].name);
		chan_put_u32(w, c->libraries[i].n_wrong);
	}
	for (uint32_t i = 0; i < c->n_suites; i++) {
		const struct wire_crypto_suite *s = &c->suites[i];

		chan_put_u8(w, s->proto);
		chan_put_u16(w, s->encr_bits);
		chan_put_u8(w, s->weak);
		chan_put_u32(w, s->mbits);
		put_name(w, s->encr);
		put_name(w, s->integ);
		put_name(w, s->library);
	}
	return !w->overflow;
}

static bool get_suite(struct chan_reader *r, struct wire_crypto_suite *s)
{
	s->proto = chan_get_u8(r);
	s->encr_bits = chan_get_u16(r);
	const uint8_t weak = chan_get_u8(r);

	s->weak = weak;
	s->mbits = chan_get_u32(r);
	return get_name(r, s->encr) && get_name(r, s->integ) && get_name(r, s->library) &&
	       weak <= 1 && (s->proto == IPSP_PROTO_ESP || s->proto == IPSP_PROTO_AH ||
			     s->proto == IPSP_PROTO_IPCOMP);
}

bool crypto_wire_read(const struct chan_msg *m, struct wire_crypto *c)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint8_t weak = chan_get_u8(&r);

	c->allow_weak = weak;
	c->n_libraries = chan_get_u16(&r);
	c->n_suites = chan_get_u16(&r);
	if (r.short_read || weak > 1 || c->n_libraries > CRYPTO_WIRE_LIBRARIES_MAX ||
	    c->n_suites > CRYPTO_WIRE_SUITES_MAX)
		return false;
	for (uint32_t i = 0; i < c->n_libraries; i++) {
		if (!get_name(&r, c->libraries[i].name))
			return false;
		c->libraries[i].n_wrong = chan_get_u32(&r);
	}
	for (uint32_t i = 0; i < c->n_suites; i++) {
		if (!get_suite(&r, &c->suites[i]))
			return false;
	}
	return chan_reader_done(&r);
}
