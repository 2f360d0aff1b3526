/*
 * ipspd/agent_sources.c - observed objects: the scalars of ipspdSystem and ipspdIcmp, and ipspdDropTable.
 */
#include "config.h"

#include <string.h>

#include "ipspd/agent_int.h"
#include "mibs/schema_gen.h"

uint32_t agent_workers(const struct agent *a)
{
	return a->n_workers;
}

static enum mib_err read_system(void *arg, const struct mib_column *col, const uint32_t *index,
				size_t index_len, struct mib_value *out)
{
	struct agent *a = (struct agent *)arg;

	(void)index;
	(void)index_len;
	switch (col->pos) {
	case MIB_C_ipspdVersion:
		*out = mib_value_octets(PACKAGE_VERSION, strlen(PACKAGE_VERSION));
		return MIB_OK;
	case MIB_C_ipspdCommittedGeneration:
		*out = mib_value_counter64(mib_store_generation(a->store));
		return MIB_OK;
	case MIB_C_ipspdAppliedGeneration:
		*out = mib_value_counter64(agent_applied_generation(a));
		return MIB_OK;
	case MIB_C_ipspdEngineState:
		*out = mib_value_integer(agent_engine_state(a));
		return MIB_OK;
	case MIB_C_ipspdRefusedRequests:
		*out = mib_value_counter64(mib_store_refusals(a->store));
		return MIB_OK;
	case MIB_C_ipspdRowsNotReady:
		*out = mib_value_unsigned((uint32_t)mib_store_rows_not_ready(a->store));
		return MIB_OK;
	case MIB_C_ipspdGuardRestorations:
		*out = mib_value_counter64(agent_guard_restored(a));
		return MIB_OK;
	case MIB_C_ipspdWorkers:
		*out = mib_value_unsigned(agent_workers(a));
		return MIB_OK;
	case MIB_C_ipspdSentByPacketSocket:
		agent_totals_wanted(a);
		*out = mib_value_counter64(totals_fast(agent_totals(a)));
		return MIB_OK;
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
}

/* Reasons stand in two runs: the core's, from 1 (0 is "not dropped"), and the attachments'. */
static bool is_reason(uint32_t number)
{
	return (number >= 1 && number < IPSP_N_REASONS) ||
	       (number >= IO_REASON_BASE && number < TOTALS_N_DROPS);
}

static bool next_drop(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	uint32_t from = after && after->len > 0 ? after->ids[0] : 0;

	(void)arg;
	if (after && after->len > 0 && from >= TOTALS_N_DROPS)
		return false;
	for (uint32_t n = from + 1; n < TOTALS_N_DROPS; n++) {
		if (is_reason(n)) {
			*out = (struct mib_oid){ .len = 1, .ids = { n } };
			return true;
		}
	}
	return false;
}

static enum mib_err read_drop(void *arg, const struct mib_column *col, const uint32_t *index,
			      size_t index_len, struct mib_value *out)
{
	struct agent *a = (struct agent *)arg;

	if (index_len != 1 || !is_reason(index[0]))
		return MIB_NO_SUCH_INSTANCE;
	if (col->pos == MIB_C_ipspdDropName) {
		const char *text = io_reason_text(index[0]);

		*out = mib_value_octets(text, strlen(text));
		return MIB_OK;
	}
	if (col->pos == MIB_C_ipspdDropReason) {
		const char *key = io_reason_key(index[0]);

		*out = mib_value_octets(key, strlen(key));
		return MIB_OK;
	}
	if (col->pos == MIB_C_ipspdDropClass) {
		*out = mib_value_integer(io_reason_class(index[0]));
		return MIB_OK;
	}
	if (col->pos == MIB_C_ipspdDropPackets) {
		agent_totals_wanted(a);
		*out = mib_value_counter64(totals_drops(a->counting.totals, index[0]));
		return MIB_OK;
	}
	return MIB_NO_SUCH_INSTANCE;
}

static enum mib_err read_icmp(void *arg, const struct mib_column *col, const uint32_t *index,
			      size_t index_len, struct mib_value *out)
{
	static const struct {
		size_t pos;
		enum ipsp_icmp_count what;
	} counts[] = {
		{ MIB_C_ipspdIcmpTooBigSent, IPSP_ICMP_SENT_TOO_BIG },
		{ MIB_C_ipspdIcmpTimeExceededSent, IPSP_ICMP_SENT_TIME },
		{ MIB_C_ipspdIcmpNotSent, IPSP_ICMP_NOT_SENT },
		{ MIB_C_ipspdIcmpLearned, IPSP_ICMP_LEARNED },
		{ MIB_C_ipspdIcmpIgnored, IPSP_ICMP_IGNORED },
		{ MIB_C_ipspdIcmpByQuote, IPSP_ICMP_BY_QUOTE },
	};
	struct agent *a = (struct agent *)arg;

	(void)index;
	(void)index_len;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (counts[i].pos != col->pos)
			continue;
		agent_totals_wanted(a);
		*out = mib_value_counter64(totals_icmp(a->counting.totals, counts[i].what));
		return MIB_OK;
	}
	return MIB_NO_SUCH_INSTANCE;
}

enum mib_err sources_add(struct agent *a)
{
	a->system_source = (struct mib_source){ .table = &mib_t_ipspdSystem, .read = read_system,
						.arg = a };
	a->drop_source = (struct mib_source){ .table = &mib_t_ipspdDropTable, .next = next_drop,
					      .read = read_drop, .arg = a };
	a->icmp_source = (struct mib_source){ .table = &mib_t_ipspdIcmp, .read = read_icmp,
					      .arg = a };
	enum mib_err err = mib_store_add_source(a->store, &a->system_source);

	if (err == MIB_OK)
		err = mib_store_add_source(a->store, &a->drop_source);
	return err == MIB_OK ? mib_store_add_source(a->store, &a->icmp_source) : err;
}
