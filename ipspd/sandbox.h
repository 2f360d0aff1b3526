/*
 * ipspd/sandbox.h - what a child gives up before it reads anything: root, and most system calls.
 */
#ifndef IPSPD_SANDBOX_H
#define IPSPD_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "ipspd/roles.h"

/**
 * Becomes the unprivileged user for good: ids, groups, capabilities, no_new_privs; no core dumps, no
 * ptrace by equals. ROLE_VERDICT keeps CAP_NET_ADMIN, no other role anything. Needs root.
 * @return false with *why
 */
bool sandbox_drop_root(const char *user, enum ipspd_role role, const char **why);

/** Keeps all memory of the process, present and future, out of swap. @return false: may be swapped */
bool sandbox_lock_memory(void);

/**
 * Closes the file system for good, but for reading what a name's resolution and a certificate's check
 * need, when for_network. A part of sandbox_enter for the import process.
 * @return false with *why: the kernel cannot, and paths would be open to for_network
 */
bool sandbox_close_files(bool for_network, const char **why);

/**
 * Likewise, for the network, but for reading and writing what is in one directory. By a process in its sandbox.
 * @return false with *why
 */
bool sandbox_close_files_but(int dir_fd, const char **why);

/**
 * Forbids all system calls but those of the role, for good; any other ends the process (SIGSYS).
 * @return false with *why
 */
bool sandbox_enter(enum ipspd_role role, const char **why);

#endif
