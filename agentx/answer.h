/*
 * agentx/answer.h - Responses: to Get, GetNext and GetBulk out of the store, and to anything with
 * an error. RFC 2741 7.2.2, 7.2.3.
 */
#ifndef AGENTX_ANSWER_H
#define AGENTX_ANSWER_H

#include "agentx/pdu.h"
#include "mibs/store.h"

/** GetBulk begins no new iteration beyond this size: an SNMP message could not carry it. */
#define AX_BULK_SOFT_MAX 60000u

/**
 * Appends the Response to a Get, GetNext or GetBulk. Another context than the default one has no
 * variables (7.2.3). Whatever fails becomes genErr with the SearchRange's index and no VarBinds.
 */
void ax_answer_read(struct mib_store *s, const struct ax_pdu *p, struct ax_buf *b);

/** Appends a Response without VarBinds. */
void ax_answer_plain(const struct ax_header *request, uint16_t error, uint16_t index,
		     struct ax_buf *b);

#endif
