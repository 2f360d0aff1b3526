/*
 * ipspd/watch_sa.c - ipspdSaTable: one row for each action with manual keys, whether or not it has its SA,
 * and one more for each SA that is around it in its bundle; and one for each SA of a key manager.
 *
 * The index is the action's (name, direction) and a number behind it: 1, and then outwards. Those of key
 * managers are found by their index in what the engine has told of them (ipspd/sad_picture.h).
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "ipspd/watch_int.h"
#include "ipspd/words.h"
#include "mibs/schema_gen.h"
#include "policy/ids.h"
#include "policy/sa.h"

enum { PROTOCOL_ESP = 1, PROTOCOL_AH = 2, PROTOCOL_IPCOMP = 3 };
enum { MODE_TUNNEL = 1, MODE_TRANSPORT = 2 };
enum { INET_UNKNOWN = 0, INET_IPV4 = 1, INET_IPV6 = 2 };

#define FIRST 1		/* the number of the innermost SA */
#define KBYTE 1024

/* ---- rows ---- */

static const struct mib_view *view(const struct watch *w)
{
	return mib_store_view(agent_store(w->agent));
}

/* How much of an index names the action: the name with its length, and a direction. */
static size_t action_len(const uint32_t *index, size_t len)
{
	return len > 0 && index[0] < MIB_OID_MAX - 2 ? index[0] + 2 : MIB_OID_MAX;
}

static const struct mib_row *row_at(const struct watch *w, const uint32_t *index, size_t len)
{
	size_t part = action_len(index, len);

	return len >= part ? mib_view_row(view(w), &mib_t_ipsaSaPreconfiguredActionTable, index,
					  part) : NULL;
}

/* The SA that is so many out from the innermost one of an action, from 1; NULL: there is none. */
static const struct pol_sa *member(const struct watch *w, uint64_t id, uint32_t number)
{
	const struct pol_generation *g = agent_policy(w->agent);
	const struct pol_sa *sa = g ? pol_sa_find(g, id) : NULL;

	for (uint32_t i = FIRST; sa && i < number; i++)
		sa = i < IPSP_BUNDLE_MAX && sa->config.next_id ?
			     pol_sa_find(g, sa->config.next_id) : NULL;
	return sa;
}

/* The id of an action's innermost SA, whether it is there or not. */
static uint64_t id_of_action(const struct watch *w, const struct mib_row *r)
{
	const struct mib_table *t = mib_row_table(r);
	const struct pol_generation *g = agent_policy(w->agent);
	const struct pol_origin *origin;
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	origin = g ? pol_origin_of(g, t, index, len) : NULL;
	return origin ? origin->id : pol_id_of_row(t, index, len, 0);
}

static bool next_of_rows(const struct watch *w, const struct mib_oid *after, struct mib_oid *out)
{
	const struct mib_row *r = after ? row_at(w, after->ids, after->len) : NULL;
	uint32_t number = FIRST;

	/* Of the action that `after` begins with, more numbers may be to come. */
	if (r && after->len > action_len(after->ids, after->len)) {
		number = after->ids[action_len(after->ids, after->len)];
		number = number < IPSP_BUNDLE_MAX ? number + 1 : 0;
		if (number == 0 || (number > FIRST && !member(w, id_of_action(w, r), number)))
			r = NULL;
	}
	if (!r) {
		number = FIRST;
		r = mib_view_next(view(w), &mib_t_ipsaSaPreconfiguredActionTable, NULL, after);
	}
	if (!r)
		return false;
	mib_row_index_copy(r, out);
	return mib_oid_append(out, &number, 1);
}

static bool next_sa(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	const struct watch *w = (const struct watch *)arg;
	const struct sad_picture_sa *sa = sad_picture_after(
		agent_sad(w->agent), after ? after->ids : NULL, after ? after->len : 0);
	const bool has_row = next_of_rows(w, after, out);
	uint32_t index[SAD_PICTURE_INDEX_MAX];

	if (!sa)
		return has_row;
	const size_t len = sad_picture_index(sa, index);

	if (!has_row || mib_oid_cmp(index, len, out->ids, out->len) < 0) {
		out->len = 0;
		return mib_oid_append(out, index, len);
	}
	return true;
}

/* ---- state ---- */

enum watch_sa_state watch_sa_state(struct agent *a, const struct mib_row *r, uint64_t *id,
				   char why[POL_STATUS_TEXT])
{
	const struct mib_table *t = mib_row_table(r);
	const struct pol_generation *g = agent_policy(a);
	const struct pol_origin *origin;
	const struct totals_sa *sa;
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	origin = g ? pol_origin_of(g, t, index, len) : NULL;
	*id = origin ? origin->id : pol_id_of_row(t, index, len, 0);
	sa = totals_sa(agent_totals(a), *id);
	if (!pol_status_in_force(agent_status(a), r, why))
		return sa->is_there && sa->now.state == WATCH_SA_DEAD - 1 ? WATCH_SA_DEAD :
									     WATCH_SA_DOWN;
	if (agent_engine_state(a) == AGENT_ENGINE_DOWN) {
		snprintf(why, POL_STATUS_TEXT, "waits for the engine, which is started again");
		return WATCH_SA_DOWN;
	}
	if (!sa->is_there) {
		snprintf(why, POL_STATUS_TEXT, "waits to come into force");
		return WATCH_SA_DOWN;
	}
	/* The message counts its states from 1, ours have "down" before them. */
	return (enum watch_sa_state)(sa->now.state + 1);
}

/* ---- columns ---- */

/* Those that engines have filled, since ever. */
static enum mib_err read_total(struct watch *w, const struct mib_column *col,
			       const struct totals_sa *sa, struct mib_value *out)
{
	switch (col->pos) {
	case MIB_C_ipspdSaPackets:
		*out = mib_value_counter64(sa->packets);
		return MIB_OK;
	case MIB_C_ipspdSaBytes:
		*out = mib_value_counter64(sa->bytes);
		return MIB_OK;
	case MIB_C_ipspdSaIcvErrors:
		*out = mib_value_counter64(sa->auth_errors);
		return MIB_OK;
	case MIB_C_ipspdSaReplays:
		*out = mib_value_counter64(sa->replay_errors);
		return MIB_OK;
	case MIB_C_ipspdSaOtherErrors:
		*out = mib_value_counter64(sa->other_errors);
		return MIB_OK;
	case MIB_C_ipspdSaDummies:
		*out = mib_value_counter64(sa->dummies);
		return MIB_OK;
	case MIB_C_ipspdSaIdle:
		return watch_idle(w, sa->last_s, out);
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
}

/* Those of the SA that is there now. */
static enum mib_err read_now(struct watch *w, const struct mib_column *col,
			     const struct totals_sa *sa, struct mib_value *out)
{
	switch (col->pos) {
	case MIB_C_ipspdSaSequence:
		*out = mib_value_counter64(sa->now.seq);
		break;
	case MIB_C_ipspdSaAge:
		*out = watch_gauge(sa->now.age_s);
		break;
	case MIB_C_ipspdSaUsedKbytes:
		*out = watch_gauge(sa->now.bytes / KBYTE);
		break;
	case MIB_C_ipspdSaPathMtu:
		*out = mib_value_unsigned(sa->now.path_mtu);
		break;
	default:
		return read_total(w, col, sa, out);
	}
	return sa->is_there ? MIB_OK : MIB_NO_SUCH_INSTANCE;
}

static struct mib_value address_type(const struct ipsp_addr *a)
{
	return mib_value_integer(a->family == 4 ? INET_IPV4 : a->family == 6 ? INET_IPV6 :
									       INET_UNKNOWN);
}

static struct mib_value address(struct watch *w, const struct ipsp_addr *a)
{
	size_t len = a->family ? ipsp_addr_size(a->family) : 0;

	memcpy(w->text, a->octets, len);
	return mib_value_octets(w->text, len);
}

static enum mib_err read_ends(struct watch *w, const struct mib_column *col,
			      const struct ipsp_sa_config *cfg, const struct totals_sa *sa,
			      struct mib_value *out)
{
	switch (col->pos) {
	case MIB_C_ipspdSaLocalType:
		*out = address_type(&cfg->local);
		return MIB_OK;
	case MIB_C_ipspdSaLocal:
		*out = address(w, &cfg->local);
		return MIB_OK;
	case MIB_C_ipspdSaRemoteType:
		*out = address_type(&cfg->remote);
		return MIB_OK;
	case MIB_C_ipspdSaRemote:
		*out = address(w, &cfg->remote);
		return MIB_OK;
	default:
		return read_now(w, col, sa, out);
	}
}

/* Whose it is, for what, and when it is over. */
static enum mib_err read_terms(struct watch *w, const struct mib_column *col,
			       const struct ipsp_sa_config *cfg, const struct totals_sa *sa,
			       struct mib_value *out)
{
	char text[WORDS_SELECTOR] = "";

	switch (col->pos) {
	case MIB_C_ipspdSaOrigin:
		*out = mib_value_integer(cfg->origin + 1);
		return MIB_OK;
	case MIB_C_ipspdSaReqid:
		*out = mib_value_unsigned(cfg->reqid);
		return MIB_OK;
	case MIB_C_ipspdSaSelector:
		*out = watch_text(w, cfg->sel.family ? words_selector(&cfg->sel, text) : text);
		return MIB_OK;
	case MIB_C_ipspdSaLifeUse:
		*out = watch_gauge(cfg->life_use_s);
		return MIB_OK;
	case MIB_C_ipspdSaLifePackets:
		*out = watch_gauge(cfg->life_packets);
		return MIB_OK;
	case MIB_C_ipspdSaLifeIdle:
		*out = watch_gauge(cfg->idle_s);
		return MIB_OK;
	case MIB_C_ipspdSaSoftSeconds:
		*out = watch_gauge(cfg->soft_s);
		return MIB_OK;
	case MIB_C_ipspdSaSoftUse:
		*out = watch_gauge(cfg->soft_use_s);
		return MIB_OK;
	case MIB_C_ipspdSaSoftKbytes:
		*out = watch_gauge(cfg->soft_bytes / KBYTE);
		return MIB_OK;
	case MIB_C_ipspdSaSoftPackets:
		*out = watch_gauge(cfg->soft_packets);
		return MIB_OK;
	default:
		return read_ends(w, col, cfg, sa, out);
	}
}

static enum mib_err read_config(struct watch *w, const struct mib_column *col,
				const struct ipsp_sa_config *cfg, const struct totals_sa *sa,
				struct mib_value *out)
{
	switch (col->pos) {
	case MIB_C_ipspdSaProtocol:
		*out = mib_value_integer(cfg->proto == IPSP_PROTO_AH ? PROTOCOL_AH :
					 cfg->proto == IPSP_PROTO_IPCOMP ? PROTOCOL_IPCOMP :
									   PROTOCOL_ESP);
		return MIB_OK;
	case MIB_C_ipspdSaMode:
		*out = mib_value_integer(cfg->mode == IPSP_MODE_TUNNEL ? MODE_TUNNEL :
									 MODE_TRANSPORT);
		return MIB_OK;
	case MIB_C_ipspdSaSpi:
		*out = mib_value_unsigned(cfg->spi);
		return MIB_OK;
	case MIB_C_ipspdSaCipher:
		*out = watch_text(w, words_cipher(cfg));
		return MIB_OK;
	case MIB_C_ipspdSaCipherBits:
		*out = mib_value_unsigned(cfg->encr_key_bits);
		return MIB_OK;
	case MIB_C_ipspdSaIntegrity:
		*out = watch_text(w, words_integrity(cfg));
		return MIB_OK;
	case MIB_C_ipspdSaEsn:
		*out = watch_truth(cfg->esn);
		return MIB_OK;
	case MIB_C_ipspdSaWindow:
		*out = watch_gauge(cfg->replay ? cfg->replay_window_pkts : 0);
		return MIB_OK;
	case MIB_C_ipspdSaLifeSeconds:
		*out = watch_gauge(cfg->life_s);
		return MIB_OK;
	case MIB_C_ipspdSaLifeKbytes:
		*out = watch_gauge(cfg->life_bytes / KBYTE);
		return MIB_OK;
	default:
		return read_terms(w, col, cfg, sa, out);
	}
}

/* ---- of key managers ---- */

void watch_negotiated(const struct sad_picture_sa *n, struct ipsp_sa_config *cfg,
		      struct totals_sa *counted)
{
	const struct wire_sad_sa *sa = &n->sa;

	*cfg = (struct ipsp_sa_config){
		.id = sa->stats.id, .dir = sa->stats.dir, .proto = sa->proto, .mode = sa->mode,
		.origin = sa->origin, .esn = sa->esn, .replay = sa->window_pkts != 0,
		.replay_window_pkts = sa->window_pkts, .spi = sa->stats.spi, .reqid = sa->reqid,
		.encr = sa->encr, .encr_key_bits = sa->encr_key_bits, .integ = sa->integ,
		.local = sa->local, .remote = sa->remote, .sel = sa->sel,
		.life_s = sa->life_s, .life_use_s = sa->life_use_s,
		.life_bytes = sa->life_bytes, .life_packets = sa->life_packets,
		.soft_s = sa->soft_s, .soft_use_s = sa->soft_use_s,
		.soft_bytes = sa->soft_bytes, .soft_packets = sa->soft_packets,
		.idle_s = sa->idle_s,
	};
	*counted = (struct totals_sa){
		.is_there = true, .now = sa->stats, .packets = sa->stats.packets,
		.bytes = sa->stats.bytes, .auth_errors = sa->stats.auth_errors,
		.replay_errors = sa->stats.replay_errors, .other_errors = sa->stats.other_errors,
		.dummies = sa->stats.dummies,
	};
	if (sa->stats.idle_s != REPORT_NEVER_USED && (int64_t)sa->stats.idle_s < n->seen_s)
		counted->last_s = n->seen_s - (int64_t)sa->stats.idle_s;
}

enum watch_sa_state watch_negotiated_state(const struct sad_picture_sa *n, const char **why)
{
	const enum watch_sa_state state = (enum watch_sa_state)(n->sa.stats.state + 1);

	*why = state == WATCH_SA_LARVAL ? "waits for its keys" :
	       state == WATCH_SA_DEAD ? "its lifetime is over" : "";
	return state;
}

/* What a larval SA, and what passes in clear, does not have. */
static bool has_column(const struct sad_picture_sa *n, uint16_t pos)
{
	switch (pos) {
	case MIB_C_ipspdSaProtocol:
	case MIB_C_ipspdSaSpi:
		return n->sa.origin != IPSP_ORIGIN_CLEAR;
	case MIB_C_ipspdSaMode:
		return n->sa.mode != 0 && n->sa.mode != IPSP_MODE_ANY;
	case MIB_C_ipspdSaCipher:
	case MIB_C_ipspdSaCipherBits:
	case MIB_C_ipspdSaIntegrity:
	case MIB_C_ipspdSaSequence:
	case MIB_C_ipspdSaEsn:
	case MIB_C_ipspdSaWindow:
		return n->sa.origin != IPSP_ORIGIN_CLEAR &&
		       n->sa.stats.state + 1 != WATCH_SA_LARVAL;
	default:
		return true;
	}
}

static enum mib_err read_negotiated(struct watch *w, const struct mib_column *col,
				    const struct sad_picture_sa *n, struct mib_value *out)
{
	struct ipsp_sa_config cfg;
	struct totals_sa counted;
	const char *why;
	const enum watch_sa_state state = watch_negotiated_state(n, &why);

	agent_sad_wanted(w->agent);
	if (col->pos == MIB_C_ipspdSaState) {
		*out = mib_value_integer(state);
		return MIB_OK;
	}
	if (col->pos == MIB_C_ipspdSaReason) {
		*out = watch_text(w, why);
		return MIB_OK;
	}
	if (!has_column(n, col->pos))
		return MIB_NO_SUCH_INSTANCE;
	watch_negotiated(n, &cfg, &counted);
	return read_config(w, col, &cfg, &counted, out);
}

/* ---- the table ---- */

static enum mib_err read_sa(void *arg, const struct mib_column *col, const uint32_t *index,
			    size_t len, struct mib_value *out)
{
	struct watch *w = (struct watch *)arg;
	const struct sad_picture_sa *negotiated = sad_picture_at(agent_sad(w->agent), index, len);
	const struct mib_row *r = row_at(w, index, len);
	const struct pol_sa *made;
	const struct totals_sa *sa;
	enum watch_sa_state state;
	char why[POL_STATUS_TEXT];
	uint64_t id;

	if (negotiated)
		return read_negotiated(w, col, negotiated, out);
	if (!r || len != action_len(index, len) + 1 || index[len - 1] < FIRST)
		return MIB_NO_SUCH_INSTANCE;
	made = member(w, id_of_action(w, r), index[len - 1]);
	if (!made && index[len - 1] != FIRST)
		return MIB_NO_SUCH_INSTANCE;
	agent_totals_wanted(w->agent);
	/* The SAs of a bundle are there, and end, together. */
	state = watch_sa_state(w->agent, r, &id, why);
	if (col->pos == MIB_C_ipspdSaState) {
		*out = mib_value_integer(state);
		return MIB_OK;
	}
	if (col->pos == MIB_C_ipspdSaReason) {
		*out = watch_text(w, why);
		return MIB_OK;
	}
	sa = totals_sa(agent_totals(w->agent), made ? made->config.id : id);
	return made ? read_config(w, col, &made->config, sa, out) : read_total(w, col, sa, out);
}

size_t watch_sa_sources(struct watch *w, struct mib_source *to)
{
	to[0] = (struct mib_source){ .table = &mib_t_ipspdSaTable, .next = next_sa,
				     .read = read_sa, .arg = w };
	return 1;
}
