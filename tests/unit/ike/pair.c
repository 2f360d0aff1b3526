/* tests/unit/ike/pair.c - two daemons in one process: see pair.h. */
#include "tests/unit/ike/pair.h"

#include <arpa/inet.h>
#include <gcrypt.h>
#include <stdio.h>
#include <string.h>
#include <sys/endian.h>
#include <time.h>

#include "engine/crypto/gcrypt.h"
#include "ike/internal.h"
#include "tests/fuzz/fuzz.h"

static struct ipsp_addr address(const char *text)
{
	struct ipsp_addr a = { .family = 4 };

	must(inet_pton(AF_INET, text, a.octets) == 1);
	return a;
}

/* Out: another source. In: what is for it goes to end 0, if it is to the port that stands for it. */
static bool through_nat(const struct pair *p, struct pair_datagram *d)
{
	const struct ipsp_addr outside = address("203.0.113.9");

	if (d->to == 1) {
		d->path.remote = outside;
		d->path.remote_port = (uint16_t)(d->path.remote_port + p->nat_shift);
		return true;
	}
	if (ipsp_addr_cmp(&d->path.local, &outside) != 0)
		return false;
	d->path.local = p->ends[0].addr;
	d->path.local_port = (uint16_t)(d->path.local_port - p->nat_shift);
	return d->path.local_port == 500 || d->path.local_port == 4500;
}

/* No answer to IKE_SA_INIT is longer than what it answers, unless that brought a cookie (a Notify comes first). */
static void look_at_init(struct pair_end *end, struct ipsp_span message)
{
	struct ike_header h;
	struct ike_fault why;

	if (!ike_header_read(message, &h, &why) || h.exchange != IKE_EXCHANGE_IKE_SA_INIT)
		return;
	if (!(h.flags & IKE_FLAG_RESPONSE)) {
		if (h.first_payload == IKE_PAYLOAD_N)
			end->init_len = SIZE_MAX;
		else if (end->init_len < message.len)
			end->init_len = message.len;
		return;
	}
	/* 0: somebody else than the other end asked. */
	const size_t max = end->pair->ends[end == &end->pair->ends[0]].init_len;

	must(max == 0 || message.len <= max);
}

static void on_send(void *arg, const struct ike_path *path, struct ipsp_span message)
{
	struct pair_end *const end = arg;
	struct pair *const p = end->pair;
	struct pair_datagram d = { .to = end == &p->ends[0], .len = message.len };
	unsigned n;

	must(message.len <= sizeof(d.octets));
	look_at_init(end, message);
	d.path = (struct ike_path){ path->remote, path->local, path->remote_port, path->local_port };
	memcpy(d.octets, message.data, message.len);
	end->n_sent++;
	if (p->nat && !through_nat(p, &d))
		return;
	n = p->fate ? p->fate(p, &d) : 1;
	for (; n > 0; n--) {
		must(p->n_wire < PAIR_DATAGRAMS_MAX);
		p->wire[p->n_wire++] = d;
	}
}

static void on_keepalive(void *arg, const struct ike_path *path)
{
	struct pair_end *const end = arg;

	end->n_keepalives++;
	end->kept = *path;
}

static void on_random(void *arg, uint8_t *out, size_t n)
{
	(void)arg;
	gcry_create_nonce(out, n);
}

static void on_run(void *arg, struct ike_job *job)
{
	struct pair_end *const end = arg;

	if (end->pair->keep_jobs) {
		must(end->n_jobs < 64);
		end->jobs[end->n_jobs++] = job;
		return;
	}
	ike_job_run(job);
	ike_job_done(end->world, job, end->pair->now_ms);
}

static void on_get_spi(void *arg, uint64_t ticket, uint8_t protocol, const struct ike_path *path)
{
	struct pair_end *const end = arg;

	(void)path;
	if (protocol == IKE_SAD_IPCOMP) {
		end->cpi_ticket = ticket;
		end->n_cpis += !end->no_cpi;
		if (!end->late_cpi)
			ike_spi_done(end->world, ticket, end->no_cpi ? 0 : ++end->last_cpi,
				     end->pair->now_ms);
		return;
	}
	ike_spi_done(end->world, ticket, ++end->next_spi, end->pair->now_ms);
}

static size_t put_keys(uint8_t *out, struct ipsp_span encr, struct ipsp_span integ)
{
	memcpy(out, encr.data, encr.len);
	memcpy(out + encr.len, integ.data, integ.len);
	return encr.len + integ.len;
}

static enum ipsp_err on_child_add(void *arg, const struct ike_child_sa *c)
{
	struct pair_end *const end = arg;
	struct pair_child *slot = end->children;

	while (slot->there)
		slot++;
	must(slot < end->children + PAIR_CHILDREN_MAX);
	must((c->cpi_in == 0) == (c->cpi_out == 0));
	*slot = (struct pair_child){ .there = true, .spi_in = c->spi_in, .spi_out = c->spi_out,
				      .cpi_in = c->cpi_in, .cpi_out = c->cpi_out,
				      .suite = *c->suite, .path = *c->path, .ours = *c->ours, .theirs = *c->theirs,
				     .transport = c->transport, .udp = c->udp,
				     .no_tfc = c->no_tfc, .fragments_also = c->fragments_also,
				     .replaces = c->replaces };
	slot->keys_len = put_keys(slot->keys_in, c->encr_in, c->integ_in);
	put_keys(slot->keys_out, c->encr_out, c->integ_out);
	return IPSP_OK;
}

static void on_child_delete(void *arg, uint8_t protocol, const struct ike_path *path, uint32_t spi_in,
			    uint32_t spi_out)
{
	struct pair_end *const end = arg;

	(void)path;
	(void)spi_out;
	if (protocol == IKE_SAD_IPCOMP) {
		must(end->n_cpis > 0);
		end->n_cpis--;
		return;
	}
	for (unsigned i = 0; i < PAIR_CHILDREN_MAX; i++) {
		if (!end->children[i].there || end->children[i].spi_in != spi_in)
			continue;
		end->children[i].there = false;
		end->n_cpis -= end->children[i].cpi_in != 0;
	}
}

static void on_child_move(void *arg, uint8_t protocol, uint32_t spi_in, const struct ike_path *to,
			  bool udp)
{
	struct pair_end *const end = arg;

	(void)protocol;
	for (unsigned i = 0; i < PAIR_CHILDREN_MAX; i++) {
		if (!end->children[i].there || end->children[i].spi_in != spi_in)
			continue;
		end->children[i].path = *to;
		end->children[i].udp = udp;
	}
}

static bool on_source(void *arg, const struct ipsp_addr *remote, struct ipsp_addr *out)
{
	const struct pair_end *const end = arg;

	(void)remote;
	*out = end->addr;
	return end->addr.family != 0;
}

static void on_log(void *arg, enum ike_level level, const char *who, const char *text)
{
	struct pair_end *const end = arg;

	(void)level;
	snprintf(end->last_log, sizeof(end->last_log), "%s: %s", who, text);
	if (end->logs_len + sizeof(end->last_log) < sizeof(end->logs))
		end->logs_len += (size_t)snprintf(end->logs + end->logs_len,
						  sizeof(end->logs) - end->logs_len, "%s\n",
						  end->last_log);
}

static void on_event(void *arg, const struct ike_event *e)
{
	struct pair_end *const end = arg;
	struct pair_event *const to = &end->events[end->n_events];

	must(end->n_events < PAIR_EVENTS_MAX);
	end->n_events++;
	*to = (struct pair_event){ .kind = e->kind, .end = e->end, .initiator = e->initiator };
	if (e->remote)
		to->remote = *e->remote;
	snprintf(to->text, sizeof(to->text), "%s", e->text);
}

static int64_t on_wall_s(void *arg)
{
	const struct pair_end *const end = arg;

	return time(NULL) + end->wall_skew_s;
}

static void on_fetch(void *arg, uint64_t ticket, const char *url, struct ipsp_span post)
{
	struct pair_end *const end = arg;
	struct pair *const p = end->pair;
	struct ipsp_span answer;

	if (p->late_fetch) {
		p->late_fetch(arg, ticket, url, post);
		return;
	}
	answer = p->fetch ? p->fetch(p, url, post) : (struct ipsp_span){ 0 };
	ike_fetch_done(end->world, ticket, answer, p->now_ms);
}

static struct ike_selector side(const char *lo, const char *hi)
{
	return (struct ike_selector){ .lo = address(lo), .hi = address(hi), .port_hi = 65535 };
}

static struct ike_conn *make_conn(unsigned end, const char *const names[2],
				  const struct ipsp_addr addrs[2])
{
	static const char secret[] = "a secret of both";
	struct ike_conn *const c = ike_conn_new();
	struct ike_offer *const ike = &c->offers.offers[0], *const esp = &c->child.offers.offers[0];

	c->local = addrs[end];
	must(ike_identity_make(IKE_ID_FQDN, names[end], &c->local_id));
	c->n_peers = 1;
	c->peers[0].address = addrs[!end];
	must(ike_identity_make(IKE_ID_FQDN, names[!end], &c->peers[0].id));
	c->peers[0].secret = ike_secret_new((struct ipsp_span){ (const uint8_t *)secret,
								sizeof(secret) - 1 });
	c->offers.n = 1;
	*ike = (struct ike_offer){ .number = 1, .protocol = IKE_PROTOCOL_IKE };
	ike_offer_add(ike, IKE_TRANSFORM_ENCR, 20, 128);
	ike_offer_add(ike, IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256, 0);
	ike_offer_add(ike, IKE_TRANSFORM_KE, IKE_KE_CURVE25519, 0);
	c->has_child = true;
	c->child.offers.n = 1;
	*esp = (struct ike_offer){ .number = 1, .protocol = IKE_PROTOCOL_ESP };
	ike_offer_add(esp, IKE_TRANSFORM_ENCR, 12, 256);
	ike_offer_add(esp, IKE_TRANSFORM_INTEG, 12, 0);
	ike_offer_add(esp, IKE_TRANSFORM_KE, IKE_KE_CURVE25519, 0);
	ike_offer_add(esp, IKE_TRANSFORM_KE, 0, 0);
	ike_offer_add(esp, IKE_TRANSFORM_ESN, 0, 0);
	c->child.ours.n = c->child.theirs.n = 1;
	c->child.ours.s[0] = end == 0 ? side("10.1.0.0", "10.1.255.255") :
					side("10.2.0.0", "10.2.255.255");
	c->child.theirs.s[0] = end == 0 ? side("10.2.0.0", "10.2.255.255") :
					  side("10.1.0.0", "10.1.255.255");
	return c;
}

/* As if it had never been encrypted. */
static void on_trace(void *arg, const struct ike_trace *t)
{
	struct pair_end *const end = arg;

	must(t->header.len == IKE_HEADER_LEN && t->path->remote.family == 4);
	end->n_traced[t->sent]++;
	if (!t->sealed || t->header.len + t->chain.len > sizeof(end->traced))
		return;
	end->traced_len = t->header.len + t->chain.len;
	memcpy(end->traced, t->header.data, t->header.len);
	memcpy(end->traced + t->header.len, t->chain.data, t->chain.len);
	end->traced[16] = t->first;
	be32enc(end->traced + 24, (uint32_t)end->traced_len);
}

void pair_configure(struct pair *p)
{
	for (unsigned i = 0; i < 2; i++)
		must(ike_world_configure(p->ends[i].world, &p->ends[i].conn, 1) == IPSP_OK);
}

void pair_init(struct pair *p)
{
	static const struct ike_ops ops = { on_send, on_keepalive, on_random, on_run, on_get_spi,
					    on_child_add, on_child_delete, on_child_move,
					    on_source, on_log, on_wall_s, on_fetch, on_event, on_trace };
	static const char *const names[2] = { "a.example", "b.example" };
	const struct ipsp_addr addrs[2] = { address("192.0.2.1"), address("198.51.100.1") };

	memset(p, 0, sizeof(*p));
	must(ipsp_crypto_gcrypt_init(1 << 20) == IPSP_OK);
	for (unsigned i = 0; i < 2; i++) {
		struct pair_end *const end = &p->ends[i];

		end->pair = p;
		end->addr = addrs[i];
		end->next_spi = 0x1000 * (i + 1);
		end->last_cpi = (uint16_t)(0x2000 * (i + 1));
		end->conn = make_conn(i, names, addrs);
		end->world = ike_world_new(&ops, end, ipsp_crypto_gcrypt());
		must(end->world);
	}
	pair_configure(p);
}

void pair_fini(struct pair *p)
{
	for (unsigned i = 0; i < 2; i++) {
		ike_world_free(p->ends[i].world);
		ike_conn_unref(p->ends[i].conn);
	}
}

void pair_initiate(struct pair *p, unsigned from)
{
	struct pair_end *const end = &p->ends[from];
	const struct ike_path path = { end->addr, p->ends[!from].addr, 500, 500 };

	must(ike_initiate(end->world, end->conn, 0, &path, p->now_ms) == IPSP_OK);
}

void pair_settle(struct pair *p)
{
	static struct pair_datagram d;

	while (p->n_wire > 0) {
		d = p->wire[0];
		memmove(p->wire, p->wire + 1, --p->n_wire * sizeof(p->wire[0]));
		ike_receive(p->ends[d.to].world, &d.path, (struct ipsp_span){ d.octets, d.len },
			    p->now_ms);
	}
}

void pair_pass(struct pair *p, uint64_t ms)
{
	const uint64_t end_ms = p->now_ms + ms;

	for (;;) {
		uint64_t due = end_ms;

		for (unsigned i = 0; i < 2; i++) {
			const uint64_t at = ike_tick(p->ends[i].world, p->now_ms);

			due = at < due ? at : due;
		}
		pair_settle(p);
		if (p->now_ms >= end_ms)
			return;
		p->now_ms = due > p->now_ms ? due : p->now_ms;
	}
}

unsigned pair_count(const struct pair *p, unsigned end)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAIR_CHILDREN_MAX; i++)
		n += p->ends[end].children[i].there;
	return n;
}

static bool count_one(void *arg, const struct ike_view *v)
{
	(void)v;
	(*(unsigned *)arg)++;
	return true;
}

unsigned pair_ike_sas(const struct pair *p, unsigned end)
{
	unsigned n = 0;

	ike_world_each(p->ends[end].world, count_one, &n);
	return n;
}

static bool take_view(void *arg, const struct ike_view *v)
{
	*(struct ike_view *)arg = *v;
	return true;
}

struct ike_view pair_view(const struct pair *p, unsigned end)
{
	struct ike_view v = { 0 };

	must(pair_ike_sas(p, end) == 1);
	ike_world_each(p->ends[end].world, take_view, &v);
	return v;
}

void pair_agree(const struct pair *p)
{
	must(pair_count(p, 0) == pair_count(p, 1));
	for (unsigned i = 0; i < PAIR_CHILDREN_MAX; i++) {
		const struct pair_child *const a = &p->ends[0].children[i], *b = NULL;

		if (!a->there)
			continue;
		for (unsigned k = 0; k < PAIR_CHILDREN_MAX; k++) {
			if (p->ends[1].children[k].there && p->ends[1].children[k].spi_in == a->spi_out)
				b = &p->ends[1].children[k];
		}
		must(b);
		must(b->spi_out == a->spi_in);
		must(b->cpi_out == a->cpi_in && b->cpi_in == a->cpi_out);
		must(a->keys_len == b->keys_len);
		must(!memcmp(a->keys_in, b->keys_out, a->keys_len));
		must(!memcmp(a->keys_out, b->keys_in, a->keys_len));
		must(memcmp(a->keys_in, a->keys_out, a->keys_len));
		must(a->transport == b->transport);
		must(a->fragments_also == b->fragments_also);
		must(ike_selectors_within(&a->ours, &b->theirs) &&
			  ike_selectors_within(&b->theirs, &a->ours));
		must(ike_selectors_within(&a->theirs, &b->ours) &&
			  ike_selectors_within(&b->ours, &a->theirs));
	}
}

void pair_establish(struct pair *p)
{
	pair_initiate(p, 0);
	pair_settle(p);
	for (unsigned i = 0; i < 2; i++)
		must(!strcmp(pair_view(p, i).state, "established"));
}

struct ike_sa *pair_sa(const struct pair *p, unsigned end)
{
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		if (p->ends[end].world->by_spi[i])
			return p->ends[end].world->by_spi[i];
	}
	return NULL;
}

/* ---- fates ---- */

unsigned pair_drop_all(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	(void)d;
	return 0;
}

unsigned pair_drop_nth(struct pair *p, const struct pair_datagram *d)
{
	unsigned *const n = p->fate_arg;

	(void)d;
	return (*n)-- != 0;
}

unsigned pair_twice(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	(void)d;
	return 2;
}

void pair_replace(struct ike_world *w, struct ike_conn *old, struct ike_conn *fresh, uint64_t now_ms)
{
	old->heir = fresh;
	ike_conns_turn(w, now_ms);
	old->heir = NULL;
}
