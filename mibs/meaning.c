/*
 * mibs/meaning.c - the meaning of single columns, as one table. See meaning.h.
 *
 * The modules' DESCRIPTION clauses (RFC 4807, draft-ietf-ipsp-ipsecaction-mib,
 * draft-ietf-ipsp-ikeaction-mib, RFC 3289) and what we decided where they are silent. A default
 * stands here only for columns without DEFVAL; what decides security has none.
 */
#include "mibs/meaning.h"

#include <string.h>

#include "mibs/period.h"
#include "mibs/schema_gen.h"
#include "mibs/special.h"

static enum mib_err wrong(struct mib_diag *d, enum mib_err err, const struct mib_column *col,
			  const char *why)
{
	mib_diag_set(d, NULL, NULL, 0, "%s", why);
	if (d != NULL)
		memccpy(d->object, col->name, '\0', sizeof(d->object) - 1);
	return err;
}

/* RFC 4303 2.1: 1 to 255 are reserved. The column is signed, so the upper half cannot be given. */
static enum mib_err value_spi(const struct mib_column *col, const struct mib_value *v,
			      struct mib_diag *d)
{
	if (v->number == 0 || v->number >= 256)
		return MIB_OK;
	return wrong(d, MIB_WRONG_VALUE, col,
		     "an SPI is 256..2147483647, or 0 when the protocol is not used (RFC 4303 2.1)");
}

/* RFC 3173 3.3: a CPI has 16 bits. */
static enum mib_err value_cpi(const struct mib_column *col, const struct mib_value *v,
			      struct mib_diag *d)
{
	if (v->number >= 0 && v->number <= UINT16_MAX)
		return MIB_OK;
	return wrong(d, MIB_WRONG_VALUE, col,
		     "a CPI is 1..65535, or 0 when IPComp is not used (RFC 3173 3.3)");
}

#define WINDOW_MAX_PKTS 4096

static enum mib_err value_window(const struct mib_column *col, const struct mib_value *v,
				 struct mib_diag *d)
{
	if (v->number <= WINDOW_MAX_PKTS && (v->number & (v->number - 1)) == 0)
		return MIB_OK;
	return wrong(d, MIB_WRONG_VALUE, col, "a replay window is a power of two, at most 4096");
}

static enum mib_err value_ip(const struct mib_column *col, const struct mib_value *v,
			     struct mib_diag *d)
{
	if (v->number == 1 || v->number == 2)
		return MIB_OK;
	return wrong(d, MIB_WRONG_VALUE, col, "only ipv4(1) and ipv6(2) are supported here");
}

static enum mib_err value_ip_or_unknown(const struct mib_column *col, const struct mib_value *v,
					struct mib_diag *d)
{
	if (v->number >= 0 && v->number <= 2)
		return MIB_OK;
	return wrong(d, MIB_WRONG_VALUE, col,
		     "only ipv4(1), ipv6(2) and, for a peer whose address is not known, unknown(0)");
}

static enum mib_err value_prefix(const struct mib_column *col, const struct mib_value *v,
				 struct mib_diag *d)
{
	if (v->number <= 128)
		return MIB_OK;
	return wrong(d, MIB_WRONG_VALUE, col, "no address has more than 128 bits");
}

static enum mib_err value_port(const struct mib_column *col, const struct mib_value *v,
			       struct mib_diag *d)
{
	if (v->number != 0)
		return MIB_OK;
	return wrong(d, MIB_WRONG_VALUE, col, "port 0 is illegal; leave the column unset for any port");
}

static enum mib_err value_credential_type(const struct mib_column *col, const struct mib_value *v,
					  struct mib_diag *d)
{
	if (v->number == 2 || v->number == 3)
		return MIB_OK;
	return wrong(d, MIB_WRONG_VALUE, col, "only sharedSecret(2) and x509(3) are supported");
}

static enum mib_err value_segment(const struct mib_column *col, const struct mib_value *v,
				  struct mib_diag *d)
{
	if (v->octets.len >= 1 && v->octets.len <= 1024)
		return MIB_OK;
	return wrong(d, MIB_WRONG_LENGTH, col, "a segment has 1..1024 octets in the default context");
}

/* Bit 63 is set in the module's own default, against its text; so only bit 64 is refused. */
static enum mib_err value_month_days(const struct mib_column *col, const struct mib_value *v,
				     struct mib_diag *d)
{
	if (v->octets.len == 8 && (v->octets.data[7] & 1) == 0)
		return MIB_OK;
	return wrong(d, MIB_WRONG_VALUE, col, "the last bit stands for no day and must be zero");
}

static enum mib_err value_period(const struct mib_column *col, const struct mib_value *v,
				 struct mib_diag *d)
{
	struct mib_period period;
	const char *why = mib_period_read((const char *)v->octets.data, v->octets.len, &period);

	return why == NULL ? MIB_OK : wrong(d, MIB_WRONG_VALUE, col, why);
}

static enum mib_err value_day_times(const struct mib_column *col, const struct mib_value *v,
				    struct mib_diag *d)
{
	struct mib_period times;
	const char *why = mib_day_times_read((const char *)v->octets.data, v->octets.len, &times);

	return why == NULL ? MIB_OK : wrong(d, MIB_WRONG_VALUE, col, why);
}

static enum mib_err value_asn1_time(const struct mib_column *col, const struct mib_value *v,
				    struct mib_diag *d)
{
	struct mib_moment moment;
	const char *why = mib_asn1_time_read((const char *)v->octets.data, v->octets.len, &moment);

	return why == NULL ? MIB_OK : wrong(d, MIB_WRONG_VALUE, col, why);
}

#define MUST(t, c) { .at = MIB_AT(t, c), .mandatory = true }
#define MUST_BE(t, c, fn) { .at = MIB_AT(t, c), .mandatory = true, .value = fn }
#define LIMIT(t, c, fn) { .at = MIB_AT(t, c), .value = fn }
#define NUMBER(t, c, n) { .at = MIB_AT(t, c), .def = { .kind = MIB_DEF_NUMBER, .number = n } }
#define EMPTY(t, c) { .at = MIB_AT(t, c), .def = { .kind = MIB_DEF_OCTETS, .octets = no_octets } }
#define TIME(t, c) { .at = MIB_AT(t, c), .value = value_asn1_time, \
		     .def = { .kind = MIB_DEF_OCTETS, .octets = no_octets } }
#define SPI(t, c, fn) { .at = MIB_AT(t, c), .value = fn, .def = { .kind = MIB_DEF_NUMBER } }

static const uint8_t no_octets[1];

const struct mib_meaning mib_meanings[] = {
	LIMIT(diffServMultiFieldClfrTable, diffServMultiFieldClfrDstPrefixLength, value_prefix),
	LIMIT(diffServMultiFieldClfrTable, diffServMultiFieldClfrSrcPrefixLength, value_prefix),
	MUST_BE(diffServMultiFieldClfrTable, diffServMultiFieldClfrAddrType, value_ip),

	MUST(spdEndpointToGroupTable, spdEndGroupName),
	MUST(spdGroupContentsTable, spdGroupContComponentName),
	MUST(spdRuleDefinitionTable, spdRuleDefFilter),
	MUST(spdRuleDefinitionTable, spdRuleDefAction),
	MUST(spdSubfiltersTable, spdSubFiltSubfilter),
	MUST(spdSubactionsTable, spdSubActSubActionName),
	MUST(spdIpOffsetFilterTable, spdIpOffFiltOffset),
	MUST(spdIpOffsetFilterTable, spdIpOffFiltType),
	MUST(spdIpOffsetFilterTable, spdIpOffFiltValue),
	LIMIT(spdTimeFilterTable, spdTimeFiltPeriod, value_period),
	LIMIT(spdTimeFilterTable, spdTimeFiltDayOfMonthMask, value_month_days),
	LIMIT(spdTimeFilterTable, spdTimeFiltTimeOfDayMask, value_day_times),
	MUST(spdIpsoHeaderFilterTable, spdIpsoHeadFiltType),
	NUMBER(spdStaticFilters, spdTrueFilter, 1),
	NUMBER(spdStaticActions, spdDropAction, 1),
	NUMBER(spdStaticActions, spdDropActionLog, 1),
	NUMBER(spdStaticActions, spdAcceptAction, 1),
	NUMBER(spdStaticActions, spdAcceptActionLog, 1),

	SPI(ipsaSaPreconfiguredActionTable, ipsaSaPreActAHSPI, value_spi),
	SPI(ipsaSaPreconfiguredActionTable, ipsaSaPreActESPSPI, value_spi),
	SPI(ipsaSaPreconfiguredActionTable, ipsaSaPreActIPCompSPI, value_cpi),
	EMPTY(ipsaSaPreconfiguredActionTable, ipsaSaPreActAHTransformName),
	EMPTY(ipsaSaPreconfiguredActionTable, ipsaSaPreActAHSharedSecretName),
	EMPTY(ipsaSaPreconfiguredActionTable, ipsaSaPreActESPTransformName),
	EMPTY(ipsaSaPreconfiguredActionTable, ipsaSaPreActESPEncSecretName),
	EMPTY(ipsaSaPreconfiguredActionTable, ipsaSaPreActESPAuthSecretName),
	EMPTY(ipsaSaPreconfiguredActionTable, ipsaSaPreActIPCompTransformName),
	NUMBER(ipsaAhTransformTable, ipsaAhTranMaxLifetimeSec, 0),
	NUMBER(ipsaAhTransformTable, ipsaAhTranMaxLifetimeKB, 0),
	MUST(ipsaAhTransformTable, ipsaAhTranAlgorithm),
	NUMBER(ipsaAhTransformTable, ipsaAhTranReplayProtection, 1),
	SPI(ipsaAhTransformTable, ipsaAhTranReplayWindowSize, value_window),
	NUMBER(ipsaEspTransformTable, ipsaEspTranMaxLifetimeSec, 0),
	NUMBER(ipsaEspTransformTable, ipsaEspTranMaxLifetimeKB, 0),
	MUST(ipsaEspTransformTable, ipsaEspTranCipherTransformId),
	NUMBER(ipsaEspTransformTable, ipsaEspTranCipherKeyRounds, 0),
	MUST(ipsaEspTransformTable, ipsaEspTranIntegrityAlgorithmId),
	NUMBER(ipsaEspTransformTable, ipsaEspTranReplayPrevention, 1),
	SPI(ipsaEspTransformTable, ipsaEspTranReplayWindowSize, value_window),
	NUMBER(ipsaIpcompTransformTable, ipsaIpcompTranMaxLifetimeSec, 0),
	NUMBER(ipsaIpcompTransformTable, ipsaIpcompTranMaxLifetimeKB, 0),
	NUMBER(ipsaIpcompTransformTable, ipsaIpcompTranDictionarySize, 0),
	NUMBER(ipsaIpcompTransformTable, ipsaIpcompTranPrivateAlgorithm, 0),
	MUST_BE(ipsaCredentialTable, ipsaCredType, value_credential_type),
	{ .at = MIB_AT(ipsaCredentialTable, ipsaCredCredential),
	  .is_secret = mib_credential_is_secret },
	EMPTY(ipsaCredentialTable, ipsaCredMngName),
	EMPTY(ipsaCredentialTable, ipsaCredRemoteID),
	{ .at = MIB_AT(ipsaCredentialSegmentTable, ipsaCredSegValue), .mandatory = true,
	  .value = value_segment, .is_secret = mib_segment_is_secret },
	MUST(ipsaPeerIdentityTable, ipsaPeerIdType),
	{ .at = MIB_AT(ipsaPeerIdentityTable, ipsaPeerIdAddressType),
	  .value = value_ip_or_unknown, .def = { .kind = MIB_DEF_NUMBER } },
	EMPTY(ipsaPeerIdentityTable, ipsaPeerIdAddress),
	EMPTY(ipsaPeerIdentityTable, ipsaPeerIdCredentialName),

	NUMBER(ipiaStaticFilters, ipiaIkePhase1Filter, 1),
	NUMBER(ipiaStaticFilters, ipiaIkePhase2Filter, 1),
	NUMBER(ipiaStaticActions, ipiaRejectIKEAction, 1),
	NUMBER(ipiaStaticActions, ipiaRejectIKEActionLog, 1),
	LIMIT(ipiaCredentialFilterTable, ipiaCredFiltCredentialType, value_credential_type),
	EMPTY(ipiaCredentialFilterTable, ipiaCredFiltMatchFieldName),
	{ .at = MIB_AT(ipiaCredentialFilterTable, ipiaCredFiltMatchFieldValue), .mandatory = true,
	  .is_secret = mib_filter_value_is_secret },
	MUST(ipiaPeerIdentityFilterTable, ipiaPeerIdFiltIdentityType),
	MUST(ipiaPeerIdentityFilterTable, ipiaPeerIdFiltIdentityValue),
	MUST(ipiaIkeActionTable, ipiaIkeActParametersName),
	MUST(ipiaIkeActionTable, ipiaIkeActIdentityType),
	MUST(ipiaIkeActionTable, ipiaIkeActIdentityContext),
	EMPTY(ipiaIkeActionTable, ipiaIkeActPeerName),
	MUST(ipiaIpsecActionTable, ipiaIpsecActParametersName),
	MUST(ipiaIpsecActionTable, ipiaIpsecActProposalsName),
	NUMBER(ipiaIpsecActionTable, ipiaIpsecActUsePfs, 2),
	EMPTY(ipiaIpsecActionTable, ipiaIpsecActVendorId),
	EMPTY(ipiaIpsecActionTable, ipiaIpsecActPeerGatewayIdName),
	NUMBER(ipiaIpsecActionTable, ipiaIpsecActUseIkeGroup, 2),
	NUMBER(ipiaIpsecActionTable, ipiaIpsecActGranularity, 1),
	NUMBER(ipiaSaNegotiationParametersTable, ipiaSaNegParamMinLifetimeSecs, 0),
	NUMBER(ipiaSaNegotiationParametersTable, ipiaSaNegParamMinLifetimeKB, 0),
	NUMBER(ipiaSaNegotiationParametersTable, ipiaSaNegParamRefreshThreshSecs, 90),
	NUMBER(ipiaSaNegotiationParametersTable, ipiaSaNegParamRefreshThresholdKB, 90),
	NUMBER(ipiaSaNegotiationParametersTable, ipiaSaNegParamIdleDurationSecs, 0),
	MUST(ipiaIkeActionProposalsTable, ipiaIkeActPropName),
	NUMBER(ipiaIkeProposalTable, ipiaIkePropLifetimeDerivedKeys, 0),
	MUST(ipiaIkeProposalTable, ipiaIkePropCipherAlgorithm),
	NUMBER(ipiaIkeProposalTable, ipiaIkePropCipherKeyRounds, 0),
	MUST(ipiaIkeProposalTable, ipiaIkePropHashAlgorithm),
	NUMBER(ipiaIkeProposalTable, ipiaIkePropPrfAlgorithm, 0),
	EMPTY(ipiaIkeProposalTable, ipiaIkePropVendorId),
	MUST(ipiaIkeProposalTable, ipiaIkePropDhGroup),
	MUST(ipiaIkeProposalTable, ipiaIkePropAuthenticationMethod),
	NUMBER(ipiaIkeProposalTable, ipiaIkePropMaxLifetimeSecs, 0),
	NUMBER(ipiaIkeProposalTable, ipiaIkePropMaxLifetimeKB, 0),
	MUST(ipiaIpsecProposalsTable, ipiaIpsecPropTransformsName),
	MUST(ipiaIpsecTransformsTable, ipiaIpsecTranTransformName),
	EMPTY(ipiaIkeIdentityTable, ipiaIkeIdCredentialName),
	MUST(ipiaAutostartIkeTable, ipiaAutoIkeAction),
	MUST_BE(ipiaAutostartIkeTable, ipiaAutoIkeAddressType, value_ip),
	MUST(ipiaAutostartIkeTable, ipiaAutoIkeSourceAddress),
	LIMIT(ipiaAutostartIkeTable, ipiaAutoIkeSourcePort, value_port),
	MUST(ipiaAutostartIkeTable, ipiaAutoIkeDestAddress),
	LIMIT(ipiaAutostartIkeTable, ipiaAutoIkeDestPort, value_port),
	MUST(ipiaIpsecCredMngServiceTable, ipiaIcmsDistinguishedName),
	EMPTY(ipiaIpsecCredMngServiceTable, ipiaIcmsPolicyStatement),
	EMPTY(ipiaIpsecCredMngServiceTable, ipiaIcmsCredentialName),
	EMPTY(ipiaCredMngCRLTable, ipiaCmcDistributionPoint),
	TIME(ipiaCredMngCRLTable, ipiaCmcThisUpdate),
	TIME(ipiaCredMngCRLTable, ipiaCmcNextUpdate),
	TIME(ipiaRevokedCertificateTable, ipiaRctRevokedDate),

	MUST(ipspdJobTable, ipspdJobFile),
};

const size_t mib_n_meanings = sizeof(mib_meanings) / sizeof(mib_meanings[0]);

/* Index columns that hold an IPsec DOI protocol: AH, ESP or IPComp, not ISAKMP. */
static const struct {
	const struct mib_table *table;
	size_t part;
} protocol_parts[] = {
	{ &mib_t_ipiaIpsecProposalsTable, 2 },
	{ &mib_t_ipiaIpsecTransformsTable, 0 },
};

enum mib_err mib_meaning_index(const struct mib_table *t, const struct mib_value *parts,
			       struct mib_diag *d)
{
	for (size_t i = 0; i < sizeof(protocol_parts) / sizeof(protocol_parts[0]); i++) {
		if (protocol_parts[i].table != t)
			continue;

		const int64_t protocol = parts[protocol_parts[i].part].number;

		if (protocol < 2 || protocol > 4)
			return wrong(d, MIB_NO_CREATION, t->index[protocol_parts[i].part],
				     "the protocol must be AH(2), ESP(3) or IPComp(4)");
	}
	return MIB_OK;
}
