/*
 * ipspd/agent_ike_cred.c - private keys, certificates and CAs that connections name, as ike takes them.
 *
 * Certificates are in rows, private keys in files beneath the state directory, each named as its credential is,
 * percent-encoded. What stands in them is ike's to judge: here octets are copied. Those of one name are sent once,
 * whoever names them.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipspd/agent_int.h"
#include "ipspd/ike_cred_wire.h"
#include "ipspd/import_dir.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "mibs/schema_gen.h"
#include "policy/credential.h"
#include "policy/revoked.h"

#define KEYS "keys"
#define KEY_FILE_MAX (3 * POL_CONN_NAME)
#define MESSAGE_MAX 64u		/* octets of IKE_OWN, IKE_TRUST */

enum { AUTH_PSK = 2 };		/* RFC 7296 3.8 */

/* What octets are of a name. */
enum source {
	KEY_FILE,
	WHOLE,		/* the credential's value */
	FIRST,		/* the first certificate of that */
	REVOKED,	/* what rows revoke */
};

struct sent {
	enum source source;
	char name[POL_CONN_NAME];
	uint32_t number;
};

/* Messages of one type that were sent: the number of one is its place. */
struct messages {
	uint8_t (*list)[MESSAGE_MAX];
	size_t n, room;
};

struct agent_ike_creds {
	struct agent *agent;
	struct chan *chan;
	struct sent *sent;
	size_t n_sent, room_sent;
	uint32_t n_octets;
	struct messages owns, trusts;
	char why[2 * IKE_WHY_TEXT];
	bool failed;		/* no memory, or no way to ike */
	uint8_t octets[IKE_CREDENTIAL_MAX + 1];
};

/* ---- private keys ---- */

static void keys_path(const struct agent *a, char *out, size_t size)
{
	snprintf(out, size, "%s/" KEYS, a->start.statedir);
}

void agent_ike_make_keys(struct agent *a)
{
	char path[sizeof(a->start.statedir) + sizeof(KEYS) + 1];

	keys_path(a, path, sizeof(path));
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		ipspd_log(LOG_WARNING, "ike", "%s: %s", path, strerror(errno));
}

/* One component, whatever the name is. */
static void encode(const char *name, char out[KEY_FILE_MAX])
{
	size_t at = 0;

	for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
		const bool plain = isalnum(*p) || *p == '_' || *p == '-' || (*p == '.' && at > 0);

		at += (size_t)snprintf(out + at, KEY_FILE_MAX - at, plain ? "%c" : "%%%02X", *p);
	}
}

/* @return octets, or -errno; -EPERM: others than its owner may read it */
static ssize_t read_whole(int fd, uint8_t *out, size_t max)
{
	struct stat st;
	size_t at = 0;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return -EPERM;
	while (at < max && (n = read(fd, out + at, max - at)) != 0) {
		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	return (ssize_t)at;
}

/* @return octets; 0 with c->why: there is none that can be used */
static size_t read_key(struct agent_ike_creds *c, const char *name)
{
	char path[sizeof(c->agent->start.statedir) + sizeof(KEYS) + 1], file[KEY_FILE_MAX];
	ssize_t n;
	int fd;

	keys_path(c->agent, path, sizeof(path));
	encode(name, file);
	fd = import_dir_open(path, file);
	n = fd < 0 ? fd : read_whole(fd, c->octets, sizeof(c->octets));
	if (fd >= 0)
		close(fd);
	if (n > 0 && (size_t)n < sizeof(c->octets)) {
		/* A PKCS #11 URI is a line of text. */
		while (n > 0 && c->octets[0] != 0x30 && isspace(c->octets[n - 1]))
			n--;
		return (size_t)n;
	}
	snprintf(c->why, sizeof(c->why), "has no private key for credential \"%s\" (" KEYS "/%s): %s", name,
		 file, n == -EPERM ? "others than its owner may read it" :
		 n < 0 ? strerror((int)-n) : n == 0 ? "it is empty" : "it is too long");
	return 0;
}

/* ---- octets ---- */

static bool send_octets(struct agent_ike_creds *c, size_t len)
{
	static uint8_t buf[IKE_WIRE_PIECE + 1];

	for (size_t at = 0; at == 0 || at < len; at += IKE_WIRE_PIECE) {
		const size_t n = len - at < IKE_WIRE_PIECE ? len - at : IKE_WIRE_PIECE;
		bool good = true;

		buf[0] = at == 0;
		memcpy(buf + 1, c->octets + at, n);
		if (c->chan)
			good = chan_send(c->chan, MSG_IKE_OCTETS, buf, n + 1, NULL, 0) == 0;
		explicit_bzero(buf, sizeof(buf));
		if (!good)
			return false;
	}
	return true;
}

static const struct mib_row *row_named(const struct mib_view *v, const struct mib_table *t,
				       const char *name)
{
	const struct mib_value part = mib_value_octets(name, strlen(name));
	struct mib_oid index;

	return mib_index_encode(t, &part, 1, &index) ? mib_view_row(v, t, index.ids, index.len) : NULL;
}

/* A certificate may also stand where managers read it. */
static size_t read_filter(struct agent_ike_creds *c, const struct mib_row *r)
{
	const uint8_t *data;
	const size_t n = r ? pol_row_octets(r, MIB_COL(ipiaCredentialFilterTable,
						       ipiaCredFiltMatchFieldValue), &data) : 0;

	if (n == 0 || n >= sizeof(c->octets))
		return 0;
	memcpy(c->octets, data, n);
	return n;
}

/* @return 0: none; or, with c->why, too many */
static size_t read_revoked(struct agent_ike_creds *c)
{
	const size_t n = pol_revoked_write(mib_store_view(c->agent->store), c->octets, IKE_CREDENTIAL_MAX);

	if (n <= IKE_CREDENTIAL_MAX)
		return n;
	snprintf(c->why, sizeof(c->why), "has peers with certificates, and ipiaRevokedCertificateTable has more "
		 "rows than can be looked at (%zu octets of %u)", n, IKE_CREDENTIAL_MAX);
	return 0;
}

static size_t read_octets(struct agent_ike_creds *c, enum source source, const char *name)
{
	const struct mib_view *const v = mib_store_view(c->agent->store);
	const struct mib_row *const r = row_named(v, &mib_t_ipsaCredentialTable, name);
	size_t n;

	if (source == KEY_FILE)
		return read_key(c, name);
	if (source == REVOKED)
		return read_revoked(c);
	n = r ? pol_credential_octets(v, r, c->octets, sizeof(c->octets)) :
		read_filter(c, row_named(v, &mib_t_ipiaCredentialFilterTable, name));
	if (n > 0 && n < sizeof(c->octets) && source == FIRST)
		n = pol_credential_first(c->octets, n);
	if (n > 0 && n < sizeof(c->octets))
		return n;
	snprintf(c->why, sizeof(c->why), "has no certificate in credential \"%s\"", name);
	return 0;
}

/* The number of octets of a name, which are sent now if they were not yet. 0: there are none, or c->failed */
static uint32_t number_of(struct agent_ike_creds *c, enum source source, const char *name)
{
	struct sent *grown;
	size_t len;

	if (!name[0] || c->failed)
		return 0;
	for (size_t i = 0; i < c->n_sent; i++) {
		if (c->sent[i].source == source && !strcmp(c->sent[i].name, name))
			return c->sent[i].number;
	}
	if (c->n_sent == c->room_sent) {
		c->room_sent = c->room_sent ? 2 * c->room_sent : 16;
		grown = reallocarray(c->sent, c->room_sent, sizeof(*grown));
		c->failed = !grown;
		if (!grown)
			return 0;
		c->sent = grown;
	}
	len = read_octets(c, source, name);
	if (len == 0)
		return 0;
	c->failed = c->n_octets == IKE_WIRE_OCTETS_MAX || !send_octets(c, len);
	explicit_bzero(c->octets, len);
	if (c->failed)
		return 0;
	c->sent[c->n_sent] = (struct sent){ .source = source, .number = ++c->n_octets };
	snprintf(c->sent[c->n_sent].name, sizeof(c->sent[c->n_sent].name), "%s", name);
	return c->sent[c->n_sent++].number;
}

/* ---- messages that name them ---- */

/* The number of that message, which is sent now if it was not yet. 0: c->failed */
static uint32_t message_number(struct agent_ike_creds *c, struct messages *of, uint16_t type, size_t max,
			       const struct chan_writer *w)
{
	uint8_t text[MESSAGE_MAX] = { 0 };

	if (w->overflow || w->len > sizeof(text)) {
		c->failed = true;
		return 0;
	}
	memcpy(text, w->data, w->len);
	for (size_t i = 0; i < of->n; i++) {
		if (!memcmp(of->list[i], text, sizeof(text)))
			return (uint32_t)(i + 1);
	}
	if (of->n == of->room) {
		const size_t room = of->room ? 2 * of->room : 8;
		void *const grown = reallocarray(of->list, room, sizeof(*of->list));

		if (!grown || of->n >= max) {
			if (grown)
				of->list = grown;
			c->failed = true;
			return 0;
		}
		of->list = grown;
		of->room = room;
	}
	if (c->chan && chan_send(c->chan, type, w->data, w->len, NULL, 0) < 0) {
		c->failed = true;
		return 0;
	}
	memcpy(of->list[of->n++], text, sizeof(text));
	return (uint32_t)of->n;
}

static uint32_t own_number(struct agent_ike_creds *c, const struct pol_conn_credential *cred)
{
	uint8_t buf[MESSAGE_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	struct ike_wire_own own = { .key = number_of(c, KEY_FILE, cred->name), .pss = cred->pss };

	if (own.key == 0)
		return 0;
	own.certs = cred->raw_key ? 0 : number_of(c, WHOLE, cred->name);
	own.raw_key = cred->raw_key ? number_of(c, WHOLE, cred->name) : 0;
	if (own.certs == 0 && own.raw_key == 0)
		return 0;
	ike_wire_own_put(&w, &own);
	return message_number(c, &c->owns, MSG_IKE_OWN, IKE_WIRE_OWNS_MAX, &w);
}

/* The n-th of ours. NULL: there are no more */
static const struct pol_conn_credential *own_of(const struct pol_connection *c, size_t n)
{
	return n == 0 ? &c->local_credential : n <= c->n_more ? &c->more[n - 1] : NULL;
}

/* Those of ours that can be used, into proof; c->why: why one cannot. */
static void put_owns(struct agent_ike_creds *c, const struct pol_connection *conn, struct ike_wire_proof *proof)
{
	const struct pol_conn_credential *cred;

	proof->n_owns = 0;
	for (size_t i = 0; (cred = own_of(conn, i)); i++) {
		const uint32_t number = own_number(c, cred);

		if (number > 0)
			proof->owns[proof->n_owns++] = number;
	}
}

static bool is_own(const struct pol_connection *c, const char *name)
{
	const struct pol_conn_credential *cred;

	for (size_t i = 0; (cred = own_of(c, i)); i++) {
		if (!strcmp(cred->name, name))
			return true;
	}
	return false;
}

static const struct pol_conn_ca *ca_of(const struct pol_connection *c, const char *name)
{
	for (size_t i = 0; i < c->n_cas && name[0]; i++) {
		if (!strcmp(c->cas[i].name, name))
			return &c->cas[i];
	}
	return NULL;
}

/* Whoever the n-th credential's CA has signed is believed, too. Of several CAs the strictest counts for all. */
static void put_ca(struct agent_ike_creds *c, const struct pol_connection *conn, const struct pol_conn_credential *by,
		   size_t n, struct ike_wire_trust *t)
{
	const struct pol_conn_ca *const ca = ca_of(conn, by->ca);
	const uint16_t links_max = by->max_chain + 2u;
	uint8_t level;

	if (!ca || by->raw_key)
		return;
	level = (uint8_t)(ca->crl_level - POL_CRL_NONE);
	t->cas[n] = number_of(c, FIRST, ca->certificate);
	t->intermediates[n] = number_of(c, WHOLE, by->name);
	if (level > t->level)
		t->level = level;
	if (t->links_max == 0 || links_max < t->links_max)
		t->links_max = links_max;
	t->unnamed |= !ca->in_requests;
}

static bool asks_for_rows(const struct pol_connection *conn, const struct pol_conn_credential *by)
{
	const struct pol_conn_ca *const ca = ca_of(conn, by->ca);

	return !by->raw_key && (!ca || ca->crl_level != POL_CRL_NONE);
}

/* What a peer's own credential says of it: the very certificate or key. Else whoever the CAs of ours have signed. */
static void put_trust(struct agent_ike_creds *c, const struct pol_connection *conn, const struct pol_conn_peer *peer,
		      struct ike_wire_trust *t)
{
	const struct pol_conn_credential *const theirs = &peer->credential, *own;
	bool rows = false;

	if (theirs->type == POL_CRED_X509 && !is_own(conn, theirs->name)) {
		if (theirs->raw_key)
			t->raw_key = number_of(c, WHOLE, theirs->name);
		else
			t->peers = number_of(c, FIRST, theirs->name);
		put_ca(c, conn, theirs, 0, t);
		rows = asks_for_rows(conn, theirs);
	} else {
		for (size_t i = 0; (own = own_of(conn, i)); i++) {
			put_ca(c, conn, own, i, t);
			rows |= asks_for_rows(conn, own);
		}
	}
	if (rows)
		t->revoked = number_of(c, REVOKED, "rows");
}

static uint32_t trust_number(struct agent_ike_creds *c, const struct pol_connection *conn,
			     const struct pol_conn_peer *peer)
{
	uint8_t buf[MESSAGE_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	struct ike_wire_trust t = { .weak = c->agent->options.options.allow_weak };
	bool any;

	put_trust(c, conn, peer, &t);
	any = t.peers > 0 || t.raw_key > 0;
	for (size_t i = 0; i < IKE_CREDENTIALS_MAX; i++)
		any |= t.cas[i] > 0;
	if (!any && !c->why[0])
		snprintf(c->why, sizeof(c->why), "has a peer that is to show a certificate, and no "
			 "CA's certificate, no certificate and no key to judge it by");
	if (!any || c->why[0])
		return 0;
	ike_wire_trust_put(&w, &t);
	return message_number(c, &c->trusts, MSG_IKE_TRUST, IKE_WIRE_TRUSTS_MAX, &w);
}

static bool uses_certificates(const struct pol_connection *c)
{
	for (size_t i = 0; i < c->n_proposals; i++) {
		if (c->proposals[i].v2 && c->proposals[i].auth != AUTH_PSK)
			return true;
	}
	return false;
}

/* One of several credentials that cannot be used is passed over. *none: none can be */
static bool prove_us(struct agent_ike_creds *creds, const struct pol_conn_key *key, const struct pol_connection *c,
		     struct ike_wire_proof *proof)
{
	put_owns(creds, c, proof);
	if (proof->n_owns == 0)
		return false;
	if (creds->why[0])
		ipspd_log(LOG_WARNING, "ike", "connection \"%s\", \"%s\" %s, which is passed over", key->ipsec,
			  key->ike, creds->why);
	if (c->passed_over[0])
		ipspd_log(LOG_WARNING, "ike", "connection \"%s\", \"%s\": %s, and is passed over", key->ipsec,
			  key->ike, c->passed_over);
	creds->why[0] = '\0';
	return true;
}

bool agent_ike_creds_prove(struct agent_ike_creds *creds, const struct pol_conn_key *key,
			   const struct pol_connection *c, struct ike_wire_conn *wire, const char **why)
{
	static const struct pol_conn_peer anybody;
	struct ike_wire_proof ours = { 0 };

	*why = NULL;
	creds->why[0] = '\0';
	if (!uses_certificates(c))
		return true;
	if (prove_us(creds, key, c, &ours)) {
		for (size_t i = 0; i < wire->conn->n_peers; i++) {
			wire->proofs[i] = ours;
			wire->proofs[i].trust = trust_number(creds, c, c->n_peers ? &c->peers[i] : &anybody);
			if (wire->proofs[i].trust == 0)
				break;
		}
	}
	if (creds->why[0])
		*why = creds->why;
	return !creds->failed;
}

/* ---- life ---- */

struct agent_ike_creds *agent_ike_creds_new(struct agent *a, struct chan *chan)
{
	struct agent_ike_creds *const c = calloc(1, sizeof(*c));

	if (c) {
		c->agent = a;
		c->chan = chan;
	}
	return c;
}

void agent_ike_creds_free(struct agent_ike_creds *c)
{
	if (!c)
		return;
	explicit_bzero(c->octets, sizeof(c->octets));
	free(c->sent);
	free(c->owns.list);
	free(c->trusts.list);
	free(c);
}
