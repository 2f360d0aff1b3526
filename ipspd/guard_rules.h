/*
 * ipspd/guard_rules.h - the guard's ip rules. Inside the guard only.
 */
#ifndef IPSPD_GUARD_RULES_H
#define IPSPD_GUARD_RULES_H

#include <stdio.h>

#include "ipspd/guard_kernel.h"

struct nl_sock;

/**
 * Makes the rules at our preferences exactly those that v asks for: adds what is missing, then takes
 * away all else there. v NULL: takes all away.
 * @param sk       a connected NETLINK_ROUTE socket
 * @param changes  adds to rules_missing and rules_foreign
 * @return 0 or -errno with *why (static or internal)
 */
int guard_rules_apply(struct nl_sock *sk, const struct guard_view *v,
		      struct guard_changes *changes, const char **why);

/** Prints the rules at our preferences. @return 0 or -errno */
int guard_rules_print(struct nl_sock *sk, FILE *f);

#endif
