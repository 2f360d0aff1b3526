/*
 * pfkey/dump.c - DUMP and SPDDUMP: an SA or policy a message, some at a time, so that packets get
 * their turns between.
 *
 * The last message bears seq 0 (RFC 2367 3.1.10), so one is held back until it is known whether
 * another follows. They may come and go meanwhile: those that stay are all told, once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pfkey/algs.h"
#include "pfkey/server_int.h"

static bool in_prefix(const struct ipsp_addr *a, const struct ipsp_addr *net, unsigned len)
{
	struct ipsp_addr lo, hi;

	if (net->family == 0 || len == 0)
		return true;
	return a->family == net->family && ipsp_addr_prefix(net, len, &lo, &hi) == IPSP_OK &&
	       ipsp_addr_cmp(a, &lo) >= 0 && ipsp_addr_cmp(a, &hi) <= 0;
}

static bool is_wanted(const struct pfkey_dump *d, const struct ipsp_sa *sa)
{
	const bool in = sa->dir == IPSP_INBOUND;
	const uint8_t proto = pfkey_proto_of(d->satype);

	if (sa->origin == IPSP_ORIGIN_CLEAR || (proto != 0 && sa->proto != proto))
		return false;
	return !d->filtered ||
	       (in_prefix(in ? &sa->remote : &sa->local, &d->filter.src,
			  d->filter.src_prefix_len) &&
		in_prefix(in ? &sa->local : &sa->remote, &d->filter.dst,
			  d->filter.dst_prefix_len));
}

/* Writes the next message. @return its octets; 0: there is no more */
static size_t next(struct pfkey_client *c, uint8_t *out, size_t size)
{
	struct pfkey_dump *d = c->dump;
	const struct ipsp_sa *sa;
	size_t len = 0;

	if (d->type == SADB_X_SPDDUMP) {
		const uint32_t index = pfkey_policies_next(c->server, d->after, d->type, d->seq,
							   d->pid, out, size, &len);

		d->after = index ? index : d->after;
		return index ? len : 0;
	}
	while ((sa = ipsp_sad_cursor_next(&d->cursor))) {
		if (is_wanted(d, sa))
			return pfkey_sa_message(c->server, sa, c->privileged, d->type, d->seq,
						d->pid, out, size);
	}
	return 0;
}

int pfkey_dump_begin(struct pfkey_client *c, const struct pfkey_msg *m)
{
	struct pfkey_dump *d;

	if (m->type == SADB_DUMP && m->satype != SADB_SATYPE_UNSPEC &&
	    pfkey_proto_of(m->satype) == 0)
		return EINVAL;
	if (c->dump)
		return EBUSY;
	d = calloc(1, sizeof(*d));
	if (!d)
		return ENOMEM;
	d->type = m->type;
	d->satype = m->satype;
	d->seq = m->seq;
	d->pid = m->pid;
	d->filter = m->filter;
	d->filtered = m->has & PFKEY_HAS(SADB_X_EXT_FILTER);
	if (m->type == SADB_X_SPDDUMP)
		pfkey_policies_look(c->server);
	ipsp_sad_cursor_init(&d->cursor, ipsp_engine_sad(c->server->config.engine));
	c->dump = d;
	d->len = next(c, d->message, sizeof(d->message));
	if (d->len > 0)
		return 0;
	pfkey_dump_end(c);
	return ENOENT;	/* as KAME: there is no message that could bear seq 0 */
}

void pfkey_dump_end(struct pfkey_client *c)
{
	if (!c->dump)
		return;
	ipsp_sad_cursor_fini(&c->dump->cursor);
	explicit_bzero(c->dump, sizeof(*c->dump));
	free(c->dump);
	c->dump = NULL;
}

bool pfkey_client_dumps(const struct pfkey_client *c)
{
	return c->dump != NULL;
}

void pfkey_client_dump(struct pfkey_client *c, size_t n, uint64_t now_s, uint64_t wall_s)
{
	struct pfkey_server *s = c->server;
	struct pfkey_dump *const d = c->dump;
	uint8_t message[PFKEY_MSG_MAX];
	uint32_t seq;

	s->now_s = now_s;
	s->wall_s = wall_s;
	for (size_t i = 0; d && i < n; i++) {
		const size_t len = next(c, message, sizeof(message));

		seq = len > 0 ? ++d->n : 0;
		memcpy(d->message + offsetof(struct sadb_msg, sadb_msg_seq), &seq, sizeof(seq));
		pfkey_tell(s, PFKEY_TO_ONE, c, d->satype, d->message, d->len);
		if (len == 0) {
			pfkey_dump_end(c);
			break;
		}
		memcpy(d->message, message, len);
		d->len = len;
	}
	explicit_bzero(message, sizeof(message));
}
