/*
 * agentx/stream.h - PDUs over a connected stream socket, without ever waiting. RFC 2741 8.1, 8.2.
 *
 * Collects what arrives into whole PDUs and sends what is queued as the socket takes it. When the
 * other side does not read what we answer, we stop reading what it asks, so that both buffers are
 * bounded. Knows frames only; what a PDU means is the caller's.
 */
#ifndef AGENTX_STREAM_H
#define AGENTX_STREAM_H

#include <event2/event.h>

#include "agentx/pdu.h"

/** While more than this is unsent, no further PDU is taken. */
#define AX_STREAM_BACKLOG_MAX AX_PDU_MAX

struct ax_stream;

struct ax_stream_ops {
	/** A whole PDU; payload borrowed for the call. May free the stream. */
	void (*pdu)(void *arg, const struct ax_header *h, const uint8_t *payload);
	/** The connection or its framing is gone; nothing comes after. May free the stream. */
	void (*lost)(void *arg, const char *why);
};

/**
 * Watches fd, which becomes non-blocking and stays the caller's: free the stream before closing it.
 * @param ops  borrowed for life
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err ax_stream_new(struct event_base *base, int fd,
					  const struct ax_stream_ops *ops, void *arg,
					  struct ax_stream **out);
void ax_stream_free(struct ax_stream *s);

/** Queues octets, copied, and sends what the socket takes now. Loss is reported from the loop. */
void ax_stream_send(struct ax_stream *s, const uint8_t *data, size_t len);

/** Octets queued and not yet taken by the socket. */
size_t ax_stream_unsent(const struct ax_stream *s);

#endif
