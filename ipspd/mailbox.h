/*
 * ipspd/mailbox.h - what one thread of a process tells another one: messages without a lock.
 *
 * Any thread sends, one takes. Who sends never waits, and who takes has an event loop that a descriptor
 * wakes. Messages of one sender come in their order.
 */
#ifndef IPSPD_MAILBOX_H
#define IPSPD_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Octets that may wait in a box: what comes then is not sent. */
#define MAILBOX_MAX (4u << 20)

/** What every message begins with. */
struct mail {
	struct mail *next;	/* of those that were taken: the one that was sent after it */
	size_t size;		/* octets of all of it */
	uint8_t kind;		/* the reader's matter */
};

struct mailbox {
	_Atomic(struct mail *) last;	/* the newest; each knows the one before */
	_Atomic size_t octets;
	_Atomic bool rung;
	int fd;				/* readable when there is something */
};

/** @return 0 or -errno */
int mailbox_init(struct mailbox *box);
/** Frees what is still there. Nobody sends any more. Zeros are fine. */
void mailbox_fini(struct mailbox *box);

/**
 * Memory for a message, zeroed.
 * @return NULL: none, or as much waits already as may
 */
void *mail_new(const struct mailbox *box, uint8_t kind, size_t size);

/** Sends it; it is the reader's now. */
void mail_send(struct mailbox *box, struct mail *m);

/** Wakes the reader, whether there is a message or not. */
void mailbox_ring(struct mailbox *box);

/** All that is there, in the order in which it came; to be freed one by one. By the reader. */
struct mail *mailbox_take(struct mailbox *box);

/** Wipes and frees. */
void mail_free(struct mail *m);

#endif
