/*
 * agentx/notes.c - the queue of notifications.
 */
#include <stdlib.h>
#include <string.h>

#include "agentx/notes.h"

/** snmpTrapOID.0, RFC 3418. */
static const uint32_t trap_oid[] = { 1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0 };

/* Where the two ids stand in the header, RFC 2741 6.1. */
#define SESSION_ID_AT 4
#define PACKET_ID_AT 12

void ax_notes_init(struct ax_notes *q)
{
	STAILQ_INIT(&q->queue);
	q->n = q->octets = 0;
	q->coalesced = q->dropped = 0;
}

static void remove_head(struct ax_notes *q)
{
	q->octets -= STAILQ_FIRST(&q->queue)->pdu.len;
	STAILQ_REMOVE_HEAD(&q->queue, link);
	q->n--;
}

void ax_notes_fini(struct ax_notes *q)
{
	struct ax_note *note;

	while ((note = STAILQ_FIRST(&q->queue))) {
		remove_head(q);
		ax_note_free(note);
	}
}

static void put_object(struct ax_buf *b, const struct ax_note_object *o)
{
	const struct mib_table *t = o->column->table;
	struct mib_oid name = { 0 };

	if (mib_oid_append(&name, t->entry_oid, t->entry_oid_len) &&
	    mib_oid_append(&name, &o->column->id, 1) &&
	    mib_oid_append(&name, o->index, o->index_len))
		ax_put_varbind(b, ax_value_type_of(o->value.syntax), name.ids, name.len, &o->value);
	else
		b->bad = true;
}

/** @return the note; NULL: no memory, or an object that cannot be encoded */
static struct ax_note *encode(const struct mib_notification *n,
			      const struct ax_note_object *objects, size_t n_objects,
			      size_t n_key, size_t octets_max)
{
	const struct ax_header h = { .type = AX_NOTIFY, .flags = AX_NETWORK_BYTE_ORDER };
	const struct mib_value oid = mib_value_oid(n->oid, n->oid_len);
	struct ax_note *note = calloc(1, sizeof(*note));

	if (!note)
		return NULL;
	ax_buf_init(&note->pdu, octets_max);
	ax_pdu_begin(&note->pdu, &h, NULL);
	ax_put_varbind(&note->pdu, AX_OBJECT_IDENTIFIER, trap_oid,
		       sizeof(trap_oid) / sizeof(trap_oid[0]), &oid);
	note->key_end = note->pdu.len;
	for (size_t i = 0; i < n_objects; i++) {
		put_object(&note->pdu, &objects[i]);
		if (i < n_key)
			note->key_end = note->pdu.len;
	}
	if (ax_pdu_end(&note->pdu, 0))
		return note;
	ax_note_free(note);
	return NULL;
}

/** The key is what follows the header, whose length may differ. */
static struct ax_note *find_equal(const struct ax_notes *q, const struct ax_note *note)
{
	struct ax_note *at;

	STAILQ_FOREACH(at, &q->queue, link) {
		if (at->key_end == note->key_end &&
		    memcmp(at->pdu.data + AX_HEADER_SIZE, note->pdu.data + AX_HEADER_SIZE,
			   note->key_end - AX_HEADER_SIZE) == 0)
			return at;
	}
	return NULL;
}

/** The newer one's octets go where the older one waits. */
static void take_place(struct ax_notes *q, struct ax_note *old, struct ax_note *note)
{
	const struct ax_buf pdu = old->pdu;

	q->octets += note->pdu.len - old->pdu.len;
	q->coalesced++;
	old->pdu = note->pdu;
	old->since_cs = note->since_cs;
	note->pdu = pdu;
	ax_note_free(note);
}

enum mib_err ax_notes_add(struct ax_notes *q, const struct mib_notification *n,
			  const struct ax_note_object *objects, size_t n_objects, size_t n_key,
			  uint64_t now_cs)
{
	struct ax_note *note = encode(n, objects, n_objects, n_key,
				      AX_NOTES_MAX_OCTETS - q->octets);
	struct ax_note *old = note ? find_equal(q, note) : NULL;

	if (!note || (!old && q->n >= AX_NOTES_MAX)) {
		ax_note_free(note);
		q->dropped++;
		return MIB_RESOURCE_UNAVAILABLE;
	}
	note->since_cs = now_cs;
	if (old) {
		take_place(q, old, note);
		return MIB_OK;
	}
	STAILQ_INSERT_TAIL(&q->queue, note, link);
	q->n++;
	q->octets += note->pdu.len;
	return MIB_OK;
}

static void write_id(struct ax_note *note, size_t at, uint32_t id)
{
	for (size_t i = 0; i < 4; i++)
		note->pdu.data[at + i] = (uint8_t)(id >> (24 - 8 * i));
}

struct ax_note *ax_notes_take(struct ax_notes *q, uint32_t session_id, uint32_t packet_id,
			      uint64_t now_cs)
{
	struct ax_note *note;

	while ((note = STAILQ_FIRST(&q->queue))) {
		remove_head(q);
		if (now_cs - note->since_cs <= AX_NOTES_AGE_MAX_CS)
			break;
		ax_note_free(note);
		q->dropped++;
	}
	if (!note)
		return NULL;
	write_id(note, SESSION_ID_AT, session_id);
	write_id(note, PACKET_ID_AT, packet_id);
	return note;
}

void ax_note_free(struct ax_note *note)
{
	if (!note)
		return;
	ax_buf_fini(&note->pdu);
	free(note);
}
