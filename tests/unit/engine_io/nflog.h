/*
 * tests/unit/engine_io/nflog.h - datagrams of the kernel's packet log, made by hand as
 * linux/netfilter/nfnetlink_log.h lays them out; one at a time.
 */
#ifndef TESTS_UNIT_ENGINE_IO_NFLOG_H
#define TESTS_UNIT_ENGINE_IO_NFLOG_H

#include <stddef.h>
#include <stdint.h>

enum {
	NFLOG_TYPE_PACKET = 0x0400,	/* subsystem 4 (ULOG), message 0 */
	NFLOG_TYPE_DONE = 3,
	/* attributes */
	NFLOG_HDR = 1,
	NFLOG_INDEV = 4,
	NFLOG_OUTDEV = 5,
	NFLOG_PAYLOAD = 9,
	NFLOG_PREFIX = 10,
	NFLOG_SEQ = 12,
	/* hooks */
	NFLOG_PRE_ROUTING = 0,
	NFLOG_LOCAL_IN = 1,
	NFLOG_POST_ROUTING = 4,
};

/** The datagram so far; lengths in it are in host order, as netlink has them. */
extern uint8_t nflog_gram[4096];
extern size_t nflog_len;

void nflog_clear(void);

/** A message begins, gets attributes, and ends. */
void nflog_begin(uint16_t type);
void nflog_attr(uint16_t type, const void *data, size_t len);
void nflog_hook(uint8_t hook);
void nflog_ifindex(uint16_t type, uint8_t ifindex);
void nflog_end(void);

/** A whole message: a packet that came in by interface 3 and leaves by 4. */
void nflog_packet(const char *prefix, uint8_t hook, const uint8_t *packet, size_t len);

struct engine_role;

/** Gives it to a reader in memory that is no longer than it is. @return what the reader says */
size_t nflog_give(size_t (*reader)(struct engine_role *role, void *data, size_t len),
		  struct engine_role *role);

#endif
