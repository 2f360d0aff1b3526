/* ipspctl/guard.c - takes the guard away where no daemon can be asked to. */
#include "ipspctl/guard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ipspd/guard.h"

bool ctl_guard_remove(const char *statedir)
{
	const char *why = NULL;
	int rc = guard_remove(statedir, &why);

	if (rc == 0)
		return true;
	if (rc == -EWOULDBLOCK)
		fprintf(stderr, "ipspctl: a daemon runs on %s and needs the guard; stop it first\n",
			statedir);
	else
		fprintf(stderr, "ipspctl: the guard could not be removed: %s%s%s\n", strerror(-rc),
			why ? ": " : "", why ? why : "");
	return false;
}
