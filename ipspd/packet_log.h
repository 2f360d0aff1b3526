/*
 * ipspd/packet_log.h - the kernel's packet log (nfnetlink_log) as the guard writes it, packet by packet.
 *
 * Reads from a socket that the parent has bound to a group; never writes to it. What is not exactly as
 * the guard has it written is passed over, counted, and told once. One thread has a log.
 */
#ifndef IPSPD_PACKET_LOG_H
#define IPSPD_PACKET_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipsp/types.h"

struct event;
struct event_base;

/** One packet of the log; all is borrowed for the call. */
struct logged_packet {
	enum ipsp_dir dir;	/* the hook says it */
	uint32_t ifindex;	/* of the interface that counts in that direction */
	const char *prefix;	/* as the guard's rule has it */
	const uint8_t *data;	/* the packet's first octets */
	size_t len;
	bool numbered;
	uint32_t number;	/* the kernel's, one more for each packet of the group */
};

/** A use of the log. Constant. */
struct packet_log_use {
	/** @return false: not as the guard writes it */
	bool (*take)(void *arg, const struct logged_packet *p);
	unsigned datagrams_a_turn;
	int end_priority;	/* as in syslog(3) */
	const char *bad;	/* for the log: something was malformed */
	const char *end;	/* for the log: nothing more will come */
};

struct packet_log {
	const struct packet_log_use *use;
	void *arg;
	struct event *event;	/* NULL: there is none */
	void *datagram;		/* as long as one may be */
	uint64_t n_bad;
};

/** Reads from now on; takes fd on success. arg: for use->take. @return 0, -ENOMEM */
int packet_log_start(struct packet_log *l, const struct packet_log_use *use, void *arg,
		     struct event_base *base, int fd);
/** Closes the socket, if it was started. */
void packet_log_stop(struct packet_log *l);

/**
 * Takes the packets of one datagram.
 * @param data  aligned as struct nlmsghdr; whatever may stand there
 * @return how many of its messages were malformed and passed over
 */
size_t packet_log_datagram(const struct packet_log_use *use, void *arg, void *data, size_t len);

#endif
