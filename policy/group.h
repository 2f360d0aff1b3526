/*
 * policy/group.h - groups of rules as ordered SPD entries.
 *
 * RFC 4807 3 (how a group is evaluated), RFC 4301 4.4.1. The end of the outermost group discards.
 * IPv6 Neighbor Discovery (RFC 4861) is not mentioned in any list: engine and guard let it pass by
 * themselves, since an address that cannot be resolved would cut off what policy does allow.
 */
#ifndef POLICY_GROUP_H
#define POLICY_GROUP_H

#include "policy/build.h"

/**
 * The entries of a group in one direction; made at the first call.
 * @param group  its name, at most 32 octets; "": no group, no entries: all packets are discarded
 * @return NULL: no memory
 */
struct pol_entries *pol_group_entries(struct pol_build *b, const char *group, enum ipsp_dir dir);

#endif
