/*
 * mibs/special_check.c - columns that depend on other columns of the same row.
 *
 * What a row needs, beyond its mandatory columns and references, to be active. The DESCRIPTION
 * clauses of the four modules. Lengths of keys and what the engine can do are policy/'s concern.
 */
#include "mibs/edges.h"
#include "mibs/period.h"
#include "mibs/schema_gen.h"
#include "mibs/special.h"
#include "mibs/store_int.h"

#define TRUE_VALUE 1	/* RFC 2579 TruthValue */

static enum mib_err refuse(const struct mib_row *r, const struct mib_column *col,
			   struct mib_diag *d, const char *why)
{
	mib_diag_set(d, col, r->index, r->index_len, "%s", why);
	return MIB_INCONSISTENT_VALUE;
}

static size_t octets_len(const struct mib_row *r, const struct mib_column *col)
{
	struct mib_value v;

	return mib_row_get(r, col, &v) && v.syntax == MIB_SYN_OCTETS ? v.octets.len : 0;
}

static bool has_value(const struct mib_row *r, const struct mib_column *col)
{
	struct mib_value v;

	return mib_row_get(r, col, &v);
}

/* RFC 4001: octets of an InetAddress of that InetAddressType. */
static size_t address_len(int64_t type)
{
	switch (type) {
	case 1:
		return 4;
	case 2:
		return 16;
	default:
		return 0;
	}
}

static enum mib_err check_prefix(const struct mib_row *r, const struct mib_column *addr,
				 const struct mib_column *prefix, int64_t type, struct mib_diag *d)
{
	const size_t len = octets_len(r, addr);
	const int64_t bits = mib_row_number(r, prefix, 0);

	if (len != 0 && len != address_len(type))
		return refuse(r, addr, d, "its length does not fit the address type (RFC 4001)");
	if (len == 0 && bits > 0)
		return refuse(r, addr, d, "a prefix length above 0 needs an address");
	if (bits > (int64_t)address_len(type) * 8)
		return refuse(r, prefix, d, "longer than the address");
	return MIB_OK;
}

/* RFC 4301 4.4.1.1: which protocols have messages, and that nobody asks for what is hidden. */
static enum mib_err check_messages(const struct mib_row *r, struct mib_diag *d)
{
	enum { OPAQUE_ONLY = 2, PORT_MAX = 65535 };
	const struct mib_column *c = mib_t_diffServMultiFieldClfrTable.columns;
	const int64_t proto = mib_row_number(r, &c[MIB_C_diffServMultiFieldClfrProtocol], 255);
	const int64_t first = mib_row_number(r, MIB_COL(ipspdClfrTable, ipspdClfrMessageFirst), 0);
	const int64_t last = mib_row_number(r, MIB_COL(ipspdClfrTable, ipspdClfrMessageLast),
					    PORT_MAX);
	const bool ports =
		mib_row_number(r, &c[MIB_C_diffServMultiFieldClfrDstL4PortMin], 0) > 0 ||
		mib_row_number(r, &c[MIB_C_diffServMultiFieldClfrDstL4PortMax], PORT_MAX) < PORT_MAX ||
		mib_row_number(r, &c[MIB_C_diffServMultiFieldClfrSrcL4PortMin], 0) > 0 ||
		mib_row_number(r, &c[MIB_C_diffServMultiFieldClfrSrcL4PortMax], PORT_MAX) < PORT_MAX;
	const bool messages = first > 0 || last < PORT_MAX;
	const struct mib_column *opaque = MIB_COL(ipspdClfrTable, ipspdClfrOpaque);

	if (last < first)
		return refuse(r, MIB_COL(ipspdClfrTable, ipspdClfrMessageLast), d,
			      "below the first message");
	if (messages && (ports || (proto != 1 && proto != 58 && proto != 135)))
		return refuse(r, MIB_COL(ipspdClfrTable, ipspdClfrMessageFirst), d,
			      "messages are of the protocols 1, 58 and 135, which have no ports");
	if ((messages || ports) && mib_row_number(r, opaque, 0) == OPAQUE_ONLY)
		return refuse(r, opaque, d, "what hides ports and messages cannot be asked for them");
	return MIB_OK;
}

/* The system's own addresses take the place of a side's. */
static enum mib_err check_me(const struct mib_row *r, struct mib_diag *d)
{
	enum { ME_SOURCE = 2, ME_DESTINATION = 3 };
	const struct mib_column *c = mib_t_diffServMultiFieldClfrTable.columns;
	const struct mib_column *me = MIB_COL(ipspdClfrTable, ipspdClfrMe);
	const int64_t side = mib_row_number(r, me, 0);

	if ((side == ME_SOURCE &&
	     mib_row_number(r, &c[MIB_C_diffServMultiFieldClfrSrcPrefixLength], 0) > 0) ||
	    (side == ME_DESTINATION &&
	     mib_row_number(r, &c[MIB_C_diffServMultiFieldClfrDstPrefixLength], 0) > 0))
		return refuse(r, me, d, "the classifier has a prefix of its own for that side");
	return MIB_OK;
}

enum mib_err mib_check_classifier(const struct mib_view *v, const struct mib_row *r,
				  struct mib_diag *d)
{
	const struct mib_column *c = mib_t_diffServMultiFieldClfrTable.columns;
	const int64_t type = mib_row_number(r, &c[MIB_C_diffServMultiFieldClfrAddrType], 0);
	enum mib_err err;

	(void)v;
	err = check_prefix(r, &c[MIB_C_diffServMultiFieldClfrDstAddr],
			   &c[MIB_C_diffServMultiFieldClfrDstPrefixLength], type, d);
	if (err == MIB_OK)
		err = check_prefix(r, &c[MIB_C_diffServMultiFieldClfrSrcAddr],
				   &c[MIB_C_diffServMultiFieldClfrSrcPrefixLength], type, d);
	if (err == MIB_OK)
		err = check_me(r, d);
	if (err != MIB_OK)
		return err;
	if (mib_row_number(r, &c[MIB_C_diffServMultiFieldClfrDstL4PortMax], 0) <
	    mib_row_number(r, &c[MIB_C_diffServMultiFieldClfrDstL4PortMin], 0))
		return refuse(r, &c[MIB_C_diffServMultiFieldClfrDstL4PortMax], d,
			      "below the smallest port (RFC 3289)");
	if (mib_row_number(r, &c[MIB_C_diffServMultiFieldClfrSrcL4PortMax], 0) <
	    mib_row_number(r, &c[MIB_C_diffServMultiFieldClfrSrcL4PortMin], 0))
		return refuse(r, &c[MIB_C_diffServMultiFieldClfrSrcL4PortMax], d,
			      "below the smallest port (RFC 3289)");
	return check_messages(r, d);
}

enum mib_err mib_check_ipso(const struct mib_view *v, const struct mib_row *r, struct mib_diag *d)
{
	static const struct {
		uint8_t bit;
		size_t pos;
	} parts[] = {
		{ 0x80, MIB_C_spdIpsoHeadFiltClassification },
		{ 0x40, MIB_C_spdIpsoHeadFiltProtectionAuth },
	};
	const struct mib_column *c = mib_t_spdIpsoHeaderFilterTable.columns;
	const struct mib_column *type = &c[MIB_C_spdIpsoHeadFiltType];
	struct mib_value bits;

	(void)v;
	if (!mib_row_get(r, type, &bits) || bits.octets.len == 0 ||
	    (bits.octets.data[0] & 0xc0) == 0)
		return refuse(r, type, d, "it must select at least one field to match");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (bits.octets.data[0] & parts[i].bit && !has_value(r, &c[parts[i].pos]))
			return refuse(r, &c[parts[i].pos], d,
				      "spdIpsoHeadFiltType selects this field, so it must be set");
	}
	return MIB_OK;
}

enum mib_err mib_check_preconfigured(const struct mib_view *v, const struct mib_row *r,
				     struct mib_diag *d)
{
	static const struct {
		size_t name, spi;
	} protocols[] = {
		{ MIB_C_ipsaSaPreActAHTransformName, MIB_C_ipsaSaPreActAHSPI },
		{ MIB_C_ipsaSaPreActESPTransformName, MIB_C_ipsaSaPreActESPSPI },
		{ MIB_C_ipsaSaPreActIPCompTransformName, MIB_C_ipsaSaPreActIPCompSPI },
	};
	const struct mib_column *c = mib_t_ipsaSaPreconfiguredActionTable.columns;
	bool any = false;

	(void)v;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		if (octets_len(r, &c[protocols[i].name]) == 0)
			continue;
		any = true;
		if (mib_row_number(r, &c[protocols[i].spi], 0) == 0)
			return refuse(r, &c[protocols[i].spi], d,
				      "the protocol has a transform, so it needs an SPI");
	}
	if (!any)
		return refuse(r, &c[MIB_C_ipsaSaPreActESPTransformName], d,
			      "at least one of the AH, ESP and IPComp transforms must be named");
	return MIB_OK;
}

static bool is_one_of(int64_t n, const int64_t *list, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (list[i] == n)
			return true;
	}
	return false;
}

enum mib_err mib_check_esp_transform(const struct mib_view *v, const struct mib_row *r,
				     struct mib_diag *d)
{
	/* IPsec DOI numbers of ciphers whose keys have more than one size. */
	static const int64_t sizes[] = { 4, 6, 7, 10, 12, 13, 14, 15, 16, 18, 19, 20, 22, 23 };
	const struct mib_column *c = mib_t_ipsaEspTransformTable.columns;
	const int64_t id = mib_row_number(r, &c[MIB_C_ipsaEspTranCipherTransformId], 0);

	(void)v;
	if (is_one_of(id, sizes, sizeof(sizes) / sizeof(sizes[0])) &&
	    mib_row_number(r, &c[MIB_C_ipsaEspTranCipherKeyLength], 0) == 0)
		return refuse(r, &c[MIB_C_ipsaEspTranCipherKeyLength], d,
			      "the cipher's keys have several lengths, so one must be chosen");
	return MIB_OK;
}

enum mib_err mib_check_ipcomp_transform(const struct mib_view *v, const struct mib_row *r,
					struct mib_diag *d)
{
	const struct mib_column *c = mib_t_ipsaIpcompTransformTable.columns;

	(void)v;
	if (!has_value(r, &c[MIB_C_ipsaIpcompTranAlgorithm]) &&
	    mib_row_number(r, &c[MIB_C_ipsaIpcompTranPrivateAlgorithm], 0) == 0)
		return refuse(r, &c[MIB_C_ipsaIpcompTranAlgorithm], d,
			      "it must be set unless a private algorithm is");
	return MIB_OK;
}

enum mib_err mib_check_peer_identity(const struct mib_view *v, const struct mib_row *r,
				     struct mib_diag *d)
{
	const struct mib_column *c = mib_t_ipsaPeerIdentityTable.columns;
	const int64_t type = mib_row_number(r, &c[MIB_C_ipsaPeerIdAddressType], 0);

	(void)v;
	if (octets_len(r, &c[MIB_C_ipsaPeerIdAddress]) != address_len(type))
		return refuse(r, &c[MIB_C_ipsaPeerIdAddress], d,
			      "its length does not fit the address type (RFC 4001)");
	return MIB_OK;
}

enum mib_err mib_check_ike_action(const struct mib_view *v, const struct mib_row *r,
				  struct mib_diag *d)
{
	const struct mib_column *c = mib_t_ipiaIkeActionTable.columns;

	(void)v;
	/* Aggressive mode sends its KE payload before any group could be agreed. */
	if (mib_row_number(r, &c[MIB_C_ipiaIkeActExchangeMode], 0) == 2 &&
	    !has_value(r, &c[MIB_C_ipiaIkeActAgressiveModeGroupId]))
		return refuse(r, &c[MIB_C_ipiaIkeActAgressiveModeGroupId], d,
			      "aggressive mode needs it: its group cannot be negotiated");
	return MIB_OK;
}

enum mib_err mib_check_ipsec_action(const struct mib_view *v, const struct mib_row *r,
				    struct mib_diag *d)
{
	const struct mib_column *c = mib_t_ipiaIpsecActionTable.columns;

	(void)v;
	if (mib_row_number(r, &c[MIB_C_ipiaIpsecActUsePfs], 0) == TRUE_VALUE &&
	    mib_row_number(r, &c[MIB_C_ipiaIpsecActUseIkeGroup], 0) != TRUE_VALUE &&
	    !has_value(r, &c[MIB_C_ipiaIpsecActGroupId]))
		return refuse(r, &c[MIB_C_ipiaIpsecActGroupId], d,
			      "with PFS and a group of its own it must say which");
	return MIB_OK;
}

enum mib_err mib_check_ike_proposal(const struct mib_view *v, const struct mib_row *r,
				    struct mib_diag *d)
{
	/* IKE numbers of ciphers whose keys have more than one size. */
	static const int64_t sizes[] = { 3, 4, 6, 7, 8 };
	const struct mib_column *c = mib_t_ipiaIkeProposalTable.columns;
	const int64_t id = mib_row_number(r, &c[MIB_C_ipiaIkePropCipherAlgorithm], 0);

	(void)v;
	if (is_one_of(id, sizes, sizeof(sizes) / sizeof(sizes[0])) &&
	    mib_row_number(r, &c[MIB_C_ipiaIkePropCipherKeyLength], 0) == 0)
		return refuse(r, &c[MIB_C_ipiaIkePropCipherKeyLength], d,
			      "the cipher's keys have several lengths, so one must be chosen");
	return MIB_OK;
}

enum mib_err mib_check_autostart(const struct mib_view *v, const struct mib_row *r,
				 struct mib_diag *d)
{
	static const size_t addresses[] = { MIB_C_ipiaAutoIkeSourceAddress,
					    MIB_C_ipiaAutoIkeDestAddress };
	const struct mib_column *c = mib_t_ipiaAutostartIkeTable.columns;
	const int64_t type = mib_row_number(r, &c[MIB_C_ipiaAutoIkeAddressType], 0);

	(void)v;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		if (octets_len(r, &c[addresses[i]]) != address_len(type))
			return refuse(r, &c[addresses[i]], d,
				      "its length does not fit the address type (RFC 4001)");
	}
	return MIB_OK;
}

/* No moment when the column is unset or empty. */
static struct mib_moment moment_of(const struct mib_row *r, const struct mib_column *col)
{
	struct mib_moment moment = { .utc = true };
	struct mib_value text;

	if (mib_row_get(r, col, &text) &&
	    mib_asn1_time_read((const char *)text.octets.data, text.octets.len, &moment) != NULL)
		moment = (struct mib_moment){ .utc = true };
	return moment;
}

/* RFC 5280 5.1.2.4, 5.1.2.5. Revoked certificates name a CRL without its CA, so a name is one CRL's. */
enum mib_err mib_check_crl(const struct mib_view *v, const struct mib_row *r, struct mib_diag *d)
{
	const struct mib_column *c = mib_t_ipiaCredMngCRLTable.columns;
	const struct mib_moment this_update = moment_of(r, &c[MIB_C_ipiaCmcThisUpdate]);
	const struct mib_moment next_update = moment_of(r, &c[MIB_C_ipiaCmcNextUpdate]);

	if (next_update.year != 0 && mib_moment_before(&next_update, &this_update))
		return refuse(r, &c[MIB_C_ipiaCmcNextUpdate], d, "it comes before ipiaCmcThisUpdate");
	for (size_t i = 0; i < r->shelf->n_lists; i++) {
		const struct mib_list *list = r->shelf->lists[i];
		const struct mib_edge *e;
		struct mib_edge_walk w;
		const uint32_t *key;
		size_t len;

		mib_list_key(list, r, &key, &len);
		mib_edge_walk_start(&w, v, mib_edge_kind_list(list), list->table, key, len, true);
		while ((e = mib_edge_walk_next(&w)) != NULL) {
			if (mib_row_cmp(e->source, r) != 0)
				return refuse(r, r->shelf->status, d,
					      "another CA has a CRL of that name");
		}
	}
	return MIB_OK;
}
