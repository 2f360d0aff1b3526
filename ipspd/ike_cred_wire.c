/* ipspd/ike_cred_wire.c - see ike_cred_wire.h. */
#include "config.h"

#include "ipspd/ike_cred_wire.h"

static bool get_bool(struct chan_reader *r, bool *out)
{
	const uint8_t v = chan_get_u8(r);

	*out = v != 0;
	return v <= 1;
}

void ike_wire_own_put(struct chan_writer *w, const struct ike_wire_own *o)
{
	chan_put_u32(w, o->key);
	chan_put_u32(w, o->certs);
	chan_put_u32(w, o->raw_key);
	chan_put_u8(w, o->pss);
}

bool ike_wire_own_get(struct chan_reader *r, struct ike_wire_own *out)
{
	*out = (struct ike_wire_own){ .key = chan_get_u32(r) };
	out->certs = chan_get_u32(r);
	out->raw_key = chan_get_u32(r);
	return get_bool(r, &out->pss) && chan_reader_done(r);
}

void ike_wire_trust_put(struct chan_writer *w, const struct ike_wire_trust *t)
{
	for (size_t i = 0; i < IKE_CREDENTIALS_MAX; i++) {
		chan_put_u32(w, t->cas[i]);
		chan_put_u32(w, t->intermediates[i]);
	}
	chan_put_u32(w, t->peers);
	chan_put_u32(w, t->raw_key);
	chan_put_u32(w, t->revoked);
	chan_put_u8(w, t->level);
	chan_put_u16(w, t->links_max);
	chan_put_u8(w, t->weak);
	chan_put_u8(w, t->unnamed);
}

bool ike_wire_trust_get(struct chan_reader *r, struct ike_wire_trust *out)
{
	*out = (struct ike_wire_trust){ 0 };
	for (size_t i = 0; i < IKE_CREDENTIALS_MAX; i++) {
		out->cas[i] = chan_get_u32(r);
		out->intermediates[i] = chan_get_u32(r);
	}
	out->peers = chan_get_u32(r);
	out->raw_key = chan_get_u32(r);
	out->revoked = chan_get_u32(r);
	out->level = chan_get_u8(r);
	out->links_max = chan_get_u16(r);
	return out->level <= IKE_CRL_REQUIRED && get_bool(r, &out->weak) &&
	       get_bool(r, &out->unnamed) && chan_reader_done(r);
}
