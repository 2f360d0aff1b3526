/*
 * engine/io/ask.h - questions to the kernel by rtnetlink, and what tells that an answer is old.
 *
 * The kernel has answered when the question has been sent, so nothing here waits. No privilege needed.
 */
#ifndef ENGINE_IO_ASK_H
#define ENGINE_IO_ASK_H

#include <netlink/msg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipsp/types.h"

struct nl_sock;

/** @return 0 or -errno */
int ask_open(struct nl_sock **out);

/** One that hears of changes, of each of these groups. @return 0 or -errno */
int ask_listen(const int *groups, size_t n, struct nl_sock **out);

/** Reads all that an ask_listen socket has. @return whether something has changed */
bool ask_changed(struct nl_sock *events);

/** Where does a packet go? */
struct ask_route {
	const struct ipsp_addr *src;	/* family 0: not chosen yet */
	const struct ipsp_addr *dst;
	uint32_t mark;
	uint32_t iif;			/* forwarded from there; 0: our own */
	bool as_written;		/* the route as it was set, not what becomes of it for this packet */
};

/** @return 0 or -errno; *seq is what the answer bears, a RTM_NEWROUTE */
int ask_route(struct nl_sock *s, const struct ask_route *route, uint32_t *seq);

/** What is known of a link? The answer is a RTM_NEWLINK. */
int ask_link(struct nl_sock *s, uint32_t ifindex, uint32_t *seq);

/**
 * Completes the question, sends it and frees it.
 * @param m  NULL, or one that could not be made: -ENOMEM
 * @return 0 or -errno; *seq is what its answer bears
 */
int ask_send(struct nl_sock *s, struct nl_msg *m, bool made, uint32_t *seq);

/**
 * The answer to the question seq; answers to earlier ones that went wrong half way are passed over.
 * @param data  where it is, to be freed
 * @return NULL: there is none
 */
struct nlmsghdr *ask_answer(struct nl_sock *s, uint32_t seq, unsigned char **data, int *len);

#endif
