/*
 * ipsp-pcap/fragments.c - messages in pieces: see fragments.h.
 *
 * A message of IKEv2 has its ID, which never comes again, so that one that is whole is remembered for a while: its
 * pieces are sent again when an answer is lost. IKEv1 counts its fragments' IDs as it likes, strongSwan not at all:
 * there a piece that has the place of another one begins a new message.
 */
#include "ipsp-pcap/fragments.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OCTETS_MAX 65535u
#define OCTETS_FIRST 2048u
#define GAPS_MAX 8u		/* runs of missing pieces that are named */

/* What the pieces of one message have in common. */
struct key {
	uint8_t spi_i[IKE_SPI_LEN], spi_r[IKE_SPI_LEN];
	uint8_t major, exchange, flags;
	uint32_t message_id;
	uint16_t id;			/* IKEv1 */
	uint16_t total;			/* IKEv2: cut anew, it is other pieces */
	struct ipsp_addr src;		/* IKEv1 */
};

/* A piece that is there. */
struct place {
	bool known;
	uint32_t at, len;
};

struct message {
	bool used, whole;		/* whole: its pieces are gone */
	struct key key;
	uint64_t began, touched;	/* count pieces */
	uint16_t n, highest, total;	/* total 0: not known yet */
	uint8_t first_payload;
	struct place *places;		/* PC_FRAGMENTS_MAX */
	uint8_t *octets;
	size_t len, room;
};

struct pc_fragments {
	pc_loss_fn *lost;
	void *arg;
	uint64_t n_taken;
	struct message messages[PC_FRAGMENTED_MAX];
	uint8_t out[OCTETS_MAX];
};

struct pc_fragments *pc_fragments_new(pc_loss_fn *lost, void *arg)
{
	struct pc_fragments *const f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->lost = lost;
	f->arg = arg;
	return f;
}

static void drop_pieces(struct message *m)
{
	free(m->places);
	free(m->octets);
	m->places = NULL;
	m->octets = NULL;
	m->len = m->room = 0;
}

static void forget(struct message *m)
{
	drop_pieces(m);
	m->used = false;
}

void pc_fragments_free(struct pc_fragments *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < PC_FRAGMENTED_MAX; i++)
		drop_pieces(&f->messages[i]);
	free(f);
}

/* ---- what lacks ---- */

struct text {
	char *at;
	size_t room;
};

__attribute__((format(printf, 2, 3)))
static void add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at, t->room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= t->room)
		n = (int)strlen(t->at);
	t->at += n;
	t->room -= (size_t)n;
}

static void add_gaps(struct text *t, const struct message *m)
{
	const uint16_t last = m->total ? m->total : m->highest;
	unsigned n_gaps = 0;

	for (uint32_t i = 1; i <= last; i++) {
		const uint32_t from = i;

		if (m->places[i - 1].known)
			continue;
		while (i < last && !m->places[i].known)
			i++;
		if (++n_gaps > GAPS_MAX) {
			add(t, " and more");
			return;
		}
		add(t, "%s %" PRIu32, n_gaps > 1 ? "," : "", from);
		if (i > from)
			add(t, " to %" PRIu32, i);
	}
	if (m->total)
		add(t, " of %u", m->total);
	else
		add(t, "%s all behind %u", n_gaps > 0 ? " and" : "", m->highest);
}

static void add_spi(struct text *t, const uint8_t *spi)
{
	for (size_t i = 0; i < IKE_SPI_LEN; i++)
		add(t, "%02x", spi[i]);
}

static void tell(struct pc_fragments *f, const struct message *m)
{
	char buf[PC_LOSS_TEXT] = "";
	struct text t = { buf, sizeof(buf) };

	if (m->whole)
		return;
	add(&t, "IKEv%u message ID %" PRIu32 " of ", m->key.major, m->key.message_id);
	add_spi(&t, m->key.spi_i);
	add(&t, ", ");
	add_spi(&t, m->key.spi_r);
	add(&t, " lacks fragments");
	add_gaps(&t, m);
	f->lost(f->arg, buf);
}

void pc_fragments_end(struct pc_fragments *f)
{
	for (;;) {
		struct message *first = NULL;

		for (size_t i = 0; i < PC_FRAGMENTED_MAX; i++) {
			struct message *const m = &f->messages[i];

			if (m->used && (!first || m->began < first->began))
				first = m;
		}
		if (!first)
			return;
		tell(f, first);
		forget(first);
	}
}

/* ---- which message ---- */

static struct key key_of(const struct pc_fragment *piece)
{
	const struct ike_header *const h = piece->header;
	struct key key = { .major = h->major, .exchange = h->exchange, .flags = h->flags,
			   .message_id = h->message_id };

	memcpy(key.spi_i, h->spi_i, IKE_SPI_LEN);
	memcpy(key.spi_r, h->spi_r, IKE_SPI_LEN);
	if (h->major == 1) {
		key.id = piece->id;
		key.src = piece->src;
	} else {
		key.total = piece->total;
	}
	return key;
}

static bool same(const struct key *a, const struct key *b)
{
	return a->major == b->major && a->exchange == b->exchange && a->flags == b->flags &&
	       a->message_id == b->message_id && a->id == b->id && a->total == b->total &&
	       !memcmp(a->spi_i, b->spi_i, IKE_SPI_LEN) && !memcmp(a->spi_r, b->spi_r, IKE_SPI_LEN) &&
	       ipsp_addr_cmp(&a->src, &b->src) == 0;
}

static struct message *find(struct pc_fragments *f, const struct key *key)
{
	for (size_t i = 0; i < PC_FRAGMENTED_MAX; i++) {
		if (f->messages[i].used && same(&f->messages[i].key, key))
			return &f->messages[i];
	}
	return NULL;
}

/* Which of the two gives way to a new one: a free place, one that is done with, one that rested longest. */
static bool gives_way(const struct message *m, const struct message *than)
{
	if (m->used != than->used)
		return !m->used;
	if (m->whole != than->whole)
		return m->whole;
	return m->touched < than->touched;
}

/* NULL: no memory. */
static struct message *begin(struct pc_fragments *f, const struct key *key)
{
	struct place *const places = calloc(PC_FRAGMENTS_MAX, sizeof(*places));
	struct message *m = &f->messages[0];

	if (!places)
		return NULL;
	for (size_t i = 1; i < PC_FRAGMENTED_MAX; i++) {
		if (gives_way(&f->messages[i], m))
			m = &f->messages[i];
	}
	if (m->used) {
		tell(f, m);
		forget(m);
	}
	*m = (struct message){ .used = true, .key = *key, .places = places, .began = f->n_taken };
	return m;
}

/* ---- pieces ---- */

static bool is_there(const struct message *m, const struct pc_fragment *piece)
{
	return m->places[piece->number - 1].known;
}

static bool is_the_same(const struct message *m, const struct pc_fragment *piece)
{
	const struct place *const p = &m->places[piece->number - 1];

	return p->len == piece->octets.len && !memcmp(m->octets + p->at, piece->octets.data, p->len);
}

/* Of one message, the pieces cannot be these and that. */
static bool contradicts(const struct message *m, const struct pc_fragment *piece)
{
	return (is_there(m, piece) && !is_the_same(m, piece)) ||
	       (m->total > 0 && (piece->number > m->total ||
				 (piece->total > 0 && piece->total != m->total))) ||
	       (piece->total > 0 && m->highest > piece->total);
}

static bool make_room(struct message *m, size_t len)
{
	size_t room = m->room ? m->room : OCTETS_FIRST;
	uint8_t *grown;

	while (room < m->len + len)
		room *= 2;
	if (room == m->room)
		return true;
	grown = realloc(m->octets, room);
	if (!grown)
		return false;
	m->octets = grown;
	m->room = room;
	return true;
}

/* @return NULL, or why not */
static const char *keep(struct message *m, const struct pc_fragment *piece)
{
	if (m->len + piece->octets.len > OCTETS_MAX)
		return "it would be longer than any message";
	if (!make_room(m, piece->octets.len))
		return "out of memory";
	if (piece->octets.len > 0)
		memcpy(m->octets + m->len, piece->octets.data, piece->octets.len);
	m->places[piece->number - 1] = (struct place){ true, (uint32_t)m->len,
						       (uint32_t)piece->octets.len };
	m->len += piece->octets.len;
	m->n++;
	if (piece->number > m->highest)
		m->highest = piece->number;
	if (piece->total > 0)
		m->total = piece->total;
	if (piece->number == 1)
		m->first_payload = piece->first_payload;
	return NULL;
}

static void put_together(struct pc_fragments *f, struct message *m, struct pc_whole *out)
{
	size_t len = 0;

	for (uint16_t i = 0; i < m->total; i++) {
		memcpy(f->out + len, m->octets + m->places[i].at, m->places[i].len);
		len += m->places[i].len;
	}
	*out = (struct pc_whole){ { f->out, len }, m->first_payload };
	m->whole = true;
	drop_pieces(m);
	if (m->key.major == 1)
		forget(m);
}

static const char *why_refused(const struct pc_fragment *piece)
{
	if (piece->number == 0 || (piece->total > 0 && piece->number > piece->total))
		return "it is not one of those that it says there are";
	if (piece->number > PC_FRAGMENTS_MAX || piece->total > PC_FRAGMENTS_MAX)
		return "there are more than any message has";
	return NULL;
}

const char *pc_fragments_add(struct pc_fragments *f, const struct pc_fragment *piece,
			     struct pc_whole *out)
{
	const struct key key = key_of(piece);
	const char *why = why_refused(piece);
	struct message *m;

	if (why)
		return why;
	f->n_taken++;
	m = find(f, &key);
	if (m && !m->whole && contradicts(m, piece)) {
		tell(f, m);
		forget(m);
		m = NULL;
	}
	if (!m)
		m = begin(f, &key);
	if (!m)
		return "out of memory";
	m->touched = f->n_taken;
	if (m->whole)
		return "its message was put together before";
	if (is_there(m, piece))
		return "it came before";
	why = keep(m, piece);
	if (why)
		return why;
	if (m->total == 0 || m->n < m->total)
		return "others of its message have not come yet";
	put_together(f, m, out);
	return NULL;
}
