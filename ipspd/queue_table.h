/*
 * ipspd/queue_table.h - the nftables table that leads packets into the engine's queues.
 *
 *	hook           guard's table, its twin          the queues' table
 *	prerouting                                      in        -351: listed interfaces: queue
 *	               -350, -349: judged passes        in_done   -348: the mark is taken off
 *	postrouting                                     out        299: listed interfaces: queue
 *	                300,  301: judged passes        out_done   302: the mark is taken off
 *
 * So the engine decides first, and the guard lets pass what the engine has let pass. What does not
 * come to the engine, because this table is not there, the guard decides as ever.
 *
 * A queue that nobody reads drops: nothing here asks the kernel to bypass it. The table belongs to the
 * socket that made it: no other program can touch it, and it goes with this process.
 *
 * ESP, AH, IKE and errors about them that are for this machine are not queued, as sockets read them.
 */
#ifndef IPSPD_QUEUE_TABLE_H
#define IPSPD_QUEUE_TABLE_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "ipsp/types.h"

struct queue_table;

/** One interface and direction whose packets are queued. */
struct queue_place {
	uint8_t dir;			/* enum ipsp_dir */
	uint32_t ifindex;		/* 0: by its name, or all of them */
	char name[IF_NAMESIZE];		/* "" and ifindex 0: all but "lo" */
};

/**
 * Makes the table, without places, and finds out how this kernel queues: nft's "queue", or the target
 * NFQUEUE of xtables, as iptables-nft has it.
 * @return 0; -EOPNOTSUPP: neither; -errno; with *why (static or internal)
 */
int queue_table_open(struct queue_table **out, const char **why);

/** The table goes. NULL is fine. */
void queue_table_close(struct queue_table *t);

/**
 * Leads packets of those places, and of no others, into the queues; in one change.
 * @param tun_ifindex  the engine's own, never queued; 0: none
 * @return 0; -errno with *why, and it is as it was
 */
int queue_table_apply(struct queue_table *t, const struct queue_place *places, size_t n,
		      uint32_t tun_ifindex, const char **why);

#endif
