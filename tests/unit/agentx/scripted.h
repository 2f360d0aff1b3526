/*
 * tests/unit/agentx/scripted.h - a master that does as the test says, at one end of a socket pair.
 */
#ifndef TESTS_AGENTX_SCRIPTED_H
#define TESTS_AGENTX_SCRIPTED_H

#include <event2/event.h>

#include "agentx/pdu.h"

struct master {
	struct event_base *base;
	int fd;
	uint8_t *in;		/* what came and was not looked at */
	size_t len;
	size_t taken;		/* of these, the PDU handed out last */
	uint32_t session_id;
	uint32_t last_packet_id;
	uint8_t flags;		/* of what it sends: the byte order */
};

/** Takes fd over. */
void master_init(struct master *m, struct event_base *base, int fd);
void master_fini(struct master *m);

/** Runs the loop until a PDU has come; *p lives until the next call. Aborts the test at the end of
 * the stream. */
void master_receive(struct master *m, struct ax_pdu *p);

/** Runs the loop until nothing is ready. @return false: a PDU, or part of one, has come */
bool master_hears_nothing(struct master *m);

/** Runs the loop until the other side has closed the connection, throwing away what it said. */
void master_expect_end(struct master *m);

void master_send(struct master *m, const void *data, size_t len);

/** Answers a request of the subagent. */
void master_answer(struct master *m, const struct ax_header *request, uint32_t uptime_cs,
		   uint16_t error);

/** The Open and all the Registers, answered well. uptime_cs is told in each answer. */
void master_open(struct master *m, uint32_t session_id, uint32_t uptime_cs);

/** Sends a PDU without a payload in a transaction. */
void master_ask(struct master *m, uint8_t type, uint32_t transaction_id);

/** Begins a PDU of that type. master_send_pdu ends it. */
void master_begin(struct master *m, struct ax_buf *b, uint8_t type, uint32_t transaction_id);
void master_send_pdu(struct master *m, struct ax_buf *b);

/** Receives, and expects a Response to the PDU sent last with that error and index. */
void master_expect(struct master *m, uint16_t error, uint16_t index, struct ax_pdu *p);

#endif
