/* ipspd/band_wire.c - policies of key managers as octets: see band_wire.h. */
#include "config.h"

#include "ipspd/band_wire.h"

#include <string.h>

static void put_addr(struct chan_writer *w, const struct ipsp_addr *a)
{
	chan_put_u8(w, a->family);
	chan_put_raw(w, a->octets, sizeof(a->octets));
}

static bool get_addr(struct chan_reader *r, struct ipsp_addr *out)
{
	static const uint8_t zeros[16];

	out->family = chan_get_u8(r);
	chan_get_raw(r, out->octets, sizeof(out->octets));
	const size_t size = ipsp_addr_size(out->family);

	return (out->family == 0 || size > 0) &&
	       memcmp(out->octets + size, zeros, sizeof(out->octets) - size) == 0;
}

static void put_selector(struct chan_writer *w, const struct ipsp_selector *s)
{
	put_addr(w, &s->src_lo);
	put_addr(w, &s->src_hi);
	put_addr(w, &s->dst_lo);
	put_addr(w, &s->dst_hi);
	chan_put_u8(w, s->proto_lo);
	chan_put_u8(w, s->proto_hi);
	chan_put_u32(w, s->sport_lo);
	chan_put_u32(w, s->sport_hi);
	chan_put_u32(w, s->dport_lo);
	chan_put_u32(w, s->dport_hi);
}

static bool get_selector(struct chan_reader *r, struct ipsp_selector *out)
{
	struct ipsp_addr a[4];
	bool good = true;

	for (int i = 0; i < 4; i++)
		good = get_addr(r, &a[i]) && good;
	if (!good || ipsp_addr_size(a[0].family) == 0)
		return false;
	ipsp_selector_any(a[0].family, out);
	out->src_lo = a[0];
	out->src_hi = a[1];
	out->dst_lo = a[2];
	out->dst_hi = a[3];
	out->proto_lo = chan_get_u8(r);
	out->proto_hi = chan_get_u8(r);
	out->sport_lo = chan_get_u32(r);
	out->sport_hi = chan_get_u32(r);
	out->dport_lo = chan_get_u32(r);
	out->dport_hi = chan_get_u32(r);
	return ipsp_selector_valid(out);
}

void band_policy_put(struct chan_writer *w, const struct pfkey_band_policy *p)
{
	chan_put_u32(w, p->index);
	chan_put_u8(w, p->dir);
	chan_put_u8(w, p->action);
	chan_put_u32(w, p->priority);
	chan_put_u32(w, p->order);
	chan_put_u64(w, p->life_s);
	chan_put_u64(w, p->life_use_s);
	put_selector(w, &p->selector);
	chan_put_u8(w, p->n_templates);
	for (unsigned i = 0; i < p->n_templates; i++) {
		const struct pfkey_band_template *t = &p->templates[i];

		chan_put_u8(w, t->proto);
		chan_put_u8(w, (uint8_t)(t->tunnel | t->optional << 1));
		chan_put_u32(w, t->reqid);
		put_addr(w, &t->src);
		put_addr(w, &t->dst);
	}
}

static bool get_template(struct chan_reader *r, struct pfkey_band_template *out)
{
	out->proto = chan_get_u8(r);
	const uint8_t flags = chan_get_u8(r);

	out->tunnel = flags & 1;
	out->optional = flags & 2;
	out->reqid = chan_get_u32(r);
	return get_addr(r, &out->src) && get_addr(r, &out->dst) && flags <= 3 &&
	       out->src.family == out->dst.family && (!out->tunnel || out->src.family != 0);
}

bool band_policy_get(struct chan_reader *r, struct pfkey_band_policy *out)
{
	memset(out, 0, sizeof(*out));
	out->index = chan_get_u32(r);
	out->dir = chan_get_u8(r);
	out->action = chan_get_u8(r);
	out->priority = chan_get_u32(r);
	out->order = chan_get_u32(r);
	out->life_s = chan_get_u64(r);
	out->life_use_s = chan_get_u64(r);
	if (!get_selector(r, &out->selector))
		return false;
	out->n_templates = chan_get_u8(r);
	if (out->n_templates > PFKEY_TEMPLATES_MAX ||
	    (out->n_templates > 0) != (out->action == PFKEY_BAND_PROTECT))
		return false;
	for (unsigned i = 0; i < out->n_templates; i++) {
		if (!get_template(r, &out->templates[i]))
			return false;
	}
	return chan_reader_done(r) && out->index != 0 && (out->index & 7) == out->dir &&
	       out->dir >= PFKEY_DIR_IN && out->dir <= PFKEY_DIR_FWD &&
	       out->action <= PFKEY_BAND_PROTECT;
}
