/* tests/unit/engine_io/role.h - an engine role without packets, and the agent's end. */
#ifndef TESTS_UNIT_ENGINE_IO_ROLE_H
#define TESTS_UNIT_ENGINE_IO_ROLE_H

#include "ipspd/engine.h"

/** Fills *role as START would; the agent's messages are kept for role_next. */
void role_setup(struct engine_role *role);
void role_teardown(struct engine_role *role);

/** A message the engine has sent to the agent. */
struct role_message {
	uint16_t type;
	uint8_t data[2048];
	size_t len;
};

/** Takes the next one, oldest first, events about SAs left out. @return false: there is none */
bool role_next(struct role_message *out);

/** As role_next, but it must be there and of this type; a reader over it. */
struct chan_reader role_expect(uint16_t type, struct role_message *out);

/** Takes the next event about an SA. @return false: there is none */
bool role_next_sa_event(struct wire_event *out);

/** Lets the channel run dry: what the engine has sent can be taken then. */
void role_settle(struct engine_role *role);

/** Gives the role a message of the agent, and settles. */
void role_policy(struct engine_role *role, uint16_t type, const void *data, size_t len);

/** An SA that can be installed: AES-CBC-128, HMAC-SHA1-96, between documentation addresses. */
struct ipsp_sa_config role_sa(uint64_t id, enum ipsp_dir dir, uint32_t spi);

/** Sends a generation: one list, outbound on interface 3, that PROTECTs all of IPv4 by sas[0]. */
void role_generation(struct engine_role *role, uint64_t number, const struct ipsp_sa_config *sas,
		     size_t n);

#endif
