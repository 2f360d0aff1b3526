/* ike/sa.c - IKE SAs and exchanges: their lives, and what they wait for. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include <gcrypt.h>

#include "ike/internal.h"
#include "ike/proof.h"

const char *ike_state_text(enum ike_state state)
{
#define TEXT(name, text) [IKE_SA_##name] = text,
	static const char *const texts[IKE_N_STATES] = { IKE_STATES(TEXT) };
#undef TEXT

	return texts[state];
}

const uint8_t *ike_sa_spi(const struct ike_sa *sa)
{
	return sa->initiator ? sa->spi_i : sa->spi_r;
}

void ike_say(const struct ike_sa *sa, enum ike_level level, const char *format, ...)
{
	char who[96], text[600], remote[IPSP_ADDR_TEXT];
	va_list args;

	snprintf(who, sizeof(who), "IKE SA %016llx with %s",
		 (unsigned long long)be64dec(ike_sa_spi(sa)),
		 ipsp_addr_print(&sa->path.remote, remote));
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sa->world->ops.log(sa->world->arg, level, who, text);
}

void ike_say_of(const struct ike_world *w, const struct ike_path *path, enum ike_level level,
		const char *text)
{
	char who[64], remote[IPSP_ADDR_TEXT];

	snprintf(who, sizeof(who), "%s", ipsp_addr_print(&path->remote, remote));
	w->ops.log(w->arg, level, who, text);
}

/* ---- IKE SAs ---- */

/* Ours are random. */
static struct ike_sa **bucket(const struct ike_world *w, const uint8_t *spi)
{
	return (struct ike_sa **)&w->by_spi[be32dec(spi) % IKE_BUCKETS];
}

struct ike_sa *ike_sa_find(const struct ike_world *w, const uint8_t spi_i[IKE_SPI_LEN],
			   const uint8_t spi_r[IKE_SPI_LEN], bool initiator)
{
	struct ike_sa *sa = *bucket(w, initiator ? spi_i : spi_r);

	for (; sa; sa = sa->next_by_spi) {
		if (sa->initiator != initiator ||
		    memcmp(ike_sa_spi(sa), initiator ? spi_i : spi_r, IKE_SPI_LEN))
			continue;
		/* An initiator learns the other SPI from the answer. */
		if (initiator ? sa->state == IKE_SA_INIT_SENT ||
					!memcmp(sa->spi_r, spi_r, IKE_SPI_LEN) :
				!memcmp(sa->spi_i, spi_i, IKE_SPI_LEN))
			return sa;
	}
	return NULL;
}

static bool is_ours(const struct ike_world *w, const uint8_t *spi)
{
	for (const struct ike_sa *sa = *bucket(w, spi); sa; sa = sa->next_by_spi) {
		if (!memcmp(ike_sa_spi(sa), spi, IKE_SPI_LEN))
			return true;
	}
	return false;
}

/* RFC 7296 3.1: zero is "not known yet". */
static void choose_spi(struct ike_world *w, uint8_t spi[IKE_SPI_LEN])
{
	do {
		w->ops.random(w->arg, spi, IKE_SPI_LEN);
	} while (be64dec(spi) == 0 || is_ours(w, spi));
}

struct ike_sa *ike_sa_new(struct ike_world *w, struct ike_conn *conn, const struct ike_path *path,
			  bool initiator, uint64_t now_ms)
{
	struct ike_sa *const sa = calloc(1, sizeof(*sa));
	struct ike_sa **at;

	if (!sa)
		return NULL;
	sa->world = w;
	sa->initiator = sa->first = initiator;
	sa->path = *path;
	sa->conn = conn ? ike_conn_ref(conn) : NULL;
	sa->since_ms = sa->heard_ms = now_ms;
	sa->window = 1;
	w->last_number = w->last_number >= INT32_MAX ? 1 : w->last_number + 1;
	sa->number = w->last_number;
	choose_spi(w, initiator ? sa->spi_i : sa->spi_r);
	at = bucket(w, ike_sa_spi(sa));
	sa->next_by_spi = *at;
	*at = sa;
	w->n_sas++;
	w->n_half_open++;
	sa->next_half_open = w->half_open;
	if (w->half_open)
		w->half_open->half_open_link = &sa->next_half_open;
	sa->half_open_link = &w->half_open;
	w->half_open = sa;
	return sa;
}

static void leave_half_open(struct ike_sa *sa)
{
	if (!sa->half_open_link)
		return;
	*sa->half_open_link = sa->next_half_open;
	if (sa->next_half_open)
		sa->next_half_open->half_open_link = sa->half_open_link;
	sa->half_open_link = NULL;
	sa->world->n_half_open--;
}

/* FNV-1a of small letters: identities are authenticated before they come here, so that nobody chooses a bucket freely. */
static struct ike_sa **peer_bucket(const struct ike_world *w, const struct ike_identity *id)
{
	uint32_t hash = 2166136261u ^ id->type;

	for (size_t i = 0; i < id->len; i++)
		hash = (hash ^ (uint32_t)tolower(id->octets[i])) * 16777619u;
	return (struct ike_sa **)&w->by_peer[hash % IKE_BUCKETS];
}

void ike_sa_opened(struct ike_sa *sa)
{
	struct ike_sa **const at = peer_bucket(sa->world, sa->remote);

	leave_half_open(sa);
	sa->next_by_peer = *at;
	if (*at)
		(*at)->by_peer_link = &sa->next_by_peer;
	sa->by_peer_link = at;
	*at = sa;
}

static void leave_peers(struct ike_sa *sa)
{
	if (!sa->by_peer_link)
		return;
	*sa->by_peer_link = sa->next_by_peer;
	if (sa->next_by_peer)
		sa->next_by_peer->by_peer_link = sa->by_peer_link;
	sa->by_peer_link = NULL;
}

struct ike_sa *ike_sa_of_two(const struct ike_world *w, const struct ike_identity *remote,
			     const struct ike_identity *local, struct ike_sa *before)
{
	struct ike_sa *sa = before ? before->next_by_peer : *peer_bucket(w, remote);

	while (sa && (!ike_identity_fits(sa->remote, remote) || !ike_identity_fits(sa->local, local)))
		sa = sa->next_by_peer;
	return sa;
}

struct ike_sa *ike_sa_same_peer(const struct ike_sa *sa)
{
	struct ike_sa *const other = ike_sa_of_two(sa->world, sa->remote, sa->local, NULL);

	return other == sa ? ike_sa_of_two(sa->world, sa->remote, sa->local, other) : other;
}

bool ike_world_knows(const struct ike_world *w, const struct ike_identity *remote)
{
	const struct ike_sa *sa = *peer_bucket(w, remote);

	while (sa && !ike_identity_fits(sa->remote, remote))
		sa = sa->next_by_peer;
	return sa != NULL;
}

void ike_sa_only_one(struct ike_sa *sa)
{
	struct ike_sa *other;

	while ((other = ike_sa_same_peer(sa))) {
		ike_say(other, IKE_LOG_INFO, "the peer knows it no more");
		ike_event_down(other, IKE_END_BY_PEER, "the peer knows it no more");
		ike_sa_free(other);
	}
}

static void free_children(struct ike_sa *sa)
{
	while (sa->children)
		ike_child_remove(sa, sa->children);
}

void ike_sa_set_rival(struct ike_sa *sa, struct ike_sa *rival)
{
	if (sa->rival)
		sa->rival->rival_of = NULL;
	sa->rival = rival;
	if (rival)
		rival->rival_of = sa;
}

void ike_sa_free(struct ike_sa *sa)
{
	struct ike_world *const w = sa->world;
	struct ike_sa **at = bucket(w, ike_sa_spi(sa));

	while (*at != sa)
		at = &(*at)->next_by_spi;
	*at = sa->next_by_spi;
	w->n_sas--;
	ike_event_down(sa, IKE_END_FAILED, "it failed");
	leave_half_open(sa);
	leave_peers(sa);
	sa->state = IKE_SA_DEAD;
	if (sa->fresh_of)
		sa->fresh_of->fresh = NULL;
	ike_sa_set_rival(sa, NULL);
	if (sa->rival_of)
		ike_sa_set_rival(sa->rival_of, NULL);
	ike_timer_stop(&w->timers, &sa->retry);
	ike_life_end(sa);
	ike_reauth_end(sa);
	while (sa->exchanges)
		ike_exchange_free(sa->exchanges);
	ike_packet_forget_all(sa);
	ike_requests_free(sa);
	ike_assembly_free(sa);
	free_children(sa);
	ike_keys_free(sa->keys);
	ike_conn_unref(sa->conn);
	free(sa->local);
	free(sa->remote);
	free(sa);
}

/* ---- exchanges ---- */

struct ike_exchange *ike_exchange_new(struct ike_sa *sa, enum ike_purpose purpose, bool ours)
{
	struct ike_exchange *const x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->sa = sa;
	x->purpose = purpose;
	x->ours = ours;
	x->job.owner = x;
	x->next = sa->exchanges;
	sa->exchanges = x;
	return x;
}

static void unlink_exchange(struct ike_exchange *x)
{
	struct ike_exchange **at = &x->sa->exchanges;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
}

/* Requests that went out for it are nobody's: their answers are not looked at. */
static void orphan_requests(struct ike_exchange *x)
{
	for (struct ike_request *r = x->sa->requests; r; r = r->next) {
		if (r->x == x)
			r->x = NULL;
	}
}

static void release_exchange(struct ike_exchange *x)
{
	ike_conn_unref(x->conn);
	ike_ke_free(x->job.ke);
	gcry_free(x->job.shared);
	free(x->init_request);
	free(x->init_response);
	free(x->cookie);
	ike_proof_free(x->proof);
	ike_keys_free(x->former);
	gcry_free(x->more);
	explicit_bzero(x->int_auth, sizeof(x->int_auth));
	free(x);
}

bool ike_exchange_runs(const struct ike_sa *sa, enum ike_purpose purpose, bool ours)
{
	for (const struct ike_exchange *x = sa->exchanges; x; x = x->next) {
		if (x->purpose == purpose && x->ours == ours)
			return true;
	}
	return false;
}

void ike_exchange_lowest(const struct ike_exchange *x, uint8_t out[IKE_NONCE_LEN])
{
	const bool i = memcmp(x->nonce_i, x->nonce_r, IKE_NONCE_LEN) < 0;

	memcpy(out, i ? x->nonce_i : x->nonce_r, IKE_NONCE_LEN);
}

bool ike_exchange_lost(const uint8_t ours[IKE_NONCE_LEN], const uint8_t *theirs,
		       const struct ike_exchange *coming)
{
	uint8_t lowest[IKE_NONCE_LEN];

	if (!theirs && coming) {
		ike_exchange_lowest(coming, lowest);
		theirs = lowest;
	}
	return theirs && memcmp(ours, theirs, IKE_NONCE_LEN) < 0;
}

void ike_exchange_free(struct ike_exchange *x)
{
	struct ike_sa *const sa = x->sa;

	if (sa) {
		ike_timer_stop(&sa->world->timers, &x->patience);
		if (x->rekeyed && x->rekeyed->rekey == x)
			x->rekeyed->rekey = NULL;
		if (x->fresh)
			ike_sa_free(x->fresh);
		x->fresh = NULL;
		if (x->spi_in)
			sa->world->ops.child_delete(sa->world->arg, x->protocol, &x->path,
						    x->spi_in, 0);
		ike_ipcomp_drop(x);
		orphan_requests(x);
		unlink_exchange(x);
		x->sa = NULL;
	}
	if (x->pending == 0)
		release_exchange(x);
}

/* ---- waiting ---- */

void ike_run(struct ike_exchange *x, enum ike_job_kind kind)
{
	struct ike_world *const w = x->sa->world;

	x->job.kind = kind;
	x->job.proof = x->proof;
	x->pending++;
	w->ops.run(w->arg, &x->job);
}

void ike_run_ke(struct ike_exchange *x, uint16_t method)
{
	ike_ke_free(x->job.ke);
	x->job.ke = NULL;
	x->job.method = method;
	x->job.ours_len = ike_ke_find(method)->public_len;
	ike_run(x, IKE_JOB_KE_BEGIN);
}

/* What the ticket of an exchange is for. */
static uint8_t asked_for(const struct ike_exchange *x)
{
	return x->asks_cpi ? IKE_SAD_IPCOMP : x->protocol;
}

static void ask(struct ike_exchange *x)
{
	struct ike_world *const w = x->sa->world;

	x->ticket = ++w->next_ticket;
	x->next_waiting = NULL;
	*w->last_waiting = x;
	w->last_waiting = &x->next_waiting;
	w->ops.get_spi(w->arg, x->ticket, asked_for(x), &x->path);
}

void ike_ask_spi(struct ike_exchange *x)
{
	x->path = x->sa->path;
	x->asks_cpi = false;
	x->pending++;
	ask(x);
}

/* Answers may have come before this is called. */
void ike_wait(struct ike_exchange *x, void (*resume)(struct ike_exchange *x, uint64_t now_ms),
	      uint64_t now_ms)
{
	x->resume = resume;
	if (x->pending == 0) {
		x->resume = NULL;
		resume(x, now_ms);
	}
}

void ike_came(struct ike_exchange *x, uint64_t now_ms)
{
	void (*const resume)(struct ike_exchange *x, uint64_t now_ms) = x->resume;

	x->pending--;
	if (x->pending > 0)
		return;
	if (!x->sa) {
		release_exchange(x);
	} else if (resume) {
		x->resume = NULL;
		resume(x, now_ms);
	}
}

void ike_job_run(struct ike_job *job)
{
	const struct ipsp_span theirs = { job->theirs, job->theirs_len };

	switch (job->kind) {
	case IKE_JOB_KE_BEGIN:
		job->err = ike_ke_begin(job->method, &job->ke, job->ours);
		break;
	case IKE_JOB_KE_ANSWER:
		job->err = ike_ke_answer(job->method, theirs, job->ours, job->shared);
		break;
	case IKE_JOB_KE_FINISH:
		job->err = ike_ke_finish(job->ke, theirs, job->shared);
		break;
	case IKE_JOB_SIGN:
		ike_proof_sign_run(job->proof);
		break;
	case IKE_JOB_VERIFY:
		ike_verify_run(&job->proof->verify);
		break;
	case IKE_JOB_REVOCATION:
		ike_proof_revocation_run(job->proof);
		break;
	}
}

void ike_job_done(struct ike_world *w, struct ike_job *job, uint64_t now_ms)
{
	(void)w;
	ike_came(job->owner, now_ms);
}

/* Answers come in the order of the questions, so that the first one is it. */
static struct ike_exchange *take_waiting(struct ike_world *w, uint64_t ticket)
{
	for (struct ike_exchange **at = &w->waiting; *at; at = &(*at)->next_waiting) {
		struct ike_exchange *const x = *at;

		if (x->ticket != ticket)
			continue;
		*at = x->next_waiting;
		if (!x->next_waiting)
			w->last_waiting = at;
		x->ticket = 0;
		return x;
	}
	return NULL;
}

void ike_spi_done(struct ike_world *w, uint64_t ticket, uint32_t spi, uint64_t now_ms)
{
	struct ike_exchange *const x = take_waiting(w, ticket);

	if (!x)
		return;
	if (!x->sa) {
		if (spi)
			w->ops.child_delete(w->arg, asked_for(x), &x->path, spi, 0);
	} else if (x->asks_cpi) {
		ike_ipcomp_got_cpi(x, spi);
	} else {
		x->spi_in = spi;
		x->asks_cpi = ike_ipcomp_wants_cpi(x);
		if (x->asks_cpi) {
			ask(x);
			return;
		}
	}
	ike_came(x, now_ms);
}
