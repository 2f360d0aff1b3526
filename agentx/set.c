/*
 * agentx/set.c - SET phases as transactions. RFC 2741 7.2.4 and the table of 7.3.1.
 */
#include <bsd/sys/queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "agentx/error.h"
#include "agentx/set.h"

enum set_state {
	SET_NONE,		/* not known (RFC: initial state) */
	SET_WAITING,		/* TestSet came, the store is not free yet */
	SET_TEST_OK,
	SET_TEST_FAIL,
	SET_COMMIT_OK,
	SET_COMMIT_FAIL,
	SET_UNDONE,
	SET_LAPSED,		/* given up between TestSet and CommitSet */
	SET_KEPT,		/* committed, and given up before CleanupSet */
	N_SET_STATES
};

enum set_event {
	EV_TEST,
	EV_COMMIT,
	EV_UNDO,
	EV_CLEANUP,
	EV_STORE_FREE,
	EV_LATE,		/* what the state waits for did not come in time */
	EV_LOST,		/* the session is gone */
	N_SET_EVENTS
};

/** What a phase was answered. */
struct answer {
	uint16_t error;
	uint16_t index;
};

struct ax_set {
	TAILQ_ENTRY(ax_set) link;
	struct ax_sets *sets;
	enum set_state state;
	uint32_t session_id;
	uint32_t transaction_id;
	struct ax_header asked;		/* the request being answered */
	struct answer test, commit, undo;
	uint8_t *list;			/* the TestSet's VarBinds, as they came */
	size_t list_len;
	bool network_order;
	size_t n_items;
	bool has_context;
	struct mib_txn *txn;		/* NULL: none is open in the store */
	struct mib_waiter waiter;	/* in the store's line while SET_WAITING */
	struct event *late;
};

TAILQ_HEAD(ax_set_list, ax_set);

struct ax_sets {
	struct event_base *base;
	struct mib_store *store;
	struct timeval wait;
	struct timeval hold;
	const struct ax_sets_ops *ops;
	void *arg;
	struct ax_log *log;
	struct ax_set_list list;	/* oldest first */
	size_t n;
	struct ax_sets_stats stats;
};

static void reply(struct ax_set *set, struct answer a)
{
	set->sets->ops->answer(set->sets->arg, &set->asked, a.error, a.index);
}

/** The next phase has to come within the hold time. */
static void expect_more(struct ax_set *set)
{
	event_add(set->late, &set->sets->hold);
}

static void end_txn(struct ax_set *set)
{
	struct mib_txn *txn = set->txn;

	set->txn = NULL;
	if (txn)
		mib_txn_done(txn);	/* may let another of ours begin */
}

static void forget(struct ax_set *set)
{
	struct ax_sets *sets = set->sets;

	if (set->state == SET_WAITING)
		mib_store_forget_waiter(sets->store, &set->waiter);
	TAILQ_REMOVE(&sets->list, set, link);
	sets->n--;
	event_free(set->late);
	end_txn(set);
	explicit_bzero(set->list, set->list_len);	/* it may have held a secret */
	free(set->list);
	free(set);
}

/** res.index must name a VarBind of the TestSet whenever there is an error. */
static struct answer refusal(const struct ax_set *set, enum mib_err err, size_t varbind)
{
	return (struct answer){ ax_error_status(err),
				(uint16_t)(varbind < 1 || varbind > set->n_items ? 1 : varbind) };
}

static void log_refusal(struct ax_set *set, const char *phase, enum mib_err err,
			const struct mib_diag *d)
{
	ax_log_limited(set->sets->log, LOG_NOTICE, "%s of SET %u refused, %s: %s%s%s", phase,
		       (unsigned)set->transaction_id, mib_err_name(err), d->object,
		       d->object[0] && d->text[0] ? ": " : "", d->text);
}

/**
 * Stages one VarBind. A type that no object of ours has (Null, IpAddress, Opaque, an exception)
 * stands as a syntax the column does not have, so that the store finds wrongType in its turn,
 * after what RFC 3416 4.2.5 looks at before the type.
 */
static enum mib_err stage_varbind(struct mib_txn *txn, const struct ax_varbind *vb,
				  struct mib_diag *d)
{
	const struct mib_column *col = NULL;
	const uint32_t *index;
	size_t index_len;
	struct mib_value alien;

	if (ax_value_type_of(vb->value.syntax) == vb->type)
		return mib_txn_set(txn, vb->name.ids, vb->name.len, &vb->value, d);
	mib_table_by_oid(vb->name.ids, vb->name.len, &col, &index, &index_len);
	alien = col && col->syntax == MIB_SYN_COUNTER64 ? mib_value_integer(0) :
							   mib_value_counter64(0);
	return mib_txn_set(txn, vb->name.ids, vb->name.len, &alien, d);
}

/** Stages and judges the whole TestSet. */
static enum mib_err stage(struct ax_set *set, struct mib_diag *d)
{
	struct ax_reader r;
	struct ax_varbind vb;
	size_t n = 0;

	ax_reader_init(&r, set->list, set->list_len, set->network_order);
	while (ax_reader_more(&r)) {
		enum mib_err err = MIB_GEN_ERR;

		n++;
		if (ax_read_varbind(&r, &vb))
			err = stage_varbind(set->txn, &vb, d);
		if (err != MIB_OK) {
			d->varbind = n;
			return err;
		}
	}
	return mib_txn_prepare(set->txn, d);
}

static void test_failed(struct ax_set *set, enum mib_err err, const struct mib_diag *d)
{
	set->state = SET_TEST_FAIL;
	set->test = refusal(set, err, d->varbind);
	set->sets->stats.refused++;
	log_refusal(set, "TestSet", err, d);
	expect_more(set);
	reply(set, set->test);
	end_txn(set);
}

/** TestSet, or its turn in the line. */
static void test(struct ax_set *set)
{
	struct ax_sets *sets = set->sets;
	struct mib_diag d = { 0 };
	char who[48];
	enum mib_err err;

	if (set->has_context) {
		snprintf(d.text, sizeof(d.text), "only the default context is served");
		test_failed(set, MIB_NOT_WRITABLE, &d);
		return;
	}
	snprintf(who, sizeof(who), "SNMP session %u", (unsigned)set->session_id);
	err = mib_txn_begin(sets->store, MIB_DOOR_SNMP, who, &set->txn);
	if (err == MIB_BUSY) {
		if (set->state != SET_WAITING)
			event_add(set->late, &sets->wait);
		set->state = SET_WAITING;
		mib_store_when_free(sets->store, &set->waiter);
		return;
	}
	if (err == MIB_OK)
		err = stage(set, &d);
	else
		set->txn = NULL;
	if (err != MIB_OK) {
		test_failed(set, err, &d);
		return;
	}
	set->state = SET_TEST_OK;
	expect_more(set);
	reply(set, set->test);
}

/** Asked again while it waits: one answer will come, to the last asking. */
static void wait_on(struct ax_set *set)
{
	(void)set;
}

static void test_again(struct ax_set *set)
{
	reply(set, set->test);
}

static void gave_up_waiting(struct ax_set *set)
{
	struct mib_diag d = { 0 };

	mib_store_forget_waiter(set->sets->store, &set->waiter);
	snprintf(d.text, sizeof(d.text), "another transaction holds the store; try again");
	test_failed(set, MIB_BUSY, &d);
}

static void commit(struct ax_set *set)
{
	struct mib_diag d = { 0 };
	const enum mib_err err = mib_txn_commit(set->txn, &d);

	expect_more(set);
	if (err == MIB_OK) {
		set->state = SET_COMMIT_OK;
		set->sets->stats.committed++;
		reply(set, set->commit);
		return;
	}
	set->state = SET_COMMIT_FAIL;
	set->commit = refusal(set, MIB_COMMIT_FAILED, d.varbind);
	log_refusal(set, "CommitSet", err, &d);
	reply(set, set->commit);
	end_txn(set);
}

static void commit_again(struct ax_set *set)
{
	reply(set, set->commit);
}

static void undo(struct ax_set *set)
{
	struct mib_diag d = { 0 };
	const enum mib_err err = mib_txn_undo(set->txn, &d);

	if (err == MIB_OK) {
		set->sets->stats.undone++;
	} else {
		set->undo = refusal(set, MIB_UNDO_FAILED, d.varbind);
		log_refusal(set, "UndoSet", err, &d);
	}
	set->state = SET_UNDONE;
	expect_more(set);
	reply(set, set->undo);
	end_txn(set);
}

/** The commit changed nothing, so there is nothing to take back (7.3.1, CommitFail). */
static void undo_nothing(struct ax_set *set)
{
	set->state = SET_UNDONE;
	reply(set, set->undo);
}

static void undo_again(struct ax_set *set)
{
	reply(set, set->undo);
}

/** CommitSet did not come: the other doors must not wait for a master that hangs. */
static void lapse(struct ax_set *set)
{
	set->state = SET_LAPSED;
	set->sets->stats.expired++;
	ax_log_limited(set->sets->log, LOG_WARNING,
		       "SET %u dropped: no CommitSet came after its TestSet",
		       (unsigned)set->transaction_id);
	expect_more(set);
	end_txn(set);
}

/** CleanupSet did not come. */
static void keep(struct ax_set *set)
{
	set->state = SET_KEPT;
	set->sets->stats.expired++;
	ax_log_limited(set->sets->log, LOG_WARNING,
		       "SET %u kept: no CleanupSet came after its CommitSet",
		       (unsigned)set->transaction_id);
	expect_more(set);
	end_txn(set);
}

/*
 * RFC 2741 7.3.1, with our own states for waiting and giving up. What is not listed cannot come
 * from a master that keeps to the protocol: see misplaced().
 */
static void (*const transitions[N_SET_STATES][N_SET_EVENTS])(struct ax_set *set) = {
	[SET_NONE] = {
		[EV_TEST] = test,
	},
	[SET_WAITING] = {
		[EV_TEST] = wait_on,
		[EV_STORE_FREE] = test,
		[EV_LATE] = gave_up_waiting,
		[EV_CLEANUP] = forget,
		[EV_LOST] = forget,
	},
	[SET_TEST_OK] = {
		[EV_TEST] = test_again,
		[EV_COMMIT] = commit,
		[EV_CLEANUP] = forget,
		[EV_LATE] = lapse,
		[EV_LOST] = forget,
	},
	[SET_TEST_FAIL] = {
		[EV_TEST] = test_again,
		[EV_CLEANUP] = forget,
		[EV_LATE] = forget,
		[EV_LOST] = forget,
	},
	[SET_COMMIT_OK] = {
		[EV_COMMIT] = commit_again,
		[EV_UNDO] = undo,
		[EV_CLEANUP] = forget,
		[EV_LATE] = keep,
		[EV_LOST] = forget,
	},
	[SET_COMMIT_FAIL] = {
		[EV_COMMIT] = commit_again,
		[EV_UNDO] = undo_nothing,
		[EV_CLEANUP] = forget,
		[EV_LATE] = forget,
		[EV_LOST] = forget,
	},
	[SET_UNDONE] = {
		[EV_UNDO] = undo_again,
		[EV_CLEANUP] = forget,
		[EV_LATE] = forget,
		[EV_LOST] = forget,
	},
	[SET_LAPSED] = {
		[EV_CLEANUP] = forget,
		[EV_LATE] = forget,
		[EV_LOST] = forget,
	},
	[SET_KEPT] = {
		[EV_COMMIT] = commit_again,
		[EV_CLEANUP] = forget,
		[EV_LATE] = forget,
		[EV_LOST] = forget,
	},
};

/** A phase out of its place gets the error it has, and changes nothing. */
static void misplaced(struct ax_sets *sets, const struct ax_header *asked)
{
	static const uint16_t errors[] = {
		[AX_TEST_SET] = AX_SNMP_GEN_ERR,
		[AX_COMMIT_SET] = AX_SNMP_COMMIT_FAILED,
		[AX_UNDO_SET] = AX_SNMP_UNDO_FAILED,
	};

	if (asked->type == AX_CLEANUP_SET)
		return;		/* has no answer, and nothing is left to clean up */
	ax_log_limited(sets->log, LOG_WARNING, "%s of SET %u out of place",
		       ax_type_name(asked->type), (unsigned)asked->transaction_id);
	sets->ops->answer(sets->arg, asked, errors[asked->type], 1);
}

static void dispatch(struct ax_set *set, enum set_event event)
{
	void (*const act)(struct ax_set *) = transitions[set->state][event];

	if (act)
		act(set);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	dispatch(arg, EV_LATE);
}

static void on_store_free(struct mib_waiter *w)
{
	dispatch((struct ax_set *)((char *)w - offsetof(struct ax_set, waiter)), EV_STORE_FREE);
}

static struct ax_set *find(struct ax_sets *sets, const struct ax_header *h)
{
	struct ax_set *set;

	TAILQ_FOREACH(set, &sets->list, link)
		if (set->session_id == h->session_id && set->transaction_id == h->transaction_id)
			return set;
	return NULL;
}

/** Is it over but for a phase that may be asked again? */
static bool is_over(const struct ax_set *set)
{
	switch (set->state) {
	case SET_TEST_FAIL:
	case SET_COMMIT_FAIL:
	case SET_UNDONE:
	case SET_LAPSED:
	case SET_KEPT:
		return true;
	default:
		return false;
	}
}

/** Forgets the oldest SET that is over, when there are too many. */
static void make_room(struct ax_sets *sets)
{
	struct ax_set *set;

	if (sets->n < AX_SETS_MAX)
		return;
	TAILQ_FOREACH(set, &sets->list, link) {
		if (is_over(set)) {
			forget(set);
			return;
		}
	}
}

/** A SET not heard of before. @return NULL: too many, or no memory */
static struct ax_set *remember(struct ax_sets *sets, const struct ax_pdu *p)
{
	struct ax_set *set;

	make_room(sets);
	set = sets->n < AX_SETS_MAX ? calloc(1, sizeof(*set)) : NULL;

	if (!set)
		return NULL;
	set->sets = sets;
	set->session_id = p->h.session_id;
	set->transaction_id = p->h.transaction_id;
	set->n_items = p->n_items;
	set->has_context = p->has_context;
	set->waiter.free = on_store_free;
	set->network_order = p->h.flags & AX_NETWORK_BYTE_ORDER;
	set->list_len = p->list.len;
	set->list = malloc(p->list.len ? p->list.len : 1);
	set->late = evtimer_new(sets->base, on_late, set);
	/* Here, where it has an answer: a SET without its timer could hold the store for ever. */
	if (!set->list || !set->late || event_add(set->late, &sets->hold) < 0) {
		if (set->late)
			event_free(set->late);
		free(set->list);
		free(set);
		return NULL;
	}
	memcpy(set->list, p->list.data, p->list.len);
	TAILQ_INSERT_TAIL(&sets->list, set, link);
	sets->n++;
	sets->stats.tested++;
	return set;
}

/** The same TestSet again, or another one under the number of a SET that is open? */
static bool is_repeated(const struct ax_set *set, const struct ax_pdu *p)
{
	return set->list_len == p->list.len && set->has_context == p->has_context &&
	       set->network_order == !!(p->h.flags & AX_NETWORK_BYTE_ORDER) &&
	       memcmp(set->list, p->list.data, p->list.len) == 0;
}

void ax_sets_request(struct ax_sets *sets, const struct ax_pdu *p)
{
	static const enum set_event events[] = {
		[AX_TEST_SET] = EV_TEST,
		[AX_COMMIT_SET] = EV_COMMIT,
		[AX_UNDO_SET] = EV_UNDO,
		[AX_CLEANUP_SET] = EV_CLEANUP,
	};
	struct ax_set *set = find(sets, &p->h);

	if (p->h.type == AX_TEST_SET && !set) {
		set = remember(sets, p);
		if (!set) {
			sets->stats.refused++;
			sets->ops->answer(sets->arg, &p->h, AX_SNMP_RESOURCE_UNAVAILABLE, 1);
			return;
		}
	} else if (!set || !transitions[set->state][events[p->h.type]] ||
		   (p->h.type == AX_TEST_SET && !is_repeated(set, p))) {
		misplaced(sets, &p->h);
		return;
	}
	set->asked = p->h;
	dispatch(set, events[p->h.type]);
}

void ax_sets_session_lost(struct ax_sets *sets)
{
	struct ax_set *set;

	/* Newest first: none that waits in line may begin when the one before it ends. */
	while ((set = TAILQ_LAST(&sets->list, ax_set_list)))
		dispatch(set, EV_LOST);
}

const struct ax_sets_stats *ax_sets_stats(const struct ax_sets *sets)
{
	return &sets->stats;
}

enum mib_err ax_sets_new(struct event_base *base, struct mib_store *store, unsigned wait_ms,
			 unsigned hold_ms, const struct ax_sets_ops *ops, void *arg,
			 struct ax_log *log, struct ax_sets **out)
{
	struct ax_sets *sets = calloc(1, sizeof(*sets));

	if (!sets)
		return MIB_RESOURCE_UNAVAILABLE;
	sets->base = base;
	sets->store = store;
	sets->wait = (struct timeval){ wait_ms / 1000, wait_ms % 1000 * 1000 };
	sets->hold = (struct timeval){ hold_ms / 1000, hold_ms % 1000 * 1000 };
	sets->ops = ops;
	sets->arg = arg;
	sets->log = log;
	TAILQ_INIT(&sets->list);
	*out = sets;
	return MIB_OK;
}

void ax_sets_free(struct ax_sets *sets)
{
	if (!sets)
		return;
	ax_sets_session_lost(sets);
	free(sets);
}
