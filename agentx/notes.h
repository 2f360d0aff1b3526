/*
 * agentx/notes.h - notifications on their way to the master: a bounded queue of encoded Notify
 * PDUs. RFC 2741 6.2.10.
 *
 * What waits is kept over a lost session; what has waited too long is news no more, and goes.
 */
#ifndef AGENTX_NOTES_H
#define AGENTX_NOTES_H

#include <bsd/sys/queue.h>

#include "agentx/pdu.h"

#define AX_NOTES_MAX 256
#define AX_NOTES_MAX_OCTETS (1u << 20)
#define AX_NOTES_AGE_MAX_CS (300u * 100)

/** One object of a notification: its instance and value, borrowed for the call. */
struct ax_note_object {
	const struct mib_column *column;
	const uint32_t *index;
	size_t index_len;
	struct mib_value value;
};

/** An encoded Notify; session and packet id are still to be written. */
struct ax_note {
	STAILQ_ENTRY(ax_note) link;
	struct ax_buf pdu;
	size_t key_end;		/* octets of the PDU up to here say which others are equal */
	uint64_t since_cs;
};

struct ax_notes {
	STAILQ_HEAD(, ax_note) queue;
	size_t n;
	size_t octets;
	uint64_t coalesced;	/* were equal to one that waited, and took its place */
	uint64_t dropped;	/* queue full, no memory, or waited too long */
};

void ax_notes_init(struct ax_notes *q);
void ax_notes_fini(struct ax_notes *q);

/**
 * Encodes and queues; one that waits and is equal gives it its place. The master adds sysUpTime;
 * snmpTrapOID stands first.
 * @param n_key   of the objects, the first so many must be the same for two to be equal
 * @param now_cs  a clock that never runs back, in centiseconds
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE: dropped, and counted
 */
MIB_MUST_CHECK enum mib_err ax_notes_add(struct ax_notes *q, const struct mib_notification *n,
					 const struct ax_note_object *objects, size_t n_objects,
					 size_t n_key, uint64_t now_cs);

/**
 * Takes the oldest that has not waited too long, for that session.
 * @return the caller's, to ax_note_free; NULL: none
 */
struct ax_note *ax_notes_take(struct ax_notes *q, uint32_t session_id, uint32_t packet_id,
			      uint64_t now_cs);
void ax_note_free(struct ax_note *note);

#endif
