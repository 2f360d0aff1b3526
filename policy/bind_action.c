/*
 * policy/bind_action.c - which ESP and AH transforms and manual SAs may be active.
 *
 * RFC 8221 (algorithms), RFC 4303 3.4.3 (window), RFC 4301 4.1 (an inbound SA is found by its SPI).
 */
#include "policy/bind.h"

#include "mibs/schema_gen.h"
#include "policy/algs.h"
#include "policy/sa.h"

#define PRE(column) MIB_COL(ipsaSaPreconfiguredActionTable, column)
#define ESP(column) MIB_COL(ipsaEspTransformTable, column)
#define AH(column) MIB_COL(ipsaAhTransformTable, column)

enum { WINDOW_MIN_PKTS = 32, WINDOW_MAX_PKTS = 4096 };
enum { MODE_TUNNEL = 1, MODE_TRANSPORT = 2 };

static enum mib_err window(const struct mib_column *col, const struct mib_value *v,
			   struct mib_diag *d)
{
	if (v->number == 0 || (v->number >= WINDOW_MIN_PKTS && v->number <= WINDOW_MAX_PKTS &&
			       (v->number & (v->number - 1)) == 0))
		return MIB_OK;
	mib_diag_set(d, col, NULL, 0, "a replay window is a power of two, %d to %d packets, or 0 "
		     "for the default of 64 (RFC 4303 3.4.3)", WINDOW_MIN_PKTS, WINDOW_MAX_PKTS);
	return MIB_WRONG_VALUE;
}

static enum mib_err esp_value(const struct mib_column *col, const struct mib_value *v,
			      struct mib_diag *d)
{
	return col == ESP(ipsaEspTranReplayWindowSize) ? window(col, v, d) : MIB_OK;
}

static enum mib_err esp_check(const struct mib_view *v, const struct mib_row *r,
			      struct mib_diag *d)
{
	const uint32_t cipher = (uint32_t)mib_row_number(r, ESP(ipsaEspTranCipherTransformId), 0);
	const uint32_t bits = (uint32_t)mib_row_number(r, ESP(ipsaEspTranCipherKeyLength), 0);
	char why[POL_ALG_TEXT];

	(void)v;
	if (!pol_esp_judge(cipher, bits,
			   (uint32_t)mib_row_number(r, ESP(ipsaEspTranIntegrityAlgorithmId), 0),
			   why))
		return pol_refuse(d, r, ESP(ipsaEspTranCipherTransformId), "%s", why);
	if (!pol_rounds_judge(pol_alg_esp(cipher), bits,
			      (uint32_t)mib_row_number(r, ESP(ipsaEspTranCipherKeyRounds), 0),
			      why))
		return pol_refuse(d, r, ESP(ipsaEspTranCipherKeyRounds), "%s", why);
	return MIB_OK;
}

static enum mib_err ah_value(const struct mib_column *col, const struct mib_value *v,
			     struct mib_diag *d)
{
	return col == AH(ipsaAhTranReplayWindowSize) ? window(col, v, d) : MIB_OK;
}

static enum mib_err ah_check(const struct mib_view *v, const struct mib_row *r,
			     struct mib_diag *d)
{
	char why[POL_ALG_TEXT];

	(void)v;
	if (pol_ah_judge((uint32_t)mib_row_number(r, AH(ipsaAhTranAlgorithm), 0), why))
		return MIB_OK;
	return pol_refuse(d, r, AH(ipsaAhTranAlgorithm), "%s", why);
}

static enum mib_err pre_value(const struct mib_column *col, const struct mib_value *v,
			      struct mib_diag *d)
{
	if (col != PRE(ipsaSaPreActActionType) || v->number == MODE_TUNNEL ||
	    v->number == MODE_TRANSPORT)
		return MIB_OK;
	mib_diag_set(d, col, NULL, 0, "only tunnel(1) and transport(2) are known (RFC 2407 4.5)");
	return MIB_WRONG_VALUE;
}

/* The protocols of a row, each with its SPI. */
static const struct {
	size_t spi;	/* position of the column */
	size_t transform;
	const char *protocol;
} spis[] = {
	{ MIB_C_ipsaSaPreActESPSPI, MIB_C_ipsaSaPreActESPTransformName, "ESP" },
	{ MIB_C_ipsaSaPreActAHSPI, MIB_C_ipsaSaPreActAHTransformName, "AH" },
	{ MIB_C_ipsaSaPreActIPCompSPI, MIB_C_ipsaSaPreActIPCompTransformName, "IPComp" },
};

static int64_t spi_of(const struct mib_row *r, size_t i)
{
	const struct mib_column *cols = mib_t_ipsaSaPreconfiguredActionTable.columns;
	const int64_t spi = mib_row_number(r, &cols[spis[i].spi], 0);
	const uint8_t *name;

	if (pol_row_octets(r, &cols[spis[i].transform], &name) == 0)
		return 0;
	/* A well-known CPI is the transform's, not the SA's: RFC 3173 3.3. */
	return spis[i].spi == MIB_C_ipsaSaPreActIPCompSPI && spi < 256 ? 0 : spi;
}

static bool same_row(const struct mib_row *a, const struct mib_row *b)
{
	size_t a_len, b_len;
	const uint32_t *a_index = mib_row_index(a, &a_len);
	const uint32_t *b_index = mib_row_index(b, &b_len);

	return mib_oid_cmp(a_index, a_len, b_index, b_len) == 0;
}

/*
 * Do two SAs of one direction have the same destination? Inbound it is ourselves. Outbound it is
 * the peer; packets choose it when none is named, and may choose any.
 */
static bool same_destination(const struct mib_view *v, const struct mib_row *a,
			     const struct mib_row *b)
{
	struct ipsp_addr to_a, to_b;

	if (pol_sa_dir(a) == IPSP_INBOUND)
		return true;
	return !pol_sa_peer(v, a, &to_a) || !pol_sa_peer(v, b, &to_b) ||
	       ipsp_addr_cmp(&to_a, &to_b) == 0;
}

/* A row that is judged, and the protocol in question. */
struct candidate {
	const struct mib_view *view;
	const struct mib_row *row;
	size_t protocol;
};

static bool takes_its_place(void *arg, const struct mib_row *other)
{
	const struct candidate *c = arg;

	return pol_sa_dir(other) == pol_sa_dir(c->row) && !same_row(other, c->row) &&
	       spi_of(other, c->protocol) != 0 && same_destination(c->view, c->row, other);
}

static enum mib_err duplicate_check(const struct mib_view *v, const struct mib_row *r,
				    struct mib_diag *d)
{
	struct candidate c = { .view = v, .row = r };

	for (; c.protocol < sizeof(spis) / sizeof(spis[0]); c.protocol++) {
		const struct mib_column *col =
			&mib_t_ipsaSaPreconfiguredActionTable.columns[spis[c.protocol].spi];
		const int64_t spi = spi_of(r, c.protocol);
		const struct mib_row *other;
		char name[POL_ROW_TEXT];

		if (spi == 0)
			continue;
		other = mib_view_find_number(v, col, (uint32_t)spi, takes_its_place, &c);
		if (other)
			return pol_refuse(d, r, col, "%s SPI %lld is taken by %s, with the same "
					  "direction and destination", spis[c.protocol].protocol,
					  (long long)spi, pol_row_name(other, name));
	}
	return MIB_OK;
}

static enum mib_err pre_check(const struct mib_view *v, const struct mib_row *r,
			      struct mib_diag *d)
{
	struct pol_sa_bundle sas;
	char why[POL_SA_TEXT];
	enum pol_sa_state state = pol_sa_make(v, r, &sas, why);

	pol_sa_bundle_wipe(&sas);
	if (state == POL_SA_WRONG)
		return pol_refuse(d, r, NULL, "%s", why);
	return duplicate_check(v, r, d);
}

const struct mib_binder pol_bind_esp_transform = {
	.table = &mib_t_ipsaEspTransformTable,
	.value = esp_value,
	.check = esp_check,
};

const struct mib_binder pol_bind_ah_transform = {
	.table = &mib_t_ipsaAhTransformTable,
	.value = ah_value,
	.check = ah_check,
};

const struct mib_binder pol_bind_preconfigured = {
	.table = &mib_t_ipsaSaPreconfiguredActionTable,
	.value = pre_value,
	.check = pre_check,
};
