/*
 * pfkey/flows.c - FreeS/WAN's flows as policies: who may send what through which SA.
 *
 * A flow names its SA; as a policy it asks for one SA of that protocol and mode between the same
 * ends, so that the flow goes on when the SA is replaced. "SAs" of type INT say by their SPI what
 * becomes of the packets. Flows come before policies of a lower priority and after those of a higher
 * one: theirs is in the middle.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "pfkey/algs.h"
#include "pfkey/policies.h"

#define FLOW_PRIORITY 0x80000000u
#define FLOWS (PFKEY_HAS_FS(PFKEY_FS_EXT_SRC_FLOW) | PFKEY_HAS_FS(PFKEY_FS_EXT_DST_FLOW))

/* Length of the prefix that a mask is of. @return false: it is none */
static bool mask_len(const struct ipsp_addr *mask, uint8_t *len)
{
	const unsigned bits = (unsigned)ipsp_addr_size(mask->family) * 8;
	unsigned n = 0;

	while (n < bits && mask->octets[n / 8] & 0x80 >> n % 8)
		n++;
	*len = (uint8_t)n;
	for (; n < bits; n++) {
		if (mask->octets[n / 8] & 0x80 >> n % 8)
			return false;
	}
	return true;
}

static bool flow_selector(const struct pfkey_msg *m, struct ipsp_selector *out)
{
	struct pfkey_address src = m->flow_src, dst = m->flow_dst;

	return mask_len(&m->mask_src.addr, &src.prefix_len) &&
	       mask_len(&m->mask_dst.addr, &dst.prefix_len) &&
	       pfkey_selector_of(&src, &dst, m->flow_proto, out);
}

static uint8_t flow_dir(const struct pfkey_msg *m)
{
	return m->has & PFKEY_HAS(SADB_EXT_SA) && m->sa.flags & PFKEY_FS_FLAG_INFLOW ?
		       PFKEY_DIR_IN : PFKEY_DIR_OUT;
}

/* @return errno */
static int set_verdict(uint32_t spi, struct pfkey_band_policy *p)
{
	switch (spi) {
	case PFKEY_FS_SPI_PASS:
		p->action = PFKEY_BAND_BYPASS;
		return 0;
	case PFKEY_FS_SPI_DROP:
	case PFKEY_FS_SPI_REJECT:
	case PFKEY_FS_SPI_HOLD:
		p->action = PFKEY_BAND_DISCARD;
		return 0;
	default:
		return EINVAL;
	}
}

/* Packets that wait for an SA between the ends of the flow's tunnel: an ACQUIRE asks for one. */
static void set_trap(const struct pfkey_msg *m, struct pfkey_band_policy *p)
{
	p->action = PFKEY_BAND_PROTECT;
	p->n_templates = 1;
	p->templates[0] = (struct pfkey_band_template){
		.proto = IPPROTO_ESP, .tunnel = true, .src = m->src.addr, .dst = m->dst.addr,
	};
}

/* @return errno */
static int set_sa(const struct pfkey_client *c, const struct pfkey_msg *m,
		  struct pfkey_band_policy *p)
{
	const struct ipsp_sa_name name = { .proto = pfkey_proto_of(m->satype), .spi = m->sa.spi,
					   .dst = m->dst.addr };

	if (name.proto == 0)
		return EINVAL;
	const struct ipsp_sa *sa = ipsp_engine_sa_get(c->server->config.engine, &name);

	if (!sa)
		return ESRCH;
	p->action = PFKEY_BAND_PROTECT;
	p->n_templates = 1;
	p->templates[0] = (struct pfkey_band_template){
		.proto = name.proto, .tunnel = sa->mode != IPSP_MODE_TRANSPORT,
		.reqid = sa->reqid, .src = m->src.addr, .dst = m->dst.addr,
	};
	return 0;
}

int pfkey_flow_add(struct pfkey_client *c, const struct pfkey_msg *m)
{
	struct pfkey_band_policy p = { .dir = flow_dir(m), .priority = FLOW_PRIORITY };
	int err = 0;

	if (!flow_selector(m, &p.selector))
		return EINVAL;
	if (m->satype == PFKEY_FS_SATYPE_INT && m->sa.spi == PFKEY_FS_SPI_TRAP)
		set_trap(m, &p);
	else if (m->satype == PFKEY_FS_SATYPE_INT)
		err = set_verdict(m->sa.spi, &p);
	else
		err = set_sa(c, m, &p);
	return err ? err : pfkey_policy_put(c, m, &p, m->sa.flags & PFKEY_FS_FLAG_REPLACEFLOW);
}

/* All flows, or all policies that look like one: whoever clears them wants none of them left. */
static int clear_flows(struct pfkey_client *c, const struct pfkey_msg *m)
{
	const struct pfkey_policies *all = c->server->policies;
	struct pfkey_held *last = NULL;
	int err = 0;

	for (size_t i = all->n; i > 0 && !err; i--) {
		struct pfkey_held *p = all->by_index[i - 1];

		if (p->policy.priority != FLOW_PRIORITY)
			continue;
		last = p;
		err = pfkey_policy_remove(c, m, p);
	}
	return err ? err : last ? 0 : ENOENT;
}

int pfkey_flow_delete(struct pfkey_client *c, const struct pfkey_msg *m)
{
	struct ipsp_selector s;

	if ((m->has & FLOWS) != FLOWS)
		return clear_flows(c, m);
	if (!flow_selector(m, &s))
		return EINVAL;
	struct pfkey_held *p = pfkey_policy_of(c->server->policies, flow_dir(m), &s);

	return p && p->policy.priority == FLOW_PRIORITY ? pfkey_policy_remove(c, m, p) : ENOENT;
}
