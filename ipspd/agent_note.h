/*
 * ipspd/agent_note.h - one notification while the agent makes it. For agent_notify.c and agent_news.c.
 *
 * Values are added in the order of the notification's OBJECTS; each finds its column there, so that
 * none can stand in another's place.
 */
#ifndef IPSPD_AGENT_NOTE_H
#define IPSPD_AGENT_NOTE_H

#include "agentx/notes.h"
#include "ipsp/types.h"
#include "mibs/schema_gen.h"

#define NOTE_OBJECTS_MAX 12
#define NOTE_TEXT_MAX 255

struct agent;

struct agent_note {
	const struct mib_notification *kind;
	struct ax_note_object objects[NOTE_OBJECTS_MAX];
	size_t n;
};

/** @param kind  MIB_N_.. */
void note_begin(struct agent_note *n, size_t kind);

/** The next object's value; what it borrows must live until note_send. */
void note_add(struct agent_note *n, struct mib_value v);
/** Cut to NOTE_TEXT_MAX octets; what is no UTF-8 is left out. */
void note_add_text(struct agent_note *n, const char *text);
/** Two objects, InetAddressType and InetAddress; of family 0: unknown(0) and nothing. */
void note_add_address(struct agent_note *n, const struct ipsp_addr *addr);

/**
 * Hands it to the AgentX session, which counts what it has to drop.
 * @param n_key  as for ax_notes_add
 */
void note_send(struct agent *a, const struct agent_note *n, size_t n_key);

#endif
