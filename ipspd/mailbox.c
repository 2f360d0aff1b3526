/*
 * ipspd/mailbox.c - see mailbox.h. The box is a list that senders put their messages in front of, and
 * that the reader takes as a whole: so no message is ever looked for in it, and none comes back into it.
 */
#include "config.h"

#include "ipspd/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *box)
{
	const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	*box = (struct mailbox){ .fd = fd };
	return 0;
}

void mailbox_fini(struct mailbox *box)
{
	struct mail *next;

	if (box->fd <= 0)
		return;
	for (struct mail *m = mailbox_take(box); m; m = next) {
		next = m->next;
		mail_free(m);
	}
	close(box->fd);
	*box = (struct mailbox){ .fd = 0 };
}

void *mail_new(const struct mailbox *box, uint8_t kind, size_t size)
{
	struct mail *m;

	if (atomic_load_explicit(&box->octets, memory_order_relaxed) + size > MAILBOX_MAX)
		return NULL;
	m = calloc(1, size);
	if (!m)
		return NULL;
	m->kind = kind;
	m->size = size;
	return m;
}

void mail_send(struct mailbox *box, struct mail *m)
{
	struct mail *last = atomic_load_explicit(&box->last, memory_order_relaxed);

	atomic_fetch_add_explicit(&box->octets, m->size, memory_order_relaxed);
	do
		m->next = last;
	while (!atomic_compare_exchange_weak_explicit(&box->last, &last, m, memory_order_release,
						      memory_order_relaxed));
	mailbox_ring(box);
}

void mailbox_ring(struct mailbox *box)
{
	static const uint64_t one = 1;

	/* Once until it is heard: the counter cannot run over, so nothing here can fail. */
	if (!atomic_exchange(&box->rung, true))
		(void)!write(box->fd, &one, sizeof(one));
}

struct mail *mailbox_take(struct mailbox *box)
{
	struct mail *m, *first = NULL, *before;
	size_t octets = 0;
	uint64_t rings;

	(void)!read(box->fd, &rings, sizeof(rings));
	/* What is sent from here on rings again. */
	atomic_store(&box->rung, false);
	m = atomic_exchange_explicit(&box->last, NULL, memory_order_acquire);
	for (; m; m = before) {
		before = m->next;
		m->next = first;
		first = m;
		octets += m->size;
	}
	atomic_fetch_sub_explicit(&box->octets, octets, memory_order_relaxed);
	return first;
}

void mail_free(struct mail *m)
{
	explicit_bzero(m, m->size);
	free(m);
}
