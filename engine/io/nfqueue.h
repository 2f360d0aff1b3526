/*
 * engine/io/nfqueue.h - the attachment `nfqueue`: packets that wait in the kernel's queues
 * (nfnetlink_queue) for a verdict; what is protected goes and comes by another attachment, `tun`.
 *
 *	   postrouting                                              prerouting
 *	[ queue out ] -- outbound --> engine <-- inbound, clear -- [ queue in ]
 *	      ^    PROTECT: dropped, and ESP |                          ^
 *	      |                              v                          |
 *	accepted: goes on           [ outside: raw sockets, UDP, TUN ]  accepted: goes on
 *
 * A packet that may pass is not copied back: its verdict lets the kernel go on with the packet itself.
 * One that nobody gives a verdict stays where it is, which is as good as dropped.
 *
 * Who gives verdicts needs privilege (CAP_NET_ADMIN), which an engine has not. So they go to a process
 * that does nothing else (ipspd/verdict_main.c), and can do no more with them than let packets of these
 * queues pass.
 */
#ifndef ENGINE_IO_NFQUEUE_H
#define ENGINE_IO_NFQUEUE_H

#include "engine/io/attach.h"

#define NFQUEUE_QUEUES 2	/* by enum ipsp_dir - 1 */

/** One verdict; a message to the process that gives them is 1 .. NFQUEUE_VERDICTS_MAX of them. */
struct nfqueue_verdict {
	uint32_t id;		/* of the packet in its queue */
	uint16_t mark_low;	/* the low half of its mark, which it keeps */
	uint8_t dir;		/* enum ipsp_dir */
	uint8_t pass;		/* 0: drop; 1: accept */
};
#define NFQUEUE_VERDICTS_MAX (2u * IO_BATCH)

struct nfqueue_config {
	int queue_fd[NFQUEUE_QUEUES];	/* netlink, bound to a queue that copies whole packets */
	int verdict_fd;			/* SOCK_SEQPACKET, where verdicts go */
};

/**
 * @param config   its descriptors are taken on success
 * @param outside  taken on success: where what is protected is sent and comes from
 * @return 0 or -errno
 */
int nfqueue_attach(const struct nfqueue_config *config, struct io_attachment *outside,
		   struct io_attachment **out);

#endif
