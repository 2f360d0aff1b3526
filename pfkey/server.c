/*
 * pfkey/server.c - clients, who hears which message, and which part answers it. RFC 2367 1.4, 3.1.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pfkey/algs.h"
#include "pfkey/server_int.h"

#define KEYS (PFKEY_HAS(SADB_EXT_KEY_AUTH) | PFKEY_HAS(SADB_EXT_KEY_ENCRYPT))

/* ---- who hears it ---- */

/* What did not get through before is told first: a header that says ENOBUFS. */
static void send_to(struct pfkey_client *c, const void *data, size_t len)
{
	const struct pfkey_server *s = c->server;
	const uint8_t *const octets = data;

	if (c->lost) {
		uint8_t note[PFKEY_HEADER];
		struct pfkey_writer w;

		pfkey_begin(&w, note, sizeof(note), octets[1], SADB_SATYPE_UNSPEC, 0, 0);
		note[offsetof(struct sadb_msg, sadb_msg_errno)] = ENOBUFS;
		const size_t n = pfkey_end(&w);

		c->lost = !s->config.send(s->config.ctx, c->socket, note, n);
	}
	if (c->lost || !s->config.send(s->config.ctx, c->socket, data, len))
		c->lost = true;
}

static bool hears(const struct pfkey_client *c, enum pfkey_to to, const struct pfkey_client *one,
		  uint8_t satype)
{
	if (c->promiscuous)
		return true;
	switch (to) {
	case PFKEY_TO_ALL:
		return true;
	case PFKEY_TO_REGISTERED:
		return c->registered & 1u << satype;
	case PFKEY_TO_ONE:
	default:
		return c == one;
	}
}

void pfkey_tell(struct pfkey_server *s, enum pfkey_to to, struct pfkey_client *one, uint8_t satype,
		const void *data, size_t len)
{
	struct pfkey_client *c;

	if (len == 0)
		return;
	TAILQ_FOREACH(c, &s->clients, entry) {
		if (hears(c, to, one, satype))
			send_to(c, data, len);
	}
}

void pfkey_answer(struct pfkey_client *c, enum pfkey_to to, const struct pfkey_msg *m,
		  uint64_t mask)
{
	uint8_t answer[PFKEY_MSG_MAX];
	struct pfkey_writer w;

	pfkey_begin(&w, answer, sizeof(answer), m->type, m->satype, m->seq, m->pid);
	pfkey_put_some(&w, m, mask & ~KEYS);
	const size_t len = pfkey_end(&w);

	pfkey_tell(c->server, to, c, m->satype, answer, len);
}

/* Others' requests, for who wants to hear everything; keys are not for them. */
static void tell_promiscuous(struct pfkey_client *from, const struct pfkey_msg *m)
{
	uint8_t copy[PFKEY_MSG_MAX];
	struct pfkey_client *c;
	size_t len = 0;

	TAILQ_FOREACH(c, &from->server->clients, entry) {
		struct pfkey_writer w;

		if (!c->promiscuous || c == from)
			continue;
		if (len == 0) {
			pfkey_begin(&w, copy, sizeof(copy), m->type, m->satype, m->seq, m->pid);
			pfkey_put_some(&w, m, ~KEYS);
			len = pfkey_end(&w);
		}
		if (len > 0)
			send_to(c, copy, len);
	}
}

int pfkey_errno(enum ipsp_err err)
{
	switch (err) {
	case IPSP_OK:
		return 0;
	case IPSP_ENOENT:
		return ESRCH;
	case IPSP_EEXIST:
		return EEXIST;
	case IPSP_ENOMEM:
		return ENOMEM;
	case IPSP_ENOSPC:
		return ENOBUFS;
	case IPSP_ENOTSUP:
		return EPROTONOSUPPORT;
	default:
		return EINVAL;
	}
}

/* ---- REGISTER, PROMISC ---- */

/* Without anybody who makes SAs of ours, packets need not wait for them. */
static void note_managers(struct pfkey_server *s)
{
	const uint32_t ours = 1u << SADB_SATYPE_ESP | 1u << SADB_SATYPE_AH |
			      1u << SADB_X_SATYPE_IPCOMP;
	const struct pfkey_client *c;
	bool present = false;

	TAILQ_FOREACH(c, &s->clients, entry)
		present |= (c->registered & ours) != 0;
	ipsp_engine_set_key_manager(s->config.engine, present, s->now_s);
	if (s->config.manager)
		s->config.manager(s->config.ctx, present);
}

static int do_register(struct pfkey_client *c, const struct pfkey_msg *m)
{
	const struct ipsp_crypto *crypto = c->server->config.crypto;
	uint8_t answer[PFKEY_MSG_MAX];
	struct pfkey_alg algs[PFKEY_ALGS_MAX];
	struct pfkey_writer w;
	size_t n;

	if (m->satype == SADB_SATYPE_UNSPEC || m->satype > SADB_SATYPE_MAX)
		return EINVAL;
	if (c->registered & 1u << m->satype)
		return EEXIST;
	c->registered |= 1u << m->satype;
	note_managers(c->server);
	pfkey_begin(&w, answer, sizeof(answer), m->type, m->satype, m->seq, m->pid);
	n = pfkey_algs_auth(crypto, m->satype, algs);
	if (n > 0)
		pfkey_put_supported(&w, SADB_EXT_SUPPORTED_AUTH, algs, n);
	n = pfkey_algs_encrypt(crypto, m->satype, algs);
	if (n == 0)
		n = pfkey_algs_compress(c->server->config.compress, m->satype, algs);
	if (n > 0)
		pfkey_put_supported(&w, SADB_EXT_SUPPORTED_ENCRYPT, algs, n);
	n = pfkey_end(&w);
	pfkey_tell(c->server, PFKEY_TO_REGISTERED, c, m->satype, answer, n);
	return 0;
}

/* The SA type says on or off: as KAME and Linux have it. */
static int do_promisc(struct pfkey_client *c, const struct pfkey_msg *m)
{
	if (m->satype > 1)
		return EINVAL;
	c->promiscuous = m->satype;
	pfkey_answer(c, PFKEY_TO_ONE, m, 0);
	return 0;
}

/* ---- requests ---- */

typedef int (*answerer)(struct pfkey_client *c, const struct pfkey_msg *m);

static const answerer answerers[SADB_MAX + 1] = {
	[SADB_GETSPI] = pfkey_getspi,
	[SADB_UPDATE] = pfkey_update,
	[SADB_ADD] = pfkey_add,
	[SADB_DELETE] = pfkey_delete,
	[SADB_GET] = pfkey_get,
	[SADB_ACQUIRE] = pfkey_acquire,
	[SADB_REGISTER] = do_register,
	[SADB_FLUSH] = pfkey_flush,
	[SADB_DUMP] = pfkey_dump_begin,
	[SADB_X_PROMISC] = do_promisc,
	[SADB_X_SPDUPDATE] = pfkey_spd_add,
	[SADB_X_SPDADD] = pfkey_spd_add,
	[SADB_X_SPDDELETE] = pfkey_spd_delete,
	[SADB_X_SPDGET] = pfkey_spd_by_index,
	[SADB_X_SPDACQUIRE] = pfkey_spd_acquire,
	[SADB_X_SPDDUMP] = pfkey_dump_begin,
	[SADB_X_SPDFLUSH] = pfkey_spd_flush,
	[SADB_X_SPDSETIDX] = pfkey_spd_add,
	[SADB_X_SPDDELETE2] = pfkey_spd_by_index,
	[SADB_X_MIGRATE] = pfkey_migrate,
};

static bool is_policy(const struct pfkey_msg *m)
{
	return m->freeswan ||
	       (m->type == SADB_X_MIGRATE && !(m->has & PFKEY_HAS(SADB_EXT_SA))) ||
	       (m->type >= SADB_X_SPDUPDATE && m->type <= SADB_X_SPDDELETE2);
}

static int answer(struct pfkey_client *c, const struct pfkey_msg *m)
{
	const int err = pfkey_msg_check_request(m);

	if (err)
		return err;
	if (is_policy(m) && !c->server->config.policy)
		return EOPNOTSUPP;
	tell_promiscuous(c, m);
	if (m->freeswan)
		return m->type == PFKEY_FS_ADDFLOW ? pfkey_flow_add(c, m) : pfkey_flow_delete(c, m);
	if (m->type > SADB_MAX || !answerers[m->type])
		return EOPNOTSUPP;
	return answerers[m->type](c, m);
}

void pfkey_client_message(struct pfkey_client *c, const void *data, size_t len, uint64_t now_s,
			  uint64_t wall_s)
{
	struct pfkey_msg m;
	int err = pfkey_msg_read(data, len, &m);

	c->server->now_s = now_s;
	c->server->wall_s = wall_s;
	if (!err)
		err = answer(c, &m);
	if (err) {
		uint8_t refusal[PFKEY_HEADER];

		pfkey_error_answer(data, len, (uint8_t)err, refusal);
		pfkey_tell(c->server, PFKEY_TO_ONE, c, 0, refusal, sizeof(refusal));
	}
}

/* ---- life ---- */

struct pfkey_client *pfkey_client_new(struct pfkey_server *s, void *socket, bool privileged)
{
	struct pfkey_client *c = s->n_clients < PFKEY_CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c)
		return NULL;
	c->server = s;
	c->socket = socket;
	c->privileged = privileged;
	TAILQ_INSERT_TAIL(&s->clients, c, entry);
	s->n_clients++;
	return c;
}

void pfkey_client_free(struct pfkey_client *c)
{
	if (!c)
		return;
	pfkey_dump_end(c);
	pfkey_policies_forget_client(c->server, c);
	TAILQ_REMOVE(&c->server->clients, c, entry);
	c->server->n_clients--;
	if (c->registered)
		note_managers(c->server);
	free(c);
}

size_t pfkey_server_clients(const struct pfkey_server *s)
{
	return s->n_clients;
}

struct pfkey_server *pfkey_server_new(const struct pfkey_server_config *config)
{
	struct pfkey_server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->policies = pfkey_policies_new();
	if (!s->policies) {
		free(s);
		return NULL;
	}
	s->config = *config;
	TAILQ_INIT(&s->clients);
	return s;
}

void pfkey_server_free(struct pfkey_server *s)
{
	if (!s)
		return;
	pfkey_records_fini(&s->records);
	pfkey_policies_free(s->policies);
	free(s);
}
