/*
 * engine/embed.c - policies one by one: kept in order of precedence, made into lists for each
 * interface at every change. See ipsp/embed.h.
 *
 * An entry names its SA by an id that comes from its policy's, whether there is such an SA or not:
 * keys come and go without touching the SPD, and without them the entry drops.
 */
#include <string.h>

#include "engine/internal.h"
#include "ipsp/embed.h"

/* SAs of one policy: of each direction the innermost, which entries name, and the one around it. */
enum {
	SLOT_IN,
	SLOT_IN_AROUND,
	SLOT_OUT,
	SLOT_OUT_AROUND,
	N_SLOTS
};

#define WINDOW_DEFAULT 64u

struct policy {
	struct ipsp_embed_policy p;
	uint32_t weight;	/* how narrow it is */
	bool keyed;
};

struct ipsp_embed {
	const struct ipsp_platform *platform;
	struct ipsp_engine *engine;
	uint64_t generation;
	uint64_t number_spaces;		/* given out so far: never one twice */
	uint32_t next_id;
	uint32_t n, max;
	uint32_t n_listed;		/* interfaces that have lists now */
	uint32_t *listed;		/* as many as there may be policies */
	struct policy *policies;	/* in order of precedence */
};

static uint64_t sa_id(uint32_t policy_id, unsigned slot)
{
	return (uint64_t)policy_id * N_SLOTS + slot;
}

static void *embed_alloc(const struct ipsp_platform *p, size_t n, size_t size)
{
	return p->alloc(p->ctx, n * size);
}

static void embed_release(const struct ipsp_platform *p, void *mem, size_t n, size_t size)
{
	p->free(p->ctx, mem, n * size);
}

enum ipsp_err ipsp_embed_new(const struct ipsp_engine_config *config, uint32_t policies_max,
			     struct ipsp_embed **out)
{
	const struct ipsp_platform *p = config->platform;
	struct ipsp_embed *e;
	enum ipsp_err err;

	if (!p || policies_max == 0)
		return IPSP_EINVAL;
	e = embed_alloc(p, 1, sizeof(*e));
	if (!e)
		return IPSP_ENOMEM;
	e->platform = p;
	e->max = policies_max;
	e->policies = embed_alloc(p, policies_max, sizeof(*e->policies));
	e->listed = embed_alloc(p, policies_max, sizeof(*e->listed));
	err = e->policies && e->listed ? ipsp_engine_new(config, &e->engine) : IPSP_ENOMEM;
	if (err != IPSP_OK) {
		ipsp_embed_free(e);
		return err;
	}
	*out = e;
	return IPSP_OK;
}

void ipsp_embed_free(struct ipsp_embed *e)
{
	if (!e)
		return;
	ipsp_engine_free(e->engine);
	embed_release(e->platform, e->policies, e->max, sizeof(*e->policies));
	embed_release(e->platform, e->listed, e->max, sizeof(*e->listed));
	embed_release(e->platform, e, 1, sizeof(*e));
}

struct ipsp_engine *ipsp_embed_engine(const struct ipsp_embed *e)
{
	return e->engine;
}

/* ---- from policies to lists ---- */

/* What one change hands to the engine. */
struct draft {
	uint32_t n_ifs;
	uint32_t *ifs;				/* that will have lists; 0: all others */
	uint32_t n_entries;
	struct ipsp_selector *boxes;		/* two for each policy, by direction */
	struct ipsp_spd_entry *entries;
	struct ipsp_spd_list *lists;		/* two for each interface */
	uint32_t n_removed;
	struct ipsp_spd_key *removed;		/* two for each interface that has lists no more */
};

static bool is_for(const struct policy *policy, uint32_t ifindex)
{
	return policy->p.ifindex == 0 || policy->p.ifindex == ifindex;
}

static bool has(const uint32_t *ifs, uint32_t n, uint32_t ifindex)
{
	for (uint32_t i = 0; i < n; i++) {
		if (ifs[i] == ifindex)
			return true;
	}
	return false;
}

static void find_interfaces(const struct ipsp_embed *e, struct draft *d)
{
	for (uint32_t i = 0; i < e->n; i++) {
		const uint32_t ifindex = e->policies[i].p.ifindex;

		if (!has(d->ifs, d->n_ifs, ifindex))
			d->ifs[d->n_ifs++] = ifindex;
	}
	for (uint32_t i = 0; i < d->n_ifs; i++) {
		for (uint32_t j = 0; j < e->n; j++)
			d->n_entries += is_for(&e->policies[j], d->ifs[i]) ? 2 : 0;
	}
}

static void draft_free(const struct ipsp_embed *e, struct draft *d)
{
	embed_release(e->platform, d->ifs, e->n, sizeof(*d->ifs));
	embed_release(e->platform, d->boxes, 2 * (size_t)e->n, sizeof(*d->boxes));
	embed_release(e->platform, d->entries, d->n_entries, sizeof(*d->entries));
	embed_release(e->platform, d->lists, 2 * (size_t)d->n_ifs, sizeof(*d->lists));
	embed_release(e->platform, d->removed, 2 * (size_t)e->n_listed, sizeof(*d->removed));
}

static enum ipsp_err draft_alloc(const struct ipsp_embed *e, struct draft *d)
{
	memset(d, 0, sizeof(*d));
	if (e->n_listed > 0) {
		d->removed = embed_alloc(e->platform, 2 * (size_t)e->n_listed, sizeof(*d->removed));
		if (!d->removed)
			return IPSP_ENOMEM;
	}
	if (e->n == 0)
		return IPSP_OK;
	d->ifs = embed_alloc(e->platform, e->n, sizeof(*d->ifs));
	if (!d->ifs)
		return IPSP_ENOMEM;
	find_interfaces(e, d);
	d->boxes = embed_alloc(e->platform, 2 * (size_t)e->n, sizeof(*d->boxes));
	d->entries = embed_alloc(e->platform, d->n_entries, sizeof(*d->entries));
	d->lists = embed_alloc(e->platform, 2 * (size_t)d->n_ifs, sizeof(*d->lists));
	return d->boxes && d->entries && d->lists ? IPSP_OK : IPSP_ENOMEM;
}

/* Outbound the local side is the source, inbound the destination. Valid since it was added. */
static bool write_boxes(const struct ipsp_embed *e, struct draft *d)
{
	for (uint32_t i = 0; i < e->n; i++) {
		const struct ipsp_embed_policy *p = &e->policies[i].p;

		if (ipsp_identity_selector(&p->remote, &p->local, p->proto, &d->boxes[2 * i]) ||
		    ipsp_identity_selector(&p->local, &p->remote, p->proto, &d->boxes[2 * i + 1]))
			return false;
	}
	return true;
}

static void write_list(const struct ipsp_embed *e, struct draft *d, uint32_t ifindex,
		       enum ipsp_dir dir, struct ipsp_spd_entry *at, struct ipsp_spd_list *list)
{
	const bool out = dir == IPSP_OUTBOUND;

	*list = (struct ipsp_spd_list) { .ifindex = ifindex, .dir = (uint8_t)dir, .entries = at };
	for (uint32_t i = 0; i < e->n; i++) {
		const struct ipsp_embed_policy *p = &e->policies[i].p;

		if (!is_for(&e->policies[i], ifindex))
			continue;
		at[list->n_entries++] = (struct ipsp_spd_entry) {
			.id = p->id,
			.action = p->action,
			.sa_id = p->action == IPSP_PROTECT ?
				 sa_id(p->id, out ? SLOT_OUT : SLOT_IN) : 0,
			.n_selectors = 1,
			.selectors = &d->boxes[2 * i + (out ? 1 : 0)],
		};
	}
}

static void write_lists(const struct ipsp_embed *e, struct draft *d)
{
	struct ipsp_spd_entry *at = d->entries;

	for (uint32_t i = 0; i < d->n_ifs; i++) {
		write_list(e, d, d->ifs[i], IPSP_INBOUND, at, &d->lists[2 * i]);
		at += d->lists[2 * i].n_entries;
		write_list(e, d, d->ifs[i], IPSP_OUTBOUND, at, &d->lists[2 * i + 1]);
		at += d->lists[2 * i + 1].n_entries;
	}
	for (uint32_t i = 0; i < e->n_listed; i++) {
		if (has(d->ifs, d->n_ifs, e->listed[i]))
			continue;
		d->removed[d->n_removed++] = (struct ipsp_spd_key) { e->listed[i], IPSP_INBOUND };
		d->removed[d->n_removed++] = (struct ipsp_spd_key) { e->listed[i], IPSP_OUTBOUND };
	}
}

/* Puts the policies as they stand in force, and takes SAs away. */
static enum ipsp_err commit(struct ipsp_embed *e, const uint64_t *gone, uint32_t n_gone,
			    uint64_t now_s)
{
	struct draft d;
	enum ipsp_err err = draft_alloc(e, &d);

	if (err == IPSP_OK && !write_boxes(e, &d))
		err = IPSP_EINVAL;
	if (err == IPSP_OK) {
		write_lists(e, &d);
		const struct ipsp_update update = {
			.spd = {
				.generation = e->generation + 1,
				.n_lists = 2 * d.n_ifs, .lists = d.lists,
				.n_removed = d.n_removed, .removed = d.removed,
			},
			.n_removed_sas = n_gone, .removed_sas = gone,
		};

		err = ipsp_engine_apply(e->engine, &update, now_s, NULL);
	}
	if (err == IPSP_OK) {
		e->generation++;
		if (d.n_ifs > 0)
			memcpy(e->listed, d.ifs, d.n_ifs * sizeof(*d.ifs));
	}
	const uint32_t n_ifs = d.n_ifs;

	draft_free(e, &d);
	if (err == IPSP_OK)
		e->n_listed = n_ifs;
	return err;
}

/* ---- policies ---- */

static uint32_t find(const struct ipsp_embed *e, uint32_t id)
{
	uint32_t at = 0;

	while (at < e->n && e->policies[at].p.id != id)
		at++;
	return at;
}

/* Leading bits that both ends of a range share. */
static uint32_t shared_bits(const struct ipsp_identity *i)
{
	const uint32_t bits = (uint32_t)ipsp_addr_size(i->lo.family) * 8;
	uint32_t n = 0;

	while (n < bits && !((i->lo.octets[n / 8] ^ i->hi.octets[n / 8]) & 0x80u >> n % 8))
		n++;
	return n;
}

static bool has_ports(const struct ipsp_identity *i)
{
	return i->port_lo > 0 || i->port_hi < IPSP_PORT_NONE;
}

/* Addresses weigh more than the protocol, that more than ports. */
static uint32_t weight_of(const struct ipsp_embed_policy *p)
{
	return (shared_bits(&p->local) + shared_bits(&p->remote)) * 8 + (p->proto ? 4 : 0) +
	       has_ports(&p->local) + has_ports(&p->remote);
}

static bool goes_before(const struct policy *a, const struct policy *b)
{
	if (a->p.priority != b->p.priority)
		return a->p.priority < b->p.priority;
	return a->weight > b->weight;
}

static bool is_valid(const struct ipsp_embed_policy *p)
{
	struct ipsp_selector box;

	if (ipsp_identity_selector(&p->local, &p->remote, p->proto, &box) != IPSP_OK ||
	    p->priority > IPSP_PRIORITY_LOWEST || p->action > IPSP_PROTECT)
		return false;
	if (p->action != IPSP_PROTECT)
		return true;
	if (p->mode == IPSP_MODE_TUNNEL)
		return p->remote_end.family != 0 &&
		       (p->local_end.family == 0 ||
			p->local_end.family == p->remote_end.family);
	return (p->mode == 0 || p->mode == IPSP_MODE_TRANSPORT) && p->remote_end.family == 0;
}

static uint32_t choose_id(struct ipsp_embed *e)
{
	do
		e->next_id++;
	while (e->next_id == 0 || find(e, e->next_id) < e->n);
	return e->next_id;
}

static void insert(struct ipsp_embed *e, uint32_t at, const struct policy *policy)
{
	memmove(&e->policies[at + 1], &e->policies[at], (e->n - at) * sizeof(*policy));
	e->policies[at] = *policy;
	e->n++;
}

static void take_out(struct ipsp_embed *e, uint32_t at)
{
	e->n--;
	memmove(&e->policies[at], &e->policies[at + 1], (e->n - at) * sizeof(*e->policies));
}

enum ipsp_err ipsp_embed_add(struct ipsp_embed *e, const struct ipsp_embed_policy *policy,
			     uint64_t now_s, uint32_t *id)
{
	struct policy new = { .p = *policy };
	uint32_t at = 0;
	enum ipsp_err err;

	if (!is_valid(policy))
		return IPSP_EINVAL;
	if (policy->id != 0 && find(e, policy->id) < e->n)
		return IPSP_EEXIST;
	if (e->n == e->max)
		return IPSP_ENOSPC;
	if (new.p.id == 0)
		new.p.id = choose_id(e);
	if (new.p.priority == 0)
		new.p.priority = IPSP_PRIORITY_MEDIUM;
	new.weight = weight_of(&new.p);
	while (at < e->n && !goes_before(&new, &e->policies[at]))
		at++;
	insert(e, at, &new);
	err = commit(e, NULL, 0, now_s);
	if (err != IPSP_OK)
		take_out(e, at);
	else if (id)
		*id = new.p.id;
	return err;
}

static void sa_ids(uint32_t policy_id, uint64_t out[N_SLOTS])
{
	for (unsigned slot = 0; slot < N_SLOTS; slot++)
		out[slot] = sa_id(policy_id, slot);
}

enum ipsp_err ipsp_embed_remove(struct ipsp_embed *e, uint32_t id, uint64_t now_s)
{
	const uint32_t at = find(e, id);
	uint64_t gone[N_SLOTS];
	enum ipsp_err err;

	if (at == e->n)
		return IPSP_ENOENT;
	const struct policy old = e->policies[at];

	sa_ids(id, gone);
	take_out(e, at);
	err = commit(e, gone, N_SLOTS, now_s);
	if (err != IPSP_OK)
		insert(e, at, &old);
	return err;
}

enum ipsp_err ipsp_embed_flush(struct ipsp_embed *e, uint64_t now_s)
{
	const uint32_t n = e->n;
	uint64_t *gone;
	enum ipsp_err err;

	if (n == 0)
		return IPSP_OK;
	gone = embed_alloc(e->platform, (size_t)n * N_SLOTS, sizeof(*gone));
	if (!gone)
		return IPSP_ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		sa_ids(e->policies[i].p.id, gone + (size_t)i * N_SLOTS);
	e->n = 0;
	err = commit(e, gone, n * N_SLOTS, now_s);
	if (err != IPSP_OK)
		e->n = n;
	embed_release(e->platform, gone, (size_t)n * N_SLOTS, sizeof(*gone));
	return err;
}

void ipsp_embed_each(const struct ipsp_embed *e,
		     void (*each)(void *arg, const struct ipsp_embed_policy *policy, bool keyed),
		     void *arg)
{
	for (uint32_t i = 0; i < e->n; i++)
		each(arg, &e->policies[i].p, e->policies[i].keyed);
}

/* ---- keys ---- */

static struct ipsp_sa_config sa_of(struct ipsp_embed *e, const struct ipsp_embed_policy *p,
				   unsigned slot, uint8_t proto, uint32_t spi)
{
	const bool out = slot >= SLOT_OUT;
	const bool around = slot == SLOT_IN_AROUND || slot == SLOT_OUT_AROUND;
	const bool tunnel = p->mode == IPSP_MODE_TUNNEL;

	return (struct ipsp_sa_config) {
		.id = sa_id(p->id, slot),
		.counter_id = ++e->number_spaces,
		.dir = out ? IPSP_OUTBOUND : IPSP_INBOUND,
		.proto = proto,
		.mode = tunnel && !around ? IPSP_MODE_TUNNEL : IPSP_MODE_TRANSPORT,
		.df = p->df ? p->df : IPSP_DF_COPY,
		.ecn = p->ecn,
		.tfc_pad = out && tunnel && !around && proto == IPSP_PROTO_ESP ? p->tfc_pad : 0,
		.replay = !out && p->replay_window_pkts > 0,
		.spi = spi,
		.replay_window_pkts = p->replay_window_pkts ? p->replay_window_pkts :
							      WINDOW_DEFAULT,
		.local = p->local_end,
		.remote = p->remote_end,
	};
}

/* ESP inside AH; what stands alone is the innermost. */
static uint32_t write_pair(struct ipsp_embed *e, const struct ipsp_embed_policy *p,
			   const struct ipsp_embed_keys *k, bool out, struct ipsp_sa_config *at)
{
	const unsigned slot = out ? SLOT_OUT : SLOT_IN;
	const uint32_t esp_spi = out ? k->spi_out : k->spi_in;
	const uint32_t ah_spi = out ? k->ah_spi_out : k->ah_spi_in;
	uint32_t n = 0;

	if (esp_spi) {
		at[n] = sa_of(e, p, slot, IPSP_PROTO_ESP, esp_spi);
		at[n].encr = k->encr;
		at[n].encr_key_bits = k->encr_key_bits;
		at[n].integ = k->integ;
		at[n].encr_key = out ? k->encr_out : k->encr_in;
		at[n].integ_key = out ? k->integ_out : k->integ_in;
		at[n].next_id = ah_spi ? sa_id(p->id, slot + 1) : 0;
		n++;
	}
	if (ah_spi) {
		at[n] = sa_of(e, p, slot + (esp_spi ? 1 : 0), IPSP_PROTO_AH, ah_spi);
		at[n].integ = k->ah_integ;
		at[n].integ_key = out ? k->ah_out : k->ah_in;
		n++;
	}
	return n;
}

/* SAs go and come; the lists stay. */
static enum ipsp_err change_sas(struct ipsp_embed *e, const struct ipsp_sa_config *sas, uint32_t n,
				const uint64_t *gone, uint32_t n_gone, uint64_t now_s)
{
	const struct ipsp_update update = {
		.spd = { .generation = e->generation + 1 },
		.n_sas = n, .sas = sas, .n_removed_sas = n_gone, .removed_sas = gone,
	};
	enum ipsp_err results[N_SLOTS] = { IPSP_OK };
	enum ipsp_err err = ipsp_engine_apply(e->engine, &update, now_s, results);

	if (err == IPSP_OK)
		e->generation++;
	for (uint32_t i = 0; i < n && err == IPSP_OK; i++)
		err = results[i];
	return err;
}

static enum ipsp_err drop_sas(struct ipsp_embed *e, struct policy *policy, uint64_t now_s)
{
	uint64_t gone[N_SLOTS];
	enum ipsp_err err;

	sa_ids(policy->p.id, gone);
	err = change_sas(e, NULL, 0, gone, N_SLOTS, now_s);
	if (err == IPSP_OK)
		policy->keyed = false;
	return err;
}

enum ipsp_err ipsp_embed_unkey(struct ipsp_embed *e, uint32_t id, uint64_t now_s)
{
	const uint32_t at = find(e, id);

	if (at == e->n || !e->policies[at].keyed)
		return IPSP_ENOENT;
	return drop_sas(e, &e->policies[at], now_s);
}

static bool are_pairs(const struct ipsp_embed_keys *k)
{
	return !k->spi_in == !k->spi_out && !k->ah_spi_in == !k->ah_spi_out &&
	       (k->spi_in || k->ah_spi_in);
}

enum ipsp_err ipsp_embed_rekey(struct ipsp_embed *e, uint32_t id,
			       const struct ipsp_embed_keys *keys, uint64_t now_s)
{
	const uint32_t at = find(e, id);
	struct ipsp_sa_config sas[N_SLOTS];
	uint64_t gone[N_SLOTS];
	uint32_t n;
	enum ipsp_err err;

	if (at == e->n)
		return IPSP_ENOENT;
	struct policy *const policy = &e->policies[at];

	if (policy->p.action != IPSP_PROTECT || !are_pairs(keys))
		return IPSP_EINVAL;
	/* All of the old ones go: a bundle may become a single SA. */
	sa_ids(id, gone);
	n = write_pair(e, &policy->p, keys, false, sas);
	n += write_pair(e, &policy->p, keys, true, sas + n);
	err = change_sas(e, sas, n, gone, N_SLOTS, now_s);
	e->platform->wipe(e->platform->ctx, sas, sizeof(sas));
	if (err == IPSP_OK) {
		policy->keyed = true;
		return IPSP_OK;
	}
	/* Half of them is worse than none; and if even that fails, each alone still protects. */
	const enum ipsp_err dropped = drop_sas(e, policy, now_s);

	return dropped == IPSP_OK ? err : dropped;
}

/* ---- packets ---- */

static enum ipsp_treatment by_sa(const struct ipsp_sa *sa)
{
	return sa->mode == IPSP_MODE_TUNNEL ? IPSP_TREATMENT_TUNNEL : IPSP_TREATMENT_TRANSPORT;
}

static enum ipsp_err outcome(const struct ipsp_packet *packet, enum ipsp_treatment *treatment)
{
	*treatment = IPSP_TREATMENT_DROP;
	switch (packet->verdict) {
	case IPSP_VERDICT_BYPASS:
		*treatment = IPSP_TREATMENT_BYPASS;
		return IPSP_OK;
	case IPSP_VERDICT_ESP_OUT:
	case IPSP_VERDICT_DELIVER:
		*treatment = by_sa(packet->sa);
		return IPSP_OK;
	default:
		return ipsp_reason_err((enum ipsp_reason)packet->reason);
	}
}

enum ipsp_err ipsp_embed_encapsulate(struct ipsp_worker *worker, struct ipsp_packet *packet,
				     uint64_t now_s, enum ipsp_treatment *treatment)
{
	*treatment = IPSP_TREATMENT_DROP;
	if (packet->segment_size > 0)
		return IPSP_EINVAL;
	ipsp_engine_outbound(worker, packet, 1, now_s);
	return outcome(packet, treatment);
}

enum ipsp_err ipsp_embed_decapsulate(struct ipsp_worker *worker, struct ipsp_packet *packet,
				     uint64_t now_s, enum ipsp_treatment *treatment)
{
	*treatment = IPSP_TREATMENT_DROP;
	if (packet->segment_size > 0)
		return IPSP_EINVAL;
	ipsp_engine_inbound(worker, packet, 1, now_s);
	return outcome(packet, treatment);
}

static enum ipsp_treatment would(const struct ipsp_worker *worker, const struct ipsp_spd_match *m)
{
	const struct ipsp_sa *sa;

	if (m->result == IPSP_SPD_NO_POLICY)
		return IPSP_TREATMENT_BYPASS;
	if (m->result != IPSP_SPD_RULE || m->rule->action == IPSP_DISCARD)
		return IPSP_TREATMENT_DROP;
	if (m->rule->action == IPSP_BYPASS)
		return IPSP_TREATMENT_BYPASS;
	sa = ipsp_sad_find(worker->engine->sad, m->rule->sa_id);
	return sa ? by_sa(sa) : IPSP_TREATMENT_DROP;
}

enum ipsp_err ipsp_embed_look(struct ipsp_worker *worker, enum ipsp_dir dir,
			      const struct ipsp_packet *packet, enum ipsp_treatment *treatment,
			      uint32_t *policy)
{
	struct ipsp_flow flow;
	const struct ipsp_spd *spd;

	*treatment = IPSP_TREATMENT_DROP;
	if (policy)
		*policy = 0;
	if (!ipsp_packet_valid(packet) ||
	    ipsp_flow_parse((struct ipsp_span) { packet->data, packet->len }, &flow) !=
		    IPSP_REASON_NONE)
		return IPSP_EMALFORMED;
	spd = ipsp_worker_enter(worker);
	if (spd) {
		const struct ipsp_spd_match m =
			ipsp_packet_match(worker, spd, dir, packet, &flow, 0);

		*treatment = would(worker, &m);
		if (policy && m.rule)
			*policy = (uint32_t)m.rule->id;
	}
	ipsp_worker_leave(worker);
	return IPSP_OK;
}
