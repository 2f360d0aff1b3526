/*
 * engine/session.c - SAs that a key manager makes, beside those of policy. RFC 2367 3.1.
 */
#include "engine/acquire.h"

void ipsp_engine_sa_drop(struct ipsp_engine *engine, uint64_t id, bool told)
{
	struct ipsp_sa *sa = ipsp_sad_remove(engine->sad, id);

	if (told)
		ipsp_engine_tell_changed(engine, sa, IPSP_SA_REMOVED);
	ipsp_engine_retire_sa(engine, sa);
}

static bool is_larval(const struct ipsp_sa *sa)
{
	return atomic_load_explicit(&sa->state, memory_order_relaxed) == IPSP_SA_LARVAL;
}

enum ipsp_err ipsp_engine_sa_getspi(struct ipsp_engine *engine,
				    const struct ipsp_spi_request *request, uint64_t now_s,
				    const struct ipsp_sa **out)
{
	struct ipsp_sa *sa;
	enum ipsp_err err = ipsp_sad_getspi(engine->sad, request, now_s, &sa);

	ipsp_engine_turn_epoch(engine);
	if (err == IPSP_OK)
		*out = sa;
	return err;
}

/* In the place of a larval one, or new. */
static enum ipsp_err put_keys(struct ipsp_engine *engine, const struct ipsp_sa_config *cfg,
			      struct ipsp_sa *larval, uint64_t now_s, const struct ipsp_sa **out)
{
	struct ipsp_sa *sa;
	enum ipsp_err err = ipsp_sad_add_negotiated(engine->sad, cfg, larval, now_s, &sa);

	if (err == IPSP_OK) {
		ipsp_engine_retire_sa(engine, larval);
		ipsp_engine_tell_changed(engine, sa, IPSP_SA_INSTALLED);
		ipsp_acquires_answered(engine, sa, now_s);
		*out = sa;
	}
	ipsp_engine_turn_epoch(engine);
	return err;
}

enum ipsp_err ipsp_engine_sa_add(struct ipsp_engine *engine, const struct ipsp_sa_config *cfg,
				 uint64_t now_s, const struct ipsp_sa **out)
{
	return put_keys(engine, cfg, NULL, now_s, out);
}

enum ipsp_err ipsp_engine_sa_update(struct ipsp_engine *engine, const struct ipsp_sa_name *name,
				    const struct ipsp_sa_config *cfg, uint64_t now_s,
				    const struct ipsp_sa **out)
{
	struct ipsp_sa *old = ipsp_sad_find_name(engine->sad, name), *sa;
	enum ipsp_err err;

	if (!old || old->origin != IPSP_ORIGIN_PFKEY ||
	    atomic_load_explicit(&old->state, memory_order_relaxed) == IPSP_SA_DEAD)
		return IPSP_ENOENT;
	if (is_larval(old))
		return put_keys(engine, cfg, old, now_s, out);
	err = ipsp_sad_change(engine->sad, old, cfg, &sa);
	if (err != IPSP_OK)
		return err;
	ipsp_engine_tell_changed(engine, old, IPSP_SA_REPLACED);
	ipsp_engine_retire_sa(engine, old);
	ipsp_engine_tell_changed(engine, sa, IPSP_SA_INSTALLED);
	ipsp_acquires_answered(engine, sa, now_s);
	ipsp_engine_turn_epoch(engine);
	*out = sa;
	return IPSP_OK;
}

enum ipsp_err ipsp_engine_sa_delete(struct ipsp_engine *engine, const struct ipsp_sa_name *name)
{
	const struct ipsp_sa *sa = ipsp_sad_find_name(engine->sad, name);

	if (!sa)
		return IPSP_ENOENT;
	if (sa->origin != IPSP_ORIGIN_PFKEY)
		return IPSP_EINVAL;
	ipsp_engine_sa_drop(engine, sa->id, !is_larval(sa));
	ipsp_engine_turn_epoch(engine);
	return IPSP_OK;
}

struct flush {
	struct ipsp_engine *engine;
	uint8_t proto;
	uint32_t n;
};

static void flush_sa(void *arg, struct ipsp_sa *sa)
{
	struct flush *f = arg;

	if (sa->origin != IPSP_ORIGIN_PFKEY || (f->proto && sa->proto != f->proto))
		return;
	ipsp_engine_sa_drop(f->engine, sa->id, !is_larval(sa));
	f->n++;
}

uint32_t ipsp_engine_sa_flush(struct ipsp_engine *engine, uint8_t proto)
{
	struct flush f = { engine, proto, 0 };

	ipsp_sad_each(engine->sad, flush_sa, &f);
	ipsp_engine_turn_epoch(engine);
	return f.n;
}

const struct ipsp_sa *ipsp_engine_sa_get(const struct ipsp_engine *engine,
					 const struct ipsp_sa_name *name)
{
	return ipsp_sad_find_name(engine->sad, name);
}
