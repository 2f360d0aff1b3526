/*
 * ike/explain.c - what did not fit, for people who are to mend it: what one end proposes, asks for or says it is, and
 * what the other takes. RFC 7296 2.7 (proposals), 2.9 (traffic selectors), 2.15 (identities).
 *
 * A line holds no secret. What strangers can cause is said some times a second at most.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ike/proof.h"

#define TEXT_MAX 560u
#define PART_MAX 240u		/* of one end's: what is longer ends in ".." */
#define STRANGERS_MAX 5u	/* lines a second */
#define TRIES_TOLD 3u		/* of IKE_SA_INIT, before it is said that nothing comes */

struct text {
	size_t len;
	char octets[TEXT_MAX];
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->octets + t->len, sizeof(t->octets) - t->len, format, args);
	va_end(args);
	if (n > 0)
		t->len = t->len + (size_t)n < sizeof(t->octets) ? t->len + (size_t)n :
								  sizeof(t->octets) - 1;
}

/* False: it has room no more, and says so. */
static bool has_room(struct text *t, size_t from)
{
	if (t->len - from < PART_MAX)
		return true;
	add(t, " ..");
	return false;
}

static void add_offers(struct text *t, const struct ike_offers *o)
{
	const size_t from = t->len;
	char buf[IKE_OFFER_TEXT];

	for (unsigned i = 0; i < o->n && (i == 0 || has_room(t, from)); i++)
		add(t, "%s%.200s", i > 0 ? " or " : "", ike_offer_text(&o->offers[i], buf));
	if (o->n == 0)
		add(t, "nothing that is known here");
}

static void add_selectors(struct text *t, const struct ike_selectors *s)
{
	const size_t from = t->len;
	char buf[IKE_SELECTOR_TEXT];

	for (unsigned i = 0; i < s->n && (i == 0 || has_room(t, from)); i++)
		add(t, "%s%s", i > 0 ? ", " : "", ike_selector_text(&s->s[i], buf));
}

static void add_notify(struct text *t, uint16_t notify)
{
	char name[IKE_NAME_TEXT];

	add(t, "%s", ike_name_or_number(IKE_LIST_NOTIFY, notify, name));
}

/* ---- strangers ---- */

void ike_say_stranger(struct ike_world *w, const struct ike_path *path, const char *text,
		      uint64_t now_ms)
{
	struct ike_stranger_limit *const l = &w->strangers;
	char line[TEXT_MAX + 40];

	if (now_ms - l->since_ms >= 1000) {
		l->since_ms = now_ms;
		l->said = 0;
	}
	if (l->said == STRANGERS_MAX) {
		l->unsaid++;
		return;
	}
	l->said++;
	snprintf(line, sizeof(line), "%s", text);
	if (l->unsaid)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), " (and %llu more)",
			 (unsigned long long)l->unsaid);
	l->unsaid = 0;
	ike_say_of(w, path, IKE_LOG_NOTICE, line);
}

/* ---- proposals of an IKE SA ---- */

void ike_explain_init(struct ike_world *w, const struct ike_path *path, const struct ike_conn *near,
		      const struct ike_offers *theirs, uint64_t now_ms)
{
	char local[IPSP_ADDR_TEXT];
	struct text t = { 0 };

	if (!near) {
		add(&t, "no connection is configured for us at %s with this peer",
		    ipsp_addr_print(&path->local, local));
		ike_say_stranger(w, path, t.octets, now_ms);
		return;
	}
	add(&t, "no proposal of the peer's is one of ours (NO_PROPOSAL_CHOSEN): it proposes ");
	add_offers(&t, theirs);
	add(&t, "; connection \"%s\", \"%s\" takes ", near->ipsec, near->ike);
	add_offers(&t, &near->offers);
	ike_say_stranger(w, path, t.octets, now_ms);
}

void ike_explain_offers(const struct ike_sa *sa)
{
	char local[IPSP_ADDR_TEXT];
	struct text t = { 0 };

	add(&t, "the peer takes none of what we propose: ");
	add_offers(&t, &sa->conn->offers);
	/* RFC 7296 has no other answer for that. */
	add(&t, "; or it has no connection for %s", ipsp_addr_print(&sa->path.local, local));
	ike_say(sa, IKE_LOG_NOTICE, "%s", t.octets);
}

/* ---- no answer ---- */

void ike_explain_wait(const struct ike_sa *sa, unsigned tries)
{
	if (sa->state == IKE_SA_INIT_SENT && tries == TRIES_TOLD)
		ike_say(sa, IKE_LOG_NOTICE, "nothing has come from port %u yet, where IKE_SA_INIT was sent %u times: "
			"is that the peer's address?", sa->path.remote_port, tries);
}

void ike_explain_silence(const struct ike_sa *sa, unsigned tries)
{
	const unsigned port = sa->path.remote_port;

	if (sa->state == IKE_SA_INIT_SENT)
		ike_say(sa, IKE_LOG_NOTICE, "no answer to IKE_SA_INIT, sent %u times to port %u: nobody speaks IKE at "
			"that address, or nothing comes through", tries, port);
	else if (sa->state == IKE_SA_AUTH_SENT)
		ike_say(sa, IKE_LOG_NOTICE, "no answer to IKE_AUTH, sent %u times to port %u, while IKE_SA_INIT had one: "
			"that port, or long datagrams, may not come through", tries, port);
	else
		ike_say(sa, IKE_LOG_NOTICE, "%u requests had no answer: the peer is gone", tries);
}

/* ---- Child SAs ---- */

/* The peer's selectors as they are asked for: its own side first. */
static void add_asked(struct text *t, const struct ike_parsed *m, uint8_t payload)
{
	const struct ike_payload *const p = ike_parsed_find(m, payload);
	struct ike_selectors s;
	struct ike_fault fault;

	if (p && ike_selectors_read(p->body, &s, &fault))
		add_selectors(t, &s);
}

void ike_explain_refusal(const struct ike_exchange *x, const struct ike_parsed *m, uint16_t notify)
{
	const struct ike_payload *const sa = ike_parsed_find(m, IKE_PAYLOAD_SA);
	const struct ike_conn *const conn = ike_conn_of(x);
	const struct ike_child_config *const c = &conn->child;
	const char *const forbidden = ike_nat_forbids(x->sa, x->child_suite.protocol);
	struct ike_offers theirs;
	struct ike_fault fault;
	struct text t = { 0 };

	add(&t, "no Child SA: we answer ");
	add_notify(&t, notify);
	if (!conn->has_child) {
		add(&t, ": connection \"%s\" is an IKE SA alone", conn->ike);
	} else if (forbidden) {
		add(&t, ": %s", forbidden);
	} else if (notify == IKE_N_NO_PROPOSAL_CHOSEN && sa &&
		   ike_offers_read(sa->body, &theirs, &fault)) {
		add(&t, ": the peer proposes ");
		add_offers(&t, &theirs);
		add(&t, "; \"%s\" takes ", conn->ipsec);
		add_offers(&t, &c->offers);
	} else if (notify == IKE_N_SINGLE_PAIR_REQUIRED) {
		add(&t, ": \"%s\" has an SA for each packet's own selectors, and the peer asks for ", conn->ipsec);
		add_asked(&t, m, IKE_PAYLOAD_TSr);
		add(&t, " === ");
		add_asked(&t, m, IKE_PAYLOAD_TSi);
	} else if (notify == IKE_N_TS_UNACCEPTABLE) {
		add(&t, ": the peer asks for ");
		add_asked(&t, m, IKE_PAYLOAD_TSr);
		add(&t, " === ");
		add_asked(&t, m, IKE_PAYLOAD_TSi);
		add(&t, "; \"%s\" is for ", conn->ipsec);
		add_selectors(&t, &c->ours);
		add(&t, " === ");
		add_selectors(&t, &c->theirs);
	}
	ike_say(x->sa, IKE_LOG_NOTICE, "%s", t.octets);
}

void ike_explain_refused(const struct ike_exchange *x, uint16_t notify)
{
	const struct ike_child_config *const c = &ike_conn_of(x)->child;
	struct ike_selectors ours, theirs;
	struct text t = { 0 };

	ike_packet_selectors(x, &ours, &theirs);
	if (notify == IKE_N_NO_PROPOSAL_CHOSEN) {
		add(&t, "the peer takes none of what we propose for a Child SA: ");
		add_offers(&t, &c->offers);
	} else if (notify == IKE_N_TS_UNACCEPTABLE) {
		add(&t, "the peer does not take the traffic selectors ");
		add_selectors(&t, &ours);
		add(&t, " === ");
		add_selectors(&t, &theirs);
	} else {
		return;
	}
	ike_say(x->sa, IKE_LOG_NOTICE, "%s", t.octets);
}

/* ---- identities ---- */

void ike_explain_disbelief(const struct ike_exchange *x)
{
	const bool signs = x->proof && x->proof->own;
	char buf[IKE_IDENTITY_TEXT];

	ike_say(x->sa, IKE_LOG_NOTICE, "the peer does not take us for %.200s: it has no connection for that identity, or %s",
		ike_identity_text(&x->id_i, buf),
		signs ? "does not believe our certificate or key" : "another shared key");
}

/* Whom connections expect at the peer's address; each once is not needed, few are. */
static void add_expected(struct text *t, const struct ike_sa *sa)
{
	const struct ike_world *const w = sa->world;
	const size_t from = t->len;
	char buf[IKE_IDENTITY_TEXT];
	unsigned n = 0;

	for (size_t i = 0; i < w->n_conns; i++) {
		const struct ike_peer *const p = ike_peer_at(w->conns[i], &sa->path.remote);

		if (!p || !p->id.type)
			continue;
		if (n > 0 && !has_room(t, from))
			return;
		add(t, "%s%.200s", n++ > 0 ? ", " : "; expected is ",
		    ike_identity_text(&p->id, buf));
	}
}

void ike_explain_identity(const struct ike_exchange *x, const struct ike_identity *id_r)
{
	char buf[IKE_IDENTITY_TEXT];
	struct text t = { 0 };

	add(&t, "no connection is for %.200s", ike_identity_text(&x->id_i, buf));
	if (id_r->type)
		add(&t, " with us as %.200s", ike_identity_text(id_r, buf));
	add_expected(&t, x->sa);
	ike_say(x->sa, IKE_LOG_NOTICE, "%s", t.octets);
}
