/*
 * ipspd/marks.h - the few numbers in the kernel's routing and packet marks that are ours.
 *
 * Fixed, so that the guard of one run is the guard of the next: it must be found again, never
 * doubled, and `ip rule` must show an operator whose it is.
 */
#ifndef IPSPD_MARKS_H
#define IPSPD_MARKS_H

/* Every packet that a socket of ours sends, and every packet the engine has let pass. */
#define IPSPD_MARK_BYPASS 0x69700000u
#define IPSPD_MARK_MASK 0xffff0000u

/* Added to the mark of a packet of this machine so that the kernel routes it again; never equal to
 * the bypass mark. */
#define IPSPD_MARK_REROUTE 0x00010000u

/* A packet of a queue that the engine lets pass, until the guard has seen it; never leaves a hook. */
#define IPSPD_MARK_JUDGED 0x69720000u

/* The table whose default route is our TUN, with a blackhole behind it; ours alone. */
#define IPSPD_ROUTE_TABLE 26992
#define IPSPD_BLACKHOLE_METRIC 0x7fffffffu

/* Preferences of our ip rules, ours alone; all stand before the main table's 32766. */
#define IPSPD_RULE_PREF_WIRE 26989	/* from an interface of a bump in the wire: nowhere */
#define IPSPD_RULE_PREF_BYPASS 26990	/* marked: main table */
#define IPSPD_RULE_PREF_TUN 26991	/* from our TUN: main table */
#define IPSPD_RULE_PREF_STEER 26992	/* what must go through the engine */

#define IPSPD_NFT_TABLE "ipspd_guard"
#define IPSPD_NFT_TWIN "ipspd_guard_live"	/* owned by the parent while it lives */
#define IPSPD_NFT_QUEUE "ipspd_queue"		/* likewise: leads packets into the queues */

/* The queues that the engine judges packets from (nfnetlink_queue). */
#define IPSPD_QUEUE_IN 26994
#define IPSPD_QUEUE_OUT 26995

/* Where the table's rules log packets to (nfnetlink_log): one group, of which the engine reads the
 * first octets of each. Every rule logs at most so many a second, after at most so many at once. */
#define IPSPD_LOG_GROUP 26992
#define IPSPD_LOG_COPY 128
#define IPSPD_LOG_RATE 10
#define IPSPD_LOG_BURST 20
/* Their prefix is the entry's id in hexadecimal, a blank, and its action (enum ipsp_action). */

/* Where they hand over whole packets that only the engine can judge; the kernel drops those. The
 * prefix says what for. */
#define IPSPD_HANDOVER_GROUP 26993
#define IPSPD_HANDOVER_COPY 65535	/* octets */
#define IPSPD_HANDOVER "judge"
#define IPSPD_HANDOVER_OWN "own"	/* for this machine, and of a protocol that SAs are for */

#endif
