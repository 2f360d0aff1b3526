/*
 * ipspd/local_addrs.h - which addresses are this device's, as the kernel has them now.
 *
 * A netlink socket tells that some came or went; then they are read anew with the next question.
 */
#ifndef IPSPD_LOCAL_ADDRS_H
#define IPSPD_LOCAL_ADDRS_H

#include "ipsp/types.h"

struct local_addrs;

/** @return 0 or -errno */
int local_addrs_new(struct local_addrs **out);
void local_addrs_free(struct local_addrs *l);

/** Does the device have that address? What cannot be found out counts as no. */
bool local_addrs_has(struct local_addrs *l, const struct ipsp_addr *a);

#endif
