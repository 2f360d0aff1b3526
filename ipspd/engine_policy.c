/*
 * ipspd/engine_policy.c - generations: collected from the agent's messages, put in force in one
 * piece, and answered. Also the reservation of sequence numbers, which belongs to their SAs, and settings.
 *
 *	agent                                engine
 *	  |-- GEN_BEGIN, SA.., LIST, ENTRY.. -->|
 *	  |-- GEN_COMMIT ---------------------->|  all or nothing
 *	  |<------------------- SA_REFUSED .. --|  those are not in force: their traffic drops
 *	  |<-------------------- GEN_APPLIED ---|  or GEN_REFUSED: the one before stays in force
 *
 * GEN_FOLLOW in place of GEN_BEGIN: what follows is what changes of the one in force, which must be the
 * one it names, as this agent sent it; else it is refused, and the agent sends it whole.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "ipspd/engine.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "ipspd/settings.h"
#include "ipspd/wire.h"

static void tell(struct engine_role *role, uint16_t type, const struct chan_writer *w)
{
	const int err = role->agent ? chan_send(role->agent, type, w->data, w->len, NULL, 0) : 0;

	if (err)
		ipspd_log(LOG_WARNING, "engine", "message %u to the agent lost: error %d", type,
			  -err);
}

static void tell_applied(struct engine_role *role, uint64_t generation)
{
	uint8_t buf[8];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, generation);
	tell(role, MSG_GEN_APPLIED, &w);
}

static void tell_refused(struct engine_role *role, uint64_t generation, enum ipsp_err why)
{
	uint8_t buf[9];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, generation);
	chan_put_u8(&w, (uint8_t)why);
	tell(role, MSG_GEN_REFUSED, &w);
}

static void tell_sa_refused(struct engine_role *role, uint64_t generation, uint64_t sa_id,
			    enum ipsp_err why)
{
	uint8_t buf[17];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, generation);
	chan_put_u64(&w, sa_id);
	chan_put_u8(&w, (uint8_t)why);
	tell(role, MSG_SA_REFUSED, &w);
}

/* ---- reservation ---- */

void engine_reserve_ask(struct engine_role *role, const struct ipsp_sa *sa)
{
	uint64_t next;

	if (!role->agent ||
	    !engine_reserve_check(role->reserve, ipsp_engine_sad(role->engine), sa,
				  engine_now_s(), &next))
		return;
	uint8_t buf[16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, sa->counter_id);
	chan_put_u64(&w, next);
	tell(role, MSG_RESERVE, &w);
}

/* @return false: it is gone */
static bool ask_for(void *arg, uint64_t sa_id)
{
	struct engine_role *role = arg;
	const struct ipsp_sa *sa = ipsp_sad_find(ipsp_engine_sad(role->engine), sa_id);

	if (sa)
		engine_reserve_ask(role, sa);
	return sa != NULL;
}

/* Those that have run low since are told by the workers. */
void engine_reserve_ask_again(struct engine_role *role)
{
	engine_reserve_each_waiting(role->reserve, ask_for, role);
}

static void ask_each(void *arg, struct ipsp_sa *sa)
{
	engine_reserve_ask(arg, sa);
}

void engine_reserve_ask_all(struct engine_role *role)
{
	ipsp_sad_each(ipsp_engine_sad(role->engine), ask_each, role);
}

void engine_reserved_message(struct engine_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint64_t counter_id = chan_get_u64(&r);
	const uint64_t ceiling = chan_get_u64(&r);

	if (!chan_reader_done(&r) || counter_id == 0) {
		ipspd_log(LOG_ERR, "sad", "malformed RESERVED from the agent");
		return;
	}
	const int err = engine_reserve_grant(role->reserve, counter_id, ceiling);

	if (err)
		ipspd_log(LOG_ERR, "sad", "reservation of %" PRIx64 " lost: error %d", counter_id,
			  -err);
	else
		(void)ask_for(role, engine_reserve_asker(role->reserve, counter_id));
}

/* ---- generations ---- */

struct in_use {
	uint64_t *ids;		/* counter_ids; sorted in the end */
	size_t n, room;
	bool failed;
};

static int cmp_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool space_in_use(void *arg, uint64_t counter_id)
{
	const struct in_use *u = arg;

	return u->n && bsearch(&counter_id, u->ids, u->n, sizeof(counter_id), cmp_u64) != NULL;
}

static void use_id(struct in_use *u, uint64_t counter_id)
{
	if (u->n < u->room)
		u->ids[u->n++] = counter_id;
	else
		u->failed = true;
}

static void use_sa(void *arg, struct ipsp_sa *sa)
{
	use_id(arg, sa->counter_id);
}

/** Reservations of spaces that no SA has any more are of no use. */
static void prune_reservations(struct engine_role *role, const struct wire_gen *g)
{
	struct ipsp_sad *sad = ipsp_engine_sad(role->engine);
	struct in_use u = { .room = g->n_sas + ipsp_sad_count(sad) + 1 };

	/* Where none goes, none has become useless. */
	if (g->follows && g->n_sas_gone == 0 && g->n_sas == 0)
		return;
	u.ids = calloc(u.room, sizeof(*u.ids));
	if (!u.ids)
		return;
	for (size_t i = 0; i < g->n_sas; i++)
		use_id(&u, g->sas[i].counter_id);
	ipsp_sad_each(sad, use_sa, &u);
	qsort(u.ids, u.n, sizeof(*u.ids), cmp_u64);
	if (!u.failed)
		engine_reserve_prune(role->reserve, space_in_use, &u);
	free(u.ids);
}

/** What runs low among the SAs that came; those that were there have asked. */
static void ask_for_new(struct engine_role *role, const struct wire_gen *g)
{
	for (size_t i = 0; i < g->n_sas; i++) {
		const struct ipsp_sa *sa = ipsp_sad_find(ipsp_engine_sad(role->engine),
							 g->sas[i].id);

		if (sa)
			engine_reserve_ask(role, sa);
	}
}

struct over {
	struct engine_role *role;
	uint64_t generation;
	uint64_t now_s;
};

static void tell_if_over(void *arg, struct ipsp_sa *sa)
{
	const struct over *o = arg;

	if (sa->origin == IPSP_ORIGIN_POLICY && ipsp_sa_usable(sa, o->now_s) != IPSP_REASON_NONE)
		tell_sa_refused(o->role, o->generation, sa->id, IPSP_EEXPIRED);
}

/** An SA whose lifetime is over stays so while its row says the same: each generation is told. */
static void tell_over(struct engine_role *role, uint64_t generation)
{
	struct over o = { role, generation, engine_now_s() };

	ipsp_sad_each(ipsp_engine_sad(role->engine), tell_if_over, &o);
}

static void apply(struct engine_role *role, struct wire_gen *g)
{
	enum ipsp_err *results = calloc(g->n_sas + 1, sizeof(*results));

	if (!results) {
		tell_refused(role, g->number, IPSP_ENOMEM);
		return;
	}
	const struct ipsp_update update = {
		.spd = {
			.generation = g->number, .full = !g->follows,
			.n_lists = (uint32_t)g->n_lists, .lists = g->lists,
			.n_edits = (uint32_t)g->n_edits, .edits = g->edits,
			.n_removed = (uint32_t)g->n_lists_gone, .removed = g->lists_gone,
		},
		.n_sas = (uint32_t)g->n_sas,
		.sas = g->sas,
		.n_removed_sas = (uint32_t)g->n_sas_gone,
		.removed_sas = g->sas_gone,
		.n_unasked = (uint32_t)g->n_unasked,
		.unasked = g->unasked,
	};

	for (size_t i = 0; i < g->n_sas; i++)
		engine_reserve_prepare(role->reserve, ipsp_engine_sad(role->engine), &role->counters,
				&g->sas[i]);
	const enum ipsp_err err = ipsp_engine_apply(role->engine, &update, engine_now_s(),
						    results);

	if (err) {
		ipspd_log(LOG_ERR, "spd", "generation %" PRIu64 " refused: %s", g->number,
			  ipsp_err_text(err));
		tell_refused(role, g->number, err);
		goto out;
	}
	for (size_t i = 0; i < g->n_sas; i++) {
		if (!results[i])
			continue;
		ipspd_log(LOG_WARNING, "sad", "SA %" PRIx64 " %s SPI 0x%08x: not in force: %s",
			  g->sas[i].id, ipsp_proto_text(g->sas[i].proto), g->sas[i].spi, ipsp_err_text(results[i]));
		tell_sa_refused(role, g->number, g->sas[i].id, results[i]);
	}
	tell_over(role, g->number);
	role->has_policy = true;
	role->can_follow = true;
	prune_reservations(role, g);
	ipspd_log(LOG_INFO, "spd", "generation %" PRIu64 " in force: %s%zu lists, %zu entries, %u SAs",
		  g->number, g->follows ? "changes " : "", g->n_lists + g->n_edits, g->n_entries,
		  ipsp_sad_count(ipsp_engine_sad(role->engine)));
	tell_applied(role, g->number);
	if (g->follows)
		ask_for_new(role, g);
	else
		engine_reserve_ask_all(role);
out:
	free(results);
}

static void forget_coming(struct engine_role *role)
{
	wire_builder_free(role->builder);
	role->builder = NULL;
}

static void begin(struct engine_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint64_t number = chan_get_u64(&r);
	const bool follows = m->type == MSG_GEN_FOLLOW;
	const uint64_t base = follows ? chan_get_u64(&r) : 0;

	forget_coming(role);
	if (!chan_reader_done(&r)) {
		ipspd_log(LOG_ERR, "spd", "malformed beginning of a generation from the agent");
		return;
	}
	role->coming = number;
	if (follows && (!role->can_follow || base != ipsp_engine_generation(role->engine))) {
		ipspd_log(LOG_NOTICE, "spd", "generation %" PRIu64 " follows %" PRIu64 ", which is "
			  "not in force: it is wanted whole", number, base);
		tell_refused(role, number, IPSP_ENOENT);
		return;
	}
	role->builder = wire_builder_new(number);
	if (!role->builder)
		tell_refused(role, number, IPSP_ENOMEM);
	else if (follows)
		wire_builder_follow(role->builder);
}

static enum ipsp_err err_of(int err)
{
	return err == -ENOMEM ? IPSP_ENOMEM : err == -E2BIG ? IPSP_ENOSPC : IPSP_EMALFORMED;
}

/** The rest of this generation is passed over; the next GEN_BEGIN starts anew. */
static void refuse(struct engine_role *role, int err, const char *why)
{
	ipspd_log(LOG_ERR, "spd", "generation %" PRIu64 " refused: %s", role->coming, why);
	tell_refused(role, role->coming, err_of(err));
}

static void add(struct engine_role *role, const struct chan_msg *m)
{
	if (!role->builder)
		return;
	const int err = wire_builder_add(role->builder, m->type, m->data, m->len);

	if (!err)
		return;
	refuse(role, err, wire_builder_why(role->builder));
	forget_coming(role);
}

static void commit(struct engine_role *role, const struct chan_msg *m)
{
	struct wire_builder *const b = role->builder;
	struct wire_gen *g;

	if (!b)
		return;
	role->builder = NULL;
	const int err = wire_builder_finish(b, m->data, m->len, &g);

	if (err) {
		refuse(role, err, "incomplete, or not what its commit says");
		return;
	}
	apply(role, g);
	wire_gen_free(g);
}

void engine_policy_message(struct engine_role *role, const struct chan_msg *m)
{
	if (m->type == MSG_GEN_BEGIN || m->type == MSG_GEN_FOLLOW)
		begin(role, m);
	else if (m->type == MSG_GEN_COMMIT)
		commit(role, m);
	else
		add(role, m);
}

void engine_settings_message(struct engine_role *role, const struct chan_msg *m)
{
	struct ipsp_engine_settings s;

	ipsp_engine_settings_default(&s);
	if (!settings_read(m, &s) || ipsp_engine_set(role->engine, &s) != IPSP_OK)
		ipspd_log(LOG_ERR, "engine", "malformed SETTINGS from the agent");
}

void engine_hold_message(struct engine_role *role, const struct chan_msg *m)
{
	struct hold_settings s;

	if (!settings_hold_read(m, &s) || !engine_hold_set(role->hold, &s))
		ipspd_log(LOG_ERR, "engine", "malformed HOLD from the agent");
}

void engine_policy_forget(struct engine_role *role)
{
	forget_coming(role);
	role->can_follow = false;
}
