/*
 * tests/unit/pfkey/managers.h - key managers on sockets that are arrays, over an engine with real algorithms and a
 * clock that stands still until it is told. The third one is not root's.
 */
#ifndef TESTS_UNIT_PFKEY_MANAGERS_H
#define TESTS_UNIT_PFKEY_MANAGERS_H

#include "pfkey/server.h"
#include "spd/table.h"
#include "tests/unit/spd/memory.h"

#define CLIENTS 3
#define HEARD_MAX 64u
#define WALL_S 1700000000u

struct heard {
	uint8_t octets[PFKEY_MSG_MAX];
	size_t len;
};

/* A socket: what its client was told and has not looked at. */
struct socket {
	struct heard heard[HEARD_MAX];
	size_t n;
	size_t room;		/* messages it takes */
};

/* What was told last of policies, and how many there are. */
struct told {
	uint32_t serial;
	struct pfkey_band_policy policy;
	bool gone;
	int n;
};

extern struct memory memory;
extern struct ipsp_engine *engine;
extern struct pfkey_server *server;
extern struct socket sockets[CLIENTS];
extern struct pfkey_client *clients[CLIENTS];
extern uint64_t now_s;
extern struct told told;

void managers_setup(void);
void managers_teardown(void);

/* ---- requests: one at a time, begun, filled and asked ---- */

extern uint8_t request[PFKEY_MSG_MAX];
extern struct pfkey_writer w;
extern uint32_t seq;
extern const struct pfkey_address ours, peer;
extern const uint8_t octets[64];

void begin(uint8_t type, uint8_t satype);
void put_addresses(const struct pfkey_address *src, const struct pfkey_address *dst);
void put_sa(uint32_t spi);
void put_keys(void);
void put_lifetimes(uint64_t soft_s, uint64_t hard_s);
void ask(int who);
/* ADD, of an SA for ESP. */
void ask_add(int who, uint32_t spi, bool inbound);
/* About one SA: DELETE, GET. */
void ask_about(int who, uint8_t type, uint32_t spi, bool inbound);

/* ---- what they hear ---- */

/* The next message of all. */
struct pfkey_msg hears(int who, uint8_t type, int err);
/* ... which answers the request. */
struct pfkey_msg answered(int who, uint8_t type, int err);
/* Nobody has heard anything more. */
void silence(void);
/* What they have heard is of no interest. */
void forget_all(void);

#define SD (PFKEY_HAS(SADB_EXT_ADDRESS_SRC) | PFKEY_HAS(SADB_EXT_ADDRESS_DST))
#define SA PFKEY_HAS(SADB_EXT_SA)
#define KEYS (PFKEY_HAS(SADB_EXT_KEY_AUTH) | PFKEY_HAS(SADB_EXT_KEY_ENCRYPT))

#endif
