/*
 * policy/sa.c - manual SAs from rows: see sa.h.
 *
 * Judged in this order: what can never work (the row is refused), then what does not work now (the
 * row stays active, its packets are dropped).
 */
#include "policy/sa.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ipsp/compress.h"
#include "ipsp/udp_encap.h"
#include "mibs/schema_gen.h"
#include "policy/algs.h"
#include "policy/credential.h"
#include "policy/ids.h"

#define PRE(column) MIB_COL(ipsaSaPreconfiguredActionTable, column)
#define OPT(column) MIB_COL(ipspdPreActOptTable, column)
#define ESP(column) MIB_COL(ipsaEspTransformTable, column)
#define AH(column) MIB_COL(ipsaAhTransformTable, column)
#define COMP(column) MIB_COL(ipsaIpcompTransformTable, column)

enum { WINDOW_DEFAULT_PKTS = 64, OCTETS_PER_KB = 1024 };
enum { ADDR_IPV4 = 1, ADDR_IPV6 = 2 };
enum { ADMIN_ENABLED = 1 };

/* Collects the verdict: the first wrong wins, else the first reason for not being in force. */
struct judge {
	const struct mib_view *view;
	const struct mib_row *row;
	enum pol_sa_state state;
	char *why;
};

static void judge(struct judge *j, enum pol_sa_state state, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void judge(struct judge *j, enum pol_sa_state state, const char *fmt, ...)
{
	va_list ap;

	if (j->state >= state)
		return;
	j->state = state;
	va_start(ap, fmt);
	vsnprintf(j->why, POL_SA_TEXT, fmt, ap);
	va_end(ap);
}

enum ipsp_dir pol_sa_dir(const struct mib_row *r)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	return index[len - 1] == IPSP_OUTBOUND ? IPSP_OUTBOUND : IPSP_INBOUND;
}

static bool peer_row_address(const struct mib_row *peer, struct ipsp_addr *out)
{
	int64_t type = mib_row_number(peer, MIB_COL(ipsaPeerIdentityTable, ipsaPeerIdAddressType),
				      0);
	const uint8_t *octets;
	size_t n = pol_row_octets(peer, MIB_COL(ipsaPeerIdentityTable, ipsaPeerIdAddress),
				  &octets);

	*out = (struct ipsp_addr){ .family = type == ADDR_IPV4 ? 4 : type == ADDR_IPV6 ? 6 : 0 };
	if (out->family == 0 || n != ipsp_addr_size(out->family))
		return false;
	memcpy(out->octets, octets, n);
	return true;
}

bool pol_sa_peer(const struct mib_view *v, const struct mib_row *r, struct ipsp_addr *out)
{
	struct mib_oid prefix;
	const struct mib_row *peer;

	if (!pol_index_by_name(r, PRE(ipsaSaPreActPeerGatewayIdName), &mib_t_ipsaPeerIdentityTable,
			       &prefix))
		return false;
	peer = pol_first_meant(v, &mib_t_ipsaPeerIdentityTable, &prefix);
	return peer && mib_row_active(peer) && peer_row_address(peer, out);
}

/* 0 is no limit on either side. */
static uint64_t shorter(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/* The active transform row of one protocol, or NULL with a verdict; NULL without one: not used. */
static const struct mib_row *transform(struct judge *j, const struct mib_column *name,
				       const struct mib_column *spi, const struct mib_table *table,
				       int64_t spi_min, int64_t spi_max)
{
	int64_t number = mib_row_number(j->row, spi, 0);
	struct mib_oid index;
	const struct mib_row *t;

	if (!pol_index_by_name(j->row, name, table, &index))
		return NULL;
	if (number < spi_min || number > spi_max)
		judge(j, POL_SA_WRONG, "sets %s but has no usable %s (%lld to %lld)", name->name,
		      spi->name, (long long)spi_min, (long long)spi_max);
	t = mib_view_row(j->view, table, index.ids, index.len);
	if (t && mib_row_active(t))
		return t;
	judge(j, POL_SA_WRONG, "names by %s a row of %s that is not there or not active",
	      name->name, table->name);
	return NULL;
}

/* The key that a name column leads to. Of the wrong size it is refused, disabled it is not used. */
static void read_key(struct judge *j, const struct mib_column *name, size_t octets,
		     const char *algorithm, struct ipsp_key *out)
{
	const struct mib_row *cred = pol_row_by_name(j->view, j->row, name,
						     &mib_t_ipsaCredentialTable);
	bool enabled;
	size_t len;

	if (!cred || !mib_row_active(cred)) {
		judge(j, POL_SA_WRONG, "needs an active credential in %s, the key of %s",
		      name->name, algorithm);
		return;
	}
	if (mib_row_number(cred, MIB_COL(ipsaCredentialTable, ipsaCredType), 0) !=
	    POL_CRED_SHARED_SECRET) {
		judge(j, POL_SA_WRONG, "names by %s a credential that is no sharedSecret",
		      name->name);
		return;
	}
	enabled = pol_row_enabled(cred, MIB_COL(ipsaCredentialTable, ipsaCredAdminStatus));
	len = pol_credential_key(j->view, cred, out);
	/* A disabled credential may still wait for its value. */
	if (len != octets && (enabled || len > 0))
		judge(j, POL_SA_WRONG, "names by %s a key of %zu octets, but %s needs %zu",
		      name->name, len, algorithm, octets);
	if (!enabled)
		judge(j, POL_SA_NOT_IN_FORCE, "names by %s a credential that is disabled",
		      name->name);
}

static void no_key(struct judge *j, const struct mib_column *name, const char *algorithm)
{
	const uint8_t *data;

	if (pol_row_octets(j->row, name, &data) > 0)
		judge(j, POL_SA_WRONG, "sets %s, but %s has no key", name->name, algorithm);
}

/* The smaller of what the action and the transform say. */
static void limit(const struct judge *j, const struct mib_row *t, const struct mib_column *seconds,
		  const struct mib_column *kbytes, struct ipsp_sa_config *sa)
{
	sa->life_s = shorter(sa->life_s, (uint64_t)mib_row_number(t, seconds, 0));
	sa->life_bytes = OCTETS_PER_KB *
			 shorter((uint64_t)mib_row_number(j->row,
							  PRE(ipsaSaPreActActionLifetimeKB), 0),
				 (uint64_t)mib_row_number(t, kbytes, 0));
}

static void make_esp(struct judge *j, const struct mib_row *t, struct ipsp_sa_config *sa)
{
	uint32_t cipher = (uint32_t)mib_row_number(t, ESP(ipsaEspTranCipherTransformId), 0);
	uint32_t bits = (uint32_t)mib_row_number(t, ESP(ipsaEspTranCipherKeyLength), 0);
	uint32_t integ = (uint32_t)mib_row_number(t, ESP(ipsaEspTranIntegrityAlgorithmId), 0);
	const struct pol_alg *c = pol_alg_esp(cipher), *a = pol_alg_auth(integ);
	int64_t window = mib_row_number(t, ESP(ipsaEspTranReplayWindowSize), 0);
	char why[POL_ALG_TEXT];

	if (c && c->never_manual) {
		judge(j, POL_SA_WRONG,
		      "uses cipher %s: with manual keys its counter would repeat (RFC 8221)",
		      c->name);
		return;
	}
	if (!pol_esp_judge(cipher, bits, integ, why) || !c || !a) {
		judge(j, POL_SA_WRONG, "has an ESP transform that cannot be used: %s", why);
		return;
	}
	bits = c->variable_key ? bits : c->key_octets * 8u;
	if (bits > 0)
		read_key(j, PRE(ipsaSaPreActESPEncSecretName), bits / 8, c->name, &sa->encr_key);
	else
		no_key(j, PRE(ipsaSaPreActESPEncSecretName), c->name);
	read_key(j, PRE(ipsaSaPreActESPAuthSecretName), a->key_octets, a->name, &sa->integ_key);
	sa->proto = IPSP_PROTO_ESP;
	sa->spi = (uint32_t)mib_row_number(j->row, PRE(ipsaSaPreActESPSPI), 0);
	sa->encr = (uint16_t)cipher;
	sa->encr_key_bits = (uint16_t)bits;
	sa->integ = (uint16_t)integ;
	/* An unset column must not weaken the SA: replay protection is on unless it is refused. */
	sa->replay = sa->dir == IPSP_INBOUND &&
		     pol_row_truth(t, ESP(ipsaEspTranReplayPrevention), true);
	sa->replay_window_pkts = window > 0 ? (uint32_t)window : WINDOW_DEFAULT_PKTS;
	limit(j, t, ESP(ipsaEspTranMaxLifetimeSec), ESP(ipsaEspTranMaxLifetimeKB), sa);
}

static void make_ah(struct judge *j, const struct mib_row *t, struct ipsp_sa_config *sa)
{
	uint32_t integ = (uint32_t)mib_row_number(t, AH(ipsaAhTranAlgorithm), 0);
	int64_t window = mib_row_number(t, AH(ipsaAhTranReplayWindowSize), 0);
	const struct pol_alg *a = pol_alg_auth(integ);
	char why[POL_ALG_TEXT];

	if (a && a->never_manual) {
		judge(j, POL_SA_WRONG,
		      "uses %s: with manual keys its counter would repeat (RFC 8221)", a->name);
		return;
	}
	if (!pol_ah_judge(integ, why) || !a) {
		judge(j, POL_SA_WRONG, "has an AH transform that cannot be used: %s", why);
		return;
	}
	if (a->kind == POL_ALG_NOT_YET)
		judge(j, POL_SA_NOT_IN_FORCE, "uses %s, which this version does not offer yet",
		      a->name);
	read_key(j, PRE(ipsaSaPreActAHSharedSecretName), a->key_octets, a->name, &sa->integ_key);
	sa->proto = IPSP_PROTO_AH;
	sa->spi = (uint32_t)mib_row_number(j->row, PRE(ipsaSaPreActAHSPI), 0);
	sa->integ = (uint16_t)integ;
	sa->replay = sa->dir == IPSP_INBOUND && pol_row_truth(t, AH(ipsaAhTranReplayProtection),
							      true);
	sa->replay_window_pkts = window > 0 ? (uint32_t)window : WINDOW_DEFAULT_PKTS;
	limit(j, t, AH(ipsaAhTranMaxLifetimeSec), AH(ipsaAhTranMaxLifetimeKB), sa);
}

/* RFC 3173 3.3: the CPI is the transform's own number, or one that was agreed on. */
static void make_ipcomp(struct judge *j, const struct mib_row *t, struct ipsp_sa_config *sa)
{
	const int64_t algorithm = mib_row_number(t, COMP(ipsaIpcompTranAlgorithm), 0);
	const int64_t cpi = mib_row_number(j->row, PRE(ipsaSaPreActIPCompSPI), 0);

	if (mib_row_number(t, COMP(ipsaIpcompTranPrivateAlgorithm), 0) != 0 ||
	    algorithm != IPSP_COMP_DEFLATE)
		judge(j, POL_SA_NOT_IN_FORCE,
		      "uses an IPComp transform that is not DEFLATE, which alone is offered");
	if (cpi < 256 && cpi != algorithm)
		judge(j, POL_SA_NOT_IN_FORCE, "sets %s to %lld, which is the CPI of another "
		      "transform (RFC 3173 3.3)", PRE(ipsaSaPreActIPCompSPI)->name,
		      (long long)cpi);
	sa->proto = IPSP_PROTO_IPCOMP;
	sa->spi = (uint32_t)cpi;
	sa->encr = IPSP_COMP_DEFLATE;
	limit(j, t, COMP(ipsaIpcompTranMaxLifetimeSec), COMP(ipsaIpcompTranMaxLifetimeKB), sa);
}

static void judge_peer(struct judge *j, struct ipsp_sa_config *sa)
{
	const uint8_t *data;

	if (sa->mode != IPSP_MODE_TUNNEL ||
	    pol_row_octets(j->row, PRE(ipsaSaPreActPeerGatewayIdName), &data) == 0)
		return;
	if (!pol_sa_peer(j->view, j->row, &sa->remote)) {
		sa->remote = (struct ipsp_addr){ 0 };
		judge(j, POL_SA_WRONG, "names by ipsaSaPreActPeerGatewayIdName a peer whose "
		      "first row is not there, is lost or has no address");
	}
}

/* What hides the traffic of an ESP tunnel, RFC 4303 2.6, 2.7. */
static void make_hiding(const struct mib_row *r, struct ipsp_sa_config *sa)
{
	sa->tfc_pad = (uint16_t)mib_row_number(r, OPT(ipspdPreActOptTfcPad), 0);
	if (sa->mode != IPSP_MODE_TUNNEL || sa->dir != IPSP_OUTBOUND)
		return;
	sa->tfc_random = (uint16_t)mib_row_number(r, OPT(ipspdPreActOptTfcRandom), 0);
	sa->dummy_s = (uint16_t)mib_row_number(r, OPT(ipspdPreActOptDummyInterval), 0);
	sa->dummy_len = (uint16_t)mib_row_number(r, OPT(ipspdPreActOptDummyOctets), 15);
}

/* What IPSPD-MIB adds to the row about the packets of each SA, and the first one's outer header. */
static void make_options(struct judge *j, struct ipsp_sa_config *sa, bool innermost)
{
	static const enum ipsp_ecn ecn[] = {
		[1] = IPSP_ECN_NORMAL, [2] = IPSP_ECN_COMPATIBILITY, [3] = IPSP_ECN_NONE,
	};
	const int64_t ecn_number = mib_row_number(j->row, OPT(ipspdPreActOptEcn), 1);
	const int64_t dscp = mib_row_number(j->row, OPT(ipspdPreActOptDscp), -1);
	const int64_t flow_label = mib_row_number(j->row, OPT(ipspdPreActOptFlowLabel), 0);

	if (sa->proto != IPSP_PROTO_IPCOMP)
		sa->esn = pol_row_truth(j->row, OPT(ipspdPreActOptEsn), false);
	if (sa->proto == IPSP_PROTO_ESP && sa->dir == IPSP_INBOUND)
		sa->pad_unchecked = !pol_row_truth(j->row, OPT(ipspdPreActOptPadCheck), true);
	if (sa->proto != IPSP_PROTO_IPCOMP && sa->dir == IPSP_OUTBOUND)
		sa->seq_rollover = pol_row_truth(j->row, OPT(ipspdPreActOptSeqRollover), false);
	if (sa->esn && sa->seq_rollover)
		judge(j, POL_SA_WRONG, "lets numbers go on from 0 by ipspdPreActOptSeqRollover, which "
		      "64-bit numbers by ipspdPreActOptEsn never need");
	if (sa->esn && sa->dir == IPSP_INBOUND && !sa->replay)
		judge(j, POL_SA_WRONG, "has 64-bit sequence numbers by ipspdPreActOptEsn, which need "
		      "replay protection (RFC 4303 3.4.3)");
	if (!innermost)
		return;
	sa->ecn = (uint8_t)ecn[ecn_number >= 1 && ecn_number <= 3 ? ecn_number : 1];
	sa->dscp_set = dscp >= 0;
	sa->dscp = (uint8_t)(dscp >= 0 ? dscp : 0);
	sa->outer_ttl = (uint8_t)mib_row_number(j->row, OPT(ipspdPreActOptOuterTtl), 0);
	/* SpdIPPacketLogging: -1 is no, 0 without octets. */
	sa->packet_log = (uint32_t)(mib_row_number(j->row, PRE(ipsaSaPreActDoPacketLogging), -1) +
				    1);
	sa->flow_label = flow_label >= 0 ? (uint32_t)flow_label : IPSP_FLOW_COPY;
	if (sa->proto == IPSP_PROTO_ESP)
		make_hiding(j->row, sa);
	if (sa->proto == IPSP_PROTO_ESP && sa->mode == IPSP_MODE_TUNNEL &&
	    sa->dir == IPSP_OUTBOUND)
		sa->frag_before = pol_row_truth(j->row, OPT(ipspdPreActOptFragBefore), false);
}

/* The id of the outbound ESP SA of an inbound one's name, there or not. */
static uint64_t id_of_outbound(const struct mib_row *r, bool innermost)
{
	size_t len;
	const uint32_t *const index = mib_row_index(r, &len);
	uint32_t other[MIB_OID_MAX];

	memcpy(other, index, len * sizeof(index[0]));
	other[len - 1] = IPSP_OUTBOUND;
	const uint64_t id = pol_id_of_row(&mib_t_ipsaSaPreconfiguredActionTable, other, len, 0);

	return innermost ? id : pol_id_of_member(id, IPSP_PROTO_ESP);
}

/* ESP in UDP, RFC 3948. Ports are those of the SA's own packets. */
static void make_encap(const struct mib_row *r, struct ipsp_sa_config *sa, bool innermost)
{
	const uint16_t peers = (uint16_t)mib_row_number(r, OPT(ipspdPreActOptUdpPort), 0);
	const bool in = sa->dir == IPSP_INBOUND;

	if (peers == 0)
		return;
	sa->encap = (struct ipsp_encap){
		.type = IPSP_ENCAP_UDP,
		.sport = in ? peers : IPSP_UDP_PORT,
		.dport = in ? IPSP_UDP_PORT : peers,
	};
	if (!in)
		sa->encap.keepalive_s =
			(uint16_t)mib_row_number(r, OPT(ipspdPreActOptUdpKeepalive), 0);
	else if (pol_row_truth(r, OPT(ipspdPreActOptUdpFollow), false))
		sa->encap.follow_id = id_of_outbound(r, innermost);
}

/* One protocol of a row: its columns, and what makes an SA of it. Innermost first. */
static const struct part {
	size_t transform, spi;	/* positions */
	const struct mib_table *table;
	int64_t spi_min, spi_max;
	void (*make)(struct judge *j, const struct mib_row *t, struct ipsp_sa_config *sa);
} parts[] = {
	{ MIB_C_ipsaSaPreActIPCompTransformName, MIB_C_ipsaSaPreActIPCompSPI,
	  &mib_t_ipsaIpcompTransformTable, 1, UINT16_MAX, make_ipcomp },
	{ MIB_C_ipsaSaPreActESPTransformName, MIB_C_ipsaSaPreActESPSPI,
	  &mib_t_ipsaEspTransformTable, 256, INT32_MAX, make_esp },
	{ MIB_C_ipsaSaPreActAHTransformName, MIB_C_ipsaSaPreActAHSPI,
	  &mib_t_ipsaAhTransformTable, 256, INT32_MAX, make_ah },
};

static void make_part(struct judge *j, const struct part *part, const struct ipsp_sa_config *base,
		      struct pol_sa_bundle *out)
{
	const struct mib_column *cols = mib_t_ipsaSaPreconfiguredActionTable.columns;
	const struct mib_row *t = transform(j, &cols[part->transform], &cols[part->spi],
					    part->table, part->spi_min, part->spi_max);
	struct ipsp_sa_config *sa = &out->sas[out->n];

	if (!t)
		return;
	*sa = *base;
	if (out->n > 0)
		sa->mode = IPSP_MODE_TRANSPORT;
	part->make(j, t, sa);
	make_options(j, sa, out->n == 0);
	if (sa->proto == IPSP_PROTO_ESP)
		make_encap(j->row, sa, out->n == 0);
	out->n++;
}

/* They end together. */
static void share_lifetimes(struct pol_sa_bundle *b)
{
	uint64_t life_s = 0, life_bytes = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		life_s = shorter(life_s, b->sas[i].life_s);
		life_bytes = shorter(life_bytes, b->sas[i].life_bytes);
	}
	for (uint32_t i = 0; i < b->n; i++) {
		b->sas[i].life_s = life_s;
		b->sas[i].life_bytes = life_bytes;
	}
}

void pol_sa_bundle_wipe(struct pol_sa_bundle *b)
{
	for (uint32_t i = 0; i < IPSP_BUNDLE_MAX; i++) {
		ipsp_key_wipe(&b->sas[i].encr_key);
		ipsp_key_wipe(&b->sas[i].integ_key);
	}
}

enum pol_sa_state pol_sa_make(const struct mib_view *v, const struct mib_row *r,
			      struct pol_sa_bundle *out, char why[POL_SA_TEXT])
{
	struct judge j = { .view = v, .row = r, .state = POL_SA_READY, .why = why };
	struct ipsp_sa_config base = {
		.dir = (uint8_t)pol_sa_dir(r),
		.mode = (uint8_t)mib_row_number(r, PRE(ipsaSaPreActActionType), IPSP_MODE_TUNNEL),
		.df = (uint8_t)mib_row_number(r, PRE(ipsaSaPreActDFHandling), IPSP_DF_COPY),
		.life_s = (uint64_t)mib_row_number(r, PRE(ipsaSaPreActActionLifetimeSec), 0),
	};

	memset(out, 0, sizeof(*out));
	why[0] = '\0';
	if (base.mode != IPSP_MODE_TUNNEL && base.mode != IPSP_MODE_TRANSPORT)
		judge(&j, POL_SA_WRONG, "has an ipsaSaPreActActionType that is neither tunnel(1) "
		      "nor transport(2)");
	judge_peer(&j, &base);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		make_part(&j, &parts[i], &base, out);
	if (out->n == 0)
		judge(&j, POL_SA_WRONG, "names no transform of ESP, AH or IPComp");
	else if (out->n == 1 && out->sas[0].proto == IPSP_PROTO_IPCOMP)
		judge(&j, POL_SA_NOT_IN_FORCE, "names a transform of IPComp alone, which protects "
		      "nothing: ESP or AH must be around it");
	share_lifetimes(out);
	for (uint32_t i = 0; i + 1 < out->n; i++)
		if (out->sas[i].encap.type == IPSP_ENCAP_UDP)
			judge(&j, POL_SA_WRONG, "has AH around ESP in UDP, which a NAT would break "
			      "(RFC 3948 1)");
	if (mib_row_number(r, MIB_COL(ipspdPreActTable, ipspdPreActAdminStatus), ADMIN_ENABLED) !=
	    ADMIN_ENABLED)
		judge(&j, POL_SA_NOT_IN_FORCE, "is taken out of use by ipspdPreActAdminStatus");
	return j.state;
}
