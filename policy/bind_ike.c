/*
 * policy/bind_ike.c - which IKE proposals and groups may be active: known numbers, not weak ones.
 *
 * RFC 8247, 9370; numbers of RFC 2409 appendix A, private ones as policy/algs.h says.
 */
#include "policy/bind.h"

#include "mibs/schema_gen.h"
#include "policy/algs.h"
#include "policy/rows.h"

#define PROP(column) MIB_COL(ipiaIkeProposalTable, column)
#define V2(column) MIB_COL(ipspdIkePropTable, column)
#define ACT(column) MIB_COL(ipiaIpsecActionTable, column)

typedef const struct pol_alg *alg_find(uint32_t number);

static enum mib_err known(const struct mib_row *r, const struct mib_column *col, alg_find *find,
			  const char *what, struct mib_diag *d)
{
	uint32_t number = (uint32_t)mib_row_number(r, col, 0);
	const struct pol_alg *a = find(number);

	if (!a)
		return pol_refuse(d, r, col, "%s %u is unknown", what, (unsigned)number);
	if (pol_alg_refused(a))
		return pol_refuse(d, r, col, "%s %s is too weak (RFC 8247)%s", what, a->name,
				  a->on_request ? ": ipspd offers it with the option allow-weak only" : "");
	return MIB_OK;
}

static enum mib_err proposal_check(const struct mib_view *v, const struct mib_row *r,
				   struct mib_diag *d)
{
	const struct {
		const struct mib_column *col;
		alg_find *find;
		const char *what;
	} parts[] = {
		{ PROP(ipiaIkePropCipherAlgorithm), pol_alg_ike_cipher, "cipher" },
		{ PROP(ipiaIkePropHashAlgorithm), pol_alg_ike_hash, "hash" },
		{ PROP(ipiaIkePropDhGroup), pol_alg_ike_group, "group" },
		{ PROP(ipiaIkePropAuthenticationMethod), pol_alg_ike_method, "method" },
	};
	const struct pol_alg *cipher;
	int64_t bits = mib_row_number(r, PROP(ipiaIkePropCipherKeyLength), 0);
	char why[POL_ALG_TEXT];

	(void)v;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		enum mib_err err = known(r, parts[i].col, parts[i].find, parts[i].what, d);

		if (err != MIB_OK)
			return err;
	}
	cipher = pol_alg_ike_cipher((uint32_t)mib_row_number(r, PROP(ipiaIkePropCipherAlgorithm),
							     0));
	if (cipher->variable_key && bits != 128 && bits != 192 && bits != 256)
		return pol_refuse(d, r, PROP(ipiaIkePropCipherKeyLength),
				  "cipher %s needs a key length of 128, 192 or 256 bits",
				  cipher->name);
	if (!cipher->variable_key && bits != 0 && bits != cipher->key_octets * 8)
		return pol_refuse(d, r, PROP(ipiaIkePropCipherKeyLength),
				  "cipher %s has a key length of %d bits", cipher->name,
				  cipher->key_octets * 8);
	if (!pol_rounds_judge(cipher, (uint32_t)bits,
			      (uint32_t)mib_row_number(r, PROP(ipiaIkePropCipherKeyRounds), 0),
			      why))
		return pol_refuse(d, r, PROP(ipiaIkePropCipherKeyRounds), "%s", why);
	return MIB_OK;
}

/* GroupId counts only for PFS with a group of its own. */
static enum mib_err ipsec_check(const struct mib_view *v, const struct mib_row *r,
				struct mib_diag *d)
{
	(void)v;
	if (!pol_row_truth(r, ACT(ipiaIpsecActUsePfs), false) ||
	    pol_row_truth(r, ACT(ipiaIpsecActUseIkeGroup), false))
		return MIB_OK;
	return known(r, ACT(ipiaIpsecActGroupId), pol_alg_ike_group, "group", d);
}

/* RFC 8247 2.2 and 2.3; 0 follows the hash. What MD5 makes is as weak as it is: 1 in either. */
static bool is_md5_allowed(void)
{
	return !pol_alg_refused(pol_alg_ike_hash(1));
}

static bool is_prf(uint32_t number)
{
	return number == 0 || number == 2 || (number >= 4 && number <= 8) ||
	       (number == 1 && is_md5_allowed());
}

static bool is_integrity(uint32_t number)
{
	return number == 0 || number == 2 || number == 5 || number == 8 ||
	       (number >= 12 && number <= 14) || (number == 1 && is_md5_allowed());
}

/* RFC 9370 lets any key exchange be an additional one; 35 to 37 are ML-KEM. */
static bool is_key_exchange(uint32_t number)
{
	const struct pol_alg *group = pol_alg_ike_group(number);

	return (group && !pol_alg_refused(group)) || (number >= 35 && number <= 37);
}

static enum mib_err wrong(struct mib_diag *d, const struct mib_column *col, enum mib_err err,
			  const char *why)
{
	mib_diag_set(d, col, NULL, 0, "%s", why);
	return err;
}

static enum mib_err transforms_value(const struct mib_column *col, const struct mib_value *v,
				     struct mib_diag *d)
{
	if (col == V2(ipspdIkePropPrf) && !is_prf((uint32_t)v->number))
		return wrong(d, col, MIB_WRONG_VALUE, "no such pseudorandom function is known, or it "
			     "is weak (RFC 8247 2.2)");
	if (col == V2(ipspdIkePropIntegrity) && !is_integrity((uint32_t)v->number))
		return wrong(d, col, MIB_WRONG_VALUE, "no such integrity algorithm is known, or it is "
			     "weak (RFC 8247 2.3)");
	if (col != V2(ipspdIkePropAddKe))
		return MIB_OK;
	if (v->octets.len % 2 != 0)
		return wrong(d, col, MIB_WRONG_LENGTH, "each method has two octets");
	for (size_t i = 0; i < v->octets.len; i += 2)
		if (!is_key_exchange((uint32_t)v->octets.data[i] << 8 | v->octets.data[i + 1]))
			return wrong(d, col, MIB_WRONG_VALUE, "no such key exchange is known, or it "
				     "is weak (RFC 8247 2.4)");
	return MIB_OK;
}

const struct mib_binder pol_bind_ike_transforms = {
	.table = &mib_t_ipspdIkePropTable,
	.value = transforms_value,
};

const struct mib_binder pol_bind_ike_proposal = {
	.table = &mib_t_ipiaIkeProposalTable,
	.check = proposal_check,
};

const struct mib_binder pol_bind_ipsec_action = {
	.table = &mib_t_ipiaIpsecActionTable,
	.check = ipsec_check,
};
