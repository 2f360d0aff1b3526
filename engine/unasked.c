/*
 * engine/unasked.c - packets that were on their way when the SPD entry of their SAs went: see unasked.h.
 *
 * They come in for a short time, by the same terms as before: these very SAs, and what both they and the
 * entries that went were for. An entry that discards or protects them decides: only what no entry matches,
 * or what one lets pass in clear from anybody, is asked about here. An SA that came, or was put in
 * another's place, since then is not among them.
 */
#include "engine/unasked.h"

static const struct ipsp_sa_unasked *terms_of(const struct ipsp_sa *sa, uint64_t now_s)
{
	const struct ipsp_sa_unasked *u = atomic_load_explicit(&sa->unasked, memory_order_acquire);

	return u && now_s < u->until_s ? u : NULL;
}

static bool has(const struct ipsp_sa_unasked *u, const struct ipsp_flow *flow)
{
	for (uint32_t i = 0; i < u->n_boxes; i++) {
		if (ipsp_selector_has(&u->boxes[i], flow))
			return true;
	}
	return false;
}

/* All that its entries asked for. Policy's SAs know by themselves what is around them. */
static bool is_whole(const struct ipsp_undone *path, const struct ipsp_sa *head,
		     const struct ipsp_sa_unasked *u, uint64_t now_s)
{
	uint32_t n = 0;

	if (head->origin == IPSP_ORIGIN_POLICY)
		return true;
	for (uint32_t i = 0; i < path->n; i++) {
		const struct ipsp_sa *const sa = path->sas[i];

		if (sa->reqid != head->reqid || !terms_of(sa, now_s))
			return false;
		n += sa->proto != IPSP_PROTO_IPCOMP;
	}
	return n == u->n;
}

bool ipsp_unasked_passes(const struct ipsp_undone *path, const struct ipsp_sa *head,
			 const struct ipsp_flow *inner, uint64_t now_s)
{
	const struct ipsp_sa_unasked *const u = terms_of(head, now_s);

	return u && is_whole(path, head, u, now_s) && ipsp_sa_carries(head, inner) &&
	       has(u, inner);
}

/* ---- the control thread ---- */

static void set(struct ipsp_engine *engine, struct ipsp_sa *sa, const struct ipsp_unasked *u,
		uint64_t now_s)
{
	ipsp_sa_set_unasked(sa, u->again ? NULL : u, now_s);
	if (!u->again)
		engine->unasked_until_s = now_s + IPSP_UNASKED_S;
}

struct asking {
	struct ipsp_engine *engine;
	const struct ipsp_unasked *items;	/* with reqids, in rising order */
	uint32_t n;
	uint64_t now_s;
};

static void look(void *arg, struct ipsp_sa *sa)
{
	const struct asking *const a = arg;
	uint32_t low = 0, high = a->n;

	if (sa->origin != IPSP_ORIGIN_PFKEY || sa->dir != IPSP_INBOUND || sa->reqid == 0)
		return;
	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (a->items[middle].reqid < sa->reqid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < a->n && a->items[low].reqid == sa->reqid &&
	    ipsp_sa_usable(sa, a->now_s) == IPSP_REASON_NONE)
		set(a->engine, sa, &a->items[low], a->now_s);
}

void ipsp_unasked_apply(struct ipsp_engine *engine, const struct ipsp_update *update, uint64_t now_s)
{
	struct asking a = { .engine = engine, .items = update->unasked, .now_s = now_s };
	/* Whether SAs are asked for again is nothing to them unless they were not. */
	bool any = now_s < engine->unasked_until_s;

	while (a.n < update->n_unasked && update->unasked[a.n].sa_id == 0)
		any |= !update->unasked[a.n++].again;
	for (uint32_t i = a.n; i < update->n_unasked; i++) {
		const struct ipsp_unasked *const u = &update->unasked[i];
		struct ipsp_sa *const sa = ipsp_sad_find(engine->sad, u->sa_id);

		if (sa && sa->origin == IPSP_ORIGIN_POLICY && sa->dir == IPSP_INBOUND)
			set(engine, sa, u, now_s);
	}
	if (a.n > 0 && any)
		ipsp_sad_each(engine->sad, look, &a);
}
