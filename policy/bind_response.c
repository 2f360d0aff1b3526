/*
 * policy/bind_response.c - what the action of the default response may be: ipspdDefaultResponseAction.
 *
 * It answers whoever asks, for the traffic of the two ends, so nothing of where a tunnel would end can be said.
 */
#include "ipsp/config.h"
#include "mibs/schema_gen.h"
#include "policy/bind.h"
#include "policy/rows.h"

static enum mib_err response_check(const struct mib_view *v, const struct mib_row *r, struct mib_diag *d)
{
	const struct mib_column *const col = MIB_COL(ipspdSystem, ipspdDefaultResponseAction);
	const struct mib_row *const action = pol_row_by_name(v, r, col, &mib_t_ipiaIpsecActionTable);

	if (action && mib_row_number(action, MIB_COL(ipiaIpsecActionTable, ipiaIpsecActMode), 0) == IPSP_MODE_TUNNEL)
		return pol_refuse(d, r, col, "an action of tunnel mode is none for the default response, which is in "
				  "transport mode");
	return MIB_OK;
}

const struct mib_binder pol_bind_response = {
	.table = &mib_t_ipspdSystem,
	.check = response_check,
};
