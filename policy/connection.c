/*
 * policy/connection.c - one connection from its rows: see connection.h.
 *
 * draft-ietf-ipsp-ikeaction-mib, RFC 2409 (IKEv1), RFC 7296 (IKEv2), RFC 8247. The first fault is the one that
 * is told; what it concerns is left out, so the rest can be shown.
 */
#include "policy/connection.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/config.h"
#include "mibs/schema_gen.h"
#include "policy/algs.h"
#include "policy/conn_parts.h"
#include "policy/negotiate.h"

#define IKE(column) MIB_COL(ipiaIkeActionTable, column)
#define IPSEC(column) MIB_COL(ipiaIpsecActionTable, column)
#define CHOICE(column) MIB_COL(ipspdIpsecActTable, column)
#define PARAM(column) MIB_COL(ipiaSaNegotiationParametersTable, column)

enum { MODE_AGGRESSIVE = 2 };
enum { PERCENT_DEFAULT = 90, IKE_PERCENT_DEFAULT = 100 };

void pol_conn_fault(struct pol_connection *c, const char *fmt, ...)
{
	va_list ap;

	if (c->fault[0])
		return;
	va_start(ap, fmt);
	vsnprintf(c->fault, sizeof(c->fault), fmt, ap);
	va_end(ap);
}

void pol_conn_name(const struct mib_row *r, const struct mib_column *col,
		   char out[POL_CONN_NAME])
{
	mib_row_text(r, col, out, POL_CONN_NAME);
}

static const struct mib_row *active_row(const struct mib_view *v, const struct mib_table *t,
					const char *name)
{
	const struct mib_value part = mib_value_octets(name, strlen(name));
	const struct mib_row *r;
	struct mib_oid index;

	if (!name[0] || !mib_index_encode(t, &part, 1, &index))
		return NULL;
	r = mib_view_row(v, t, index.ids, index.len);
	return r && mib_row_active(r) ? r : NULL;
}

/* ---- what both actions have ---- */

static void read_life(const struct mib_view *v, const struct mib_row *action,
		      const struct mib_column *col, struct pol_connection *c,
		      struct pol_conn_life *out)
{
	const struct mib_row *r;

	pol_conn_name(action, col, out->name);
	r = active_row(v, &mib_t_ipiaSaNegotiationParametersTable, out->name);
	out->refresh_s_percent = out->refresh_kb_percent = PERCENT_DEFAULT;
	if (!r) {
		pol_conn_fault(c, "has no active negotiation parameters \"%s\"", out->name);
		return;
	}
	out->min_life_s = (uint64_t)mib_row_number(r, PARAM(ipiaSaNegParamMinLifetimeSecs), 0);
	out->min_life_kb = (uint64_t)mib_row_number(r, PARAM(ipiaSaNegParamMinLifetimeKB), 0);
	out->refresh_s_percent = (uint8_t)mib_row_number(r, PARAM(ipiaSaNegParamRefreshThreshSecs),
							 PERCENT_DEFAULT);
	out->refresh_kb_percent =
		(uint8_t)mib_row_number(r, PARAM(ipiaSaNegParamRefreshThresholdKB),
					PERCENT_DEFAULT);
	out->idle_s = (uint64_t)mib_row_number(r, PARAM(ipiaSaNegParamIdleDurationSecs), 0);
}

static size_t vendor(const struct mib_row *r, const struct mib_column *col,
		     uint8_t out[POL_CONN_VENDOR_MAX], struct pol_connection *c)
{
	const uint8_t *octets;
	const size_t n = pol_row_octets(r, col, &octets);

	if (n > POL_CONN_VENDOR_MAX) {
		pol_conn_fault(c, "has a Vendor ID of more than %d octets in %s",
			       POL_CONN_VENDOR_MAX, col->name);
		return 0;
	}
	if (n > 0)
		memcpy(out, octets, n);
	return n;
}

/* ---- the IKE action ---- */

static void read_ike(const struct mib_view *v, const struct mib_row *r, struct pol_connection *c)
{
	c->aggressive = mib_row_number(r, IKE(ipiaIkeActExchangeMode), 0) == MODE_AGGRESSIVE;
	c->version = (enum pol_ike_version)mib_row_number(
		r, MIB_COL(ipspdIkeActTable, ipspdIkeActVersion), POL_IKE_V2);
	c->aggressive_psk = pol_row_truth(
		r, MIB_COL(ipspdIkeActTable, ipspdIkeActAggressivePsk), false);
	c->aggressive_group = (uint16_t)mib_row_number(r, IKE(ipiaIkeActAgressiveModeGroupId), 0);
	c->threshold_percent = (uint8_t)mib_row_number(r, IKE(ipiaIkeActThresholdDerivedKeys),
						       IKE_PERCENT_DEFAULT);
	c->nat = (enum pol_conn_nat)mib_row_number(
		r, MIB_COL(ipspdIkeActTable, ipspdIkeActNatTraversal), POL_CONN_NAT_AUTO);
	c->reauth_s = (uint32_t)mib_row_number(
		r, MIB_COL(ipspdIkeActTable, ipspdIkeActReauthentication), 0);
	c->retransmit_s = (uint32_t)mib_row_number(
		r, MIB_COL(ipspdIkeActTable, ipspdIkeActRetransmit), POL_CONN_RETRANSMIT_S);
	c->tries = (uint8_t)mib_row_number(r, MIB_COL(ipspdIkeActTable, ipspdIkeActTries),
					   POL_CONN_TRIES);
	c->log_ike = pol_row_truth(r, IKE(ipiaIkeActDoActionLogging), false);
	c->log_ike_octets = (int32_t)mib_row_number(r, IKE(ipiaIkeActDoPacketLogging), -1);
	c->ike_vendor_len = vendor(r, IKE(ipiaIkeActVendorId), c->ike_vendor, c);
	read_life(v, r, IKE(ipiaIkeActParametersName), c, &c->ike_life);
	/* Aggressive mode is IKEv1's alone. */
	if (c->aggressive)
		c->version = POL_IKE_V1;
	pol_conn_proposals(v, r, c);
	if (c->aggressive && !pol_alg_ike_group(c->aggressive_group))
		pol_conn_fault(c, "has group %u for aggressive mode, which is unknown",
			       c->aggressive_group);
}

/* ---- the IPsec action ---- */

static void read_choices(const struct mib_row *r, struct pol_conn_choices *out)
{
	static const enum ipsp_ecn ecn[] = {
		[1] = IPSP_ECN_NORMAL, [2] = IPSP_ECN_COMPATIBILITY, [3] = IPSP_ECN_NONE,
	};
	const int64_t ecn_number = mib_row_number(r, CHOICE(ipspdIpsecActEcn), 1);
	const uint8_t *bits;

	out->ecn = (uint8_t)ecn[ecn_number >= 1 && ecn_number <= 3 ? ecn_number : 1];
	out->dscp = (int8_t)mib_row_number(r, CHOICE(ipspdIpsecActDscp), -1);
	out->tfc_pad_octets = (uint32_t)mib_row_number(r, CHOICE(ipspdIpsecActTfcPad), 0);
	out->dummy_interval_s =
		(uint32_t)mib_row_number(r, CHOICE(ipspdIpsecActDummyInterval), 0);
	out->esn = (enum pol_conn_esn)mib_row_number(r, CHOICE(ipspdIpsecActEsn),
						     POL_CONN_ESN_EITHER);
	if (pol_row_octets(r, CHOICE(ipspdIpsecActFromPacket), &bits) > 0)
		out->from_packet = bits[0];
}

static void read_ipsec(const struct mib_view *v, const struct mib_row *r,
		       struct pol_connection *c)
{
	const uint8_t *octets;

	c->pfs = pol_row_truth(r, IPSEC(ipiaIpsecActUsePfs), false);
	c->pfs_of_ike = c->pfs && pol_row_truth(r, IPSEC(ipiaIpsecActUseIkeGroup), false);
	if (c->pfs && !c->pfs_of_ike)
		c->pfs_group = (uint16_t)mib_row_number(r, IPSEC(ipiaIpsecActGroupId), 0);
	c->granularity = (uint8_t)mib_row_number(r, IPSEC(ipiaIpsecActGranularity), 1);
	c->mode = (uint8_t)mib_row_number(r, IPSEC(ipiaIpsecActMode), IPSP_MODE_TUNNEL);
	c->df = (uint8_t)mib_row_number(r, IPSEC(ipiaIpsecActDFHandling), IPSP_DF_COPY);
	c->log_child = pol_row_truth(r, IPSEC(ipiaIpsecActDoActionLogging), false);
	c->log_child_octets = (int32_t)mib_row_number(r, IPSEC(ipiaIpsecActDoPacketLogging), -1);
	c->gateway_of_packet = c->mode == IPSP_MODE_TUNNEL &&
			       pol_row_octets(r, IPSEC(ipiaIpsecActPeerGatewayIdName), &octets) == 0;
	c->anyone = pol_negotiate_anyone(v, r);
	/* VendorId says whose a private group is. We know none of those, and such a row is not active. */
	if (c->pfs)
		c->pfs_vendor_octets = pol_row_octets(r, IPSEC(ipiaIpsecActVendorId), &octets);
	if (c->pfs && !c->pfs_of_ike && !pol_alg_ike_group(c->pfs_group))
		pol_conn_fault(c, "wants group %u for PFS, which is unknown", c->pfs_group);
	read_choices(r, &c->choices);
	read_life(v, r, IPSEC(ipiaIpsecActParametersName), c, &c->child_life);
	pol_conn_transforms(v, r, c);
}

/* ---- the whole ---- */

bool pol_connection_make(const struct mib_view *v, const struct pol_conn_key *key,
			 struct pol_connection **out)
{
	struct pol_connection *c = calloc(1, sizeof(*c));
	const struct mib_row *ike = active_row(v, &mib_t_ipiaIkeActionTable, key->ike);
	const struct mib_row *ipsec = active_row(v, &mib_t_ipiaIpsecActionTable, key->ipsec);

	if (!c)
		return false;
	c->log_ike_octets = c->log_child_octets = -1;
	c->retransmit_s = POL_CONN_RETRANSMIT_S;
	c->tries = POL_CONN_TRIES;
	c->answers = key->answers;
	if (key->why[0])
		pol_conn_fault(c, "%s", key->why);
	if (ike)
		read_ike(v, ike, c);
	else if (key->ike[0])
		pol_conn_fault(c, "has no active IKE action \"%s\"", key->ike);
	if (ipsec)
		read_ipsec(v, ipsec, c);
	else if (key->ipsec[0])
		pol_conn_fault(c, "has no active IPsec action \"%s\"", key->ipsec);
	if (ike)
		pol_conn_who(v, key, ike, ipsec, c);
	if (key->answers && ipsec && c->mode != IPSP_MODE_TRANSPORT)
		pol_conn_fault(c, "is for the default response, but not in transport mode");
	if (!pol_conn_select(v, key, c)) {
		pol_connection_free(c);
		return false;
	}
	*out = c;
	return true;
}

void pol_connection_free(struct pol_connection *c)
{
	if (!c)
		return;
	free(c->selectors);
	free(c->starts);
	free(c);
}
