/*
 * ipsp/embed.h - the engine for a stack of one's own: policies one by one, packets one by one.
 *
 * Who has no compiler of policies puts them in here; they become the SPD lists and SAs of an engine
 * (ipsp/engine.h), in the order of their priorities, both directions of each at once. A change is in
 * force when its call returns, and costs a walk over all policies: some thousands are fine. All calls
 * are the control thread's but the packet calls, which any thread may make with a worker of its own
 * (ipsp_worker_new of ipsp_embed_engine).
 *
 * What no policy matches is dropped, as is what a policy with IPSP_PROTECT matches before it has
 * keys. An interface without a policy of its own, and no policy for all of them, is left alone.
 */
#ifndef IPSP_EMBED_H
#define IPSP_EMBED_H

#include "ipsp/engine.h"
#include "ipsp/identity.h"

struct ipsp_embed;

/** Lower numbers win. Of one priority the narrower policy wins, then the older. */
enum ipsp_priority {
	IPSP_PRIORITY_HIGHEST = 1,
	IPSP_PRIORITY_HIGH,
	IPSP_PRIORITY_MED_HIGH,
	IPSP_PRIORITY_MEDIUM,
	IPSP_PRIORITY_MED_LOW,
	IPSP_PRIORITY_LOW,
	IPSP_PRIORITY_LOWEST,
};

/** Traffic between two sides, and what becomes of it. Zeros are a choice everywhere but in action. */
struct ipsp_embed_policy {
	uint32_t id;			/* 0: one is chosen */
	uint32_t ifindex;		/* the interface (domain) it is for; 0: all */
	uint8_t action;			/* enum ipsp_action */
	uint8_t priority;		/* enum ipsp_priority; 0: IPSP_PRIORITY_MEDIUM */
	uint8_t proto;			/* next layer protocol; 0: any */
	struct ipsp_identity local, remote;
	/* PROTECT */
	uint8_t mode;			/* enum ipsp_mode; 0: IPSP_MODE_TRANSPORT */
	uint8_t df;			/* enum ipsp_df; 0: IPSP_DF_COPY */
	uint8_t ecn;			/* enum ipsp_ecn */
	uint16_t tfc_pad;		/* as in struct ipsp_sa_config */
	uint32_t replay_window_pkts;	/* 32..4096, a power of two; 0: no replay check */
	struct ipsp_addr local_end;	/* tunnel: our address; family 0: by routing */
	struct ipsp_addr remote_end;	/* tunnel: the peer's; transport: family 0 */
};

/** Keys of one SA pair, made by hand. Borrowed for the call. */
struct ipsp_embed_keys {
	uint32_t spi_in, spi_out;	/* ESP; 0: without ESP */
	uint16_t encr;			/* enum ipsp_encr */
	uint16_t encr_key_bits;
	uint16_t integ;			/* enum ipsp_integ, of ESP */
	struct ipsp_key encr_in, encr_out, integ_in, integ_out;
	uint32_t ah_spi_in, ah_spi_out;	/* AH, around ESP if there are both; 0: without AH */
	uint16_t ah_integ;		/* enum ipsp_integ */
	struct ipsp_key ah_in, ah_out;
};

/**
 * @param config        of its engine, as for ipsp_engine_new; its region of counters must be zeros, as
 *			keys do not outlive this
 * @param policies_max  more are refused
 * @return IPSP_OK; IPSP_EINVAL: no room for a policy; those of ipsp_engine_new
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_embed_new(const struct ipsp_engine_config *config,
					     uint32_t policies_max, struct ipsp_embed **out);

/** Frees it with its engine. All workers must be freed before. NULL is fine. */
void ipsp_embed_free(struct ipsp_embed *embed);

/** Its engine: for workers, ticks, statistics and the SAD. Do not apply updates to it. */
struct ipsp_engine *ipsp_embed_engine(const struct ipsp_embed *embed);

/**
 * Puts a policy in force.
 * @param id  out: its id; may be NULL
 * @return IPSP_OK; otherwise nothing changed: IPSP_EINVAL: a value that cannot be, sides of two
 *	   families, a tunnel without a remote end; IPSP_EEXIST: the id is taken; IPSP_ENOSPC: there
 *	   are as many as there may be; IPSP_ENOMEM
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_embed_add(struct ipsp_embed *embed,
					     const struct ipsp_embed_policy *policy, uint64_t now_s,
					     uint32_t *id);

/** Takes it away with its SAs. IPSP_ENOENT; IPSP_ENOMEM: nothing changed. */
IPSP_MUST_CHECK enum ipsp_err ipsp_embed_remove(struct ipsp_embed *embed, uint32_t id,
						uint64_t now_s);

/** Takes all away. IPSP_ENOMEM: nothing changed. */
IPSP_MUST_CHECK enum ipsp_err ipsp_embed_flush(struct ipsp_embed *embed, uint64_t now_s);

/**
 * Gives a policy its SAs, in the place of those it had.
 * @return IPSP_OK; IPSP_ENOENT: no such policy; IPSP_EINVAL: it does not protect, or neither ESP nor AH
 *	   is wanted, or one direction of them only; those of ipsp_sad_add, after which the policy has
 *	   no SAs and its traffic drops
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_embed_rekey(struct ipsp_embed *embed, uint32_t id,
					       const struct ipsp_embed_keys *keys, uint64_t now_s);

/** Takes a policy's SAs away; its traffic drops. IPSP_ENOENT: no such policy, or it has none. */
IPSP_MUST_CHECK enum ipsp_err ipsp_embed_unkey(struct ipsp_embed *embed, uint32_t id,
					       uint64_t now_s);

/** Calls each(arg, policy, keyed) in the order of precedence. */
void ipsp_embed_each(const struct ipsp_embed *embed,
		     void (*each)(void *arg, const struct ipsp_embed_policy *policy, bool keyed),
		     void *arg);

/** What policy did with a packet, or would do. */
enum ipsp_treatment {
	IPSP_TREATMENT_DROP,
	IPSP_TREATMENT_BYPASS,
	IPSP_TREATMENT_TUNNEL,		/* the packet is another one now: route it anew */
	IPSP_TREATMENT_TRANSPORT,
};

/**
 * One clear packet on its way out: what ipsp_engine_outbound does with it.
 * @param packet  as there; segment_size must be 0
 * @return IPSP_OK: send packet->data on; otherwise it is dropped: ipsp_reason_err of packet->reason
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_embed_encapsulate(struct ipsp_worker *worker,
						     struct ipsp_packet *packet, uint64_t now_s,
						     enum ipsp_treatment *treatment);

/** One packet that came in: what ipsp_engine_inbound does with it. Otherwise likewise. */
IPSP_MUST_CHECK enum ipsp_err ipsp_embed_decapsulate(struct ipsp_worker *worker,
						     struct ipsp_packet *packet, uint64_t now_s,
						     enum ipsp_treatment *treatment);

/**
 * What would become of a clear packet. Changes and counts nothing.
 * @param policy  out: the policy's id; 0: none matches, or the interface has none; may be NULL
 * @return IPSP_OK, whatever the treatment; IPSP_EMALFORMED: not a packet
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_embed_look(struct ipsp_worker *worker, enum ipsp_dir dir,
					      const struct ipsp_packet *packet,
					      enum ipsp_treatment *treatment, uint32_t *policy);

#endif
