/*
 * ike/child.c - Child SAs as they are negotiated, in IKE_AUTH or CREATE_CHILD_SA. RFC 7296 1.2, 1.3.1, 2.7, 2.9,
 * 2.17; 1.3.1 for USE_TRANSPORT_MODE.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include <gcrypt.h>

#include "ike/internal.h"

#define CHILD_SPI_LEN 4u

static const struct ike_child_config *config_of(const struct ike_exchange *x)
{
	return &ike_conn_of(x)->child;
}

/* Key exchanges of the IKE SA are those of its first Child SA: RFC 7296 1.2, RFC 9370 2.2.2. */
static void without_ke(struct ike_offers *offers)
{
	for (unsigned i = 0; i < offers->n; i++) {
		struct ike_offer *const o = &offers->offers[i];
		uint8_t kept = 0;

		for (unsigned k = 0; k < o->n; k++) {
			if (o->choices[k].type != IKE_TRANSFORM_KE && o->choices[k].type < IKE_TRANSFORM_ADDKE1)
				o->choices[kept++] = o->choices[k];
		}
		o->n = kept;
	}
}

/* What is offered, or taken; in a setup, or not. */
static struct ike_offers offers_of(const struct ike_conn *c, bool setup)
{
	struct ike_offers offers = c->child.offers;

	if (setup)
		without_ke(&offers);
	return offers;
}

/* What is proposed is of the protocol that an SPI was made for; the default response alone has two. */
static struct ike_offers own_offers(const struct ike_exchange *x)
{
	struct ike_offers offers = offers_of(ike_conn_of(x), x->purpose == IKE_FOR_SETUP);
	const unsigned n = offers.n;

	offers.n = 0;
	for (unsigned i = 0; i < n; i++) {
		if (offers.offers[i].protocol == x->protocol)
			offers.offers[offers.n++] = offers.offers[i];
	}
	return offers;
}

/* Do they tell ports, types or codes, which a fragment but the first does not show? */
static bool has_ports(const struct ike_selectors *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (s->s[i].port_lo != 0 || s->s[i].port_hi != UINT16_MAX)
			return true;
	}
	return false;
}

/* RFC 4301 7: fragments go by a tunnel whose selectors have ports only if both say so; the engine lets them
 * follow their first one. */
static bool wants_fragments(const struct ike_child_config *c)
{
	return !c->transport && (has_ports(&c->ours) || has_ports(&c->theirs));
}

/* What the peer says that its side of the Child SA can. RFC 7296 1.3.1 */
static void take_flags(struct ike_exchange *x, const struct ike_parsed *m)
{
	struct ike_notify n;

	x->no_tfc = ike_parsed_notify(m, IKE_N_ESP_TFC_PADDING_NOT_SUPPORTED, &n);
	x->fragments_also = wants_fragments(config_of(x)) &&
			    ike_parsed_notify(m, IKE_N_NON_FIRST_FRAGMENTS_ALSO, &n);
}

/* ---- as the one who asks ---- */

void ike_child_offer(struct ike_exchange *x, struct ike_builder *b)
{
	const struct ike_child_config *const c = config_of(x);
	struct ike_offers offers = own_offers(x);

	for (unsigned i = 0; i < offers.n; i++) {
		offers.offers[i].spi_len = CHILD_SPI_LEN;
		be32enc(offers.offers[i].spi, x->spi_in);
	}
	if (c->transport)
		ike_build_flag(b, IKE_N_USE_TRANSPORT_MODE);
	if (wants_fragments(c))
		ike_build_flag(b, IKE_N_NON_FIRST_FRAGMENTS_ALSO);
	ike_ipcomp_write(x, b);
	ike_offers_write(&offers, b);
	ike_packet_write(x, b);
}

static bool read_selectors(const struct ike_parsed *m, uint8_t type, struct ike_selectors *out)
{
	const struct ike_payload *const p = ike_parsed_find(m, type);
	struct ike_fault fault;

	return p && ike_selectors_read(p->body, out, &fault) && out->n > 0;
}

static bool take_spi(struct ike_exchange *x)
{
	if (x->child_suite.spi_len != CHILD_SPI_LEN)
		return false;
	x->child_spi_out = be32dec(x->child_suite.spi);
	return x->child_spi_out != 0;
}

const char *ike_child_accept(struct ike_exchange *x, const struct ike_parsed *m)
{
	const struct ike_payload *const sa = ike_parsed_find(m, IKE_PAYLOAD_SA);
	const struct ike_child_config *const c = config_of(x);
	const struct ike_offers offers = own_offers(x);
	struct ike_selectors ours, theirs;
	struct ike_offers answer;
	struct ike_notify n;
	struct ike_fault fault;

	if (!sa || !ike_offers_read(sa->body, &answer, &fault) ||
	    !ike_offers_accept(&offers, &answer, &x->child_suite) || !take_spi(x))
		return "the peer chose what we did not offer";
	ike_packet_selectors(x, &ours, &theirs);
	if (!read_selectors(m, IKE_PAYLOAD_TSi, &x->ours_ts) ||
	    !read_selectors(m, IKE_PAYLOAD_TSr, &x->theirs_ts))
		return "the peer's traffic selectors cannot be read";
	x->transport = ike_parsed_notify(m, IKE_N_USE_TRANSPORT_MODE, &n);
	if (x->transport)
		ike_nat_selectors(x->sa, &x->ours_ts, &x->theirs_ts);
	if (!ike_selectors_within(&x->ours_ts, &ours) ||
	    !ike_selectors_within(&x->theirs_ts, &theirs))
		return "the peer's traffic selectors are not within ours";
	take_flags(x, m);
	if (ike_answer_check(x, x->transport))
		return "the peer's answer is none that the default response can be for";
	if (!ike_anyone_takes(x))
		return "the peer's traffic selectors are another one's";
	return x->transport == c->transport ? ike_ipcomp_accept(x, m) : "the peer wants the other mode";
}

/* ---- as the one who answers ---- */

bool ike_child_read(const struct ike_sa *sa, const struct ike_parsed *m, bool setup,
		    struct ike_child_asked *out)
{
	const struct ike_payload *const proposals = ike_parsed_find(m, IKE_PAYLOAD_SA);
	struct ike_notify n;
	struct ike_fault fault;

	if (!proposals || !ike_offers_read(proposals->body, &out->offers, &fault) ||
	    !read_selectors(m, IKE_PAYLOAD_TSi, &out->theirs) ||
	    !read_selectors(m, IKE_PAYLOAD_TSr, &out->ours))
		return false;
	out->setup = setup;
	if (setup)
		without_ke(&out->offers);
	out->transport = ike_parsed_notify(m, IKE_N_USE_TRANSPORT_MODE, &n);
	out->seen_ours = out->ours;
	out->seen_theirs = out->theirs;
	ike_nat_selectors(sa, &out->seen_ours, &out->seen_theirs);
	return true;
}

/* In transport mode what is seen here, else what is said. */
static void asked_of(const struct ike_conn *c, const struct ike_child_asked *asked,
		     const struct ike_selectors **ours, const struct ike_selectors **theirs)
{
	const bool seen = asked->transport && c->child.transport;

	*ours = seen ? &asked->seen_ours : &asked->ours;
	*theirs = seen ? &asked->seen_theirs : &asked->theirs;
}

unsigned ike_child_suits(const struct ike_conn *c, const struct ike_sa *sa, const struct ike_child_asked *asked)
{
	const struct ike_offers offers = offers_of(c, asked->setup);
	const struct ike_selectors *asked_ours, *asked_theirs;
	struct ike_selectors ours, theirs;
	struct ike_suite suite;
	unsigned rank = 2;

	if (c->child.answers)
		return ike_answer_suits(c, sa, asked) ? 1 : 0;
	asked_of(c, asked, &asked_ours, &asked_theirs);
	if (!c->has_child || !ike_selectors_narrow(asked_theirs, &c->child.theirs, &theirs) ||
	    !ike_selectors_narrow(asked_ours, &c->child.ours, &ours))
		return 0;
	if (ike_selectors_within(asked_theirs, &c->child.theirs) &&
	    ike_selectors_within(asked_ours, &c->child.ours))
		rank += 1;
	if (asked->transport == c->child.transport)
		rank += 2;
	if (ike_offers_choose(&offers, &asked->offers, &suite))
		rank += 4;
	return rank;
}

uint16_t ike_child_choose(struct ike_exchange *x, const struct ike_parsed *m)
{
	const struct ike_conn *const conn = ike_conn_of(x);
	const struct ike_child_config *const c = &conn->child;
	const struct ike_offers offers = offers_of(conn, x->purpose == IKE_FOR_SETUP);
	const struct ike_selectors *asked_ours, *asked_theirs;
	struct ike_selectors ours, theirs;
	struct ike_child_asked asked;
	uint16_t notify;

	if (!ike_child_read(x->sa, m, x->purpose == IKE_FOR_SETUP, &asked))
		return IKE_N_INVALID_SYNTAX;
	if (!conn->has_child || !ike_offers_choose(&offers, &asked.offers, &x->child_suite) ||
	    ike_nat_forbids(x->sa, x->child_suite.protocol) || !take_spi(x))
		return IKE_N_NO_PROPOSAL_CHOSEN;
	asked_of(conn, &asked, &asked_ours, &asked_theirs);
	if (!ike_packet_choose(x, asked_theirs, asked_ours))
		return IKE_N_SINGLE_PAIR_REQUIRED;
	ike_packet_selectors(x, &ours, &theirs);
	if (!ike_selectors_narrow(asked_theirs, &theirs, &x->theirs_ts) ||
	    !ike_selectors_narrow(asked_ours, &ours, &x->ours_ts))
		return IKE_N_TS_UNACCEPTABLE;
	notify = ike_answer_check(x, asked.transport);
	if (notify)
		return notify;
	if (!ike_anyone_takes(x))
		return IKE_N_TS_UNACCEPTABLE;
	x->protocol = x->child_suite.protocol;
	take_flags(x, m);
	ike_ipcomp_choose(x, m);
	x->transport = c->transport && asked.transport;
	return 0;
}

void ike_child_answer(struct ike_exchange *x, struct ike_builder *b)
{
	uint8_t spi[CHILD_SPI_LEN];

	be32enc(spi, x->spi_in);
	if (x->transport)
		ike_build_flag(b, IKE_N_USE_TRANSPORT_MODE);
	if (x->fragments_also)
		ike_build_flag(b, IKE_N_NON_FIRST_FRAGMENTS_ALSO);
	ike_ipcomp_write(x, b);
	ike_suite_write(&x->child_suite, (struct ipsp_span){ spi, sizeof(spi) }, b);
	ike_selectors_write(&x->theirs_ts, IKE_PAYLOAD_TSi, b);
	ike_selectors_write(&x->ours_ts, IKE_PAYLOAD_TSr, b);
}

/* ---- both ---- */

static struct ipsp_span take(const uint8_t **at, size_t n)
{
	const struct ipsp_span s = { *at, n };

	*at += n;
	return s;
}

/* RFC 7296 2.17: the keys of what the asking side sends come first. */
static enum ipsp_err add_to_sad(struct ike_exchange *x, const struct ike_child_key_lens *lens,
				const uint8_t *keymat)
{
	struct ike_sa *const sa = x->sa;
	struct ike_child_sa child = {
		.protocol = x->protocol, .spi_in = x->spi_in, .spi_out = x->child_spi_out,
		.cpi_in = x->cpi_in, .cpi_out = x->cpi_out,
		.suite = &x->child_suite, .ours = &x->ours_ts, .theirs = &x->theirs_ts,
		.path = &x->path, .config = config_of(x), .transport = x->transport, .udp = sa->nat,
		.no_tfc = x->no_tfc, .fragments_also = x->fragments_also,
		.replaces = !x->rekeyed ? ike_reauth_replaces(x) : x->ours ? 0 : x->rekeyed->spi_in,
	};
	const uint8_t *at = keymat;
	const struct ipsp_span first_encr = take(&at, lens->encr);
	const struct ipsp_span first_integ = take(&at, lens->integ);
	const struct ipsp_span second_encr = take(&at, lens->encr);
	const struct ipsp_span second_integ = take(&at, lens->integ);

	child.encr_out = x->ours ? first_encr : second_encr;
	child.integ_out = x->ours ? first_integ : second_integ;
	child.encr_in = x->ours ? second_encr : first_encr;
	child.integ_in = x->ours ? second_integ : first_integ;
	return sa->world->ops.child_add(sa->world->arg, &child);
}

enum ipsp_err ike_child_install(struct ike_exchange *x)
{
	struct ike_sa *const sa = x->sa;
	struct ike_child *const c = calloc(1, sizeof(*c));
	struct ike_child_key_lens lens;
	uint8_t keymat[4 * IPSP_KEY_MAX];
	enum ipsp_err err = IPSP_ENOTSUP;

	if (!c)
		return IPSP_ENOMEM;
	if (ike_child_key_lens(&x->child_suite, &lens))
		err = ike_child_keys(sa->world->prfs, sa->keys, ike_exchange_shared(x),
				     (struct ipsp_span){ x->nonce_i, x->nonce_i_len },
				     (struct ipsp_span){ x->nonce_r, x->nonce_r_len },
				     ike_exchange_further(x), keymat, 2u * (lens.encr + lens.integ));
	ike_ipcomp_settle(x);
	if (err == IPSP_OK)
		err = ike_packet_keep(x, c);
	if (err == IPSP_OK)
		err = ike_anyone_keep(x, c);
	if (err == IPSP_OK)
		err = add_to_sad(x, &lens, keymat);
	explicit_bzero(keymat, sizeof(keymat));
	if (err != IPSP_OK) {
		ike_child_free(c);
		return err;
	}
	c->protocol = x->protocol;
	c->spi_in = x->spi_in;
	c->spi_out = x->child_spi_out;
	c->conn = ike_conn_ref(ike_conn_of(x));
	ike_exchange_lowest(x, c->nonce_min);
	ike_child_link(sa, c);
	x->spi_in = x->cpi_in = 0;	/* they are the Child SA's now */
	ike_life_derived(sa);
	/* Its SPI is one of where the IKE SA was when it was asked for. */
	if (!ike_path_is(&x->path, &sa->path))
		sa->world->ops.child_move(sa->world->arg, c->protocol, c->spi_in, &sa->path, sa->nat);
	return IPSP_OK;
}

void ike_child_free(struct ike_child *c)
{
	ike_conn_unref(c->conn);
	free(c->packet);
	free(c->claim);
	free(c);
}

static struct ike_child **bucket(const struct ike_world *w, uint32_t spi_in)
{
	return (struct ike_child **)&w->children[spi_in % IKE_BUCKETS];
}

void ike_child_link(struct ike_sa *sa, struct ike_child *c)
{
	struct ike_child **const at = bucket(sa->world, c->spi_in);

	c->sa = sa;
	c->next = sa->children;
	sa->children = c;
	c->next_by_spi = *at;
	*at = c;
}

void ike_child_unlink(struct ike_child *c)
{
	struct ike_child **at = bucket(c->sa->world, c->spi_in);

	while (*at != c)
		at = &(*at)->next_by_spi;
	*at = c->next_by_spi;
	for (at = &c->sa->children; *at != c; at = &(*at)->next)
		;
	*at = c->next;
}

/* Nobody means it any more. */
static void forget(struct ike_child *c)
{
	for (struct ike_exchange *x = c->sa->exchanges; x; x = x->next) {
		if (x->rekeyed != c)
			continue;
		x->rekeyed = NULL;
		/* 2.8.1: the peer's own rekey has won, whatever becomes of ours. */
		x->late |= x->ours && c->rival;
	}
	for (struct ike_child *other = c->sa->children; other; other = other->next) {
		if (other->rival == c)
			other->rival = NULL;
	}
}

void ike_child_remove(struct ike_sa *sa, struct ike_child *c)
{
	ike_child_unlink(c);
	forget(c);
	sa->world->ops.child_delete(sa->world->arg, c->protocol, &sa->path, c->spi_in, c->spi_out);
	ike_child_free(c);
}

struct ike_child *ike_child_of_spi(const struct ike_world *w, uint8_t protocol, uint32_t spi_in)
{
	for (struct ike_child *c = *bucket(w, spi_in); c; c = c->next_by_spi) {
		if (c->spi_in == spi_in && c->protocol == protocol)
			return c;
	}
	return NULL;
}

struct ike_child *ike_child_find(struct ike_sa *sa, uint8_t protocol, uint32_t spi, bool inbound)
{
	for (struct ike_child *c = sa->children; c; c = c->next) {
		if (c->protocol == protocol && (inbound ? c->spi_in : c->spi_out) == spi)
			return c;
	}
	return NULL;
}
