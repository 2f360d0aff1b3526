/* ipspctl/guard.h - the one thing ipspctl does without a daemon: taking the guard away. */
#ifndef IPSPCTL_GUARD_H
#define IPSPCTL_GUARD_H

#include <stdbool.h>

/**
 * Removes the guard from the kernel and from the state directory. Refused while a daemon runs on
 * that directory: it needs the guard. The reason of a failure is printed.
 */
bool ctl_guard_remove(const char *statedir);

#endif
