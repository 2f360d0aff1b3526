/*
 * ike/natt.c - is there a NAT, and whose? RFC 7296 2.23. What becomes of Child SAs then: 2.23.1 for those in transport
 * mode. And the octet that keeps its mapping, RFC 3948 4.
 *
 * Messages and ESP share one mapping, that of port 4500: an IKE SA keeps it for its Child SAs, too, and
 * also where it has none.
 */
#include <gcrypt.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/internal.h"

#define KEEP_MS 20000u	/* RFC 3948 4 */

static enum ike_nat wanted(const struct ike_sa *sa)
{
	return sa->conn ? sa->conn->nat : IKE_NAT_AUTO;
}

/* SHA-1 of both SPIs, the address and the port; nothing secret hangs on it. */
void ike_nat_hash(const uint8_t *spi_i, const uint8_t *spi_r, const struct ipsp_addr *addr,
		  uint16_t port, uint8_t out[IKE_NAT_HASH_LEN])
{
	uint8_t octets[2 * IKE_SPI_LEN + 16 + 2];
	const size_t size = ipsp_addr_size(addr->family);

	memcpy(octets, spi_i, IKE_SPI_LEN);
	memcpy(octets + IKE_SPI_LEN, spi_r, IKE_SPI_LEN);
	memcpy(octets + 2 * IKE_SPI_LEN, addr->octets, size);
	be16enc(octets + 2 * IKE_SPI_LEN + size, port);
	gcry_md_hash_buffer(GCRY_MD_SHA1, out, octets, 2 * IKE_SPI_LEN + size + 2);
}

void ike_nat_build(struct ike_builder *b, const struct ike_sa *sa, const struct ike_path *p)
{
	/* An end that nobody has: what comes from us seems to come from elsewhere. */
	const bool pretend = wanted(sa) == IKE_NAT_ALWAYS;
	const struct ipsp_addr nowhere = { .family = p->local.family };
	uint8_t hash[IKE_NAT_HASH_LEN];

	if (wanted(sa) == IKE_NAT_NEVER)
		return;
	ike_nat_hash(sa->spi_i, sa->spi_r, pretend ? &nowhere : &p->local, pretend ? 0 : p->local_port,
		     hash);
	ike_build_notify(b, 0, (struct ipsp_span){ 0 }, IKE_N_NAT_DETECTION_SOURCE_IP,
			 (struct ipsp_span){ hash, sizeof(hash) });
	ike_nat_hash(sa->spi_i, sa->spi_r, &p->remote, p->remote_port, hash);
	ike_build_notify(b, 0, (struct ipsp_span){ 0 }, IKE_N_NAT_DETECTION_DESTINATION_IP,
			 (struct ipsp_span){ hash, sizeof(hash) });
}

/* Does any notification of that type have the hash? A peer with several addresses sends several. */
static bool has_hash(const struct ike_parsed *m, uint16_t type, const uint8_t *hash, bool *any)
{
	struct ike_notify n;

	for (unsigned i = 0; i < m->n; i++) {
		if (m->payloads[i].type != IKE_PAYLOAD_N ||
		    !ike_notify_read(&m->payloads[i], &n) || n.type != type)
			continue;
		*any = true;
		if (n.data.len == IKE_NAT_HASH_LEN && !memcmp(n.data.data, hash, IKE_NAT_HASH_LEN))
			return true;
	}
	return false;
}

/* spi_r as it was in the header of that very message. */
bool ike_nat_take(struct ike_sa *sa, const struct ike_parsed *m)
{
	const struct ike_path *const p = &sa->path;
	uint8_t hash[IKE_NAT_HASH_LEN];
	bool any = false, there, here;

	if (wanted(sa) == IKE_NAT_NEVER)
		return false;
	ike_nat_hash(m->header.spi_i, m->header.spi_r, &p->remote, p->remote_port, hash);
	there = !has_hash(m, IKE_N_NAT_DETECTION_SOURCE_IP, hash, &any);
	ike_nat_hash(m->header.spi_i, m->header.spi_r, &p->local, p->local_port, hash);
	here = !has_hash(m, IKE_N_NAT_DETECTION_DESTINATION_IP, hash, &any);
	if (!any)
		return false;
	sa->natt = true;
	sa->nat_found = there || here;
	sa->nat = sa->nat_found || wanted(sa) == IKE_NAT_ALWAYS;
	sa->nat_here = here;
	return true;
}

const char *ike_nat_forbids(const struct ike_sa *sa, uint8_t protocol)
{
	/* RFC 3715 2.1 (a): a NAT changes what AH covers. RFC 3948 has ESP alone in UDP. */
	return sa->nat && protocol == IKE_PROTOCOL_AH ?
		       "AH does not pass the NAT that is between the two: only ESP does" : NULL;
}

/* Transport mode has no more than one; several are nobody's. */
static void put_address(struct ike_selectors *s, const struct ipsp_addr *a)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (ipsp_addr_cmp(&s->s[i].lo, &s->s[i].hi) != 0 || ipsp_addr_cmp(&s->s[i].lo, &s->s[0].lo) != 0)
			return;
	}
	for (unsigned i = 0; i < s->n; i++)
		s->s[i].lo = s->s[i].hi = *a;
}

void ike_nat_selectors(const struct ike_sa *sa, struct ike_selectors *ours, struct ike_selectors *theirs)
{
	if (!sa->nat)
		return;
	put_address(ours, &sa->path.local);
	put_address(theirs, &sa->path.remote);
}

/* ---- keepalives ---- */

static void keep(struct ike_timer *t, uint64_t now_ms)
{
	struct ike_sa *const sa = (struct ike_sa *)((char *)t - offsetof(struct ike_sa, keep));

	sa->world->ops.keepalive(sa->world->arg, &sa->path);
	ike_timer_start(&sa->world->timers, &sa->keep, now_ms + KEEP_MS, keep);
}

void ike_nat_keep(struct ike_sa *sa, uint64_t now_ms)
{
	if (!sa->nat_here)
		ike_timer_stop(&sa->world->timers, &sa->keep);
	else if (!ike_timer_runs(&sa->keep))
		ike_timer_start(&sa->world->timers, &sa->keep, now_ms + KEEP_MS, keep);
}
