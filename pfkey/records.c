/*
 * pfkey/records.c - what was said of SAs and the SAD does not keep.
 *
 * Keys are here because GET and DUMP tell them (RFC 2367 3.1.5). The engine process locks its
 * memory; records are wiped when they go.
 */
#include <stdlib.h>
#include <string.h>

#include "pfkey/server_int.h"

/* What GET tells, but for what lives: state and current lifetime. */
#define KEPT (~(PFKEY_HAS(SADB_EXT_LIFETIME_CURRENT) | PFKEY_HAS(SADB_EXT_SPIRANGE) | \
		PFKEY_HAS(SADB_EXT_PROPOSAL) | PFKEY_HAS(SADB_X_EXT_KMADDRESS)))
#define BUCKETS_MIN 256u

static struct pfkey_record **bucket(const struct pfkey_records *r, uint64_t sa_id)
{
	return &r->buckets[(sa_id * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (r->n_buckets - 1)];
}

static void wipe(struct pfkey_record *record)
{
	explicit_bzero(record->message, record->len);
	free(record);
}

struct pfkey_record *pfkey_record_find(const struct pfkey_records *r, uint64_t sa_id)
{
	struct pfkey_record *at = r->n_buckets ? *bucket(r, sa_id) : NULL;

	while (at && at->sa_id != sa_id)
		at = at->next;
	return at;
}

/* Twice the buckets, before chains get long. */
static bool grow(struct pfkey_records *r)
{
	struct pfkey_records more = { .n_buckets = r->n_buckets ? r->n_buckets * 2 : BUCKETS_MIN,
				      .n = r->n };

	more.buckets = calloc(more.n_buckets, sizeof(more.buckets[0]));
	if (!more.buckets)
		return r->n_buckets != 0;	/* then chains get longer */
	for (size_t i = 0; i < r->n_buckets; i++) {
		struct pfkey_record *next;

		for (struct pfkey_record *at = r->buckets[i]; at; at = next) {
			struct pfkey_record **to = bucket(&more, at->sa_id);

			next = at->next;
			at->next = *to;
			*to = at;
		}
	}
	free(r->buckets);
	*r = more;
	return true;
}

bool pfkey_record_put(struct pfkey_records *r, uint64_t sa_id, const struct pfkey_msg *m,
		      uint64_t made_wall_s)
{
	uint8_t message[PFKEY_MSG_MAX];
	struct pfkey_record *record = NULL;
	struct pfkey_writer w;

	pfkey_begin(&w, message, sizeof(message), SADB_GET, m->satype, 0, 0);
	pfkey_put_some(&w, m, KEPT);

	const size_t len = pfkey_end(&w);

	if (len > 0 && (r->n < r->n_buckets || grow(r)))
		record = malloc(sizeof(*record) + len);
	if (record) {
		*record = (struct pfkey_record){ .sa_id = sa_id, .made_wall_s = made_wall_s,
						 .len = (uint32_t)len };
		memcpy(record->message, message, len);
		pfkey_record_drop(r, sa_id);
		struct pfkey_record **at = bucket(r, sa_id);

		record->next = *at;
		*at = record;
		r->n++;
	}
	explicit_bzero(message, len);
	return record != NULL;
}

void pfkey_record_drop(struct pfkey_records *r, uint64_t sa_id)
{
	struct pfkey_record **at = r->n_buckets ? bucket(r, sa_id) : NULL;

	while (at && *at && (*at)->sa_id != sa_id)
		at = &(*at)->next;
	if (!at || !*at)
		return;
	struct pfkey_record *gone = *at;

	*at = gone->next;
	wipe(gone);
	r->n--;
}

static uint8_t satype_of(const struct pfkey_record *record)
{
	return record->message[offsetof(struct sadb_msg, sadb_msg_satype)];
}

void pfkey_records_drop_type(struct pfkey_records *r, uint8_t satype)
{
	for (size_t i = 0; i < r->n_buckets; i++) {
		struct pfkey_record **at = &r->buckets[i];

		while (*at) {
			struct pfkey_record *gone = *at;

			if (satype != SADB_SATYPE_UNSPEC && satype_of(gone) != satype) {
				at = &gone->next;
				continue;
			}
			*at = gone->next;
			wipe(gone);
			r->n--;
		}
	}
}

void pfkey_records_fini(struct pfkey_records *r)
{
	pfkey_records_drop_type(r, SADB_SATYPE_UNSPEC);
	free(r->buckets);
	*r = (struct pfkey_records){ 0 };
}

void pfkey_record_read(const struct pfkey_record *record, struct pfkey_msg *out)
{
	if (pfkey_msg_read(record->message, record->len, out) != 0)
		memset(out, 0, sizeof(*out));	/* we wrote it: it cannot be */
}
