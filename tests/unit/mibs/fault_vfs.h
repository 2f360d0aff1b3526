/*
 * fault_vfs.h - a file layer for SQLite that fails, kills the process, or cuts the power at a
 * chosen step. Steps are what changes a file: writes, truncations, syncs.
 */
#ifndef FAULT_VFS_H
#define FAULT_VFS_H

#include <stdbool.h>

enum fault {
	FAULT_NONE,
	FAULT_IO,		/* that step fails with an I/O error */
	FAULT_IO_FROM,		/* that step and all after it */
	FAULT_FULL,		/* that step fails: no room */
	FAULT_KILL,		/* half of that write, then SIGKILL */
	FAULT_POWER,		/* everything not synced is lost, then SIGKILL */
	FAULT_POWER_SOME,	/* every other unsynced write is lost, then SIGKILL */
};

/** Makes it SQLite's default layer. */
void fault_vfs_install(void);

/** The nth step from now, from 1. */
void fault_arm(enum fault fault, unsigned int nth);

/** Has an armed fault happened since? */
bool fault_happened(void);

/** Cuts the power now: see FAULT_POWER. Does not return. */
void fault_power_cut(void) __attribute__((noreturn));

#endif
