/*
 * ipspd/wire.h - generations as messages: SPD lists and manual SAs, in and out of octets.
 *
 * The agent writes them (to the engine with SAs, to the parent's guard without), the engine and the
 * parent read them. The reader believes nothing: every selector, predicate and program is checked, SA
 * ids are unique, counts are what was promised, sizes are bounded. The parent also keeps its guard
 * on disk in this form.
 */
#ifndef IPSPD_WIRE_H
#define IPSPD_WIRE_H

#include "ipsp/spd.h"

#include <stddef.h>
#include <stdint.h>

#define WIRE_LISTS_MAX 8192u
#define WIRE_ENTRIES_MAX (1u << 18)
#define WIRE_SELECTORS_MAX (1u << 19)	/* all of a generation; fits the queue of a channel */
#define WIRE_SAS_MAX (1u << 16)
#define WIRE_UNASKED_SELECTORS 512u	/* one message has them all */
#define WIRE_STEPS_MAX (1u << 19)	/* of all programs of a generation */
#define WIRE_TEMPLATES_MAX (1u << 20)	/* of all entries of a generation */
/* Of all predicates of a generation. */
#define WIRE_NODES_MAX (1u << 20)
#define WIRE_OCTETS_MAX (1u << 24)
#define WIRE_IDS_MAX (1u << 20)

struct chan_reader;
struct chan_writer;

/** One selector as all messages have it. What is read is to be asked for by ipsp_selector_valid. */
void wire_selector_put(struct chan_writer *w, const struct ipsp_selector *s);
void wire_selector_get(struct chan_reader *r, struct ipsp_selector *s);

/** Takes one message's type and payload, borrowed. @return 0, or a negative number that ends it */
typedef int (*wire_emit)(void *arg, uint16_t type, const uint8_t *data, size_t len);

/**
 * Emits GEN_LIST, GEN_ENTRY, GEN_PREDICATE and GEN_SELECTORS, as the guard wants them: what entries
 * with several actions may come to, not the actions.
 * @return 0; -E2BIG: over a bound; what emit said
 */
int wire_put_lists(const struct ipsp_spd_list *lists, size_t n, wire_emit emit, void *arg);

/** Emits a whole generation: GEN_BEGIN .. GEN_COMMIT. Buffers that held keys are wiped. */
int wire_put_generation(uint64_t generation, const struct ipsp_spd_list *lists, size_t n_lists,
			const struct ipsp_sa_config *sas, size_t n_sas, wire_emit emit, void *arg);

/** What a generation changes of the one before it, part by part. */
struct wire_change {
	wire_emit emit;
	void *arg;
	int rc;			/* of the first part that failed; the others are not put then */
	uint32_t lists, entries, sas, sas_gone, lists_gone, edits, runs, unasked;	/* so far */
};

/** Begins with GEN_FOLLOW. All that follow emit in turn; order as in ipspd/messages.h. */
void wire_change_begin(struct wire_change *c, uint64_t generation, uint64_t base, wire_emit emit,
		       void *arg);
void wire_change_sa(struct wire_change *c, const struct ipsp_sa_config *sa);
void wire_change_sa_gone(struct wire_change *c, uint64_t id);
/** Of at most WIRE_UNASKED_SELECTORS. */
void wire_change_unasked(struct wire_change *c, const struct ipsp_unasked *u);
void wire_change_list(struct wire_change *c, uint32_t ifindex, uint8_t dir);
void wire_change_list_gone(struct wire_change *c, uint32_t ifindex, uint8_t dir);
void wire_change_edit(struct wire_change *c, uint32_t ifindex, uint8_t dir);
void wire_change_run(struct wire_change *c, uint32_t keep, uint32_t remove);
/** Of the list or run that was put last. */
void wire_change_entry(struct wire_change *c, const struct ipsp_spd_entry *e);
/** Ends it with GEN_COMMIT. @return 0; what emit said */
int wire_change_commit(struct wire_change *c, uint64_t generation);

/** A generation as received. Owns all it points to; keys are wiped when it is freed. */
struct wire_gen {
	uint64_t number;
	struct ipsp_spd_list *lists;	/* in order of arrival; (ifindex, dir) unique */
	size_t n_lists;
	struct ipsp_spd_entry *entries;	/* of all lists; the lists point into it */
	size_t n_entries;
	struct ipsp_selector *selectors;	/* of entries and predicates */
	size_t n_selectors;
	struct ipsp_step *steps;
	size_t n_steps;
	struct ipsp_template *templates;
	size_t n_templates;
	struct ipsp_predicate *predicates;	/* entries point into it, it into what follows */
	size_t n_predicates;
	struct ipsp_pred_node *nodes;
	uint8_t *octets;
	uint64_t *ids;
	struct ipsp_sa_config *sas;	/* ids unique; every sa_id an entry names is here, or 0 */
	size_t n_sas;

	/* Of one that follows another, where the above is what is new: */
	bool follows;			/* an sa_id may be of an SA that stays, or be nobody's */
	struct ipsp_spd_edit *edits;	/* no key twice, also not among lists and lists_gone */
	size_t n_edits;
	struct ipsp_spd_run *runs;	/* edits point into it, it into entries */
	size_t n_runs;
	struct ipsp_spd_key *lists_gone;
	size_t n_lists_gone;
	uint64_t *sas_gone;
	size_t n_sas_gone;
	struct ipsp_unasked *unasked;	/* in rising order */
	size_t n_unasked;
	struct ipsp_selector *unasked_selectors;	/* unasked points into it */
};
void wire_gen_free(struct wire_gen *g);

/** Builds one from messages. */
struct wire_builder;

/** NULL: no memory. */
struct wire_builder *wire_builder_new(uint64_t number);
void wire_builder_free(struct wire_builder *b);

/** What comes in changes another generation: takes GEN_EDIT and so on too. Before the first part. */
void wire_builder_follow(struct wire_builder *b);

/**
 * Adds one GEN_LIST, GEN_ENTRY, GEN_ACTION, GEN_PREDICATE, GEN_SELECTORS or GEN_SA.
 * @return 0; -EINVAL: malformed, or not allowed here; -E2BIG: over a bound; -ENOMEM. After an error
 *         the builder is good for nothing but wire_builder_free.
 */
int wire_builder_add(struct wire_builder *b, uint16_t type, const uint8_t *data, size_t len);

/** What was wrong, for the log. Internal, never NULL. */
const char *wire_builder_why(const struct wire_builder *b);

/**
 * Ends a list of layers for the guard: no SAs, sa_id not looked at. Frees b, also on failure.
 * @return 0 with *out; -EINVAL: an entry lacks selectors, or its predicate is not valid; -ENOMEM
 */
int wire_builder_finish_lists(struct wire_builder *b, struct wire_gen **out);

/**
 * Ends a generation with the payload of its GEN_COMMIT. Frees b, also on failure.
 * @return 0 with *out; -EINVAL: malformed, number or counts differ, an sa_id leads nowhere; -ENOMEM
 */
int wire_builder_finish(struct wire_builder *b, const uint8_t *commit, size_t len,
			struct wire_gen **out);

#endif
