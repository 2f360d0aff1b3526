/*
 * ipspd/ike_creds.c - private keys, certificates and CAs as the agent sends them: made once, shared by connections.
 *
 * One that is made of the same octets as in the generation before is the same object, so that connections that
 * have it are as before. What cannot be used says why, and so does each connection that names it; the others
 * go on.
 */
#include "config.h"

#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/ike.h"
#include "ipspd/ike_cred_wire.h"
#include "ipspd/ike_wire.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

#define DIGEST 32u
#define OCTETS_ALL_MAX (64u << 20)

/* A private key or a trust: one of both, or why there is none. */
struct made {
	uint8_t digest[DIGEST];
	struct ike_credential *own;
	struct ike_trust *trust;
	char why[IKE_WHY_TEXT];
	bool told;		/* why, in the generation before */
};

struct made_list {
	struct made *list;
	size_t n, room;
};

struct octets {
	uint8_t *data;
	size_t len;
};

struct ike_creds {
	struct made_list owns, trusts;			/* in force */
	struct made_list owns_coming, trusts_coming;
	struct octets *octets;
	size_t n_octets, room_octets;
	size_t total;
};

/* ---- memory ---- */

/* Room for one more; NULL: no memory, or there are too many. */
static void *grow(void *list, size_t n, size_t *room, size_t size, size_t max)
{
	const size_t more = *room ? 2 * *room : 8;
	void *grown;

	if (n >= max)
		return NULL;
	if (n < *room)
		return list;
	grown = reallocarray(list, more, size);
	if (grown)
		*room = more;
	return grown;
}

static void free_made(struct made_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		ike_credential_unref(l->list[i].own);
		ike_trust_unref(l->list[i].trust);
	}
	free(l->list);
	*l = (struct made_list){ 0 };
}

static void forget_octets(struct ike_creds *c)
{
	for (size_t i = 0; i < c->n_octets; i++) {
		explicit_bzero(c->octets[i].data, c->octets[i].len);
		free(c->octets[i].data);
	}
	free(c->octets);
	c->octets = NULL;
	c->n_octets = c->room_octets = c->total = 0;
}

bool ike_creds_start(struct ike_role *role)
{
	role->creds = calloc(1, sizeof(*role->creds));
	return role->creds != NULL;
}

void ike_creds_forget(struct ike_role *role)
{
	struct ike_creds *const c = role->creds;

	if (!c)
		return;
	forget_octets(c);
	free_made(&c->owns_coming);
	free_made(&c->trusts_coming);
}

void ike_creds_commit(struct ike_role *role)
{
	struct ike_creds *const c = role->creds;

	free_made(&c->owns);
	free_made(&c->trusts);
	c->owns = c->owns_coming;
	c->trusts = c->trusts_coming;
	c->owns_coming = c->trusts_coming = (struct made_list){ 0 };
	ike_creds_forget(role);
}

void ike_creds_fini(struct ike_role *role)
{
	if (!role->creds)
		return;
	ike_creds_forget(role);
	free_made(&role->creds->owns);
	free_made(&role->creds->trusts);
	free(role->creds);
	role->creds = NULL;
}

/* ---- octets ---- */

static bool take_octets(struct ike_creds *c, const struct chan_msg *m)
{
	const bool fresh = m->len > 0 && m->data[0] == 1;
	const size_t len = m->len > 0 ? m->len - 1 : 0;
	struct octets *o;
	uint8_t *data;

	if (m->len == 0 || m->data[0] > 1 || len > IKE_WIRE_PIECE || c->total + len > OCTETS_ALL_MAX)
		return false;
	if (fresh) {
		void *const grown = grow(c->octets, c->n_octets, &c->room_octets,
					 sizeof(*c->octets), IKE_WIRE_OCTETS_MAX);

		if (!grown)
			return false;
		c->octets = grown;
		c->octets[c->n_octets++] = (struct octets){ 0 };
	}
	if (c->n_octets == 0)
		return false;
	o = &c->octets[c->n_octets - 1];
	if (o->len + len > IKE_CREDENTIAL_MAX)
		return false;
	data = malloc(o->len + len + 1);
	if (!data)
		return false;
	if (o->len > 0) {
		memcpy(data, o->data, o->len);
		explicit_bzero(o->data, o->len);
	}
	free(o->data);
	memcpy(data + o->len, m->data + 1, len);
	o->data = data;
	o->len += len;
	c->total += len;
	return true;
}

/* 0: none, and so there are no octets. False: there are none of that number. */
static bool octets_of(const struct ike_creds *c, uint32_t number, gcry_md_hd_t md, struct ipsp_span *out)
{
	uint8_t len[4];

	*out = (struct ipsp_span){ 0 };
	if (number > c->n_octets)
		return false;
	if (number > 0)
		*out = (struct ipsp_span){ c->octets[number - 1].data, c->octets[number - 1].len };
	/* With its length before it, so that no two lists of them are alike. */
	for (unsigned i = 0; i < sizeof(len); i++)
		len[i] = (uint8_t)(out->len >> 8 * i);
	gcry_md_write(md, len, sizeof(len));
	gcry_md_write(md, out->data ? out->data : len, out->len);
	return true;
}

/* Those of several numbers, one behind the other, which is how certificates in DER are one list. */
static bool join(const struct ike_creds *c, const uint32_t numbers[IKE_CREDENTIALS_MAX], gcry_md_hd_t md,
		 uint8_t **data, struct ipsp_span *out)
{
	struct ipsp_span parts[IKE_CREDENTIALS_MAX];
	size_t len = 0, at = 0;

	*data = NULL;
	for (size_t i = 0; i < IKE_CREDENTIALS_MAX; i++) {
		if (!octets_of(c, numbers[i], md, &parts[i]))
			return false;
		len += parts[i].len;
	}
	*data = malloc(len + 1);
	if (!*data)
		return false;
	for (size_t i = 0; i < IKE_CREDENTIALS_MAX; at += parts[i++].len) {
		if (parts[i].len > 0)
			memcpy(*data + at, parts[i].data, parts[i].len);
	}
	*out = (struct ipsp_span){ *data, len };
	return true;
}

/* ---- making ---- */

static struct made *add(struct made_list *l, size_t max)
{
	struct made *const grown = grow(l->list, l->n, &l->room, sizeof(*l->list), max);

	if (!grown)
		return NULL;
	l->list = grown;
	l->list[l->n] = (struct made){ 0 };
	return &l->list[l->n++];
}

/* The same one of the generation in force; or NULL. */
static const struct made *same_made(const struct made_list *l, const uint8_t digest[DIGEST])
{
	for (size_t i = 0; i < l->n; i++) {
		if (!memcmp(l->list[i].digest, digest, DIGEST))
			return &l->list[i];
	}
	return NULL;
}

static bool take_own(struct ike_creds *c, const struct chan_msg *m, gcry_md_hd_t md)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct ike_credential_parts parts = { 0 };
	struct ike_wire_own wire;
	const struct made *before;
	struct made *made;
	uint8_t pss;

	if (!ike_wire_own_get(&r, &wire) || !octets_of(c, wire.key, md, &parts.key) ||
	    !octets_of(c, wire.certs, md, &parts.certs) ||
	    !octets_of(c, wire.raw_key, md, &parts.raw_key))
		return false;
	parts.pss = wire.pss;
	pss = wire.pss;
	gcry_md_write(md, &pss, 1);
	made = add(&c->owns_coming, IKE_WIRE_OWNS_MAX);
	if (!made)
		return false;
	memcpy(made->digest, gcry_md_read(md, GCRY_MD_SHA256), DIGEST);
	before = same_made(&c->owns, made->digest);
	made->own = before && before->own ? ike_credential_ref(before->own) :
					    ike_credential_new(&parts, made->why);
	made->told = before && !before->own;
	return true;
}

/* Of parts with their octets, which md has read. */
static bool make_trust(struct ike_creds *c, const struct ike_wire_trust *wire, struct ike_trust_parts *parts,
		       gcry_md_hd_t md)
{
	const uint8_t rest[] = { wire->level, (uint8_t)wire->links_max, (uint8_t)(wire->links_max >> 8),
				 wire->weak, wire->unnamed };
	const struct made *before;
	struct made *made;

	parts->level = (enum ike_crl_level)wire->level;
	parts->links_max = wire->links_max;
	parts->weak = wire->weak;
	parts->unnamed = wire->unnamed;
	gcry_md_write(md, rest, sizeof(rest));
	made = add(&c->trusts_coming, IKE_WIRE_TRUSTS_MAX);
	if (!made)
		return false;
	memcpy(made->digest, gcry_md_read(md, GCRY_MD_SHA256), DIGEST);
	before = same_made(&c->trusts, made->digest);
	made->trust = before && before->trust ? ike_trust_ref(before->trust) :
						ike_trust_new(parts, made->why);
	return true;
}

static bool take_trust(struct ike_creds *c, const struct chan_msg *m, gcry_md_hd_t md)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct ike_trust_parts parts = { 0 };
	uint8_t *cas = NULL, *intermediates = NULL;
	struct ike_wire_trust wire;
	const bool good = ike_wire_trust_get(&r, &wire) && join(c, wire.cas, md, &cas, &parts.cas) &&
			  join(c, wire.intermediates, md, &intermediates, &parts.intermediates) &&
			  octets_of(c, wire.peers, md, &parts.peers) &&
			  octets_of(c, wire.raw_key, md, &parts.raw_key) &&
			  octets_of(c, wire.revoked, md, &parts.revoked) && make_trust(c, &wire, &parts, md);

	free(cas);
	free(intermediates);
	return good;
}

bool ike_creds_message(struct ike_role *role, const struct chan_msg *m)
{
	gcry_md_hd_t md;
	bool good;

	if (m->type == MSG_IKE_OCTETS)
		return take_octets(role->creds, m);
	if (gcry_md_open(&md, GCRY_MD_SHA256, GCRY_MD_FLAG_SECURE) != 0)
		return false;
	good = m->type == MSG_IKE_OWN ? take_own(role->creds, m, md) :
					take_trust(role->creds, m, md);
	gcry_md_close(md);
	return good;
}

/* ---- connections ---- */

/* NULL: that number is none. */
static const struct made *made_of(const struct made_list *l, uint32_t number)
{
	return number >= 1 && number <= l->n ? &l->list[number - 1] : NULL;
}

/* One of several that cannot be used is passed over. *why: there is none that can. */
static bool attach_owns(const struct ike_creds *c, const struct ike_wire_conn *conn, size_t peer, gcry_md_hd_t md,
			const char **why)
{
	const struct ike_wire_proof *const proof = &conn->proofs[peer];
	struct ike_peer *const p = &conn->conn->peers[peer];
	const struct made *bad = NULL;

	for (size_t i = 0; i < proof->n_owns; i++) {
		const struct made *const made = made_of(&c->owns_coming, proof->owns[i]);

		if (!made)
			return false;
		gcry_md_write(md, made->digest, DIGEST);
		if (made->own)
			p->credentials[p->n_credentials++] = ike_credential_ref(made->own);
		else
			bad = made;
	}
	if (bad && p->n_credentials == 0)
		*why = bad->why;
	else if (bad && !bad->told)
		ipspd_log(LOG_WARNING, "ike", "connection \"%s\", \"%s\": one of our credentials is passed over: %s",
			  conn->conn->ipsec, conn->conn->ike, bad->why);
	return true;
}

static bool attach_trust(const struct ike_creds *c, uint32_t number, struct ike_peer *p, gcry_md_hd_t md,
			 const char **why)
{
	const struct made *const made = made_of(&c->trusts_coming, number);

	if (number == 0)
		return true;
	if (!made)
		return false;
	gcry_md_write(md, made->digest, DIGEST);
	if (made->trust)
		p->trust = ike_trust_ref(made->trust);
	else
		*why = made->why;
	return true;
}

bool ike_creds_attach(struct ike_role *role, struct ike_wire_conn *conn, gcry_md_hd_t md,
		      const char **why)
{
	*why = NULL;
	for (size_t i = 0; i < conn->conn->n_peers; i++) {
		if (!attach_owns(role->creds, conn, i, md, why) ||
		    !attach_trust(role->creds, conn->proofs[i].trust, &conn->conn->peers[i], md, why))
			return false;
	}
	return true;
}

bool ike_creds_same(const struct ike_peer *a, const struct ike_peer *b)
{
	if (a->n_credentials != b->n_credentials || a->trust != b->trust)
		return false;
	for (size_t i = 0; i < a->n_credentials; i++) {
		if (a->credentials[i] != b->credentials[i])
			return false;
	}
	return true;
}
