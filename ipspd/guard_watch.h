/*
 * ipspd/guard_watch.h - tells when something in the kernel may have changed that the guard rests on.
 *
 * Says where to look, never what is there: what is true is asked of the kernel anew (guard_check),
 * so a message that was lost, or is our own, does no harm.
 */
#ifndef IPSPD_GUARD_WATCH_H
#define IPSPD_GUARD_WATCH_H

#include <stddef.h>

/** Where to look. */
#define GUARD_TABLE 1u		/* our nftables table */
#define GUARD_ROUTES 2u		/* ip rules at our preferences, routes of our table */
#define GUARD_LINKS 4u		/* interfaces: they come, go, change name or state */
#define GUARD_ALL (GUARD_TABLE | GUARD_ROUTES | GUARD_LINKS)

#define GUARD_WATCH_SOCKETS 2

struct guard_watch;

/** Listens to nftables, rules, routes and links. @return 0; -errno with *why (static) */
int guard_watch_open(struct guard_watch **out, const char **why);
void guard_watch_close(struct guard_watch *w);

/** Descriptors to wait on for reading, 0 .. GUARD_WATCH_SOCKETS - 1. They are w's. */
int guard_watch_fd(const struct guard_watch *w, size_t which);

/**
 * Reads what is there, a bounded number of messages: there may be more.
 * @return where to look; GUARD_ALL when the kernel had to drop messages
 */
unsigned guard_watch_read(struct guard_watch *w, size_t which);

/** The program that changed our table last, as the kernel names it; "" when it was not said. */
const char *guard_watch_who(const struct guard_watch *w);

#endif
