/*
 * ipspd/pfkey_out.h - what is to go out on one PF_KEY socket: messages gathered for few system calls,
 * and kept while the client does not read.
 *
 * A client that waits for each answer would be woken for each: so answers of one turn go together.
 * What is gathered is wiped when it has gone, as it may have keys in it.
 */
#ifndef IPSPD_PFKEY_OUT_H
#define IPSPD_PFKEY_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PFKEY_OUT_MAX (256u << 10)	/* octets that wait for one client */

struct pfkey_out {
	uint8_t *data;		/* messages, each behind its length */
	size_t size;		/* octets there is room for */
	size_t first, end;	/* what waits stands between */
};

/** Adds a message. @return false: PFKEY_OUT_MAX would wait, or no memory: it is lost */
bool pfkey_out_put(struct pfkey_out *o, const void *message, size_t len);

/**
 * Sends what waits, in order, as far as the socket takes it.
 * @return 0: all has gone; EAGAIN: the rest waits; another errno: the socket is of no use any more
 */
int pfkey_out_send(struct pfkey_out *o, int fd);

/** Octets that wait. */
static inline size_t pfkey_out_waits(const struct pfkey_out *o)
{
	return o->end - o->first;
}

/** Wipes and frees what waits. */
void pfkey_out_fini(struct pfkey_out *o);

#endif
