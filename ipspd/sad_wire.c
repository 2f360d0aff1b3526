/* ipspd/sad_wire.c - SAs that are of no row, in and out of octets: see sad_wire.h. */
#include "config.h"

#include "ipspd/sad_wire.h"

#include <errno.h>

#include "ipspd/messages.h"
#include "ipspd/wire.h"
#include "ipspd/wire_format.h"

#define FLAG_ESN 1
#define FLAG_IN_UDP 2
#define FLAG_SELECTOR 4
#define FLAGS 7

#define HEADER (4 + 1 + 2)
/* What is counted, the numbers, two addresses, lifetimes, a selector. */
#define SA_MAX (98 + 4 + 8 + 6 + 2 * 17 + 9 * 8 + WIRE_SELECTOR_MAX)

_Static_assert(HEADER + SAD_WIRE_SAS_MAX * SA_MAX <= CHAN_PAYLOAD_MAX, "fits a message");

static void put_addr(struct chan_writer *w, const struct ipsp_addr *a)
{
	chan_put_u8(w, a->family);
	chan_put_raw(w, a->octets, ipsp_addr_size(a->family));
}

static bool get_addr(struct chan_reader *r, struct ipsp_addr *a)
{
	*a = (struct ipsp_addr){ .family = chan_get_u8(r) };
	chan_get_raw(r, a->octets, ipsp_addr_size(a->family));
	return a->family == 0 || ipsp_addr_size(a->family) > 0;
}

static void put_sa(struct chan_writer *w, const struct wire_sad_sa *sa)
{
	const uint64_t lives[] = {
		sa->life_s, sa->life_use_s, sa->life_bytes, sa->life_packets, sa->soft_s,
		sa->soft_use_s, sa->soft_bytes, sa->soft_packets, sa->idle_s,
	};

	report_sa_put(w, &sa->stats);
	chan_put_u8(w, sa->origin);
	chan_put_u8(w, sa->proto);
	chan_put_u8(w, sa->mode);
	chan_put_u8(w, (uint8_t)((sa->esn ? FLAG_ESN : 0) | (sa->in_udp ? FLAG_IN_UDP : 0) |
				 (sa->sel.family ? FLAG_SELECTOR : 0)));
	chan_put_u32(w, sa->window_pkts);
	chan_put_u32(w, sa->reqid);
	chan_put_u16(w, sa->encr);
	chan_put_u16(w, sa->encr_key_bits);
	chan_put_u16(w, sa->integ);
	put_addr(w, &sa->local);
	put_addr(w, &sa->remote);
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++)
		chan_put_u64(w, lives[i]);
	if (sa->sel.family)
		wire_selector_put(w, &sa->sel);
}

static bool is_valid(const struct wire_sad_sa *sa)
{
	if (sa->stats.dir != IPSP_INBOUND && sa->stats.dir != IPSP_OUTBOUND)
		return false;
	if (sa->origin == IPSP_ORIGIN_CLEAR)
		return sa->proto == 0 && sa->mode == 0;
	return sa->origin == IPSP_ORIGIN_PFKEY &&
	       (sa->proto == IPSP_PROTO_ESP || sa->proto == IPSP_PROTO_AH ||
		sa->proto == IPSP_PROTO_IPCOMP) &&
	       (sa->mode == IPSP_MODE_TUNNEL || sa->mode == IPSP_MODE_TRANSPORT ||
		sa->mode == IPSP_MODE_ANY);
}

static bool get_sa(struct chan_reader *r, struct wire_sad_sa *sa)
{
	*sa = (struct wire_sad_sa){ 0 };
	if (!report_sa_get(r, &sa->stats))
		return false;
	sa->origin = chan_get_u8(r);
	sa->proto = chan_get_u8(r);
	sa->mode = chan_get_u8(r);
	const uint8_t flags = chan_get_u8(r);

	sa->esn = flags & FLAG_ESN;
	sa->in_udp = flags & FLAG_IN_UDP;
	sa->window_pkts = chan_get_u32(r);
	sa->reqid = chan_get_u32(r);
	sa->encr = chan_get_u16(r);
	sa->encr_key_bits = chan_get_u16(r);
	sa->integ = chan_get_u16(r);
	bool good = get_addr(r, &sa->local);

	good = get_addr(r, &sa->remote) && good && flags <= FLAGS;
	sa->life_s = chan_get_u64(r);
	sa->life_use_s = chan_get_u64(r);
	sa->life_bytes = chan_get_u64(r);
	sa->life_packets = chan_get_u64(r);
	sa->soft_s = chan_get_u64(r);
	sa->soft_use_s = chan_get_u64(r);
	sa->soft_bytes = chan_get_u64(r);
	sa->soft_packets = chan_get_u64(r);
	sa->idle_s = chan_get_u64(r);
	if (flags & FLAG_SELECTOR) {
		wire_selector_get(r, &sa->sel);
		good = good && ipsp_selector_valid(&sa->sel);
	}
	return good && !r->short_read && is_valid(sa);
}

void sad_wire_put(struct chan_writer *w, uint32_t serial, bool more, const struct wire_sad_sa *sas,
		  size_t n)
{
	chan_put_u32(w, serial);
	chan_put_u8(w, more);
	chan_put_u16(w, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		put_sa(w, &sas[i]);
}

int sad_wire_send(struct chan *c, uint32_t serial, bool more, const struct wire_sad_sa *sas,
		  size_t n)
{
	uint8_t buf[HEADER + SAD_WIRE_SAS_MAX * SA_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	sad_wire_put(&w, serial, more, sas, n);
	if (w.overflow)
		return -EMSGSIZE;
	return chan_send(c, MSG_SAD_SAS, buf, w.len, NULL, 0);
}

bool sad_wire_read(const struct chan_msg *m, uint32_t *serial, bool *more,
		   struct wire_sad_sa sas[SAD_WIRE_SAS_MAX], size_t *n)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	*serial = chan_get_u32(&r);
	const uint8_t flag = chan_get_u8(&r);

	*n = chan_get_u16(&r);
	if (r.short_read || flag > 1 || *n > SAD_WIRE_SAS_MAX)
		return false;
	*more = flag;
	for (size_t i = 0; i < *n; i++) {
		if (!get_sa(&r, &sas[i]))
			return false;
	}
	return chan_reader_done(&r);
}
