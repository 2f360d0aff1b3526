/*
 * engine/bundle.h - packets that go through more than one SA, or through AH or IPComp. RFC 4301 4.5
 * (combining SAs), appendix E (nesting); RFC 3173 2. Private to engine/.
 *
 * A bundle is a chain of SAs that one entry asks for: IPComp, ESP, AH, innermost first. What comes
 * out of it may be selected by another entry again, towards another gateway: then it is nested.
 *
 *	[outer IP][AH][ESP][IPComp][ inner packet ]		one bundle
 *	[IP to B][ESP [IP to A][ESP [ inner packet ]]]		two, nested
 *
 * Such packets go one at a time. Those of plain ESP, which are most, go by engine/outbound.c and
 * engine/inbound.c alone.
 */
#ifndef ENGINE_BUNDLE_H
#define ENGINE_BUNDLE_H

#include "engine/internal.h"

/** Bundles around one packet. */
#define IPSP_NEST_MAX 4u

struct ipsp_bundle {
	uint32_t n;
	const struct ipsp_sa *sas[IPSP_BUNDLE_MAX];	/* innermost first */
};

/**
 * The chain that begins with an SA.
 * @param id  of the innermost
 * @return false: one of them is not there or of the other direction, or they are not in the order of
 *	   struct ipsp_sa_config; out is undefined
 */
bool ipsp_bundle_find(const struct ipsp_sad *sad, uint64_t id, enum ipsp_dir dir,
		      struct ipsp_bundle *out);

/**
 * What an entry that protects sends a packet through: the chain of the SA that was decided on, or
 * those that its templates found.
 * @return as ipsp_bundle_find
 */
bool ipsp_bundle_of(const struct ipsp_sad *sad, const struct ipsp_spd_rule *rule,
		    const struct ipsp_outcome *outcome, const struct ipsp_flow *flow,
		    uint64_t now_s, struct ipsp_bundle *out);

/** May an SA that knows of no chain be around another one, in a bundle that templates make? */
bool ipsp_bundle_fits_around(const struct ipsp_sa *inner, const struct ipsp_sa *sa);

/** May all of them carry a packet now? The first reason against it. */
enum ipsp_reason ipsp_bundle_usable(const struct ipsp_bundle *bundle, uint64_t now_s);

/* ---- outbound ---- */

/** What was found for the last clear packet: those of one SA mostly have one answer. */
struct ipsp_nest_cache {
	const struct ipsp_sa *sa;	/* NULL: nothing */
	uint32_t ifindex;
	uint8_t dscp;
	bool nested;
	uint32_t flow_label;
	struct ipsp_addr src, dst;
};

/**
 * Might what this SA makes of a packet be protected again? In doubt yes: then
 * ipsp_bundle_outbound finds out.
 */
bool ipsp_nest_possible(const struct ipsp_worker *worker, const struct ipsp_spd *spd,
			const struct ipsp_packet *packet, const struct ipsp_flow *flow,
			const struct ipsp_sa *sa, struct ipsp_nest_cache *cache);

/** A packet that an entry sends through a bundle. */
struct ipsp_bundle_job {
	struct ipsp_worker *worker;
	const struct ipsp_spd *spd;
	uint64_t now_s;
	struct ipsp_packet *packet;
	const struct ipsp_flow *flow;
	const struct ipsp_spd_rule *rule;
	const struct ipsp_outcome *outcome;
	const struct ipsp_bundle *bundle;
};

/**
 * Puts it through its bundle and those nested around it, and writes its outcome: all that is to be
 * done with it. Large segments become packets in the worker's arena.
 * @return false: it must wait for the next call, as the arena is full
 */
bool ipsp_bundle_outbound(const struct ipsp_bundle_job *job);

/**
 * Puts the rest of a bundle around a packet that its innermost SA has made.
 * @return IPSP_REASON_NONE, also if there is no rest; why not
 */
enum ipsp_reason ipsp_bundle_around(struct ipsp_worker *worker, const struct ipsp_sa *inner,
				    struct ipsp_packet *packet, uint64_t now_s);

struct ipsp_esp_plan;

/**
 * Makes one ESP packet by a plan that fits it: its number, its IV, sealed. Counts nothing.
 * @return IPSP_REASON_NONE; CRYPTO, SEQ_EXHAUSTED, SEQ_RESERVATION
 */
enum ipsp_reason ipsp_esp_seal_one(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				   struct ipsp_packet *packet, const struct ipsp_flow *flow,
				   const struct ipsp_esp_plan *plan);

/** Finishes a checksum left to a device: only behind what selectors look at. False: elsewhere. */
bool ipsp_packet_finish_checksum(const struct ipsp_packet *packet, const struct ipsp_flow *flow);

/* ---- inbound ---- */

/** The SAs that were undone of a packet since the last policy check, outermost first. */
struct ipsp_undone {
	uint32_t n;
	const struct ipsp_sa *sas[IPSP_BUNDLE_MAX];
	uint32_t nested;	/* policy checks so far: bundles around this one */
	struct ipsp_addr dst;	/* of the packet before the first SA of the path */
};

/** What to do next with a packet from which SAs were taken. */
enum ipsp_undone_step {
	IPSP_UNDONE_END,		/* nothing of ours is left: policy decides */
	IPSP_UNDONE_UNDO,		/* the SA goes on with the bundle */
	IPSP_UNDONE_NEST,		/* the SA begins another one: policy has a say before */
};

/** The SPI of an ESP or AH packet that is no fragment. False: it is too short to have one. */
bool ipsp_spi_of(const struct ipsp_packet *packet, const struct ipsp_flow *flow, uint32_t *spi);

/** Can there be more of ours in a packet with these headers? Cheap. */
bool ipsp_undone_may_go_on(const struct ipsp_undone *path, const struct ipsp_flow *flow);

/**
 * Looks at what stands inside.
 * @param sa  out: UNDO, NEST: the SA to undo next
 */
enum ipsp_undone_step ipsp_undone_next(const struct ipsp_worker *worker, const struct ipsp_undone *path,
				   const struct ipsp_packet *packet, const struct ipsp_flow *flow,
				   uint64_t now_s, const struct ipsp_sa **sa);

/**
 * Undoes one SA of a packet: number, ICV, window, headers; counts its use. On IPSP_REASON_NONE data
 * and len are what was inside and inner has its headers.
 * @param flow  the packet's; protocol of the SA, no fragment
 * @param seq   out: low half of the number, as received; 0: none
 */
enum ipsp_reason ipsp_sa_undo(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				struct ipsp_packet *packet, const struct ipsp_flow *flow,
				uint64_t now_s, struct ipsp_flow *inner, uint32_t *seq);

/**
 * Was a whole chain undone? RFC 4301 5.2: none of its SAs may be missing, but IPComp.
 * @param head  out: the SA by which entries name it
 * @return IPSP_REASON_NONE; EXPECTED_AH, EXPECTED_ESP, POLICY_MISMATCH
 */
enum ipsp_reason ipsp_undone_complete(const struct ipsp_worker *worker, const struct ipsp_undone *path,
				    const struct ipsp_sa **head);

/** The reason to drop a packet to which an SA of that id was not applied. */
enum ipsp_reason ipsp_undone_missing(const struct ipsp_worker *worker, uint64_t id);

/** Asks the window before the ICV is checked, and tells it after. */
enum ipsp_reason ipsp_number_check(const struct ipsp_sa *sa, uint32_t low, uint64_t *seq);
enum ipsp_reason ipsp_number_accept(const struct ipsp_sa *sa, uint64_t seq);

/** Tells it of n, IPSP_BATCH at most; of those that are 0 nothing, and their reason means nothing. */
void ipsp_numbers_accept(const struct ipsp_sa *sa, const uint64_t *seqs, enum ipsp_reason *reasons,
			 uint32_t n);

#endif
