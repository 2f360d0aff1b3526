/* tests/unit/engine_io/netns.h - a private network namespace for one test process. */
#ifndef TESTS_UNIT_ENGINE_IO_NETNS_H
#define TESTS_UNIT_ENGINE_IO_NETNS_H

#include <stdbool.h>
#include <stdint.h>

struct ipsp_addr;

/** Can this process have a namespace of its own, and /dev/net/tun in it? Does not enter one. */
bool netns_possible(void);

/** Enters a new namespace with lo up. Fails the test if that cannot be done. */
void netns_enter(void);

/** As netns_enter, and takes devices (up to a NULL) of the namespace it leaves along. */
void netns_enter_with(const char *const *devices);

/** Runs a shell command, such as "ip route add ..."; fails the test if it fails. */
void netns_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** An address from text; "" is family 0. */
struct ipsp_addr netns_addr(const char *text);

/** Opens the TUN device called name (made if it is not there), without packet information. */
int netns_tun(const char *name);

#endif
