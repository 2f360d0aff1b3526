/*
 * ipsp-pcap/world.c - SPD and SAD from secrets, and the engine around them. RFC 4301 4.4.
 */
#include "config.h"

#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compress/zlib.h"
#include "engine/crypto/analysis.h"
#include "engine/crypto/hosted.h"
#include "ipsp-pcap/world.h"

#define OUTBOUND_IFINDEX 1u
#define SLOTS 64u	/* SAs made at one time from the line without SPI */
#define NOW_S 1u	/* no SA here has a lifetime */
#define DATAGRAMS 64u	/* whose fragments are put together at a time */
#define DATAGRAM_S 60u	/* RFC 8200 4.5 */

/* An SA made from the line without SPI, for one SPI and address. */
struct slot {
	bool used;
	uint32_t spi;
	struct ipsp_addr dst;
};

struct pc_world {
	enum ipsp_dir dir;
	struct pc_secrets *secrets;
	struct ipsp_platform platform;
	void *region;
	struct ipsp_engine *engine;
	struct ipsp_worker *worker;
	struct ipsp_reassembly *reassembly;
	uint64_t generation, counter_ids;
	uint32_t n_sorted;
	uint32_t sorted[PC_SAS_MAX];	/* indexes of secrets, by protocol, SPI and address */
	struct slot slots[SLOTS];
};

/* Ids of SAs, which are also their interfaces' numbers: lines first, then slots, then lines' IPComp. */
static uint32_t line_id(uint32_t at)
{
	return at + 1;
}

static uint32_t slot_id(const struct pc_world *w, uint32_t slot)
{
	return w->secrets->n + 1 + slot;
}

static uint32_t ipcomp_id(const struct pc_world *w, uint32_t at)
{
	return slot_id(w, SLOTS) + at;
}

/* By which entries name the SAs of a line. */
static uint32_t head_id(const struct pc_world *w, uint32_t at)
{
	return w->secrets->sas[at]->cpi ? ipcomp_id(w, at) : line_id(at);
}

/* ---- the index of lines ---- */

static int key_cmp(uint32_t spi_a, const struct ipsp_addr *a, uint32_t spi_b,
		   const struct ipsp_addr *b)
{
	if (spi_a != spi_b)
		return spi_a < spi_b ? -1 : 1;
	return ipsp_addr_cmp(a, b);
}

static int name_cmp(uint8_t proto, uint32_t spi, const struct ipsp_addr *dst,
		    const struct ipsp_sa_config *sa)
{
	if (proto != sa->proto)
		return proto < sa->proto ? -1 : 1;
	return key_cmp(spi, dst, sa->spi, &sa->local);
}

static int sorted_cmp(const void *a, const void *b, void *arg)
{
	struct pc_secret *const *sas = arg;
	const struct ipsp_sa_config *x = &sas[*(const uint32_t *)a]->sa;
	const struct ipsp_sa_config *y = &sas[*(const uint32_t *)b]->sa;

	return name_cmp(x->proto, x->spi, &x->local, y);
}

static void sort_lines(struct pc_world *w)
{
	for (uint32_t i = 0; i < w->secrets->n; i++) {
		if (!w->secrets->sas[i]->any)
			w->sorted[w->n_sorted++] = i;
	}
	qsort_r(w->sorted, w->n_sorted, sizeof(w->sorted[0]), sorted_cmp, w->secrets->sas);
}

static bool line_find(const struct pc_world *w, uint8_t proto, uint32_t spi,
		      const struct ipsp_addr *dst, uint32_t *at)
{
	uint32_t low = 0, high = w->n_sorted;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct ipsp_sa_config *sa = &w->secrets->sas[w->sorted[middle]]->sa;
		int order = name_cmp(proto, spi, dst, sa);

		if (order == 0) {
			*at = w->sorted[middle];
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* ---- what is installed ---- */

static bool line_wrong(const struct pc_world *w, const struct pc_secret *s, struct pc_diag *d,
		       const char *why)
{
	pc_diag_set(d, "%s:%u: %s", w->secrets->files[s->file], s->line, why);
	return false;
}

/* A line's address is the peer's here: outer destination, or the packets' own. */
static bool make_outbound(const struct pc_world *w, struct pc_secret *s, bool weak,
			  struct pc_diag *d)
{
	struct ipsp_sa_config *sa = &s->sa;

	if (s->any)
		return line_wrong(w, s, d, "an SA that is to seal needs an SPI and an address");
	if (sa->integ > ANALYSIS_INTEG_UNCHECKED)
		return line_wrong(w, s, d, "nothing can be sealed without the integrity key");
	if (sa->integ == ANALYSIS_INTEG_UNCHECKED && !weak)
		return line_wrong(w, s, d, "ESP without integrity: it needs --allow-weak");
	if (sa->mode == IPSP_MODE_ANY)
		sa->mode = s->from.family ? IPSP_MODE_TUNNEL : IPSP_MODE_TRANSPORT;
	if (sa->mode == IPSP_MODE_TUNNEL && !s->from.family)
		return line_wrong(w, s, d, "tunnel mode needs from=ADDRESS");
	sa->remote = sa->local;
	sa->local = s->from;
	if (s->n_selectors > 0)
		return true;
	ipsp_selector_any(4, &s->selectors[0]);
	ipsp_selector_any(6, &s->selectors[1]);
	s->n_selectors = 2;
	if (sa->mode == IPSP_MODE_TRANSPORT) {
		s->selectors[0] = s->selectors[sa->remote.family == 6];
		s->selectors[0].dst_lo = s->selectors[0].dst_hi = sa->remote;
		s->n_selectors = 1;
	}
	return true;
}

static bool prepare_sas(struct pc_world *w, bool weak, struct pc_diag *d)
{
	for (uint32_t i = 0; i < w->secrets->n; i++) {
		struct pc_secret *s = w->secrets->sas[i];

		s->sa.id = line_id(i);
		s->sa.counter_id = ++w->counter_ids;
		s->sa.dir = (uint8_t)w->dir;
		if (w->dir == IPSP_OUTBOUND && !make_outbound(w, s, weak, d))
			return false;
	}
	return true;
}

/* What both sides need: room for the entries and lists of one generation. */
struct policy {
	struct ipsp_selector any[2];
	struct ipsp_spd_entry entries[PC_SAS_MAX + SLOTS];
	struct ipsp_spd_list lists[PC_SAS_MAX + SLOTS];
	uint32_t n_lists;
	struct ipsp_sa_config *sas;	/* locked memory: they have keys in them */
	uint32_t n_sas;
	uint32_t lines[2 * PC_SAS_MAX];	/* of each SA */
	enum ipsp_err results[2 * PC_SAS_MAX];
};

static void inbound_list(struct policy *p, uint32_t id, uint32_t sa_id)
{
	struct ipsp_spd_entry *entry = &p->entries[p->n_lists];

	*entry = (struct ipsp_spd_entry){
		.id = id, .action = IPSP_PROTECT, .sa_id = sa_id, .n_selectors = 2,
		.selectors = p->any,
	};
	p->lists[p->n_lists++] = (struct ipsp_spd_list){
		.ifindex = id, .dir = IPSP_INBOUND, .n_entries = 1, .entries = entry,
	};
}

static void inbound_policy(const struct pc_world *w, struct policy *p)
{
	for (uint32_t i = 0; i < w->n_sorted; i++)
		inbound_list(p, line_id(w->sorted[i]), head_id(w, w->sorted[i]));
	for (uint32_t i = 0; w->secrets->any && i < SLOTS; i++)
		inbound_list(p, slot_id(w, i), slot_id(w, i));
}

static void outbound_policy(const struct pc_world *w, struct policy *p)
{
	const struct pc_secrets *secrets = w->secrets;

	for (uint32_t i = 0; i < secrets->n; i++)
		p->entries[i] = (struct ipsp_spd_entry){
			.id = line_id(i), .action = IPSP_PROTECT, .sa_id = head_id(w, i),
			.n_selectors = secrets->sas[i]->n_selectors,
			.selectors = secrets->sas[i]->selectors,
		};
	p->entries[secrets->n] = (struct ipsp_spd_entry){
		.id = line_id(secrets->n), .action = IPSP_BYPASS, .n_selectors = 2,
		.selectors = p->any,
	};
	p->lists[p->n_lists++] = (struct ipsp_spd_list){
		.ifindex = OUTBOUND_IFINDEX, .dir = IPSP_OUTBOUND, .n_entries = secrets->n + 1,
		.entries = p->entries,
	};
}

static const char *refusal(enum ipsp_err err)
{
	switch (err) {
	case IPSP_ECRYPTO:
		return "the crypto library refuses the key";
	case IPSP_EINVAL:
		return "this SA cannot be";
	default:
		return ipsp_err_text(err);
	}
}

static bool apply(struct pc_world *w, struct policy *p, struct pc_diag *d)
{
	const struct ipsp_update update = {
		.spd = { .generation = ++w->generation, .full = true, .n_lists = p->n_lists,
			 .lists = p->lists },
		.n_sas = p->n_sas, .sas = p->sas,
	};
	enum ipsp_err err = ipsp_engine_apply(w->engine, &update, NOW_S, p->results);

	if (err != IPSP_OK) {
		pc_diag_set(d, "the engine does not start: %s", ipsp_err_text(err));
		return false;
	}
	for (uint32_t i = 0; i < p->n_sas; i++) {
		if (p->results[i] != IPSP_OK)
			return line_wrong(w, w->secrets->sas[p->lines[i]], d,
					  refusal(p->results[i]));
	}
	return true;
}

/* Would the line without SPI do? */
static bool try_any(const struct pc_world *w, struct pc_diag *d)
{
	const struct ipsp_crypto *crypto = w->platform.crypto;
	struct ipsp_crypto_ctx *ctx;
	enum ipsp_err err;

	if (!w->secrets->any)
		return true;
	err = crypto->ctx_new(&w->secrets->any->sa, 1, &ctx);
	if (err != IPSP_OK)
		return line_wrong(w, w->secrets->any, d, refusal(err));
	crypto->ctx_free(ctx);
	return true;
}

static void wipe_keys(struct pc_secrets *secrets)
{
	for (uint32_t i = 0; i < secrets->n; i++) {
		if (secrets->sas[i] == secrets->any)
			continue;
		ipsp_key_wipe(&secrets->sas[i]->sa.encr_key);
		ipsp_key_wipe(&secrets->sas[i]->sa.integ_key);
	}
}

/* Compression inside of the line's SA, whose mode it takes: around it there is transport mode. */
static void add_ipcomp(struct pc_world *w, struct policy *p, uint32_t at)
{
	struct ipsp_sa_config *sa = &p->sas[p->n_sas - 1];
	const uint32_t id = ipcomp_id(w, at);

	p->lines[p->n_sas] = at;
	p->sas[p->n_sas++] = (struct ipsp_sa_config){
		.id = id, .counter_id = ++w->counter_ids, .bundle_id = id,
		.next_id = sa->id, .dir = sa->dir, .proto = IPSP_PROTO_IPCOMP, .mode = sa->mode,
		.df = sa->df, .spi = w->secrets->sas[at]->cpi, .encr = IPSP_COMP_DEFLATE,
		.local = sa->local, .remote = sa->remote,
	};
	sa->bundle_id = id;
	sa->mode = IPSP_MODE_TRANSPORT;
}

static bool install(struct pc_world *w, struct pc_diag *d)
{
	struct policy *p = calloc(1, sizeof(*p));
	bool good = false;

	if (p)
		p->sas = gcry_calloc_secure(2 * w->secrets->n + 1, sizeof(*p->sas));
	if (!p || !p->sas) {
		pc_diag_set(d, "out of memory");
	} else {
		ipsp_selector_any(4, &p->any[0]);
		ipsp_selector_any(6, &p->any[1]);
		for (uint32_t i = 0; i < w->n_sorted; i++) {
			p->lines[p->n_sas] = w->sorted[i];
			p->sas[p->n_sas++] = w->secrets->sas[w->sorted[i]]->sa;
			if (w->secrets->sas[w->sorted[i]]->cpi)
				add_ipcomp(w, p, w->sorted[i]);
		}
		if (w->dir == IPSP_INBOUND)
			inbound_policy(w, p);
		else
			outbound_policy(w, p);
		good = apply(w, p, d) && try_any(w, d);
	}
	if (p)
		gcry_free(p->sas);
	free(p);
	wipe_keys(w->secrets);
	return good;
}

static uint32_t counter_slots(uint32_t n)
{
	uint32_t slots = 16;

	while (slots / 4 * 3 < n)
		slots *= 2;
	return slots;
}

static bool make_engine(struct pc_world *w, struct pc_diag *d)
{
	struct ipsp_engine_config config = { .platform = &w->platform };
	enum ipsp_err err = IPSP_ENOMEM;

	ipsp_platform_hosted(&w->platform, ipsp_crypto_analysis());
	w->platform.compress = ipsp_compress_zlib();
	config.counters_size =
		(ipsp_counters_size(counter_slots(2 * w->secrets->n + 2 * SLOTS)) + 63) / 64 * 64;
	w->region = aligned_alloc(64, config.counters_size);
	if (w->region) {
		memset(w->region, 0, config.counters_size);
		config.counters = w->region;
		err = ipsp_engine_new(&config, &w->engine);
	}
	if (err == IPSP_OK)
		err = ipsp_worker_new(w->engine, &w->worker);
	if (err == IPSP_OK)
		err = ipsp_reassembly_new(&w->platform, DATAGRAMS, DATAGRAM_S, &w->reassembly);
	if (err != IPSP_OK)
		pc_diag_set(d, "the engine does not start: %s", ipsp_err_text(err));
	return err == IPSP_OK;
}

bool pc_world_new(enum ipsp_dir dir, struct pc_secrets *secrets, bool weak, struct pc_world **out,
		  struct pc_diag *d)
{
	struct pc_world *w = calloc(1, sizeof(*w));

	if (!w) {
		pc_diag_set(d, "out of memory");
		return false;
	}
	w->dir = dir;
	w->secrets = secrets;
	sort_lines(w);
	if (!make_engine(w, d) || !prepare_sas(w, weak, d) || !install(w, d)) {
		pc_world_free(w);
		return false;
	}
	*out = w;
	return true;
}

void pc_world_free(struct pc_world *w)
{
	if (!w)
		return;
	if (w->reassembly)
		ipsp_reassembly_free(&w->platform, w->reassembly);
	ipsp_worker_free(w->worker);
	ipsp_engine_free(w->engine);
	free(w->region);
	free(w);
}

/* ---- SAs made from the line without SPI ---- */

static uint32_t slot_of(uint32_t spi, const struct ipsp_addr *dst)
{
	uint32_t hash = spi;

	for (size_t i = 0; i < sizeof(dst->octets); i++)
		hash = hash * 31 + dst->octets[i];
	return (hash ^ hash >> 16) % SLOTS;
}

/* The slot's SA, in place of the one that was there: what that had counted is forgotten. */
static bool slot_fill(struct pc_world *w, uint32_t at, uint32_t spi, const struct ipsp_addr *dst)
{
	struct ipsp_sa_config *sa = &w->secrets->any->sa;
	const struct ipsp_update update = {
		.spd = { .generation = ++w->generation }, .n_sas = 1, .sas = sa,
	};
	enum ipsp_err result;

	sa->id = slot_id(w, at);
	sa->counter_id = ++w->counter_ids;
	sa->spi = spi;
	sa->local = *dst;
	w->slots[at].used = ipsp_engine_apply(w->engine, &update, NOW_S, &result) == IPSP_OK &&
			    result == IPSP_OK;
	w->slots[at].spi = spi;
	w->slots[at].dst = *dst;
	return w->slots[at].used;
}

bool pc_world_find(struct pc_world *w, uint8_t proto, uint32_t spi, const struct ipsp_addr *dst,
		   uint32_t *ifindex)
{
	uint32_t at;

	if (line_find(w, proto, spi, dst, &at)) {
		*ifindex = line_id(at);
		return true;
	}
	if (!w->secrets->any || proto != IPSP_PROTO_ESP)
		return false;
	at = slot_of(spi, dst);
	if (!(w->slots[at].used && !key_cmp(spi, dst, w->slots[at].spi, &w->slots[at].dst)) &&
	    !slot_fill(w, at, spi, dst))
		return false;
	*ifindex = slot_id(w, at);
	return true;
}

/* ---- packets ---- */

void pc_world_process(struct pc_world *w, struct ipsp_packet *packet, uint32_t ifindex)
{
	packet->ifindex = w->dir == IPSP_INBOUND ? ifindex : OUTBOUND_IFINDEX;
	/* Each SA is an interface of its own, so layers are taken one by one. */
	packet->flags |= IPSP_PKT_ONE_BUNDLE;
	if (w->dir == IPSP_INBOUND)
		ipsp_engine_inbound(w->worker, packet, 1, NOW_S);
	else
		ipsp_engine_outbound(w->worker, packet, 1, NOW_S);
}

enum ipsp_reassembly_result pc_world_join(struct pc_world *w, struct ipsp_packet *packet,
					  const struct ipsp_flow *flow, uint64_t now_s,
					  enum ipsp_reason *reason)
{
	return ipsp_reassemble(w->reassembly, packet, flow, now_s, reason);
}

bool pc_world_has(const struct pc_world *w, const struct ipsp_flow *flow, uint64_t now_s)
{
	return ipsp_reassembly_has(w->reassembly, flow, now_s);
}

const struct pc_secret *pc_world_secret(const struct pc_world *w, const struct ipsp_sa *sa)
{
	const uint32_t first = ipcomp_id(w, 0);

	return w->secrets->sas[sa->id >= first ? sa->id - first : sa->id - line_id(0)];
}
