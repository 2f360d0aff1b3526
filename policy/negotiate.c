/*
 * policy/negotiate.c - IPsec actions as templates: see negotiate.h.
 */
#include "policy/negotiate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/conn_parts.h"
#include "policy/ids.h"

#define IPSEC(column) MIB_COL(ipiaIpsecActionTable, column)
#define PEER(column) MIB_COL(ipsaPeerIdentityTable, column)

/* ipspdIpsecActFromPacket, from source(0) on, as the highest bits of its octet. */
static uint8_t pfp_of_bits(uint8_t bits)
{
	static const uint8_t pfp[] = {
		IPSP_PFP_SOURCE, IPSP_PFP_DESTINATION, IPSP_PFP_PROTOCOL, IPSP_PFP_SOURCE_PORT,
		IPSP_PFP_DESTINATION_PORT,
	};
	uint8_t out = 0;

	for (unsigned i = 0; i < sizeof(pfp); i++)
		out |= bits & 0x80u >> i ? pfp[i] : 0;
	return out;
}

uint8_t pol_negotiate_pfp(const struct mib_row *r)
{
	static const uint8_t granularities[] = {
		[1] = 0,
		[2] = IPSP_PFP_SOURCE | IPSP_PFP_DESTINATION,
		[3] = IPSP_PFP_SOURCE | IPSP_PFP_DESTINATION | IPSP_PFP_PROTOCOL,
		[4] = IPSP_PFP_ALL,
	};
	const int64_t granularity = mib_row_number(r, IPSEC(ipiaIpsecActGranularity), 1);
	const uint8_t *bits;

	if (pol_row_octets(r, MIB_COL(ipspdIpsecActTable, ipspdIpsecActFromPacket), &bits) > 0 &&
	    bits[0] & 0xf8)
		return pfp_of_bits(bits[0]);
	return granularity >= 1 && granularity <= 4 ? granularities[granularity] : 0;
}

/* The first peer of the list whose address is known; out->family 0: there is none. False: it has nobody at all. */
static bool first_address(const struct mib_view *v, const char *list, struct ipsp_addr *out)
{
	struct pol_walk walk = { .view = v, .table = &mib_t_ipsaPeerIdentityTable };
	const struct mib_value part = mib_value_octets(list, strlen(list));
	const struct mib_row *r;
	struct mib_oid prefix;
	bool any = false;

	*out = (struct ipsp_addr){ 0 };
	if (!mib_index_encode(walk.table, &part, 1, &prefix))
		return false;
	walk.prefix = &prefix;
	while (out->family == 0 && (r = pol_walk_next(&walk))) {
		const int64_t type = mib_row_number(r, PEER(ipsaPeerIdAddressType), 0);
		const uint8_t family = type == 1 ? 4 : type == 2 ? 6 : 0;
		const uint8_t *octets;

		any = true;
		if (family && pol_row_octets(r, PEER(ipsaPeerIdAddress), &octets) ==
				      ipsp_addr_size(family)) {
			out->family = family;
			memcpy(out->octets, octets, ipsp_addr_size(family));
		}
	}
	return any;
}

bool pol_negotiate_anyone(const struct mib_view *v, const struct mib_row *r)
{
	char list[POL_CONN_NAME];
	struct ipsp_addr first;

	pol_conn_name(r, IPSEC(ipiaIpsecActPeerGatewayIdName), list);
	return mib_row_number(r, IPSEC(ipiaIpsecActMode), IPSP_MODE_TUNNEL) == IPSP_MODE_TUNNEL && list[0] &&
	       first_address(v, list, &first) && first.family == 0;
}

/* The protocols of the proposal that is offered first; whether there is compression, peers agree on beside it. */
static unsigned protocols_of(const struct mib_view *v, const struct mib_row *r,
			     struct pol_connection *c)
{
	const struct pol_child_proposal *p = c->child_proposals;

	pol_conn_transforms(v, r, c);
	for (size_t i = 0; i < c->n_child_proposals && !p->offered; i++) {
		if (c->child_proposals[i].offered)
			p = &c->child_proposals[i];
	}
	return p->protocols | (pol_conn_compresses(c) ? 1u << POL_CHILD_IPCOMP : 0);
}

uint32_t pol_negotiate_reqid(const struct mib_row *r)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);
	const uint64_t id = pol_id_of_row(mib_row_table(r), index, len, 0);

	/* Those below are for key managers that number their own. */
	return id ? (uint32_t)(id >> 32) | 0x80000000u : 0;
}

bool pol_negotiate(const struct mib_view *v, const struct mib_row *r, struct pol_negotiated *out,
		   char why[POL_NEGOTIATE_TEXT])
{
	/* The peer may do without IPComp, and lets it out where it does not help: RFC 7296 2.22, RFC 3173 2.2. */
	static const struct {
		enum pol_child_protocol doi;
		uint8_t proto, level;
	} order[] = {
		{ POL_CHILD_IPCOMP, IPSP_PROTO_IPCOMP, IPSP_LEVEL_USE },
		{ POL_CHILD_ESP, IPSP_PROTO_ESP, IPSP_LEVEL_UNIQUE },
		{ POL_CHILD_AH, IPSP_PROTO_AH, IPSP_LEVEL_UNIQUE },
	};
	struct ipsp_template t = {
		.mode = (uint8_t)mib_row_number(r, IPSEC(ipiaIpsecActMode), IPSP_MODE_TUNNEL),
		.pfp = pol_negotiate_pfp(r), .reqid = pol_negotiate_reqid(r),
	};
	struct pol_connection *c = calloc(1, sizeof(*c));
	char list[POL_CONN_NAME];
	unsigned protocols;

	*out = (struct pol_negotiated){ 0 };
	why[0] = '\0';
	if (!c || t.reqid == 0) {
		free(c);
		return false;
	}
	protocols = protocols_of(v, r, c);
	pol_conn_name(r, IPSEC(ipiaIpsecActPeerGatewayIdName), list);
	if (protocols == 0)
		snprintf(why, POL_NEGOTIATE_TEXT, "%s", c->fault[0] ? c->fault :
							    "has no proposal that can be made");
	free(c);
	if (why[0])
		return true;
	/* Transport mode goes to the packet's own destination, and so does a tunnel without a list; one whose list has
	 * no address goes to who of the list is there. */
	if (t.mode == IPSP_MODE_TUNNEL && list[0]) {
		if (!first_address(v, list, &t.remote)) {
			snprintf(why, POL_NEGOTIATE_TEXT, "has a peer list \"%s\" without an active row", list);
			return true;
		}
		t.anyone = t.remote.family == 0;
	}
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!(protocols >> order[i].doi & 1))
			continue;
		t.proto = order[i].proto;
		t.level = order[i].level;
		out->templates[out->n++] = t;
		/* What stands around the first is from end to end of it. */
		t.mode = IPSP_MODE_TRANSPORT;
		t.pfp = 0;
	}
	return true;
}
