/*
 * ipspd/main.c - one binary, several processes: which one is this?
 *
 * The parent executes its own binary again with --role=, so that a child has nothing of the
 * parent's memory and a layout of its own. A child becomes harmless before it reads anything.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ipspd/log.h"
#include "ipspd/options.h"
#include "ipspd/parent.h"
#include "ipspd/roles.h"
#include "ipspd/sandbox.h"

static const struct child_kind {
	const char *argument;
	const char *title;
	enum ipspd_role role;
	int (*run)(int channel_fd);
	void (*prepare)(void);	/* as nobody, but before the sandbox; or NULL */
} children[] = {
	{ "--role=agent", "agent", ROLE_AGENT, agent_main, NULL },
	{ "--role=engine", "engine", ROLE_ENGINE, engine_main, NULL },
	{ "--role=import", "import", ROLE_IMPORT, import_main, NULL },
	{ "--role=fetch", "import", ROLE_FETCH, import_main, import_prepare },
	{ "--role=ike", "ike", ROLE_IKE, ike_main, ike_prepare },
	{ "--role=crl", "fetch", ROLE_CRL, fetch_main, import_prepare },
	{ "--role=verdict", "verdict", ROLE_VERDICT, verdict_main, NULL },
};

static int run_child(const struct child_kind *k)
{
	const char *why;

	setproctitle("-ipspd: %s", k->title);
	log_set_process(k->title);
	if (!sandbox_drop_root(IPSPD_USER, k->role, &why)) {
		ipspd_log(LOG_CRIT, "sandbox", "not started: %s", why);
		return 1;
	}
	/*
	 * A channel that closes ends a child at its leisure; a busy or stopped one would keep the
	 * next parent waiting. Whoever lost its parent before this line has a closed channel.
	 */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!sandbox_lock_memory())
		ipspd_log(LOG_WARNING, "sandbox", "memory cannot be locked, and may be swapped out");
	if (k->prepare)
		k->prepare();
	if (!sandbox_enter(k->role, &why)) {
		ipspd_log(LOG_CRIT, "sandbox", "not started: %s", why);
		return 1;
	}
	return k->run(ROLE_CHANNEL_FD);
}

int main(int argc, char **argv, char **envp)
{
	struct options o;

	setproctitle_init(argc, argv, envp);
	for (size_t i = 0; argc == 2 && i < sizeof(children) / sizeof(children[0]); i++) {
		if (strcmp(argv[1], children[i].argument) == 0)
			return run_child(&children[i]);
	}
	switch (options_parse(argc, argv, &o)) {
	case OPTIONS_RUN:
		return parent_main(&o);
	case OPTIONS_END:
		return 0;
	default:
		return 2;
	}
}
