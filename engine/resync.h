/*
 * engine/resync.h - finding the high half of sequence numbers again when more than 2^32 packets of an
 * SA were lost at a stretch. RFC 4303 appendix A3. Private to engine/.
 *
 * The high half is not in the packet: it is inferred from the window, and goes into the ICV. After such
 * a loss every ICV fails. So when many failed one after the other, one packet a second is tried with
 * the next few high halves; if one of them is right the packet goes on under it, and the window with it.
 */
#ifndef ENGINE_RESYNC_H
#define ENGINE_RESYNC_H

#include "engine/internal.h"
#include "ipsp/crypto.h"

/** Failures in a row before it is tried: more than a wire damages, fewer than a user endures. */
#define IPSP_RESYNC_AFTER 16u

/** High halves that are tried: A3.3 wants an upper bound. */
#define IPSP_RESYNC_TRIES 8u

/** Have so many packets of the SA failed that one is to be tried? */
static inline bool ipsp_resync_is_due(const struct ipsp_sa *sa)
{
	return sa->esn && sa->replay &&
	       atomic_load_explicit(&sa->icv_run, memory_order_relaxed) >= IPSP_RESYNC_AFTER;
}

/** Is the next packet of the SA one to try? Takes the try of this second if so. */
bool ipsp_resync_wanted(const struct ipsp_sa *sa, uint64_t now_s);

/**
 * Looks for the number that makes the packet's ICV right. Changes nothing of the packet.
 * @param esp  of a packet under that SA, as long as its op says
 * @param op   as it would be opened in place
 * @param seq  in: the number that was inferred; out: the one that is right
 */
bool ipsp_resync_find(struct ipsp_worker *worker, const struct ipsp_sa *sa, const uint8_t *esp,
		      const struct ipsp_crypto_op *op, uint64_t *seq);

/**
 * The same of AH.
 * @param seq_hi  where op's spans have the high half; it is left as the last one that was tried
 */
bool ipsp_resync_find_auth(struct ipsp_worker *worker, const struct ipsp_sa *sa,
			   struct ipsp_auth_op *op, uint8_t seq_hi[4], uint64_t *seq);

/** Notes how an ICV came out. */
static inline void ipsp_resync_note(const struct ipsp_sa *sa, bool failed)
{
	struct ipsp_sa *const own = (struct ipsp_sa *)(uintptr_t)sa;

	if (!sa->esn)
		return;
	if (failed)
		atomic_fetch_add_explicit(&own->icv_run, 1, memory_order_relaxed);
	else if (atomic_load_explicit(&own->icv_run, memory_order_relaxed))
		atomic_store_explicit(&own->icv_run, 0, memory_order_relaxed);
}

#endif
