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
}

void ax_notes_fini(struct ax_notes *q)
{
	struct ax_note *note;

	while ((note = ax_notes_take(q, 0, 0)))
		ax_note_free(note);
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

enum mib_err ax_notes_add(struct ax_notes *q, const struct mib_notification *n,
			  const struct ax_note_object *objects, size_t n_objects)
{
	const struct ax_header h = { .type = AX_NOTIFY, .flags = AX_NETWORK_BYTE_ORDER };
	const struct mib_value oid = mib_value_oid(n->oid, n->oid_len);
	struct ax_note *note;

	if (q->n >= AX_NOTES_MAX)
		return MIB_RESOURCE_UNAVAILABLE;
	note = calloc(1, sizeof(*note));
	if (!note)
		return MIB_RESOURCE_UNAVAILABLE;
	ax_buf_init(&note->pdu, AX_NOTES_MAX_OCTETS - q->octets);
	ax_pdu_begin(&note->pdu, &h, NULL);
	ax_put_varbind(&note->pdu, AX_OBJECT_IDENTIFIER, trap_oid,
		       sizeof(trap_oid) / sizeof(trap_oid[0]), &oid);
	for (size_t i = 0; i < n_objects; i++)
		put_object(&note->pdu, &objects[i]);
	if (!ax_pdu_end(&note->pdu, 0)) {
		ax_note_free(note);
		return MIB_RESOURCE_UNAVAILABLE;
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

struct ax_note *ax_notes_take(struct ax_notes *q, uint32_t session_id, uint32_t packet_id)
{
	struct ax_note *note = STAILQ_FIRST(&q->queue);

	if (!note)
		return NULL;
	STAILQ_REMOVE_HEAD(&q->queue, link);
	q->n--;
	q->octets -= note->pdu.len;
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
