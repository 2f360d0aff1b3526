/*
 * ike/ipcomp.c - compression of a Child SA's packets, as two ends agree on it. RFC 7296 2.22; RFC 3173 3.3, 4.1.
 *
 *	Notify IPCOMP_SUPPORTED:  CPI (2 octets), transform (1 octet)
 *
 * Each end names the CPI that packets to it are to have. Who asks names one; who answers takes it up by naming its
 * own, or says nothing, and then nothing is compressed. We know DEFLATE (RFC 2394) alone. A CPI is one of those
 * that are negotiated: those below are of algorithms, not of SAs, those above private.
 *
 * The CPI of ours is the SAD's to give, after the SPI. Where it has none, the Child SA does without.
 */
#include <sys/endian.h>

#include "ike/internal.h"

#define CPI_MIN 256u
#define CPI_MAX 61439u
#define DATA_LEN 3u

static bool read_one(const struct ike_payload *p, struct ike_notify *n)
{
	return p->type == IKE_PAYLOAD_N && ike_notify_read(p, n) && n->type == IKE_N_IPCOMP_SUPPORTED;
}

/* Its CPI. 0: it is malformed, of an algorithm that we do not have, or of a CPI that is not negotiated. */
static uint16_t cpi_of(const struct ike_notify *n)
{
	const uint16_t cpi = n->data.len == DATA_LEN ? be16dec(n->data.data) : 0;

	return cpi >= CPI_MIN && cpi <= CPI_MAX && n->data.data[2] == IKE_IPCOMP_DEFLATE ? cpi : 0;
}

bool ike_ipcomp_wants_cpi(const struct ike_exchange *x)
{
	return x->spi_in && !x->cpi_in && (x->ours ? ike_conn_of(x)->child.compress : x->cpi_out != 0);
}

void ike_ipcomp_got_cpi(struct ike_exchange *x, uint32_t cpi)
{
	x->cpi_in = cpi >= CPI_MIN && cpi <= CPI_MAX ? (uint16_t)cpi : 0;
}

void ike_ipcomp_write(const struct ike_exchange *x, struct ike_builder *b)
{
	uint8_t data[DATA_LEN] = { [2] = IKE_IPCOMP_DEFLATE };

	if (!x->cpi_in)
		return;
	be16enc(data, x->cpi_in);
	ike_build_notify(b, 0, (struct ipsp_span){ 0 }, IKE_N_IPCOMP_SUPPORTED,
			 (struct ipsp_span){ data, sizeof(data) });
}

void ike_ipcomp_choose(struct ike_exchange *x, const struct ike_parsed *m)
{
	struct ike_notify n;

	x->cpi_out = 0;
	for (unsigned i = 0; i < m->n && !x->cpi_out && ike_conn_of(x)->child.compress; i++) {
		if (read_one(&m->payloads[i], &n))
			x->cpi_out = cpi_of(&n);
	}
}

const char *ike_ipcomp_accept(struct ike_exchange *x, const struct ike_parsed *m)
{
	struct ike_notify n;

	x->cpi_out = 0;
	for (unsigned i = 0; i < m->n; i++) {
		if (!read_one(&m->payloads[i], &n))
			continue;
		if (!x->cpi_in || x->cpi_out)
			return "the peer compresses otherwise than it was asked for";
		x->cpi_out = cpi_of(&n);
		if (!x->cpi_out)
			return "the peer compresses by what we do not have";
	}
	return NULL;
}

void ike_ipcomp_settle(struct ike_exchange *x)
{
	if (x->cpi_in && x->cpi_out)
		return;
	ike_ipcomp_drop(x);
	x->cpi_out = 0;
}

void ike_ipcomp_drop(struct ike_exchange *x)
{
	const struct ike_world *const w = x->sa->world;

	if (x->cpi_in)
		w->ops.child_delete(w->arg, IKE_SAD_IPCOMP, &x->path, x->cpi_in, 0);
	x->cpi_in = 0;
}
