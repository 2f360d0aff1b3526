/*
 * ipspd/agent_reserve.c - sequence numbers of outbound manual SAs, RFC 4303 3.3.3.
 *
 *   store:    ... used in an earlier life ...|floor ... this block ...|ceiling
 *
 * A manual key may see each number once, over all restarts. So the engine uses only numbers that the
 * store says are reserved, and a life that finds no counters in memory begins above what the store
 * says. Never lowers a reservation.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

#define SPACES_MAX (1u << 17)

struct number_space {
	uint64_t counter_id;
	uint64_t floor;		/* reserved when this process first looked */
	uint64_t ceiling;	/* reserved now */
};

static size_t position(const struct reservations *r, uint64_t counter_id)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->items[mid].counter_id < counter_id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool make_room(struct reservations *r)
{
	if (r->n < r->room)
		return true;
	size_t room = r->room ? r->room * 2 : 64;
	struct number_space *items =
		(struct number_space *)reallocarray(r->items, room, sizeof(*items));

	if (!items)
		return false;
	r->items = items;
	r->room = room;
	return true;
}

static void write_failed(struct agent *a, const struct mib_diag *d)
{
	ipspd_log(LOG_ERR, "store", "%s: %s", d->object, d->text);
	news_trouble(a, NEWS_WRITE, d->object, d->text);
}

/* The space with that id, asked of the store when it is new here. NULL: no memory, no disk. */
static struct number_space *look_up(struct agent *a, uint64_t counter_id)
{
	struct reservations *r = &a->reservations;
	size_t at = position(r, counter_id);
	uint64_t reserved = 0;
	struct mib_diag d;

	if (at < r->n && r->items[at].counter_id == counter_id)
		return &r->items[at];
	enum mib_err err = mib_db_reserve_get(a->db, counter_id, &reserved, &d);
	if (err != MIB_OK && err != MIB_NO_SUCH_INSTANCE) {
		write_failed(a, &d);
		return NULL;
	}
	if (r->n == SPACES_MAX || !make_room(r))
		return NULL;
	for (size_t i = r->n; i > at; i--)
		r->items[i] = r->items[i - 1];
	r->n++;
	r->items[at] = (struct number_space){ .counter_id = counter_id, .floor = reserved,
					      .ceiling = reserved };
	return &r->items[at];
}

/* The end of the block that begins above `used`; at the top of the numbers, just that. */
static uint64_t block_above(uint64_t used)
{
	return used > UINT64_MAX - RESERVE_BLOCK ? UINT64_MAX : used + RESERVE_BLOCK;
}

/* First blocks for all that have none in this life, at the cost of one write. */
static bool reserve_first_blocks(struct agent *a, const struct ipsp_sa_config *sas, size_t n)
{
	struct mib_reservation *puts =
		(struct mib_reservation *)calloc(n + 1, sizeof(*puts));
	size_t n_puts = 0;
	struct mib_diag d;

	if (!puts)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct number_space *s = sas[i].dir == IPSP_OUTBOUND ?
						 look_up(a, sas[i].counter_id) : NULL;

		if (s && s->ceiling == s->floor)
			puts[n_puts++] = (struct mib_reservation){ s->counter_id,
								   block_above(s->floor) };
	}
	enum mib_err err = n_puts ? mib_db_reserve_put_all(a->db, puts, n_puts, &d) : MIB_OK;
	if (err != MIB_OK)
		write_failed(a, &d);
	for (size_t i = 0; err == MIB_OK && i < n_puts; i++)
		a->reservations.items[position(&a->reservations, puts[i].counter_id)].ceiling =
			puts[i].reserved;
	free(puts);
	return err == MIB_OK;
}

bool reserve_prepare(struct agent *a, struct ipsp_sa_config *sas, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (sas[i].dir != IPSP_OUTBOUND)
			continue;
		const struct number_space *s = look_up(a, sas[i].counter_id);

		if (!s)
			return false;
		sas[i].seq_floor = s->floor;
	}
	/* An agent after the first finds counters in memory: the engine says when it needs more. */
	return !a->start.first || reserve_first_blocks(a, sas, n);
}

static void send_ceiling(struct agent *a, const struct number_space *s)
{
	uint8_t buf[16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, s->counter_id);
	chan_put_u64(&w, s->ceiling);
	if (chan_send(a->engine, MSG_RESERVED, buf, w.len, NULL, 0) < 0)
		ipspd_log(LOG_ERR, "apply", "the engine is not told of reserved numbers");
}

void reserve_send(struct agent *a, const struct ipsp_sa_config *sas, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct number_space *s = sas[i].dir == IPSP_OUTBOUND ?
						       look_up(a, sas[i].counter_id) : NULL;

		if (s && s->ceiling > s->floor)
			send_ceiling(a, s);
	}
}

bool reserve_message(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint64_t counter_id = chan_get_u64(&r), next = chan_get_u64(&r);
	struct mib_diag d;

	if (!chan_reader_done(&r) || counter_id == 0)
		return false;
	struct number_space *s = look_up(a, counter_id);
	if (!s)
		return true;
	/* Half a block ahead is as good as a new one: a restart costs no numbers. */
	uint64_t ceiling = block_above(next);
	if (s->ceiling < block_above(next) - RESERVE_BLOCK / 2) {
		if (mib_db_reserve_put(a->db, counter_id, ceiling, &d) != MIB_OK) {
			write_failed(a, &d);
			return true;
		}
		s->ceiling = ceiling;
	}
	send_ceiling(a, s);
	return true;
}

void reserve_fini(struct agent *a)
{
	free(a->reservations.items);
}
