/*
 * ipspd/roles.h - the processes that one binary can be.
 *
 * ipspd/main.c gives up root, enters the role's sandbox, and only then calls its main function, with
 * the channel to the parent (import: to the agent; verdict: to the engine) on ROLE_CHANNEL_FD and logging
 * (ipspd/log.h) not yet attached.
 */
#ifndef IPSPD_ROLES_H
#define IPSPD_ROLES_H

#define ROLE_CHANNEL_FD 3
#define ROLE_HOLD_FD 4	/* guard_hold's: kept open until the process ends, and never used */

enum ipspd_role {
	ROLE_PARENT,
	ROLE_AGENT,
	ROLE_ENGINE,
	ROLE_IMPORT,	/* of a file that is open */
	ROLE_FETCH,	/* of a URL: the same, with the network */
	ROLE_VERDICT,
	ROLE_IKE,
	ROLE_CRL,	/* fetches CRLs for ike */
};

/** The agent: MIB state, AgentX, control socket. @return exit status, when the parent is gone */
int agent_main(int channel_fd);

/** The engine: SPD, SAD, packets. @return exit status, when the parent is gone or says stop */
int engine_main(int channel_fd);

/**
 * Import: fetches and parses one file for the agent, to which it is connected. @return exit status
 */
int import_main(int channel_fd);

/** IKE: negotiates SAs with peers. @return exit status, when the parent is gone or says stop */
int ike_main(int channel_fd);

/** Fetch: CRLs and OCSP answers for ike, to which it is connected. @return exit status */
int fetch_main(int channel_fd);

/** Loads the PKCS #11 modules that the system has for us, while modules can be loaded. */
void ike_prepare(void);

/** Gives the kernel the engine's verdicts on queued packets. @return exit status, when the engine is
 *  gone */
int verdict_main(int channel_fd);

/** What import needs from the file system, before it has none. */
void import_prepare(void);

#endif
