/*
 * pfkey/sas.c - the messages about SAs. RFC 2367 3.1.1 to 3.1.6, 3.1.8 and 3.1.9.
 *
 * What they say becomes a configuration of the core and goes into its SAD; what the SAD does not
 * keep goes into a record. A message that is refused has changed nothing.
 */
#include <errno.h>
#include <linux/ipsec.h>
#include <string.h>

#include "pfkey/algs.h"
#include "pfkey/server_int.h"

#define SD (PFKEY_HAS(SADB_EXT_ADDRESS_SRC) | PFKEY_HAS(SADB_EXT_ADDRESS_DST))
#define SA PFKEY_HAS(SADB_EXT_SA)
#define HARD PFKEY_HAS(SADB_EXT_LIFETIME_HARD)
#define SOFT PFKEY_HAS(SADB_EXT_LIFETIME_SOFT)
#define KEYS (PFKEY_HAS(SADB_EXT_KEY_AUTH) | PFKEY_HAS(SADB_EXT_KEY_ENCRYPT))

#define WINDOW_MIN 32u
#define CPI_MAX 61439u		/* those above are private: RFC 3173 3.3 */

static bool name_of(const struct pfkey_msg *m, struct ipsp_sa_name *out)
{
	*out = (struct ipsp_sa_name){ .proto = pfkey_proto_of(m->satype), .spi = m->sa.spi,
				      .dst = m->dst.addr };
	return out->proto != 0;
}

/* ---- configurations ---- */

static uint32_t window_of(uint8_t replay)
{
	uint32_t window = WINDOW_MIN;

	while (window < replay)
		window *= 2;
	return window;
}

/* Linux takes an SA without a mode as transport mode; RFC 2367's proxy is of a tunnel (2.3.3). */
static uint8_t mode_of(const struct pfkey_msg *m)
{
	if (m->has & PFKEY_HAS(SADB_X_EXT_SA2) && m->sa2.mode != IPSEC_MODE_ANY)
		return m->sa2.mode == IPSEC_MODE_TUNNEL ? IPSP_MODE_TUNNEL : IPSP_MODE_TRANSPORT;
	return m->has & PFKEY_HAS(SADB_EXT_ADDRESS_PROXY) ? IPSP_MODE_TUNNEL : IPSP_MODE_TRANSPORT;
}

static uint32_t reqid_of(const struct pfkey_msg *m)
{
	return m->has & PFKEY_HAS(SADB_X_EXT_SA2) ? m->sa2.reqid : 0;
}

static void set_lifetimes(const struct pfkey_msg *m, struct ipsp_sa_config *cfg)
{
	if (m->has & HARD) {
		cfg->life_s = m->hard.add_s;
		cfg->life_use_s = m->hard.use_s;
		cfg->life_bytes = m->hard.bytes;
		cfg->life_packets = m->hard.allocations;
	}
	if (m->has & SOFT) {
		cfg->soft_s = m->soft.add_s;
		cfg->soft_use_s = m->soft.use_s;
		cfg->soft_bytes = m->soft.bytes;
		cfg->soft_packets = m->soft.allocations;
	}
}

static void set_handling(const struct pfkey_handling *h, struct ipsp_sa_config *cfg)
{
	const bool tunnel = cfg->mode == IPSP_MODE_TUNNEL;
	const bool out = tunnel && cfg->dir == IPSP_OUTBOUND;

	if (h->window_pkts != 0 && cfg->replay)
		cfg->replay_window_pkts = h->window_pkts;
	cfg->idle_s = h->idle_s;
	cfg->idle_with = h->idle_with;
	if (!tunnel)
		return;
	cfg->df = h->df;
	cfg->ecn = h->ecn;
	cfg->dscp_set = out && h->dscp >= 0;
	cfg->dscp = cfg->dscp_set ? (uint8_t)h->dscp : 0;
	cfg->tfc_pad = out && cfg->proto == IPSP_PROTO_ESP ? h->tfc_pad : 0;
	cfg->dummy_s = out && cfg->proto == IPSP_PROTO_ESP ? h->dummy_s : 0;
}

/* All but algorithms and keys. */
static void set_config(const struct pfkey_msg *m, enum ipsp_dir dir, struct ipsp_sa_config *cfg)
{
	*cfg = (struct ipsp_sa_config){
		.origin = IPSP_ORIGIN_PFKEY, .dir = (uint8_t)dir,
		.proto = pfkey_proto_of(m->satype), .mode = mode_of(m),
		.df = m->sa.flags & SADB_SAFLAGS_NOPMTUDISC ? IPSP_DF_CLEAR : IPSP_DF_COPY,
		.ecn = m->sa.flags & SADB_SAFLAGS_NOECN ? IPSP_ECN_NONE : IPSP_ECN_NORMAL,
		.esn = m->sa.flags & PFKEY_SAFLAGS_ESN,
		.replay = m->sa.replay != 0 && m->satype != SADB_X_SATYPE_IPCOMP,
		.spi = m->sa.spi, .replay_window_pkts = window_of(m->sa.replay),
		.reqid = reqid_of(m),
		.local = dir == IPSP_INBOUND ? m->dst.addr : m->src.addr,
		.remote = dir == IPSP_INBOUND ? m->src.addr : m->dst.addr,
	};
	set_lifetimes(m, cfg);
	if (m->has & PFKEY_HAS(PFKEY_EXT_HANDLING))
		set_handling(&m->handling, cfg);
	if (m->has & PFKEY_HAS(SADB_X_EXT_NAT_T_TYPE))
		cfg->encap = (struct ipsp_encap){ .type = m->natt_type, .sport = m->natt_sport,
						  .dport = m->natt_dport };
	if (m->has & PFKEY_HAS(SADB_X_EXT_NAT_T_OA))
		cfg->encap.orig_src = m->natt_oa.addr;
}

/*
 * IPComp inside ESP or AH: each names the other, which is there, if only as an SPI that was asked for. Outbound
 * the inner one alone does so, as the other one is made before it. @return 0; EINVAL, ESRCH
 */
static int set_bundle(const struct pfkey_server *s, const struct pfkey_msg *m,
		      struct ipsp_sa_config *cfg)
{
	const struct pfkey_handling *h = &m->handling;
	const struct ipsp_sa_name name = { h->with_proto, h->with_spi, m->dst.addr };
	const bool inside = cfg->proto == IPSP_PROTO_IPCOMP;
	const struct ipsp_sa *sa;

	if (!(m->has & PFKEY_HAS(PFKEY_EXT_HANDLING)) || h->with_spi == 0)
		return 0;
	if ((h->with_proto == IPSP_PROTO_IPCOMP) == inside)
		return EINVAL;
	sa = ipsp_engine_sa_get(s->config.engine, &name);
	if (!sa || sa->origin != IPSP_ORIGIN_PFKEY || sa->dir != cfg->dir)
		return ESRCH;
	if (inside)
		cfg->next_id = sa->id;
	else
		cfg->bundle_id = sa->id;
	return 0;
}

/* An SA carries what the message says; if it answers an ACQUIRE, only what that was for. */
static void set_traffic(const struct pfkey_server *s, const struct pfkey_msg *m,
			struct ipsp_selector boxes[IPSP_SA_BOXES_MAX], struct ipsp_sa_config *cfg)
{
	const struct ipsp_acquire *a = ipsp_engine_acquire(s->config.engine, m->seq);
	const size_t n = pfkey_n_traffic(m);

	for (size_t i = 0; i < n; i++)
		pfkey_traffic_at(m, i, &boxes[i]);
	cfg->boxes = boxes;
	cfg->n_boxes = (uint32_t)n;
	for (unsigned i = 0; a && cfg->dir == IPSP_OUTBOUND && i < a->n_templates; i++) {
		const struct ipsp_template *t = &a->templates[i];

		if (t->pfp != 0 && t->proto == cfg->proto && t->reqid == cfg->reqid &&
		    ipsp_addr_cmp(&t->remote, &cfg->remote) == 0)
			cfg->sel = a->sel;
	}
	/* One set is its selector, by which packets find it. */
	if (cfg->sel.family == 0 && n == 1) {
		cfg->sel = boxes[0];
		cfg->n_boxes = 0;
	}
}

/* What an SA carries stays as it is. */
static void keep_traffic(const struct ipsp_sa *sa, struct ipsp_sa_config *cfg)
{
	cfg->sel = sa->sel;
	cfg->boxes = sa->boxes;
	cfg->n_boxes = sa->n_boxes;
}

static void wipe(struct ipsp_sa_config *cfg)
{
	ipsp_key_wipe(&cfg->encr_key);
	ipsp_key_wipe(&cfg->integ_key);
}

/* ---- telling ---- */

static uint8_t state_of(const struct ipsp_sa *sa)
{
	/* Ours are RFC 2367's, in its order. */
	return atomic_load_explicit(&sa->state, memory_order_relaxed);
}

static void set_current(const struct pfkey_server *s, const struct ipsp_sa *sa,
			uint64_t made_wall_s, struct pfkey_lifetime *out)
{
	const uint64_t used_s = atomic_load_explicit(&sa->first_used_s, memory_order_relaxed);
	const struct ipsp_counter *c = sa->counter;

	*out = (struct pfkey_lifetime){ .add_s = made_wall_s };
	if (c) {
		out->allocations = (uint32_t)atomic_load_explicit(&c->packets,
								  memory_order_relaxed);
		out->bytes = atomic_load_explicit(&c->bytes, memory_order_relaxed);
	}
	if (used_s != 0 && used_s <= s->now_s)
		out->use_s = s->wall_s - (s->now_s - used_s);
}

static void set_address(const struct ipsp_addr *a, uint8_t family, struct pfkey_address *out)
{
	*out = (struct pfkey_address){ .addr = *a };
	out->addr.family = a->family ? a->family : family ? family : 4;
}

/* An SA of which there is no record: policy's own. Its keys are not for telling. */
static void describe(const struct pfkey_server *s, const struct ipsp_sa *sa, struct pfkey_msg *out)
{
	const bool in = sa->dir == IPSP_INBOUND;
	const uint8_t family = sa->remote.family ? sa->remote.family : sa->local.family;

	*out = (struct pfkey_msg){ .satype = pfkey_satype_of(sa->proto), .has = SA | SD };
	out->sa = (struct pfkey_sa){
		.spi = sa->spi, .auth = pfkey_alg_auth(sa->integ),
		.encrypt = pfkey_alg_encrypt(sa->proto, sa->encr),
		.replay = (uint8_t)(!sa->replay ? 0 : sa->replay_window_pkts > 255 ? 255 :
				    sa->replay_window_pkts),
		.flags = sa->esn ? PFKEY_SAFLAGS_ESN : 0,
	};
	set_address(in ? &sa->remote : &sa->local, family, &out->src);
	set_address(in ? &sa->local : &sa->remote, family, &out->dst);
	out->has |= PFKEY_HAS(SADB_X_EXT_SA2);
	out->sa2 = (struct pfkey_sa2){ .mode = sa->mode == IPSP_MODE_TUNNEL ? IPSEC_MODE_TUNNEL :
								   IPSEC_MODE_TRANSPORT,
				       .reqid = sa->reqid };
	(void)s;
}

/* All that can be told of it now. Borrows from its record. */
static void look_at(const struct pfkey_server *s, const struct ipsp_sa *sa, struct pfkey_msg *out)
{
	const struct pfkey_record *record = pfkey_record_find(&s->records, sa->id);

	if (record)
		pfkey_record_read(record, out);
	else
		describe(s, sa, out);
	out->sa.state = state_of(sa);
	set_current(s, sa, record ? record->made_wall_s : 0, &out->current);
	out->has |= PFKEY_HAS(SADB_EXT_LIFETIME_CURRENT);
}

size_t pfkey_sa_message(struct pfkey_server *s, const struct ipsp_sa *sa, bool with_keys,
			uint8_t type, uint32_t seq, uint32_t pid, uint8_t *out, size_t size)
{
	struct pfkey_writer w;
	struct pfkey_msg m;

	look_at(s, sa, &m);
	pfkey_begin(&w, out, size, type, m.satype, seq, pid);
	pfkey_put_some(&w, &m, with_keys ? ~UINT64_C(0) : ~KEYS);
	return pfkey_end(&w);
}

/* There is no memory for its record: takes an SA out that was just put in. */
static int take_back(struct pfkey_server *s, const struct ipsp_sa *sa, const struct pfkey_msg *m)
{
	const struct ipsp_sa_name name = { sa->proto, sa->spi, m->dst.addr };
	const enum ipsp_err err = ipsp_engine_sa_delete(s->config.engine, &name);

	return err ? pfkey_errno(err) : ENOMEM;
}

/* ---- GETSPI ---- */

int pfkey_getspi(struct pfkey_client *c, const struct pfkey_msg *m)
{
	struct pfkey_server *s = c->server;
	struct pfkey_msg larval = *m;
	const struct ipsp_sa *sa;
	struct ipsp_spi_request r = {
		.proto = pfkey_proto_of(m->satype), .mode = mode_of(m), .reqid = reqid_of(m),
		.src = m->src.addr, .dst = m->dst.addr, .spi_min = 256,
		.spi_max = m->satype == SADB_X_SATYPE_IPCOMP ? CPI_MAX : UINT32_MAX,
	};

	if (r.proto == 0)
		return EINVAL;
	if (m->has & PFKEY_HAS(SADB_EXT_SPIRANGE)) {
		r.spi_min = m->spi_min;
		r.spi_max = m->spi_max;
	}
	if (r.spi_min > r.spi_max || r.spi_max < 256)
		return EINVAL;
	const enum ipsp_err err = ipsp_engine_sa_getspi(s->config.engine, &r, s->now_s, &sa);

	if (err)
		return err == IPSP_ENOSPC ? EEXIST : pfkey_errno(err);
	larval.has = (m->has & ~PFKEY_HAS(SADB_EXT_SPIRANGE)) | SA;
	larval.sa = (struct pfkey_sa){ .spi = sa->spi, .state = SADB_SASTATE_LARVAL };
	if (!pfkey_record_put(&s->records, sa->id, &larval, s->wall_s))
		return take_back(s, sa, m);
	pfkey_answer(c, PFKEY_TO_ALL, &larval, SA | SD);
	return 0;
}

/* ---- ADD, UPDATE ---- */

/* An SA with keys, new or in the place of a larval one. */
static int install(struct pfkey_client *c, const struct pfkey_msg *m, enum ipsp_dir dir,
		   const struct ipsp_sa_name *larval)
{
	struct pfkey_server *s = c->server;
	struct ipsp_selector boxes[IPSP_SA_BOXES_MAX];
	struct ipsp_sa_config cfg;
	const struct ipsp_sa *sa;
	enum ipsp_err err;

	set_config(m, dir, &cfg);
	set_traffic(s, m, boxes, &cfg);
	int bad = set_bundle(s, m, &cfg);

	if (!bad)
		bad = pfkey_algs_to_config(m, &cfg);
	if (bad) {
		wipe(&cfg);
		return bad;
	}
	if (larval)
		err = ipsp_engine_sa_update(s->config.engine, larval, &cfg, s->now_s, &sa);
	else
		err = ipsp_engine_sa_add(s->config.engine, &cfg, s->now_s, &sa);
	wipe(&cfg);
	if (err)
		return pfkey_errno(err);
	if (!pfkey_record_put(&s->records, sa->id, m, s->wall_s))
		return take_back(s, sa, m);
	pfkey_answer(c, PFKEY_TO_ALL, m, ~PFKEY_HAS(SADB_X_EXT_KMPRIVATE));
	return 0;
}

int pfkey_add(struct pfkey_client *c, const struct pfkey_msg *m)
{
	const struct pfkey_server *s = c->server;

	if (pfkey_proto_of(m->satype) == 0 || m->sa.state != SADB_SASTATE_MATURE)
		return EINVAL;
	const bool in = s->config.is_local(s->config.ctx, &m->dst.addr);

	return install(c, m, in ? IPSP_INBOUND : IPSP_OUTBOUND, NULL);
}

static bool key_is(const struct pfkey_msg *old, const struct pfkey_msg *m, uint64_t ext,
		   const struct pfkey_key *was, const struct pfkey_key *is)
{
	if (!(m->has & ext))
		return true;
	return old->has & ext && was->bits == is->bits &&
	       memcmp(was->octets, is->octets, (is->bits + 7u) / 8) == 0;
}

static bool traffic_is(const struct pfkey_msg *old, const struct pfkey_msg *m)
{
	return m->traffic.len == 0 ||
	       (old->traffic.len == m->traffic.len &&
		memcmp(old->traffic.data, m->traffic.data, m->traffic.len) == 0);
}

/* RFC 2367 3.1.2: once there are keys, only lifetimes change; and the ports of a NAT, which nobody
 * can foresee. */
static bool may_become(const struct pfkey_msg *old, const struct pfkey_msg *m)
{
	return key_is(old, m, PFKEY_HAS(SADB_EXT_KEY_AUTH), &old->auth, &m->auth) &&
	       key_is(old, m, PFKEY_HAS(SADB_EXT_KEY_ENCRYPT), &old->encrypt, &m->encrypt) &&
	       old->sa.auth == m->sa.auth && old->sa.encrypt == m->sa.encrypt &&
	       old->sa.flags == m->sa.flags && mode_of(old) == mode_of(m) &&
	       traffic_is(old, m);
}

static int change(struct pfkey_client *c, const struct pfkey_msg *m, const struct ipsp_sa *sa)
{
	const uint64_t changes = HARD | SOFT | PFKEY_HAS(SADB_X_EXT_NAT_T_SPORT) |
				 PFKEY_HAS(SADB_X_EXT_NAT_T_DPORT);
	struct pfkey_server *s = c->server;
	const struct pfkey_record *record = pfkey_record_find(&s->records, sa->id);
	const struct ipsp_sa_name name = { sa->proto, sa->spi, m->dst.addr };
	struct ipsp_sa_config cfg;
	struct pfkey_msg next;

	if (!record)
		return EPERM;	/* policy's own */
	pfkey_record_read(record, &next);
	if (!may_become(&next, m))
		return EINVAL;
	next.has |= m->has & changes;
	if (m->has & HARD)
		next.hard = m->hard;
	if (m->has & SOFT)
		next.soft = m->soft;
	if (m->has & PFKEY_HAS(SADB_X_EXT_NAT_T_SPORT))
		next.natt_sport = m->natt_sport;
	if (m->has & PFKEY_HAS(SADB_X_EXT_NAT_T_DPORT))
		next.natt_dport = m->natt_dport;
	next.src = m->src;
	set_config(&next, (enum ipsp_dir)sa->dir, &cfg);
	keep_traffic(sa, &cfg);
	const uint64_t made_wall_s = record->made_wall_s;
	const enum ipsp_err err = ipsp_engine_sa_update(s->config.engine, &name, &cfg, s->now_s,
							&sa);

	if (err)
		return pfkey_errno(err);
	/* next borrows from the record that goes: what is put is made first. */
	if (!pfkey_record_put(&s->records, sa->id, &next, made_wall_s))
		return ENOMEM;
	pfkey_answer(c, PFKEY_TO_ALL, m, ~PFKEY_HAS(SADB_X_EXT_KMPRIVATE));
	return 0;
}

int pfkey_update(struct pfkey_client *c, const struct pfkey_msg *m)
{
	const struct pfkey_server *s = c->server;
	struct ipsp_sa_name name;

	if (!name_of(m, &name) || m->sa.state != SADB_SASTATE_MATURE)
		return EINVAL;
	const struct ipsp_sa *sa = ipsp_engine_sa_get(s->config.engine, &name);

	if (!sa)
		return ESRCH;
	switch (state_of(sa)) {
	case IPSP_SA_LARVAL:
		return install(c, m, (enum ipsp_dir)sa->dir, &name);
	case IPSP_SA_DEAD:
		return EINVAL;
	default:
		return change(c, m, sa);
	}
}

static void take_natt(struct pfkey_msg *next, const struct pfkey_msg *m)
{
	const uint64_t natt = PFKEY_HAS(SADB_X_EXT_NAT_T_TYPE) | PFKEY_HAS(SADB_X_EXT_NAT_T_SPORT) |
			      PFKEY_HAS(SADB_X_EXT_NAT_T_DPORT);

	next->has = (next->has & ~natt) | (m->has & natt);
	next->natt_type = m->natt_type;
	next->natt_sport = m->natt_sport;
	next->natt_dport = m->natt_dport;
}

int pfkey_sa_move(struct pfkey_server *s, const struct ipsp_sa *sa, const struct ipsp_addr *src,
		  const struct ipsp_addr *dst, const struct pfkey_msg *natt)
{
	const struct pfkey_record *record = pfkey_record_find(&s->records, sa->id);
	const struct ipsp_sa_name name = {
		sa->proto, sa->spi, sa->dir == IPSP_INBOUND ? sa->local : sa->remote,
	};
	struct ipsp_sa_config cfg;
	struct pfkey_msg next;

	if (!record)
		return EPERM;
	pfkey_record_read(record, &next);
	next.src.addr = *src;
	next.dst.addr = *dst;
	if (natt)
		take_natt(&next, natt);
	set_config(&next, (enum ipsp_dir)sa->dir, &cfg);
	keep_traffic(sa, &cfg);
	const uint64_t made_wall_s = record->made_wall_s;
	const enum ipsp_err err = ipsp_engine_sa_update(s->config.engine, &name, &cfg, s->now_s,
							&sa);

	if (err)
		return pfkey_errno(err);
	return pfkey_record_put(&s->records, sa->id, &next, made_wall_s) ? 0 : ENOMEM;
}

/* ---- DELETE, GET, FLUSH ---- */

int pfkey_delete(struct pfkey_client *c, const struct pfkey_msg *m)
{
	struct pfkey_server *s = c->server;
	struct ipsp_sa_name name;

	if (!name_of(m, &name))
		return EINVAL;
	const struct ipsp_sa *sa = ipsp_engine_sa_get(s->config.engine, &name);

	if (!sa)
		return ESRCH;
	if (sa->origin != IPSP_ORIGIN_PFKEY)
		return EPERM;	/* policy's own */
	/* The engine does not tell of larval ones that they go. */
	pfkey_record_drop(&s->records, sa->id);
	const enum ipsp_err err = ipsp_engine_sa_delete(s->config.engine, &name);

	if (err)
		return pfkey_errno(err);
	pfkey_answer(c, PFKEY_TO_ALL, m, SA | SD);
	return 0;
}

int pfkey_get(struct pfkey_client *c, const struct pfkey_msg *m)
{
	struct pfkey_server *s = c->server;
	uint8_t answer[PFKEY_MSG_MAX];
	struct ipsp_sa_name name;

	if (!name_of(m, &name))
		return EINVAL;
	const struct ipsp_sa *sa = ipsp_engine_sa_get(s->config.engine, &name);

	if (!sa)
		return ESRCH;
	const size_t len = pfkey_sa_message(s, sa, c->privileged, SADB_GET, m->seq, m->pid, answer,
					    sizeof(answer));

	pfkey_tell(s, PFKEY_TO_ONE, c, m->satype, answer, len);
	explicit_bzero(answer, len);
	return 0;
}

int pfkey_flush(struct pfkey_client *c, const struct pfkey_msg *m)
{
	const uint8_t proto = pfkey_proto_of(m->satype);

	if (m->satype != SADB_SATYPE_UNSPEC && proto == 0)
		return EINVAL;
	(void)ipsp_engine_sa_flush(c->server->config.engine, proto);
	pfkey_records_drop_type(&c->server->records, m->satype);
	pfkey_answer(c, PFKEY_TO_ALL, m, 0);
	return 0;
}

/* ---- EXPIRE ---- */

void pfkey_server_expired(struct pfkey_server *s, const struct ipsp_life_event *event,
			  uint64_t now_s, uint64_t wall_s)
{
	const bool is_soft = event->life == IPSP_LIFE_SOFT;
	const uint64_t which = is_soft ? SOFT : HARD;
	const struct ipsp_sa *sa = event->sa;
	uint8_t message[PFKEY_MSG_MAX];
	struct pfkey_writer w;
	struct pfkey_msg m;

	if (sa->origin != IPSP_ORIGIN_PFKEY)
		return;		/* policy's are its own affair */
	if (event->life == IPSP_LIFE_LARVAL) {	/* it just goes: RFC 2367 3.1.1 */
		pfkey_record_drop(&s->records, sa->id);
		return;
	}
	s->now_s = now_s;
	s->wall_s = wall_s;
	look_at(s, sa, &m);
	if (!(m.has & which))	/* its idle time was over */
		memset(&m.hard, 0, sizeof(m.hard));
	m.has |= which;
	pfkey_begin(&w, message, sizeof(message), SADB_EXPIRE, m.satype, 0, 0);
	pfkey_put_some(&w, &m, SA | SD | PFKEY_HAS(SADB_EXT_LIFETIME_CURRENT) | which);
	const size_t len = pfkey_end(&w);

	pfkey_tell(s, PFKEY_TO_REGISTERED, NULL, m.satype, message, len);
}

/* As Linux has it: from the old address and port to the new ones, of the SA only its SPI. */
void pfkey_server_moved(struct pfkey_server *s, const struct ipsp_sa *sa,
			const struct ipsp_addr *addr, uint16_t port)
{
	const struct pfkey_record *record = pfkey_record_find(&s->records, sa->id);
	uint8_t message[PFKEY_MSG_MAX];
	struct pfkey_writer w;
	struct pfkey_msg m;

	if (!record || sa->encap.type == IPSP_ENCAP_NONE)
		return;
	pfkey_record_read(record, &m);
	m.sa = (struct pfkey_sa){ .spi = sa->spi };
	m.src = (struct pfkey_address){ .addr = m.src.addr };
	m.src.prefix_len = (uint8_t)(ipsp_addr_size(m.src.addr.family) * 8);
	m.dst = (struct pfkey_address){ .addr = *addr };
	m.dst.prefix_len = (uint8_t)(ipsp_addr_size(addr->family) * 8);
	pfkey_begin(&w, message, sizeof(message), SADB_X_NAT_T_NEW_MAPPING, m.satype, 0, 0);
	pfkey_put_sa(&w, &m.sa);
	pfkey_put_address(&w, SADB_EXT_ADDRESS_SRC, &m.src);
	pfkey_put_natt_port(&w, SADB_X_EXT_NAT_T_SPORT, m.natt_sport);
	pfkey_put_address(&w, SADB_EXT_ADDRESS_DST, &m.dst);
	pfkey_put_natt_port(&w, SADB_X_EXT_NAT_T_DPORT, port);
	const size_t len = pfkey_end(&w);

	pfkey_tell(s, PFKEY_TO_REGISTERED, NULL, m.satype, message, len);
}

void pfkey_server_sa_gone(struct pfkey_server *s, const struct ipsp_sa *sa)
{
	if (sa->origin == IPSP_ORIGIN_PFKEY)
		pfkey_record_drop(&s->records, sa->id);
}
